/*
 * checker: its life, its subscription to the trace, the table of nodes, and the first violation.
 *
 * It judges nothing itself: each kind of event goes to the file whose subject it is. It never emits
 * an event and never touches a node.
 */
#include "check/internal.h"

#include <stdarg.h>
#include <stdio.h>

const char *check_property_name(enum check_property property)
{
    static const char *const names[] = {
#define X(name, text) [CHECK_##name] = (text),
        CHECK_PROPERTIES(X)
#undef X
    };
    ensure((unsigned)property < CHECK_PROPERTY_COUNT);
    return names[property];
}

/* ---- nodes ---------------------------------------------------------------------------------- */

static size_t place_of(const struct checker *checker, uint64_t id)
{
    size_t mask = checker->table_size - 1;
    size_t place = (size_t)((id * 0x9e3779b97f4a7c15ULL) >> 32) & mask;
    while (checker->table[place] != NULL && checker->table[place]->id != id) {
        place = (place + 1) & mask;
    }
    return place;
}

/* At most half full, so that a search always ends. */
static void grow_table(struct checker *checker)
{
    checker->table_size *= 2;
    memory_free(checker->table);
    checker->table = memory_new_zeroed(checker->table_size, sizeof(struct check_node *));
    for (size_t i = 0; i < checker->nodes.count; i++) {
        checker->table[place_of(checker, checker->nodes.items[i]->id)] = checker->nodes.items[i];
    }
}

struct check_node *checker_find(const struct checker *checker, uint64_t id)
{
    return checker->table[place_of(checker, id)];
}

struct check_node *checker_node(struct checker *checker, uint64_t id)
{
    struct check_node *node = checker_find(checker, id);
    if (node != NULL) {
        return node;
    }
    if (checker->nodes.count == checker->table_size / 2) {
        grow_table(checker);
    }
    node = memory_new_zeroed(1, sizeof(*node));
    node->id = id;
    checker->table[place_of(checker, id)] = node;
    *array_push(&checker->nodes) = node;
    return node;
}

struct check_node *checker_server(const struct checker *checker, struct server server)
{
    struct check_node *node = checker_find(checker, server.id);
    while (node != NULL && server.directory != 0 && node->directory != server.directory) {
        node = node->former;
    }
    return node;
}

/* With another disk than before it is another server; what the former one promised stays its own.
 */
static struct check_node *starting(struct checker *checker, struct check_node *node,
                                   uint64_t directory)
{
    if (node->life == 0 || node->directory == directory) {
        node->directory = directory;
        return node;
    }
    struct check_node *next = memory_new_zeroed(1, sizeof(*next));
    next->id = node->id;
    next->disk_lies = node->disk_lies; /* the fault is set for an id */
    next->directory = directory;
    next->former = node;
    node->running = false;
    node->leads = false;
    checker->table[place_of(checker, node->id)] = next;
    for (size_t i = 0; i < checker->nodes.count; i++) {
        if (checker->nodes.items[i] == node) {
            checker->nodes.items[i] = next;
        }
    }
    return next;
}

uint64_t checker_holder(const struct checker *checker, uint64_t index, const struct term *term,
                        uint64_t except)
{
    for (size_t i = 0; i < checker->nodes.count; i++) {
        const struct check_node *node = checker->nodes.items[i];
        if (node->id != except && term != NULL && chain_term(&node->log, index) == term) {
            return node->id;
        }
    }
    return 0;
}

void checker_forget(struct checker *checker)
{
    uint64_t low = UINT64_MAX;
    for (size_t i = 0; i < checker->nodes.count; i++) {
        const struct check_node *node = checker->nodes.items[i];
        /* A node without a log gets what the others still have, or a snapshot. */
        if (node->log.last > 0 && node->snapshot < low) {
            low = node->snapshot;
        }
    }
    if (low == UINT64_MAX || low <= checker->forgotten) {
        return;
    }
    checker->forgotten = low;
    hashes_forget(&checker->answers, low);
    hashes_forget(&checker->applied_states, low);
    machines_forget(checker, low);
    configurations_trim(checker, low);
    for (size_t i = 0; i < checker->terms.list.count; i++) {
        hashes_forget(&checker->terms.list.items[i]->hashes, low);
    }
    /* committed keeps the term of the entry at its base, which is all that is asked of it there. */
    chain_compact(&checker->committed, low < checker->committed.last ? low : 0);
}

/* ---- violations ----------------------------------------------------------------------------- */

