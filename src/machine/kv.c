/*
 * The key-value machine: a hash table from encoded keys to encoded values (open addressing, linear
 * probing, XXH3 with a seed that is always the same). It never walks the table in an order that
 * could be seen from outside, and no bytes of a command make it fail.
 */
#include "machine/machine.h"

#include <string.h>

#define KV_SLOTS_MIN 16

struct kv_item {
    uint32_t key_size;
    uint32_t value_size;
    uint32_t value_capacity;
    uint8_t data[]; /* the key, then the value */
};

struct kv_slot {
    uint64_t hash;
    struct kv_item *item; /* NULL: free */
};

struct kv {
    struct kv_slot *slots;
    size_t slot_count; /* a power of two, or 0 */
    size_t count;
};

/* The fields of a command or a query that count; `data` is NULL for one that is absent. */
struct kv_fields {
    struct bytes operation;
    struct bytes key;
    struct bytes value;
    struct bytes old_value;
    struct bytes new_value;
};

void *kv_new(void)
{
    return memory_new_zeroed(1, sizeof(struct kv));
}

static void kv_free(void *self)
{
    struct kv *kv = self;
    for (size_t i = 0; i < kv->slot_count; i++) {
        memory_free(kv->slots[i].item);
    }
    memory_free(kv->slots);
    memory_free(kv);
}

/* ---- the table ------------------------------------------------------------------------------ */

static struct bytes item_value(const struct kv_item *item)
{
    return (struct bytes){item->data + item->key_size, item->value_size};
}

/* The slot that holds this key, or the free one where it belongs. Needs at least one free slot. */
static struct kv_slot *find_slot(const struct kv *kv, struct bytes key, uint64_t hash)
{
    size_t mask = kv->slot_count - 1;
    for (size_t i = (size_t)hash & mask;; i = (i + 1) & mask) {
        struct kv_slot *slot = &kv->slots[i];
        if (slot->item == NULL) {
            return slot;
        }
        if (slot->hash == hash && slot->item->key_size == key.size &&
            memcmp(slot->item->data, key.data, key.size) == 0) {
            return slot;
        }
    }
}

static const struct kv_item *find(const struct kv *kv, struct bytes key)
{
    if (kv->count == 0) {
        return NULL;
    }
    return find_slot(kv, key, hash_bytes(key.data, key.size, 0))->item;
}

static void grow(struct kv *kv)
{
    struct kv_slot *old = kv->slots;
    size_t old_count = kv->slot_count;
    kv->slot_count = old_count == 0 ? KV_SLOTS_MIN : old_count * 2;
    kv->slots = memory_new_zeroed(kv->slot_count, sizeof *kv->slots);
    size_t mask = kv->slot_count - 1;
    for (size_t i = 0; i < old_count; i++) {
        if (old[i].item != NULL) {
            size_t place = (size_t)old[i].hash & mask;
            while (kv->slots[place].item != NULL) {
                place = (place + 1) & mask;
            }
            kv->slots[place] = old[i];
        }
    }
    memory_free(old);
}

static void set(struct kv *kv, struct bytes key, struct bytes value)
{
    if ((kv->count + 1) * 4 > kv->slot_count * 3) {
        grow(kv);
    }
    uint64_t hash = hash_bytes(key.data, key.size, 0);
    struct kv_slot *slot = find_slot(kv, key, hash);
    struct kv_item *item = slot->item;
    if (item == NULL || item->value_capacity < value.size) {
        item = memory_resize(item, sizeof *item + key.size + value.size);
        if (slot->item == NULL) {
            item->key_size = (uint32_t)key.size;
            memcpy(item->data, key.data, key.size);
            slot->hash = hash;
            kv->count++;
        }
        item->value_capacity = (uint32_t)value.size;
        slot->item = item;
    }
    item->value_size = (uint32_t)value.size;
    memcpy(item->data + item->key_size, value.data, value.size);
}

