/*
 * Fuzzes the reading of values: a valid one has one form, so that what was read of it is written to
 * the same bytes; and each well-formed one is written as JSON that reads back.
 */
#include "support/fuzz.h"

#include <string.h>

/* The next value, written again in the form of its own items; `depth` as value_skip counts it. */
static void copy(struct value_reader *reader, struct buffer *out)
{
    struct value_item item;
    ensure(value_read(reader, &item));
    switch (item.kind) {
    case VALUE_NULL:
        value_write_null(out);
        break;
    case VALUE_BOOLEAN:
        value_write_boolean(out, item.boolean);
        break;
    case VALUE_INTEGER:
        value_write_integer(out, item.integer);
        break;
    case VALUE_FLOAT:
        ensure(value_write_float(out, item.number));
        break;
    case VALUE_STRING:
        value_write_string(out, item.string.data, item.string.size);
        break;
    case VALUE_ARRAY:
        value_write_array(out, item.count);
        break;
    case VALUE_MAP:
        value_write_map(out, item.count);
        break;
    }
    size_t contents = item.kind == VALUE_MAP ? 2 * item.count : item.count;
    for (size_t i = 0; i < contents; i++) {
        copy(reader, out);
    }
}

/* Each key is found, and has the value that stands behind it. */
static void check_fields(struct bytes map)
{
    struct value_reader reader = {map.data, map.size, 0};
    struct value_item item;
    ensure(value_read(&reader, &item));
    size_t pairs = item.kind == VALUE_MAP ? item.count : 0;
    for (size_t i = 0; i < pairs; i++) {
        struct value_item key;
        struct bytes found;
        ensure(value_read(&reader, &key));
        size_t start = reader.position;
        ensure(value_skip(&reader));
        if (memchr(key.string.data, 0, key.string.size) != NULL) {
            continue; /* no name in C */
        }
        char *name = memory_new(key.string.size + 1);
        memcpy(name, key.string.data, key.string.size);
        name[key.string.size] = 0;
        ensure(value_field(map, name, &found));
        ensure(found.data == map.data + start && found.size == reader.position - start);
        memory_free(name);
    }
}

static void check_json(struct bytes value, bool is_valid)
{
    struct buffer text = {0};
    struct buffer back = {0};
    size_t offset = 0;
    const char *problem = NULL;
    ensure(json_write_value(&text, value));
    bool is_read = json_read(buffer_bytes(&text), &back, &offset, &problem);
    if (is_valid) {
        ensure(is_read);
        ensure(bytes_equal(buffer_bytes(&back), value));
    } else if (is_read) { /* one key twice has no JSON that we take */
        ensure(value_is_valid(buffer_bytes(&back)));
    }
    buffer_free(&text);
    buffer_free(&back);
}

static void try_fields(struct bytes value)
{
    struct bytes found;
    int64_t integer = 0;
    if (value_field(value, "key", &found)) {
        ensure(is_value(found));
    }
    if (value_field_integer(value, "value", &integer)) {
        ensure(value_field(value, "value", &found));
    }
    if (value_field_string(value, "op", &found)) {
        ensure(found.size <= value.size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes value = {data, size};
    bool is_valid = value_is_valid(value);
    struct buffer again = {0};
    try_fields(value);
    if (is_value(value)) {
        struct value_reader reader = {data, size, 0};
        copy(&reader, &again);
        ensure(reader.position == size);
        ensure(!is_valid || bytes_equal(buffer_bytes(&again), value));
        check_json(value, is_valid);
    } else {
        ensure(!is_valid);
        ensure(!json_write_value(&again, value) && again.size == 0);
    }
    if (is_valid) {
        check_fields(value);
    }
    buffer_free(&again);
    return 0;
}
