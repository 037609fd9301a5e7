/* The inside of cluster/, shared by its files. */
#ifndef RAFTBENCH_CLUSTER_INTERNAL_H
#define RAFTBENCH_CLUSTER_INTERNAL_H

#include "cluster/cluster.h"

#define CLUSTER_ADDRESS_BYTES 64

struct member;

/* ---- one node, here or elsewhere ------------------------------------------------------------- */

/* What a cluster asks of a node; each as its namesake in node/node.h. What a node cannot do where
 * it runs is false and a failure. */
struct cluster_node_operations {
    const struct node_view *(*view)(struct cluster_node *node);
    const struct raft_entry *(*log_read)(struct cluster_node *node, uint64_t index);
    /* Of one that has ended: from now on the view and the log are what its disk holds. */
    bool (*read_disk)(struct cluster_node *node, struct failure *failure);
    bool (*peer_at)(const struct cluster_node *node, uint32_t position,
                    struct raft_peer_status *peer);
    bool (*start)(struct cluster_node *node, struct failure *failure);
    void (*crash)(struct cluster_node *node);
    void (*stop)(struct cluster_node *node, bool removed);
    bool (*wipe)(struct cluster_node *node, struct failure *failure);
    void (*pause)(struct cluster_node *node);
    void (*resume)(struct cluster_node *node);
    bool (*set_disk_faults)(struct cluster_node *node, const struct disk_faults *faults,
                            struct failure *failure);
    bool (*set_clock)(struct cluster_node *node, int64_t rate_ppb, int64_t offset_ns,
                      struct failure *failure);
    void (*rekey)(struct cluster_node *node, uint64_t seed); /* of simulated ones */
    bool (*campaign)(struct cluster_node *node, bool force, struct failure *failure);
    bool (*submit)(struct cluster_node *node, struct bytes payload, uint64_t *index, uint64_t *term,
                   struct failure *failure);
    bool (*change)(struct cluster_node *node, const struct raft_configuration *wanted,
                   uint64_t *index, uint64_t *term, const struct node_asker *asker,
                   struct failure *failure);
    bool (*transfer)(struct cluster_node *node, uint64_t target, const struct node_asker *asker,
                     struct failure *failure);
    bool (*compact)(struct cluster_node *node, const struct node_asker *asker,
                    struct failure *failure);
    bool (*serve)(struct cluster_node *node, node_serve_function *serve, void *context,
                  struct failure *failure);
    bool (*call)(struct cluster_node *node, uint64_t to, struct bytes value,
                 const struct node_asker *asker, struct failure *failure);
    /* What the fault model has dropped of what it sent. */
    uint64_t (*drop_count)(const struct cluster_node *node);
    uint64_t (*pid)(const struct cluster_node *node); /* of its own process; 0: it has none */
    bool (*is_connected)(const struct cluster_node *node, uint64_t peer);
    void (*call_forget)(struct cluster_node *node, const void *context, uint64_t number);
    void (*free)(struct cluster_node *node);
};

/* The head of every kind of node. */
struct cluster_node {
    const struct cluster_node_operations *operations;
};

/* local.c: a node in this process. It takes the store over. */
struct cluster_node *local_new(struct world *world, struct store *store,
                               const struct node_options *options);

/* children.c: a node in a process of its own, which begins to open its disk. NULL and a failure. */
struct cluster_node *child_new(struct cluster *cluster, const struct member *member,
                               struct failure *failure);
/* Until it has: its view tells the directory. */
bool child_await_open(struct cluster_node *node, struct failure *failure);

#define CLUSTER_PATH_BYTES 900

/* What all nodes that are processes share. */
struct children {
    array_of(char *) command; /* NULL at the end */
    char directory[CLUSTER_PATH_BYTES];
    char machine[CLUSTER_PATH_BYTES];
    bool is_temporary; /* the directory, which goes with the cluster */
};

/* temporary.c: a directory of its own for one cluster. false and a failure: none can be made. */
bool temporary_new(char *path, size_t size, struct failure *failure);
void temporary_remove(const char *path); /* and all that is in it */

bool children_begin(struct cluster *cluster, const struct cluster_processes *given,
                    struct failure *failure);
void children_end(struct children *children);
/* What is in force on links has changed: in force in every process that runs. */
void children_tell_faults(const struct cluster *cluster);

