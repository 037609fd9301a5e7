/*
 * The kinds of workload: what each operation asks of the "kv" machine, and what the answer says.
 * One operation is one command or one query, never two. It draws nothing and sends nothing.
 */
#include "workload/internal.h"

#define OPERATIONS_MOST 6U /* of a kind, with room for the end */

/* name, weight, is it a read; the machine's word, how it is drawn, how it is answered */
#define READ(weight_)                                                                              \
    {                                                                                              \
        {"read", weight_, true}, "get", DRAW_KEY, ANSWER_READ                                      \
    }
#define READ_WHOLE                                                                                 \
    {                                                                                              \
        {"read", 1, true}, "get", DRAW_GROWN, ANSWER_WHOLE                                         \
    }
#define WRITE(weight_)                                                                             \
    {                                                                                              \
        {"write", weight_, false}, "set", DRAW_WRITE, ANSWER_DONE                                  \
    }
#define CAS                                                                                        \
    {                                                                                              \
        {"cas", 1, false}, "cas", DRAW_CAS, ANSWER_COMPARED                                        \
    }

/* In alphabetical order: the mix is drawn in it. */
static const struct kind {
    const char *name;
    uint32_t keys; /* where the script gives none */
    struct workload_verb_of verbs[OPERATIONS_MOST];
} kinds[] = {
    [WORKLOAD_REGISTER] = {"register", 1, {READ(1), WRITE(1)}},
    [WORKLOAD_CAS_REGISTER] = {"cas-register", 1, {CAS, READ(2), WRITE(1)}},
    [WORKLOAD_KV] = {"kv",
                     5,
                     {{{"append", 0, false}, "append", DRAW_WRITE, ANSWER_DONE},
                      CAS,
                      {{"delete", 0, false}, "delete", DRAW_KEY, ANSWER_DONE},
                      READ(2),
                      WRITE(2)}},
    [WORKLOAD_APPEND] = {"append",
                         1,
                         {{{"append", 1, false}, "push", DRAW_GROW, ANSWER_DONE}, READ_WHOLE}},
    [WORKLOAD_SET] = {"set",
                      1,
                      {{{"add", 2, false}, "add", DRAW_ADD, ANSWER_CHANGED},
                       {{"contains", 1, true}, "get", DRAW_OF, ANSWER_CONTAINS},
                       READ_WHOLE,
                       {{"remove", 1, false}, "remove", DRAW_OF, ANSWER_CHANGED}}},
    [WORKLOAD_QUEUE] = {"queue",
                        1,
                        {{{"dequeue", 1, false}, "pop", DRAW_KEY, ANSWER_READ},
                         {{"enqueue", 1, false}, "push", DRAW_WRITE, ANSWER_DONE}}},
    [WORKLOAD_PERFORMED] = {"", 1, {{{NULL, 0, false}, NULL, DRAW_KEY, ANSWER_DONE}}},
};

const char *workload_kind_name(enum workload_kind kind)
{
    return kinds[kind].name;
}

uint32_t workload_default_keys(enum workload_kind kind)
{
    return kinds[kind].keys;
}

bool workload_changes_keys(enum workload_kind kind)
{
    return kind == WORKLOAD_APPEND || kind == WORKLOAD_SET;
}

const struct workload_verb *workload_verb_at(enum workload_kind kind, size_t position)
{
    ensure(position < OPERATIONS_MOST);
    const struct workload_verb *verb = &kinds[kind].verbs[position].verb;
    return verb->name != NULL ? verb : NULL;
}

const struct workload_verb_of *workload_verb_of(const struct workload *workload, uint32_t f)
{
    for (size_t i = 0; i < workload->verbs.count; i++) {
        if (workload->verbs.items[i] == f) {
            return &kinds[workload->options.kind].verbs[i];
        }
    }
    return NULL;
}

/* ---- what is asked --------------------------------------------------------------------------- */

static void write_text(struct buffer *out, const char *text)
{
    value_write_string(out, text, strlen(text));
}

/* A pair of the map, where it has a value. */
static void write_pair(struct buffer *out, const char *name, struct bytes value)
{
    if (value.size > 0) {
        write_text(out, name);
        buffer_append(out, value.data, value.size);
    }
}

