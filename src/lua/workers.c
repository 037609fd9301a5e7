/*
 * Workers: children made by fork(2), which go on with a Lua function in a copy of this process and
 * tell what they find over a pipe. A child never returns into what its parent was doing and touches
 * nothing of its parent's but the pipes: it leaves by _exit, so that no trace file is written twice
 * and no socket closed. This file knows nothing of what a worker does.
 */
#define _GNU_SOURCE /* NOLINT(bugprone-reserved-identifier): for pipe2 */
#include "lua/module.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define LUA_WORKER "raft.core.worker"

#define TAIL_BYTES 16384U /* of what a child prints, the end is kept */
#define HEAD_BYTES 8U     /* before each record: its size */
#define WORKERS_MOST 1024
#define READ_BYTES 65536U
#define READS_MOST 16

/* Both ends; [0] is read from. */
struct pipes {
    int records[2]; /* from the child */
    int output[2];  /* what it prints */
    int orders[2];  /* to the child */
};

struct worker {
    pid_t owner; /* who made it: in another worker's copy it is not to be touched */
    pid_t pid;   /* 0: it has ended and was waited for */
    int status;  /* as waitpid has it */
    int records; /* -1: closed */
    int output;
    int orders;
    struct buffer arrived; /* records, the first `taken` bytes of which were given out */
    size_t taken;
    struct buffer tail;
};

/* The child's ends, for `tell` and `take`. */
static int own_records = -1;
static int own_orders = -1;

static void close_one(int *descriptor)
{
    if (*descriptor >= 0) {
        (void)close(*descriptor);
        *descriptor = -1;
    }
}

/* ---- records over a pipe -------------------------------------------------------------------- */

static bool write_all(int descriptor, const uint8_t *data, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t written = write(descriptor, data + done, size - done);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        done += written > 0 ? (size_t)written : 0;
    }
    return true;
}

static bool read_all(int descriptor, uint8_t *data, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t got = read(descriptor, data + done, size - done);
        if (got == 0 || (got < 0 && errno != EINTR)) {
            return false;
        }
        done += got > 0 ? (size_t)got : 0;
    }
    return true;
}

/* Sends the value at `index`; raises if it is not one. false: nobody listens. */
static bool send_record(lua_State *L, int index, int descriptor)
{
    struct buffer *out = lua_scratch_new(L);
    lua_value_check(L, index, "record", out);
    if (lua_value_is_too_large(out)) {
        lua_user_error(L, "bad argument 'record' (larger than %d bytes)", (int)VALUE_BYTES_MAX);
    }
    uint64_t size = htole64(out->size);
    return descriptor >= 0 && write_all(descriptor, (const uint8_t *)&size, HEAD_BYTES) &&
           write_all(descriptor, out->data, out->size);
}

/* ---- the child ------------------------------------------------------------------------------ */

/* tell(record): the child's; where nobody listens any more, that is its end */
static int tell(lua_State *L)
{
    if (!send_record(L, 1, own_records)) {
        _exit(EXIT_FAILURE);
    }
    return 0;
}

/* take() → the next record that the parent sent; nil: there will be none */
static int take(lua_State *L)
{
    uint64_t size = 0;
    if (!read_all(own_orders, (uint8_t *)&size, HEAD_BYTES)) {
        lua_pushnil(L);
        return 1;
    }
    size = le64toh(size);
    ensure(size <= VALUE_BYTES_MAX);
    struct buffer *record = lua_scratch_new(L);
    uint8_t *room = buffer_extend(record, (size_t)size);
    if (!read_all(own_orders, room, (size_t)size)) {
        lua_pushnil(L);
        return 1;
    }
    lua_value_push(L, buffer_bytes(record));
    return 1;
}

