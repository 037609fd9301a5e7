/*
 * Writing a snapshot to its file: under another name, synced, renamed, the directory synced. An own
 * one is given its form, a received one is verified as it comes. It goes on in the lane for bulk,
 * and what fails of it for want of room leaves the node alive.
 */
#include "store/wal_store.h"

#include <string.h>

/* One on its way to the disk. What is asked of it goes step by step: one task at a time. */
struct wal_writer {
    struct list_link queued;
    struct wal_store *store;
    struct file_task task;
    struct file *file; /* NULL: not open yet */
    bool is_own;
    bool busy;       /* a task of its is under way */
    bool is_aborted; /* it is freed when that has ended */
    bool is_being_named;
    uint64_t size; /* written so far */
    struct raft_snapshot meta;
    struct raft_configuration members;
    struct snapshot_encoder encoder; /* an own one */
    struct snapshot_decoder decoder; /* a received one: it verifies */
    struct buffer encoded; /* what is being written: the writer's, also when it was given up */
    struct bytes wanted;   /* to be written next */
    store_done *write_done;
    store_finished *finish_done;
    void *context;
    struct failure failure; /* of what is asked */
    char name[WAL_SNAPSHOT_NAME_BYTES];
};

static void writer_free(struct wal_writer *writer)
{
    list_remove(&writer->queued);
    snapshot_encoder_free(&writer->encoder);
    snapshot_decoder_free(&writer->decoder);
    buffer_free(&writer->encoded);
    raft_configuration_free(&writer->members);
    memory_free(writer);
}

static const char *temporary_name(const struct wal_writer *writer)
{
    return writer->is_own ? WAL_OWN_NAME : WAL_RECEIVED_NAME;
}

/* Whether its temporary file is nobody's but its own: the next writer of its kind uses the same. */
static bool may_remove_file(const struct wal_writer *writer)
{
    list_each(&writer->store->snapshots.writers, at) {
        const struct wal_writer *other = item_of(at, const struct wal_writer, queued);
        if (other != writer && other->is_own == writer->is_own) {
            return false;
        }
    }
    return writer->file != NULL;
}

/* Given up: what it has written takes no room any more, whether or not it has its name already.
 * The next of that name comes behind this, in the same lane. */
static void writer_ends(struct wal_writer *writer)
{
    if (writer->file != NULL) {
        wal_snapshots_errand(writer->store, FILE_CLOSE, writer->file, "");
    }
    if (may_remove_file(writer)) {
        wal_snapshots_errand(writer->store, FILE_REMOVE, NULL, temporary_name(writer));
    }
    if (writer->is_being_named) {
        wal_snapshots_errand(writer->store, FILE_REMOVE, NULL, writer->name);
    }
    writer_free(writer);
}

static void ask(struct wal_writer *writer, enum file_task_kind kind,
                void (*done)(void *context, struct file_task *task))
{
    writer->busy = true;
    writer->task.done = done;
    writer->task.context = writer;
    writer->task.kind = kind;
    writer->task.bulk = true;
    files_submit(writer->store->files, &writer->task);
}

static struct file_task *fresh(struct wal_writer *writer)
{
    writer->task = (struct file_task){.file = writer->file};
    return &writer->task;
}

/* What the asker hears of a failure; what else it is stops the node. */
static void tell_failure(struct wal_writer *writer)
{
    struct failure failure = writer->failure;
    store_done *write_done = writer->write_done;
    store_finished *finish_done = writer->finish_done;
    struct wal_store *store = writer->store;
    void *context = writer->context;
    writer->write_done = NULL;
    writer->finish_done = NULL;
    if (write_done != NULL) {
        write_done(context, &failure);
    } else if (finish_done != NULL) {
        writer_ends(writer);
        finish_done(context, wal_snapshots_latest(store), &failure);
    }
}

