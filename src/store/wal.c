/*
 * The write-ahead log as a store: its life from opening to closing, and what others ask of it. All
 * that takes time is in the other wal_*.c; wal.h tells what the files hold.
 *
 * It never confirms what is not durable, and after a failed operation nothing at all: the disk's
 * word is not believed any more.
 */
#include "store/wal_store.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- its end -------------------------------------------------------------------------------- */

/* What is under way is lost; no callback comes for it. */
static void cut_power(struct wal_store *store)
{
    store->phase = WAL_CLOSED;
    store->files->operations->cut(store->files);
    store->world->operations->flush_cancel(store->world, &store->flusher);
    wal_segments_cut(store);
    wal_snapshots_cut(store);
    wal_recovery_free(store);
    wal_look_free(store);
    store->writing = false;
    store->lacks_room = false;
    store->reopen = false;
    group_drop(&store->written);
    group_drop(&store->waiting);
}

static void begin(struct wal_store *store)
{
    store->phase = WAL_RECOVERING;
    wal_recover(store);
}

/* The last life is over; the next one begins if it was asked for. */
static bool begins_anew(struct wal_store *store)
{
    bool reopen = store->reopen;
    cut_power(store);
    if (reopen) {
        begin(store);
    }
    return reopen;
}

void wal_fail(struct wal_store *store, const char *format, ...)
{
    char words[FILE_PROBLEM_BYTES_MAX + 64];
    va_list arguments;
    va_start(arguments, format);
    text_format(words, sizeof words, format, arguments);
    va_end(arguments);
    if (!begins_anew(store)) {
        store->handler.failed(store->handler.context, words);
    }
}

void wal_notice(struct wal_store *store, const char *format, ...)
{
    char words[256];
    va_list arguments;
    if (store->handler.noticed == NULL) {
        return;
    }
    va_start(arguments, format);
    text_format(words, sizeof words, format, arguments);
    va_end(arguments);
    store->handler.noticed(store->handler.context, words);
}

static void wal_close(struct store *head, bool sync)
{
    struct wal_store *store = (struct wal_store *)head;
    if (!sync) {
        cut_power(store);
    } else if (store->phase == WAL_RECOVERING) {
        cut_power(store);
        store->phase = WAL_CLOSING;
        wal_write_soon(store);
    } else if (store->phase == WAL_OPEN) {
        store->phase = WAL_CLOSING;
        wal_snapshots_end(store);
        if (!store->writing) {
            wal_write_soon(store);
        }
    }
}

static void power_lost(void *context)
{
    struct wal_store *store = context;
    if (store->handler.power_lost != NULL) {
        store->handler.power_lost(store->handler.context);
    } else {
        cut_power(store);
    }
}

/* ---- its beginning -------------------------------------------------------------------------- */

void wal_recovered(struct wal_store *store, const struct failure *failure)
{
    ensure(store->phase == WAL_RECOVERING);
    if (failure != NULL && failure->file[0] != 0 && !store->reads_again) {
        (void)snprintf(store->doubt, sizeof store->doubt, "%s", failure->message);
        cut_power(store);
        store->reads_again = true;
        begin(store); /* it may have been the reading, and not the disk */
        return;
    }
    if (failure != NULL) {
        struct failure copy = *failure;
        cut_power(store);
        store->handler.recovered(store->handler.context, &copy);
        return;
    }
    wal_recovery_free(store);
    store->formatted = true;
    store->phase = WAL_OPEN;
    if (store->reads_again) {
        wal_notice(store, "the disk was read twice: at first it seemed that %s", store->doubt);
    }
    wal_segments_review(store);
    store->handler.recovered(store->handler.context, NULL);
}

static void wal_open(struct store *head, const struct store_handler *handler)
{
    struct wal_store *store = (struct wal_store *)head;
    ensure(store->phase == WAL_CLOSED || store->phase == WAL_CLOSING);
    store->handler = *handler;
    store->reads_again = false;
    if (store->phase == WAL_CLOSING) {
        store->reopen = true;
    } else {
        begin(store);
    }
}

static void turn_ends(void *context)
{
    struct wal_store *store = context;
    if (store->writing || store->lacks_room) {
        return; /* what is in flight takes the rest along when it ends */
    }
    if (store->waiting.records.count > 0) {
        wal_write_now(store);
    } else if (store->phase == WAL_CLOSING && !begins_anew(store)) {
        store->handler.closed(store->handler.context);
    }
}

/* ---- what is asked of it -------------------------------------------------------------------- */

