/*
 * Proposals, reads and changes of members on their way to whoever leads: this node itself, or
 * another that they are passed on to. It never hands a request over twice unless it is certain that
 * the first time came to nothing, and never calls the application but in requests_tell.
 */
#include "embed/internal.h"

#include <string.h>

#define TRY_AGAIN_NS 20000000

/* ---- lists ---------------------------------------------------------------------------------- */

static void unlink_request(struct request *request)
{
    struct request_list *list = &request->embedded->requests[request->state];
    if (request->previous != NULL) {
        request->previous->next = request->next;
    } else {
        list->first = request->next;
    }
    if (request->next != NULL) {
        request->next->previous = request->previous;
    } else {
        list->last = request->previous;
    }
}

static void append_request(struct request *request, enum request_state state)
{
    struct request_list *list = &request->embedded->requests[state];
    request->state = state;
    request->next = NULL;
    request->previous = list->last;
    if (list->last != NULL) {
        list->last->next = request;
    } else {
        list->first = request;
    }
    list->last = request;
}

static void move(struct request *request, enum request_state state)
{
    unlink_request(request);
    append_request(request, state);
    if (state == REQUEST_FRESH || state == REQUEST_READY) {
        embed_tell_soon(request->embedded);
    }
}

static void free_request(struct request *request)
{
    unlink_request(request);
    buffer_free(&request->body);
    buffer_free(&request->result);
    raft_configuration_free(&request->wanted);
    memory_free(request);
}

/* ---- when ----------------------------------------------------------------------------------- */

static void arm(struct embedded *embedded, int64_t at_ns)
{
    if (at_ns < embedded->alarm_ns) {
        struct world *world = embedded->loop->world;
        embedded->alarm_ns = at_ns;
        world->operations->wake_at(world, &embedded->alarm, at_ns);
    }
}

static void disarm(struct embedded *embedded)
{
    struct world *world = embedded->loop->world;
    embedded->alarm_ns = WORLD_NEVER;
    embedded->try_again_ns = WORLD_NEVER;
    world->operations->wake_at(world, &embedded->alarm, WORLD_NEVER);
}

static void wait_and_try_again(struct request *request)
{
    struct embedded *embedded = request->embedded;
    move(request, REQUEST_WAITING);
    if (embedded->try_again_ns == WORLD_NEVER) {
        embedded->try_again_ns = embed_loop_now_ns(embedded->loop) + TRY_AGAIN_NS;
        arm(embedded, embedded->try_again_ns);
    }
}

/* ---- how it ended --------------------------------------------------------------------------- */

static void keep(struct request *request, const struct node_outcome *outcome)
{
    request->outcome = *outcome;
    request->outcome.result = (struct bytes){NULL, 0}; /* a view: the copy is in `result` */
    buffer_clear(&request->result);
    buffer_append(&request->result, outcome->result.data, outcome->result.size);
}

static void ready(struct request *request, const struct node_outcome *outcome)
{
    keep(request, outcome);
    move(request, REQUEST_READY);
}

static void failed(struct request *request, enum failure_code code, bool unknown, const char *text)
{
    struct node_outcome outcome = {0};
    failure_set(&outcome.failure, code, "%s", text);
    outcome.failure.unknown = unknown && request->kind != REQUEST_READ;
    ready(request, &outcome);
}

/* Codes after which it is certain that nothing has come of it and nothing will. A change that was
 * superseded may not be what is wanted any more. */
static bool may_ask_again(const struct request *request, const struct failure *failure)
{
    if (!request->embedded->forward) {
        return false;
    }
    switch (failure->code) {
    case FAILURE_NOT_LEADER:
        return request->kind != REQUEST_CHANGE || failure->leader == 0;
    case FAILURE_NO_LEADER:
        return true;
    case FAILURE_SUPERSEDED:
        return request->kind != REQUEST_CHANGE;
    case FAILURE_BUSY: /* a new leader that has committed nothing yet */
        return request->kind == REQUEST_CHANGE;
    default:
        return false;
    }
}

