/*
 * The form of a snapshot's bytes, in files and on the way to another server: writing it, and
 * reading it piece by piece while nothing of it is believed before its checksum was right. It never
 * looks into the machine's bytes.
 */
#include "store/store.h"

#include <stdio.h>
#include <string.h>

#define VERSION 1U
#define FIXED_BYTES 20U  /* magic, version, size of the rest of the header, its CRC-32C */
#define COVERS_BYTES 25U /* index, term, members_index, size of the cluster's name */
#define HEADER_BYTES_MAX (1U << 20) /* RAFT_MEMBERS_MAX members with long addresses fit */
#define PIECE_HEAD_BYTES 8U
#define END_BYTES 8U

static const uint8_t magic[8] = {'r', 'a', 'f', 't', 's', 'n', 'a', 'p'};

/* ---- writing -------------------------------------------------------------------------------- */

void snapshot_encode_head(struct snapshot_encoder *encoder, const struct raft_snapshot *meta,
                          const char *cluster, struct buffer *out)
{
    size_t start = out->size;
    size_t cluster_size = strlen(cluster);
    ensure(encoder->size == 0 && meta->index > 0 && cluster_size <= SNAPSHOT_CLUSTER_BYTES_MAX);
    (void)buffer_extend(out, FIXED_BYTES);
    uint8_t *covers = buffer_extend(out, COVERS_BYTES);
    store_u64(covers, meta->index);
    store_u64(covers + 8, meta->term);
    store_u64(covers + 16, meta->members_index);
    covers[24] = (uint8_t)cluster_size;
    buffer_append(out, cluster, cluster_size);
    raft_configuration_encode(meta->members, out);
    uint8_t *fixed = out->data + start;
    size_t size = out->size - start - FIXED_BYTES;
    memcpy(fixed, magic, sizeof magic);
    store_u32(fixed + 8, VERSION);
    store_u32(fixed + 12, (uint32_t)size);
    store_u32(fixed + 16, crc32c(crc32c(0, fixed, FIXED_BYTES - 4), fixed + FIXED_BYTES, size));
    encoder->size = out->size - start;
}

static void put_piece(struct snapshot_encoder *encoder, struct bytes piece, struct buffer *out)
{
    uint8_t *head = buffer_extend(out, PIECE_HEAD_BYTES);
    store_u32(head, (uint32_t)piece.size);
    store_u32(head + 4, crc32c(0, piece.data, piece.size));
    encoder->checksum = crc32c(encoder->checksum, head, PIECE_HEAD_BYTES);
    encoder->size += PIECE_HEAD_BYTES + piece.size;
    buffer_append(out, piece.data, piece.size);
}

void snapshot_encode(struct snapshot_encoder *encoder, struct bytes machine_bytes,
                     struct buffer *out)
{
    while (encoder->piece.size + machine_bytes.size >= SNAPSHOT_PIECE_BYTES) {
        size_t taken = SNAPSHOT_PIECE_BYTES - encoder->piece.size;
        struct bytes piece = {machine_bytes.data, taken};
        if (encoder->piece.size > 0) {
            buffer_append(&encoder->piece, machine_bytes.data, taken);
            piece = buffer_bytes(&encoder->piece);
        }
        put_piece(encoder, piece, out);
        buffer_clear(&encoder->piece);
        machine_bytes = (struct bytes){machine_bytes.data + taken, machine_bytes.size - taken};
    }
    buffer_append(&encoder->piece, machine_bytes.data, machine_bytes.size);
}

void snapshot_encode_end(struct snapshot_encoder *encoder, struct buffer *out)
{
    if (encoder->piece.size > 0) {
        put_piece(encoder, buffer_bytes(&encoder->piece), out);
        buffer_clear(&encoder->piece);
    }
    uint8_t *end = buffer_extend(out, PIECE_HEAD_BYTES + END_BYTES);
    store_u32(end, 0);
    store_u64(end + 8, encoder->size);
    store_u32(end + 4, crc32c(encoder->checksum, end + 8, END_BYTES));
    encoder->size += PIECE_HEAD_BYTES + END_BYTES;
}

void snapshot_encoder_free(struct snapshot_encoder *encoder)
{
    buffer_free(&encoder->piece);
    *encoder = (struct snapshot_encoder){0};
}

/* ---- reading -------------------------------------------------------------------------------- */

static bool damaged(const char **problem, const char *text)
{
    *problem = text;
    return false;
}

static bool read_fixed(struct snapshot_decoder *decoder, const uint8_t *fixed, const char **problem)
{
    if (memcmp(fixed, magic, sizeof magic) != 0) {
        return damaged(problem, "this is no snapshot");
    }
    if (load_u32(fixed + 8) != VERSION) {
        return damaged(problem, "the snapshot has a version that is not known here");
    }
    decoder->part_size = load_u32(fixed + 12);
    decoder->part_checksum = load_u32(fixed + 16);
    decoder->checksum = crc32c(0, fixed, FIXED_BYTES - 4);
    if (decoder->part_size < COVERS_BYTES || decoder->part_size > HEADER_BYTES_MAX) {
        return damaged(problem, "the snapshot's header has an impossible size");
    }
    decoder->stage = DECODER_HEAD;
    return true;
}

