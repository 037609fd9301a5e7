/*
 * Reads: each is answered by the machine once the core has let it pass and what it has to see is
 * applied. It never looks into a request or an answer.
 */
#include "node/internal.h"

#include <string.h>

static void answer_by_machine(struct node *node, const struct read_wait *read,
                              struct buffer *answer)
{
    struct node_outcome outcome = {0};
    struct bytes request = {read->batch->data + read->offset, read->size};
    if (read->size == 0 || machine_query(node->machine, request, answer, &outcome.failure)) {
        outcome.index = work_applied(node);
        outcome.result = buffer_bytes(answer);
    } else if (outcome.failure.code == FAILURE_NONE) {
        failure_set(&outcome.failure, FAILURE_UNSUPPORTED,
                    "the machine of node %llu does not answer that query",
                    (unsigned long long)node->id);
    }
    clients_tell(node, &read->asker, &outcome);
}

static void answer_refusal(struct node *node, const struct node_asker *asker,
                           enum raft_refusal refusal)
{
    struct node_outcome outcome = {0};
    refusal_explain(node, refusal, &outcome.failure);
    clients_tell(node, asker, &outcome);
}

/* Takes a read out of the ring, whose answered ones at the head then go. */
static struct read_wait take_read(struct node *node, uint64_t read_id)
{
    ensure(read_id >= node->reads.first_id);
    struct read_wait *place =
        ring_at(&node->reads.waiting, (size_t)(read_id - node->reads.first_id));
    ensure(!place->answered);
    struct read_wait read = *place;
    place->answered = true;
    while (node->reads.waiting.count > 0 && ring_at(&node->reads.waiting, 0)->answered) {
        (void)ring_pop(&node->reads.waiting);
        node->reads.first_id++;
    }
    return read;
}

bool reads_answer_one(struct node *node)
{
    struct reads *reads = &node->reads;
    if (reads->confirmed.count == 0 || ring_at(&reads->confirmed, 0)->index > work_applied(node)) {
        return false;
    }
    struct raft_read_result confirmed = *ring_pop(&reads->confirmed);
    struct read_wait read = take_read(node, confirmed.read_id);
    if (confirmed.index == 0) {
        answer_refusal(node, &read.asker, RAFT_NOT_LEADER);
    } else {
        buffer_clear(&reads->answer);
        answer_by_machine(node, &read, &reads->answer);
    }
    batch_release(read.batch);
    return true;
}

void reads_confirmed(struct node *node, const struct raft_update *update)
{
    for (uint32_t i = 0; i < update->read_count; i++) {
        *ring_push(&node->reads.confirmed) = update->reads[i];
    }
}

static void read_stale(struct node *node, const struct read_wait *read)
{
    struct buffer answer = {0}; /* of its own: this may come from within another answer */
    answer_by_machine(node, read, &answer);
    buffer_free(&answer);
}

void reads_take(struct node *node, enum node_read_mode mode, struct batch *batch, uint32_t offset,
                uint32_t size, const struct node_asker *asker)
{
    struct read_wait read = {.asker = *asker, .batch = batch, .offset = offset, .size = size};
    if (mode == NODE_READ_STALE && restores_is_under_way(node)) {
        *ring_push(&node->reads.held) = read;
        (void)batch_hold(batch);
        return;
    }
    if (mode == NODE_READ_STALE) {
        read_stale(node, &read);
        return;
    }
    uint64_t read_id = node->reads.first_id + node->reads.waiting.count;
    *ring_push(&node->reads.waiting) = read;
    (void)batch_hold(batch);
    report_read(node, read_id);
    struct reply reply = {0};
    struct raft_event event = {
        .kind = RAFT_EVENT_READ, .read_id = read_id, .lease = mode == NODE_READ_LEASE};
    drive_step(node, &event, &reply);
    if (node->raft != NULL && reply.refusal != RAFT_ACCEPTED) {
        struct read_wait refused = take_read(node, read_id);
        answer_refusal(node, &refused.asker, reply.refusal);
        batch_release(refused.batch);
    }
}

void node_read(struct node *node, enum node_read_mode mode, struct bytes request,
               const struct node_asker *asker)
{
    struct node_outcome outcome = {0};
    ensure(asker->done != NULL);
    if (!node_check_running(node, &outcome.failure)) {
        asker->done(asker->context, asker->number, &outcome);
        return;
    }
    struct batch *batch = batch_copy(node->world->pool, request.data, request.size);
    reads_take(node, mode, batch, 0, (uint32_t)request.size, asker);
    batch_release(batch);
    work_run(node);
    application_tell_soon(node);
}

void reads_restored(struct node *node)
{
    while (node->reads.held.count > 0 && !restores_is_under_way(node)) {
        struct read_wait read = *ring_pop(&node->reads.held);
        read_stale(node, &read);
        batch_release(read.batch);
    }
}

void reads_prepare(struct node *node)
{
    node->reads.first_id = 1;
}

void reads_end(struct node *node, bool tell)
{
    struct reads reads = node->reads;
    memset(&node->reads, 0, sizeof node->reads);
    node->reads.first_id = reads.first_id + reads.waiting.count;
    for (size_t i = 0; i < reads.waiting.count; i++) {
        struct read_wait read = *ring_at(&reads.waiting, i);
        if (!read.answered) {
            if (tell) {
                clients_tell_down(node, &read.asker, 0, 0);
            }
            batch_release(read.batch);
        }
    }
    while (reads.held.count > 0) {
        struct read_wait read = *ring_pop(&reads.held);
        if (tell) {
            clients_tell_down(node, &read.asker, 0, 0);
        }
        batch_release(read.batch);
    }
    ring_free(&reads.held);
    ring_free(&reads.waiting);
    ring_free(&reads.confirmed);
    buffer_free(&reads.answer);
}
