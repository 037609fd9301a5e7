/* Streams of random numbers by name, for whoever draws in Lua: workloads, nemeses. It draws nothing
 * for the cluster's own parts, which have theirs in C. */
#include "lua/module.h"

#define LUA_STREAM "raft.core.stream"

/* core.stream(seed, name) → a stream of that run's own: one more draw in it changes no other */
int lua_stream_new(lua_State *L)
{
    lua_Integer seed = luaL_checkinteger(L, 1);
    const char *name = luaL_checkstring(L, 2);
    struct random *stream = lua_newuserdatauv(L, sizeof *stream, 0);
    *stream = random_stream((uint64_t)seed, name);
    luaL_setmetatable(L, LUA_STREAM);
    return 1;
}

int lua_random_push(lua_State *L, struct random *random)
{
    if (lua_isnoneornil(L, 2)) {
        lua_pushnumber(L, (lua_Number)(random_next(random) >> 11) * 0x1p-53);
        return 1;
    }
    lua_Integer low = luaL_checkinteger(L, 2);
    lua_Integer high = luaL_checkinteger(L, 3);
    luaL_argcheck(L, low <= high, 3, "interval is empty");
    lua_pushinteger(L, (lua_Integer)random_between(random, low, high));
    return 1;
}

/* stream:random() → [0, 1); stream:random(low, high) → an integer, both included */
static int stream_random(lua_State *L)
{
    return lua_random_push(L, lua_own_userdata(L, LUA_STREAM));
}

static const luaL_Reg methods[] = {
    {"random", stream_random},
    {NULL, NULL},
};

void lua_stream_register(lua_State *L)
{
    luaL_newmetatable(L, LUA_STREAM);
    lua_newtable(L);
    lua_pushvalue(L, -2);
    luaL_setfuncs(L, methods, 1); /* each knows its metatable */
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
