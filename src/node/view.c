/*
 * What others see of a node: one value, filled when somebody looks, so that being looked at costs a
 * node nothing while nobody does. It changes nothing else.
 */
#include "node/internal.h"

#include <stdio.h>

static const struct raft_configuration no_members;

static void view_core(const struct node *node, struct node_view *view)
{
    struct raft_status status;
    raft_get_status(node->raft, &status);
    view->directory = node->directory;
    view->role = status.role;
    view->term = status.term;
    view->vote = status.vote;
    view->leader = status.leader;
    view->commit_index = status.commit_index;
    view->applied_index = node->apply_next - 1;
    view->durable_index = status.durable_index;
    view->first_index = status.first_index;
    view->last_index = status.last_index;
    view->members = raft_members(node->raft);
    view->members_index = raft_members_index(node->raft);
    view->is_member = status.member;
    view->turned_away_by = node->turned_away_by;
}

static void view_disk(const struct node *node, struct node_view *view)
{
    struct store_contents contents;
    node->store->operations->contents(node->store, &contents);
    view->directory = contents.directory;
    view->role = RAFT_FOLLOWER;
    view->term = contents.term;
    view->vote = contents.vote;
    view->leader = 0;
    view->commit_index = 0;
    view->applied_index = 0;
    view->durable_index = contents.first_index + contents.entry_count - 1;
    view->first_index = contents.first_index;
    view->last_index = view->durable_index;
    view->members = &no_members;
    view->members_index = 0;
    view->is_member = false;
    view->turned_away_by = 0;
}

const struct node_view *node_view(struct node *node)
{
    struct node_view *view = &node->view;
    view->id = node->id;
    view->state = node->state;
    view->is_up = node->raft != NULL;
    view->address = node->endpoint == NULL ? "" : node->address;
    view->error = node->error;
    view->refused = &node->refused;
    view->statistics = &node->stats;
    node->stats.syncs = node->store->sync_count;
    node->stats.disk_bytes = node->store->byte_count;
    if (view->is_up) {
        view_core(node, view);
    } else {
        view_disk(node, view);
    }
    return view;
}

const struct raft_entry *node_log_read(const struct node *node, uint64_t index)
{
    if (node->raft != NULL) {
        struct raft_status status;
        raft_get_status(node->raft, &status);
        bool is_there = index >= status.first_index && index <= status.last_index;
        return is_there ? raft_entry_at(node->raft, index) : NULL;
    }
    struct store_contents contents;
    node->store->operations->contents(node->store, &contents);
    bool is_there =
        index >= contents.first_index && index - contents.first_index < contents.entry_count;
    return is_there ? node->store->operations->entry_at(node->store, index) : NULL;
}

void view_refused(struct node *node, uint64_t peer, const char *what, uint64_t term,
                  const char *reason)
{
    struct node_refusal *refused = &node->refused;
    refused->peer = peer;
    refused->what = what;
    refused->term = term;
    refused->at_ns = world_now_ns(node->world);
    refused->reason[0] = '\0';
    if (reason[0] != '\0') {
        (void)snprintf(refused->reason, sizeof refused->reason, "%s", reason);
    }
}

bool node_peer_at(const struct node *node, uint32_t position, struct raft_peer_status *peer)
{
    return node->raft != NULL && raft_peer_at(node->raft, position, peer);
}

uint64_t node_id(const struct node *node)
{
    return node->id;
}

enum node_state node_get_state(const struct node *node)
{
    return node->state;
}

struct machine *node_machine(const struct node *node)
{
    return node->machine;
}
