/*
 * One bare core, stepped by hand: plain tables in, plain tables out, named as in raft.h. For specs
 * and for experiments.
 */
#include "lua/replica.h"

#include <string.h>

#define LUA_REPLICA "raft.core.replica"

struct replica {
    struct raft *raft;
    bool is_view;       /* of one that belongs to a harness */
    int64_t now_ns;     /* of its last event */
    uint64_t persisted; /* the highest sequence it has handed out */
};

static struct replica *replica_check(lua_State *L)
{
    return luaL_checkudata(L, 1, LUA_REPLICA);
}

static void push_messages(lua_State *L, const char *name, const struct raft *raft,
                          const struct raft_message *messages, uint32_t count)
{
    lua_createtable(L, (int)count, 0);
    for (uint32_t i = 0; i < count; i++) {
        lua_message_push(L, raft, &messages[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, name);
}

static void push_persist(lua_State *L, const struct raft_persist *persist)
{
    if (persist->sequence == 0) {
        return;
    }
    lua_createtable(L, 0, 8);
    lua_set_integer(L, "sequence", persist->sequence);
    lua_set_integer(L, "reset_index", persist->reset_index);
    lua_set_integer(L, "reset_term", persist->reset_term);
    lua_set_boolean(L, "hard_state", persist->hard_state);
    lua_set_integer(L, "term", persist->term);
    lua_set_integer(L, "vote", persist->vote);
    lua_set_integer(L, "vote_directory", persist->vote_directory);
    lua_set_integer(L, "first_index", persist->first_index);
    lua_set_integer(L, "last_index", persist->last_index);
    lua_setfield(L, -2, "persist");
}

static void push_lists(lua_State *L, const struct raft_update *update)
{
    lua_createtable(L, (int)update->read_count, 0);
    for (uint32_t i = 0; i < update->read_count; i++) {
        lua_createtable(L, 0, 2);
        lua_set_integer(L, "read_id", update->reads[i].read_id);
        lua_set_integer(L, "index", update->reads[i].index);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "reads");
    lua_createtable(L, (int)update->notice_count, 0);
    for (uint32_t i = 0; i < update->notice_count; i++) {
        lua_createtable(L, 0, 2);
        lua_set_integer(L, "from", update->notices[i].from);
        lua_set_text(L, "text", update->notices[i].text);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "notices");
}

static void push_snapshots(lua_State *L, const struct raft *raft, const struct raft_update *update)
{
    lua_set_integer(L, "compacted_first", update->compacted_first);
    lua_set_integer(L, "installed_index", update->installed_index);
    lua_set_boolean(L, "snapshot_abandoned", update->snapshot_abandoned);
    if (update->snapshot_piece != NULL) {
        lua_message_push(L, raft, update->snapshot_piece);
        lua_setfield(L, -2, "snapshot_piece");
    }
}

void lua_update_push(lua_State *L, const struct raft *raft, const struct raft_update *update)
{
    static const char *const refusals[] = {
        [RAFT_ACCEPTED] = "accepted",
        [RAFT_NOT_LEADER] = "not_leader",
        [RAFT_BUSY] = "busy",
        [RAFT_TOO_LARGE] = "too_large",
        [RAFT_NOT_READY] = "not_ready",
        [RAFT_MEMBERSHIP_PENDING] = "membership_pending",
        [RAFT_BAD_CONFIGURATION] = "bad_configuration",
        [RAFT_TRANSFERRING] = "transferring",
        [RAFT_NO_VOTER] = "no_voter",
        [RAFT_NO_LEASES] = "no_leases",
        [RAFT_PROMISED] = "promised",
    };
    static const char *const transfer_ends[] = {
        [RAFT_TRANSFER_TIMED_OUT] = "timed_out",
        [RAFT_TRANSFER_TARGET_GONE] = "target_gone",
        [RAFT_TRANSFER_REFUSED] = "refused",
    };
    lua_createtable(L, 0, 24);
    push_messages(L, "messages", raft, update->messages, update->message_count);
    push_messages(L, "messages_after", raft, update->messages_after, update->message_after_count);
    push_persist(L, &update->persist);
    push_lists(L, update);
    lua_set_integer(L, "messages_after_sequence", update->messages_after_sequence);
    push_snapshots(L, raft, update);
    lua_set_integer(L, "apply_first", update->apply_first);
    lua_set_integer(L, "apply_last", update->apply_last);
    lua_set_text(L, "refusal", refusals[update->refusal]);
    lua_set_integer(L, "index", update->index);
    lua_set_integer(L, "deadline_ns",
                    update->deadline_ns >= LUA_NEVER ? (uint64_t)LUA_NEVER
                                                     : (uint64_t)update->deadline_ns);
    lua_set_boolean(L, "wants_flush", update->wants_flush);
    lua_set_boolean(L, "role_changed", update->role_changed);
    lua_set_boolean(L, "voted", update->voted);
    lua_set_boolean(L, "members_changed", update->members_changed);
    lua_set_boolean(L, "commit_changed", update->commit_changed);
    lua_set_boolean(L, "commit_counted", update->commit_counted);
    lua_set_integer(L, "truncated_from", update->truncated_from);
    lua_set_integer(L, "truncated_to", update->truncated_to);
    lua_set_integer(L, "appended_first", update->appended_first);
    lua_set_integer(L, "appended_last", update->appended_last);
    lua_set_integer(L, "other_id", update->other_id);
    lua_set_integer(L, "other_directory", update->other_directory);
    lua_set_integer(L, "match_peer", update->match_peer);
    lua_set_integer(L, "match_index", update->match_index);
    if (update->transfer_ended != RAFT_TRANSFER_NOT_ENDED) {
        lua_set_text(L, "transfer_ended", transfer_ends[update->transfer_ended]);
        lua_set_boolean(L, "transfer_told", update->transfer_told);
    }
}

/* replica:step(event) → update */
static int replica_step(lua_State *L)
{
    struct replica *replica = replica_check(L);
    if (replica->is_view) {
        return lua_user_error(L, "this replica is stepped by the cores that it belongs to");
    }
    struct lua_input input;
    lua_input_read(L, 2, replica->raft, replica->now_ns, replica->persisted, &input);
    const struct raft_update *update = NULL;
    raft_step(replica->raft, &input.event, &update);
    replica->now_ns = input.event.now_ns;
    if (update->persist.sequence != 0) {
        replica->persisted = update->persist.sequence;
    }
    lua_update_push(L, replica->raft, update);
    return 1;
}

static int replica_status(lua_State *L)
{
    struct replica *replica = replica_check(L);
    struct raft_status status;
    raft_get_status(replica->raft, &status);
    lua_createtable(L, 0, 20);
    lua_set_integer(L, "id", status.id);
    lua_set_text(L, "role", raft_role_name(status.role));
    lua_set_integer(L, "term", status.term);
    lua_set_integer(L, "vote", status.vote);
    lua_set_integer(L, "vote_directory", status.vote_directory);
    lua_set_integer(L, "leader", status.leader);
    lua_set_integer(L, "leader_directory", status.leader_directory);
    lua_set_boolean(L, "member", status.member);
    lua_set_integer(L, "commit_index", status.commit_index);
    lua_set_integer(L, "applied_index", status.applied_index);
    lua_set_integer(L, "durable_index", status.durable_index);
    lua_set_integer(L, "first_index", status.first_index);
    lua_set_integer(L, "last_index", status.last_index);
    lua_set_integer(L, "last_term", status.last_term);
    lua_set_integer(L, "log_bytes", status.log_bytes);
    lua_set_integer(L, "snapshot_index", status.snapshot_index);
    lua_set_integer(L, "snapshot_term", status.snapshot_term);
    lua_set_integer(L, "transfer_target", status.transfer_target);
    lua_newtable(L);
    struct raft_peer_status peer;
    for (uint32_t i = 0; raft_peer_at(replica->raft, i, &peer); i++) {
        lua_createtable(L, 0, 5);
        lua_set_integer(L, "snapshot_index", peer.snapshot_index);
        lua_set_integer(L, "snapshot_offset", peer.snapshot_offset);
        lua_set_integer(L, "match_index", peer.match_index);
        lua_set_integer(L, "next_index", peer.next_index);
        lua_set_integer(L, "inflight_messages", peer.inflight_messages);
        lua_rawseti(L, -2, (lua_Integer)peer.id);
    }
    lua_setfield(L, -2, "peers");
    return 1;
}

static int replica_log(lua_State *L)
{
    struct replica *replica = replica_check(L);
    struct raft_status status;
    raft_get_status(replica->raft, &status);
    lua_newtable(L);
    lua_Integer place = 0;
    for (uint64_t index = status.first_index; index <= status.last_index; index++) {
        lua_entry_push(L, raft_entry_at(replica->raft, index), index);
        lua_rawseti(L, -2, ++place);
    }
    return 1;
}

static int replica_members(lua_State *L)
{
    struct replica *replica = replica_check(L);
    const struct raft_configuration *members = raft_members(replica->raft);
    lua_members_push(L, members);
    lua_directories_push(L, members);
    lua_pushinteger(L, (lua_Integer)raft_members_index(replica->raft));
    return 2;
}

/* replica:snapshot_at(index) → what a snapshot there covers; nil: there is none to be taken */
static int replica_snapshot_at(lua_State *L)
{
    struct replica *replica = replica_check(L);
    lua_Integer index = luaL_checkinteger(L, 2);
    struct raft_status status;
    raft_get_status(replica->raft, &status);
    luaL_argcheck(L, index >= 0 && (uint64_t)index <= status.commit_index, 2,
                  "must be an index that is committed");
    struct raft_snapshot snapshot = raft_snapshot_at(replica->raft, (uint64_t)index);
    if (snapshot.index == 0) {
        lua_pushnil(L);
        return 1;
    }
    lua_members_push(L, snapshot.members);
    lua_directories_push(L, snapshot.members);
    lua_set_integer(L, "index", snapshot.index);
    lua_set_integer(L, "term", snapshot.term);
    lua_set_integer(L, "members_index", snapshot.members_index);
    return 1;
}

/* Ids that the table lacks stay. */
static uint64_t rename_by_table(void *context, uint64_t id)
{
    lua_State *L = context;
    lua_rawgeti(L, 2, (lua_Integer)id);
    uint64_t name = lua_isnil(L, -1) ? id : (uint64_t)lua_tointeger(L, -1);
    lua_pop(L, 1);
    return name;
}

const struct raft_renaming *lua_renaming(lua_State *L, struct raft_renaming *renaming)
{
    if (lua_isnoneornil(L, 2)) {
        return NULL;
    }
    luaL_checktype(L, 2, LUA_TTABLE);
    *renaming = (struct raft_renaming){rename_by_table, L};
    return renaming;
}

/* replica:hash([{ [id] = id }]) → 16 hex digits */
static int replica_hash(lua_State *L)
{
    struct replica *replica = replica_check(L);
    struct raft_renaming renaming;
    lua_hash_push(L, raft_hash(replica->raft, lua_renaming(L, &renaming)));
    return 1;
}

static struct replica *replica_push(lua_State *L)
{
    struct replica *replica = lua_newuserdatauv(L, sizeof *replica, 1);
    memset(replica, 0, sizeof *replica);
    luaL_setmetatable(L, LUA_REPLICA);
    return replica;
}

void lua_replica_push_view(lua_State *L, int owner, struct raft *raft)
{
    struct replica *replica = replica_push(L);
    lua_createtable(L, 1, 0); /* a user value is a table in older ones */
    lua_pushvalue(L, owner);
    lua_rawseti(L, -2, 1);
    lua_setiuservalue(L, -2, 1);
    replica->raft = raft;
    replica->is_view = true;
}

static int replica_copy(lua_State *L)
{
    struct replica *replica = replica_check(L);
    if (replica->is_view) {
        return lua_user_error(L, "this replica is copied with the cores that it belongs to");
    }
    struct replica *copy = replica_push(L);
    copy->raft = raft_copy(replica->raft);
    copy->now_ns = replica->now_ns;
    copy->persisted = replica->persisted;
    return 1;
}

static int replica_gc(lua_State *L)
{
    struct replica *replica = replica_check(L);
    if (!replica->is_view) {
        raft_free(replica->raft);
    }
    replica->raft = NULL;
    return 0;
}

void lua_raft_options(lua_State *L, int index, struct raft_options *options)
{
    memset(options, 0, sizeof *options);
    options->id = (uint64_t)lua_field_integer(L, index, "id", 1);
    options->directory = (uint64_t)lua_field_integer(L, index, "directory", 0);
    options->election_timeout_min_ns =
        lua_time_from(lua_field_integer(L, index, "election_timeout_min_ns", 150000000));
    options->election_timeout_max_ns =
        lua_time_from(lua_field_integer(L, index, "election_timeout_max_ns", 300000000));
    options->heartbeat_interval_ns =
        lua_time_from(lua_field_integer(L, index, "heartbeat_interval_ns", 50000000));
    double collisions = lua_field_number(L, index, "election_collisions", 0);
    if (!(collisions >= 0 && collisions <= 1)) {
        lua_user_error(L, "bad argument 'options' (election_collisions is a chance from 0 to 1)");
    }
    options->election_collisions = chance_from_double(collisions);
    options->pre_vote = lua_field_boolean(L, index, "pre_vote", true);
    options->check_quorum = lua_field_boolean(L, index, "check_quorum", true);
    options->lease_reads = lua_field_boolean(L, index, "lease_reads", false);
    options->clock_drift_ppb = (uint32_t)lua_field_integer(L, index, "clock_drift_ppb", 0);
    options->window = (uint32_t)lua_field_integer(L, index, "window", 64);
    options->max_entries = (uint32_t)lua_field_integer(L, index, "max_entries", 0);
    options->max_message_bytes = (uint32_t)lua_field_integer(L, index, "max_message_bytes", 65536);
    options->max_inflight_bytes =
        (uint64_t)lua_field_integer(L, index, "max_inflight_bytes", 1 << 19);
    options->max_uncommitted_bytes =
        (uint64_t)lua_field_integer(L, index, "max_uncommitted_bytes", 0);
    options->max_kept_bytes = (uint64_t)lua_field_integer(L, index, "max_kept_bytes", 0);
    options->seed = (uint64_t)lua_field_integer(L, index, "seed", 1);
}

struct raft *lua_raft_new(lua_State *L, int index, int64_t now_ns)
{
    luaL_checktype(L, index, LUA_TTABLE);
    struct raft_options options;
    lua_raft_options(L, index, &options);
    struct lua_message_parts *parts = lua_message_parts_new(L);
    lua_members_read(L, index, &parts->members);
    lua_getfield(L, index, "log");
    lua_entries_read(L, parts);
    struct raft_start start = {
        .term = (uint64_t)lua_field_integer(L, index, "term", 0),
        .vote = (uint64_t)lua_field_integer(L, index, "vote", 0),
        .vote_directory = (uint64_t)lua_field_integer(L, index, "vote_directory", 0),
        .first_members = &parts->members,
        .first_index = (uint64_t)lua_field_integer(L, index, "first_index", 1),
        .entries = parts->entries,
        .entry_count = parts->entry_count,
    };
    lua_getfield(L, index, "snapshot");
    if (!lua_isnil(L, -1)) {
        struct lua_message_parts *covered = lua_message_parts_new(L);
        lua_insert(L, -2);
        lua_snapshot_read(L, covered, &start.snapshot);
    }
    const char *problem = NULL;
    if (now_ns < 0) {
        lua_user_error(L, "bad argument 'options' (now_ns is 0 or more)");
    }
    struct raft *raft = raft_new(&options, &start, now_ns, &problem);
    if (raft == NULL) {
        luaL_error(L, "bad argument 'options' (%s)", problem);
    }
    return raft;
}

/* core.replica{ id, directory, voters = {ids}, learners, directories = {[id] = n}, term, vote, log
 * = {entries}, first_index, snapshot = {index, term, size, members_index, voters = {ids}}, now_ns,
 * and raft.h's options } → replica */
int lua_replica_new(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    struct replica *replica = replica_push(L);
    replica->now_ns = lua_time_from(lua_field_integer(L, 1, "now_ns", 0));
    replica->raft = lua_raft_new(L, 1, replica->now_ns);
    lua_settop(L, 2);
    return 1;
}

static const luaL_Reg replica_methods[] = {
    {"step", replica_step},
    {"status", replica_status},
    {"log", replica_log},
    {"members", replica_members},
    {"hash", replica_hash},
    {"copy", replica_copy},
    {"snapshot_at", replica_snapshot_at},
    {NULL, NULL},
};

void lua_replica_register(lua_State *L)
{
    luaL_newmetatable(L, LUA_REPLICA);
    lua_pushcfunction(L, replica_gc);
    lua_setfield(L, -2, "__gc");
    lua_newtable(L);
    luaL_setfuncs(L, replica_methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
