/*
 * A bare echo over loopback TCP: a client and a server on one loop, one message of fixed size under
 * way. It is the least that a round trip through libuv costs here, and knows nothing of the house.
 */
#include "bench/bench.h"

#include <string.h>
#include <uv.h>

#define ECHO_BYTES_MAX 65536
#define ROOM_BYTES (ECHO_BYTES_MAX + 1)

struct echo;

/* One end of the connection. */
struct echo_end {
    uv_tcp_t tcp;
    uv_write_t write;
    struct echo *echo;
    size_t received; /* of the message that is arriving */
    char bytes[ROOM_BYTES];
};

struct echo {
    uv_loop_t loop;
    uv_tcp_t listener;
    uv_connect_t connect;
    struct echo_end client;
    struct echo_end server;
    size_t size;
    size_t rounds;
    size_t done;
    int64_t sent_ns;
    int64_t *round_trip_ns;
    int status; /* of libuv: 0, or the first thing that went wrong */
};

static void stop(struct echo *echo, int status)
{
    if (echo->status == 0) {
        echo->status = status;
    }
    uv_stop(&echo->loop);
}

static void written(uv_write_t *request, int status)
{
    struct echo_end *end = request->data;
    if (status != 0) {
        stop(end->echo, status);
    }
}

static void send_message(struct echo_end *end)
{
    uv_buf_t buffer = uv_buf_init(end->bytes, (unsigned)end->echo->size);
    end->write.data = end;
    int status = uv_write(&end->write, (uv_stream_t *)&end->tcp, &buffer, 1, written);
    if (status != 0) {
        stop(end->echo, status);
    }
}

static void begin_round(struct echo *echo)
{
    echo->sent_ns = bench_now_ns();
    send_message(&echo->client);
}

static void message_arrived(struct echo_end *end)
{
    struct echo *echo = end->echo;
    if (end == &echo->server) {
        send_message(end);
        return;
    }
    echo->round_trip_ns[echo->done++] = bench_now_ns() - echo->sent_ns;
    if (echo->done == echo->rounds) {
        uv_stop(&echo->loop);
    } else {
        begin_round(echo);
    }
}

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct echo_end *end = handle->data;
    (void)suggested;
    /* All there is, so that libuv sees at once that nothing is left to be read. */
    *buffer =
        uv_buf_init(end->bytes + end->received, (unsigned)(sizeof end->bytes - end->received));
}

static void arrived(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct echo_end *end = stream->data;
    (void)buffer;
    if (count < 0) {
        stop(end->echo, (int)count);
        return;
    }
    end->received += (size_t)count;
    if (end->received >= end->echo->size) {
        end->received = 0;
        message_arrived(end);
    }
}

static int begin_reading(struct echo_end *end)
{
    int status = uv_tcp_nodelay(&end->tcp, 1);
    return status != 0 ? status : uv_read_start((uv_stream_t *)&end->tcp, give_room, arrived);
}

static void accept_client(uv_stream_t *listener, int status)
{
    struct echo *echo = listener->data;
    if (status == 0) {
        status = uv_accept(listener, (uv_stream_t *)&echo->server.tcp);
    }
    if (status == 0) {
        status = begin_reading(&echo->server);
    }
    if (status != 0) {
        stop(echo, status);
    }
}

static void connected(uv_connect_t *request, int status)
{
    struct echo *echo = request->data;
    if (status == 0) {
        status = begin_reading(&echo->client);
    }
    if (status != 0) {
        stop(echo, status);
        return;
    }
    begin_round(echo);
}

static void end_new(struct echo *echo, struct echo_end *end)
{
    int status = uv_tcp_init(&echo->loop, &end->tcp);
    ensure(status == 0);
    end->tcp.data = end;
    end->echo = echo;
    memset(end->bytes, 'x', sizeof end->bytes);
}

/* Listens where the system chooses, and dials there. */
static int open_ends(struct echo *echo)
{
    struct sockaddr_in address;
    int size = sizeof address;
    int status = uv_ip4_addr("127.0.0.1", 0, &address);
    ensure(status == 0);
    echo->listener.data = echo;
    status = uv_tcp_bind(&echo->listener, (struct sockaddr *)&address, 0);
    if (status == 0) {
        status = uv_listen((uv_stream_t *)&echo->listener, 1, accept_client);
    }
    if (status == 0) {
        status = uv_tcp_getsockname(&echo->listener, (struct sockaddr *)&address, &size);
    }
    if (status == 0) {
        echo->connect.data = echo;
        status = uv_tcp_connect(&echo->connect, &echo->client.tcp, (struct sockaddr *)&address,
                                connected);
    }
    return status;
}

static void close_all(struct echo *echo)
{
    uv_close((uv_handle_t *)&echo->client.tcp, NULL);
    uv_close((uv_handle_t *)&echo->server.tcp, NULL);
    uv_close((uv_handle_t *)&echo->listener, NULL);
    (void)uv_run(&echo->loop, UV_RUN_DEFAULT);
    int status = uv_loop_close(&echo->loop);
    ensure(status == 0);
}

bool bench_echo(size_t rounds, size_t size, int64_t *round_trip_ns, struct failure *failure)
{
    ensure(rounds >= 1 && size >= 1 && size <= ECHO_BYTES_MAX);
    struct echo *echo = memory_new_zeroed(1, sizeof *echo);
    echo->size = size;
    echo->rounds = rounds;
    echo->round_trip_ns = round_trip_ns;
    int status = uv_loop_init(&echo->loop);
    if (status == 0) {
        status = uv_tcp_init(&echo->loop, &echo->listener);
        ensure(status == 0);
        end_new(echo, &echo->client);
        end_new(echo, &echo->server);
        status = open_ends(echo);
        if (status == 0) {
            (void)uv_run(&echo->loop, UV_RUN_DEFAULT);
            status = echo->status;
        }
        close_all(echo);
    }
    memory_free(echo);
    if (status != 0) {
        failure_set(failure, FAILURE_ADDRESS, "the echo over 127.0.0.1 failed: %s",
                    uv_strerror(status));
        return false;
    }
    return true;
}
