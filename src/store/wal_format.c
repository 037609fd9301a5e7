/*
 * What the files of the write-ahead log hold, byte by byte: sectors, headers, records. It reads any
 * bytes safely, and knows nothing of files.
 */
#include "store/wal.h"

#include <stdio.h>
#include <string.h>

static const char magic[8] = {'R', 'A', 'F', 'T', 'L', 'O', 'G', '\n'};

/* Of a header, before the name of the cluster. */
#define HEADER_BYTES 33U
#define CHECKPOINT_BYTES 36U
#define STATE_BYTES 24U

/* ---- sectors -------------------------------------------------------------------------------- */

enum wal_sector_state wal_sector_read(const uint8_t *bytes, struct wal_sector *sector)
{
    uint32_t crc = load_u32(bytes);
    *sector = (struct wal_sector){
        .segment = load_u32(bytes + 4),
        .position = load_u32(bytes + 8),
        .group = load_u32(bytes + 12),
        .size = load_u32(bytes + 16),
        .life = load_u32(bytes + 20),
    };
    if (sector->segment != 0 && crc == crc32c(0, bytes + 4, WAL_SECTOR_BYTES - 4)) {
        return WAL_SECTOR_WHOLE;
    }
    bool is_empty = bytes[0] == 0 && memcmp(bytes, bytes + 1, WAL_SECTOR_BYTES - 1) == 0;
    return is_empty ? WAL_SECTOR_EMPTY : WAL_SECTOR_BAD;
}

static void seal(struct wal_encoder *encoder)
{
    uint8_t *bytes = encoder->out->data + encoder->out->size - WAL_SECTOR_BYTES;
    memset(bytes + encoder->used, 0, WAL_SECTOR_BYTES - encoder->used);
    store_u32(bytes + 4, encoder->sector.segment);
    store_u32(bytes + 8, encoder->sector.position);
    store_u32(bytes + 12, encoder->sector.group);
    store_u32(bytes + 16, encoder->sector.size);
    store_u32(bytes + 20, encoder->sector.life);
    store_u32(bytes, crc32c(0, bytes + 4, WAL_SECTOR_BYTES - 4));
    encoder->sector.position++;
    encoder->used = 0;
}

void wal_encoder_begin(struct wal_encoder *encoder, struct buffer *out,
                       const struct wal_sector *sector)
{
    *encoder = (struct wal_encoder){.out = out, .sector = *sector};
    buffer_reserve(out, (size_t)wal_sector_count(sector->size) * WAL_SECTOR_BYTES);
}

void wal_encoder_put(struct wal_encoder *encoder, const void *data, size_t size)
{
    ensure(size == 0 || data != NULL);
    const uint8_t *from = data;
    while (size > 0) {
        if (encoder->used == 0) {
            (void)buffer_extend(encoder->out, WAL_SECTOR_BYTES);
            encoder->used = WAL_HEAD_BYTES;
        }
        size_t room = WAL_SECTOR_BYTES - encoder->used;
        size_t part = size < room ? size : room;
        memcpy(encoder->out->data + encoder->out->size - room, from, part);
        encoder->used += part;
        from += part;
        size -= part;
        if (encoder->used == WAL_SECTOR_BYTES) {
            seal(encoder);
        }
    }
}

void wal_encoder_end(struct wal_encoder *encoder)
{
    if (encoder->used != 0) {
        seal(encoder);
    }
}

/* ---- names and headers ---------------------------------------------------------------------- */

void wal_name(char name[WAL_NAME_BYTES], uint32_t segment)
{
    (void)snprintf(name, WAL_NAME_BYTES, "log-%010u", segment);
}

bool wal_name_parse(const char *name, uint32_t *segment)
{
    char same[WAL_NAME_BYTES];
    uint64_t number = 0;
    if (strlen(name) != 14 || strncmp(name, "log-", 4) != 0) {
        return false;
    }
    for (const char *digit = name + 4; *digit != 0; digit++) {
        if (*digit < '0' || *digit > '9') {
            return false;
        }
        number = number * 10 + (uint64_t)(*digit - '0');
    }
    if (number == 0 || number > UINT32_MAX) {
        return false;
    }
    *segment = (uint32_t)number;
    wal_name(same, *segment);
    return strcmp(name, same) == 0;
}

