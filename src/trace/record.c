/*
 * Events as records: bytes that hold all of an event but its number, for the ring of recent events
 * and for a process that reads what another one's nodes do. Unlike lines of JSON they are kept
 * nowhere else: who writes them and who reads them are the same program.
 *
 * A head: the small fields as they are in memory, and bits that say which pairs of the event's
 * numbers are not both 0, and what else is there. The pairs follow, as they are in memory too, and
 * then what has a size of its own, as fields of base.h. To write one costs little more than to copy
 * the event, and it has a third of its size.
 */
#include "trace/internal.h"

#include <string.h>

#define PAIRS (TRACE_NUMBERS / 2)
#define PAIR_BYTES (2 * sizeof(uint64_t))
_Static_assert(TRACE_NUMBERS % 2 == 0, "an event's numbers are pairs");

/* From entry_count to message_kind. */
#define SMALL_BYTES 8U
_Static_assert(offsetof(struct trace_event, entry_count) + SMALL_BYTES ==
                   offsetof(struct trace_event, reject),
               "an event's small fields stand side by side");

#define HEAD_BYTES (SMALL_BYTES + sizeof(uint32_t))

/* The bits: one for each pair, the last one's lowest, and behind them these. */
enum record_bit {
    RECORD_REJECT = 1 << PAIRS,
    RECORD_FLAG = RECORD_REJECT << 1,
    RECORD_ROLE = RECORD_REJECT << 2,
    RECORD_FRAME = RECORD_REJECT << 3, /* the name of a message without a code */
    RECORD_ENTRIES = RECORD_REJECT << 4,
    RECORD_TEXT = RECORD_REJECT << 5,
    RECORD_VALUE = RECORD_REJECT << 6,
    RECORD_CONFIGURATIONS = RECORD_REJECT << 7,
    RECORD_SIZED =
        RECORD_FRAME | RECORD_ENTRIES | RECORD_TEXT | RECORD_VALUE | RECORD_CONFIGURATIONS,
};

/* ---- writing -------------------------------------------------------------------------------- */

static uint32_t bits_of(const struct trace_event *event, bool with_entries)
{
    uint32_t bits = (event->reject ? RECORD_REJECT : 0U) | (event->flag ? RECORD_FLAG : 0U) |
                    (event->role_name != NULL ? RECORD_ROLE : 0U);
    if (event->message_name != NULL && event->message_kind == 0) {
        bits |= RECORD_FRAME;
    }
    if ((event->text.size | event->value.size) != 0) {
        bits |=
            (event->text.size > 0 ? RECORD_TEXT : 0U) | (event->value.size > 0 ? RECORD_VALUE : 0U);
    }
    if (with_entries) {
        bits |= (event->entries != NULL && event->entry_count > 0 ? RECORD_ENTRIES : 0U) |
                (event->configurations.size > 0 ? RECORD_CONFIGURATIONS : 0U);
    }
    return bits;
}

/* What has a size of its own. */
static void write_sized(const struct trace_event *event, uint32_t bits, struct buffer *out)
{
    if ((bits & RECORD_FRAME) != 0) {
        field_write_bytes(out, bytes_of_text(event->message_name));
    }
    for (uint32_t i = 0; (bits & RECORD_ENTRIES) != 0 && i < event->entry_count; i++) {
        field_write_number(out, event->entries[i].term);
        field_write_number(out, event->entries[i].hash);
    }
    if ((bits & RECORD_TEXT) != 0) {
        field_write_bytes(out, event->text);
    }
    if ((bits & RECORD_VALUE) != 0) {
        field_write_bytes(out, event->value);
    }
    if ((bits & RECORD_CONFIGURATIONS) != 0) {
        field_write_bytes(out, event->configurations);
    }
}

