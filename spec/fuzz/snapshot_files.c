/*
 * Fuzzes the files of snapshots: each input is a run of own and received snapshots on a simulated
 * disk, one of each kind at a time, that are written, finished, given up at any moment and dropped.
 * Once nothing is under way the directory holds those that were finished, and nothing else; after a
 * power cut the latest is there, or a later one.
 */
#include "sim/sim.h"
#include "store/store.h"
#include "support/fuzz.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SNAPSHOTS_MAX 64U

struct writing {
    struct run *run;
    struct store_writer *writer; /* NULL: none */
    uint64_t index;
    struct bytes rest; /* of a received one */
    bool is_busy;
};

struct run {
    struct input input;
    struct faults *faults;
    struct world *world;
    struct files *files;
    struct store *store;
    bool is_open;
    bool is_listed;
    struct writing own;
    struct writing received;
    struct buffer received_bytes;
    uint64_t next;                /* index */
    uint64_t latest;              /* 0: none */
    bool is_there[SNAPSHOTS_MAX]; /* finished, and not dropped */
};

/* ---- the store ------------------------------------------------------------------------------ */

static void recovered(void *context, const struct failure *failure)
{
    ensure(failure == NULL);
    ((struct run *)context)->is_open = true;
}

static void failed(void *context, const char *problem)
{
    (void)context;
    (void)fprintf(stderr, "%s\n", problem);
    ensure(false);
}

static void open_store(struct run *run)
{
    struct store_handler handler = {.recovered = recovered, .failed = failed, .context = run};
    run->is_open = false;
    run->store->operations->open(run->store, &handler);
    while (!run->is_open) {
        ensure(run->world->operations->step(run->world, WORLD_NEVER));
    }
}

static void begin(struct run *run)
{
    run->faults = faults_new(1, NULL);
    run->world = sim_new(NULL, run->faults, 1);
    run->files = run->world->operations->files(run->world, 1, NULL, NULL);
    struct store_wal_options options = {
        .id = 1, .cluster_name = "fuzz", .segment_bytes = 8192, .seed = 1};
    run->store = store_wal_new(run->world, run->files, &options);
    run->own.run = run->received.run = run;
    open_store(run);
}

static void end(struct run *run)
{
    run->store->operations->free(run->store);
    run->world->operations->free(run->world);
    faults_free(run->faults);
    buffer_free(&run->received_bytes);
}

/* ---- what is asked -------------------------------------------------------------------------- */

static void written(void *context, const struct failure *failure)
{
    struct writing *writing = context;
    ensure(failure == NULL && writing->writer != NULL);
    writing->is_busy = false;
}

static void finished(void *context, const struct raft_snapshot *latest,
                     const struct failure *failure)
{
    struct writing *writing = context;
    struct run *run = writing->run;
    ensure(failure == NULL && writing->writer != NULL);
    if (writing->index > run->latest) {
        run->latest = writing->index;
        run->is_there[writing->index] = true;
    }
    ensure(latest->index == run->latest);
    writing->writer = NULL;
    writing->is_busy = false;
}

static struct raft_snapshot meta_of(uint64_t index)
{
    static const struct raft_configuration nobody;
    return (struct raft_snapshot){.index = index, .term = 1, .members = &nobody};
}

static void begin_own(struct run *run, uint64_t index)
{
    struct raft_snapshot meta = meta_of(index);
    run->own.index = index;
    run->own.writer = run->store->operations->snapshot_begin(run->store, &meta);
}

static void begin_received(struct run *run, uint64_t index)
{
    struct raft_snapshot meta = meta_of(index);
    struct snapshot_encoder encoder = {0};
    buffer_clear(&run->received_bytes);
    snapshot_encode_head(&encoder, &meta, "fuzz", &run->received_bytes);
    snapshot_encode(&encoder, bytes_of_text("what another machine holds"), &run->received_bytes);
    snapshot_encode_end(&encoder, &run->received_bytes);
    snapshot_encoder_free(&encoder);
    run->received.index = index;
    run->received.rest = buffer_bytes(&run->received_bytes);
    run->received.writer = run->store->operations->snapshot_begin(run->store, NULL);
}

