/*
 * durability: what a node promises and what its disk holds: votes, terms, acknowledged and
 * committed entries, across crashes.
 *
 * The disk is known from the node's own WRITE and SYNC events, never by looking at it. What a crash
 * may take is what no SYNC had confirmed; what a START then shows is judged against the rest.
 */
#include "check/internal.h"

#include <inttypes.h>

static struct server vote_in(const struct trace_event *event)
{
    return (struct server){event->vote, event->vote_directory};
}

/* ---- writes --------------------------------------------------------------------------------- */

/* One part for each run of equal term, so that a write keeps its entries when the log moves on. */
static void push_entries(struct check_node *node, const struct trace_event *event)
{
    const struct chain *log = &node->log;
    struct write part = {.sequence = event->sequence, .what = TRACE_ENTRIES};
    uint64_t next = event->first;
    do {
        part.first = next;
        part.last = event->last;
        part.entries = NULL;
        if (next <= event->last && next > log->base && next <= log->last) {
            const struct run *run = chain_run(log, next);
            uint64_t end = chain_run_last(log, run);
            part.last = end < event->last ? end : event->last;
            part.entries = run->term;
        }
        *ring_push(&node->writes) = part;
        next = part.last + 1;
    } while (next <= event->last);
}

void durability_write(struct checker *checker, struct check_node *node,
                      const struct trace_event *event)
{
    if ((event->what & TRACE_STATE) != 0) {
        if (!safety_term(checker, node, event)) {
            return;
        }
        *ring_push(&node->writes) = (struct write){.sequence = event->sequence,
                                                   .what = TRACE_STATE,
                                                   .term = event->term,
                                                   .vote = vote_in(event)};
    }
    if ((event->what & TRACE_SNAPSHOTS) != 0) {
        *ring_push(&node->writes) = (struct write){.sequence = event->sequence,
                                                   .what = TRACE_SNAPSHOTS,
                                                   .first = event->index,
                                                   .entries = chain_term(&node->log, event->index)};
    }
    if ((event->what & TRACE_ENTRIES) != 0 && event->first > 0) {
        push_entries(node, event);
    }
}

static void carry_out(struct check_node *node, const struct write *write)
{
    struct chain *disk = &node->disk;
    if (write->what == TRACE_STATE) {
        node->disk_term = write->term;
        node->disk_vote = write->vote;
    } else if (write->what == TRACE_ENTRIES) {
        chain_truncate(disk, write->first - 1);
        chain_extend(disk, write->first - 1, NULL); /* what was not seen being written */
        chain_extend(disk, write->last, write->entries);
    } else if (write->what == TRACE_SNAPSHOTS && write->entries != NULL &&
               chain_term(disk, write->first) == write->entries) {
        chain_compact(disk, write->first);
    } else if (write->what == TRACE_SNAPSHOTS && write->first > disk->base) {
        chain_reset(disk, write->first, write->entries);
    }
}

/* What was on its way to the log does not matter any more: were the log found as it is, it would be
 * replaced at the start. */
void durability_install(struct check_node *node, uint64_t index, struct term *term)
{
    for (size_t i = 0; i < node->writes.count; i++) {
        struct write *write = ring_at(&node->writes, i);
        write->what = write->what == TRACE_STATE ? TRACE_STATE : 0;
    }
    if (term == NULL || chain_term(&node->disk, index) != term) {
        chain_reset(&node->disk, index, term);
    } else {
        chain_compact(&node->disk, index);
    }
}

/* Persists complete in order, and one SYNC confirms all up to its sequence. */
void durability_sync(struct check_node *node, const struct trace_event *event)
{
    while (node->writes.count > 0 && ring_at(&node->writes, 0)->sequence <= event->sequence) {
        carry_out(node, ring_pop(&node->writes));
    }
}

/* ---- a start -------------------------------------------------------------------------------- */

