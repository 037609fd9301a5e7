/*
 * The real world: its operations, the way of a frame from the fault model to a connection, cuts,
 * its beginning and its end.
 *
 * It never opens anything but its loop; sockets are listener.c's and connection.c's.
 */
#include "real/files.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- helpers of the room -------------------------------------------------------------------- */

void real_free_later(struct real *real, struct pending_free *pending_free)
{
    pending_free->next = real->pending_frees;
    real->pending_frees = pending_free;
}

void real_free_pending(struct real *real)
{
    ensure(!real->in_turn);
    while (real->pending_frees != NULL) {
        struct pending_free *pending_free = real->pending_frees;
        real->pending_frees = pending_free->next;
        memory_free(pending_free);
    }
}

struct endpoint *real_find(const struct real *real, uint64_t id)
{
    struct endpoint *endpoint = real->endpoints;
    while (endpoint != NULL && endpoint->id != id) {
        endpoint = endpoint->next;
    }
    return endpoint;
}

bool real_is_cut(const struct real *real, uint64_t from, uint64_t to)
{
    const char *reason = NULL;
    return faults_is_cut(real->world.faults, from, to, &reason);
}

void real_notice(struct real *real, uint64_t node, uint64_t peer, const char *format, ...)
{
    if (real->world.trace == NULL || !trace_wants(real->world.trace, TRACE_NOTICE)) {
        return;
    }
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    struct trace_event event = {
        .time_ns = loop_now(real),
        .kind = TRACE_NOTICE,
        .node = node,
        .peer = peer,
        .text = {.data = (const uint8_t *)text, .size = strlen(text)},
    };
    trace_emit(real->world.trace, &event);
}

/* ---- frames --------------------------------------------------------------------------------- */

void real_drop(struct real *real, uint64_t from, uint64_t to, struct batch *frame,
               const char *reason)
{
    faults_drop(real->world.faults, loop_now(real), from, to, frame, reason);
    batch_release(frame);
}

bool real_was_lost(struct real *real, const struct routed_frame *routed)
{
    struct faults *faults = real->world.faults;
    if (!routed->has_epoch || faults_may_arrive(faults, routed->from, routed->to, routed->epoch)) {
        return false;
    }
    faults_drop(faults, loop_now(real), routed->from, routed->to, routed->frame,
                faults_lost_reason(faults, routed->from, routed->to));
    batch_release(routed->frame);
    return true;
}

void real_route(struct real *real, const struct routed_frame *routed)
{
    if (routed->from == WORLD_CLIENT || routed->to == WORLD_CLIENT) {
        local_push(real, routed);
        return;
    }
    const struct endpoint *endpoint = real_find(real, routed->from);
    struct remote *remote = endpoint == NULL ? NULL : remote_find(endpoint, routed->to);
    if (remote != NULL) {
        remote_enqueue(remote, routed->frame, routed->urgent);
    } else {
        real_drop(real, routed->from, routed->to, routed->frame, "not connected");
    }
}

static struct delayed_frame *delayed_frame_of(struct list_link *link)
{
    return item_of(link, struct delayed_frame, link);
}

static void on_delay_over(void *context)
{
    struct delayed_frame *delayed_frame = context;
    struct real *real = delayed_frame->real;
    struct routed_frame routed = delayed_frame->routed;
    list_remove(&delayed_frame->link);
    memory_free(delayed_frame);
    if (!real_was_lost(real, &routed)) {
        real_route(real, &routed);
    }
}

void real_drop_delayed(struct real *real, uint64_t from)
{
    struct list_link *link = list_first(&real->delayed);
    while (link != NULL) {
        struct delayed_frame *at = delayed_frame_of(link);
        if (at->routed.from != from) {
            link = list_next(&real->delayed, link);
            continue;
        }
        struct batch *frame = at->routed.frame;
        uint64_t to = at->routed.to;
        loop_wake_at(&real->world, &at->alarm, WORLD_NEVER);
        list_remove(&at->link);
        memory_free(at);
        real_drop(real, from, to, frame, "not connected");
        link = list_first(&real->delayed); /* who is told may do as it likes */
    }
}

