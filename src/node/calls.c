/*
 * Requests between nodes over their own transport: a number and a value go, an answer comes; and
 * clients' requests that are passed on. clients.c writes the answers. They are as unreliable as any
 * message, and have no time-out of their own. A request's body: its number (u64), the value.
 */
#include "node/internal.h"

#include <string.h>

#define FORWARD_FIXED_BYTES 9

void calls_prepare(struct node *node, uint64_t seed)
{
    /* Not from 1: a request that is passed on in a second life does not belong to the first. */
    struct random numbers = random_stream_of(seed, "node", node->id, 0, "call");
    node->calls.number = random_next(&numbers) >> 1;
}

void node_serve(struct node *node, node_serve_function *serve, void *context)
{
    node->calls.serve = serve;
    node->calls.context = context;
}

/* Its number stands at the head of the frame that is begun. */
static struct buffer *begin_frame(struct node *node, const struct call *call)
{
    struct buffer *frame = frames_begin(node);
    store_u64(buffer_extend(frame, 8), call->number);
    return frame;
}

static struct call *add_call(struct node *node, uint64_t to, const struct node_asker *asker)
{
    struct call *call = ring_push(&node->calls.pending);
    *call = (struct call){.number = ++node->calls.number, .asker = *asker, .to = to};
    return call;
}

uint64_t node_call(struct node *node, uint64_t to, struct bytes value,
                   const struct node_asker *asker, struct failure *failure)
{
    if (!node_check_running(node, failure)) {
        return 0;
    }
    if (to == node->id) {
        failure_set(failure, FAILURE_UNSUPPORTED, "node %llu cannot call itself",
                    (unsigned long long)to);
        return 0;
    }
    if (value.size > RAFT_ENTRY_BYTES_MAX) {
        failure_set(failure, FAILURE_TOO_LARGE, "a request is at most %u bytes",
                    RAFT_ENTRY_BYTES_MAX);
        return 0;
    }
    buffer_append(begin_frame(node, add_call(node, to, asker)), value.data, value.size);
    frames_send(node, to, FRAME_REQUEST, "request");
    return node->calls.number;
}

/* A request that is passed on: its kind, with this beside it, and its body. */
static void send_request(struct node *node, const struct call *call, uint8_t beside)
{
    struct buffer *frame = begin_frame(node, call);
    buffer_append_byte(frame, call->request->data[0] | beside);
    buffer_append(frame, call->request->data + 1, call->request->size - 1);
    frames_send(node, call->to, FRAME_FORWARD, "forward");
}

/* For one of that size. */
static bool has_room(const struct node *node, uint64_t to, size_t body_bytes)
{
    size_t size = FRAME_HEAD_BYTES + FORWARD_FIXED_BYTES + body_bytes;
    return node->world->operations->has_room(node->endpoint, to, size);
}

bool node_is_connected(const struct node *node, uint64_t peer)
{
    return node->endpoint != NULL && node->world->operations->is_connected(node->endpoint, peer);
}

bool node_forward(struct node *node, uint64_t to, enum node_request_kind kind, struct bytes body,
                  const struct node_asker *asker, struct failure *failure)
{
    if (!node_check_running(node, failure)) {
        return false;
    }
    if (body.size > RAFT_ENTRY_BYTES_MAX) {
        refusal_explain(node, RAFT_TOO_LARGE, failure);
        return false;
    }
    if (to == node->id || !node_is_connected(node, to)) {
        failure_set(failure, FAILURE_NO_LEADER, "node %llu has no connection to node %llu",
                    (unsigned long long)node->id, (unsigned long long)to);
        return false;
    }
    if (!has_room(node, to, body.size)) {
        failure_set(failure, FAILURE_BUSY,
                    "too many bytes wait to be sent from node %llu to node %llu",
                    (unsigned long long)node->id, (unsigned long long)to);
        return false;
    }
    struct call *call = add_call(node, to, asker);
    call->life = peers_life(node, to);
    call->request = batch_new(node->world->pool, 1 + body.size);
    call->request->data[0] = (uint8_t)kind;
    buffer_append(&(struct buffer){.data = call->request->data + 1, .capacity = body.size},
                  body.data, body.size);
    send_request(node, call, 0);
    return true;
}

