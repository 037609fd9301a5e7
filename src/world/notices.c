/*
 * Few notices for many of a kind: who comes in by a port decides how often something is told.
 */
#include "world/world.h"

#define WINDOW_NS 1000000000LL
#define TOLD_MAX 5 /* in one window */

bool notice_limit_lets(struct notice_limit *limit, int64_t now_ns, uint64_t *untold)
{
    if (limit->told == 0 || now_ns - limit->since_ns >= WINDOW_NS) {
        limit->since_ns = now_ns;
        limit->told = 0;
    }
    if (limit->told == TOLD_MAX) {
        limit->untold++;
        return false;
    }
    limit->told++;
    *untold = limit->untold;
    limit->untold = 0;
    return true;
}
