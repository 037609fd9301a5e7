/*
 * chains: the checker's memory of logs. Digests by index in chunks, terms, and logs as runs of
 * equal term.
 *
 * It judges nothing: it holds what the other files compare.
 */
#include "check/internal.h"

#include <string.h>

/* ---- digests by index ----------------------------------------------------------------------- */

/* Makes chunks[] reach from `low` to `high`, both chunk numbers. */
static void hashes_reach(struct hashes *hashes, uint64_t low, uint64_t high)
{
    if (hashes->chunks.count == 0) {
        hashes->first_chunk = low;
    }
    size_t front = low < hashes->first_chunk ? (size_t)(hashes->first_chunk - low) : 0;
    size_t end = (size_t)(high - hashes->first_chunk) + 1;
    size_t back = end > hashes->chunks.count ? end - hashes->chunks.count : 0;
    uint32_t **chunks = NULL;
    (void)array_extend(&hashes->chunks, front + back);
    chunks = hashes->chunks.items;
    if (front > 0) {
        memmove(chunks + front, chunks, (hashes->chunks.count - front - back) * sizeof(uint32_t *));
        hashes->first_chunk = low;
    }
    for (size_t i = 0; i < front; i++) {
        chunks[i] = NULL;
    }
    for (size_t i = hashes->chunks.count - back; i < hashes->chunks.count; i++) {
        chunks[i] = NULL;
    }
}

uint32_t *hashes_at(struct hashes *hashes, uint64_t index)
{
    uint64_t chunk = index / HASHES_CHUNK;
    if (chunk - hashes->first_chunk >= hashes->chunks.count) {
        bool before = hashes->chunks.count > 0 && chunk < hashes->first_chunk;
        hashes_reach(hashes, chunk, before ? hashes->first_chunk : chunk);
    }
    uint32_t **place = &hashes->chunks.items[chunk - hashes->first_chunk];
    if (*place == NULL) {
        *place = memory_new_zeroed(HASHES_CHUNK, sizeof(**place));
    }
    return *place + index % HASHES_CHUNK;
}

void hashes_forget(struct hashes *hashes, uint64_t below)
{
    uint64_t keep = below / HASHES_CHUNK;
    if (hashes->chunks.count == 0 || keep <= hashes->first_chunk) {
        return;
    }
    uint64_t wanted = keep - hashes->first_chunk;
    size_t gone = wanted < hashes->chunks.count ? (size_t)wanted : hashes->chunks.count;
    for (size_t i = 0; i < gone; i++) {
        memory_free(hashes->chunks.items[i]);
    }
    array_remove(&hashes->chunks, 0, gone);
    hashes->first_chunk += gone;
}

void hashes_free(struct hashes *hashes)
{
    for (size_t i = 0; i < hashes->chunks.count; i++) {
        memory_free(hashes->chunks.items[i]);
    }
    array_free(&hashes->chunks);
    *hashes = (struct hashes){0};
}

/* ---- terms ---------------------------------------------------------------------------------- */

