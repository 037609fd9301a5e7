/*
 * Workloads for Lua: their options, and what only a script can do for a client. Methods that can
 * make callbacks are the cluster's (`core:workload_start(workload, …)`); those that only look are
 * the workload's own. lua/raft/workload.lua checks arguments.
 */
#include "lua/workload.h"

#include <string.h>

#define LUA_WORKLOAD "raft.core.workload"

struct lua_workload *lua_workload_check(lua_State *L, int index)
{
    struct lua_workload *box = luaL_checkudata(L, index, LUA_WORKLOAD);
    if (box->workload == NULL) {
        lua_user_error(L, "attempt to use a workload that was collected");
    }
    return box;
}

uint32_t lua_workload_client(lua_State *L, int index)
{
    lua_Integer client = luaL_checkinteger(L, index);
    luaL_argcheck(L, client >= 0 && client < UINT32_MAX, index, "no client");
    return (uint32_t)client;
}

/* ---- kinds ----------------------------------------------------------------------------------- */

/* core.workload_kinds() → by name { keys, changes_keys, operations = by name { weight, is_read } }
 */
int lua_workload_kinds(lua_State *L)
{
    lua_newtable(L);
    for (enum workload_kind kind = 0; kind < WORKLOAD_KIND_COUNT; kind++) {
        const struct workload_verb *verb = NULL;
        lua_newtable(L);
        lua_set_integer(L, "keys", workload_default_keys(kind));
        lua_set_boolean(L, "changes_keys", workload_changes_keys(kind));
        lua_newtable(L);
        for (size_t i = 0; (verb = workload_verb_at(kind, i)) != NULL; i++) {
            lua_createtable(L, 0, 2);
            lua_set_integer(L, "weight", verb->weight);
            lua_set_boolean(L, "is_read", verb->is_read);
            lua_setfield(L, -2, verb->name);
        }
        lua_setfield(L, -2, "operations");
        lua_setfield(L, -2, workload_kind_name(kind));
    }
    return 1;
}

/* ---- values ---------------------------------------------------------------------------------- */

static uint32_t text_number(struct lua_workload *box, const char *text, size_t size)
{
    return workload_number(box->workload, (struct bytes){(const uint8_t *)text, size});
}

/* The value at `index`; 0 where it is nil. */
static uint32_t value_number(lua_State *L, struct lua_workload *box, int index, const char *name)
{
    if (lua_isnoneornil(L, index)) {
        return 0;
    }
    buffer_clear(&box->value);
    lua_value_check(L, index, name, &box->value);
    return workload_number(box->workload, buffer_bytes(&box->value));
}

static uint32_t value_field_number(lua_State *L, struct lua_workload *box, int index,
                                   const char *name)
{
    lua_getfield(L, index, name);
    uint32_t number = value_number(L, box, lua_gettop(L), name);
    lua_pop(L, 1);
    return number;
}

static enum node_request_kind read_kind(const char *name)
{
    return name == NULL                 ? NODE_REQUEST_READ
           : strcmp(name, "lease") == 0 ? NODE_REQUEST_READ_LEASE
           : strcmp(name, "stale") == 0 ? NODE_REQUEST_READ_STALE
                                        : NODE_REQUEST_READ;
}

/* { f, key, value, node, timeout, read } */
static struct workload_operation operation_read(lua_State *L, struct lua_workload *box, int index)
{
    struct workload_operation operation = {0};
    size_t size = 0;
    lua_getfield(L, index, "f");
    const char *f = luaL_checklstring(L, -1, &size);
    operation.f = text_number(box, f, size);
    lua_getfield(L, index, "read");
    operation.read = read_kind(lua_tostring(L, -1));
    lua_pop(L, 2);
    operation.key = value_field_number(L, box, index, "key");
    operation.value = value_field_number(L, box, index, "value");
    operation.node = (uint64_t)lua_field_integer(L, index, "node", 0);
    operation.timeout_s = lua_field_number(L, index, "timeout", 0);
    return operation;
}

/* ---- making ---------------------------------------------------------------------------------- */

