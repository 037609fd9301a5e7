/*
 * What a failed assertion prints before the process ends. It never returns and never tries to go
 * on: a broken guarantee of our own code must not reach a disk or a peer.
 */
#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char replay[512];

_Noreturn void ensure_failed(const char *condition, const char *file, int line,
                             const char *function)
{
    fflush(NULL); /* what traces and reports hold is what explains the failure */
    fprintf(stderr, "raftbench: assertion failed: %s\n  at %s:%d in %s\n", condition, file, line,
            function);
    if (replay[0] != '\0') {
        fprintf(stderr, "  replay: %s\n", replay);
    }
    fflush(stderr);
    abort();
}

void ensure_set_replay(const char *text)
{
    size_t size = text == NULL ? 0 : strnlen(text, sizeof replay - 1);
    if (size > 0) {
        memcpy(replay, text, size);
    }
    replay[size] = '\0';
}
