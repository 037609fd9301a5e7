/*
 * What a directory's log holds, for who looks: it is handed the bytes of the segments and tells all
 * that recovery would see in them, damage included. It opens nothing and changes nothing.
 */
#include "store/wal.h"

#include <string.h>

struct store_inspection {
    struct wal_scan scan;
    struct image image;
    struct wal_observer observer;
    store_inspected *told;
    void *context;
    struct store_record record; /* what is told next */
};

static void see_segment(void *context, uint32_t segment, const struct wal_header *header)
{
    struct store_inspection *inspection = context;
    struct store_record record = {.type = "header",
                                  .segment = segment,
                                  .id = header->identity.id,
                                  .directory = header->identity.directory,
                                  .cluster = header->identity.cluster,
                                  .version = header->version,
                                  .bytes = header->segment_bytes};
    inspection->told(inspection->context, &record);
}

static void see_group(void *context, uint32_t segment, uint64_t offset,
                      const struct wal_sector *sector)
{
    struct store_inspection *inspection = context;
    inspection->record = (struct store_record){
        .segment = segment, .offset = offset, .group = sector->group, .life = sector->life};
}

static const char *type_name(enum wal_record_type type)
{
    static const char *const names[] = {"",      "checkpoint", "members", "state",
                                        "entry", "cut",        "reset"};
    ensure(type < sizeof names / sizeof *names);
    return names[type];
}

static void see_record(void *context, const struct wal_record *seen)
{
    struct store_inspection *inspection = context;
    struct store_record record = inspection->record;
    struct wal_checkpoint checkpoint;
    const uint8_t *body = seen->body.data;
    record.type = type_name(seen->type);
    record.bytes = seen->body.size;
    switch (seen->type) {
    case WAL_CHECKPOINT:
        ensure(wal_checkpoint_decode(seen->body, &checkpoint));
        record.index = checkpoint.next_index;
        record.term = checkpoint.term;
        record.vote = checkpoint.vote;
        break;
    case WAL_STATE:
        record.term = load_u64(body);
        record.vote = load_u64(body + 8);
        break;
    case WAL_ENTRY:
        record.kind = seen->kind;
        record.index = load_u64(body);
        record.term = load_u64(body + 8);
        record.bytes -= WAL_ENTRY_HEAD_BYTES;
        break;
    case WAL_CUT:
        record.index = load_u64(body);
        break;
    case WAL_RESET:
        record.index = load_u64(body);
        record.term = load_u64(body + 8);
        break;
    case WAL_MEMBERS:
        break;
    }
    inspection->told(inspection->context, &record);
}

struct store_inspection *store_inspect_new(store_inspected *told, void *context)
{
    struct store_inspection *inspection = memory_new_zeroed(1, sizeof *inspection);
    inspection->told = told;
    inspection->context = context;
    inspection->observer = (struct wal_observer){
        .segment = see_segment, .group = see_group, .record = see_record, .context = inspection};
    image_clear(&inspection->image);
    wal_scan_begin(&inspection->scan, &inspection->image, NULL, &inspection->observer);
    return inspection;
}

bool store_inspect_segment(struct store_inspection *inspection, const char *name,
                           uint64_t file_bytes)
{
    uint32_t number = 0;
    if (!wal_name_parse(name, &number)) {
        return false;
    }
    wal_scan_segment(&inspection->scan, number, file_bytes);
    return true;
}

void store_inspect_bytes(struct store_inspection *inspection, struct bytes bytes)
{
    ensure(inspection->scan.segments.count > 0);
    wal_scan_sectors(&inspection->scan, bytes.data, bytes.size);
}

void store_inspect_segment_end(struct store_inspection *inspection)
{
    wal_scan_segment_end(&inspection->scan);
}

void store_inspect_end(struct store_inspection *inspection, struct store_findings *findings)
{
    struct wal_scan *scan = &inspection->scan;
    wal_scan_end(scan);
    *findings = (struct store_findings){.problem = scan->problem,
                                        .damaged_offset = scan->damaged_offset,
                                        .base_index = scan->base_index,
                                        .torn_bytes = scan->torn_bytes};
    image_contents(&inspection->image, &findings->contents);
    findings->contents.directory = scan->header.identity.directory;
    if (scan->verdict != WAL_SOUND) {
        wal_name(findings->damaged_file, scan->damaged_segment);
    }
    if (scan->torn_bytes > 0) {
        wal_name(findings->torn_file, scan->torn_segment);
    }
    const struct entry_chunks *log = &inspection->image.log;
    for (uint64_t i = log->count; i > 0 && findings->members_index == 0; i--) {
        const struct raft_entry *entry = entry_chunks_at(log, log->first_index + i - 1);
        if (raft_entry_kind(entry) == RAFT_ENTRY_CONFIGURATION) {
            findings->members_index = log->first_index + i - 1;
            findings->members = raft_entry_payload(entry);
        }
    }
}

void store_inspect_free(struct store_inspection *inspection)
{
    wal_scan_free(&inspection->scan);
    image_free(&inspection->image);
    memory_free(inspection);
}
