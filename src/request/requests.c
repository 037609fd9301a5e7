/*
 * All requests of one owner: their numbers, one heap of when they are due with one wake-up of the
 * world for its top, and the order in which they are done. It never lets the world go on.
 */
#include "request/internal.h"

#include <string.h>

#define NUMBER_MASK ((1ULL << REQUEST_NUMBER_BITS) - 1)
#define TRIES_MASK ((1U << (64 - REQUEST_NUMBER_BITS)) - 1)

struct request *request_first(struct requests *requests, enum request_state state)
{
    return item_of(list_first(&requests->states[state]), struct request, link);
}

struct request *request_next(struct requests *requests, const struct request *request)
{
    struct list_link *next = list_next(&requests->states[request->state], &request->link);
    return item_of(next, struct request, link);
}

void request_move(struct requests *requests, struct request *request, enum request_state state)
{
    if (request->kind == REQUEST_TRANSFER) {
        requests->transfers -= request->state == REQUEST_ASKED;
        requests->transfers += state == REQUEST_ASKED;
    }
    list_remove(&request->link);
    request->state = state;
    list_append(&requests->states[state], &request->link);
}

/* ---- when they are due ---------------------------------------------------------------------- */

static void set_alarm(struct requests *requests)
{
    const struct heap_entry *first = heap_first(&requests->due);
    int64_t at_ns = first != NULL ? first->key : WORLD_NEVER;
    if (at_ns != requests->alarm_ns) {
        requests->alarm_ns = at_ns;
        requests->world->operations->wake_at(requests->world, &requests->alarm, at_ns);
    }
}

void request_set_due(struct requests *requests, struct request *request, int64_t due_ns)
{
    if (due_ns == request->due_ns) {
        return;
    }
    request->due_ns = due_ns;
    if (due_ns == WORLD_NEVER) {
        heap_remove(&requests->due, &request->due);
    } else {
        heap_set(&requests->due, &request->due, due_ns, request->number);
    }
    set_alarm(requests);
}

static void alarm_fired(void *context)
{
    struct requests *requests = context;
    int64_t now_ns = world_now_ns(requests->world);
    const struct heap_entry *first = heap_first(&requests->due);
    requests->alarm_ns = WORLD_NEVER;
    while (first != NULL && first->key <= now_ns) {
        request_is_due(requests, item_of(first->of.item, struct request, due));
        first = heap_first(&requests->due);
    }
    set_alarm(requests);
}

/* ---- slots ---------------------------------------------------------------------------------- */

static struct request *new_slot(struct requests *requests)
{
    struct request *request = memory_new_zeroed(1, sizeof *request);
    ensure(requests->slots.count < (1U << REQUEST_SLOT_BITS));
    request->number = requests->slots.count; /* never used yet */
    request->due_ns = WORLD_NEVER;
    *array_push(&requests->slots) = request;
    return request;
}

/* The one that was given back last: its memory is at hand. */
static struct request *take_slot(struct requests *requests)
{
    struct list_link *last = list_last(&requests->states[REQUEST_FREE]);
    return last != NULL ? item_of(last, struct request, link) : new_slot(requests);
}

static void release(struct requests *requests, struct request *request)
{
    request_set_due(requests, request, WORLD_NEVER);
    session_release(requests, request);
    raft_configuration_free(&request->members);
    request_move(requests, request, REQUEST_FREE);
}

static struct request *find(struct requests *requests, uint64_t number)
{
    size_t slot = number & ((1U << REQUEST_SLOT_BITS) - 1);
    if (slot >= requests->slots.count) {
        return NULL;
    }
    struct request *request = requests->slots.items[slot];
    bool is_it = request->number == number && request->state != REQUEST_FREE &&
                 request->state != REQUEST_TAKEN;
    return is_it ? request : NULL;
}

/* ---- asking --------------------------------------------------------------------------------- */

