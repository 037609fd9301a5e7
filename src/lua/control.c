/*
 * Faults and control: each method checks its arguments and hands them on. It never decides what
 * they mean.
 */
#include "lua/module.h"

#include <string.h>

/* What control calls give back: true, or nil, message, code, detail. */
static int finish(lua_State *L, struct lua_cluster *box, bool worked, const struct failure *failure)
{
    lua_cluster_leave(L, box);
    if (!worked) {
        return lua_failure_push(L, failure);
    }
    lua_pushboolean(L, 1);
    return 1;
}

typedef bool control_call(struct cluster *cluster, uint64_t id, struct failure *failure);

static int control(lua_State *L, control_call *call)
{
    uint64_t id = lua_id_check(L, 2);
    struct lua_cluster *box = lua_cluster_enter(L);
    struct failure failure = {0};
    bool worked = call(box->cluster, id, &failure);
    return finish(L, box, worked, &failure);
}

static int control_crash(lua_State *L)
{
    return control(L, cluster_crash);
}

static int control_restart(lua_State *L)
{
    return control(L, cluster_restart);
}

static int control_wipe(lua_State *L)
{
    return control(L, cluster_wipe);
}

static int control_pause(lua_State *L)
{
    return control(L, cluster_pause);
}

static int control_resume(lua_State *L)
{
    return control(L, cluster_resume);
}

static int control_stop_removed(lua_State *L)
{
    return control(L, cluster_stop_removed);
}

/* core:directory(id) → of its present disk, in hexadecimal digits */
static int control_directory(lua_State *L)
{
    struct lua_cluster *box = lua_cluster_check(L);
    lua_hash_push(L, cluster_directory(box->cluster, lua_id_check(L, 2)));
    return 1;
}

static int control_add_node(lua_State *L)
{
    return control(L, cluster_add_node);
}

static int control_disk(lua_State *L)
{
    uint64_t id = lua_id_check(L, 2);
    luaL_checktype(L, 3, LUA_TTABLE);
    struct disk_faults faults = {
        .sync_delay_ns = lua_field_integer(L, 3, "sync_delay_ns", 0),
        .stall = lua_field_boolean(L, 3, "stall", false),
        .full = lua_field_boolean(L, 3, "full", false),
        .write_error = chance_from_double(lua_field_number(L, 3, "write_error", 0)),
        .sync_error = chance_from_double(lua_field_number(L, 3, "sync_error", 0)),
        .corrupt = chance_from_double(lua_field_number(L, 3, "corrupt", 0)),
        .misdirect_read = chance_from_double(lua_field_number(L, 3, "misdirect_read", 0)),
        .misdirect_write = chance_from_double(lua_field_number(L, 3, "misdirect_write", 0)),
        .torn_write = lua_field_boolean(L, 3, "torn_write", false),
        .flip = lua_field_boolean(L, 3, "flip", false),
        .crash_after = (uint64_t)lua_field_integer(L, 3, "crash_after", 0),
    };
    struct lua_cluster *box = lua_cluster_enter(L);
    struct failure failure = {0};
    bool worked = cluster_set_disk(box->cluster, id, &faults, &failure);
    return finish(L, box, worked, &failure);
}

static int control_clock(lua_State *L)
{
    uint64_t id = lua_id_check(L, 2);
    lua_Integer rate_ppb = luaL_checkinteger(L, 3);
    lua_Integer offset_ns = luaL_checkinteger(L, 4);
    luaL_argcheck(L, rate_ppb > 0, 3, "a rate is above 0");
    struct lua_cluster *box = lua_cluster_enter(L);
    struct failure failure = {0};
    bool worked = cluster_set_clock(box->cluster, id, rate_ppb, offset_ns, &failure);
    return finish(L, box, worked, &failure);
}

static int control_campaign(lua_State *L)
{
    uint64_t id = lua_id_check(L, 2);
    struct lua_cluster *box = lua_cluster_enter(L);
    struct failure failure = {0};
    bool worked = cluster_campaign(box->cluster, id, lua_toboolean(L, 3), &failure);
    return finish(L, box, worked, &failure);
}

