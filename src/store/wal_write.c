/*
 * Writing to the log: what waits is put together to one group, which is written and synced as one.
 * One write is in flight, and what comes meanwhile goes into the next. It never writes to a place
 * that holds what was acknowledged, and repeats nothing that failed.
 */
#include "store/wal_store.h"

static uint64_t highest_index(const struct group *group)
{
    uint64_t highest = 0;
    for (size_t i = 0; i < group->records.count; i++) {
        const struct group_record *record = &group->records.items[i];
        if (record->entry_count > 0 && record->first_index + record->entry_count - 1 > highest) {
            highest = record->first_index + record->entry_count - 1;
        }
    }
    return highest;
}

/* What the group is with a segment's head before it. */
static uint64_t bytes_in_segment(struct wal_store *store, uint64_t bytes, bool begins)
{
    return bytes +
           (begins ? wal_checkpoint_bytes(&store->image.first_members, &store->scratch) : 0);
}

/* A place for so many bytes. false: there is none yet. */
static bool find_room(struct wal_store *store, uint64_t bytes)
{
    struct wal_tail *tail = &store->tail;
    bool begins = tail->group == 0;
    uint32_t wanted = wal_sector_count(bytes_in_segment(store, bytes, begins));
    if (begins || (tail->position < tail->sectors && wanted <= tail->sectors - tail->position)) {
        return true;
    }
    if (store->next.state != WAL_NEXT_READY) {
        return false;
    }
    wal_segments_turn(store);
    return true;
}

static void encode(struct wal_store *store, uint64_t group_bytes)
{
    struct wal_tail *tail = &store->tail;
    bool begins = tail->group == 0;
    uint64_t bytes = bytes_in_segment(store, group_bytes, begins);
    ensure(bytes > 0 && bytes < INT32_MAX);
    struct wal_sector sector = {.segment = tail->number,
                                .position = tail->position,
                                .group = tail->group + 1,
                                .size = (uint32_t)bytes,
                                .life = store->life};
    struct wal_encoder encoder;
    buffer_clear(&store->out);
    wal_encoder_begin(&encoder, &store->out, &sector);
    if (begins) {
        struct wal_checkpoint checkpoint = {
            .former_groups =
                store->full.count == 0 ? 0 : store->full.items[store->full.count - 1].groups,
            .term = store->image.term,
            .vote = store->image.vote,
            .vote_directory = store->image.vote_directory,
            .next_index = store->image.log.first_index + store->image.log.count,
        };
        wal_checkpoint_encode(&checkpoint, &store->image.first_members, &store->scratch, &encoder);
    }
    wal_group_encode(&store->written, &encoder);
    wal_encoder_end(&encoder);
    store->out_sectors = wal_sector_count(bytes);
    ensure(store->out.size == (size_t)store->out_sectors * WAL_SECTOR_BYTES);
}

/* Confirms as the last thing: the callback may close the store. */
static void confirm(struct wal_store *store)
{
    struct wal_tail *tail = &store->tail;
    uint64_t sequence = group_last(&store->written)->sequence;
    uint64_t term = group_last(&store->written)->term;
    uint64_t highest = highest_index(&store->written);
    tail->position += store->out_sectors;
    tail->sectors = tail->position > tail->sectors ? tail->position : tail->sectors;
    tail->group++;
    tail->last_index = highest > tail->last_index ? highest : tail->last_index;
    store->head.sync_count++;
    image_settle(&store->image, &store->written);
    bool told = !store->reopen; /* else another life has begun, which did not ask for this */
    if (store->waiting.records.count > 0) {
        wal_write_now(store);
    } else if (store->phase == WAL_CLOSING) {
        wal_write_soon(store);
    }
    wal_segments_review(store);
    if (told && store->phase != WAL_CLOSED) {
        store->handler.persisted(store->handler.context, sequence, term);
    }
}

static void written(void *context, struct file_task *task)
{
    struct wal_store *store = context;
    store->writing = false;
    if (task->error == FILE_OK) {
        confirm(store);
    } else {
        wal_fail(store, "%s: %s", "the log cannot be written", task->problem);
    }
}

void wal_write_now(struct wal_store *store)
{
    ensure(!store->writing && store->waiting.records.count > 0);
    uint64_t bytes = 0;
    size_t count = wal_group_measure(&store->waiting, WAL_GROUP_BYTES, &bytes);
    store->lacks_room = !find_room(store, bytes);
    if (store->lacks_room) {
        wal_segments_review(store); /* it goes on when there is */
        return;
    }
    group_move(&store->waiting, count, &store->written);
    encode(store, bytes);
    store->writing = true;
    store->write = (struct file_task){
        .done = written,
        .context = store,
        .kind = FILE_WRITE,
        .sync = true,
        .file = store->tail.file,
        .data = store->out.data,
        .size = store->out.size,
        .offset = (uint64_t)store->tail.position * WAL_SECTOR_BYTES,
    };
    files_submit(store->files, &store->write);
}

void wal_write_soon(struct wal_store *store)
{
    store->world->operations->flush_soon(store->world, &store->flusher);
}
