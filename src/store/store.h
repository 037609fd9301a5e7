/*
 * store: what a replica makes durable (hard state, entries, first members), behind a table of
 * functions, all of them asynchronous, recovery included. image.c is what a disk holds for sure,
 * its log of entry references in chunks.c. memory.c is a disk in memory with unsynced writes that a
 * power cut loses, its snapshots in memory_snapshots.c; wal*.c is a write-ahead log over files
 * (wal.h tells what is in them). snapshot_format.c is the form of a snapshot's bytes, on every disk
 * and on the way to another.
 *
 * A store decides nothing about Raft, reads no clock of its own and never loses what it has
 * confirmed.
 */
#ifndef RAFTBENCH_STORE_H
#define RAFTBENCH_STORE_H

#include "base/base.h"
#include "raft/raft.h"
#include "world/world.h"

/* What a disk holds. */
struct store_contents {
    uint64_t directory; /* drawn when the disk was made */
    uint64_t term;
    uint64_t vote;
    uint64_t vote_directory;
    const struct raft_configuration *first_members; /* may be empty */
    uint64_t first_index;
    uint64_t entry_count;
    struct raft_snapshot snapshot; /* the latest; index 0: none. Its members: a view, as all here */
};

/* Those in force where its log begins to count: at the snapshot; without one the first. */
static inline const struct raft_configuration *
store_snapshot_members(const struct store_contents *contents)
{
    return contents->snapshot.index > 0 ? contents->snapshot.members : contents->first_members;
}

/* Whom a store tells. None comes from within a call of the store's. */
struct store_handler {
    /* Once after `open`: all was read, and writes are taken from now on. Or a failure: what is on
     * the disk cannot be used; the store is as after a power cut. */
    void (*recovered)(void *context, const struct failure *failure);
    /* All persists up to `sequence` are durable; `term` is that of this persist. In order. */
    void (*persisted)(void *context, uint64_t sequence, uint64_t term);
    /* Once, when an operation failed: nothing more is confirmed, the node must stop. */
    void (*failed)(void *context, const char *problem);
    /* Once after an orderly `close`: what was handed over is durable, and nothing is under way. */
    void (*closed)(void *context);
    /* What the user should know of the disk, in words; NULL: nobody is told. */
    void (*noticed)(void *context, const char *text);
    /* The disk has lost its power (disk_faults.crash_after), and so has its node: crash it. NULL:
     * it never does. */
    void (*power_lost)(void *context);
    void *context;
};

struct store;
struct store_writer; /* a snapshot on its way to the disk */

/* What became of a task. `failure` NULL: it worked; else the disk itself goes on being used (it is
 * full, or the bytes were damaged): a disk that is not to be believed any more is `failed`. */
typedef void store_done(void *context, const struct failure *failure);
/* The store's latest snapshot now: this one, or one with a higher index that was done first. */
typedef void store_finished(void *context, const struct raft_snapshot *latest,
                            const struct failure *failure);
/* Valid during the call. Fewer bytes than asked for only at the snapshot's end. */
typedef void store_read_done(void *context, struct bytes bytes, const struct failure *failure);

