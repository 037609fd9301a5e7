/*
 * Fuzzes what clients and peers ask of a node that leads, alone: requests, those that another node
 * passes on, calls, and the answers to them. It answers or closes the connection, and goes on.
 */
#include "support/fuzz.h"

#define MILLISECOND_NS INT64_C(1000000)
#define PEER 2

static void check_answer(const struct batch *body)
{
    struct buffer frame = {0};
    struct frame_head head;
    struct node_outcome outcome;
    uint64_t number = 0;
    const char *problem = NULL;
    frame_begin(&frame);
    buffer_append(&frame, body->data, body->size);
    frame_seal(&frame, FRAME_CLIENT_ANSWER, 1);
    struct batch *batch = batch_copy(frame.data, frame.size);
    ensure(frame_parse(batch_bytes(batch), true, &head, &problem) == FRAME_WHOLE);
    if (node_answer_parse(batch, 0, &head, &number, &outcome)) {
        ensure(failure_name(outcome.failure.code) != NULL);
        ensure(outcome.result.size <= body->size);
        (void)hash_bytes(outcome.result.data, outcome.result.size, 0); /* all of it is there */
    }
    batch_release(batch);
    buffer_free(&frame);
}

static void hand_over(struct lone_node *lone, uint8_t what, uint64_t number,
                      const struct batch *body)
{
    static const enum frame_kind kinds[] = {FRAME_CLIENT_REQUEST, FRAME_FORWARD, FRAME_REQUEST,
                                            FRAME_ANSWER, FRAME_FORWARD_ANSWER};
    const size_t kind_count = sizeof kinds / sizeof *kinds;
    if (what % (kind_count + 1) == kind_count) {
        check_answer(body);
        return;
    }
    enum frame_kind kind = kinds[what % (kind_count + 1)];
    struct inbound from = {.peer = kind == FRAME_CLIENT_REQUEST ? WORLD_CLIENT : PEER};
    (void)lone_node_frame(lone, &from, kind, number, batch_bytes(body));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lone_node lone;
    struct input input = {data, size};
    struct failure failure = {0};
    lone_node_start(&lone, 1);
    ensure(node_campaign(lone.node, true, &failure));
    lone_node_run(&lone, MILLISECOND_NS);
    while (input.size > 0) {
        uint8_t what = input_byte(&input);
        uint64_t number = input_byte(&input);
        struct batch *body = input_piece(&input);
        hand_over(&lone, what, number, body);
        batch_release(body);
        if ((what & 0x80) != 0) {
            lone_node_run(&lone, MILLISECOND_NS);
        }
    }
    lone_node_run(&lone, 10 * MILLISECOND_NS);
    ensure(node_get_state(lone.node) == NODE_RUNNING);
    lone_node_end(&lone);
    return 0;
}
