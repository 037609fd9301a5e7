/*
 * The history of a workload: an entry for each question and one for what became of it, in the order
 * in which it happened; and the places in the logs of commands of which nobody knows what became.
 * It judges nothing.
 */
#include "workload/internal.h"

size_t workload_count(const struct workload *workload)
{
    return workload->entries.count;
}

const struct workload_entry *workload_entry(const struct workload *workload, size_t position)
{
    ensure(position < workload->entries.count);
    return &workload->entries.items[position];
}

bool workload_is_closed(const struct workload *workload)
{
    return workload->is_closed;
}

const struct workload_tally *workload_tally_at(const struct workload *workload, size_t position)
{
    return position < workload->tallies.count ? &workload->tallies.items[position] : NULL;
}

static struct workload_tally *tally_of(struct workload *workload, uint32_t f)
{
    for (size_t i = 0; i < workload->tallies.count; i++) {
        if (workload->tallies.items[i].f == f) {
            return &workload->tallies.items[i];
        }
    }
    struct workload_tally *tally = array_push(&workload->tallies);
    *tally = (struct workload_tally){.f = f};
    return tally;
}

void workload_change_process(struct workload_client *client)
{
    client->process += client->number == 0 ? -1 : (int64_t)client->workload->options.clients;
}

void workload_invoke(struct workload *workload, struct workload_client *client)
{
    const struct workload_operation *operation = &client->operation;
    client->invoke = workload->entries.count;
    client->last = client->invoke;
    client->is_pending = true;
    *array_push(&workload->entries) = (struct workload_entry){
        .type = WORKLOAD_INVOKE,
        .read = operation->read,
        .process = client->process,
        .time_ns = cluster_now_ns(workload->cluster),
        .node = operation->node,
        .timeout_s = operation->timeout_s,
        .f = operation->f,
        .key = operation->key,
        .invoke = client->invoke,
        .outcome = {.value = operation->value, .log_index = WORKLOAD_UNPLACED},
    };
    struct workload_tally *tally = tally_of(workload, operation->f);
    tally->asked++;
    tally->last = client->invoke;
}

static struct workload_entry *add_end(struct workload *workload, const struct workload_entry *asked,
                                      const struct workload_outcome *outcome)
{
    struct workload_entry entry = {
        .type = outcome->type,
        .read = NODE_REQUEST_READ,
        .process = asked->process,
        .time_ns = cluster_now_ns(workload->cluster),
        .f = asked->f,
        .key = asked->key,
        .invoke = asked->invoke,
        .outcome = *outcome,
    };
    struct workload_entry *added = array_push(&workload->entries);
    *added = entry;
    return added;
}

void workload_complete(struct workload *workload, struct workload_client *client,
                       struct workload_outcome *outcome)
{
    bool is_refused_by_rule = outcome->error == workload->mismatch;
    client->is_pending = false;
    client->ended = outcome->type;
    client->is_refused_by_rule = is_refused_by_rule;
    client->ended_ns = cluster_now_ns(workload->cluster);
    if (workload->is_closed) { /* what came later is unknown for good */
        return;
    }
    if (outcome->type == WORKLOAD_OK && outcome->value == 0) {
        outcome->value = workload->null;
    }
    const struct workload_entry *entry =
        add_end(workload, workload_entry(workload, client->invoke), outcome);
    client->last = workload->entries.count - 1;
    if (outcome->type == WORKLOAD_INFO) {
        workload_change_process(client);
    } else if (outcome->type == WORKLOAD_OK || is_refused_by_rule) {
        tally_of(workload, entry->f)->has_succeeded = true;
        if (workload->options.notes_values) {
            workload_note(workload, entry);
        }
    }
}

/* ---- places in the logs ---------------------------------------------------------------------- */