static void go_on(struct run *run, struct writing *writing, bool is_last)
{
    struct bytes piece = bytes_of_text("what the machine holds");
    if (writing == &run->received) {
        piece = writing->rest;
        piece.size = is_last ? piece.size : piece.size / 2;
        writing->rest.data += piece.size;
        writing->rest.size -= piece.size;
        is_last = piece.size == 0;
    }
    writing->is_busy = true;
    if (is_last) {
        run->store->operations->snapshot_finish(writing->writer, finished, writing);
    } else {
        run->store->operations->snapshot_write(writing->writer, piece, written, writing);
    }
}

static void give_up(struct run *run, struct writing *writing)
{
    struct store_writer *writer = writing->writer;
    writing->writer = NULL; /* it hears nothing any more */
    writing->is_busy = false;
    run->store->operations->snapshot_abort(writer);
}

static void drop(struct run *run, uint64_t index)
{
    run->store->operations->snapshot_drop(run->store, index);
    run->is_there[index] = index == run->latest && index > 0;
}

static void happen(struct run *run, uint8_t kind)
{
    struct writing *writing = kind % 2 == 0 ? &run->own : &run->received;
    if (kind % 16 < 6) {
        (void)run->world->operations->step(run->world, WORLD_NEVER);
    } else if (kind % 16 < 8) {
        drop(run, kind / 16U);
    } else if (writing->writer == NULL && run->next + 1 < SNAPSHOTS_MAX) {
        /* The same index as the last one, or the next. */
        run->next += kind % 32 < 16 || run->next == 0 ? 1U : 0U;
        (writing == &run->own ? begin_own : begin_received)(run, run->next);
    } else if (writing->writer != NULL && kind % 16 < 10) {
        give_up(run, writing);
    } else if (writing->writer != NULL && !writing->is_busy) {
        go_on(run, writing, kind % 16 > 12);
    }
}

/* ---- what must be there --------------------------------------------------------------------- */

static void listed(void *context, struct file_task *task)
{
    ensure(task->error == FILE_OK);
    ((struct run *)context)->is_listed = true;
}

static void run_until_idle(struct run *run)
{
    while (run->world->operations->step(run->world, WORLD_NEVER)) {
    }
}

/* No names of snapshots but these, and no temporary ones. */
static void check_names(struct run *run)
{
    struct buffer names = {0};
    struct file_task task = {.kind = FILE_LIST, .names = &names, .done = listed, .context = run};
    run->is_listed = false;
    run_until_idle(run);
    files_submit(run->files, &task);
    run_until_idle(run);
    ensure(run->is_listed);
    size_t found = 0;
    for (size_t at = 0; at < names.size; at += strlen((const char *)names.data + at) + 1) {
        const char *name = (const char *)names.data + at;
        uint64_t index = 0;
        if (strncmp(name, "snapshot-", 9) == 0) {
            ensure(sscanf(name, "snapshot-%" SCNu64, &index) == 1 && index < SNAPSHOTS_MAX);
            ensure(run->is_there[index]);
            found++;
        }
    }
    for (size_t i = 0; i < SNAPSHOTS_MAX; i++) {
        found -= run->is_there[i] ? 1U : 0U;
    }
    ensure(found == 0);
    buffer_free(&names);
}

/* A power cut takes back what no sync of the directory has made durable: one that had its name when
 * it was given up may be there again, which is as good. */
static void check_after_restart(struct run *run)
{
    struct store_contents contents;
    run->store->operations->close(run->store, false);
    open_store(run);
    run->store->operations->contents(run->store, &contents);
    ensure(contents.snapshot.index >= run->latest && contents.snapshot.index <= run->next);
    run->latest = contents.snapshot.index;
    memset(run->is_there, 0, sizeof run->is_there);
    run->is_there[run->latest] = run->latest > 0;
    check_names(run);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct run run = {.input = {data, size}};
    begin(&run);
    while (run.input.size > 0) {
        happen(&run, input_byte(&run.input));
    }
    if (run.own.writer != NULL) {
        give_up(&run, &run.own);
    }
    if (run.received.writer != NULL) {
        give_up(&run, &run.received);
    }
    check_names(&run);
    check_after_restart(&run);
    end(&run);
    return 0;
}
