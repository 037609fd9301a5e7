/*
 * Writing values: deterministic CBOR (RFC 8949, 4.2). Each value has one form, so that equal values
 * are equal bytes:
 *
 *   - heads are the shortest, lengths are definite, there are no tags;
 *   - a whole float within 64 bits is an integer (so -0.0 is 0, and 1.0 and 1 are one value); any
 *     other float is the shortest of half, single and double that keeps it; NaN and infinities do
 *     not exist;
 *   - a string that is UTF-8 is a text string, any other a byte string;
 *   - map keys are strings, sorted by their encoded bytes, none twice.
 *
 * It never sorts keys or counts contents: who writes a map writes its pairs in order.
 */
#include "base/internal.h"

#include <float.h>
#include <string.h>

static void store_big_endian(uint8_t *at, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        at[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
    }
}

size_t cbor_head(uint8_t head[CBOR_HEAD_BYTES_MAX], enum cbor_major major, uint64_t argument)
{
    uint8_t high = (uint8_t)((unsigned)major << 5);
    if (argument < 24) {
        head[0] = (uint8_t)(high | argument);
        return 1;
    }
    unsigned power = argument <= UINT8_MAX    ? 0
                     : argument <= UINT16_MAX ? 1
                     : argument <= UINT32_MAX ? 2
                                              : 3;
    head[0] = (uint8_t)(high | (24 + power));
    store_big_endian(head + 1, argument, (size_t)1 << power);
    return 1 + ((size_t)1 << power);
}

size_t cbor_integer(uint8_t head[CBOR_HEAD_BYTES_MAX], int64_t value)
{
    return value >= 0 ? cbor_head(head, CBOR_UNSIGNED, (uint64_t)value)
                      : cbor_head(head, CBOR_NEGATIVE, ~(uint64_t)value);
}

/* The half-precision form of a single-precision number's bits, where it keeps the value. */
static bool half_from_single(uint32_t single, uint16_t *half)
{
    uint32_t sign = single >> 31 << 15;
    uint32_t mantissa = single & 0x7fffff;
    int exponent = (int)(single >> 23 & 0xff) - 127;
    if (exponent >= -14 && exponent <= 15) {
        *half = (uint16_t)(sign | (uint32_t)(exponent + 15) << 10 | mantissa >> 13);
        return (mantissa & 0x1fff) == 0;
    }
    if (exponent >= -24 && exponent < -14) { /* a half without the implicit leading bit */
        unsigned shift = (unsigned)(-exponent - 1);
        mantissa |= 0x800000;
        *half = (uint16_t)(sign | mantissa >> shift);
        return (mantissa & ((1U << shift) - 1)) == 0;
    }
    return false;
}

static size_t cbor_float(uint8_t head[CBOR_HEAD_BYTES_MAX], double value)
{
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    if (value >= -FLT_MAX && value <= FLT_MAX && (double)(float)value == value) {
        float narrow = (float)value;
        uint32_t single = 0;
        uint16_t half = 0;
        memcpy(&single, &narrow, sizeof single);
        if (half_from_single(single, &half)) {
            head[0] = CBOR_SIMPLE << 5 | CBOR_HALF;
            store_big_endian(head + 1, half, 2);
            return 3;
        }
        head[0] = CBOR_SIMPLE << 5 | CBOR_SINGLE;
        store_big_endian(head + 1, single, 4);
        return 5;
    }
    head[0] = CBOR_SIMPLE << 5 | CBOR_DOUBLE;
    store_big_endian(head + 1, bits, 8);
    return 9;
}

size_t cbor_number(uint8_t head[CBOR_HEAD_BYTES_MAX], double value)
{
    ensure(value >= -DBL_MAX && value <= DBL_MAX);
    if (value >= -0x1p63 && value < 0x1p63 && (double)(int64_t)value == value) {
        return cbor_integer(head, (int64_t)value);
    }
    return cbor_float(head, value);
}

static void write_head(struct buffer *out, enum cbor_major major, uint64_t argument)
{
    uint8_t head[CBOR_HEAD_BYTES_MAX];
    buffer_append(out, head, cbor_head(head, major, argument));
}

void value_write_null(struct buffer *out)
{
    write_head(out, CBOR_SIMPLE, CBOR_NULL);
}

void value_write_boolean(struct buffer *out, bool value)
{
    write_head(out, CBOR_SIMPLE, value ? CBOR_TRUE : CBOR_FALSE);
}

void value_write_integer(struct buffer *out, int64_t value)
{
    uint8_t head[CBOR_HEAD_BYTES_MAX];
    buffer_append(out, head, cbor_integer(head, value));
}

bool value_write_float(struct buffer *out, double value)
{
    if (!(value >= -DBL_MAX && value <= DBL_MAX)) {
        return false;
    }
    uint8_t head[CBOR_HEAD_BYTES_MAX];
    buffer_append(out, head, cbor_number(head, value));
    return true;
}

void value_write_string(struct buffer *out, const void *data, size_t size)
{
    bool is_text = bytes_are_utf8((struct bytes){data, size});
    write_head(out, is_text ? CBOR_TEXT : CBOR_BYTES, size);
    buffer_append(out, data, size);
}

void value_write_array(struct buffer *out, size_t count)
{
    write_head(out, CBOR_ARRAY, count);
}

void value_write_map(struct buffer *out, size_t count)
{
    write_head(out, CBOR_MAP, count);
}

int value_compare_keys(struct bytes a, struct bytes b)
{
    /* Encoded, the major type comes first, then the length, then the bytes. */
    bool a_is_text = bytes_are_utf8(a);
    bool b_is_text = bytes_are_utf8(b);
    if (a_is_text != b_is_text) {
        return a_is_text ? 1 : -1;
    }
    if (a.size != b.size) {
        return a.size < b.size ? -1 : 1;
    }
    return bytes_compare(a, b);
}
