/*
 * An event from its JSON line (json_lines.c). Lines come from files that anybody may have changed:
 * what is not an event is refused in words. Members that it does not know are passed over, so that
 * older programs read newer traces.
 */
#include "trace/internal.h"

#include <string.h>

static bool is_text(const struct value_item *item)
{
    return item->kind == VALUE_STRING;
}

static bool decimal(struct bytes digits, uint64_t *number)
{
    *number = 0;
    for (size_t i = 0; i < digits.size; i++) {
        uint64_t digit = (uint64_t)digits.data[i] - '0';
        if (digit > 9 || *number > (UINT64_MAX - digit) / 10) {
            return false;
        }
        *number = *number * 10 + digit;
    }
    return digits.size > 0;
}

/* A number, or a string of digits for one that no signed integer holds. */
static bool read_number(const struct value_item *item, uint64_t *number)
{
    if (is_text(item)) {
        return decimal(item->string, number);
    }
    *number = (uint64_t)item->integer;
    return item->kind == VALUE_INTEGER && item->integer >= 0;
}

static bool read_hash(const struct value_item *item, uint64_t *hash)
{
    if (!is_text(item) || item->string.size != 16) {
        return false;
    }
    *hash = 0;
    for (size_t i = 0; i < 16; i++) {
        uint8_t digit = item->string.data[i];
        bool is_digit = digit >= '0' && digit <= '9';
        if (!is_digit && !(digit >= 'a' && digit <= 'f')) {
            return false;
        }
        *hash = *hash << 4 | (uint64_t)(is_digit ? digit - '0' : digit - 'a' + 10);
    }
    return true;
}

static bool read_time(struct trace_event *event, const struct value_item *item)
{
    event->time_ns = item->integer;
    return item->kind == VALUE_INTEGER;
}

static bool read_kind(struct trace_event *event, const struct value_item *item)
{
    enum trace_kind kind = TRACE_KIND_COUNT;
    bool is_known = is_text(item) && trace_kind_from_name(item->string, &kind);
    event->kind = (uint8_t)kind;
    return is_known;
}

static bool read_role(struct trace_event *event, const struct value_item *item)
{
    event->role_name = trace_role_from_name(item->string, &event->role);
    return is_text(item);
}

static bool read_message(struct trace_event *event, const struct value_item *item)
{
    event->message_name = trace_message_from_name(item->string, &event->message_kind);
    return is_text(item);
}

static bool read_entries(struct trace_event *event, const struct value_item *item)
{
    uint64_t count = 0;
    bool is_count = read_number(item, &count) && count <= UINT32_MAX;
    event->entry_count = (uint32_t)count;
    return is_count;
}

static bool read_what(struct trace_event *event, const struct value_item *item)
{
    struct bytes rest = item->string;
    if (!is_text(item)) {
        return false;
    }
    for (;;) {
        const uint8_t *plus = rest.size == 0 ? NULL : memchr(rest.data, '+', rest.size);
        size_t size = plus == NULL ? rest.size : (size_t)(plus - rest.data);
        uint8_t bit = 0;
        if (!trace_what_from_name((struct bytes){rest.data, size}, &bit)) {
            return false;
        }
        event->what |= bit;
        if (plus == NULL) {
            return true;
        }
        rest = (struct bytes){plus + 1, rest.size - size - 1};
    }
}

static bool read_reject(struct trace_event *event, const struct value_item *item)
{
    event->reject = item->boolean;
    return item->kind == VALUE_BOOLEAN;
}

static bool read_flag(struct trace_event *event, const struct value_item *item)
{
    event->flag = item->boolean;
    return item->kind == VALUE_BOOLEAN;
}

static bool read_text(struct trace_event *event, const struct value_item *item)
{
    event->text = item->string;
    return is_text(item);
}

/* Members that are neither plain numbers nor hashes. */
static const struct {
    const char *name;
    bool (*read)(struct trace_event *event, const struct value_item *item);
} readers[] = {
    {"time", read_time},       {"kind", read_kind},       {"role", read_role},
    {"message", read_message}, {"entries", read_entries}, {"what", read_what},
    {"reject", read_reject},   {"flag", read_flag},       {"text", read_text},
};

