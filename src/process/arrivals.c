/*
 * What comes from a child, handled as it comes: its events go into the world's trace, what is seen
 * of it changes, answers go to whom they are for. One that sends what is no message is not believed
 * any more. It never waits.
 */
#include "process/internal.h"

#include <stdio.h>

static bool event_came(struct process *process, struct batch *message)
{
    struct trace_event event;
    struct bytes record = {message->data, message->size};
    struct buffer storage = process->storage; /* whom this tells may read another */
    process->storage = (struct buffer){0};
    bool is_event =
        trace_read_record(record, &event, &storage) && event.node == process->options.raft.id;
    if (is_event) {
        process->was_up = process->was_up || event.kind == TRACE_START;
        trace_emit(process->world->trace, &event);
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

void arrivals_handle(struct process *process)
{
    enum control_kind kind;
    struct batch *message = channel_take(&process->channel, &kind);
    while (message != NULL) {
        if (!handle(process, kind, message)) {
            failure_set(&process->problem, FAILURE_UNSUPPORTED,
                        "its process has sent what is no message");
            process->channel.has_ended = true;
        }
        batch_release(message);
        message = channel_take(&process->channel, &kind);
    }
}
