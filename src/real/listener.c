/*
 * Endpoints: a listening socket for each node, and addresses that are reserved for one.
 *
 * It never reads from a connection; what is accepted belongs to connection.c.
 */
#define _GNU_SOURCE /* NOLINT(bugprone-reserved-identifier): for accept4 */
#include "real/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ANY_ADDRESS "127.0.0.1:0"
#define ACCEPT_AGAIN_NS (100 * MILLISECOND_NS)
#define ACCEPTS_MAX 16 /* in one turn */
/* What more come is not answered, which slows down who floods us, and nobody waits long behind
 * them. */
#define BACKLOG 128

/* ---- reservations --------------------------------------------------------------------------- */

/* The kernel gives a port to nobody else while a socket is bound to it; SO_REUSEADDR lets ours
 * listen on it beside one that never does. */
static struct reservation *make_reservation(struct real *real)
{
    struct sockaddr_storage any;
    socklen_t size = 0;
    ensure(address_parse(ANY_ADDRESS, &any, &size));
    int descriptor = address_bind(&any, size);
    if (descriptor < 0) {
        return NULL;
    }
    struct reservation *reservation = memory_new_zeroed(1, sizeof *reservation);
    reservation->descriptor = descriptor;
    address_of_socket(descriptor, false, reservation->address);
    reservation->next = real->reservations;
    real->reservations = reservation;
    return reservation;
}

bool listener_reserve(struct world *world, uint64_t id, char *address, size_t address_size,
                      struct failure *failure)
{
    struct real *real = real_of(world);
    ensure(id != 0 && address_size >= ADDRESS_BYTES);
    struct reservation *reservation = make_reservation(real);
    if (reservation == NULL) {
        failure_set(failure, FAILURE_ADDRESS, "no port can be reserved for node %llu: %s",
                    (unsigned long long)id, uv_strerror(-errno));
        return false;
    }
    (void)snprintf(address, address_size, "%s", reservation->address);
    return true;
}

void listener_free_reservations(struct real *real)
{
    while (real->reservations != NULL) {
        struct reservation *reservation = real->reservations;
        real->reservations = reservation->next;
        (void)close(reservation->descriptor);
        memory_free(reservation);
    }
}

/* ---- accepting ------------------------------------------------------------------------------ */

/* Out of descriptors or memory: the connection stays where it is, and the listener would report it
 * without end. */
static void pause_accepting(struct endpoint *endpoint, int problem)
{
    if (!endpoint->is_full) {
        endpoint->is_full = true;
        real_notice(endpoint->real, endpoint->id, 0,
                    "new connections cannot be accepted at present (%s); open ones go on",
                    uv_strerror(-problem));
    }
    loop_wake_at(&endpoint->real->world, &endpoint->accept_again,
                 loop_now(endpoint->real) + loop_to_world(endpoint->real, ACCEPT_AGAIN_NS));
    endpoint->is_waiting = true;
    listener_watch(endpoint);
}

static void on_accept_again(void *context)
{
    struct endpoint *endpoint = context;
    endpoint->is_waiting = false;
    listener_watch(endpoint);
}

void listener_watch(struct endpoint *endpoint)
{
    watch_events(endpoint->listener, endpoint->accepts && !endpoint->is_waiting ? UV_READABLE : 0);
}

/* false: no more in this turn of the loop. */
static bool accept_one(struct endpoint *endpoint)
{
    struct sockaddr_storage from = {0};
    socklen_t size = sizeof from;
    int descriptor = accept4(endpoint->listener->descriptor, (struct sockaddr *)&from, &size,
                             SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor >= 0) {
        connection_accept(endpoint, descriptor, &from);
        return true;
    }
    if (errno == EAGAIN) {
        endpoint->is_full = false;
        return false;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        int problem = errno;
        if (!strangers_close_one(endpoint->real)) {
            pause_accepting(endpoint, problem);
            return false;
        }
    }
    /* Anything else is about the one connection that is gone now (accept(2)). */
    return true;
}