/* Hard state that was durable comes back: the term, and in the same term the vote. */
static bool judge_hard_state(struct checker *checker, const struct check_node *node,
                             const struct trace_event *event)
{
    if (event->term < node->disk_term) {
        checker_report(checker, event, CHECK_MONOTONIC_TERM, 0,
                       "node %" PRIu64 " starts in term %" PRIu64 ", but term %" PRIu64
                       " was durable on its disk",
                       node->id, event->term, node->disk_term);
        return false;
    }
    if (event->term == node->disk_term && node->disk_vote.id != 0 &&
        !server_equal(vote_in(event), node->disk_vote)) {
        checker_report(checker, event, CHECK_ONE_VOTE, node->disk_vote.id,
                       "node %" PRIu64 " starts in term %" PRIu64 " with a vote for node %" PRIu64
                       " (0: none), but its vote for node %" PRIu64 " was durable on its disk",
                       node->id, event->term, event->vote, node->disk_vote.id);
        return false;
    }
    return true;
}

/* Committed entries that were durable come back, or a snapshot that covers them. */
static bool judge_kept(struct checker *checker, const struct check_node *node,
                       const struct trace_event *event)
{
    uint64_t index = chain_agree(&node->disk, &checker->committed);
    if (index == 0 || index <= node->log.base) {
        return true;
    }
    const struct term *had = chain_term(&node->disk, index);
    const struct term *has = chain_term(&node->log, index);
    bool short_log = index > node->log.last;
    if (!short_log && (has == NULL || has == had)) {
        return true;
    }
    checker_report(checker, event, CHECK_COMMITTED_IS_KEPT, 0,
                   "node %" PRIu64 " starts with a log that ends at index %" PRIu64
                   " and %s the entry of term %" PRIu64 " at index %" PRIu64
                   ", which is committed and was durable on its disk",
                   node->id, node->log.last, short_log ? "lacks" : "has another entry instead of",
                   had->term, index);
    return false;
}

/* A new incarnation: what was only in memory is gone. */
static void reset_node(struct checker *checker, struct check_node *node,
                       const struct trace_event *event)
{
    uint64_t base = event->first > 0 ? event->first - 1 : 0;
    struct term *base_term = &checker->origin;
    /* The snapshot comes first: it may be a received one, which was named before the crash and
       took the place of entries of another term. */
    if (base > 0 && base == event->commit && event->prev_term != 0) {
        base_term = terms_get(&checker->terms, event->prev_term);
    } else if (base > 0) {
        base_term = chain_term(&node->disk, base);
        base_term = base_term != NULL ? base_term : chain_term(&checker->committed, base);
    }
    chain_reset(&node->log, base, base_term);
    node->life++;
    node->running = true;
    node->leads = false;
    node->term = event->term;
    node->vote_term = event->term;
    node->vote = vote_in(event);
    node->snapshot = event->commit > base ? event->commit : base;
    node->commit = node->snapshot;
    node->applied = node->snapshot;
    node->writes.count = 0;
    configurations_forget(node);
    majorities_forget_reads(node);
    durability_forget_matches(node, true);
}

/* Of a server that is new nothing is known that its disk would have to hold. */
void durability_start(struct checker *checker, struct check_node *node,
                      const struct trace_event *event)
{
    if (!judge_hard_state(checker, node, event)) {
        return;
    }
    reset_node(checker, node, event);
    if (!safety_take_entries(checker, node, event) || !judge_kept(checker, node, event) ||
        !configurations_take(checker, node, event)) {
        return;
    }
    if (event->commit > 0) {
        commits_start(checker, node, event);
        (void)configurations_judge_snapshot(checker, node, event, event->commit);
        configurations_committed(checker, node);
    }
    node->members_due = false;
    if (event->vote != 0 && event->term > 0) {
        majorities_note_vote(terms_get(&checker->terms, event->term),
                             (struct vote){.voter = server_of(node), .candidate = vote_in(event)});
    }
    node->disk_term = event->term;
    node->disk_vote = vote_in(event);
    chain_reset(&node->disk, node->log.base, node->log.base_term);
    chain_append(&node->disk, &node->log, node->log.last);
    /* In a later term it may have replaced what it acknowledged. */
    if (event->term <= node->claim.term) {
        (void)durability_judge_claim(checker, node, event);
    }
    node->claim.index = 0;
}

