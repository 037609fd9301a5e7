/*
 * Histories: what clients asked and what they were answered, in the order in which it was recorded.
 * Entries become operations here, and values numbers. It never judges what was answered.
 */
#include "check/check.h"
#include "check/tables.h"

struct history {
    struct interner values;
    array_of(struct history_operation) operations;
    struct number_map open; /* by process: the position of its operation, or NOTHING_OPEN */
    uint32_t entries;
    bool is_ended;
};

#define NOTHING_OPEN (UINT32_MAX - 1)

struct history *history_new(void)
{
    struct history *history = memory_new_zeroed(1, sizeof *history);
    ensure(interner_number(&history->values, (struct bytes){0}) == 0);
    return history;
}

struct history *history_new_of(const struct interner *values)
{
    struct history *history = memory_new_zeroed(1, sizeof *history);
    ensure(interner_bytes(values, 0).size == 0);
    interner_copy(&history->values, values);
    return history;
}

void history_free(struct history *history)
{
    if (history == NULL) {
        return;
    }
    interner_free(&history->values);
    array_free(&history->operations);
    number_map_free(&history->open);
    memory_free(history);
}

uint32_t history_number(struct history *history, struct bytes value)
{
    return value.size == 0 ? 0 : interner_number(&history->values, value);
}

struct bytes history_value(const struct history *history, uint32_t number)
{
    return interner_bytes(&history->values, number);
}

size_t history_count(const struct history *history)
{
    return history->operations.count;
}

const struct history_operation *history_at(const struct history *history, size_t position)
{
    ensure(position < history->operations.count);
    return &history->operations.items[position];
}

uint32_t history_entries(const struct history *history)
{
    return history->entries;
}

static bool add_invoke(struct history *history, const struct history_numbers *entry, uint32_t *open,
                       struct failure *failure)
{
    if (*open < NOTHING_OPEN) {
        failure_set(failure, FAILURE_NONE,
                    "entry %u: process %lld begins an operation while that of entry %u is still "
                    "under way",
                    history->entries, (long long)entry->process,
                    history->operations.items[*open].inv);
        return false;
    }
    if (entry->f == 0) {
        failure_set(failure, FAILURE_NONE, "entry %u: it does not say what is done ('f')",
                    history->entries);
        return false;
    }
    *open = (uint32_t)history->operations.count;
    *array_push(&history->operations) = (struct history_operation){
        .inv = history->entries,
        .ret = HISTORY_NEVER,
        .f = entry->f,
        .key = entry->key,
        .value = entry->value,
        .process = entry->process,
        .outcome = HISTORY_UNKNOWN,
    };
    return true;
}

/* An operation that certainly had no effect keeps its place until the end, without an f. */
static void end_operation(struct history *history, struct history_operation *operation,
                          const struct history_numbers *entry)
{
    operation->end = history->entries;
    operation->log_index = entry->log_index;
    if (entry->type == HISTORY_INFO) {
        return;
    }
    operation->ret = history->entries;
    if (entry->type == HISTORY_OK) {
        operation->outcome = HISTORY_DONE;
        operation->result = entry->result != 0 ? entry->result : entry->value;
    } else if (entry->is_mismatch) {
        operation->outcome = HISTORY_MISMATCH;
        operation->result = entry->seen;
    } else {
        operation->f = 0;
    }
}

bool history_add_numbers(struct history *history, const struct history_numbers *entry,
                         struct failure *failure)
{
    ensure(!history->is_ended && history->entries < HISTORY_NEVER - 1);
    history->entries++;
    uint32_t *open = number_map_at(&history->open, (uint64_t)entry->process);
    if (entry->type == HISTORY_INVOKE) {
        return add_invoke(history, entry, open, failure);
    }
    if (*open >= NOTHING_OPEN) {
        *open = NOTHING_OPEN;
        failure_set(failure, FAILURE_NONE,
                    "entry %u: process %lld ends an operation, but has none under way",
                    history->entries, (long long)entry->process);
        return false;
    }
    struct history_operation *operation = &history->operations.items[*open];
    if (entry->f != 0 && entry->f != operation->f) {
        struct bytes name = history_value(history, entry->f);
        failure_set(failure, FAILURE_NONE,
                    "entry %u: process %lld ends an operation '%.*s', but began another in entry "
                    "%u",
                    history->entries, (long long)entry->process,
                    (int)(name.size < 40 ? name.size : 40), (const char *)name.data,
                    operation->inv);
        return false;
    }
    end_operation(history, operation, entry);
    *open = NOTHING_OPEN;
    return true;
}

bool history_add(struct history *history, const struct history_entry *entry,
                 struct failure *failure)
{
    struct history_numbers numbers = {
        .type = entry->type,
        .process = entry->process,
        .f = history_number(history, entry->f),
        .key = history_number(history, entry->key),
        .value = history_number(history, entry->value),
        .result = history_number(history, entry->result),
        .is_mismatch = entry->is_mismatch,
        .seen = history_number(history, entry->seen),
        .log_index = entry->log_index,
    };
    return history_add_numbers(history, &numbers, failure);
}

void history_skip(struct history *history)
{
    ensure(!history->is_ended && history->entries < HISTORY_NEVER - 1);
    history->entries++;
}

void history_end(struct history *history)
{
    ensure(!history->is_ended);
    history->is_ended = true;
    size_t kept = 0;
    for (size_t i = 0; i < history->operations.count; i++) {
        if (history->operations.items[i].f != 0) {
            history->operations.items[kept++] = history->operations.items[i];
        }
    }
    history->operations.count = kept;
    number_map_free(&history->open);
}
