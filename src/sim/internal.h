/*
 * What the files of the simulated world share: the event queue (queue.c), virtual connections and
 * deliveries (links.c), and the world's state (sim.c). No other room includes this.
 *
 * All state hangs from struct sim; nothing here is static, depends on an address or reads a clock.
 */
#ifndef RAFTBENCH_SIM_INTERNAL_H
#define RAFTBENCH_SIM_INTERNAL_H

#include "sim/sim.h"

#define ADDRESS_BYTES_MAX 255
#define REASON_BYTES_MAX 159

struct sim;
struct sim_link;
struct sim_disk; /* disk.h */

/* ---- the event queue (queue.c) -------------------------------------------------------------- */

/* What one end of a connection knows and has sent. */
struct sim_end {
    struct connection seen; /* as its endpoint's owner sees it */
    bool greeted;           /* it has sent its hello */
    bool refused;           /* what came: the rest is lost */
    uint64_t life;          /* which opening of its endpoint it belongs to */
};

/* The connection of a pair, from dialling to its end; frames under way on it keep it alive. */
struct sim_connection {
    struct sim_link *link;  /* of who dialled */
    struct sim_end ends[2]; /* who dialled, and who was dialled */
    uint32_t references;
    bool ended;
    struct sim_connection *next_unused;
};

enum delivery_kind {
    DELIVERY_FRAME,
    DELIVERY_HELLO,       /* the first frame on a connection */
    DELIVERY_DIALLED,     /* asks who dialled for its hello */
    DELIVERY_CONNECTED,   /* tells the link's sender */
    DELIVERY_DISCONNECTED /* tells it; the reason stands in the link */
};

/* What happens to a link at some time. */
struct delivery {
    enum delivery_kind kind;
    uint32_t next_unused; /* the queue's */
    struct sim_link *link;
    struct sim_connection *connection; /* holds a reference; NULL: of clients, by hand, told */
    struct batch *frame;
    uint64_t epoch; /* of a frame: the fault model's; (DIS)CONNECTED: the life of who is told */
};

/* Deliveries, whose contents lie in a pool beside the heap, and the agenda's wake-ups: in one order
 * by time and then by when they were asked for, so that no two are equal. Wake-ups stand apart:
 * they are few, move often, and know their place. */
struct queue {
    struct agenda agenda;
    struct heap deliveries; /* values: slots of the pool */
    array_of(struct delivery) pool;
    uint32_t unused; /* a slot + 1; 0: none */
};

void queue_add(struct queue *queue, int64_t time_ns, const struct delivery *delivery);
/* The time of the next event; WORLD_NEVER: none. */
int64_t queue_next_ns(struct queue *queue);
/* Takes the next event out, of which queue_next_ns has just told: a wake-up, which is off now, or
 * NULL and `*delivery`. */
struct wakeup *queue_take(struct queue *queue, struct delivery *delivery);
void queue_free(struct queue *queue); /* empty but for wake-ups, which belong to their owners */

/* ---- the world (sim.c, links.c) ------------------------------------------------------------- */

struct endpoint {
    struct sim *sim;
    struct place *place;
    struct endpoint_handler handler;
    bool accepts;
    char address[ADDRESS_BYTES_MAX + 1];
};

/* An id, as long as the world lives; id 0 is the clients'. */
struct place {
    uint64_t id;
    struct endpoint *endpoint; /* NULL: no listener */
    uint64_t life;             /* how often it was opened */
};

/* From one place to another, as long as the world lives. The two links of a pair share one
 * connection. */
struct sim_link {
    struct sim *sim;
    struct place *from;
    struct place *to;
    struct sim_link *back; /* the other way */
    bool wanted;           /* dialled */
    bool is_announced;     /* its sender knows that it may send, or will in this instant */
    struct sim_connection *connection;
    int64_t backoff_ns;   /* after a refusal */
    struct wakeup redial; /* only then */
    char address[ADDRESS_BYTES_MAX + 1];
    char reason[REASON_BYTES_MAX + 1]; /* why its sender may no longer send */
};

struct sim {
    struct world world;
    uint64_t seed;
    int64_t now_ns;
    struct queue queue;
    struct pairs places; /* (id, 0) */
    array_of(struct place *) place_list;
    struct pairs links;
    array_of(struct sim_link *) link_list; /* in order of first use */
    struct sim_link *sending;              /* a guess for the fault model's emit */
    struct sim_connection *connections_unused;
    struct endpoint_handler client;
    bool client_is_open;
    struct pairs disks; /* (id, 0) */
    array_of(struct sim_disk *) disk_list;
};

struct place *sim_place(struct sim *sim, uint64_t id);
struct sim_link *sim_link(struct sim *sim, uint64_t from, uint64_t to);
/* Dials where a connection is wanted and possible; whatever makes one possible calls it. */
void link_try(struct sim_link *link);
void link_dial(struct sim_link *link, const char *address);
void link_hang_up(struct sim_link *link);
bool link_is_up(const struct sim_link *link); /* its sender may send */
/* Its sender's endpoint has closed. */
void link_close(struct sim_link *link);
/* The fault model's cuts have changed. */
void link_follow_cuts(struct sim_link *link);
/* The fault model's emit. */
void link_emit(void *context, uint64_t from, uint64_t to, struct batch *frame, bool urgent,
               int64_t due_ns, uint64_t epoch);
void link_deliver(struct sim_link *link, struct batch *frame); /* a frame that was held */
/* A delivery is due; takes its references. */
void link_arrive(struct sim *sim, const struct delivery *delivery);
void connection_release(struct sim *sim, struct sim_connection *connection); /* NULL is fine */

#endif