/* Whether the step worked and the writer goes on. */
static bool worked(struct wal_writer *writer, const struct file_task *task)
{
    writer->busy = false;
    if (task->error != FILE_OK && task->error != FILE_FULL) {
        wal_fail(writer->store, "a snapshot cannot be written: %s", task->problem);
        return false;
    }
    if (task->error == FILE_OK && task->kind == FILE_OPEN) {
        writer->file = task->file;
    }
    if (writer->is_aborted) {
        writer_ends(writer);
        return false;
    }
    if (task->error == FILE_FULL) {
        failure_set(&writer->failure, FAILURE_STORAGE, "%s", task->problem);
        tell_failure(writer);
        return false;
    }
    return true;
}

static void finish_is_done(struct wal_writer *writer)
{
    struct wal_store *store = writer->store;
    store_finished *done = writer->finish_done;
    void *context = writer->context;
    store->head.sync_count++;
    writer_free(writer);
    done(context, wal_snapshots_latest(store), NULL);
}

static void name_is_durable(void *context, struct file_task *task)
{
    struct wal_writer *writer = context;
    if (!worked(writer, task)) {
        return;
    }
    struct wal_snapshot *snapshot = memory_new_zeroed(1, sizeof *snapshot);
    snapshot->meta = writer->meta;
    snapshot->meta.size = writer->size;
    snapshot->members = writer->members;
    snapshot->meta.members = &snapshot->members;
    snapshot->file = writer->file;
    writer->members = (struct raft_configuration){0};
    *array_push(&writer->store->snapshots.whole) = snapshot;
    finish_is_done(writer);
}

static void was_named(void *context, struct file_task *task)
{
    struct wal_writer *writer = context;
    if (worked(writer, task)) {
        (void)fresh(writer);
        ask(writer, FILE_SYNC_DIRECTORY, name_is_durable);
    }
}

static bool another_is_being_named(const struct wal_writer *writer)
{
    list_each(&writer->store->snapshots.writers, at) {
        if (item_of(at, const struct wal_writer, queued)->is_being_named) {
            return true;
        }
    }
    return false;
}

static void tries_again(void *context, struct file_task *task);

/* All is durable; it takes its place, unless there is a later one. Only one at a time, so that the
 * latest is the last that did: to wait for the other's turn it goes through the lane once more. */
static void take_its_place(struct wal_writer *writer)
{
    struct wal_store *store = writer->store;
    if (another_is_being_named(writer)) {
        (void)fresh(writer);
        ask(writer, FILE_SYNC_DIRECTORY, tries_again);
        return;
    }
    if (writer->meta.index <= wal_snapshots_latest(store)->index) {
        wal_snapshots_errand(store, FILE_CLOSE, writer->file, "");
        wal_snapshots_errand(store, FILE_REMOVE, NULL, temporary_name(writer));
        finish_is_done(writer);
        return;
    }
    writer->is_being_named = true;
    wal_snapshot_name(writer->name, writer->meta.index);
    struct file_task *rename = fresh(writer);
    rename->name = temporary_name(writer);
    rename->new_name = writer->name;
    ask(writer, FILE_RENAME, was_named);
}

static void tries_again(void *context, struct file_task *task)
{
    struct wal_writer *writer = context;
    if (worked(writer, task)) {
        take_its_place(writer);
    }
}

static void was_written(void *context, struct file_task *task)
{
    struct wal_writer *writer = context;
    size_t moved = task->moved;
    if (!worked(writer, task)) {
        return;
    }
    writer->size += moved;
    buffer_clear(&writer->encoded);
    if (writer->failure.code != FAILURE_NONE) {
        tell_failure(writer);
    } else if (writer->write_done != NULL) {
        store_done *done = writer->write_done;
        writer->write_done = NULL;
        done(writer->context, NULL);
    } else {
        take_its_place(writer);
    }
}

/* What is wanted, once the file is open. */
static void write_wanted(struct wal_writer *writer)
{
    if (writer->file == NULL || writer->busy) {
        return;
    }
    struct file_task *write = fresh(writer);
    write->data = (void *)(uintptr_t)writer->wanted.data;
    write->size = writer->wanted.size;
    write->offset = writer->size;
    write->sync = writer->finish_done != NULL;
    ask(writer, FILE_WRITE, was_written);
}

static void is_empty(void *context, struct file_task *task)
{
    struct wal_writer *writer = context;
    if (worked(writer, task) && (writer->write_done != NULL || writer->finish_done != NULL)) {
        write_wanted(writer);
    }
}

