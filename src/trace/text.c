/*
 * Readable lines: the time to the microsecond, who, and a sentence for each kind of event. Bytes
 * that a terminal would not show as they are never reach it: they are written as \xNN. What is said
 * of messages between nodes is in sentence.c.
 */
#include "trace/internal.h"

#include <string.h>

void text_number(struct buffer *out, const char *before, uint64_t number)
{
    buffer_append_format(out, "%s%llu", before, (unsigned long long)number);
}

void text_range(struct buffer *out, const char *before, uint64_t first, uint64_t last)
{
    text_number(out, before, first);
    if (last != first) {
        text_number(out, "..", last);
    }
}

/* Whether a terminal may take the byte for a command: the control characters of ASCII, and in UTF-8
 * those of U+0080 to U+009F, which are 0xc2 and one byte more. */
static bool is_control(struct bytes words, size_t i)
{
    uint8_t byte = words.data[i];
    uint8_t next = i + 1 < words.size ? words.data[i + 1] : 0;
    return byte < 0x20 || byte == 0x7f || (byte == 0xc2 && next < 0xa0) ||
           (byte < 0xa0 && i > 0 && byte >= 0x80 && words.data[i - 1] == 0xc2);
}

void text_words(struct buffer *out, const char *before, struct bytes words)
{
    bool is_utf8 = bytes_are_utf8(words);
    if (words.size > 0) {
        buffer_append_text(out, before);
    }
    for (size_t i = 0; i < words.size; i++) {
        uint8_t byte = words.data[i];
        if (is_control(words, i) || (byte >= 0x80 && !is_utf8)) {
            buffer_append_format(out, "\\x%02x", byte);
        } else {
            buffer_append_byte(out, byte);
        }
    }
}

static void value_words(struct buffer *out, const char *before, struct bytes value)
{
    struct buffer words = {0};
    trace_write_value(value, &words);
    text_words(out, before, buffer_bytes(&words));
    buffer_free(&words);
}

static bool is_word(struct bytes words, const char *word)
{
    return bytes_equal(words, bytes_of_text(word));
}

/* ---- a node's life -------------------------------------------------------------------------- */

/* One list of a configuration: "1, 2, 3"; whatever is no list of ids as JSON. */
static void member_list(struct buffer *out, const char *before, struct bytes list)
{
    struct value_reader reader = {list.data, list.size, 0};
    struct value_item item;
    if (!value_read(&reader, &item) || item.kind != VALUE_ARRAY) {
        value_words(out, before, list);
        return;
    }
    size_t count = item.count;
    if (count == 0) {
        return;
    }
    buffer_append_text(out, before);
    for (size_t i = 0; i < count; i++) {
        size_t start = reader.position;
        if (!value_skip(&reader)) {
            return;
        }
        value_words(out, i == 0 ? "" : ", ",
                    (struct bytes){list.data + start, reader.position - start});
    }
}

static void member_lists(struct buffer *out, const char *before, struct bytes value)
{
    struct bytes list;
    if (!value_field(value, "voters", &list)) {
        value_words(out, before, value);
        return;
    }
    member_list(out, before, list);
    if (value_field(value, "voters_old", &list)) {
        member_list(out, " together with the old ", list);
    }
    if (value_field(value, "learners", &list)) {
        member_list(out, ", learners ", list);
    }
    if (value_field(value, "coming", &list)) {
        member_list(out, ", of whom are brought level to vote ", list);
    }
}

static void start_sentence(const struct trace_event *event, struct buffer *out)
{
    text_number(out, "starts in term ", event->term);
    if (event->vote != 0) {
        text_number(out, ", its vote given to ", event->vote);
    }
    if (event->last == 0) {
        buffer_append_text(out, ", with an empty log");
    } else {
        text_range(out, ", with log ", event->first, event->last);
    }
    member_lists(out, ", members ", event->value);
}

static void stop_sentence(const struct trace_event *event, struct buffer *out)
{
    if (is_word(event->text, "crash")) {
        buffer_append_text(out, "crashes");
    } else if (is_word(event->text, "shutdown")) {
        buffer_append_text(out, "shuts down");
    } else {
        buffer_append_text(out, "stops");
        text_words(out, ": ", event->text);
    }
}

