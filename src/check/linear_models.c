/*
 * What the operations of a history mean to a model: each becomes one of a few kinds, in the part of
 * its key; and what one of them does to a state. It judges no order.
 */
#include "check/linear_internal.h"

struct splitter {
    struct history *history;
    const struct linear_options *options;
    struct linear_parts *parts;
    struct number_map places; /* key → its part */
    struct failure *failure;
    uint32_t null, yes, no; /* numbers of values */
    bool whole;             /* a set that is read as a whole is not split */
    struct buffer scratch;
};

static const char *const model_names[] = {
#define X(name, text) [LINEAR_##name] = (text),
    LINEAR_MODELS(X)
#undef X
        [LINEAR_CUSTOM] = "custom",
};

const char *linear_model_name(enum linear_model model)
{
    return model_names[model];
}

bool linear_model_find(struct bytes name, enum linear_model *model)
{
    for (uint32_t i = 0; i < LINEAR_CUSTOM; i++) {
        if (bytes_equal(name, bytes_of_text(model_names[i]))) {
            *model = (enum linear_model)i;
            return true;
        }
    }
    return false;
}

/* ---- from entries to operations of a model -------------------------------------------------- */

static bool is_called(const struct splitter *splitter, const struct history_operation *operation,
                      const char *name)
{
    return bytes_equal(history_value(splitter->history, operation->f), bytes_of_text(name));
}

static bool malformed(const struct splitter *splitter, const struct history_operation *operation,
                      const char *what)
{
    failure_set(splitter->failure, FAILURE_NONE, "entry %u: %s", operation->inv, what);
    return false;
}

static bool unknown_operation(const struct splitter *splitter,
                              const struct history_operation *operation, const char *known)
{
    struct bytes f = history_value(splitter->history, operation->f);
    failure_set(splitter->failure, FAILURE_NONE,
                "entry %u: the model \"%s\" has no operation '%.*s' (it has %s)", operation->inv,
                linear_model_name(splitter->options->model), (int)(f.size < 40 ? f.size : 40),
                (const char *)f.data, known);
    return false;
}

/* The two values of a cas, {old, new}. */
static bool read_pair(const struct splitter *splitter, const struct history_operation *operation,
                      struct linear_operation *out)
{
    struct bytes value = history_value(splitter->history, operation->value);
    struct value_reader reader = {.data = value.data, .size = value.size};
    struct value_item item;
    if (value.size == 0 || !value_read(&reader, &item) || item.kind != VALUE_ARRAY ||
        item.count != 2) {
        return malformed(splitter, operation, "the value of a cas is {old, new}");
    }
    size_t first = reader.position;
    (void)value_skip(&reader);
    size_t second = reader.position;
    /* Numbering may move what the views show. */
    struct buffer copy = {0};
    buffer_append(&copy, value.data, value.size);
    out->a = history_number(splitter->history, (struct bytes){copy.data + first, second - first});
    out->b =
        history_number(splitter->history, (struct bytes){copy.data + second, copy.size - second});
    buffer_free(&copy);
    return true;
}

static bool give_value(const struct splitter *splitter, const struct history_operation *operation,
                       enum linear_kind kind, struct linear_operation *out)
{
    out->kind = kind;
    out->a = operation->value;
    return operation->value != 0 || malformed(splitter, operation, "it has no value");
}

/* What was read; nothing is null. */
static uint32_t result_of(const struct splitter *splitter,
                          const struct history_operation *operation)
{
    return operation->result == 0 ? splitter->null : operation->result;
}

static bool convert_cas(const struct splitter *splitter, const struct history_operation *operation,
                        struct linear_operation *out, bool *kept)
{
    if (!read_pair(splitter, operation, out)) {
        return false;
    }
    out->kind = KIND_CAS;
    if (operation->outcome == HISTORY_MISMATCH) {
        out->kind = operation->result == 0 ? KIND_NOT : KIND_READ;
        out->a = operation->result == 0 ? out->a : operation->result;
    } else if (out->a == out->b) {
        out->kind = KIND_READ; /* that is all it does */
    }
    *kept = out->kind != KIND_READ || out->ret != HISTORY_NEVER;
    return true;
}

