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
    struct buffer value;
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
    struct buffer kept = {0}; /* `value` may be a view of what is there */
    buffer_append(&kept, value.data, value.size);
    if (pair == NULL) {
        pair = &model->pairs[model->count++];
        *pair = (struct pair_of){key, {0}};
    }
    buffer_free(&pair->value);
    pair->value = kept;
}

static void drop(struct model *model, struct pair_of *pair)
{
    if (pair != NULL) {
        buffer_free(&pair->value);
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
    bool as_expected = pair == NULL
                           ? !has_expected
                           : has_expected && bytes_equal(buffer_bytes(&pair->value), expected);
    if (as_expected && value_field(command, "new", &wanted)) {
        put(model, key, wanted);
    } else if (as_expected) {
        drop(model, pair);
    }
}

/* ---- lists, element by element ---- */

struct element_list {
    struct bytes elements[STEPS_MAX + 1]; /* one more than commands can have made */
    size_t count;
};

/* false: it is no list, or one that was set whole with more than fit. */
static bool read_list(struct model *model, struct bytes key, struct element_list *list)
{
    struct pair_of *pair = find(model, key);
    list->count = 0;
    if (pair == NULL) {
        return true;
    }
    struct value_reader reader = {pair->value.data, pair->value.size, 0};
    struct value_item head;
    if (!value_read(&reader, &head) || head.kind != VALUE_ARRAY) {
        return false;
    }
    if (head.count > STEPS_MAX) {
        model->trusted = false;
        return false;
    }
    while (list->count < head.count) {
        size_t start = reader.position;
        ensure(value_skip(&reader));
        list->elements[list->count++] =
            (struct bytes){pair->value.data + start, reader.position - start};
    }
    return true;
}

static void put_list(struct model *model, struct bytes key, const struct element_list *list)
{
    struct buffer value = {0};
    struct buffer nested = {0};
    value_write_array(&value, list->count);
    for (size_t i = 0; i < list->count; i++) {
        buffer_append(&value, list->elements[i].data, list->elements[i].size);
    }
    value_write_array(&nested, 1);
    buffer_append(&nested, value.data, value.size);
    if (is_value(buffer_bytes(&nested))) { /* an answer can hold it */
        put(model, key, buffer_bytes(&value));
    }
    buffer_free(&value);
    buffer_free(&nested);
}

static void remove_at(struct element_list *list, size_t position)
{
    list->count--;
    for (size_t i = position; i < list->count; i++) {
        list->elements[i] = list->elements[i + 1];
    }
}

static void change_list(struct model *model, struct bytes operation, struct bytes key,
                        struct bytes value)
{
    struct element_list list;
    if (!read_list(model, key, &list)) {
        return;
    }
    size_t found = 0;
    while (found < list.count && !bytes_equal(list.elements[found], value)) {
        found++;
    }
    if (is_word(operation, "pop") && list.count > 0) {
        remove_at(&list, 0);
    } else if (is_word(operation, "remove") && found < list.count) {
        remove_at(&list, found);
    } else if (is_word(operation, "push") || (is_word(operation, "add") && found == list.count)) {
        list.elements[list.count++] = value;
    } else {
        return;
    }
    put_list(model, key, &list);
}

static void append_text(struct model *model, struct bytes key, struct bytes more)
{
    struct pair_of *pair = find(model, key);
    struct buffer text = {0};
    struct buffer value = {0};
    bool fine = true;
    for (int part = pair == NULL ? 1 : 0; part < 2; part++) {
        struct bytes from = part == 0 ? buffer_bytes(&pair->value) : more;
        struct value_reader reader = {from.data, from.size, 0};
        struct value_item item;
        fine = fine && value_read(&reader, &item) && item.kind == VALUE_STRING;
        if (fine) {
            buffer_append(&text, item.string.data, item.string.size);
        }
    }
    if (fine) {
        value_write_string(&value, text.data, text.size);
        put(model, key, buffer_bytes(&value));
    }
    buffer_free(&text);
    buffer_free(&value);
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
    } else if (is_word(operation, "pop")) {
        change_list(model, operation, key, (struct bytes){NULL, 0});
    } else if (value_field(command, "value", &value)) {
        if (is_word(operation, "append")) {
            append_text(model, key, value);
        } else if (is_word(operation, "push") || is_word(operation, "add") ||
                   is_word(operation, "remove")) {
            change_list(model, operation, key, value);
        }
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
    while (model.count > 0) {
        drop(&model, &model.pairs[model.count - 1]);
    }
    while (count > 0) {
        batch_release(pieces[--count]);
    }
    buffer_free(&first);
    buffer_free(&second);
    machine_free(one);
    machine_free(other);
    return 0;
}
