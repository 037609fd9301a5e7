/*
 * transfer: leadership is handed over (dissertation 3.10): the leader takes no more commands,
 * brings the target's log level with its own and tells it to campaign at once, which other voters
 * do not hold back.
 *
 * It never lasts longer than one election time-out: then the leader takes commands again. It makes
 * nobody leader: the target has to win an election like any other.
 */
#include "raft/internal.h"

#define HEARTBEATS_WITHOUT_TIMEOUT 6 /* the bound where time-outs never fire by themselves */

bool transfer_is_under_way(const struct raft *raft)
{
    return raft->transfer.target != 0;
}

int64_t transfer_bound_ns(const struct raft *raft)
{
    const struct raft_options *options = &raft->options;
    if (options->election_timeout_max_ns != RAFT_NEVER) {
        return options->election_timeout_max_ns;
    }
    return options->heartbeat_interval_ns < RAFT_NEVER / HEARTBEATS_WITHOUT_TIMEOUT
               ? options->heartbeat_interval_ns * HEARTBEATS_WITHOUT_TIMEOUT
               : RAFT_NEVER;
}

static void forget(struct raft *raft)
{
    raft->transfer = (struct transfer){.deadline_ns = RAFT_NEVER};
}

void transfer_reset(struct raft *raft)
{
    forget(raft);
    raft->told_to_campaign = false;
}

static void give_up(struct raft *raft, enum raft_transfer_end why)
{
    raft->update.transfer_ended = why;
    raft->update.transfer_told = raft->transfer.told_index != 0;
    forget(raft);
}

/* ---- to whom -------------------------------------------------------------------------------- */

static bool may_lead(const struct raft *raft, const struct peer *peer)
{
    return peer->voter && !raft_has_own_id(raft, peer);
}

/* Of the voters that answer, the one whose log is furthest. NULL: there is none. */
static struct peer *furthest(struct raft *raft)
{
    struct peer *best = NULL;
    for (uint32_t i = 0; i < raft->peer_count; i++) {
        struct peer *peer = &raft->peers[i];
        if (may_lead(raft, peer) && replication_hears(raft, peer) &&
            (best == NULL || peer->match > best->match)) {
            best = peer;
        }
    }
    return best;
}

/* ---- a leader ------------------------------------------------------------------------------- */

/* The entry is one of our own term: whoever lacks it would lose the election. */
static void tell(struct raft *raft, const struct peer *peer, uint64_t index)
{
    ensure(peer->match >= index && log_term_at(&raft->log, index) == raft->term);
    struct raft_message *message = update_message(raft, RAFT_TIMEOUT_NOW, peer->id);
    message->prev_index = index;
    message->prev_term = raft->term;
    raft->told_to_campaign = true;
}

static void tell_when_level(struct raft *raft, bool again)
{
    uint64_t last = raft->log.last_index;
    const struct peer *peer = raft_find_peer(raft, raft->transfer.target);
    ensure(peer != NULL && may_lead(raft, peer));
    if (peer->match == last && (again || raft->transfer.told_index != last)) {
        tell(raft, peer, last);
        raft->transfer.told_index = last;
    }
}

void transfer_begin(struct raft *raft, uint64_t target)
{
    if (raft->role != RAFT_LEADER) {
        raft->update.refusal = RAFT_NOT_LEADER;
        return;
    }
    if (target == raft->options.id || (target != 0 && target == raft->transfer.target)) {
        return; /* it leads, or is about to */
    }
    if (transfer_is_under_way(raft)) {
        raft->update.refusal = RAFT_TRANSFERRING;
        return;
    }
    const struct peer *peer = target != 0 ? raft_find_peer(raft, target) : furthest(raft);
    if (peer == NULL || !may_lead(raft, peer)) {
        raft->update.refusal = RAFT_NO_VOTER;
        return;
    }
    raft->transfer.target = peer->id;
    raft->transfer.deadline_ns = time_after(raft->now_ns, transfer_bound_ns(raft));
    raft->flush_needed = true;
    tell_when_level(raft, false);
}

void transfer_advance(struct raft *raft)
{
    if (transfer_is_under_way(raft)) {
        tell_when_level(raft, false);
    }
}

void transfer_heartbeat(struct raft *raft)
{
    if (transfer_is_under_way(raft)) {
        tell_when_level(raft, true);
    }
}

void transfer_tick(struct raft *raft)
{
    if (raft->now_ns >= raft->transfer.deadline_ns) {
        give_up(raft, RAFT_TRANSFER_TIMED_OUT);
    }
}

void transfer_members_changed(struct raft *raft)
{
    const struct peer *peer = raft_find_peer(raft, raft->transfer.target);
    if (transfer_is_under_way(raft) && (peer == NULL || !may_lead(raft, peer))) {
        give_up(raft, RAFT_TRANSFER_TARGET_GONE);
    }
}

/* What removed this leader is committed, so that the furthest of the voters that are left holds it.
 * Nobody else knows more of this log than that voter, as far as answers tell. */
void transfer_before_leaving(struct raft *raft)
{
    const struct peer *peer = furthest(raft);
    if (peer != NULL && peer->match >= raft->commit) {
        tell(raft, peer, peer->match);
    }
}

void transfer_handle_response(struct raft *raft, const struct raft_message *message)
{
    if (raft->role == RAFT_LEADER && message->from == raft->transfer.target && message->reject) {
        give_up(raft, RAFT_TRANSFER_REFUSED);
    }
}

/* ---- the target ----------------------------------------------------------------------------- */

/* Who was a leader's equal when that was sent is no less now; else it is a learner by what it
 * knows, or another disk under the target's id. */
void transfer_handle(struct raft *raft, const struct raft_message *message)
{
    ensure(message->term == raft->term && raft->leader == message->from);
    bool is_level = message->prev_index < raft->log.base_index ||
                    (message->prev_index <= raft->log.last_index &&
                     log_term_at(&raft->log, message->prev_index) == message->prev_term);
    if (!is_level || !membership_may_campaign(raft)) {
        update_answer(raft, RAFT_TIMEOUT_NOW_RESPONSE, message)->reject = true;
        return;
    }
    election_told(raft);
}
