/*
 * The world that all nodes of one application share. It never calls the application.
 */
#include "host/internal.h"

#include "real/real.h"

struct hosts *hosts_new(struct failure *failure)
{
    struct hosts *hosts = memory_new_zeroed(1, sizeof *hosts);
    struct real_options options = {.free_running = true, .speed = 1.0};
    hosts->trace = trace_new();
    hosts->faults = faults_new(0, hosts->trace); /* there are none: the seed decides nothing */
    hosts->world = real_new(hosts->trace, hosts->faults, &options, failure);
    if (hosts->world == NULL) {
        hosts_free(hosts);
        return NULL;
    }
    return hosts;
}

void hosts_free(struct hosts *hosts)
{
    ensure(hosts->first == NULL);
    if (hosts->world != NULL) {
        hosts->world->operations->free(hosts->world);
    }
    faults_free(hosts->faults);
    trace_free(hosts->trace);
    memory_free(hosts);
}

int64_t hosts_now_ns(const struct hosts *hosts)
{
    return world_now_ns(hosts->world);
}

void hosts_step(struct hosts *hosts, int64_t until_ns)
{
    (void)hosts->world->operations->step(hosts->world, until_ns);
}

bool hosts_are_alive(const struct hosts *hosts)
{
    return real_is_alive(hosts->world);
}

int hosts_pollfd(const struct hosts *hosts)
{
    return real_pollfd(hosts->world);
}

int64_t hosts_timeout_ns(const struct hosts *hosts)
{
    return real_timeout_ns(hosts->world);
}
