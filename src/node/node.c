/*
 * A node's life: made, started from what its disk holds, paused, crashed, stopped, started again.
 * It never asks which world it is in.
 */
#include "node/internal.h"

#include <stdio.h>
#include <string.h>

const char *node_state_name(enum node_state state)
{
    switch (state) {
    case NODE_STOPPED:
        return "stopped";
    case NODE_STARTING:
        return "starting";
    case NODE_RUNNING:
        return "running";
    case NODE_PAUSED:
        return "paused";
    case NODE_CRASHED:
        return "crashed";
    case NODE_STOPPING:
        return "stopping";
    case NODE_FAILED:
        return "failed";
    case NODE_REMOVED:
        return "removed";
    }
    return "unknown";
}

struct node *node_new(struct world *world, struct store *store, const struct node_options *options)
{
    ensure(world != NULL && store != NULL && options->raft.id > 0);
    ensure(options->make_machine != NULL && options->cluster_name != NULL);
    ensure(strlen(options->cluster_name) <= CLUSTER_NAME_BYTES_MAX);
    ensure(options->address == NULL || strlen(options->address) <= RAFT_ADDRESS_BYTES_MAX);
    struct node *node = memory_new_zeroed(1, sizeof *node);
    node->world = world;
    node->store = store;
    node->options = *options;
    node->id = options->raft.id;
    (void)snprintf(node->cluster_name, sizeof node->cluster_name, "%s", options->cluster_name);
    (void)snprintf(node->address, sizeof node->address, "%s",
                   options->address == NULL ? "" : options->address);
    node->options.cluster_name = node->cluster_name;
    node->options.address = NULL; /* node->address holds it */
    node->election_stream = random_stream_of(options->seed, "node", node->id, 0, "election");
    node->life_stream = random_stream_of(options->seed, "node", node->id, 0, "life");
    node->first_read_id = 1;
    /* Not from 1: a request that is passed on in a second life is none of the first. */
    struct random numbers = random_stream_of(options->seed, "node", node->id, 0, "call");
    node->call_number = random_next(&numbers) >> 1;
    node_clock_init(&node->clock, world_now_ns(world));
    node_prepare(node);
    return node;
}

/* ---- its end -------------------------------------------------------------------------------- */

/* All that lives only while it runs; nobody is told. */
static void drop_volatile(struct node *node)
{
    for (size_t i = 0; i < node->outgoing.count; i++) {
        batch_release(ring_at(&node->outgoing, i)->frame);
    }
    ring_free(&node->outgoing);
    ring_free(&node->ready_reads);
    frames_drop_held(node);
    client_forget(node);
    peers_clear(node);
    raft_configuration_free(&node->applied_members);
    buffer_free(&node->frame);
    buffer_free(&node->result);
    buffer_free(&node->answer);
    buffer_free(&node->value);
    memory_free(node->entries);
    memory_free(node->trace_entries);
    buffer_free(&node->trace_configurations);
    node->entries = NULL;
    node->entries_capacity = 0;
    node->trace_entries = NULL;
    node->trace_entries_capacity = 0;
    node->durable_sequence = 0;
    node->flush_wanted = false;
    node->owed_persisted = 0;
    node->owes_tick = false;
    node->owes_removal = false;
    node->owes_start = false;
    node->was_member = false;
    node->removal_index = 0;
    node->turned_away_by = 0;
    node->tell_started = false;
    node->tell_role = false;
    node->tell_members = false;
    node->tell_applied = false;
}

/* Nothing of its last life is under way any more. */
static void enter_final_state(struct node *node, enum node_state state, const char *text)
{
    if (node->was_up) {
        report_stop(node, text);
    }
    ring_free(&node->writes);
    node->was_up = false;
    node->state = state;
}

static const char *final_text(const struct node *node)
{
    return node->final_state == NODE_REMOVED ? "removed" : "shutdown";
}

/* It takes no part any more. Those who wait are told where `tell`. */
static void leave_network(struct node *node, bool tell)
{
    const struct world_operations *operations = node->world->operations;
    operations->close(node->world, node->endpoint);
    node->endpoint = NULL;
    operations->wake_at(node->world, &node->wakeup, WORLD_NEVER);
    operations->wake_at(node->world, &node->removal_wakeup, WORLD_NEVER);
    operations->flush_cancel(node->world, &node->flusher);
    node->armed_ns = WORLD_NEVER;
    node->removal_armed = false;
    node->contradiction = false;
    if (node->world->faults != NULL) {
        faults_forget(node->world->faults, node->id);
    }
    node->was_up = node->raft != NULL;
    raft_free(node->raft);
    machine_free(node->machine);
    node->raft = NULL;
    node->machine = NULL;
    drop_volatile(node);
    node_end_waiting(node, tell);
    calls_end(node, tell);
}

