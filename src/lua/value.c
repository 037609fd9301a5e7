/*
 * Values between Lua and their encoded form. It never decides what a value means, and stops writing
 * one as soon as it is larger than any frame takes.
 */
#include "lua/module.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Up to so many keys of a table need no memory of their own: most commands have two or three. */
#define KEYS_FEW 8U

struct keys {
    struct bytes few[KEYS_FEW];
    struct bytes *all; /* `few`, or memory */
    size_t count;
    size_t capacity;
};

struct writer {
    struct buffer *out;
    bool is_rough; /* integers need not be exact */
};

static bool write_value(lua_State *L, int index, const struct writer *writer, int depth);

static bool problem(lua_State *L, const char *text)
{
    lua_pushstring(L, text);
    return false;
}

static bool write_number(lua_State *L, int index, const struct writer *writer)
{
#ifdef LUA_MAX_EXACT
    /* It may stand for another integer; from 2^63 on it can only be a float. */
    double size = fabs((double)lua_tonumber(L, index));
    if (size > LUA_MAX_EXACT && size < 0x1p63 && !writer->is_rough) {
        return problem(L, "integers from 2^53 on are not exact in this Lua");
    }
#endif
    if (lua_isinteger(L, index)) {
        value_write_integer(writer->out, (int64_t)lua_tointeger(L, index));
        return true;
    }
    return value_write_float(writer->out, (double)lua_tonumber(L, index)) ||
           problem(L, "NaN and infinity are not values");
}

static void write_string(struct bytes string, const struct writer *writer)
{
    if (string.size > VALUE_BYTES_MAX) {
        buffer_append(writer->out, string.data,
                      VALUE_BYTES_MAX + 1); /* too large without all the rest */
    } else {
        value_write_string(writer->out, string.data, string.size);
    }
}

static bool write_array(lua_State *L, int index, size_t count, const struct writer *writer,
                        int depth)
{
    value_write_array(writer->out, count);
    for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(L, index, (lua_Integer)i);
        bool written = write_value(L, lua_gettop(L), writer, depth);
        if (!written) {
            lua_remove(L, -2);
            return false;
        }
        lua_pop(L, 1);
    }
    return true;
}

static void add_key(struct keys *keys, struct bytes key)
{
    if (keys->count == keys->capacity) {
        keys->capacity *= 2;
        struct bytes *before = keys->all == keys->few ? NULL : keys->all;
        keys->all = memory_resize(before, keys->capacity * sizeof *keys->all);
        if (before == NULL) {
            memcpy(keys->all, keys->few, sizeof keys->few);
        }
    }
    keys->all[keys->count++] = key;
}

/* The keys stay alive as long as the table holds them. */
static bool collect_keys(lua_State *L, int index, struct keys *keys)
{
    lua_pushnil(L);
    while (lua_next(L, index) != 0) {
        lua_pop(L, 1);
        if (lua_type(L, -1) != LUA_TSTRING) {
            lua_pop(L, 1);
            return problem(L, "a table must be an array 1..n or have string keys, not both");
        }
        struct bytes key;
        key.data = (const uint8_t *)lua_tolstring(L, -1, &key.size);
        add_key(keys, key);
    }
    return true;
}

static int compare_keys(const void *a, const void *b)
{
    return value_compare_keys(*(const struct bytes *)a, *(const struct bytes *)b);
}

static void sort_keys(struct keys *keys)
{
    if (keys->count > KEYS_FEW) {
        qsort(keys->all, keys->count, sizeof *keys->all, compare_keys);
        return;
    }
    for (size_t i = 1; i < keys->count; i++) {
        struct bytes key = keys->all[i];
        size_t at = i;
        for (; at > 0 && value_compare_keys(key, keys->all[at - 1]) < 0; at--) {
            keys->all[at] = keys->all[at - 1];
        }
        keys->all[at] = key;
    }
}

static bool write_pairs(lua_State *L, int index, const struct keys *keys,
                        const struct writer *writer, int depth)
{
    value_write_map(writer->out, keys->count);
    for (size_t i = 0; i < keys->count; i++) {
        struct bytes key = keys->all[i];
        write_string(key, writer);
        lua_pushlstring(L, (const char *)key.data, key.size);
        lua_rawget(L, index);
        bool written = write_value(L, lua_gettop(L), writer, depth);
        lua_remove(L, written ? -1 : -2);
        if (!written) {
            return false;
        }
    }
    return true;
}

/* Without any key it is an empty array. */
static bool write_map(lua_State *L, int index, const struct writer *writer, int depth)
{
    struct keys keys;
    keys.all = keys.few;
    keys.count = 0;
    keys.capacity = KEYS_FEW;
    bool written = collect_keys(L, index, &keys);
    if (written && keys.count == 0) {
        value_write_array(writer->out, 0);
    } else if (written) {
        sort_keys(&keys);
        written = write_pairs(L, index, &keys, writer, depth);
    }
    if (keys.all != keys.few) {
        memory_free(keys.all);
    }
    return written;
}

static size_t count_pairs(lua_State *L, int index)
{
    size_t count = 0;
    lua_pushnil(L);
    while (lua_next(L, index) != 0) {
        lua_pop(L, 1);
        count++;
    }
    return count;
}

