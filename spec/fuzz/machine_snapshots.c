/*
 * Fuzzes the snapshots of the kv machine with its sessions. Any bytes are refused, or restore a
 * state whose own snapshot is those bytes again. A snapshot gives the state that it began with,
 * whatever commands are applied before its end; and equal states give equal bytes, whatever their
 * history.
 */
#include "support/fuzz.h"

#define PIECE_BYTES 48U

static struct machine *new_machine(void)
{
    return machine_new(&kv_operations, kv_new());
}

static bool next(struct machine *machine, struct buffer *out)
{
    struct failure failure = {0};
    bool over = false;
    ensure(machine_snapshot_next(machine, PIECE_BYTES, out, &over, &failure));
    return !over;
}

static uint64_t take(struct machine *machine, struct buffer *out)
{
    struct failure failure = {0};
    uint64_t digest = 0;
    ensure(machine_snapshot_begin(machine, &failure));
    while (next(machine, out)) {
    }
    ensure(machine_digest(machine, &digest, &failure));
    machine_snapshot_end(machine);
    ensure(machine_kept_bytes(machine) == 0);
    return digest;
}

/* In pieces of the sizes that `sizes` tells. */
static bool restore(struct machine *machine, struct bytes bytes, struct bytes sizes)
{
    struct failure failure = {0};
    ensure(machine_restore_begin(machine, &failure));
    for (size_t i = 0; bytes.size > 0; i++) {
        size_t size = i < sizes.size && sizes.data[i] > 0 ? sizes.data[i] : 200;
        size = size < bytes.size ? size : bytes.size;
        if (!machine_restore_piece(machine, (struct bytes){bytes.data, size}, &failure)) {
            ensure(failure.message[0] != 0);
            return false;
        }
        bytes = (struct bytes){bytes.data + size, bytes.size - size};
    }
    return machine_restore_end(machine, &failure);
}

static void restore_any_bytes(struct bytes bytes)
{
    struct machine *machine = new_machine();
    struct buffer again = {0};
    if (restore(machine, bytes, bytes)) {
        (void)take(machine, &again);
        ensure(bytes_equal(buffer_bytes(&again), bytes));
    }
    buffer_free(&again);
    machine_free(machine);
}

static void apply(struct machine *machine, uint64_t index, struct bytes payload)
{
    struct failure failure = {0};
    struct buffer result = {0};
    enum machine_verdict verdict;
    ensure(machine_apply(machine, index, payload, &result, &verdict, &failure));
    buffer_free(&result);
}

/* A payload out of the input: a plain set or delete of one of a few keys, or the input's own bytes.
 */
static void make_payload(struct input *input, struct buffer *out)
{
    uint8_t kind = input_byte(input);
    struct buffer command = {0};
    if ((kind & 3) == 3) {
        struct batch *piece = input_piece(input);
        buffer_append(out, piece->data, piece->size);
        batch_release(piece);
        return;
    }
    if ((kind & 12) == 12) { /* its number is small: those below will hit upon it */
        buffer_append(out, machine_opening_payload.data, machine_opening_payload.size);
        return;
    }
    value_write_map(&command, (kind & 3) == 2 ? 2 : 3);
    value_write_string(&command, "op", 2);
    value_write_string(&command, (kind & 3) == 2 ? "delete" : "set", (kind & 3) == 2 ? 6 : 3);
    value_write_string(&command, "key", 3);
    value_write_integer(&command, kind >> 3);
    if ((kind & 3) != 2) {
        struct batch *value = input_piece(input);
        value_write_string(&command, "value", 5);
        value_write_string(&command, value->data, value->size);
        batch_release(value);
    }
    struct machine_payload payload = {.command = buffer_bytes(&command)};
    if ((kind & 4) != 0) {
        payload.session = 1 + input_byte(input);
        payload.sequence = input_byte(input);
    }
    machine_payload_write(out, &payload);
    buffer_free(&command);
}

/* `one` goes on after its snapshot began, `other` stops there. */
static void snapshot_while_applying(struct input input)
{
    struct machine *one = new_machine();
    struct machine *other = new_machine();
    struct failure failure = {0};
    struct buffer during = {0};
    struct buffer still = {0};
    bool goes_on = false;
    for (uint64_t index = 1; input.size > 0; index++) {
        uint8_t what = input_byte(&input);
        struct buffer payload = {0};
        make_payload(&input, &payload);
        if (still.size == 0 && what == 0) {
            (void)take(other, &still);
            ensure(machine_snapshot_begin(one, &failure));
            goes_on = true;
        }
        apply(one, index, buffer_bytes(&payload));
        if (still.size == 0) {
            apply(other, index, buffer_bytes(&payload));
        } else if (goes_on && (what & 1) != 0) {
            goes_on = next(one, &during);
        }
        buffer_free(&payload);
    }
    while (goes_on) {
        goes_on = next(one, &during);
    }
    ensure(bytes_equal(buffer_bytes(&during), buffer_bytes(&still)));
    machine_snapshot_end(one);
    /* What the second holds after it took over the first one's state is that state. */
    buffer_clear(&during);
    buffer_clear(&still);
    uint64_t digest = take(one, &during);
    ensure(restore(other, buffer_bytes(&during), (struct bytes){NULL, 0}));
    ensure(take(other, &still) == digest);
    ensure(bytes_equal(buffer_bytes(&during), buffer_bytes(&still)));
    buffer_free(&during);
    buffer_free(&still);
    machine_free(one);
    machine_free(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    if ((input_byte(&input) & 1) == 0) {
        restore_any_bytes((struct bytes){input.at, input.size});
    } else {
        snapshot_while_applying(input);
    }
    return 0;
}
