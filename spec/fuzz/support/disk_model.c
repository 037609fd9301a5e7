/*
 * The model of a file on a simulated disk. It knows no disk.
 */
#include "disk_model.h"

void model_write(struct model_file *file, uint32_t offset, uint32_t size, const uint8_t *data)
{
    for (uint32_t i = 0; i < size; i++) {
        struct model_byte *byte = &file->bytes[offset + i];
        byte->now = data[i];
        byte->may |= (uint8_t)(1U << data[i]);
        byte->lost = false;
    }
    if (size > 0 && offset + size > file->size) {
        file->size = offset + size;
    }
}

/* Bytes that are lost stay in doubt, although their file is synced. */
void model_sync(struct model_file *file)
{
    for (uint32_t i = 0; i < MODEL_BYTES_MAX; i++) {
        struct model_byte *byte = &file->bytes[i];
        if (!byte->lost) {
            byte->may = (uint8_t)(1U << byte->now);
            byte->durable = byte->may;
        }
    }
    file->durable_size = file->size;
    file->size_lost = false;
}

void model_lose(struct model_file *file)
{
    for (uint32_t i = 0; i < MODEL_BYTES_MAX; i++) {
        struct model_byte *byte = &file->bytes[i];
        byte->lost = byte->lost || byte->may != 1U << byte->now;
        byte->durable = byte->may;
    }
    file->size_lost =
        file->size != file->durable_size; /* also where the bytes are as before: zeros */
}

void model_resize(struct model_file *file, uint32_t size)
{
    for (uint32_t i = size; i < MODEL_BYTES_MAX; i++) {
        file->bytes[i] = (struct model_byte){.may = 1, .durable = 1};
    }
    file->size = size;
    model_sync(file);
}

uint32_t model_count_wrong(const struct model_file *file, bool tears, const uint8_t *data,
                           size_t size)
{
    uint32_t wrong = 0;
    bool lost = file->size_lost;
    for (uint32_t i = 0; i < MODEL_BYTES_MAX; i++) {
        const struct model_byte *byte = &file->bytes[i];
        uint32_t may = tears ? byte->may : byte->durable;
        lost = lost || (byte->durable & (byte->durable - 1)) != 0;
        wrong += data[i] >= MODEL_VALUES || (may >> data[i] & 1) == 0;
    }
    bool fits = size >= file->durable_size && size <= file->size &&
                (size == file->durable_size || tears || lost);
    return fits ? wrong : UINT32_MAX;
}
