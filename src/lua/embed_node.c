/*
 * One node of an application, as lua/raft/node.lua holds it: made, asked, ended (what it tells is
 * in embed_tell.c). It never decides a default.
 */
#include "lua/embed.h"

#include <stdio.h>
#include <string.h>

static struct lua_embedded *check(lua_State *L)
{
    return luaL_checkudata(L, 1, LUA_EMBEDDED);
}

static struct lua_embedded *check_open(lua_State *L)
{
    struct lua_embedded *box = check(L);
    if (box->embedded == NULL || box->closing) {
        lua_user_error(L, "attempt to use a closed node");
    }
    return box;
}

/* ---- its machine ---------------------------------------------------------------------------- */

static lua_State *machine_state(void *self)
{
    const struct lua_embedded *box = self;
    return box->all->L;
}

static void push_machines(void *self, lua_State *L)
{
    (void)self;
    lua_embed_loop_table(L, "machines");
}

static bool call_machine(void *self, int arguments, int results)
{
    const struct lua_embedded *box = self;
    return lua_protected_call(box->all->L, arguments, results);
}

/* What query raises is raised; all else fails the node, and is told with that. */
static void machine_raised(void *self, uint64_t id, const char *name)
{
    const struct lua_embedded *box = self;
    lua_State *L = box->all->L;
    if (strcmp(name, "query") == 0) {
        lua_embed_loop_keep_error(box->all);
        return;
    }
    lua_embed_loop_table(L, "failures");
    lua_insert(L, -2);
    lua_rawseti(L, -2, (lua_Integer)id);
    lua_pop(L, 1);
}

static const struct lua_caller node_caller = {
    .state = machine_state,
    .push_machines = push_machines,
    .call = call_machine,
    .raised = machine_raised,
};

static struct machine *make_machine(void *context, uint64_t id, struct failure *failure)
{
    struct lua_embedded *box = context;
    lua_State *L = box->all->L;
    if (L == NULL || !lua_checkstack(L, 16)) {
        failure_set(failure, FAILURE_CLOSED, "the node is closing");
        return NULL;
    }
    lua_embed_loop_table(L, "machines");
    lua_rawgeti(L, -1, (lua_Integer)id);
    lua_remove(L, -2);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return machine_new(&kv_operations, kv_new());
    }
    return lua_machine_adopt(&node_caller, box, id, failure);
}

/* ---- members from Lua ----------------------------------------------------------------------- */

