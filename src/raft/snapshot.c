/*
 * snapshot: logs that begin behind a snapshot (paper, section 7): the log is compacted, a peer that
 * needs what is gone is sent the snapshot in pieces, and a follower that has received one whole
 * puts it in the place of its log.
 *
 * It never sees a snapshot's bytes, never changes term or vote for what a snapshot says, and never
 * gives up an entry that is committed or that a snapshot on its own disk does not cover.
 */
#include "raft/internal.h"

/* ---- the log behind a snapshot -------------------------------------------------------------- */

struct raft_snapshot raft_snapshot_at(const struct raft *raft, uint64_t index)
{
    struct raft_snapshot snapshot = {0};
    if (index <= raft->snapshot.index) {
        return snapshot;
    }
    ensure(index <= raft->commit);
    const struct members_record *record = membership_at(raft, index);
    if (record->configuration.count == 0) {
        return snapshot; /* who is to be added does not know the first members */
    }
    snapshot.index = index;
    snapshot.term = log_term_at(&raft->log, index);
    snapshot.members_index = record->index;
    snapshot.members = &record->configuration;
    return snapshot;
}

bool raft_sends_snapshot(const struct raft *raft, uint64_t index)
{
    for (uint32_t i = 0; i < raft->peer_count && raft->role == RAFT_LEADER; i++) {
        const struct peer *peer = &raft->peers[i];
        if (peer->state == PROGRESS_SNAPSHOT && peer->next == index + 1) {
            return true;
        }
    }
    return false;
}

const char *raft_snapshot_problem(const struct raft_message *message,
                                  const struct raft_snapshot *snapshot)
{
    if (snapshot->index != message->prev_index || snapshot->term != message->prev_term) {
        return "the snapshot is not the one that was announced";
    }
    if (snapshot->size == 0 || snapshot->members_index > snapshot->index) {
        return "the snapshot's members are not of what it covers";
    }
    return snapshot->members == NULL ? "the snapshot has no members"
                                     : configuration_problem(snapshot->members);
}

static void remember(struct raft *raft, const struct raft_snapshot *snapshot)
{
    ensure(snapshot->index > raft->snapshot.index && snapshot->size > 0);
    raft->snapshot = *snapshot;
    raft->snapshot.members = NULL; /* the first record's */
}

/* A peer that has been sent a snapshot goes on behind it from the log. Were that compacted
 * meanwhile it would need the next snapshot, and where writing is faster than installing the one
 * after that, for ever. So as much is kept as has room. */
static uint64_t kept_from(struct raft *raft)
{
    uint64_t kept = raft->compact_to;
    bool has_room =
        raft->options.max_kept_bytes == 0 || raft->log.bytes <= raft->options.max_kept_bytes;
    if (raft->role != RAFT_LEADER) {
        return kept;
    }
    for (uint32_t i = 0; i < raft->peer_count; i++) {
        struct peer *peer = &raft->peers[i];
        uint64_t behind = peer->state == PROGRESS_SNAPSHOT ? peer->next - 1 : peer->match;
        if (behind >= raft->compact_to) {
            peer->log_is_kept = peer->state == PROGRESS_SNAPSHOT;
        } else if (peer->log_is_kept && has_room && replication_hears(raft, peer) &&
                   behind < kept) {
            kept = behind;
        }
    }
    return kept;
}

/* No message that names entries has been made in this step. */
static void compact(struct raft *raft)
{
    uint64_t to = kept_from(raft);
    if (to <= raft->log.base_index) {
        return;
    }
    log_compact(&raft->log, to);
    raft->update.compacted_first = to + 1;
    for (uint32_t i = 0; i < raft->peer_count && raft->role == RAFT_LEADER; i++) {
        struct peer *peer = &raft->peers[i];
        if (!raft_has_own_id(raft, peer) && peer->next <= to) {
            snapshot_begin(raft, peer);
        }
    }
}

