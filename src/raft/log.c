/*
 * log: the entries in memory, in chunks of fixed size behind a directory of pointers, so that an
 * entry never moves while the log grows. It holds one reference of each entry's batch.
 *
 * It knows nothing of commitment, durability or configurations.
 */
#include "raft/internal.h"

#include <string.h>

static void release_range(struct log *log, uint64_t first, uint64_t last)
{
    for (uint64_t index = first; index <= last; index++) {
        batch_release(log_at(log, index)->batch);
    }
}

void log_free(struct log *log)
{
    release_range(log, log->base_index + 1, log->last_index);
    for (size_t i = 0; i < log->chunks.count; i++) {
        memory_free(log->chunks.items[i]);
    }
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
    while (log->chunks.count > kept) {
        memory_free(log->chunks.items[--log->chunks.count]);
    }
}

uint64_t log_find_term(const struct log *log, uint64_t index, uint64_t term)
{
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
