/*
 * The key-value machine's table: open addressing with linear probing, where a hash's home is its
 * highest bits and the items of a run stand in the order of their hashes (Amble and Knuth, "Ordered
 * hash tables", 1974). So walking the slots gives one order for equal contents, whatever their
 * history and whatever the table's size. It never looks into keys and values.
 */
#include "machine/internal.h"

#define HOMES_MIN 16U
#define SPILL_MIN 16U /* room behind the last home */

uint64_t kv_hash(struct bytes key)
{
    return hash_bytes(key.data, key.size, 0);
}

static size_t home_of(const struct kv_table *table, uint64_t hash)
{
    return (size_t)(hash >> (64 - __builtin_ctzll(table->home_count)));
}

/* < 0: (hash, key) stands before the item of this slot; 0: it is that item. */
static int compare(uint64_t hash, struct bytes key, const struct kv_slot *slot)
{
    if (hash != slot->hash) {
        return hash < slot->hash ? -1 : 1;
    }
    return bytes_compare(key, kv_item_key(slot->item));
}

/* The first slot from its home on that is free or whose item does not stand before it. */
static size_t position_of(const struct kv_table *table, uint64_t hash, struct bytes key)
{
    size_t at = home_of(table, hash);
    while (at < table->slot_count && table->slots[at].item != NULL &&
           compare(hash, key, &table->slots[at]) > 0) {
        at++;
    }
    return at;
}

struct kv_slot *kv_table_find(const struct kv_table *table, struct bytes key, uint64_t hash)
{
    if (table->count == 0) {
        return NULL;
    }
    size_t at = position_of(table, hash, key);
    bool found = at < table->slot_count && table->slots[at].item != NULL &&
                 compare(hash, key, &table->slots[at]) == 0;
    return found ? &table->slots[at] : NULL;
}

/* Moves the run that begins at this slot on by one, so that it is free. */
static void make_room(struct kv_table *table, size_t at)
{
    size_t end = at;
    while (end < table->slot_count && table->slots[end].item != NULL) {
        end++;
    }
    if (end == table->slot_count) {
        size_t spill = table->slot_count - table->home_count;
        table->slots =
            memory_resize(table->slots, (table->slot_count + spill) * sizeof *table->slots);
        memset(table->slots + table->slot_count, 0, spill * sizeof *table->slots);
        table->slot_count += spill;
    }
    memmove(table->slots + at + 1, table->slots + at, (end - at) * sizeof *table->slots);
}

static void grow(struct kv_table *table)
{
    struct kv_table old = *table;
    table->home_count = old.home_count == 0 ? HOMES_MIN : old.home_count * 2;
    /* No more items reach beyond the last home than did before: each half has a home of its own. */
    size_t spill = old.slot_count - old.home_count;
    table->slot_count = table->home_count + (spill < SPILL_MIN ? SPILL_MIN : spill);
    table->slots = memory_new_zeroed(table->slot_count, sizeof *table->slots);
    size_t next = 0; /* the first slot that all those before leave free */
    for (size_t i = 0; i < old.slot_count; i++) {
        if (old.slots[i].item != NULL) {
            size_t home = home_of(table, old.slots[i].hash);
            next = home > next ? home : next;
            ensure(next < table->slot_count);
            table->slots[next++] = old.slots[i];
        }
    }
    memory_free(old.slots);
}

void kv_table_add(struct kv_table *table, uint64_t hash, struct kv_item *item)
{
    if ((table->count + 1) * 4 > table->home_count * 3) {
        grow(table);
    }
    size_t at = position_of(table, hash, kv_item_key(item));
    if (at == table->slot_count || table->slots[at].item != NULL) {
        make_room(table, at);
    }
    table->slots[at] = (struct kv_slot){hash, item};
    table->count++;
}

/* What stands behind moves up as far as its home, so that no slot is ever "deleted". */
void kv_table_remove(struct kv_table *table, struct kv_slot *slot)
{
    size_t hole = (size_t)(slot - table->slots);
    size_t end = hole + 1;
    ensure(hole < table->slot_count && slot->item != NULL);
    while (end < table->slot_count && table->slots[end].item != NULL &&
           home_of(table, table->slots[end].hash) != end) {
        end++;
    }
    memmove(table->slots + hole, table->slots + hole + 1, (end - hole - 1) * sizeof *table->slots);
    table->slots[end - 1].item = NULL;
    table->count--;
}

bool kv_table_free_some(struct kv_table *table, size_t most)
{
    while (table->slot_count > 0 && most > 0) { /* its slots are of no further use */
        struct kv_slot *last = &table->slots[--table->slot_count];
        most--;
        memory_free(last->item);
    }
    if (table->slot_count == 0) {
        memory_free(table->slots);
        *table = (struct kv_table){0};
    }
    return table->slots == NULL;
}

void kv_table_free(struct kv_table *table)
{
    (void)kv_table_free_some(table, SIZE_MAX);
}

/* ---- its order ------------------------------------------------------------------------------ */

bool kv_is_behind(const struct kv_place *place, uint64_t hash, struct bytes key)
{
    if (place->is_start || hash != place->hash) {
        return place->is_start || hash > place->hash;
    }
    return bytes_compare(key, buffer_bytes(&place->key)) > 0;
}

void kv_place_move(struct kv_place *place, const struct kv_slot *slot)
{
    place->is_start = false;
    place->hash = slot->hash;
    buffer_clear(&place->key);
    buffer_append(&place->key, slot->item->data, slot->item->key_size);
}

struct kv_slot *kv_table_after(const struct kv_table *table, const struct kv_place *place)
{
    if (table->count == 0) {
        return NULL;
    }
    size_t at = 0;
    if (!place->is_start) {
        at = position_of(table, place->hash, buffer_bytes(&place->key));
        if (at < table->slot_count && table->slots[at].item != NULL &&
            compare(place->hash, buffer_bytes(&place->key), &table->slots[at]) == 0) {
            at++;
        }
    }
    while (at < table->slot_count && table->slots[at].item == NULL) {
        at++;
    }
    return at < table->slot_count ? &table->slots[at] : NULL;
}
