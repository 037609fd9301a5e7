/*
 * Snapshots of this node's own machine: taken when so much was applied since the last one, or when
 * asked for, piece by piece while commands go on being applied; then the log before it is no longer
 * needed. It never looks into the machine's bytes, and decides nothing about the log but how long a
 * tail of it is kept.
 */
#include "node/internal.h"

#include <stdio.h>
#include <string.h>

/* Of the entries that a snapshot covers so many stay, for followers that are only a little behind:
 * a quarter of what leads to the next one. */
#define TAIL_PART 4U
/* What an entry takes in memory beside its payload. */
#define ENTRY_BYTES 64U
/* A snapshot that keeps more of the state that it began with makes the machine wait. */
#define KEPT_BYTES_MAX (32U << 20)
/* So many turns take no more of a snapshot than the node's options say. */
#define SMALL_STEPS_MAX 12U
/* For peers that are being sent a snapshot so much of the log is kept, where nothing is said. */
#define KEPT_LOG_BYTES (128U << 20)

static const struct store_operations *store_of(const struct node *node)
{
    return node->store->operations;
}

void snapshots_prepare(struct node *node)
{
    struct raft_options *options = &node->options.raft;
    uint64_t bytes = node->options.snapshot_bytes;
    if (options->max_kept_bytes == 0) {
        options->max_kept_bytes = bytes == 0 ? KEPT_LOG_BYTES : 2 * bytes;
    }
}

void snapshots_count(struct node *node, const struct raft_entry *applied)
{
    node->snapshots.since_entries++;
    node->snapshots.since_bytes += ENTRY_BYTES + raft_entry_size(applied);
}

size_t snapshots_step_bytes(const struct node *node, uint64_t turns)
{
    size_t given = node->options.snapshot_step_bytes;
    return given == 0 || turns >= SMALL_STEPS_MAX ? SNAPSHOT_PIECE_BYTES : given;
}

bool snapshots_hold_back(const struct node *node)
{
    return node->snapshots.writer != NULL && machine_kept_bytes(node->machine) > KEPT_BYTES_MAX;
}

/* ---- who asked for one ---------------------------------------------------------------------- */

static uint64_t latest_index(const struct node *node)
{
    struct raft_status status;
    raft_get_status(node->raft, &status);
    return status.snapshot_index;
}

/* Those who are content with a snapshot of this index; or all of them, with a failure. */
static void tell(struct node *node, uint64_t index, const struct failure *failure)
{
    __typeof__(node->snapshots.waiters) waiters = node->snapshots.waiters;
    memset(&node->snapshots.waiters, 0, sizeof node->snapshots.waiters);
    for (size_t i = 0; i < waiters.count; i++) {
        if (failure == NULL && waiters.items[i].index > index) {
            *array_push(&node->snapshots.waiters) = waiters.items[i];
        }
    }
    for (size_t i = 0; i < waiters.count; i++) {
        const struct compact_waiter *waiter = &waiters.items[i];
        struct node_outcome outcome = {.index = index};
        if (failure != NULL) {
            failure_copy(&outcome.failure, failure);
        }
        if (failure != NULL || waiter->index <= index) {
            clients_tell(node, &waiter->asker, &outcome);
        }
    }
    array_free(&waiters);
}

/* ---- former ones ---------------------------------------------------------------------------- */

void snapshots_tidy(struct node *node)
{
    struct snapshots *snapshots = &node->snapshots;
    for (size_t i = snapshots->former.count; i > 0; i--) {
        uint64_t index = snapshots->former.items[i - 1];
        if (!restores_reads(node, index) && !raft_sends_snapshot(node->raft, index)) {
            store_of(node)->snapshot_drop(node->store, index);
            array_remove(&snapshots->former, i - 1, 1);
        }
    }
}

void snapshots_replaced(struct node *node, uint64_t last)
{
    if (last != 0) {
        *array_push(&node->snapshots.former) = last;
    }
    snapshots_tidy(node);
}

/* ---- taking one ----------------------------------------------------------------------------- */

static void close_writer(struct node *node)
{
    struct snapshots *snapshots = &node->snapshots;
    snapshots->writer = NULL;
    snapshots->is_last = false;
    snapshots->is_owed = false;
    buffer_free(&snapshots->piece);
    raft_configuration_free(&snapshots->members);
    if (node->machine != NULL) {
        machine_snapshot_end(node->machine);
    }
}

void snapshots_give_up(struct node *node)
{
    if (node->snapshots.writer != NULL) {
        store_of(node)->snapshot_abort(node->snapshots.writer);
        close_writer(node);
    }
}

/* The disk did not take it; what it has it keeps. The next is tried when so much again was
 * applied. */
static void not_taken(struct node *node, const struct failure *failure, bool writer_is_gone)
{
    char text[300];
    struct failure told;
    (void)snprintf(text, sizeof text, "the snapshot of index %llu could not be taken: %.200s",
                   (unsigned long long)node->snapshots.meta.index, failure->message);
    failure_set(&told, FAILURE_STORAGE, "%s", text);
    if (!writer_is_gone) {
        store_of(node)->snapshot_abort(node->snapshots.writer);
    }
    close_writer(node);
    report_notice(node, 0, text);
    tell(node, 0, &told);
}

