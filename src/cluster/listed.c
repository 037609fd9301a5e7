/*
 * Which configurations count: one that is in force, the latest that is committed (of a joint one
 * the old voters are needed until the final one is committed), or one that is not and may yet be.
 * They are in logs, and where these were compacted in snapshots. It only looks at what nodes say of
 * themselves, and at what they and their disks hold.
 */
#include "cluster/internal.h"

/* Looks at one configuration; true: it was looked for. */
typedef bool configuration_test(void *context, const struct raft_configuration *configuration);

/* The running node other than that one that knows of the most commits; NULL: none runs. */
static struct cluster_node *most_advanced(const struct cluster *cluster, uint64_t except)
{
    struct cluster_node *best = NULL;
    uint64_t commit = 0;
    for (size_t i = 0; i < cluster->members.count; i++) {
        struct cluster_node *node = cluster->members.items[i].node;
        if (cluster->members.items[i].id == except || node == NULL ||
            cluster_view(node)->state != NODE_RUNNING) {
            continue;
        }
        uint64_t known = cluster_view(node)->commit_index;
        if (best == NULL || known > commit) {
            best = node;
            commit = known;
        }
    }
    return best;
}

/* Among those behind `commit` in that node's log; `or_at`: or the one in force there. */
static bool find_in_log(struct cluster_node *node, uint64_t commit, bool or_at,
                        configuration_test *test, void *context)
{
    const struct node_view *view = cluster_view(node);
    if (!view->is_up && !cluster_read_disk(node, NULL)) {
        return false; /* what cannot be read cannot count either */
    }
    uint64_t first = view->first_index > commit || or_at ? view->first_index : commit + 1;
    for (uint64_t index = view->last_index; index > 0 && index >= first; index--) {
        const struct raft_entry *entry = cluster_log_read(node, index);
        struct raft_configuration members;
        if (entry == NULL || raft_entry_kind(entry) != RAFT_ENTRY_CONFIGURATION ||
            !raft_configuration_decode(raft_entry_payload(entry), &members)) {
            continue;
        }
        bool found = test(context, &members);
        raft_configuration_free(&members);
        if (found || index <= commit) {
            return found;
        }
    }
    return (or_at || view->snapshot_index > commit) && test(context, view->snapshot_members);
}

/* Among all that count, as others than that node have them; 0: all nodes. */
static bool find(const struct cluster *cluster, uint64_t except, configuration_test *test,
                 void *context)
{
    struct cluster_node *best = most_advanced(cluster, except);
    if (best == NULL) {
        return false;
    }
    if (test(context, cluster_view(best)->members)) {
        return true;
    }
    uint64_t commit = cluster_view(best)->commit_index;
    for (size_t i = 0; i < cluster->members.count; i++) {
        const struct member *member = &cluster->members.items[i];
        if (member->node != NULL && member->id != except &&
            find_in_log(member->node, commit, member->node == best, test, context)) {
            return true;
        }
    }
    return false;
}

static bool lists(void *context, const struct raft_configuration *configuration)
{
    const struct member *member = context;
    return raft_configuration_lists(configuration, member->id, member->directory);
}

bool cluster_needs_disk(const struct cluster *cluster, const struct member *member)
{
    struct member wanted = *member;
    return find(cluster, member->id, lists, &wanted);
}

static void count_fewer(uint32_t *fewest, uint32_t voters)
{
    if (voters > 0 && (*fewest == 0 || voters < *fewest)) {
        *fewest = voters;
    }
}

static bool count_voters(void *context, const struct raft_configuration *configuration)
{
    uint32_t voters = 0;
    uint32_t voters_old = 0;
    uint32_t next_voters = 0;
    for (uint32_t i = 0; i < configuration->count; i++) {
        voters += configuration->members[i].voter;
        voters_old += configuration->members[i].voter_old;
        next_voters += configuration->members[i].next_voter;
    }
    count_fewer(context, voters);
    count_fewer(context, voters_old);
    count_fewer(context, next_voters);
    return false;
}

uint32_t cluster_fewest_voters(const struct cluster *cluster)
{
    uint32_t fewest = 0;
    (void)find(cluster, 0, count_voters, &fewest);
    return fewest;
}
