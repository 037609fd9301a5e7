/*
 * The containers that every room uses, each written once: array, ring, latest numbers,
 * list, heap. All zero is an
 * empty one. base.h includes this.
 *
 * Arrays and rings are typed: `array_of(struct run) runs;` declares one, as a member or a variable,
 * and `struct runs { array_of(struct run); };` one with a name, to be handed to functions. What
 * they do is a macro, so that the compiler sees the size of an item; each argument is evaluated
 * once. Room is made by doubling; items move only when room is made.
 */
#ifndef RAFTBENCH_CONTAINERS_H
#define RAFTBENCH_CONTAINERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What has this link or this place in a heap as its member of that name; NULL stays NULL. */
#define item_of(part, type, member)                                                                \
    __extension__({                                                                                \
        char *part_ = (char *)(part);                                                              \
        part_ == NULL ? NULL : (type *)(void *)(part_ - offsetof(type, member));                   \
    })

/* ---- array: items side by side, growing at the end (array.c) -------------------------------- */

#define array_of(type)                                                                             \
    struct {                                                                                       \
        type *items;                                                                               \
        size_t count;                                                                              \
        size_t capacity;                                                                           \
    }

/* Room for `wanted` more items. */
#define array_reserve(array, wanted)                                                               \
    __extension__({                                                                                \
        __typeof__(array) reserve_ = (array);                                                      \
        size_t wanted_ = (wanted);                                                                 \
        if (reserve_->capacity - reserve_->count < wanted_) {                                      \
            reserve_->items =                                                                      \
                array_grown(reserve_->items, reserve_->count, wanted_,                             \
                            sizeof(__typeof__(*reserve_->items)), &reserve_->capacity);            \
        }                                                                                          \
        (void)0;                                                                                   \
    })

/* `number` new items at the end: where the first of them stands. Their contents are undefined. */
#define array_extend(array, number)                                                                \
    __extension__({                                                                                \
        __typeof__(array) extend_ = (array);                                                       \
        size_t number_ = (number);                                                                 \
        array_reserve(extend_, number_);                                                           \
        extend_->count += number_;                                                                 \
        number_ == 0 ? extend_->items : extend_->items + (extend_->count - number_);               \
    })

/* One new item at the end: where it stands. Its contents are undefined. */
#define array_push(array) array_extend((array), 1)

/* A new item before the one at `position` (or at the end): where it stands. Undefined contents. */
#define array_insert(array, position)                                                              \
    __extension__({                                                                                \
        __typeof__(array) insert_ = (array);                                                       \
        size_t position_ = (position);                                                             \
        ensure(position_ <= insert_->count);                                                       \
        (void)array_push(insert_);                                                                 \
        memmove(insert_->items + position_ + 1, insert_->items + position_,                        \
                (insert_->count - 1 - position_) * sizeof(__typeof__(*insert_->items)));           \
        insert_->items + position_;                                                                \
    })

/* Takes out `number` items from `position` on; those behind them move up. */
#define array_remove(array, position, number)                                                      \
    __extension__({                                                                                \
        __typeof__(array) remove_ = (array);                                                       \
        size_t from_ = (position);                                                                 \
        size_t gone_ = (number);                                                                   \
        ensure(from_ <= remove_->count && gone_ <= remove_->count - from_);                        \
        remove_->count -= gone_;                                                                   \
        if (gone_ > 0 && from_ < remove_->count) {                                                 \
            memmove(remove_->items + from_, remove_->items + from_ + gone_,                        \
                    (remove_->count - from_) * sizeof(__typeof__(*remove_->items)));               \
        }                                                                                          \
        (void)0;                                                                                   \
    })

/* Where in an array that is sorted by this field the first item stands whose field is not below
 * `key`: that item's place, or where one would be inserted. */
#define array_place(array, field, key)                                                             \
    __extension__({                                                                                \
        __typeof__(array) place_ = (array);                                                        \
        __typeof__(place_->items->field) key_ = (key);                                             \
        size_t low_ = 0;                                                                           \
        size_t high_ = place_->count;                                                              \
        while (low_ < high_) {                                                                     \
            size_t middle_ = low_ + (high_ - low_) / 2;                                            \
            if (place_->items[middle_].field < key_) {                                             \
                low_ = middle_ + 1;                                                                \
            } else {                                                                               \
                high_ = middle_;                                                                   \
            }                                                                                      \
        }                                                                                          \
        low_;                                                                                      \
    })

