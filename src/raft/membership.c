/*
 * membership: which configuration is in force, and changes by joint consensus (paper, section 6;
 * dissertation 4.3). A configuration takes effect when it is appended and is rolled back when it is
 * truncated, so those that are not committed are kept beside the last one that is.
 *
 * It never starts a change while one is under way, nor before an entry of the leader's own term
 * has committed.
 */
#include "raft/internal.h"

#include <string.h>

const struct members_record *membership_in_force(const struct raft *raft)
{
    ensure(raft->records.count > 0);
    return &raft->records.items[raft->records.count - 1];
}

/* ---- peers follow the configuration --------------------------------------------------------- */

/* A configuration may list one of the first members before its leader has met it: that is still the
 * member. Another server of its id is added by its directory, and is not meant. */
static bool is_self(const struct raft *raft, uint64_t directory)
{
    return directory == raft->options.directory || (directory == 0 && raft->is_first_member);
}

bool raft_is_listed(const struct raft *raft, const struct raft_configuration *configuration)
{
    const struct raft_member *member = raft_configuration_find(configuration, raft->options.id);
    return member != NULL && is_self(raft, member->directory);
}

static void find_self(struct raft *raft)
{
    raft->self = -1;
    for (uint32_t i = 0; i < raft->peer_count; i++) {
        const struct peer *peer = &raft->peers[i];
        if (raft_has_own_id(raft, peer) && is_self(raft, peer->directory)) {
            raft->self = (int32_t)i;
        }
    }
}

static void fill_member(struct raft *raft, struct peer *peer, const struct raft_member *member,
                        uint64_t index)
{
    bool another = peer->directory != 0 && peer->directory != member->directory;
    bool fresh = peer->id == 0 || peer->leaving_index != 0 || another;
    peer->id = member->id;
    peer->directory = member->directory;
    peer->voter = member->voter;
    peer->voter_old = member->voter_old;
    peer->leaving_index = 0;
    peer->leaving_deadline_ns = RAFT_NEVER;
    if (fresh) {
        /* One that comes, or comes back perhaps with another disk: nothing is known of it. It is
         * sent the entry that brings it. */
        progress_reset(peer, index > 0 ? index : 1);
        peer->met = 0;
        peer->vote = VOTE_NO_ANSWER;
        peer->heard_ns = (uint64_t)raft->now_ns;
    }
    if (raft_has_own_id(raft, peer) && is_self(raft, peer->directory)) {
        peer->met = raft->options.directory;
    }
}

/* A server that the configuration lacks: a leader tells it a while longer. */
static bool fill_leaving(const struct raft *raft, struct peer *peer, uint64_t index)
{
    ensure(peer != NULL);
    if (raft->role != RAFT_LEADER || peer->id == raft->options.id) {
        return false;
    }
    peer->voter = false;
    peer->voter_old = false;
    if (peer->leaving_index == 0) {
        peer->leaving_index = index;
        peer->leaving_deadline_ns = RAFT_NEVER;
    }
    return true;
}

/* Merges the members in force and the peers so far, both sorted by id. */
static void rebuild_peers(struct raft *raft)
{
    const struct members_record *record = membership_in_force(raft);
    const struct raft_configuration *configuration = &record->configuration;
    uint32_t most = configuration->count + raft->peer_count;
    struct peer *peers = memory_new_zeroed(most, sizeof *peers);
    uint32_t count = 0;
    uint32_t i = 0;
    uint32_t j = 0;
    raft->unknown_directories = 0;
    while (i < configuration->count || j < raft->peer_count) {
        const struct raft_member *member =
            i < configuration->count ? &configuration->members[i] : NULL;
        struct peer *known = j < raft->peer_count ? &raft->peers[j] : NULL;
        if (member != NULL && (known == NULL || member->id <= known->id)) {
            if (known != NULL && known->id == member->id) {
                peers[count] = *known;
                j++;
            }
            fill_member(raft, &peers[count++], member, record->index);
            raft->unknown_directories += member->directory == 0 ? 1U : 0U;
            i++;
        } else if (fill_leaving(raft, known, record->index)) {
            peers[count++] = *known;
            j++;
        } else {
            progress_free(known);
            j++;
        }
    }
    memory_free(raft->peers);
    raft->peers = peers;
    raft->peer_count = count;
    raft->scratch = memory_resize(raft->scratch, 2 * (size_t)count * sizeof *raft->scratch);
    find_self(raft);
}

