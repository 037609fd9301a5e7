/*
 * Fuzzes the payloads of commands: what is read of one is written to the same bytes; and a machine
 * that applies it answers with a value, the same again where a session repeats itself.
 */
#include "support/fuzz.h"

static void check_round_trip(struct bytes bytes)
{
    struct machine_payload payload;
    struct buffer again = {0};
    if (machine_payload_read(bytes, &payload)) {
        machine_payload_write(&again, &payload);
        ensure(bytes_equal(buffer_bytes(&again), bytes));
    }
    buffer_free(&again);
}

static void apply(struct machine *machine, uint64_t index, struct bytes bytes,
                  struct buffer *result)
{
    struct failure failure = {0};
    enum machine_verdict verdict;
    buffer_clear(result);
    ensure(machine_apply(machine, index, bytes, result, &verdict, &failure));
    ensure(is_value(buffer_bytes(result)));
}

/* Twice: a session's command is applied once, however often it is in the log. */
static void apply_and_repeat(struct machine *machine, uint64_t *index, struct bytes bytes)
{
    struct machine_payload payload;
    struct buffer first = {0};
    struct buffer second = {0};
    apply(machine, ++*index, bytes, &first);
    if (machine_payload_read(bytes, &payload) && payload.session != 0) {
        apply(machine, ++*index, bytes, &second);
        ensure(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
    }
    buffer_free(&first);
    buffer_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct machine *machine = machine_new(&kv_operations, kv_new());
    struct input input = {data, size};
    uint64_t index = 0;
    while (input.size > 0) {
        struct batch *piece = input_piece(&input);
        check_round_trip(batch_bytes(piece));
        apply_and_repeat(machine, &index, batch_bytes(piece));
        batch_release(piece);
    }
    machine_free(machine);
    return 0;
}
