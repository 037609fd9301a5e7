/*
 * cluster: many nodes in one world, under one driver, for scripts and shells. cluster.c (life of
 * the whole), nodes.c (nodes by id, and their disks), control.c (crash, restart, pause, clocks,
 * links), tell.c (the FAULT event of each), drive.c (letting the world go on), requests.c (tickets
 * of requests, and how requests reach nodes), leaders.c (who leads), commits.c (what was applied
 * where), listed.c (which configurations count), situations.c (what it looks like from afar),
 * local.c (a node in this process), children.c (nodes in processes of their own), temporary.c
 * (directories for those), late.c (messages that come far too late).
 *
 * It decides nothing that is Raft's to decide and knows nothing of Lua. Nothing here happens by
 * itself: the world goes on only within cluster_drive.
 */
#ifndef RAFTBENCH_CLUSTER_H
#define RAFTBENCH_CLUSTER_H

#include "base/base.h"
#include "check/check.h"
#include "machine/machine.h"
#include "node/node.h"
#include "raft/raft.h"
#include "request/request.h"
#include "trace/trace.h"
#include "world/world.h"

struct cluster;
struct cluster_node;

/* What one node's disk holds at the start; `start.first_members` is filled by the cluster. */
struct cluster_disk {
    uint64_t id;
    struct raft_start start;
};

/* Where each node is a process of its own. */
struct cluster_processes {
    const char *const *command; /* as process_options has it */
    const char *directory;      /* a node's files are in one of its id below it */
    const char *machine;        /* a module's name, or "kv" */
};

struct cluster_options {
    bool real;                                 /* TCP over loopback; false: the simulated world */
    const struct cluster_processes *processes; /* real; NULL: all nodes are in this process */
    const char *directory; /* real, in this process: below it each node has its files; NULL: their
                              disks are in memory */
    double speed;          /* real: world seconds in a real one; > 0 */
    uint64_t seed;         /* decides everything in the simulated world */
    const char *name;      /* the run's, in the trace; "" for none */
    const uint64_t *ids;
    size_t id_count;
    struct raft_options raft; /* of every node; id and seed are filled by the cluster */
    uint64_t snapshot_every;  /* node_options has these two */
    uint64_t snapshot_bytes;
    struct link_faults link; /* every link between nodes starts with these */
    const struct cluster_disk *disks;
    size_t disk_count;
    /* A fresh machine at each start; NULL: "kv". */
    struct machine *(*make_machine)(void *context, uint64_t id, struct failure *failure);
    /* Told of a node in a process of its own whose machine has failed; NULL: nobody is. What one of
     * make_machine's does, its caller hears. */
    void (*machine_failed)(void *context, const char *problem);
    void *context;
    size_t keep_events; /* the trace's ring; 0: none */
    bool keep_hash;     /* of all events, for cluster_trace */
    bool keep_situations;
    bool invariants;
};

/* Makes the world, starts all nodes. NULL and a failure if that fails. `prepare` is
 * called when the trace exists and before anything happens in it, so that readers miss nothing;
 * it may be NULL, and answers false (with a failure) to give up. */
struct cluster *cluster_new(const struct cluster_options *options,
                            bool (*prepare)(void *context, struct trace *trace,
                                            struct failure *failure),
                            void *context, struct failure *failure);
/* Stops everything at once; tickets are forgotten, no callback comes after. */
void cluster_free(struct cluster *cluster);

struct world *cluster_world(struct cluster *cluster);
struct trace *cluster_trace(struct cluster *cluster);
bool cluster_is_real(const struct cluster *cluster);
/* Real: lets the clock run between the calls that drive too, or no longer (a prompt). With nodes
 * that are processes it always runs. */
void cluster_set_free_running(struct cluster *cluster, bool free_running);
int64_t cluster_now_ns(const struct cluster *cluster);
/* The nodes in order of their ids, removed ones included. */
size_t cluster_count(const struct cluster *cluster);
uint64_t cluster_id_at(const struct cluster *cluster, size_t position);
/* One node, wherever it runs. NULL: no such node. */
struct cluster_node *cluster_node(const struct cluster *cluster, uint64_t id);
/* As node_view, node_log_read and node_peer_at have them. */
const struct node_view *cluster_view(struct cluster_node *node);
const struct raft_entry *cluster_log_read(struct cluster_node *node, uint64_t index);
/* Of all configurations that are in force, or may be soon: how many voters the smallest has. 0: no
 * node runs. */
