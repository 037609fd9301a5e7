/*
 * The child's side, its life: one node in a real world of its own, which does what its parent says
 * (serve.c) and tells what happens. It lives as long as the connection, and no longer.
 *
 * What a turn of the loop has brought about goes out together: events first, then what is seen of
 * the node, then answers, so that a parent that has an answer knows what led to it.
 */
#include "process/child.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <unistd.h>

/* More than this waits for the parent: events are left out, and counted. */
#define WAITING_BYTES_MAX (64U << 20)

/* ---- out ------------------------------------------------------------------------------------ */

void child_answer(struct child *child, enum control_kind kind, const struct control_answer *given)
{
    size_t start = message_begin(&child->answers, kind);
    control_write_answer(given, &child->answers);
    message_end(&child->answers, start);
}

static void read_event(void *context, const struct trace_event *event)
{
    struct child *child = context;
    struct buffer *out = &child->channel.out;
    if (event->kind == TRACE_TRUNCATE || event->kind == TRACE_INSTALL) {
        child->sight.log_changes++;
    }
    if (channel_waiting(&child->channel) > WAITING_BYTES_MAX) {
        child->lost++;
        return;
    }
    if (child->lost > 0) {
        size_t start = message_begin(out, CONTROL_LOST);
        control_write_answer(&(struct control_answer){.number = child->lost}, out);
        message_end(out, start);
        child->lost = 0;
    }
    size_t start = message_begin(out, CONTROL_EVENT);
    trace_write_record(event, true, out);
    message_end(out, start);
}

static void tell_view(struct child *child)
{
    struct raft_peer_status peer;
    child->sight.peers.count = 0;
    for (uint32_t i = 0; node_peer_at(child->node, i, &peer); i++) {
        *array_push(&child->sight.peers) = peer;
    }
    child->sight.drops = faults_drop_count(child->faults, child->open.raft.id);
    buffer_clear(&child->scratch);
    control_write_view(node_view(child->node), &child->sight, &child->scratch);
    if (bytes_equal(buffer_bytes(&child->scratch), buffer_bytes(&child->seen))) {
        return;
    }
    struct buffer before = child->seen;
    child->seen = child->scratch;
    child->scratch = before;
    size_t start = message_begin(&child->channel.out, CONTROL_VIEW);
    buffer_append(&child->channel.out, child->seen.data, child->seen.size);
    message_end(&child->channel.out, start);
}

/* Before a frame leaves: whoever gets it, the parent has been told what led to it. */
static void tell_events(void *context)
{
    struct child *child = context;
    bool all = channel_write(&child->channel);
    real_watch_writable(child->watch, !all);
}

static void tell(struct child *child)
{
    if (child->node != NULL) {
        tell_view(child);
    }
    buffer_append(&child->channel.out, child->answers.data, child->answers.size);
    buffer_clear(&child->answers);
    tell_events(child);
}

/* ---- what clients are answered --------------------------------------------------------------- */

static bool client_frame(void *context, struct connection *from, struct batch *batch,
                         uint32_t offset, const struct frame_head *head, const char **reason)
{
    struct child *child = context;
    (void)from;
    (void)reason;
    size_t start = message_begin(&child->answers, CONTROL_CLIENT);
    buffer_append(&child->answers, batch->data + offset, head->length);
    message_end(&child->answers, start);
    return true;
}

/* ---- life ----------------------------------------------------------------------------------- */

static void ready(void *context)
{
    struct child *child = context;
    (void)channel_write(&child->channel);
    while (channel_read(&child->channel)) {
        if (child->obeys) {
            serve_orders(child);
        }
    }
    if (child->channel.has_ended) {
        _exit(0); /* the parent is gone, or has done with this: nothing of it is to stay */
    }
}

/* The first message; false: the parent is gone, or it is none. */
static bool await_open(struct child *child)
{
    enum control_kind kind = CONTROL_KIND_END;
    struct batch *message = NULL;
    while (message == NULL && !child->channel.has_ended) {
        channel_wait(&child->channel, -1, -1);
        (void)channel_read(&child->channel);
        message = channel_take(&child->channel, &kind);
    }
    bool is_open = message != NULL && kind == CONTROL_OPEN &&
                   control_read_open((struct bytes){message->data, message->size}, &child->open);
    batch_release(message);
    /* One that is killed while this begins leaves it to another. */
    return is_open && (uint64_t)getppid() == child->open.parent;
}

