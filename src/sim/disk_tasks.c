/*
 * What tasks do to a simulated disk, and which faults meet them. Every fault draws its number from
 * a stream of its own, also while it is off.
 *
 * It knows no time, and calls nobody back.
 */
#include "sim/disk.h"

#include <inttypes.h>
#include <stdarg.h>

/* ---- what is drawn, and said ---------------------------------------------------------------- */

static bool happens(struct sim_disk *disk, enum disk_draw draw, uint64_t chance)
{
    return random_chance(&disk->streams[draw], chance);
}

void disk_tell(const struct sim_disk *disk, const char *format, ...)
{
    struct trace *trace = disk->sim->world.trace;
    if (trace == NULL || !trace_wants(trace, TRACE_NOTICE)) {
        return;
    }
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    text_format(text, sizeof text, format, arguments);
    va_end(arguments);
    struct trace_event event = {.time_ns = disk->sim->now_ns,
                                .kind = TRACE_NOTICE,
                                .node = disk->id,
                                .text = bytes_of_text(text)};
    trace_emit(trace, &event);
}

__attribute__((format(printf, 3, 4))) static void
fail(struct file_task *task, enum file_error error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    text_format(task->problem, sizeof task->problem, format, arguments);
    va_end(arguments);
    task->error = error;
}

/* ---- reading and writing -------------------------------------------------------------------- */

static uint64_t sectors_of(uint64_t size)
{
    return (size + DISK_SECTOR_BYTES - 1) / DISK_SECTOR_BYTES;
}

/* Another place in the file than `offset`, by whole sectors; `offset`: there is none. */
static uint64_t elsewhere(struct sim_disk *disk, const struct disk_file *contents, uint64_t offset)
{
    uint64_t place = random_next(&disk->streams[DRAW_PLACE]);
    uint64_t count = sectors_of(contents->size);
    uint64_t sector = offset / DISK_SECTOR_BYTES;
    if (sector >= count) {
        return count == 0 ? offset : place % count * DISK_SECTOR_BYTES + offset % DISK_SECTOR_BYTES;
    }
    if (count == 1) {
        return offset;
    }
    sector = (sector + 1 + place % (count - 1)) % count;
    return sector * DISK_SECTOR_BYTES + offset % DISK_SECTOR_BYTES;
}

static void read_file(struct sim_disk *disk, struct file_task *task)
{
    const struct file *file = task->file;
    uint8_t *data = task->data;
    bool misdirected = happens(disk, DRAW_MISDIRECT_READ, disk->faults.misdirect_read);
    bool corrupt = happens(disk, DRAW_CORRUPT, disk->faults.corrupt);
    uint64_t bit = random_next(&disk->streams[DRAW_CORRUPT_BIT]);
    uint64_t other = elsewhere(disk, file->contents, task->offset);
    task->moved = disk_file_read(file->contents, task->offset, data, task->size);
    if (misdirected && other != task->offset && task->moved > 0) {
        size_t there = disk_file_read(file->contents, other, data, task->moved);
        memset(data + there, 0, task->moved - there);
        disk_tell(disk, "%s: a read of \"%s\" at %" PRIu64 " gave what stands at %" PRIu64,
                  disk->path, file->name, task->offset, other);
    }
    if (corrupt && task->moved > 0) {
        uint64_t drawn = bit;
        bit %= (uint64_t)task->moved * 8;
        for (int tries = 0; tries < FLIP_TRIES && data[bit / 8] == 0; tries++) {
            drawn = random_scramble(drawn);
            bit = drawn % ((uint64_t)task->moved * 8);
        }
        data[bit / 8] ^= (uint8_t)(1U << bit % 8);
        disk_tell(disk, "%s: a read of \"%s\" gave a wrong bit at %" PRIu64, disk->path, file->name,
                  task->offset + bit / 8);
    }
}

/* Whether the file can get so large; else it fails. */
static bool has_room(const struct sim_disk *disk, struct file_task *task, uint64_t size)
{
    const struct file *file = task->file;
    if (!disk->faults.full || size <= file->contents->size) {
        return true;
    }
    fail(task, FILE_FULL,
         "%s: \"%s\" cannot get from %" PRIu64 " to %" PRIu64 " bytes: the disk is full",
         disk->path, file->name, file->contents->size, size);
    return false;
}

