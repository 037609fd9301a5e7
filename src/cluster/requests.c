/*
 * How a cluster's requests reach its nodes (request/ decides when they are asked again): proposals
 * and reads as messages between the endpoint "client" and a node, through the fault model; changes
 * of members, transfers of leadership and calls directly. It never decides what became of a
 * request.
 */
#include "cluster/internal.h"

static uint64_t leader(void *owner, uint64_t *term)
{
    return cluster_leader(owner, term);
}

static bool takes_requests(struct cluster_node *node)
{
    enum node_state state = cluster_view(node)->state;
    return state == NODE_RUNNING || state == NODE_PAUSED;
}

static void answered(void *context, uint64_t number, const struct node_outcome *outcome)
{
    const struct cluster *cluster = context;
    requests_answered(cluster->requests, number, outcome);
}

/* Who is a member already stays the server that it is, whatever disk that id has now; who is none
 * has a disk that was made for that, and is added once with it. */
static bool describe(const struct cluster *cluster, const struct raft_configuration *present,
                     struct raft_configuration *wanted, struct failure *failure)
{
    for (uint32_t i = 0; i < wanted->count; i++) {
        struct raft_member *asked = &wanted->members[i];
        const struct member *member = cluster_member(cluster, asked->id);
        if (raft_configuration_find(present, asked->id) != NULL) {
            asked->directory = 0;
        } else if (!member->is_new || member->directory != asked->directory) {
            failure_set(failure, FAILURE_NOT_MEMBER,
                        "node %llu is no longer a member: add it again with add_servers",
                        (unsigned long long)asked->id);
            return false;
        }
    }
    return true;
}

static void mark_added(const struct cluster *cluster, const struct raft_configuration *wanted)
{
    for (uint32_t i = 0; i < wanted->count; i++) {
        cluster_member(cluster, wanted->members[i].id)->is_new = false;
    }
}

static bool change(struct cluster *cluster, struct cluster_node *node,
                   struct request_message *message, struct failure *failure)
{
    struct node_asker asker = {.done = answered, .context = cluster, .number = message->number};
    struct raft_configuration wanted = {0};
    array_of(uint64_t) voters = {0};
    raft_configuration_copy(&wanted, message->members);
    bool taken =
        describe(cluster, cluster_view(node)->members, &wanted, failure) &&
        node->operations->change(node, &wanted, &message->index, &message->term, &asker, failure);
    for (uint32_t i = 0; i < wanted.count; i++) {
        if (wanted.members[i].voter) {
            *array_push(&voters) = wanted.members[i].id;
        }
    }
    if (taken) {
        mark_added(cluster, &wanted);
        cluster_trace_fault(cluster, "change_members", voters.items, voters.count);
    }
    array_free(&voters);
    raft_configuration_free(&wanted);
    return taken;
}

static bool transfer(struct cluster *cluster, struct cluster_node *node,
                     const struct request_message *message, struct failure *failure)
{
    struct node_asker asker = {.done = answered, .context = cluster, .number = message->number};
    cluster_trace_fault(cluster, "transfer_leader", &message->to, 1);
    return node->operations->transfer(node, message->to, &asker, failure);
}

static bool compact(struct cluster *cluster, struct cluster_node *node,
                    const struct request_message *message, struct failure *failure)
{
    struct node_asker asker = {.done = answered, .context = cluster, .number = message->number};
    uint64_t id = cluster_view(node)->id;
    cluster_trace_fault(cluster, "compact", &id, 1);
    return node->operations->compact(node, &asker, failure);
}

/* A connection that was cut comes up again within a moment: until then it waits. */
static bool call(struct cluster *cluster, struct cluster_node *node,
                 const struct request_message *message, struct failure *failure)
{
    struct node_asker asker = {.done = answered, .context = cluster, .number = message->number};
    uint64_t from = cluster_view(node)->id;
    bool cut = faults_is_cut(cluster->faults, from, message->to, NULL) ||
               faults_is_cut(cluster->faults, message->to, from, NULL);
    if (!cut && from != message->to && cluster_view(node)->state == NODE_RUNNING &&
        !node->operations->is_connected(node, message->to)) {
        failure_set(failure, FAILURE_BUSY, "it has no connection to node %llu",
                    (unsigned long long)message->to);
        return false;
    }
    return node->operations->call(node, message->to, message->body, &asker, failure);
}

static bool send(void *owner, uint64_t id, struct request_message *message, struct failure *failure)
{
    struct cluster *cluster = owner;
    struct cluster_node *node = cluster_node(cluster, id);
    if (node == NULL) {
        return cluster_no_such(failure, id);
    }
    if (message->kind == REQUEST_CHANGE) {
        return change(cluster, node, message, failure);
    }
    if (message->kind == REQUEST_TRANSFER) {
        return transfer(cluster, node, message, failure);
    }
    if (message->kind == REQUEST_COMPACT) {
        return compact(cluster, node, message, failure);
    }
    if (message->kind == REQUEST_CALL) {
        return call(cluster, node, message, failure);
    }
    if (!takes_requests(node)) {
        failure_set(failure, FAILURE_NODE_DOWN, "node %llu is not running (%s)",
                    (unsigned long long)id, node_state_name(cluster_view(node)->state));
        return false;
    }
    struct node_request request = {.number = message->number,
                                   .kind = (enum node_request_kind)message->kind,
                                   .body = message->body};
    cluster->world->operations->client_send(cluster->world, id,
                                            node_request_frame(cluster->world->pool, &request));
    return true;
}