/* The entry of a command gets the place of the first that the logs hold. */
static void locate(struct workload *workload, struct workload_entry *entry)
{
    const struct workload_entry *asked = workload_entry(workload, entry->invoke);
    struct workload_operation operation = {
        .f = asked->f, .key = asked->key, .value = asked->outcome.value};
    struct failure failure = {0};
    uint64_t index = 0;
    workload_body(workload, &operation, entry->invoke + 1, &workload->body);
    if (cluster_committed(workload->cluster, buffer_bytes(&workload->body), &index, &failure) > 0) {
        entry->outcome.log_index = index;
    }
}

/* A session's command that comes behind a later one of that session has no effect. */
static void keep_in_order(struct workload *workload, const size_t *placed, size_t count)
{
    int64_t clients = workload->options.clients;
    uint64_t *least = memory_new_zeroed((size_t)clients + 1, sizeof *least); /* 0: none yet */
    while (count > 0) {
        struct workload_entry *entry = &workload->entries.items[placed[--count]];
        size_t number = entry->process <= 0 ? 0 : (size_t)((entry->process - 1) % clients + 1);
        uint64_t *index = &entry->outcome.log_index;
        if (*index == WORKLOAD_UNPLACED) {
            continue;
        }
        if (least[number] != 0 && *index > least[number]) {
            *index = WORKLOAD_UNPLACED;
        } else {
            least[number] = *index;
        }
    }
    memory_free(least);
}

static void locate_all(struct workload *workload)
{
    array_of(size_t) placed = {0};
    for (size_t i = 0; i < workload->entries.count; i++) {
        struct workload_entry *entry = &workload->entries.items[i];
        const struct workload_verb_of *verb = workload_verb_of(workload, entry->f);
        bool is_looked_for =
            entry->type == WORKLOAD_INFO ||
            (workload->options.is_session && entry->outcome.log_index != WORKLOAD_UNPLACED);
        if (is_looked_for && verb != NULL && !verb->verb.is_read) {
            locate(workload, entry);
            *array_push(&placed) = i;
        }
    }
    if (workload->options.is_session) {
        keep_in_order(workload, placed.items, placed.count);
    }
    array_free(&placed);
}

void workload_close(struct workload *workload)
{
    ensure(!workload->is_closed);
    uint32_t stopped = workload_text(workload, "stopped");
    for (uint32_t i = 1; i <= workload->options.clients; i++) {
        const struct workload_client *client = &workload->clients[i];
        if (client->is_pending) {
            const struct workload_entry *asked = workload_entry(workload, client->invoke);
            add_end(workload, asked,
                    &(struct workload_outcome){.type = WORKLOAD_INFO,
                                               .value = asked->outcome.value,
                                               .error = stopped,
                                               .log_index = WORKLOAD_UNPLACED});
        }
    }
    workload->is_closed = true;
    if (workload->options.locates) {
        locate_all(workload);
    }
}

/* ---- for a check ----------------------------------------------------------------------------- */

struct history *workload_history(const struct workload *workload)
{
    struct history *history = history_new_of(&workload->values);
    for (size_t i = 0; i < workload->entries.count; i++) {
        const struct workload_entry *of = &workload->entries.items[i];
        const struct workload_outcome *outcome = &of->outcome;
        bool is_placed = outcome->log_index != WORKLOAD_UNPLACED;
        struct history_numbers entry = {
            .type = (enum history_type)of->type,
            .process = of->process,
            .f = of->f,
            .key = of->key,
            .value = outcome->value,
            .result = outcome->result,
            .is_mismatch = of->type == WORKLOAD_FAIL && outcome->error == workload->mismatch,
            .seen = outcome->seen,
            .log_index = is_placed ? outcome->log_index : 0,
        };
        struct failure failure = {0};
        bool is_added = history_add_numbers(history, &entry, &failure);
        ensure(is_added);
    }
    history_end(history);
    return history;
}

bool workload_draw_again(struct workload *workload, uint32_t f,
                         struct workload_operation *operation)
{
    if (workload_verb_of(workload, f) == NULL) {
        return false;
    }
    operation->f = f;
    workload_draw_parts(workload, &workload->clients[0].stream, f, operation);
    return true;
}
