/*
 * majorities: what needs more than half of the voters, and of both sets while joint: a leader's
 * votes (paper, 5.2), what it commits by counting (5.3), the reads that it confirms (dissertation
 * 6.4). Judged when the node acts on it, by the configuration in force in its own log.
 *
 * It counts votes, disks and answers from the events that tell of them, never from what the node
 * believes to have counted. Where the configuration is not known nothing is judged.
 */
#include "check/internal.h"

#include <inttypes.h>

/* ---- counting ------------------------------------------------------------------------------- */

/* What each voter is asked. */
struct question {
    const struct checker *checker;
    const struct check_node *node; /* who acts */
    struct term *term;             /* of the entry, or of the votes */
    uint64_t index;                /* of the entry, or the round of reads, or the time */
    bool (*says_yes)(const struct question *question, struct server voter);
};

struct tally {
    uint32_t voters;
    uint32_t yes;
};

static struct server listed(const struct raft_member *member)
{
    return (struct server){member->id, member->directory};
}

/* Whether that is who is listed; where a directory is not known yet its id alone tells. */
static bool is_listed(struct server listed, struct server server)
{
    return listed.id == server.id &&
           (listed.directory == 0 || listed.directory == server.directory);
}

static struct tally count(const struct question *question, const struct raft_configuration *members,
                          bool old_set)
{
    struct tally tally = {0, 0};
    for (uint32_t i = 0; i < members->count; i++) {
        const struct raft_member *member = &members->members[i];
        if (old_set ? member->voter_old : member->voter) {
            tally.voters++;
            tally.yes += question->says_yes(question, listed(member)) ? 1U : 0U;
        }
    }
    return tally;
}

static bool is_majority(struct tally tally)
{
    return tally.yes > tally.voters / 2;
}

static bool has_majority(const struct question *question, const struct raft_configuration *members)
{
    return is_majority(count(question, members, false)) &&
           (!members->joint || is_majority(count(question, members, true)));
}

static void write_set(struct buffer *out, const struct question *question,
                      const struct raft_configuration *members, bool old_set)
{
    struct tally tally = count(question, members, old_set);
    const char *before = ": ";
    buffer_append_format(out, "%" PRIu32 " of %" PRIu32 "%s", tally.yes, tally.voters,
                         !members->joint ? ""
                         : old_set       ? " old voters"
                                         : " new voters");
    for (uint32_t i = 0; i < members->count; i++) {
        const struct raft_member *member = &members->members[i];
        if ((old_set ? member->voter_old : member->voter) &&
            question->says_yes(question, listed(member))) {
            buffer_append_format(out, "%s%" PRIu64, before, member->id);
            before = ", ";
        }
    }
}

/* "2 of 5: 2, 3"; while joint "2 of 3 new voters: 1, 2 and 1 of 3 old voters: 1". */
static void write_tally(struct buffer *out, const struct question *question,
                        const struct raft_configuration *members)
{
    write_set(out, question, members, false);
    if (members->joint) {
        buffer_append_text(out, " and ");
        write_set(out, question, members, true);
    }
    buffer_append_byte(out, 0);
}

/* ---- votes ---------------------------------------------------------------------------------- */

static const struct vote *vote_of(const struct term *term, struct server voter)
{
    for (size_t i = 0; i < term->votes.count; i++) {
        if (is_listed(voter, term->votes.items[i].voter)) {
            return &term->votes.items[i];
        }
    }
    return NULL;
}

void majorities_note_vote(struct term *term, struct vote vote)
{
    for (size_t i = 0; i < term->votes.count; i++) {
        if (server_equal(term->votes.items[i].voter, vote.voter)) {
            term->votes.items[i] = vote; /* a crash took the one before, which nobody heard of */
            return;
        }
    }
    *array_push(&term->votes) = vote;
}

/* Paper, 5.4.1: the later last term wins, then the longer log. The candidate's log is the one that
 * it had when it voted for itself. */
bool majorities_judge_vote(struct checker *checker, const struct check_node *node,
                           const struct trace_event *event)
{
    const struct term *term = terms_get(&checker->terms, event->term);
    struct server candidate = {event->peer, event->directory};
    const struct vote *own = vote_of(term, candidate);
    if (server_equal(candidate, server_of(node)) || own == NULL ||
        !server_equal(own->candidate, candidate) || !own->seen) {
        return true;
    }
    bool up_to_date = own->last_term != event->prev_term ? own->last_term > event->prev_term
                                                         : own->last >= event->last;
    if (!up_to_date) {
        checker_report(checker, event, CHECK_VOTE_BY_LOG, event->peer,
                       "node %" PRIu64 " votes in term %" PRIu64 " for node %" PRIu64
                       ", whose log ends with index %" PRIu64 " of term %" PRIu64
                       ", but its own ends with index %" PRIu64 " of term %" PRIu64
                       "; a vote goes only to a log that is at least as complete",
                       node->id, event->term, event->peer, own->last, own->last_term, event->last,
                       event->prev_term);
    }
    return up_to_date;
}

