/*
 * Transfers of leadership until it is known what came of them: who asked for one is told exactly
 * once. It decides nothing about who leads.
 */
#include "node/internal.h"

#include <string.h>

static void explain_end(const struct node *node, const struct raft_update *update,
                        const struct transfer_wait *wait, struct failure *failure)
{
    unsigned long long id = node->id;
    unsigned long long target = wait->target;
    if (update->transfer_ended == RAFT_TRANSFER_TIMED_OUT) {
        failure_set(failure, FAILURE_TIMEOUT,
                    update->transfer_told
                        ? "node %llu was told by node %llu to take leadership over, and did not "
                          "within an election time-out"
                        : "node %llu did not have the log of node %llu within an election time-out",
                    target, id);
    } else {
        failure_set(failure, FAILURE_NOT_MEMBER,
                    "node %llu cannot take leadership over from node %llu: it is no voter", target,
                    id);
    }
    failure->unknown = update->transfer_told;
}

/* What came of it, where that is known by now. */
static void judge(const struct node *node, const struct raft_update *update,
                  const struct raft_status *status, struct transfer_wait *wait)
{
    struct node_outcome *outcome = &wait->outcome;
    if (update->transfer_ended != RAFT_TRANSFER_NOT_ENDED) {
        explain_end(node, update, wait, &outcome->failure);
        wait->is_over = true;
        return;
    }
    if (status->leader == 0 || (status->leader == node->id && status->term == wait->term)) {
        return;
    }
    if (status->leader != wait->target) {
        failure_set(&outcome->failure, FAILURE_NOT_LEADER,
                    "node %llu took leadership over instead of node %llu",
                    (unsigned long long)status->leader, (unsigned long long)wait->target);
        outcome->failure.leader = status->leader;
    }
    outcome->index = wait->target;
    outcome->term = status->term;
    wait->is_over = true;
}

void transfers_follow(struct node *node, const struct raft_update *update,
                      const struct raft_status *status)
{
    for (size_t i = 0; i < node->transfers.waiting.count; i++) {
        struct transfer_wait *wait = &node->transfers.waiting.items[i];
        if (!wait->is_over) {
            judge(node, update, status, wait);
        }
    }
}

bool transfers_answer_one(struct node *node)
{
    for (size_t i = 0; i < node->transfers.waiting.count; i++) {
        struct transfer_wait wait = node->transfers.waiting.items[i];
        if (wait.is_over) {
            array_remove(&node->transfers.waiting, i, 1);
            clients_tell(node, &wait.asker, &wait.outcome);
            return true;
        }
    }
    return false;
}

/* Of the voters that it is connected to, the one whose log is furthest; 0: there is none. */
static uint64_t best_target(const struct node *node)
{
    const struct raft_configuration *members = raft_members(node->raft);
    struct raft_peer_status peer;
    uint64_t best = 0;
    uint64_t best_match = 0;
    for (uint32_t i = 0; raft_peer_at(node->raft, i, &peer); i++) {
        const struct raft_member *member = raft_configuration_find(members, peer.id);
        if (member != NULL && member->voter && node_is_connected(node, peer.id) &&
            (best == 0 || peer.match_index > best_match)) {
            best = peer.id;
            best_match = peer.match_index;
        }
    }
    return best;
}

bool node_transfer(struct node *node, uint64_t target, const struct node_asker *asker,
                   struct failure *failure)
{
    struct reply reply = {0};
    struct raft_status status;
    struct raft_event event = {.kind = RAFT_EVENT_TRANSFER, .target = target};
    if (!node_check_running(node, failure)) {
        return false;
    }
    if (target == 0) {
        event.target = best_target(node);
    }
    if (event.target == 0) {
        refusal_explain(node, RAFT_NO_VOTER, failure);
        return false;
    }
    drive_step(node, &event, &reply);
    if (!node_check_running(node, failure)) {
        return false;
    }
    if (reply.refusal != RAFT_ACCEPTED) {
        refusal_explain(node, reply.refusal, failure);
        return false;
    }
    raft_get_status(node->raft, &status);
    struct transfer_wait wait = {
        .target = status.transfer_target, .term = status.term, .asker = *asker};
    if (target == node->id) {
        wait.is_over = true;
        wait.outcome.index = target;
        wait.outcome.term = status.term;
    }
    *array_push(&node->transfers.waiting) = wait;
    work_run(node);
    application_tell_soon(node);
    return true;
}

void transfers_end(struct node *node, bool tell)
{
    struct transfers transfers = node->transfers;
    memset(&node->transfers, 0, sizeof node->transfers);
    for (size_t i = 0; tell && i < transfers.waiting.count; i++) {
        clients_tell_down(node, &transfers.waiting.items[i].asker, 0, 0);
    }
    array_free(&transfers.waiting);
}
