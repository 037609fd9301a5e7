/*
 * check, inside: what the checker knows of a run, and the few functions its files share.
 *
 * How it is kept small and fast. Log matching is judged at every entry that enters a log, so a pair
 * (index, term) that was accepted stands for that entry and for the whole log before it: it is the
 * chained hash. A term's entries are therefore hashed once for all nodes (struct term), a node's
 * log is a short list of runs of equal term (struct chain), and "both hold the same log up to here"
 * is one comparison of two terms. 8 bytes an entry for the whole cluster, answers included.
 *
 * Nothing here is ever judged from a fact that is not known: a NULL term is an entry that was not
 * seen (compacted, or its event is missing), and equals anything.
 */
#ifndef RAFTBENCH_CHECK_INTERNAL_H
#define RAFTBENCH_CHECK_INTERNAL_H

#include "check/check.h"
#include "raft/raft.h"

/* ---- chains.c ------------------------------------------------------------------------------- */

#define HASHES_CHUNK 128U /* indexes; small, because an election storm has one entry a term */

/* A 32-bit digest for each index, in chunks that never move; 0: not known. */
struct hashes {
    array_of(uint32_t *) chunks;
    uint64_t first_chunk; /* the first of chunks holds indexes from first_chunk * HASHES_CHUNK */
};

/* The place for an index, made where it is missing. */
uint32_t *hashes_at(struct hashes *hashes, uint64_t index);
void hashes_forget(struct hashes *hashes, uint64_t below); /* whole chunks below that index */
void hashes_free(struct hashes *hashes);
/* Never 0. What differs differs here but for one case in four billion: a checker may miss that. */
static inline uint32_t hashes_digest(uint64_t hash)
{
    uint32_t digest = (uint32_t)(hash ^ (hash >> 32));
    return digest == 0 ? 1 : digest;
}

/* An id and a directory: an emptied disk is another server. id 0: none. */
struct server {
    uint64_t id;
    uint64_t directory;
};

static inline bool server_equal(struct server a, struct server b)
{
    return a.id == b.id && a.directory == b.directory;
}

/* A vote that was given. */
struct vote {
    struct server voter;
    struct server candidate;
    uint64_t last; /* its own log's end at that moment, */
    uint64_t last_term;
    bool seen; /* where that was seen */
};

/* What is known of one term: its leader, its entries, and how far the log is committed. */
struct term {
    uint64_t term;
    struct server leader; /* id 0: none was seen */
    uint64_t leader_life; /* which of its incarnations */
    uint64_t first;       /* index of the term's first entry in any log; 0: not known */
    uint64_t before;      /* the term of the entry before that one */
    uint64_t committed;   /* highest index that was committed in this term or an earlier one */
    struct term *next;    /* the next higher term that is known */
    struct hashes hashes; /* of its entries */
    array_of(struct vote) votes; /* one for each voter */
};

/* All terms, ascending. */
struct terms {
    array_of(struct term *) list;
    struct term *recent; /* the one asked for last */
};

struct term *terms_get(struct terms *terms, uint64_t term); /* made where it is missing */
/* Highest index committed in terms below this one. */
uint64_t terms_committed_before(struct terms *terms, uint64_t term);
void terms_free(struct terms *terms);

struct run {
    uint64_t first;
    struct term *term; /* NULL: not known */
};

/* A log as a list of runs over (base, last]; what lies at or below base is compacted or unknown,
 * but for the term of the entry at base where base_term tells it. */
struct chain {
    uint64_t base;
    uint64_t last;
    struct term *base_term;
    array_of(struct run) runs;
};

void chain_reset(struct chain *chain, uint64_t base, struct term *base_term);
void chain_free(struct chain *chain);
void chain_extend(struct chain *chain, uint64_t last,
                  struct term *term);                    /* one run more, to last */
void chain_truncate(struct chain *chain, uint64_t last); /* keep up to last */
void chain_compact(struct chain *chain, uint64_t base);  /* keep from base on */
/* Appends from's entries up to `last`; what `from` does not know becomes unknown. */
void chain_append(struct chain *chain, const struct chain *from, uint64_t last);
/* The run at base < index <= last. */
const struct run *chain_run(const struct chain *chain, uint64_t index);
/* Its last index. */
uint64_t chain_run_last(const struct chain *chain, const struct run *run);
/* The highest index at which both are known to hold the same log; 0: none. */
uint64_t chain_agree(const struct chain *a, const struct chain *b);

