/*
 * Starting a child's process, and how it ended. The child inherits its end of the connection and
 * nothing else that is open here, is in a process group of its own (a terminal's interrupt is the
 * parent's to handle), and prints to a pipe. It knows nothing of what the child does.
 */
#define _GNU_SOURCE /* NOLINT(bugprone-reserved-identifier): for pipe2, addclosefrom_np */
#include "process/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct ends {
    int control[2]; /* ours, the child's */
    int output[2];
};

static void close_one(int descriptor)
{
    if (descriptor >= 0) {
        (void)close(descriptor);
    }
}

/* false with errno set, and nothing is left open. */
static bool open_ends(struct ends *ends)
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends->control) != 0) {
        return false;
    }
    if (pipe2(ends->output, O_CLOEXEC) != 0) {
        int problem = errno;
        close_one(ends->control[0]);
        close_one(ends->control[1]);
        errno = problem;
        return false;
    }
    (void)fcntl(ends->output[0], F_SETFL, O_NONBLOCK);
    return true;
}

/* The descriptors that are to be the child's first ones must not stand in each other's way. */
static bool move_up(int *descriptor)
{
    int moved = fcntl(*descriptor, F_DUPFD_CLOEXEC, PROCESS_DESCRIPTOR + 1);
    if (moved < 0) {
        return false;
    }
    (void)close(*descriptor);
    *descriptor = moved;
    return true;
}

static int spawn(const char *const *command, uint64_t id, const struct ends *ends, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigset_t all;
    char name[64];
    char *words[16] = {name};
    size_t count = 1;
    for (; command[count] != NULL && count < sizeof words / sizeof *words - 1; count++) {
        words[count] = (char *)(uintptr_t)command[count];
    }
    (void)snprintf(name, sizeof name, "raftbench-node-%llu", (unsigned long long)id);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends->output[1], 1);
    posix_spawn_file_actions_adddup2(&actions, ends->output[1], 2);
    posix_spawn_file_actions_adddup2(&actions, ends->control[1], PROCESS_DESCRIPTOR);
    posix_spawn_file_actions_addclosefrom_np(&actions, PROCESS_DESCRIPTOR + 1);
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                              POSIX_SPAWN_SETSIGDEF);
    int problem = posix_spawnp(pid, command[0], &actions, &attributes, words, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return problem;
}

bool spawn_start(const char *const *command, uint64_t id, struct spawned *spawned,
                 struct failure *failure)
{
    struct ends ends;
    if (!open_ends(&ends)) {
        failure_set(failure, FAILURE_UNSUPPORTED, "node %llu cannot have a process: %s",
                    (unsigned long long)id, strerror(errno));
        return false;
    }
    int problem = move_up(&ends.control[1]) && move_up(&ends.output[1])
                      ? spawn(command, id, &ends, &spawned->pid)
                      : errno;
    close_one(ends.control[1]);
    close_one(ends.output[1]);
    if (problem != 0) {
        close_one(ends.control[0]);
        close_one(ends.output[0]);
        failure_set(failure, FAILURE_UNSUPPORTED, "the process of node %llu cannot be started: %s",
                    (unsigned long long)id, strerror(problem));
        return false;
    }
    spawned->control = ends.control[0];
    spawned->output = ends.output[0];
    return true;
}

void spawn_reap(pid_t pid, bool *killed, char *text, size_t size)
{
    int status = 0;
    pid_t ended = 0;
    do {
        ended = waitpid(pid, &status, 0);
    } while (ended < 0 && errno == EINTR);
    *killed = ended == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    if (ended != pid) {
        (void)snprintf(text, size, "its process %ld is gone", (long)pid);
    } else if (WIFSIGNALED(status)) {
        (void)snprintf(text, size, "its process %ld was ended by signal %d (%s)", (long)pid,
                       WTERMSIG(status), strsignal(WTERMSIG(status)));
    } else {
        (void)snprintf(text, size, "its process %ld has ended with exit status %d", (long)pid,
                       WEXITSTATUS(status));
    }
}

void spawn_stop(pid_t pid)
{
    siginfo_t info;
    if (kill(pid, SIGSTOP) == 0) {
        while (waitid(P_PID, (id_t)pid, &info, WSTOPPED | WEXITED | WNOWAIT) < 0 &&
               errno == EINTR) {
        }
    }
}
