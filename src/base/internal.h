/*
 * What the files of base/ share among themselves.
 */
#ifndef RAFTBENCH_BASE_INTERNAL_H
#define RAFTBENCH_BASE_INTERNAL_H

#include "base/base.h"

/* CBOR's major types and simple values (RFC 8949, 3). */
enum cbor_major {
    CBOR_UNSIGNED,
    CBOR_NEGATIVE,
    CBOR_BYTES,
    CBOR_TEXT,
    CBOR_ARRAY,
    CBOR_MAP,
    CBOR_TAG,
    CBOR_SIMPLE,
};

#define CBOR_FALSE 20U
#define CBOR_TRUE 21U
#define CBOR_NULL 22U
#define CBOR_HALF 25U
#define CBOR_SINGLE 26U
#define CBOR_DOUBLE 27U
/* A head: one byte, and up to eight of its argument. Every number fits into one. */
#define CBOR_HEAD_BYTES_MAX 9U

/* The shortest head; its size is returned. */
size_t cbor_head(uint8_t head[CBOR_HEAD_BYTES_MAX], enum cbor_major major, uint64_t argument);
/* The only form of an integer or of a finite number, whole floats as integers; its size. */
size_t cbor_integer(uint8_t head[CBOR_HEAD_BYTES_MAX], int64_t value);
size_t cbor_number(uint8_t head[CBOR_HEAD_BYTES_MAX], double value);

/* Base 64 (RFC 4648, 4) with its padding (base64.c). Decoding takes nothing but what encoding
 * gives; on false nothing is written. */
void base64_write(struct buffer *out, struct bytes data);
bool base64_read(struct buffer *out, struct bytes text);

/* A finite float in the fewest digits that read back equal; and the float nearest to a text that is
 * a JSON number (infinite where it is too large; decimal.c). */
#define DECIMAL_BYTES_MAX 32U
void decimal_write(struct buffer *out, double number);
double decimal_read(struct bytes text);

/* One pair of a map that is being read, by its places in the output (pairs.c). */
struct map_pair {
    size_t key; /* where the encoded key begins */
    size_t value;
    size_t end;
    size_t offset;       /* of the key in the text, for messages */
    const uint8_t *data; /* of the output, while pairs are sorted */
    bool marked;         /* the reader's own */
};

/* Puts the pairs that stand in the output from `start` on into their order, behind their head.
 * Returns one whose key is there twice, and then the output is as it was; NULL: done. */
const struct map_pair *pairs_write(struct buffer *out, size_t start, struct map_pair *pairs,
                                   size_t count, struct buffer *scratch);
/* Puts an array's head in front of its contents, which stand in the output from `start` on. */
void array_head_insert(struct buffer *out, size_t start, size_t count);
/* A character of Unicode as UTF-8. */
void utf8_append(struct buffer *out, uint32_t character);
/* What may stand in a string in quotes (quoted.c). */
struct quoted_rules {
    const char *escapes; /* pairs of a letter and what it means; "\u" is always one */
    bool any_bytes;      /* else only UTF-8 without control characters */
};

/* A string from its opening quote, at `*at`, to behind the closing one: its characters are
 * appended. Else the problem, and `*at` is where it is. */
const char *quoted_read(struct bytes text, const struct quoted_rules *rules, size_t *at,
                        struct buffer *out);
/* Exact where it fits into 64 bits; false: it does not. */
bool whole_number(struct bytes digits, bool is_negative, int64_t *number);

/* How JSON marks what it cannot hold: an object of this one key holds bytes in base 64; a key with
 * this and a colon in front is bytes too; any other key that starts with a dollar gets one more. */
#define JSON_BYTES_MARK "$bytes"

#endif
