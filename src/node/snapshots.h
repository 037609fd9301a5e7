/*
 * The private side of node/, continued: snapshots, by subject.
 */
#ifndef RAFTBENCH_NODE_SNAPSHOTS_H
#define RAFTBENCH_NODE_SNAPSHOTS_H

#include "node/node.h"

/* ---- snapshots: taking them (snapshots.c) --------------------------------------------------- */

/* Asked for a snapshot that covers at least this index. */
struct compact_waiter {
    uint64_t index;
    struct node_asker asker;
};

struct snapshots {
    uint64_t since_entries; /* applied since the last one */
    uint64_t since_bytes;
    struct store_writer *writer; /* NULL: none is being taken */
    struct raft_snapshot meta;   /* of the one that is */
    struct raft_configuration members;
    uint64_t digest;       /* of the machine's state in it; 0: none */
    uint64_t latest_index; /* in the store, once it has finished */
    uint64_t turns;        /* of the machine, for it */
    struct buffer piece;
    bool is_last;     /* the machine has given all */
    bool is_owed;     /* the store's answer came while it was paused: */
    bool owed_finish; /* it was the last */
    struct failure owed_failure;
    array_of(struct compact_waiter) waiters;
    array_of(uint64_t) former; /* snapshots that the store still keeps */
    bool told_unable;          /* the user knows that the machine has no snapshots */
};

void snapshots_prepare(struct node *node); /* once */
void snapshots_begin(struct node *node);   /* a life */
void snapshots_count(struct node *node, const struct raft_entry *applied);
void snapshots_consider(struct node *node); /* begins one that is due */
/* The state that it is about has grown so far apart that nothing is applied for a while. */
bool snapshots_hold_back(const struct node *node);
/* How much of a snapshot the next turn takes, after so many turns. */
size_t snapshots_step_bytes(const struct node *node, uint64_t turns);
void snapshots_give_up(struct node *node); /* a received one takes the machine's place */
/* Another one, of this index, is the latest now, after `last`. */
void snapshots_replaced(struct node *node, uint64_t last);
void snapshots_tidy(struct node *node); /* those that nobody reads any more go */
void snapshots_catch_up(struct node *node);
void snapshots_end(struct node *node, bool tell);

/* ---- sends: pieces to followers (sends.c) --------------------------------------------------- */

struct sends {
    ring_of(struct raft_message) waiting; /* the first is being read */
    bool is_reading;
    bool is_owed; /* it was read while it was paused: once more */
};

void sends_add(struct node *node, const struct raft_message *message); /* a SNAPSHOT */
void sends_catch_up(struct node *node);
void sends_end(struct node *node);

/* ---- installs: what a leader sends (installs.c) --------------------------------------------- */

struct installs {
    ring_of(struct raft_message) waiting; /* accepted pieces, which hold their batches */
    struct store_writer *writer;
    struct snapshot_decoder head; /* until it has told what the snapshot is */
    bool is_judged;
    bool is_writing; /* the first that waits */
    bool is_owed;    /* the store's answer came while it was paused: */
    bool owed_finish;
    struct failure owed_failure;
    struct raft_snapshot received; /* by the store, once it is whole */
    struct raft_configuration received_members;
    uint64_t installed; /* by the core, in this step; 0: not */
};

/* The core replaced its log by the one that was received. */
void installs_begin(struct node *node, uint64_t index);
void installs_take(struct node *node, const struct raft_message *message);
void installs_abandon(struct node *node);
void installs_catch_up(struct node *node);
void installs_end(struct node *node);

/* ---- restores: the machine from a snapshot (restores.c) ------------------------------------- */

struct restores {
    uint64_t index;      /* of the one that the machine becomes; 0: none */
    uint64_t last_index; /* of the one that it became last, in this life; 0: none */
    uint64_t last_term;
    uint64_t offset;
    uint64_t turns; /* that have read of it */
    struct snapshot_decoder decoder;
    bool is_install; /* and not a start */
    bool is_reading;
    bool is_stale; /* what is being read belongs to an earlier one */
    bool is_owed;  /* it was read while it was paused: once more */
};

void restores_begin(struct node *node, const struct raft_snapshot *snapshot, bool is_install);
bool restores_is_under_way(const struct node *node);
bool restores_reads(const struct node *node, uint64_t index); /* that one is under way */
/* Of the snapshot that the machine was made from; 0: it began empty. */
uint64_t restores_last(const struct node *node, uint64_t *term);
void restores_catch_up(struct node *node);
void restores_end(struct node *node);

#endif
