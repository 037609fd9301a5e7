/*
 * append: a follower's side of log replication (paper 5.3): checks that logs meet, cuts off what
 * contradicts the leader, appends what is new, follows its commit index.
 *
 * It never cuts where nothing contradicts, never touches a committed entry, and its commit index
 * never passes the last entry known to match.
 */
#include "raft/internal.h"

/* The sender's term is over: our own term tells it. Index and round are left out: they are of its
 * old term, and it may lead again by the time this arrives. */
void append_answer_stale(struct raft *raft, const struct raft_message *message)
{
    ensure(message->term < raft->term);
    update_answer(raft, RAFT_APPEND_RESPONSE, message)->reject = true;
}

/* What is committed is never truncated: a message that asks for it is dropped, whatever its term.
 */
static void notice_contradiction(struct raft *raft, const struct raft_message *message,
                                 uint64_t index)
{
    update_notice(raft, message->from, "append: contradicts the committed entry %llu",
                  (unsigned long long)index);
    raft->notice.contradicts_in_term = message->term;
}

/* clang-format off */
/* The hint: no entry of ours behind it can match, since terms only rise along both logs. A leader
 * so backs up by terms, not by entries (paper 5.3). Its log and that of follower f in figure 7:
 *
 *     index     1  2  3  4  5  6  7  8  9 10 11
 *     leader    1  1  1  4  4  5  5  6  6  6      is (10, term 6) there?
 *     follower  1  1  1  2  2  2  3  3  3  3  3   no; its last of terms up to 6: (10, term 3)
 *     leader          ^                           its last of terms up to 3: (3, term 1); it
 *                                                 asks there next, and the logs meet */
/* clang-format on */
static void refuse_with_hint(struct raft *raft, const struct raft_message *message)
{
    uint64_t base = raft->log.base_index;
    uint64_t hint = log_find_term(&raft->log, message->prev_index, message->prev_term);
    if (base > 0 && (message->prev_index == base || hint < base)) {
        notice_contradiction(raft, message, base);
        return;
    }
    struct raft_message *answer = update_answer(raft, RAFT_APPEND_RESPONSE, message);
    answer->reject = true;
    answer->index = message->prev_index;
    answer->hint_index = hint;
    answer->hint_term = log_term_at(&raft->log, hint);
    answer->commit = raft->commit;
    answer->sequence = message->sequence;
}

static bool cut_conflict(struct raft *raft, const struct raft_message *message, uint64_t from)
{
    if (from <= raft->commit) {
        notice_contradiction(raft, message, from);
        return false;
    }
    raft->update.truncated_from = from;
    raft->update.truncated_to = raft->log.last_index;
    log_truncate(&raft->log, from);
    persist_truncated(raft, from);
    membership_truncated(raft, from);
    raft->dirty_first = from;
    return true;
}

/* clang-format off */
/* How many of the message's entries the log holds already; cuts at the first that differs:
 *
 *     index     1  2  3  4  5  6
 *     log       1  1  2  2  2
 *     message            2  3  3   behind prev_index 3 of prev_term 2: there they meet
 *     log then  1  1  2  2  3  3   4 is known; 5 differs, and went with all behind it
 *
 * A message that ends sooner cuts nothing: what is behind it is not contradicted, and may have come
 * before it. What a snapshot covers is committed, so it is known. */
/* clang-format on */
static bool skip_known(struct raft *raft, const struct raft_message *message, uint32_t *known)
{
    uint64_t base = raft->log.base_index;
    uint64_t covered = base > message->prev_index ? base - message->prev_index : 0;
    uint32_t i = covered < message->entry_count ? (uint32_t)covered : message->entry_count;
    if (covered > 0 && covered <= message->entry_count &&
        message->entries[covered - 1].term != raft->log.base_term) {
        return cut_conflict(raft, message, base);
    }
    while (i < message->entry_count && message->prev_index + 1 + i <= raft->log.last_index) {
        uint64_t index = message->prev_index + 1 + i;
        if (log_term_at(&raft->log, index) != message->entries[i].term) {
            *known = i;
            return cut_conflict(raft, message, index);
        }
        i++;
    }
    *known = i;
    return true;
}

static void append_new(struct raft *raft, const struct raft_message *message, uint32_t known)
{
    if (known == message->entry_count) {
        return;
    }
    uint64_t first = raft->log.last_index + 1;
    ensure(first == message->prev_index + 1 + known && first > raft->commit);
    for (uint32_t i = known; i < message->entry_count; i++) {
        const struct raft_entry *entry = &message->entries[i];
        log_append(&raft->log, entry);
        if (raft_entry_kind(entry) == RAFT_ENTRY_CONFIGURATION) {
            bool decoded = membership_appended(raft, raft->log.last_index);
            ensure(decoded); /* validate.c has decoded it */
        }
    }
    raft->update.appended_first = first;
    raft->update.appended_last = raft->log.last_index;
    if (raft->dirty_first == 0) {
        raft->dirty_first = first;
    }
}

void append_handle(struct raft *raft, const struct raft_message *message)
{
    ensure(message->term == raft->term && raft->leader == message->from);
    /* Log matching: index and term of the entry before (paper 5.3). */
    if (message->prev_index >= raft->log.base_index &&
        (message->prev_index > raft->log.last_index ||
         log_term_at(&raft->log, message->prev_index) != message->prev_term)) {
        refuse_with_hint(raft, message);
        return;
    }
    uint32_t known = 0;
    if (!skip_known(raft, message, &known)) {
        return;
    }
    append_new(raft, message, known);
    uint64_t matching = message->prev_index + message->entry_count;
    uint64_t commit = message->commit < matching ? message->commit : matching;
    if (commit > raft->commit) {
        raft->commit = commit;
        membership_committed(raft);
    }
    if (message->quiet) {
        return;
    }
    struct raft_message *answer = update_promise(raft, RAFT_APPEND_RESPONSE, message, matching);
    answer->index = matching;
    answer->commit = raft->commit;
    answer->sequence = message->sequence;
}
