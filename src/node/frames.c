/*
 * Frames as they come and go: each that arrives goes to whom it is for, or waits in the inbox while
 * the node is paused. One that is malformed, or not from the connection's peer, closes that
 * connection with a reason; nothing else is affected.
 */
#include "node/internal.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- out ------------------------------------------------------------------------------------ */

struct buffer *frames_begin(struct node *node)
{
    buffer_clear(&node->frames.buffer);
    frame_begin(&node->frames.buffer);
    return &node->frames.buffer;
}

struct batch *frames_end(struct node *node, enum frame_kind kind, uint64_t *number)
{
    *number = ++node->frames.number;
    frame_seal(&node->frames.buffer, kind, *number, node->directory);
    return batch_copy(node->world->pool, node->frames.buffer.data, node->frames.buffer.size);
}

void frames_send(struct node *node, uint64_t to, enum frame_kind kind, const char *name)
{
    uint64_t number = 0;
    struct batch *frame = frames_end(node, kind, &number);
    report_frame(node, TRACE_SEND, to, number, name);
    peers_send(node, to, frame, false);
}

/* ---- in ------------------------------------------------------------------------------------- */

void frames_set_reason(struct node *node, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(node->frames.reason, sizeof node->frames.reason, format, arguments);
    va_end(arguments);
}

bool frames_refuse(struct node *node, uint64_t from, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(node->frames.reason, sizeof node->frames.reason, format, arguments);
    va_end(arguments);
    report_refusal(node, from, node->frames.reason);
    return false;
}

bool frames_deliver(struct node *node, uint64_t from, struct batch *batch, uint32_t offset,
                    const struct frame_head *head)
{
    struct bytes body = {batch->data + offset + FRAME_HEAD_BYTES, head->length - FRAME_HEAD_BYTES};
    switch (head->kind) {
    case FRAME_RAFT:
        return messages_take(node, from, batch, offset, head);
    case FRAME_REQUEST:
        report_frame(node, TRACE_RECEIVE, from, head->number, "request");
        return calls_serve(node, from, body) || frames_refuse(node, from, "a malformed request");
    case FRAME_ANSWER:
        report_frame(node, TRACE_RECEIVE, from, head->number, "answer");
        return calls_take_answer(node, body) || frames_refuse(node, from, "a malformed answer");
    case FRAME_CLIENT_REQUEST:
        report_frame(node, TRACE_RECEIVE, from, head->number, "client_request");
        return clients_take(node, batch, offset, head) ||
               frames_refuse(node, from, "a malformed client request");
    case FRAME_FORWARD:
        report_frame(node, TRACE_RECEIVE, from, head->number, "forward");
        return clients_take_passed_on(node, from, batch, offset, head) ||
               frames_refuse(node, from, "a malformed forwarded request");
    case FRAME_FORWARD_ANSWER:
        report_frame(node, TRACE_RECEIVE, from, head->number, "forward_answer");
        return calls_take_answer(node, body) ||
               frames_refuse(node, from, "a malformed answer to a forwarded request");
    case FRAME_TURNED_AWAY:
        return identity_turned_away(node, from, body) ||
               frames_refuse(node, from, "a malformed notice that this node is not a member");
    default:
        return frames_refuse(node, from, "a frame of an unknown kind");
    }
}

/* ---- the endpoint's callbacks --------------------------------------------------------------- */

/* Hellos are judged even while it is paused: what waits is filed under the sender that a hello
 * tells. */
static bool arrived(struct node *node, struct connection *from, struct batch *batch,
                    uint32_t offset, const struct frame_head *head)
{
    if (head->kind == FRAME_HELLO) {
        struct bytes body = {batch->data + offset + FRAME_HEAD_BYTES,
                             head->length - FRAME_HEAD_BYTES};
        return identity_judge_hello(node, body, head->number, from);
    }
    /* The clients' endpoint says no hello, and everybody else must. */
    if ((from->peer == WORLD_CLIENT) != (head->kind == FRAME_CLIENT_REQUEST)) {
        return frames_refuse(node, from->peer, "%s",
                             from->peer == 0 ? "the first frame is not a hello"
                                             : "a client's frame from a node");
    }
    if (node_is_running(node)) {
        return frames_deliver(node, from->peer, batch, offset, head);
    }
    inbox_add(node, from->peer, batch, offset, head);
    return true;
}

/* Before its disk has been read it accepts no connection; a client gets a refusal. */
static bool arrived_early(struct node *node, const struct connection *from, struct batch *batch,
                          uint32_t offset, const struct frame_head *head)
{
    if (head->kind != FRAME_CLIENT_REQUEST || from->peer != WORLD_CLIENT) {
        frames_set_reason(node, "node %llu is starting", (unsigned long long)node->id);
        return false;
    }
    if (node->state == NODE_PAUSED) {
        inbox_add(node, from->peer, batch, offset, head);
    } else {
        clients_refuse(node, head);
    }
    return true;
}

static bool frame_arrived(void *context, struct connection *from, struct batch *batch,
                          uint32_t offset, const struct frame_head *head, const char **reason)
{
    struct node *node = context;
    bool taken = node->raft == NULL ? arrived_early(node, from, batch, offset, head)
                                    : arrived(node, from, batch, offset, head);
    if (!taken) {
        *reason = node->frames.reason;
    }
    application_tell(node);
    return taken;
}

static struct batch *hello(void *context, uint64_t peer)
{
    return identity_hello(context, peer);
}

static void connected(void *context, uint64_t peer)
{
    struct node *node = context;
    report_connection(node, TRACE_CONNECT, peer, "");
    peers_connected(node, peer);
    clients_connected(node, peer);
    calls_connected(node, peer);
}

static void disconnected(void *context, uint64_t peer, const char *reason)
{
    report_connection(context, TRACE_DISCONNECT, peer, reason == NULL ? "" : reason);
    peers_disconnected(context, peer);
    if (reason != NULL) {
        view_refused(context, peer, "connection", 0, reason);
    }
}

struct endpoint_handler node_endpoint_handler(struct node *node)
{
    return (struct endpoint_handler){hello, connected, disconnected, frame_arrived, node};
}

void frames_clear(struct node *node)
{
    buffer_free(&node->frames.buffer);
}
