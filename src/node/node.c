/*
 * A node's life: made, started from what its disk holds, paused, crashed, stopped, started again.
 * It never asks which world it is in.
 *
 *                       the disk was read                   the writes are synced
 *     STOPPED --> STARTING ----------> RUNNING --> STOPPING ----------> STOPPED or REMOVED
 *                     |                   |            |
 *                     +--- PAUSED, and back to it      |
 *                     |                   |            |
 *                     +-------------------+------------+---> CRASHED or FAILED, at once
 *
 * It is started again from any of those at the end of an arrow; a start while it is STOPPING waits
 * in the store.
 */
#include "node/internal.h"

#include <stdio.h>
#include <string.h>

const char *node_state_name(enum node_state state)
{
    static const char *const names[] = {
#define X(name, text) text,
        NODE_STATES(X)
#undef X
    };
    ensure(state < sizeof names / sizeof *names);
    return names[state];
}

static void set_state(struct node *node, enum node_state state)
{
    node->state = state;
    node->has_changed = true;
}

void node_rekey(struct node *node, uint64_t seed)
{
    node->life.election_stream = random_stream_of(seed, "node", node->id, 0, "election");
    if (node->raft != NULL) {
        raft_rekey(node->raft, random_next(&node->life.election_stream));
    }
}

struct node *node_new(struct world *world, struct store *store, const struct node_options *options)
{
    ensure(world != NULL && store != NULL && options->raft.id > 0);
    ensure(options->make_machine != NULL && options->cluster_name != NULL);
    ensure(options->address == NULL || strlen(options->address) <= RAFT_ADDRESS_BYTES_MAX);
    struct node *node = memory_new_zeroed(1, sizeof *node);
    node->world = world;
    node->store = store;
    node->options = *options;
    node->id = options->raft.id;
    node->has_changed = true;
    (void)snprintf(node->address, sizeof node->address, "%s",
                   options->address == NULL ? "" : options->address);
    node->options.cluster_name = NULL; /* views of the caller's */
    node->options.address = NULL;
    node_rekey(node, options->seed);
    identity_prepare(node, options);
    reads_prepare(node);
    clients_prepare(node);
    calls_prepare(node, options->seed);
    drive_prepare(node);
    removal_prepare(node);
    snapshots_prepare(node);
    return node;
}

/* ---- its end -------------------------------------------------------------------------------- */

/* Nothing of its last life is still under way. */
static void enter_final_state(struct node *node, enum node_state state, const char *text)
{
    if (node->life.was_up) {
        report_stop(node, text);
    }
    persistence_clear(node);
    report_clear(node);
    node->life.was_up = false;
    set_state(node, state);
}

static const char *final_text(const struct node *node)
{
    return node->life.final_state == NODE_REMOVED ? "removed" : "shutdown";
}

/* It takes no part from now on. If `tell`, waiters get `closed` or `node_down`. */
static void leave_network(struct node *node, bool tell)
{
    node->world->operations->close(node->world, node->endpoint);
    node->endpoint = NULL;
    drive_end(node);
    removal_end(node);
    persistence_end(node);
    if (node->world->faults != NULL) {
        faults_forget(node->world->faults, node->id);
    }
    node->life.was_up = node->raft != NULL;
    node->life.start_is_owed = false;
    raft_free(node->raft);
    machine_free(node->machine);
    node->raft = NULL;
    node->machine = NULL;
    node->has_changed = true;
    work_clear(node);
    inbox_clear(node);
    messages_clear(node);
    clients_clear(node);
    peers_clear(node);
    application_clear(node);
    proposals_end(node, tell);
    transfers_end(node, tell);
    reads_end(node, tell);
    snapshots_end(node, tell);
    sends_end(node);
    installs_end(node);
    restores_end(node);
    calls_end(node, tell);
    frames_clear(node);
}

/* As a killed process or a cut of power does. */
static void end_at_once(struct node *node, enum node_state state, const char *text, bool tell)
{
    bool alive = node_is_alive(node);
    if (!alive && node->state != NODE_STOPPING) {
        return;
    }
    node->store->operations->close(node->store, false);
    set_state(node, state);
    if (alive) {
        leave_network(node, tell);
    }
    enter_final_state(node, state, text);
}

static void end_in_order(struct node *node, enum node_state state)
{
    node->life.final_state = state;
    if (node_is_alive(node)) {
        set_state(node, NODE_STOPPING);
        node->store->operations->close(node->store, true);
        leave_network(node, true);
    } else if (node->state != NODE_STOPPING) {
        set_state(node, state);
    }
}

static void store_closed(void *context)
{
    struct node *node = context;
    ensure(node->state == NODE_STOPPING);
    enter_final_state(node, node->life.final_state, final_text(node));
    application_note(node, NEWS_STOPPED);
    application_tell(node);
}

void node_free(struct node *node)
{
    if (node == NULL) {
        return;
    }
    end_at_once(node, NODE_STOPPED, "shutdown", false);
    drive_end(node);
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
    char why[sizeof node->life.error + 8];
    (void)snprintf(node->life.error, sizeof node->life.error, "%s", text);
    (void)snprintf(why, sizeof why, "failed: %s", node->life.error);
    end_at_once(node, NODE_FAILED, why, true);
    application_note(node, NEWS_STOPPED);
    application_tell_soon(node);
}

