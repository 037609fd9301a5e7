/*
 * Captures what a test prints: meanwhile standard output goes to a temporary file, for Lua, C and
 * child processes alike. One at a time. Standard error is left alone.
 */
#include "lua/module.h"

#include <stdio.h>
#include <unistd.h>

static FILE *kept;
static int own_output = -1; /* where standard output leads otherwise */

/* core.capture_begin() → true, or nil and why not */
static int capture_begin(lua_State *L)
{
    luaL_argcheck(L, kept == NULL, 1, "standard output is captured already");
    fflush(stdout);
    FILE *file = tmpfile();
    int own = file != NULL ? dup(STDOUT_FILENO) : -1;
    if (own < 0 || dup2(fileno(file), STDOUT_FILENO) < 0) {
        if (own >= 0) {
            close(own);
        }
        if (file != NULL) {
            fclose(file);
        }
        lua_pushnil(L);
        lua_pushliteral(L, "standard output cannot be captured");
        return 2;
    }
    kept = file;
    own_output = own;
    lua_pushboolean(L, 1);
    return 1;
}

/* core.capture_end(most) → what was written, at most so many bytes of it and the word that there
 * was more; nil: nothing was captured */
static int capture_end(lua_State *L)
{
    size_t most = (size_t)luaL_checkinteger(L, 1);
    if (kept == NULL) {
        return 0;
    }
    fflush(stdout);
    FILE *file = kept;
    kept = NULL;
    (void)dup2(own_output, STDOUT_FILENO);
    close(own_output);
    rewind(file);
    struct buffer text = {0};
    uint8_t block[4096];
    size_t count = 0;
    bool cut = false;
    while ((count = fread(block, 1, sizeof block, file)) > 0) {
        size_t room = cut ? 0 : most - text.size;
        buffer_append(&text, block, count < room ? count : room);
        cut = cut || count > room;
    }
    fclose(file);
    if (cut) {
        buffer_append_text(&text, "\n... (and more)\n");
    }
    lua_bytes_push(L, buffer_bytes(&text));
    buffer_free(&text);
    return 1;
}

const luaL_Reg lua_capture_functions[] = {
    {"capture_begin", capture_begin},
    {"capture_end", capture_end},
    {NULL, NULL},
};
