/*
 * What a workload's clients have asked and were told, as tables. It changes nothing.
 */
#include "lua/history.h"
#include "lua/workload.h"

static const char *read_name(enum node_request_kind kind)
{
    return kind == NODE_REQUEST_READ_LEASE   ? "lease"
           : kind == NODE_REQUEST_READ_STALE ? "stale"
                                             : NULL;
}

static void set_value(lua_State *L, const struct workload *workload, const char *name,
                      uint32_t number)
{
    if (number != 0) {
        lua_value_push(L, workload_bytes(workload, number));
        lua_setfield(L, -2, name);
    }
}

/* What an operation and an invoke's entry have besides. */
static void set_how(lua_State *L, uint64_t node, double timeout_s, enum node_request_kind read)
{
    if (node != 0) {
        lua_set_integer(L, "node", node);
    }
    if (timeout_s > 0) {
        lua_pushnumber(L, timeout_s);
        lua_setfield(L, -2, "timeout");
    }
    if (read_name(read) != NULL) {
        lua_set_text(L, "read", read_name(read));
    }
}

/* workload:asked(client) → its operation */
static int asked(lua_State *L)
{
    const struct workload *workload = lua_workload_check(L, 1)->workload;
    const struct workload_operation *operation =
        workload_asked(workload, lua_workload_client(L, 2));
    lua_createtable(L, 0, 6);
    lua_set_bytes(L, "f", workload_bytes(workload, operation->f));
    set_value(L, workload, "key", operation->key);
    set_value(L, workload, "value", operation->value);
    set_how(L, operation->node, operation->timeout_s, operation->read);
    return 1;
}

/* workload:asked_last(client) → the index of the last entry of its last operation */
static int asked_last(lua_State *L)
{
    const struct workload *workload = lua_workload_check(L, 1)->workload;
    lua_pushinteger(L, (lua_Integer)workload_last(workload, lua_workload_client(L, 2)) + 1);
    return 1;
}

/* ---- the history ----------------------------------------------------------------------------- */

/* workload:count() → how many entries there are */
static int count(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)workload_count(lua_workload_check(L, 1)->workload));
    return 1;
}

static int is_closed(lua_State *L)
{
    lua_pushboolean(L, workload_is_closed(lua_workload_check(L, 1)->workload));
    return 1;
}

/* workload:entry(index) → a new table; nil: there is none */
static int entry(lua_State *L)
{
    static const char *const types[] = {
        [WORKLOAD_INVOKE] = "invoke",
        [WORKLOAD_OK] = "ok",
        [WORKLOAD_FAIL] = "fail",
        [WORKLOAD_INFO] = "info",
    };
    const struct workload *workload = lua_workload_check(L, 1)->workload;
    lua_Integer index = luaL_checkinteger(L, 2);
    if (index < 1 || (uint64_t)index > workload_count(workload)) {
        return 0;
    }
    const struct workload_entry *of = workload_entry(workload, (size_t)index - 1);
    lua_createtable(L, 0, 8);
    lua_set_integer(L, "index", (uint64_t)index);
    lua_pushinteger(L, (lua_Integer)of->process);
    lua_setfield(L, -2, "process");
    lua_set_text(L, "type", types[of->type]);
    lua_set_bytes(L, "f", workload_bytes(workload, of->f));
    set_value(L, workload, "key", of->key);
    set_value(L, workload, "value", of->outcome.value);
    lua_set_integer(L, "time", (uint64_t)of->time_ns);
    set_how(L, of->node, of->timeout_s, of->read);
    set_value(L, workload, "result", of->outcome.result);
    set_value(L, workload, "seen", of->outcome.seen);
    set_value(L, workload, "error", of->outcome.error);
    if (of->outcome.log_index != WORKLOAD_UNPLACED) {
        lua_set_integer(L, "log_index", of->outcome.log_index);
    }
    return 1;
}

/* workload:tallies() → list of { f, asked, last = an entry's index, has_succeeded } */
static int tallies(lua_State *L)
{
    const struct workload *workload = lua_workload_check(L, 1)->workload;
    const struct workload_tally *tally = NULL;
    lua_newtable(L);
    for (size_t i = 0; (tally = workload_tally_at(workload, i)) != NULL; i++) {
        lua_createtable(L, 0, 4);
        lua_set_bytes(L, "f", workload_bytes(workload, tally->f));
        lua_set_integer(L, "asked", tally->asked);
        lua_set_integer(L, "last", tally->last + 1);
        lua_set_boolean(L, "has_succeeded", tally->has_succeeded);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* workload:checked() → the history as core.linearizable takes it */
static int checked(lua_State *L)
{
    const struct workload *workload = lua_workload_check(L, 1)->workload;
    lua_history_push(L)->history = workload_history(workload);
    return 1;
}

const luaL_Reg lua_workload_look_methods[] = {
    {"asked", asked}, {"asked_last", asked_last}, {"count", count},     {"is_closed", is_closed},
    {"entry", entry}, {"tallies", tallies},       {"checked", checked}, {NULL, NULL},
};
