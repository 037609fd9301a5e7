/*
 * The row of segments: the next one is made before it is needed, out of one that is not needed any
 * more where there is one, else of a new file of zeros; what else is not needed is removed. All of
 * that goes on beside the log's writes. A full disk is found here, a whole segment ahead.
 *
 * It never touches a segment that is needed, and gives a file its name only when its header is
 * durable.
 */
#include "store/wal_store.h"

#include <inttypes.h>

#define GROW_BYTES (1U << 20) /* a file of zeros grows by so much in one task */
#define AGAIN_NS 1000000000   /* a full disk is tried again after so long */

static void ask(struct wal_store *store, enum file_task_kind kind,
                void (*done)(void *context, struct file_task *task))
{
    struct wal_next *next = &store->next;
    next->task.done = done;
    next->task.context = store;
    next->task.kind = kind;
    next->task.bulk = true;
    files_submit(store->files, &next->task);
}

/* Of a new task: nothing of the last one. */
static struct file_task *fresh(struct wal_store *store)
{
    store->next.task = (struct file_task){.file = store->next.file};
    return &store->next.task;
}

static void stop_for_full_disk(struct wal_store *store)
{
    wal_fail(store,
             "the disk is full: the log needs a file of %u bytes more; free some space and start "
             "this node again (nothing that was acknowledged is lost)",
             store->segment_bytes);
}

static void disk_is_full(struct wal_store *store)
{
    struct wal_next *next = &store->next;
    next->state = WAL_NEXT_FULL;
    if (store->lacks_room) {
        stop_for_full_disk(store);
        return;
    }
    store->world->operations->wake_at(store->world, &next->again,
                                      world_now_ns(store->world) + AGAIN_NS);
    if (next->told_full) {
        return;
    }
    next->told_full = true;
    uint64_t left =
        (uint64_t)(store->tail.sectors - store->tail.position) * (uint64_t)WAL_SECTOR_BYTES;
    wal_notice(store,
               "the disk is full: the log has room for %" PRIu64 " bytes more, then this "
               "node stops",
               left);
}

/* Whether the step worked; else all is told. */
static bool worked(struct wal_store *store, const struct file_task *task)
{
    if (task->error == FILE_FULL && store->next.state == WAL_NEXT_MAKING) {
        disk_is_full(store);
    } else if (task->error != FILE_OK) {
        wal_fail(store, "the next file of the log cannot be made: %s", task->problem);
    }
    return task->error == FILE_OK;
}

/* ---- making the next one, the last step first ----------------------------------------------- */

static void name_is_durable(void *context, struct file_task *task)
{
    struct wal_store *store = context;
    if (!worked(store, task)) {
        return;
    }
    store->next.state = WAL_NEXT_READY;
    store->next.told_full = false;
    store->next.sectors = store->segment_bytes / WAL_SECTOR_BYTES;
    if (store->lacks_room) {
        wal_write_now(store);
    }
    wal_segments_review(store);
}

static void was_named(void *context, struct file_task *task)
{
    struct wal_store *store = context;
    if (worked(store, task)) {
        (void)fresh(store);
        ask(store, FILE_SYNC_DIRECTORY, name_is_durable);
    }
}

static void header_is_durable(void *context, struct file_task *task)
{
    struct wal_store *store = context;
    if (worked(store, task)) {
        struct file_task *rename = fresh(store);
        rename->name = WAL_SPARE_NAME;
        rename->new_name = store->next.name;
        ask(store, FILE_RENAME, was_named);
    }
}

static void write_header(struct wal_store *store)
{
    struct wal_header header = {
        .identity = store->identity, .version = WAL_VERSION, .segment_bytes = store->segment_bytes};
    buffer_clear(&store->next.header);
    wal_header_encode(&header, store->tail.number + 1, &store->next.header);
    struct file_task *write = fresh(store);
    write->data = store->next.header.data;
    write->size = store->next.header.size;
    write->sync = true;
    ask(store, FILE_WRITE, header_is_durable);
}

static void grow(struct wal_store *store);

static void has_grown(void *context, struct file_task *task)
{
    struct wal_store *store = context;
    if (worked(store, task)) {
        store->next.size = task->size;
        grow(store);
    }
}

static void grow(struct wal_store *store)
{
    struct wal_next *next = &store->next;
    if (next->size == store->segment_bytes) {
        write_header(store);
        return;
    }
    uint64_t left = store->segment_bytes - next->size;
    struct file_task *resize = fresh(store);
    resize->size = (size_t)(next->size + (left < GROW_BYTES ? left : GROW_BYTES));
    ask(store, FILE_RESIZE, has_grown);
}

static void was_opened(void *context, struct file_task *task)
{
    struct wal_store *store = context;
    struct wal_next *next = &store->next;
    if (!worked(store, task)) {
        return;
    }
    next->file = task->file;
    next->size = task->file_size;
    /* A new file's bytes are zeros, of whatever an interrupted life has left under that name. */
    uint64_t kept = next->recycled ? store->segment_bytes : 0;
    if (next->size > kept) {
        struct file_task *resize = fresh(store);
        resize->size = (size_t)kept;
        ask(store, FILE_RESIZE, has_grown);
    } else {
        grow(store);
    }
}

static void open_spare(struct wal_store *store)
{
    struct file_task *open = fresh(store);
    open->name = WAL_SPARE_NAME;
    open->create = true;
    ask(store, FILE_OPEN, was_opened);
}

/* ---- what is not needed --------------------------------------------------------------------- */

/* How many of the oldest segments nobody needs. */
static size_t count_spare(const struct wal_store *store)
{
    size_t count = 0;
    while (count < store->full.count && store->full.items[count].last_index < store->needed_index) {
        count++;
    }
    return count;
}

