/*
 * Fuzzes the containers of base/: each input is a run of calls, made on a container and on a plain
 * array that stands for it; after each call both hold the same, in the same order.
 */
#include "support/fuzz.h"

#define ITEMS_MAX 600 /* the largest capacity after several doublings */

/* What a container must hold: the twin that every check compares with. */
struct twin {
    uint64_t items[ITEMS_MAX];
    size_t count;
};

static void twin_insert(struct twin *twin, size_t position, uint64_t item)
{
    for (size_t i = twin->count++; i > position; i--) {
        twin->items[i] = twin->items[i - 1];
    }
    twin->items[position] = item;
}

static uint64_t twin_take(struct twin *twin, size_t position)
{
    uint64_t item = twin->items[position];
    twin->count--;
    for (size_t i = position; i < twin->count; i++) {
        twin->items[i] = twin->items[i + 1];
    }
    return item;
}

static size_t twin_find(const struct twin *twin, uint64_t item)
{
    size_t position = 0;
    while (position < twin->count && twin->items[position] != item) {
        position++;
    }
    return position;
}

static bool is_full(const struct twin *twin, size_t more)
{
    return twin->count + more > ITEMS_MAX;
}

/* ---- array ---------------------------------------------------------------------------------- */

static void fuzz_array(struct input *input)
{
    array_of(uint64_t) array = {0};
    struct twin twin = {.count = 0};
    uint64_t next = 1;
    while (input->size > 0) {
        uint8_t call = input_byte(input);
        size_t position = input_byte(input) % (twin.count + 1);
        size_t many = call >> 2;
        if (call % 4 == 0 && !is_full(&twin, many)) {
            uint64_t *first = array_extend(&array, many);
            for (size_t i = 0; i < many; i++) {
                first[i] = next;
                twin_insert(&twin, twin.count, next++);
            }
        } else if (call % 4 == 1 && !is_full(&twin, 1)) {
            *array_insert(&array, position) = next;
            twin_insert(&twin, position, next++);
        } else if (call % 4 == 2) {
            many %= twin.count - position + 1;
            array_remove(&array, position, many);
            for (size_t i = 0; i < many; i++) {
                (void)twin_take(&twin, position);
            }
        } else if (!is_full(&twin, 1)) {
            *array_push(&array) = next;
            twin_insert(&twin, twin.count, next++);
        }
        ensure(array.count == twin.count && array.count <= array.capacity);
        for (size_t i = 0; i < twin.count; i++) {
            ensure(array.items[i] == twin.items[i]);
        }
    }
    array_free(&array);
    ensure(array.items == NULL && array.count == 0 && array.capacity == 0);
}

/* By their values, as array_place finds them. */
static void fuzz_sorted_array(struct input *input)
{
    array_of(struct { uint8_t key; }) array = {0};
    uint8_t sorted[ITEMS_MAX];
    while (input->size > 0 && array.count < ITEMS_MAX) {
        uint8_t key = input_byte(input);
        size_t place = 0;
        while (place < array.count && sorted[place] < key) {
            place++;
        }
        ensure(array_place(&array, key, key) == place);
        array_insert(&array, place)->key = key;
        memmove(sorted + place + 1, sorted + place, array.count - 1 - place);
        sorted[place] = key;
    }
    array_free(&array);
}

/* ---- ring ----------------------------------------------------------------------------------- */

static void fuzz_ring(struct input *input)
{
    ring_of(uint64_t) ring = {0};
    struct twin twin = {.count = 0};
    uint64_t next = 1;
    while (input->size > 0) {
        uint8_t call = input_byte(input);
        for (size_t many = call >> 2; many > 0; many--) {
            if (call % 4 == 0 && twin.count > 0) {
                ensure(*ring_pop(&ring) == twin_take(&twin, 0));
            } else if (call % 4 == 1 && twin.count > 0) {
                ensure(*ring_pop_last(&ring) == twin_take(&twin, twin.count - 1));
            } else if (call % 4 > 1 && !is_full(&twin, 1)) {
                *ring_push(&ring) = next;
                twin_insert(&twin, twin.count, next++);
            }
        }
        ensure(ring.count == twin.count && ring.count <= ring.capacity);
        for (size_t i = 0; i < twin.count; i++) {
            ensure(*ring_at(&ring, i) == twin.items[i]);
        }
    }
    ring_free(&ring);
    ensure(ring.items == NULL && ring.count == 0 && ring.capacity == 0);
}

