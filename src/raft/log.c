/*
 * log: the entries in memory, in chunks of fixed size behind a directory of pointers, so that an
 * entry never moves while the log grows. It holds one reference of each entry's batch.
 *
 * It knows nothing of commitment, durability or configurations.
 */
#include "raft/internal.h"

#include <string.h>

static uint64_t bytes_of(const struct raft_entry *entry)
{
    return sizeof *entry + raft_entry_size(entry);
}

static void release_range(struct log *log, uint64_t first, uint64_t last)
{
    uint64_t bytes = 0;
    for (uint64_t index = first; index <= last; index++) {
        struct raft_entry *entry = log_at(log, index);
        bytes += bytes_of(entry);
        batch_release(entry->batch);
    }
    log->bytes -= bytes;
}

static void free_chunks(struct log *log, size_t first, size_t count)
{
    for (size_t i = first; i < first + count; i++) {
        memory_free(log->chunks.items[i]);
    }
    array_remove(&log->chunks, first, count);
}

void log_free(struct log *log)
{
    log_reset(log, 0, 0);
    array_free(&log->chunks);
    memset(log, 0, sizeof *log);
}

static void add_chunk(struct log *log)
{
    *array_push(&log->chunks) = memory_new(LOG_CHUNK_ENTRIES * sizeof(struct raft_entry));
}

void log_copy(struct log *to, const struct log *from)
{
    *to = *from;
    memset(&to->chunks, 0, sizeof to->chunks);
    for (size_t i = 0; i < from->chunks.count; i++) {
        add_chunk(to);
    }
    for (uint64_t index = from->base_index + 1; index <= from->last_index; index++) {
        ensure(to->chunks.items != NULL);
        struct raft_entry *entry = log_at(to, index);
        *entry = *log_at(from, index);
        if (entry->batch != NULL) {
            batch_hold(entry->batch);
        }
    }
}

void log_append(struct log *log, const struct raft_entry *entry)
{
    ensure(entry->term >= log->last_term && entry->term > 0);
    uint64_t index = log->last_index + 1;
    if (log->chunks.count == 0) {
        log->first_chunk = index >> LOG_CHUNK_BITS;
    }
    if ((index >> LOG_CHUNK_BITS) - log->first_chunk == log->chunks.count) {
        add_chunk(log);
    }
    log->last_index = index;
    log->last_term = entry->term;
    log->bytes += bytes_of(entry);
    *log_at(log, index) = *entry;
    if (entry->batch != NULL) {
        batch_hold(entry->batch);
    }
}

void log_truncate(struct log *log, uint64_t from)
{
    ensure(from > log->base_index && from <= log->last_index);
    release_range(log, from, log->last_index);
    log->last_term = log_term_at(log, from - 1);
    log->last_index = from - 1;
    uint64_t kept = log->last_index == log->base_index
                        ? 0
                        : (log->last_index >> LOG_CHUNK_BITS) - log->first_chunk + 1;
    free_chunks(log, kept, log->chunks.count - kept);
}

void log_compact(struct log *log, uint64_t index)
{
    ensure(index > log->base_index && index <= log->last_index);
    uint64_t term = log_term_at(log, index);
    release_range(log, log->base_index + 1, index);
    log->base_index = index;
    log->base_term = term;
    size_t unused = log->chunks.count;
    if (index < log->last_index) {
        unused = (size_t)(((index + 1) >> LOG_CHUNK_BITS) - log->first_chunk);
    }
    free_chunks(log, 0, unused);
    log->first_chunk += unused;
}

void log_reset(struct log *log, uint64_t index, uint64_t term)
{
    release_range(log, log->base_index + 1, log->last_index);
    free_chunks(log, 0, log->chunks.count);
    ensure(log->bytes == 0);
    log->base_index = index;
    log->base_term = term;
    log->last_index = index;
    log->last_term = term;
}

uint64_t log_find_term(const struct log *log, uint64_t index, uint64_t term)
{
    if (index < log->base_index || term < log->base_term) {
        return index < log->base_index ? index : log->base_index - 1;
    }
    /* Terms never fall along a log, so halving finds the place. */
    uint64_t low = log->base_index;
    uint64_t high = index < log->last_index ? index : log->last_index;
    while (low < high) {
        uint64_t middle = low + (high - low + 1) / 2;
        if (log_term_at(log, middle) <= term) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return low;
}
