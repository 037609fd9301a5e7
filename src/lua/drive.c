/* Letting the world go on, and tickets: what a script waits for. It never waits by itself. */
#include "lua/module.h"

#include <string.h>

static const char *const turn_names[] = {
    [CLUSTER_TIME_UP] = "time",    [CLUSTER_EVENT] = "event", [CLUSTER_READY] = "ready",
    [CLUSTER_STOPPED] = "stopped", [CLUSTER_LIMIT] = "limit",
};

/* → ticket, { code, message, unknown, leader, index, term, count, result }, or for a time that has
 * come true; a negative number: the handle of a workload's client that needs the script; nothing:
 * none is ready */
static int push_ready(lua_State *L, struct lua_cluster *box)
{
    struct request_asker *asker = NULL;
    const struct request_outcome *outcome = cluster_take(box->cluster, &asker);
    if (asker != NULL) {
        lua_pushinteger(L, -(lua_Integer)asker->handle);
        return 1;
    }
    if (outcome == NULL) {
        return 0;
    }
    lua_pushinteger(L, (lua_Integer)outcome->number);
    if (outcome->kind == REQUEST_WAIT && outcome->failure.code == FAILURE_TIMEOUT &&
        outcome->count == 0) {
        lua_pushboolean(L, 1);
        return 2;
    }
    lua_createtable(L, 0, outcome->failure.code == FAILURE_NONE ? 4 : 6); /* all that it gets */
    if (outcome->failure.code != FAILURE_NONE) {
        lua_set_text(L, "code", failure_name(outcome->failure.code));
        lua_set_text(L, "message", outcome->failure.message);
        lua_set_boolean(L, "unknown", outcome->failure.unknown);
        if (outcome->failure.leader != 0) {
            lua_set_integer(L, "leader", outcome->failure.leader);
        }
    }
    lua_set_integer(L, "index", outcome->index);
    lua_set_integer(L, "term", outcome->term);
    if (outcome->count != 0) {
        lua_set_integer(L, "count", outcome->count);
    }
    if (outcome->result.size > 0) {
        lua_value_push(L, outcome->result);
        lua_setfield(L, -2, "result");
    }
    return 2;
}

/* core:drive(until_ns, each_event) → "time", "event", "stopped", "limit" or "signal"; "ready" and
 * what core:take gives; "failed" and what a callback raised: the caller has to tidy up, and a
 * protected call costs more than that. */
static int cluster_drive_method(lua_State *L)
{
    int64_t until_ns = lua_time_check(L, 2);
    bool each_event = lua_toboolean(L, 3);
    struct lua_cluster *box = lua_cluster_enter(L);
    if (box->depth > 1) {
        box->depth--;
        lua_pushliteral(L, "failed");
        lua_pushliteral(L, "the world cannot be driven from one of its own callbacks");
        return 2;
    }
    if (lua_interrupt_is_pending()) {
        cluster_interrupt(box->cluster); /* what runs is being ended: nothing more is waited for */
    }
    lua_signal_target(box->cluster);
    enum cluster_turn turn = cluster_drive(box->cluster, until_ns, each_event);
    lua_signal_target(NULL);
    if (lua_cluster_leave_with_error(L, box)) {
        lua_pushliteral(L, "failed");
        lua_insert(L, -2);
        return 2;
    }
    bool by_signal =
        turn == CLUSTER_STOPPED && (lua_signal_seen() != NULL || lua_interrupt_is_pending());
    lua_pushstring(L, by_signal ? "signal" : turn_names[turn]);
    return turn == CLUSTER_READY ? 1 + push_ready(L, box) : 1;
}

static int cluster_interrupt_method(lua_State *L)
{
    cluster_interrupt(lua_cluster_check(L)->cluster);
    return 0;
}

static int cluster_changes_method(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)cluster_changes(lua_cluster_check(L)->cluster));
    return 1;
}

static int cluster_now(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)cluster_now_ns(lua_cluster_check(L)->cluster));
    return 1;
}

/* core:take() → what push_ready pushes. Workloads' clients go on first, which may call back: what
 * that raises is raised before anything is taken, so that nothing is lost. */
static int cluster_take_method(lua_State *L)
{
    struct lua_cluster *box = lua_cluster_enter(L);
    (void)cluster_is_ready(box->cluster);
    lua_cluster_leave(L, box);
    return push_ready(L, box); /* also where nothing is: what was taken last is given back */
}

static int cluster_forget_method(lua_State *L)
{
    struct lua_cluster *box = lua_cluster_check(L);
    cluster_forget(box->cluster, (uint64_t)luaL_checkinteger(L, 2));
    return 0;
}

static int ticket_push(lua_State *L, struct lua_cluster *box, uint64_t ticket)
{
    lua_cluster_leave(L, box);
    lua_pushinteger(L, (lua_Integer)ticket);
    return 1;
}

static int wait_time(lua_State *L)
{
    int64_t deadline_ns = lua_time_check(L, 2);
    struct lua_cluster *box = lua_cluster_enter(L);
    return ticket_push(L, box, cluster_wait_time(box->cluster, deadline_ns, NULL));
}

