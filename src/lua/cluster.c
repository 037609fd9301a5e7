/*
 * The cluster's userdata: made from a table of options that lua/raft has checked, closed once. It
 * never decides a default.
 */
#include "lua/module.h"

#include <stdio.h>
#include <string.h>

static const char mark; /* its address is nowhere but in our userdata */

/* Each call of a cluster begins here: the mark costs a quarter of comparing metatables. */
static struct lua_cluster *box_of(lua_State *L)
{
    struct lua_cluster *box = lua_touserdata(L, 1);
    bool is_ours = box != NULL && lua_rawlen(L, 1) == sizeof *box && box->mark == &mark;
    return is_ours ? box : lua_own_userdata(L, LUA_CLUSTER);
}

const struct trace *lua_cluster_events(lua_State *L)
{
    const struct lua_cluster *box = box_of(L);
    if (box->cluster == NULL && box->kept != NULL) {
        return box->kept;
    }
    return cluster_trace(lua_cluster_check(L)->cluster);
}

struct lua_cluster *lua_cluster_check(lua_State *L)
{
    struct lua_cluster *box = box_of(L);
    if (box->cluster == NULL) {
        lua_user_error(L, "attempt to use a closed cluster");
    }
    return box;
}

struct lua_cluster *lua_cluster_enter(lua_State *L)
{
    struct lua_cluster *box = lua_cluster_check(L);
    box->L = L;
    box->depth++;
    return box;
}

bool lua_cluster_leave_with_error(lua_State *L, struct lua_cluster *box)
{
    ensure(box->depth > 0);
    box->depth--;
    if (!box->has_error || box->depth > 0) {
        return false;
    }
    box->has_error = false;
    lua_getiuservalue(L, 1, 1);
    lua_getfield(L, -1, "error");
    lua_pushnil(L);
    lua_setfield(L, -3, "error");
    return true;
}

void lua_cluster_leave(lua_State *L, struct lua_cluster *box)
{
    if (lua_cluster_leave_with_error(L, box)) {
        lua_error(L);
    }
}

/* ---- options -------------------------------------------------------------------------------- */

void lua_raft_options_read(lua_State *L, int index, struct raft_options *raft)
{
    raft->election_timeout_min_ns = lua_time_from(lua_option_integer(L, index, "election_min_ns"));
    raft->election_timeout_max_ns = lua_time_from(lua_option_integer(L, index, "election_max_ns"));
    raft->heartbeat_interval_ns = lua_time_from(lua_option_integer(L, index, "heartbeat_ns"));
    raft->election_collisions =
        chance_from_double(lua_option_number(L, index, "election_collisions"));
    raft->pre_vote = lua_option_boolean(L, index, "pre_vote");
    raft->check_quorum = lua_option_boolean(L, index, "check_quorum");
    raft->lease_reads = lua_option_boolean(L, index, "lease_reads");
    raft->clock_drift_ppb = (uint32_t)lua_option_integer(L, index, "clock_drift_ppb");
    raft->window = (uint32_t)lua_option_integer(L, index, "window");
    raft->max_entries = (uint32_t)lua_option_integer(L, index, "max_entries");
    raft->max_message_bytes = (uint32_t)lua_option_integer(L, index, "max_message");
    raft->max_inflight_bytes = (uint64_t)lua_option_integer(L, index, "max_inflight");
    raft->max_uncommitted_bytes = (uint64_t)lua_option_integer(L, index, "max_uncommitted");
}

static size_t table_count(lua_State *L, const char *name)
{
    lua_getfield(L, 2, name);
    size_t count = lua_istable(L, -1) ? (size_t)lua_rawlen(L, -1) : 0;
    lua_pop(L, 1);
    return count;
}

/* Everything that raises is read before anything is acquired; what is needed meanwhile lives in
 * userdata on the stack. */
