/*
 * Commands of the key-value machine that change a part of a value: strings that grow, lists, sets,
 * queues. Each is one command, so that what it reads and what it writes are one step. A set is a
 * list without equal elements. No bytes of a command make it fail.
 */
#include "machine/internal.h"

#define VALUE_BYTES_MOST (VALUE_BYTES_MAX - 16U) /* an answer has a few bytes around it */

/* The list that a key has: its elements one after the other. */
struct elements {
    struct bytes bytes;
    size_t count;
};

/* An element as it stands in the list; without one `element.data` is NULL. */
struct place {
    struct bytes element;
    size_t start;
    size_t end;
};

static const char *const too_large = "kv: the value would be too large";

/* false: there is something else. Absent is empty. */
static bool read_list(const struct kv *kv, struct bytes key, struct elements *list)
{
    const struct kv_item *item = kv_find(kv, key);
    *list = (struct elements){.bytes = {NULL, 0}};
    if (item == NULL) {
        return true;
    }
    struct bytes value = kv_item_value(item);
    struct value_reader whole = {value.data, value.size, 0};
    struct value_reader reader = whole;
    struct value_item head;
    if (!value_skip(&whole) || whole.position != value.size || !value_read(&reader, &head) ||
        head.kind != VALUE_ARRAY) {
        return false; /* what a snapshot brought may be anything */
    }
    list->bytes = (struct bytes){value.data + reader.position, value.size - reader.position};
    list->count = head.count;
    return true;
}

static struct place next_of(const struct elements *list, struct value_reader *reader)
{
    struct place place = {.element = {NULL, 0}, .start = reader->position};
    bool whole = value_skip(reader);
    ensure(whole);
    place.end = reader->position;
    place.element = (struct bytes){list->bytes.data + place.start, place.end - place.start};
    return place;
}

static struct place find_in(const struct elements *list, struct bytes wanted)
{
    struct value_reader reader = {list->bytes.data, list->bytes.size, 0};
    for (size_t i = 0; i < list->count; i++) {
        struct place place = next_of(list, &reader);
        if (bytes_equal(place.element, wanted)) {
            return place;
        }
    }
    return (struct place){.element = {NULL, 0}};
}

/* Whether a list of it, in an answer, is no value any more. */
static bool nests_too_deep(struct bytes element)
{
    struct buffer nested = {0};
    value_write_array(&nested, 1);
    value_write_array(&nested, 1);
    buffer_append(&nested, element.data, element.size);
    struct value_reader reader = {nested.data, nested.size, 0};
    bool fine = value_skip(&reader);
    buffer_free(&nested);
    return !fine;
}

static const char *push(struct kv *kv, struct bytes key, const struct elements *list,
                        struct bytes element)
{
    if (nests_too_deep(element)) {
        return "kv: the element nests too deep for a list";
    }
    if (list->bytes.size + element.size > VALUE_BYTES_MOST) {
        return too_large;
    }
    struct buffer value = {0};
    value_write_array(&value, list->count + 1);
    buffer_append(&value, list->bytes.data, list->bytes.size);
    buffer_append(&value, element.data, element.size);
    kv_set(kv, key, buffer_bytes(&value));
    buffer_free(&value);
    return NULL;
}

static void take_out(struct kv *kv, struct bytes key, const struct elements *list,
                     struct place place)
{
    struct buffer value = {0};
    value_write_array(&value, list->count - 1);
    buffer_append(&value, list->bytes.data, place.start);
    buffer_append(&value, list->bytes.data + place.end, list->bytes.size - place.end);
    kv_set(kv, key, buffer_bytes(&value));
    buffer_free(&value);
}

static const char *append_text(struct kv *kv, struct bytes key, struct bytes more)
{
    const struct kv_item *item = kv_find(kv, key);
    struct bytes present = item == NULL ? (struct bytes){NULL, 0} : kv_item_value(item);
    struct value_reader old_reader = {present.data, present.size, 0};
    struct value_reader new_reader = {more.data, more.size, 0};
    struct value_item old_text = {.kind = VALUE_STRING};
    struct value_item new_text;
    if ((item != NULL && !value_read(&old_reader, &old_text)) ||
        !value_read(&new_reader, &new_text) || old_text.kind != VALUE_STRING ||
        new_text.kind != VALUE_STRING) {
        return "kv: append needs a string, behind a string or nothing";
    }
    if (old_text.string.size + new_text.string.size > VALUE_BYTES_MOST) {
        return too_large;
    }
    struct buffer text = {0};
    struct buffer value = {0};
    buffer_append(&text, old_text.string.data, old_text.string.size);
    buffer_append(&text, new_text.string.data, new_text.string.size);
    value_write_string(&value, text.data, text.size);
    kv_set(kv, key, buffer_bytes(&value));
    buffer_free(&text);
    buffer_free(&value);
    return NULL;
}

static const char *pop(struct kv *kv, struct bytes key, struct buffer *result)
{
    struct elements list;
    if (!read_list(kv, key, &list)) {
        return "kv: there is no list to pop from";
    }
    value_write_array(result, list.count == 0 ? 0 : 1);
    if (list.count > 0) {
        struct value_reader reader = {list.bytes.data, list.bytes.size, 0};
        struct place first = next_of(&list, &reader);
        buffer_append(result, first.element.data, first.element.size);
        take_out(kv, key, &list, first);
    }
    return NULL;
}

static const char *change_list(struct kv *kv, enum kv_part part, const struct kv_fields *fields,
                               struct buffer *result)
{
    struct elements list;
    if (!read_list(kv, fields->key, &list)) {
        return "kv: the value that is there is no list";
    }
    if (part == KV_PUSH) {
        return push(kv, fields->key, &list, fields->value);
    }
    struct place place = find_in(&list, fields->value);
    bool changes = (place.element.data != NULL) == (part == KV_REMOVE);
    if (changes && part == KV_REMOVE) {
        take_out(kv, fields->key, &list, place);
    } else if (changes) {
        const char *problem = push(kv, fields->key, &list, fields->value);
        if (problem != NULL) {
            return problem;
        }
    }
    value_write_boolean(result, changes);
    return NULL;
}

const char *kv_change_part(struct kv *kv, enum kv_part part, const struct kv_fields *fields,
                           struct buffer *result)
{
    if (part == KV_POP) {
        return pop(kv, fields->key, result);
    }
    if (fields->value.data == NULL) {
        return "kv: append, push, add and remove need a value";
    }
    return part == KV_APPEND ? append_text(kv, fields->key, fields->value)
                             : change_list(kv, part, fields, result);
}
