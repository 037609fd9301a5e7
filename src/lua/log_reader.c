/*
 * Files of a node's directory, read without opening it: for `raftbench log`. Lua hands over their
 * bytes; nothing is opened or changed here.
 */
#include "lua/module.h"

#include "store/store.h"

#include <string.h>

#define LOG_READER "raft.core.log_reader"
#define SNAPSHOT_READER "raft.core.snapshot_reader"

struct lua_log_reader {
    struct store_inspection *inspection; /* NULL: it has ended */
    lua_State *L;                        /* while bytes are taken */
    bool in_segment;
};

static struct lua_log_reader *check(lua_State *L)
{
    struct lua_log_reader *reader = luaL_checkudata(L, 1, LOG_READER);
    luaL_argcheck(L, reader->inspection != NULL, 1, "a reader that has not ended");
    return reader;
}

static const char *kind_name(uint8_t kind)
{
    static const char *const names[] = {"command", "empty", "configuration"};
    ensure(kind < sizeof names / sizeof *names);
    return names[kind];
}

static void set_header(lua_State *L, const struct store_record *record)
{
    lua_set_integer(L, "id", record->id);
    lua_hash_push(L, record->directory);
    lua_setfield(L, -2, "directory");
    lua_set_text(L, "cluster", record->cluster);
    lua_set_integer(L, "version", record->version);
}

/* To the list at 3 of the function that is under way. */
static void take_record(void *context, const struct store_record *record)
{
    lua_State *L = ((struct lua_log_reader *)context)->L;
    bool is_header = strcmp(record->type, "header") == 0;
    bool is_state = strcmp(record->type, "state") == 0;
    lua_createtable(L, 0, 10);
    lua_set_text(L, "type", record->type);
    lua_set_integer(L, "segment", record->segment);
    lua_set_integer(L, "bytes", record->bytes);
    if (is_header) {
        set_header(L, record);
    } else {
        lua_set_integer(L, "offset", record->offset);
        lua_set_integer(L, "group", record->group);
        lua_set_integer(L, "life", record->life);
    }
    if (record->index != 0) {
        lua_set_integer(L, "index", record->index);
    }
    if (record->term != 0 || is_state) {
        lua_set_integer(L, "term", record->term);
    }
    if (record->vote != 0 || is_state) {
        lua_set_integer(L, "vote", record->vote);
    }
    if (strcmp(record->type, "entry") == 0) {
        lua_set_text(L, "kind", kind_name(record->kind));
    }
    lua_rawseti(L, 3, (lua_Integer)lua_rawlen(L, 3) + 1);
}

/* core.log_reader() → one that is handed the segments */
static int new_log_reader(lua_State *L)
{
    struct lua_log_reader *reader = lua_newuserdatauv(L, sizeof *reader, 0);
    memset(reader, 0, sizeof *reader);
    luaL_getmetatable(L, LOG_READER);
    lua_setmetatable(L, -2);
    reader->inspection = store_inspect_new(take_record, reader);
    return 1;
}

/* reader:segment(name, bytes of the file) → whether that is a segment's name */
static int segment(lua_State *L)
{
    struct lua_log_reader *reader = check(L);
    lua_Integer size = luaL_checkinteger(L, 3);
    luaL_argcheck(L, size >= 0 && !reader->in_segment, 3, "a size, of one file after the other");
    reader->in_segment =
        store_inspect_segment(reader->inspection, luaL_checkstring(L, 2), (uint64_t)size);
    lua_pushboolean(L, reader->in_segment);
    return 1;
}

/* reader:take(bytes) → the records that they hold. A multiple of 512 bytes, but at the end. */
static int take(lua_State *L)
{
    struct lua_log_reader *reader = check(L);
    struct bytes bytes = {0};
    bytes.data = (const uint8_t *)luaL_checklstring(L, 2, &bytes.size);
    luaL_argcheck(L, reader->in_segment, 1, "a reader in a segment");
    lua_settop(L, 2);
    lua_newtable(L);
    luaL_checkstack(L, 16, NULL);
    reader->L = L;
    store_inspect_bytes(reader->inspection, bytes);
    reader->L = NULL;
    return 1;
}

static int segment_end(lua_State *L)
{
    struct lua_log_reader *reader = check(L);
    luaL_argcheck(L, reader->in_segment, 1, "a reader in a segment");
    store_inspect_segment_end(reader->inspection);
    reader->in_segment = false;
    return 0;
}

static void push_members(lua_State *L, const struct raft_configuration *members)
{
    lua_members_push(L, members);
    lua_newtable(L);
    for (uint32_t i = 0; i < members->count; i++) {
        const struct raft_member *member = &members->members[i];
        lua_pushlstring(L, member->address, member->address_size);
        lua_rawseti(L, -2, (lua_Integer)member->id);
    }
    lua_setfield(L, -2, "addresses");
}

static void set_place(lua_State *L, const char *name, const char *file, const char *what,
                      uint64_t number)
{
    lua_createtable(L, 0, 3);
    lua_set_text(L, "file", file);
    lua_set_integer(L, what, number);
    lua_setfield(L, -2, name);
}