/* The term of the entry at index; NULL: outside, or not known. */
static inline struct term *chain_term(const struct chain *chain, uint64_t index)
{
    if (index <= chain->base || index > chain->last) {
        return index == chain->base ? chain->base_term : NULL;
    }
    const struct run *tail = &chain->runs.items[chain->runs.count - 1];
    return (index >= tail->first ? tail : chain_run(chain, index))->term;
}

/* ---- a node --------------------------------------------------------------------------------- */

/* A write on its way to the disk, or a part of one that lies in one term. */
struct write {
    uint64_t sequence;
    uint64_t term; /* with TRACE_STATE */
    struct server vote;
    uint64_t first; /* with TRACE_ENTRIES: the log from here on becomes first..last */
    uint64_t last;
    struct term *entries; /* NULL: not known */
    uint32_t what;
};

/* A configuration in a node's log. */
struct check_configuration {
    uint64_t index;
    struct raft_configuration members;
};

/* Reads first..last that came at a leader when `round` was the latest round that it had begun, and
 * index `committed` was committed somewhere. */
struct read {
    uint64_t first;
    uint64_t last;
    uint64_t round;
    uint64_t committed;
};

/* The latest round of reads that a voter answered. */
struct round_answer {
    struct server voter;
    uint64_t round;
};

/* The match index that a leader told last of a server. */
struct told_match {
    struct server server;
    uint64_t index;
};

/* A leader's match index of a server, where events may be missing that made it true. index 0: none.
 */
struct claim {
    uint64_t leader;
    uint64_t term; /* the leader's */
    uint64_t index;
    struct term *entry; /* in the leader's log */
};

/* When a voter last heard the leader of its term. term 0: never. */
struct heard {
    struct server leader;
    uint64_t term;
    int64_t time_ns;
};

/* One server; `former`: those that had its id before, with other disks. */
struct check_node {
    uint64_t id;
    uint64_t directory;
    struct check_node *former;
    uint64_t life; /* how often it started */
    bool running;
    bool leads;
    uint64_t term;
    uint64_t vote_term; /* of its latest vote */
    struct server vote;
    bool cut_since_vote; /* of its log */
    uint64_t commit;
    uint64_t applied;
    uint64_t snapshot;
    struct chain log;
    /* Of its log: the latest that is committed and those after it; none: not known. */
    array_of(struct check_configuration) configurations;
    struct claim claim; /* judged once what it acknowledged has been seen */
    bool members_due;   /* another one is in force now, and no MEMBERS has told so yet */
    /* As a leader, of this term: its rounds of reads, and the reads that wait. */
    uint64_t told_term;          /* in which it told a server to campaign */
    struct heard heard;          /* for sure */
    struct heard may_have_heard; /* or at most */
    uint64_t round;
    array_of(struct round_answer) answers;
    ring_of(struct read) reads;
    array_of(struct told_match) matches;
    bool disk_lies; /* since a fault that makes it give other bytes than were written */
    /* The disk, as far as it was synced. */
    struct chain disk;
    uint64_t disk_term;
    struct server disk_vote;
    ring_of(struct write) writes; /* not yet synced */
};

static inline struct server server_of(const struct check_node *node)
{
    return (struct server){node->id, node->directory};
}

/* The latest message that any node has received. to 0: none. */
struct received {
    struct server from;
    uint64_t to;
    uint64_t term;
    uint64_t prev_index;
    uint64_t prev_term;
    uint8_t kind;
    bool reject;
};

/* What a machine's state was at an index. */
#define KEPT_ANSWERS 512U
#define KEPT_BYTES 88U

/* The first answer at an index, to be shown beside one that differs. */
struct kept_answer {
    uint64_t index;
    uint64_t node;
    uint64_t state_hash;
    uint32_t size; /* more than KEPT_BYTES: not kept */
    uint8_t bytes[KEPT_BYTES];
};

struct state_digest {
    uint64_t index;
    uint64_t digest;
};

