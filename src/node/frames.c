/*
 * What arrives: each frame to whom it is for, and while the node is paused into a queue of bounded
 * size. A frame that is none, or from another than the connection's peer, closes that connection
 * with a reason and harms nothing else.
 */
#include "node/internal.h"

#include <stdio.h>

static struct bytes body_of(const struct batch *batch, uint32_t offset,
                            const struct frame_head *head)
{
    return (struct bytes){batch->data + offset + FRAME_HEAD_BYTES, head->length - FRAME_HEAD_BYTES};
}

struct batch *node_seal_frame(struct node *node, enum frame_kind kind, uint64_t *number)
{
    *number = ++node->message_number;
    frame_seal(&node->frame, kind, *number, node->directory);
    return batch_copy(node->frame.data, node->frame.size);
}

static bool refuse(struct node *node, uint64_t from, const char *text)
{
    if (text != node->reason) {
        (void)snprintf(node->reason, sizeof node->reason, "%s", text);
    }
    report_notice(node, from, node->reason);
    return false;
}

/* ---- frames of a known sender --------------------------------------------------------------- */

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

static bool raft_frame(struct node *node, uint64_t from, struct batch *batch, uint32_t offset,
                       const struct frame_head *head)
{
    struct raft_message message;
    const char *problem = "malformed";
    if (!raft_message_decode(batch, offset + FRAME_HEAD_BYTES, head->length - FRAME_HEAD_BYTES,
                             &message, &node->entries, &node->entries_capacity, &problem)) {
        return refuse(node, from, problem);
    }
    if (message.from != from || message.to != node->id) {
        (void)snprintf(node->reason, sizeof node->reason,
                       "a message from node %llu to node %llu on the connection of node %llu",
                       (unsigned long long)message.from, (unsigned long long)message.to,
                       (unsigned long long)from);
        return refuse(node, from, node->reason);
    }
    message.from_directory = head->directory;
    node->stats.deliveries++;
    report_raft_message(node, TRACE_RECEIVE, from, head->number, &message);
    if (message.reject) {
        view_refused(node, from, refused_name(message.kind), message.term, "");
    }
    struct raft_event event = {.kind = RAFT_EVENT_MESSAGE, .message = &message};
    node_step(node, &event, NULL);
    node_work(node);
    return true;
}

static bool deliver(struct node *node, uint64_t from, struct batch *batch, uint32_t offset,
                    const struct frame_head *head)
{
    switch (head->kind) {
    case FRAME_RAFT:
        return raft_frame(node, from, batch, offset, head);
    case FRAME_REQUEST:
        report_frame(node, TRACE_RECEIVE, from, head->number, "request");
        return calls_request(node, from, body_of(batch, offset, head)) ||
               refuse(node, from, "a request that is none");
    case FRAME_ANSWER:
        report_frame(node, TRACE_RECEIVE, from, head->number, "answer");
        return calls_answer(node, body_of(batch, offset, head)) ||
               refuse(node, from, "an answer that is none");
    case FRAME_CLIENT_REQUEST:
        report_frame(node, TRACE_RECEIVE, from, head->number, "client_request");
        return client_request(node, batch, offset, head) ||
               refuse(node, from, "a client's request that is none");
    case FRAME_FORWARD:
        report_frame(node, TRACE_RECEIVE, from, head->number, "forward");
        return client_request_from(node, from, batch, offset, head) ||
               refuse(node, from, "a request passed on that is none");
    case FRAME_FORWARD_ANSWER:
        report_frame(node, TRACE_RECEIVE, from, head->number, "forward_answer");
        return calls_forward_answer(node, body_of(batch, offset, head)) ||
               refuse(node, from, "an answer that is none");
    case FRAME_TURNED_AWAY:
        return identity_turned_away(node, from, body_of(batch, offset, head)) ||
               refuse(node, from, "a malformed word on who is a member");
    default:
        return refuse(node, from, "a frame of a kind that is not known here");
    }
}