void snapshot_taken(struct raft *raft, const struct raft_event *event)
{
    const struct raft_snapshot *snapshot = event->snapshot;
    ensure(snapshot->index <= raft->applied && event->first_index <= snapshot->index + 1);
    if (snapshot->index < raft->snapshot.index) {
        return; /* a received one is ahead of it */
    }
    if (snapshot->index > raft->snapshot.index) {
        ensure(snapshot->term == log_term_at(&raft->log, snapshot->index));
        remember(raft, snapshot);
        membership_forget(raft, snapshot->index);
    }
    if (event->first_index > raft->compact_to + 1) {
        raft->compact_to = event->first_index - 1;
    }
    for (uint32_t i = 0; i < raft->peer_count && raft->role == RAFT_LEADER; i++) {
        struct peer *peer = &raft->peers[i];
        if (peer->state == PROGRESS_SNAPSHOT && !replication_hears(raft, peer)) {
            snapshot_begin(raft, peer); /* the former one need not wait for it */
        }
    }
    compact(raft);
}

/* ---- a leader sends ------------------------------------------------------------------------- */

static struct raft_message *send_piece(struct raft *raft, struct peer *peer, uint32_t size)
{
    struct raft_message *message = update_message(raft, RAFT_SNAPSHOT, peer->id);
    message->prev_index = peer->next - 1;
    message->prev_term = peer->snapshot_term;
    message->offset = peer->snapshot_sent;
    message->piece_size = size;
    message->in_order = true;
    return message;
}

void snapshot_send(struct raft *raft, struct peer *peer)
{
    ensure(peer->state == PROGRESS_SNAPSHOT);
    uint64_t most = raft->options.max_message_bytes > 0 ? raft->options.max_message_bytes : 1;
    while (!peer->probe_paused && peer->snapshot_sent < peer->snapshot_size &&
           peer->snapshot_sent - peer->snapshot_written < RAFT_SNAPSHOT_WINDOW * most) {
        uint64_t left = peer->snapshot_size - peer->snapshot_sent;
        uint64_t size = left < most ? left : most;
        send_piece(raft, peer, (uint32_t)size)->last = size == left;
        peer->snapshot_sent += size;
    }
}

void snapshot_begin(struct raft *raft, struct peer *peer)
{
    ensure(raft->role == RAFT_LEADER && raft->snapshot.index >= raft->log.base_index);
    progress_snapshot(peer, &raft->snapshot);
    peer->progress_round = raft->heartbeat_round;
    snapshot_send(raft, peer);
}

void snapshot_check(struct raft *raft, struct peer *peer)
{
    send_piece(raft, peer, 0)->sequence = raft->heartbeat_round;
    peer->check_round = raft->heartbeat_round;
}

/* It cannot be read, or cannot be taken. There may be a newer one; the same is tried again after a
 * while. */
static void begin_anew(struct raft *raft, struct peer *peer)
{
    bool is_same = peer->next == raft->snapshot.index + 1;
    progress_snapshot(peer, &raft->snapshot);
    peer->progress_round = raft->heartbeat_round;
    peer->probe_paused = is_same;
    snapshot_send(raft, peer);
}

void snapshot_gone(struct raft *raft, const struct raft_message *message)
{
    struct peer *peer = raft_find_peer(raft, message->to);
    if (raft->role == RAFT_LEADER && peer != NULL && peer->state == PROGRESS_SNAPSHOT &&
        peer->next == message->prev_index + 1) {
        begin_anew(raft, peer);
    }
}

void snapshot_heartbeat(struct raft *raft)
{
    compact(raft);
    for (uint32_t i = 0; i < raft->peer_count; i++) {
        struct peer *peer = &raft->peers[i];
        if (peer->state == PROGRESS_SNAPSHOT && peer->probe_paused) {
            peer->probe_paused = false;
            snapshot_send(raft, peer);
        }
    }
}

/* An answer to a check may lead back: what was sent before it is lost, or the peer has forgotten
 * what it had. Others only lead on, perhaps to what an earlier attempt has brought. */
