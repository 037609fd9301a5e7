/*
 * A disk in memory. What is handed to it becomes durable only when its write has lasted its time in
 * the world; one write is in flight, and what comes meanwhile is written together after it. A power
 * cut loses the rest. It never confirms from within store_persist, never copies a payload and reads
 * no clock of its own.
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
    struct record *records;
    size_t record_count;
    size_t record_capacity;
    struct raft_entry *entries;
    size_t entry_count;
    size_t entry_capacity;
    uint64_t sequence; /* of the last record */
};

struct store {
    struct world *world;
    struct store_handler handler;
    struct wakeup wakeup;   /* ends the write in flight ... */
    struct flusher flusher; /* ... and this where a write takes no time */
    struct random sync_stream;
    int64_t sync_min_ns;
    int64_t sync_max_ns;
    int64_t sync_delay_ns; /* on top: a fault */
    bool open;
    bool writing; /* a write is in flight: the group `written` */
    struct group written;
    struct group waiting;
    uint64_t sync_count;
    uint64_t byte_count;

    /* What the disk holds for sure. */
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
    for (size_t i = 0; release && i < group->entry_count; i++) {
        batch_release(group->entries[i].batch);
    }
    group->record_count = 0;
    group->entry_count = 0;
}

static void group_free(struct group *group)
{
    group_clear(group, true);
    memory_free(group->records);
    memory_free(group->entries);
    memset(group, 0, sizeof *group);
}

static struct raft_entry *group_extend(struct group *group, size_t count)
{
    if (group->entry_capacity - group->entry_count < count) {
        size_t wanted = group->entry_count + count;
        group->entry_capacity = wanted < 16 ? 16 : wanted * 2;
        group->entries =
            memory_resize(group->entries, group->entry_capacity * sizeof *group->entries);
    }
    struct raft_entry *first = group->entries + group->entry_count;
    group->entry_count += count;
    return first;
}

static void group_add(struct group *group, const struct raft_persist *persist,
                      const struct raft *raft)
{
    if (group->record_count == group->record_capacity) {
        group->record_capacity = group->record_capacity == 0 ? 8 : group->record_capacity * 2;
        group->records =
            memory_resize(group->records, group->record_capacity * sizeof *group->records);
    }
    struct record *record = &group->records[group->record_count++];
    memset(record, 0, sizeof *record);
    record->hard_state = persist->hard_state;
    record->term = persist->term;
    record->vote = persist->vote;
    record->vote_directory = persist->vote_directory;
    record->first_index = persist->first_index;
    group->sequence = persist->sequence;
    if (persist->first_index == 0) {
        return;
    }
    ensure(persist->last_index + 1 >= persist->first_index);
    uint64_t count = persist->last_index + 1 - persist->first_index;
    ensure(count <= UINT32_MAX);
    record->entry_count = (uint32_t)count;
    struct raft_entry *entries = group_extend(group, (size_t)count);
    for (uint64_t i = 0; i < count; i++) {
        entries[i] = *raft_entry_at(raft, persist->first_index + i);
        if (entries[i].batch != NULL) {
            (void)batch_hold(entries[i].batch);
        }
    }
}

