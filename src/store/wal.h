/*
 * The private side of the write-ahead log: what its files hold, and what its parts share.
 *
 * The log is a row of segments, files "log-0000000001", "log-0000000002" and so on. A segment is a
 * row of sectors of 512 bytes, each with a head of its own, because a disk writes a sector whole or
 * not at all:
 *
 *     u32 CRC-32C of what follows in the sector
 *     u32 segment     number of the segment (of its file, when it was written)
 *     u32 position    of the sector in the segment
 *     u32 group       0: the header of the file; else the group's number in the segment, from 1
 *     u32 size        bytes of the group, without heads of sectors
 *     u32 life        which opening of the directory wrote it, from 1
 *     488 bytes       of the group; behind its end zeros
 *
 * A group is what was written and synced as one: it begins with a new sector, and the next one is
 * written only when it is durable. So a sector of group n + 2 proves that group n + 1 was synced.
 * Where a segment is used again, what stands in it has a lower segment number; what a write that
 * was cut off has left has no higher number than the group written in its place, and a lower life.
 *
 * A group is a row of records: u32 size of the body, u8 type, u8 kind of the entry, u16 zero, body.
 * The first group of a segment begins with a checkpoint, so that segments before it can go.
 */
#ifndef RAFTBENCH_STORE_WAL_H
#define RAFTBENCH_STORE_WAL_H

#include "store/internal.h"
#include "world/world.h"

#define WAL_SECTOR_BYTES 512U
#define WAL_HEAD_BYTES 24U
#define WAL_ROOM_BYTES (WAL_SECTOR_BYTES - WAL_HEAD_BYTES) /* of a sector */
#define WAL_VERSION 1U
#define WAL_RECORD_HEAD_BYTES 8U
#define WAL_ENTRY_HEAD_BYTES 16U /* of an entry's body: index, term */
#define WAL_CLUSTER_BYTES_MAX 255U
#define WAL_NAME_BYTES 16 /* "log-0000000001" */

enum wal_record_type {
    WAL_CHECKPOINT = 1, /* struct wal_checkpoint */
    WAL_MEMBERS = 2,    /* the configuration at index 0 */
    WAL_STATE = 3,      /* u64 term, u64 vote, u64 directory of the vote */
    WAL_ENTRY = 4,      /* u64 index, u64 term, payload: the log from there on is replaced by it */
    WAL_CUT = 5,        /* u64 index: the log from there on is removed */
    WAL_RESET = 6,      /* u64 index, u64 term: the log is empty behind it */
};

/* ---- format (wal_format.c) ------------------------------------------------------------------ */

/* Whose directory it is: in the header of each file. */
struct wal_identity {
    uint64_t id;
    uint64_t directory;
    char cluster[WAL_CLUSTER_BYTES_MAX + 1];
};

struct wal_header {
    struct wal_identity identity;
    uint32_t version;
    uint32_t segment_bytes; /* how large the file was made */
};

/* What a segment begins with: how the one before it ended, and the log up to here. */
struct wal_checkpoint {
    uint32_t former_groups; /* that the segment before has */
    uint64_t term;
    uint64_t vote;
    uint64_t vote_directory;
    uint64_t next_index; /* of the log, behind its last entry */
};

struct wal_sector {
    uint32_t segment;
    uint32_t position;
    uint32_t group;
    uint32_t size;
    uint32_t life;
};

enum wal_sector_state {
    WAL_SECTOR_EMPTY, /* zeros */
    WAL_SECTOR_WHOLE,
    WAL_SECTOR_BAD,
};

enum wal_sector_state wal_sector_read(const uint8_t *bytes, struct wal_sector *sector);
static inline uint32_t wal_sector_count(uint64_t size) /* of a group of that size */
{
    return (uint32_t)((size + WAL_ROOM_BYTES - 1) / WAL_ROOM_BYTES);
}

/* Puts bytes into sectors of `out`, one after the other. */
struct wal_encoder {
    struct buffer *out;
    struct wal_sector sector; /* the next one's head */
    size_t used;              /* of the sector at the end of `out`; 0: there is none begun */
};

/* A group of exactly `sector->size` bytes follows. */
void wal_encoder_begin(struct wal_encoder *encoder, struct buffer *out,
                       const struct wal_sector *sector);
void wal_encoder_put(struct wal_encoder *encoder, const void *data, size_t size);
void wal_encoder_end(struct wal_encoder *encoder);

void wal_name(char name[WAL_NAME_BYTES], uint32_t segment);
bool wal_name_parse(const char *name, uint32_t *segment);
/* The header of a segment: one sector. */
void wal_header_encode(const struct wal_header *header, uint32_t segment, struct buffer *out);
/* false: no header; `*problem` says why. */
bool wal_header_decode(const uint8_t *bytes, struct wal_header *header, const char **problem);

/* How many of the first persists of a group reach the limit together (at least one, or all), and
 * how many bytes they are. */
