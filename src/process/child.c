/*
 * The child's side: one node in a real world of its own, which does what its parent says and tells
 * what happens. It lives as long as the connection, and no longer.
 *
 * What a turn of the loop has brought about goes out together: events first, then what is seen of
 * the node, then answers, so that a parent that has an answer knows what led to it.
 */
#include "process/internal.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <unistd.h>

/* More than this waits for the parent: events are left out, and counted. */
#define WAITING_BYTES_MAX (64U << 20)
#define LOG_BYTES_MAX (256U << 10) /* of one answer; one entry always fits */

struct child {
    struct process_serve_options options;
    struct control_open open;
    struct channel channel;
    struct real_watch *watch;
    struct trace *trace;
    struct faults *faults;
    struct world *world;
    struct store *store; /* until the node takes it over */
    struct node *node;
    struct buffer answers; /* whole messages, to be sent after what is seen */
    struct buffer seen;    /* what was sent last */
    struct buffer scratch;
    bool has_looked;             /* at its directory ... */
    bool has_log;                /* ... which holds one */
    struct sight sight;          /* its peers and counts, beside the node's own view */
    uint64_t lost;               /* events that were left out */
    bool is_read;                /* the disk, without a node */
    struct failure read_failure; /* or it cannot be */
    struct control_order read;   /* what waits for that; call 0: nothing does */
    bool has_ended;
};

/* ---- out ------------------------------------------------------------------------------------ */

static void answer(struct child *child, enum control_kind kind, const struct control_answer *given)
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
    trace_write_record(event, out);
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

/* ---- what the node says --------------------------------------------------------------------- */

static struct machine *make_machine(void *context, uint64_t id, struct failure *failure)
{
    struct child *child = context;
    return child->options.make_machine(child->options.context, id, child->open.machine, failure);
}

static void node_stopped(void *context, struct node *node)
{
    struct child *child = context;
    (void)node;
    child->has_ended = true;
}

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

static void changed(void *context, uint64_t number, const struct node_outcome *outcome)
{
    answer(context, CONTROL_OUTCOME,
           &(struct control_answer){.number = number,
                                    .failure = outcome->failure,
                                    .index = outcome->index,
                                    .term = outcome->term,
                                    .bytes = outcome->result});
}

/* ---- orders --------------------------------------------------------------------------------- */

static bool run(struct child *child, const struct control_order *order,
                struct control_answer *result)
{
    struct raft_configuration first = {0};
    struct node_options options = {
        .raft = child->open.raft,
        .seed = hash_mix(child->open.seed, (uint64_t)getpid()),
        .cluster_name = child->open.cluster_name,
        .address = child->open.address,
        .snapshot_every = child->open.snapshot_every,
        .snapshot_bytes = child->open.snapshot_bytes,
        .make_machine = make_machine,
        .context = child,
        .on_stopped = node_stopped,
    };
    if (child->store == NULL || child->is_read || !faults_read(child->faults, order->more) ||
        (order->bytes.size > 0 && !raft_configuration_decode(order->bytes, &first))) {
        return false;
    }
    if (order->bytes.size > 0) {
        struct raft_start start = {.first_index = 1, .first_members = &first};
        child->store->operations->format(child->store, &start);
        raft_configuration_free(&first);
    }
    child->node = node_new(child->world, child->store, &options);
    child->store = NULL;
    if (!node_start(child->node, &result->failure)) {
        node_free(child->node); /* nothing is to be seen of it */
        child->node = NULL;
        answer(child, CONTROL_OPENED, result); /* that it cannot go on */
        child->has_ended = true;
    }
    return true;
}

static bool change(struct child *child, const struct control_order *order,
                   struct control_answer *result)
{
    struct raft_configuration wanted = {0};
    struct node_asker asker = {.done = changed, .context = child, .number = order->number};
    if (!raft_configuration_decode(order->bytes, &wanted)) {
        return false;
    }
    (void)node_change(child->node, &wanted, &result->index, &result->term, &asker,
                      &result->failure);
    raft_configuration_free(&wanted);
    return true;
}

static void transfer(struct child *child, const struct control_order *order,
                     struct control_answer *result)
{
    struct node_asker asker = {.done = changed, .context = child, .number = order->number};
    (void)node_transfer(child->node, order->target, &asker, &result->failure);
}

static void compact(struct child *child, const struct control_order *order,
                    struct control_answer *result)
{
    struct node_asker asker = {.done = changed, .context = child, .number = order->number};
    (void)node_compact(child->node, &asker, &result->failure);
}

/* Into the scratch buffer. */
static void read_log(struct child *child, uint64_t first)
{
    const struct node_view *view = node_view(child->node);
    uint64_t last = view->last_index;
    buffer_clear(&child->scratch);
    for (uint64_t index = first; index >= view->first_index && index <= last; index++) {
        const struct raft_entry *entry = node_log_read(child->node, index);
        if (entry == NULL || (child->scratch.size > 0 &&
                              child->scratch.size + raft_entry_size(entry) > LOG_BYTES_MAX)) {
            return;
        }
        control_write_entry(entry, &child->scratch);
    }
}

