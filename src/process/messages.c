/*
 * What goes over the control connection, as bytes and back. Both ends are the same program, but the
 * bytes are checked as any from outside are: a child may be broken, and is then ended, not trusted.
 * It never acts on a message.
 */
#include "process/internal.h"

#include <string.h>

/* ---- opening -------------------------------------------------------------------------------- */

/* Each field of raft_options that is a number, a flag. One that is added there is added here. */
#define OPTION_NUMBERS(X)                                                                          \
    X(id)                                                                                          \
    X(directory)                                                                                   \
    X(election_collisions)                                                                         \
    X(max_inflight_bytes)                                                                          \
    X(max_uncommitted_bytes)                                                                       \
    X(max_kept_bytes)                                                                              \
    X(seed)
#define OPTION_TIMES(X)                                                                            \
    X(election_timeout_min_ns)                                                                     \
    X(election_timeout_max_ns)                                                                     \
    X(heartbeat_interval_ns)
#define OPTION_WORDS(X)                                                                            \
    X(clock_drift_ppb)                                                                             \
    X(window)                                                                                      \
    X(max_entries)                                                                                 \
    X(max_message_bytes)
#define OPTION_FLAGS(X)                                                                            \
    X(pre_vote)                                                                                    \
    X(check_quorum)                                                                                \
    X(lease_reads)

_Static_assert(sizeof(struct raft_options) == 104, "a new field has to be told to children, above");

static void write_options(struct buffer *out, const struct raft_options *raft)
{
#define X(field) field_write_number(out, (uint64_t)raft->field);
    OPTION_NUMBERS(X)
    OPTION_TIMES(X)
    OPTION_WORDS(X)
    OPTION_FLAGS(X)
#undef X
}

static void read_options(struct field_reader *reader, struct raft_options *raft)
{
#define X(field) raft->field = field_read_number(reader);
    OPTION_NUMBERS(X)
#undef X
#define X(field) raft->field = (int64_t)field_read_at_most(reader, INT64_MAX);
    OPTION_TIMES(X)
#undef X
#define X(field) raft->field = (uint32_t)field_read_at_most(reader, UINT32_MAX);
    OPTION_WORDS(X)
#undef X
#define X(field) raft->field = field_read_flag(reader);
    OPTION_FLAGS(X)
#undef X
}

void control_write_open(const struct control_open *open, struct buffer *out)
{
    field_write_number(out, CONTROL_VERSION);
    field_write_number(out, open->parent);
    field_write_number(out, open->seed);
    field_write_number(out, (uint64_t)open->origin_real_ns);
    field_write_number(out, open->speed_ppb);
    field_write_number(out, open->wipe);
    field_write_number(out, open->snapshot_every);
    field_write_number(out, open->snapshot_bytes);
    write_options(out, &open->raft);
    field_write_bytes(out, bytes_of_text(open->cluster_name));
    field_write_bytes(out, bytes_of_text(open->address));
    field_write_bytes(out, bytes_of_text(open->directory));
    field_write_bytes(out, bytes_of_text(open->machine));
}

bool control_read_open(struct bytes body, struct control_open *open)
{
    struct field_reader reader = {.rest = body};
    *open = (struct control_open){0};
    if (field_read_number(&reader) != CONTROL_VERSION) {
        return false;
    }
    open->parent = field_read_number(&reader);
    open->seed = field_read_number(&reader);
    open->origin_real_ns = (int64_t)field_read_at_most(&reader, INT64_MAX);
    open->speed_ppb = field_read_number(&reader);
    open->wipe = field_read_flag(&reader);
    open->snapshot_every = field_read_number(&reader);
    open->snapshot_bytes = field_read_number(&reader);
    read_options(&reader, &open->raft);
    field_read_text(&reader, open->cluster_name, sizeof open->cluster_name);
    field_read_text(&reader, open->address, sizeof open->address);
    field_read_text(&reader, open->directory, sizeof open->directory);
    field_read_text(&reader, open->machine, sizeof open->machine);
    return field_read_end(&reader) && open->raft.id != 0 && open->speed_ppb != 0 &&
           open->origin_real_ns != 0;
}

/* ---- orders and answers --------------------------------------------------------------------- */

void control_write_order(const struct control_order *order, struct buffer *out)
{
    field_write_number(out, order->call);
    field_write_number(out, order->number);
    field_write_number(out, order->target);
    field_write_number(out, order->flag);
    field_write_bytes(out, order->bytes);
    field_write_bytes(out, order->more);
}

bool control_read_order(struct bytes body, struct control_order *order)
{
    struct field_reader reader = {.rest = body};
    order->call = field_read_number(&reader);
    order->number = field_read_number(&reader);
    order->target = field_read_number(&reader);
    order->flag = field_read_flag(&reader);
    order->bytes = field_read_bytes(&reader);
    order->more = field_read_bytes(&reader);
    return field_read_end(&reader);
}

