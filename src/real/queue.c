/*
 * The frames that wait for one peer, in the order in which they leave: the one that is partly
 * written, then the urgent ones, then the others.
 *
 * It never writes to a socket, copies a frame, or decides that one is dropped.
 */
#include "real/internal.h"

bool frame_queue_is_empty(const struct frame_queue *queue)
{
    return queue->begun == NULL && queue->urgent.count == 0 && queue->normal.count == 0;
}

bool frame_queue_accepts(const struct frame_queue *queue, size_t size)
{
    return frame_queue_is_empty(queue) || queue->waiting_bytes + size <= WORLD_QUEUE_BYTES_MAX;
}

void frame_queue_push(struct frame_queue *queue, struct batch *frame, bool urgent)
{
    ensure(frame->size >= FRAME_HEAD_BYTES && frame_queue_accepts(queue, frame->size));
    *ring_push(urgent ? &queue->urgent : &queue->normal) = frame;
    queue->waiting_bytes += frame->size;
}

static size_t gather_ring(const struct frame_ring *ring, struct iovec *vectors, size_t used,
                          size_t max)
{
    for (size_t i = 0; i < ring->count && used < max; i++) {
        struct batch *frame = *ring_at(ring, i);
        vectors[used++] = (struct iovec){.iov_base = frame->data, .iov_len = frame->size};
    }
    return used;
}

size_t frame_queue_gather(const struct frame_queue *queue, struct iovec *vectors, size_t max)
{
    size_t used = 0;
    if (queue->begun != NULL) {
        ensure(max > 0 && queue->begun_bytes < queue->begun->size);
        vectors[used++] = (struct iovec){.iov_base = queue->begun->data + queue->begun_bytes,
                                         .iov_len = queue->begun->size - queue->begun_bytes};
    }
    used = gather_ring(&queue->urgent, vectors, used, max);
    return gather_ring(&queue->normal, vectors, used, max);
}

void frame_queue_begin(struct frame_queue *queue)
{
    ensure(queue->begun == NULL);
    queue->begun = *ring_pop(queue->urgent.count > 0 ? &queue->urgent : &queue->normal);
    queue->begun_bytes = 0;
}

void frame_queue_advance(struct frame_queue *queue, size_t bytes)
{
    ensure(bytes <= queue->waiting_bytes);
    queue->waiting_bytes -= bytes;
    while (bytes > 0) {
        if (queue->begun == NULL) {
            frame_queue_begin(queue);
        }
        size_t rest = queue->begun->size - queue->begun_bytes;
        if (bytes < rest) {
            queue->begun_bytes += bytes;
            return;
        }
        bytes -= rest;
        batch_release(queue->begun);
        queue->begun = NULL;
    }
}

struct batch *frame_queue_take(struct frame_queue *queue)
{
    if (frame_queue_is_empty(queue)) {
        return NULL;
    }
    if (queue->begun == NULL) {
        frame_queue_begin(queue);
    }
    struct batch *frame = queue->begun;
    queue->waiting_bytes -= frame->size - queue->begun_bytes;
    queue->begun = NULL;
    return frame;
}

struct batch *frame_queue_take_last(struct frame_queue *queue)
{
    if (queue->normal.count == 0) {
        return NULL;
    }
    struct batch *frame = *ring_pop_last(&queue->normal);
    queue->waiting_bytes -= frame->size;
    return frame;
}

void frame_queue_free(struct frame_queue *queue)
{
    ensure(frame_queue_is_empty(queue) && queue->waiting_bytes == 0);
    ring_free(&queue->urgent);
    ring_free(&queue->normal);
}
