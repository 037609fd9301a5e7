/*
 * The words of kinds, roles and messages. The trace knows of Raft only these: their codes are those
 * of raft.h, so that an event read from a file equals the one that was written.
 */
#include "trace/internal.h"

#include <string.h>

static const char *const kind_names[] = {
#define X(name, text) text,
    TRACE_KINDS(X)
#undef X
};

static const char *const role_names[] = {"follower", "pre_candidate", "candidate", "leader",
                                         "learner"};

static const char *const message_names[] = {
    "none",
    "pre_vote",
    "pre_vote_response",
    "vote",
    "vote_response",
    "append",
    "append_response",
    "snapshot",
    "snapshot_response",
    "timeout_now",
    "timeout_now_response",
    "read",
    "read_response",
};

/* Of frames that are no messages of Raft (world.h): they have no code. */
static const char *const frame_names[] = {"request",       "answer",  "client_request",
                                          "client_answer", "forward", "forward_answer"};

/* By bit. */
static const char *const what_names[] = {"state", "entries", "snapshot"};
#define WHAT_COUNT (sizeof what_names / sizeof *what_names)

static bool find(const char *const *names, size_t count, struct bytes name, size_t *code)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes_equal(name, (struct bytes){(const uint8_t *)names[i], strlen(names[i])})) {
            *code = i;
            return true;
        }
    }
    return false;
}

const char *trace_kind_name(enum trace_kind kind)
{
    ensure((size_t)kind < TRACE_KIND_COUNT);
    return kind_names[kind];
}

bool trace_kind_from_name(struct bytes name, enum trace_kind *kind)
{
    size_t code = 0;
    if (!find(kind_names, TRACE_KIND_COUNT, name, &code)) {
        return false;
    }
    *kind = (enum trace_kind)code;
    return true;
}

const char *trace_role_from_name(struct bytes name, uint8_t *role)
{
    size_t code = 0;
    if (!find(role_names, sizeof role_names / sizeof *role_names, name, &code)) {
        return TRACE_UNKNOWN_WORD;
    }
    *role = (uint8_t)code;
    return role_names[code];
}

const char *trace_message_from_name(struct bytes name, uint8_t *message)
{
    size_t code = 0;
    if (find(message_names, sizeof message_names / sizeof *message_names, name, &code)) {
        *message = (uint8_t)code;
        return message_names[code];
    }
    if (find(frame_names, sizeof frame_names / sizeof *frame_names, name, &code)) {
        return frame_names[code];
    }
    return TRACE_UNKNOWN_WORD;
}

const char *trace_role_name(uint8_t role)
{
    return role < sizeof role_names / sizeof *role_names ? role_names[role] : NULL;
}

const char *trace_message_name(uint8_t message)
{
    return message < sizeof message_names / sizeof *message_names ? message_names[message] : NULL;
}

void trace_what_words(uint8_t what, struct buffer *out)
{
    const char *separator = "";
    for (size_t i = 0; i < WHAT_COUNT; i++) {
        if ((what & 1U << i) != 0) {
            buffer_append_text(out, separator);
            buffer_append_text(out, what_names[i]);
            separator = "+";
        }
    }
}

bool trace_what_from_name(struct bytes name, uint8_t *bit)
{
    size_t code = 0;
    if (!find(what_names, WHAT_COUNT, name, &code)) {
        return false;
    }
    *bit = (uint8_t)(1U << code);
    return true;
}
