/*
 * Whether a configuration needs a server's disk: one that is in force, the latest that is committed
 * (of a joint one the old voters are needed until the final one is committed), or one that is not
 * and may yet be. It only looks at what nodes say of themselves and at their logs.
 */
#include "cluster/internal.h"

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

/* Whether a configuration behind `commit` in that node's log lists the server; `or_at`: or the one
 * that is in force there. */
static bool lists_after(struct cluster_node *node, uint64_t commit, const struct member *member,
                        bool or_at)
{
    const struct node_view *view = cluster_view(node);
    if (!view->is_up && !cluster_read_disk(node, NULL)) {
        return false; /* what cannot be read cannot count either */
    }
    uint64_t last = view->last_index;
    uint64_t first = view->first_index > commit || or_at ? view->first_index : commit + 1;
    bool is_at = false;
    for (uint64_t index = last; index >= first && !is_at; index--) {
        const struct raft_entry *entry = cluster_log_read(node, index);
        struct raft_configuration members;
        if (entry == NULL || raft_entry_kind(entry) != RAFT_ENTRY_CONFIGURATION ||
            !raft_configuration_decode(raft_entry_payload(entry), &members)) {
            continue;
        }
        is_at = index <= commit;
        bool lists = raft_configuration_lists(&members, member->id, member->directory);
        raft_configuration_free(&members);
        if (lists) {
            return true;
        }
    }
    return false;
}

bool cluster_needs_disk(const struct cluster *cluster, const struct member *member)
{
    struct cluster_node *best = most_advanced(cluster, member->id);
    if (best == NULL) {
        return false;
    }
    if (raft_configuration_lists(cluster_view(best)->members, member->id, member->directory)) {
        return true;
    }
    uint64_t commit = cluster_view(best)->commit_index;
    for (size_t i = 0; i < cluster->members.count; i++) {
        struct cluster_node *node = cluster->members.items[i].node;
        if (node != NULL && &cluster->members.items[i] != member &&
            lists_after(node, commit, member, node == best)) {
            return true;
        }
    }
    return false;
}
