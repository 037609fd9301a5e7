/*
 * The life of one request: whom to ask, when to ask again, and what is not known when it ends. It
 * asks again only if it is certain that the last try had no effect, and never guesses.
 */
#include "request/internal.h"

#include <string.h>

#define ASK_AGAIN_NS INT64_C(20000000) /* after a refusal by who still looks like the leader */

uint64_t request_try_number(const struct request *request)
{
    return request->number | ((uint64_t)request->tries << REQUEST_NUMBER_BITS);
}

static bool is_read(const struct request *request)
{
    return request->kind == REQUEST_READ || request->kind == REQUEST_READ_LEASE ||
           request->kind == REQUEST_READ_STALE;
}

/* Asked twice, it comes to the same: an answer that is lost is asked for again. */
static bool may_be_lost(const struct request *request)
{
    return request->wanted_node == 0 && (is_read(request) || request->kind == REQUEST_TRANSFER);
}

/* Whether it may come to something although nothing more is done. That a session may have been
 * opened is nothing. */
static bool may_have_effect(const struct request *request)
{
    return request->maybe_applied || (request->state == REQUEST_ASKED && !request->is_opening);
}

/* ---- how it ends ---------------------------------------------------------------------------- */

void request_complete(struct requests *requests, struct request *request)
{
    request->outcome.failure.unknown = request->outcome.failure.unknown && !is_read(request);
    request_set_due(requests, request, WORLD_NEVER);
    session_release(requests, request);
    request_move(requests, request, REQUEST_DONE);
    if (requests->reach->ready != NULL) {
        requests->reach->ready(requests->owner);
    }
}

void request_expect_no_answer(struct requests *requests, struct request *request)
{
    if (request->state == REQUEST_ASKED) {
        requests->reach->forget(requests->owner, request->asked, request->kind,
                                request_try_number(request));
    }
}

static void look(struct requests *requests, struct request *request)
{
    request_expect_no_answer(requests, request);
    request_move(requests, request, REQUEST_LOOKING);
    request_set_due(requests, request, request->deadline_ns);
}

static const char *name_of(const struct request *request)
{
    return request->kind == REQUEST_PROPOSE    ? "the command"
           : request->kind == REQUEST_CHANGE   ? "the change of members"
           : request->kind == REQUEST_TRANSFER ? "the transfer of leadership"
           : request->kind == REQUEST_COMPACT  ? "the request for a snapshot"
           : request->kind == REQUEST_CALL     ? "the call"
                                               : "the read";
}

/* No node has taken it, and it will have no effect. */
static void fail_not_taken(struct requests *requests, struct request *request)
{
    struct failure *failure = &request->outcome.failure;
    if (failure->code == FAILURE_BUSY && request->kind != REQUEST_CALL) {
        return; /* that says why */
    }
    if (request->is_waiting_for_session) {
        failure_set(failure, FAILURE_BUSY,
                    "too many commands that are to be applied exactly once are under way");
        return;
    }
    if (request->kind == REQUEST_CALL || request->wanted_node != 0) {
        failure_set(failure, FAILURE_TIMEOUT,
                    "node %llu could not be asked before the time-out: %.120s",
                    (unsigned long long)request->wanted_node,
                    failure->message[0] == 0 ? "it is not there" : failure->message);
        return;
    }
    failure_set(failure, FAILURE_NO_LEADER, "there was no leader to take %s before the time-out",
                name_of(request));
    if (requests->reach->explain != NULL) {
        requests->reach->explain(requests->owner, failure->message, sizeof failure->message);
    }
}

static void time_is_up(struct requests *requests, struct request *request)
{
    struct failure *failure = &request->outcome.failure;
    if (request->kind == REQUEST_WAIT) {
        failure_set(failure, FAILURE_TIMEOUT, "the time-out has passed");
    } else if (request->state == REQUEST_APPLYING) {
        if (request->kind != REQUEST_PROPOSE) { /* else it is committed all the same */
            failure_set(failure, FAILURE_TIMEOUT, "this node did not catch up before the time-out");
        }
    } else if (request->state == REQUEST_ASKED || request->maybe_applied) {
        bool unknown = may_have_effect(request);
        failure_set(failure, FAILURE_TIMEOUT,
                    "%s went to node %llu, which gave no answer before the time-out",
                    name_of(request), (unsigned long long)request->asked);
        failure->unknown = unknown;
    } else {
        fail_not_taken(requests, request);
    }
    request_expect_no_answer(requests, request);
    request_complete(requests, request);
}

