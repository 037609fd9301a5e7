/*
 * Disks of the simulated world. A disk lives as long as the world; who opens it hands it tasks,
 * which take their time and are carried out when it has passed (disk_tasks.c), one after the other
 * in each lane, unless the power is cut before.
 *
 * It never calls back from within a call, and allocates nothing for a task but what OPEN gives.
 */
#include "sim/disk.h"

#include <inttypes.h>
#include <stdio.h>

#define MICROSECOND_NS INT64_C(1000)

/* How long the parts of a task take, between two times; each byte one nanosecond more. */
struct duration {
    enum disk_draw draw;
    int64_t min_ns;
    int64_t max_ns;
};

static const struct duration sync_lasts = {DRAW_SYNC_TIME, 100 * MICROSECOND_NS,
                                           500 * MICROSECOND_NS};
static const struct duration write_lasts = {DRAW_WRITE_TIME, 2 * MICROSECOND_NS,
                                            20 * MICROSECOND_NS};
static const struct duration read_lasts = {DRAW_READ_TIME, 10 * MICROSECOND_NS,
                                           100 * MICROSECOND_NS};
static const struct duration name_lasts = {DRAW_NAME_TIME, 5 * MICROSECOND_NS, 50 * MICROSECOND_NS};

static void open_streams(struct sim_disk *disk)
{
    static const char *const names[] = {
#define X(name, text) text,
        DISK_DRAWS(X)
#undef X
    };
    for (size_t i = 0; i < DRAW_COUNT; i++) {
        disk->streams[i] =
            random_stream_of(disk->sim->seed, "disk", disk->id, disk->wipes, names[i]);
    }
}

void disk_rekey(struct sim_disk *disk)
{
    open_streams(disk);
}

static struct file_task *first_task(const struct lane *lane)
{
    return item_of(list_first(&lane->tasks), struct file_task, queued);
}

/* ---- tasks ---------------------------------------------------------------------------------- */

static const struct duration *duration_of(const struct file_task *task)
{
    return disk_task_syncs(task)      ? &sync_lasts
           : task->kind == FILE_READ  ? &read_lasts
           : task->kind == FILE_WRITE ? &write_lasts
                                      : &name_lasts;
}

static int64_t draw_duration(struct sim_disk *disk, const struct file_task *task)
{
    const struct duration *duration = duration_of(task);
    int64_t lasts_ns =
        random_between(&disk->streams[duration->draw], duration->min_ns, duration->max_ns);
    if (task->kind == FILE_READ || task->kind == FILE_WRITE) {
        lasts_ns += (int64_t)task->size;
    }
    return lasts_ns + (disk_task_syncs(task) ? disk->faults.sync_delay_ns : 0);
}

static void wake(struct lane *lane, int64_t at_ns)
{
    struct world *world = &lane->files->disk->sim->world;
    world->operations->wake_at(world, &lane->wakeup, at_ns);
}

static void begin(struct lane *lane)
{
    struct sim_disk *disk = lane->files->disk;
    lane->due_ns = disk->sim->now_ns + draw_duration(disk, first_task(lane));
    if (!disk->faults.stall) {
        wake(lane, lane->due_ns);
    }
}

static bool loses_power(struct sim_files *files)
{
    struct sim_disk *disk = files->disk;
    if (disk->faults.crash_after == 0 || disk->holder != files || files->head.power_lost == NULL) {
        return false;
    }
    return --disk->faults.crash_after == 0;
}

/* The last thing is to tell: who is told may cut, and free. */
static void on_wakeup(void *context)
{
    struct lane *lane = context;
    struct sim_files *files = lane->files;
    struct file_task *task = first_task(lane);
    ensure(task != NULL);
    list_remove(&task->queued);
    disk_carry_out(files, task);
    if (task->error == FILE_OK) {
        files->head.sync_count += disk_task_syncs(task);
        files->head.written_bytes += task->kind == FILE_WRITE ? task->size : 0;
    }
    if (!list_is_empty(&lane->tasks)) {
        begin(lane);
    }
    if (loses_power(files)) {
        files->head.power_lost(files->head.power_context);
        return;
    }
    task->done(task->context, task);
}

static struct sim_files *sim_files_of(struct files *files)
{
    return (struct sim_files *)(void *)files;
}

static void check_task(const struct sim_files *files, const struct file_task *task)
{
    bool has_file = task->kind == FILE_READ || task->kind == FILE_WRITE ||
                    task->kind == FILE_RESIZE || task->kind == FILE_CLOSE;
    bool has_name =
        task->kind == FILE_OPEN || task->kind == FILE_RENAME || task->kind == FILE_REMOVE;
    ensure(task->done != NULL && (task->file != NULL || !has_file));
    ensure(!has_name || (task->name[0] != 0 && strlen(task->name) <= FILE_NAME_BYTES_MAX));
    ensure(task->kind != FILE_WRITE || files->disk->holder == files);
}

static void submit(struct files *head, struct file_task *task)
{
    struct sim_files *files = sim_files_of(head);
    struct lane *lane = &files->lanes[task->bulk ? 1 : 0];
    bool idle = list_is_empty(&lane->tasks);
    check_task(files, task);
    task->error = FILE_OK;
    task->moved = 0;
    task->problem[0] = 0;
    list_append(&lane->tasks, &task->queued);
    if (idle) {
        begin(lane);
    }
}

/* ---- power cuts ----------------------------------------------------------------------------- */

/* A file that has something, any of them as likely: else none but the largest would ever be struck.
 */
