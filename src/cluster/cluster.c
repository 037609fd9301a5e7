/*
 * A cluster's life: it makes the trace, the fault model, the world and the nodes, and ends them in
 * the opposite order. It never lets the world go on (drive.c does).
 */
#include "cluster/internal.h"

#include "real/real.h"
#include "sim/sim.h"

#include <string.h>

/* A simulated disk takes this long for one write and sync. */
#define SIM_SYNC_MIN_NS 100000
#define SIM_SYNC_MAX_NS 500000

struct member *cluster_member(const struct cluster *cluster, uint64_t id)
{
    size_t low = 0;
    size_t high = cluster->member_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (cluster->members[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low < cluster->member_count && cluster->members[low].id == id) {
        return &cluster->members[low];
    }
    return NULL;
}

struct member *cluster_insert(struct cluster *cluster, uint64_t id)
{
    ensure(id >= 1 && cluster_member(cluster, id) == NULL);
    size_t count = cluster->member_count + 1;
    cluster->members = memory_resize(cluster->members, count * sizeof *cluster->members);
    size_t at = cluster->member_count;
    while (at > 0 && cluster->members[at - 1].id > id) {
        cluster->members[at] = cluster->members[at - 1];
        at--;
    }
    cluster->members[at] = (struct member){.id = id};
    cluster->member_count = count;
    return &cluster->members[at];
}

bool cluster_reserve(struct cluster *cluster, struct member *member, struct failure *failure)
{
    return cluster->world->operations->reserve(cluster->world, member->id, member->address,
                                               sizeof member->address, failure);
}

void cluster_changed(struct cluster *cluster)
{
    cluster->changes++;
}

static void node_changed(void *context, struct node *node)
{
    (void)node;
    cluster_changed(context);
}

static void node_stopped(void *context, struct node *node)
{
    struct cluster *cluster = context;
    (void)node;
    requests_review(cluster->requests);
    cluster_changed(cluster);
}

static struct machine *make_machine(void *context, uint64_t id, struct failure *failure)
{
    struct cluster *cluster = context;
    if (cluster->options.make_machine == NULL) {
        return machine_new(&kv_operations, kv_new());
    }
    return cluster->options.make_machine(cluster->options.context, id, failure);
}

struct node_options cluster_node_options(struct cluster *cluster, struct member *member)
{
    struct node_options options = {
        .raft = cluster->options.raft,
        .seed = cluster->options.seed,
        .cluster_name = "cluster",
        .address = member->address,
        .make_machine = make_machine,
        .context = cluster,
        .on_role = node_changed,
        .on_members = node_changed,
        .on_applied = node_changed,
        .on_started = node_changed,
        .on_stopped = node_stopped,
    };
    options.raft.id = member->id;
    return options;
}

static struct store *make_store(struct cluster *cluster, struct member *member)
{
    bool real = cluster->options.real;
    struct store_contents contents;
    struct store *store = store_memory_new(cluster->world, member->id, cluster->options.seed,
                                           real ? 0 : SIM_SYNC_MIN_NS, real ? 0 : SIM_SYNC_MAX_NS);
    store->operations->contents(store, &contents);
    member->directory = contents.directory;
    return store;
}

static const struct raft_start *disk_of(const struct cluster_options *options, uint64_t id)
{
    for (size_t i = 0; i < options->disk_count; i++) {
        if (options->disks[i].id == id) {
            return &options->disks[i].start;
        }
    }
    return NULL;
}

void cluster_describe(const struct member *member, struct raft_member *out)
{
    size_t size = strlen(member->address);
    ensure(size < sizeof out->address);
    *out = (struct raft_member){.id = member->id, .directory = member->directory};
    out->address_size = (uint8_t)size;
    memcpy(out->address, member->address, size);
}

static void format_disk(const struct cluster *cluster, const struct cluster_options *options,
                        const struct member *member, struct store *store,
                        const struct raft_configuration *first)
{
    struct raft_start start = {.first_index = 1};
    const struct raft_start *given = disk_of(options, member->id);
    if (given != NULL) {
        const struct member *voted = cluster_member(cluster, given->vote);
        start = *given;
        start.vote_directory = voted != NULL ? voted->directory : 0;
    }
    start.first_members = first;
    store->operations->format(store, &start);
}

/* Their disks first: the configuration that all of them begin with tells of each. */
static void make_nodes(struct cluster *cluster, const struct cluster_options *options)
{
    struct raft_configuration first = {0};
    struct store **stores = memory_new(cluster->member_count * sizeof(struct store *));
    for (size_t i = 0; i < cluster->member_count; i++) {
        struct raft_member listed;
        stores[i] = make_store(cluster, &cluster->members[i]);
        cluster_describe(&cluster->members[i], &listed);
        listed.voter = true;
        raft_configuration_put(&first, &listed);
    }
    for (size_t i = 0; i < cluster->member_count; i++) {
        struct member *member = &cluster->members[i];
        struct node_options node_options = cluster_node_options(cluster, member);
        format_disk(cluster, options, member, stores[i], &first);
        member->node = node_new(cluster->world, stores[i], &node_options);
    }
    memory_free(stores);
    raft_configuration_free(&first);
}

static bool make_members(struct cluster *cluster, const struct cluster_options *options,
                         struct failure *failure)
{
    for (size_t i = 0; i < options->id_count; i++) {
        if (!cluster_reserve(cluster, cluster_insert(cluster, options->ids[i]), failure)) {
            return false;
        }
    }
    make_nodes(cluster, options);
    return true;
}

/* ---- bringing it up ------------------------------------------------------------------------- */

#define CONNECT_NS 1000000000LL /* over TCP at most this long; it takes a millisecond */

static void count_connection(void *context, const struct trace_event *event)
{
    (void)event;
    ++*(size_t *)context;
}

static bool start_nodes(struct cluster *cluster, struct failure *failure)
{
    for (size_t i = 0; i < cluster->member_count; i++) {
        if (!node_start(cluster->members[i].node, failure)) {
            return false;
        }
    }
    return true;
}

static bool is_starting(const struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->member_count; i++) {
        if (node_get_state(cluster->members[i].node) == NODE_STARTING) {
            return true;
        }
    }
    return false;
}