static const struct trace_field plain_numbers[] = {
    {"node", offsetof(struct trace_event, node)},
    {"peer", offsetof(struct trace_event, peer)},
    {"number", offsetof(struct trace_event, message_number)},
};

static const struct trace_field hashes[] = {
    {"hash", offsetof(struct trace_event, hash)},
    {"answer_hash", offsetof(struct trace_event, answer_hash)},
    {"state_hash", offsetof(struct trace_event, state_hash)},
};

static bool is_named(struct bytes key, const char *name)
{
    return bytes_equal(key, bytes_of_text(name));
}

static const struct trace_field *find(const struct trace_field *among, size_t count,
                                      struct bytes key)
{
    for (size_t i = 0; i < count; i++) {
        if (is_named(key, among[i].name)) {
            return &among[i];
        }
    }
    return NULL;
}

static const struct trace_field *find_number(struct bytes key)
{
    const struct trace_field *field =
        find(plain_numbers, sizeof plain_numbers / sizeof *plain_numbers, key);
    return field != NULL ? field : find(trace_fields, FIELD_COUNT, key);
}

static bool read_word(struct trace_event *event, struct bytes key, const struct value_item *item)
{
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++) {
        if (is_named(key, readers[i].name)) {
            return readers[i].read(event, item);
        }
    }
    return true; /* not known here */
}

static bool read_member(struct trace_event *event, struct bytes key, struct bytes value)
{
    struct value_reader reader = {value.data, value.size, 0};
    struct value_item item;
    uint64_t number = 0;
    bool is_read = value_read(&reader, &item);
    ensure(is_read);
    const struct trace_field *field = find_number(key);
    if (field != NULL) {
        is_read = read_number(&item, &number);
    } else {
        field = find(hashes, sizeof hashes / sizeof *hashes, key);
        if (field != NULL) {
            is_read = read_hash(&item, &number);
        }
    }
    if (field != NULL) {
        memcpy((uint8_t *)event + field->offset, &number, sizeof number);
        return is_read;
    }
    if (is_named(key, "value")) {
        event->value = value;
        return true;
    }
    return read_word(event, key, &item);
}

static bool fail(struct buffer *problem, const char *words, struct bytes detail)
{
    buffer_append_text(problem, words);
    if (detail.size > 0) {
        buffer_append_byte(problem, ' ');
        json_write_string(problem, detail.data, detail.size);
    }
    return false;
}

/* The members of the object that was read into `map`, which the event's views point into. */
static bool read_members(struct bytes map, struct trace_event *event, struct buffer *problem)
{
    struct value_reader reader = {map.data, map.size, 0};
    struct value_item object;
    bool is_read = value_read(&reader, &object);
    ensure(is_read);
    if (object.kind != VALUE_MAP) {
        return fail(problem, "a line that is not an object", (struct bytes){NULL, 0});
    }
    event->kind = TRACE_KIND_COUNT;
    for (size_t i = 0; i < object.count; i++) {
        struct value_item key;
        is_read = value_read(&reader, &key);
        ensure(is_read);
        size_t start = reader.position;
        is_read = value_skip(&reader);
        ensure(is_read);
        struct bytes value = {map.data + start, reader.position - start};
        if (!read_member(event, key.string, value)) {
            return fail(problem, "an event with a bad", key.string);
        }
    }
    if (event->kind == TRACE_KIND_COUNT) {
        return fail(problem, "an event without its", (struct bytes){(const uint8_t *)"kind", 4});
    }
    return true;
}

bool trace_read_json(struct bytes line, struct trace_event *event, struct buffer *storage,
                     struct buffer *problem)
{
    size_t offset = 0;
    const char *words = NULL;
    *event = (struct trace_event){0};
    buffer_clear(storage);
    buffer_clear(problem);
    if (!json_read(line, storage, &offset, &words)) {
        buffer_append_format(problem, "at byte %zu: %s", offset + 1, words);
        return false;
    }
    return read_members(buffer_bytes(storage), event, problem);
}
