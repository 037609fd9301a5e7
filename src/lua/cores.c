/*
 * Several bare cores under one harness (cores/cores.h), stepped by hand: plain tables in, plain
 * tables out. A message under way is known by its number. For specs and for experiments.
 */
#include "cores/cores.h"
#include "lua/replica.h"

#define LUA_CORES "raft.core.cores"
#define DELIVERIES_MAX 100000
#define PADDING_MAX (1 << 24)

static struct cores *cores_check(lua_State *L)
{
    struct cores **box = luaL_checkudata(L, 1, LUA_CORES);
    return *box;
}

/* The replica whose id is at index 2. */
static const struct core *core_check(lua_State *L, struct cores *cores)
{
    lua_Integer id = luaL_checkinteger(L, 2);
    const struct core *core = cores_find(cores, (uint64_t)id);
    if (core == NULL) {
        lua_user_error(L, "bad argument 'id' (there is no replica %lld)", (long long)id);
    }
    return core;
}

static struct cores_message *message_check(lua_State *L, struct cores *cores)
{
    lua_Integer number = luaL_checkinteger(L, 2);
    struct cores_message *message = cores_first(cores);
    while (message != NULL && message->number != (uint64_t)number) {
        message = cores_next(cores, message);
    }
    if (message == NULL) {
        lua_user_error(L, "bad argument 'number' (no message %lld is under way)",
                       (long long)number);
    }
    return message;
}

/* The update of a step (NULL: nil), after which a disk that is not slow writes. */
static int push_update(lua_State *L, struct cores *cores, uint64_t id,
                       const struct raft_update *update)
{
    if (update == NULL) {
        lua_pushnil(L);
        return 1;
    }
    lua_update_push(L, cores_find(cores, id)->raft, update);
    cores_let_write(cores, id);
    return 1;
}

/* What contradicts a committed entry is the script's error, where no update tells of it. */
static int check_no_contradiction(lua_State *L, const struct cores *cores)
{
    for (size_t i = 0; i < cores_count(cores); i++) {
        const struct core *core = cores_at(cores, i);
        if (core->contradicted) {
            return lua_user_error(L, "replica %llu was sent what contradicts a committed entry",
                                  (unsigned long long)core->id);
        }
    }
    return 0;
}

static void push_message(lua_State *L, const struct cores *cores,
                         const struct cores_message *message)
{
    lua_message_push(L, NULL, &message->message);
    lua_set_integer(L, "number", message->number);
    lua_hash_push(L, cores_message_hash(cores, message, NULL));
    lua_setfield(L, -2, "hash");
}

/* ---- replicas ------------------------------------------------------------------------------- */

