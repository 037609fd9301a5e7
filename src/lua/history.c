/* Histories for Lua: from a table of entries, as lua/raft/linearizable.lua describes them. */
#include "lua/history.h"

#define LUA_HISTORY "raft.core.history"

struct lua_history *lua_history_check(lua_State *L, int index)
{
    return luaL_checkudata(L, index, LUA_HISTORY);
}

/* The field of the table on top, as bytes in `out`; empty where it is nil. */
static struct bytes value_field_read(lua_State *L, uint32_t entry, const char *name,
                                     struct buffer *out)
{
    buffer_clear(out);
    lua_getfield(L, -1, name);
    if (!lua_isnil(L, -1) && !lua_value_write(L, -1, out)) {
        lua_user_error(L, "bad argument 'history' (entry %d: '%s': %s)", (int)entry, name,
                       lua_value_is_too_large(out) ? "too large" : lua_tostring(L, -1));
    }
    lua_pop(L, 1);
    return buffer_bytes(out);
}

static enum history_type type_field(lua_State *L, uint32_t entry)
{
    static const char *const names[] = {"invoke", "ok", "fail", "info"};
    lua_getfield(L, -1, "type");
    const char *type = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
    for (int i = 0; i < 4; i++) {
        if (strcmp(names[i], type) == 0) {
            lua_pop(L, 1);
            return (enum history_type)i;
        }
    }
    lua_user_error(L,
                   "bad argument 'history' (entry %d: its type is \"invoke\", \"ok\", \"fail\" or "
                   "\"info\")",
                   (int)entry);
    return HISTORY_INVOKE;
}

/* The entry on top of the stack. */
static void read_entry(lua_State *L, struct lua_history *box, uint32_t number)
{
    struct history_entry entry = {.type = type_field(L, number)};
    lua_getfield(L, -1, "process");
    if (lua_type(L, -1) == LUA_TSTRING) { /* a nemesis */
        lua_pop(L, 1);
        history_skip(box->history);
        return;
    }
    if (!lua_isinteger(L, -1)) {
        lua_user_error(L, "bad argument 'history' (entry %d: its process is an integer)",
                       (int)number);
    }
    entry.process = (int64_t)lua_tointeger(L, -1);
    lua_getfield(L, -2, "f"); /* stays on the stack as long as it is looked at */
    if (lua_type(L, -1) == LUA_TSTRING) {
        entry.f.data = (const uint8_t *)lua_tolstring(L, -1, &entry.f.size);
    }
    lua_pushvalue(L, -3);
    if (entry.type == HISTORY_INVOKE) {
        entry.key = value_field_read(L, number, "key", &box->key);
    } else {
        entry.result = value_field_read(L, number, "result", &box->key);
        int64_t log_index = lua_field_integer(L, lua_gettop(L), "log_index", 0);
        entry.log_index = log_index > 0 ? (uint64_t)log_index : 0;
    }
    entry.value = value_field_read(L, number, "value", &box->value);
    if (entry.type == HISTORY_FAIL) {
        lua_getfield(L, -1, "error");
        entry.is_mismatch =
            lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), "mismatch") == 0;
        lua_pop(L, 1);
        entry.seen = value_field_read(L, number, "seen", &box->seen);
    }
    struct failure failure = {0};
    if (!history_add(box->history, &entry, &failure)) {
        lua_user_error(L, "bad argument 'history' (%s)", failure.message);
    }
    lua_pop(L, 3);
}

/* core.history(entries) → history; raises an error that names the entry where one is malformed */
int lua_history_new(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    struct lua_history *box = lua_newuserdatauv(L, sizeof *box, 0);
    memset(box, 0, sizeof *box);
    luaL_setmetatable(L, LUA_HISTORY);
    box->history = history_new();
    size_t count = (size_t)lua_rawlen(L, 1);
    luaL_argcheck(L, count < HISTORY_NEVER / 2, 1, "too many entries");
    for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(L, 1, (lua_Integer)i);
        if (!lua_istable(L, -1)) {
            lua_user_error(L, "bad argument 'history' (entry %d is not a table)", (int)i);
        }
        read_entry(L, box, (uint32_t)i);
        lua_pop(L, 1);
    }
    history_end(box->history);
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
