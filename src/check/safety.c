/*
 * safety: leaders and logs (paper, figure 3): election safety, leader append-only, log matching;
 * and that a node's term never goes back while it runs.
 *
 * Log matching is judged where an entry enters a log, by induction: an entry that was accepted at
 * (index, term) is followed in its term by entries that must equal those seen first, and each
 * term's entries begin at one place, behind one entry. So nothing behind it is ever read again.
 */
#include "check/internal.h"

#include <inttypes.h>
#include <stdio.h>

bool safety_term(struct checker *checker, struct check_node *node, const struct trace_event *event)
{
    if (event->term < node->term) {
        checker_report(checker, event, CHECK_MONOTONIC_TERM, 0,
                       "node %" PRIu64 " goes back from term %" PRIu64 " to term %" PRIu64
                       "; a term may only rise",
                       node->id, node->term, event->term);
        return false;
    }
    if (event->term > node->claim.term && !durability_judge_claim(checker, node, event)) {
        return false;
    }
    node->term = event->term;
    return true;
}

/* ---- leaders -------------------------------------------------------------------------------- */

static void elected(struct checker *checker, struct check_node *node,
                    const struct trace_event *event)
{
    struct term *term = terms_get(&checker->terms, event->term);
    bool is_same = server_equal(term->leader, server_of(node));
    if (term->leader.id != 0 && !is_same) {
        checker_report(checker, event, CHECK_ELECTION_SAFETY, term->leader.id,
                       "node %" PRIu64 " becomes leader of term %" PRIu64 ", but node %" PRIu64
                       " was its leader already; expected at most one in a term",
                       node->id, term->term, term->leader.id);
        return;
    }
    /* It voted in this term before it led, so after a restart it can only lead a later one. */
    if (is_same && term->leader_life != node->life) {
        checker_report(checker, event, CHECK_ELECTION_SAFETY, 0,
                       "node %" PRIu64 " leads term %" PRIu64
                       " again after a restart; expected a new election in a higher term",
                       node->id, term->term);
        return;
    }
    term->leader = server_of(node);
    term->leader_life = node->life;
    if (checker->leading == NULL || checker->leading->term < term->term) {
        checker->leading = term;
    }
    if (majorities_judge_leader(checker, node, event, term)) {
        commits_leader(checker, node, event, term);
    }
}

void safety_role(struct checker *checker, struct check_node *node, const struct trace_event *event)
{
    if (!answers_judge_term(checker, node, event) || !safety_term(checker, node, event)) {
        return;
    }
    node->leads = event->role == RAFT_LEADER;
    majorities_forget_reads(node);
    durability_forget_matches(node, true);
    if (node->leads && event->term > 0) {
        elected(checker, node, event);
    }
}

#define HOLDER_BYTES 40

/* ---- entries -------------------------------------------------------------------------------- */

/* "of node 3"; in words if no log is known to hold that entry now. */
static void name_holder(uint64_t holder, const char *otherwise, char text[HOLDER_BYTES])
{
    (void)snprintf(text, HOLDER_BYTES, "%s", otherwise);
    if (holder != 0) {
        (void)snprintf(text, HOLDER_BYTES, "of node %" PRIu64, holder);
    }
}

static void report_other_begin(struct checker *checker, const struct check_node *node,
                               const struct trace_event *event, uint64_t index,
                               const struct term *term, const struct term *before)
{
    uint64_t holder = checker_holder(checker, term->first, term, node->id);
    char other[HOLDER_BYTES];
    name_holder(holder, "seen first", other);
    checker_report(checker, event, CHECK_LOG_MATCHING, holder,
                   "in the log of node %" PRIu64 " term %" PRIu64 " begins at index %" PRIu64
                   " behind an entry of term %" PRIu64 ", in the one %s at index %" PRIu64
                   " behind one of term %" PRIu64
                   "; logs that share an entry must be the same before it",
                   node->id, term->term, index, before->term, other, term->first, term->before);
}

/* The node's log goes on with an entry of `term` at `index`, where it held another term or nothing
 * before. Is that where the term's entries begin in every log? */
static bool judge_begin(struct checker *checker, const struct check_node *node,
                        const struct trace_event *event, uint64_t index, struct term *term)
{
    const struct term *before = chain_term(&node->log, index - 1);
    if (before == NULL) {
        return true;
    }
    if (before->term > term->term) {
        checker_report(checker, event, CHECK_LOG_MATCHING, term->leader.id,
                       "node %" PRIu64 " puts an entry of term %" PRIu64 " at index %" PRIu64
                       " behind one of term %" PRIu64 "; the terms of a log never go back",
                       node->id, term->term, index, before->term);
        return false;
    }
    if (term->first == 0) {
        term->first = index;
        term->before = before->term;
        return true;
    }
    if (term->first != index || term->before != before->term) {
        report_other_begin(checker, node, event, index, term, before);
        return false;
    }
    return true;
}

