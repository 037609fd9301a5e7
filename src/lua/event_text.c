/*
 * An event's table in words: the line that the trace's log has for it, which tostring(event) gives,
 * and the few words of a diagram's cell. The table may be what a script was given or a trace's
 * line, and may hold anything: each field is checked before it is used.
 */
#include "lua/module.h"

#include <string.h>

#define LUA_EVENT "raft.event"

static uint64_t number_field(lua_State *L, const char *name)
{
    lua_getfield(L, 1, name);
    uint64_t value = (uint64_t)lua_tointeger(L, -1); /* 0 if it is not an integer */
    lua_pop(L, 1);
    return value;
}

/* A text of the table's, which keeps it alive; NULL if it is not a text. */
static const char *text_field(lua_State *L, const char *name, struct bytes *text)
{
    lua_getfield(L, 1, name);
    const char *found = NULL;
    if (lua_type(L, -1) == LUA_TSTRING) {
        found = lua_tolstring(L, -1, &text->size);
        text->data = (const uint8_t *)found;
    }
    lua_pop(L, 1);
    return found;
}

static int64_t time_field(lua_State *L)
{
    lua_getfield(L, 1, "time");
    lua_Number seconds = lua_tonumber(L, -1);
    lua_pop(L, 1);
    return seconds > -9e9 && seconds < 9e9 ? (int64_t)(seconds * 1e9 + (seconds < 0 ? -0.5 : 0.5))
                                           : 0;
}

static uint8_t what_field(lua_State *L)
{
    struct bytes text = {0};
    const char *words = text_field(L, "what", &text);
    if (words == NULL) {
        return 0;
    }
    return (uint8_t)((strstr(words, "state") != NULL ? TRACE_STATE : 0U) |
                     (strstr(words, "entries") != NULL ? TRACE_ENTRIES : 0U) |
                     (strstr(words, "snapshot") != NULL ? TRACE_SNAPSHOTS : 0U));
}

static void read_numbers(lua_State *L, struct trace_event *event)
{
    event->time_ns = time_field(L);
    event->node = number_field(L, "node");
    event->peer = number_field(L, "peer");
    event->term = number_field(L, "term");
    event->index = number_field(L, "index");
    event->first = number_field(L, "first");
    event->last = number_field(L, "last");
    event->message_number = number_field(L, "number");
    event->sequence = number_field(L, "sequence");
    event->prev_index = number_field(L, "prev_index");
    event->prev_term = number_field(L, "prev_term");
    event->commit = number_field(L, "commit");
    event->vote = number_field(L, "vote");
    event->entry_count = (uint32_t)number_field(L, "entries");
    event->what = what_field(L);
    lua_getfield(L, 1, "reject");
    lua_getfield(L, 1, "flag");
    event->reject = lua_toboolean(L, -2);
    event->flag = lua_toboolean(L, -1);
    lua_pop(L, 2);
}

static void read_words(lua_State *L, struct trace_event *event, struct buffer *value)
{
    enum trace_kind kind = (enum trace_kind)event->kind;
    struct bytes name = {0};
    event->role_name = text_field(L, "role", &name);
    event->message_name = text_field(L, "message", &name);
    for (int code = RAFT_NO_MESSAGE + 1; event->message_name && code < RAFT_MESSAGE_KIND_COUNT;
         code++) {
        if (strcmp(event->message_name, raft_message_name((enum raft_message_kind)code)) == 0) {
            event->message_kind = (uint8_t)code;
        }
    }
    if (text_field(L, lua_event_text_name(kind), &event->text) == NULL) {
        (void)text_field(L, "text", &event->text); /* as a trace's line has it */
    }
    lua_getfield(L, 1, lua_event_value_name(kind));
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_getfield(L, 1, "value");
    }
    if (!lua_isnil(L, -1)) {
        if (lua_value_write_rough(L, -1, value)) {
            event->value = buffer_bytes(value);
        } else {
            lua_pop(L, 1); /* why not */
        }
    }
    lua_pop(L, 1);
}

