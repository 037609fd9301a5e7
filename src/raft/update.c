/*
 * update: collects what a step asks for, in arrays that are used again at each step.
 *
 * It decides nothing but where an answer has to wait for the disk.
 */
#include "raft/internal.h"

#include <stdarg.h>
#include <string.h>

void update_begin(struct raft *raft)
{
    raft->update = (struct raft_update){0};
    raft->messages.count = 0;
    raft->messages_after.count = 0;
    raft->read_results.count = 0;
}

void update_free(struct raft *raft)
{
    array_free(&raft->messages);
    array_free(&raft->messages_after);
    array_free(&raft->read_results);
    update_begin(raft);
}

void update_forget(struct raft *raft)
{
    memset(&raft->messages, 0, sizeof raft->messages);
    memset(&raft->messages_after, 0, sizeof raft->messages_after);
    memset(&raft->read_results, 0, sizeof raft->read_results);
    update_begin(raft);
}

static struct raft_message *add_message(struct raft *raft, struct raft_messages *messages,
                                        enum raft_message_kind kind, uint64_t to)
{
    ensure(to != raft->options.id && to != 0);
    struct raft_message *message = array_push(messages);
    *message = (struct raft_message){
        .kind = kind,
        .from = raft->options.id,
        .from_directory = raft->options.directory,
        .to = to,
        .term = raft->term,
    };
    return message;
}

struct raft_message *update_message(struct raft *raft, enum raft_message_kind kind, uint64_t to)
{
    return add_message(raft, &raft->messages, kind, to);
}

struct raft_message *update_message_after(struct raft *raft, enum raft_message_kind kind,
                                          uint64_t to)
{
    return add_message(raft, &raft->messages_after, kind, to);
}

struct raft_message *update_answer(struct raft *raft, enum raft_message_kind kind,
                                   const struct raft_message *asked)
{
    struct raft_message *answer = update_message(raft, kind, asked->from);
    answer->to_directory = asked->from_directory;
    return answer;
}

struct raft_message *update_promise(struct raft *raft, enum raft_message_kind kind,
                                    const struct raft_message *asked, uint64_t index)
{
    bool durable = !raft->dirty_hard_state &&
                   raft->hard_state_sequence <= raft->persisted_sequence && index <= raft->durable;
    if (durable) {
        return update_answer(raft, kind, asked);
    }
    struct raft_message *answer = update_message_after(raft, kind, asked->from);
    answer->to_directory = asked->from_directory;
    return answer;
}

void update_read_result(struct raft *raft, uint64_t read_id, uint64_t index)
{
    *array_push(&raft->read_results) = (struct raft_read_result){read_id, index};
}

void update_notice(struct raft *raft, uint64_t from, const char *format, ...)
{
    raft->dropped_messages++;
    raft->notice.from = from;
    raft->notice.contradicts_in_term = 0;
    raft->update.notice_count = 1; /* a step looks at one message, so there is one at most */
    va_list arguments;
    va_start(arguments, format);
    text_format(raft->notice.text, sizeof raft->notice.text, format, arguments);
    va_end(arguments);
}

/* What may be applied: committed, and on our own disk. */
static void hand_out_entries(struct raft *raft)
{
    uint64_t upto = raft->commit < raft->durable ? raft->commit : raft->durable;
    if (upto <= raft->applied) {
        return;
    }
    raft->update.apply_first = raft->applied + 1;
    raft->update.apply_last = upto;
    if (raft->role == RAFT_LEADER && raft->options.max_uncommitted_bytes > 0) {
        for (uint64_t index = raft->applied + 1; index <= upto; index++) {
            raft->uncommitted_bytes -= raft_entry_size(log_at(&raft->log, index));
        }
    }
    raft->applied = upto;
}

static int64_t next_deadline(const struct raft *raft)
{
    if (raft->role == RAFT_LEARNER) {
        return RAFT_NEVER;
    }
    if (raft->role != RAFT_LEADER) {
        return raft->election_deadline_ns;
    }
    int64_t deadline = raft->heartbeat_deadline_ns;
    if (raft->quorum_deadline_ns < deadline) {
        deadline = raft->quorum_deadline_ns;
    }
    if (raft->transfer.deadline_ns < deadline) {
        deadline = raft->transfer.deadline_ns;
    }
    return raft->leaving_deadline_ns < deadline ? raft->leaving_deadline_ns : deadline;
}

void update_finish(struct raft *raft, const struct raft_status *before)
{
    struct raft_update *update = &raft->update;
    persist_hand_out(raft);
    hand_out_entries(raft);
    update->messages = raft->messages.items;
    update->message_count = (uint32_t)raft->messages.count;
    update->messages_after = raft->messages_after.items;
    update->message_after_count = (uint32_t)raft->messages_after.count;
    update->messages_after_sequence = raft->persist_sequence;
    update->reads = raft->read_results.items;
    update->read_count = (uint32_t)raft->read_results.count;
    update->notices = &raft->notice;
    update->deadline_ns = next_deadline(raft);
    update->wants_flush = raft->role == RAFT_LEADER && raft->flush_needed;
    update->role_changed = raft->role != before->role || raft->term != before->term ||
                           raft->leader != before->leader ||
                           raft->leader_directory != before->leader_directory;
    update->commit_changed = raft->commit != before->commit_index;
}
