/*
 * world: what a node may ask of the world it lives in (a clock, wake-ups, a transport), and the one
 * fault model for every world. agenda.c (wake-ups and flushers), world.c (clocks of nodes), frame.c
 * (frame heads), notices.c (few of many), pairs.c (things by sender and receiver), faults.c (the
 * fate of each message), links.c (which faults are in force on which link), faults_bytes.c (for
 * another process). The worlds themselves
 * are sim/ and real/.
 *
 * It never looks into a frame behind its head, and knows neither Raft nor which world it is.
 */
#ifndef RAFTBENCH_WORLD_H
#define RAFTBENCH_WORLD_H

#include "base/base.h"
#include "trace/trace.h"
#include "world/files.h"

#define WORLD_NEVER INT64_MAX
/* The clients' endpoint: no connection, no hello; only links that name "client" have faults. */
#define WORLD_CLIENT 0

/* ---- frames (frame.c) ----------------------------------------------------------------------- */

/* length u32 (of the whole frame), crc32c u32 (of all that follows), number u64 (the sender's
 * message number), directory u64 (the sender's; 0: the clients'), kind u8, three zero bytes. */
#define FRAME_HEAD_BYTES 28
#define FRAME_BYTES_MAX (256U << 10) /* but for a frame that holds one larger entry */
#define FRAME_BYTES_LIMIT ((16U << 20) + (64U << 10)) /* never larger than this */
/* Waits for one peer at most; an empty queue takes one frame of any size. */
#define WORLD_QUEUE_BYTES_MAX (1U << 20)

enum frame_kind {
    FRAME_HELLO = 1,
    FRAME_RAFT = 2,
    FRAME_REQUEST = 3, /* c:call between nodes */
    FRAME_ANSWER = 4,
    FRAME_CLIENT_REQUEST = 5,
    FRAME_CLIENT_ANSWER = 6,
    FRAME_FORWARD = 7, /* a client's request that a node forwards */
    FRAME_FORWARD_ANSWER = 8,
    FRAME_TURNED_AWAY = 9, /* to a server whose id the members know with another disk */
    FRAME_PIECE = 10,      /* of a larger frame: the transport's own, in real/ */
};

struct frame_head {
    uint32_t length; /* head included */
    uint32_t checksum;
    uint64_t number;
    uint64_t directory;
    enum frame_kind kind;
};

/* Reserves a head at the start of an empty buffer; the caller appends the body, then seals. */
void frame_begin(struct buffer *buffer);
void frame_seal(struct buffer *buffer, enum frame_kind kind, uint64_t number, uint64_t directory);

enum frame_verdict { FRAME_WHOLE, FRAME_PARTIAL, FRAME_BAD };
/* Looks at the start of `bytes`: WHOLE: the head is filled and length bytes are there with the
 * right checksum (where `check`); PARTIAL: head->length is the whole frame's, or 0 while not even
 * that is there; BAD: `*problem` in words. */
enum frame_verdict frame_parse(struct bytes bytes, bool check, struct frame_head *head,
                               const char **problem);

/* The head of a frame that is whole and was checked, or that we made. */
struct frame_head frame_head_of(struct bytes frame);

/* ---- wake-ups, flushers (agenda.c) ---------------------------------------------------------- */

struct world;

/* One alarm, embedded in its owner; the owner fills fire and context, the rest belongs to the
 * world (all zero: off). Set again at will: it fires once, at the time that was set last. Off
 * (WORLD_NEVER) before its owner's memory goes. */
struct wakeup {
    void (*fire)(void *context);
    void *context;
    int64_t at_ns;           /* WORLD_NEVER: off */
    uint64_t order;          /* the agenda's: of the time when it was last set */
    struct heap_item queued; /* the agenda's: it may stand at an earlier time */
};

/* Something to be called once when the world is about to let time pass (in "sim": after the
 * instant's last event; over TCP: before the poll). */
struct flusher {
    void (*flush)(void *context);
    void *context;
    struct list_link queued; /* the agenda's */
};

/* A world's wake-ups, by time and then by the order in which they were last set, and its flushers,
 * in the order in which they were asked for. All zero: empty. */
struct agenda {
    struct heap wakeups;
    struct list flushers;
    uint64_t order;
};

