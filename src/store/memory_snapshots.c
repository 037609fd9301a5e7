/*
 * Snapshots on a disk in memory: those that are whole, as blocks of bytes in their final form, and
 * what is under way. Writing and reading take no time but are events of the world; the last write
 * takes as long as a sync. A power cut loses what is not finished. It never looks into a machine's
 * bytes.
 */
#include "store/internal.h"

#include <string.h>

#define BLOCK_BYTES (64U << 10)

/* Bytes of one snapshot. All zero: none yet. */
struct blocks {
    array_of(uint8_t *) all; /* all full but the last */
    uint64_t size;
};

struct memory_snapshot {
    struct raft_snapshot meta;
    struct raft_configuration members;
    struct blocks blocks;
};

struct store_writer {
    struct list_link queued;
    struct memory_snapshots *owner;
    struct wakeup wakeup; /* ends what is under way: */
    store_done *write_done;
    store_finished *finish_done;
    void *context;
    struct failure failure; /* of that */
    bool is_own;
    struct snapshot_encoder encoder;  /* where it is */
    struct snapshot_decoder decoder;  /* and where it is not: it verifies */
    struct memory_snapshot *snapshot; /* NULL once it is whole */
    struct buffer scratch;
};

struct memory_read {
    struct list_link queued;
    struct memory_snapshots *owner;
    struct wakeup wakeup;
    uint64_t index;
    uint64_t offset;
    size_t size;
    store_read_done *done;
    void *context;
};

/* ---- blocks --------------------------------------------------------------------------------- */

static void blocks_append(struct blocks *blocks, struct bytes bytes)
{
    while (bytes.size > 0) {
        size_t filled = (size_t)(blocks->size % BLOCK_BYTES);
        if (filled == 0) {
            *array_push(&blocks->all) = memory_new(BLOCK_BYTES);
        }
        size_t room = BLOCK_BYTES - filled;
        size_t taken = bytes.size < room ? bytes.size : room;
        memcpy(blocks->all.items[blocks->all.count - 1] + filled, bytes.data, taken);
        blocks->size += taken;
        bytes = (struct bytes){bytes.data + taken, bytes.size - taken};
    }
}

static void blocks_read(const struct blocks *blocks, uint64_t offset, size_t size,
                        struct buffer *out)
{
    while (size > 0 && offset < blocks->size) {
        size_t from = (size_t)(offset % BLOCK_BYTES);
        uint64_t left = blocks->size - offset;
        size_t taken = BLOCK_BYTES - from < size ? BLOCK_BYTES - from : size;
        taken = left < taken ? (size_t)left : taken;
        buffer_append(out, blocks->all.items[offset / BLOCK_BYTES] + from, taken);
        offset += taken;
        size -= taken;
    }
}

static void snapshot_free(struct memory_snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->blocks.all.count; i++) {
        memory_free(snapshot->blocks.all.items[i]);
    }
    array_free(&snapshot->blocks.all);
    raft_configuration_free(&snapshot->members);
    memory_free(snapshot);
}

/* ---- those that are whole ------------------------------------------------------------------- */

const struct raft_snapshot *memory_snapshots_latest(const struct memory_snapshots *snapshots)
{
    static const struct raft_snapshot none;
    size_t count = snapshots->whole.count;
    return count == 0 ? &none : &snapshots->whole.items[count - 1]->meta;
}

static const struct memory_snapshot *find(const struct memory_snapshots *snapshots, uint64_t index)
{
    for (size_t i = 0; i < snapshots->whole.count; i++) {
        if (snapshots->whole.items[i]->meta.index == index) {
            return snapshots->whole.items[i];
        }
    }
    return NULL;
}

void memory_snapshots_drop(struct memory_snapshots *snapshots, uint64_t index)
{
    for (size_t i = 0; i + 1 < snapshots->whole.count; i++) { /* never the latest */
        if (snapshots->whole.items[i]->meta.index == index) {
            snapshot_free(snapshots->whole.items[i]);
            array_remove(&snapshots->whole, i, 1);
            return;
        }
    }
}

