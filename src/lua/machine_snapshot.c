/*
 * Snapshots of machines written in Lua: snapshot() gives a string, or a function that gives chunks
 * until nil; restore(next_chunk) takes the same chunks back, one at a time, in a coroutine that
 * waits where a chunk has not come yet. What they raise fails the node.
 *
 * The bytes: version (u32), then for each chunk a byte 1, its size (u32) and itself; a byte 0.
 */
#include "lua/machine.h"

#include <string.h>

#define LUA_MACHINE_VERSION 1U
#define CHUNK_HEAD_BYTES 5U

/* In the caller's table, beside the machine itself: what its snapshot() gave; its restore's
 * coroutine. */
static const void *source_key(const struct lua_machine *machine)
{
    return &machine->is_text;
}

static const void *thread_key(const struct lua_machine *machine)
{
    return &machine->gather;
}

static void keep(struct lua_machine *machine, lua_State *L, const void *key) /* pops it */
{
    machine->caller->push_machines(machine->self, L);
    lua_insert(L, -2);
    lua_rawsetp(L, -2, key);
    lua_pop(L, 1);
}

static void push_kept(struct lua_machine *machine, lua_State *L, const void *key)
{
    machine->caller->push_machines(machine->self, L);
    lua_rawgetp(L, -1, key);
    lua_remove(L, -2);
}

static void forget(struct lua_machine *machine, const void *key)
{
    lua_State *L = lua_machine_state(machine);
    if (L != NULL) {
        lua_pushnil(L);
        keep(machine, L, key);
    }
}

/* It gave something else than it should; the failure tells. */
static bool refuse(struct lua_machine *machine, lua_State *L, const char *name, const char *wanted,
                   struct failure *failure)
{
    lua_pushfstring(L, "the machine's %s must give %s, not a %s", name, wanted,
                    luaL_typename(L, -1));
    lua_remove(L, -2);
    lua_machine_raised(machine, L, name, failure);
    return false;
}

/* ---- digest --------------------------------------------------------------------------------- */

bool lua_machine_digest(void *self, uint64_t *digest, struct failure *failure)
{
    struct lua_machine *machine = self;
    *digest = 0;
    lua_State *L = lua_machine_function(machine, "digest", failure);
    if (L == NULL || !lua_machine_call(machine, L, "digest", 0, 1, failure)) {
        return false;
    }
    struct buffer value = {0};
    bool fine = lua_isnil(L, -1) || lua_value_write(L, lua_gettop(L), &value);
    if (!fine) { /* why is on top */
        lua_machine_raised(machine, L, "digest", failure);
    } else if (value.size > 0) {
        *digest = hash_bytes(value.data, value.size, 0);
    }
    lua_pop(L, 1);
    buffer_free(&value);
    return fine;
}

/* ---- writing -------------------------------------------------------------------------------- */

bool lua_machine_snapshot_begin(void *self, struct failure *failure)
{
    struct lua_machine *machine = self;
    lua_State *L = lua_machine_function(machine, "snapshot", failure);
    if (L == NULL || !lua_machine_call(machine, L, "snapshot", 0, 1, failure)) {
        return false;
    }
    if (lua_type(L, -1) != LUA_TSTRING && !lua_isfunction(L, -1)) {
        return refuse(machine, L, "snapshot", "a string, or a function that gives the next chunk",
                      failure);
    }
    machine->is_text = lua_type(L, -1) == LUA_TSTRING;
    machine->head_written = false;
    keep(machine, L, source_key(machine));
    return true;
}

/* The chunk on top (popped). */
static bool write_chunk(struct lua_machine *machine, lua_State *L, struct buffer *out,
                        struct failure *failure)
{
    size_t size = 0;
    if (lua_type(L, -1) != LUA_TSTRING) {
        return refuse(machine, L, "snapshot function", "strings and at last nil", failure);
    }
    const char *chunk = lua_tolstring(L, -1, &size);
    if (size > INT32_MAX) {
        return refuse(machine, L, "snapshot function", "chunks below 2 GiB", failure);
    }
    uint8_t *head = buffer_extend(out, CHUNK_HEAD_BYTES);
    head[0] = 1;
    store_u32(head + 1, (uint32_t)size);
    buffer_append(out, chunk, size);
    lua_pop(L, 1);
    return true;
}

