/*
 * Member changes and calls between nodes: asked of a node directly, answered once, later. What the
 * node will tell is a hook, which outlives the ticket of somebody who stopped waiting.
 */
#include "cluster/internal.h"

#include <string.h>

struct hook *hook_new(struct cluster *cluster, struct ticket *ticket)
{
    struct hook *hook = memory_new_zeroed(1, sizeof *hook);
    hook->cluster = cluster;
    hook->ticket = ticket->number;
    hook->next = cluster->hooks;
    if (hook->next != NULL) {
        hook->next->previous = hook;
    }
    cluster->hooks = hook;
    ticket->hook = hook;
    return hook;
}

void hook_free(struct hook *hook)
{
    if (hook->previous != NULL) {
        hook->previous->next = hook->next;
    } else {
        ensure(hook->cluster->hooks == hook);
        hook->cluster->hooks = hook->next;
    }
    if (hook->next != NULL) {
        hook->next->previous = hook->previous;
    }
    memory_free(hook);
}

static void told(void *context, uint64_t number, const struct node_outcome *outcome)
{
    struct hook *hook = context;
    struct cluster *cluster = hook->cluster;
    (void)number;
    struct ticket *ticket = hook->ticket != 0 ? ticket_find(cluster, hook->ticket) : NULL;
    if (ticket != NULL) {
        ticket->hook = NULL;
        ticket->outcome.failure = outcome->failure;
        if (outcome->index != 0) {
            ticket->outcome.index = outcome->index;
            ticket->outcome.term = outcome->term;
        }
        buffer_append(&ticket->result, outcome->result.data, outcome->result.size);
        ticket_ready(cluster, ticket);
    }
    hook_free(hook);
}

/* Who is a member already stays the server that it is, whatever disk that id has now. */
static bool add_members(const struct cluster *cluster, const struct raft_configuration *present,
                        const uint64_t *ids, size_t count, bool voter,
                        struct raft_configuration *wanted, struct failure *failure)
{
    for (size_t i = 0; i < count; i++) {
        const struct member *known = cluster_member(cluster, ids[i]);
        if (known == NULL) {
            return cluster_no_such(failure, ids[i]);
        }
        struct raft_member member;
        cluster_describe(known, &member);
        member.voter = voter;
        member.learner = !voter;
        if (raft_configuration_find(present, ids[i]) != NULL) {
            member.directory = 0;
        }
        raft_configuration_put(wanted, &member);
    }
    return true;
}

uint64_t cluster_change_members(struct cluster *cluster, uint64_t id,
                                const struct cluster_members *wanted, int64_t deadline_ns,
                                uint64_t *index, uint64_t *term, struct failure *failure)
{
    struct node *node = cluster_node(cluster, id);
    if (node == NULL) {
        cluster_no_such(failure, id);
        return 0;
    }
    const struct raft_configuration *present = node_view(node)->members;
    struct raft_configuration configuration = {0};
    uint64_t number = 0;
    if (add_members(cluster, present, wanted->voters, wanted->voter_count, true, &configuration,
                    failure) &&
        add_members(cluster, present, wanted->learners, wanted->learner_count, false,
                    &configuration, failure)) {
        struct ticket *ticket = ticket_new(cluster, TICKET_CHANGE, deadline_ns);
        struct hook *hook = hook_new(cluster, ticket);
        number = ticket->number;
        if (node_change(node, &configuration, index, term,
                        &(struct node_asker){.done = told, .context = hook}, failure)) {
            cluster_trace_fault(cluster, "change_members", wanted->voters, wanted->voter_count);
        } else {
            ticket->hook = NULL;
            hook_free(hook);
            cluster_forget(cluster, number);
            number = 0;
        }
    }
    raft_configuration_free(&configuration);
    return number;
}

uint64_t cluster_call(struct cluster *cluster, uint64_t from, uint64_t to, struct bytes value,
                      int64_t deadline_ns, struct failure *failure)
{
    struct node *node = cluster_node(cluster, from);
    if (node == NULL || cluster_node(cluster, to) == NULL) {
        cluster_no_such(failure, node == NULL ? from : to);
        return 0;
    }
    struct ticket *ticket = ticket_new(cluster, TICKET_CALL, deadline_ns);
    struct hook *hook = hook_new(cluster, ticket);
    uint64_t number = ticket->number;
    ticket->call_node = from;
    ticket->call =
        node_call(node, to, value,
                  &(struct node_asker){.done = told, .context = hook, .number = number}, failure);
    if (ticket->call == 0) {
        ticket->hook = NULL;
        hook_free(hook);
        cluster_forget(cluster, number);
        return 0;
    }
    return number;
}
