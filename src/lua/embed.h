/* Nodes inside an application, as Lua holds them: shared by embed_loop.c, embed_node.c and
 * embed_tell.c. */
#ifndef RAFTBENCH_LUA_EMBED_H
#define RAFTBENCH_LUA_EMBED_H

#include "embed/embed.h"
#include "lua/module.h"

#define LUA_EMBED_LOOP "raft.core.loop"
#define LUA_EMBEDDED "raft.core.node"

/* All nodes of one Lua state, with the loop that they share. There is one, anchored in the
 * registry; its user value holds `dispatch`, `error`, `machines` and `failures`. */
struct lua_embed_loop {
    struct embed_loop *loop; /* made when it is first needed; NULL: no node, nobody polls */
    struct lua_embedded *first;
    lua_State *L; /* who called; NULL: nobody, and nothing is called back */
    int depth;    /* methods entered and not left */
    bool has_error;
    int pins; /* of those who poll its descriptor */
    struct buffer value;
};

struct lua_embedded {
    struct embedded *embedded; /* NULL: closed */
    struct lua_embed_loop *all;
    struct lua_embedded *next;
    uint64_t id;
    bool closing;
    bool close_begun; /* its waiters were told; it may hand leadership over still */
    bool at_once;     /* it was closed again: that is not waited for */
    bool traced;      /* it has a trace of its own */
};

/* ---- embed_loop.c */
struct lua_embed_loop *lua_embed_loop_get(lua_State *L);
void lua_embed_loop_enter(lua_State *L, struct lua_embed_loop *all, lua_State **before);
/* Raises what a callback raised, when the loop is no longer on the stack. */
void lua_embed_loop_leave(lua_State *L, struct lua_embed_loop *all, lua_State *before);
/* false and a failure where the loop cannot be made. */
bool lua_embed_loop_need(struct lua_embed_loop *all, struct failure *failure);
void lua_embed_loop_release(struct lua_embed_loop *all); /* the loop, when it is no longer needed */
void lua_embed_loop_table(lua_State *L, const char *name); /* pushes that table of the user value */
/* dispatch(id, what, ...): pushes the function and the first two; false: nobody listens. */
bool lua_dispatch_begin(struct lua_embed_loop *all, uint64_t id, const char *what);
void lua_dispatch(struct lua_embed_loop *all, int arguments); /* with so many more on top */
void lua_embed_loop_keep_error(struct lua_embed_loop *all);   /* the one on top, popped */

/* ---- embed_tell.c: what embed.h calls, with the lua_embedded as context */
void lua_embed_on_done(void *context, uint64_t ticket, const struct node_outcome *outcome);
void lua_embed_on_event(void *context, const struct embed_event *event);
void lua_embed_on_trace(void *context, const struct trace_event *event);
/* {voters, learners, voters_old}, and the addresses by id */
void lua_embed_members_push(lua_State *L, const struct raft_configuration *members);

/* ---- embed_node.c */
int lua_embed_new(lua_State *L); /* loop:node(options) */
void lua_embed_register(lua_State *L);
void lua_embed_finish(
    struct lua_embedded *box); /* ends one that is closing, with its last callbacks */
void lua_embed_drop(struct lua_embedded *box); /* ends it without a word */

#endif
