/*
 * One node of an application: its store, its part of the trace, its beginning and end, and what the
 * application is told of it. It never calls the application but from its flusher (and embed_close).
 */
#include "embed/internal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- what happened -------------------------------------------------------------------------- */

void embed_tell_soon(struct embedded *embedded)
{
    struct world *world = embedded->loop->world;
    world->operations->flush_soon(world, &embedded->flusher);
}

bool embed_is_running(const struct embedded *embedded)
{
    return node_view(embedded->node)->state == NODE_RUNNING;
}

static void on_role(void *context, struct node *node)
{
    struct embedded *embedded = context;
    (void)node;
    embedded->review_requests = true;
    embed_tell_soon(embedded);
}

static void on_members(void *context, struct node *node)
{
    struct embedded *embedded = context;
    (void)node;
    embedded->tell_members = true;
    embed_tell_soon(embedded);
}

static void on_applied(void *context, struct node *node)
{
    const struct embedded *embedded = context;
    (void)node;
    requests_applied(embedded->requests);
}

static void on_started(void *context, struct node *node)
{
    struct embedded *embedded = context;
    struct failure failure;
    if (node_view(node)->members->count == 1) {
        (void)node_campaign(node, true, &failure); /* alone: there is nobody to wait for */
    }
    embedded->review_requests = true;
    embed_tell_soon(embedded);
}

static void on_stopped(void *context, struct node *node)
{
    struct embedded *embedded = context;
    char why[64];
    (void)snprintf(why, sizeof why, "node %llu is %s", (unsigned long long)embedded->id,
                   node_state_name(node_view(node)->state));
    embedded->tell_stopped = true;
    requests_end(embedded->requests, FAILURE_NODE_DOWN, why);
    embed_tell_soon(embedded);
}

/* ---- what the application is told ----------------------------------------------------------- */

static void tell(struct embedded *embedded, const struct embed_event *event)
{
    if (embedded->on_event != NULL) {
        embedded->on_event(embedded->context, event);
    }
}

static void tell_roles(struct embedded *embedded)
{
    const struct node_view *view = node_view(embedded->node);
    if (view->state != NODE_RUNNING) {
        return;
    }
    enum raft_role role = view->role;
    uint64_t leader = view->leader;
    uint64_t term = view->term;
    if (role != embedded->role) {
        embedded->role = role;
        tell(embedded, &(struct embed_event){.kind = EMBED_ROLE, .role = role, .term = term});
    }
    if (leader != embedded->leader || (leader != 0 && term != embedded->leader_term)) {
        embedded->leader = leader;
        embedded->leader_term = term;
        tell(embedded, &(struct embed_event){.kind = EMBED_LEADER, .id = leader, .term = term});
    }
}

static void tell_notices(struct embedded *embedded)
{
    for (uint32_t i = 0; i < embedded->notices.count; i++) {
        struct notice notice = embedded->notices.waiting[i];
        tell(embedded,
             &(struct embed_event){.kind = EMBED_NOTICE, .id = notice.peer, .text = notice.text});
    }
    embedded->notices.count = 0;
}

static void tell_end(struct embedded *embedded)
{
    const struct node_view *view = node_view(embedded->node);
    embedded->tell_stopped = false;
    if (view->state == NODE_REMOVED) {
        tell(embedded, &(struct embed_event){.kind = EMBED_REMOVED, .text = ""});
    } else if (view->state == NODE_FAILED) {
        tell(embedded, &(struct embed_event){.kind = EMBED_FAILED, .text = view->error});
    }
}

static void flush(void *context)
{
    struct embedded *embedded = context;
    if (embedded->review_requests) {
        embedded->review_requests = false;
        requests_review(embedded->requests);
    }
    requests_judge(embedded->requests);
    notices_follow_leader(embedded);
    tell_roles(embedded);
    if (embedded->tell_members) {
        embedded->tell_members = false;
        tell(embedded, &(struct embed_event){.kind = EMBED_MEMBERS});
    }
    tell_notices(embedded);
    embed_tell_outcomes(embedded);
    if (embedded->tell_stopped) {
        tell_end(embedded);
    }
}

