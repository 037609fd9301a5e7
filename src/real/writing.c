/*
 * What leaves for a peer: the queue, and several frames at once written at the end of a turn. Of
 * the two connections that a pair of nodes keeps, both send on the one that the lower id dialled,
 * once it has been arranged (outbound_invite), so that TCP's acknowledgements ride on frames: a
 * segment of its own for each would take a sixth of a round trip on the loopback. The other
 * connection is for the peer's hello, and for the time in which there is no more than one.
 *
 * It never waits for a socket, never lets a frame that began on one connection go on on another,
 * and never lets a queue grow without bound: what does not fit is dropped, and Raft repeats it.
 */
#include "real/internal.h"

#include <errno.h>

#define VECTORS_MAX 64

void outbound_drop(struct outbound *outbound, struct batch *frame, const char *reason)
{
    struct real *real = outbound->endpoint->real;
    faults_drop(real->world.faults, loop_now(real), outbound->endpoint->id, outbound->peer, frame,
                reason);
    batch_release(frame);
}

/* ---- to the socket -------------------------------------------------------------------------- */

static ssize_t send_vectors(int descriptor, struct iovec *vectors, size_t count)
{
    for (;;) {
        ssize_t sent;
        if (count == 1) {
            sent = send(descriptor, vectors[0].iov_base, vectors[0].iov_len,
                        MSG_NOSIGNAL | MSG_DONTWAIT);
        } else {
            struct msghdr message = {.msg_iov = vectors, .msg_iovlen = count};
            sent = sendmsg(descriptor, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        }
        if (sent >= 0 || errno != EINTR) {
            return sent;
        }
    }
}

/* A frame goes where it began. */
static struct watch *choose_socket(struct outbound *outbound)
{
    if (outbound->queue.begun == NULL) {
        outbound->on_carrier = outbound->carrier != NULL;
    }
    return outbound->on_carrier ? outbound->carrier->reader.watch : outbound->watch;
}

static void watch_sockets(struct outbound *outbound)
{
    int writable = outbound->blocked ? UV_WRITABLE : 0;
    watch_events(outbound->watch, UV_READABLE | (outbound->on_carrier ? 0 : writable));
    if (outbound->carrier != NULL) {
        watch_events(outbound->carrier->reader.watch,
                     UV_READABLE | (outbound->on_carrier ? writable : 0));
    }
}

static void failed(struct outbound *outbound, int problem)
{
    if (outbound->on_carrier) {
        inbound_close(outbound->carrier, NULL);
    } else {
        outbound_down(outbound, uv_strerror(-problem), false);
    }
}

/* As much as the socket takes. */
static void write_queue(struct outbound *outbound)
{
    while (outbound->state == OUTBOUND_UP && !outbound->blocked &&
           !frame_queue_is_empty(&outbound->queue)) {
        struct iovec vectors[VECTORS_MAX];
        struct watch *watch = choose_socket(outbound);
        size_t count = frame_queue_gather(&outbound->queue, vectors, VECTORS_MAX);
        ssize_t sent = send_vectors(watch->descriptor, vectors, count);
        if (sent >= 0) {
            frame_queue_advance(&outbound->queue, (size_t)sent);
        } else if (errno == EAGAIN || errno == ENOBUFS) {
            outbound->blocked = true;
            watch_sockets(outbound);
        } else {
            failed(outbound, errno);
        }
    }
}

void outbound_write_all(struct real *real)
{
    while (real->unwritten != NULL) {
        struct outbound *outbound = real->unwritten;
        real->unwritten = outbound->next_unwritten;
        outbound->is_unwritten = false;
        write_queue(outbound);
    }
}

void outbound_forget_unwritten(struct outbound *outbound)
{
    struct outbound **at = &outbound->endpoint->real->unwritten;
    while (outbound->is_unwritten) {
        ensure(*at != NULL);
        if (*at == outbound) {
            *at = outbound->next_unwritten;
            outbound->is_unwritten = false;
        } else {
            at = &(*at)->next_unwritten;
        }
    }
}

void outbound_writable(struct outbound *outbound, bool carrier)
{
    if (outbound->state != OUTBOUND_UP || !outbound->blocked || outbound->on_carrier != carrier) {
        return;
    }
    outbound->blocked = false;
    write_queue(outbound);
    if (outbound->state == OUTBOUND_UP) {
        watch_sockets(outbound);
    }
}

/* ---- into the queue ------------------------------------------------------------------------- */

static bool make_room(struct outbound *outbound, size_t size, bool urgent)
{
    struct frame_queue *queue = &outbound->queue;
    if (!frame_queue_accepts(queue, size)) {
        write_queue(outbound);
    }
    /* A heartbeat that is lost behind a full queue would depose a leader: the youngest of the
     * others make room for it. */
    while (urgent && !frame_queue_accepts(queue, size)) {
        struct batch *last = frame_queue_take_last(queue);
        if (last == NULL) {
            break;
        }
        outbound_drop(outbound, last, "queue full");
    }
    return frame_queue_accepts(queue, size);
}

static void write_soon(struct outbound *outbound)
{
    struct real *real = outbound->endpoint->real;
    if (!outbound->is_unwritten && !outbound->blocked) {
        outbound->is_unwritten = true;
        outbound->next_unwritten = real->unwritten;
        real->unwritten = outbound;
    }
}

void outbound_push(struct outbound *outbound, struct batch *frame, bool urgent)
{
    frame_queue_push(&outbound->queue, frame, urgent);
    write_soon(outbound);
}

void outbound_enqueue(struct outbound *outbound, struct batch *frame, bool urgent)
{
    bool fits = outbound->hello_number != 0 && make_room(outbound, frame->size, urgent);
    if (outbound->hello_number == 0) { /* perhaps since just now: writing can end a connection */
        outbound_drop(outbound, frame, "not connected");
    } else if (!fits) {
        outbound_drop(outbound, frame, "queue full");
    } else {
        outbound_push(outbound, frame, urgent);
    }
}

/* ---- by which connection -------------------------------------------------------------------- */

void outbound_find_carrier(struct endpoint *endpoint, uint64_t peer)
{
    struct outbound *outbound = outbound_find(endpoint, peer);
    if (outbound != NULL && outbound->hello_number != 0 && outbound->carrier == NULL) {
        outbound->carrier = inbound_find_invited(endpoint, peer, outbound->hello_number);
        if (outbound->carrier != NULL) {
            outbound->carrier->carries = outbound;
        }
    }
}

void outbound_invited(struct inbound_connection *connection)
{
    const struct inbound *from = &connection->reader.inbound;
    struct endpoint *endpoint = connection->reader.endpoint;
    struct outbound *outbound = outbound_find(endpoint, from->peer);
    if (outbound != NULL && outbound->carrier != NULL && outbound->carrier != connection &&
        from->invited_hello == outbound->hello_number) {
        /* Nobody dials anew who has not ended it, whether or not we have heard so. */
        inbound_close(outbound->carrier, NULL);
    }
    outbound_find_carrier(endpoint, from->peer);
}

void outbound_lose_carrier(struct outbound *outbound)
{
    outbound->carrier->carries = NULL;
    outbound->carrier = NULL;
    if (outbound->on_carrier) {
        outbound->on_carrier = false;
        outbound->blocked = false;
        if (outbound->queue.begun != NULL) {
            outbound_drop(outbound, frame_queue_take(&outbound->queue), "connection closed");
        }
        if (!frame_queue_is_empty(&outbound->queue)) {
            write_soon(outbound);
        }
    }
    outbound_find_carrier(outbound->endpoint, outbound->peer);
}

void outbound_leave_carrier(struct outbound *outbound)
{
    struct inbound_connection *carrier = outbound->carrier;
    if (carrier == NULL) {
        return;
    }
    carrier->carries = NULL;
    outbound->carrier = NULL;
    if (outbound->on_carrier && outbound->queue.begun != NULL) {
        inbound_close(carrier, NULL);
    } else {
        watch_events(carrier->reader.watch, UV_READABLE);
    }
    outbound->on_carrier = false;
}
