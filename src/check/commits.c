/*
 * commits: what is committed. One record for the cluster, against which each node's commit index,
 * each new leader's log (leader completeness; paper, section 5.4.3) and each entry committed by
 * counting (paper, section 5.4.2) are judged.
 *
 * The record is a chain like a log: two logs that agree on the term of one entry agree on all
 * before it, so each judgement is a comparison of two terms.
 */
#include "check/internal.h"

#include <inttypes.h>

/* Does the leader of `term` hold what was committed in earlier terms, up to `index`? */
static bool judge_leader(struct checker *checker, const struct check_node *leader,
                         const struct trace_event *event, const struct term *term, uint64_t index)
{
    const struct term *committed = chain_term(&checker->committed, index);
    const struct term *held = chain_term(&leader->log, index);
    bool short_log = index > leader->log.last;
    if (committed == NULL || index == 0 || leader->life == 0 ||
        (!short_log && (held == NULL || held == committed))) {
        return true;
    }
    checker_report(checker, event, CHECK_LEADER_COMPLETENESS, leader->id,
                   "node %" PRIu64 " leads term %" PRIu64 ", but of index %" PRIu64
                   ", committed in an earlier term with an entry of term %" PRIu64
                   ", its log holds %s (its last index is %" PRIu64 ", of term %" PRIu64 ")",
                   leader->id, term->term, index, committed->term,
                   short_log ? "nothing" : "another entry", leader->log.last,
                   chain_term(&leader->log, leader->log.last) == NULL
                       ? 0
                       : chain_term(&leader->log, leader->log.last)->term);
    return false;
}

void commits_leader(struct checker *checker, struct check_node *node,
                    const struct trace_event *event, struct term *term)
{
    uint64_t index = terms_committed_before(&checker->terms, term->term);
    (void)judge_leader(checker, node, event, term, index);
}

/* An entry of another term than the one known there, or a log that lacks it. */
static void report_conflict(struct checker *checker, const struct check_node *node,
                            const struct trace_event *event, uint64_t index)
{
    const struct term *committed = chain_term(&checker->committed, index);
    const struct term *held = chain_term(&node->log, index);
    checker_report(checker, event, CHECK_STATE_MACHINE_SAFETY,
                   checker_holder(checker, index, committed, node->id),
                   "node %" PRIu64 " commits up to index %" PRIu64
                   ", with an entry of term %" PRIu64 " at index %" PRIu64
                   ", where an entry of term %" PRIu64
                   " was committed; all nodes commit the same entries",
                   node->id, event->index, held == NULL ? 0 : held->term, index,
                   committed == NULL ? 0 : committed->term);
}

/* The commit of `index` against the record, which then reaches at least as far. */
static bool judge_record(struct checker *checker, const struct check_node *node,
                         const struct trace_event *event, uint64_t index)
{
    struct chain *committed = &checker->committed;
    uint64_t common = index < committed->last ? index : committed->last;
    const struct term *known = chain_term(committed, common);
    const struct term *held = chain_term(&node->log, common);
    if (known != NULL && held != NULL && known != held) {
        report_conflict(checker, node, event, common);
        return false;
    }
    if (index > committed->last) {
        struct term *term = chain_term(&node->log, index);
        if (term != NULL && term == known) {
            chain_extend(committed, index, term);
        } else {
            chain_append(committed, &node->log, index);
        }
    }
    return true;
}

/* Notes that `index` is committed in `term`, at the latest; and judges the newest leader, where it
 * was elected before the news came. */
static void note_committed(struct checker *checker, const struct trace_event *event,
                           uint64_t term_number, uint64_t index)
{
    struct term *term = terms_get(&checker->terms, term_number);
    if (term->committed >= index) {
        return;
    }
    for (struct term *at = term; at != NULL && at->committed < index; at = at->next) {
        at->committed = index;
    }
    const struct term *leading = checker->leading;
    if (leading != NULL && leading->term > term_number) {
        const struct check_node *leader = checker_server(checker, leading->leader);
        if (leader->leads && leader->term == leading->term) {
            (void)judge_leader(checker, leader, event, leading, index);
        }
    }
}

