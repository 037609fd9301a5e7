/*
 * CRC-32C (Castagnoli), which guards every frame and every record on disk. The processor's own
 * instruction does it where there is one, else eight tables (slicing by 8). It never depends on
 * which: both give the same number. The choice is made once, when the module is loaded, before
 * there is a second thread.
 */
#include "base/base.h"

#include <string.h>

#define POLYNOMIAL_REFLECTED 0x82f63b78U

typedef uint32_t crc_function(uint32_t state, const uint8_t *data, size_t size);

static uint32_t tables[8][256];

static void fill_tables(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t state = byte;
        for (int bit = 0; bit < 8; bit++) {
            state = (state >> 1) ^ ((state & 1U) != 0 ? POLYNOMIAL_REFLECTED : 0);
        }
        tables[0][byte] = state;
    }
    for (int slice = 1; slice < 8; slice++) {
        for (uint32_t byte = 0; byte < 256; byte++) {
            uint32_t shorter = tables[slice - 1][byte];
            tables[slice][byte] = (shorter >> 8) ^ tables[0][shorter & 0xff];
        }
    }
}

static uint32_t crc_by_tables(uint32_t state, const uint8_t *data, size_t size)
{
    for (; size >= 8; data += 8, size -= 8) {
        uint64_t word = load_u64(data) ^ state;
        state = 0;
        for (int slice = 0; slice < 8; slice++) {
            state ^= tables[7 - slice][(word >> (8 * slice)) & 0xff];
        }
    }
    for (; size > 0; data++, size--) {
        state = (state >> 8) ^ tables[0][(state ^ *data) & 0xff];
    }
    return state;
}

#if defined(__x86_64__)
#include <immintrin.h>

/* The instruction takes three cycles but starts one in each, so long inputs go through it in three
 * streams of BLOCK_BYTES, whose states are then joined by carry-less multiplication. So many that a
 * sector of the write-ahead log is nearly three of them. */
#define BLOCK_BYTES 160U
/* x^(8 * 160 - 33) and x^(8 * 320 - 33) modulo the polynomial, reflected: advance a state over one
 * or two blocks of zeros. 33 less, as the instruction that reduces the product adds x^32 and the
 * reflected product of 32-bit factors is one bit short. */
#define OVER_ONE_BLOCK 0x878a92a7U
#define OVER_TWO_BLOCKS 0xbac2fd7bU

static inline uint64_t load_word(const uint8_t *at)
{
    uint64_t word = 0;
    memcpy(&word, at, sizeof word);
    return word;
}

__attribute__((target("sse4.2,pclmul"))) static inline uint64_t advance(uint64_t state,
                                                                        uint32_t over)
{
    __m128i product =
        _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)state), _mm_cvtsi32_si128((int)over), 0);
    return _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

/* Fewer than eight bytes. */
__attribute__((target("sse4.2"))) static inline uint32_t
crc_of_rest(uint32_t state, const uint8_t *data, size_t size)
{
    if ((size & 4) != 0) {
        uint32_t four = 0;
        memcpy(&four, data, sizeof four);
        state = _mm_crc32_u32(state, four);
        data += sizeof four;
    }
    if ((size & 2) != 0) {
        uint16_t two = 0;
        memcpy(&two, data, sizeof two);
        state = _mm_crc32_u16(state, two);
        data += sizeof two;
    }
    return (size & 1) != 0 ? _mm_crc32_u8(state, *data) : state;
}

__attribute__((target("sse4.2,pclmul"))) static uint32_t
crc_by_instruction(uint32_t state, const uint8_t *data, size_t size)
{
    uint64_t first = state;
    for (; size >= 3 * (size_t)BLOCK_BYTES;
         data += 3 * (size_t)BLOCK_BYTES, size -= 3 * (size_t)BLOCK_BYTES) {
        uint64_t second = 0;
        uint64_t third = 0;
        for (size_t at = 0; at < BLOCK_BYTES; at += 8) {
            first = _mm_crc32_u64(first, load_word(data + at));
            second = _mm_crc32_u64(second, load_word(data + BLOCK_BYTES + at));
            third = _mm_crc32_u64(third, load_word(data + 2 * (size_t)BLOCK_BYTES + at));
        }
        first = advance(first, OVER_TWO_BLOCKS) ^ advance(second, OVER_ONE_BLOCK) ^ third;
    }
    for (; size >= 8; data += 8, size -= 8) {
        first = _mm_crc32_u64(first, load_word(data));
    }
    return crc_of_rest((uint32_t)first, data, size);
}

static crc_function *choose(void)
{
    __builtin_cpu_init();
    bool fast = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
    return fast ? crc_by_instruction : crc_by_tables;
}
#else
static crc_function *choose(void)
{
    return crc_by_tables;
}
#endif

static crc_function *crc_of_this_machine;

__attribute__((constructor)) static void prepare(void)
{
    fill_tables();
    crc_of_this_machine = choose();
}

uint32_t crc32c(uint32_t crc, const void *data, size_t size)
{
    return ~crc_of_this_machine(~crc, data, size);
}
