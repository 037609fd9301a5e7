/*
 * replication: a leader's side (paper 5.3, 5.4.2): appends, sends windows of entries, heartbeats
 * and commit notices, and commits by counting.
 *
 * It never commits an entry of an older term by counting, never counts itself before its own write
 * is durable, and never removes an entry of its log.
 */
#include "raft/internal.h"

#include <stddef.h>
#include <string.h>

/* ---- out ------------------------------------------------------------------------------------ */

/* How many entries from peer->next on go into one message, and their payload bytes. One always
 * fits. */
static uint32_t measure_message(const struct raft *raft, const struct peer *peer, uint64_t *bytes)
{
    uint64_t left = raft->log.last_index - peer->next + 1;
    uint32_t limit = raft->options.max_entries;
    if (limit == 0 || limit > MESSAGE_ENTRIES_MAX) {
        limit = MESSAGE_ENTRIES_MAX;
    }
    uint32_t most = left < limit ? (uint32_t)left : limit;
    uint32_t count = 0;
    uint64_t sum = 0;
    while (count < most) {
        uint32_t size = raft_entry_size(log_at(&raft->log, peer->next + count));
        if (count > 0 && sum + size > raft->options.max_message_bytes) {
            break;
        }
        sum += size;
        count++;
    }
    *bytes = sum;
    return count;
}

static void send_entries(struct raft *raft, struct peer *peer, uint32_t count)
{
    struct raft_message *message = update_message(raft, RAFT_APPEND, peer->id);
    message->prev_index = peer->next - 1;
    message->prev_term = log_term_at(&raft->log, message->prev_index);
    message->entry_count = count;
    message->in_order = true;
    uint64_t last = message->prev_index + count;
    message->commit = raft->commit < last ? raft->commit : last;
    peer->commit_sent = message->commit;
}

static void send_probe(struct raft *raft, struct peer *peer)
{
    ensure(peer->state == PROGRESS_PROBE && !peer->probe_paused);
    uint64_t bytes = 0;
    uint32_t count = 0;
    if (peer->next <= raft->log.last_index) {
        count = measure_message(raft, peer, &bytes);
    }
    send_entries(raft, peer, count);
    peer->probe_paused = true;
    peer->probe_last = peer->next - 1 + count;
    peer->probe_round = raft->heartbeat_round;
}

/* Sends what the window has room for. false: nothing. */
static bool send_window(struct raft *raft, struct peer *peer)
{
    if (peer->state == PROGRESS_SNAPSHOT) {
        return false; /* its answers keep it going */
    }
    if (peer->state == PROGRESS_PROBE) {
        if (peer->probe_paused || peer->next > raft->log.last_index) {
            return false;
        }
        send_probe(raft, peer);
        return true;
    }
    bool sent = false;
    while (peer->next <= raft->log.last_index && peer->flights.count < raft->options.window) {
        uint64_t bytes = 0;
        uint32_t count = measure_message(raft, peer, &bytes);
        if (peer->flights.count > 0 &&
            peer->flight_bytes + bytes > raft->options.max_inflight_bytes) {
            break;
        }
        if (peer->flights.count == 0) {
            peer->progress_round = raft->heartbeat_round;
        }
        send_entries(raft, peer, count);
        progress_sent(peer, peer->next + count - 1, bytes);
        sent = true;
    }
    return sent;
}

/* What is known to match and still has its term here; else the beginning of all logs. */
static uint64_t match_in_log(const struct raft *raft, const struct peer *peer)
{
    return peer->match < raft->log.base_index ? 0 : peer->match;
}

/* An append without entries behind what is known to match: it is accepted whatever was lost, and
 * tells no more of the commit index than matches. */
static struct raft_message *send_empty(struct raft *raft, struct peer *peer)
{
    uint64_t match = match_in_log(raft, peer);
    struct raft_message *message = update_message(raft, RAFT_APPEND, peer->id);
    message->prev_index = match;
    message->prev_term = log_term_at(&raft->log, match);
    message->commit = raft->commit < match ? raft->commit : match;
    if (message->commit > peer->commit_sent) {
        peer->commit_sent = message->commit;
    }
    return message;
}

/* Asks for the last entry that was sent, behind all that was sent, which it must not overtake. It
 * is refused where something before it was lost, and accepted once all of that is durable. */
