/*
 * How the requests of an application's node reach the leader (request/ decides when they are
 * asked again): this node itself, or another by way of this one. The application is called only in
 * embed_tell_outcomes.
 */
#include "embed/internal.h"

#define REPEAT_NS INT64_C(1000000000) /* a session's command, until it is answered */

/* An answer of a leader that was replaced, over a connection that stands, comes within so long. */
static int64_t answer_wait(const struct embedded *embedded)
{
    return embedded->election_timeout_max_ns;
}

static uint64_t leader(void *owner, uint64_t *term)
{
    const struct embedded *embedded = owner;
    if (node_view(embedded->node)->state == NODE_STARTING) {
        return 0;
    }
    if (!embed_is_running(embedded)) {
        return embedded->id; /* which says why it takes nothing */
    }
    const struct node_view *view = node_view(embedded->node);
    *term = view->term;
    if (view->turned_away_by != 0) {
        return embedded->id;
    }
    return view->role == RAFT_LEADER || !embedded->forward ? embedded->id : view->leader;
}

static void answered(void *context, uint64_t number, const struct node_outcome *outcome)
{
    const struct embedded *embedded = context;
    requests_answered(embedded->requests, number, outcome);
}

static bool is_linearizable_read(enum request_kind kind)
{
    return kind == REQUEST_READ || kind == REQUEST_READ_LEASE;
}

static bool send(void *owner, uint64_t node, struct request_message *message,
                 struct failure *failure)
{
    struct embedded *embedded = owner;
    struct node_asker asker = {.done = answered, .context = embedded, .number = message->number};
    const struct bytes nothing = {NULL, 0};
    if (node_view(embedded->node)->state == NODE_STARTING) { /* it is asked again in a moment */
        failure_set(failure, FAILURE_BUSY, "node %llu is starting",
                    (unsigned long long)embedded->id);
        return false;
    }
    if (!embed_is_running(embedded)) {
        failure_set(failure, FAILURE_NODE_DOWN, "node %llu %s", (unsigned long long)embedded->id,
                    embedded->was_started ? "has ended" : "has not been started");
        return false;
    }
    if (message->kind == REQUEST_COMPACT) {
        return node_compact(embedded->node, &asker, failure);
    }
    if (node_view(embedded->node)->turned_away_by != 0) {
        failure_set(
            failure, FAILURE_NOT_MEMBER,
            "node %llu is not a member: the members know another disk under that id; remove "
            "the id from the cluster, then add it again",
            (unsigned long long)embedded->id);
        return false;
    }
    if (message->kind ==
        REQUEST_CHANGE) { /* these are never passed on: who leads has to be asked */
        return node_change(embedded->node, message->members, &message->index, &message->term,
                           &asker, failure);
    }
    if (message->kind == REQUEST_TRANSFER) {
        return node_transfer(embedded->node, message->to, &asker, failure);
    }
    if (message->kind == REQUEST_READ_STALE) {
        node_read(embedded->node, NODE_READ_STALE, message->body, &asker);
        return true;
    }
    bool is_read = is_linearizable_read(message->kind);
    /* The question of a read is put to this node's own machine, once it may be. */
    struct bytes body = is_read ? nothing : message->body;
    if (node != embedded->id) {
        return node_forward(embedded->node, node, (enum node_request_kind)message->kind, body,
                            &asker, failure);
    }
    if (is_read) {
        node_read(embedded->node,
                  message->kind == REQUEST_READ ? NODE_READ_LINEARIZABLE : NODE_READ_LEASE, body,
                  &asker);
    } else {
        node_propose(embedded->node, body, &asker);
    }
    return true;
}

static void forget(void *owner, uint64_t node, enum request_kind kind, uint64_t number)
{
    const struct embedded *embedded = owner;
    (void)kind;
    if (node != embedded->id) {
        node_call_forget(embedded->node, owner, number);
    }
}

/* The leader that a request was passed on to: as long as it leads, or no other leader is known.
 * Then it learns what became of it, and answers, if it can. */
static int64_t answer_wait_ns(void *owner, uint64_t node, uint64_t term, const char **why)
{
    const struct embedded *embedded = owner;
    if (node == embedded->id || !embed_is_running(embedded)) {
        return WORLD_NEVER; /* which answers in any case */
    }
    const struct node_view *view = node_view(embedded->node);
    if (view->term == term || view->leader == 0) {
        return WORLD_NEVER;
    }
    *why = "no longer leads";
    return node_is_connected(embedded->node, node) ? answer_wait(embedded) : 0;
}

