/* The machine's clock, by which everything here is timed; never a world's clock. */
#include "bench/bench.h"

#include <time.h>

int64_t bench_now_ns(void)
{
    struct timespec now;
    int failed = clock_gettime(CLOCK_MONOTONIC, &now);
    ensure(failed == 0);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}
