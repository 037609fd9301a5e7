/*
 * Opening the directory: all of the log is read, its end found, and made durable once more. It
 * changes no byte of the log, so it can be interrupted at any moment and begun anew; what a write
 * that was cut off has left is overwritten by the next one.
 *
 * The last group is written again, in its place and as it is: whoever wrote it may not have known
 * whether it was durable, and what a sync said that failed is not to be believed.
 */
#include "store/wal_store.h"

#include <inttypes.h>
#include <string.h>

#define SNAPSHOT_HEAD_READ_BYTES 4096U

static void fail(struct wal_store *store, const struct failure *failure)
{
    wal_recovered(store, failure);
}

struct file_task *wal_recovery_task(struct wal_store *store)
{
    store->recovery->task = (struct file_task){0};
    return &store->recovery->task;
}

static void ask(struct wal_store *store, struct file_task *task, enum file_task_kind kind,
                void (*done)(void *context, struct file_task *task))
{
    task->done = done;
    task->context = store;
    task->kind = kind;
    files_submit(store->files, task);
}

void wal_recovery_ask(struct wal_store *store, enum file_task_kind kind,
                      void (*done)(void *context, struct file_task *task))
{
    ask(store, &store->recovery->task, kind, done);
}

bool wal_recovery_worked(struct wal_store *store, const struct file_task *task)
{
    struct failure failure;
    if (task->error == FILE_OK) {
        return true;
    }
    failure_set(&failure, FAILURE_STORAGE, "%s", task->problem);
    fail(store, &failure); /* and the recovery is gone, with its task */
    return false;
}

/* Snapshots that were given up, and those that the latest makes needless. */
static void remove_what_is_left(struct wal_store *store)
{
    const struct wal_recovery *recovery = store->recovery;
    for (size_t at = 0; at < recovery->names.size;) {
        const char *name = (const char *)recovery->names.data + at;
        uint64_t index = 0;
        if (strcmp(name, WAL_OWN_NAME) == 0 || strcmp(name, WAL_RECEIVED_NAME) == 0 ||
            (wal_snapshot_name_parse(name, &index) && index != recovery->snapshot_index)) {
            wal_snapshots_remove_file(store, name);
        }
        at += strlen(name) + 1;
    }
}

/* ---- the end: what was read is the store's -------------------------------------------------- */

static void take_over(struct wal_store *store)
{
    struct wal_recovery *recovery = store->recovery;
    struct wal_scan *scan = &recovery->scan;
    size_t used = scan->used;
    const struct wal_segment *last = &scan->segments.items[used - 1];
    for (size_t i = 0; i + 1 < used; i++) {
        const struct wal_segment *segment = &scan->segments.items[i];
        *array_push(&store->full) = (struct wal_full){.number = segment->number,
                                                      .groups = segment->groups,
                                                      .last_index = segment->last_index};
        *array_push(&store->done_files) = recovery->files.items[i];
    }
    store->tail = (struct wal_tail){.file = recovery->files.items[used - 1],
                                    .number = last->number,
                                    .sectors = (uint32_t)(last->bytes / WAL_SECTOR_BYTES),
                                    .position = scan->position,
                                    .group = last->groups,
                                    .last_index = last->last_index};
    if (used < scan->segments.count) {
        store->next.file = recovery->files.items[used];
        store->next.sectors = (uint32_t)(scan->segments.items[used].bytes / WAL_SECTOR_BYTES);
        store->next.state = WAL_NEXT_READY;
    }
    /* A sector that cannot be read now may be all that another life has left, and a life's number
     * must not come again: sectors of two writes would pass for one. */
    store->life = scan->life + scan->bad_sectors + 1;
    store->identity.directory = scan->header.identity.directory;
    image_free(&store->image);
    store->image = recovery->image;
    recovery->image = (struct image){0};
    wal_snapshots_take(store, recovery->snapshot_file, &recovery->snapshot,
                       recovery->snapshot_bytes);
    remove_what_is_left(store);
}

static void names_are_durable(void *context, struct file_task *task)
{
    struct wal_store *store = context;
    if (!wal_recovery_worked(store, task)) {
        return;
    }
    const struct wal_scan *scan = &store->recovery->scan;
    uint64_t torn_bytes = scan->torn_bytes;
    uint32_t torn_segment = scan->torn_segment;
    take_over(store);
    if (torn_bytes > 0) {
        wal_notice(store,
                   "the last write to the log was cut off: %" PRIu64
                   " bytes of it at the end of log-%010u are left out (they were never "
                   "acknowledged)",
                   torn_bytes, torn_segment);
    }
    wal_recovered(store, NULL);
}

