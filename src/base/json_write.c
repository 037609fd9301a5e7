/*
 * Values as JSON (RFC 8259), one line, members in the order of the map. Whatever is written reads
 * back as the same value (json_read.c): a float has a point, an exponent or more digits than an
 * integer of 64 bits, as whole floats below that do not exist (value_write.c).
 */
#include "base/internal.h"

static const char hex[] = "0123456789abcdef";

static void write_escaped(struct buffer *out, uint8_t byte)
{
    static const char short_forms[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (size_t i = 0; i + 1 < sizeof short_forms - 1; i += 2) {
        if ((uint8_t)short_forms[i] == byte) {
            buffer_append_byte(out, '\\');
            buffer_append_byte(out, (uint8_t)short_forms[i + 1]);
            return;
        }
    }
    buffer_append_text(out, "\\u00");
    buffer_append_byte(out, (uint8_t)hex[byte >> 4]);
    buffer_append_byte(out, (uint8_t)hex[byte & 15]);
}

static void write_characters(struct buffer *out, struct bytes text)
{
    size_t start = 0;
    for (size_t at = 0; at < text.size; at++) {
        uint8_t byte = text.data[at];
        if (byte < 0x20 || byte == '"' || byte == '\\') {
            buffer_append(out, text.data + start, at - start);
            write_escaped(out, byte);
            start = at + 1;
        }
    }
    if (start < text.size) {
        buffer_append(out, text.data + start, text.size - start);
    }
}

void json_write_string(struct buffer *out, const void *data, size_t size)
{
    struct bytes text = {data, size};
    if (bytes_are_utf8(text)) {
        buffer_append_byte(out, '"');
        write_characters(out, text);
        buffer_append_byte(out, '"');
    } else {
        buffer_append_text(out, "{\"" JSON_BYTES_MARK "\":\"");
        base64_write(out, text);
        buffer_append_text(out, "\"}");
    }
}

static void write_key(struct buffer *out, struct bytes key)
{
    buffer_append_byte(out, '"');
    if (!bytes_are_utf8(key)) {
        buffer_append_text(out, JSON_BYTES_MARK ":");
        base64_write(out, key);
    } else {
        if (key.size > 0 && key.data[0] == '$') {
            buffer_append_byte(out, '$');
        }
        write_characters(out, key);
    }
    buffer_append_text(out, "\":");
}

static bool write_item(struct value_reader *reader, struct buffer *out, unsigned depth);

static bool write_array(struct value_reader *reader, struct buffer *out, size_t count,
                        unsigned depth)
{
    buffer_append_byte(out, '[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            buffer_append_byte(out, ',');
        }
        if (!write_item(reader, out, depth)) {
            return false;
        }
    }
    buffer_append_byte(out, ']');
    return true;
}

static bool write_map(struct value_reader *reader, struct buffer *out, size_t count, unsigned depth)
{
    buffer_append_byte(out, '{');
    for (size_t i = 0; i < count; i++) {
        struct value_item key;
        if (i > 0) {
            buffer_append_byte(out, ',');
        }
        if (!value_read(reader, &key) || key.kind != VALUE_STRING) {
            return false;
        }
        write_key(out, key.string);
        if (!write_item(reader, out, depth)) {
            return false;
        }
    }
    buffer_append_byte(out, '}');
    return true;
}

static bool write_item(struct value_reader *reader, struct buffer *out, unsigned depth)
{
    struct value_item item;
    if (!value_read(reader, &item)) {
        return false;
    }
    switch (item.kind) {
    case VALUE_NULL:
        buffer_append_text(out, "null");
        return true;
    case VALUE_BOOLEAN:
        buffer_append_text(out, item.boolean ? "true" : "false");
        return true;
    case VALUE_INTEGER:
        buffer_append_format(out, "%lld", (long long)item.integer);
        return true;
    case VALUE_FLOAT:
        decimal_write(out, item.number);
        return true;
    case VALUE_STRING:
        json_write_string(out, item.string.data, item.string.size);
        return true;
    case VALUE_ARRAY:
        return depth < VALUE_DEPTH_MAX && write_array(reader, out, item.count, depth + 1);
    case VALUE_MAP:
        return depth < VALUE_DEPTH_MAX && write_map(reader, out, item.count, depth + 1);
    }
    return false;
}

bool json_write_value(struct buffer *out, struct bytes value)
{
    size_t start = out->size;
    struct value_reader reader = {value.data, value.size, 0};
    bool is_whole = write_item(&reader, out, 0) && reader.position == reader.size;
    if (!is_whole) {
        out->size = start;
    }
    return is_whole;
}