void node_end_removed(struct node *node)
{
    end_in_order(node, NODE_REMOVED);
}

const char *node_life_error(const struct node *node)
{
    return node->life.error;
}

const char *node_life_damage(const struct node *node, uint64_t *offset)
{
    *offset = node->life.damaged_offset;
    return node->life.damaged_file;
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
                               .snapshot = contents->snapshot,
                               .first_index = contents->first_index,
                               .entries = entries,
                               .entry_count = contents->entry_count};
    struct raft_options options = node->options.raft;
    options.seed = random_next(&node->life.election_stream);
    options.directory = contents->directory;
    struct raft *raft = raft_new(&options, &start, drive_now_ns(node), problem);
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
        char text[sizeof node->life.error];
        (void)snprintf(text, sizeof text, "it cannot start: %s", problem);
        node_fail(node, text);
        return;
    }
    set_state(node, NODE_RUNNING);
    node->directory = contents.directory;
    node->world->operations->accept(node->endpoint); /* hellos can be judged now */
    work_begin(node, contents.snapshot.index + 1);
    removal_begin(node, contents.snapshot.index != 0 ? contents.snapshot.members
                                                     : contents.first_members);
    raft_get_status(node->raft, &status);
    report_start(node, &status, &contents.snapshot);
    snapshots_begin(node);
    if (contents.snapshot.index != 0) {
        restores_begin(node, &contents.snapshot, false);
    }
    if (node->raft == NULL) {
        return; /* its machine takes no snapshots */
    }
    peers_follow_members(node);
    application_note(node, NEWS_STARTED);
    drive_tick(node); /* for the first deadline; nothing is due yet */
    inbox_deliver(node);
}

void node_life_damaged(struct node *node, const char *file, uint64_t offset)
{
    (void)snprintf(node->life.damaged_file, sizeof node->life.damaged_file, "%s", file);
    node->life.damaged_offset = offset;
}

static void store_recovered(void *context, const struct failure *failure)
{
    struct node *node = context;
    ensure(node->raft == NULL && node_is_alive(node));
    if (failure != NULL) {
        node_life_damaged(node, failure->file, failure->offset);
        node_fail(node, failure->message);
    } else if (node->state == NODE_PAUSED) {
        node->life.start_is_owed = true;
    } else {
        begin_work(node);
    }
    application_tell(node);
}

static void store_lost_power(void *context)
{
    struct node *node = context;
    if (node->options.on_power_lost != NULL) {
        node->options.on_power_lost(node->options.context, node);
    } else {
        node_crash(node);
    }
}

static void store_noticed(void *context, const char *text)
{
    report_notice(context, 0, text);
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
    if (!listen(node, failure)) {
        machine_free(machine);
        return false;
    }
    if (node->state == NODE_STOPPING) { /* the store ends it before it recovers */
        enter_final_state(node, node->life.final_state, final_text(node));
    }
    node->machine = machine;
    node->life.error[0] = 0;
    node->life.damaged_file[0] = 0;
    set_state(node, NODE_STARTING);
    identity_begin(node);
    application_clear(node);
    view_begin(node);
    struct store_handler handler = {.recovered = store_recovered,
                                    .persisted = persistence_confirmed,
                                    .failed = persistence_failed,
                                    .closed = store_closed,
                                    .noticed = store_noticed,
                                    .power_lost = store_lost_power,
                                    .context = node};
    node->store->operations->open(node->store, &handler);
    return true;
}

void node_wipe(struct node *node)
{
    ensure(!node_is_alive(node));
    if (node->state == NODE_STOPPING) {
        enter_final_state(node, node->life.final_state, final_text(node));
    }
    node->store->operations->wipe(node->store);
}

/* ---- while it runs -------------------------------------------------------------------------- */

void node_pause(struct node *node)
{
    if (node->state == NODE_RUNNING || node->state == NODE_STARTING) {
        set_state(node, NODE_PAUSED);
    }
}

void node_resume(struct node *node)
{
    if (node->state != NODE_PAUSED) {
        return;
    }
    if (node->raft != NULL) {
        set_state(node, NODE_RUNNING);
        persistence_catch_up(node);
        /* What has arrived is read before time-outs are judged by what has not. */
        inbox_deliver(node);
        drive_catch_up(node);
        removal_catch_up(node);
        snapshots_catch_up(node);
        sends_catch_up(node);
        installs_catch_up(node);
        restores_catch_up(node);
    } else {
        set_state(node, NODE_STARTING);
        if (node->life.start_is_owed) {
            node->life.start_is_owed = false;
            begin_work(node);
        }
    }
    application_tell_soon(node);
}

bool node_set_disk_faults(struct node *node, const struct disk_faults *faults,
                          struct failure *failure)
{
    return node->store->operations->set_faults(node->store, faults, failure);
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
    struct reply reply = {0};
    drive_step(node, &event, &reply);
    if (node->raft != NULL && reply.refusal != RAFT_ACCEPTED) {
        refusal_explain(node, reply.refusal, failure);
        return false;
    }
    work_run(node);
    application_tell_soon(node);
    return true;
}
