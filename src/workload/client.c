/*
 * One client of a workload: waits for the time of its next operation, asks, records what came of
 * it, and rests where it was refused. It never decides what a workload consists of.
 *
 *     sleeping ──> asked ──> resting ──> sleeping …   ──> ended
 *         needs the script wherever only that can go on (workload_need)
 */
#include "workload/internal.h"

#include <math.h>
#include <stdio.h>

#define REST_LEAST_NS 5000000 /* after a refusal */
#define REST_MOST_NS 50000000
#define AT_ONCE_NS 1000000 /* after an answer that took no time: the world has to go on */
#define REPEAT_NS INT64_C(1000000000) /* a session's command, until it is answered */

static enum workload_need needs(struct workload_client *client, enum workload_need need)
{
    client->state = CLIENT_NEEDS;
    client->need = need;
    return need;
}

static enum workload_need end(struct workload_client *client)
{
    client->state = CLIENT_ENDED;
    client->need = WORKLOAD_ENDED;
    return WORKLOAD_ENDED;
}

static enum workload_need fail(struct workload_client *client)
{
    client->state = CLIENT_ENDED;
    client->need = WORKLOAD_FAILED;
    return WORKLOAD_FAILED;
}

static enum workload_need waits(struct workload_client *client, enum client_state state,
                                uint64_t ticket)
{
    client->state = state;
    client->ticket = ticket;
    client->need = WORKLOAD_NOTHING;
    return WORKLOAD_NOTHING;
}

static enum workload_need sleep_until(struct workload_client *client, enum client_state state,
                                      int64_t time_ns)
{
    uint64_t ticket = cluster_wait_time(client->workload->cluster, time_ns, &client->asker);
    return waits(client, state, ticket);
}

static bool may_begin(const struct workload *workload)
{
    return !workload->is_over && workload->left > 0;
}

/* ---- asking ---------------------------------------------------------------------------------- */

static int64_t timeout_ns(const struct workload *workload,
                          const struct workload_operation *operation)
{
    double length_ns = floor(operation->timeout_s * 1e9 + 0.5);
    return operation->timeout_s <= 0 ? workload->options.timeout_ns
           : length_ns < 0x1p62      ? (int64_t)length_ns
                                     : WORLD_NEVER;
}

static enum workload_need ask(struct workload_client *client)
{
    struct workload *workload = client->workload;
    const struct workload_operation *operation = &client->operation;
    bool is_read = workload_verb_of(workload, operation->f)->verb.is_read;
    int64_t now_ns = cluster_now_ns(workload->cluster);
    bool is_numbered = workload->options.locates && !is_read;
    workload_body(workload, operation, is_numbered ? client->invoke + 1 : 0, &workload->body);
    struct cluster_request request = {
        .kind = is_read ? operation->read : NODE_REQUEST_PROPOSE,
        .node = operation->node,
        .session = is_read ? 0 : client->session,
        .repeat_ns = REPEAT_NS,
        .body = buffer_bytes(&workload->body),
        .deadline_ns = workload_time_after(now_ns, timeout_ns(workload, operation)),
        .asker = &client->asker,
    };
    return waits(client, CLIENT_ASKED, cluster_send_request(workload->cluster, &request));
}

static enum workload_need begin_operation(struct workload_client *client)
{
    workload_invoke(client->workload, client);
    return client->workload->options.performs ? needs(client, WORKLOAD_PERFORM) : ask(client);
}

/* ---- from one operation to the next ---------------------------------------------------------- */

static enum workload_need begin(struct workload_client *client)
{
    struct workload *workload = client->workload;
    if (!may_begin(workload)) {
        return end(client);
    }
    if (workload->options.source == WORKLOAD_GENERATED) {
        return needs(client, WORKLOAD_OPERATION);
    }
    if (workload->options.source == WORKLOAD_GIVEN) {
        client->operation = client->given.items[client->given_done++].operation;
    } else {
        workload_draw(workload, client, &client->operation);
    }
    workload->left--;
    return begin_operation(client);
}

