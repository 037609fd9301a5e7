/*
 * What was applied where, read from the nodes' own logs; and of commands that a snapshot is about
 * to take from the logs, their hashes. Beside these it keeps nothing but how far a waiting ticket
 * has looked.
 */
#include "cluster/internal.h"

#define COVERED_MAX 1000000U /* commands; beyond it the oldest half is forgotten */

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

/* ---- commands that snapshots cover ---------------------------------------------------------- */

static uint64_t command_hash(struct bytes command)
{
    return hash_bytes(command.data == NULL ? (const uint8_t *)"" : command.data, command.size, 0);
}

static void note_covered(struct cluster *cluster, const struct raft_entry *entry, uint64_t index)
{
    struct machine_payload payload;
    if (entry == NULL || raft_entry_kind(entry) != RAFT_ENTRY_COMMAND ||
        !machine_payload_read(raft_entry_payload(entry), &payload)) {
        return;
    }
    if (cluster->covered.count == COVERED_MAX) {
        array_remove(&cluster->covered, 0, COVERED_MAX / 2);
    }
    *array_push(&cluster->covered) = (struct covered_command){index, command_hash(payload.command)};
}

/* A node has taken a snapshot, and its log still holds what that covers. */
static void snapshot_taken(void *context, const struct trace_event *event)
{
    struct cluster *cluster = context;
    struct cluster_node *node = cluster_node(cluster, event->node);
    if (node == NULL) {
        return;
    }
    const struct node_view *view = cluster_view(node);
    uint64_t index = cluster->covered_to + 1;
    index = index < view->first_index ? view->first_index : index;
    for (; index <= event->index; index++) {
        note_covered(cluster, cluster_log_read(node, index), index);
        cluster->covered_to = index;
    }
}

void cluster_note_snapshots(struct cluster *cluster)
{
    (void)trace_subscribe(cluster->trace, TRACE_MASK(TRACE_SNAPSHOT), snapshot_taken, cluster);
}

/* The lowest index behind *scanned, which moves to the last that snapshots cover; 0: none. */
static uint64_t find_covered(const struct cluster *cluster, struct bytes command, uint64_t *scanned)
{
    uint64_t hash = command_hash(command);
    size_t place = array_place(&cluster->covered, index, *scanned + 1);
    for (; place < cluster->covered.count; place++) {
        if (cluster->covered.items[place].hash == hash) {
            return cluster->covered.items[place].index;
        }
    }
    *scanned = *scanned < cluster->covered_to ? cluster->covered_to : *scanned;
    return 0;
}

/* ---- looking -------------------------------------------------------------------------------- */

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
    uint64_t covered = find_covered(cluster, command, scanned);
    if (covered != 0) {
        return covered;
    }
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
