/*
 * Notices for the application: input from outside that was refused, and peers that refuse this
 * node. The same notice is given once in a while. It refuses nothing itself.
 */
#include "embed/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define NOTICE_AGAIN_NS INT64_C(60000000000)
/* Nobody leads for so long: the application is told, with whom this node does not reach. */
#define LEADERLESS_NS INT64_C(2000000000)

static bool is_new(struct embedded *embedded, struct bytes text, int64_t now_ns)
{
    uint64_t hash = hash_bytes(text.data, text.size, 0) | 1;
    for (size_t i = 0; i < NOTICES_REMEMBERED; i++) {
        if (embedded->notices.recent[i].hash == hash &&
            now_ns - embedded->notices.recent[i].at_ns < NOTICE_AGAIN_NS) {
            return false;
        }
    }
    embedded->notices.recent[embedded->notices.recent_next++ % NOTICES_REMEMBERED] =
        (struct recent_notice){hash, now_ns};
    return true;
}

static void add_notice(struct embedded *embedded, uint64_t peer, struct bytes text)
{
    struct notice *notice = &embedded->notices.waiting[embedded->notices.count++];
    notice->peer = peer;
    (void)snprintf(notice->text, sizeof notice->text, "%.*s", (int)text.size,
                   (const char *)text.data);
    embed_tell_soon(embedded);
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

static void read_event(void *context, const struct trace_event *event)
{
    struct embedded *embedded = context;
    if (event->node != embedded->id) {
        return;
    }
    switch ((enum trace_kind)event->kind) {
    case TRACE_DISCONNECT:
        embedded->review_requests = true;
        embed_tell_soon(embedded);
        return;
    default:
        if (embedded->notices.count < NOTICES_WAITING_MAX &&
            is_new(embedded, reason_of(event->text), event->time_ns)) {
            add_notice(embedded, event->peer, event->text);
        }
    }
}

/* ---- waiting for a leader ------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static void add_text(char *text, size_t size,
                                                           const char *format, ...)
{
    size_t used = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    text_format(text + used, size - used, format, arguments);
    va_end(arguments);
}

void notices_explain(struct embedded *embedded, char *text, size_t size)
{
    const struct node_view *view = node_view(embedded->node);
    const char *before = "; it has no connection to ";
    if (!embed_is_running(embedded)) {
        return;
    }
    if (view->members->count == 0) {
        add_text(text, size, "; it waits to be added to a cluster");
    }
    for (uint32_t i = 0; i < view->members->count; i++) {
        const struct raft_member *member = &view->members->members[i];
        if (member->id != embedded->id && !node_is_connected(embedded->node, member->id)) {
            add_text(text, size, "%snode %llu (%.*s)", before, (unsigned long long)member->id,
                     (int)member->address_size, member->address);
            before = ", ";
        }
    }
}

static void set_leaderless_alarm(struct embedded *embedded, int64_t at_ns)
{
    struct world *world = embedded->loop->world;
    embedded->notices.leaderless_ns = at_ns;
    world->operations->wake_at(world, &embedded->notices.leaderless, at_ns);
}

static void on_no_leader(void *context)
{
    struct embedded *embedded = context;
    char text[200];
    embedded->notices.leaderless_ns = WORLD_NEVER;
    if (!embed_is_running(embedded) || node_view(embedded->node)->leader != 0) {
        return;
    }
    (void)snprintf(text, sizeof text, "node %llu knows of no leader",
                   (unsigned long long)embedded->id);
    notices_explain(embedded, text, sizeof text);
    if (embedded->notices.count < NOTICES_WAITING_MAX) {
        add_notice(embedded, 0, bytes_of_text(text));
    }
    set_leaderless_alarm(embedded, embed_loop_now_ns(embedded->loop) + NOTICE_AGAIN_NS);
}

void notices_follow_leader(struct embedded *embedded)
{
    bool waits = embed_is_running(embedded) && node_view(embedded->node)->leader == 0;
    if (!waits && embedded->notices.leaderless_ns != WORLD_NEVER) {
        set_leaderless_alarm(embedded, WORLD_NEVER);
    } else if (waits && embedded->notices.leaderless_ns == WORLD_NEVER) {
        set_leaderless_alarm(embedded, embed_loop_now_ns(embedded->loop) + LEADERLESS_NS);
    }
}

void notices_open(struct embedded *embedded)
{
    uint64_t kinds = TRACE_MASK(TRACE_NOTICE) | TRACE_MASK(TRACE_DISCONNECT);
    embedded->notices.subscription =
        trace_subscribe(embedded->loop->trace, kinds, read_event, embedded);
    embedded->notices.leaderless = (struct wakeup){.fire = on_no_leader, .context = embedded};
    embedded->notices.leaderless.at_ns = WORLD_NEVER;
    embedded->notices.leaderless_ns = WORLD_NEVER;
}

void notices_close(struct embedded *embedded)
{
    trace_unsubscribe(embedded->loop->trace, embedded->notices.subscription);
    set_leaderless_alarm(embedded, WORLD_NEVER);
}
