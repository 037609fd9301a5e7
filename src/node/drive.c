/*
 * Events in, updates out: each event steps the core once, and what the update asks for is carried
 * out in the order that raft.h tells. It applies nothing and answers nobody itself (apply.c does,
 * later), and it decides nothing that is Raft's to decide.
 */
#include "node/internal.h"

/* ---- messages ------------------------------------------------------------------------------- */

/* Heartbeats with their answers, votes and rounds of reads go before what waits for a slow link. */
static bool is_urgent(const struct raft_message *message)
{
    switch (message->kind) {
    case RAFT_APPEND:
        return !message->in_order;
    case RAFT_APPEND_RESPONSE:
        return message->sequence != 0 && !message->reject;
    case RAFT_PRE_VOTE:
    case RAFT_PRE_VOTE_RESPONSE:
    case RAFT_VOTE:
    case RAFT_VOTE_RESPONSE:
    case RAFT_READ:
    case RAFT_READ_RESPONSE:
    case RAFT_TIMEOUT_NOW:
        return true;
    default:
        return false;
    }
}

static uint64_t payload_bytes(const struct raft *raft, const struct raft_message *message)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < message->entry_count; i++) {
        bytes += raft_entry_size(message->entries != NULL
                                     ? &message->entries[i]
                                     : raft_entry_at(raft, message->prev_index + 1 + i));
    }
    return bytes;
}

static struct batch *encode(struct node *node, const struct raft_message *message, uint64_t *number)
{
    buffer_clear(&node->frame);
    frame_begin(&node->frame);
    raft_message_encode(node->raft, message, &node->frame);
    node->stats.payload_bytes += payload_bytes(node->raft, message);
    return node_seal_frame(node, FRAME_RAFT, number);
}

static void send_message(struct node *node, const struct raft_message *message, struct batch *frame,
                         uint64_t number)
{
    report_raft_message(node, TRACE_SEND, message->to, number, message);
    node->stats.messages[0]++;
    node->stats.messages[message->kind]++;
    node->stats.bytes[0] += frame->size;
    node->stats.bytes[message->kind] += frame->size;
    peers_send(node, message->to, frame, is_urgent(message));
}

static void send_at_once(struct node *node, const struct raft_update *update)
{
    for (uint32_t i = 0; i < update->message_count; i++) {
        uint64_t number = 0;
        struct batch *frame = encode(node, &update->messages[i], &number);
        send_message(node, &update->messages[i], frame, number);
    }
}

/* They name ranges of a log that may change meanwhile, so they are encoded now. */
static void send_when_durable(struct node *node, const struct raft_update *update)
{
    uint64_t sequence =
        update->persist.sequence != 0 ? update->persist.sequence : update->messages_after_sequence;
    for (uint32_t i = 0; i < update->message_after_count; i++) {
        const struct raft_message *message = &update->messages_after[i];
        uint64_t number = 0;
        struct batch *frame = encode(node, message, &number);
        if (sequence <= node->durable_sequence) {
            send_message(node, message, frame, number);
            continue;
        }
        *ring_push(&node->outgoing) = (struct outgoing){
            .sequence = sequence, .message = *message, .number = number, .frame = frame};
    }
}

static void send_held(struct node *node)
{
    while (node->outgoing.count > 0) {
        if (ring_at(&node->outgoing, 0)->sequence > node->durable_sequence) {
            return;
        }
        struct outgoing held = *ring_pop(&node->outgoing);
        send_message(node, &held.message, held.frame, held.number);
    }
}

/* ---- an update ------------------------------------------------------------------------------ */

static void persist(struct node *node, const struct raft_persist *persist)
{
    if (persist->sequence == 0) {
        return;
    }
    report_write(node, TRACE_WRITE, persist);
    *ring_push(&node->writes) = *persist;
    node->store->operations->persist(node->store, persist, node->raft);
}

/* What the steps' reports, statistics and callbacks need to know. */
static void note_changes(struct node *node, const struct raft_update *update)
{
    bool changed = update->role_changed || update->voted || update->commit_changed ||
                   update->match_peer != 0 || update->members_changed ||
                   update->truncated_from != 0 || update->appended_first != 0 ||
                   update->notice_count > 0;
    if (!changed) {
        return;
    }
    struct raft_status status;
    raft_get_status(node->raft, &status);
    report_update(node, update, &status);
    node->tell_role = node->tell_role || update->role_changed;
    if (update->voted && status.vote == node->id) {
        node->stats.elections++;
    }
    if (status.commit_index > node->commit_high) {
        node->stats.commits += status.commit_index - node->commit_high;
        node->commit_high = status.commit_index;
    }
    if (update->members_changed) {
        peers_follow_members(node);
        identity_follow_members(node);
    }
}

