/*
 * A snapshot that a leader sends: its pieces go to the store in their order, one at a time, and the
 * core is told of each; once it is whole, verified and durable, of that. What it says of itself is
 * judged before the store has it for good. It never looks into the machine's bytes.
 */
#include "node/internal.h"

#include <stdio.h>

static const struct store_operations *store_of(const struct node *node)
{
    return node->store->operations;
}

static void forget_pieces(struct node *node)
{
    struct installs *installs = &node->installs;
    while (installs->waiting.count > 0) {
        batch_release(ring_pop(&installs->waiting)->piece);
    }
    snapshot_decoder_free(&installs->head);
    raft_configuration_free(&installs->received_members);
    installs->writer = NULL;
    installs->is_judged = false;
    installs->is_writing = false;
    installs->is_owed = false;
}

void installs_abandon(struct node *node)
{
    if (node->installs.writer != NULL) {
        store_of(node)->snapshot_abort(node->installs.writer);
    }
    forget_pieces(node);
}

static void tell_core(struct node *node, enum raft_event_kind kind,
                      const struct raft_message *message, bool reject)
{
    struct raft_event event = {.kind = kind, .message = message, .reject = reject};
    if (kind == RAFT_EVENT_SNAPSHOT_INSTALLED) {
        event.snapshot = &node->installs.received;
    }
    drive_step(node, &event, NULL);
}

/* What was received cannot be used. `is_damage`: its bytes are not what its sender wrote. */
static void refuse(struct node *node, const char *problem, bool is_damage)
{
    struct raft_message message = *ring_at(&node->installs.waiting, 0);
    message.piece = NULL;
    installs_abandon(node);
    char text[280];
    (void)snprintf(
        text, sizeof text, "the snapshot of index %llu from node %llu cannot be used: %.160s",
        (unsigned long long)message.prev_index, (unsigned long long)message.from, problem);
    if (is_damage) {
        report_damaged_snapshot(node, &message, text);
    } else {
        report_refusal(node, message.from, text);
    }
    tell_core(node, RAFT_EVENT_SNAPSHOT_WRITTEN, &message, true);
}

/* ---- writing -------------------------------------------------------------------------------- */

/* By its own header, which mostly comes with the first piece. NULL: nothing is wrong so far. */
static const char *judge(struct node *node, const struct raft_message *message)
{
    struct installs *installs = &node->installs;
    struct bytes rest = raft_message_piece(message);
    struct bytes machine_bytes;
    const char *problem = NULL;
    while (!installs->is_judged && rest.size > 0) {
        if (!snapshot_decode(&installs->head, &rest, &machine_bytes, &problem)) {
            return problem;
        }
        if (installs->head.has_meta) {
            struct raft_snapshot meta = installs->head.meta;
            meta.size = 1; /* not known before its end */
            problem = raft_snapshot_problem(message, &meta);
            installs->is_judged = true;
            snapshot_decoder_free(&installs->head);
        }
    }
    return problem;
}

static void piece_written(void *context, const struct failure *failure);
static void snapshot_finished(void *context, const struct raft_snapshot *latest,
                              const struct failure *failure);

static void go_on(struct node *node)
{
    struct installs *installs = &node->installs;
    if (installs->waiting.count == 0 || installs->is_writing || installs->is_owed) {
        return;
    }
    const struct raft_message *message = ring_at(&installs->waiting, 0);
    if (installs->writer == NULL) {
        installs->writer = store_of(node)->snapshot_begin(node->store, NULL);
    }
    const char *problem = installs->is_judged ? NULL : judge(node, message);
    if (problem != NULL) {
        refuse(node, problem, true);
        return;
    }
    installs->is_writing = true;
    store_of(node)->snapshot_write(installs->writer, raft_message_piece(message), piece_written,
                                   node);
}

