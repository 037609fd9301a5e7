/*
 * Fuzzes the reader of the write-ahead log. From sectors that are put together from the input, with
 * right checksums or not: whatever they say, it neither crashes nor believes what makes no sense.
 * And from a log that was written as the store writes it, with writes that were cut off, segments
 * that were used before, and damage as disks do it: all that was acknowledged is there, or the log
 * is refused.
 */
#include "support/fuzz.h"

#include "store/wal.h"

#include <string.h>

#define SEGMENT_SECTORS 12U

static const struct wal_identity identity = {.id = 1, .directory = 7, .cluster = "fuzz"};

/* ---- what was read -------------------------------------------------------------------------- */

/* Of all that a disk holds, with the bytes of each payload. */
static uint64_t image_hash(const struct image *image)
{
    uint64_t hash = hash_mix(image->term, image->vote);
    hash = hash_mix(hash, image->vote_directory);
    hash = hash_mix(hash, image->first_members.count);
    hash = hash_mix(hash, image->log.first_index);
    for (uint64_t i = 0; i < image->log.count; i++) {
        const struct raft_entry *entry = entry_chunks_at(&image->log, image->log.first_index + i);
        struct bytes payload = raft_entry_payload(entry);
        hash = hash_mix(hash, entry->term);
        hash = hash_mix(hash, entry->size_and_kind);
        hash = hash_mix(hash, hash_bytes(payload.data, payload.size, 0));
    }
    return hash;
}

struct files_of_log {
    array_of(struct buffer) segments; /* the first has number 1 */
};

struct outcome {
    enum wal_verdict verdict;
    uint64_t hash;
};

static struct outcome read_log(const struct files_of_log *log, size_t missing)
{
    struct wal_scan scan;
    struct image image = {0};
    image_clear(&image);
    wal_scan_begin(&scan, &image, &identity, NULL);
    for (size_t i = 0; i < log->segments.count; i++) {
        const struct buffer *bytes = &log->segments.items[i];
        if (i == missing) {
            continue;
        }
        wal_scan_segment(&scan, (uint32_t)i + 1, bytes->size);
        wal_scan_sectors(&scan, bytes->data, bytes->size);
        wal_scan_segment_end(&scan);
    }
    wal_scan_end(&scan);
    ensure(scan.verdict != WAL_SOUND || scan.used > 0 || log->segments.count == 0);
    ensure(scan.verdict == WAL_SOUND || scan.problem[0] != '\0');
    struct outcome outcome = {.verdict = scan.verdict, .hash = image_hash(&image)};
    if (scan.base_index > 1 && missing == 0) {
        outcome.verdict = WAL_DAMAGED; /* as recovery says: no snapshot holds what is before */
    }
    wal_scan_free(&scan);
    image_free(&image);
    return outcome;
}

static void log_free(struct files_of_log *log)
{
    for (size_t i = 0; i < log->segments.count; i++) {
        buffer_free(&log->segments.items[i]);
    }
    array_free(&log->segments);
}

static struct buffer *add_segment(struct files_of_log *log, bool with_header)
{
    struct buffer *segment = array_push(&log->segments);
    *segment = (struct buffer){0};
    if (with_header) {
        struct wal_header header = {.identity = identity,
                                    .version = WAL_VERSION,
                                    .segment_bytes = SEGMENT_SECTORS * WAL_SECTOR_BYTES};
        wal_header_encode(&header, (uint32_t)log->segments.count, segment);
    }
    return segment;
}

/* ---- sectors of any kind -------------------------------------------------------------------- */

static void put_sector(struct files_of_log *log, struct input *input)
{
    struct buffer *segment = &log->segments.items[log->segments.count - 1];
    uint8_t *bytes = buffer_extend(segment, WAL_SECTOR_BYTES);
    struct batch *payload = input_piece(input);
    size_t size = payload->size < WAL_ROOM_BYTES ? payload->size : WAL_ROOM_BYTES;
    uint8_t how = input_byte(input);
    memset(bytes, 0, WAL_SECTOR_BYTES);
    store_u32(bytes + 4, (uint32_t)log->segments.count + (how & 1U));
    store_u32(bytes + 8, (uint32_t)(segment->size / WAL_SECTOR_BYTES) - 1 + (how >> 1 & 1U));
    store_u32(bytes + 12, input_byte(input));
    store_u32(bytes + 16, (uint32_t)input_byte(input) << (how >> 2 & 7U));
    store_u32(bytes + 20, how >> 6 & 1U);
    memcpy(bytes + WAL_HEAD_BYTES, payload->data, size);
    store_u32(bytes, crc32c(0, bytes + 4, WAL_SECTOR_BYTES - 4) + (how >> 7));
    batch_release(payload);
}

