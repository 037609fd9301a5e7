/*
 * One node of an application: its store, its part of the trace, its beginning and end, and what the
 * application is told of it. It never calls the application but from its flusher (and host_close).
 */
#include "host/internal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- what happened -------------------------------------------------------------------------- */

void host_tell_soon(struct host *host)
{
    struct world *world = host->hosts->world;
    world->operations->flush_soon(world, &host->flusher);
}

bool host_is_running(const struct host *host)
{
    return node_get_state(host->node) == NODE_RUNNING;
}

static void on_role(void *context, struct node *node)
{
    struct host *host = context;
    (void)node;
    requests_role_changed(host);
    host_tell_soon(host);
}

static void on_members(void *context, struct node *node)
{
    struct host *host = context;
    (void)node;
    host->tell_members = true;
    host_tell_soon(host);
}

static void on_applied(void *context, struct node *node)
{
    (void)node;
    requests_applied(context);
}

static void on_stopped(void *context, struct node *node)
{
    struct host *host = context;
    char why[64];
    (void)snprintf(why, sizeof why, "node %llu is %s", (unsigned long long)host->id,
                   node_state_name(node_get_state(node)));
    host->tell_stopped = true;
    requests_end(host, FAILURE_NODE_DOWN, why);
    host_tell_soon(host);
}

/* ---- what the application is told ----------------------------------------------------------- */

static void tell(struct host *host, const struct host_event *event)
{
    if (host->on_event != NULL) {
        host->on_event(host->context, event);
    }
}

static void tell_roles(struct host *host)
{
    struct raft_status status;
    if (!host_is_running(host)) {
        return;
    }
    raft_get_status(node_raft(host->node), &status);
    if (status.role != host->role) {
        host->role = status.role;
        tell(host,
             &(struct host_event){.kind = HOST_ROLE, .role = status.role, .term = status.term});
    }
    if (status.leader != host->leader || (status.leader != 0 && status.term != host->leader_term)) {
        host->leader = status.leader;
        host->leader_term = status.term;
        tell(host,
             &(struct host_event){.kind = HOST_LEADER, .id = status.leader, .term = status.term});
    }
}

static void tell_notices(struct host *host)
{
    for (uint32_t i = 0; i < host->notice_count; i++) {
        struct notice notice = host->notices[i];
        tell(host,
             &(struct host_event){.kind = HOST_NOTICE, .id = notice.peer, .text = notice.text});
    }
    host->notice_count = 0;
}

static void tell_end(struct host *host)
{
    bool removed = node_get_state(host->node) == NODE_REMOVED;
    host->tell_stopped = false;
    tell(host, &(struct host_event){.kind = removed ? HOST_REMOVED : HOST_FAILED,
                                    .text = node_error(host->node)});
}

static void flush(void *context)
{
    struct host *host = context;
    requests_hand_over(host);
    tell_roles(host);
    if (host->tell_members) {
        host->tell_members = false;
        tell(host, &(struct host_event){.kind = HOST_MEMBERS});
    }
    tell_notices(host);
    requests_tell(host);
    if (host->tell_stopped) {
        tell_end(host);
    }
}

/* ---- its beginning -------------------------------------------------------------------------- */

static struct machine *make_machine(void *context, uint64_t id, struct failure *failure)
{
    struct host *host = context;
    if (host->make_machine == NULL) {
        return machine_new(&kv_operations, kv_new());
    }
    return host->make_machine(host->context, id, failure);
}

static bool is_taken(const struct hosts *hosts, uint64_t id)
{
    for (const struct host *host = hosts->first; host != NULL; host = host->next) {
        if (host->id == id) {
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

static struct node *make_node(struct host *host, const struct host_options *options)
{
    struct node_options node_options = {
        .raft = options->raft,
        .seed = draw_seed(),
        .cluster_name = options->cluster_name,
        .address = options->listen,
        .make_machine = make_machine,
        .context = host,
        .on_role = on_role,
        .on_members = on_members,
        .on_applied = on_applied,
        .on_stopped = on_stopped,
    };
    struct world *world = host->hosts->world;
    struct raft_start start = {.first_index = 1, .first_members = &host->first_members};
    struct store *store = store_memory_new(world, host->id, node_options.seed, 0, 0);
    store_format(store, &start);
    return node_new(world, store, &node_options);
}

struct host *host_new(struct hosts *hosts, const struct host_options *options,
                      struct failure *failure)
{
    if (is_taken(hosts, options->raft.id)) {
        failure_set(failure, FAILURE_ALREADY_MEMBER,
                    "there is a node %llu in this process already: close it first",
                    (unsigned long long)options->raft.id);
        return NULL;
    }
    struct host *host = memory_new_zeroed(1, sizeof *host);
    host->hosts = hosts;
    host->id = options->raft.id;
    host->forward = options->forward;
    host->make_machine = options->make_machine;
    host->on_event = options->on_event;
    host->on_done = options->on_done;
    host->context = options->context;
    host->role = RAFT_FOLLOWER;
    host->flusher = (struct flusher){.flush = flush, .context = host};
    host->trace_subscription = -1;
    if (options->first_members != NULL) {
        raft_configuration_copy(&host->first_members, options->first_members);
    }
    requests_prepare(host);
    host->node = make_node(host, options);
    notices_open(host);
    host->next = hosts->first;
    if (host->next != NULL) {
        host->next->previous = host;
    }
    hosts->first = host;
    return host;
}

bool host_start(struct host *host, struct failure *failure)
{
    if (host->was_started) {
        failure_set(failure, FAILURE_BUSY,
                    "node %llu has been started already (it is %s); a node that has ended is "
                    "closed and made anew",
                    (unsigned long long)host->id, node_state_name(node_get_state(host->node)));
        return false;
    }
    host->was_started = node_start(host->node, failure);
    if (host->was_started && host->first_members.count == 1) {
        (void)node_campaign(host->node, true, failure); /* alone: there is nobody to wait for */
    }
    host_tell_soon(host); /* what has been asked of it meanwhile */
    return host->was_started;
}

/* ---- its end -------------------------------------------------------------------------------- */

void host_close(struct host *host)
{
    char why[64];
    (void)snprintf(why, sizeof why, "node %llu was closed", (unsigned long long)host->id);
    /* First, so that those whom the node itself would tell are told the same. */
    requests_end(host, FAILURE_CLOSED, why);
    node_stop(host->node, false);
    requests_tell(host);
}

static void forward_event(void *context, const struct trace_event *event)
{
    struct host *host = context;
    if (event->node == host->id) {
        struct trace_event copy = *event;
        trace_emit(host->trace, &copy);
    }
}

struct trace *host_trace(struct host *host)
{
    if (host->trace == NULL) {
        host->trace = trace_new();
        host->trace_subscription =
            trace_subscribe(host->hosts->trace, TRACE_ALL, forward_event, host);
    }
    return host->trace;
}

void host_free(struct host *host)
{
    struct hosts *hosts = host->hosts;
    struct world *world = hosts->world;
    host->on_event = NULL;
    node_free(host->node);
    requests_free(host);
    world->operations->flush_cancel(world, &host->flusher);
    notices_close(host);
    if (host->trace != NULL) {
        trace_unsubscribe(hosts->trace, host->trace_subscription);
        trace_free(host->trace);
    }
    if (host->previous != NULL) {
        host->previous->next = host->next;
    } else {
        ensure(hosts->first == host);
        hosts->first = host->next;
    }
    if (host->next != NULL) {
        host->next->previous = host->previous;
    }
    raft_configuration_free(&host->first_members);
    memory_free(host);
}

struct node *host_node(const struct host *host)
{
    return host->node;
}