/* The configuration in force is another one. */
static void changed(struct raft *raft)
{
    rebuild_peers(raft);
    raft->update.members_changed = true;
    transfer_members_changed(raft);
    if (raft->role == RAFT_FOLLOWER || raft->role == RAFT_LEARNER) {
        raft_become_passive(raft);
    }
}

void membership_drop_leaving(struct raft *raft, bool all)
{
    uint32_t kept = 0;
    raft->leaving_deadline_ns = RAFT_NEVER;
    for (uint32_t i = 0; i < raft->peer_count; i++) {
        struct peer *peer = &raft->peers[i];
        if (peer->leaving_index != 0 && (all || peer->commit_known >= peer->leaving_index ||
                                         (peer->leaving_deadline_ns != RAFT_NEVER &&
                                          raft->now_ns >= peer->leaving_deadline_ns))) {
            progress_free(peer);
            continue;
        }
        if (peer->leaving_index != 0 && peer->leaving_deadline_ns < raft->leaving_deadline_ns) {
            raft->leaving_deadline_ns = peer->leaving_deadline_ns;
        }
        raft->peers[kept++] = *peer;
    }
    raft->peer_count = kept;
    find_self(raft);
}

/* ---- the history of configurations ---------------------------------------------------------- */

static void push_record(struct raft *raft, uint64_t index,
                        const struct raft_configuration *configuration)
{
    *array_push(&raft->records) =
        (struct members_record){.index = index, .configuration = *configuration};
    changed(raft);
}

void membership_put_first(struct raft *raft, const struct raft_configuration *configuration)
{
    ensure(raft->records.count == 0);
    struct raft_configuration copy;
    memset(&copy, 0, sizeof copy);
    if (configuration != NULL) {
        raft_configuration_copy(&copy, configuration);
        raft_configuration_claim(&copy, raft->options.id, raft->options.directory);
        raft->is_first_member =
            raft_configuration_lists(&copy, raft->options.id, raft->options.directory);
    }
    push_record(raft, 0, &copy);
}

/* A server that its latest configuration leaves out still starts elections until that is known to
 * be committed: it may be the only one that can finish the change (dissertation 4.2.2). */
bool membership_may_campaign(const struct raft *raft)
{
    if (raft_votes(raft)) {
        return true;
    }
    if (raft->records.count < 2 || membership_in_force(raft)->index <= raft->commit) {
        return false;
    }
    const struct raft_member *member = raft_configuration_find(
        &raft->records.items[raft->records.count - 2].configuration, raft->options.id);
    return member != NULL && is_self(raft, member->directory) &&
           (member->voter || member->voter_old);
}

bool membership_appended(struct raft *raft, uint64_t index)
{
    ensure(index > membership_in_force(raft)->index);
    struct raft_configuration configuration;
    if (!raft_configuration_decode(raft_entry_payload(log_at(&raft->log, index)), &configuration)) {
        return false;
    }
    if (configuration_problem(&configuration) != NULL) {
        raft_configuration_free(&configuration);
        return false;
    }
    push_record(raft, index, &configuration);
    return true;
}

void membership_truncated(struct raft *raft, uint64_t from)
{
    size_t count = raft->records.count;
    while (raft->records.items[raft->records.count - 1].index >= from) {
        raft_configuration_free(&raft->records.items[--raft->records.count].configuration);
        ensure(raft->records.count > 0);
    }
    if (raft->records.count != count) {
        changed(raft);
    }
}

static size_t position_at(const struct raft *raft, uint64_t index)
{
    size_t position = raft->records.count - 1;
    while (position > 0 && raft->records.items[position].index > index) {
        position--;
    }
    return position;
}

const struct members_record *membership_at(const struct raft *raft, uint64_t index)
{
    const struct members_record *record = &raft->records.items[position_at(raft, index)];
    ensure(record->index <= index);
    return record;
}

void membership_forget(struct raft *raft, uint64_t index)
{
    size_t old = position_at(raft, index);
    for (size_t i = 0; i < old; i++) {
        raft_configuration_free(&raft->records.items[i].configuration);
    }
    array_remove(&raft->records, 0, old);
}

void membership_replace(struct raft *raft, uint64_t index,
                        const struct raft_configuration *configuration)
{
    struct raft_configuration copy; /* it may be one of those that go */
    raft_configuration_copy(&copy, configuration);
    for (size_t i = 0; i < raft->records.count; i++) {
        raft_configuration_free(&raft->records.items[i].configuration);
    }
    raft->records.count = 0;
    push_record(raft, index, &copy);
}

/* ---- quorums of the configuration in force -------------------------------------------------- */

