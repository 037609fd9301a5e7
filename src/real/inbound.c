/*
 * Connections that were accepted: who is there, and whether we may answer there. What comes is
 * reader.c's, what goes is writing.c's.
 *
 * It never lets what a stranger sends do more than end that stranger's connection.
 */
#include "real/internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#define HELLO_TIMEOUT_NS (5 * SECOND_NS) /* real */

static struct real *real_of_connection(const struct inbound_connection *connection)
{
    return connection->reader.endpoint->real;
}

static void on_hello_due(void *context)
{
    inbound_close(context, "no hello");
}

static void set_options(const struct real *real, int descriptor)
{
    int on = 1;
    int idle_s = 10;
    int interval_s = 5;
    int count = 3;
    outbound_set_options(real, descriptor);
    /* A peer whose host is gone without a word would stay here forever. */
    (void)setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    (void)setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
    (void)setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

/* ---- ends ----------------------------------------------------------------------------------- */

static void unlink_connection(struct inbound_connection *connection)
{
    struct endpoint *endpoint = connection->reader.endpoint;
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
    const struct reader *reader = &connection->reader;
    unlink_connection(connection);
    loop_wake_at(&real->world, &connection->hello_due, WORLD_NEVER);
    watch_close(reader->watch, false);
    if (reason != NULL) {
        real_notice(real, reader->endpoint->id, reader->inbound.peer,
                    "connection from %s closed: %s", connection->remote, reason);
    }
    reader_close(&connection->reader);
    if (connection->carries != NULL) {
        outbound_lose_carrier(connection->carries);
    }
}

void inbound_close_cut(struct endpoint *endpoint)
{
    struct real *real = endpoint->real;
    struct inbound_connection *next = NULL;
    for (struct inbound_connection *at = endpoint->inbounds; at != NULL; at = next) {
        const struct inbound *from = &at->reader.inbound;
        next = at->next;
        if (from->peer != 0 &&
            (real_is_cut(real, from->peer, endpoint->id) ||
             (from->invited_hello != 0 && real_is_cut(real, endpoint->id, from->peer)))) {
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

void inbound_close_peer(struct endpoint *endpoint, uint64_t peer, const char *reason)
{
    struct inbound_connection *next = NULL;
    for (struct inbound_connection *at = endpoint->inbounds; at != NULL; at = next) {
        next = at->next;
        if (at->reader.inbound.peer == peer) {
            inbound_close(at, reason);
        }
    }
}

struct inbound_connection *inbound_find(const struct endpoint *endpoint, uint64_t peer)
{
    struct inbound_connection *at = endpoint->inbounds;
    while (at != NULL && at->reader.inbound.peer != peer) {
        at = at->next;
    }
    return at;
}

struct inbound_connection *inbound_find_invited(const struct endpoint *endpoint, uint64_t peer,
                                                uint64_t hello)
{
    ensure(hello != 0);
    struct inbound_connection *at = endpoint->inbounds;
    while (at != NULL &&
           (at->reader.inbound.peer != peer || at->reader.inbound.invited_hello != hello)) {
        at = at->next;
    }
    return at;
}

/* ---- what the reader tells ------------------------------------------------------------------ */

/* Who is there, or that we may answer. */
static void learned(void *owner)
{
    struct inbound_connection *connection = owner;
    struct endpoint *endpoint = connection->reader.endpoint;
    const struct inbound *from = &connection->reader.inbound;
    if (from->invited_hello != 0) {
        outbound_invited(connection);
        return;
    }
    loop_wake_at(&endpoint->real->world, &connection->hello_due, WORLD_NEVER);
    if (real_is_cut(endpoint->real, from->peer, endpoint->id)) {
        inbound_close(connection, NULL);
    } else {
        outbound_invite(endpoint, from);
    }
}

static void refused(void *owner, const char *reason)
{
    inbound_close(owner, reason);
}

static void ended(void *owner, int problem)
{
    struct inbound_connection *connection = owner;
    bool is_within = reader_is_within(&connection->reader);
    bool is_quiet = !is_within && (problem == 0 || connection->reader.inbound.peer != 0);
    inbound_close(connection, is_within  ? "it ended within a frame"
                              : is_quiet ? NULL
                                         : "it failed before the hello");
}

/* ---- begins --------------------------------------------------------------------------------- */

static void on_ready(void *owner, int events)
{
    struct inbound_connection *connection = owner;
    struct reader *reader = &connection->reader;
    loop_input_came(real_of_connection(connection));
    if ((events & UV_READABLE) != 0) {
        reader_read(reader, (events & WATCH_FAILED) != 0);
    }
    if ((events & UV_WRITABLE) != 0 && !reader->closed && connection->carries != NULL) {
        outbound_writable(connection->carries, true);
    }
}

void inbound_open(struct endpoint *endpoint, int descriptor)
{
    struct real *real = endpoint->real;
    struct inbound_connection *connection = memory_new_zeroed(1, sizeof *connection);
    address_of_socket(descriptor, true, connection->remote);
    set_options(real, descriptor);
    struct watch *watch = watch_open(real, descriptor, UV_READABLE, on_ready, connection);
    if (watch == NULL) {
        real_notice(real, endpoint->id, 0, "connection from %s not taken: %s", connection->remote,
                    uv_strerror(-errno));
        memory_free(connection);
        return;
    }
    connection->reader = (struct reader){.endpoint = endpoint,
                                         .watch = watch,
                                         .learned = learned,
                                         .refused = refused,
                                         .ended = ended,
                                         .owner = connection};
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