static void move_on(struct raft *raft, struct peer *peer, const struct raft_message *message)
{
    bool is_behind =
        message->sequence > peer->progress_round && message->offset < peer->snapshot_sent;
    if (message->offset <= peer->snapshot_written && !is_behind) {
        return;
    }
    peer->snapshot_written = message->offset;
    if (is_behind || peer->snapshot_sent < message->offset) {
        peer->snapshot_sent = message->offset;
    }
    peer->progress_round = raft->heartbeat_round;
    snapshot_send(raft, peer);
}

void snapshot_handle_response(struct raft *raft, const struct raft_message *message)
{
    struct peer *peer = raft_find_peer(raft, message->from);
    if (raft->role != RAFT_LEADER || peer == NULL) {
        return;
    }
    peer->heard_ns = (uint64_t)raft->now_ns;
    if (peer->state != PROGRESS_SNAPSHOT || peer->next != message->prev_index + 1 ||
        peer->snapshot_term != message->prev_term) {
        return; /* of one that it was sent before */
    }
    if (message->offset > peer->snapshot_size || message->sequence > raft->heartbeat_round) {
        update_notice(raft, message->from, "snapshot_response: for what was never sent");
    } else if (message->reject) {
        begin_anew(raft, peer);
    } else {
        move_on(raft, peer, message);
    }
}

/* ---- a follower receives -------------------------------------------------------------------- */

static void forget_incoming(struct raft *raft)
{
    raft->incoming = (struct incoming_snapshot){0};
}

void snapshot_abandon(struct raft *raft)
{
    if (raft->incoming.index <= raft->commit && !raft->incoming.whole) {
        forget_incoming(raft);
        raft->update.snapshot_abandoned = true;
    }
}

/* Its bytes may differ from those of another server's snapshot of the same index. */
static bool is_incoming(const struct raft *raft, const struct raft_message *message)
{
    const struct incoming_snapshot *incoming = &raft->incoming;
    return incoming->index == message->prev_index && incoming->term == message->prev_term &&
           incoming->from == message->from && incoming->from_directory == message->from_directory;
}

static void answer_offset(struct raft *raft, const struct raft_message *message, uint64_t offset)
{
    struct raft_message *answer = update_answer(raft, RAFT_SNAPSHOT_RESPONSE, message);
    answer->prev_index = message->prev_index;
    answer->prev_term = message->prev_term;
    answer->sequence = message->sequence;
    answer->offset = offset;
}

/* It is here, as an append of all that it covers would be. */
static void answer_covered(struct raft *raft, const struct raft_message *message)
{
    struct raft_message *answer =
        update_promise(raft, RAFT_APPEND_RESPONSE, message, message->prev_index);
    answer->index = message->prev_index;
    answer->commit = raft->commit;
    answer->sequence = message->sequence;
}

/* Whether the log holds all that the snapshot covers. */
static bool is_covered(const struct raft *raft, uint64_t index, uint64_t term)
{
    return index <= raft->commit ||
           (index <= raft->log.last_index && log_term_at(&raft->log, index) == term);
}

/* What a snapshot covers is committed. */
static void commit_covered(struct raft *raft, uint64_t index)
{
    if (index > raft->commit) {
        raft->commit = index;
        membership_committed(raft);
    }
}

/* Pieces are accepted in their order. One that does not follow is answered by what is wanted,
 * unless something is being written: its answer comes then. */
static void take_piece(struct raft *raft, const struct raft_message *message)
{
    struct incoming_snapshot *incoming = &raft->incoming;
    if (message->piece_size > 0 && message->offset == incoming->accepted &&
        incoming->unwritten < RAFT_SNAPSHOT_WINDOW) {
        incoming->accepted += message->piece_size;
        incoming->unwritten++;
        incoming->whole = message->last;
        raft->update.snapshot_piece = message;
    } else if (incoming->unwritten == 0) {
        answer_offset(raft, message, incoming->written);
    }
}

