/*
 * A node in this process, as the cluster asks it: each operation is the node's own, of the same
 * name in node/node.h. It decides nothing.
 */
#include "cluster/internal.h"

struct local {
    struct cluster_node head;
    struct world *world;
    struct node *node;
};

static struct node *node_of(struct cluster_node *node)
{
    return ((struct local *)(void *)node)->node;
}

static const struct node *const_node_of(const struct cluster_node *node)
{
    return ((const struct local *)(const void *)node)->node;
}

static const struct node_view *view(struct cluster_node *node)
{
    return node_view(node_of(node));
}

static const struct raft_entry *log_read(struct cluster_node *node, uint64_t index)
{
    return node_log_read(node_of(node), index);
}

static bool read_disk(struct cluster_node *node, struct failure *failure)
{
    (void)node; /* its store tells it at any time */
    (void)failure;
    return true;
}

static bool peer_at(const struct cluster_node *node, uint32_t position,
                    struct raft_peer_status *peer)
{
    return node_peer_at(const_node_of(node), position, peer);
}

static bool start(struct cluster_node *node, struct failure *failure)
{
    return node_start(node_of(node), failure);
}

static void crash(struct cluster_node *node)
{
    node_crash(node_of(node));
}

static void stop(struct cluster_node *node, bool removed)
{
    node_stop(node_of(node), removed);
}

static bool wipe(struct cluster_node *node, struct failure *failure)
{
    (void)failure;
    node_wipe(node_of(node));
    return true;
}

static void pause_node(struct cluster_node *node)
{
    node_pause(node_of(node));
}

static void resume(struct cluster_node *node)
{
    node_resume(node_of(node));
}

static bool set_disk_faults(struct cluster_node *node, const struct disk_faults *faults,
                            struct failure *failure)
{
    return node_set_disk_faults(node_of(node), faults, failure);
}

static bool set_clock(struct cluster_node *node, int64_t rate_ppb, int64_t offset_ns,
                      struct failure *failure)
{
    (void)failure;
    node_set_clock(node_of(node), rate_ppb, offset_ns);
    return true;
}

static void rekey(struct cluster_node *node, uint64_t seed)
{
    node_rekey(node_of(node), seed);
}

static bool campaign(struct cluster_node *node, bool force, struct failure *failure)
{
    return node_campaign(node_of(node), force, failure);
}

static bool submit(struct cluster_node *node, struct bytes payload, uint64_t *index, uint64_t *term,
                   struct failure *failure)
{
    return node_submit(node_of(node), payload, index, term, failure);
}

static bool change(struct cluster_node *node, const struct raft_configuration *wanted,
                   uint64_t *index, uint64_t *term, const struct node_asker *asker,
                   struct failure *failure)
{
    return node_change(node_of(node), wanted, index, term, asker, failure);
}

static bool transfer(struct cluster_node *node, uint64_t target, const struct node_asker *asker,
                     struct failure *failure)
{
    return node_transfer(node_of(node), target, asker, failure);
}

static bool compact(struct cluster_node *node, const struct node_asker *asker,
                    struct failure *failure)
{
    return node_compact(node_of(node), asker, failure);
}

static bool serve(struct cluster_node *node, node_serve_function *function, void *context,
                  struct failure *failure)
{
    (void)failure;
    node_serve(node_of(node), function, context);
    return true;
}

static bool call(struct cluster_node *node, uint64_t to, struct bytes value,
                 const struct node_asker *asker, struct failure *failure)
{
    return node_call(node_of(node), to, value, asker, failure) != 0;
}

static uint64_t drop_count(const struct cluster_node *node)
{
    const struct local *local = (const struct local *)(const void *)node;
    return faults_drop_count(local->world->faults, node_view(local->node)->id);
}

static uint64_t pid(const struct cluster_node *node)
{
    (void)node;
    return 0;
}

static bool is_connected(const struct cluster_node *node, uint64_t peer)
{
    return node_is_connected(const_node_of(node), peer);
}

static void call_forget(struct cluster_node *node, const void *context, uint64_t number)
{
    node_call_forget(node_of(node), context, number);
}

static void free_local(struct cluster_node *node)
{
    node_free(node_of(node));
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
    .rekey = rekey,
    .campaign = campaign,
    .submit = submit,
    .change = change,
    .transfer = transfer,
    .compact = compact,
    .serve = serve,
    .call = call,
    .drop_count = drop_count,
    .pid = pid,
    .is_connected = is_connected,
    .call_forget = call_forget,
    .free = free_local,
};

struct cluster_node *local_new(struct world *world, struct store *store,
                               const struct node_options *options)
{
    struct local *local = memory_new_zeroed(1, sizeof *local);
    local->head.operations = &operations;
    local->world = world;
    local->node = node_new(world, store, options);
    return &local->head;
}
