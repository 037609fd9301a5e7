/*
 * What a node of an application tells: outcomes, events and trace, to the one function that was
 * given to loop:dispatch.
 */
#include "lua/embed.h"

static void set_address(lua_State *L, const char *name, const struct raft_member *member)
{
    if (member != NULL && member->address_size > 0) {
        lua_set_bytes(L, name,
                      (struct bytes){(const uint8_t *)member->address, member->address_size});
    }
}

/* nil, message, code, detail; with the leader's address where it is known */
static void push_failure(lua_State *L, const struct lua_embedded *box,
                         const struct failure *failure)
{
    const struct node_view *view = node_view(embed_node(box->embedded));
    lua_failure_push(L, failure);
    if (failure->leader != 0) {
        set_address(L, "address", raft_configuration_find(view->members, failure->leader));
    }
}

void lua_embed_on_done(void *context, uint64_t ticket, const struct node_outcome *outcome)
{
    struct lua_embedded *box = context;
    lua_State *L = box->all->L;
    if (!lua_dispatch_begin(box->all, box->id, "done")) {
        return;
    }
    lua_pushinteger(L, (lua_Integer)ticket);
    if (outcome->failure.code != FAILURE_NONE) {
        push_failure(L, box, &outcome->failure);
        lua_dispatch(box->all, 5);
        return;
    }
    lua_pushinteger(L, (lua_Integer)outcome->index);
    lua_pushinteger(L, (lua_Integer)outcome->term);
    lua_value_push(L, outcome->result);
    lua_dispatch(box->all, 4);
}

/* {voters, learners, voters_old}, and the addresses by id */
void lua_embed_members_push(lua_State *L, const struct raft_configuration *members)
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

static void dispatch_members(struct lua_embedded *box)
{
    const struct node_view *view = node_view(embed_node(box->embedded));
    if (view->is_up && lua_dispatch_begin(box->all, box->id, "members")) {
        lua_embed_members_push(box->all->L, view->members);
        lua_dispatch(box->all, 1);
    }
}

/* The message, then the traceback of what apply raised, where it did. */
static void dispatch_failed(struct lua_embedded *box, const char *text)
{
    lua_State *L = box->all->L;
    if (lua_dispatch_begin(box->all, box->id, "failed")) {
        lua_pushstring(L, text);
        lua_embed_loop_table(L, "failures");
        lua_rawgeti(L, -1, (lua_Integer)box->id);
        lua_remove(L, -2);
        lua_dispatch(box->all, 2);
    }
}

static void dispatch_number_and_text(struct lua_embedded *box, const char *what, uint64_t number,
                                     const char *text)
{
    if (lua_dispatch_begin(box->all, box->id, what)) {
        lua_pushinteger(box->all->L, (lua_Integer)number);
        lua_pushstring(box->all->L, text);
        lua_dispatch(box->all, 2);
    }
}

void lua_embed_on_event(void *context, const struct embed_event *event)
{
    struct lua_embedded *box = context;
    switch (event->kind) {
    case EMBED_LEADER:
        if (lua_dispatch_begin(box->all, box->id, "leader")) {
            lua_pushinteger(box->all->L, (lua_Integer)event->id);
            lua_pushinteger(box->all->L, (lua_Integer)event->term);
            lua_dispatch(box->all, 2);
        }
        return;
    case EMBED_ROLE:
        dispatch_number_and_text(box, "role", event->term, raft_role_name(event->role));
        return;
    case EMBED_MEMBERS:
        dispatch_members(box);
        return;
    case EMBED_REMOVED:
        if (lua_dispatch_begin(box->all, box->id, "removed")) {
            lua_dispatch(box->all, 0);
        }
        return;
    case EMBED_FAILED:
        dispatch_failed(box, event->text);
        return;
    case EMBED_NOTICE:
        dispatch_number_and_text(box, "notice", event->id, event->text);
        return;
    }
}

void lua_embed_on_trace(void *context, const struct trace_event *event)
{
    struct lua_embedded *box = context;
    if (lua_dispatch_begin(box->all, box->id, "trace")) {
        lua_event_push(box->all->L, event);
        lua_dispatch(box->all, 1);
    }
}
