/*
 * Three bare cores that are pumped by hand: no world, no node, no codec, no machine. A disk
 * confirms at each turn of the pump what it was given since the last. It checks nothing of what the
 * cores decide but that all of it is committed in the end.
 */
#include "bench/bench.h"
#include "raft/raft.h"

#include <limits.h>
#include <malloc.h>
#include <string.h>

#define REPLICAS 3
#define QUEUE_CAPACITY 1024 /* a power of two; messages under way at once are far fewer */
#define TURN_NS 1000        /* of the cores' time */
#define TRIM_THRESHOLD_USUAL (128 * 1024)

/* A message with the entries that it names, which the receiver takes its own references of. */
struct delivery {
    struct raft_message message;
    struct raft_entry entries[BENCH_BATCH_MAX];
};

struct deliveries {
    struct delivery *all;
    uint32_t first;
    uint32_t count;
};

struct bench_replica {
    struct raft *raft;
    struct deliveries held; /* until its disk confirms */
    uint64_t unconfirmed;   /* the latest persist that its disk was given; 0: none */
    uint64_t committed;
    bool wants_flush;
};

struct bench_cores {
    struct bench_replica replicas[REPLICAS + 1]; /* by id */
    struct deliveries network;
    int64_t now_ns;
};

static void deliveries_new(struct deliveries *deliveries)
{
    deliveries->all = memory_new(QUEUE_CAPACITY * sizeof *deliveries->all);
}

static struct delivery *deliveries_push(struct deliveries *deliveries)
{
    ensure(deliveries->count < QUEUE_CAPACITY);
    return &deliveries->all[(deliveries->first + deliveries->count++) & (QUEUE_CAPACITY - 1)];
}

static struct delivery *deliveries_take(struct deliveries *deliveries)
{
    struct delivery *taken = &deliveries->all[deliveries->first];
    deliveries->first = (deliveries->first + 1) & (QUEUE_CAPACITY - 1);
    deliveries->count--;
    return taken;
}

static void post(struct deliveries *deliveries, const struct raft *raft,
                 const struct raft_message *message)
{
    struct delivery *delivery = deliveries_push(deliveries);
    ensure(message->entry_count <= BENCH_BATCH_MAX);
    delivery->message = *message;
    delivery->message.entries = delivery->entries;
    for (uint32_t i = 0; i < message->entry_count; i++) {
        delivery->entries[i] = *raft_entry_at(raft, message->prev_index + 1 + i);
    }
}

static void step(struct bench_cores *cores, uint64_t id, struct raft_event *event)
{
    struct bench_replica *replica = &cores->replicas[id];
    const struct raft_update *update = NULL;
    event->now_ns = cores->now_ns;
    raft_step(replica->raft, event, &update);
    ensure(update->fatal == NULL && update->refusal == RAFT_ACCEPTED);
    for (uint32_t i = 0; i < update->message_count; i++) {
        post(&cores->network, replica->raft, &update->messages[i]);
    }
    for (uint32_t i = 0; i < update->message_after_count; i++) {
        post(&replica->held, replica->raft, &update->messages_after[i]);
    }
    if (update->persist.sequence != 0) {
        replica->unconfirmed = update->persist.sequence;
    }
    if (update->apply_first != 0) {
        replica->committed = update->apply_last;
    }
    replica->wants_flush = update->wants_flush;
}

/* The disk has done all that it was given; what waited for it leaves. */
static bool confirm(struct bench_cores *cores, uint64_t id)
{
    struct bench_replica *replica = &cores->replicas[id];
    if (replica->unconfirmed == 0 && replica->held.count == 0) {
        return false;
    }
    while (replica->held.count > 0) {
        *deliveries_push(&cores->network) = *deliveries_take(&replica->held);
    }
    if (replica->unconfirmed != 0) {
        struct raft_event event = {.kind = RAFT_EVENT_PERSISTED, .sequence = replica->unconfirmed};
        replica->unconfirmed = 0;
        step(cores, id, &event);
    }
    return true;
}

/* Until no message and no write is under way. */
static void pump(struct bench_cores *cores)
{
    bool moved = true;
    while (moved) {
        moved = false;
        for (uint64_t id = 1; id <= REPLICAS; id++) {
            moved = confirm(cores, id) || moved;
        }
        for (uint32_t left = cores->network.count; left > 0; left--) {
            struct delivery *delivery = deliveries_take(&cores->network);
            struct raft_event event = {.kind = RAFT_EVENT_MESSAGE, .message = &delivery->message};
            step(cores, delivery->message.to, &event);
            moved = true;
        }
    }
    cores->now_ns += TURN_NS;
}