static const struct disk_name *draw_file(const struct disk_directory *durable, uint64_t number)
{
    const struct disk_name *found = NULL;
    uint64_t count = 0;
    for (size_t i = 0; i < durable->count; i++) {
        count += disk_file_used(durable->items[i].file) > 0 ? 1U : 0U;
    }
    uint64_t place = count > 0 ? number % count : 0;
    for (size_t i = 0; i < durable->count && count > 0; i++) {
        if (disk_file_used(durable->items[i].file) > 0 && place-- == 0) {
            found = &durable->items[i];
            break;
        }
    }
    return found;
}

static void flip(struct sim_disk *disk)
{
    uint64_t number = random_next(&disk->streams[DRAW_FLIP]);
    const struct disk_name *name =
        disk->faults.flip ? draw_file(&disk->names.durable, number >> 32) : NULL;
    if (name == NULL) {
        return;
    }
    uint64_t total = disk_file_used(name->file) * 8;
    uint64_t bit = random_scramble(number) % total;
    for (int tries = 0; tries < FLIP_TRIES && disk_file_byte(name->file, bit / 8) == 0; tries++) {
        number = random_scramble(number);
        bit = random_scramble(number) % total;
    }
    disk_file_flip(name->file, bit);
    disk_tell(disk, "%s: a bit of \"%s\" has flipped at %" PRIu64, disk->path, name->name, bit / 8);
}

static void cut_power(struct sim_disk *disk)
{
    struct random *coins = disk->faults.torn_write ? &disk->streams[DRAW_TORN] : NULL;
    disk_names_cut(&disk->names, coins);
    for (size_t i = 0; i < disk->names.durable.count; i++) {
        disk_file_cut(disk->names.durable.items[i].file, coins, &disk->streams[DRAW_LOST]);
    }
    flip(disk);
    disk->holder = NULL;
    disk->faults.torn_write = false;
    disk->faults.flip = false;
}

static void cut(struct files *head)
{
    struct sim_files *files = sim_files_of(head);
    struct sim_disk *disk = files->disk;
    bool holds = disk->holder == files;
    for (size_t i = 0; i < 2; i++) {
        struct lane *lane = &files->lanes[i];
        struct file_task *task = first_task(lane);
        if (task != NULL && holds && disk->faults.torn_write) {
            disk_tear(files, task, &disk->streams[DRAW_TORN]);
        }
        while (!list_is_empty(&lane->tasks)) {
            list_remove(list_first(&lane->tasks));
        }
        wake(lane, WORLD_NEVER);
    }
    while (!list_is_empty(&files->open)) {
        disk_close_file(item_of(list_first(&files->open), struct file, of_files));
    }
    if (holds) {
        cut_power(disk);
    }
}

/* ---- life ----------------------------------------------------------------------------------- */

static void wipe(struct files *head)
{
    struct sim_disk *disk = sim_files_of(head)->disk;
    ensure(disk->holder == NULL);
    disk_names_free(&disk->names);
    disk->wipes++;
    open_streams(disk);
}

static bool set_faults(struct files *head, const struct disk_faults *faults,
                       struct failure *failure)
{
    struct sim_disk *disk = sim_files_of(head)->disk;
    (void)failure;
    ensure(faults->sync_delay_ns >= 0);
    disk->faults = *faults;
    list_each(&disk->users, at) {
        struct sim_files *files = item_of(at, struct sim_files, of_disk);
        for (size_t i = 0; i < 2; i++) {
            bool idle = faults->stall || list_is_empty(&files->lanes[i].tasks);
            wake(&files->lanes[i], idle ? WORLD_NEVER : files->lanes[i].due_ns);
        }
    }
    return true;
}

static void files_free(struct files *head)
{
    struct sim_files *files = sim_files_of(head);
    cut(head);
    list_remove(&files->of_disk);
    memory_free(files);
}

static const struct files_operations operations = {
    .submit = submit,
    .cut = cut,
    .wipe = wipe,
    .set_faults = set_faults,
    .free = files_free,
};

static struct sim_disk *disk_of(struct sim *sim, uint64_t id)
{
    struct sim_disk *disk = pairs_find(&sim->disks, id, 0);
    if (disk == NULL) {
        disk = memory_new_zeroed(1, sizeof *disk);
        disk->sim = sim;
        disk->id = id;
        (void)snprintf(disk->path, sizeof disk->path, "disk %" PRIu64, id);
        open_streams(disk);
        *array_push(&sim->disk_list) = disk;
        pairs_add(&sim->disks, id, 0, disk);
    }
    return disk;
}

struct files *sim_files(struct world *world, uint64_t id, const char *directory,
                        struct failure *failure)
{
    ensure(id > 0 && directory == NULL);
    (void)failure;
    struct sim_files *files = memory_new_zeroed(1, sizeof *files);
    files->disk = disk_of((struct sim *)(void *)world, id);
    files->head = (struct files){.operations = &operations, .path = files->disk->path};
    list_append(&files->disk->users, &files->of_disk);
    for (size_t i = 0; i < 2; i++) {
        struct lane *lane = &files->lanes[i];
        lane->files = files;
        lane->wakeup = (struct wakeup){.fire = on_wakeup, .context = lane, .at_ns = WORLD_NEVER};
    }
    return &files->head;
}

void sim_disk_free(struct sim_disk *disk)
{
    ensure(list_is_empty(&disk->users));
    disk_names_free(&disk->names);
    memory_free(disk);
}
