/* Histories for Lua: from a table of entries, as lua/raft/linearizable.lua describes them. */
#include "lua/history.h"

#define LUA_HISTORY "raft.core.history"

struct lua_history *lua_history_check(lua_State *L, int index)
{
    return luaL_checkudata(L, index, LUA_HISTORY);
}

struct lua_history *lua_history_push(lua_State *L)
{
    struct lua_history *box = lua_newuserdatauv(L, sizeof *box, 0);
    memset(box, 0, sizeof *box);
    luaL_setmetatable(L, LUA_HISTORY);
    return box;
}

/* The names of an entry's fields, from this place of the stack on: as strings that are there, they
 * are found at a fraction of what making one of each name for each entry would cost. */
enum field { TYPE, PROCESS, F, KEY, VALUE, RESULT, LOG_INDEX, ERROR, SEEN, FIELD_COUNT };

static const char *const field_names[FIELD_COUNT] = {
    "type", "process", "f", "key", "value", "result", "log_index", "error", "seen",
};

#define FIRST_FIELD 3

static void push_names(lua_State *L)
{
    luaL_checkstack(L, FIELD_COUNT + 8, "too deep");
    ensure(lua_gettop(L) == FIRST_FIELD - 1);
    for (int i = 0; i < FIELD_COUNT; i++) {
        lua_pushstring(L, field_names[i]);
    }
}

/* Pushes a field of the table at `index`; its type. */
static int push_field(lua_State *L, int index, enum field field)
{
    lua_pushvalue(L, FIRST_FIELD + (int)field);
    lua_rawget(L, index);
    return lua_type(L, -1);
}

/* A field as bytes in `out`; empty where it is nil. */
static struct bytes value_field_read(lua_State *L, int index, uint32_t number, enum field field,
                                     struct buffer *out)
{
    buffer_clear(out);
    if (push_field(L, index, field) != LUA_TNIL && !lua_value_write(L, -1, out)) {
        lua_user_error(L, "bad argument 'history' (entry %d: '%s': %s)", (int)number,
                       field_names[field],
                       lua_value_is_too_large(out) ? "too large" : lua_tostring(L, -1));
    }
    lua_pop(L, 1);
    return buffer_bytes(out);
}

static enum history_type type_field(lua_State *L, int index, uint32_t number)
{
    static const char *const names[] = {"invoke", "ok", "fail", "info"};
    const char *type = push_field(L, index, TYPE) == LUA_TSTRING ? lua_tostring(L, -1) : "";
    for (int i = 0; i < 4; i++) {
        if (strcmp(names[i], type) == 0) {
            lua_pop(L, 1);
            return (enum history_type)i;
        }
    }
    lua_user_error(L,
                   "bad argument 'history' (entry %d: its type is \"invoke\", \"ok\", \"fail\" or "
                   "\"info\")",
                   (int)number);
    return HISTORY_INVOKE;
}

/* What stands in the entry of an operation that has ended. */
static void read_outcome(lua_State *L, struct lua_history *box, int index, uint32_t number,
                         struct history_entry *entry)
{
    entry->result = value_field_read(L, index, number, RESULT, &box->key);
    if (push_field(L, index, LOG_INDEX) == LUA_TNUMBER && lua_tointeger(L, -1) > 0) {
        entry->log_index = (uint64_t)lua_tointeger(L, -1);
    }
    lua_pop(L, 1);
    if (entry->type == HISTORY_FAIL) {
        entry->is_mismatch = push_field(L, index, ERROR) == LUA_TSTRING &&
                             strcmp(lua_tostring(L, -1), "mismatch") == 0;
        lua_pop(L, 1);
        entry->seen = value_field_read(L, index, number, SEEN, &box->seen);
    }
}

/* The entry on top of the stack. */
static void read_entry(lua_State *L, struct lua_history *box, uint32_t number)
{
    int index = lua_gettop(L);
    struct history_entry entry = {.type = type_field(L, index, number)};
    if (push_field(L, index, PROCESS) == LUA_TSTRING) { /* a nemesis */
        lua_pop(L, 1);
        history_skip(box->history);
        return;
    }
    if (!lua_isinteger(L, -1)) {
        lua_user_error(L, "bad argument 'history' (entry %d: its process is an integer)",
                       (int)number);
    }
    entry.process = (int64_t)lua_tointeger(L, -1);
    if (push_field(L, index, F) ==
        LUA_TSTRING) { /* stays on the stack as long as it is looked at */
        entry.f.data = (const uint8_t *)lua_tolstring(L, -1, &entry.f.size);
    }
    if (entry.type == HISTORY_INVOKE) {
        entry.key = value_field_read(L, index, number, KEY, &box->key);
    } else {
        read_outcome(L, box, index, number, &entry);
    }
    entry.value = value_field_read(L, index, number, VALUE, &box->value);
    struct failure failure = {0};
    if (!history_add(box->history, &entry, &failure)) {
        lua_user_error(L, "bad argument 'history' (%s)", failure.message);
    }
    lua_pop(L, 2);
}

/* core.history(entries) → history; raises an error that names the entry where one is malformed */
int lua_history_new(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    struct lua_history *box = lua_history_push(L);
    box->history = history_new();
    size_t count = (size_t)lua_rawlen(L, 1);
    luaL_argcheck(L, count < HISTORY_NEVER / 2, 1, "too many entries");
    push_names(L);
    for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(L, 1, (lua_Integer)i);
        if (!lua_istable(L, -1)) {
            lua_user_error(L, "bad argument 'history' (entry %d is not a table)", (int)i);
        }
        read_entry(L, box, (uint32_t)i);
        lua_pop(L, 1);
    }
    history_end(box->history);
    lua_settop(L, FIRST_FIELD - 1);
    return 1;
}

static int history_gc(lua_State *L)
{
    struct lua_history *box = lua_history_check(L, 1);
    history_free(box->history);
    box->history = NULL;
    buffer_free(&box->key);
    buffer_free(&box->value);
    buffer_free(&box->seen);
    return 0;
}

/* #history: how many operations may have had an effect */
static int history_length(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)history_count(lua_history_check(L, 1)->history));
    return 1;
}

void lua_history_register(lua_State *L)
{
    luaL_newmetatable(L, LUA_HISTORY);
    lua_pushcfunction(L, history_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, history_length);
    lua_setfield(L, -2, "__len");
    lua_pop(L, 1);
}