static void queue_work(struct node *node, const struct raft_update *update)
{
    if (update->apply_first != 0) {
        ensure(update->apply_first == node->apply_last + 1);
        ensure(update->apply_last >= update->apply_first);
        node->apply_last = update->apply_last;
    }
    for (uint32_t i = 0; i < update->read_count; i++) {
        *ring_push(&node->ready_reads) =
            (struct ready_read){update->reads[i].read_id, update->reads[i].index};
    }
}

static void carry_out(struct node *node, const struct raft_update *update)
{
    note_changes(node, update);
    if (update->read_count > 0) {
        report_confirmed(node, update);
    }
    if (update->fatal != NULL) {
        node->contradiction = true;
        node_fail(node, update->fatal);
        return;
    }
    send_at_once(node, update);
    persist(node, &update->persist);
    send_when_durable(node, update);
    queue_work(node, update);
    if (update->other_id != 0) {
        identity_turn_away(node, update->other_id, update->other_directory);
    }
    if (update->wants_flush) {
        node->flush_wanted = true;
        node->world->operations->flush_soon(node->world, &node->flusher);
    }
    node_arm(node, update->deadline_ns);
}

void node_step(struct node *node, struct raft_event *event, struct reply *reply)
{
    const struct raft_update *update = NULL;
    ensure(node->raft != NULL);
    event->now_ns = node_clock_now(&node->clock, world_now_ns(node->world));
    raft_step(node->raft, event, &update);
    if (reply != NULL) {
        reply->refusal = update->refusal;
        reply->index = update->index;
        reply->term = update->index == 0 ? 0 : raft_term_at(node->raft, update->index);
    }
    carry_out(node, update);
}

void node_refused(const struct node *node, enum raft_refusal refusal, struct failure *failure)
{
    struct raft_status status;
    unsigned long long id = node->id;
    switch (refusal) {
    case RAFT_NOT_LEADER:
        raft_get_status(node->raft, &status);
        if (status.leader != 0 && status.leader != node->id) {
            failure_set(failure, FAILURE_NOT_LEADER, "node %llu does not lead; node %llu does", id,
                        (unsigned long long)status.leader);
            failure->leader = status.leader;
        } else {
            failure_set(failure, FAILURE_NOT_LEADER,
                        "node %llu does not lead and knows of no leader", id);
        }
        return;
    case RAFT_BUSY:
        failure_set(failure, FAILURE_BUSY,
                    "node %llu has too much that it has not yet applied: try again soon", id);
        return;
    case RAFT_TOO_LARGE:
        failure_set(failure, FAILURE_TOO_LARGE, "a command is at most %u bytes",
                    RAFT_ENTRY_BYTES_MAX);
        return;
    case RAFT_MEMBERSHIP_PENDING:
        failure_set(failure, FAILURE_MEMBERSHIP_PENDING,
                    "node %llu is in the middle of another change of members", id);
        return;
    case RAFT_NOT_READY:
        failure_set(failure, FAILURE_BUSY,
                    "node %llu has just begun to lead and has committed nothing yet: try again "
                    "soon",
                    id);
        return;
    case RAFT_BAD_CONFIGURATION:
        failure_set(failure, FAILURE_UNSUPPORTED,
                    "these members make no configuration: it needs a voter, each id once, no other "
                    "disk in a member's place, addresses of at most %d bytes, and at most %d "
                    "members, old and new together",
                    RAFT_ADDRESS_BYTES_MAX, RAFT_MEMBERS_MAX);
        return;
    case RAFT_ACCEPTED:
        break;
    }
    ensure(!"a refusal that is none");
}

/* ---- what the world calls ------------------------------------------------------------------- */

void node_arm(struct node *node, int64_t deadline_local_ns)
{
    int64_t when_ns = WORLD_NEVER;
    if (deadline_local_ns != RAFT_NEVER) {
        when_ns = node_clock_when(&node->clock, deadline_local_ns);
    }
    if (when_ns != node->armed_ns) {
        node->armed_ns = when_ns;
        node->world->operations->wake_at(node->world, &node->wakeup, when_ns);
    }
}

