/*
 * Fuzzes what clients and peers ask of a node that leads, alone: requests, those that another node
 * passes on, calls, and the answers to them. It answers or closes the connection, and goes on.
 */
#include "support/fuzz.h"

#include <string.h>

#define MILLISECOND_NS INT64_C(1000000)
#define PEER 2

/* Gives the value back, or says no to an odd one. */
static bool serve(void *context, struct node *node, struct bytes value, uint64_t from,
                  struct buffer *answer, struct failure *failure)
{
    (void)context;
    (void)node;
    ensure(from == PEER);
    if (value.size % 2 == 1) {
        failure_set(failure, FAILURE_NO_LEADER, "an odd value");
        return false;
    }
    buffer_append(answer, value.data, value.size);
    return true;
}

static void called(void *context, uint64_t number, const struct node_outcome *outcome)
{
    uint64_t *waiting = context;
    (void)number;
    ensure(*waiting > 0);
    (*waiting)--;
    ensure(failure_name(outcome->failure.code) != NULL);
    ensure(strlen(outcome->failure.message) < sizeof outcome->failure.message);
    (void)hash_bytes(outcome->result.data, outcome->result.size, 0);
}

static void check_answer(const struct batch *body)
{
    struct buffer frame = {0};
    struct frame_head head;
    struct node_outcome outcome;
    uint64_t number = 0;
    const char *problem = NULL;
    frame_begin(&frame);
    buffer_append(&frame, body->data, body->size);
    frame_seal(&frame, FRAME_CLIENT_ANSWER, 1, 0);
    struct batch *batch = batch_copy(NULL, frame.data, frame.size);
    ensure(frame_parse(batch_bytes(batch), true, &head, &problem) == FRAME_WHOLE);
    memset(&outcome, 0xa5, sizeof outcome); /* it fills all */
    if (node_answer_parse(batch, 0, &head, &number, &outcome)) {
        ensure(failure_name(outcome.failure.code) != NULL);
        ensure(outcome.failure.file[0] == 0 && outcome.failure.offset == 0);
        ensure(outcome.result.size <= body->size);
        (void)hash_bytes(outcome.result.data, outcome.result.size, 0); /* all of it is there */
    }
    batch_release(batch);
    buffer_free(&frame);
}

/* An answer as a peer would give it: to the call whose number it begins with. */
static void answer_call(struct lone_node *lone, enum frame_kind kind, uint64_t call,
                        const struct batch *body)
{
    struct connection from = {.peer = PEER};
    struct batch *answer = batch_copy(NULL, body->data, body->size);
    if (answer->size >= 8) {
        store_u64(answer->data, load_u64(answer->data) + call);
    }
    (void)lone_node_frame(lone, &from, kind, 1, batch_bytes(answer));
    batch_release(answer);
}

static void ask(struct lone_node *lone, enum frame_kind kind, uint64_t number,
                const struct batch *body)
{
    struct connection from = {.peer = kind == FRAME_CLIENT_REQUEST ? WORLD_CLIENT : PEER};
    (void)lone_node_frame(lone, &from, kind, number, batch_bytes(body));
}

/* What happens to it; `waiting`: for answers to its own calls. */
struct subject {
    struct lone_node lone;
    uint64_t call;
    uint64_t waiting;
};

static void act(struct subject *subject, uint8_t what, uint64_t number, const struct batch *body)
{
    struct failure failure = {0};
    switch (what % 7) {
    case 0:
        ask(&subject->lone, FRAME_CLIENT_REQUEST, number, body);
        break;
    case 1:
        ask(&subject->lone, FRAME_FORWARD, number, body);
        break;
    case 2:
        ask(&subject->lone, FRAME_REQUEST, number, body);
        break;
    case 3:
        answer_call(&subject->lone, FRAME_ANSWER, subject->call, body);
        break;
    case 4:
        answer_call(&subject->lone, FRAME_FORWARD_ANSWER, subject->call, body);
        break;
    case 5:
        check_answer(body);
        break;
    default:
        subject->call =
            node_call(subject->lone.node, PEER, batch_bytes(body),
                      &(struct node_asker){.done = called, .context = &subject->waiting}, &failure);
        ensure(subject->call != 0);
        subject->waiting++;
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct subject subject = {0};
    struct input input = {data, size};
    struct failure failure = {0};
    lone_node_start(&subject.lone, 1);
    node_serve(subject.lone.node, (size & 1) != 0 ? serve : NULL, NULL);
    ensure(node_campaign(subject.lone.node, true, &failure));
    lone_node_run(&subject.lone, MILLISECOND_NS);
    while (input.size > 0) {
        uint8_t what = input_byte(&input);
        uint64_t number = input_byte(&input);
        struct batch *body = input_piece(&input);
        act(&subject, what, number, body);
        batch_release(body);
        if ((what & 0x80) != 0) {
            lone_node_run(&subject.lone, MILLISECOND_NS);
        }
    }
    lone_node_run(&subject.lone, 10 * MILLISECOND_NS);
    ensure(node_view(subject.lone.node)->state == NODE_RUNNING);
    node_crash(subject.lone.node); /* who waits for an answer is told */
    ensure(subject.waiting == 0);
    lone_node_end(&subject.lone);
    return 0;
}
