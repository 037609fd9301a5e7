/*
 * Base 64 (RFC 4648, 4). Reading is strict: every byte string has one text and every other text is
 * refused, so that what was read is written again the same.
 */
#include "base/internal.h"

#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void write_group(uint8_t *to, const uint8_t *from, size_t count)
{
    uint32_t bits = (uint32_t)from[0] << 16;
    bits |= count > 1 ? (uint32_t)from[1] << 8 : 0;
    bits |= count > 2 ? from[2] : 0;
    for (size_t i = 0; i < 4; i++) {
        to[i] = (uint8_t)(i <= count ? digits[bits >> (18 - 6 * i) & 63] : '=');
    }
}

void base64_write(struct buffer *out, struct bytes data)
{
    uint8_t *to = buffer_extend(out, (data.size + 2) / 3 * 4);
    for (size_t at = 0; at < data.size; at += 3, to += 4) {
        size_t left = data.size - at;
        write_group(to, data.data + at, left < 3 ? left : 3);
    }
}

static bool digit_value(uint8_t digit, uint32_t *value)
{
    const char *found = digit == '\0' ? NULL : strchr(digits, digit);
    if (found == NULL) {
        return false;
    }
    *value = (uint32_t)(found - digits);
    return true;
}

/* Four characters of which the last `padding` are filling; their bits beyond the bytes are 0. */
static bool read_group(struct buffer *out, const uint8_t *from, size_t padding)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < 4 - padding; i++) {
        uint32_t value = 0;
        if (!digit_value(from[i], &value)) {
            return false;
        }
        bits |= value << (18 - 6 * i);
    }
    size_t count = 3 - padding;
    if ((bits & (0xffffffU >> (8 * count))) != 0) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        buffer_append_byte(out, (uint8_t)(bits >> (16 - 8 * i)));
    }
    return true;
}

bool base64_read(struct buffer *out, struct bytes text)
{
    size_t start = out->size;
    if (text.size % 4 != 0) {
        return false;
    }
    for (size_t at = 0; at < text.size; at += 4) {
        const uint8_t *group = text.data + at;
        bool is_last = at + 4 == text.size;
        size_t padding = !is_last || group[3] != '=' ? 0 : group[2] == '=' ? 2 : 1;
        if (!read_group(out, group, padding)) {
            out->size = start;
            return false;
        }
    }
    return true;
}
