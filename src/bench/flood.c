/*
 * Hostile input to a port: connections, as many a second as wanted, each of
 * which says something prepared and is kept for a while. For measuring on this machine only: it
 * connects to nothing but the loopback, for a bounded time and with a bounded number of
 * connections.
 *
 * It runs in a process of its own, which ends with ours, and reads nothing.
 */
#define _GNU_SOURCE /* NOLINT(bugprone-reserved-identifier): for close_range */
#include "bench/bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAUSE_NS 200000L

struct flood {
    const struct bench_flood_options *options;
    int *descriptors; /* a ring: -1 where there is none */
    bool *said;
    size_t *payload; /* which each says */
    size_t next;
    uint64_t opened;
    uint64_t said_bytes;
};

/* With a reset, so that no port waits for the last of it. */
static void hang_up(struct flood *flood, size_t place)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    if (flood->descriptors[place] >= 0) {
        (void)setsockopt(flood->descriptors[place], SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
        (void)close(flood->descriptors[place]);
        flood->descriptors[place] = -1;
    }
}

static void say(struct flood *flood, size_t place)
{
    const struct bench_flood_options *options = flood->options;
    const struct bytes *payload = &options->payloads[flood->payload[place]];
    if (flood->descriptors[place] < 0 || (flood->said[place] && options->again.size == 0)) {
        return;
    }
    if (flood->said[place]) {
        payload = &options->again;
    }
    ssize_t sent =
        send(flood->descriptors[place], payload->data, payload->size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
        flood->said[place] = true;
        flood->said_bytes += (uint64_t)sent;
    } else if (errno != EAGAIN && errno != EINPROGRESS && errno != ENOTCONN) {
        hang_up(flood, place);
    }
}

static void open_next(struct flood *flood)
{
    const struct bench_flood_options *options = flood->options;
    size_t place = flood->next;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons(options->ports[flood->opened % options->port_count]);
    flood->next = (flood->next + 1) % options->keep;
    hang_up(flood, place);
    flood->payload[place] = flood->opened % options->payload_count;
    flood->opened++;
    flood->said[place] = false;
    flood->descriptors[place] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (flood->descriptors[place] < 0) {
        return;
    }
    if (connect(flood->descriptors[place], (struct sockaddr *)&address, sizeof address) != 0 &&
        errno != EINPROGRESS) {
        hang_up(flood, place);
        return;
    }
    say(flood, place);
}

static void pause_shortly(void)
{
    struct timespec pause = {.tv_nsec = PAUSE_NS};
    (void)nanosleep(&pause, NULL);
}

static void run(struct flood *flood)
{
    const struct bench_flood_options *options = flood->options;
    int64_t start_ns = bench_now_ns();
    int64_t gone_ns = 0;
    while ((gone_ns = bench_now_ns() - start_ns) < options->duration_ns) {
        uint64_t due = (uint64_t)((double)gone_ns / 1e9 * options->per_second);
        for (int i = 0; i < 64 && flood->opened < due; i++) {
            open_next(flood);
        }
        for (size_t i = 0; i < options->keep; i++) {
            say(flood, i);
        }
        if (flood->opened >= due) {
            pause_shortly();
        }
    }
}

static uint64_t flood_for_a_while(const struct bench_flood_options *options)
{
    struct flood flood = {.options = options};
    flood.descriptors = memory_new(options->keep * sizeof *flood.descriptors);
    flood.said = memory_new_zeroed(options->keep, sizeof *flood.said);
    flood.payload = memory_new_zeroed(options->keep, sizeof *flood.payload);
    for (size_t i = 0; i < options->keep; i++) {
        flood.descriptors[i] = -1;
    }
    run(&flood);
    for (size_t i = 0; i < options->keep; i++) {
        hang_up(&flood, i);
    }
    return flood.opened;
}

static void run_child(struct bench_flood_options *options, int parent)
{
    uint16_t ports[BENCH_FLOOD_PORTS_MAX];
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* The descriptors of the parent are not used here. */
    (void)dup2(parent, STDERR_FILENO + 1);
    (void)close_range(STDERR_FILENO + 2, ~0U, 0);
    ssize_t got = read(STDERR_FILENO + 1, ports, sizeof ports);
    if (got < (ssize_t)sizeof ports[0]) {
        _exit(1);
    }
    options->ports = ports;
    options->port_count = (size_t)got / sizeof ports[0];
    uint64_t opened = flood_for_a_while(options);
    ssize_t written = write(STDERR_FILENO + 1, &opened, sizeof opened);
    _exit(written == (ssize_t)sizeof opened ? 0 : 1);
}

bool bench_flood_prepare(struct bench_flood_options *options, struct bench_flood *flood,
                         struct failure *failure)
{
    int ends[2];
    ensure(options->payload_count > 0 && options->keep > 0);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) {
        failure_set(failure, FAILURE_UNSUPPORTED, "no pair of sockets: error %d", errno);
        return false;
    }
    flood->process = fork();
    if (flood->process == 0) {
        run_child(options, ends[1]);
    }
    (void)close(ends[1]);
    flood->descriptor = ends[0];
    if (flood->process < 0) {
        (void)close(ends[0]);
        failure_set(failure, FAILURE_UNSUPPORTED, "no process: error %d", errno);
        return false;
    }
    return true;
}

bool bench_flood_start(const struct bench_flood *flood, const uint16_t *ports, size_t count)
{
    size_t size = count * sizeof *ports;
    ensure(count >= 1 && count <= BENCH_FLOOD_PORTS_MAX);
    return send(flood->descriptor, ports, size, MSG_NOSIGNAL) == (ssize_t)size;
}

uint64_t bench_flood_end(const struct bench_flood *flood)
{
    uint64_t opened = 0;
    if (recv(flood->descriptor, &opened, sizeof opened, MSG_WAITALL) != (ssize_t)sizeof opened) {
        opened = 0;
    }
    (void)close(flood->descriptor);
    (void)waitpid((pid_t)flood->process, NULL, 0);
    return opened;
}
