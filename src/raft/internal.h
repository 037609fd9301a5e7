/*
 * raft/internal: what the files of this room share: the log, the progress of peers, the replica's
 * state, and the few functions by which one subject calls another.
 *
 * Nothing here is for other rooms; the room's face is raft.h.
 */
#ifndef RAFTBENCH_RAFT_INTERNAL_H
#define RAFTBENCH_RAFT_INTERNAL_H

#include "raft/raft.h"

/* Terms and indexes from outside are below this, so that adding to them cannot overflow. */
#define NUMBER_MAX (1ULL << 62)
#define MESSAGE_ENTRIES_MAX 8192U /* so that even empty entries keep a frame's size bounded */
#define READS_WAITING_MAX 65536U

/* ---- varints: little-endian groups of seven bits -------------------------------------------- */

#define VARINT_BYTES_MAX 10

static inline uint8_t *varint_write(uint8_t *at, uint64_t value)
{
    while (value >= 0x80) {
        *at++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *at++ = (uint8_t)value;
    return at;
}

/* A place in bytes that came from outside. `failed` stays once set; reads then give 0. */
struct reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

uint64_t reader_long_varint(struct reader *reader);

static inline uint64_t reader_varint(struct reader *reader)
{
    if (reader->at != reader->end && *reader->at < 0x80) { /* nearly all have one byte */
        return *reader->at++;
    }
    return reader_long_varint(reader);
}

uint8_t reader_byte(struct reader *reader);

/* ---- the log (log.c) ------------------------------------------------------------------------ */

#define LOG_CHUNK_BITS 8
#define LOG_CHUNK_ENTRIES (1U << LOG_CHUNK_BITS)

/* Entries base_index + 1 .. last_index in chunks that never move. base is what lies just before:
 * (0, 0), or an entry that a snapshot covers. */
struct log {
    array_of(struct raft_entry *) chunks;
    uint64_t first_chunk; /* the number of the first of them */
    uint64_t bytes;       /* of the entries and their payloads */
    uint64_t base_index;
    uint64_t base_term;
    uint64_t last_index;
    uint64_t last_term;
};

void log_free(struct log *log);
void log_copy(struct log *to, const struct log *from);
/* Takes a reference of the entry's batch. Terms never fall. */
void log_append(struct log *log, const struct raft_entry *entry);
/* Removes `from` and all behind it. */
void log_truncate(struct log *log, uint64_t from);
/* Forgets the entries up to `index`, which becomes the base. */
void log_compact(struct log *log, uint64_t index);
/* Empty behind (index, term). */
void log_reset(struct log *log, uint64_t index, uint64_t term);
/* The largest index <= `index` whose term is <= `term`. Where that lies before the base, some index
 * before it. */
uint64_t log_find_term(const struct log *log, uint64_t index, uint64_t term);

static inline struct raft_entry *log_at(const struct log *log, uint64_t index)
{
    ensure(index > log->base_index && index <= log->last_index);
    return &log->chunks.items[(index >> LOG_CHUNK_BITS) - log->first_chunk]
                             [index & (LOG_CHUNK_ENTRIES - 1)];
}

static inline uint64_t log_term_at(const struct log *log, uint64_t index)
{
    if (index == log->last_index) {
        return log->last_term;
    }
    if (index <= log->base_index || index > log->last_index) {
        return index == log->base_index ? log->base_term : 0;
    }
    return log_at(log, index)->term;
}

/* ---- progress of peers (progress.c) --------------------------------------------------------- */

enum progress_state {
    PROGRESS_PROBE,     /* where the logs part is being looked for: one message at a time */
    PROGRESS_REPLICATE, /* next - 1 is believed to match: a window of messages in flight */
    PROGRESS_SNAPSHOT,  /* what it needs is in the log no more: it is sent a snapshot */
};

enum vote_answer { VOTE_NO_ANSWER, VOTE_GRANTED, VOTE_REJECTED };

struct flight {
    uint64_t last_index;
    uint64_t bytes;
};

/* How far a server is on its way to be a voter. A round brings what the log held at its beginning
 * (dissertation 4.2.1); a short one shows that it keeps up. */
struct catch_up {
    uint64_t round_end; /* the last entry of the round */
    int64_t round_ns;   /* when it began */
    uint32_t rounds;    /* before it */
    bool level;
    uint64_t match; /* what it had, of the log and of a snapshot, when that last moved */
    uint64_t written;
    int64_t moved_ns;
};

/* A member as this replica sees it, itself included; and, on a leader, a server that was removed
 * and is still being told. Invariant: match < next. */
struct peer {
    uint64_t id;
    uint64_t directory;      /* as listed; 0: not known yet */
    uint64_t met;            /* that of its last answer; 0: none yet */
    uint64_t match;          /* known to be durable there and equal to our log up to it */
    uint64_t next;           /* the next entry to send */
    uint64_t heard_ns;       /* when it last answered in our term */
    uint64_t read_acked;     /* the highest round of reads it confirmed */
    uint64_t lease_until_ns; /* it promised, in our term, to elect nobody before; 0: nothing yet */
    uint64_t commit_sent;
    uint64_t commit_known; /* it told us that it knows of commits so far */
    /* The heartbeat round in which match (or what is written of a snapshot) last moved, or sending
     * began. */
    uint64_t progress_round;
    uint64_t probe_round; /* the heartbeat round before the last probe */
    uint64_t probe_last;  /* the last entry of the last probe; without entries: the one before */
    uint64_t check_round; /* the heartbeat round of the last check for losses */
    bool voter;
    bool voter_old;
    bool probe_paused;           /* a probe is out, its answer not here */
    uint8_t state;               /* enum progress_state */
    uint8_t vote;                /* enum vote_answer, of the campaign under way */
    uint64_t leaving_index;      /* 0: a member. Else the configuration that removed it */
    int64_t leaving_deadline_ns; /* set when that committed */
    ring_of(struct flight) flights;
    uint64_t flight_bytes;
    /* Of the snapshot that is being sent, whose last entry is next - 1; written <= sent <= size. */
    uint64_t snapshot_term;
    uint64_t snapshot_size;
    uint64_t snapshot_sent;
    uint64_t snapshot_written; /* there */
    bool log_is_kept;          /* for it: it has been sent a snapshot and goes on behind that */
    struct catch_up catch_up;  /* counts while it is to become a voter */
};

void progress_reset(struct peer *peer, uint64_t next); /* nothing known: probe from next */
void progress_probe(struct peer *peer, uint64_t next);
void progress_replicate(struct peer *peer);
void progress_sent(struct peer *peer, uint64_t last_index, uint64_t bytes);
/* A snapshot is sent from its first byte on. */
void progress_snapshot(struct peer *peer, const struct raft_snapshot *snapshot);
/* The peer's log matches up to index. false: that was known. */
bool progress_accept(struct peer *peer, uint64_t index);
/* The peer refused what was sent behind `index`. false: an answer that came late, ignored. */
bool progress_reject(struct peer *peer, uint64_t index, uint64_t matching_at_most);
void progress_copy(struct peer *to, const struct peer *from);
void progress_free(struct peer *peer);

/* ---- quorums (quorum.c) --------------------------------------------------------------------- */

enum quorum_verdict { QUORUM_PENDING, QUORUM_WON, QUORUM_LOST };

uint32_t quorum_majority(uint32_t voters);
/* The largest value that a majority has reached; UINT64_MAX for no voters. Sorts `values`. */
uint64_t quorum_agreed(uint64_t *values, uint32_t count);
enum quorum_verdict quorum_judge(uint32_t voters, uint32_t granted, uint32_t rejected);
enum quorum_verdict quorum_judge_joint(enum quorum_verdict in_new, enum quorum_verdict in_old);

/* ---- the replica ---------------------------------------------------------------------------- */

/* A persist that was handed out and not confirmed: once it is, the log up to last_index, as it is
 * now, is durable. */
struct persist_mark {
    uint64_t sequence;
    uint64_t last_index;
    int64_t handed_out_ns;
};

struct members_record {
    uint64_t index;
    bool fill; /* this leader appended it to fill in directories: no quorum is another by it */
    struct raft_configuration configuration;
};

/* A snapshot that is being received: the bytes of one server's, in order. */
struct incoming_snapshot {
    uint64_t index; /* 0: none */
    uint64_t term;
    uint64_t from;
    uint64_t from_directory;
    uint64_t accepted; /* bytes handed out to be written */
    uint64_t written;
    uint32_t unwritten; /* pieces that are being written */
    bool whole;         /* the last piece was handed out */
};

struct raft_messages {
    array_of(struct raft_message);
};

/* A transfer of leadership under way (dissertation 3.10). */
struct transfer {
    uint64_t target; /* 0: none */
    int64_t deadline_ns;
    uint64_t told_index; /* the last entry that the last TIMEOUT_NOW named; 0: none was sent */
};

#define LEASE_ROUNDS 8U

/* When the latest rounds of heartbeats left, in a ring: number `count` is the youngest. */
struct lease_rounds {
    struct lease_round {
        uint64_t round;
        int64_t sent_ns;
    } sent[LEASE_ROUNDS];
    uint64_t count;
};

struct read_waiting {
    uint64_t read_id;
    uint64_t index;
    uint64_t sequence; /* 0: not in a round yet */
};

struct raft {
    struct raft_options options;
    struct random random;
    int64_t now_ns;

    /* Hard state (paper, figure 2), and what is volatile. */
    uint64_t term;
    uint64_t vote;
    uint64_t vote_directory;
    uint64_t leader;
    uint64_t leader_directory;
    enum raft_role role;
    bool flush_needed;     /* a leader has something for the next FLUSH */
    bool dirty_hard_state; /* this step's: term or vote changed */
    bool dirty_reset;      /* this step's: the log is empty behind its base, whatever it was */
    struct log log;
    uint64_t commit;
    uint64_t applied; /* handed out; applied <= commit, applied <= durable */
    uint64_t durable; /* the log as it is now is on disk up to it */

    /* The last snapshot, whose members are those of the first record. The log begins at or before
     * its end: base <= compact_to <= index. */
    struct raft_snapshot snapshot;
    uint64_t compact_to; /* up to here the log is not needed; it is kept for peers */
    struct incoming_snapshot incoming;

    /* Configurations: the one in force at the last snapshot first, then those behind it; never
     * empty. */
    array_of(struct members_record) records;

    /* Members and servers that are leaving, sorted by id. */
    struct peer *peers;
    uint32_t peer_count;
    int32_t self; /* position in peers; -1: the configuration does not list this very server */
    bool is_first_member;         /* its first configuration lists it */
    uint32_t unknown_directories; /* members whose directory is not known yet */
    uint64_t *scratch;            /* 2 * peer_count values for quorum arithmetic */

    int64_t election_timeout_ns; /* as drawn */
    int64_t election_deadline_ns;
    int64_t heard_leader_ns;   /* counts while leader != 0 */
    int64_t promised_until_ns; /* it elects nobody before, where leases are on (lease.c) */

    /* A candidate's. */
    uint64_t vote_sequence; /* its own vote counts once this persist is durable */

    /* A leader's. */
    uint64_t term_start; /* index of the empty entry of its term */
    uint64_t heartbeat_round;
    int64_t heartbeat_deadline_ns;
    int64_t quorum_deadline_ns;
    int64_t leaving_deadline_ns;
    uint64_t uncommitted_bytes;
    ring_of(struct read_waiting) reads;
    size_t reads_unassigned; /* the youngest: not in a round yet */
    uint64_t read_sequence;
    struct lease_rounds lease_rounds;
    struct transfer transfer;
    bool told_to_campaign; /* a TIMEOUT_NOW left in this term: no lease holds in it any more */

    /* Persists in flight. */
    uint64_t persist_sequence;    /* handed out */
    uint64_t persisted_sequence;  /* confirmed */
    uint64_t hard_state_sequence; /* the last that held the hard state */
    ring_of(struct persist_mark) marks;

    uint64_t dropped_messages;

    /* This step's. */
    uint64_t dirty_first; /* 0: the log did not change */
    struct raft_update update;
    struct raft_messages messages;
    struct raft_messages messages_after;
    array_of(struct raft_read_result) read_results;
    struct raft_notice notice;
};

/* raft.c */
struct peer *raft_find_peer(struct raft *raft, uint64_t id); /* NULL: unknown */
/* It has our id, so that nothing can be sent to it; not always this very server. */
bool raft_has_own_id(const struct raft *raft, const struct peer *peer);
bool raft_voted_for(const struct raft *raft, uint64_t id, uint64_t directory);
bool raft_votes(const struct raft *raft); /* a voter of its configuration, the old set included */
void raft_become_passive(
    struct raft *raft); /* its role becomes follower or learner, whichever fits */
int64_t time_after(int64_t now_ns, int64_t delay_ns); /* RAFT_NEVER stays */

/* update.c */
void update_begin(struct raft *raft);
void update_finish(struct raft *raft, const struct raft_status *before);
void update_free(struct raft *raft);
void update_forget(struct raft *raft); /* a copy starts with arrays of its own */
/* A message with kind, from, to and term (the present one) set, to be filled; leaves at once. */
struct raft_message *update_message(struct raft *raft, enum raft_message_kind kind, uint64_t to);
/* The same, once all that this replica has now is on disk. */
struct raft_message *update_message_after(struct raft *raft, enum raft_message_kind kind,
                                          uint64_t to);
/* An answer to the very server that asked; leaves at once. */
struct raft_message *update_answer(struct raft *raft, enum raft_message_kind kind,
                                   const struct raft_message *asked);
/* The same, but one that promises the hard state and the log up to `index`: it leaves at once where
 * both are durable. */
struct raft_message *update_promise(struct raft *raft, enum raft_message_kind kind,
                                    const struct raft_message *asked, uint64_t index);
void update_read_result(struct raft *raft, uint64_t read_id, uint64_t index);
__attribute__((format(printf, 3, 4))) void update_notice(struct raft *raft, uint64_t from,
                                                         const char *format, ...);

/* persist.c */
void persist_truncated(struct raft *raft, uint64_t from); /* older persists promise less now */
void persist_reset(struct raft *raft);    /* the log is another one; its base is on disk */
void persist_hand_out(struct raft *raft); /* at a step's end */
void persist_confirmed(struct raft *raft, uint64_t sequence);
bool persist_hangs(const struct raft *raft); /* for the longest election time-out, by now */

/* validate.c: why a message is not worth looking at; NULL: it is. */
const char *message_problem(const struct raft *raft, const struct raft_message *message);
bool message_is_answer(enum raft_message_kind kind);

/* configuration.c */
const char *configuration_problem(const struct raft_configuration *configuration);
void configuration_make_joint(const struct raft_configuration *old_one,
                              const struct raft_configuration *wanted,
                              struct raft_configuration *out);
/* The members in force and those that come, as learners, each with what it is to be in `wanted`. */
void configuration_make_preparing(const struct raft_configuration *present,
                                  const struct raft_configuration *wanted,
                                  struct raft_configuration *out);
/* What such a one leads to; and what was before it, where it is given up. */
void configuration_make_wanted(const struct raft_configuration *preparing,
                               struct raft_configuration *out);
void configuration_make_former(const struct raft_configuration *preparing,
                               struct raft_configuration *out);
void configuration_make_final(const struct raft_configuration *joint,
                              struct raft_configuration *out);
bool configuration_same_voters(const struct raft_configuration *a,
                               const struct raft_configuration *b);

/* election.c */
void election_draw_timeout(struct raft *raft);
void election_heard_leader(struct raft *raft); /* moves the deadline */
void election_timer(struct raft *raft);        /* has run out: campaigns, unless its disk hangs */
/* An election begins; `force`: without pre-vote, and voters do not hold back but for a lease. */
void election_timeout(struct raft *raft, bool force);
void election_told(struct raft *raft); /* by its leader to campaign at once */
void election_become_follower(struct raft *raft, uint64_t term);
/* A candidate waits for the next time-out; its vote stays what it is. */
void election_stop_campaign(struct raft *raft);
/* The same, of the server that sent this as a leader of its term. */
void election_follow(struct raft *raft, const struct raft_message *message);
void election_persisted(struct raft *raft); /* a candidate's own vote may be durable now */
bool election_holds_back(const struct raft *raft, const struct raft_message *message);
/* Whether a leader's message cannot come from a present leader. */
bool election_is_outsider(const struct raft *raft, const struct raft_message *message);
void election_handle_pre_vote(struct raft *raft, const struct raft_message *message);
void election_handle_vote(struct raft *raft, const struct raft_message *message);
void election_handle_vote_response(struct raft *raft, const struct raft_message *message);

/* replication.c (leader) and append.c (follower) */
void replication_start(struct raft *raft); /* it has just won */
void replication_stop(struct raft *raft);  /* it leads no more */
uint64_t replication_append(struct raft *raft, const struct raft_entry *entries, uint32_t count);
void replication_submit(struct raft *raft, const struct raft_event *event);
void replication_flush(struct raft *raft);
void replication_tick(struct raft *raft);
void replication_heartbeat(struct raft *raft); /* its round goes out now */
void replication_advance_commit(struct raft *raft);
void replication_handle_response(struct raft *raft, const struct raft_message *message);
/* Whether a peer answers, as far as this leader knows. */
bool replication_hears(const struct raft *raft, const struct peer *peer);
void replication_send_commit(struct raft *raft, struct peer *peer, bool quiet);
/* By a leader that goes, to one that may not have answered yet. */
void replication_send_last_commit(struct raft *raft, struct peer *peer);
void append_handle(struct raft *raft, const struct raft_message *message);
void append_answer_stale(struct raft *raft, const struct raft_message *message);

/* snapshot.c */
/* To a peer whose next entry is not in the log. */
void snapshot_begin(struct raft *raft, struct peer *peer);
void snapshot_send(struct raft *raft, struct peer *peer);  /* what its window has room for */
void snapshot_check(struct raft *raft, struct peer *peer); /* asks how far it is */
void snapshot_heartbeat(struct raft *raft); /* before a round: what waited for it goes on */
void snapshot_handle(struct raft *raft, const struct raft_message *message);
void snapshot_handle_response(struct raft *raft, const struct raft_message *message);
void snapshot_abandon(struct raft *raft); /* what is received, where it is not needed any more */
void snapshot_taken(struct raft *raft, const struct raft_event *event);
void snapshot_written(struct raft *raft, const struct raft_event *event);
void snapshot_installed(struct raft *raft, const struct raft_event *event);
void snapshot_gone(struct raft *raft, const struct raft_message *message);

/* membership.c */
const struct members_record *membership_in_force(const struct raft *raft);
bool membership_may_campaign(const struct raft *raft);
bool membership_appended(struct raft *raft, uint64_t index); /* false: its bytes are malformed */
void membership_put_first(struct raft *raft, const struct raft_configuration *configuration);
void membership_truncated(struct raft *raft, uint64_t from);
/* The history becomes this one: what a snapshot covers. */
void membership_replace(struct raft *raft, uint64_t index,
                        const struct raft_configuration *configuration);
/* The history before a snapshot's end is not needed any more. */
void membership_forget(struct raft *raft, uint64_t index);
/* Of the configuration in force at `index`, which the history reaches. */
const struct members_record *membership_at(const struct raft *raft, uint64_t index);
void membership_committed(struct raft *raft); /* the commit index moved */
void membership_change(struct raft *raft, const struct raft_configuration *wanted);
/* A leader's next configuration, in force from now on; its index. */
uint64_t membership_append(struct raft *raft, const struct raft_configuration *configuration);
/* Writes the directories that a leader has met into the configuration, where that is due. */
void membership_fill_directories(struct raft *raft);
void membership_drop_leaving(struct raft *raft, bool all); /* those who know or took too long */
/* Over the voters of the configuration in force, of both sets while joint. `offset`: of a uint64_t
 * in struct peer. */
uint64_t membership_agreed(const struct raft *raft, size_t offset);
enum quorum_verdict membership_judge_votes(const struct raft *raft);

/* catch_up.c */
/* Whether somebody who is to vote in `wanted`, and does not now, is not level with this leader. */
bool catch_up_is_needed(struct raft *raft, const struct raft_configuration *wanted);
void catch_up_begin(struct raft *raft); /* where it is under way by the configuration in force */
void catch_up_progressed(struct raft *raft, uint64_t id); /* that peer has answered */
void catch_up_tick(struct raft *raft); /* at each heartbeat: gives up in the end */
/* Goes on to the change itself, once all are level and what prepares it is committed. */
void catch_up_finish(struct raft *raft);

/* transfer.c */
void transfer_begin(struct raft *raft, uint64_t target);
void transfer_reset(struct raft *raft); /* it leads from now on, or no more */
/* How long the leader waits for a server before it does without: an election time-out. */
int64_t transfer_bound_ns(const struct raft *raft);
bool transfer_is_under_way(const struct raft *raft);
void transfer_advance(struct raft *raft);   /* the target's log or our own has grown */
void transfer_heartbeat(struct raft *raft); /* what it was told may be lost */
void transfer_tick(struct raft *raft);      /* gives up in the end */
void transfer_members_changed(struct raft *raft);
void transfer_before_leaving(struct raft *raft); /* a removed leader's last word */
void transfer_handle(struct raft *raft, const struct raft_message *message);
void transfer_handle_response(struct raft *raft, const struct raft_message *message);

/* lease.c */
int64_t lease_promise_ns(const struct raft *raft); /* how long a leader counts as alive */
void lease_promise(struct raft *raft);             /* it has heard its leader, or starts anew */
bool lease_is_promised(const struct raft *raft);   /* it may not elect anybody now */
void lease_round_sent(struct raft *raft);          /* a leader's present round of heartbeats */
void lease_round_answered(struct raft *raft, struct peer *peer, uint64_t round);
bool lease_holds(struct raft *raft); /* now; that an entry of its term has committed is not asked */
void lease_reset(struct raft *raft); /* it begins to lead */

/* read.c */
void read_request(struct raft *raft, uint64_t read_id, bool lease);
void read_flush(struct raft *raft);
void read_repeat(struct raft *raft); /* a heartbeat is due: rounds that wait are sent again */
void read_fail_all(struct raft *raft);
void read_handle(struct raft *raft, const struct raft_message *message);
void read_handle_response(struct raft *raft, const struct raft_message *message);

#endif
