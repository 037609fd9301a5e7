/*
 * Fuzzes the simulated disk: each input is a run of tasks, faults and power cuts, beside a plain
 * model that knows for each byte which values it may have. What was synced is never lost without a
 * fault that loses it, what was not synced never stays where no fault keeps it, and the same input
 * is the same run.
 */
#include "sim/sim.h"
#include "support/disk_model.h"
#include "support/fuzz.h"

#define DISK_ID 3U
#define NAMES 4U
#define FILES_MAX 12U

/* ---- the run -------------------------------------------------------------------------------- */

/* Files by number, from 1; 0: none. */
struct model_name {
    uint32_t now;
    uint32_t durable;
    uint32_t may; /* a bit for each file, and bit 0 */
};

struct run {
    struct input input;
    struct faults *faults;
    struct world *world;
    struct files *files;
    struct disk_faults of_disk;
    bool is_done;
    uint64_t hash;
    uint32_t file_count;
    struct model_name names[NAMES];
    struct model_file model[FILES_MAX];
};

static const char *const name_of[NAMES] = {"a", "b", "c", "d"};

static bool tears(const struct run *run)
{
    return run->of_disk.torn_write;
}

static void model_name_set(struct model_name *name, uint32_t file)
{
    name->now = file;
    name->may |= 1U << file;
}

/* ---- tasks ---------------------------------------------------------------------------------- */

static void done(void *context, struct file_task *task)
{
    struct run *run = context;
    run->is_done = true;
    run->hash = hash_mix(run->hash, task->error);
    run->hash = hash_mix(run->hash, task->moved);
    run->hash = hash_mix(run->hash, (uint64_t)world_now_ns(run->world));
}

static void submit(struct run *run, struct file_task *task)
{
    task->done = done;
    task->context = run;
    run->is_done = false;
    files_submit(run->files, task);
    ensure(!run->is_done);
}

/* A disk that stalls does not end it: then it goes on. */
static void finish(struct run *run)
{
    if (run->of_disk.stall) {
        ensure(!run->world->operations->step(run->world, WORLD_NEVER) && !run->is_done);
        run->of_disk.stall = false;
        ensure(run->files->operations->set_faults(run->files, &run->of_disk, NULL));
    }
    while (!run->is_done) {
        ensure(run->world->operations->step(run->world, WORLD_NEVER));
    }
}

static void perform(struct run *run, struct file_task *task)
{
    submit(run, task);
    finish(run);
    ensure((task->error == FILE_OK) == (task->problem[0] == 0));
}

static struct file *open_name(struct run *run, const char *name)
{
    struct file_task task = {.kind = FILE_OPEN, .name = name};
    perform(run, &task);
    ensure(task.error == FILE_OK);
    return task.file;
}

static void close_file(struct run *run, struct file *file)
{
    struct file_task task = {.kind = FILE_CLOSE, .file = file};
    perform(run, &task);
    ensure(task.error == FILE_OK);
}

static void lock(struct run *run)
{
    struct file_task task = {.kind = FILE_LOCK};
    perform(run, &task);
    ensure(task.error == FILE_OK);
}

/* ---- what must be there --------------------------------------------------------------------- */

static size_t read_whole(struct run *run, const char *name, uint8_t *data)
{
    struct file *file = open_name(run, name);
    struct file_task task = {
        .kind = FILE_READ, .file = file, .data = data, .size = MODEL_BYTES_MAX + 1};
    memset(data, 0, MODEL_BYTES_MAX + 1);
    perform(run, &task);
    ensure(task.error == FILE_OK && task.moved <= MODEL_BYTES_MAX);
    close_file(run, file);
    run->hash = hash_bytes(data, task.moved, run->hash);
    return task.moved;
}