/* Makes `to`, whatever it held, an array of its own with the items of `from`. */
#define array_copy(to, from)                                                                       \
    __extension__({                                                                                \
        __typeof__(to) to_ = (to);                                                                 \
        __typeof__(from) from_ = (from);                                                           \
        to_->count = from_->count;                                                                 \
        to_->capacity = from_->count;                                                              \
        to_->items = items_copied(from_->items, from_->count * sizeof(__typeof__(*from_->items))); \
        (void)0;                                                                                   \
    })

/* Gives its memory back, and makes it empty. */
#define array_free(array)                                                                          \
    __extension__({                                                                                \
        __typeof__(array) free_ = (array);                                                         \
        memory_free((void *)free_->items);                                                         \
        free_->items = NULL;                                                                       \
        free_->count = 0;                                                                          \
        free_->capacity = 0;                                                                       \
        (void)0;                                                                                   \
    })

/* Only the macros call these: the items in larger memory, with room for `wanted` more; a copy. */
void *array_grown(void *items, size_t count, size_t wanted, size_t item_size, size_t *capacity);
void *items_copied(const void *items, size_t size); /* NULL for none */

/* ---- ring: a queue, first in first out (ring.c) --------------------------------------------- */

#define ring_of(type)                                                                              \
    struct {                                                                                       \
        type *items;                                                                               \
        size_t first; /* where the oldest stands */                                                \
        size_t count;                                                                              \
        size_t capacity; /* a power of two, or 0 */                                                \
    }

/* The item at `position`, counted from the oldest at 0. */
#define ring_at(ring, position)                                                                    \
    __extension__({                                                                                \
        __typeof__(ring) at_ = (ring);                                                             \
        size_t place_ = (position);                                                                \
        ensure(place_ < at_->count);                                                               \
        at_->items + ((at_->first + place_) & (at_->capacity - 1));                                \
    })

/* A new item behind the youngest: where it stands. Its contents are undefined. */
#define ring_push(ring)                                                                            \
    __extension__({                                                                                \
        __typeof__(ring) push_ = (ring);                                                           \
        if (push_->count == push_->capacity) {                                                     \
            push_->items = ring_grown(push_->items, &push_->first,                                 \
                                      sizeof(__typeof__(*push_->items)), &push_->capacity);        \
        }                                                                                          \
        push_->items + ((push_->first + push_->count++) & (push_->capacity - 1));                  \
    })

/* Takes the oldest out: where it stands until the next push. */
#define ring_pop(ring)                                                                             \
    __extension__({                                                                                \
        __typeof__(ring) pop_ = (ring);                                                            \
        ensure(pop_->count > 0);                                                                   \
        size_t oldest_ = pop_->first;                                                              \
        pop_->first = (oldest_ + 1) & (pop_->capacity - 1);                                        \
        pop_->count--;                                                                             \
        pop_->items + oldest_;                                                                     \
    })

/* The same for the youngest. */
#define ring_pop_last(ring)                                                                        \
    __extension__({                                                                                \
        __typeof__(ring) last_ = (ring);                                                           \
        ensure(last_->count > 0);                                                                  \
        last_->count--;                                                                            \
        last_->items + ((last_->first + last_->count) & (last_->capacity - 1));                    \
    })

/* Makes `to`, whatever it held, a ring of its own with the items of `from`. */
#define ring_copy(to, from)                                                                        \
    __extension__({                                                                                \
        __typeof__(to) to_ = (to);                                                                 \
        __typeof__(from) from_ = (from);                                                           \
        to_->first = from_->first;                                                                 \
        to_->count = from_->count;                                                                 \
        to_->capacity = from_->capacity;                                                           \
        to_->items =                                                                               \
            items_copied(from_->items, from_->capacity * sizeof(__typeof__(*from_->items)));       \
        (void)0;                                                                                   \
    })

/* Gives its memory back, and makes it empty. */
#define ring_free(ring)                                                                            \
    __extension__({                                                                                \
        __typeof__(ring) free_ = (ring);                                                           \
        memory_free((void *)free_->items);                                                         \
        free_->items = NULL;                                                                       \
        free_->first = 0;                                                                          \
        free_->count = 0;                                                                          \
        free_->capacity = 0;                                                                       \
        (void)0;                                                                                   \
    })

/* Only the macros call it: the items of a full ring in twice the memory, the oldest first. */
void *ring_grown(void *items, size_t *first, size_t item_size, size_t *capacity);

/* ---- latest numbers: whether one came before (latest.c) ------------------------------------- */

