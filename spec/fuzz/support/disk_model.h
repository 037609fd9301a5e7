/*
 * A plain model of a file on a simulated disk: for each byte which values it may have after a power
 * cut.
 */
#ifndef RAFTBENCH_DISK_MODEL_H
#define RAFTBENCH_DISK_MODEL_H

#include "base/base.h"

#define MODEL_BYTES_MAX 5120U /* more than a chunk of the disk */
#define MODEL_VALUES 8U       /* that a byte is written with */

/* Masks have a bit for each value. */
struct model_byte {
    uint8_t now;
    uint8_t may;     /* what it may be after a power cut that tears */
    uint8_t durable; /* after another: one value, and those whose sync has failed */
    bool lost;       /* its sync has failed, and it was not written since */
};

struct model_file {
    uint32_t size;
    uint32_t durable_size;
    bool size_lost; /* a sync that failed may have made the present size durable, or not */
    struct model_byte bytes[MODEL_BYTES_MAX];
};

void model_write(struct model_file *file, uint32_t offset, uint32_t size, const uint8_t *data);
void model_sync(struct model_file *file); /* bytes that are lost stay in doubt all the same */
void model_lose(struct model_file *file); /* a sync fails */
void model_resize(struct model_file *file, uint32_t size);
/* How many bytes are what this file must not hold after a cut; UINT32_MAX: it is not this one. */
uint32_t model_count_wrong(const struct model_file *file, bool tears, const uint8_t *data,
                           size_t size);

#endif
