/*
 * What a child is asked and answers: calls that wait for their result, and changes of members whose
 * outcome comes later. While one waits, all that comes from this child is handled as always. It
 * never asks twice.
 */
#include "process/internal.h"

#define CALL_MS 10000

uint64_t orders_begin(struct process *process, enum control_kind kind, struct control_order order)
{
    order.call = ++process->calls;
    *array_push(&process->wanted) = (struct wanted_result){.call = order.call};
    process_send(process, kind, &order);
    return order.call;
}

static struct wanted_result *find(struct process *process, uint64_t call)
{
    for (size_t i = 0; i < process->wanted.count; i++) {
        if (process->wanted.items[i].call == call) {
            return &process->wanted.items[i];
        }
    }
    return NULL;
}

static struct batch *take(struct process *process, uint64_t call)
{
    struct wanted_result *wanted = find(process, call);
    struct batch *result = wanted != NULL ? wanted->result : NULL;
    if (wanted != NULL) {
        array_remove(&process->wanted, (size_t)(wanted - process->wanted.items), 1);
    }
    return result;
}

void orders_forget(struct process *process, uint64_t call)
{
    batch_release(take(process, call));
}

bool orders_result(struct process *process, struct batch *message)
{
    struct control_answer answer;
    if (!control_read_answer((struct bytes){message->data, message->size}, &answer)) {
        return false;
    }
    struct wanted_result *wanted = find(process, answer.number);
    if (wanted != NULL && wanted->result == NULL) {
        wanted->result = batch_hold(message);
    }
    return true;
}

struct batch *orders_await(struct process *process, uint64_t call, struct control_answer *answer,
                           struct failure *failure)
{
    int64_t until_ms = process_monotonic_ms() + CALL_MS;
    process_ready(process); /* it may have been read already, for another's sake */
    struct wanted_result *wanted = find(process, call);
    while (wanted != NULL && wanted->result == NULL && process_is_alive(process) &&
           process_monotonic_ms() < until_ms) {
        channel_wait(&process->channel, process->output.descriptor,
                     (int)(until_ms - process_monotonic_ms()));
        process_ready(process);
        wanted = find(process, call);
    }
    struct batch *result = take(process, call);
    if (result == NULL) {
        bool alive = process_is_alive(process);
        failure_set(failure, alive ? FAILURE_TIMEOUT : FAILURE_NODE_DOWN,
                    alive ? "the process of node %llu did not answer"
                          : "the process of node %llu has ended",
                    (unsigned long long)process->options.raft.id);
        if (failure != NULL) {
            failure->unknown = true;
        }
        return NULL;
    }
    bool is_answer = control_read_answer((struct bytes){result->data, result->size}, answer);
    ensure(is_answer); /* as when it came */
    return result;
}

/* ---- what it is asked ----------------------------------------------------------------------- */

/* false: it cannot be asked now, and the failure says why. */
static bool may_ask(const struct process *process, struct failure *failure)
{
    const struct node_view *view = &process->sight.view;
    if (view->state != NODE_RUNNING || !process_is_alive(process)) {
        failure_set(failure, FAILURE_NODE_DOWN, "node %llu is %s", (unsigned long long)view->id,
                    node_state_name(view->state));
        return false;
    }
    return true;
}

/* The order's result, by its failure. */
static bool ask(struct process *process, enum control_kind kind, struct control_order order,
                struct control_answer *answer, struct failure *failure)
{
    if (!may_ask(process, failure)) {
        return false;
    }
    struct batch *result =
        orders_await(process, orders_begin(process, kind, order), answer, failure);
    if (result == NULL) {
        return false;
    }
    batch_release(result);
    if (answer->failure.code != FAILURE_NONE && failure != NULL) {
        failure_copy(failure, &answer->failure);
    }
    return answer->failure.code == FAILURE_NONE;
}

bool process_campaign(struct process *process, bool force, struct failure *failure)
{
    struct control_answer answer;
    return ask(process, CONTROL_CAMPAIGN, (struct control_order){.flag = force}, &answer, failure);
}

bool process_submit(struct process *process, struct bytes payload, uint64_t *index, uint64_t *term,
                    struct failure *failure)
{
    struct control_answer answer;
    bool taken =
        ask(process, CONTROL_SUBMIT, (struct control_order){.bytes = payload}, &answer, failure);
    *index = taken ? answer.index : 0;
    *term = taken ? answer.term : 0;
    return taken;
}

/* Takes the asker of that number out; all zero: there is none. */
static struct node_asker take_asker(struct process *process, uint64_t number)
{
    for (size_t i = 0; i < process->askers.count; i++) {
        struct node_asker asker = process->askers.items[i];
        if (asker.number == number) {
            array_remove(&process->askers, i, 1);
            return asker;
        }
    }
    return (struct node_asker){0};
}

/* An order whose outcome goes to the asker. */
static bool ask_for(struct process *process, enum control_kind kind, struct control_order order,
                    const struct node_asker *asker, struct control_answer *answer,
                    struct failure *failure)
{
    order.number = asker->number;
    *array_push(&process->askers) = *asker; /* its outcome may come before the result */
    bool taken = ask(process, kind, order, answer, failure);
    if (!taken) {
        (void)take_asker(process, asker->number);
    }
    return taken;
}

bool process_change(struct process *process, const struct raft_configuration *wanted,
                    uint64_t *index, uint64_t *term, const struct node_asker *asker,
                    struct failure *failure)
{
    struct buffer members = {0};
    struct control_answer answer;
    raft_configuration_encode(wanted, &members);
    bool taken =
        ask_for(process, CONTROL_CHANGE, (struct control_order){.bytes = buffer_bytes(&members)},
                asker, &answer, failure);
    buffer_free(&members);
    if (taken) {
        *index = answer.index;
        *term = answer.term;
    }
    return taken;
}

bool process_transfer(struct process *process, uint64_t target, const struct node_asker *asker,
                      struct failure *failure)
{
    struct control_answer answer;
    return ask_for(process, CONTROL_TRANSFER, (struct control_order){.target = target}, asker,
                   &answer, failure);
}

bool process_compact(struct process *process, const struct node_asker *asker,
                     struct failure *failure)
{
    struct control_answer answer;
    return ask_for(process, CONTROL_COMPACT, (struct control_order){0}, asker, &answer, failure);
}

bool orders_outcome(struct process *process, struct batch *message)
{
    struct control_answer answer;
    if (!control_read_answer((struct bytes){message->data, message->size}, &answer)) {
        return false;
    }
    struct node_asker asker = take_asker(process, answer.number);
    if (asker.done != NULL) {
        struct node_outcome outcome = {
            .failure = answer.failure,
            .index = answer.index,
            .term = answer.term,
            .result = answer.bytes,
        };
        asker.done(asker.context, asker.number, &outcome);
    }
    return true;
}

void orders_end(struct process *process)
{
    struct node_outcome outcome = {0};
    failure_set(&outcome.failure, FAILURE_NODE_DOWN, "node %llu has ended",
                (unsigned long long)process->options.raft.id);
    outcome.failure.unknown = true;
    while (process->askers.count > 0) {
        struct node_asker asker = process->askers.items[--process->askers.count];
        asker.done(asker.context, asker.number, &outcome);
    }
}