uint32_t cluster_fewest_voters(const struct cluster *cluster);
/* Of one that has ended: from now on its view and its log are what its disk holds. */
bool cluster_read_disk(struct cluster_node *node, struct failure *failure);
bool cluster_peer_at(const struct cluster_node *node, uint32_t position,
                     struct raft_peer_status *peer);
uint64_t cluster_drop_count(const struct cluster_node *node); /* messages that it sent */
uint64_t cluster_pid(const struct cluster_node *node); /* of its own process; 0: it has none */
bool cluster_is_running(const struct cluster *cluster, uint64_t id);
/* Running and not cut off by cluster_disconnect. */
bool cluster_is_connected(const struct cluster *cluster, uint64_t id);
/* The first violation that the checker saw; NULL: none, or no checker. One that is there when the
 * cluster is made is one of the disks that were given: they hold what no run can have written. */
const struct check_violation *cluster_violation(const struct cluster *cluster);

/* The situations (situations.c) that it was in, by hashes, in the order in which each was met
 * first; with keep_situations, and of at most 16 nodes. */
const uint64_t *cluster_situations(const struct cluster *cluster, size_t *count);

/* ---- driving (drive.c) ---------------------------------------------------------------------- */

enum cluster_turn {
    CLUSTER_TIME_UP, /* the clock shows until_ns */
    CLUSTER_EVENT,   /* each_event: one event ("sim") or one turn of the loop (TCP) is over */
    CLUSTER_READY,   /* tickets are ready, or an asker: cluster_take */
    CLUSTER_STOPPED, /* a violation was seen, or cluster_interrupt was called */
    CLUSTER_LIMIT,   /* the world has had as many events as cluster_limit_events allows, or steps */
};

/* Lets the world go on until one of these; not from within any callback of the world. */
enum cluster_turn cluster_drive(struct cluster *cluster, int64_t until_ns, bool each_event);
/* A limit of deliveries and wake-ups, so that a run without end is told from a long one. */
void cluster_limit_events(struct cluster *cluster, uint64_t most);
/* How many steps the world has made: more than it had events, for a disk's end of work is none. The
 * moment of a run is told by it, where a time has several. A limit of them, too; 0: none. */
uint64_t cluster_steps(const struct cluster *cluster);
void cluster_limit_steps(struct cluster *cluster, uint64_t most);
/* Lets askers take what is theirs, who may ask for more. Whether there is something to take then.
 */
bool cluster_is_ready(struct cluster *cluster);
/* Makes the drive that is under way (or the next) return STOPPED after the present step. */
void cluster_interrupt(struct cluster *cluster);
/* Rises whenever a role, an applied index, members or a node's state changed: cheap to poll. */
uint64_t cluster_changes(const struct cluster *cluster);

/* ---- requests (requests.c): each has a ticket, the number of request.h ----------------------- */

/* The next that is done, as requests_take, behind what askers take. NULL: none, or `*asker` is one
 * for whom there is something to do first (as requests_settle says), else NULL. */
const struct request_outcome *cluster_take(struct cluster *cluster, struct request_asker **asker);
/* As requests_look. */
const struct request_outcome *cluster_look(struct cluster *cluster, uint64_t ticket);
/* Its outcome is no longer needed; unknown ones are fine. */
void cluster_forget(struct cluster *cluster, uint64_t ticket);

/* Each makes a ticket (never 0) that is done when what it names has happened or the world's clock
 * shows deadline_ns; also at once where it is so already. An asker takes its outcome itself; NULL:
 * cluster_take gives it. */
uint64_t cluster_wait_time(struct cluster *cluster, int64_t deadline_ns,
                           struct request_asker *asker);
/* A node has started or stopped, leads or follows another, has applied more, or has other members:
 * for predicates that cost too much to be evaluated after each event. */
