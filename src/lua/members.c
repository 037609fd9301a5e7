/* Configurations to and from Lua: {voters = {ids}, learners = {ids}}; voters_old while joint; while
 * new voters are brought level, wanted = {voters, learners, added}. */
#include "lua/module.h"

enum part {
    PART_VOTERS,
    PART_VOTERS_OLD,
    PART_LEARNERS,
    PART_NEXT_VOTERS,
    PART_NEXT_LEARNERS,
    PART_ADDED
};

static bool in_part(const struct raft_member *member, enum part part)
{
    switch (part) {
    case PART_VOTERS:
        return member->voter;
    case PART_VOTERS_OLD:
        return member->voter_old;
    case PART_LEARNERS:
        return member->learner;
    case PART_NEXT_VOTERS:
        return member->next_voter;
    case PART_NEXT_LEARNERS:
        return member->next_learner;
    case PART_ADDED:
        return member->added;
    }
    return false;
}

static void set_part(lua_State *L, const char *name, const struct raft_configuration *members,
                     enum part part)
{
    lua_newtable(L);
    lua_Integer place = 0;
    for (uint32_t i = 0; i < members->count; i++) {
        if (in_part(&members->members[i], part)) {
            lua_pushinteger(L, (lua_Integer)members->members[i].id);
            lua_rawseti(L, -2, ++place);
        }
    }
    lua_setfield(L, -2, name);
}

void lua_members_push(lua_State *L, const struct raft_configuration *members)
{
    lua_createtable(L, 0, 3);
    set_part(L, "voters", members, PART_VOTERS);
    set_part(L, "learners", members, PART_LEARNERS);
    if (members->joint) {
        set_part(L, "voters_old", members, PART_VOTERS_OLD);
    }
    if (members->preparing) {
        lua_createtable(L, 0, 3);
        set_part(L, "voters", members, PART_NEXT_VOTERS);
        set_part(L, "learners", members, PART_NEXT_LEARNERS);
        set_part(L, "added", members, PART_ADDED);
        lua_setfield(L, -2, "wanted");
    }
}

void lua_directories_push(lua_State *L, const struct raft_configuration *members)
{
    bool known = false;
    lua_newtable(L);
    for (uint32_t i = 0; i < members->count; i++) {
        known = known || members->members[i].directory != 0;
        lua_pushinteger(L, (lua_Integer)members->members[i].directory);
        lua_rawseti(L, -2, (lua_Integer)members->members[i].id);
    }
    if (known) {
        lua_setfield(L, -2, "directories");
    } else {
        lua_pop(L, 1);
    }
}

static void read_part(lua_State *L, int index, const char *name, enum part part,
                      struct raft_configuration *members)
{
    lua_getfield(L, index, name);
    size_t count = lua_istable(L, -1) ? (size_t)lua_rawlen(L, -1) : 0;
    for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i);
        struct raft_member member = {.id = (uint64_t)lua_tointeger(L, -1)};
        lua_pop(L, 1);
        const struct raft_member *known = raft_configuration_find(members, member.id);
        if (known != NULL) {
            member = *known;
        }
        member.voter = member.voter || part == PART_VOTERS;
        member.voter_old = member.voter_old || part == PART_VOTERS_OLD;
        member.learner = member.learner || part == PART_LEARNERS;
        member.next_voter = member.next_voter || part == PART_NEXT_VOTERS;
        member.next_learner = member.next_learner || part == PART_NEXT_LEARNERS;
        member.added = member.added || part == PART_ADDED;
        if (member.id >= 1) {
            raft_configuration_put(members, &member);
        }
    }
    members->joint = members->joint || (part == PART_VOTERS_OLD && count > 0);
    lua_pop(L, 1);
}

static void read_directories(lua_State *L, int index, struct raft_configuration *members)
{
    lua_getfield(L, index, "directories");
    for (uint32_t i = 0; i < members->count && lua_istable(L, -1); i++) {
        lua_rawgeti(L, -1, (lua_Integer)members->members[i].id);
        members->members[i].directory = (uint64_t)lua_tointeger(L, -1);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

void lua_members_read(lua_State *L, int index, struct raft_configuration *members)
{
    read_part(L, index, "voters", PART_VOTERS, members);
    read_part(L, index, "voters_old", PART_VOTERS_OLD, members);
    read_part(L, index, "learners", PART_LEARNERS, members);
    lua_getfield(L, index, "wanted");
    if (lua_istable(L, -1)) {
        members->preparing = true;
        read_part(L, lua_gettop(L), "voters", PART_NEXT_VOTERS, members);
        read_part(L, lua_gettop(L), "learners", PART_NEXT_LEARNERS, members);
        read_part(L, lua_gettop(L), "added", PART_ADDED, members);
    }
    lua_pop(L, 1);
    read_directories(L, index, members);
}
