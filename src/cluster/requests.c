/*
 * Proposals and reads as a client makes them: messages between the endpoint "client" and a node,
 * through the fault model. It looks for the leader again where that is certain to do no harm (the
 * command was refused, or never can be applied), and never guesses what became of a lost one.
 */
#include "cluster/internal.h"

#include <string.h>

#define ASK_AGAIN_NS 20000000LL /* after a refusal by a node that still looks like the leader */
#define TRIES_SHIFT 52          /* above a ticket's number (tickets.c) */
#define TICKET_MASK ((1ULL << TRIES_SHIFT) - 1)

static void request_ready(struct cluster *cluster, struct ticket *ticket,
                          const struct failure *failure)
{
    failure_copy(&ticket->outcome.failure, failure);
    ticket_ready(cluster, ticket);
}

static void look_for_leader(struct cluster *cluster, struct ticket *ticket)
{
    ticket->asked = 0;
    ticket_watch(cluster, ticket);
}

static void hand_over(struct cluster *cluster, struct ticket *ticket, uint64_t id)
{
    ticket->asked = id;
    ticket->tries++;
    ticket_unwatch(cluster, ticket);
    struct node_request request = {
        .number = ticket->number | ((uint64_t)ticket->tries << TRIES_SHIFT),
        .kind = ticket->request_kind,
        .body = buffer_bytes(&ticket->body),
    };
    int64_t due_ns = ticket->deadline_ns;
    if (ticket->repeat_ns != 0) {
        int64_t again_ns = cluster_now_ns(cluster) + ticket->repeat_ns;
        due_ns = again_ns < due_ns ? again_ns : due_ns;
    }
    ticket_set_due(cluster, ticket, due_ns);
    cluster->world->operations->client_send(cluster->world, id, node_request_frame(&request));
}

static void node_is_down(struct cluster *cluster, struct ticket *ticket, uint64_t id, bool unknown)
{
    struct failure failure = {0};
    struct node *node = cluster_node(cluster, id);
    failure_set(&failure, FAILURE_NODE_DOWN, "node %llu is not running (%s)",
                (unsigned long long)id,
                node != NULL ? node_state_name(node_get_state(node)) : "no such node");
    failure.unknown = unknown;
    request_ready(cluster, ticket, &failure);
}

static bool takes_requests(const struct node *node)
{
    return node_get_state(node) == NODE_RUNNING || node_get_state(node) == NODE_PAUSED;
}

void request_try(struct cluster *cluster, struct ticket *ticket)
{
    if (ticket->asked != 0) {
        return;
    }
    if (ticket->wanted_node != 0) {
        struct node *node = cluster_node(cluster, ticket->wanted_node);
        if (node == NULL) {
            struct failure failure = {0};
            cluster_no_such(&failure, ticket->wanted_node);
            request_ready(cluster, ticket, &failure);
            return;
        }
        if (!takes_requests(node)) {
            if (ticket->repeat_ns == 0) {
                node_is_down(cluster, ticket, ticket->wanted_node, ticket->maybe_applied);
            }
            return;
        }
        hand_over(cluster, ticket, ticket->wanted_node);
        return;
    }
    uint64_t term = 0;
    uint64_t leader = cluster_leader(cluster, &term);
    if (leader == 0) {
        return;
    }
    if (leader == ticket->refused_by && term == ticket->refused_term) {
        int64_t again_ns = cluster_now_ns(cluster) + ASK_AGAIN_NS;
        ticket->refused_by = 0;
        ticket_set_due(cluster, ticket,
                       again_ns < ticket->deadline_ns ? again_ns : ticket->deadline_ns);
        ticket_unwatch(cluster, ticket);
        return;
    }
    hand_over(cluster, ticket, leader);
}

void request_due(struct cluster *cluster, struct ticket *ticket)
{
    if (cluster_now_ns(cluster) < ticket->deadline_ns) {
        ticket->maybe_applied = ticket->maybe_applied || ticket->asked != 0;
        ticket_set_due(cluster, ticket, ticket->deadline_ns);
        look_for_leader(cluster, ticket);
        request_try(cluster, ticket);
        return;
    }
    struct failure failure = {0};
    if (ticket->asked == 0 && !ticket->maybe_applied && ticket->wanted_node == 0) {
        failure_set(&failure, FAILURE_NO_LEADER, "no leader was found before the time-out");
    } else {
        failure_set(&failure, FAILURE_TIMEOUT, "node %llu gave no answer before the time-out",
                    (unsigned long long)(ticket->asked != 0 ? ticket->asked : ticket->wanted_node));
        failure.unknown = ticket->request_kind == NODE_REQUEST_PROPOSE;
    }
    request_ready(cluster, ticket, &failure);
}