static enum workload_kind kind_option(lua_State *L)
{
    lua_getfield(L, 2, "kind");
    const char *name = lua_tostring(L, -1);
    enum workload_kind found = WORKLOAD_PERFORMED;
    for (enum workload_kind kind = 0; name != NULL && kind < WORKLOAD_KIND_COUNT; kind++) {
        found = strcmp(workload_kind_name(kind), name) == 0 ? kind : found;
    }
    lua_pop(L, 1);
    return found;
}

static enum workload_source source_option(lua_State *L)
{
    lua_getfield(L, 2, "source");
    const char *name = luaL_checkstring(L, -1);
    enum workload_source source = strcmp(name, "given") == 0       ? WORKLOAD_GIVEN
                                  : strcmp(name, "generated") == 0 ? WORKLOAD_GENERATED
                                                                   : WORKLOAD_DRAWN;
    lua_pop(L, 1);
    return source;
}

/* By position of the kind's operations; a userdata that is left on the stack. */
static const uint32_t *weights_option(lua_State *L, enum workload_kind kind)
{
    const struct workload_verb *verb = NULL;
    size_t count = 0;
    while (workload_verb_at(kind, count) != NULL) {
        count++;
    }
    uint32_t *weights = lua_newuserdatauv(L, (count + 1) * sizeof *weights, 0);
    lua_getfield(L, 2, "weights");
    for (size_t i = 0; i < count; i++) {
        verb = workload_verb_at(kind, i);
        weights[i] = (uint32_t)lua_field_integer(L, lua_gettop(L), verb->name, 0);
    }
    lua_pop(L, 1);
    return weights;
}

/* The same for whom clients ask. */
static const enum workload_target *targets_option(lua_State *L, size_t *count)
{
    lua_getfield(L, 2, "targets");
    int list = lua_gettop(L);
    *count = (size_t)lua_rawlen(L, list);
    enum workload_target *targets = lua_newuserdatauv(L, (*count + 1) * sizeof *targets, 0);
    for (size_t i = 0; i < *count; i++) {
        lua_rawgeti(L, list, (lua_Integer)i + 1);
        const char *name = luaL_checkstring(L, -1);
        targets[i] = strcmp(name, "known") == 0 ? WORKLOAD_KNOWN
                     : strcmp(name, "any") == 0 ? WORKLOAD_ANY
                                                : WORKLOAD_LEADER;
        lua_pop(L, 1);
    }
    lua_remove(L, list);
    return targets;
}

static void options_read(lua_State *L, struct workload_options *options)
{
    options->kind = kind_option(L);
    options->source = source_option(L);
    options->seed = (uint64_t)lua_option_integer(L, 2, "seed");
    options->number = (uint32_t)lua_option_integer(L, 2, "number");
    options->clients = (uint32_t)lua_option_integer(L, 2, "clients");
    options->performs = lua_field_boolean(L, 2, "performs", false);
    options->locates = lua_field_boolean(L, 2, "locates", false);
    options->is_session = lua_field_boolean(L, 2, "session", false);
    options->is_text = lua_field_boolean(L, 2, "is_text", false);
    options->notes_values = lua_field_boolean(L, 2, "notes", false);
    options->values = (uint64_t)lua_field_integer(L, 2, "values", 0);
    options->count = (uint64_t)lua_field_integer(L, 2, "count", (int64_t)LUA_NEVER);
    options->gap_ns = lua_field_integer(L, 2, "gap_ns", WORKLOAD_NONE);
    options->length_ns = lua_time_from(lua_option_integer(L, 2, "length_ns"));
    options->timeout_s = lua_option_number(L, 2, "timeout");
    options->timeout_ns = lua_time_from(lua_option_integer(L, 2, "timeout_ns"));
    options->judge_at = (uint64_t)lua_field_integer(L, 2, "judge_at", INT64_MAX);
    lua_getfield(L, 2, "read");
    options->read = read_kind(lua_tostring(L, -1));
    lua_pop(L, 1);
}

/* The keys, with the texts that names of changing keys begin with. */
static void keys_read(lua_State *L, struct lua_workload *box)
{
    lua_getfield(L, 2, "keys");
    int keys = lua_gettop(L);
    size_t count = (size_t)lua_rawlen(L, keys);
    for (size_t i = 1; i <= count; i++) {
        size_t size = 0;
        lua_rawgeti(L, keys, (lua_Integer)i);
        buffer_clear(&box->value);
        lua_value_check(L, -1, "options.keys", &box->value);
        lua_pushvalue(L, -1);
        const char *text = lua_tolstring(L, -1, &size);
        workload_add_key(box->workload, buffer_bytes(&box->value),
                         (struct bytes){(const uint8_t *)text, text == NULL ? 0 : size});
        lua_pop(L, 2);
    }
    lua_pop(L, 1);
}

