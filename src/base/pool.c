/*
 * Small pieces of memory by size, cut from blocks and used again. A log keeps a piece for each
 * command: among those of the general allocator they would lie between whatever else the process
 * (Lua's collector, most of all) frees in between, which then has to be looked for piece by piece.
 *
 * It is used on the thread of one loop only. It never gives a block back before its end, and under
 * a sanitizer it passes each piece on, so that every use after the end is seen.
 */
#include "base/base.h"

#define STEP_BYTES 16U
#define SIZES (POOL_PIECE_BYTES_MAX / STEP_BYTES)
#define BLOCK_BYTES (64U << 10)

#if defined(__SANITIZE_ADDRESS__)
#define PASSES_ON true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PASSES_ON true
#endif
#endif
#ifndef PASSES_ON
#ifdef RAFTBENCH_POOL_PASSES_ON /* for valgrind, which is not there when this is compiled */
#define PASSES_ON true
#else
#define PASSES_ON false
#endif
#endif

struct piece {
    struct piece *next;
};

struct block {
    struct block *next;
    _Alignas(STEP_BYTES) uint8_t bytes[];
};

struct pool {
    struct piece *unused[SIZES]; /* by size, the last given back first */
    struct block *blocks;        /* the one that is being cut first */
    size_t uncut_bytes;
    size_t taken; /* pieces that were not given back */
    bool ended;
};

bool pool_passes_on(void)
{
    return PASSES_ON;
}

struct pool *pool_new(void)
{
    return memory_new_zeroed(1, sizeof(struct pool));
}

static void destroy(struct pool *pool)
{
    while (pool->blocks != NULL) {
        struct block *block = pool->blocks;
        pool->blocks = block->next;
        memory_free(block);
    }
    memory_free(pool);
}

void pool_end(struct pool *pool)
{
    ensure(!pool->ended);
    pool->ended = true;
    if (pool->taken == 0) {
        destroy(pool);
    }
}

/* What is left of the last block is given up: it is less than the largest piece. */
static void *cut(struct pool *pool, size_t size)
{
    if (pool->uncut_bytes < size) {
        struct block *block = memory_new(sizeof *block + BLOCK_BYTES);
        block->next = pool->blocks;
        pool->blocks = block;
        pool->uncut_bytes = BLOCK_BYTES;
    }
    uint8_t *at = pool->blocks->bytes + (BLOCK_BYTES - pool->uncut_bytes);
    pool->uncut_bytes -= size;
    return at;
}

void *pool_take(struct pool *pool, size_t size)
{
    ensure(size > 0 && size <= POOL_PIECE_BYTES_MAX && !pool->ended);
    pool->taken++;
    if (PASSES_ON) {
        return memory_new(size);
    }
    size_t place = (size - 1) / STEP_BYTES;
    struct piece *piece = pool->unused[place];
    if (piece == NULL) {
        return cut(pool, (place + 1) * STEP_BYTES);
    }
    pool->unused[place] = piece->next;
    return piece;
}

void pool_give(struct pool *pool, void *memory, size_t size)
{
    ensure(size > 0 && size <= POOL_PIECE_BYTES_MAX && pool->taken > 0);
    pool->taken--;
    if (PASSES_ON) {
        memory_free(memory);
    } else {
        size_t place = (size - 1) / STEP_BYTES;
        struct piece *piece = memory;
        piece->next = pool->unused[place];
        pool->unused[place] = piece;
    }
    if (pool->ended && pool->taken == 0) {
        destroy(pool);
    }
}