struct store_operations {
    /* Recovers, and takes writes then. What the last life has under way, a wipe too, ends first. */
    void (*open)(struct store *store, const struct store_handler *handler);
    /* What the disk holds for sure: while it is not open, and from `recovered` to the first
     * persist. */
    void (*contents)(const struct store *store, struct store_contents *contents);
    /* One entry of these; a view until the next persist, wipe or close. */
    const struct raft_entry *(*entry_at)(const struct store *store, uint64_t index);
    /* Queues one persist. Entries [first_index, last_index], each a range of a batch, are read from
     * `raft` now; references are taken. */
    void (*persist)(struct store *store, const struct raft_persist *persist,
                    const struct raft *raft);
    /* A power cut: what is not durable is lost, and no callback comes after. With `sync` an orderly
     * end: no callback comes after but those of what was queued, then `closed`, unless a power cut
     * or the next `open` comes first. */
    void (*close)(struct store *store, bool sync);
    /* Another disk in its place, which is empty. Each disk has a directory of its own, which tells
     * it from all others. Not while it is open; `contents` tells the directory at once. */
    void (*wipe)(struct store *store);
    /* What an empty disk holds before the first `open`; references are taken. */
    void (*format)(struct store *store, const struct raft_start *start);
    /* What the disk does wrong from now on; replaces. false and a failure ("unsupported") where
     * this one cannot. */
    bool (*set_faults)(struct store *store, const struct disk_faults *faults,
                       struct failure *failure);
    /* Snapshots, while it is open. No `done` comes after any `close`, which ends them all: writers
     * and reads are the store's own. */
    /* An own one that covers `meta` (copied): what is written is the machine's bytes, and the store
     * gives them their form. NULL: a received one, whose bytes are in that form. One of each at a
     * time. */
    struct store_writer *(*snapshot_begin)(struct store *store, const struct raft_snapshot *meta);
    /* The next bytes, which stay as they are until `done`, or until it is given up. One at a time.
     */
    void (*snapshot_write)(struct store_writer *writer, struct bytes bytes, store_done *done,
                           void *context);
    /* After the last: whole, verified, durable; the store's latest from then on, unless that one's
     * index is higher. The writer is gone then. */
    void (*snapshot_finish)(struct store_writer *writer, store_finished *done, void *context);
    /* Gives it up; no `done` of its comes any more. Also after a failure. */
    void (*snapshot_abort)(struct store_writer *writer);
    /* Bytes of the snapshot with that index; a failure where it is no longer there, or damaged. */
    void (*snapshot_read)(struct store *store, uint64_t index, uint64_t offset, size_t size,
                          store_read_done *done, void *context);
    /* The file that holds it, for messages; "": it is in none. */
    void (*snapshot_file)(uint64_t index, char *name, size_t size);
    /* A former one is not read any more. Those that were not dropped go at the next recovery. */
    void (*snapshot_drop)(struct store *store, uint64_t index);
    /* The log before first_index, which the latest snapshot covers, is not needed any more. */
    void (*compact)(struct store *store, uint64_t first_index);
    /* As after a power cut. */
    void (*free)(struct store *store);
};

/* The head of every store. */
struct store {
    const struct store_operations *operations;
    uint64_t sync_count; /* writes that have completed */
    /* Handed to the disk: payloads, 16 for each entry's head, 16 for term and vote. */
    uint64_t byte_count;
};

/* ---- the form of a snapshot's bytes (snapshot_format.c) -------------------------------------- */

/* A header (magic, version, what it covers, the cluster's name, CRC-32C); pieces of up to
 * SNAPSHOT_PIECE_BYTES of the machine's bytes, each behind its size and CRC-32C, all full but the
 * last; at the end a size of 0, the number of all bytes before it, and the CRC-32C of that and of
 * all pieces. Equal states at equal indexes give equal bytes. */
#define SNAPSHOT_PIECE_BYTES (64U << 10)
#define SNAPSHOT_CLUSTER_BYTES_MAX 63

struct snapshot_encoder {
    struct buffer piece; /* that is not full yet */
    uint64_t size;       /* of all that was given out */
    uint32_t checksum;   /* of all pieces */
};

/* All zero before. What is appended to `out` are the next bytes. `cluster`: its name, or "". */
void snapshot_encode_head(struct snapshot_encoder *encoder, const struct raft_snapshot *meta,
                          const char *cluster, struct buffer *out);
void snapshot_encode(struct snapshot_encoder *encoder, struct bytes machine_bytes,
                     struct buffer *out);
void snapshot_encode_end(struct snapshot_encoder *encoder, struct buffer *out);
void snapshot_encoder_free(struct snapshot_encoder *encoder);

/* Reads and verifies them, whatever they are, as they come; it never holds more than a piece. All
 * zero before. */
struct snapshot_decoder {
    struct gather gather;
    enum { DECODER_FIXED, DECODER_HEAD, DECODER_PIECE_HEAD, DECODER_PIECE, DECODER_OVER } stage;
    uint32_t part_size;
    uint32_t part_checksum;
    uint32_t checksum;
    bool last_piece;           /* one that was not full came */
    uint64_t size;             /* read so far, `meta.size` once it is over */
    struct raft_snapshot meta; /* once has_meta */
    struct raft_configuration members;
    char cluster[SNAPSHOT_CLUSTER_BYTES_MAX + 1];
    bool has_meta;
};