/* register, cas-register, kv */
static bool convert_register(const struct splitter *splitter,
                             const struct history_operation *operation,
                             struct linear_operation *out, bool *kept)
{
    enum linear_model model = splitter->options->model;
    if (is_called(splitter, operation, "read")) {
        out->kind = KIND_READ;
        out->a = result_of(splitter, operation);
        *kept = out->ret != HISTORY_NEVER;
        return true;
    } else if (is_called(splitter, operation, "write")) {
        return give_value(splitter, operation, KIND_WRITE, out);
    } else if (is_called(splitter, operation, "cas") && model != LINEAR_REGISTER) {
        return convert_cas(splitter, operation, out, kept);
    } else if (model != LINEAR_KV) {
        return unknown_operation(splitter, operation,
                                 model == LINEAR_REGISTER ? "read, write" : "read, write, cas");
    } else if (is_called(splitter, operation, "delete")) {
        out->kind = KIND_WRITE;
        out->a = splitter->null;
        return true;
    } else if (is_called(splitter, operation, "append")) {
        struct bytes value = history_value(splitter->history, operation->value);
        struct value_reader reader = {.data = value.data, .size = value.size};
        struct value_item item;
        out->kind = KIND_APPEND;
        out->a = operation->value;
        return (value_read(&reader, &item) && item.kind == VALUE_STRING) ||
               malformed(splitter, operation, "what is appended to a value of \"kv\" is a string");
    }
    return unknown_operation(splitter, operation, "read, write, cas, delete, append");
}

static bool is_list(const struct splitter *splitter, uint32_t number)
{
    struct bytes value = history_value(splitter->history, number);
    struct value_reader reader = {.data = value.data, .size = value.size};
    struct value_item item;
    return value_read(&reader, &item) && item.kind == VALUE_ARRAY;
}

/* A read of the whole; null is what an empty one may read as. */
static bool convert_whole(struct splitter *splitter, const struct history_operation *operation,
                          struct linear_operation *out, bool *kept)
{
    static const uint8_t empty[] = {0x80};
    out->kind = KIND_READ;
    *kept = out->ret != HISTORY_NEVER;
    out->a = result_of(splitter, operation);
    if (out->a == splitter->null) {
        out->a = history_number(splitter->history, (struct bytes){empty, sizeof empty});
    }
    if (!*kept) {
        return true;
    } else if (!is_list(splitter, out->a)) {
        return malformed(splitter, operation, "what was read is not a list");
    } else if (splitter->options->model == LINEAR_SET) {
        buffer_clear(&splitter->scratch);
        linear_sort_elements(history_value(splitter->history, out->a), &splitter->scratch);
        out->a = history_number(splitter->history, buffer_bytes(&splitter->scratch));
    }
    return true;
}

/* Where an addition or a removal says whether it changed anything: one that did not only tells. */
static void convert_change(const struct splitter *splitter, struct linear_operation *out)
{
    bool adds = out->kind == KIND_ADD;
    if (out->ret == HISTORY_NEVER || out->b != splitter->no) {
        out->b = out->ret != HISTORY_NEVER && out->b == splitter->yes ? splitter->yes : 0;
        return;
    }
    out->kind = KIND_HAS;
    out->b = adds ? splitter->yes : splitter->no;
}

/* An element of a set that is split is a register of whether it is there. */
static void make_register(const struct splitter *splitter, struct linear_operation *out)
{
    bool changed = out->b != 0;
    uint32_t after = out->kind == KIND_ADD ? splitter->yes : splitter->no;
    if (out->kind == KIND_HAS) {
        out->kind = KIND_READ;
        out->a = out->b;
        out->b = 0;
    } else {
        out->kind = changed ? KIND_CAS : KIND_WRITE;
        out->a = !changed ? after : (after == splitter->yes ? splitter->no : splitter->yes);
        out->b = changed ? after : 0;
    }
}

static bool convert_element(const struct splitter *splitter,
                            const struct history_operation *operation, enum linear_kind kind,
                            struct linear_operation *out)
{
    if (!give_value(splitter, operation, kind, out)) {
        return false;
    }
    out->b = operation->result;
    if (kind != KIND_HAS) {
        convert_change(splitter, out);
    } else if (out->ret != HISTORY_NEVER && out->b != splitter->yes && out->b != splitter->no) {
        return malformed(splitter, operation, "the result of 'contains' is true or false");
    }
    if (!splitter->whole) {
        make_register(splitter, out);
    }
    return true;
}

