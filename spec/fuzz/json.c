/*
 * Fuzzes json_read: what it takes is a valid value, and the JSON of that value reads back equal.
 */
#include "support/fuzz.h"

static void check_again(struct bytes value)
{
    struct buffer text = {0};
    struct buffer again = {0};
    size_t offset = 0;
    const char *problem = NULL;
    ensure(value_is_valid(value));
    ensure(json_write_value(&text, value));
    ensure(json_read(buffer_bytes(&text), &again, &offset, &problem));
    ensure(bytes_equal(buffer_bytes(&again), value));
    buffer_free(&text);
    buffer_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer out = {0};
    size_t offset = 0;
    const char *problem = NULL;
    buffer_append_byte(&out, 'x'); /* what stands there stays */
    if (json_read((struct bytes){data, size}, &out, &offset, &problem)) {
        check_again((struct bytes){out.data + 1, out.size - 1});
    } else {
        ensure(problem != NULL);
        ensure(offset <= size);
        ensure(out.size == 1);
    }
    ensure(out.data[0] == 'x');
    buffer_free(&out);
    return 0;
}
