/*
 * base: what every other room stands on. Assertions, memory, growable buffers, containers
 * (containers.h), reference-counted batches of payload bytes, CRC-32C, hashing, random streams,
 * values (deterministic CBOR), fields, JSON and EDN.
 *
 * It never opens, reads or writes anything, reads no clock and knows nothing of Raft.
 */
#ifndef RAFTBENCH_BASE_H
#define RAFTBENCH_BASE_H

#include <endian.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* ---- assertions (assert.c) ------------------------------------------------------------------ */

/* Stops the process with the condition, its place and how to replay, in release builds too. For
 * what our own code must guarantee; never for bad input from outside. */
#define ensure(condition)                                                                          \
    (__builtin_expect(!!(condition), 1) ? (void)0                                                  \
                                        : ensure_failed(#condition, __FILE__, __LINE__, __func__))

_Noreturn void ensure_failed(const char *condition, const char *file, int line,
                             const char *function);

/* What a failed assertion prints as the way to replay ("raftbench run x.lua --seed 7"). Copied, at
 * most 511 bytes; NULL: none. The one process-wide text there is: it is read only by ensure_failed
 * and by what ensure_tell_signals sets up.
 */
void ensure_set_replay(const char *text);

/* From now on a signal that ends the process for a fault of its code (SIGSEGV, SIGBUS, SIGFPE,
 * SIGILL) is told in the same way, where nobody else handles it. Twice is fine. */
void ensure_tell_signals(void);

#include "base/containers.h"

/* ---- memory (memory.c, buffer.c) ------------------------------------------------------------ */

/* Like malloc, calloc, realloc; never return NULL: out of memory ends the process with a message. A
 * size of 0 is taken as 1. */
void *memory_new(size_t size);
void *memory_new_zeroed(size_t count, size_t size);
void *memory_resize(void *memory, size_t size);
void memory_free(void *memory);

/* Small pieces of memory that are used again (pool.c): for what there are many of and stays long.
 * On the thread of one loop only. */
struct pool;
#define POOL_PIECE_BYTES_MAX 1024U
struct pool *pool_new(void);
bool pool_passes_on(void); /* whether each piece is the general allocator's, for sanitizers */
void pool_end(struct pool *pool); /* what was taken stays until it is given back */
void *pool_take(struct pool *pool, size_t size);
void pool_give(struct pool *pool, void *memory, size_t size); /* as it was taken */

/* A view of bytes that it does not own. */
struct bytes {
    const uint8_t *data;
    size_t size;
};

static inline struct bytes bytes_of_text(const char *text) /* a view, without the 0 at its end */
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

bool bytes_equal(struct bytes a, struct bytes b);
/* Like memcmp, the shorter first where one is a prefix of the other. */
int bytes_compare(struct bytes a, struct bytes b);

/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates (utf8.c). */
bool bytes_are_utf8(struct bytes bytes);

/* A growable byte string. All zero is an empty one. */
struct buffer {
    uint8_t *data;
    size_t size;
    size_t capacity;
};

void buffer_free(struct buffer *buffer);  /* and make it empty */
void buffer_clear(struct buffer *buffer); /* empty, keeping its memory */

/* Room for `size` more bytes at the end. */
void buffer_reserve(struct buffer *buffer, size_t size);

/* The same, made part of the buffer: where they begin. */
static inline uint8_t *buffer_extend(struct buffer *buffer, size_t size)
{
    if (buffer->data == NULL || size > buffer->capacity - buffer->size) {
        buffer_reserve(buffer, size);
    }
    uint8_t *at = buffer->data + buffer->size;
    buffer->size += size;
    return at;
}

static inline void buffer_append(struct buffer *buffer, const void *data, size_t size)
{
    if (size > 0) {
        memcpy(buffer_extend(buffer, size), data, size);
    }
}

static inline void buffer_append_byte(struct buffer *buffer, uint8_t byte)
{
    *buffer_extend(buffer, 1) = byte;
}

void buffer_append_text(struct buffer *buffer, const char *text);
__attribute__((format(printf, 2, 3))) void buffer_append_format(struct buffer *buffer,
                                                                const char *format, ...);
struct bytes buffer_bytes(const struct buffer *buffer);

/* Takes parts of known size out of bytes that come in pieces (gather.c). All zero: holds none. */
struct gather {
    struct buffer held; /* the beginning of a part whose end has not come */
    bool given;         /* `held` was given out whole */
};

/* The next part, which is valid until the next call; `rest` is what comes after it. NULL: `rest`
 * ends before, and is held: ask for the same size with the next piece. `size` is not 0. */
const uint8_t *gather_take(struct gather *gather, struct bytes *rest, size_t size);
bool gather_is_empty(const struct gather *gather); /* no part has begun */
void gather_free(struct gather *gather);

/* Little-endian loads and stores of unaligned integers: the byte order of all that we write. Copied
 * rather than put together from bytes, which compilers take for a loop of eight steps. */
static inline void store_u32(uint8_t *at, uint32_t value)
{
    value = htole32(value);
    memcpy(at, &value, sizeof value);
}

static inline void store_u64(uint8_t *at, uint64_t value)
{
    value = htole64(value);
    memcpy(at, &value, sizeof value);
}

static inline uint32_t load_u32(const uint8_t *at)
{
    uint32_t value = 0;
    memcpy(&value, at, sizeof value);
    return le32toh(value);
}

static inline uint64_t load_u64(const uint8_t *at)
{
    uint64_t value = 0;
    memcpy(&value, at, sizeof value);
    return le64toh(value);
}

/* ---- fields, as processes of our own tell each other (fields.c) ------------------------------ */

void field_write_number(struct buffer *out, uint64_t number);
void field_write_bytes(struct buffer *out, struct bytes bytes);

/* Reads them in the same order, from any bytes. What is not there, or is not as it should be, is 0
 * or empty, and makes the reader bad for good. */
struct field_reader {
    struct bytes rest;
    bool is_bad;
};

uint64_t field_read_number(struct field_reader *reader);
uint64_t field_read_at_most(struct field_reader *reader, uint64_t most);
bool field_read_flag(struct field_reader *reader);
struct bytes field_read_bytes(struct field_reader *reader); /* a view */
/* Into a text of fixed size, which ends with 0. */
void field_read_text(struct field_reader *reader, char *text, size_t size);
bool field_read_end(const struct field_reader *reader); /* nothing was bad, nothing is left */

/* ---- batches: reference-counted bytes (batch.c) --------------------------------------------- */

/* Bytes that many may hold: a received frame, or commands that were submitted together. Payloads of
 * entries point into one and are never copied on their way through log, store and machine. Counted
 * on the thread of the loop only. A batch that has more than one holder is never written to. */
struct batch {
    struct pool *pool; /* NULL: none */
    uint32_t references;
    uint32_t size;
    uint8_t data[];
};

/* One reference, contents undefined; size < 2^31. A small one is a piece of the pool (NULL: none).
 */
struct batch *batch_new(struct pool *pool, size_t size);
struct batch *batch_copy(struct pool *pool, const void *data, size_t size);
void batch_destroy(struct batch *batch); /* only batch_release calls this */

static inline struct batch *batch_hold(struct batch *batch)
{
    ensure(batch->references - 1 < UINT32_MAX - 1); /* at least one, and room for one more */
    batch->references++;
    return batch;
}

static inline struct bytes batch_bytes(const struct batch *batch)
{
    return (struct bytes){batch->data, batch->size};
}

static inline void batch_release(struct batch *batch) /* NULL is fine */
{
    if (batch != NULL) {
        ensure(batch->references > 0);
        if (--batch->references == 0) {
            batch_destroy(batch);
        }
    }
}

/* ---- checksums, hashes, random streams (crc32c.c, hash.c, random.c) ------------------------- */

/* CRC-32C (Castagnoli) of `size` bytes, going on from `crc` (0 to start). Uses the processor's
 * instruction where there is one, found at run time. */
uint32_t crc32c(uint32_t crc, const void *data, size_t size);

/* XXH3, 64 bits: the same on every machine. */
uint64_t hash_bytes(const void *data, size_t size, uint64_t seed);

/* Folds one word into a running hash; order matters. Cheap: for hashing structs field by field. */
static inline uint64_t hash_mix(uint64_t hash, uint64_t word)
{
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)(hash ^ 0x9e3779b97f4a7c15ULL) * (wide)(word ^ 0xe7037ed1a0b428dbULL);
    return ((uint64_t)product ^ (uint64_t)(product >> 64)) + (hash << 1) + word;
}

/* A stream of random numbers (SplitMix64). Its state is one word: copy it to fork it. */
struct random {
    uint64_t state;
};

/* The stream called `name` of a run's seed. Each consumer has its own ("link/1/2/drop"), so that
 * one more draw here changes nothing there. */
struct random random_stream(uint64_t seed, const char *name);
/* "PREFIX/a/b/SUFFIX" without formatting it at each call site; suffix may be NULL; b == 0 is left
 * out. */
struct random random_stream_of(uint64_t seed, const char *prefix, uint64_t a, uint64_t b,
                               const char *suffix);
/* Steele, Lea, Flood: "Fast splittable pseudorandom number generators" (2014), in Stafford's
 * variant 13. */
static inline uint64_t random_scramble(uint64_t word)
{
    word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9ULL;
    word = (word ^ (word >> 27)) * 0x94d049bb133111ebULL;
    return word ^ (word >> 31);
}

static inline void random_skip(struct random *random) /* a number that nobody looks at */
{
    random->state += 0x9e3779b97f4a7c15ULL;
}

static inline uint64_t random_next(struct random *random)
{
    random_skip(random);
    return random_scramble(random->state);
}
/* 0 .. bound-1, unbiased; bound >= 1 */
uint64_t random_below(struct random *random, uint64_t bound);
/* low .. high, both included */
int64_t random_between(struct random *random, int64_t low, int64_t high);

/* Chances are fixed-point: 0 = never, CHANCE_ALWAYS = always. Always draws exactly one number. */
#define CHANCE_ALWAYS 0x100000000ULL
bool random_chance(struct random *random, uint64_t chance);
uint64_t chance_from_double(double probability); /* 0..1 */
double chance_to_double(uint64_t chance);

/* ---- values: deterministic CBOR (value_write.c, value_read.c) ------------------------------- */

/* RFC 8949, 4.2: shortest heads, definite lengths, shortest floats that keep the value, map keys
 * sorted by their encoded bytes, no duplicates. A whole float within 64 bits is written as an
 * integer; NaN and infinities do not exist. A string that is UTF-8 is a text string, any other a
 * byte string. Map keys are strings. At most VALUE_DEPTH_MAX arrays and maps stand in each other.
 */
#define VALUE_DEPTH_MAX 100
/* A command, a question and an answer are at most so large. */
#define VALUE_BYTES_MAX (16U << 20)

void value_write_null(struct buffer *out);
void value_write_boolean(struct buffer *out, bool value);
void value_write_integer(struct buffer *out, int64_t value);
/* false: NaN or infinite, nothing written */
bool value_write_float(struct buffer *out, double value);
void value_write_string(struct buffer *out, const void *data, size_t size);
void value_write_array(struct buffer *out, size_t count); /* the head; `count` values follow */
/* the head; `count` pairs follow, key and value in turn, sorted by key */
void value_write_map(struct buffer *out, size_t count);
/* The order of two keys in a map: by encoded bytes. */
int value_compare_keys(struct bytes a, struct bytes b);

enum value_kind {
    VALUE_NULL,
    VALUE_BOOLEAN,
    VALUE_INTEGER,
    VALUE_FLOAT,
    VALUE_STRING,
    VALUE_ARRAY,
    VALUE_MAP,
};

/* One item as a reader sees it. Strings are views of the input. */
struct value_item {
    enum value_kind kind;
    bool boolean;
    int64_t integer;
    double number;
    struct bytes string;
    size_t count; /* of an array's values or a map's pairs */
};

struct value_reader {
    const uint8_t *data;
    size_t size;
    size_t position;
};

/* The next item; arrays and maps give their head and then their contents. false: no well-formed
 * item there, and the position stays. Safe on any bytes; the form need not be deterministic. */
bool value_read(struct value_reader *reader, struct value_item *item);
/* The same where it has to be a string, as the names of a map are: costs less. */
bool value_read_string(struct value_reader *reader, struct bytes *string);
bool value_skip(struct value_reader *reader); /* one whole value, contents included */
/* Exactly one well-formed value in the deterministic form, nothing behind it. */
bool value_is_valid(struct bytes value);
/* The value of a key in an encoded map, as a view; false where it is no map or lacks the key. */
bool value_field(struct bytes map, const char *key, struct bytes *found);
bool value_field_integer(struct bytes map, const char *key, int64_t *found);
bool value_field_string(struct bytes map, const char *key, struct bytes *found);

/* ---- numbers for byte strings (interner.c) --------------------------------------------------- */

/* Byte strings by numbers, 0, 1, 2 and so on as they come. All zero is an empty one. */
struct interner {
    struct buffer bytes;
    array_of(size_t) ends; /* where each ends in `bytes` */
    uint32_t *slots;       /* number + 1 by open addressing; 0: a free one */
    size_t capacity;       /* a power of two, or 0 */
};

/* They are copied, where they are new. */
uint32_t interner_number(struct interner *interner, struct bytes bytes);
void interner_copy(struct interner *to, const struct interner *from); /* `to` is empty */
/* Valid until the next new one. */
struct bytes interner_bytes(const struct interner *interner, uint32_t number);
size_t interner_memory(const struct interner *interner);
void interner_free(struct interner *interner);

/* ---- JSON of traces and histories (json_write.c, json_read.c) ------------------------------- */

/* A string, with its quotes; one that is not UTF-8 is written as {"$bytes":"BASE64"}. */
void json_write_string(struct buffer *out, const void *data, size_t size);
/* A value as JSON: integers exact, floats so that they read back equal, strings as above. A key
 * that is not UTF-8 becomes "$bytes:BASE64", one that starts with a dollar gets one more in front,
 * so that every value reads back equal. false: not a well-formed value (nothing is written). */
bool json_write_value(struct buffer *out, struct bytes value);
/* One JSON text to a value (appended to `out`). Integers within 64 bits are exact; larger ones are
 * floats. On failure false, `*offset` tells where and `*problem` what, in words, and `out` is as it
 * was. */
bool json_read(struct bytes text, struct buffer *out, size_t *offset, const char **problem);

/* ---- EDN, of Jepsen's histories (edn_read.c) ------------------------------------------------- */

/* The next form of a text, from `*at` on, to a value (appended to `out`); `*at` is then behind it.
 * `*over`: there is none, only blanks and comments. On failure false, `*at` tells where and
 * `*problem` what, in words, and `out` is as it was. */
bool edn_read(struct bytes text, size_t *at, struct buffer *out, bool *over, const char **problem);

/* ---- failures (failure.c) ------------------------------------------------------------------- */

/* API.md's codes. FAILURE_NONE is success. */
#define FAILURE_CODES(X)                                                                           \
    X(NONE, "none")                                                                                \
    X(NOT_LEADER, "not_leader")                                                                    \
    X(NO_LEADER, "no_leader")                                                                      \
    X(TIMEOUT, "timeout")                                                                          \
    X(SUPERSEDED, "superseded")                                                                    \
    X(UNKNOWN_NODE, "unknown_node")                                                                \
    X(NODE_DOWN, "node_down")                                                                      \
    X(BUSY, "busy")                                                                                \
    X(TOO_LARGE, "too_large")                                                                      \
    X(MEMBERSHIP_PENDING, "membership_pending")                                                    \
    X(ALREADY_MEMBER, "already_member")                                                            \
    X(NOT_MEMBER, "not_member")                                                                    \
    X(ADDRESS, "address")                                                                          \
    X(UNSUPPORTED, "unsupported")                                                                  \
    X(SESSION_EXPIRED, "session_expired")                                                          \
    X(STORAGE, "storage")                                                                          \
    X(CLOSED, "closed")

enum failure_code {
#define X(name, text) FAILURE_##name,
    FAILURE_CODES(X)
#undef X
};

const char *failure_name(enum failure_code code);

/* What went wrong, for the user: what was tried, on what, what to do. */
struct failure {
    enum failure_code code;
    bool unknown;    /* the command may yet be applied */
    bool is_damage;  /* bytes are not what was written: no disk or network failed to work */
    uint64_t leader; /* 0: not known */
    uint64_t offset; /* in `file` */
    char file[32];   /* of a disk, where it is damaged; "" elsewhere */
    char message[240];
};

/* None. Costs less than clearing all of it, where a failure is made ready for each command. */
static inline void failure_clear(struct failure *failure)
{
    failure->code = FAILURE_NONE;
    failure->unknown = false;
    failure->is_damage = false;
    failure->leader = 0;
    failure->offset = 0;
    failure->file[0] = '\0';
    failure->message[0] = '\0';
}

/* A copy, of the message as far as it goes: for most it is empty. */
static inline void failure_copy(struct failure *to, const struct failure *from)
{
    to->code = from->code;
    to->unknown = from->unknown;
    to->is_damage = from->is_damage;
    to->leader = from->leader;
    to->offset = from->offset;
    memcpy(to->file, from->file, sizeof to->file);
    memcpy(to->message, from->message, strlen(from->message) + 1);
}

/* Words formatted into a text of fixed size; what does not fit is left out. */
__attribute__((format(printf, 3, 0))) void text_format(char *text, size_t size, const char *format,
                                                       va_list arguments);

/* Sets code and message; `unknown` becomes false and `leader` 0, for the caller to set after it. A
 * NULL failure is fine. */
__attribute__((format(printf, 3, 4))) void
failure_set(struct failure *failure, enum failure_code code, const char *format, ...);
/* Bytes that are not what was written: FAILURE_STORAGE, with what is wrong with them. */
void failure_set_damage(struct failure *failure, const char *problem);
/* Where on a disk: after failure_set. */
void failure_set_place(struct failure *failure, const char *file, uint64_t offset);

#endif
