/* Nodes inside an application, as Lua holds them: shared by hosts.c and host.c. */
#ifndef RAFTBENCH_LUA_HOSTS_H
#define RAFTBENCH_LUA_HOSTS_H

#include "host/host.h"
#include "lua/module.h"

#define LUA_HOSTS "raft.core.hosts"
#define LUA_HOST "raft.core.host"

/* All nodes of one Lua state, with the loop that they share. There is one, anchored in the
 * registry; its user value holds `dispatch`, `error`, `machines` and `failures`. */
struct lua_hosts {
    struct hosts *hosts; /* made when it is first needed; NULL: no node, nobody polls */
    struct lua_host *first;
    lua_State *L; /* who called; NULL: nobody, and nothing is called back */
    int depth;    /* methods entered and not left */
    bool has_error;
    int pins; /* of those who poll its descriptor */
    struct buffer value;
};

struct lua_host {
    struct host *host; /* NULL: closed */
    struct lua_hosts *all;
    struct lua_host *next;
    uint64_t id;
    bool closing;
    bool traced; /* it has a trace of its own */
};

/* ---- hosts.c */
struct lua_hosts *lua_hosts_get(lua_State *L);
void lua_hosts_enter(lua_State *L, struct lua_hosts *all, lua_State **before);
/* Raises what a callback raised, where nothing of the loop is below any more. */
void lua_hosts_leave(lua_State *L, struct lua_hosts *all, lua_State *before);
/* false and a failure where the loop cannot be made. */
bool lua_hosts_need(struct lua_hosts *all, struct failure *failure);
void lua_hosts_release(struct lua_hosts *all);        /* the loop, where nobody needs it any more */
void lua_hosts_table(lua_State *L, const char *name); /* pushes that table of the user value */
/* dispatch(id, what, ...): pushes the function and the first two; false: nobody listens. */
bool lua_dispatch_begin(struct lua_hosts *all, uint64_t id, const char *what);
void lua_dispatch(struct lua_hosts *all, int arguments); /* with so many more on top */
void lua_hosts_keep_error(struct lua_hosts *all);        /* the one on top, popped */

/* ---- host.c */
int lua_host_new(lua_State *L); /* hosts:node(options) */
void lua_host_register(lua_State *L);
void lua_host_finish(struct lua_host *box); /* ends one that is closing, with its last callbacks */
void lua_host_drop(struct lua_host *box);   /* ends it without a word */

#endif
