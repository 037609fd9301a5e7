/*
 * Bare cores for Lua: what replica.c (one, stepped by hand), replica_input.c (its events) and
 * cores.c (several under one harness) share.
 */
#ifndef RAFTBENCH_LUA_REPLICA_H
#define RAFTBENCH_LUA_REPLICA_H

#include "lua/module.h"

/* What an event's fields were read into; its userdata stays on the stack. */
struct lua_input {
    struct lua_message_parts *parts;
    struct raft_message message;
    struct raft_snapshot snapshot;
    struct raft_event event;
};

/* The table at `index`, named as in raft.h. Raises where the core takes for granted of its caller
 * what it is not: `persisted` is the latest persist that was handed out. */
void lua_input_read(lua_State *L, int index, const struct raft *raft, int64_t now_ns,
                    uint64_t persisted, struct lua_input *input);
/* The table on top of the stack: {index, term, size, members_index, voters, ...} */
void lua_snapshot_read(lua_State *L, struct lua_message_parts *parts,
                       struct raft_snapshot *snapshot);
void lua_update_push(lua_State *L, const struct raft *raft, const struct raft_update *update);
/* A replica by the options at `index`, which starts at now_ns. Raises where they are wrong. */
void lua_raft_options(lua_State *L, int index, struct raft_options *options);
struct raft *lua_raft_new(lua_State *L, int index, int64_t now_ns);
/* A replica that belongs to what is at `owner`, which it keeps alive: to be looked at only. */
void lua_replica_push_view(lua_State *L, int owner, struct raft *raft);
/* A renaming given as a table at index 2, or none (NULL); it lies in `*renaming`. */
const struct raft_renaming *lua_renaming(lua_State *L, struct raft_renaming *renaming);

#endif