/* cores:add(options): one more, by the options of core.replica */
static int add(lua_State *L)
{
    struct cores *cores = cores_check(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    uint64_t id = (uint64_t)lua_field_integer(L, 2, "id", 1);
    if (cores_find(cores, id) != NULL) {
        return lua_user_error(L, "bad argument 'options' (there is a replica %llu)",
                              (unsigned long long)id);
    }
    cores_add(cores, lua_raft_new(L, 2, cores_now_ns(cores)));
    return 0;
}

/* cores:replica(id) → replica, to be looked at */
static int replica(lua_State *L)
{
    lua_replica_push_view(L, 1, core_check(L, cores_check(L))->raft);
    return 1;
}

/* cores:state(id) → { applied, asked, durable, deadline_ns, wants_flush, reads = {[read_id] =
 * index}, snapshots = {indexes}, writes_piece (of a snapshot), refused (snapshots that did not
 * verify) } */
static int state(lua_State *L)
{
    const struct core *core = core_check(L, cores_check(L));
    lua_createtable(L, 0, 9);
    lua_set_integer(L, "applied", core->applied);
    lua_set_integer(L, "asked", core->asked);
    lua_set_integer(L, "durable", core->durable);
    lua_set_integer(L, "deadline_ns",
                    (uint64_t)(core->deadline_ns >= LUA_NEVER ? LUA_NEVER : core->deadline_ns));
    lua_set_boolean(L, "wants_flush", core->wants_flush);
    lua_set_integer(L, "refused", core->refused);
    lua_set_boolean(L, "writes_piece", !list_is_empty(&core->pieces));
    lua_createtable(L, (int)core->snapshots.count, 0);
    for (size_t i = 0; i < core->snapshots.count; i++) {
        lua_pushinteger(L, (lua_Integer)core->snapshots.items[i].about.index);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "snapshots");
    lua_newtable(L);
    for (size_t i = 0; i < core->reads.count; i++) {
        lua_pushinteger(L, (lua_Integer)core->reads.items[i].index);
        lua_rawseti(L, -2, (lua_Integer)core->reads.items[i].read_id);
    }
    lua_setfield(L, -2, "reads");
    return 1;
}

/* cores:set_slow(id, slow): its disk writes only when cores:confirm says so */
static int set_slow(lua_State *L)
{
    struct cores *cores = cores_check(L);
    cores_set_slow(cores, core_check(L, cores)->id, lua_toboolean(L, 3));
    return 0;
}

/* ---- one thing after another ---------------------------------------------------------------- */

/* cores:step(id, event) → update */
static int step(lua_State *L)
{
    struct cores *cores = cores_check(L);
    const struct core *core = core_check(L, cores);
    struct lua_input input;
    lua_input_read(L, 3, core->raft, cores_now_ns(cores), core->asked, &input);
    if (input.event.kind == RAFT_EVENT_PERSISTED) {
        return lua_user_error(
            L, "bad argument 'event' (use cores:confirm to report what is on a disk)");
    }
    cores_set_now_ns(cores, input.event.now_ns);
    return push_update(L, cores, core->id, cores_step(cores, core->id, &input.event));
}

/* cores:confirm(id[, sequence]) → update; nil: its disk had written that */
static int confirm(lua_State *L)
{
    struct cores *cores = cores_check(L);
    const struct core *core = core_check(L, cores);
    lua_Integer sequence = luaL_optinteger(L, 3, (lua_Integer)core->asked);
    if (sequence < 0 || (uint64_t)sequence > core->asked) {
        return lua_user_error(L, "bad argument 'sequence' (no persist of it was handed out)");
    }
    return push_update(L, cores, core->id, cores_confirm(cores, core->id, (uint64_t)sequence));
}

/* cores:compact(id[, first_index[, padding]]) → update; nil: it has that snapshot. Its log is not
 * needed before first_index (nil: not at all); the snapshot has so many bytes more than it needs */
static int compact(lua_State *L)
{
    struct cores *cores = cores_check(L);
    const struct core *core = core_check(L, cores);
    lua_Integer first_index = luaL_optinteger(L, 3, 0);
    lua_Integer padding = luaL_optinteger(L, 4, 0);
    luaL_argcheck(L, first_index >= 0, 3, "must be an index");
    luaL_argcheck(L, padding >= 0 && padding <= PADDING_MAX, 4, "must be a number of bytes");
    return push_update(L, cores, core->id,
                       cores_compact(cores, core->id, (uint64_t)first_index, (size_t)padding));
}

/* cores:write_piece(id[, fail]) → update; nil: there is none. Its disk writes what it has received
 * of a snapshot, or fails to */
static int write_piece(lua_State *L)
{
    struct cores *cores = cores_check(L);
    const struct core *core = core_check(L, cores);
    return push_update(L, cores, core->id, cores_write_piece(cores, core->id, lua_toboolean(L, 3)));
}

/* cores:digest(id) → 16 hex digits: equal where the same has been applied */
static int digest(lua_State *L)
{
    struct cores *cores = cores_check(L);
    lua_hash_push(L, cores_digest(cores, core_check(L, cores)->id));
    return 1;
}

/* cores:keep_disks(): replicas that are added from now on can crash */
static int keep_disks(lua_State *L)
{
    cores_keep_disks(cores_check(L));
    return 0;
}

/* cores:crash(id, options): it starts again with what its disk holds */
static int crash(lua_State *L)
{
    struct cores *cores = cores_check(L);
    const struct core *core = core_check(L, cores);
    luaL_checktype(L, 3, LUA_TTABLE);
    if (core->disk == NULL) {
        return lua_user_error(L, "replica %llu keeps no disk", (unsigned long long)core->id);
    }
    struct raft_options options;
    lua_raft_options(L, 3, &options);
    options.id = core->id;
    struct lua_message_parts *parts = lua_message_parts_new(L);
    lua_members_read(L, 3, &parts->members);
    cores_crash(cores, core->id, &options, &parts->members);
    cores_let_write(cores, core->id);
    return 0;
}

/* cores:messages() → list of messages under way, each with its number and its hash */
static int messages(lua_State *L)
{
    const struct cores *cores = cores_check(L);
    lua_newtable(L);
    lua_Integer place = 0;
    for (const struct cores_message *at = cores_first(cores); at != NULL;
         at = cores_next(cores, at)) {
        push_message(L, cores, at);
        lua_rawseti(L, -2, ++place);
    }
    return 1;
}

/* cores:oldest() → the message that was sent first of those under way; nil: none is */
static int oldest(lua_State *L)
{
    const struct cores *cores = cores_check(L);
    const struct cores_message *message = cores_first(cores);
    if (message == NULL) {
        lua_pushnil(L);
    } else {
        push_message(L, cores, message);
    }
    return 1;
}

/* cores:under_way() → how many are */
static int under_way(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)cores_under_way(cores_check(L)));
    return 1;
}

