/* What is drawn around the line that is being edited. It never changes that line. */
#define _GNU_SOURCE /* for wcwidth. NOLINT(bugprone-reserved-identifier) */

#include "lua/line/internal.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

/* A signal handler can reach nothing but what is static. */
static volatile sig_atomic_t was_disturbed;

static void on_disturbance(int number)
{
    (void)number;
    was_disturbed = 1;
}

void terminal_watch_signals(void)
{
    struct sigaction action = {.sa_handler = on_disturbance, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGWINCH, &action, NULL);
    sigaction(SIGCONT, &action, NULL);
}

void terminal_refresh(struct editor *editor)
{
    if (!was_disturbed) {
        return;
    }
    was_disturbed = 0;
    el_resize(editor->edit);
    el_set(editor->edit, EL_PREP_TERM, 1);
    putc('\r', stdout);
    el_set(editor->edit, EL_REFRESH);
}

static size_t columns_of_terminal(void)
{
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

static size_t width_of(wchar_t character)
{
    int width = wcwidth(character);
    return width < 0 ? 2 : (size_t)width; /* libedit shows a control character as ^X */
}

/* How many rows the cursor is below the prompt's. */
static size_t rows_below_prompt(struct editor *editor)
{
    const LineInfoW *line = el_wline(editor->edit);
    size_t column = strlen(editor->prompt);
    for (const wchar_t *at = line->buffer; at < line->cursor; at++) {
        column += width_of(*at);
    }
    return column / columns_of_terminal();
}

void terminal_print_above(struct editor *editor, const char *text, size_t size)
{
    for (size_t row = rows_below_prompt(editor); row > 0; row--) {
        fputs("\033[A", stdout);
    }
    fputs("\r\033[J", stdout);
    fwrite(text, 1, size, stdout);
    if (size > 0 && text[size - 1] != '\n') {
        putc('\n', stdout);
    }
    el_set(editor->edit, EL_REFRESH);
    fflush(stdout);
}
