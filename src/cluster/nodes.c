/*
 * The nodes of a cluster by id, with their disks: made at the start or added, and made anew. It
 * starts none of the first ones (cluster.c does).
 */
#include "cluster/internal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CLUSTER_NAME "cluster"
/* So small that turns of segments occur in tests: the least, doubled three times at most. */
#define SIM_SEGMENT_BYTES_MIN (8U << 10)

struct member *cluster_member(const struct cluster *cluster, uint64_t id)
{
    size_t place = array_place(&cluster->members, id, id);
    bool is_there = place < cluster->members.count && cluster->members.items[place].id == id;
    return is_there ? &cluster->members.items[place] : NULL;
}

static struct member *insert(struct cluster *cluster, uint64_t id)
{
    ensure(id >= 1 && cluster_member(cluster, id) == NULL);
    size_t place = array_place(&cluster->members, id, id);
    struct member *member = array_insert(&cluster->members, place);
    *member = (struct member){.id = id};
    return member;
}

static bool reserve(struct cluster *cluster, struct member *member, struct failure *failure)
{
    return cluster->world->operations->reserve(cluster->world, member->id, member->address,
                                               sizeof member->address, failure);
}

static void node_changed(void *context, struct node *node)
{
    (void)node;
    cluster_changed(context);
}

void cluster_node_stopped(struct cluster *cluster)
{
    requests_review(cluster->requests);
    cluster_changed(cluster);
}

static void node_stopped(void *context, struct node *node)
{
    (void)node;
    cluster_node_stopped(context);
}

static void node_lost_power(void *context, struct node *node)
{
    struct failure failure;
    (void)cluster_crash(context, node_view(node)->id, &failure);
}

/* A log of an earlier run names the ports of that run. */
static const char *find_address(void *context, uint64_t id)
{
    const struct member *member = cluster_member(context, id);
    return member != NULL ? member->address : NULL;
}

static struct machine *make_machine(void *context, uint64_t id, struct failure *failure)
{
    struct cluster *cluster = context;
    if (cluster->options.make_machine == NULL) {
        return machine_new(&kv_operations, kv_new());
    }
    return cluster->options.make_machine(cluster->options.context, id, failure);
}

/* Drawn for each run: mostly so little that commands are applied while a small state is written. */
static size_t sim_snapshot_step_bytes(const struct cluster *cluster)
{
    struct random stream = random_stream(cluster->options.seed, "snapshot/step");
    return (size_t)64 << (random_next(&stream) >> 62) * 3;
}

static struct node_options node_options_of(struct cluster *cluster, struct member *member)
{
    struct node_options options = {
        .raft = cluster->options.raft,
        .seed = cluster->options.seed,
        .cluster_name = CLUSTER_NAME,
        .address = member->address,
        .snapshot_every = cluster->options.snapshot_every,
        .snapshot_bytes = cluster->options.snapshot_bytes,
        .snapshot_step_bytes = cluster->options.real ? 0 : sim_snapshot_step_bytes(cluster),
        .compare_states = cluster->options.invariants,
        .make_machine = make_machine,
        .find_address = find_address,
        .context = cluster,
        .on_role = node_changed,
        .on_members = node_changed,
        .on_applied = node_changed,
        .on_started = node_changed,
        .on_stopped = node_stopped,
        .on_power_lost = node_lost_power,
    };
    options.raft.id = member->id;
    return options;
}

/* A real disk's number is of no run's seed: the same script may find it again. */
static uint64_t seed_of_disks(const struct cluster *cluster)
{
    uint64_t seed = cluster->options.seed;
    if (cluster->options.real) {
        ensure(getentropy(&seed, sizeof seed) == 0);
    }
    return seed;
}

/* Drawn for each run, so that some have a turn with every few writes, and others hardly any. */
static uint32_t sim_segment_bytes(const struct cluster *cluster)
{
    struct random stream = random_stream(cluster->options.seed, "disk/segment");
    return SIM_SEGMENT_BYTES_MIN << (random_next(&stream) >> 62);
}