static void report_other_entry(struct checker *checker, const struct check_node *node,
                               const struct trace_event *event, uint64_t index,
                               const struct term *term)
{
    uint64_t holder = checker_holder(checker, index, term, node->id);
    char other[HOLDER_BYTES];
    name_holder(holder, "first seen there", other);
    checker_report(checker, event, CHECK_LOG_MATCHING, holder,
                   "node %" PRIu64 " holds at index %" PRIu64 " an entry of term %" PRIu64
                   " that differs from the one %s; expected the same entry for the same index and "
                   "term",
                   node->id, index, term->term, other);
}

/* Entries of one term at [index, index + count): remembered, or compared with those seen first. */
static bool judge_entries(struct checker *checker, const struct check_node *node,
                          const struct trace_event *event, uint64_t index, struct term *term,
                          const struct trace_entry *entries, uint64_t count)
{
    for (uint64_t i = 0; i < count;) {
        uint64_t room = HASHES_CHUNK - (index + i) % HASHES_CHUNK;
        uint64_t end = i + room < count ? i + room : count;
        if (index + i < checker->forgotten) {
            i = end;
            continue;
        }
        for (uint32_t *place = hashes_at(&term->hashes, index + i); i < end; i++, place++) {
            uint32_t digest = hashes_digest(entries[i].hash);
            if (*place == 0) {
                *place = digest;
            } else if (*place != digest) {
                report_other_entry(checker, node, event, index + i, term);
                return false;
            }
        }
    }
    return true;
}

bool safety_take_entries(struct checker *checker, struct check_node *node,
                         const struct trace_event *event)
{
    struct chain *log = &node->log;
    for (uint32_t i = 0; i < event->entry_count;) {
        const struct trace_entry *entries = event->entries + i;
        uint64_t index = log->last + 1;
        uint32_t count = 1;
        while (i + count < event->entry_count && entries[count].term == entries[0].term) {
            count++;
        }
        struct term *term = NULL;
        if (entries[0].term != 0) {
            term = terms_get(&checker->terms, entries[0].term);
            ensure(term != NULL);
            bool goes_on = chain_term(log, log->last) == term;
            if ((!goes_on && !judge_begin(checker, node, event, index, term)) ||
                !judge_entries(checker, node, event, index, term, entries, count)) {
                return false;
            }
        }
        chain_extend(log, index + count - 1, term);
        i += count;
    }
    if (event->last > log->last) {
        chain_extend(log, event->last, NULL); /* the event came without its entries */
    }
    return true;
}

/* Entries from `first` on leave the node's log. */
static bool judge_removal(struct checker *checker, const struct check_node *node,
                          const struct trace_event *event, uint64_t first)
{
    if (node->leads) {
        checker_report(checker, event, CHECK_LEADER_APPEND_ONLY, 0,
                       "node %" PRIu64 " leads term %" PRIu64
                       " and removes or replaces entries from index %" PRIu64 " to %" PRIu64
                       " of its own log; a leader only appends",
                       node->id, node->term, first, node->log.last);
        return false;
    }
    const struct term *held = chain_term(&node->log, first);
    const struct term *committed = chain_term(&checker->committed, first);
    /* Committed in its own term or an earlier one, that is: a leader of an older term, whose
     * messages come late, need not have what was committed after it, and may still have it replaced
     * on a node that knows no newer leader and was not counted. */
    bool binds = first <= terms_committed_before(&checker->terms, node->term + 1);
    bool loses = binds && held != NULL && held == committed;
    if (loses || first <= node->commit) {
        checker_report(checker, event, CHECK_COMMITTED_IS_KEPT,
                       checker_holder(checker, first, committed, node->id),
                       "node %" PRIu64 " removes entries from index %" PRIu64 " (term %" PRIu64
                       ") on, but committed is up to index %" PRIu64 " (as it knows: %" PRIu64
                       "); a committed entry is never removed",
                       node->id, first, held == NULL ? 0 : held->term, checker->committed.last,
                       node->commit);
        return false;
    }
    return true;
}

void safety_append(struct checker *checker, struct check_node *node,
                   const struct trace_event *event)
{
    struct chain *log = &node->log;
    if (event->first == 0 || event->last < event->first ||
        !answers_judge_leader(checker, node, event)) {
        return;
    }
    if (event->first <= log->last) {
        if (!judge_removal(checker, node, event, event->first)) {
            return;
        }
        chain_truncate(log, event->first - 1);
        configurations_truncate(node, event->first);
    } else if (event->first > log->last + 1) {
        if (node->life > 0 && !checker->gaps) {
            checker_report(checker, event, CHECK_LOG_MATCHING, 0,
                           "node %" PRIu64 " appends at index %" PRIu64
                           ", but its log ends at index %" PRIu64 "; a log has no gaps",
                           node->id, event->first, log->last);
            return;
        }
        chain_reset(log, event->first - 1, NULL);
        configurations_forget(node);
    }
    if (safety_take_entries(checker, node, event)) {
        (void)configurations_take(checker, node, event);
    }
}

void safety_truncate(struct checker *checker, struct check_node *node,
                     const struct trace_event *event)
{
    uint64_t first = event->first;
    if (first == 0 || first > node->log.last || !answers_judge_leader(checker, node, event) ||
        !judge_removal(checker, node, event, first)) {
        return;
    }
    node->cut_since_vote = true;
    chain_truncate(&node->log, first - 1);
    configurations_truncate(node, first);
}
