/*
 * The clocks of nodes: each runs at a rate of its own beside the world's clock, and jumps. All in
 * whole nanoseconds and billionths, so that every machine computes the same. It never reads a real
 * clock, and a node's clock never goes back.
 */
#include "world/world.h"

#define RATE_AS_WORLD_PPB 1000000000LL

__extension__ typedef __int128 wide;

/* From which world time the clock runs on from its local base. */
static int64_t clock_start_ns(const struct node_clock *clock)
{
    return clock->stands_until_ns > clock->world_base_ns ? clock->stands_until_ns
                                                         : clock->world_base_ns;
}

static int64_t saturate(wide value)
{
    return value >= (wide)WORLD_NEVER ? WORLD_NEVER : (int64_t)value;
}

/* How far a clock of this rate goes in so much of the world's time, rounded down. */
static int64_t local_from_world(int64_t world_ns, int64_t rate_ppb)
{
    if (rate_ppb == RATE_AS_WORLD_PPB) { /* nearly always: the division costs what a message does */
        return world_ns;
    }
    return saturate((wide)world_ns * rate_ppb / RATE_AS_WORLD_PPB);
}

/* The least world time in which a clock of this rate goes that far; rounding it up makes it the
 * inverse of local_from_world. */
static int64_t world_from_local(int64_t local_ns, int64_t rate_ppb)
{
    if (rate_ppb == RATE_AS_WORLD_PPB) {
        return local_ns;
    }
    return saturate(((wide)local_ns * RATE_AS_WORLD_PPB + rate_ppb - 1) / rate_ppb);
}

/* b >= 0 */
static int64_t add_saturated(int64_t a, int64_t b)
{
    int64_t sum = 0;
    return __builtin_add_overflow(a, b, &sum) ? WORLD_NEVER : sum;
}

void node_clock_init(struct node_clock *clock, int64_t world_now_ns)
{
    *clock = (struct node_clock){
        .world_base_ns = world_now_ns,
        .local_base_ns = world_now_ns,
        .rate_ppb = RATE_AS_WORLD_PPB,
    };
}

int64_t node_clock_now(const struct node_clock *clock, int64_t world_now_ns)
{
    int64_t start_ns = clock_start_ns(clock);

    ensure(world_now_ns >= clock->world_base_ns);
    if (world_now_ns <= start_ns) {
        return clock->local_base_ns;
    }
    return add_saturated(clock->local_base_ns,
                         local_from_world(world_now_ns - start_ns, clock->rate_ppb));
}

int64_t node_clock_when(const struct node_clock *clock, int64_t local_ns)
{
    if (local_ns == WORLD_NEVER) {
        return WORLD_NEVER;
    }
    if (local_ns <= clock->local_base_ns) {
        return clock->world_base_ns;
    }
    return add_saturated(clock_start_ns(clock),
                         world_from_local(local_ns - clock->local_base_ns, clock->rate_ppb));
}

void node_clock_set(struct node_clock *clock, int64_t world_now_ns, int64_t rate_ppb,
                    int64_t offset_ns)
{
    int64_t local_ns = node_clock_now(clock, world_now_ns);
    int64_t start_ns = clock_start_ns(clock);
    /* How far the clock is ahead of where it should be, from an earlier negative offset that is not
     * made up yet; a jump forward makes up for that first. */
    int64_t ahead_ns =
        start_ns > world_now_ns ? local_from_world(start_ns - world_now_ns, clock->rate_ppb) : 0;

    ensure(rate_ppb > 0);
    ensure(offset_ns > INT64_MIN / 4 && offset_ns < INT64_MAX / 4);
    ahead_ns -= offset_ns;
    *clock = (struct node_clock){
        .world_base_ns = world_now_ns,
        .local_base_ns = local_ns,
        .rate_ppb = rate_ppb,
    };
    if (ahead_ns < 0) {
        clock->local_base_ns = add_saturated(local_ns, -ahead_ns);
    } else if (ahead_ns > 0) {
        clock->stands_until_ns = add_saturated(world_now_ns, world_from_local(ahead_ns, rate_ppb));
    }
}
