/*
 * election: time-outs, pre-votes and votes (paper 5.2, 5.4.1; dissertation 4.2.3, 9.6), and the
 * one place where role, term and vote change together.
 *
 * It never clears a vote while the term stays, and never counts its own vote before that is on
 * disk.
 */
#include "raft/internal.h"

void election_draw_timeout(struct raft *raft)
{
    const struct raft_options *options = &raft->options;
    bool at_minimum = random_chance(&raft->random, options->election_collisions);
    int64_t drawn = random_between(&raft->random, options->election_timeout_min_ns,
                                   options->election_timeout_max_ns);
    raft->election_timeout_ns = at_minimum ? options->election_timeout_min_ns : drawn;
    raft->election_deadline_ns = time_after(raft->now_ns, raft->election_timeout_ns);
}

void election_heard_leader(struct raft *raft)
{
    raft->heard_leader_ns = raft->now_ns;
    raft->election_deadline_ns = time_after(raft->now_ns, raft->election_timeout_ns);
    lease_promise(raft);
}

static void forget_votes(struct raft *raft)
{
    for (uint32_t i = 0; i < raft->peer_count; i++) {
        raft->peers[i].vote = VOTE_NO_ANSWER;
    }
}

static void give_vote(struct raft *raft, uint64_t id, uint64_t directory)
{
    raft->vote = id;
    raft->vote_directory = directory;
    raft->dirty_hard_state = true;
}

static void enter_term(struct raft *raft, uint64_t term)
{
    ensure(term > raft->term);
    raft->term = term;
    give_vote(raft, 0, 0);
}

static void set_leader(struct raft *raft, uint64_t id, uint64_t directory)
{
    raft->leader = id;
    raft->leader_directory = directory;
}

void election_become_follower(struct raft *raft, uint64_t term)
{
    ensure(term >= raft->term);
    bool was_passive = raft->role == RAFT_FOLLOWER || raft->role == RAFT_LEARNER;
    bool led = raft->role == RAFT_LEADER;
    if (term > raft->term) {
        enter_term(raft, term);
    }
    raft_become_passive(raft);
    set_leader(raft, 0, 0);
    if (led) {
        replication_stop(raft);
    }
    if (!was_passive) {
        forget_votes(raft);
        election_draw_timeout(raft);
    }
}

void election_stop_campaign(struct raft *raft)
{
    if (raft->role == RAFT_CANDIDATE || raft->role == RAFT_PRE_CANDIDATE) {
        election_become_follower(raft, raft->term);
    }
}

void election_follow(struct raft *raft, const struct raft_message *message)
{
    ensure(message->from != raft->options.id);
    election_become_follower(raft, message->term);
    set_leader(raft, message->from, message->from_directory);
    election_heard_leader(raft);
}

/* ---- a candidate ---------------------------------------------------------------------------- */

static void ask_voters(struct raft *raft, enum raft_message_kind kind, uint64_t term, bool force)
{
    for (uint32_t i = 0; i < raft->peer_count; i++) {
        const struct peer *peer = &raft->peers[i];
        if ((!peer->voter && !peer->voter_old) || raft_has_own_id(raft, peer)) {
            continue;
        }
        /* A vote request promises our own vote and our log's end: both are on disk before it
         * leaves, or a restart could campaign again in this term with a shorter log. */
        struct raft_message *message = kind == RAFT_VOTE
                                           ? update_message_after(raft, kind, peer->id)
                                           : update_message(raft, kind, peer->id);
        message->term = term;
        message->prev_index = raft->log.last_index;
        message->prev_term = raft->log.last_term;
        message->force = force;
    }
}

static void become_leader(struct raft *raft)
{
    ensure(raft->role == RAFT_CANDIDATE &&
           raft_voted_for(raft, raft->options.id, raft->options.directory));
    raft->role = RAFT_LEADER;
    set_leader(raft, raft->options.id, raft->options.directory);
    replication_start(raft);
}