/* WORLD_NEVER: off. */
void agenda_wake_at(struct agenda *agenda, struct wakeup *wakeup, int64_t at_ns);
/* agenda_next_ns, where the first wake-up stands at an earlier time than it was last set to. */
int64_t agenda_settle(struct agenda *agenda, int64_t horizon_ns);
/* Takes the first wake-up that is due at horizon_ns out, which is off then; NULL: none. */
struct wakeup *agenda_take(struct agenda *agenda, int64_t horizon_ns);
void agenda_flush_soon(struct agenda *agenda, struct flusher *flusher);
/* Calls as many flushers as wait now, not those that they ask for; whether there was one. */
bool agenda_flush(struct agenda *agenda);
void agenda_free(struct agenda *agenda); /* what is still on it belongs to its owners */

/* The next order, for what a world has to put in order with its wake-ups. */
static inline uint64_t agenda_order(struct agenda *agenda)
{
    return ++agenda->order;
}

/* A time before which nothing is due; WORLD_NEVER: there is nothing. */
static inline int64_t agenda_earliest_ns(const struct agenda *agenda)
{
    const struct heap_entry *first = heap_first(&agenda->wakeups);
    return first == NULL ? WORLD_NEVER : first->key;
}

/* When the first wake-up is due, exact where that is not after horizon_ns; else a time after it
 * before which nothing is due. WORLD_NEVER: never. */
static inline int64_t agenda_next_ns(struct agenda *agenda, int64_t horizon_ns)
{
    const struct heap_entry *first = heap_first(&agenda->wakeups);
    if (first == NULL || first->key > horizon_ns) {
        return agenda_earliest_ns(agenda);
    }
    const struct wakeup *wakeup = item_of(first->of.item, struct wakeup, queued);
    ensure(wakeup != NULL);
    return first->order == wakeup->order ? first->key : agenda_settle(agenda, horizon_ns);
}

static inline bool agenda_has_wakeups(const struct agenda *agenda)
{
    return heap_count(&agenda->wakeups) > 0;
}

static inline bool agenda_has_flushers(const struct agenda *agenda)
{
    return !list_is_empty(&agenda->flushers);
}

static inline void agenda_flush_cancel(struct flusher *flusher)
{
    list_remove(&flusher->queued);
}

/* ---- clocks --------------------------------------------------------------------------------- */

/* A node's own clock: runs at a rate beside the world's, jumps. In whole nanoseconds, rates in
 * billionths. */
struct node_clock {
    int64_t world_base_ns;
    int64_t local_base_ns;
    int64_t rate_ppb;        /* 1,000,000,000: as the world */
    int64_t stands_until_ns; /* world time until which it stands still (a negative offset); 0: no */
};

void node_clock_init(struct node_clock *clock, int64_t world_now_ns);
int64_t node_clock_now(const struct node_clock *clock, int64_t world_now_ns); /* never goes back */
/* The earliest world time at which the node's clock shows local_ns; WORLD_NEVER stays. */
int64_t node_clock_when(const struct node_clock *clock, int64_t local_ns);
/* rate_ppb > 0; offset_ns jumps forward, a negative one stands still until it is made up. */
void node_clock_set(struct node_clock *clock, int64_t world_now_ns, int64_t rate_ppb,
                    int64_t offset_ns);

/* ---- transport ------------------------------------------------------------------------------ */

/* A connection between two endpoints, as one of the two sees it. A pair of nodes shares one,
 * whoever dialled it. The owner of the endpoint fills in who is there when it has accepted the
 * first frame, which is the peer's hello; frames before that are judged by it too. */
struct connection {
    uint64_t dialled;      /* whom we looked for; 0: the peer dialled us */
    uint64_t peer;         /* 0: not known yet */
    uint64_t directory;    /* whose disk said hello */
    uint64_t life;         /* which start of that node did */
    uint64_t hello_number; /* of the frame that was the hello; rises within a life */
};

