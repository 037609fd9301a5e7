/*
 * request: requests and their outcomes: proposals, reads, changes of members, transfers of
 * leadership, snapshots, calls between nodes, and whatever else its owner can judge. request.c (the
 * life of one: whom to ask, when to ask again, what is not known), requests.c (all of them: their
 * numbers, when they are due, in what order they are done), sessions.c (commands that are applied
 * exactly once).
 *
 * The owner is a cluster or a node in an application; how it reaches nodes is a small table of
 * functions. A request is sent again only if it is certain that the last try had no effect.
 * The outcome of a lost command is never guessed: its failure says `unknown`. Nobody is called back
 * with an outcome while the world is in a step: the owner takes them, one after the other, or lets
 * askers take theirs.
 *
 *     looking ──> asked ──> applying ──> done ──> taken
 *        ^          │
 *        └──────────┘  certain that the last try had no effect
 */
#ifndef RAFTBENCH_REQUEST_H
#define RAFTBENCH_REQUEST_H

#include "base/base.h"
#include "node/node.h"
#include "raft/raft.h"
#include "world/world.h"

/* ---- one request ---------------------------------------------------------------------------- */

enum request_kind {
    REQUEST_PROPOSE = NODE_REQUEST_PROPOSE,
    REQUEST_READ = NODE_REQUEST_READ,
    REQUEST_READ_STALE = NODE_REQUEST_READ_STALE,
    REQUEST_READ_LEASE = NODE_REQUEST_READ_LEASE,
    REQUEST_CHANGE,   /* of members */
    REQUEST_TRANSFER, /* of leadership */
    REQUEST_COMPACT,  /* a snapshot of one node */
    REQUEST_CALL,     /* from one node to another */
    REQUEST_WAIT,     /* no node is asked: the owner judges it */
};

/* How a request ended. */
struct request_outcome {
    uint64_t number;
    enum request_kind kind;
    struct failure failure; /* NONE: it worked */
    uint64_t index;         /* of the entry; WAIT: what the judge says */
    uint64_t term;
    uint64_t count;
    struct bytes result; /* an encoded value */
    struct bytes body;   /* as it was asked */
};

#define REQUEST_SLOT_BITS 20

/* From 1: tells a request from all others that are not yet taken, and is used again after that. So
 * a table by it stays as small as what waits, and keeps its keys. */
static inline uint64_t request_slot(uint64_t number)
{
    return (number & ((1U << REQUEST_SLOT_BITS) - 1)) + 1;
}

/* Who takes the outcomes of its requests itself, each when it would be the owner's turn to take it
 * (requests_settle). It has to stay until each of its requests was given to it or forgotten. */
struct request_asker {
    uint64_t handle; /* by which the owner knows it */
    /* One is done; the outcome is valid until another is taken. true: its owner has something to do
     * for it, before anything else is taken. */
    bool (*done)(struct request_asker *asker, const struct request_outcome *outcome);
};

struct request_wait;

/* Looked at when it is made and whenever something has changed. true: it is done, the outcome is
 * filled. */
typedef bool request_judge(void *owner, struct request_wait *wait, struct bytes body,
                           struct request_outcome *outcome);

struct request_wait {
    request_judge *judge; /* NULL: until the deadline */
    uint64_t wanted;      /* the judge's own, as are the next two */
    uint64_t found;
    uint64_t scanned;
};

#define REQUEST_SESSION_ANY UINT32_MAX

struct request_order {
    enum request_kind kind;
    uint64_t node;     /* that one only; 0: the leader */
    uint64_t to;       /* CALL: whom that node calls; TRANSFER: who is to lead */
    struct bytes body; /* PROPOSE: a payload; reads: a question, or empty; CALL: a value */
    const struct raft_configuration *members; /* CHANGE */
    int64_t deadline_ns;
    /* Sent again after so long without an answer: only what is applied once however often it
     * comes. 0: never. */
    int64_t repeat_ns;
    bool once; /* never asked again */
    /* PROPOSE: in this session (requests_new_session), or in ANY of those that are free: applied
     * exactly once. 0: in none. The payload is one of a session, whose numbers are filled in. */
    uint32_t session;
    struct request_wait wait;
    struct request_asker *asker; /* NULL: the owner takes the outcome */
};