uint64_t cluster_wait_change(struct cluster *cluster, int64_t deadline_ns);
/* A leader as cluster_leader says, of a term later than `above`: the outcome's index and term. */
uint64_t cluster_wait_leader(struct cluster *cluster, uint64_t above, int64_t deadline_ns);
/* That node has read its disk, or has ended. */
uint64_t cluster_wait_recovery(struct cluster *cluster, uint64_t id, int64_t deadline_ns);
/* At least `wanted` running, connected nodes have applied this command (an encoded value). */
uint64_t cluster_wait_committed(struct cluster *cluster, struct bytes command, uint64_t wanted,
                                int64_t deadline_ns);

struct cluster_request {
    enum node_request_kind kind;
    uint64_t node;       /* 0: the leader, found again where it was none or changed */
    uint32_t session;    /* of cluster_new_session: applied exactly once; 0: in none */
    int64_t repeat_ns;   /* with a session: sent again after so long, until it is answered */
    struct bytes body;   /* the command, or the query's request: one encoded value */
    int64_t deadline_ns; /* of the world's clock */
    struct request_asker *asker; /* as for cluster_wait_time */
};

uint32_t cluster_new_session(struct cluster *cluster);
/* Through the fault model as messages between the endpoint "client" and a node. */
uint64_t cluster_send_request(struct cluster *cluster, const struct cluster_request *request);

/* Hands one command (an encoded value) to that node now, directly. */
bool cluster_submit(struct cluster *cluster, uint64_t id, struct bytes command, uint64_t *index,
                    uint64_t *term, struct failure *failure);

struct cluster_change {
    const uint64_t *voters;
    size_t voter_count;
    const uint64_t *learners;
    size_t learner_count;
    uint64_t node; /* 0: the leader, asked again while it cannot take the change yet */
    bool once;     /* not asked again, and new voters are not brought level first */
    int64_t deadline_ns;
};

/* A ticket that is done when the final configuration has committed; cluster_look tells the index
 * and term of its first entry once it has them. 0 and a failure if a member is not a node. */
uint64_t cluster_change_members(struct cluster *cluster, const struct cluster_change *change,
                                struct failure *failure);
/* A ticket that is done when that node leads, as far as the one knows that led before (request.h):
 * the outcome's index is its id, its term the one in which it leads. 0 and a failure if it is not
 * a node. */
uint64_t cluster_transfer(struct cluster *cluster, uint64_t target, int64_t deadline_ns,
                          struct failure *failure);
/* A ticket that is done when that node's snapshot of now is durable and the log before it is gone:
 * the outcome's index is what it covers. 0 and a failure if it is not a node. */
uint64_t cluster_compact(struct cluster *cluster, uint64_t id, int64_t deadline_ns,
                         struct failure *failure);
/* A request over the nodes' own transport; the answer is the outcome's result. 0 and a failure
 * if one of them is not a node. */
uint64_t cluster_call(struct cluster *cluster, uint64_t from, uint64_t to, struct bytes value,
                      int64_t deadline_ns, struct failure *failure);

/* What that node answers to cluster_call; NULL: nothing. */
bool cluster_serve(struct cluster *cluster, uint64_t id, node_serve_function *serve, void *context,
                   struct failure *failure);

/* Makes and starts a node of an empty disk that waits to be added; of an id that was there before,
 * a new one in its place, unless it is a member. */
bool cluster_add_node(struct cluster *cluster, uint64_t id, struct failure *failure);

/* ---- control (control.c): in effect when the call returns, no-ops where already so ----------- */

bool cluster_crash(struct cluster *cluster, uint64_t id, struct failure *failure);
/* Begins: it is STARTING until its disk was read. */
bool cluster_restart(struct cluster *cluster, uint64_t id, struct failure *failure);
/* Empties the disk of a crashed node. Started again it is another server than the one that the
 * members list under that id, and counts for nothing until it is removed and added again. */
bool cluster_wipe(struct cluster *cluster, uint64_t id, struct failure *failure);
/* An orderly stop of a node that a committed configuration lacks: state "removed". */
bool cluster_stop_removed(struct cluster *cluster, uint64_t id, struct failure *failure);
/* Of its present disk; 0: no such node. */
uint64_t cluster_directory(const struct cluster *cluster, uint64_t id);
bool cluster_pause(struct cluster *cluster, uint64_t id, struct failure *failure);
bool cluster_resume(struct cluster *cluster, uint64_t id, struct failure *failure);
/* What its disk does wrong, this one or the next: each write takes that much longer. */
bool cluster_set_disk(struct cluster *cluster, uint64_t id, const struct disk_faults *faults,
                      struct failure *failure);
