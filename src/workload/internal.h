/* The inside of workload/, shared by its files. */
#ifndef RAFTBENCH_WORKLOAD_INTERNAL_H
#define RAFTBENCH_WORKLOAD_INTERNAL_H

#include "workload/workload.h"

/* ---- operations (kinds.c) -------------------------------------------------------------------- */

/* How key and value of an operation are drawn. */
enum workload_draw {
    DRAW_KEY,   /* any key, no value */
    DRAW_WRITE, /* any key, a new value */
    DRAW_CAS,   /* any key; from the value that was seen last to a new one */
    DRAW_GROW,  /* a value more for a key that is read whole */
    DRAW_GROWN, /* such a key */
    DRAW_ADD,   /* such a key; a new element or one that was used lately */
    DRAW_OF,    /* such a key; an element that was used lately */
};

/* What the "kv" machine answers. */
enum workload_answer {
    ANSWER_DONE,     /* whatever: it took effect */
    ANSWER_READ,     /* { value }, or {} for none */
    ANSWER_WHOLE,    /* { list }, or {} for none */
    ANSWER_COMPARED, /* { true } or { false, present } */
    ANSWER_CHANGED,  /* whether that changed it */
    ANSWER_CONTAINS, /* as WHOLE: whether the value is in it */
};

struct workload_verb_of {
    struct workload_verb verb;
    const char *op; /* what it is called in the machine's command; reads are all "get" */
    enum workload_draw draw;
    enum workload_answer answer;
};

const struct workload_verb_of *workload_verb_of(const struct workload *workload, uint32_t f);
/* What is asked of the cluster, an encoded value; commands with this number, where it is not 0. */
void workload_body(struct workload *workload, const struct workload_operation *operation,
                   uint64_t number, struct buffer *out);
/* What an answer says of an operation. false: the machine answers in another form; `form` is the
 * one that is expected. */
bool workload_answer(struct workload *workload, const struct workload_operation *operation,
                     struct bytes answer, struct workload_outcome *outcome, const char **form);
/* Notes what a completed operation says of its key, for cas. */
void workload_note(struct workload *workload, const struct workload_entry *entry);

/* ---- clients --------------------------------------------------------------------------------- */

enum client_state {
    CLIENT_IDLE,     /* not begun; client 0: nothing under way */
    CLIENT_SLEEPING, /* before its next operation */
    CLIENT_RESTING,  /* after its last */
    CLIENT_ASKED,    /* its operation is under way */
    CLIENT_NEEDS,    /* the script, for `need` */
    CLIENT_ENDED,
};

struct given_operation {
    int64_t at_ns;
    struct workload_operation operation;
};

struct workload_client {
    struct request_asker asker;
    struct workload *workload;
    uint32_t number;
    enum client_state state;
    enum workload_need need;
    enum workload_target target;
    struct random stream;
    int64_t process; /* its own number, until workload_change_process */
    uint32_t session;
    uint64_t ticket;
    int64_t stays; /* operations that it asks `node`, which it takes for the leader */
    uint64_t node;
    int64_t next_ns; /* when it asks next, at a rate; NONE: as soon as it begins */
    array_of(struct given_operation) given;
    size_t given_done;
    struct workload_operation operation;
    size_t invoke; /* its entry */
    size_t last;   /* the last entry of this client's */
    bool is_pending;
    enum workload_type ended; /* how the last one ended */
    bool is_refused_by_rule;  /* a cas that found another value */
    int64_t ended_ns;
};

struct workload_key {
    uint32_t number;
    struct bytes text; /* of its own */
    uint64_t additions;
};

struct workload {
    struct cluster *cluster;
    struct workload_options options; /* its arrays are not kept */
    int64_t end_ns;
    uint64_t left; /* operations */
    bool is_over;
    bool is_closed;
    struct interner values;
    uint32_t null; /* numbers of values */
    uint32_t mismatch;
    struct workload_client *clients; /* by number; they stay where they are */
    array_of(enum workload_target) targets;
    array_of(uint32_t) weights;
    uint64_t weight; /* their sum */
    array_of(struct workload_key) keys;
    array_of(uint32_t) seen;  /* by the number of a key: the value that was seen last; 0: none */
    uint64_t written;         /* values so far */
    array_of(uint32_t) verbs; /* by position of the kind's operations: the number of its name */
    array_of(struct workload_entry) entries;
    array_of(struct workload_tally) tallies;
    struct buffer value; /* scratch */
    struct buffer body;
    char failure[320];
};

/* ---- workload.c */
/* So long after that time; what is too far away is never. */
int64_t workload_time_after(int64_t time_ns, int64_t length_ns);
/* The number of the value in the scratch buffer, which is empty again. */
uint32_t workload_value(struct workload *workload);
uint32_t workload_text(struct workload *workload, const char *text); /* of a text as a value */

/* ---- draw.c */
void workload_draw(struct workload *workload, struct workload_client *client,
                   struct workload_operation *operation);
void workload_draw_parts(struct workload *workload, struct random *stream, uint32_t f,
                         struct workload_operation *operation);

/* ---- target.c */
void workload_choose(struct workload *workload, struct workload_client *client,
                     struct workload_operation *operation);
/* It is no leader: the one that it names is, or another. */
void workload_refused(struct workload_client *client, const struct failure *failure);

/* ---- history.c */
/* Nobody knows what became of its operation, as if its process still waited: it goes on as another,
 * which is no other client's. */
void workload_change_process(struct workload_client *client);
void workload_invoke(struct workload *workload, struct workload_client *client);
void workload_complete(struct workload *workload, struct workload_client *client,
                       struct workload_outcome *outcome);

#endif
