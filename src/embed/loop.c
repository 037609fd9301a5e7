/*
 * The world that all nodes of one application share. It never calls the application.
 */
#include "embed/internal.h"

#include "real/real.h"

struct embed_loop *embed_loop_new(struct failure *failure)
{
    struct embed_loop *loop = memory_new_zeroed(1, sizeof *loop);
    struct real_options options = {.free_running = true, .speed = 1.0};
    loop->trace = trace_new();
    loop->faults = faults_new_none(loop->trace);
    loop->world = real_new(loop->trace, loop->faults, &options, failure);
    if (loop->world == NULL) {
        embed_loop_free(loop);
        return NULL;
    }
    return loop;
}

void embed_loop_free(struct embed_loop *loop)
{
    ensure(list_is_empty(&loop->embedded));
    if (loop->world != NULL) {
        loop->world->operations->free(loop->world);
    }
    faults_free(loop->faults);
    trace_free(loop->trace);
    memory_free(loop);
}

int64_t embed_loop_now_ns(const struct embed_loop *loop)
{
    return world_now_ns(loop->world);
}

void embed_loop_step(struct embed_loop *loop, int64_t until_ns)
{
    (void)loop->world->operations->step(loop->world, until_ns);
}

bool embed_loop_are_alive(const struct embed_loop *loop)
{
    return real_is_alive(loop->world);
}

int embed_loop_pollfd(struct embed_loop *loop, bool wakes)
{
    if (wakes) {
        real_wake_pollers(loop->world);
    }
    return real_pollfd(loop->world);
}

void embed_loop_interrupt(struct embed_loop *loop)
{
    real_interrupt(loop->world);
}

int64_t embed_loop_timeout_ns(const struct embed_loop *loop)
{
    return real_timeout_ns(loop->world);
}
