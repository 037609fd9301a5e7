/*
 * cores: bare cores under one harness: a few replicas, their disks, the messages between them and a
 * clock, all controlled by the caller. Nothing happens unless the caller asks for it: any
 * message that is under way may be delivered, lost or delivered twice, any disk may take its time,
 * and time passes when it is let. cores.c (steps, messages), snapshots.c, disks.c (crashes), run.c
 * (all of it in order, time), hash.c.
 *
 * There is no world, no node and no codec: messages are passed in memory. It never decides anything
 * that is Raft's to decide, draws nothing at random, and checks only that the cores keep to raft.h.
 */
#ifndef RAFTBENCH_CORES_H
#define RAFTBENCH_CORES_H

#include "base/base.h"
#include "raft/raft.h"

struct cores;

/* A snapshot that a replica keeps. */
struct core_snapshot {
    struct raft_snapshot about; /* its `members` are NULL: these are */
    struct raft_configuration members;
    uint64_t digest; /* of all that was applied up to its index */
    struct batch *bytes;
};

struct disk;

/* One replica and its disk. To be looked at only. */
struct core {
    struct raft *raft;
    uint64_t id;
    uint64_t applied;    /* entries handed out: 1..applied, in order */
    uint64_t asked;      /* the latest persist that its disk was given; 0: none */
    uint64_t durable;    /* the latest that its disk has confirmed */
    int64_t deadline_ns; /* when it wants to be woken; RAFT_NEVER */
    bool wants_flush;
    bool slow;         /* its disk confirms only when cores_confirm says so */
    bool contradicted; /* it was sent what contradicts an entry that is committed there */
    struct list held;  /* messages that wait for its disk, oldest first */
    array_of(struct raft_read_result) reads;  /* all that were answered */
    array_of(struct core_snapshot) snapshots; /* the latest is the last */
    struct list pieces;                       /* received, and not yet written; oldest first */
    struct buffer received;                   /* the snapshot that is being received, as written */
    uint64_t refused;                         /* that were received and did not verify */
    uint64_t digest;                          /* of what was applied up to digest_index */
    uint64_t digest_index;
    struct disk *disk; /* NULL: it cannot crash */
};

/* A message under way, or held. It has its own references of its entries, so that it stays what it
 * is whatever becomes of its sender. */
struct cores_message {
    struct list_link link;
    struct raft_message message;
    array_of(struct raft_entry) entries;
    array_of(struct batch *) batches; /* held for them */
    uint64_t number;                  /* in order of sending; 0: not sent yet */
    uint64_t sequence;                /* of the persist that it waits for */
};

struct cores *cores_new(void);
void cores_free(struct cores *cores);
struct cores *cores_copy(const struct cores *cores);

/* One more replica, the harness's from now on; no other has its id. */
void cores_add(struct cores *cores, struct raft *raft);
const struct core *cores_find(const struct cores *cores, uint64_t id); /* NULL: not there */
size_t cores_count(const struct cores *cores);
const struct core *cores_at(const struct cores *cores, size_t position); /* in order of adding */
void cores_set_slow(struct cores *cores, uint64_t id, bool slow);
/* Replicas that are added from now on, and do not begin with a snapshot, can crash. */
void cores_keep_disks(struct cores *cores);

/* ---- one thing after another (cores.c) ------------------------------------------------------ */

int64_t cores_now_ns(const struct cores *cores);
void cores_set_now_ns(struct cores *cores, int64_t now_ns); /* never back */

/* One event, at the present time. What the update asks for is done, but for its persist: that is up
 * to the disk. The update is valid until that replica's next step. */
const struct raft_update *cores_step(struct cores *cores, uint64_t id, struct raft_event *event);
/* Its disk has done all persists up to this one: what waited for them leaves, and it is told. NULL:
 * that was done before. */
const struct raft_update *cores_confirm(struct cores *cores, uint64_t id, uint64_t sequence);

/* It has taken a snapshot of what it has applied, which is durable; its log is not needed before
 * first_index (0: not before the snapshot's end). The snapshot is so many bytes larger than it need
 * be. NULL: it had that one. */
const struct raft_update *cores_compact(struct cores *cores, uint64_t id, uint64_t first_index,
                                        size_t padding);
/* Its disk has written the next piece of a snapshot that it receives, or has failed to. NULL: there
 * is none. */
const struct raft_update *cores_write_piece(struct cores *cores, uint64_t id, bool fail);
/* Of all that it has applied: equal for replicas that have applied the same. */
uint64_t cores_digest(struct cores *cores, uint64_t id);
/* It crashes and starts again with what is on its disk. What it has sent stays under way. */
void cores_crash(struct cores *cores, uint64_t id, const struct raft_options *options,
                 const struct raft_configuration *first_members);

/* The messages under way, in order of sending; NULL: there is none (now). */
struct cores_message *cores_first(const struct cores *cores);
struct cores_message *cores_next(const struct cores *cores, const struct cores_message *message);
size_t cores_under_way(const struct cores *cores);
/* It arrives, and is gone; `keep`: it stays under way as well. NULL: it is lost, since its link is
 * cut or nobody is there. */
const struct raft_update *cores_deliver(struct cores *cores, struct cores_message *message,
                                        bool keep);
void cores_drop(struct cores *cores, struct cores_message *message);
/* One more under way, with `entries` given where it has any. */
struct cores_message *cores_send(struct cores *cores, const struct raft_message *message);

/* What arrives from there is lost from now on, until the links are healed. */
void cores_cut(struct cores *cores, uint64_t from, uint64_t to);
void cores_heal(struct cores *cores);

/* ---- all of it, in order (run.c) ------------------------------------------------------------ */

/* A disk that is not slow does what it was asked for, pieces of snapshots included, until it is
 * asked for nothing more. These do so after each step. */
void cores_let_write(struct cores *cores, uint64_t id);
void cores_flush(struct cores *cores); /* every replica that wants to be */
/* Delivers in order and flushes until nothing is under way. false: still busy after so many
 * deliveries. */
bool cores_settle(struct cores *cores, size_t deliveries_max);
/* Lets time pass, waking each replica (or `only` that one; 0: all) when it asked for it; nothing is
 * delivered. */
void cores_pass(struct cores *cores, int64_t until_ns, uint64_t only);

/* ---- states (hash.c) ------------------------------------------------------------------------ */

/* Of the whole: replicas, what their disks have not confirmed, messages under way (in whatever
 * order) and cuts; never time. Equal for wholes that behave alike, as raft_hash is. */
uint64_t cores_hash(const struct cores *cores, const struct raft_renaming *renaming);
/* Of a message under way, by how it stands to whoever leads in its term. */
uint64_t cores_message_hash(const struct cores *cores, const struct cores_message *message,
                            const struct raft_renaming *renaming);

#endif
