/*
 * Fuzzes hellos: connections come one after the other and say something to a node, which takes or
 * refuses them, and goes on.
 */
#include "support/fuzz.h"

#define MILLISECOND_NS INT64_C(1000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lone_node lone;
    struct input input = {data, size};
    lone_node_start(&lone, input_byte(&input) % 4); /* 0: it waits to be added */
    while (input.size > 0) {
        struct connection from = {0};
        struct batch *body = input_piece(&input);
        bool taken = lone_node_frame(&lone, &from, FRAME_HELLO, 1, batch_bytes(body));
        ensure(taken == (from.peer != 0));
        ensure(from.peer != 1); /* itself */
        if (taken) {            /* it may be said again on the same connection */
            ensure(lone_node_frame(&lone, &from, FRAME_HELLO, 2, batch_bytes(body)));
            from.directory++; /* but not by another */
            ensure(!lone_node_frame(&lone, &from, FRAME_HELLO, 3, batch_bytes(body)));
        }
        lone_node_run(&lone, 10 * MILLISECOND_NS);
        ensure(node_view(lone.node)->state == NODE_RUNNING);
        batch_release(body);
    }
    lone_node_end(&lone);
    return 0;
}
