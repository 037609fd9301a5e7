/*
 * trace: what happened, as typed events, for many readers: the invariant checker, the ring of
 * recent events, JSON lines, log lines, diagrams. One trace for a cluster.
 *
 * trace.c (emit, subscribers), hash.c, ring.c (recent events), copy.c (events that outlive their
 * call), record.c (events to bytes and back), words.c (names), json_lines.c and json_parse.c (event
 * to JSON and back), text.c and sentence.c (an event in a sentence, for log lines), phrase.c (in a
 * few words, for diagrams), notation.c (values in either), file.c (lines to files). It decides
 * nothing, and knows of Raft only the words. A kind without a subscriber costs its emitter one bit
 * test (trace_wants).
 */
#ifndef RAFTBENCH_TRACE_H
#define RAFTBENCH_TRACE_H

#include "base/base.h"

#include <stdio.h>

#define TRACE_KINDS(X)                                                                             \
    X(START, "start") /* a node begins: directory, term, vote, first, last, entries (its log),     \
                         members, configurations (the one before its entries, then theirs) */      \
    X(STOP, "stop")   /* text: why ("crash", "shutdown", "removed", "failed: ...") */              \
    X(ROLE, "role")   /* role, term, peer = leader known (0: none) */                              \
    X(VOTE, "vote")   /* it votes: term, peer = the candidate, last / last_term of its own log;    \
                         flag: before it is durable */                                             \
    X(SEND, "send")   /* message fields, peer = to */                                              \
    X(RECEIVE, "receive") /* message fields, peer = from */                                        \
    X(DROP, "drop") /* of the sender's message: node = sender, peer = to, message_number, text =   \
                       reason */                                                                   \
    X(APPEND, "append")     /* first, last, entries, configurations (among them) */                \
    X(TRUNCATE, "truncate") /* first, last: removed */                                             \
    X(WRITE, "write")       /* handed to the disk: what, sequence, term, vote, first, last */      \
    X(SYNC, "sync")         /* durable now: what, sequence, term, vote, first, last */             \
    X(MATCH, "match")       /* a leader knows that peer's log matches up to index */               \
    X(COMMIT, "commit")     /* commit index is now index, of term entry_term; flag: by counting */ \
    X(APPLY, "apply")       /* index, entry_term, hash of payload; flag: a command, with           \
                               answer_hash, state_hash of the machine after it, applied */         \
    X(SNAPSHOT, "snapshot") /* taken: index, entry_term, answer_hash of the machine's state */     \
    X(INSTALL, "install") /* from a leader: index, entry_term, configurations (the snapshot's) */  \
    X(RESTORE, "restore") /* the machine became that of a snapshot: as SNAPSHOT */                 \
    X(MEMBERS, "members") /* in force: index, value (voters, voters_old, learners, directories     \
                             of all of these by rising id), configurations (that one) */           \
    X(READ, "read")       /* a leader takes a linearizable read: sequence = its number */          \
    X(CONFIRM, "confirm") /* reads first..last are confirmed: answered once index is applied;      \
                             flag: by the leader's lease */                                        \
    X(CONNECT, "connect") /* a connection to peer is up; text: how */                              \
    X(DISCONNECT, "disconnect") /* or down; text: why */                                           \
    X(CLIENT, "client")         /* a client's history entry: value */                              \
    X(FAULT, "fault")         /* a fault or a control call: text = its name, value = arguments */  \
    X(NOTICE, "notice")       /* something from outside was refused: peer, text  */                \
    X(NOTE, "note")           /* the script's own line: text */                                    \
    X(VIOLATION, "violation") /* text: property; value: details */                                 \
    X(RUN, "run")             /* a cluster begins: text = name, value = {mode, seed, nodes} */     \
    X(VERDICT, "verdict")     /* it ended: text = name, value = {passed, message} */

enum trace_kind {
#define X(name, text) TRACE_##name,
    TRACE_KINDS(X)
#undef X
        TRACE_KIND_COUNT
};

#define TRACE_MASK(kind) (1ULL << (kind))
#define TRACE_ALL (TRACE_MASK(TRACE_KIND_COUNT) - 1)

