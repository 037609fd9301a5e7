/*
 * Messages and entries from Lua's tables, named as in raft.h. What is read lives in a userdata, so
 * that nothing leaks whatever is raised. It judges no message: that is the core's to do.
 */
#include "lua/module.h"

#include <string.h>

static int parts_gc(lua_State *L)
{
    struct lua_message_parts *parts = lua_touserdata(L, 1);
    for (uint32_t i = 0; i < parts->entry_count; i++) {
        batch_release(parts->entries[i].batch);
    }
    memory_free(parts->entries);
    parts->entries = NULL;
    parts->entry_count = 0;
    batch_release(parts->piece);
    parts->piece = NULL;
    raft_configuration_free(&parts->members);
    buffer_free(&parts->value);
    buffer_free(&parts->payload);
    return 0;
}

struct lua_message_parts *lua_message_parts_new(lua_State *L)
{
    struct lua_message_parts *parts = lua_newuserdatauv(L, sizeof *parts, 0);
    memset(parts, 0, sizeof *parts);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, parts_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    return parts;
}

/* One entry: {term, command}, {term, members} or {term} (empty), on top of the stack. */
static void read_entry(lua_State *L, struct lua_message_parts *parts, struct raft_entry *entry)
{
    int at = lua_gettop(L);
    luaL_checktype(L, at, LUA_TTABLE);
    entry->term = (uint64_t)lua_field_integer(L, at, "term", 0);
    buffer_clear(&parts->value);
    buffer_clear(&parts->payload);
    enum raft_entry_kind kind = RAFT_ENTRY_EMPTY;
    lua_getfield(L, at, "command");
    lua_getfield(L, at, "members");
    if (!lua_isnil(L, -2)) {
        kind = RAFT_ENTRY_COMMAND;
        lua_value_check(L, lua_gettop(L) - 1, "command", &parts->value);
        struct machine_payload payload = {.command = buffer_bytes(&parts->value)};
        machine_payload_write(&parts->payload, &payload);
    } else if (lua_istable(L, -1)) {
        kind = RAFT_ENTRY_CONFIGURATION;
        struct raft_configuration members = {0};
        lua_members_read(L, lua_gettop(L), &members);
        raft_configuration_encode(&members, &parts->payload);
        raft_configuration_free(&members);
    }
    lua_pop(L, 2);
    if (parts->payload.size > 0) {
        entry->batch = batch_copy(NULL, parts->payload.data, parts->payload.size);
    }
    entry->size_and_kind = raft_entry_pack((uint32_t)parts->payload.size, kind);
}

/* The list of entries on top of the stack (nil: none). */
void lua_entries_read(lua_State *L, struct lua_message_parts *parts)
{
    if (lua_isnil(L, -1)) {
        return;
    }
    luaL_checktype(L, -1, LUA_TTABLE);
    size_t count = (size_t)lua_rawlen(L, -1);
    parts->entries = memory_new_zeroed(count + 1, sizeof *parts->entries);
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        read_entry(L, parts, &parts->entries[i]);
        parts->entry_count++;
        lua_pop(L, 1);
    }
}

static enum raft_message_kind message_kind(lua_State *L, int index)
{
    lua_getfield(L, index, "kind");
    const char *name = luaL_checkstring(L, -1);
    for (int kind = 1; kind < RAFT_MESSAGE_KIND_COUNT; kind++) {
        if (strcmp(name, raft_message_name((enum raft_message_kind)kind)) == 0) {
            lua_pop(L, 1);
            return (enum raft_message_kind)kind;
        }
    }
    luaL_error(L, "bad argument 'message' (there is no kind '%s')", name);
    return RAFT_NO_MESSAGE;
}

static void read_piece(lua_State *L, int at, struct lua_message_parts *parts,
                       struct raft_message *message)
{
    message->offset = (uint64_t)lua_field_integer(L, at, "offset", 0);
    message->piece_size = (uint32_t)lua_field_integer(L, at, "piece_size", 0);
    message->last = lua_field_boolean(L, at, "last", false);
    lua_getfield(L, at, "piece");
    if (!lua_isnil(L, -1)) {
        size_t size = 0;
        const char *bytes = luaL_checklstring(L, -1, &size);
        parts->piece = batch_copy(NULL, bytes, size);
        message->piece = parts->piece;
        message->piece_size = (uint32_t)size;
    }
    lua_pop(L, 1);
}

/* The message on top of the stack. */
void lua_message_read(lua_State *L, struct lua_message_parts *parts, struct raft_message *message)
{
    int at = lua_gettop(L);
    luaL_checktype(L, at, LUA_TTABLE);
    message->kind = message_kind(L, at);
    message->reject = lua_field_boolean(L, at, "reject", false);
    message->quiet = lua_field_boolean(L, at, "quiet", false);
    message->force = lua_field_boolean(L, at, "force", false);
    message->from = (uint64_t)lua_field_integer(L, at, "from", 0);
    message->to = (uint64_t)lua_field_integer(L, at, "to", 0);
    message->from_directory = (uint64_t)lua_field_integer(L, at, "from_directory", 0);
    message->to_directory = (uint64_t)lua_field_integer(L, at, "to_directory", 0);
    message->term = (uint64_t)lua_field_integer(L, at, "term", 0);
    message->prev_index = (uint64_t)lua_field_integer(L, at, "prev_index", 0);
    message->prev_term = (uint64_t)lua_field_integer(L, at, "prev_term", 0);
    message->commit = (uint64_t)lua_field_integer(L, at, "commit", 0);
    message->index = (uint64_t)lua_field_integer(L, at, "index", 0);
    message->hint_index = (uint64_t)lua_field_integer(L, at, "hint_index", 0);
    message->hint_term = (uint64_t)lua_field_integer(L, at, "hint_term", 0);
    message->sequence = (uint64_t)lua_field_integer(L, at, "sequence", 0);
    read_piece(L, at, parts, message);
    lua_getfield(L, at, "entries");
    lua_entries_read(L, parts);
    lua_pop(L, 1);
    message->entries = parts->entries;
    message->entry_count = parts->entry_count;
}
