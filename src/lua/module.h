/*
 * lua: the Lua module raft.core. module.c (what it exports), value.c (values to and from Lua),
 * failure.c (failures and arguments), cluster.c (the cluster's userdata: life), control.c (faults
 * and control), drive.c (letting the world go on, tickets), look.c (status, events), look_log.c
 * (logs), look_faults.c (which faults are in force), campaign.c (for fuzzing), callbacks.c (calls
 * into Lua), event.c (trace events), event_text.c (in words), message.c (messages and held frames),
 * message_read.c (messages from tables), machine.c (Lua machines), members.c (configurations),
 * embed.h, embed_loop.c and embed_node.c (nodes inside an application and their loop), replica.c
 * (one bare core), cores.c (several), child.c (one node of a cluster, as a process), checker.c (the
 * checker alone), history.h, history.c and linear.c (histories of clients and whether they are
 * linearizable), workload.h, workload.c and workload_look.c (clients that go on asking), codec.c
 * (JSON, hashes), stream.c (random numbers), terminal.c (lines and signals), prompt.c (prompts:
 * waiting, interrupts), workers.c (children that are copies of this process), worker_memory.c (what
 * their Lua allocates), own_process.c (who this process is), bench.c (measurements).
 *
 * It has no logic of its own: it checks arguments, maps errors and converts values. No Lua error
 * crosses a frame of libuv or of the core.
 *
 * Callbacks find the cluster's user value through stack index 1: each method that can call back is
 * called with the cluster's userdata there, and callbacks run on the same frame.
 */
#ifndef RAFTBENCH_LUA_MODULE_H
#define RAFTBENCH_LUA_MODULE_H

#include "cluster/cluster.h"

#include "lua/compat.h"

#define LUA_CLUSTER "raft.core.cluster"

/* A cluster as Lua holds it. */
struct lua_cluster {
    const void *mark;        /* by which box_of knows it; NULL once it is collected */
    struct cluster *cluster; /* NULL: closed */
    struct trace *kept;      /* the recent events of a closed one, where they are kept */
    lua_State *L;            /* whoever entered last; callbacks run there */
    int depth;               /* methods entered and not left */
    bool has_error;          /* a callback raised; the error is in the user value */
    bool silent;             /* ending without anybody to call back */
    struct random random;
    struct buffer value;  /* scratch for encoded values */
    struct buffer answer; /* scratch for what callbacks answer */
    struct raft_entry *entries;
    uint32_t entries_capacity;
};

/* ---- values (value.c) */
/* A buffer that is freed with the userdata that is pushed, whatever is raised. */
struct buffer *lua_scratch_new(lua_State *L);
/* The value at `index` into an empty buffer; raises an argument error for `argument` where it is
 * none. What is too large is not raised: whoever takes the bytes refuses them by their size. */
void lua_value_check(lua_State *L, int index, const char *argument, struct buffer *out);
/* The same without raising: false, with the problem in words on top of the stack. */
bool lua_value_write(lua_State *L, int index, struct buffer *out);
/* The same for words that people read: a number need not be exact, as a directory is not where Lua
 * has no integers. */
bool lua_value_write_rough(lua_State *L, int index, struct buffer *out);
/* What lua_value_write gave up: more than VALUE_BYTES_MAX, and not all of it. */
bool lua_value_is_too_large(const struct buffer *out);
void lua_value_push(lua_State *L, struct bytes value); /* nil where it is empty or malformed */
void lua_bytes_push(lua_State *L, struct bytes bytes);

/* Times that are this or later mean "never": exact in a Lua whose numbers are doubles, too. */
#define LUA_NEVER (INT64_C(1) << 62)

/* ---- failures and arguments (failure.c) */
/* A time in ns, WORLD_NEVER from LUA_NEVER on. */
int64_t lua_time_check(lua_State *L, int index);
int64_t lua_time_from(int64_t time_ns);
/* 16 hex digits. */
void lua_hash_push(lua_State *L, uint64_t hash);
/* Raises an error at the line of the innermost function that is not of lua/raft itself. */
__attribute__((format(printf, 2, 3))) int lua_user_error(lua_State *L, const char *format, ...);

/* The first argument of a method, our userdata of that type, where the method has the metatable as
 * its upvalue: comparing with that costs half of looking it up by its name. */