struct checker {
    struct trace *trace;
    int subscription;
    bool gaps;
    uint64_t told_term;             /* the highest in which a leader told a server to campaign */
    struct check_promises promises; /* of voters to their leader; length 0: none, or a clock was
                                       changed too much */
    bool is_violated;
    struct check_violation violation;
    void (*violated)(void *context, const struct check_violation *violation);
    void *context;
    struct check_node **table; /* by id, open addressing, a power of two */
    size_t table_size;
    array_of(struct check_node *) nodes; /* in the order in which they were met */
    struct terms terms;
    struct term origin;     /* of the place before index 1 */
    struct chain committed; /* what any node was seen to commit */
    /* The configurations among it, by rising index; not the first. */
    array_of(struct check_configuration) configurations;
    struct received received;
    struct term *leading; /* the highest term whose leader is known */
    struct hashes answers;
    struct hashes applied_states;         /* of the machine after the command at an index */
    array_of(struct state_digest) states; /* of snapshots, by rising index */
    struct kept_answer *kept;             /* KEPT_ANSWERS of them, by index; NULL: none yet */
    uint64_t forgotten;                   /* hashes below this index are gone */
};

/* ---- checker.c ------------------------------------------------------------------------------ */

struct check_node *checker_node(struct checker *checker,
                                uint64_t id); /* made where it is missing */
struct check_node *checker_find(const struct checker *checker, uint64_t id); /* NULL: never seen */
/* The same of a server, which may have gone; directory 0: the present one. */
struct check_node *checker_server(const struct checker *checker, struct server server);
/* Records the first violation and tells of it. `other`: a second node that has to do with it. */
__attribute__((format(printf, 5, 6))) void checker_report(struct checker *checker,
                                                          const struct trace_event *event,
                                                          enum check_property property,
                                                          uint64_t other, const char *format, ...);
/* Another node whose log holds that term's entry at index; 0: none. */
uint64_t checker_holder(const struct checker *checker, uint64_t index, const struct term *term,
                        uint64_t except);
/* Forgets hashes that no log and no snapshot can still need. */
void checker_forget(struct checker *checker);

/* ---- safety.c ------------------------------------------------------------------------------- */

/* A term that the node says is its own now. false: reported. */
bool safety_term(struct checker *checker, struct check_node *node, const struct trace_event *event);
void safety_role(struct checker *checker, struct check_node *node, const struct trace_event *event);
void safety_append(struct checker *checker, struct check_node *node,
                   const struct trace_event *event);
void safety_truncate(struct checker *checker, struct check_node *node,
                     const struct trace_event *event);
/* Takes the event's entries into the node's log, behind its last. false: reported. */
bool safety_take_entries(struct checker *checker, struct check_node *node,
                         const struct trace_event *event);

/* ---- answers.c ------------------------------------------------------------------------------ */

void answers_received(struct checker *checker, const struct trace_event *event);
/* Before the term of a ROLE is taken over. false: reported. */
bool answers_judge_term(struct checker *checker, const struct check_node *node,
                        const struct trace_event *event);
/* Before a follower's log or commit index changes. false: reported. */
bool answers_judge_leader(struct checker *checker, const struct check_node *node,
                          const struct trace_event *event);
void answers_sent(struct checker *checker, const struct check_node *node,
                  const struct trace_event *event);

/* ---- configurations.c ----------------------------------------------------------------------- */

void configurations_forget(struct check_node *node); /* none is known from now on */
const struct check_configuration *configurations_in_force(const struct check_node *node);
/* The event's configurations are in the node's log now. false: reported. */
bool configurations_take(struct checker *checker, struct check_node *node,
                         const struct trace_event *event);
void configurations_truncate(struct check_node *node, uint64_t first);
void configurations_committed(struct checker *checker, struct check_node *node);
/* The members that a snapshot up to `index` has brought. false: reported. */
bool configurations_judge_snapshot(struct checker *checker, const struct check_node *node,
                                   const struct trace_event *event, uint64_t index);
void configurations_trim(struct checker *checker,
                         uint64_t low); /* but for the one in force there */
void configurations_members(struct checker *checker, struct check_node *node,
                            const struct trace_event *event);
/* Where members_due, before an event of another step. false: reported. */
bool configurations_judge_due(struct checker *checker, struct check_node *node,
                              const struct trace_event *event);

/* ---- majorities.c --------------------------------------------------------------------------- */

void majorities_note_vote(struct term *term, struct vote vote);
/* Each: false: reported. */
bool majorities_judge_vote(struct checker *checker, const struct check_node *node,
                           const struct trace_event *event);