struct endpoint_handler {
    /* The hello for this peer: the first frame on a connection. Who dialled says it at once, the
     * other one in answer to it. */
    struct batch *(*hello)(void *context, uint64_t peer);
    /* Both hellos of the pair's connection have been accepted: frames can be sent from now on, and
     * no longer. */
    void (*connected)(void *context, uint64_t peer);
    void (*disconnected)(void *context, uint64_t peer, const char *reason);
    /* A whole frame (head included) of a connection, or of the clients' endpoint (`from` all zero).
     * The batch is the world's; hold it to keep it. false: close that connection; `*reason` says
     * why. */
    bool (*frame)(void *context, struct connection *from, struct batch *batch, uint32_t offset,
                  const struct frame_head *head, const char **reason);
    void *context;
};

struct endpoint; /* a node's place in the network */

struct world_operations {
    int64_t (*now_ns)(const struct world *world);
    /* The same, looked at anew: now_ns may be of before the input that is being dealt with came. */
    int64_t (*look_ns)(struct world *world);
    void (*wake_at)(struct world *world, struct wakeup *wakeup,
                    int64_t at_ns); /* WORLD_NEVER: off */
    void (*flush_soon)(struct world *world, struct flusher *flusher);
    void (*flush_cancel)(struct world *world, struct flusher *flusher);
    /* The address of this node id, kept for it as long as the world lives: `open` with it listens
     * there. Asked for once. Written to `address` (ends with 0). */
    bool (*reserve)(struct world *world, uint64_t id, char *address, size_t address_size,
                    struct failure *failure);
    /* Listens. `address`: wanted ("127.0.0.1:7001", or NULL: the world chooses). NULL and a failure
     * where that does not work. Who dials it waits until it accepts. */
    struct endpoint *(*open)(struct world *world, uint64_t id, const char *address,
                             const struct endpoint_handler *handler, struct failure *failure);
    /* From now on hellos are handed over: those that wait first. Once for each `open`. */
    void (*accept)(struct endpoint *endpoint);
    /* Ends all its connections at once; no callback comes after. */
    void (*close)(struct world *world, struct endpoint *endpoint);
    const char *(*address)(const struct endpoint *endpoint);
    /* Keep a connection to this peer, dialling again with backoff while there is none; again with
     * another address: moves. `anew`: also beside one that the peer has dialled, which may be from
     * elsewhere. */
    void (*dial)(struct endpoint *endpoint, uint64_t peer, const char *address, bool anew);
    /* Stop dialling. A connection that the peer dialled stays until the peer ends it. */
    void (*hang_up)(struct endpoint *endpoint, uint64_t peer);
    /* Whether frames can be sent to it now, whoever dialled. */
    bool (*is_connected)(const struct endpoint *endpoint, uint64_t peer);
    /* Whether a frame of that size would wait for its turn now, and not be dropped for want of
     * room. What the fault model does to it is another matter. */
    bool (*has_room)(const struct endpoint *endpoint, uint64_t peer, size_t size);
    /* A frame to peer (or WORLD_CLIENT), through the fault model; takes one reference of the batch.
     * `urgent` (a heartbeat) goes before what waits. What cannot be sent is dropped with a traced
     * reason. */
    void (*send)(struct endpoint *endpoint, uint64_t peer, struct batch *frame, bool urgent);
    /* The clients' side of WORLD_CLIENT. */
    void (*client_open)(struct world *world, const struct endpoint_handler *handler);
    void (*client_send)(struct world *world, uint64_t node, struct batch *frame);
    /* The fault model's cuts have changed: end what is cut, dial at once what is not. A connection
     * is there as long as one of its two ways is open; over a way that is cut nothing can be sent.
     */
    void (*links_changed)(struct world *world);
    /* Hands a frame that was held to its receiver now, as if it had just passed the fault model;
     * the batch is copied by reference. */
    void (*deliver)(struct world *world, uint64_t from, uint64_t to, struct batch *frame);
    /* The directory of that node's disk, to be freed by its owner. "sim": its simulated disk, which
     * lives as long as the world (`directory` NULL). Real: the files below `directory`; NULL and a
     * failure where that cannot be. */
    struct files *(*files)(struct world *world, uint64_t id, const char *directory,
                           struct failure *failure);
    /* Lets the world go on by one event ("sim") or one turn of its loop (TCP: waits in it), but not
     * past `until_ns`. true: something may have happened; false: nothing is left before until_ns
     * and the clock shows until_ns now. */
    bool (*step)(struct world *world, int64_t until_ns);
    void (*free)(struct world *world);
};

