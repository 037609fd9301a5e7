/*
 * Fuzzes the form of a snapshot's bytes. Any bytes are refused, or read as a snapshot that can be
 * written and read again, a header with the right checksum too. And what was written is
 * read back, in pieces of any sizes; with one bit changed, or cut off, it is refused.
 */
#include "support/fuzz.h"

#include "store/store.h"

/* true: whole. What is read of the machine's bytes goes to `out`. */
static bool read_all(struct snapshot_decoder *decoder, struct bytes bytes, uint8_t step,
                     struct buffer *out)
{
    const char *problem = NULL;
    struct bytes machine_bytes;
    while (bytes.size > 0) {
        size_t size = step == 0 || step > bytes.size ? bytes.size : step;
        struct bytes piece = {bytes.data, size};
        bytes = (struct bytes){bytes.data + size, bytes.size - size};
        while (piece.size > 0) {
            if (!snapshot_decode(decoder, &piece, &machine_bytes, &problem)) {
                ensure(problem != NULL);
                return false;
            }
            ensure(machine_bytes.size <= SNAPSHOT_PIECE_BYTES);
            buffer_append(out, machine_bytes.data, machine_bytes.size);
        }
    }
    return snapshot_is_whole(decoder);
}

static void write_all(const struct raft_snapshot *meta, const char *cluster,
                      struct bytes machine_bytes, struct buffer *out)
{
    struct snapshot_encoder encoder = {0};
    snapshot_encode_head(&encoder, meta, cluster, out);
    snapshot_encode(&encoder, machine_bytes, out);
    snapshot_encode_end(&encoder, out);
    ensure(encoder.size == out->size);
    snapshot_encoder_free(&encoder);
}

static void read_any_bytes(struct bytes bytes, uint8_t step)
{
    struct snapshot_decoder decoder = {0};
    struct buffer machine_bytes = {0};
    struct buffer again = {0};
    if (read_all(&decoder, bytes, step, &machine_bytes)) {
        struct snapshot_decoder second = {0};
        ensure(decoder.meta.size == bytes.size);
        write_all(&decoder.meta, decoder.cluster, buffer_bytes(&machine_bytes), &again);
        buffer_clear(&machine_bytes);
        ensure(read_all(&second, buffer_bytes(&again), 0, &machine_bytes));
        ensure(second.meta.index == decoder.meta.index && second.meta.term == decoder.meta.term);
        ensure(second.members.count == decoder.members.count);
        snapshot_decoder_free(&second);
    }
    snapshot_decoder_free(&decoder);
    buffer_free(&machine_bytes);
    buffer_free(&again);
}

static void expect_refusal(struct bytes bytes, uint8_t step)
{
    struct snapshot_decoder decoder = {0};
    struct buffer out = {0};
    ensure(!read_all(&decoder, bytes, step, &out));
    snapshot_decoder_free(&decoder);
    buffer_free(&out);
}

/* Sound bytes, whose machine's bytes are the input over and over. */
static void write_and_damage(struct input *input)
{
    uint8_t step = input_byte(input);
    uint8_t times = input_byte(input) & 15; /* beyond one piece where the input is long */
    uint64_t where =
        input_byte(input) | (uint64_t)input_byte(input) << 8 | (uint64_t)input_byte(input) << 16;
    struct raft_configuration members = {0};
    struct raft_member member = {.id = 1 + (where & 7), .voter = true, .directory = where};
    raft_configuration_put(&members, &member);
    struct raft_snapshot meta = {
        .index = 9, .term = 2, .members_index = where & 7, .members = &members};
    struct buffer machine_bytes = {0};
    struct buffer bytes = {0};
    struct buffer back = {0};
    struct snapshot_decoder decoder = {0};
    for (uint32_t i = 0; i < times * (uint32_t)times; i++) {
        buffer_append(&machine_bytes, input->at, input->size);
    }
    write_all(&meta, "fuzz", buffer_bytes(&machine_bytes), &bytes);
    ensure(read_all(&decoder, buffer_bytes(&bytes), step, &back));
    ensure(bytes_equal(buffer_bytes(&back), buffer_bytes(&machine_bytes)));
    ensure(decoder.meta.index == 9 && decoder.meta.size == bytes.size);
    expect_refusal((struct bytes){bytes.data, (size_t)(where % bytes.size)}, step);
    bytes.data[where % bytes.size] ^= (uint8_t)(1U << (step & 7));
    expect_refusal(buffer_bytes(&bytes), step);
    snapshot_decoder_free(&decoder);
    raft_configuration_free(&members);
    buffer_free(&machine_bytes);
    buffer_free(&bytes);
    buffer_free(&back);
}

/* The input as a header whose checksum is right, with a sound end. */
static void read_any_header(struct bytes header, uint8_t step)
{
    uint8_t fixed[20] = "raftsnap";
    struct buffer bytes = {0};
    struct snapshot_encoder encoder = {0};
    store_u32(fixed + 8, 1);
    store_u32(fixed + 12, (uint32_t)header.size);
    store_u32(fixed + 16, crc32c(crc32c(0, fixed, 16), header.data, header.size));
    buffer_append(&bytes, fixed, sizeof fixed);
    buffer_append(&bytes, header.data, header.size);
    encoder.size = bytes.size;
    snapshot_encode_end(&encoder, &bytes);
    read_any_bytes(buffer_bytes(&bytes), step);
    snapshot_encoder_free(&encoder);
    buffer_free(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    uint8_t kind = input_byte(&input);
    if ((kind & 3) == 0) {
        read_any_bytes((struct bytes){input.at, input.size}, kind >> 2);
    } else if ((kind & 3) == 1) {
        read_any_header((struct bytes){input.at, input.size}, kind >> 2);
    } else {
        write_and_damage(&input);
    }
    return 0;
}
