/*
 * What happened at a node, as trace events made from the core's updates and the store's
 * confirmations. It decides nothing, and a kind without a reader costs one test.
 */
#include "node/internal.h"

#include <stdio.h>

#include <string.h>

static bool wanted(const struct node *node, enum trace_kind kind)
{
    return trace_wants(node->world->trace, kind);
}

static inline struct trace_event event_of(const struct node *node, enum trace_kind kind)
{
    return (struct trace_event){
        .time_ns = world_now_ns(node->world), .node = node->id, .kind = (uint8_t)kind};
}

static void emit(struct node *node, struct trace_event *event)
{
    trace_emit(node->world->trace, event);
}

/* ---- entries and members -------------------------------------------------------------------- */

static uint64_t entry_hash(const struct raft_entry *entry)
{
    struct bytes payload = raft_entry_payload(entry);
    return hash_bytes(payload.data == NULL ? (const uint8_t *)"" : payload.data, payload.size,
                      (uint64_t)raft_entry_kind(entry));
}

/* An index and a configuration's bytes, for the checker. */
static void write_configuration(struct node *node, uint64_t index, struct bytes bytes)
{
    value_write_integer(&node->report.configurations, (int64_t)index);
    value_write_string(&node->report.configurations, bytes.data, bytes.size);
}

/* Of configurations only those behind `above`: a snapshot's are not known. */
static void add_entries(struct node *node, struct trace_event *event, uint64_t first, uint64_t last,
                        uint64_t above)
{
    event->first = first;
    event->last = last;
    size_t count = (size_t)(last + 1 - first);
    ensure(count <= UINT32_MAX);
    node->report.entries.count = 0;
    struct trace_entry *entries = array_extend(&node->report.entries, count);
    for (size_t i = 0; i < count; i++) {
        const struct raft_entry *entry = raft_entry_at(node->raft, first + i);
        entries[i] = (struct trace_entry){entry->term, entry_hash(entry)};
        if (raft_entry_kind(entry) == RAFT_ENTRY_CONFIGURATION && first + i > above) {
            write_configuration(node, first + i, raft_entry_payload(entry));
        }
    }
    event->entries = entries;
    event->entry_count = (uint32_t)count;
    event->configurations = buffer_bytes(&node->report.configurations);
}

enum part { PART_VOTER, PART_LEARNER, PART_VOTER_OLD, PART_COMING };

static bool has_part(const struct raft_member *member, enum part part)
{
    switch (part) {
    case PART_VOTER:
        return member->voter;
    case PART_LEARNER:
        return member->learner;
    case PART_VOTER_OLD:
        return member->voter_old;
    case PART_COMING:
        return member->next_voter && !member->voter;
    }
    return false;
}

static void write_ids(struct buffer *out, const char *key,
                      const struct raft_configuration *configuration, enum part part)
{
    size_t count = 0;
    for (uint32_t i = 0; i < configuration->count; i++) {
        count += has_part(&configuration->members[i], part);
    }
    value_write_string(out, key, strlen(key));
    value_write_array(out, count);
    for (uint32_t i = 0; i < configuration->count; i++) {
        if (has_part(&configuration->members[i], part)) {
            value_write_integer(out, (int64_t)configuration->members[i].id);
        }
    }
}

static void write_directories(struct buffer *out, const struct raft_configuration *configuration)
{
    value_write_string(out, "directories", 11);
    value_write_array(out, configuration->count);
    for (uint32_t i = 0; i < configuration->count; i++) {
        value_write_integer(out, (int64_t)configuration->members[i].directory);
    }
}

/* {voters, learners, directories}, voters_old while joint, and coming: the new voters that are
 * being brought level. Shorter keys are the smaller ones when encoded. */
static void add_members(struct node *node, struct trace_event *event)
{
    const struct raft_configuration *members = raft_members(node->raft);
    buffer_clear(&node->report.value);
    value_write_map(&node->report.value, members->joint || members->preparing ? 4 : 3);
    if (members->preparing) {
        write_ids(&node->report.value, "coming", members, PART_COMING);
    }
    write_ids(&node->report.value, "voters", members, PART_VOTER);
    write_ids(&node->report.value, "learners", members, PART_LEARNER);
    if (members->joint) {
        write_ids(&node->report.value, "voters_old", members, PART_VOTER_OLD);
    }
    write_directories(&node->report.value, members);
    event->value = buffer_bytes(&node->report.value);
}

