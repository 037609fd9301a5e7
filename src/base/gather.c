/*
 * Parts of known size out of bytes that come in pieces of any size: what readers of streams stand
 * on. It copies only a part that lies across pieces, and makes room only for what has come.
 */
#include "base/base.h"

void gather_free(struct gather *gather)
{
    buffer_free(&gather->held);
    gather->given = false;
}

const uint8_t *gather_take(struct gather *gather, struct bytes *rest, size_t size)
{
    if (gather->given) {
        buffer_clear(&gather->held);
        gather->given = false;
    }
    ensure(size > 0 && gather->held.size < size);
    if (gather->held.size == 0 && rest->size >= size) {
        const uint8_t *part = rest->data;
        *rest = (struct bytes){rest->data + size, rest->size - size};
        return part;
    }
    size_t missing = size - gather->held.size;
    size_t taken = rest->size < missing ? rest->size : missing;
    buffer_append(&gather->held, rest->data, taken);
    *rest = (struct bytes){rest->data == NULL ? NULL : rest->data + taken, rest->size - taken};
    if (taken < missing) {
        return NULL;
    }
    gather->given = true;
    return gather->held.data;
}

bool gather_is_empty(const struct gather *gather)
{
    return gather->given || gather->held.size == 0;
}