/* Its own group: a terminal's interrupt is the parent's to handle. Its end: the parent's, too. */
static void become_child(const struct pipes *pipes, pid_t parent)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(EXIT_FAILURE);
    }
    (void)setpgid(0, 0);
    lua_interrupts_forget();
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    bool fine = nothing >= 0 && dup2(nothing, STDIN_FILENO) >= 0 &&
                dup2(pipes->output[1], STDOUT_FILENO) >= 0 &&
                dup2(pipes->output[1], STDERR_FILENO) >= 0;
    if (!fine) {
        _exit(EXIT_FAILURE);
    }
    (void)close(nothing);
    (void)close(pipes->output[0]);
    (void)close(pipes->output[1]);
    (void)close(pipes->records[0]);
    (void)close(pipes->orders[1]);
    close_one(&own_records); /* of the worker that this one was made by */
    close_one(&own_orders);
    own_records = pipes->records[1];
    own_orders = pipes->orders[0];
    /* A kill takes what is not written, so every line is written at once. With a buffer of its own:
     * without one glibc lets putchar, which ends a line for LuaJIT's print, go on to fill the
     * buffer that the parent has written into. */
    static char line[BUFSIZ];
    (void)setvbuf(stdout, line, _IOLBF, sizeof line);
}

/* f(tell, take), and then the end: with the status that f returns. */
static _Noreturn void run_child(lua_State *L)
{
    lua_worker_memory_use(L); /* it ends by _exit */
    lua_pushvalue(L, 1);
    lua_pushcfunction(L, tell);
    lua_pushcfunction(L, take);
    int status = EXIT_FAILURE;
    if (lua_pcall(L, 2, 1, 0) == LUA_OK) {
        status = (int)lua_tointeger(L, -1);
    } else {
        const char *text = lua_tostring(L, -1);
        (void)fprintf(stderr, "%s\n", text != NULL ? text : "an error that is not a string");
    }
    (void)fflush(stdout);
    (void)fflush(stderr);
    _exit(status);
}

/* ---- the parent ----------------------------------------------------------------------------- */

static void close_ends(struct worker *worker)
{
    close_one(&worker->records);
    close_one(&worker->output);
    close_one(&worker->orders);
}

static bool open_pipes(struct pipes *pipes)
{
    int *all[] = {pipes->records, pipes->output, pipes->orders};
    for (size_t i = 0; i < 3; i++) {
        if (pipe2(all[i], O_CLOEXEC) != 0) {
            int problem = errno;
            while (i-- > 0) {
                (void)close(all[i][0]);
                (void)close(all[i][1]);
            }
            errno = problem;
            return false;
        }
    }
    return true;
}

static void become_parent(struct worker *worker, const struct pipes *pipes, pid_t pid)
{
    (void)close(pipes->records[1]);
    (void)close(pipes->output[1]);
    (void)close(pipes->orders[0]);
    worker->records = pipes->records[0];
    worker->output = pipes->output[0];
    worker->orders = pipes->orders[1];
    (void)fcntl(worker->records, F_SETFL, O_NONBLOCK);
    (void)fcntl(worker->output, F_SETFL, O_NONBLOCK);
    worker->pid = pid;
}

/* Pushes a new worker and forks: 0 in the child, which has its own ends now; -1: errno says why. */
static pid_t fork_worker(lua_State *L)
{
    struct worker *worker = lua_newuserdatauv(L, sizeof *worker, 0);
    memset(worker, 0, sizeof *worker);
    worker->owner = getpid();
    worker->records = worker->output = worker->orders = -1;
    luaL_setmetatable(L, LUA_WORKER);
    struct pipes pipes;
    if (!open_pipes(&pipes)) {
        return -1;
    }
    (void)fflush(NULL); /* or it would be written twice */
    pid_t pid = fork();
    if (pid == 0) {
        become_child(&pipes, worker->owner);
    } else if (pid > 0) {
        become_parent(worker, &pipes, pid);
    } else {
        int problem = errno;
        for (size_t i = 0; i < 2; i++) {
            (void)close(pipes.records[i]);
            (void)close(pipes.output[i]);
            (void)close(pipes.orders[i]);
        }
        errno = problem;
    }
    return pid;
}

static int push_no_worker(lua_State *L)
{
    lua_pushnil(L);
    lua_pushfstring(L, "a worker cannot be started: %s", strerror(errno));
    return 2;
}