/* What is there, as far as it is not what the model says: as if it had just been written. */
static uint32_t take_over(struct run *run, uint32_t position)
{
    uint8_t data[MODEL_BYTES_MAX + 1];
    struct model_file *file = &run->model[run->names[position].now];
    size_t size = read_whole(run, name_of[position], data);
    uint32_t different = 0;
    ensure(size >= file->size);
    for (uint32_t i = 0; i < size; i++) {
        if (data[i] != file->bytes[i].now) {
            model_write(file, i, 1, &data[i]);
            different++;
        }
    }
    file->size = (uint32_t)size;
    return different;
}

static void check_read(struct run *run, uint32_t position)
{
    uint8_t data[MODEL_BYTES_MAX + 1];
    const struct model_file *file = &run->model[run->names[position].now];
    size_t size = read_whole(run, name_of[position], data);
    uint32_t bits = 0;
    for (size_t i = 0; i < size; i++) {
        bits += (uint32_t)__builtin_popcount(data[i] ^ file->bytes[i].now);
    }
    ensure(size == file->size);
    ensure(run->of_disk.misdirect_read > 0 || bits == 0 || (run->of_disk.corrupt > 0 && bits == 1));
}

/* The file that has the name now may be any that had it since the names were synced. */
static uint32_t take_file(struct run *run, uint32_t position, struct model_file *found)
{
    uint8_t data[MODEL_BYTES_MAX + 1];
    const struct model_name *name = &run->names[position];
    uint32_t candidates = tears(run) ? name->may : 1U << name->durable;
    size_t size = read_whole(run, name_of[position], data);
    uint32_t least = UINT32_MAX;
    for (uint32_t number = 1; number < FILES_MAX; number++) {
        if ((candidates >> number & 1) != 0) {
            uint32_t wrong = model_count_wrong(&run->model[number], tears(run), data, size);
            least = wrong < least ? wrong : least;
        }
    }
    found->size = (uint32_t)size;
    for (uint32_t i = 0; i < size; i++) {
        found->bytes[i].now =
            data[i] % MODEL_VALUES; /* a bit that has flipped may make it another */
    }
    model_resize(found, found->size);
    return least;
}

static void list_names(struct run *run, bool is_there[NAMES])
{
    struct buffer names = {0};
    struct file_task task = {.kind = FILE_LIST, .names = &names};
    perform(run, &task);
    for (size_t at = 0; at < names.size;) {
        const char *name = (const char *)names.data + at;
        ensure(name[0] >= 'a' && name[0] < 'a' + (int)NAMES && name[1] == 0);
        is_there[name[0] - 'a'] = true;
        at += strlen(name) + 1;
    }
    buffer_free(&names);
}

static void forget_all(struct run *run)
{
    run->file_count = 0;
    for (uint32_t i = 0; i < NAMES; i++) {
        run->names[i] = (struct model_name){.may = 1};
    }
}

/* After a power cut: what is there is from now on what must be there. */
static void take_disk(struct run *run)
{
    static const struct model_file empty = {0};
    struct model_file found[NAMES];
    bool is_there[NAMES] = {false};
    uint32_t wrong = 0;
    list_names(run, is_there);
    for (uint32_t i = 0; i < NAMES; i++) {
        const struct model_name *name = &run->names[i];
        uint32_t may = tears(run) ? name->may : 1U << name->durable;
        ensure(is_there[i] ? (may & ~1U) != 0 : (may & 1) != 0);
        found[i] = empty;
        wrong += is_there[i] ? take_file(run, i, &found[i]) : 0;
    }
    ensure(wrong <= (run->of_disk.flip ? 1U : 0U));
    forget_all(run);
    for (uint32_t i = 0; i < NAMES; i++) {
        if (is_there[i]) {
            run->model[++run->file_count] = found[i];
            run->names[i].now = run->file_count;
            run->names[i].durable = run->file_count;
            run->names[i].may = 1U << run->file_count;
        }
    }
}

/* ---- what happens --------------------------------------------------------------------------- */

