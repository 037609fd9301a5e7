/*
 * Snapshots as files "snapshot-INDEX" beside the log: written under another name, synced, renamed,
 * the directory synced. They are kept until they are dropped. All of it goes on in the lane for
 * bulk, so that the log's writes do not wait. It never looks into a machine's bytes.
 */
#include "store/wal_store.h"

#include <inttypes.h>
#include <stdio.h>
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
    uint64_t size;   /* written so far */
    struct raft_snapshot meta;
    struct raft_configuration members;
    struct snapshot_encoder encoder; /* an own one */
    struct snapshot_decoder decoder; /* a received one: it verifies */
    struct buffer encoded;
    struct bytes wanted; /* to be written next */
    store_done *write_done;
    store_finished *finish_done;
    void *context;
    struct failure failure; /* of what is asked */
    char name[WAL_SNAPSHOT_NAME_BYTES];
};

struct wal_read {
    struct list_link queued;
    struct wal_store *store;
    struct file_task task;
    store_read_done *done; /* NULL: nobody asks any more */
    void *context;
    struct buffer bytes;
};

/* Something to be done that nobody waits for. */
struct wal_errand {
    struct list_link queued;
    struct wal_store *store;
    struct file_task task;
    char name[WAL_SNAPSHOT_NAME_BYTES];
};

void wal_snapshot_name(char name[WAL_SNAPSHOT_NAME_BYTES], uint64_t index)
{
    (void)snprintf(name, WAL_SNAPSHOT_NAME_BYTES, "snapshot-%020" PRIu64, index);
}

bool wal_snapshot_name_parse(const char *name, uint64_t *index)
{
    char same[WAL_SNAPSHOT_NAME_BYTES];
    *index = 0;
    if (strlen(name) != 29 || strncmp(name, "snapshot-", 9) != 0) {
        return false;
    }
    for (const char *digit = name + 9; *digit != 0; digit++) {
        if (*digit < '0' || *digit > '9' || *index > INT64_MAX / 10) {
            return false;
        }
        *index = *index * 10 + (uint64_t)(*digit - '0');
    }
    wal_snapshot_name(same, *index);
    return *index > 0 && strcmp(name, same) == 0;
}

const struct raft_snapshot *wal_snapshots_latest(const struct wal_store *store)
{
    static const struct raft_snapshot none;
    size_t count = store->snapshots.whole.count;
    return count == 0 ? &none : &store->snapshots.whole.items[count - 1]->meta;
}

/* ---- errands -------------------------------------------------------------------------------- */

static void errand_is_done(void *context, struct file_task *task)
{
    struct wal_errand *errand = context;
    struct wal_store *store = errand->store;
    bool failed = task->error != FILE_OK && task->error != FILE_MISSING;
    char problem[FILE_PROBLEM_BYTES_MAX];
    memcpy(problem, task->problem, sizeof problem);
    list_remove(&errand->queued);
    memory_free(errand);
    if (failed) {
        wal_fail(store, "a former snapshot cannot be removed: %s", problem);
    }
}

static void run_errand(struct wal_store *store, enum file_task_kind kind, struct file *file,
                       const char *name)
{
    struct wal_errand *errand = memory_new_zeroed(1, sizeof *errand);
    errand->store = store;
    (void)snprintf(errand->name, sizeof errand->name, "%s", name);
    errand->task = (struct file_task){.done = errand_is_done,
                                      .context = errand,
                                      .kind = kind,
                                      .bulk = true,
                                      .file = file,
                                      .name = errand->name};
    list_append(&store->snapshots.errands, &errand->queued);
    files_submit(store->files, &errand->task);
}

void wal_snapshots_remove_file(struct wal_store *store, const char *name)
{
    run_errand(store, FILE_REMOVE, NULL, name);
}

static void snapshot_free(struct wal_snapshot *snapshot)
{
    raft_configuration_free(&snapshot->members);
    memory_free(snapshot);
}

/* ---- writing -------------------------------------------------------------------------------- */

static void writer_free(struct wal_writer *writer)
{
    list_remove(&writer->queued);
    snapshot_encoder_free(&writer->encoder);
    snapshot_decoder_free(&writer->decoder);
    buffer_free(&writer->encoded);
    raft_configuration_free(&writer->members);
    memory_free(writer);
}

