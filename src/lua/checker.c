/* The invariant checker alone, fed with events by hand: for specs that plant a violation. */
#include "lua/module.h"

#define LUA_CHECKER "raft.core.checker"

struct lua_checker {
    struct trace *trace;
    struct checker *checker;
};

static struct lua_checker *checker_check(lua_State *L)
{
    return luaL_checkudata(L, 1, LUA_CHECKER);
}

static int push_violation(lua_State *L, const struct check_violation *violation)
{
    if (violation == NULL) {
        lua_pushnil(L);
        return 1;
    }
    lua_createtable(L, 0, 3);
    lua_set_text(L, "property", check_property_name(violation->property));
    lua_set_text(L, "message", violation->message);
    lua_newtable(L);
    for (uint32_t i = 0; i < violation->node_count; i++) {
        lua_pushinteger(L, (lua_Integer)violation->nodes[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "nodes");
    return 1;
}

/* The field `configurations`: {{index = , voters = , voters_old = , learners = }}, ... */
static void read_configurations(lua_State *L, struct buffer *out, struct trace_event *event)
{
    lua_getfield(L, 2, "configurations");
    if (!lua_istable(L, -1)) {
        lua_pop(L, 1);
        return;
    }
    int at = lua_gettop(L);
    size_t count = (size_t)lua_rawlen(L, at);
    struct buffer bytes = {0};
    for (size_t i = 0; i < count; i++) {
        struct raft_configuration members = {0};
        lua_rawgeti(L, at, (lua_Integer)i + 1);
        luaL_checktype(L, -1, LUA_TTABLE);
        lua_members_read(L, lua_gettop(L), &members);
        buffer_clear(&bytes);
        raft_configuration_encode(&members, &bytes);
        raft_configuration_free(&members);
        value_write_integer(out, lua_field_integer(L, lua_gettop(L), "index", 0));
        value_write_string(out, bytes.data, bytes.size);
        lua_pop(L, 1);
    }
    buffer_free(&bytes);
    lua_pop(L, 1);
    event->configurations = buffer_bytes(out);
}

/* The checker trusts what our own nodes tell it; what somebody tells by hand may be anything.
 * Indexes are bounded because it keeps something for each. */
#define INDEX_MAX (1ULL << 24)

/* What is wrong with an event's numbers; NULL: nothing. */
static const char *event_problem(const struct trace_event *event)
{
    uint64_t last = event->last;
    if (event->index > INDEX_MAX || event->first > INDEX_MAX || last > INDEX_MAX ||
        event->prev_index > INDEX_MAX || event->commit > INDEX_MAX) {
        return "indexes go up to 2^24 here";
    }
    if (event->term > INT64_MAX || event->prev_term > INT64_MAX || event->vote > INT64_MAX) {
        return "a number is below 0";
    }
    if (event->first > last + 1) {
        return "'first' is behind 'last'";
    }
    bool is_range = event->kind == TRACE_APPEND || event->kind == TRACE_WRITE;
    if (is_range && last > 0 && event->first == 0) {
        return "'first' is missing";
    }
    bool has_log = event->kind == TRACE_APPEND || event->kind == TRACE_START;
    if (has_log && event->entries != NULL && event->entry_count != last + 1 - event->first) {
        return "'entries' are not as many as 'first' and 'last' say";
    }
    return NULL;
}

/* checker:event{ kind = , node = , ..., entries = {{term = , hash = }}, configurations = } → the
 * first violation so far, or nil */
static int checker_event(lua_State *L)
{
    struct lua_checker *box = checker_check(L);
    struct trace_event event;
    lua_event_read(L, 2, &event);
    lua_getfield(L, 2, "entries");
    if (lua_istable(L, -1)) {
        int at = lua_gettop(L);
        size_t count = (size_t)lua_rawlen(L, at);
        struct trace_entry *entries = lua_newuserdatauv(L, (count + 1) * sizeof *entries, 0);
        for (size_t i = 0; i < count; i++) {
            lua_rawgeti(L, at, (lua_Integer)i + 1);
            luaL_checktype(L, -1, LUA_TTABLE);
            entries[i].term = (uint64_t)lua_field_integer(L, lua_gettop(L), "term", 0);
            entries[i].hash = (uint64_t)lua_field_integer(L, lua_gettop(L), "hash", 0);
            lua_pop(L, 1);
        }
        event.entries = entries;
        event.entry_count = (uint32_t)count;
    }
    const char *problem = event_problem(&event);
    if (problem != NULL) {
        lua_user_error(L, "bad argument 'event' (%s)", problem);
    }
    struct buffer configurations = {0};
    read_configurations(L, &configurations, &event);
    trace_emit(box->trace, &event);
    buffer_free(&configurations);
    return push_violation(L, checker_violation(box->checker));
}

static int checker_gc(lua_State *L)
{
    struct lua_checker *box = checker_check(L);
    if (box->checker != NULL) {
        checker_free(box->checker);
        trace_free(box->trace);
        box->checker = NULL;
    }
    return 0;
}

/* core.checker{ gaps =, promise = seconds, drift = } → checker */
int lua_checker_new(lua_State *L)
{
    bool gaps = lua_istable(L, 1) && lua_field_boolean(L, 1, "gaps", false);
    double promise = lua_istable(L, 1) ? lua_field_number(L, 1, "promise", 0) : 0;
    double drift = lua_istable(L, 1) ? lua_field_number(L, 1, "drift", 0) : 0;
    if (!(promise >= 0 && promise < 1e9)) {
        return luaL_error(L, "promise is a time in seconds, 0 or more");
    } else if (!(drift >= 0 && drift < 1)) {
        return luaL_error(L, "drift is from 0 to below 1");
    }
    struct lua_checker *box = lua_newuserdatauv(L, sizeof *box, 0);
    box->checker = NULL;
    luaL_setmetatable(L, LUA_CHECKER);
    box->trace = trace_new();
    box->checker = checker_new(box->trace, NULL, NULL);
    if (gaps) {
        checker_expect_gaps(box->checker);
    }
    if (promise >= 1e-9) {
        struct check_promises promises = {.length_ns = (int64_t)(promise * 1e9), .drift = drift};
        checker_expect_promises(box->checker, &promises);
    }
    return 1;
}

static const luaL_Reg checker_methods[] = {{"event", checker_event}, {NULL, NULL}};

void lua_checker_register(lua_State *L)
{
    luaL_newmetatable(L, LUA_CHECKER);
    lua_pushcfunction(L, checker_gc);
    lua_setfield(L, -2, "__gc");
    lua_newtable(L);
    luaL_setfuncs(L, checker_methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
