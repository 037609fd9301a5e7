/*
 * Strings in quotes, as JSON and EDN have them: which escapes of one letter there are, and whether
 * any byte may stand in it, is up to whoever asks. A character that an escape names by its units of
 * UTF-16 is four hexadecimal digits, or a pair of surrogates.
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

/* The escape "\u" that begins at `start`, with the one of its other surrogate. */
static const char *read_character(struct bytes text, size_t start, size_t *at, struct buffer *out)
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

static int peek(struct bytes text, size_t at)
{
    return at < text.size ? text.data[at] : -1;
}

static const char *read_escape(struct bytes text, const char *letters, size_t *at,
                               struct buffer *out)
{
    int letter = peek(text, *at + 1);
    if (letter == 'u') {
        return read_character(text, *at, at, out);
    }
    for (size_t i = 0; letters[i] != '\0'; i += 2) {
        if (letter == letters[i]) {
            *at += 2;
            buffer_append_byte(out, (uint8_t)letters[i + 1]);
            return NULL;
        }
    }
    return "no such escape in a string";
}

const char *quoted_read(struct bytes text, const struct quoted_rules *rules, size_t *at,
                        struct buffer *out)
{
    size_t start = (*at)++;
    for (;;) {
        size_t plain = *at;
        int least = rules->any_bytes ? 0 : ' ';
        while (peek(text, *at) >= least && peek(text, *at) != '"' && peek(text, *at) != '\\') {
            (*at)++;
        }
        struct bytes piece = {text.data + plain, *at - plain};
        if (!rules->any_bytes && !bytes_are_utf8(piece)) {
            *at = plain;
            return "a string that is not UTF-8";
        }
        buffer_append(out, piece.data, piece.size);
        switch (peek(text, *at)) {
        case '"':
            (*at)++;
            return NULL;
        case -1:
            *at = start;
            return "a string without its closing quote";
        case '\\':
            break;
        default:
            return "a control character inside a string";
        }
        const char *problem = read_escape(text, rules->escapes, at, out);
        if (problem != NULL) {
            return problem;
        }
    }
}