/* The next chunk, or `*over`. */
static bool next_chunk(struct lua_machine *machine, struct buffer *out, bool *over,
                       struct failure *failure)
{
    lua_State *L = lua_machine_state(machine);
    if (L == NULL) {
        failure_set(failure, FAILURE_CLOSED, "the machine is gone");
        return false;
    }
    push_kept(machine, L, source_key(machine));
    if (machine->is_text) {
        *over = true;
        return write_chunk(machine, L, out, failure);
    }
    if (!lua_machine_call(machine, L, "snapshot", 0, 1, failure)) {
        return false;
    }
    *over = lua_isnil(L, -1);
    if (*over) {
        lua_pop(L, 1);
        return true;
    }
    return write_chunk(machine, L, out, failure);
}

bool lua_machine_snapshot_next(void *self, size_t wanted, struct buffer *out, bool *over,
                               struct failure *failure)
{
    struct lua_machine *machine = self;
    *over = false;
    if (!machine->head_written) {
        machine->head_written = true;
        store_u32(buffer_extend(out, 4), LUA_MACHINE_VERSION);
    }
    for (size_t done = 0; done < wanted && !*over;) { /* an empty chunk is work, too */
        size_t before = out->size;
        if (!next_chunk(machine, out, over, failure)) {
            return false;
        }
        done += out->size - before;
    }
    if (*over) {
        buffer_append_byte(out, 0);
    }
    return true;
}

void lua_machine_snapshot_end(void *self)
{
    struct lua_machine *machine = self;
    forget(machine, source_key(machine));
}

/* ---- reading -------------------------------------------------------------------------------- */

/* Pushes a function of the library of coroutines, whatever the script made of its global. */
static void push_coroutine_function(lua_State *L, const char *name)
{
    lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
    lua_getfield(L, -1, "coroutine");
    lua_getfield(L, -1, name);
    lua_insert(L, -3);
    lua_pop(L, 2);
}

/* Lets restore go on with what is on top (popped): its argument, a chunk, or nil. */
static bool go_on(struct lua_machine *machine, lua_State *L, struct failure *failure)
{
    push_coroutine_function(L, "resume");
    push_kept(machine, L, thread_key(machine));
    lua_State *thread = lua_tothread(L, -1);
    lua_pushvalue(L, -3); /* the argument goes behind them */
    lua_remove(L, -4);
    if (!lua_machine_call(machine, L, "restore", 2, 2, failure)) {
        return false;
    }
    bool fine = lua_toboolean(L, -2);
    if (!fine) {
        if (lua_type(L, -1) == LUA_TSTRING) {
            luaL_traceback(L, thread, lua_tostring(L, -1), 0);
            lua_replace(L, -2);
        }
        lua_machine_raised(machine, L, "restore", failure);
        lua_pop(L, 1);
        return false;
    }
    lua_pop(L, 2);
    return true;
}

/* It waits for a chunk, and has not returned. */
static bool is_waiting(struct lua_machine *machine, lua_State *L)
{
    push_kept(machine, L, thread_key(machine));
    bool waits = lua_isthread(L, -1) && lua_status(lua_tothread(L, -1)) == LUA_YIELD;
    lua_pop(L, 1);
    return waits;
}