static uint64_t applied(void *owner)
{
    const struct embedded *embedded = owner;
    return node_view(embedded->node)->applied_index;
}

static void ready(void *owner)
{
    embed_tell_soon(owner);
}

static void explain(void *owner, char *text, size_t size)
{
    notices_explain(owner, text, size);
}

const struct request_reach embed_reach = {
    .leader = leader,
    .send = send,
    .forget = forget,
    .answer_wait_ns = answer_wait_ns,
    .applied = applied,
    .explain = explain,
    .ready = ready,
    .later = true,
    .is_node = true,
};

/* ---- telling -------------------------------------------------------------------------------- */

static void ask_machine(struct embedded *embedded, struct bytes question,
                        struct node_outcome *outcome)
{
    struct machine *machine = node_machine(embedded->node);
    if (machine == NULL) {
        failure_set(&outcome->failure, FAILURE_NODE_DOWN, "the node has ended");
    } else if (!machine_query(machine, question, &embedded->answer, &outcome->failure) &&
               outcome->failure.code == FAILURE_NONE) {
        failure_set(&outcome->failure, FAILURE_UNSUPPORTED,
                    "the machine does not answer that query");
    }
    outcome->result = buffer_bytes(&embedded->answer);
}

static void tell(struct embedded *embedded, const struct request_outcome *done)
{
    struct node_outcome outcome = {.index = done->index, .term = done->term};
    outcome.result = done->result;
    failure_copy(&outcome.failure, &done->failure);
    buffer_clear(&embedded->answer);
    if (is_linearizable_read(done->kind) && done->body.size > 0 &&
        done->failure.code == FAILURE_NONE) {
        ask_machine(embedded, done->body, &outcome);
    }
    embedded->on_done(embedded->context, request_slot(done->number), &outcome);
}

void embed_tell_outcomes(struct embedded *embedded)
{
    const struct request_outcome *done = NULL;
    while ((done = requests_take(embedded->requests)) != NULL) {
        tell(embedded, done);
    }
}

/* ---- from the application ------------------------------------------------------------------- */

static uint64_t ask(struct embedded *embedded, struct request_order *order, int64_t timeout_ns)
{
    int64_t now_ns = embed_loop_now_ns(embedded->loop);
    ensure(embedded->on_done != NULL && timeout_ns >= 0);
    if (!embedded->forward || order->kind == REQUEST_READ_STALE) {
        order->node = embedded->id;
    }
    order->deadline_ns = timeout_ns < WORLD_NEVER - now_ns ? now_ns + timeout_ns : WORLD_NEVER;
    return request_slot(requests_ask(embedded->requests, order));
}

uint64_t embed_propose(struct embedded *embedded, struct bytes command, int64_t timeout_ns)
{
    struct request_order order = {.kind = REQUEST_PROPOSE};
    struct machine_payload payload = {.command = command};
    if (embedded->session) {
        order.session = REQUEST_SESSION_ANY;
        order.repeat_ns = REPEAT_NS;
        payload.session = REQUEST_SESSION_ANY; /* its number is filled in */
    }
    buffer_clear(&embedded->payload);
    machine_payload_write(&embedded->payload, &payload);
    order.body = buffer_bytes(&embedded->payload);
    return ask(embedded, &order, timeout_ns);
}

uint64_t embed_read(struct embedded *embedded, enum node_read_mode mode, struct bytes question,
                    int64_t timeout_ns)
{
    static const enum request_kind kinds[] = {
        [NODE_READ_LINEARIZABLE] = REQUEST_READ,
        [NODE_READ_LEASE] = REQUEST_READ_LEASE,
        [NODE_READ_STALE] = REQUEST_READ_STALE,
    };
    struct request_order order = {.kind = kinds[mode], .body = question};
    return ask(embedded, &order, timeout_ns);
}

uint64_t embed_change(struct embedded *embedded, const struct raft_configuration *wanted,
                      int64_t timeout_ns)
{
    struct raft_configuration change = *wanted;
    struct request_order order = {.kind = REQUEST_CHANGE, .members = &change};
    change.preparing = true; /* new voters are brought level first */
    return ask(embedded, &order, timeout_ns);
}

uint64_t embed_compact(struct embedded *embedded, int64_t timeout_ns)
{
    struct request_order order = {.kind = REQUEST_COMPACT, .node = embedded->id};
    return ask(embedded, &order, timeout_ns);
}

uint64_t embed_transfer(struct embedded *embedded, uint64_t target, int64_t timeout_ns)
{
    struct request_order order = {.kind = REQUEST_TRANSFER, .to = target};
    return ask(embedded, &order, timeout_ns);
}
