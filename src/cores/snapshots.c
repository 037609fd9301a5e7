/*
 * What a replica of the harness keeps of snapshots. There is no machine: what a snapshot holds is a
 * digest of all that was applied, so that two that differ at one index are noticed. Its bytes are
 * padded as the caller likes, with the id of who took it, so that no two servers' are alike.
 *
 *   u64 index, term, index of the members, digest, size of the members; the members; padding; u64
 *   checksum of all before it
 *
 * It decides nothing that is the store's or the node's to decide in another way: the latest is
 * kept, and those that are being sent.
 */
#include "cores/internal.h"

#define HEAD_BYTES ((size_t)(5 * 8))

static void free_snapshot(struct core_snapshot *snapshot)
{
    raft_configuration_free(&snapshot->members);
    batch_release(snapshot->bytes);
}

/* ---- bytes ---------------------------------------------------------------------------------- */

static struct batch *write_snapshot(const struct core *core, const struct raft_snapshot *about,
                                    size_t padding)
{
    struct buffer members = {NULL, 0, 0};
    struct buffer bytes = {NULL, 0, 0};
    raft_configuration_encode(about->members, &members);
    uint8_t *head = buffer_extend(&bytes, HEAD_BYTES);
    uint64_t numbers[] = {about->index, about->term, about->members_index, core->digest,
                          members.size};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        store_u64(head + 8 * i, numbers[i]);
    }
    buffer_append(&bytes, members.data, members.size);
    for (size_t i = 0; i < padding; i++) {
        buffer_append_byte(&bytes, (uint8_t)core->id);
    }
    uint64_t checksum = hash_bytes(bytes.data, bytes.size, 0);
    store_u64(buffer_extend(&bytes, 8), checksum);
    struct batch *batch = batch_copy(NULL, bytes.data, bytes.size);
    buffer_free(&members);
    buffer_free(&bytes);
    return batch;
}

/* false: these are not the bytes of one snapshot. */
static bool read_snapshot(struct bytes bytes, struct core_snapshot *out)
{
    *out = (struct core_snapshot){.bytes = NULL};
    if (bytes.size < HEAD_BYTES + 8 ||
        load_u64(bytes.data + bytes.size - 8) != hash_bytes(bytes.data, bytes.size - 8, 0)) {
        return false;
    }
    out->about.index = load_u64(bytes.data);
    out->about.term = load_u64(bytes.data + 8);
    out->about.members_index = load_u64(bytes.data + 16);
    out->about.size = bytes.size;
    out->digest = load_u64(bytes.data + 24);
    uint64_t size = load_u64(bytes.data + 32);
    struct bytes members = {bytes.data + HEAD_BYTES, (size_t)size};
    if (size > bytes.size - HEAD_BYTES - 8 || !raft_configuration_decode(members, &out->members)) {
        return false;
    }
    out->bytes = batch_copy(NULL, bytes.data, bytes.size);
    return true;
}

/* ---- what is kept --------------------------------------------------------------------------- */

const struct core_snapshot *core_snapshot_at(const struct core *core, uint64_t index)
{
    for (size_t i = 0; i < core->snapshots.count; i++) {
        if (core->snapshots.items[i].about.index == index) {
            return &core->snapshots.items[i];
        }
    }
    return NULL;
}

const struct core_snapshot *core_last_snapshot(const struct core *core)
{
    size_t count = core->snapshots.count;
    return count > 0 ? &core->snapshots.items[count - 1] : NULL;
}

static uint64_t last_index(const struct core *core)
{
    const struct core_snapshot *last = core_last_snapshot(core);
    return last != NULL ? last->about.index : 0;
}

void snapshots_prune(struct core *core)
{
    for (size_t i = core->snapshots.count; i > 1; i--) {
        struct core_snapshot *snapshot = &core->snapshots.items[i - 2];
        if (!raft_sends_snapshot(core->raft, snapshot->about.index)) {
            free_snapshot(snapshot);
            array_remove(&core->snapshots, i - 2, 1);
        }
    }
}

/* What it keeps, as an event gives it. */
static struct raft_snapshot about(const struct core_snapshot *snapshot)
{
    struct raft_snapshot about = snapshot->about;
    about.members = &snapshot->members;
    return about;
}

/* What was applied, entry by entry: terms and payloads. */
static void extend_digest(struct core *core, uint64_t to)
{
    for (uint64_t index = core->digest_index + 1; index <= to; index++) {
        const struct raft_entry *entry = raft_entry_at(core->raft, index);
        struct bytes payload = raft_entry_payload(entry);
        core->digest = hash_mix(core->digest, entry->term);
        core->digest =
            hash_mix(core->digest,
                     payload.size > 0 ? hash_bytes(payload.data, payload.size, 0) : payload.size);
    }
    core->digest_index = to;
}

uint64_t cores_digest(struct cores *cores, uint64_t id)
{
    struct core *core = cores_core(cores, id);
    extend_digest(core, core->applied);
    return core->digest;
}