/* ---- writing -------------------------------------------------------------------------------- */

static void wake_in(struct memory_snapshots *snapshots, struct wakeup *wakeup, int64_t duration_ns)
{
    snapshots->world->operations->wake_at(snapshots->world, wakeup,
                                          world_now_ns(snapshots->world) + duration_ns);
}

static void writer_free(struct store_writer *writer)
{
    struct memory_snapshots *snapshots = writer->owner;
    snapshots->world->operations->wake_at(snapshots->world, &writer->wakeup, WORLD_NEVER);
    list_remove(&writer->queued);
    snapshot_encoder_free(&writer->encoder);
    snapshot_decoder_free(&writer->decoder);
    buffer_free(&writer->scratch);
    if (writer->snapshot != NULL) {
        snapshot_free(writer->snapshot);
    }
    memory_free(writer);
}

/* The writer's snapshot is whole: it takes its place, unless there is a later one. */
static void take_its_place(struct store_writer *writer)
{
    struct memory_snapshots *snapshots = writer->owner;
    struct memory_snapshot *snapshot = writer->snapshot;
    if (!writer->is_own) {
        snapshot->meta = writer->decoder.meta;
        raft_configuration_copy(&snapshot->members, &writer->decoder.members);
    }
    snapshot->meta.members = &snapshot->members;
    snapshot->meta.size = snapshot->blocks.size;
    if (snapshot->meta.index > memory_snapshots_latest(snapshots)->index) {
        *array_push(&snapshots->whole) = snapshot;
        writer->snapshot = NULL;
    }
}

static void writer_woken(void *context)
{
    struct store_writer *writer = context;
    struct memory_snapshots *snapshots = writer->owner;
    struct failure failure = writer->failure;
    bool failed = failure.code != FAILURE_NONE;
    void *asker = writer->context;
    if (writer->write_done != NULL) {
        store_done *done = writer->write_done;
        writer->write_done = NULL;
        done(asker, failed ? &failure : NULL);
        return;
    }
    store_finished *done = writer->finish_done;
    if (!failed) {
        take_its_place(writer);
        snapshots->store->sync_count++;
    }
    writer_free(writer);
    done(asker, memory_snapshots_latest(snapshots), failed ? &failure : NULL);
}

struct store_writer *memory_snapshots_begin(struct memory_snapshots *snapshots,
                                            const struct raft_snapshot *meta)
{
    struct store_writer *writer = memory_new_zeroed(1, sizeof *writer);
    writer->owner = snapshots;
    writer->wakeup = (struct wakeup){.fire = writer_woken, .context = writer};
    writer->snapshot = memory_new_zeroed(1, sizeof *writer->snapshot);
    list_append(&snapshots->writers, &writer->queued);
    if (meta != NULL) {
        writer->is_own = true;
        writer->snapshot->meta = *meta;
        raft_configuration_copy(&writer->snapshot->members, meta->members);
        snapshot_encode_head(&writer->encoder, meta, "", &writer->scratch);
    }
    return writer;
}

/* What was received is kept as it is, once it was seen to be sound. */
static void verify(struct store_writer *writer, struct bytes bytes)
{
    struct bytes machine_bytes;
    const char *problem = NULL;
    while (bytes.size > 0) {
        if (!snapshot_decode(&writer->decoder, &bytes, &machine_bytes, &problem)) {
            failure_set_damage(&writer->failure, problem);
            return;
        }
    }
}

static void put(struct store_writer *writer, struct bytes bytes)
{
    blocks_append(&writer->snapshot->blocks, bytes);
    writer->owner->store->byte_count += bytes.size;
}