void node_tick(struct node *node)
{
    struct raft_event event = {.kind = RAFT_EVENT_TICK};
    node_step(node, &event, NULL);
    if (node->raft != NULL) {
        peers_tidy(node);
    }
    node_work(node);
}

static void deadline_has_come(void *context)
{
    struct node *node = context;
    node->armed_ns = WORLD_NEVER;
    if (node->state == NODE_PAUSED) {
        node->owes_tick = true;
        return;
    }
    node_tick(node);
    node_tell(node);
}

static void confirm(struct node *node, uint64_t sequence)
{
    ensure(sequence >= node->durable_sequence);
    node->durable_sequence = sequence;
    send_held(node);
    struct raft_event event = {.kind = RAFT_EVENT_PERSISTED, .sequence = sequence};
    node_step(node, &event, NULL);
    node_work(node);
}

/* The disk's part is true at once; that the node hears of it may have to wait. */
void node_store_persisted(void *context, uint64_t sequence, uint64_t term)
{
    struct node *node = context;
    while (node->writes.count > 0 && ring_at(&node->writes, 0)->sequence <= sequence) {
        const struct raft_persist *written = ring_pop(&node->writes);
        ensure(written->sequence != sequence || written->term == term);
        report_write(node, TRACE_SYNC, written);
    }
    if (node->state == NODE_PAUSED) {
        node->owed_persisted = sequence;
    } else if (node->state == NODE_RUNNING) {
        confirm(node, sequence);
        node_tell(node);
    }
}

void node_store_failed(void *context, const char *problem)
{
    struct node *node = context;
    node_fail(node, problem);
    node_tell(node);
}

static void flush(struct node *node)
{
    if (node->flush_wanted) {
        node->flush_wanted = false;
        struct raft_event event = {.kind = RAFT_EVENT_FLUSH};
        node_step(node, &event, NULL);
        node_work(node);
    }
}

static void time_is_about_to_pass(void *context)
{
    struct node *node = context;
    if (node_is_running(node)) {
        flush(node);
    }
    node_tell(node);
}

static void removal_is_due(void *context)
{
    struct node *node = context;
    if (node->state == NODE_PAUSED) {
        node->owes_removal = true;
        return;
    }
    node_remove_itself(node);
    node_tell(node);
}

void node_prepare(struct node *node)
{
    node->wakeup = (struct wakeup){.fire = deadline_has_come, .context = node};
    node->removal_wakeup = (struct wakeup){.fire = removal_is_due, .context = node};
    node->flusher = (struct flusher){.flush = time_is_about_to_pass, .context = node};
    node->armed_ns = WORLD_NEVER;
}

void node_catch_up(struct node *node)
{
    uint64_t sequence = node->owed_persisted;
    node->owed_persisted = 0;
    if (sequence != 0) {
        confirm(node, sequence);
    }
    /* What has arrived is read before time-outs are judged by what has not. */
    frames_deliver_held(node);
    if (node_is_running(node) && node->owes_tick) {
        node->owes_tick = false;
        node_tick(node);
    }
    if (node_is_running(node) && node->owes_removal) {
        node_remove_itself(node);
    }
    if (node_is_running(node) && node->flush_wanted) {
        node->world->operations->flush_soon(node->world, &node->flusher);
    }
}

/* ---- telling the application ---------------------------------------------------------------- */

static void tell(struct node *node, bool *due, void (*callback)(void *, struct node *))
{
    if (*due) {
        *due = false;
        if (callback != NULL) {
            callback(node->options.context, node);
        }
    }
}

void node_tell(struct node *node)
{
    tell(node, &node->tell_started, node->options.on_started);
    tell(node, &node->tell_role, node->options.on_role);
    tell(node, &node->tell_members, node->options.on_members);
    tell(node, &node->tell_applied, node->options.on_applied);
    tell(node, &node->tell_stopped, node->options.on_stopped);
}

void node_tell_soon(struct node *node)
{
    if (node->tell_started || node->tell_role || node->tell_members || node->tell_applied ||
        node->tell_stopped) {
        node->world->operations->flush_soon(node->world, &node->flusher);
    }
}
