/* The child's side, shared by its two files. */
#ifndef RAFTBENCH_PROCESS_CHILD_H
#define RAFTBENCH_PROCESS_CHILD_H

#include "process/internal.h"

struct child {
    struct process_serve_options options;
    struct control_open open;
    struct channel channel;
    struct real_watch *watch;
    struct trace *trace;
    struct faults *faults;
    struct world *world;
    struct store *store; /* until the node takes it over */
    struct node *node;
    struct buffer answers; /* whole messages, to be sent after what is seen */
    struct buffer seen;    /* what was sent last */
    struct buffer scratch;
    bool has_looked; /* at its directory ... */
    bool has_log;    /* ... which holds one */
    bool obeys;      /* its directory was looked at: orders that came before that have waited */
    array_of(struct control_address) addresses;
    struct sight sight;          /* its peers and counts, beside the node's own view */
    uint64_t lost;               /* events that were left out */
    bool is_read;                /* the disk, without a node */
    struct failure read_failure; /* or it cannot be */
    struct control_order read;   /* what waits for that; call 0: nothing does */
    bool has_ended;
};

/* child.c: a message that goes out behind what is seen of the node. */
void child_answer(struct child *child, enum control_kind kind, const struct control_answer *given);

/* serve.c: does what the orders that have come say; a malformed one ends the process. */
void serve_orders(struct child *child);

#endif
