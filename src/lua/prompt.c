/*
 * What a prompt needs: waiting for a line and for worlds at once, and Ctrl-C that ends whatever
 * runs. It reads no line and drives no world.
 *
 * An interrupt ends the drive that is under way (terminal.c). Lua code is ended by a count hook
 * that raises an error, and again at each instruction until the prompt takes the interrupt, so that
 * no pcall keeps it. The hook spares our own Lua files, which would be left half-way, and for a
 * moment what the world calls back: an error there fails the node whose machine it is.
 */
#define _GNU_SOURCE /* for ppoll. NOLINT(bugprone-reserved-identifier) */

#include "lua/module.h"

#include "real/real.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#define INSTRUCTIONS 10000 /* between two looks */
#define PATIENCE_NS INT64_C(300000000)
#define WORLDS_MOST 60

static int64_t clock_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- interrupts ----------------------------------------------------------------------------- */

/* Signals, like the hooks they set off, belong to the process. */
static volatile sig_atomic_t prompts; /* that are open, one within the other */
static int everywhere;                /* of these, how many watch each coroutine */
static volatile sig_atomic_t pending; /* the signal that has come and was not taken */
static int64_t pending_since_ns;
static lua_State *main_state;
static struct sigaction before_interrupt;
static struct sigaction before_terminate;

static void on_count(lua_State *L, lua_Debug *frame);

/* Setting a hook is what Lua allows a signal handler to do. */
void lua_interrupt_came(int number)
{
    bool is_again = pending != 0 && clock_now() - pending_since_ns > PATIENCE_NS;
    if (prompts > 0 && is_again && everywhere == 0) {
        signal(number, SIG_DFL); /* a coroutine that nobody watches may be stuck: that is the end */
        raise(number);
    } else if (prompts > 0 && pending == 0) {
        pending_since_ns = clock_now();
        pending = number;
        lua_sethook(main_state, on_count, LUA_MASKCOUNT, 1);
    }
}

bool lua_interrupt_is_pending(void)
{
    return pending != 0;
}

/* 0: no longer. */
static void watch(lua_State *L, int instructions)
{
    if (instructions == 0) {
        lua_sethook(L, NULL, 0, 0);
    } else if (lua_gethook(L) != on_count || lua_gethookcount(L) != instructions) {
        lua_sethook(L, on_count, LUA_MASKCOUNT, instructions);
    }
}

static void on_count(lua_State *L, lua_Debug *frame)
{
    if (pending == 0) {
        watch(L, everywhere > 0 ? INSTRUCTIONS : 0);
        return;
    }
    watch(L, 1);
    watch(main_state, 1);
    lua_getinfo(L, "S", frame);
    bool is_called_back = lua_signal_has_target();
    if (lua_is_own_file(L, frame->source) ||
        (is_called_back && clock_now() - pending_since_ns < PATIENCE_NS)) {
        return;
    }
    lua_pushliteral(L, "interrupted");
    lua_error(L);
}

/* core.begin_prompt(everywhere): from here on SIGINT and SIGTERM interrupt what runs. From the main
 * script. `everywhere`: also a coroutine that is made from now on and computes without end; all Lua
 * code is half as fast then. Otherwise a second signal ends the process, should one do so. */
static int begin_prompt(lua_State *L)
{
    bool is_everywhere = lua_toboolean(L, 1);
    if (prompts == 0) {
        main_state = L;
        pending = 0;
        sigaction(SIGINT, NULL, &before_interrupt);
        sigaction(SIGTERM, NULL, &before_terminate);
    }
    prompts++;
    everywhere += is_everywhere ? 1 : 0;
    lua_signals_catch();
    watch(L, everywhere > 0 ? INSTRUCTIONS : 0);
    return 0;
}

/* core.end_prompt(everywhere): as it was before core.begin_prompt(everywhere) */
static int end_prompt(lua_State *L)
{
    luaL_argcheck(L, prompts > 0, 1, "no prompt is open");
    prompts--;
    everywhere -= lua_toboolean(L, 1) ? 1 : 0;
    if (everywhere == 0) {
        watch(main_state, 0);
    }
    if (prompts == 0) {
        sigaction(SIGINT, &before_interrupt, NULL);
        sigaction(SIGTERM, &before_terminate, NULL);
        main_state = NULL;
        pending = 0;
    }
    return 0;
}

