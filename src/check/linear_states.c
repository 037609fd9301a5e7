/*
 * States of the models as values, and what one operation does to them: a register's or a string's
 * is its value, a list's and a queue's an array in order, a set's an array sorted by encoded bytes.
 * For the general search and the witness; the other rungs know their states better.
 */
#include "check/linear_internal.h"

#include <stdlib.h>

static const uint8_t empty_array[] = {0x80};

static struct bytes value_of(const struct linear_part *part, uint32_t number)
{
    return history_value(part->history, number);
}

static bool give(struct buffer *next, struct bytes state)
{
    buffer_append(next, state.data, state.size);
    return true;
}

/* ---- arrays --------------------------------------------------------------------------------- */

/* The elements of an encoded array, one after the other, and how many they are. */
static struct bytes elements_of(struct bytes array, size_t *count)
{
    struct value_reader reader = {.data = array.data, .size = array.size};
    struct value_item item = {0};
    bool fine = value_read(&reader, &item) && item.kind == VALUE_ARRAY;
    ensure(fine);
    *count = item.count;
    return (struct bytes){array.data + reader.position, array.size - reader.position};
}

/* The size of the element that stands first. */
static size_t element_size(struct bytes elements)
{
    struct value_reader reader = {.data = elements.data, .size = elements.size};
    bool fine = value_skip(&reader);
    ensure(fine);
    return reader.position;
}

/* Where an element stands, or would, among sorted ones. */
static bool find_element(struct bytes elements, size_t count, struct bytes wanted, size_t *offset)
{
    *offset = 0;
    for (size_t i = 0; i < count; i++) {
        struct bytes rest = {elements.data + *offset, elements.size - *offset};
        struct bytes element = {rest.data, element_size(rest)};
        int order = bytes_compare(element, wanted);
        if (order >= 0) {
            return order == 0;
        }
        *offset += element.size;
    }
    return false;
}