/* On the simulated disk, or in files; over TCP in memory where no directory was given. */
static struct store *new_store(struct cluster *cluster, uint64_t id, struct failure *failure)
{
    bool real = cluster->options.real;
    char directory[CLUSTER_PATH_BYTES + 32];
    if (real && cluster->directory[0] == 0) {
        return store_memory_new(cluster->world, id, cluster->options.seed);
    }
    (void)snprintf(directory, sizeof directory, "%s/%llu", cluster->directory,
                   (unsigned long long)id);
    struct files *files =
        cluster->world->operations->files(cluster->world, id, real ? directory : NULL, failure);
    if (files == NULL) {
        return NULL;
    }
    struct store_wal_options options = {.id = id,
                                        .cluster_name = CLUSTER_NAME,
                                        .segment_bytes = real ? STORE_SMALL_SEGMENT_BYTES
                                                              : sim_segment_bytes(cluster),
                                        .seed = seed_of_disks(cluster)};
    return store_wal_new(cluster->world, files, &options);
}

static void looked(void *context, bool has_log)
{
    (void)has_log;
    *(bool *)context = true;
}

static struct store *make_store(struct cluster *cluster, struct member *member,
                                struct failure *failure)
{
    struct store_contents contents;
    struct store *store = new_store(cluster, member->id, failure);
    if (store == NULL) {
        return NULL;
    }
    bool has_looked = !cluster->options.real || cluster->directory[0] == 0;
    if (!has_looked) {
        store_wal_look(store, looked, &has_looked);
    }
    while (!has_looked) {
        (void)cluster->world->operations->step(cluster->world, WORLD_NEVER);
    }
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

/* The configuration that all of them begin with tells of each disk. */
static void list_members(struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->members.count; i++) {
        struct raft_member listed;
        cluster_describe(&cluster->members.items[i], &listed);
        listed.voter = true;
        raft_configuration_put(&cluster->first, &listed);
    }
}

/* All of them, or none. */
static bool make_stores(struct cluster *cluster, struct store **stores, struct failure *failure)
{
    for (size_t i = 0; i < cluster->members.count; i++) {
        stores[i] = make_store(cluster, &cluster->members.items[i], failure);
        if (stores[i] == NULL) {
            while (i > 0) {
                i--;
                stores[i]->operations->free(stores[i]);
            }
            return false;
        }
    }
    return true;
}

static bool make_nodes(struct cluster *cluster, const struct cluster_options *options,
                       struct failure *failure)
{
    struct store **stores = memory_new(cluster->members.count * sizeof(struct store *));
    if (!make_stores(cluster, stores, failure)) {
        memory_free(stores);
        return false;
    }
    list_members(cluster);
    for (size_t i = 0; i < cluster->members.count; i++) {
        struct member *member = &cluster->members.items[i];
        struct node_options node_options = node_options_of(cluster, member);
        format_disk(cluster, options, member, stores[i], &cluster->first);
        member->node = local_new(cluster->world, stores[i], &node_options);
    }
    memory_free(stores);
    return true;
}

/* They open their disks side by side. */
static bool make_processes(struct cluster *cluster, const struct cluster_options *options,
                           struct failure *failure)
{
    if (!children_begin(cluster, options->processes, failure)) {
        return false;
    }
    for (size_t i = 0; i < cluster->members.count; i++) {
        struct member *member = &cluster->members.items[i];
        member->node = child_new(cluster, member, failure);
        if (member->node == NULL) {
            return false;
        }
    }
    for (size_t i = 0; i < cluster->members.count; i++) {
        struct member *member = &cluster->members.items[i];
        if (!child_await_open(member->node, failure)) {
            return false;
        }
        member->directory = cluster_view(member->node)->directory;
    }
    list_members(cluster);
    return true;
}

bool cluster_make_nodes(struct cluster *cluster, const struct cluster_options *options,
                        struct failure *failure)
{
    for (size_t i = 0; i < options->id_count; i++) {
        if (!reserve(cluster, insert(cluster, options->ids[i]), failure)) {
            return false;
        }
    }
    if (cluster->has_processes) {
        return make_processes(cluster, options, failure);
    }
    return make_nodes(cluster, options, failure);
}

size_t cluster_count(const struct cluster *cluster)
{
    return cluster->members.count;
}

uint64_t cluster_id_at(const struct cluster *cluster, size_t position)
{
    ensure(position < cluster->members.count);
    return cluster->members.items[position].id;
}

