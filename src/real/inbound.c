/*
 * Connections that were accepted: bytes in, whole frames out. Small frames that come together are
 * copied once, as a run, into a batch of exactly their size; a frame that comes in pieces is read
 * straight into a batch of its own. So a payload that is kept pins little beside itself.
 *
 * It never sends, and never lets what a stranger sends do more than end that stranger's connection.
 */
#include "real/internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#define RUN_BYTES (16U << 10)            /* a batch of several frames ends when it is so large */
#define STRANGER_BYTES_MAX (64U << 10)   /* of a frame before the hello has been accepted */
#define HELLO_TIMEOUT_NS (5 * SECOND_NS) /* real */
#define READS_UNTOLD_MAX 8
#define READS_MAX 8 /* of one connection in one turn, so that others get theirs */

static void on_ready(void *owner, int events);

static struct real *real_of_connection(const struct inbound_connection *connection)
{
    return connection->endpoint->real;
}

static void on_hello_due(void *context)
{
    inbound_close(context, "no hello");
}

static void set_options(int descriptor)
{
    int on = 1;
    int idle_s = 10;
    int interval_s = 5;
    int count = 3;
    (void)setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    /* A peer whose host is gone without a word would stay here forever. */
    (void)setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    (void)setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
    (void)setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

/* Nothing is ever sent on such a connection that could carry an acknowledgement, so TCP would send
 * a segment of its own for each read, a sixth of a round trip on the loopback. In its interactive
 * mode it does for every second (or after 40 ms), but leaves the mode by itself when traffic
 * pauses. */
static void acknowledge_less(struct inbound_connection *connection)
{
    int off = 0;
    if (connection->reads++ % READS_UNTOLD_MAX == 0) {
        (void)setsockopt(connection->watch->descriptor, IPPROTO_TCP, TCP_QUICKACK, &off,
                         sizeof off);
    }
}

void inbound_open(struct endpoint *endpoint, int descriptor)
{
    struct real *real = endpoint->real;
    struct inbound_connection *connection = memory_new_zeroed(1, sizeof *connection);
    connection->endpoint = endpoint;
    address_of_socket(descriptor, true, connection->remote);
    set_options(descriptor);
    connection->watch = watch_open(real, descriptor, UV_READABLE, on_ready, connection);
    if (connection->watch == NULL) {
        real_notice(real, endpoint->id, 0, "connection from %s not taken: %s", connection->remote,
                    uv_strerror(-errno));
        memory_free(connection);
        return;
    }
    connection->hello_due.fire = on_hello_due;
    connection->hello_due.context = connection;
    loop_wake_at(&real->world, &connection->hello_due,
                 loop_now(real) + loop_to_world(real, HELLO_TIMEOUT_NS));
    connection->next = endpoint->inbounds;
    if (connection->next != NULL) {
        connection->next->previous = connection;
    }
    endpoint->inbounds = connection;
    endpoint->inbound_count++;
}

static void unlink_connection(struct inbound_connection *connection)
{
    struct endpoint *endpoint = connection->endpoint;
    if (connection->previous != NULL) {
        connection->previous->next = connection->next;
    } else {
        ensure(endpoint->inbounds == connection);
        endpoint->inbounds = connection->next;
    }
    if (connection->next != NULL) {
        connection->next->previous = connection->previous;
    }
    ensure(endpoint->inbound_count > 0);
    endpoint->inbound_count--;
}

void inbound_close(struct inbound_connection *connection, const char *reason)
{
    struct real *real = real_of_connection(connection);
    ensure(!connection->closed);
    connection->closed = true;
    unlink_connection(connection);
    loop_wake_at(&real->world, &connection->hello_due, WORLD_NEVER);
    watch_close(connection->watch, false);
    batch_release(connection->partial);
    connection->partial = NULL;
    if (reason != NULL) {
        real_notice(real, connection->endpoint->id, connection->inbound.peer,
                    "connection from %s closed: %s", connection->remote, reason);
    }
    real_bury(real, &connection->grave);
}

void inbound_close_cut(struct endpoint *endpoint)
{
    struct inbound_connection *next = NULL;
    for (struct inbound_connection *at = endpoint->inbounds; at != NULL; at = next) {
        next = at->next;
        if (at->inbound.peer != 0 && real_is_cut(endpoint->real, at->inbound.peer, endpoint->id)) {
            inbound_close(at, NULL);
        }
    }
}

void inbound_close_from(struct endpoint *endpoint, const char *remote)
{
    struct inbound_connection *next = NULL;
    for (struct inbound_connection *at = endpoint->inbounds; at != NULL; at = next) {
        next = at->next;
        if (strcmp(at->remote, remote) == 0) {
            inbound_close(at, NULL);
        }
    }
}

/* ---- frames to the owner -------------------------------------------------------------------- */

/* The owner knows now who this is. */
static void met(struct inbound_connection *connection)
{
    struct real *real = real_of_connection(connection);
    loop_wake_at(&real->world, &connection->hello_due, WORLD_NEVER);
    if (real_is_cut(real, connection->inbound.peer, connection->endpoint->id)) {
        inbound_close(connection, NULL);
    }
}

static void hand_over(struct inbound_connection *connection, struct batch *batch, uint32_t offset,
                      const struct frame_head *head)
{
    if (head->kind == FRAME_CLIENT_REQUEST || head->kind == FRAME_CLIENT_ANSWER) {
        /* Clients have no connections; the owner takes such a frame for one of our own. */
        inbound_close(connection, "a client's frame on a connection");
        return;
    }
    struct endpoint *endpoint = connection->endpoint;
    bool was_stranger = connection->inbound.peer == 0;
    const char *reason = NULL;
    endpoint->real->world.events++;
    bool accepted = endpoint->handler.frame(endpoint->handler.context, &connection->inbound, batch,
                                            offset, head, &reason);
    if (connection->closed) {
        return;
    }
    if (!accepted) {
        inbound_close(connection, reason == NULL ? "refused" : reason);
    } else if (was_stranger && connection->inbound.peer != 0) {
        met(connection);
    }
}

/* All frames of a batch that holds nothing but whole ones. Takes the reference. */
static void hand_over_run(struct inbound_connection *connection, struct batch *batch)
{
    uint32_t offset = 0;
    while (offset < batch->size && !connection->closed) {
        struct bytes rest = {.data = batch->data + offset, .size = batch->size - offset};
        struct frame_head head;
        const char *problem = NULL;
        ensure(frame_parse(rest, false, &head, &problem) == FRAME_WHOLE);
        hand_over(connection, batch, offset, &head);
        offset += head.length;
    }
    batch_release(batch);
}

/* ---- bytes to frames ------------------------------------------------------------------------ */

/* The start of a frame whose end has not come yet. */
static void keep_start(struct inbound_connection *connection, const uint8_t *data, size_t size)
{
    ensure(connection->partial == NULL);
    if (size < FRAME_HEAD_BYTES) {
        memcpy(connection->head, data, size);
        connection->head_bytes = size;
        return;
    }
    uint32_t length = load_u32(data);
    ensure(length > size && length <= FRAME_BYTES_LIMIT);
    if (connection->inbound.peer == 0 && length > STRANGER_BYTES_MAX) {
        inbound_close(connection, "too large a frame before the hello");
        return;
    }
    connection->partial = batch_new(length);
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

static void take_bytes(struct inbound_connection *connection, struct bytes bytes)
{
    while (bytes.size > 0 && !connection->closed) {
        enum frame_verdict verdict;
        const char *problem = NULL;
        size_t run = measure_run(bytes, &verdict, &problem);
        if (run > 0) {
            hand_over_run(connection, batch_copy(bytes.data, run));
            bytes.data += run;
            bytes.size -= run;
        }
        if (connection->closed || verdict == FRAME_WHOLE) {
            continue;
        }
        if (verdict == FRAME_BAD) {
            inbound_close(connection, problem);
        } else {
            keep_start(connection, bytes.data, bytes.size);
            bytes.size = 0;
        }
    }
}

/* `size` more bytes of the partial frame have come. */
static void extend_partial(struct inbound_connection *connection, size_t size)
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
    struct bytes bytes = {.data = frame->data, .size = frame->size};
    if (frame_parse(bytes, true, &head, &problem) == FRAME_WHOLE) {
        hand_over_run(connection, frame);
    } else {
        batch_release(frame);
        inbound_close(connection, problem);
    }
}

/* Reads once: behind what is there of a partial frame, and then into the scratch, behind what is
 * there of a head. `wanted` is the most that could come. */
static ssize_t read_once(struct inbound_connection *connection, size_t *wanted)
{
    struct real *real = real_of_connection(connection);
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
                                      .iov_len = SCRATCH_BYTES - connection->head_bytes};
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

static void take_read(struct inbound_connection *connection, size_t size)
{
    struct real *real = real_of_connection(connection);
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

static void ended(struct inbound_connection *connection, bool failed)
{
    bool is_within = connection->partial != NULL || connection->head_bytes > 0;
    bool is_quiet = !is_within && (!failed || connection->inbound.peer != 0);
    inbound_close(connection, is_within  ? "it ended within a frame"
                              : is_quiet ? NULL
                                         : "it failed before the hello");
}

static void on_ready(void *owner, int events)
{
    struct inbound_connection *connection = owner;
    loop_input_came(real_of_connection(connection));
    for (int i = 0; i < READS_MAX && !connection->closed; i++) {
        size_t wanted = 0;
        ssize_t got = read_once(connection, &wanted);
        if (got <= 0) {
            bool is_empty = got < 0 && errno == EAGAIN && (events & WATCH_FAILED) == 0;
            if (!is_empty) {
                ended(connection, got < 0);
            }
            return;
        }
        acknowledge_less(connection);
        take_read(connection, (size_t)got);
        if ((size_t)got < wanted && (events & WATCH_FAILED) == 0) {
            return; /* that was all: a read that finds nothing would cost as much again */
        }
    }
}