static void writer_ends(struct wal_writer *writer)
{
    if (writer->file != NULL) {
        run_errand(writer->store, FILE_CLOSE, writer->file, "");
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

static const char *temporary_name(const struct wal_writer *writer)
{
    return writer->is_own ? WAL_OWN_NAME : WAL_RECEIVED_NAME;
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

/* All is durable; it takes its place, unless there is a later one. */
static void take_its_place(struct wal_writer *writer)
{
    struct wal_store *store = writer->store;
    if (writer->meta.index <= wal_snapshots_latest(store)->index) {
        run_errand(store, FILE_CLOSE, writer->file, "");
        run_errand(store, FILE_REMOVE, NULL, temporary_name(writer));
        finish_is_done(writer);
        return;
    }
    wal_snapshot_name(writer->name, writer->meta.index);
    struct file_task *rename = fresh(writer);
    rename->name = temporary_name(writer);
    rename->new_name = writer->name;
    ask(writer, FILE_RENAME, was_named);
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
            failure_set(&writer->failure, FAILURE_STORAGE, "%s", problem);
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
    writer->wanted = bytes;
    if (writer->is_own) {
        snapshot_encode(&writer->encoder, bytes, &writer->encoded);
        writer->wanted = buffer_bytes(&writer->encoded);
    } else if (writer->failure.code == FAILURE_NONE) {
        verify(writer, bytes);
    }
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
            failure_set(&writer->failure, FAILURE_STORAGE, "the snapshot is not whole");
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

/* ---- reading -------------------------------------------------------------------------------- */

static void read_free(struct wal_read *read)
{
    list_remove(&read->queued);
    buffer_free(&read->bytes);
    memory_free(read);
}

static void was_read(void *context, struct file_task *task)
{
    struct wal_read *read = context;
    struct wal_read asked = *read;
    struct failure failure = {0};
    bool is_there = task->kind == FILE_READ;
    if (is_there && task->error != FILE_OK) {
        failure_set(&failure, FAILURE_STORAGE, "%s", task->problem);
    } else if (!is_there) {
        failure_set(&failure, FAILURE_STORAGE, "that snapshot is no longer there");
    }
    struct bytes bytes = {asked.bytes.data, is_there ? task->moved : 0};
    read->bytes = (struct buffer){0}; /* of its own: `done` may end this store's life */
    read_free(read);
    if (asked.done != NULL) {
        asked.done(asked.context, bytes, failure.code != FAILURE_NONE ? &failure : NULL);
    }
    buffer_free(&asked.bytes);
}

static struct wal_snapshot *find(const struct wal_store *store, uint64_t index)
{
    for (size_t i = 0; i < store->snapshots.whole.count; i++) {
        if (store->snapshots.whole.items[i]->meta.index == index) {
            return store->snapshots.whole.items[i];
        }
    }
    return NULL;
}

void wal_snapshot_read(struct store *head, uint64_t index, uint64_t offset, size_t size,
                       store_read_done *done, void *context)
{
    struct wal_store *store = (struct wal_store *)head;
    const struct wal_snapshot *snapshot = find(store, index);
    struct wal_read *read = memory_new_zeroed(1, sizeof *read);
    read->store = store;
    read->done = done;
    read->context = context;
    read->task = (struct file_task){.done = was_read, .context = read, .bulk = true};
    if (snapshot != NULL) {
        read->task.kind = FILE_READ;
        read->task.file = snapshot->file;
        read->task.data = buffer_extend(&read->bytes, size);
        read->task.size = size;
        read->task.offset = offset;
    } else { /* which is heard later, as all else */
        read->task.kind = FILE_LIST;
        read->task.names = &read->bytes;
    }
    list_append(&store->snapshots.reads, &read->queued);
    files_submit(store->files, &read->task);
}

void wal_snapshot_drop(struct store *head, uint64_t index)
{
    struct wal_store *store = (struct wal_store *)head;
    struct wal_snapshots *snapshots = &store->snapshots;
    char name[WAL_SNAPSHOT_NAME_BYTES];
    for (size_t i = 0; i + 1 < snapshots->whole.count; i++) { /* never the latest */
        struct wal_snapshot *snapshot = snapshots->whole.items[i];
        if (snapshot->meta.index == index) {
            wal_snapshot_name(name, index);
            run_errand(store, FILE_CLOSE, snapshot->file, "");
            run_errand(store, FILE_REMOVE, NULL, name);
            array_remove(&snapshots->whole, i, 1);
            snapshot_free(snapshot);
            return;
        }
    }
}

/* ---- lives ---------------------------------------------------------------------------------- */

void wal_snapshots_end(struct wal_store *store)
{
    struct list_link *next = NULL;
    for (struct list_link *at = list_first(&store->snapshots.writers); at != NULL; at = next) {
        next = list_next(&store->snapshots.writers, at);
        wal_snapshot_abort((struct store_writer *)item_of(at, struct wal_writer, queued));
    }
    list_each(&store->snapshots.reads, at) {
        item_of(at, struct wal_read, queued)->done = NULL;
    }
}

void wal_snapshots_cut(struct wal_store *store)
{
    struct wal_snapshots *snapshots = &store->snapshots;
    while (!list_is_empty(&snapshots->writers)) {
        writer_free(item_of(list_first(&snapshots->writers), struct wal_writer, queued));
    }
    while (!list_is_empty(&snapshots->reads)) {
        read_free(item_of(list_first(&snapshots->reads), struct wal_read, queued));
    }
    while (!list_is_empty(&snapshots->errands)) {
        struct wal_errand *errand =
            item_of(list_first(&snapshots->errands), struct wal_errand, queued);
        list_remove(&errand->queued);
        memory_free(errand);
    }
    for (size_t i = 0; i < snapshots->whole.count; i++) {
        snapshots->whole.items[i]->file = NULL;
    }
}

void wal_snapshots_clear(struct wal_store *store)
{
    wal_snapshots_cut(store);
    while (store->snapshots.whole.count > 0) {
        snapshot_free(store->snapshots.whole.items[--store->snapshots.whole.count]);
    }
    array_free(&store->snapshots.whole);
}

void wal_snapshots_take(struct wal_store *store, struct file *file,
                        struct snapshot_decoder *decoder, uint64_t size)
{
    wal_snapshots_clear(store);
    if (file == NULL) {
        return;
    }
    struct wal_snapshot *snapshot = memory_new_zeroed(1, sizeof *snapshot);
    snapshot->file = file;
    snapshot->meta = decoder->meta;
    snapshot->meta.size = size;
    snapshot->members = decoder->members;
    decoder->members = (struct raft_configuration){0};
    snapshot->meta.members = &snapshot->members;
    *array_push(&store->snapshots.whole) = snapshot;
}
