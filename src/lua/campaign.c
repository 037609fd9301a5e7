/*
 * What a campaign of many seeds asks of one run: a limit, the situations that it was in, and marks
 * by which two runs are compared. It decides nothing.
 */
#include "lua/module.h"

/* core:limit_steps(most): the same for steps of the world (core:world_steps); 0: no limit */
static int limit_steps(lua_State *L)
{
    struct lua_cluster *box = lua_cluster_check(L);
    cluster_limit_steps(box->cluster, (uint64_t)luaL_checkinteger(L, 2));
    return 0;
}

/* core:limit_events(most): from there on core:drive answers "limit" */
static int limit_events(lua_State *L)
{
    struct lua_cluster *box = lua_cluster_check(L);
    cluster_limit_events(box->cluster, (uint64_t)luaL_checkinteger(L, 2));
    return 0;
}

/* core:trace_marks() → bytes: the trace's hash after each thousand events, 8 bytes each */
static int trace_marks(lua_State *L)
{
    struct lua_cluster *box = lua_cluster_check(L);
    const struct trace *trace = cluster_trace(box->cluster);
    buffer_clear(&box->value);
    for (size_t i = 0; i < trace_mark_count(trace); i++) {
        uint64_t mark = htobe64(trace_mark_at(trace, i));
        buffer_append(&box->value, &mark, sizeof mark);
    }
    lua_bytes_push(L, buffer_bytes(&box->value));
    return 1;
}

/* core:situations() → bytes: those that it was in, 8 bytes each */
static int situations(lua_State *L)
{
    struct lua_cluster *box = lua_cluster_check(L);
    size_t count = 0;
    const uint64_t *met = cluster_situations(box->cluster, &count);
    buffer_clear(&box->value);
    for (size_t i = 0; i < count; i++) {
        uint64_t hash = htobe64(met[i]);
        buffer_append(&box->value, &hash, sizeof hash);
    }
    lua_bytes_push(L, buffer_bytes(&box->value));
    return 1;
}

const luaL_Reg lua_campaign_methods[] = {
    {"limit_events", limit_events},
    {"limit_steps", limit_steps},
    {"trace_marks", trace_marks},
    {"situations", situations},
    {NULL, NULL},
};
