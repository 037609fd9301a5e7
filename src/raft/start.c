/*
 * start: a replica is made of options and of what a disk held: hard state, a snapshot, a log.
 *
 * It refuses what no disk of a correct replica holds, and mends the one thing that a crash leaves
 * behind: a log that an installed snapshot should have replaced.
 */
#include "raft/internal.h"

static const char *options_problem(const struct raft_options *options)
{
    if (options->id == 0) {
        return "id must be at least 1";
    }
    if (options->election_timeout_min_ns <= 0 ||
        options->election_timeout_max_ns < options->election_timeout_min_ns) {
        return "election_timeout must be above 0, its maximum not below its minimum";
    }
    if (options->heartbeat_interval_ns <= 0) {
        return "heartbeat_interval must be above 0";
    }
    if (options->election_collisions > CHANCE_ALWAYS) {
        return "election_collisions must be a chance";
    }
    if (options->lease_reads && !options->check_quorum) {
        return "lease reads need check_quorum: a lease is the voters' promise to hold back";
    }
    if (options->clock_drift_ppb >= RAFT_CLOCK_DRIFT_MAX_PPB) {
        return "clock_drift must be below 1";
    }
    if (options->window == 0) {
        return "window must be at least 1";
    }
    return NULL;
}

static const char *snapshot_start_problem(const struct raft_start *start)
{
    const struct raft_snapshot *snapshot = &start->snapshot;
    if (start->first_index == 0) {
        return "the log must start at index 1, or where the snapshot ends";
    }
    if (snapshot->index >= NUMBER_MAX || snapshot->term == 0 || snapshot->size == 0 ||
        snapshot->term >= NUMBER_MAX || snapshot->members_index > snapshot->index) {
        return "a snapshot whose numbers are out of range";
    }
    if (start->first_index == snapshot->index + 1 && start->entry_count > 0 &&
        start->entries[0].term < snapshot->term) {
        return "the log's terms must rise from the snapshot's";
    }
    return snapshot->members == NULL ? "a snapshot without members"
                                     : configuration_problem(snapshot->members);
}

static const char *start_problem(const struct raft_start *start)
{
    if (start->first_index > start->snapshot.index + 1 ||
        (start->entry_count > 0 && start->first_index == 0)) {
        return "the log must start at index 1, or where the snapshot ends";
    }
    if (start->term >= NUMBER_MAX || (start->vote != 0 && start->term == 0)) {
        return "a vote without a term, or a term out of range";
    }
    if (start->snapshot.index > 0) {
        const char *problem = snapshot_start_problem(start);
        if (problem != NULL) {
            return problem;
        }
    }
    uint64_t term = 1;
    for (uint64_t i = 0; i < start->entry_count; i++) {
        const struct raft_entry *entry = &start->entries[i];
        if (entry->term < term || entry->term > start->term) {
            return "the log's terms must rise to the present term at most";
        }
        if (raft_entry_size(entry) > 0 && entry->batch == NULL) {
            return "an entry of the log lacks its bytes";
        }
        term = entry->term;
    }
    const struct raft_configuration *members = start->first_members;
    if (members != NULL && members->count > 0 && configuration_problem(members) != NULL) {
        return configuration_problem(members);
    }
    return NULL;
}

/* The log may end before the snapshot, or differ from it: it was not reset any more. */
static bool meets_snapshot(const struct raft_start *start)
{
    const struct raft_snapshot *snapshot = &start->snapshot;
    uint64_t behind = start->first_index + start->entry_count;
    return start->first_index == snapshot->index + 1 ||
           (behind > snapshot->index &&
            start->entries[snapshot->index - start->first_index].term == snapshot->term);
}

/* Of a log that begins somewhere before the snapshot's end, the first entry is the base: the term
 * of the one before it is not known any more. */
static uint64_t load_base(struct raft *raft, const struct raft_start *start)
{
    const struct raft_snapshot *snapshot = &start->snapshot;
    raft->snapshot = *snapshot;
    raft->snapshot.members = NULL;
    raft->commit = snapshot->index;
    raft->applied = snapshot->index;
    if (snapshot->term > raft->term) {
        /* The term in which it was received was not on disk yet, and so nothing promised in it. */
        raft->term = snapshot->term;
        raft->vote = 0;
        raft->vote_directory = 0;
        raft->dirty_hard_state = true;
    }
    membership_replace(raft, snapshot->members_index, snapshot->members);
    if (!meets_snapshot(start)) {
        log_reset(&raft->log, snapshot->index, snapshot->term);
        persist_reset(raft);
        raft->compact_to = snapshot->index;
        return start->entry_count;
    }
    uint64_t used = start->first_index > 1 && start->first_index <= snapshot->index ? 1 : 0;
    uint64_t base = start->first_index - 1 + used;
    log_reset(&raft->log, base, used == 1 ? start->entries[0].term : base > 0 ? snapshot->term : 0);
    raft->compact_to = base;
    return used;
}

static bool load_log(struct raft *raft, const struct raft_start *start)
{
    uint64_t i = start->snapshot.index > 0 ? load_base(raft, start) : 0;
    for (; i < start->entry_count; i++) {
        log_append(&raft->log, &start->entries[i]);
        if (raft_entry_kind(&start->entries[i]) == RAFT_ENTRY_CONFIGURATION &&
            raft->log.last_index > start->snapshot.index &&
            !membership_appended(raft, raft->log.last_index)) {
            return false;
        }
    }
    raft->durable = raft->log.last_index;
    return true;
}

void raft_rekey(struct raft *raft, uint64_t seed)
{
    raft->random.state = seed;
}

struct raft *raft_new(const struct raft_options *options, const struct raft_start *start,
                      int64_t now_ns, const char **problem)
{
    const char *wrong = options_problem(options);
    if (wrong == NULL) {
        wrong = start_problem(start);
    }
    if (wrong == NULL && now_ns < 0) {
        wrong = "the time must not be below 0";
    }
    if (wrong != NULL) {
        *problem = wrong;
        return NULL;
    }
    struct raft *raft = memory_new_zeroed(1, sizeof *raft);
    raft->options = *options;
    raft_rekey(raft, options->seed);
    raft->now_ns = now_ns;
    raft->term = start->term;
    raft->vote = start->vote;
    raft->vote_directory = start->vote_directory;
    raft->self = -1;
    membership_put_first(raft, start->first_members);
    if (!load_log(raft, start)) {
        *problem = "a configuration in the log does not decode";
        raft_free(raft);
        return NULL;
    }
    transfer_reset(raft);
    raft_become_passive(raft);
    election_draw_timeout(raft);
    if (start->term > 0) {
        lease_promise(raft); /* it may have heard a leader just before it ended */
    }
    update_begin(raft);
    return raft;
}
