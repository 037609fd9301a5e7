/*
 * What a file of the simulated disk holds: bytes in chunks as they are read now, and beside them,
 * for each write that is not durable, what it wrote over. A write that is synced at once into a
 * durable file costs its copy and nothing else.
 *
 * It draws from no stream but those that it is given, and knows neither names nor time.
 */
#include "sim/disk.h"

struct disk_file *disk_file_new(void)
{
    struct disk_file *file = memory_new_zeroed(1, sizeof *file);
    file->references = 1;
    return file;
}

struct disk_file *disk_file_hold(struct disk_file *file)
{
    ensure(file->references > 0);
    file->references++;
    return file;
}

static void forget_unsynced(struct disk_file *file)
{
    for (size_t i = 0; i < file->unsynced.count; i++) {
        memory_free(file->unsynced.items[i].old);
    }
    file->unsynced.count = 0;
    file->has_lost = false;
}

void disk_file_release(struct disk_file *file)
{
    ensure(file->references > 0);
    if (--file->references > 0) {
        return;
    }
    forget_unsynced(file);
    for (size_t i = 0; i < file->chunks.count; i++) {
        memory_free(file->chunks.items[i]);
    }
    array_free(&file->unsynced);
    array_free(&file->chunks);
    memory_free(file);
}

/* ---- bytes ---------------------------------------------------------------------------------- */

static size_t rest_of_chunk(uint64_t offset, uint64_t size)
{
    size_t rest = DISK_CHUNK_BYTES - (size_t)(offset % DISK_CHUNK_BYTES);
    return size < rest ? (size_t)size : rest;
}

/* The chunk with this byte; NULL: zeros. */
static uint8_t *chunk_at(const struct disk_file *file, uint64_t offset)
{
    uint64_t position = offset / DISK_CHUNK_BYTES;
    return position < file->chunks.count ? file->chunks.items[position] : NULL;
}

static uint8_t *chunk_made(struct disk_file *file, uint64_t offset)
{
    uint64_t position = offset / DISK_CHUNK_BYTES;
    while (file->chunks.count <= position) {
        *array_push(&file->chunks) = NULL;
    }
    if (file->chunks.items[position] == NULL) {
        file->chunks.items[position] = memory_new_zeroed(1, DISK_CHUNK_BYTES);
    }
    return file->chunks.items[position];
}

static void copy_in(struct disk_file *file, uint64_t offset, const uint8_t *data, uint64_t size)
{
    while (size > 0) {
        size_t part = rest_of_chunk(offset, size);
        memcpy(chunk_made(file, offset) + offset % DISK_CHUNK_BYTES, data, part);
        offset += part;
        data += part;
        size -= part;
    }
}

static void copy_out(const struct disk_file *file, uint64_t offset, uint8_t *data, uint64_t size)
{
    while (size > 0) {
        size_t part = rest_of_chunk(offset, size);
        const uint8_t *chunk = chunk_at(file, offset);
        if (chunk != NULL) {
            memcpy(data, chunk + offset % DISK_CHUNK_BYTES, part);
        } else {
            memset(data, 0, part);
        }
        offset += part;
        data += part;
        size -= part;
    }
}

static void clear(struct disk_file *file, uint64_t offset, uint64_t size)
{
    while (size > 0) {
        size_t part = rest_of_chunk(offset, size);
        uint8_t *chunk = chunk_at(file, offset);
        if (chunk != NULL) {
            memset(chunk + offset % DISK_CHUNK_BYTES, 0, part);
        }
        offset += part;
        size -= part;
    }
}

/* All behind the new size is zeros, and what stands in chunks of its own there takes no memory. */
static void set_size(struct disk_file *file, uint64_t size)
{
    uint64_t kept = (size + DISK_CHUNK_BYTES - 1) / DISK_CHUNK_BYTES;
    while (file->chunks.count > kept) {
        memory_free(file->chunks.items[--file->chunks.count]);
    }
    if (size % DISK_CHUNK_BYTES != 0) {
        clear(file, size, DISK_CHUNK_BYTES - size % DISK_CHUNK_BYTES);
    }
    file->size = size;
}

