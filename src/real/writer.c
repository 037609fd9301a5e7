/*
 * Writing to a connection: the frame that was begun, then the frames that wait for its peer,
 * several at once at the end of a turn.
 *
 * It never waits for a socket, never ends a connection, and never lets a frame that began on one
 * connection continue on another.
 */
#include "real/internal.h"

#include <errno.h>

#define VECTORS_MAX 64

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

static size_t gather(const struct tcp_connection *connection, struct iovec *vectors)
{
    size_t count = 0;
    if (connection->begun != NULL) {
        vectors[count++] =
            (struct iovec){.iov_base = connection->begun->data + connection->begun_bytes,
                           .iov_len = connection->begun->size - connection->begun_bytes};
    }
    return connection->state == TCP_UP
               ? frame_queue_gather(&connection->remote->queue, connection->large != NULL, vectors,
                                    count, VECTORS_MAX)
               : count;
}

/* So many bytes more have left. */
static void advance(struct tcp_connection *connection, size_t bytes)
{
    while (bytes > 0) {
        if (connection->begun == NULL) {
            connection->begun = frame_queue_take(&connection->remote->queue);
            connection->begun_bytes = 0;
        }
        size_t rest = connection->begun->size - connection->begun_bytes;
        if (bytes < rest) {
            connection->begun_bytes += bytes;
            return;
        }
        bytes -= rest;
        batch_release(connection->begun);
        connection->begun = NULL;
    }
}

static void set_blocked(struct tcp_connection *connection, bool blocked)
{
    if (connection->blocked != blocked) {
        connection->blocked = blocked;
        connection_watch(connection);
    }
}

void writer_write(struct tcp_connection *connection)
{
    ensure(!connection->closed);
    while (connection->state != TCP_DIALLING) {
        struct iovec vectors[VECTORS_MAX];
        size_t count = gather(connection, vectors);
        if (count == 0 && (connection->begun = pieces_cut(connection)) != NULL) {
            connection->begun_bytes = 0;
            continue;
        }
        if (count == 0) {
            set_blocked(connection, false);
            if (connection->state == TCP_DRAINING) {
                (void)shutdown(connection->watch->descriptor, SHUT_WR);
            }
            return;
        }
        ssize_t sent = send_vectors(connection->watch->descriptor, vectors, count);
        if (sent >= 0) {
            advance(connection, (size_t)sent);
        } else if (errno == EAGAIN || errno == ENOBUFS) {
            set_blocked(connection, true);
            return;
        } else {
            /* The poll tells its end, once what has come before that is read. */
            connection->blocked = true;
            connection->broken = true;
            connection_watch(connection);
            return;
        }
    }
}

void writer_write_soon(struct tcp_connection *connection)
{
    if (!connection->blocked && !list_holds(&connection->of_unwritten)) {
        list_append(&connection->endpoint->real->unwritten, &connection->of_unwritten);
    }
}

void real_set_before_writing(struct world *world, void (*before)(void *context), void *context)
{
    real_of(world)->before_writing = before;
    real_of(world)->before_writing_context = context;
}

void writer_write_all(struct real *real)
{
    struct list_link *first = list_first(&real->unwritten);
    if (first != NULL && real->before_writing != NULL) {
        real->before_writing(real->before_writing_context);
    }
    while ((first = list_first(&real->unwritten)) != NULL) {
        struct tcp_connection *connection = item_of(first, struct tcp_connection, of_unwritten);
        bool is_stranger = strangers_has(connection);
        list_remove(first);
        if (is_stranger) {
            (void)strangers_have_time(
                connection->endpoint); /* it is written in any case, and counts */
        }
        writer_write(connection);
        if (is_stranger) {
            strangers_charge(real);
        }
    }
}
