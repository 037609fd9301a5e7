/*
 * State machines written in Lua: an object { apply, query, snapshot, restore, digest }, all but
 * apply optional. What they raise fails the node, but for query.
 */
#include "lua/machine.h"

lua_State *lua_machine_state(const struct lua_machine *machine)
{
    lua_State *L = machine->caller->state(machine->self);
    return L != NULL && lua_checkstack(L, 16) ? L : NULL;
}

static int get_field(lua_State *L)
{
    lua_gettable(L, 1);
    return 1;
}

/* Replaces the object on top of the stack by its field; false: by the error that was raised. */
static bool to_field(const struct lua_machine *machine, lua_State *L, const char *name)
{
    lua_pushstring(L, name);
    lua_rawget(L, -2);
    if (lua_isnil(L, -1) && lua_getmetatable(L, -2)) {
        /* What a metatable holds may raise, and the world is below. */
        lua_pop(L, 2);
        lua_pushcfunction(L, get_field);
        lua_insert(L, -2);
        lua_pushstring(L, name);
        return machine->caller->call(machine->self, 2, 1);
    }
    lua_remove(L, -2);
    return true;
}

lua_State *lua_machine_function(struct lua_machine *machine, const char *name,
                                struct failure *failure)
{
    unsigned long long id = machine->id;
    lua_State *L = lua_machine_state(machine);
    if (L != NULL) {
        machine->caller->push_machines(machine->self, L);
        lua_rawgetp(L, -1, machine);
        lua_remove(L, -2);
        if (lua_istable(L, -1) && !to_field(machine, L, name)) {
            char text[160];
            lua_error_text(L, text, sizeof text);
            machine->caller->raised(machine->self, machine->id, name);
            failure_set(failure, FAILURE_UNSUPPORTED,
                        "asking the machine of node %llu for its %s raised an error: %s", id, name,
                        text);
            return NULL;
        }
        if (!lua_isnil(L, -1)) {
            return L;
        }
        lua_pop(L, 1);
    }
    failure_set(failure, FAILURE_UNSUPPORTED, "the machine of node %llu has no %s", id, name);
    return NULL;
}

bool lua_machine_has(const struct lua_machine *machine, const char *name)
{
    lua_State *L = lua_machine_state(machine);
    if (L == NULL) {
        return false;
    }
    machine->caller->push_machines(machine->self, L);
    lua_rawgetp(L, -1, machine);
    lua_remove(L, -2);
    bool has = lua_istable(L, -1) && to_field(machine, L, name) && !lua_isnil(L, -1);
    lua_pop(L, 1);
    return has;
}

void lua_machine_raised(struct lua_machine *machine, lua_State *L, const char *name,
                        struct failure *failure)
{
    unsigned long long id = machine->id;
    char text[160];
    lua_error_text(L, text, sizeof text);
    machine->caller->raised(machine->self, machine->id, name);
    failure_set(failure, FAILURE_UNSUPPORTED, "the machine's %s on node %llu raised an error: %s",
                name, id, text);
}

bool lua_machine_call(struct lua_machine *machine, lua_State *L, const char *name, int arguments,
                      int results, struct failure *failure)
{
    if (!machine->caller->call(machine->self, arguments, results)) {
        lua_machine_raised(machine, L, name, failure);
        return false;
    }
    return true;
}

/* Calls the function below `arguments` values on top, and takes its one result. */
static bool call(struct lua_machine *machine, lua_State *L, const char *name, int arguments,
                 struct buffer *out, struct failure *failure)
{
    if (!lua_machine_call(machine, L, name, arguments, 1, failure)) {
        return false;
    }
    if (lua_isnil(L, -1) || lua_value_write(L, lua_gettop(L), out) || lua_value_is_too_large(out)) {
        return true;
    }
    failure_set(failure, FAILURE_UNSUPPORTED, "the machine's %s on node %llu gave no value: %s",
                name, (unsigned long long)machine->id, lua_tostring(L, -1));
    lua_pushstring(L, failure->message);
    machine->caller->raised(machine->self, machine->id, name);
    return false;
}

static bool machine_apply_lua(void *self, uint64_t index, struct bytes command,
                              struct buffer *result, struct failure *failure)
{
    struct lua_machine *machine = self;
    lua_State *L = lua_machine_function(machine, "apply", failure);
    if (L == NULL) {
        return false;
    }
    int top = lua_gettop(L) - 1;
    lua_value_push(L, command);
    lua_pushinteger(L, (lua_Integer)index);
    bool worked = call(machine, L, "apply", 2, result, failure);
    lua_settop(L, top);
    return worked;
}

