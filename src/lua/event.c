/* Trace events to and from Lua. */
#include "lua/module.h"

#include <string.h>

static void set_if(lua_State *L, const char *name, uint64_t value)
{
    if (value != 0) {
        lua_set_integer(L, name, value);
    }
}

/* What the text of a kind is called. */
const char *lua_event_text_name(enum trace_kind kind)
{
    switch (kind) {
    case TRACE_DROP:
    case TRACE_STOP:
    case TRACE_DISCONNECT:
        return "reason";
    case TRACE_FAULT:
        return "call";
    case TRACE_VIOLATION:
        return "property";
    case TRACE_RUN:
    case TRACE_VERDICT:
        return "name";
    default:
        return "text";
    }
}

const char *lua_event_value_name(enum trace_kind kind)
{
    switch (kind) {
    case TRACE_FAULT:
        return "arguments";
    case TRACE_MEMBERS:
    case TRACE_START:
        return "members";
    case TRACE_CLIENT:
        return "entry";
    case TRACE_VIOLATION:
        return "message";
    default:
        return "value";
    }
}

static void set_what(lua_State *L, uint8_t what)
{
    struct buffer words = {0};
    trace_what_words(what, &words);
    lua_set_bytes(L, "what", buffer_bytes(&words));
    buffer_free(&words);
}

static bool has_index(enum trace_kind kind)
{
    return kind == TRACE_COMMIT || kind == TRACE_APPLY || kind == TRACE_MATCH ||
           kind == TRACE_SNAPSHOT || kind == TRACE_INSTALL || kind == TRACE_RESTORE ||
           kind == TRACE_MEMBERS || kind == TRACE_CONFIRM;
}

static void set_numbers(lua_State *L, const struct trace_event *event)
{
    set_if(L, "peer", event->peer);
    set_if(L, "term", event->term);
    if (event->index != 0 || has_index((enum trace_kind)event->kind)) {
        lua_set_integer(L, "index", event->index);
    }
    set_if(L, "first", event->first);
    set_if(L, "last", event->last);
    set_if(L, "hash", event->hash);
    set_if(L, "answer_hash", event->answer_hash);
    set_if(L, "state_hash", event->state_hash);
    set_if(L, "number", event->message_number);
    set_if(L, "sequence", event->sequence);
    set_if(L, "prev_index", event->prev_index);
    set_if(L, "prev_term", event->prev_term);
    set_if(L, "commit", event->commit);
    set_if(L, "vote", event->vote);
    set_if(L, "vote_directory", event->vote_directory);
    set_if(L, "directory", event->directory);
    set_if(L, "entries", event->entry_count);
}

void lua_event_push(lua_State *L, const struct trace_event *event)
{
    enum trace_kind kind = (enum trace_kind)event->kind;
    lua_createtable(L, 0, 12);
    lua_event_dress(L);
    lua_pushnumber(L, (lua_Number)event->time_ns / 1e9);
    lua_setfield(L, -2, "time");
    lua_set_integer(L, "node", event->node);
    lua_set_text(L, "kind", trace_kind_name(kind));
    set_numbers(L, event);
    if (kind == TRACE_VOTE) {
        lua_set_integer(L, "candidate", event->peer);
    }
    if (event->what != 0) {
        set_what(L, event->what);
    }
    if (event->role_name != NULL) {
        lua_set_text(L, "role", event->role_name);
    }
    if (event->message_name != NULL) {
        lua_set_text(L, "message", event->message_name);
    }
    if (event->reject) {
        lua_set_boolean(L, "reject", true);
    }
    if (event->flag) {
        lua_set_boolean(L, "flag", true);
    }
    if (event->text.size > 0) {
        lua_set_bytes(L, lua_event_text_name(kind), event->text);
    }
    if (event->value.size > 0) {
        lua_value_push(L, event->value);
        lua_setfield(L, -2, lua_event_value_name(kind));
    }
}

