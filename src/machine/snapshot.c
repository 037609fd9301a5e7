/*
 * Snapshots of a machine with its sessions: the sessions first, then what the machine itself
 * writes. Commands go on meanwhile: the results of sessions are held as they were at the beginning.
 * Nothing read is believed.
 *
 * The bytes: version (u32), the number of sessions (u32), each of them (id and sequence, u64 each,
 * the result's size, u32, the result), the one whose last use is longest ago first; then the
 * machine's.
 */
#include "machine/internal.h"

#define MACHINE_VERSION 1U
#define HEAD_BYTES 8U
#define SESSION_HEAD_BYTES 20U

bool machine_has_snapshots(const struct machine *machine)
{
    return machine->operations->snapshot_begin != NULL;
}

static bool has_none(struct failure *failure)
{
    failure_set(failure, FAILURE_UNSUPPORTED,
                "the machine has no snapshots: it needs snapshot and restore");
    return false;
}

static uint64_t digest_session(uint64_t digest, uint64_t id, uint64_t sequence, struct bytes result)
{
    digest = hash_mix(hash_mix(digest, id), sequence);
    return hash_mix(digest, hash_bytes(result.data, result.size, 0));
}

/* ---- writing -------------------------------------------------------------------------------- */

static void hold_sessions(struct machine *machine)
{
    struct machine_snapshot *snapshot = &machine->snapshot;
    struct sessions *sessions = &machine->sessions;
    machine->sessions_digest = 1;
    for (struct list_link *at = list_first(&sessions->used); at != NULL;
         at = list_next(&sessions->used, at)) {
        const struct session *session = item_of(at, struct session, by_use);
        *array_push(&snapshot->sessions) =
            (struct session_image){session->id, session->sequence, batch_hold(session->result)};
    }
}

static void close_snapshot(struct machine *machine)
{
    struct machine_snapshot *snapshot = &machine->snapshot;
    for (size_t i = 0; i < snapshot->sessions.count; i++) {
        batch_release(snapshot->sessions.items[i].result);
    }
    array_free(&snapshot->sessions);
    *snapshot = (struct machine_snapshot){0};
}

bool machine_snapshot_begin(struct machine *machine, struct failure *failure)
{
    ensure(!machine->snapshot.is_open && !machine->restore.is_open);
    if (!machine_has_snapshots(machine)) {
        return has_none(failure);
    }
    if (!machine_digest(machine, &machine->state_digest, failure) ||
        !machine->operations->snapshot_begin(machine->self, failure)) {
        return false;
    }
    machine->snapshot.is_open = true;
    hold_sessions(machine);
    return true;
}

static void write_session(struct machine *machine, struct buffer *out)
{
    struct machine_snapshot *snapshot = &machine->snapshot;
    struct session_image *image = &snapshot->sessions.items[snapshot->written++];
    struct bytes result = batch_bytes(image->result);
    uint8_t *head = buffer_extend(out, SESSION_HEAD_BYTES);
    store_u64(head, image->id);
    store_u64(head + 8, image->sequence);
    store_u32(head + 16, (uint32_t)result.size);
    buffer_append(out, result.data, result.size);
    machine->sessions_digest =
        digest_session(machine->sessions_digest, image->id, image->sequence, result);
    batch_release(image->result);
    image->result = NULL;
}

bool machine_snapshot_next(struct machine *machine, size_t wanted, struct buffer *out, bool *over,
                           struct failure *failure)
{
    struct machine_snapshot *snapshot = &machine->snapshot;
    size_t before = out->size;
    ensure(snapshot->is_open && wanted > 0);
    if (!snapshot->head_begun) {
        snapshot->head_begun = true;
        uint8_t *head = buffer_extend(out, HEAD_BYTES);
        store_u32(head, MACHINE_VERSION);
        store_u32(head + 4, (uint32_t)snapshot->sessions.count);
    }
    while (snapshot->written < snapshot->sessions.count && out->size - before < wanted) {
        write_session(machine, out);
    }
    *over = false;
    size_t written = out->size - before;
    return written >= wanted ||
           machine->operations->snapshot_next(machine->self, wanted - written, out, over, failure);
}

void machine_snapshot_end(struct machine *machine)
{
    if (machine->snapshot.is_open) {
        machine->operations->snapshot_end(machine->self);
        close_snapshot(machine);
    }
}

