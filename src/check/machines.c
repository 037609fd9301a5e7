/*
 * machines: what the state machines are given and what they answer: in order, none skipped and none
 * repeated, only what is committed, and the same answer to the same entry on every node and after
 * every restart.
 *
 * It knows of answers only their hashes.
 */
#include "check/internal.h"

#include <inttypes.h>

/* Is it the entry that was committed there? */
static bool judge_entry(struct checker *checker, const struct check_node *node,
                        const struct trace_event *event)
{
    struct term *committed = chain_term(&checker->committed, event->index);
    if (committed == NULL) {
        return true;
    }
    if (event->prev_term != 0 && committed->term != event->prev_term) {
        checker_report(checker, event, CHECK_STATE_MACHINE_SAFETY,
                       checker_holder(checker, event->index, committed, node->id),
                       "node %" PRIu64 " applies at index %" PRIu64 " an entry of term %" PRIu64
                       ", where an entry of term %" PRIu64 " was committed",
                       node->id, event->index, event->prev_term, committed->term);
        return false;
    }
    if (event->hash == 0 || event->index < checker->forgotten) {
        return true;
    }
    uint32_t known = *hashes_at(&committed->hashes, event->index);
    if (known != 0 && known != hashes_digest(event->hash)) {
        checker_report(checker, event, CHECK_STATE_MACHINE_SAFETY,
                       checker_holder(checker, event->index, committed, node->id),
                       "node %" PRIu64 " applies at index %" PRIu64
                       " something other than the entry of term %" PRIu64
                       " that was committed there",
                       node->id, event->index, committed->term);
        return false;
    }
    return true;
}

static bool judge_order(struct checker *checker, const struct check_node *node,
                        const struct trace_event *event)
{
    if (event->index != node->applied + 1 && node->life > 0) {
        checker_report(checker, event, CHECK_STATE_MACHINE_SAFETY, 0,
                       "node %" PRIu64 " applies index %" PRIu64 " after index %" PRIu64
                       "; expected index %" PRIu64 ": none is skipped and none repeated",
                       node->id, event->index, node->applied, node->applied + 1);
        return false;
    }
    if (event->index > node->commit && node->life > 0) {
        checker_report(checker, event, CHECK_STATE_MACHINE_SAFETY, 0,
                       "node %" PRIu64 " applies index %" PRIu64
                       ", but its commit index is %" PRIu64 "; only committed entries are applied",
                       node->id, event->index, node->commit);
        return false;
    }
    return true;
}

/* Another node that has applied that index; it need not be the one whose answer was kept. */
static uint64_t applied_elsewhere(const struct checker *checker, const struct check_node *node,
                                  uint64_t index)
{
    for (size_t i = 0; i < checker->nodes.count; i++) {
        if (checker->nodes.items[i] != node && checker->nodes.items[i]->applied >= index) {
            return checker->nodes.items[i]->id;
        }
    }
    return 0;
}

void machines_apply(struct checker *checker, struct check_node *node,
                    const struct trace_event *event)
{
    if (!judge_order(checker, node, event) || !judge_entry(checker, node, event)) {
        return;
    }
    node->applied = event->index;
    if (!event->flag || event->index < checker->forgotten) {
        return;
    }
    uint32_t *place = hashes_at(&checker->answers, event->index);
    uint32_t digest = hashes_digest(event->answer_hash);
    if (*place == 0) {
        *place = digest;
    } else if (*place != digest) {
        checker_report(
            checker, event, CHECK_SAME_ANSWERS, applied_elsewhere(checker, node, event->index),
            "the machine of node %" PRIu64 " answers the command at index %" PRIu64
            " (term %" PRIu64 ") differently from the first answer, given by another node "
            "or before a restart; a state machine must be deterministic",
            node->id, event->index, event->prev_term);
    }
}

/* The state of the machine, where it tells a digest, is the same at an index on every node. */
static bool judge_state(struct checker *checker, const struct check_node *node,
                        const struct trace_event *event)
{
    size_t place = array_place(&checker->states, index, event->index);
    bool is_known =
        place < checker->states.count && checker->states.items[place].index == event->index;
    if (event->answer_hash == 0 || event->index < checker->forgotten) {
        return true;
    }
    if (!is_known) {
        *array_insert(&checker->states, place) =
            (struct state_digest){event->index, event->answer_hash};
    } else if (checker->states.items[place].digest != event->answer_hash) {
        checker_report(checker, event, CHECK_SAME_ANSWERS,
                       applied_elsewhere(checker, node, event->index),
                       "the machine of node %" PRIu64 " has another state at index %" PRIu64
                       " than was told first, by another node or before; a state machine must be "
                       "deterministic, and be restored as its snapshot was taken",
                       node->id, event->index);
        return false;
    }
    return true;
}

void machines_forget(struct checker *checker, uint64_t low)
{
    array_remove(&checker->states, 0, array_place(&checker->states, index, low));
}

void machines_restore(struct checker *checker, struct check_node *node,
                      const struct trace_event *event)
{
    (void)judge_state(checker, node, event);
}

void machines_snapshot(struct checker *checker, struct check_node *node,
                       const struct trace_event *event)
{
    if (event->index > node->applied && node->life > 0) {
        checker_report(checker, event, CHECK_STATE_MACHINE_SAFETY, 0,
                       "node %" PRIu64 " takes a snapshot as of index %" PRIu64
                       ", but has applied up to index %" PRIu64,
                       node->id, event->index, node->applied);
        return;
    }
    if (!commits_judge_snapshot(checker, node, event, event->index, "takes") ||
        !judge_state(checker, node, event)) {
        return;
    }
    if (event->index > node->snapshot) {
        node->snapshot = event->index;
        checker_forget(checker);
    }
}

void machines_install(struct checker *checker, struct check_node *node,
                      const struct trace_event *event)
{
    uint64_t index = event->index;
    if (index < node->commit && index >= node->applied) {
        checker_report(checker, event, CHECK_COMMITTED_IS_KEPT, 0,
                       "node %" PRIu64 " replaces its log by a snapshot as of index %" PRIu64
                       ", but knows that what it has is committed up to index %" PRIu64,
                       node->id, index, node->commit);
        return;
    }
    if (index < node->applied) {
        checker_report(checker, event, CHECK_STATE_MACHINE_SAFETY, 0,
                       "node %" PRIu64 " installs a snapshot as of index %" PRIu64
                       " over what it has applied up to index %" PRIu64,
                       node->id, index, node->applied);
        return;
    }
    if (!commits_judge_snapshot(checker, node, event, index, "installs") ||
        !configurations_judge_snapshot(checker, node, event, index)) {
        return;
    }
    struct term *committed = chain_term(&checker->committed, index);
    struct term *held = chain_term(&node->log, index);
    if (committed == NULL && event->prev_term != 0) {
        committed = terms_get(&checker->terms, event->prev_term);
    }
    durability_install(node, index, committed);
    if (held != NULL && held == committed) {
        chain_compact(&node->log, index); /* what follows the snapshot's last entry is kept */
    } else {
        chain_reset(&node->log, index, committed);
        configurations_forget(node);
        (void)configurations_take(checker, node, event); /* the snapshot's */
    }
    node->applied = index;
    node->snapshot = index;
    node->commit = index > node->commit ? index : node->commit;
    checker_forget(checker);
}
