/*
 * The harness run in order: what is under way arrives as it was sent, disks that are not slow write
 * at once, and time wakes who asked for it.
 */
#include "cores/internal.h"

void cores_let_write(struct cores *cores, uint64_t id)
{
    const struct core *core = cores_find(cores, id);
    ensure(core != NULL);
    while (!core->slow && (core->durable < core->asked || !list_is_empty(&core->pieces))) {
        (void)cores_confirm(cores, id, core->asked);
        (void)cores_write_piece(cores, id, false);
    }
}

static void tell(struct cores *cores, uint64_t id, enum raft_event_kind kind)
{
    struct raft_event event = {.kind = kind};
    (void)cores_step(cores, id, &event);
    cores_let_write(cores, id);
}

void cores_flush(struct cores *cores)
{
    for (size_t i = 0; i < cores->all.count; i++) {
        const struct core *core = cores->all.items[i];
        if (core->wants_flush) {
            tell(cores, core->id, RAFT_EVENT_FLUSH);
        }
    }
}

bool cores_settle(struct cores *cores, size_t deliveries_max)
{
    for (size_t i = 0; i < deliveries_max; i++) {
        struct cores_message *message = cores_first(cores);
        if (message == NULL) {
            cores_flush(cores);
            message = cores_first(cores);
        }
        if (message == NULL) {
            return true;
        }
        uint64_t to = message->message.to;
        if (cores_deliver(cores, message, false) != NULL) {
            cores_let_write(cores, to);
        }
    }
    return cores_under_way(cores) == 0;
}

/* Whose deadline comes first, at until_ns at the latest; among equal ones, who was added first. */
static const struct core *next_due(const struct cores *cores, int64_t until_ns, uint64_t only)
{
    const struct core *first = NULL;
    for (size_t i = 0; i < cores->all.count; i++) {
        const struct core *core = cores->all.items[i];
        bool is_due = core->deadline_ns <= until_ns && (only == 0 || core->id == only);
        if (is_due && (first == NULL || core->deadline_ns < first->deadline_ns)) {
            first = core;
        }
    }
    return first;
}

void cores_pass(struct cores *cores, int64_t until_ns, uint64_t only)
{
    ensure(until_ns < RAFT_NEVER);
    const struct core *core = NULL;
    while ((core = next_due(cores, until_ns, only)) != NULL) {
        if (core->deadline_ns > cores->now_ns) {
            cores->now_ns = core->deadline_ns;
        }
        tell(cores, core->id, RAFT_EVENT_TICK);
    }
    cores_set_now_ns(cores, until_ns);
}
