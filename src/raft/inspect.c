/*
 * inspect: what others may see of a replica: status, members, entries, peers, and its hash.
 *
 * It changes nothing.
 */
#include "raft/internal.h"

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

uint64_t raft_term_at(const struct raft *raft, uint64_t index)
{
    return log_term_at(&raft->log, index);
}

const struct raft_entry *raft_entry_at(const struct raft *raft, uint64_t index)
{
    return log_at(&raft->log, index);
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
            return true;
        }
    }
    return false;
}

/* ---- the hash ------------------------------------------------------------------------------- */

static uint64_t hash_log(uint64_t hash, const struct log *log)
{
    hash = hash_mix(hash, log->base_index);
    hash = hash_mix(hash, log->base_term);
    for (uint64_t index = log->base_index + 1; index <= log->last_index; index++) {
        const struct raft_entry *entry = log_at(log, index);
        struct bytes payload = raft_entry_payload(entry);
        hash = hash_mix(hash, entry->term);
        hash = hash_mix(hash, entry->size_and_kind);
        if (payload.size > 0) {
            hash = hash_mix(hash, hash_bytes(payload.data, payload.size, 0));
        }
    }
    return hash;
}

static uint64_t hash_configuration(uint64_t hash, const struct raft_configuration *configuration)
{
    hash = hash_mix(hash, configuration->count);
    hash = hash_mix(hash, configuration->joint ? 1 : 0);
    for (uint32_t i = 0; i < configuration->count; i++) {
        const struct raft_member *member = &configuration->members[i];
        hash = hash_mix(hash, member->id);
        hash = hash_mix(hash, member->directory);
        hash = hash_mix(hash, (member->voter ? 1U : 0U) | (member->learner ? 2U : 0U) |
                                  (member->voter_old ? 4U : 0U));
        hash = hash_mix(hash, hash_bytes(member->address, member->address_size, 0));
    }
    return hash;
}

static uint64_t hash_peers(uint64_t hash, const struct raft *raft)
{
    for (uint32_t i = 0; i < raft->peer_count; i++) {
        const struct peer *peer = &raft->peers[i];
        if (raft->role == RAFT_LEADER && !raft_has_own_id(raft, peer)) {
            hash = hash_mix(hash, peer->id);
            hash = hash_mix(hash, peer->match);
            hash = hash_mix(hash, peer->next);
            hash = hash_mix(hash, peer->state * 2U + (peer->probe_paused ? 1U : 0U));
            hash = hash_mix(hash, peer->flights.count);
            hash = hash_mix(hash, peer->commit_sent);
        } else if (raft->role == RAFT_CANDIDATE || raft->role == RAFT_PRE_CANDIDATE) {
            hash = hash_mix(hash, peer->vote);
        }
    }
    return hash;
}

uint64_t raft_hash(const struct raft *raft)
{
    uint64_t hash = hash_mix(raft->options.id, (uint64_t)raft->role);
    hash = hash_mix(hash, raft->term);
    hash = hash_mix(hash, raft->vote);
    hash = hash_mix(hash, raft->vote_directory);
    hash = hash_mix(hash, raft->leader);
    hash = hash_mix(hash, raft->leader_directory);
    hash = hash_mix(hash, raft->commit);
    hash = hash_mix(hash, raft->applied);
    hash = hash_mix(hash, raft->durable);
    hash = hash_log(hash, &raft->log);
    hash = hash_configuration(hash, raft_members(raft));
    return hash_peers(hash, raft);
}