/* Removes a key and moves those behind it up, so that no slot is ever "deleted". */
static bool delete (struct kv *kv, struct bytes key)
{
    if (kv->count == 0) {
        return false;
    }
    struct kv_slot *slot = find_slot(kv, key, hash_bytes(key.data, key.size, 0));
    if (slot->item == NULL) {
        return false;
    }
    memory_free(slot->item);
    kv->count--;
    size_t mask = kv->slot_count - 1;
    size_t hole = (size_t)(slot - kv->slots);
    for (size_t i = (hole + 1) & mask; kv->slots[i].item != NULL; i = (i + 1) & mask) {
        size_t home = (size_t)kv->slots[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            kv->slots[hole] = kv->slots[i];
            hole = i;
        }
    }
    kv->slots[hole].item = NULL;
    return true;
}

/* ---- commands and queries ------------------------------------------------------------------- */

static bool is_text(struct bytes bytes, const char *text)
{
    size_t size = strlen(text);
    return bytes.data != NULL && bytes.size == size && memcmp(bytes.data, text, size) == 0;
}

static struct bytes *field_called(struct kv_fields *fields, struct bytes name)
{
    if (is_text(name, "key")) {
        return &fields->key;
    }
    if (is_text(name, "value")) {
        return &fields->value;
    }
    if (is_text(name, "old")) {
        return &fields->old_value;
    }
    return is_text(name, "new") ? &fields->new_value : NULL;
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
        struct value_item name;
        if (!value_read(&reader, &name) || name.kind != VALUE_STRING) {
            return false;
        }
        size_t start = reader.position;
        if (is_text(name.string, "op")) {
            struct value_item operation;
            if (!value_read(&reader, &operation) || operation.kind != VALUE_STRING) {
                return false;
            }
            fields->operation = operation.string;
            continue;
        }
        if (!value_skip(&reader)) {
            return false;
        }
        struct bytes *field = field_called(fields, name.string);
        if (field != NULL) {
            *field = (struct bytes){input.data + start, reader.position - start};
        }
    }
    return reader.position == reader.size;
}

static void compare_and_set(struct kv *kv, const struct kv_fields *fields, struct buffer *result)
{
    const struct kv_item *item = find(kv, fields->key);
    bool as_expected = item == NULL ? fields->old_value.data == NULL
                                    : fields->old_value.data != NULL &&
                                          bytes_equal(item_value(item), fields->old_value);
    value_write_array(result, as_expected || item == NULL ? 1 : 2);
    value_write_boolean(result, as_expected);
    if (as_expected && fields->new_value.data != NULL) {
        set(kv, fields->key, fields->new_value);
    } else if (as_expected) {
        (void)delete (kv, fields->key);
    } else if (item != NULL) {
        buffer_append(result, item_value(item).data, item->value_size);
    }
}

/* What an operation that cannot be done answers: {"error": why}. */
static void answer_problem(const char *problem, struct buffer *out)
{
    value_write_map(out, 1);
    value_write_string(out, "error", 5);
    value_write_string(out, problem, strlen(problem));
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
    if (!is_set && !is_delete && !is_cas) {
        return "kv has no such operation (it has set, delete, cas and noop)";
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
    if (!read_fields(command, &fields) || fields.operation.data == NULL) {
        return true; /* a command of the script's own: kv does nothing with it */
    }
    const char *problem = command_problem(&fields);
    if (problem != NULL) {
        answer_problem(problem, result);
    } else if (is_text(fields.operation, "set")) {
        set(kv, fields.key, fields.value);
    } else if (is_text(fields.operation, "delete")) {
        value_write_boolean(result, delete (kv, fields.key));
    } else if (is_text(fields.operation, "cas")) {
        compare_and_set(kv, &fields, result);
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
        value_write_integer(answer, (int64_t)kv->count);
    } else if (is_text(fields.operation, "get") && fields.key.data != NULL) {
        const struct kv_item *item = find(kv, fields.key);
        value_write_array(answer, item == NULL ? 0 : 1);
        if (item != NULL) {
            buffer_append(answer, item_value(item).data, item->value_size);
        }
    } else if (fields.operation.data != NULL) {
        answer_problem("kv has no such query (it has size, and get with a key)", answer);
    }
    return true;
}

const struct machine_operations kv_operations = {kv_apply, kv_query, kv_free};
