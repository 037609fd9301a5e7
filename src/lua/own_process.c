/* This process itself, for who starts others: who it is, where it may run, and its end with its
 * parent's. It starts nothing. */
#define _GNU_SOURCE /* NOLINT(bugprone-reserved-identifier): for sched_getaffinity */
#include "lua/module.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

/* core.end_with_parent(parent): this process, which was started by one of that id, ends when that
 * does */
static int end_with_parent(lua_State *L)
{
    pid_t parent = (pid_t)luaL_checkinteger(L, 1);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(EXIT_FAILURE);
    }
    return 0;
}

/* core.process_id() → integer */
static int process_id(lua_State *L)
{
    lua_pushinteger(L, getpid());
    return 1;
}

/* core.processors() → how many this process may run on */
static int processors(lua_State *L)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        count = CPU_COUNT(&set);
    }
    lua_pushinteger(L, count > 0 ? (lua_Integer)count : 1);
    return 1;
}

const luaL_Reg lua_own_process_functions[] = {
    {"processors", processors},
    {"end_with_parent", end_with_parent},
    {"process_id", process_id},
    {NULL, NULL},
};
