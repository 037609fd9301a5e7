/*
 * What a task is in calls of the system, on the thread of its lane: calls that may block, are
 * repeated where a signal broke them off or they did a part only, and whose errors become words
 * with the path. Nothing that failed is tried again.
 *
 * It touches nothing of a task's owner but by io_take and io_give.
 */
#define _GNU_SOURCE /* NOLINT(bugprone-reserved-identifier): for pwritev2 */
#include "real/files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* ---- bytes ---------------------------------------------------------------------------------- */

/* One call; `is_synced`: as O_DSYNC. */
static ssize_t write_once(int descriptor, const uint8_t *data, size_t size, uint64_t offset,
                          bool is_synced)
{
    struct iovec part = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
    ssize_t wrote = -1;
    do {
        wrote = is_synced ? pwritev2(descriptor, &part, 1, (off_t)offset, RWF_DSYNC)
                          : pwrite(descriptor, data, size, (off_t)offset);
    } while (wrote < 0 && errno == EINTR);
    return wrote;
}

/* All of it; false with errno set. */
static bool write_all(int descriptor, const uint8_t *data, size_t size, uint64_t offset,
                      bool is_synced)
{
    while (size > 0) {
        ssize_t wrote = write_once(descriptor, data, size, offset, is_synced);
        if (wrote <= 0) {
            errno = wrote == 0 ? EIO : errno;
            return false;
        }
        data += wrote;
        offset += (uint64_t)wrote;
        size -= (size_t)wrote;
    }
    return true;
}

static bool sync_data(int descriptor)
{
    int result = -1;
    do {
        result = fdatasync(descriptor);
    } while (result < 0 && errno == EINTR);
    return result == 0;
}

/* A write that is its own sync, in one call. false: that call is not to be had here, and nothing
 * was written. */
static bool write_synced(struct lane *lane)
{
    struct job *job = &lane->job;
    struct file *file = job->file;
    if (file->has_unsynced || job->size > FILE_PIECE_BYTES || job->size == 0) {
        return false;
    }
    if (!io_take(lane, 0, job->size)) {
        return true;
    }
    if (write_all(file->descriptor, lane->piece, job->size, job->offset, true)) {
        job->moved = job->size;
        return true;
    }
    if (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL) {
        return false;
    }
    file_fail(job, errno, "writing %zu bytes at %" PRIu64 " of %s/%s", job->size, job->offset,
              lane->files->path, file->name);
    return true;
}

static void write_file(struct lane *lane)
{
    struct job *job = &lane->job;
    struct file *file = job->file;
    if (job->sync && write_synced(lane)) {
        return;
    }
    for (size_t at = 0; at < job->size;) {
        size_t part = job->size - at < FILE_PIECE_BYTES ? job->size - at : FILE_PIECE_BYTES;
        if (!io_take(lane, at, part)) {
            return;
        }
        file->has_unsynced = true;
        if (!write_all(file->descriptor, lane->piece, part, job->offset + at, false)) {
            file_fail(job, errno, "writing %zu bytes at %" PRIu64 " of %s/%s", job->size,
                      job->offset, lane->files->path, file->name);
            return;
        }
        at += part;
    }
    if (job->sync && !sync_data(file->descriptor)) {
        file_fail(job, errno, "the sync of %s/%s", lane->files->path, file->name);
        return;
    }
    file->has_unsynced = file->has_unsynced && !job->sync;
    job->moved = job->size;
}

/* As many as there are of this piece; -1 with errno set. */
static ssize_t read_piece(struct lane *lane, size_t size, uint64_t offset)
{
    size_t at = 0;
    while (at < size) {
        ssize_t got =
            pread(lane->job.file->descriptor, lane->piece + at, size - at, (off_t)(offset + at));
        if (got == 0) {
            break;
        }
        if (got < 0 && errno != EINTR) {
            return -1;
        }
        at += got < 0 ? 0 : (size_t)got;
    }
    return (ssize_t)at;
}

static void read_file(struct lane *lane)
{
    struct job *job = &lane->job;
    while (job->moved < job->size) {
        size_t left = job->size - job->moved;
        size_t part = left < FILE_PIECE_BYTES ? left : FILE_PIECE_BYTES;
        ssize_t got = read_piece(lane, part, job->offset + job->moved);
        if (got < 0) {
            file_fail(job, errno, "reading %zu bytes at %" PRIu64 " of %s/%s", job->size,
                      job->offset, lane->files->path, job->file->name);
            return;
        }
        if (got == 0 || !io_give(lane, job->moved, (size_t)got)) {
            return;
        }
        job->moved += (size_t)got;
    }
}

