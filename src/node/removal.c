/*
 * The members as far as they are applied: a server that they leave out ends, soon, unless it turns
 * out to be a member again.
 */
#include "node/internal.h"

#include <string.h>

/* A node that was dropped stays for so long, so that its last answers, and the last commit of a
 * leader that dropped itself, reach the others. */
#define REMOVAL_DELAY_MAX_NS 100000000
/* Nothing came from the leader for so long: two of its heartbeats, within these bounds. */
#define QUIET_MIN_NS 100000000
#define QUIET_MAX_NS 500000000

/* Whether what the application is told of members is another. */
static bool differs(const struct raft_configuration *a, const struct raft_configuration *b)
{
    bool same = a->count == b->count && a->joint == b->joint && a->preparing == b->preparing;
    for (uint32_t i = 0; same && i < a->count; i++) {
        const struct raft_member *one = &a->members[i];
        const struct raft_member *other = &b->members[i];
        same = one->id == other->id && one->voter == other->voter &&
               one->learner == other->learner && one->voter_old == other->voter_old &&
               one->next_voter == other->next_voter && one->next_learner == other->next_learner &&
               one->address_size == other->address_size &&
               memcmp(one->address, other->address, one->address_size) == 0;
    }
    return !same;
}

/* Takes the configuration over. */
static void take(struct node *node, uint64_t index, struct raft_configuration *members)
{
    struct removal *removal = &node->removal;
    if (differs(&removal->members, members)) {
        application_note(node, NEWS_MEMBERS);
    }
    /* A configuration that lists another server of this id, a former life, concerns this one
     * neither by listing it nor by removing it. */
    if (raft_is_listed(node->raft, members)) {
        removal->was_member = true;
        removal->index = 0;
    } else if (!members->joint && removal->was_member) {
        removal->was_member = false;
        removal->index = index;
    }
    raft_configuration_free(&removal->members);
    removal->members = *members;
}

enum members_form removal_applied(struct node *node, uint64_t index, const struct raft_entry *entry)
{
    struct raft_configuration members = {0};
    bool whole = raft_configuration_decode(raft_entry_payload(entry), &members);
    ensure(whole); /* the core took it into force */
    take(node, index, &members);
    return members.joint ? MEMBERS_JOINT : members.preparing ? MEMBERS_PREPARING : MEMBERS_SIMPLE;
}

void removal_installed(struct node *node, uint64_t index, const struct raft_configuration *members)
{
    struct raft_configuration copy;
    raft_configuration_copy(&copy, members);
    take(node, index, &copy);
}

const struct raft_configuration *removal_members(const struct node *node)
{
    return &node->removal.members;
}

/* It may have been added again with the same disk, by what its log holds already. */
static bool is_listed(const struct node *node)
{
    return raft_is_listed(node->raft, raft_members(node->raft));
}

void removal_heard(struct node *node, uint64_t from)
{
    node->removal.heard_from = from;
    node->removal.heard_ns = world_now_ns(node->world);
}

/* The leader goes on sending to it: what follows may add it again. One that was removed for good
 * gets nothing more when it has answered. */
static bool is_served(const struct node *node)
{
    const struct removal *removal = &node->removal;
    int64_t quiet_ns = 2 * node->options.raft.heartbeat_interval_ns;
    struct raft_status status;
    raft_get_status(node->raft, &status);
    quiet_ns = quiet_ns < QUIET_MIN_NS ? QUIET_MIN_NS : quiet_ns;
    quiet_ns = quiet_ns > QUIET_MAX_NS ? QUIET_MAX_NS : quiet_ns;
    return removal->heard_from != 0 && removal->heard_from == status.leader &&
           world_now_ns(node->world) - removal->heard_ns < quiet_ns;
}

void removal_arm(struct node *node)
{
    struct removal *removal = &node->removal;
    int64_t delay_ns = node->options.raft.heartbeat_interval_ns;
    if (node->raft == NULL || removal->index == 0 || removal->is_armed || is_listed(node)) {
        return;
    }
    if (delay_ns > REMOVAL_DELAY_MAX_NS) {
        delay_ns = REMOVAL_DELAY_MAX_NS;
    }
    removal->is_armed = true;
    node->world->operations->wake_at(node->world, &removal->wakeup,
                                     world_now_ns(node->world) + delay_ns);
}

static void carry_out(struct node *node)
{
    node->removal.is_armed = false;
    node->removal.is_owed = false;
    if (is_listed(node)) {
        return; /* it has been added again meanwhile */
    }
    if (is_served(node)) {
        removal_arm(node);
    } else {
        node_end_removed(node);
    }
}

static void removal_is_due(void *context)
{
    struct node *node = context;
    if (node->state == NODE_PAUSED) {
        node->removal.is_owed = true;
        return;
    }
    carry_out(node);
    application_tell(node);
}

void removal_catch_up(struct node *node)
{
    if (node_is_running(node) && node->removal.is_owed) {
        carry_out(node);
    }
}

void removal_prepare(struct node *node)
{
    node->removal.wakeup = (struct wakeup){.fire = removal_is_due, .context = node};
}

void removal_begin(struct node *node, const struct raft_configuration *first_members)
{
    struct removal *removal = &node->removal;
    raft_configuration_copy(&removal->members, first_members);
    raft_configuration_claim(&removal->members, node->id, node->directory);
    removal->was_member = raft_configuration_lists(&removal->members, node->id, node->directory);
}

void removal_end(struct node *node)
{
    struct removal *removal = &node->removal;
    node->world->operations->wake_at(node->world, &removal->wakeup, WORLD_NEVER);
    raft_configuration_free(&removal->members);
    removal->index = 0;
    removal->was_member = false;
    removal->is_armed = false;
    removal->is_owed = false;
    removal->heard_from = 0;
}