static void last_group_is_durable(void *context, struct file_task *task)
{
    struct wal_store *store = context;
    if (wal_recovery_worked(store, task)) {
        (void)wal_recovery_task(store);
        wal_recovery_ask(store, FILE_SYNC_DIRECTORY, names_are_durable);
    }
}

/* What is read once more may come otherwise than before, and must not be written so. */
static bool is_last_group(struct wal_scan *scan, const struct file_task *task)
{
    const uint8_t *bytes = task->data;
    uint32_t number = scan->segments.items[scan->used - 1].number;
    for (size_t at = 0; at < task->size; at += WAL_SECTOR_BYTES) {
        struct wal_sector sector;
        uint64_t offset = task->offset + at;
        if (wal_sector_read(bytes + at, &sector) != WAL_SECTOR_WHOLE || sector.segment != number ||
            sector.position != offset / WAL_SECTOR_BYTES) {
            wal_scan_fail(scan, WAL_DAMAGED, number, offset,
                          "the sector was whole when it was read before");
            return false;
        }
    }
    return true;
}

static void refuse(struct wal_store *store, const struct wal_scan *scan);

static void last_group_was_read(void *context, struct file_task *task)
{
    struct wal_store *store = context;
    struct file_task was = *task;
    if (!wal_recovery_worked(store, task)) {
        return;
    }
    if (was.moved != was.size) {
        struct failure failure;
        failure_set(&failure, FAILURE_STORAGE, "%s: the log got shorter while it was read",
                    store->files->path);
        fail(store, &failure);
        return;
    }
    if (!is_last_group(&store->recovery->scan, &was)) {
        refuse(store, &store->recovery->scan);
        return;
    }
    struct file_task *write = wal_recovery_task(store);
    write->file = was.file;
    write->data = was.data;
    write->size = was.size;
    write->offset = was.offset;
    write->sync = true;
    wal_recovery_ask(store, FILE_WRITE, last_group_is_durable);
}

static void read_last_group(struct wal_store *store)
{
    struct wal_recovery *recovery = store->recovery;
    const struct wal_scan *scan = &recovery->scan;
    struct file_task *read = wal_recovery_task(store);
    read->file = recovery->files.items[scan->used - 1];
    read->offset = (uint64_t)scan->last_group * WAL_SECTOR_BYTES;
    read->size = (size_t)(scan->position - scan->last_group) * WAL_SECTOR_BYTES;
    buffer_clear(&recovery->bytes);
    read->data = buffer_extend(&recovery->bytes, read->size);
    wal_recovery_ask(store, FILE_READ, last_group_was_read);
}

static void refuse(struct wal_store *store, const struct wal_scan *scan)
{
    struct failure failure;
    char name[WAL_NAME_BYTES];
    wal_name(name, scan->damaged_segment);
    if (scan->verdict == WAL_FOREIGN) {
        failure_set(&failure, FAILURE_STORAGE, "%s/%s: %s", store->files->path, name,
                    scan->problem);
    } else {
        failure_set(&failure, FAILURE_STORAGE, "%s/%s is damaged at byte %" PRIu64 ": %s",
                    store->files->path, name, scan->damaged_offset, scan->problem);
    }
    failure_set_place(&failure, name, scan->damaged_offset);
    fail(store, &failure);
}

static void judge(struct wal_store *store)
{
    struct wal_scan *scan = &store->recovery->scan;
    wal_scan_end(scan);
    if (scan->verdict == WAL_SOUND && scan->base_index > store->recovery->snapshot_index + 1) {
        wal_scan_fail(scan, WAL_DAMAGED, scan->segments.items[0].number, 0,
                      "the log begins with entry %" PRIu64
                      ", and no snapshot holds what is before it",
                      scan->base_index);
    }
    if (scan->verdict != WAL_SOUND) {
        refuse(store, scan);
    } else {
        read_last_group(store);
    }
}

/* ---- reading the segments ------------------------------------------------------------------- */

static void open_next(struct wal_store *store);
static void some_was_read(void *context, struct file_task *task);

/* Each read but the first begins with the last sector of the one before, which shows that both came
 * from their place. */
