/*
 * Fields one after the other, as processes of our own tell each other: numbers by seven bits a byte
 * (LEB128), byte strings behind their size. The reader is safe on any bytes: what is not there is 0
 * or empty, and is remembered.
 */
#include "base/base.h"

#define BITS 7U
#define MORE 0x80U

void field_write_number(struct buffer *out, uint64_t number)
{
    while (number >= MORE) {
        buffer_append_byte(out, (uint8_t)(number | MORE));
        number >>= BITS;
    }
    buffer_append_byte(out, (uint8_t)number);
}

void field_write_bytes(struct buffer *out, struct bytes bytes)
{
    field_write_number(out, bytes.size);
    buffer_append(out, bytes.data, bytes.size);
}

uint64_t field_read_number(struct field_reader *reader)
{
    uint64_t number = 0;
    for (size_t i = 0; i < reader->rest.size && i * BITS < 64; i++) {
        uint64_t bits = reader->rest.data[i] & (MORE - 1);
        if (i * BITS == 63 && bits > 1) {
            break; /* more than 64 bits */
        }
        number |= bits << (i * BITS);
        if ((reader->rest.data[i] & MORE) == 0) {
            reader->rest.data += i + 1;
            reader->rest.size -= i + 1;
            return number;
        }
    }
    reader->is_bad = true;
    return 0;
}

uint64_t field_read_at_most(struct field_reader *reader, uint64_t most)
{
    uint64_t number = field_read_number(reader);
    if (number > most) {
        reader->is_bad = true;
        return 0;
    }
    return number;
}

bool field_read_flag(struct field_reader *reader)
{
    return field_read_at_most(reader, 1) != 0;
}

struct bytes field_read_bytes(struct field_reader *reader)
{
    uint64_t size = field_read_number(reader);
    struct bytes bytes = {reader->rest.data, (size_t)size};
    if (reader->is_bad || size > reader->rest.size) {
        reader->is_bad = true;
        return (struct bytes){NULL, 0};
    }
    reader->rest.data += size;
    reader->rest.size -= size;
    return bytes;
}

void field_read_text(struct field_reader *reader, char *text, size_t size)
{
    struct bytes bytes = field_read_bytes(reader);
    text[0] = '\0';
    if (bytes.size >= size || (bytes.size > 0 && memchr(bytes.data, 0, bytes.size) != NULL)) {
        reader->is_bad = true;
    } else if (bytes.size > 0) {
        memcpy(text, bytes.data, bytes.size);
        text[bytes.size] = '\0';
    }
}

bool field_read_end(const struct field_reader *reader)
{
    return !reader->is_bad && reader->rest.size == 0;
}