static int wait_change(lua_State *L)
{
    int64_t deadline_ns = lua_time_check(L, 2);
    struct lua_cluster *box = lua_cluster_enter(L);
    return ticket_push(L, box, cluster_wait_change(box->cluster, deadline_ns));
}

/* core:wait_leader(above, deadline_ns) → ticket */
static int wait_leader(lua_State *L)
{
    lua_Integer above = luaL_checkinteger(L, 2);
    int64_t deadline_ns = lua_time_check(L, 3);
    struct lua_cluster *box = lua_cluster_enter(L);
    return ticket_push(L, box, cluster_wait_leader(box->cluster, (uint64_t)above, deadline_ns));
}

/* core:wait_recovery(id, deadline_ns) → ticket */
static int wait_recovery(lua_State *L)
{
    uint64_t id = lua_id_check(L, 2);
    int64_t deadline_ns = lua_time_check(L, 3);
    struct lua_cluster *box = lua_cluster_enter(L);
    return ticket_push(L, box, cluster_wait_recovery(box->cluster, id, deadline_ns));
}

static struct bytes value_argument(lua_State *L, int index, const char *name)
{
    struct lua_cluster *box = lua_cluster_check(L);
    buffer_clear(&box->value);
    lua_value_check(L, index, name, &box->value);
    return buffer_bytes(&box->value);
}

/* core:wait_committed(command, count, deadline_ns) → ticket */
static int wait_committed(lua_State *L)
{
    lua_Integer count = luaL_checkinteger(L, 3);
    int64_t deadline_ns = lua_time_check(L, 4);
    struct bytes command = value_argument(L, 2, "command");
    struct lua_cluster *box = lua_cluster_enter(L);
    return ticket_push(L, box,
                       cluster_wait_committed(box->cluster, command, (uint64_t)count, deadline_ns));
}

/* core:committed(command) → count, index; or nil, message where the logs disagree */
static int committed(lua_State *L)
{
    struct bytes command = value_argument(L, 2, "command");
    struct lua_cluster *box = lua_cluster_check(L);
    struct failure failure = {0};
    uint64_t index = 0;
    uint64_t count = cluster_committed(box->cluster, command, &index, &failure);
    if (failure.code != FAILURE_NONE) {
        return lua_failure_push(L, &failure);
    }
    lua_pushinteger(L, (lua_Integer)count);
    lua_pushinteger(L, (lua_Integer)index);
    return 2;
}

/* core:submit(id, command) → index, term */
static int submit(lua_State *L)
{
    uint64_t id = lua_id_check(L, 2);
    struct bytes command = value_argument(L, 3, "command");
    struct lua_cluster *box = lua_cluster_enter(L);
    struct failure failure;
    failure_clear(&failure);
    uint64_t index = 0;
    uint64_t term = 0;
    bool taken = cluster_submit(box->cluster, id, command, &index, &term, &failure);
    lua_cluster_leave(L, box);
    if (!taken) {
        return lua_failure_push(L, &failure);
    }
    lua_pushinteger(L, (lua_Integer)index);
    lua_pushinteger(L, (lua_Integer)term);
    return 2;
}

/* When something that lasts so long from now ends. */
static int64_t deadline_after(const struct cluster *cluster, int64_t length_ns)
{
    int64_t now_ns = cluster_now_ns(cluster);
    return length_ns >= LUA_NEVER - now_ns ? WORLD_NEVER : now_ns + length_ns;
}

/* core:new_session() → its number, for core:request */
static int new_session(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)cluster_new_session(lua_cluster_check(L)->cluster));
    return 1;
}

/* core:request(kind, node, body, timeout_ns, session, repeat_ns) → ticket */
static int request(lua_State *L)
{
    static const char *const kinds[] = {"propose", "read", "lease", "stale", NULL};
    static const enum node_request_kind values[] = {
        NODE_REQUEST_PROPOSE, NODE_REQUEST_READ, NODE_REQUEST_READ_LEASE, NODE_REQUEST_READ_STALE};
    struct cluster_request request = {
        .kind = values[luaL_checkoption(L, 2, NULL, kinds)],
        .node = (uint64_t)luaL_optinteger(L, 3, 0),
        .session = (uint32_t)luaL_optinteger(L, 6, 0),
        .repeat_ns = luaL_optinteger(L, 7, 0),
    };
    int64_t timeout_ns = lua_time_check(L, 5);
    /* Without a question a read only waits until it may be answered. */
    if (request.kind != NODE_REQUEST_READ || !lua_isnil(L, 4)) {
        request.body =
            value_argument(L, 4, request.kind == NODE_REQUEST_PROPOSE ? "command" : "request");
    }
    struct lua_cluster *box = lua_cluster_enter(L);
    request.deadline_ns = deadline_after(box->cluster, timeout_ns);
    return ticket_push(L, box, cluster_send_request(box->cluster, &request));
}

/* What was asked can be waited for by that; 0: it was refused. */
static int push_ticket(lua_State *L, uint64_t ticket, const struct failure *failure)
{
    if (ticket == 0) {
        return lua_failure_push(L, failure);
    }
    lua_pushinteger(L, (lua_Integer)ticket);
    return 1;
}

