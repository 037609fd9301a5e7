/*
 * answers: what a server does about a message in the step that takes it: whether its term may rise
 * (paper, 5.1; dissertation, 9.6), whose entries it takes (5.1), and what it answers to candidates
 * (5.4.1).
 *
 * It knows the message from RECEIVE, and judges only what the same node does before any node
 * receives another. Where RECEIVE events are missing nothing is judged.
 */
#include "check/internal.h"

#include <inttypes.h>

void answers_received(struct checker *checker, const struct trace_event *event)
{
    checker->received = (struct received){.from = {event->peer, event->directory},
                                          .to = event->node,
                                          .term = event->term,
                                          .prev_index = event->prev_index,
                                          .prev_term = event->prev_term,
                                          .kind = event->message_kind,
                                          .reject = event->reject};
}

/* Only candidates make terms; all others take them from messages, and not from those that ask what
 * would be if. */
static bool brings_term(const struct received *received)
{
    return received->kind != RAFT_PRE_VOTE &&
           (received->kind != RAFT_PRE_VOTE_RESPONSE || received->reject);
}

bool answers_judge_term(struct checker *checker, const struct check_node *node,
                        const struct trace_event *event)
{
    const struct received *received = &checker->received;
    if (event->term <= node->term || event->role == RAFT_CANDIDATE || received->to == 0 ||
        node->life == 0 || checker->gaps) {
        return true;
    }
    if (received->to == node->id && received->term == event->term && brings_term(received)) {
        return true;
    }
    checker_report(checker, event, CHECK_TERM_BY_CANDIDATE, 0,
                   "node %" PRIu64 " goes from term %" PRIu64 " to term %" PRIu64
                   " without being its candidate, and without a message of that term (a pre-vote "
                   "only asks about it)",
                   node->id, node->term, event->term);
    return false;
}

/* A follower's log and commit index change by what the leader of its term sends, in the step that
 * takes it. */
bool answers_judge_leader(struct checker *checker, const struct check_node *node,
                          const struct trace_event *event)
{
    const struct received *received = &checker->received;
    if (received->to != node->id || received->kind != RAFT_APPEND || node->leads ||
        node->life == 0 || checker->gaps || received->term == node->term) {
        return true;
    }
    checker_report(checker, event, CHECK_PRESENT_LEADER, received->from.id,
                   "node %" PRIu64 " in term %" PRIu64 " takes from node %" PRIu64
                   " what that sent as leader of term %" PRIu64
                   "; a server follows only the leader of its own term",
                   node->id, node->term, received->from.id, received->term);
    return false;
}

/* ---- candidates ----------------------------------------------------------------------------- */

/* Paper, 5.4.1. What is not known counts as complete, and as not. */
enum complete { COMPLETE, INCOMPLETE, NOT_KNOWN };

static enum complete is_complete(const struct check_node *node, const struct received *received)
{
    const struct term *last = chain_term(&node->log, node->log.last);
    if (last == NULL) {
        return NOT_KNOWN;
    }
    bool complete = received->prev_term != last->term ? received->prev_term > last->term
                                                      : received->prev_index >= node->log.last;
    return complete ? COMPLETE : INCOMPLETE;
}

static bool voted_for_another(const struct check_node *node, struct server candidate)
{
    return node->vote_term == node->term && node->vote.id != 0 &&
           !server_equal(node->vote, candidate);
}

static void judge_refusal(struct checker *checker, const struct check_node *node,
                          const struct trace_event *event)
{
    const struct received *asked = &checker->received;
    if (!event->reject || asked->term != node->term || is_complete(node, asked) != COMPLETE ||
        voted_for_another(node, asked->from)) {
        return;
    }
    checker_report(checker, event, CHECK_VOTE_REFUSAL, event->peer,
                   "node %" PRIu64 " refuses node %" PRIu64 " its vote in term %" PRIu64
                   ", although it has given it to nobody else and that node's log is complete: "
                   "it ends with index %" PRIu64 " of term %" PRIu64,
                   node->id, event->peer, node->term, asked->prev_index, asked->prev_term);
}

static void report_pre_vote(struct checker *checker, const struct check_node *node,
                            const struct trace_event *event, const char *why)
{
    const struct received *asked = &checker->received;
    checker_report(checker, event, CHECK_PRE_VOTE_ANSWER, event->peer,
                   "node %" PRIu64 " in term %" PRIu64 " %s node %" PRIu64
                   ", which asks about term %" PRIu64 " with a log that ends with index %" PRIu64
                   " of term %" PRIu64 ", and answers with term %" PRIu64 ": %s",
                   node->id, node->term, event->reject ? "refuses" : "would vote for", event->peer,
                   asked->term, asked->prev_index, asked->prev_term, event->term, why);
}

static void judge_pre_vote(struct checker *checker, const struct check_node *node,
                           const struct trace_event *event)
{
    const struct received *asked = &checker->received;
    enum complete complete = is_complete(node, asked);
    bool later = asked->term > node->term;
    if (complete == NOT_KNOWN) {
        return;
    }
    if (event->reject == (later && complete == COMPLETE)) {
        report_pre_vote(checker, node, event,
                        "it would vote for a complete log in a later term, and for no other");
    } else if (event->term != (event->reject ? node->term : asked->term)) {
        report_pre_vote(checker, node, event,
                        "a grant names the term that was asked about, a refusal its own");
    }
}

void answers_sent(struct checker *checker, const struct check_node *node,
                  const struct trace_event *event)
{
    const struct received *asked = &checker->received;
    struct server to = {event->peer, event->directory};
    if (asked->to != node->id || !server_equal(asked->from, to) || node->life == 0 ||
        checker->gaps) {
        return;
    }
    if (event->message_kind == RAFT_VOTE_RESPONSE && asked->kind == RAFT_VOTE) {
        judge_refusal(checker, node, event);
    } else if (event->message_kind == RAFT_PRE_VOTE_RESPONSE && asked->kind == RAFT_PRE_VOTE) {
        judge_pre_vote(checker, node, event);
    } else if (event->message_kind == RAFT_APPEND_RESPONSE && event->reject) {
        checker->received.to = 0; /* refused: what the node does next has another cause */
    }
}
