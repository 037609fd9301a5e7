/*
 * workload: clients that go on asking a cluster while it runs, and the history of what they asked
 * and were told. workload.c (its life), client.c (one client, from one operation to the next),
 * kinds.c (the kinds: what each operation asks of the "kv" machine, and what the answer says),
 * draw.c (what is drawn), target.c (whom a client asks), history.c (the entries).
 *
 * Nothing here happens by itself: clients go on while the cluster is driven, as the askers of their
 * requests. What only a script can do (its own generator, its own `perform`) is asked of it by
 * workload_need. It judges no history.
 */
#ifndef RAFTBENCH_WORKLOAD_H
#define RAFTBENCH_WORKLOAD_H

#include "base/base.h"
#include "check/check.h"
#include "cluster/cluster.h"

struct workload;

/* ---- kinds (kinds.c) ------------------------------------------------------------------------ */

#define WORKLOAD_KINDS(X)                                                                          \
    X(REGISTER, "register")                                                                        \
    X(CAS_REGISTER, "cas-register")                                                                \
    X(KV, "kv")                                                                                    \
    X(APPEND, "append")                                                                            \
    X(SET, "set")                                                                                  \
    X(QUEUE, "queue")

enum workload_kind {
#define X(name, text) WORKLOAD_##name,
    WORKLOAD_KINDS(X)
#undef X
        WORKLOAD_KIND_COUNT,
    WORKLOAD_PERFORMED = WORKLOAD_KIND_COUNT /* of none: only the script knows its operations */
};

const char *workload_kind_name(enum workload_kind kind);

/* One kind's operation. */
struct workload_verb {
    const char *name;
    uint32_t weight; /* in the mix, where the script gives none; 0: not in it */
    bool is_read;
};

/* Its operations by position; NULL behind the last. */
const struct workload_verb *workload_verb_at(enum workload_kind kind, size_t position);
uint32_t workload_default_keys(enum workload_kind kind);
/* Whether it goes on to further keys, since they are read whole. */
bool workload_changes_keys(enum workload_kind kind);

/* ---- options -------------------------------------------------------------------------------- */

enum workload_source {
    WORKLOAD_DRAWN,     /* from each client's stream, by the mix */
    WORKLOAD_GIVEN,     /* a list of what was done before, at its times */
    WORKLOAD_GENERATED, /* by the script's own function */
};

enum workload_target {
    WORKLOAD_LEADER, /* it looks for the leader */
    WORKLOAD_KNOWN,  /* it stays for a while with a node that believes that it leads */
    WORKLOAD_ANY,    /* any node */
};

#define WORKLOAD_NONE INT64_C(-1)

/* Arrays are copied. */
struct workload_options {
    uint64_t seed;
    uint32_t number; /* among the cluster's, from 1: names its streams */
    enum workload_kind kind;
    enum workload_source source;
    bool performs; /* the script's own function does what is asked */
    bool locates;  /* commands carry a number, so that they are found in the logs later */
    bool is_session;
    bool is_text;                        /* values are texts, for "append" to add to */
    bool notes_values;                   /* of completed operations, for cas */
    uint32_t clients;                    /* 1 or more */
    const uint32_t *weights;             /* by position of the kind's operations */
    const enum workload_target *targets; /* dealt out to the clients in turn */
    size_t target_count;
    uint64_t values;             /* so many different ones; 0: each is written once */
    uint64_t count;              /* operations in all */
    int64_t gap_ns;              /* between two of a client, on average; NONE: as fast as it can */
    int64_t length_ns;           /* from now; WORLD_NEVER: without end */
    double timeout_s;            /* of one operation */
    int64_t timeout_ns;          /* the same */
    enum node_request_kind read; /* how it reads */
    uint64_t judge_at;           /* entries after which workload_need is JUDGE; UINT64_MAX: never */
};

/* ---- life (workload.c) ---------------------------------------------------------------------- */

struct workload *workload_new(struct cluster *cluster, const struct workload_options *options);
/* After the cluster, or after workload_forget: until then the cluster knows its clients as askers.
 */
void workload_free(struct workload *workload);

/* The number of a value (encoded), a key (encoded) or an operation's name (plain text), new or not,
 * and what it stands for, valid until the next new one. 0 is "none". */
uint32_t workload_number(struct workload *workload, struct bytes bytes);
struct bytes workload_bytes(const struct workload *workload, uint32_t number);

/* Keys to draw from; `text` is what names of keys that change begin with. Before the first start.
 */