static void written(struct node *node, const struct failure *failure)
{
    struct installs *installs = &node->installs;
    struct raft_message message = *ring_at(&installs->waiting, 0);
    if (failure->code != FAILURE_NONE) {
        refuse(node, failure->message, failure->is_damage);
    } else if (message.last) {
        store_of(node)->snapshot_finish(installs->writer, snapshot_finished, node);
        installs->is_writing = true;
    } else {
        (void)ring_pop(&installs->waiting);
        batch_release(message.piece);
        message.piece = NULL;
        tell_core(node, RAFT_EVENT_SNAPSHOT_WRITTEN, &message, false);
    }
    go_on(node);
    work_run(node);
}

static void after_install(struct node *node, uint64_t last)
{
    uint64_t index = node->installs.installed;
    if (node->raft == NULL) {
        return; /* its machine takes no snapshots */
    }
    forget_pieces(node);
    snapshots_replaced(node, last);
    if (index != 0) {
        view_count_install(node);
        proposals_installed(node, index);
    }
}

static void finished(struct node *node, const struct failure *failure)
{
    struct installs *installs = &node->installs;
    struct raft_message message = *ring_at(&installs->waiting, 0);
    struct raft_status status;
    if (failure->code != FAILURE_NONE) {
        refuse(node, failure->message, failure->is_damage);
    } else if (installs->received.index != message.prev_index) {
        refuse(node, "a later one of its own was done first", false);
    } else {
        raft_get_status(node->raft, &status);
        message.piece = NULL;
        installs->installed = 0;
        tell_core(node, RAFT_EVENT_SNAPSHOT_INSTALLED, &message, false);
        after_install(node, status.snapshot_index);
    }
    work_run(node);
}

/* ---- what the store tells ------------------------------------------------------------------- */

/* What became of a task, kept where the node is paused; true: it is to be looked at now. */
static bool note(struct node *node, bool is_finish, const struct failure *failure)
{
    struct installs *installs = &node->installs;
    ensure(installs->is_writing);
    installs->is_writing = false;
    failure_clear(&installs->owed_failure);
    if (failure != NULL) {
        failure_copy(&installs->owed_failure, failure);
    }
    installs->owed_finish = is_finish;
    installs->is_owed = node->state == NODE_PAUSED;
    return !installs->is_owed;
}

static void look(struct node *node)
{
    struct failure failure = node->installs.owed_failure;
    if (node->installs.owed_finish) {
        finished(node, &failure);
    } else {
        written(node, &failure);
    }
}

static void piece_written(void *context, const struct failure *failure)
{
    struct node *node = context;
    if (note(node, false, failure)) {
        look(node);
        application_tell(node);
    }
}

static void snapshot_finished(void *context, const struct raft_snapshot *latest,
                              const struct failure *failure)
{
    struct node *node = context;
    struct installs *installs = &node->installs;
    installs->writer = NULL;
    if (failure == NULL) {
        installs->received = *latest;
        raft_configuration_copy(&installs->received_members, latest->members);
        installs->received.members = &installs->received_members;
    }
    if (note(node, true, failure)) {
        look(node);
        application_tell(node);
    }
}

void installs_catch_up(struct node *node)
{
    if (node_is_running(node) && node->installs.is_owed) {
        node->installs.is_owed = false;
        look(node);
    }
}

/* The core put it in the place of its log: so does the machine. */
void installs_begin(struct node *node, uint64_t index)
{
    const struct raft_snapshot *snapshot = &node->installs.received;
    ensure(snapshot->index == index);
    node->installs.installed = index;
    snapshots_give_up(node);
    work_installed(node, index);
    restores_begin(node, snapshot, true);
}

/* ---- pieces --------------------------------------------------------------------------------- */

void installs_take(struct node *node, const struct raft_message *message)
{
    struct installs *installs = &node->installs;
    if (message->offset == 0) {
        installs_abandon(node);
    }
    struct raft_message *waiting = ring_push(&installs->waiting);
    *waiting = *message;
    waiting->entries = NULL;
    (void)batch_hold(waiting->piece);
    go_on(node);
}

void installs_end(struct node *node)
{
    forget_pieces(node); /* the store has ended what was under way */
    ring_free(&node->installs.waiting);
}
