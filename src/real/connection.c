/*
 * One connection's life, whichever side dialled it: dialling, the hellos, frames, the end. A pair
 * of nodes shares one, so that TCP's acknowledgements travel with frames: a separate segment for
 * each would take a sixth of a round trip on the loopback. remote.c decides which of two stays.
 *
 * It never waits for a socket, and what a stranger sends can at most end that stranger's
 * connection.
 */
#include "real/internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

/* Real. */
#define DIAL_TIMEOUT_NS (5 * SECOND_NS)
#define HELLO_TIMEOUT_NS (5 * SECOND_NS)
#define DRAIN_TIMEOUT_NS (2 * SECOND_NS)
#define READS_MAX 8 /* of one connection in one turn, so that others get theirs */
#define STRANGER_READ_BYTES (16U << 10)
#define SILENCE_MS 10000U /* unacknowledged for so long: the peer's host is gone */
#define UNSENT_BYTES_MAX (32U << 10)

static void set_deadline(struct tcp_connection *connection, int64_t real_ns)
{
    struct real *real = connection->endpoint->real;
    loop_wake_at(&real->world, &connection->due, loop_now(real) + loop_to_world(real, real_ns));
}

/* For every socket that frames pass. */
static void set_options(const struct real *real, int descriptor)
{
    int on = 1;
    unsigned unsent_bytes = UNSENT_BYTES_MAX;
    int idle_s = 10;
    int interval_s = 5;
    int count = 3;
    (void)setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    /* What the kernel has taken can no longer be overtaken. */
    (void)setsockopt(descriptor, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent_bytes,
                     sizeof unsent_bytes);
    if (real->free_running) {
        /* Else TCP would try for a quarter of an hour, at ever longer intervals. */
        unsigned silence_ms = SILENCE_MS;
        (void)setsockopt(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence_ms, sizeof silence_ms);
    }
    /* A peer whose host is gone without a word would stay here for ever. */
    (void)setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    (void)setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
    (void)setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

/* ---- ends ----------------------------------------------------------------------------------- */

static void notice(const struct tcp_connection *connection, const char *reason)
{
    struct endpoint *endpoint = connection->endpoint;
    const struct remote *remote = connection->remote;
    char from[ADDRESS_BYTES] = "";
    bool is_ours = connection->seen.dialled != 0;
    if (!is_ours) {
        address_write(&connection->from, from);
    }
    strangers_notice(endpoint, is_ours ? connection->seen.dialled : connection->seen.peer,
                     "connection %s %s closed: %s", is_ours ? "to" : "from",
                     !is_ours         ? from
                     : remote == NULL ? "a peer"
                                      : remote->address,
                     reason);
}

/* Frames that it had begun are lost, and that is traced; a hello is not a message. */
static void drop_begun(struct tcp_connection *connection, const char *reason)
{
    struct batch *frame = connection->begun;
    struct batch *large = connection->large;
    connection->begun = NULL;
    connection->large = NULL;
    if (large != NULL) {
        real_drop(connection->endpoint->real, connection->endpoint->id, connection->seen.peer,
                  large, reason);
    }
    if (frame == NULL) {
        return;
    }
    struct frame_head head = frame_head_of(batch_bytes(frame));
    if (head.kind == FRAME_HELLO || (head.kind == FRAME_PIECE && large != NULL)) {
        batch_release(frame);
    } else {
        real_drop(connection->endpoint->real, connection->endpoint->id, connection->seen.peer,
                  frame, reason);
    }
}

static void end(struct tcp_connection *connection, const char *reason, bool reset, bool refused)
{
    struct endpoint *endpoint = connection->endpoint;
    struct remote *remote = connection->remote;
    ensure(!connection->closed);
    connection->closed = true;
    connection->remote = NULL;
    list_remove(&connection->of_endpoint);
    list_remove(&connection->of_unwritten);
    list_remove(&connection->of_held);
    loop_wake_at(&endpoint->real->world, &connection->due, WORLD_NEVER);
    watch_close(connection->watch, reset);
    batch_release(connection->partial);
    connection->partial = NULL;
    batch_release(connection->joined);
    connection->joined = NULL;
    real_free_later(endpoint->real, &connection->pending_free);
    drop_begun(connection, reason);
    if (remote != NULL && !remote->closed) {
        remote_lost(remote, connection, reason, refused);
    }
}

void connection_end(struct tcp_connection *connection, const char *reason, bool reset)
{
    end(connection, reason, reset, false);
}

void connection_refuse(struct tcp_connection *connection, const char *reason)
{
    /* The end of one that was up is told by its reason. */
    if (connection->seen.dialled == 0 || connection->state != TCP_UP) {
        notice(connection, reason);
    }
    end(connection, reason, true, connection->state == TCP_GREETING);
}

void connection_ended(struct tcp_connection *connection, int problem)
{
    bool is_known = connection->seen.peer != 0;
    if (reader_is_within(connection)) {
        notice(connection, "it ended in the middle of a frame");
    } else if (!is_known && connection->seen.dialled == 0 && problem != 0) {
        notice(connection, "it failed before the hello");
    }
    end(connection,
        problem == 0        ? "closed by the peer"
        : problem == EAGAIN ? "connection failed"
                            : uv_strerror(-problem),
        problem == EAGAIN, !is_known);
}

void connection_drain(struct tcp_connection *connection)
{
    ensure(!connection->closed && connection->state != TCP_DIALLING);
    connection->state = TCP_DRAINING;
    connection->remote = NULL;
    set_deadline(connection, DRAIN_TIMEOUT_NS);
    writer_write_soon(connection); /* and then tells the peer that nothing follows */
}

static void on_due(void *context)
{
    struct tcp_connection *connection = context;
    switch (connection->state) {
    case TCP_DIALLING:
        connection_end(connection, "no answer", true);
        return;
    case TCP_GREETING:
        notice(connection, "no hello");
        connection_end(connection, "no hello", false);
        return;
    case TCP_UP:
    case TCP_DRAINING:
        connection_end(connection, "closed by the peer", false);
        return;
    }
}

/* ---- the hellos ----------------------------------------------------------------------------- */

/* What is written first. */
static void say_hello(struct tcp_connection *connection, uint64_t peer)
{
    const struct endpoint_handler *handler = &connection->endpoint->handler;
    ensure(connection->begun == NULL);
    connection->begun = handler->hello(handler->context, peer);
    connection->begun_bytes = 0;
    writer_write_soon(connection);
}

void connection_answer(struct tcp_connection *connection)
{
    struct real *real = connection->endpoint->real;
    ensure(connection->state == TCP_GREETING && connection->seen.peer != 0);
    connection->state = TCP_UP;
    connection->up_ns = loop_now(real);
    loop_wake_at(&real->world, &connection->due, WORLD_NEVER);
    if (connection->seen.dialled == 0) {
        set_options(real, connection->watch->descriptor);
        say_hello(connection, connection->seen.peer);
    }
}

static void came_up(struct tcp_connection *connection)
{
    char remote[ADDRESS_BYTES];
    char local[ADDRESS_BYTES];
    address_of_socket(connection->watch->descriptor, true, remote);
    address_of_socket(connection->watch->descriptor, false, local);
    if (remote[0] == '\0' || strcmp(remote, local) == 0) {
        /* TCP connects a socket to itself where nobody listens and the port is its own. */
        connection_end(connection, "nothing listens at that address", true);
    } else if (connection->remote->current != NULL && !connection->remote->moved) {
        connection_end(connection, "the peer has dialled", false);
    } else {
        connection->state = TCP_GREETING;
        set_deadline(connection, HELLO_TIMEOUT_NS);
        connection_watch(connection);
        say_hello(connection, connection->seen.dialled);
    }
}

static void finish_dialling(struct tcp_connection *connection)
{
    int problem = 0;
    socklen_t size = sizeof problem;
    if (getsockopt(connection->watch->descriptor, SOL_SOCKET, SO_ERROR, &problem, &size) != 0) {
        problem = errno;
    }
    if (problem != 0) {
        connection_end(connection, uv_strerror(-problem), false);
        return;
    }
    came_up(connection);
}

/* ---- begins --------------------------------------------------------------------------------- */

void connection_watch(struct tcp_connection *connection)
{
    bool waits = connection->blocked && !connection->broken;
    bool reads = !list_holds(&connection->of_held) && !(strangers_has(connection) && waits);
    watch_events(connection->watch, (reads ? UV_READABLE : 0) | (waits ? UV_WRITABLE : 0));
}

/* One that asks and does not read its answers is not read either. */
static void read_what_came(struct tcp_connection *connection, bool failed)
{
    struct endpoint *endpoint = connection->endpoint;
    if (!strangers_has(connection)) {
        reader_read(connection, READS_MAX, SCRATCH_BYTES, failed);
    } else if (strangers_have_time(endpoint) || failed) {
        reader_read(connection, 1, STRANGER_READ_BYTES, failed);
        strangers_charge(endpoint->real);
    } else {
        strangers_hold(connection);
    }
}

static void on_ready(void *owner, int events)
{
    struct tcp_connection *connection = owner;
    loop_input_came(connection->endpoint->real);
    if (connection->state == TCP_DIALLING) {
        finish_dialling(connection);
        return;
    }
    if ((events & UV_READABLE) != 0) {
        read_what_came(connection, (events & WATCH_FAILED) != 0);
    }
    if ((events & UV_WRITABLE) != 0 && !connection->closed) {
        writer_write(connection);
    }
}

/* Takes the descriptor over. */
static struct tcp_connection *make(struct endpoint *endpoint, int descriptor, int events)
{
    struct tcp_connection *connection = memory_new_zeroed(1, sizeof *connection);
    connection->endpoint = endpoint;
    connection->due.fire = on_due;
    connection->due.context = connection;
    connection->watch = watch_open_later(endpoint->real, descriptor, events, on_ready, connection);
    list_append(&endpoint->connections, &connection->of_endpoint);
    return connection;
}

void connection_accept(struct endpoint *endpoint, int descriptor,
                       const struct sockaddr_storage *from)
{
    strangers_make_room(endpoint);
    struct tcp_connection *connection = make(endpoint, descriptor, UV_READABLE);
    connection->from = *from;
    connection->state = TCP_GREETING;
    set_deadline(connection, HELLO_TIMEOUT_NS);
    /* The hello of one that had to wait is there, and is often refused. */
    reader_read(connection, 1, STRANGER_READ_BYTES, false);
}

/* A connecting socket; -1 with errno set. */
static int start_connecting(const struct real *real, const char *text)
{
    struct sockaddr_storage address;
    socklen_t size = 0;
    if (!address_parse(text, &address, &size)) {
        errno = EINVAL;
        return -1;
    }
    int descriptor = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) {
        return -1;
    }
    set_options(real, descriptor);
    if (connect(descriptor, (const struct sockaddr *)&address, size) != 0 && errno != EINPROGRESS &&
        errno != EINTR) {
        return address_give_up(descriptor);
    }
    return descriptor;
}

struct tcp_connection *connection_dial(struct remote *remote)
{
    struct endpoint *endpoint = remote->endpoint;
    int descriptor = start_connecting(endpoint->real, remote->address);
    struct tcp_connection *connection =
        descriptor < 0 ? NULL : make(endpoint, descriptor, UV_WRITABLE);
    if (connection != NULL) {
        connection->remote = remote;
        connection->seen.dialled = remote->peer;
        connection->state = TCP_DIALLING;
        set_deadline(connection, DIAL_TIMEOUT_NS);
    }
    return connection;
}
