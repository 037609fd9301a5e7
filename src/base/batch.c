/*
 * Making and freeing reference-counted bytes. It never shares memory between batches: the count
 * stands in front of the bytes, in one allocation.
 */
#include "base/base.h"

#include <string.h>

struct batch *batch_new(struct pool *pool, size_t size)
{
    ensure(size <= INT32_MAX);
    bool is_small = pool != NULL && sizeof(struct batch) + size <= POOL_PIECE_BYTES_MAX;
    struct batch *batch =
        is_small ? pool_take(pool, sizeof *batch + size) : memory_new(sizeof *batch + size);
    batch->pool = is_small ? pool : NULL;
    batch->references = 1;
    batch->size = (uint32_t)size;
    return batch;
}

struct batch *batch_copy(struct pool *pool, const void *data, size_t size)
{
    struct batch *batch = batch_new(pool, size);
    if (size > 0) {
        memcpy(batch->data, data, size);
    }
    return batch;
}

void batch_destroy(struct batch *batch)
{
    ensure(batch->references == 0);
    if (batch->pool != NULL) {
        pool_give(batch->pool, batch, sizeof *batch + batch->size);
    } else {
        memory_free(batch);
    }
}
