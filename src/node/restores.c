/*
 * The machine from the store's snapshot, at a start or when a received one took the place of the
 * log: read and verified piece by piece, while the node answers heartbeats and votes as ever.
 * Nothing is applied or asked meanwhile; a snapshot that cannot be restored is this node's end. It
 * never looks into the machine's bytes.
 */
#include "node/internal.h"

#include <stdio.h>

static void fail(struct node *node, const char *problem)
{
    char text[240];
    (void)snprintf(text, sizeof text, "it cannot go on from its snapshot of index %llu: %.170s",
                   (unsigned long long)node->restores.index, problem);
    node_fail(node, text);
}

/* What its disk holds is not what was written there. */
static void is_damaged(struct node *node, uint64_t offset, const char *problem)
{
    char file[32];
    char text[200];
    node->store->operations->snapshot_file(node->restores.index, file, sizeof file);
    (void)snprintf(text, sizeof text, "%s is damaged at byte %llu: %.100s",
                   file[0] == 0 ? "it" : file, (unsigned long long)offset, problem);
    node_life_damaged(node, file, offset);
    fail(node, text);
}

bool restores_is_under_way(const struct node *node)
{
    return node->restores.index != 0;
}

bool restores_reads(const struct node *node, uint64_t index)
{
    return node->restores.index == index;
}

uint64_t restores_last(const struct node *node, uint64_t *term)
{
    *term = node->restores.last_term;
    return node->restores.last_index;
}

static void forget(struct node *node)
{
    snapshot_decoder_free(&node->restores.decoder);
    node->restores.index = 0;
    node->restores.is_owed = false;
}

static void complete(struct node *node)
{
    struct restores *restores = &node->restores;
    struct failure failure;
    failure_clear(&failure);
    if (!machine_restore_end(node->machine, &failure)) {
        fail(node, failure.message);
        return;
    }
    report_restored(node, &restores->decoder.meta, machine_snapshot_digest(node->machine));
    if (restores->is_install) {
        removal_installed(node, restores->index, &restores->decoder.members);
    }
    restores->last_index = restores->index;
    restores->last_term = restores->decoder.meta.term;
    forget(node);
    snapshots_tidy(node);
    node->has_changed = true;
    application_note(node, NEWS_APPLIED);
    reads_restored(node);
    work_run(node);
}

/* Gives the machine what was read. */
static bool take(struct node *node, struct bytes bytes)
{
    struct restores *restores = &node->restores;
    struct failure failure;
    struct bytes machine_bytes;
    const char *problem = NULL;
    failure_clear(&failure);
    restores->offset += bytes.size;
    while (bytes.size > 0) {
        if (!snapshot_decode(&restores->decoder, &bytes, &machine_bytes, &problem)) {
            is_damaged(node, restores->offset - bytes.size, problem);
            return false;
        }
        if (machine_bytes.size > 0 &&
            !machine_restore_piece(node->machine, machine_bytes, &failure)) {
            fail(node, failure.message);
            return false;
        }
    }
    return true;
}

static void piece_read(void *context, struct bytes bytes, const struct failure *failure);

static void read_next(struct node *node)
{
    struct restores *restores = &node->restores;
    restores->is_reading = true;
    node->store->operations->snapshot_read(node->store, restores->index, restores->offset,
                                           snapshots_step_bytes(node, restores->turns++),
                                           piece_read, node);
}

static void go_on(struct node *node, struct bytes bytes, const struct failure *failure)
{
    if (failure != NULL) {
        fail(node, failure->message);
    } else if (bytes.size == 0) {
        is_damaged(node, node->restores.offset, "it is not whole");
    } else if (take(node, bytes)) {
        if (snapshot_is_whole(&node->restores.decoder)) {
            complete(node);
        } else {
            read_next(node);
        }
    }
}

static void piece_read(void *context, struct bytes bytes, const struct failure *failure)
{
    struct node *node = context;
    struct restores *restores = &node->restores;
    ensure(restores->is_reading && restores_is_under_way(node));
    restores->is_reading = false;
    if (node->state == NODE_PAUSED) {
        restores->is_owed = true;
    } else if (restores->is_stale) {
        restores->is_stale = false;
        read_next(node);
    } else {
        go_on(node, bytes, failure);
    }
    application_tell(node);
}

void restores_begin(struct node *node, const struct raft_snapshot *snapshot, bool is_install)
{
    struct restores *restores = &node->restores;
    struct failure failure;
    failure_clear(&failure);
    forget(node);
    restores->index = snapshot->index;
    restores->offset = 0;
    restores->turns = 0;
    restores->is_install = is_install;
    restores->is_stale = restores->is_reading; /* of one that it was in the middle of */
    if (!machine_restore_begin(node->machine, &failure)) {
        fail(node, failure.message);
    } else if (!restores->is_reading) {
        read_next(node);
    }
}

void restores_catch_up(struct node *node)
{
    if (node_is_running(node) && node->restores.is_owed) {
        node->restores.is_owed = false;
        node->restores.is_stale = false;
        read_next(node);
    }
}

void restores_end(struct node *node)
{
    forget(node);
    node->restores = (struct restores){0};
}