static void answered(struct request *request, const struct node_outcome *outcome)
{
    request->asked = 0;
    request->call = 0;
    if (outcome->failure.code == FAILURE_NONE && request->kind != REQUEST_CHANGE) {
        /* Who is told of a command or a read finds this node's own state to be as new. */
        bool is_there = outcome->index <= node_applied_index(request->embedded->node);
        keep(request, outcome);
        move(request, is_there ? REQUEST_READY : REQUEST_APPLYING);
    } else if (may_ask_again(request, &outcome->failure) && embed_is_running(request->embedded)) {
        wait_and_try_again(request);
    } else {
        ready(request, outcome);
    }
}

static void told(void *context, uint64_t number, const struct node_outcome *outcome)
{
    (void)number;
    struct request *request = context;
    if (request->state == REQUEST_GIVEN_UP) {
        free_request(request);
    } else {
        answered(request, outcome);
    }
}

/* The application is told now; what this node will answer itself finds an empty shell. */
static void give_up(struct request *request, enum failure_code code, const char *text)
{
    struct embedded *embedded = request->embedded;
    if (request->state == REQUEST_APPLYING && request->kind == REQUEST_PROPOSE) {
        move(request, REQUEST_READY); /* it is committed, whatever becomes of this node */
        return;
    }
    if (request->state == REQUEST_ASKED && request->call == 0) {
        struct request *shell = request;
        request = memory_new_zeroed(1, sizeof *request);
        request->embedded = embedded;
        request->kind = shell->kind;
        request->ticket = shell->ticket;
        move(shell, REQUEST_GIVEN_UP);
        append_request(request, REQUEST_ASKED);
    } else if (request->state == REQUEST_ASKED) {
        node_call_forget(embedded->node, request, 0);
    }
    failed(request, code, request->state == REQUEST_ASKED, text);
}

/* ---- handing over --------------------------------------------------------------------------- */

static void change_here(struct request *request)
{
    struct node_outcome outcome = {0};
    struct embedded *embedded = request->embedded;
    if (!change_is_safe(embedded, &request->wanted, &outcome.failure) ||
        !node_change(embedded->node, &request->wanted, &outcome.index, &outcome.term,
                     &(struct node_asker){.done = told, .context = request}, &outcome.failure)) {
        answered(request, &outcome);
    }
}

static void ask_here(struct request *request)
{
    struct node *node = request->embedded->node;
    struct node_asker asker = {.done = told, .context = request};
    move(request, REQUEST_ASKED);
    request->asked = request->embedded->id;
    request->call = 0;
    switch (request->kind) {
    case REQUEST_PROPOSE:
        node_propose(node, buffer_bytes(&request->body), &asker);
        break;
    case REQUEST_READ:
        node_read(node, NODE_READ_LINEARIZABLE, (struct bytes){NULL, 0}, &asker);
        break;
    case REQUEST_CHANGE:
        change_here(request);
        break;
    }
}

static void pass_on(struct request *request, uint64_t leader)
{
    struct node_outcome outcome = {0};
    bool is_read = request->kind == REQUEST_READ;
    struct bytes body = is_read ? (struct bytes){NULL, 0} : buffer_bytes(&request->body);
    move(request, REQUEST_ASKED);
    request->asked = leader;
    request->call = 1;
    if (!node_forward(request->embedded->node, leader,
                      is_read ? NODE_REQUEST_READ : NODE_REQUEST_PROPOSE, body,
                      &(struct node_asker){.done = told, .context = request}, &outcome.failure)) {
        answered(request, &outcome);
    }
}