/* When it asks next. false: never. Clients at a rate make up for little of what they were late. */
static bool next_time(struct workload_client *client, int64_t now_ns, int64_t *at_ns)
{
    const struct workload *workload = client->workload;
    int64_t gap_ns = workload->options.gap_ns;
    *at_ns = now_ns;
    if (workload->options.source == WORKLOAD_GIVEN) {
        bool is_left = client->given_done < client->given.count;
        *at_ns = is_left ? client->given.items[client->given_done].at_ns : now_ns;
        return is_left;
    }
    if (gap_ns != WORKLOAD_NONE) {
        int64_t most_ns = workload_time_after(gap_ns, gap_ns);
        int64_t before_ns = client->next_ns != WORKLOAD_NONE ? client->next_ns : now_ns;
        int64_t drawn_ns = random_between(&client->stream, 0, most_ns);
        int64_t next_ns = workload_time_after(before_ns, drawn_ns);
        int64_t least_ns = now_ns - most_ns;
        client->next_ns = next_ns > least_ns ? next_ns : least_ns;
        *at_ns = client->next_ns;
    }
    return *at_ns < workload->end_ns;
}

static enum workload_need next(struct workload_client *client)
{
    struct workload *workload = client->workload;
    int64_t now_ns = cluster_now_ns(workload->cluster);
    int64_t at_ns = 0;
    if (!may_begin(workload) || !next_time(client, now_ns, &at_ns)) {
        return end(client);
    }
    return at_ns > now_ns ? sleep_until(client, CLIENT_SLEEPING, at_ns) : begin(client);
}

/* What is done again has its times. */
static enum workload_need go_on(struct workload_client *client)
{
    const struct workload *workload = client->workload;
    int64_t ended_ns = client->ended_ns;
    if (workload->is_over || workload->options.source == WORKLOAD_GIVEN) {
        return next(client);
    }
    if (client->ended == WORKLOAD_FAIL && !client->is_refused_by_rule) {
        int64_t rest_ns = random_between(&client->stream, REST_LEAST_NS, REST_MOST_NS);
        return sleep_until(client, CLIENT_RESTING, ended_ns + rest_ns);
    }
    if (ended_ns == workload_entry(workload, client->invoke)->time_ns) {
        return sleep_until(client, CLIENT_RESTING, ended_ns + AT_ONCE_NS);
    }
    return next(client);
}

static enum workload_need complete(struct workload_client *client, struct workload_outcome *outcome)
{
    struct workload *workload = client->workload;
    workload_complete(workload, client, outcome);
    if (client->number == 0) {
        client->state = CLIENT_IDLE;
        client->need = WORKLOAD_ANSWERED;
        return client->need;
    }
    return workload->entries.count >= workload->options.judge_at ? needs(client, WORKLOAD_JUDGE)
                                                                 : go_on(client);
}

/* ---- answers --------------------------------------------------------------------------------- */

/* What cannot have had an effect has failed, as has a read without an answer. */
static enum workload_need was_not_done(struct workload_client *client,
                                       const struct failure *failure)
{
    struct workload *workload = client->workload;
    bool is_read = workload_verb_of(workload, client->operation.f)->verb.is_read;
    if (failure->code == FAILURE_UNSUPPORTED) { /* so would all be: the history would be empty */
        struct bytes name = workload_bytes(workload, client->operation.f);
        (void)snprintf(workload->failure, sizeof workload->failure,
                       "workload \"%s\": %.*s cannot be asked here: %s",
                       workload_kind_name(workload->options.kind), (int)name.size,
                       (const char *)name.data, failure->message);
        return fail(client);
    }
    workload_refused(client, failure);
    struct workload_outcome outcome = {
        .type = failure->unknown && !is_read ? WORKLOAD_INFO : WORKLOAD_FAIL,
        .value = client->operation.value,
        .error = workload_text(workload, failure_name(failure->code)),
        .log_index = WORKLOAD_UNPLACED,
    };
    return complete(client, &outcome);
}

