/* What raft.core exports. */
#include "lua/module.h"

#define VERSION "0.1.0"

/* core.set_replay(text): what a failed assertion prints as the way to replay */
static int set_replay(lua_State *L)
{
    ensure_set_replay(luaL_optstring(L, 1, NULL));
    return 0;
}

/* core.tell_signals(): a signal that ends this process for a fault of its code prints it, too */
static int tell_signals(lua_State *L)
{
    (void)L;
    ensure_tell_signals();
    return 0;
}

static const luaL_Reg functions[] = {
    {"cluster", lua_cluster_new},
    {"replica", lua_replica_new},
    {"checker", lua_checker_new},
    {"loop", lua_embed_loop_function},
    {"set_replay", set_replay},
    {"tell_signals", tell_signals},
    {"user_error", lua_user_error_function},
    {"own_files", lua_own_files},
    {"cores", lua_cores_new},
    {"stream", lua_stream_new},
    {"workload_kinds", lua_workload_kinds},
    {"record", lua_record_new},
    {NULL, NULL},
};

__attribute__((visibility("default"))) int luaopen_raft_core(lua_State *L);

int luaopen_raft_core(lua_State *L)
{
    lua_cluster_register(L);
    lua_event_register(L);
    lua_frame_register(L);
    lua_replica_register(L);
    lua_cores_register(L);
    lua_stream_register(L);
    lua_record_register(L);
    lua_checker_register(L);
    lua_history_register(L);
    lua_workload_register(L);
    lua_embed_loop_register(L);
    lua_newtable(L);
    luaL_setfuncs(L, functions, 0);
    luaL_setfuncs(L, lua_codec_functions, 0);
    luaL_setfuncs(L, lua_terminal_functions, 0);
    luaL_setfuncs(L, lua_event_functions, 0);
    luaL_setfuncs(L, lua_prompt_functions, 0);
    luaL_setfuncs(L, lua_child_functions, 0);
    luaL_setfuncs(L, lua_own_process_functions, 0);
    luaL_setfuncs(L, lua_linear_functions, 0);
    lua_cluster_functions(L);
    lua_log_reader_register(L);
    lua_workers_register(L);
    lua_bench_push(L);
    lua_setfield(L, -2, "bench");
    lua_pushliteral(L, VERSION);
    lua_setfield(L, -2, "version");
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "null");
    lua_pushinteger(L, (lua_Integer)LUA_NEVER);
    lua_setfield(L, -2, "never");
    lua_pushinteger(L, 1 << REQUEST_SLOT_BITS);
    lua_setfield(L, -2, "ticket_slots");
    return 1;
}
