/*
 * Connections that we dial: one to each peer. Dialling with backoff, their ends, and the invitation
 * to the peer to answer on them.
 *
 * It never waits for a socket, and never takes a byte from a peer that it has not invited.
 */
#include "real/internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* In the world's time, for the clock may stand still or run fast. */
#define BACKOFF_MIN_NS (10 * MILLISECOND_NS)
#define BACKOFF_MAX_NS (100 * MILLISECOND_NS)       /* in a script's cluster */
#define BACKOFF_MAX_FREE_NS (1000 * MILLISECOND_NS) /* in an application */
#define LIVED_NS (500 * MILLISECOND_NS) /* a connection that lasted so long is dialled at once */
#define DIAL_TIMEOUT_NS (5 * SECOND_NS) /* real */
#define SILENCE_MS 10000U               /* unacknowledged for so long: the peer's host is gone */

static void on_alarm(void *context);

static struct real *real_of_outbound(const struct outbound *outbound)
{
    return outbound->endpoint->real;
}

struct outbound *outbound_find(const struct endpoint *endpoint, uint64_t peer)
{
    struct outbound *outbound = endpoint->outbounds;
    while (outbound != NULL && outbound->peer != peer) {
        outbound = outbound->next;
    }
    return outbound;
}

bool outbound_is_connected(const struct endpoint *endpoint, uint64_t peer)
{
    const struct outbound *outbound = outbound_find(endpoint, peer);
    return outbound != NULL && outbound->state == OUTBOUND_UP && outbound->hello_number != 0;
}

/* ---- ends ----------------------------------------------------------------------------------- */

/* Back to RESTING, with nothing queued and no alarm; the owner is not told. */
static void disconnect(struct outbound *outbound, const char *reason, bool reset)
{
    loop_wake_at(&real_of_outbound(outbound)->world, &outbound->alarm, WORLD_NEVER);
    if (outbound->watch != NULL) {
        watch_close(outbound->watch, reset);
        outbound->watch = NULL;
    }
    if (outbound->reader != NULL) {
        reader_close(outbound->reader);
        outbound->reader = NULL;
    }
    outbound_leave_carrier(outbound);
    outbound->state = OUTBOUND_RESTING;
    outbound->hello_number = 0;
    outbound->blocked = false;
    for (;;) {
        struct batch *frame = frame_queue_take(&outbound->queue);
        if (frame == NULL) {
            return;
        }
        outbound_drop(outbound, frame, reason);
    }
}

static void rest(struct outbound *outbound)
{
    struct real *real = real_of_outbound(outbound);
    ensure(outbound->state == OUTBOUND_RESTING && !outbound->closed);
    int64_t most_ns = real->free_running ? BACKOFF_MAX_FREE_NS : BACKOFF_MAX_NS;
    int64_t wait_ns = outbound->backoff_ns;
    int64_t next_ns = wait_ns == 0 ? BACKOFF_MIN_NS : 2 * wait_ns;
    outbound->backoff_ns = next_ns < most_ns ? next_ns : most_ns;
    loop_wake_at(&real->world, &outbound->alarm, loop_now(real) + wait_ns);
}

void outbound_down(struct outbound *outbound, const char *reason, bool reset)
{
    struct endpoint *endpoint = outbound->endpoint;
    struct real *real = endpoint->real;
    bool was_up = outbound->state == OUTBOUND_UP;
    if (was_up && loop_now(real) - outbound->up_ns >= LIVED_NS) {
        outbound->backoff_ns = 0;
    }
    disconnect(outbound, reason, reset);
    if (!real_is_cut(real, endpoint->id, outbound->peer)) {
        rest(outbound);
    }
    if (was_up) {
        endpoint->handler.disconnected(endpoint->handler.context, outbound->peer, reason);
    }
}

void outbound_free(struct outbound *outbound)
{
    ensure(!outbound->closed);
    struct outbound **at = &outbound->endpoint->outbounds;
    while (*at != outbound) {
        ensure(*at != NULL);
        at = &(*at)->next;
    }
    *at = outbound->next;
    outbound->closed = true;
    disconnect(outbound, "connection closed", false);
    outbound_forget_unwritten(outbound);
    frame_queue_free(&outbound->queue);
    real_bury(real_of_outbound(outbound), &outbound->grave);
}

/* ---- hellos, invitations --------------------------------------------------------------------- */

