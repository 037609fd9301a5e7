/*
 * Calls from C into Lua: trace readers, what nodes serve. Each runs protected, on whatever state
 * entered last; the first error is kept and raised once no frame of the world is below.
 */
#include "lua/module.h"

#include <stdio.h>
#include <string.h>

void lua_cluster_table(lua_State *L, const char *name)
{
    lua_getiuservalue(L, 1, 1);
    lua_getfield(L, -1, name);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_setfield(L, -3, name);
    }
    lua_remove(L, -2);
}

/* Tables and userdata pass untouched: a test framework's failures stay what they are. */
static int add_traceback(lua_State *L)
{
    if (lua_type(L, 1) == LUA_TSTRING) {
        luaL_traceback(L, L, lua_tostring(L, 1), 1);
    }
    return 1;
}

bool lua_protected_call(lua_State *L, int arguments, int results)
{
    int handler = lua_gettop(L) - arguments;
    lua_pushcfunction(L, add_traceback);
    lua_insert(L, handler);
    int status = lua_pcall(L, arguments, results, handler);
    lua_remove(L, handler);
    return status == LUA_OK;
}

void lua_error_text(lua_State *L, char *text, size_t size)
{
    if (lua_type(L, -1) == LUA_TSTRING) {
        snprintf(text, size, "%s", lua_tostring(L, -1));
        text[strcspn(text, "\n")] = '\0';
    } else {
        snprintf(text, size, "a %s", luaL_typename(L, -1));
    }
}

bool lua_callback(struct lua_cluster *box, int arguments, int results)
{
    lua_State *L = box->L;
    bool fine = lua_protected_call(L, arguments, results);
    box->L = L; /* what ran inside may have entered from another state */
    if (!fine) {
        lua_keep_error(box);
    }
    return fine;
}

void lua_keep_error(struct lua_cluster *box)
{
    lua_State *L = box->L;
    if (box->has_error) {
        lua_pop(L, 1); /* only the first is raised */
    } else {
        lua_getiuservalue(L, 1, 1);
        lua_insert(L, -2);
        lua_setfield(L, -2, "error");
        lua_pop(L, 1);
        box->has_error = true;
    }
    if (box->cluster != NULL) {
        cluster_interrupt(box->cluster);
    }
}

/* ---- trace readers -------------------------------------------------------------------------- */

#define MESSAGE_NAME_BYTES 64U

/* One reader of the trace: its function is in the user value's "readers", under this address. */
struct reader {
    struct lua_cluster *box;
    int subscription;
    uint64_t node;                    /* 0: whichever */
    char message[MESSAGE_NAME_BYTES]; /* "": whichever */
};

/* Of most events no table is made: an ambush on one node's messages looks at thousands. */
static bool is_wanted(const struct reader *reader, const struct trace_event *event)
{
    return (reader->node == 0 || event->node == reader->node) &&
           (reader->message[0] == '\0' ||
            (event->message_name != NULL && strcmp(event->message_name, reader->message) == 0));
}

static void read_event(void *context, const struct trace_event *event)
{
    struct reader *reader = context;
    lua_State *L = reader->box->L;
    if (!is_wanted(reader, event) || reader->box->silent || L == NULL || !lua_checkstack(L, 16)) {
        return;
    }
    lua_cluster_table(L, "readers");
    lua_rawgetp(L, -1, reader);
    lua_remove(L, -2);
    if (!lua_isfunction(L, -1)) {
        lua_pop(L, 1);
        return;
    }
    lua_event_push(L, event);
    lua_callback(reader->box, 1, 0);
}

/* core:on(kinds, f, node, message) → a reader, to be ended by core:off(reader). node, message: only
 * events that have these; nil: any */
