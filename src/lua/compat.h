/*
 * What Lua 5.4's C interface has and 5.3, 5.1 and LuaJIT lack, in their words. Nothing else in this
 * room knows which Lua it is built for.
 */
#ifndef RAFTBENCH_LUA_COMPAT_H
#define RAFTBENCH_LUA_COMPAT_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>

#if LUA_VERSION_NUM < 504
/* One user value at most is asked for here, and that is what they have. */
#define lua_newuserdatauv(L, size, values) lua_newuserdata(L, size)
#if LUA_VERSION_NUM >= 503
#define lua_setiuservalue(L, index, n) lua_setuservalue(L, index)
#define lua_getiuservalue(L, index, n) lua_getuservalue(L, index)
#endif
#endif

#if LUA_VERSION_NUM < 502
#define LUA_OK 0
#define LUA_MAX_EXACT 9007199254740991.0 /* 2^53 - 1: 2^53 is what 2^53 + 1 becomes, too */

#define lua_rawlen(L, index) lua_objlen(L, index)
#define lua_setiuservalue(L, index, n) lua_setfenv(L, index)
#define lua_getiuservalue(L, index, n) lua_getfenv(L, index)

static inline int lua_absindex(lua_State *L, int index)
{
    return index < 0 && index > LUA_REGISTRYINDEX ? lua_gettop(L) + index + 1 : index;
}

static inline void compat_rawgeti(lua_State *L, int index, lua_Integer key)
{
    int table = lua_absindex(L, index);
    lua_pushinteger(L, key);
    lua_rawget(L, table);
}

static inline void compat_rawseti(lua_State *L, int index, lua_Integer key)
{
    int table = lua_absindex(L, index);
    lua_pushinteger(L, key);
    lua_insert(L, -2);
    lua_rawset(L, table);
}

/* Theirs take an int. */
#define lua_rawgeti compat_rawgeti
#define lua_rawseti compat_rawseti

static inline bool lua_isinteger(lua_State *L, int index)
{
    if (lua_type(L, index) != LUA_TNUMBER) {
        return false;
    }
    lua_Number number = lua_tonumber(L, index);
    return number >= -LUA_MAX_EXACT && number <= LUA_MAX_EXACT &&
           number == (lua_Number)(long long)number;
}

static inline void lua_rawgetp(lua_State *L, int index, const void *key)
{
    int table = lua_absindex(L, index);
    lua_pushlightuserdata(L, (void *)(size_t)key);
    lua_rawget(L, table);
}

static inline void lua_rawsetp(lua_State *L, int index, const void *key)
{
    int table = lua_absindex(L, index);
    lua_pushlightuserdata(L, (void *)(size_t)key);
    lua_insert(L, -2);
    lua_rawset(L, table);
}
#endif

/* luaL_setfuncs, luaL_setmetatable and luaL_traceback are in LuaJIT 2.1 and from 5.2 on; PUC 5.1 is
 * not among the Luas that this is built for. */

#endif
