/*
 * What comes on a connection, whichever side dialled it: bytes in, whole frames out. Small frames
 * that come together are copied once, as a run, into a batch of exactly their size; a frame that
 * comes in pieces is read straight into a batch of its own. So a payload that is kept holds little
 * other memory.
 *
 * It never sends, and never closes a descriptor: connection.c ends connections.
 */
#include "real/internal.h"

#include <errno.h>
#include <string.h>

#define RUN_BYTES (16U << 10)          /* a batch of several frames ends when it is so large */
#define STRANGER_BYTES_MAX (64U << 10) /* of a frame before the hello has been accepted */

/* ---- frames to the endpoint ----------------------------------------------------------------- */

static void hand_over(struct tcp_connection *connection, struct batch *batch, uint32_t offset,
                      const struct frame_head *head)
{
    if (head->kind == FRAME_CLIENT_REQUEST || head->kind == FRAME_CLIENT_ANSWER) {
        /* Clients have no connections; the owner would take such a frame for one of ours. */
        connection_refuse(connection, "a client's frame on a connection");
        return;
    }
    struct endpoint *endpoint = connection->endpoint;
    bool was_known = connection->seen.peer != 0;
    const char *reason = NULL;
    endpoint->real->world.events++;
    bool accepted = endpoint->handler.frame(endpoint->handler.context, &connection->seen, batch,
                                            offset, head, &reason);
    if (connection->closed) {
        return;
    }
    if (!accepted) {
        connection_refuse(connection, reason == NULL ? "refused" : reason);
    } else if (!was_known && connection->seen.peer != 0) {
        remote_hello_accepted(endpoint, connection);
    }
}

static void take_piece(struct tcp_connection *connection, const struct batch *batch,
                       uint32_t offset, const struct frame_head *piece)
{
    struct bytes body = {.data = batch->data + offset + FRAME_HEAD_BYTES,
                         .size = piece->length - FRAME_HEAD_BYTES};
    const char *problem = NULL;
    struct frame_head head;
    struct batch *whole = pieces_join(connection, body, &problem);
    if (whole != NULL) {
        if (frame_parse(batch_bytes(whole), true, &head, &problem) == FRAME_WHOLE &&
            head.kind == FRAME_PIECE) {
            problem = "a piece of a piece";
        }
    }
    if (problem != NULL && !connection->closed) {
        connection_refuse(connection, problem);
    } else if (whole != NULL) {
        hand_over(connection, whole, 0, &head);
    }
    batch_release(whole);
}

/* All frames of a batch that holds nothing but whole ones. Takes the reference. */
static void hand_over_run(struct tcp_connection *connection, struct batch *batch)
{
    uint32_t offset = 0;
    while (offset < batch->size && !connection->closed) {
        struct bytes rest = {.data = batch->data + offset, .size = batch->size - offset};
        struct frame_head head = frame_head_of(rest);
        if (head.kind == FRAME_PIECE) {
            take_piece(connection, batch, offset, &head);
        } else {
            hand_over(connection, batch, offset, &head);
        }
        offset += head.length;
    }
    batch_release(batch);
}

/* ---- bytes to frames ------------------------------------------------------------------------ */

/* The start of a frame whose end has not come yet. */
static void keep_start(struct tcp_connection *connection, const uint8_t *data, size_t size)
{
    ensure(connection->partial == NULL);
    if (size < FRAME_HEAD_BYTES) {
        memcpy(connection->head, data, size);
        connection->head_bytes = size;
        return;
    }
    uint32_t length = load_u32(data);
    ensure(length > size && length <= FRAME_BYTES_LIMIT);
    if (connection->seen.peer == 0 && length > STRANGER_BYTES_MAX) {
        connection_refuse(connection, "too large a frame before the hello");
        return;
    }
    if (!strangers_make_room_for(connection, length)) {
        return;
    }
    connection->partial = batch_new(connection->endpoint->real->world.pool, length);
    memcpy(connection->partial->data, data, size);
    connection->partial_bytes = size;
}

