/*
 * One node in a simulated world where nobody else is, for the parsers that only a node reaches. It
 * goes the way of every frame: through the handler that the node gives to its world.
 */
#include "fuzz.h"

#include "node/internal.h"
#include "sim/sim.h"

#include <stdio.h>
#include <string.h>

#define NODE_ID 1U
#define MILLISECOND_NS INT64_C(1000000)

static struct machine *make_machine(void *context, uint64_t id, struct failure *failure)
{
    (void)context;
    (void)id;
    (void)failure;
    return machine_new(&kv_operations, kv_new());
}

static bool answer_arrived(void *context, struct connection *from, struct batch *batch,
                           uint32_t offset, const struct frame_head *head, const char **reason)
{
    struct lone_node *lone = context;
    struct node_outcome outcome;
    uint64_t number = 0;
    (void)from;
    (void)reason;
    ensure(head->kind == FRAME_CLIENT_ANSWER);
    ensure(node_answer_parse(batch, offset, head, &number, &outcome));
    ensure(number != 0);
    /* Empty: of a read that asks nothing. */
    ensure(outcome.failure.code != FAILURE_NONE || outcome.result.size == 0 ||
           is_value(outcome.result));
    lone->answers++;
    return true;
}

static void format(struct store *store, uint64_t members)
{
    struct raft_configuration first = {0};
    for (uint64_t id = 1; id <= members; id++) {
        struct raft_member member = {.id = id, .voter = true};
        (void)snprintf(member.address, sizeof member.address, "sim:%llu", (unsigned long long)id);
        member.address_size = (uint8_t)strlen(member.address);
        raft_configuration_put(&first, &member);
    }
    store->operations->format(store,
                              &(struct raft_start){.first_members = &first, .first_index = 1});
    raft_configuration_free(&first);
}

void lone_node_start(struct lone_node *lone, uint64_t members)
{
    memset(lone, 0, sizeof *lone);
    lone->trace = trace_new();
    trace_keep_hash(lone->trace); /* so that every event is made and read */
    lone->faults = faults_new(1, lone->trace);
    lone->world = sim_new(lone->trace, lone->faults, 1);
    struct endpoint_handler client = {.frame = answer_arrived, .context = lone};
    lone->world->operations->client_open(lone->world, &client);
    struct store *store = store_memory_new(lone->world, NODE_ID, 1);
    format(store, members);
    struct node_options options = {
        .raft = {.id = NODE_ID,
                 .election_timeout_min_ns = 150 * MILLISECOND_NS,
                 .election_timeout_max_ns = 300 * MILLISECOND_NS,
                 .heartbeat_interval_ns = 50 * MILLISECOND_NS,
                 .pre_vote = true,
                 .check_quorum = true,
                 .window = 64,
                 .max_message_bytes = 64U << 10,
                 .max_inflight_bytes = 1U << 20},
        .seed = 1,
        .cluster_name = "fuzz",
        .make_machine = make_machine,
    };
    lone->node = node_new(lone->world, store, &options);
    struct failure failure = {0};
    ensure(node_start(lone->node, &failure));
    lone_node_run(lone, 0);
}

bool lone_node_frame(struct lone_node *lone, struct connection *from, enum frame_kind kind,
                     uint64_t number, struct bytes body)
{
    struct endpoint_handler handler = node_endpoint_handler(lone->node);
    struct buffer frame = {0};
    struct frame_head head;
    const char *problem = NULL;
    if (!node_view(lone->node)->is_up) {
        return false; /* it has stopped: no world would hand it anything */
    }
    frame_begin(&frame);
    buffer_append(&frame, body.data, body.size);
    frame_seal(&frame, kind, number, from->directory);
    struct batch *batch = batch_copy(NULL, frame.data, frame.size);
    ensure(frame_parse(batch_bytes(batch), true, &head, &problem) == FRAME_WHOLE);
    bool taken = handler.frame(handler.context, from, batch, 0, &head, &problem);
    ensure(taken || problem != NULL);
    batch_release(batch);
    buffer_free(&frame);
    return taken;
}

void lone_node_run(struct lone_node *lone, int64_t duration_ns)
{
    int64_t until_ns = world_now_ns(lone->world) + duration_ns;
    while (lone->world->operations->step(lone->world, until_ns)) {
    }
}

void lone_node_end(struct lone_node *lone)
{
    node_free(lone->node);
    lone->world->operations->free(lone->world);
    faults_free(lone->faults);
    trace_free(lone->trace);
}