/* cores:deliver(number[, keep]) → update; nil: it was lost on a link that is cut */
static int deliver(lua_State *L)
{
    struct cores *cores = cores_check(L);
    struct cores_message *message = message_check(L, cores);
    uint64_t to = message->message.to;
    return push_update(L, cores, to, cores_deliver(cores, message, lua_toboolean(L, 3)));
}

/* cores:drop(number) */
static int drop(lua_State *L)
{
    struct cores *cores = cores_check(L);
    cores_drop(cores, message_check(L, cores));
    return 0;
}

/* cores:send(message) → its number, its hash */
static int send(lua_State *L)
{
    struct cores *cores = cores_check(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    struct lua_message_parts *parts = lua_message_parts_new(L);
    struct raft_message message = {0};
    lua_pushvalue(L, 2);
    lua_message_read(L, parts, &message);
    const struct cores_message *sent = cores_send(cores, &message);
    lua_pushinteger(L, (lua_Integer)sent->number);
    lua_hash_push(L, cores_message_hash(cores, sent, NULL));
    return 2;
}

/* cores:cut(from, to): what would arrive there is lost */
static int cut(lua_State *L)
{
    cores_cut(cores_check(L), (uint64_t)luaL_checkinteger(L, 2), (uint64_t)luaL_checkinteger(L, 3));
    return 0;
}

static int heal(lua_State *L)
{
    cores_heal(cores_check(L));
    return 0;
}

/* ---- all of it, in order -------------------------------------------------------------------- */

static int flush(lua_State *L)
{
    struct cores *cores = cores_check(L);
    cores_flush(cores);
    return check_no_contradiction(L, cores);
}

/* cores:settle(): delivers and flushes until nothing is under way; raises where that never comes */
static int settle(lua_State *L)
{
    struct cores *cores = cores_check(L);
    if (!cores_settle(cores, DELIVERIES_MAX)) {
        return lua_user_error(L, "the replicas never stop sending messages");
    }
    return check_no_contradiction(L, cores);
}

/* cores:pass(duration_ns[, id]): wakes who asked for it, or only that one */
static int pass(lua_State *L)
{
    struct cores *cores = cores_check(L);
    lua_Integer duration_ns = luaL_checkinteger(L, 2);
    luaL_argcheck(L, duration_ns >= 0 && duration_ns < LUA_NEVER - cores_now_ns(cores), 2,
                  "must be 0 or more, and within the range of time");
    cores_pass(cores, cores_now_ns(cores) + duration_ns, (uint64_t)luaL_optinteger(L, 3, 0));
    return check_no_contradiction(L, cores);
}

static int now_ns(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)cores_now_ns(cores_check(L)));
    return 1;
}

/* ---- the whole ------------------------------------------------------------------------------ */

/* cores:hash([{ [id] = id }]) → 16 hex digits */
static int hash(lua_State *L)
{
    const struct cores *cores = cores_check(L);
    struct raft_renaming renaming;
    lua_hash_push(L, cores_hash(cores, lua_renaming(L, &renaming)));
    return 1;
}

static struct cores **push_cores(lua_State *L)
{
    struct cores **box = lua_newuserdatauv(L, sizeof(struct cores *), 0);
    *box = NULL;
    luaL_setmetatable(L, LUA_CORES);
    return box;
}

static int copy(lua_State *L)
{
    const struct cores *cores = cores_check(L);
    struct cores **box = push_cores(L);
    *box = cores_copy(cores);
    return 1;
}

static int collect(lua_State *L)
{
    struct cores **box = luaL_checkudata(L, 1, LUA_CORES);
    cores_free(*box);
    *box = NULL;
    return 0;
}

/* core.cores() → cores */
int lua_cores_new(lua_State *L)
{
    struct cores **box = push_cores(L);
    *box = cores_new();
    return 1;
}

static const luaL_Reg methods[] = {
    {"add", add},
    {"replica", replica},
    {"state", state},
    {"set_slow", set_slow},
    {"step", step},
    {"confirm", confirm},
    {"send", send},
    {"messages", messages},
    {"oldest", oldest},
    {"under_way", under_way},
    {"drop", drop},
    {"deliver", deliver},
    {"cut", cut},
    {"heal", heal},
    {"flush", flush},
    {"settle", settle},
    {"pass", pass},
    {"now_ns", now_ns},
    {"hash", hash},
    {"copy", copy},
    {"compact", compact},
    {"write_piece", write_piece},
    {"keep_disks", keep_disks},
    {"crash", crash},
    {"digest", digest},
    {NULL, NULL},
};

void lua_cores_register(lua_State *L)
{
    luaL_newmetatable(L, LUA_CORES);
    lua_pushcfunction(L, collect);
    lua_setfield(L, -2, "__gc");
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