/* One goes after the other, each for good: what is left is always a row without a gap. */
static void former_is_spare(void *context, struct file_task *task)
{
    struct wal_store *store = context;
    if (worked(store, task)) {
        array_remove(&store->full, 0, 1);
        open_spare(store);
    }
}

static void former_was_renamed(void *context, struct file_task *task)
{
    struct wal_store *store = context;
    if (worked(store, task)) {
        (void)fresh(store);
        ask(store, FILE_SYNC_DIRECTORY, former_is_spare);
    }
}

static void rename_former(struct wal_store *store)
{
    struct file_task *task = fresh(store);
    wal_name(store->next.former_name, store->full.items[0].number);
    task->name = store->next.former_name;
    task->new_name = WAL_SPARE_NAME;
    ask(store, FILE_RENAME, former_was_renamed);
}

static void ask_removal(struct wal_store *store, enum file_task_kind kind,
                        void (*done)(void *context, struct file_task *task))
{
    struct wal_removal *removal = &store->removal;
    removal->task = (struct file_task){
        .done = done, .context = store, .kind = kind, .bulk = true, .name = removal->name};
    files_submit(store->files, &removal->task);
}

static bool removal_worked(struct wal_store *store, const struct file_task *task)
{
    if (task->error != FILE_OK) {
        wal_fail(store, "a former file of the log cannot be removed: %s", task->problem);
    }
    return task->error == FILE_OK;
}

static void removal_is_durable(void *context, struct file_task *task)
{
    struct wal_store *store = context;
    if (removal_worked(store, task)) {
        store->removal.busy = false;
        array_remove(&store->full, 0, 1);
        wal_segments_review(store);
    }
}

static void former_was_removed(void *context, struct file_task *task)
{
    struct wal_store *store = context;
    if (removal_worked(store, task)) {
        ask_removal(store, FILE_SYNC_DIRECTORY, removal_is_durable);
    }
}

static void remove_former(struct wal_store *store)
{
    store->removal.busy = true;
    wal_name(store->removal.name, store->full.items[0].number);
    ask_removal(store, FILE_REMOVE, former_was_removed);
}

/* ---- when ----------------------------------------------------------------------------------- */

static void make_next(struct wal_store *store)
{
    struct wal_next *next = &store->next;
    bool goes_on = next->state == WAL_NEXT_FULL && next->file != NULL;
    next->state = WAL_NEXT_MAKING;
    wal_name(next->name, store->tail.number + 1);
    if (goes_on) {
        grow(store);
        return;
    }
    next->recycled = count_spare(store) > 0 && !store->removal.busy;
    if (next->recycled) {
        rename_former(store);
    } else {
        open_spare(store);
    }
}

void wal_segments_review(struct wal_store *store)
{
    struct wal_next *next = &store->next;
    const struct wal_tail *tail = &store->tail;
    if (store->phase != WAL_OPEN && store->phase != WAL_CLOSING) {
        return;
    }
    if (next->state == WAL_NEXT_FULL && store->lacks_room) {
        make_next(store); /* there may be room now; else that stops it */
        return;
    }
    bool wanted = store->lacks_room || tail->position >= tail->sectors / 2;
    if (next->state == WAL_NEXT_NONE && wanted) {
        make_next(store);
    }
    /* One is kept, to be used again. */
    if (next->state != WAL_NEXT_MAKING && !store->removal.busy && count_spare(store) > 1) {
        remove_former(store);
    }
}

static void try_again(void *context)
{
    struct wal_store *store = context;
    if (store->next.state == WAL_NEXT_FULL) {
        make_next(store);
    }
}

static void close_done_file(struct wal_store *store);

static void was_closed(void *context, struct file_task *task)
{
    struct wal_store *store = context;
    (void)task; /* all of it was synced before */
    store->is_closing = false;
    close_done_file(store);
}

static void close_done_file(struct wal_store *store)
{
    if (store->is_closing || store->done_files.count == 0) {
        return;
    }
    store->is_closing = true;
    store->closing = (struct file_task){.done = was_closed,
                                        .context = store,
                                        .kind = FILE_CLOSE,
                                        .bulk = true,
                                        .file = store->done_files.items[0]};
    array_remove(&store->done_files, 0, 1);
    files_submit(store->files, &store->closing);
}

void wal_segments_turn(struct wal_store *store)
{
    struct wal_next *next = &store->next;
    struct wal_tail *tail = &store->tail;
    ensure(next->state == WAL_NEXT_READY && !store->writing);
    *array_push(&store->full) = (struct wal_full){
        .number = tail->number, .groups = tail->group, .last_index = tail->last_index};
    *array_push(&store->done_files) = tail->file;
    *tail = (struct wal_tail){
        .file = next->file, .number = tail->number + 1, .sectors = next->sectors, .position = 1};
    next->file = NULL;
    next->state = WAL_NEXT_NONE;
    close_done_file(store);
}

void wal_segments_prepare(struct wal_store *store)
{
    store->next.again = (struct wakeup){.fire = try_again, .context = store};
}

void wal_segments_cut(struct wal_store *store)
{
    struct wal_next *next = &store->next;
    store->world->operations->wake_at(store->world, &next->again, WORLD_NEVER);
    next->state = WAL_NEXT_NONE;
    next->told_full = false;
    next->file = NULL;
    store->removal.busy = false;
    store->tail = (struct wal_tail){0};
    store->full.count = 0;
    store->done_files.count = 0;
    store->is_closing = false;
}

void wal_segments_free(struct wal_store *store)
{
    array_free(&store->full);
    array_free(&store->done_files);
    buffer_free(&store->next.header);
}
