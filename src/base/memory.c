/*
 * Allocation that does not fail, and views of bytes. It never returns NULL, so that no caller has a
 * path for it: a process that is out of memory ends with a message, as after a power cut.
 */
#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void out_of_memory(size_t size)
{
    fprintf(stderr, "raftbench: out of memory (%zu bytes wanted)\n", size);
    fflush(stderr);
    abort();
}

void *memory_new(size_t size)
{
    void *memory = malloc(size == 0 ? 1 : size);
    if (memory == NULL) {
        out_of_memory(size);
    }
    return memory;
}

void *memory_new_zeroed(size_t count, size_t size)
{
    void *memory = count == 0 || size == 0 ? calloc(1, 1) : calloc(count, size);
    if (memory == NULL) {
        out_of_memory(size);
    }
    return memory;
}

void *memory_resize(void *memory, size_t size)
{
    void *resized = realloc(memory, size == 0 ? 1 : size);
    if (resized == NULL) {
        out_of_memory(size);
    }
    return resized;
}

void memory_free(void *memory)
{
    free(memory);
}

bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

int bytes_compare(struct bytes a, struct bytes b)
{
    size_t shorter = a.size < b.size ? a.size : b.size;
    int order = shorter == 0 ? 0 : memcmp(a.data, b.data, shorter);
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}