static uint64_t *read_ids(lua_State *L, size_t *count)
{
    *count = table_count(L, "ids");
    luaL_argcheck(L, *count > 0, 2, "ids expected");
    uint64_t *ids = lua_newuserdatauv(L, *count * sizeof *ids, 0);
    lua_getfield(L, 2, "ids");
    for (size_t i = 0; i < *count; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        ids[i] = (uint64_t)luaL_checkinteger(L, -1);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return ids;
}

static void read_link(lua_State *L, struct link_faults *link)
{
    lua_getfield(L, 2, "link");
    int at = lua_gettop(L);
    *link = (struct link_faults){0};
    if (lua_istable(L, at)) {
        link->drop = chance_from_double(lua_field_number(L, at, "drop", 0));
        link->duplicate = chance_from_double(lua_field_number(L, at, "duplicate", 0));
        link->reorder = chance_from_double(lua_field_number(L, at, "reorder", 0));
        link->delay_min_ns = lua_field_integer(L, at, "delay_min_ns", 0);
        link->delay_max_ns = lua_field_integer(L, at, "delay_max_ns", 0);
        link->bandwidth_bytes = (uint64_t)lua_field_integer(L, at, "bandwidth", 0);
        link->cut = lua_field_boolean(L, at, "cut", false);
    }
    lua_pop(L, 1);
}

/* The entries of the disk's table on top of the stack; one batch for each. false: one is too large
 * for any frame. */
static bool read_entries(lua_State *L, struct lua_cluster *box, struct cluster_disk *disk)
{
    lua_getfield(L, -1, "entries");
    size_t count = (size_t)lua_rawlen(L, -1);
    struct raft_entry *entries = memory_new_zeroed(count + 1, sizeof *entries);
    disk->start.entries = entries;
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        entries[i].term = (uint64_t)lua_field_integer(L, lua_gettop(L), "term", 0);
        lua_getfield(L, -1, "command");
        buffer_clear(&box->value);
        buffer_clear(&box->answer);
        if (!lua_isnil(L, -1) &&
            (lua_value_write(L, -1, &box->answer) || lua_value_is_too_large(&box->answer))) {
            struct machine_payload payload = {.command = buffer_bytes(&box->answer)};
            machine_payload_write(&box->value, &payload);
            if (box->value.size > RAFT_ENTRY_BYTES_MAX) {
                return false;
            }
            entries[i].batch = batch_copy(NULL, box->value.data, box->value.size);
            entries[i].size_and_kind =
                raft_entry_pack((uint32_t)box->value.size, RAFT_ENTRY_COMMAND);
        } else {
            entries[i].size_and_kind = raft_entry_pack(0, RAFT_ENTRY_EMPTY);
        }
        lua_settop(L, lua_gettop(L) - 2);
        disk->start.entry_count = i + 1;
    }
    lua_pop(L, 1);
    return true;
}

static void free_disks(struct cluster_disk *disks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (uint64_t j = 0; j < disks[i].start.entry_count; j++) {
            batch_release(disks[i].start.entries[j].batch);
        }
        memory_free((void *)(uintptr_t)disks[i].start.entries);
    }
    memory_free(disks);
}

