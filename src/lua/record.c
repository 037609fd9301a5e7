/* Calls as bytes: what a cluster's record (lua/raft/script) keeps of those that are long past. It
 * knows nothing of what they do. */
#include "lua/module.h"

#define LUA_RECORD "raft.core.record"
#define VALUES_MOST 200

struct record {
    struct buffer bytes;
    lua_Integer count;
};

static struct record *record_check(lua_State *L)
{
    return luaL_checkudata(L, 1, LUA_RECORD);
}

/* core.record() → an empty record */
int lua_record_new(lua_State *L)
{
    struct record *record = lua_newuserdatauv(L, sizeof *record, 0);
    *record = (struct record){0};
    luaL_setmetatable(L, LUA_RECORD);
    return 1;
}

static int record_gc(lua_State *L)
{
    buffer_free(&record_check(L)->bytes);
    return 0;
}

/* record:add(name, start_ns, start_steps, end_ns, ...) → true; false where one of the values has no
 * encoding, or there are too many: nothing is added then */
static int record_add(lua_State *L)
{
    struct record *record = record_check(L);
    struct bytes name = {0};
    name.data = (const uint8_t *)luaL_checklstring(L, 2, &name.size);
    int top = lua_gettop(L);
    size_t before = record->bytes.size;
    lua_Integer when[] = {luaL_checkinteger(L, 3), luaL_checkinteger(L, 4),
                          luaL_checkinteger(L, 5)};
    if (top > 5 + VALUES_MOST) {
        lua_pushboolean(L, false);
        return 1;
    }
    field_write_bytes(&record->bytes, name);
    for (size_t i = 0; i < sizeof when / sizeof *when; i++) {
        field_write_number(&record->bytes, (uint64_t)when[i]);
    }
    field_write_number(&record->bytes, (uint64_t)(top - 5));
    for (int i = 6; i <= top; i++) {
        struct buffer value = {0};
        bool written = lua_value_write(L, i, &value) && !lua_value_is_too_large(&value);
        if (written) {
            field_write_bytes(&record->bytes, buffer_bytes(&value));
        }
        buffer_free(&value);
        if (!written) {
            record->bytes.size = before;
            lua_pushboolean(L, false);
            return 1;
        }
    }
    record->count++;
    lua_pushboolean(L, true);
    return 1;
}

/* record:read(place) → the place of the next, name, start_ns, start_steps, end_ns, how many values,
 * the values; nil at the end. The first place is 0. */
static int record_read(lua_State *L)
{
    struct record *record = record_check(L);
    size_t place = (size_t)luaL_checkinteger(L, 2);
    luaL_argcheck(L, place <= record->bytes.size, 2, "a place in the record expected");
    struct field_reader reader = {
        .rest = {.data = record->bytes.data + place, .size = record->bytes.size - place}};
    if (reader.rest.size == 0) {
        return 0;
    }
    luaL_checkstack(L, VALUES_MOST + 10, "no room for the values");
    lua_pushnil(L); /* the next place, when it is known */
    int at = lua_gettop(L);
    lua_bytes_push(L, field_read_bytes(&reader));
    for (int i = 0; i < 3; i++) {
        lua_pushinteger(L, (lua_Integer)field_read_number(&reader));
    }
    uint64_t count = field_read_at_most(&reader, VALUES_MOST);
    lua_pushinteger(L, (lua_Integer)count);
    for (uint64_t i = 0; i < count; i++) {
        lua_value_push(L, field_read_bytes(&reader));
    }
    ensure(!reader.is_bad);
    lua_pushinteger(L, (lua_Integer)(record->bytes.size - reader.rest.size));
    lua_replace(L, at);
    return (int)count + 6;
}

/* #record: how many calls */
static int record_length(lua_State *L)
{
    lua_pushinteger(L, record_check(L)->count);
    return 1;
}

static const luaL_Reg methods[] = {
    {"add", record_add},
    {"read", record_read},
    {NULL, NULL},
};

void lua_record_register(lua_State *L)
{
    luaL_newmetatable(L, LUA_RECORD);
    lua_pushcfunction(L, record_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, record_length);
    lua_setfield(L, -2, "__len");
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
