/*
 * The control connection: messages over a stream, without blocking. What does not leave at once
 * waits in memory; its owner bounds what it hands over. It never looks into a message.
 */
#include "process/internal.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES (256U << 10)

void channel_begin(struct channel *channel, int descriptor)
{
    *channel = (struct channel){.descriptor = descriptor};
}

void channel_end(struct channel *channel)
{
    if (channel->descriptor >= 0) {
        (void)close(channel->descriptor);
    }
    channel->descriptor = -1;
    channel->has_ended = true;
    buffer_free(&channel->in);
    buffer_free(&channel->out);
    channel->in_used = 0;
    channel->out_sent = 0;
}

/* ---- out ------------------------------------------------------------------------------------ */

size_t message_begin(struct buffer *out, enum control_kind kind)
{
    size_t start = out->size;
    buffer_extend(out, CONTROL_HEAD_BYTES)[4] = (uint8_t)kind;
    return start;
}

void message_end(struct buffer *out, size_t start)
{
    size_t size = out->size - start - 4;
    ensure(size <= CONTROL_BYTES_MAX);
    store_u32(out->data + start, (uint32_t)size);
}

bool channel_write(struct channel *channel)
{
    while (channel_waiting(channel) > 0 && !channel->has_ended) {
        ssize_t sent = send(channel->descriptor, channel->out.data + channel->out_sent,
                            channel_waiting(channel), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0) {
            channel->out_sent += (size_t)sent;
        } else if (errno == EAGAIN) {
            return false;
        } else if (errno != EINTR) {
            /* What the other side has said before it ended can still be read. */
            channel->out_sent = channel->out.size;
        }
    }
    buffer_clear(&channel->out);
    channel->out_sent = 0;
    return true;
}

/* ---- in ------------------------------------------------------------------------------------- */

/* What was taken makes room. */
static void make_room(struct channel *channel)
{
    if (channel->in_used > 0) {
        channel->in.size -= channel->in_used;
        memmove(channel->in.data, channel->in.data + channel->in_used, channel->in.size);
        channel->in_used = 0;
    }
    buffer_reserve(&channel->in, READ_BYTES);
}

bool channel_read(struct channel *channel)
{
    if (channel->has_ended) {
        return false;
    }
    make_room(channel);
    ssize_t got =
        recv(channel->descriptor, channel->in.data + channel->in.size, READ_BYTES, MSG_DONTWAIT);
    if (got > 0) {
        channel->in.size += (size_t)got;
        return true;
    }
    channel->has_ended = got == 0 || (errno != EAGAIN && errno != EINTR);
    return false;
}

struct batch *channel_take(struct channel *channel, enum control_kind *kind)
{
    size_t there = channel->in.size - channel->in_used;
    if (there < CONTROL_HEAD_BYTES) {
        return NULL;
    }
    const uint8_t *at = channel->in.data + channel->in_used;
    uint32_t size = load_u32(at);
    if (size < 1 || size > CONTROL_BYTES_MAX || at[4] == 0 || at[4] >= CONTROL_KIND_END) {
        channel->has_ended = true;
        channel->in_used = channel->in.size;
        return NULL;
    }
    if (there - 4 < size) {
        return NULL;
    }
    *kind = (enum control_kind)at[4];
    channel->in_used += 4 + (size_t)size;
    return batch_copy(NULL, at + CONTROL_HEAD_BYTES, size - 1);
}

void channel_wait(const struct channel *channel, int other, int timeout_ms)
{
    struct pollfd polled[2] = {
        {.fd = channel->descriptor, .events = POLLIN},
        {.fd = other, .events = POLLIN}, /* -1: passed over */
    };
    if (channel_waiting(channel) > 0) {
        polled[0].events |= POLLOUT;
    }
    (void)poll(polled, 2, timeout_ms);
}
