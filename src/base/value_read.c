/*
 * Reading values. Anything may stand in the bytes: a reader never looks beyond their end, and never
 * nests deeper than VALUE_DEPTH_MAX. value_read and value_skip take every well-formed item of our
 * kinds; only value_is_valid insists on the deterministic form (value_write.c).
 */
#include "base/internal.h"

#include <float.h>
#include <math.h>
#include <string.h>

struct head {
    enum cbor_major major;
    unsigned information; /* the low five bits of the first byte */
    uint64_t argument;
};

static inline bool read_head(struct value_reader *reader, struct head *head)
{
    ensure(reader->position <= reader->size);
    size_t left = reader->size - reader->position;
    if (left == 0) {
        return false;
    }
    const uint8_t *at = reader->data + reader->position;
    head->major = (enum cbor_major)(at[0] >> 5);
    head->information = at[0] & 0x1f;
    head->argument = head->information;
    size_t size = 1;
    if (head->information >= 24) {
        if (head->information > 27) { /* reserved, or of indefinite length */
            return false;
        }
        size += (size_t)1 << (head->information - 24);
        if (left < size) {
            return false;
        }
        head->argument = 0;
        for (size_t i = 1; i < size; i++) {
            head->argument = head->argument << 8 | at[i];
        }
    }
    reader->position += size;
    return true;
}

static double number_from_half(uint64_t half)
{
    unsigned exponent = half >> 10 & 0x1f;
    double mantissa = (double)(half & 0x3ff);
    double number = 0;
    if (exponent == 0) {
        number = mantissa * 0x1p-24;
    } else if (exponent < 31) {
        number = (mantissa + 1024) * 0x1p-25 * (double)(1ULL << exponent);
    } else { /* infinite, or not a number */
        number = HUGE_VAL;
    }
    return (half & 0x8000) != 0 ? -number : number;
}

static bool read_float(const struct head *head, struct value_item *item)
{
    if (head->information == CBOR_HALF) {
        item->number = number_from_half(head->argument);
    } else if (head->information == CBOR_SINGLE) {
        uint32_t bits = (uint32_t)head->argument;
        float single = 0;
        memcpy(&single, &bits, sizeof single);
        item->number = (double)single;
    } else {
        memcpy(&item->number, &head->argument, sizeof item->number);
    }
    item->kind = VALUE_FLOAT;
    return item->number >= -DBL_MAX && item->number <= DBL_MAX;
}

static bool read_simple(const struct head *head, struct value_item *item)
{
    switch (head->information) {
    case CBOR_NULL:
        item->kind = VALUE_NULL;
        return true;
    case CBOR_FALSE:
    case CBOR_TRUE:
        item->kind = VALUE_BOOLEAN;
        item->boolean = head->information == CBOR_TRUE;
        return true;
    case CBOR_HALF:
    case CBOR_SINGLE:
    case CBOR_DOUBLE:
        return read_float(head, item);
    default:
        return false;
    }
}

/* The bytes behind a string's head. */
static inline bool take_string(struct value_reader *reader, const struct head *head,
                               struct bytes *string)
{
    if (head->argument > reader->size - reader->position) {
        return false;
    }
    *string = (struct bytes){reader->data + reader->position, (size_t)head->argument};
    reader->position += string->size;
    return true;
}

static bool read_container(const struct value_reader *reader, const struct head *head,
                           struct value_item *item)
{
    /* Each value takes a byte at least, so a count that the rest cannot hold is refused here and
     * no reader is led into a loop of 2^64 turns. */
    size_t left = reader->size - reader->position;
    size_t most = head->major == CBOR_MAP ? left / 2 : left;
    item->kind = head->major == CBOR_MAP ? VALUE_MAP : VALUE_ARRAY;
    item->count = (size_t)head->argument;
    return head->argument <= most;
}

static inline bool read_body(struct value_reader *reader, const struct head *head,
                             struct value_item *item)
{
    switch (head->major) {
    case CBOR_UNSIGNED:
    case CBOR_NEGATIVE:
        item->kind = VALUE_INTEGER;
        item->integer =
            head->major == CBOR_UNSIGNED ? (int64_t)head->argument : (int64_t)~head->argument;
        return head->argument <= INT64_MAX;
    case CBOR_BYTES:
    case CBOR_TEXT:
        item->kind = VALUE_STRING;
        return take_string(reader, head, &item->string);
    case CBOR_ARRAY:
    case CBOR_MAP:
        return read_container(reader, head, item);
    case CBOR_SIMPLE:
        return read_simple(head, item);
    case CBOR_TAG:
    default:
        return false;
    }
}

bool value_read(struct value_reader *reader, struct value_item *item)
{
    size_t start = reader->position;
    struct head head;
    *item = (struct value_item){0};
    if (read_head(reader, &head) && read_body(reader, &head, item)) {
        return true;
    }
    reader->position = start;
    return false;
}

bool value_read_string(struct value_reader *reader, struct bytes *string)
{
    size_t start = reader->position;
    struct head head;
    if (read_head(reader, &head) && (head.major == CBOR_TEXT || head.major == CBOR_BYTES) &&
        take_string(reader, &head, string)) {
        return true;
    }
    reader->position = start;
    return false;
}

