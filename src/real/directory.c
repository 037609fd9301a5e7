/*
 * The directory itself, on the thread of a lane: it is made, locked, listed and emptied, and what
 * fails becomes words.
 *
 * It opens no file but the lock, and never waits for who holds that.
 */
#include "real/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* "writing 512 bytes at 0 of data/1/log-1: no space left on device". */
void file_fail(struct job *job, int problem, const char *format, ...)
{
    char what[FILE_PROBLEM_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    text_format(what, sizeof what, format, arguments);
    va_end(arguments);
    job->error = problem == ENOSPC || problem == EDQUOT ? FILE_FULL
                 : problem == ENOENT                    ? FILE_MISSING
                                                        : FILE_BROKEN;
    (void)snprintf(job->problem, sizeof job->problem, "%.180s: %.70s", what, uv_strerror(-problem));
}

/* ---- the directory -------------------------------------------------------------------------- */

/* Where this user may not read it there is nothing to be done. */
static bool sync_parent(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash != NULL) {
        *slash = 0;
    }
    int parent = open(slash == NULL   ? "."
                      : slash == path ? "/"
                                      : path,
                      O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (slash != NULL) {
        *slash = '/';
    }
    if (parent < 0) {
        return errno == EACCES;
    }
    bool worked = fsync(parent) == 0 || errno == EINVAL || errno == EROFS;
    int problem = errno;
    (void)close(parent);
    errno = problem;
    return worked;
}

static bool make_directory(char *path)
{
    return mkdir(path, 0777) == 0 || errno == EEXIST;
}

/* Each directory of the path, from the first; false with errno set. */
static bool for_each_directory(const char *path, bool (*step)(char *path))
{
    char *copy = memory_new(strlen(path) + 1);
    bool worked = true;
    memcpy(copy, path, strlen(path) + 1);
    for (char *end = copy + 1; worked && end[-1] != 0; end++) {
        if (*end != '/' && *end != 0) {
            continue;
        }
        char mark = *end;
        *end = 0;
        worked = step(copy);
        *end = mark;
    }
    int problem = errno;
    memory_free(copy);
    errno = problem;
    return worked;
}

bool directory_open(struct lane *lane)
{
    struct real_files *files = lane->files;
    if (files->directory >= 0) { /* once FILE_LOCK or the first look is done, it stays */
        return true;
    }
    int directory = open(files->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
        file_fail(&lane->job, errno, "opening the directory %s", files->path);
        return false;
    }
    files->directory = directory;
    return true;
}

/* Names of plain files, sorted. */
struct names {
    array_of(char *);
};

static void free_names(struct names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        memory_free(names->items[i]);
    }
    array_free(names);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_listed(int directory, const char *name)
{
    struct stat stat;
    return strlen(name) <= FILE_NAME_BYTES_MAX && strcmp(name, LOCK_NAME) != 0 &&
           fstatat(directory, name, &stat, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(stat.st_mode);
}

/* false with errno set. */
static bool read_names(int directory, struct names *names)
{
    int descriptor = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = descriptor < 0 ? NULL : fdopendir(descriptor);
    if (stream == NULL) {
        return false;
    }
    errno = 0;
    for (const struct dirent *entry = readdir(stream); entry != NULL; entry = readdir(stream)) {
        if (is_listed(directory, entry->d_name)) {
            size_t size = strlen(entry->d_name) + 1;
            char *name = memory_new(size);
            memcpy(name, entry->d_name, size);
            *array_push(names) = name;
        }
        errno = 0;
    }
    int problem = errno;
    (void)closedir(stream);
    if (names->count > 0) {
        qsort(names->items, names->count, sizeof(char *), compare_names);
    }
    errno = problem;
    return problem == 0;
}

void directory_list(struct lane *lane)
{
    struct names names = {0};
    if (!directory_open(lane)) {
        return;
    }
    if (!read_names(lane->files->directory, &names)) {
        file_fail(&lane->job, errno, "reading the directory %s", lane->files->path);
    }
    for (size_t i = 0; i < names.count; i++) {
        buffer_append(&lane->job.names, names.items[i], strlen(names.items[i]) + 1);
    }
    free_names(&names);
}

static bool remove_all(int directory)
{
    struct names names = {0};
    bool worked = read_names(directory, &names);
    for (size_t i = 0; worked && i < names.count; i++) {
        worked = unlinkat(directory, names.items[i], 0) == 0;
    }
    int problem = errno;
    free_names(&names);
    errno = problem;
    return worked && fsync(directory) == 0;
}

/* ---- the lock ------------------------------------------------------------------------------- */

static void write_holder(int lock)
{
    char text[32];
    int size = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    /* For whoever looks; the lock holds without it. */
    if (ftruncate(lock, 0) == 0) {
        (void)!pwrite(lock, text, (size_t)size, 0);
    }
}

static void tell_holder(struct lane *lane, int lock)
{
    char text[32] = "";
    ssize_t size = pread(lock, text, sizeof text - 1, 0);
    long holder = size > 0 ? strtol(text, NULL, 10) : 0;
    lane->job.error = FILE_LOCKED;
    if (holder > 0) {
        (void)snprintf(lane->job.problem, sizeof lane->job.problem,
                       "the directory %.180s is in use by process %ld", lane->files->path, holder);
    } else {
        (void)snprintf(lane->job.problem, sizeof lane->job.problem,
                       "the directory %.180s is in use by another process", lane->files->path);
    }
}

void directory_lock(struct lane *lane)
{
    struct real_files *files = lane->files;
    if (!for_each_directory(files->path, make_directory)) {
        file_fail(&lane->job, errno, "making the directory %s", files->path);
        return;
    }
    if (!directory_open(lane)) {
        return;
    }
    /* In its first life, whoever made it: what is durable in it must be found again. */
    if (faccessat(files->directory, LOCK_NAME, F_OK, 0) < 0 &&
        !for_each_directory(files->path, sync_parent)) {
        file_fail(&lane->job, errno, "the sync of the directories above %s", files->path);
        return;
    }
    int lock = openat(files->directory, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (lock < 0) {
        file_fail(&lane->job, errno, "making %s/" LOCK_NAME, files->path);
        return;
    }
    if (flock(lock, LOCK_EX | LOCK_NB) < 0) {
        if (errno == EWOULDBLOCK) {
            tell_holder(lane, lock);
        } else {
            file_fail(&lane->job, errno, "locking %s/" LOCK_NAME, files->path);
        }
        (void)close(lock);
        return;
    }
    files->lock = lock;
    write_holder(lock);
    if (files->is_wiped && !remove_all(files->directory)) {
        file_fail(&lane->job, errno, "emptying the directory %s", files->path);
        return;
    }
    files->is_wiped = false;
}
