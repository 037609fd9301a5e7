/*
 * One peer of an endpoint: whether it is dialled, which connection is used, and which frames wait
 * to be sent.
 *
 * Where both have dialled, each side keeps the connection that the lower id dialled, and drains the
 * other (as BGP, RFC 4271, 6.8). A peer that restarted, or has closed the old connection, is known
 * by its hello: then the newer connection stays. Neither side dials while there is one.
 *
 * It never lets a queue grow without bound: what does not fit is dropped, and Raft repeats it.
 */
#include "real/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* In the world's time, for the clock may stand still or run fast. */
#define BACKOFF_MIN_NS (10 * MILLISECOND_NS)
#define BACKOFF_MAX_NS (100 * MILLISECOND_NS)       /* in a script's cluster */
#define BACKOFF_MAX_FREE_NS (1000 * MILLISECOND_NS) /* in an application */
#define LIVED_NS (500 * MILLISECOND_NS) /* a connection that lasted so long is dialled at once */
#define REFUSALS_TOLD 3                 /* a peer that does so many times refuses us */
#define REFUSED_LONGER 10               /* times the longest backoff, for a peer that refuses us */

struct remote *remote_find(const struct endpoint *endpoint, uint64_t peer)
{
    list_each(&endpoint->remotes, at) {
        struct remote *remote = item_of(at, struct remote, of_endpoint);
        if (remote->peer == peer) {
            return remote;
        }
    }
    return NULL;
}

bool remote_is_connected(const struct endpoint *endpoint, uint64_t peer)
{
    const struct remote *remote = remote_find(endpoint, peer);
    return remote != NULL && remote->is_announced;
}

static struct real *real_of_remote(const struct remote *remote)
{
    return remote->endpoint->real;
}

static bool is_cut_out(const struct remote *remote)
{
    return real_is_cut(real_of_remote(remote), remote->endpoint->id, remote->peer);
}

static bool is_cut_in(const struct remote *remote)
{
    return real_is_cut(real_of_remote(remote), remote->peer, remote->endpoint->id);
}

/* ---- made and freed ------------------------------------------------------------------------- */

static void dial(struct remote *remote);

static void on_redial(void *context)
{
    dial(context);
}

static struct remote *get(struct endpoint *endpoint, uint64_t peer)
{
    struct remote *remote = remote_find(endpoint, peer);
    if (remote == NULL) {
        remote = memory_new_zeroed(1, sizeof *remote);
        remote->endpoint = endpoint;
        remote->peer = peer;
        remote->redial.fire = on_redial;
        remote->redial.context = remote;
        list_append(&endpoint->remotes, &remote->of_endpoint);
    }
    return remote;
}

static void drop_queue(struct remote *remote, const char *reason)
{
    struct batch *frame;
    while ((frame = frame_queue_take(&remote->queue)) != NULL) {
        real_drop(real_of_remote(remote), remote->endpoint->id, remote->peer, frame, reason);
    }
}

static void close_remote(struct remote *remote, const char *reason)
{
    struct real *real = real_of_remote(remote);
    ensure(!remote->closed && remote->current == NULL && remote->dialled == NULL);
    remote->closed = true;
    list_remove(&remote->of_endpoint);
    loop_wake_at(&real->world, &remote->redial, WORLD_NEVER);
    drop_queue(remote, reason);
    frame_queue_free(&remote->queue);
    real_free_later(real, &remote->pending_free);
}

void remote_free(struct remote *remote)
{
    struct tcp_connection *ends[] = {remote->current, remote->dialled};
    remote->current = NULL;
    remote->dialled = NULL;
    close_remote(remote, "connection closed");
    for (size_t i = 0; i < 2; i++) {
        if (ends[i] != NULL) {
            connection_end(ends[i], "connection closed", false);
        }
    }
}

/* ---- callbacks to the owner ----------------------------------------------------------------- */

static void tell_disconnected(struct remote *remote, const char *reason)
{
    const struct endpoint_handler *handler = &remote->endpoint->handler;
    if (remote->is_announced) {
        remote->is_announced = false;
        drop_queue(remote, reason);
        handler->disconnected(handler->context, remote->peer, reason);
    }
}

static void tell_connected(struct remote *remote)
{
    const struct endpoint_handler *handler = &remote->endpoint->handler;
    if (!remote->is_announced && remote->current != NULL && !is_cut_out(remote)) {
        remote->is_announced = true;
        handler->connected(handler->context, remote->peer);
    }
}

/* ---- dialling ------------------------------------------------------------------------------- */

/* Dials later, and ever later. */
static void rest(struct remote *remote)
{
    struct real *real = real_of_remote(remote);
    int64_t most_ns = real->free_running ? BACKOFF_MAX_FREE_NS : BACKOFF_MAX_NS;
    int64_t wait_ns = remote->backoff_ns;
    int64_t next_ns = wait_ns == 0 ? BACKOFF_MIN_NS : 2 * wait_ns;
    most_ns = remote->refusals < REFUSALS_TOLD ? most_ns : most_ns * REFUSED_LONGER;
    remote->backoff_ns = next_ns < most_ns ? next_ns : most_ns;
    loop_wake_at(&real->world, &remote->redial, loop_now(real) + wait_ns);
}