static void machine_failed(struct node *node, const struct failure *failure)
{
    char text[240];
    (void)snprintf(text, sizeof text,
                   "the machine failed to give its snapshot of index %llu: %.150s",
                   (unsigned long long)node->snapshots.meta.index, failure->message);
    node_fail(node, text);
}

/* Where the log begins from now on: entries that are asked for go; else a tail of it stays. */
static uint64_t first_kept(const struct node *node, uint64_t index)
{
    struct raft_status status;
    raft_get_status(node->raft, &status);
    uint64_t entries = node->options.snapshot_every / TAIL_PART;
    uint64_t bytes = node->options.snapshot_bytes / TAIL_PART;
    for (size_t i = 0; i < node->snapshots.waiters.count; i++) {
        if (node->snapshots.waiters.items[i].index <= index) {
            return index + 1;
        }
    }
    uint64_t first = index + 1;
    while (first > status.first_index && (node->options.snapshot_every == 0 || entries > 0)) {
        uint64_t size = ENTRY_BYTES + raft_entry_size(raft_entry_at(node->raft, first - 1));
        if (size > bytes && node->options.snapshot_bytes != 0) {
            break;
        }
        bytes -= node->options.snapshot_bytes != 0 ? size : 0;
        entries -= node->options.snapshot_every != 0;
        first--;
    }
    return first;
}

static void tell_core(struct node *node, const struct raft_snapshot *taken, uint64_t first_index)
{
    struct raft_event event = {
        .kind = RAFT_EVENT_SNAPSHOT_TAKEN, .snapshot = taken, .first_index = first_index};
    drive_step(node, &event, NULL);
}

static void taken(struct node *node)
{
    struct snapshots *snapshots = &node->snapshots;
    uint64_t last = latest_index(node);
    uint64_t index = snapshots->meta.index;
    report_snapshot(node, &snapshots->meta, snapshots->digest);
    view_count_snapshot(node);
    tell_core(node, &snapshots->meta, first_kept(node, index));
    close_writer(node);
    snapshots_replaced(node, last);
    tell(node, index, NULL);
}

static void finished(struct node *node, const struct failure *failure)
{
    struct snapshots *snapshots = &node->snapshots;
    if (failure->code != FAILURE_NONE) {
        not_taken(node, failure, true);
    } else if (snapshots->latest_index != snapshots->meta.index) { /* a received one came first */
        close_writer(node);
        tell(node, snapshots->latest_index, NULL);
    } else {
        taken(node);
    }
    work_run(node);
}

static void store_finished_it(void *context, const struct raft_snapshot *latest,
                              const struct failure *failure)
{
    struct node *node = context;
    struct snapshots *snapshots = &node->snapshots;
    struct failure outcome;
    failure_clear(&outcome);
    if (failure != NULL) {
        failure_copy(&outcome, failure);
    } else {
        snapshots->latest_index = latest->index;
        snapshots->meta.size = latest->size;
    }
    if (node->state == NODE_PAUSED) {
        snapshots->is_owed = true;
        snapshots->owed_finish = true;
        failure_copy(&snapshots->owed_failure, &outcome);
        return;
    }
    finished(node, &outcome);
    application_tell(node);
}

static void piece_written(void *context, const struct failure *failure);

/* One piece a turn, so that a large state never keeps the loop for long. */
static void write_next(struct node *node)
{
    struct snapshots *snapshots = &node->snapshots;
    struct failure failure;
    failure_clear(&failure);
    buffer_clear(&snapshots->piece);
    if (!machine_snapshot_next(node->machine, snapshots_step_bytes(node, snapshots->turns++),
                               &snapshots->piece, &snapshots->is_last, &failure)) {
        machine_failed(node, &failure);
        return;
    }
    if (snapshots->is_last) {
        snapshots->digest = machine_snapshot_digest(node->machine);
        machine_snapshot_end(node->machine);
    }
    store_of(node)->snapshot_write(snapshots->writer, buffer_bytes(&snapshots->piece),
                                   piece_written, node);
}

static void go_on(struct node *node, const struct failure *failure)
{
    struct snapshots *snapshots = &node->snapshots;
    if (failure->code != FAILURE_NONE) {
        not_taken(node, failure, false);
    } else if (snapshots->is_last) {
        store_of(node)->snapshot_finish(snapshots->writer, store_finished_it, node);
    } else {
        write_next(node);
    }
    if (node->raft != NULL) {
        work_run(node); /* it may have waited */
    }
}

static void piece_written(void *context, const struct failure *failure)
{
    struct node *node = context;
    struct snapshots *snapshots = &node->snapshots;
    struct failure outcome;
    failure_clear(&outcome);
    if (failure != NULL) {
        failure_copy(&outcome, failure);
    }
    if (node->state == NODE_PAUSED) {
        snapshots->is_owed = true;
        snapshots->owed_finish = false;
        failure_copy(&snapshots->owed_failure, &outcome);
        return;
    }
    go_on(node, &outcome);
    application_tell(node);
}