static bool deliver(struct child *child, struct batch *message)
{
    struct frame_head head;
    const char *problem = NULL;
    struct bytes bytes = {message->data, message->size};
    if (frame_parse(bytes, true, &head, &problem) != FRAME_WHOLE || head.length != message->size ||
        head.kind != FRAME_CLIENT_REQUEST) {
        return false;
    }
    struct batch *frame = batch_copy(child->world->pool, message->data, message->size);
    child->world->operations->deliver(child->world, WORLD_CLIENT, child->open.raft.id, frame);
    batch_release(frame);
    return true;
}

/* false: that is no order for a node that runs. */
static bool carry_out(struct child *child, enum control_kind kind,
                      const struct control_order *order, struct control_answer *result)
{
    switch (kind) {
    case CONTROL_FAULTS:
        if (!faults_read(child->faults, order->bytes)) {
            return false;
        }
        child->world->operations->links_changed(child->world);
        return true;
    case CONTROL_CAMPAIGN:
        (void)node_campaign(child->node, order->flag, &result->failure);
        return true;
    case CONTROL_SUBMIT:
        (void)node_submit(child->node, order->bytes, &result->index, &result->term,
                          &result->failure);
        return true;
    case CONTROL_CHANGE:
        return change(child, order, result);
    case CONTROL_TRANSFER:
        transfer(child, order, result);
        return true;
    case CONTROL_COMPACT:
        compact(child, order, result);
        return true;
    case CONTROL_LOG:
        read_log(child, order->number);
        result->index = order->number;
        result->bytes = buffer_bytes(&child->scratch);
        return true;
    case CONTROL_STOP:
        node_stop(child->node, order->flag);
        return true;
    default:
        return false;
    }
}

/* ---- a disk without a node ------------------------------------------------------------------ */

static void answer_read(struct child *child)
{
    struct control_answer result = {.number = child->read.call, .failure = child->read_failure};
    struct store_contents contents;
    uint64_t index = child->read.number;
    child->read.call = 0;
    if (result.failure.code == FAILURE_NONE) {
        child->store->operations->contents(child->store, &contents);
        uint64_t last = contents.first_index + contents.entry_count - 1;
        struct control_disk disk = {contents.term, contents.vote, contents.first_index, last};
        buffer_clear(&child->scratch);
        control_write_disk(&disk, &child->scratch);
        index = index > contents.first_index ? index : contents.first_index;
        for (; index <= last && child->scratch.size < LOG_BYTES_MAX; index++) {
            control_write_entry(child->store->operations->entry_at(child->store, index),
                                &child->scratch);
        }
        result.bytes = buffer_bytes(&child->scratch);
    }
    answer(child, CONTROL_RESULT, &result);
}

static void disk_was_read(void *context, const struct failure *failure)
{
    struct child *child = context;
    child->is_read = true;
    if (failure != NULL) {
        child->read_failure = *failure;
    }
    answer_read(child);
}

static void disk_failed(void *context, const char *problem)
{
    (void)context;
    (void)fprintf(stderr, "%s\n", problem);
}

static bool read_disk(struct child *child, const struct control_order *order)
{
    struct store_handler handler = {
        .recovered = disk_was_read, .failed = disk_failed, .context = child};
    if (child->node != NULL || child->store == NULL || child->read.call != 0 || order->call == 0) {
        return false;
    }
    child->read = *order;
    if (child->is_read) {
        answer_read(child);
    } else {
        child->store->operations->open(child->store, &handler);
    }
    return true;
}

static bool handle(struct child *child, enum control_kind kind, struct batch *message)
{
    struct control_order order;
    struct control_answer result = {0};
    if (kind == CONTROL_CLIENT) {
        return child->node != NULL && deliver(child, message);
    }
    if (!control_read_order((struct bytes){message->data, message->size}, &order)) {
        return false;
    }
    if (kind == CONTROL_RUN) {
        return run(child, &order, &result);
    }
    if (kind == CONTROL_DISK) {
        return read_disk(child, &order);
    }
    if (kind == CONTROL_STOP && child->node == NULL) {
        child->has_ended = true;
        return true;
    }
    if (child->node == NULL || !carry_out(child, kind, &order, &result)) {
        return false;
    }
    if (order.call != 0) {
        result.number = order.call;
        answer(child, CONTROL_RESULT, &result);
    }
    return true;
}

static void handle_all(struct child *child)
{
    enum control_kind kind;
    struct batch *message = channel_take(&child->channel, &kind);
    while (message != NULL) {
        if (!handle(child, kind, message)) {
            (void)fprintf(stderr, "an order that is no order: the process ends\n");
            child->channel.has_ended = true;
        }
        batch_release(message);
        message = channel_take(&child->channel, &kind);
    }
}

static void ready(void *context)
{
    struct child *child = context;
    (void)channel_write(&child->channel);
    while (channel_read(&child->channel)) {
        handle_all(child);
    }
    if (child->channel.has_ended) {
        _exit(0); /* the parent is gone, or has done with this: nothing of it is to stay */
    }
}

/* ---- life ----------------------------------------------------------------------------------- */

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
    if (child->open.wipe) {
        child->store->operations->wipe(child->store);
    }
    store_wal_look(child->store, looked, child);
    while (!child->has_looked) {
        (void)child->world->operations->step(child->world, WORLD_NEVER);
    }
    child->store->operations->contents(child->store, &contents);
    answer(child, CONTROL_OPENED,
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
        answer(child, CONTROL_OPENED, &problem);
        buffer_append(&child->channel.out, child->answers.data, child->answers.size);
        (void)channel_write(&child->channel);
        return 1;
    }
    tell(child);
    handle_all(child);
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
