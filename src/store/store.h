/*
 * store: what a replica makes durable (hard state, entries, first members), behind one asynchronous
 * interface. memory.c is a disk in memory with unsynced writes that a power cut loses, chunks.c the
 * log of entry references that it holds; a write-ahead log over files stands behind the same
 * interface.
 *
 * A store decides nothing about Raft, reads no clock of its own and never loses what it has
 * confirmed.
 */
#ifndef RAFTBENCH_STORE_H
#define RAFTBENCH_STORE_H

#include "base/base.h"
#include "raft/raft.h"
#include "world/world.h"

/* What a disk holds. Entries are views of the store's own references, valid until the next call. */
struct store_contents {
    uint64_t directory; /* drawn when the disk was made */
    uint64_t term;
    uint64_t vote;
    uint64_t vote_directory;
    const struct raft_configuration *first_members; /* may be empty */
    uint64_t first_index;
    uint64_t entry_count;
};

/* `persisted` is told the highest sequence that is durable, in order; it never comes from within
 * store_persist. `failed` once, when writing failed: the node must stop. */
struct store_handler {
    void (*persisted)(void *context, uint64_t sequence);
    void (*failed)(void *context, const char *problem);
    void *context;
};

struct store;

/* A store in memory. A write lasts between sync_min_ns and sync_max_ns of the world's time, drawn
 * from the stream "disk/ID/sync" (both 0: it is done in the same turn, before time passes). One
 * write is in flight; what comes meanwhile is written together after it. `disk`: how many this id
 * had before in this run. Each is given a directory of its own, which tells it from all others. */
struct store *store_memory_new(struct world *world, uint64_t id, uint64_t disk, uint64_t seed,
                               int64_t sync_min_ns, int64_t sync_max_ns);
void store_free(struct store *store);
/* A slow disk: each write that begins from now on lasts so much longer. */
void store_set_sync_delay(struct store *store, int64_t sync_delay_ns);
uint64_t store_directory(const struct store *store);

/* Before the first start: what the disk holds; takes its own references. */
void store_format(struct store *store, const struct raft_start *start);
/* Reads all; only while closed. */
void store_recover(const struct store *store, struct store_contents *contents);
const struct raft_entry *store_entry_at(const struct store *store,
                                        uint64_t index); /* durable ones */
/* From now on writes are taken and confirmed to this handler. */
void store_open(struct store *store, const struct store_handler *handler);
/* Queues one persist, in order; entries [first_index, last_index] are read from `raft` now
 * (references are taken). */
void store_persist(struct store *store, const struct raft_persist *persist,
                   const struct raft *raft);
/* A power cut, which loses what was not durable, or with `sync` an orderly end, after which all is.
 * No callback comes after. */
void store_close(struct store *store, bool sync);
uint64_t store_sync_count(const struct store *store);
/* Bytes that were handed to the disk: payloads, 16 for each entry's head, 16 for term and vote. */
uint64_t store_byte_count(const struct store *store);

#endif