void checker_report(struct checker *checker, const struct trace_event *event,
                    enum check_property property, uint64_t other, const char *format, ...)
{
    if (checker->is_violated) {
        return;
    }
    checker->is_violated = true;
    struct check_violation *violation = &checker->violation;
    violation->property = property;
    violation->time_ns = event->time_ns;
    violation->nodes[violation->node_count++] = event->node;
    if (other != 0 && other != event->node) {
        violation->nodes[violation->node_count++] = other;
    }
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(violation->message, sizeof(violation->message), format, arguments);
    va_end(arguments);
    if (checker->violated != NULL) {
        checker->violated(checker->context, violation);
    }
}

const struct check_violation *checker_violation(const struct checker *checker)
{
    return checker->is_violated ? &checker->violation : NULL;
}

/* ---- events --------------------------------------------------------------------------------- */

static void stopped(struct check_node *node)
{
    node->running = false;
    node->leads = false;
}

/* A node was sent a damaged snapshot, or what contradicts what it knows to be committed. A forger
 * may do that, but none that leads. */
static void noticed(struct checker *checker, const struct check_node *node,
                    const struct trace_event *event)
{
    if (event->term == 0 || checker->leading == NULL || event->term > checker->leading->term ||
        terms_get(&checker->terms, event->term)->leader.id != event->peer) {
        return;
    }
    if (event->flag) {
        durability_damaged_snapshot(checker, node, event);
        return;
    }
    checker_report(checker, event, CHECK_NO_CONTRADICTION, event->peer,
                   "node %llu, leader of term %llu, sent node %llu what contradicts a committed "
                   "entry: %.*s",
                   (unsigned long long)event->peer, (unsigned long long)event->term,
                   (unsigned long long)node->id, (int)event->text.size,
                   (const char *)event->text.data);
}

static void read_rare(struct checker *checker, struct check_node *node,
                      const struct trace_event *event)
{
    switch (event->kind) {
    case TRACE_START:
        durability_start(checker, starting(checker, node, event->directory), event);
        break;
    case TRACE_STOP:
        stopped(node);
        break;
    case TRACE_NOTICE:
        noticed(checker, node, event);
        break;
    case TRACE_ROLE:
        safety_role(checker, node, event);
        break;
    case TRACE_VOTE:
        if (leases_judge_vote(checker, node, event)) {
            durability_vote(checker, node, event);
        }
        break;
    case TRACE_TRUNCATE:
        safety_truncate(checker, node, event);
        break;
    case TRACE_SNAPSHOT:
        machines_snapshot(checker, node, event);
        break;
    case TRACE_INSTALL:
        checker->received.to = 0; /* its disk's doing, not a message's */
        machines_install(checker, node, event);
        break;
    case TRACE_RESTORE:
        machines_restore(checker, node, event);
        break;
    case TRACE_MEMBERS:
        configurations_members(checker, node, event);
        break;
    case TRACE_READ:
        majorities_read(checker, node, event);
        break;
    case TRACE_CONFIRM:
        if (event->flag) {
            leases_confirm(checker, node, event);
        } else {
            majorities_confirm(checker, node, event);
        }
        break;
    default:
        break;
    }
}

/* What may stand between a change of the log and the MEMBERS that it causes; and a node's end. */
#define SAME_STEP                                                                                  \
    (TRACE_MASK(TRACE_TRUNCATE) | TRACE_MASK(TRACE_APPEND) | TRACE_MASK(TRACE_MEMBERS) |           \
     TRACE_MASK(TRACE_START) | TRACE_MASK(TRACE_STOP) | TRACE_MASK(TRACE_INSTALL))

/* Most messages promise nothing: they are passed over before anything is looked up. */
static inline bool says_nothing(const struct trace_event *event)
{
    if (event->kind == TRACE_SEND) {
        return event->message_kind != RAFT_APPEND_RESPONSE && event->message_kind != RAFT_VOTE &&
               event->message_kind != RAFT_VOTE_RESPONSE &&
               event->message_kind != RAFT_PRE_VOTE_RESPONSE && event->message_kind != RAFT_READ &&
               event->message_kind != RAFT_TIMEOUT_NOW;
    }
    return event->kind == TRACE_RECEIVE && event->message_kind != RAFT_READ_RESPONSE;
}

