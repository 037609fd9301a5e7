/*
 * Three files beside each other, each written to and synced by a thread of its own at the same
 * moment: the floor beside which a commit on three disks is read. It knows nothing of the house's
 * own files.
 */
#define _GNU_SOURCE /* NOLINT(bugprone-reserved-identifier): for pwritev2 */
#include "bench/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>
#include <uv.h>

struct syncer {
    uv_thread_t thread;
    uv_sem_t begin;
    uv_sem_t *ended; /* of all three */
    char path[512];
    int descriptor;
    int error; /* errno of the first write that failed; 0 */
    size_t rounds;
    size_t size;
    int64_t ended_ns; /* of the present round */
    uint8_t *bytes;
};

static void write_and_sync(void *context)
{
    struct syncer *syncer = context;
    for (size_t i = 0; i < syncer->rounds; i++) {
        uv_sem_wait(&syncer->begin);
        struct iovec vector = {syncer->bytes, syncer->size};
        off_t offset = (off_t)(i * syncer->size);
        ssize_t count = pwritev2(syncer->descriptor, &vector, 1, offset, RWF_DSYNC);
        if (count != (ssize_t)syncer->size && syncer->error == 0) {
            syncer->error = count < 0 ? errno : EIO;
        }
        syncer->ended_ns = bench_now_ns();
        uv_sem_post(syncer->ended);
    }
}

/* Its file, filled with zeros that are on disk. */
static int make_file(struct syncer *syncer)
{
    syncer->descriptor =
        open(syncer->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (syncer->descriptor < 0) {
        return errno;
    }
    for (size_t i = 0; i < syncer->rounds; i++) {
        ssize_t count = write(syncer->descriptor, syncer->bytes, syncer->size);
        if (count != (ssize_t)syncer->size) {
            return count < 0 ? errno : ENOSPC;
        }
    }
    return fsync(syncer->descriptor) != 0 ? errno : 0;
}

static int64_t second_of(const struct syncer *syncers)
{
    int64_t a = syncers[0].ended_ns;
    int64_t b = syncers[1].ended_ns;
    int64_t c = syncers[2].ended_ns;
    int64_t lower = a < b ? a : b;
    int64_t higher = a < b ? b : a;
    return c < lower ? lower : c < higher ? c : higher;
}

static void run_rounds(struct syncer *syncers, uv_sem_t *ended, int64_t *second_ns)
{
    for (size_t i = 0; i < syncers[0].rounds; i++) {
        int64_t begun_ns = bench_now_ns();
        for (int n = 0; n < BENCH_SYNC_FILES; n++) {
            uv_sem_post(&syncers[n].begin);
        }
        for (int n = 0; n < BENCH_SYNC_FILES; n++) {
            uv_sem_wait(ended);
        }
        second_ns[i] = second_of(syncers) - begun_ns;
    }
}

static void run_threads(struct syncer *syncers, int64_t *second_ns)
{
    uv_sem_t ended;
    int status = uv_sem_init(&ended, 0);
    ensure(status == 0);
    for (int n = 0; n < BENCH_SYNC_FILES; n++) {
        syncers[n].ended = &ended;
        status = uv_sem_init(&syncers[n].begin, 0);
        ensure(status == 0);
        status = uv_thread_create(&syncers[n].thread, write_and_sync, &syncers[n]);
        ensure(status == 0);
    }
    run_rounds(syncers, &ended, second_ns);
    for (int n = 0; n < BENCH_SYNC_FILES; n++) {
        status = uv_thread_join(&syncers[n].thread);
        ensure(status == 0);
        uv_sem_destroy(&syncers[n].begin);
    }
    uv_sem_destroy(&ended);
}

static int make_files(struct syncer *syncers, const char *directory, size_t rounds, size_t size)
{
    int error = 0;
    for (int n = 0; n < BENCH_SYNC_FILES; n++) {
        struct syncer *syncer = &syncers[n];
        *syncer = (struct syncer){.descriptor = -1, .rounds = rounds, .size = size};
        syncer->bytes = memory_new_zeroed(size, 1);
        (void)snprintf(syncer->path, sizeof syncer->path, "%s/sync-%ld-%d", directory,
                       (long)getpid(), n);
        error = error != 0 ? error : make_file(syncer);
        memset(syncer->bytes, 'x', size);
    }
    return error;
}

static int remove_files(struct syncer *syncers)
{
    int error = 0;
    for (int n = 0; n < BENCH_SYNC_FILES; n++) {
        error = error != 0 ? error : syncers[n].error;
        memory_free(syncers[n].bytes);
        if (syncers[n].descriptor >= 0) {
            (void)close(syncers[n].descriptor);
            (void)unlink(syncers[n].path);
        }
    }
    return error;
}

bool bench_syncs(const char *directory, size_t rounds, size_t size, int64_t *second_ns,
                 struct failure *failure)
{
    ensure(rounds > 0 && size > 0);
    struct syncer syncers[BENCH_SYNC_FILES];
    int error = make_files(syncers, directory, rounds, size);
    if (error == 0) {
        run_threads(syncers, second_ns);
    }
    int later = remove_files(syncers);
    error = error != 0 ? error : later;
    if (error != 0) {
        failure_set(failure, FAILURE_STORAGE, "cannot write and sync files in %.200s: %s",
                    directory, strerror(error));
    }
    return error == 0;
}
