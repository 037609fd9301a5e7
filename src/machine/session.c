/*
 * Client sessions (dissertation, 6.3): which command of each session was applied last, and what it
 * answered. The table changes by applied commands alone, so that it is equal on all replicas at
 * equal indexes. It never looks at a clock, and never into commands or results.
 */
#include "machine/internal.h"

#include <string.h>

static uint32_t bucket_of(const struct sessions *sessions, uint64_t id)
{
    return (uint32_t)hash_mix(0, id) & (sessions->bucket_count - 1);
}

void sessions_free(struct sessions *sessions)
{
    for (uint32_t i = 0; i < sessions->count; i++) {
        memory_free(sessions->all[i].result);
    }
    memory_free(sessions->all);
    memory_free(sessions->buckets);
    memset(sessions, 0, sizeof *sessions);
}

static void unlink_by_use(struct sessions *sessions, uint32_t place)
{
    struct session *session = &sessions->all[place - 1];
    if (session->newer != 0) {
        sessions->all[session->newer - 1].older = session->older;
    } else {
        sessions->newest = session->older;
    }
    if (session->older != 0) {
        sessions->all[session->older - 1].newer = session->newer;
    } else {
        sessions->oldest = session->newer;
    }
}

static void link_as_newest(struct sessions *sessions, uint32_t place)
{
    struct session *session = &sessions->all[place - 1];
    session->newer = 0;
    session->older = sessions->newest;
    if (sessions->newest != 0) {
        sessions->all[sessions->newest - 1].newer = place;
    } else {
        sessions->oldest = place;
    }
    sessions->newest = place;
}

struct session *sessions_use(struct sessions *sessions, uint64_t id)
{
    if (sessions->bucket_count == 0) {
        return NULL;
    }
    uint32_t place = sessions->buckets[bucket_of(sessions, id)];
    while (place != 0 && sessions->all[place - 1].id != id) {
        place = sessions->all[place - 1].chain;
    }
    if (place == 0) {
        return NULL;
    }
    unlink_by_use(sessions, place);
    link_as_newest(sessions, place);
    return &sessions->all[place - 1];
}

static void put_in_bucket(struct sessions *sessions, uint32_t place)
{
    struct session *session = &sessions->all[place - 1];
    uint32_t *bucket = &sessions->buckets[bucket_of(sessions, session->id)];
    session->chain = *bucket;
    *bucket = place;
}

static void take_from_bucket(struct sessions *sessions, uint32_t place)
{
    uint32_t *link = &sessions->buckets[bucket_of(sessions, sessions->all[place - 1].id)];
    while (*link != place) {
        ensure(*link != 0);
        link = &sessions->all[*link - 1].chain;
    }
    *link = sessions->all[place - 1].chain;
}

static void grow(struct sessions *sessions)
{
    sessions->capacity = sessions->capacity == 0 ? 16 : sessions->capacity * 2;
    sessions->all = memory_resize(sessions->all, sessions->capacity * sizeof *sessions->all);
    memory_free(sessions->buckets);
    sessions->bucket_count = sessions->capacity * 2;
    sessions->buckets = memory_new_zeroed(sessions->bucket_count, sizeof *sessions->buckets);
    for (uint32_t place = 1; place <= sessions->count; place++) {
        put_in_bucket(sessions, place);
    }
}

/* A place for one more session: a new one, or that of the session whose last use is longest ago. */
static uint32_t free_place(struct sessions *sessions)
{
    if (sessions->count == SESSIONS_MAX) {
        uint32_t place = sessions->oldest;
        take_from_bucket(sessions, place);
        unlink_by_use(sessions, place);
        memory_free(sessions->all[place - 1].result);
        return place;
    }
    if (sessions->count == sessions->capacity) {
        grow(sessions);
    }
    return ++sessions->count;
}

void sessions_remember(struct sessions *sessions, uint64_t id, uint64_t sequence,
                       struct bytes result)
{
    struct session *session = sessions_use(sessions, id);
    if (session == NULL) {
        uint32_t place = free_place(sessions);
        session = &sessions->all[place - 1];
        memset(session, 0, sizeof *session);
        session->id = id;
        put_in_bucket(sessions, place);
        link_as_newest(sessions, place);
    }
    ensure(result.size <= UINT32_MAX);
    session->sequence = sequence;
    session->result = memory_resize(session->result, result.size);
    session->result_size = (uint32_t)result.size;
    if (result.size > 0) {
        memcpy(session->result, result.data, result.size);
    }
}
