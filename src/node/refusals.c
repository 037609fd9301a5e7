/*
 * Why the core refused an event, in words for the user, with a code. It never decides what is done
 * about it.
 */
#include "node/internal.h"

static void not_leader(const struct node *node, uint64_t leader, struct failure *failure)
{
    unsigned long long id = node->id;
    if (leader != 0 && leader != node->id) {
        failure_set(failure, FAILURE_NOT_LEADER, "node %llu does not lead; node %llu does", id,
                    (unsigned long long)leader);
        failure->leader = leader;
    } else {
        failure_set(failure, FAILURE_NOT_LEADER, "node %llu does not lead and knows of no leader",
                    id);
    }
}

/* Where neither node nor leader is named. */
static void bad_request(enum raft_refusal refusal, struct failure *failure)
{
    switch (refusal) {
    case RAFT_TOO_LARGE:
        failure_set(failure, FAILURE_TOO_LARGE, "a command is at most %u bytes",
                    RAFT_ENTRY_BYTES_MAX);
        return;
    case RAFT_BAD_CONFIGURATION:
        failure_set(
            failure, FAILURE_UNSUPPORTED,
            "these members are not a valid configuration: it needs a voter, each id once, no other "
            "disk in a member's place, addresses of at most %d bytes, and at most %d "
            "members, old and new together",
            RAFT_ADDRESS_BYTES_MAX, RAFT_MEMBERS_MAX);
        return;
    default:
        ensure(refusal == RAFT_NO_LEASES);
        failure_set(failure, FAILURE_UNSUPPORTED,
                    "lease reads are off: say by clock_drift how much the rates of the nodes' "
                    "clocks may differ, when the cluster or the node is made");
    }
}

/* A sentence about a node, by its id. */
static const struct {
    enum failure_code code;
    const char *text;
} of_nodes[] = {
    [RAFT_BUSY] = {FAILURE_BUSY,
                   "node %llu has too many bytes that are not yet applied: try again later"},
    [RAFT_MEMBERSHIP_PENDING] = {FAILURE_MEMBERSHIP_PENDING,
                                 "node %llu is in the middle of another change of members"},
    [RAFT_NOT_READY] = {FAILURE_BUSY, "node %llu has just begun to lead and has committed nothing "
                                      "yet: try again soon"},
    [RAFT_NO_VOTER] = {FAILURE_NOT_MEMBER, "leadership of node %llu cannot be handed over: only to "
                                           "another voter"},
    [RAFT_PROMISED] = {FAILURE_BUSY,
                       "node %llu heard a leader that may hold a lease for reads (clock_drift), "
                       "and cannot campaign yet: use transfer_leader, or try again once the leader "
                       "is silent"},
};

void refusal_explain(const struct node *node, enum raft_refusal refusal, struct failure *failure)
{
    struct raft_status status;
    ensure(refusal != RAFT_ACCEPTED);
    raft_get_status(node->raft, &status);
    if (refusal == RAFT_NOT_LEADER) {
        not_leader(node, status.leader, failure);
    } else if (refusal == RAFT_TRANSFERRING) {
        failure_set(failure, FAILURE_BUSY,
                    "node %llu is handing leadership over to node %llu: try again in a moment",
                    (unsigned long long)node->id, (unsigned long long)status.transfer_target);
    } else if ((size_t)refusal < sizeof of_nodes / sizeof *of_nodes &&
               of_nodes[refusal].text != NULL) {
        failure_set(failure, of_nodes[refusal].code, of_nodes[refusal].text,
                    (unsigned long long)node->id);
    } else {
        bad_request(refusal, failure);
    }
}
