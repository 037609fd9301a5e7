/*
 * Writes to the disk, and the messages that wait for them: what promises something leaves only when
 * that is durable. It never asks what is written.
 */
#include "node/internal.h"

/* They name ranges of a log that may change meanwhile, so they are encoded now. */
static void send_when_durable(struct node *node, const struct raft_update *update)
{
    struct persistence *persistence = &node->persistence;
    uint64_t sequence =
        update->persist.sequence != 0 ? update->persist.sequence : update->messages_after_sequence;
    for (uint32_t i = 0; i < update->message_after_count; i++) {
        const struct raft_message *message = &update->messages_after[i];
        uint64_t number = 0;
        struct batch *frame = messages_encode(node, message, &number);
        if (sequence <= persistence->durable_sequence) {
            messages_send(node, message, frame, number);
            continue;
        }
        *ring_push(&persistence->waiting) = (struct outgoing){
            .sequence = sequence, .message = *message, .number = number, .frame = frame};
    }
}

void persistence_write(struct node *node, const struct raft_update *update)
{
    const struct raft_persist *persist = &update->persist;
    if (persist->sequence != 0) {
        report_write(node, TRACE_WRITE, persist);
        *ring_push(&node->persistence.writes) = *persist;
        node->store->operations->persist(node->store, persist, node->raft);
    }
    send_when_durable(node, update);
}

static void send_durable(struct node *node)
{
    struct persistence *persistence = &node->persistence;
    while (persistence->waiting.count > 0 &&
           ring_at(&persistence->waiting, 0)->sequence <= persistence->durable_sequence) {
        struct outgoing outgoing = *ring_pop(&persistence->waiting);
        messages_send(node, &outgoing.message, outgoing.frame, outgoing.number);
    }
}

static void confirm(struct node *node, uint64_t sequence)
{
    ensure(sequence >= node->persistence.durable_sequence);
    node->persistence.durable_sequence = sequence;
    send_durable(node);
    struct raft_event event = {.kind = RAFT_EVENT_PERSISTED, .sequence = sequence};
    drive_step(node, &event, NULL);
    work_run(node);
}

/* The disk's part is true at once; that the node hears of it may have to wait. */
void persistence_confirmed(void *context, uint64_t sequence, uint64_t term)
{
    struct node *node = context;
    struct persistence *persistence = &node->persistence;
    while (persistence->writes.count > 0 &&
           ring_at(&persistence->writes, 0)->sequence <= sequence) {
        const struct raft_persist *written = ring_pop(&persistence->writes);
        ensure(written->sequence != sequence || written->term == term);
        report_write(node, TRACE_SYNC, written);
    }
    if (node->state == NODE_PAUSED) {
        persistence->owed_sequence = sequence;
    } else if (node->state == NODE_RUNNING) {
        confirm(node, sequence);
        application_tell(node);
    }
}

void persistence_failed(void *context, const char *problem)
{
    struct node *node = context;
    node_fail(node, problem);
    application_tell(node);
}

void persistence_catch_up(struct node *node)
{
    uint64_t sequence = node->persistence.owed_sequence;
    node->persistence.owed_sequence = 0;
    if (sequence != 0) {
        confirm(node, sequence);
    }
}

void persistence_end(struct node *node)
{
    struct persistence *persistence = &node->persistence;
    while (persistence->waiting.count > 0) {
        batch_release(ring_pop(&persistence->waiting)->frame);
    }
    ring_free(&persistence->waiting);
    persistence->durable_sequence = 0;
    persistence->owed_sequence = 0;
}

void persistence_clear(struct node *node)
{
    ring_free(&node->persistence.writes);
}
