/*
 * Which faults are in force on which link: defaults, rules of c:link, disconnects and partitions,
 * and the epochs that tell what was under way when a link was cut or its target crashed. It never
 * sees a message; faults.c judges those by what is in force here.
 */
#include "world/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LINKS_FEW 256 /* are never looked through */

/* ---- what is in force ----------------------------------------------------------------------- */

/* FAULTS_EVERY is every node, never the clients. */
static bool names(uint64_t rule_id, uint64_t id)
{
    return rule_id == id || (rule_id == FAULTS_EVERY && id != WORLD_CLIENT);
}

static bool applies(const struct fault_rule *rule, uint64_t from, uint64_t to)
{
    return names(rule->from, from) && names(rule->to, to);
}

bool faults_rule(const struct faults *faults, uint64_t from, uint64_t to, struct link_faults *out)
{
    for (size_t i = faults->rules.count; i > 0; i--) {
        const struct fault_rule *rule = &faults->rules.items[i - 1];
        if (applies(rule, from, to)) {
            *out = rule->faults;
            return !rule->is_default;
        }
    }
    return false;
}

static struct link_faults in_force(const struct faults *faults, uint64_t from, uint64_t to)
{
    struct link_faults of_rule;
    if (faults_rule(faults, from, to, &of_rule)) {
        return of_rule;
    }
    if (from == WORLD_CLIENT || to == WORLD_CLIENT) {
        return (struct link_faults){0};
    }
    return faults->of_links_by_default;
}

static const struct fault_node *find_node(const struct faults *faults, uint64_t id)
{
    for (size_t i = 0; i < faults->nodes.count; i++) {
        if (faults->nodes.items[i].id == id) {
            return &faults->nodes.items[i];
        }
    }
    return NULL;
}

uint32_t faults_group(const struct faults *faults, uint64_t id)
{
    const struct fault_node *node = find_node(faults, id);
    return node == NULL ? 0 : node->group;
}

/* Why nothing passes; NULL: something may. A client reaches every node, so only a rule that names
 * the clients cuts their links. */
static const char *cut_reason(const struct faults *faults, const struct link_faults *of_link,
                              uint64_t from, uint64_t to)
{
    if (from != WORLD_CLIENT && to != WORLD_CLIENT && from != to) {
        if (faults_is_disconnected(faults, from) || faults_is_disconnected(faults, to)) {
            return "disconnected";
        }
        if (faults_group(faults, from) != faults_group(faults, to)) {
            return "partition";
        }
    }
    return of_link->cut ? "cut" : NULL;
}

/* What follows is not kept behind what is under way: after a fault of ten seconds' delay has ended,
 * messages pass at once. */
static void forget_order(struct fault_link *link)
{
    link->order_due_ns = 0;
    link->urgent_due_ns = 0;
    link->line_free_ns = 0;
    link->urgent_free_ns = 0;
    link->large_until_ns = 0;
}

static void lose_what_is_under_way(struct fault_link *link, const char *reason)
{
    link->epoch++;
    link->lost_reason = reason;
    forget_order(link);
}

static void refresh(struct faults *faults, struct fault_link *link)
{
    struct link_faults now = in_force(faults, link->from, link->to);
    const char *reason = cut_reason(faults, &now, link->from, link->to);
    const struct link_faults *was = &link->in_force;

    if (now.delay_min_ns != was->delay_min_ns || now.delay_max_ns != was->delay_max_ns ||
        now.bandwidth_bytes != was->bandwidth_bytes) {
        forget_order(link);
    }
    if (reason != NULL && link->cut_reason == NULL) {
        lose_what_is_under_way(link, reason);
    }
    link->in_force = now;
    link->cut_reason = reason;
}

void faults_refresh(struct faults *faults)
{
    for (size_t i = 0; i < faults->link_list.count; i++) {
        refresh(faults, faults->link_list.items[i]);
    }
}

/* ---- links ---------------------------------------------------------------------------------- */

static void name_end(char *name, size_t size, uint64_t id)
{
    if (id == WORLD_CLIENT) {
        (void)snprintf(name, size, "client");
    } else {
        (void)snprintf(name, size, "%" PRIu64, id);
    }
}