/* As a killed process or a cut of power does. */
static void end_at_once(struct node *node, enum node_state state, const char *text, bool tell)
{
    bool alive = node_is_alive(node);
    if (!alive && node->state != NODE_STOPPING) {
        return;
    }
    node->store->operations->close(node->store, false);
    node->state = state;
    if (alive) {
        leave_network(node, tell);
    }
    enter_final_state(node, state, text);
}

static void end_in_order(struct node *node, enum node_state state)
{
    node->final_state = state;
    if (node_is_alive(node)) {
        node->state = NODE_STOPPING;
        node->store->operations->close(node->store, true);
        leave_network(node, true);
    } else if (node->state != NODE_STOPPING) {
        node->state = state;
    }
}

static void store_closed(void *context)
{
    struct node *node = context;
    ensure(node->state == NODE_STOPPING);
    enter_final_state(node, node->final_state, final_text(node));
    node->tell_stopped = true;
    node_tell(node);
}

void node_free(struct node *node)
{
    if (node == NULL) {
        return;
    }
    end_at_once(node, NODE_STOPPED, "shutdown", false);
    node->world->operations->flush_cancel(node->world, &node->flusher);
    node->store->operations->free(node->store);
    memory_free(node);
}

void node_crash(struct node *node)
{
    end_at_once(node, NODE_CRASHED, "crash", true);
}

void node_stop(struct node *node, bool removed)
{
    end_in_order(node, removed ? NODE_REMOVED : NODE_STOPPED);
}

void node_fail(struct node *node, const char *text)
{
    char why[sizeof node->error + 8];
    if (text != node->error) {
        (void)snprintf(node->error, sizeof node->error, "%s", text);
    }
    (void)snprintf(why, sizeof why, "failed: %s", node->error);
    node->tell_stopped = true;
    end_at_once(node, NODE_FAILED, why, true);
    node_tell_soon(node);
}

void node_remove_itself(struct node *node)
{
    node->removal_armed = false;
    node->owes_removal = false;
    if (node->raft == NULL ||
        raft_configuration_lists(raft_members(node->raft), node->id, node->directory)) {
        return; /* it has been added again meanwhile */
    }
    end_in_order(node, NODE_REMOVED);
}

/* ---- its start ------------------------------------------------------------------------------ */

/* The core as its disk left it; NULL, and why, where it cannot be. */
static struct raft *make_core(struct node *node, const struct store_contents *contents,
                              const char **problem)
{
    const struct store *store = node->store;
    struct raft_entry *entries =
        memory_new((size_t)contents->entry_count * sizeof(struct raft_entry));
    for (uint64_t i = 0; i < contents->entry_count; i++) {
        entries[i] = *store->operations->entry_at(store, contents->first_index + i);
    }
    struct raft_start start = {.term = contents->term,
                               .vote = contents->vote,
                               .vote_directory = contents->vote_directory,
                               .first_members = contents->first_members,
                               .first_index = contents->first_index,
                               .entries = entries,
                               .entry_count = contents->entry_count};
    struct raft_options options = node->options.raft;
    options.seed = random_next(&node->election_stream);
    options.directory = contents->directory;
    int64_t now_ns = node_clock_now(&node->clock, world_now_ns(node->world));
    struct raft *raft = raft_new(&options, &start, now_ns, problem);
    memory_free(entries);
    return raft;
}

static void begin_work(struct node *node)
{
    struct store_contents contents;
    struct raft_status status;
    const char *problem = "no reason given";
    node->store->operations->contents(node->store, &contents);
    node->raft = make_core(node, &contents, &problem);
    if (node->raft == NULL) {
        char text[sizeof node->error];
        (void)snprintf(text, sizeof text, "it cannot start: %s", problem);
        node_fail(node, text);
        return;
    }
    node->state = NODE_RUNNING;
    node->directory = contents.directory;
    node->apply_next = contents.first_index;
    node->apply_last = contents.first_index - 1;
    raft_configuration_copy(&node->applied_members, contents.first_members);
    raft_configuration_claim(&node->applied_members, node->id, contents.directory);
    node->was_member =
        raft_configuration_lists(&node->applied_members, node->id, contents.directory);
    raft_get_status(node->raft, &status);
    report_start(node, &status);
    peers_follow_members(node);
    node->tell_started = true;
    node_tick(node); /* for the first deadline; nothing is due yet */
    frames_deliver_held(node);
}

