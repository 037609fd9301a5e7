/*
 * raft/messages: what replicas keep and say: entries, configurations, snapshots, messages, and
 * their wire form. raft.h includes this.
 */
#ifndef RAFTBENCH_RAFT_MESSAGES_H
#define RAFTBENCH_RAFT_MESSAGES_H

#include "base/base.h"

#define RAFT_ENTRY_BYTES_MAX (16U << 20)
#define RAFT_ADDRESS_BYTES_MAX 255
#define RAFT_MEMBERS_MAX 1000 /* of a configuration, while joint of both sets */

/* ---- entries -------------------------------------------------------------------------------- */

enum raft_entry_kind {
    RAFT_ENTRY_COMMAND = 0,
    RAFT_ENTRY_EMPTY = 1, /* a leader's first entry in its term (paper, section 8) */
    RAFT_ENTRY_CONFIGURATION = 2,
};

/* An entry's index is its place; the payload is a range of a batch. In a log the log holds one
 * reference for each entry. An EMPTY entry has no batch. 24 bytes. */
struct raft_entry {
    uint64_t term;
    struct batch *batch;
    uint32_t offset;
    uint32_t size_and_kind; /* size in the low 26 bits */
};

static inline uint32_t raft_entry_size(const struct raft_entry *entry)
{
    return entry->size_and_kind & 0x3ffffffU;
}

static inline enum raft_entry_kind raft_entry_kind(const struct raft_entry *entry)
{
    return (enum raft_entry_kind)(entry->size_and_kind >> 26);
}

static inline uint32_t raft_entry_pack(uint32_t size, enum raft_entry_kind kind)
{
    return size | ((uint32_t)kind << 26);
}

static inline struct bytes raft_entry_payload(const struct raft_entry *entry)
{
    struct bytes payload = {entry->batch ? entry->batch->data + entry->offset : NULL,
                            raft_entry_size(entry)};
    return payload;
}

/* ---- configurations (configuration.c) ------------------------------------------------------- */

/* A server is an id and a directory: the random number that its disk was given when it was made. An
 * emptied disk is another server, and nothing else tells the lives of one id apart. */

/* A member's part in the set in force (in the new set, while joint): voter, learner, or neither:
 * then it is of the old set only and is dropped when the joint phase ends. While joint, `voter_old`
 * tells the voters of the old set. While new voters are brought level, `next_voter` and
 * `next_learner` tell what it is to be (neither: it goes), and `added` that it came for that, as a
 * learner. */
struct raft_member {
    uint64_t id;
    uint64_t directory; /* 0: not known yet; answers from any of that id count */
    bool voter;
    bool learner;
    bool voter_old;
    bool next_voter;
    bool next_learner;
    bool added;
    uint8_t address_size;
    char address[RAFT_ADDRESS_BYTES_MAX]; /* opaque to the core */
};

/* Sorted by id, ids at least 1 and unique. All zero is an empty one. */
struct raft_configuration {
    struct raft_member *members;
    uint32_t count;
    bool joint;
    bool preparing; /* new voters are brought level first (catch_up.c) */
};

void raft_configuration_free(struct raft_configuration *configuration); /* and make it empty */
void raft_configuration_copy(struct raft_configuration *to, const struct raft_configuration *from);
/* Adds the member or replaces the one of its id; keeps the order. */
void raft_configuration_put(struct raft_configuration *configuration,
                            const struct raft_member *member);
const struct raft_member *raft_configuration_find(const struct raft_configuration *configuration,
                                                  uint64_t id);
/* Whether it lists that very server: its id with its directory. */
bool raft_configuration_lists(const struct raft_configuration *configuration, uint64_t id,
                              uint64_t directory);
/* In a server's first configuration, its own id without a directory is that server. */
void raft_configuration_claim(struct raft_configuration *first, uint64_t id, uint64_t directory);
/* Its bytes in an entry's payload; and back: false if the bytes are malformed. */
void raft_configuration_encode(const struct raft_configuration *configuration, struct buffer *out);
bool raft_configuration_decode(struct bytes payload, struct raft_configuration *out);

/* ---- snapshots (snapshot.c) ----------------------------------------------------------------- */

/* What a snapshot covers: all entries up to index. The core never sees its bytes; they hold all of
 * this themselves, so that only they travel. A server never has two snapshots with one index. */
struct raft_snapshot {
    uint64_t index; /* of the last entry that it covers; 0: there is none */
    uint64_t term;
    uint64_t size;                            /* its bytes in the store, all told */
    uint64_t members_index;                   /* of the entry that set `members`; 0: the first */
    const struct raft_configuration *members; /* in force at index, so perhaps a joint one */
};

#define RAFT_SNAPSHOT_WINDOW 4 /* pieces in flight to a follower, and not yet written there */

/* ---- messages (message.c) ------------------------------------------------------------------- */

