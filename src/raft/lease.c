/*
 * lease: reads without a round (dissertation 6.4.1). A server that hears its leader promises, by
 * its own clock, that it elects nobody else for the shortest election time-out. A leader whose
 * heartbeat a majority has answered therefore leads alone for that long since the heartbeat left,
 * less what clocks may differ: that is its lease, by its own clock.
 *
 *     leader      sent |------- lease: time-out less drift -------|
 *     follower        heard |---------- promise: time-out ----------|   votes again
 *
 * A leader that tells a server to campaign frees all from the promise, so it has no lease in that
 * term any more. A server that restarts has forgotten whom it heard, and begins with a promise.
 *
 * Only clocks count here, never what a leader believes of itself. Nothing of it is in force unless
 * options.lease_reads is set.
 */
#include "raft/internal.h"

#include <stddef.h>

#define HEARTBEATS_WITHOUT_TIMEOUT 3 /* the promise where time-outs never fire by themselves */

int64_t lease_promise_ns(const struct raft *raft)
{
    const struct raft_options *options = &raft->options;
    if (options->election_timeout_min_ns != RAFT_NEVER) {
        return options->election_timeout_min_ns;
    }
    return options->heartbeat_interval_ns < RAFT_NEVER / HEARTBEATS_WITHOUT_TIMEOUT
               ? options->heartbeat_interval_ns * HEARTBEATS_WITHOUT_TIMEOUT
               : RAFT_NEVER;
}

/* ---- a voter's promise ---------------------------------------------------------------------- */

void lease_promise(struct raft *raft)
{
    raft->promised_until_ns = time_after(raft->now_ns, lease_promise_ns(raft));
}

bool lease_is_promised(const struct raft *raft)
{
    return raft->options.lease_reads && raft->now_ns < raft->promised_until_ns;
}

/* ---- a leader's lease ----------------------------------------------------------------------- */

static int64_t length_ns(const struct raft *raft)
{
    __extension__ typedef unsigned __int128 wide;
    int64_t promise_ns = lease_promise_ns(raft);
    wide drift = (wide)promise_ns * raft->options.clock_drift_ppb;
    return promise_ns -
           (int64_t)((drift + RAFT_CLOCK_DRIFT_MAX_PPB - 1) / RAFT_CLOCK_DRIFT_MAX_PPB);
}

/* Where rounds are shorter than an eighth of the lease, some are counted as the one before them. */
void lease_round_sent(struct raft *raft)
{
    struct lease_rounds *rounds = &raft->lease_rounds;
    if (!raft->options.lease_reads) {
        return;
    }
    int64_t apart_ns = length_ns(raft) / LEASE_ROUNDS;
    const struct lease_round *latest = &rounds->sent[rounds->count % LEASE_ROUNDS];
    if (rounds->count > 0 && raft->now_ns - latest->sent_ns < apart_ns) {
        return;
    }
    rounds->count++;
    rounds->sent[rounds->count % LEASE_ROUNDS] =
        (struct lease_round){raft->heartbeat_round, raft->now_ns};
}

/* The latest noted round that is not after it; NULL: it is older than all that could matter. */
static const struct lease_round *find_round(const struct raft *raft, uint64_t round)
{
    const struct lease_rounds *rounds = &raft->lease_rounds;
    for (uint64_t back = 0; back < LEASE_ROUNDS && back < rounds->count; back++) {
        const struct lease_round *sent = &rounds->sent[(rounds->count - back) % LEASE_ROUNDS];
        if (sent->round <= round) {
            return sent;
        }
    }
    return NULL;
}

void lease_round_answered(struct raft *raft, struct peer *peer, uint64_t round)
{
    const struct lease_round *sent = round == 0 ? NULL : find_round(raft, round);
    if (sent == NULL) {
        return;
    }
    uint64_t until_ns = (uint64_t)time_after(sent->sent_ns, length_ns(raft));
    if (until_ns > peer->lease_until_ns) {
        peer->lease_until_ns = until_ns;
    }
}

bool lease_holds(struct raft *raft)
{
    if (!raft->options.lease_reads || raft->role != RAFT_LEADER || raft->told_to_campaign) {
        return false;
    }
    if (raft->self >= 0) {
        raft->peers[raft->self].lease_until_ns = UINT64_MAX; /* it deposes nobody while it leads */
    }
    return (uint64_t)raft->now_ns < membership_agreed(raft, offsetof(struct peer, lease_until_ns));
}

void lease_reset(struct raft *raft)
{
    raft->lease_rounds = (struct lease_rounds){0};
}
