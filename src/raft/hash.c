/*
 * hash: one number for a replica's state, and for a message under way: equal for states that behave
 * alike from now on. It covers what later behaviour depends on, and nothing else: no times, no
 * generators, no addresses in memory, and of numbers that only count (rounds, sequences) only how
 * they stand to each other. So two runs that differ in how many heartbeats there were meet in one
 * state, and an explorer of states comes to an end.
 *
 * Members and peers are added up, not chained: with ids renamed they stand in another order.
 *
 * It changes nothing.
 */
#include "raft/internal.h"

static uint64_t renamed(const struct raft_renaming *renaming, uint64_t id)
{
    return renaming == NULL || id == 0 ? id : renaming->rename(renaming->context, id);
}

/* ---- rounds --------------------------------------------------------------------------------- */

static bool is_probed(const struct peer *peer)
{
    return peer->state == PROGRESS_PROBE;
}

/* A round of heartbeats counts by how it stands to the one in which the last probe left, or in
 * which the window in flight last moved (replication.c: back_up, detect_losses); to a peer with
 * nothing in flight all are alike. Where that moves, it moves to the present round, behind all that
 * are under way: so what was alike stays alike. */
static uint64_t round_class(const struct peer *peer, uint64_t round)
{
    if (is_probed(peer)) {
        return round > peer->probe_round ? 1 : 0;
    }
    bool waits = peer->flights.count > 0 || peer->state == PROGRESS_SNAPSHOT;
    if (!waits || round <= peer->progress_round) {
        return 0;
    }
    return round == peer->progress_round + 1 ? 1 : 2;
}

/* Of a round of reads: how many of the rounds that reads wait for it covers. */
static uint64_t read_class(const struct raft *raft, uint64_t round)
{
    uint64_t class = 0;
    uint64_t last = 0;
    for (size_t i = 0; i < raft->reads.count; i++) {
        uint64_t sequence = ring_at(&raft->reads, i)->sequence;
        if (sequence != 0 && sequence != last && sequence <= round) {
            class ++;
        }
        last = sequence;
    }
    return class;
}

/* ---- parts of a replica --------------------------------------------------------------------- */

static uint64_t hash_configuration(const struct raft_configuration *configuration,
                                   const struct raft_renaming *renaming)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < configuration->count; i++) {
        const struct raft_member *member = &configuration->members[i];
        uint64_t hash = hash_mix(renamed(renaming, member->id), member->directory);
        hash = hash_mix(hash, (member->voter ? 1U : 0U) | (member->learner ? 2U : 0U) |
                                  (member->voter_old ? 4U : 0U) | (member->next_voter ? 8U : 0U) |
                                  (member->next_learner ? 16U : 0U) | (member->added ? 32U : 0U));
        sum += hash_mix(hash, hash_bytes(member->address, member->address_size, 0));
    }
    return hash_mix(hash_mix(sum, configuration->count),
                    (configuration->joint ? 1U : 0U) | (configuration->preparing ? 2U : 0U));
}

static uint64_t hash_entry(const struct raft_entry *entry, const struct raft_renaming *renaming)
{
    struct bytes payload = raft_entry_payload(entry);
    struct raft_configuration configuration;
    uint64_t hash = hash_mix(entry->term, entry->size_and_kind);
    if (raft_entry_kind(entry) == RAFT_ENTRY_CONFIGURATION &&
        raft_configuration_decode(payload, &configuration)) {
        hash = hash_mix(hash, hash_configuration(&configuration, renaming));
        raft_configuration_free(&configuration);
    } else if (payload.size > 0) {
        hash = hash_mix(hash, hash_bytes(payload.data, payload.size, 0));
    }
    return hash;
}

static uint64_t hash_log(uint64_t hash, const struct raft *raft,
                         const struct raft_renaming *renaming)
{
    const struct log *log = &raft->log;
    hash = hash_mix(hash, log->base_index);
    hash = hash_mix(hash, log->base_term);
    for (uint64_t index = log->base_index + 1; index <= log->last_index; index++) {
        hash = hash_mix(hash, hash_entry(log_at(log, index), renaming));
    }
    const struct members_record *record = &raft->records.items[0]; /* the log holds the others */
    hash = hash_mix(hash, record->index);
    hash = hash_mix(hash, hash_configuration(&record->configuration, renaming));
    return hash_mix(hash, membership_in_force(raft)->fill ? 1 : 0);
}