/* A few in a turn; those that wait are told of at the next. */
static void on_ready(void *owner, int events)
{
    (void)events;
    struct endpoint *endpoint = owner;
    loop_input_came(endpoint->real);
    for (int i = 0; i < ACCEPTS_MAX; i++) {
        if (!strangers_have_time(endpoint)) {
            watch_events(endpoint->listener, 0); /* until there is time again */
            return;
        }
        bool more = accept_one(endpoint);
        strangers_charge(endpoint->real);
        if (!more) {
            return;
        }
    }
}

/* ---- opening and closing -------------------------------------------------------------------- */

/* A listening socket; -1 with errno set. */
static int start_listening(const char *text)
{
    struct sockaddr_storage address;
    socklen_t size = 0;
    if (!address_parse(text, &address, &size)) {
        errno = EINVAL;
        return -1;
    }
    int descriptor = address_bind(&address, size);
    if (descriptor >= 0 && listen(descriptor, BACKLOG) != 0) {
        return address_give_up(descriptor);
    }
    return descriptor;
}

static struct endpoint *make_endpoint(struct real *real, uint64_t id,
                                      const struct endpoint_handler *handler, int descriptor)
{
    struct endpoint *endpoint = memory_new_zeroed(1, sizeof *endpoint);
    endpoint->real = real;
    endpoint->id = id;
    endpoint->handler = *handler;
    endpoint->accept_again.fire = on_accept_again;
    endpoint->accept_again.context = endpoint;
    address_of_socket(descriptor, false, endpoint->address);
    endpoint->listener = watch_open(real, descriptor, 0, on_ready, endpoint);
    if (endpoint->listener == NULL) {
        memory_free(endpoint);
        return NULL;
    }
    endpoint->next = real->endpoints;
    real->endpoints = endpoint;
    return endpoint;
}

/* Those that want a connection to this node dial it at once. */
static void call_back(struct real *real, uint64_t opened)
{
    for (struct endpoint *at = real->endpoints; at != NULL; at = at->next) {
        struct remote *remote = remote_find(at, opened);
        if (remote != NULL) {
            remote_dial_now(remote);
        }
    }
}

struct endpoint *listener_open(struct world *world, uint64_t id, const char *address,
                               const struct endpoint_handler *handler, struct failure *failure)
{
    struct real *real = real_of(world);
    ensure(id != WORLD_CLIENT && handler->frame != NULL && handler->connected != NULL &&
           handler->disconnected != NULL && handler->hello != NULL);
    ensure(real_find(real, id) == NULL);
    if (address == NULL) {
        address = ANY_ADDRESS;
    }
    int descriptor = start_listening(address);
    struct endpoint *endpoint =
        descriptor < 0 ? NULL : make_endpoint(real, id, handler, descriptor);
    if (endpoint == NULL) {
        failure_set(failure, FAILURE_ADDRESS,
                    "node %llu cannot listen on \"%s\": %s (give an IP address and a free port, "
                    "as in \"127.0.0.1:7001\")",
                    (unsigned long long)id, address, uv_strerror(-errno));
        return NULL;
    }
    return endpoint;
}

void listener_accept(struct endpoint *endpoint)
{
    ensure(!endpoint->closed && !endpoint->accepts);
    endpoint->accepts = true;
    listener_watch(endpoint);
    call_back(endpoint->real, endpoint->id);
}

void listener_close(struct world *world, struct endpoint *endpoint)
{
    struct real *real = real_of(world);
    ensure(!endpoint->closed && endpoint->real == real);
    endpoint->closed = true;
    struct endpoint **at = &real->endpoints;
    while (*at != endpoint) {
        ensure(*at != NULL);
        at = &(*at)->next;
    }
    *at = endpoint->next;
    struct list_link *link;
    while ((link = list_first(&endpoint->remotes)) != NULL) {
        remote_free(item_of(link, struct remote, of_endpoint));
    }
    while ((link = list_first(&endpoint->connections)) != NULL) {
        connection_end(item_of(link, struct tcp_connection, of_endpoint), "connection closed",
                       false);
    }
    loop_wake_at(world, &endpoint->accept_again, WORLD_NEVER);
    watch_close(endpoint->listener, false);
    endpoint->listener = NULL;
    real_drop_delayed(real, endpoint->id);
    real_free_later(real, &endpoint->pending_free);
}