void snapshot_handle(struct raft *raft, const struct raft_message *message)
{
    if (is_covered(raft, message->prev_index, message->prev_term)) {
        commit_covered(raft, message->prev_index);
        answer_covered(raft, message);
        return;
    }
    if (raft->incoming.whole) {
        return; /* INSTALLED, or its failure, comes first */
    }
    if (is_incoming(raft, message)) {
        take_piece(raft, message);
    } else if (message->offset == 0 && message->piece_size > 0) {
        raft->incoming = (struct incoming_snapshot){.index = message->prev_index,
                                                    .term = message->prev_term,
                                                    .from = message->from,
                                                    .from_directory = message->from_directory};
        take_piece(raft, message);
    } else {
        answer_offset(raft, message, 0);
    }
}

/* Who sent it may lead no more, and whoever leads now finds out by itself. */
static bool still_leads(const struct raft *raft, const struct raft_message *message)
{
    return raft->role != RAFT_LEADER && raft->leader == message->from &&
           raft->leader_directory == message->from_directory;
}

void snapshot_written(struct raft *raft, const struct raft_event *event)
{
    struct incoming_snapshot *incoming = &raft->incoming;
    struct raft_message message = *event->message;
    if (!is_incoming(raft, &message) ||
        (!event->reject && (incoming->unwritten == 0 || message.offset != incoming->written))) {
        return; /* it is not wanted any more */
    }
    if (event->reject) {
        forget_incoming(raft);
    } else {
        incoming->written += message.piece_size;
        incoming->unwritten--;
        ensure(incoming->written <= incoming->accepted);
    }
    if (still_leads(raft, &message)) {
        message.sequence = 0;
        answer_offset(raft, &message, event->reject ? 0 : incoming->written);
        raft->messages.items[raft->messages.count - 1].reject = event->reject;
    }
}

/* Paper, figure 13, step 7: the log is discarded. What stood behind the snapshot's end contradicts
 * it, and was never committed. */
static void replace_log(struct raft *raft, const struct raft_snapshot *snapshot)
{
    ensure(snapshot->index > raft->commit);
    if (raft->log.last_index > snapshot->index) {
        raft->update.truncated_from = snapshot->index + 1;
        raft->update.truncated_to = raft->log.last_index;
    }
    log_reset(&raft->log, snapshot->index, snapshot->term);
    persist_reset(raft);
    raft->compact_to = snapshot->index;
    raft->commit = snapshot->index;
    raft->applied = snapshot->index;
    raft->update.installed_index = snapshot->index;
    membership_replace(raft, snapshot->members_index, snapshot->members);
    membership_committed(raft);
}

void snapshot_installed(struct raft *raft, const struct raft_event *event)
{
    const struct raft_snapshot *snapshot = event->snapshot;
    ensure(raft_snapshot_problem(event->message, snapshot) == NULL);
    if (is_incoming(raft, event->message)) {
        forget_incoming(raft);
    }
    bool is_kept = is_covered(raft, snapshot->index, snapshot->term);
    if (raft->role == RAFT_LEADER && !is_kept) {
        update_notice(raft, event->message->from, "snapshot: contradicts the leader's entry %llu",
                      (unsigned long long)snapshot->index);
        raft->notice.contradicts_in_term = event->message->term;
        return;
    }
    if (raft->role != RAFT_LEADER && snapshot->index > raft->commit) {
        election_stop_campaign(raft);
        if (is_kept) {
            commit_covered(raft, snapshot->index);
        } else {
            replace_log(raft, snapshot);
        }
    }
    if (snapshot->index > raft->snapshot.index) {
        remember(raft, snapshot);
        membership_forget(raft, snapshot->index);
    }
    if (still_leads(raft, event->message)) {
        struct raft_message asked = *event->message;
        asked.sequence = 0;
        answer_covered(raft, &asked);
    }
}