static void wal_persist(struct store *head, const struct raft_persist *persist,
                        const struct raft *raft)
{
    struct wal_store *store = (struct wal_store *)head;
    ensure(store->phase == WAL_OPEN && persist->sequence > 0);
    head->byte_count += group_add(&store->waiting, persist, raft);
    if (!store->writing && !store->lacks_room) {
        wal_write_soon(store);
    }
}

/* 0 means none, so it is never given; the sign's bit neither, for whoever has only signed numbers.
 */
static void draw_directory(struct wal_store *store)
{
    struct random stream =
        random_stream_of(store->seed, "disk", store->identity.id, store->disk, "directory");
    do {
        store->identity.directory = random_next(&stream) >> 1;
    } while (store->identity.directory == 0);
}

static void wal_wipe(struct store *head)
{
    struct wal_store *store = (struct wal_store *)head;
    ensure(store->phase == WAL_CLOSED || store->phase == WAL_CLOSING);
    cut_power(store);
    store->files->operations->wipe(store->files);
    wal_snapshots_clear(store);
    image_clear(&store->image);
    store->formatted = false;
    store->needed_index = 0;
    store->disk++;
    draw_directory(store);
}

static void wal_format(struct store *head, const struct raft_start *start)
{
    struct wal_store *store = (struct wal_store *)head;
    ensure(store->phase == WAL_CLOSED && !store->formatted);
    image_format(&store->image, start);
}

static bool wal_set_faults(struct store *head, const struct disk_faults *faults,
                           struct failure *failure)
{
    struct wal_store *store = (struct wal_store *)head;
    return store->files->operations->set_faults(store->files, faults, failure);
}

static void wal_compact(struct store *head, uint64_t first_index)
{
    struct wal_store *store = (struct wal_store *)head;
    image_compact(&store->image, first_index);
    if (first_index > store->needed_index) {
        store->needed_index = first_index;
        wal_segments_review(store);
    }
}

static void wal_contents(const struct store *head, struct store_contents *contents)
{
    const struct wal_store *store = (const struct wal_store *)head;
    image_contents(&store->image, contents);
    contents->directory = store->identity.directory;
    contents->snapshot = *wal_snapshots_latest(store);
}

static const struct raft_entry *wal_entry_at(const struct store *head, uint64_t index)
{
    return entry_chunks_at(&((const struct wal_store *)head)->image.log, index);
}

static void wal_free(struct store *head)
{
    struct wal_store *store = (struct wal_store *)head;
    cut_power(store);
    store->files->operations->free(store->files);
    wal_segments_free(store);
    wal_snapshots_clear(store);
    group_free(&store->written);
    group_free(&store->waiting);
    buffer_free(&store->out);
    buffer_free(&store->scratch);
    image_free(&store->image);
    memory_free(store);
}

static const struct store_operations operations = {
    .open = wal_open,
    .contents = wal_contents,
    .entry_at = wal_entry_at,
    .persist = wal_persist,
    .close = wal_close,
    .wipe = wal_wipe,
    .format = wal_format,
    .set_faults = wal_set_faults,
    .snapshot_begin = wal_snapshot_begin,
    .snapshot_write = wal_snapshot_write,
    .snapshot_finish = wal_snapshot_finish,
    .snapshot_abort = wal_snapshot_abort,
    .snapshot_read = wal_snapshot_read,
    .snapshot_file = wal_snapshot_file,
    .snapshot_drop = wal_snapshot_drop,
    .compact = wal_compact,
    .free = wal_free,
};

struct store *store_wal_new(struct world *world, struct files *files,
                            const struct store_wal_options *options)
{
    ensure(world != NULL && files != NULL && options->id > 0 && options->cluster_name != NULL);
    ensure(options->segment_bytes >= 8 * WAL_SECTOR_BYTES &&
           options->segment_bytes % WAL_SECTOR_BYTES == 0);
    struct wal_store *store = memory_new_zeroed(1, sizeof *store);
    size_t name_size = strlen(options->cluster_name);
    ensure(name_size <= WAL_CLUSTER_BYTES_MAX);
    store->head.operations = &operations;
    store->world = world;
    store->files = files;
    files->power_lost = power_lost;
    files->power_context = store;
    store->segment_bytes = options->segment_bytes;
    store->seed = options->seed;
    store->identity.id = options->id;
    memcpy(store->identity.cluster, options->cluster_name, name_size);
    store->flusher = (struct flusher){.flush = turn_ends, .context = store};
    wal_segments_prepare(store);
    image_clear(&store->image);
    draw_directory(store);
    return &store->head;
}
