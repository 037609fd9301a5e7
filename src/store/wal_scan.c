/*
 * Reads the write-ahead log, from the first byte to the last: what it holds, where it ends, and
 * whether that end is a write that was cut off or damage. It is handed bytes and opens nothing, so
 * that recovery, `raftbench log` and the fuzzer are the same reader.
 *
 * How the two are told apart. Only the last write can be cut off, since the next one begins when it
 * is durable; and of that each sector is there or is not. So the log is damaged where it ends and
 *
 *     - a sector in the place of the group that is missing there is neither whole nor old, or
 *     - a later group, also of a later segment, has left a sector: then the missing one was synced,
 *     - or a sector of this segment stands where it was not written to.
 *
 * It never takes damage for the end of the log: what was acknowledged is not cut off.
 */
#include "store/wal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BATCH_BYTES (1U << 20)

static uint64_t bytes_to(uint32_t position)
{
    return (uint64_t)position * WAL_SECTOR_BYTES;
}

static bool has_failed(const struct wal_scan *scan)
{
    return scan->verdict != WAL_SOUND;
}

void wal_scan_fail(struct wal_scan *scan, enum wal_verdict verdict, uint32_t segment,
                   uint64_t offset, const char *format, ...)
{
    va_list arguments;
    if (has_failed(scan)) {
        return;
    }
    scan->verdict = verdict;
    scan->damaged_segment = segment;
    scan->damaged_offset = offset;
    va_start(arguments, format);
    text_format(scan->problem, sizeof scan->problem, format, arguments);
    va_end(arguments);
}

/* ---- groups -------------------------------------------------------------------------------- */

/* The bytes of the group that is being read, as far as they are there. */
static struct bytes group_bytes(const struct wal_scan *scan)
{
    return (struct bytes){scan->batch->data + scan->batch_used, scan->group_used};
}

static void end_group(struct wal_scan *scan)
{
    struct bytes group = group_bytes(scan);
    struct wal_record record;
    size_t at = 0;
    if (scan->observer != NULL && scan->observer->group != NULL) {
        scan->observer->group(scan->observer->context, scan->segment, bytes_to(scan->group_at),
                              &scan->of);
    }
    bool begins = scan->group > 0; /* the first group of a segment begins with a checkpoint */
    while (at < group.size && !has_failed(scan)) {
        bool fine = wal_record_read(group, &at, &record) &&
                    (begins || record.type == WAL_CHECKPOINT) && wal_record_take(scan, &record);
        begins = true;
        if (!fine) {
            wal_scan_fail(scan, WAL_DAMAGED, scan->segment, bytes_to(scan->group_at),
                          "a record makes no sense");
        } else if (scan->observer != NULL && scan->observer->record != NULL) {
            scan->observer->record(scan->observer->context, &record);
        }
    }
    scan->batch_used += scan->group_used;
    scan->last_group = scan->group_at;
    scan->group++;
    scan->group_life = scan->of.life;
    scan->group_at = 0;
    wal_scan_here(scan)->groups = scan->group;
}

/* ---- sectors -------------------------------------------------------------------------------- */

static uint32_t sectors_left(const struct wal_scan *scan)
{
    uint64_t count = scan->segments.items[scan->segments.count - 1].bytes / WAL_SECTOR_BYTES;
    return count > scan->at ? (uint32_t)(count - scan->at) : 0;
}

/* Memory for a group side by side: entries are ranges of it. */
static void make_room(struct wal_scan *scan, uint32_t size)
{
    if (scan->batch != NULL && size <= scan->batch->size - scan->batch_used) {
        return;
    }
    batch_release(scan->batch);
    scan->batch = batch_new(NULL, size > BATCH_BYTES ? size : BATCH_BYTES);
    scan->batch_used = 0;
}

static bool begins_next_group(const struct wal_scan *scan, const struct wal_sector *sector)
{
    return sector->segment == scan->segment && sector->position == scan->at &&
           sector->group == scan->group + 1 && sector->life >= scan->group_life && sector->size > 0;
}

static bool continues_group(const struct wal_scan *scan, const struct wal_sector *sector)
{
    return sector->segment == scan->segment && sector->position == scan->at &&
           sector->group == scan->of.group && sector->life == scan->of.life &&
           sector->size == scan->of.size;
}

/* What a sector behind the end of the groups tells of them. */
static void look_behind(struct wal_scan *scan, enum wal_sector_state state,
                        const struct wal_sector *sector, uint32_t group_end)
{
    struct wal_stop *stop = &scan->stop;
    if (state == WAL_SECTOR_BAD) {
        if (scan->at < group_end && stop->bad_position == 0) {
            stop->bad_position = scan->at;
        }
    } else if (state == WAL_SECTOR_WHOLE && sector->segment >= scan->segment) {
        bool misplaced = sector->segment != scan->segment || sector->position != scan->at;
        if (stop->proof == 0 && (misplaced || sector->group > scan->group + 1)) {
            stop->proof = scan->at;
            stop->misplaced = misplaced;
        }
        if (!misplaced && sector->group == scan->group + 1 && sector->life >= scan->group_life) {
            stop->torn_end = scan->at + 1;
        }
    }
}