static bool machine_query_lua(void *self, struct bytes request, struct buffer *answer,
                              struct failure *failure)
{
    struct lua_machine *machine = self;
    lua_State *L = lua_machine_function(machine, "query", failure);
    if (L == NULL) {
        return false;
    }
    int top = lua_gettop(L) - 1;
    lua_value_push(L, request);
    bool worked = call(machine, L, "query", 1, answer, failure);
    lua_settop(L, top);
    return worked;
}

static void machine_free_lua(void *self)
{
    struct lua_machine *machine = self;
    lua_State *L = lua_machine_state(machine);
    lua_machine_snapshot_free(machine);
    if (L != NULL) {
        machine->caller->push_machines(machine->self, L);
        lua_pushnil(L);
        lua_rawsetp(L, -2, machine);
        lua_pop(L, 1);
    }
    memory_free(machine);
}

static const struct machine_operations every_operation = {
    .apply = machine_apply_lua,
    .query = machine_query_lua,
    .free = machine_free_lua,
    .snapshot_begin = lua_machine_snapshot_begin,
    .snapshot_next = lua_machine_snapshot_next,
    .snapshot_end = lua_machine_snapshot_end,
    .restore_begin = lua_machine_restore_begin,
    .restore_piece = lua_machine_restore_piece,
    .restore_end = lua_machine_restore_end,
    .digest = lua_machine_digest,
};

static void choose_operations(struct lua_machine *machine)
{
    machine->operations = every_operation;
    if (!lua_machine_has(machine, "snapshot") || !lua_machine_has(machine, "restore")) {
        machine->operations = (struct machine_operations){.apply = machine_apply_lua,
                                                          .query = machine_query_lua,
                                                          .free = machine_free_lua,
                                                          .digest = lua_machine_digest};
    }
    if (!lua_machine_has(machine, "digest")) {
        machine->operations.digest = NULL;
    }
}

struct machine *lua_machine_adopt(const struct lua_caller *caller, void *self, uint64_t id,
                                  struct failure *failure)
{
    lua_State *L = caller->state(self);
    if (!lua_istable(L, -1)) {
        lua_pop(L, 1);
        failure_set(failure, FAILURE_UNSUPPORTED,
                    "the machine of node %llu cannot be made: the function must return a table "
                    "with apply",
                    (unsigned long long)id);
        return NULL;
    }
    struct lua_machine *machine = memory_new(sizeof *machine);
    *machine = (struct lua_machine){.caller = caller, .self = self, .id = id};
    caller->push_machines(self, L);
    lua_insert(L, -2);
    lua_rawsetp(L, -2, machine);
    lua_pop(L, 1);
    if (lua_machine_function(machine, "apply", failure) == NULL) {
        machine_free_lua(machine);
        return NULL;
    }
    lua_pop(L, 1);
    choose_operations(machine);
    return machine_new(&machine->operations, machine);
}

/* ---- for a cluster: made afresh by the script's function at each start ---------------------- */

static lua_State *cluster_state(void *self)
{
    const struct lua_cluster *box = self;
    return box->silent ? NULL : box->L;
}

static void push_cluster_machines(void *self, lua_State *L)
{
    (void)self;
    lua_cluster_table(L, "machines");
}

static bool call_for_cluster(void *self, int arguments, int results)
{
    struct lua_cluster *box = self;
    lua_State *L = box->L;
    bool fine = lua_protected_call(L, arguments, results);
    box->L = L; /* what ran inside may have entered from another state */
    return fine;
}

/* Raised by the call that drives the world. */
static void keep_cluster_error(void *self, uint64_t id, const char *name)
{
    (void)id;
    (void)name;
    lua_keep_error(self);
}

void lua_machine_failed_elsewhere(void *context, const char *problem)
{
    struct lua_cluster *box = context;
    if (!box->silent && box->depth > 0 && lua_checkstack(box->L, 4)) {
        lua_pushstring(box->L, problem);
        lua_keep_error(box);
    }
}

static const struct lua_caller cluster_caller = {
    .state = cluster_state,
    .push_machines = push_cluster_machines,
    .call = call_for_cluster,
    .raised = keep_cluster_error,
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
    if (!lua_callback(box, 1, 1)) {
        failure_set(failure, FAILURE_UNSUPPORTED,
                    "the machine of node %llu cannot be made: the function raised",
                    (unsigned long long)id);
        lua_settop(L, top);
        return NULL;
    }
    lua_cluster_table(L, "machines");
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, (lua_Integer)id); /* for c:machine(id) */
    lua_pop(L, 1);
    struct machine *machine = lua_machine_adopt(&cluster_caller, box, id, failure);
    lua_settop(L, top);
    return machine;
}