/* core.worker_start(f) → worker; nil, message. f(tell, take) runs in the child and returns its exit
 * status */
static int worker_start(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    pid_t pid = fork_worker(L);
    if (pid == 0) {
        run_child(L);
    }
    return pid > 0 ? 1 : push_no_worker(L);
}

/* core.worker_fork() → worker, and in the child, which goes on here as well, false; nil, message.
 * Only in a worker: what it began with is the child's too, and so is its end. What the child tells
 * and takes is between the two. */
static int worker_fork(lua_State *L)
{
    if (own_records < 0) {
        return luaL_error(L, "only a worker can be forked where it is");
    }
    pid_t pid = fork_worker(L);
    if (pid == 0) {
        lua_pushboolean(L, false);
        return 1;
    }
    return pid > 0 ? 1 : push_no_worker(L);
}

static struct worker *check_worker(lua_State *L, int index)
{
    struct worker *worker = luaL_checkudata(L, index, LUA_WORKER);
    luaL_argcheck(L, worker->owner == getpid(), index, "a worker of this process expected");
    return worker;
}

static void reap(struct worker *worker)
{
    while (worker->pid != 0) {
        pid_t pid = waitpid(worker->pid, &worker->status, 0);
        if (pid == worker->pid || (pid < 0 && errno != EINTR)) {
            worker->pid = 0;
        }
    }
}

/* What is there now, a bounded part of it at a time; at its end the descriptor is closed. */
static void read_into(int *descriptor, struct buffer *out)
{
    for (int turn = 0; turn < READS_MOST && *descriptor >= 0; turn++) {
        buffer_reserve(out, READ_BYTES);
        ssize_t got = read(*descriptor, out->data + out->size, READ_BYTES);
        if (got > 0) {
            out->size += (size_t)got;
        } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
            close_one(descriptor);
        } else if (errno == EAGAIN) {
            return;
        }
    }
}

static void read_worker(struct worker *worker)
{
    read_into(&worker->records, &worker->arrived);
    read_into(&worker->output, &worker->tail);
    if (worker->tail.size > TAIL_BYTES) {
        size_t gone = worker->tail.size - TAIL_BYTES;
        memmove(worker->tail.data, worker->tail.data + gone, TAIL_BYTES);
        worker->tail.size = TAIL_BYTES;
    }
    if (worker->records < 0 && worker->pid != 0) {
        reap(worker);
        read_into(&worker->output, &worker->tail);
        close_ends(worker); /* whoever it has started may hold the other end */
    }
}

/* core.workers_poll({workers}, timeout_ms) → false where a signal ended it: waits until something
 * has come from one of them, or the time is over; -1: for ever */
static int workers_poll(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    int timeout_ms = (int)luaL_checkinteger(L, 2);
    size_t count = lua_rawlen(L, 1);
    luaL_argcheck(L, count <= WORKERS_MOST, 1, "too many workers");
    struct pollfd *polled = lua_newuserdatauv(L, (2 * count + 1) * sizeof *polled, 0);
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, 1, (lua_Integer)i + 1);
        struct worker *worker = check_worker(L, -1);
        polled[2 * i] = (struct pollfd){.fd = worker->records, .events = POLLIN};
        polled[2 * i + 1] = (struct pollfd){.fd = worker->output, .events = POLLIN};
        lua_pop(L, 1);
    }
    bool interrupted = poll(polled, (nfds_t)(2 * count), timeout_ms) < 0;
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, 1, (lua_Integer)i + 1);
        read_worker(check_worker(L, -1));
        lua_pop(L, 1);
    }
    lua_pushboolean(L, !interrupted);
    return 1;
}