static void fill(struct request *request, const struct request_order *order)
{
    request->number = (request->number + (1U << REQUEST_SLOT_BITS)) & NUMBER_MASK;
    request->kind = order->kind;
    request->deadline_ns = order->deadline_ns;
    request->repeat_ns = order->repeat_ns;
    request->wanted_node = order->node;
    request->to = order->to;
    request->asked = 0;
    request->asked_term = 0;
    request->tries = 0;
    request->once = order->once;
    request->refused = false;
    request->losing = false;
    request->maybe_applied = false;
    request->wanted_session = order->session;
    request->session = 0;
    request->is_waiting_for_session = false;
    request->is_opening = false;
    request->is_addressed = false;
    request->first_try = 1;
    request->wait = order->wait;
    request->asker = order->asker;
    buffer_clear(&request->result);
    buffer_clear(&request->body);
    buffer_append(&request->body, order->body.data, order->body.size);
    if (order->members != NULL) {
        raft_configuration_copy(&request->members, order->members);
    }
    failure_clear(&request->outcome.failure);
    request->outcome.number = request->number;
    request->outcome.kind = order->kind;
    request->outcome.index = 0;
    request->outcome.term = 0;
    request->outcome.count = 0;
}

uint64_t requests_ask(struct requests *requests, const struct request_order *order)
{
    struct request *request = take_slot(requests);
    fill(request, order);
    bool sleeps = order->kind == REQUEST_WAIT && order->wait.judge == NULL;
    request_move(requests, request, sleeps ? REQUEST_SLEEPING : REQUEST_LOOKING);
    if (order->body.size > RAFT_ENTRY_BYTES_MAX) {
        /* Refused here: no frame could carry it. */
        failure_set(&request->outcome.failure, FAILURE_TOO_LARGE,
                    "a command, a question or a call is at most %u bytes", RAFT_ENTRY_BYTES_MAX);
        request_complete(requests, request);
        return request->number;
    }
    request_set_due(requests, request, order->deadline_ns);
    if (sleeps) {
        return request->number;
    }
    if (requests->reach->later) {
        requests->reach->ready(requests->owner);
    } else {
        request_try(requests, request);
    }
    return request->number;
}

void requests_forget(struct requests *requests, uint64_t number)
{
    struct request *request = find(requests, number);
    if (request != NULL) {
        request_expect_no_answer(requests, request);
        release(requests, request);
    }
}

/* ---- taking --------------------------------------------------------------------------------- */

bool requests_are_done(const struct requests *requests)
{
    return !list_is_empty(&requests->states[REQUEST_DONE]);
}

static const struct request_outcome *outcome_of(struct request *request)
{
    request->outcome.result = buffer_bytes(&request->result);
    request->outcome.body = buffer_bytes(&request->body);
    return &request->outcome;
}

const struct request_outcome *requests_take(struct requests *requests)
{
    struct request *taken = request_first(requests, REQUEST_TAKEN);
    struct request *request = request_first(requests, REQUEST_DONE);
    if (taken != NULL) {
        release(requests, taken);
    }
    if (request == NULL) {
        return NULL;
    }
    request_move(requests, request, REQUEST_TAKEN);
    return outcome_of(request);
}

struct request_asker *requests_settle(struct requests *requests)
{
    for (;;) {
        const struct request *first = request_first(requests, REQUEST_DONE);
        struct request_asker *asker = first != NULL ? first->asker : NULL;
        if (first != NULL && asker == NULL) {
            return NULL;
        }
        /* Where none is left, the last that was taken is given back. */
        const struct request_outcome *outcome = requests_take(requests);
        if (outcome == NULL) {
            return NULL;
        }
        ensure(asker != NULL);
        if (asker->done(asker, outcome)) {
            return asker;
        }
    }
}

const struct request_outcome *requests_look(struct requests *requests, uint64_t number)
{
    struct request *request = find(requests, number);
    bool known = request != NULL && (request->state == REQUEST_DONE || request->outcome.index != 0);
    return known ? outcome_of(request) : NULL;
}