static uint64_t mask_of_name(lua_State *L, int index)
{
    struct bytes name = {0};
    enum trace_kind kind = TRACE_KIND_COUNT;
    name.data = (const uint8_t *)luaL_checklstring(L, index, &name.size);
    if (!trace_kind_from_name(name, &kind)) {
        lua_user_error(L, "bad argument 'filter' (there is no kind of event '%s')",
                       lua_tostring(L, index));
    }
    return TRACE_MASK(kind);
}

uint64_t lua_event_mask(lua_State *L, int index)
{
    if (lua_isnoneornil(L, index)) {
        return TRACE_ALL;
    }
    if (!lua_istable(L, index)) {
        return mask_of_name(L, index);
    }
    uint64_t mask = 0;
    size_t count = (size_t)lua_rawlen(L, index);
    for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(L, index, (lua_Integer)i);
        mask |= mask_of_name(L, lua_gettop(L));
        lua_pop(L, 1);
    }
    return mask;
}

static struct bytes text_field(lua_State *L, int index, const char *name)
{
    struct bytes text = {0};
    lua_getfield(L, index, name);
    if (lua_type(L, -1) == LUA_TSTRING) { /* a number has none to keep */
        text.data = (const uint8_t *)lua_tolstring(L, -1, &text.size);
    }
    lua_pop(L, 1);
    return text;
}

static const char *static_role(struct bytes name, uint8_t *code)
{
    for (int role = RAFT_FOLLOWER; role <= RAFT_LEARNER; role++) {
        const char *text = raft_role_name((enum raft_role)role);
        if (bytes_equal(name, bytes_of_text(text))) {
            *code = (uint8_t)role;
            return text;
        }
    }
    return NULL;
}

static const char *static_message(struct bytes name, uint8_t *code)
{
    for (int kind = RAFT_NO_MESSAGE + 1; kind < RAFT_MESSAGE_KIND_COUNT; kind++) {
        const char *text = raft_message_name((enum raft_message_kind)kind);
        if (bytes_equal(name, bytes_of_text(text))) {
            *code = (uint8_t)kind;
            return text;
        }
    }
    return NULL;
}

/* By the names of struct trace_event's fields; `kind`, `role` and `message` by their words, `value`
 * encoded. Entries are not read here. */
void lua_event_read(lua_State *L, int index, struct trace_event *event)
{
    luaL_checktype(L, index, LUA_TTABLE);
    memset(event, 0, sizeof *event);
    enum trace_kind kind = TRACE_KIND_COUNT;
    if (!trace_kind_from_name(text_field(L, index, "kind"), &kind)) {
        luaL_error(L, "bad argument 'event' (field 'kind' names no kind of event)");
    }
    event->kind = (uint8_t)kind;
    event->time_ns = lua_field_integer(L, index, "time_ns", 0);
    struct {
        const char *name;
        uint64_t *field;
    } numbers[] = {
        {"node", &event->node},
        {"peer", &event->peer},
        {"term", &event->term},
        {"index", &event->index},
        {"first", &event->first},
        {"last", &event->last},
        {"hash", &event->hash},
        {"answer_hash", &event->answer_hash},
        {"state_hash", &event->state_hash},
        {"message_number", &event->message_number},
        {"sequence", &event->sequence},
        {"prev_index", &event->prev_index},
        {"prev_term", &event->prev_term},
        {"commit", &event->commit},
        {"vote", &event->vote},
        {"vote_directory", &event->vote_directory},
        {"directory", &event->directory},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        *numbers[i].field = (uint64_t)lua_field_integer(L, index, numbers[i].name, 0);
    }
    event->what = (uint8_t)lua_field_integer(L, index, "what", 0);
    event->flag = lua_field_boolean(L, index, "flag", false);
    event->reject = lua_field_boolean(L, index, "reject", false);
    event->role_name = static_role(text_field(L, index, "role"), &event->role);
    event->message_name = static_message(text_field(L, index, "message"), &event->message_kind);
    event->text = text_field(L, index, "text");
    event->value = text_field(L, index, "value");
}
