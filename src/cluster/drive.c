/*
 * Letting the world go on. It never decides what is waited for (request/ does) and calls nothing
 * back: its caller looks at the outcome.
 */
#include "cluster/internal.h"

void cluster_interrupt(struct cluster *cluster)
{
    cluster->interrupted = true;
}

void cluster_limit_events(struct cluster *cluster, uint64_t most)
{
    cluster->events_most = most;
}

uint64_t cluster_steps(const struct cluster *cluster)
{
    return cluster->steps;
}

void cluster_limit_steps(struct cluster *cluster, uint64_t most)
{
    cluster->steps_most = most;
}

static bool is_at_limit(const struct cluster *cluster)
{
    return (cluster->events_most != 0 && cluster->world->events >= cluster->events_most) ||
           (cluster->steps_most != 0 && cluster->steps >= cluster->steps_most);
}

static bool was_stopped(struct cluster *cluster)
{
    bool stopped = cluster->interrupted;
    cluster->interrupted = false;
    return stopped;
}

/* Looks at all that wait for a change, where something has changed since the last look. */
static void judge(struct cluster *cluster)
{
    if (cluster->judged_changes != cluster->changes) {
        cluster->judged_changes = cluster->changes;
        if (cluster->options.keep_situations) {
            situations_look(cluster);
        }
        requests_judge(cluster->requests);
    }
}

bool cluster_is_ready(struct cluster *cluster)
{
    if (cluster->asker == NULL && requests_are_done(cluster->requests)) {
        cluster->asker = requests_settle(cluster->requests);
    }
    return cluster->asker != NULL || requests_are_done(cluster->requests);
}

static enum cluster_turn drive(struct cluster *cluster, int64_t until_ns, bool each_event)
{
    for (;;) {
        judge(cluster);
        if (was_stopped(cluster)) {
            return CLUSTER_STOPPED;
        }
        bool was_done = requests_are_done(cluster->requests);
        if (cluster_is_ready(cluster)) {
            return CLUSTER_READY;
        }
        if (was_done && each_event) {
            return CLUSTER_EVENT; /* askers have gone on */
        }
        if (is_at_limit(cluster)) {
            return CLUSTER_LIMIT;
        }
        if (!cluster->world->operations->step(cluster->world, until_ns)) {
            judge(cluster);
            if (was_stopped(cluster)) {
                return CLUSTER_STOPPED;
            }
            if (!requests_are_done(cluster->requests)) {
                return CLUSTER_TIME_UP;
            }
            continue;
        }
        cluster->steps++;
        if (each_event && !cluster->interrupted && !requests_are_done(cluster->requests)) {
            return CLUSTER_EVENT;
        }
    }
}

enum cluster_turn cluster_drive(struct cluster *cluster, int64_t until_ns, bool each_event)
{
    ensure(!cluster->driving);
    cluster->driving = true;
    enum cluster_turn turn = drive(cluster, until_ns, each_event);
    cluster->driving = false;
    return turn;
}