void lua_interrupts_forget(void)
{
    if (main_state != NULL) {
        watch(main_state, 0);
    }
    prompts = 0;
    everywhere = 0;
    pending = 0;
    main_state = NULL;
    lua_signal_target(NULL);
    (void)signal(SIGINT, SIG_DFL);
    (void)signal(SIGTERM, SIG_DFL);
    (void)lua_signal_seen();
}

/* core.watch_thread(thread): a coroutine that was there before the prompt is interrupted too */
static int watch_thread(lua_State *L)
{
    lua_State *thread = lua_tothread(L, 1);
    luaL_argcheck(L, thread != NULL && everywhere > 0, 1, "a coroutine expected, within a prompt");
    watch(thread, INSTRUCTIONS);
    return 0;
}

/* core.take_interrupt() → "interrupt" or "terminate" where one came since the last call; nil */
static int take_interrupt(lua_State *L)
{
    int number = pending;
    pending = 0;
    (void)lua_signal_seen();
    if (number == 0) {
        lua_pushnil(L);
    } else {
        lua_pushstring(L, number == SIGTERM ? "terminate" : "interrupt");
    }
    return 1;
}

/* ---- waiting -------------------------------------------------------------------------------- */

static struct lua_cluster *open_cluster(lua_State *L, int index)
{
    struct lua_cluster *box = luaL_checkudata(L, index, LUA_CLUSTER);
    luaL_argcheck(L, box->cluster != NULL && cluster_is_real(box->cluster), index,
                  "an open cluster over TCP expected");
    return box;
}

static int poll_until(struct pollfd *polled, size_t count, int64_t timeout_ns, sigset_t *before)
{
    struct timespec timeout = {.tv_sec = (time_t)(timeout_ns / 1000000000),
                               .tv_nsec = (long)(timeout_ns % 1000000000)};
    return ppoll(polled, count, timeout_ns == WORLD_NEVER ? NULL : &timeout, before);
}

/* core.wait_input(most_ns or nil, core, ...) → whether standard input is readable, whether one of
 * these worlds has something to do (drive it); nil where a signal came that core.take_interrupt
 * tells; it waits no longer than most_ns */
static int wait_input(lua_State *L)
{
    int worlds = lua_gettop(L) - 1;
    luaL_argcheck(L, worlds <= WORLDS_MOST, worlds, "too many clusters");
    struct pollfd polled[WORLDS_MOST + 1] = {{.fd = 0, .events = POLLIN}};
    int64_t timeout_ns = (int64_t)luaL_optinteger(L, 1, WORLD_NEVER);
    for (int i = 1; i <= worlds; i++) {
        struct world *world = cluster_world(open_cluster(L, i + 1)->cluster);
        polled[i] = (struct pollfd){.fd = real_pollfd(world), .events = POLLIN};
        int64_t wanted_ns = real_timeout_ns(world);
        timeout_ns = wanted_ns < timeout_ns ? wanted_ns : timeout_ns;
    }
    /* A signal that comes after the look and before the poll must end the poll. */
    sigset_t blocked;
    sigset_t before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGINT);
    sigaddset(&blocked, SIGTERM);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    int ready = pending != 0 ? 0 : poll_until(polled, (size_t)worlds + 1, timeout_ns, &before);
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (pending != 0) {
        lua_pushnil(L);
        return 1;
    }
    bool has_input = ready > 0 && polled[0].revents != 0;
    lua_pushboolean(L, has_input);
    /* By time, or by what its descriptor has beside standard input's. */
    lua_pushboolean(L, worlds > 0 && (ready == 0 || ready > (has_input ? 1 : 0)));
    return 2;
}

/* core:set_free_running(boolean): whether its clock runs on between the calls that drive it */
static int set_free_running(lua_State *L)
{
    cluster_set_free_running(open_cluster(L, 1)->cluster, lua_toboolean(L, 2));
    return 0;
}

const luaL_Reg lua_prompt_functions[] = {
    {"begin_prompt", begin_prompt},
    {"end_prompt", end_prompt},
    {"watch_thread", watch_thread},
    {"take_interrupt", take_interrupt},
    {"wait_input", wait_input},
    {"set_free_running", set_free_running},
    {NULL, NULL},
};
