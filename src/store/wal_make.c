/*
 * Making the log in an empty directory: its first segment gets its name only when all that an empty
 * disk is to hold is durable in it. Interrupted, there is no log, and it is made anew.
 */
#include "store/wal_store.h"

#include <string.h>

static void name_is_durable(void *context, struct file_task *task)
{
    struct wal_store *store = context;
    if (!wal_recovery_worked(store, task)) {
        return;
    }
    uint32_t sectors = store->segment_bytes / WAL_SECTOR_BYTES;
    uint32_t position = 1 + store->out_sectors;
    store->life = 1;
    store->formatted = true;
    store->tail.number = 1;
    store->tail.sectors = position > sectors ? position : sectors;
    store->tail.position = position;
    store->tail.group = 1;
    store->tail.last_index =
        store->image.log.count > 0 ? store->image.log.first_index + store->image.log.count - 1 : 0;
    wal_recovered(store, NULL);
}

static void was_named(void *context, struct file_task *task)
{
    struct wal_store *store = context;
    if (wal_recovery_worked(store, task)) {
        (void)wal_recovery_task(store);
        wal_recovery_ask(store, FILE_SYNC_DIRECTORY, name_is_durable);
    }
}

static void is_durable(void *context, struct file_task *task)
{
    struct wal_store *store = context;
    if (wal_recovery_worked(store, task)) {
        struct file_task *rename = wal_recovery_task(store);
        wal_name(store->next.name, 1);
        rename->name = WAL_FORMAT_NAME;
        rename->new_name = store->next.name;
        wal_recovery_ask(store, FILE_RENAME, was_named);
    }
}

/* What the disk shall hold: the checkpoint has all but the entries. */
static void put_image(struct wal_store *store)
{
    const struct image *image = &store->image;
    struct group group = {0};
    struct wal_encoder encoder;
    uint64_t bytes = 0;
    if (image->log.count > 0) {
        *array_push(&group.records) = (struct group_record){
            .first_index = image->log.first_index, .entry_count = (uint32_t)image->log.count};
        for (uint64_t i = 0; i < image->log.count; i++) {
            struct raft_entry *entry = array_push(&group.entries);
            *entry = *entry_chunks_at(&image->log, image->log.first_index + i);
            entry->batch = entry->batch != NULL ? batch_hold(entry->batch) : NULL;
        }
    }
    (void)wal_group_measure(&group, UINT64_MAX, &bytes);
    bytes += wal_checkpoint_bytes(&image->first_members, &store->scratch);
    ensure(bytes < INT32_MAX);
    struct wal_checkpoint checkpoint = {.term = image->term,
                                        .vote = image->vote,
                                        .vote_directory = image->vote_directory,
                                        .next_index = image->log.first_index};
    struct wal_sector sector = {
        .segment = 1, .position = 1, .group = 1, .size = (uint32_t)bytes, .life = 1};
    wal_encoder_begin(&encoder, &store->out, &sector);
    wal_checkpoint_encode(&checkpoint, &image->first_members, &store->scratch, &encoder);
    wal_group_encode(&group, &encoder);
    wal_encoder_end(&encoder);
    store->out_sectors = wal_sector_count(bytes);
    group_free(&group);
}

static void is_large_enough(void *context, struct file_task *task)
{
    struct wal_store *store = context;
    struct wal_header header = {
        .identity = store->identity, .version = WAL_VERSION, .segment_bytes = store->segment_bytes};
    if (!wal_recovery_worked(store, task)) {
        return;
    }
    buffer_clear(&store->out);
    wal_header_encode(&header, 1, &store->out);
    put_image(store);
    struct file_task *write = wal_recovery_task(store);
    write->file = store->tail.file;
    write->data = store->out.data;
    write->size = store->out.size;
    write->sync = true;
    wal_recovery_ask(store, FILE_WRITE, is_durable);
}

static void is_empty(void *context, struct file_task *task)
{
    struct wal_store *store = context;
    if (wal_recovery_worked(store, task)) {
        struct file_task *resize = wal_recovery_task(store);
        resize->file = store->tail.file;
        resize->size = store->segment_bytes;
        wal_recovery_ask(store, FILE_RESIZE, is_large_enough);
    }
}

static void was_opened(void *context, struct file_task *task)
{
    struct wal_store *store = context;
    if (!wal_recovery_worked(store, task)) {
        return;
    }
    store->tail.file = task->file;
    if (task->file_size == 0) {
        is_empty(store, task);
    } else { /* what an interrupted life has left */
        struct file_task *resize = wal_recovery_task(store);
        resize->file = store->tail.file;
        wal_recovery_ask(store, FILE_RESIZE, is_empty);
    }
}

void wal_make(struct wal_store *store)
{
    struct file_task *open = wal_recovery_task(store);
    open->name = WAL_FORMAT_NAME;
    open->create = true;
    wal_recovery_ask(store, FILE_OPEN, was_opened);
}