static struct cluster_disk *read_disks(lua_State *L, struct lua_cluster *box, size_t *count)
{
    *count = table_count(L, "disks");
    struct cluster_disk *disks = memory_new_zeroed(*count + 1, sizeof *disks);
    lua_getfield(L, 2, "disks");
    for (size_t i = 0; i < *count; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        int at = lua_gettop(L);
        disks[i].id = (uint64_t)lua_field_integer(L, at, "id", 0);
        disks[i].start.term = (uint64_t)lua_field_integer(L, at, "term", 0);
        disks[i].start.vote = (uint64_t)lua_field_integer(L, at, "vote", 0);
        disks[i].start.first_index = 1;
        if (!read_entries(L, box, &disks[i])) {
            free_disks(disks, *count);
            lua_user_error(L, "bad argument 'state' (an entry is at most %u bytes)",
                           RAFT_ENTRY_BYTES_MAX);
            return NULL;
        }
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return disks;
}

/* ---- making --------------------------------------------------------------------------------- */

static void first_reader(void *context, const struct trace_event *event)
{
    struct lua_cluster *box = context;
    lua_State *L = box->L;
    if (box->silent || L == NULL || !lua_checkstack(L, 16)) {
        return;
    }
    lua_getiuservalue(L, 1, 1);
    lua_getfield(L, -1, "reader");
    lua_remove(L, -2);
    lua_event_push(L, event);
    lua_callback(box, 1, 0);
}

static bool prepare(void *context, struct trace *trace, struct failure *failure)
{
    struct lua_cluster *box = context;
    lua_State *L = box->L;
    if (lua_field_boolean(L, 2, "verbose", false)) {
        trace_print_to(trace, stderr, TRACE_ALL);
    }
    lua_getfield(L, 2, "reader");
    if (lua_isfunction(L, -1)) {
        lua_getiuservalue(L, 1, 1);
        lua_insert(L, -2);
        lua_setfield(L, -2, "reader");
        trace_subscribe(trace, TRACE_ALL, first_reader, box);
    }
    lua_pop(L, 1);
    lua_getfield(L, 2, "trace");
    const char *path = lua_tostring(L, -1);
    char problem[160] = "";
    bool opened =
        path == NULL || trace_file_open(trace, path, lua_field_boolean(L, 2, "append", false),
                                        problem, sizeof problem);
    if (lua_field_boolean(L, 2, "trace_at_once", false)) {
        trace_file_write_at_once(trace);
    }
    if (!opened) {
        failure_set(failure, FAILURE_STORAGE, "cannot write the trace to %s: %s", path, problem);
    }
    lua_pop(L, 1);
    return opened;
}

/* What starts the nodes' processes; NULL: they are in this one. Its words stay as long as the
 * options, at index 2. */
static const struct cluster_processes *read_processes(lua_State *L,
                                                      struct cluster_processes *processes)
{
    lua_getfield(L, 2, "processes");
    int at = lua_gettop(L);
    if (!lua_istable(L, at)) {
        return NULL;
    }
    lua_getfield(L, at, "command");
    size_t count = (size_t)lua_rawlen(L, -1);
    const char **command = lua_newuserdatauv(L, (count + 1) * sizeof *command, 0);
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, -2, (lua_Integer)i + 1);
        command[i] = luaL_checkstring(L, -1);
        lua_pop(L, 1);
    }
    command[count] = NULL;
    lua_getfield(L, at, "directory");
    lua_getfield(L, at, "machine");
    processes->command = command;
    processes->directory = lua_tostring(L, -2);
    processes->machine = luaL_checkstring(L, -1);
    return processes;
}

/* core.cluster(options) → cluster, or nil, message, code */
int lua_cluster_new(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    struct lua_cluster *box = lua_newuserdatauv(L, sizeof *box, 1);
    memset(box, 0, sizeof *box);
    lua_newtable(L);
    lua_setiuservalue(L, -2, 1);
    luaL_setmetatable(L, LUA_CLUSTER);
    box->mark = &mark;
    lua_insert(L, 1); /* where callbacks look for it; the options are at 2 now */
    struct cluster_options options = {
        .real = lua_option_boolean(L, 2, "real"),
        .speed = lua_option_number(L, 2, "speed"),
        .seed = (uint64_t)lua_option_integer(L, 2, "seed"),
        .machine_failed = lua_machine_failed_elsewhere,
        .context = box,
        .keep_events = (size_t)lua_option_integer(L, 2, "keep_events"),
        .keep_hash = lua_option_boolean(L, 2, "keep_hash"),
        .keep_situations = lua_option_boolean(L, 2, "keep_situations"),
        .invariants = lua_option_boolean(L, 2, "invariants"),
    };
    lua_raft_options_read(L, 2, &options.raft);
    options.snapshot_every = (uint64_t)lua_option_integer(L, 2, "snapshot_every");
    options.snapshot_bytes = (uint64_t)lua_option_integer(L, 2, "snapshot_bytes");
    read_link(L, &options.link);
    options.ids = read_ids(L, &options.id_count);
    lua_getfield(L, 2, "name");
    options.name = lua_tostring(L, -1);
    lua_getfield(L, 2, "machine");
    if (lua_isfunction(L, -1)) {
        options.make_machine = lua_machine_make;
        lua_getiuservalue(L, 1, 1);
        lua_pushvalue(L, -2);
        lua_setfield(L, -2, "make_machine");
    }
    lua_getfield(L, 2, "dir");
    options.directory = lua_tostring(L, -1);
    struct cluster_processes processes;
    options.processes = read_processes(L, &processes);
    struct cluster_disk *disks = read_disks(L, box, &options.disk_count);
    options.disks = disks;
    struct failure failure = {0};
    box->random = random_stream(options.seed, "script");
    box->L = L;
    box->depth = 1;
    box->cluster = cluster_new(&options, prepare, box, &failure);
    free_disks(disks, options.disk_count);
    if (box->cluster == NULL && !box->has_error) {
        return lua_failure_push(L, &failure);
    }
    lua_cluster_leave(L, box);
    lua_pushvalue(L, 1);
    return 1;
}

