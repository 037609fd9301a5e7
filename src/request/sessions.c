/*
 * Sessions, in which commands are applied exactly once (dissertation 6.3): each is opened by an
 * entry of the log, has one command under way at a time, and numbers them. A command keeps session
 * and number for all of its tries.
 *
 * It asks nobody, and never decides whether a command was applied.
 */
#include "request/internal.h"

#define POOL_MAX 256U

static struct request_session *session_of(struct requests *requests, const struct request *request)
{
    return &requests->sessions.items[request->session - 1];
}

uint32_t requests_new_session(struct requests *requests)
{
    *array_push(&requests->sessions) = (struct request_session){0};
    return (uint32_t)requests->sessions.count;
}

/* The one that was used last of those that are free: it is the least likely to have expired. */
static uint32_t take_from_pool(struct requests *requests)
{
    if (requests->pool.count > 0) {
        return requests->pool.items[--requests->pool.count];
    }
    if (requests->pool_size == POOL_MAX) {
        return 0;
    }
    requests->pool_size++;
    return requests_new_session(requests);
}

static bool acquire(struct requests *requests, struct request *request)
{
    bool any = request->wanted_session == REQUEST_SESSION_ANY;
    uint32_t number = any ? take_from_pool(requests) : request->wanted_session;
    if (number == 0 || requests->sessions.items[number - 1].is_busy) {
        return false;
    }
    requests->sessions.items[number - 1].is_busy = true;
    request->session = number;
    return true;
}

bool session_prepare(struct requests *requests, struct request *request)
{
    if (request->session == 0 && !acquire(requests, request)) {
        return false;
    }
    struct request_session *session = session_of(requests, request);
    if (!request->is_addressed && session->id != 0) {
        machine_payload_address(request->body.data, session->id, ++session->sequence);
        request->is_addressed = true;
        request->first_try = request->tries + 1;
    }
    request->is_opening = !request->is_addressed;
    return true;
}

void session_opened(struct requests *requests, struct request *request, uint64_t id)
{
    *session_of(requests, request) = (struct request_session){.id = id, .is_busy = true};
    request->is_opening = false;
    /* Another answer to the opening, while no leader is known, says nothing of the command. */
    request->first_try = request->tries + 1;
}

void session_expired(struct requests *requests, struct request *request)
{
    *session_of(requests, request) = (struct request_session){.is_busy = true};
    request->is_addressed = false;
    request->first_try = request->tries + 1;
}

void session_release(struct requests *requests, struct request *request)
{
    if (request->session == 0) {
        return;
    }
    session_of(requests, request)->is_busy = false;
    if (request->wanted_session == REQUEST_SESSION_ANY) {
        *array_push(&requests->pool) = request->session;
    }
    request->session = 0;
    request->is_opening = false;
    if (requests->reach->ready != NULL) {
        requests->reach->ready(requests->owner); /* another may wait for it */
    }
}
