/*
 * Frames between the clients' endpoint and the nodes of this process, and those that a script
 * delivers by hand: a queue in memory, judged by the fault model like any link, and delivered in a
 * later phase of the turn.
 *
 * It never calls a receiver from within a sender's call.
 */
#include "real/internal.h"

void local_push(struct real *real, const struct routed_frame *frame)
{
    *ring_push(&real->local) = *frame;
}

/* The handler of frames for `to`; NULL: there is none. */
static const struct endpoint_handler *find_handler(const struct real *real, uint64_t to)
{
    if (to == WORLD_CLIENT) {
        return real->client.frame == NULL ? NULL : &real->client;
    }
    const struct endpoint *endpoint = real_find(real, to);
    return endpoint == NULL ? NULL : &endpoint->handler;
}

/* Takes the reference. */
static void deliver_one(struct real *real, const struct routed_frame *routed)
{
    if (real_was_lost(real, routed)) {
        return;
    }
    const struct endpoint_handler *found = find_handler(real, routed->to);
    if (found == NULL && routed->to != WORLD_CLIENT && real->elsewhere != NULL) {
        real->elsewhere(real->elsewhere_context, routed->to, routed->frame);
        return;
    }
    if (found == NULL) {
        faults_drop(real->world.faults, loop_now(real), routed->from, routed->to, routed->frame,
                    "not connected");
        batch_release(routed->frame);
        return;
    }
    struct frame_head head = frame_head_of(batch_bytes(routed->frame));
    /* A copy: the receiver may close its endpoint within the call. */
    struct endpoint_handler handler = *found;
    struct connection from = {.peer = routed->has_epoch ? WORLD_CLIENT : routed->from};
    const char *reason = NULL;
    real->world.events++;
    if (!handler.frame(handler.context, &from, routed->frame, 0, &head, &reason)) {
        real_notice(real, routed->to, routed->from, "a message that was delivered was refused: %s",
                    reason == NULL ? "no reason given" : reason);
    }
    batch_release(routed->frame);
}

void real_set_elsewhere(struct world *world,
                        void (*frame)(void *context, uint64_t to, struct batch *frame),
                        void *context)
{
    real_of(world)->elsewhere = frame;
    real_of(world)->elsewhere_context = context;
}

bool local_deliver(struct real *real)
{
    size_t count = real->local.count;
    for (size_t i = 0; i < count; i++) {
        struct routed_frame frame = *ring_pop(&real->local);
        deliver_one(real, &frame);
    }
    return count > 0;
}

void local_free(struct real *real)
{
    while (real->local.count > 0) {
        batch_release(ring_pop(&real->local)->frame);
    }
    ring_free(&real->local);
}
