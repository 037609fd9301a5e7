/*
 * The clients' side of a node: their requests as frames, also those that another node passes on,
 * and the answers. A request that the network repeats is taken once. It keeps nothing of a request
 * but its number.
 *
 * A client's request's number is its frame's; one that is passed on has its number (u64) before the
 * rest. An answer's body: that number (u64), code and "unknown" (a byte each), leader, index, term
 * (u64 each), the size of the message (u16), the message, the result.
 */
#include "node/internal.h"

#include <string.h>

#define KEPT_ANSWERS_MAX 1024U
#define KEPT_BYTES_MAX (16U << 20)
#define SEND_OWED_NS 10000000
#define REQUESTS_REMEMBERED 65536U
#define ANSWER_FIXED_BYTES (8 + 2 + 8 + 8 + 8 + 2)

struct batch *node_request_frame(struct pool *pool, const struct node_request *request)
{
    struct batch *batch = batch_new(pool, FRAME_HEAD_BYTES + 1 + request->body.size);
    struct buffer frame = {.data = batch->data, .capacity = batch->size};
    frame_begin(&frame);
    buffer_append_byte(&frame, (uint8_t)request->kind);
    buffer_append(&frame, request->body.data, request->body.size);
    frame_seal(&frame, FRAME_CLIENT_REQUEST, request->number, 0);
    ensure(frame.data == batch->data && frame.size == batch->size);
    return batch;
}

/* ---- answers that are kept ------------------------------------------------------------------ */

static void drop_oldest(struct clients *clients)
{
    struct kept_answer kept = *ring_pop(&clients->kept);
    clients->kept_bytes -= kept.frame->size;
    batch_release(kept.frame);
}

/* Where nobody is connected, the next connection begins with it. */
static void send_kept(struct node *node, struct kept_answer *kept)
{
    const struct world_operations *operations = node->world->operations;
    kept->is_owed = operations->is_connected(node->endpoint, kept->peer);
    if (kept->is_owed && operations->has_room(node->endpoint, kept->peer, kept->frame->size)) {
        kept->is_owed = false;
        peers_send(node, kept->peer, batch_hold(kept->frame), false);
    }
    if (kept->is_owed) {
        operations->wake_at(node->world, &node->clients.send_owed,
                            world_now_ns(node->world) + SEND_OWED_NS);
    }
}

static void send_owed(void *context)
{
    struct node *node = context;
    for (size_t i = 0; i < node->clients.kept.count; i++) {
        struct kept_answer *kept = ring_at(&node->clients.kept, i);
        if (kept->is_owed) {
            send_kept(node, kept);
        }
    }
}

void clients_connected(struct node *node, uint64_t peer)
{
    for (size_t i = 0; i < node->clients.kept.count; i++) {
        struct kept_answer *kept = ring_at(&node->clients.kept, i);
        if (kept->peer == peer) {
            send_kept(node, kept);
        }
    }
}

/* Takes the reference. */
static void answer_peer(struct node *node, uint64_t peer, struct batch *frame)
{
    struct clients *clients = &node->clients;
    while (clients->kept.count == KEPT_ANSWERS_MAX ||
           (clients->kept.count > 0 && clients->kept_bytes + frame->size > KEPT_BYTES_MAX)) {
        drop_oldest(clients);
    }
    struct kept_answer *kept = ring_push(&clients->kept);
    *kept = (struct kept_answer){.peer = peer, .frame = frame};
    clients->kept_bytes += frame->size;
    send_kept(node, kept);
}

void clients_prepare(struct node *node)
{
    node->clients.send_owed = (struct wakeup){.fire = send_owed, .context = node};
}

void clients_clear(struct node *node)
{
    struct clients *clients = &node->clients;
    latest_numbers_free(&clients->seen);
    while (clients->kept.count > 0) {
        drop_oldest(clients);
    }
    ring_free(&clients->kept);
    node->world->operations->wake_at(node->world, &clients->send_owed, WORLD_NEVER);
}