static void role_sentence(const struct trace_event *event, struct buffer *out)
{
    const char *role = event->role_name == NULL ? "nothing" : event->role_name;
    if (strcmp(role, "leader") == 0) {
        text_number(out, "becomes leader of term ", event->term);
    } else if (strcmp(role, "pre_candidate") == 0) {
        text_number(out, "asks whether it could win an election after term ", event->term);
    } else if (strcmp(role, "candidate") == 0) {
        text_number(out, "becomes candidate of term ", event->term);
    } else if (event->peer != 0) {
        text_number(out, strcmp(role, "learner") == 0 ? "as a learner follows " : "follows ",
                    event->peer);
        text_number(out, " in term ", event->term);
    } else {
        buffer_append_format(out, "becomes %s", role);
        text_number(out, " in term ", event->term);
        buffer_append_text(out, ", leader not known");
    }
}

static void vote_sentence(const struct trace_event *event, struct buffer *out)
{
    if (event->peer == event->node) {
        buffer_append_text(out, "votes for itself");
    } else {
        text_number(out, "votes for ", event->peer);
    }
    text_number(out, " in term ", event->term);
    if (event->last == 0) {
        buffer_append_text(out, ", its own log empty");
    } else {
        text_number(out, ", its own log ending with ", event->last);
        text_number(out, " (term ", event->prev_term);
        buffer_append_byte(out, ')');
    }
}

/* ---- logs and disks ------------------------------------------------------------------------- */

static void disk_sentence(const struct trace_event *event, struct buffer *out, const char *verb)
{
    const char *separator = " ";
    buffer_append_text(out, verb);
    if ((event->what & TRACE_STATE) != 0) {
        text_number(out, " term ", event->term);
        if (event->vote == 0) {
            buffer_append_text(out, " without a vote");
        } else {
            text_number(out, " with its vote for ", event->vote);
        }
        separator = ", ";
    }
    if ((event->what & TRACE_ENTRIES) != 0) {
        const char *noun = event->first == event->last ? "entry" : "entries";
        buffer_append_format(out, "%s%s", separator, noun);
        text_range(out, " ", event->first, event->last);
        separator = ", ";
    }
    if ((event->what & TRACE_SNAPSHOTS) != 0) {
        buffer_append_format(out, "%sa snapshot", separator);
    }
}

static void log_sentence(const struct trace_event *event, struct buffer *out)
{
    switch (event->kind) {
    case TRACE_APPEND:
        text_range(out, event->first == event->last ? "appends entry " : "appends entries ",
                   event->first, event->last);
        break;
    case TRACE_TRUNCATE:
        text_range(out, event->first == event->last ? "removes entry " : "removes entries ",
                   event->first, event->last);
        buffer_append_text(out, " from its log");
        break;
    case TRACE_MATCH:
        text_number(out, "knows that ", event->peer);
        text_number(out, " has its log up to entry ", event->index);
        break;
    case TRACE_COMMIT:
    case TRACE_APPLY:
        text_number(out, event->kind == TRACE_APPLY ? "applies entry " : "commits up to entry ",
                    event->index);
        text_number(out, " (term ", event->prev_term);
        buffer_append_byte(out, ')');
        if (event->kind == TRACE_COMMIT && event->flag) {
            buffer_append_text(out, " by counting");
        }
        break;
    case TRACE_SNAPSHOT:
        text_number(out, "takes a snapshot up to ", event->index);
        break;
    case TRACE_READ:
        text_number(out, "takes read ", event->sequence);
        break;
    case TRACE_CONFIRM:
        text_range(out, event->first == event->last ? "may answer read " : "may answer reads ",
                   event->first, event->last);
        text_number(out, " as of entry ", event->index);
        if (event->flag) {
            buffer_append_text(out, " by its lease");
        }
        break;
    case TRACE_INSTALL:
        text_number(out, "installs a snapshot up to ", event->index);
        break;
    default:
        ensure(event->kind == TRACE_RESTORE);
        text_number(out, "restores its machine from the snapshot up to ", event->index);
    }
}

/* ---- what is around the nodes --------------------------------------------------------------- */