static void read_any(struct input *input)
{
    struct files_of_log log = {0};
    (void)add_segment(&log, true);
    while (input->size > 0 && log.segments.count < 8) {
        if (input_byte(input) % 8 == 0) {
            (void)add_segment(&log, input_byte(input) % 4 != 0);
        }
        put_sector(&log, input);
    }
    (void)read_log(&log, SIZE_MAX);
    log_free(&log);
}

/* ---- a log that a store wrote --------------------------------------------------------------- */

struct writer {
    struct files_of_log log;
    struct image image;
    uint32_t position;
    uint32_t group;
    uint32_t former_groups;
    uint32_t last_position; /* of the last group that is durable */
    uint32_t life;
    struct buffer encoded;
    uint32_t sectors; /* that are encoded */
};

static void turn(struct writer *writer)
{
    struct buffer *segment = add_segment(&writer->log, true);
    size_t count = writer->log.segments.count;
    if (count > 2) { /* the file of an earlier one is used again */
        const struct buffer *old = &writer->log.segments.items[count - 3];
        buffer_append(segment, old->data + WAL_SECTOR_BYTES, old->size - WAL_SECTOR_BYTES);
    } else {
        size_t size = (size_t)(SEGMENT_SECTORS - 1) * WAL_SECTOR_BYTES;
        memset(buffer_extend(segment, size), 0, size);
    }
    writer->former_groups = writer->group;
    writer->group = 0;
    writer->position = 1;
    writer->last_position = 0;
}

/* What a persist would be. */
static void make_group(const struct writer *writer, struct input *input, struct group *group)
{
    uint8_t how = input_byte(input);
    const struct entry_chunks *log = &writer->image.log;
    uint64_t next = log->first_index + log->count;
    uint64_t back = (how >> 3 & 3U) < log->count ? how >> 3 & 3U : log->count;
    struct group_record *record = array_push(&group->records);
    *record = (struct group_record){.term = 1 + writer->image.term};
    record->hard_state = how % 2 == 0;
    record->vote = how & 3U;
    if ((how >> 5) == 7) {
        record->reset_index = next + 3;
        record->reset_term = 1;
        return;
    }
    record->first_index = next - back;
    record->entry_count = how >> 5;
    for (uint32_t i = 0; i < record->entry_count; i++) {
        struct batch *payload = input_piece(input);
        *array_push(&group->entries) = (struct raft_entry){
            .term = 1 + writer->image.term,
            .batch = payload,
            .size_and_kind = raft_entry_pack(payload->size, RAFT_ENTRY_COMMAND)};
    }
}

/* As wal_write.c does. */
static void encode(struct writer *writer, const struct group *group)
{
    struct wal_encoder encoder;
    struct buffer scratch = {0};
    uint64_t bytes = 0;
    (void)wal_group_measure(group, UINT64_MAX, &bytes);
    uint32_t wanted = wal_sector_count(bytes);
    if (writer->position + wanted > SEGMENT_SECTORS) {
        turn(writer);
    }
    bool begins = writer->group == 0;
    bytes += begins ? wal_checkpoint_bytes(&writer->image.first_members, &scratch) : 0;
    struct wal_sector sector = {.segment = (uint32_t)writer->log.segments.count,
                                .position = writer->position,
                                .group = writer->group + 1,
                                .size = (uint32_t)bytes,
                                .life = writer->life};
    struct wal_checkpoint checkpoint = {.former_groups = writer->former_groups,
                                        .term = writer->image.term,
                                        .vote = writer->image.vote,
                                        .vote_directory = writer->image.vote_directory,
                                        .next_index = writer->image.log.first_index +
                                                      writer->image.log.count};
    buffer_clear(&writer->encoded);
    wal_encoder_begin(&encoder, &writer->encoded, &sector);
    if (begins) {
        wal_checkpoint_encode(&checkpoint, &writer->image.first_members, &scratch, &encoder);
    }
    wal_group_encode(group, &encoder);
    wal_encoder_end(&encoder);
    writer->sectors = wal_sector_count(bytes);
    ensure(writer->encoded.size == (size_t)writer->sectors * WAL_SECTOR_BYTES);
    buffer_free(&scratch);
}

/* Those sectors that `there` names, one bit each, get to the disk. */
static void write_sectors(struct writer *writer, uint32_t there)
{
    struct buffer *segment = &writer->log.segments.items[writer->log.segments.count - 1];
    size_t end = (size_t)(writer->position + writer->sectors) * WAL_SECTOR_BYTES;
    if (segment->size < end) {
        size_t more = end - segment->size;
        memset(buffer_extend(segment, more), 0, more);
    }
    for (uint32_t i = 0; i < writer->sectors; i++) {
        if ((there >> (i < 31 ? i : 31) & 1U) != 0) {
            memcpy(segment->data + (size_t)(writer->position + i) * WAL_SECTOR_BYTES,
                   writer->encoded.data + (size_t)i * WAL_SECTOR_BYTES, WAL_SECTOR_BYTES);
        }
    }
}

