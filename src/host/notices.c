/*
 * What the application should know of its node's dealings with others: what came from outside and
 * was turned away, and that a peer turns this node away. Each thing is told once in a while. It
 * turns nothing away itself.
 */
#include "host/internal.h"

#include <stdio.h>
#include <string.h>

#define TOLD_AGAIN_NS INT64_C(60000000000)
/* A connection that ends so soon after it came up, several times in a row, was refused. */
#define REFUSED_WITHIN_NS INT64_C(1000000000)
#define REFUSED_TIMES 3

static bool is_new(struct host *host, struct bytes text, int64_t now_ns)
{
    uint64_t hash = hash_bytes(text.data, text.size, 0) | 1;
    for (size_t i = 0; i < NOTICES_REMEMBERED; i++) {
        if (host->told[i].hash == hash && now_ns - host->told[i].at_ns < TOLD_AGAIN_NS) {
            return false;
        }
    }
    host->told[host->told_next++ % NOTICES_REMEMBERED] = (struct told_notice){hash, now_ns};
    return true;
}

static void add_notice(struct host *host, uint64_t peer, struct bytes text)
{
    struct notice *notice = &host->notices[host->notice_count++];
    notice->peer = peer;
    (void)snprintf(notice->text, sizeof notice->text, "%.*s", (int)text.size,
                   (const char *)text.data);
    host_tell_soon(host);
}

/* The reason alone: the port that somebody dials from is another one each time, and the node and
 * its world both tell why a connection was closed. */
static struct bytes reason_of(struct bytes text)
{
    static const char closed[] = " closed: ";
    size_t size = sizeof closed - 1;
    for (size_t at = 0; at + size <= text.size; at++) {
        if (memcmp(text.data + at, closed, size) == 0) {
            return (struct bytes){text.data + at + size, text.size - at - size};
        }
    }
    return text;
}

static struct dialled *dialled_to(struct host *host, uint64_t peer)
{
    for (uint32_t i = 0; i < host->dialled_count; i++) {
        if (host->dialled[i].peer == peer) {
            return &host->dialled[i];
        }
    }
    host->dialled = memory_resize(host->dialled, (host->dialled_count + 1) * sizeof *host->dialled);
    host->dialled[host->dialled_count] = (struct dialled){.peer = peer};
    return &host->dialled[host->dialled_count++];
}

static void connection_ended(struct host *host, const struct trace_event *event)
{
    struct dialled *dialled = dialled_to(host, event->peer);
    bool soon = event->time_ns - dialled->up_ns < REFUSED_WITHIN_NS;
    dialled->quick_ends = soon ? dialled->quick_ends + 1 : 0;
    if (dialled->quick_ends != REFUSED_TIMES || host->notice_count == NOTICES_WAITING_MAX) {
        return;
    }
    char text[200];
    (void)snprintf(text, sizeof text,
                   "node %llu turns this node away; its own notices say why (a node whose log was "
                   "in memory and whose process ended comes back by joining anew)",
                   (unsigned long long)event->peer);
    add_notice(host, event->peer, bytes_of_text(text));
}

static void read_event(void *context, const struct trace_event *event)
{
    struct host *host = context;
    if (event->node != host->id) {
        return;
    }
    switch ((enum trace_kind)event->kind) {
    case TRACE_CONNECT:
        dialled_to(host, event->peer)->up_ns = event->time_ns;
        return;
    case TRACE_DISCONNECT:
        connection_ended(host, event);
        return;
    default:
        if (host->notice_count < NOTICES_WAITING_MAX &&
            is_new(host, reason_of(event->text), event->time_ns)) {
            add_notice(host, event->peer, event->text);
        }
    }
}

void notices_open(struct host *host)
{
    uint64_t kinds =
        TRACE_MASK(TRACE_NOTICE) | TRACE_MASK(TRACE_CONNECT) | TRACE_MASK(TRACE_DISCONNECT);
    host->notice_subscription = trace_subscribe(host->hosts->trace, kinds, read_event, host);
}

void notices_close(struct host *host)
{
    trace_unsubscribe(host->hosts->trace, host->notice_subscription);
    memory_free(host->dialled);
}
