/* What the files of line/ share. */
#ifndef RAFTBENCH_LINE_INTERNAL_H
#define RAFTBENCH_LINE_INTERNAL_H

#include "lua/line/line.h"

#include <histedit.h>
#include <stdbool.h>
#include <stddef.h>

#define LINE_EDITOR "raft.line.editor"

/* One terminal's editor, as Lua holds it. */
struct editor {
    EditLine *edit; /* NULL: closed */
    History *history;
    lua_State *L;  /* who reads; NULL: nobody */
    int waiter;    /* the stack index of the function that waits for input */
    int completer; /* and of the one that completes; 0: none */
    bool raised;   /* one of them raised; the error is on top of the stack */
    bool ended;    /* the waiter gave a reason, on top of the stack, why there is no input */
    char *prompt;
};

/* ---- editor.c */
/* NULL and errno's words on the stack where it cannot be made. */
bool editor_open(struct editor *editor);
void editor_close(struct editor *editor); /* twice is fine */
/* One line, without its end; NULL: the end of input, or `ended`, or `raised`. It is the editor's,
 * until the next. */
const char *editor_read(struct editor *editor, size_t *size);

/* ---- terminal.c */
/* Puts text (whole lines) above the line that is being edited, and draws that again. */
void terminal_print_above(struct editor *editor, const char *text, size_t size);
void terminal_watch_signals(void); /* the window's size, and coming back after a stop */
/* Draws the line again where one of these came since the last call. */
void terminal_refresh(struct editor *editor);

#endif