/* ---- how the owner reaches nodes ------------------------------------------------------------ */

struct request_message {
    uint64_t number; /* of this try: what answers it says so */
    enum request_kind kind;
    uint64_t to;
    struct bytes body;
    const struct raft_configuration *members;
    uint64_t index; /* filled where the entry's place is known at once */
    uint64_t term;
};

struct request_reach {
    /* Who leads, as far as is known, and in which term; 0: none. */
    uint64_t (*leader)(void *owner, uint64_t *term);
    /* Asks that node, which answers by requests_answered, perhaps before this returns. false: it
     * was not asked, the failure says why. */
    bool (*send)(void *owner, uint64_t node, struct request_message *message,
                 struct failure *failure);
    /* The answer to this is no longer needed. */
    void (*forget)(void *owner, uint64_t node, enum request_kind kind, uint64_t number);
    /* How long an answer of that node, which was asked as the leader of that term, can still be
     * expected: WORLD_NEVER: without limit; less: `*why` says why not. */
    int64_t (*answer_wait_ns)(void *owner, uint64_t node, uint64_t term, const char **why);
    /* How far the owner itself has applied: commands and reads are done when it has caught up with
     * them. NULL: that is not waited for. */
    uint64_t (*applied)(void *owner);
    /* Adds to the text of `no_leader` why there may be none. May be NULL. */
    void (*explain)(void *owner, char *text, size_t size);
    /* Something is done, and can be taken. May be NULL. */
    void (*ready)(void *owner);
    /* What is new waits for requests_judge. false: it is asked at once. */
    bool later;
    /* The owner is a node: where that does not run, nothing comes of asking it again. */
    bool is_node;
};

/* ---- all of them (requests.c) --------------------------------------------------------------- */

struct requests;

/* The table has to stay. */
struct requests *requests_new(struct world *world, const struct request_reach *reach, void *owner);
/* Without callbacks. Nodes that still know of some must be freed before. */
void requests_free(struct requests *requests);

/* Its number: never 0, below 2^52, and not used again soon. */
uint64_t requests_ask(struct requests *requests, const struct request_order *order);
/* A session of its own for a client that asks for one thing after the other: what it asks for later
 * is never applied before something earlier. Its number. */
uint32_t requests_new_session(struct requests *requests);
/* Its outcome is no longer needed; unknown numbers are fine. */
void requests_forget(struct requests *requests, uint64_t number);
bool requests_are_done(const struct requests *requests); /* some are, and were not taken */
/* Gives what is done to its askers, in the order in which it was, up to the first outcome that is
 * the owner's to take. The asker for whom the owner has something to do first; NULL: none. */
struct request_asker *requests_settle(struct requests *requests);
/* The next that is done, in the order in which they were; it is used up, and its outcome is valid
 * until the next take. NULL: none. */
const struct request_outcome *requests_take(struct requests *requests);
/* Of one that was not taken: its outcome so far, where it is done or its entry has a place. */
const struct request_outcome *requests_look(struct requests *requests, uint64_t number);

/* What the owner reports. An answer to a try: late ones and those without a request are
 * ignored. */
void requests_answered(struct requests *requests, uint64_t number,
                       const struct node_outcome *outcome);
/* Something has changed: looks at all that wait for a leader or are judged by the owner. */
void requests_judge(struct requests *requests);
/* A node has ended, a connection has, or another leads: looks at those that were asked. */
void requests_review(struct requests *requests);
/* The owner has applied more. */
void requests_applied(struct requests *requests);
/* All that are not done fail so; what is committed has worked. */
void requests_end(struct requests *requests, enum failure_code code, const char *why);

#endif
