/*
 * What the files of the simulated world share: the event queue (queue.c), virtual connections and
 * deliveries (links.c), and the world's state (sim.c). Nobody else includes this.
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

/* ---- the event queue (queue.c) -------------------------------------------------------------- */

/* One connection of a link, from dialling to its end; frames under way on it keep it alive. */
struct connection {
    struct sim_link *link;
    struct inbound inbound; /* as its receiver sees it */
    uint32_t references;
    bool told;            /* its dialler knows that it is up */
    bool greeted;         /* a hello has been sent */
    bool refused;         /* by its receiver: what is still under way is lost */
    int64_t hello_due_ns; /* nothing on it arrives before its hello */
    uint64_t from_life;   /* which opening of its ends' endpoints it belongs to */
    uint64_t to_life;
    struct connection *next_unused;
};

enum delivery_kind {
    DELIVERY_FRAME,
    DELIVERY_CONNECTED,   /* tells the dialler */
    DELIVERY_DISCONNECTED /* tells the dialler; the reason stands in the link */
};

/* What happens to a link at some time. */
struct delivery {
    enum delivery_kind kind;
    uint32_t next_unused; /* the queue's */
    struct sim_link *link;
    struct connection *connection; /* holds a reference; NULL: to or from clients, or by hand */
    struct batch *frame;
    uint64_t epoch; /* of a frame: the fault model's; DISCONNECTED: the dialler's life */
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
/* Takes the next event out: a wake-up, which is off now, or NULL and `*delivery`. There must be
 * one. */
struct wakeup *queue_take(struct queue *queue, struct delivery *delivery);
void queue_free(struct queue *queue); /* empty but for wake-ups, which belong to their owners */

/* ---- the world (sim.c, links.c) ------------------------------------------------------------- */

struct endpoint {
    struct sim *sim;
    struct place *place;
    struct endpoint_handler handler;
    char address[ADDRESS_BYTES_MAX + 1];
};

/* An id, as long as the world lives; id 0 is the clients'. */
struct place {
    uint64_t id;
    struct endpoint *endpoint; /* NULL: nobody listens */
    uint64_t life;             /* how often it was opened */
};

/* From one place to another, as long as the world lives. */
struct sim_link {
    struct sim *sim;
    struct place *from;
    struct place *to;
    bool wanted; /* dialled */
    struct connection *connection;
    int64_t backoff_ns;   /* after a refusal */
    struct wakeup redial; /* only then */
    char address[ADDRESS_BYTES_MAX + 1];
    char reason[REASON_BYTES_MAX + 1]; /* why the last connection ended */
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
    struct connection *connections_unused;
    struct endpoint_handler client;
    bool client_is_open;
};

struct place *sim_place(struct sim *sim, uint64_t id);
struct sim_link *sim_link(struct sim *sim, uint64_t from, uint64_t to);
/* Dials where a connection is wanted and possible; whatever makes one possible calls it. */
void link_try(struct sim_link *link);
void link_dial(struct sim_link *link, const char *address);
void link_hang_up(struct sim_link *link); /* the dialler's wish: it is not told */
/* Ends its connection, if any, and tells the dialler. */
void link_end(struct sim_link *link, const char *reason);
bool link_is_up(const struct sim_link *link);
void link_send_hello(struct sim_link *link, struct batch *frame);
/* The fault model's emit. */
void link_emit(void *context, uint64_t from, uint64_t to, struct batch *frame, bool urgent,
               int64_t due_ns, uint64_t epoch);
void link_deliver(struct sim_link *link, struct batch *frame); /* a frame that was held */
/* A delivery is due; takes its references. */
void link_arrive(struct sim *sim, const struct delivery *delivery);
void connection_release(struct sim *sim, struct connection *connection); /* NULL is fine */

#endif
