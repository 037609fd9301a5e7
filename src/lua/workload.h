/* Workloads as Lua holds them: workload.c makes and drives them, workload_look.c reads them. */
#ifndef RAFTBENCH_LUA_WORKLOAD_H
#define RAFTBENCH_LUA_WORKLOAD_H

#include "workload/workload.h"

#include "lua/module.h"

struct lua_workload {
    struct workload *workload;
    struct lua_cluster *cluster; /* its user value keeps it */
    struct buffer value;         /* scratch */
};

/* Raises an error where it was collected: only a finalizer of the script's can still have it. */
struct lua_workload *lua_workload_check(lua_State *L, int index);
uint32_t lua_workload_client(lua_State *L, int index); /* a client's number */

extern const luaL_Reg lua_workload_look_methods[];

#endif
