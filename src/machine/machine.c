/*
 * A state machine with its client sessions: the payload's head, and that a session's command is
 * applied exactly once. It never looks into a command and keeps nothing that does not follow from
 * the commands that were applied.
 */
#include "machine/internal.h"

#define HEAD_PLAIN 0
#define HEAD_SESSION 1
#define HEAD_SESSION_BYTES 17

void machine_payload_write(struct buffer *out, const struct machine_payload *payload)
{
    if (payload->session == 0) {
        buffer_append_byte(out, HEAD_PLAIN);
    } else {
        uint8_t *head = buffer_extend(out, HEAD_SESSION_BYTES);
        head[0] = HEAD_SESSION;
        store_u64(head + 1, payload->session);
        store_u64(head + 9, payload->sequence);
    }
    buffer_append(out, payload->command.data, payload->command.size);
}

bool machine_payload_read(struct bytes bytes, struct machine_payload *payload)
{
    size_t head = 1;
    payload->session = 0;
    payload->sequence = 0;
    if (bytes.size < 1 || bytes.data[0] > HEAD_SESSION) {
        return false;
    }
    if (bytes.data[0] == HEAD_SESSION) {
        head = HEAD_SESSION_BYTES;
        if (bytes.size < head) {
            return false;
        }
        payload->session = load_u64(bytes.data + 1);
        payload->sequence = load_u64(bytes.data + 9);
        if (payload->session == 0) {
            return false;
        }
    }
    payload->command = (struct bytes){bytes.data + head, bytes.size - head};
    return true;
}

struct machine *machine_new(const struct machine_operations *operations, void *self)
{
    ensure(operations != NULL && operations->apply != NULL && operations->query != NULL);
    struct machine *machine = memory_new_zeroed(1, sizeof *machine);
    machine->operations = operations;
    machine->self = self;
    return machine;
}

void machine_free(struct machine *machine)
{
    if (machine == NULL) {
        return;
    }
    machine_snapshot_free(machine);
    if (machine->operations->free != NULL) {
        machine->operations->free(machine->self);
    }
    sessions_free(&machine->sessions);
    memory_free(machine);
}

void *machine_self(struct machine *machine)
{
    return machine->self;
}

static bool apply_command(struct machine *machine, uint64_t index, struct bytes command,
                          struct buffer *result, struct failure *failure)
{
    size_t before = result->size;
    if (!machine->operations->apply(machine->self, index, command, result, failure)) {
        return false;
    }
    if (result->size == before) {
        value_write_null(result);
    } else if (result->size - before > VALUE_BYTES_MAX) {
        result->size = before;
    }
    return true;
}

bool machine_apply(struct machine *machine, uint64_t index, struct bytes payload,
                   struct buffer *result, struct failure *failure)
{
    struct machine_payload parsed;
    if (!machine_payload_read(payload, &parsed)) {
        value_write_null(result); /* whoever wrote it, it is the same to every replica */
        return true;
    }
    if (parsed.session == 0) {
        return apply_command(machine, index, parsed.command, result, failure);
    }
    const struct session *known = sessions_use(&machine->sessions, parsed.session);
    if (known != NULL && parsed.sequence == known->sequence) {
        buffer_append(result, known->result->data, known->result->size);
        return true;
    }
    if (known != NULL && parsed.sequence < known->sequence) {
        value_write_null(result);
        return true;
    }
    size_t before = result->size;
    if (!apply_command(machine, index, parsed.command, result, failure)) {
        return false;
    }
    struct bytes answer = {result->data + before, result->size - before};
    sessions_remember(&machine->sessions, parsed.session, parsed.sequence, answer);
    return true;
}

bool machine_query(struct machine *machine, struct bytes request, struct buffer *answer,
                   struct failure *failure)
{
    size_t before = answer->size;
    if (!machine->operations->query(machine->self, request, answer, failure)) {
        return false;
    }
    if (answer->size == before) {
        value_write_null(answer);
    } else if (answer->size - before > VALUE_BYTES_MAX) {
        answer->size = before;
        failure_set(failure, FAILURE_TOO_LARGE, "the answer is larger than %u bytes",
                    VALUE_BYTES_MAX);
        return false;
    }
    return true;
}