static bool is_null(const struct workload *workload, struct bytes value)
{
    return bytes_equal(value, workload_bytes(workload, workload->null));
}

/* The two parts of a cas; what is null is absent. */
static void read_change(const struct workload *workload, uint32_t value, struct bytes parts[2])
{
    struct bytes pair = workload_bytes(workload, value);
    struct value_reader reader = {pair.data, pair.size, 0};
    struct value_item head;
    parts[0] = (struct bytes){NULL, 0};
    parts[1] = (struct bytes){NULL, 0};
    if (!value_read(&reader, &head) || head.kind != VALUE_ARRAY || head.count != 2) {
        return; /* what the script gives is looked at where it comes in */
    }
    for (int i = 0; i < 2; i++) {
        size_t start = reader.position;
        if (!value_skip(&reader)) {
            return;
        }
        struct bytes part = {pair.data + start, reader.position - start};
        if (!is_null(workload, part)) {
            parts[i] = part;
        }
    }
}

void workload_body(struct workload *workload, const struct workload_operation *operation,
                   uint64_t number, struct buffer *out)
{
    const struct workload_verb_of *verb = workload_verb_of(workload, operation->f);
    struct bytes key = workload_bytes(workload, operation->key);
    struct bytes value = {NULL, 0};
    struct bytes change[2] = {{NULL, 0}, {NULL, 0}};
    if (verb->answer == ANSWER_COMPARED) {
        read_change(workload, operation->value, change);
    } else if (!verb->verb.is_read) {
        value = workload_bytes(workload, operation->value);
    }
    size_t pairs = 1U + (number != 0) + (key.size > 0) + (value.size > 0) + (change[0].size > 0) +
                   (change[1].size > 0);
    buffer_clear(out);
    value_write_map(out, pairs); /* shorter names first, and those in order */
    if (number != 0) {
        write_text(out, "id");
        value_write_integer(out, (int64_t)number);
    }
    write_text(out, "op");
    write_text(out, verb->op);
    write_pair(out, "key", key);
    write_pair(out, "new", change[1]);
    write_pair(out, "old", change[0]);
    write_pair(out, "value", value);
}

/* ---- what the answer says -------------------------------------------------------------------- */

/* The elements of a list, up to two. false: it is no list. A map has none of them. */
static bool read_list(struct bytes answer, struct bytes elements[2])
{
    struct value_reader reader = {answer.data, answer.size, 0};
    struct value_item head;
    elements[0] = (struct bytes){NULL, 0};
    elements[1] = (struct bytes){NULL, 0};
    if (!value_read(&reader, &head) || (head.kind != VALUE_ARRAY && head.kind != VALUE_MAP)) {
        return false;
    }
    for (size_t i = 0; i < 2 && head.kind == VALUE_ARRAY && i < head.count; i++) {
        size_t start = reader.position;
        if (!value_skip(&reader)) {
            return false;
        }
        elements[i] = (struct bytes){answer.data + start, reader.position - start};
    }
    return true;
}

static bool read_boolean(struct bytes value, bool *found)
{
    struct value_reader reader = {value.data, value.size, 0};
    struct value_item item;
    if (value.size == 0 || !value_read(&reader, &item) || item.kind != VALUE_BOOLEAN) {
        return false;
    }
    *found = item.boolean;
    return true;
}

static uint32_t boolean(struct workload *workload, bool value)
{
    value_write_boolean(&workload->value, value);
    return workload_value(workload);
}

static bool holds(struct bytes list, struct bytes wanted)
{
    struct value_reader reader = {list.data, list.size, 0};
    struct value_item head;
    bool found = false;
    bool is_list = list.size > 0 && value_read(&reader, &head) && head.kind == VALUE_ARRAY;
    for (size_t i = 0; is_list && !found && i < head.count; i++) {
        size_t start = reader.position;
        is_list = value_skip(&reader);
        found = is_list &&
                bytes_equal((struct bytes){list.data + start, reader.position - start}, wanted);
    }
    return found;
}

static uint32_t number_or_null(struct workload *workload, struct bytes value)
{
    return value.size > 0 ? workload_number(workload, value) : workload->null;
}

