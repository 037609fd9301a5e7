/*
 * Committed entries to the machine, one after the other, and answers to those who wait for them. It
 * applies each index once, in order, and stops the node where the machine fails: a replica that
 * cannot apply must not go on.
 */
#include "node/internal.h"

#include <stdio.h>
#include <string.h>

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

/* It was applied all the same. */
static void tell_too_large(struct node *node, const struct waiter *waiter)
{
    struct node_outcome outcome = {.index = waiter->index, .term = waiter->term};
    failure_set(&outcome.failure, FAILURE_TOO_LARGE,
                "the command was applied at index %llu, but its result is larger than %u bytes",
                (unsigned long long)waiter->index, VALUE_BYTES_MAX);
    outcome.failure.unknown = true;
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
        } else if (result.size == 0) {
            tell_too_large(node, &waiter);
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

/* Whether what the application is told of members is another. */
static bool differs(const struct raft_configuration *a, const struct raft_configuration *b)
{
    bool same = a->count == b->count && a->joint == b->joint;
    for (uint32_t i = 0; same && i < a->count; i++) {
        const struct raft_member *one = &a->members[i];
        const struct raft_member *other = &b->members[i];
        same = one->id == other->id && one->voter == other->voter &&
               one->learner == other->learner && one->voter_old == other->voter_old &&
               one->address_size == other->address_size &&
               memcmp(one->address, other->address, one->address_size) == 0;
    }
    return !same;
}

static void apply_configuration(struct node *node, uint64_t index, const struct raft_entry *entry,
                                bool *joint)
{
    struct raft_configuration members = {0};
    bool whole = raft_configuration_decode(raft_entry_payload(entry), &members);
    ensure(whole); /* the core took it into force */
    *joint = members.joint;
    node->tell_members = node->tell_members || differs(&node->applied_members, &members);
    /* A configuration that lists another server of this id, a former life, concerns this one
     * neither by listing it nor by removing it. */
    if (raft_configuration_lists(&members, node->id, node->directory)) {
        node->was_member = true;
        node->removal_index = 0;
    } else if (!members.joint && node->was_member) {
        node->was_member = false;
        node->removal_index = index;
    }
    raft_configuration_free(&node->applied_members);
    node->applied_members = members;
    if (!*joint && node->change_waits && index > node->change.index) {
        node->change_waits = false;
        struct waiter change = node->change;
        tell_applied(node, &change, index, entry->term, (struct bytes){NULL, 0});
    }
}

/* It may have been added again with the same disk, by what its log holds already. */
static bool is_listed(const struct node *node)
{
    return raft_configuration_lists(raft_members(node->raft), node->id, node->directory);
}

void node_consider_removal(struct node *node)
{
    int64_t delay_ns = node->options.raft.heartbeat_interval_ns;
    if (is_listed(node) || node->removal_armed) {
        return;
    }
    if (delay_ns > REMOVAL_DELAY_MAX_NS) {
        delay_ns = REMOVAL_DELAY_MAX_NS;
    }
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
