/*
 * What is drawn: operations by the mix, keys, values. Each client draws from its own stream only.
 */
#include "workload/internal.h"

#include <stdio.h>

#define RECENT 16 /* elements of a set that removals and questions choose from */
#define WRITES_A_KEY                                                                               \
    50U /* additions to a list or a set, which are read whole: then it is another                  \
           key's turn */

static struct workload_key *any_slot(struct workload *workload, struct random *stream)
{
    size_t count = workload->keys.count;
    ensure(count > 0);
    size_t position = count == 1 ? 0 : (size_t)random_between(stream, 1, (int64_t)count) - 1;
    return &workload->keys.items[position];
}

static uint32_t integer(struct workload *workload, int64_t value)
{
    value_write_integer(&workload->value, value);
    return workload_value(workload);
}

static int64_t few_values(const struct workload *workload, struct random *stream)
{
    return random_between(stream, 0, (int64_t)workload->options.values - 1);
}

/* A value that nobody wrote before, or one of the few that the script wants. */
static int64_t new_value(struct workload *workload, struct random *stream)
{
    return workload->options.values != 0 ? few_values(workload, stream)
                                         : (int64_t)++workload->written;
}

/* What "append" is to add to has to be text. */
static uint32_t new_content(struct workload *workload, struct random *stream)
{
    int64_t value = new_value(workload, stream);
    if (!workload->options.is_text) {
        return integer(workload, value);
    }
    char text[32];
    int size = snprintf(text, sizeof text, "%lld ", (long long)value);
    ensure(size > 0);
    value_write_string(&workload->value, text, (size_t)size);
    return workload_value(workload);
}

/* Keys that are read whole change, so that what is read stays small. */
static uint32_t growing_key(struct workload *workload, struct random *stream, bool grows)
{
    struct workload_key *key = any_slot(workload, stream);
    uint64_t turn = key->additions / WRITES_A_KEY + 1;
    key->additions += grows;
    char suffix[32];
    int size = snprintf(suffix, sizeof suffix, "/%llu", (unsigned long long)turn);
    ensure(size > 0);
    buffer_clear(&workload->body);
    buffer_append(&workload->body, key->text.data, key->text.size);
    buffer_append(&workload->body, suffix, (size_t)size);
    value_write_string(&workload->value, workload->body.data, workload->body.size);
    return workload_value(workload);
}

static uint32_t recent_element(struct workload *workload, struct random *stream)
{
    if (workload->options.values != 0) {
        return integer(workload, few_values(workload, stream));
    }
    int64_t written = (int64_t)workload->written;
    int64_t last = written > 1 ? written : 1;
    int64_t first = written - RECENT > 1 ? written - RECENT : 1;
    return integer(workload, random_between(stream, first, last));
}

static bool is_new(const struct workload *workload, struct random *stream)
{
    return workload->options.values != 0 || workload->written == 0 ||
           (double)(random_next(stream) >> 11) * 0x1p-53 < 0.5;
}

/* { the value that was seen last, a new one } */
static uint32_t change_of(struct workload *workload, uint32_t key, struct random *stream)
{
    uint32_t wanted = new_content(workload, stream);
    uint32_t last = workload->seen.items[key];
    struct bytes seen = workload_bytes(workload, last != 0 ? last : workload->null);
    struct bytes next = workload_bytes(workload, wanted);
    value_write_array(&workload->value, 2);
    buffer_append(&workload->value, seen.data, seen.size);
    buffer_append(&workload->value, next.data, next.size);
    return workload_value(workload);
}

void workload_draw_parts(struct workload *workload, struct random *stream, uint32_t f,
                         struct workload_operation *operation)
{
    operation->value = 0;
    switch (workload_verb_of(workload, f)->draw) {
    case DRAW_KEY:
        operation->key = any_slot(workload, stream)->number;
        break;
    case DRAW_WRITE:
        operation->key = any_slot(workload, stream)->number;
        operation->value = new_content(workload, stream);
        break;
    case DRAW_CAS:
        operation->key = any_slot(workload, stream)->number;
        operation->value = change_of(workload, operation->key, stream);
        break;
    case DRAW_GROW:
        operation->key = growing_key(workload, stream, true);
        operation->value = integer(workload, new_value(workload, stream));
        break;
    case DRAW_GROWN:
        operation->key = growing_key(workload, stream, false);
        break;
    case DRAW_ADD:
        operation->key = growing_key(workload, stream, true);
        operation->value = is_new(workload, stream) ? integer(workload, new_value(workload, stream))
                                                    : recent_element(workload, stream);
        break;
    case DRAW_OF:
        operation->key = growing_key(workload, stream, false);
        operation->value = recent_element(workload, stream);
        break;
    }
}

/* By the mix. */
static uint32_t draw_verb(const struct workload *workload, struct random *stream)
{
    size_t kinds = 0;
    size_t only = 0;
    for (size_t i = 0; i < workload->weights.count; i++) {
        kinds += workload->weights.items[i] != 0;
        only = workload->weights.items[i] != 0 ? i : only;
    }
    ensure(kinds > 0);
    if (kinds == 1) {
        return workload->verbs.items[only];
    }
    int64_t left = random_between(stream, 1, (int64_t)workload->weight);
    size_t position = 0;
    for (;; position++) {
        left -= workload->weights.items[position];
        if (left <= 0) {
            return workload->verbs.items[position];
        }
    }
}

void workload_draw(struct workload *workload, struct workload_client *client,
                   struct workload_operation *operation)
{
    *operation = (struct workload_operation){.f = draw_verb(workload, &client->stream),
                                             .read = NODE_REQUEST_READ};
    workload_draw_parts(workload, &client->stream, operation->f, operation);
    if (workload_verb_of(workload, operation->f)->verb.is_read) {
        operation->read = workload->options.read;
    }
    workload_choose(workload, client, operation);
}