/* ---- promises ------------------------------------------------------------------------------- */

void durability_vote(struct checker *checker, struct check_node *node,
                     const struct trace_event *event)
{
    if (!safety_term(checker, node, event)) {
        return;
    }
    /* A vote that a crash took before it was durable was never answered: START forgets it. */
    struct server candidate = {event->peer, event->directory};
    if (node->vote_term == event->term && node->vote.id != 0 &&
        !server_equal(node->vote, candidate)) {
        checker_report(checker, event, CHECK_ONE_VOTE, event->peer,
                       "node %" PRIu64 " votes in term %" PRIu64 " for node %" PRIu64
                       ", but gave its vote in that term to node %" PRIu64,
                       node->id, event->term, event->peer, node->vote.id);
        return;
    }
    node->cut_since_vote = false;
    node->vote_term = event->term;
    node->vote = candidate;
    if (event->term > 0 && majorities_judge_vote(checker, node, event)) {
        majorities_note_vote(terms_get(&checker->terms, event->term),
                             (struct vote){.voter = server_of(node),
                                           .candidate = candidate,
                                           .last = event->last,
                                           .last_term = event->prev_term,
                                           .seen = true});
    }
}

/* The server that a leader's configuration in force lists under that id; the one that answered,
 * where that is not known. */
static struct server server_listed(const struct check_node *leader, struct server answered)
{
    const struct check_configuration *in_force = configurations_in_force(leader);
    const struct raft_member *listed =
        in_force == NULL ? NULL : raft_configuration_find(&in_force->members, answered.id);
    bool known = listed != NULL && listed->directory != 0;
    return known ? (struct server){listed->id, listed->directory} : answered;
}

static void report_match(struct checker *checker, const struct check_node *peer,
                         const struct trace_event *event, const struct claim *claim)
{
    bool short_disk = claim->index > peer->disk.last;
    checker_report(
        checker, event, CHECK_MATCH_IS_TRUE, event->node == peer->id ? claim->leader : peer->id,
        "node %" PRIu64 ", leader of term %" PRIu64 ", takes the log of node %" PRIu64
        " to match its own up to index %" PRIu64 " (term %" PRIu64
        "), but on that node's disk is %s (its last index there is %" PRIu64 ")",
        claim->leader, claim->term, peer->id, claim->index,
        claim->entry == NULL ? 0 : claim->entry->term,
        short_disk ? "nothing yet at that index" : "an entry of another term", peer->disk.last);
}

static bool is_true(const struct check_node *peer, const struct claim *claim)
{
    const struct term *held = chain_term(&peer->disk, claim->index);
    return claim->index <= peer->disk.last &&
           (held == NULL || claim->entry == NULL || held == claim->entry);
}

bool durability_judge_claim(struct checker *checker, struct check_node *node,
                            const struct trace_event *event)
{
    struct claim claim = node->claim;
    node->claim.index = 0;
    if (claim.index == 0 || is_true(node, &claim)) {
        return true;
    }
    report_match(checker, node, event, &claim);
    return false;
}

/* A leader's match index of a peer: true of that peer's durable log, unless the peer has moved on
 * to a later term since it answered, when it may have replaced what it had. Where events may be
 * missing or come late, the peer may have more by now than was seen: it is judged when the peer
 * acknowledges that index, moves to a later term, or comes back with its disk. */
static bool judge_match(struct checker *checker, const struct check_node *node,
                        const struct trace_event *event, struct server server)
{
    struct check_node *peer = checker_server(checker, server);
    if (event->index == 0 || peer == NULL || peer->life == 0 || peer->term > node->term) {
        return true;
    }
    struct claim claim = {node->id, node->term, event->index, chain_term(&node->log, event->index)};
    if (is_true(peer, &claim)) {
        return true;
    }
    if (checker->gaps) {
        peer->claim = claim;
        return true;
    }
    report_match(checker, peer, event, &claim);
    return false;
}

