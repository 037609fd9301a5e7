/*
 * What is done to a cluster from outside: crashes, pauses, clocks, links. Each is in effect when
 * the call returns and leaves a FAULT event; a call that changes nothing leaves no event.
 */
#include "cluster/internal.h"
#include "sim/sim.h"

#include <string.h>

bool cluster_no_such(struct failure *failure, uint64_t id)
{
    failure_set(failure, FAILURE_UNKNOWN_NODE, "there is no node %llu in this cluster",
                (unsigned long long)id);
    return false;
}

static void links_changed(struct cluster *cluster)
{
    cluster_changed(cluster);
    cluster->world->operations->links_changed(cluster->world);
    if (cluster->has_processes) {
        children_tell_faults(cluster);
    }
}

bool cluster_crash(struct cluster *cluster, uint64_t id, struct failure *failure)
{
    struct cluster_node *node = cluster_node(cluster, id);
    if (node == NULL) {
        return cluster_no_such(failure, id);
    }
    enum node_state state = cluster_view(node)->state;
    if (state != NODE_STARTING && state != NODE_RUNNING && state != NODE_PAUSED &&
        state != NODE_STOPPING) {
        return true;
    }
    cluster_trace_fault(cluster, "crash", &id, 1);
    node->operations->crash(node);
    faults_forget(cluster->faults, id);
    requests_review(cluster->requests);
    cluster_changed(cluster);
    return true;
}

bool cluster_restart(struct cluster *cluster, uint64_t id, struct failure *failure)
{
    struct cluster_node *node = cluster_node(cluster, id);
    if (node == NULL) {
        return cluster_no_such(failure, id);
    }
    enum node_state state = cluster_view(node)->state;
    if (state == NODE_REMOVED || state == NODE_STOPPING) {
        failure_set(failure, FAILURE_NOT_MEMBER,
                    "node %llu was removed; add it again with add_servers", (unsigned long long)id);
        return false;
    }
    if (state == NODE_STARTING || state == NODE_RUNNING || state == NODE_PAUSED) {
        return true;
    }
    cluster_trace_fault(cluster, "restart", &id, 1);
    bool started = node->operations->start(node, failure);
    links_changed(cluster);
    return started;
}

bool cluster_stop_removed(struct cluster *cluster, uint64_t id, struct failure *failure)
{
    struct cluster_node *node = cluster_node(cluster, id);
    if (node == NULL) {
        return cluster_no_such(failure, id);
    }
    if (cluster_view(node)->state == NODE_REMOVED || cluster_view(node)->state == NODE_STOPPING) {
        return true;
    }
    cluster_trace_fault(cluster, "stop", &id, 1);
    node->operations->stop(node, true);
    faults_forget(cluster->faults, id);
    requests_review(cluster->requests);
    cluster_changed(cluster);
    return true;
}

uint64_t cluster_directory(const struct cluster *cluster, uint64_t id)
{
    const struct member *member = cluster_member(cluster, id);
    return member != NULL ? member->directory : 0;
}

bool cluster_pause(struct cluster *cluster, uint64_t id, struct failure *failure)
{
    struct cluster_node *node = cluster_node(cluster, id);
    if (node == NULL) {
        return cluster_no_such(failure, id);
    }
    if (cluster_view(node)->state == NODE_RUNNING || cluster_view(node)->state == NODE_STARTING) {
        cluster_trace_fault(cluster, "pause", &id, 1);
        node->operations->pause(node);
        cluster_changed(cluster);
    }
    return true;
}

bool cluster_resume(struct cluster *cluster, uint64_t id, struct failure *failure)
{
    struct cluster_node *node = cluster_node(cluster, id);
    if (node == NULL) {
        return cluster_no_such(failure, id);
    }
    if (cluster_view(node)->state == NODE_PAUSED) {
        cluster_trace_fault(cluster, "resume", &id, 1);
        node->operations->resume(node);
        cluster_changed(cluster);
    }
    return true;
}

bool cluster_set_clock(struct cluster *cluster, uint64_t id, int64_t rate_ppb, int64_t offset_ns,
                       struct failure *failure)
{
    ensure(rate_ppb > 0);
    struct cluster_node *node = cluster_node(cluster, id);
    if (node == NULL) {
        return cluster_no_such(failure, id);
    }
    if (!node->operations->set_clock(node, rate_ppb, offset_ns, failure)) {
        return false;
    }
    cluster_trace_clock(cluster, id, rate_ppb, offset_ns);
    return true;
}

