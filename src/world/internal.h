/*
 * What faults.c (the fate of each message) and links.c (which faults are in force) share: the state
 * of the fault model. No other room includes this.
 */
#ifndef RAFTBENCH_WORLD_INTERNAL_H
#define RAFTBENCH_WORLD_INTERNAL_H

#include "world/world.h"

/* Each link has a stream for each of these, from which each message draws, so that one fault more
 * or less moves no other. */
enum stream_kind {
    STREAM_DROP,
    STREAM_DUPLICATE,
    STREAM_REORDER,
    STREAM_DELAY,
    STREAM_DUPLICATE_DELAY,
    STREAM_COUNT
};

struct fault_link;

/* A frame that was reordered: it waits for two later ones of its link. */
struct held_frame {
    struct fault_link *link;
    struct batch *frame;
    uint64_t epoch;
    int64_t leaves_ns; /* its turn on a line of limited bandwidth */
    int64_t delay_ns;
    int64_t deadline_ns; /* goes then at the latest */
    uint32_t later;      /* messages still to wait for */
    bool urgent;
    struct list_link of_link;
    struct list_link of_all;
};

/* One direction between two endpoints, made at its first use. */
struct fault_link {
    uint64_t from;
    uint64_t to;
    struct link_faults in_force;
    const char *cut_reason; /* NULL: not cut */
    uint64_t epoch;         /* goes up when what is under way is lost */
    int64_t order_due_ns;   /* delays keep the order: nothing that follows is due before */
    int64_t urgent_due_ns;  /* the same for what overtook a waiting line */
    /* A line of limited bandwidth: when it has sent all it was given, and all that is urgent; when
     * it has sent the large frame that it was last given, which takes so long. */
    int64_t line_free_ns;
    int64_t urgent_free_ns;
    int64_t large_until_ns;
    int64_t large_ns;
    struct list held; /* reordered frames, in order of sending */
    struct random streams[STREAM_COUNT];
    const char *lost_reason; /* why the epoch last went up */
    uint64_t effects[EFFECT_COUNT];
};

/* One call of faults_set_link that still matters. */
struct fault_rule {
    uint64_t from;
    uint64_t to;
    bool is_default;
    struct link_faults faults;
};

/* What a partition and disconnects say of a node; one that is not listed: nothing. */
struct fault_node {
    uint64_t id;
    bool disconnected;
    uint32_t group;
};

/* Of the messages of one sender. */
struct drop_count {
    uint64_t from;
    uint64_t count;
};

struct faults {
    struct trace *trace; /* may be NULL */
    bool is_none;        /* there are no faults, and no links to remember */
    uint64_t seed;
    faults_emit *emit;
    void *emit_context;
    faults_hook *hook;
    void *hook_context;
    struct link_faults of_links_by_default;
    array_of(struct fault_rule) rules; /* in order of setting */
    array_of(struct fault_node) nodes;
    struct pairs links;
    array_of(struct fault_link *) link_list; /* in order of first use */
    size_t trim_at;                          /* so many links are looked through */
    array_of(struct drop_count) drops;
    struct list held; /* of all links, the earliest deadline first */
};

/* The link from here to there, made where there is none yet. */
struct fault_link *faults_link(struct faults *faults, uint64_t from, uint64_t to);
void faults_links_free(struct faults *faults);
void faults_count_drop(struct faults *faults, uint64_t from);
void faults_count_lost(struct fault_link *link, const char *reason);
/* What is in force has changed: each link follows it. */
void faults_refresh(struct faults *faults);
#define FAULTS_DELAY_MAX_NS (INT64_MAX / 4)

#endif