uint64_t membership_agreed(const struct raft *raft, size_t offset)
{
    uint64_t *in_new = raft->scratch;
    uint64_t *in_old = raft->scratch + raft->peer_count;
    uint32_t count_new = 0;
    uint32_t count_old = 0;
    for (uint32_t i = 0; i < raft->peer_count; i++) {
        const struct peer *peer = &raft->peers[i];
        uint64_t value = 0;
        memcpy(&value, (const char *)peer + offset, sizeof value);
        if (peer->voter) {
            in_new[count_new++] = value;
        }
        if (peer->voter_old) {
            in_old[count_old++] = value;
        }
    }
    uint64_t agreed_new = quorum_agreed(in_new, count_new);
    uint64_t agreed_old = quorum_agreed(in_old, count_old);
    return agreed_new < agreed_old ? agreed_new : agreed_old;
}

enum quorum_verdict membership_judge_votes(const struct raft *raft)
{
    uint32_t voters[2] = {0, 0};
    uint32_t granted[2] = {0, 0};
    uint32_t rejected[2] = {0, 0};
    for (uint32_t i = 0; i < raft->peer_count; i++) {
        const struct peer *peer = &raft->peers[i];
        for (int set = 0; set < 2; set++) {
            if (set == 0 ? peer->voter : peer->voter_old) {
                voters[set]++;
                granted[set] += peer->vote == VOTE_GRANTED ? 1U : 0U;
                rejected[set] += peer->vote == VOTE_REJECTED ? 1U : 0U;
            }
        }
    }
    return quorum_judge_joint(quorum_judge(voters[0], granted[0], rejected[0]),
                              quorum_judge(voters[1], granted[1], rejected[1]));
}

/* ---- changes -------------------------------------------------------------------------------- */

uint64_t membership_append(struct raft *raft, const struct raft_configuration *configuration)
{
    struct buffer bytes = {NULL, 0, 0};
    raft_configuration_encode(configuration, &bytes);
    struct raft_entry entry = {0, batch_copy(NULL, bytes.data, bytes.size), 0,
                               raft_entry_pack((uint32_t)bytes.size, RAFT_ENTRY_CONFIGURATION)};
    buffer_free(&bytes);
    uint64_t index = replication_append(raft, &entry, 1);
    batch_release(entry.batch); /* the log holds its own */
    bool decoded = membership_appended(raft, index);
    ensure(decoded);
    return index;
}

/* Fills in the directories that are not known yet, from the hellos of those servers. */
static void fill_known_directories(struct raft *raft, struct raft_configuration *configuration)
{
    for (uint32_t i = 0; i < configuration->count; i++) {
        struct raft_member *member = &configuration->members[i];
        const struct peer *peer = raft_find_peer(raft, member->id);
        if (member->directory == 0 && peer != NULL && peer->leaving_index == 0) {
            member->directory = peer->met;
        }
    }
}

static void append_final(struct raft *raft)
{
    struct raft_configuration final;
    configuration_make_final(&membership_in_force(raft)->configuration, &final);
    fill_known_directories(raft, &final);
    (void)membership_append(raft, &final);
    raft_configuration_free(&final);
}

/* A leader that is no longer a voter sends the last commit index, hands over and steps down
 * (dissertation 4.2.2). */
static void step_down_after_removal(struct raft *raft)
{
    for (uint32_t i = 0; i < raft->peer_count; i++) {
        if (!raft_has_own_id(raft, &raft->peers[i])) {
            replication_send_last_commit(raft, &raft->peers[i]);
        }
    }
    transfer_before_leaving(raft);
    election_become_follower(raft, raft->term);
}

static void set_leaving_deadlines(struct raft *raft)
{
    for (uint32_t i = 0; i < raft->peer_count; i++) {
        struct peer *peer = &raft->peers[i];
        if (peer->leaving_index != 0 && peer->leaving_index <= raft->commit &&
            peer->leaving_deadline_ns == RAFT_NEVER) {
            peer->leaving_deadline_ns =
                time_after(raft->now_ns, raft->options.election_timeout_max_ns);
            if (peer->leaving_deadline_ns < raft->leaving_deadline_ns) {
                raft->leaving_deadline_ns = peer->leaving_deadline_ns;
            }
        }
    }
}