/* Measures the run of whole, sound frames at the start; the verdict is on what follows it. */
static size_t measure_run(struct bytes bytes, enum frame_verdict *verdict, const char **problem)
{
    size_t run = 0;
    *verdict = FRAME_WHOLE;
    while (run < bytes.size && run < RUN_BYTES) {
        struct bytes rest = {.data = bytes.data + run, .size = bytes.size - run};
        struct frame_head head;
        *verdict = frame_parse(rest, true, &head, problem);
        if (*verdict != FRAME_WHOLE) {
            break;
        }
        run += head.length;
    }
    return run;
}

static void take_bytes(struct tcp_connection *connection, struct bytes bytes)
{
    while (bytes.size > 0 && !connection->closed) {
        enum frame_verdict verdict;
        const char *problem = NULL;
        size_t run = measure_run(bytes, &verdict, &problem);
        if (run > 0) {
            hand_over_run(connection,
                          batch_copy(connection->endpoint->real->world.pool, bytes.data, run));
            bytes.data += run;
            bytes.size -= run;
        }
        if (connection->closed || verdict == FRAME_WHOLE) {
            continue;
        }
        if (verdict == FRAME_BAD) {
            connection_refuse(connection, problem);
        } else {
            keep_start(connection, bytes.data, bytes.size);
            bytes.size = 0;
        }
    }
}

/* `size` more bytes of the partial frame have come. */
static void extend_partial(struct tcp_connection *connection, size_t size)
{
    struct batch *frame = connection->partial;
    connection->partial_bytes += size;
    ensure(connection->partial_bytes <= frame->size);
    if (connection->partial_bytes < frame->size) {
        return;
    }
    connection->partial = NULL;
    struct frame_head head;
    const char *problem = NULL;
    if (frame_parse(batch_bytes(frame), true, &head, &problem) == FRAME_WHOLE) {
        hand_over_run(connection, frame);
    } else {
        batch_release(frame);
        connection_refuse(connection, problem);
    }
}

/* Reads once: behind what is there of a partial frame, and then into the scratch, behind what is
 * there of a head. `wanted` is the most that could come. */
static ssize_t read_once(struct tcp_connection *connection, size_t scratch_bytes, size_t *wanted)
{
    struct real *real = connection->endpoint->real;
    struct iovec vectors[2];
    int count = 0;
    if (connection->partial != NULL) {
        ensure(connection->head_bytes == 0);
        vectors[count++] =
            (struct iovec){.iov_base = connection->partial->data + connection->partial_bytes,
                           .iov_len = connection->partial->size - connection->partial_bytes};
    }
    memcpy(real->scratch, connection->head, connection->head_bytes);
    vectors[count++] = (struct iovec){.iov_base = real->scratch + connection->head_bytes,
                                      .iov_len = scratch_bytes - connection->head_bytes};
    *wanted = vectors[0].iov_len + (count == 2 ? vectors[1].iov_len : 0);
    for (;;) {
        ssize_t got = count == 1 ? recv(connection->watch->descriptor, vectors[0].iov_base,
                                        vectors[0].iov_len, MSG_DONTWAIT)
                                 : readv(connection->watch->descriptor, vectors, count);
        if (got >= 0 || errno != EINTR) {
            return got;
        }
    }
}

static void take_read(struct tcp_connection *connection, size_t size)
{
    struct real *real = connection->endpoint->real;
    if (connection->partial != NULL) {
        size_t missing = connection->partial->size - connection->partial_bytes;
        size_t taken = size < missing ? size : missing;
        extend_partial(connection, taken);
        size -= taken;
    } else {
        size += connection->head_bytes;
        connection->head_bytes = 0;
    }
    take_bytes(connection, (struct bytes){.data = real->scratch, .size = size});
}

/* ---- for the connections -------------------------------------------------------------------- */

void reader_read(struct tcp_connection *connection, int reads_max, size_t scratch_bytes,
                 bool failed)
{
    /* One in error is no longer watched: what is left has to be read now. */
    for (int i = 0; (failed || i < reads_max) && !connection->closed; i++) {
        size_t wanted = 0;
        ssize_t got = read_once(connection, scratch_bytes, &wanted);
        if (got <= 0) {
            int problem = got == 0 ? 0 : errno;
            if (problem != EAGAIN || failed) {
                connection_ended(connection, problem);
            }
            return;
        }
        take_read(connection, (size_t)got);
        if ((size_t)got < wanted && !failed) {
            return; /* that was all: a read that finds nothing would cost as much again */
        }
    }
}
