/*
 * Commands and changes of members on their way to being applied: who handed one in is told exactly
 * once what became of it. It never looks into a command or a result.
 */
#include "node/internal.h"

#include <stdio.h>
#include <string.h>

/* Indexes rise but for those that a leader gives anew after its log was cut, so that each waiter
 * mostly stands at the end already. */
static void add_waiter(struct proposals *proposals, const struct waiter *waiter)
{
    if (proposals->waiters.count == 0 || waiter->term < proposals->lowest_term) {
        proposals->lowest_term = waiter->term;
    }
    (void)ring_push(&proposals->waiters);
    size_t place = proposals->waiters.count - 1;
    for (; place > 0 && ring_at(&proposals->waiters, place - 1)->index > waiter->index; place--) {
        *ring_at(&proposals->waiters, place) = *ring_at(&proposals->waiters, place - 1);
    }
    *ring_at(&proposals->waiters, place) = *waiter;
}

/* What came of a step; false: nothing, and why. */
static bool was_accepted(const struct node *node, const struct reply *reply,
                         struct failure *failure)
{
    if (node_check_running(node, failure) && reply->refusal != RAFT_ACCEPTED) {
        refusal_explain(node, reply->refusal, failure);
    }
    return node_is_running(node) && reply->refusal == RAFT_ACCEPTED;
}

/* ---- commands ------------------------------------------------------------------------------- */

bool proposals_submit(struct node *node, struct batch *batch, uint32_t offset, uint32_t size,
                      const struct node_asker *asker, struct reply *reply, struct failure *failure)
{
    if (size > RAFT_ENTRY_BYTES_MAX) {
        refusal_explain(node, RAFT_TOO_LARGE, failure);
        return false;
    }
    struct raft_entry entry = {.batch = batch,
                               .offset = offset,
                               .size_and_kind = raft_entry_pack(size, RAFT_ENTRY_COMMAND)};
    struct raft_event event = {.kind = RAFT_EVENT_SUBMIT, .entry_count = 1, .entries = &entry};
    drive_step(node, &event, reply);
    if (!was_accepted(node, reply, failure)) {
        return false;
    }
    if (asker != NULL) {
        struct waiter waiter = {.index = reply->index, .term = reply->term, .asker = *asker};
        add_waiter(&node->proposals, &waiter);
    }
    return true;
}

static bool submit_copy(struct node *node, struct bytes payload, const struct node_asker *asker,
                        struct reply *reply, struct failure *failure)
{
    if (!node_check_running(node, failure)) {
        return false;
    }
    if (payload.size > RAFT_ENTRY_BYTES_MAX) {
        refusal_explain(node, RAFT_TOO_LARGE, failure);
        return false;
    }
    struct batch *batch = batch_copy(node->world->pool, payload.data, payload.size);
    bool taken = proposals_submit(node, batch, 0, (uint32_t)payload.size, asker, reply, failure);
    batch_release(batch);
    work_run(node);
    application_tell_soon(node);
    return taken;
}

bool node_submit(struct node *node, struct bytes payload, uint64_t *index, uint64_t *term,
                 struct failure *failure)
{
    struct reply reply = {0};
    bool taken = submit_copy(node, payload, NULL, &reply, failure);
    *index = reply.index;
    *term = reply.term;
    return taken;
}

void node_propose(struct node *node, struct bytes payload, const struct node_asker *asker)
{
    struct node_outcome outcome = {0};
    struct reply reply = {0};
    ensure(asker->done != NULL);
    if (!submit_copy(node, payload, asker, &reply, &outcome.failure)) {
        asker->done(asker->context, asker->number, &outcome);
    }
}

/* Who is named by the id alone stays as it is listed. */
static bool fill_in_listed(const struct node *node, struct raft_configuration *wanted,
                           struct failure *failure)
{
    for (uint32_t i = 0; i < wanted->count; i++) {
        struct raft_member *member = &wanted->members[i];
        const struct raft_member *listed =
            raft_configuration_find(raft_members(node->raft), member->id);
        if (member->address_size > 0 || member->directory != 0) {
            continue;
        }
        if (listed == NULL) {
            failure_set(failure, FAILURE_NOT_MEMBER,
                        "node %llu is not a member: give its address in place of true",
                        (unsigned long long)member->id);
            return false;
        }
        member->directory = listed->directory;
        member->address_size = listed->address_size;
        memcpy(member->address, listed->address, listed->address_size);
    }
    return true;
}

/* A server that is added by its address alone is connected first, so that the change names its
 * directory. */
