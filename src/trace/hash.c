/*
 * The trace's hash: over all fields of all events, in order. Names count by their codes where they
 * have one, texts, values and entries by their content. It never sees padding, pointers or an
 * event's number, which depends on what was emitted before the hash was kept.
 */
#include "trace/internal.h"

#include <string.h>

/* Two words at the place `a_salt`, `b_salt`: the high and low half of their product. Products of
 * different pairs do not wait for each other, so that an event costs little more than its slowest
 * load; each place has its own odd constants, so that the same number elsewhere counts otherwise.
 */
static inline uint64_t pair(uint64_t a, uint64_t a_salt, uint64_t b, uint64_t b_salt)
{
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)(a ^ a_salt) * (wide)(b ^ b_salt);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Of an event's numbers, in their order, but for the last two. */
#define PAIRED (TRACE_NUMBERS - 2)
static const uint64_t salts[] = {
    0xf2a74de452e6b439ULL, 0x6513270e269e0d37ULL, 0x0c5c7fd0a6a3a451ULL, 0xd23f0824128b2f33ULL,
    0x9531985d5d9dc9f9ULL, 0xe8e25d940ed90475ULL, 0x36f675cc81e74ef5ULL, 0x6b0d549b6f03675bULL,
    0x3d9c172411e20b8fULL, 0x8d116ece1738f7d9ULL, 0x0f21ddb66cad4a27ULL, 0x90c192cfd3ac94afULL,
    0xf28c105d1fb17c23ULL, 0xa170b33839263059ULL, 0x8bb84b93962eacc9ULL, 0x4b33a62ed433d4a3ULL,
};
_Static_assert(sizeof salts == PAIRED * sizeof *salts, "each of these numbers has a constant");

static uint64_t numbers_hash(const struct trace_event *event)
{
    const uint64_t *numbers = trace_numbers(event);
    uint64_t small = (uint64_t)event->entry_count | (uint64_t)event->kind << 32 |
                     (uint64_t)event->what << 40 | (uint64_t)event->role << 48 |
                     (uint64_t)event->message_kind << 54 | (uint64_t)event->reject << 62 |
                     (uint64_t)event->flag << 63;
    uint64_t hash = pair(event->vote, 0x953f48f1a09f76b5ULL, small, 0x0fd630f1f29d0da9ULL);
    for (size_t i = 0; i < PAIRED; i += 2) {
        hash ^= pair(numbers[i], salts[i], numbers[i + 1], salts[i + 1]);
    }
    return hash;
}

static uint64_t entries_hash(const struct trace_event *event)
{
    uint64_t hash = event->entry_count;
    for (uint32_t i = 0; i < event->entry_count; i++) {
        const struct trace_entry *entry = &event->entries[i];
        hash = hash_mix(
            hash, pair(entry->term, 0x95e60af593bd04cfULL, entry->hash, 0x0cb1e29c658cda15ULL));
    }
    return hash;
}

/* Most events have no contents: apart, so that their hash needs no registers for calls. */
static bool has_contents(const struct trace_event *event)
{
    return event->entries != NULL ||
           (event->text.size | event->value.size | event->configurations.size) != 0 ||
           event->state_hash != 0 || (event->message_kind == 0 && event->message_name != NULL);
}

static __attribute__((noinline)) uint64_t contents_hash(uint64_t hash,
                                                        const struct trace_event *event)
{
    if (event->entries != NULL) {
        hash = hash_mix(hash ^ 0x3898d190f9ebdacdULL, entries_hash(event));
    }
    if (event->message_kind == 0 && event->message_name != NULL) { /* a frame's name has no code */
        hash = hash_mix(hash, hash_bytes(event->message_name, strlen(event->message_name), 3));
    }
    if (event->state_hash != 0) {
        hash = hash_mix(hash, event->state_hash);
    }
    if (event->text.size > 0) {
        hash = hash_mix(hash, hash_bytes(event->text.data, event->text.size, 1));
    }
    if (event->value.size > 0) {
        hash = hash_mix(hash, hash_bytes(event->value.data, event->value.size, 2));
    }
    if (event->configurations.size > 0) {
        hash =
            hash_mix(hash, hash_bytes(event->configurations.data, event->configurations.size, 4));
    }
    return hash;
}

void trace_hash_read(void *context, const struct trace_event *event)
{
    struct trace *trace = context;
    uint64_t hash = hash_mix(trace->hash, numbers_hash(event));
    trace->hash = has_contents(event) ? contents_hash(hash, event) : hash;
    if (++trace->hashed % TRACE_MARK_EVENTS == 0) {
        *array_push(&trace->marks) = trace->hash;
    }
}
