/*
 * files: a node's directory on its disk, as a world provides it. Each operation is a task that its
 * owner embeds and fills in; it ends in `done`, on the loop's thread, never from within the call
 * that asked for it. In real/ an I/O thread of the node carries tasks out; in sim/ a disk that has
 * every fault a disk can have, in virtual time.
 *
 * It never looks into the bytes, and never repeats what failed: what a disk says after a failed
 * sync is not to be believed, so its owner must stop.
 */
#ifndef RAFTBENCH_FILES_H
#define RAFTBENCH_FILES_H

#include "base/base.h"

#define FILE_NAME_BYTES_MAX 63
#define FILE_PROBLEM_BYTES_MAX 256

enum file_error {
    FILE_OK,
    FILE_MISSING, /* no file of that name */
    FILE_FULL,    /* no space: nothing of this write counts, what was durable is still there */
    FILE_LOCKED,  /* another process has the directory */
    FILE_BROKEN,  /* all else: the disk's word on this file is not to be believed any more */
};

enum file_task_kind {
    FILE_LOCK,   /* makes the directory where it is missing and locks it: first in each life */
    FILE_LIST,   /* the names in it, sorted */
    FILE_OPEN,   /* `create`: made where it is missing */
    FILE_READ,   /* fewer than `size` bytes only at the file's end */
    FILE_WRITE,  /* at `offset`; beyond the end the file grows. `sync`: all written so far to this
                    file is durable when it is done (one operation, as RWF_DSYNC), also of size 0 */
    FILE_RESIZE, /* to `size` bytes: cuts, or fills with zeros that take room on the disk; durable
                    when it is done, with all that was written before */
    FILE_CLOSE,
    FILE_RENAME,         /* replaces `new_name`; durable after FILE_SYNC_DIRECTORY */
    FILE_REMOVE,         /* the same */
    FILE_SYNC_DIRECTORY, /* names made, changed and removed so far are durable */
};

struct file; /* an open one */

/* There are two lanes: tasks that are `bulk` (a snapshot's, or the making of the next segment), for
 * which the log's need not wait, and the others. Each lane carries out one task after the other, in
 * the order in which they were asked for. Between the lanes there is no order: who needs one waits
 * for `done`. All that the pointers name stays as it is until `done`, or `cut`. */
struct file_task {
    void (*done)(void *context, struct file_task *task);
    void *context;
    /* What is asked for. */
    enum file_task_kind kind;
    bool sync;
    bool create;
    bool bulk;
    const char *name; /* OPEN, RENAME, REMOVE: at most FILE_NAME_BYTES_MAX, no '/' */
    const char *new_name;
    struct file *file; /* READ, WRITE, RESIZE, CLOSE; what OPEN gives */
    void *data;        /* READ fills it, WRITE takes it */
    size_t size;
    uint64_t offset;
    /* The outcome. */
    enum file_error error;
    size_t moved;         /* READ, WRITE: bytes */
    uint64_t file_size;   /* OPEN */
    struct buffer *names; /* LIST: given by the owner; each name ends with a zero byte */
    char problem[FILE_PROBLEM_BYTES_MAX]; /* in words, with file and offset; "" where it worked */
    struct list_link queued;              /* the world's */
};

/* Of a disk. All zero: none. Chances as in base.h. */
struct disk_faults {
    int64_t sync_delay_ns;    /* each sync that begins from now on takes so much longer */
    bool stall;               /* nothing ends, also what is under way, until it is taken back */
    bool full;                /* nothing takes new room */
    uint64_t write_error;     /* a write or resize fails; the first sectors may be there */
    uint64_t sync_error;      /* a sync fails; what it should have made durable can be read, and may
                                 be lost at the next cut although later syncs succeed */
    uint64_t corrupt;         /* a read gives one bit otherwise; the disk still has the right one */
    uint64_t misdirect_read;  /* a read gives what stands elsewhere in the file */
    uint64_t misdirect_write; /* a write goes elsewhere in the file */
    bool torn_write; /* the next cut only: of what was not synced, some sectors and some changes of
                        names are there and some not, whatever their order was */
    bool flip;       /* the next cut only: one bit of what was synced is another, and stays so */
    uint64_t crash_after; /* the power goes when so many more tasks are done (`power_lost`, in place
                             of the last one's `done`); 0: never */
};

struct files;

struct files_operations {
    /* FILE_LOCK is done before another task is asked for; only who looks and changes nothing does
     * without it, and has one task under way at most. */
    void (*submit)(struct files *files, struct file_task *task);
    /* The process is gone: no `done` comes for anything that was asked for, and open files are
     * closed. "sim": the power too, so what was not synced is lost; real files: what is under way
     * ends first. The next task (FILE_LOCK) waits for that. */
    void (*cut)(struct files *files);
    /* Another, empty disk in its place, with other fates. Only after `cut`. */
    void (*wipe)(struct files *files);
    /* Replaces; false and a failure ("unsupported") where this world cannot. */
    bool (*set_faults)(struct files *files, const struct disk_faults *faults,
                       struct failure *failure);
    void (*free)(struct files *files); /* after `cut` */
};

/* The head of every directory. */
struct files {
    const struct files_operations *operations;
    uint64_t sync_count;
    uint64_t written_bytes;
    const char *path; /* for messages: "data/1", in "sim" "disk 1" */
    /* The power is gone, by `crash_after`: its owner's life ends with it. NULL: nobody is told. */
    void (*power_lost)(void *context);
    void *power_context;
};

static inline void files_submit(struct files *files, struct file_task *task)
{
    files->operations->submit(files, task);
}

#endif
