/*
 * The child's side, its work: each order of the parent is carried out by the node, or by its disk
 * where there is no node. It never judges what is wanted of it, and ends where it is no order.
 */
#include "process/child.h"

#include <stdio.h>
#include <unistd.h>

#define LOG_BYTES_MAX (256U << 10) /* of one answer; one entry always fits */

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

static void changed(void *context, uint64_t number, const struct node_outcome *outcome)
{
    child_answer(context, CONTROL_OUTCOME,
                 &(struct control_answer){.number = number,
                                          .failure = outcome->failure,
                                          .index = outcome->index,
                                          .term = outcome->term,
                                          .bytes = outcome->result});
}

static const char *find_address(void *context, uint64_t id)
{
    struct child *child = context;
    for (size_t i = 0; i < child->addresses.count; i++) {
        if (child->addresses.items[i].id == id) {
            return child->addresses.items[i].address;
        }
    }
    return NULL;
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
        .compare_states = true,
        .make_machine = make_machine,
        .find_address = find_address,
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
        child_answer(child, CONTROL_OPENED, result); /* that it cannot go on */
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
        control_write_disk(&disk, store_snapshot_members(&contents), &child->scratch);
        index = index > contents.first_index ? index : contents.first_index;
        for (; index <= last && child->scratch.size < LOG_BYTES_MAX; index++) {
            control_write_entry(child->store->operations->entry_at(child->store, index),
                                &child->scratch);
        }
        result.bytes = buffer_bytes(&child->scratch);
    }
    child_answer(child, CONTROL_RESULT, &result);
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

static bool read_addresses(struct child *child, const struct control_order *order)
{
    struct field_reader reader = {.rest = order->bytes};
    child->addresses.count = 0;
    while (reader.rest.size > 0 && !reader.is_bad) {
        control_read_address(&reader, array_push(&child->addresses));
    }
    return child->node == NULL && field_read_end(&reader);
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
    if (kind == CONTROL_ADDRESSES) {
        return read_addresses(child, &order);
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
        child_answer(child, CONTROL_RESULT, &result);
    }
    return true;
}

void serve_orders(struct child *child)
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