void request_end(struct requests *requests, struct request *request, enum failure_code code,
                 const char *why)
{
    if (request->state != REQUEST_APPLYING || request->kind != REQUEST_PROPOSE) {
        failure_set(&request->outcome.failure, code, "%s", why);
        request->outcome.failure.unknown = may_have_effect(request);
    }
    request_expect_no_answer(requests, request);
    request_complete(requests, request);
}

/* ---- asking --------------------------------------------------------------------------------- */

/* Where it is certain that nothing has come of it and nothing will. `sent`: a node has refused it;
 * else it did not get as far. */
static bool may_ask_again(const struct request *request, const struct failure *failure, bool sent)
{
    if (request->once) {
        return false;
    }
    switch (failure->code) {
    case FAILURE_NOT_LEADER:
        /* A node that names whom we meant to ask cannot pass it on. */
        return request->wanted_node == 0 && failure->leader != request->asked;
    case FAILURE_NO_LEADER:
        return request->wanted_node == 0;
    case FAILURE_SUPERSEDED: /* the change may no longer be wanted */
        return request->wanted_node == 0 && request->kind != REQUEST_CHANGE;
    case FAILURE_BUSY: /* who leads has committed nothing yet; the way there is not free */
        return !sent;
    default:
        return false;
    }
}

/* Where it is applied once however often it is sent. `sent`: as above. */
static bool may_repeat(const struct requests *requests, const struct request *request,
                       const struct failure *failure, bool sent)
{
    if (request->repeat_ns == 0 && request->kind != REQUEST_TRANSFER) {
        return false;
    }
    bool lost = request->repeat_ns > 0 && failure->code == FAILURE_TIMEOUT && failure->unknown;
    return lost || (failure->code == FAILURE_NODE_DOWN && (sent || !requests->reach->is_node));
}

/* A first try in a session that has expired: nothing has come of it, so it goes into a new one. */
static bool may_reopen(const struct request *request, const struct failure *failure)
{
    return failure->code == FAILURE_SESSION_EXPIRED && !failure->unknown && !request->maybe_applied;
}

static void look_again_later(struct requests *requests, struct request *request)
{
    int64_t again_ns = world_now_ns(requests->world) + ASK_AGAIN_NS;
    look(requests, request);
    request->refused = true;
    request_set_due(requests, request,
                    again_ns < request->deadline_ns ? again_ns : request->deadline_ns);
    request_try(requests, request);
}

static void refused(struct requests *requests, struct request *request,
                    const struct failure *failure, bool sent)
{
    failure_copy(&request->outcome.failure, failure);
    bool unknown = failure->unknown && !request->is_opening;
    if (failure->code == FAILURE_SESSION_EXPIRED && request->session != 0) {
        session_expired(requests, request);
    }
    if (may_repeat(requests, request, failure, sent)) {
        request->maybe_applied = request->maybe_applied || unknown;
        look(requests, request);
    } else if (may_reopen(request, failure)) {
        look(requests, request);
        request_try(requests, request);
    } else if (may_ask_again(request, failure, sent)) {
        look_again_later(requests, request);
    } else {
        /* A refusal of this try says nothing of an earlier one whose answer is still out. */
        request->outcome.failure.unknown = unknown || request->maybe_applied;
        request_complete(requests, request);
    }
}

static void ask(struct requests *requests, struct request *request, uint64_t node, uint64_t term)
{
    struct failure failure;
    struct request_message message = {
        .kind = request->kind,
        .to = request->to,
        .body = request->is_opening ? machine_opening_payload : buffer_bytes(&request->body),
        .members = &request->members,
    };
    int64_t due_ns = request->deadline_ns;
    if (request->repeat_ns > 0) {
        int64_t repeat_ns = world_now_ns(requests->world) + request->repeat_ns;
        due_ns = repeat_ns < due_ns ? repeat_ns : due_ns;
    }
    request->asked = node;
    request->asked_term = term;
    request->refused = false;
    request->losing = false;
    request->tries++;
    request_move(requests, request, REQUEST_ASKED);
    request_set_due(requests, request, due_ns);
    message.number = request_try_number(request);
    failure_clear(&failure);
    if (!requests->reach->send(requests->owner, node, &message, &failure)) {
        refused(requests, request, &failure, false);
    } else if (message.index != 0) {
        request->outcome.index = message.index;
        request->outcome.term = message.term;
    }
}

