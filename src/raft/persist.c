/*
 * persist: what was handed to the disk and what of it is durable. Persists complete in order; each
 * has a mark that says how far the log, as it is now, is on disk once it completes.
 *
 * It writes nothing; the node does. It never believes a confirmation of entries that were truncated
 * since: a truncation lowers the marks of all persists before it, so that entries appended again
 * under the same indexes count only when their own persist completes.
 */
#include "raft/internal.h"

static struct persist_mark *mark_at(const struct raft *raft, uint32_t i)
{
    return &raft->marks[(raft->mark_first + i) & (raft->mark_capacity - 1)];
}

void persist_truncated(struct raft *raft, uint64_t from)
{
    if (raft->durable >= from) {
        raft->durable = from - 1;
    }
    for (uint32_t i = 0; i < raft->mark_count; i++) {
        struct persist_mark *mark = mark_at(raft, i);
        if (mark->last_index >= from) {
            mark->last_index = from - 1;
        }
    }
}

static void grow_marks(struct raft *raft)
{
    uint32_t capacity = raft->mark_capacity == 0 ? 16 : raft->mark_capacity * 2;
    struct persist_mark *marks = memory_new(capacity * sizeof *marks);
    for (uint32_t i = 0; i < raft->mark_count; i++) {
        marks[i] = *mark_at(raft, i);
    }
    memory_free(raft->marks);
    raft->marks = marks;
    raft->mark_capacity = capacity;
    raft->mark_first = 0;
}

void persist_hand_out(struct raft *raft)
{
    if (!raft->dirty_hard_state && raft->dirty_first == 0) {
        return;
    }
    struct raft_persist *persist = &raft->update.persist;
    persist->sequence = ++raft->persist_sequence;
    persist->hard_state = raft->dirty_hard_state;
    persist->term = raft->term;
    persist->vote = raft->vote;
    persist->vote_directory = raft->vote_directory;
    persist->first_index = raft->dirty_first;
    persist->last_index = raft->dirty_first != 0 ? raft->log.last_index : 0;
    ensure(persist->first_index == 0 || persist->last_index + 1 >= persist->first_index);
    if (raft->dirty_hard_state) {
        raft->hard_state_sequence = raft->persist_sequence;
    }
    raft->dirty_hard_state = false;
    raft->dirty_first = 0;
    if (raft->mark_count == raft->mark_capacity) {
        grow_marks(raft);
    }
    struct persist_mark *mark = mark_at(raft, raft->mark_count);
    mark->sequence = raft->persist_sequence;
    mark->last_index = raft->log.last_index;
    raft->mark_count++;
}

void persist_confirmed(struct raft *raft, uint64_t sequence)
{
    ensure(sequence <= raft->persist_sequence);
    if (sequence <= raft->persisted_sequence) {
        return;
    }
    raft->persisted_sequence = sequence;
    while (raft->mark_count > 0 && mark_at(raft, 0)->sequence <= sequence) {
        uint64_t last_index = mark_at(raft, 0)->last_index;
        if (last_index > raft->durable) {
            raft->durable = last_index;
        }
        raft->mark_first = (raft->mark_first + 1) & (raft->mark_capacity - 1);
        raft->mark_count--;
    }
    ensure(raft->durable <= raft->log.last_index);
}