void control_write_answer(const struct control_answer *answer, struct buffer *out)
{
    field_write_number(out, answer->number);
    field_write_number(out, answer->failure.code);
    field_write_number(out, answer->failure.unknown);
    field_write_number(out, answer->failure.leader);
    field_write_bytes(out, bytes_of_text(answer->failure.message));
    field_write_number(out, answer->index);
    field_write_number(out, answer->term);
    field_write_bytes(out, answer->bytes);
}

bool control_read_answer(struct bytes body, struct control_answer *answer)
{
    struct field_reader reader = {.rest = body};
    answer->number = field_read_number(&reader);
    failure_clear(&answer->failure);
    answer->failure.code = (enum failure_code)field_read_at_most(&reader, FAILURE_CLOSED);
    answer->failure.unknown = field_read_flag(&reader);
    answer->failure.leader = field_read_number(&reader);
    field_read_text(&reader, answer->failure.message, sizeof answer->failure.message);
    answer->index = field_read_number(&reader);
    answer->term = field_read_number(&reader);
    answer->bytes = field_read_bytes(&reader);
    return field_read_end(&reader);
}

/* ---- what is seen of a node ----------------------------------------------------------------- */

#define VIEW_NUMBERS(X)                                                                            \
    X(directory)                                                                                   \
    X(term)                                                                                        \
    X(vote)                                                                                        \
    X(leader)                                                                                      \
    X(commit_index)                                                                                \
    X(applied_index)                                                                               \
    X(durable_index)                                                                               \
    X(first_index)                                                                                 \
    X(last_index)                                                                                  \
    X(snapshot_index)                                                                              \
    X(snapshot_term)                                                                               \
    X(restored_index)                                                                              \
    X(restored_term)                                                                               \
    X(members_index)                                                                               \
    X(damaged_offset)                                                                              \
    X(turned_away_by)
#define VIEW_FLAGS(X)                                                                              \
    X(is_up)                                                                                       \
    X(is_restoring)                                                                                \
    X(is_member)                                                                                   \
    X(machine_failed)

_Static_assert(sizeof(struct node_view) == 224, "a new field has to be told to parents, above");
_Static_assert(sizeof(struct node_stats) % sizeof(uint64_t) == 0, "numbers of 64 bits only");

static void write_statistics(struct buffer *out, const struct node_stats *statistics)
{
    for (size_t at = 0; at < sizeof *statistics; at += sizeof(uint64_t)) {
        uint64_t number = 0;
        memcpy(&number, (const uint8_t *)statistics + at, sizeof number);
        field_write_number(out, number);
    }
}

static void read_statistics(struct field_reader *reader, struct node_stats *statistics)
{
    for (size_t at = 0; at < sizeof *statistics; at += sizeof(uint64_t)) {
        uint64_t number = field_read_number(reader);
        memcpy((uint8_t *)statistics + at, &number, sizeof number);
    }
}

static void write_members(struct buffer *out, const struct raft_configuration *members)
{
    struct buffer encoded = {0};
    raft_configuration_encode(members, &encoded);
    field_write_bytes(out, buffer_bytes(&encoded));
    buffer_free(&encoded);
}

static void read_members(struct field_reader *reader, struct raft_configuration *members)
{
    struct raft_configuration read = {0};
    if (raft_configuration_decode(field_read_bytes(reader), &read)) {
        raft_configuration_free(members);
        *members = read;
    } else {
        reader->is_bad = true;
    }
}

static void write_refusal(struct buffer *out, const struct node_refusal *refused)
{
    field_write_number(out, refused->peer);
    if (refused->peer != 0) {
        field_write_bytes(out, bytes_of_text(refused->what));
        field_write_number(out, refused->term);
        field_write_number(out, (uint64_t)refused->at_ns);
        field_write_bytes(out, bytes_of_text(refused->reason));
    }
}

void control_write_view(const struct node_view *view, const struct sight *sight, struct buffer *out)
{
    field_write_number(out, view->id);
    field_write_number(out, view->state);
    field_write_number(out, view->role);
#define X(field) field_write_number(out, view->field);
    VIEW_NUMBERS(X)
    VIEW_FLAGS(X)
#undef X
    field_write_number(out, sight->log_changes);
    field_write_number(out, sight->drops);
    write_members(out, view->members);
    write_members(out, view->snapshot_members);
    field_write_bytes(out, bytes_of_text(view->address));
    field_write_bytes(out, bytes_of_text(view->error));
    field_write_bytes(out, bytes_of_text(view->damaged_file));
    write_refusal(out, view->refused);
    write_statistics(out, view->statistics);
    field_write_number(out, sight->peers.count);
    for (size_t i = 0; i < sight->peers.count; i++) {
        const struct raft_peer_status *peer = &sight->peers.items[i];
        field_write_number(out, peer->id);
        field_write_number(out, peer->match_index);
        field_write_number(out, peer->next_index);
        field_write_number(out, peer->inflight_messages);
        field_write_number(out, peer->snapshot_index);
        field_write_number(out, peer->snapshot_offset);
    }
}

