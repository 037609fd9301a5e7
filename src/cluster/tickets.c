/*
 * What somebody waits for, and in what order it became ready. A heap holds when tickets are due,
 * with one wake-up of the world for its top; those that wait for a change of some node are looked
 * at only when something has changed. It never lets the world go on.
 */
#include "cluster/internal.h"

#include <string.h>

/* A ticket's number is below 2^52, so that a number of Lua holds it exactly: slot, then uses. */
#define SLOT_BITS 20
#define NUMBER_MASK ((1ULL << 52) - 1)

/* ---- the heap of what is due ---------------------------------------------------------------- */

static void set_alarm(struct cluster *cluster)
{
    const struct heap_entry *first = heap_first(&cluster->due);
    int64_t due_ns = first == NULL ? WORLD_NEVER : first->key;
    if (due_ns != cluster->alarm_ns) {
        cluster->alarm_ns = due_ns;
        cluster->world->operations->wake_at(cluster->world, &cluster->alarm, due_ns);
    }
}

void ticket_set_due(struct cluster *cluster, struct ticket *ticket, int64_t due_ns)
{
    ensure(ticket->state == TICKET_WAITING);
    if (due_ns == WORLD_NEVER) {
        heap_remove(&cluster->due, &ticket->due);
    } else {
        heap_set(&cluster->due, &ticket->due, due_ns, ticket->number);
    }
    set_alarm(cluster);
}

/* ---- slots ---------------------------------------------------------------------------------- */

static struct ticket *slot_new(struct cluster *cluster)
{
    size_t count = cluster->slot_count + 1;
    ensure(count < (1U << SLOT_BITS));
    cluster->slots = memory_resize(cluster->slots, count * sizeof(struct ticket *));
    cluster->free_slots = memory_resize(cluster->free_slots, count * sizeof(struct ticket *));
    cluster->watched = memory_resize(cluster->watched, count * sizeof(struct ticket *));
    struct ticket *ticket = memory_new_zeroed(1, sizeof *ticket);
    ticket->number = count - 1; /* its slot; never used yet */
    cluster->slots[count - 1] = ticket;
    cluster->slot_count = count;
    return ticket;
}

static void slot_release(struct cluster *cluster, struct ticket *ticket)
{
    ticket->state = TICKET_FREE;
    cluster->free_slots[cluster->free_count++] = ticket;
}

struct ticket *ticket_new(struct cluster *cluster, enum ticket_kind kind, int64_t deadline_ns)
{
    struct ticket *ticket =
        cluster->free_count > 0 ? cluster->free_slots[--cluster->free_count] : slot_new(cluster);
    struct buffer result = ticket->result;
    struct buffer body = ticket->body;
    uint64_t number = (ticket->number + (1U << SLOT_BITS)) & NUMBER_MASK;
    memset(ticket, 0, sizeof *ticket);
    buffer_clear(&result);
    buffer_clear(&body);
    ticket->result = result;
    ticket->body = body;
    ticket->number = number;
    ticket->kind = kind;
    ticket->state = TICKET_WAITING;
    ticket->deadline_ns = deadline_ns;
    ticket->outcome.ticket = number;
    ticket_set_due(cluster, ticket, deadline_ns);
    return ticket;
}

static struct ticket *ticket_any(struct cluster *cluster, uint64_t number)
{
    size_t slot = number & ((1U << SLOT_BITS) - 1);
    if (slot >= cluster->slot_count || cluster->slots[slot]->number != number ||
        cluster->slots[slot]->state == TICKET_FREE) {
        return NULL;
    }
    return cluster->slots[slot];
}

struct ticket *ticket_find(struct cluster *cluster, uint64_t number)
{
    struct ticket *ticket = ticket_any(cluster, number);
    return ticket != NULL && ticket->state == TICKET_WAITING ? ticket : NULL;
}

/* ---- watching for changes ------------------------------------------------------------------- */

void ticket_watch(struct cluster *cluster, struct ticket *ticket)
{
    if (ticket->watch_place == 0) {
        cluster->watched[cluster->watched_count++] = ticket;
        ticket->watch_place = cluster->watched_count;
    }
}

void ticket_unwatch(struct cluster *cluster, struct ticket *ticket)
{
    if (ticket->watch_place == 0) {
        return;
    }
    /* Those behind move up: the order in which they are looked at is the order they came in. */
    for (size_t i = ticket->watch_place; i < cluster->watched_count; i++) {
        cluster->watched[i - 1] = cluster->watched[i];
        cluster->watched[i - 1]->watch_place = i;
    }
    cluster->watched_count--;
    ticket->watch_place = 0;
}

static void leader_judge(struct cluster *cluster, struct ticket *ticket)
{
    uint64_t term = 0;
    uint64_t leader = cluster_leader(cluster, &term);
    if (leader != 0 && term > ticket->above) {
        ticket->outcome.index = leader;
        ticket->outcome.term = term;
        ticket_ready(cluster, ticket);
    }
}

static void judge_one(struct cluster *cluster, struct ticket *ticket)
{
    switch (ticket->kind) {
    case TICKET_LEADER:
        leader_judge(cluster, ticket);
        break;
    case TICKET_COMMITTED:
        committed_judge(cluster, ticket);
        break;
    case TICKET_REQUEST:
        request_try(cluster, ticket);
        break;
    case TICKET_TIME:
    case TICKET_CHANGE:
    case TICKET_CALL:
        break;
    }
}

void tickets_judge(struct cluster *cluster)
{
    if (cluster->judged_changes == cluster->changes || cluster->watched_count == 0) {
        return;
    }
    cluster->judged_changes = cluster->changes;
    size_t place = 0;
    while (place < cluster->watched_count) {
        struct ticket *ticket = cluster->watched[place];
        judge_one(cluster, ticket);
        if (ticket->watch_place != 0) { /* else the next one moved up */
            place++;
        }
    }
}

