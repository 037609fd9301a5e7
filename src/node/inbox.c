/*
 * What arrives while the node is paused: it waits, in a queue of bounded size for each member and
 * the clients, and one for all others together, whose number nobody bounds.
 */
#include "node/internal.h"

#define OTHERS UINT64_MAX /* no sender's id */

/* For whom a sender's frames are counted. */
static uint64_t queue_of(const struct node *node, uint64_t from)
{
    bool is_known =
        from == WORLD_CLIENT ||
        (node->raft != NULL && raft_configuration_find(raft_members(node->raft), from) != NULL);
    return is_known ? from : OTHERS;
}

static uint64_t *held_bytes_of(struct inbox *inbox, uint64_t queue)
{
    for (size_t i = 0; i < inbox->held.count; i++) {
        if (inbox->held.items[i].queue == queue) {
            return &inbox->held.items[i].bytes;
        }
    }
    struct held_bytes *held = array_push(&inbox->held);
    *held = (struct held_bytes){queue, 0};
    return &held->bytes;
}

static void drop(struct node *node, uint64_t from, const struct batch *batch, uint32_t offset,
                 const struct frame_head *head)
{
    struct batch *frame = batch_copy(node->world->pool, batch->data + offset, head->length);
    if (node->world->faults != NULL) {
        faults_drop(node->world->faults, world_now_ns(node->world), from, node->id, frame,
                    "paused, and its queue is full");
    }
    batch_release(frame);
}

void inbox_add(struct node *node, uint64_t from, struct batch *batch, uint32_t offset,
               const struct frame_head *head)
{
    uint64_t queue = queue_of(node, from);
    uint64_t *held_bytes = held_bytes_of(&node->inbox, queue);
    if (*held_bytes > 0 && *held_bytes + head->length > WORLD_QUEUE_BYTES_MAX) {
        drop(node, from, batch, offset, head);
        return;
    }
    *held_bytes += head->length;
    *ring_push(&node->inbox.frames) = (struct incoming){
        .from = from, .queue = queue, .batch = batch_hold(batch), .offset = offset, .head = *head};
}

void inbox_deliver(struct node *node)
{
    struct inbox *inbox = &node->inbox;
    while (node_is_running(node) && inbox->frames.count > 0) {
        struct incoming incoming = *ring_pop(&inbox->frames);
        *held_bytes_of(inbox, incoming.queue) -= incoming.head.length;
        (void)frames_deliver(node, incoming.from, incoming.batch, incoming.offset, &incoming.head);
        batch_release(incoming.batch);
    }
}

void inbox_clear(struct node *node)
{
    while (node->inbox.frames.count > 0) {
        batch_release(ring_pop(&node->inbox.frames)->batch);
    }
    ring_free(&node->inbox.frames);
    array_free(&node->inbox.held);
}