static int control_disconnected(lua_State *L)
{
    uint64_t id = lua_id_check(L, 2);
    struct lua_cluster *box = lua_cluster_enter(L);
    struct failure failure = {0};
    bool worked = cluster_set_disconnected(box->cluster, id, lua_toboolean(L, 3), &failure);
    return finish(L, box, worked, &failure);
}

/* core:partition{ {id, group}, ... } */
static int control_partition(lua_State *L)
{
    luaL_checktype(L, 2, LUA_TTABLE);
    size_t count = (size_t)lua_rawlen(L, 2);
    uint64_t *ids = lua_newuserdatauv(L, (count + 1) * sizeof *ids, 0);
    uint32_t *groups = lua_newuserdatauv(L, (count + 1) * sizeof *groups, 0);
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, 2, (lua_Integer)i + 1);
        luaL_checktype(L, -1, LUA_TTABLE);
        lua_rawgeti(L, -1, 1);
        lua_rawgeti(L, -2, 2);
        ids[i] = lua_id_check(L, -2);
        groups[i] = (uint32_t)lua_id_check(L, -1);
        lua_pop(L, 3);
    }
    struct lua_cluster *box = lua_cluster_enter(L);
    cluster_partition(box->cluster, ids, groups, count);
    return finish(L, box, true, NULL);
}

static uint64_t end_check(lua_State *L, int index)
{
    if (lua_type(L, index) == LUA_TSTRING) {
        const char *name = lua_tostring(L, index);
        if (strcmp(name, "*") == 0) {
            return FAULTS_EVERY;
        }
        luaL_argcheck(L, strcmp(name, "client") == 0, index, "an id, \"*\" or \"client\" expected");
        return WORLD_CLIENT;
    }
    return lua_id_check(L, index);
}

/* core:link(from, to, nil or {drop, duplicate, reorder, delay_min_ns, delay_max_ns, bandwidth,
 * cut})
 */
static int control_link(lua_State *L)
{
    uint64_t from = end_check(L, 2);
    uint64_t to = end_check(L, 3);
    struct link_faults link = {0};
    bool given = lua_istable(L, 4);
    if (given) {
        link.drop = chance_from_double(lua_field_number(L, 4, "drop", 0));
        link.duplicate = chance_from_double(lua_field_number(L, 4, "duplicate", 0));
        link.reorder = chance_from_double(lua_field_number(L, 4, "reorder", 0));
        link.delay_min_ns = lua_field_integer(L, 4, "delay_min_ns", 0);
        link.delay_max_ns = lua_field_integer(L, 4, "delay_max_ns", 0);
        link.bandwidth_bytes = (uint64_t)lua_field_integer(L, 4, "bandwidth", 0);
        link.cut = lua_field_boolean(L, 4, "cut", false);
    }
    struct lua_cluster *box = lua_cluster_enter(L);
    cluster_set_link(box->cluster, from, to, given ? &link : NULL);
    return finish(L, box, true, NULL);
}

/* core:fault_effects(from, to) → {partition, disconnected, cut, drop, duplicate, reorder, delay}:
 * how many messages of those links each has changed so far */
static int control_fault_effects(lua_State *L)
{
    struct lua_cluster *box = lua_cluster_check(L);
    uint64_t from = end_check(L, 2);
    uint64_t to = end_check(L, 3);

    lua_createtable(L, 0, EFFECT_COUNT);
    for (enum fault_effect effect = 0; effect < EFFECT_COUNT; effect++) {
        lua_set_integer(L, fault_effect_name(effect),
                        cluster_effect_count(box->cluster, from, to, effect));
    }
    return 1;
}

/* A kind of message as a bit; nil: all. */
static uint32_t late_kind(lua_State *L, int index)
{
    const char *name = lua_tostring(L, index);
    if (name == NULL) {
        return UINT32_MAX;
    } else if (strcmp(name, "client_request") == 0) {
        return LATE_REQUEST;
    } else if (strcmp(name, "client_answer") == 0) {
        return LATE_ANSWER;
    }
    for (unsigned kind = 1; kind < RAFT_MESSAGE_KIND_COUNT; kind++) {
        if (strcmp(name, raft_message_name((enum raft_message_kind)kind)) == 0) {
            return 1U << kind;
        }
    }
    return (uint32_t)luaL_argerror(L, 4, "a kind of message expected");
}