size_t disk_file_read(const struct disk_file *file, uint64_t offset, void *data, size_t size)
{
    if (offset >= file->size) {
        return 0;
    }
    uint64_t left = file->size - offset;
    size_t there = left < size ? (size_t)left : size;
    copy_out(file, offset, data, there);
    return there;
}

/* ---- what is durable ------------------------------------------------------------------------ */

static void remember(struct disk_file *file, uint64_t offset, uint64_t size)
{
    uint64_t old_size = offset < file->durable_size ? file->durable_size - offset : 0;
    old_size = old_size < size ? old_size : size;
    struct unsynced unsynced = {.offset = offset, .size = size, .old_size = old_size};
    if (old_size > 0) {
        unsynced.old = memory_new((size_t)old_size);
        copy_out(file, offset, unsynced.old, old_size);
    }
    *array_push(&file->unsynced) = unsynced;
}

void disk_file_write(struct disk_file *file, uint64_t offset, const void *data, size_t size,
                     bool sync)
{
    if (size > 0) {
        if (!sync || file->has_lost) {
            remember(file, offset, size);
        }
        copy_in(file, offset, data, size);
        file->size = offset + size > file->size ? offset + size : file->size;
    }
    if (sync) {
        disk_file_sync(file);
    }
}

/* Of what the sync lost: what no later write from `next` on has written over. */
static void keep_lost(struct disk_file *file, const struct unsynced *lost, size_t next,
                      size_t count)
{
    for (size_t i = next; i < count; i++) {
        struct unsynced over = file->unsynced.items[i];
        uint64_t end = lost->offset + lost->size;
        uint64_t over_end = over.offset + over.size;
        if (over.lost || over.offset >= end || over_end <= lost->offset) {
            continue;
        }
        if (lost->offset < over.offset) {
            struct unsynced before = *lost;
            before.size = over.offset - lost->offset;
            keep_lost(file, &before, i + 1, count);
        }
        if (over_end < end) {
            struct unsynced after = *lost;
            uint64_t skipped = over_end - lost->offset;
            after.offset = over_end;
            after.size = end - over_end;
            after.old_size = lost->old_size > skipped ? lost->old_size - skipped : 0;
            after.old = after.old_size > 0 ? lost->old + skipped : NULL;
            keep_lost(file, &after, i + 1, count);
        }
        return;
    }
    if (lost->size == 0) {
        return;
    }
    struct unsynced kept = *lost;
    kept.old_size = lost->old_size < lost->size ? lost->old_size : lost->size;
    kept.old = items_copied(lost->old, (size_t)kept.old_size);
    *array_push(&file->unsynced) = kept;
}

void disk_file_sync(struct disk_file *file)
{
    file->durable_size = file->size;
    if (!file->has_lost) {
        forget_unsynced(file);
        return;
    }
    size_t count = file->unsynced.count;
    for (size_t i = 0; i < count; i++) {
        struct unsynced unsynced = file->unsynced.items[i];
        if (unsynced.lost) {
            keep_lost(file, &unsynced, i + 1, count);
        }
    }
    for (size_t i = 0; i < count; i++) {
        memory_free(file->unsynced.items[i].old);
    }
    array_remove(&file->unsynced, 0, count);
    file->has_lost = file->unsynced.count > 0;
}

void disk_file_lose(struct disk_file *file)
{
    for (size_t i = 0; i < file->unsynced.count; i++) {
        file->unsynced.items[i].lost = true;
    }
    file->has_lost = file->unsynced.count > 0;
}

void disk_file_resize(struct disk_file *file, uint64_t size)
{
    /* What was lost and is cut off now must not come back with the next cut. */
    for (size_t i = 0; i < file->unsynced.count; i++) {
        struct unsynced *unsynced = &file->unsynced.items[i];
        uint64_t left = unsynced->offset < size ? size - unsynced->offset : 0;
        unsynced->size = unsynced->size < left ? unsynced->size : left;
        unsynced->old_size = unsynced->old_size < left ? unsynced->old_size : left;
    }
    set_size(file, size);
    disk_file_sync(file);
}