static void flush(struct bench_cores *cores, uint64_t id)
{
    if (cores->replicas[id].wants_flush) {
        struct raft_event event = {.kind = RAFT_EVENT_FLUSH};
        step(cores, id, &event);
    }
}

static struct raft *new_replica(uint64_t id, const struct raft_configuration *members)
{
    struct raft_options options = {
        .id = id,
        .election_timeout_min_ns = 150000000,
        .election_timeout_max_ns = 300000000,
        .heartbeat_interval_ns = 50000000,
        .pre_vote = true,
        .check_quorum = true,
        .window = 64,
        .max_entries = BENCH_BATCH_MAX,
        .max_message_bytes = 65536,
        .max_inflight_bytes = 1U << 20,
        .max_uncommitted_bytes = 0,
        .seed = id,
    };
    struct raft_start start = {.first_members = members, .first_index = 1};
    const char *problem = NULL;
    struct raft *raft = raft_new(&options, &start, 0, &problem);
    ensure(raft != NULL);
    return raft;
}

static void set_up(struct bench_cores *cores)
{
    struct raft_configuration members = {0};
    memset(cores, 0, sizeof *cores);
    for (uint64_t id = 1; id <= REPLICAS; id++) {
        struct raft_member member = {.id = id, .voter = true};
        raft_configuration_put(&members, &member);
    }
    deliveries_new(&cores->network);
    for (uint64_t id = 1; id <= REPLICAS; id++) {
        deliveries_new(&cores->replicas[id].held);
        cores->replicas[id].raft = new_replica(id, &members);
    }
    raft_configuration_free(&members);
    struct raft_event event = {.kind = RAFT_EVENT_CAMPAIGN, .force = true};
    step(cores, 1, &event);
    pump(cores);
    flush(cores, 1);
    pump(cores);
}

static void tear_down(struct bench_cores *cores)
{
    for (uint64_t id = 1; id <= REPLICAS; id++) {
        raft_free(cores->replicas[id].raft);
        memory_free(cores->replicas[id].held.all);
    }
    memory_free(cores->network.all);
}

static void submit(struct bench_cores *cores, uint32_t count, uint32_t entry_bytes)
{
    struct raft_entry entries[BENCH_BATCH_MAX];
    struct batch *batch = batch_new((size_t)count * entry_bytes);
    memset(batch->data, 'x', batch->size);
    for (uint32_t i = 0; i < count; i++) {
        entries[i] = (struct raft_entry){
            .batch = batch,
            .offset = i * entry_bytes,
            .size_and_kind = raft_entry_pack(entry_bytes, RAFT_ENTRY_COMMAND),
        };
    }
    struct raft_event event = {.kind = RAFT_EVENT_SUBMIT, .entries = entries, .entry_count = count};
    step(cores, 1, &event);
    batch_release(batch);
}

static bool all_have(const struct bench_cores *cores, uint64_t index)
{
    for (uint64_t id = 1; id <= REPLICAS; id++) {
        if (cores->replicas[id].committed < index) {
            return false;
        }
    }
    return true;
}

static int64_t measure(const struct bench_core_options *options)
{
    struct bench_cores cores;
    set_up(&cores);
    uint64_t submitted = cores.replicas[1].committed;
    uint64_t last = submitted + options->entries;
    int64_t start_ns = bench_now_ns();
    while (!all_have(&cores, last)) {
        while (submitted < last &&
               submitted + options->batch <= cores.replicas[1].committed + options->window) {
            uint64_t left = last - submitted;
            uint32_t count = left < options->batch ? (uint32_t)left : options->batch;
            submit(&cores, count, options->entry_bytes);
            submitted += count;
        }
        flush(&cores, 1);
        pump(&cores);
    }
    int64_t took_ns = bench_now_ns() - start_ns;
    tear_down(&cores);
    return took_ns;
}

int64_t bench_core(const struct bench_core_options *options)
{
    ensure(options->batch >= 1 && options->batch <= BENCH_BATCH_MAX);
    ensure(options->window >= options->batch && options->entry_bytes >= 1);
    if (!options->warm) {
        return measure(options);
    }
    /* The allocator's, for this while: nothing goes back to the system. */
    (void)mallopt(M_TRIM_THRESHOLD, INT_MAX);
    (void)measure(options);
    int64_t took_ns = measure(options);
    (void)mallopt(M_TRIM_THRESHOLD, TRIM_THRESHOLD_USUAL);
    (void)malloc_trim(0);
    return took_ns;
}