static void begin(struct node *node, const struct raft_snapshot *meta)
{
    struct snapshots *snapshots = &node->snapshots;
    struct failure failure;
    failure_clear(&failure);
    snapshots->meta = *meta;
    raft_configuration_copy(&snapshots->members, meta->members);
    snapshots->meta.members = &snapshots->members;
    snapshots->since_entries = 0;
    snapshots->since_bytes = 0;
    snapshots->turns = 0;
    if (!machine_snapshot_begin(node->machine, &failure)) {
        machine_failed(node, &failure);
        return;
    }
    snapshots->writer = store_of(node)->snapshot_begin(node->store, &snapshots->meta);
    write_next(node);
}

/* ---- when one is due ------------------------------------------------------------------------ */

static bool is_due(const struct node *node)
{
    const struct snapshots *snapshots = &node->snapshots;
    const struct node_options *options = &node->options;
    return (options->snapshot_every != 0 && snapshots->since_entries >= options->snapshot_every) ||
           (options->snapshot_bytes != 0 && snapshots->since_bytes >= options->snapshot_bytes);
}

/* While the last one is being sent the log behind it is kept, so that another would win nothing. */
static bool would_win_nothing(const struct node *node)
{
    struct raft_status status;
    raft_get_status(node->raft, &status);
    return raft_sends_snapshot(node->raft, status.snapshot_index) &&
           status.log_bytes <= node->options.raft.max_kept_bytes;
}

static void tell_unable(struct node *node)
{
    node->snapshots.since_entries = 0;
    node->snapshots.since_bytes = 0;
    if (!node->snapshots.told_unable) {
        node->snapshots.told_unable = true;
        report_notice(node, 0,
                      "the machine has no snapshots (it needs snapshot and restore): the log grows "
                      "without end");
    }
}

/* The last one covers all that is applied: what is left of the log before it may go. A received one
 * may cover an entry that this disk is still writing; the next one is soon enough for that. */
static void nothing_new(struct node *node)
{
    struct raft_status status;
    raft_get_status(node->raft, &status);
    struct raft_snapshot last = {.index = status.snapshot_index, .term = status.snapshot_term};
    if (last.index != 0 && last.index <= status.applied_index) {
        tell_core(node, &last, first_kept(node, last.index));
    }
    node->snapshots.since_entries = 0;
    node->snapshots.since_bytes = 0;
    tell(node, work_applied(node), NULL);
}

void snapshots_consider(struct node *node)
{
    struct snapshots *snapshots = &node->snapshots;
    bool is_asked = snapshots->waiters.count > 0;
    if ((!is_asked && !is_due(node)) || snapshots->writer != NULL || restores_is_under_way(node) ||
        !node_is_running(node)) {
        return;
    }
    if (!machine_has_snapshots(node->machine)) {
        tell_unable(node);
        return;
    }
    if (!is_asked && would_win_nothing(node)) {
        return;
    }
    struct raft_snapshot meta = raft_snapshot_at(node->raft, work_applied(node));
    if (meta.index == 0) {
        nothing_new(node);
    } else if (meta.members->count == 0) { /* it knows no members yet */
        tell(node, work_applied(node), NULL);
    } else {
        begin(node, &meta);
    }
}

bool node_compact(struct node *node, const struct node_asker *asker, struct failure *failure)
{
    if (!node_check_running(node, failure)) {
        return false;
    }
    if (!machine_has_snapshots(node->machine)) {
        failure_set(failure, FAILURE_UNSUPPORTED,
                    "the machine of node %llu has no snapshots: it needs snapshot and restore",
                    (unsigned long long)node->id);
        return false;
    }
    *array_push(&node->snapshots.waiters) = (struct compact_waiter){work_applied(node), *asker};
    snapshots_consider(node);
    application_tell_soon(node);
    return true;
}

/* ---- lives ---------------------------------------------------------------------------------- */

void snapshots_begin(struct node *node)
{
    node->snapshots.since_entries = 0;
    node->snapshots.since_bytes = 0;
    node->snapshots.told_unable = false;
}

void snapshots_catch_up(struct node *node)
{
    struct snapshots *snapshots = &node->snapshots;
    if (!node_is_running(node) || !snapshots->is_owed) {
        return;
    }
    struct failure outcome = snapshots->owed_failure;
    snapshots->is_owed = false;
    if (snapshots->owed_finish) {
        finished(node, &outcome);
    } else {
        go_on(node, &outcome);
    }
}

/* What its store has under way of it has ended. */
void snapshots_end(struct node *node, bool tell_them)
{
    struct snapshots snapshots = node->snapshots;
    memset(&node->snapshots, 0, sizeof node->snapshots);
    raft_configuration_free(&snapshots.members);
    buffer_free(&snapshots.piece);
    array_free(&snapshots.former);
    for (size_t i = 0; i < snapshots.waiters.count && tell_them; i++) {
        clients_tell_down(node, &snapshots.waiters.items[i].asker, 0, 0);
    }
    array_free(&snapshots.waiters);
}
