/*
 * Workloads: their options, values and keys, and the end of all clients. It asks for nothing
 * itself: client.c does.
 */
#include "workload/internal.h"

#include <stdio.h>

int64_t workload_time_after(int64_t time_ns, int64_t length_ns)
{
    return length_ns < WORLD_NEVER - time_ns ? time_ns + length_ns : WORLD_NEVER;
}

uint32_t workload_number(struct workload *workload, struct bytes bytes)
{
    return bytes.size == 0 ? 0 : interner_number(&workload->values, bytes);
}

struct bytes workload_bytes(const struct workload *workload, uint32_t number)
{
    return interner_bytes(&workload->values, number);
}

uint32_t workload_value(struct workload *workload)
{
    uint32_t number = workload_number(workload, buffer_bytes(&workload->value));
    buffer_clear(&workload->value);
    return number;
}

uint32_t workload_text(struct workload *workload, const char *text)
{
    value_write_string(&workload->value, text, strlen(text));
    return workload_value(workload);
}

void workload_add_key(struct workload *workload, struct bytes key, struct bytes text)
{
    uint8_t *copy = memory_new(text.size);
    if (text.size > 0) {
        memcpy(copy, text.data, text.size);
    }
    uint32_t number = workload_number(workload, key);
    *array_push(&workload->keys) =
        (struct workload_key){.number = number, .text = {copy, text.size}};
    while (workload->seen.count <= number) {
        *array_push(&workload->seen) = 0;
    }
}

void workload_give(struct workload *workload, uint32_t client, int64_t at_ns,
                   const struct workload_operation *operation)
{
    ensure(client >= 1 && client <= workload->options.clients);
    struct workload_client *to = &workload->clients[client];
    ensure(to->state == CLIENT_IDLE);
    *array_push(&to->given) = (struct given_operation){.at_ns = at_ns, .operation = *operation};
}

/* ---- making ---------------------------------------------------------------------------------- */

static void make_values(struct workload *workload)
{
    ensure(interner_number(&workload->values, (struct bytes){NULL, 0}) == 0);
    value_write_null(&workload->value);
    workload->null = workload_value(workload);
    workload->mismatch = workload_text(workload, "mismatch");
}

static void make_verbs(struct workload *workload, const uint32_t *weights)
{
    const struct workload_verb *verb = NULL;
    for (size_t i = 0; (verb = workload_verb_at(workload->options.kind, i)) != NULL; i++) {
        *array_push(&workload->verbs) = workload_number(workload, bytes_of_text(verb->name));
        *array_push(&workload->weights) = weights[i];
        workload->weight += weights[i];
    }
}

static void make_clients(struct workload *workload)
{
    const struct workload_options *options = &workload->options;
    workload->clients = memory_new_zeroed((size_t)options->clients + 1, sizeof *workload->clients);
    for (uint32_t i = 0; i <= options->clients; i++) {
        struct workload_client *client = &workload->clients[i];
        char name[64];
        (void)snprintf(name, sizeof name, "workload/%u/client/%u", options->number, i);
        client->workload = workload;
        client->number = i;
        client->process = i;
        client->next_ns = WORKLOAD_NONE;
        client->stream = random_stream(options->seed, name);
        client->target =
            i == 0 ? WORKLOAD_LEADER : workload->targets.items[(i - 1) % workload->targets.count];
    }
}

struct workload *workload_new(struct cluster *cluster, const struct workload_options *options)
{
    ensure(options->clients >= 1 && options->number >= 1 && options->target_count >= 1);
    struct workload *workload = memory_new_zeroed(1, sizeof *workload);
    workload->cluster = cluster;
    workload->options = *options;
    workload->options.weights = NULL;
    workload->options.targets = NULL;
    for (size_t i = 0; i < options->target_count; i++) {
        *array_push(&workload->targets) = options->targets[i];
    }
    workload->end_ns = workload_time_after(cluster_now_ns(cluster), options->length_ns);
    workload->left = options->count;
    make_values(workload);
    make_verbs(workload, options->weights);
    make_clients(workload);
    return workload;
}

void workload_free(struct workload *workload)
{
    if (workload == NULL) {
        return;
    }
    for (uint32_t i = 0; i <= workload->options.clients; i++) {
        array_free(&workload->clients[i].given);
    }
    for (size_t i = 0; i < workload->keys.count; i++) {
        memory_free((void *)(uintptr_t)workload->keys.items[i].text.data);
    }
    memory_free(workload->clients);
    interner_free(&workload->values);
    array_free(&workload->targets);
    array_free(&workload->weights);
    array_free(&workload->keys);
    array_free(&workload->seen);
    array_free(&workload->verbs);
    array_free(&workload->entries);
    array_free(&workload->tallies);
    buffer_free(&workload->value);
    buffer_free(&workload->body);
    memory_free(workload);
}

/* ---- the end of all -------------------------------------------------------------------------- */

void workload_stop(struct workload *workload)
{
    workload->is_over = true;
    for (uint32_t i = 1; i <= workload->options.clients; i++) {
        struct workload_client *client = &workload->clients[i];
        if (client->state == CLIENT_SLEEPING || client->state == CLIENT_RESTING) {
            cluster_forget(workload->cluster, client->ticket);
            client->state = CLIENT_ENDED;
            client->need = WORKLOAD_ENDED;
        }
    }
}

void workload_leave(struct workload *workload)
{
    workload->is_over = true;
    for (uint32_t i = 0; i <= workload->options.clients; i++) {
        struct workload_client *client = &workload->clients[i];
        client->state = CLIENT_ENDED;
        client->need = WORKLOAD_ENDED;
    }
}

void workload_forget(struct workload *workload)
{
    for (uint32_t i = 0; i <= workload->options.clients; i++) {
        const struct workload_client *client = &workload->clients[i];
        if (client->ticket != 0) { /* where that was taken, it is unknown by now */
            cluster_forget(workload->cluster, client->ticket);
        }
    }
    workload_leave(workload);
}

const char *workload_failure(const struct workload *workload)
{
    return workload->failure;
}