struct latest_numbers {
    uint64_t *slots;         /* by open addressing; 0: a free one */
    size_t capacity;         /* a power of two, or 0 */
    ring_of(uint64_t) order; /* as they came */
};

/* Whether this number comes for the first time, as far as it is remembered: the latest `most` are.
 */
bool latest_numbers_add(struct latest_numbers *latest, uint64_t number, size_t most);
void latest_numbers_free(struct latest_numbers *latest);

/* ---- list: items that hold their own links, so that each can leave at any time ---------- */

/* Embedded in an item, which is in one list at most by it. All zero: in none. */
struct list_link {
    struct list_link *previous;
    struct list_link *next; /* NULL: in no list */
};

/* A circle through its own ends, so that no item is the first or the last in a way of its own. It
 * is never copied or moved while it holds an item. */
struct list {
    struct list_link ends; /* closes the circle; all zero until something is first added */
};

static inline bool list_holds(const struct list_link *link) /* whether it is in a list */
{
    return link->next != NULL;
}

/* Before one that is in a list. */
static inline void list_insert(struct list_link *link, struct list_link *before)
{
    ensure(!list_holds(link) && list_holds(before));
    link->previous = before->previous;
    link->next = before;
    before->previous->next = link;
    before->previous = link;
}

static inline struct list_link *list_ends(struct list *list)
{
    if (list->ends.next == NULL) {
        list->ends.next = &list->ends;
        list->ends.previous = &list->ends;
    }
    return &list->ends;
}

static inline void list_append(struct list *list, struct list_link *link)
{
    list_insert(link, list_ends(list));
}

static inline void list_prepend(struct list *list, struct list_link *link)
{
    list_insert(link, list_ends(list)->next);
}

/* From the list that it is in, if it is in one. */
static inline void list_remove(struct list_link *link)
{
    if (list_holds(link)) {
        ensure(link->previous->next == link && link->next->previous == link);
        link->previous->next = link->next;
        link->next->previous = link->previous;
        link->previous = NULL;
        link->next = NULL;
    }
}

static inline bool list_is_empty(const struct list *list)
{
    return list->ends.next == NULL || list->ends.next == &list->ends;
}

/* NULL: there is none. To go through a list whose items leave meanwhile, ask for the next one
 * before the item leaves. */
static inline struct list_link *list_first(const struct list *list)
{
    return list_is_empty(list) ? NULL : list->ends.next;
}

static inline struct list_link *list_last(const struct list *list)
{
    return list_is_empty(list) ? NULL : list->ends.previous;
}

static inline struct list_link *list_next(const struct list *list, const struct list_link *link)
{
    return link->next == &list->ends ? NULL : link->next;
}

/* Goes through a list whose items stay in it meanwhile. */
#define list_each(list, at)                                                                        \
    for (struct list_link * (at) = list_first(list); (at) != NULL; (at) = list_next(list, at))

/* ---- heap: which comes first (heap.c) ------------------------------------------------------- */

/* By key, the least first, and among equal keys by order: the caller gives orders of a counter, so
 * that no two are equal. A heap holds either items that know their place, and so can be moved and
 * taken out, or plain values, which cost less to move. */
struct heap_item {
    size_t place; /* counted from 1; 0: in no heap */
};

struct heap_entry {
    int64_t key;
    uint64_t order;
    union {
        struct heap_item *item;
        uint64_t value;
    } of;
};

struct heap {
    array_of(struct heap_entry) entries;
};

static inline bool heap_entry_before(const struct heap_entry *a, const struct heap_entry *b)
{
    return a->key != b->key ? a->key < b->key : a->order < b->order;
}

static inline size_t heap_count(const struct heap *heap)
{
    return heap->entries.count;
}

/* Both NULL where there is none. A view until the heap changes. */
static inline const struct heap_entry *heap_find(const struct heap *heap,
                                                 const struct heap_item *item)
{
    return item->place == 0 ? NULL : heap->entries.items + (item->place - 1);
}

static inline const struct heap_entry *heap_first(const struct heap *heap)
{
    return heap->entries.count == 0 ? NULL : heap->entries.items;
}

/* Adds the item, or moves it to another key and order. */
void heap_set(struct heap *heap, struct heap_item *item, int64_t key, uint64_t order);
void heap_remove(struct heap *heap, struct heap_item *item); /* nothing where it is in no heap */
void heap_add_value(struct heap *heap, uint64_t value, int64_t key, uint64_t order);
uint64_t heap_take_value(struct heap *heap); /* the first, which must be there */
void heap_free(struct heap *heap);           /* items are not looked at */

#endif