struct cluster_node *cluster_node(const struct cluster *cluster, uint64_t id)
{
    struct member *member = cluster_member(cluster, id);
    return member != NULL ? member->node : NULL;
}

bool cluster_is_running(const struct cluster *cluster, uint64_t id)
{
    struct cluster_node *node = cluster_node(cluster, id);
    return node != NULL && cluster_view(node)->state == NODE_RUNNING;
}

bool cluster_is_connected(const struct cluster *cluster, uint64_t id)
{
    return cluster_is_running(cluster, id) && !faults_is_disconnected(cluster->faults, id);
}

const struct node_view *cluster_view(struct cluster_node *node)
{
    return node->operations->view(node);
}

const struct raft_entry *cluster_log_read(struct cluster_node *node, uint64_t index)
{
    return node->operations->log_read(node, index);
}

bool cluster_read_disk(struct cluster_node *node, struct failure *failure)
{
    return node->operations->read_disk(node, failure);
}

bool cluster_peer_at(const struct cluster_node *node, uint32_t position,
                     struct raft_peer_status *peer)
{
    return node->operations->peer_at(node, position, peer);
}

uint64_t cluster_drop_count(const struct cluster_node *node)
{
    return node->operations->drop_count(node);
}

uint64_t cluster_pid(const struct cluster_node *node)
{
    return node->operations->pid(node);
}

/* ---- later ----------------------------------------------------------------------------------- */

static void empty_store(struct store *store, struct member *member)
{
    struct store_contents contents;
    store->operations->wipe(store);
    store->operations->contents(store, &contents);
    member->directory = contents.directory;
}

/* A node of an empty disk that waits to be added, in place of the one that was there. */
static bool empty_node(struct cluster *cluster, struct member *member, struct failure *failure)
{
    if (member->node != NULL) {
        member->node->operations->stop(member->node, false);
        faults_forget(cluster->faults, member->id);
        requests_review(cluster->requests);
        if (!member->node->operations->wipe(member->node, failure)) {
            return false;
        }
        member->directory = cluster_view(member->node)->directory;
        cluster_trace_fault(cluster, "wipe", &member->id, 1);
        return true;
    }
    if (cluster->has_processes) {
        member->node = child_new(cluster, member, failure);
        if (member->node == NULL || !child_await_open(member->node, failure)) {
            return false;
        }
        member->directory = cluster_view(member->node)->directory;
        return true;
    }
    struct node_options options = node_options_of(cluster, member);
    struct store *store = make_store(cluster, member, failure);
    if (store == NULL) {
        return false;
    }
    if (cluster->options.real) {
        empty_store(store, member); /* of what an earlier run has left under that id */
    }
    member->node = local_new(cluster->world, store, &options);
    return true;
}

bool cluster_add_node(struct cluster *cluster, uint64_t id, struct failure *failure)
{
    struct member *member = cluster_member(cluster, id);
    if (member == NULL) {
        member = insert(cluster, id);
        if (!reserve(cluster, member, failure)) {
            return false;
        }
    } else if (member->node != NULL && cluster_needs_disk(cluster, member)) {
        failure_set(failure, FAILURE_ALREADY_MEMBER,
                    "cannot add node %llu: it is a member, or may be one soon, and its disk is "
                    "needed",
                    (unsigned long long)id);
        return false;
    }
    if (!empty_node(cluster, member, failure)) {
        return false;
    }
    member->is_new = true;
    cluster_trace_fault(cluster, "add", &id, 1);
    cluster_changed(cluster);
    return member->node->operations->start(member->node, failure);
}

bool cluster_wipe(struct cluster *cluster, uint64_t id, struct failure *failure)
{
    struct member *member = cluster_member(cluster, id);
    if (member == NULL) {
        return cluster_no_such(failure, id);
    }
    enum node_state state = cluster_view(member->node)->state;
    if (state != NODE_CRASHED && state != NODE_FAILED) {
        failure_set(failure, FAILURE_UNSUPPORTED,
                    "the disk of node %llu cannot be emptied while it is %s: crash it first",
                    (unsigned long long)id, node_state_name(state));
        return false;
    }
    return empty_node(cluster, member, failure);
}