/* Where a group ends that stands at the end of the groups and is not whole, as far as is known. */
static uint32_t end_of_missing(const struct wal_scan *scan)
{
    uint32_t count = scan->of.size == 0 ? 1 : wal_sector_count(scan->of.size);
    return count < UINT32_MAX - scan->stop.position ? scan->stop.position + count : UINT32_MAX;
}

static void stop_at(struct wal_scan *scan, const struct wal_sector *first)
{
    scan->stopped = true;
    scan->stop = (struct wal_stop){.segment = scan->segment, .position = scan->at};
    if (scan->group_at != 0) {
        scan->stop.position = scan->group_at;
        scan->stop.torn_end = scan->at;
    } else {
        scan->of = first != NULL ? *first : (struct wal_sector){0};
    }
}

static void take_payload(struct wal_scan *scan, const uint8_t *bytes)
{
    uint32_t left = scan->of.size - scan->group_used;
    uint32_t part = left < WAL_ROOM_BYTES ? left : WAL_ROOM_BYTES;
    memcpy(scan->batch->data + scan->batch_used + scan->group_used, bytes + WAL_HEAD_BYTES, part);
    scan->group_used += part;
    if (scan->group_used == scan->of.size) {
        end_group(scan);
    }
}

static void take_sector(struct wal_scan *scan, const uint8_t *bytes)
{
    struct wal_sector sector;
    enum wal_sector_state state = wal_sector_read(bytes, &sector);
    bool whole = state == WAL_SECTOR_WHOLE;
    if (whole && sector.life > scan->life) {
        scan->life = sector.life;
    }
    if (state == WAL_SECTOR_BAD) {
        scan->bad_sectors++;
    }
    if (!scan->stopped && scan->group_at == 0) {
        bool begins = whole && begins_next_group(scan, &sector);
        if (begins && wal_sector_count(sector.size) <= sectors_left(scan)) {
            make_room(scan, sector.size);
            scan->of = sector;
            scan->group_at = scan->at;
            scan->group_used = 0;
            take_payload(scan, bytes);
            return;
        }
        stop_at(scan, begins ? &sector : NULL);
    } else if (!scan->stopped) {
        if (whole && continues_group(scan, &sector)) {
            take_payload(scan, bytes);
            return;
        }
        stop_at(scan, NULL);
    }
    look_behind(scan, state, &sector, end_of_missing(scan));
}

/* ---- segments ------------------------------------------------------------------------------- */

static bool same_identity(const struct wal_identity *a, const struct wal_identity *b)
{
    return a->id == b->id && a->directory == b->directory && strcmp(a->cluster, b->cluster) == 0;
}

static void check_identity(struct wal_scan *scan, const struct wal_identity *found)
{
    const struct wal_identity *expected = scan->expected;
    if (expected == NULL) {
        return;
    }
    if (found->id != expected->id || strcmp(found->cluster, expected->cluster) != 0) {
        wal_scan_fail(scan, WAL_FOREIGN, scan->segment, 0,
                      "it belongs to node %" PRIu64
                      " of the cluster \"%.64s\", and this is node %" PRIu64
                      " of the cluster \"%.64s\"",
                      found->id, found->cluster, expected->id, expected->cluster);
    }
}

static void take_header(struct wal_scan *scan, const uint8_t *bytes)
{
    struct wal_header header;
    struct wal_sector sector;
    const char *problem = NULL;
    if (!wal_header_decode(bytes, &header, &problem)) {
        wal_scan_fail(scan, WAL_DAMAGED, scan->segment, 0, "%s", problem);
        return;
    }
    (void)wal_sector_read(bytes, &sector);
    if (header.version != WAL_VERSION) {
        wal_scan_fail(scan, WAL_FOREIGN, scan->segment, 0,
                      "its format has version %u, and this program reads version %u",
                      header.version, WAL_VERSION);
    } else if (sector.segment != scan->segment) {
        wal_scan_fail(scan, WAL_DAMAGED, scan->segment, 0, "its header is that of segment %u",
                      sector.segment);
    } else if (scan->segments.count > 1 &&
               !same_identity(&header.identity, &scan->header.identity)) {
        wal_scan_fail(scan, WAL_DAMAGED, scan->segment, 0,
                      "its header names another directory than the segment before it");
    } else if (wal_scan_here(scan)->bytes < header.segment_bytes) {
        wal_scan_fail(scan, WAL_DAMAGED, scan->segment, wal_scan_here(scan)->bytes,
                      "the file was made with %u bytes and has only %" PRIu64, header.segment_bytes,
                      wal_scan_here(scan)->bytes);
    } else {
        check_identity(scan, &header.identity);
    }
    if (scan->segments.count == 1) {
        scan->header = header;
    }
    if (scan->observer != NULL && scan->observer->segment != NULL) {
        scan->observer->segment(scan->observer->context, scan->segment, &header);
    }
}

