/* The inside of cluster/, shared by its files. */
#ifndef RAFTBENCH_CLUSTER_INTERNAL_H
#define RAFTBENCH_CLUSTER_INTERNAL_H

#include "cluster/cluster.h"

#define CLUSTER_ADDRESS_BYTES 64

/* One node with what the cluster keeps for it. */
struct member {
    uint64_t id;
    struct node *node;
    uint64_t directory; /* of its present disk */
    uint64_t disks;     /* how many it has had */
    char address[CLUSTER_ADDRESS_BYTES];
};

enum ticket_kind {
    TICKET_TIME,
    TICKET_LEADER,
    TICKET_COMMITTED,
    TICKET_REQUEST,
    TICKET_CHANGE,
    TICKET_CALL,
};

enum ticket_state { TICKET_FREE, TICKET_WAITING, TICKET_READY };

/* Something that a node was asked and will tell once. It outlives its ticket where that was
 * forgotten first. */
struct hook {
    struct cluster *cluster;
    uint64_t ticket;
    struct hook *next;
    struct hook *previous;
};

/* What somebody waits for. Kept in slots that are used again; a ticket's number is its slot and
 * how often that was used, so that a late answer finds nobody. */
struct ticket {
    uint64_t number;
    enum ticket_kind kind;
    enum ticket_state state;
    int64_t deadline_ns;
    struct heap_item due; /* at its deadline, or sooner to try again */
    size_t watch_place;   /* from 1; 0: not looked at when something changed */
    struct ticket *next_ready;
    struct ticket *previous_ready;
    struct cluster_outcome outcome;
    struct buffer result;
    /* LEADER */
    uint64_t above;
    /* COMMITTED: the command; REQUEST: the body with its head */
    struct buffer body;
    uint64_t wanted;
    uint64_t found_index; /* the lowest index that matches; 0: not found yet */
    uint64_t scanned;     /* no entry up to here matches */
    /* REQUEST */
    enum node_request_kind request_kind;
    uint64_t wanted_node; /* 0: the leader */
    uint64_t asked;       /* the node that has it now; 0: none, looking for a leader */
    uint64_t refused_by;  /* the node that refused last, and in what term */
    uint64_t refused_term;
    uint32_t tries;     /* each has a number of its own on the wire */
    int64_t repeat_ns;  /* sent again after so long without an answer; 0: never */
    bool maybe_applied; /* handed to some node whose answer is unknown */
    /* CHANGE, CALL */
    uint64_t call_node;
    uint64_t call;
    struct hook *hook;
};

struct cluster {
    struct trace *trace;
    struct faults *faults;
    struct world *world;
    struct checker *checker;
    struct cluster_options options; /* its arrays and name are not kept */
    struct buffer name;
    struct member *members; /* sorted by id */
    size_t member_count;
    uint64_t changes;
    uint64_t judged_changes;
    bool driving;
    bool interrupted;
    struct ticket **slots;
    size_t slot_count;
    struct ticket **free_slots;
    size_t free_count;
    struct heap due; /* waiting tickets, by time and then by number */
    struct ticket **watched;
    size_t watched_count;
    struct ticket *ready_first;
    struct ticket *ready_last;
    struct ticket *taken; /* its outcome is being looked at */
    struct wakeup alarm;
    int64_t alarm_ns; /* what it is set to */
    struct hook *hooks;
    struct buffer scratch;
};

struct member *cluster_member(const struct cluster *cluster, uint64_t id);
/* Its id, directory and address, as a configuration lists them. */
void cluster_describe(const struct member *member, struct raft_member *out);
struct node_options cluster_node_options(struct cluster *cluster, struct member *member);
bool cluster_reserve(struct cluster *cluster, struct member *member, struct failure *failure);
struct member *cluster_insert(struct cluster *cluster, uint64_t id);
void cluster_changed(struct cluster *cluster);
/* A failure that names the node. */
bool cluster_no_such(struct failure *failure, uint64_t id);

/* tell.c: FAULT events. One named `call` with these ids as arguments, and those of calls whose
 * arguments have names or groups. */
void cluster_trace_fault(struct cluster *cluster, const char *call, const uint64_t *ids,
                         size_t count);
void cluster_trace_link(struct cluster *cluster, uint64_t from, uint64_t to,
                        const struct link_faults *link); /* NULL: back to the default */
void cluster_trace_clock(struct cluster *cluster, uint64_t id, int64_t rate_ppb, int64_t offset_ns);
void cluster_trace_partition(struct cluster *cluster, const uint64_t *ids, const uint32_t *groups,
                             size_t count);

/* tickets.c */
struct ticket *ticket_new(struct cluster *cluster, enum ticket_kind kind, int64_t deadline_ns);
struct ticket *ticket_find(struct cluster *cluster, uint64_t number); /* waiting ones */
void ticket_ready(struct cluster *cluster, struct ticket *ticket);
void ticket_set_due(struct cluster *cluster, struct ticket *ticket, int64_t due_ns);
/* Looked at again whenever something changed. */
void ticket_watch(struct cluster *cluster, struct ticket *ticket);
void ticket_unwatch(struct cluster *cluster, struct ticket *ticket);
/* Looks at all that wait for a change, where something changed since the last look. */
void tickets_judge(struct cluster *cluster);
void tickets_init(struct cluster *cluster);
void tickets_free(struct cluster *cluster);

/* requests.c */
void requests_open(struct cluster *cluster);
void request_try(struct cluster *cluster, struct ticket *ticket);
/* Its time has come: to give up, or to try again. */
void request_due(struct cluster *cluster, struct ticket *ticket);
void requests_node_down(struct cluster *cluster, uint64_t id);

/* changes.c */
struct hook *hook_new(struct cluster *cluster, struct ticket *ticket);
void hook_free(struct hook *hook);

/* commits.c */
void committed_judge(struct cluster *cluster, struct ticket *ticket);

#endif