static void read_refusal(struct field_reader *reader, struct sight *sight)
{
    struct node_refusal *refused = &sight->refused;
    refused->peer = field_read_number(reader);
    if (refused->peer != 0) {
        field_read_text(reader, sight->refused_what, sizeof sight->refused_what);
        refused->term = field_read_number(reader);
        refused->at_ns = (int64_t)field_read_at_most(reader, INT64_MAX);
        field_read_text(reader, refused->reason, sizeof refused->reason);
    }
}

static void read_peers(struct field_reader *reader, struct sight *sight)
{
    sight->peers.count = 0;
    for (uint64_t left = field_read_number(reader); left > 0 && !reader->is_bad; left--) {
        struct raft_peer_status *peer = array_push(&sight->peers);
        *peer = (struct raft_peer_status){0};
        peer->id = field_read_number(reader);
        peer->match_index = field_read_number(reader);
        peer->next_index = field_read_number(reader);
        peer->inflight_messages = (uint32_t)field_read_at_most(reader, UINT32_MAX);
        peer->snapshot_index = field_read_number(reader);
        peer->snapshot_offset = field_read_number(reader);
    }
}

void sight_prepare(struct sight *sight, uint64_t id)
{
    sight->view.id = id;
    sight->view.first_index = 1;
    sight->refused.what = sight->refused_what;
    sight->view.members = &sight->members;
    sight->view.snapshot_members = &sight->snapshot_members;
    sight->view.address = sight->address;
    sight->view.error = sight->error;
    sight->view.damaged_file = sight->damaged_file;
    sight->view.refused = &sight->refused;
    sight->view.statistics = &sight->statistics;
}

void sight_free(struct sight *sight)
{
    raft_configuration_free(&sight->members);
    raft_configuration_free(&sight->snapshot_members);
    array_free(&sight->peers);
}

bool control_read_view(struct bytes body, struct sight *sight)
{
    struct field_reader reader = {.rest = body};
    struct node_view *view = &sight->view;
    reader.is_bad = field_read_number(&reader) != view->id;
    view->state = (enum node_state)field_read_at_most(&reader, NODE_REMOVED);
    view->role = (enum raft_role)field_read_at_most(&reader, RAFT_LEARNER);
#define X(field) view->field = field_read_number(&reader);
    VIEW_NUMBERS(X)
#undef X
#define X(field) view->field = field_read_flag(&reader);
    VIEW_FLAGS(X)
#undef X
    sight->log_changes = field_read_number(&reader);
    sight->drops = field_read_number(&reader);
    read_members(&reader, &sight->members);
    read_members(&reader, &sight->snapshot_members);
    field_read_text(&reader, sight->address, sizeof sight->address);
    field_read_text(&reader, sight->error, sizeof sight->error);
    field_read_text(&reader, sight->damaged_file, sizeof sight->damaged_file);
    read_refusal(&reader, sight);
    read_statistics(&reader, &sight->statistics);
    read_peers(&reader, sight);
    return field_read_end(&reader);
}

void control_write_address(uint64_t id, const char *address, struct buffer *out)
{
    field_write_number(out, id);
    field_write_bytes(out, bytes_of_text(address));
}

void control_read_address(struct field_reader *reader, struct control_address *address)
{
    address->id = field_read_number(reader);
    field_read_text(reader, address->address, sizeof address->address);
}

void control_write_disk(const struct control_disk *disk, const struct raft_configuration *members,
                        struct buffer *out)
{
    field_write_number(out, disk->term);
    field_write_number(out, disk->vote);
    field_write_number(out, disk->first_index);
    field_write_number(out, disk->last_index);
    write_members(out, members);
}

void control_read_disk(struct field_reader *reader, struct control_disk *disk,
                       struct raft_configuration *members)
{
    disk->term = field_read_number(reader);
    disk->vote = field_read_number(reader);
    disk->first_index = field_read_number(reader);
    disk->last_index = field_read_number(reader);
    read_members(reader, members);
}

/* ---- logs ----------------------------------------------------------------------------------- */

void control_write_entry(const struct raft_entry *entry, struct buffer *out)
{
    field_write_number(out, entry->term);
    field_write_number(out, raft_entry_kind(entry));
    field_write_bytes(out, raft_entry_payload(entry));
}

bool control_read_entry(struct field_reader *reader, struct raft_entry *entry)
{
    uint64_t term = field_read_number(reader);
    enum raft_entry_kind kind =
        (enum raft_entry_kind)field_read_at_most(reader, RAFT_ENTRY_CONFIGURATION);
    struct bytes payload = field_read_bytes(reader);
    if (reader->is_bad || payload.size > RAFT_ENTRY_BYTES_MAX) {
        reader->is_bad = true;
        return false;
    }
    *entry = (struct raft_entry){
        .term = term,
        .batch = payload.size > 0 ? batch_copy(NULL, payload.data, payload.size) : NULL,
        .size_and_kind = raft_entry_pack((uint32_t)payload.size, kind),
    };
    return true;
}