static void ask_more(struct wal_store *store, struct file_task *read, uint8_t *buffer)
{
    struct wal_recovery *recovery = store->recovery;
    uint64_t offset =
        recovery->asked_bytes == 0 ? 0 : recovery->asked_bytes - (uint64_t)WAL_SECTOR_BYTES;
    uint64_t left = recovery->file_bytes - offset;
    *read = (struct file_task){.file = recovery->files.items[recovery->files.count - 1],
                               .data = buffer,
                               .size = left < WAL_READ_BYTES ? (size_t)left : WAL_READ_BYTES,
                               .offset = offset};
    recovery->asked_bytes = offset + read->size;
    ask(store, read, FILE_READ, some_was_read);
}

static void segment_was_read(struct wal_store *store)
{
    struct wal_recovery *recovery = store->recovery;
    wal_scan_segment_end(&recovery->scan);
    if (recovery->files.count < recovery->numbers.count && recovery->scan.verdict == WAL_SOUND) {
        open_next(store);
    } else {
        judge(store);
    }
}

static bool came_from_its_place(struct wal_recovery *recovery, const struct file_task *read)
{
    const uint8_t *bytes = read->data;
    if (read->moved != read->size ||
        (read->offset > 0 && memcmp(bytes, recovery->last_sector, WAL_SECTOR_BYTES) != 0)) {
        return false;
    }
    if (read->size >= WAL_SECTOR_BYTES) {
        memcpy(recovery->last_sector, bytes + read->size - WAL_SECTOR_BYTES, WAL_SECTOR_BYTES);
    }
    return true;
}

static void some_was_read(void *context, struct file_task *task)
{
    struct wal_store *store = context;
    struct wal_recovery *recovery = store->recovery;
    if (!wal_recovery_worked(store, task)) {
        return;
    }
    if (!came_from_its_place(recovery, task)) {
        struct wal_scan *scan = &recovery->scan;
        wal_scan_fail(scan, WAL_DAMAGED, scan->segment, task->offset,
                      "a second reading gave other bytes than the first");
        refuse(store, scan);
        return;
    }
    size_t known = task->offset > 0 ? WAL_SECTOR_BYTES : 0;
    wal_scan_sectors(&recovery->scan, (const uint8_t *)task->data + known, task->size - known);
    recovery->taken_bytes = task->offset + task->size;
    if (recovery->taken_bytes == recovery->file_bytes) {
        segment_was_read(store);
    } else if (recovery->asked_bytes < recovery->file_bytes) {
        ask_more(store, task, task->data);
    }
}

static void segment_was_opened(void *context, struct file_task *task)
{
    struct wal_store *store = context;
    struct wal_recovery *recovery = store->recovery;
    if (!wal_recovery_worked(store, task)) {
        return;
    }
    uint32_t number = recovery->numbers.items[recovery->files.count];
    *array_push(&recovery->files) = task->file;
    recovery->file_bytes = task->file_size;
    recovery->asked_bytes = 0;
    recovery->taken_bytes = 0;
    wal_scan_segment(&recovery->scan, number, task->file_size);
    if (task->file_size == 0) {
        segment_was_read(store);
    }
    for (size_t i = 0; i < 2 && recovery->asked_bytes < task->file_size; i++) {
        if (recovery->buffers[i] == NULL) {
            recovery->buffers[i] = memory_new(WAL_READ_BYTES);
        }
        ask_more(store, &recovery->reads[i], recovery->buffers[i]);
    }
}

static void open_next(struct wal_store *store)
{
    struct wal_recovery *recovery = store->recovery;
    struct file_task *open = wal_recovery_task(store);
    wal_name(store->next.name, recovery->numbers.items[recovery->files.count]);
    open->name = store->next.name;
    wal_recovery_ask(store, FILE_OPEN, segment_was_opened);
}

/* ---- the snapshot's header ------------------------------------------------------------------ */

static void refuse_snapshot(struct wal_store *store, const char *problem)
{
    struct wal_recovery *recovery = store->recovery;
    struct failure failure;
    char name[WAL_SNAPSHOT_NAME_BYTES];
    memcpy(name, recovery->snapshot_name, sizeof name);
    failure_set(&failure, FAILURE_STORAGE, "%s/%s is damaged: %s", store->files->path, name,
                problem);
    failure_set_place(&failure, name, 0);
    fail(store, &failure);
}

static void read_log(struct wal_store *store)
{
    struct failure failure;
    if (store->recovery->numbers.count > 0) {
        open_next(store);
    } else if (store->formatted || store->recovery->snapshot_index > 0) {
        failure_set(&failure, FAILURE_STORAGE, "%s: the log is gone: there is no file of it",
                    store->files->path);
        fail(store, &failure);
    } else {
        wal_make(store);
    }
}