/* Its first sectors may be there. */
static void write_failed(struct sim_disk *disk, struct file_task *task)
{
    const struct file *file = task->file;
    uint64_t first = task->offset / DISK_SECTOR_BYTES;
    uint64_t count = sectors_of(task->offset + task->size) - first;
    uint64_t place = random_next(&disk->streams[DRAW_PLACE]) % (count + 1);
    uint64_t end = (first + place) * DISK_SECTOR_BYTES;
    uint64_t there = end > task->offset ? end - task->offset : 0;
    disk_file_write(file->contents, task->offset, task->data,
                    there < task->size ? (size_t)there : task->size, false);
    fail(task, FILE_BROKEN, "%s: writing %zu bytes to \"%s\" at %" PRIu64 " failed", disk->path,
         task->size, file->name, task->offset);
}

static void sync_failed(struct sim_disk *disk, struct file_task *task)
{
    const struct file *file = task->file;
    disk_file_lose(file->contents);
    fail(task, FILE_BROKEN, "%s: the sync of \"%s\" failed", disk->path, file->name);
}

/* To another place, where all but what goes beyond the file's end is written. */
static uint64_t misdirect(struct sim_disk *disk, const struct file_task *task, size_t *size)
{
    const struct file *file = task->file;
    uint64_t other = elsewhere(disk, file->contents, task->offset);
    uint64_t left = file->contents->size > other ? file->contents->size - other : 0;
    if (other == task->offset || left == 0) {
        return task->offset;
    }
    *size = left < *size ? (size_t)left : *size;
    disk_tell(disk, "%s: a write to \"%s\" at %" PRIu64 " went to %" PRIu64, disk->path, file->name,
              task->offset, other);
    return other;
}

static void write_file(struct sim_disk *disk, struct file_task *task)
{
    struct disk_file *contents = task->file->contents;
    bool write_error = happens(disk, DRAW_WRITE_ERROR, disk->faults.write_error);
    bool misdirected = happens(disk, DRAW_MISDIRECT_WRITE, disk->faults.misdirect_write);
    bool sync_error = task->sync && happens(disk, DRAW_SYNC_ERROR, disk->faults.sync_error);
    size_t size = task->size;
    uint64_t offset = task->offset;
    if (size > 0 && !has_room(disk, task, offset + size)) {
        return;
    }
    if (size > 0 && write_error) {
        write_failed(disk, task);
        return;
    }
    if (size > 0 && misdirected) {
        offset = misdirect(disk, task, &size);
    }
    disk_file_write(contents, offset, task->data, size, task->sync && !sync_error);
    if (sync_error) {
        sync_failed(disk, task);
        return;
    }
    task->moved = task->size;
}

static void resize_file(struct sim_disk *disk, struct file_task *task)
{
    bool write_error = happens(disk, DRAW_WRITE_ERROR, disk->faults.write_error);
    bool sync_error = happens(disk, DRAW_SYNC_ERROR, disk->faults.sync_error);
    if (!has_room(disk, task, task->size)) {
        return;
    }
    if (write_error) {
        fail(task, FILE_BROKEN, "%s: making \"%s\" %zu bytes large failed", disk->path,
             task->file->name, task->size);
    } else if (sync_error) {
        sync_failed(disk, task);
    } else {
        disk_file_resize(task->file->contents, task->size);
    }
}

/* ---- names ---------------------------------------------------------------------------------- */

static void lock(struct sim_files *files, struct file_task *task)
{
    struct sim_disk *disk = files->disk;
    if (disk->holder == NULL || disk->holder == files) {
        disk->holder = files;
    } else {
        fail(task, FILE_LOCKED, "%s is in use", disk->path);
    }
}

static void list(const struct sim_disk *disk, struct file_task *task)
{
    for (size_t i = 0; i < disk->names.present.count; i++) {
        const char *name = disk->names.present.items[i].name;
        buffer_append(task->names, name, strlen(name) + 1);
    }
}

