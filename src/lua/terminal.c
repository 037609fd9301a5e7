/*
 * Lines from standard input and signals, for prompts. It reads bytes as they come and keeps what
 * is left of them for the next line; it never edits a line.
 */
#include "lua/module.h"

#include "real/real.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A signal handler can reach nothing but what is static. */
static volatile sig_atomic_t signal_seen;
static struct cluster *volatile signal_target;

static void on_signal(int number)
{
    signal_seen = number;
    lua_interrupt_came(number);
    struct cluster *target = signal_target;
    if (target != NULL) {
        cluster_interrupt(target);
        if (cluster_is_real(target)) {
            real_interrupt(cluster_world(target));
        }
    }
}

const char *lua_signal_seen(void)
{
    int number = signal_seen;
    signal_seen = 0;
    if (number == 0) {
        return NULL;
    }
    return number == SIGTERM ? "terminate" : "interrupt";
}

void lua_signal_target(struct cluster *cluster)
{
    signal_target = cluster;
}

bool lua_signal_has_target(void)
{
    return signal_target != NULL;
}

void lua_signals_catch(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* core.catch_signals(): SIGINT and SIGTERM end a wait and are told by read_line and signal */
static int catch_signals(lua_State *L)
{
    (void)L;
    lua_signals_catch();
    return 0;
}

/* core.signal() → "interrupt" or "terminate" where one was caught since the last call; nil */
static int signal_function(lua_State *L)
{
    lua_pushstring(L, lua_signal_seen());
    return 1;
}

/* ---- lines ---------------------------------------------------------------------------------- */

/* Standard input belongs to the process, and so does what was read of it ahead. */
static struct buffer ahead;
static bool input_ended;

static bool push_line(lua_State *L)
{
    uint8_t *end = ahead.size > 0 ? memchr(ahead.data, '\n', ahead.size) : NULL;
    if (end == NULL && !(input_ended && ahead.size > 0)) {
        return false;
    }
    size_t size = end != NULL ? (size_t)(end - ahead.data) : ahead.size;
    size_t used = end != NULL ? size + 1 : size;
    lua_pushlstring(L, (const char *)ahead.data, size);
    memmove(ahead.data, ahead.data + used, ahead.size - used);
    ahead.size -= used;
    return true;
}

static void read_ahead(void)
{
    uint8_t *room = buffer_extend(&ahead, 4096);
    ssize_t got = read(STDIN_FILENO, room, 4096);
    bool again = got < 0 && (errno == EINTR || errno == EAGAIN);
    ahead.size -= 4096 - (size_t)(got > 0 ? got : 0);
    input_ended = got <= 0 && !again;
}

/* The state that reads ends before this module is unloaded; one of its userdata frees the rest. */
static int free_ahead(lua_State *L)
{
    (void)L;
    buffer_free(&ahead);
    return 0;
}

static void free_with_state(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &ahead);
    bool is_there = !lua_isnil(L, -1);
    lua_pop(L, 1);
    if (is_there) {
        return;
    }
    (void)lua_newuserdatauv(L, 1, 0);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, free_ahead);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &ahead);
}

/* core.read_line(timeout_ms or nil) → line; nil, "end"; nil, a signal's name; nil, "timeout" */
static int read_line(lua_State *L)
{
    int timeout_ms = (int)luaL_optinteger(L, 1, -1);
    free_with_state(L);
    for (;;) {
        if (push_line(L)) {
            return 1;
        }
        const char *why = lua_signal_seen();
        if (why == NULL && input_ended) {
            why = "end";
        }
        struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
        if (why == NULL && poll(&input, 1, timeout_ms) == 0) {
            why = "timeout";
        }
        if (why != NULL) {
            lua_pushnil(L);
            lua_pushstring(L, why);
            return 2;
        }
        if ((input.revents & (POLLIN | POLLHUP | POLLERR | POLLNVAL)) != 0) {
            read_ahead();
        }
    }
}

/* core.is_terminal(0, 1 or 2) → boolean */
static int is_terminal(lua_State *L)
{
    lua_pushboolean(L, isatty((int)luaL_checkinteger(L, 1)));
    return 1;
}

/* core.clock_ns() → integer: a clock that never goes back, of no particular start */
static int clock_function(lua_State *L)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    lua_pushinteger(L, (lua_Integer)now.tv_sec * 1000000000 + (lua_Integer)now.tv_nsec);
    return 1;
}

const luaL_Reg lua_terminal_functions[] = {
    {"catch_signals", catch_signals}, {"signal", signal_function},  {"read_line", read_line},
    {"is_terminal", is_terminal},     {"clock_ns", clock_function}, {NULL, NULL},
};
