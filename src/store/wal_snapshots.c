/*
 * Snapshots as files "snapshot-INDEX" beside the log: reading them, keeping them until they are
 * dropped, and finding the latest again (wal_writer.c writes them). All of it goes on in the lane
 * for bulk, so that the log's writes do not wait. It never looks into a machine's bytes.
 */
#include "store/wal_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

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

void wal_snapshots_errand(struct wal_store *store, enum file_task_kind kind, struct file *file,
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
    wal_snapshots_errand(store, FILE_REMOVE, NULL, name);
}

static void snapshot_free(struct wal_snapshot *snapshot)
{
    raft_configuration_free(&snapshot->members);
    memory_free(snapshot);
}

/* ---- reading -------------------------------------------------------------------------------- */

static void read_free(struct wal_read *read)
{
    ensure(read != NULL);
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

void wal_snapshot_file(uint64_t index, char *name, size_t size)
{
    ensure(size >= WAL_SNAPSHOT_NAME_BYTES);
    wal_snapshot_name(name, index);
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
            wal_snapshots_errand(store, FILE_CLOSE, snapshot->file, "");
            wal_snapshots_errand(store, FILE_REMOVE, NULL, name);
            array_remove(&snapshots->whole, i, 1);
            snapshot_free(snapshot);
            return;
        }
    }
}

/* ---- lives ---------------------------------------------------------------------------------- */

void wal_snapshots_end(struct wal_store *store)
{
    wal_writers_end(store);
    list_each(&store->snapshots.reads, at) {
        item_of(at, struct wal_read, queued)->done = NULL;
    }
}

void wal_snapshots_cut(struct wal_store *store)
{
    struct wal_snapshots *snapshots = &store->snapshots;
    wal_writers_cut(store);
    while (!list_is_empty(&snapshots->reads)) {
        read_free(item_of(list_first(&snapshots->reads), struct wal_read, queued));
    }
    while (!list_is_empty(&snapshots->errands)) {
        struct wal_errand *errand =
            item_of(list_first(&snapshots->errands), struct wal_errand, queued);
        ensure(errand != NULL);
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
