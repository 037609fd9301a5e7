/*
 * message: the wire form of messages, compact and safe to decode from any bytes.
 *
 *   u8      kind, or-ed with the flags below
 *   varint  from, to, term
 *   u64     an answer's to_directory, which is random, so that a varint would only be longer
 *   then by kind (see write_body): varints
 *   SNAPSHOT's piece: all bytes that are left
 *   APPEND's entries: varint size << 3 | new_term << 2 | kind, where new_term: varint (rise of the
 *   term since the entry before), payload. So an entry costs one to four bytes beside its payload.
 *
 * It checks form only; what a message means is judged in validate.c and by its handler.
 */
#include "raft/internal.h"

#include <string.h>

#define FLAG_REJECT 0x20U
#define FLAG_FORCE 0x40U
#define FLAG_QUIET 0x80U
#define KIND_MASK 0x1fU

#define HEAD_BYTES_MAX (1 + 10 * VARINT_BYTES_MAX)
#define ENTRY_HEAD_BYTES_MAX (5 + VARINT_BYTES_MAX)
#define ENTRY_NEW_TERM 4U
#define ENTRY_KIND_MASK 3U
#define ENTRY_SIZE_SHIFT 3

uint64_t reader_long_varint(struct reader *reader)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (reader->at == reader->end) {
            break;
        }
        uint8_t byte = *reader->at++;
        if (shift == 63 && byte > 1) {
            break;
        }
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            return value;
        }
    }
    reader->failed = true;
    return 0;
}

static uint64_t reader_u64(struct reader *reader)
{
    if (reader->end - reader->at < 8) {
        reader->failed = true;
        return 0;
    }
    reader->at += 8;
    return load_u64(reader->at - 8);
}

uint8_t reader_byte(struct reader *reader)
{
    if (reader->at == reader->end) {
        reader->failed = true;
        return 0;
    }
    return *reader->at++;
}

enum raft_message_kind raft_message_kind_of(uint8_t first)
{
    return (enum raft_message_kind)(first & KIND_MASK);
}

const char *raft_message_name(enum raft_message_kind kind)
{
    static const char *const names[] = {"none",
#define X(name, text) text,
                                        RAFT_MESSAGE_KINDS(X)
#undef X
    };
    return (unsigned)kind < RAFT_MESSAGE_KIND_COUNT ? names[kind] : "unknown";
}

/* ---- out ------------------------------------------------------------------------------------ */

static uint8_t *write_body(uint8_t *at, const struct raft_message *message)
{
    if (message_is_answer(message->kind)) {
        store_u64(at, message->to_directory);
        at += 8;
    }
    switch (message->kind) {
    case RAFT_PRE_VOTE:
    case RAFT_VOTE:
    case RAFT_TIMEOUT_NOW:
        at = varint_write(at, message->prev_index);
        return varint_write(at, message->prev_term);
    case RAFT_APPEND:
        at = varint_write(at, message->prev_index);
        at = varint_write(at, message->prev_term);
        at = varint_write(at, message->commit);
        at = varint_write(at, message->sequence);
        return varint_write(at, message->entry_count);
    case RAFT_APPEND_RESPONSE:
        at = varint_write(at, message->index);
        at = varint_write(at, message->commit);
        at = varint_write(at, message->sequence);
        at = varint_write(at, message->hint_index);
        return varint_write(at, message->hint_term);
    case RAFT_SNAPSHOT:
    case RAFT_SNAPSHOT_RESPONSE:
        at = varint_write(at, message->prev_index);
        at = varint_write(at, message->prev_term);
        at = varint_write(at, message->offset);
        at = varint_write(at, message->sequence);
        *at = message->last ? 1 : 0;
        return message->kind == RAFT_SNAPSHOT ? at + 1 : at;
    case RAFT_READ:
    case RAFT_READ_RESPONSE:
        return varint_write(at, message->sequence);
    default: /* the answers to votes and to TIMEOUT_NOW have no more */
        return at;
    }
}

