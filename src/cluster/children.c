/*
 * A node in a process of its own, as the cluster asks it (process/ drives that), and what a cluster
 * of such nodes needs beside: their directories, the way of clients' frames, one fault model for
 * all. What the kernel or the node's own process decides, its clock and its disk, cannot be asked
 * for.
 */
#include "cluster/internal.h"

#include "process/process.h"
#include "real/real.h"

#include <stdio.h>
#include <string.h>

struct child {
    struct cluster_node head;
    struct cluster *cluster;
    struct process *process;
};

static struct child *child_of(struct cluster_node *node)
{
    return (struct child *)(void *)node;
}

static const struct child *const_child_of(const struct cluster_node *node)
{
    return (const struct child *)(const void *)node;
}

/* ---- operations ----------------------------------------------------------------------------- */

static const struct node_view *view(struct cluster_node *node)
{
    return process_view(child_of(node)->process);
}

static const struct raft_entry *log_read(struct cluster_node *node, uint64_t index)
{
    return process_log_read(child_of(node)->process, index);
}

static bool read_disk(struct cluster_node *node, struct failure *failure)
{
    return process_read_disk(child_of(node)->process, failure);
}

static bool peer_at(const struct cluster_node *node, uint32_t position,
                    struct raft_peer_status *peer)
{
    return process_peer_at(const_child_of(node)->process, position, peer);
}

static bool start(struct cluster_node *node, struct failure *failure)
{
    struct child *child = child_of(node);
    return process_start(child->process, &child->cluster->first, failure);
}

static void crash(struct cluster_node *node)
{
    process_crash(child_of(node)->process);
}

static void stop(struct cluster_node *node, bool removed)
{
    process_stop(child_of(node)->process, removed);
}

static bool wipe(struct cluster_node *node, struct failure *failure)
{
    return process_wipe(child_of(node)->process, failure);
}

static void pause_node(struct cluster_node *node)
{
    process_pause(child_of(node)->process);
}

static void resume(struct cluster_node *node)
{
    process_resume(child_of(node)->process);
}

static bool unsupported(struct failure *failure, const char *what)
{
    failure_set(failure, FAILURE_UNSUPPORTED,
                "%s where each node is a process of its own (mode \"process\")", what);
    return false;
}

static bool set_disk_faults(struct cluster_node *node, const struct disk_faults *faults,
                            struct failure *failure)
{
    (void)node;
    (void)faults;
    return unsupported(failure, "a disk is the system's and cannot be made worse");
}

static bool set_clock(struct cluster_node *node, int64_t rate_ppb, int64_t offset_ns,
                      struct failure *failure)
{
    (void)node;
    (void)rate_ppb;
    (void)offset_ns;
    return unsupported(failure, "clocks cannot be changed");
}

static bool campaign(struct cluster_node *node, bool force, struct failure *failure)
{
    return process_campaign(child_of(node)->process, force, failure);
}

static bool submit(struct cluster_node *node, struct bytes payload, uint64_t *index, uint64_t *term,
                   struct failure *failure)
{
    return process_submit(child_of(node)->process, payload, index, term, failure);
}

static bool change(struct cluster_node *node, const struct raft_configuration *wanted,
                   uint64_t *index, uint64_t *term, const struct node_asker *asker,
                   struct failure *failure)
{
    return process_change(child_of(node)->process, wanted, index, term, asker, failure);
}

static bool compact(struct cluster_node *node, const struct node_asker *asker,
                    struct failure *failure)
{
    return process_compact(child_of(node)->process, asker, failure);
}

static bool transfer(struct cluster_node *node, uint64_t target, const struct node_asker *asker,
                     struct failure *failure)
{
    return process_transfer(child_of(node)->process, target, asker, failure);
}

static bool serve(struct cluster_node *node, node_serve_function *function, void *context,
                  struct failure *failure)
{
    (void)node;
    (void)function;
    (void)context;
    return unsupported(failure, "a function of the script cannot answer for a node");
}

static bool call(struct cluster_node *node, uint64_t to, struct bytes value,
                 const struct node_asker *asker, struct failure *failure)
{
    (void)node;
    (void)to;
    (void)value;
    (void)asker;
    return unsupported(failure, "nodes cannot call each other");
}

static uint64_t drop_count(const struct cluster_node *node)
{
    return process_drop_count(const_child_of(node)->process);
}

static uint64_t pid(const struct cluster_node *node)
{
    return process_pid(const_child_of(node)->process);
}

static bool is_connected(const struct cluster_node *node, uint64_t peer)
{
    (void)node;
    (void)peer;
    return true; /* so that a call is not put off, but refused */
}

static void call_forget(struct cluster_node *node, const void *context, uint64_t number)
{
    (void)node;
    (void)context;
    (void)number;
}

static void free_child(struct cluster_node *node)
{
    process_free(child_of(node)->process);
    memory_free(node);
}

