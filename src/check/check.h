/*
 * check: judges a run by its trace. checker.c (subscription, nodes, the first violation), safety.c
 * (leaders, logs), answers.c (new terms, what candidates are answered), configurations.c (which one
 * is in force), majorities.c (votes, commits and reads that need one), commits.c (what is
 * committed), durability.c (votes, terms, disks, promises), leases.c (reads without a majority),
 * machines.c (applies, answers), chains.c (the memory of logs); and the histories of clients, by
 * linear.h, which this includes.
 *
 * Each rule is judged where it is made, when the node acts on it, and not only by what follows: a
 * leader with too few votes is told of at once, and not when a committed entry is lost.
 *
 * It only reads events; it never touches a node, and it costs the same for an event however long
 * the logs are.
 */
#ifndef RAFTBENCH_CHECK_H
#define RAFTBENCH_CHECK_H

#include "base/base.h"
#include "trace/trace.h"

/* The properties, by the names that violations carry.
 *   ELECTION_SAFETY       at most one leader in a term, and it leads in one incarnation only
 *   LEADER_APPEND_ONLY    a leader never removes or replaces entries of its log
 *   LOG_MATCHING          same index and term: same entry and same log before it
 *   LEADER_COMPLETENESS   a leader's log holds every entry committed in earlier terms
 *   STATE_MACHINE_SAFETY  no two nodes commit or apply different entries at an index; none is
 *                         skipped, repeated, or applied before it is committed; a snapshot covers
 *                         what is committed, and replaces nothing that is applied
 *   MONOTONIC_TERM        a node's term never goes back; across restarts, of what was durable
 *   MONOTONIC_COMMIT      a running node's commit index never goes back
 *   ONE_VOTE              looked at where the vote is given, where its answer or a candidate's
 *                         request leaves (it must be durable then), and at a restart
 *   VOTE_BY_LOG           a vote goes only to a candidate whose log is at least as complete
 *   VOTE_REFUSAL          a vote is refused only in a later term, to a log that is less complete,
 *                         or where it went to another
 *   PRE_VOTE_ANSWER       a pre-vote is granted to a log that is at least as complete, for a later
 *                         term, and for no other; the answer names the right term
 *   TERM_BY_CANDIDATE     a node's term rises only when it becomes a candidate, or by a message of
 *                         that term, which asking for a pre-vote is not
 *   PRESENT_LEADER        a follower's log and commit index change by what the leader of its own
 *                         term sends, and by no message of an earlier term
 *   VOTE_MAJORITY         a leader has the votes of more than half of the voters that the latest
 *                         configuration in its log lists, of both sets while joint, given in its
 *                         term; its own is durable
 *   COMMIT_MAJORITY       an entry committed by counting is on as many disks
 *   READ_MAJORITY         a confirmed read was answered for by as many in a round that began after
 *                         the read came; the leader had committed in its own term, and its index
 *                         covers what was committed when the read came
 *   READ_LEASE            where a lease let a read pass: no leader of a later term is known, the
 *                         leader told nobody to campaign in its term, a majority of voters has
 *                         heard it so lately that they vote for nobody else, and as READ_MAJORITY
 *                         of its own term and index
 *   PROMISE_KEPT          where there are lease reads, a voter that hears its leader votes in no
 *                         later term for a while, also after a restart, unless a leader since told
 *                         somebody to campaign
 *   LATEST_CONFIGURATION  a node uses the latest configuration in its own log, committed or not; a
 *                         snapshot holds the one in force at its index
 *   ONE_CHANGE            a leader appends a configuration only when the one before and an entry of
 *                         its own term are committed; voters change by way of a joint one
 *   COMMIT_OWN_TERM       an entry committed by counting is of the leader's term
 *   MATCH_RISES           while a leader leads and a server is listed
 *   MATCH_IS_TRUE         of that follower's durable log; and a follower acknowledges only what is
 *                         durable there, with the term that its log and its leader's have there
 *   COMMITTED_IS_KEPT     no node removes a committed entry, or forgets one at a restart that it
 *                         had durably
 *   NO_CONTRADICTION      no leader sends what contradicts an entry that its receiver knows to be
 *                         committed
 *   SNAPSHOT_INTACT       a snapshot that a leader sent arrives as it was written, unless the
 *                         leader's disk was made to give other bytes than were written
 *   SAME_ANSWERS          the machines' answers at an index, and their states after it, are alike,
 *                         also after a restart */