/* What is not known counts. */
static bool lists(const struct check_node *leader, uint64_t id)
{
    const struct check_configuration *in_force = configurations_in_force(leader);
    return in_force == NULL || raft_configuration_find(&in_force->members, id) != NULL;
}

void durability_forget_matches(struct check_node *node, bool all)
{
    size_t kept = 0;
    for (size_t i = 0; !all && i < node->matches.count; i++) {
        const struct told_match *match = &node->matches.items[i];
        if (lists(node, match->server.id)) {
            node->matches.items[kept++] = *match;
        }
    }
    node->matches.count = kept;
}

/* Each MATCH tells of more than before: a late answer must not make a leader forget what it knows.
 * false: reported. */
static bool judge_rise(struct checker *checker, struct check_node *node,
                       const struct trace_event *event, struct server server)
{
    for (size_t i = 0; i < node->matches.count; i++) {
        struct told_match *match = &node->matches.items[i];
        if (!server_equal(match->server, server)) {
            continue;
        }
        if (event->index <= match->index) {
            checker_report(checker, event, CHECK_MATCH_RISES, server.id,
                           "node %" PRIu64 ", leader of term %" PRIu64
                           ", took the log of node %" PRIu64
                           " to match its own up to index %" PRIu64 ", and now up to %" PRIu64
                           " again; what matches once matches as long as it leads",
                           node->id, node->term, server.id, match->index, event->index);
            return false;
        }
        match->index = event->index;
        return true;
    }
    if (lists(node, server.id)) { /* one that was removed begins anew if it comes back */
        *array_push(&node->matches) = (struct told_match){server, event->index};
    }
    return true;
}

/* Of whoever answered, and of the server that the leader takes it for. */
void durability_match(struct checker *checker, struct check_node *node,
                      const struct trace_event *event)
{
    struct server answered = {event->peer, event->directory};
    struct server listed = server_listed(node, answered);
    if (!judge_rise(checker, node, event, answered)) {
        return;
    }
    if (judge_match(checker, node, event, answered) && !server_equal(answered, listed)) {
        (void)judge_match(checker, node, event, listed);
    }
}

/* A follower says that its log matches its leader's up to an index: that much is on its disk, with
 * the term that its own log and its leader's have there. */
static void judge_acknowledged(struct checker *checker, const struct check_node *node,
                               const struct trace_event *event)
{
    uint64_t index = event->index;
    if (index > node->disk.last) {
        checker_report(checker, event, CHECK_MATCH_IS_TRUE, event->peer,
                       "node %" PRIu64 " acknowledges index %" PRIu64 " to node %" PRIu64
                       " in term %" PRIu64 ", but its durable log ends at index %" PRIu64,
                       node->id, index, event->peer, event->term, node->disk.last);
        return;
    }
    const struct check_node *leader =
        checker_server(checker, (struct server){event->peer, event->directory});
    const struct term *on_disk = chain_term(&node->disk, index);
    const struct term *in_log = chain_term(&node->log, index);
    const struct term *leaders = NULL;
    if (leader != NULL && leader->leads && leader->term == event->term) {
        leaders = chain_term(&leader->log, index);
    }
    const struct term *other = in_log != NULL && in_log != on_disk ? in_log : leaders;
    if (on_disk != NULL && other != NULL && other != on_disk) {
        checker_report(checker, event, CHECK_MATCH_IS_TRUE, event->peer,
                       "node %" PRIu64 " acknowledges index %" PRIu64 " to node %" PRIu64
                       " in term %" PRIu64 ", but on its disk is an entry of term %" PRIu64
                       " there, and in %s log one of term %" PRIu64,
                       node->id, index, event->peer, event->term, on_disk->term,
                       other == in_log ? "its own" : "its leader's", other->term);
    }
}