static bool was_read(struct workload *workload, struct bytes answer,
                     struct workload_outcome *outcome)
{
    struct bytes elements[2];
    if (!read_list(answer, elements)) {
        return false;
    }
    outcome->value = number_or_null(workload, elements[0]);
    return true;
}

/* The list as a value; the empty one where there is none. */
static bool was_read_whole(struct workload *workload, struct bytes answer,
                           struct workload_outcome *outcome, struct bytes *list)
{
    struct bytes elements[2];
    struct bytes ignored[2];
    if (!read_list(answer, elements) ||
        (elements[0].size > 0 && !read_list(elements[0], ignored))) {
        return false;
    }
    *list = elements[0];
    if (list->size > 0) {
        outcome->value = workload_number(workload, *list);
    } else {
        value_write_array(&workload->value, 0);
        outcome->value = workload_value(workload);
    }
    return true;
}

static bool was_compared(struct workload *workload, struct bytes answer,
                         struct workload_outcome *outcome)
{
    struct bytes elements[2];
    bool fits = false;
    if (!read_list(answer, elements) || !read_boolean(elements[0], &fits)) {
        return false;
    }
    if (!fits) {
        outcome->type = WORKLOAD_FAIL;
        outcome->error = workload->mismatch;
        outcome->seen = number_or_null(workload, elements[1]);
    }
    return true;
}

static const char *const forms[] = {
    [ANSWER_DONE] = "anything",
    [ANSWER_READ] = "{ value }, or {} for none",
    [ANSWER_WHOLE] = "{ list }, or {} for none",
    [ANSWER_COMPARED] = "{ true } or { false, present }",
    [ANSWER_CHANGED] = "true or false, whether that changed it",
    [ANSWER_CONTAINS] = "{ list }, or {} for none",
};

/* The machine's refusal: { error = why }. */
static bool is_refused(struct bytes answer, struct bytes *why)
{
    return answer.size > 0 && value_field(answer, "error", why);
}

bool workload_answer(struct workload *workload, const struct workload_operation *operation,
                     struct bytes answer, struct workload_outcome *outcome, const char **form)
{
    enum workload_answer kind = workload_verb_of(workload, operation->f)->answer;
    struct bytes list = {NULL, 0};
    struct bytes why;
    bool flag = false;
    outcome->value = operation->value;
    if (is_refused(answer, &why)) {
        outcome->type = WORKLOAD_FAIL;
        outcome->error = workload_number(workload, why);
        return true;
    }
    *form = forms[kind];
    switch (kind) {
    case ANSWER_DONE:
        return true;
    case ANSWER_READ:
        return was_read(workload, answer, outcome);
    case ANSWER_WHOLE:
        return was_read_whole(workload, answer, outcome, &list);
    case ANSWER_COMPARED:
        return was_compared(workload, answer, outcome);
    case ANSWER_CHANGED:
        if (!read_boolean(answer, &flag)) {
            return false;
        }
        outcome->result = boolean(workload, flag);
        return true;
    case ANSWER_CONTAINS:
        if (!was_read_whole(workload, answer, outcome, &list)) {
            return false;
        }
        flag = holds(list, workload_bytes(workload, operation->value));
        outcome->value = operation->value;
        outcome->result = boolean(workload, flag);
        return true;
    }
    return false;
}

/* ---- what was seen last ---------------------------------------------------------------------- */

void workload_note(struct workload *workload, const struct workload_entry *entry)
{
    if (entry->key >= workload->seen.count) { /* no key that is drawn */
        return;
    }
    uint32_t *seen = &workload->seen.items[entry->key];
    struct bytes name = workload_bytes(workload, entry->f);
    struct bytes change[2];
    if (entry->outcome.seen != 0) {
        *seen = entry->outcome.seen;
    } else if (bytes_equal(name, bytes_of_text("cas"))) {
        read_change(workload, entry->outcome.value, change);
        *seen = number_or_null(workload, change[1]);
    } else if (bytes_equal(name, bytes_of_text("delete"))) {
        *seen = workload->null;
    } else {
        *seen = entry->outcome.value;
    }
}
