/*
 * Whether a change of members may be asked for. It never asks for one.
 */
#include "embed/internal.h"

#include <string.h>

static bool has_same_address(const struct raft_configuration *members,
                             const struct raft_member *wanted)
{
    const struct raft_member *member = raft_configuration_find(members, wanted->id);
    return member != NULL && member->address_size == wanted->address_size &&
           memcmp(member->address, wanted->address, wanted->address_size) == 0;
}

/* As far as the log tells, which in memory is all. */
static bool was_there_before(const struct embedded *embedded, const struct raft_member *wanted)
{
    const struct raft *raft = node_raft(embedded->node);
    struct raft_status status;
    raft_get_status(raft, &status);
    bool found = has_same_address(&embedded->first_members, wanted);
    for (uint64_t index = status.first_index; index <= status.last_index && !found; index++) {
        const struct raft_entry *entry = raft_entry_at(raft, index);
        struct raft_configuration members = {0};
        if (raft_entry_kind(entry) == RAFT_ENTRY_CONFIGURATION &&
            raft_configuration_decode(raft_entry_payload(entry), &members)) {
            found = has_same_address(&members, wanted);
        }
        raft_configuration_free(&members);
    }
    return found;
}

/* A disk in memory is empty in each new life of its process. Whoever knows only an old
 * configuration must not find it where a voter was, and count the vote of its new life besides that
 * of the former (the world's `reserve` does the same for clusters). */
bool change_is_safe(const struct embedded *embedded, const struct raft_configuration *wanted,
                    struct failure *failure)
{
    const struct raft_configuration *members = raft_members(node_raft(embedded->node));
    for (uint32_t i = 0; i < wanted->count; i++) {
        const struct raft_member *member = &wanted->members[i];
        if (raft_configuration_find(members, member->id) == NULL &&
            was_there_before(embedded, member)) {
            failure_set(failure, FAILURE_ADDRESS,
                        "node %llu was a member at %.*s before and its disk in memory is empty "
                        "now: start it (join = true) at another address or under another id, and "
                        "add that",
                        (unsigned long long)member->id, (int)member->address_size, member->address);
            return false;
        }
    }
    return true;
}