/* ---- answers -------------------------------------------------------------------------------- */

void clients_write_answer(struct buffer *out, uint64_t request, const struct node_outcome *outcome)
{
    size_t message_size = strlen(outcome->failure.message);
    uint8_t *fixed = buffer_extend(out, ANSWER_FIXED_BYTES);
    store_u64(fixed, request);
    fixed[8] = (uint8_t)outcome->failure.code;
    fixed[9] = outcome->failure.unknown ? 1 : 0;
    store_u64(fixed + 10, outcome->failure.leader);
    store_u64(fixed + 18, outcome->index);
    store_u64(fixed + 26, outcome->term);
    fixed[34] = (uint8_t)message_size;
    fixed[35] = (uint8_t)(message_size >> 8);
    buffer_append(out, outcome->failure.message, message_size);
    buffer_append(out, outcome->result.data, outcome->result.size);
}

/* As a frame. */
static void answer(struct node *node, const struct node_asker *asker,
                   const struct node_outcome *outcome)
{
    if (node->endpoint == NULL) {
        return; /* its process has ended; the client learns nothing */
    }
    uint64_t number = 0;
    bool passed_on = asker->peer != 0;
    clients_write_answer(frames_begin(node), asker->number, outcome);
    struct batch *frame =
        frames_end(node, passed_on ? FRAME_FORWARD_ANSWER : FRAME_CLIENT_ANSWER, &number);
    if (passed_on) {
        report_frame(node, TRACE_SEND, asker->peer, number, "forward_answer");
        answer_peer(node, asker->peer, frame);
    } else {
        report_frame(node, TRACE_SEND, WORLD_CLIENT, number, "client_answer");
        node->world->operations->send(node->endpoint, WORLD_CLIENT, frame, false);
    }
}

void clients_tell(struct node *node, const struct node_asker *asker,
                  const struct node_outcome *outcome)
{
    if (asker->done != NULL) {
        asker->done(asker->context, asker->number, outcome);
    } else {
        answer(node, asker, outcome);
    }
}

void clients_tell_down(struct node *node, const struct node_asker *asker, uint64_t index,
                       uint64_t term)
{
    struct node_outcome outcome = {.index = index, .term = term};
    failure_set(&outcome.failure, FAILURE_NODE_DOWN, "node %llu went down (%s) before it answered",
                (unsigned long long)node->id, node_state_name(node->state));
    outcome.failure.unknown = true;
    clients_tell(node, asker, &outcome);
}

bool clients_parse_answer(struct bytes body, uint64_t *number, struct node_outcome *outcome)
{
    if (body.size < ANSWER_FIXED_BYTES) {
        return false;
    }
    const uint8_t *fixed = body.data;
    size_t rest = body.size - ANSWER_FIXED_BYTES;
    size_t message_size = (size_t)fixed[34] | ((size_t)fixed[35] << 8);
    if (fixed[8] > FAILURE_CLOSED || message_size > rest ||
        message_size >= sizeof outcome->failure.message) {
        return false;
    }
    *number = load_u64(fixed);
    failure_clear(&outcome->failure); /* what an answer does not carry: a place on a disk */
    outcome->failure.code = (enum failure_code)fixed[8];
    outcome->failure.unknown = fixed[9] != 0;
    outcome->failure.leader = load_u64(fixed + 10);
    outcome->index = load_u64(fixed + 18);
    outcome->term = load_u64(fixed + 26);
    memcpy(outcome->failure.message, fixed + ANSWER_FIXED_BYTES, message_size);
    outcome->failure.message[message_size] = '\0';
    outcome->result =
        (struct bytes){fixed + ANSWER_FIXED_BYTES + message_size, rest - message_size};
    return true;
}