static bool make_world(struct child *child, struct failure *failure)
{
    struct real_options options = {
        .free_running = true,
        .speed = (double)child->open.speed_ppb / 1e9,
        .origin_real_ns = child->open.origin_real_ns,
    };
    struct endpoint_handler clients = {.frame = client_frame, .context = child};
    child->trace = trace_new();
    child->faults = faults_new(child->open.seed, child->trace);
    child->world = real_new(child->trace, child->faults, &options, failure);
    if (child->world == NULL) {
        return false;
    }
    child->world->operations->client_open(child->world, &clients);
    child->watch = real_watch_new(child->world, child->channel.descriptor, ready, child);
    if (child->watch == NULL) {
        failure_set(failure, FAILURE_UNSUPPORTED, "the control connection cannot be polled");
        return false;
    }
    real_set_before_writing(child->world, tell_events, child);
    trace_subscribe(child->trace, TRACE_ALL, read_event, child);
    return true;
}

/* A disk of its own number each time, whatever the run's seed. */
static uint64_t draw_seed(void)
{
    uint64_t seed = 0;
    ensure(getrandom(&seed, sizeof seed, 0) == sizeof seed);
    return seed;
}

static void looked(void *context, bool has_log)
{
    struct child *child = context;
    child->has_looked = true;
    child->has_log = has_log;
}

static bool make_store(struct child *child, struct failure *failure)
{
    struct store_contents contents;
    struct files *files = child->world->operations->files(child->world, child->open.raft.id,
                                                          child->open.directory, failure);
    if (files == NULL) {
        return false;
    }
    struct store_wal_options options = {.id = child->open.raft.id,
                                        .cluster_name = child->open.cluster_name,
                                        .segment_bytes = STORE_SMALL_SEGMENT_BYTES,
                                        .seed = draw_seed()};
    child->store = store_wal_new(child->world, files, &options);
    if (child->open.wipe) { /* which goes on: what is there still is not its own */
        child->store->operations->wipe(child->store);
        child->has_looked = true;
    } else {
        store_wal_look(child->store, looked, child);
    }
    while (!child->has_looked) {
        (void)child->world->operations->step(child->world, WORLD_NEVER);
    }
    child->store->operations->contents(child->store, &contents);
    child_answer(child, CONTROL_OPENED,
                 &(struct control_answer){.number = contents.directory, .index = child->has_log});
    return true;
}

/* All that was said; whoever does not listen is not waited for for long. */
static void say_the_rest(struct child *child)
{
    tell(child);
    while (!child->channel.has_ended && !channel_write(&child->channel)) {
        channel_wait(&child->channel, -1, -1);
    }
}

static int serve(struct child *child)
{
    struct control_answer problem = {0};
    if (!make_world(child, &problem.failure) || !make_store(child, &problem.failure)) {
        child_answer(child, CONTROL_OPENED, &problem);
        buffer_append(&child->channel.out, child->answers.data, child->answers.size);
        (void)channel_write(&child->channel);
        return 1;
    }
    tell(child);
    child->obeys = true;
    serve_orders(child);
    while (!child->has_ended) {
        tell(child);
        (void)child->world->operations->step(child->world, WORLD_NEVER);
    }
    say_the_rest(child);
    return 0;
}

static void free_child(struct child *child)
{
    node_free(child->node);
    if (child->store != NULL) {
        child->store->operations->free(child->store);
    }
    real_watch_free(child->watch);
    if (child->world != NULL) {
        child->world->operations->free(child->world);
    }
    faults_free(child->faults);
    if (child->trace != NULL) {
        trace_free(child->trace);
    }
    channel_end(&child->channel);
    buffer_free(&child->answers);
    buffer_free(&child->seen);
    buffer_free(&child->scratch);
    array_free(&child->addresses);
    sight_free(&child->sight);
    memory_free(child);
}

int process_serve(const struct process_serve_options *options)
{
    struct child *child = memory_new_zeroed(1, sizeof *child);
    child->options = *options;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    channel_begin(&child->channel, options->descriptor);
    int status = await_open(child) ? serve(child) : 0;
    free_child(child);
    return status;
}