size_t wal_group_measure(const struct group *group, uint64_t limit_bytes, uint64_t *bytes);
void wal_group_encode(const struct group *group, struct wal_encoder *encoder);
uint64_t wal_checkpoint_bytes(const struct raft_configuration *first_members,
                              struct buffer *scratch);
void wal_checkpoint_encode(const struct wal_checkpoint *checkpoint,
                           const struct raft_configuration *first_members, struct buffer *scratch,
                           struct wal_encoder *encoder);
bool wal_checkpoint_decode(struct bytes body, struct wal_checkpoint *checkpoint);

/* One record, a view. */
struct wal_record {
    enum wal_record_type type;
    uint8_t kind;
    struct bytes body;
};

/* The record at `*at`, which moves behind it. false: what stands there is no record. */
bool wal_record_read(struct bytes group, size_t *at, struct wal_record *record);

/* ---- reading a log from its first byte to its last (wal_scan.c) ----------------------------- */

/* What a log is, to the one who opens it. */
enum wal_verdict {
    WAL_SOUND,   /* with a torn tail perhaps, which was never acknowledged */
    WAL_DAMAGED, /* what may have been acknowledged cannot be read */
    WAL_FOREIGN, /* another node's, another cluster's, or of a later version */
};

struct wal_scan;

/* For who wants to see it all; any may be NULL. */
struct wal_observer {
    void (*segment)(void *context, uint32_t segment, const struct wal_header *header);
    void (*group)(void *context, uint32_t segment, uint64_t offset,
                  const struct wal_sector *sector);
    void (*record)(void *context, const struct wal_record *record);
    void *context;
};

/* Where in a segment the groups end, for a reason other than that its file does. */
struct wal_stop {
    uint32_t segment;
    uint32_t position;     /* where the group begins that is not whole */
    uint32_t bad_position; /* 0: none. A sector in the group's place whose checksum is wrong */
    uint32_t proof;        /* 0: none. A sector that proves that the group was synced */
    uint32_t torn_end;     /* behind the last sector that the group left here */
    bool misplaced;        /* `proof` does not stand where it was written to */
};

struct wal_segment {
    uint32_t number;
    uint32_t groups;
    uint64_t bytes;      /* of the file */
    uint64_t last_index; /* the highest that it has an entry of; 0: none */
};

/* What was found. A sound log goes on at sector `position` of segment `number`. */
struct wal_scan {
    const struct wal_identity *expected; /* NULL: whosever it is */
    const struct wal_observer *observer; /* NULL: none */
    struct image *image;
    struct wal_header header; /* of the first segment */
    array_of(struct wal_segment) segments;
    uint64_t base_index; /* the log's first entry in these segments has this index */
    uint32_t life;       /* the highest that was seen */
    uint32_t bad_sectors;
    uint32_t used;       /* how many of the segments have groups */
    uint32_t position;   /* behind the last group */
    uint32_t last_group; /* where the last group begins; 0: there is none */
    uint64_t torn_bytes; /* of the last write, which was cut off */
    uint32_t torn_segment;
    enum wal_verdict verdict;
    uint32_t damaged_segment;
    uint64_t damaged_offset;
    char problem[200]; /* in words; file and offset are told apart from it */

    /* While it reads. */
    uint32_t segment;
    uint32_t at;    /* the next sector's position */
    uint32_t group; /* the last whole one; 0: none */
    uint32_t group_life;
    uint32_t group_at;    /* where the one begins that is being read; 0: none */
    struct wal_sector of; /* that one's */
    bool stopped;
    struct wal_stop stop; /* of this segment */
    struct wal_stop last; /* of the last one that has groups; `segment` 0: it has none */
    struct batch *batch;  /* where groups are put together */
    uint32_t batch_used;
    uint32_t group_used;
};

static inline struct wal_segment *wal_scan_here(struct wal_scan *scan) /* the one it reads */
{
    return &scan->segments.items[scan->segments.count - 1];
}

/* How many groups the segment before has, as the checkpoint of this one tells. */
void wal_scan_claim(struct wal_scan *scan, uint32_t groups);
/* false: it makes no sense (wal_records.c). */
bool wal_record_take(struct wal_scan *scan, const struct wal_record *record);

void wal_scan_begin(struct wal_scan *scan, struct image *image, const struct wal_identity *expected,
                    const struct wal_observer *observer);
/* Segments in the order of their numbers; each with all of its bytes, whole sectors at a time (what
 * is left at the file's end is not looked at). */
void wal_scan_segment(struct wal_scan *scan, uint32_t number, uint64_t file_bytes);
void wal_scan_sectors(struct wal_scan *scan, const uint8_t *bytes, size_t size);
void wal_scan_segment_end(struct wal_scan *scan);
void wal_scan_end(struct wal_scan *scan); /* all was read: the verdict */
/* A problem; the first one is the one that is told. */
__attribute__((format(printf, 5, 6))) void wal_scan_fail(struct wal_scan *scan,
                                                         enum wal_verdict verdict, uint32_t segment,
                                                         uint64_t offset, const char *format, ...);
void wal_scan_free(struct wal_scan *scan);

#endif
