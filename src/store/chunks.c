/*
 * A log of entry references in chunks: 24 bytes an entry, payloads never copied. It knows nothing
 * of what is durable; image.c does.
 */
#include "store/internal.h"

#include <string.h>

struct raft_entry *entry_chunks_at(const struct entry_chunks *log, uint64_t index)
{
    ensure(index >= log->first_index && index - log->first_index < log->count);
    uint64_t position = index - log->first_index;
    return &log->chunks.items[position / CHUNK_ENTRIES][position % CHUNK_ENTRIES];
}

void entry_chunks_append(struct entry_chunks *log, const struct raft_entry *entry)
{
    uint64_t chunk = log->count / CHUNK_ENTRIES;
    if (chunk == log->chunks.count) {
        *array_push(&log->chunks) = memory_new(CHUNK_ENTRIES * sizeof(struct raft_entry));
    }
    log->chunks.items[chunk][log->count % CHUNK_ENTRIES] = *entry;
    log->count++;
}

void entry_chunks_cut(struct entry_chunks *log, uint64_t from_index)
{
    ensure(from_index >= log->first_index && from_index - log->first_index <= log->count);
    uint64_t kept = from_index - log->first_index;
    while (log->count > kept) {
        log->count--;
        batch_release(
            log->chunks.items[log->count / CHUNK_ENTRIES][log->count % CHUNK_ENTRIES].batch);
    }
    while (log->chunks.count > (kept + CHUNK_ENTRIES - 1) / CHUNK_ENTRIES) {
        memory_free(log->chunks.items[--log->chunks.count]);
    }
}

void entry_chunks_free(struct entry_chunks *log)
{
    entry_chunks_cut(log, log->first_index);
    array_free(&log->chunks);
}
