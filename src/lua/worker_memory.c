/*
 * The memory of Lua in a worker: small pieces by size, used again, cut from one range of addresses,
 * so that they are told from what its parent had allocated before. The general allocator would find
 * each among pieces of all sizes that the collector has freed, one cache miss after the other.
 *
 * It gives nothing back before the process ends, which it does without closing its Lua. Under a
 * sanitizer it does nothing, so that every use after the end is seen.
 */
#include "lua/module.h"

#include <string.h>
#include <sys/mman.h>

#define STEP_BYTES 16U
#define PIECE_BYTES_MAX 1024U
#define SIZES (PIECE_BYTES_MAX / STEP_BYTES)
#define RANGE_BYTES (UINT64_C(4) << 30) /* of addresses; memory is there once it is used */

struct piece {
    struct piece *next;
};

struct memory {
    struct piece *unused[SIZES]; /* by size, the last given back first */
    uint8_t *start;
    uint8_t *uncut;
    uint8_t *end;
    lua_Alloc other; /* for what is larger, and what was there before */
    void *other_context;
};

static bool is_ours(const struct memory *memory, const void *piece)
{
    const uint8_t *at = piece;
    return at >= memory->start && at < memory->end;
}

static size_t place_of(size_t size)
{
    return (size - 1) / STEP_BYTES;
}

static void *take(struct memory *memory, size_t size)
{
    size_t place = place_of(size);
    size_t whole = (place + 1) * STEP_BYTES;
    struct piece *piece = memory->unused[place];
    if (piece != NULL) {
        memory->unused[place] = piece->next;
        return piece;
    }
    if ((size_t)(memory->end - memory->uncut) < whole) {
        return memory->other(memory->other_context, NULL, 0, size);
    }
    void *cut = memory->uncut;
    memory->uncut += whole;
    return cut;
}

static void give(struct memory *memory, void *block, size_t size)
{
    struct piece *piece = block;
    size_t place = place_of(size);
    piece->next = memory->unused[place];
    memory->unused[place] = piece;
}

/* One of ours gets another size. */
static void *move(struct memory *memory, void *block, size_t before, size_t size)
{
    bool stays_small = size <= PIECE_BYTES_MAX;
    if (stays_small && place_of(size) == place_of(before)) {
        return block;
    }
    void *moved =
        stays_small ? take(memory, size) : memory->other(memory->other_context, NULL, 0, size);
    if (moved == NULL) {
        return size < before ? block : NULL; /* Lua expects that nothing fails to shrink */
    }
    memcpy(moved, block, before < size ? before : size);
    give(memory, block, before);
    return moved;
}

static void *allocate(void *context, void *block, size_t before, size_t size)
{
    struct memory *memory = context;
    if (block == NULL && size > 0 && size <= PIECE_BYTES_MAX) {
        return take(memory, size);
    }
    if (block == NULL || !is_ours(memory, block)) {
        return memory->other(memory->other_context, block, before, size);
    }
    if (size == 0) {
        give(memory, block, before);
        return NULL;
    }
    return move(memory, block, before, size);
}

void lua_worker_memory_use(lua_State *L)
{
    void *range = MAP_FAILED;
    /* LuaJIT's objects may lie only where its own allocator puts them. */
    if (LUA_VERSION_NUM >= 503 && !pool_passes_on()) {
        range = mmap(NULL, RANGE_BYTES, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    }
    if (range == MAP_FAILED) { /* where addresses are limited, too: all is as before */
        return;
    }
    struct memory *memory = memory_new_zeroed(1, sizeof *memory);
    memory->start = memory->uncut = range;
    memory->end = memory->start + RANGE_BYTES;
    memory->other = lua_getallocf(L, &memory->other_context);
    lua_setallocf(L, allocate, memory);
}