static bool find_new_members(struct node *node, struct raft_configuration *wanted,
                             struct failure *failure)
{
    const struct raft_configuration *present = raft_members(node->raft);
    struct raft_status status;
    raft_get_status(node->raft, &status);
    const struct raft_member *missing = NULL;
    for (uint32_t i = 0; i < wanted->count && status.role == RAFT_LEADER; i++) {
        struct raft_member *member = &wanted->members[i];
        bool is_new = raft_configuration_find(present, member->id) == NULL;
        if (is_new && member->directory == 0 && member->id != node->id &&
            !peers_find_directory(node, member, &member->directory) && missing == NULL) {
            missing = member; /* the others are looked for as well */
        }
    }
    if (missing != NULL) {
        failure_set(failure, FAILURE_BUSY,
                    "node %llu has not been reached at %.*s: it must be running before it is added",
                    (unsigned long long)missing->id, (int)missing->address_size, missing->address);
        return false;
    }
    return true;
}

static bool change(struct node *node, struct raft_configuration *wanted, struct reply *reply,
                   struct failure *failure)
{
    if (!fill_in_listed(node, wanted, failure) || !find_new_members(node, wanted, failure)) {
        return false;
    }
    struct raft_event event = {.kind = RAFT_EVENT_CHANGE, .configuration = wanted};
    drive_step(node, &event, reply);
    return was_accepted(node, reply, failure);
}

bool node_change(struct node *node, const struct raft_configuration *wanted, uint64_t *index,
                 uint64_t *term, const struct node_asker *asker, struct failure *failure)
{
    struct reply reply = {0};
    if (!node_check_running(node, failure)) {
        return false;
    }
    struct raft_configuration exact;
    raft_configuration_copy(&exact, wanted);
    bool taken = change(node, &exact, &reply, failure);
    raft_configuration_free(&exact);
    if (taken) {
        struct waiter waiter = {
            .index = reply.index, .term = reply.term, .asker = *asker, .change = true};
        add_waiter(&node->proposals, &waiter);
    }
    *index = reply.index;
    *term = reply.term;
    work_run(node);
    application_tell_soon(node);
    return taken;
}

/* ---- what becomes of them -------------------------------------------------------------------- */

static void tell_superseded(struct node *node, const struct waiter *waiter)
{
    struct node_outcome outcome = {.index = waiter->index, .term = waiter->term};
    failure_set(&outcome.failure, FAILURE_SUPERSEDED,
                "another leader's entries took the place of index %llu (the one of term %llu was "
                "given up)",
                (unsigned long long)waiter->index, (unsigned long long)waiter->term);
    clients_tell(node, &waiter->asker, &outcome);
}

static void tell_applied(struct node *node, const struct waiter *waiter, uint64_t index,
                         uint64_t term, struct bytes result)
{
    struct node_outcome outcome;
    failure_clear(&outcome.failure);
    outcome.index = index;
    outcome.term = term;
    outcome.result = result;
    clients_tell(node, &waiter->asker, &outcome);
}

/* It was applied all the same. */
static void tell_too_large(struct node *node, const struct waiter *waiter)
{
    struct node_outcome outcome = {.index = waiter->index, .term = waiter->term};
    failure_set(&outcome.failure, FAILURE_TOO_LARGE,
                "the command was applied at index %llu, but its result is larger than %u bytes",
                (unsigned long long)waiter->index, VALUE_BYTES_MAX);
    outcome.failure.unknown = true;
    clients_tell(node, &waiter->asker, &outcome);
}

static void note_coming(struct node *node)
{
    const struct raft_configuration *members = removal_members(node);
    char *coming = node->proposals.coming;
    size_t size = 0;
    coming[0] = 0;
    for (uint32_t i = 0; i < members->count && size < sizeof node->proposals.coming - 1; i++) {
        if (members->members[i].next_voter && !members->members[i].voter) {
            int written =
                snprintf(coming + size, sizeof node->proposals.coming - size, "%s%llu",
                         size > 0 ? ", " : "", (unsigned long long)members->members[i].id);
            size += (size_t)written;
        }
    }
}

/* The first entry of a change was applied: it is done at once where that is all, else with the
 * final configuration. */
static void first_of_change(struct node *node, const struct waiter *waiter, enum members_form form)
{
    if (form != MEMBERS_SIMPLE) {
        ensure(!node->proposals.change_waits);
        node->proposals.change = *waiter;
        node->proposals.change_waits = true;
        node->proposals.change_form = form;
        note_coming(node);
    } else {
        tell_applied(node, waiter, waiter->index, waiter->term, (struct bytes){NULL, 0});
    }
}

/* What came of an earlier try of the same command only the client can tell. */
static void tell_session_expired(struct node *node, const struct waiter *waiter,
                                 enum machine_verdict verdict)
{
    struct node_outcome outcome = {.index = waiter->index, .term = waiter->term};
    failure_set(&outcome.failure, FAILURE_SESSION_EXPIRED, "%s",
                verdict == MACHINE_SESSION_UNKNOWN
                    ? "the session has expired: others were used since, more than are "
                      "remembered; this try of the command was not applied"
                    : "a later command of the session was applied: this try was not");
    outcome.failure.unknown = verdict == MACHINE_SESSION_PAST;
    clients_tell(node, &waiter->asker, &outcome);
}

