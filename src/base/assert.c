/*
 * What a failed assertion prints before the process ends. It never returns and never tries to go
 * on: a broken guarantee of our own code must not reach a disk or a peer.
 */
#include "base/base.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* ---- signals -------------------------------------------------------------------------------- */

static void write_words(const char *words)
{
    ssize_t written = write(STDERR_FILENO, words, strlen(words));
    (void)written; /* there is nobody else to tell */
}

/* Calls only what a signal's handler may. */
static void tell_signal(int number)
{
    char digits[] = {(char)('0' + number / 10), (char)('0' + number % 10), '\0'};
    write_words("raftbench: ended by signal ");
    write_words(number < 10 ? digits + 1 : digits);
    write_words("\n");
    if (replay[0] != '\0') {
        write_words("  replay: ");
        write_words(replay);
        write_words("\n");
    }
    (void)raise(number); /* as it would have ended: SA_RESETHAND has taken this handler away */
}

void ensure_tell_signals(void)
{
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    static char stack[1 << 15]; /* the other one may be full */
    const stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
    const struct sigaction action = {
        .sa_handler = tell_signal,
        .sa_flags = (int)(SA_RESETHAND | SA_ONSTACK),
    };
    struct sigaction now;
    stack_t present;
    if (sigaltstack(NULL, &present) == 0 && (present.ss_flags & SS_DISABLE) != 0) {
        (void)sigaltstack(&other, NULL);
    }
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (sigaction(numbers[i], NULL, &now) == 0 && now.sa_handler == SIG_DFL) {
            (void)sigaction(numbers[i], &action, NULL);
        }
    }
}