static uint64_t hash_snapshots(uint64_t hash, const struct raft *raft,
                               const struct raft_renaming *renaming)
{
    const struct incoming_snapshot *incoming = &raft->incoming;
    hash = hash_mix(hash, raft->snapshot.index);
    hash = hash_mix(hash, raft->snapshot.term);
    hash = hash_mix(hash, raft->snapshot.size);
    hash = hash_mix(hash, raft->compact_to);
    if (incoming->index != 0) {
        hash = hash_mix(hash, incoming->index);
        hash = hash_mix(hash, incoming->term);
        hash = hash_mix(hash, renamed(renaming, incoming->from));
        hash = hash_mix(hash, incoming->from_directory);
        hash = hash_mix(hash, incoming->accepted);
        hash = hash_mix(hash, incoming->written);
        hash = hash_mix(hash, incoming->unwritten * 2U + (incoming->whole ? 1U : 0U));
    }
    return hash;
}

/* A sequence that its disk has not confirmed, counted from the last that it has; else 0. */
static uint64_t still_waiting(const struct raft *raft, uint64_t sequence)
{
    return sequence > raft->persisted_sequence ? sequence - raft->persisted_sequence : 0;
}

static uint64_t hash_persists(uint64_t hash, const struct raft *raft)
{
    for (size_t i = 0; i < raft->marks.count; i++) {
        const struct persist_mark *mark = ring_at(&raft->marks, i);
        hash = hash_mix(hash, still_waiting(raft, mark->sequence));
        hash = hash_mix(hash, mark->last_index);
    }
    hash = hash_mix(hash, still_waiting(raft, raft->hard_state_sequence));
    hash = hash_mix(hash, raft->dirty_reset ? 1 : 0);
    if (raft->role == RAFT_CANDIDATE) {
        hash = hash_mix(hash, still_waiting(raft, raft->vote_sequence));
    }
    return hash;
}

static uint64_t hash_progress(const struct raft *raft, const struct peer *peer)
{
    uint64_t hash = hash_mix(peer->match, peer->next);
    hash = hash_mix(hash, peer->state * 2U + (peer->probe_paused ? 1U : 0U));
    hash = hash_mix(hash, is_probed(peer) ? peer->probe_last : 0);
    for (size_t i = 0; i < peer->flights.count; i++) {
        const struct flight *flight = ring_at(&peer->flights, i);
        hash = hash_mix(hash, flight->last_index);
        hash = hash_mix(hash, flight->bytes);
    }
    if (peer->state == PROGRESS_SNAPSHOT) {
        hash = hash_mix(hash, peer->snapshot_term);
        hash = hash_mix(hash, peer->snapshot_size);
        hash = hash_mix(hash, peer->snapshot_sent);
        hash = hash_mix(hash, peer->snapshot_written);
    }
    hash = hash_mix(hash, peer->log_is_kept ? 1 : 0);
    if (raft_members(raft)->preparing) {
        hash = hash_mix(hash, peer->catch_up.round_end);
        hash = hash_mix(hash, peer->catch_up.rounds * 2U + (peer->catch_up.level ? 1U : 0U));
    }
    /* How the next round will stand; and whether losses may be asked for in this one. */
    hash = hash_mix(hash, round_class(peer, raft->heartbeat_round + 1));
    hash = hash_mix(hash, peer->check_round < raft->heartbeat_round ? 1 : 0);
    hash = hash_mix(hash, read_class(raft, peer->read_acked));
    hash = hash_mix(hash, peer->commit_sent);
    hash = hash_mix(hash, peer->commit_known);
    return hash_mix(hash, peer->leaving_index);
}

static uint64_t hash_peers(const struct raft *raft, const struct raft_renaming *renaming)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < raft->peer_count; i++) {
        const struct peer *peer = &raft->peers[i];
        uint64_t hash = hash_mix(renamed(renaming, peer->id), peer->met);
        if (raft->role == RAFT_LEADER && !raft_has_own_id(raft, peer)) {
            hash = hash_mix(hash, hash_progress(raft, peer));
        } else if (raft->role == RAFT_CANDIDATE || raft->role == RAFT_PRE_CANDIDATE) {
            hash = hash_mix(hash, peer->vote);
        }
        sum += hash;
    }
    return sum;
}

