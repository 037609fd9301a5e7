/*
 * A disk in memory. What is handed to it is durable at the end of the turn; on a disk that is slow
 * or stalls later, where one write is in flight and what comes meanwhile is written together after
 * it. A power cut loses the rest. Recovery and an orderly end are events of the world, too. It
 * never calls back from within a call, never copies a payload and reads no clock of its own.
 */
#include "store/internal.h"

#include <string.h>

enum phase { CLOSED, RECOVERING, OPEN, CLOSING };

struct memory_store {
    struct store head;
    struct world *world;
    struct store_handler handler;
    struct wakeup wakeup;   /* ends the recovery, the write in flight, or the closing ... */
    struct flusher flusher; /* ... and this a write that takes no time */
    uint64_t id;
    uint64_t seed;
    struct disk_faults faults;
    struct random fault_stream;
    enum phase phase;
    bool writing; /* a write is in flight: the group `written` */
    struct group written;
    struct group waiting;

    uint64_t disk; /* how many there were before this one */
    uint64_t directory;
    struct image image;                /* what the disk holds for sure ... */
    struct memory_snapshots snapshots; /* ... beside these */
};

/* ---- writing -------------------------------------------------------------------------------- */

static void cut_power(struct memory_store *store);

/* The group is on disk. */
static void settle(struct memory_store *store, struct group *group)
{
    store->head.sync_count += group->records.count > 0;
    image_settle(&store->image, group);
}

static void wake_in(struct memory_store *store, int64_t duration_ns)
{
    store->world->operations->wake_at(store->world, &store->wakeup,
                                      world_now_ns(store->world) + duration_ns);
}

static void start_write(struct memory_store *store)
{
    ensure(!store->writing && store->waiting.records.count > 0);
    struct group group = store->written;
    store->written = store->waiting;
    store->waiting = group;
    store->writing = true;
    if (!store->faults.stall) {
        wake_in(store, store->faults.sync_delay_ns);
    }
}

/* Of a write that is due. true: it fails, and all is told. */
static bool write_fails(struct memory_store *store)
{
    bool write_error = random_chance(&store->fault_stream, store->faults.write_error);
    bool sync_error = random_chance(&store->fault_stream, store->faults.sync_error);
    if (!write_error && !sync_error) {
        return false;
    }
    cut_power(store);
    store->handler.failed(store->handler.context, write_error ? "a write to the disk has failed"
                                                              : "a sync of the disk has failed");
    return true;
}

/* Confirms as the last thing: the callback may close the store. */
static void confirm(struct memory_store *store, struct group *group)
{
    uint64_t sequence = group_last(group)->sequence;
    uint64_t term = group_last(group)->term;
    settle(store, group);
    if (store->waiting.records.count > 0) {
        start_write(store);
    } else if (store->phase == CLOSING) {
        wake_in(store, 0);
    }
    store->handler.persisted(store->handler.context, sequence, term);
}

static void on_wakeup(void *context)
{
    struct memory_store *store = context;
    ensure(store->phase != CLOSED);
    if (store->writing) {
        store->writing = false;
        if (!write_fails(store)) {
            confirm(store, &store->written);
        }
    } else if (store->phase == RECOVERING) {
        store->phase = OPEN;
        store->handler.recovered(store->handler.context, NULL);
    } else {
        ensure(store->phase == CLOSING);
        store->phase = CLOSED;
        store->handler.closed(store->handler.context);
    }
}

/* A write that takes no time holds all that came since the last one. */
static void turn_ends(void *context)
{
    struct memory_store *store = context;
    if (!store->writing && store->waiting.records.count > 0 && !write_fails(store)) {
        confirm(store, &store->waiting);
    } /* what is in flight took time, and takes the rest along when it ends */
}

static void memory_persist(struct store *head, const struct raft_persist *persist,
                           const struct raft *raft)
{
    struct memory_store *store = (struct memory_store *)head;
    ensure(store->phase == OPEN && persist->sequence > 0);
    head->byte_count += group_add(&store->waiting, persist, raft);
    if (store->faults.sync_delay_ns == 0 && !store->faults.stall) {
        store->world->operations->flush_soon(store->world, &store->flusher);
    } else if (!store->writing) {
        start_write(store);
    }
}

/* ---- life ----------------------------------------------------------------------------------- */

/* 0 means none, so it is never given; the sign's bit neither, for whoever has only signed numbers.
 */
static uint64_t draw_directory(const struct memory_store *store)
{
    struct random stream =
        random_stream_of(store->seed, "disk", store->id, store->disk, "directory");
    uint64_t directory = 0;
    while (directory == 0) {
        directory = random_next(&stream) >> 1;
    }
    return directory;
}

/* The streams are those of this disk. */
static void insert_disk(struct memory_store *store)
{
    store->fault_stream = random_stream_of(store->seed, "disk", store->id, store->disk, "fault");
    store->directory = draw_directory(store);
}

/* What is under way is lost; no callback comes for it. */
static void cut_power(struct memory_store *store)
{
    store->phase = CLOSED;
    store->writing = false;
    store->world->operations->wake_at(store->world, &store->wakeup, WORLD_NEVER);
    store->world->operations->flush_cancel(store->world, &store->flusher);
    group_drop(&store->written);
    group_drop(&store->waiting);
    memory_snapshots_cut(&store->snapshots);
}

/* An orderly end has nothing but the memory to write to: it need not be waited for. */
static void finish_closing(struct memory_store *store)
{
    settle(store, &store->written);
    settle(store, &store->waiting);
    cut_power(store);
}

