/*
 * Fuzzes a whole node, with its store, its machine and its connections: frames of its peers and of
 * strangers come as they like, while it is paused, crashes and starts again: bytes of any kind, and
 * well-formed messages that contradict each other. What a frame says never stops it.
 *
 * Inputs have the form of those of messages.c.
 */
#include "support/fuzz.h"

#define MILLISECOND_NS INT64_C(1000000)

static void ignore(void *context, uint64_t number, const struct node_outcome *outcome)
{
    (void)context;
    (void)number;
    ensure(outcome->failure.code != FAILURE_NONE || outcome->result.size == 0 ||
           is_value(outcome->result));
}

static const struct node_asker nobody = {.done = ignore};

/* The sender that the message names is whom the connection belongs to, mostly. */
static void raft_frame(struct lone_node *lone, const struct batch *body)
{
    struct connection from = {.peer = body->size > 1 ? body->data[1] & 0x7f : 2};
    if (from.peer > 1) {
        (void)lone_node_frame(lone, &from, FRAME_RAFT, 1, batch_bytes(body));
    }
}

static uint64_t field(const struct batch *body, size_t place)
{
    return place < body->size ? body->data[place] : 0;
}

static void fill_entries(const struct batch *body, struct raft_message *message,
                         struct raft_entry *entries, struct batch *payload)
{
    static const enum raft_entry_kind kinds[] = {RAFT_ENTRY_COMMAND, RAFT_ENTRY_EMPTY,
                                                 RAFT_ENTRY_CONFIGURATION};
    uint64_t term = message->prev_term;
    for (uint32_t i = 0; i < message->entry_count; i++) {
        enum raft_entry_kind kind = kinds[field(body, 11 + i) % 3];
        uint32_t size = kind == RAFT_ENTRY_EMPTY ? 0 : payload->size;
        term += field(body, 13 + i) % 3; /* the wire form knows no falling ones */
        entries[i] = (struct raft_entry){.term = term,
                                         .batch = size == 0 ? NULL : payload,
                                         .size_and_kind = raft_entry_pack(size, kind)};
    }
    message->entries = entries;
}

/* A right message but for what it says, in small numbers, so that it fits the node's log and term
 * now and then; of a member or of a stranger. */
static void formed_frame(struct lone_node *lone, const struct batch *body)
{
    static const enum raft_message_kind kinds[] = {RAFT_APPEND,
                                                   RAFT_APPEND,
                                                   RAFT_VOTE,
                                                   RAFT_VOTE_RESPONSE,
                                                   RAFT_APPEND_RESPONSE,
                                                   RAFT_READ,
                                                   RAFT_READ_RESPONSE,
                                                   RAFT_PRE_VOTE,
                                                   RAFT_PRE_VOTE_RESPONSE,
                                                   RAFT_TIMEOUT_NOW,
                                                   RAFT_TIMEOUT_NOW_RESPONSE};
    static const uint64_t senders[] = {2, 3, 77};
    struct raft_entry entries[2];
    struct buffer wire = {0};
    struct batch *payload = batch_copy(NULL, body->data + (body->size > 15 ? 15 : body->size),
                                       body->size > 15 ? body->size - 15 : 0);
    struct raft_message message = {.kind = kinds[field(body, 0) % (sizeof kinds / sizeof *kinds)],
                                   .reject = (field(body, 1) & 1) != 0,
                                   .force = (field(body, 1) & 2) != 0,
                                   .quiet = (field(body, 1) & 4) != 0,
                                   .from = senders[field(body, 2) % 3],
                                   .to = 1,
                                   .term = field(body, 3) % 8,
                                   .prev_index = field(body, 4) % 8,
                                   .prev_term = field(body, 5) % 8,
                                   .commit = field(body, 6) % 8,
                                   .index = field(body, 7) % 8,
                                   .hint_index = field(body, 8) % 8,
                                   .hint_term = field(body, 9) % 8,
                                   .sequence = field(body, 10) % 8,
                                   .entry_count = (uint32_t)(field(body, 1) >> 3) % 3};
    struct connection from = {.peer = message.from, .directory = 1000 + message.from};
    message.entry_count = message.kind == RAFT_APPEND ? message.entry_count : 0;
    fill_entries(body, &message, entries, payload);
    raft_message_encode(NULL, &message, &wire);
    (void)lone_node_frame(lone, &from, FRAME_RAFT, 1, buffer_bytes(&wire));
    buffer_free(&wire);
    batch_release(payload);
}

static void hello_frame_from(struct lone_node *lone, const struct batch *body)
{
    struct connection from = {0};
    (void)lone_node_frame(lone, &from, FRAME_HELLO, 1, batch_bytes(body));
}

static void change(struct node *node, const struct batch *body)
{
    struct raft_configuration wanted;
    struct failure failure = {0};
    uint64_t index = 0;
    uint64_t term = 0;
    if (raft_configuration_decode(batch_bytes(body), &wanted)) {
        (void)node_change(node, &wanted, &index, &term, &nobody, &failure);
        raft_configuration_free(&wanted);
    }
}

/* A process that ends, by itself or not, and the next one with the same disk. */
static void restart(struct lone_node *lone, bool orderly)
{
    struct failure failure = {0};
    if (orderly) {
        node_stop(lone->node, false);
    } else {
        node_crash(lone->node);
    }
    ensure(node_start(lone->node, &failure));
}

static void pause_or_resume(struct node *node)
{
    if (node_view(node)->state == NODE_PAUSED) {
        node_resume(node);
    } else {
        node_pause(node);
    }
}

static void act(struct lone_node *lone, uint8_t what, const struct batch *body)
{
    struct failure failure = {0};
    switch (what % 10) {
    case 1:
        node_propose(lone->node, batch_bytes(body), &nobody);
        break;
    case 2:
        change(lone->node, body);
        break;
    case 3:
    case 4:
    case 5:
        lone_node_run(lone, (int64_t)body->size * 10 * MILLISECOND_NS);
        break;
    case 6:
        node_read(lone->node, NODE_READ_LINEARIZABLE, batch_bytes(body), &nobody);
        break;
    case 7:
        if (body->size < 2) {
            (void)node_campaign(lone->node, body->size == 0, &failure);
        } else {
            (void)node_transfer(lone->node, body->size % 4, &nobody, &failure);
        }
        break;
    case 8:
        restart(lone, body->size != 0);
        break;
    case 9:
        if (body->size == 0) {
            pause_or_resume(lone->node);
        } else {
            hello_frame_from(lone, body);
        }
        break;
    default:
        if (what >= 100) {
            formed_frame(lone, body);
        } else {
            raft_frame(lone, body);
        }
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lone_node lone;
    struct input input = {data, size};
    lone_node_start(&lone, input_byte(&input) >> 4 & 7);
    while (input.size > 0) {
        uint8_t what = input_byte(&input);
        struct batch *body = input_piece(&input);
        act(&lone, what, body);
        ensure(node_view(lone.node)->state != NODE_FAILED);
        batch_release(body);
    }
    lone_node_run(&lone, 10 * MILLISECOND_NS);
    lone_node_end(&lone);
    return 0;
}
