/*
 * Bytes become histories: a few processes call operations, each of which takes effect between its
 * call and its return, and some answers are lies.
 */
#include "linear_maker.h"

#include <stdio.h>

static const char *const f_names[TWIN_MODELS][7] = {
    [TWIN_REGISTER] = {[TWIN_READ] = "read", [TWIN_WRITE] = "write"},
    [TWIN_CAS_REGISTER] = {[TWIN_READ] = "read", [TWIN_WRITE] = "write", [TWIN_CAS] = "cas"},
    [TWIN_KV] = {[TWIN_READ] = "read",
                 [TWIN_WRITE] = "write",
                 [TWIN_CAS] = "cas",
                 [TWIN_DELETE] = "delete",
                 [TWIN_GROW] = "append"},
    [TWIN_SET] = {[TWIN_READ] = "read",
                  [TWIN_GROW] = "add",
                  [TWIN_TAKE] = "remove",
                  [TWIN_CONTAINS] = "contains"},
    [TWIN_QUEUE] = {[TWIN_GROW] = "enqueue", [TWIN_TAKE] = "dequeue"},
    [TWIN_APPEND] = {[TWIN_READ] = "read", [TWIN_GROW] = "append"},
};

static int new_value(struct maker *maker)
{
    return maker->values == 0 ? maker->written++ : input_byte(&maker->input) % maker->values;
}

/* One that was probably written, or will be. */
static int old_value(struct maker *maker)
{
    uint8_t byte = input_byte(&maker->input);
    if (maker->values != 0) {
        return byte % maker->values;
    }
    return byte % 8 == 0 ? TWIN_NULL : byte % (maker->written + 2);
}

static enum twin_f choose_f(struct maker *maker)
{
    uint8_t byte = input_byte(&maker->input);
    for (uint32_t i = 0; i < 7; i++) {
        uint32_t f = (byte + i) % 7;
        if (f_names[maker->history.model][f] != NULL && (maker->fs >> f & 1) == 0) {
            return (enum twin_f)f;
        }
    }
    return maker->history.model == TWIN_QUEUE ? TWIN_TAKE : TWIN_READ;
}

static void call(struct maker *maker, uint32_t process, uint32_t place)
{
    uint32_t position = maker->history.count++;
    struct twin_operation *operation = &maker->history.operations[position];
    *operation = (struct twin_operation){
        .f = choose_f(maker),
        .inv = place,
        .ret = TWIN_NEVER,
        .process = process,
        .key = maker->has_keys ? input_byte(&maker->input) % TWIN_KEYS : 0,
    };
    switch (operation->f) {
    case TWIN_CAS:
        operation->value = old_value(maker);
        operation->new_value = new_value(maker);
        break;
    case TWIN_WRITE:
    case TWIN_GROW:
        operation->value = new_value(maker);
        break;
    case TWIN_TAKE:
    case TWIN_CONTAINS:
        operation->value = old_value(maker);
        operation->value = operation->value < 0 ? 0 : operation->value;
        break;
    default:
        break;
    }
    maker->open[process] = position;
}

/* Takes effect now. */
static void take_effect(struct maker *maker, uint32_t position)
{
    struct twin_operation *operation = &maker->history.operations[position];
    if (maker->is_done[position]) {
        return;
    }
    maker->is_done[position] = true;
    struct twin_state before = maker->states[operation->key];
    twin_apply(maker->history.model, operation, &maker->states[operation->key], &operation->result);
    bool is_read = operation->f == TWIN_READ || operation->f == TWIN_CONTAINS;
    maker->commands += is_read ? 0 : 1;
    maker->log_index[position] = maker->commands;
    if (operation->f == TWIN_CAS) {
        operation->is_refused = before.count != (operation->value < 0 ? -1 : 1) ||
                                (operation->value >= 0 && before.items[0] != operation->value);
    }
}

static void lie(struct maker *maker, struct twin_operation *operation)
{
    struct twin_state *result = &operation->result;
    bool is_one = operation->f == TWIN_CONTAINS ||
                  (operation->f != TWIN_READ && maker->history.model == TWIN_SET);
    if (is_one) {
        result->items[0] ^= 1;
    } else if (operation->f == TWIN_CAS && input_byte(&maker->input) % 2 == 0) {
        operation->is_refused = !operation->is_refused;
    } else if (result->count > 1) {
        result->count--;
    } else {
        int value = old_value(maker);
        bool is_whole = maker->history.model == TWIN_APPEND || maker->history.model == TWIN_SET;
        result->count = value < 0 ? (is_whole ? 0 : TWIN_NULL) : 1;
        result->items[0] = value;
    }
}

