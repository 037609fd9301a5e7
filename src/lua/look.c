/* Looking at a cluster: status, logs, statistics, recent events. It changes nothing. */
#include "lua/module.h"

#include <string.h>

static void push_peers(lua_State *L, lua_peer_function *peer_at, const void *of)
{
    lua_newtable(L);
    struct raft_peer_status peer;
    for (uint32_t i = 0; peer_at(of, i, &peer); i++) {
        lua_createtable(L, 0, 3);
        lua_set_integer(L, "match", peer.match_index);
        lua_set_integer(L, "next", peer.next_index);
        lua_set_integer(L, "inflight", peer.inflight_messages);
        if (peer.snapshot_index != 0) {
            lua_set_integer(L, "snapshot", peer.snapshot_index);
            lua_set_integer(L, "offset", peer.snapshot_offset);
        }
        lua_rawseti(L, -2, (lua_Integer)peer.id);
    }
    lua_setfield(L, -2, "peers");
}

/* What it was refused last, and by whom; nothing where it was not. */
static bool push_refused(lua_State *L, const struct node_refusal *refused)
{
    if (refused->peer == 0) {
        return false;
    }
    lua_createtable(L, 0, 5);
    lua_set_integer(L, "by", refused->peer);
    lua_set_text(L, "what", refused->what);
    lua_set_integer(L, "term", refused->term);
    lua_pushnumber(L, (lua_Number)refused->at_ns / 1e9);
    lua_setfield(L, -2, "time");
    lua_set_text(L, "reason", refused->reason);
    return true;
}

static void push_core(lua_State *L, const struct node_view *view, lua_peer_function *peer_at,
                      const void *of)
{
    lua_set_text(L, "role", raft_role_name(view->role));
    lua_set_integer(L, "term", view->term);
    lua_set_integer(L, "vote", view->vote);
    lua_set_integer(L, "leader", view->leader);
    lua_set_integer(L, "commit", view->commit_index);
    lua_set_integer(L, "applied", view->applied_index);
    lua_set_integer(L, "first_index", view->first_index);
    lua_set_integer(L, "last_index", view->last_index);
    lua_set_integer(L, "snapshot_index", view->snapshot_index);
    if (view->is_restoring) {
        lua_set_boolean(L, "restoring", true);
    }
    if (view->is_up) {
        lua_members_push(L, view->members);
        lua_setfield(L, -2, "members");
    }
    lua_set_boolean(L, "member", view->is_member);
    if (view->turned_away_by != 0) {
        lua_set_integer(L, "turned_away_by", view->turned_away_by);
    }
    if (view->role == RAFT_LEADER) {
        push_peers(L, peer_at, of);
    }
}

void lua_status_push(lua_State *L, const struct node_view *view, lua_peer_function *peer_at,
                     const void *of)
{
    lua_createtable(L, 0, 16);
    lua_set_integer(L, "id", view->id);
    lua_set_text(L, "state", node_state_name(view->state));
    lua_set_text(L, "address", view->address);
    if (view->error[0] != '\0') {
        lua_set_text(L, "error", view->error);
    }
    if (view->damaged_file[0] != '\0') {
        lua_createtable(L, 0, 2);
        lua_set_text(L, "file", view->damaged_file);
        lua_set_integer(L, "offset", view->damaged_offset);
        lua_setfield(L, -2, "damage");
    }
    if (view->is_up || view->state == NODE_STARTING) {
        push_core(L, view, peer_at, of);
    }
    if (push_refused(L, view->refused)) {
        lua_setfield(L, -2, "refused");
    }
}

static bool find_number(const struct node_view *view, const char *field, uint64_t *number)
{
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {
        {"term", view->term},
        {"vote", view->vote},
        {"leader", view->leader},
        {"commit", view->commit_index},
        {"applied", view->applied_index},
        {"first_index", view->first_index},
        {"last_index", view->last_index},
        {"snapshot_index", view->snapshot_index},
        {"members_index", view->members_index},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (strcmp(field, numbers[i].name) == 0) {
            *number = numbers[i].value;
            return true;
        }
    }
    return false;
}

static bool peer_of_cluster(const void *of, uint32_t position, struct raft_peer_status *peer)
{
    return cluster_peer_at(of, position, peer);
}

static void push_status(lua_State *L, struct cluster_node *node)
{
    lua_status_push(L, cluster_view(node), peer_of_cluster, node);
    if (cluster_pid(node) != 0) {
        lua_set_integer(L, "pid", cluster_pid(node));
    }
}

/* core:disk_work(id) → syncs, bytes handed to the disk, as in core:stats; nothing: no such node */
static int look_disk_work(lua_State *L)
{
    struct lua_cluster *box = lua_cluster_check(L);
    struct cluster_node *node = cluster_node(box->cluster, lua_id_check(L, 2));
    if (node == NULL) {
        return 0;
    }
    const struct node_stats *stats = cluster_view(node)->statistics;
    lua_pushinteger(L, (lua_Integer)stats->syncs);
    lua_pushinteger(L, (lua_Integer)stats->disk_bytes);
    return 2;
}