static void was_opened(void *context, struct file_task *task)
{
    struct wal_writer *writer = context;
    bool is_new = task->file_size == 0;
    if (!worked(writer, task)) {
        return;
    }
    if (is_new) {
        is_empty(writer, task);
    } else { /* what one that was given up has left */
        (void)fresh(writer);
        ask(writer, FILE_RESIZE, is_empty);
    }
}

struct store_writer *wal_snapshot_begin(struct store *head, const struct raft_snapshot *meta)
{
    struct wal_store *store = (struct wal_store *)head;
    struct wal_writer *writer = memory_new_zeroed(1, sizeof *writer);
    writer->store = store;
    list_append(&store->snapshots.writers, &writer->queued);
    if (meta != NULL) {
        bool fits = strlen(store->identity.cluster) <= SNAPSHOT_CLUSTER_BYTES_MAX;
        writer->is_own = true;
        writer->meta = *meta;
        raft_configuration_copy(&writer->members, meta->members);
        snapshot_encode_head(&writer->encoder, meta, fits ? store->identity.cluster : "",
                             &writer->encoded);
    }
    struct file_task *open = fresh(writer);
    open->name = temporary_name(writer);
    open->create = true;
    ask(writer, FILE_OPEN, was_opened);
    return (struct store_writer *)writer;
}

/* What was received is kept as it is, once it was seen to be sound. */
static void verify(struct wal_writer *writer, struct bytes bytes)
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

void wal_snapshot_write(struct store_writer *handle, struct bytes bytes, store_done *done,
                        void *context)
{
    struct wal_writer *writer = (struct wal_writer *)handle;
    ensure(writer->write_done == NULL && writer->finish_done == NULL);
    writer->write_done = done;
    writer->context = context;
    if (writer->is_own) {
        snapshot_encode(&writer->encoder, bytes, &writer->encoded);
    } else {
        buffer_append(&writer->encoded, bytes.data, bytes.size); /* who gives up frees its own */
        if (writer->failure.code == FAILURE_NONE) {
            verify(writer, bytes);
        }
    }
    writer->wanted = buffer_bytes(&writer->encoded);
    writer->store->head.byte_count += writer->wanted.size;
    write_wanted(writer);
}

void wal_snapshot_finish(struct store_writer *handle, store_finished *done, void *context)
{
    struct wal_writer *writer = (struct wal_writer *)handle;
    ensure(writer->write_done == NULL && writer->finish_done == NULL);
    writer->finish_done = done;
    writer->context = context;
    if (writer->is_own) {
        snapshot_encode_end(&writer->encoder, &writer->encoded);
    } else if (!snapshot_is_whole(&writer->decoder)) {
        if (writer->failure.code == FAILURE_NONE) {
            failure_set_damage(&writer->failure, "the snapshot is not whole");
        }
    } else {
        writer->meta = writer->decoder.meta;
        raft_configuration_copy(&writer->members, &writer->decoder.members);
    }
    writer->wanted = buffer_bytes(&writer->encoded);
    writer->store->head.byte_count += writer->wanted.size;
    write_wanted(writer);
}

void wal_snapshot_abort(struct store_writer *handle)
{
    struct wal_writer *writer = (struct wal_writer *)handle;
    writer->is_aborted = true;
    if (!writer->busy) {
        writer_ends(writer);
    }
}

/* ---- lives ---------------------------------------------------------------------------------- */

void wal_writers_end(struct wal_store *store)
{
    struct list_link *next = NULL;
    for (struct list_link *at = list_first(&store->snapshots.writers); at != NULL; at = next) {
        next = list_next(&store->snapshots.writers, at);
        wal_snapshot_abort((struct store_writer *)item_of(at, struct wal_writer, queued));
    }
}

void wal_writers_cut(struct wal_store *store)
{
    struct list *writers = &store->snapshots.writers;
    while (!list_is_empty(writers)) {
        struct wal_writer *writer = item_of(list_first(writers), struct wal_writer, queued);
        ensure(writer != NULL);
        writer_free(writer);
    }
}