void trace_write_record(const struct trace_event *event, bool with_entries, struct buffer *out)
{
    const uint64_t *numbers = trace_numbers(event);
    uint8_t *record = buffer_extend(out, HEAD_BYTES + PAIRS * PAIR_BYTES);
    uint8_t *at = record + HEAD_BYTES;
    uint32_t bits = 0;
    /* Each is copied, and the next is copied over one that is 0: no jump has to be guessed. */
    for (size_t i = 0; i < TRACE_NUMBERS; i += 2) {
        size_t is_there = (numbers[i] | numbers[i + 1]) != 0 ? 1 : 0;
        memcpy(at, numbers + i, PAIR_BYTES);
        at += is_there * PAIR_BYTES;
        bits = 2 * bits + (uint32_t)is_there;
    }
    bits |= bits_of(event, with_entries);
    memcpy(record, &event->entry_count, SMALL_BYTES);
    store_u32(record + SMALL_BYTES, bits);
    out->size -= (size_t)(record + HEAD_BYTES + PAIRS * PAIR_BYTES - at);
    if ((bits & RECORD_SIZED) != 0) {
        write_sized(event, bits, out);
    }
}

/* ---- reading -------------------------------------------------------------------------------- */

static bool is_small_sound(const struct trace_event *event)
{
    return event->kind < TRACE_KIND_COUNT && event->what <= TRACE_WHAT_ALL &&
           (event->role_name != NULL || event->role == 0) &&
           (event->message_name != NULL || event->message_kind == 0);
}

static void read_head(struct field_reader *reader, const uint8_t *record, uint32_t bits,
                      struct trace_event *event)
{
    memcpy(&event->entry_count, record, SMALL_BYTES);
    event->reject = (bits & RECORD_REJECT) != 0;
    event->flag = (bits & RECORD_FLAG) != 0;
    event->role_name = (bits & RECORD_ROLE) != 0 ? trace_role_name(event->role) : NULL;
    event->message_name = event->message_kind != 0 ? trace_message_name(event->message_kind) : NULL;
    reader->is_bad = !is_small_sound(event) || bits > (RECORD_SIZED | (RECORD_REJECT * 8 - 1));
}

static void read_pairs(struct field_reader *reader, uint32_t bits, struct trace_event *event)
{
    for (size_t i = 0; i < PAIRS; i++) {
        if ((bits >> (PAIRS - 1 - i) & 1) == 0) {
            continue;
        }
        if (reader->rest.size < PAIR_BYTES) {
            reader->is_bad = true;
            return;
        }
        memcpy((uint8_t *)event + i * PAIR_BYTES, reader->rest.data, PAIR_BYTES);
        reader->rest.data += PAIR_BYTES;
        reader->rest.size -= PAIR_BYTES;
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

static void read_sized(struct field_reader *reader, uint32_t bits, struct trace_event *event,
                       struct buffer *storage)
{
    if ((bits & RECORD_FRAME) != 0) {
        event->message_name =
            trace_message_from_name(field_read_bytes(reader), &event->message_kind);
        reader->is_bad = reader->is_bad || event->message_kind != 0;
    }
    if ((bits & RECORD_ENTRIES) != 0) {
        read_entries(reader, event, storage);
    }
    if ((bits & RECORD_TEXT) != 0) {
        event->text = field_read_bytes(reader);
    }
    if ((bits & RECORD_VALUE) != 0) {
        event->value = field_read_bytes(reader);
        reader->is_bad = reader->is_bad || !value_is_valid(event->value);
    }
    if ((bits & RECORD_CONFIGURATIONS) != 0) {
        event->configurations = field_read_bytes(reader);
        reader->is_bad = reader->is_bad || !are_configurations(event->configurations);
    }
}

bool trace_read_record(struct bytes record, struct trace_event *event, struct buffer *storage)
{
    *event = (struct trace_event){0};
    buffer_clear(storage);
    if (record.size < HEAD_BYTES) {
        return false;
    }
    uint32_t bits = load_u32(record.data + SMALL_BYTES);
    struct field_reader reader = {
        .rest = {record.data + HEAD_BYTES, record.size - HEAD_BYTES},
    };
    read_head(&reader, record.data, bits, event);
    read_pairs(&reader, bits, event);
    read_sized(&reader, bits, event, storage);
    return field_read_end(&reader);
}
