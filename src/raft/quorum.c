/*
 * quorum: the arithmetic of majorities, simple and joint. Pure functions of numbers.
 *
 * It knows no peers, terms or messages.
 */
#include "raft/internal.h"

uint32_t quorum_majority(uint32_t voters)
{
    return voters / 2 + 1;
}

static void sort_descending(uint64_t *values, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        uint64_t value = values[i];
        uint32_t at = i;
        for (; at > 0 && values[at - 1] < value; at--) {
            values[at] = values[at - 1];
        }
        values[at] = value;
    }
}

uint64_t quorum_agreed(uint64_t *values, uint32_t count)
{
    if (count == 0) {
        return UINT64_MAX;
    }
    sort_descending(values, count);
    return values[quorum_majority(count) - 1];
}

enum quorum_verdict quorum_judge(uint32_t voters, uint32_t granted, uint32_t rejected)
{
    ensure(granted + rejected <= voters);
    if (voters == 0 || granted >= quorum_majority(voters)) {
        return QUORUM_WON;
    }
    /* Lost once those who may still say yes are too few. */
    return voters - rejected < quorum_majority(voters) ? QUORUM_LOST : QUORUM_PENDING;
}

/* Joint consensus: separate majorities of both sets (paper, section 6). */
enum quorum_verdict quorum_judge_joint(enum quorum_verdict in_new, enum quorum_verdict in_old)
{
    if (in_new == QUORUM_LOST || in_old == QUORUM_LOST) {
        return QUORUM_LOST;
    }
    return in_new == QUORUM_WON && in_old == QUORUM_WON ? QUORUM_WON : QUORUM_PENDING;
}
