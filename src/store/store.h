/*
 * store: what a replica makes durable (hard state, entries, first members), behind a table of
 * functions, all of them asynchronous, recovery included. image.c is what a disk holds for sure,
 * its log of entry references in chunks.c. memory.c is a disk in memory with unsynced writes that a
 * power cut loses; a write-ahead log over files stands behind the same table.
 *
 * A store decides nothing about Raft, reads no clock of its own and never loses what it has
 * confirmed.
 */
#ifndef RAFTBENCH_STORE_H
#define RAFTBENCH_STORE_H

#include "base/base.h"
#include "raft/raft.h"
#include "world/world.h"

/* What a disk holds. */
struct store_contents {
    uint64_t directory; /* drawn when the disk was made */
    uint64_t term;
    uint64_t vote;
    uint64_t vote_directory;
    const struct raft_configuration *first_members; /* may be empty */
    uint64_t first_index;
    uint64_t entry_count;
};

/* Whom a store tells. None comes from within a call of the store's. */
struct store_handler {
    /* Once after `open`: all was read, and writes are taken from now on. Or a failure: what is on
     * the disk cannot be used; the store is as after a power cut. */
    void (*recovered)(void *context, const struct failure *failure);
    /* All persists up to `sequence` are durable; `term` is that of this persist. In order. */
    void (*persisted)(void *context, uint64_t sequence, uint64_t term);
    /* Once, when an operation failed: nothing more is confirmed, the node must stop. */
    void (*failed)(void *context, const char *problem);
    /* Once after an orderly `close`: what was handed over is durable, and nothing is under way. */
    void (*closed)(void *context);
    void *context;
};

struct store;

struct store_operations {
    /* Recovers, and takes writes then. What the last life has under way, a wipe too, ends first. */
    void (*open)(struct store *store, const struct store_handler *handler);
    /* What the disk holds for sure: while it is not open, and from `recovered` to the first
     * persist. */
    void (*contents)(const struct store *store, struct store_contents *contents);
    /* One entry of these; a view until the next persist, wipe or close. */
    const struct raft_entry *(*entry_at)(const struct store *store, uint64_t index);
    /* Queues one persist. Entries [first_index, last_index], each a range of a batch, are read from
     * `raft` now; references are taken. */
    void (*persist)(struct store *store, const struct raft_persist *persist,
                    const struct raft *raft);
    /* A power cut: what is not durable is lost, and no callback comes after. With `sync` an orderly
     * end: no callback comes after but those of what was queued, then `closed`, unless a power cut
     * or the next `open` comes first. */
    void (*close)(struct store *store, bool sync);
    /* Another disk in its place, which is empty. Each disk has a directory of its own, which tells
     * it from all others. Not while it is open; `contents` tells the directory at once. */
    void (*wipe)(struct store *store);
    /* What an empty disk holds before the first `open`; references are taken. */
    void (*format)(struct store *store, const struct raft_start *start);
    /* A slow disk: each write that begins from now on lasts so much longer. */
    void (*set_sync_delay)(struct store *store, int64_t sync_delay_ns);
    /* As after a power cut. */
    void (*free)(struct store *store);
};

/* The head of every store. */
struct store {
    const struct store_operations *operations;
    uint64_t sync_count; /* writes that have completed */
    /* Handed to the disk: payloads, 16 for each entry's head, 16 for term and vote. */
    uint64_t byte_count;
};

/* An empty disk in memory. A write lasts between sync_min_ns and sync_max_ns of the world's time,
 * drawn from the stream "disk/ID/sync" (both 0: it is done in the same turn, before time passes).
 * One write is in flight; what comes meanwhile is written together after it. Recovery takes no
 * time, but is an event of the world. */
struct store *store_memory_new(struct world *world, uint64_t id, uint64_t seed, int64_t sync_min_ns,
                               int64_t sync_max_ns);

#endif
