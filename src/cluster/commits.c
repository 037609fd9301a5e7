/*
 * What was applied where, read from the nodes' own logs. It keeps nothing but how far a waiting
 * ticket has looked.
 */
#include "cluster/internal.h"

static bool is_command(const struct raft_entry *entry, struct bytes command)
{
    struct machine_payload payload;
    return raft_entry_kind(entry) == RAFT_ENTRY_COMMAND &&
           machine_payload_read(raft_entry_payload(entry), &payload) &&
           bytes_equal(payload.command, command);
}

/* The lowest index in (*scanned, applied] whose entry is this command; 0: none, and *scanned moves.
 */
static uint64_t find_applied(struct cluster_node *node, struct bytes command, uint64_t *scanned)
{
    const struct node_view *view = cluster_view(node);
    uint64_t index = *scanned + 1 > view->first_index ? *scanned + 1 : view->first_index;
    for (; index <= view->applied_index; index++) {
        const struct raft_entry *entry = cluster_log_read(node, index);
        if (entry == NULL) {
            return 0; /* it cannot be asked now */
        }
        if (is_command(entry, command)) {
            return index;
        }
        *scanned = index;
    }
    return 0;
}

/* NULL: it does not run or is cut off. */
static struct cluster_node *connected_node(const struct cluster *cluster, size_t position)
{
    const struct member *member = &cluster->members.items[position];
    return cluster_is_connected(cluster, member->id) ? member->node : NULL;
}

/* On how many running, connected nodes the entry at `index` is applied and this command. */
static uint64_t count_at(const struct cluster *cluster, struct bytes command, uint64_t index,
                         struct failure *failure)
{
    uint64_t count = 0;
    for (size_t i = 0; i < cluster->members.count; i++) {
        struct cluster_node *node = connected_node(cluster, i);
        const struct node_view *view = node != NULL ? cluster_view(node) : NULL;
        if (view == NULL || view->applied_index < index) {
            continue;
        }
        const struct raft_entry *entry =
            index >= view->first_index ? cluster_log_read(node, index) : NULL;
        if (index >= view->first_index && entry == NULL) {
            continue; /* it has just ended */
        }
        if (entry != NULL && !is_command(entry, command)) {
            failure_set(failure, FAILURE_STORAGE,
                        "the logs disagree: index %llu is another entry on node %llu",
                        (unsigned long long)index,
                        (unsigned long long)cluster->members.items[i].id);
            return 0;
        }
        count++;
    }
    return count;
}

static uint64_t find_anywhere(const struct cluster *cluster, struct bytes command,
                              uint64_t *scanned)
{
    /* Applied entries are the same everywhere, so that one node's log after the other adds to what
     * has been looked at. */
    for (size_t i = 0; i < cluster->members.count; i++) {
        struct cluster_node *node = connected_node(cluster, i);
        uint64_t index = node != NULL ? find_applied(node, command, scanned) : 0;
        if (index != 0) {
            return index;
        }
    }
    return 0;
}

uint64_t cluster_committed(const struct cluster *cluster, struct bytes command, uint64_t *index,
                           struct failure *failure)
{
    uint64_t scanned = 0;
    *index = find_anywhere(cluster, command, &scanned);
    return *index != 0 ? count_at(cluster, command, *index, failure) : 0;
}

bool committed_judge(void *owner, struct request_wait *wait, struct bytes body,
                     struct request_outcome *outcome)
{
    if (wait->found == 0) {
        wait->found = find_anywhere(owner, body, &wait->scanned);
    }
    if (wait->found == 0) {
        return false;
    }
    failure_clear(&outcome->failure);
    outcome->index = wait->found;
    outcome->count = count_at(owner, body, wait->found, &outcome->failure);
    return outcome->count >= wait->wanted || outcome->failure.code != FAILURE_NONE;
}
