/*
 * The private side of the write-ahead log: the store itself, and what its files share.
 */
#ifndef RAFTBENCH_STORE_WAL_STORE_H
#define RAFTBENCH_STORE_WAL_STORE_H

#include "store/wal.h"

#define WAL_SPARE_NAME "spare"      /* the next segment, while it is made */
#define WAL_FORMAT_NAME "log-first" /* the first one, the same */

/* One write is at most about so large, so that memory and segments are bounded. A larger persist
 * goes alone, and its segment gets as large as it has to. */
#define WAL_GROUP_BYTES (4U << 20)

enum wal_phase { WAL_CLOSED, WAL_RECOVERING, WAL_OPEN, WAL_CLOSING };

/* The segment that is written to. */
struct wal_tail {
    struct file *file;
    uint32_t number;
    uint32_t sectors;    /* that the file has room for */
    uint32_t position;   /* where the next group goes */
    uint32_t group;      /* the last one's number; 0: there is none yet */
    uint64_t last_index; /* the highest that it has an entry of */
};

/* The next segment, made before it is needed (wal_segments.c). */
enum wal_next_state {
    WAL_NEXT_NONE,
    WAL_NEXT_MAKING,
    WAL_NEXT_FULL, /* the disk is: tried again after a while */
    WAL_NEXT_READY,
};

struct wal_next {
    enum wal_next_state state;
    struct file *file;
    uint32_t sectors;
    uint64_t size;  /* of the file, while it is made */
    bool told_full; /* that there is no room for it */
    bool recycled;  /* a former segment's file */
    struct file_task task;
    struct buffer header;
    struct wakeup again;
    char name[WAL_NAME_BYTES];
    char former_name[WAL_NAME_BYTES]; /* of the segment that is used again */
};

/* The removal of a segment that is not needed. */
struct wal_removal {
    bool busy;
    struct file_task task;
    char name[WAL_NAME_BYTES];
};

/* A full segment, older than the tail. */
struct wal_full {
    uint32_t number;
    uint32_t groups;
    uint64_t last_index;
};

/* Snapshots (wal_snapshots.c). */
#define WAL_SNAPSHOT_NAME_BYTES 32  /* "snapshot-00000000000000000001" */
#define WAL_OWN_NAME "snapshot-own" /* one of this server, while it is written */
#define WAL_RECEIVED_NAME "snapshot-received"

struct wal_snapshot {
    struct raft_snapshot meta;
    struct raft_configuration members;
    struct file *file; /* NULL: the store is not open */
};

struct wal_snapshots {
    array_of(struct wal_snapshot *) whole; /* by rising index */
    struct list writers;
    struct list reads;
    struct list errands;
};

/* Reading the directory when it is opened (wal_recover.c). */
#define WAL_READ_BYTES (1U << 20)

struct wal_look; /* wal_look.c */

struct wal_recovery {
    struct file_task task;
    struct file_task reads[2]; /* while one's bytes are taken, the other's come */
    struct buffer names;
    array_of(uint32_t) numbers;    /* of the segments that are there */
    array_of(struct file *) files; /* that were opened of them */
    uint64_t file_bytes;           /* of the last one */
    uint64_t asked_bytes;
    uint64_t taken_bytes;
    uint8_t last_sector[WAL_SECTOR_BYTES]; /* that was taken */
    uint8_t *buffers[2];
    struct buffer bytes;     /* to be written */
    uint64_t snapshot_index; /* of the latest that is there; 0: none */
    struct file *snapshot_file;
    uint64_t snapshot_bytes;
    uint64_t snapshot_read;
    char snapshot_name[WAL_SNAPSHOT_NAME_BYTES];
    struct snapshot_decoder snapshot; /* its header */
    struct wal_scan scan;
    struct image image;
};

struct wal_store {
    struct store head;
    struct world *world;
    struct files *files;
    struct store_handler handler;
    struct wal_identity identity;
    uint32_t segment_bytes;
    uint64_t seed;
    uint64_t disk; /* how many there were before this one */
    enum wal_phase phase;
    bool formatted;   /* `image` is what the disk holds, and not what it shall be made with */
    bool reopen;      /* once it is closed */
    bool reads_again; /* what the disk gave at first was damaged: */
    char doubt[240];
    struct image image;
    struct wal_recovery *recovery; /* while it recovers */
    struct wal_look *look;         /* while it looks */

