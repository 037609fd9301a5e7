/*
 * A heap with four children a node: half as deep as one with two, and the four lie side by side.
 * Whether items record their place in the heap is known when each function is compiled. It never
 * compares anything but key and order.
 */
#include "base/base.h"

#define CHILDREN 4

static inline void put(struct heap *heap, size_t place, struct heap_entry entry, bool tracked)
{
    heap->entries.items[place] = entry;
    if (tracked) {
        entry.of.item->place = place + 1;
    }
}

static inline void sift_up(struct heap *heap, size_t place, struct heap_entry entry, bool tracked)
{
    while (place > 0) {
        size_t parent = (place - 1) / CHILDREN;
        if (!heap_entry_before(&entry, &heap->entries.items[parent])) {
            break;
        }
        put(heap, place, heap->entries.items[parent], tracked);
        place = parent;
    }
    put(heap, place, entry, tracked);
}

static inline void sift_down(struct heap *heap, size_t place, struct heap_entry entry, bool tracked)
{
    const struct heap_entry *entries = heap->entries.items;
    size_t count = heap->entries.count;
    for (;;) {
        size_t first = place * CHILDREN + 1;
        if (first >= count) {
            break;
        }
        size_t end = first + CHILDREN < count ? first + CHILDREN : count;
        size_t least = first;
        for (size_t child = first + 1; child < end; child++) {
            if (heap_entry_before(&entries[child], &entries[least])) {
                least = child;
            }
        }
        if (!heap_entry_before(&entries[least], &entry)) {
            break;
        }
        put(heap, place, entries[least], tracked);
        place = least;
    }
    put(heap, place, entry, tracked);
}

/* Up or down from there, wherever it belongs. */
static inline void settle(struct heap *heap, size_t place, struct heap_entry entry, bool tracked)
{
    if (place > 0 && heap_entry_before(&entry, &heap->entries.items[(place - 1) / CHILDREN])) {
        sift_up(heap, place, entry, tracked);
    } else {
        sift_down(heap, place, entry, tracked);
    }
}

static inline void take_out(struct heap *heap, size_t place, bool tracked)
{
    struct heap_entry last = heap->entries.items[--heap->entries.count];
    if (place < heap->entries.count) {
        settle(heap, place, last, tracked);
    }
}

void heap_set(struct heap *heap, struct heap_item *item, int64_t key, uint64_t order)
{
    struct heap_entry entry = {.key = key, .order = order, .of.item = item};
    if (item->place == 0) {
        (void)array_push(&heap->entries);
        sift_up(heap, heap->entries.count - 1, entry, true);
    } else {
        ensure(item->place <= heap->entries.count);
        ensure(heap->entries.items[item->place - 1].of.item == item);
        settle(heap, item->place - 1, entry, true);
    }
}

void heap_remove(struct heap *heap, struct heap_item *item)
{
    if (item->place == 0) {
        return;
    }
    ensure(item->place <= heap->entries.count);
    ensure(heap->entries.items[item->place - 1].of.item == item);
    take_out(heap, item->place - 1, true);
    item->place = 0;
}

void heap_add_value(struct heap *heap, uint64_t value, int64_t key, uint64_t order)
{
    (void)array_push(&heap->entries);
    sift_up(heap, heap->entries.count - 1,
            (struct heap_entry){.key = key, .order = order, .of.value = value}, false);
}

uint64_t heap_take_value(struct heap *heap)
{
    ensure(heap->entries.count > 0);
    uint64_t value = heap->entries.items[0].of.value;
    take_out(heap, 0, false);
    return value;
}

void heap_free(struct heap *heap)
{
    array_free(&heap->entries);
}
