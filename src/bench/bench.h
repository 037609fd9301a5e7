/*
 * bench: what `raftbench bench` measures below Lua: the bare core (core.c), the wire codec
 * (codec.c) and, as the floor beside which all else is read, a bare libuv echo (echo.c) and bare
 * writes to three files (syncs.c); and what hostile senders do to a port (flood.c).
 *
 * It only takes times. It judges none of them, and nothing of the house depends on it. The times
 * are of the machine's monotonic clock (clock.c).
 */
#ifndef RAFTBENCH_BENCH_H
#define RAFTBENCH_BENCH_H

#include "base/base.h"

int64_t bench_now_ns(void);

/* Three cores in one process, their messages passed in memory without being encoded. */
struct bench_core_options {
    uint64_t entries; /* to commit in all; at least 1 */
    uint32_t batch;   /* entries in one submission; 1 .. BENCH_BATCH_MAX */
    uint32_t window;  /* entries submitted and not yet committed by the leader; at least batch */
    uint32_t entry_bytes; /* payload of each; at least 1 */
    /* Done once before, its memory kept and used again, so that what the system takes for pages
     * that are touched for the first time (half of it all, in batches) is not measured. */
    bool warm;
};

#define BENCH_BATCH_MAX 64

/* How long it takes from the first submission until all entries are committed on all three, every
 * persist confirmed by an event of its own kind. */
int64_t bench_core(const struct bench_core_options *options);

/* An append message of `entries` entries (1 .. BENCH_BATCH_MAX), `frames` times to a whole frame
 * with its checksum, and back. */
struct bench_codec_times {
    int64_t encode_ns;
    int64_t decode_ns;
    uint64_t frame_bytes;
};

void bench_codec(uint64_t frames, uint32_t entries, uint32_t entry_bytes,
                 struct bench_codec_times *times);

/* `rounds` round trips of `size` bytes over loopback TCP, both ends on one loop of libuv; the time
 * of each is written to round_trip_ns. false and a failure where there is no TCP. */
bool bench_echo(size_t rounds, size_t size, int64_t *round_trip_ns, struct failure *failure);

#define BENCH_SYNC_FILES 3

/* `size` bytes written to each of three files in `directory` and synced, by three threads that
 * begin together, `rounds` times, one behind the other in files that were filled with zeros before.
 * When the second of the three was done is written to second_ns, from each beginning. false and a
 * failure where that directory cannot be written to; the files are removed in any case. */
bool bench_syncs(const char *directory, size_t rounds, size_t size, int64_t *second_ns,
                 struct failure *failure);

/* Connections to ports of this machine's loopback that say something. */
struct bench_flood_options {
    const uint16_t *ports; /* the child's: it is told them at the start */
    size_t port_count;
    const struct bytes *payloads; /* what each says first, in turn */
    size_t payload_count;
    struct bytes again; /* and then without end, as fast as it is taken; empty: nothing */
    double per_second;
    size_t keep; /* connections open at most: the oldest ends */
    int64_t duration_ns;
};

#define BENCH_FLOOD_KEEP_MAX 2000
#define BENCH_FLOOD_PORTS_MAX 16
#define BENCH_FLOOD_SECONDS_MAX 60
struct bench_flood {
    int64_t process;
    int descriptor;
};

/* The process that will do it, best made while ours is small: memory that both have is copied when
 * either writes to it. */
bool bench_flood_prepare(struct bench_flood_options *options, struct bench_flood *flood,
                         struct failure *failure);
bool bench_flood_start(const struct bench_flood *flood, const uint16_t *ports, size_t count);
/* Waits for its end. How many connections were tried. */
uint64_t bench_flood_end(const struct bench_flood *flood);

#endif