/* worker:take() → the next record that it told; nil: none is whole yet */
static int worker_take(lua_State *L)
{
    struct worker *worker = check_worker(L, 1);
    size_t left = worker->arrived.size - worker->taken;
    const uint8_t *at = worker->arrived.data + worker->taken;
    uint64_t size = 0;
    if (left >= HEAD_BYTES) {
        memcpy(&size, at, HEAD_BYTES);
        size = le64toh(size);
        ensure(size > 0 && size <= VALUE_BYTES_MAX);
    }
    if (size == 0 || left - HEAD_BYTES < size) {
        size_t kept = left;
        if (kept > 0) { /* there may be no memory yet */
            memmove(worker->arrived.data, at, kept);
        }
        worker->arrived.size = kept;
        worker->taken = 0;
        lua_pushnil(L);
        return 1;
    }
    worker->taken += HEAD_BYTES + (size_t)size;
    lua_value_push(L, (struct bytes){at + HEAD_BYTES, (size_t)size});
    return 1;
}

static int send_to_child(lua_State *L)
{
    lua_pushboolean(L, send_record(L, 1, (int)lua_tointeger(L, 2)));
    return 1;
}

/* worker:send(record) → whether there was somebody to take it */
static int worker_send(lua_State *L)
{
    struct worker *worker = check_worker(L, 1);
    void (*before)(int) = signal(SIGPIPE, SIG_IGN);
    lua_pushcfunction(L, send_to_child);
    lua_pushvalue(L, 2);
    lua_pushinteger(L, worker->orders);
    int outcome = lua_pcall(L, 2, 1, 0);
    (void)signal(SIGPIPE, before);
    return outcome == LUA_OK ? 1 : lua_error(L);
}

/* worker:ended() → false while it runs; "exit" or "signal", and which */
static int worker_ended(lua_State *L)
{
    struct worker *worker = check_worker(L, 1);
    if (worker->pid != 0) {
        lua_pushboolean(L, 0);
        return 1;
    }
    bool killed = WIFSIGNALED(worker->status);
    lua_pushstring(L, killed ? "signal" : "exit");
    lua_pushinteger(L, killed ? WTERMSIG(worker->status) : WEXITSTATUS(worker->status));
    return 2;
}

/* worker:text() → the end of what it printed */
static int worker_text(lua_State *L)
{
    lua_bytes_push(L, buffer_bytes(&check_worker(L, 1)->tail));
    return 1;
}

/* worker:kill(): at once. What it had told is there to be taken. Twice is fine. */
static int worker_kill(lua_State *L)
{
    struct worker *worker = check_worker(L, 1);
    if (worker->pid != 0) {
        (void)kill(worker->pid, SIGKILL);
        reap(worker);
        read_worker(worker);
        close_ends(worker);
    }
    return 0;
}

/* worker:interrupt(): what it runs is ended as by Ctrl-C, where it has asked for that
 * (core.begin_prompt) */
static int worker_interrupt(lua_State *L)
{
    struct worker *worker = check_worker(L, 1);
    if (worker->pid != 0) {
        (void)kill(worker->pid, SIGINT);
    }
    return 0;
}

/* worker:pid() → integer; 0: it has ended */
static int worker_pid(lua_State *L)
{
    lua_pushinteger(L, check_worker(L, 1)->pid);
    return 1;
}

static int worker_gc(lua_State *L)
{
    struct worker *worker = luaL_checkudata(L, 1, LUA_WORKER);
    if (worker->owner == getpid()) {
        if (worker->pid != 0) {
            (void)kill(worker->pid, SIGKILL);
            reap(worker);
        }
        close_ends(worker);
    }
    buffer_free(&worker->arrived);
    buffer_free(&worker->tail);
    return 0;
}

static const luaL_Reg methods[] = {
    {"take", worker_take}, {"send", worker_send}, {"ended", worker_ended},
    {"text", worker_text}, {"kill", worker_kill}, {"interrupt", worker_interrupt},
    {"pid", worker_pid},   {"__gc", worker_gc},   {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"worker_start", worker_start},
    {"worker_fork", worker_fork},
    {"workers_poll", workers_poll},
    {NULL, NULL},
};

void lua_workers_register(lua_State *L)
{
    luaL_newmetatable(L, LUA_WORKER);
    luaL_setfuncs(L, methods, 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    luaL_setfuncs(L, functions, 0);
}