/* ---- the cluster ----------------------------------------------------------------------------- */

/* One node with what the cluster keeps for it. */
struct member {
    uint64_t id;
    struct cluster_node *node;
    uint64_t directory; /* of its present disk */
    bool is_new;        /* waits to be added for the first time with that disk */
    char address[CLUSTER_ADDRESS_BYTES];
};

/* A command that some snapshot covers. */
struct covered_command {
    uint64_t index;
    uint64_t hash;
};

/* situations.c: those that this cluster was in. */
#define CLUSTER_SITUATION_NODES 16U /* of larger clusters none are told */

struct situations {
    array_of(uint64_t) met; /* hashes, in the order in which they were met first */
    uint64_t *slots;        /* the same, to be looked up */
    size_t slot_count;
    uint64_t latest;
    array_of(uint8_t) cuts; /* by node */
    bool links_changed;     /* since `cuts` were noted */
};

/* Looks at it as it is now. */
void situations_look(struct cluster *cluster);
void situations_free(struct situations *situations);

/* late.c */
struct late {
    faults_hook *hook; /* the script's */
    void *hook_context;
    array_of(struct late_rule) rules;
    uint64_t last_number;
    struct list messages; /* on their late way */
};

struct cluster {
    struct late late;
    array_of(struct covered_command) covered; /* by rising index */
    uint64_t covered_to;
    struct trace *trace;
    struct faults *faults;
    struct world *world;
    struct checker *checker;
    struct cluster_options options; /* its arrays, name and processes are not kept */
    bool has_processes;             /* each node is one */
    struct children processes;
    char directory[CLUSTER_PATH_BYTES]; /* of the nodes' files; "": there are none */
    struct raft_configuration first;    /* members of the first disks, until all nodes are up */
    struct buffer name;
    array_of(struct member) members; /* sorted by id */
    uint64_t changes;
    uint64_t judged_changes;
    uint64_t events_most; /* of the world; 0: no limit */
    uint64_t steps;
    uint64_t steps_most; /* 0: no limit */
    struct situations situations;
    bool driving;
    bool interrupted;
    struct requests *requests;
    struct request_asker *asker; /* for whom there is something to do; NULL: none */
    struct buffer scratch;
};

struct member *cluster_member(const struct cluster *cluster, uint64_t id);
/* Its id, directory and address, as a configuration lists them. */
void cluster_describe(const struct member *member, struct raft_member *out);
bool cluster_make_nodes(struct cluster *cluster, const struct cluster_options *options,
                        struct failure *failure);
void cluster_changed(struct cluster *cluster);
/* A node has ended by itself, or in order. */
void cluster_node_stopped(struct cluster *cluster);
/* A failure that names the node. */
bool cluster_no_such(struct failure *failure, uint64_t id);

/* late.c: the fault model's hook, and the end of all late messages, while there is a world still.
 */
enum faults_verdict late_judge(void *context, uint64_t from, uint64_t to, struct batch *frame);
void late_free(struct cluster *cluster);

/* tell.c: FAULT events. One named `call` with these ids as arguments, and those of calls whose
 * arguments have names or groups. */
void cluster_trace_fault(struct cluster *cluster, const char *call, const uint64_t *ids,
                         size_t count);
void cluster_trace_link(struct cluster *cluster, uint64_t from, uint64_t to,
                        const struct link_faults *link); /* NULL: back to the default */
void cluster_trace_late(struct cluster *cluster, const struct late_rule *rule);
void cluster_trace_disk(struct cluster *cluster, uint64_t id, const struct disk_faults *faults);
void cluster_trace_clock(struct cluster *cluster, uint64_t id, int64_t rate_ppb, int64_t offset_ns);
void cluster_trace_partition(struct cluster *cluster, const uint64_t *ids, const uint32_t *groups,
                             size_t count);

/* requests.c */
extern const struct request_reach cluster_reach;
void cluster_open_client(struct cluster *cluster);

/* listed.c: whether the server's disk is needed: others than itself have to say so. (And
 * cluster_fewest_voters.) */
bool cluster_needs_disk(const struct cluster *cluster, const struct member *member);

/* leaders.c, commits.c: what waits (request.h) are judged by */
request_judge leader_judge;
/* Keeps what snapshots are about to take from the logs. */
void cluster_note_snapshots(struct cluster *cluster);
request_judge committed_judge;

#endif