static bool has_voted_for(const struct question *question, struct server voter)
{
    struct server leader = server_of(question->node);
    const struct vote *vote = vote_of(question->term, voter);
    if (vote == NULL) {
        return question->checker->gaps; /* its event may come later */
    }
    if (!server_equal(vote->candidate, leader)) {
        return false;
    }
    /* Its own counts once it is on its disk; that of others was when they answered. */
    return !is_listed(voter, leader) || question->node->disk_term > question->term->term ||
           (question->node->disk_term == question->term->term &&
            server_equal(question->node->disk_vote, leader));
}

bool majorities_judge_leader(struct checker *checker, const struct check_node *node,
                             const struct trace_event *event, struct term *term)
{
    const struct check_configuration *in_force = configurations_in_force(node);
    struct question question = {checker, node, term, 0, has_voted_for};
    if (in_force == NULL || has_majority(&question, &in_force->members)) {
        return true;
    }
    struct buffer tally = {0};
    write_tally(&tally, &question, &in_force->members);
    checker_report(checker, event, CHECK_VOTE_MAJORITY, 0,
                   "node %" PRIu64 " leads term %" PRIu64
                   " with the votes of %s (by the configuration of index %" PRIu64
                   ", the latest in its log)",
                   node->id, term->term, (const char *)tally.data, in_force->index);
    buffer_free(&tally);
    return false;
}

/* ---- commits -------------------------------------------------------------------------------- */

/* Is the leader's entry on that voter's disk? What is not known counts. */
static bool has_on_disk(const struct question *question, struct server voter)
{
    const struct check_node *peer = checker_server(question->checker, voter);
    if (peer == NULL || peer->life == 0) {
        return question->checker->gaps;
    }
    if (question->index > peer->disk.last) {
        return question->checker->gaps;
    }
    const struct term *held = chain_term(&peer->disk, question->index);
    bool may_have_it = question->checker->gaps && peer->term <= question->node->term;
    return held == NULL || held == question->term || may_have_it;
}

bool majorities_judge_commit(struct checker *checker, const struct check_node *node,
                             const struct trace_event *event)
{
    const struct check_configuration *in_force = configurations_in_force(node);
    struct question question = {checker, node, chain_term(&node->log, event->index), event->index,
                                has_on_disk};
    if (in_force == NULL || question.term == NULL || has_majority(&question, &in_force->members)) {
        return true;
    }
    struct buffer tally = {0};
    write_tally(&tally, &question, &in_force->members);
    checker_report(checker, event, CHECK_COMMIT_MAJORITY, 0,
                   "node %" PRIu64 ", leader of term %" PRIu64 ", commits index %" PRIu64
                   " by counting, but that entry is on the disks of %s (by the configuration of "
                   "index %" PRIu64 ", the latest in its log)",
                   node->id, node->term, event->index, (const char *)tally.data, in_force->index);
    buffer_free(&tally);
    return false;
}

/* ---- reads ---------------------------------------------------------------------------------- */

void majorities_forget_reads(struct check_node *node)
{
    node->reads.count = 0;
    node->round = 0;
    node->answers.count = 0;
}

/* A read has come: it needs a round that begins later than those of now, and an index that covers
 * what was committed by now. */
void majorities_read(struct checker *checker, struct check_node *node,
                     const struct trace_event *event)
{
    uint64_t committed = checker->gaps ? 0 : checker->committed.last;
    if (node->reads.count > 0) {
        struct read *tail = ring_at(&node->reads, node->reads.count - 1);
        if (tail->round == node->round && tail->committed == committed &&
            tail->last + 1 == event->sequence) {
            tail->last = event->sequence;
            return;
        }
    }
    *ring_push(&node->reads) =
        (struct read){event->sequence, event->sequence, node->round, committed};
}

void majorities_round(struct check_node *node, const struct trace_event *event)
{
    if (event->sequence > node->round) {
        node->round = event->sequence;
    }
}

void majorities_round_answer(struct check_node *node, const struct trace_event *event)
{
    if (event->reject || event->term != node->term || !node->leads) {
        return;
    }
    struct server voter = {event->peer, event->directory};
    for (size_t i = 0; i < node->answers.count; i++) {
        if (server_equal(node->answers.items[i].voter, voter)) {
            if (event->sequence > node->answers.items[i].round) {
                node->answers.items[i].round = event->sequence;
            }
            return;
        }
    }
    *array_push(&node->answers) = (struct round_answer){voter, event->sequence};
}

