/* Which faults of the network are in force in a cluster. It changes nothing. */
#include "lua/module.h"

static void set_chance(lua_State *L, const char *name, uint64_t chance)
{
    if (chance > 0) {
        lua_pushnumber(L, chance_to_double(chance));
        lua_setfield(L, -2, name);
    }
}

static void set_seconds(lua_State *L, const char *name, int64_t time_ns)
{
    lua_pushnumber(L, (lua_Number)time_ns / 1e9);
    lua_setfield(L, -2, name);
}

static void set_end(lua_State *L, const char *name, uint64_t id)
{
    if (id == WORLD_CLIENT) {
        lua_set_text(L, name, "client");
    } else {
        lua_set_integer(L, name, id);
    }
}

static void push_link(lua_State *L, uint64_t from, uint64_t to, const struct link_faults *link)
{
    lua_createtable(L, 0, 8);
    set_end(L, "from", from);
    set_end(L, "to", to);
    set_chance(L, "drop", link->drop);
    set_chance(L, "duplicate", link->duplicate);
    set_chance(L, "reorder", link->reorder);
    if (link->delay_max_ns > 0) {
        set_seconds(L, "delay_min", link->delay_min_ns);
        set_seconds(L, "delay_max", link->delay_max_ns);
    }
    if (link->bandwidth_bytes > 0) {
        lua_set_integer(L, "bandwidth", link->bandwidth_bytes);
    }
    if (link->cut) {
        lua_set_boolean(L, "cut", true);
    }
}

/* The endpoint at a position: the nodes, and behind them the clients. */
static uint64_t end_at(struct cluster *cluster, size_t position)
{
    return position < cluster_count(cluster) ? cluster_id_at(cluster, position) : WORLD_CLIENT;
}

static void push_links(lua_State *L, struct cluster *cluster)
{
    size_t count = cluster_count(cluster) + 1;
    lua_Integer place = 0;
    lua_newtable(L);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            uint64_t from = end_at(cluster, i);
            uint64_t to = end_at(cluster, j);
            struct link_faults link;
            if (i != j && cluster_link_rule(cluster, from, to, &link)) {
                push_link(L, from, to, &link);
                lua_rawseti(L, -2, ++place);
            }
        }
    }
}

/* core:faults() → { links = list of {from, to, drop, duplicate, reorder, delay_min, delay_max,
 * bandwidth, cut}: those that core:link has set; groups = { [id] = the number of its group in the
 * partition, 0: in none }, disconnected = { [id] = true } } */
static int look_faults(lua_State *L)
{
    struct lua_cluster *box = lua_cluster_check(L);
    struct cluster *cluster = box->cluster;
    lua_createtable(L, 0, 3);
    push_links(L, cluster);
    lua_setfield(L, -2, "links");
    lua_newtable(L);
    lua_newtable(L);
    for (size_t i = 0; i < cluster_count(cluster); i++) {
        uint64_t id = cluster_id_at(cluster, i);
        lua_pushinteger(L, (lua_Integer)cluster_group(cluster, id));
        lua_rawseti(L, -3, (lua_Integer)id);
        if (cluster_is_disconnected(cluster, id)) {
            lua_pushboolean(L, true);
            lua_rawseti(L, -2, (lua_Integer)id);
        }
    }
    lua_setfield(L, -3, "disconnected");
    lua_setfield(L, -2, "groups");
    return 1;
}

const luaL_Reg lua_look_faults_methods[] = {
    {"faults", look_faults},
    {NULL, NULL},
};