static void write_members(struct node *node, uint64_t index,
                          const struct raft_configuration *members)
{
    buffer_clear(&node->report.value);
    raft_configuration_encode(members, &node->report.value);
    write_configuration(node, index, buffer_bytes(&node->report.value));
}

/* ---- life ----------------------------------------------------------------------------------- */

void report_start(struct node *node, const struct raft_status *status,
                  const struct raft_snapshot *snapshot)
{
    if (!wanted(node, TRACE_START)) {
        return;
    }
    struct trace_event event = event_of(node, TRACE_START);
    event.term = status->term;
    event.vote = status->vote;
    event.vote_directory = status->vote_directory;
    event.directory = status->directory;
    buffer_clear(&node->report.configurations);
    event.commit = snapshot->index;
    event.prev_term = snapshot->term;
    write_members(node, snapshot->members_index, removal_members(node));
    add_entries(node, &event, status->first_index, status->last_index, snapshot->index);
    add_members(node, &event);
    event.index = raft_members_index(node->raft);
    emit(node, &event);
}

static void emit_text(struct node *node, enum trace_kind kind, uint64_t peer, const char *text)
{
    if (wanted(node, kind)) {
        struct trace_event event = event_of(node, kind);
        event.peer = peer;
        event.text = bytes_of_text(text);
        emit(node, &event);
    }
}

void report_stop(struct node *node, const char *text)
{
    emit_text(node, TRACE_STOP, 0, text);
}

void report_notice(struct node *node, uint64_t peer, const char *text)
{
    emit_text(node, TRACE_NOTICE, peer, text);
}

static void emit_refusal(struct node *node, struct trace_event *event, const char *text)
{
    uint64_t left_out = 0;
    if (!notice_limit_allows(&node->report.refusals, world_now_ns(node->world), &left_out)) {
        return;
    }
    if (left_out > 0) {
        char more[80];
        (void)snprintf(more, sizeof more, "%llu more notices like the last ones were left out",
                       (unsigned long long)left_out);
        emit_text(node, TRACE_NOTICE, 0, more);
    }
    if (wanted(node, TRACE_NOTICE)) {
        event->text = bytes_of_text(text);
        emit(node, event);
    }
}

void report_refusal(struct node *node, uint64_t peer, const char *text)
{
    struct trace_event event = event_of(node, TRACE_NOTICE);
    event.peer = peer;
    emit_refusal(node, &event, text);
}

static void report_contradiction(struct node *node, const struct raft_notice *notice)
{
    struct trace_event event = event_of(node, TRACE_NOTICE);
    event.peer = notice->from;
    event.term = notice->contradicts_in_term;
    emit_refusal(node, &event, notice->text);
}

void report_damaged_snapshot(struct node *node, const struct raft_message *message,
                             const char *text)
{
    struct trace_event event = event_of(node, TRACE_NOTICE);
    event.peer = message->from;
    event.directory = message->from_directory;
    event.term = message->term;
    event.index = message->prev_index;
    event.flag = true;
    emit_refusal(node, &event, text);
}

void report_connection(struct node *node, enum trace_kind kind, uint64_t peer, const char *text)
{
    emit_text(node, kind, peer, text);
}

/* ---- what a step changed -------------------------------------------------------------------- */

static void report_role_and_vote(struct node *node, const struct raft_update *update,
                                 const struct raft_status *status)
{
    if (update->role_changed && wanted(node, TRACE_ROLE)) {
        struct trace_event event = event_of(node, TRACE_ROLE);
        event.role = (uint8_t)status->role;
        event.role_name = raft_role_name(status->role);
        event.term = status->term;
        event.peer = status->leader;
        event.directory = status->leader_directory;
        emit(node, &event);
    }
    if (update->voted && wanted(node, TRACE_VOTE)) {
        struct trace_event event = event_of(node, TRACE_VOTE);
        event.term = status->term;
        event.peer = status->vote;
        event.directory = status->vote_directory;
        event.last = status->last_index;
        event.prev_term = status->last_term;
        event.flag = update->persist.hard_state;
        emit(node, &event);
    }
}

