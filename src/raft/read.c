/*
 * read: linearizable reads without the log (ReadIndex, dissertation 6.4): remember the commit
 * index, confirm with a quorum that there is no other leader, then answer once that index is
 * applied. One round is shared by all reads that wait when it begins. Those that come while it is
 * under way share the next one, which begins when it is confirmed, so that any number of reads at
 * once costs two rounds at most.
 *
 * It never answers before an entry of the leader's own term has committed, and never from a clock:
 * lease.c does that.
 */
#include "raft/internal.h"

#include <stddef.h>
#include <string.h>

static void push_read(struct raft *raft, uint64_t read_id)
{
    *ring_push(&raft->reads) = (struct read_waiting){.read_id = read_id};
    raft->reads_unassigned++;
}

static bool own_term_committed(const struct raft *raft)
{
    return raft->commit >= raft->term_start;
}

static uint64_t confirmed_round(struct raft *raft)
{
    if (raft->self >= 0) {
        raft->peers[raft->self].read_acked = UINT64_MAX;
    }
    return membership_agreed(raft, offsetof(struct peer, read_acked));
}

static bool round_is_under_way(const struct raft *raft)
{
    return raft->reads.count > raft->reads_unassigned;
}

static void answer_confirmed(struct raft *raft)
{
    uint64_t round = confirmed_round(raft);
    while (round_is_under_way(raft) && ring_at(&raft->reads, 0)->sequence <= round) {
        const struct read_waiting *read = ring_pop(&raft->reads);
        update_read_result(raft, read->read_id, read->index);
    }
    if (raft->reads_unassigned > 0 && !round_is_under_way(raft)) {
        raft->flush_needed = true; /* for the next round */
    }
}

/* Without a round: the only voter knows, and so does a leader by its lease. */
static bool may_pass_at_once(struct raft *raft, bool lease)
{
    return own_term_committed(raft) &&
           (confirmed_round(raft) == UINT64_MAX || (lease && lease_holds(raft)));
}

void read_request(struct raft *raft, uint64_t read_id, bool lease)
{
    if (lease && !raft->options.lease_reads) {
        raft->update.refusal = RAFT_NO_LEASES;
        return;
    }
    if (raft->role != RAFT_LEADER) {
        raft->update.refusal = RAFT_NOT_LEADER;
        return;
    }
    if (raft->reads.count == READS_WAITING_MAX) {
        raft->update.refusal = RAFT_BUSY;
        return;
    }
    if (may_pass_at_once(raft, lease)) {
        update_read_result(raft, read_id, raft->commit);
        raft->update.read_by_lease = lease && confirmed_round(raft) != UINT64_MAX;
        return;
    }
    push_read(raft, read_id);
    raft->flush_needed = true;
}

static void send_round(struct raft *raft)
{
    for (uint32_t i = 0; i < raft->peer_count; i++) {
        const struct peer *peer = &raft->peers[i];
        if ((peer->voter || peer->voter_old) && !raft_has_own_id(raft, peer) &&
            peer->read_acked < raft->read_sequence) {
            update_message(raft, RAFT_READ, peer->id)->sequence = raft->read_sequence;
        }
    }
}

/* For all reads that are not in a round yet. */
static void begin_round(struct raft *raft)
{
    raft->read_sequence++;
    for (size_t i = raft->reads.count - raft->reads_unassigned; i < raft->reads.count; i++) {
        struct read_waiting *read = ring_at(&raft->reads, i);
        read->sequence = raft->read_sequence;
        read->index = raft->commit;
    }
    raft->reads_unassigned = 0;
    send_round(raft);
    answer_confirmed(raft);
}

void read_flush(struct raft *raft)
{
    /* The commit of its first entry asks for a flush again. */
    if (raft->reads_unassigned > 0 && own_term_committed(raft) && !round_is_under_way(raft)) {
        begin_round(raft);
    }
}

/* What was said may be lost. A new round confirms the one before as well, so those who wait for it
 * come along. */
void read_repeat(struct raft *raft)
{
    if (!round_is_under_way(raft)) {
        return;
    }
    if (raft->reads_unassigned > 0) {
        begin_round(raft);
    } else {
        send_round(raft);
    }
}

void read_fail_all(struct raft *raft)
{
    while (raft->reads.count > 0) {
        update_read_result(raft, ring_pop(&raft->reads)->read_id, 0);
    }
    raft->reads_unassigned = 0;
}

/* A follower: its answer says that in this term it knows no other leader. */
void read_handle(struct raft *raft, const struct raft_message *message)
{
    update_promise(raft, RAFT_READ_RESPONSE, message, 0)->sequence = message->sequence;
}

void read_handle_response(struct raft *raft, const struct raft_message *message)
{
    struct peer *peer = raft_find_peer(raft, message->from);
    if (raft->role != RAFT_LEADER || peer == NULL || message->reject) {
        return;
    }
    if (message->sequence > raft->read_sequence) {
        update_notice(raft, message->from, "read_response: for a round that was never begun");
        return;
    }
    peer->heard_ns = (uint64_t)raft->now_ns;
    if (message->sequence > peer->read_acked) {
        peer->read_acked = message->sequence;
        answer_confirmed(raft);
    }
}