/* One write: whole, or cut off, after which another life goes on in its place. */
static void write_one(struct writer *writer, struct input *input)
{
    struct group group = {0};
    uint8_t how = input_byte(input);
    make_group(writer, input, &group);
    encode(writer, &group);
    uint32_t all = writer->sectors >= 31 ? UINT32_MAX : (1U << writer->sectors) - 1;
    if (how % 4 == 0) { /* at least one sector is missing, or it counts */
        write_sectors(writer, input_byte(input) & (all >> 1));
        writer->life++;
        group_free(&group);
        return;
    }
    write_sectors(writer, all);
    writer->last_position = writer->position;
    writer->position += writer->sectors;
    writer->group++;
    image_settle(&writer->image, &group);
    group_free(&group);
}

/* A bit, a sector of the log that went to another place, the last write that did (where it
 * is must stay to be seen, so it is `alone`), a file that is gone, or the end of one. false: there
 * is nothing of that.
 */
static bool damage(struct writer *writer, struct input *input, size_t *missing, bool alone)
{
    uint8_t how = input_byte(input);
    size_t count = writer->log.segments.count;
    struct buffer *segment = &writer->log.segments.items[input_byte(input) % count];
    size_t sectors = segment->size / WAL_SECTOR_BYTES;
    if (sectors == 0 || writer->log.segments.items[count - 1].size < WAL_SECTOR_BYTES) {
        return false; /* all of it is gone */
    }
    size_t from = input_byte(input) % sectors;
    size_t to = input_byte(input) % sectors;
    switch (how % 6) {
    case 0:
        segment->data[from * WAL_SECTOR_BYTES + (to * 37 + how) % WAL_SECTOR_BYTES] ^=
            (uint8_t)(1U << (how >> 5));
        return true;
    case 1: {
        struct wal_sector sector;
        uint8_t *bytes = segment->data + from * WAL_SECTOR_BYTES;
        uint32_t number = (uint32_t)(segment - writer->log.segments.items) + 1;
        if (wal_sector_read(bytes, &sector) != WAL_SECTOR_WHOLE || sector.segment != number) {
            return false; /* no write has brought that here */
        }
        memmove(segment->data + to * WAL_SECTOR_BYTES, bytes, WAL_SECTOR_BYTES);
        return true;
    }
    case 2: { /* what stood in its place before stands there still: zeros */
        segment = &writer->log.segments.items[count - 1];
        size_t at = (size_t)writer->last_position * WAL_SECTOR_BYTES;
        size_t size = (size_t)writer->position * WAL_SECTOR_BYTES - at;
        to = to % (segment->size / WAL_SECTOR_BYTES) * WAL_SECTOR_BYTES;
        if (!alone || writer->last_position == 0 || to == at) {
            return false;
        }
        struct buffer copy = {0};
        buffer_append(&copy, segment->data + at, size);
        ensure(copy.data != NULL);
        memset(segment->data + at, 0, size);
        memcpy(segment->data + to, copy.data,
               size < segment->size - to ? size : segment->size - to);
        buffer_free(&copy);
        return true;
    }
    case 3: /* the newest one would be as if it had never been made */
        if (how / 6U % count + 1 == count) {
            return false;
        }
        *missing = how / 6U % count;
        return true;
    case 4:
        segment->size = from * WAL_SECTOR_BYTES;
        return segment->size < (size_t)SEGMENT_SECTORS * WAL_SECTOR_BYTES;
    default:
        return false;
    }
}

static void check_written(struct input *input)
{
    struct writer writer = {.life = 1};
    size_t missing = SIZE_MAX;
    struct group none = {0};
    image_clear(&writer.image);
    turn(&writer);
    encode(&writer, &none);
    write_sectors(&writer, UINT32_MAX);
    writer.last_position = 1;
    writer.position += writer.sectors;
    writer.group = 1;
    uint32_t damages = input_byte(input) % 3;
    for (size_t i = input_byte(input) % 32; i > 0; i--) {
        write_one(&writer, input);
    }
    bool damaged = false;
    for (uint32_t i = 0; i < damages; i++) {
        damaged = damage(&writer, input, &missing, damages == 1) || damaged;
    }
    struct outcome outcome = read_log(&writer.log, missing);
    ensure(damaged || outcome.verdict == WAL_SOUND);
    ensure(outcome.verdict != WAL_SOUND || outcome.hash == image_hash(&writer.image));
    buffer_free(&writer.encoded);
    image_free(&writer.image);
    log_free(&writer.log);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    if (input_byte(&input) % 4 == 0) {
        read_any(&input);
    } else {
        check_written(&input);
    }
    return 0;
}
