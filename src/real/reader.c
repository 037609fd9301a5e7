/*
 * What comes on a connection, whoever dialled it: bytes in, whole frames out. Small frames that
 * come together are copied once, as a run, into a batch of exactly their size; a frame that comes
 * in pieces is read straight into a batch of its own. So a payload that is kept pins little beside
 * itself.
 *
 * It never sends, and never closes a descriptor: it tells its owner, who ends the connection.
 */
#include "real/internal.h"

#include <errno.h>
#include <string.h>

#define RUN_BYTES (16U << 10)          /* a batch of several frames ends when it is so large */
#define STRANGER_BYTES_MAX (64U << 10) /* of a frame before the hello has been accepted */
#define READS_MAX 8 /* of one connection in one turn, so that others get theirs */

/* ---- frames to the endpoint ----------------------------------------------------------------- */

static void hand_over(struct reader *reader, struct batch *batch, uint32_t offset,
                      const struct frame_head *head)
{
    if (head->kind == FRAME_CLIENT_REQUEST || head->kind == FRAME_CLIENT_ANSWER) {
        /* Clients have no connections; the owner takes such a frame for one of our own. */
        reader->refused(reader->owner, "a client's frame on a connection");
        return;
    }
    struct endpoint *endpoint = reader->endpoint;
    struct inbound before = reader->inbound;
    const char *reason = NULL;
    endpoint->real->world.events++;
    bool accepted = endpoint->handler.frame(endpoint->handler.context, &reader->inbound, batch,
                                            offset, head, &reason);
    if (reader->closed) {
        return;
    }
    if (!accepted) {
        reader->refused(reader->owner, reason == NULL ? "refused" : reason);
    } else if (before.peer != reader->inbound.peer ||
               before.invited_hello != reader->inbound.invited_hello) {
        reader->learned(reader->owner);
    }
}

/* All frames of a batch that holds nothing but whole ones. Takes the reference. */
static void hand_over_run(struct reader *reader, struct batch *batch)
{
    uint32_t offset = 0;
    while (offset < batch->size && !reader->closed) {
        struct bytes rest = {.data = batch->data + offset, .size = batch->size - offset};
        struct frame_head head;
        const char *problem = NULL;
        ensure(frame_parse(rest, false, &head, &problem) == FRAME_WHOLE);
        hand_over(reader, batch, offset, &head);
        offset += head.length;
    }
    batch_release(batch);
}

/* ---- bytes to frames ------------------------------------------------------------------------ */

/* The start of a frame whose end has not come yet. */
static void keep_start(struct reader *reader, const uint8_t *data, size_t size)
{
    ensure(reader->partial == NULL);
    if (size < FRAME_HEAD_BYTES) {
        memcpy(reader->head, data, size);
        reader->head_bytes = size;
        return;
    }
    uint32_t length = load_u32(data);
    ensure(length > size && length <= FRAME_BYTES_LIMIT);
    if (reader->inbound.peer == 0 && length > STRANGER_BYTES_MAX) {
        reader->refused(reader->owner, "too large a frame before the hello");
        return;
    }
    reader->partial = batch_new(length);
    memcpy(reader->partial->data, data, size);
    reader->partial_bytes = size;
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

static void take_bytes(struct reader *reader, struct bytes bytes)
{
    while (bytes.size > 0 && !reader->closed) {
        enum frame_verdict verdict;
        const char *problem = NULL;
        size_t run = measure_run(bytes, &verdict, &problem);
        if (run > 0) {
            hand_over_run(reader, batch_copy(bytes.data, run));
            bytes.data += run;
            bytes.size -= run;
        }
        if (reader->closed || verdict == FRAME_WHOLE) {
            continue;
        }
        if (verdict == FRAME_BAD) {
            reader->refused(reader->owner, problem);
        } else {
            keep_start(reader, bytes.data, bytes.size);
            bytes.size = 0;
        }
    }
}

/* `size` more bytes of the partial frame have come. */
static void extend_partial(struct reader *reader, size_t size)
{
    struct batch *frame = reader->partial;
    reader->partial_bytes += size;
    ensure(reader->partial_bytes <= frame->size);
    if (reader->partial_bytes < frame->size) {
        return;
    }
    reader->partial = NULL;
    struct frame_head head;
    const char *problem = NULL;
    struct bytes bytes = {.data = frame->data, .size = frame->size};
    if (frame_parse(bytes, true, &head, &problem) == FRAME_WHOLE) {
        hand_over_run(reader, frame);
    } else {
        batch_release(frame);
        reader->refused(reader->owner, problem);
    }
}

/* Reads once: behind what is there of a partial frame, and then into the scratch, behind what is
 * there of a head. `wanted` is the most that could come. */
static ssize_t read_once(struct reader *reader, size_t *wanted)
{
    struct real *real = reader->endpoint->real;
    struct iovec vectors[2];
    int count = 0;
    if (reader->partial != NULL) {
        ensure(reader->head_bytes == 0);
        vectors[count++] = (struct iovec){.iov_base = reader->partial->data + reader->partial_bytes,
                                          .iov_len = reader->partial->size - reader->partial_bytes};
    }
    memcpy(real->scratch, reader->head, reader->head_bytes);
    vectors[count++] = (struct iovec){.iov_base = real->scratch + reader->head_bytes,
                                      .iov_len = SCRATCH_BYTES - reader->head_bytes};
    *wanted = vectors[0].iov_len + (count == 2 ? vectors[1].iov_len : 0);
    for (;;) {
        ssize_t got = count == 1 ? recv(reader->watch->descriptor, vectors[0].iov_base,
                                        vectors[0].iov_len, MSG_DONTWAIT)
                                 : readv(reader->watch->descriptor, vectors, count);
        if (got >= 0 || errno != EINTR) {
            return got;
        }
    }
}

static void take_read(struct reader *reader, size_t size)
{
    struct real *real = reader->endpoint->real;
    if (reader->partial != NULL) {
        size_t missing = reader->partial->size - reader->partial_bytes;
        size_t taken = size < missing ? size : missing;
        extend_partial(reader, taken);
        size -= taken;
    } else {
        size += reader->head_bytes;
        reader->head_bytes = 0;
    }
    take_bytes(reader, (struct bytes){.data = real->scratch, .size = size});
}

/* ---- for the connections -------------------------------------------------------------------- */

void reader_read(struct reader *reader, bool failed)
{
    /* One in error is not watched any more: nobody comes back for what is left. */
    for (int i = 0; (failed || i < READS_MAX) && !reader->closed; i++) {
        size_t wanted = 0;
        ssize_t got = read_once(reader, &wanted);
        if (got <= 0) {
            int problem = got == 0 ? 0 : errno;
            if (problem != EAGAIN || failed) {
                reader->ended(reader->owner, problem);
            }
            return;
        }
        take_read(reader, (size_t)got);
        if ((size_t)got < wanted && !failed) {
            return; /* that was all: a read that finds nothing would cost as much again */
        }
    }
}

bool reader_is_within(const struct reader *reader)
{
    return reader->partial != NULL || reader->head_bytes > 0;
}

void reader_close(struct reader *reader)
{
    ensure(!reader->closed);
    reader->closed = true;
    batch_release(reader->partial);
    reader->partial = NULL;
    real_bury(reader->endpoint->real, &reader->grave);
}