static uint64_t number_of(const struct batch *frame)
{
    struct frame_head head;
    const char *problem = NULL;
    ensure(frame_parse((struct bytes){frame->data, frame->size}, false, &head, &problem) ==
           FRAME_WHOLE);
    ensure(head.number != 0);
    return head.number;
}

void outbound_send_hello(struct endpoint *endpoint, uint64_t peer, struct batch *frame)
{
    struct outbound *outbound = outbound_find(endpoint, peer);
    if (outbound == NULL || outbound->state != OUTBOUND_UP) {
        batch_release(frame);
        return;
    }
    ensure(outbound->hello_number == 0 && frame_queue_is_empty(&outbound->queue));
    outbound->hello_number = number_of(frame);
    outbound_push(outbound, frame, true);
    frame_queue_begin(&outbound->queue); /* it goes here, whatever is found for the others */
    const struct inbound_connection *met = inbound_find(endpoint, peer);
    if (met != NULL) {
        outbound_invite(endpoint, &met->reader.inbound);
    }
    outbound_find_carrier(endpoint, peer);
}

static void refused(void *owner, const char *reason)
{
    struct outbound *outbound = owner;
    struct endpoint *endpoint = outbound->endpoint;
    uint64_t peer = outbound->peer;
    outbound_down(outbound, reason, true);
    /* Perhaps it is the peer's hello that is needed, which it says when it dials. */
    inbound_close_peer(endpoint, peer, NULL);
}

static void ended(void *owner, int problem)
{
    outbound_down(owner,
                  problem == 0        ? "closed by the peer"
                  : problem == EAGAIN ? "connection failed"
                                      : uv_strerror(-problem),
                  problem == EAGAIN);
}

static void learned(void *owner)
{
    refused(owner, "the peer invited us on a connection of ours");
}

static struct reader *make_reader(struct outbound *outbound, const struct inbound *from)
{
    struct reader *reader = memory_new_zeroed(1, sizeof *reader);
    reader->inbound = *from;
    reader->endpoint = outbound->endpoint;
    reader->watch = outbound->watch;
    reader->learned = learned;
    reader->refused = refused;
    reader->ended = ended;
    reader->owner = outbound;
    return reader;
}

void outbound_invite(struct endpoint *endpoint, const struct inbound *from)
{
    struct outbound *outbound = outbound_find(endpoint, from->peer);
    if (endpoint->id > from->peer || outbound == NULL || outbound->hello_number == 0) {
        return;
    }
    if (outbound->reader == NULL) {
        outbound->reader = make_reader(outbound, from);
    }
    if (outbound->reader->inbound.directory != from->directory) {
        return; /* what comes is taken for the words of the one that was invited first */
    }
    outbound_enqueue(outbound, endpoint->handler.invitation(endpoint->handler.context, from), true);
}

/* ---- what the socket says ------------------------------------------------------------------- */

static void came_up(struct outbound *outbound)
{
    struct endpoint *endpoint = outbound->endpoint;
    char remote[ADDRESS_BYTES];
    address_of_socket(outbound->watch->descriptor, true, remote);
    address_of_socket(outbound->watch->descriptor, false, outbound->local);
    if (remote[0] == '\0' || strcmp(remote, outbound->local) == 0) {
        /* TCP connects a socket to itself where nobody listens and the port is its own. */
        outbound_down(outbound, "nobody listens there", true);
        return;
    }
    loop_wake_at(&endpoint->real->world, &outbound->alarm, WORLD_NEVER);
    outbound->state = OUTBOUND_UP;
    outbound->up_ns = loop_now(endpoint->real);
    watch_events(outbound->watch, UV_READABLE);
    endpoint->handler.connected(endpoint->handler.context, outbound->peer);
}

static void finish_dialling(struct outbound *outbound)
{
    int problem = 0;
    socklen_t size = sizeof problem;
    if (getsockopt(outbound->watch->descriptor, SOL_SOCKET, SO_ERROR, &problem, &size) != 0) {
        problem = errno;
    }
    if (problem != 0) {
        outbound_down(outbound, uv_strerror(-problem), false);
        return;
    }
    came_up(outbound);
}

/* Who was not invited sends nothing: all there is to read is the end. */
static void read_end(struct outbound *outbound, bool failed)
{
    uint8_t byte;
    ssize_t got = recv(outbound->watch->descriptor, &byte, 1, MSG_DONTWAIT);
    if (got > 0) {
        outbound_down(outbound, "the peer sent on a connection that is ours to send on", true);
    } else if (got == 0) {
        ended(outbound, 0);
    } else if (failed || (errno != EAGAIN && errno != EINTR)) {
        ended(outbound, errno);
    }
}