/* reader:finish() → what recovery would make of it */
static int finish(lua_State *L)
{
    struct lua_log_reader *reader = check(L);
    struct store_findings findings;
    luaL_argcheck(L, !reader->in_segment, 1, "a reader between segments");
    store_inspect_end(reader->inspection, &findings);
    const struct store_contents *contents = &findings.contents;
    lua_createtable(L, 0, 10);
    lua_set_integer(L, "term", contents->term);
    lua_set_integer(L, "vote", contents->vote);
    lua_set_integer(L, "first_index", contents->first_index);
    lua_set_integer(L, "last_index", contents->first_index + contents->entry_count - 1);
    lua_set_integer(L, "base_index", findings.base_index);
    if (contents->first_members->count > 0) {
        push_members(L, contents->first_members);
        lua_setfield(L, -2, "first_members");
    }
    struct raft_configuration members = {0};
    if (findings.members_index != 0 && raft_configuration_decode(findings.members, &members)) {
        push_members(L, &members);
        lua_set_integer(L, "index", findings.members_index);
        lua_setfield(L, -2, "members");
    }
    raft_configuration_free(&members);
    if (findings.torn_bytes > 0) {
        set_place(L, "torn", findings.torn_file, "bytes", findings.torn_bytes);
    }
    if (findings.problem[0] != '\0') {
        set_place(L, "damage", findings.damaged_file, "offset", findings.damaged_offset);
        lua_set_text(L, "problem", findings.problem);
    }
    store_inspect_free(reader->inspection);
    reader->inspection = NULL;
    return 1;
}

static int collect_log_reader(lua_State *L)
{
    struct lua_log_reader *reader = luaL_checkudata(L, 1, LOG_READER);
    if (reader->inspection != NULL) {
        store_inspect_free(reader->inspection);
        reader->inspection = NULL;
    }
    return 0;
}

/* ---- snapshots ------------------------------------------------------------------------------ */

static int new_snapshot_reader(lua_State *L)
{
    struct snapshot_decoder *decoder = lua_newuserdatauv(L, sizeof *decoder, 0);
    memset(decoder, 0, sizeof *decoder);
    luaL_getmetatable(L, SNAPSHOT_READER);
    lua_setmetatable(L, -2);
    return 1;
}

/* reader:take(bytes) → true; or nil and what is wrong with them */
static int take_snapshot(lua_State *L)
{
    struct snapshot_decoder *decoder = luaL_checkudata(L, 1, SNAPSHOT_READER);
    struct bytes rest = {0};
    struct bytes machine_bytes;
    const char *problem = NULL;
    rest.data = (const uint8_t *)luaL_checklstring(L, 2, &rest.size);
    while (rest.size > 0) {
        if (!snapshot_decode(decoder, &rest, &machine_bytes, &problem)) {
            lua_pushnil(L);
            lua_pushstring(L, problem);
            return 2;
        }
    }
    lua_pushboolean(L, 1);
    return 1;
}

/* reader:finish() → { whole, index, term, members_index, members, cluster } */
static int finish_snapshot(lua_State *L)
{
    const struct snapshot_decoder *decoder = luaL_checkudata(L, 1, SNAPSHOT_READER);
    lua_createtable(L, 0, 6);
    lua_set_boolean(L, "whole", snapshot_is_whole(decoder));
    if (decoder->has_meta) {
        lua_set_integer(L, "index", decoder->meta.index);
        lua_set_integer(L, "term", decoder->meta.term);
        lua_set_integer(L, "members_index", decoder->meta.members_index);
        lua_set_text(L, "cluster", decoder->cluster);
        push_members(L, &decoder->members);
        lua_setfield(L, -2, "members");
    }
    return 1;
}

static int collect_snapshot_reader(lua_State *L)
{
    snapshot_decoder_free(luaL_checkudata(L, 1, SNAPSHOT_READER));
    return 0;
}

static void register_type(lua_State *L, const char *name, const luaL_Reg *methods,
                          lua_CFunction collect)
{
    luaL_newmetatable(L, name);
    lua_pushcfunction(L, collect);
    lua_setfield(L, -2, "__gc");
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

void lua_log_reader_register(lua_State *L)
{
    static const luaL_Reg of_logs[] = {{"segment", segment},
                                       {"take", take},
                                       {"segment_end", segment_end},
                                       {"finish", finish},
                                       {NULL, NULL}};
    static const luaL_Reg of_snapshots[] = {
        {"take", take_snapshot}, {"finish", finish_snapshot}, {NULL, NULL}};
    register_type(L, LOG_READER, of_logs, collect_log_reader);
    register_type(L, SNAPSHOT_READER, of_snapshots, collect_snapshot_reader);
    lua_pushcfunction(L, new_log_reader);
    lua_setfield(L, -2, "log_reader");
    lua_pushcfunction(L, new_snapshot_reader);
    lua_setfield(L, -2, "snapshot_reader");
}
