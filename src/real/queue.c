/*
 * The frames that wait for one peer. One that is partly written is not among them: it belongs to
 * its connection.
 *
 * It never writes to a socket, copies a frame, or decides that one is dropped.
 */
#include "real/internal.h"

bool frame_queue_accepts(const struct frame_queue *queue, size_t beside, size_t size)
{
    return size > FRAME_BYTES_MAX ? !queue->has_large
                                  : queue->waiting_bytes + beside + size <= WORLD_QUEUE_BYTES_MAX;
}

static void count(struct frame_queue *queue, const struct batch *frame, bool comes)
{
    if (frame->size > FRAME_BYTES_MAX) {
        ensure(queue->has_large != comes);
        queue->has_large = comes;
    } else {
        queue->waiting_bytes += comes ? frame->size : -(size_t)frame->size;
    }
}

void frame_queue_push(struct frame_queue *queue, struct batch *frame, bool urgent)
{
    ensure(frame->size >= FRAME_HEAD_BYTES);
    *ring_push(urgent ? &queue->urgent : &queue->normal) = frame;
    count(queue, frame, true);
}

static size_t gather_ring(const struct frame_ring *ring, struct iovec *vectors, size_t used,
                          size_t max)
{
    for (size_t i = 0; i < ring->count && used < max; i++) {
        struct batch *frame = *ring_at(ring, i);
        if (frame->size > FRAME_UNCUT_BYTES) {
            break;
        }
        vectors[used++] = (struct iovec){.iov_base = frame->data, .iov_len = frame->size};
    }
    return used;
}

size_t frame_queue_gather(const struct frame_queue *queue, bool only_urgent, struct iovec *vectors,
                          size_t used, size_t max)
{
    used = gather_ring(&queue->urgent, vectors, used, max);
    return only_urgent ? used : gather_ring(&queue->normal, vectors, used, max);
}

struct batch *frame_queue_take(struct frame_queue *queue)
{
    if (frame_queue_is_empty(queue)) {
        return NULL;
    }
    struct batch *frame = *ring_pop(queue->urgent.count > 0 ? &queue->urgent : &queue->normal);
    count(queue, frame, false);
    return frame;
}

struct batch *frame_queue_take_last(struct frame_queue *queue)
{
    if (queue->normal.count == 0) {
        return NULL;
    }
    struct batch *frame = *ring_pop_last(&queue->normal);
    count(queue, frame, false);
    return frame;
}

void frame_queue_free(struct frame_queue *queue)
{
    ensure(frame_queue_is_empty(queue) && queue->waiting_bytes == 0);
    ring_free(&queue->urgent);
    ring_free(&queue->normal);
}
