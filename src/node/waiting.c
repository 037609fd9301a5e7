/*
 * Who waits for what: proposals and changes by the index and term that they were given, reads by
 * their number. Each is told exactly once. It never looks into a command or a result.
 */
#include "node/internal.h"

#include <string.h>

/* ---- waiters by index ----------------------------------------------------------------------- */

static uint32_t *slot_of(const struct waiters *waiters, uint64_t index)
{
    return &waiters->slots[index & (waiters->capacity - 1)];
}

static void put_in_slot(struct waiters *waiters, uint32_t place)
{
    struct waiter *waiter = &waiters->all[place - 1];
    uint32_t *slot = slot_of(waiters, waiter->index);
    waiter->next = *slot;
    *slot = place;
}

/* Only when all places are taken, so that each holds a waiter. */
static void grow(struct waiters *waiters)
{
    ensure(waiters->capacity <= UINT32_MAX / 4);
    waiters->capacity = waiters->capacity == 0 ? 64 : waiters->capacity * 2;
    waiters->all = memory_resize(waiters->all, waiters->capacity * sizeof *waiters->all);
    memory_free(waiters->slots);
    waiters->slots = memory_new_zeroed(waiters->capacity, sizeof *waiters->slots);
    for (uint32_t place = 1; place <= waiters->used; place++) {
        put_in_slot(waiters, place);
    }
}

void waiters_add(struct waiters *waiters, const struct waiter *waiter)
{
    uint32_t place = waiters->free;
    if (place != 0) {
        waiters->free = waiters->all[place - 1].next;
    } else {
        if (waiters->used == waiters->capacity) {
            grow(waiters);
        }
        place = ++waiters->used;
    }
    if (waiters->count == 0 || waiter->term < waiters->lowest_term) {
        waiters->lowest_term = waiter->term;
    }
    waiters->all[place - 1] = *waiter;
    put_in_slot(waiters, place);
    waiters->count++;
}

static void take_at(struct waiters *waiters, uint32_t *link, struct waiter *taken)
{
    uint32_t place = *link;
    *taken = waiters->all[place - 1];
    *link = taken->next;
    waiters->all[place - 1].next = waiters->free;
    waiters->free = place;
    waiters->count--;
}

bool waiters_take(struct waiters *waiters, uint64_t index, struct waiter *taken)
{
    if (waiters->count == 0) {
        return false;
    }
    uint32_t *link = slot_of(waiters, index);
    while (*link != 0 && waiters->all[*link - 1].index != index) {
        link = &waiters->all[*link - 1].next;
    }
    if (*link == 0) {
        return false;
    }
    take_at(waiters, link, taken);
    return true;
}

bool waiters_take_older(struct waiters *waiters, uint64_t term, uint32_t *slot,
                        struct waiter *taken)
{
    for (; waiters->lowest_term < term && waiters->count > 0 && *slot < waiters->capacity;
         (*slot)++) {
        uint32_t *link = &waiters->slots[*slot];
        while (*link != 0 && waiters->all[*link - 1].term >= term) {
            link = &waiters->all[*link - 1].next;
        }
        if (*link != 0) {
            take_at(waiters, link, taken);
            return true;
        }
    }
    if (waiters->lowest_term < term) {
        waiters->lowest_term = term;
    }
    return false;
}

bool waiters_take_next(struct waiters *waiters, uint32_t *slot, struct waiter *taken)
{
    for (; waiters->count > 0 && *slot < waiters->capacity; (*slot)++) {
        if (waiters->slots[*slot] != 0) {
            take_at(waiters, &waiters->slots[*slot], taken);
            return true;
        }
    }
    return false;
}

void waiters_free(struct waiters *waiters)
{
    memory_free(waiters->all);
    memory_free(waiters->slots);
    memset(waiters, 0, sizeof *waiters);
}

void asker_tell(struct node *node, const struct node_asker *asker,
                const struct node_outcome *outcome)
{
    if (asker->done != NULL) {
        asker->done(asker->context, asker->number, outcome);
    } else {
        client_answer(node, asker, outcome);
    }
}

/* ---- commands ------------------------------------------------------------------------------- */

