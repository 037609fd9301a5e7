/*
 * The private side of store/: what all kinds of store share. A log of entry references in chunks;
 * the image of what a disk holds for sure; groups of persists that are written together.
 */
#ifndef RAFTBENCH_STORE_INTERNAL_H
#define RAFTBENCH_STORE_INTERNAL_H

#include "store/store.h"

#define CHUNK_ENTRIES 256U

/* Entries of a log by reference, in chunks of fixed size so that it grows without moving. All zero
 * but `first_index` is an empty one. */
struct entry_chunks {
    array_of(struct raft_entry *) chunks;
    uint64_t first_index;
    uint64_t count;
    uint32_t dropped; /* places of the first chunk whose entries were dropped */
};

void entry_chunks_free(struct entry_chunks *log); /* and make it empty */
struct raft_entry *entry_chunks_at(const struct entry_chunks *log, uint64_t index);
/* Takes over the caller's reference of the entry's batch. */
void entry_chunks_append(struct entry_chunks *log, const struct raft_entry *entry);
void entry_chunks_cut(struct entry_chunks *log, uint64_t from_index);    /* removes from there on */
void entry_chunks_drop(struct entry_chunks *log, uint64_t before_index); /* removes those before */

/* One persist as it was queued; its entries stand in its group's array. */
struct group_record {
    uint64_t sequence;
    uint64_t term;
    uint64_t vote;
    uint64_t vote_directory;
    uint64_t reset_index; /* 0: no. Else first: the log is empty behind it */
    uint64_t reset_term;
    uint64_t first_index; /* 0: no entries */
    uint32_t entry_count;
    bool hard_state;
};

/* Persists that are written together. All zero is an empty one. */
struct group {
    array_of(struct group_record) records;
    array_of(struct raft_entry) entries; /* each holds its batch */
};

/* One persist more, whose entries are read from `raft` now; references are taken. What it counts
 * as in a store's byte_count. */
uint64_t group_add(struct group *group, const struct raft_persist *persist,
                   const struct raft *raft);
static inline const struct group_record *group_last(const struct group *group)
{
    ensure(group->records.count > 0);
    return &group->records.items[group->records.count - 1];
}

/* Moves the first `count` persists to `to`, which is empty. */
void group_move(struct group *group, size_t count, struct group *to);
void group_drop(struct group *group); /* empty, keeping its memory: its persists are lost */
void group_free(struct group *group); /* the same, and gives its memory back */

/* What a disk holds for sure. Made empty by image_clear. */
struct image {
    uint64_t term;
    uint64_t vote;
    uint64_t vote_directory;
    struct raft_configuration first_members;
    struct entry_chunks log;
};

/* The log is empty behind `index`, which a snapshot covers. */
void image_reset(struct image *image, uint64_t index);
/* The log before `first_index` is not needed any more. Beyond its end: it is empty. */
void image_compact(struct image *image, uint64_t first_index);
/* The group is durable: its persists are part of the image now, in their order, and it is empty. */
void image_settle(struct image *image, struct group *group);
/* What an empty disk holds before the first life; references are taken. */
void image_format(struct image *image, const struct raft_start *start);
void image_contents(const struct image *image, struct store_contents *contents); /* no directory */
void image_clear(struct image *image); /* an empty disk's */
void image_free(struct image *image);

/* ---- snapshots of the store in memory (memory_snapshots.c) ----------------------------------- */

struct memory_snapshot;

struct memory_snapshots {
    struct world *world;
    struct store *store;                      /* for what it counts */
    array_of(struct memory_snapshot *) whole; /* by rising index */
    struct list writers;
    struct list reads;
};

const struct raft_snapshot *memory_snapshots_latest(const struct memory_snapshots *snapshots);
struct memory_snapshots *memory_snapshots_of(const struct store_writer *writer);
void memory_snapshots_drop(struct memory_snapshots *snapshots, uint64_t index);
/* The store's operations, but for how long the last write takes. */
struct store_writer *memory_snapshots_begin(struct memory_snapshots *snapshots,
                                            const struct raft_snapshot *meta);
void memory_snapshots_write(struct store_writer *writer, struct bytes bytes, store_done *done,
                            void *context);
void memory_snapshots_finish(struct store_writer *writer, int64_t lasts_ns, store_finished *done,
                             void *context);
void memory_snapshots_abort(struct store_writer *writer);
void memory_snapshots_read(struct memory_snapshots *snapshots, uint64_t index, uint64_t offset,
                           size_t size, store_read_done *done, void *context);
void memory_snapshots_cut(struct memory_snapshots *snapshots);     /* what is under way is lost */
void memory_snapshots_recover(struct memory_snapshots *snapshots); /* only the latest stays */
void memory_snapshots_clear(struct memory_snapshots *snapshots);   /* as an empty disk */

#endif