/* core:workload(options) → workload; the cluster keeps it */
static int workload_make(lua_State *L)
{
    struct lua_cluster *cluster = lua_cluster_check(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    struct lua_workload *box = lua_newuserdatauv(L, sizeof *box, 1);
    memset(box, 0, sizeof *box);
    luaL_setmetatable(L, LUA_WORKLOAD);
    lua_createtable(L, 1, 0);
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, 1);
    lua_setiuservalue(L, 3, 1);
    box->cluster = cluster;
    struct workload_options options = {0};
    options_read(L, &options);
    options.weights = weights_option(L, options.kind);
    options.targets = targets_option(L, &options.target_count);
    box->workload = workload_new(cluster->cluster, &options);
    keys_read(L, box);
    lua_cluster_table(L, "workloads");
    lua_pushvalue(L, 3);
    lua_rawseti(L, -2, (lua_Integer)options.number);
    lua_settop(L, 3);
    return 1;
}

static int workload_gc(lua_State *L)
{
    struct lua_workload *box = luaL_checkudata(L, 1, LUA_WORKLOAD);
    /* At the end of the program a workload is collected before its cluster, which finalizers of the
     * script's may still drive. */
    if (box->workload != NULL && box->cluster->cluster != NULL) {
        workload_forget(box->workload);
    }
    workload_free(box->workload);
    box->workload = NULL;
    buffer_free(&box->value);
    return 0;
}

/* workload:give(client, at_ns, operation) */
static int give(lua_State *L)
{
    struct lua_workload *box = lua_workload_check(L, 1);
    uint32_t client = lua_workload_client(L, 2);
    struct workload_operation operation = operation_read(L, box, 4);
    workload_give(box->workload, client, lua_time_check(L, 3), &operation);
    return 0;
}

/* ---- clients --------------------------------------------------------------------------------- */

static int push_need(lua_State *L, enum workload_need need)
{
    static const char *const names[] = {
        [WORKLOAD_NOTHING] = "nothing",   [WORKLOAD_OPERATION] = "operation",
        [WORKLOAD_PERFORM] = "perform",   [WORKLOAD_JUDGE] = "judge",
        [WORKLOAD_ANSWERED] = "answered", [WORKLOAD_ENDED] = "ended",
        [WORKLOAD_FAILED] = "failed",
    };
    lua_pushstring(L, names[need]);
    return 1;
}

/* Around all that a client does in the world. */
static int leave_with_need(lua_State *L, enum workload_need need)
{
    lua_cluster_leave(L, lua_cluster_check(L));
    return push_need(L, need);
}

/* core:workload_start(workload, client, session or 0, handle) → what it needs */
static int start(lua_State *L)
{
    struct lua_workload *box = lua_workload_check(L, 2);
    uint32_t client = lua_workload_client(L, 3);
    uint32_t session = (uint32_t)luaL_checkinteger(L, 4);
    uint64_t handle = (uint64_t)luaL_checkinteger(L, 5);
    lua_cluster_enter(L);
    return leave_with_need(L, workload_start(box->workload, client, session, handle));
}

/* core:workload_take(workload, client, operation or nil) → what it needs */
static int take(lua_State *L)
{
    struct lua_workload *box = lua_workload_check(L, 2);
    uint32_t client = lua_workload_client(L, 3);
    struct workload_operation operation = {0};
    bool is_given = !lua_isnoneornil(L, 4);
    if (is_given) {
        operation = operation_read(L, box, 4);
    }
    lua_cluster_enter(L);
    return leave_with_need(L, workload_take(box->workload, client, is_given ? &operation : NULL));
}

/* core:workload_ask(workload, operation) → what client 0 needs */
static int ask(lua_State *L)
{
    struct lua_workload *box = lua_workload_check(L, 2);
    struct workload_operation operation = operation_read(L, box, 3);
    lua_cluster_enter(L);
    return leave_with_need(L, workload_ask(box->workload, &operation));
}