/* What is no array and no map. Most values that are skipped are short: they are not read. */
static inline bool skip_scalar(struct value_reader *reader, const struct head *head)
{
    struct value_item item;
    switch (head->major) {
    case CBOR_UNSIGNED:
    case CBOR_NEGATIVE:
        return head->argument <= INT64_MAX;
    case CBOR_BYTES:
    case CBOR_TEXT:
        return take_string(reader, head, &item.string);
    default:
        return read_body(reader, head, &item);
    }
}

static bool skip_within(struct value_reader *reader, unsigned depth)
{
    struct head head;
    if (!read_head(reader, &head)) {
        return false;
    }
    if (head.major != CBOR_ARRAY && head.major != CBOR_MAP) {
        return skip_scalar(reader, &head);
    }
    struct value_item item;
    if (depth == VALUE_DEPTH_MAX || !read_container(reader, &head, &item)) {
        return false;
    }
    for (size_t i = 0; i < item.count; i++) {
        struct bytes name;
        if ((item.kind == VALUE_MAP && !value_read_string(reader, &name)) ||
            !skip_within(reader, depth + 1)) {
            return false;
        }
    }
    return true;
}

bool value_skip(struct value_reader *reader)
{
    size_t start = reader->position;
    if (skip_within(reader, 0)) {
        return true;
    }
    reader->position = start;
    return false;
}

/* The next item, where it has the one form that value_write.c gives it. */
static bool read_deterministic(struct value_reader *reader, struct value_item *item)
{
    size_t start = reader->position;
    struct head head;
    *item = (struct value_item){0};
    if (!read_head(reader, &head)) {
        return false;
    }
    size_t size = reader->position - start;
    if (!read_body(reader, &head, item)) {
        return false;
    }
    uint8_t only[CBOR_HEAD_BYTES_MAX];
    size_t only_size = item->kind == VALUE_FLOAT ? cbor_number(only, item->number)
                                                 : cbor_head(only, head.major, head.argument);
    if (size != only_size || memcmp(only, reader->data + start, size) != 0) {
        return false;
    }
    return item->kind != VALUE_STRING || (head.major == CBOR_TEXT) == bytes_are_utf8(item->string);
}

static bool is_valid_within(struct value_reader *reader, unsigned depth);

static bool map_is_valid(struct value_reader *reader, size_t count, unsigned depth)
{
    struct bytes previous = {NULL, 0};
    for (size_t i = 0; i < count; i++) {
        size_t start = reader->position;
        struct value_item item;
        if (!read_deterministic(reader, &item) || item.kind != VALUE_STRING) {
            return false;
        }
        struct bytes key = {reader->data + start, reader->position - start};
        if (i > 0 && bytes_compare(previous, key) >= 0) {
            return false;
        }
        previous = key;
        if (!is_valid_within(reader, depth)) {
            return false;
        }
    }
    return true;
}

static bool is_valid_within(struct value_reader *reader, unsigned depth)
{
    struct value_item item;
    if (!read_deterministic(reader, &item)) {
        return false;
    }
    if (item.kind != VALUE_ARRAY && item.kind != VALUE_MAP) {
        return true;
    }
    if (depth == VALUE_DEPTH_MAX) {
        return false;
    }
    if (item.kind == VALUE_MAP) {
        return map_is_valid(reader, item.count, depth + 1);
    }
    for (size_t i = 0; i < item.count; i++) {
        if (!is_valid_within(reader, depth + 1)) {
            return false;
        }
    }
    return true;
}

bool value_is_valid(struct bytes value)
{
    struct value_reader reader = {value.data, value.size, 0};
    return is_valid_within(&reader, 0) && reader.position == reader.size;
}

bool value_field(struct bytes map, const char *key, struct bytes *found)
{
    struct bytes wanted = bytes_of_text(key);
    struct value_reader reader = {map.data, map.size, 0};
    struct value_item item;
    if (!value_read(&reader, &item) || item.kind != VALUE_MAP) {
        return false;
    }
    size_t count = item.count;
    for (size_t i = 0; i < count; i++) {
        if (!value_read(&reader, &item) || item.kind != VALUE_STRING) {
            return false;
        }
        size_t start = reader.position;
        if (!value_skip(&reader)) {
            return false;
        }
        if (bytes_equal(item.string, wanted)) {
            *found = (struct bytes){map.data + start, reader.position - start};
            return true;
        }
    }
    return false;
}

static bool field_of_kind(struct bytes map, const char *key, enum value_kind kind,
                          struct value_item *item)
{
    struct bytes field;
    if (!value_field(map, key, &field)) {
        return false;
    }
    struct value_reader reader = {field.data, field.size, 0};
    return value_read(&reader, item) && item->kind == kind;
}

bool value_field_integer(struct bytes map, const char *key, int64_t *found)
{
    struct value_item item;
    if (!field_of_kind(map, key, VALUE_INTEGER, &item)) {
        return false;
    }
    *found = item.integer;
    return true;
}

bool value_field_string(struct bytes map, const char *key, struct bytes *found)
{
    struct value_item item;
    if (!field_of_kind(map, key, VALUE_STRING, &item)) {
        return false;
    }
    *found = item.string;
    return true;
}