/* A machine of the script's own that answers otherwise would seem to have found nothing. */
static enum workload_need fail_by_form(struct workload_client *client, struct bytes answer,
                                       const char *form)
{
    struct workload *workload = client->workload;
    struct bytes name = workload_bytes(workload, client->operation.f);
    buffer_clear(&workload->body);
    if (answer.size == 0 || !json_write_value(&workload->body, answer)) {
        buffer_append_text(&workload->body, "nil");
    }
    int shown = workload->body.size < 100 ? (int)workload->body.size : 100;
    (void)snprintf(workload->failure, sizeof workload->failure,
                   "the machine answers %.*s by %.*s%s, where a workload expects %s, as the \"kv\" "
                   "machine answers",
                   (int)name.size, (const char *)name.data, shown,
                   (const char *)workload->body.data, workload->body.size > 100 ? "..." : "", form);
    return fail(client);
}

static enum workload_need answered(struct workload_client *client, const struct request_outcome *of)
{
    if (of->failure.code != FAILURE_NONE) {
        return was_not_done(client, &of->failure);
    }
    struct workload_outcome outcome = {.type = WORKLOAD_OK, .log_index = of->index};
    const char *form = NULL;
    if (!workload_answer(client->workload, &client->operation, of->result, &outcome, &form)) {
        return fail_by_form(client, of->result, form);
    }
    return complete(client, &outcome);
}

static bool done(struct request_asker *asker, const struct request_outcome *outcome)
{
    struct workload_client *client = item_of(asker, struct workload_client, asker);
    switch (client->state) {
    case CLIENT_SLEEPING:
        return begin(client) != WORKLOAD_NOTHING;
    case CLIENT_RESTING:
        return next(client) != WORKLOAD_NOTHING;
    case CLIENT_ASKED:
        return answered(client, outcome) != WORKLOAD_NOTHING;
    default:
        return false; /* it was left behind */
    }
}

/* ---- what the script does -------------------------------------------------------------------- */

static struct workload_client *client_at(const struct workload *workload, uint32_t number)
{
    ensure(number <= workload->options.clients);
    return &workload->clients[number];
}

enum workload_need workload_start(struct workload *workload, uint32_t client, uint32_t session,
                                  uint64_t handle)
{
    struct workload_client *starting = client_at(workload, client);
    ensure(starting->state == CLIENT_IDLE || client == 0);
    starting->asker = (struct request_asker){.handle = handle, .done = done};
    starting->session = session;
    return client == 0 ? WORKLOAD_NOTHING : next(starting);
}

enum workload_need workload_need(const struct workload *workload, uint32_t client)
{
    return client_at(workload, client)->need;
}

enum workload_need workload_take(struct workload *workload, uint32_t client,
                                 const struct workload_operation *operation)
{
    struct workload_client *taking = client_at(workload, client);
    ensure(taking->state == CLIENT_NEEDS && taking->need == WORKLOAD_OPERATION);
    if (operation == NULL || workload->is_closed) {
        return end(taking);
    }
    taking->operation = *operation;
    workload->left -= workload->left > 0; /* others may have begun while the script thought */
    return begin_operation(taking);
}

enum workload_need workload_judged(struct workload *workload, uint32_t client, uint64_t judge_at)
{
    struct workload_client *judged = client_at(workload, client);
    ensure(judged->state == CLIENT_NEEDS && judged->need == WORKLOAD_JUDGE);
    workload->options.judge_at = judge_at;
    return go_on(judged);
}

enum workload_need workload_ask(struct workload *workload,
                                const struct workload_operation *operation)
{
    struct workload_client *client = client_at(workload, 0);
    if (client->is_pending) { /* an error ended the call that waited for it */
        cluster_forget(workload->cluster, client->ticket);
        workload_change_process(client);
    }
    client->operation = *operation;
    return begin_operation(client);
}

const struct workload_operation *workload_asked(const struct workload *workload, uint32_t client)
{
    return &client_at(workload, client)->operation;
}

size_t workload_last(const struct workload *workload, uint32_t client)
{
    return client_at(workload, client)->last;
}

enum workload_need workload_performed(struct workload *workload, uint32_t client,
                                      const struct workload_outcome *outcome)
{
    struct workload_client *performing = client_at(workload, client);
    ensure(performing->state == CLIENT_NEEDS && performing->need == WORKLOAD_PERFORM);
    struct workload_outcome copy = *outcome;
    return complete(performing, &copy);
}
