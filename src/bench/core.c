/*
 * Three bare cores under the harness of cores/: no world, no node, no codec, no machine. A disk
 * confirms at each turn of the pump what it was given since the last. It checks nothing of what the
 * cores decide but that all of it is committed in the end.
 */
#include "bench/bench.h"
#include "cores/cores.h"

#include <limits.h>
#include <malloc.h>
#include <string.h>

#define REPLICAS 3
#define LEADER 1
#define TURN_NS 1000 /* of the cores' time */
#define TRIM_THRESHOLD_USUAL (128 * 1024)

static void step(struct cores *cores, struct raft_event *event)
{
    const struct raft_update *update = cores_step(cores, LEADER, event);
    ensure(update->refusal == RAFT_ACCEPTED);
}

/* Each disk does what it was given; then what is under way now arrives. false: there was nothing.
 */
static bool turn(struct cores *cores)
{
    bool moved = false;
    for (size_t i = 0; i < REPLICAS; i++) {
        const struct core *core = cores_at(cores, i);
        moved = cores_confirm(cores, core->id, core->asked) != NULL || moved;
    }
    for (size_t left = cores_under_way(cores); left > 0; left--) {
        const struct raft_update *update = cores_deliver(cores, cores_first(cores), false);
        ensure(update != NULL);
        moved = true;
    }
    return moved;
}

/* Until no message and no write is under way. */
static void pump(struct cores *cores)
{
    while (turn(cores)) {
    }
    cores_set_now_ns(cores, cores_now_ns(cores) + TURN_NS);
}

static void flush(struct cores *cores)
{
    if (cores_find(cores, LEADER)->wants_flush) {
        struct raft_event event = {.kind = RAFT_EVENT_FLUSH};
        step(cores, &event);
    }
}

static struct raft *new_replica(uint64_t id, const struct raft_configuration *members)
{
    struct raft_options options = {
        .id = id,
        .directory = id,
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

static struct cores *set_up(void)
{
    struct raft_configuration members = {0};
    for (uint64_t id = 1; id <= REPLICAS; id++) {
        struct raft_member member = {.id = id, .directory = id, .voter = true};
        raft_configuration_put(&members, &member);
    }
    struct cores *cores = cores_new();
    for (uint64_t id = 1; id <= REPLICAS; id++) {
        cores_add(cores, new_replica(id, &members));
        cores_set_slow(cores, id, true);
    }
    raft_configuration_free(&members);
    struct raft_event event = {.kind = RAFT_EVENT_CAMPAIGN, .force = true};
    step(cores, &event);
    pump(cores);
    flush(cores);
    pump(cores);
    return cores;
}

static void submit(struct cores *cores, uint32_t count, uint32_t entry_bytes)
{
    struct raft_entry entries[BENCH_BATCH_MAX];
    struct batch *batch = batch_new(NULL, (size_t)count * entry_bytes);
    memset(batch->data, 'x', batch->size);
    for (uint32_t i = 0; i < count; i++) {
        entries[i] = (struct raft_entry){
            .batch = batch,
            .offset = i * entry_bytes,
            .size_and_kind = raft_entry_pack(entry_bytes, RAFT_ENTRY_COMMAND),
        };
    }
    struct raft_event event = {.kind = RAFT_EVENT_SUBMIT, .entries = entries, .entry_count = count};
    step(cores, &event);
    batch_release(batch);
}

static bool all_have(const struct cores *cores, uint64_t index)
{
    for (size_t i = 0; i < REPLICAS; i++) {
        if (cores_at(cores, i)->applied < index) {
            return false;
        }
    }
    return true;
}

static int64_t measure(const struct bench_core_options *options)
{
    struct cores *cores = set_up();
    const struct core *leader = cores_find(cores, LEADER);
    uint64_t submitted = leader->applied;
    uint64_t last = submitted + options->entries;
    int64_t start_ns = bench_now_ns();
    while (!all_have(cores, last)) {
        while (submitted < last &&
               submitted + options->batch <= leader->applied + options->window) {
            uint64_t left = last - submitted;
            uint32_t count = left < options->batch ? (uint32_t)left : options->batch;
            submit(cores, count, options->entry_bytes);
            submitted += count;
        }
        flush(cores);
        pump(cores);
    }
    int64_t took_ns = bench_now_ns() - start_ns;
    cores_free(cores);
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
