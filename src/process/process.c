/*
 * A child's life as its parent sees it: started, told to run, paused, killed, ended by itself. It
 * never waits but where a caller asks for it, and never believes a child that has sent what is no
 * message: that one is killed.
 */
#include "process/internal.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define OPEN_MS 10000
#define STOP_MS 2000
#define READS_MAX 64 /* at a time, so that one that says a lot does not keep the others waiting */

/* ---- making --------------------------------------------------------------------------------- */

static void copy_text(char *to, size_t size, const char *from)
{
    ensure(strlen(from) < size);
    (void)snprintf(to, size, "%s", from);
}

struct process *process_new(struct world *world, const struct process_options *options)
{
    ensure(options->command[0] != NULL && options->raft.id != 0);
    struct process *process = memory_new_zeroed(1, sizeof *process);
    process->world = world;
    process->options = *options;
    copy_text(process->cluster_name, sizeof process->cluster_name, options->cluster_name);
    copy_text(process->address, sizeof process->address, options->address);
    copy_text(process->directory, sizeof process->directory, options->directory);
    copy_text(process->machine, sizeof process->machine, options->machine);
    for (size_t i = 0; options->command[i] != NULL; i++) {
        size_t size = strlen(options->command[i]) + 1;
        char *word = memory_new(size);
        memcpy(word, options->command[i], size);
        *array_push(&process->words) = word;
    }
    *array_push(&process->words) = NULL;
    process->options.command = NULL;
    process->channel.descriptor = -1;
    process->channel.has_ended = true;
    process->output.descriptor = -1;
    process->rest = (struct flusher){.flush = process_ready, .context = process};
    sight_prepare(&process->sight, options->raft.id);
    return process;
}

bool process_is_alive(const struct process *process)
{
    return process->pid != 0;
}

/* ---- its end -------------------------------------------------------------------------------- */

static void emit_stop(struct process *process, const char *why)
{
    struct trace_event event = {
        .time_ns = world_now_ns(process->world),
        .kind = TRACE_STOP,
        .node = process->options.raft.id,
        .text = bytes_of_text(why),
    };
    if (process->was_up) {
        trace_emit(process->world->trace, &event);
    }
    process->was_up = false;
}

/* Nothing of its process is left here; its exit was waited for. */
static void clear_process(struct process *process)
{
    real_watch_free(process->control_watch);
    real_watch_free(process->output_watch);
    process->control_watch = NULL;
    process->output_watch = NULL;
    channel_end(&process->channel);
    output_end(&process->output);
    process->pid = 0;
    process->is_opened = false;
    process->was_told = false;
    process->is_paused = false;
    process->is_stopping = false;
    process->sent = 0;
    process->world->operations->flush_cancel(process->world, &process->rest);
}

static bool is_final(enum node_state state)
{
    return state == NODE_STOPPED || state == NODE_CRASHED || state == NODE_FAILED ||
           state == NODE_REMOVED;
}

/* It has closed the connection: it has ended, or is as good as dead. */
static void ended(struct process *process)
{
    char text[sizeof process->sight.error] = "";
    char how[160];
    bool killed = false;
    enum node_state state = process->sight.view.state;
    bool was_told = process->was_told;
    (void)kill(process->pid, SIGKILL); /* where it only seems to have ended; a zombie stays one */
    spawn_reap(process->pid, &killed, how, sizeof how);
    output_read(&process->output);
    if (process->problem.code != FAILURE_NONE) {
        (void)snprintf(text, sizeof text, "%s", process->problem.message);
    } else {
        (void)snprintf(text, sizeof text, "%.90s%s%.140s", how,
                       process->output.last[0] == '\0' ? "" : ": ", process->output.last);
    }
    clear_process(process);
    failure_set(&process->problem, FAILURE_STORAGE, "%s", text);
    if (!was_told) {
        return; /* who waits for it to open is told */
    }
    if (!is_final(state)) {
        state = killed ? NODE_CRASHED : NODE_FAILED;
        emit_stop(process, killed ? "crash" : text);
        sight_ended(process, state, text);
    } else {
        process->was_up = false; /* it has said so itself */
        sight_ended(process, state, process->sight.error);
    }
    orders_end(process);
    process->options.on_stopped(process->options.context);
}

/* ---- its connection -------------------------------------------------------------------------- */

void process_pump(struct process *process)
{
    output_read(&process->output);
    for (int i = 0; i < READS_MAX && process_is_alive(process); i++) {
        bool came = channel_read(&process->channel);
        arrivals_handle(process);
        if (!came) {
            break;
        }
    }
    if (process_is_alive(process) && process->channel.has_ended) {
        ended(process);
    }
}