/* A candidate asks for votes when its own, and the log that it asks with, are on its disk: after a
 * crash it could vote for another in that term, or ask again with a shorter log. A request that
 * waited for the disk while another became leader and cut the log off asks for nothing any more. */
static void judge_candidate(struct checker *checker, const struct check_node *node,
                            const struct trace_event *event)
{
    bool voted = node->disk_term == event->term && server_equal(node->disk_vote, server_of(node));
    if (voted && (event->prev_index <= node->disk.last || node->cut_since_vote)) {
        return;
    }
    checker_report(checker, event, voted ? CHECK_MATCH_IS_TRUE : CHECK_ONE_VOTE, event->peer,
                   "node %" PRIu64 " asks node %" PRIu64 " for its vote in term %" PRIu64
                   " before its own is durable, with all of its log up to index %" PRIu64
                   " (on disk: term %" PRIu64 ", vote for %" PRIu64
                   ", 0: nobody, and a log that ends at index %" PRIu64 ")",
                   node->id, event->peer, event->term, event->prev_index, node->disk_term,
                   node->disk_vote.id, node->disk.last);
}

/* An answer that promises something leaves only when that is on disk (paper, section 5: servers
 * update stable storage before they respond). Answers of an earlier term than the node's own may
 * speak of what was rightly replaced since, and no longer count. */
void durability_send(struct checker *checker, struct check_node *node,
                     const struct trace_event *event)
{
    if (event->reject || event->term != node->term || node->life == 0) {
        return;
    }
    if (event->message_kind == RAFT_VOTE_RESPONSE) {
        if (node->disk_term == event->term &&
            server_equal(node->disk_vote, (struct server){event->peer, event->directory})) {
            return;
        }
        checker_report(checker, event, CHECK_ONE_VOTE, event->peer,
                       "node %" PRIu64 " answers node %" PRIu64
                       " that it has its vote in term %" PRIu64
                       " before that is durable (on disk: term %" PRIu64 ", vote for %" PRIu64
                       ", 0: nobody); after a crash it could vote again",
                       node->id, event->peer, event->term, node->disk_term, node->disk_vote.id);
    } else if (event->message_kind == RAFT_VOTE) {
        judge_candidate(checker, node, event);
    } else if (event->message_kind == RAFT_APPEND_RESPONSE) {
        judge_acknowledged(checker, node, event);
        if (event->term == node->claim.term && event->index >= node->claim.index) {
            (void)durability_judge_claim(checker, node, event);
        }
    }
}

/* ---- disks that lie ------------------------------------------------------------------------- */

/* What was torn off, or failed, was never reported to be durable: such a disk does not lie. */
void durability_fault(struct checker *checker, const struct trace_event *event)
{
    static const char *const lies[] = {"corrupt", "flip", "misdirect_read", "misdirect_write"};
    struct bytes found;
    int64_t id = 0;
    if (!bytes_equal(event->text, bytes_of_text("disk")) ||
        !value_field_integer(event->value, "node", &id) || id < 1) {
        return;
    }
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        if (value_field(event->value, lies[i], &found)) {
            checker_node(checker, (uint64_t)id)->disk_lies = true;
        }
    }
}

/* What the leader sends it reads from its own disk. What it was sent itself it has verified. */
void durability_damaged_snapshot(struct checker *checker, const struct check_node *node,
                                 const struct trace_event *event)
{
    if (checker_node(checker, event->peer)->disk_lies) {
        return;
    }
    checker_report(checker, event, CHECK_SNAPSHOT_INTACT, event->peer,
                   "node %" PRIu64 " received a damaged snapshot of index %" PRIu64
                   " from node %" PRIu64 ", leader of term %" PRIu64
                   ", whose disk was not made to lie: %.*s",
                   node->id, event->index, event->peer, event->term, (int)event->text.size,
                   (const char *)event->text.data);
}
