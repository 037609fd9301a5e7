/*
 * The growable byte string. Its memory doubles as it grows, so that appending costs a constant; it
 * never gives memory back before buffer_free.
 */
#include "base/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CAPACITY_FIRST_BYTES 64U

void buffer_free(struct buffer *buffer)
{
    memory_free(buffer->data);
    *buffer = (struct buffer){0};
}

void buffer_clear(struct buffer *buffer)
{
    buffer->size = 0;
}

void buffer_reserve(struct buffer *buffer, size_t size)
{
    ensure(size <= PTRDIFF_MAX - buffer->size);
    size_t needed = buffer->size + size;
    if (needed <= buffer->capacity && buffer->data != NULL) {
        return;
    }
    size_t capacity =
        buffer->capacity < CAPACITY_FIRST_BYTES ? CAPACITY_FIRST_BYTES : buffer->capacity;
    while (capacity < needed) {
        capacity *= 2;
    }
    buffer->data = memory_resize(buffer->data, capacity);
    buffer->capacity = capacity;
}

void buffer_append_text(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

void buffer_append_format(struct buffer *buffer, const char *format, ...)
{
    buffer_reserve(buffer, 1);
    size_t room = buffer->capacity - buffer->size;
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf((char *)buffer->data + buffer->size, room, format, arguments);
    va_end(arguments);
    ensure(written >= 0);
    size_t size = (size_t)written;
    if (size >= room) { /* it did not fit with vsnprintf's closing zero: once more, with room */
        buffer_reserve(buffer, size + 1);
        va_start(arguments, format);
        written = vsnprintf((char *)buffer->data + buffer->size, size + 1, format, arguments);
        va_end(arguments);
        ensure((size_t)written == size);
    }
    buffer->size += size;
}

struct bytes buffer_bytes(const struct buffer *buffer)
{
    return (struct bytes){buffer->data, buffer->size};
}
