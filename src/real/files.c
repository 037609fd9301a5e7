/*
 * A node's directory on a real disk, the loop's side: tasks go to the I/O thread of their lane, and
 * those that have ended are told of on the loop's thread.
 *
 * It makes no call on a file, and waits for a thread only in `free`.
 */
#include "real/files.h"

#include <unistd.h>

#define NO_THREAD "no thread can be made for files"

static struct real_files *real_files_of(struct files *files)
{
    return (struct real_files *)(void *)files;
}

static bool is_synced(const struct file_task *task)
{
    return (task->kind == FILE_WRITE && task->sync) || task->kind == FILE_RESIZE ||
           task->kind == FILE_SYNC_DIRECTORY;
}

static void submit(struct files *head, struct file_task *task)
{
    struct real_files *files = real_files_of(head);
    struct lane *lane = &files->lanes[task->bulk ? 1 : 0];
    ensure(task->done != NULL && files->process == getpid());
    task->error = FILE_OK;
    task->moved = 0;
    task->problem[0] = 0;
    files->asked++;
    (void)pthread_mutex_lock(&files->mutex);
    bool is_idle = !lane->is_busy && list_is_empty(&lane->waiting);
    if (io_prepare(lane)) {
        list_append(&lane->waiting, &task->queued);
        (void)pthread_mutex_unlock(&files->mutex);
        if (is_idle) {
            io_wake(lane);
        }
        return;
    }
    task->error = FILE_BROKEN;
    memcpy(task->problem, NO_THREAD, sizeof NO_THREAD);
    list_append(&files->ended, &task->queued);
    (void)pthread_mutex_unlock(&files->mutex);
    (void)uv_async_send(&files->real->files_ended);
}

static struct file_task *take_ended(struct real_files *files)
{
    (void)pthread_mutex_lock(&files->mutex);
    struct file_task *task = item_of(list_first(&files->ended), struct file_task, queued);
    if (task != NULL) {
        list_remove(&task->queued);
    }
    (void)pthread_mutex_unlock(&files->mutex);
    return task;
}

static void tell(struct real_files *files, struct file_task *task)
{
    ensure(files->asked > 0);
    files->asked--;
    files->real->world.events++;
    if (task->error == FILE_OK) {
        files->head.sync_count += is_synced(task);
        files->head.written_bytes += task->kind == FILE_WRITE ? task->size : 0;
    }
    task->done(task->context, task);
}

/* From the start after each: who is told may free any of them, and ask for more. */
void real_files_tell(struct real *real)
{
    struct list_link *at = list_first(&real->files);
    while (at != NULL) {
        struct real_files *files = item_of(at, struct real_files, of_real);
        struct file_task *task = take_ended(files);
        if (task == NULL) {
            at = list_next(&real->files, at);
            continue;
        }
        tell(files, task);
        at = list_first(&real->files);
    }
}

static void cut(struct files *head)
{
    struct real_files *files = real_files_of(head);
    files->asked = 0;
    if (files->process != getpid()) {
        return; /* the files are the other process's, which may hold the mutex too */
    }
    (void)pthread_mutex_lock(&files->mutex);
    io_end(files);
    (void)pthread_mutex_unlock(&files->mutex);
}

static void wipe(struct files *head)
{
    struct real_files *files = real_files_of(head);
    (void)pthread_mutex_lock(&files->mutex);
    files->is_wiped = true;
    (void)pthread_mutex_unlock(&files->mutex);
}

static bool set_faults(struct files *head, const struct disk_faults *faults,
                       struct failure *failure)
{
    (void)head;
    (void)faults;
    failure_set(failure, FAILURE_UNSUPPORTED, "a real disk has no faults to order");
    return false;
}

static void files_free(struct files *head)
{
    struct real_files *files = real_files_of(head);
    cut(head);
    if (files->process == getpid()) {
        (void)pthread_mutex_lock(&files->mutex);
        files->stops = true;
        (void)pthread_mutex_unlock(&files->mutex);
    }
    io_join(&files->lanes[0]);
    io_join(&files->lanes[1]);
    list_remove(&files->of_real);
    if (files->process == getpid()) {
        (void)pthread_mutex_destroy(&files->mutex);
    }
    memory_free(files);
}

static const struct files_operations operations = {
    .submit = submit,
    .cut = cut,
    .wipe = wipe,
    .set_faults = set_faults,
    .free = files_free,
};

struct files *real_files_new(struct world *world, uint64_t id, const char *directory,
                             struct failure *failure)
{
    size_t size = strlen(directory);
    (void)id;
    if (size == 0) {
        failure_set(failure, FAILURE_STORAGE, "a directory has a name");
        return NULL;
    }
    struct real_files *files = memory_new_zeroed(1, sizeof *files + size + 1);
    memcpy(files->path, directory, size + 1);
    files->head = (struct files){.operations = &operations, .path = files->path};
    files->real = real_of(world);
    files->process = getpid();
    files->directory = -1;
    files->lock = -1;
    ensure(pthread_mutex_init(&files->mutex, NULL) == 0);
    for (size_t i = 0; i < 2; i++) {
        files->lanes[i].files = files;
        ensure(pthread_cond_init(&files->lanes[i].wake, NULL) == 0);
    }
    list_append(&files->real->files, &files->of_real);
    return &files->head;
}
