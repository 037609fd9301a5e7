/*
 * Snapshots of the key-value machine: written out in the table's order, so that equal states give
 * equal bytes, while commands go on; and read back. An item that a command is about to change and
 * that was not yet written is set aside as it is. Nothing is copied, and nothing read is believed.
 *
 * The bytes: version (u32), then for each item the sizes of key and value (u32 each), key, value;
 * at the end a size of 0 and the number of items (u64).
 */
#include "machine/internal.h"

#define KV_VERSION 1U
#define ITEM_HEAD_BYTES 8U
#define END_BYTES 8U
#define DROPPED_A_PIECE 4096U /* items that a restore has dropped, freed with each piece */

/* ---- writing -------------------------------------------------------------------------------- */

bool kv_may_change(const struct kv *kv, const struct kv_slot *slot)
{
    const struct kv_snapshot *snapshot = &kv->snapshot;
    return !snapshot->is_open || slot->item->epoch == kv->epoch ||
           !kv_is_behind(&snapshot->written, slot->hash, kv_item_key(slot->item));
}

static size_t item_bytes(const struct kv_item *item)
{
    return sizeof *item + item->key_size + item->value_capacity;
}

void kv_keep(struct kv *kv, uint64_t hash, struct kv_item *item)
{
    ensure(kv->snapshot.is_open && item->epoch != kv->epoch);
    kv->snapshot.kept_bytes += item_bytes(item);
    kv_table_add(&kv->snapshot.kept, hash, item);
}

bool kv_snapshot_begin(void *self, struct failure *failure)
{
    struct kv *kv = self;
    (void)failure;
    ensure(!kv->snapshot.is_open && kv->snapshot.kept.count == 0 && kv->epoch < UINT32_MAX);
    kv->epoch++; /* all that there is was made before */
    kv->snapshot.is_open = true;
    kv->snapshot.head_written = false;
    kv->snapshot.written.is_start = true;
    kv->snapshot.item_count = 0;
    return true;
}

static void write_item(struct kv *kv, const struct kv_slot *slot, struct buffer *out)
{
    const struct kv_item *item = slot->item;
    uint8_t *head = buffer_extend(out, ITEM_HEAD_BYTES);
    store_u32(head, item->key_size);
    store_u32(head + 4, item->value_size);
    buffer_append(out, item->data, (size_t)item->key_size + item->value_size);
    kv->snapshot.item_count++;
}

static bool is_first(const struct kv_slot *slot, const struct kv_slot *other)
{
    if (other == NULL || slot->hash != other->hash) {
        return other == NULL || slot->hash < other->hash;
    }
    return bytes_compare(kv_item_key(slot->item), kv_item_key(other->item)) < 0;
}

/* The next item of the state that it began with; false: it was the last. One that was made since
 * then is passed over. */
static bool write_next(struct kv *kv, struct buffer *out)
{
    struct kv_snapshot *snapshot = &kv->snapshot;
    struct kv_slot *kept = kv_table_after(&snapshot->kept, &snapshot->written);
    struct kv_slot *present = kv_table_after(&kv->table, &snapshot->written);
    if (kept == NULL && present == NULL) {
        return false;
    }
    if (kept == NULL || (present != NULL && is_first(present, kept))) {
        kv_place_move(&snapshot->written, present);
        if (present->item->epoch != kv->epoch) {
            write_item(kv, present, out);
        }
        return true;
    }
    kv_place_move(&snapshot->written, kept);
    write_item(kv, kept, out);
    struct kv_item *item = kept->item;
    snapshot->kept_bytes -= item_bytes(item);
    kv_table_remove(&snapshot->kept, kept);
    memory_free(item);
    return true;
}

bool kv_snapshot_next(void *self, size_t wanted, struct buffer *out, bool *over,
                      struct failure *failure)
{
    struct kv *kv = self;
    (void)failure;
    ensure(kv->snapshot.is_open);
    if (!kv->snapshot.head_written) {
        kv->snapshot.head_written = true;
        store_u32(buffer_extend(out, 4), KV_VERSION);
    }
    *over = false;
    for (size_t done = 0; done < wanted && !*over;) {
        size_t before = out->size;
        *over = !write_next(kv, out);
        done += out->size - before + ITEM_HEAD_BYTES; /* also for what is passed over */
    }
    if (*over) {
        store_u32(buffer_extend(out, 4), 0);
        store_u64(buffer_extend(out, END_BYTES), kv->snapshot.item_count);
    }
    return true;
}

void kv_snapshot_end(void *self)
{
    struct kv *kv = self;
    kv->snapshot.is_open = false;
    kv->snapshot.kept_bytes = 0;
    kv_table_free(&kv->snapshot.kept);
    buffer_free(&kv->snapshot.written.key);
}