static void report_members(struct node *node)
{
    struct trace_event event = event_of(node, TRACE_MEMBERS);
    event.index = raft_members_index(node->raft);
    buffer_clear(&node->report.configurations);
    write_members(node, event.index, raft_members(node->raft));
    event.configurations = buffer_bytes(&node->report.configurations);
    add_members(node, &event);
    emit(node, &event);
}

/* What it covers is in force now. */
static void report_install(struct node *node, uint64_t index)
{
    struct trace_event event = event_of(node, TRACE_INSTALL);
    event.index = index;
    event.prev_term = raft_term_at(node->raft, index);
    buffer_clear(&node->report.configurations);
    write_members(node, raft_members_index(node->raft), raft_members(node->raft));
    event.configurations = buffer_bytes(&node->report.configurations);
    emit(node, &event);
}

static void report_log(struct node *node, const struct raft_update *update)
{
    if (update->truncated_from != 0 && wanted(node, TRACE_TRUNCATE)) {
        struct trace_event event = event_of(node, TRACE_TRUNCATE);
        event.first = update->truncated_from;
        event.last = update->truncated_to;
        emit(node, &event);
    }
    if (update->installed_index != 0 && wanted(node, TRACE_INSTALL)) {
        report_install(node, update->installed_index);
    }
    if (update->appended_first != 0 && wanted(node, TRACE_APPEND)) {
        struct trace_event event = event_of(node, TRACE_APPEND);
        buffer_clear(&node->report.configurations);
        add_entries(node, &event, update->appended_first, update->appended_last, 0);
        emit(node, &event);
    }
    if (update->members_changed && wanted(node, TRACE_MEMBERS)) {
        report_members(node);
    }
}

static void report_commit(struct node *node, const struct raft_update *update,
                          const struct raft_status *status)
{
    if (update->match_peer != 0 && wanted(node, TRACE_MATCH)) {
        struct trace_event event = event_of(node, TRACE_MATCH);
        event.peer = update->match_peer;
        event.directory = update->match_directory;
        event.index = update->match_index;
        event.term = status->term;
        emit(node, &event);
    }
    if (update->commit_changed && wanted(node, TRACE_COMMIT)) {
        struct trace_event event = event_of(node, TRACE_COMMIT);
        event.index = status->commit_index;
        event.term = status->term;
        event.prev_term = raft_term_at(node->raft, status->commit_index);
        event.flag = update->commit_counted;
        emit(node, &event);
    }
}

/* In the order in which the core did it: a leader counts, and what that commits may make it append
 * the final configuration or step down; others commit what the log has just taken in. */
void report_update(struct node *node, const struct raft_update *update,
                   const struct raft_status *status)
{
    if (update->commit_counted) {
        report_commit(node, update, status);
    }
    report_role_and_vote(node, update, status);
    report_log(node, update);
    if (!update->commit_counted) {
        report_commit(node, update, status);
    }
    for (uint32_t i = 0; i < update->notice_count; i++) {
        const struct raft_notice *notice = &update->notices[i];
        report_contradiction(node, notice);
    }
}

/* ---- messages, disk, machine ---------------------------------------------------------------- */

void report_raft_message(struct node *node, enum trace_kind kind, uint64_t peer, uint64_t number,
                         const struct raft_message *message)
{
    if (!wanted(node, kind)) {
        return;
    }
    struct trace_event event = event_of(node, kind);
    event.peer = peer;
    event.directory = kind == TRACE_SEND ? message->to_directory : message->from_directory;
    event.message_number = number;
    event.message_kind = (uint8_t)message->kind;
    event.message_name = raft_message_name(message->kind);
    event.term = message->term;
    event.prev_index = message->prev_index;
    event.prev_term = message->prev_term;
    event.entry_count = message->entry_count;
    event.commit = message->commit;
    event.index = message->index;
    event.reject = message->reject;
    event.sequence = message->sequence;
    emit(node, &event);
}