#define RAFT_MESSAGE_KINDS(X)                                                                      \
    X(PRE_VOTE, "pre_vote")                                                                        \
    X(PRE_VOTE_RESPONSE, "pre_vote_response")                                                      \
    X(VOTE, "vote")                                                                                \
    X(VOTE_RESPONSE, "vote_response")                                                              \
    X(APPEND, "append")                                                                            \
    X(APPEND_RESPONSE, "append_response")                                                          \
    X(SNAPSHOT, "snapshot")                                                                        \
    X(SNAPSHOT_RESPONSE, "snapshot_response")                                                      \
    X(TIMEOUT_NOW, "timeout_now")                                                                  \
    X(TIMEOUT_NOW_RESPONSE, "timeout_now_response")                                                \
    X(READ, "read")                                                                                \
    X(READ_RESPONSE, "read_response")

enum raft_message_kind {
    RAFT_NO_MESSAGE = 0,
#define X(name, text) RAFT_##name,
    RAFT_MESSAGE_KINDS(X)
#undef X
        RAFT_MESSAGE_KIND_COUNT
};

/* By the first byte of a message's wire form. */
enum raft_message_kind raft_message_kind_of(uint8_t first);
const char *raft_message_name(enum raft_message_kind kind); /* "append"; "none" for 0 */

/* clang-format off */
/* One message. Which fields count depends on the kind; the others are 0.
 *   from_directory      of the sender. It stands in the head of the frame, not in the message's wire
 *                       form: the node fills it in.
 *   to_directory        of an answer: whom it answers; another server of that id does not take it.
 *   PRE_VOTE, VOTE      prev_index, prev_term: the candidate's last entry. force: voters do not hold
 *                       back for a live leader (dissertation 4.2.3). A PRE_VOTE's term is the term
 *                       that the candidate would have.
 *   *_VOTE_RESPONSE     reject. A pre-vote's answer carries the term that was asked about when
 *                       granted, the responder's own when rejected.
 *   APPEND              prev_index, prev_term, entries, commit. sequence: 0, or of the round of
 *                       heartbeats it belongs to, which the answer repeats. quiet: a commit notice,
 *                       not answered where it is accepted. in_order: not to overtake what was sent
 *                       before it (the sender's own, not on the wire).
 *   APPEND_RESPONSE     index: the last entry that matches and is durable (accepted), or with
 *                       reject: prev_index of the refused request, and hint_index and hint_term:
 *                       the largest (index, term) of the follower that can match, for backing up by
 *                       term. commit: the follower's commit index. sequence: the request's.
 *   SNAPSHOT            prev_index, prev_term: of the last entry that the snapshot covers. The
 *                       piece of its bytes at offset; last: its end. Outgoing, in an update, `piece`
 *                       is NULL and piece_size is what is wanted: the node reads it, fills it in and
 *                       sends it while it leads in that term. Without a piece (size 0) it is a
 *                       check, which asks how far the follower is: there is nothing to read.
 *                       sequence: 0, or of the round of heartbeats that a check belongs to.
 *   SNAPSHOT_RESPONSE   prev_index, prev_term, sequence: the request's. offset: the next byte that
 *                       is wanted; all before it are written. reject: begin anew. A snapshot that
 *                       is installed, or not needed, is answered by an APPEND_RESPONSE.
 *   TIMEOUT_NOW         to whom leadership is handed over: campaign at once (dissertation 3.10).
 *                       prev_index, prev_term: an entry of the leader's term that it holds.
 *   TIMEOUT_NOW_RESPONSE  only where that cannot be done (reject); else the vote requests answer.
 *   READ, READ_RESPONSE sequence: of the round (dissertation 6.4).
 * Entries: outgoing, `entries` is NULL and [prev_index + 1, prev_index + entry_count] names a range
 * of the sender's log; incoming, `entries` is an array that the caller owns for the call. The core
 * takes its own references. */
/* clang-format on */
struct raft_message {
    enum raft_message_kind kind;
    bool reject;
    bool force;
    bool quiet;
    bool in_order;
    bool last;
    uint32_t entry_count;
    uint64_t from;
    uint64_t from_directory;
    uint64_t to;
    uint64_t to_directory;
    uint64_t term;
    uint64_t prev_index;
    uint64_t prev_term;
    uint64_t commit;
    uint64_t index;
    uint64_t hint_index;
    uint64_t hint_term;
    uint64_t sequence;
    const struct raft_entry *entries;
    uint64_t offset; /* of the piece in the snapshot's bytes */
    struct batch *piece;
    uint32_t piece_offset; /* in its batch */
    uint32_t piece_size;
};

static inline struct bytes raft_message_piece(const struct raft_message *message)
{
    struct bytes piece = {message->piece ? message->piece->data + message->piece_offset : NULL,
                          message->piece_size};
    return piece;
}

struct raft;

/* Appends the wire form of an outgoing message to `out` (without frame header; the node adds that).
 */
void raft_message_encode(const struct raft *raft, const struct raft_message *message,
                         struct buffer *out);
/* Parses the wire form found at data[offset, offset+size) of `batch`. `*entries`, a growable array
 * that the caller keeps between calls (with its capacity), receives the entries, which point into
 * `batch` without holding it. false: malformed, `*problem` says what in words. */
bool raft_message_decode(struct batch *batch, uint32_t offset, uint32_t size,
                         struct raft_message *message, struct raft_entry **entries,
                         uint32_t *entries_capacity, const char **problem);

#endif
