/*
 * Limits for strangers, connections that are not from our own peers: a share of the loop's time, a
 * bounded number of connections, of which the oldest is closed, few notices. So a flood takes
 * little from the members; only they are read without a bound. The code that accepts or reads for a
 * stranger asks here first, and reports how long it took.
 *
 * It never holds back a connection that we dialled, or of a peer that we dial.
 */
#include "real/internal.h"

#include <stdarg.h>
#include <stdio.h>

#define SHARE 40                           /* one part in so many of the time that passes */
#define CREDIT_MAX_NS (5 * MILLISECOND_NS) /* real */
#define DEBT_MAX_NS (2 * MILLISECOND_NS)   /* of one refusal, however long we were not let run */
#define CLOSING_NOTICE_AGAIN_NS (60 * SECOND_NS)
#define PARTIAL_BYTES_MAX (64U << 20) /* of large frames that are not whole yet */
#define CREDIT_AGAIN_NS (MILLISECOND_NS / 4)

bool strangers_has(const struct tcp_connection *connection)
{
    const struct remote *remote = connection->remote;
    return connection->seen.dialled == 0 && (remote == NULL || !remote_is_dialled(remote));
}

/* ---- time ----------------------------------------------------------------------------------- */

static void add_credit(struct strangers *strangers, int64_t now_real_ns)
{
    strangers->credit_ns += (now_real_ns - strangers->credited_real_ns) / SHARE;
    strangers->credited_real_ns = now_real_ns;
    if (strangers->credit_ns > CREDIT_MAX_NS) {
        strangers->credit_ns = CREDIT_MAX_NS;
    }
}

static void on_resume(void *context)
{
    struct real *real = context;
    struct list_link *link;
    real->strangers.is_resuming = false;
    while ((link = list_first(&real->strangers.held)) != NULL) {
        list_remove(link);
        connection_watch(item_of(link, struct tcp_connection, of_held));
    }
    for (struct endpoint *at = real->endpoints; at != NULL; at = at->next) {
        listener_watch(at);
    }
}

/* What is held back is looked at again when there is credit for some of it. */
static void resume_later(struct real *real)
{
    struct strangers *strangers = &real->strangers;
    int64_t wait_ns = (CREDIT_AGAIN_NS - strangers->credit_ns) * SHARE;
    strangers->is_resuming = true;
    strangers->resume.fire = on_resume;
    strangers->resume.context = real;
    loop_wake_at(&real->world, &strangers->resume, loop_now(real) + loop_to_world(real, wait_ns));
}

/* A node that waits to be added knows no peers yet: any connection may be its leader's. */
static bool knows_peers(const struct endpoint *endpoint)
{
    list_each(&endpoint->remotes, at) {
        if (remote_is_dialled(item_of(at, struct remote, of_endpoint))) {
            return true;
        }
    }
    return false;
}

bool strangers_have_time(const struct endpoint *endpoint)
{
    struct strangers *strangers = &endpoint->real->strangers;
    add_credit(strangers, loop_monotonic_ns());
    if (strangers->credit_ns > 0 || !knows_peers(endpoint)) {
        return true;
    }
    if (!strangers->is_resuming) {
        resume_later(endpoint->real);
    }
    return false;
}

void strangers_hold(struct tcp_connection *connection)
{
    if (!list_holds(&connection->of_held)) {
        list_append(&connection->endpoint->real->strangers.held, &connection->of_held);
        connection_watch(connection);
    }
}

void strangers_charge(struct real *real)
{
    struct strangers *strangers = &real->strangers;
    int64_t now_real_ns = loop_monotonic_ns();
    strangers->credit_ns -= now_real_ns - strangers->credited_real_ns;
    strangers->credited_real_ns = now_real_ns;
    if (strangers->credit_ns < -DEBT_MAX_NS) {
        strangers->credit_ns = -DEBT_MAX_NS;
    }
}

