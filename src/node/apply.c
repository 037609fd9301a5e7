/*
 * Committed entries to the machine, one after the other, and answers to those who wait for them. It
 * applies each index once, in order, and stops the node where the machine fails: a replica that
 * cannot apply must not go on.
 */
#include "node/internal.h"

#include <stdio.h>

/* A node that was dropped stays for so long, so that its last answers, and the last commit of a
 * leader that dropped itself, reach the others. */
#define REMOVAL_DELAY_MAX_NS 100000000

/* ---- those who wait for an entry ------------------------------------------------------------ */

static void tell_superseded(struct node *node, const struct waiter *waiter)
{
    struct node_outcome outcome = {.index = waiter->index, .term = waiter->term};
    failure_set(&outcome.failure, FAILURE_SUPERSEDED,
                "another leader's entries took the place of index %llu (the one of term %llu was "
                "given up)",
                (unsigned long long)waiter->index, (unsigned long long)waiter->term);
    asker_tell(node, &waiter->asker, &outcome);
}

static void tell_applied(struct node *node, const struct waiter *waiter, uint64_t index,
                         uint64_t term, struct bytes result)
{
    struct node_outcome outcome;
    failure_clear(&outcome.failure);
    outcome.index = index;
    outcome.term = term;
    outcome.result = result;
    asker_tell(node, &waiter->asker, &outcome);
}

/* The first entry of a change was applied: it is done at once where that is all, else with the
 * final configuration. */
static void first_of_change(struct node *node, const struct waiter *waiter, bool joint)
{
    if (joint) {
        ensure(!node->change_waits);
        node->change = *waiter;
        node->change_waits = true;
    } else {
        tell_applied(node, waiter, waiter->index, waiter->term, (struct bytes){NULL, 0});
    }
}

static void tell_waiters(struct node *node, uint64_t index, uint64_t term, bool joint,
                         struct bytes result)
{
    struct waiter waiter;
    while (waiters_take(&node->waiters, index, &waiter)) {
        if (waiter.term != term) {
            tell_superseded(node, &waiter);
        } else if (waiter.change) {
            first_of_change(node, &waiter, joint);
        } else {
            tell_applied(node, &waiter, index, term, result);
        }
    }
    /* No log has an entry of a lower term behind this one, which is committed (paper, 5.3): who
     * waits for such a one would wait for ever where nothing new is written. */
    uint32_t slot = 0;
    while (waiters_take_older(&node->waiters, term, &slot, &waiter)) {
        tell_superseded(node, &waiter);
    }
}

/* ---- configurations ------------------------------------------------------------------------- */

static void forget_those_missing_in(struct node *node, const struct raft_configuration *here,
                                    const struct raft_configuration *there, uint64_t index)
{
    for (uint32_t i = 0; i < here->count; i++) {
        uint64_t id = here->members[i].id;
        const struct store_peer *met = store_met(node->store, id);
        if (id != node->id && raft_configuration_find(there, id) == NULL &&
            (met == NULL || met->index < index)) {
            store_forget(node->store, id);
            peers_forgotten(node, id);
        }
    }
}

/* A server that was dropped may come back with another disk, and one that joins may be such: what
 * is known from before is forgotten. A configuration that is replayed after a restart, from before
 * the server was met, says nothing of it. */
static void follow_disks(struct node *node, const struct raft_configuration *members,
                         uint64_t index)
{
    forget_those_missing_in(node, &node->applied_members, members, index);
    forget_those_missing_in(node, members, &node->applied_members, index);
}

static void apply_configuration(struct node *node, uint64_t index, const struct raft_entry *entry,
                                bool *joint)
{
    struct raft_configuration members = {0};
    bool whole = raft_configuration_decode(raft_entry_payload(entry), &members);
    ensure(whole); /* the core took it into force */
    *joint = members.joint;
    node->tell_members = true;
    if (raft_configuration_find(&members, node->id) != NULL) {
        node->was_member = true;
        node->removal_index = 0;
    } else if (!members.joint && node->was_member) {
        node->was_member = false;
        node->removal_index = index;
        node->dropped_index = index;
    }
    follow_disks(node, &members, index);
    raft_configuration_free(&node->applied_members);
    node->applied_members = members;
    if (!*joint && node->change_waits && index > node->change.index) {
        node->change_waits = false;
        struct waiter change = node->change;
        tell_applied(node, &change, index, entry->term, (struct bytes){NULL, 0});
    }
}

/* A node that replays a log may meet a configuration that dropped it once, long before it was added
 * again: then the newest one that it has, or one that a peer has told it of, lists it. */
void node_consider_removal(struct node *node)
{
    struct raft_status status;
    if (node->removal_index < node->listed_until ||
        raft_configuration_find(raft_members(node->raft), node->id) != NULL ||
        node->removal_armed) {
        return;
    }
    int64_t delay_ns = node->options.raft.heartbeat_interval_ns;
    if (delay_ns > REMOVAL_DELAY_MAX_NS) {
        delay_ns = REMOVAL_DELAY_MAX_NS;
    }
    raft_get_status(node->raft, &status);
    node->removal_last = status.last_index;
    node->removal_armed = true;
    node->world->operations->wake_at(node->world, &node->removal_wakeup,
                                     world_now_ns(node->world) + delay_ns);
}

/* ---- the work ------------------------------------------------------------------------------- */

static void machine_failed(struct node *node, uint64_t index, const struct failure *failure)
{
    char text[sizeof node->error];
    (void)snprintf(text, sizeof text, "the machine failed at index %llu: %.180s",
                   (unsigned long long)index,
                   failure->message[0] == 0 ? "no reason given" : failure->message);
    node_fail(node, text);
}

static void apply_one(struct node *node)
{
    uint64_t index = node->apply_next;
    struct raft_entry entry = *raft_entry_at(node->raft, index);
    bool joint = false;
    buffer_clear(&node->result);
    if (raft_entry_kind(&entry) == RAFT_ENTRY_COMMAND) {
        struct failure failure;
        failure_clear(&failure);
        if (!machine_apply(node->machine, index, raft_entry_payload(&entry), &node->result,
                           &failure)) {
            machine_failed(node, index, &failure);
            return;
        }
    }
    node->apply_next++;
    node->tell_applied = true;
    report_applied(node, index, &entry, buffer_bytes(&node->result));
    if (raft_entry_kind(&entry) == RAFT_ENTRY_CONFIGURATION) {
        apply_configuration(node, index, &entry, &joint);
    }
    if (node->waiters.count > 0) {
        tell_waiters(node, index, entry.term, joint, buffer_bytes(&node->result));
    }
}

/* One piece of it; false: nothing is due. Reads first: they wait for no entry any more. */
static bool work_once(struct node *node)
{
    if (node->ready_reads.count > 0) {
        struct ready_read ready = *ring_at(&node->ready_reads, 0);
        if (ready.index < node->apply_next) {
            (void)ring_pop(&node->ready_reads);
            node_answer_read(node, &ready);
            return true;
        }
    }
    if (node->apply_next <= node->apply_last) {
        apply_one(node);
        return true;
    }
    return false;
}

void node_work(struct node *node)
{
    if (node->working) {
        return;
    }
    node->working = true;
    while (node->raft != NULL && work_once(node)) {
    }
    node->working = false;
    if (node->raft != NULL && node->removal_index != 0) {
        node_consider_removal(node);
    }
}
