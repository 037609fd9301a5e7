/*
 * State machines written in Lua: an object { apply, query } made afresh by the script's function at
 * each start. What apply raises fails the node, and is raised by the call that drives the world.
 */
#include "lua/module.h"

struct lua_machine {
    struct lua_cluster *box;
    uint64_t id;
};

/* Pushes the machine's function; false: it has none. */
static bool push_function(struct lua_machine *machine, const char *name)
{
    lua_State *L = machine->box->L;
    if (machine->box->silent || L == NULL || !lua_checkstack(L, 16)) {
        return false;
    }
    lua_cluster_table(L, "machines");
    lua_rawgetp(L, -1, machine);
    lua_remove(L, -2);
    if (!lua_istable(L, -1)) {
        lua_pop(L, 1);
        return false;
    }
    lua_getfield(L, -1, name);
    lua_remove(L, -2);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return false;
    }
    return true;
}

/* Takes the one result on top of the stack. */
static bool take_result(struct lua_machine *machine, const char *name, struct buffer *out,
                        struct failure *failure)
{
    lua_State *L = machine->box->L;
    bool taken = lua_isnil(L, -1) || lua_value_write(L, lua_gettop(L), out);
    if (!taken) {
        failure_set(failure, FAILURE_UNSUPPORTED, "the machine's %s on node %llu gave no value: %s",
                    name, (unsigned long long)machine->id, lua_tostring(L, -1));
        lua_pushstring(L, failure->message);
        lua_keep_error(machine->box);
    }
    return taken;
}

static void raised(const struct lua_machine *machine, const char *name, struct failure *failure)
{
    char text[160];
    lua_kept_error_text(machine->box, text, sizeof text);
    failure_set(failure, FAILURE_UNSUPPORTED, "the machine's %s on node %llu raised an error: %s",
                name, (unsigned long long)machine->id, text);
}

static bool machine_apply_lua(void *self, uint64_t index, struct bytes command,
                              struct buffer *result, struct failure *failure)
{
    struct lua_machine *machine = self;
    if (!push_function(machine, "apply")) {
        failure_set(failure, FAILURE_UNSUPPORTED, "the machine of node %llu has no apply",
                    (unsigned long long)machine->id);
        return false;
    }
    lua_State *L = machine->box->L;
    int top = lua_gettop(L) - 1;
    lua_value_push(L, command);
    lua_pushinteger(L, (lua_Integer)index);
    bool worked = lua_callback(machine->box, 2, 1);
    if (worked) {
        worked = take_result(machine, "apply", result, failure);
    } else {
        raised(machine, "apply", failure);
    }
    lua_settop(L, top);
    return worked;
}

static bool machine_query_lua(void *self, struct bytes request, struct buffer *answer,
                              struct failure *failure)
{
    struct lua_machine *machine = self;
    if (!push_function(machine, "query")) {
        failure_set(failure, FAILURE_UNSUPPORTED, "the machine of node %llu has no query",
                    (unsigned long long)machine->id);
        return false;
    }
    lua_State *L = machine->box->L;
    int top = lua_gettop(L) - 1;
    lua_value_push(L, request);
    bool worked = lua_callback(machine->box, 1, 1);
    if (worked) {
        worked = take_result(machine, "query", answer, failure);
    } else {
        raised(machine, "query", failure);
    }
    lua_settop(L, top);
    return worked;
}

static void machine_free_lua(void *self)
{
    struct lua_machine *machine = self;
    lua_State *L = machine->box->L;
    if (!machine->box->silent && L != NULL && lua_checkstack(L, 16)) {
        lua_cluster_table(L, "machines");
        lua_pushnil(L);
        lua_rawsetp(L, -2, machine);
        lua_pop(L, 1);
    }
    memory_free(machine);
}

static const struct machine_operations lua_machine_operations = {
    .apply = machine_apply_lua,
    .query = machine_query_lua,
    .free = machine_free_lua,
};

struct machine *lua_machine_make(void *context, uint64_t id, struct failure *failure)
{
    struct lua_cluster *box = context;
    lua_State *L = box->L;
    if (box->silent || !lua_checkstack(L, 16)) {
        failure_set(failure, FAILURE_CLOSED, "the cluster is closing");
        return NULL;
    }
    int top = lua_gettop(L);
    lua_getiuservalue(L, 1, 1);
    lua_getfield(L, -1, "make_machine");
    lua_pushinteger(L, (lua_Integer)id);
    bool made = lua_callback(box, 1, 1);
    if (!made || !lua_istable(L, -1)) {
        failure_set(failure, FAILURE_UNSUPPORTED, "the machine of node %llu cannot be made: %s",
                    (unsigned long long)id,
                    made ? "the function must return a table with apply" : "the function raised");
        lua_settop(L, top);
        return NULL;
    }
    struct lua_machine *self = memory_new(sizeof *self);
    self->box = box;
    self->id = id;
    lua_cluster_table(L, "machines");
    lua_pushvalue(L, -2);
    lua_rawsetp(L, -2, self); /* for its calls */
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, (lua_Integer)id); /* for c:machine(id) */
    lua_settop(L, top);
    return machine_new(&lua_machine_operations, self);
}