/* The head of every world: sim/ and real/ embed it first. */
struct world {
    const struct world_operations *operations;
    struct trace *trace;
    struct faults *faults;
    struct pool *pool; /* frames and payloads */
    uint64_t events;   /* deliveries and wake-ups that fired */
};

static inline int64_t world_now_ns(const struct world *world)
{
    return world->operations->now_ns(world);
}

/* ---- notices (notices.c) -------------------------------------------------------------------- */

/* Few notices for a flood of one kind. All zero: there was none yet. */
struct notice_limit {
    int64_t since_ns;
    uint32_t allowed; /* since then */
    uint64_t left_out;
};

/* Whether one more may be given now; `*left_out`: how many were left out since the last one. */
bool notice_limit_allows(struct notice_limit *limit, int64_t now_ns, uint64_t *left_out);

/* ---- things by sender and receiver (pairs.c) ------------------------------------------------ */

/* A table from an ordered pair of ids to a thing, which belongs to the caller. All zero: empty. */
struct pair {
    uint64_t from;
    uint64_t to;
    void *value; /* NULL: a free slot */
};

struct pairs {
    struct pair *slots;
    size_t capacity; /* a power of two */
    size_t count;
};

static inline size_t pairs_slot(const struct pairs *pairs, uint64_t from, uint64_t to)
{
    uint64_t hash = (from * 0x9e3779b97f4a7c15ULL + to) * 0xc2b2ae3d27d4eb4fULL;
    size_t slot = (size_t)(hash ^ (hash >> 32)) & (pairs->capacity - 1);

    while (pairs->slots[slot].value != NULL &&
           (pairs->slots[slot].from != from || pairs->slots[slot].to != to)) {
        slot = (slot + 1) & (pairs->capacity - 1);
    }
    return slot;
}

static inline void *pairs_find(const struct pairs *pairs, uint64_t from, uint64_t to)
{
    return pairs->count == 0 ? NULL : pairs->slots[pairs_slot(pairs, from, to)].value;
}

/* Of a pair that is not there yet; `value` is not NULL. */
void pairs_add(struct pairs *pairs, uint64_t from, uint64_t to, void *value);
void pairs_free(struct pairs *pairs); /* and make it empty; the things stay */

/* ---- the fault model (faults.c, links.c) ---------------------------------------------------- */

/* Of one direction of one link. All zero: no faults. */
struct link_faults {
    uint64_t drop; /* chances (base.h) */
    uint64_t duplicate;
    uint64_t reorder; /* waits for two later messages of the link, but at most 100 ms */
    int64_t delay_min_ns;
    int64_t delay_max_ns;
    uint64_t bandwidth_bytes; /* a second; 0: no limit */
    bool cut;
};

struct faults;

/* `emit` hands a frame back when it is due: at due_ns (>= now) it has to arrive at (sim) or leave
 * for (real) `to`. It owns one reference. `epoch` is the link's at sending. */
typedef void faults_emit(void *context, uint64_t from, uint64_t to, struct batch *frame,
                         bool urgent, int64_t due_ns, uint64_t epoch);
struct faults *faults_new(uint64_t seed, struct trace *trace);
/* Where there never are any, as in an application: all is handed on, and nothing is remembered of
 * the links, whose number would be that of whoever has ever dialled. */
struct faults *faults_new_none(struct trace *trace);
void faults_free(struct faults *faults);
/* What is drawn from now on is as of another seed. */
void faults_rekey(struct faults *faults, uint64_t seed);
void faults_set_emit(struct faults *faults, faults_emit *emit, void *context);

/* The fate of one frame, whose reference it takes: dropped (a DROP event with the reason), or
 * emitted once or twice. Each message draws the number of every fault, even of those that are off,
 * from the streams "link/FROM/TO/drop" and so on. Hello frames do not come here. */
void faults_send(struct faults *faults, int64_t now_ns, uint64_t from, uint64_t to,
                 struct batch *frame, bool urgent);
/* Whether a frame that was emitted with this epoch still may arrive; false: it was under way when
 * its link was cut or its target crashed. */