void memory_snapshots_write(struct store_writer *writer, struct bytes bytes, store_done *done,
                            void *context)
{
    ensure(writer->write_done == NULL && writer->finish_done == NULL);
    if (writer->is_own) {
        snapshot_encode(&writer->encoder, bytes, &writer->scratch);
        put(writer, buffer_bytes(&writer->scratch));
        buffer_clear(&writer->scratch);
    } else if (writer->failure.code == FAILURE_NONE) {
        verify(writer, bytes);
        put(writer, bytes);
    }
    writer->write_done = done;
    writer->context = context;
    wake_in(writer->owner, &writer->wakeup, 0);
}

void memory_snapshots_finish(struct store_writer *writer, int64_t lasts_ns, store_finished *done,
                             void *context)
{
    ensure(writer->write_done == NULL && writer->finish_done == NULL);
    if (writer->is_own) {
        snapshot_encode_end(&writer->encoder, &writer->scratch);
        put(writer, buffer_bytes(&writer->scratch));
    } else if (!snapshot_is_whole(&writer->decoder) && writer->failure.code == FAILURE_NONE) {
        failure_set_damage(&writer->failure, "the snapshot is not whole");
    }
    writer->finish_done = done;
    writer->context = context;
    wake_in(writer->owner, &writer->wakeup, lasts_ns);
}

struct memory_snapshots *memory_snapshots_of(const struct store_writer *writer)
{
    return writer->owner;
}

void memory_snapshots_abort(struct store_writer *writer)
{
    writer_free(writer);
}

/* ---- reading -------------------------------------------------------------------------------- */

static void read_free(struct memory_read *read)
{
    read->owner->world->operations->wake_at(read->owner->world, &read->wakeup, WORLD_NEVER);
    list_remove(&read->queued);
    memory_free(read);
}

static void read_woken(void *context)
{
    struct memory_read *read = context;
    struct memory_read asked = *read;
    struct memory_snapshots *snapshots = read->owner;
    const struct memory_snapshot *snapshot = find(snapshots, read->index);
    read_free(read);
    if (snapshot == NULL) {
        struct failure failure;
        failure_set(&failure, FAILURE_STORAGE, "the snapshot of index %llu is no longer there",
                    (unsigned long long)asked.index);
        asked.done(asked.context, (struct bytes){NULL, 0}, &failure);
        return;
    }
    struct buffer bytes = {0}; /* of its own: `done` may end this store's life */
    blocks_read(&snapshot->blocks, asked.offset, asked.size, &bytes);
    asked.done(asked.context, buffer_bytes(&bytes), NULL);
    buffer_free(&bytes);
}

void memory_snapshots_read(struct memory_snapshots *snapshots, uint64_t index, uint64_t offset,
                           size_t size, store_read_done *done, void *context)
{
    struct memory_read *read = memory_new_zeroed(1, sizeof *read);
    *read = (struct memory_read){.owner = snapshots,
                                 .wakeup = {.fire = read_woken, .context = read},
                                 .index = index,
                                 .offset = offset,
                                 .size = size,
                                 .done = done,
                                 .context = context};
    list_append(&snapshots->reads, &read->queued);
    wake_in(snapshots, &read->wakeup, 0);
}

/* ---- lives ---------------------------------------------------------------------------------- */

void memory_snapshots_cut(struct memory_snapshots *snapshots)
{
    struct list_link *link = list_first(&snapshots->writers);
    for (; link != NULL; link = list_first(&snapshots->writers)) {
        writer_free(item_of(link, struct store_writer, queued));
    }
    for (link = list_first(&snapshots->reads); link != NULL; link = list_first(&snapshots->reads)) {
        read_free(item_of(link, struct memory_read, queued));
    }
}

void memory_snapshots_recover(struct memory_snapshots *snapshots)
{
    while (snapshots->whole.count > 1) {
        snapshot_free(snapshots->whole.items[0]);
        array_remove(&snapshots->whole, 0, 1);
    }
}

void memory_snapshots_clear(struct memory_snapshots *snapshots)
{
    memory_snapshots_cut(snapshots);
    while (snapshots->whole.count > 0) {
        snapshot_free(snapshots->whole.items[--snapshots->whole.count]);
    }
    array_free(&snapshots->whole);
}
