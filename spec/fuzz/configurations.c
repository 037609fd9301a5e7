/*
 * Fuzzes the bytes of configurations: what decodes is encoded to bytes that decode alike; and two
 * that decode and are of use make a joint one, and the final one after it; and one that prepares
 * the change, from which both can be had again.
 */
#include "support/fuzz.h"

#include "raft/internal.h"

static void check_find(const struct raft_configuration *configuration)
{
    for (uint32_t i = 0; i < configuration->count; i++) {
        const struct raft_member *member = &configuration->members[i];
        ensure(raft_configuration_find(configuration, member->id) == member);
    }
    ensure(raft_configuration_find(configuration, 0) == NULL);
}

/* Varints have longer forms than the one that we write: so the bytes may be others, but not then.
 */
static void check_round_trip(struct bytes bytes, const struct raft_configuration *configuration)
{
    struct raft_configuration again;
    struct buffer first = {0};
    struct buffer second = {0};
    raft_configuration_encode(configuration, &first);
    ensure(first.size <= bytes.size);
    ensure(first.size < bytes.size || bytes_equal(buffer_bytes(&first), bytes));
    ensure(raft_configuration_decode(buffer_bytes(&first), &again));
    raft_configuration_encode(&again, &second);
    ensure(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
    raft_configuration_free(&again);
    buffer_free(&first);
    buffer_free(&second);
}

static void ensure_equal(const struct raft_configuration *a, const struct raft_configuration *b)
{
    struct buffer first = {0};
    struct buffer second = {0};
    raft_configuration_encode(a, &first);
    raft_configuration_encode(b, &second);
    ensure(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
    buffer_free(&first);
    buffer_free(&second);
}

/* Addresses are the wanted ones from then on. */
static void check_preparing(const struct raft_configuration *from,
                            const struct raft_configuration *wanted)
{
    struct raft_configuration preparing;
    struct raft_configuration after;
    struct raft_configuration before;
    if (from->preparing || from->count + wanted->count > RAFT_MEMBERS_MAX) {
        return;
    }
    configuration_make_preparing(from, wanted, &preparing);
    ensure(configuration_problem(&preparing) == NULL);
    ensure(configuration_same_voters(&preparing, from));
    configuration_make_wanted(&preparing, &after);
    ensure_equal(&after, wanted);
    configuration_make_former(&preparing, &before);
    ensure(configuration_problem(&before) == NULL && before.count == from->count);
    ensure(configuration_same_voters(&before, from));
    raft_configuration_free(&preparing);
    raft_configuration_free(&after);
    raft_configuration_free(&before);
}

static void check_change(const struct raft_configuration *from,
                         const struct raft_configuration *wanted)
{
    struct raft_configuration joint;
    struct raft_configuration final;
    bool is_change = !from->joint && !wanted->joint && !wanted->preparing &&
                     configuration_problem(from) == NULL && configuration_problem(wanted) == NULL;
    if (!is_change) {
        return;
    }
    check_preparing(from, wanted);
    configuration_make_joint(from, wanted, &joint);
    ensure(configuration_problem(&joint) == NULL);
    configuration_make_final(&joint, &final);
    ensure(configuration_problem(&final) == NULL);
    ensure(configuration_same_voters(&final, wanted));
    raft_configuration_free(&joint);
    raft_configuration_free(&final);
}

static bool decode(const struct batch *piece, struct raft_configuration *out)
{
    if (!raft_configuration_decode(batch_bytes(piece), out)) {
        ensure(out->members == NULL && out->count == 0);
        return false;
    }
    check_find(out);
    check_round_trip(batch_bytes(piece), out);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct batch *first = input_piece(&input);
    struct batch *second = batch_copy(NULL, input.at, input.size);
    struct raft_configuration from;
    struct raft_configuration wanted;
    bool both = decode(first, &from);
    both = decode(second, &wanted) && both;
    if (both) {
        check_change(&from, &wanted);
    }
    raft_configuration_free(&from);
    raft_configuration_free(&wanted);
    batch_release(first);
    batch_release(second);
    return 0;
}
