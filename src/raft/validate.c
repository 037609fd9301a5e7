/*
 * validate: whether a message's fields can be what a correct replica sent. What cannot is dropped
 * with a notice, before anything looks at it.
 *
 * It judges a message by itself, our id and our log's end; never by our role or term.
 */
#include "raft/internal.h"

/* Nobody campaigns so often while another hears nothing of it; but whoever could set our term at
 * will could use up all numbers. */
#define TERMS_AHEAD_MAX (1ULL << 32)

static const char *entry_problem(const struct raft_entry *entry)
{
    uint32_t size = raft_entry_size(entry);
    if (size > RAFT_ENTRY_BYTES_MAX) {
        return "an entry is too large";
    }
    if (size > 0 && entry->batch == NULL) {
        return "an entry without its bytes";
    }
    switch (raft_entry_kind(entry)) {
    case RAFT_ENTRY_COMMAND:
        return NULL;
    case RAFT_ENTRY_EMPTY:
        return size == 0 ? NULL : "an empty entry with bytes";
    case RAFT_ENTRY_CONFIGURATION: {
        struct raft_configuration configuration;
        if (!raft_configuration_decode(raft_entry_payload(entry), &configuration)) {
            return "a configuration that does not decode";
        }
        const char *problem = configuration_problem(&configuration);
        raft_configuration_free(&configuration);
        return problem;
    }
    default:
        return "an entry of an unknown kind";
    }
}

static const char *append_problem(const struct raft_message *message)
{
    if (message->entry_count > 0 && message->entries == NULL) {
        return "no entries where some are announced";
    }
    if (message->prev_term > message->term) {
        return "the previous entry's term is past the leader's";
    }
    uint64_t term = message->prev_term > 0 ? message->prev_term : 1;
    for (uint32_t i = 0; i < message->entry_count; i++) {
        const struct raft_entry *entry = &message->entries[i];
        if (entry->term < term || entry->term > message->term) {
            return "the entries' terms do not rise to the leader's";
        }
        const char *problem = entry_problem(entry);
        if (problem != NULL) {
            return problem;
        }
        term = entry->term;
    }
    return NULL;
}

static const char *snapshot_problem(const struct raft_message *message)
{
    if (message->prev_index == 0) {
        return "a snapshot of nothing";
    }
    if (message->prev_term > message->term) {
        return "the snapshot's term is past the leader's";
    }
    if (message->piece_size > 0 && message->piece == NULL) {
        return "a piece without its bytes";
    }
    return message->last && message->piece_size == 0 ? "the last piece is empty" : NULL;
}

bool message_is_answer(enum raft_message_kind kind)
{
    return kind == RAFT_PRE_VOTE_RESPONSE || kind == RAFT_VOTE_RESPONSE ||
           kind == RAFT_APPEND_RESPONSE || kind == RAFT_READ_RESPONSE ||
           kind == RAFT_SNAPSHOT_RESPONSE || kind == RAFT_TIMEOUT_NOW_RESPONSE;
}

static bool is_number(uint64_t number)
{
    return number < NUMBER_MAX;
}

static const char *head_problem(const struct raft *raft, const struct raft_message *message)
{
    if (message->from == 0 || message->from == raft->options.id) {
        return "not from another node";
    }
    if (message->to != raft->options.id) {
        return "not for this node";
    }
    if (message->term == 0 || !is_number(message->term)) {
        return "its term is out of range";
    }
    if (message->term > raft->term && message->term - raft->term > TERMS_AHEAD_MAX) {
        return "its term is too far ahead";
    }
    if (!is_number(message->prev_index) || !is_number(message->prev_term) ||
        !is_number(message->commit) || !is_number(message->index) ||
        !is_number(message->hint_index) || !is_number(message->hint_term) ||
        !is_number(message->sequence) || !is_number(message->offset)) {
        return "a number is out of range";
    }
    return NULL;
}

const char *message_problem(const struct raft *raft, const struct raft_message *message)
{
    const char *problem = head_problem(raft, message);
    if (problem != NULL) {
        return problem;
    }
    if ((message->prev_index == 0) != (message->prev_term == 0)) {
        return "an index without its term, or a term without its index";
    }
    switch (message->kind) {
    case RAFT_PRE_VOTE:
    case RAFT_VOTE:
        return message->prev_term < message->term ? NULL
                                                  : "a log that is not older than its own vote";
    case RAFT_APPEND:
        return append_problem(message);
    case RAFT_APPEND_RESPONSE:
        if ((message->hint_index == 0) != (message->hint_term == 0)) {
            return "a hint without its term, or a term without its hint";
        }
        return message->hint_index <= message->index ? NULL : "a hint past what was refused";
    case RAFT_SNAPSHOT:
        return snapshot_problem(message);
    case RAFT_SNAPSHOT_RESPONSE:
        return message->prev_index > 0 ? NULL : "an answer without its snapshot";
    case RAFT_PRE_VOTE_RESPONSE:
    case RAFT_VOTE_RESPONSE:
        return NULL;
    case RAFT_TIMEOUT_NOW:
        return message->prev_term == message->term ? NULL : "its entry is not of the leader's term";
    case RAFT_TIMEOUT_NOW_RESPONSE:
        return message->reject ? NULL : "an answer that refuses nothing";
    case RAFT_READ:
    case RAFT_READ_RESPONSE:
        return message->sequence > 0 ? NULL : "a read without its round";
    default:
        return "unknown kind of message";
    }
}