static bool convert_set(struct splitter *splitter, const struct history_operation *operation,
                        struct linear_operation *out, bool *kept)
{
    if (is_called(splitter, operation, "add")) {
        return convert_element(splitter, operation, KIND_ADD, out);
    } else if (is_called(splitter, operation, "remove")) {
        return convert_element(splitter, operation, KIND_REMOVE, out);
    } else if (is_called(splitter, operation, "contains")) {
        *kept = out->ret != HISTORY_NEVER;
        return convert_element(splitter, operation, KIND_HAS, out);
    } else if (is_called(splitter, operation, "read")) {
        return convert_whole(splitter, operation, out, kept);
    }
    return unknown_operation(splitter, operation, "add, remove, contains, read");
}

static bool convert_queue(const struct splitter *splitter,
                          const struct history_operation *operation, struct linear_operation *out)
{
    if (is_called(splitter, operation, "enqueue")) {
        return give_value(splitter, operation, KIND_ENQUEUE, out);
    } else if (is_called(splitter, operation, "dequeue")) {
        out->a = result_of(splitter, operation);
        out->kind = out->a == splitter->null ? KIND_EMPTY : KIND_DEQUEUE;
        if (out->ret == HISTORY_NEVER) {
            out->kind = KIND_TAKE;
            out->a = 0;
        }
        return true;
    }
    return unknown_operation(splitter, operation, "enqueue, dequeue");
}

static bool convert_append(struct splitter *splitter, const struct history_operation *operation,
                           struct linear_operation *out, bool *kept)
{
    if (is_called(splitter, operation, "append")) {
        return give_value(splitter, operation, KIND_APPEND, out);
    } else if (is_called(splitter, operation, "read")) {
        return convert_whole(splitter, operation, out, kept);
    }
    return unknown_operation(splitter, operation, "append, read");
}

static bool convert_custom(struct splitter *splitter, const struct history_operation *operation,
                           struct linear_operation *out)
{
    uint32_t alike[2] = {operation->f, operation->value};
    struct buffer name = {0};
    buffer_append_byte(&name, 0xff); /* no value begins so */
    buffer_append(&name, alike, sizeof alike);
    buffer_append(&name, &operation->key, sizeof operation->key);
    out->a = history_number(splitter->history, buffer_bytes(&name));
    buffer_free(&name);
    out->b = operation->result;
    out->kind = operation->outcome == HISTORY_UNKNOWN ? KIND_CUSTOM_OPEN : KIND_CUSTOM;
    return true;
}

static bool convert(struct splitter *splitter, const struct history_operation *operation,
                    struct linear_operation *out, bool *kept)
{
    switch (splitter->options->model) {
    case LINEAR_REGISTER:
    case LINEAR_CAS_REGISTER:
    case LINEAR_KV:
        return convert_register(splitter, operation, out, kept);
    case LINEAR_SET:
        return convert_set(splitter, operation, out, kept);
    case LINEAR_QUEUE:
        return convert_queue(splitter, operation, out);
    case LINEAR_APPEND:
        return convert_append(splitter, operation, out, kept);
    case LINEAR_CUSTOM:
        return convert_custom(splitter, operation, out);
    }
    return false;
}

/* ---- parts ---------------------------------------------------------------------------------- */

static enum linear_family family_of(const struct splitter *splitter)
{
    switch (splitter->options->model) {
    case LINEAR_SET:
        return splitter->whole ? FAMILY_SET : FAMILY_REGISTER;
    case LINEAR_QUEUE:
        return FAMILY_QUEUE;
    case LINEAR_APPEND:
        return FAMILY_LIST;
    case LINEAR_CUSTOM:
        return FAMILY_CUSTOM;
    default:
        return FAMILY_REGISTER;
    }
}