void requests_node_down(struct cluster *cluster, uint64_t id)
{
    for (size_t i = 0; i < cluster->slot_count; i++) {
        struct ticket *ticket = cluster->slots[i];
        if (ticket->state != TICKET_WAITING || ticket->kind != TICKET_REQUEST ||
            ticket->asked != id) {
            continue;
        }
        ticket->maybe_applied = ticket->request_kind == NODE_REQUEST_PROPOSE;
        if (ticket->repeat_ns != 0) {
            look_for_leader(cluster, ticket);
        } else {
            node_is_down(cluster, ticket, id, ticket->maybe_applied);
        }
    }
}

/* Codes after which the command is certain never to be applied, so that asking again is safe. */
static bool may_ask_again(enum failure_code code)
{
    return code == FAILURE_NOT_LEADER || code == FAILURE_NO_LEADER || code == FAILURE_SUPERSEDED;
}

static void answered(struct cluster *cluster, struct ticket *ticket,
                     const struct node_outcome *outcome)
{
    enum failure_code code = outcome->failure.code;
    if (ticket->repeat_ns != 0 && code == FAILURE_NODE_DOWN) {
        look_for_leader(cluster, ticket);
        return;
    }
    if (ticket->wanted_node == 0 && may_ask_again(code)) {
        struct node *node = cluster_node(cluster, ticket->asked);
        const struct raft *raft = node != NULL ? node_raft(node) : NULL;
        struct raft_status status = {0};
        if (raft != NULL) {
            raft_get_status(raft, &status);
        }
        ticket->refused_by = ticket->asked;
        ticket->refused_term = status.term;
        look_for_leader(cluster, ticket);
        request_try(cluster, ticket);
        return;
    }
    ticket->outcome.index = outcome->index;
    ticket->outcome.term = outcome->term;
    buffer_append(&ticket->result, outcome->result.data, outcome->result.size);
    struct failure *failure = &ticket->outcome.failure;
    failure_copy(failure, &outcome->failure);
    /* A refusal of this try says nothing of an earlier one whose answer is still out. */
    failure->unknown = failure->unknown || (code != FAILURE_NONE && ticket->maybe_applied);
    ticket_ready(cluster, ticket);
}

static bool client_frame(void *context, struct inbound *from, struct batch *batch, uint32_t offset,
                         const struct frame_head *head, const char **reason)
{
    struct cluster *cluster = context;
    (void)from;
    uint64_t number = 0;
    struct node_outcome outcome;
    if (head->kind != FRAME_CLIENT_ANSWER ||
        !node_answer_parse(batch, offset, head, &number, &outcome)) {
        *reason = "not an answer to a client";
        return false;
    }
    struct ticket *ticket = ticket_find(cluster, number & TICKET_MASK);
    /* An answer to an earlier try of a session's command is as good as one to the latest. */
    bool latest = ticket != NULL && (number >> TRIES_SHIFT) == (ticket->tries & 0xfffU);
    if (ticket != NULL && ticket->kind == TICKET_REQUEST && ticket->asked != 0 &&
        (latest || (ticket->repeat_ns != 0 && outcome.failure.code == FAILURE_NONE))) {
        answered(cluster, ticket, &outcome);
    }
    return true;
}

void requests_open(struct cluster *cluster)
{
    struct endpoint_handler handler = {.frame = client_frame, .context = cluster};
    cluster->world->operations->client_open(cluster->world, &handler);
}

uint64_t cluster_send_request(struct cluster *cluster, const struct cluster_request *request)
{
    struct ticket *ticket = ticket_new(cluster, TICKET_REQUEST, request->deadline_ns);
    ticket->request_kind = request->kind;
    ticket->wanted_node = request->node;
    ticket->repeat_ns = request->session != 0 ? request->repeat_ns : 0;
    if (request->kind == NODE_REQUEST_PROPOSE) {
        struct machine_payload payload = {
            .session = request->session,
            .sequence = request->sequence,
            .command = request->body,
        };
        machine_payload_write(&ticket->body, &payload);
    } else {
        buffer_append(&ticket->body, request->body.data, request->body.size);
    }
    if (ticket->body.size > RAFT_ENTRY_BYTES_MAX) {
        /* Refused here: no frame could carry it. */
        struct failure failure = {0};
        failure_set(&failure, FAILURE_TOO_LARGE, "a command or a question is at most %u bytes",
                    RAFT_ENTRY_BYTES_MAX);
        request_ready(cluster, ticket, &failure);
        return ticket->number;
    }
    look_for_leader(cluster, ticket);
    request_try(cluster, ticket);
    return ticket->number;
}

bool cluster_submit(struct cluster *cluster, uint64_t id, struct bytes command, uint64_t *index,
                    uint64_t *term, struct failure *failure)
{
    struct node *node = cluster_node(cluster, id);
    if (node == NULL) {
        return cluster_no_such(failure, id);
    }
    struct machine_payload payload = {.command = command};
    buffer_clear(&cluster->scratch);
    machine_payload_write(&cluster->scratch, &payload);
    return node_submit(node, buffer_bytes(&cluster->scratch), index, term, failure);
}
