/* Frames of append messages to bytes and back, as a node makes and reads them. It sends nothing. */
#include "bench/bench.h"
#include "raft/raft.h"
#include "world/world.h"

#include <string.h>

static struct batch *payloads(struct raft_entry *entries, uint32_t count, uint32_t entry_bytes)
{
    struct batch *batch = batch_new(NULL, (size_t)count * entry_bytes);
    memset(batch->data, 'x', batch->size);
    for (uint32_t i = 0; i < count; i++) {
        entries[i] = (struct raft_entry){
            .term = 7,
            .batch = batch,
            .offset = i * entry_bytes,
            .size_and_kind = raft_entry_pack(entry_bytes, RAFT_ENTRY_COMMAND),
        };
    }
    return batch;
}

static int64_t encode(uint64_t frames, struct raft_message *message, struct buffer *frame)
{
    int64_t start_ns = bench_now_ns();
    for (uint64_t number = 1; number <= frames; number++) {
        message->prev_index = 1000000 + number;
        buffer_clear(frame);
        frame_begin(frame);
        raft_message_encode(NULL, message, frame);
        frame_seal(frame, FRAME_RAFT, number, 1);
    }
    return bench_now_ns() - start_ns;
}

static int64_t decode(uint64_t frames, const struct buffer *frame, uint32_t entries)
{
    struct batch *batch = batch_copy(NULL, frame->data, frame->size);
    struct raft_entry *read = NULL;
    uint32_t capacity = 0;
    int64_t start_ns = bench_now_ns();
    for (uint64_t i = 0; i < frames; i++) {
        struct bytes bytes = {batch->data, batch->size};
        struct frame_head head;
        struct raft_message message;
        const char *problem = NULL;
        enum frame_verdict verdict = frame_parse(bytes, true, &head, &problem);
        ensure(verdict == FRAME_WHOLE);
        bool whole = raft_message_decode(batch, FRAME_HEAD_BYTES, head.length - FRAME_HEAD_BYTES,
                                         &message, &read, &capacity, &problem);
        ensure(whole && message.entry_count == entries);
    }
    int64_t took_ns = bench_now_ns() - start_ns;
    memory_free(read);
    batch_release(batch);
    return took_ns;
}

void bench_codec(uint64_t frames, uint32_t entries, uint32_t entry_bytes,
                 struct bench_codec_times *times)
{
    struct raft_entry all[BENCH_BATCH_MAX];
    struct buffer frame = {0};
    ensure(frames >= 1 && entries >= 1 && entries <= BENCH_BATCH_MAX);
    struct batch *batch = payloads(all, entries, entry_bytes);
    struct raft_message message = {
        .kind = RAFT_APPEND,
        .from = 1,
        .to = 2,
        .term = 7,
        .prev_term = 7,
        .commit = 1000000,
        .entries = all,
        .entry_count = entries,
    };
    times->encode_ns = encode(frames, &message, &frame);
    times->frame_bytes = frame.size;
    times->decode_ns = decode(frames, &frame, entries);
    buffer_free(&frame);
    batch_release(batch);
}