/* ---- the power is cut ----------------------------------------------------------------------- */

/* A bit for each sector that stays as it was last written. */
struct sectors {
    uint8_t *kept;
    uint64_t count;
};

static bool is_kept(const struct sectors *sectors, uint64_t sector)
{
    ensure(sector < sectors->count);
    return (sectors->kept[sector / 8] >> sector % 8 & 1) != 0;
}

/* Its old bytes, from `offset` on. */
static void restore(struct disk_file *file, const struct unsynced *unsynced, uint64_t offset,
                    uint64_t size)
{
    uint64_t skipped = offset - unsynced->offset;
    uint64_t there = unsynced->old_size > skipped ? unsynced->old_size - skipped : 0;
    there = there < size ? there : size;
    if (there > 0) {
        copy_in(file, offset, unsynced->old + skipped, there);
    }
    clear(file, offset + there, size - there);
}

/* Undoes the write, but where a coin says that the sector stays: then all that was written to it
 * before stays too. How far what stays goes. */
static uint64_t undo(struct disk_file *file, const struct unsynced *unsynced,
                     struct sectors *sectors, struct random *coins)
{
    uint64_t end = unsynced->offset + unsynced->size;
    uint64_t kept_end = 0;
    for (uint64_t at = unsynced->offset; at < end;) {
        uint64_t sector = at / DISK_SECTOR_BYTES;
        uint64_t next = (sector + 1) * DISK_SECTOR_BYTES;
        next = next < end ? next : end;
        bool stays = coins != NULL && (random_next(coins) >> 63) != 0;
        if (stays || is_kept(sectors, sector)) {
            sectors->kept[sector / 8] |= (uint8_t)(1U << sector % 8);
            kept_end = next;
        } else {
            restore(file, unsynced, at, next - at);
        }
        at = next;
    }
    return kept_end;
}

void disk_file_cut(struct disk_file *file, struct random *coins, struct random *losses)
{
    if (file->unsynced.count == 0) {
        ensure(file->durable_size == file->size);
        return;
    }
    uint64_t size = file->durable_size;
    struct sectors sectors = {.count = file->size / DISK_SECTOR_BYTES + 1};
    sectors.kept = memory_new_zeroed(1, (size_t)(sectors.count / 8 + 1));
    for (size_t i = file->unsynced.count; i > 0; i--) {
        const struct unsynced *unsynced = &file->unsynced.items[i - 1];
        uint64_t kept_end = undo(file, unsynced, &sectors, unsynced->lost ? losses : coins);
        size = kept_end > size ? kept_end : size;
    }
    if (coins != NULL && (random_next(coins) >> 63) != 0) {
        size = file->size > size ? file->size : size; /* the size got there, its bytes may not */
    }
    set_size(file, size);
    file->durable_size = size;
    forget_unsynced(file);
    memory_free(sectors.kept);
}

/* ---- bit rot -------------------------------------------------------------------------------- */

uint64_t disk_file_used(const struct disk_file *file)
{
    for (size_t i = file->chunks.count; i > 0; i--) {
        const uint8_t *chunk = file->chunks.items[i - 1];
        for (size_t size = chunk == NULL ? 0 : DISK_CHUNK_BYTES; size > 0; size--) {
            if (chunk[size - 1] != 0) {
                return (uint64_t)(i - 1) * DISK_CHUNK_BYTES + size;
            }
        }
    }
    return 0;
}

uint8_t disk_file_byte(const struct disk_file *file, uint64_t offset)
{
    uint8_t byte = 0;
    copy_out(file, offset, &byte, 1);
    return byte;
}

void disk_file_flip(struct disk_file *file, uint64_t bit)
{
    uint64_t offset = bit / 8;
    ensure(offset < file->size);
    chunk_made(file, offset)[offset % DISK_CHUNK_BYTES] ^= (uint8_t)(1U << bit % 8);
}
