/*
 * line: line editing at a terminal for Lua, as the module raft.line over libedit. line.c (the
 * module), editor.c (the editor and what it asks Lua for), terminal.c (what is drawn around the
 * line).
 *
 * It knows nothing of Raft: a Lua function waits for input, and lets the world go on
 * meanwhile. It never runs what was typed.
 */
#ifndef RAFTBENCH_LINE_H
#define RAFTBENCH_LINE_H

#include <lauxlib.h>
#include <lua.h>

/* Opens the module raft.line: { open }. */
__attribute__((visibility("default"))) int luaopen_raft_line(lua_State *L);

#endif
