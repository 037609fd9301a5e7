/*
 * The key-value machine: commands and queries over a table from encoded keys to encoded values
 * (kv_table.c), whose snapshots kv_snapshot.c takes. No bytes of a command make it fail.
 */
#include "machine/internal.h"

#include <string.h>

#define DROPPED_A_COMMAND 64U /* items that a restore has dropped, freed with each command */

void *kv_new(void)
{
    return memory_new_zeroed(1, sizeof(struct kv));
}

static void kv_free(void *self)
{
    struct kv *kv = self;
    kv_snapshot_free(kv);
    kv_table_free(&kv->table);
    kv_table_free(&kv->dropped);
    memory_free(kv);
}

/* ---- the table ------------------------------------------------------------------------------ */

const struct kv_item *kv_find(const struct kv *kv, struct bytes key)
{
    const struct kv_slot *slot = kv_table_find(&kv->table, key, kv_hash(key));
    return slot == NULL ? NULL : slot->item;
}

static struct kv_item *item_new(const struct kv *kv, struct bytes key, struct bytes value)
{
    struct kv_item *item = memory_new(sizeof *item + key.size + value.size);
    item->key_size = (uint32_t)key.size;
    item->value_size = (uint32_t)value.size;
    item->value_capacity = item->value_size;
    item->epoch = kv->epoch;
    memcpy(item->data, key.data, key.size);
    memcpy(item->data + key.size, value.data, value.size);
    return item;
}

static void replace(struct kv *kv, struct kv_slot *slot, struct bytes key, struct bytes value)
{
    struct kv_item *item = slot->item;
    if (!kv_may_change(kv, slot)) {
        slot->item = item_new(kv, key, value);
        kv_keep(kv, slot->hash, item);
        return;
    }
    if (item->value_capacity < value.size) {
        item = memory_resize(item, sizeof *item + key.size + value.size);
        item->value_capacity = (uint32_t)value.size;
        slot->item = item;
    }
    item->value_size = (uint32_t)value.size;
    memcpy(item->data + item->key_size, value.data, value.size);
}

uint64_t kv_item_digest(uint64_t hash, struct bytes value)
{
    return hash_mix(hash, hash_bytes(value.data, value.size, 0));
}

void kv_set(struct kv *kv, struct bytes key, struct bytes value)
{
    uint64_t hash = kv_hash(key);
    struct kv_slot *slot = kv_table_find(&kv->table, key, hash);
    kv->digest += kv_item_digest(hash, value);
    if (slot == NULL) {
        kv_table_add(&kv->table, hash, item_new(kv, key, value));
    } else {
        kv->digest -= kv_item_digest(hash, kv_item_value(slot->item));
        replace(kv, slot, key, value);
    }
}

static bool delete (struct kv *kv, struct bytes key)
{
    uint64_t hash = kv_hash(key);
    struct kv_slot *slot = kv_table_find(&kv->table, key, hash);
    if (slot == NULL) {
        return false;
    }
    struct kv_item *item = slot->item;
    bool may_go = kv_may_change(kv, slot);
    kv->digest -= kv_item_digest(hash, kv_item_value(item));
    kv_table_remove(&kv->table, slot);
    if (may_go) {
        memory_free(item);
    } else {
        kv_keep(kv, hash, item);
    }
    return true;
}

/* ---- commands and queries ------------------------------------------------------------------- */

static inline bool is_text(struct bytes bytes, const char *text)
{
    size_t size = strlen(text); /* known when it is compiled */
    return bytes.data != NULL && bytes.size == size && memcmp(bytes.data, text, size) == 0;
}

static struct bytes *field_called(struct kv_fields *fields, struct bytes name)
{
    if (name.size == 3) {
        return is_text(name, "key")   ? &fields->key
               : is_text(name, "old") ? &fields->old_value
               : is_text(name, "new") ? &fields->new_value
                                      : NULL;
    }
    return is_text(name, "value") ? &fields->value : NULL;
}

/* Reads the map in one go. false: it is malformed, incomplete, or has bytes after it. */
static bool read_fields(struct bytes input, struct kv_fields *fields)
{
    struct value_reader reader = {input.data, input.size, 0};
    struct value_item item;
    memset(fields, 0, sizeof *fields);
    if (!value_read(&reader, &item) || item.kind != VALUE_MAP) {
        return false;
    }
    for (size_t left = item.count; left > 0; left--) {
        struct bytes name;
        if (!value_read_string(&reader, &name)) {
            return false;
        }
        size_t start = reader.position;
        if (is_text(name, "op")) {
            if (!value_read_string(&reader, &fields->operation)) {
                return false;
            }
            continue;
        }
        if (!value_skip(&reader)) {
            return false;
        }
        struct bytes *field = field_called(fields, name);
        if (field != NULL) {
            *field = (struct bytes){input.data + start, reader.position - start};
        }
    }
    return reader.position == reader.size;
}

