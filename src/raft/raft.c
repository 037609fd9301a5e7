/*
 * raft: a replica's life (copy, free), the dispatch of events, and what others may look at.
 *
 * It holds no rule of its own but those of terms (paper 5.1): who is behind catches up, what is
 * old is refused.
 */
#include "raft/internal.h"

#include <string.h>

struct peer *raft_find_peer(struct raft *raft, uint64_t id)
{
    uint32_t low = 0;
    uint32_t high = raft->peer_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        struct peer *peer = &raft->peers[middle];
        if (peer->id == id) {
            return peer;
        }
        if (peer->id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

bool raft_has_own_id(const struct raft *raft, const struct peer *peer)
{
    return peer->id == raft->options.id;
}

bool raft_voted_for(const struct raft *raft, uint64_t id, uint64_t directory)
{
    return raft->vote == id && raft->vote_directory == directory;
}

bool raft_votes(const struct raft *raft)
{
    return raft->self >= 0 && (raft->peers[raft->self].voter || raft->peers[raft->self].voter_old);
}

void raft_become_passive(struct raft *raft)
{
    raft->role = membership_may_campaign(raft) ? RAFT_FOLLOWER : RAFT_LEARNER;
}

int64_t time_after(int64_t now_ns, int64_t delay_ns)
{
    return delay_ns > RAFT_NEVER - now_ns ? RAFT_NEVER : now_ns + delay_ns;
}

const char *raft_role_name(enum raft_role role)
{
    static const char *const names[] = {"follower", "pre_candidate", "candidate", "leader",
                                        "learner"};
    return (unsigned)role < sizeof names / sizeof *names ? names[role] : "unknown";
}

/* ---- life ----------------------------------------------------------------------------------- */

void raft_free(struct raft *raft)
{
    if (raft == NULL) {
        return;
    }
    log_free(&raft->log);
    for (size_t i = 0; i < raft->records.count; i++) {
        raft_configuration_free(&raft->records.items[i].configuration);
    }
    for (uint32_t i = 0; i < raft->peer_count; i++) {
        progress_free(&raft->peers[i]);
    }
    array_free(&raft->records);
    memory_free(raft->peers);
    memory_free(raft->scratch);
    ring_free(&raft->reads);
    ring_free(&raft->marks);
    update_free(raft);
    memory_free(raft);
}

struct raft *raft_copy(const struct raft *raft)
{
    struct raft *copy = items_copied(raft, sizeof *raft);
    log_copy(&copy->log, &raft->log);
    array_copy(&copy->records, &raft->records);
    for (size_t i = 0; i < raft->records.count; i++) {
        raft_configuration_copy(&copy->records.items[i].configuration,
                                &raft->records.items[i].configuration);
    }
    copy->peers = items_copied(raft->peers, raft->peer_count * sizeof *raft->peers);
    for (uint32_t i = 0; i < raft->peer_count; i++) {
        progress_copy(&copy->peers[i], &raft->peers[i]);
    }
    copy->scratch = memory_new(2 * (size_t)raft->peer_count * sizeof *copy->scratch);
    ring_copy(&copy->reads, &raft->reads);
    ring_copy(&copy->marks, &raft->marks);
    update_forget(copy);
    return copy;
}

/* ---- events --------------------------------------------------------------------------------- */

static bool is_from_leader(const struct raft_message *message)
{
    return message->kind == RAFT_APPEND || message->kind == RAFT_READ ||
           message->kind == RAFT_SNAPSHOT || message->kind == RAFT_TIMEOUT_NOW;
}

/* What comes with a term that is over: those who ask learn the present one. */
static void answer_stale(struct raft *raft, const struct raft_message *message)
{
    switch (message->kind) {
    case RAFT_APPEND:
    case RAFT_SNAPSHOT:
        append_answer_stale(raft, message);
        break;
    case RAFT_READ: {
        struct raft_message *answer = update_answer(raft, RAFT_READ_RESPONSE, message);
        answer->reject = true;
        answer->sequence = message->sequence;
        break;
    }
    case RAFT_VOTE:
        election_handle_vote(raft, message);
        break;
    default: /* an answer to what was asked in an earlier term */
        break;
    }
}

/* Paper 5.1. false: the message is dealt with. */
static bool check_term(struct raft *raft, const struct raft_message *message)
{
    if (message->term < raft->term) {
        answer_stale(raft, message);
        return false;
    }
    if (message->term > raft->term && is_from_leader(message)) {
        election_follow(raft, message);
    } else if (message->term > raft->term) {
        election_become_follower(raft, message->term);
    }
    return true;
}

/* A leader is accepted in its own term. There cannot be a second one (election safety, paper 5.2):
 * its message is dropped. */
static bool accept_leader(struct raft *raft, const struct raft_message *message)
{
    bool is_known =
        raft->leader == message->from && raft->leader_directory == message->from_directory;
    if (raft->role == RAFT_LEADER || (raft->leader != 0 && !is_known)) {
        update_notice(raft, message->from, "%s: a second leader of term %llu",
                      raft_message_name(message->kind), (unsigned long long)message->term);
        return false;
    }
    if (is_known) {
        election_heard_leader(raft);
    } else {
        election_follow(raft, message);
    }
    return true;
}

static void handle_by_kind(struct raft *raft, const struct raft_message *message)
{
    switch (message->kind) {
    case RAFT_APPEND:
        if (accept_leader(raft, message)) {
            append_handle(raft, message);
        }
        break;
    case RAFT_READ:
        if (accept_leader(raft, message)) {
            read_handle(raft, message);
        }
        break;
    case RAFT_TIMEOUT_NOW:
        if (accept_leader(raft, message)) {
            transfer_handle(raft, message);
        }
        break;
    case RAFT_TIMEOUT_NOW_RESPONSE:
        transfer_handle_response(raft, message);
        break;
    case RAFT_SNAPSHOT:
        if (accept_leader(raft, message)) {
            snapshot_handle(raft, message);
        }
        break;
    case RAFT_APPEND_RESPONSE:
        replication_handle_response(raft, message);
        break;
    case RAFT_SNAPSHOT_RESPONSE:
        snapshot_handle_response(raft, message);
        break;
    case RAFT_READ_RESPONSE:
        read_handle_response(raft, message);
        break;
    case RAFT_VOTE:
        election_handle_vote(raft, message);
        break;
    default:
        ensure(message->kind == RAFT_VOTE_RESPONSE);
        election_handle_vote_response(raft, message);
    }
}

/* Pre-votes change no term, except a refusal from a later one (dissertation 9.6). */
static void handle_pre_vote_response(struct raft *raft, const struct raft_message *message)
{
    if (message->reject && message->term > raft->term) {
        election_become_follower(raft, message->term);
    } else {
        election_handle_vote_response(raft, message);
    }
}

/* Whose answers count. Where the configuration does not tell yet, it is whoever answers; but what a
 * disk has acknowledged to this leader is no other disk's. */
static uint64_t known_directory(const struct raft *raft, const struct peer *peer,
                                const struct raft_message *message)
{
    if (peer->directory != 0) {
        return peer->directory;
    }
    return raft->role == RAFT_LEADER && peer->match > 0 ? peer->met : message->from_directory;
}

/* Requests authorise themselves, by their term and log; an answer counts only from the server that
 * the configuration in force lists, and only for the server that asked. A late frame, one of a
 * former life, or one of a disk that was emptied can do no harm. */
static bool answer_counts(struct raft *raft, const struct raft_message *message)
{
    struct peer *peer = raft_find_peer(raft, message->from);
    if (peer == NULL) { /* of a server that was removed, and comes late */
        raft->dropped_messages++;
        return false;
    }
    if (known_directory(raft, peer, message) != message->from_directory) {
        raft->dropped_messages++;
        raft->update.other_id = message->from;
        raft->update.other_directory = message->from_directory;
        return false;
    }
    if (message->to_directory != raft->options.directory) { /* to a former life of ours */
        raft->dropped_messages++;
        return false;
    }
    peer->met = message->from_directory;
    if (peer->leaving_index == 0 || message->term <= raft->term) {
        return true;
    }
    /* A server that was removed, and was away meanwhile, answers what its leader still tells it
     * with the higher term it has campaigned up to. That deposes no leader (dissertation 4.2.3): a
     * term that matters reaches a leader through its members. It hears nothing of our term any
     * more. */
    peer->leaving_deadline_ns = raft->now_ns;
    membership_drop_leaving(raft, false);
    return false;
}

static void handle_message(struct raft *raft, const struct raft_message *message)
{
    const char *problem = message_problem(raft, message);
    if (problem != NULL) {
        update_notice(raft, message->from, "%s: %s", raft_message_name(message->kind), problem);
        return;
    }
    if (message_is_answer(message->kind) && !answer_counts(raft, message)) {
        return;
    }
    if (is_from_leader(message) && election_is_outsider(raft, message)) {
        update_notice(raft, message->from, "%s: from a non-member, while node %llu leads",
                      raft_message_name(message->kind), (unsigned long long)raft->leader);
        return;
    }
    bool asks_vote = message->kind == RAFT_VOTE || message->kind == RAFT_PRE_VOTE;
    if (asks_vote && election_holds_back(raft, message)) {
        return; /* not even its term is looked at */
    }
    if (message->kind == RAFT_PRE_VOTE) {
        election_handle_pre_vote(raft, message);
    } else if (message->kind == RAFT_PRE_VOTE_RESPONSE) {
        handle_pre_vote_response(raft, message);
    } else if (check_term(raft, message)) {
        handle_by_kind(raft, message);
    }
}

static void handle_tick(struct raft *raft)
{
    if (raft->role == RAFT_LEADER) {
        replication_tick(raft);
    } else if (raft->now_ns >= raft->election_deadline_ns &&
               raft->election_deadline_ns != RAFT_NEVER) {
        election_timer(raft);
    }
}

static void handle_persisted(struct raft *raft, uint64_t sequence)
{
    uint64_t durable = raft->durable;
    persist_confirmed(raft, sequence);
    election_persisted(raft);
    if (raft->role == RAFT_LEADER && raft->durable > durable) {
        replication_advance_commit(raft);
    }
}

static void handle_event(struct raft *raft, const struct raft_event *event)
{
    switch (event->kind) {
    case RAFT_EVENT_TICK:
        handle_tick(raft);
        break;
    case RAFT_EVENT_FLUSH:
        replication_flush(raft);
        break;
    case RAFT_EVENT_MESSAGE:
        handle_message(raft, event->message);
        break;
    case RAFT_EVENT_SUBMIT:
        replication_submit(raft, event);
        break;
    case RAFT_EVENT_PERSISTED:
        handle_persisted(raft, event->sequence);
        break;
    case RAFT_EVENT_CHANGE:
        membership_change(raft, event->configuration);
        break;
    case RAFT_EVENT_READ:
        read_request(raft, event->read_id, event->lease);
        break;
    case RAFT_EVENT_CAMPAIGN:
        election_timeout(raft, event->force);
        break;
    case RAFT_EVENT_HEARTBEAT:
        replication_heartbeat(raft);
        break;
    case RAFT_EVENT_SNAPSHOT_TAKEN:
        snapshot_taken(raft, event);
        break;
    case RAFT_EVENT_SNAPSHOT_WRITTEN:
        snapshot_written(raft, event);
        break;
    case RAFT_EVENT_SNAPSHOT_INSTALLED:
        snapshot_installed(raft, event);
        break;
    case RAFT_EVENT_SNAPSHOT_GONE:
        snapshot_gone(raft, event->message);
        break;
    case RAFT_EVENT_TRANSFER:
        transfer_begin(raft, event->target);
        break;
    }
}

/* What must hold between any two steps. */
static void ensure_sound(const struct raft *raft)
{
    ensure(raft->applied <= raft->commit && raft->applied <= raft->durable);
    ensure(raft->commit <= raft->log.last_index && raft->durable <= raft->log.last_index);
    ensure(raft->log.base_index <= raft->compact_to && raft->compact_to <= raft->snapshot.index);
    ensure(raft->term >= raft->log.last_term);
    ensure(raft->role != RAFT_LEADER ||
           raft_voted_for(raft, raft->options.id, raft->options.directory));
}

void raft_step(struct raft *raft, const struct raft_event *event, const struct raft_update **update)
{
    ensure(event->now_ns >= raft->now_ns);
    raft->now_ns = event->now_ns;
    struct raft_status before;
    before.role = raft->role;
    before.term = raft->term;
    before.leader = raft->leader;
    before.leader_directory = raft->leader_directory;
    before.commit_index = raft->commit;
    update_begin(raft);
    handle_event(raft, event);
    if (raft->incoming.index != 0) {
        snapshot_abandon(raft);
    }
    if (raft->unknown_directories > 0 && raft->role == RAFT_LEADER &&
        !transfer_is_under_way(raft)) {
        membership_fill_directories(raft);
    }
    update_finish(raft, &before);
    ensure(raft->commit >= before.commit_index);
    ensure_sound(raft);
    *update = &raft->update;
}
