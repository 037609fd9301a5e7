/*
 * check: judges a run by its trace. checker.c (subscription, violations), safety.c (elections,
 * logs, leaders), durability.c (votes, commits, disks), machines.c (answers). Later: histories,
 * linearizability, exploration.
 *
 * It only reads events; it never touches a node, and it costs the same for an event however long
 * the logs are.
 */
#ifndef RAFTBENCH_CHECK_H
#define RAFTBENCH_CHECK_H

#include "base/base.h"
#include "trace/trace.h"

/* The properties, by the names that violations carry. */
#define CHECK_PROPERTIES(X)                                                                        \
    X(ELECTION_SAFETY, "election safety") /* at most one leader in a term */                       \
    X(LEADER_APPEND_ONLY,                                                                          \
      "leader append-only")         /* a leader never removes or replaces entries of its log */    \
    X(LOG_MATCHING, "log matching") /* same index and term: same entry and same log before it */   \
    X(LEADER_COMPLETENESS,                                                                         \
      "leader completeness") /* a leader's log holds every entry committed in earlier terms */     \
    X(STATE_MACHINE_SAFETY,                                                                        \
      "state machine safety") /* no two nodes apply or commit different entries at an index; none  \
                                 is skipped or repeated */                                         \
    X(MONOTONIC_TERM,                                                                              \
      "monotonic term") /* a node's term never goes back, across restarts of what was durable */   \
    X(MONOTONIC_COMMIT, "monotonic commit") /* a running node's commit index never goes back */    \
    X(ONE_VOTE, "one vote in a term") /* looked at where the vote is given, also across a crash */ \
    X(COMMIT_OWN_TERM, "commit by counting only in the own term")                                  \
    X(MATCH_IS_TRUE,                                                                               \
      "match index is true") /* of that follower's durable log, for what is durable there */       \
    X(COMMITTED_IS_KEPT,                                                                           \
      "committed entries are kept") /* no node loses (truncates, forgets at a restart) a committed \
                                       entry it had durably */                                     \
    X(SAME_ANSWERS, "machines answer alike")

enum check_property {
#define X(name, text) CHECK_##name,
    CHECK_PROPERTIES(X)
#undef X
        CHECK_PROPERTY_COUNT
};

const char *check_property_name(enum check_property property);

/* The first violation that was seen. */
struct check_violation {
    enum check_property property;
    int64_t time_ns;
    uint64_t nodes[8];
    uint32_t node_count;
    char message[400]; /* for people: which nodes, terms, indexes, and what was expected */
};

struct checker;

/* Subscribes to the trace; `violated` is called at most once, from within the event that shows it
 * (NULL: none). */
struct checker *checker_new(struct trace *trace,
                            void (*violated)(void *context,
                                             const struct check_violation *violation),
                            void *context);
void checker_free(struct checker *checker); /* unsubscribes; before trace_free */
const struct check_violation *checker_violation(const struct checker *checker); /* NULL: none */

#endif