size_t machine_kept_bytes(const struct machine *machine)
{
    return machine->operations->kept_bytes == NULL ? 0
                                                   : machine->operations->kept_bytes(machine->self);
}

bool machine_digest(struct machine *machine, uint64_t *digest, struct failure *failure)
{
    *digest = 0;
    return machine->operations->digest == NULL ||
           machine->operations->digest(machine->self, digest, failure);
}

uint64_t machine_snapshot_digest(const struct machine *machine)
{
    return machine->state_digest == 0 ? 0
                                      : hash_mix(machine->sessions_digest, machine->state_digest);
}

/* ---- reading -------------------------------------------------------------------------------- */

bool machine_restore_begin(struct machine *machine, struct failure *failure)
{
    if (!machine_has_snapshots(machine)) {
        return has_none(failure);
    }
    machine_snapshot_end(machine);
    gather_free(&machine->restore.gather);
    sessions_free(&machine->sessions);
    machine->sessions_digest = 1;
    machine->restore = (struct machine_restore){.is_open = true};
    return machine->operations->restore_begin(machine->self, failure);
}

static bool refuse(struct failure *failure, const char *problem)
{
    failure_set(failure, FAILURE_STORAGE, "the snapshot %s", problem);
    return false;
}

static bool read_head(struct machine_restore *restore, const uint8_t *head, struct failure *failure)
{
    restore->head_read = true;
    restore->sessions = load_u32(head + 4);
    if (load_u32(head) != MACHINE_VERSION) {
        return refuse(failure, "has an unknown version");
    }
    return restore->sessions <= SESSIONS_MAX || refuse(failure, "has too many sessions");
}

static bool read_session(struct machine *machine, const uint8_t *result, struct failure *failure)
{
    struct machine_restore *restore = &machine->restore;
    struct bytes bytes = {result, restore->result_size};
    restore->session_begun = false;
    restore->sessions--;
    if (restore->id == 0 || sessions_use(&machine->sessions, restore->id) != NULL) {
        return refuse(failure, "has an impossible session");
    }
    sessions_remember(&machine->sessions, restore->id, restore->sequence, bytes);
    machine->sessions_digest =
        digest_session(machine->sessions_digest, restore->id, restore->sequence, bytes);
    return true;
}

static bool read_session_head(struct machine *machine, const uint8_t *head, struct failure *failure)
{
    struct machine_restore *restore = &machine->restore;
    restore->session_begun = true;
    restore->id = load_u64(head);
    restore->sequence = load_u64(head + 8);
    restore->result_size = load_u32(head + 16);
    if (restore->result_size > VALUE_BYTES_MAX) {
        return refuse(failure, "has a session with an impossible result");
    }
    return restore->result_size > 0 || read_session(machine, NULL, failure);
}

/* One part of what stands before the machine's own bytes; true also where it is not whole yet. */
static bool read_part(struct machine *machine, struct bytes *piece, struct failure *failure)
{
    struct machine_restore *restore = &machine->restore;
    size_t size = !restore->head_read      ? HEAD_BYTES
                  : restore->session_begun ? restore->result_size
                                           : SESSION_HEAD_BYTES;
    const uint8_t *part = gather_take(&restore->gather, piece, size);
    if (part == NULL) {
        return true;
    }
    if (!restore->head_read) {
        return read_head(restore, part, failure);
    }
    return restore->session_begun ? read_session(machine, part, failure)
                                  : read_session_head(machine, part, failure);
}

bool machine_restore_piece(struct machine *machine, struct bytes piece, struct failure *failure)
{
    struct machine_restore *restore = &machine->restore;
    ensure(restore->is_open);
    while (piece.size > 0 && (!restore->head_read || restore->sessions > 0)) {
        if (!read_part(machine, &piece, failure)) {
            return false;
        }
    }
    return piece.size == 0 || machine->operations->restore_piece(machine->self, piece, failure);
}

bool machine_restore_end(struct machine *machine, struct failure *failure)
{
    bool whole = machine->restore.head_read && machine->restore.sessions == 0;
    ensure(machine->restore.is_open);
    machine->restore.is_open = false;
    gather_free(&machine->restore.gather);
    if (!whole) {
        return refuse(failure, "is not whole");
    }
    return machine->operations->restore_end(machine->self, failure) &&
           machine_digest(machine, &machine->state_digest, failure);
}

void machine_snapshot_free(struct machine *machine)
{
    machine_snapshot_end(machine);
    gather_free(&machine->restore.gather);
}