#define CHECK_PROPERTIES(X)                                                                        \
    X(ELECTION_SAFETY, "election safety")                                                          \
    X(LEADER_APPEND_ONLY, "leader append-only")                                                    \
    X(LOG_MATCHING, "log matching")                                                                \
    X(LEADER_COMPLETENESS, "leader completeness")                                                  \
    X(STATE_MACHINE_SAFETY, "state machine safety")                                                \
    X(MONOTONIC_TERM, "monotonic term")                                                            \
    X(MONOTONIC_COMMIT, "monotonic commit")                                                        \
    X(ONE_VOTE, "one vote in a term")                                                              \
    X(VOTE_BY_LOG, "votes go to complete logs")                                                    \
    X(VOTE_REFUSAL, "a vote is refused only for a reason")                                         \
    X(PRE_VOTE_ANSWER, "a pre-vote is answered by term and log")                                   \
    X(TERM_BY_CANDIDATE, "a term begins with a candidate")                                         \
    X(PRESENT_LEADER, "only the leader of the present term is followed")                           \
    X(VOTE_MAJORITY, "a leader has a majority of votes")                                           \
    X(COMMIT_MAJORITY, "what is committed is on a majority of disks")                              \
    X(READ_MAJORITY, "a read is confirmed by a majority")                                          \
    X(READ_LEASE, "a leader with a lease leads alone")                                             \
    X(PROMISE_KEPT, "a voter keeps its promise to its leader")                                     \
    X(LATEST_CONFIGURATION, "the latest configuration is in force")                                \
    X(ONE_CHANGE, "one change of members at a time")                                               \
    X(COMMIT_OWN_TERM, "commit by counting only in the own term")                                  \
    X(MATCH_RISES, "a match index never goes back")                                                \
    X(MATCH_IS_TRUE, "match index is true")                                                        \
    X(COMMITTED_IS_KEPT, "committed entries are kept")                                             \
    X(NO_CONTRADICTION, "no leader contradicts what is committed")                                 \
    X(SNAPSHOT_INTACT, "a snapshot is received as it was written")                                 \
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
    char message[600]; /* for people: which nodes, terms, indexes, and what was expected */
};

struct checker;

/* Subscribes to the trace; `violated` is called at most once, from within the event that shows it
 * (NULL: none). Made before the nodes start.
 *
 * What it expects of a node's events: the order in which the node did it. ROLE comes before the
 * APPEND and TRUNCATE of the same step, TRUNCATE before APPEND, MEMBERS next, where another
 * configuration is in force, these before WRITE and COMMIT; but a MATCH and a COMMIT by counting
 * before what the leader appends because of them. COMMIT comes before APPLY, READ before the SEND
 * of its round, and SYNC before what waited for it (SEND, MATCH, COMMIT). An APPLY's hash is its
 * entry's, as in APPEND (0: not told). START's commit is the index of the snapshot that its machine
 * starts from, entry_term its last entry's, and its first configuration the snapshot's. INSTALL
 * stands where a snapshot, durable by then, replaces a log. It judges servers, by id and directory:
 * a START with another directory than the one before is another server's, of which nothing is
 * known; any other must show what was durable. */
struct checker *checker_new(struct trace *trace,
                            void (*violated)(void *context,
                                             const struct check_violation *violation),
                            void *context);
/* For nodes that are processes: the last events of one that was killed are missing, and those of
 * different nodes may come out of order. What could be due to that is not judged, or once it can no
 * longer be: a match index when its peer acknowledges it, moves to a later term, or starts again.
 */
void checker_expect_gaps(struct checker *checker);
/* Lease reads rely on it that a voter which hears its leader votes for nobody else for a while of
 * its own clock. Judged until a clock is changed by more than `drift`, runs ahead, or jumps. */
struct check_promises {
    int64_t length_ns; /* more than 0 */
    int64_t slack_ns;  /* by so much the times of events may be off */
    double drift;      /* by how much of one the clocks' rates differ at most */
};
void checker_expect_promises(struct checker *checker, const struct check_promises *promises);
void checker_free(struct checker *checker); /* unsubscribes; before trace_free; NULL: nothing */
const struct check_violation *checker_violation(const struct checker *checker); /* NULL: none */

#include "check/linear.h"

#endif
