/*
 * What machine.c and machine_snapshot.c share: a state machine that is written in Lua.
 */
#ifndef RAFTBENCH_LUA_MACHINE_H
#define RAFTBENCH_LUA_MACHINE_H

#include "lua/module.h"

struct lua_machine {
    struct machine_operations operations; /* those that its object has */
    const struct lua_caller *caller;
    void *self; /* the caller's */
    uint64_t id;
    struct gather gather; /* of a restore */
    uint32_t chunk_size;  /* of a restore: */
    bool is_text;         /* the snapshot is one string, and not a function */
    bool head_written;
    bool head_read;
    bool mark_read; /* that a chunk follows */
    bool chunk_begun;
    bool is_over;
};

/* Pushes the machine's function; NULL and a failure: there is none. */
lua_State *lua_machine_function(struct lua_machine *machine, const char *name,
                                struct failure *failure);
/* Whether it has that field; what asking for it raises counts as no. */
bool lua_machine_has(const struct lua_machine *machine, const char *name);
/* Where the machine's functions are called; NULL: no longer. */
lua_State *lua_machine_state(const struct lua_machine *machine);
/* Calls the function below `arguments` values on top; its results are there then. false: it raised,
 * and the failure says so; nothing of it is there. */
bool lua_machine_call(struct lua_machine *machine, lua_State *L, const char *name, int arguments,
                      int results, struct failure *failure);
/* It raised what is on top (popped), a string or anything else. */
void lua_machine_raised(struct lua_machine *machine, lua_State *L, const char *name,
                        struct failure *failure);

/* machine_snapshot.c: what machine_operations has. */
bool lua_machine_snapshot_begin(void *self, struct failure *failure);
bool lua_machine_snapshot_next(void *self, size_t wanted, struct buffer *out, bool *over,
                               struct failure *failure);
void lua_machine_snapshot_end(void *self);
bool lua_machine_restore_begin(void *self, struct failure *failure);
bool lua_machine_restore_piece(void *self, struct bytes piece, struct failure *failure);
bool lua_machine_restore_end(void *self, struct failure *failure);
bool lua_machine_digest(void *self, uint64_t *digest, struct failure *failure);
void lua_machine_snapshot_free(struct lua_machine *machine);

#endif
