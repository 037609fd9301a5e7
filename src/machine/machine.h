/*
 * machine: what a state machine is (machine.c), client sessions above it (session.c), snapshots of
 * both (snapshot.c), and the key-value machine that comes with the house (kv.c, kv_parts.c,
 * kv_table.c, kv_snapshot.c).
 *
 * The payload of a COMMAND entry is a head and an encoded value. The head is one byte 0, or one
 * byte 1, then session and sequence (two little-endian u64): a command of a session is applied
 * exactly once. A payload of one byte 2 opens a session, whose number is its entry's index. The
 * core reads none of it. A machine knows nothing of terms, logs, nodes and the network. It does no
 * I/O and reads no clock.
 */
#ifndef RAFTBENCH_MACHINE_H
#define RAFTBENCH_MACHINE_H

#include "base/base.h"

struct machine_payload {
    uint64_t session; /* 0: none */
    uint64_t sequence;
    struct bytes command; /* an encoded value */
};

void machine_payload_write(struct buffer *out, const struct machine_payload *payload);
/* false: malformed; or it opens a session, and has no command. */
bool machine_payload_read(struct bytes bytes, struct machine_payload *payload);
extern const struct bytes machine_opening_payload;
/* Puts these into the payload of a session's command. */
void machine_payload_address(uint8_t *payload, uint64_t session, uint64_t sequence);

/* What a state machine does. A machine that answers false has failed (a message is in `failure`),
 * and its node stops: a replica that cannot apply must not go on. */
struct machine_operations {
    /* The command at `index`; its result, one encoded value, is appended to `result` (nothing:
     * null). One of more than VALUE_BYTES_MAX is too large, and need not be whole. */
    bool (*apply)(void *self, uint64_t index, struct bytes command, struct buffer *result,
                  struct failure *failure);
    /* A read: its answer, one encoded value, is appended to `answer`. */
    bool (*query)(void *self, struct bytes request, struct buffer *answer, struct failure *failure);
    void (*free)(void *self);
    /* The state as bytes, a bounded number at a time, and back. NULL, all of them: this machine has
     * no snapshots. `begin` gives the state as it is then; commands are applied meanwhile. `next`
     * appends about `wanted` bytes more, fewer only at the end (`*over`), more only for an item
     * that is larger. `end` at the end, or earlier to give it up. One at a time. */
    bool (*snapshot_begin)(void *self, struct failure *failure);
    bool (*snapshot_next)(void *self, size_t wanted, struct buffer *out, bool *over,
                          struct failure *failure);
    void (*snapshot_end)(void *self);
    /* `begin` drops the present state; the bytes come in pieces of any size; nothing is applied or
     * asked before `end`, which answers false where they were not whole. Any bytes may come. */
    bool (*restore_begin)(void *self, struct failure *failure);
    bool (*restore_piece)(void *self, struct bytes piece, struct failure *failure);
    bool (*restore_end)(void *self, struct failure *failure);
    /* A number that equal states share, of the present one; 0: none. NULL: this machine has none.
     * It is asked after each command where states are compared: it should not go over the whole. */
    bool (*digest)(void *self, uint64_t *digest, struct failure *failure);
    /* What a snapshot under way keeps of the state that it began with, beside the present one.
     * NULL: nothing. */
    size_t (*kept_bytes)(const void *self);
};

/* A machine with its sessions. */
struct machine;

struct machine *machine_new(const struct machine_operations *operations, void *self);
void machine_free(struct machine *machine); /* and what it was made of */
/* What became of a command. Sessions live by the log alone: the table holds the 10,000 used last,
 * by log order (dissertation 6.3). */
enum machine_verdict {
    MACHINE_APPLIED,         /* also earlier: a repeated (session, sequence) gives its result */
    MACHINE_SESSION_UNKNOWN, /* never opened, or no longer among those used last: not applied */
    MACHINE_SESSION_PAST,    /* a later one of its session was: not applied now */
};

/* One COMMAND entry's payload. Its result is appended (null for what is not applied); nothing is
 * where it would be too large. */
bool machine_apply(struct machine *machine, uint64_t index, struct bytes payload,
                   struct buffer *result, enum machine_verdict *verdict, struct failure *failure);
/* false: it has no answer, or one that is too large. */
bool machine_query(struct machine *machine, struct bytes request, struct buffer *answer,
                   struct failure *failure);
void *machine_self(struct machine *machine);

/* ---- snapshots ------------------------------------------------------------------------------ */

/* The machine's state with its sessions, as one stream of bytes behind a format version; equal
 * states of one machine in C give equal bytes. As machine_operations has it. */
bool machine_has_snapshots(const struct machine *machine);
bool machine_snapshot_begin(struct machine *machine, struct failure *failure);
bool machine_snapshot_next(struct machine *machine, size_t wanted, struct buffer *out, bool *over,
                           struct failure *failure);
void machine_snapshot_end(struct machine *machine); /* nothing where none is under way */
bool machine_restore_begin(struct machine *machine, struct failure *failure);
bool machine_restore_piece(struct machine *machine, struct bytes piece, struct failure *failure);
bool machine_restore_end(struct machine *machine, struct failure *failure);
/* A number that equal states share, of the present one, without sessions; 0: none. */
bool machine_digest(struct machine *machine, uint64_t *digest, struct failure *failure);
/* The same with its sessions, of the state that a snapshot began with last or that was restored
 * last: once its last piece was given, or after its end. */
uint64_t machine_snapshot_digest(const struct machine *machine);
size_t machine_kept_bytes(const struct machine *machine);

/* The key-value machine. Commands are maps: {op="set", key, value} → null; {op="delete", key} →
 * true where it was there, else false; {op="cas", key, old, new} (absent `old`: the key must be
 * absent; absent `new`: delete) → [true] or [false, present value] ([false] where absent);
 * {op="append", key, value} of strings → null; lists: {op="push", key, value} → null, {op="pop",
 * key} → [first] or []; sets, which are lists: {op="add", key, value} and {op="remove", …} →
 * whether that changed it. What is absent is empty. Keys are any values. Anything else commits with
 * no effect and null. Query {op="get", key} → [value], or [] where it is missing; {op="size"} →
 * count; others fail no node: null. */
extern const struct machine_operations kv_operations;
void *kv_new(void);

#endif
