/*
 * What comes from a child, handled as it comes: its events go into the world's trace, what is seen
 * of it changes, answers go to whom they are for. One that sends what is no message is not believed
 * any more. It never waits.
 */
#include "process/internal.h"

#include <stdio.h>

/* How long a sender's events are waited for, where it has not told of them in time. */
#define SENDER_TRIES 20
#define SENDER_MS 5

static void arrivals_handle_until(struct process *process, uint64_t sent);

/* The sender has told of its messages before they left (child.c): what led to this one is read
 * first, so that the trace has no effect before its cause. A sender whose process has ended, or is
 * paused with more to tell than its connection holds, may have told less. */
static void await_sender(struct process *process, const struct trace_event *event)
{
    struct process *sender = process->options.find(process->options.context, event->peer);
    if (sender == NULL || sender->is_handling || !process_is_alive(sender)) {
        return;
    }
    for (int tries = 0; sender->sent < event->message_number && tries < SENDER_TRIES; tries++) {
        arrivals_handle_until(sender, event->message_number);
        if (sender->sent < event->message_number && !channel_read(&sender->channel)) {
            if (sender->channel.has_ended || sender->is_paused) {
                return;
            }
            channel_wait(&sender->channel, -1, SENDER_MS);
        }
    }
}

static void emit(struct process *process, struct trace_event *event)
{
    if (event->kind == TRACE_RECEIVE && event->peer != WORLD_CLIENT) {
        await_sender(process, event);
    } else if (event->kind == TRACE_SEND && event->message_number > process->sent) {
        process->sent = event->message_number;
    } else if (event->kind == TRACE_START) {
        process->was_up = true;
    }
    trace_emit(process->world->trace, event);
}

static bool event_came(struct process *process, struct batch *message)
{
    struct trace_event event;
    struct bytes record = {message->data, message->size};
    struct buffer storage = process->storage; /* whom this tells may read another */
    process->storage = (struct buffer){0};
    bool is_event =
        trace_read_record(record, &event, &storage) && event.node == process->options.raft.id;
    if (is_event) {
        emit(process, &event);
    }
    buffer_free(&process->storage);
    process->storage = storage;
    return is_event;
}

static bool opened(struct process *process, struct batch *message)
{
    struct control_answer answer;
    if (!control_read_answer((struct bytes){message->data, message->size}, &answer)) {
        return false;
    }
    if (answer.failure.code != FAILURE_NONE) {
        failure_copy(&process->problem, &answer.failure);
        return true; /* it ends itself */
    }
    process->is_opened = true;
    if (answer.number != 0) {
        process->sight.view.directory = answer.number;
    }
    process->has_data = answer.index != 0;
    return true;
}

static bool lost(struct process *process, struct batch *message)
{
    struct control_answer answer;
    char text[160];
    if (!control_read_answer((struct bytes){message->data, message->size}, &answer)) {
        return false;
    }
    (void)snprintf(text, sizeof text,
                   "%llu events of this node are missing here: the script did not let time pass, "
                   "and they became too many to keep",
                   (unsigned long long)answer.number);
    struct trace_event event = {
        .time_ns = world_now_ns(process->world),
        .kind = TRACE_NOTICE,
        .node = process->options.raft.id,
        .text = bytes_of_text(text),
    };
    trace_emit(process->world->trace, &event);
    return true;
}

static bool client_frame_came(struct process *process, struct batch *message)
{
    struct frame_head head;
    const char *problem = NULL;
    struct bytes bytes = {message->data, message->size};
    if (frame_parse(bytes, true, &head, &problem) != FRAME_WHOLE || head.length != message->size) {
        return false;
    }
    process->options.on_client_frame(process->options.context, process->options.raft.id,
                                     batch_hold(message));
    return true;
}

/* false: it is no message that a child sends. */
static bool handle(struct process *process, enum control_kind kind, struct batch *message)
{
    switch (kind) {
    case CONTROL_EVENT:
        return event_came(process, message);
    case CONTROL_VIEW:
        return sight_view_came(process, message);
    case CONTROL_CLIENT:
        return client_frame_came(process, message);
    case CONTROL_RESULT:
        return orders_result(process, message);
    case CONTROL_OUTCOME:
        return orders_outcome(process, message);
    case CONTROL_OPENED:
        return opened(process, message);
    case CONTROL_LOST:
        return lost(process, message);
    default:
        return false;
    }
}

/* All that is whole of what has been read, or up to the SEND of the message with this number. */
static void arrivals_handle_until(struct process *process, uint64_t sent)
{
    enum control_kind kind;
    struct batch *message = channel_take(&process->channel, &kind);
    bool was_handling = process->is_handling;
    process->is_handling = true;
    while (message != NULL) {
        if (!handle(process, kind, message)) {
            failure_set(&process->problem, FAILURE_UNSUPPORTED,
                        "its process has sent what is no message");
            process->channel.has_ended = true;
        }
        batch_release(message);
        message = process->sent < sent ? channel_take(&process->channel, &kind) : NULL;
    }
    process->is_handling = was_handling;
    if (process->sent >= sent && process_is_alive(process)) {
        process->world->operations->flush_soon(process->world, &process->rest);
    }
}

void arrivals_handle(struct process *process)
{
    arrivals_handle_until(process, UINT64_MAX);
}
