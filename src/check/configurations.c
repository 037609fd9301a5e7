/*
 * configurations: which configuration is in force at a node: the latest in its own log (paper,
 * section 6), rolled back where the log is truncated; and that changes are made one at a time, by
 * way of a joint one where voters change.
 *
 * It knows a node's configurations from the entries of that node's own log (START, APPEND), and
 * compares them with those that the node says are in force (MEMBERS). Where they are not known
 * nothing is judged.
 */
#include "check/internal.h"

#include <inttypes.h>

void configurations_forget(struct check_node *node)
{
    for (size_t i = 0; i < node->configurations.count; i++) {
        raft_configuration_free(&node->configurations.items[i].members);
    }
    node->configurations.count = 0;
    node->members_due = false;
}

const struct check_configuration *configurations_in_force(const struct check_node *node)
{
    size_t count = node->configurations.count;
    return count == 0 ? NULL : &node->configurations.items[count - 1];
}

static void push(struct check_node *node, uint64_t index, const struct raft_configuration *members)
{
    struct check_configuration *place = array_push(&node->configurations);
    ensure(place != NULL);
    *place = (struct check_configuration){index, *members};
    node->members_due = true;
}

/* ---- one change at a time ------------------------------------------------------------------- */

static bool is_voter(const struct raft_configuration *members, uint64_t id)
{
    const struct raft_member *member = raft_configuration_find(members, id);
    return member != NULL && member->voter;
}

static bool was_voter(const struct raft_configuration *members, uint64_t id)
{
    const struct raft_member *member = raft_configuration_find(members, id);
    return member != NULL && member->voter_old;
}

/* May `after` follow `before`? The voters stay, or become the old ones of a joint configuration,
 * or are the new ones of the joint one that ends. */
static bool may_follow(const struct raft_configuration *before,
                       const struct raft_configuration *after)
{
    for (uint32_t i = 0; i < before->count + after->count; i++) {
        uint64_t id =
            i < before->count ? before->members[i].id : after->members[i - before->count].id;
        bool voted = is_voter(before, id);
        if (voted != (after->joint ? was_voter(after, id) : is_voter(after, id))) {
            return false;
        }
    }
    return !(before->joint && after->joint);
}

/* Only directories were filled in: that moves no quorum, and no change has to wait for it. */
static bool is_fill(const struct raft_configuration *before, const struct raft_configuration *after)
{
    bool same = before->count == after->count && before->joint == after->joint;
    bool filled = false;
    for (uint32_t i = 0; same && i < after->count; i++) {
        const struct raft_member *one = &before->members[i];
        const struct raft_member *other = &after->members[i];
        same = one->id == other->id && one->voter == other->voter &&
               one->voter_old == other->voter_old && one->learner == other->learner &&
               (one->directory == 0 || one->directory == other->directory);
        filled = filled || one->directory != other->directory;
    }
    return same && filled;
}

/* The latest that is a change. */
static const struct check_configuration *latest_change(const struct check_node *node)
{
    size_t at = node->configurations.count;
    while (at > 1 && is_fill(&node->configurations.items[at - 2].members,
                             &node->configurations.items[at - 1].members)) {
        at--;
    }
    return at == 0 ? NULL : &node->configurations.items[at - 1];
}

/* A leader puts another configuration into its log. */
static bool judge_change(struct checker *checker, const struct check_node *node,
                         const struct trace_event *event, uint64_t index,
                         const struct raft_configuration *members)
{
    const struct check_configuration *before = configurations_in_force(node);
    const struct term *commit_term = chain_term(&node->log, node->commit);
    if (!node->leads || before == NULL) {
        return true;
    }
    if (latest_change(node)->index > node->commit) {
        checker_report(checker, event, CHECK_ONE_CHANGE, 0,
                       "node %" PRIu64 ", leader of term %" PRIu64
                       ", appends a configuration at index %" PRIu64 ", but the one before, at "
                       "index %" PRIu64 ", is not committed (its commit index is %" PRIu64 ")",
                       node->id, node->term, index, latest_change(node)->index, node->commit);
        return false;
    }
    if (commit_term != NULL && commit_term->term != node->term) {
        checker_report(checker, event, CHECK_ONE_CHANGE, 0,
                       "node %" PRIu64 ", leader of term %" PRIu64
                       ", appends a configuration at index %" PRIu64
                       " before an entry of its own term is committed (its commit index %" PRIu64
                       " is of term %" PRIu64 ")",
                       node->id, node->term, index, node->commit, commit_term->term);
        return false;
    }
    if (!may_follow(&before->members, members)) {
        checker_report(checker, event, CHECK_ONE_CHANGE, 0,
                       "node %" PRIu64 ", leader of term %" PRIu64
                       ", appends a configuration at index %" PRIu64
                       " whose voters are not those of the one at index %" PRIu64
                       "; voters change only by way of a joint configuration",
                       node->id, node->term, index, before->index);
        return false;
    }
    return true;
}

/* ---- the node's log ------------------------------------------------------------------------- */

bool configurations_take(struct checker *checker, struct check_node *node,
                         const struct trace_event *event)
{
    struct value_reader reader = {event->configurations.data, event->configurations.size, 0};
    struct value_item index;
    struct value_item bytes;
    while (value_read(&reader, &index) && value_read(&reader, &bytes)) {
        if (index.kind != VALUE_INTEGER || bytes.kind != VALUE_STRING) {
            break;
        }
        struct raft_configuration members;
        uint64_t at = (uint64_t)index.integer;
        if (!raft_configuration_decode(bytes.string, &members)) {
            continue; /* whoever holds it cannot go by it either: MEMBERS will tell */
        }
        if (!judge_change(checker, node, event, at, &members)) {
            raft_configuration_free(&members);
            return false;
        }
        push(node, at, &members);
    }
    return true;
}

