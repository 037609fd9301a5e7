/*
 * An event in a few words, as a cell of a diagram holds it: the same event that text.c tells in a
 * sentence. It lays nothing out, and takes the bytes of texts as they are.
 */
#include "trace/internal.h"

#include <string.h>

/* The word for a wide column, or for a narrow one. */
static const char *chosen(const struct trace_phrase *phrase, const char *wide, const char *brief)
{
    return phrase->is_brief ? brief : wide;
}

static void term_after(const struct trace_event *event, struct trace_phrase *phrase)
{
    text_number(&phrase->after, " t", event->term);
}

static void ranged(struct trace_phrase *phrase, const char *before, uint64_t first, uint64_t last)
{
    buffer_append_text(&phrase->before, before);
    phrase->has_range = true;
    phrase->first = first;
    phrase->last = last;
}

static void with_peer(const struct trace_event *event, struct trace_phrase *phrase,
                      const char *before)
{
    buffer_append_text(&phrase->before, before);
    phrase->has_peer = true;
    phrase->peer = event->peer;
}

/* "word: text", or the word alone. */
static void with_text(const struct trace_event *event, struct buffer *out, const char *word)
{
    buffer_append_text(out, word);
    if (event->text.size > 0) {
        buffer_append_text(out, ": ");
        buffer_append(out, event->text.data, event->text.size);
    }
}

/* What was lost, and why. */
static void lost_words(const struct trace_event *event, struct trace_phrase *phrase)
{
    if (phrase->is_brief && bytes_equal(event->text, bytes_of_text("disconnected"))) {
        buffer_append_text(&phrase->after, "lost: cut off");
    } else {
        with_text(event, &phrase->after, "lost");
    }
}

static const char *brief_message(const char *name)
{
    static const char *const words[][2] = {
        {"append_response", "ack"},    {"pre_vote_response", "pre-vote"},
        {"vote_response", "vote"},     {"client_request", "request"},
        {"client_answer", "answer"},   {"snapshot_response", "snap ack"},
        {"read_response", "read ack"}, {"timeout_now", "campaign"},
        {"pre_candidate", "pre-cand"}, {"candidate", "cand"},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(name, words[i][0]) == 0) {
            return words[i][1];
        }
    }
    return NULL;
}

/* "append_response" as "append answer", other low lines as dashes; where it is brief "ack". */
static void message_name(const char *name, bool is_brief, struct buffer *out)
{
    const char *brief = is_brief ? brief_message(name) : NULL;
    if (brief != NULL) {
        buffer_append_text(out, brief);
        return;
    }
    static const char response[] = "_response";
    size_t size = strlen(name);
    bool is_answer =
        size >= sizeof response - 1 && strcmp(name + size - (sizeof response - 1), response) == 0;
    size -= is_answer ? sizeof response - 1 : 0;
    for (size_t i = 0; i < size; i++) {
        buffer_append_byte(out, name[i] == '_' ? '-' : (uint8_t)name[i]);
    }
    buffer_append_text(out, is_answer ? " answer" : "");
}

static void message_words(const struct trace_event *event, struct trace_phrase *phrase)
{
    struct buffer *out = &phrase->after;
    const char *name = event->message_name == NULL ? "message" : event->message_name;
    bool is_append_answer = strcmp(name, "append_response") == 0;
    buffer_append_byte(out, ' ');
    if (strcmp(name, "append") == 0 && event->entry_count == 0) {
        buffer_append_text(out, chosen(phrase, "append (heartbeat)", "beat"));
    } else {
        message_name(name, phrase->is_brief, out);
    }
    if (strcmp(name, "append") == 0 && event->entry_count == 0) {
        /* it is all said */
    } else if (strcmp(name, "append") == 0) {
        text_range(out, " ", event->prev_index + 1, event->prev_index + event->entry_count);
    } else if (is_append_answer && event->index != 0) {
        text_number(out, event->reject ? " not at " : chosen(phrase, " up to ", " "), event->index);
    } else if (strcmp(name, "snapshot") == 0 && event->index != 0) {
        text_number(out, " at ", event->index);
    }
    if (event->reject && !is_append_answer) {
        buffer_append_text(out, " no");
    } else if (strstr(name, "vote_response") != NULL) {
        buffer_append_text(out, " yes");
    }
    if (event->message_kind != 0) {
        text_number(out, " t", event->term);
    }
}

static void message_phrase(const struct trace_event *event, struct trace_phrase *phrase)
{
    if (event->kind == TRACE_DROP) {
        with_peer(event, phrase, "✗ ");
        buffer_append_byte(&phrase->after, ' ');
        if (event->message_name != NULL) {
            message_name(event->message_name, phrase->is_brief, &phrase->after);
            buffer_append_byte(&phrase->after, ' ');
        }
        lost_words(event, phrase);
        return;
    }
    with_peer(event, phrase, event->kind == TRACE_SEND ? "→ " : "← ");
    message_words(event, phrase);
}