/* {voters = {ids}, learners = {ids}, addresses = {[id] = address}} at `index` */
static void read_members(lua_State *L, int index, struct raft_configuration *members)
{
    lua_members_read(L, index, members);
    lua_getfield(L, index, "addresses");
    for (uint32_t i = 0; i < members->count && lua_istable(L, -1); i++) {
        struct raft_member *member = &members->members[i];
        size_t size = 0;
        lua_rawgeti(L, -1, (lua_Integer)member->id);
        const char *address = lua_tolstring(L, -1, &size);
        if (address != NULL && size <= RAFT_ADDRESS_BYTES_MAX) {
            member->address_size = (uint8_t)size;
            memcpy(member->address, address, size);
        }
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

/* ---- making --------------------------------------------------------------------------------- */

static const char *text_field(lua_State *L, int index, const char *name)
{
    lua_getfield(L, index, name); /* stays alive: its table holds it */
    const char *text = lua_tostring(L, -1);
    lua_pop(L, 1);
    return text;
}

/* The options at 2; what the node has to say of itself. */
static bool open_trace(lua_State *L, struct lua_embedded *box, struct failure *failure)
{
    char problem[160] = "";
    const char *path = text_field(L, 2, "trace");
    if (lua_field_boolean(L, 2, "verbose", false)) {
        trace_print_to(embed_trace(box->embedded), stderr, TRACE_ALL);
    }
    if (lua_field_boolean(L, 2, "reads_trace", false)) {
        trace_subscribe(embed_trace(box->embedded), TRACE_ALL, lua_embed_on_trace, box);
    }
    box->traced = path != NULL || lua_field_boolean(L, 2, "verbose", false) ||
                  lua_field_boolean(L, 2, "reads_trace", false);
    if (path != NULL &&
        !trace_file_open(embed_trace(box->embedded), path, false, problem, sizeof problem)) {
        failure_set(failure, FAILURE_STORAGE, "cannot write the trace to %s: %s", path, problem);
        return false;
    }
    return true;
}

static void link_box(struct lua_embedded *box)
{
    box->next = box->all->first;
    box->all->first = box;
}

static void unlink_box(struct lua_embedded *box)
{
    struct lua_embedded **at = &box->all->first;
    while (*at != box) {
        ensure(*at != NULL);
        at = &(*at)->next;
    }
    *at = box->next;
    box->next = NULL;
}

static bool make_embedded(lua_State *L, struct lua_embedded *box, struct failure *failure)
{
    struct raft_configuration first = {0};
    struct embed_options options = {
        .cluster_name = text_field(L, 2, "cluster"),
        .listen = text_field(L, 2, "listen"),
        .directory = text_field(L, 2, "dir"),
        .first_members = &first,
        .forward = lua_option_boolean(L, 2, "forward"),
        .session = lua_option_boolean(L, 2, "session"),
        .make_machine = make_machine,
        .on_event = lua_embed_on_event,
        .on_done = lua_embed_on_done,
        .context = box,
    };
    lua_raft_options_read(L, 2, &options.raft);
    options.raft.id = box->id;
    options.snapshot_every = (uint64_t)lua_option_integer(L, 2, "snapshot_every");
    options.snapshot_bytes = (uint64_t)lua_option_integer(L, 2, "snapshot_bytes");
    if (!lua_embed_loop_need(box->all, failure)) {
        return false;
    }
    read_members(L, 2, &first);
    box->embedded = embed_new(box->all->loop, &options, failure);
    raft_configuration_free(&first);
    if (box->embedded == NULL) {
        return false;
    }
    link_box(box);
    if (!open_trace(L, box, failure)) {
        lua_embed_drop(box);
        return false;
    }
    return true;
}

/* loop:node(options) → a node that is stopped; or nil, message, code */
int lua_embed_new(lua_State *L)
{
    struct lua_embed_loop *all = luaL_checkudata(L, 1, LUA_EMBED_LOOP);
    luaL_checktype(L, 2, LUA_TTABLE);
    struct lua_embedded *box = lua_newuserdatauv(L, sizeof *box, 1);
    memset(box, 0, sizeof *box);
    luaL_getmetatable(L, LUA_EMBEDDED);
    lua_setmetatable(L, -2);
    box->all = all;
    box->id = (uint64_t)lua_field_integer(L, 2, "id", 0);
    struct failure failure = {0};
    if (!make_embedded(L, box, &failure)) {
        lua_embed_loop_release(all);
        return lua_failure_push(L, &failure);
    }
    lua_embed_loop_table(L, "machines");
    lua_getfield(L, 2, "machine");
    lua_rawseti(L, -2, (lua_Integer)box->id);
    lua_embed_loop_table(L, "failures");
    lua_pushnil(L);
    lua_rawseti(L, -2, (lua_Integer)box->id);
    lua_pop(L, 2);
    return 1;
}

/* node:start() → true; or nil, message, code */
static int start(lua_State *L)
{
    struct lua_embedded *box = check_open(L);
    struct failure failure = {0};
    lua_State *before = NULL;
    lua_embed_loop_enter(L, box->all, &before);
    bool started = embed_start(box->embedded, &failure);
    lua_embed_loop_leave(L, box->all, before);
    if (!started) {
        return lua_failure_push(L, &failure);
    }
    lua_pushboolean(L, 1);
    return 1;
}

/* ---- requests ------------------------------------------------------------------------------- */

static int push_ticket(lua_State *L, uint64_t ticket)
{
    lua_pushinteger(L, (lua_Integer)ticket);
    return 1;
}

/* node:propose(command, timeout_ns) → ticket, told of by "done" later */
static int propose(lua_State *L)
{
    struct lua_embedded *box = check_open(L);
    int64_t timeout_ns = lua_time_check(L, 3);
    buffer_clear(&box->all->value);
    lua_value_check(L, 2, "command", &box->all->value);
    return push_ticket(L, embed_propose(box->embedded, buffer_bytes(&box->all->value), timeout_ns));
}

/* node:read(question or nil, timeout_ns, how or nil: "lease", "stale") → ticket */
static int read(lua_State *L)
{
    struct lua_embedded *box = check_open(L);
    static const char *const hows[] = {"linearizable", "lease", "stale", NULL};
    static const enum node_read_mode modes[] = {NODE_READ_LINEARIZABLE, NODE_READ_LEASE,
                                                NODE_READ_STALE};
    int64_t timeout_ns = lua_time_check(L, 3);
    enum node_read_mode mode = modes[luaL_checkoption(L, 4, hows[0], hows)];
    buffer_clear(&box->all->value);
    if (!lua_isnil(L, 2)) {
        lua_value_check(L, 2, "request", &box->all->value);
    }
    return push_ticket(L,
                       embed_read(box->embedded, mode, buffer_bytes(&box->all->value), timeout_ns));
}

/* node:change(members, timeout_ns) → ticket */
static int change(lua_State *L)
{
    struct lua_embedded *box = check_open(L);
    int64_t timeout_ns = lua_time_check(L, 3);
    luaL_checktype(L, 2, LUA_TTABLE);
    struct raft_configuration wanted = {0};
    read_members(L, 2, &wanted);
    uint64_t ticket = embed_change(box->embedded, &wanted, timeout_ns);
    raft_configuration_free(&wanted);
    return push_ticket(L, ticket);
}

static bool peer_of_node(const void *of, uint32_t position, struct raft_peer_status *peer)
{
    return node_peer_at(of, position, peer);
}

/* node:transfer(id, timeout_ns) → ticket */
static int transfer(lua_State *L)
{
    struct lua_embedded *box = check_open(L);
    int64_t timeout_ns = lua_time_check(L, 3);
    uint64_t target = lua_id_check(L, 2);
    return push_ticket(L, embed_transfer(box->embedded, target, timeout_ns));
}

/* node:compact(timeout_ns) → ticket */
static int compact(lua_State *L)
{
    struct lua_embedded *box = check_open(L);
    return push_ticket(L, embed_compact(box->embedded, lua_time_check(L, 2)));
}

/* node:status() → a table */
static int status(lua_State *L)
{
    struct lua_embedded *box = check(L);
    if (box->embedded == NULL) {
        lua_createtable(L, 0, 2);
        lua_set_integer(L, "id", box->id);
        lua_set_text(L, "state", "closed");
        return 1;
    }
    struct node *node = embed_node(box->embedded);
    const struct node_view *view = node_view(node);
    lua_status_push(L, view, peer_of_node, node);
    if (view->is_up) {
        lua_embed_members_push(L, view->members);
        lua_setfield(L, -2, "members");
    }
    return 1;
}

/* ---- ending --------------------------------------------------------------------------------- */

void lua_embed_drop(struct lua_embedded *box)
{
    embed_free(box->embedded);
    box->embedded = NULL;
    unlink_box(box);
}

static void forget_machine(lua_State *L, uint64_t id)
{
    lua_embed_loop_table(L, "machines");
    lua_pushnil(L);
    lua_rawseti(L, -2, (lua_Integer)id);
    lua_pop(L, 1);
}

void lua_embed_finish(struct lua_embedded *box)
{
    struct lua_embed_loop *all = box->all;
    char problem[160] = "";
    embed_close(box->embedded);
    bool written =
        !box->traced || trace_file_close(embed_trace(box->embedded), problem, sizeof problem);
    lua_embed_drop(box);
    if (all->L != NULL) {
        forget_machine(all->L, box->id);
    }
    if (lua_dispatch_begin(all, box->id, "closed")) {
        lua_pushstring(all->L, written ? NULL : problem);
        lua_dispatch(all, 1);
    }
}

/* node:close(): as soon as leadership is handed over and no callback is running. Called again it
 * does not wait for the first of that. */
static int close_method(lua_State *L)
{
    struct lua_embedded *box = check(L);
    lua_State *before = NULL;
    if (box->embedded != NULL) {
        box->at_once = box->closing;
        box->closing = true;
        lua_embed_loop_enter(L, box->all, &before);
        lua_embed_loop_leave(L, box->all, before);
    }
    return 0;
}

/* Never started, or the state is closing: a node that runs is held by lua/raft/node.lua. Where the
 * state is closed from within a callback (os.exit), the loop is still at work, and the process
 * ends.
 */
static int collect(lua_State *L)
{
    struct lua_embedded *box = check(L);
    if (box->embedded != NULL &&
        (box->all->depth == 0 || node_view(embed_node(box->embedded))->state == NODE_STOPPED)) {
        lua_embed_drop(box);
        lua_embed_loop_release(box->all);
    }
    return 0;
}

static const luaL_Reg methods[] = {
    {"start", start},       {"propose", propose}, {"read", read},
    {"change", change},     {"status", status},   {"close", close_method},
    {"transfer", transfer}, {"compact", compact}, {NULL, NULL},
};

void lua_embed_register(lua_State *L)
{
    luaL_newmetatable(L, LUA_EMBEDDED);
    lua_pushcfunction(L, collect);
    lua_setfield(L, -2, "__gc");
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
