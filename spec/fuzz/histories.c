/*
 * Fuzzes histories as strangers may bring them: any operations with any values, in any order, up to
 * eighty entries. Each is either refused with a reason, or judged; no two ways of judging disagree,
 * and what a "no" shows is there. (linear.c compares short ones with all orders.)
 */
#include "check/check.h"
#include "support/fuzz.h"

#define ENTRIES_MAX 80
#define LOOKS_MAX 40 /* of the check at its limits, then it gives up */
#define DEPTH_MAX 3

/* ---- entries -------------------------------------------------------------------------------- */

static void make_value(struct input *input, struct buffer *out, int depth)
{
    uint8_t byte = input_byte(input);
    switch (depth < DEPTH_MAX ? byte % 10 : byte % 6) {
    case 0:
        value_write_null(out);
        break;
    case 1:
        value_write_boolean(out, (byte & 16) != 0);
        break;
    case 2:
        value_write_string(out, "xyxy", byte / 16 % 5);
        break;
    case 7:
    case 8:
    case 9: {
        uint8_t count = byte / 16 % 4; /* two of them: a cas */
        value_write_array(out, count);
        for (uint8_t i = 0; i < count; i++) {
            make_value(input, out, depth + 1);
        }
        break;
    }
    default:
        value_write_integer(out, byte / 16 % 4);
    }
}

static const char *const names[] = {"read",   "write",    "cas",     "delete",  "append",  "add",
                                    "remove", "contains", "enqueue", "dequeue", "unheard", ""};

/* What a process asks is what it asked before, mostly, when it is answered. */
static bool add_entry(struct history *history, struct input *input, const char **open)
{
    struct buffer key = {0};
    struct buffer value = {0};
    struct buffer result = {0};
    uint8_t what = input_byte(input);
    uint8_t process = what % 8;
    bool is_odd = (what >> 6) == 3; /* it may be out of turn */
    struct history_entry entry = {.process = process};
    uint8_t how = input_byte(input);
    if ((open[process] == NULL) != is_odd) {
        entry.type = HISTORY_INVOKE;
        open[process] = names[how % (sizeof names / sizeof names[0])];
    } else {
        entry.type = (enum history_type)(HISTORY_OK + how % 3);
        entry.is_mismatch = how % 2 == 0;
    }
    entry.f = bytes_of_text(open[process] == NULL ? "read" : open[process]);
    if ((what & 8) != 0) {
        value_write_integer(&key, how / 16 % 2);
        entry.key = buffer_bytes(&key);
    }
    if ((what & 16) != 0) {
        make_value(input, &value, 0);
        entry.value = buffer_bytes(&value);
    }
    if ((what & 32) != 0) {
        make_value(input, &result, 0);
        entry.result = buffer_bytes(&result);
        entry.seen = buffer_bytes(&result);
        entry.log_index = how / 16;
    }
    if (entry.type != HISTORY_INVOKE) {
        open[process] = NULL;
    }
    struct failure failure = {0};
    bool added = history_add(history, &entry, &failure);
    ensure(added || failure.message[0] != '\0');
    buffer_free(&key);
    buffer_free(&value);
    buffer_free(&result);
    return added;
}

static struct history *make_history(struct input *input)
{
    struct history *history = history_new();
    const char *open[8] = {0};
    for (int i = 0; i < ENTRIES_MAX && input->size > 0; i++) {
        if (!add_entry(history, input, open)) {
            history_free(history);
            return NULL;
        }
    }
    history_end(history);
    return history;
}

/* ---- verdicts ------------------------------------------------------------------------------- */

static bool go_on(void *context, uint64_t done, uint64_t all, size_t memory_bytes)
{
    int *looks = context;
    (void)memory_bytes;
    ensure(done <= all);
    return ++*looks < LOOKS_MAX;
}

static void check_shown(const struct history *history, const struct linear_result *result)
{
    size_t count = history_count(history);
    ensure(result->operation < count && result->kept.count > 0);
    ensure(result->certificate_count <= 4);
    for (uint32_t i = 0; i < result->certificate_count; i++) {
        ensure(result->certificate[i] < count);
    }
    bool is_kept = false;
    for (size_t i = 0; i < result->kept.count; i++) {
        ensure(result->kept.items[i] < count);
        is_kept = is_kept || result->kept.items[i] == result->operation;
    }
    ensure(is_kept);
    for (size_t i = 0; i < result->longest.count; i++) {
        const struct linear_longest *longest = &result->longest.items[i];
        ensure(longest->first + longest->count <= result->steps.count);
    }
}

static void check_model(struct history *history, enum linear_model model)
{
    bool yes = false;
    bool no = false;
    for (int rung = LINEAR_ANY; rung <= LINEAR_SEARCH; rung++) {
        int looks = 0;
        struct failure failure = {0};
        struct linear_result result;
        struct linear_options options = {
            .model = model, .only = (enum linear_rung)rung, .go_on = go_on, .context = &looks};
        enum linear_verdict verdict = linear_check(history, &options, &result, &failure);
        yes = yes || verdict == LINEAR_YES;
        no = no || verdict == LINEAR_NO;
        ensure(!(yes && no));
        ensure(verdict != LINEAR_FAILED || failure.message[0] != '\0');
        if (verdict == LINEAR_NO && rung == LINEAR_ANY) {
            check_shown(history, &result);
        }
        linear_result_free(&result);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    enum linear_model model = (enum linear_model)(input_byte(&input) % LINEAR_CUSTOM);
    struct history *history = make_history(&input);
    if (history != NULL) {
        check_model(history, model);
        history_free(history);
    }
    return 0;
}
