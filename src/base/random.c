/*
 * Random streams: SplitMix64, one for each consumer, found by name. It never asks the system for
 * randomness: the same seed and name give the same numbers on every machine.
 */
#include "base/base.h"

#include <string.h>

#define STREAM_NAME_BYTES_MAX 256U
#define DECIMAL_DIGITS_MAX 20U

static struct random stream_named(uint64_t seed, const char *name, size_t size)
{
    /* The seed is scrambled by itself first: neighbouring seeds must not give related streams. */
    uint64_t start = random_scramble(seed + 0x9e3779b97f4a7c15ULL);
    return (struct random){random_scramble(hash_mix(start, hash_bytes(name, size, 0)))};
}

struct random random_stream(uint64_t seed, const char *name)
{
    return stream_named(seed, name, strlen(name));
}

/* A stream's name while it is put together; it is no C string. */
struct name {
    char text[STREAM_NAME_BYTES_MAX];
    size_t size;
};

static void append_text(struct name *name, const char *text)
{
    for (; *text != '\0'; text++) {
        ensure(name->size < STREAM_NAME_BYTES_MAX);
        name->text[name->size++] = *text;
    }
}

static void append_number(struct name *name, uint64_t number)
{
    char digits[DECIMAL_DIGITS_MAX + 2];
    size_t first = sizeof digits - 1;
    digits[first] = '\0';
    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    digits[--first] = '/';
    append_text(name, digits + first);
}

struct random random_stream_of(uint64_t seed, const char *prefix, uint64_t a, uint64_t b,
                               const char *suffix)
{
    struct name name;
    name.size = 0;
    append_text(&name, prefix);
    append_number(&name, a);
    if (b != 0) {
        append_number(&name, b);
    }
    if (suffix != NULL) {
        append_text(&name, "/");
        append_text(&name, suffix);
    }
    return stream_named(seed, name.text, name.size);
}

uint64_t random_below(struct random *random, uint64_t bound)
{
    /* Lemire: "Fast random integer generation in an interval" (2019). */
    __extension__ typedef unsigned __int128 wide;
    ensure(bound >= 1);
    wide product = (wide)random_next(random) * bound;
    if ((uint64_t)product < bound) {
        uint64_t biased_below = (0 - bound) % bound;
        while ((uint64_t)product < biased_below) {
            product = (wide)random_next(random) * bound;
        }
    }
    return (uint64_t)(product >> 64);
}

int64_t random_between(struct random *random, int64_t low, int64_t high)
{
    ensure(low <= high);
    uint64_t span = (uint64_t)high - (uint64_t)low;
    uint64_t offset = span == UINT64_MAX ? random_next(random) : random_below(random, span + 1);
    return (int64_t)((uint64_t)low + offset);
}

bool random_chance(struct random *random, uint64_t chance)
{
    return (random_next(random) >> 32) < chance;
}

uint64_t chance_from_double(double probability)
{
    ensure(probability >= 0.0 && probability <= 1.0);
    return (uint64_t)(probability * (double)CHANCE_ALWAYS + 0.5);
}

double chance_to_double(uint64_t chance)
{
    return (double)chance / (double)CHANCE_ALWAYS;
}