/* ---- ending --------------------------------------------------------------------------------- */

static void end_cluster(struct lua_cluster *box)
{
    struct cluster *cluster = box->cluster;
    box->cluster = NULL; /* what is called back from here on finds it closed */
    if (cluster != NULL) {
        cluster_free(cluster);
    }
    buffer_free(&box->value);
    buffer_free(&box->answer);
    memory_free(box->entries);
    box->entries = NULL;
    box->entries_capacity = 0;
}

/* core:close(keep) → true, or nil and a message where the trace file could not be written whole.
 * keep: event_lines works on, until it is closed once more */
static int cluster_close(lua_State *L)
{
    struct lua_cluster *box = box_of(L);
    bool keep = lua_toboolean(L, 2);
    if (box->cluster == NULL) {
        trace_free(box->kept);
        box->kept = NULL;
        lua_pushboolean(L, 1);
        return 1;
    }
    if (box->depth > 0) {
        return luaL_error(L, "a cluster cannot be shut down from one of its own callbacks");
    }
    char problem[160] = "";
    box->silent = true;
    box->L = L;
    lua_signal_target(NULL);
    bool written = trace_file_close(cluster_trace(box->cluster), problem, sizeof problem);
    box->kept = keep ? trace_take_ring(cluster_trace(box->cluster)) : NULL;
    end_cluster(box);
    if (!written) {
        lua_pushnil(L);
        lua_pushfstring(L, "the trace is not complete: %s", problem);
        lua_pushstring(L, failure_name(FAILURE_STORAGE));
        return 3;
    }
    lua_pushboolean(L, 1);
    return 1;
}

static int cluster_gc(lua_State *L)
{
    struct lua_cluster *box = box_of(L);
    /* Without a cluster it was closed, or never came to be and holds what options were read to. */
    if (box->cluster == NULL || box->depth == 0) {
        box->silent = true;
        box->L = NULL;
        end_cluster(box);
    }
    trace_free(box->kept);
    box->kept = NULL;
    box->mark = NULL; /* what takes this memory next may be somebody else's */
    return 0;
}

static int cluster_is_closed(lua_State *L)
{
    lua_pushboolean(L, box_of(L)->cluster == NULL);
    return 1;
}

/* core.is_entered(core): whether one of its calls is under way, which has called back */
static int is_entered(lua_State *L)
{
    lua_pushboolean(L, box_of(L)->depth > 0);
    return 1;
}

/* core.now_at_rest(core) → now_ns; nil where it is closed or one of its calls is under way. Each
 * call of a script asks it twice: one question in place of three. */
static int now_at_rest(lua_State *L)
{
    const struct lua_cluster *box = box_of(L);
    if (box->cluster == NULL || box->depth > 0) {
        return 0;
    }
    lua_pushinteger(L, (lua_Integer)cluster_now_ns(box->cluster));
    return 1;
}

static const luaL_Reg functions[] = {
    {"is_entered", is_entered},
    {"now_at_rest", now_at_rest},
    {NULL, NULL},
};

void lua_cluster_functions(lua_State *L)
{
    luaL_getmetatable(L, LUA_CLUSTER); /* for box_of */
    luaL_setfuncs(L, functions, 1);
}

static const luaL_Reg life_methods[] = {
    {"close", cluster_close},
    {"is_closed", cluster_is_closed},
    {NULL, NULL},
};

void lua_cluster_register(lua_State *L)
{
    luaL_newmetatable(L, LUA_CLUSTER);
    lua_pushcfunction(L, cluster_gc);
    lua_setfield(L, -2, "__gc");
    lua_newtable(L);
    const luaL_Reg *const methods[] = {
        life_methods,         lua_control_methods,     lua_drive_methods,
        lua_look_methods,     lua_callback_methods,    lua_campaign_methods,
        lua_look_log_methods, lua_look_faults_methods, lua_workload_methods};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        lua_pushvalue(L, -2); /* the metatable, for box_of */
        luaL_setfuncs(L, methods[i], 1);
    }
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
