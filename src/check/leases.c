/*
 * leases: reads that a leader lets pass by its lease, without a round (dissertation 6.4.1). A lease
 * says that nobody else can have been elected: so no later leader may be known, the leader must not
 * have told anybody to campaign in its term, and nothing may be committed that it does not know.
 *
 * It knows no clocks: where they run apart by more than was allowed, or jump, it finds what comes
 * of that.
 */
#include "check/internal.h"

#include <inttypes.h>

void leases_told(struct check_node *node, const struct trace_event *event)
{
    node->told_term = event->term;
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
        majorities_take_latest_read(node, event->first, &read)) {
        (void)majorities_judge_read_index(checker, node, event, &read, CHECK_READ_LEASE);
    }
}