/* What was under way on the connection that broke is lost: it is passed on again, under the same
 * number. Not to another life of that node, which does not know what the last one took. */
void calls_connected(struct node *node, uint64_t peer)
{
    for (size_t i = 0; i < node->calls.pending.count; i++) {
        struct call *call = ring_at(&node->calls.pending, i);
        if (call->request != NULL && call->to == peer && call->life == peers_life(node, peer) &&
            has_room(node, peer, call->request->size - 1)) {
            send_request(node, call, NODE_REQUEST_AGAIN);
        }
    }
}

/* The order of calls does not matter: the first goes where it was. */
static void take_out(struct node *node, struct call *call)
{
    batch_release(call->request);
    *call = *ring_pop(&node->calls.pending);
}

/* Takes the call out; false: it is not (or no longer) waited for. */
static bool take_call(struct node *node, uint64_t number, struct node_asker *asker)
{
    for (size_t i = 0; i < node->calls.pending.count; i++) {
        struct call *call = ring_at(&node->calls.pending, i);
        if (call->number == number) {
            *asker = call->asker;
            take_out(node, call);
            return true;
        }
    }
    return false;
}

void node_call_forget(struct node *node, const void *context, uint64_t number)
{
    for (size_t i = 0; i < node->calls.pending.count; i++) {
        struct call *call = ring_at(&node->calls.pending, i);
        if (call->asker.context == context && call->asker.number == number) {
            take_out(node, call);
            return;
        }
    }
}

static bool ask_server(struct node *node, uint64_t from, struct bytes value, struct buffer *answer,
                       struct failure *failure)
{
    if (node->calls.serve == NULL) {
        failure_set(failure, FAILURE_UNSUPPORTED, "node %llu serves no requests",
                    (unsigned long long)node->id);
        return false;
    }
    if (!node->calls.serve(node->calls.context, node, value, from, answer, failure)) {
        if (failure->code == FAILURE_NONE) {
            failure->code = FAILURE_UNSUPPORTED;
        }
        return false;
    }
    if (answer->size > RAFT_ENTRY_BYTES_MAX) {
        failure_set(failure, FAILURE_TOO_LARGE, "an answer is at most %u bytes",
                    RAFT_ENTRY_BYTES_MAX);
        return false;
    }
    return true;
}

bool calls_serve(struct node *node, uint64_t from, struct bytes body)
{
    if (body.size < 8) {
        return false;
    }
    struct node_outcome outcome = {0};
    struct buffer answer = {0};
    struct bytes value = {body.data + 8, body.size - 8};
    if (ask_server(node, from, value, &answer, &outcome.failure)) {
        outcome.result = buffer_bytes(&answer);
    }
    if (node->raft != NULL) {
        clients_write_answer(frames_begin(node), load_u64(body.data), &outcome);
        frames_send(node, from, FRAME_ANSWER, "answer");
    }
    buffer_free(&answer);
    return true;
}

bool calls_take_answer(struct node *node, struct bytes body)
{
    uint64_t number = 0;
    struct node_outcome outcome;
    struct node_asker asker;
    if (!clients_parse_answer(body, &number, &outcome)) {
        return false;
    }
    if (take_call(node, number, &asker)) { /* else repeated, or forgotten meanwhile */
        clients_tell(node, &asker, &outcome);
    }
    return true;
}

void calls_end(struct node *node, bool tell)
{
    __typeof__(node->calls.pending) pending = node->calls.pending;
    memset(&node->calls.pending, 0, sizeof node->calls.pending);
    for (size_t i = 0; i < pending.count; i++) {
        const struct call *call = ring_at(&pending, i);
        batch_release(call->request);
        if (tell) {
            clients_tell_down(node, &call->asker, 0, 0);
        }
    }
    ring_free(&pending);
}
