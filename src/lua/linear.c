/* Linearizability for Lua: models that are tables, limits, and what a "no" shows, by numbers of the
 * history's entries. lua/raft/linearizable.lua puts it in words. */
#include "lua/history.h"

#include "bench/bench.h"

/* Looks at the clock this often; progress is told less often. */
#define PROGRESS_NS 100000000

/* A check under way. Its Lua values stand at fixed places of the stack. */
struct judge {
    lua_State *L;
    struct history *history;
    int64_t deadline_ns;
    uint64_t memory_bytes; /* at most; 0: any */
    int64_t told_ns;       /* when progress was last told */
    bool has_raised;       /* a function raised; the error is at STACK_ERROR */
    const char *stopped;   /* by which limit */
};

enum { STACK_HISTORY = 1, STACK_MODEL, STACK_OPTIONS, STACK_PROGRESS, STACK_ERROR, STACK_TOP };

/* ---- models in Lua -------------------------------------------------------------------------- */

static bool keep_error(struct judge *judge)
{
    lua_replace(judge->L, STACK_ERROR);
    lua_settop(judge->L, STACK_TOP);
    judge->has_raised = true;
    return false;
}

static void set_value(lua_State *L, const struct history *history, const char *name,
                      uint32_t number)
{
    if (number != 0) {
        lua_value_push(L, history_value(history, number));
        lua_setfield(L, -2, name);
    }
}

/* {f, key, value, result, known} */
static void push_operation(struct judge *judge, uint32_t position)
{
    const struct history_operation *operation = history_at(judge->history, position);
    lua_createtable(judge->L, 0, 5);
    lua_set_bytes(judge->L, "f", history_value(judge->history, operation->f));
    set_value(judge->L, judge->history, "key", operation->key);
    set_value(judge->L, judge->history, "value", operation->value);
    set_value(judge->L, judge->history, "result", operation->result);
    lua_set_boolean(judge->L, "known", operation->outcome == HISTORY_DONE);
}

/* The result on top, as a value in `out`. */
static bool read_result(struct judge *judge, const char *name, struct buffer *out)
{
    if (lua_value_write(judge->L, lua_gettop(judge->L), out)) {
        return true;
    }
    lua_pushfstring(judge->L, "the model's %s gave what is not a value: %s", name,
                    lua_value_is_too_large(out) ? "too large" : lua_tostring(judge->L, -1));
    return keep_error(judge);
}

static bool custom_step(void *self, struct bytes state, uint32_t operation, bool *legal,
                        struct buffer *next)
{
    struct judge *judge = self;
    lua_State *L = judge->L;
    lua_getfield(L, STACK_MODEL, "step");
    lua_value_push(L, state);
    push_operation(judge, operation);
    if (!lua_protected_call(L, 2, 1)) {
        return keep_error(judge);
    }
    *legal = !lua_isnil(L, -1);
    if (*legal && !read_result(judge, "step", next)) {
        return false;
    }
    lua_settop(L, STACK_TOP);
    return true;
}

static bool custom_pure(void *self, uint32_t operation, bool *pure)
{
    struct judge *judge = self;
    lua_getfield(judge->L, STACK_MODEL, "pure");
    push_operation(judge, operation);
    if (!lua_protected_call(judge->L, 1, 1)) {
        return keep_error(judge);
    }
    *pure = lua_toboolean(judge->L, -1);
    lua_settop(judge->L, STACK_TOP);
    return true;
}

static bool custom_key(void *self, uint32_t operation, struct buffer *key)
{
    struct judge *judge = self;
    lua_getfield(judge->L, STACK_MODEL, "key");
    push_operation(judge, operation);
    if (!lua_protected_call(judge->L, 1, 1)) {
        return keep_error(judge);
    }
    if (!lua_isnil(judge->L, -1) && !read_result(judge, "key", key)) {
        return false;
    }
    lua_settop(judge->L, STACK_TOP);
    return true;
}

static bool has_function(lua_State *L, const char *name)
{
    lua_getfield(L, STACK_MODEL, name);
    bool found = lua_isfunction(L, -1);
    lua_pop(L, 1);
    return found;
}

/* ---- limits --------------------------------------------------------------------------------- */