static void seed_streams(const struct faults *faults, struct fault_link *link)
{
    static const char *const suffixes[STREAM_COUNT] = {
        [STREAM_DROP] = "drop",
        [STREAM_DUPLICATE] = "duplicate",
        [STREAM_REORDER] = "reorder",
        [STREAM_DELAY] = "delay",
        [STREAM_DUPLICATE_DELAY] = "duplicate_delay",
    };
    char from[24];
    char to[24];

    name_end(from, sizeof from, link->from);
    name_end(to, sizeof to, link->to);
    for (size_t i = 0; i < STREAM_COUNT; i++) {
        char name[96];
        (void)snprintf(name, sizeof name, "link/%s/%s/%s", from, to, suffixes[i]);
        link->streams[i] = random_stream(faults->seed, name);
    }
}

static struct fault_link *make_link(struct faults *faults, uint64_t from, uint64_t to)
{
    ensure(!faults->is_none);
    struct fault_link *link = memory_new_zeroed(1, sizeof *link);

    link->from = from;
    link->to = to;
    link->in_force = in_force(faults, from, to);
    link->cut_reason = cut_reason(faults, &link->in_force, from, to);
    link->lost_reason = "cut";
    seed_streams(faults, link);
    *array_push(&faults->link_list) = link;
    pairs_add(&faults->links, from, to, link);
    return link;
}

struct fault_link *faults_link(struct faults *faults, uint64_t from, uint64_t to)
{
    struct fault_link *link = pairs_find(&faults->links, from, to);

    return link != NULL ? link : make_link(faults, from, to);
}

void faults_links_free(struct faults *faults)
{
    for (size_t i = 0; i < faults->link_list.count; i++) {
        memory_free(faults->link_list.items[i]);
    }
    array_free(&faults->link_list);
    pairs_free(&faults->links);
    array_free(&faults->rules);
    array_free(&faults->nodes);
    array_free(&faults->drops);
}

uint64_t faults_epoch(const struct faults *faults, uint64_t from, uint64_t to)
{
    const struct fault_link *link = pairs_find(&faults->links, from, to);

    return link == NULL ? 0 : link->epoch;
}

bool faults_may_arrive(const struct faults *faults, uint64_t from, uint64_t to, uint64_t epoch)
{
    return faults_epoch(faults, from, to) == epoch;
}

const char *faults_lost_reason(const struct faults *faults, uint64_t from, uint64_t to)
{
    const struct fault_link *link = pairs_find(&faults->links, from, to);

    return link == NULL ? "cut" : link->lost_reason;
}

void faults_count_drop(struct faults *faults, uint64_t from)
{
    size_t place = array_place(&faults->drops, from, from);
    if (place == faults->drops.count || faults->drops.items[place].from != from) {
        *array_insert(&faults->drops, place) = (struct drop_count){.from = from};
    }
    faults->drops.items[place].count++;
}

uint64_t faults_drop_count(const struct faults *faults, uint64_t from)
{
    size_t place = array_place(&faults->drops, from, from);
    bool is_there = place < faults->drops.count && faults->drops.items[place].from == from;
    return is_there ? faults->drops.items[place].count : 0;
}

const char *fault_effect_name(enum fault_effect effect)
{
    static const char *const names[] = {
#define X(name, text) [EFFECT_##name] = (text),
        FAULT_EFFECTS(X)
#undef X
    };
    ensure(effect < EFFECT_COUNT);
    return names[effect];
}

void faults_count_lost(struct fault_link *link, const char *reason)
{
    for (enum fault_effect effect = 0; effect <= EFFECT_DROP; effect++) {
        if (strcmp(reason, fault_effect_name(effect)) == 0) {
            link->effects[effect]++;
        }
    }
    link->effects[EFFECT_DELAY] += strcmp(reason, "queue full") == 0;
}

uint64_t faults_effect_count(const struct faults *faults, uint64_t from, uint64_t to,
                             enum fault_effect effect)
{
    uint64_t count = 0;

    ensure(effect < EFFECT_COUNT);
    for (size_t i = 0; i < faults->link_list.count; i++) {
        const struct fault_link *link = faults->link_list.items[i];
        if (names(from, link->from) && names(to, link->to)) {
            count += link->effects[effect];
        }
    }
    return count;
}

void faults_trim(struct faults *faults, faults_needs *needs, void *context)
{
    size_t kept = 0;
    if (faults->link_list.count < LINKS_FEW || faults->link_list.count < faults->trim_at) {
        return;
    }
    pairs_free(&faults->links);
    for (size_t i = 0; i < faults->link_list.count; i++) {
        struct fault_link *link = faults->link_list.items[i];
        if (list_is_empty(&link->held) && !needs(context, link->from, link->to)) {
            memory_free(link);
        } else {
            pairs_add(&faults->links, link->from, link->to, link);
            faults->link_list.items[kept++] = link;
        }
    }
    faults->link_list.count = kept;
    faults->trim_at = 2 * kept;
}

