/*
 * What a replica's disk holds, so that it can crash and start again: hard state and log as of the
 * last persist that was confirmed, and the snapshots, which are durable at once. Kept only where
 * the caller asks for it, since each write is copied.
 */
#include "cores/internal.h"

/* One persist that was handed out: what it writes, with the entries' references. */
struct disk_write {
    struct raft_persist persist;
    array_of(struct raft_entry) entries;
};

struct disk {
    uint64_t term;
    uint64_t vote;
    uint64_t vote_directory;
    uint64_t first_index;
    array_of(struct raft_entry) log;
    ring_of(struct disk_write) writes;
};

static void release(struct raft_entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        batch_release(entries[i].batch);
    }
}

static void hold(const struct raft_entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (entries[i].batch != NULL) {
            batch_hold(entries[i].batch);
        }
    }
}

static void forget_writes(struct disk *disk)
{
    while (disk->writes.count > 0) {
        struct disk_write *write = ring_pop(&disk->writes);
        release(write->entries.items, write->entries.count);
        array_free(&write->entries);
    }
}

struct disk *disk_new(const struct raft *raft)
{
    struct raft_status status;
    raft_get_status(raft, &status);
    if (status.snapshot_index != 0) {
        return NULL;
    }
    struct disk *disk = memory_new_zeroed(1, sizeof *disk);
    disk->term = status.term;
    disk->vote = status.vote;
    disk->vote_directory = status.vote_directory;
    disk->first_index = status.first_index;
    size_t count = (size_t)(status.last_index + 1 - status.first_index);
    raft_copy_entries(raft, status.first_index, count, array_extend(&disk->log, count));
    hold(disk->log.items, count);
    return disk;
}

void disk_free(struct disk *disk)
{
    if (disk == NULL) {
        return;
    }
    forget_writes(disk);
    ring_free(&disk->writes);
    release(disk->log.items, disk->log.count);
    array_free(&disk->log);
    memory_free(disk);
}

struct disk *disk_copy(const struct disk *disk)
{
    if (disk == NULL) {
        return NULL;
    }
    struct disk *copy = memory_new(sizeof *copy);
    *copy = *disk;
    array_copy(&copy->log, &disk->log);
    hold(copy->log.items, copy->log.count);
    ring_copy(&copy->writes, &disk->writes);
    for (size_t i = 0; i < copy->writes.count; i++) {
        struct disk_write *write = ring_at(&copy->writes, i);
        array_copy(&write->entries, &ring_at(&disk->writes, i)->entries);
        hold(write->entries.items, write->entries.count);
    }
    return copy;
}

void disk_ask(struct disk *disk, const struct raft *raft, const struct raft_persist *persist)
{
    struct disk_write *write = ring_push(&disk->writes);
    *write = (struct disk_write){.persist = *persist};
    if (persist->first_index != 0) {
        size_t count = (size_t)(persist->last_index + 1 - persist->first_index);
        raft_copy_entries(raft, persist->first_index, count, array_extend(&write->entries, count));
        hold(write->entries.items, count);
    }
}

static void cut(struct disk *disk, uint64_t from)
{
    ensure(from >= disk->first_index && from - disk->first_index <= disk->log.count);
    size_t kept = (size_t)(from - disk->first_index);
    while (disk->log.count > kept) {
        batch_release(disk->log.items[--disk->log.count].batch);
    }
}

static void carry_out(struct disk *disk, struct disk_write *write)
{
    const struct raft_persist *persist = &write->persist;
    if (persist->hard_state) {
        disk->term = persist->term;
        disk->vote = persist->vote;
        disk->vote_directory = persist->vote_directory;
    }
    if (persist->reset_index != 0) {
        cut(disk, disk->first_index);
        disk->first_index = persist->reset_index + 1;
    }
    if (persist->first_index != 0) {
        cut(disk, persist->first_index);
        size_t count = write->entries.count;
        struct raft_entry *to = array_extend(&disk->log, count);
        for (size_t i = 0; i < count; i++) {
            to[i] = write->entries.items[i];
        }
        write->entries.count = 0; /* the log has their references */
    }
    array_free(&write->entries);
}

void disk_write(struct disk *disk, uint64_t sequence)
{
    while (disk->writes.count > 0 && ring_at(&disk->writes, 0)->persist.sequence <= sequence) {
        carry_out(disk, ring_pop(&disk->writes));
    }
}

void disk_compact(struct disk *disk, uint64_t first_index)
{
    if (first_index <= disk->first_index) {
        return;
    }
    size_t gone = (size_t)(first_index - disk->first_index);
    if (gone > disk->log.count) { /* the rest is not written yet: it is dropped by a later call */
        gone = disk->log.count;
    }
    release(disk->log.items, gone);
    array_remove(&disk->log, 0, gone);
    disk->first_index += gone;
}

struct raft *disk_start(struct disk *disk, const struct raft_options *options,
                        const struct raft_configuration *first_members,
                        const struct core_snapshot *snapshot, int64_t now_ns)
{
    forget_writes(disk);
    struct raft_start start = {
        .term = disk->term,
        .vote = disk->vote,
        .vote_directory = disk->vote_directory,
        .first_members = first_members,
        .first_index = disk->first_index,
        .entries = disk->log.items,
        .entry_count = disk->log.count,
    };
    if (snapshot != NULL) {
        start.snapshot = snapshot->about;
        start.snapshot.members = &snapshot->members;
    }
    const char *problem = NULL;
    struct raft *raft = raft_new(options, &start, now_ns, &problem);
    ensure(raft != NULL);
    return raft;
}

/* What is written: what is not has been hashed with the replica. */
uint64_t disk_hash(const struct disk *disk)
{
    uint64_t hash = hash_mix(hash_mix(disk->term, disk->vote), disk->vote_directory);
    hash = hash_mix(hash, disk->first_index);
    for (size_t i = 0; i < disk->log.count; i++) {
        struct bytes payload = raft_entry_payload(&disk->log.items[i]);
        hash = hash_mix(hash, disk->log.items[i].term);
        hash = payload.size > 0 ? hash_mix(hash, hash_bytes(payload.data, payload.size, 0)) : hash;
    }
    return hash;
}
