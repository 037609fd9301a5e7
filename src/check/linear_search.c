/*
 * Depth-first search for a linearization: Wing and Gong's, with Lowe's cache of configurations and
 * his rule that nothing is done before a return needs it ("Testing for linearizability", 2017). A
 * configuration is what is linearized and the state; a fingerprint of it is kept, 8 bytes. So a
 * "yes" is certain, and a "no" could be due to two configurations with one fingerprint: whoever
 * asks searches again with other random words.
 */
#include "check/linear_search.h"

#include <string.h>

#define STEPS_BETWEEN_LOOKS 256U
/* In a longer history only dead ends at its end are kept: each costs as much as it is deep. */
#define LOOKED_AT_WHOLE_MAX 1000U

/* ---- the list ------------------------------------------------------------------------------- */

/* Inv and ret are places of the history: the events in order are these, without the gaps. */
static void build_list(struct search *search, uint32_t last_place)
{
    uint32_t *at_place = memory_new_zeroed((size_t)last_place + 1, sizeof *at_place);
    for (uint32_t i = 0; i < search->count; i++) {
        const struct linear_operation *operation = &search->operations[i];
        if (operation->ret != HISTORY_NEVER) {
            at_place[operation->inv] = (i << 1) + 1;
            at_place[operation->ret] = (i << 1 | 1) + 1;
        }
    }
    uint32_t count = 0;
    for (uint32_t place = 0; place <= last_place; place++) {
        if (at_place[place] == 0) {
            continue;
        }
        count++;
        uint32_t entry = at_place[place] - 1;
        search->entries[count] = entry;
        *((entry & 1) != 0 ? &search->returns[entry >> 1] : &search->calls[entry >> 1]) = count;
        search->previous[count] = count - 1;
        search->next[count - 1] = count;
    }
    search->next[count] = 0;
    search->previous[0] = count;
    memory_free(at_place);
}

void search_begin(struct search *search, const struct linear_part *part,
                  const struct search_rules *rules, uint64_t seed, struct linear_record *record)
{
    *search = (struct search){
        .part = part,
        .rules = rules,
        .operations = part->operations.items,
        .count = (uint32_t)part->operations.count,
        .seed = random_scramble(
            seed + 0x9e3779b97f4a7c15ULL), /* of 0 it would be 0, and so the first word */
        .due = NO_OPERATION,
        .furthest_operation = NO_OPERATION,
        .record = record,
    };
    uint32_t last_place = 0;
    for (uint32_t i = 0; i < search->count; i++) {
        const struct linear_operation *operation = &search->operations[i];
        uint32_t place = operation->ret == HISTORY_NEVER ? operation->inv : operation->ret;
        last_place = place > last_place ? place : last_place;
    }
    size_t entries = (size_t)search->count * 2 + 1;
    search->next = memory_new_zeroed(entries, sizeof *search->next);
    search->previous = memory_new_zeroed(entries, sizeof *search->previous);
    search->entries = memory_new_zeroed(entries, sizeof *search->entries);
    search->calls = memory_new_zeroed((size_t)search->count + 1, sizeof *search->calls);
    search->returns = memory_new_zeroed((size_t)search->count + 1, sizeof *search->returns);
    build_list(search, last_place);
    if (record != NULL) {
        *array_push(&record->nodes) = (struct record_node){.operation = NO_OPERATION};
        record->best = memory_new_zeroed((size_t)search->count + 1, sizeof *record->best);
    }
}

void search_end(struct search *search)
{
    memory_free(search->next);
    memory_free(search->previous);
    memory_free(search->entries);
    memory_free(search->calls);
    memory_free(search->returns);
    array_free(&search->trail);
    array_free(&search->frames);
    array_free(&search->moves);
    print_set_free(&search->seen);
}

static void unlink_entry(struct search *search, uint32_t place)
{
    search->next[search->previous[place]] = search->next[place];
    search->previous[search->next[place]] = search->previous[place];
}

static void link_entry(struct search *search, uint32_t place)
{
    search->next[search->previous[place]] = place;
    search->previous[search->next[place]] = place;
}

void search_lift(struct search *search, uint32_t operation)
{
    unlink_entry(search, search->calls[operation]);
    unlink_entry(search, search->returns[operation]);
    search->print ^= search_word(search, operation, 0);
    search_note(search, SEARCH_LIFT, operation);
}

static void restore(struct search *search, uint32_t mark)
{
    while (search->trail.count > mark) {
        struct search_undo undo = search->trail.items[--search->trail.count];
        switch (undo.what) {
        case SEARCH_LIFT:
            link_entry(search, search->returns[undo.of]);
            link_entry(search, search->calls[undo.of]);
            search->print ^= search_word(search, undo.of, 0);
            search->rules->undo(search, undo.what, undo.of);
            break;
        case SEARCH_STATE:
            search->state = undo.of;
            break;
        default:
            search->rules->undo(search, undo.what, undo.of);
        }
    }
}

/* ---- what is kept for display --------------------------------------------------------------- */

void search_remember(struct search *search, uint32_t operation, uint32_t state, uint32_t anchor)
{
    if (search->record == NULL) {
        return;
    }
    struct linear_record *record = search->record;
    uint32_t depth = record->nodes.items[search->node].depth + 1;
    uint32_t node = (uint32_t)record->nodes.count;
    *array_push(&record->nodes) = (struct record_node){
        .parent = search->node,
        .operation = operation,
        .state = state,
        .anchor = anchor,
        .depth = depth,
    };
    search->node = node;
}

