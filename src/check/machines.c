/*
 * machines: what the state machines are given and what they answer: in order, none skipped and none
 * repeated, only what is committed, and the same answer to the same entry on every node and after
 * every restart.
 *
 * It judges answers and states by their hashes; the latest answers it keeps to show them.
 */
#include "check/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

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

/* ---- answers and states ---------------------------------------------------------------------- */

static void keep(struct checker *checker, const struct trace_event *event)
{
    if (checker->kept == NULL) {
        checker->kept = memory_new_zeroed(KEPT_ANSWERS, sizeof *checker->kept);
    }
    struct kept_answer *kept = &checker->kept[event->index % KEPT_ANSWERS];
    struct bytes answer = event->applied == NULL ? (struct bytes){0} : event->applied->answer;
    *kept = (struct kept_answer){.index = event->index,
                                 .node = event->node,
                                 .state_hash = event->state_hash,
                                 .size = (uint32_t)answer.size};
    if (answer.size > 0 && answer.size <= KEPT_BYTES) {
        memcpy(kept->bytes, answer.data, answer.size);
    }
}

/* NULL: it is no longer known. */
static const struct kept_answer *kept_at(const struct checker *checker, uint64_t index)
{
    const struct kept_answer *kept =
        checker->kept == NULL ? NULL : &checker->kept[index % KEPT_ANSWERS];
    return kept != NULL && kept->index == index ? kept : NULL;
}

/* An encoded value as JSON, cut short; what is not known as "?". */
static const char *shown(char *text, size_t size, struct bytes value)
{
    struct buffer out = {0};
    if (value.size == 0 || !json_write_value(&out, value)) {
        (void)snprintf(text, size, "?");
    } else {
        (void)snprintf(text, size, "%.*s%s", (int)(out.size < size - 4 ? out.size : size - 4),
                       (const char *)out.data, out.size < size - 4 ? "" : "...");
    }
    buffer_free(&out);
    return text;
}

/* Which command it was, and what each of the two made of it. */
static void describe(const struct checker *checker, const struct trace_event *event, bool state,
                     char *text, size_t size)
{
    char command[120];
    char here[KEPT_BYTES];
    char there[KEPT_BYTES];
    const struct kept_answer *kept = kept_at(checker, event->index);
    struct bytes first = {0};
    text[0] = 0;
    if (kept == NULL || event->applied == NULL) {
        return;
    }
    if (kept->size <= KEPT_BYTES) {
        first = (struct bytes){kept->bytes, kept->size};
    }
    shown(command, sizeof command, event->applied->command);
    if (state) {
        (void)snprintf(text, size,
                       "; the command is %s; the digest is %016" PRIx64 " on node %" PRIu64
                       " and was %016" PRIx64 " on node %" PRIu64,
                       command, event->state_hash, event->node, kept->state_hash, kept->node);
    } else {
        (void)snprintf(text, size,
                       "; the command is %s; node %" PRIu64 " answers %s, and node %" PRIu64
                       " answered %s",
                       command, event->node, shown(here, sizeof here, event->applied->answer),
                       kept->node, shown(there, sizeof there, first));
    }
}

/* The node that told it first, if it is another; else any other that has applied the entry. */
static uint64_t told_elsewhere(const struct checker *checker, const struct check_node *node,
                               uint64_t index)
{
    const struct kept_answer *kept = kept_at(checker, index);
    return kept != NULL && kept->node != node->id ? kept->node
                                                  : applied_elsewhere(checker, node, index);
}

static void judge_answer(struct checker *checker, const struct check_node *node,
                         const struct trace_event *event)
{
    uint32_t *place = hashes_at(&checker->answers, event->index);
    uint32_t *state =
        event->state_hash == 0 ? NULL : hashes_at(&checker->applied_states, event->index);
    uint32_t digest = hashes_digest(event->answer_hash);
    char values[360];
    if (*place == 0) {
        *place = digest;
        keep(checker, event);
    } else if (*place != digest) {
        describe(checker, event, false, values, sizeof values);
        checker_report(
            checker, event, CHECK_SAME_ANSWERS, told_elsewhere(checker, node, event->index),
            "the machine of node %" PRIu64 " answers the command at index %" PRIu64
            " (term %" PRIu64 ") differently from the first answer, given by another node "
            "or before a restart; a state machine must be deterministic%s",
            node->id, event->index, event->prev_term, values);
        return;
    }
    if (state != NULL && *state == 0) {
        *state = hashes_digest(event->state_hash);
    } else if (state != NULL && *state != hashes_digest(event->state_hash)) {
        describe(checker, event, true, values, sizeof values);
        checker_report(
            checker, event, CHECK_SAME_ANSWERS, told_elsewhere(checker, node, event->index),
            "the machine of node %" PRIu64 " has another state after the command at index %" PRIu64
            " (term %" PRIu64 ") than was told first, by another node or before a restart; a state "
            "machine must be deterministic%s",
            node->id, event->index, event->prev_term, values);
    }
}

void machines_apply(struct checker *checker, struct check_node *node,
                    const struct trace_event *event)
{
    if (!judge_order(checker, node, event) || !judge_entry(checker, node, event)) {
        return;
    }
    node->applied = event->index;
    if (event->flag && event->index >= checker->forgotten) {
        judge_answer(checker, node, event);
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
