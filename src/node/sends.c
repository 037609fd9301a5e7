/*
 * A leader's snapshot on its way to followers: pieces that the core asks for are read from the
 * store, one at a time for all of them, and sent in their order. It never holds more than one
 * piece, and decides nothing about what is sent.
 */
#include "node/internal.h"

static void send(struct node *node, const struct raft_message *message)
{
    uint64_t number = 0;
    struct batch *frame = messages_encode(node, message, &number);
    messages_send(node, message, frame, number);
}

/* Who no longer leads in that term sends nothing of it. */
static bool is_fitting(const struct node *node, const struct raft_message *message)
{
    struct raft_status status;
    raft_get_status(node->raft, &status);
    return status.role == RAFT_LEADER && status.term == message->term;
}

static void piece_read(void *context, struct bytes bytes, const struct failure *failure);

static void go_on(struct node *node)
{
    struct sends *sends = &node->sends;
    while (sends->waiting.count > 0 && !sends->is_reading) {
        struct raft_message message = *ring_at(&sends->waiting, 0);
        bool fits = is_fitting(node, &message);
        if (fits && message.piece_size > 0) {
            sends->is_reading = true;
            node->store->operations->snapshot_read(node->store, message.prev_index, message.offset,
                                                   message.piece_size, piece_read, node);
            return;
        }
        (void)ring_pop(&sends->waiting);
        if (fits) {
            send(node, &message);
        }
    }
}

static void send_piece(struct node *node, struct raft_message *message, struct bytes bytes)
{
    message->piece = batch_copy(node->world->pool, bytes.data, bytes.size);
    message->piece_offset = 0;
    message->piece_size = (uint32_t)bytes.size;
    send(node, message);
    batch_release(message->piece);
}

static void piece_read(void *context, struct bytes bytes, const struct failure *failure)
{
    struct node *node = context;
    struct sends *sends = &node->sends;
    ensure(sends->is_reading);
    sends->is_reading = false;
    if (node->state == NODE_PAUSED) {
        sends->is_owed = true;
        return;
    }
    struct raft_message message = *ring_pop(&sends->waiting);
    if (failure != NULL || bytes.size < message.piece_size) {
        struct raft_event event = {.kind = RAFT_EVENT_SNAPSHOT_GONE, .message = &message};
        drive_step(node, &event, NULL);
    } else if (is_fitting(node, &message)) {
        send_piece(node, &message, bytes);
    }
    go_on(node);
    snapshots_tidy(node);
    work_run(node);
    application_tell(node);
}

void sends_add(struct node *node, const struct raft_message *message)
{
    *ring_push(&node->sends.waiting) = *message;
    if (!node->sends.is_owed) {
        go_on(node);
    }
}

void sends_catch_up(struct node *node)
{
    if (node_is_running(node) && node->sends.is_owed) {
        node->sends.is_owed = false;
        go_on(node);
    }
}

void sends_end(struct node *node)
{
    ring_free(&node->sends.waiting);
    node->sends = (struct sends){0};
}