/* Paper 5.2: raise the term, vote for itself, ask the others. */
static void campaign(struct raft *raft, bool force)
{
    enter_term(raft, raft->term + 1);
    give_vote(raft, raft->options.id, raft->options.directory);
    raft->role = RAFT_CANDIDATE;
    set_leader(raft, 0, 0);
    raft->update.voted = true;
    forget_votes(raft);
    election_draw_timeout(raft);
    raft->vote_sequence = raft->persist_sequence + 1; /* this step's persist */
    ask_voters(raft, RAFT_VOTE, raft->term, force);
}

static void judge_pre_votes(struct raft *raft)
{
    switch (membership_judge_votes(raft)) {
    case QUORUM_WON:
        campaign(raft, false);
        break;
    case QUORUM_LOST:
        election_become_follower(raft, raft->term);
        break;
    case QUORUM_PENDING:
        break;
    }
}

/* Dissertation 9.6: ask whether an election could be won, before the term is raised. */
static void pre_campaign(struct raft *raft)
{
    raft->role = RAFT_PRE_CANDIDATE;
    set_leader(raft, 0, 0);
    forget_votes(raft);
    election_draw_timeout(raft);
    if (raft->self >= 0) {
        raft->peers[raft->self].vote = VOTE_GRANTED;
    }
    if (membership_judge_votes(raft) == QUORUM_WON) {
        campaign(raft, false);
        return;
    }
    ask_voters(raft, RAFT_PRE_VOTE, raft->term + 1, false);
}

void election_timeout(struct raft *raft, bool force)
{
    if (raft->role == RAFT_LEADER || raft->role == RAFT_LEARNER) {
        return;
    }
    ensure(membership_may_campaign(raft));
    if (lease_is_promised(raft)) {
        raft->update.refusal = RAFT_PROMISED;
    } else if (raft->options.pre_vote && !force) {
        pre_campaign(raft);
    } else {
        campaign(raft, force && !raft->options.lease_reads);
    }
}

/* Its leader has no lease any more, so that the promise binds neither it nor the voters. */
void election_told(struct raft *raft)
{
    ensure(raft->role == RAFT_FOLLOWER && membership_may_campaign(raft));
    campaign(raft, true);
}

/* The disk has done nothing since before the timer was last set. (A clock that has jumped makes
 * what was just written look old.) */
static bool waits_for_disk(const struct raft *raft)
{
    return raft->options.check_quorum && persist_hangs(raft) &&
           ring_at(&raft->marks, 0)->handed_out_ns <
               raft->election_deadline_ns - raft->election_timeout_ns;
}

void election_timer(struct raft *raft)
{
    if (waits_for_disk(raft)) {
        election_stop_campaign(raft);
        election_draw_timeout(raft);
    } else {
        election_timeout(raft, false);
    }
}

static void judge_votes(struct raft *raft)
{
    switch (membership_judge_votes(raft)) {
    case QUORUM_WON:
        become_leader(raft);
        break;
    case QUORUM_LOST:
        election_become_follower(raft, raft->term);
        break;
    case QUORUM_PENDING:
        break;
    }
}

void election_persisted(struct raft *raft)
{
    if (raft->role != RAFT_CANDIDATE || raft->self < 0 ||
        raft->persisted_sequence < raft->vote_sequence ||
        raft->peers[raft->self].vote != VOTE_NO_ANSWER) {
        return;
    }
    raft->peers[raft->self].vote = VOTE_GRANTED;
    judge_votes(raft);
}

void election_handle_vote_response(struct raft *raft, const struct raft_message *message)
{
    bool pre = message->kind == RAFT_PRE_VOTE_RESPONSE;
    if (raft->role != (pre ? RAFT_PRE_CANDIDATE : RAFT_CANDIDATE)) {
        return;
    }
    /* A granted pre-vote names the term that was asked about; a refusal the responder's own, which
     * may be lower than ours and still counts. */
    if (pre ? !message->reject && message->term != raft->term + 1 : message->term != raft->term) {
        return;
    }
    struct peer *peer = raft_find_peer(raft, message->from);
    if (peer == NULL || peer->vote != VOTE_NO_ANSWER) {
        return;
    }
    peer->vote = message->reject ? VOTE_REJECTED : VOTE_GRANTED;
    if (pre) {
        judge_pre_votes(raft);
    } else {
        judge_votes(raft);
    }
}