static void hand_over(struct request *request)
{
    struct embedded *embedded = request->embedded;
    struct raft_status status;
    if (!embed_is_running(embedded)) {
        failed(request, FAILURE_NODE_DOWN, false,
               embedded->was_started ? "the node has ended" : "the node has not been started");
        return;
    }
    raft_get_status(node_raft(embedded->node), &status);
    bool elsewhere = status.role != RAFT_LEADER && embedded->forward;
    if (elsewhere && status.leader == 0) {
        move(request, REQUEST_WAITING);
    } else if (elsewhere && request->kind != REQUEST_CHANGE && status.leader != embedded->id) {
        pass_on(request, status.leader);
    } else {
        ask_here(request);
    }
}

void requests_hand_over(struct embedded *embedded)
{
    struct request_list *fresh = &embedded->requests[REQUEST_FRESH];
    struct request *last = fresh->last;
    while (fresh->first != NULL) {
        struct request *request = fresh->first;
        hand_over(request);
        if (request == last) {
            break;
        }
    }
}

/* ---- what the node tells -------------------------------------------------------------------- */

void requests_try_again(struct embedded *embedded)
{
    struct request_list *waiting = &embedded->requests[REQUEST_WAITING];
    embedded->try_again_ns = WORLD_NEVER;
    while (waiting->first != NULL) {
        move(waiting->first, REQUEST_FRESH);
    }
}

/* Reads that are with somebody who does not lead any more are asked of the new leader; a command
 * may have been taken, and is not. */
void requests_role_changed(struct embedded *embedded)
{
    struct raft_status status;
    if (!embed_is_running(embedded)) {
        return;
    }
    raft_get_status(node_raft(embedded->node), &status);
    if (status.leader == 0) {
        return;
    }
    struct request *next = NULL;
    for (struct request *at = embedded->requests[REQUEST_ASKED].first; at != NULL; at = next) {
        next = at->next;
        if (at->kind == REQUEST_READ && at->call != 0 && at->asked != status.leader) {
            node_call_forget(embedded->node, at, 0);
            move(at, REQUEST_FRESH);
        }
    }
    requests_try_again(embedded);
}

void requests_applied(struct embedded *embedded)
{
    uint64_t applied = node_applied_index(embedded->node);
    struct request *next = NULL;
    for (struct request *at = embedded->requests[REQUEST_APPLYING].first; at != NULL; at = next) {
        next = at->next;
        if (at->outcome.index <= applied) {
            move(at, REQUEST_READY);
        }
    }
}

void requests_end(struct embedded *embedded, enum failure_code code, const char *why)
{
    static const enum request_state states[] = {REQUEST_FRESH, REQUEST_WAITING, REQUEST_ASKED,
                                                REQUEST_APPLYING};
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        struct request_list *list = &embedded->requests[states[i]];
        struct request *last = list->last;
        bool done = list->first == NULL;
        while (!done) {
            done = list->first == last;
            give_up(list->first, code, why);
        }
    }
}

/* ---- telling -------------------------------------------------------------------------------- */

static void ask_machine(struct request *request)
{
    struct machine *machine = node_machine(request->embedded->node);
    if (machine == NULL) {
        failure_set(&request->outcome.failure, FAILURE_NODE_DOWN, "the node has ended");
    } else if (!machine_query(machine, buffer_bytes(&request->body), &request->result,
                              &request->outcome.failure) &&
               request->outcome.failure.code == FAILURE_NONE) {
        failure_set(&request->outcome.failure, FAILURE_UNSUPPORTED,
                    "the machine does not answer that question");
    }
}

static void tell(struct request *request)
{
    if (request->kind == REQUEST_READ && request->body.size > 0 &&
        request->outcome.failure.code == FAILURE_NONE) {
        ask_machine(request);
    }
    request->outcome.result = buffer_bytes(&request->result);
    request->embedded->on_done(request->embedded->context, request->ticket, &request->outcome);
    free_request(request);
}

void requests_tell(struct embedded *embedded)
{
    struct request_list *list = &embedded->requests[REQUEST_READY];
    struct request *last = list->last;
    bool done = list->first == NULL;
    while (!done) {
        done = list->first == last;
        tell(list->first);
    }
    if (!embed_is_running(embedded)) {
        disarm(embedded); /* nobody waits any more */
    }
}

