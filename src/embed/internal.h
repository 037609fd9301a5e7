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
    struct list embedded;
};

#define NOTICES_WAITING_MAX 16
#define NOTICES_REMEMBERED 32

struct notice {
    uint64_t peer;
    char text[200];
};

struct recent_notice {
    uint64_t hash;
    int64_t at_ns;
};

struct notices {
    int subscription;
    uint32_t count; /* of those that wait */
    struct notice waiting[NOTICES_WAITING_MAX];
    struct recent_notice recent[NOTICES_REMEMBERED]; /* so that a repeated one is not given again */
    uint32_t recent_next;
    struct wakeup leaderless; /* when it is told that nobody leads, and who is not reached */
    int64_t leaderless_ns;    /* what that is set to */
};

struct embedded {
    struct embed_loop *loop;
    struct list_link link;
    uint64_t id;
    struct node *node;
    bool has_files;
    struct raft_configuration first_members;
    struct machine *(*make_machine)(void *context, uint64_t id, struct failure *failure);
    void (*on_event)(void *context, const struct embed_event *event);
    embed_done *on_done;
    void *context;
    struct flusher flusher;
    struct trace *trace; /* NULL: not wanted */
    int trace_subscription;
    struct notices notices;
    struct requests *requests;
    int64_t election_timeout_max_ns;
    struct buffer payload; /* memory that is used again */
    struct buffer answer;

    /* What was told last, and what has to be told. */
    uint64_t leader;
    uint64_t leader_term;
    enum raft_role role;
    bool tell_members;
    bool tell_stopped;

    struct wakeup handover_bound;
    bool is_handing_over; /* it is to end, once another leads or that takes too long */

    bool forward;
    bool session;
    bool was_started;
    bool review_requests; /* a node that was asked may no longer answer */
};

/* ---- node.c */
void embed_tell_soon(struct embedded *embedded);
bool embed_is_running(const struct embedded *embedded);

/* ---- notices.c */
void notices_open(struct embedded *embedded);
void notices_close(struct embedded *embedded);
/* The known leader changed, or the node has ended. */
void notices_follow_leader(struct embedded *embedded);
/* Adds to the text of "no leader" which members this node does not reach, as far as that fits. */
void notices_explain(struct embedded *embedded, char *text, size_t size);

/* ---- requests.c */
extern const struct request_reach embed_reach;
void embed_tell_outcomes(struct embedded *embedded); /* of the requests that are done now */

#endif
