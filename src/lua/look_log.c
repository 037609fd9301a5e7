/* Looking at a cluster's logs: entries, terms, what was applied, what a disk holds. It changes
 * nothing. */
#include "lua/module.h"

#define TERMS_MOST 10000 /* that are told at once */

/* core:last_term(id) → the term of the last entry of its log, 0 where it has none; nil: no such
 * node
 */
static int look_last_term(lua_State *L)
{
    struct lua_cluster *box = lua_cluster_check(L);
    struct cluster_node *node = cluster_node(box->cluster, lua_id_check(L, 2));
    if (node == NULL) {
        return 0;
    }
    const struct node_view *view = cluster_view(node);
    const struct raft_entry *last = cluster_log_read(node, view->last_index);
    uint64_t term = last != NULL                               ? last->term
                    : view->snapshot_index == view->last_index ? view->snapshot_term
                                                               : 0;
    lua_pushinteger(L, (lua_Integer)term);
    return 1;
}

/* nil, message, code: a process that is paused, or has just ended, cannot be asked */
static int push_unreadable(lua_State *L, const struct node_view *view)
{
    struct failure failure = {0};
    failure_set(&failure, FAILURE_UNSUPPORTED,
                "the log of node %llu cannot be read: its process is %s",
                (unsigned long long)view->id, node_state_name(view->state));
    return lua_failure_push(L, &failure);
}

/* core:log(id) → list of entries, of a stopped node what its disk holds; nil: no such node */
static int look_log(lua_State *L)
{
    struct lua_cluster *box = lua_cluster_check(L);
    struct cluster_node *node = cluster_node(box->cluster, lua_id_check(L, 2));
    if (node == NULL) {
        return 0;
    }
    const struct node_view *view = cluster_view(node);
    struct failure failure = {0};
    if (!view->is_up && !cluster_read_disk(node, &failure)) {
        return lua_failure_push(L, &failure);
    }
    lua_newtable(L);
    lua_Integer place = 0;
    for (uint64_t index = view->first_index; index <= view->last_index; index++) {
        const struct raft_entry *entry = cluster_log_read(node, index);
        if (entry == NULL) {
            return push_unreadable(L, view);
        }
        lua_entry_push(L, entry, index);
        lua_rawseti(L, -2, ++place);
    }
    return 1;
}

/* core:commits(id) → list of {index, term, command} that it has applied since it started, and
 * {index, term, snapshot = true} where it began with a snapshot or one was installed */
static int look_commits(lua_State *L)
{
    struct lua_cluster *box = lua_cluster_check(L);
    struct cluster_node *node = cluster_node(box->cluster, lua_id_check(L, 2));
    if (node == NULL) {
        return 0;
    }
    const struct node_view *view = cluster_view(node);
    lua_newtable(L);
    lua_Integer place = 0;
    uint64_t first = view->first_index;
    if (view->is_up && view->restored_index != 0) {
        lua_createtable(L, 0, 3);
        lua_set_integer(L, "index", view->restored_index);
        lua_set_integer(L, "term", view->restored_term);
        lua_set_boolean(L, "snapshot", true);
        lua_rawseti(L, -2, ++place);
        first = first > view->restored_index ? first : view->restored_index + 1;
    }
    for (uint64_t index = first; index <= view->applied_index; index++) {
        const struct raft_entry *entry = cluster_log_read(node, index);
        if (entry == NULL) {
            return push_unreadable(L, view);
        }
        if (raft_entry_kind(entry) == RAFT_ENTRY_COMMAND) {
            lua_entry_push(L, entry, index);
            lua_pushnil(L);
            lua_setfield(L, -2, "kind");
            lua_rawseti(L, -2, ++place);
        }
    }
    return 1;
}

/* core:terms(id, first, last) → the terms of the entries from first to last, 0 where its log (of a
 * stopped node its disk) has none; nil, message, code; nil: no such node */
static int look_terms(lua_State *L)
{
    struct lua_cluster *box = lua_cluster_check(L);
    struct cluster_node *node = cluster_node(box->cluster, lua_id_check(L, 2));
    lua_Integer first = luaL_checkinteger(L, 3);
    lua_Integer last = luaL_checkinteger(L, 4);
    luaL_argcheck(L, first >= 1, 3, "an index is at least 1");
    luaL_argcheck(L, last < first || last - first < TERMS_MOST, 4, "too many entries");
    if (node == NULL) {
        return 0;
    }
    struct failure failure = {0};
    if (!cluster_view(node)->is_up && !cluster_read_disk(node, &failure)) {
        return lua_failure_push(L, &failure);
    }
    lua_newtable(L);
    for (lua_Integer index = first; index <= last; index++) {
        const struct raft_entry *entry = cluster_log_read(node, (uint64_t)index);
        lua_pushinteger(L, entry == NULL ? 0 : (lua_Integer)entry->term);
        lua_rawseti(L, -2, index - first + 1);
    }
    return 1;
}

/* core:stored(id) → {term, vote, first_index, last_index, snapshot_index}: what the disk of a
 * stopped node holds; nil, message, code where it cannot be read; nil: no such node, or it runs */
static int look_stored(lua_State *L)
{
    struct lua_cluster *box = lua_cluster_check(L);
    struct cluster_node *node = cluster_node(box->cluster, lua_id_check(L, 2));
    struct failure failure = {0};
    if (node == NULL || cluster_view(node)->is_up) {
        return 0;
    }
    if (!cluster_read_disk(node, &failure)) {
        return lua_failure_push(L, &failure);
    }
    const struct node_view *view = cluster_view(node);
    lua_createtable(L, 0, 5);
    lua_set_integer(L, "term", view->term);
    lua_set_integer(L, "vote", view->vote);
    lua_set_integer(L, "first_index", view->first_index);
    lua_set_integer(L, "last_index", view->last_index);
    lua_set_integer(L, "snapshot_index", view->snapshot_index);
    return 1;
}

/* core:fewest_voters() → of the configurations that are in force, or may be soon, how many voters
 * the smallest has; 0: no node runs */
static int look_fewest_voters(lua_State *L)
{
    struct lua_cluster *box = lua_cluster_check(L);
    lua_pushinteger(L, cluster_fewest_voters(box->cluster));
    return 1;
}

const luaL_Reg lua_look_log_methods[] = {
    {"last_term", look_last_term},
    {"log", look_log},
    {"commits", look_commits},
    {"terms", look_terms},
    {"stored", look_stored},
    {"fewest_voters", look_fewest_voters},
    {NULL, NULL},
};
