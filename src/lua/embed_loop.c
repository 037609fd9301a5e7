/*
 * The loop that an application's nodes share: one for each Lua state, made when it is first needed
 * and freed with the last node. Callbacks run protected on the state that called; the first error
 * is kept and raised once no frame of the loop is below.
 */
#include "lua/embed.h"

#include <signal.h>
#include <string.h>

struct lua_embed_loop *lua_embed_loop_get(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_EMBED_LOOP ".all");
    struct lua_embed_loop *all = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return all;
}

static struct lua_embed_loop *check(lua_State *L)
{
    return luaL_checkudata(L, 1, LUA_EMBED_LOOP);
}

/* ---- calling back --------------------------------------------------------------------------- */

static void push_values(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_EMBED_LOOP ".all");
    lua_getiuservalue(L, -1, 1);
    lua_remove(L, -2);
}

void lua_embed_loop_table(lua_State *L, const char *name)
{
    push_values(L);
    lua_getfield(L, -1, name);
    lua_remove(L, -2);
}

void lua_embed_loop_keep_error(struct lua_embed_loop *all)
{
    lua_State *L = all->L;
    if (all->has_error) {
        lua_pop(L, 1); /* only the first is raised */
        return;
    }
    push_values(L);
    lua_insert(L, -2);
    lua_setfield(L, -2, "error");
    lua_pop(L, 1);
    all->has_error = true;
}

bool lua_dispatch_begin(struct lua_embed_loop *all, uint64_t id, const char *what)
{
    lua_State *L = all->L;
    if (L == NULL || !lua_checkstack(L, 24)) {
        return false;
    }
    lua_embed_loop_table(L, "dispatch");
    lua_pushinteger(L, (lua_Integer)id);
    lua_pushstring(L, what);
    return true;
}

void lua_dispatch(struct lua_embed_loop *all, int arguments)
{
    lua_State *L = all->L;
    if (!lua_protected_call(L, arguments + 2, 0)) {
        lua_embed_loop_keep_error(all);
    }
}

void lua_embed_loop_enter(lua_State *L, struct lua_embed_loop *all, lua_State **before)
{
    *before = all->L;
    all->L = L;
    all->depth++;
}

/* One that has been closed, and with which something is to be done now. */
static struct lua_embedded *find_closing(const struct lua_embed_loop *all)
{
    struct lua_embedded *box = all->first;
    while (box != NULL && (!box->closing ||
                           (box->close_begun && !box->at_once && !embed_may_end(box->embedded)))) {
        box = box->next;
    }
    return box;
}

static void go_on_closing(struct lua_embedded *box)
{
    if (box->close_begun) {
        lua_embed_finish(box);
    } else {
        box->close_begun = true;
        embed_begin_close(box->embedded, !box->at_once);
    }
}

void lua_embed_loop_leave(lua_State *L, struct lua_embed_loop *all, lua_State *before)
{
    ensure(all->depth > 0);
    if (all->depth == 1) {
        /* Nothing of the loop or of a node is below: those that a callback closed can go. */
        for (struct lua_embedded *box = find_closing(all); box != NULL; box = find_closing(all)) {
            go_on_closing(box);
        }
    }
    all->depth--;
    all->L = before;
    lua_embed_loop_release(all);
    if (all->depth == 0 && all->has_error) {
        all->has_error = false;
        push_values(L);
        lua_getfield(L, -1, "error");
        lua_pushnil(L);
        lua_setfield(L, -3, "error");
        lua_error(L);
    }
}

/* ---- the loop ------------------------------------------------------------------------------- */

bool lua_embed_loop_need(struct lua_embed_loop *all, struct failure *failure)
{
    if (all->loop == NULL) {
        all->loop = embed_loop_new(failure);
    }
    return all->loop != NULL;
}

void lua_embed_loop_release(struct lua_embed_loop *all)
{
    if (all->loop != NULL && all->depth == 0 && all->first == NULL && all->pins == 0) {
        embed_loop_free(all->loop);
        all->loop = NULL;
    }
}

/* loop:dispatch(f): what is called for all that nodes tell, with (id, what, ...) */
static int set_dispatch(lua_State *L)
{
    check(L);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    push_values(L);
    lua_pushvalue(L, 2);
    lua_setfield(L, -2, "dispatch");
    return 0;
}

static bool is_alive(const struct lua_embed_loop *all)
{
    return all->loop != NULL && embed_loop_are_alive(all->loop);
}

/* ---- SIGTERM -------------------------------------------------------------------------------- */

/* A signal handler can reach nothing but what is static. */
static volatile sig_atomic_t was_terminated;
static struct embed_loop *volatile waiting;

static void on_terminate(int number)
{
    struct embed_loop *loop = waiting;
    (void)number;
    was_terminated = 1;
    if (loop != NULL) {
        embed_loop_interrupt(loop);
    }
}

static struct sigaction interrupt_before; /* what is done at SIGINT while it is not caught */
static bool catches_interrupt;

