/*
 * Fuzzes a whole node, with its store, its machine and its connections: frames of its peers come as
 * they like, while it is paused, crashes and starts again. It may fail with a message, because its
 * peers may contradict themselves, but must neither crash nor fail an `ensure`.
 *
 * Inputs have the form of those of messages.c.
 */
#include "support/fuzz.h"

#define MILLISECOND_NS INT64_C(1000000)

static void ignore(void *context, uint64_t number, const struct node_outcome *outcome)
{
    (void)context;
    (void)number;
    ensure(outcome->failure.code != FAILURE_NONE || outcome->result.size == 0 ||
           is_value(outcome->result));
}

static const struct node_asker nobody = {.done = ignore};

/* The sender that the message names is whom the connection belongs to, mostly. */
static void raft_frame(struct lone_node *lone, const struct batch *body)
{
    struct connection from = {.peer = body->size > 1 ? body->data[1] & 0x7f : 2};
    if (from.peer > 1) {
        (void)lone_node_frame(lone, &from, FRAME_RAFT, 1, batch_bytes(body));
    }
}

static void hello_frame_from(struct lone_node *lone, const struct batch *body)
{
    struct connection from = {0};
    (void)lone_node_frame(lone, &from, FRAME_HELLO, 1, batch_bytes(body));
}

static void change(struct node *node, const struct batch *body)
{
    struct raft_configuration wanted;
    struct failure failure = {0};
    uint64_t index = 0;
    uint64_t term = 0;
    if (raft_configuration_decode(batch_bytes(body), &wanted)) {
        (void)node_change(node, &wanted, &index, &term, &nobody, &failure);
        raft_configuration_free(&wanted);
    }
}

/* A process that ends, by itself or not, and the next one with the same disk. */
static void restart(struct lone_node *lone, bool orderly)
{
    struct failure failure = {0};
    if (orderly) {
        node_stop(lone->node, false);
    } else {
        node_crash(lone->node);
    }
    ensure(node_start(lone->node, &failure));
}

static void pause_or_resume(struct node *node)
{
    if (node_view(node)->state == NODE_PAUSED) {
        node_resume(node);
    } else {
        node_pause(node);
    }
}

static void act(struct lone_node *lone, uint8_t what, const struct batch *body)
{
    struct failure failure = {0};
    switch (what % 10) {
    case 1:
        node_propose(lone->node, batch_bytes(body), &nobody);
        break;
    case 2:
        change(lone->node, body);
        break;
    case 3:
    case 4:
    case 5:
        lone_node_run(lone, (int64_t)body->size * 10 * MILLISECOND_NS);
        break;
    case 6:
        node_read(lone->node, NODE_READ_LINEARIZABLE, batch_bytes(body), &nobody);
        break;
    case 7:
        (void)node_campaign(lone->node, body->size == 0, &failure);
        break;
    case 8:
        restart(lone, body->size != 0);
        break;
    case 9:
        if (body->size == 0) {
            pause_or_resume(lone->node);
        } else {
            hello_frame_from(lone, body);
        }
        break;
    default:
        raft_frame(lone, body);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lone_node lone;
    struct input input = {data, size};
    lone_node_start(&lone, input_byte(&input) >> 4 & 7);
    while (input.size > 0) {
        uint8_t what = input_byte(&input);
        struct batch *body = input_piece(&input);
        act(&lone, what, body);
        batch_release(body);
    }
    lone_node_run(&lone, 10 * MILLISECOND_NS);
    lone_node_end(&lone);
    return 0;
}
