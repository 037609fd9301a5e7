/*
 * Events in, updates out: each event steps the core once, and what the update asks for is carried
 * out in the order that raft.h tells; and what the world calls for the time that passes. It applies
 * nothing and answers no request itself (work.c does, later), and it decides nothing that is Raft's
 * to decide.
 */
#include "node/internal.h"

/* ---- an update ------------------------------------------------------------------------------ */

/* What reports, statistics and the application need to know. */
static void note_changes(struct node *node, const struct raft_update *update)
{
    bool changed = update->role_changed || update->voted || update->commit_changed ||
                   update->match_peer != 0 || update->members_changed ||
                   update->truncated_from != 0 || update->appended_first != 0 ||
                   update->installed_index != 0 || update->notice_count > 0 ||
                   update->transfer_ended != RAFT_TRANSFER_NOT_ENDED;
    if (!changed) {
        return;
    }
    struct raft_status status;
    raft_get_status(node->raft, &status);
    report_update(node, update, &status);
    view_count_changes(node, update, &status);
    if (update->role_changed) {
        application_note(node, NEWS_ROLE);
    }
    if (update->role_changed || update->transfer_ended != RAFT_TRANSFER_NOT_ENDED) {
        transfers_follow(node, update, &status);
    }
    if (update->members_changed) {
        peers_follow_members(node);
        identity_follow_members(node);
    }
}

static void send_at_once(struct node *node, const struct raft_update *update)
{
    for (uint32_t i = 0; i < update->message_count; i++) {
        if (update->messages[i].kind == RAFT_SNAPSHOT) {
            sends_add(node, &update->messages[i]); /* its piece is to be read first */
            continue;
        }
        uint64_t number = 0;
        struct batch *frame = messages_encode(node, &update->messages[i], &number);
        messages_send(node, &update->messages[i], frame, number);
    }
}

static void arm(struct node *node, int64_t deadline_local_ns)
{
    int64_t when_ns = WORLD_NEVER;
    if (deadline_local_ns != RAFT_NEVER) {
        when_ns = node_clock_when(&node->drive.clock, deadline_local_ns);
    }
    if (when_ns != node->drive.armed_ns) {
        node->drive.armed_ns = when_ns;
        node->world->operations->wake_at(node->world, &node->drive.wakeup, when_ns);
    }
}

static void carry_out_snapshots(struct node *node, const struct raft_update *update)
{
    if (update->compacted_first != 0) {
        node->store->operations->compact(node->store, update->compacted_first);
    }
    if (update->snapshot_abandoned) {
        installs_abandon(node);
    }
    if (update->snapshot_piece != NULL) {
        installs_take(node, update->snapshot_piece);
    }
    if (update->installed_index != 0) {
        installs_begin(node, update->installed_index);
    }
}

static void carry_out(struct node *node, const struct raft_update *update)
{
    note_changes(node, update);
    if (update->read_count > 0) {
        report_confirmed(node, update);
    }
    send_at_once(node, update);
    if (update->persist.sequence != 0 || update->message_after_count > 0) {
        persistence_write(node, update);
    }
    carry_out_snapshots(node, update);
    if (update->apply_first != 0) {
        work_add(node, update);
    }
    if (update->read_count > 0) {
        reads_confirmed(node, update);
    }
    if (update->other_id != 0) {
        identity_turn_away(node, update->other_id, update->other_directory);
    }
    if (update->wants_flush) {
        node->drive.flush_wanted = true;
        drive_flush_soon(node);
    }
    arm(node, update->deadline_ns);
}

int64_t drive_now_ns(const struct node *node)
{
    return node_clock_now(&node->drive.clock, world_now_ns(node->world));
}

/* A lease is judged, and promised, at a time that is looked at after the input came: a process that
 * was stopped in between must not take it for older than it is. */
static int64_t time_of_event(const struct node *node)
{
    if (!node->options.raft.lease_reads) {
        return drive_now_ns(node);
    }
    return node_clock_now(&node->drive.clock, node->world->operations->look_ns(node->world));
}

void drive_step(struct node *node, struct raft_event *event, struct reply *reply)
{
    const struct raft_update *update = NULL;
    ensure(node->raft != NULL);
    event->now_ns = time_of_event(node);
    node->has_changed = true;
    raft_step(node->raft, event, &update);
    if (reply != NULL) {
        reply->refusal = update->refusal;
        reply->index = update->index;
        reply->term = update->index == 0 ? 0 : raft_term_at(node->raft, update->index);
    }
    carry_out(node, update);
}

/* ---- time ------------------------------------------------------------------------------------ */

void drive_tick(struct node *node)
{
    struct raft_event event = {.kind = RAFT_EVENT_TICK};
    drive_step(node, &event, NULL);
    if (node->raft != NULL) {
        peers_tidy(node);
    }
    work_run(node);
}

static void deadline_has_come(void *context)
{
    struct node *node = context;
    node->drive.armed_ns = WORLD_NEVER;
    if (node->state == NODE_PAUSED) {
        node->drive.tick_is_owed = true;
        return;
    }
    drive_tick(node);
    application_tell(node);
}

static void before_time_passes(void *context)
{
    struct node *node = context;
    if (node_is_running(node) && node->drive.flush_wanted) {
        node->drive.flush_wanted = false;
        struct raft_event event = {.kind = RAFT_EVENT_FLUSH};
        drive_step(node, &event, NULL);
        work_run(node);
    }
    application_tell(node);
}

void drive_flush_soon(struct node *node)
{
    node->world->operations->flush_soon(node->world, &node->drive.flusher);
}

void drive_prepare(struct node *node)
{
    node->drive.wakeup = (struct wakeup){.fire = deadline_has_come, .context = node};
    node->drive.flusher = (struct flusher){.flush = before_time_passes, .context = node};
    node->drive.armed_ns = WORLD_NEVER;
    node_clock_init(&node->drive.clock, world_now_ns(node->world));
}

void node_set_clock(struct node *node, int64_t rate_ppb, int64_t offset_ns)
{
    node_clock_set(&node->drive.clock, world_now_ns(node->world), rate_ppb, offset_ns);
    if (node_is_running(node)) { /* its deadline is at another time of the world now */
        drive_tick(node);
        application_tell_soon(node);
    } else if (node->state == NODE_PAUSED && node->raft != NULL) {
        node->drive.tick_is_owed = true;
    }
}

void drive_catch_up(struct node *node)
{
    if (node_is_running(node) && node->drive.tick_is_owed) {
        node->drive.tick_is_owed = false;
        drive_tick(node);
    }
    if (node_is_running(node) && node->drive.flush_wanted) {
        drive_flush_soon(node);
    }
}

void drive_end(struct node *node)
{
    node->world->operations->wake_at(node->world, &node->drive.wakeup, WORLD_NEVER);
    node->world->operations->flush_cancel(node->world, &node->drive.flusher);
    node->drive.armed_ns = WORLD_NEVER;
    node->drive.flush_wanted = false;
    node->drive.tick_is_owed = false;
}
