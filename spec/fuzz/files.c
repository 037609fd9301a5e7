/*
 * Fuzzes real files beside the simulated disk: each input is a run of tasks that both carry out,
 * and that must come to the same, byte by byte. A task is cut now and then while it is under way;
 * then its memory is somebody else's at once, and what is there is one or the other.
 */
#include "real/real.h"
#include "sim/sim.h"
#include "support/fuzz.h"

#include <stdlib.h>
#include <unistd.h>

#define NAMES 3U
#define FILE_BYTES_MAX (600U << 10) /* more than two pieces of an I/O thread */
#define PATH_BYTES 64

/* One of the two worlds, and the open files in it. */
struct side {
    struct trace *trace;
    struct faults *faults;
    struct world *world;
    struct files *files;
    struct file *open[NAMES];
    struct file_task task;
    uint8_t *data;
    bool is_done;
};

struct run {
    struct input input;
    struct side sides[2];
    uint8_t *written;
    char path[PATH_BYTES];
};

static const char *const name_of[NAMES] = {"a", "b", "c"};

static void done(void *context, struct file_task *task)
{
    struct side *side = context;
    ensure(task == &side->task && !side->is_done);
    side->is_done = true;
}

static void submit(struct side *side, const struct file_task *task)
{
    side->task = *task;
    side->task.done = done;
    side->task.context = side;
    side->is_done = false;
    files_submit(side->files, &side->task);
}

static void finish(struct side *side)
{
    while (!side->is_done) {
        (void)side->world->operations->step(side->world, WORLD_NEVER);
    }
    ensure((side->task.error == FILE_OK) == (side->task.problem[0] == 0));
}

/* On both; the error. */
static enum file_error perform(struct run *run, const struct file_task *task, size_t position)
{
    for (size_t i = 0; i < 2; i++) {
        struct side *side = &run->sides[i];
        struct file_task own = *task;
        own.file = position < NAMES ? side->open[position] : NULL;
        submit(side, &own);
        finish(side);
    }
    ensure(run->sides[0].task.error == run->sides[1].task.error);
    ensure(run->sides[0].task.moved == run->sides[1].task.moved);
    return run->sides[0].task.error;
}

static void lock(struct run *run)
{
    ensure(perform(run, &(struct file_task){.kind = FILE_LOCK}, NAMES) == FILE_OK);
}

static bool open_any(struct run *run, size_t position, bool creates)
{
    struct file_task task = {.kind = FILE_OPEN, .name = name_of[position], .create = creates};
    if (run->sides[0].open[position] != NULL || perform(run, &task, NAMES) != FILE_OK) {
        return false;
    }
    for (size_t i = 0; i < 2; i++) {
        run->sides[i].open[position] = run->sides[i].task.file;
    }
    return true;
}

static void open_file(struct run *run, size_t position, bool creates)
{
    if (open_any(run, position, creates)) {
        ensure(run->sides[0].task.file_size == run->sides[1].task.file_size);
    }
}

static void forget_open(struct run *run, size_t position)
{
    run->sides[0].open[position] = NULL;
    run->sides[1].open[position] = NULL;
}

/* A size that is now and then larger than a piece. */
static uint32_t draw_size(struct run *run)
{
    uint32_t size = input_byte(&run->input);
    return size % 8 == 0 ? size * 2000 : size * 7;
}

static struct file_task draw_write(struct run *run)
{
    uint32_t size = draw_size(run);
    uint32_t offset = input_byte(&run->input) * 300U;
    uint8_t kind = input_byte(&run->input);
    size = size < FILE_BYTES_MAX - offset ? size : FILE_BYTES_MAX - offset;
    memset(run->written, kind, size);
    return (struct file_task){.kind = FILE_WRITE,
                              .data = run->written,
                              .size = size,
                              .offset = offset,
                              .sync = kind % 2 == 0,
                              .bulk = kind % 4 < 2};
}

static void read_file(struct run *run, size_t position)
{
    uint32_t size = draw_size(run);
    uint64_t offset = input_byte(&run->input) * UINT64_C(300);
    for (size_t i = 0; i < 2; i++) {
        struct side *side = &run->sides[i];
        submit(side, &(struct file_task){.kind = FILE_READ,
                                         .file = side->open[position],
                                         .data = side->data,
                                         .size = size,
                                         .offset = offset});
        finish(side);
        ensure(side->task.error == FILE_OK);
    }
    ensure(run->sides[0].task.moved == run->sides[1].task.moved);
    ensure(memcmp(run->sides[0].data, run->sides[1].data, run->sides[0].task.moved) == 0);
}

static void list_names(struct run *run)
{
    struct buffer names[2] = {{0}, {0}};
    for (size_t i = 0; i < 2; i++) {
        submit(&run->sides[i], &(struct file_task){.kind = FILE_LIST, .names = &names[i]});
        finish(&run->sides[i]);
    }
    ensure(bytes_equal(buffer_bytes(&names[0]), buffer_bytes(&names[1])));
    buffer_free(&names[0]);
    buffer_free(&names[1]);
}

static void change_name(struct run *run, size_t position)
{
    uint8_t kind = input_byte(&run->input);
    (void)perform(run,
                  &(struct file_task){.kind = kind % 2 == 0 ? FILE_REMOVE : FILE_RENAME,
                                      .name = name_of[position],
                                      .new_name = name_of[kind / 2 % NAMES]},
                  NAMES);
}