static const struct cluster_node_operations operations = {
    .view = view,
    .log_read = log_read,
    .read_disk = read_disk,
    .peer_at = peer_at,
    .start = start,
    .crash = crash,
    .stop = stop,
    .wipe = wipe,
    .pause = pause_node,
    .resume = resume,
    .set_disk_faults = set_disk_faults,
    .set_clock = set_clock,
    .campaign = campaign,
    .submit = submit,
    .change = change,
    .compact = compact,
    .transfer = transfer,
    .serve = serve,
    .call = call,
    .drop_count = drop_count,
    .pid = pid,
    .is_connected = is_connected,
    .call_forget = call_forget,
    .free = free_child,
};

/* ---- making one ----------------------------------------------------------------------------- */

static void node_changed(void *context)
{
    struct child *child = context;
    const struct node_view *seen = process_view(child->process);
    struct member *member = cluster_member(child->cluster, seen->id);
    if (member != NULL && seen->directory != 0) {
        member->directory = seen->directory; /* of a disk that was there before, known now */
    }
    cluster_changed(child->cluster);
}

static void node_stopped(void *context)
{
    struct child *child = context;
    struct cluster *cluster = child->cluster;
    const struct node_view *view = cluster_view(&child->head);
    cluster_node_stopped(cluster);
    if (view->state == NODE_FAILED && view->machine_failed &&
        cluster->options.machine_failed != NULL) {
        cluster->options.machine_failed(cluster->options.context, view->error);
    }
}

static void addresses(void *context, void (*each)(void *to, uint64_t id, const char *address),
                      void *to)
{
    const struct child *child = context;
    for (size_t i = 0; i < child->cluster->members.count; i++) {
        each(to, child->cluster->members.items[i].id, child->cluster->members.items[i].address);
    }
}

static struct process *find(void *context, uint64_t id)
{
    const struct child *child = context;
    struct cluster_node *node = cluster_node(child->cluster, id);
    return node != NULL ? child_of(node)->process : NULL;
}

static void client_frame(void *context, uint64_t from, struct batch *frame)
{
    struct child *child = context;
    faults_send(child->cluster->faults, cluster_now_ns(child->cluster), from, WORLD_CLIENT, frame,
                false);
}

struct cluster_node *child_new(struct cluster *cluster, const struct member *member,
                               struct failure *failure)
{
    struct child *child = memory_new_zeroed(1, sizeof *child);
    char directory[CLUSTER_PATH_BYTES + 32];
    (void)snprintf(directory, sizeof directory, "%s/%llu", cluster->processes.directory,
                   (unsigned long long)member->id);
    struct process_options options = {
        .raft = cluster->options.raft,
        .snapshot_every = cluster->options.snapshot_every,
        .snapshot_bytes = cluster->options.snapshot_bytes,
        .seed = cluster->options.seed,
        .cluster_name = "cluster",
        .address = member->address,
        .directory = directory,
        .machine = cluster->processes.machine,
        .speed = cluster->options.speed,
        .command = (const char *const *)cluster->processes.command.items,
        .context = child,
        .on_changed = node_changed,
        .on_stopped = node_stopped,
        .addresses = addresses,
        .find = find,
        .on_client_frame = client_frame,
    };
    options.raft.id = member->id;
    child->head.operations = &operations;
    child->cluster = cluster;
    child->process = process_new(cluster->world, &options);
    if (!process_open(child->process, false, failure)) {
        free_child(&child->head);
        return NULL;
    }
    return &child->head;
}

bool child_await_open(struct cluster_node *node, struct failure *failure)
{
    return process_await_open(child_of(node)->process, failure);
}

/* ---- all of them ---------------------------------------------------------------------------- */

static void send_to_process(void *context, uint64_t to, struct batch *frame)
{
    struct cluster_node *node = cluster_node(context, to);
    if (node != NULL) {
        process_client_frame(child_of(node)->process, frame);
    }
    batch_release(frame);
}

bool children_begin(struct cluster *cluster, const struct cluster_processes *given,
                    struct failure *failure)
{
    struct children *children = &cluster->processes;
    (void)snprintf(children->machine, sizeof children->machine, "%s", given->machine);
    for (size_t i = 0; given->command[i] != NULL; i++) {
        size_t size = strlen(given->command[i]) + 1;
        char *word = memory_new(size);
        memcpy(word, given->command[i], size);
        *array_push(&children->command) = word;
    }
    *array_push(&children->command) = NULL;
    real_set_elsewhere(cluster->world, send_to_process, cluster);
    if (given->directory != NULL) { /* made by the first that opens its disk there */
        ensure(strlen(given->directory) < sizeof children->directory);
        memcpy(children->directory, given->directory, strlen(given->directory) + 1);
        return true;
    }
    children->is_temporary =
        temporary_new(children->directory, sizeof children->directory, failure);
    return children->is_temporary;
}

void children_end(struct children *children)
{
    if (children->is_temporary) {
        temporary_remove(children->directory);
    }
    for (size_t i = 0; i < children->command.count; i++) {
        memory_free(children->command.items[i]);
    }
    array_free(&children->command);
}

void children_tell_faults(const struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->members.count; i++) {
        struct cluster_node *node = cluster->members.items[i].node;
        if (node != NULL) {
            process_tell_faults(child_of(node)->process);
        }
    }
    for (size_t i = 0; i < cluster->members.count; i++) {
        struct cluster_node *node = cluster->members.items[i].node;
        if (node != NULL) {
            process_await_faults(child_of(node)->process);
        }
    }
}
