/*
 * machine: what a state machine is (machine.c), client sessions above it (session.c), and the
 * key-value machine that comes with the house (kv.c).
 *
 * The payload of a COMMAND entry is a head and an encoded value. The head is one byte 0, or one
 * byte 1, then session and sequence (two little-endian u64): a command of a session is applied
 * exactly once. The core does not read it. A machine knows nothing of terms, logs, nodes and the
 * network. It does no I/O and reads no clock.
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
bool machine_payload_read(struct bytes bytes, struct machine_payload *payload);

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
};

/* A machine with its sessions. */
struct machine;

struct machine *machine_new(const struct machine_operations *operations, void *self);
void machine_free(struct machine *machine); /* and what it was made of */
/* One COMMAND entry's payload. Its result is appended; nothing is where it would be too large. A
 * repeated (session, sequence) gives the result that was remembered
 * and is not applied again; an older one than the latest gives null (the client has seen its
 * answer). Sessions live by the log alone: the table holds the 10,000 used last, by log order. */
bool machine_apply(struct machine *machine, uint64_t index, struct bytes payload,
                   struct buffer *result, struct failure *failure);
/* false: it has no answer, or one that is too large. */
bool machine_query(struct machine *machine, struct bytes request, struct buffer *answer,
                   struct failure *failure);
void *machine_self(struct machine *machine);

/* The key-value machine. Commands are maps: {op="set", key, value} → null; {op="delete", key} →
 * true where it was there, else false; {op="cas", key, old, new} (absent `old`: the key must be
 * absent; absent `new`: delete) → [true] or [false, present value] ([false] where absent). Keys are
 * any values. Anything else commits with no effect and null. Query {op="get", key} → [value], or []
 * where it is missing; {op="size"} → count; others fail no node: null. */
extern const struct machine_operations kv_operations;
void *kv_new(void);

#endif
