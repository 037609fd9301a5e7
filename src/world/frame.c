/*
 * Frame heads: what every message between nodes and clients begins with on the wire, and how
 * received bytes are judged by it. It never looks behind the head but to add up the checksum.
 */
#include "world/world.h"

#include <string.h>

/* Where the fields stand in the head. */
enum {
    AT_LENGTH = 0,
    AT_CHECKSUM = 4,
    AT_NUMBER = 8, /* from here on the checksum covers all */
    AT_DIRECTORY = 16,
    AT_KIND = 24,
    AT_ZEROES = 25,
};

void frame_begin(struct buffer *buffer)
{
    ensure(buffer->size == 0);
    memset(buffer_extend(buffer, FRAME_HEAD_BYTES), 0, FRAME_HEAD_BYTES);
}

void frame_seal(struct buffer *buffer, enum frame_kind kind, uint64_t number, uint64_t directory)
{
    uint8_t *head = buffer->data;

    ensure(buffer->size >= FRAME_HEAD_BYTES);
    ensure(buffer->size <= FRAME_BYTES_LIMIT);
    ensure(kind >= FRAME_HELLO && kind <= FRAME_PIECE);
    store_u32(head + AT_LENGTH, (uint32_t)buffer->size);
    store_u64(head + AT_NUMBER, number);
    store_u64(head + AT_DIRECTORY, directory);
    head[AT_KIND] = (uint8_t)kind;
    store_u32(head + AT_CHECKSUM, crc32c(0, head + AT_NUMBER, buffer->size - AT_NUMBER));
}

static enum frame_verdict bad(const char **problem, const char *text)
{
    *problem = text;
    return FRAME_BAD;
}

enum frame_verdict frame_parse(struct bytes bytes, bool check, struct frame_head *head,
                               const char **problem)
{
    const uint8_t *data = bytes.data;

    *head = (struct frame_head){0};
    if (bytes.size < AT_CHECKSUM) {
        return FRAME_PARTIAL;
    }
    head->length = load_u32(data + AT_LENGTH);
    /* A bad length is told at once: waiting for what it announces could take forever. */
    if (head->length < FRAME_HEAD_BYTES) {
        return bad(problem, "a frame shorter than its head");
    }
    if (head->length > FRAME_BYTES_LIMIT) {
        return bad(problem, "an oversized frame");
    }
    if (bytes.size < FRAME_HEAD_BYTES) {
        return FRAME_PARTIAL;
    }
    if (data[AT_KIND] < FRAME_HELLO || data[AT_KIND] > FRAME_PIECE) {
        return bad(problem, "a frame of an unknown kind");
    }
    if ((data[AT_ZEROES] | data[AT_ZEROES + 1] | data[AT_ZEROES + 2]) != 0) {
        return bad(problem, "a frame head with stray bytes");
    }
    head->checksum = load_u32(data + AT_CHECKSUM);
    head->number = load_u64(data + AT_NUMBER);
    head->directory = load_u64(data + AT_DIRECTORY);
    head->kind = (enum frame_kind)data[AT_KIND];
    if (bytes.size < head->length) {
        return FRAME_PARTIAL;
    }
    if (check && crc32c(0, data + AT_NUMBER, head->length - AT_NUMBER) != head->checksum) {
        return bad(problem, "a frame with a wrong checksum");
    }
    return FRAME_WHOLE;
}

struct frame_head frame_head_of(struct bytes frame)
{
    struct frame_head head;
    const char *problem = NULL;
    /* Our own nodes made it, or it was checked: the checksum need not be added up. */
    ensure(frame_parse(frame, false, &head, &problem) == FRAME_WHOLE);
    return head;
}