size_t kv_kept_bytes(const void *self)
{
    const struct kv *kv = self;
    return kv->snapshot.kept_bytes;
}

/* ---- reading -------------------------------------------------------------------------------- */

bool kv_restore_begin(void *self, struct failure *failure)
{
    struct kv *kv = self;
    (void)failure;
    ensure(!kv->snapshot.is_open);
    kv_table_free(&kv->dropped); /* of a restore that was given up before */
    kv->dropped = kv->table;
    kv->table = (struct kv_table){0};
    kv->digest = 0;
    gather_free(&kv->restore.gather);
    buffer_free(&kv->restore.last.key);
    kv->restore = (struct kv_restore){.last.is_start = true};
    return true;
}

static bool refuse(struct failure *failure, const char *problem)
{
    failure_set(failure, FAILURE_STORAGE, "the snapshot of the kv machine %s", problem);
    return false;
}

static bool read_item_head(struct kv_restore *restore, const uint8_t *head, struct failure *failure)
{
    restore->key_size = load_u32(head);
    restore->value_size = load_u32(head + 4);
    if (restore->key_size == 0) { /* the number of items begins with what was read of it */
        restore->end_begun = true;
        return true;
    }
    if (restore->key_size > VALUE_BYTES_MAX || restore->value_size > VALUE_BYTES_MAX ||
        restore->value_size == 0) {
        return refuse(failure, "has an item of an impossible size");
    }
    restore->item_begun = true;
    return true;
}

/* As kv_apply takes keys and values: well-formed. */
static bool is_value(struct bytes bytes)
{
    struct value_reader reader = {bytes.data, bytes.size, 0};
    return value_skip(&reader) && reader.position == reader.size;
}

static bool read_item(struct kv *kv, const uint8_t *data, struct failure *failure)
{
    struct kv_restore *restore = &kv->restore;
    struct bytes key = {data, restore->key_size};
    struct bytes value = {data + restore->key_size, restore->value_size};
    uint64_t hash = kv_hash(key);
    restore->item_begun = false;
    if (!is_value(key) || !is_value(value)) {
        return refuse(failure, "has an item that is no value");
    }
    if (!kv_is_behind(&restore->last, hash, key)) {
        return refuse(failure, "has its items out of order");
    }
    struct kv_item *item = memory_new(sizeof *item + key.size + value.size);
    item->key_size = restore->key_size;
    item->value_size = restore->value_size;
    item->value_capacity = restore->value_size;
    item->epoch = kv->epoch;
    memcpy(item->data, data, key.size + value.size);
    kv_table_add(&kv->table, hash, item);
    kv_place_move(&restore->last, &(struct kv_slot){hash, item});
    kv->digest += kv_item_digest(hash, value);
    return true;
}

static bool read_end(struct kv *kv, const uint8_t *rest, struct failure *failure)
{
    uint64_t count = kv->restore.value_size | (uint64_t)load_u32(rest) << 32;
    if (count != kv->table.count) {
        return refuse(failure, "does not have as many items as it says");
    }
    kv->restore.is_over = true;
    return true;
}

static size_t part_size(const struct kv_restore *restore)
{
    if (!restore->head_read || restore->end_begun) {
        return 4;
    }
    return restore->item_begun ? (size_t)restore->key_size + restore->value_size : ITEM_HEAD_BYTES;
}

static bool read_part(struct kv *kv, const uint8_t *part, struct failure *failure)
{
    struct kv_restore *restore = &kv->restore;
    if (!restore->head_read) {
        restore->head_read = true;
        return load_u32(part) == KV_VERSION || refuse(failure, "has an unknown version");
    }
    if (restore->end_begun) {
        return read_end(kv, part, failure);
    }
    return restore->item_begun ? read_item(kv, part, failure)
                               : read_item_head(restore, part, failure);
}

bool kv_restore_piece(void *self, struct bytes piece, struct failure *failure)
{
    struct kv *kv = self;
    (void)kv_table_free_some(&kv->dropped, DROPPED_A_PIECE);
    while (piece.size > 0) {
        if (kv->restore.is_over) {
            return refuse(failure, "has bytes behind its end");
        }
        const uint8_t *part = gather_take(&kv->restore.gather, &piece, part_size(&kv->restore));
        if (part != NULL && !read_part(kv, part, failure)) {
            return false;
        }
    }
    return true;
}

bool kv_restore_end(void *self, struct failure *failure)
{
    struct kv *kv = self;
    bool whole = kv->restore.is_over;
    gather_free(&kv->restore.gather);
    buffer_free(&kv->restore.last.key);
    return whole || refuse(failure, "is not whole");
}

void kv_snapshot_free(struct kv *kv)
{
    kv_snapshot_end(kv);
    gather_free(&kv->restore.gather);
    buffer_free(&kv->restore.last.key);
}
