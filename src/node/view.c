/*
 * What others see of a node: one value, filled when it is read and something has changed, so
 * that being looked at costs a node next to nothing. It changes nothing else.
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
    view->applied_index = work_applied(node);
    view->durable_index = status.durable_index;
    view->first_index = status.first_index;
    view->last_index = status.last_index;
    view->snapshot_index = status.snapshot_index;
    view->snapshot_term = status.snapshot_term;
    view->restored_index = restores_last(node, &view->restored_term);
    view->is_restoring = restores_is_under_way(node);
    view->members = raft_members(node->raft);
    view->members_index = raft_members_index(node->raft);
    view->snapshot_members = raft_snapshot_members(node->raft);
    view->turned_away_by = identity_turned_away_by(node);
    view->is_member = status.member && view->turned_away_by == 0;
}

static void view_disk(const struct node *node, struct node_view *view)
{
    struct store_contents contents;
    node->store->operations->contents(node->store, &contents);
    *view = (struct node_view){
        .directory = contents.directory,
        .role = RAFT_FOLLOWER,
        .term = contents.term,
        .vote = contents.vote,
        .durable_index = contents.first_index + contents.entry_count - 1,
        .first_index = contents.first_index,
        .last_index = contents.first_index + contents.entry_count - 1,
        .snapshot_index = contents.snapshot.index,
        .snapshot_term = contents.snapshot.term,
        .members = &no_members,
        .snapshot_members = store_snapshot_members(&contents),
    };
}

static void refresh(struct node *node, struct node_view *view)
{
    if (node->raft != NULL) {
        view_core(node, view);
    } else {
        view_disk(node, view);
    }
    view->id = node->id;
    view->state = node->state;
    view->is_up = node->raft != NULL;
    view->address = node->endpoint == NULL ? "" : node->address;
    view->error = node_life_error(node);
    view->machine_failed = work_machine_failed(node);
    view->damaged_file = node_life_damage(node, &view->damaged_offset);
    view->refused = &node->view.refused;
    view->statistics = &node->view.statistics;
    node->has_changed = !view->is_up; /* what a disk holds changes by itself */
}

const struct node_view *node_view(struct node *node)
{
    struct node_view *view = &node->view.value;
    if (node->has_changed) {
        refresh(node, view);
    }
    node->view.statistics.syncs = node->store->sync_count;
    node->view.statistics.disk_bytes = node->store->byte_count;
    return view;
}

const struct raft_entry *node_log_read(struct node *node, uint64_t index)
{
    const struct node_view *view = node_view(node);
    if (index < view->first_index || index > view->last_index) {
        return NULL;
    }
    return view->is_up ? raft_entry_at(node->raft, index)
                       : node->store->operations->entry_at(node->store, index);
}

void view_refused(struct node *node, uint64_t peer, const char *what, uint64_t term,
                  const char *reason)
{
    struct node_refusal *refused = &node->view.refused;
    refused->peer = peer;
    refused->what = what;
    refused->term = term;
    refused->at_ns = world_now_ns(node->world);
    refused->reason[0] = '\0';
    if (reason[0] != '\0') {
        (void)snprintf(refused->reason, sizeof refused->reason, "%s", reason);
    }
}

/* ---- statistics ----------------------------------------------------------------------------- */

void view_count_sent(struct node *node, enum raft_message_kind kind, size_t frame_bytes)
{
    struct node_stats *statistics = &node->view.statistics;
    statistics->messages[0]++;
    statistics->messages[kind]++;
    statistics->bytes[0] += frame_bytes;
    statistics->bytes[kind] += frame_bytes;
}

void view_count_payload(struct node *node, uint64_t bytes)
{
    node->view.statistics.payload_bytes += bytes;
}

void view_count_delivery(struct node *node)
{
    node->view.statistics.deliveries++;
}

void view_count_snapshot(struct node *node)
{
    node->view.statistics.snapshots++;
}

void view_count_install(struct node *node)
{
    node->view.statistics.installs++;
}

void view_count_changes(struct node *node, const struct raft_update *update,
                        const struct raft_status *status)
{
    struct view *view = &node->view;
    if (update->voted && status->vote == node->id) {
        view->statistics.elections++;
    }
    if (status->commit_index > view->commit_high) {
        view->statistics.commits += status->commit_index - view->commit_high;
        view->commit_high = status->commit_index;
    }
}

/* ---- parts of it ---------------------------------------------------------------------------- */

bool node_peer_at(const struct node *node, uint32_t position, struct raft_peer_status *peer)
{
    return node->raft != NULL && raft_peer_at(node->raft, position, peer);
}

struct machine *node_machine(const struct node *node)
{
    return node->machine;
}

void view_begin(struct node *node)
{
    node->view.refused.peer = 0;
}
