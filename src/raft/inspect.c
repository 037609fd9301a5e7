/*
 * inspect: what others may see of a replica: status, members, entries and peers.
 *
 * It changes nothing.
 */
#include "raft/internal.h"

#include <string.h>

void raft_get_status(const struct raft *raft, struct raft_status *status)
{
    *status = (struct raft_status){
        .id = raft->options.id,
        .directory = raft->options.directory,
        .member = raft->self >= 0,
        .role = raft->role,
        .term = raft->term,
        .vote = raft->vote,
        .vote_directory = raft->vote_directory,
        .leader = raft->leader,
        .leader_directory = raft->leader_directory,
        .commit_index = raft->commit,
        .applied_index = raft->applied,
        .durable_index = raft->durable,
        .first_index = raft->log.base_index + 1,
        .last_index = raft->log.last_index,
        .last_term = raft->log.last_term,
        .transfer_target = raft->transfer.target,
        .log_bytes = raft->log.bytes,
        .snapshot_index = raft->snapshot.index,
        .snapshot_term = raft->snapshot.term,
        .dropped_messages = raft->dropped_messages,
    };
}

const struct raft_configuration *raft_members(const struct raft *raft)
{
    return &membership_in_force(raft)->configuration;
}

uint64_t raft_members_index(const struct raft *raft)
{
    return membership_in_force(raft)->index;
}

const struct raft_configuration *raft_snapshot_members(const struct raft *raft)
{
    return &raft->records.items[0].configuration;
}

uint64_t raft_term_at(const struct raft *raft, uint64_t index)
{
    return log_term_at(&raft->log, index);
}

const struct raft_entry *raft_entry_at(const struct raft *raft, uint64_t index)
{
    return log_at(&raft->log, index);
}

void raft_copy_entries(const struct raft *raft, uint64_t first_index, size_t count,
                       struct raft_entry *copies)
{
    while (count > 0) {
        size_t left =
            LOG_CHUNK_ENTRIES - (first_index & (LOG_CHUNK_ENTRIES - 1)); /* of its chunk */
        size_t piece = left < count ? left : count;
        (void)log_at(&raft->log, first_index + piece - 1);
        memcpy(copies, log_at(&raft->log, first_index), piece * sizeof *copies);
        first_index += piece;
        copies += piece;
        count -= piece;
    }
}

bool raft_peer_at(const struct raft *raft, uint32_t position, struct raft_peer_status *status)
{
    if (raft->role != RAFT_LEADER) {
        return false;
    }
    for (uint32_t i = 0; i < raft->peer_count; i++) {
        const struct peer *peer = &raft->peers[i];
        if (raft_has_own_id(raft, peer)) {
            continue;
        }
        if (position-- == 0) {
            status->id = peer->id;
            status->match_index = peer->match;
            status->next_index = peer->next;
            status->inflight_messages = (uint32_t)peer->flights.count;
            bool is_sent = peer->state == PROGRESS_SNAPSHOT;
            status->snapshot_index = is_sent ? peer->next - 1 : 0;
            status->snapshot_offset = is_sent ? peer->snapshot_written : 0;
            return true;
        }
    }
    return false;
}