static void on_emit(void *context, uint64_t from, uint64_t to, struct batch *frame, bool urgent,
                    int64_t due_ns, uint64_t epoch)
{
    struct real *real = context;
    struct routed_frame routed = {.from = from,
                                  .to = to,
                                  .epoch = epoch,
                                  .frame = frame,
                                  .has_epoch = true,
                                  .urgent = urgent};
    if (due_ns <= loop_now(real)) {
        real_route(real, &routed);
        return;
    }
    struct delayed_frame *delayed_frame = memory_new_zeroed(1, sizeof *delayed_frame);
    delayed_frame->real = real;
    delayed_frame->routed = routed;
    delayed_frame->alarm.fire = on_delay_over;
    delayed_frame->alarm.context = delayed_frame;
    list_prepend(&real->delayed, &delayed_frame->link);
    loop_wake_at(&real->world, &delayed_frame->alarm, due_ns);
}

/* Whether an end of a link is a client, a node here, or a peer of the other end. */
static bool is_known(const struct real *real, uint64_t id, uint64_t other)
{
    const struct endpoint *endpoint = real_find(real, other);
    return id == WORLD_CLIENT || real_find(real, id) != NULL ||
           (endpoint != NULL && remote_find(endpoint, id) != NULL);
}

static bool needs_link(void *context, uint64_t from, uint64_t to)
{
    return is_known(context, from, to) && is_known(context, to, from);
}

static void real_send(struct endpoint *endpoint, uint64_t peer, struct batch *frame, bool urgent)
{
    struct real *real = endpoint->real;
    ensure(!endpoint->closed && frame->size >= FRAME_HEAD_BYTES);
    faults_trim(real->world.faults, needs_link, real);
    faults_send(real->world.faults, loop_now(real), endpoint->id, peer, frame, urgent);
}

static void client_open(struct world *world, const struct endpoint_handler *handler)
{
    real_of(world)->client = handler == NULL ? (struct endpoint_handler){0} : *handler;
}

static void client_send(struct world *world, uint64_t node, struct batch *frame)
{
    struct real *real = real_of(world);
    ensure(node != WORLD_CLIENT && frame->size >= FRAME_HEAD_BYTES);
    faults_send(world->faults, loop_now(real), WORLD_CLIENT, node, frame, false);
}

static void deliver(struct world *world, uint64_t from, uint64_t to, struct batch *frame)
{
    /* To the receiver itself: what became of its sender and their connection does not matter. */
    struct routed_frame routed = {.from = from, .to = to, .frame = batch_hold(frame)};
    local_push(real_of(world), &routed);
}

static const char *endpoint_address(const struct endpoint *endpoint)
{
    return endpoint->address;
}

/* ---- cuts ----------------------------------------------------------------------------------- */

/* Each end by itself, where both are ours: what is under way is lost. false: there is none. */
static bool end_one_cut(struct real *real)
{
    for (struct endpoint *at = real->endpoints; at != NULL; at = at->next) {
        list_each(&at->remotes, link) {
            if (remote_follow_cuts(item_of(link, struct remote, of_endpoint))) {
                return true;
            }
        }
    }
    return false;
}

static void links_changed(struct world *world)
{
    struct real *real = real_of(world);
    /* From the start each time: an owner who is told may open, close, dial and hang up. */
    while (end_one_cut(real)) {
    }
    for (struct endpoint *at = real->endpoints; at != NULL; at = at->next) {
        list_each(&at->remotes, link) {
            remote_dial_now(item_of(link, struct remote, of_endpoint));
        }
    }
}

/* ---- beginning and end ---------------------------------------------------------------------- */

static void nothing_to_do(uv_async_t *async)
{
    (void)async; /* it has ended the poll, which is all it is for */
}

static void on_files_ended(uv_async_t *async)
{
    struct real *real = async->data;
    loop_input_came(real);
    real_files_tell(real);
}

static void drain(struct real *real)
{
    uv_close((uv_handle_t *)&real->interrupt, NULL);
    uv_close((uv_handle_t *)&real->files_ended, NULL);
    if (real->timer != NULL) {
        watch_close(real->timer, false);
    }
    (void)uv_run(&real->loop, UV_RUN_DEFAULT);
    ensure(uv_loop_close(&real->loop) == 0);
}

static void free_memory(struct real *real)
{
    agenda_free(&real->agenda);
    memory_free(real->scratch);
    pool_end(real->world.pool);
    memory_free(real);
}

