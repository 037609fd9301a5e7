/*
 * Who leads, seen from outside: what every running node says of itself. It asks no node to do
 * anything.
 */
#include "cluster/internal.h"

static bool reaches_both_ways(const struct cluster *cluster, uint64_t a, uint64_t b)
{
    return !faults_is_cut(cluster->faults, a, b, NULL) &&
           !faults_is_cut(cluster->faults, b, a, NULL);
}

static bool names_leader(const struct cluster *cluster, uint64_t id, uint64_t leader, uint64_t term)
{
    struct cluster_node *node = cluster_node(cluster, id);
    const struct node_view *view = node != NULL ? cluster_view(node) : NULL;
    return view != NULL && view->state == NODE_RUNNING && view->leader == leader &&
           view->term == term && (id == leader || reaches_both_ways(cluster, id, leader));
}

static bool has_quorum(const struct cluster *cluster, const struct raft_configuration *members,
                       uint64_t leader, uint64_t term)
{
    uint32_t voters = 0;
    uint32_t voters_old = 0;
    uint32_t agree = 0;
    uint32_t agree_old = 0;
    for (uint32_t i = 0; i < members->count; i++) {
        const struct raft_member *member = &members->members[i];
        if (!member->voter && !member->voter_old) {
            continue;
        }
        bool names = names_leader(cluster, member->id, leader, term);
        voters += member->voter;
        voters_old += member->voter_old;
        agree += member->voter && names;
        agree_old += member->voter_old && names;
    }
    bool quorum = agree * 2 > voters;
    return members->joint ? quorum && agree_old * 2 > voters_old : quorum;
}

uint64_t cluster_leader(const struct cluster *cluster, uint64_t *term)
{
    uint64_t leader = 0;
    *term = 0;
    for (size_t i = 0; i < cluster->members.count; i++) {
        uint64_t id = cluster->members.items[i].id;
        struct cluster_node *node = cluster->members.items[i].node;
        const struct node_view *view = node != NULL ? cluster_view(node) : NULL;
        if (view != NULL && view->state == NODE_RUNNING && view->role == RAFT_LEADER &&
            view->term > *term && !faults_is_disconnected(cluster->faults, id) &&
            has_quorum(cluster, view->members, id, view->term)) {
            leader = id;
            *term = view->term;
        }
    }
    return leader;
}

bool cluster_believes_to_lead(const struct cluster *cluster, size_t position)
{
    struct cluster_node *node = cluster_node(cluster, cluster_id_at(cluster, position));
    const struct node_view *view = node == NULL ? NULL : cluster_view(node);
    return view != NULL && view->is_up && view->role == RAFT_LEADER;
}

bool leader_judge(void *owner, struct request_wait *wait, struct bytes body,
                  struct request_outcome *outcome)
{
    (void)body;
    outcome->index = cluster_leader(owner, &outcome->term);
    return outcome->index != 0 && outcome->term > wait->wanted;
}