static struct linear_part *part_of(struct splitter *splitter, uint32_t key, uint32_t element)
{
    uint32_t *place = number_map_at(&splitter->places, (uint64_t)element << 32 | key);
    if (*place == UINT32_MAX) {
        *place = (uint32_t)splitter->parts->count;
        *array_push(splitter->parts) = (struct linear_part){
            .history = splitter->history,
            .custom = splitter->options->custom,
            .family = family_of(splitter),
            .key = element != 0 ? element : key,
            .initial = element != 0 ? splitter->no : splitter->null,
        };
    }
    return &splitter->parts->items[*place];
}

static bool key_of(struct splitter *splitter, uint32_t position, uint32_t *key)
{
    *key = history_at(splitter->history, position)->key;
    const struct linear_custom *custom = splitter->options->custom;
    if (splitter->options->model != LINEAR_CUSTOM) {
        return true;
    }
    *key = 0;
    if (custom->key == NULL) {
        return true;
    }
    buffer_clear(&splitter->scratch);
    if (!custom->key(custom->self, position, &splitter->scratch)) {
        return false;
    }
    *key = history_number(splitter->history, buffer_bytes(&splitter->scratch));
    return true;
}

static bool split_one(struct splitter *splitter, uint32_t position)
{
    const struct history_operation *operation = history_at(splitter->history, position);
    struct linear_operation out = {
        .inv = operation->inv, .ret = operation->ret, .source = position};
    bool kept = true;
    uint32_t key = 0;
    if (operation->outcome == HISTORY_MISMATCH &&
        (splitter->options->model == LINEAR_CUSTOM || !is_called(splitter, operation, "cas"))) {
        return true; /* it had no effect, and nobody can say what it saw */
    }
    if (!convert(splitter, operation, &out, &kept) || !key_of(splitter, position, &key)) {
        return false;
    }
    if (kept) {
        bool is_split = splitter->options->model == LINEAR_SET && !splitter->whole;
        struct linear_part *part = part_of(splitter, key, is_split ? operation->value : 0);
        *array_push(&part->operations) = out;
        if (splitter->options->model == LINEAR_KV && out.kind == KIND_APPEND) {
            part->family = FAMILY_STRING;
        }
    }
    return true;
}

static uint32_t number_of(struct history *history, uint8_t byte)
{
    return history_number(history, (struct bytes){&byte, 1});
}

static bool any_is_called(const struct splitter *splitter, const char *name)
{
    for (size_t i = 0; i < history_count(splitter->history); i++) {
        if (is_called(splitter, history_at(splitter->history, i), name)) {
            return true;
        }
    }
    return false;
}

bool linear_split(struct history *history, const struct linear_options *options,
                  struct linear_parts *parts, struct failure *failure)
{
    struct splitter splitter = {
        .history = history,
        .options = options,
        .parts = parts,
        .failure = failure,
        .null = number_of(history, 0xf6),
        .yes = number_of(history, 0xf5),
        .no = number_of(history, 0xf4),
    };
    splitter.whole = options->model == LINEAR_SET && any_is_called(&splitter, "read");
    bool fine = true;
    for (uint32_t i = 0; fine && i < history_count(history); i++) {
        fine = split_one(&splitter, i);
    }
    number_map_free(&splitter.places);
    buffer_free(&splitter.scratch);
    return fine;
}

void linear_parts_free(struct linear_parts *parts)
{
    for (size_t i = 0; i < parts->count; i++) {
        array_free(&parts->items[i].operations);
    }
    array_free(parts);
}

bool linear_is_silent(const struct linear_operation *operation)
{
    return operation->kind == KIND_READ || operation->kind == KIND_NOT ||
           operation->kind == KIND_HAS || operation->kind == KIND_EMPTY;
}

void linear_cut(const struct linear_part *part, uint32_t place, struct linear_part *cut)
{
    *cut = *part;
    memset(&cut->operations, 0, sizeof cut->operations);
    for (size_t i = 0; i < part->operations.count; i++) {
        struct linear_operation operation = part->operations.items[i];
        if (operation.inv > place) {
            break;
        }
        operation.ret = operation.ret > place ? HISTORY_NEVER : operation.ret;
        if (operation.ret != HISTORY_NEVER || !linear_is_silent(&operation)) {
            *array_push(&cut->operations) = operation;
        }
    }
}
