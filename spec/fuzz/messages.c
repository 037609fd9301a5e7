/*
 * Fuzzes the wire form of messages, and a bare core that is stepped with whatever decodes, among
 * events of its own node. Nobody is trusted: what its peers say need not fit together, and the core
 * drops what contradicts itself, and must neither crash nor fail an `ensure`.
 */
#include "support/fuzz.h"

#define MILLISECOND_NS INT64_C(1000000)

/* A core with what its node would know of it. */
struct subject {
    struct raft *raft;
    int64_t now_ns;
    uint64_t handed_out; /* persists */
    uint64_t persisted;
    uint64_t applied;
    uint64_t read_id;
    ring_of(struct raft_message) pieces; /* of a snapshot, handed out to be written */
    struct raft_entry *entries;          /* of decoded messages; its capacity */
    uint32_t entries_capacity;
};

static void start(struct subject *subject, uint8_t shape)
{
    struct raft_options options = {.id = 1,
                                   .election_timeout_min_ns = 150 * MILLISECOND_NS,
                                   .election_timeout_max_ns = 300 * MILLISECOND_NS,
                                   .heartbeat_interval_ns = 50 * MILLISECOND_NS,
                                   .pre_vote = (shape & 1) != 0,
                                   .check_quorum = (shape & 2) != 0,
                                   .window = (shape & 4) != 0 ? 1 : 8,
                                   .max_entries = (shape & 8) != 0 ? 1 : 0,
                                   .max_message_bytes = 1024,
                                   .max_inflight_bytes = 4096,
                                   .seed = shape};
    struct raft_configuration members = {0};
    uint64_t count = shape >> 4 & 7; /* the last of four or more learns */
    for (uint64_t id = 1; id <= count; id++) {
        bool learns = count > 3 && id == count;
        raft_configuration_put(
            &members, &(struct raft_member){.id = id, .voter = !learns, .learner = learns});
    }
    struct raft_start start = {.first_members = &members, .first_index = 1};
    const char *problem = NULL;
    *subject = (struct subject){.raft = raft_new(&options, &start, 0, &problem)};
    ensure(subject->raft != NULL);
    raft_configuration_free(&members);
}

/* What it sends has to decode, to what is encoded alike. */
static void check_sent(struct subject *subject, const struct raft_message *messages, uint32_t count)
{
    struct buffer wire = {0};
    struct buffer again = {0};
    struct raft_entry *entries = NULL;
    uint32_t capacity = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct raft_message decoded;
        const char *problem = NULL;
        buffer_clear(&wire);
        buffer_clear(&again);
        struct raft_message message = messages[i];
        if (message.kind == RAFT_SNAPSHOT && message.piece_size > 0) {
            message.piece = batch_new(NULL, message.piece_size);
            memset(message.piece->data, 7, message.piece_size);
        }
        raft_message_encode(subject->raft, &message, &wire);
        batch_release(message.piece);
        struct batch *batch = batch_copy(NULL, wire.data, wire.size);
        ensure(raft_message_decode(batch, 0, batch->size, &decoded, &entries, &capacity, &problem));
        raft_message_encode(subject->raft, &decoded, &again);
        ensure(bytes_equal(buffer_bytes(&wire), buffer_bytes(&again)));
        batch_release(batch);
    }
    memory_free(entries);
    buffer_free(&wire);
    buffer_free(&again);
}

static void check_status(const struct subject *subject)
{
    struct raft_status status;
    raft_get_status(subject->raft, &status);
    ensure(status.applied_index == subject->applied);
    ensure(status.applied_index <= status.commit_index);
    ensure(status.commit_index <= status.last_index);
    ensure(status.applied_index <= status.durable_index);
    ensure(status.durable_index <= status.last_index);
    ensure(status.last_term <= status.term);
}

static void step(struct subject *subject, struct raft_event *event)
{
    const struct raft_update *update = NULL;
    event->now_ns = subject->now_ns;
    raft_step(subject->raft, event, &update);
    check_sent(subject, update->messages, update->message_count);
    check_sent(subject, update->messages_after, update->message_after_count);
    if (update->persist.sequence != 0) {
        ensure(update->persist.sequence == subject->handed_out + 1);
        subject->handed_out++;
    }
    ensure(update->messages_after_sequence <= subject->handed_out);
    if (update->snapshot_abandoned ||
        (update->snapshot_piece != NULL && update->snapshot_piece->offset == 0)) {
        subject->pieces.count = 0;
    }
    if (update->snapshot_piece != NULL) {
        ensure(subject->pieces.count < RAFT_SNAPSHOT_WINDOW);
        *ring_push(&subject->pieces) = *update->snapshot_piece;
    }
    if (update->installed_index != 0) {
        ensure(update->installed_index > subject->applied);
        subject->applied = update->installed_index;
    }
    if (update->apply_first != 0) {
        ensure(update->apply_first == subject->applied + 1);
        ensure(update->apply_last >= update->apply_first);
        subject->applied = update->apply_last;
    }
    ensure(update->deadline_ns >= 0);
    check_status(subject);
}

