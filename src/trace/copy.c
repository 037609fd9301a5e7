/*
 * Copies of events, for the queue. Names of roles and messages are static and stay
 * pointers; everything else that an event points to is copied.
 */
#include "trace/internal.h"

#include <string.h>

static struct bytes store(uint8_t *storage, size_t *at, struct bytes bytes)
{
    if (bytes.size == 0) {
        return (struct bytes){NULL, 0};
    }
    uint8_t *to = storage + *at;
    memcpy(to, bytes.data, bytes.size);
    *at += bytes.size;
    return (struct bytes){to, bytes.size};
}

void event_copy_set(struct event_copy *copy, const struct trace_event *event)
{
    bool has_entries = event->entries != NULL && event->entry_count > 0;
    size_t entries_size = has_entries ? event->entry_count * sizeof *event->entries : 0;
    size_t size = entries_size + event->text.size + event->value.size + event->configurations.size;
    ensure(copy->storage == NULL);
    copy->event = *event;
    copy->event.entries = NULL;
    copy->event.applied = NULL;
    if (size == 0) {
        return;
    }
    copy->storage = memory_new(size);
    if (has_entries) { /* first, where the storage is aligned for them */
        memcpy(copy->storage, event->entries, entries_size);
        copy->event.entries = (const struct trace_entry *)(const void *)copy->storage;
    }
    size_t at = entries_size;
    copy->event.text = store(copy->storage, &at, event->text);
    copy->event.value = store(copy->storage, &at, event->value);
    copy->event.configurations = store(copy->storage, &at, event->configurations);
    ensure(at == size);
}

void event_copy_free(struct event_copy *copy)
{
    memory_free(copy->storage);
    *copy = (struct event_copy){0};
}
