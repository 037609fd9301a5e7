/*
 * What readable lines say of messages between nodes: which entries, which vote, which answer.
 */
#include "trace/internal.h"

#include <string.h>

static bool ends_with(const char *name, const char *end)
{
    size_t size = strlen(name);
    size_t end_size = strlen(end);
    return size >= end_size && strcmp(name + size - end_size, end) == 0;
}

static void position(struct buffer *out, const char *before, uint64_t index, uint64_t term)
{
    if (index == 0) {
        buffer_append_format(out, "%sthe start", before);
        return;
    }
    text_number(out, before, index);
    text_number(out, " (term ", term);
    buffer_append_byte(out, ')');
}

static void append_contents(const struct trace_event *event, struct buffer *out)
{
    if (event->entry_count == 0) {
        buffer_append_text(out, ": nothing new");
    } else {
        text_range(out, event->entry_count == 1 ? ": entry " : ": entries ", event->prev_index + 1,
                   event->prev_index + event->entry_count);
    }
    position(out, " after ", event->prev_index, event->prev_term);
    text_number(out, ", commit ", event->commit);
}

static void vote_contents(const struct trace_event *event, struct buffer *out)
{
    if (event->prev_index == 0) {
        buffer_append_text(out, ": its log is empty");
    } else {
        position(out, ": its log ends with ", event->prev_index, event->prev_term);
    }
}

static void append_answer(const struct trace_event *event, struct buffer *out)
{
    if (event->reject) {
        text_number(out, ": rejected, as its log does not match at ", event->index);
    } else {
        text_number(out, ": matches up to ", event->index);
    }
}

/* What the message says, and its term at the end. */
static void contents(const struct trace_event *event, struct buffer *out)
{
    const char *name = event->message_name;
    ensure(name != NULL);
    if (strcmp(name, "append") == 0) {
        append_contents(event, out);
    } else if (strcmp(name, "append_response") == 0) {
        append_answer(event, out);
    } else if (ends_with(name, "vote")) {
        vote_contents(event, out);
    } else if (ends_with(name, "vote_response")) {
        buffer_append_text(out, event->reject ? ": rejected" : ": granted");
    } else if (strcmp(name, "timeout_now") == 0) {
        position(out, ": it is to campaign at once, holding ", event->prev_index, event->prev_term);
    } else if (strcmp(name, "read") == 0 || strcmp(name, "read_response") == 0) {
        text_number(out, ": round ", event->sequence);
    } else {
        if (event->reject) {
            buffer_append_text(out, ": rejected");
        }
        if (event->index != 0) {
            text_number(out, event->reject ? ", index " : ": index ", event->index);
        }
    }
    text_number(out, ", term ", event->term);
}

static void write_peer(const struct trace_event *event, struct buffer *out)
{
    if (event->peer == 0) {
        buffer_append_text(out, "the client");
    } else {
        text_number(out, "", event->peer);
    }
}

void text_message(const struct trace_event *event, struct buffer *out)
{
    const char *name = event->message_name == NULL ? "message" : event->message_name;
    if (event->kind == TRACE_DROP) {
        buffer_append_format(out, "%s", name);
        text_number(out, " number ", event->message_number);
        buffer_append_text(out, " to ");
        write_peer(event, out);
        buffer_append_text(out, " is lost");
        text_words(out, ": ", event->text);
        return;
    }
    buffer_append_format(out, event->kind == TRACE_SEND ? "sends %s to " : "receives %s from ",
                         name);
    write_peer(event, out);
    if (event->message_kind != 0) { /* else it is a frame that is no message of Raft */
        contents(event, out);
    }
    text_words(out, " - ", event->text);
}