static void forget(void *owner, uint64_t id, enum request_kind kind, uint64_t number)
{
    struct cluster_node *node = kind == REQUEST_CALL ? cluster_node(owner, id) : NULL;
    if (node != NULL) {
        node->operations->call_forget(node, owner, number);
    }
}

static int64_t answer_wait_ns(void *owner, uint64_t id, uint64_t term, const char **why)
{
    struct cluster_node *node = cluster_node(owner, id);
    (void)term; /* it answers whether it leads or not, unless its answer is lost */
    *why = "is not running";
    return node != NULL && takes_requests(node) ? WORLD_NEVER : 0;
}

const struct request_reach cluster_reach = {
    .leader = leader,
    .send = send,
    .forget = forget,
    .answer_wait_ns = answer_wait_ns,
};

/* ---- the endpoint "client" ------------------------------------------------------------------ */

static bool client_frame(void *context, struct connection *from, struct batch *batch,
                         uint32_t offset, const struct frame_head *head, const char **reason)
{
    const struct cluster *cluster = context;
    (void)from;
    uint64_t number = 0;
    struct node_outcome outcome;
    if (head->kind != FRAME_CLIENT_ANSWER ||
        !node_answer_parse(batch, offset, head, &number, &outcome)) {
        *reason = "not an answer to a client";
        return false;
    }
    requests_answered(cluster->requests, number, &outcome);
    return true;
}

void cluster_open_client(struct cluster *cluster)
{
    struct endpoint_handler handler = {.frame = client_frame, .context = cluster};
    cluster->world->operations->client_open(cluster->world, &handler);
}

/* ---- asking --------------------------------------------------------------------------------- */

uint32_t cluster_new_session(struct cluster *cluster)
{
    return requests_new_session(cluster->requests);
}

uint64_t cluster_send_request(struct cluster *cluster, const struct cluster_request *request)
{
    struct request_order order = {.kind = (enum request_kind)request->kind,
                                  .node = request->node,
                                  .body = request->body,
                                  .deadline_ns = request->deadline_ns,
                                  .session = request->session,
                                  .asker = request->asker,
                                  .repeat_ns = request->session != 0 ? request->repeat_ns : 0};
    if (request->kind == NODE_REQUEST_PROPOSE) {
        struct machine_payload payload = {.session = request->session, .command = request->body};
        buffer_clear(&cluster->scratch);
        machine_payload_write(&cluster->scratch, &payload);
        order.body = buffer_bytes(&cluster->scratch);
    }
    return requests_ask(cluster->requests, &order);
}

bool cluster_submit(struct cluster *cluster, uint64_t id, struct bytes command, uint64_t *index,
                    uint64_t *term, struct failure *failure)
{
    struct cluster_node *node = cluster_node(cluster, id);
    if (node == NULL) {
        return cluster_no_such(failure, id);
    }
    struct machine_payload payload = {.command = command};
    buffer_clear(&cluster->scratch);
    machine_payload_write(&cluster->scratch, &payload);
    return node->operations->submit(node, buffer_bytes(&cluster->scratch), index, term, failure);
}

static bool add_members(const struct cluster *cluster, const uint64_t *ids, size_t count,
                        bool voter, struct raft_configuration *wanted, struct failure *failure)
{
    for (size_t i = 0; i < count; i++) {
        const struct member *known = cluster_member(cluster, ids[i]);
        if (known == NULL) {
            return cluster_no_such(failure, ids[i]);
        }
        struct raft_member member;
        cluster_describe(known, &member);
        member.voter = voter;
        member.learner = !voter;
        raft_configuration_put(wanted, &member);
    }
    return true;
}

uint64_t cluster_change_members(struct cluster *cluster, const struct cluster_change *change,
                                struct failure *failure)
{
    struct raft_configuration wanted = {0};
    uint64_t ticket = 0;
    if (add_members(cluster, change->voters, change->voter_count, true, &wanted, failure) &&
        add_members(cluster, change->learners, change->learner_count, false, &wanted, failure)) {
        wanted.preparing = !change->once;
        ticket = requests_ask(cluster->requests,
                              &(struct request_order){.kind = REQUEST_CHANGE,
                                                      .node = change->node,
                                                      .members = &wanted,
                                                      .deadline_ns = change->deadline_ns,
                                                      .once = change->once});
    }
    raft_configuration_free(&wanted);
    return ticket;
}