bool lua_machine_restore_begin(void *self, struct failure *failure)
{
    struct lua_machine *machine = self;
    lua_State *L = lua_machine_state(machine);
    gather_free(&machine->gather);
    machine->head_read = false;
    machine->chunk_begun = false;
    machine->is_over = false;
    if (L == NULL) {
        failure_set(failure, FAILURE_CLOSED, "the machine is gone");
        return false;
    }
    push_coroutine_function(L, "create");
    if (lua_machine_function(machine, "restore", failure) == NULL) {
        lua_pop(L, 1);
        return false;
    }
    if (!lua_machine_call(machine, L, "restore", 1, 1, failure)) {
        return false;
    }
    keep(machine, L, thread_key(machine));
    push_coroutine_function(L, "yield"); /* the next chunk is what it is resumed with */
    return go_on(machine, L, failure);
}

static bool damaged(struct failure *failure)
{
    failure_set(failure, FAILURE_STORAGE, "the snapshot is not one of a machine written in Lua");
    return false;
}

/* One that has returned early needs no more. */
static bool give(struct lua_machine *machine, const uint8_t *chunk, size_t size,
                 struct failure *failure)
{
    lua_State *L = lua_machine_state(machine);
    machine->chunk_begun = false;
    if (L == NULL || !is_waiting(machine, L)) {
        return true;
    }
    lua_pushlstring(L, size == 0 ? "" : (const char *)chunk, size);
    return go_on(machine, L, failure);
}

static bool read_chunk_head(struct lua_machine *machine, const uint8_t *head,
                            struct failure *failure)
{
    machine->chunk_size = load_u32(head);
    machine->chunk_begun = true;
    if (machine->chunk_size > INT32_MAX) {
        return damaged(failure);
    }
    return machine->chunk_size > 0 || give(machine, NULL, 0, failure);
}

static bool read_mark(struct lua_machine *machine, uint8_t mark, struct failure *failure)
{
    machine->is_over = mark == 0;
    machine->mark_read = mark == 1;
    return mark <= 1 || damaged(failure);
}

static size_t part_size(const struct lua_machine *machine)
{
    if (machine->chunk_begun) {
        return machine->chunk_size;
    }
    return machine->head_read && !machine->mark_read ? 1 : 4;
}

static bool read_part(struct lua_machine *machine, const uint8_t *part, struct failure *failure)
{
    if (machine->chunk_begun) {
        return give(machine, part, machine->chunk_size, failure);
    }
    if (!machine->head_read) {
        machine->head_read = true;
        return load_u32(part) == LUA_MACHINE_VERSION || damaged(failure);
    }
    if (!machine->mark_read) {
        return read_mark(machine, part[0], failure);
    }
    machine->mark_read = false;
    return read_chunk_head(machine, part, failure);
}

bool lua_machine_restore_piece(void *self, struct bytes piece, struct failure *failure)
{
    struct lua_machine *machine = self;
    while (piece.size > 0) {
        if (machine->is_over) {
            return damaged(failure);
        }
        const uint8_t *part = gather_take(&machine->gather, &piece, part_size(machine));
        if (part != NULL && !read_part(machine, part, failure)) {
            return false;
        }
    }
    return true;
}

/* Now it is told that there is no more. */
static bool finish(struct lua_machine *machine, lua_State *L, struct failure *failure)
{
    if (is_waiting(machine, L)) {
        lua_pushnil(L);
        if (!go_on(machine, L, failure)) {
            return false;
        }
    }
    if (is_waiting(machine, L)) {
        lua_pushliteral(L, "the machine's restore asks for chunks after the last one (nil)");
        lua_machine_raised(machine, L, "restore", failure);
        return false;
    }
    return true;
}

bool lua_machine_restore_end(void *self, struct failure *failure)
{
    struct lua_machine *machine = self;
    lua_State *L = lua_machine_state(machine);
    bool fine = machine->is_over && L != NULL;
    gather_free(&machine->gather);
    if (!fine) {
        (void)damaged(failure);
    } else {
        fine = finish(machine, L, failure);
    }
    forget(machine, thread_key(machine));
    return fine;
}

void lua_machine_snapshot_free(struct lua_machine *machine)
{
    gather_free(&machine->gather);
    forget(machine, source_key(machine));
    forget(machine, thread_key(machine));
}
