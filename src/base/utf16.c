/*
 * Characters that a string's escape names by their units of UTF-16, as JSON and EDN have them: four
 * hexadecimal digits, or a pair of surrogates. It knows no other escape.
 */
#include "base/internal.h"

#include <string.h>

#define HEXADECIMAL "four hexadecimal digits are expected after \\u"
#define HALF "half of a surrogate pair is not a character"

static int digit_value(uint8_t digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    if (digit >= 'a' && digit <= 'f') {
        return digit - 'a' + 10;
    }
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

static bool read_unit(struct bytes text, size_t *at, uint32_t *unit)
{
    *unit = 0;
    for (int i = 0; i < 4; i++) {
        int value = *at < text.size ? digit_value(text.data[*at]) : -1;
        if (value < 0) {
            return false;
        }
        *unit = *unit << 4 | (uint32_t)value;
        (*at)++;
    }
    return true;
}

const char *utf16_read(struct bytes text, size_t start, size_t *at, struct buffer *out)
{
    uint32_t character = 0;
    *at = start + 2;
    if (!read_unit(text, at, &character)) {
        return HEXADECIMAL;
    }
    if (character >= 0xd800 && character < 0xe000) {
        uint32_t low = 0;
        if (character >= 0xdc00 || text.size - *at < 2 || memcmp(text.data + *at, "\\u", 2) != 0) {
            *at = start;
            return HALF;
        }
        *at += 2;
        if (!read_unit(text, at, &low)) {
            return HEXADECIMAL;
        }
        if (low < 0xdc00 || low >= 0xe000) {
            *at = start;
            return HALF;
        }
        character = 0x10000 + ((character - 0xd800) << 10) + (low - 0xdc00);
    }
    utf8_append(out, character);
    return NULL;
}
