/*
 * Bare cores for Lua: what replica.c (one, stepped by hand) and cores.c (several under one harness)
 * share.
 */
#ifndef RAFTBENCH_LUA_REPLICA_H
#define RAFTBENCH_LUA_REPLICA_H

#include "lua/module.h"

/* What an event's fields were read into; its userdata stays on the stack. */
struct lua_input {
    struct lua_message_parts *parts;
    struct raft_message message;
    struct raft_event event;
};

/* The table at `index`, named as in raft.h. Raises where the core takes for granted of its caller
 * what it is not: `persisted` is the latest persist that was handed out. */
void lua_input_read(lua_State *L, int index, int64_t now_ns, uint64_t persisted,
                    struct lua_input *input);
void lua_update_push(lua_State *L, const struct raft *raft, const struct raft_update *update);
/* A replica by the options at `index`, which starts at now_ns. Raises where they are wrong. */
struct raft *lua_raft_new(lua_State *L, int index, int64_t now_ns);
/* A replica that belongs to what is at `owner`, which it keeps alive: to be looked at only. */
void lua_replica_push_view(lua_State *L, int owner, struct raft *raft);
/* A renaming given as a table at index 2, or none (NULL); it lies in `*renaming`. */
const struct raft_renaming *lua_renaming(lua_State *L, struct raft_renaming *renaming);

#endif