/* ---- latest numbers ------------------------------------------------------------------------- */

#define LATEST_MAX 200

/* Numbers of few kinds, many of which want the same slots. */
static void fuzz_latest_numbers(struct input *input)
{
    struct latest_numbers latest = {0};
    struct twin twin = {.count = 0};
    while (input->size > 0) {
        uint8_t byte = input_byte(input);
        uint64_t number = ((uint64_t)(byte % 16) << 20) + (uint64_t)(byte / 16) * 64 + 1;
        number += (uint64_t)input_byte(input) << 24;
        bool is_new = twin_find(&twin, number) == twin.count;
        ensure(latest_numbers_add(&latest, number, LATEST_MAX) == is_new);
        if (is_new) {
            if (twin.count == LATEST_MAX) {
                (void)twin_take(&twin, 0);
            }
            twin_insert(&twin, twin.count, number);
        }
        ensure(latest.order.count == twin.count);
    }
    latest_numbers_free(&latest);
    ensure(latest.slots == NULL && latest.order.count == 0);
}

/* ---- list ----------------------------------------------------------------------------------- */

#define LINKS 64

struct linked {
    uint64_t number;
    struct list_link link;
};

static void compare_list(const struct list *list, const struct twin *twin)
{
    const struct list_link *at = list_first(list);
    const struct list_link *before = NULL;
    for (size_t i = 0; i < twin->count; i++) {
        ensure(at != NULL && item_of(at, const struct linked, link)->number == twin->items[i]);
        before = at;
        at = list_next(list, at);
    }
    ensure(at == NULL && list_last(list) == before);
    ensure(list_is_empty(list) == (twin->count == 0));
}

static void fuzz_list(struct input *input)
{
    struct linked items[LINKS] = {0};
    struct list list = {0};
    struct twin twin = {.count = 0};
    for (size_t i = 0; i < LINKS; i++) {
        items[i].number = i;
    }
    while (input->size > 0) {
        uint8_t call = input_byte(input);
        struct linked *item = &items[call % LINKS];
        size_t position = twin_find(&twin, item->number);
        ensure(list_holds(&item->link) == (position < twin.count));
        if (position < twin.count) {
            list_remove(&item->link);
            (void)twin_take(&twin, position);
        } else if (call / LINKS == 0) {
            list_prepend(&list, &item->link);
            twin_insert(&twin, 0, item->number);
        } else if (call / LINKS == 1 && twin.count > 0) {
            position = input_byte(input) % twin.count;
            list_insert(&item->link, &items[twin.items[position]].link);
            twin_insert(&twin, position, item->number);
        } else if (call / LINKS == 2) {
            list_append(&list, &item->link);
            twin_insert(&twin, twin.count, item->number);
        } else {
            list_remove(&item->link); /* of none: nothing */
        }
        compare_list(&list, &twin);
    }
}

/* ---- heap ----------------------------------------------------------------------------------- */

/* Of the entries that are there, the one that comes first. */
static size_t first_of(const struct heap_entry *entries, size_t count)
{
    size_t first = 0;
    for (size_t i = 1; i < count; i++) {
        if (heap_entry_before(&entries[i], &entries[first])) {
            first = i;
        }
    }
    return first;
}

static void fuzz_heap_of_values(struct input *input)
{
    struct heap heap = {0};
    struct heap_entry twin[ITEMS_MAX];
    size_t count = 0;
    uint64_t order = 0;
    while (input->size > 0) {
        uint8_t call = input_byte(input);
        if (call % 4 > 0 && count < ITEMS_MAX) {
            int64_t key = (int8_t)input_byte(input) / 8; /* few, so that many are equal */
            heap_add_value(&heap, order, key, order);
            twin[count++] = (struct heap_entry){.key = key, .order = order, .of.value = order};
            order++;
        } else if (count > 0) {
            size_t first = first_of(twin, count);
            ensure(heap_first(&heap)->key == twin[first].key);
            ensure(heap_take_value(&heap) == twin[first].of.value);
            twin[first] = twin[--count];
        }
        ensure(heap_count(&heap) == count && (heap_first(&heap) == NULL) == (count == 0));
    }
    heap_free(&heap);
}

