/*
 * Real files, within the room: what the loop's side (files.c), the I/O threads (io_thread.c) and
 * the blocking calls that they make (file_work.c, directory.c) share.
 *
 * A thread touches nothing of a task's owner but under `mutex` and while the task is its lane's
 * `current`. A cut takes it away: then what is under way ends for nobody. So what is written is
 * copied piece by piece before it is written, and what is read is copied when it has come.
 */
#ifndef RAFTBENCH_REAL_FILES_H
#define RAFTBENCH_REAL_FILES_H

#include "real/internal.h"

#include <pthread.h>
#include <sys/types.h>

#define FILE_PIECE_BYTES (256U << 10)
#define LOCK_NAME "LOCK" /* which list and wipe leave out */

/* An open file. */
struct file {
    struct list_link of_files;
    int descriptor;
    bool has_unsynced; /* written since its last sync */
    char name[FILE_NAME_BYTES_MAX + 1];
};

/* What a thread knows of the task that it carries out: nothing in it belongs to the owner. */
struct job {
    enum file_task_kind kind;
    bool sync;
    bool create;
    char name[FILE_NAME_BYTES_MAX + 1];
    char new_name[FILE_NAME_BYTES_MAX + 1];
    struct file *file;
    uint64_t offset;
    size_t size;
    enum file_error error;
    size_t moved;
    uint64_t file_size;
    struct buffer names;
    char problem[FILE_PROBLEM_BYTES_MAX];
};

struct real_files;

/* Tasks one after the other, and the thread that carries them out, which is made for the first. */
struct lane {
    struct real_files *files;
    pthread_t thread;
    pthread_cond_t wake;
    struct list waiting;
    struct file_task *current; /* NULL: none, or it was cut */
    bool is_started;
    bool is_busy;   /* the thread is in calls of the system, for `current` or for nobody */
    struct job job; /* the thread's, and its piece of FILE_PIECE_BYTES */
    uint8_t *piece;
};

struct real_files {
    struct files head;
    struct real *real;
    struct list_link of_real;
    pid_t process;         /* whose threads they are: a fork has none */
    size_t asked;          /* tasks that are not done: the loop's */
    pthread_mutex_t mutex; /* all below, and in the lanes */
    struct lane lanes[2];  /* the second: bulk */
    struct list open;
    struct list ended; /* tasks to be told of */
    int directory;     /* -1: not open */
    int lock;
    bool is_ending; /* was cut while a thread was busy, which closes all when it comes back */
    bool stops;
    bool is_wiped; /* who locks it empties it */
    char path[];
};

struct files *real_files_new(struct world *world, uint64_t id, const char *directory,
                             struct failure *failure);
/* Tells of tasks that have ended. */
void real_files_tell(struct real *real);

/* ---- threads (io_thread.c) ------------------------------------------------------------------ */

/* Makes the thread where there is none, with the mutex held; false: the system has none. */
bool io_prepare(struct lane *lane);
/* Something waits for it. Without the mutex, which it takes at once. */
void io_wake(struct lane *lane);
void io_end(struct real_files *files); /* cut, with the mutex held */
void io_join(struct lane *lane);       /* `stops` is set */
/* Copies bytes of the task's owner to or from the piece. false: it was cut, nothing is owed. */
bool io_take(struct lane *lane, size_t at, size_t size);
bool io_give(struct lane *lane, size_t at, size_t size);

/* ---- the directory (directory.c) ------------------------------------------------------------ */

/* What was tried, on what: in words, and the errno's. */
__attribute__((format(printf, 3, 4))) void file_fail(struct job *job, int problem,
                                                     const char *format, ...);
bool directory_open(struct lane *lane); /* where it is not yet; false: the job has failed */
void directory_list(struct lane *lane);
void directory_lock(struct lane *lane); /* makes it first */

/* ---- what they do (file_work.c) ------------------------------------------------------------- */

void file_work(struct lane *lane);             /* the lane's job, without the mutex */
void file_close_all(struct real_files *files); /* no thread is busy; the lock too */

#endif
