/*
 * The private side of machine/: a machine with its table of client sessions, and what the files of
 * the key-value machine share.
 */
#ifndef RAFTBENCH_MACHINE_INTERNAL_H
#define RAFTBENCH_MACHINE_INTERNAL_H

#include "machine/machine.h"

/* ---- sessions (session.c) ------------------------------------------------------------------- */

#define SESSIONS_MAX 10000U

/* One session's latest command and its result. */
struct session {
    uint64_t id;
    uint64_t sequence;
    struct batch *result;
    struct session *chain; /* the next in its bucket */
    struct list_link by_use;
};

/* The sessions that were used last, by log order. All zero is an empty table. */
struct sessions {
    struct list used; /* the one whose last use is longest ago first */
    struct session **buckets;
    uint32_t count;
    uint32_t bucket_count; /* a power of two, or 0 */
};

void sessions_free(struct sessions *sessions); /* and make it empty */
/* The session with this id, which counts as its use; NULL where the table has none. */
struct session *sessions_use(struct sessions *sessions, uint64_t id);
/* Notes the result of a session's command, adding the session (and dropping the one whose last use
 * is longest ago) where the table lacks it. */
void sessions_remember(struct sessions *sessions, uint64_t id, uint64_t sequence,
                       struct bytes result);

/* ---- snapshots (snapshot.c) ----------------------------------------------------------------- */

/* One session as a snapshot began with it. */
struct session_image {
    uint64_t id;
    uint64_t sequence;
    struct batch *result; /* a reference */
};

/* A snapshot under way, whose head (version and sessions) is written before the machine's state. */
struct machine_snapshot {
    array_of(struct session_image) sessions;
    size_t written; /* of these */
    bool is_open;
    bool head_begun;
    uint64_t digest; /* of the sessions */
};

/* A restore under way. */
struct machine_restore {
    struct gather gather;
    bool is_open;
    bool head_read;     /* version and number of sessions */
    uint32_t sessions;  /* that are still to come */
    bool session_begun; /* the fixed part of one was read: */
    uint64_t id;
    uint64_t sequence;
    uint32_t result_size;
};

struct machine {
    const struct machine_operations *operations;
    void *self;
    struct sessions sessions;
    struct machine_snapshot snapshot;
    struct machine_restore restore;
    uint64_t sessions_digest; /* of the last snapshot or restore */
    uint64_t state_digest;    /* the same, of the machine below */
};

void machine_snapshot_free(struct machine *machine);

/* ---- the key-value machine: its table (kv_table.c) ------------------------------------------ */

struct kv_item {
    uint32_t key_size;
    uint32_t value_size;
    uint32_t value_capacity;
    uint32_t epoch; /* the number of the latest snapshot that had begun when it was made */
    uint8_t data[]; /* the key, then the value */
};

static inline struct bytes kv_item_key(const struct kv_item *item)
{
    return (struct bytes){item->data, item->key_size};
}

static inline struct bytes kv_item_value(const struct kv_item *item)
{
    return (struct bytes){item->data + item->key_size, item->value_size};
}

struct kv_slot {
    uint64_t hash;
    struct kv_item *item; /* NULL: free */
};

/* Items in one order whatever their history: by the hash of the key, then by the key's bytes. All
 * zero is an empty one. */
struct kv_table {
    struct kv_slot *slots;
    size_t home_count; /* a power of two, or 0: where a hash may belong */
    size_t slot_count; /* home_count, and room behind for what is moved on */
    size_t count;
};

/* A place in that order: behind the item that has this key. */
struct kv_place {
    bool is_start; /* before all items */
    uint64_t hash;
    struct buffer key;
};

uint64_t kv_hash(struct bytes key);
uint64_t kv_item_digest(uint64_t hash, struct bytes value);
/* Frees at most `most` of its items, the last ones first; true: it is empty now. */
bool kv_table_free_some(struct kv_table *table, size_t most);
void kv_table_free(struct kv_table *table); /* its items too; and make it empty */
struct kv_slot *kv_table_find(const struct kv_table *table, struct bytes key, uint64_t hash);
void kv_table_add(struct kv_table *table, uint64_t hash,
                  struct kv_item *item); /* it lacks the key */
void kv_table_remove(struct kv_table *table,
                     struct kv_slot *slot); /* the item is the caller's now */
/* The first item behind a place; NULL: none. */
struct kv_slot *kv_table_after(const struct kv_table *table, const struct kv_place *place);
bool kv_is_behind(const struct kv_place *place, uint64_t hash, struct bytes key);
void kv_place_move(struct kv_place *place, const struct kv_slot *slot); /* behind this item */

/* ---- its snapshots (kv_snapshot.c) ---------------------------------------------------------- */

/* While one is under way, what it has not yet written and is about to be changed moves to `kept`,
 * so that nothing is copied. */
struct kv_snapshot {
    struct kv_table kept;
    size_t kept_bytes;
    struct kv_place written; /* what is behind it still has to be written */
    uint64_t item_count;
    bool is_open;
    bool head_written;
};

struct kv_restore {
    struct gather gather;
    struct kv_place last; /* the order is checked */
    uint32_t key_size;
    uint32_t value_size;
    bool head_read;
    bool item_begun; /* the two sizes are known */
    bool end_begun;  /* the items are over */
    bool is_over;    /* and their number was right */
};

struct kv {
    struct kv_table table;
    struct kv_table dropped; /* by a restore: freed little by little */
    uint32_t epoch;          /* snapshots that have begun */
    uint64_t digest;         /* the sum of those of its items */
    struct kv_snapshot snapshot;
    struct kv_restore restore;
};

/* ---- its commands (kv.c, kv_parts.c) -------------------------------------------------------- */

/* The fields of a command or a query that count; `data` is NULL for one that is absent. */
struct kv_fields {
    struct bytes operation;
    struct bytes key;
    struct bytes value;
    struct bytes old_value;
    struct bytes new_value;
};

const struct kv_item *kv_find(const struct kv *kv, struct bytes key); /* NULL: absent */
void kv_set(struct kv *kv, struct bytes key, struct bytes value);

/* Commands that change a part of a value. */
enum kv_part { KV_NO_PART, KV_APPEND, KV_PUSH, KV_POP, KV_ADD, KV_REMOVE };

/* What is wrong with it, in words, and then nothing is changed; NULL: it is done. There is a key.
 */
const char *kv_change_part(struct kv *kv, enum kv_part part, const struct kv_fields *fields,
                           struct buffer *result);

/* ---- its snapshots: what commands ask ------------------------------------------------------- */

/* Before the item of this slot is changed or removed: false: a snapshot needs it as it is. */
bool kv_may_change(const struct kv *kv, const struct kv_slot *slot);
/* Takes over an item that was taken out of the table, and that the snapshot needs. */
void kv_keep(struct kv *kv, uint64_t hash, struct kv_item *item);
bool kv_snapshot_begin(void *self, struct failure *failure);
bool kv_snapshot_next(void *self, size_t wanted, struct buffer *out, bool *over,
                      struct failure *failure);
void kv_snapshot_end(void *self);
bool kv_restore_begin(void *self, struct failure *failure);
bool kv_restore_piece(void *self, struct bytes piece, struct failure *failure);
bool kv_restore_end(void *self, struct failure *failure);
size_t kv_kept_bytes(const void *self);
void kv_snapshot_free(struct kv *kv);

#endif