static bool tell_progress(struct judge *judge, uint64_t done, uint64_t all)
{
    lua_pushvalue(judge->L, STACK_PROGRESS);
    lua_pushinteger(judge->L, (lua_Integer)done);
    lua_pushinteger(judge->L, (lua_Integer)all);
    if (!lua_protected_call(judge->L, 2, 0)) {
        return keep_error(judge);
    }
    lua_settop(judge->L, STACK_TOP);
    return true;
}

static bool go_on(void *context, uint64_t done, uint64_t all, size_t memory_bytes)
{
    struct judge *judge = context;
    int64_t now_ns = bench_now_ns();
    if (now_ns >= judge->deadline_ns) {
        judge->stopped = "time";
        return false;
    }
    if (judge->memory_bytes != 0 && memory_bytes > judge->memory_bytes) {
        judge->stopped = "memory";
        return false;
    }
    if (!lua_isnil(judge->L, STACK_PROGRESS) && now_ns - judge->told_ns >= PROGRESS_NS) {
        judge->told_ns = now_ns;
        return tell_progress(judge, done, all);
    }
    return true;
}

/* ---- what a "no" shows ---------------------------------------------------------------------- */

static lua_Integer entry_of(const struct history *history, uint32_t operation)
{
    return (lua_Integer)history_at(history, operation)->inv;
}

