/*
 * Which bytes are UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing beyond U+10FFFF. It
 * never repairs anything. And a character as UTF-8.
 */
#include "base/internal.h"

#include <string.h>

#define HIGH_BITS 0x8080808080808080ULL

static bool is_continuation(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

/* The size of the well-formed character that starts at `at`, of which `left` bytes are there; 0:
 * none. */
static size_t character_size(const uint8_t *at, size_t left)
{
    uint8_t lead = at[0];
    if (lead < 0x80) {
        return 1;
    }
    if (lead < 0xc2 || lead > 0xf4) {
        return 0;
    }
    size_t size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (left < size) {
        return 0;
    }
    /* Only the second byte has limits that depend on the first (RFC 3629, 4). */
    uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (at[1] < low || at[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < size; i++) {
        if (!is_continuation(at[i])) {
            return 0;
        }
    }
    return size;
}

bool bytes_are_utf8(struct bytes bytes)
{
    size_t at = 0;
    while (at < bytes.size) {
        uint64_t word = HIGH_BITS;
        if (bytes.size - at >= sizeof word) {
            memcpy(&word, bytes.data + at, sizeof word);
        }
        if ((word & HIGH_BITS) == 0) { /* eight characters of ASCII at once */
            at += sizeof word;
            continue;
        }
        size_t size = character_size(bytes.data + at, bytes.size - at);
        if (size == 0) {
            return false;
        }
        at += size;
    }
    return true;
}

void utf8_append(struct buffer *out, uint32_t character)
{
    if (character < 0x80) {
        buffer_append_byte(out, (uint8_t)character);
        return;
    }
    int more = character < 0x800 ? 1 : character < 0x10000 ? 2 : 3;
    uint32_t lead = more == 1 ? 0xc0 : more == 2 ? 0xe0 : 0xf0;
    buffer_append_byte(out, (uint8_t)(lead | character >> (6 * more)));
    while (more-- > 0) {
        buffer_append_byte(out, (uint8_t)(0x80 | (character >> (6 * more) & 0x3f)));
    }
}
