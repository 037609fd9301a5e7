/* A history of clients as Lua holds it: history.c makes it, linear.c judges it. */
#ifndef RAFTBENCH_LUA_HISTORY_H
#define RAFTBENCH_LUA_HISTORY_H

#include "check/check.h"

#include "lua/module.h"

struct lua_history {
    struct history *history;
    struct buffer key; /* scratch: results, too */
    struct buffer value;
    struct buffer seen;
};

struct lua_history *lua_history_check(lua_State *L, int index);
/* A new one, pushed; its `history` is for the caller to make, and ended. */
struct lua_history *lua_history_push(lua_State *L);

#endif