bool cluster_set_clock(struct cluster *cluster, uint64_t id, int64_t rate_ppb, int64_t offset_ns,
                       struct failure *failure);
bool cluster_campaign(struct cluster *cluster, uint64_t id, bool force, struct failure *failure);
bool cluster_set_disconnected(struct cluster *cluster, uint64_t id, bool disconnected,
                              struct failure *failure);
/* groups[i] is the group of ids[i], from 1; nodes that are not named form one more. */
void cluster_partition(struct cluster *cluster, const uint64_t *ids, const uint32_t *groups,
                       size_t count);
/* FAULTS_EVERY and WORLD_CLIENT are allowed for both ends; NULL: back to the default. */
void cluster_set_link(struct cluster *cluster, uint64_t from, uint64_t to,
                      const struct link_faults *link);
void cluster_heal(struct cluster *cluster);
/* What is in force: as faults_is_disconnected, faults_group and faults_rule. */
bool cluster_is_disconnected(const struct cluster *cluster, uint64_t id);
uint32_t cluster_group(const struct cluster *cluster, uint64_t id);
bool cluster_link_rule(const struct cluster *cluster, uint64_t from, uint64_t to,
                       struct link_faults *out);
/* Whatever is drawn from now on is as of another seed: messages' delays and losses, disks, election
 * time-outs. A simulated world's only. */
void cluster_rekey(struct cluster *cluster, uint64_t seed);
/* As faults_effect_count, of the nodes in this process. */
uint64_t cluster_effect_count(const struct cluster *cluster, uint64_t from, uint64_t to,
                              enum fault_effect effect);
void cluster_set_hook(struct cluster *cluster, faults_hook *hook, void *context);

/* Kinds of messages as bits: those of Raft by their number, and what clients send and are sent. */
#define LATE_REQUEST (1U << 30)
#define LATE_ANSWER (1U << 31)

/* Which messages come `by_ns` later than they were sent, whatever overtakes them: of those of these
 * kinds on these links, `count` of them, after the first `skip`, and with `gap` others between
 * two. `again`: they come in time, and once more then. */
struct late_rule {
    uint64_t from; /* FAULTS_EVERY, WORLD_CLIENT */
    uint64_t to;
    uint32_t kinds;
    uint32_t count;
    uint32_t skip;
    uint32_t gap;
    int64_t by_ns;
    bool again;
    uint64_t number; /* filled in */
    uint64_t taken;  /* so far: counted here */
};

/* Until it is ended, or the links are healed; what it has taken arrives all the same. Gives its
 * number. Only of nodes in this process. */
uint64_t cluster_add_late(struct cluster *cluster, const struct late_rule *rule);
uint64_t cluster_late_count(const struct cluster *cluster, uint64_t number); /* what it took */
void cluster_end_late(struct cluster *cluster, uint64_t number);             /* 0: all */
/* A frame that a hook held arrives at its receiver now; the caller keeps its reference. */
void cluster_deliver(struct cluster *cluster, uint64_t from, uint64_t to, struct batch *frame);
/* A frame that a hook held is lost: its DROP event. The caller keeps its reference. */
void cluster_drop_held(struct cluster *cluster, uint64_t from, uint64_t to, struct batch *frame);
void cluster_note(struct cluster *cluster, struct bytes text);
/* The run's last word in the trace; `message` may be empty. */
void cluster_verdict(struct cluster *cluster, bool passed, struct bytes message);

/* ---- looking (leaders.c, commits.c) --------------------------------------------------------- */

/* The agreed leader: a running node that is not disconnected leads, and a quorum that it reaches
 * both ways names it in its term. 0: none. */
uint64_t cluster_leader(const struct cluster *cluster, uint64_t *term);
/* Whether the node at that place believes that it leads, cut off or not. */
bool cluster_believes_to_lead(const struct cluster *cluster, size_t position);

/* On how many running, connected nodes the command is applied, and the lowest index of it that is
 * applied anywhere. 0 where none has; a failure's message where two logs differ there. */
uint64_t cluster_committed(const struct cluster *cluster, struct bytes command, uint64_t *index,
                           struct failure *failure);

#endif