static int compare_elements(const void *a, const void *b)
{
    return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

void linear_sort_elements(struct bytes array, struct buffer *sorted)
{
    size_t count = 0;
    struct bytes rest = elements_of(array, &count);
    struct bytes *elements = memory_new(count * sizeof *elements);
    for (size_t i = 0; i < count; i++) {
        elements[i] = (struct bytes){rest.data, element_size(rest)};
        rest = (struct bytes){rest.data + elements[i].size, rest.size - elements[i].size};
    }
    qsort(elements, count, sizeof *elements, compare_elements);
    value_write_array(sorted, count);
    for (size_t i = 0; i < count; i++) {
        buffer_append(sorted, elements[i].data, elements[i].size);
    }
    memory_free(elements);
}

void linear_elements(struct history *history, uint32_t array, struct linear_numbers *numbers)
{
    struct buffer copy = {0}; /* numbering may move what a view shows */
    struct bytes whole = history_value(history, array);
    buffer_append(&copy, whole.data, whole.size);
    size_t count = 0;
    struct bytes rest = elements_of(buffer_bytes(&copy), &count);
    for (size_t i = 0; i < count; i++) {
        size_t size = element_size(rest);
        *array_push(numbers) = history_number(history, (struct bytes){rest.data, size});
        rest = (struct bytes){rest.data + size, rest.size - size};
    }
    buffer_free(&copy);
}

/* ---- steps ---------------------------------------------------------------------------------- */

static bool step_append_string(struct bytes state, struct bytes piece, struct buffer *next)
{
    struct value_reader reader = {.data = state.data, .size = state.size};
    struct value_item item = {0};
    if (!value_read(&reader, &item)) {
        return false;
    }
    struct bytes before = item.kind == VALUE_STRING ? item.string : (struct bytes){0};
    if (item.kind != VALUE_STRING && item.kind != VALUE_NULL) {
        return false; /* nothing can be appended to that */
    }
    reader = (struct value_reader){.data = piece.data, .size = piece.size};
    if (!value_read(&reader, &item) || item.kind != VALUE_STRING) {
        return false;
    }
    struct buffer whole = {0};
    buffer_append(&whole, before.data, before.size);
    buffer_append(&whole, item.string.data, item.string.size);
    value_write_string(next, whole.data, whole.size);
    buffer_free(&whole);
    return true;
}

static bool step_register(const struct linear_part *part, struct bytes state,
                          const struct linear_operation *operation, struct buffer *next)
{
    struct bytes a = value_of(part, operation->a);
    switch (operation->kind) {
    case KIND_READ:
        return bytes_equal(state, a) && give(next, state);
    case KIND_NOT:
        return !bytes_equal(state, a) && give(next, state);
    case KIND_WRITE:
        return give(next, a);
    case KIND_CAS:
        return bytes_equal(state, a) && give(next, value_of(part, operation->b));
    case KIND_APPEND:
        return step_append_string(state, a, next);
    default:
        return false;
    }
}

static bool step_set(const struct linear_part *part, struct bytes state,
                     const struct linear_operation *operation, struct buffer *next)
{
    struct bytes a = value_of(part, operation->a);
    if (operation->kind == KIND_READ) {
        return bytes_equal(state, a) && give(next, state);
    }
    size_t count = 0;
    size_t offset = 0;
    struct bytes elements = elements_of(state, &count);
    bool found = find_element(elements, count, a, &offset);
    if (operation->kind == KIND_HAS) {
        bool said = bytes_equal(value_of(part, operation->b), (struct bytes){(uint8_t[]){0xf5}, 1});
        return found == said && give(next, state);
    }
    bool adds = operation->kind == KIND_ADD;
    if (found == adds) {
        return operation->b == 0 && give(next, state);
    }
    value_write_array(next, adds ? count + 1 : count - 1);
    buffer_append(next, elements.data, offset);
    if (adds) {
        buffer_append(next, a.data, a.size);
    } else {
        offset += a.size;
    }
    buffer_append(next, elements.data + offset, elements.size - offset);
    return true;
}

/* The one that stands first is taken: a certain one, or any. */
static bool step_take(struct bytes state, const struct bytes *wanted, struct buffer *next)
{
    size_t count = 0;
    struct bytes elements = elements_of(state, &count);
    if (count == 0) {
        return wanted == NULL && give(next, state);
    }
    size_t size = element_size(elements);
    if (wanted != NULL && !bytes_equal((struct bytes){elements.data, size}, *wanted)) {
        return false;
    }
    value_write_array(next, count - 1);
    buffer_append(next, elements.data + size, elements.size - size);
    return true;
}

static bool step_put_last(struct bytes state, struct bytes element, struct buffer *next)
{
    size_t count = 0;
    struct bytes elements = elements_of(state, &count);
    value_write_array(next, count + 1);
    buffer_append(next, elements.data, elements.size);
    buffer_append(next, element.data, element.size);
    return true;
}

/* Queues and lists. */
static bool step_line(const struct linear_part *part, struct bytes state,
                      const struct linear_operation *operation, struct buffer *next)
{
    struct bytes a = value_of(part, operation->a);
    switch (operation->kind) {
    case KIND_ENQUEUE:
    case KIND_APPEND:
        return step_put_last(state, a, next);
    case KIND_DEQUEUE:
        return step_take(state, &a, next);
    case KIND_TAKE:
        return step_take(state, NULL, next);
    case KIND_READ:
        return bytes_equal(state, a) && give(next, state);
    case KIND_EMPTY:
        return bytes_equal(state, (struct bytes){empty_array, 1}) && give(next, state);
    default:
        return false;
    }
}

void linear_initial(const struct linear_part *part, struct buffer *state)
{
    struct bytes initial = {empty_array, sizeof empty_array};
    if (part->family == FAMILY_CUSTOM) {
        initial = part->custom->initial;
    } else if (part->family == FAMILY_REGISTER || part->family == FAMILY_STRING) {
        initial = value_of(part, part->initial);
    }
    buffer_append(state, initial.data, initial.size);
}

bool linear_step(const struct linear_part *part, struct bytes state,
                 const struct linear_operation *operation, bool *legal, struct buffer *next)
{
    ensure(next->size == 0);
    switch (part->family) {
    case FAMILY_REGISTER:
    case FAMILY_STRING:
        *legal = step_register(part, state, operation, next);
        return true;
    case FAMILY_SET:
        *legal = step_set(part, state, operation, next);
        return true;
    case FAMILY_QUEUE:
    case FAMILY_LIST:
        *legal = step_line(part, state, operation, next);
        return true;
    case FAMILY_CUSTOM:
        return part->custom->step(part->custom->self, state, operation->source, legal, next);
    }
    return false;
}

bool linear_pure(const struct linear_part *part, const struct linear_operation *operation,
                 bool *pure)
{
    *pure = linear_is_silent(operation);
    const struct linear_custom *custom = part->custom;
    if (part->family == FAMILY_CUSTOM && custom->pure != NULL) {
        return custom->pure(custom->self, operation->source, pure);
    }
    return true;
}