/* core:workload_judged(workload, client, entries) → what it needs */
static int judged(lua_State *L)
{
    struct lua_workload *box = lua_workload_check(L, 2);
    uint32_t client = lua_workload_client(L, 3);
    uint64_t judge_at = (uint64_t)luaL_checkinteger(L, 4);
    lua_cluster_enter(L);
    return leave_with_need(L, workload_judged(box->workload, client, judge_at));
}

/* core:workload_performed(workload, client, { type, value, result, seen, error, log_index }) → what
 * it needs */
static int performed(lua_State *L)
{
    struct lua_workload *box = lua_workload_check(L, 2);
    uint32_t client = lua_workload_client(L, 3);
    luaL_checktype(L, 4, LUA_TTABLE);
    lua_getfield(L, 4, "type");
    const char *type = luaL_checkstring(L, -1);
    struct workload_outcome outcome = {
        .type = strcmp(type, "ok") == 0     ? WORKLOAD_OK
                : strcmp(type, "fail") == 0 ? WORKLOAD_FAIL
                                            : WORKLOAD_INFO,
        .log_index = (uint64_t)lua_field_integer(L, 4, "log_index", -1),
    };
    outcome.value = value_field_number(L, box, 4, "value");
    outcome.result = value_field_number(L, box, 4, "result");
    outcome.seen = value_field_number(L, box, 4, "seen");
    outcome.error = value_field_number(L, box, 4, "error");
    lua_cluster_enter(L);
    return leave_with_need(L, workload_performed(box->workload, client, &outcome));
}

/* core:workload_stop(workload) */
static int stop(lua_State *L)
{
    struct lua_workload *box = lua_workload_check(L, 2);
    struct lua_cluster *cluster = lua_cluster_enter(L);
    workload_stop(box->workload);
    lua_cluster_leave(L, cluster);
    return 0;
}

/* core:workload_close(workload) */
static int close_history(lua_State *L)
{
    struct lua_workload *box = lua_workload_check(L, 2);
    lua_cluster_check(L);
    if (!workload_is_closed(box->workload)) {
        workload_close(box->workload);
    }
    return 0;
}

/* workload:leave() */
static int leave(lua_State *L)
{
    workload_leave(lua_workload_check(L, 1)->workload);
    return 0;
}

/* workload:need(client) */
static int need(lua_State *L)
{
    return push_need(L,
                     workload_need(lua_workload_check(L, 1)->workload, lua_workload_client(L, 2)));
}

/* workload:failure() → why a client has failed */
static int failure(lua_State *L)
{
    lua_pushstring(L, workload_failure(lua_workload_check(L, 1)->workload));
    return 1;
}

/* workload:draw_again(f) → key, value; nothing where no kind knows it */
static int draw_again(lua_State *L)
{
    struct lua_workload *box = lua_workload_check(L, 1);
    size_t size = 0;
    const char *f = luaL_checklstring(L, 2, &size);
    struct workload_operation operation = {0};
    if (!workload_draw_again(box->workload, text_number(box, f, size), &operation)) {
        return 0;
    }
    lua_value_push(L, workload_bytes(box->workload, operation.key));
    lua_value_push(L, workload_bytes(box->workload, operation.value));
    return 2;
}

const luaL_Reg lua_workload_methods[] = {
    {"workload", workload_make},
    {"workload_start", start},
    {"workload_take", take},
    {"workload_ask", ask},
    {"workload_judged", judged},
    {"workload_performed", performed},
    {"workload_stop", stop},
    {"workload_close", close_history},
    {NULL, NULL},
};

static const luaL_Reg own_methods[] = {
    {"give", give},       {"leave", leave},           {"need", need},
    {"failure", failure}, {"draw_again", draw_again}, {NULL, NULL},
};

void lua_workload_register(lua_State *L)
{
    luaL_newmetatable(L, LUA_WORKLOAD);
    lua_pushcfunction(L, workload_gc);
    lua_setfield(L, -2, "__gc");
    lua_newtable(L);
    luaL_setfuncs(L, own_methods, 0);
    luaL_setfuncs(L, lua_workload_look_methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
