/*
 * Client sessions (dissertation, 6.3): which command of each session was applied last, and what it
 * answered. The table changes by applied commands alone, so that it is equal on all replicas at
 * equal indexes. It never looks at a clock, and never into commands or results.
 */
#include "machine/internal.h"

#include <string.h>

/* The link in the chain of its bucket that holds this session, or the chain's end. */
static struct session **find(const struct sessions *sessions, uint64_t id)
{
    struct session **link =
        &sessions->buckets[hash_mix(0, id) & (uint64_t)(sessions->bucket_count - 1)];
    while (*link != NULL && (*link)->id != id) {
        link = &(*link)->chain;
    }
    return link;
}

static struct session *by_use(struct list_link *link)
{
    return item_of(link, struct session, by_use);
}

static void drop(struct sessions *sessions, struct session *session)
{
    *find(sessions, session->id) = session->chain;
    list_remove(&session->by_use);
    batch_release(session->result);
    memory_free(session);
    sessions->count--;
}

void sessions_free(struct sessions *sessions)
{
    while (sessions->count > 0) {
        drop(sessions, by_use(list_first(&sessions->used)));
    }
    memory_free((void *)sessions->buckets);
    *sessions = (struct sessions){0};
}

struct session *sessions_use(struct sessions *sessions, uint64_t id)
{
    struct session *session = sessions->count == 0 ? NULL : *find(sessions, id);
    if (session != NULL) {
        list_remove(&session->by_use);
        list_append(&sessions->used, &session->by_use);
    }
    return session;
}

static void grow(struct sessions *sessions)
{
    memory_free((void *)sessions->buckets);
    sessions->bucket_count = sessions->bucket_count == 0 ? 32 : sessions->bucket_count * 2;
    sessions->buckets = memory_new_zeroed(sessions->bucket_count, sizeof(struct session *));
    list_each(&sessions->used, at) {
        struct session *session = by_use(at);
        struct session **link = find(sessions, session->id);
        session->chain = NULL;
        *link = session;
    }
}

static struct session *add(struct sessions *sessions, uint64_t id)
{
    if (sessions->count == SESSIONS_MAX) {
        drop(sessions, by_use(list_first(&sessions->used)));
    }
    if (sessions->count * 2 == sessions->bucket_count) {
        grow(sessions);
    }
    struct session *session = memory_new_zeroed(1, sizeof *session);
    session->id = id;
    *find(sessions, id) = session;
    list_append(&sessions->used, &session->by_use);
    sessions->count++;
    return session;
}

void sessions_remember(struct sessions *sessions, uint64_t id, uint64_t sequence,
                       struct bytes result)
{
    struct session *session = sessions_use(sessions, id);
    if (session == NULL) {
        session = add(sessions, id);
    }
    session->sequence = sequence;
    batch_release(session->result); /* a snapshot may hold it */
    session->result = batch_copy(NULL, result.data, result.size);
}
