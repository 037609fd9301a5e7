/* The module raft.line: the editor's userdata and its methods. It never edits by itself. */
#include "lua/line/internal.h"

#include <stdlib.h>
#include <string.h>

static struct editor *editor_check(lua_State *L)
{
    struct editor *editor = luaL_checkudata(L, 1, LINE_EDITOR);
    if (editor->edit == NULL) {
        luaL_error(L, "attempt to use a closed editor");
    }
    return editor;
}

/* editor:read(prompt, wait [, complete]) → line; nil: the end of input; nil, reason.
 * wait() → true: there is input; false: look at the terminal and wait again; nil, reason: give up.
 * complete(before) → what to insert, what to show above the line. */
static int line_read(lua_State *L)
{
    struct editor *editor = editor_check(L);
    const char *prompt = luaL_checkstring(L, 2);
    luaL_checktype(L, 3, LUA_TFUNCTION);
    if (!lua_isnoneornil(L, 4)) {
        luaL_checktype(L, 4, LUA_TFUNCTION);
    }
    lua_settop(L, 4);
    luaL_checkstack(L, 20, "no room to read a line");
    if (editor->L != NULL) {
        return luaL_error(L, "a line is being read already");
    }
    char *copy = strdup(prompt);
    if (copy == NULL) {
        return luaL_error(L, "not enough memory");
    }
    free(editor->prompt);
    editor->prompt = copy;
    editor->L = L;
    editor->waiter = 3;
    editor->completer = lua_isnil(L, 4) ? 0 : 4;
    size_t size = 0;
    const char *line = editor_read(editor, &size);
    editor->L = NULL;
    if (editor->raised) {
        return lua_error(L);
    }
    if (line != NULL) {
        lua_pushlstring(L, line, size);
        return 1;
    }
    lua_pushnil(L);
    if (!editor->ended) {
        return 1;
    }
    lua_insert(L, -2);
    return 2;
}

/* editor:print(text): above the line that is being edited; false where none is */
static int line_print(lua_State *L)
{
    struct editor *editor = editor_check(L);
    size_t size = 0;
    const char *text = luaL_checklstring(L, 2, &size);
    if (editor->L != NULL) {
        terminal_print_above(editor, text, size);
    }
    lua_pushboolean(L, editor->L != NULL);
    return 1;
}

/* editor:remember(line): in the history */
static int line_remember(lua_State *L)
{
    struct editor *editor = editor_check(L);
    HistEvent event;
    history(editor->history, &event, H_ENTER, luaL_checkstring(L, 2));
    return 0;
}

static int line_close(lua_State *L)
{
    struct editor *editor = luaL_checkudata(L, 1, LINE_EDITOR);
    if (editor->L != NULL) {
        return luaL_error(L, "a line is being read");
    }
    editor_close(editor);
    return 0;
}

/* line.open() → editor, or nil, message */
static int line_open(lua_State *L)
{
    struct editor *editor = lua_newuserdata(L, sizeof *editor);
    memset(editor, 0, sizeof *editor);
    luaL_getmetatable(L, LINE_EDITOR);
    lua_setmetatable(L, -2);
    if (!editor_open(editor)) {
        lua_pushnil(L);
        lua_pushliteral(L, "this terminal cannot be used for line editing");
        return 2;
    }
    return 1;
}

static const luaL_Reg methods[] = {
    {"read", line_read},   {"print", line_print}, {"remember", line_remember},
    {"close", line_close}, {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"open", line_open},
    {NULL, NULL},
};

int luaopen_raft_line(lua_State *L)
{
    luaL_newmetatable(L, LINE_EDITOR);
    lua_pushcfunction(L, line_close);
    lua_setfield(L, -2, "__gc");
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_newtable(L);
    luaL_setfuncs(L, functions, 0);
    return 1;
}
