/*
 * persist: what was handed to the disk and what of it is durable. Persists complete in order; each
 * has a mark that says how far the log, as it is now, is on disk once it completes.
 *
 * It writes nothing; the node does. It never believes a confirmation of entries that were truncated
 * since: a truncation lowers the marks of all persists before it, so that entries appended again
 * under the same indexes count only when their own persist completes.
 */
#include "raft/internal.h"

/* clang-format off */
/* The log was cut while writes were on their way:
 *
 *     persist 1 writes 1..4, persist 2 cuts at 3 and writes others as 3..5
 *
 *     confirmed   durable, as the log is now
 *     neither     0
 *     1           2     the disk holds 1..4, but 3 and 4 are not these
 *     1 and 2     5 */
/* clang-format on */
void persist_truncated(struct raft *raft, uint64_t from)
{
    if (raft->durable >= from) {
        raft->durable = from - 1;
    }
    for (size_t i = 0; i < raft->marks.count; i++) {
        struct persist_mark *mark = ring_at(&raft->marks, i);
        if (mark->last_index >= from) {
            mark->last_index = from - 1;
        }
    }
}

/* Nothing of what was in the log counts any more, and the snapshot that replaced it is on disk.
 * Were that all that a crash left, the log would be reset anew at the start. */
void persist_reset(struct raft *raft)
{
    uint64_t base = raft->log.base_index;
    ensure(raft->log.last_index == base);
    persist_truncated(raft, base + 1);
    raft->durable = base;
    raft->dirty_reset = true;
    raft->dirty_first = 0;
}

void persist_hand_out(struct raft *raft)
{
    if (!raft->dirty_hard_state && raft->dirty_first == 0 && !raft->dirty_reset) {
        return;
    }
    struct raft_persist *persist = &raft->update.persist;
    persist->sequence = ++raft->persist_sequence;
    persist->hard_state = raft->dirty_hard_state;
    persist->term = raft->term;
    persist->vote = raft->vote;
    persist->vote_directory = raft->vote_directory;
    persist->reset_index = raft->dirty_reset ? raft->log.base_index : 0;
    persist->reset_term = raft->dirty_reset ? raft->log.base_term : 0;
    persist->first_index = raft->dirty_first;
    persist->last_index = raft->dirty_first != 0 ? raft->log.last_index : 0;
    ensure(persist->first_index == 0 || persist->last_index + 1 >= persist->first_index);
    if (raft->dirty_hard_state) {
        raft->hard_state_sequence = raft->persist_sequence;
    }
    raft->dirty_hard_state = false;
    raft->dirty_reset = false;
    raft->dirty_first = 0;
    *ring_push(&raft->marks) = (struct persist_mark){
        .sequence = raft->persist_sequence,
        .last_index = raft->log.last_index,
        .handed_out_ns = raft->now_ns,
    };
}

bool persist_hangs(const struct raft *raft)
{
    return raft->marks.count > 0 &&
           raft->now_ns >= time_after(ring_at(&raft->marks, 0)->handed_out_ns,
                                      raft->options.election_timeout_max_ns);
}

void persist_confirmed(struct raft *raft, uint64_t sequence)
{
    ensure(sequence <= raft->persist_sequence);
    if (sequence <= raft->persisted_sequence) {
        return;
    }
    raft->persisted_sequence = sequence;
    while (raft->marks.count > 0 && ring_at(&raft->marks, 0)->sequence <= sequence) {
        uint64_t last_index = ring_pop(&raft->marks)->last_index;
        if (last_index > raft->durable) {
            raft->durable = last_index;
        }
    }
    ensure(raft->durable <= raft->log.last_index);
}