const char *trace_kind_name(enum trace_kind kind);
bool trace_kind_from_name(struct bytes name, enum trace_kind *kind);

/* What a WRITE or SYNC was about (bits). */
#define TRACE_STATE 1U
#define TRACE_ENTRIES 2U
#define TRACE_SNAPSHOTS 4U

/* Their words: "entries", "state+entries". */
void trace_what_words(uint8_t what, struct buffer *out);

/* One entry of a log as the checker needs it. */
struct trace_entry {
    uint64_t term;
    uint64_t hash; /* of kind and payload */
};

/* One event. Fields that a kind does not use are 0. Texts, values and entries are views, valid
 * during the call only; the ring keeps no entries. */
/* A command and its answer: encoded values (base.h). */
struct trace_applied {
    struct bytes command;
    struct bytes answer;
};

struct trace_event {
    /* The numbers, side by side: trace_numbers goes through them. */
    int64_t time_ns; /* the world's clock */
    uint64_t node;   /* 0: the world or a client */
    uint64_t peer;
    uint64_t term;
    uint64_t index;
    uint64_t first;
    uint64_t last;
    uint64_t hash;
    uint64_t answer_hash;
    uint64_t message_number; /* the sender's */
    uint64_t sequence;
    uint64_t prev_index;
    /* In COMMIT, APPLY, SNAPSHOT, INSTALL: the entry's term; in START that of the snapshot's last
     * entry; in VOTE: the last term of the voter's own log. */
    uint64_t prev_term;
    uint64_t commit;
    /* In START the node's own, which stays until the next; in ROLE, VOTE, MATCH, SEND (of an
     * answer) and RECEIVE the peer's. */
    uint64_t directory;
    uint64_t vote_directory;
    uint64_t vote;
    uint64_t state_hash; /* 0: the machine has no digest, or states are not compared */

    uint64_t number; /* its place in the trace, from 1; set by trace_emit */
    uint32_t entry_count;
    uint8_t kind;
    uint8_t what;
    uint8_t role;         /* with role_name */
    uint8_t message_kind; /* with message_name */
    bool reject;
    bool flag;
    const char *role_name; /* static strings of whoever emits; hashed by their codes; NULL: none */
    const char *message_name;
    const struct trace_entry *entries;
    struct bytes text;
    struct bytes value; /* an encoded value (base.h) */
    /* Configurations as the checker needs them: encoded values in pairs, an index and the bytes of
     * an entry's payload. Like entries, not in JSON lines nor in the ring. */
    struct bytes configurations;
    const struct trace_applied *applied; /* while it is told only: in no copy */
};

#define TRACE_NUMBERS 18U

static inline const uint64_t *trace_numbers(const struct trace_event *event)
{
    _Static_assert(offsetof(struct trace_event, number) == TRACE_NUMBERS * sizeof(uint64_t),
                   "an event begins with its numbers");
    return (const uint64_t *)(const void *)event;
}

struct trace;

struct trace *trace_new(void);
void trace_free(struct trace *trace);

/* A reader: called for each event whose kind is in `mask`, in the order of subscription. What it
 * emits itself is queued behind the present event. It may subscribe and unsubscribe; who is new
 * begins with the next event. */
typedef void trace_reader(void *context, const struct trace_event *event);
int trace_subscribe(struct trace *trace, uint64_t mask, trace_reader *reader, void *context);
void trace_unsubscribe(struct trace *trace, int subscription);

/* The kinds that somebody reads. */
uint64_t trace_wanted(const struct trace *trace);
#define trace_wants(trace, kind) ((*(const uint64_t *)(const void *)(trace)&TRACE_MASK(kind)) != 0)

/* Numbers the event and hands it to its readers. An emitted event inside a reader is queued behind
 * the present one. */
void trace_emit(struct trace *trace, struct trace_event *event);
/* How many events readers have emitted, one because of the other, since the event that began it; 0:
 * none is being handed out. A reader that emits what it reads goes on for ever: whoever emits for
 * somebody else's code refuses from TRACE_CHAINED_MAX on. */