static void write_out(struct process *process)
{
    bool all = channel_write(&process->channel);
    if (process->control_watch != NULL) {
        real_watch_writable(process->control_watch, !all);
    }
}

void process_ready(void *context)
{
    struct process *process = context;
    write_out(process);
    process_pump(process);
}

void process_send(struct process *process, enum control_kind kind,
                  const struct control_order *order)
{
    struct buffer *out = &process->channel.out;
    size_t start = message_begin(out, kind);
    control_write_order(order, out);
    message_end(out, start);
    write_out(process);
}

/* ---- its start ------------------------------------------------------------------------------ */

static void send_open(struct process *process, bool wipe)
{
    struct control_open open = {
        .parent = (uint64_t)getpid(),
        .seed = process->options.seed,
        .origin_real_ns = real_origin_ns(process->world),
        .speed_ppb = (uint64_t)(process->options.speed * 1e9 + 0.5),
        .wipe = wipe,
        .snapshot_every = process->options.snapshot_every,
        .snapshot_bytes = process->options.snapshot_bytes,
        .raft = process->options.raft,
    };
    copy_text(open.cluster_name, sizeof open.cluster_name, process->cluster_name);
    copy_text(open.address, sizeof open.address, process->address);
    copy_text(open.directory, sizeof open.directory, process->directory);
    copy_text(open.machine, sizeof open.machine, process->machine);
    size_t start = message_begin(&process->channel.out, CONTROL_OPEN);
    control_write_open(&open, &process->channel.out);
    message_end(&process->channel.out, start);
    write_out(process);
}

bool process_open(struct process *process, bool wipe, struct failure *failure)
{
    struct spawned spawned;
    ensure(!process_is_alive(process));
    if (!spawn_start((const char *const *)process->words.items, process->options.raft.id, &spawned,
                     failure)) {
        return false;
    }
    process->pid = spawned.pid;
    channel_begin(&process->channel, spawned.control);
    process->output = (struct output){.descriptor = spawned.output, .id = process->options.raft.id};
    failure_clear(&process->problem);
    process->control_watch =
        real_watch_new(process->world, spawned.control, process_ready, process);
    process->output_watch = real_watch_new(process->world, spawned.output, process_ready, process);
    if (process->control_watch == NULL || process->output_watch == NULL) {
        failure_set(failure, FAILURE_UNSUPPORTED, "node %llu cannot have a process: %s",
                    (unsigned long long)process->options.raft.id, strerror(errno));
        process_crash(process);
        return false;
    }
    send_open(process, wipe);
    return true;
}

