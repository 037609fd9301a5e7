/*
 * A cluster's life: it makes the trace, the fault model, the world and the nodes (nodes.c), and
 * ends them in the opposite order. It lets the world go on only until its nodes are up (else
 * drive.c does).
 */
#include "cluster/internal.h"

#include "real/real.h"
#include "sim/sim.h"

#include <string.h>

/* ---- bringing it up ------------------------------------------------------------------------- */

#define CONNECT_NS 1000000000LL /* over TCP at most this long; it takes a millisecond */
#define ROUNDING_NS 1000        /* of a clock whose rate is not 1 */

static void count_connection(void *context, const struct trace_event *event)
{
    (void)event;
    ++*(size_t *)context;
}

static bool start_nodes(struct cluster *cluster, struct failure *failure)
{
    for (size_t i = 0; i < cluster->members.count; i++) {
        struct cluster_node *node = cluster->members.items[i].node;
        if (!node->operations->start(node, failure)) {
            return false;
        }
    }
    return true;
}

static bool is_starting(const struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->members.count; i++) {
        if (cluster_view(cluster->members.items[i].node)->state == NODE_STARTING) {
            return true;
        }
    }
    return false;
}

static bool are_up(const struct cluster *cluster, struct failure *failure)
{
    for (size_t i = 0; i < cluster->members.count; i++) {
        const struct node_view *view = cluster_view(cluster->members.items[i].node);
        if (!view->is_up) {
            failure_set(failure, FAILURE_STORAGE, "node %llu did not start: %s",
                        (unsigned long long)view->id,
                        view->error[0] != '\0' ? view->error : "it was interrupted");
            return false;
        }
    }
    return true;
}

/* Disks that were given are judged even where the run is not. */
static void judge_disks(struct cluster *cluster)
{
    if (!cluster->options.invariants && cluster_violation(cluster) == NULL) {
        checker_free(cluster->checker);
        cluster->checker = NULL;
    }
}

/* A cluster is handed over once its nodes have recovered and are connected, so that nothing that is
 * done first is lost for want of a connection. In the simulated world that takes the time in which
 * their disks are made. */
static bool bring_up(struct cluster *cluster, struct failure *failure)
{
    size_t connected = 0;
    size_t wanted = cluster->members.count * (cluster->members.count - 1);
    int subscription =
        trace_subscribe(cluster->trace, TRACE_MASK(TRACE_CONNECT), count_connection, &connected);
    bool up = start_nodes(cluster, failure);
    int64_t start_ns = cluster_now_ns(cluster);
    int64_t until_ns = cluster->options.real ? start_ns + CONNECT_NS : start_ns;
    enum cluster_turn turn = CLUSTER_EVENT;
    while (up && is_starting(cluster) && turn == CLUSTER_EVENT) {
        turn = cluster_drive(cluster, WORLD_NEVER, true);
    }
    judge_disks(cluster);
    if (up && cluster_violation(cluster) == NULL) {
        up = are_up(cluster, failure);
        while (up && connected < wanted && turn == CLUSTER_EVENT) {
            turn = cluster_drive(cluster, until_ns, true);
        }
    }
    if (turn == CLUSTER_STOPPED) {
        cluster_interrupt(cluster); /* the next call that drives it gets the error */
    }
    trace_unsubscribe(cluster->trace, subscription);
    return up;
}

static void violated(void *context, const struct check_violation *violation)
{
    struct cluster *cluster = context;
    struct trace_event event = {
        .time_ns = violation->time_ns,
        .kind = TRACE_VIOLATION,
        .node = violation->node_count > 0 ? violation->nodes[0] : 0,
    };
    const char *property = check_property_name(violation->property);
    event.text = bytes_of_text(property);
    buffer_clear(&cluster->scratch);
    value_write_string(&cluster->scratch, violation->message, strlen(violation->message));
    event.value = buffer_bytes(&cluster->scratch);
    trace_emit(cluster->trace, &event);
    cluster_interrupt(cluster);
}

static void emit_run(struct cluster *cluster)
{
    struct trace_event event = {.kind = TRACE_RUN, .time_ns = cluster_now_ns(cluster)};
    event.text = buffer_bytes(&cluster->name);
    struct buffer *value = &cluster->scratch;
    buffer_clear(value);
    /* The keys in the order of their encoded bytes: shorter first. */
    value_write_map(value, 3);
    value_write_string(value, "mode", 4);
    const char *mode = cluster->has_processes ? "process" : cluster->options.real ? "tcp" : "sim";
    value_write_string(value, mode, strlen(mode));
    value_write_string(value, "seed", 4);
    value_write_integer(value, (int64_t)cluster->options.seed);
    value_write_string(value, "nodes", 5);
    value_write_array(value, cluster->members.count);
    for (size_t i = 0; i < cluster->members.count; i++) {
        value_write_integer(value, (int64_t)cluster->members.items[i].id);
    }
    event.value = buffer_bytes(value);
    trace_emit(cluster->trace, &event);
}