static void step_message(struct subject *subject, struct batch *body)
{
    struct raft_message message;
    const char *problem = NULL;
    if (!raft_message_decode(body, 0, body->size, &message, &subject->entries,
                             &subject->entries_capacity, &problem)) {
        ensure(problem != NULL);
        return;
    }
    step(subject, &(struct raft_event){.kind = RAFT_EVENT_MESSAGE, .message = &message});
}

static void step_submit(struct subject *subject, struct batch *body)
{
    struct raft_entry entry = {.batch = body->size > 0 ? body : NULL,
                               .size_and_kind = raft_entry_pack(body->size, RAFT_ENTRY_COMMAND)};
    step(subject,
         &(struct raft_event){.kind = RAFT_EVENT_SUBMIT, .entries = &entry, .entry_count = 1});
}

static void step_change(struct subject *subject, const struct batch *body)
{
    struct raft_configuration wanted;
    if (raft_configuration_decode(batch_bytes(body), &wanted)) {
        step(subject, &(struct raft_event){.kind = RAFT_EVENT_CHANGE, .configuration = &wanted});
        raft_configuration_free(&wanted);
    }
}

static void step_tick(struct subject *subject, const struct batch *body)
{
    subject->now_ns += (int64_t)body->size * 10 * MILLISECOND_NS;
    step(subject, &(struct raft_event){.kind = RAFT_EVENT_TICK});
}

static void step_persisted(struct subject *subject, bool all)
{
    if (subject->persisted < subject->handed_out) {
        subject->persisted = all ? subject->handed_out : subject->persisted + 1;
        step(subject,
             &(struct raft_event){.kind = RAFT_EVENT_PERSISTED, .sequence = subject->persisted});
    }
}

/* Its own snapshot, of what it has applied; a tail of the log is kept. */
static void step_taken(struct subject *subject, uint32_t tail)
{
    struct raft_snapshot snapshot = raft_snapshot_at(subject->raft, subject->applied);
    snapshot.size = 3000;
    if (snapshot.index != 0) {
        step(subject, &(struct raft_event){
                          .kind = RAFT_EVENT_SNAPSHOT_TAKEN,
                          .snapshot = &snapshot,
                          .first_index = snapshot.index > tail ? snapshot.index + 1 - tail : 0});
    }
}

/* The oldest piece is written; after the last one the snapshot is installed, with the members that
 * the bytes are, where it can be. */
static void step_written(struct subject *subject, const struct batch *body)
{
    if (subject->pieces.count == 0) {
        return;
    }
    struct raft_message piece = *ring_pop(&subject->pieces);
    struct raft_configuration members = {0};
    struct raft_snapshot snapshot = {.index = piece.prev_index,
                                     .term = piece.prev_term,
                                     .size = piece.offset + piece.piece_size,
                                     .members = &members};
    struct raft_event event = {
        .kind = RAFT_EVENT_SNAPSHOT_WRITTEN, .message = &piece, .snapshot = &snapshot};
    bool is_read = piece.last && raft_configuration_decode(batch_bytes(body), &members);
    if (is_read && raft_snapshot_problem(&piece, &snapshot) == NULL) {
        event.kind = RAFT_EVENT_SNAPSHOT_INSTALLED;
    } else if (piece.last) {
        event.reject = true;
        subject->pieces.count = 0;
    }
    step(subject, &event);
    raft_configuration_free(&members);
}

/* A copy is worth as much as what it was made of. */
static void swap_for_copy(struct subject *subject)
{
    struct raft *copy = raft_copy(subject->raft);
    ensure(raft_hash(copy, NULL) == raft_hash(subject->raft, NULL));
    raft_free(subject->raft);
    subject->raft = copy;
}

static void act(struct subject *subject, uint8_t what, struct batch *body)
{
    switch (what % 10) {
    case 1:
        step_submit(subject, body);
        break;
    case 2:
        step_change(subject, body);
        break;
    case 3:
        step_tick(subject, body);
        break;
    case 4:
        step_persisted(subject, body->size == 0);
        break;
    case 5:
        step(subject, &(struct raft_event){.kind = RAFT_EVENT_FLUSH});
        break;
    case 6:
        step(subject, &(struct raft_event){.kind = RAFT_EVENT_READ, .read_id = ++subject->read_id});
        break;
    case 7:
        step(subject, &(struct raft_event){.kind = RAFT_EVENT_CAMPAIGN, .force = body->size == 0});
        break;
    case 8:
        swap_for_copy(subject);
        break;
    case 9:
        if (body->size % 4 == 1) {
            step_taken(subject, body->data[0]);
        } else {
            step_written(subject, body);
        }
        break;
    default: /* most of them */
        step_message(subject, body);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct subject subject;
    struct input input = {data, size};
    start(&subject, input_byte(&input));
    while (input.size > 0) {
        uint8_t what = input_byte(&input);
        struct batch *body = input_piece(&input);
        act(&subject, what, body);
        batch_release(body);
    }
    ring_free(&subject.pieces);
    memory_free(subject.entries);
    raft_free(subject.raft);
    return 0;
}