static int cluster_on(lua_State *L)
{
    struct lua_cluster *box = lua_cluster_check(L);
    uint64_t mask = lua_event_mask(L, 2);
    luaL_checktype(L, 3, LUA_TFUNCTION);
    uint64_t node = lua_isnoneornil(L, 4) ? 0 : (uint64_t)luaL_checkinteger(L, 4);
    size_t message_bytes = 0;
    const char *message = luaL_optlstring(L, 5, "", &message_bytes);
    struct reader *reader = lua_newuserdatauv(L, sizeof *reader, 0);
    reader->box = box;
    reader->node = node;
    luaL_argcheck(L, message_bytes < sizeof reader->message, 5, "no message has such a name");
    memcpy(reader->message, message, message_bytes + 1);
    lua_cluster_table(L, "readers");
    lua_pushvalue(L, 3);
    lua_rawsetp(L, -2, reader);
    lua_pushvalue(L, -2); /* the reader lives as long as its function */
    lua_pushboolean(L, 1);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    reader->subscription = trace_subscribe(cluster_trace(box->cluster), mask, read_event, reader);
    return 1;
}

static int cluster_off(lua_State *L)
{
    struct lua_cluster *box = lua_cluster_check(L);
    luaL_checktype(L, 2, LUA_TUSERDATA);
    struct reader *reader = lua_touserdata(L, 2);
    lua_cluster_table(L, "readers");
    lua_rawgetp(L, -1, reader);
    if (lua_isfunction(L, -1)) {
        trace_unsubscribe(cluster_trace(box->cluster), reader->subscription);
        lua_pop(L, 1);
        lua_pushnil(L);
        lua_rawsetp(L, -2, reader);
        lua_pushvalue(L, 2);
        lua_pushnil(L);
        lua_rawset(L, -3);
    }
    return 0;
}

/* ---- what nodes serve ----------------------------------------------------------------------- */

static bool serve(void *context, struct node *node, struct bytes value, uint64_t from,
                  struct buffer *answer, struct failure *failure)
{
    struct lua_cluster *box = context;
    lua_State *L = box->L;
    if (box->silent || !lua_checkstack(L, 16)) {
        failure_set(failure, FAILURE_CLOSED, "the cluster is closing");
        return false;
    }
    int top = lua_gettop(L);
    lua_cluster_table(L, "serve");
    lua_rawgeti(L, -1, (lua_Integer)node_view(node)->id);
    lua_value_push(L, value);
    lua_pushinteger(L, (lua_Integer)from);
    bool answered = lua_callback(box, 2, 1);
    if (!answered) {
        failure_set(failure, FAILURE_UNSUPPORTED, "what node %llu serves raised an error",
                    (unsigned long long)node_view(node)->id);
    } else if (!lua_isnil(L, -1) && !lua_value_write(L, -1, answer)) {
        failure_set(failure,
                    lua_value_is_too_large(answer) ? FAILURE_TOO_LARGE : FAILURE_UNSUPPORTED,
                    "node %llu answered no value: %s", (unsigned long long)node_view(node)->id,
                    lua_tostring(L, -1));
        answered = false;
    }
    lua_settop(L, top);
    return answered;
}

static int serve_method(lua_State *L)
{
    struct lua_cluster *box = lua_cluster_check(L);
    uint64_t id = lua_id_check(L, 2);
    struct failure failure = {0};
    lua_cluster_table(L, "serve");
    lua_pushvalue(L, 3);
    lua_rawseti(L, -2, (lua_Integer)id);
    if (!cluster_serve(box->cluster, id, lua_isnil(L, 3) ? NULL : serve, box, &failure)) {
        return lua_failure_push(L, &failure);
    }
    lua_pushboolean(L, 1);
    return 1;
}

/* core:intercept(f or nil): f(message, frame) → nil, "drop" or "hold" */
static int cluster_intercept(lua_State *L)
{
    struct lua_cluster *box = lua_cluster_check(L);
    lua_getiuservalue(L, 1, 1);
    lua_pushvalue(L, 2);
    lua_setfield(L, -2, "intercept");
    if (lua_isnoneornil(L, 2)) {
        cluster_set_hook(box->cluster, NULL, NULL);
    } else {
        luaL_checktype(L, 2, LUA_TFUNCTION);
        cluster_set_hook(box->cluster, lua_intercept, box);
    }
    return 0;
}

const luaL_Reg lua_callback_methods[] = {
    {"on", cluster_on},
    {"off", cluster_off},
    {"serve", serve_method},
    {"intercept", cluster_intercept},
    {NULL, NULL},
};
