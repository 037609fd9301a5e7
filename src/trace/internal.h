/*
 * What the files of trace/ share among themselves.
 */
#ifndef RAFTBENCH_TRACE_INTERNAL_H
#define RAFTBENCH_TRACE_INTERNAL_H

#include "trace/trace.h"

/* ---- copies of events (copy.c) -------------------------------------------------------------- */

/* An event that outlives its emitter's call. All zero is an empty one. */
struct event_copy {
    struct trace_event event;
    uint8_t *storage; /* of entries, text and value, which the event's views point into */
};

void event_copy_set(struct event_copy *copy, const struct trace_event *event);
void event_copy_free(struct event_copy *copy);

/* ---- the words of roles and messages (words.c) ---------------------------------------------- */

/* The static word, and its code as raft.h numbers it where it has one. A word that a newer program
 * wrote becomes TRACE_UNKNOWN_WORD: its trace is still of use. */
#define TRACE_UNKNOWN_WORD "unknown"
const char *trace_role_from_name(struct bytes name, uint8_t *role);
const char *trace_message_from_name(struct bytes name, uint8_t *message);
bool trace_what_from_name(struct bytes name, uint8_t *bit);
/* By its code; NULL: there is none. */
const char *trace_role_name(uint8_t role);
const char *trace_message_name(uint8_t message);
#define TRACE_WHAT_ALL 7U

/* ---- JSON lines (json_lines.c, json_parse.c) ------------------------------------------------ */

/* Fields of 64 bits in the order in which a line has them, with the names that it gives them. */
#define TRACE_FIELDS(X)                                                                            \
    X(TERM, "term", term)                                                                          \
    X(INDEX, "index", index)                                                                       \
    X(FIRST, "first", first)                                                                       \
    X(LAST, "last", last)                                                                          \
    X(PREV_INDEX, "prev_index", prev_index)                                                        \
    X(PREV_TERM, "prev_term", prev_term)                                                           \
    X(COMMIT, "commit", commit)                                                                    \
    X(SEQUENCE, "sequence", sequence)                                                              \
    X(VOTE, "vote", vote)                                                                          \
    X(VOTE_DIRECTORY, "vote_directory", vote_directory)                                            \
    X(DIRECTORY, "directory", directory)

enum trace_field_number {
#define X(name, text, member) FIELD_##name,
    TRACE_FIELDS(X)
#undef X
        FIELD_COUNT
};

struct trace_field {
    const char *name;
    size_t offset; /* in struct trace_event */
};

extern const struct trace_field trace_fields[FIELD_COUNT];

/* ---- events in words (text.c, sentence.c, phrase.c) ------------------------------------------ */

void text_number(struct buffer *out, const char *before, uint64_t number);
void text_range(struct buffer *out, const char *before, uint64_t first, uint64_t last);
/* Nothing at all where there are no words. */
void text_words(struct buffer *out, const char *before, struct bytes words);
void text_message(const struct trace_event *event, struct buffer *out);
/* What a client did or a fault was, in Lua's notation; bytes of strings as they are (phrase.c). */
void text_client(const struct trace_event *event, struct buffer *out);
void text_fault(const struct trace_event *event, struct buffer *out);
/* The arguments of a fault as a script would give them (notation.c). */
void text_arguments(struct bytes value, struct buffer *out);

/* ---- parts of a trace ----------------------------------------------------------------------- */

struct subscriber {
    uint64_t mask;
    trace_reader *reader; /* NULL: ended while events were being handed out */
    void *context;
    int id;
};

/* The latest events, overwritten in turn (ring.c). */
#define RECENT_LEAF_EVENTS 256U

struct recent_leaf {
    struct buffer records;
    size_t starts[RECENT_LEAF_EVENTS]; /* of each event's among them */
};

struct recent {
    array_of(struct recent_leaf) leaves; /* as many as count_max needs, in turn */
    size_t leaf;                         /* the one that is being filled */
    uint64_t total;                      /* events that were read */
    size_t count_max;                    /* 0: none are kept */
    int subscription;
};

struct printer {
    FILE *stream;
    struct buffer line;
    struct printer *next;
};

struct json_file {
    FILE *stream; /* NULL: not open */
    struct buffer line;
    uint64_t flushed; /* kinds behind which all is written at once */
    int error;        /* errno of the first write that failed; 0: none */
    int subscription;
};

struct trace {
    uint64_t wanted; /* the first member: trace_wants looks here */
    uint64_t count;
    array_of(struct subscriber) subscribers;
    int last_subscription;
    bool is_emitting;
    size_t chained; /* events that were queued since the outermost one */
    bool has_ended_subscribers;
    bool keeps_hash;
    uint64_t hash;
    uint64_t hashed;                  /* events in it */
    array_of(uint64_t) marks;         /* the hash after each TRACE_MARK_EVENTS of them */
    ring_of(struct event_copy) queue; /* what readers emitted */
    struct recent recent;
    struct json_file file;
    struct printer *printers;
};

void trace_hash_read(void *context, const struct trace_event *event);
void recent_free(struct recent *recent);
void trace_outputs_close(struct trace *trace);

#endif