/* Takes from the front of `rest`: true, with bytes of the machine's in `machine_bytes` (valid until
 * the next call; none: `rest` is used up). false: they are damaged, and `*problem` says how. */
bool snapshot_decode(struct snapshot_decoder *decoder, struct bytes *rest,
                     struct bytes *machine_bytes, const char **problem);
bool snapshot_is_whole(const struct snapshot_decoder *decoder); /* its end was read */
void snapshot_decoder_free(struct snapshot_decoder *decoder);   /* and make it all zero */

/* ---- in memory ------------------------------------------------------------------------------ */

/* An empty disk in memory. A write is done in the same turn, before time passes, unless the disk is
 * slow; then one write is in flight, and what comes meanwhile is written together after it. Its
 * recovery takes no time, but is an event of the world. */
struct store *store_memory_new(struct world *world, uint64_t id, uint64_t seed);

#define STORE_SEGMENT_BYTES (16U << 20)      /* for real disks */
#define STORE_SMALL_SEGMENT_BYTES (1U << 20) /* for the clusters of scripts, which end soon */

struct store_wal_options {
    uint64_t id;
    const char *cluster_name; /* with the id in each file's header */
    uint32_t segment_bytes;   /* a multiple of 512, at least 4096 */
    uint64_t seed;            /* the directory's number comes from its stream "disk/ID/directory" */
};

/* A write-ahead log in files, which are the store's from now on. Where they hold one, `format` is
 * left aside. A directory of another node or cluster, damage, and a directory that another process
 * has are failures of `open`. */
struct store *store_wal_new(struct world *world, struct files *files,
                            const struct store_wal_options *options);
/* Before the first `open`: whether the files hold a log; then `contents` tells its directory's
 * number, and nothing else yet. Not for the simulated disk, which is empty. */
void store_wal_look(struct store *store, void (*done)(void *context, bool has_log), void *context);

/* ---- looking at a log without opening it (inspect.c) ----------------------------------------- */

/* A header of a file, or one record, as it stands there. */
struct store_record {
    const char *type; /* "header", "checkpoint", "members", "state", "entry", "cut", "reset" */
    uint32_t segment;
    uint32_t group; /* what was written as one, from 1 in each segment */
    uint32_t life;  /* which opening of the directory wrote it */
    uint64_t offset;
    uint64_t index;
    uint64_t term;
    uint64_t vote;
    uint8_t kind;   /* of an entry: enum raft_entry_kind */
    uint64_t bytes; /* of an entry: its payload; of a header: how large the file was made */
    uint64_t id;    /* of a header, as the rest */
    uint64_t directory;
    const char *cluster;
    uint32_t version;
};

typedef void store_inspected(void *context, const struct store_record *record);

struct store_findings {
    const char *problem; /* "": the log is sound */
    char damaged_file[32];
    uint64_t damaged_offset;
    char torn_file[32]; /* "": nothing is torn */
    uint64_t torn_bytes;
    uint64_t base_index; /* what is before, a snapshot has to cover */
    uint64_t members_index;
    struct bytes members; /* of the log's last configuration; none: it has none */
    struct store_contents contents;
};

struct store_inspection;

struct store_inspection *store_inspect_new(store_inspected *told, void *context);
/* The segments by name, each with all of its bytes: whole sectors of 512 bytes at a time. false:
 * no segment has such a name. */
bool store_inspect_segment(struct store_inspection *inspection, const char *name,
                           uint64_t file_bytes);
void store_inspect_bytes(struct store_inspection *inspection, struct bytes bytes);
void store_inspect_segment_end(struct store_inspection *inspection);
/* All was handed over. Views of the inspection's own. */
void store_inspect_end(struct store_inspection *inspection, struct store_findings *findings);
void store_inspect_free(struct store_inspection *inspection);

#endif