int64_t process_monotonic_ms(void)
{
    struct timespec now;
    ensure(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool process_await_open(struct process *process, struct failure *failure)
{
    int64_t until_ms = process_monotonic_ms() + OPEN_MS;
    while (process_is_alive(process) && !process->is_opened && process_monotonic_ms() < until_ms) {
        channel_wait(&process->channel, process->output.descriptor,
                     (int)(until_ms - process_monotonic_ms()));
        process_ready(process);
    }
    if (process->is_opened) {
        return true;
    }
    failure_set(failure, FAILURE_STORAGE, "node %llu did not start: %.180s",
                (unsigned long long)process->options.raft.id,
                process->problem.message[0] != '\0' ? process->problem.message
                                                    : "its process gave no sign");
    process_crash(process);
    return false;
}

static void write_address(void *to, uint64_t id, const char *address)
{
    control_write_address(id, address, to);
}

static void tell_addresses(struct process *process)
{
    struct buffer addresses = {0};
    process->options.addresses(process->options.context, write_address, &addresses);
    process_send(process, CONTROL_ADDRESSES,
                 &(struct control_order){.bytes = buffer_bytes(&addresses)});
    buffer_free(&addresses);
}

bool process_start(struct process *process, const struct raft_configuration *first,
                   struct failure *failure)
{
    if (process->is_stopping) { /* it has to have ended */
        process_await_end(process);
    }
    if (!process_is_alive(process) && !process_open(process, false, failure)) {
        return false;
    }
    ensure(!process->was_told);
    tell_addresses(process);
    struct buffer members = {0};
    struct buffer faults = {0};
    struct control_order order = {0};
    if (first != NULL && first->count > 0 && !process->has_data) {
        raft_configuration_encode(first, &members);
    }
    faults_write(process->world->faults, &faults);
    order.bytes = buffer_bytes(&members);
    order.more = buffer_bytes(&faults);
    process_send(process, CONTROL_RUN, &order);
    buffer_free(&members);
    buffer_free(&faults);
    process->was_told = true;
    sight_forget_log(process);
    process->sight.view.state = NODE_STARTING;
    process->sight.error[0] = '\0';
    process->sight.damaged_file[0] = '\0';
    return true;
}

/* ---- what is done to it --------------------------------------------------------------------- */

void process_crash(struct process *process)
{
    char text[160];
    bool killed = false;
    if (!process_is_alive(process)) {
        return;
    }
    (void)kill(process->pid, SIGKILL);
    spawn_reap(process->pid, &killed, text, sizeof text);
    while (channel_read(&process->channel)) { /* what it said before it died */
        arrivals_handle(process);
    }
    arrivals_handle(process);
    bool was_told = process->was_told;
    clear_process(process);
    if (was_told) {
        emit_stop(process, "crash");
        sight_ended(process, NODE_CRASHED, "");
    }
    orders_end(process);
}

void process_stop(struct process *process, bool removed)
{
    if (!process_is_alive(process)) {
        sight_ended(process, removed ? NODE_REMOVED : NODE_STOPPED, "");
        return;
    }
    if (process->is_paused) { /* it could not hear */
        process_resume(process);
    }
    process->is_stopping = true;
    process->sight.view.state = NODE_STOPPING;
    process_send(process, CONTROL_STOP, &(struct control_order){.flag = removed});
}

void process_await_end(struct process *process)
{
    int64_t until_ms = process_monotonic_ms() + STOP_MS;
    process_ready(process); /* what was read already, for another's sake */
    while (process_is_alive(process) && process_monotonic_ms() < until_ms) {
        channel_wait(&process->channel, process->output.descriptor,
                     (int)(until_ms - process_monotonic_ms()));
        process_ready(process);
    }
    if (process_is_alive(process)) {
        process_crash(process);
    }
}

bool process_wipe(struct process *process, struct failure *failure)
{
    if (process->is_stopping) {
        process_await_end(process);
    }
    if (process_is_alive(process)) {
        process_crash(process);
    }
    return process_open(process, true, failure) && process_await_open(process, failure);
}

void process_pause(struct process *process)
{
    if (process_is_alive(process) && !process->is_paused) {
        spawn_stop(process->pid);
        process->is_paused = true;
        process->sight.view.state = NODE_PAUSED;
    }
}

void process_resume(struct process *process)
{
    if (process_is_alive(process) && process->is_paused) {
        process->is_paused = false;
        process->sight.view.state = process->sight.view.is_up ? NODE_RUNNING : NODE_STARTING;
        (void)kill(process->pid, SIGCONT);
    }
}

void process_kill(struct process *process)
{
    bool killed = false;
    char text[160];
    if (process_is_alive(process)) {
        (void)kill(process->pid, SIGKILL);
        spawn_reap(process->pid, &killed, text, sizeof text);
        clear_process(process);
    }
}

void process_free(struct process *process)
{
    if (process == NULL) {
        return;
    }
    process_kill(process);
    emit_stop(process, "shutdown");
    for (size_t i = 0; i < process->words.count; i++) {
        memory_free(process->words.items[i]);
    }
    for (size_t i = 0; i < process->wanted.count; i++) {
        batch_release(process->wanted.items[i].result);
    }
    array_free(&process->words);
    array_free(&process->wanted);
    array_free(&process->askers);
    sight_forget_log(process);
    array_free(&process->entries);
    buffer_free(&process->storage);
    sight_free(&process->sight);
    memory_free(process);
}

/* ---- frames, faults ------------------------------------------------------------------------- */

void process_client_frame(struct process *process, const struct batch *frame)
{
    if (process_is_alive(process) && process->was_told) {
        struct buffer *out = &process->channel.out;
        size_t start = message_begin(out, CONTROL_CLIENT);
        buffer_append(out, frame->data, frame->size);
        message_end(out, start);
        write_out(process);
    }
}

void process_tell_faults(struct process *process)
{
    if (!process_is_alive(process) || !process->was_told) {
        return; /* it is told when it starts */
    }
    struct buffer faults = {0};
    faults_write(process->world->faults, &faults);
    process->faults_call = orders_begin(process, CONTROL_FAULTS,
                                        (struct control_order){.bytes = buffer_bytes(&faults)});
    buffer_free(&faults);
}

void process_await_faults(struct process *process)
{
    struct control_answer answer;
    uint64_t call = process->faults_call;
    process->faults_call = 0;
    if (call != 0 && process->is_paused) {
        orders_forget(process, call); /* it hears of them before anything else when it goes on */
    } else if (call != 0) {
        batch_release(orders_await(process, call, &answer, NULL));
    }
}