void wal_header_encode(const struct wal_header *header, uint32_t segment, struct buffer *out)
{
    struct wal_encoder encoder;
    uint8_t bytes[HEADER_BYTES + WAL_CLUSTER_BYTES_MAX];
    size_t name_size = strlen(header->identity.cluster);
    ensure(segment > 0 && name_size <= WAL_CLUSTER_BYTES_MAX);
    memcpy(bytes, magic, sizeof magic);
    store_u32(bytes + 8, header->version);
    store_u32(bytes + 12, header->segment_bytes);
    store_u64(bytes + 16, header->identity.id);
    store_u64(bytes + 24, header->identity.directory);
    bytes[32] = (uint8_t)name_size;
    memcpy(bytes + HEADER_BYTES, header->identity.cluster, name_size);
    struct wal_sector sector = {.segment = segment, .size = (uint32_t)(HEADER_BYTES + name_size)};
    wal_encoder_begin(&encoder, out, &sector);
    wal_encoder_put(&encoder, bytes, HEADER_BYTES + name_size);
    wal_encoder_end(&encoder);
}

bool wal_header_decode(const uint8_t *bytes, struct wal_header *header, const char **problem)
{
    struct wal_sector sector;
    const uint8_t *body = bytes + WAL_HEAD_BYTES;
    if (wal_sector_read(bytes, &sector) != WAL_SECTOR_WHOLE) {
        *problem = "its header's checksum is wrong";
        return false;
    }
    if (sector.group != 0 || sector.position != 0 || memcmp(body, magic, sizeof magic) != 0) {
        *problem = "it does not begin with a header";
        return false;
    }
    size_t name_size = body[32];
    *header = (struct wal_header){
        .version = load_u32(body + 8),
        .segment_bytes = load_u32(body + 12),
        .identity = {.id = load_u64(body + 16), .directory = load_u64(body + 24)}};
    if (header->version == WAL_VERSION &&
        (sector.size != HEADER_BYTES + name_size || header->identity.id == 0 ||
         header->identity.directory == 0 || memchr(body + HEADER_BYTES, 0, name_size) != NULL)) {
        *problem = "its header makes no sense";
        return false;
    }
    memcpy(header->identity.cluster, body + HEADER_BYTES, name_size);
    return true;
}

/* ---- records -------------------------------------------------------------------------------- */

static void put_head(struct wal_encoder *encoder, enum wal_record_type type, uint8_t kind,
                     size_t size)
{
    uint8_t head[WAL_RECORD_HEAD_BYTES] = {0};
    store_u32(head, (uint32_t)size);
    head[4] = (uint8_t)type;
    head[5] = kind;
    wal_encoder_put(encoder, head, sizeof head);
}

static void put_words(struct wal_encoder *encoder, const uint64_t *words, size_t count)
{
    uint8_t bytes[STATE_BYTES];
    ensure(count * 8 <= sizeof bytes);
    for (size_t i = 0; i < count; i++) {
        store_u64(bytes + i * 8, words[i]);
    }
    wal_encoder_put(encoder, bytes, count * 8);
}

static void put_entry(struct wal_encoder *encoder, uint64_t index, const struct raft_entry *entry)
{
    uint8_t head[WAL_RECORD_HEAD_BYTES + WAL_ENTRY_HEAD_BYTES] = {0};
    struct bytes payload = raft_entry_payload(entry);
    store_u32(head, (uint32_t)(WAL_ENTRY_HEAD_BYTES + payload.size));
    head[4] = WAL_ENTRY;
    head[5] = (uint8_t)raft_entry_kind(entry);
    store_u64(head + 8, index);
    store_u64(head + 16, entry->term);
    wal_encoder_put(encoder, head, sizeof head);
    wal_encoder_put(encoder, payload.data, payload.size);
}

static uint64_t record_bytes(const struct group_record *record, const struct raft_entry *entries,
                             size_t first)
{
    uint64_t bytes = 0;
    bytes += record->hard_state ? WAL_RECORD_HEAD_BYTES + STATE_BYTES : 0;
    bytes += record->reset_index != 0 ? WAL_RECORD_HEAD_BYTES + 16 : 0;
    if (record->first_index != 0 && record->entry_count == 0) {
        bytes += WAL_RECORD_HEAD_BYTES + 8;
    }
    for (uint32_t i = 0; i < record->entry_count; i++) {
        bytes +=
            WAL_RECORD_HEAD_BYTES + WAL_ENTRY_HEAD_BYTES + raft_entry_size(&entries[first + i]);
    }
    return bytes;
}

