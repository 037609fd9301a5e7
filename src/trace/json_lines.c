/*
 * Events as JSON lines and back. Numbers are exact: those beyond what a signed 64-bit integer holds
 * stand as strings of decimal digits, hashes as strings of 16 hexadecimal ones. A line does not
 * hold the event's own number (its place tells it), nor the entries of logs but their count.
 */
#include "trace/internal.h"

#include <string.h>

const struct trace_field trace_fields[] = {
#define X(name, text, member) {text, offsetof(struct trace_event, member)},
    TRACE_FIELDS(X)
#undef X
};

#define HAS(field) (1U << FIELD_##field)

/* What a reader of a kind relies on, and therefore finds there when it is 0, too. */
static const uint32_t fields_needed[TRACE_KIND_COUNT] = {
    [TRACE_START] = HAS(TERM) | HAS(VOTE) | HAS(FIRST) | HAS(LAST),
    [TRACE_ROLE] = HAS(TERM),
    [TRACE_VOTE] = HAS(TERM) | HAS(LAST) | HAS(PREV_TERM),
    [TRACE_SEND] = HAS(TERM),
    [TRACE_RECEIVE] = HAS(TERM),
    [TRACE_APPEND] = HAS(FIRST) | HAS(LAST),
    [TRACE_TRUNCATE] = HAS(FIRST) | HAS(LAST),
    [TRACE_WRITE] = HAS(SEQUENCE),
    [TRACE_SYNC] = HAS(SEQUENCE),
    [TRACE_MATCH] = HAS(INDEX),
    [TRACE_COMMIT] = HAS(INDEX) | HAS(PREV_TERM),
    [TRACE_APPLY] = HAS(INDEX) | HAS(PREV_TERM),
    [TRACE_SNAPSHOT] = HAS(INDEX),
    [TRACE_INSTALL] = HAS(INDEX),
    [TRACE_RESTORE] = HAS(INDEX),
    [TRACE_MEMBERS] = HAS(INDEX),
    [TRACE_READ] = HAS(SEQUENCE),
    [TRACE_CONFIRM] = HAS(FIRST) | HAS(LAST) | HAS(INDEX),
};

static uint64_t number_of(const struct trace_event *event, size_t i)
{
    uint64_t value = 0;
    memcpy(&value, (const uint8_t *)event + trace_fields[i].offset, sizeof value);
    return value;
}

/* ---- writing -------------------------------------------------------------------------------- */

static void write_name(struct buffer *out, const char *name)
{
    buffer_append_byte(out, ',');
    buffer_append_byte(out, '"');
    buffer_append_text(out, name);
    buffer_append(out, "\":", 2);
}

static void write_decimal(struct buffer *out, uint64_t number)
{
    uint8_t digits[20];
    size_t first = sizeof digits;
    do {
        digits[--first] = (uint8_t)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    buffer_append(out, digits + first, sizeof digits - first);
}

static void write_number(struct buffer *out, const char *name, uint64_t number)
{
    bool is_large = number > INT64_MAX;
    write_name(out, name);
    if (is_large) {
        buffer_append_byte(out, '"');
    }
    write_decimal(out, number);
    if (is_large) {
        buffer_append_byte(out, '"');
    }
}

static void write_hash(struct buffer *out, const char *name, uint64_t hash)
{
    static const char hex[] = "0123456789abcdef";
    uint8_t digits[16];
    if (hash == 0) {
        return;
    }
    for (size_t i = 0; i < sizeof digits; i++) {
        digits[i] = (uint8_t)hex[hash >> (60 - 4 * i) & 15];
    }
    write_name(out, name);
    buffer_append_byte(out, '"');
    buffer_append(out, digits, sizeof digits);
    buffer_append_byte(out, '"');
}

static void write_word(struct buffer *out, const char *name, const char *word)
{
    if (word != NULL) {
        write_name(out, name);
        buffer_append_byte(out, '"');
        buffer_append_text(out, word);
        buffer_append_byte(out, '"');
    }
}

static void write_flag(struct buffer *out, const char *name, bool flag)
{
    if (flag) {
        write_name(out, name);
        buffer_append_text(out, "true");
    }
}

static void write_what(struct buffer *out, uint8_t what)
{
    if (what != 0) {
        write_name(out, "what");
        buffer_append_byte(out, '"');
        trace_what_words(what, out);
        buffer_append_byte(out, '"');
    }
}

static void write_texts(struct buffer *out, const struct trace_event *event)
{
    if (event->text.size > 0) {
        write_name(out, "text");
        json_write_string(out, event->text.data, event->text.size);
    }
    if (event->value.size > 0) {
        write_name(out, "value");
        bool is_value = json_write_value(out, event->value);
        ensure(is_value);
    }
}

void trace_write_json(const struct trace_event *event, struct buffer *out)
{
    buffer_append_text(out, "{\"time\":");
    if (event->time_ns < 0) {
        buffer_append_byte(out, '-');
    }
    write_decimal(out,
                  event->time_ns < 0 ? 0 - (uint64_t)event->time_ns : (uint64_t)event->time_ns);
    write_number(out, "node", event->node);
    write_word(out, "kind", trace_kind_name((enum trace_kind)event->kind));
    if (event->peer != 0) {
        write_number(out, "peer", event->peer);
    }
    write_word(out, "message", event->message_name);
    if (event->message_number != 0) {
        write_number(out, "number", event->message_number);
    }
    uint32_t needed = fields_needed[event->kind];
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        uint64_t number = number_of(event, i);
        if (number != 0 || (needed & 1U << i) != 0) {
            write_number(out, trace_fields[i].name, number);
        }
    }
    if (event->entry_count != 0) {
        write_number(out, "entries", event->entry_count);
    }
    write_what(out, event->what);
    write_word(out, "role", event->role_name);
    write_flag(out, "reject", event->reject);
    write_flag(out, "flag", event->flag);
    write_hash(out, "hash", event->hash);
    write_hash(out, "answer_hash", event->answer_hash);
    write_hash(out, "state_hash", event->state_hash);
    write_texts(out, event);
    buffer_append_byte(out, '}');
}