static void tell_of_entry(struct node *node, const struct waiter *waiter,
                          const struct applied *applied)
{
    if (waiter->term != applied->term) {
        tell_superseded(node, waiter);
    } else if (waiter->change) {
        first_of_change(node, waiter, applied->form);
    } else if (applied->verdict != MACHINE_APPLIED) {
        tell_session_expired(node, waiter, applied->verdict);
    } else if (applied->result.size == 0) {
        tell_too_large(node, waiter);
    } else {
        tell_applied(node, waiter, waiter->index, applied->term, applied->result);
    }
}

/* No log has an entry of a lower term behind a committed one (paper, 5.3): who waits for such a one
 * would wait for ever where nothing new is written. */
static void give_up_older(struct node *node, uint64_t term)
{
    struct proposals *proposals = &node->proposals;
    array_of(struct waiter) older = {0};
    size_t kept = 0;
    for (size_t i = 0; i < proposals->waiters.count; i++) {
        struct waiter waiter = *ring_at(&proposals->waiters, i);
        if (waiter.term < term) {
            *array_push(&older) = waiter;
        } else {
            *ring_at(&proposals->waiters, kept++) = waiter;
        }
    }
    while (proposals->waiters.count > kept) {
        (void)ring_pop_last(&proposals->waiters);
    }
    proposals->lowest_term = term;
    for (size_t i = 0; i < older.count; i++) {
        tell_superseded(node, &older.items[i]);
    }
    array_free(&older);
}

void proposals_applied(struct node *node, uint64_t index, const struct applied *applied)
{
    struct proposals *proposals = &node->proposals;
    while (proposals->waiters.count > 0 && ring_at(&proposals->waiters, 0)->index == index) {
        struct waiter waiter = *ring_pop(&proposals->waiters);
        tell_of_entry(node, &waiter, applied);
    }
    if (proposals->waiters.count > 0 && proposals->lowest_term < applied->term) {
        give_up_older(node, applied->term);
    }
}

/* Its leader, or the next one, went back to the members of before. */
static void tell_given_up(struct node *node, const struct waiter *waiter)
{
    struct node_outcome outcome = {.index = waiter->index, .term = waiter->term};
    failure_set(
        &outcome.failure, FAILURE_TIMEOUT,
        "the change was given up: not all of the new voters (%s) came level with the leader "
        "in time; the members are those of before",
        node->proposals.coming);
    clients_tell(node, &waiter->asker, &outcome);
}

void proposals_change_applied(struct node *node, uint64_t index, uint64_t term,
                              enum members_form form)
{
    struct proposals *proposals = &node->proposals;
    if (!proposals->change_waits || index <= proposals->change.index) {
        return;
    }
    if (form != MEMBERS_SIMPLE) {
        proposals->change_form = form;
        return;
    }
    struct waiter change = proposals->change;
    proposals->change_waits = false;
    if (proposals->change_form == MEMBERS_PREPARING) {
        tell_given_up(node, &change);
    } else {
        tell_applied(node, &change, index, term, (struct bytes){NULL, 0});
    }
}

static void tell_installed(struct node *node, const struct waiter *waiter)
{
    struct node_outcome outcome = {.index = waiter->index, .term = waiter->term};
    failure_set(&outcome.failure, FAILURE_TIMEOUT,
                "a snapshot took the place of the log up to index %llu and more: what became of "
                "the command there is not known",
                (unsigned long long)waiter->index);
    outcome.failure.unknown = true;
    clients_tell(node, &waiter->asker, &outcome);
}

void proposals_installed(struct node *node, uint64_t index)
{
    struct proposals *proposals = &node->proposals;
    if (proposals->change_waits && proposals->change.index <= index) {
        struct waiter change = proposals->change;
        proposals->change_waits = false;
        tell_installed(node, &change);
    }
    while (proposals->waiters.count > 0 && ring_at(&proposals->waiters, 0)->index <= index) {
        struct waiter waiter = *ring_pop(&proposals->waiters);
        tell_installed(node, &waiter);
    }
}

void proposals_end(struct node *node, bool tell)
{
    struct proposals proposals = node->proposals;
    memset(&node->proposals, 0, sizeof node->proposals);
    if (proposals.change_waits) {
        *ring_push(&proposals.waiters) = proposals.change;
    }
    while (proposals.waiters.count > 0) {
        struct waiter waiter = *ring_pop(&proposals.waiters);
        if (tell) {
            clients_tell_down(node, &waiter.asker, waiter.index, waiter.term);
        }
    }
    ring_free(&proposals.waiters);
}