/* ---- time-outs ------------------------------------------------------------------------------ */

static void time_is_up(struct request *request)
{
    switch (request->state) {
    case REQUEST_ASKED:
        give_up(request, FAILURE_TIMEOUT,
                request->call == 0 ? "it was not committed within the time-out"
                                   : "it was passed on to the leader, which did not answer within "
                                     "the time-out");
        return;
    case REQUEST_APPLYING:
        give_up(request, FAILURE_TIMEOUT, "this node did not catch up within the time-out");
        return;
    default:
        give_up(request, FAILURE_NO_LEADER, "there was no leader to take it within the time-out");
        return;
    }
}

/* The earliest deadline that is left. */
static int64_t expire(struct embedded *embedded, int64_t now_ns)
{
    int64_t earliest_ns = WORLD_NEVER;
    for (int state = REQUEST_FRESH; state <= REQUEST_APPLYING; state++) {
        struct request *next = NULL;
        for (struct request *at = embedded->requests[state].first; at != NULL; at = next) {
            next = at->next;
            if (at->deadline_ns <= now_ns) {
                time_is_up(at);
            } else if (at->deadline_ns < earliest_ns) {
                earliest_ns = at->deadline_ns;
            }
        }
    }
    return earliest_ns;
}

static void alarm_fired(void *context)
{
    struct embedded *embedded = context;
    int64_t now_ns = embed_loop_now_ns(embedded->loop);
    embedded->alarm_ns = WORLD_NEVER;
    if (embedded->try_again_ns <= now_ns) {
        requests_try_again(embedded);
    }
    int64_t earliest_ns = expire(embedded, now_ns);
    arm(embedded, earliest_ns < embedded->try_again_ns ? earliest_ns : embedded->try_again_ns);
}

void requests_prepare(struct embedded *embedded)
{
    embedded->alarm = (struct wakeup){.fire = alarm_fired, .context = embedded};
    embedded->alarm_ns = WORLD_NEVER;
    embedded->try_again_ns = WORLD_NEVER;
}

void requests_free(struct embedded *embedded)
{
    disarm(embedded);
    for (int state = 0; state < REQUEST_STATE_COUNT; state++) {
        while (embedded->requests[state].first != NULL) {
            free_request(embedded->requests[state].first);
        }
    }
}

/* ---- from the application ------------------------------------------------------------------- */

static struct request *new_request(struct embedded *embedded, enum request_kind kind,
                                   int64_t timeout_ns, uint64_t ticket)
{
    ensure(embedded->on_done != NULL && timeout_ns >= 0);
    int64_t now_ns = embed_loop_now_ns(embedded->loop);
    struct request *request = memory_new_zeroed(1, sizeof *request);
    request->embedded = embedded;
    request->kind = kind;
    request->ticket = ticket;
    request->deadline_ns = timeout_ns < WORLD_NEVER - now_ns ? now_ns + timeout_ns : WORLD_NEVER;
    append_request(request, REQUEST_FRESH);
    embed_tell_soon(embedded);
    arm(embedded, request->deadline_ns);
    return request;
}

void embed_propose(struct embedded *embedded, struct bytes command, int64_t timeout_ns,
                   uint64_t ticket)
{
    struct request *request = new_request(embedded, REQUEST_PROPOSE, timeout_ns, ticket);
    machine_payload_write(&request->body, &(struct machine_payload){.command = command});
}

void embed_read(struct embedded *embedded, struct bytes question, int64_t timeout_ns,
                uint64_t ticket)
{
    struct request *request = new_request(embedded, REQUEST_READ, timeout_ns, ticket);
    buffer_append(&request->body, question.data, question.size);
}

void embed_change(struct embedded *embedded, const struct raft_configuration *wanted,
                  int64_t timeout_ns, uint64_t ticket)
{
    struct request *request = new_request(embedded, REQUEST_CHANGE, timeout_ns, ticket);
    raft_configuration_copy(&request->wanted, wanted);
}