const struct raft_update *cores_compact(struct cores *cores, uint64_t id, uint64_t first_index,
                                        size_t padding)
{
    struct core *core = cores_core(cores, id);
    struct raft_snapshot what = raft_snapshot_at(core->raft, core->applied);
    if (what.index == 0) {
        return NULL;
    }
    extend_digest(core, what.index);
    struct batch *bytes = write_snapshot(core, &what, padding);
    struct core_snapshot *snapshot = array_push(&core->snapshots);
    bool is_read = read_snapshot(batch_bytes(bytes), snapshot);
    ensure(is_read);
    batch_release(bytes);
    what = about(snapshot);
    struct raft_event event = {
        .kind = RAFT_EVENT_SNAPSHOT_TAKEN,
        .snapshot = &what,
        .first_index = first_index == 0 || first_index > what.index ? what.index + 1 : first_index,
    };
    return cores_step(cores, id, &event);
}

/* ---- what is sent and received -------------------------------------------------------------- */

void snapshots_fill_piece(const struct core *core, struct raft_message *message)
{
    const struct core_snapshot *snapshot = core_snapshot_at(core, message->prev_index);
    ensure(snapshot != NULL && message->offset + message->piece_size <= snapshot->bytes->size);
    ensure(message->last == (message->offset + message->piece_size == snapshot->bytes->size));
    message->piece = snapshot->bytes;
    message->piece_offset = (uint32_t)message->offset;
}

void snapshots_installed(struct core *core, uint64_t index)
{
    const struct core_snapshot *snapshot = core_last_snapshot(core);
    ensure(snapshot != NULL && snapshot->about.index == index);
    core->applied = index;
    core->digest = snapshot->digest;
    core->digest_index = index;
}

static const struct raft_update *tell_written(struct cores *cores, const struct core *core,
                                              const struct raft_message *message, bool reject)
{
    struct raft_event event = {
        .kind = RAFT_EVENT_SNAPSHOT_WRITTEN, .message = message, .reject = reject};
    return cores_step(cores, core->id, &event);
}

/* All of it is there. */
static const struct raft_update *install(struct cores *cores, struct core *core,
                                         const struct raft_message *message)
{
    struct core_snapshot snapshot;
    bool is_read = read_snapshot(buffer_bytes(&core->received), &snapshot);
    buffer_clear(&core->received);
    struct raft_snapshot what = about(&snapshot);
    if (!is_read || raft_snapshot_problem(message, &what) != NULL) {
        free_snapshot(&snapshot);
        core->refused++;
        return tell_written(cores, core, message, true);
    }
    bool is_newer = what.index > last_index(core);
    if (is_newer) {
        struct core_snapshot *place = array_push(&core->snapshots);
        ensure(place != NULL);
        *place = snapshot;
    }
    struct raft_event event = {
        .kind = RAFT_EVENT_SNAPSHOT_INSTALLED, .snapshot = &what, .message = message};
    const struct raft_update *update = cores_step(cores, core->id, &event);
    if (!is_newer) {
        free_snapshot(&snapshot);
    }
    return update;
}

const struct raft_update *cores_write_piece(struct cores *cores, uint64_t id, bool fail)
{
    struct core *core = cores_core(cores, id);
    struct cores_message *piece = item_of(list_first(&core->pieces), struct cores_message, link);
    if (piece == NULL) {
        return NULL;
    }
    ensure(piece->message.piece != NULL);
    list_remove(&piece->link);
    const struct raft_update *update = NULL;
    if (fail) {
        snapshots_drop_received(cores, core);
        update = tell_written(cores, core, &piece->message, true);
    } else {
        struct bytes bytes = raft_message_piece(&piece->message);
        ensure(piece->message.offset == core->received.size);
        buffer_append(&core->received, bytes.data, bytes.size);
        update = piece->message.last ? install(cores, core, &piece->message)
                                     : tell_written(cores, core, &piece->message, false);
    }
    cores_message_free(cores, piece);
    return update;
}

void snapshots_drop_received(struct cores *cores, struct core *core)
{
    buffer_clear(&core->received);
    while (!list_is_empty(&core->pieces)) {
        cores_message_free(cores, item_of(list_first(&core->pieces), struct cores_message, link));
    }
}

/* ---- life ----------------------------------------------------------------------------------- */

void snapshots_free(struct cores *cores, struct core *core)
{
    snapshots_drop_received(cores, core);
    for (size_t i = 0; i < core->snapshots.count; i++) {
        free_snapshot(&core->snapshots.items[i]);
    }
    array_free(&core->snapshots);
    buffer_free(&core->received);
}

void snapshots_copy(struct core *to, const struct core *from)
{
    array_copy(&to->snapshots, &from->snapshots);
    for (size_t i = 0; i < to->snapshots.count; i++) {
        struct core_snapshot *snapshot = &to->snapshots.items[i];
        raft_configuration_copy(&snapshot->members, &from->snapshots.items[i].members);
        snapshot->bytes = batch_hold(snapshot->bytes);
    }
    to->received = (struct buffer){NULL, 0, 0};
    buffer_append(&to->received, from->received.data, from->received.size);
}

uint64_t snapshots_hash(const struct core *core)
{
    uint64_t hash = hash_mix(core->digest, core->digest_index);
    for (size_t i = 0; i < core->snapshots.count; i++) {
        struct bytes bytes = batch_bytes(core->snapshots.items[i].bytes);
        hash = hash_mix(hash, hash_bytes(bytes.data, bytes.size, 0));
    }
    return core->received.size == 0
               ? hash
               : hash_mix(hash, hash_bytes(core->received.data, core->received.size, 0));
}
