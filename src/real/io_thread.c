/*
 * The I/O threads of a directory: tasks come in by a list, and go back to the loop by another and a
 * wake-up of it. A thread that hangs in a call holds nobody up but its own lane.
 *
 * It makes no call on a file, and calls no owner.
 */
#include "real/files.h"

#include <signal.h>
#include <unistd.h>

bool io_take(struct lane *lane, size_t at, size_t size)
{
    (void)pthread_mutex_lock(&lane->files->mutex);
    bool is_wanted = lane->current != NULL;
    if (is_wanted) {
        memcpy(lane->piece, (const uint8_t *)lane->current->data + at, size);
    }
    (void)pthread_mutex_unlock(&lane->files->mutex);
    return is_wanted;
}

bool io_give(struct lane *lane, size_t at, size_t size)
{
    (void)pthread_mutex_lock(&lane->files->mutex);
    bool is_wanted = lane->current != NULL;
    if (is_wanted) {
        memcpy((uint8_t *)lane->current->data + at, lane->piece, size);
    }
    (void)pthread_mutex_unlock(&lane->files->mutex);
    return is_wanted;
}

static void copy_name(char to[FILE_NAME_BYTES_MAX + 1], const char *from)
{
    size_t size = from == NULL ? 0 : strlen(from);
    ensure(size <= FILE_NAME_BYTES_MAX);
    memcpy(to, from == NULL ? "" : from, size);
    to[size] = 0;
}

/* ---- with the mutex held -------------------------------------------------------------------- */

static void begin(struct lane *lane)
{
    struct file_task *task = item_of(list_first(&lane->waiting), struct file_task, queued);
    struct job *job = &lane->job;
    list_remove(&task->queued);
    lane->current = task;
    lane->is_busy = true;
    buffer_clear(&job->names);
    job->kind = task->kind;
    job->sync = task->sync;
    job->create = task->create;
    bool is_named =
        task->kind == FILE_OPEN || task->kind == FILE_RENAME || task->kind == FILE_REMOVE;
    copy_name(job->name, is_named ? task->name : NULL);
    copy_name(job->new_name, task->kind == FILE_RENAME ? task->new_name : NULL);
    job->file = task->kind == FILE_OPEN ? NULL : task->file;
    job->offset = task->offset;
    job->size = task->size;
    job->error = FILE_OK;
    job->moved = 0;
    job->file_size = 0;
    job->problem[0] = 0;
    if (job->kind == FILE_CLOSE) {
        list_remove(&job->file->of_files); /* the thread closes it, and nobody else */
    }
}

static void hand_back(struct lane *lane)
{
    struct file_task *task = lane->current;
    const struct job *job = &lane->job;
    lane->current = NULL;
    task->error = job->error;
    task->moved = job->moved;
    memcpy(task->problem, job->problem, strlen(job->problem) + 1);
    if (job->kind == FILE_OPEN && job->error == FILE_OK) {
        task->file = job->file;
        task->file_size = job->file_size;
    } else if (job->kind == FILE_LIST) {
        buffer_append(task->names, job->names.data, job->names.size);
    }
    list_append(&lane->files->ended, &task->queued);
}

/* Whether the loop has to be woken. */
static bool end(struct lane *lane)
{
    struct real_files *files = lane->files;
    bool is_first = list_is_empty(&files->ended);
    bool is_wanted = lane->current != NULL;
    lane->is_busy = false;
    if (lane->job.kind == FILE_OPEN && lane->job.error == FILE_OK) {
        list_append(&files->open, &lane->job.file->of_files);
    }
    if (is_wanted) {
        hand_back(lane);
    }
    if (files->is_ending && !files->lanes[0].is_busy && !files->lanes[1].is_busy) {
        file_close_all(files);
        files->is_ending = false;
        (void)pthread_cond_signal(&files->lanes[0].wake);
        (void)pthread_cond_signal(&files->lanes[1].wake);
    }
    return is_wanted && is_first;
}

void io_end(struct real_files *files)
{
    for (size_t i = 0; i < 2; i++) {
        files->lanes[i].current = NULL;
        while (!list_is_empty(&files->lanes[i].waiting)) {
            list_remove(list_first(&files->lanes[i].waiting));
        }
    }
    while (!list_is_empty(&files->ended)) {
        list_remove(list_first(&files->ended));
    }
    if (files->lanes[0].is_busy || files->lanes[1].is_busy) {
        files->is_ending = true;
    } else {
        file_close_all(files);
    }
}

/* ---- threads -------------------------------------------------------------------------------- */

static void *run(void *context)
{
    struct lane *lane = context;
    struct real_files *files = lane->files;
    (void)pthread_mutex_lock(&files->mutex);
    while (!files->stops) {
        if (list_is_empty(&lane->waiting) || files->is_ending) {
            (void)pthread_cond_wait(&lane->wake, &files->mutex);
            continue;
        }
        begin(lane);
        (void)pthread_mutex_unlock(&files->mutex);
        file_work(lane);
        (void)pthread_mutex_lock(&files->mutex);
        if (end(lane)) { /* without the mutex, which the loop takes at once */
            (void)pthread_mutex_unlock(&files->mutex);
            (void)uv_async_send(&files->real->files_ended);
            (void)pthread_mutex_lock(&files->mutex);
        }
    }
    (void)pthread_mutex_unlock(&files->mutex);
    return NULL;
}

/* Signals are for the loop's thread. */
static bool start(struct lane *lane)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    lane->piece = memory_new(FILE_PIECE_BYTES);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    lane->is_started = pthread_create(&lane->thread, NULL, run, lane) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!lane->is_started) {
        memory_free(lane->piece);
        lane->piece = NULL;
    }
    return lane->is_started;
}

bool io_prepare(struct lane *lane)
{
    return lane->is_started || start(lane);
}

void io_wake(struct lane *lane)
{
    (void)pthread_cond_signal(&lane->wake);
}

void io_join(struct lane *lane)
{
    if (lane->is_started && lane->files->process == getpid()) {
        (void)pthread_cond_signal(&lane->wake);
        (void)pthread_join(lane->thread, NULL);
    }
    memory_free(lane->piece);
    buffer_free(&lane->job.names);
    (void)pthread_cond_destroy(&lane->wake);
}
