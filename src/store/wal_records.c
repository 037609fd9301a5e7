/*
 * What a record of the write-ahead log does to the image, when the log is read. A record that makes
 * no sense is refused, though its checksum is right.
 */
#include "store/wal.h"

static uint64_t next_index(const struct image *image)
{
    return image->log.first_index + image->log.count;
}

/* The log from there on is replaced. Where it begins later, what is before was compacted. */
static void cut(struct image *image, uint64_t index)
{
    if (index < image->log.first_index) {
        image_reset(image, index - 1);
    } else {
        entry_chunks_cut(&image->log, index);
    }
}

static bool take_entry(struct wal_scan *scan, const struct wal_record *record)
{
    if (record->body.size < WAL_ENTRY_HEAD_BYTES || record->kind > RAFT_ENTRY_CONFIGURATION) {
        return false;
    }
    uint64_t index = load_u64(record->body.data);
    uint64_t size = record->body.size - WAL_ENTRY_HEAD_BYTES;
    if (index == 0 || index > next_index(scan->image) || size >= 1U << 26 ||
        (record->kind == RAFT_ENTRY_EMPTY && size > 0)) {
        return false;
    }
    const uint8_t *payload = record->body.data + WAL_ENTRY_HEAD_BYTES;
    struct raft_entry entry = {
        .term = load_u64(record->body.data + 8),
        .batch = record->kind == RAFT_ENTRY_EMPTY ? NULL : batch_hold(scan->batch),
        .offset = (uint32_t)(payload - scan->batch->data),
        .size_and_kind = raft_entry_pack((uint32_t)size, (enum raft_entry_kind)record->kind),
    };
    if (index != next_index(scan->image)) {
        cut(scan->image, index);
    }
    entry_chunks_append(&scan->image->log, &entry);
    struct wal_segment *segment = wal_scan_here(scan);
    segment->last_index = index > segment->last_index ? index : segment->last_index;
    return true;
}

static bool take_checkpoint(struct wal_scan *scan, const struct wal_record *record)
{
    struct wal_checkpoint checkpoint;
    struct image *image = scan->image;
    if (!wal_checkpoint_decode(record->body, &checkpoint) || scan->group != 0 ||
        checkpoint.next_index == 0 || checkpoint.next_index > INT64_MAX) {
        return false;
    }
    if (scan->segments.count == 1) {
        image->term = checkpoint.term;
        image->vote = checkpoint.vote;
        image->vote_directory = checkpoint.vote_directory;
        image->log.first_index = checkpoint.next_index;
        return true;
    }
    wal_scan_claim(scan, checkpoint.former_groups);
    return checkpoint.term == image->term && checkpoint.vote == image->vote &&
           checkpoint.vote_directory == image->vote_directory &&
           checkpoint.next_index == next_index(image);
}

static bool take_state(struct image *image, struct bytes body)
{
    if (body.size != 24) {
        return false;
    }
    image->term = load_u64(body.data);
    image->vote = load_u64(body.data + 8);
    image->vote_directory = load_u64(body.data + 16);
    return true;
}

static bool take_cut(struct image *image, struct bytes body)
{
    uint64_t index = body.size == 8 ? load_u64(body.data) : 0;
    if (index == 0 || index > next_index(image)) {
        return false;
    }
    cut(image, index);
    return true;
}

static bool take_reset(struct image *image, struct bytes body)
{
    uint64_t index = body.size == 16 ? load_u64(body.data) : 0;
    if (index == 0 || index >= INT64_MAX) {
        return false;
    }
    image_reset(image, index);
    return true;
}

bool wal_record_take(struct wal_scan *scan, const struct wal_record *record)
{
    struct image *image = scan->image;
    switch (record->type) {
    case WAL_CHECKPOINT:
        return take_checkpoint(scan, record);
    case WAL_MEMBERS:
        raft_configuration_free(&image->first_members);
        return raft_configuration_decode(record->body, &image->first_members);
    case WAL_STATE:
        return take_state(image, record->body);
    case WAL_ENTRY:
        return take_entry(scan, record);
    case WAL_CUT:
        return take_cut(image, record->body);
    case WAL_RESET:
        return take_reset(image, record->body);
    default:
        return false;
    }
}