bool node_submit_batch(struct node *node, struct batch *batch, uint32_t offset, uint32_t size,
                       const struct node_asker *asker, struct reply *reply, struct failure *failure)
{
    if (size > RAFT_ENTRY_BYTES_MAX) {
        node_refused(node, RAFT_TOO_LARGE, failure);
        return false;
    }
    struct raft_entry entry = {.batch = batch,
                               .offset = offset,
                               .size_and_kind = raft_entry_pack(size, RAFT_ENTRY_COMMAND)};
    struct raft_event event = {.kind = RAFT_EVENT_SUBMIT, .entry_count = 1, .entries = &entry};
    node_step(node, &event, reply);
    if (!node_check_running(node, failure)) {
        return false;
    }
    if (reply->refusal != RAFT_ACCEPTED) {
        node_refused(node, reply->refusal, failure);
        return false;
    }
    if (asker != NULL) {
        struct waiter waiter = {.index = reply->index, .term = reply->term, .asker = *asker};
        waiters_add(&node->waiters, &waiter);
    }
    return true;
}

static bool submit_copy(struct node *node, struct bytes payload, const struct node_asker *asker,
                        struct reply *reply, struct failure *failure)
{
    if (!node_check_running(node, failure)) {
        return false;
    }
    if (payload.size > RAFT_ENTRY_BYTES_MAX) {
        node_refused(node, RAFT_TOO_LARGE, failure);
        return false;
    }
    struct batch *batch = batch_copy(payload.data, payload.size);
    bool taken = node_submit_batch(node, batch, 0, (uint32_t)payload.size, asker, reply, failure);
    batch_release(batch);
    node_work(node);
    node_tell_soon(node);
    return taken;
}

bool node_submit(struct node *node, struct bytes payload, uint64_t *index, uint64_t *term,
                 struct failure *failure)
{
    struct reply reply = {0};
    bool taken = submit_copy(node, payload, NULL, &reply, failure);
    *index = reply.index;
    *term = reply.term;
    return taken;
}

void node_propose(struct node *node, struct bytes payload, const struct node_asker *asker)
{
    struct node_outcome outcome = {0};
    struct reply reply = {0};
    ensure(asker->done != NULL);
    if (!submit_copy(node, payload, asker, &reply, &outcome.failure)) {
        asker->done(asker->context, asker->number, &outcome);
    }
}

/* Who is added by an address alone is met first, so that the change names the very server. */
static bool meet_new_members(struct node *node, struct raft_configuration *wanted,
                             struct failure *failure)
{
    const struct raft_configuration *present = raft_members(node->raft);
    struct raft_status status;
    raft_get_status(node->raft, &status);
    for (uint32_t i = 0; i < wanted->count && status.role == RAFT_LEADER; i++) {
        struct raft_member *member = &wanted->members[i];
        bool is_new = raft_configuration_find(present, member->id) == NULL;
        if (is_new && member->directory == 0 && member->id != node->id &&
            !peers_meet(node, member, &member->directory)) {
            failure_set(failure, FAILURE_BUSY, "node %llu has not been reached at %.*s",
                        (unsigned long long)member->id, (int)member->address_size, member->address);
            return false;
        }
    }
    return true;
}

static bool change(struct node *node, struct raft_configuration *wanted, struct reply *reply,
                   struct failure *failure)
{
    if (!meet_new_members(node, wanted, failure)) {
        return false;
    }
    struct raft_event event = {.kind = RAFT_EVENT_CHANGE, .configuration = wanted};
    node_step(node, &event, reply);
    if (!node_check_running(node, failure)) {
        return false;
    }
    if (reply->refusal != RAFT_ACCEPTED) {
        node_refused(node, reply->refusal, failure);
        return false;
    }
    return true;
}

bool node_change(struct node *node, const struct raft_configuration *wanted, uint64_t *index,
                 uint64_t *term, const struct node_asker *asker, struct failure *failure)
{
    struct reply reply = {0};
    if (!node_check_running(node, failure)) {
        return false;
    }
    struct raft_configuration exact;
    raft_configuration_copy(&exact, wanted);
    bool taken = change(node, &exact, &reply, failure);
    raft_configuration_free(&exact);
    if (taken) {
        struct waiter waiter = {
            .index = reply.index, .term = reply.term, .asker = *asker, .change = true};
        waiters_add(&node->waiters, &waiter);
    }
    *index = reply.index;
    *term = reply.term;
    node_work(node);
    node_tell_soon(node);
    return taken;
}

/* ---- reads ---------------------------------------------------------------------------------- */