/* ---- a voter -------------------------------------------------------------------------------- */

/* Paper 5.4.1: the later last term wins, then the longer log. */
static bool is_up_to_date(const struct raft *raft, const struct raft_message *message)
{
    if (message->prev_term != raft->log.last_term) {
        return message->prev_term > raft->log.last_term;
    }
    return message->prev_index >= raft->log.last_index;
}

/* Whether a leader is alive as far as we know: heard within the smallest election timeout, or where
 * time-outs never fire by themselves, within a few heartbeats. */
static bool has_live_leader(const struct raft *raft)
{
    if (raft->role == RAFT_LEADER) {
        return true;
    }
    return raft->leader != 0 && raft->now_ns - raft->heard_leader_ns < lease_promise_ns(raft);
}

static bool is_listed(const struct raft *raft, uint64_t id, uint64_t directory)
{
    const struct raft_member *member = raft_configuration_find(raft_members(raft), id);
    return member != NULL && (member->directory == 0 || member->directory == directory);
}

/* Whoever asks about the term after next has seen a later term than ours, and our leader is that of
 * an earlier one: it may be this server, cut off for long, which nothing else deposes where leaders
 * do not look for their quorum. */
static bool is_outlived(const struct raft *raft, const struct raft_message *message)
{
    return message->kind == RAFT_PRE_VOTE && !raft->options.check_quorum &&
           message->term > raft->term + 1;
}

/* Dissertation 4.2.3: who has a live leader does not help to depose it, nor who has promised it,
 * whatever it has learned since. Only a member may be told by its leader to campaign at once. */
bool election_holds_back(const struct raft *raft, const struct raft_message *message)
{
    bool is_told = message->force && is_listed(raft, message->from, message->from_directory);
    if (is_told || (message->kind == RAFT_VOTE && !raft->options.check_quorum)) {
        return false;
    }
    return (has_live_leader(raft) && !is_outlived(raft, message)) || lease_is_promised(raft);
}

/* Who leads need not be listed in a configuration that is behind. But where a member leads, it is
 * either no leader at all, or heard once that member has fallen silent. */
bool election_is_outsider(const struct raft *raft, const struct raft_message *message)
{
    return raft->options.check_quorum && message->term > raft->term && has_live_leader(raft) &&
           is_listed(raft, raft->leader, raft->leader_directory) &&
           !is_listed(raft, message->from, message->from_directory);
}

void election_handle_pre_vote(struct raft *raft, const struct raft_message *message)
{
    bool grant = message->term > raft->term && is_up_to_date(raft, message);
    struct raft_message *answer = update_answer(raft, RAFT_PRE_VOTE_RESPONSE, message);
    answer->reject = !grant;
    answer->term = grant ? message->term : raft->term;
    ensure(answer->term > 0); /* with an empty log nothing is refused in term 0 */
}

/* A learner, or a server that is in no configuration it knows, votes as well: it may be a voter in
 * one that it has not seen. So is a stranger answered. The vote is that server's: another disk
 * under the same id does not have it. */
void election_handle_vote(struct raft *raft, const struct raft_message *message)
{
    ensure(message->term <= raft->term);
    bool has_it = raft_voted_for(raft, message->from, message->from_directory);
    bool grant =
        message->term == raft->term && (raft->vote == 0 || has_it) && is_up_to_date(raft, message);
    if (!grant) {
        update_answer(raft, RAFT_VOTE_RESPONSE, message)->reject = true;
        return;
    }
    if (raft->vote == 0) {
        ensure(raft->role == RAFT_FOLLOWER || raft->role == RAFT_LEARNER ||
               raft->role == RAFT_PRE_CANDIDATE);
        give_vote(raft, message->from, message->from_directory);
        raft->update.voted = true;
    }
    if (raft->role == RAFT_PRE_CANDIDATE) {
        election_become_follower(raft, raft->term);
    }
    election_draw_timeout(raft);
    (void)update_promise(raft, RAFT_VOTE_RESPONSE, message, raft->log.last_index);
}