void workload_add_key(struct workload *workload, struct bytes key, struct bytes text);

/* What is asked: numbers of texts and values, 0 for none. */
struct workload_operation {
    uint32_t f;
    uint32_t key;
    uint32_t value;
    uint64_t node;    /* 0: the leader */
    double timeout_s; /* 0: the workload's */
    enum node_request_kind read;
};

/* GIVEN: an operation at its time, behind those that the client already has. */
void workload_give(struct workload *workload, uint32_t client, int64_t at_ns,
                   const struct workload_operation *operation);

/* ---- clients (client.c): numbered from 1; 0 is one more, which only does what it is told ------
 */

/* What a client needs of the script before it can go on. */
enum workload_need {
    WORKLOAD_NOTHING,   /* it waits for the world */
    WORKLOAD_OPERATION, /* the next: workload_take */
    WORKLOAD_PERFORM,   /* doing its operation: workload_performed */
    WORKLOAD_JUDGE,     /* a look at the history: workload_judged */
    WORKLOAD_ANSWERED,  /* client 0 has its answer */
    WORKLOAD_ENDED,
    WORKLOAD_FAILED, /* for good: workload_failure */
};

/* It begins, once; client 0 only gets its session, perhaps another one later. 0: it has none.
 * `handle`: its asker's. */
enum workload_need workload_start(struct workload *workload, uint32_t client, uint32_t session,
                                  uint64_t handle);
enum workload_need workload_need(const struct workload *workload, uint32_t client);
/* What it is asked to do next; NULL: nothing more. */
enum workload_need workload_take(struct workload *workload, uint32_t client,
                                 const struct workload_operation *operation);
/* The history was looked at, and will be again at so many entries. */
enum workload_need workload_judged(struct workload *workload, uint32_t client, uint64_t judge_at);
/* Client 0 is asked to do this. */
enum workload_need workload_ask(struct workload *workload,
                                const struct workload_operation *operation);
/* The operation that a client does, or has done last. */
const struct workload_operation *workload_asked(const struct workload *workload, uint32_t client);

enum workload_type { WORKLOAD_INVOKE, WORKLOAD_OK, WORKLOAD_FAIL, WORKLOAD_INFO };

/* The position of the last entry that a client made. */
size_t workload_last(const struct workload *workload, uint32_t client);
/* What became of it. */
struct workload_outcome {
    enum workload_type type;
    uint32_t value;
    uint32_t result;
    uint32_t seen;
    uint32_t error;
    uint64_t log_index; /* WORKLOAD_UNPLACED: none */
};

#define WORKLOAD_UNPLACED UINT64_MAX

enum workload_need workload_performed(struct workload *workload, uint32_t client,
                                      const struct workload_outcome *outcome);
const char *workload_failure(const struct workload *workload);

/* No client begins anything more; those that sleep end at once. */
void workload_stop(struct workload *workload);
/* All end where they are; what they have asked goes on by itself, and nobody hears of it. */
void workload_leave(struct workload *workload);
/* The same, and what they have asked is forgotten: then it can be freed before its cluster. */
void workload_forget(struct workload *workload);

/* ---- the history (history.c) ---------------------------------------------------------------- */

struct workload_entry {
    enum workload_type type;
    enum node_request_kind read; /* of an invoke */
    int64_t process;             /* above 0; those of client 0 are not */
    int64_t time_ns;
    uint64_t node; /* of an invoke; 0: the leader */
    double timeout_s;
    uint32_t f;
    uint32_t key;
    size_t invoke;                   /* the position of its operation's, or its own */
    struct workload_outcome outcome; /* of an invoke only its value */
};

size_t workload_count(const struct workload *workload);
const struct workload_entry *workload_entry(const struct workload *workload, size_t position);
/* No entry comes after this: what is open is unknown. Commands of which nobody knows what became
 * get their place in the logs, where they are looked for. */
void workload_close(struct workload *workload);
bool workload_is_closed(const struct workload *workload);

/* By operation: how many were asked, the last of their invokes, whether one has succeeded. */
struct workload_tally {
    uint32_t f;
    uint64_t asked;
    size_t last;
    bool has_succeeded;
};

const struct workload_tally *workload_tally_at(const struct workload *workload, size_t position);
/* As a check reads it, ended; the caller frees it. */
struct history *workload_history(const struct workload *workload);
/* An operation of that name, as it is drawn for client 0. false: no kind knows it. */
bool workload_draw_again(struct workload *workload, uint32_t f,
                         struct workload_operation *operation);

#endif
