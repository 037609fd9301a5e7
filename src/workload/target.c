/*
 * Whom a client asks. It asks nobody.
 */
#include "workload/internal.h"

#define STAYS_MOST 40 /* operations that a client asks one node */
#define KNOWN_TIMEOUT                                                                              \
    0.15 /* of the time-out: who is cut off answers nothing, and is asked the more */

static uint64_t any_node(const struct workload *workload, struct workload_client *client)
{
    int64_t count = (int64_t)cluster_count(workload->cluster);
    return cluster_id_at(workload->cluster, (size_t)random_between(&client->stream, 1, count) - 1);
}

/* One of those that believe that they lead, cut off or not. */
static uint64_t believed_leader(const struct workload *workload, struct workload_client *client)
{
    size_t leaders = 0;
    size_t count = cluster_count(workload->cluster);
    for (size_t i = 0; i < count; i++) {
        leaders += cluster_believes_to_lead(workload->cluster, i);
    }
    if (leaders == 0) {
        return any_node(workload, client);
    }
    int64_t left = random_between(&client->stream, 1, (int64_t)leaders);
    size_t position = 0;
    for (;; position++) {
        left -= cluster_believes_to_lead(workload->cluster, position);
        if (left == 0) {
            return cluster_id_at(workload->cluster, position);
        }
    }
}

void workload_choose(struct workload *workload, struct workload_client *client,
                     struct workload_operation *operation)
{
    if (client->target == WORKLOAD_ANY) {
        operation->node = any_node(workload, client);
    } else if (client->target == WORKLOAD_KNOWN) {
        client->stays--;
        if (client->stays < 0) {
            client->node = believed_leader(workload, client);
            client->stays = random_between(&client->stream, 1, STAYS_MOST);
        }
        operation->node = client->node;
        operation->timeout_s = workload->options.timeout_s * KNOWN_TIMEOUT;
    }
}

void workload_refused(struct workload_client *client, const struct failure *failure)
{
    if (client->target == WORKLOAD_KNOWN && failure->code != FAILURE_BUSY) {
        client->node = failure->leader;
        client->stays = failure->leader != 0 ? random_between(&client->stream, 1, STAYS_MOST) : 0;
    }
}
