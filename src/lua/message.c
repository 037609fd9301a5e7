/* Messages to Lua, and the frames that an intercepting script holds. */
#include "lua/module.h"

#include <string.h>

#define LUA_FRAME "raft.core.frame"

static const char *const entry_kinds[] = {
    [RAFT_ENTRY_COMMAND] = "command",
    [RAFT_ENTRY_EMPTY] = "empty",
    [RAFT_ENTRY_CONFIGURATION] = "configuration",
};

void lua_entry_push(lua_State *L, const struct raft_entry *entry, uint64_t index)
{
    lua_createtable(L, 0, 4);
    lua_set_integer(L, "index", index);
    lua_set_integer(L, "term", entry->term);
    lua_set_text(L, "kind", entry_kinds[raft_entry_kind(entry)]);
    struct machine_payload payload;
    struct raft_configuration members = {0};
    if (raft_entry_kind(entry) == RAFT_ENTRY_COMMAND &&
        machine_payload_read(raft_entry_payload(entry), &payload)) {
        lua_value_push(L, payload.command);
        lua_setfield(L, -2, "command");
    } else if (raft_entry_kind(entry) == RAFT_ENTRY_CONFIGURATION &&
               raft_configuration_decode(raft_entry_payload(entry), &members)) {
        lua_members_push(L, &members);
        lua_directories_push(L, &members);
        lua_setfield(L, -2, "members");
    }
    raft_configuration_free(&members);
}

