/*
 * catch_up: before servers become voters they are brought level, as learners (dissertation 4.2.1),
 * so that a change of members does not make a majority wait for an empty log, and a server that
 * never comes up stalls nobody.
 *
 *     members --> preparing --> joint --> final       all are level
 *                     |
 *                     +-------> the former members    one did not come level in time
 *
 * What is wanted stands in the configuration that prepares it, so that every leader goes on with
 * it. It moves no quorum: until the joint one the voters are those of before.
 */
#include "raft/internal.h"

#define ROUNDS_MAX 10 /* who is not level after so many will not be */
#define WAITS_SILENT_MAX                                                                           \
    10 /* so often a leader's wait for a server, without anything new from it */

static const struct raft_configuration *preparing(const struct raft *raft)
{
    const struct raft_configuration *members = &membership_in_force(raft)->configuration;
    return members->preparing ? members : NULL;
}

/* A voter to be, other than this leader itself. */
static bool is_coming(const struct raft *raft, const struct raft_member *member)
{
    return member->next_voter && !member->voter && member->id != raft->options.id;
}

bool catch_up_is_needed(struct raft *raft, const struct raft_configuration *wanted)
{
    const struct raft_configuration *present = raft_members(raft);
    for (uint32_t i = 0; i < wanted->count; i++) {
        const struct raft_member *member = &wanted->members[i];
        const struct raft_member *known = raft_configuration_find(present, member->id);
        if (!member->voter || member->id == raft->options.id || (known != NULL && known->voter)) {
            continue;
        }
        const struct peer *peer = known != NULL ? raft_find_peer(raft, member->id) : NULL;
        if (peer == NULL || peer->match < raft->commit || !replication_hears(raft, peer)) {
            return true;
        }
    }
    return false;
}

/* ---- rounds --------------------------------------------------------------------------------- */

static void begin_round(const struct raft *raft, struct peer *peer)
{
    peer->catch_up.round_end = raft->log.last_index;
    peer->catch_up.round_ns = raft->now_ns;
}

void catch_up_begin(struct raft *raft)
{
    bool is_under_way = preparing(raft) != NULL;
    for (uint32_t i = 0; is_under_way && i < raft->peer_count; i++) {
        struct peer *peer = &raft->peers[i];
        peer->catch_up = (struct catch_up){.match = peer->match, .moved_ns = raft->now_ns};
        begin_round(raft, peer);
    }
}

/* What was written during a round that took no longer than an election time-out is brought before
 * anybody notices. */
static void judge_round(const struct raft *raft, struct peer *peer)
{
    struct catch_up *catch_up = &peer->catch_up;
    if (catch_up->level || peer->match < catch_up->round_end) {
        return;
    }
    if (raft->now_ns - catch_up->round_ns < transfer_bound_ns(raft)) {
        catch_up->level = true;
    } else if (++catch_up->rounds < ROUNDS_MAX) {
        begin_round(raft, peer);
    }
}

static void note_move(const struct raft *raft, struct peer *peer)
{
    struct catch_up *catch_up = &peer->catch_up;
    uint64_t written = peer->state == PROGRESS_SNAPSHOT ? peer->snapshot_written : 0;
    if (peer->match != catch_up->match || written != catch_up->written) {
        catch_up->match = peer->match;
        catch_up->written = written;
        catch_up->moved_ns = raft->now_ns;
    }
}

/* Whether it is no use to wait for it any longer. */
static bool is_hopeless(const struct raft *raft, const struct peer *peer)
{
    const struct catch_up *catch_up = &peer->catch_up;
    int64_t wait_ns = transfer_bound_ns(raft);
    /* Once all of a snapshot is sent, its disk and what verifies it take their time. */
    bool installs = peer->state == PROGRESS_SNAPSHOT && peer->snapshot_sent == peer->snapshot_size;
    bool counts_as_moving = catch_up->level || installs;
    int64_t since_ns = counts_as_moving ? (int64_t)peer->heard_ns : catch_up->moved_ns;
    return catch_up->rounds >= ROUNDS_MAX ||
           (raft->now_ns - since_ns) / WAITS_SILENT_MAX >= wait_ns;
}

/* ---- what comes of it ----------------------------------------------------------------------- */

/* A leader appends the next configuration only once the one before is committed, in its term. */
static bool may_go_on(const struct raft *raft)
{
    return raft->role == RAFT_LEADER && membership_in_force(raft)->index <= raft->commit &&
           raft->commit >= raft->term_start && !transfer_is_under_way(raft);
}

static void change(struct raft *raft, const struct raft_configuration *members)
{
    struct raft_configuration wanted;
    struct raft_configuration joint;
    configuration_make_wanted(members, &wanted);
    configuration_make_joint(members, &wanted, &joint);
    (void)membership_append(raft, &joint);
    raft_configuration_free(&joint);
    raft_configuration_free(&wanted);
}

static void give_up(struct raft *raft, const struct raft_configuration *members)
{
    struct raft_configuration former;
    configuration_make_former(members, &former);
    (void)membership_append(raft, &former);
    raft_configuration_free(&former);
}

void catch_up_finish(struct raft *raft)
{
    const struct raft_configuration *members = preparing(raft);
    if (members == NULL || !may_go_on(raft)) {
        return;
    }
    for (uint32_t i = 0; i < members->count; i++) {
        const struct raft_member *member = &members->members[i];
        const struct peer *peer = raft_find_peer(raft, member->id);
        if (is_coming(raft, member) && (!peer->catch_up.level || !replication_hears(raft, peer))) {
            return;
        }
    }
    change(raft, members);
}

void catch_up_progressed(struct raft *raft, uint64_t id)
{
    const struct raft_configuration *members = preparing(raft);
    const struct raft_member *member =
        members != NULL ? raft_configuration_find(members, id) : NULL;
    if (member != NULL && is_coming(raft, member)) {
        struct peer *peer = raft_find_peer(raft, id);
        note_move(raft, peer);
        judge_round(raft, peer);
        catch_up_finish(raft);
    }
}

void catch_up_tick(struct raft *raft)
{
    const struct raft_configuration *members = preparing(raft);
    if (members == NULL || !may_go_on(raft)) {
        return;
    }
    for (uint32_t i = 0; i < members->count; i++) {
        const struct raft_member *member = &members->members[i];
        struct peer *peer = raft_find_peer(raft, member->id);
        if (!is_coming(raft, member)) {
            continue;
        }
        note_move(raft, peer);
        if (is_hopeless(raft, peer)) {
            give_up(raft, members);
            return;
        }
    }
    catch_up_finish(raft);
}