/* ---- its beginning -------------------------------------------------------------------------- */

static struct machine *make_machine(void *context, uint64_t id, struct failure *failure)
{
    struct embedded *embedded = context;
    if (embedded->make_machine == NULL) {
        return machine_new(&kv_operations, kv_new());
    }
    return embedded->make_machine(embedded->context, id, failure);
}

static bool is_taken(const struct embed_loop *loop, uint64_t id)
{
    list_each(&loop->embedded, at) {
        if (item_of(at, const struct embedded, link)->id == id) {
            return true;
        }
    }
    return false;
}

/* A disk in memory is another one in each life of a process, and must never pass for the last. */
static uint64_t draw_seed(void)
{
    uint64_t seed = 0;
    ensure(getentropy(&seed, sizeof seed) == 0);
    return seed;
}

static struct store *make_store(struct embedded *embedded, const struct embed_options *options,
                                struct failure *failure)
{
    struct world *world = embedded->loop->world;
    struct raft_start start = {.first_index = 1, .first_members = &embedded->first_members};
    struct store *store = NULL;
    if (options->directory == NULL) {
        store = store_memory_new(world, embedded->id, draw_seed());
    } else {
        struct files *files =
            world->operations->files(world, embedded->id, options->directory, failure);
        if (files == NULL) {
            return NULL;
        }
        struct store_wal_options wal = {.id = embedded->id,
                                        .cluster_name = options->cluster_name,
                                        .segment_bytes = STORE_SEGMENT_BYTES,
                                        .seed = draw_seed()};
        store = store_wal_new(world, files, &wal);
        embedded->has_files = true;
    }
    store->operations->format(store, &start);
    return store;
}

static struct node *make_node(struct embedded *embedded, const struct embed_options *options,
                              struct failure *failure)
{
    struct store *store = make_store(embedded, options, failure);
    if (store == NULL) {
        return NULL;
    }
    struct node_options node_options = {
        .raft = options->raft,
        .seed = draw_seed(),
        .cluster_name = options->cluster_name,
        .address = options->listen,
        .snapshot_every = options->snapshot_every,
        .snapshot_bytes = options->snapshot_bytes,
        .make_machine = make_machine,
        .context = embedded,
        .on_role = on_role,
        .on_members = on_members,
        .on_applied = on_applied,
        .on_started = on_started,
        .on_stopped = on_stopped,
    };
    return node_new(embedded->loop->world, store, &node_options);
}

struct embedded *embed_new(struct embed_loop *loop, const struct embed_options *options,
                           struct failure *failure)
{
    if (is_taken(loop, options->raft.id)) {
        failure_set(failure, FAILURE_ALREADY_MEMBER,
                    "there is a node %llu in this process already: close it first",
                    (unsigned long long)options->raft.id);
        return NULL;
    }
    struct embedded *embedded = memory_new_zeroed(1, sizeof *embedded);
    embedded->loop = loop;
    embedded->id = options->raft.id;
    embedded->forward = options->forward;
    embedded->session = options->session;
    embedded->make_machine = options->make_machine;
    embedded->on_event = options->on_event;
    embedded->on_done = options->on_done;
    embedded->context = options->context;
    embedded->role = RAFT_FOLLOWER;
    embedded->flusher = (struct flusher){.flush = flush, .context = embedded};
    embedded->trace_subscription = -1;
    if (options->first_members != NULL) {
        raft_configuration_copy(&embedded->first_members, options->first_members);
    }
    embedded->requests = requests_new(loop->world, &embed_reach, embedded);
    embedded->election_timeout_max_ns = options->raft.election_timeout_max_ns;
    embedded->node = make_node(embedded, options, failure);
    if (embedded->node == NULL) {
        requests_free(embedded->requests);
        raft_configuration_free(&embedded->first_members);
        memory_free(embedded);
        return NULL;
    }
    notices_open(embedded);
    list_prepend(&loop->embedded, &embedded->link);
    return embedded;
}

