/*
 * progress: what a leader knows of one peer's log, and the window of appends in flight to it.
 * Invariant of all that stands here: match < next.
 *
 * It sends nothing and decides nothing about commitment.
 */
#include "raft/internal.h"

#include <string.h>

static void forget_flights(struct peer *peer)
{
    peer->flights.count = 0;
    peer->flight_bytes = 0;
}

void progress_reset(struct peer *peer, uint64_t next)
{
    ensure(next > 0);
    peer->match = 0;
    peer->read_acked = 0;
    peer->lease_until_ns = 0;
    peer->commit_sent = 0;
    peer->commit_known = 0;
    peer->progress_round = 0;
    peer->probe_round = 0;
    peer->check_round = 0;
    peer->log_is_kept = false;
    progress_probe(peer, next);
}

void progress_snapshot(struct peer *peer, const struct raft_snapshot *snapshot)
{
    ensure(snapshot->index > peer->match && snapshot->size > 0);
    peer->state = PROGRESS_SNAPSHOT;
    peer->probe_paused = false;
    peer->next = snapshot->index + 1;
    peer->snapshot_term = snapshot->term;
    peer->snapshot_size = snapshot->size;
    peer->snapshot_sent = 0;
    peer->snapshot_written = 0;
    peer->log_is_kept = true;
    forget_flights(peer);
}

void progress_probe(struct peer *peer, uint64_t next)
{
    ensure(next > peer->match);
    peer->state = PROGRESS_PROBE;
    peer->probe_paused = false;
    peer->next = next;
    peer->probe_last = next - 1;
    forget_flights(peer);
}

void progress_replicate(struct peer *peer)
{
    peer->state = PROGRESS_REPLICATE;
    peer->probe_paused = false;
    peer->next = peer->match + 1;
    forget_flights(peer);
}

void progress_sent(struct peer *peer, uint64_t last_index, uint64_t bytes)
{
    ensure(peer->state == PROGRESS_REPLICATE && last_index >= peer->next);
    *ring_push(&peer->flights) = (struct flight){last_index, bytes};
    peer->flight_bytes += bytes;
    peer->next = last_index + 1;
}

bool progress_accept(struct peer *peer, uint64_t index)
{
    while (peer->flights.count > 0 && ring_at(&peer->flights, 0)->last_index <= index) {
        peer->flight_bytes -= ring_pop(&peer->flights)->bytes;
    }
    if (index <= peer->match) {
        return false;
    }
    peer->match = index;
    if (peer->next <= index) {
        peer->next = index + 1;
    }
    return true;
}

bool progress_reject(struct peer *peer, uint64_t index, uint64_t matching_at_most)
{
    /* What is known to match cannot be refused: that answer was overtaken. While probing only the
     * answers to the present probe, and to the check behind it, count; while a snapshot is sent,
     * none does. */
    bool probing = peer->state == PROGRESS_PROBE;
    if (index <= peer->match || peer->state == PROGRESS_SNAPSHOT ||
        (probing ? index != peer->next - 1 && index != peer->probe_last : index >= peer->next)) {
        return false;
    }
    uint64_t next = matching_at_most < index ? matching_at_most + 1 : index;
    if (probing && next > peer->next) {
        next = peer->next; /* the probe was lost: the same again */
    }
    progress_probe(peer, next > peer->match ? next : peer->match + 1);
    return true;
}

void progress_copy(struct peer *to, const struct peer *from)
{
    *to = *from;
    ring_copy(&to->flights, &from->flights);
}

void progress_free(struct peer *peer)
{
    ring_free(&peer->flights);
}