static void dial(struct remote *remote)
{
    if (!remote_is_dialled(remote) || (remote->current != NULL && !remote->moved) ||
        remote->dialled != NULL || (is_cut_out(remote) && is_cut_in(remote))) {
        return; /* whoever changes that dials again */
    }
    remote->dialled = connection_dial(remote);
    if (remote->dialled == NULL && (errno == EMFILE || errno == ENFILE) &&
        strangers_close_one(real_of_remote(remote))) {
        remote->dialled = connection_dial(remote);
    }
    if (remote->dialled == NULL) {
        rest(remote);
    }
}

void remote_dial_now(struct remote *remote)
{
    if (remote_is_dialled(remote) && (remote->current == NULL || remote->moved) &&
        remote->dialled == NULL) {
        loop_wake_at(&real_of_remote(remote)->world, &remote->redial, WORLD_NEVER);
        remote->backoff_ns = BACKOFF_MIN_NS;
        dial(remote);
    }
}

/* What we dialled for it is to be no more. */
static void abandon(struct remote *remote, const char *reason)
{
    struct tcp_connection *connection = remote->dialled;
    if (connection != NULL) {
        remote->dialled = NULL;
        connection->remote = NULL;
        connection_end(connection, reason, false);
    }
}

/* The connection that is up is drained; frames that wait for it are lost. */
static struct tcp_connection *release_connection(struct remote *remote)
{
    struct tcp_connection *connection = remote->current;
    remote->current = NULL;
    connection_drain(connection);
    return connection;
}

void remote_dial(struct endpoint *endpoint, uint64_t peer, const char *address, bool anew)
{
    ensure(peer != WORLD_CLIENT && address != NULL && address[0] != '\0');
    struct remote *remote = get(endpoint, peer);
    if (strcmp(remote->address, address) == 0) {
        return;
    }
    struct sockaddr_storage parsed;
    socklen_t size = 0;
    if (!address_parse(address, &parsed, &size)) {
        real_notice(endpoint->real, endpoint->id, peer, "cannot dial \"%s\": not an address",
                    address);
    }
    /* One that is too long is no address, and stays none when it is cut. */
    (void)snprintf(remote->address, sizeof remote->address, "%s", address);
    abandon(remote, "the peer has another address");
    if (remote->current != NULL && remote->current->seen.dialled != 0) {
        release_connection(remote);
        tell_disconnected(remote, "the peer has another address");
    }
    remote->moved = anew && remote->current != NULL;
    if (!remote->closed) {
        remote_dial_now(remote);
    }
}

void remote_hang_up(struct endpoint *endpoint, uint64_t peer)
{
    struct remote *remote = remote_find(endpoint, peer);
    if (remote == NULL) {
        return;
    }
    remote->address[0] = '\0';
    loop_wake_at(&endpoint->real->world, &remote->redial, WORLD_NEVER);
    abandon(remote, "connection closed");
    if (remote->current != NULL && remote->current->seen.dialled != 0) {
        remote->is_announced = false; /* the owner asked for it, and gets no callback */
        release_connection(remote);
    }
    if (remote->current == NULL && !remote->closed) {
        close_remote(remote, "connection closed");
    }
}

/* ---- connections that come and go ----------------------------------------------------------- */

static void count_refusal(struct remote *remote)
{
    struct endpoint *endpoint = remote->endpoint;
    if (++remote->refusals == REFUSALS_TOLD) {
        real_notice(endpoint->real, endpoint->id, remote->peer,
                    "node %llu turns this node away; its own notices say why",
                    (unsigned long long)remote->peer);
    }
}

void remote_lost(struct remote *remote, struct tcp_connection *connection, const char *reason,
                 bool refused)
{
    if (connection == remote->dialled) {
        remote->dialled = NULL;
        remote->moved = remote->moved && !refused; /* it is there, and has the other connection */
        if (refused && remote->current == NULL) {
            count_refusal(remote);
        }
    } else {
        ensure(connection == remote->current);
        remote->current = NULL;
        if (loop_now(real_of_remote(remote)) - connection->up_ns >= LIVED_NS) {
            remote->backoff_ns = 0;
        }
    }
    if (!remote->closed && remote_is_dialled(remote) &&
        (remote->current == NULL || remote->moved)) {
        rest(remote);
    }
    if (remote->closed || remote->current != NULL) {
        return;
    }
    tell_disconnected(remote, reason);
    if (!remote->closed && remote->current == NULL && remote->dialled == NULL &&
        !remote_is_dialled(remote)) {
        close_remote(remote, reason);
    }
}

/* Whether nothing was lost with the old one: both are of the same two lives, and each side has
 * dialled before it knew of the other's. */
static bool is_collision(const struct connection *met, const struct connection *old)
{
    if (met->directory != old->directory || met->life != old->life ||
        (met->dialled == 0) == (old->dialled == 0)) {
        return false;
    }
    /* It does not say hello to whom it has a connection: it has let go of the one on which it
     * answered ours before. */
    return met->dialled != 0 || met->hello_number < old->hello_number;
}