static bool write_table(lua_State *L, int index, const struct writer *writer, int depth)
{
    if (depth >= VALUE_DEPTH_MAX) {
        return problem(L, "nested too deeply (at most 100 levels; does it contain itself?)");
    }
    if (!lua_checkstack(L, 8)) {
        return problem(L, "nested too deeply");
    }
    size_t array = (size_t)lua_rawlen(L, index);
    if (array == 0) {
        return write_map(L, index, writer, depth + 1);
    }
    return array == count_pairs(L, index)
               ? write_array(L, index, array, writer, depth + 1)
               : problem(L, "a table must be an array 1..n without gaps or have string keys");
}

static bool write_whole(lua_State *L, int index, const struct writer *writer, int depth)
{
    switch (lua_type(L, index)) {
    case LUA_TBOOLEAN:
        value_write_boolean(writer->out, lua_toboolean(L, index));
        return true;
    case LUA_TNUMBER:
        return write_number(L, index, writer);
    case LUA_TSTRING: {
        struct bytes string;
        string.data = (const uint8_t *)lua_tolstring(L, index, &string.size);
        write_string(string, writer);
        return true;
    }
    case LUA_TTABLE:
        return write_table(L, index, writer, depth);
    case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(L, index) == NULL) {
            value_write_null(writer->out);
            return true;
        }
        break;
    default:
        break;
    }
    lua_pushfstring(L, "a %s is not a value (booleans, numbers, strings, tables, raft.null)",
                    luaL_typename(L, index));
    return false;
}

static bool write_value(lua_State *L, int index, const struct writer *writer, int depth)
{
    if (!write_whole(L, index, writer, depth)) {
        return false;
    }
    if (lua_value_is_too_large(writer->out)) {
        lua_pushfstring(L, "larger than %d bytes", (int)VALUE_BYTES_MAX);
        return false;
    }
    return true;
}

bool lua_value_is_too_large(const struct buffer *out)
{
    return out->size > VALUE_BYTES_MAX;
}

bool lua_value_write(lua_State *L, int index, struct buffer *out)
{
    struct writer writer = {.out = out};
    ensure(out->size == 0);
    return write_value(L, lua_absindex(L, index), &writer, 0);
}

bool lua_value_write_rough(lua_State *L, int index, struct buffer *out)
{
    struct writer writer = {.out = out, .is_rough = true};
    ensure(out->size == 0);
    return write_value(L, lua_absindex(L, index), &writer, 0);
}

void lua_value_check(lua_State *L, int index, const char *argument, struct buffer *out)
{
    if (lua_isnoneornil(L, index)) {
        lua_user_error(L, "bad argument '%s' (a value expected, got nil)", argument);
    }
    if (!lua_value_write(L, index, out) && !lua_value_is_too_large(out)) {
        lua_user_error(L, "bad argument '%s' (%s)", argument, lua_tostring(L, -1));
    }
}

/* Values may come from any sender that speaks the protocol: deeper than values go is as malformed
 * as any other bytes, and must not exhaust the stack. */
static bool push_item(lua_State *L, struct value_reader *reader, unsigned depth);

static bool push_array(lua_State *L, struct value_reader *reader, size_t count, unsigned depth)
{
    lua_createtable(L, (int)(count < 1024 ? count : 1024), 0);
    for (size_t i = 1; i <= count; i++) {
        if (!push_item(L, reader, depth)) {
            return false;
        }
        lua_rawseti(L, -2, (lua_Integer)i);
    }
    return true;
}

static bool push_map(lua_State *L, struct value_reader *reader, size_t count, unsigned depth)
{
    lua_createtable(L, 0, (int)(count < 1024 ? count : 1024));
    for (size_t i = 0; i < count; i++) {
        if (!push_item(L, reader, depth) || !push_item(L, reader, depth)) {
            return false;
        }
        lua_rawset(L, -3);
    }
    return true;
}

static bool push_item(lua_State *L, struct value_reader *reader, unsigned depth)
{
    struct value_item item;
    if (!value_read(reader, &item) || !lua_checkstack(L, 8)) {
        return false;
    }
    switch (item.kind) {
    case VALUE_NULL:
        lua_pushlightuserdata(L, NULL);
        return true;
    case VALUE_BOOLEAN:
        lua_pushboolean(L, item.boolean);
        return true;
    case VALUE_INTEGER:
        lua_pushinteger(L, (lua_Integer)item.integer);
        return true;
    case VALUE_FLOAT:
        lua_pushnumber(L, (lua_Number)item.number);
        return true;
    case VALUE_STRING:
        lua_bytes_push(L, item.string);
        return true;
    case VALUE_ARRAY:
        return depth < VALUE_DEPTH_MAX && push_array(L, reader, item.count, depth + 1);
    case VALUE_MAP:
        return depth < VALUE_DEPTH_MAX && push_map(L, reader, item.count, depth + 1);
    }
    return false;
}

void lua_value_push(lua_State *L, struct bytes value)
{
    int top = lua_gettop(L);
    struct value_reader reader = {.data = value.data, .size = value.size};
    if (value.size == 0 || !push_item(L, &reader, 0)) {
        lua_settop(L, top);
        lua_pushnil(L);
    }
}

void lua_bytes_push(lua_State *L, struct bytes bytes)
{
    lua_pushlstring(L, bytes.size > 0 ? (const char *)bytes.data : "", bytes.size);
}

/* ---- scratch --------------------------------------------------------------------------------- */

static int scratch_gc(lua_State *L)
{
    buffer_free(lua_touserdata(L, 1));
    return 0;
}

struct buffer *lua_scratch_new(lua_State *L)
{
    struct buffer *buffer = lua_newuserdatauv(L, sizeof *buffer, 0);
    memset(buffer, 0, sizeof *buffer);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, scratch_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    return buffer;
}
