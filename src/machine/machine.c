/*
 * A state machine with its client sessions: the payload's head, and that a session's command is
 * applied exactly once. It never looks into a command and keeps nothing that does not follow from
 * the commands that were applied.
 */
#include "machine/internal.h"

#define HEAD_PLAIN 0
#define HEAD_SESSION 1
#define HEAD_OPENING 2
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

static const uint8_t opening[] = {HEAD_OPENING};
const struct bytes machine_opening_payload = {opening, sizeof opening};

void machine_payload_address(uint8_t *payload, uint64_t session, uint64_t sequence)
{
    ensure(payload[0] == HEAD_SESSION && session != 0);
    store_u64(payload + 1, session);
    store_u64(payload + 9, sequence);
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

static bool apply_in_session(struct machine *machine, uint64_t index,
                             const struct machine_payload *payload, struct buffer *result,
                             enum machine_verdict *verdict, struct failure *failure)
{
    const struct session *known = sessions_use(&machine->sessions, payload->session);
    if (known == NULL || payload->sequence < known->sequence) {
        *verdict = known == NULL ? MACHINE_SESSION_UNKNOWN : MACHINE_SESSION_PAST;
        value_write_null(result);
        return true;
    }
    if (payload->sequence == known->sequence) {
        buffer_append(result, known->result->data, known->result->size);
        return true;
    }
    size_t before = result->size;
    if (!apply_command(machine, index, payload->command, result, failure)) {
        return false;
    }
    struct bytes answer = {result->data + before, result->size - before};
    sessions_remember(&machine->sessions, payload->session, payload->sequence, answer);
    return true;
}

bool machine_apply(struct machine *machine, uint64_t index, struct bytes payload,
                   struct buffer *result, enum machine_verdict *verdict, struct failure *failure)
{
    struct machine_payload parsed;
    *verdict = MACHINE_APPLIED;
    if (!machine_payload_read(payload, &parsed)) {
        size_t before = result->size;
        value_write_null(result); /* whoever wrote it, it is the same to every replica */
        if (bytes_equal(payload, machine_opening_payload)) {
            struct bytes answer = {result->data + before, result->size - before};
            sessions_remember(&machine->sessions, index, 0, answer);
        }
        return true;
    }
    return parsed.session == 0
               ? apply_command(machine, index, parsed.command, result, failure)
               : apply_in_session(machine, index, &parsed, result, verdict, failure);
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