void *lua_own_userdata(lua_State *L, const char *type);
/* Whether a chunk's source is one of lua/raft's own files. */
bool lua_is_own_file(lua_State *L, const char *source);
/* core.user_error(message), and core.own_files(prefix): how the sources of lua/raft begin */
int lua_user_error_function(lua_State *L);
int lua_own_files(lua_State *L);
int lua_failure_push(lua_State *L, const struct failure *failure); /* nil, message, code, detail */
uint64_t lua_id_check(lua_State *L, int index);
int64_t lua_field_integer(lua_State *L, int index, const char *name, int64_t otherwise);
double lua_field_number(lua_State *L, int index, const char *name, double otherwise);
bool lua_field_boolean(lua_State *L, int index, const char *name, bool otherwise);
/* Options, which must be there: Lua has filled in the defaults. */
int64_t lua_option_integer(lua_State *L, int index, const char *name);
double lua_option_number(lua_State *L, int index, const char *name);
bool lua_option_boolean(lua_State *L, int index, const char *name);
/* Sets a field of the table on top of the stack. */
void lua_set_integer(lua_State *L, const char *name, uint64_t value);
void lua_set_boolean(lua_State *L, const char *name, bool value);
void lua_set_text(lua_State *L, const char *name, const char *text);
void lua_set_bytes(lua_State *L, const char *name, struct bytes bytes);

/* ---- the cluster (cluster.c) */
struct lua_cluster *lua_cluster_check(lua_State *L); /* argument 1, open */
/* Where argument 1 keeps its recent events; open, or closed and kept. */
const struct trace *lua_cluster_events(lua_State *L);
/* Around every call that can make callbacks. leave raises what a callback raised. */
struct lua_cluster *lua_cluster_enter(lua_State *L);
void lua_cluster_leave(lua_State *L, struct lua_cluster *box);
/* The same, but what was raised is pushed; whether there was such. */
bool lua_cluster_leave_with_error(lua_State *L, struct lua_cluster *box);
/* Timing, limits and safety, from the table at `index`. */
void lua_raft_options_read(lua_State *L, int index, struct raft_options *raft);
int lua_cluster_new(lua_State *L);
void lua_cluster_register(lua_State *L);
void lua_cluster_functions(lua_State *L); /* into the table on top */
extern const luaL_Reg lua_control_methods[];
extern const luaL_Reg lua_drive_methods[];
extern const luaL_Reg lua_look_methods[];
extern const luaL_Reg lua_look_log_methods[];
extern const luaL_Reg lua_look_faults_methods[];
extern const luaL_Reg lua_campaign_methods[];

/* ---- callbacks (callbacks.c) */
/* The user value's table named `name` (made where it is missing), pushed. */
void lua_cluster_table(lua_State *L, const char *name);
/* Calls the function below `arguments` values on top. false: it raised; that is kept for leave. */
bool lua_callback(struct lua_cluster *box, int arguments, int results);
/* Keeps the error on top of the stack (popped) for leave, where it is the first. */
void lua_keep_error(struct lua_cluster *box);
/* Calls the function below `arguments` values on top. false: it raised; the error, with a traceback
 * where it is a string, is on top instead. */
bool lua_protected_call(lua_State *L, int arguments, int results);
/* The first line of the error on top, for a failure's message. */
void lua_error_text(lua_State *L, char *text, size_t size);
extern const luaL_Reg lua_callback_methods[];

/* ---- events, messages, members, machines */
void lua_event_push(lua_State *L, const struct trace_event *event);
uint64_t lua_event_mask(lua_State *L, int index); /* nil: all; a kind's name; a list of names */
void lua_event_read(lua_State *L, int index, struct trace_event *event);
/* What an event's text and value are called in Lua. */
const char *lua_event_text_name(enum trace_kind kind);
const char *lua_event_value_name(enum trace_kind kind);
/* The table on top of the stack is an event: tostring gives its line. */
void lua_event_dress(lua_State *L);
void lua_event_register(lua_State *L);
extern const luaL_Reg lua_event_functions[];
void lua_message_push(lua_State *L, const struct raft *raft, const struct raft_message *message);
/* What a message or a list of entries was read into; a userdata, left on the stack. */
struct lua_message_parts {
    struct raft_entry *entries;
    uint32_t entry_count;
    struct raft_configuration members;
    struct batch *piece; /* of a snapshot */
    struct buffer value; /* scratch */
    struct buffer payload;
};

struct lua_message_parts *lua_message_parts_new(lua_State *L);
/* The list of entries on top of the stack (nil: none): {term, command}, {term, members} or {term}.
 */