static void drop_arrived(struct node *node, uint64_t from, const struct batch *batch,
                         uint32_t offset, const struct frame_head *head, const char *reason)
{
    struct batch *frame = batch_copy(batch->data + offset, head->length);
    if (node->world->faults != NULL) {
        faults_drop(node->world->faults, world_now_ns(node->world), from, node->id, frame, reason);
    }
    batch_release(frame);
}

/* ---- while it is paused --------------------------------------------------------------------- */

static struct held_bytes *held_of(struct node *node, uint64_t from)
{
    for (uint32_t i = 0; i < node->held_count; i++) {
        if (node->held[i].from == from) {
            return &node->held[i];
        }
    }
    node->held = memory_resize(node->held, (node->held_count + 1) * sizeof *node->held);
    node->held[node->held_count] = (struct held_bytes){from, 0};
    return &node->held[node->held_count++];
}

static void hold(struct node *node, uint64_t from, struct batch *batch, uint32_t offset,
                 const struct frame_head *head)
{
    struct held_bytes *held = held_of(node, from);
    if (held->bytes > 0 && held->bytes + head->length > WORLD_QUEUE_BYTES_MAX) {
        drop_arrived(node, from, batch, offset, head, "paused, and its queue is full");
        return;
    }
    held->bytes += head->length;
    *ring_push(&node->incoming) = (struct incoming){
        .from = from,
        .batch = batch_hold(batch),
        .offset = offset,
        .head = *head,
    };
}

void frames_drop_held(struct node *node)
{
    for (size_t i = 0; i < node->incoming.count; i++) {
        batch_release(ring_at(&node->incoming, i)->batch);
    }
    ring_free(&node->incoming);
    memory_free(node->held);
    node->held = NULL;
    node->held_count = 0;
}

/* Now, or once it runs again. */
static bool take(struct node *node, uint64_t from, struct batch *batch, uint32_t offset,
                 const struct frame_head *head)
{
    if (!node_is_running(node)) {
        hold(node, from, batch, offset, head);
        return true;
    }
    return deliver(node, from, batch, offset, head);
}

void frames_deliver_held(struct node *node)
{
    while (node_is_running(node) && node->incoming.count > 0) {
        struct incoming incoming = *ring_pop(&node->incoming);
        held_of(node, incoming.from)->bytes -= incoming.head.length;
        (void)deliver(node, incoming.from, incoming.batch, incoming.offset, &incoming.head);
        batch_release(incoming.batch);
    }
}

/* ---- the endpoint's callbacks --------------------------------------------------------------- */

/* Hellos are judged even while it is paused: what waits is filed under the sender
 * that a hello tells. */
static bool arrived(struct node *node, struct connection *from, struct batch *batch,
                    uint32_t offset, const struct frame_head *head)
{
    if (head->kind == FRAME_HELLO) {
        return hello_judge(node, body_of(batch, offset, head), head->number, from);
    }
    /* The clients' endpoint says no hello, and everybody else must. */
    if ((from->peer == WORLD_CLIENT) != (head->kind == FRAME_CLIENT_REQUEST)) {
        return refuse(node, from->peer,
                      from->peer == 0 ? "the first frame is no hello"
                                      : "a client's frame from a node");
    }
    return take(node, from->peer, batch, offset, head);
}

/* Before its disk was read it can judge nobody: who dials tries again, a client is told. */
static bool arrived_early(struct node *node, const struct connection *from, struct batch *batch,
                          uint32_t offset, const struct frame_head *head)
{
    if (head->kind != FRAME_CLIENT_REQUEST || from->peer != WORLD_CLIENT) {
        (void)snprintf(node->reason, sizeof node->reason, "node %llu is starting",
                       (unsigned long long)node->id);
        return false;
    }
    if (node->state == NODE_PAUSED) {
        hold(node, from->peer, batch, offset, head);
    } else {
        client_refuse(node, head);
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
        *reason = node->reason;
    }
    node_tell(node);
    return taken;
}

static struct batch *hello(void *context, uint64_t peer)
{
    return hello_frame(context, peer);
}

static void connected(void *context, uint64_t peer)
{
    struct node *node = context;
    report_connection(node, TRACE_CONNECT, peer, "");
    peers_connected(node, peer);
    client_connected(node, peer);
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
