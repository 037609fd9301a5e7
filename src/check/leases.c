/*
 * leases: reads that a leader lets pass by its lease, without a round (dissertation 6.4.1). A lease
 * says that nobody else can have been elected: so no later leader may be known, the leader must not
 * have told anybody to campaign in its term, and nothing may be committed that it does not know.
 *
 * And the promise of the voters on which that rests is looked at where one of them votes, and where
 * a leader relies on it.
 *
 * It reads no clocks: where they run apart by more than was allowed, or jump, it finds what comes
 * of that, and promises are judged no more.
 */
#include "check/internal.h"

#include <inttypes.h>

static bool field_number(struct bytes map, const char *key, double *found)
{
    struct bytes bytes;
    struct value_item item;
    if (!value_field(map, key, &bytes) ||
        !value_read(&(struct value_reader){.data = bytes.data, .size = bytes.size}, &item) ||
        (item.kind != VALUE_INTEGER && item.kind != VALUE_FLOAT)) {
        return false;
    }
    *found = item.kind == VALUE_INTEGER ? (double)item.integer : item.number;
    return true;
}

/* A clock that goes slower than ours only makes a promise longer. */
void leases_fault(struct checker *checker, const struct trace_event *event)
{
    double rate = 0;
    double offset = 0;
    if (bytes_equal(event->text, bytes_of_text("clock")) &&
        (!field_number(event->value, "rate", &rate) ||
         !field_number(event->value, "offset", &offset) || offset < 0 || offset > 0 || rate > 1 ||
         rate < 1 - checker->promises.drift)) {
        checker->promises.length_ns = 0;
    }
}

/* ---- a voter's promise ---------------------------------------------------------------------- */

/* The first message of a term may not be heard (the leader is a stranger, say): then the voter
 * stays in its term. */
void leases_heard(struct checker *checker, const struct trace_event *event)
{
    if (checker->promises.length_ns == 0 || checker->gaps || event->node == 0 ||
        (event->message_kind != RAFT_APPEND && event->message_kind != RAFT_SNAPSHOT)) {
        return;
    }
    struct check_node *node = checker_node(checker, event->node);
    struct server from = {event->peer, event->directory};
    if (node->life == 0 || event->term < node->term ||
        !server_equal(terms_get(&checker->terms, event->term)->leader, from)) {
        return;
    }
    node->may_have_heard = (struct heard){from, event->term, event->time_ns};
    if (node->term == event->term && event->message_kind == RAFT_APPEND) {
        node->heard = node->may_have_heard;
    }
}

/* Who was told to campaign by a later leader may reach a voter that has heard only an earlier one.
 */
bool leases_judge_vote(struct checker *checker, const struct check_node *node,
                       const struct trace_event *event)
{
    const struct received *asked = &checker->received;
    const struct heard *heard = &node->heard;
    if (checker->promises.length_ns == 0 || heard->term == 0 || event->peer == node->id ||
        asked->to != node->id || asked->kind != RAFT_VOTE || event->term <= heard->term ||
        checker->told_term >= heard->term ||
        event->time_ns - heard->time_ns >=
            checker->promises.length_ns - checker->promises.slack_ns) {
        return true;
    }
    checker_report(checker, event, CHECK_PROMISE_KEPT, event->peer,
                   "node %" PRIu64 " votes for node %" PRIu64 " in term %" PRIu64 ", %.3f ms after "
                   "it heard node %" PRIu64 ", leader of term %" PRIu64
                   ", which may answer reads by its lease for as long as voters have promised to "
                   "vote for nobody else: %.3f ms",
                   node->id, event->peer, event->term,
                   (double)(event->time_ns - heard->time_ns) / 1e6, heard->leader.id, heard->term,
                   (double)checker->promises.length_ns / 1e6);
    return false;
}

bool leases_may_bind(const struct checker *checker, const struct check_node *leader,
                     struct server voter, int64_t time_ns)
{
    const struct check_node *node = checker_server(checker, voter);
    const struct heard *heard = node == NULL ? NULL : &node->may_have_heard;
    return node == NULL || node == leader ||
           (heard->term == leader->term && server_equal(heard->leader, server_of(leader)) &&
            time_ns - heard->time_ns <= checker->promises.length_ns + checker->promises.slack_ns);
}

/* ---- a leader's lease ----------------------------------------------------------------------- */

void leases_told(struct checker *checker, struct check_node *node, const struct trace_event *event)
{
    node->told_term = event->term;
    checker->told_term = event->term > checker->told_term ? event->term : checker->told_term;
}

static bool judge_leadership(struct checker *checker, const struct check_node *node,
                             const struct trace_event *event)
{
    if (node->told_term == node->term) {
        checker_report(checker, event, CHECK_READ_LEASE, 0,
                       "node %" PRIu64 ", leader of term %" PRIu64
                       ", lets a read pass by its lease after it has told a server to campaign, "
                       "which ends the lease for that term",
                       node->id, node->term);
        return false;
    }
    if (!checker->gaps && checker->leading != NULL && checker->leading->term > node->term) {
        checker_report(checker, event, CHECK_READ_LEASE, checker->leading->leader.id,
                       "node %" PRIu64 ", leader of term %" PRIu64
                       ", lets a read pass by its lease, but node %" PRIu64
                       " has been elected in term %" PRIu64
                       " (a lease holds while the rates of clocks differ by clock_drift at most, "
                       "and none jumps)",
                       node->id, node->term, checker->leading->leader.id, checker->leading->term);
        return false;
    }
    return true;
}

void leases_confirm(struct checker *checker, struct check_node *node,
                    const struct trace_event *event)
{
    struct read read = {0};
    if (judge_leadership(checker, node, event) &&
        (checker->promises.length_ns == 0 || checker->gaps ||
         majorities_judge_promises(checker, node, event)) &&
        majorities_take_latest_read(node, event->first, &read)) {
        (void)majorities_judge_read_index(checker, node, event, &read, CHECK_READ_LEASE);
    }
}
