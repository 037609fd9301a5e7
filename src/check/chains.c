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
    if (hashes->count == 0) {
        hashes->first_chunk = low;
    }
    size_t front = low < hashes->first_chunk ? (size_t)(hashes->first_chunk - low) : 0;
    size_t end = (size_t)(high - hashes->first_chunk) + 1;
    size_t kept = end > hashes->count ? end : hashes->count;
    if (front + kept > hashes->capacity) {
        hashes->capacity = 2 * (front + kept);
        hashes->chunks =
            memory_resize(hashes->chunks, hashes->capacity * sizeof(hashes->chunks[0]));
    }
    if (front > 0) {
        memmove(hashes->chunks + front, hashes->chunks, hashes->count * sizeof(hashes->chunks[0]));
        for (size_t i = 0; i < front; i++) {
            hashes->chunks[i] = NULL;
        }
        hashes->first_chunk = low;
    }
    for (size_t i = front + hashes->count; i < front + kept; i++) {
        hashes->chunks[i] = NULL;
    }
    hashes->count = front + kept;
}

uint32_t *hashes_at(struct hashes *hashes, uint64_t index)
{
    uint64_t chunk = index / HASHES_CHUNK;
    if (chunk - hashes->first_chunk >= hashes->count) {
        bool before = hashes->count > 0 && chunk < hashes->first_chunk;
        hashes_reach(hashes, chunk, before ? hashes->first_chunk : chunk);
    }
    uint32_t **place = &hashes->chunks[chunk - hashes->first_chunk];
    if (*place == NULL) {
        *place = memory_new_zeroed(HASHES_CHUNK, sizeof(**place));
    }
    return *place + index % HASHES_CHUNK;
}

void hashes_forget(struct hashes *hashes, uint64_t below)
{
    uint64_t keep = below / HASHES_CHUNK;
    if (hashes->count == 0 || keep <= hashes->first_chunk) {
        return;
    }
    uint64_t wanted = keep - hashes->first_chunk;
    size_t gone = wanted < hashes->count ? (size_t)wanted : hashes->count;
    for (size_t i = 0; i < gone; i++) {
        memory_free(hashes->chunks[i]);
    }
    hashes->count -= gone;
    hashes->first_chunk += gone;
    memmove(hashes->chunks, hashes->chunks + gone, hashes->count * sizeof(hashes->chunks[0]));
}

void hashes_free(struct hashes *hashes)
{
    for (size_t i = 0; i < hashes->count; i++) {
        memory_free(hashes->chunks[i]);
    }
    memory_free(hashes->chunks);
    *hashes = (struct hashes){0};
}

/* ---- terms ---------------------------------------------------------------------------------- */

/* How many known terms are below `term`. */
static size_t terms_below(const struct terms *terms, uint64_t term)
{
    size_t low = 0;
    size_t high = terms->count;
    if (high > 0 && terms->list[high - 1]->term < term) {
        return high; /* most often a new term is the highest */
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (terms->list[middle]->term < term) {
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
    if (place < terms->count && terms->list[place]->term == term) {
        terms->recent = terms->list[place];
        return terms->recent;
    }
    if (terms->count == terms->capacity) {
        terms->capacity = terms->capacity == 0 ? 16 : 2 * terms->capacity;
        terms->list = memory_resize(terms->list, terms->capacity * sizeof(struct term *));
    }
    struct term *made = memory_new_zeroed(1, sizeof(*made));
    made->term = term;
    memmove(terms->list + place + 1, terms->list + place,
            (terms->count - place) * sizeof(struct term *));
    terms->list[place] = made;
    terms->count++;
    if (place > 0) {
        terms->list[place - 1]->next = made;
        made->committed = terms->list[place - 1]->committed;
    }
    made->next = place + 1 < terms->count ? terms->list[place + 1] : NULL;
    terms->recent = made;
    return made;
}

uint64_t terms_committed_before(struct terms *terms, uint64_t term)
{
    size_t place = terms_below(terms, term);
    return place == 0 ? 0 : terms->list[place - 1]->committed;
}

void terms_free(struct terms *terms)
{
    for (size_t i = 0; i < terms->count; i++) {
        hashes_free(&terms->list[i]->hashes);
        memory_free(terms->list[i]->votes);
        memory_free(terms->list[i]);
    }
    memory_free(terms->list);
    *terms = (struct terms){0};
}

/* ---- chains --------------------------------------------------------------------------------- */

void chain_reset(struct chain *chain, uint64_t base, struct term *base_term)
{
    chain->base = base;
    chain->last = base;
    chain->base_term = base_term;
    chain->count = 0;
}

void chain_free(struct chain *chain)
{
    memory_free(chain->runs);
    *chain = (struct chain){0};
}

void chain_extend(struct chain *chain, uint64_t last, struct term *term)
{
    ensure(last >= chain->last);
    if (last == chain->last) {
        return;
    }
    if (chain->count == 0 || chain->runs[chain->count - 1].term != term) {
        if (chain->count == chain->capacity) {
            chain->capacity = chain->capacity == 0 ? 8 : 2 * chain->capacity;
            chain->runs = memory_resize(chain->runs, chain->capacity * sizeof(struct run));
        }
        chain->runs[chain->count++] = (struct run){chain->last + 1, term};
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
    while (chain->count > 0 && chain->runs[chain->count - 1].first > last) {
        chain->count--;
    }
    chain->last = last;
}

const struct run *chain_run(const struct chain *chain, uint64_t index)
{
    ensure(index > chain->base && index <= chain->last && chain->count > 0);
    uint32_t low = 0; /* runs[low].first <= index always */
    uint32_t high = chain->count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (chain->runs[middle].first <= index) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return &chain->runs[low];
}

uint64_t chain_run_last(const struct chain *chain, const struct run *run)
{
    bool tail = run == &chain->runs[chain->count - 1];
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
    uint32_t gone = (uint32_t)(chain_run(chain, base + 1) - chain->runs);
    memmove(chain->runs, chain->runs + gone, (chain->count - gone) * sizeof(struct run));
    chain->count -= gone;
    chain->runs[0].first = base + 1;
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
