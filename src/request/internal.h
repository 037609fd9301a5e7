/* The inside of request/, shared by its two files. */
#ifndef RAFTBENCH_REQUEST_INTERNAL_H
#define RAFTBENCH_REQUEST_INTERNAL_H

#include "request/request.h"

enum request_state {
    REQUEST_FREE,
    REQUEST_SLEEPING, /* a WAIT that only its deadline ends */
    REQUEST_LOOKING,  /* for whom to ask; or it is a WAIT that the owner judges */
    REQUEST_ASKED,    /* a node has it, as far as we know */
    REQUEST_APPLYING, /* answered: until the owner has applied as far */
    REQUEST_DONE,     /* to be taken */
    REQUEST_TAKEN,    /* its outcome is being looked at */
    REQUEST_STATE_COUNT
};

/* Kept in slots that are used again. Its number is its slot and how often that was used, so that a
 * late answer finds no request; a try's number has the tries above that. */
struct request {
    uint64_t number;
    enum request_kind kind;
    enum request_state state;
    struct list_link link; /* in the list of its state */
    struct heap_item due;  /* in the heap: the deadline, or sooner */
    int64_t due_ns;
    int64_t deadline_ns;
    int64_t repeat_ns;
    uint64_t wanted_node; /* 0: the leader */
    uint64_t to;
    uint64_t asked; /* the node that was asked last, as the leader of that term */
    uint64_t asked_term;
    uint32_t tries;
    bool once;
    bool refused;       /* by `asked` in `asked_term`: not asked again before it is due */
    bool losing;        /* its answer can be expected only for a short time */
    bool maybe_applied; /* an earlier try may have come to something */
    /* Of a command that is applied exactly once. */
    uint32_t wanted_session; /* 0: it is none; or ANY */
    uint32_t session;        /* 0: it has none yet */
    bool is_waiting_for_session;
    bool is_opening;    /* what is asked for is to open the session */
    bool is_addressed;  /* its payload names session and number */
    uint32_t first_try; /* of what is asked now: answers to earlier ones are of something else */
    struct request_wait wait;
    struct request_asker *asker; /* NULL: the owner */
    struct raft_configuration members;
    struct buffer body;
    struct buffer result;
    struct request_outcome outcome; /* the failure: of the last refusal, while it is not done */
};

/* As the log knows it. */
struct request_session {
    uint64_t id;       /* 0: not open, or it has expired */
    uint64_t sequence; /* of its last command */
    bool is_busy;
};

#define REQUEST_NUMBER_BITS 52 /* a number of Lua holds it exactly; above it: the tries */

struct requests {
    struct world *world;
    const struct request_reach *reach;
    void *owner;
    array_of(struct request *) slots;
    array_of(uint64_t) visited; /* the numbers of those that are being looked at */
    struct list states[REQUEST_STATE_COUNT];
    uint32_t transfers; /* of leadership, among those that are asked */
    struct heap due;
    array_of(struct request_session) sessions; /* by number, from 1 */
    array_of(uint32_t) pool;                   /* those that are free for whoever wants ANY */
    uint32_t pool_size;
    struct wakeup alarm;
    int64_t alarm_ns; /* what it is set to */
};

/* ---- requests.c */
void request_move(struct requests *requests, struct request *request, enum request_state state);
void request_set_due(struct requests *requests, struct request *request, int64_t due_ns);
struct request *request_first(struct requests *requests, enum request_state state);
struct request *request_next(struct requests *requests, const struct request *request);

/* ---- sessions.c */
/* Before each try: gives it a session, and its number in that where it is open. false: none is
 * free. */
bool session_prepare(struct requests *requests, struct request *request);
void session_opened(struct requests *requests, struct request *request, uint64_t id);
void session_expired(struct requests *requests, struct request *request);
void session_release(struct requests *requests, struct request *request); /* where it has one */

/* ---- request.c */
uint64_t request_try_number(const struct request *request);
void request_complete(struct requests *requests, struct request *request);
/* Looks for whom to ask, where it is looking. */
void request_try(struct requests *requests, struct request *request);
void request_answered(struct requests *requests, struct request *request,
                      const struct node_outcome *outcome);
/* It is due: to give up, to ask again, or to stop expecting its answer. */
void request_is_due(struct requests *requests, struct request *request);
void request_review(struct requests *requests, struct request *request);
/* Another may lead now: what a transfer waits for, also where the node that was asked cannot hear
 * of it. */
void request_see_leader(struct requests *requests, struct request *request);
/* The answer of the node that it asked is no longer expected. */
void request_expect_no_answer(struct requests *requests, struct request *request);
void request_end(struct requests *requests, struct request *request, enum failure_code code,
                 const char *why);

#endif