/* Zeros that were written, not only reserved: the syncs of later writes have no more to tell of
 * than bytes. Room first, so that a full disk says so at once. */
static bool fill(struct lane *lane, int descriptor, uint64_t from, uint64_t to)
{
    int problem = posix_fallocate(descriptor, (off_t)from, (off_t)(to - from));
    if (problem != 0 && problem != EOPNOTSUPP && problem != EINVAL) {
        errno = problem;
        return false;
    }
    memset(lane->piece, 0, FILE_PIECE_BYTES);
    while (from < to) {
        size_t part = to - from < FILE_PIECE_BYTES ? (size_t)(to - from) : FILE_PIECE_BYTES;
        if (!write_all(descriptor, lane->piece, part, from, false)) {
            return false;
        }
        from += part;
    }
    return true;
}

static void resize_file(struct lane *lane)
{
    struct job *job = &lane->job;
    int descriptor = job->file->descriptor;
    struct stat now;
    bool worked = fstat(descriptor, &now) == 0;
    if (worked && (uint64_t)now.st_size < job->size) {
        worked = fill(lane, descriptor, (uint64_t)now.st_size, job->size);
    } else if (worked) {
        worked = ftruncate(descriptor, (off_t)job->size) == 0;
    }
    worked = worked && sync_data(descriptor);
    if (!worked) {
        int problem = errno;
        if (problem == ENOSPC || problem == EDQUOT) { /* what was not got is of no use */
            (void)!ftruncate(descriptor, now.st_size);
        }
        file_fail(job, problem, "making %s/%s %zu bytes large", lane->files->path, job->file->name,
                  job->size);
        return;
    }
    job->file->has_unsynced = false;
}

/* ---- names ---------------------------------------------------------------------------------- */

static void open_file(struct lane *lane)
{
    struct job *job = &lane->job;
    struct stat stat;
    if (!directory_open(lane)) {
        return;
    }
    /* Who may not write may look. */
    int flags = (lane->files->lock >= 0 ? O_RDWR : O_RDONLY) | O_CLOEXEC;
    int descriptor =
        openat(lane->files->directory, job->name, flags | (job->create ? O_CREAT : 0), 0666);
    if (descriptor < 0 || fstat(descriptor, &stat) < 0) {
        file_fail(job, errno, "opening %s/%s", lane->files->path, job->name);
        if (descriptor >= 0) {
            (void)close(descriptor);
        }
        return;
    }
    job->file = memory_new_zeroed(1, sizeof *job->file);
    job->file->descriptor = descriptor;
    memcpy(job->file->name, job->name, sizeof job->name);
    job->file_size = (uint64_t)stat.st_size;
}

static void close_file(struct file *file)
{
    (void)close(
        file->descriptor); /* what it has to say of earlier writes, a sync would have said */
    memory_free(file);
}

static void change_name(struct lane *lane)
{
    struct job *job = &lane->job;
    int directory = lane->files->directory;
    if (job->kind == FILE_RENAME) {
        if (renameat(directory, job->name, directory, job->new_name) < 0) {
            file_fail(job, errno, "renaming %s/%s to %s", lane->files->path, job->name,
                      job->new_name);
        }
    } else if (unlinkat(directory, job->name, 0) < 0) {
        file_fail(job, errno, "removing %s/%s", lane->files->path, job->name);
    }
}

void file_close_all(struct real_files *files)
{
    while (!list_is_empty(&files->open)) {
        struct file *file = item_of(list_first(&files->open), struct file, of_files);
        list_remove(&file->of_files);
        close_file(file);
    }
    if (files->directory >= 0) {
        (void)close(files->directory);
        files->directory = -1;
    }
    if (files->lock >= 0) {
        (void)close(files->lock);
        files->lock = -1;
    }
}

void file_work(struct lane *lane)
{
    switch (lane->job.kind) {
    case FILE_LOCK:
        directory_lock(lane);
        break;
    case FILE_LIST:
        directory_list(lane);
        break;
    case FILE_OPEN:
        open_file(lane);
        break;
    case FILE_READ:
        read_file(lane);
        break;
    case FILE_WRITE:
        write_file(lane);
        break;
    case FILE_RESIZE:
        resize_file(lane);
        break;
    case FILE_CLOSE:
        close_file(lane->job.file);
        break;
    case FILE_RENAME:
    case FILE_REMOVE:
        change_name(lane);
        break;
    case FILE_SYNC_DIRECTORY:
        if (fsync(lane->files->directory) < 0) {
            file_fail(&lane->job, errno, "the sync of the directory %s", lane->files->path);
        }
        break;
    }
}