/* ---- what the owner tells ------------------------------------------------------------------- */

void requests_answered(struct requests *requests, uint64_t number,
                       const struct node_outcome *outcome)
{
    struct request *request = find(requests, number & NUMBER_MASK);
    if (request == NULL) {
        return;
    }
    uint32_t tries_since =
        (request->tries - (uint32_t)(number >> REQUEST_NUMBER_BITS)) & TRIES_MASK;
    if (request->tries - tries_since < request->first_try) {
        return; /* to open the session, which is open; or in one that has expired */
    }
    bool latest = tries_since == 0;
    /* An answer to an earlier try of what repeats is as good as one to the latest. */
    bool worked = request->repeat_ns > 0 && outcome->failure.code == FAILURE_NONE;
    if ((request->state == REQUEST_ASKED && (latest || worked)) ||
        (request->state == REQUEST_LOOKING && worked)) {
        request_answered(requests, request, outcome);
    }
}

/* Calls f for each that is in this state now; meanwhile any may leave it, and others come. */
static void for_each(struct requests *requests, enum request_state state,
                     void (*f)(struct requests *requests, struct request *request))
{
    size_t first = requests->visited.count; /* not 0: from within another look */
    struct request *request = request_first(requests, state);
    for (; request != NULL; request = request_next(requests, request)) {
        *array_push(&requests->visited) = request->number;
    }
    size_t end = requests->visited.count;
    for (size_t i = first; i < end; i++) {
        request = find(requests, requests->visited.items[i]);
        if (request != NULL && request->state == state) {
            f(requests, request);
        }
    }
    requests->visited.count = first;
}

void requests_judge(struct requests *requests)
{
    for_each(requests, REQUEST_LOOKING, request_try);
    if (requests->transfers > 0) {
        for_each(requests, REQUEST_ASKED, request_see_leader);
    }
}

void requests_review(struct requests *requests)
{
    for_each(requests, REQUEST_ASKED, request_review);
}

static void look_at_applied(struct requests *requests, struct request *request)
{
    if (request->outcome.index <= requests->reach->applied(requests->owner)) {
        request_complete(requests, request);
    }
}

void requests_applied(struct requests *requests)
{
    for_each(requests, REQUEST_APPLYING, look_at_applied);
}

void requests_end(struct requests *requests, enum failure_code code, const char *why)
{
    for (int state = REQUEST_SLEEPING; state <= REQUEST_APPLYING; state++) {
        struct request *request = request_first(requests, (enum request_state)state);
        while (request != NULL) {
            request_end(requests, request, code, why);
            request = request_first(requests, (enum request_state)state);
        }
    }
}

/* ---- their life ----------------------------------------------------------------------------- */

struct requests *requests_new(struct world *world, const struct request_reach *reach, void *owner)
{
    struct requests *requests = memory_new_zeroed(1, sizeof *requests);
    ensure(!reach->later || reach->ready != NULL);
    requests->world = world;
    requests->reach = reach;
    requests->owner = owner;
    requests->alarm = (struct wakeup){.fire = alarm_fired, .context = requests};
    requests->alarm.at_ns = WORLD_NEVER;
    requests->alarm_ns = WORLD_NEVER;
    return requests;
}

void requests_free(struct requests *requests)
{
    if (requests == NULL) {
        return;
    }
    requests->world->operations->wake_at(requests->world, &requests->alarm, WORLD_NEVER);
    for (size_t i = 0; i < requests->slots.count; i++) {
        struct request *request = requests->slots.items[i];
        raft_configuration_free(&request->members);
        buffer_free(&request->body);
        buffer_free(&request->result);
        memory_free(request);
    }
    array_free(&requests->slots);
    array_free(&requests->visited);
    array_free(&requests->sessions);
    array_free(&requests->pool);
    heap_free(&requests->due);
    memory_free(requests);
}