/* ---- number --------------------------------------------------------------------------------- */

void strangers_make_room(struct endpoint *endpoint)
{
    size_t count = 0;
    struct tcp_connection *oldest = NULL;
    list_each(&endpoint->connections, at) {
        struct tcp_connection *connection = item_of(at, struct tcp_connection, of_endpoint);
        if (strangers_has(connection)) {
            oldest = oldest == NULL ? connection : oldest;
            count++;
        }
    }
    if (count >= STRANGERS_MAX) {
        strangers_notice(endpoint, 0,
                         "%d connections from non-members are open: the oldest is closed",
                         STRANGERS_MAX);
        connection_end(oldest, "too many connections", true);
    }
}

static size_t held_bytes(const struct tcp_connection *connection)
{
    return (connection->partial == NULL ? 0 : connection->partial->size) +
           (connection->joined == NULL ? 0 : connection->joined->size);
}

/* The oldest stranger but this one that holds some; NULL: there is none. `sum`: of all together. */
static struct tcp_connection *oldest_that_holds(const struct tcp_connection *connection,
                                                size_t *sum)
{
    struct endpoint *endpoint = connection->endpoint;
    struct tcp_connection *oldest = NULL;
    *sum = 0;
    list_each(&endpoint->connections, at) {
        struct tcp_connection *other = item_of(at, struct tcp_connection, of_endpoint);
        size_t held = strangers_has(other) ? held_bytes(other) : 0;
        oldest = oldest == NULL && held > 0 && other != connection ? other : oldest;
        *sum += held;
    }
    return oldest;
}

bool strangers_make_room_for(struct tcp_connection *connection, size_t size)
{
    struct tcp_connection *oldest;
    size_t sum = 0;
    if (!strangers_has(connection) || size <= FRAME_BYTES_MAX) {
        return true;
    }
    while (!connection->closed && (oldest = oldest_that_holds(connection, &sum)) != NULL &&
           sum + size > PARTIAL_BYTES_MAX) {
        strangers_notice(connection->endpoint, oldest->seen.peer,
                         "connections from non-members hold too many bytes of frames that are not "
                         "whole: the oldest is closed");
        if (!oldest->closed) {
            connection_end(oldest, "too many bytes", true);
        }
    }
    return !connection->closed;
}

static void notice_closing(struct endpoint *endpoint)
{
    struct strangers *strangers = &endpoint->real->strangers;
    int64_t now_ns = loop_now(endpoint->real);
    if (!strangers->has_closed_some ||
        now_ns - strangers->closing_noticed_ns >= CLOSING_NOTICE_AGAIN_NS) {
        strangers->closing_noticed_ns = now_ns;
        real_notice(
            endpoint->real, endpoint->id, 0,
            "out of file descriptors: connections from non-members are closed to make room");
    }
    strangers->has_closed_some = true;
}

bool strangers_close_one(struct real *real)
{
    for (struct endpoint *at = real->endpoints; at != NULL; at = at->next) {
        list_each(&at->connections, link) {
            struct tcp_connection *connection = item_of(link, struct tcp_connection, of_endpoint);
            if (strangers_has(connection)) {
                connection_end(connection, "out of descriptors", true);
                notice_closing(at);
                return true;
            }
        }
    }
    return false;
}

/* ---- notices -------------------------------------------------------------------------------- */

void strangers_notice(struct endpoint *endpoint, uint64_t peer, const char *format, ...)
{
    uint64_t left_out = 0;
    char text[200];
    va_list arguments;
    if (!notice_limit_allows(&endpoint->notices, loop_now(endpoint->real), &left_out)) {
        return;
    }
    if (left_out > 0) {
        real_notice(endpoint->real, endpoint->id, 0,
                    "%llu more notices like the last ones were left out",
                    (unsigned long long)left_out);
    }
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    real_notice(endpoint->real, endpoint->id, peer, "%s", text);
}