/* core:call(from, to, value, deadline_ns) → ticket, or nil, message, code */
static int call(lua_State *L)
{
    uint64_t from = lua_id_check(L, 2);
    uint64_t to = lua_id_check(L, 3);
    int64_t deadline_ns = lua_time_check(L, 5);
    struct bytes value = value_argument(L, 4, "value");
    struct lua_cluster *box = lua_cluster_enter(L);
    struct failure failure = {0};
    uint64_t ticket = cluster_call(box->cluster, from, to, value, deadline_ns, &failure);
    lua_cluster_leave(L, box);
    return push_ticket(L, ticket, &failure);
}

/* core:transfer(id, deadline_ns) → ticket, or nil, message, code */
static int transfer(lua_State *L)
{
    uint64_t target = lua_id_check(L, 2);
    int64_t deadline_ns = lua_time_check(L, 3);
    struct lua_cluster *box = lua_cluster_enter(L);
    struct failure failure = {0};
    uint64_t ticket = cluster_transfer(box->cluster, target, deadline_ns, &failure);
    lua_cluster_leave(L, box);
    return push_ticket(L, ticket, &failure);
}

/* core:compact(id, deadline_ns) → ticket, or nil, message, code */
static int compact(lua_State *L)
{
    uint64_t id = lua_id_check(L, 2);
    int64_t deadline_ns = lua_time_check(L, 3);
    struct lua_cluster *box = lua_cluster_enter(L);
    struct failure failure = {0};
    uint64_t ticket = cluster_compact(box->cluster, id, deadline_ns, &failure);
    lua_cluster_leave(L, box);
    return push_ticket(L, ticket, &failure);
}

static uint64_t *id_list(lua_State *L, int index, size_t *count)
{
    luaL_checktype(L, index, LUA_TTABLE);
    *count = (size_t)lua_rawlen(L, index);
    uint64_t *ids = lua_newuserdatauv(L, (*count + 1) * sizeof *ids, 0);
    for (size_t i = 0; i < *count; i++) {
        lua_rawgeti(L, index, (lua_Integer)i + 1);
        ids[i] = lua_id_check(L, -1);
        lua_pop(L, 1);
    }
    return ids;
}

/* core:change(node or 0, voters, learners, deadline_ns) → ticket, done when it has committed; or
 * nil, message, code */
static int change(lua_State *L)
{
    struct cluster_change change = {.node = (uint64_t)luaL_checkinteger(L, 2),
                                    .deadline_ns = lua_time_check(L, 5)};
    change.voters = id_list(L, 3, &change.voter_count);
    change.learners = id_list(L, 4, &change.learner_count);
    struct lua_cluster *box = lua_cluster_enter(L);
    struct failure failure = {0};
    uint64_t ticket = cluster_change_members(box->cluster, &change, &failure);
    lua_cluster_leave(L, box);
    return push_ticket(L, ticket, &failure);
}

/* core:begin_change(node, voters, learners) → index, term, at once; or nil, message, code */
static int begin_change(lua_State *L)
{
    struct cluster_change change = {
        .node = lua_id_check(L, 2), .once = true, .deadline_ns = WORLD_NEVER};
    change.voters = id_list(L, 3, &change.voter_count);
    change.learners = id_list(L, 4, &change.learner_count);
    struct lua_cluster *box = lua_cluster_enter(L);
    struct failure failure = {0};
    struct request_outcome begun = {0};
    uint64_t ticket = cluster_change_members(box->cluster, &change, &failure);
    if (ticket != 0) {
        begun = *cluster_look(box->cluster, ticket); /* refused, or its place is known */
        failure = begun.failure;
        cluster_forget(box->cluster, ticket);
    }
    lua_cluster_leave(L, box);
    if (failure.code != FAILURE_NONE) {
        return lua_failure_push(L, &failure);
    }
    lua_pushinteger(L, (lua_Integer)begun.index);
    lua_pushinteger(L, (lua_Integer)begun.term);
    return 2;
}

/* core:random() → [0, 1); core:random(low, high) → an integer, both included */
static int cluster_random(lua_State *L)
{
    return lua_random_push(L, &lua_cluster_check(L)->random);
}

const luaL_Reg lua_drive_methods[] = {
    {"drive", cluster_drive_method},
    {"interrupt", cluster_interrupt_method},
    {"changes", cluster_changes_method},
    {"now_ns", cluster_now},
    {"take", cluster_take_method},
    {"forget", cluster_forget_method},
    {"wait_time", wait_time},
    {"wait_change", wait_change},
    {"wait_leader", wait_leader},
    {"wait_recovery", wait_recovery},
    {"wait_committed", wait_committed},
    {"committed", committed},
    {"submit", submit},
    {"request", request},
    {"new_session", new_session},
    {"call", call},
    {"transfer", transfer},
    {"compact", compact},
    {"change", change},
    {"begin_change", begin_change},
    {"random", cluster_random},
    {NULL, NULL},
};