void report_frame(struct node *node, enum trace_kind kind, uint64_t peer, uint64_t number,
                  const char *name)
{
    if (wanted(node, kind)) {
        struct trace_event event = event_of(node, kind);
        event.peer = peer;
        event.message_number = number;
        event.message_name = name;
        emit(node, &event);
    }
}

void report_write(struct node *node, enum trace_kind kind, const struct raft_persist *persist)
{
    if (!wanted(node, kind)) {
        return;
    }
    struct trace_event event = event_of(node, kind);
    event.sequence = persist->sequence;
    if (persist->hard_state) {
        event.what |= TRACE_STATE;
        event.term = persist->term;
        event.vote = persist->vote;
        event.vote_directory = persist->vote_directory;
    }
    if (persist->reset_index != 0) {
        event.what |= TRACE_SNAPSHOTS;
        event.index = persist->reset_index;
    }
    if (persist->first_index != 0) {
        event.what |= TRACE_ENTRIES;
        event.first = persist->first_index;
        event.last = persist->last_index;
    }
    emit(node, &event);
}

void report_applied(struct node *node, uint64_t index, const struct raft_entry *entry,
                    struct bytes answer, uint64_t state_hash)
{
    struct trace_applied applied = {.answer = answer};
    struct machine_payload payload;
    if (!wanted(node, TRACE_APPLY)) {
        return;
    }
    struct trace_event event = event_of(node, TRACE_APPLY);
    event.index = index;
    event.prev_term = entry->term;
    event.hash = entry_hash(entry);
    if (raft_entry_kind(entry) == RAFT_ENTRY_COMMAND) {
        event.flag = true;
        event.answer_hash = hash_bytes(answer.data, answer.size, 0);
        event.state_hash = state_hash;
        if (machine_payload_read(raft_entry_payload(entry), &payload)) {
            applied.command = payload.command;
        }
        event.applied = &applied;
    }
    emit(node, &event);
}

static void report_machine(struct node *node, enum trace_kind kind,
                           const struct raft_snapshot *snapshot, uint64_t digest)
{
    if (wanted(node, kind)) {
        struct trace_event event = event_of(node, kind);
        event.index = snapshot->index;
        event.prev_term = snapshot->term;
        event.answer_hash = digest;
        emit(node, &event);
    }
}

void report_snapshot(struct node *node, const struct raft_snapshot *snapshot, uint64_t digest)
{
    report_machine(node, TRACE_SNAPSHOT, snapshot, digest);
}

void report_restored(struct node *node, const struct raft_snapshot *snapshot, uint64_t digest)
{
    report_machine(node, TRACE_RESTORE, snapshot, digest);
}

/* ---- reads ---------------------------------------------------------------------------------- */

void report_read(struct node *node, uint64_t read_id)
{
    if (!wanted(node, TRACE_READ)) {
        return;
    }
    struct raft_status status;
    raft_get_status(node->raft, &status);
    if (status.role != RAFT_LEADER) {
        return; /* it will be refused */
    }
    struct trace_event event = event_of(node, TRACE_READ);
    event.sequence = read_id;
    event.term = status.term;
    emit(node, &event);
}

void report_confirmed(struct node *node, const struct raft_update *update)
{
    if (!wanted(node, TRACE_CONFIRM)) {
        return;
    }
    for (uint32_t i = 0; i < update->read_count;) {
        const struct raft_read_result *first = &update->reads[i];
        uint32_t count = 1;
        while (i + count < update->read_count && first[count].index == first->index) {
            count++;
        }
        if (first->index != 0) {
            struct trace_event event = event_of(node, TRACE_CONFIRM);
            event.first = first->read_id;
            event.last = first[count - 1].read_id;
            event.index = first->index;
            event.flag = update->read_by_lease;
            emit(node, &event);
        }
        i += count;
    }
}

void report_clear(struct node *node)
{
    buffer_free(&node->report.value);
    array_free(&node->report.entries);
    buffer_free(&node->report.configurations);
}
