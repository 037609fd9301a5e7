/*
 * The side of a process that is one node of a cluster (process/): where the interpreter that was
 * started for it hands over, and the node's machine, which a Lua module gives. It never returns to
 * Lua while the node lives.
 */
#include "lua/module.h"

#include "process/process.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* At stack index 1: make(id, module) → a machine's object, or nil for "kv". At index 2: the objects
 * by machine. */
struct child {
    lua_State *L;
};

static lua_State *state(void *self)
{
    return ((struct child *)self)->L;
}

static void push_machines(void *self, lua_State *L)
{
    (void)self;
    lua_pushvalue(L, 2);
}

static bool call(void *self, int arguments, int results)
{
    return lua_protected_call(((struct child *)self)->L, arguments, results);
}

/* The node fails with the first line of it; the rest goes where the user looks. */
static void raised(void *self, uint64_t id, const char *name)
{
    lua_State *L = ((struct child *)self)->L;
    (void)id;
    (void)name;
    if (lua_type(L, -1) == LUA_TSTRING) {
        (void)fprintf(stderr, "%s\n", lua_tostring(L, -1));
    }
    lua_pop(L, 1);
}

static const struct lua_caller child_caller = {
    .state = state,
    .push_machines = push_machines,
    .call = call,
    .raised = raised,
};

static struct machine *make_machine(void *context, uint64_t id, const char *module,
                                    struct failure *failure)
{
    struct child *child = context;
    lua_State *L = child->L;
    if (strcmp(module, "kv") == 0) {
        return machine_new(&kv_operations, kv_new());
    }
    lua_pushvalue(L, 1);
    lua_pushinteger(L, (lua_Integer)id);
    lua_pushstring(L, module);
    if (!lua_protected_call(L, 2, 1)) {
        char text[160];
        lua_error_text(L, text, sizeof text);
        lua_pop(L, 1);
        failure_set(failure, FAILURE_UNSUPPORTED, "the machine of node %llu cannot be made: %s",
                    (unsigned long long)id, text);
        return NULL;
    }
    return lua_machine_adopt(&child_caller, child, id, failure);
}

/* core.serve_process(make) → exit status: this process is one node of a cluster until that ends */
static int serve_process(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_newtable(L);
    (void)setvbuf(stdout, NULL, _IOLBF, 0); /* a kill takes what is not written */
    struct child child = {.L = L};
    struct process_serve_options options = {
        .descriptor = PROCESS_DESCRIPTOR,
        .make_machine = make_machine,
        .context = &child,
    };
    lua_pushinteger(L, process_serve(&options));
    return 1;
}

/* core.interpreter() → the path of the program that runs this; nil, message */
static int interpreter(lua_State *L)
{
    char path[1024];
    ssize_t size = readlink("/proc/self/exe", path, sizeof path);
    if (size <= 0 || (size_t)size == sizeof path) {
        lua_pushnil(L);
        lua_pushstring(L, strerror(size < 0 ? errno : ENAMETOOLONG));
        return 2;
    }
    lua_pushlstring(L, path, (size_t)size);
    return 1;
}

const luaL_Reg lua_child_functions[] = {
    {"serve_process", serve_process},
    {"interpreter", interpreter},
    {NULL, NULL},
};