void lua_entries_read(lua_State *L, struct lua_message_parts *parts);
/* The message on top of the stack; its entries point into `parts`. */
void lua_message_read(lua_State *L, struct lua_message_parts *parts, struct raft_message *message);
void lua_entry_push(lua_State *L, const struct raft_entry *entry, uint64_t index);
void lua_frame_register(lua_State *L);
enum faults_verdict lua_intercept(void *context, uint64_t from, uint64_t to, struct batch *frame);
int lua_frame_fill(lua_State *L);
int lua_frame_is_deliverable(lua_State *L);
int lua_frame_deliver(lua_State *L);
int lua_frame_drop(lua_State *L);
/* A node's status: one table. `peer_at`: of `of`, as node_peer_at. */
typedef bool lua_peer_function(const void *of, uint32_t position, struct raft_peer_status *peer);
void lua_status_push(lua_State *L, const struct node_view *view, lua_peer_function *peer_at,
                     const void *of);
/* Into the table on top of the stack, the directories by id, where any is known. */
void lua_directories_push(lua_State *L, const struct raft_configuration *members);
void lua_members_push(lua_State *L, const struct raft_configuration *members);
/* {voters = {ids}, voters_old = , learners = }; raises if it is not that. */
void lua_members_read(lua_State *L, int index, struct raft_configuration *members);

/* For whom a machine that is written in Lua works. */
struct lua_caller {
    lua_State *(*state)(void *self);                      /* where it is called; NULL: no longer */
    void (*push_machines)(void *self, lua_State *L);      /* a table of its, for this file */
    bool (*call)(void *self, int arguments, int results); /* as lua_protected_call */
    /* Takes the error on top off: what the machine's function of that name raised. */
    void (*raised)(void *self, uint64_t id, const char *name);
};

/* The object on top of the stack (popped) as a machine; NULL and a failure if it is not one. */
struct machine *lua_machine_adopt(const struct lua_caller *caller, void *self, uint64_t id,
                                  struct failure *failure);
struct machine *lua_machine_make(void *context, uint64_t id, struct failure *failure);
/* Of a node in a process of its own: raised by the call that drives the world. */
void lua_machine_failed_elsewhere(void *context, const char *problem);

/* ---- parts of the module */
int lua_replica_new(lua_State *L);
void lua_replica_register(lua_State *L);
int lua_stream_new(lua_State *L);
/* Arguments 2 and 3: none, or low and high. Pushes a number of [0, 1), or an integer. */
int lua_random_push(lua_State *L, struct random *random);
void lua_stream_register(lua_State *L);

/* ---- records of calls (record.c) */
int lua_record_new(lua_State *L);
void lua_record_register(lua_State *L);
int lua_cores_new(lua_State *L);
void lua_cores_register(lua_State *L);
int lua_checker_new(lua_State *L);
int lua_history_new(lua_State *L);
void lua_history_register(lua_State *L);
extern const luaL_Reg lua_linear_functions[];
extern const luaL_Reg lua_workload_methods[]; /* of the cluster (workload.c) */
int lua_workload_kinds(lua_State *L);
void lua_workload_register(lua_State *L);
void lua_checker_register(lua_State *L);
void lua_log_reader_register(lua_State *L); /* its functions into the table on top (log_reader.c) */
void lua_workers_register(lua_State *L);    /* the same (workers.c) */
/* For a process that ends without closing its Lua: small pieces of memory from a range of its own
 * (worker_memory.c). */
void lua_worker_memory_use(lua_State *L);
int lua_embed_loop_function(lua_State *L);
void lua_embed_loop_register(lua_State *L);
extern const luaL_Reg lua_codec_functions[];
extern const luaL_Reg lua_terminal_functions[];
extern const luaL_Reg lua_child_functions[];
extern const luaL_Reg lua_own_process_functions[];
void lua_bench_push(lua_State *L); /* pushes core.bench */
/* A signal that was caught since the last look ("interrupt", "terminate"); NULL: none. */
const char *lua_signal_seen(void);
void lua_signal_target(struct cluster *cluster); /* whose drive a signal ends; NULL: none */
bool lua_signal_has_target(void);
void lua_signals_catch(void);

/* ---- prompts (prompt.c) */
extern const luaL_Reg lua_prompt_functions[];
void lua_interrupt_came(int number); /* from the signal handler */
/* While a prompt is open: a signal came, and the prompt has not taken it yet. */
bool lua_interrupt_is_pending(void);
/* In a child made by fork: no prompt is open there, and signals do what they do to any process. */
void lua_interrupts_forget(void);

#endif