void search_remember_candidate(struct search *search, uint32_t operation, bool is_legal)
{
    struct linear_record *record = search->record;
    if (record == NULL || search->due != record->goal ||
        record->configurations.count >= RECORD_CONFIGURATIONS_MAX) {
        return;
    }
    *array_push(&record->candidates) = (struct record_candidate){operation, is_legal};
}

/* The operations on the way to here were linearized along with all the others on it. What was
 * passed through by a dead end as deep as this one needs no second look. */
static void remember_dead_end(struct search *search)
{
    struct linear_record *record = search->record;
    bool is_long = search->count > LOOKED_AT_WHOLE_MAX;
    if (record == NULL || (is_long && search->due != record->goal)) {
        return;
    }
    uint32_t depth = record->nodes.items[search->node].depth;
    for (uint32_t at = search->node; at != 0; at = record->nodes.items[at].parent) {
        struct record_node *node = &record->nodes.items[at];
        if (node->covered >= depth) {
            return;
        }
        node->covered = depth;
        uint32_t *best = &record->best[node->operation];
        if (*best == 0 || record->nodes.items[*best].depth < depth) {
            *best = search->node;
        }
    }
}

static bool branch(struct search *search)
{
    struct linear_record *record = search->record;
    size_t first = record == NULL ? 0 : record->candidates.count;
    if (!search->rules->branch(search)) {
        return false;
    }
    if (record != NULL && search->due == record->goal &&
        record->configurations.count < RECORD_CONFIGURATIONS_MAX) {
        *array_push(&record->configurations) = (struct record_configuration){
            .node = search->node,
            .state = search->state,
            .first = (uint32_t)first,
            .count = (uint32_t)(record->candidates.count - first),
        };
    }
    return true;
}

/* ---- the search ----------------------------------------------------------------------------- */

/* Linearizes what need not be branched on; sets `due` and `is_doomed`. false: a model failed. */
static bool settle(struct search *search)
{
    search->due = NO_OPERATION;
    for (uint32_t place = search->next[0]; place != 0 && search->due == NO_OPERATION;) {
        uint32_t operation = search_at(search, place);
        uint32_t after = search->next[place];
        bool free = false;
        if (search_is_return(search, place)) {
            search->due = operation;
        } else if (!search->rules->is_free(search, operation, &free)) {
            return false;
        } else if (free) {
            if (after == search->returns[operation]) {
                after = search->next[after];
            }
            search->rules->take(search, operation);
        }
        place = after;
    }
    search->is_doomed = search->rules->is_doomed != NULL && search->rules->is_doomed(search);
    return true;
}

static size_t memory_of(const struct search *search)
{
    size_t record =
        search->record == NULL ? 0 : search->record->nodes.capacity * sizeof(struct record_node);
    return print_set_memory(&search->seen) + search->trail.capacity * sizeof(struct search_undo) +
           search->frames.capacity * sizeof(struct search_frame) +
           search->moves.capacity * sizeof(uint32_t) + search->rules->memory(search) + record;
}

static void reach(struct search *search)
{
    uint32_t place = search->operations[search->due].ret;
    if (place >= search->furthest) {
        search->furthest = place;
        search->furthest_operation = search->due;
    }
}

/* The frame whose next move is to be tried; NULL: none is left. */
static struct search_frame *frame_left(struct search *search)
{
    while (search->frames.count > 0) {
        struct search_frame *frame = &search->frames.items[search->frames.count - 1];
        if (frame->next < search->moves.count) {
            return frame;
        }
        search->moves.count = frame->first;
        search->frames.count--;
    }
    return NULL;
}

/* One configuration: either it is new, and what may follow is tried, or this was a dead end. */
static bool visit(struct search *search)
{
    reach(search);
    if (search->is_doomed ||
        !print_set_add(&search->seen, hash_mix(search->print, search->state))) {
        remember_dead_end(search);
        return true;
    }
    ensure(search->trail.count < UINT32_MAX);
    *array_push(&search->frames) = (struct search_frame){
        .mark = (uint32_t)search->trail.count,
        .first = search->moves.count,
        .next = search->moves.count,
        .node = search->node,
    };
    size_t before = search->moves.count;
    if (!branch(search)) {
        return false;
    }
    if (search->moves.count == before) {
        remember_dead_end(search);
    }
    return true;
}

enum linear_verdict search_run(struct search *search, struct linear_budget *budget)
{
    uint32_t steps = 0;
    if (!settle(search)) {
        return LINEAR_FAILED;
    }
    while (search->due != NO_OPERATION) {
        if (++steps == STEPS_BETWEEN_LOOKS) {
            steps = 0;
            uint64_t done =
                search->trail.count < search->count ? search->trail.count : search->count;
            if (!linear_may_go_on(budget, STEPS_BETWEEN_LOOKS, done, memory_of(search))) {
                return LINEAR_UNKNOWN;
            }
        }
        if (!visit(search)) {
            return LINEAR_FAILED;
        }
        struct search_frame *frame = frame_left(search);
        if (frame == NULL) {
            return LINEAR_NO;
        }
        restore(search, frame->mark);
        search->node = frame->node;
        uint32_t move = search->moves.items[frame->next++];
        if (!search->rules->apply(search, move) || !settle(search)) {
            return LINEAR_FAILED;
        }
    }
    return LINEAR_YES;
}