bool node_answer_parse(const struct batch *batch, uint32_t offset, const struct frame_head *head,
                       uint64_t *number, struct node_outcome *outcome)
{
    struct bytes body = {batch->data + offset + FRAME_HEAD_BYTES, head->length - FRAME_HEAD_BYTES};
    return head->kind == FRAME_CLIENT_ANSWER && clients_parse_answer(body, number, outcome);
}

/* ---- requests ------------------------------------------------------------------------------- */

static void propose(struct node *node, struct batch *batch, uint32_t offset, uint32_t size,
                    const struct node_asker *asker)
{
    struct failure failure;
    struct reply reply = {0};
    failure_clear(&failure);
    if (!proposals_submit(node, batch, offset, size, asker, &reply, &failure) &&
        node->raft != NULL) {
        struct node_outcome outcome = {.failure = failure};
        clients_tell(node, asker, &outcome);
    }
    work_run(node);
}

/* One that is sent again and was forgotten may have been taken before. */
static void tell_forgotten(struct node *node, const struct node_asker *asker)
{
    struct node_outcome outcome = {0};
    failure_set(&outcome.failure, FAILURE_NODE_DOWN,
                "the connection to node %llu broke, and it does not know any more whether the "
                "command had come",
                (unsigned long long)node->id);
    outcome.failure.unknown = true;
    clients_tell(node, asker, &outcome);
}

/* A request's kind and body. */
static bool take_request(struct node *node, const struct node_asker *asker, struct batch *batch,
                         uint32_t offset, uint32_t size)
{
    if (size < 1 || asker->number == 0) {
        return false;
    }
    bool is_again = asker->peer != 0 && (batch->data[offset] & NODE_REQUEST_AGAIN) != 0;
    bool was_full = node->clients.seen.order.count == REQUESTS_REMEMBERED;
    enum node_request_kind kind =
        (enum node_request_kind)(batch->data[offset++] & ~(is_again ? NODE_REQUEST_AGAIN : 0));
    size--;
    if (kind < NODE_REQUEST_PROPOSE || kind > NODE_REQUEST_READ_LEASE) {
        return false;
    }
    if (!latest_numbers_add(&node->clients.seen, asker->number, REQUESTS_REMEMBERED)) {
        return true;
    }
    if (is_again && was_full && kind == NODE_REQUEST_PROPOSE) {
        tell_forgotten(node, asker);
        return true;
    }
    switch (kind) {
    case NODE_REQUEST_PROPOSE:
        propose(node, batch, offset, size, asker);
        break;
    case NODE_REQUEST_READ:
        reads_take(node, NODE_READ_LINEARIZABLE, batch, offset, size, asker);
        work_run(node);
        break;
    case NODE_REQUEST_READ_LEASE:
        reads_take(node, NODE_READ_LEASE, batch, offset, size, asker);
        work_run(node);
        break;
    case NODE_REQUEST_READ_STALE:
        reads_take(node, NODE_READ_STALE, batch, offset, size, asker);
        break;
    }
    return true;
}

bool clients_take(struct node *node, struct batch *batch, uint32_t offset,
                  const struct frame_head *head)
{
    struct node_asker asker = {.number = head->number};
    return take_request(node, &asker, batch, offset + FRAME_HEAD_BYTES,
                        head->length - FRAME_HEAD_BYTES);
}

void clients_refuse(struct node *node, const struct frame_head *head)
{
    struct node_asker asker = {.number = head->number};
    struct node_outcome outcome = {0};
    bool runs = node_check_running(node, &outcome.failure);
    ensure(!runs);
    clients_tell(node, &asker, &outcome);
}

bool clients_take_passed_on(struct node *node, uint64_t peer, struct batch *batch, uint32_t offset,
                            const struct frame_head *head)
{
    uint32_t start = offset + FRAME_HEAD_BYTES;
    if (head->length < FRAME_HEAD_BYTES + 8) {
        return false;
    }
    struct node_asker asker = {.peer = peer, .number = load_u64(batch->data + start)};
    return take_request(node, &asker, batch, start + 8, head->length - FRAME_HEAD_BYTES - 8);
}