void request_try(struct requests *requests, struct request *request)
{
    uint64_t term = 0;
    uint64_t node = request->wanted_node;
    if (request->kind == REQUEST_WAIT) {
        if (request->wait.judge(requests->owner, &request->wait, buffer_bytes(&request->body),
                                &request->outcome)) {
            request_complete(requests, request);
        }
        return;
    }
    if (node == 0) {
        node = requests->reach->leader(requests->owner, &term);
    }
    request->is_waiting_for_session =
        node != 0 && request->wanted_session != 0 && !session_prepare(requests, request);
    if (request->is_waiting_for_session) {
        return;
    }
    bool same = node == request->asked && term == request->asked_term;
    if (node != 0 && !(request->refused && same)) {
        ask(requests, request, node, term);
    }
}

/* ---- answers -------------------------------------------------------------------------------- */

void request_answered(struct requests *requests, struct request *request,
                      const struct node_outcome *outcome)
{
    if (outcome->failure.code != FAILURE_NONE) {
        request->outcome.index = outcome->index;
        request->outcome.term = outcome->term;
        refused(requests, request, &outcome->failure, true);
        return;
    }
    failure_clear(&request->outcome.failure);
    if (request->is_opening) {
        session_opened(requests, request, outcome->index);
        look(requests, request);
        request_try(requests, request);
        return;
    }
    if (outcome->index != 0) {
        request->outcome.index = outcome->index;
        request->outcome.term = outcome->term;
    }
    buffer_clear(&request->result);
    buffer_append(&request->result, outcome->result.data, outcome->result.size);
    bool has_to_apply = requests->reach->applied != NULL &&
                        (request->kind == REQUEST_PROPOSE || request->kind == REQUEST_READ ||
                         request->kind == REQUEST_READ_LEASE);
    if (has_to_apply && outcome->index > requests->reach->applied(requests->owner)) {
        request_move(requests, request, REQUEST_APPLYING);
        request_set_due(requests, request, request->deadline_ns);
    } else {
        request_complete(requests, request);
    }
}

/* ---- when no answer can be expected --------------------------------------------------------- */

static void lost(struct requests *requests, struct request *request, const char *why)
{
    bool again = may_be_lost(request);
    request->maybe_applied =
        request->maybe_applied || !(is_read(request) || again || request->is_opening);
    if (request->repeat_ns > 0 || again) {
        look(requests, request);
        request_try(requests, request);
        return;
    }
    bool unknown = may_have_effect(request);
    failure_set(&request->outcome.failure, FAILURE_NODE_DOWN, "node %llu %s and has not answered",
                (unsigned long long)request->asked, why);
    request->outcome.failure.unknown = unknown;
    request_expect_no_answer(requests, request);
    request_complete(requests, request);
}

void request_review(struct requests *requests, struct request *request)
{
    const char *why = "no longer leads";
    int64_t answer_wait_ns =
        requests->reach->answer_wait_ns(requests->owner, request->asked, request->asked_term, &why);
    if (answer_wait_ns == WORLD_NEVER) {
        return;
    }
    if (answer_wait_ns <= 0 || may_be_lost(request)) {
        lost(requests, request, why);
    } else if (!request->losing) {
        int64_t due_ns = world_now_ns(requests->world) + answer_wait_ns;
        request->losing = true;
        if (due_ns < request->due_ns) {
            request_set_due(requests, request, due_ns);
        }
    }
}

void request_see_leader(struct requests *requests, struct request *request)
{
    uint64_t term = 0;
    if (request->kind == REQUEST_TRANSFER &&
        requests->reach->leader(requests->owner, &term) == request->to &&
        term > request->asked_term) {
        request_expect_no_answer(requests, request);
        failure_clear(&request->outcome.failure);
        request->outcome.index = request->to;
        request->outcome.term = term;
        request_complete(requests, request);
    }
}

void request_is_due(struct requests *requests, struct request *request)
{
    if (world_now_ns(requests->world) >= request->deadline_ns) {
        time_is_up(requests, request);
    } else if (request->state == REQUEST_ASKED && request->losing) {
        lost(requests, request, "no longer leads");
    } else {
        request->maybe_applied = may_have_effect(request);
        look(requests, request);
        request->refused = false;
        request_try(requests, request);
    }
}