/* The table at 1. false: its kind is unknown. */
static bool read_event(lua_State *L, struct trace_event *event, struct buffer *value)
{
    struct bytes name = {0};
    enum trace_kind kind = TRACE_KIND_COUNT;
    luaL_checktype(L, 1, LUA_TTABLE);
    if (text_field(L, "kind", &name) == NULL || !trace_kind_from_name(name, &kind)) {
        return false;
    }
    event->kind = (uint8_t)kind;
    read_numbers(L, event);
    read_words(L, event, value);
    return true;
}

/* core.event_line(event) → its line in the trace's log; tostring(event) */
static int event_tostring(lua_State *L)
{
    struct trace_event event = {0};
    struct buffer value = {0};
    struct buffer line = {0};
    if (!read_event(L, &event, &value)) {
        lua_pushliteral(L, LUA_EVENT " (of no kind that is known)");
        return 1;
    }
    trace_write_text(&event, &line);
    lua_bytes_push(L, buffer_bytes(&line));
    buffer_free(&line);
    buffer_free(&value);
    return 1;
}

static void push_number_or_nil(lua_State *L, bool is_there, uint64_t number)
{
    if (is_there) {
        lua_pushinteger(L, (lua_Integer)number);
    } else {
        lua_pushnil(L);
    }
}

/* core.event_phrase(event, is_brief) → what stands before and behind the peer or the range, peer
 * (0: the client) or nil, first and last or nil; nil: its kind is unknown */
static int event_phrase(lua_State *L)
{
    struct trace_event event = {0};
    struct trace_phrase phrase = {.is_brief = lua_toboolean(L, 2)};
    struct buffer value = {0};
    if (!read_event(L, &event, &value)) {
        return 0;
    }
    if (lua_istable(L, 1)) { /* somebody else's log may not tell it */
        lua_getfield(L, 1, "term");
        phrase.is_term_unknown = lua_isnil(L, -1);
        lua_pop(L, 1);
    }
    trace_write_phrase(&event, &phrase);
    lua_bytes_push(L, buffer_bytes(&phrase.before));
    lua_bytes_push(L, buffer_bytes(&phrase.after));
    push_number_or_nil(L, phrase.has_peer, phrase.peer);
    push_number_or_nil(L, phrase.has_range, phrase.first);
    push_number_or_nil(L, phrase.has_range, phrase.last);
    trace_phrase_free(&phrase);
    buffer_free(&value);
    return 5;
}

/* core.value_words(value) → it in Lua's notation, on one line */
static int value_words(lua_State *L)
{
    struct buffer value = {0};
    struct buffer words = {0};
    if (!lua_value_write_rough(L, 1, &value)) {
        buffer_free(&value);
        return lua_error(L); /* why it is malformed */
    }
    trace_write_value(buffer_bytes(&value), &words);
    lua_bytes_push(L, buffer_bytes(&words));
    buffer_free(&words);
    buffer_free(&value);
    return 1;
}

/* core.event_kinds() → the names of all kinds of events */
static int event_kinds(lua_State *L)
{
    lua_newtable(L);
    for (int kind = 0; kind < TRACE_KIND_COUNT; kind++) {
        lua_pushstring(L, trace_kind_name((enum trace_kind)kind));
        lua_rawseti(L, -2, (lua_Integer)kind + 1);
    }
    return 1;
}

const luaL_Reg lua_event_functions[] = {
    {"event_kinds", event_kinds},
    {"event_phrase", event_phrase},
    {"event_line", event_tostring},
    {"value_words", value_words},
    {NULL, NULL},
};

void lua_event_register(lua_State *L)
{
    luaL_newmetatable(L, LUA_EVENT);
    lua_pushcfunction(L, event_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pop(L, 1);
}

void lua_event_dress(lua_State *L)
{
    luaL_setmetatable(L, LUA_EVENT);
}