static bool are_up(const struct cluster *cluster, struct failure *failure)
{
    for (size_t i = 0; i < cluster->member_count; i++) {
        const struct node_view *view = node_view(cluster->members[i].node);
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
 * done first is lost for want of a connection. In the simulated world that takes no time. */
static bool bring_up(struct cluster *cluster, struct failure *failure)
{
    size_t connected = 0;
    size_t wanted = cluster->member_count * (cluster->member_count - 1);
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
        cluster_interrupt(cluster); /* whoever drives it first is told */
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
    value_write_string(value, cluster->options.real ? "tcp" : "sim", 3);
    value_write_string(value, "seed", 4);
    value_write_integer(value, (int64_t)cluster->options.seed);
    value_write_string(value, "nodes", 5);
    value_write_array(value, cluster->member_count);
    for (size_t i = 0; i < cluster->member_count; i++) {
        value_write_integer(value, (int64_t)cluster->members[i].id);
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
    struct real_options real = {.free_running = options->free_running, .speed = options->speed};
    cluster->world = real_new(cluster->trace, cluster->faults, &real, failure);
    return cluster->world != NULL;
}

static bool set_up(struct cluster *cluster, const struct cluster_options *options,
                   bool (*prepare)(void *context, struct trace *trace, struct failure *failure),
                   void *context, struct failure *failure)
{
    if (options->invariants || options->disk_count > 0) {
        cluster->checker = checker_new(cluster->trace, violated, cluster);
    }
    if (prepare != NULL && !prepare(context, cluster->trace, failure)) {
        return false;
    }
    if (!make_world(cluster, options, failure)) {
        return false;
    }
    cluster->requests = requests_new(cluster->world, &cluster_reach, cluster);
    cluster_open_client(cluster);
    if (!make_members(cluster, options, failure)) {
        return false;
    }
    emit_run(cluster);
    return bring_up(cluster, failure);
}

struct cluster *cluster_new(const struct cluster_options *options,
                            bool (*prepare)(void *context, struct trace *trace,
                                            struct failure *failure),
                            void *context, struct failure *failure)
{
    ensure(options->id_count > 0 && options->speed > 0);
    struct cluster *cluster = memory_new_zeroed(1, sizeof *cluster);
    cluster->options = *options;
    cluster->options.ids = NULL;
    cluster->options.disks = NULL;
    cluster->options.name = NULL;
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
    for (size_t i = 0; i < cluster->member_count; i++) {
        if (cluster->members[i].node != NULL) {
            node_free(cluster->members[i].node);
        }
    }
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
    memory_free(cluster->members);
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

int64_t cluster_now_ns(const struct cluster *cluster)
{
    return world_now_ns(cluster->world);
}

size_t cluster_count(const struct cluster *cluster)
{
    return cluster->member_count;
}

uint64_t cluster_id_at(const struct cluster *cluster, size_t position)
{
    ensure(position < cluster->member_count);
    return cluster->members[position].id;
}

struct node *cluster_node(const struct cluster *cluster, uint64_t id)
{
    struct member *member = cluster_member(cluster, id);
    return member != NULL ? member->node : NULL;
}

bool cluster_is_running(const struct cluster *cluster, uint64_t id)
{
    struct node *node = cluster_node(cluster, id);
    return node != NULL && node_get_state(node) == NODE_RUNNING;
}

bool cluster_is_connected(const struct cluster *cluster, uint64_t id)
{
    return cluster_is_running(cluster, id) && !faults_is_disconnected(cluster->faults, id);
}

uint64_t cluster_changes(const struct cluster *cluster)
{
    return cluster->changes;
}

const struct check_violation *cluster_violation(const struct cluster *cluster)
{
    return cluster->checker != NULL ? checker_violation(cluster->checker) : NULL;
}

/* A node of an empty disk that waits to be added, in place of the one that was there. */
static void empty_node(struct cluster *cluster, struct member *member)
{
    if (member->node != NULL) {
        node_stop(member->node, false);
        faults_forget(cluster->faults, member->id);
        requests_review(cluster->requests);
        node_wipe(member->node);
        member->directory = node_view(member->node)->directory;
        cluster_trace_fault(cluster, "wipe", &member->id, 1);
        return;
    }
    struct node_options options = cluster_node_options(cluster, member);
    member->node = node_new(cluster->world, make_store(cluster, member), &options);
}

/* The running node other than that one that knows of the most commits; NULL: none runs. */
static struct node *best_informed(const struct cluster *cluster, uint64_t except)
{
    struct node *best = NULL;
    uint64_t commit = 0;
    for (size_t i = 0; i < cluster->member_count; i++) {
        struct node *node = cluster->members[i].node;
        if (cluster->members[i].id == except || node == NULL ||
            node_get_state(node) != NODE_RUNNING) {
            continue;
        }
        uint64_t known = node_view(node)->commit_index;
        if (best == NULL || known > commit) {
            best = node;
            commit = known;
        }
    }
    return best;
}

/* Whether its disk is needed: others than itself have to say so. */
static bool is_listed(const struct cluster *cluster, const struct member *member)
{
    struct node *node = best_informed(cluster, member->id);
    return node != NULL &&
           raft_configuration_lists(node_view(node)->members, member->id, member->directory);
}

bool cluster_add_node(struct cluster *cluster, uint64_t id, struct failure *failure)
{
    struct member *member = cluster_member(cluster, id);
    if (member == NULL) {
        member = cluster_insert(cluster, id);
        if (!cluster_reserve(cluster, member, failure)) {
            return false;
        }
    } else if (member->node != NULL && is_listed(cluster, member)) {
        failure_set(failure, FAILURE_ALREADY_MEMBER,
                    "cannot add node %llu: it is a member, and its disk is needed",
                    (unsigned long long)id);
        return false;
    }
    empty_node(cluster, member);
    member->is_new = true;
    cluster_trace_fault(cluster, "add", &id, 1);
    cluster_changed(cluster);
    return node_start(member->node, failure);
}

bool cluster_wipe(struct cluster *cluster, uint64_t id, struct failure *failure)
{
    struct member *member = cluster_member(cluster, id);
    if (member == NULL) {
        return cluster_no_such(failure, id);
    }
    enum node_state state = node_get_state(member->node);
    if (state != NODE_CRASHED && state != NODE_FAILED) {
        failure_set(failure, FAILURE_UNSUPPORTED,
                    "the disk of node %llu cannot be emptied while it is %s: crash it first",
                    (unsigned long long)id, node_state_name(state));
        return false;
    }
    empty_node(cluster, member);
    return true;
}