static uint8_t *write_entry(uint8_t *at, const struct raft_entry *entry, uint64_t *term)
{
    ensure(entry->term >= *term);
    uint32_t size = raft_entry_size(entry);
    uint64_t head = (uint64_t)size << ENTRY_SIZE_SHIFT | (uint64_t)raft_entry_kind(entry);
    if (entry->term == *term) {
        at = varint_write(at, head);
    } else {
        at = varint_write(at, head | ENTRY_NEW_TERM);
        at = varint_write(at, entry->term - *term);
        *term = entry->term;
    }
    if (size > 0) {
        memcpy(at, entry->batch->data + entry->offset, size);
    }
    return at + size;
}

static const struct raft_entry *outgoing_entry(const struct raft *raft,
                                               const struct raft_message *message, uint32_t i)
{
    return message->entries != NULL ? &message->entries[i]
                                    : log_at(&raft->log, message->prev_index + 1 + i);
}

void raft_message_encode(const struct raft *raft, const struct raft_message *message,
                         struct buffer *out)
{
    struct bytes piece = raft_message_piece(message);
    ensure(piece.size == 0 || piece.data != NULL); /* the node has read it */
    size_t bound = HEAD_BYTES_MAX + piece.size;
    for (uint32_t i = 0; i < message->entry_count; i++) {
        bound += ENTRY_HEAD_BYTES_MAX + raft_entry_size(outgoing_entry(raft, message, i));
    }
    uint8_t *start = buffer_extend(out, bound);
    uint8_t *at = start;
    *at++ = (uint8_t)((unsigned)message->kind | (message->reject ? FLAG_REJECT : 0U) |
                      (message->force ? FLAG_FORCE : 0U) | (message->quiet ? FLAG_QUIET : 0U));
    at = varint_write(at, message->from);
    at = varint_write(at, message->to);
    at = varint_write(at, message->term);
    at = write_body(at, message);
    uint64_t term = message->prev_term;
    for (uint32_t i = 0; i < message->entry_count; i++) {
        at = write_entry(at, outgoing_entry(raft, message, i), &term);
    }
    if (piece.size > 0) {
        memcpy(at, piece.data, piece.size);
        at += piece.size;
    }
    size_t used = (size_t)(at - start);
    ensure(used <= bound);
    out->size -= bound - used;
}

/* ---- in ------------------------------------------------------------------------------------- */

static bool read_entry(struct reader *reader, struct batch *batch, uint64_t *term,
                       struct raft_entry *entry)
{
    uint64_t head = reader_varint(reader);
    if ((head & ENTRY_NEW_TERM) != 0) {
        uint64_t rise = reader_varint(reader);
        if (rise > UINT64_MAX - *term) {
            return false;
        }
        *term += rise;
    }
    uint64_t size = head >> ENTRY_SIZE_SHIFT;
    uint64_t kind = head & ENTRY_KIND_MASK;
    if (reader->failed || kind > RAFT_ENTRY_CONFIGURATION || size > RAFT_ENTRY_BYTES_MAX ||
        size > (size_t)(reader->end - reader->at)) {
        return false;
    }
    entry->term = *term;
    entry->batch = size > 0 ? batch : NULL;
    entry->offset = (uint32_t)(reader->at - batch->data);
    entry->size_and_kind = raft_entry_pack((uint32_t)size, (enum raft_entry_kind)kind);
    reader->at += size;
    return true;
}

static const char *read_entries(struct reader *reader, struct batch *batch,
                                struct raft_message *message, struct raft_entry **entries,
                                uint32_t *capacity)
{
    uint64_t count = reader_varint(reader);
    if (reader->failed || count > (size_t)(reader->end - reader->at)) {
        return "more entries announced than bytes"; /* an entry takes a byte at least */
    }
    if (count > *capacity) {
        memory_free(*entries);
        *entries = memory_new(count * sizeof **entries);
        *capacity = (uint32_t)count;
    }
    uint64_t term = message->prev_term;
    for (uint64_t i = 0; i < count; i++) {
        if (!read_entry(reader, batch, &term, &(*entries)[i])) {
            return "malformed entry";
        }
    }
    message->entry_count = (uint32_t)count;
    message->entries = count > 0 ? *entries : NULL;
    return NULL;
}