static void compare_and_set(struct kv *kv, const struct kv_fields *fields, struct buffer *result)
{
    const struct kv_item *item = kv_find(kv, fields->key);
    bool as_expected = item == NULL ? fields->old_value.data == NULL
                                    : fields->old_value.data != NULL &&
                                          bytes_equal(kv_item_value(item), fields->old_value);
    value_write_array(result, as_expected || item == NULL ? 1 : 2);
    value_write_boolean(result, as_expected);
    if (as_expected && fields->new_value.data != NULL) {
        kv_set(kv, fields->key, fields->new_value);
    } else if (as_expected) {
        (void)delete (kv, fields->key);
    } else if (item != NULL) {
        buffer_append(result, kv_item_value(item).data, item->value_size);
    }
}

/* What an operation that cannot be done answers: {"error": why}. */
static void answer_problem(const char *problem, struct buffer *out)
{
    value_write_map(out, 1);
    value_write_string(out, "error", 5);
    value_write_string(out, problem, strlen(problem));
}

static enum kv_part part_of(const struct kv_fields *fields)
{
    static const char *const names[] = {
        [KV_APPEND] = "append", [KV_PUSH] = "push",     [KV_POP] = "pop",
        [KV_ADD] = "add",       [KV_REMOVE] = "remove",
    };
    for (enum kv_part part = KV_APPEND; part <= KV_REMOVE; part++) {
        if (is_text(fields->operation, names[part])) {
            return part;
        }
    }
    return KV_NO_PART;
}

/* Why it is no command of kv's; NULL: it is one. */
static const char *command_problem(const struct kv_fields *fields)
{
    bool is_set = is_text(fields->operation, "set");
    bool is_delete = is_text(fields->operation, "delete");
    bool is_cas = is_text(fields->operation, "cas");
    if (is_text(fields->operation, "noop")) {
        return NULL;
    }
    if (!is_set && !is_delete && !is_cas && part_of(fields) == KV_NO_PART) {
        return "kv has no such operation (it has set, delete, cas, append, push, pop, add, remove "
               "and noop)";
    }
    if (fields->key.data == NULL) {
        return "kv: a key is missing";
    }
    return is_set && fields->value.data == NULL ? "kv: set needs a value" : NULL;
}

static bool kv_apply(void *self, uint64_t index, struct bytes command, struct buffer *result,
                     struct failure *failure)
{
    struct kv *kv = self;
    struct kv_fields fields;
    (void)index;
    (void)failure;
    (void)kv_table_free_some(&kv->dropped, DROPPED_A_COMMAND);
    if (!read_fields(command, &fields) || fields.operation.data == NULL) {
        return true; /* a command of the script's own: kv does nothing with it */
    }
    const char *problem = command_problem(&fields);
    if (problem != NULL) {
        answer_problem(problem, result);
    } else if (is_text(fields.operation, "set")) {
        kv_set(kv, fields.key, fields.value);
    } else if (is_text(fields.operation, "delete")) {
        value_write_boolean(result, delete (kv, fields.key));
    } else if (is_text(fields.operation, "cas")) {
        compare_and_set(kv, &fields, result);
    } else if (part_of(&fields) != KV_NO_PART) {
        problem = kv_change_part(kv, part_of(&fields), &fields, result);
        if (problem != NULL) {
            answer_problem(problem, result);
        }
    }
    return true;
}

static bool kv_query(void *self, struct bytes request, struct buffer *answer,
                     struct failure *failure)
{
    const struct kv *kv = self;
    struct kv_fields fields;
    (void)failure;
    if (!read_fields(request, &fields)) {
        return true;
    }
    if (is_text(fields.operation, "size")) {
        value_write_integer(answer, (int64_t)kv->table.count);
    } else if (is_text(fields.operation, "get") && fields.key.data != NULL) {
        const struct kv_item *item = kv_find(kv, fields.key);
        value_write_array(answer, item == NULL ? 0 : 1);
        if (item != NULL) {
            buffer_append(answer, kv_item_value(item).data, item->value_size);
        }
    } else if (fields.operation.data != NULL) {
        answer_problem("kv has no such query (it has size, and get with a key)", answer);
    }
    return true;
}

static bool kv_digest(void *self, uint64_t *digest, struct failure *failure)
{
    const struct kv *kv = self;
    (void)failure;
    *digest = hash_mix(kv->digest, kv->table.count) | 1; /* never 0 */
    return true;
}

const struct machine_operations kv_operations = {
    .apply = kv_apply,
    .query = kv_query,
    .free = kv_free,
    .snapshot_begin = kv_snapshot_begin,
    .snapshot_next = kv_snapshot_next,
    .snapshot_end = kv_snapshot_end,
    .restore_begin = kv_restore_begin,
    .restore_piece = kv_restore_piece,
    .restore_end = kv_restore_end,
    .digest = kv_digest,
    .kept_bytes = kv_kept_bytes,
};