static void world_free(struct world *world)
{
    struct real *real = real_of(world);
    ensure(!real->in_turn);
    while (real->endpoints != NULL) {
        listener_close(world, real->endpoints);
    }
    while (!list_is_empty(&real->delayed)) {
        struct delayed_frame *delayed_frame = delayed_frame_of(list_first(&real->delayed));
        loop_wake_at(world, &delayed_frame->alarm, WORLD_NEVER);
        batch_release(delayed_frame->routed.frame);
        list_remove(&delayed_frame->link);
        memory_free(delayed_frame);
    }
    loop_wake_at(world, &real->strangers.resume, WORLD_NEVER);
    local_free(real);
    listener_free_reservations(real);
    real_free_pending(real);
    ensure(list_is_empty(&real->unwritten));
    drain(real);
    free_memory(real);
}

static const struct world_operations operations = {
    .now_ns = loop_world_now,
    .look_ns = loop_world_look,
    .wake_at = loop_wake_at,
    .flush_soon = loop_flush_soon,
    .flush_cancel = loop_flush_cancel,
    .reserve = listener_reserve,
    .open = listener_open,
    .accept = listener_accept,
    .close = listener_close,
    .address = endpoint_address,
    .dial = remote_dial,
    .hang_up = remote_hang_up,
    .is_connected = remote_is_connected,
    .has_room = remote_has_room,
    .send = real_send,
    .client_open = client_open,
    .client_send = client_send,
    .links_changed = links_changed,
    .deliver = deliver,
    .files = real_files_new,
    .step = loop_step,
    .free = world_free,
};

/* 0, or a libuv error; then nothing is left open. */
static int open_loop(struct real *real)
{
    int status = uv_loop_init(&real->loop);
    if (status != 0) {
        return status;
    }
    status = uv_async_init(&real->loop, &real->interrupt, nothing_to_do);
    if (status != 0) {
        ensure(uv_loop_close(&real->loop) == 0);
        return status;
    }
    ensure(uv_async_init(&real->loop, &real->files_ended, on_files_ended) == 0);
    real->files_ended.data = real;
    if (!loop_open_timer(real)) {
        status = -errno;
        drain(real);
    }
    return status;
}

struct world *real_new(struct trace *trace, struct faults *faults,
                       const struct real_options *options, struct failure *failure)
{
    ensure(faults != NULL && options->speed > 0);
    struct real *real = memory_new_zeroed(1, sizeof *real);
    real->world.operations = &operations;
    real->world.trace = trace;
    real->world.faults = faults;
    real->speed = options->speed;
    int status = open_loop(real);
    if (status != 0) {
        failure_set(failure, FAILURE_UNSUPPORTED, "the event loop cannot be made: %s",
                    uv_strerror(status));
        memory_free(real);
        return NULL;
    }
    real->world.pool = pool_new();
    real->scratch = memory_new(SCRATCH_BYTES);
    loop_set_free_running(real, options->free_running);
    if (options->origin_real_ns != 0) {
        loop_set_origin(real, options->origin_real_ns);
    }
    faults_set_emit(faults, on_emit, real);
    return &real->world;
}

/* ---- for hosts ------------------------------------------------------------------------------ */

static const struct real *const_real_of(const struct world *world)
{
    return (const struct real *)(const void *)world;
}

int real_pollfd(const struct world *world)
{
    return uv_backend_fd(&const_real_of(world)->loop);
}

int64_t real_timeout_ns(const struct world *world)
{
    return loop_timeout_real_ns(const_real_of(world));
}

static bool has_file_tasks(const struct real *real)
{
    list_each(&real->files, at) {
        if (item_of(at, const struct real_files, of_real)->asked > 0) {
            return true;
        }
    }
    return false;
}

bool real_is_alive(const struct world *world)
{
    const struct real *real = const_real_of(world);
    return real->endpoints != NULL || agenda_has_wakeups(&real->agenda) ||
           agenda_has_flushers(&real->agenda) || real->local.count > 0 || has_file_tasks(real);
}

void real_interrupt(struct world *world)
{
    (void)uv_async_send(&real_of(world)->interrupt);
}

void real_wake_pollers(struct world *world)
{
    real_of(world)->wakes_pollers = true;
}

void real_set_free_running(struct world *world, bool free_running)
{
    loop_set_free_running(real_of(world), free_running);
}