/* core:status(id[, field]) → a table, or one field of it, which costs far less; nil: no such node
 */
static int look_status(lua_State *L)
{
    struct lua_cluster *box = lua_cluster_check(L);
    struct cluster_node *node = cluster_node(box->cluster, lua_id_check(L, 2));
    const char *field = lua_tostring(L, 3);
    uint64_t number = 0;
    if (node == NULL) {
        return 0;
    }
    if (field == NULL) {
        push_status(L, node);
        return 1;
    }
    if (strcmp(field, "state") == 0) {
        lua_pushstring(L, node_state_name(cluster_view(node)->state));
        return 1;
    }
    const struct node_view *view = cluster_view(node);
    bool is_role = strcmp(field, "role") == 0;
    if (is_role || find_number(view, field, &number)) {
        if (!view->is_up) {
            return 0;
        }
        if (is_role) {
            lua_pushstring(L, raft_role_name(view->role));
            return 1;
        }
        lua_pushinteger(L, (lua_Integer)number);
        return 1;
    }
    push_status(L, node);
    lua_getfield(L, -1, field);
    return 1;
}

static int look_ids(lua_State *L)
{
    struct lua_cluster *box = lua_cluster_check(L);
    size_t count = cluster_count(box->cluster);
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        lua_pushinteger(L, (lua_Integer)cluster_id_at(box->cluster, i));
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* core:state(id) → "running", ...; nil: no such node */
static int look_state(lua_State *L)
{
    struct lua_cluster *box = lua_cluster_check(L);
    struct cluster_node *node = cluster_node(box->cluster, lua_id_check(L, 2));
    if (node == NULL) {
        return 0;
    }
    lua_pushstring(L, node_state_name(cluster_view(node)->state));
    return 1;
}

static int look_is_connected(lua_State *L)
{
    struct lua_cluster *box = lua_cluster_check(L);
    lua_pushboolean(L, cluster_is_connected(box->cluster, lua_id_check(L, 2)));
    return 1;
}

/* core:leader() → id, term; nil: none is agreed */
static int look_leader(lua_State *L)
{
    struct lua_cluster *box = lua_cluster_check(L);
    uint64_t term = 0;
    uint64_t leader = cluster_leader(box->cluster, &term);
    if (leader == 0) {
        return 0;
    }
    lua_pushinteger(L, (lua_Integer)leader);
    lua_pushinteger(L, (lua_Integer)term);
    return 2;
}

/* core:leaders() → list of {id, term}: all that believe they lead */
static int look_leaders(lua_State *L)
{
    struct lua_cluster *box = lua_cluster_check(L);
    lua_newtable(L);
    lua_Integer place = 0;
    for (size_t i = 0; i < cluster_count(box->cluster); i++) {
        if (cluster_believes_to_lead(box->cluster, i)) {
            const struct node_view *view =
                cluster_view(cluster_node(box->cluster, cluster_id_at(box->cluster, i)));
            lua_createtable(L, 0, 2);
            lua_set_integer(L, "id", view->id);
            lua_set_integer(L, "term", view->term);
            lua_rawseti(L, -2, ++place);
        }
    }
    return 1;
}

/* core:machine(id) → the object that the script's function made for it; nil: none */
static int look_machine(lua_State *L)
{
    lua_cluster_check(L);
    lua_Integer id = (lua_Integer)lua_id_check(L, 2);
    lua_cluster_table(L, "machines");
    lua_rawgeti(L, -1, id);
    return 1;
}

static bool is_request(int kind)
{
    switch ((enum raft_message_kind)kind) {
    case RAFT_PRE_VOTE:
    case RAFT_VOTE:
    case RAFT_APPEND:
    case RAFT_SNAPSHOT:
    case RAFT_TIMEOUT_NOW:
    case RAFT_READ:
        return true;
    default:
        return false;
    }
}

/* core:stats(id) → {messages, bytes, requests, deliveries, payload, elections, commits, syncs,
 * snapshots, installs, disk_bytes, drops} */
static int look_stats(lua_State *L)
{
    struct lua_cluster *box = lua_cluster_check(L);
    uint64_t id = lua_id_check(L, 2);
    struct cluster_node *node = cluster_node(box->cluster, id);
    if (node == NULL) {
        return 0;
    }
    const struct node_stats *stats = cluster_view(node)->statistics;
    uint64_t requests = 0;
    lua_createtable(L, 0, 12);
    lua_createtable(L, 0, RAFT_MESSAGE_KIND_COUNT);
    lua_createtable(L, 0, RAFT_MESSAGE_KIND_COUNT);
    for (int kind = 0; kind < RAFT_MESSAGE_KIND_COUNT; kind++) {
        const char *name = kind == 0 ? "total" : raft_message_name((enum raft_message_kind)kind);
        lua_pushinteger(L, (lua_Integer)stats->messages[kind]);
        lua_setfield(L, -3, name);
        lua_set_integer(L, name, stats->bytes[kind]);
        requests += is_request(kind) ? stats->messages[kind] : 0;
    }
    lua_setfield(L, -3, "bytes");
    lua_setfield(L, -2, "messages");
    lua_set_integer(L, "requests", requests);
    lua_set_integer(L, "deliveries", stats->deliveries);
    lua_set_integer(L, "payload", stats->payload_bytes);
    lua_set_integer(L, "disk_bytes", stats->disk_bytes);
    lua_set_integer(L, "elections", stats->elections);
    lua_set_integer(L, "commits", stats->commits);
    lua_set_integer(L, "syncs", stats->syncs);
    lua_set_integer(L, "snapshots", stats->snapshots);
    lua_set_integer(L, "installs", stats->installs);
    lua_set_integer(L, "drops", cluster_drop_count(node));
    return 1;
}

/* core:world_events() → how many deliveries and wake-ups there were */
static int look_world_events(lua_State *L)
{
    struct lua_cluster *box = lua_cluster_check(L);
    lua_pushinteger(L, (lua_Integer)cluster_world(box->cluster)->events);
    return 1;
}

/* core:world_steps() → how many steps the world has made (cluster.h) */
static int look_world_steps(lua_State *L)
{
    struct lua_cluster *box = lua_cluster_check(L);
    lua_pushinteger(L, (lua_Integer)cluster_steps(box->cluster));
    return 1;
}

/* core:events(mask) → list of the recent events of these kinds, oldest first */
static int look_events(lua_State *L)
{
    struct lua_cluster *box = lua_cluster_check(L);
    uint64_t mask = lua_event_mask(L, 2);
    const struct trace *trace = cluster_trace(box->cluster);
    size_t size = trace_ring_size(trace);
    lua_newtable(L);
    lua_Integer place = 0;
    for (size_t i = 0; i < size; i++) {
        struct trace_event event;
        trace_ring_at(trace, i, &event);
        if ((TRACE_MASK(event.kind) & mask) != 0) {
            lua_event_push(L, &event);
            lua_rawseti(L, -2, ++place);
        }
    }
    return 1;
}

/* core:event_lines(text) → list of the recent events as JSON lines, or as readable ones; also of a
 * closed cluster that keeps them */
static int look_event_lines(lua_State *L)
{
    const struct trace *trace = lua_cluster_events(L);
    bool text = lua_toboolean(L, 2);
    struct buffer *line = lua_scratch_new(L);
    size_t size = trace_ring_size(trace);
    lua_createtable(L, (int)size, 0);
    for (size_t i = 0; i < size; i++) {
        struct trace_event event;
        trace_ring_at(trace, i, &event);
        buffer_clear(line);
        if (text) {
            trace_write_text(&event, line);
        } else {
            trace_write_json(&event, line);
        }
        lua_bytes_push(L, buffer_bytes(line));
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int look_trace_hash(lua_State *L)
{
    struct lua_cluster *box = lua_cluster_check(L);
    lua_hash_push(L, trace_hash(cluster_trace(box->cluster)));
    return 1;
}

/* core:trace_count() → how many events the trace has so far */
static int look_trace_count(lua_State *L)
{
    struct lua_cluster *box = lua_cluster_check(L);
    lua_pushinteger(L, (lua_Integer)trace_count(cluster_trace(box->cluster)));
    return 1;
}

/* core:violation() → {property, message, time, nodes}; nil: none */
static int look_violation(lua_State *L)
{
    struct lua_cluster *box = lua_cluster_check(L);
    const struct check_violation *violation = cluster_violation(box->cluster);
    if (violation == NULL) {
        return 0;
    }
    lua_createtable(L, 0, 5);
    lua_set_text(L, "property", check_property_name(violation->property));
    lua_set_text(L, "message", violation->message);
    lua_pushnumber(L, (lua_Number)violation->time_ns / 1e9);
    lua_setfield(L, -2, "time");
    lua_newtable(L);
    for (uint32_t i = 0; i < violation->node_count; i++) {
        lua_pushinteger(L, (lua_Integer)violation->nodes[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "nodes");
    return 1;
}

const luaL_Reg lua_look_methods[] = {
    {"status", look_status},
    {"ids", look_ids},
    {"state", look_state},
    {"is_connected", look_is_connected},
    {"leader", look_leader},
    {"leaders", look_leaders},
    {"machine", look_machine},
    {"stats", look_stats},
    {"disk_work", look_disk_work},
    {"world_events", look_world_events},
    {"world_steps", look_world_steps},
    {"events", look_events},
    {"event_lines", look_event_lines},
    {"trace_hash", look_trace_hash},
    {"trace_count", look_trace_count},
    {"violation", look_violation},
    {NULL, NULL},
};