/* The group is on disk: its records are what the disk holds now, in their order. */
static void group_settle(struct store *store, struct group *group)
{
    const struct raft_entry *entry = group->entries;
    for (size_t i = 0; i < group->record_count; i++) {
        const struct record *record = &group->records[i];
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
    if (group->record_count > 0) {
        store->sync_count++;
    }
    group_clear(group, false);
}

/* ---- writing -------------------------------------------------------------------------------- */

static bool takes_time(const struct store *store)
{
    return store->sync_max_ns > 0 || store->sync_delay_ns > 0;
}

static void start_write(struct store *store)
{
    ensure(store->open && !store->writing && store->waiting.record_count > 0);
    struct group group = store->written;
    store->written = store->waiting;
    store->waiting = group;
    store->writing = true;
    int64_t lasts_ns = random_between(&store->sync_stream, store->sync_min_ns, store->sync_max_ns);
    store->world->operations->wake_at(store->world, &store->wakeup,
                                      world_now_ns(store->world) + lasts_ns + store->sync_delay_ns);
}

static void write_ended(void *context)
{
    struct store *store = context;
    ensure(store->open && store->writing);
    uint64_t sequence = store->written.sequence;
    store->writing = false;
    group_settle(store, &store->written);
    if (store->waiting.record_count > 0) {
        start_write(store);
    }
    store->handler.persisted(store->handler.context, sequence);
}

/* A write that takes no time holds all that came since the last one. */
static void turn_ends(void *context)
{
    struct store *store = context;
    if (!store->open || store->writing || store->waiting.record_count == 0) {
        return; /* what is in flight took time, and takes the rest along when it ends */
    }
    uint64_t sequence = store->waiting.sequence;
    group_settle(store, &store->waiting);
    store->handler.persisted(store->handler.context, sequence);
}

void store_persist(struct store *store, const struct raft_persist *persist, const struct raft *raft)
{
    ensure(store->open && persist->sequence > 0);
    size_t before = store->waiting.entry_count;
    group_add(&store->waiting, persist, raft);
    store->byte_count += persist->hard_state ? HEAD_BYTES : 0;
    for (size_t i = before; i < store->waiting.entry_count; i++) {
        store->byte_count += HEAD_BYTES + raft_entry_size(&store->waiting.entries[i]);
    }
    if (!takes_time(store)) {
        store->world->operations->flush_soon(store->world, &store->flusher);
    } else if (!store->writing) {
        start_write(store);
    }
}

/* ---- life ----------------------------------------------------------------------------------- */

/* 0 means none, so it is never given; the sign's bit neither, for whoever has only signed numbers.
 */
static uint64_t draw_directory(uint64_t seed, uint64_t id, uint64_t disk)
{
    struct random stream = random_stream_of(seed, "disk", id, disk, "directory");
    uint64_t directory = 0;
    while (directory == 0) {
        directory = random_next(&stream) >> 1;
    }
    return directory;
}

struct store *store_memory_new(struct world *world, uint64_t id, uint64_t disk, uint64_t seed,
                               int64_t sync_min_ns, int64_t sync_max_ns)
{
    ensure(world != NULL && id > 0 && sync_min_ns >= 0 && sync_max_ns >= sync_min_ns);
    struct store *store = memory_new_zeroed(1, sizeof *store);
    store->world = world;
    store->wakeup = (struct wakeup){.fire = write_ended, .context = store};
    store->flusher = (struct flusher){.flush = turn_ends, .context = store};
    store->sync_stream = random_stream_of(seed, "disk", id, disk, "sync");
    store->sync_min_ns = sync_min_ns;
    store->sync_max_ns = sync_max_ns;
    store->directory = draw_directory(seed, id, disk);
    store->log.first_index = 1;
    return store;
}

void store_free(struct store *store)
{
    if (store == NULL) {
        return;
    }
    store_close(store, false);
    group_free(&store->written);
    group_free(&store->waiting);
    entry_chunks_free(&store->log);
    raft_configuration_free(&store->first_members);
    memory_free(store);
}

void store_set_sync_delay(struct store *store, int64_t sync_delay_ns)
{
    ensure(sync_delay_ns >= 0);
    store->sync_delay_ns = sync_delay_ns;
}

uint64_t store_directory(const struct store *store)
{
    return store->directory;
}

void store_format(struct store *store, const struct raft_start *start)
{
    ensure(!store->open);
    entry_chunks_free(&store->log);
    store->term = start->term;
    store->vote = start->vote;
    store->vote_directory = start->vote_directory;
    raft_configuration_free(&store->first_members);
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

void store_recover(const struct store *store, struct store_contents *contents)
{
    ensure(!store->open);
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

const struct raft_entry *store_entry_at(const struct store *store, uint64_t index)
{
    return entry_chunks_at(&store->log, index);
}

void store_open(struct store *store, const struct store_handler *handler)
{
    ensure(!store->open && !store->writing && store->waiting.record_count == 0);
    ensure(handler->persisted != NULL && handler->failed != NULL);
    store->handler = *handler;
    store->open = true;
}

void store_close(struct store *store, bool sync)
{
    if (!store->open) {
        return;
    }
    store->open = false;
    store->writing = false;
    store->world->operations->wake_at(store->world, &store->wakeup, WORLD_NEVER);
    store->world->operations->flush_cancel(store->world, &store->flusher);
    if (sync) {
        group_settle(store, &store->written);
        group_settle(store, &store->waiting);
    }
    group_clear(&store->written, true);
    group_clear(&store->waiting, true);
}

uint64_t store_sync_count(const struct store *store)
{
    return store->sync_count;
}

uint64_t store_byte_count(const struct store *store)
{
    return store->byte_count;
}