static void read_event(void *context, const struct trace_event *event)
{
    struct checker *checker = context;
    if (checker->is_violated) {
        return; /* what follows from a violation is not news */
    }
    if (event->kind == TRACE_RECEIVE) {
        answers_received(checker, event);
        leases_heard(checker, event);
    } else if (event->kind == TRACE_FAULT) {
        leases_fault(checker, event);
        durability_fault(checker, event);
        return;
    }
    if (event->node == 0 || says_nothing(event)) {
        return;
    }
    struct check_node *node = checker_node(checker, event->node);
    if (node->members_due && (SAME_STEP & TRACE_MASK(event->kind)) == 0 &&
        !configurations_judge_due(checker, node, event)) {
        return;
    }
    switch (event->kind) {
    case TRACE_SEND:
        if (event->message_kind == RAFT_READ) {
            majorities_round(node, event);
        } else if (event->message_kind == RAFT_TIMEOUT_NOW) {
            leases_told(checker, node, event);
        } else {
            answers_sent(checker, node, event);
            durability_send(checker, node, event);
        }
        break;
    case TRACE_RECEIVE:
        majorities_round_answer(node, event);
        break;
    case TRACE_APPEND:
        safety_append(checker, node, event);
        break;
    case TRACE_WRITE:
        durability_write(checker, node, event);
        break;
    case TRACE_SYNC:
        durability_sync(node, event);
        break;
    case TRACE_MATCH:
        durability_match(checker, node, event);
        break;
    case TRACE_COMMIT:
        commits_commit(checker, node, event);
        break;
    case TRACE_APPLY:
        machines_apply(checker, node, event);
        break;
    default:
        read_rare(checker, node, event);
        break;
    }
}

/* ---- life ----------------------------------------------------------------------------------- */

struct checker *
checker_new(struct trace *trace,
            void (*violated)(void *context, const struct check_violation *violation), void *context)
{
    struct checker *checker = memory_new_zeroed(1, sizeof(*checker));
    checker->trace = trace;
    checker->violated = violated;
    checker->context = context;
    checker->table_size = 16;
    checker->table = memory_new_zeroed(checker->table_size, sizeof(struct check_node *));
    chain_reset(&checker->committed, 0, &checker->origin);
    checker->subscription = trace_subscribe(
        trace,
        TRACE_MASK(TRACE_START) | TRACE_MASK(TRACE_STOP) | TRACE_MASK(TRACE_ROLE) |
            TRACE_MASK(TRACE_VOTE) | TRACE_MASK(TRACE_SEND) | TRACE_MASK(TRACE_RECEIVE) |
            TRACE_MASK(TRACE_APPEND) | TRACE_MASK(TRACE_MEMBERS) | TRACE_MASK(TRACE_READ) |
            TRACE_MASK(TRACE_CONFIRM) | TRACE_MASK(TRACE_TRUNCATE) | TRACE_MASK(TRACE_WRITE) |
            TRACE_MASK(TRACE_SYNC) | TRACE_MASK(TRACE_MATCH) | TRACE_MASK(TRACE_COMMIT) |
            TRACE_MASK(TRACE_APPLY) | TRACE_MASK(TRACE_SNAPSHOT) | TRACE_MASK(TRACE_INSTALL) |
            TRACE_MASK(TRACE_RESTORE) | TRACE_MASK(TRACE_NOTICE) | TRACE_MASK(TRACE_FAULT),
        read_event, checker);
    return checker;
}

void checker_expect_gaps(struct checker *checker)
{
    checker->gaps = true;
}

void checker_expect_promises(struct checker *checker, const struct check_promises *promises)
{
    ensure(promises->length_ns > 0 && promises->slack_ns >= 0);
    ensure(promises->drift >= 0 && promises->drift < 1);
    checker->promises = *promises;
}

static void free_servers(struct check_node *node)
{
    while (node != NULL) {
        struct check_node *former = node->former;
        chain_free(&node->log);
        chain_free(&node->disk);
        configurations_forget(node);
        array_free(&node->configurations);
        array_free(&node->answers);
        array_free(&node->matches);
        ring_free(&node->reads);
        ring_free(&node->writes);
        memory_free(node);
        node = former;
    }
}

void checker_free(struct checker *checker)
{
    if (checker == NULL) {
        return;
    }
    trace_unsubscribe(checker->trace, checker->subscription);
    for (size_t i = 0; i < checker->nodes.count; i++) {
        free_servers(checker->nodes.items[i]);
    }
    configurations_trim(checker, UINT64_MAX - 1);
    for (size_t i = 0; i < checker->configurations.count; i++) {
        raft_configuration_free(&checker->configurations.items[i].members);
    }
    array_free(&checker->configurations);
    chain_free(&checker->committed);
    terms_free(&checker->terms);
    hashes_free(&checker->answers);
    hashes_free(&checker->applied_states);
    memory_free(checker->kept);
    array_free(&checker->states);
    array_free(&checker->nodes);
    memory_free(checker->table);
    memory_free(checker);
}
