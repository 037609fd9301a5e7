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

/* 0, or a libuv error. */
static int begin(struct watch *watch)
{
    list_remove(&watch->of_not_begun);
    int status = uv_poll_init(&watch->real->loop, &watch->poll, watch->descriptor);
    if (status == 0) {
        watch->poll.data = watch;
        watch->is_begun = true;
        ensure(uv_poll_start(&watch->poll, watch->events, on_poll) == 0);
        watch->real->unpolled = true;
    }
    return status;
}

struct watch *watch_open_later(struct real *real, int descriptor, int events, watch_ready *ready,
                               void *owner)
{
    ensure(descriptor >= 0 && owner != NULL);
    struct watch *watch = memory_new_zeroed(1, sizeof *watch);
    watch->real = real;
    watch->descriptor = descriptor;
    watch->events = events;
    watch->ready = ready;
    watch->owner = owner;
    list_append(&real->not_begun, &watch->of_not_begun);
    real->unpolled = true;
    return watch;
}

/* NULL, with errno set: it can't be polled. */
static struct watch *watch_start(struct real *real, int descriptor, int events, watch_ready *ready,
                                 void *owner)
{
    struct watch *watch = watch_open_later(real, descriptor, events, ready, owner);
    int status = begin(watch);
    if (status != 0) {
        memory_free(watch);
        errno = -status;
        return NULL;
    }
    return watch;
}

struct watch *watch_open(struct real *real, int descriptor, int events, watch_ready *ready,
                         void *owner)
{
    struct watch *watch = watch_start(real, descriptor, events, ready, owner);
    if (watch == NULL) {
        (void)address_give_up(descriptor);
    }
    return watch;
}

void watch_begin_all(struct real *real)
{
    struct list_link *link;
    while ((link = list_first(&real->not_begun)) != NULL) {
        struct watch *watch = item_of(link, struct watch, of_not_begun);
        if (begin(watch) != 0) {
            watch->ready(watch->owner, UV_READABLE | UV_WRITABLE | WATCH_FAILED);
        }
    }
}

void watch_events(struct watch *watch, int events)
{
    ensure(watch->owner != NULL);
    if (watch->events != events) {
        watch->events = events;
        if (watch->is_begun) {
            ensure(uv_poll_start(&watch->poll, events, on_poll) == 0);
            watch->real->unpolled = true;
        }
    }
}

void watch_close(struct watch *watch, bool reset)
{
    ensure(watch->owner != NULL && watch->descriptor >= 0);
    watch->owner = NULL;
    list_remove(&watch->of_not_begun);
    if (watch->is_begun) {
        /* uv_close also forgets what epoll has already reported of this descriptor. */
        uv_close((uv_handle_t *)&watch->poll, on_closed);
    } else {
        real_free_later(watch->real, &watch->pending_free);
    }
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