    uint32_t life;
    struct wal_tail tail;
    array_of(struct wal_full) full;
    array_of(struct file *) done_files; /* full ones that are still open */
    struct file_task closing;           /* closes them, one after the other */
    bool is_closing;
    struct wal_next next;
    struct wal_removal removal;
    uint64_t needed_index; /* the log before it is not needed */
    struct wal_snapshots snapshots;

    struct group waiting;
    struct group written; /* in flight */
    bool writing;
    bool lacks_room; /* what waits, until the next segment is READY */
    struct file_task write;
    struct buffer out;
    struct buffer scratch;
    uint32_t out_sectors;
    struct flusher flusher; /* writes what has come in a turn; ends an orderly close */
};

/* ---- wal.c ---------------------------------------------------------------------------------- */

/* An operation failed: the power is cut, and the handler told. The last thing to do. */
__attribute__((format(printf, 2, 3))) void wal_fail(struct wal_store *store, const char *format,
                                                    ...);
__attribute__((format(printf, 2, 3))) void wal_notice(struct wal_store *store, const char *format,
                                                      ...);
/* It has read its disk. */
void wal_recovered(struct wal_store *store, const struct failure *failure);
/* All is written, of an orderly close. */
void wal_closed(struct wal_store *store);

/* ---- wal_write.c ---------------------------------------------------------------------------- */

/* Writes what waits, if nothing is in flight and there is room. */
void wal_write_soon(struct wal_store *store);
void wal_write_now(struct wal_store *store);

/* ---- wal_segments.c ------------------------------------------------------------------------- */

/* Makes the next segment where it is time for that; else removes what is not needed. */
void wal_segments_review(struct wal_store *store);
/* The next segment is the tail. It is READY. */
void wal_segments_turn(struct wal_store *store);
void wal_segments_prepare(struct wal_store *store); /* once */
void wal_segments_cut(struct wal_store *store);     /* after a power cut */
void wal_segments_free(struct wal_store *store);

/* ---- wal_snapshots.c, wal_writer.c ---------------------------------------------------------- */

void wal_snapshot_name(char name[WAL_SNAPSHOT_NAME_BYTES], uint64_t index);
bool wal_snapshot_name_parse(const char *name, uint64_t *index);
const struct raft_snapshot *wal_snapshots_latest(const struct wal_store *store); /* index 0: none */
struct store_writer *wal_snapshot_begin(struct store *head, const struct raft_snapshot *meta);
void wal_snapshot_write(struct store_writer *handle, struct bytes bytes, store_done *done,
                        void *context);
void wal_snapshot_finish(struct store_writer *handle, store_finished *done, void *context);
void wal_snapshot_abort(struct store_writer *handle);
void wal_snapshot_read(struct store *head, uint64_t index, uint64_t offset, size_t size,
                       store_read_done *done, void *context);
void wal_snapshot_file(uint64_t index, char *name, size_t size);
void wal_snapshot_drop(struct store *head, uint64_t index);
/* The one that recovery found: its open file and its header, which was read; NULL: there is none.
 */
void wal_snapshots_take(struct wal_store *store, struct file *file,
                        struct snapshot_decoder *decoder, uint64_t size);
void wal_snapshots_remove_file(struct wal_store *store, const char *name); /* soon */
void wal_snapshots_end(struct wal_store *store); /* nobody asks any more */
/* Something to be done that nobody waits for: CLOSE a file, REMOVE a name. */
void wal_snapshots_errand(struct wal_store *store, enum file_task_kind kind, struct file *file,
                          const char *name);
void wal_writers_end(struct wal_store *store);
void wal_writers_cut(struct wal_store *store);
void wal_snapshots_cut(struct wal_store *store);
void wal_snapshots_clear(struct wal_store *store);

/* ---- wal_recover.c, wal_make.c -------------------------------------------------------------- */

void wal_recover(struct wal_store *store);
void wal_recovery_free(struct wal_store *store); /* NULL is fine */
/* The recovery's one task: asked, with what it was filled in with. */
void wal_recovery_ask(struct wal_store *store, enum file_task_kind kind,
                      void (*done)(void *context, struct file_task *task));
struct file_task *wal_recovery_task(struct wal_store *store); /* all zero */
bool wal_recovery_worked(struct wal_store *store, const struct file_task *task);

void wal_look_free(struct wal_store *store); /* wal_look.c */

/* Nothing is in the directory: its first segment, with the image (wal_make.c). */
void wal_make(struct wal_store *store);

#endif