bool embed_start(struct embedded *embedded, struct failure *failure)
{
    if (embedded->was_started) {
        failure_set(failure, FAILURE_BUSY,
                    "node %llu has been started already (it is %s); a node that has ended is "
                    "closed and replaced by a new one",
                    (unsigned long long)embedded->id,
                    node_state_name(node_view(embedded->node)->state));
        return false;
    }
    embedded->was_started = node_start(embedded->node, failure);
    embed_tell_soon(embedded); /* what has been asked of it meanwhile */
    return embedded->was_started;
}

/* ---- its end -------------------------------------------------------------------------------- */

static void end_handover(struct embedded *embedded)
{
    struct world *world = embedded->loop->world;
    embedded->is_handing_over = false;
    world->operations->wake_at(world, &embedded->handover_bound, WORLD_NEVER);
}

static void handed_over(void *context, uint64_t number, const struct node_outcome *outcome)
{
    (void)number;
    (void)outcome; /* another leads, or nobody can: it has been tried */
    end_handover(context);
}

static void takes_too_long(void *context)
{
    struct embedded *embedded = context;
    embedded->is_handing_over = false;
}

static void hand_over(struct embedded *embedded)
{
    struct world *world = embedded->loop->world;
    struct node_asker asker = {.done = handed_over, .context = embedded};
    struct failure failure;
    embedded->is_handing_over = true;
    embedded->handover_bound.fire = takes_too_long;
    embedded->handover_bound.context = embedded;
    world->operations->wake_at(world, &embedded->handover_bound,
                               world_now_ns(world) + 2 * embedded->election_timeout_max_ns);
    if (!node_transfer(embedded->node, 0, &asker, &failure)) {
        end_handover(embedded);
    }
}

void embed_begin_close(struct embedded *embedded, bool hands_over)
{
    char why[64];
    (void)snprintf(why, sizeof why, "node %llu was closed", (unsigned long long)embedded->id);
    /* First, so that those whom the node itself would tell are told the same. */
    requests_end(embedded->requests, FAILURE_CLOSED, why);
    if (hands_over && embed_is_running(embedded) &&
        node_view(embedded->node)->role == RAFT_LEADER &&
        embedded->election_timeout_max_ns < RAFT_NEVER / 4) {
        hand_over(embedded);
    }
    embed_tell_outcomes(embedded);
}

bool embed_may_end(struct embedded *embedded)
{
    if (embedded->is_handing_over && embed_is_running(embedded)) {
        return false;
    }
    if (embedded->has_files && embed_is_running(embedded)) {
        node_stop(embedded->node, false);
    }
    return node_view(embedded->node)->state != NODE_STOPPING || !embedded->has_files;
}

void embed_close(struct embedded *embedded)
{
    end_handover(embedded);
    node_stop(embedded->node, false);
    embed_tell_outcomes(embedded);
}

static void forward_event(void *context, const struct trace_event *event)
{
    struct embedded *embedded = context;
    if (event->node == embedded->id) {
        struct trace_event copy = *event;
        trace_emit(embedded->trace, &copy);
    }
}

struct trace *embed_trace(struct embedded *embedded)
{
    if (embedded->trace == NULL) {
        embedded->trace = trace_new();
        embedded->trace_subscription =
            trace_subscribe(embedded->loop->trace, TRACE_ALL, forward_event, embedded);
    }
    return embedded->trace;
}

void embed_free(struct embedded *embedded)
{
    struct embed_loop *loop = embedded->loop;
    struct world *world = loop->world;
    embedded->on_event = NULL;
    end_handover(embedded);
    node_free(embedded->node);
    requests_free(embedded->requests);
    buffer_free(&embedded->payload);
    buffer_free(&embedded->answer);
    world->operations->flush_cancel(world, &embedded->flusher);
    notices_close(embedded);
    if (embedded->trace != NULL) {
        trace_unsubscribe(loop->trace, embedded->trace_subscription);
        trace_free(embedded->trace);
    }
    list_remove(&embedded->link);
    raft_configuration_free(&embedded->first_members);
    memory_free(embedded);
}

struct node *embed_node(const struct embedded *embedded)
{
    return embedded->node;
}
