/*
 * A few messages that come far too late, or once more: rules name them by link, kind and number,
 * and each that a rule takes arrives so much later, whatever overtakes it and whatever has become
 * of its sender. Behind the script's own hook, which is asked first. It draws nothing.
 */
#include "cluster/internal.h"

/* A message on its late way. */
struct late_message {
    struct cluster *cluster;
    struct batch *frame;
    uint64_t from;
    uint64_t to;
    uint64_t epoch;  /* of the link when it was sent */
    bool is_request; /* a client's */
    struct wakeup wakeup;
    struct list_link of_all;
};

static bool names(uint64_t wanted, uint64_t id)
{
    return wanted == id || (wanted == FAULTS_EVERY && id != WORLD_CLIENT);
}

/* The kind of a frame as the bit that rules have; 0: no message that a rule can take. */
static uint32_t kind_of(const struct batch *frame)
{
    struct frame_head head = frame_head_of(batch_bytes(frame));

    if (head.kind == FRAME_CLIENT_REQUEST) {
        return LATE_REQUEST;
    } else if (head.kind == FRAME_CLIENT_ANSWER) {
        return LATE_ANSWER;
    } else if (head.kind != FRAME_RAFT || frame->size <= FRAME_HEAD_BYTES) {
        return 0;
    }
    return 1U << raft_message_kind_of(frame->data[FRAME_HEAD_BYTES]);
}

/* Raft's own messages are safe to come whenever they like. A request is submitted once in the life
 * that it was sent to, which alone remembers it. */
static bool may_arrive(const struct late_message *message)
{
    const struct cluster *cluster = message->cluster;
    struct cluster_node *node = cluster_node(cluster, message->to);
    enum node_state state = node == NULL ? NODE_STOPPED : cluster_view(node)->state;

    if (message->to == WORLD_CLIENT) {
        return true;
    } else if (message->is_request &&
               !faults_may_arrive(cluster->faults, message->from, message->to, message->epoch)) {
        return false;
    }
    return state == NODE_RUNNING || state == NODE_PAUSED;
}

static void arrive(void *context)
{
    struct late_message *message = context;
    struct cluster *cluster = message->cluster;

    list_remove(&message->of_all);
    if (may_arrive(message)) {
        cluster_deliver(cluster, message->from, message->to, message->frame);
    } else {
        cluster_drop_held(cluster, message->from, message->to, message->frame);
    }
    batch_release(message->frame);
    memory_free(message);
}

/* Takes the reference. */
static void send_late(struct cluster *cluster, uint64_t from, uint64_t to, struct batch *frame,
                      const struct late_rule *rule)
{
    struct late_message *message = memory_new_zeroed(1, sizeof *message);

    message->cluster = cluster;
    message->frame = frame;
    message->from = from;
    message->to = to;
    message->epoch = faults_epoch(cluster->faults, from, to);
    message->is_request = kind_of(frame) == LATE_REQUEST;
    message->wakeup.fire = arrive;
    message->wakeup.context = message;
    list_append(&cluster->late.messages, &message->of_all);
    cluster->world->operations->wake_at(cluster->world, &message->wakeup,
                                        cluster_now_ns(cluster) + rule->by_ns);
}

/* Whether the rule takes this message, which is counted. */
static bool takes(struct late_rule *rule, uint64_t from, uint64_t to, uint32_t kind)
{
    if (rule->count == 0 || (rule->kinds & kind) == 0 || !names(rule->from, from) ||
        !names(rule->to, to)) {
        return false;
    }
    if (rule->skip > 0) {
        rule->skip--;
        return false;
    }
    rule->skip = rule->gap;
    rule->count--;
    rule->taken++;
    return true;
}

enum faults_verdict late_judge(void *context, uint64_t from, uint64_t to, struct batch *frame)
{
    struct cluster *cluster = context;
    struct late *late = &cluster->late;

    if (late->hook != NULL) {
        enum faults_verdict verdict = late->hook(late->hook_context, from, to, frame);
        if (verdict != FAULTS_PASS) {
            return verdict;
        }
    }
    uint32_t kind = late->rules.count > 0 ? kind_of(frame) : 0;
    for (size_t i = 0; i < late->rules.count && kind != 0; i++) {
        struct late_rule *rule = &late->rules.items[i];
        if (takes(rule, from, to, kind)) {
            bool again = rule->again;
            send_late(cluster, from, to, again ? batch_hold(frame) : frame, rule);
            return again ? FAULTS_PASS : FAULTS_HOLD;
        }
    }
    return FAULTS_PASS;
}

/* The fault model asks only where there is something to ask. */
static void follow(struct cluster *cluster)
{
    bool wanted = cluster->late.hook != NULL || cluster->late.rules.count > 0;

    faults_set_hook(cluster->faults, wanted ? late_judge : NULL, cluster);
}

void cluster_set_hook(struct cluster *cluster, faults_hook *hook, void *context)
{
    cluster->late.hook = hook;
    cluster->late.hook_context = context;
    follow(cluster);
}

uint64_t cluster_add_late(struct cluster *cluster, const struct late_rule *rule)
{
    struct late *late = &cluster->late;
    struct late_rule *place = array_push(&late->rules);

    ensure(rule->by_ns >= 0);
    *place = *rule;
    place->number = ++late->last_number;
    place->taken = 0;
    cluster_trace_late(cluster, rule);
    follow(cluster);
    return place->number;
}

uint64_t cluster_late_count(const struct cluster *cluster, uint64_t number)
{
    for (size_t i = 0; i < cluster->late.rules.count; i++) {
        if (cluster->late.rules.items[i].number == number) {
            return cluster->late.rules.items[i].taken;
        }
    }
    return 0;
}

void cluster_end_late(struct cluster *cluster, uint64_t number)
{
    struct late *late = &cluster->late;
    size_t kept = 0;

    for (size_t i = 0; i < late->rules.count; i++) {
        if (number != 0 && late->rules.items[i].number != number) {
            late->rules.items[kept++] = late->rules.items[i];
        }
    }
    late->rules.count = kept;
    follow(cluster);
}

void late_free(struct cluster *cluster)
{
    while (!list_is_empty(&cluster->late.messages)) {
        struct late_message *message =
            item_of(list_first(&cluster->late.messages), struct late_message, of_all);
        cluster->world->operations->wake_at(cluster->world, &message->wakeup, WORLD_NEVER);
        list_remove(&message->of_all);
        batch_release(message->frame);
        memory_free(message);
    }
    array_free(&cluster->late.rules);
}
