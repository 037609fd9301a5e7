/*
 * Few notices for many of a kind: the sender decides how often something happens, not how many
 * notices there are.
 */
#include "world/world.h"

#define WINDOW_NS 1000000000LL
#define NOTICES_MAX 5 /* in one window */

bool notice_limit_allows(struct notice_limit *limit, int64_t now_ns, uint64_t *left_out)
{
    if (limit->allowed == 0 || now_ns - limit->since_ns >= WINDOW_NS) {
        limit->since_ns = now_ns;
        limit->allowed = 0;
    }
    if (limit->allowed == NOTICES_MAX) {
        limit->left_out++;
        return false;
    }
    limit->allowed++;
    *left_out = limit->left_out;
    limit->left_out = 0;
    return true;
}