static uint64_t hash_leadership(uint64_t hash, const struct raft *raft,
                                const struct raft_renaming *renaming)
{
    for (size_t i = 0; i < raft->reads.count; i++) {
        const struct read_waiting *read = ring_at(&raft->reads, i);
        hash = hash_mix(hash, read->read_id);
        hash = hash_mix(hash, read->index);
        hash = hash_mix(hash, read->sequence == 0 ? 0 : read_class(raft, read->sequence));
    }
    hash = hash_mix(hash, renamed(renaming, raft->transfer.target));
    hash = hash_mix(hash, raft->transfer.told_index);
    hash = hash_mix(hash, (raft->flush_needed ? 1U : 0U) | (raft->told_to_campaign ? 2U : 0U));
    bool waits_for_directories = raft->unknown_directories > 0 && raft->heartbeat_round == 0;
    return hash_mix(hash, waits_for_directories ? 1 : 0);
}

/* ---- the whole ------------------------------------------------------------------------------ */

uint64_t raft_hash(const struct raft *raft, const struct raft_renaming *renaming)
{
    uint64_t hash = hash_mix(renamed(renaming, raft->options.id), raft->options.directory);
    hash = hash_mix(hash, (uint64_t)raft->role);
    hash = hash_mix(hash, raft->term);
    hash = hash_mix(hash, renamed(renaming, raft->vote));
    hash = hash_mix(hash, raft->vote_directory);
    hash = hash_mix(hash, renamed(renaming, raft->leader));
    hash = hash_mix(hash, raft->leader_directory);
    hash = hash_mix(hash, raft->commit);
    hash = hash_mix(hash, raft->applied);
    hash = hash_mix(hash, raft->durable);
    hash = hash_log(hash, raft, renaming);
    hash = hash_snapshots(hash, raft, renaming);
    hash = hash_persists(hash, raft);
    if (raft->role == RAFT_LEADER) {
        hash = hash_leadership(hash, raft, renaming);
    }
    return hash_mix(hash, hash_peers(raft, renaming));
}

/* ---- messages ------------------------------------------------------------------------------- */

/* The number of a round, as the leader that began it would tell it from others. */
static uint64_t hash_round(const struct raft_message *message, const struct raft *leader)
{
    if (message->sequence == 0 || leader == NULL) {
        return message->sequence == 0 ? 0 : 1;
    }
    ensure(leader->role == RAFT_LEADER && leader->term == message->term);
    if (message->kind == RAFT_READ || message->kind == RAFT_READ_RESPONSE) {
        return 1 + read_class(leader, message->sequence);
    }
    uint64_t follower = message->from == leader->options.id ? message->to : message->from;
    for (uint32_t i = 0; i < leader->peer_count; i++) {
        if (leader->peers[i].id == follower) {
            return 1 + round_class(&leader->peers[i], message->sequence);
        }
    }
    return 1; /* no longer a member: its answer will not count */
}

uint64_t raft_message_hash(const struct raft_message *message, const struct raft *leader,
                           const struct raft_renaming *renaming)
{
    ensure(message->entry_count == 0 || message->entries != NULL);
    uint64_t flags = (message->reject ? 1U : 0U) | (message->force ? 2U : 0U) |
                     (message->quiet ? 4U : 0U) | (message->in_order ? 8U : 0U) |
                     (message->last ? 16U : 0U);
    uint64_t hash = hash_mix((uint64_t)message->kind, flags);
    hash = hash_mix(hash, renamed(renaming, message->from));
    hash = hash_mix(hash, message->from_directory);
    hash = hash_mix(hash, renamed(renaming, message->to));
    hash = hash_mix(hash, message->to_directory);
    hash = hash_mix(hash, message->term);
    hash = hash_mix(hash, message->prev_index);
    hash = hash_mix(hash, message->prev_term);
    hash = hash_mix(hash, message->commit);
    hash = hash_mix(hash, message->index);
    hash = hash_mix(hash, message->hint_index);
    hash = hash_mix(hash, message->hint_term);
    hash = hash_mix(hash, hash_round(message, leader));
    for (uint32_t i = 0; i < message->entry_count; i++) {
        hash = hash_mix(hash, hash_entry(&message->entries[i], renaming));
    }
    struct bytes piece = raft_message_piece(message);
    if (message->kind == RAFT_SNAPSHOT || message->kind == RAFT_SNAPSHOT_RESPONSE) {
        hash = hash_mix(hash, message->offset);
        hash = hash_mix(hash, piece.size);
    }
    return piece.data == NULL ? hash : hash_mix(hash, hash_bytes(piece.data, piece.size, 0));
}
