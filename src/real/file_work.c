/*
 * What a task is in calls of the system, on the thread of its lane: calls that may block, are
 * repeated where a signal broke them off or they did a part only, and whose errors become words
 * with the path. Nothing that failed is tried again.
 *
 * It touches nothing of a task's owner but by io_take and io_give.
 */
#define _GNU_SOURCE /* NOLINT(bugprone-reserved-identifier): for pwritev2 */
#include "real/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* ---- what failed ---------------------------------------------------------------------------- */

/* "writing 512 bytes at 0 of data/1/log-1: no space left on device". */
__attribute__((format(printf, 3, 4))) static void fail(struct job *job, int problem,
                                                       const char *format, ...)
{
    char what[FILE_PROBLEM_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    text_format(what, sizeof what, format, arguments);
    va_end(arguments);
    job->error = problem == ENOSPC || problem == EDQUOT ? FILE_FULL
                 : problem == ENOENT                    ? FILE_MISSING
                                                        : FILE_BROKEN;
    (void)snprintf(job->problem, sizeof job->problem, "%.180s: %.70s", what, uv_strerror(-problem));
}

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
    fail(job, errno, "writing %zu bytes at %" PRIu64 " of %s/%s", job->size, job->offset,
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
            fail(job, errno, "writing %zu bytes at %" PRIu64 " of %s/%s", job->size, job->offset,
                 lane->files->path, file->name);
            return;
        }
        at += part;
    }
    if (job->sync && !sync_data(file->descriptor)) {
        fail(job, errno, "the sync of %s/%s", lane->files->path, file->name);
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
            fail(job, errno, "reading %zu bytes at %" PRIu64 " of %s/%s", job->size, job->offset,
                 lane->files->path, job->file->name);
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
        fail(job, problem, "making %s/%s %zu bytes large", lane->files->path, job->file->name,
             job->size);
        return;
    }
    job->file->has_unsynced = false;
}

/* ---- the directory -------------------------------------------------------------------------- */

static bool sync_parent(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash != NULL) {
        *slash = 0;
    }
    int parent = open(slash == NULL   ? "."
                      : slash == path ? "/"
                                      : path,
                      O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (slash != NULL) {
        *slash = '/';
    }
    bool worked = parent >= 0 && fsync(parent) == 0;
    int problem = errno;
    if (parent >= 0) {
        (void)close(parent);
    }
    errno = problem;
    return worked;
}

/* Each directory of the path that is missing; false with errno set. */
static bool make_directories(const char *path)
{
    char *copy = memory_new(strlen(path) + 1);
    bool worked = true;
    memcpy(copy, path, strlen(path) + 1);
    for (char *end = copy + 1; worked && end[-1] != 0; end++) {
        if (*end != '/' && *end != 0) {
            continue;
        }
        char mark = *end;
        *end = 0;
        if (mkdir(copy, 0777) == 0) {
            worked = sync_parent(copy);
        } else {
            worked = errno == EEXIST;
        }
        *end = mark;
    }
    int problem = errno;
    memory_free(copy);
    errno = problem;
    return worked;
}

static bool open_directory(struct lane *lane)
{
    struct real_files *files = lane->files;
    if (files->directory >= 0) { /* once FILE_LOCK or the first look is done, it stays */
        return true;
    }
    int directory = open(files->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
        fail(&lane->job, errno, "opening the directory %s", files->path);
        return false;
    }
    files->directory = directory;
    return true;
}

/* Names of plain files, sorted. */
struct names {
    array_of(char *);
};