/* core:late(from, to, kind or nil, {by_ns, count, skip, gap, again}) → the rule's number; nil,
 * message, code, detail where nodes are processes */
static int control_late(lua_State *L)
{
    struct late_rule rule = {
        .from = end_check(L, 2), .to = end_check(L, 3), .kinds = late_kind(L, 4)};
    luaL_checktype(L, 5, LUA_TTABLE);
    rule.by_ns = lua_field_integer(L, 5, "by_ns", 0);
    rule.count = (uint32_t)lua_field_integer(L, 5, "count", 1);
    rule.skip = (uint32_t)lua_field_integer(L, 5, "skip", 0);
    rule.gap = (uint32_t)lua_field_integer(L, 5, "gap", 0);
    rule.again = lua_field_boolean(L, 5, "again", false);
    luaL_argcheck(L, rule.by_ns >= 0, 5, "by_ns is at least 0");
    struct lua_cluster *box = lua_cluster_enter(L);
    uint64_t number = cluster_add_late(box->cluster, &rule);
    lua_cluster_leave(L, box);
    lua_pushinteger(L, (lua_Integer)number);
    return 1;
}

/* core:late_count(number) → how many messages that rule has taken; core:end_late(number) */
static int control_late_count(lua_State *L)
{
    struct lua_cluster *box = lua_cluster_check(L);
    uint64_t count = cluster_late_count(box->cluster, lua_id_check(L, 2));
    lua_pushinteger(L, (lua_Integer)count);
    return 1;
}

static int control_end_late(lua_State *L)
{
    struct lua_cluster *box = lua_cluster_check(L);
    cluster_end_late(box->cluster, lua_id_check(L, 2));
    return 0;
}

static int control_heal(lua_State *L)
{
    struct lua_cluster *box = lua_cluster_enter(L);
    cluster_heal(box->cluster);
    return finish(L, box, true, NULL);
}

/* core:rekey(seed): what is drawn from now on is as of another seed, in a simulated world. */
static int control_rekey(lua_State *L)
{
    lua_Integer seed = luaL_checkinteger(L, 2);
    struct lua_cluster *box = lua_cluster_enter(L);
    cluster_rekey(box->cluster, (uint64_t)seed);
    return finish(L, box, true, NULL);
}

static int control_note(lua_State *L)
{
    struct bytes text = {0};
    text.data = (const uint8_t *)luaL_checklstring(L, 2, &text.size);
    struct lua_cluster *box = lua_cluster_check(L);
    if (trace_chained(cluster_trace(box->cluster)) >= TRACE_CHAINED_MAX) {
        return lua_user_error(L,
                              "this callback has caused itself %d times in a row: it makes events "
                              "that call it again",
                              (int)TRACE_CHAINED_MAX);
    }
    (void)lua_cluster_enter(L);
    cluster_note(box->cluster, text);
    return finish(L, box, true, NULL);
}

static int control_verdict(lua_State *L)
{
    struct bytes text = {0};
    text.data = (const uint8_t *)luaL_optlstring(L, 3, "", &text.size);
    struct lua_cluster *box = lua_cluster_enter(L);
    cluster_verdict(box->cluster, lua_toboolean(L, 2), text);
    return finish(L, box, true, NULL);
}

const luaL_Reg lua_control_methods[] = {
    {"crash", control_crash},
    {"restart", control_restart},
    {"wipe", control_wipe},
    {"pause", control_pause},
    {"resume", control_resume},
    {"stop_removed", control_stop_removed},
    {"add_node", control_add_node},
    {"directory", control_directory},
    {"disk", control_disk},
    {"clock", control_clock},
    {"campaign", control_campaign},
    {"set_disconnected", control_disconnected},
    {"partition", control_partition},
    {"link", control_link},
    {"heal", control_heal},
    {"rekey", control_rekey},
    {"fault_effects", control_fault_effects},
    {"late", control_late},
    {"late_count", control_late_count},
    {"end_late", control_end_late},
    {"note", control_note},
    {"verdict", control_verdict},
    {"deliver", lua_frame_deliver},
    {"is_deliverable", lua_frame_is_deliverable},
    {"fill", lua_frame_fill},
    {"drop", lua_frame_drop},
    {NULL, NULL},
};