void configurations_truncate(struct check_node *node, uint64_t first)
{
    while (node->configurations.count > 0 &&
           node->configurations.items[node->configurations.count - 1].index >= first) {
        raft_configuration_free(&node->configurations.items[--node->configurations.count].members);
        node->members_due = true;
    }
    if (node->configurations.count == 0) {
        node->members_due = false; /* what was before it is not known */
    }
}

/* Remembers one for the cluster, by which what snapshots bring is judged. */
static void record(struct checker *checker, const struct check_configuration *committed)
{
    size_t place = array_place(&checker->configurations, index, committed->index);
    bool is_known = place < checker->configurations.count &&
                    checker->configurations.items[place].index == committed->index;
    if (committed->index > 0 && !is_known) {
        struct check_configuration *made = array_insert(&checker->configurations, place);
        made->index = committed->index;
        raft_configuration_copy(&made->members, &committed->members);
    }
}

/* What is committed is never truncated: only its latest configuration can count again. */
void configurations_committed(struct checker *checker, struct check_node *node)
{
    size_t old = 0;
    for (size_t i = 0; i < node->configurations.count; i++) {
        if (node->configurations.items[i].index > node->commit) {
            break;
        }
        record(checker, &node->configurations.items[i]);
    }
    while (old + 1 < node->configurations.count &&
           node->configurations.items[old + 1].index <= node->commit) {
        raft_configuration_free(&node->configurations.items[old].members);
        old++;
    }
    array_remove(&node->configurations, 0, old);
}

/* ---- what is in force at the node ----------------------------------------------------------- */

static bool is_same(const struct raft_configuration *members, struct bytes reported)
{
    struct buffer bytes = {0};
    raft_configuration_encode(members, &bytes);
    bool same = bytes_equal(buffer_bytes(&bytes), reported);
    buffer_free(&bytes);
    return same;
}

bool configurations_judge_snapshot(struct checker *checker, const struct check_node *node,
                                   const struct trace_event *event, uint64_t index)
{
    struct value_reader reader = {event->configurations.data, event->configurations.size, 0};
    struct value_item at;
    struct value_item bytes;
    size_t place = array_place(&checker->configurations, index, index + 1);
    if (!value_read(&reader, &at) || !value_read(&reader, &bytes)) {
        return true;
    }
    uint64_t told = (uint64_t)at.integer;
    if (told > index) {
        checker_report(checker, event, CHECK_LATEST_CONFIGURATION, 0,
                       "node %" PRIu64 " has a snapshot as of index %" PRIu64
                       " with the members of index %" PRIu64
                       "; a snapshot holds the members as of its index",
                       node->id, index, told);
        return false;
    }
    if (place == 0) {
        return true;
    }
    const struct check_configuration *known = &checker->configurations.items[place - 1];
    if (told > known->index || (told == known->index && is_same(&known->members, bytes.string))) {
        return true; /* a later one may not have been seen */
    }
    checker_report(
        checker, event, CHECK_LATEST_CONFIGURATION, 0,
        "node %" PRIu64 " has a snapshot as of index %" PRIu64 " with the members of index %" PRIu64
        ", but those in force there are of index %" PRIu64
        "%s; a snapshot holds the members as of its index",
        node->id, index, told, known->index, told == known->index ? ", and are others" : "");
    return false;
}

void configurations_trim(struct checker *checker, uint64_t low)
{
    size_t place = array_place(&checker->configurations, index, low + 1);
    for (size_t i = 0; i + 1 < place; i++) {
        raft_configuration_free(&checker->configurations.items[i].members);
    }
    array_remove(&checker->configurations, 0, place > 0 ? place - 1 : 0);
}

void configurations_members(struct checker *checker, struct check_node *node,
                            const struct trace_event *event)
{
    const struct check_configuration *latest = configurations_in_force(node);
    struct value_reader reader = {event->configurations.data, event->configurations.size, 0};
    struct value_item index;
    struct value_item bytes;
    node->members_due = false;
    durability_forget_matches(node, false);
    if (latest == NULL || !value_read(&reader, &index) || !value_read(&reader, &bytes)) {
        return;
    }
    if (event->index != latest->index) {
        checker_report(checker, event, CHECK_LATEST_CONFIGURATION, 0,
                       "node %" PRIu64 " uses the configuration of index %" PRIu64
                       ", but the latest in its own log is that of index %" PRIu64,
                       node->id, event->index, latest->index);
    } else if (!is_same(&latest->members, bytes.string)) {
        checker_report(checker, event, CHECK_LATEST_CONFIGURATION, 0,
                       "node %" PRIu64 " uses other members than those in the configuration of "
                       "index %" PRIu64 " in its own log",
                       node->id, latest->index);
    }
}

/* Its log has another latest configuration, and the step that did it ended without a MEMBERS. */
bool configurations_judge_due(struct checker *checker, struct check_node *node,
                              const struct trace_event *event)
{
    if (checker->gaps) {
        node->members_due = false;
        return true;
    }
    checker_report(checker, event, CHECK_LATEST_CONFIGURATION, 0,
                   "the latest configuration in the log of node %" PRIu64
                   " is now that of index %" PRIu64
                   ", but it still uses the one before; a configuration is in force as soon as it "
                   "is appended, and is rolled back when it is truncated",
                   node->id, configurations_in_force(node)->index);
    return false;
}
