/*
 * Fuzzes the checks of linearizability: bytes become histories of up to nine operations, one after
 * the other, and each rung that can tell says what trying all orders says. What a "no" shows is
 * true as well: where it ends, that what is kept is enough, and each longest linearization.
 */
#include "check/check.h"
#include "support/fuzz.h"
#include "support/linear_model.h"

#include <stdio.h>

#define PROCESSES 5U
#define PLACES 64U

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

/* A history that comes into being: each operation takes effect between its call and its return. */
struct maker {
    struct input input;
    struct twin_history history;
    struct twin_state states[TWIN_KEYS];
    uint32_t open[PROCESSES];                 /* the operation, or TWIN_NEVER */
    uint32_t unknown_at[TWIN_OPERATIONS_MAX]; /* the entry that says so; 0: none */
    uint64_t log_index[TWIN_OPERATIONS_MAX];
    bool is_done[TWIN_OPERATIONS_MAX];
    uint64_t commands;
    uint8_t values; /* how many there are; 0: each is new */
    uint8_t fs;     /* which operations are used, a bit each */
    uint8_t lies;   /* of 256 answers */
    bool has_keys;
    bool has_log;
    int written;
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

static void make(struct maker *maker)
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
static void write_state(enum twin_model model, const struct twin_state *state, struct buffer *out)
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
        write_state(model, &operation->result, out);
        break;
    case TWIN_CAS:
        if (operation->is_refused && operation->tells_seen) {
            write_state(model, &operation->result, out);
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
static struct history *history_of(const struct maker *maker)
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

/* ---- what the rungs say --------------------------------------------------------------------- */

static enum linear_verdict check(struct history *history, enum twin_model model,
                                 enum linear_rung rung, struct linear_result *result)
{
    static const enum linear_model models[TWIN_MODELS] = {
        [TWIN_REGISTER] = LINEAR_REGISTER,
        [TWIN_CAS_REGISTER] = LINEAR_CAS_REGISTER,
        [TWIN_KV] = LINEAR_KV,
        [TWIN_SET] = LINEAR_SET,
        [TWIN_QUEUE] = LINEAR_QUEUE,
        [TWIN_APPEND] = LINEAR_APPEND,
    };
    struct linear_options options = {.model = models[model], .only = rung};
    struct failure failure;
    return linear_check(history, &options, result, &failure);
}

/* For whoever has to find out why. */
static void show(const struct maker *maker)
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

static void check_rungs(const struct maker *maker, struct history *history, bool expected)
{
    enum twin_model model = maker->history.model;
    enum linear_verdict wanted = expected ? LINEAR_YES : LINEAR_NO;
    for (int rung = LINEAR_WITNESS; rung <= LINEAR_SEARCH; rung++) {
        struct linear_result result;
        enum linear_verdict verdict = check(history, model, (enum linear_rung)rung, &result);
        linear_result_free(&result);
        bool agrees = verdict == wanted || (verdict == LINEAR_PASS && rung != LINEAR_SEARCH);
        if (!agrees) {
            show(maker);
            (void)printf("%s: %d, should be %d\n", linear_rung_name((enum linear_rung)rung),
                         verdict, wanted);
            (void)fflush(stdout);
        }
        ensure(agrees);
    }
}

/* ---- what a "no" shows ---------------------------------------------------------------------- */

static uint32_t kept_set(const struct linear_result *result)
{
    uint32_t set = 0;
    for (size_t i = 0; i < result->kept.count; i++) {
        set |= 1U << result->kept.items[i];
    }
    return set;
}

/* The operations of the same key, or of a set that is split by element of the same one. */
static uint32_t part_set(const struct maker *maker, const struct linear_result *result)
{
    const struct twin_operation *end = &maker->history.operations[result->operation];
    bool is_split = maker->history.model == TWIN_SET;
    for (uint32_t i = 0; i < maker->history.count; i++) {
        is_split = is_split && maker->history.operations[i].f != TWIN_READ;
    }
    uint32_t set = 0;
    for (uint32_t i = 0; i < maker->history.count; i++) {
        const struct twin_operation *operation = &maker->history.operations[i];
        bool is_same = operation->key == end->key && (!is_split || operation->value == end->value);
        set |= is_same ? 1U << i : 0;
    }
    return set;
}

/* Each step is possible and leaves that state, nothing returned before what stands before it, and
 * nothing that returned before any of them is missing. */
static void check_longest(const struct maker *maker, const struct history *history, uint32_t kept,
                          uint32_t end, const struct linear_result *result,
                          const struct linear_longest *longest, bool is_split)
{
    struct twin_state state;
    struct buffer value = {0};
    uint32_t done = 0;
    twin_begin(maker->history.model, &state);
    for (uint32_t i = 0; i < longest->count; i++) {
        const struct linear_step *step = &result->steps.items[longest->first + i];
        const struct twin_operation *operation = &maker->history.operations[step->operation];
        ensure((kept >> step->operation & 1) != 0 && (done >> step->operation & 1) == 0);
        for (uint32_t j = 0; j < maker->history.count; j++) {
            uint32_t ret = maker->history.operations[j].ret;
            bool is_missing = (kept >> j & 1) != 0 && (done >> j & 1) == 0 && ret <= end;
            ensure(!is_missing || ret > operation->inv);
        }
        bool legal = twin_step(maker->history.model, operation, &state);
        ensure(legal);
        done |= 1U << step->operation;
        buffer_clear(&value);
        write_state(maker->history.model, &state, &value);
        ensure(is_split || bytes_equal(buffer_bytes(&value), history_value(history, step->state)));
    }
    ensure((done >> longest->operation & 1) != 0);
    buffer_free(&value);
}

static void check_shown(const struct maker *maker, const struct history *history,
                        const struct linear_result *result)
{
    uint32_t end = maker->history.operations[result->operation].ret;
    uint32_t kept = kept_set(result);
    uint32_t part = part_set(maker, result);
    ensure(end != TWIN_NEVER && (kept >> result->operation & 1) != 0 && (kept & ~part) == 0);
    ensure(!twin_is_linearizable(&maker->history, part, end));
    ensure(twin_is_linearizable(&maker->history, part, end - 1));
    ensure(!twin_is_linearizable(&maker->history, kept, end));
    ensure(result->configurations.count > 0);
    bool is_split = maker->history.model == TWIN_SET;
    for (size_t i = 0; i < result->longest.count; i++) {
        check_longest(maker, history, kept, end, result, &result->longest.items[i], is_split);
    }
}

static void check_one(struct input *input, uint32_t *yes)
{
    struct maker maker = {.input = *input};
    make(&maker);
    *input = maker.input;
    uint32_t all = (1U << maker.history.count) - 1;
    bool expected = twin_is_linearizable(&maker.history, all, PLACES);
    *yes += expected ? 1 : 0;
    struct history *history = history_of(&maker);
    ensure(history_count(history) == maker.history.count);
    check_rungs(&maker, history, expected);
    struct linear_result result;
    enum linear_verdict verdict = check(history, maker.history.model, LINEAR_ANY, &result);
    ensure(verdict == (expected ? LINEAR_YES : LINEAR_NO));
    if (!expected) {
        check_shown(&maker, history, &result);
    }
    linear_result_free(&result);
    history_free(history);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    uint32_t count = 0;
    uint32_t yes = 0;
    while (input.size > 0) {
        check_one(&input, &yes);
        count++;
    }
    if (count >= 1000) { /* the specs ask how many there were */
        (void)printf("%u histories, %u linearizable\n", count, yes);
    }
    return 0;
}