static void answer(struct maker *maker, uint32_t process, uint32_t place)
{
    uint32_t position = maker->open[process];
    struct twin_operation *operation = &maker->history.operations[position];
    uint8_t how = input_byte(&maker->input);
    maker->open[process] = TWIN_NEVER;
    if (how % 8 == 0) { /* unknown; it may yet take effect */
        maker->unknown_at[position] = place;
        return;
    }
    take_effect(maker, position);
    operation->ret = place;
    operation->is_known = true;
    operation->tells_seen = how % 3 != 0;
    operation->tells_change = how % 5 != 0;
    if (input_byte(&maker->input) < maker->lies) {
        lie(maker, operation);
    }
}

/* Of one whose answer was lost. */
static void take_late_effect(struct maker *maker)
{
    for (uint32_t i = 0; i < maker->history.count; i++) {
        if (maker->unknown_at[i] != 0 && !maker->is_done[i]) {
            take_effect(maker, i);
            return;
        }
    }
}

void maker_make(struct maker *maker)
{
    uint8_t head = input_byte(&maker->input);
    maker->history.model = (enum twin_model)(head % TWIN_MODELS);
    uint8_t kind = input_byte(&maker->input);
    maker->values = kind % 4 < 2 ? 0 : kind % 4;
    maker->has_keys = (kind & 4) != 0;
    maker->has_log = (kind & 24) == 0;
    maker->lies = (kind & 32) != 0 ? 20 : 120;
    maker->fs = input_byte(&maker->input) & input_byte(&maker->input);
    uint32_t wanted = input_byte(&maker->input) % TWIN_OPERATIONS_MAX + 1;
    for (uint32_t i = 0; i < PROCESSES; i++) {
        maker->open[i] = TWIN_NEVER;
    }
    for (uint32_t key = 0; key < TWIN_KEYS; key++) {
        twin_begin(maker->history.model, &maker->states[key]);
    }
    for (uint32_t place = 1; place < PLACES; place++) {
        uint8_t byte = input_byte(&maker->input);
        if (byte > 240) {
            take_late_effect(maker);
            continue;
        }
        if (maker->history.count == wanted && byte % 8 == 0) {
            break;
        }
        uint32_t process = byte % PROCESSES;
        if (maker->open[process] != TWIN_NEVER) {
            if (byte < 80) {
                take_effect(maker, maker->open[process]);
            } else {
                answer(maker, process, place);
            }
        } else if (maker->history.count < wanted) {
            call(maker, process, place);
        }
    }
}

/* ---- as a history of src/check -------------------------------------------------------------- */

static void write_number(enum twin_model model, int value, struct buffer *out)
{
    char letter = (char)('a' + value);
    if (value < 0) {
        value_write_null(out);
    } else if (model == TWIN_KV) {
        value_write_string(out, &letter, 1);
    } else {
        value_write_integer(out, value);
    }
}

/* The content of a register, a string, or all that is in it. */
void maker_write_state(enum twin_model model, const struct twin_state *state, struct buffer *out)
{
    if (model == TWIN_KV && state->count >= 0) {
        char letters[2 * TWIN_OPERATIONS_MAX];
        for (int i = 0; i < state->count; i++) {
            letters[i] = (char)('a' + state->items[i]);
        }
        value_write_string(out, letters, (size_t)state->count);
    } else if (model == TWIN_REGISTER || model == TWIN_CAS_REGISTER || model == TWIN_KV) {
        write_number(model, state->count < 0 ? TWIN_NULL : state->items[0], out);
    } else {
        value_write_array(out, (size_t)state->count);
        for (int i = 0; i < state->count; i++) {
            write_number(model, state->items[i], out);
        }
    }
}

static void write_value(enum twin_model model, const struct twin_operation *operation,
                        struct buffer *out)
{
    bool has_none = operation->f == TWIN_READ || operation->f == TWIN_DELETE ||
                    (operation->f == TWIN_TAKE && model == TWIN_QUEUE);
    if (operation->f == TWIN_CAS) {
        value_write_array(out, 2);
        write_number(model, operation->value, out);
        write_number(model, operation->new_value, out);
    } else if (!has_none) {
        write_number(model, operation->value, out);
    }
}