static void free_names(struct names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        memory_free(names->items[i]);
    }
    array_free(names);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_listed(int directory, const char *name)
{
    struct stat stat;
    return strlen(name) <= FILE_NAME_BYTES_MAX && strcmp(name, LOCK_NAME) != 0 &&
           fstatat(directory, name, &stat, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(stat.st_mode);
}

/* false with errno set. */
static bool read_names(int directory, struct names *names)
{
    int descriptor = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = descriptor < 0 ? NULL : fdopendir(descriptor);
    if (stream == NULL) {
        return false;
    }
    errno = 0;
    for (const struct dirent *entry = readdir(stream); entry != NULL; entry = readdir(stream)) {
        if (is_listed(directory, entry->d_name)) {
            size_t size = strlen(entry->d_name) + 1;
            char *name = memory_new(size);
            memcpy(name, entry->d_name, size);
            *array_push(names) = name;
        }
        errno = 0;
    }
    int problem = errno;
    (void)closedir(stream);
    if (names->count > 0) {
        qsort(names->items, names->count, sizeof(char *), compare_names);
    }
    errno = problem;
    return problem == 0;
}

static void list_names(struct lane *lane)
{
    struct names names = {0};
    if (!open_directory(lane)) {
        return;
    }
    if (!read_names(lane->files->directory, &names)) {
        fail(&lane->job, errno, "reading the directory %s", lane->files->path);
    }
    for (size_t i = 0; i < names.count; i++) {
        buffer_append(&lane->job.names, names.items[i], strlen(names.items[i]) + 1);
    }
    free_names(&names);
}

static bool remove_all(int directory)
{
    struct names names = {0};
    bool worked = read_names(directory, &names);
    for (size_t i = 0; worked && i < names.count; i++) {
        worked = unlinkat(directory, names.items[i], 0) == 0;
    }
    int problem = errno;
    free_names(&names);
    errno = problem;
    return worked && fsync(directory) == 0;
}

/* ---- the lock ------------------------------------------------------------------------------- */

static void write_holder(int lock)
{
    char text[32];
    int size = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    /* For whoever looks; the lock holds without it. */
    if (ftruncate(lock, 0) == 0) {
        (void)!pwrite(lock, text, (size_t)size, 0);
    }
}

static void tell_holder(struct lane *lane, int lock)
{
    char text[32] = "";
    ssize_t size = pread(lock, text, sizeof text - 1, 0);
    long holder = size > 0 ? strtol(text, NULL, 10) : 0;
    lane->job.error = FILE_LOCKED;
    if (holder > 0) {
        (void)snprintf(lane->job.problem, sizeof lane->job.problem,
                       "the directory %.180s is in use by process %ld", lane->files->path, holder);
    } else {
        (void)snprintf(lane->job.problem, sizeof lane->job.problem,
                       "the directory %.180s is in use by another process", lane->files->path);
    }
}

static void lock_directory(struct lane *lane)
{
    struct real_files *files = lane->files;
    if (!make_directories(files->path)) {
        fail(&lane->job, errno, "making the directory %s", files->path);
        return;
    }
    if (!open_directory(lane)) {
        return;
    }
    int lock = openat(files->directory, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (lock < 0) {
        fail(&lane->job, errno, "making %s/" LOCK_NAME, files->path);
        return;
    }
    if (flock(lock, LOCK_EX | LOCK_NB) < 0) {
        if (errno == EWOULDBLOCK) {
            tell_holder(lane, lock);
        } else {
            fail(&lane->job, errno, "locking %s/" LOCK_NAME, files->path);
        }
        (void)close(lock);
        return;
    }
    files->lock = lock;
    write_holder(lock);
    if (files->is_wiped && !remove_all(files->directory)) {
        fail(&lane->job, errno, "emptying the directory %s", files->path);
        return;
    }
    files->is_wiped = false;
}

/* ---- names ---------------------------------------------------------------------------------- */

static void open_file(struct lane *lane)
{
    struct job *job = &lane->job;
    struct stat stat;
    if (!open_directory(lane)) {
        return;
    }
    /* Who may not write may look. */
    int flags = (lane->files->lock >= 0 ? O_RDWR : O_RDONLY) | O_CLOEXEC;
    int descriptor =
        openat(lane->files->directory, job->name, flags | (job->create ? O_CREAT : 0), 0666);
    if (descriptor < 0 || fstat(descriptor, &stat) < 0) {
        fail(job, errno, "opening %s/%s", lane->files->path, job->name);
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
            fail(job, errno, "renaming %s/%s to %s", lane->files->path, job->name, job->new_name);
        }
    } else if (unlinkat(directory, job->name, 0) < 0) {
        fail(job, errno, "removing %s/%s", lane->files->path, job->name);
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
        lock_directory(lane);
        break;
    case FILE_LIST:
        list_names(lane);
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
            fail(&lane->job, errno, "the sync of the directory %s", lane->files->path);
        }
        break;
    }
}
