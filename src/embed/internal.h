/*
 * The inside of embed/, shared by its files.
 *
 * What nodes tell is noted and told on by a flusher, so that the application is never called from
 * within a node.
 */
#ifndef RAFTBENCH_EMBED_INTERNAL_H
#define RAFTBENCH_EMBED_INTERNAL_H

#include "embed/embed.h"

struct embed_loop {
    struct trace *trace;
    struct faults *faults;
    struct world *world;
    struct embedded *first;
};

enum request_kind { REQUEST_PROPOSE, REQUEST_READ, REQUEST_CHANGE };

enum request_state {
    REQUEST_FRESH,    /* to be handed to whoever leads */
    REQUEST_WAITING,  /* for somebody who does */
    REQUEST_ASKED,    /* a node has it */
    REQUEST_APPLYING, /* answered; until this node has applied the outcome's index */
    REQUEST_READY,    /* to be told */
    REQUEST_GIVEN_UP, /* told already; this node will still answer */
    REQUEST_STATE_COUNT
};

struct request {
    struct embedded *embedded;
    struct request *next;
    struct request *previous;
    enum request_kind kind;
    enum request_state state;
    int64_t deadline_ns;
    struct buffer body; /* PROPOSE: the payload; READ: the question, or empty */
    struct raft_configuration wanted;
    uint64_t asked; /* the node that has it */
    uint64_t call;  /* its number where that is another one; else 0 */
    struct node_outcome outcome;
    struct buffer result;
    uint64_t ticket;
};

struct request_list {
    struct request *first;
    struct request *last;
};

#define NOTICES_WAITING_MAX 16
#define NOTICES_REMEMBERED 32

struct notice {
    uint64_t peer;
    char text[200];
};

struct told_notice {
    uint64_t hash;
    int64_t at_ns;
};

struct dialled {
    uint64_t peer;
    int64_t up_ns;
    uint32_t quick_ends; /* in a row */
};

struct embedded {
    struct embed_loop *loop;
    struct embedded *next;
    struct embedded *previous;
    uint64_t id;
    bool forward;
    bool was_started;
    struct node *node;
    struct raft_configuration first_members;
    struct machine *(*make_machine)(void *context, uint64_t id, struct failure *failure);
    void (*on_event)(void *context, const struct embed_event *event);
    embed_done *on_done;
    void *context;
    struct flusher flusher;

    struct trace *trace; /* NULL: nobody wants it */
    int trace_subscription;
    int notice_subscription;

    /* What was told last, and what has to be told. */
    enum raft_role role;
    uint64_t leader;
    uint64_t leader_term;
    bool tell_members;
    bool tell_stopped;
    struct notice notices[NOTICES_WAITING_MAX];
    uint32_t notice_count;
    struct told_notice told[NOTICES_REMEMBERED]; /* who tries again and again is told of once */
    uint32_t told_next;
    struct dialled *dialled; /* peers that this node has had a connection to */
    uint32_t dialled_count;

    struct request_list requests[REQUEST_STATE_COUNT];
    struct wakeup alarm; /* the earliest deadline or the next try */
    int64_t alarm_ns;
    int64_t try_again_ns;
};

/* ---- node.c */
void embed_tell_soon(struct embedded *embedded);
bool embed_is_running(const struct embedded *embedded);

/* ---- notices.c */
void notices_open(struct embedded *embedded);
void notices_close(struct embedded *embedded);

/* ---- requests.c */
void requests_prepare(struct embedded *embedded);
void requests_hand_over(struct embedded *embedded); /* the fresh ones */
void requests_tell(struct embedded *embedded);      /* those that are ready now */
void requests_try_again(struct embedded *embedded); /* those that wait for a leader */
void requests_role_changed(struct embedded *embedded);
void requests_applied(struct embedded *embedded);
/* What has not been answered fails so. */
void requests_end(struct embedded *embedded, enum failure_code code, const char *why);
void requests_free(struct embedded *embedded);

/* ---- change.c */
/* false, and a failure that says what to do, where this change must not be asked for. */
bool change_is_safe(const struct embedded *embedded, const struct raft_configuration *wanted,
                    struct failure *failure);

#endif
