/*
 * Arrays and maps in the only encoding, for who reads texts in which an array's length comes last
 * and a map's pairs come in any order. It never judges what a key is.
 */
#include "base/internal.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *left, const void *right)
{
    const struct map_pair *a = left;
    const struct map_pair *b = right;
    int order = bytes_compare((struct bytes){a->data + a->key, a->value - a->key},
                              (struct bytes){b->data + b->key, b->value - b->key});
    return order != 0 ? order : (a->offset > b->offset) - (a->offset < b->offset);
}

const struct map_pair *pairs_write(struct buffer *out, size_t start, struct map_pair *pairs,
                                   size_t count, struct buffer *scratch)
{
    const uint8_t *data = out->data;
    for (size_t i = 0; i < count; i++) {
        pairs[i].data = data;
    }
    if (count > 1) {
        qsort(pairs, count, sizeof *pairs, compare);
    }
    buffer_clear(scratch);
    for (size_t i = 0; i < count; i++) {
        const struct map_pair *pair = &pairs[i];
        struct bytes key = {data + pair->key, pair->value - pair->key};
        if (i > 0 && bytes_equal(key, (struct bytes){data + pairs[i - 1].key,
                                                     pairs[i - 1].value - pairs[i - 1].key})) {
            return pair;
        }
        buffer_append(scratch, key.data, pair->end - pair->key);
    }
    out->size = start;
    value_write_map(out, count);
    buffer_append(out, scratch->data, scratch->size);
    return NULL;
}

void array_head_insert(struct buffer *out, size_t start, size_t count)
{
    uint8_t head[CBOR_HEAD_BYTES_MAX];
    size_t head_size = cbor_head(head, CBOR_ARRAY, count);
    size_t contents_size = out->size - start;
    (void)buffer_extend(out, head_size);
    memmove(out->data + start + head_size, out->data + start, contents_size);
    memcpy(out->data + start, head, head_size);
}
