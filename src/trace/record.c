/*
 * Events as records: bytes that hold all of an event but its number, for the ring of recent events
 * and for a process that reads what another one's nodes do. Unlike lines of JSON they are kept
 * nowhere else: who writes them and who reads them are the same program.
 *
 * A head of 64 bits says which pairs of an event's numbers are not both 0, and what else is there,
 * and holds what is smaller. The pairs follow, as they are in memory, and then what has a size of
 * its own, as fields of base.h. To write one costs no more than to copy the event, and it has a
 * third of its size.
 */
#include "trace/internal.h"

#include <string.h>

#define PAIRS (TRACE_NUMBERS / 2)
#define PAIR_BYTES (2 * sizeof(uint64_t))
_Static_assert(TRACE_NUMBERS % 2 == 0, "an event's numbers are pairs");

/* The head: a bit for each pair, the last one's lowest, a bit for each of these, and behind them
 * the small fields. */
enum record_flag {
    RECORD_REJECT = 1,
    RECORD_FLAG = 2,
    RECORD_ROLE = 4,
    RECORD_FRAME = 8, /* the name of a message without a code */
    RECORD_ENTRIES = 16,
    RECORD_ENTRY_COUNT = 32,
    RECORD_TEXT = 64,
    RECORD_VALUE = 128,
    RECORD_CONFIGURATIONS = 256,
    RECORD_SIZED = RECORD_FRAME | RECORD_ENTRIES | RECORD_ENTRY_COUNT | RECORD_TEXT | RECORD_VALUE |
                   RECORD_CONFIGURATIONS,
};
#define FLAG_BITS 9U

#define FLAGS_AT PAIRS
#define KIND_AT (FLAGS_AT + FLAG_BITS)
#define WHAT_AT (KIND_AT + 8U)
#define ROLE_AT (WHAT_AT + 4U)
#define MESSAGE_AT (ROLE_AT + 8U)
#define HEAD_END (MESSAGE_AT + 8U)
_Static_assert(HEAD_END <= 64, "a record's head has 64 bits");
_Static_assert(TRACE_WHAT_ALL < 16, "it has four of them for what a write was about");

/* ---- writing -------------------------------------------------------------------------------- */

static uint64_t flags_of(const struct trace_event *event, bool with_entries)
{
    uint64_t flags = (event->reject ? RECORD_REJECT : 0U) | (event->flag ? RECORD_FLAG : 0U) |
                     (event->role_name != NULL ? RECORD_ROLE : 0U) |
                     (event->text.size > 0 ? RECORD_TEXT : 0U) |
                     (event->value.size > 0 ? RECORD_VALUE : 0U);
    if (event->message_name != NULL && event->message_kind == 0) {
        flags |= RECORD_FRAME;
    }
    if (event->entry_count > 0) {
        flags |= with_entries && event->entries != NULL ? RECORD_ENTRIES : RECORD_ENTRY_COUNT;
    }
    if (with_entries && event->configurations.size > 0) {
        flags |= RECORD_CONFIGURATIONS;
    }
    return flags;
}

/* What has a size of its own. */
static void write_sized(const struct trace_event *event, uint64_t flags, struct buffer *out)
{
    if ((flags & RECORD_FRAME) != 0) {
        field_write_bytes(out, bytes_of_text(event->message_name));
    }
    if ((flags & (RECORD_ENTRIES | RECORD_ENTRY_COUNT)) != 0) {
        field_write_number(out, event->entry_count);
    }
    for (uint32_t i = 0; (flags & RECORD_ENTRIES) != 0 && i < event->entry_count; i++) {
        field_write_number(out, event->entries[i].term);
        field_write_number(out, event->entries[i].hash);
    }
    if ((flags & RECORD_TEXT) != 0) {
        field_write_bytes(out, event->text);
    }
    if ((flags & RECORD_VALUE) != 0) {
        field_write_bytes(out, event->value);
    }
    if ((flags & RECORD_CONFIGURATIONS) != 0) {
        field_write_bytes(out, event->configurations);
    }
}

void trace_write_record(const struct trace_event *event, bool with_entries, struct buffer *out)
{
    uint64_t flags = flags_of(event, with_entries);
    uint64_t head = flags << FLAGS_AT | (uint64_t)event->kind << KIND_AT |
                    (uint64_t)(event->what & TRACE_WHAT_ALL) << WHAT_AT |
                    (uint64_t)event->role << ROLE_AT | (uint64_t)event->message_kind << MESSAGE_AT;
    const uint64_t *numbers = trace_numbers(event);
    uint64_t pairs = 0;
    uint8_t *record = buffer_extend(out, sizeof head + PAIRS * PAIR_BYTES);
    uint8_t *at = record + sizeof head;
    /* Each is copied, and the next is copied over one that is 0: no jump has to be guessed. */
    for (size_t i = 0; i < PAIRS; i++) {
        uint64_t is_there = (numbers[2 * i] | numbers[2 * i + 1]) != 0 ? 1 : 0;
        memcpy(at, numbers + 2 * i, PAIR_BYTES);
        at += is_there * PAIR_BYTES;
        pairs = pairs << 1 | is_there;
    }
    store_u64(record, head | pairs);
    out->size -= (size_t)(record + sizeof head + PAIRS * PAIR_BYTES - at);
    if ((flags & RECORD_SIZED) != 0) {
        write_sized(event, flags, out);
    }
}