/* A list of entries, on top. */
static void push_entries(lua_State *L, const struct history *history, const uint32_t *operations,
                         size_t count)
{
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        lua_pushinteger(L, entry_of(history, operations[i]));
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

static void push_configurations(lua_State *L, const struct history *history,
                                const struct linear_result *result)
{
    lua_createtable(L, (int)result->configurations.count, 0);
    for (size_t i = 0; i < result->configurations.count; i++) {
        const struct linear_configuration *of = &result->configurations.items[i];
        lua_createtable(L, 0, 2);
        set_value(L, history, "state", of->state);
        lua_createtable(L, (int)of->count, 0);
        for (uint32_t j = 0; j < of->count; j++) {
            const struct linear_candidate *candidate = &result->candidates.items[of->first + j];
            lua_createtable(L, 0, 2);
            lua_set_integer(L, "entry", (uint64_t)entry_of(history, candidate->operation));
            lua_set_boolean(L, "legal", candidate->is_legal);
            lua_rawseti(L, -2, (lua_Integer)j + 1);
        }
        lua_setfield(L, -2, "pending");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

/* By the entry of each operation a list of {entry, state}. */
static void push_longest(lua_State *L, const struct history *history,
                         const struct linear_result *result)
{
    lua_newtable(L);
    for (size_t i = 0; i < result->longest.count; i++) {
        const struct linear_longest *of = &result->longest.items[i];
        lua_createtable(L, (int)of->count, 0);
        for (uint32_t j = 0; j < of->count; j++) {
            const struct linear_step *step = &result->steps.items[of->first + j];
            lua_createtable(L, 0, 2);
            lua_set_integer(L, "entry", (uint64_t)entry_of(history, step->operation));
            set_value(L, history, "state", step->state);
            lua_rawseti(L, -2, (lua_Integer)j + 1);
        }
        lua_rawseti(L, -2, entry_of(history, of->operation));
    }
}

static void push_result(lua_State *L, const struct history *history,
                        const struct linear_result *result)
{
    lua_createtable(L, 0, 8);
    lua_set_text(L, "rung", linear_rung_name(result->rung));
    set_value(L, history, "key", result->key);
    lua_set_integer(L, "entry", (uint64_t)entry_of(history, result->operation));
    if (result->reason != NULL) {
        lua_set_text(L, "reason", result->reason);
        push_entries(L, history, result->certificate, result->certificate_count);
        lua_setfield(L, -2, "certificate");
    }
    push_entries(L, history, result->kept.items, result->kept.count);
    lua_setfield(L, -2, "kept");
    push_configurations(L, history, result);
    lua_setfield(L, -2, "configurations");
    push_longest(L, history, result);
    lua_setfield(L, -2, "longest");
}

/* ---- the check ------------------------------------------------------------------------------ */

static void read_model(struct judge *judge, struct linear_options *options,
                       struct linear_custom *custom, struct buffer *initial)
{
    lua_State *L = judge->L;
    if (lua_type(L, STACK_MODEL) == LUA_TSTRING) {
        struct bytes name;
        name.data = (const uint8_t *)lua_tolstring(L, STACK_MODEL, &name.size);
        luaL_argcheck(L, linear_model_find(name, &options->model), STACK_MODEL, "unknown model");
        return;
    }
    luaL_checktype(L, STACK_MODEL, LUA_TTABLE);
    options->model = LINEAR_CUSTOM;
    options->custom = custom;
    *custom = (struct linear_custom){
        .self = judge,
        .step = custom_step,
        .pure = has_function(L, "pure") ? custom_pure : NULL,
        .key = has_function(L, "key") ? custom_key : NULL,
    };
    lua_getfield(L, STACK_MODEL, "init");
    lua_value_check(L, -1, "model.init", initial);
    lua_pop(L, 1);
    custom->initial = buffer_bytes(initial);
}

static enum linear_rung rung_option(lua_State *L)
{
    lua_getfield(L, STACK_OPTIONS, "only");
    const char *name = lua_tostring(L, -1);
    enum linear_rung found = LINEAR_ANY;
    for (int i = LINEAR_ANY; name != NULL && i <= LINEAR_SEARCH; i++) {
        found =
            strcmp(linear_rung_name((enum linear_rung)i), name) == 0 ? (enum linear_rung)i : found;
    }
    lua_pop(L, 1);
    return found;
}

static int push_verdict(struct judge *judge, enum linear_verdict verdict,
                        const struct linear_result *result)
{
    lua_State *L = judge->L;
    switch (verdict) {
    case LINEAR_YES:
        lua_pushboolean(L, 1);
        return 1;
    case LINEAR_NO:
        lua_pushboolean(L, 0);
        push_result(L, judge->history, result);
        return 2;
    case LINEAR_UNKNOWN:
        lua_pushnil(L);
        lua_pushfstring(L, "not decided: the limit of %s was reached",
                        judge->stopped == NULL ? "searches" : judge->stopped);
        lua_pushliteral(L, "timeout");
        return 3;
    default:
        lua_pushnil(L);
        lua_pushliteral(L, "this way of checking does not apply to this history");
        lua_pushliteral(L, "unsupported");
        return 3;
    }
}

/* core.linearizable(history, model, {timeout_ns, memory, progress, only}) → as push_verdict; raises
 * what the history or the model is at fault for */
static int linearizable(lua_State *L)
{
    struct lua_history *box = lua_history_check(L, STACK_HISTORY);
    luaL_checktype(L, STACK_OPTIONS, LUA_TTABLE);
    lua_settop(L, STACK_OPTIONS);
    lua_getfield(L, STACK_OPTIONS, "progress");
    lua_pushnil(L);
    lua_pushnil(L);
    struct judge judge = {.L = L, .history = box->history, .told_ns = bench_now_ns()};
    struct linear_options options = {.only = rung_option(L), .go_on = go_on, .context = &judge};
    struct linear_custom custom = {0};
    int64_t limit_ns = lua_field_integer(L, STACK_OPTIONS, "timeout_ns", (int64_t)LUA_NEVER);
    judge.deadline_ns = judge.told_ns > (int64_t)LUA_NEVER - limit_ns ? (int64_t)LUA_NEVER
                                                                      : judge.told_ns + limit_ns;
    judge.memory_bytes = (uint64_t)lua_field_integer(L, STACK_OPTIONS, "memory", 0);
    buffer_clear(&box->value);
    read_model(&judge, &options, &custom, &box->value);
    struct linear_result result;
    struct failure failure = {0};
    enum linear_verdict verdict = linear_check(box->history, &options, &result, &failure);
    if (judge.has_raised) {
        linear_result_free(&result);
        lua_pushvalue(L, STACK_ERROR);
        return lua_error(L);
    }
    if (verdict == LINEAR_FAILED) {
        linear_result_free(&result);
        return lua_user_error(L, "bad argument 'history' (%s)", failure.message);
    }
    int results = push_verdict(&judge, verdict, &result);
    linear_result_free(&result);
    return results;
}

/* core.linear_models() → the names of the models */
static int linear_models(lua_State *L)
{
    lua_newtable(L);
    for (int i = 0; i < LINEAR_CUSTOM; i++) {
        lua_pushstring(L, linear_model_name((enum linear_model)i));
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

const luaL_Reg lua_linear_functions[] = {
    {"history", lua_history_new},
    {"linearizable", linearizable},
    {"linear_models", linear_models},
    {NULL, NULL},
};
