/*
 * Fuzzes the kv machine: no command and no query makes it fail, two machines that get the same
 * commands answer alike, and each query is answered as a plain list of pairs would answer it.
 */
#include "support/fuzz.h"

#define PAIRS_MAX 64
#define STEPS_MAX 256

/* What valid commands made of it, in the order of first setting. */
struct pair_of {
    struct bytes key;
    struct bytes value;
};

struct model {
    struct pair_of pairs[PAIRS_MAX];
    size_t count;
    bool trusted; /* it has seen every command, and knows what each means */
};

static struct pair_of *find(struct model *model, struct bytes key)
{
    for (size_t i = 0; i < model->count; i++) {
        if (bytes_equal(model->pairs[i].key, key)) {
            return &model->pairs[i];
        }
    }
    return NULL;
}

static void put(struct model *model, struct bytes key, struct bytes value)
{
    struct pair_of *pair = find(model, key);
    if (pair == NULL && model->count == PAIRS_MAX) {
        model->trusted = false;
        return;
    }
    if (pair == NULL) {
        pair = &model->pairs[model->count++];
    }
    *pair = (struct pair_of){key, value};
}

static void drop(struct model *model, struct pair_of *pair)
{
    if (pair != NULL) {
        *pair = model->pairs[--model->count];
    }
}

static bool is_word(struct bytes bytes, const char *word)
{
    size_t i = 0;
    while (i < bytes.size && word[i] != 0 && bytes.data[i] == (uint8_t)word[i]) {
        i++;
    }
    return i == bytes.size && word[i] == 0;
}

static void compare_and_set(struct model *model, struct bytes command, struct bytes key)
{
    struct bytes expected = {NULL, 0};
    struct bytes wanted = {NULL, 0};
    struct pair_of *pair = find(model, key);
    bool has_expected = value_field(command, "old", &expected);
    bool as_expected =
        pair == NULL ? !has_expected : has_expected && bytes_equal(pair->value, expected);
    if (as_expected && value_field(command, "new", &wanted)) {
        put(model, key, wanted);
    } else if (as_expected) {
        drop(model, pair);
    }
}

static void apply_to_model(struct model *model, struct bytes command)
{
    struct bytes operation;
    struct bytes key;
    struct bytes value;
    if (!value_is_valid(command)) {
        model->trusted = false; /* whatever is made of it: no client of ours sends it */
        return;
    }
    if (!value_field_string(command, "op", &operation) || !value_field(command, "key", &key)) {
        return;
    }
    if (is_word(operation, "set") && value_field(command, "value", &value)) {
        put(model, key, value);
    } else if (is_word(operation, "delete")) {
        drop(model, find(model, key));
    } else if (is_word(operation, "cas")) {
        compare_and_set(model, command, key);
    }
}

static struct bytes run(struct machine *machine, bool is_query, uint64_t index, struct bytes input,
                        struct buffer *out)
{
    struct failure failure = {0};
    buffer_clear(out);
    if (is_query) {
        ensure(machine_query(machine, input, out, &failure));
    } else {
        struct buffer payload = {0};
        machine_payload_write(&payload, &(struct machine_payload){.command = input});
        enum machine_verdict verdict;
        ensure(machine_apply(machine, index, buffer_bytes(&payload), out, &verdict, &failure));
        buffer_free(&payload);
    }
    ensure(is_value(buffer_bytes(out)));
    return buffer_bytes(out);
}

static void check_state(struct machine *machine, struct model *model)
{
    struct buffer query = {0};
    struct buffer answer = {0};
    struct buffer expected = {0};
    for (size_t i = 0; model->trusted && i < model->count; i++) {
        buffer_clear(&query);
        buffer_clear(&expected);
        value_write_map(&query, 2);
        value_write_string(&query, "op", 2);
        value_write_string(&query, "get", 3);
        value_write_string(&query, "key", 3);
        buffer_append(&query, model->pairs[i].key.data, model->pairs[i].key.size);
        value_write_array(&expected, 1);
        buffer_append(&expected, model->pairs[i].value.data, model->pairs[i].value.size);
        ensure(bytes_equal(run(machine, true, 0, buffer_bytes(&query), &answer),
                           buffer_bytes(&expected)));
    }
    buffer_clear(&query);
    buffer_clear(&expected);
    value_write_map(&query, 1);
    value_write_string(&query, "op", 2);
    value_write_string(&query, "size", 4);
    value_write_integer(&expected, (int64_t)model->count);
    struct bytes size = run(machine, true, 0, buffer_bytes(&query), &answer);
    ensure(!model->trusted || bytes_equal(size, buffer_bytes(&expected)));
    buffer_free(&query);
    buffer_free(&answer);
    buffer_free(&expected);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct machine *one = machine_new(&kv_operations, kv_new());
    struct machine *other = machine_new(&kv_operations, kv_new());
    struct model model = {.trusted = true};
    struct batch *pieces[STEPS_MAX]; /* the model's views point into them */
    struct input input = {data, size};
    struct buffer first = {0};
    struct buffer second = {0};
    size_t count = 0;
    while (input.size > 0 && count < STEPS_MAX) {
        bool is_query = (input_byte(&input) & 1) != 0;
        struct batch *piece = input_piece(&input);
        pieces[count++] = piece;
        struct bytes answer = run(one, is_query, count, batch_bytes(piece), &first);
        ensure(bytes_equal(answer, run(other, is_query, count, batch_bytes(piece), &second)));
        if (!is_query) {
            apply_to_model(&model, batch_bytes(piece));
        }
    }
    check_state(one, &model);
    while (count > 0) {
        batch_release(pieces[--count]);
    }
    buffer_free(&first);
    buffer_free(&second);
    machine_free(one);
    machine_free(other);
    return 0;
}