static void push_entries(lua_State *L, const struct raft *raft, const struct raft_message *message)
{
    lua_createtable(L, (int)message->entry_count, 0);
    for (uint32_t i = 0; i < message->entry_count; i++) {
        uint64_t index = message->prev_index + 1 + i;
        lua_entry_push(L, message->entries ? &message->entries[i] : raft_entry_at(raft, index),
                       index);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

/* What is asked of most messages. */
static void set_head(lua_State *L, const struct raft_message *message)
{
    lua_set_text(L, "kind", raft_message_name(message->kind));
    lua_set_integer(L, "from", message->from);
    lua_set_integer(L, "to", message->to);
    lua_set_integer(L, "term", message->term);
}

/* `piece` is missing where it is still to be read. */
static void set_snapshot(lua_State *L, const struct raft_message *message)
{
    struct bytes piece = raft_message_piece(message);
    lua_set_integer(L, "offset", message->offset);
    lua_set_integer(L, "piece_size", message->piece_size);
    lua_set_boolean(L, "last", message->last);
    if (piece.data != NULL) {
        lua_pushlstring(L, (const char *)piece.data, piece.size);
        lua_setfield(L, -2, "piece");
    }
}

static void set_rest(lua_State *L, const struct raft *raft, const struct raft_message *message)
{
    lua_set_integer(L, "from_directory", message->from_directory);
    lua_set_integer(L, "to_directory", message->to_directory);
    lua_set_integer(L, "prev_index", message->prev_index);
    lua_set_integer(L, "prev_term", message->prev_term);
    lua_set_integer(L, "commit", message->commit);
    lua_set_integer(L, "index", message->index);
    lua_set_integer(L, "hint_index", message->hint_index);
    lua_set_integer(L, "hint_term", message->hint_term);
    lua_set_integer(L, "sequence", message->sequence);
    lua_set_boolean(L, "reject", message->reject);
    lua_set_boolean(L, "force", message->force);
    lua_set_boolean(L, "quiet", message->quiet);
    if (message->kind == RAFT_SNAPSHOT || message->kind == RAFT_SNAPSHOT_RESPONSE) {
        set_snapshot(L, message);
    }
    push_entries(L, raft, message);
    lua_setfield(L, -2, "entries");
}

void lua_message_push(lua_State *L, const struct raft *raft, const struct raft_message *message)
{
    lua_createtable(L, 0, 21);
    set_head(L, message);
    set_rest(L, raft, message);
}

/* ---- held frames ---------------------------------------------------------------------------- */

struct held_frame {
    struct batch *batch;
    uint64_t from;
    uint64_t to;
};

static int frame_gc(lua_State *L)
{
    struct held_frame *frame = luaL_checkudata(L, 1, LUA_FRAME);
    batch_release(frame->batch);
    frame->batch = NULL;
    return 0;
}

void lua_frame_register(lua_State *L)
{
    luaL_newmetatable(L, LUA_FRAME);
    lua_pushcfunction(L, frame_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
}

/* core:is_deliverable(frame) → true; false and the receiver's id where that is down */
int lua_frame_is_deliverable(lua_State *L)
{
    struct lua_cluster *box = lua_cluster_check(L);
    const struct held_frame *frame = luaL_checkudata(L, 2, LUA_FRAME);
    struct cluster_node *node = cluster_node(box->cluster, frame->to);
    enum node_state state = node == NULL ? NODE_STOPPED : cluster_view(node)->state;
    lua_pushboolean(L, state == NODE_RUNNING || state == NODE_PAUSED);
    lua_pushinteger(L, (lua_Integer)frame->to);
    return 2;
}

/* core:deliver(frame): it arrives now; again and again, if you like */
int lua_frame_deliver(lua_State *L)
{
    struct held_frame *frame = luaL_checkudata(L, 2, LUA_FRAME);
    struct lua_cluster *box = lua_cluster_enter(L);
    cluster_deliver(box->cluster, frame->from, frame->to, frame->batch);
    lua_cluster_leave(L, box);
    return 0;
}

/* core:drop(frame): it never arrives */
int lua_frame_drop(lua_State *L)
{
    struct held_frame *frame = luaL_checkudata(L, 2, LUA_FRAME);
    struct lua_cluster *box = lua_cluster_enter(L);
    cluster_drop_held(box->cluster, frame->from, frame->to, frame->batch);
    lua_cluster_leave(L, box);
    return 0;
}

static bool decode(struct lua_cluster *box, struct batch *batch, struct raft_message *message)
{
    struct frame_head head;
    const char *problem = NULL;
    struct bytes bytes = {batch->data, batch->size};
    bool decoded = frame_parse(bytes, false, &head, &problem) == FRAME_WHOLE &&
                   head.kind == FRAME_RAFT &&
                   raft_message_decode(batch, FRAME_HEAD_BYTES, head.length - FRAME_HEAD_BYTES,
                                       message, &box->entries, &box->entries_capacity, &problem);
    message->from_directory = head.directory;
    return decoded;
}

/* core:fill(message, frame): the fields that few who intercept look at, entries among them */
int lua_frame_fill(lua_State *L)
{
    struct lua_cluster *box = lua_cluster_check(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    const struct held_frame *frame = luaL_checkudata(L, 3, LUA_FRAME);
    struct raft_message message;
    bool decoded = decode(box, frame->batch, &message);
    ensure(decoded);
    lua_settop(L, 2);
    set_rest(L, NULL, &message);
    return 0;
}

static enum faults_verdict verdict_of(lua_State *L)
{
    const char *word = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
    if (strcmp(word, "drop") == 0) {
        return FAULTS_DROP;
    }
    return strcmp(word, "hold") == 0 ? FAULTS_HOLD : FAULTS_PASS;
}

enum faults_verdict lua_intercept(void *context, uint64_t from, uint64_t to, struct batch *batch)
{
    struct lua_cluster *box = context;
    lua_State *L = box->L;
    struct raft_message message;
    if (box->silent || !lua_checkstack(L, 16) || !decode(box, batch, &message)) {
        return FAULTS_PASS;
    }
    message.from = from;
    message.to = to;
    int top = lua_gettop(L);
    lua_getiuservalue(L, 1, 1);
    lua_getfield(L, -1, "intercept");
    lua_createtable(L, 0, 4);
    set_head(L, &message);
    struct held_frame *frame = lua_newuserdatauv(L, sizeof *frame, 0);
    frame->batch = NULL;
    luaL_setmetatable(L, LUA_FRAME);
    frame->batch = batch_hold(batch);
    frame->from = from;
    frame->to = to;
    enum faults_verdict verdict = FAULTS_PASS;
    if (lua_callback(box, 2, 1)) {
        verdict = verdict_of(L);
    }
    lua_settop(L, top);
    if (verdict == FAULTS_HOLD) {
        batch_release(batch); /* the held frame has its own reference */
    }
    return verdict;
}