static bool answered_round(const struct question *question, struct server voter)
{
    const struct check_node *node = question->node;
    if (is_listed(voter, server_of(node))) {
        return true;
    }
    for (size_t i = 0; i < node->answers.count; i++) {
        if (is_listed(voter, node->answers.items[i].voter) &&
            node->answers.items[i].round >= question->index) {
            return true;
        }
    }
    return false;
}

/* The newest read up to `last` that was seen to come, which asks for the most; older ones go. */
static bool take_reads(struct check_node *node, uint64_t last, struct read *newest)
{
    bool found = false;
    while (node->reads.count > 0 && ring_at(&node->reads, 0)->first <= last) {
        struct read *read = ring_at(&node->reads, 0);
        *newest = *read;
        found = true;
        if (read->last > last) {
            read->first = last + 1;
            break;
        }
        (void)ring_pop(&node->reads);
    }
    return found;
}

bool majorities_take_latest_read(struct check_node *node, uint64_t number, struct read *taken)
{
    struct read *tail = node->reads.count > 0 ? ring_at(&node->reads, node->reads.count - 1) : NULL;
    if (tail == NULL || tail->last != number) {
        return false;
    }
    *taken = *tail;
    if (tail->first == number) {
        (void)ring_pop_last(&node->reads);
    } else {
        tail->last--;
    }
    return true;
}

bool majorities_judge_read_index(struct checker *checker, const struct check_node *node,
                                 const struct trace_event *event, const struct read *read,
                                 enum check_property property)
{
    const struct term *commit_term = chain_term(&node->log, node->commit);
    if (commit_term != NULL && commit_term->term != node->term) {
        checker_report(checker, event, property, 0,
                       "node %" PRIu64 ", leader of term %" PRIu64
                       ", confirms reads before an entry of its own term is committed (its commit "
                       "index %" PRIu64 " is of term %" PRIu64 ")",
                       node->id, node->term, node->commit, commit_term->term);
        return false;
    }
    if (event->index < read->committed) {
        checker_report(checker, event, property, 0,
                       "node %" PRIu64 ", leader of term %" PRIu64
                       ", confirms a read as of index %" PRIu64 ", but index %" PRIu64
                       " was committed when the read came",
                       node->id, node->term, event->index, read->committed);
        return false;
    }
    return true;
}

void majorities_confirm(struct checker *checker, struct check_node *node,
                        const struct trace_event *event)
{
    const struct check_configuration *in_force = configurations_in_force(node);
    struct read read = {0};
    if (!take_reads(node, event->last, &read) ||
        !majorities_judge_read_index(checker, node, event, &read, CHECK_READ_MAJORITY)) {
        return;
    }
    struct question question = {checker, node, NULL, read.round + 1, answered_round};
    if (in_force == NULL || has_majority(&question, &in_force->members)) {
        return;
    }
    struct buffer tally = {0};
    write_tally(&tally, &question, &in_force->members);
    checker_report(checker, event, CHECK_READ_MAJORITY, 0,
                   "node %" PRIu64 ", leader of term %" PRIu64
                   ", confirms a read, but a round that began after the read came was answered by "
                   "%s (by the configuration of index %" PRIu64 ", the latest in its log)",
                   node->id, node->term, (const char *)tally.data, in_force->index);
    buffer_free(&tally);
}

/* ---- leases --------------------------------------------------------------------------------- */

static bool may_be_bound(const struct question *question, struct server voter)
{
    return leases_may_bind(question->checker, question->node, voter, (int64_t)question->index);
}

bool majorities_judge_promises(struct checker *checker, const struct check_node *node,
                               const struct trace_event *event)
{
    const struct check_configuration *in_force = configurations_in_force(node);
    struct question question = {checker, node, NULL, (uint64_t)event->time_ns, may_be_bound};
    if (in_force == NULL || has_majority(&question, &in_force->members)) {
        return true;
    }
    struct buffer tally = {0};
    write_tally(&tally, &question, &in_force->members);
    checker_report(checker, event, CHECK_READ_LEASE, 0,
                   "node %" PRIu64 ", leader of term %" PRIu64
                   ", lets a read pass by its lease, but those that may still be bound to vote for "
                   "nobody else, as they have heard it in the last %.3f ms, are %s (by the "
                   "configuration of index %" PRIu64 ", the latest in its log)",
                   node->id, node->term, (double)checker->promises.length_ns / 1e6,
                   (const char *)tally.data, in_force->index);
    buffer_free(&tally);
    return false;
}