/* The fields of a kind, APPEND's entries apart; false: a kind that is not in use. */
static bool read_body(struct reader *reader, struct raft_message *message)
{
    if (message_is_answer(message->kind)) {
        message->to_directory = reader_u64(reader);
    }
    switch (message->kind) {
    case RAFT_PRE_VOTE:
    case RAFT_VOTE:
    case RAFT_TIMEOUT_NOW:
        message->prev_index = reader_varint(reader);
        message->prev_term = reader_varint(reader);
        return true;
    case RAFT_PRE_VOTE_RESPONSE:
    case RAFT_VOTE_RESPONSE:
    case RAFT_TIMEOUT_NOW_RESPONSE:
        return true;
    case RAFT_APPEND:
        message->prev_index = reader_varint(reader);
        message->prev_term = reader_varint(reader);
        message->commit = reader_varint(reader);
        message->sequence = reader_varint(reader);
        return true;
    case RAFT_APPEND_RESPONSE:
        message->index = reader_varint(reader);
        message->commit = reader_varint(reader);
        message->sequence = reader_varint(reader);
        message->hint_index = reader_varint(reader);
        message->hint_term = reader_varint(reader);
        return true;
    case RAFT_SNAPSHOT:
    case RAFT_SNAPSHOT_RESPONSE:
        message->prev_index = reader_varint(reader);
        message->prev_term = reader_varint(reader);
        message->offset = reader_varint(reader);
        message->sequence = reader_varint(reader);
        return true;
    case RAFT_READ:
    case RAFT_READ_RESPONSE:
        message->sequence = reader_varint(reader);
        return true;
    default:
        return false;
    }
}

static const char *read_piece(struct reader *reader, struct batch *batch,
                              struct raft_message *message)
{
    uint8_t last = reader_byte(reader);
    size_t size = (size_t)(reader->end - reader->at);
    if (last > 1 || size > RAFT_ENTRY_BYTES_MAX) {
        return "malformed piece";
    }
    message->last = last == 1;
    message->piece = size > 0 ? batch : NULL;
    message->piece_offset = (uint32_t)(reader->at - batch->data);
    message->piece_size = (uint32_t)size;
    reader->at = reader->end;
    return NULL;
}

bool raft_message_decode(struct batch *batch, uint32_t offset, uint32_t size,
                         struct raft_message *message, struct raft_entry **entries,
                         uint32_t *entries_capacity, const char **problem)
{
    *message = (struct raft_message){0};
    if (offset > batch->size || size > batch->size - offset) {
        *problem = "outside of its frame";
        return false;
    }
    struct reader reader = {batch->data + offset, batch->data + offset + size, false};
    uint8_t head = reader_byte(&reader);
    message->kind = (enum raft_message_kind)(head & KIND_MASK);
    message->reject = (head & FLAG_REJECT) != 0;
    message->force = (head & FLAG_FORCE) != 0;
    message->quiet = (head & FLAG_QUIET) != 0;
    message->from = reader_varint(&reader);
    message->to = reader_varint(&reader);
    message->term = reader_varint(&reader);
    const char *wrong = NULL;
    if (!read_body(&reader, message)) {
        wrong = "unknown kind of message";
    } else if (message->kind == RAFT_APPEND) {
        wrong = read_entries(&reader, batch, message, entries, entries_capacity);
    } else if (message->kind == RAFT_SNAPSHOT) {
        wrong = read_piece(&reader, batch, message);
    }
    if (wrong == NULL && reader.failed) {
        wrong = "truncated message";
    } else if (wrong == NULL && reader.at != reader.end) {
        wrong = "bytes behind the message";
    }
    if (wrong != NULL) {
        *problem = wrong;
        return false;
    }
    return true;
}