void wal_scan_begin(struct wal_scan *scan, struct image *image, const struct wal_identity *expected,
                    const struct wal_observer *observer)
{
    *scan = (struct wal_scan){.image = image, .expected = expected, .observer = observer};
}

void wal_scan_segment(struct wal_scan *scan, uint32_t number, uint64_t file_bytes)
{
    if (scan->segments.count > 0 && number != wal_scan_here(scan)->number + 1) {
        wal_scan_fail(scan, WAL_DAMAGED, wal_scan_here(scan)->number + 1, 0,
                      "the file is missing, and the one behind it is there");
    }
    *array_push(&scan->segments) = (struct wal_segment){.number = number, .bytes = file_bytes};
    scan->segment = number;
    scan->at = 0;
    scan->group = 0;
    scan->group_life = 0;
    scan->group_at = 0;
    scan->stopped = false;
    scan->stop = (struct wal_stop){0};
}

void wal_scan_sectors(struct wal_scan *scan, const uint8_t *bytes, size_t size)
{
    for (size_t at = 0; at + WAL_SECTOR_BYTES <= size && !has_failed(scan);
         at += WAL_SECTOR_BYTES) {
        if (scan->at == 0) {
            take_header(scan, bytes + at);
        } else {
            take_sector(scan, bytes + at);
        }
        scan->at++;
    }
}

static void judge_stop(struct wal_scan *scan, const struct wal_stop *stop)
{
    if (stop->bad_position != 0) {
        wal_scan_fail(
            scan, WAL_DAMAGED, stop->segment, bytes_to(stop->bad_position),
            "the checksum of a sector is wrong, and what it held may have been acknowledged");
    } else if (stop->proof != 0 && stop->misplaced) {
        wal_scan_fail(scan, WAL_DAMAGED, stop->segment, bytes_to(stop->proof),
                      "a sector stands here that was written to another place");
    } else if (stop->proof != 0) {
        wal_scan_fail(scan, WAL_DAMAGED, stop->segment, bytes_to(stop->position),
                      "a write is missing here, and a later one is there at %" PRIu64,
                      bytes_to(stop->proof));
    } else if (stop->torn_end > stop->position) {
        scan->torn_segment = stop->segment;
        scan->torn_bytes += bytes_to(stop->torn_end - stop->position);
    }
}

void wal_scan_claim(struct wal_scan *scan, uint32_t groups)
{
    const struct wal_segment *former = wal_scan_here(scan) - 1;
    if (groups == former->groups) {
        return;
    }
    bool known = scan->last.segment == former->number;
    if (known) {
        judge_stop(scan, &scan->last);
    }
    wal_scan_fail(scan, WAL_DAMAGED, former->number, bytes_to(known ? scan->last.position : 1),
                  "%u of its writes can be read, and the segment behind it counts %u",
                  former->groups, groups);
}

/* A first group that was cut off tells of the segment before, too: what came after it may have gone
 * there, but no less can be there than it says. */
static void check_claim_of_part(struct wal_scan *scan)
{
    struct wal_record record;
    struct wal_checkpoint checkpoint;
    size_t at = 0;
    if (scan->segments.count > 1 && scan->group == 0 && scan->group_at != 0 &&
        wal_record_read(group_bytes(scan), &at, &record) && record.type == WAL_CHECKPOINT &&
        wal_checkpoint_decode(record.body, &checkpoint) &&
        checkpoint.former_groups > (wal_scan_here(scan) - 1)->groups) {
        wal_scan_claim(scan, checkpoint.former_groups);
    }
}

void wal_scan_segment_end(struct wal_scan *scan)
{
    if (has_failed(scan)) {
        return;
    }
    if (scan->at == 0) {
        wal_scan_fail(scan, WAL_DAMAGED, scan->segment, 0, "the file is empty");
        return;
    }
    if (!scan->stopped) {
        stop_at(scan, NULL); /* where the file ends */
    }
    check_claim_of_part(scan);
    scan->group_at = 0;
    if (scan->group == 0) {
        judge_stop(scan, &scan->stop);
        if (scan->segments.count == 1) {
            wal_scan_fail(scan, WAL_DAMAGED, scan->segment, bytes_to(1),
                          "its first write cannot be read");
        }
        return;
    }
    if (scan->used + 1 != scan->segments.count) {
        wal_scan_fail(scan, WAL_DAMAGED, scan->segment - 1, bytes_to(1),
                      "its first write cannot be read, and the segment behind it has some");
    }
    scan->last = scan->stop;
    scan->used = (uint32_t)scan->segments.count;
    scan->position = scan->stop.position;
}

void wal_scan_end(struct wal_scan *scan)
{
    if (!has_failed(scan) && scan->used > 0) {
        judge_stop(scan, &scan->last);
    }
    scan->base_index = scan->image->log.first_index;
}

void wal_scan_free(struct wal_scan *scan)
{
    batch_release(scan->batch);
    scan->batch = NULL;
    array_free(&scan->segments);
}
