/*
 * The private side of store/: a log of entry references in chunks, as a disk in memory holds it.
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
};

void entry_chunks_free(struct entry_chunks *log); /* and make it empty */
struct raft_entry *entry_chunks_at(const struct entry_chunks *log, uint64_t index);
/* Takes over the caller's reference of the entry's batch. */
void entry_chunks_append(struct entry_chunks *log, const struct raft_entry *entry);
void entry_chunks_cut(struct entry_chunks *log, uint64_t from_index); /* removes from there on */

#endif