/* How many known terms are below `term`. */
static size_t terms_below(const struct terms *terms, uint64_t term)
{
    size_t low = 0;
    size_t high = terms->list.count;
    if (high > 0 && terms->list.items[high - 1]->term < term) {
        return high; /* most often a new term is the highest */
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (terms->list.items[middle]->term < term) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct term *terms_get(struct terms *terms, uint64_t term)
{
    ensure(term > 0);
    if (terms->recent != NULL && terms->recent->term == term) {
        return terms->recent;
    }
    size_t place = terms_below(terms, term);
    if (place < terms->list.count && terms->list.items[place]->term == term) {
        terms->recent = terms->list.items[place];
        return terms->recent;
    }
    struct term *made = memory_new_zeroed(1, sizeof(*made));
    made->term = term;
    *array_insert(&terms->list, place) = made;
    if (place > 0) {
        terms->list.items[place - 1]->next = made;
        made->committed = terms->list.items[place - 1]->committed;
    }
    made->next = place + 1 < terms->list.count ? terms->list.items[place + 1] : NULL;
    terms->recent = made;
    return made;
}

uint64_t terms_committed_before(struct terms *terms, uint64_t term)
{
    size_t place = terms_below(terms, term);
    return place == 0 ? 0 : terms->list.items[place - 1]->committed;
}

void terms_free(struct terms *terms)
{
    for (size_t i = 0; i < terms->list.count; i++) {
        hashes_free(&terms->list.items[i]->hashes);
        array_free(&terms->list.items[i]->votes);
        memory_free(terms->list.items[i]);
    }
    array_free(&terms->list);
    *terms = (struct terms){0};
}

/* ---- chains --------------------------------------------------------------------------------- */

void chain_reset(struct chain *chain, uint64_t base, struct term *base_term)
{
    chain->base = base;
    chain->last = base;
    chain->base_term = base_term;
    chain->runs.count = 0;
}

void chain_free(struct chain *chain)
{
    array_free(&chain->runs);
    *chain = (struct chain){0};
}

void chain_extend(struct chain *chain, uint64_t last, struct term *term)
{
    ensure(last >= chain->last);
    if (last == chain->last) {
        return;
    }
    if (chain->runs.count == 0 || chain->runs.items[chain->runs.count - 1].term != term) {
        *array_push(&chain->runs) = (struct run){chain->last + 1, term};
    }
    chain->last = last;
}

void chain_truncate(struct chain *chain, uint64_t last)
{
    if (last >= chain->last) {
        return;
    }
    if (last < chain->base) {
        chain_reset(chain, last, NULL);
        return;
    }
    while (chain->runs.count > 0 && chain->runs.items[chain->runs.count - 1].first > last) {
        chain->runs.count--;
    }
    chain->last = last;
}

const struct run *chain_run(const struct chain *chain, uint64_t index)
{
    ensure(index > chain->base && index <= chain->last && chain->runs.count > 0);
    size_t low = 0; /* runs[low].first <= index always */
    size_t high = chain->runs.count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (chain->runs.items[middle].first <= index) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return &chain->runs.items[low];
}

uint64_t chain_run_last(const struct chain *chain, const struct run *run)
{
    bool tail = run == &chain->runs.items[chain->runs.count - 1];
    return tail ? chain->last : run[1].first - 1;
}

void chain_compact(struct chain *chain, uint64_t base)
{
    if (base <= chain->base) {
        return;
    }
    if (base >= chain->last) {
        chain_reset(chain, base, chain_term(chain, base));
        return;
    }
    struct term *base_term = chain_term(chain, base);
    size_t gone = (size_t)(chain_run(chain, base + 1) - chain->runs.items);
    array_remove(&chain->runs, 0, gone);
    chain->runs.items[0].first = base + 1;
    chain->base = base;
    chain->base_term = base_term;
}

void chain_append(struct chain *chain, const struct chain *from, uint64_t last)
{
    while (chain->last < last) {
        uint64_t next = chain->last + 1;
        if (next > from->last) {
            chain_extend(chain, last, NULL);
        } else if (next <= from->base) {
            chain_extend(chain, from->base < last ? from->base : last, NULL);
        } else {
            const struct run *run = chain_run(from, next);
            uint64_t end = chain_run_last(from, run);
            chain_extend(chain, end < last ? end : last, run->term);
        }
    }
}

uint64_t chain_agree(const struct chain *a, const struct chain *b)
{
    uint64_t index = a->last < b->last ? a->last : b->last;
    while (index > a->base && index > b->base) {
        const struct run *in_a = chain_run(a, index);
        const struct run *in_b = chain_run(b, index);
        if (in_a->term != NULL && in_a->term == in_b->term) {
            return index;
        }
        /* Terms rise along a log: the run of the higher term has no like in the other one. */
        bool skip_a =
            in_b->term != NULL && (in_a->term == NULL || in_a->term->term > in_b->term->term);
        index = (skip_a ? in_a->first : in_b->first) - 1;
    }
    struct term *term = chain_term(a, index);
    return term != NULL && term == chain_term(b, index) ? index : 0;
}
