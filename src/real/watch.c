/*
 * Descriptors that the loop polls: sockets and the timer as libuv poll handles, so that we read
 * and write them ourselves (without SIGPIPE, several frames in one call, into memory of our
 * choice).
 *
 * It never reads or writes a descriptor, and never frees a handle but in libuv's close callback.
 */
#include "real/internal.h"

#include <errno.h>
#include <unistd.h>

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    if (watch->owner == NULL) {
        return;
    }
    /* On POLLERR libuv has stopped the handle and reports no events. */
    watch->ready(watch->owner, status < 0 ? UV_READABLE | UV_WRITABLE | WATCH_FAILED : events);
}

static void on_closed(uv_handle_t *handle)
{
    memory_free(handle->data);
}

/* NULL, with errno set: it can't be polled. */
static struct watch *watch_start(struct real *real, int descriptor, int events, watch_ready *ready,
                                 void *owner)
{
    ensure(descriptor >= 0 && owner != NULL);
    struct watch *watch = memory_new_zeroed(1, sizeof *watch);
    int status = uv_poll_init(&real->loop, &watch->poll, descriptor);
    if (status != 0) {
        memory_free(watch);
        errno = -status;
        return NULL;
    }
    watch->poll.data = watch;
    watch->real = real;
    watch->descriptor = descriptor;
    watch->ready = ready;
    watch->owner = owner;
    watch_events(watch, events);
    return watch;
}

struct watch *watch_open(struct real *real, int descriptor, int events, watch_ready *ready,
                         void *owner)
{
    struct watch *watch = watch_start(real, descriptor, events, ready, owner);
    if (watch == NULL) {
        int problem = errno;
        (void)close(descriptor);
        errno = problem;
    }
    return watch;
}

void watch_events(struct watch *watch, int events)
{
    ensure(watch->owner != NULL);
    if (watch->events != events) {
        watch->events = events;
        ensure(uv_poll_start(&watch->poll, events, on_poll) == 0);
        watch->real->unpolled = true;
    }
}

void watch_close(struct watch *watch, bool reset)
{
    ensure(watch->owner != NULL && watch->descriptor >= 0);
    watch->owner = NULL;
    /* uv_close also forgets what epoll has already reported of this descriptor. */
    uv_close((uv_handle_t *)&watch->poll, on_closed);
    if (reset) {
        struct linger linger = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(watch->descriptor, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    }
    if (!watch->is_borrowed) {
        (void)close(watch->descriptor);
    }
    watch->descriptor = -1;
}

/* ---- for others ----------------------------------------------------------------------------- */

struct real_watch {
    struct pending_free pending_free;
    struct watch *watch;
    void (*ready)(void *context);
    void *context;
};

static void on_ready(void *owner, int events)
{
    struct real_watch *watch = owner;
    (void)events;
    loop_input_came(watch->watch->real);
    watch->ready(watch->context);
}

struct real_watch *real_watch_new(struct world *world, int descriptor, void (*ready)(void *context),
                                  void *context)
{
    struct real_watch *made = memory_new_zeroed(1, sizeof *made);
    made->ready = ready;
    made->context = context;
    made->watch = watch_start(real_of(world), descriptor, UV_READABLE, on_ready, made);
    if (made->watch == NULL) {
        memory_free(made);
        return NULL;
    }
    made->watch->is_borrowed = true;
    return made;
}

void real_watch_writable(struct real_watch *watch, bool wanted)
{
    watch_events(watch->watch, wanted ? UV_READABLE | UV_WRITABLE : UV_READABLE);
}

void real_watch_free(struct real_watch *watch)
{
    if (watch != NULL) {
        struct real *real = watch->watch->real;
        watch_close(watch->watch, false);
        real_free_later(real, &watch->pending_free);
    }
}