static void memory_open(struct store *head, const struct store_handler *handler)
{
    struct memory_store *store = (struct memory_store *)head;
    ensure(store->phase == CLOSED || store->phase == CLOSING);
    if (store->phase == CLOSING) {
        finish_closing(store);
    }
    memory_snapshots_recover(&store->snapshots);
    store->handler = *handler;
    store->phase = RECOVERING;
    wake_in(store, 0);
}

static void memory_close(struct store *head, bool sync)
{
    struct memory_store *store = (struct memory_store *)head;
    if (!sync) {
        cut_power(store);
    } else if (store->phase == RECOVERING || store->phase == OPEN) {
        bool writes = store->phase == OPEN && (store->writing || store->waiting.records.count > 0);
        store->phase = CLOSING;
        memory_snapshots_cut(&store->snapshots);
        if (!writes) {
            wake_in(store, 0);
        }
    }
}

static void memory_wipe(struct store *head)
{
    struct memory_store *store = (struct memory_store *)head;
    ensure(store->phase == CLOSED || store->phase == CLOSING);
    cut_power(store);
    image_clear(&store->image);
    memory_snapshots_clear(&store->snapshots);
    store->disk++;
    insert_disk(store);
}

static void memory_format(struct store *head, const struct raft_start *start)
{
    struct memory_store *store = (struct memory_store *)head;
    ensure(store->phase == CLOSED);
    image_format(&store->image, start);
}

static bool memory_set_faults(struct store *head, const struct disk_faults *faults,
                              struct failure *failure)
{
    struct memory_store *store = (struct memory_store *)head;
    bool others = faults->full || faults->corrupt > 0 || faults->misdirect_read > 0 ||
                  faults->misdirect_write > 0 || faults->torn_write || faults->flip ||
                  faults->crash_after > 0;
    ensure(faults->sync_delay_ns >= 0);
    if (others) {
        failure_set(failure, FAILURE_UNSUPPORTED,
                    "a disk in memory can be slow, stall, or fail to write and sync: all else only "
                    "the simulated world's disks do");
        return false;
    }
    bool goes_on = store->faults.stall && !faults->stall && store->writing;
    store->faults = *faults;
    if (goes_on) {
        wake_in(store, 0);
    } else if (faults->stall && store->writing) {
        store->world->operations->wake_at(store->world, &store->wakeup, WORLD_NEVER);
    }
    return true;
}

static void memory_contents(const struct store *head, struct store_contents *contents)
{
    const struct memory_store *store = (const struct memory_store *)head;
    image_contents(&store->image, contents);
    contents->directory = store->directory;
    contents->snapshot = *memory_snapshots_latest(&store->snapshots);
}

static const struct raft_entry *memory_entry_at(const struct store *head, uint64_t index)
{
    return entry_chunks_at(&((const struct memory_store *)head)->image.log, index);
}

/* ---- snapshots ------------------------------------------------------------------------------ */

static struct store_writer *memory_snapshot_begin(struct store *head,
                                                  const struct raft_snapshot *meta)
{
    struct memory_store *store = (struct memory_store *)head;
    ensure(store->phase == OPEN);
    return memory_snapshots_begin(&store->snapshots, meta);
}

static void memory_snapshot_finish(struct store_writer *writer, store_finished *done, void *context)
{
    struct memory_store *store = (struct memory_store *)memory_snapshots_of(writer)->store;
    memory_snapshots_finish(writer, store->faults.sync_delay_ns, done, context);
}

static void memory_snapshot_read(struct store *head, uint64_t index, uint64_t offset, size_t size,
                                 store_read_done *done, void *context)
{
    struct memory_store *store = (struct memory_store *)head;
    ensure(store->phase == OPEN);
    memory_snapshots_read(&store->snapshots, index, offset, size, done, context);
}

static void memory_snapshot_file(uint64_t index, char *name, size_t size)
{
    (void)index;
    ensure(size > 0);
    name[0] = 0;
}

static void memory_snapshot_drop(struct store *head, uint64_t index)
{
    memory_snapshots_drop(&((struct memory_store *)head)->snapshots, index);
}

static void memory_compact(struct store *head, uint64_t first_index)
{
    image_compact(&((struct memory_store *)head)->image, first_index);
}

static void memory_store_free(struct store *head)
{
    struct memory_store *store = (struct memory_store *)head;
    cut_power(store);
    group_free(&store->written);
    group_free(&store->waiting);
    image_free(&store->image);
    memory_snapshots_clear(&store->snapshots);
    memory_free(store);
}

static const struct store_operations operations = {
    .open = memory_open,
    .contents = memory_contents,
    .entry_at = memory_entry_at,
    .persist = memory_persist,
    .close = memory_close,
    .wipe = memory_wipe,
    .format = memory_format,
    .set_faults = memory_set_faults,
    .snapshot_begin = memory_snapshot_begin,
    .snapshot_write = memory_snapshots_write,
    .snapshot_finish = memory_snapshot_finish,
    .snapshot_abort = memory_snapshots_abort,
    .snapshot_read = memory_snapshot_read,
    .snapshot_file = memory_snapshot_file,
    .snapshot_drop = memory_snapshot_drop,
    .compact = memory_compact,
    .free = memory_store_free,
};

struct store *store_memory_new(struct world *world, uint64_t id, uint64_t seed)
{
    ensure(world != NULL && id > 0);
    struct memory_store *store = memory_new_zeroed(1, sizeof *store);
    store->head.operations = &operations;
    store->world = world;
    store->wakeup = (struct wakeup){.fire = on_wakeup, .context = store};
    store->flusher = (struct flusher){.flush = turn_ends, .context = store};
    store->id = id;
    store->seed = seed;
    store->snapshots.world = world;
    store->snapshots.store = &store->head;
    image_clear(&store->image);
    insert_disk(store);
    return &store->head;
}
