/* Encodings by themselves: values, JSON, checksums, frames of messages. For tools and specs. */
#include "lua/module.h"

#include <string.h>

static struct bytes bytes_argument(lua_State *L, int index)
{
    struct bytes bytes = {0};
    bytes.data = (const uint8_t *)luaL_checklstring(L, index, &bytes.size);
    return bytes;
}

/* The encoded value at `index`; raises if it is not a value, or too large. */
static void check_value(lua_State *L, int index, struct buffer *out)
{
    lua_value_check(L, index, "value", out);
    if (lua_value_is_too_large(out)) {
        lua_user_error(L, "bad argument 'value' (larger than %d bytes)", (int)VALUE_BYTES_MAX);
    }
}

/* core.value_problem(value) → nil, or what keeps it from being a value, in words. One that is too
 * large is a value: the call that it is for answers "too_large". */
static int value_problem(lua_State *L)
{
    struct buffer *out = lua_scratch_new(L);
    if (lua_value_write(L, 1, out) || lua_value_is_too_large(out)) {
        lua_pushnil(L);
    }
    return 1;
}

/* core.value_encode(value) → bytes */
static int value_encode(lua_State *L)
{
    struct buffer *out = lua_scratch_new(L);
    check_value(L, 1, out);
    lua_bytes_push(L, buffer_bytes(out));
    return 1;
}

/* core.value_decode(bytes) → value; nil, message where they are no value in the one encoding */
static int value_decode(lua_State *L)
{
    struct bytes bytes = bytes_argument(L, 1);
    if (!value_is_valid(bytes)) {
        lua_pushnil(L);
        lua_pushstring(L, "not one value in deterministic CBOR");
        return 2;
    }
    lua_value_push(L, bytes);
    return 1;
}

/* core.json_encode(value) → text */
static int json_encode(lua_State *L)
{
    struct buffer *value = lua_scratch_new(L);
    struct buffer *out = lua_scratch_new(L);
    check_value(L, 1, value);
    bool written = json_write_value(out, buffer_bytes(value));
    ensure(written);
    lua_bytes_push(L, buffer_bytes(out));
    return 1;
}

/* core.json_decode(text) → value; nil, message */
static int json_decode(lua_State *L)
{
    struct bytes text = bytes_argument(L, 1);
    struct buffer *out = lua_scratch_new(L);
    size_t offset = 0;
    const char *problem = NULL;
    if (!json_read(text, out, &offset, &problem)) {
        lua_pushnil(L);
        lua_pushfstring(L, "not JSON at byte %d: %s", (int)offset + 1, problem);
        return 2;
    }
    lua_value_push(L, buffer_bytes(out));
    return 1;
}

/* core.edn_decode(text, at) → value, the byte behind it; nothing where only blanks and comments
 * follow; nil, what is wrong, at which byte */
static int edn_decode(lua_State *L)
{
    struct bytes text = bytes_argument(L, 1);
    lua_Integer at = luaL_optinteger(L, 2, 1);
    luaL_argcheck(L, at >= 1 && (size_t)at <= text.size + 1, 2, "outside the text");
    struct buffer *out = lua_scratch_new(L);
    size_t offset = (size_t)at - 1;
    const char *problem = NULL;
    bool over = false;
    if (!edn_read(text, &offset, out, &over, &problem)) {
        lua_pushnil(L);
        lua_pushstring(L, problem);
        lua_pushinteger(L, (lua_Integer)offset + 1);
        return 3;
    }
    if (over) {
        return 0;
    }
    lua_value_push(L, buffer_bytes(out));
    lua_pushinteger(L, (lua_Integer)offset + 1);
    return 2;
}

/* core.crc32c(bytes) → integer */
static int crc32c_function(lua_State *L)
{
    struct bytes bytes = bytes_argument(L, 1);
    lua_pushinteger(L, (lua_Integer)crc32c(0, bytes.data, bytes.size));
    return 1;
}

static void check_terms(lua_State *L, const struct raft_message *message)
{
    uint64_t term = message->prev_term;
    for (uint32_t i = 0; i < message->entry_count; i++) {
        if (message->entries[i].term < term) {
            lua_user_error(L, "bad argument 'message' (the term of entry %u falls)", i + 1);
        }
        term = message->entries[i].term;
    }
}

/* core.message_encode(message) → bytes */
static int message_encode(lua_State *L)
{
    lua_settop(L, 1);
    struct buffer *out = lua_scratch_new(L);
    struct lua_message_parts *parts = lua_message_parts_new(L);
    struct raft_message message = {0};
    lua_pushvalue(L, 1);
    lua_message_read(L, parts, &message);
    check_terms(L, &message);
    raft_message_encode(NULL, &message, out);
    lua_bytes_push(L, buffer_bytes(out));
    return 1;
}

/* core.message_decode(bytes) → message; nil, what is wrong with it */
static int message_decode(lua_State *L)
{
    struct bytes bytes = bytes_argument(L, 1);
    struct batch *batch = batch_copy(NULL, bytes.data, bytes.size);
    struct raft_message message = {0};
    struct raft_entry *entries = NULL;
    uint32_t capacity = 0;
    const char *problem = NULL;
    bool read = raft_message_decode(batch, 0, (uint32_t)bytes.size, &message, &entries, &capacity,
                                    &problem);
    if (read) {
        lua_message_push(L, NULL, &message);
    } else {
        lua_pushnil(L);
        lua_pushstring(L, problem);
    }
    memory_free(entries);
    batch_release(batch);
    return read ? 1 : 2;
}

/* core.frame_check(bytes) → "whole", "partial" or "bad", and what is wrong */
static int frame_check(lua_State *L)
{
    static const char *const verdicts[] = {
        [FRAME_WHOLE] = "whole", [FRAME_PARTIAL] = "partial", [FRAME_BAD] = "bad"};
    struct frame_head head;
    const char *problem = NULL;
    enum frame_verdict verdict = frame_parse(bytes_argument(L, 1), true, &head, &problem);
    lua_pushstring(L, verdicts[verdict]);
    lua_pushstring(L, verdict == FRAME_BAD ? problem : NULL);
    return 2;
}

/* core.frame(kind, number, body, directory) → the bytes of one frame */
static int frame_make(lua_State *L)
{
    lua_Integer kind = luaL_checkinteger(L, 1);
    lua_Integer number = luaL_checkinteger(L, 2);
    struct bytes body = bytes_argument(L, 3);
    uint64_t directory = (uint64_t)luaL_optinteger(L, 4, 0);
    luaL_argcheck(L, body.size <= FRAME_BYTES_LIMIT - FRAME_HEAD_BYTES, 3, "too large for a frame");
    luaL_argcheck(L, kind >= FRAME_HELLO && kind <= FRAME_PIECE, 1, "an unknown kind of frame");
    struct buffer *out = lua_scratch_new(L);
    frame_begin(out);
    buffer_append(out, body.data, body.size);
    frame_seal(out, (enum frame_kind)kind, (uint64_t)number, directory);
    lua_bytes_push(L, buffer_bytes(out));
    return 1;
}

const luaL_Reg lua_codec_functions[] = {
    {"value_problem", value_problem},
    {"value_encode", value_encode},
    {"value_decode", value_decode},
    {"json_encode", json_encode},
    {"json_decode", json_decode},
    {"edn_decode", edn_decode},
    {"crc32c", crc32c_function},
    {"message_encode", message_encode},
    {"message_decode", message_decode},
    {"frame_check", frame_check},
    {"frame", frame_make},
    {NULL, NULL},
};
