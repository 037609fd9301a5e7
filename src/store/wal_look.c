/*
 * A look at a directory before it is opened: whether it holds a log, and which server it makes of
 * its node. It locks nothing, changes nothing, and judges nothing: opening does.
 */
#include "store/wal_store.h"

#include <string.h>

struct wal_look {
    struct wal_store *store;
    struct file_task task;
    struct buffer names;
    char name[WAL_NAME_BYTES];
    uint8_t sector[WAL_SECTOR_BYTES];
    void (*done)(void *context, bool has_log);
    void *context;
};

void wal_look_free(struct wal_store *store)
{
    if (store->look != NULL) {
        buffer_free(&store->look->names);
        memory_free(store->look);
        store->look = NULL;
    }
}

static void ask(struct wal_look *look, enum file_task_kind kind,
                void (*done)(void *context, struct file_task *task))
{
    look->task.done = done;
    look->task.context = look;
    look->task.kind = kind;
    files_submit(look->store->files, &look->task);
}

static void finish(struct wal_look *look, bool has_log)
{
    void (*done)(void *context, bool has_log) = look->done;
    void *context = look->context;
    wal_look_free(look->store);
    done(context, has_log);
}

static void was_closed(void *context, struct file_task *task)
{
    struct wal_look *look = context;
    struct wal_header header;
    const char *problem = NULL;
    (void)task;
    if (wal_header_decode(look->sector, &header, &problem) && header.version == WAL_VERSION) {
        look->store->identity.directory = header.identity.directory;
    }
    finish(look, true);
}

static void header_was_read(void *context, struct file_task *task)
{
    struct wal_look *look = context;
    look->task = (struct file_task){.file = task->file};
    ask(look, FILE_CLOSE, was_closed);
}

static void was_opened(void *context, struct file_task *task)
{
    struct wal_look *look = context;
    if (task->error != FILE_OK) {
        finish(look, true);
        return;
    }
    look->task =
        (struct file_task){.file = task->file, .data = look->sector, .size = sizeof look->sector};
    ask(look, FILE_READ, header_was_read);
}

static void names_were_listed(void *context, struct file_task *task)
{
    struct wal_look *look = context;
    uint32_t number = 0;
    for (size_t at = 0; task->error == FILE_OK && at < look->names.size;) {
        const char *name = (const char *)look->names.data + at;
        if (wal_name_parse(name, &number)) {
            wal_name(look->name, number);
            look->task = (struct file_task){.name = look->name};
            ask(look, FILE_OPEN, was_opened);
            return;
        }
        at += strlen(name) + 1;
    }
    finish(look, false);
}

void store_wal_look(struct store *head, void (*done)(void *context, bool has_log), void *context)
{
    struct wal_store *store = (struct wal_store *)head;
    ensure(store->phase == WAL_CLOSED && store->look == NULL);
    struct wal_look *look = memory_new_zeroed(1, sizeof *look);
    store->look = look;
    look->store = store;
    look->done = done;
    look->context = context;
    look->task.names = &look->names;
    ask(look, FILE_LIST, names_were_listed);
}