bool cluster_set_disk(struct cluster *cluster, uint64_t id, const struct disk_faults *faults,
                      struct failure *failure)
{
    struct cluster_node *node = cluster_node(cluster, id);
    if (node == NULL) {
        return cluster_no_such(failure, id);
    }
    if (!node->operations->set_disk_faults(node, faults, failure)) {
        return false;
    }
    cluster_trace_disk(cluster, id, faults);
    return true;
}

bool cluster_campaign(struct cluster *cluster, uint64_t id, bool force, struct failure *failure)
{
    struct cluster_node *node = cluster_node(cluster, id);
    if (node == NULL) {
        return cluster_no_such(failure, id);
    }
    cluster_trace_fault(cluster, force ? "campaign (forced)" : "campaign", &id, 1);
    return node->operations->campaign(node, force, failure);
}

bool cluster_set_disconnected(struct cluster *cluster, uint64_t id, bool disconnected,
                              struct failure *failure)
{
    if (cluster_node(cluster, id) == NULL) {
        return cluster_no_such(failure, id);
    }
    if (faults_is_disconnected(cluster->faults, id) == disconnected) {
        return true;
    }
    cluster_trace_fault(cluster, disconnected ? "disconnect" : "reconnect", &id, 1);
    faults_set_disconnected(cluster->faults, id, disconnected);
    links_changed(cluster);
    return true;
}

void cluster_partition(struct cluster *cluster, const uint64_t *ids, const uint32_t *groups,
                       size_t count)
{
    cluster_trace_partition(cluster, ids, groups, count);
    faults_set_partition(cluster->faults, ids, groups, count);
    links_changed(cluster);
}

void cluster_set_link(struct cluster *cluster, uint64_t from, uint64_t to,
                      const struct link_faults *link)
{
    cluster_trace_link(cluster, from, to, link);
    faults_set_link(cluster->faults, from, to, link);
    links_changed(cluster);
}

void cluster_heal(struct cluster *cluster)
{
    cluster_trace_fault(cluster, "heal", NULL, 0);
    faults_heal(cluster->faults);
    cluster_end_late(cluster, 0);
    links_changed(cluster);
}

bool cluster_is_disconnected(const struct cluster *cluster, uint64_t id)
{
    return faults_is_disconnected(cluster->faults, id);
}

uint32_t cluster_group(const struct cluster *cluster, uint64_t id)
{
    return faults_group(cluster->faults, id);
}

bool cluster_link_rule(const struct cluster *cluster, uint64_t from, uint64_t to,
                       struct link_faults *out)
{
    return faults_rule(cluster->faults, from, to, out);
}

void cluster_rekey(struct cluster *cluster, uint64_t seed)
{
    ensure(!cluster->options.real);
    cluster->options.seed = seed;
    faults_rekey(cluster->faults, seed);
    sim_rekey(cluster->world, seed);
    for (size_t i = 0; i < cluster->members.count; i++) {
        struct cluster_node *node = cluster->members.items[i].node;
        node->operations->rekey(node, seed);
    }
}

uint64_t cluster_effect_count(const struct cluster *cluster, uint64_t from, uint64_t to,
                              enum fault_effect effect)
{
    return faults_effect_count(cluster->faults, from, to, effect);
}

void cluster_deliver(struct cluster *cluster, uint64_t from, uint64_t to, struct batch *frame)
{
    cluster->world->operations->deliver(cluster->world, from, to, frame);
}

void cluster_drop_held(struct cluster *cluster, uint64_t from, uint64_t to, struct batch *frame)
{
    faults_drop(cluster->faults, cluster_now_ns(cluster), from, to, frame, "intercepted");
}

void cluster_note(struct cluster *cluster, struct bytes text)
{
    struct trace_event event = {
        .time_ns = cluster_now_ns(cluster), .kind = TRACE_NOTE, .text = text};
    trace_emit(cluster->trace, &event);
}

void cluster_verdict(struct cluster *cluster, bool passed, struct bytes message)
{
    struct buffer *value = &cluster->scratch;
    buffer_clear(value);
    value_write_map(value, 2); /* "passed" (6) comes before "message" (7) */
    value_write_string(value, "passed", 6);
    value_write_boolean(value, passed);
    value_write_string(value, "message", 7);
    value_write_string(value, message.data, message.size);
    struct trace_event event = {
        .time_ns = cluster_now_ns(cluster),
        .kind = TRACE_VERDICT,
        .text = buffer_bytes(&cluster->name),
        .value = buffer_bytes(value),
    };
    trace_emit(cluster->trace, &event);
}