static void send_check(struct raft *raft, struct peer *peer)
{
    struct raft_message *message = update_message(raft, RAFT_APPEND, peer->id);
    message->prev_index = peer->state == PROGRESS_PROBE ? peer->probe_last : peer->next - 1;
    message->prev_term = log_term_at(&raft->log, message->prev_index);
    message->commit = raft->commit < message->prev_index ? raft->commit : message->prev_index;
    message->sequence = raft->heartbeat_round;
    message->in_order = true;
    peer->check_round = raft->heartbeat_round;
}

void replication_send_commit(struct raft *raft, struct peer *peer, bool quiet)
{
    uint64_t match = match_in_log(raft, peer);
    if (peer->commit_sent < (raft->commit < match ? raft->commit : match)) {
        send_empty(raft, peer)->quiet = quiet;
    }
}

/* What has been sent is believed to arrive before it: who lacks it refuses, and learns of the
 * commit from the next leader. */
void replication_send_last_commit(struct raft *raft, struct peer *peer)
{
    struct raft_message *message = send_empty(raft, peer);
    if (peer->state == PROGRESS_REPLICATE) {
        message->prev_index = peer->next - 1;
        message->prev_term = log_term_at(&raft->log, message->prev_index);
        message->commit = raft->commit < peer->next - 1 ? raft->commit : peer->next - 1;
    }
}

void replication_flush(struct raft *raft)
{
    if (raft->role != RAFT_LEADER || !raft->flush_needed) {
        return;
    }
    raft->flush_needed = false;
    for (uint32_t i = 0; i < raft->peer_count; i++) {
        struct peer *peer = &raft->peers[i];
        if (!raft_has_own_id(raft, peer) && !send_window(raft, peer)) {
            replication_send_commit(raft, peer, peer->leaving_index == 0);
        }
    }
    read_flush(raft);
}

/* ---- a leader's life ------------------------------------------------------------------------ */

void replication_start(struct raft *raft)
{
    raft->term_start = raft->log.last_index + 1;
    raft->heartbeat_round = 0;
    lease_reset(raft);
    raft->heartbeat_deadline_ns = time_after(raft->now_ns, raft->options.heartbeat_interval_ns);
    raft->quorum_deadline_ns = raft->options.check_quorum
                                   ? time_after(raft->now_ns, raft->options.election_timeout_max_ns)
                                   : RAFT_NEVER;
    raft->leaving_deadline_ns = RAFT_NEVER;
    raft->uncommitted_bytes = 0;
    transfer_reset(raft);
    for (uint64_t index = raft->applied + 1; index <= raft->log.last_index; index++) {
        raft->uncommitted_bytes += raft_entry_size(log_at(&raft->log, index));
    }
    for (uint32_t i = 0; i < raft->peer_count; i++) {
        struct peer *peer = &raft->peers[i];
        progress_reset(peer, raft->log.last_index + 1);
        peer->heard_ns = (uint64_t)raft->now_ns;
        if (raft_has_own_id(raft, peer)) {
            progress_accept(peer, raft->durable);
        }
    }
    /* An empty entry of its own term, so that those before it can be committed (section 8). */
    struct raft_entry empty = {0, NULL, 0, raft_entry_pack(0, RAFT_ENTRY_EMPTY)};
    uint64_t index = replication_append(raft, &empty, 1);
    ensure(index == raft->term_start);
    catch_up_begin(raft);
    for (uint32_t i = 0; i < raft->peer_count; i++) {
        if (!raft_has_own_id(raft, &raft->peers[i])) {
            send_probe(raft, &raft->peers[i]);
        }
    }
}

void replication_stop(struct raft *raft)
{
    raft->flush_needed = false;
    read_fail_all(raft);
    transfer_reset(raft);
    membership_drop_leaving(raft, true);
}

/* Takes the entries over with our term; the first one's index. */
uint64_t replication_append(struct raft *raft, const struct raft_entry *entries, uint32_t count)
{
    ensure(raft->role == RAFT_LEADER && count > 0);
    uint64_t first = raft->log.last_index + 1;
    for (uint32_t i = 0; i < count; i++) {
        struct raft_entry entry = entries[i];
        entry.term = raft->term;
        log_append(&raft->log, &entry);
        raft->uncommitted_bytes += raft_entry_size(&entry);
    }
    if (raft->dirty_first == 0) {
        raft->dirty_first = first;
    }
    if (raft->update.appended_first == 0) {
        raft->update.appended_first = first;
    }
    raft->update.appended_last = raft->log.last_index;
    raft->flush_needed = true;
    return first;
}

