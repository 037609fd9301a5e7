/*
 * Values as Lua writes them, on one line, and the arguments of a fault as a script would give them.
 * Bytes of strings are taken as they are: who shows them makes them harmless.
 */
#include "trace/internal.h"

#include <stdio.h>

#define DEPTH_MOST 6

static void write_one(struct value_reader *reader, unsigned depth, struct buffer *out);

static void write_number(double number, struct buffer *out)
{
    char digits[32];
    (void)snprintf(digits, sizeof digits, "%.14g", number);
    buffer_append_text(out, digits);
}

static void write_list(struct value_reader *reader, size_t count, unsigned depth,
                       struct buffer *out)
{
    for (size_t i = 0; i < count && reader->position < reader->size; i++) {
        buffer_append_text(out, i == 0 ? "" : ", ");
        write_one(reader, depth + 1, out);
    }
}

static void write_pairs(struct value_reader *reader, size_t count, unsigned depth,
                        struct buffer *out)
{
    struct value_item name;
    for (size_t i = 0; i < count && value_read(reader, &name); i++) {
        buffer_append_text(out, i == 0 ? "" : ", ");
        buffer_append(out, name.string.data, name.string.size);
        buffer_append_byte(out, '=');
        write_one(reader, depth + 1, out);
    }
}

static void write_table(struct value_reader *reader, const struct value_item *item, unsigned depth,
                        struct buffer *out)
{
    buffer_append_byte(out, '{');
    if (item->kind == VALUE_ARRAY) {
        write_list(reader, item->count, depth, out);
    } else {
        write_pairs(reader, item->count, depth, out);
    }
    buffer_append_byte(out, '}');
}

/* The next value; nothing where there is none. */
static void write_one(struct value_reader *reader, unsigned depth, struct buffer *out)
{
    size_t start = reader->position;
    struct value_item item;
    if (!value_read(reader, &item)) {
        reader->position = reader->size;
        return;
    }
    switch (item.kind) {
    case VALUE_NULL:
        buffer_append_text(out, "null");
        break;
    case VALUE_BOOLEAN:
        buffer_append_text(out, item.boolean ? "true" : "false");
        break;
    case VALUE_INTEGER:
        buffer_append_format(out, "%lld", (long long)item.integer);
        break;
    case VALUE_FLOAT:
        write_number(item.number, out);
        break;
    case VALUE_STRING:
        buffer_append_byte(out, '"');
        buffer_append(out, item.string.data, item.string.size);
        buffer_append_byte(out, '"');
        break;
    default:
        if (depth < DEPTH_MOST) {
            write_table(reader, &item, depth, out);
            break;
        }
        buffer_append_text(out, "{...}");
        reader->position = start;
        if (!value_skip(reader)) {
            reader->position = reader->size;
        }
    }
}

void trace_write_value(struct bytes value, struct buffer *out)
{
    struct value_reader reader = {value.data, value.size, 0};
    write_one(&reader, 0, out);
}

/* ---- arguments ------------------------------------------------------------------------------ */

/* What a script gives before the table of a call, in its order. */
static const char *const positional[] = {"from", "to", "node"};
#define POSITIONAL_COUNT (sizeof positional / sizeof *positional)

static bool is_positional(struct bytes name)
{
    for (size_t i = 0; i < POSITIONAL_COUNT; i++) {
        if (bytes_equal(name, bytes_of_text(positional[i]))) {
            return true;
        }
    }
    return false;
}

/* The pairs that are not positional, as a table; nil where they say "back to the default". */
static void write_rest(struct value_reader *reader, size_t count, struct buffer *out)
{
    const char *before = "{";
    for (size_t i = 0; i < count; i++) {
        struct value_item name;
        if (!value_read(reader, &name)) {
            return;
        }
        if (is_positional(name.string)) {
            if (!value_skip(reader)) {
                return;
            }
            continue;
        }
        buffer_append_text(out, before);
        buffer_append(out, name.string.data, name.string.size);
        buffer_append_byte(out, '=');
        write_one(reader, 1, out);
        before = ", ";
    }
    buffer_append_text(out, before[0] == '{' ? "{}" : "}");
}

static void write_map(struct bytes value, struct value_reader *reader, size_t count,
                      struct buffer *out)
{
    struct bytes found;
    size_t given = 0;
    for (size_t i = 0; i < POSITIONAL_COUNT; i++) {
        if (value_field(value, positional[i], &found)) {
            buffer_append_text(out, given == 0 ? "" : ", ");
            trace_write_value(found, out);
            given++;
        }
    }
    if (count == 0) {
        return;
    }
    buffer_append_text(out, given == 0 ? "" : ", ");
    if (given > 0 && value_field(value, "default", &found)) {
        buffer_append_text(out, "nil");
    } else {
        write_rest(reader, count, out);
    }
}

void text_arguments(struct bytes value, struct buffer *out)
{
    struct value_reader reader = {value.data, value.size, 0};
    struct value_item item;
    if (!value_read(&reader, &item)) {
        return;
    }
    if (item.kind == VALUE_ARRAY) {
        write_list(&reader, item.count, 0, out);
    } else if (item.kind == VALUE_MAP) {
        write_map(value, &reader, item.count, out);
    } else {
        trace_write_value(value, out);
    }
}
