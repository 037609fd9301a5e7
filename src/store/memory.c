/*
 * A disk in memory. What is handed to it becomes durable only when its write has lasted its time in
 * the world; one write is in flight, and what comes meanwhile is written together after it. A power
 * cut loses the rest. Recovery and an orderly end are events of the world, too. It never calls back
 * from within a call, never copies a payload and reads no clock of its own.
 */
#include "store/internal.h"

#include <string.h>

/* What an entry's head (its term and kind) counts as, and the hard state. */
#define HEAD_BYTES 16

/* One persist as it was queued; its entries stand in its group's array. */
struct record {
    uint64_t term;
    uint64_t vote;
    uint64_t vote_directory;
    uint64_t first_index; /* 0: no entries */
    uint32_t entry_count;
    bool hard_state;
};

/* Persists that are written together. */
struct group {
    array_of(struct record) records;
    array_of(struct raft_entry) entries;
    uint64_t sequence; /* of the last record */
};

enum phase { CLOSED, RECOVERING, OPEN, CLOSING };

struct memory_store {
    struct store head;
    struct world *world;
    struct store_handler handler;
    struct wakeup wakeup;   /* ends the recovery, the write in flight, or the closing ... */
    struct flusher flusher; /* ... and this a write that takes no time */
    struct random sync_stream;
    uint64_t id;
    uint64_t seed;
    int64_t sync_min_ns;
    int64_t sync_max_ns;
    int64_t sync_delay_ns; /* on top: a fault */
    enum phase phase;
    bool writing; /* a write is in flight: the group `written` */
    struct group written;
    struct group waiting;

    /* What the disk holds for sure. */
    uint64_t disk; /* how many there were before this one */
    uint64_t directory;
    uint64_t term;
    uint64_t vote;
    uint64_t vote_directory;
    struct raft_configuration first_members;
    struct entry_chunks log;
};

/* ---- groups of persists --------------------------------------------------------------------- */

static void group_clear(struct group *group, bool release)
{
    for (size_t i = 0; release && i < group->entries.count; i++) {
        batch_release(group->entries.items[i].batch);
    }
    group->records.count = 0;
    group->entries.count = 0;
}

static void group_free(struct group *group)
{
    group_clear(group, true);
    array_free(&group->records);
    array_free(&group->entries);
}

static void group_add(struct group *group, const struct raft_persist *persist,
                      const struct raft *raft)
{
    struct record *record = array_push(&group->records);
    *record = (struct record){
        .hard_state = persist->hard_state,
        .term = persist->term,
        .vote = persist->vote,
        .vote_directory = persist->vote_directory,
        .first_index = persist->first_index,
    };
    group->sequence = persist->sequence;
    if (persist->first_index == 0) {
        return;
    }
    ensure(persist->last_index + 1 >= persist->first_index);
    uint64_t count = persist->last_index + 1 - persist->first_index;
    ensure(count <= UINT32_MAX);
    record->entry_count = (uint32_t)count;
    struct raft_entry *entries = array_extend(&group->entries, (size_t)count);
    raft_copy_entries(raft, persist->first_index, (size_t)count, entries);
    for (uint64_t i = 0; i < count; i++) {
        if (entries[i].batch != NULL) {
            (void)batch_hold(entries[i].batch);
        }
    }
}

/* The group is on disk: its records are what the disk holds now, in their order. */
static void group_settle(struct memory_store *store, struct group *group)
{
    const struct raft_entry *entry = group->entries.items;
    for (size_t i = 0; i < group->records.count; i++) {
        const struct record *record = &group->records.items[i];
        if (record->hard_state) {
            store->term = record->term;
            store->vote = record->vote;
            store->vote_directory = record->vote_directory;
        }
        if (record->first_index == 0) {
            continue;
        }
        entry_chunks_cut(&store->log, record->first_index);
        for (uint32_t n = 0; n < record->entry_count; n++) {
            entry_chunks_append(&store->log, entry++);
        }
    }
    if (group->records.count > 0) {
        store->head.sync_count++;
    }
    group_clear(group, false);
}

