/*
 * Events for bare cores from Lua's tables, named as in raft.h. It refuses what the core takes for
 * granted of its caller.
 */
#include "lua/replica.h"

#include <string.h>

static enum raft_event_kind event_kind(lua_State *L, int index)
{
    static const char *const names[] = {
        [RAFT_EVENT_TICK] = "tick",
        [RAFT_EVENT_FLUSH] = "flush",
        [RAFT_EVENT_MESSAGE] = "message",
        [RAFT_EVENT_SUBMIT] = "submit",
        [RAFT_EVENT_PERSISTED] = "persisted",
        [RAFT_EVENT_CHANGE] = "change",
        [RAFT_EVENT_READ] = "read",
        [RAFT_EVENT_CAMPAIGN] = "campaign",
        [RAFT_EVENT_HEARTBEAT] = "heartbeat",
        [RAFT_EVENT_TRANSFER] = "transfer",
        [RAFT_EVENT_SNAPSHOT_TAKEN] = "snapshot_taken",
        [RAFT_EVENT_SNAPSHOT_WRITTEN] = "snapshot_written",
        [RAFT_EVENT_SNAPSHOT_INSTALLED] = "snapshot_installed",
        [RAFT_EVENT_SNAPSHOT_GONE] = "snapshot_gone",
    };
    lua_getfield(L, index, "kind");
    const char *name = luaL_checkstring(L, -1);
    for (size_t kind = 0; kind < sizeof names / sizeof names[0]; kind++) {
        if (names[kind] != NULL && strcmp(name, names[kind]) == 0) {
            lua_pop(L, 1);
            return (enum raft_event_kind)kind;
        }
    }
    luaL_error(L, "bad argument 'event' (there is no kind '%s')", name);
    return RAFT_EVENT_TICK;
}

static void check_snapshot(lua_State *L, const struct raft *raft, const struct raft_event *event)
{
    const struct raft_snapshot *snapshot = event->snapshot;
    const char *problem = NULL;
    if (event->kind == RAFT_EVENT_SNAPSHOT_INSTALLED) {
        problem = raft_snapshot_problem(event->message, snapshot);
    } else if (event->kind == RAFT_EVENT_SNAPSHOT_TAKEN) {
        struct raft_status status;
        raft_get_status(raft, &status);
        bool is_known = snapshot->index <= status.snapshot_index;
        if (snapshot->index > status.applied_index || event->first_index > snapshot->index + 1) {
            problem = "it covers what is not applied";
        } else if (!is_known &&
                   (snapshot->size == 0 || snapshot->term != raft_term_at(raft, snapshot->index))) {
            problem = "its size is 0, or its term is another";
        }
    }
    if (problem != NULL) {
        lua_user_error(L, "bad argument 'event' (a snapshot: %s)", problem);
    }
}

static void check_event(lua_State *L, const struct raft_event *event, int64_t now_ns,
                        uint64_t persisted)
{
    if (event->now_ns < now_ns) {
        lua_user_error(L, "bad argument 'event' (now_ns must not go back)");
    }
    if (event->kind == RAFT_EVENT_PERSISTED && event->sequence > persisted) {
        lua_user_error(L, "bad argument 'event' (no persist of sequence %llu was handed out)",
                       (unsigned long long)event->sequence);
    }
    for (uint32_t i = 0; event->kind == RAFT_EVENT_SUBMIT && i < event->entry_count; i++) {
        if (raft_entry_kind(&event->entries[i]) != RAFT_ENTRY_COMMAND) {
            lua_user_error(L, "bad argument 'event' (only commands can be submitted)");
        }
    }
}

void lua_snapshot_read(lua_State *L, struct lua_message_parts *parts,
                       struct raft_snapshot *snapshot)
{
    int at = lua_gettop(L);
    luaL_checktype(L, at, LUA_TTABLE);
    snapshot->index = (uint64_t)lua_field_integer(L, at, "index", 0);
    snapshot->term = (uint64_t)lua_field_integer(L, at, "term", 0);
    snapshot->size = (uint64_t)lua_field_integer(L, at, "size", 0);
    snapshot->members_index = (uint64_t)lua_field_integer(L, at, "members_index", 0);
    lua_members_read(L, at, &parts->members);
    snapshot->members = &parts->members;
}

static void read_snapshot_event(lua_State *L, int index, struct lua_input *input)
{
    struct raft_event *event = &input->event;
    if (event->kind == RAFT_EVENT_SNAPSHOT_TAKEN || event->kind == RAFT_EVENT_SNAPSHOT_INSTALLED) {
        lua_getfield(L, index, "snapshot");
        lua_snapshot_read(L, input->parts, &input->snapshot);
        event->snapshot = &input->snapshot;
        event->first_index = (uint64_t)lua_field_integer(L, index, "first_index", 0);
    }
    if (event->kind != RAFT_EVENT_SNAPSHOT_TAKEN) {
        lua_getfield(L, index, "message");
        lua_message_read(L, input->parts, &input->message);
        event->message = &input->message;
    }
}

void lua_input_read(lua_State *L, int index, const struct raft *raft, int64_t now_ns,
                    uint64_t persisted, struct lua_input *input)
{
    luaL_checktype(L, index, LUA_TTABLE);
    struct lua_message_parts *parts = lua_message_parts_new(L);
    memset(input, 0, sizeof *input);
    input->parts = parts;
    input->event = (struct raft_event){
        .kind = event_kind(L, index),
        .force = lua_field_boolean(L, index, "force", false),
        .reject = lua_field_boolean(L, index, "reject", false),
        .lease = lua_field_boolean(L, index, "lease", false),
        .now_ns = lua_field_integer(L, index, "now_ns", now_ns),
        .sequence = (uint64_t)lua_field_integer(L, index, "sequence", 0),
        .read_id = (uint64_t)lua_field_integer(L, index, "read_id", 0),
        .target = (uint64_t)lua_field_integer(L, index, "target", 0),
    };
    if (input->event.kind == RAFT_EVENT_MESSAGE) {
        lua_getfield(L, index, "message");
        lua_message_read(L, parts, &input->message);
        input->event.message = &input->message;
    } else if (input->event.kind == RAFT_EVENT_SUBMIT) {
        lua_getfield(L, index, "entries");
        lua_entries_read(L, parts);
        input->event.entries = parts->entries;
        input->event.entry_count = parts->entry_count;
    } else if (input->event.kind == RAFT_EVENT_CHANGE) {
        lua_getfield(L, index, "configuration");
        luaL_checktype(L, -1, LUA_TTABLE);
        lua_members_read(L, lua_gettop(L), &parts->members);
        parts->members.preparing = lua_field_boolean(L, lua_gettop(L), "bring_level", false);
        input->event.configuration = &parts->members;
    } else if (input->event.kind >= RAFT_EVENT_SNAPSHOT_TAKEN &&
               input->event.kind <= RAFT_EVENT_SNAPSHOT_GONE) {
        read_snapshot_event(L, index, input);
        check_snapshot(L, raft, &input->event);
    }
    check_event(L, &input->event, now_ns, persisted);
}