struct placed {
    int64_t key;
    uint64_t order;
    struct heap_item item;
};

static void compare_heap(const struct heap *heap, const struct placed *items)
{
    size_t count = 0;
    const struct placed *first = NULL;
    for (size_t i = 0; i < LINKS; i++) {
        const struct placed *at = &items[i];
        const struct heap_entry *entry = heap_find(heap, &at->item);
        ensure((entry != NULL) == (at->order != 0));
        if (entry == NULL) {
            continue;
        }
        ensure(entry->of.item == &at->item && entry->key == at->key && entry->order == at->order);
        count++;
        if (first == NULL || at->key < first->key ||
            (at->key == first->key && at->order < first->order)) {
            first = at;
        }
    }
    ensure(heap_count(heap) == count);
    const struct heap_entry *top = heap_first(heap);
    ensure((first == NULL) == (top == NULL));
    ensure(first == NULL || top->of.item == &first->item);
}

static void fuzz_heap_of_items(struct input *input)
{
    struct heap heap = {0};
    struct placed items[LINKS] = {0};
    uint64_t order = 0;
    while (input->size > 0) {
        uint8_t call = input_byte(input);
        struct placed *item = &items[call % LINKS];
        if (call / LINKS == 0) {
            heap_remove(&heap, &item->item);
            item->order = 0;
        } else {
            item->key = (int8_t)input_byte(input) / 8;
            item->order = ++order;
            heap_set(&heap, &item->item, item->key, item->order);
        }
        compare_heap(&heap, items);
    }
    heap_free(&heap);
}

/* ---- interner ------------------------------------------------------------------------------- */

#define TEXTS_MAX 300U
#define TEXT_BYTES_MAX 15U

struct text {
    uint8_t bytes[TEXT_BYTES_MAX];
    size_t size;
};

/* Bytes of the input, or a part of what the interner holds. */
static struct bytes next_text(struct input *input, const struct interner *interner, uint8_t from[])
{
    uint8_t call = input_byte(input);
    struct bytes text = {from, call / 16U};
    if (call % 2 == 0 || interner->ends.count == 0) {
        for (size_t i = 0; i < text.size; i++) {
            from[i] = input_byte(input);
        }
        return text;
    }
    text = interner_bytes(interner, input_byte(input) % (uint32_t)interner->ends.count);
    size_t left_out = text.size > 0 ? call / 16U % text.size : 0;
    text.data = text.size > 0 ? text.data + left_out : NULL;
    text.size -= left_out;
    return text;
}

static void fuzz_interner(struct input *input)
{
    static struct text twin[TEXTS_MAX];
    struct interner interner = {0};
    uint32_t count = 0;
    while (input->size > 0 && count < TEXTS_MAX) {
        uint8_t from[TEXT_BYTES_MAX];
        struct bytes text = next_text(input, &interner, from);
        uint32_t number = 0;
        while (number < count &&
               !bytes_equal((struct bytes){twin[number].bytes, twin[number].size}, text)) {
            number++;
        }
        if (number == count) {
            twin[count].size = text.size;
            if (text.size > 0) {
                memcpy(twin[count].bytes, text.data, text.size);
            }
            count++;
        }
        ensure(interner_number(&interner, text) == number);
    }
    for (uint32_t i = 0; i < count; i++) {
        ensure(
            bytes_equal(interner_bytes(&interner, i), (struct bytes){twin[i].bytes, twin[i].size}));
    }
    interner_free(&interner);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const fuzz[])(struct input *) = {
        fuzz_array,         fuzz_ring,         fuzz_list,           fuzz_heap_of_values,
        fuzz_heap_of_items, fuzz_sorted_array, fuzz_latest_numbers, fuzz_interner,
    };
    struct input input = {data, size};
    fuzz[input_byte(&input) % (sizeof fuzz / sizeof fuzz[0])](&input);
    return 0;
}