/* ---- becoming ready ------------------------------------------------------------------------- */

void ticket_ready(struct cluster *cluster, struct ticket *ticket)
{
    ensure(ticket->state == TICKET_WAITING);
    ticket->state = TICKET_READY;
    heap_remove(&cluster->due, &ticket->due);
    set_alarm(cluster);
    ticket_unwatch(cluster, ticket);
    ticket->next_ready = NULL;
    ticket->previous_ready = cluster->ready_last;
    if (cluster->ready_last != NULL) {
        cluster->ready_last->next_ready = ticket;
    } else {
        cluster->ready_first = ticket;
    }
    cluster->ready_last = ticket;
}

static void ready_remove(struct cluster *cluster, struct ticket *ticket)
{
    if (ticket->previous_ready != NULL) {
        ticket->previous_ready->next_ready = ticket->next_ready;
    } else {
        cluster->ready_first = ticket->next_ready;
    }
    if (ticket->next_ready != NULL) {
        ticket->next_ready->previous_ready = ticket->previous_ready;
    } else {
        cluster->ready_last = ticket->previous_ready;
    }
}

static void time_out(struct cluster *cluster, struct ticket *ticket)
{
    failure_set(&ticket->outcome.failure, FAILURE_TIMEOUT, "the time-out has passed");
    ticket->outcome.failure.unknown = ticket->kind == TICKET_CHANGE || ticket->kind == TICKET_CALL;
    ticket_ready(cluster, ticket);
}

static void alarm_fired(void *context)
{
    struct cluster *cluster = context;
    cluster->alarm_ns = WORLD_NEVER;
    int64_t now_ns = cluster_now_ns(cluster);
    const struct heap_entry *first = NULL;
    while ((first = heap_first(&cluster->due)) != NULL && first->key <= now_ns) {
        struct ticket *ticket = item_of(first->of.item, struct ticket, due);
        if (ticket->kind == TICKET_REQUEST) {
            request_due(cluster, ticket);
        } else {
            time_out(cluster, ticket);
        }
    }
    set_alarm(cluster);
}

static void settle_hook(struct cluster *cluster, struct ticket *ticket)
{
    if (ticket->hook == NULL) {
        return;
    }
    if (ticket->kind == TICKET_CALL) {
        struct node *node = cluster_node(cluster, ticket->call_node);
        if (node != NULL) {
            node_call_forget(node, ticket->hook, ticket->number);
        }
        hook_free(ticket->hook);
    } else {
        ticket->hook->ticket = 0; /* freed when the node tells, or with the cluster */
    }
    ticket->hook = NULL;
}

static void release_taken(struct cluster *cluster)
{
    if (cluster->taken != NULL) {
        slot_release(cluster, cluster->taken);
        cluster->taken = NULL;
    }
}

const struct cluster_outcome *cluster_take(struct cluster *cluster)
{
    release_taken(cluster);
    struct ticket *ticket = cluster->ready_first;
    if (ticket == NULL) {
        return NULL;
    }
    ready_remove(cluster, ticket);
    settle_hook(cluster, ticket);
    ticket->outcome.result = buffer_bytes(&ticket->result);
    cluster->taken = ticket;
    return &ticket->outcome;
}

void cluster_forget(struct cluster *cluster, uint64_t number)
{
    struct ticket *ticket = ticket_any(cluster, number);
    if (ticket == NULL || ticket == cluster->taken) {
        return;
    }
    if (ticket->state == TICKET_READY) {
        ready_remove(cluster, ticket);
    }
    heap_remove(&cluster->due, &ticket->due);
    set_alarm(cluster);
    ticket_unwatch(cluster, ticket);
    settle_hook(cluster, ticket);
    slot_release(cluster, ticket);
}

uint64_t cluster_wait_time(struct cluster *cluster, int64_t deadline_ns)
{
    return ticket_new(cluster, TICKET_TIME, deadline_ns)->number;
}

uint64_t cluster_wait_leader(struct cluster *cluster, uint64_t above, int64_t deadline_ns)
{
    struct ticket *ticket = ticket_new(cluster, TICKET_LEADER, deadline_ns);
    ticket->above = above;
    ticket_watch(cluster, ticket);
    leader_judge(cluster, ticket);
    return ticket->number;
}

uint64_t cluster_wait_committed(struct cluster *cluster, struct bytes command, uint64_t wanted,
                                int64_t deadline_ns)
{
    struct ticket *ticket = ticket_new(cluster, TICKET_COMMITTED, deadline_ns);
    buffer_append(&ticket->body, command.data, command.size);
    ticket->wanted = wanted;
    ticket_watch(cluster, ticket);
    committed_judge(cluster, ticket);
    return ticket->number;
}

void tickets_init(struct cluster *cluster)
{
    cluster->alarm.fire = alarm_fired;
    cluster->alarm.context = cluster;
    cluster->alarm.at_ns = WORLD_NEVER;
    cluster->alarm_ns = WORLD_NEVER;
}

void tickets_free(struct cluster *cluster)
{
    if (cluster->world != NULL) {
        cluster->world->operations->wake_at(cluster->world, &cluster->alarm, WORLD_NEVER);
    }
    for (size_t i = 0; i < cluster->slot_count; i++) {
        buffer_free(&cluster->slots[i]->result);
        buffer_free(&cluster->slots[i]->body);
        memory_free(cluster->slots[i]);
    }
    memory_free(cluster->slots);
    memory_free(cluster->free_slots);
    heap_free(&cluster->due);
    memory_free(cluster->watched);
    while (cluster->hooks != NULL) {
        hook_free(cluster->hooks);
    }
}