void replication_submit(struct raft *raft, const struct raft_event *event)
{
    if (raft->role != RAFT_LEADER) {
        raft->update.refusal = RAFT_NOT_LEADER;
        return;
    }
    if (transfer_is_under_way(raft)) {
        raft->update.refusal = RAFT_TRANSFERRING;
        return;
    }
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < event->entry_count; i++) {
        ensure(raft_entry_kind(&event->entries[i]) == RAFT_ENTRY_COMMAND);
        uint32_t size = raft_entry_size(&event->entries[i]);
        if (size > RAFT_ENTRY_BYTES_MAX) {
            raft->update.refusal = RAFT_TOO_LARGE;
            return;
        }
        bytes += size;
    }
    /* What waits is bounded, but something always fits into nothing. */
    if (raft->options.max_uncommitted_bytes > 0 && raft->uncommitted_bytes > 0 &&
        raft->uncommitted_bytes + bytes > raft->options.max_uncommitted_bytes) {
        raft->update.refusal = RAFT_BUSY;
        return;
    }
    if (event->entry_count > 0) {
        raft->update.index = replication_append(raft, event->entries, event->entry_count);
    }
}

/* ---- commitment ----------------------------------------------------------------------------- */

/* clang-format off */
/* Only entries of its own term by counting, and with them all before (paper 5.4.2, figure 8):
 *
 *     index     1  2  3
 *     server 1  1  2  4   leads term 4, and has brought (2, term 2) to a majority
 *     server 2  1  2
 *     server 3  1  2
 *     server 4  1
 *     server 5  1  3      its last term is the highest but that of 1: with the votes of 2, 3 and 4
 *                         it leads term 5, and replaces index 2. So that was not committed.
 *
 * With (3, term 4) on a majority server 5 can no longer win: then both are committed. */
/* clang-format on */
void replication_advance_commit(struct raft *raft)
{
    ensure(raft->role == RAFT_LEADER);
    if (raft->self >= 0) {
        /* Its own log counts as far as it is on disk (dissertation 10.2.1). */
        (void)progress_accept(&raft->peers[raft->self], raft->durable);
    }
    uint64_t agreed = membership_agreed(raft, offsetof(struct peer, match));
    ensure(agreed <= raft->log.last_index);
    if (agreed <= raft->commit || log_term_at(&raft->log, agreed) != raft->term) {
        return;
    }
    raft->commit = agreed;
    raft->update.commit_counted = true;
    raft->flush_needed = true;
    membership_committed(raft);
}

/* ---- answers -------------------------------------------------------------------------------- */

static void back_up(struct raft *raft, struct peer *peer, const struct raft_message *message)
{
    /* A check tells of what was sent before it, and of nothing that was sent since. */
    uint64_t sent_round = peer->state == PROGRESS_PROBE ? peer->probe_round : peer->progress_round;
    if (message->sequence != 0 && message->sequence <= sent_round) {
        return;
    }
    uint64_t most = log_find_term(&raft->log, message->hint_index, message->hint_term);
    if (!progress_reject(peer, message->index, most)) {
        return;
    }
    if (peer->next <= raft->log.base_index) {
        snapshot_begin(raft, peer);
    } else {
        send_probe(raft, peer);
    }
}

/* A heartbeat and its answer overtake what waits for a slow link, so they prove nothing of what was
 * sent before; but the peer is there, and it is time to ask. */
static void detect_losses(struct raft *raft, struct peer *peer, uint64_t round)
{
    bool is_silent = peer->state == PROGRESS_PROBE
                         ? peer->probe_paused && round > peer->probe_round
                         : (peer->flights.count > 0 || peer->state == PROGRESS_SNAPSHOT) &&
                               round >= peer->progress_round + 2;
    if (!is_silent) {
        return;
    }
    if (peer->state == PROGRESS_SNAPSHOT) {
        if (peer->check_round < raft->heartbeat_round) {
            snapshot_check(raft, peer);
        }
        return;
    }
    if (peer->state == PROGRESS_PROBE && peer->probe_last == peer->match) {
        progress_replicate(peer); /* it asked for nothing that is not known */
    } else if (peer->check_round < raft->heartbeat_round) {
        send_check(raft, peer);
    }
}

static void accept_match(struct raft *raft, struct peer *peer, uint64_t index, bool heartbeat)
{
    if (progress_accept(peer, index)) {
        peer->progress_round = raft->heartbeat_round;
        raft->update.match_peer = peer->id;
        raft->update.match_directory = peer->met;
        raft->update.match_index = index;
        if (peer->state != PROGRESS_REPLICATE && index >= raft->log.base_index) {
            progress_replicate(peer);
        }
        if (index > raft->commit && (peer->voter || peer->voter_old)) {
            replication_advance_commit(raft);
        }
    } else if (!heartbeat && peer->state == PROGRESS_PROBE && index == peer->match &&
               peer->next == peer->match + 1) {
        progress_replicate(peer);
    }
}

