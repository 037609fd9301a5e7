/*
 * What a parent sees of a child's node: the view that the child sends when it has changed, and
 * parts of its log that it is asked for. It never asks a child that cannot answer.
 */
#include "process/internal.h"

#include <stdio.h>

bool sight_view_came(struct process *process, struct batch *message)
{
    struct node_view *view = &process->sight.view;
    if (!control_read_view((struct bytes){message->data, message->size}, &process->sight)) {
        return false;
    }
    bool has_ended =
        view->state == NODE_FAILED || view->state == NODE_REMOVED || view->state == NODE_STOPPED;
    if (process->is_paused) {
        view->state = NODE_PAUSED;
    } else if (process->is_stopping && !has_ended) {
        view->state = NODE_STOPPING;
    }
    process->options.on_changed(process->options.context);
    return true;
}

void sight_ended(struct process *process, enum node_state state, const char *error)
{
    struct sight *sight = &process->sight;
    struct node_view *view = &sight->view;
    char text[sizeof sight->error];
    (void)snprintf(text, sizeof text, "%s", error);
    sight_forget_log(process);
    view->state = state;
    view->is_up = false;
    view->role = RAFT_FOLLOWER;
    view->leader = 0;
    view->commit_index = 0;
    view->applied_index = 0;
    view->members_index = 0;
    view->is_member = false;
    view->turned_away_by = 0;
    raft_configuration_free(&sight->members);
    sight->peers.count = 0;
    sight->address[0] = '\0';
    (void)snprintf(sight->error, sizeof sight->error, "%s", text);
}

const struct node_view *process_view(struct process *process)
{
    return &process->sight.view;
}

bool process_peer_at(const struct process *process, uint32_t position,
                     struct raft_peer_status *peer)
{
    if (position >= process->sight.peers.count) {
        return false;
    }
    *peer = process->sight.peers.items[position];
    return true;
}

uint64_t process_pid(const struct process *process)
{
    return (uint64_t)process->pid;
}

uint64_t process_drop_count(const struct process *process)
{
    return process->sight.drops;
}

/* ---- its log -------------------------------------------------------------------------------- */

void sight_forget_log(struct process *process)
{
    for (size_t i = 0; i < process->entries.count; i++) {
        batch_release(process->entries.items[i].batch);
    }
    process->entries.count = 0;
}

static void fetch(struct process *process, uint64_t index)
{
    struct control_answer answer;
    struct failure failure;
    uint64_t changes = process->sight.log_changes;
    struct batch *result = orders_await(
        process, orders_begin(process, CONTROL_LOG, (struct control_order){.number = index}),
        &answer, &failure);
    if (result == NULL) {
        return;
    }
    struct field_reader reader = {.rest = answer.bytes};
    sight_forget_log(process);
    process->entries_first = answer.index;
    process->entries_changes = changes; /* what has changed meanwhile makes it of no use */
    while (reader.rest.size > 0) {
        struct raft_entry entry;
        if (!control_read_entry(&reader, &entry)) {
            sight_forget_log(process);
            break;
        }
        *array_push(&process->entries) = entry;
    }
    batch_release(result);
}

/* What is on the disk from that index on, as far as one answer has room. */
static bool fetch_from_disk(struct process *process, uint64_t index, struct failure *failure)
{
    struct node_view *view = &process->sight.view;
    struct control_answer answer;
    struct control_disk disk;
    struct raft_entry entry;
    struct batch *result = orders_await(
        process, orders_begin(process, CONTROL_DISK, (struct control_order){.number = index}),
        &answer, failure);
    if (result == NULL || answer.failure.code != FAILURE_NONE) {
        if (result != NULL && failure != NULL) {
            failure_copy(failure, &answer.failure);
        }
        batch_release(result);
        return false;
    }
    struct field_reader reader = {.rest = answer.bytes};
    control_read_disk(&reader, &disk, &process->sight.snapshot_members);
    view->term = disk.term;
    view->vote = disk.vote;
    view->first_index = disk.first_index;
    view->last_index = disk.last_index;
    while (reader.rest.size > 0 && control_read_entry(&reader, &entry)) {
        *array_push(&process->entries) = entry;
    }
    batch_release(result);
    return true;
}

bool process_read_disk(struct process *process, struct failure *failure)
{
    struct node_view *view = &process->sight.view;
    uint64_t wanted = 0;
    if (process_is_alive(process)) {
        return true;
    }
    if (!process_open(process, false, failure) || !process_await_open(process, failure)) {
        return false;
    }
    sight_forget_log(process);
    bool is_read = false;
    do {
        is_read = fetch_from_disk(process, wanted, failure);
        process->entries_first = view->first_index;
        process->entries_changes = process->sight.log_changes;
        wanted = view->first_index + process->entries.count;
    } while (is_read && wanted <= view->last_index);
    process_kill(process); /* its disk is free for whoever runs next */
    return is_read;
}

static const struct raft_entry *find(const struct process *process, uint64_t index)
{
    bool is_there = process->entries_changes == process->sight.log_changes &&
                    index >= process->entries_first &&
                    index - process->entries_first < process->entries.count;
    return is_there ? &process->entries.items[index - process->entries_first] : NULL;
}

const struct raft_entry *process_log_read(struct process *process, uint64_t index)
{
    const struct node_view *view = &process->sight.view;
    if (index < view->first_index || index > view->last_index) {
        return NULL;
    }
    const struct raft_entry *entry = find(process, index);
    if (entry == NULL && view->state == NODE_RUNNING && process_is_alive(process)) {
        fetch(process, index);
        entry = find(process, index);
    }
    return entry;
}