bool faults_is_cut(const struct faults *faults, uint64_t from, uint64_t to, const char **reason)
{
    const struct fault_link *link = pairs_find(&faults->links, from, to);
    const char *word;

    if (link != NULL) {
        word = link->cut_reason;
    } else {
        struct link_faults of_link = in_force(faults, from, to);
        word = cut_reason(faults, &of_link, from, to);
    }
    if (word != NULL && reason != NULL) {
        *reason = word;
    }
    return word != NULL;
}

/* ---- changes -------------------------------------------------------------------------------- */

static void check_faults(const struct link_faults *of_link)
{
    ensure(of_link->drop <= CHANCE_ALWAYS);
    ensure(of_link->duplicate <= CHANCE_ALWAYS);
    ensure(of_link->reorder <= CHANCE_ALWAYS);
    ensure(of_link->delay_min_ns >= 0 && of_link->delay_min_ns <= of_link->delay_max_ns);
    ensure(of_link->delay_max_ns <= FAULTS_DELAY_MAX_NS);
}

void faults_set_default(struct faults *faults, const struct link_faults *faults_of_link)
{
    check_faults(faults_of_link);
    faults->of_links_by_default = *faults_of_link;
    faults_refresh(faults);
}

/* Earlier rules that the new one hides go, so that their number stays that of the links named. */
static void remove_hidden_rules(struct faults *faults, const struct fault_rule *rule)
{
    size_t kept = 0;

    for (size_t i = 0; i < faults->rules.count; i++) {
        struct fault_rule *old = &faults->rules.items[i];
        if (!applies(rule, old->from, old->to)) {
            faults->rules.items[kept++] = *old;
        }
    }
    faults->rules.count = kept;
}

void faults_set_link(struct faults *faults, uint64_t from, uint64_t to,
                     const struct link_faults *faults_of_link)
{
    struct fault_rule rule = {.from = from, .to = to, .is_default = faults_of_link == NULL};

    if (faults_of_link != NULL) {
        check_faults(faults_of_link);
        rule.faults = *faults_of_link;
    }
    remove_hidden_rules(faults, &rule);
    /* "Back to the default" only has to be said against a wider rule. */
    if (!rule.is_default || faults->rules.count > 0) {
        *array_push(&faults->rules) = rule;
    }
    faults_refresh(faults);
}

static struct fault_node *make_node(struct faults *faults, uint64_t id)
{
    ensure(id != WORLD_CLIENT && id != FAULTS_EVERY);
    for (size_t i = 0; i < faults->nodes.count; i++) {
        if (faults->nodes.items[i].id == id) {
            return &faults->nodes.items[i];
        }
    }
    struct fault_node *node = array_push(&faults->nodes);
    *node = (struct fault_node){.id = id};
    return node;
}

void faults_set_disconnected(struct faults *faults, uint64_t id, bool disconnected)
{
    make_node(faults, id)->disconnected = disconnected;
    faults_refresh(faults);
}

bool faults_is_disconnected(const struct faults *faults, uint64_t id)
{
    const struct fault_node *node = find_node(faults, id);

    return node != NULL && node->disconnected;
}

static void clear_groups(struct faults *faults)
{
    for (size_t i = 0; i < faults->nodes.count; i++) {
        faults->nodes.items[i].group = 0;
    }
}

void faults_set_partition(struct faults *faults, const uint64_t *ids, const uint32_t *group_of,
                          size_t count)
{
    clear_groups(faults);
    for (size_t i = 0; i < count; i++) {
        make_node(faults, ids[i])->group = group_of[i];
    }
    faults_refresh(faults);
}

void faults_rekey(struct faults *faults, uint64_t seed)
{
    faults->seed = seed;
    for (size_t i = 0; i < faults->link_list.count; i++) {
        seed_streams(faults, faults->link_list.items[i]);
    }
}

void faults_heal(struct faults *faults)
{
    faults->rules.count = 0;
    faults->nodes.count = 0;
    faults_refresh(faults);
}

void faults_forget(struct faults *faults, uint64_t id)
{
    for (size_t i = 0; i < faults->link_list.count; i++) {
        if (faults->link_list.items[i]->to == id) {
            lose_what_is_under_way(faults->link_list.items[i], "crashed");
        }
    }
}
