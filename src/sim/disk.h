/*
 * The simulated disk, within the room: what a file holds (disk_file.c), the names in the directory
 * (disk_names.c), what tasks do and which faults meet them (disk_tasks.c), and the disk itself with
 * its times and power cuts (disk.c).
 */
#ifndef RAFTBENCH_SIM_DISK_H
#define RAFTBENCH_SIM_DISK_H

#include "sim/internal.h"

#define DISK_CHUNK_BYTES (4U << 10)
#define DISK_SECTOR_BYTES 512U
/* A bit that is to be another is drawn anew so many times while its byte is zero: most of a disk is
 * zeros that nobody reads. */
#define FLIP_TRIES 8

/* ---- what a file holds (disk_file.c) -------------------------------------------------------- */

/* A write that is not durable. Where it stands behind what was durable then, nothing is kept of
 * what stood there before: zeros. */
struct unsynced {
    uint64_t offset;
    uint64_t size;
    uint8_t *old; /* what the first old_size bytes were */
    uint64_t old_size;
    bool lost; /* its sync has failed: no later sync makes it durable */
};

/* As it is read, and what has to be undone to come back to what is durable. Names and open files
 * hold it. */
struct disk_file {
    uint32_t references;
    uint64_t size;
    uint64_t durable_size;
    array_of(uint8_t *) chunks;         /* NULL: zeros, as all is that stands behind the size */
    array_of(struct unsynced) unsynced; /* the oldest first */
    bool has_lost;
};

struct disk_file *disk_file_new(void); /* empty, one reference */
struct disk_file *disk_file_hold(struct disk_file *file);
void disk_file_release(struct disk_file *file);
/* How many bytes there were. */
size_t disk_file_read(const struct disk_file *file, uint64_t offset, void *data, size_t size);
void disk_file_write(struct disk_file *file, uint64_t offset, const void *data, size_t size,
                     bool sync);
void disk_file_sync(struct disk_file *file);
void disk_file_lose(struct disk_file *file); /* a sync that fails */
void disk_file_resize(struct disk_file *file, uint64_t size);
/* The power is cut. `coins`: of what is not durable some sectors stay all the same (NULL: none).
 * What was lost is there or not by `losses`. */
void disk_file_cut(struct disk_file *file, struct random *coins, struct random *losses);
uint64_t disk_file_used(const struct disk_file *file); /* up to its last byte that is not zero */
uint8_t disk_file_byte(const struct disk_file *file, uint64_t offset);
void disk_file_flip(struct disk_file *file, uint64_t bit);

/* ---- the names of files (disk_names.c) ------------------------------------------------------ */

struct disk_name {
    char name[FILE_NAME_BYTES_MAX + 1];
    struct disk_file *file; /* holds a reference */
};

struct disk_directory {
    array_of(struct disk_name); /* sorted */
};

/* A change that is not durable: `to` is the file, `from` is it no longer. "": no such name. */
struct name_change {
    char from[FILE_NAME_BYTES_MAX + 1];
    char to[FILE_NAME_BYTES_MAX + 1];
    struct disk_file *file; /* holds a reference */
};

struct disk_names {
    struct disk_directory present;
    struct disk_directory durable;
    array_of(struct name_change) changes; /* the oldest first */
};

struct disk_file *disk_names_find(const struct disk_names *names, const char *name); /* or NULL */
/* The file is called `to` from now on, and `from` no longer; NULL for one of them: a new file, a
 * name that goes. */
void disk_names_change(struct disk_names *names, const char *from, const char *to,
                       struct disk_file *file);
void disk_names_sync(struct disk_names *names);
/* `coins`: of the changes that are not durable some happened all the same. NULL: none. */
void disk_names_cut(struct disk_names *names, struct random *coins);
void disk_names_free(struct disk_names *names); /* and make it empty */

/* ---- disks (disk.c, disk_tasks.c) ----------------------------------------------------------- */

/* What is drawn for, each from the stream "disk/ID/NAME"; of a disk that was wiped,
 * "disk/ID/HOW OFTEN/NAME". */
#define DISK_DRAWS(X)                                                                              \
    X(SYNC_TIME, "sync")                                                                           \
    X(WRITE_TIME, "write")                                                                         \
    X(READ_TIME, "read")                                                                           \
    X(NAME_TIME, "name")                                                                           \
    X(WRITE_ERROR, "write_error")                                                                  \
    X(SYNC_ERROR, "sync_error")                                                                    \
    X(CORRUPT, "corrupt")                                                                          \
    X(CORRUPT_BIT, "corrupt_bit")                                                                  \
    X(MISDIRECT_READ, "misdirect_read")                                                            \
    X(MISDIRECT_WRITE, "misdirect_write")                                                          \
    X(PLACE, "place")                                                                              \
    X(TORN, "torn")                                                                                \
    X(LOST, "lost")                                                                                \
    X(FLIP, "flip")

enum disk_draw {
#define X(name, text) DRAW_##name,
    DISK_DRAWS(X)
#undef X
        DRAW_COUNT
};

struct sim_disk {
    struct sim *sim;
    uint64_t id;
    uint64_t wipes;
    struct disk_names names;
    struct disk_faults faults;
    struct random streams[DRAW_COUNT];
    const struct sim_files *holder; /* who has locked it */
    struct list users;
    char path[32];
};

/* Tasks one after the other; the first is under way. */
struct lane {
    struct sim_files *files;
    struct list tasks;
    struct wakeup wakeup;
    int64_t due_ns; /* when the first would be done, if nothing stalls */
};

struct sim_files {
    struct files head;
    struct sim_disk *disk;
    struct list_link of_disk;
    struct lane lanes[2]; /* the second: bulk */
    struct list open;
};

struct file {
    struct list_link of_files;
    struct disk_file *contents;
    char name[FILE_NAME_BYTES_MAX + 1]; /* for messages */
};

/* What a task does, when its time has passed. */
void disk_carry_out(struct sim_files *files, struct file_task *task);
/* What it has done in part when the power is cut while it is under way. */
void disk_tear(struct sim_files *files, struct file_task *task, struct random *coins);
bool disk_task_syncs(const struct file_task *task);
void disk_close_file(struct file *file);
/* What a fault has done: a NOTICE of the node whose disk it is. */
__attribute__((format(printf, 2, 3))) void disk_tell(const struct sim_disk *disk,
                                                     const char *format, ...);
/* Its streams are those of the world's seed, which has changed. */
void disk_rekey(struct sim_disk *disk);
void sim_disk_free(struct sim_disk *disk); /* no files of it are left */
struct files *sim_files(struct world *world, uint64_t id, const char *directory,
                        struct failure *failure);

#endif
