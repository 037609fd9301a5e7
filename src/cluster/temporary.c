/*
 * Directories for the nodes' files of clusters that were given none. One goes with its cluster; of
 * a script that was killed it is left behind, and goes when the next such cluster begins.
 */
#define _GNU_SOURCE /* NOLINT(bugprone-reserved-identifier): for nftw */
#include "cluster/internal.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PREFIX "raftbench-" /* then the process's number, a hyphen, and six letters */

static const char *parent(void)
{
    const char *chosen = getenv("TMPDIR");
    return chosen != NULL && chosen[0] != '\0' ? chosen : "/tmp";
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

void temporary_remove(const char *path)
{
    (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Whether the process that made a directory of this name is gone. */
static bool is_left_behind(const char *name)
{
    char *end = NULL;
    if (strncmp(name, PREFIX, strlen(PREFIX)) != 0) {
        return false;
    }
    long pid = strtol(name + strlen(PREFIX), &end, 10);
    return pid > 1 && *end == '-' && strlen(end) == 7 && kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

static void remove_left_behind(void)
{
    DIR *directory = opendir(parent());
    const struct dirent *entry = NULL;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        char path[CLUSTER_PATH_BYTES];
        int size = snprintf(path, sizeof path, "%s/%s", parent(), entry->d_name);
        if (is_left_behind(entry->d_name) && size > 0 && (size_t)size < sizeof path) {
            temporary_remove(path);
        }
    }
    if (directory != NULL) {
        (void)closedir(directory);
    }
}

bool temporary_new(char *path, size_t size, struct failure *failure)
{
    remove_left_behind();
    int length = snprintf(path, size, "%s/" PREFIX "%ld-XXXXXX", parent(), (long)getpid());
    if (length > 0 && (size_t)length < size && mkdtemp(path) != NULL) {
        return true;
    }
    failure_set(failure, FAILURE_STORAGE, "no temporary directory can be made in %.120s: %s",
                parent(), strerror(errno));
    return false;
}
