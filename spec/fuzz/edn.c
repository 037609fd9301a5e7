/*
 * Fuzzes the reader of EDN: any bytes give values in the one encoding, that JSON takes too, or a
 * problem with its place; and each form is read to its end.
 */
#include "support/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer value = {0};
    struct buffer json = {0};
    struct bytes text = {data, size};
    size_t at = 0;
    bool over = false;
    const char *problem = NULL;
    while (!over) {
        size_t before = at;
        buffer_clear(&value);
        if (!edn_read(text, &at, &value, &over, &problem)) {
            ensure(problem != NULL && at <= size && value.size == 0);
            break;
        }
        ensure(at <= size && at >= before);
        if (over) {
            ensure(at == size && value.size == 0);
        } else {
            ensure(at > before && value_is_valid(buffer_bytes(&value)));
            buffer_clear(&json);
            ensure(json_write_value(&json, buffer_bytes(&value)));
        }
    }
    buffer_free(&value);
    buffer_free(&json);
    return 0;
}
