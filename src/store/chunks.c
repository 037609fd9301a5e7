/*
 * A log of entry references in chunks: 24 bytes an entry, payloads never copied. It knows nothing
 * of what is durable; image.c does.
 */
#include "store/internal.h"

#include <string.h>

static struct raft_entry *at_position(const struct entry_chunks *log, uint64_t position)
{
    uint64_t place = log->dropped + position;
    return &log->chunks.items[place / CHUNK_ENTRIES][place % CHUNK_ENTRIES];
}

struct raft_entry *entry_chunks_at(const struct entry_chunks *log, uint64_t index)
{
    ensure(index >= log->first_index && index - log->first_index < log->count);
    return at_position(log, index - log->first_index);
}

void entry_chunks_append(struct entry_chunks *log, const struct raft_entry *entry)
{
    if (log->dropped + log->count == log->chunks.count * CHUNK_ENTRIES) {
        *array_push(&log->chunks) = memory_new(CHUNK_ENTRIES * sizeof(struct raft_entry));
    }
    log->count++;
    *at_position(log, log->count - 1) = *entry;
}

void entry_chunks_cut(struct entry_chunks *log, uint64_t from_index)
{
    ensure(from_index >= log->first_index && from_index - log->first_index <= log->count);
    uint64_t kept = from_index - log->first_index;
    while (log->count > kept) {
        batch_release(at_position(log, --log->count)->batch);
    }
    while (log->chunks.count > (log->dropped + kept + CHUNK_ENTRIES - 1) / CHUNK_ENTRIES) {
        memory_free(log->chunks.items[--log->chunks.count]);
    }
}

void entry_chunks_drop(struct entry_chunks *log, uint64_t before_index)
{
    ensure(before_index >= log->first_index && before_index - log->first_index <= log->count);
    uint64_t gone = before_index - log->first_index;
    for (uint64_t position = 0; position < gone; position++) {
        batch_release(at_position(log, position)->batch);
    }
    log->first_index = before_index;
    log->count -= gone;
    size_t chunks = (size_t)((log->dropped + gone) / CHUNK_ENTRIES);
    for (size_t i = 0; i < chunks; i++) {
        memory_free(log->chunks.items[i]);
    }
    array_remove(&log->chunks, 0, chunks);
    log->dropped = (uint32_t)((log->dropped + gone) % CHUNK_ENTRIES);
}

void entry_chunks_free(struct entry_chunks *log)
{
    entry_chunks_cut(log, log->first_index);
    while (log->chunks.count > 0) {
        memory_free(log->chunks.items[--log->chunks.count]);
    }
    log->dropped = 0;
    array_free(&log->chunks);
}
