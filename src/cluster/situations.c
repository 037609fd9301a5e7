/*
 * Situations: what a cluster looks like from afar, for fuzzing to tell whether it still reaches
 * anything new. Of each node counts its role or why it does not run, how its term and its last
 * entry's term stand among the others', how far its commit index is behind, whether its log begins
 * with a snapshot, what kind of configuration it has, and whether it is cut off; which node it is
 * does not count. It changes nothing, and nothing in a run depends on it.
 */
#include "cluster/internal.h"

#include <string.h>

#define SLOTS_LEAST 256U
#define RANK_MOST 3U

/* What two nodes are compared by. */
struct standing {
    uint64_t term;
    uint64_t last_term;
    uint64_t commit;
};

static uint64_t last_term(struct cluster_node *node, const struct node_view *view)
{
    const struct raft_entry *last = cluster_log_read(node, view->last_index);
    return last != NULL ? last->term : view->snapshot_term;
}

static void take_most(struct standing *most, const struct standing *one)
{
    most->term = one->term > most->term ? one->term : most->term;
    most->last_term = one->last_term > most->last_term ? one->last_term : most->last_term;
    most->commit = one->commit > most->commit ? one->commit : most->commit;
}

/* How far behind, in four steps. */
static uint32_t lag_step(uint64_t most, uint64_t commit)
{
    uint64_t lag = most - commit;
    return lag < 4 ? 0 : lag < 16 ? 1 : lag < 64 ? 2 : 3;
}

/* How many are ahead, at most RANK_MOST; `most`: what the first of all has. */
#define RANK(standings, count, field, own, most)                                                   \
    __extension__({                                                                                \
        uint32_t ahead_ = 0;                                                                       \
        for (size_t other_ = 0; (own) < (most) && other_ < (count); other_++) {                    \
            ahead_ += (standings)[other_].field > (own) ? 1U : 0U;                                 \
        }                                                                                          \
        ahead_ < RANK_MOST ? ahead_ : RANK_MOST;                                                   \
    })

/* 0: reaches all others both ways; 1: some of them; 2: none. */
static uint32_t cut_of(const struct cluster *cluster, uint64_t id)
{
    size_t cut = 0;
    for (size_t i = 0; i < cluster->members.count; i++) {
        uint64_t other = cluster->members.items[i].id;
        cut += other != id && (faults_is_cut(cluster->faults, id, other, NULL) ||
                               faults_is_cut(cluster->faults, other, id, NULL))
                   ? 1U
                   : 0U;
    }
    return cut == 0 ? 0 : cut + 1 < cluster->members.count ? 1 : 2;
}

static void note_cuts(struct cluster *cluster)
{
    struct situations *situations = &cluster->situations;
    situations->cuts.count = 0;
    for (size_t i = 0; i < cluster->members.count; i++) {
        *array_push(&situations->cuts) = (uint8_t)cut_of(cluster, cluster->members.items[i].id);
    }
    situations->links_changed = false;
}

/* Of one node, in bits. */
static uint32_t pack(const struct cluster *cluster, size_t position, const struct node_view *view,
                     const struct standing *standings, const struct standing *most)
{
    const struct standing *own = &standings[position];
    size_t count = cluster->members.count;
    uint32_t packed = (uint32_t)view->state | (uint32_t)view->role << 4;
    packed |= RANK(standings, count, term, own->term, most->term) << 8;
    packed |= RANK(standings, count, last_term, own->last_term, most->last_term) << 10;
    packed |= lag_step(most->commit, own->commit) << 12;
    packed |= (view->first_index > 1 ? 1U : 0U) << 14;
    packed |= (view->members->joint ? 1U : 0U) << 15;
    packed |= (view->is_member ? 1U : 0U) << 16;
    packed |= (uint32_t)cluster->situations.cuts.items[position] << 17;
    return packed;
}

/* Puts them in order, so that it does not count which node is which. */
static void sort(uint32_t *packed, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        uint32_t one = packed[i];
        size_t place = i;
        while (place > 0 && packed[place - 1] > one) {
            packed[place] = packed[place - 1];
            place--;
        }
        packed[place] = one;
    }
}

/* ---- the set of those that were met ---------------------------------------------------------- */

static bool put(uint64_t *slots, size_t slot_count, uint64_t hash)
{
    size_t at = (size_t)hash & (slot_count - 1);
    while (slots[at] != 0 && slots[at] != hash) {
        at = (at + 1) & (slot_count - 1);
    }
    bool is_new = slots[at] == 0;
    slots[at] = hash;
    return is_new;
}

static void make_room(struct situations *situations)
{
    if (situations->met.count * 2 < situations->slot_count) {
        return;
    }
    size_t slot_count = situations->slot_count == 0 ? SLOTS_LEAST : situations->slot_count * 2;
    memory_free(situations->slots);
    situations->slots = memory_new_zeroed(slot_count, sizeof *situations->slots);
    situations->slot_count = slot_count;
    for (size_t i = 0; i < situations->met.count; i++) {
        (void)put(situations->slots, slot_count, situations->met.items[i]);
    }
}

void situations_look(struct cluster *cluster)
{
    struct situations *situations = &cluster->situations;
    if (situations->links_changed || situations->cuts.count != cluster->members.count) {
        note_cuts(cluster);
    }
    size_t count = cluster->members.count;
    struct standing standings[CLUSTER_SITUATION_NODES];
    uint32_t packed[CLUSTER_SITUATION_NODES];
    if (count > CLUSTER_SITUATION_NODES) {
        return;
    }
    const struct node_view *views[CLUSTER_SITUATION_NODES];
    struct standing most = {0}; /* each of its fields by itself */
    for (size_t i = 0; i < count; i++) {
        struct cluster_node *node = cluster->members.items[i].node;
        const struct node_view *view = views[i] = cluster_view(node);
        standings[i] = (struct standing){view->term, last_term(node, view), view->commit_index};
        take_most(&most, &standings[i]);
    }
    for (size_t i = 0; i < count; i++) {
        packed[i] = pack(cluster, i, views[i], standings, &most);
    }
    sort(packed, count);
    uint64_t hash = hash_bytes(packed, count * sizeof packed[0], count);
    hash += hash == 0 ? 1 : 0; /* 0 is an empty slot */
    if (hash == situations->latest) {
        return;
    }
    situations->latest = hash;
    make_room(situations);
    if (put(situations->slots, situations->slot_count, hash)) {
        *array_push(&situations->met) = hash;
    }
}

void situations_free(struct situations *situations)
{
    array_free(&situations->met);
    array_free(&situations->cuts);
    memory_free(situations->slots);
}

const uint64_t *cluster_situations(const struct cluster *cluster, size_t *count)
{
    *count = cluster->situations.met.count;
    return cluster->situations.met.items;
}