/* ---- writing -------------------------------------------------------------------------------- */

static void wake_in(struct memory_store *store, int64_t duration_ns)
{
    store->world->operations->wake_at(store->world, &store->wakeup,
                                      world_now_ns(store->world) + duration_ns);
}

static void start_write(struct memory_store *store)
{
    ensure(!store->writing && store->waiting.records.count > 0);
    struct group group = store->written;
    store->written = store->waiting;
    store->waiting = group;
    store->writing = true;
    int64_t lasts_ns = random_between(&store->sync_stream, store->sync_min_ns, store->sync_max_ns);
    wake_in(store, lasts_ns + store->sync_delay_ns);
}

/* Confirms as the last thing: the callback may close the store. */
static void confirm(struct memory_store *store, struct group *group)
{
    uint64_t sequence = group->sequence;
    uint64_t term = group->records.items[group->records.count - 1].term;
    group_settle(store, group);
    if (store->waiting.records.count > 0) {
        start_write(store);
    } else if (store->phase == CLOSING) {
        wake_in(store, 0);
    }
    store->handler.persisted(store->handler.context, sequence, term);
}

static void on_wakeup(void *context)
{
    struct memory_store *store = context;
    ensure(store->phase != CLOSED);
    if (store->writing) {
        store->writing = false;
        confirm(store, &store->written);
    } else if (store->phase == RECOVERING) {
        store->phase = OPEN;
        store->handler.recovered(store->handler.context, NULL);
    } else {
        ensure(store->phase == CLOSING);
        store->phase = CLOSED;
        store->handler.closed(store->handler.context);
    }
}

/* A write that takes no time holds all that came since the last one. */
static void turn_ends(void *context)
{
    struct memory_store *store = context;
    if (!store->writing && store->waiting.records.count > 0) {
        confirm(store, &store->waiting);
    } /* what is in flight took time, and takes the rest along when it ends */
}

static void memory_persist(struct store *head, const struct raft_persist *persist,
                           const struct raft *raft)
{
    struct memory_store *store = (struct memory_store *)head;
    ensure(store->phase == OPEN && persist->sequence > 0);
    size_t before = store->waiting.entries.count;
    group_add(&store->waiting, persist, raft);
    head->byte_count += persist->hard_state ? HEAD_BYTES : 0;
    for (size_t i = before; i < store->waiting.entries.count; i++) {
        head->byte_count += HEAD_BYTES + raft_entry_size(&store->waiting.entries.items[i]);
    }
    if (store->sync_max_ns == 0 && store->sync_delay_ns == 0) {
        store->world->operations->flush_soon(store->world, &store->flusher);
    } else if (!store->writing) {
        start_write(store);
    }
}

/* ---- life ----------------------------------------------------------------------------------- */

/* 0 means none, so it is never given; the sign's bit neither, for whoever has only signed numbers.
 */
static uint64_t draw_directory(const struct memory_store *store)
{
    struct random stream =
        random_stream_of(store->seed, "disk", store->id, store->disk, "directory");
    uint64_t directory = 0;
    while (directory == 0) {
        directory = random_next(&stream) >> 1;
    }
    return directory;
}

/* The streams are those of this disk. */
static void insert_disk(struct memory_store *store)
{
    store->sync_stream = random_stream_of(store->seed, "disk", store->id, store->disk, "sync");
    store->directory = draw_directory(store);
    store->log.first_index = 1;
}

/* What is under way is lost; no callback comes for it. */
static void cut_power(struct memory_store *store)
{
    store->phase = CLOSED;
    store->writing = false;
    store->world->operations->wake_at(store->world, &store->wakeup, WORLD_NEVER);
    store->world->operations->flush_cancel(store->world, &store->flusher);
    group_clear(&store->written, true);
    group_clear(&store->waiting, true);
}

/* An orderly end has nothing but the memory to write to: it need not be waited for. */
static void finish_closing(struct memory_store *store)
{
    group_settle(store, &store->written);
    group_settle(store, &store->waiting);
    cut_power(store);
}