uint64_t cluster_transfer(struct cluster *cluster, uint64_t target, int64_t deadline_ns,
                          struct failure *failure)
{
    if (cluster_node(cluster, target) == NULL) {
        cluster_no_such(failure, target);
        return 0;
    }
    return requests_ask(cluster->requests, &(struct request_order){.kind = REQUEST_TRANSFER,
                                                                   .to = target,
                                                                   .deadline_ns = deadline_ns});
}

uint64_t cluster_compact(struct cluster *cluster, uint64_t id, int64_t deadline_ns,
                         struct failure *failure)
{
    if (cluster_node(cluster, id) == NULL) {
        cluster_no_such(failure, id);
        return 0;
    }
    return requests_ask(cluster->requests, &(struct request_order){.kind = REQUEST_COMPACT,
                                                                   .node = id,
                                                                   .once = true,
                                                                   .deadline_ns = deadline_ns});
}

uint64_t cluster_call(struct cluster *cluster, uint64_t from, uint64_t to, struct bytes value,
                      int64_t deadline_ns, struct failure *failure)
{
    if (cluster_node(cluster, from) == NULL || cluster_node(cluster, to) == NULL) {
        cluster_no_such(failure, cluster_node(cluster, from) == NULL ? from : to);
        return 0;
    }
    return requests_ask(cluster->requests, &(struct request_order){.kind = REQUEST_CALL,
                                                                   .node = from,
                                                                   .to = to,
                                                                   .body = value,
                                                                   .deadline_ns = deadline_ns});
}

bool cluster_serve(struct cluster *cluster, uint64_t id, node_serve_function *serve, void *context,
                   struct failure *failure)
{
    struct cluster_node *node = cluster_node(cluster, id);
    if (node == NULL) {
        return cluster_no_such(failure, id);
    }
    return node->operations->serve(node, serve, context, failure);
}

/* ---- waiting without a request to a node ---------------------------------------------------- */

static uint64_t wait(struct cluster *cluster, struct request_wait wait, struct bytes body,
                     int64_t deadline_ns)
{
    return requests_ask(cluster->requests, &(struct request_order){.kind = REQUEST_WAIT,
                                                                   .body = body,
                                                                   .deadline_ns = deadline_ns,
                                                                   .wait = wait});
}

uint64_t cluster_wait_time(struct cluster *cluster, int64_t deadline_ns,
                           struct request_asker *asker)
{
    return requests_ask(
        cluster->requests,
        &(struct request_order){.kind = REQUEST_WAIT, .deadline_ns = deadline_ns, .asker = asker});
}

static bool changed(void *owner, struct request_wait *wait, struct bytes body,
                    struct request_outcome *outcome)
{
    (void)body;
    (void)outcome;
    return cluster_changes(owner) != wait->wanted;
}

uint64_t cluster_wait_change(struct cluster *cluster, int64_t deadline_ns)
{
    struct request_wait order = {.judge = changed, .wanted = cluster_changes(cluster)};
    return wait(cluster, order, (struct bytes){NULL, 0}, deadline_ns);
}

uint64_t cluster_wait_leader(struct cluster *cluster, uint64_t above, int64_t deadline_ns)
{
    return wait(cluster, (struct request_wait){.judge = leader_judge, .wanted = above},
                (struct bytes){NULL, 0}, deadline_ns);
}

static bool recovery_judge(void *owner, struct request_wait *wait, struct bytes body,
                           struct request_outcome *outcome)
{
    struct cluster_node *node = cluster_node(owner, wait->wanted);
    const struct node_view *view = node == NULL ? NULL : cluster_view(node);
    (void)body;
    (void)outcome;
    return view == NULL || (view->state != NODE_STARTING && view->state != NODE_PAUSED) ||
           view->is_up;
}

uint64_t cluster_wait_recovery(struct cluster *cluster, uint64_t id, int64_t deadline_ns)
{
    return wait(cluster, (struct request_wait){.judge = recovery_judge, .wanted = id},
                (struct bytes){NULL, 0}, deadline_ns);
}

uint64_t cluster_wait_committed(struct cluster *cluster, struct bytes command, uint64_t wanted,
                                int64_t deadline_ns)
{
    return wait(cluster, (struct request_wait){.judge = committed_judge, .wanted = wanted}, command,
                deadline_ns);
}

/* ---- taking --------------------------------------------------------------------------------- */

const struct request_outcome *cluster_take(struct cluster *cluster, struct request_asker **asker)
{
    *asker = cluster->asker != NULL ? cluster->asker : requests_settle(cluster->requests);
    cluster->asker = NULL;
    return *asker != NULL ? NULL : requests_take(cluster->requests);
}

const struct request_outcome *cluster_look(struct cluster *cluster, uint64_t ticket)
{
    return requests_look(cluster->requests, ticket);
}

void cluster_forget(struct cluster *cluster, uint64_t ticket)
{
    requests_forget(cluster->requests, ticket);
}
