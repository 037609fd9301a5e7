/*
 * Fuzzes what goes over the connection between a cluster and a node's process: what can be read is
 * written to bytes that are read as the same, and all else is refused. The first byte chooses the
 * kind of message.
 */
#include "process/internal.h"
#include "support/fuzz.h"

static void check_open(struct bytes body)
{
    struct control_open open;
    struct control_open again;
    struct buffer bytes = {0};
    struct buffer twice = {0};
    if (control_read_open(body, &open)) {
        control_write_open(&open, &bytes);
        ensure(control_read_open(buffer_bytes(&bytes), &again));
        control_write_open(&again, &twice);
        ensure(bytes_equal(buffer_bytes(&bytes), buffer_bytes(&twice)));
    }
    buffer_free(&bytes);
    buffer_free(&twice);
}

static void check_order(struct bytes body)
{
    struct control_order order;
    struct control_order again;
    struct buffer bytes = {0};
    if (control_read_order(body, &order)) {
        control_write_order(&order, &bytes);
        ensure(control_read_order(buffer_bytes(&bytes), &again));
        ensure(again.call == order.call && again.number == order.number &&
               again.target == order.target && again.flag == order.flag &&
               bytes_equal(again.bytes, order.bytes) && bytes_equal(again.more, order.more));
    }
    buffer_free(&bytes);
}

static void check_entries(struct bytes list)
{
    struct field_reader reader = {.rest = list};
    struct raft_entry entry;
    while (reader.rest.size > 0 && control_read_entry(&reader, &entry)) {
        batch_release(entry.batch);
    }
}

static void check_answer(struct bytes body)
{
    struct control_answer answer;
    struct control_answer again;
    struct buffer bytes = {0};
    if (control_read_answer(body, &answer)) {
        control_write_answer(&answer, &bytes);
        ensure(control_read_answer(buffer_bytes(&bytes), &again));
        ensure(again.number == answer.number && again.failure.code == answer.failure.code &&
               again.index == answer.index && bytes_equal(again.bytes, answer.bytes));
        check_entries(answer.bytes);
    }
    buffer_free(&bytes);
}

static void check_view(struct bytes body)
{
    struct sight sight = {0};
    struct sight again = {0};
    struct buffer bytes = {0};
    struct buffer twice = {0};
    sight_prepare(&sight, 1);
    sight_prepare(&again, 1);
    if (control_read_view(body, &sight)) {
        control_write_view(&sight.view, &sight, &bytes);
        ensure(control_read_view(buffer_bytes(&bytes), &again));
        control_write_view(&again.view, &again, &twice);
        ensure(bytes_equal(buffer_bytes(&bytes), buffer_bytes(&twice)));
        (void)node_state_name(sight.view.state);
        (void)raft_role_name(sight.view.role);
    }
    sight_free(&sight);
    sight_free(&again);
    buffer_free(&bytes);
    buffer_free(&twice);
}

static void check_disk(struct bytes body)
{
    struct field_reader reader = {.rest = body};
    struct control_disk disk;
    struct raft_configuration members = {0};
    control_read_disk(&reader, &disk, &members);
    raft_configuration_free(&members);
    if (!reader.is_bad) {
        check_entries(reader.rest);
    }
}

static void check_addresses(struct bytes body)
{
    struct field_reader reader = {.rest = body};
    struct control_address address;
    while (reader.rest.size > 0 && !reader.is_bad) {
        control_read_address(&reader, &address);
        ensure(strlen(address.address) < sizeof address.address);
    }
}

static void check_faults(struct bytes body)
{
    struct faults *faults = faults_new(1, NULL);
    struct faults *again = faults_new(1, NULL);
    struct buffer bytes = {0};
    struct buffer twice = {0};
    (void)faults_epoch(faults, 1, 2);
    if (faults_read(faults, body)) {
        faults_write(faults, &bytes);
        ensure(faults_read(again, buffer_bytes(&bytes)));
        faults_write(again, &twice);
        ensure(bytes_equal(buffer_bytes(&bytes), buffer_bytes(&twice)));
        ensure(faults_is_cut(faults, 1, 2, NULL) == faults_is_cut(again, 1, 2, NULL));
    }
    buffer_free(&bytes);
    buffer_free(&twice);
    faults_free(faults);
    faults_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const checks[])(struct bytes body) = {check_open,     check_order,  check_answer,
                                                        check_view,     check_faults, check_disk,
                                                        check_addresses};
    if (size > 0) {
        checks[data[0] % (sizeof checks / sizeof *checks)]((struct bytes){data + 1, size - 1});
    }
    return 0;
}