/* Whether a connection on which the peer has just said hello takes the place of the old one. */
static bool replaces(const struct endpoint *endpoint, const struct connection *met,
                     const struct connection *old)
{
    if (met->directory != old->directory || met->life != old->life) {
        return true;
    }
    if (is_collision(met, old)) {
        return (met->dialled != 0) == (endpoint->id < met->peer);
    }
    return met->hello_number > old->hello_number;
}

void remote_hello_accepted(struct endpoint *endpoint, struct tcp_connection *connection)
{
    struct real *real = endpoint->real;
    uint64_t peer = connection->seen.peer;
    if (real_is_cut(real, endpoint->id, peer) && real_is_cut(real, peer, endpoint->id)) {
        connection_end(connection, "cut", true);
        return;
    }
    struct remote *remote = get(endpoint, peer);
    struct tcp_connection *old = remote->current;
    if (connection == remote->dialled) {
        remote->dialled = NULL;
        remote->moved = false;
    }
    connection->remote = NULL;
    remote->refusals = 0;
    if (old != NULL && !replaces(endpoint, &connection->seen, &old->seen)) {
        connection_drain(connection);
        return;
    }
    bool lossless = old == NULL || is_collision(&connection->seen, &old->seen);
    if (old != NULL) {
        (void)release_connection(remote);
    }
    if (!remote->moved) {
        if (remote->dialled != NULL && remote->dialled->state == TCP_DIALLING) {
            abandon(remote, "the peer has dialled");
        }
        loop_wake_at(&real->world, &remote->redial, WORLD_NEVER);
    }
    connection->remote = remote;
    connection->ways[0] = !is_cut_out(remote);
    connection->ways[1] = !is_cut_in(remote);
    remote->current = connection;
    connection_answer(connection);
    if (!lossless) {
        tell_disconnected(remote, "replaced by a newer connection");
    }
    if (!remote->closed && remote->current == connection) {
        if (!frame_queue_is_empty(&remote->queue)) {
            writer_write_soon(connection);
        }
        tell_connected(remote);
    }
}

bool remote_follow_cuts(struct remote *remote)
{
    bool ways[2] = {!is_cut_out(remote), !is_cut_in(remote)};
    struct tcp_connection *current = remote->current;
    struct tcp_connection *ended = NULL;
    if (current != NULL && ((current->ways[0] && !ways[0]) || (current->ways[1] && !ways[1]))) {
        ended = current;
    } else if (remote->dialled != NULL && !ways[0] && !ways[1]) {
        ended = remote->dialled;
    }
    if (ended != NULL) {
        const char *reason = "cut";
        const struct faults *faults = real_of_remote(remote)->world.faults;
        (void)(faults_is_cut(faults, remote->endpoint->id, remote->peer, &reason) ||
               faults_is_cut(faults, remote->peer, remote->endpoint->id, &reason));
        connection_end(ended, reason, true);
        return true;
    }
    if (current != NULL) {
        memcpy(current->ways, ways, sizeof ways);
        tell_connected(remote);
    }
    return false;
}

/* ---- into the queue ------------------------------------------------------------------------- */

static size_t begun_bytes_left(const struct remote *remote)
{
    const struct tcp_connection *current = remote->current;
    return current->begun == NULL ? 0 : current->begun->size - current->begun_bytes;
}

/* One that leaves in pieces is beside what waits, as one that waits for that is. */
static bool has_room(const struct remote *remote, size_t size)
{
    const struct batch *large = remote->current->large;
    return (size <= FRAME_BYTES_MAX || large == NULL || large->size <= FRAME_BYTES_MAX) &&
           frame_queue_accepts(&remote->queue, begun_bytes_left(remote), size);
}

static bool make_room(struct remote *remote, size_t size, bool urgent)
{
    struct frame_queue *queue = &remote->queue;
    if (has_room(remote, size)) {
        return true;
    }
    if (!remote->current->blocked) {
        writer_write(remote->current);
    }
    /* A heartbeat that is lost behind a full queue would depose a leader: the youngest of the
     * others make room for it. */
    while (urgent && remote->is_announced && !has_room(remote, size)) {
        struct batch *last = frame_queue_take_last(queue);
        if (last == NULL) {
            break;
        }
        real_drop(real_of_remote(remote), remote->endpoint->id, remote->peer, last, "queue full");
    }
    return remote->is_announced && has_room(remote, size);
}

bool remote_has_room(const struct endpoint *endpoint, uint64_t peer, size_t size)
{
    struct remote *remote = remote_find(endpoint, peer);
    return remote != NULL && remote->is_announced && make_room(remote, size, false);
}

void remote_enqueue(struct remote *remote, struct batch *frame, bool urgent)
{
    if (remote->is_announced && make_room(remote, frame->size, urgent)) {
        frame_queue_push(&remote->queue, frame, urgent);
        writer_write_soon(remote->current);
    } else {
        real_drop(real_of_remote(remote), remote->endpoint->id, remote->peer, frame,
                  remote->is_announced ? "queue full" : "not connected");
    }
}