static bool has_more(const struct raft *raft, const struct peer *peer)
{
    if (peer->state == PROGRESS_SNAPSHOT) {
        return false;
    }
    return (peer->next <= raft->log.last_index && !peer->probe_paused) ||
           (peer->commit_sent < raft->commit && peer->commit_sent < peer->match);
}

void replication_handle_response(struct raft *raft, const struct raft_message *message)
{
    struct peer *peer = raft_find_peer(raft, message->from);
    if (raft->role != RAFT_LEADER || peer == NULL) {
        return;
    }
    if (message->index > raft->log.last_index || message->sequence > raft->heartbeat_round) {
        update_notice(raft, message->from, "append_response: for entries that were never sent");
        return;
    }
    peer->heard_ns = (uint64_t)raft->now_ns;
    lease_round_answered(raft, peer, message->sequence);
    if (message->reject) {
        back_up(raft, peer, message);
        return;
    }
    if (message->commit > peer->commit_known) {
        peer->commit_known = message->commit;
    }
    accept_match(raft, peer, message->index, message->sequence != 0);
    if (raft->role != RAFT_LEADER) {
        return; /* that commit has removed us */
    }
    catch_up_progressed(raft, message->from);
    /* Appending the final configuration may have moved the peers. */
    peer = raft_find_peer(raft, message->from);
    ensure(peer != NULL);
    transfer_advance(raft);
    if (message->sequence != 0) {
        detect_losses(raft, peer, message->sequence);
    }
    if (has_more(raft, peer)) {
        raft->flush_needed = true; /* its batch gathers what comes in this turn */
    }
    if (peer->leaving_index != 0) {
        membership_drop_leaving(raft, false);
    }
}

bool replication_hears(const struct raft *raft, const struct peer *peer)
{
    return raft->now_ns - (int64_t)peer->heard_ns < transfer_bound_ns(raft);
}

/* ---- time ----------------------------------------------------------------------------------- */

void replication_heartbeat(struct raft *raft)
{
    if (raft->role != RAFT_LEADER) {
        return;
    }
    raft->heartbeat_round++;
    lease_round_sent(raft);
    snapshot_heartbeat(raft);
    raft->heartbeat_deadline_ns = time_after(raft->now_ns, raft->options.heartbeat_interval_ns);
    for (uint32_t i = 0; i < raft->peer_count; i++) {
        if (!raft_has_own_id(raft, &raft->peers[i])) {
            send_empty(raft, &raft->peers[i])->sequence = raft->heartbeat_round;
        }
    }
    read_repeat(raft);
    transfer_heartbeat(raft);
    catch_up_tick(raft);
}

/* Dissertation 6.2: a leader that has not heard from a quorum for an election timeout steps down.
 * The deadline moves only when it is reached. */
static bool lost_quorum(struct raft *raft)
{
    if (raft->now_ns < raft->quorum_deadline_ns) {
        return false;
    }
    if (raft->self >= 0) {
        raft->peers[raft->self].heard_ns = (uint64_t)raft->now_ns;
    }
    int64_t heard_ns = (int64_t)membership_agreed(raft, offsetof(struct peer, heard_ns));
    raft->quorum_deadline_ns = time_after(heard_ns, raft->options.election_timeout_max_ns);
    return raft->now_ns >= raft->quorum_deadline_ns;
}

/* A leader whose disk hangs can apply nothing, and so answers nobody, while its heartbeats keep
 * others from leading. Where the others' disks are as slow it stays: they commit nothing without
 * it, and nobody would do better. */
static bool is_held_up(const struct raft *raft)
{
    return raft->options.check_quorum && raft->commit > raft->durable && persist_hangs(raft);
}

void replication_tick(struct raft *raft)
{
    ensure(raft->role == RAFT_LEADER);
    if (lost_quorum(raft) || is_held_up(raft)) {
        election_become_follower(raft, raft->term);
        return;
    }
    transfer_tick(raft);
    if (raft->now_ns >= raft->leaving_deadline_ns) {
        membership_drop_leaving(raft, false);
    }
    if (raft->now_ns >= raft->heartbeat_deadline_ns) {
        replication_heartbeat(raft);
    }
}