bool majorities_judge_leader(struct checker *checker, const struct check_node *node,
                             const struct trace_event *event, struct term *term);
bool majorities_judge_commit(struct checker *checker, const struct check_node *node,
                             const struct trace_event *event);
void majorities_forget_reads(struct check_node *node);
void majorities_read(struct checker *checker, struct check_node *node,
                     const struct trace_event *event);
void majorities_round(struct check_node *node, const struct trace_event *event);
void majorities_round_answer(struct check_node *node, const struct trace_event *event);
void majorities_confirm(struct checker *checker, struct check_node *node,
                        const struct trace_event *event);
/* The read that came last, if it has this number: it waits no more. */
bool majorities_take_latest_read(struct check_node *node, uint64_t number, struct read *taken);
/* Whether more than half of the voters are bound to that leader by their promise. false: reported.
 */
bool majorities_judge_promises(struct checker *checker, const struct check_node *node,
                               const struct trace_event *event);
bool majorities_judge_read_index(struct checker *checker, const struct check_node *node,
                                 const struct trace_event *event, const struct read *read,
                                 enum check_property property);

/* ---- leases.c ------------------------------------------------------------------------------- */

void leases_told(struct checker *checker, struct check_node *node, const struct trace_event *event);
void leases_fault(struct checker *checker, const struct trace_event *event);
void leases_heard(struct checker *checker, const struct trace_event *event); /* a RECEIVE */
/* Whether that voter may be bound to this leader of its term at the event's time. */
bool leases_may_bind(const struct checker *checker, const struct check_node *leader,
                     struct server voter, int64_t time_ns);
/* false: reported. */
bool leases_judge_vote(struct checker *checker, const struct check_node *node,
                       const struct trace_event *event);
void leases_confirm(struct checker *checker, struct check_node *node,
                    const struct trace_event *event);

/* ---- commits.c ------------------------------------------------------------------------------ */

void commits_commit(struct checker *checker, struct check_node *node,
                    const struct trace_event *event);
void commits_leader(struct checker *checker, struct check_node *node,
                    const struct trace_event *event, struct term *term);

/* What a snapshot covers up to `index`, where its entry is that of the event, is what is committed.
 * `does`: what the node does with it. false: reported. */
bool commits_judge_snapshot(struct checker *checker, const struct check_node *node,
                            const struct trace_event *event, uint64_t index, const char *does);
/* A node starts with a snapshot: what that covers was committed, whether or not that was seen. */
void commits_start(struct checker *checker, struct check_node *node,
                   const struct trace_event *event);

/* ---- durability.c --------------------------------------------------------------------------- */

void durability_start(struct checker *checker, struct check_node *node,
                      const struct trace_event *event);
void durability_vote(struct checker *checker, struct check_node *node,
                     const struct trace_event *event);
void durability_write(struct checker *checker, struct check_node *node,
                      const struct trace_event *event);
void durability_sync(struct check_node *node, const struct trace_event *event);
void durability_match(struct checker *checker, struct check_node *node,
                      const struct trace_event *event);
/* Match indexes are told anew: of all servers, or only of those that the leader lists no more. */
void durability_forget_matches(struct check_node *node, bool all);
/* The node moves to another term: what it acknowledged before is known now. false: reported. */
bool durability_judge_claim(struct checker *checker, struct check_node *node,
                            const struct trace_event *event);
/* A snapshot, which is on its disk, has taken the place of its log. */
void durability_install(struct check_node *node, uint64_t index, struct term *term);
void durability_send(struct checker *checker, struct check_node *node,
                     const struct trace_event *event);
void durability_fault(struct checker *checker, const struct trace_event *event);
/* A NOTICE of a received snapshot whose bytes are damaged. */
void durability_damaged_snapshot(struct checker *checker, const struct check_node *node,
                                 const struct trace_event *event);

/* ---- machines.c ----------------------------------------------------------------------------- */

void machines_apply(struct checker *checker, struct check_node *node,
                    const struct trace_event *event);
void machines_snapshot(struct checker *checker, struct check_node *node,
                       const struct trace_event *event);
void machines_forget(struct checker *checker, uint64_t low); /* before that index */
void machines_restore(struct checker *checker, struct check_node *node,
                      const struct trace_event *event);
void machines_install(struct checker *checker, struct check_node *node,
                      const struct trace_event *event);

#endif