static void verdict_sentence(const struct trace_event *event, struct buffer *out)
{
    struct value_item item = {.kind = VALUE_NULL};
    struct bytes passed;
    struct bytes message = {NULL, 0};
    if (value_field(event->value, "passed", &passed)) {
        struct value_reader reader = {passed.data, passed.size, 0};
        (void)value_read(&reader, &item);
    }
    (void)value_field_string(event->value, "message", &message);
    buffer_append_text(out, "run");
    text_words(out, " of ", event->text);
    buffer_append_text(out, item.boolean ? " passed" : " failed");
    text_words(out, ": ", message);
}

static void link_sentence(const struct trace_event *event, struct buffer *out)
{
    const char *before = event->kind == TRACE_CONNECT      ? "is connected to "
                         : event->kind == TRACE_DISCONNECT ? "is no longer connected to "
                                                           : "has a notice about ";
    if (event->peer != 0) {
        text_number(out, before, event->peer);
    } else { /* of its own disk, or of somebody whose id it does not know */
        buffer_append_text(out, "has a notice");
    }
    text_words(out, ": ", event->text);
}

static void other_sentence(const struct trace_event *event, struct buffer *out)
{
    struct buffer words = {0};
    switch (event->kind) {
    case TRACE_MEMBERS:
        buffer_append_text(out, "uses the members");
        member_lists(out, " ", event->value);
        text_number(out, " (entry ", event->index);
        buffer_append_byte(out, ')');
        break;
    case TRACE_CLIENT:
        text_client(event, &words);
        text_words(out, "", buffer_bytes(&words));
        break;
    case TRACE_FAULT:
        text_fault(event, &words);
        text_words(out, "fault ", buffer_bytes(&words));
        break;
    case TRACE_NOTE:
        buffer_append_text(out, "note");
        text_words(out, ": ", event->text);
        break;
    case TRACE_VIOLATION:
        buffer_append_text(out, "VIOLATION");
        text_words(out, " of ", event->text);
        value_words(out, ": ", event->value);
        break;
    default:
        ensure(event->kind == TRACE_RUN);
        buffer_append_text(out, "run");
        text_words(out, " of ", event->text);
        value_words(out, " ", event->value);
    }
    buffer_free(&words);
}

static void sentence(const struct trace_event *event, struct buffer *out)
{
    switch (event->kind) {
    case TRACE_START:
        start_sentence(event, out);
        break;
    case TRACE_STOP:
        stop_sentence(event, out);
        break;
    case TRACE_ROLE:
        role_sentence(event, out);
        break;
    case TRACE_VOTE:
        vote_sentence(event, out);
        break;
    case TRACE_SEND:
    case TRACE_RECEIVE:
    case TRACE_DROP:
        text_message(event, out);
        break;
    case TRACE_WRITE:
        disk_sentence(event, out, "writes");
        break;
    case TRACE_SYNC:
        disk_sentence(event, out, "has on its disk");
        break;
    case TRACE_CONNECT:
    case TRACE_DISCONNECT:
    case TRACE_NOTICE:
        link_sentence(event, out);
        break;
    case TRACE_VERDICT:
        verdict_sentence(event, out);
        break;
    case TRACE_MEMBERS:
    case TRACE_CLIENT:
    case TRACE_FAULT:
    case TRACE_NOTE:
    case TRACE_VIOLATION:
    case TRACE_RUN:
        other_sentence(event, out);
        break;
    default:
        log_sentence(event, out);
    }
}

void trace_write_text(const struct trace_event *event, struct buffer *out)
{
    ensure(event->kind < TRACE_KIND_COUNT);
    bool is_before = event->time_ns < 0;
    uint64_t time_ns = is_before ? 0 - (uint64_t)event->time_ns : (uint64_t)event->time_ns;
    uint64_t time_us = (time_ns + 500) / 1000; // rounded, as seconds are in messages
    buffer_append_format(out, "%s%llu.%06llu ", is_before ? "-" : "",
                         (unsigned long long)(time_us / 1000000),
                         (unsigned long long)(time_us % 1000000));
    if (event->node == 0) {
        buffer_append_text(out, "[-] ");
    } else {
        text_number(out, "[", event->node);
        buffer_append_text(out, "] ");
    }
    sentence(event, out);
}
