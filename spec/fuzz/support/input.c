/*
 * Inputs taken apart, and the few questions that several fuzzers ask of values.
 */
#include "fuzz.h"

uint8_t input_byte(struct input *input)
{
    if (input->size == 0) {
        return 0;
    }
    input->size--;
    return *input->at++;
}

struct batch *input_piece(struct input *input)
{
    size_t size = input_byte(input);
    if (size > input->size) {
        size = input->size;
    }
    struct batch *piece = batch_copy(NULL, input->at, size);
    input->at += size;
    input->size -= size;
    return piece;
}

bool is_value(struct bytes value)
{
    struct value_reader reader = {value.data, value.size, 0};
    return value_skip(&reader) && reader.position == reader.size;
}