#define TRACE_CHAINED_MAX 10000U
size_t trace_chained(const struct trace *trace);
/* Events emitted so far, whether or not anybody read them; not those that their emitter left out
 * because nobody wanted them. */
uint64_t trace_count(const struct trace *trace);

/* A running hash over all events, field by field, kept from now on (subscribes to all kinds). An
 * event's own number is not in it. */
void trace_keep_hash(struct trace *trace);
uint64_t trace_hash(const struct trace *trace);
/* What the hash was after each TRACE_MARK_EVENTS events: where two runs part, the first mark that
 * differs says when. */
#define TRACE_MARK_EVENTS 1000U
size_t trace_mark_count(const struct trace *trace);
uint64_t trace_mark_at(const struct trace *trace, size_t position);

/* The ring of the latest `capacity` events (0: none); grows up to it. Called again, it begins
 * empty. Positions: 0 is the oldest kept. */
void trace_keep_ring(struct trace *trace, size_t capacity);
size_t trace_ring_size(const struct trace *trace);
/* The event there, without its number; its texts and values are views of the ring. */
void trace_ring_at(const struct trace *trace, size_t position, struct trace_event *event);
/* A trace of its own that holds the ring and nothing else; the other keeps none from here on. For
 * events that outlive their cluster. */
struct trace *trace_take_ring(struct trace *trace);

/* One line of JSON, without its end; e.g.
 * {"time":1500000,"node":1,"kind":"send","peer":2,"message":"append","number":7,"term":3,...}. Zero
 * fields that the kind does not need are left out; numbers above INT64_MAX are strings of digits,
 * hashes strings of 16 hexadecimal digits; "number" is message_number, "entries" their count. */
void trace_write_json(const struct trace_event *event, struct buffer *out);
/* Such a line back to an event; safe on any bytes, unknown members are passed over. Names are
 * static, text and value point into `storage`, which this clears, as it does `problem`. The event's
 * number and entries are not in a line: 0 and NULL. false: `problem` says in words what is wrong.
 */
bool trace_read_json(struct bytes line, struct trace_event *event, struct buffer *storage,
                     struct buffer *problem);
/* An event as another process of ours reads it; with its entries and configurations, or with no
 * more than how many entries there are. */
void trace_write_record(const struct trace_event *event, bool with_entries, struct buffer *out);
/* Back to an event; safe on any bytes. Its entries are in `storage`, which this clears, its texts
 * and values point into the record. The event's number is not in it. false: it is no record. */
bool trace_read_record(struct bytes record, struct trace_event *event, struct buffer *storage);
/* A readable line: "0.123456 [2] becomes leader of term 3", without its end. */
void trace_write_text(const struct trace_event *event, struct buffer *out);
/* A value in Lua's notation, on one line; bytes of strings as they are. */
void trace_write_value(struct bytes value, struct buffer *out);

/* An event in a few words, as a cell of a diagram holds it: what stands before and behind its peer
 * or its range, apart from them, so that neighbours can be joined. Bytes of texts as they are. All
 * zero to begin with, and used again. */
struct trace_phrase {
    bool is_brief;        /* set by the caller: shorter words, for a narrow column */
    bool is_term_unknown; /* set by the caller: a role is told without its term */
    struct buffer before;
    struct buffer after;
    bool has_peer;
    bool has_range;
    uint64_t peer; /* 0: the client */
    uint64_t first;
    uint64_t last;
};

void trace_write_phrase(const struct trace_event *event, struct trace_phrase *phrase);
void trace_phrase_free(struct trace_phrase *phrase);

/* Subscribes a writer of JSON lines to `path` (appending where `append`), or of readable lines to
 * `stream`. false and errno's words in `problem` where it cannot be opened. Closed (flushed) by
 * trace_free or trace_file_close. A write that fails is reported by trace_file_close. */
bool trace_file_open(struct trace *trace, const char *path, bool append, char *problem,
                     size_t problem_size);
/* From now on each event is in the file as soon as it has happened, whatever ends the process. */
void trace_file_write_at_once(struct trace *trace);
bool trace_file_close(struct trace *trace, char *problem, size_t problem_size);
void trace_print_to(struct trace *trace, FILE *stream, uint64_t mask);

#endif