/* ---- a node's life -------------------------------------------------------------------------- */

static void start_phrase(const struct trace_event *event, struct trace_phrase *phrase)
{
    struct buffer *out = &phrase->before;
    text_number(out, chosen(phrase, "starts t", "start t"), event->term);
    if (event->last != 0) {
        text_range(out, " log ", event->first == 0 ? 1 : event->first, event->last);
    }
}

static void role_phrase(const struct trace_event *event, struct trace_phrase *phrase)
{
    struct buffer *out = &phrase->before;
    const char *role = event->role_name == NULL ? "?" : event->role_name;
    if (strcmp(role, "leader") == 0) {
        buffer_append_text(out, chosen(phrase, "LEADER", "LEAD"));
    } else if (strcmp(role, "follower") == 0 && event->peer != 0) {
        text_number(out, chosen(phrase, "follower of ", "follows "), event->peer);
    } else {
        message_name(role, phrase->is_brief, out);
        if (event->peer != 0) {
            text_number(out, " of ", event->peer);
        }
    }
    if (!phrase->is_term_unknown) {
        text_number(out, " t", event->term);
    }
}

static void vote_phrase(const struct trace_event *event, struct trace_phrase *phrase)
{
    struct buffer *out = &phrase->before;
    if (event->peer == event->node) {
        buffer_append_text(out, chosen(phrase, "votes for itself", "votes self"));
    } else {
        text_number(out, chosen(phrase, "votes for ", "votes "), event->peer);
    }
    text_number(out, " t", event->term);
}

static void disk_phrase(const struct trace_event *event, struct buffer *out, const char *verb)
{
    buffer_append_text(out, verb);
    if (event->last != 0) {
        text_range(out, " ", event->first, event->last);
    } else {
        buffer_append_text(out, " state");
    }
}

static void id_list(struct bytes map, const char *name, const char *before, struct buffer *out)
{
    struct bytes list;
    if (!value_field(map, name, &list)) {
        return;
    }
    struct value_reader reader = {list.data, list.size, 0};
    struct value_item item;
    if (!value_read(&reader, &item) || item.kind != VALUE_ARRAY) {
        return;
    }
    size_t count = item.count;
    for (size_t i = 0; i < count && value_read(&reader, &item); i++) {
        if (item.kind == VALUE_INTEGER) {
            buffer_append_format(out, "%s%lld", i == 0 ? before : ",", (long long)item.integer);
        }
    }
}

static void members_phrase(const struct trace_event *event, struct buffer *out)
{
    struct buffer old = {0};
    id_list(event->value, "voters_old", " ", &old);
    buffer_append_text(out, "members");
    buffer_append(out, old.data, old.size);
    id_list(event->value, "voters", old.size > 0 ? " to " : " ", out);
    buffer_append_text(out, old.size > 0 ? " (joint)" : "");
    id_list(event->value, "learners", " learners ", out);
    id_list(event->value, "coming", " coming ", out);
    buffer_free(&old);
}

static void notice_phrase(const struct trace_event *event, struct buffer *out)
{
    buffer_append_text(out, "! notice");
    if (event->peer != 0) {
        text_number(out, " from ", event->peer);
    }
    with_text(event, out, "");
}

/* ---- what no node did ----------------------------------------------------------------------- */

static void field_words(struct bytes map, const char *name, struct buffer *out)
{
    struct bytes found;
    if (value_field_string(map, name, &found)) {
        buffer_append_byte(out, ' ');
        buffer_append(out, found.data, found.size);
    } else if (value_field(map, name, &found)) {
        buffer_append_byte(out, ' ');
        trace_write_value(found, out);
    }
}

void text_client(const struct trace_event *event, struct buffer *out)
{
    static const char *const values[] = {"key", "value", "error"};
    struct bytes found;
    buffer_append_text(out, "client");
    field_words(event->value, "process", out);
    buffer_append_byte(out, ':');
    field_words(event->value, "type", out);
    field_words(event->value, "f", out);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        if (value_field(event->value, values[i], &found)) {
            buffer_append_byte(out, ' ');
            trace_write_value(found, out);
        }
    }
}

void text_fault(const struct trace_event *event, struct buffer *out)
{
    buffer_append(out, event->text.data, event->text.size);
    buffer_append_byte(out, '(');
    text_arguments(event->value, out);
    buffer_append_byte(out, ')');
}