static void cut(struct run *run)
{
    run->files->operations->cut(run->files);
    lock(run);
    struct disk_faults faults = run->of_disk;
    run->of_disk = (struct disk_faults){.torn_write = faults.torn_write, .flip = faults.flip};
    ensure(run->files->operations->set_faults(run->files, &(struct disk_faults){0}, NULL));
    take_disk(run);
    run->of_disk = (struct disk_faults){0};
    if (faults.flip) { /* the model has no word for other values than those that were written */
        run->files->operations->cut(run->files);
        run->files->operations->wipe(run->files);
        forget_all(run);
        lock(run);
    }
}

static void change_faults(struct run *run)
{
    uint8_t which = input_byte(&run->input);
    uint64_t chance = input_byte(&run->input) % 2 == 0 ? CHANCE_ALWAYS : CHANCE_ALWAYS / 2;
    struct disk_faults *faults = &run->of_disk;
    *faults = (struct disk_faults){
        .sync_delay_ns = which % 16 == 1 ? 1000000 : 0,
        .stall = which % 16 == 2,
        .full = which % 16 == 3,
        .write_error = which % 16 == 4 ? chance : 0,
        .sync_error = which % 16 == 5 ? chance : 0,
        .corrupt = which % 16 == 6 ? chance : 0,
        .misdirect_read = which % 16 == 7 ? chance : 0,
        .misdirect_write = which % 16 == 8 ? chance : 0,
        .torn_write = which % 16 > 9,
        .flip = which % 16 == 9 || which % 16 == 15,
    };
    ensure(run->files->operations->set_faults(run->files, faults, NULL));
}

static void create(struct run *run, uint32_t position)
{
    struct file_task task = {.kind = FILE_OPEN, .name = name_of[position], .create = true};
    struct model_name *name = &run->names[position];
    if (name->now == 0 && run->file_count + 1 == FILES_MAX) {
        return;
    }
    perform(run, &task);
    ensure(task.error == (name->now == 0 && run->of_disk.full ? FILE_FULL : FILE_OK));
    if (task.error != FILE_OK) {
        return;
    }
    if (name->now == 0) {
        struct model_file *file = &run->model[++run->file_count];
        file->size = 0;
        model_resize(file, 0);
        model_name_set(name, run->file_count);
    }
    ensure(task.file_size == run->model[name->now].size);
    close_file(run, task.file);
}

struct written {
    uint8_t data[MODEL_BYTES_MAX];
    struct file_task task;
    uint32_t position;
};

static void draw_write(struct run *run, uint32_t position, struct written *written)
{
    uint32_t offset = input_byte(&run->input) * 20U % MODEL_BYTES_MAX;
    uint32_t size = input_byte(&run->input) * 8U;
    uint8_t kind = input_byte(&run->input);
    size = size < MODEL_BYTES_MAX - offset ? size : MODEL_BYTES_MAX - offset;
    for (uint32_t i = 0; i < size; i++) {
        written->data[i] = (uint8_t)((kind / 4 + i / 100) % MODEL_VALUES);
    }
    written->position = position;
    written->task = (struct file_task){.kind = FILE_WRITE,
                                       .file = open_name(run, name_of[position]),
                                       .data = written->data,
                                       .size = size,
                                       .offset = offset,
                                       .sync = kind % 2 == 0,
                                       .bulk = kind % 4 < 2};
}

static void end_write(struct run *run, struct written *written)
{
    struct file_task *task = &written->task;
    struct model_file *file = &run->model[run->names[written->position].now];
    bool grows = task->size > 0 && task->offset + task->size > file->size;
    ensure((task->error == FILE_FULL) == (run->of_disk.full && grows));
    if (task->error == FILE_FULL) {
        return;
    }
    if (run->of_disk.misdirect_write > 0 || run->of_disk.write_error > 0) {
        ensure(take_over(run, written->position) <= task->size);
    } else {
        model_write(file, (uint32_t)task->offset, (uint32_t)task->size, written->data);
    }
    if (task->error == FILE_OK && task->sync) {
        model_sync(file);
    } else if (task->error == FILE_BROKEN && run->of_disk.sync_error > 0) {
        model_lose(file);
    }
    ensure(task->error == FILE_OK || run->of_disk.sync_error > 0 || run->of_disk.write_error > 0);
}