static void on_ready(void *owner, int events)
{
    struct outbound *outbound = owner;
    loop_input_came(real_of_outbound(outbound));
    if (outbound->state == OUTBOUND_DIALLING) {
        finish_dialling(outbound);
        return;
    }
    bool failed = (events & WATCH_FAILED) != 0;
    if ((events & UV_READABLE) != 0 && outbound->reader != NULL) {
        reader_read(outbound->reader, failed);
    } else if ((events & UV_READABLE) != 0) {
        read_end(outbound, failed);
    }
    if ((events & UV_WRITABLE) != 0) {
        outbound_writable(outbound, false);
    }
}

/* ---- dialling ------------------------------------------------------------------------------- */

void outbound_set_options(const struct real *real, int descriptor)
{
    int on = 1;
    (void)setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (real->free_running) {
        /* Else TCP would try for a quarter of an hour, at ever longer intervals. */
        unsigned silence_ms = SILENCE_MS;
        (void)setsockopt(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence_ms, sizeof silence_ms);
    }
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
    outbound_set_options(real, descriptor);
    if (connect(descriptor, (const struct sockaddr *)&address, size) != 0 && errno != EINPROGRESS &&
        errno != EINTR) {
        int problem = errno;
        (void)close(descriptor);
        errno = problem;
        return -1;
    }
    return descriptor;
}

static void dial(struct outbound *outbound)
{
    struct real *real = real_of_outbound(outbound);
    ensure(outbound->state == OUTBOUND_RESTING && outbound->watch == NULL);
    if (real_is_cut(real, outbound->endpoint->id, outbound->peer)) {
        return; /* links_changed dials again */
    }
    int descriptor = start_connecting(real, outbound->address);
    if (descriptor >= 0) {
        outbound->watch = watch_open(real, descriptor, UV_WRITABLE, on_ready, outbound);
    }
    if (outbound->watch == NULL) {
        rest(outbound);
        return;
    }
    outbound->state = OUTBOUND_DIALLING;
    loop_wake_at(&real->world, &outbound->alarm,
                 loop_now(real) + loop_to_world(real, DIAL_TIMEOUT_NS));
}

static void on_alarm(void *context)
{
    struct outbound *outbound = context;
    ensure(!outbound->closed && outbound->state != OUTBOUND_UP);
    if (outbound->state == OUTBOUND_DIALLING) {
        outbound_down(outbound, "no answer", true);
    } else {
        dial(outbound);
    }
}

void outbound_dial_now(struct outbound *outbound)
{
    if (outbound->state == OUTBOUND_RESTING) {
        loop_wake_at(&real_of_outbound(outbound)->world, &outbound->alarm, WORLD_NEVER);
        outbound->backoff_ns = BACKOFF_MIN_NS;
        dial(outbound);
    }
}

void outbound_dial(struct endpoint *endpoint, uint64_t peer, const char *address)
{
    ensure(peer != WORLD_CLIENT && address != NULL);
    struct outbound *outbound = outbound_find(endpoint, peer);
    if (outbound != NULL && strcmp(outbound->address, address) == 0) {
        return;
    }
    if (outbound == NULL) {
        outbound = memory_new_zeroed(1, sizeof *outbound);
        outbound->endpoint = endpoint;
        outbound->peer = peer;
        outbound->alarm.fire = on_alarm;
        outbound->alarm.context = outbound;
        outbound->next = endpoint->outbounds;
        endpoint->outbounds = outbound;
    }
    struct sockaddr_storage parsed;
    socklen_t size = 0;
    if (!address_parse(address, &parsed, &size)) {
        real_notice(endpoint->real, endpoint->id, peer, "cannot dial \"%s\": not an address",
                    address);
    }
    /* One that is too long is no address, and stays none when it is cut. */
    (void)snprintf(outbound->address, sizeof outbound->address, "%s", address);
    if (outbound->state != OUTBOUND_RESTING) {
        outbound_down(outbound, "the peer has another address", false);
    }
    if (!outbound->closed) {
        outbound_dial_now(outbound);
    }
}

void outbound_hang_up(struct endpoint *endpoint, uint64_t peer)
{
    struct outbound *outbound = outbound_find(endpoint, peer);
    if (outbound != NULL) {
        outbound_free(outbound);
    }
}