static void read_snapshot_head(struct wal_store *store);

static void snapshot_head_was_read(void *context, struct file_task *task)
{
    struct wal_store *store = context;
    struct wal_recovery *recovery = store->recovery;
    const char *problem = "it ends within its header";
    if (!wal_recovery_worked(store, task)) {
        return;
    }
    struct bytes rest = {task->data, task->moved};
    struct bytes machine_bytes = {NULL, 0};
    recovery->snapshot_read += task->moved;
    while (rest.size > 0 && !recovery->snapshot.has_meta) {
        if (!snapshot_decode(&recovery->snapshot, &rest, &machine_bytes, &problem)) {
            break;
        }
    }
    if (!recovery->snapshot.has_meta) {
        if (rest.size == 0 && recovery->snapshot_read < recovery->snapshot_bytes) {
            read_snapshot_head(store);
        } else {
            refuse_snapshot(store, problem);
        }
    } else if (recovery->snapshot.meta.index != recovery->snapshot_index) {
        refuse_snapshot(store, "its header has another index than its name");
    } else {
        read_log(store);
    }
}

static void read_snapshot_head(struct wal_store *store)
{
    struct wal_recovery *recovery = store->recovery;
    struct file_task *read = wal_recovery_task(store);
    buffer_clear(&recovery->bytes);
    read->file = recovery->snapshot_file;
    read->size = SNAPSHOT_HEAD_READ_BYTES;
    read->data = buffer_extend(&recovery->bytes, SNAPSHOT_HEAD_READ_BYTES);
    read->offset = recovery->snapshot_read;
    wal_recovery_ask(store, FILE_READ, snapshot_head_was_read);
}

static void snapshot_was_opened(void *context, struct file_task *task)
{
    struct wal_store *store = context;
    if (wal_recovery_worked(store, task)) {
        store->recovery->snapshot_file = task->file;
        store->recovery->snapshot_bytes = task->file_size;
        read_snapshot_head(store);
    }
}

/* ---- the beginning -------------------------------------------------------------------------- */

static void names_were_listed(void *context, struct file_task *task)
{
    struct wal_store *store = context;
    struct wal_recovery *recovery = store->recovery;
    if (!wal_recovery_worked(store, task)) {
        return;
    }
    for (size_t at = 0; at < recovery->names.size;) {
        const char *name = (const char *)recovery->names.data + at;
        uint32_t number = 0;
        uint64_t index = 0;
        if (wal_name_parse(name, &number)) {
            *array_push(&recovery->numbers) = number;
        } else if (wal_snapshot_name_parse(name, &index) && index > recovery->snapshot_index) {
            recovery->snapshot_index = index;
        }
        at += strlen(name) + 1;
    }
    if (recovery->snapshot_index == 0) {
        read_log(store);
        return;
    }
    struct file_task *open = wal_recovery_task(store);
    wal_snapshot_name(recovery->snapshot_name, recovery->snapshot_index);
    open->name = recovery->snapshot_name;
    wal_recovery_ask(store, FILE_OPEN, snapshot_was_opened);
}

static void directory_is_locked(void *context, struct file_task *task)
{
    struct wal_store *store = context;
    if (wal_recovery_worked(store, task)) {
        wal_recovery_task(store)->names = &store->recovery->names;
        wal_recovery_ask(store, FILE_LIST, names_were_listed);
    }
}

void wal_recover(struct wal_store *store)
{
    ensure(store->recovery == NULL);
    struct wal_recovery *recovery = memory_new_zeroed(1, sizeof *recovery);
    store->recovery = recovery;
    image_clear(&recovery->image);
    wal_scan_begin(&recovery->scan, &recovery->image, &store->identity, NULL);
    (void)wal_recovery_task(store);
    wal_recovery_ask(store, FILE_LOCK, directory_is_locked);
}

void wal_recovery_free(struct wal_store *store)
{
    struct wal_recovery *recovery = store->recovery;
    if (recovery == NULL) {
        return;
    }
    store->recovery = NULL;
    wal_scan_free(&recovery->scan);
    snapshot_decoder_free(&recovery->snapshot);
    image_free(&recovery->image);
    buffer_free(&recovery->names);
    buffer_free(&recovery->bytes);
    array_free(&recovery->numbers);
    array_free(&recovery->files);
    memory_free(recovery->buffers[0]);
    memory_free(recovery->buffers[1]);
    memory_free(recovery);
}