size_t wal_group_measure(const struct group *group, uint64_t limit_bytes, uint64_t *bytes)
{
    size_t entry = 0;
    size_t count = 0;
    *bytes = 0;
    while (count < group->records.count && *bytes < limit_bytes) {
        const struct group_record *record = &group->records.items[count++];
        *bytes += record_bytes(record, group->entries.items, entry);
        entry += record->entry_count;
    }
    return count;
}

void wal_group_encode(const struct group *group, struct wal_encoder *encoder)
{
    const struct raft_entry *entry = group->entries.items;
    for (size_t i = 0; i < group->records.count; i++) {
        const struct group_record *record = &group->records.items[i];
        if (record->hard_state) {
            put_head(encoder, WAL_STATE, 0, STATE_BYTES);
            put_words(encoder, (uint64_t[]){record->term, record->vote, record->vote_directory}, 3);
        }
        if (record->reset_index != 0) {
            put_head(encoder, WAL_RESET, 0, 16);
            put_words(encoder, (uint64_t[]){record->reset_index, record->reset_term}, 2);
        }
        if (record->first_index != 0 && record->entry_count == 0) {
            put_head(encoder, WAL_CUT, 0, 8);
            put_words(encoder, &record->first_index, 1);
        }
        for (uint32_t n = 0; n < record->entry_count; n++) {
            put_entry(encoder, record->first_index + n, entry++);
        }
    }
}

uint64_t wal_checkpoint_bytes(const struct raft_configuration *first_members,
                              struct buffer *scratch)
{
    uint64_t bytes = WAL_RECORD_HEAD_BYTES + CHECKPOINT_BYTES;
    buffer_clear(scratch);
    if (first_members->count > 0) {
        raft_configuration_encode(first_members, scratch);
        bytes += WAL_RECORD_HEAD_BYTES + scratch->size;
    }
    return bytes;
}

void wal_checkpoint_encode(const struct wal_checkpoint *checkpoint,
                           const struct raft_configuration *first_members, struct buffer *scratch,
                           struct wal_encoder *encoder)
{
    uint8_t bytes[CHECKPOINT_BYTES];
    store_u32(bytes, checkpoint->former_groups);
    store_u64(bytes + 4, checkpoint->term);
    store_u64(bytes + 12, checkpoint->vote);
    store_u64(bytes + 20, checkpoint->vote_directory);
    store_u64(bytes + 28, checkpoint->next_index);
    put_head(encoder, WAL_CHECKPOINT, 0, sizeof bytes);
    wal_encoder_put(encoder, bytes, sizeof bytes);
    (void)wal_checkpoint_bytes(first_members, scratch);
    if (scratch->size > 0) {
        put_head(encoder, WAL_MEMBERS, 0, scratch->size);
        wal_encoder_put(encoder, scratch->data, scratch->size);
    }
}

bool wal_checkpoint_decode(struct bytes body, struct wal_checkpoint *checkpoint)
{
    if (body.size != CHECKPOINT_BYTES) {
        return false;
    }
    *checkpoint = (struct wal_checkpoint){
        .former_groups = load_u32(body.data),
        .term = load_u64(body.data + 4),
        .vote = load_u64(body.data + 12),
        .vote_directory = load_u64(body.data + 20),
        .next_index = load_u64(body.data + 28),
    };
    return true;
}

bool wal_record_read(struct bytes group, size_t *at, struct wal_record *record)
{
    if (group.size - *at < WAL_RECORD_HEAD_BYTES) {
        return false;
    }
    const uint8_t *head = group.data + *at;
    uint32_t size = load_u32(head);
    if (size > group.size - *at - WAL_RECORD_HEAD_BYTES) {
        return false;
    }
    record->type = (enum wal_record_type)head[4];
    record->kind = head[5];
    record->body = (struct bytes){head + WAL_RECORD_HEAD_BYTES, size};
    *at += WAL_RECORD_HEAD_BYTES + size;
    return head[6] == 0 && head[7] == 0;
}