static void store_recovered(void *context, const struct failure *failure)
{
    struct node *node = context;
    ensure(node->raft == NULL && node_is_alive(node));
    if (failure != NULL) {
        node_fail(node, failure->message);
    } else if (node->state == NODE_PAUSED) {
        node->owes_start = true;
    } else {
        begin_work(node);
    }
    node_tell(node);
}

static bool listen(struct node *node, struct failure *failure)
{
    struct endpoint_handler handler = node_endpoint_handler(node);
    node->endpoint = node->world->operations->open(
        node->world, node->id, node->address[0] == 0 ? NULL : node->address, &handler, failure);
    if (node->endpoint == NULL) {
        return false;
    }
    const char *address = node->world->operations->address(node->endpoint);
    if (address != NULL && address != node->address) {
        (void)snprintf(node->address, sizeof node->address, "%s", address);
    }
    return true;
}

bool node_start(struct node *node, struct failure *failure)
{
    if (node_is_alive(node)) {
        failure_set(failure, FAILURE_BUSY, "node %llu has been started already (it is %s)",
                    (unsigned long long)node->id, node_state_name(node->state));
        return false;
    }
    struct machine *machine = node->options.make_machine(node->options.context, node->id, failure);
    if (machine == NULL) {
        return false;
    }
    node->life = random_next(&node->life_stream);
    if (!listen(node, failure)) {
        machine_free(machine);
        return false;
    }
    if (node->state == NODE_STOPPING) { /* the store ends it before it recovers */
        enter_final_state(node, node->final_state, final_text(node));
    }
    node->machine = machine;
    node->error[0] = 0;
    node->tell_stopped = false;
    node->refused.peer = 0;
    node->state = NODE_STARTING;
    struct store_handler handler = {store_recovered, node_store_persisted, node_store_failed,
                                    store_closed, node};
    node->store->operations->open(node->store, &handler);
    return true;
}

void node_wipe(struct node *node)
{
    ensure(!node_is_alive(node));
    if (node->state == NODE_STOPPING) {
        enter_final_state(node, node->final_state, final_text(node));
    }
    node->store->operations->wipe(node->store);
}

/* ---- while it runs -------------------------------------------------------------------------- */

void node_pause(struct node *node)
{
    if (node->state == NODE_RUNNING || node->state == NODE_STARTING) {
        node->state = NODE_PAUSED;
    }
}

void node_resume(struct node *node)
{
    if (node->state != NODE_PAUSED) {
        return;
    }
    if (node->raft != NULL) {
        node->state = NODE_RUNNING;
        node_catch_up(node);
    } else {
        node->state = NODE_STARTING;
        if (node->owes_start) {
            node->owes_start = false;
            begin_work(node);
        }
    }
    node_tell_soon(node);
}

void node_set_sync_delay(struct node *node, int64_t sync_delay_ns)
{
    node->store->operations->set_sync_delay(node->store, sync_delay_ns);
}

void node_set_clock(struct node *node, int64_t rate_ppb, int64_t offset_ns)
{
    node_clock_set(&node->clock, world_now_ns(node->world), rate_ppb, offset_ns);
    if (node_is_running(node)) { /* its deadline is at another time of the world now */
        node_tick(node);
        node_tell_soon(node);
    } else if (node->state == NODE_PAUSED && node->raft != NULL) {
        node->owes_tick = true;
    }
}

bool node_check_running(const struct node *node, struct failure *failure)
{
    if (!node_is_running(node)) {
        failure_set(failure, FAILURE_NODE_DOWN, "node %llu is %s", (unsigned long long)node->id,
                    node_state_name(node->state));
        return false;
    }
    return true;
}

bool node_campaign(struct node *node, bool force, struct failure *failure)
{
    if (!node_check_running(node, failure)) {
        return false;
    }
    struct raft_event event = {.kind = RAFT_EVENT_CAMPAIGN, .force = force};
    node_step(node, &event, NULL);
    node_work(node);
    node_tell_soon(node);
    return true;
}