static void write_result(enum twin_model model, const struct twin_operation *operation,
                         struct buffer *out)
{
    switch (operation->f) {
    case TWIN_READ:
        maker_write_state(model, &operation->result, out);
        break;
    case TWIN_CAS:
        if (operation->is_refused && operation->tells_seen) {
            maker_write_state(model, &operation->result, out);
        }
        break;
    case TWIN_TAKE:
    case TWIN_GROW:
    case TWIN_CONTAINS:
        if (model == TWIN_QUEUE && operation->f == TWIN_TAKE) {
            write_number(model,
                         operation->result.count < 0 ? TWIN_NULL : operation->result.items[0], out);
        } else if (model == TWIN_SET &&
                   (operation->tells_change || operation->f == TWIN_CONTAINS)) {
            value_write_boolean(out, operation->result.items[0] == 1);
        }
        break;
    default:
        break;
    }
}

static void add_entry(struct history *history, const struct maker *maker, uint32_t position,
                      bool is_return)
{
    const struct twin_operation *operation = &maker->history.operations[position];
    struct buffer key = {0};
    struct buffer value = {0};
    struct history_entry entry = {
        .type = !is_return            ? HISTORY_INVOKE
                : operation->is_known ? HISTORY_OK
                                      : HISTORY_INFO,
        .process = operation->process,
        .f = bytes_of_text(f_names[maker->history.model][operation->f]),
    };
    if (is_return) {
        entry.log_index = maker->has_log ? maker->log_index[position] : 0;
        if (operation->is_known) {
            write_result(maker->history.model, operation, &value);
        }
        if (operation->is_known && operation->f == TWIN_CAS && operation->is_refused) {
            entry.type = HISTORY_FAIL;
            entry.is_mismatch = true;
            entry.seen = buffer_bytes(&value);
        } else {
            entry.result = buffer_bytes(&value);
        }
    } else {
        value_write_integer(&key, operation->key);
        write_value(maker->history.model, operation, &value);
        entry.key = maker->has_keys ? buffer_bytes(&key) : (struct bytes){0};
        entry.value = buffer_bytes(&value);
    }
    struct failure failure;
    bool added = history_add(history, &entry, &failure);
    ensure(added);
    buffer_free(&key);
    buffer_free(&value);
}

/* Entries stand at the places of their operations, a nemesis' between them. */
struct history *maker_history(const struct maker *maker)
{
    struct history *history = history_new();
    for (uint32_t place = 1; place < PLACES; place++) {
        uint32_t here = TWIN_NEVER;
        for (uint32_t i = 0; i < maker->history.count; i++) {
            const struct twin_operation *operation = &maker->history.operations[i];
            bool is_here =
                operation->inv == place || operation->ret == place || maker->unknown_at[i] == place;
            here = is_here ? i : here;
        }
        if (here == TWIN_NEVER) {
            history_skip(history);
        } else {
            add_entry(history, maker, here, maker->history.operations[here].inv != place);
        }
    }
    history_end(history);
    return history;
}

void maker_show(const struct maker *maker)
{
    struct buffer text = {0};
    for (uint32_t i = 0; i < maker->history.count; i++) {
        const struct twin_operation *operation = &maker->history.operations[i];
        buffer_append_format(&text, "  %d..%d key %u %s", (int)operation->inv, (int)operation->ret,
                             operation->key, f_names[maker->history.model][operation->f]);
        struct buffer value = {0};
        write_value(maker->history.model, operation, &value);
        if (value.size > 0) {
            buffer_append_text(&text, " ");
            (void)json_write_value(&text, buffer_bytes(&value));
        }
        buffer_clear(&value);
        write_result(maker->history.model, operation, &value);
        if (operation->is_known && value.size > 0) {
            buffer_append_text(&text, " -> ");
            (void)json_write_value(&text, buffer_bytes(&value));
        }
        buffer_free(&value);
        bool is_refused = operation->is_known && operation->is_refused;
        buffer_append_format(&text, "%s log %d\n", is_refused ? " refused" : "",
                             maker->has_log ? (int)maker->log_index[i] : 0);
    }
    (void)printf("\nmodel %d\n%.*s", (int)maker->history.model, (int)text.size,
                 (const char *)text.data);
    (void)fflush(stdout);
    buffer_free(&text);
}