static bool make_world(struct cluster *cluster, const struct cluster_options *options,
                       struct failure *failure)
{
    cluster->faults = faults_new(options->seed, cluster->trace);
    faults_set_default(cluster->faults, &options->link);
    if (!options->real) {
        cluster->world = sim_new(cluster->trace, cluster->faults, options->seed);
        return true;
    }
    /* The clocks of processes run on; so does ours, which shows the same. */
    struct real_options real = {.free_running = cluster->has_processes, .speed = options->speed};
    cluster->world = real_new(cluster->trace, cluster->faults, &real, failure);
    return cluster->world != NULL;
}

/* Over TCP a node reads its clock before its events get their time. */
static void expect_promises(const struct cluster *cluster, const struct raft_options *raft)
{
    int64_t length_ns = raft->election_timeout_min_ns;
    struct check_promises promises = {
        .length_ns = length_ns,
        .slack_ns = cluster->options.real ? length_ns / 8 : ROUNDING_NS,
        .drift = (double)raft->clock_drift_ppb / RAFT_CLOCK_DRIFT_MAX_PPB,
    };
    checker_expect_promises(cluster->checker, &promises);
}

static bool set_up(struct cluster *cluster, const struct cluster_options *options,
                   bool (*prepare)(void *context, struct trace *trace, struct failure *failure),
                   void *context, struct failure *failure)
{
    if (options->invariants || options->disk_count > 0) {
        cluster->checker = checker_new(cluster->trace, violated, cluster);
        if (cluster->has_processes) {
            checker_expect_gaps(cluster->checker);
        }
        if (options->raft.lease_reads && options->raft.election_timeout_min_ns != RAFT_NEVER) {
            expect_promises(cluster, &options->raft);
        }
    }
    if (options->processes == NULL) { /* their logs cannot be read from within an event */
        cluster_note_snapshots(cluster);
    }
    if (prepare != NULL && !prepare(context, cluster->trace, failure)) {
        return false;
    }
    if (!make_world(cluster, options, failure)) {
        return false;
    }
    cluster->requests = requests_new(cluster->world, &cluster_reach, cluster);
    cluster_open_client(cluster);
    if (!cluster_make_nodes(cluster, options, failure)) {
        return false;
    }
    emit_run(cluster);
    bool is_up = bring_up(cluster, failure);
    raft_configuration_free(&cluster->first);
    return is_up;
}

struct cluster *cluster_new(const struct cluster_options *options,
                            bool (*prepare)(void *context, struct trace *trace,
                                            struct failure *failure),
                            void *context, struct failure *failure)
{
    ensure(options->id_count > 0 && options->speed > 0);
    ensure(options->processes == NULL || options->real);
    struct cluster *cluster = memory_new_zeroed(1, sizeof *cluster);
    cluster->options = *options;
    cluster->options.ids = NULL;
    cluster->options.disks = NULL;
    cluster->options.name = NULL;
    cluster->options.processes = NULL;
    cluster->options.directory = NULL;
    cluster->has_processes = options->processes != NULL;
    if (options->directory != NULL) {
        ensure(strlen(options->directory) < sizeof cluster->directory);
        memcpy(cluster->directory, options->directory, strlen(options->directory) + 1);
    }
    if (options->name != NULL) {
        buffer_append(&cluster->name, options->name, strlen(options->name));
    }
    cluster->trace = trace_new();
    if (options->keep_events > 0) {
        trace_keep_ring(cluster->trace, options->keep_events);
    }
    if (options->keep_hash) {
        trace_keep_hash(cluster->trace);
    }
    if (!set_up(cluster, options, prepare, context, failure)) {
        cluster_free(cluster);
        return NULL;
    }
    return cluster;
}

void cluster_free(struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->members.count; i++) {
        struct cluster_node *node = cluster->members.items[i].node;
        if (node != NULL) {
            node->operations->free(node);
        }
    }
    raft_configuration_free(&cluster->first);
    late_free(cluster);
    children_end(&cluster->processes);
    requests_free(cluster->requests);
    if (cluster->world != NULL) {
        cluster->world->operations->free(cluster->world);
    }
    if (cluster->faults != NULL) {
        faults_free(cluster->faults);
    }
    checker_free(cluster->checker);
    trace_free(cluster->trace);
    buffer_free(&cluster->name);
    buffer_free(&cluster->scratch);
    array_free(&cluster->members);
    array_free(&cluster->covered);
    situations_free(&cluster->situations);
    memory_free(cluster);
}

struct world *cluster_world(struct cluster *cluster)
{
    return cluster->world;
}

struct trace *cluster_trace(struct cluster *cluster)
{
    return cluster->trace;
}

bool cluster_is_real(const struct cluster *cluster)
{
    return cluster->options.real;
}

void cluster_set_free_running(struct cluster *cluster, bool free_running)
{
    if (!cluster->has_processes) {
        real_set_free_running(cluster->world, free_running);
    }
}

int64_t cluster_now_ns(const struct cluster *cluster)
{
    return world_now_ns(cluster->world);
}

void cluster_changed(struct cluster *cluster)
{
    cluster->changes++;
}

uint64_t cluster_changes(const struct cluster *cluster)
{
    return cluster->changes;
}

const struct check_violation *cluster_violation(const struct cluster *cluster)
{
    return cluster->checker != NULL ? checker_violation(cluster->checker) : NULL;
}
