/*
 * The editor: libedit, which asks for one character at a time; each time Lua's function waits for
 * it. No Lua error crosses a frame of libedit: it is kept until the line has been given up.
 */
#include "lua/line/internal.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#define HISTORY_MOST 2000

static struct editor *editor_of(EditLine *edit)
{
    void *data = NULL;
    el_get(edit, EL_CLIENTDATA, &data);
    return data;
}

static char *prompt_of(EditLine *edit)
{
    return editor_of(edit)->prompt;
}

/* ---- input ---------------------------------------------------------------------------------- */

/* Waits by Lua's function. false: it raised or gave a reason, which is left on the stack. */
static bool wait_for_input(struct editor *editor)
{
    lua_State *L = editor->L;
    for (;;) {
        lua_pushvalue(L, editor->waiter);
        if (lua_pcall(L, 0, 2, 0) != 0) {
            editor->raised = true;
            return false;
        }
        if (lua_isnil(L, -2)) {
            lua_remove(L, -2);
            editor->ended = true;
            return false;
        }
        bool is_there = lua_toboolean(L, -2);
        lua_pop(L, 2);
        terminal_refresh(editor);
        if (is_there) {
            return true;
        }
    }
}

static int bytes_that_follow(unsigned char first)
{
    return first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : 0;
}

/* libedit's source of characters: 1 and a character, 0 at the end, -1 to give up. */
static int next_character(EditLine *edit, wchar_t *character)
{
    struct editor *editor = editor_of(edit);
    char bytes[8];
    int wanted = 1;
    for (int count = 0; count < wanted;) {
        if (count == 0 && !wait_for_input(editor)) {
            errno = 0;
            return -1;
        }
        ssize_t got = read(STDIN_FILENO, bytes + count, 1);
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) {
            continue;
        }
        if (got <= 0) {
            return (int)got;
        }
        if (count == 0) {
            wanted = 1 + bytes_that_follow((unsigned char)bytes[0]);
        }
        count++;
    }
    mbstate_t state = {0};
    size_t used = mbrtowc(character, bytes, (size_t)wanted, &state);
    if (used == (size_t)-1 || used == (size_t)-2) {
        *character = L'?'; /* no character of this encoding */
    }
    return 1;
}

/* ---- completion ----------------------------------------------------------------------------- */

/* The completer is called with what is before the cursor; it gives what to insert, and what to show
 * above the line (or nil). */
static unsigned char complete(EditLine *edit, int character)
{
    (void)character;
    struct editor *editor = editor_of(edit);
    lua_State *L = editor->L;
    if (editor->completer == 0) {
        return CC_ERROR;
    }
    const LineInfo *line = el_line(edit);
    lua_pushvalue(L, editor->completer);
    lua_pushlstring(L, line->buffer, (size_t)(line->cursor - line->buffer));
    if (lua_pcall(L, 1, 2, 0) != 0) {
        lua_pop(L, 1); /* a __index raised: there is nothing to complete */
        return CC_ERROR;
    }
    const char *insertion = lua_tostring(L, -2);
    size_t size = 0;
    const char *choices = lua_tolstring(L, -1, &size);
    unsigned char answer = CC_ERROR;
    if (choices != NULL) {
        terminal_print_above(editor, choices, size);
        answer = CC_REDISPLAY;
    }
    if (insertion != NULL && insertion[0] != '\0' && el_insertstr(edit, insertion) == 0) {
        answer = CC_REFRESH;
    }
    lua_pop(L, 2);
    return answer;
}

/* ---- life ----------------------------------------------------------------------------------- */

/* What is typed is UTF-8, also without a locale; only character types follow the locale. */
static void choose_encoding(void)
{
    setlocale(LC_CTYPE, "");
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0) {
        setlocale(LC_CTYPE, "C.UTF-8");
    }
}

static void bind_keys(EditLine *edit)
{
    static const char *const keys[][2] = {
        {"^I", "raft-complete"},           {"^R", "em-inc-search-prev"},
        {"\\e[3~", "ed-delete-next-char"}, {"\\e[H", "ed-move-to-beg"},
        {"\\e[F", "ed-move-to-end"},       {"\\e[1~", "ed-move-to-beg"},
        {"\\e[4~", "ed-move-to-end"},      {"\\eOH", "ed-move-to-beg"},
        {"\\eOF", "ed-move-to-end"},       {"\\e[1;5C", "em-next-word"},
        {"\\e[1;5D", "ed-prev-word"},      {"\\e[A", "ed-prev-history"},
        {"\\e[B", "ed-next-history"},      {"^W", "ed-delete-prev-word"},
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        el_set(edit, EL_BIND, keys[i][0], keys[i][1], NULL);
    }
}

bool editor_open(struct editor *editor)
{
    choose_encoding();
    editor->prompt = strdup("");
    editor->history = history_init();
    editor->edit = el_init("raftbench", stdin, stdout, stderr);
    if (editor->prompt == NULL || editor->history == NULL || editor->edit == NULL) {
        editor_close(editor);
        return false;
    }
    HistEvent event;
    history(editor->history, &event, H_SETSIZE, HISTORY_MOST);
    history(editor->history, &event, H_SETUNIQUE, 1);
    el_set(editor->edit, EL_CLIENTDATA, editor);
    el_set(editor->edit, EL_PROMPT, prompt_of);
    el_set(editor->edit, EL_EDITOR, "emacs");
    el_set(editor->edit, EL_SIGNAL, 0);
    el_set(editor->edit, EL_HIST, history, editor->history);
    el_set(editor->edit, EL_GETCFN, next_character);
    /* It keeps these; given as char, it would keep copies that it never frees. */
    el_wset(editor->edit, EL_ADDFN, L"raft-complete", L"Completes a name", complete);
    bind_keys(editor->edit);
    el_source(editor->edit, NULL); /* ~/.editrc: the user's own keys */
    terminal_watch_signals();
    return true;
}

void editor_close(struct editor *editor)
{
    if (editor->edit != NULL) {
        el_end(editor->edit);
        editor->edit = NULL;
    }
    if (editor->history != NULL) {
        history_end(editor->history);
        editor->history = NULL;
    }
    free(editor->prompt);
    editor->prompt = NULL;
}

const char *editor_read(struct editor *editor, size_t *size)
{
    int count = 0;
    editor->raised = false;
    editor->ended = false;
    const char *line = el_gets(editor->edit, &count);
    if (editor->raised || editor->ended || line == NULL || count <= 0) {
        return NULL;
    }
    size_t length = (size_t)count;
    while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r')) {
        length--;
    }
    *size = length;
    return line;
}
