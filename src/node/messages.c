/*
 * Raft's messages on the wire: out, as frames with their order, and in. It decides
 * nothing about what they say.
 */
#include "node/internal.h"

/* Heartbeats with their answers, votes and rounds of reads go before what waits for a slow link. */
static bool is_urgent(const struct raft_message *message)
{
    switch (message->kind) {
    case RAFT_APPEND:
        return !message->in_order;
    case RAFT_APPEND_RESPONSE:
        return message->sequence != 0 && !message->reject;
    case RAFT_PRE_VOTE:
    case RAFT_PRE_VOTE_RESPONSE:
    case RAFT_VOTE:
    case RAFT_VOTE_RESPONSE:
    case RAFT_READ:
    case RAFT_READ_RESPONSE:
    case RAFT_TIMEOUT_NOW:
        return true;
    default:
        return false;
    }
}

static uint64_t payload_bytes(const struct raft *raft, const struct raft_message *message)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < message->entry_count; i++) {
        bytes += raft_entry_size(message->entries != NULL
                                     ? &message->entries[i]
                                     : raft_entry_at(raft, message->prev_index + 1 + i));
    }
    return bytes;
}

struct batch *messages_encode(struct node *node, const struct raft_message *message,
                              uint64_t *number)
{
    raft_message_encode(node->raft, message, frames_begin(node));
    if (message->entry_count > 0) {
        view_count_payload(node, payload_bytes(node->raft, message));
    }
    return frames_end(node, FRAME_RAFT, number);
}

void messages_send(struct node *node, const struct raft_message *message, struct batch *frame,
                   uint64_t number)
{
    report_raft_message(node, TRACE_SEND, message->to, number, message);
    view_count_sent(node, message->kind, frame->size);
    peers_send(node, message->to, frame, is_urgent(message));
}

/* What a response that rejects refuses. */
static const char *refused_name(enum raft_message_kind response)
{
    switch (response) {
    case RAFT_PRE_VOTE_RESPONSE:
        return raft_message_name(RAFT_PRE_VOTE);
    case RAFT_VOTE_RESPONSE:
        return raft_message_name(RAFT_VOTE);
    case RAFT_APPEND_RESPONSE:
        return raft_message_name(RAFT_APPEND);
    default:
        return raft_message_name(response);
    }
}

bool messages_take(struct node *node, uint64_t from, struct batch *batch, uint32_t offset,
                   const struct frame_head *head)
{
    struct raft_message message;
    const char *problem = "malformed";
    if (!raft_message_decode(batch, offset + FRAME_HEAD_BYTES, head->length - FRAME_HEAD_BYTES,
                             &message, &node->messages.entries, &node->messages.capacity,
                             &problem)) {
        return frames_refuse(node, from, "%s", problem);
    }
    if (message.from != from || message.to != node->id) {
        return frames_refuse(node, from,
                             "a message from node %llu to node %llu on the connection of node %llu",
                             (unsigned long long)message.from, (unsigned long long)message.to,
                             (unsigned long long)from);
    }
    message.from_directory = head->directory;
    view_count_delivery(node);
    report_raft_message(node, TRACE_RECEIVE, from, head->number, &message);
    if (message.reject) {
        view_refused(node, from, refused_name(message.kind), message.term, "");
    }
    if (message.kind == RAFT_APPEND) {
        removal_heard(node, from);
    }
    struct raft_event event = {.kind = RAFT_EVENT_MESSAGE, .message = &message};
    drive_step(node, &event, NULL);
    work_run(node);
    return true;
}

void messages_clear(struct node *node)
{
    memory_free(node->messages.entries);
    node->messages = (struct messages){0};
}
