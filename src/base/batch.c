/*
 * Making and freeing reference-counted bytes. It never shares memory between batches: the count
 * stands in front of the bytes, in one allocation.
 */
#include "base/base.h"

#include <string.h>

struct batch *batch_new(size_t size)
{
    ensure(size <= INT32_MAX);
    struct batch *batch = memory_new(sizeof *batch + size);
    batch->references = 1;
    batch->size = (uint32_t)size;
    return batch;
}

struct batch *batch_copy(const void *data, size_t size)
{
    struct batch *batch = batch_new(size);
    if (size > 0) {
        memcpy(batch->data, data, size);
    }
    return batch;
}

void batch_destroy(struct batch *batch)
{
    ensure(batch->references == 0);
    memory_free(batch);
}