/* Nothing is lost by a cut, of the disk that would lose it. */
static void sync_all(struct run *run)
{
    for (size_t i = 0; i < NAMES; i++) {
        if (run->sides[0].open[i] != NULL) {
            ensure(perform(run, &(struct file_task){.kind = FILE_WRITE, .sync = true}, i) ==
                   FILE_OK);
        }
    }
    ensure(perform(run, &(struct file_task){.kind = FILE_SYNC_DIRECTORY}, NAMES) == FILE_OK);
}

static void close_file(struct run *run, size_t position)
{
    if (run->sides[0].open[position] != NULL) {
        sync_all(run);
        ensure(perform(run, &(struct file_task){.kind = FILE_CLOSE}, position) == FILE_OK);
        forget_open(run, position);
    }
}

static void cut(struct run *run, bool wipes)
{
    for (size_t i = 0; i < 2; i++) {
        struct side *side = &run->sides[i];
        side->files->operations->cut(side->files);
        if (wipes) {
            side->files->operations->wipe(side->files);
        }
    }
    for (size_t i = 0; i < NAMES; i++) {
        forget_open(run, i);
    }
    lock(run);
}

/* Only the real one is cut while it writes; then both hold what it was to write, and nothing else.
 */
static void cut_write(struct run *run, size_t position)
{
    struct file_task task = draw_write(run);
    struct side *real = &run->sides[1];
    close_file(run, position); /* it may have another name by now */
    open_file(run, position, true);
    sync_all(run);
    uint8_t *given = memory_new(task.size);
    memcpy(given, run->written, task.size);
    struct file_task own = task;
    own.file = real->open[position];
    own.data = given;
    submit(real, &own);
    for (uint8_t spins = input_byte(&run->input); spins > 0; spins--) {
        __asm__ volatile("" ::: "memory");
    }
    real->files->operations->cut(real->files);
    memory_free(given);
    memset(&real->task, 0xee, sizeof real->task);
    cut(run, false);
    (void)open_any(run, position, true);
    ensure(perform(run, &(struct file_task){.kind = FILE_RESIZE}, position) == FILE_OK);
    ensure(perform(run, &task, position) == FILE_OK);
}

/* A second owner is refused as long as the first has it. */
static void lock_twice(struct run *run)
{
    for (size_t i = 0; i < 2; i++) {
        struct side *side = &run->sides[i];
        struct files *first = side->files;
        side->files =
            side->world->operations->files(side->world, 1, i == 0 ? NULL : run->path, NULL);
        submit(side, &(struct file_task){.kind = FILE_LOCK});
        finish(side);
        ensure(side->task.error == FILE_LOCKED);
        side->files->operations->free(side->files);
        side->files = first;
    }
}

static void happen(struct run *run, uint8_t kind)
{
    size_t position = kind / 16 % NAMES;
    bool is_open = run->sides[0].open[position] != NULL;
    struct file_task task;
    if (kind % 16 < 4 || (kind % 16 < 11 && !is_open)) {
        open_file(run, position, kind % 16 != 3);
    } else if (kind % 16 < 7) {
        task = draw_write(run);
        ensure(perform(run, &task, position) == FILE_OK);
    } else if (kind % 16 == 7) {
        read_file(run, position);
    } else if (kind % 16 == 8) {
        task = (struct file_task){.kind = FILE_RESIZE, .size = draw_size(run)};
        ensure(perform(run, &task, position) == FILE_OK);
    } else if (kind % 16 == 9) {
        cut_write(run, position);
    } else if (kind % 16 == 10) {
        close_file(run, position);
    } else if (kind % 16 < 13) {
        change_name(run, position);
    } else if (kind % 16 == 13) {
        list_names(run);
    } else if (kind % 16 == 14) {
        lock_twice(run);
    } else {
        sync_all(run);
        cut(run, kind >= 128);
    }
}

static void begin(struct run *run, struct side *side, bool real)
{
    side->trace = trace_new();
    side->faults = faults_new(1, side->trace);
    struct real_options options = {.speed = 1, .free_running = true};
    side->world = real ? real_new(side->trace, side->faults, &options, NULL)
                       : sim_new(side->trace, side->faults, 1);
    ensure(side->world != NULL);
    side->files = side->world->operations->files(side->world, 1, real ? run->path : NULL, NULL);
    side->data = memory_new(FILE_BYTES_MAX);
}

static void end(struct side *side)
{
    side->files->operations->free(side->files);
    side->world->operations->free(side->world);
    faults_free(side->faults);
    trace_free(side->trace);
    memory_free(side->data);
}

/* In memory where there is such a directory: the disk's own time finds nothing. */
static void make_directory(struct run *run)
{
    const char *where = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    memcpy(run->path, where, strlen(where));
    memcpy(run->path + strlen(where), "/raftbench-fuzz-XXXXXX", sizeof "/raftbench-fuzz-XXXXXX");
    ensure(mkdtemp(run->path) != NULL);
}

static void remove_directory(struct run *run)
{
    char lock_path[PATH_BYTES + 8];
    size_t size = strlen(run->path);
    memcpy(lock_path, run->path, size);
    memcpy(lock_path + size, "/LOCK", sizeof "/LOCK");
    ensure(unlink(lock_path) == 0 && rmdir(run->path) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct run run = {.input = {data, size}};
    make_directory(&run);
    run.written = memory_new(FILE_BYTES_MAX);
    begin(&run, &run.sides[0], false);
    begin(&run, &run.sides[1], true);
    lock(&run);
    for (size_t left = 60; left > 0 && run.input.size > 0; left--) {
        happen(&run, input_byte(&run.input));
    }
    cut(&run, true); /* nothing is left */
    end(&run.sides[0]);
    end(&run.sides[1]);
    memory_free(run.written);
    remove_directory(&run);
    return 0;
}