void commits_commit(struct checker *checker, struct check_node *node,
                    const struct trace_event *event)
{
    uint64_t index = event->index;
    if (!event->flag && !answers_judge_leader(checker, node, event)) {
        return;
    }
    if (index < node->commit) {
        checker_report(checker, event, CHECK_MONOTONIC_COMMIT, 0,
                       "node %" PRIu64 " goes back from commit index %" PRIu64 " to %" PRIu64
                       "; a commit index may only rise while a node runs",
                       node->id, node->commit, index);
        return;
    }
    if (index > node->log.last && node->life > 0 && !checker->gaps) {
        checker_report(checker, event, CHECK_STATE_MACHINE_SAFETY, 0,
                       "node %" PRIu64 " commits up to index %" PRIu64
                       ", but its log ends at index %" PRIu64,
                       node->id, index, node->log.last);
        return;
    }
    if (!event->flag && index > checker->committed.last && node->life > 0 && !checker->gaps) {
        checker_report(checker, event, CHECK_STATE_MACHINE_SAFETY, 0,
                       "node %" PRIu64 " commits up to index %" PRIu64
                       ", but no leader has committed more than index %" PRIu64,
                       node->id, index, checker->committed.last);
        return;
    }
    const struct term *held = chain_term(&node->log, index);
    uint64_t entry_term = held != NULL ? held->term : event->prev_term;
    if (event->flag && entry_term != node->term && node->term > 0 && entry_term > 0) {
        checker_report(checker, event, CHECK_COMMIT_OWN_TERM, 0,
                       "node %" PRIu64 ", leader of term %" PRIu64 ", commits index %" PRIu64
                       " by counting, an entry of term %" PRIu64
                       "; by counting only entries of the own term are committed",
                       node->id, node->term, index, entry_term);
        return;
    }
    if (event->flag && !majorities_judge_commit(checker, node, event)) {
        return;
    }
    node->commit = index;
    configurations_committed(checker, node);
    if (judge_record(checker, node, event, index) && node->term > 0) {
        note_committed(checker, event, node->term, index);
    }
}

/* ---- snapshots ------------------------------------------------------------------------------ */

bool commits_judge_snapshot(struct checker *checker, const struct check_node *node,
                            const struct trace_event *event, uint64_t index, const char *does)
{
    const struct term *committed = chain_term(&checker->committed, index);
    if (index > checker->committed.last && node->life > 0 && !checker->gaps) {
        checker_report(checker, event, CHECK_STATE_MACHINE_SAFETY, 0,
                       "node %" PRIu64 " %s a snapshot as of index %" PRIu64
                       ", but no leader has committed more than index %" PRIu64,
                       node->id, does, index, checker->committed.last);
        return false;
    }
    if (committed != NULL && event->prev_term != 0 && committed->term != event->prev_term) {
        checker_report(checker, event, CHECK_STATE_MACHINE_SAFETY,
                       checker_holder(checker, index, committed, node->id),
                       "node %" PRIu64 " %s a snapshot as of index %" PRIu64
                       " whose last entry is of term %" PRIu64 ", where an entry of term %" PRIu64
                       " was committed",
                       node->id, does, index, event->prev_term, committed->term);
        return false;
    }
    return true;
}

void commits_start(struct checker *checker, struct check_node *node,
                   const struct trace_event *event)
{
    struct chain *committed = &checker->committed;
    uint64_t index = event->commit;
    if (index > committed->last) {
        struct term *term = chain_term(&node->log, index);
        chain_append(committed, &node->log, index - 1);
        chain_extend(committed, index, term);
        if (event->term > 0) {
            note_committed(checker, event, event->term, index);
        }
    }
    (void)commits_judge_snapshot(checker, node, event, index, "starts from");
}