static void across_phrase(const struct trace_event *event, struct buffer *out)
{
    switch (event->kind) {
    case TRACE_FAULT:
        buffer_append_text(out, "▶ ");
        text_fault(event, out);
        break;
    case TRACE_CLIENT:
        text_client(event, out);
        break;
    case TRACE_NOTE:
        buffer_append_text(out, "✎ ");
        buffer_append(out, event->text.data, event->text.size);
        break;
    case TRACE_VIOLATION:
        buffer_append_text(out, "‼ VIOLATION of ");
        buffer_append(out, event->text.data, event->text.size);
        if (event->value.size > 0) {
            buffer_append_text(out, ": ");
            trace_write_value(event->value, out);
        }
        break;
    default:
        with_text(event, out, trace_kind_name((enum trace_kind)event->kind));
    }
}

/* ---- all ------------------------------------------------------------------------------------ */

static void log_phrase(const struct trace_event *event, struct trace_phrase *phrase)
{
    switch (event->kind) {
    case TRACE_APPEND:
        ranged(phrase, chosen(phrase, "appends ", "adds "), event->first, event->last);
        if (event->term != 0) { /* our nodes' events tell it by their entries only */
            term_after(event, phrase);
        }
        break;
    case TRACE_TRUNCATE:
        ranged(phrase, "removes ", event->first, event->last);
        break;
    case TRACE_APPLY:
        ranged(phrase, chosen(phrase, "applies ", "apply "), event->index, event->index);
        break;
    case TRACE_CONFIRM:
        ranged(phrase, chosen(phrase, "confirms read ", "confirms "), event->first, event->last);
        break;
    case TRACE_READ:
        ranged(phrase, chosen(phrase, "takes read ", "read "), event->sequence, event->sequence);
        break;
    case TRACE_MATCH:
        with_peer(event, phrase, "match ");
        text_number(&phrase->after, " at ", event->index);
        break;
    case TRACE_COMMIT:
        text_number(&phrase->before, "COMMIT ", event->index);
        break;
    case TRACE_SNAPSHOT:
        text_number(&phrase->before, chosen(phrase, "snapshot at ", "snapshot "), event->index);
        break;
    case TRACE_INSTALL:
        text_number(&phrase->before, chosen(phrase, "installs snapshot at ", "installs "),
                    event->index);
        break;
    default:
        ensure(event->kind == TRACE_RESTORE);
        text_number(&phrase->before, chosen(phrase, "restored at ", "restored "), event->index);
    }
}

static void node_phrase(const struct trace_event *event, struct trace_phrase *phrase)
{
    switch (event->kind) {
    case TRACE_START:
        start_phrase(event, phrase);
        break;
    case TRACE_STOP:
        with_text(event, &phrase->before, "stops");
        break;
    case TRACE_ROLE:
        role_phrase(event, phrase);
        break;
    case TRACE_VOTE:
        vote_phrase(event, phrase);
        break;
    case TRACE_WRITE:
        disk_phrase(event, &phrase->before, "writes");
        break;
    case TRACE_SYNC:
        disk_phrase(event, &phrase->before, "synced");
        break;
    case TRACE_MEMBERS:
        members_phrase(event, &phrase->before);
        break;
    case TRACE_CONNECT:
        with_peer(event, phrase, chosen(phrase, "connected ", "conn "));
        break;
    case TRACE_DISCONNECT:
        with_peer(event, phrase, chosen(phrase, "connection ", "conn "));
        buffer_append_byte(&phrase->after, ' ');
        lost_words(event, phrase);
        break;
    default:
        ensure(event->kind == TRACE_NOTICE);
        notice_phrase(event, &phrase->before);
    }
}

void trace_write_phrase(const struct trace_event *event, struct trace_phrase *phrase)
{
    ensure(event->kind < TRACE_KIND_COUNT);
    buffer_clear(&phrase->before);
    buffer_clear(&phrase->after);
    phrase->has_peer = false;
    phrase->has_range = false;
    switch (event->kind) {
    case TRACE_SEND:
    case TRACE_RECEIVE:
    case TRACE_DROP:
        message_phrase(event, phrase);
        break;
    case TRACE_START:
    case TRACE_STOP:
    case TRACE_ROLE:
    case TRACE_VOTE:
    case TRACE_WRITE:
    case TRACE_SYNC:
    case TRACE_MEMBERS:
    case TRACE_CONNECT:
    case TRACE_DISCONNECT:
    case TRACE_NOTICE:
        node_phrase(event, phrase);
        break;
    case TRACE_CLIENT:
    case TRACE_FAULT:
    case TRACE_NOTE:
    case TRACE_VIOLATION:
    case TRACE_RUN:
    case TRACE_VERDICT:
        across_phrase(event, &phrase->before);
        break;
    default:
        log_phrase(event, phrase);
    }
}

void trace_phrase_free(struct trace_phrase *phrase)
{
    buffer_free(&phrase->before);
    buffer_free(&phrase->after);
}
