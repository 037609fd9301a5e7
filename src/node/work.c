/*
 * Committed entries to the machine, one after the other, and reads between them. It applies each
 * index once, in order, and stops the node where the machine fails: a replica that cannot apply
 * must not go on.
 */
#include "node/internal.h"

#include <stdio.h>

static void machine_failed(struct node *node, uint64_t index, const struct failure *failure)
{
    char text[240];
    (void)snprintf(text, sizeof text, "the machine failed at index %llu: %.180s",
                   (unsigned long long)index,
                   failure->message[0] == 0 ? "no reason given" : failure->message);
    node->work.machine_failed = true;
    node_fail(node, text);
}

static void apply_one(struct node *node)
{
    struct work *work = &node->work;
    uint64_t index = work->next;
    struct raft_entry entry = *raft_entry_at(node->raft, index);
    enum members_form form = MEMBERS_SIMPLE;
    enum machine_verdict verdict = MACHINE_APPLIED;
    uint64_t state_hash = 0;
    buffer_clear(&work->result);
    if (raft_entry_kind(&entry) == RAFT_ENTRY_COMMAND) {
        struct failure failure;
        failure_clear(&failure);
        if (!machine_apply(node->machine, index, raft_entry_payload(&entry), &work->result,
                           &verdict, &failure) ||
            (node->options.compare_states &&
             !machine_digest(node->machine, &state_hash, &failure))) {
            machine_failed(node, index, &failure);
            return;
        }
    }
    work->next++;
    snapshots_count(node, &entry);
    node->has_changed = true;
    application_note(node, NEWS_APPLIED);
    report_applied(node, index, &entry, buffer_bytes(&work->result), state_hash);
    if (raft_entry_kind(&entry) == RAFT_ENTRY_CONFIGURATION) {
        form = removal_applied(node, index, &entry);
        proposals_change_applied(node, index, entry.term, form);
    }
    proposals_applied(node, index,
                      &(struct applied){.term = entry.term,
                                        .form = form,
                                        .verdict = verdict,
                                        .result = buffer_bytes(&work->result)});
}

/* One piece of it; false: nothing is due. Reads first: they no longer wait for an entry. */
static bool run_once(struct node *node)
{
    if (reads_answer_one(node) || transfers_answer_one(node)) {
        return true;
    }
    if (node->work.next <= node->work.last && !restores_is_under_way(node) &&
        !snapshots_hold_back(node)) {
        apply_one(node);
        return true;
    }
    return false;
}

void work_run(struct node *node)
{
    if (node->work.is_under_way) {
        return;
    }
    node->work.is_under_way = true;
    while (node->raft != NULL && run_once(node)) {
    }
    if (node->raft != NULL) {
        snapshots_consider(node);
    }
    node->work.is_under_way = false;
    removal_consider(node);
}

void work_begin(struct node *node, uint64_t first_index)
{
    node->work.next = first_index;
    node->work.last = first_index - 1;
    node->work.machine_failed = false;
}

void work_add(struct node *node, const struct raft_update *update)
{
    ensure(update->apply_first == node->work.last + 1);
    ensure(update->apply_last >= update->apply_first);
    node->work.last = update->apply_last;
}

void work_installed(struct node *node, uint64_t index)
{
    ensure(index >= node->work.next);
    work_begin(node, index + 1);
}

/* What the machine has applied: nothing, while it is being restored. */
uint64_t work_applied(const struct node *node)
{
    return restores_is_under_way(node) ? 0 : node->work.next - 1;
}

bool work_machine_failed(const struct node *node)
{
    return node->work.machine_failed;
}

void work_clear(struct node *node)
{
    buffer_free(&node->work.result);
}