bool faults_may_arrive(const struct faults *faults, uint64_t from, uint64_t to, uint64_t epoch);
/* Why what was under way on this link was last lost, in a word ("crashed"). */
const char *faults_lost_reason(const struct faults *faults, uint64_t from, uint64_t to);
/* The link's epoch now. */
uint64_t faults_epoch(const struct faults *faults, uint64_t from, uint64_t to);
/* Emits a DROP event for this frame. */
void faults_drop(struct faults *faults, int64_t now_ns, uint64_t from, uint64_t to,
                 const struct batch *frame, const char *reason);
/* When held-back (reordered) frames must be let go; faults_release does so. WORLD_NEVER: none. */
int64_t faults_deadline(const struct faults *faults);
void faults_release(struct faults *faults, int64_t now_ns);
uint64_t faults_drop_count(const struct faults *faults, uint64_t from);

/* What faults have done to messages, counted on each link. */
#define FAULT_EFFECTS(X)                                                                           \
    X(PARTITION, "partition")       /* lost for that reason, */                                    \
    X(DISCONNECTED, "disconnected") /* as the drop events have it, */                              \
    X(CUT, "cut")                                                                                  \
    X(DROP, "drop")                                                                                \
    X(DUPLICATE, "duplicate")                                                                      \
    X(REORDER, "reorder")                                                                          \
    X(DELAY, "delay") /* later than the usual link, or lost for want of room there */

enum fault_effect {
#define X(name, text) EFFECT_##name,
    FAULT_EFFECTS(X)
#undef X
        EFFECT_COUNT
};

const char *fault_effect_name(enum fault_effect effect);
/* Of the links from here to there; FAULTS_EVERY: of each node. */
uint64_t faults_effect_count(const struct faults *faults, uint64_t from, uint64_t to,
                             enum fault_effect effect);
/* Where there are many links, those go that nobody needs: ids that strangers give come without end.
 * One that is used again begins anew. */
typedef bool faults_needs(void *context, uint64_t from, uint64_t to);
void faults_trim(struct faults *faults, faults_needs *needs, void *context);

/* The default of links between nodes; links that name WORLD_CLIENT have none. */
void faults_set_default(struct faults *faults, const struct link_faults *faults_of_link);
#define FAULTS_EVERY UINT64_MAX /* every node, in place of an id */
/* Replaces; NULL: back to the default. A later call wins over an earlier one, also where it says
 * FAULTS_EVERY. */
void faults_set_link(struct faults *faults, uint64_t from, uint64_t to,
                     const struct link_faults *faults_of_link);
void faults_set_disconnected(struct faults *faults, uint64_t id, bool disconnected);
bool faults_is_disconnected(const struct faults *faults, uint64_t id);
/* Its group in the partition, 0 where none names it. */
uint32_t faults_group(const struct faults *faults, uint64_t id);
/* Whether a call of faults_set_link decides about this link; its faults are then in `out`. */
bool faults_rule(const struct faults *faults, uint64_t from, uint64_t to, struct link_faults *out);
/* group_of[i] is the group of ids[i]; nodes that are not named are in group 0 together. count 0: no
 * partition. */
void faults_set_partition(struct faults *faults, const uint64_t *ids, const uint32_t *group_of,
                          size_t count);
void faults_heal(struct faults *faults); /* partition, disconnects, link faults */
/* A node's process has ended: what is under way to it is lost. */
void faults_forget(struct faults *faults, uint64_t id);
/* What is in force, as fields (base.h), for the fault model of another process; and from there: it
 * replaces what was in force, and what is under way on a link that is newly cut is lost. false: not
 * such bytes, and nothing has changed. */
void faults_write(const struct faults *faults, struct buffer *out);
bool faults_read(struct faults *faults, struct bytes bytes);
/* Whether nothing can pass from here to there, and the reason in a word ("partition"). */
bool faults_is_cut(const struct faults *faults, uint64_t from, uint64_t to, const char **reason);

/* A look at each frame before it is judged. PASS, DROP, or HOLD: the hook took the reference. */
enum faults_verdict { FAULTS_PASS, FAULTS_DROP, FAULTS_HOLD };
typedef enum faults_verdict faults_hook(void *context, uint64_t from, uint64_t to,
                                        struct batch *frame);
void faults_set_hook(struct faults *faults, faults_hook *hook, void *context);

#endif