/* ---- reading -------------------------------------------------------------------------------- */

static void read_pair(struct field_reader *reader, uint8_t *pair)
{
    if (reader->rest.size < PAIR_BYTES) {
        reader->is_bad = true;
        return;
    }
    memcpy(pair, reader->rest.data, PAIR_BYTES);
    reader->rest.data += PAIR_BYTES;
    reader->rest.size -= PAIR_BYTES;
}

static void read_head(struct field_reader *reader, uint64_t head, struct trace_event *event)
{
    uint64_t kind = head >> KIND_AT & UINT8_MAX;
    event->kind = (uint8_t)kind;
    event->what = (uint8_t)(head >> WHAT_AT & TRACE_WHAT_ALL);
    event->reject = (head >> FLAGS_AT & RECORD_REJECT) != 0;
    event->flag = (head >> FLAGS_AT & RECORD_FLAG) != 0;
    reader->is_bad = reader->is_bad || head >> HEAD_END != 0 || kind >= TRACE_KIND_COUNT;
    for (size_t i = 0; i < PAIRS; i++) {
        if ((head >> (PAIRS - 1 - i) & 1) != 0) {
            read_pair(reader, (uint8_t *)event + i * PAIR_BYTES);
        }
    }
    event->role = (uint8_t)(head >> ROLE_AT);
    if ((head >> FLAGS_AT & RECORD_ROLE) != 0) {
        event->role_name = trace_role_name(event->role);
        reader->is_bad = reader->is_bad || event->role_name == NULL;
    }
    event->message_kind = (uint8_t)(head >> MESSAGE_AT);
    if (event->message_kind != 0) {
        event->message_name = trace_message_name(event->message_kind);
        reader->is_bad = reader->is_bad || event->message_name == NULL;
    }
}

static void read_entries(struct field_reader *reader, struct trace_event *event,
                         struct buffer *storage)
{
    if (reader->is_bad || event->entry_count > reader->rest.size / 2) {
        reader->is_bad = true;
        return;
    }
    struct trace_entry *entries =
        (void *)buffer_extend(storage, event->entry_count * sizeof *entries);
    for (uint32_t i = 0; i < event->entry_count; i++) {
        entries[i].term = field_read_number(reader);
        entries[i].hash = field_read_number(reader);
    }
    event->entries = entries;
}

/* Pairs of an index and a string, as readers take for granted. */
static bool are_configurations(struct bytes bytes)
{
    struct value_reader reader = {bytes.data, bytes.size, 0};
    struct value_item item;
    while (reader.position < bytes.size) {
        if (!value_read(&reader, &item) || item.kind != VALUE_INTEGER ||
            !value_read(&reader, &item) || item.kind != VALUE_STRING) {
            return false;
        }
    }
    return true;
}

static void read_sized(struct field_reader *reader, uint64_t flags, struct trace_event *event,
                       struct buffer *storage)
{
    if ((flags & RECORD_FRAME) != 0) {
        event->message_name =
            trace_message_from_name(field_read_bytes(reader), &event->message_kind);
        reader->is_bad = reader->is_bad || event->message_kind != 0;
    }
    if ((flags & (RECORD_ENTRIES | RECORD_ENTRY_COUNT)) != 0) {
        event->entry_count = (uint32_t)field_read_at_most(reader, UINT32_MAX);
    }
    if ((flags & RECORD_ENTRIES) != 0) {
        read_entries(reader, event, storage);
    }
    if ((flags & RECORD_TEXT) != 0) {
        event->text = field_read_bytes(reader);
    }
    if ((flags & RECORD_VALUE) != 0) {
        event->value = field_read_bytes(reader);
        reader->is_bad = reader->is_bad || !value_is_valid(event->value);
    }
    if ((flags & RECORD_CONFIGURATIONS) != 0) {
        event->configurations = field_read_bytes(reader);
        reader->is_bad = reader->is_bad || !are_configurations(event->configurations);
    }
}

bool trace_read_record(struct bytes record, struct trace_event *event, struct buffer *storage)
{
    struct field_reader reader = {.rest = record};
    *event = trace_no_event;
    buffer_clear(storage);
    if (record.size < sizeof(uint64_t)) {
        return false;
    }
    uint64_t head = load_u64(record.data);
    reader.rest.data += sizeof head;
    reader.rest.size -= sizeof head;
    read_head(&reader, head, event);
    read_sized(&reader, head >> FLAGS_AT, event, storage);
    return field_read_end(&reader);
}
