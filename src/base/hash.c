/*
 * The hash of bytes: XXH3 with 64 bits, compiled in from its header, so that no other version of
 * the library can change a trace's hash. It never hashes structs: their padding is not defined.
 */
#include "base/base.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash_bytes(const void *data, size_t size, uint64_t seed)
{
    return XXH3_64bits_withSeed(data, size, seed);
}