static void write_some(struct run *run, uint32_t position)
{
    struct written written;
    draw_write(run, position, &written);
    perform(run, &written.task);
    end_write(run, &written);
    close_file(run, written.task.file);
}

/* The power is cut after some steps of the world. */
static void cut_write(struct run *run, uint32_t position)
{
    struct written written;
    draw_write(run, position, &written);
    submit(run, &written.task);
    for (uint8_t steps = input_byte(&run->input) % 3; steps > 0; steps--) {
        (void)run->world->operations->step(run->world, world_now_ns(run->world) + 100000);
    }
    if (run->is_done) {
        end_write(run, &written);
    } else if (tears(run)) {
        model_write(&run->model[run->names[position].now], (uint32_t)written.task.offset,
                    (uint32_t)written.task.size, written.data);
    }
    cut(run);
}

static void resize(struct run *run, uint32_t position)
{
    struct model_file *file = &run->model[run->names[position].now];
    uint32_t size = input_byte(&run->input) * 20U % MODEL_BYTES_MAX;
    struct file_task task = {
        .kind = FILE_RESIZE, .file = open_name(run, name_of[position]), .size = size};
    perform(run, &task);
    if (task.error == FILE_OK) {
        model_resize(file, size);
    } else if (task.error == FILE_BROKEN && run->of_disk.sync_error > 0) {
        model_lose(file);
    }
    close_file(run, task.file);
}

static void change_name(struct run *run, uint32_t position, bool removes)
{
    uint32_t to = input_byte(&run->input) % NAMES;
    struct file_task task = {.kind = removes ? FILE_REMOVE : FILE_RENAME,
                             .name = name_of[position],
                             .new_name = name_of[to]};
    uint32_t file = run->names[position].now;
    perform(run, &task);
    ensure(task.error == FILE_OK);
    if (removes || to != position) {
        model_name_set(&run->names[position], 0);
    }
    if (!removes) {
        model_name_set(&run->names[to], file);
    }
}

static void sync_names(struct run *run)
{
    struct file_task task = {.kind = FILE_SYNC_DIRECTORY};
    perform(run, &task);
    ensure(task.error == FILE_OK || run->of_disk.sync_error > 0);
    for (uint32_t i = 0; i < NAMES && task.error == FILE_OK; i++) {
        run->names[i].durable = run->names[i].now;
        run->names[i].may = 1U << run->names[i].now;
    }
}

static void happen(struct run *run, uint8_t kind)
{
    uint32_t position = kind / 16 % NAMES;
    bool is_there = run->names[position].now != 0;
    if (kind % 16 < 2 || (!is_there && kind % 16 < 8)) {
        create(run, position);
    } else if (kind % 16 < 5) {
        write_some(run, position);
    } else if (kind % 16 == 5) {
        check_read(run, position);
    } else if (kind % 16 == 6) {
        resize(run, position);
    } else if (kind % 16 == 7) {
        cut_write(run, position);
    } else if (kind % 16 < 10 && is_there) {
        change_name(run, position, kind % 16 == 8);
    } else if (kind % 16 < 12) {
        sync_names(run);
    } else if (kind % 16 < 14) {
        change_faults(run);
    } else {
        cut(run);
    }
}

/* The run's hash. */
static uint64_t play(const uint8_t *data, size_t size)
{
    struct run *run = memory_new_zeroed(1, sizeof *run);
    run->input = (struct input){data, size};
    run->faults = faults_new(1, NULL);
    run->world = sim_new(NULL, run->faults, input_byte(&run->input));
    run->files = run->world->operations->files(run->world, DISK_ID, NULL, NULL);
    forget_all(run);
    lock(run);
    for (size_t left = 100; left > 0 && run->input.size > 0; left--) {
        happen(run, input_byte(&run->input));
    }
    run->files->operations->free(run->files);
    run->world->operations->free(run->world);
    faults_free(run->faults);
    uint64_t hash = run->hash;
    memory_free(run);
    return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t hash = play(data, size);
    ensure(play(data, size) == hash);
    return 0;
}
