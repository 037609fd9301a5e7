/* Failures and arguments between C and Lua. */
#include "lua/module.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define OWN_FILES "raft.core.own_files"

bool lua_is_own_file(lua_State *L, const char *source)
{
    lua_getfield(L, LUA_REGISTRYINDEX, OWN_FILES);
    const char *own = lua_tostring(L, -1);
    bool is_own = own != NULL && strncmp(source, own, strlen(own)) == 0;
    lua_pop(L, 1);
    return is_own;
}

/* Pushes "FILE:LINE: " of the innermost Lua function that is a user's; "" where there is none. */
static void push_user_place(lua_State *L)
{
    lua_Debug frame;
    for (int level = 1; lua_getstack(L, level, &frame); level++) {
        lua_getinfo(L, "Sl", &frame);
        if (frame.currentline > 0 && !lua_is_own_file(L, frame.source)) {
            lua_pushfstring(L, "%s:%d: ", frame.short_src, frame.currentline);
            return;
        }
    }
    lua_pushliteral(L, "");
}

int lua_user_error(lua_State *L, const char *format, ...)
{
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    push_user_place(L);
    lua_pushstring(L, message);
    lua_concat(L, 2);
    return lua_error(L);
}

int lua_user_error_function(lua_State *L)
{
    luaL_checkstring(L, 1);
    push_user_place(L);
    lua_pushvalue(L, 1);
    lua_concat(L, 2);
    return lua_error(L);
}

int lua_own_files(lua_State *L)
{
    luaL_checkstring(L, 1);
    lua_pushvalue(L, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, OWN_FILES);
    return 0;
}

int lua_failure_push(lua_State *L, const struct failure *failure)
{
    ensure(failure->code != FAILURE_NONE);
    lua_pushnil(L);
    lua_pushstring(L, failure->message);
    lua_pushstring(L, failure_name(failure->code));
    lua_createtable(L, 0, 2);
    if (failure->leader != 0) {
        lua_set_integer(L, "leader", failure->leader);
    }
    if (failure->file[0] != '\0') {
        lua_set_text(L, "file", failure->file);
        lua_set_integer(L, "offset", failure->offset);
    }
    if (failure->unknown) {
        lua_set_boolean(L, "unknown", true);
    }
    return 4;
}

void *lua_own_userdata(lua_State *L, const char *type)
{
    if (lua_getmetatable(L, 1)) {
        bool is_ours = lua_rawequal(L, -1, lua_upvalueindex(1));
        lua_pop(L, 1);
        if (is_ours) {
            return lua_touserdata(L, 1);
        }
    }
    return luaL_checkudata(L, 1, type);
}

uint64_t lua_id_check(lua_State *L, int index)
{
    lua_Integer id = luaL_checkinteger(L, index);
    luaL_argcheck(L, id >= 1, index, "ids are integers from 1");
    return (uint64_t)id;
}

int64_t lua_time_from(int64_t time_ns)
{
    return time_ns >= LUA_NEVER ? WORLD_NEVER : time_ns;
}

int64_t lua_time_check(lua_State *L, int index)
{
    return lua_time_from((int64_t)luaL_checkinteger(L, index));
}

void lua_hash_push(lua_State *L, uint64_t hash)
{
    char text[17];
    snprintf(text, sizeof text, "%016llx", (unsigned long long)hash);
    lua_pushstring(L, text);
}

int64_t lua_field_integer(lua_State *L, int index, const char *name, int64_t otherwise)
{
    lua_getfield(L, index, name);
    int64_t value = otherwise;
    if (lua_isnumber(L, -1)) {
        value = (int64_t)lua_tointeger(L, -1);
    }
    lua_pop(L, 1);
    return value;
}

double lua_field_number(lua_State *L, int index, const char *name, double otherwise)
{
    lua_getfield(L, index, name);
    double value = lua_isnumber(L, -1) ? (double)lua_tonumber(L, -1) : otherwise;
    lua_pop(L, 1);
    return value;
}

bool lua_field_boolean(lua_State *L, int index, const char *name, bool otherwise)
{
    lua_getfield(L, index, name);
    bool value = lua_isnil(L, -1) ? otherwise : lua_toboolean(L, -1);
    lua_pop(L, 1);
    return value;
}

/* The option's value on the stack. Lua decides what an option is that nobody gave (raft.options),
 * so that one that is missing here is a mistake of ours. */
static void push_option(lua_State *L, int index, const char *name, int type)
{
    lua_getfield(L, index, name);
    if (lua_type(L, -1) != type) {
        luaL_error(L, "raft.core: the option '%s' is missing", name);
    }
}

int64_t lua_option_integer(lua_State *L, int index, const char *name)
{
    push_option(L, index, name, LUA_TNUMBER);
    int64_t value = (int64_t)lua_tointeger(L, -1);
    lua_pop(L, 1);
    return value;
}

double lua_option_number(lua_State *L, int index, const char *name)
{
    push_option(L, index, name, LUA_TNUMBER);
    double value = (double)lua_tonumber(L, -1);
    lua_pop(L, 1);
    return value;
}

bool lua_option_boolean(lua_State *L, int index, const char *name)
{
    push_option(L, index, name, LUA_TBOOLEAN);
    bool value = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return value;
}

void lua_set_integer(lua_State *L, const char *name, uint64_t value)
{
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, name);
}

void lua_set_boolean(lua_State *L, const char *name, bool value)
{
    lua_pushboolean(L, value);
    lua_setfield(L, -2, name);
}

void lua_set_text(lua_State *L, const char *name, const char *text)
{
    lua_pushstring(L, text);
    lua_setfield(L, -2, name);
}

void lua_set_bytes(lua_State *L, const char *name, struct bytes bytes)
{
    lua_bytes_push(L, bytes);
    lua_setfield(L, -2, name);
}