void membership_committed(struct raft *raft)
{
    struct members_record *record = &raft->records.items[raft->records.count - 1];
    record->fill = record->fill && record->index > raft->commit;
    if (raft->role != RAFT_LEADER) {
        ensure(raft->role == RAFT_FOLLOWER || raft->role == RAFT_LEARNER);
        raft_become_passive(raft); /* what removed it may have become certain */
        return;
    }
    set_leaving_deadlines(raft);
    if (record->index > raft->commit) {
        return;
    }
    if (record->configuration.joint) {
        append_final(raft); /* the leader finishes the change */
    } else if (record->configuration.preparing) {
        catch_up_finish(raft);
    } else if (!raft_votes(raft)) {
        step_down_after_removal(raft);
    }
}

/* A change that moves no quorum needs no joint phase, and once this leader has committed in its
 * term, no further one has to wait for it. All that are known go together: a heartbeat's interval
 * is waited for those whose answer is still to come. */
void membership_fill_directories(struct raft *raft)
{
    const struct members_record *record = membership_in_force(raft);
    if (raft->commit < raft->term_start || record->index > raft->commit ||
        record->configuration.joint) {
        return;
    }
    uint32_t met = 0;
    for (uint32_t i = 0; i < raft->peer_count; i++) {
        const struct peer *peer = &raft->peers[i];
        met += peer->leaving_index == 0 && peer->directory == 0 && peer->met != 0 ? 1U : 0U;
    }
    if (met == 0 || (met < raft->unknown_directories && raft->heartbeat_round == 0)) {
        return;
    }
    struct raft_configuration filled;
    raft_configuration_copy(&filled, &record->configuration);
    fill_known_directories(raft, &filled);
    (void)membership_append(raft, &filled);
    raft->records.items[raft->records.count - 1].fill = true;
    raft_configuration_free(&filled);
}

static enum raft_refusal change_refusal(const struct raft *raft,
                                        const struct raft_configuration *wanted)
{
    if (raft->role != RAFT_LEADER) {
        return RAFT_NOT_LEADER;
    }
    if (transfer_is_under_way(raft)) {
        return RAFT_TRANSFERRING;
    }
    if (wanted->joint || configuration_problem(wanted) != NULL) {
        return RAFT_BAD_CONFIGURATION;
    }
    const struct members_record *record = membership_in_force(raft);
    if (wanted->count + record->configuration.count > RAFT_MEMBERS_MAX) {
        return RAFT_BAD_CONFIGURATION; /* no joint one could hold both */
    }
    /* Without an entry of its own term it may not know of a change that is under way, nor that one
     * which it knows of is over. */
    if (raft->commit < raft->term_start) {
        return RAFT_NOT_READY;
    }
    bool pending = record->configuration.joint || record->configuration.preparing ||
                   (record->index > raft->commit && !record->fill);
    return pending ? RAFT_MEMBERSHIP_PENDING : RAFT_ACCEPTED;
}

/* Who stays is the server that it was, whatever was asked for: another one in its place would move
 * a quorum unseen. false: another one was asked for by its directory. */
static bool keep_directories(const struct raft_configuration *present,
                             struct raft_configuration *wanted)
{
    for (uint32_t i = 0; i < wanted->count; i++) {
        struct raft_member *member = &wanted->members[i];
        const struct raft_member *known = raft_configuration_find(present, member->id);
        if (known == NULL) {
            continue;
        }
        if (member->directory != 0 && known->directory != member->directory) {
            return false;
        }
        member->directory = known->directory;
    }
    return true;
}

static void append_change(struct raft *raft, const struct raft_configuration *wanted,
                          bool bring_level)
{
    const struct raft_configuration *present = &membership_in_force(raft)->configuration;
    if (configuration_same_voters(present, wanted)) {
        raft->update.index = membership_append(raft, wanted);
        return;
    }
    struct raft_configuration first;
    if (bring_level && catch_up_is_needed(raft, wanted)) {
        configuration_make_preparing(present, wanted, &first);
    } else {
        configuration_make_joint(present, wanted, &first);
    }
    raft->update.index = membership_append(raft, &first);
    raft_configuration_free(&first);
    catch_up_begin(raft);
}

void membership_change(struct raft *raft, const struct raft_configuration *wanted)
{
    ensure(wanted != NULL);
    struct raft_configuration exact;
    raft_configuration_copy(&exact, wanted);
    exact.preparing = false;
    raft->update.refusal = change_refusal(raft, &exact);
    if (raft->update.refusal == RAFT_ACCEPTED &&
        !keep_directories(&membership_in_force(raft)->configuration, &exact)) {
        raft->update.refusal = RAFT_BAD_CONFIGURATION;
    }
    if (raft->update.refusal == RAFT_ACCEPTED) {
        fill_known_directories(raft, &exact);
        append_change(raft, &exact, wanted->preparing);
    }
    raft_configuration_free(&exact);
}