static void memory_open(struct store *head, const struct store_handler *handler)
{
    struct memory_store *store = (struct memory_store *)head;
    ensure(store->phase == CLOSED || store->phase == CLOSING);
    if (store->phase == CLOSING) {
        finish_closing(store);
    }
    store->handler = *handler;
    store->phase = RECOVERING;
    wake_in(store, 0);
}

static void memory_close(struct store *head, bool sync)
{
    struct memory_store *store = (struct memory_store *)head;
    if (!sync) {
        cut_power(store);
    } else if (store->phase == RECOVERING || store->phase == OPEN) {
        bool writes = store->phase == OPEN && (store->writing || store->waiting.records.count > 0);
        store->phase = CLOSING;
        if (!writes) {
            wake_in(store, 0);
        }
    }
}

static void memory_wipe(struct store *head)
{
    struct memory_store *store = (struct memory_store *)head;
    ensure(store->phase == CLOSED || store->phase == CLOSING);
    cut_power(store);
    entry_chunks_free(&store->log);
    raft_configuration_free(&store->first_members);
    store->term = 0;
    store->vote = 0;
    store->vote_directory = 0;
    store->disk++;
    insert_disk(store);
}

static void memory_format(struct store *head, const struct raft_start *start)
{
    struct memory_store *store = (struct memory_store *)head;
    ensure(store->phase == CLOSED && store->log.count == 0);
    store->term = start->term;
    store->vote = start->vote;
    store->vote_directory = start->vote_directory;
    if (start->first_members != NULL) {
        raft_configuration_copy(&store->first_members, start->first_members);
    }
    store->log.first_index = start->first_index == 0 ? 1 : start->first_index;
    for (uint64_t i = 0; i < start->entry_count; i++) {
        if (start->entries[i].batch != NULL) {
            (void)batch_hold(start->entries[i].batch);
        }
        entry_chunks_append(&store->log, &start->entries[i]);
    }
}

static void memory_set_sync_delay(struct store *head, int64_t sync_delay_ns)
{
    ensure(sync_delay_ns >= 0);
    ((struct memory_store *)head)->sync_delay_ns = sync_delay_ns;
}

static void memory_contents(const struct store *head, struct store_contents *contents)
{
    const struct memory_store *store = (const struct memory_store *)head;
    *contents = (struct store_contents){
        .directory = store->directory,
        .term = store->term,
        .vote = store->vote,
        .vote_directory = store->vote_directory,
        .first_members = &store->first_members,
        .first_index = store->log.first_index,
        .entry_count = store->log.count,
    };
}

static const struct raft_entry *memory_entry_at(const struct store *head, uint64_t index)
{
    return entry_chunks_at(&((const struct memory_store *)head)->log, index);
}

static void memory_store_free(struct store *head)
{
    struct memory_store *store = (struct memory_store *)head;
    cut_power(store);
    group_free(&store->written);
    group_free(&store->waiting);
    entry_chunks_free(&store->log);
    raft_configuration_free(&store->first_members);
    memory_free(store);
}

static const struct store_operations operations = {
    .open = memory_open,
    .contents = memory_contents,
    .entry_at = memory_entry_at,
    .persist = memory_persist,
    .close = memory_close,
    .wipe = memory_wipe,
    .format = memory_format,
    .set_sync_delay = memory_set_sync_delay,
    .free = memory_store_free,
};

struct store *store_memory_new(struct world *world, uint64_t id, uint64_t seed, int64_t sync_min_ns,
                               int64_t sync_max_ns)
{
    ensure(world != NULL && id > 0 && sync_min_ns >= 0 && sync_max_ns >= sync_min_ns);
    struct memory_store *store = memory_new_zeroed(1, sizeof *store);
    store->head.operations = &operations;
    store->world = world;
    store->wakeup = (struct wakeup){.fire = on_wakeup, .context = store};
    store->flusher = (struct flusher){.flush = turn_ends, .context = store};
    store->id = id;
    store->seed = seed;
    store->sync_min_ns = sync_min_ns;
    store->sync_max_ns = sync_max_ns;
    insert_disk(store);
    return &store->head;
}