/* A second one ends the process. */
static void catch_interrupt(void)
{
    struct sigaction action = {.sa_handler = on_terminate, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    catches_interrupt = sigaction(SIGINT, &action, &interrupt_before) == 0;
}

/* loop:catch_terminate(interrupts) → whether SIGTERM is caught from now on: not if there is a
 * handler already; then SIGINT too, if `interrupts` */
static int catch_terminate(lua_State *L)
{
    struct sigaction present;
    struct sigaction action = {.sa_handler = on_terminate};
    bool interrupts = lua_toboolean(L, 2);
    check(L);
    bool ours = sigaction(SIGTERM, NULL, &present) == 0 && present.sa_handler == SIG_DFL;
    if (ours) {
        sigemptyset(&action.sa_mask);
        was_terminated = 0;
        ours = sigaction(SIGTERM, &action, NULL) == 0;
    }
    if (ours && interrupts) {
        catch_interrupt();
    }
    lua_pushboolean(L, ours);
    return 1;
}

/* loop:release_terminate(): SIGTERM ends the process again */
static int release_terminate(lua_State *L)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    check(L);
    if (catches_interrupt) {
        (void)sigaction(SIGINT, &interrupt_before, NULL);
        catches_interrupt = false;
    }
    sigemptyset(&action.sa_mask);
    (void)sigaction(SIGTERM, &action, NULL);
    return 0;
}

/* loop:was_terminated() → whether SIGTERM came since it is caught */
static int was_terminated_method(lua_State *L)
{
    check(L);
    lua_pushboolean(L, was_terminated != 0);
    return 1;
}

/* ---- turns ---------------------------------------------------------------------------------- */

/* loop:step(wait_ns) → whether something can still happen. One turn, which waits so long at most.
 */
static int step(lua_State *L)
{
    struct lua_embed_loop *all = check(L);
    int64_t wait_ns = lua_time_check(L, 2);
    lua_State *before = NULL;
    if (all->depth > 0) {
        return luaL_error(L, "the loop cannot be driven from one of its own callbacks");
    }
    if (is_alive(all)) {
        int64_t now_ns = embed_loop_now_ns(all->loop);
        lua_embed_loop_enter(L, all, &before);
        waiting = all->loop; /* before the look: a signal that comes after it ends the wait */
        wait_ns = was_terminated != 0 ? 0 : wait_ns;
        embed_loop_step(all->loop, wait_ns < WORLD_NEVER - now_ns ? now_ns + wait_ns : WORLD_NEVER);
        waiting = NULL;
        lua_embed_loop_leave(L, all, before);
    }
    lua_pushboolean(L, is_alive(all));
    return 1;
}

static int alive(lua_State *L)
{
    lua_pushboolean(L, is_alive(check(L)));
    return 1;
}

/* loop:is_inside() → whether a callback is running */
static int is_inside(lua_State *L)
{
    lua_pushboolean(L, check(L)->depth > 0);
    return 1;
}

/* loop:pollfd(wakes) → the descriptor, which stays the same until as many unpins; or nil, message,
 * code. `wakes`: it becomes readable when something is asked for between two steps. */
static int pollfd(lua_State *L)
{
    struct lua_embed_loop *all = check(L);
    struct failure failure = {0};
    if (!lua_embed_loop_need(all, &failure)) {
        return lua_failure_push(L, &failure);
    }
    all->pins++;
    lua_pushinteger(L, embed_loop_pollfd(all->loop, lua_toboolean(L, 2)));
    return 1;
}

/* loop:unpin(): a caller of pollfd no longer polls it */
static int unpin(lua_State *L)
{
    struct lua_embed_loop *all = check(L);
    ensure(all->pins > 0);
    all->pins--;
    lua_embed_loop_release(all);
    return 0;
}

/* loop:timeout_ns() → how long one may wait for it; nil: for ever */
static int timeout_ns(lua_State *L)
{
    struct lua_embed_loop *all = check(L);
    int64_t wait_ns = is_alive(all) ? embed_loop_timeout_ns(all->loop) : WORLD_NEVER;
    if (wait_ns == WORLD_NEVER) {
        return 0;
    }
    lua_pushinteger(L, (lua_Integer)wait_ns);
    return 1;
}

/* ---- the end -------------------------------------------------------------------------------- */

static int collect(lua_State *L)
{
    struct lua_embed_loop *all = check(L);
    buffer_free(&all->value);
    if (all->depth > 0) {
        return 0; /* os.exit from a callback: the process ends, and the loop is still at work */
    }
    all->L = NULL;
    while (all->first != NULL) {
        lua_embed_drop(all->first);
    }
    all->pins = 0;
    lua_embed_loop_release(all);
    return 0;
}

static const luaL_Reg methods[] = {
    {"dispatch", set_dispatch},
    {"step", step},
    {"is_alive", alive},
    {"is_inside", is_inside},
    {"pollfd", pollfd},
    {"timeout_ns", timeout_ns},
    {"unpin", unpin},
    {"catch_terminate", catch_terminate},
    {"release_terminate", release_terminate},
    {"was_terminated", was_terminated_method},
    {"node", lua_embed_new},
    {NULL, NULL},
};

/* core.loop() → the one there is */
int lua_embed_loop_function(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_EMBED_LOOP ".all");
    if (!lua_isnil(L, -1)) {
        return 1;
    }
    struct lua_embed_loop *all = lua_newuserdatauv(L, sizeof *all, 1);
    memset(all, 0, sizeof *all);
    lua_newtable(L);
    lua_newtable(L);
    lua_setfield(L, -2, "machines");
    lua_newtable(L);
    lua_setfield(L, -2, "failures");
    lua_setiuservalue(L, -2, 1);
    luaL_getmetatable(L, LUA_EMBED_LOOP);
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, LUA_EMBED_LOOP ".all");
    return 1;
}

void lua_embed_loop_register(lua_State *L)
{
    lua_embed_register(L);
    luaL_newmetatable(L, LUA_EMBED_LOOP);
    lua_pushcfunction(L, collect);
    lua_setfield(L, -2, "__gc");
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
