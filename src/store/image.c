/*
 * What a disk holds for sure (hard state, log, first members), and groups of persists, which become
 * part of it when they are durable. It knows nothing of how a disk makes them so, and copies no
 * payload.
 */
#include "store/internal.h"

#include <string.h>

/* What an entry's head (its term and kind) counts as, and the hard state. */
#define HEAD_BYTES 16

/* ---- groups of persists --------------------------------------------------------------------- */

uint64_t group_add(struct group *group, const struct raft_persist *persist, const struct raft *raft)
{
    struct group_record *record = array_push(&group->records);
    *record = (struct group_record){
        .sequence = persist->sequence,
        .hard_state = persist->hard_state,
        .term = persist->term,
        .vote = persist->vote,
        .vote_directory = persist->vote_directory,
        .reset_index = persist->reset_index,
        .reset_term = persist->reset_term,
        .first_index = persist->first_index,
    };
    uint64_t byte_count = persist->hard_state ? HEAD_BYTES : 0;
    if (persist->first_index == 0) {
        return byte_count;
    }
    ensure(persist->last_index + 1 >= persist->first_index);
    uint64_t count = persist->last_index + 1 - persist->first_index;
    ensure(count <= UINT32_MAX);
    record->entry_count = (uint32_t)count;
    struct raft_entry *entries = array_extend(&group->entries, (size_t)count);
    raft_copy_entries(raft, persist->first_index, (size_t)count, entries);
    for (uint64_t i = 0; i < count; i++) {
        if (entries[i].batch != NULL) {
            (void)batch_hold(entries[i].batch);
        }
        byte_count += HEAD_BYTES + raft_entry_size(&entries[i]);
    }
    return byte_count;
}

void group_move(struct group *group, size_t count, struct group *to)
{
    ensure(to->records.count == 0 && to->entries.count == 0 && count <= group->records.count);
    if (count == group->records.count) {
        struct group empty = *to;
        *to = *group;
        *group = empty;
        return;
    }
    size_t entries = 0;
    for (size_t i = 0; i < count; i++) {
        entries += group->records.items[i].entry_count;
    }
    memcpy(array_extend(&to->records, count), group->records.items,
           count * sizeof(struct group_record));
    memcpy(array_extend(&to->entries, entries), group->entries.items,
           entries * sizeof(struct raft_entry));
    array_remove(&group->records, 0, count);
    array_remove(&group->entries, 0, entries);
}

void group_drop(struct group *group)
{
    for (size_t i = 0; i < group->entries.count; i++) {
        batch_release(group->entries.items[i].batch);
    }
    group->records.count = 0;
    group->entries.count = 0;
}

void group_free(struct group *group)
{
    group_drop(group);
    array_free(&group->records);
    array_free(&group->entries);
}

/* ---- the image ------------------------------------------------------------------------------ */

void image_reset(struct image *image, uint64_t index)
{
    entry_chunks_cut(&image->log, image->log.first_index);
    image->log.first_index = index + 1;
}

void image_compact(struct image *image, uint64_t first_index)
{
    struct entry_chunks *log = &image->log;
    if (first_index > log->first_index + log->count) {
        image_reset(image, first_index - 1);
    } else if (first_index > log->first_index) {
        entry_chunks_drop(log, first_index);
    }
}

void image_settle(struct image *image, struct group *group)
{
    const struct raft_entry *entry = group->entries.items;
    for (size_t i = 0; i < group->records.count; i++) {
        const struct group_record *record = &group->records.items[i];
        if (record->hard_state) {
            image->term = record->term;
            image->vote = record->vote;
            image->vote_directory = record->vote_directory;
        }
        if (record->reset_index != 0) {
            image_reset(image, record->reset_index);
        }
        if (record->first_index == 0) {
            continue;
        }
        entry_chunks_cut(&image->log, record->first_index);
        for (uint32_t n = 0; n < record->entry_count; n++) {
            entry_chunks_append(&image->log, entry++);
        }
    }
    group->records.count = 0;
    group->entries.count = 0;
}

void image_format(struct image *image, const struct raft_start *start)
{
    ensure(image->log.count == 0 && image->term == 0);
    image->term = start->term;
    image->vote = start->vote;
    image->vote_directory = start->vote_directory;
    if (start->first_members != NULL) {
        raft_configuration_copy(&image->first_members, start->first_members);
    }
    image->log.first_index = start->first_index == 0 ? 1 : start->first_index;
    for (uint64_t i = 0; i < start->entry_count; i++) {
        if (start->entries[i].batch != NULL) {
            (void)batch_hold(start->entries[i].batch);
        }
        entry_chunks_append(&image->log, &start->entries[i]);
    }
}

void image_contents(const struct image *image, struct store_contents *contents)
{
    *contents = (struct store_contents){
        .term = image->term,
        .vote = image->vote,
        .vote_directory = image->vote_directory,
        .first_members = &image->first_members,
        .first_index = image->log.first_index,
        .entry_count = image->log.count,
    };
}

void image_clear(struct image *image)
{
    image_free(image);
    image->log.first_index = 1;
}

void image_free(struct image *image)
{
    entry_chunks_free(&image->log);
    raft_configuration_free(&image->first_members);
    *image = (struct image){0};
}