static void answer_by_machine(struct node *node, const struct read_wait *read,
                              struct buffer *answer)
{
    struct node_outcome outcome = {0};
    struct bytes request = {read->batch->data + read->offset, read->size};
    if (read->size == 0 || machine_query(node->machine, request, answer, &outcome.failure)) {
        outcome.index = node->apply_next - 1;
        outcome.result = buffer_bytes(answer);
    } else if (outcome.failure.code == FAILURE_NONE) {
        failure_set(&outcome.failure, FAILURE_UNSUPPORTED,
                    "the machine of node %llu does not answer that query",
                    (unsigned long long)node->id);
    }
    asker_tell(node, &read->asker, &outcome);
}

static void answer_refusal(struct node *node, const struct node_asker *asker,
                           enum raft_refusal refusal)
{
    struct node_outcome outcome = {0};
    node_refused(node, refusal, &outcome.failure);
    asker_tell(node, asker, &outcome);
}

/* Takes a read out of the ring, whose answered ones at the head then go. */
static struct read_wait take_read(struct node *node, uint64_t read_id)
{
    ensure(read_id >= node->first_read_id);
    struct read_wait *place = ring_at(&node->reads, (size_t)(read_id - node->first_read_id));
    ensure(!place->answered);
    struct read_wait read = *place;
    place->answered = true;
    while (node->reads.count > 0 && ring_at(&node->reads, 0)->answered) {
        (void)ring_pop(&node->reads);
        node->first_read_id++;
    }
    return read;
}

void node_answer_read(struct node *node, const struct ready_read *ready)
{
    struct read_wait read = take_read(node, ready->read_id);
    if (ready->index == 0) {
        answer_refusal(node, &read.asker, RAFT_NOT_LEADER);
    } else {
        buffer_clear(&node->answer);
        answer_by_machine(node, &read, &node->answer);
    }
    batch_release(read.batch);
}

static void read_stale(struct node *node, const struct read_wait *read)
{
    struct buffer answer = {0}; /* of its own: this may come from within another answer */
    answer_by_machine(node, read, &answer);
    buffer_free(&answer);
}

void node_read_batch(struct node *node, enum node_read_mode mode, struct batch *batch,
                     uint32_t offset, uint32_t size, const struct node_asker *asker)
{
    struct read_wait read = {.asker = *asker, .batch = batch, .offset = offset, .size = size};
    if (mode == NODE_READ_STALE) {
        read_stale(node, &read);
        return;
    }
    uint64_t read_id = node->first_read_id + node->reads.count;
    *ring_push(&node->reads) = read;
    (void)batch_hold(batch);
    report_read(node, read_id);
    struct reply reply = {0};
    struct raft_event event = {.kind = RAFT_EVENT_READ, .read_id = read_id};
    node_step(node, &event, &reply);
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
    struct batch *batch = batch_copy(request.data, request.size);
    node_read_batch(node, mode, batch, 0, (uint32_t)request.size, asker);
    batch_release(batch);
    node_work(node);
    node_tell_soon(node);
}

/* ---- the end -------------------------------------------------------------------------------- */

static void tell_down(struct node *node, const struct node_asker *asker, uint64_t index,
                      uint64_t term)
{
    struct node_outcome outcome = {.index = index, .term = term};
    failure_set(&outcome.failure, FAILURE_NODE_DOWN, "node %llu went down (%s) before it answered",
                (unsigned long long)node->id, node_state_name(node->state));
    outcome.failure.unknown = true;
    asker_tell(node, asker, &outcome);
}

void node_end_waiting(struct node *node, bool tell)
{
    struct waiters waiters = node->waiters;
    __typeof__(node->reads) reads = node->reads;
    struct waiter waiter;
    memset(&node->waiters, 0, sizeof node->waiters);
    memset(&node->reads, 0, sizeof node->reads);
    node->first_read_id += reads.count;
    if (node->change_waits) {
        node->change_waits = false;
        waiters_add(&waiters, &node->change);
    }
    uint32_t slot = 0;
    while (waiters_take_next(&waiters, &slot, &waiter)) {
        if (tell) {
            tell_down(node, &waiter.asker, waiter.index, waiter.term);
        }
    }
    for (size_t i = 0; i < reads.count; i++) {
        struct read_wait read = *ring_at(&reads, i);
        if (!read.answered) {
            if (tell) {
                tell_down(node, &read.asker, 0, 0);
            }
            batch_release(read.batch);
        }
    }
    waiters_free(&waiters);
    ring_free(&reads);
}