/* The file of that name; NULL, and it fails: there is none. */
static struct disk_file *find(const struct sim_disk *disk, struct file_task *task)
{
    struct disk_file *contents = disk_names_find(&disk->names, task->name);
    if (contents == NULL) {
        fail(task, FILE_MISSING, "%s: there is no file \"%s\"", disk->path, task->name);
    }
    return contents;
}

/* With a reference for who opens it; NULL, and it fails. */
static struct disk_file *find_or_create(struct sim_files *files, struct file_task *task)
{
    struct sim_disk *disk = files->disk;
    struct disk_file *contents = disk_names_find(&disk->names, task->name);
    if (contents != NULL) {
        return disk_file_hold(contents);
    }
    if (!task->create) {
        return find(disk, task);
    }
    ensure(disk->holder == files);
    if (disk->faults.full) {
        fail(task, FILE_FULL, "%s: \"%s\" cannot be made: the disk is full", disk->path,
             task->name);
        return NULL;
    }
    contents = disk_file_new();
    disk_names_change(&disk->names, NULL, task->name, contents);
    return contents;
}

static void open_file(struct sim_files *files, struct file_task *task)
{
    struct disk_file *contents = find_or_create(files, task);
    if (contents != NULL) {
        struct file *file = memory_new_zeroed(1, sizeof *file);
        file->contents = contents;
        memcpy(file->name, task->name, strlen(task->name) + 1);
        list_append(&files->open, &file->of_files);
        task->file = file;
        task->file_size = contents->size;
    }
}

void disk_close_file(struct file *file)
{
    list_remove(&file->of_files);
    disk_file_release(file->contents);
    memory_free(file);
}

static void change_name(struct sim_files *files, struct file_task *task)
{
    struct disk_file *contents = find(files->disk, task);
    ensure(files->disk->holder == files);
    if (contents != NULL) {
        disk_names_change(&files->disk->names, task->name,
                          task->kind == FILE_RENAME ? task->new_name : NULL, contents);
    }
}

static void sync_names(struct sim_disk *disk, struct file_task *task)
{
    if (happens(disk, DRAW_SYNC_ERROR, disk->faults.sync_error)) {
        fail(task, FILE_BROKEN, "%s: the sync of the directory failed", disk->path);
    } else {
        disk_names_sync(&disk->names);
    }
}

/* ---- any task ------------------------------------------------------------------------------- */

bool disk_task_syncs(const struct file_task *task)
{
    return (task->kind == FILE_WRITE && task->sync) || task->kind == FILE_RESIZE ||
           task->kind == FILE_SYNC_DIRECTORY;
}

void disk_carry_out(struct sim_files *files, struct file_task *task)
{
    struct sim_disk *disk = files->disk;
    switch (task->kind) {
    case FILE_LOCK:
        lock(files, task);
        break;
    case FILE_LIST:
        list(disk, task);
        break;
    case FILE_OPEN:
        open_file(files, task);
        break;
    case FILE_READ:
        read_file(disk, task);
        break;
    case FILE_WRITE:
        write_file(disk, task);
        break;
    case FILE_RESIZE:
        resize_file(disk, task);
        break;
    case FILE_CLOSE:
        disk_close_file(task->file);
        break;
    case FILE_RENAME:
    case FILE_REMOVE:
        change_name(files, task);
        break;
    case FILE_SYNC_DIRECTORY:
        sync_names(disk, task);
        break;
    }
}

void disk_tear(struct sim_files *files, struct file_task *task, struct random *coins)
{
    bool happened = (random_next(coins) >> 63) != 0;
    if (task->kind == FILE_WRITE && task->size > 0 &&
        (!files->disk->faults.full || task->offset + task->size <= task->file->contents->size)) {
        disk_file_write(task->file->contents, task->offset, task->data, task->size, false);
    } else if (task->kind == FILE_RESIZE && happened && !files->disk->faults.full) {
        disk_file_resize(task->file->contents, task->size);
    } else if (task->kind == FILE_RENAME || task->kind == FILE_REMOVE) {
        change_name(files, task);
    }
}
