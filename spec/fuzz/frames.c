/*
 * Fuzzes frame_parse: what it takes is sealed alike; what it says of bytes, it does not take back
 * when more of them arrive, because a connection is read piece by piece.
 */
#include "support/fuzz.h"

static enum frame_verdict parse(struct bytes bytes, bool check, struct frame_head *head)
{
    const char *problem = NULL;
    enum frame_verdict verdict = frame_parse(bytes, check, head, &problem);
    ensure((verdict == FRAME_BAD) == (problem != NULL));
    if (verdict == FRAME_WHOLE) {
        ensure(head->length >= FRAME_HEAD_BYTES && head->length <= FRAME_BYTES_LIMIT);
        ensure(head->length <= bytes.size);
    } else if (verdict == FRAME_PARTIAL) {
        ensure(head->length == 0 || head->length > bytes.size);
    }
    return verdict;
}

static void seal_again(struct bytes bytes, const struct frame_head *head)
{
    struct buffer frame = {0};
    frame_begin(&frame);
    buffer_append(&frame, bytes.data + FRAME_HEAD_BYTES, head->length - FRAME_HEAD_BYTES);
    frame_seal(&frame, head->kind, head->number, head->directory);
    ensure(bytes_equal(buffer_bytes(&frame), (struct bytes){bytes.data, head->length}));
    buffer_free(&frame);
}

/* Frame by frame, as a connection does. */
static void walk(struct bytes bytes)
{
    struct frame_head head;
    while (parse(bytes, true, &head) == FRAME_WHOLE) {
        seal_again(bytes, &head);
        bytes.data += head.length;
        bytes.size -= head.length;
    }
}

static void arrive_in_pieces(struct bytes bytes)
{
    struct frame_head whole;
    struct frame_head head;
    enum frame_verdict last = parse(bytes, true, &whole);
    for (size_t size = 0; size < bytes.size; size++) {
        enum frame_verdict verdict = parse((struct bytes){bytes.data, size}, true, &head);
        if (verdict == FRAME_PARTIAL) {
            ensure(head.length == 0 || head.length == load_u32(bytes.data));
        } else {
            ensure(verdict == last);
            ensure(verdict != FRAME_WHOLE || head.length == whole.length);
        }
    }
    if (last == FRAME_WHOLE) {
        ensure(parse(bytes, false, &head) == FRAME_WHOLE);
        ensure(head.length == whole.length && head.checksum == whole.checksum);
        ensure(head.number == whole.number && head.kind == whole.kind);
    }
}

/* Random bytes never have the right checksum, so it is put in. */
static void mend(struct batch *copy)
{
    struct frame_head head;
    if (parse(batch_bytes(copy), false, &head) == FRAME_WHOLE) {
        store_u32(copy->data + 4, crc32c(0, copy->data + 8, head.length - 8));
        ensure(parse(batch_bytes(copy), true, &head) == FRAME_WHOLE);
        walk(batch_bytes(copy));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct batch *copy = batch_copy(NULL, data, size);
    walk(batch_bytes(copy));
    arrive_in_pieces(batch_bytes(copy));
    mend(copy);
    batch_release(copy);
    return 0;
}