static bool read_head(struct snapshot_decoder *decoder, const uint8_t *head, const char **problem)
{
    if (crc32c(decoder->checksum, head, decoder->part_size) != decoder->part_checksum) {
        return damaged(problem, "the snapshot's header is damaged: its checksum is wrong");
    }
    size_t cluster_size = head[24];
    if (cluster_size > SNAPSHOT_CLUSTER_BYTES_MAX ||
        COVERS_BYTES + cluster_size > decoder->part_size ||
        memchr(head + COVERS_BYTES, 0, cluster_size) != NULL) {
        return damaged(problem, "the snapshot's header has an impossible cluster's name");
    }
    memcpy(decoder->cluster, head + COVERS_BYTES, cluster_size);
    struct bytes members = {head + COVERS_BYTES + cluster_size,
                            decoder->part_size - COVERS_BYTES - cluster_size};
    if (!raft_configuration_decode(members, &decoder->members)) {
        return damaged(problem, "the snapshot's members are malformed");
    }
    decoder->meta = (struct raft_snapshot){.index = load_u64(head),
                                           .term = load_u64(head + 8),
                                           .members_index = load_u64(head + 16),
                                           .members = &decoder->members};
    if (decoder->meta.index == 0 || decoder->meta.members_index > decoder->meta.index) {
        return damaged(problem, "the snapshot's header has an impossible index");
    }
    decoder->has_meta = true;
    decoder->checksum = 0;
    decoder->stage = DECODER_PIECE_HEAD;
    return true;
}

static bool read_piece_head(struct snapshot_decoder *decoder, const uint8_t *head,
                            const char **problem)
{
    decoder->part_size = load_u32(head);
    decoder->part_checksum = load_u32(head + 4);
    if (decoder->part_size > SNAPSHOT_PIECE_BYTES ||
        (decoder->last_piece && decoder->part_size > 0)) {
        return damaged(problem, "a piece of the snapshot has an impossible size");
    }
    if (decoder->part_size > 0) {
        decoder->checksum = crc32c(decoder->checksum, head, PIECE_HEAD_BYTES);
        decoder->last_piece = decoder->part_size < SNAPSHOT_PIECE_BYTES;
    }
    decoder->stage = DECODER_PIECE; /* of size 0: the end */
    return true;
}

static bool read_end(struct snapshot_decoder *decoder, const uint8_t *end, const char **problem)
{
    uint64_t size = decoder->size - PIECE_HEAD_BYTES - END_BYTES;
    if (crc32c(decoder->checksum, end, END_BYTES) != decoder->part_checksum ||
        load_u64(end) != size) {
        return damaged(problem, "the snapshot is not whole: its last checksum is wrong");
    }
    decoder->meta.size = decoder->size;
    decoder->stage = DECODER_OVER;
    return true;
}

static bool read_piece(struct snapshot_decoder *decoder, const uint8_t *piece,
                       struct bytes *machine_bytes, const char **problem)
{
    if (decoder->part_size == 0) {
        return read_end(decoder, piece, problem);
    }
    if (crc32c(0, piece, decoder->part_size) != decoder->part_checksum) {
        return damaged(problem, "a piece of the snapshot is damaged: its checksum is wrong");
    }
    decoder->stage = DECODER_PIECE_HEAD;
    *machine_bytes = (struct bytes){piece, decoder->part_size};
    return true;
}

static size_t next_size(const struct snapshot_decoder *decoder)
{
    switch (decoder->stage) {
    case DECODER_FIXED:
        return FIXED_BYTES;
    case DECODER_PIECE_HEAD:
        return PIECE_HEAD_BYTES;
    case DECODER_PIECE:
        return decoder->part_size == 0 ? END_BYTES : decoder->part_size;
    default:
        return decoder->part_size;
    }
}

static bool read_part(struct snapshot_decoder *decoder, const uint8_t *part,
                      struct bytes *machine_bytes, const char **problem)
{
    switch (decoder->stage) {
    case DECODER_FIXED:
        return read_fixed(decoder, part, problem);
    case DECODER_HEAD:
        return read_head(decoder, part, problem);
    case DECODER_PIECE_HEAD:
        return read_piece_head(decoder, part, problem);
    default:
        return read_piece(decoder, part, machine_bytes, problem);
    }
}

bool snapshot_decode(struct snapshot_decoder *decoder, struct bytes *rest,
                     struct bytes *machine_bytes, const char **problem)
{
    *machine_bytes = (struct bytes){NULL, 0};
    while (rest->size > 0 && machine_bytes->size == 0) {
        if (decoder->stage == DECODER_OVER) {
            return damaged(problem, "there are bytes behind the snapshot's end");
        }
        size_t size = next_size(decoder);
        const uint8_t *part = gather_take(&decoder->gather, rest, size);
        if (part != NULL) {
            decoder->size += size;
            if (!read_part(decoder, part, machine_bytes, problem)) {
                return false;
            }
        }
    }
    return true;
}

bool snapshot_is_whole(const struct snapshot_decoder *decoder)
{
    return decoder->stage == DECODER_OVER;
}

void snapshot_decoder_free(struct snapshot_decoder *decoder)
{
    gather_free(&decoder->gather);
    raft_configuration_free(&decoder->members);
    *decoder = (struct snapshot_decoder){0};
}
