/*
 * real, within the room: what its files share. Nothing outside src/real/ includes this.
 *
 * Memory: a descriptor's watch is freed in libuv's close callback; everything that may be on the
 * stack of a callback (connections, endpoints) is buried and freed at the next turn.
 */
#ifndef RAFTBENCH_REAL_INTERNAL_H
#define RAFTBENCH_REAL_INTERNAL_H

#include "real/real.h"

#include <sys/socket.h>
#include <sys/uio.h>
#include <uv.h>

#define MILLISECOND_NS INT64_C(1000000)
#define SECOND_NS INT64_C(1000000000)
#define ADDRESS_BYTES 64 /* the text of an IP address and a port, its end included */
#define INBOUND_MAX 1024 /* connections that one endpoint accepts */
#define SCRATCH_BYTES (256U << 10)

struct real;

/* ---- descriptors under the loop's eye (watch.c) --------------------------------------------- */

#define WATCH_FAILED 0x100 /* besides UV_READABLE and UV_WRITABLE: the descriptor is in error */
typedef void watch_ready(void *owner, int events);

struct watch {
    uv_poll_t poll;
    struct real *real;
    int descriptor;
    int events;
    watch_ready *ready;
    void *owner; /* NULL: closed, waits for libuv's close callback */
};

/* Takes the descriptor over, also where it fails (NULL, with errno set). */
struct watch *watch_open(struct real *real, int descriptor, int events, watch_ready *ready,
                         void *owner);
void watch_events(struct watch *watch, int events);
/* Closes the descriptor at once; no call of `ready` comes after. `reset`: a TCP connection ends
 * with a reset, and what it has not sent is lost. */
void watch_close(struct watch *watch, bool reset);

/* ---- frames that wait for one peer (queue.c) ------------------------------------------------ */

struct frame_ring {
    ring_of(struct batch *);
};

/* Urgent frames go before others, but never into a frame whose first bytes have left. */
struct frame_queue {
    struct frame_ring urgent;
    struct frame_ring normal;
    struct batch *begun; /* partly written, or bound to be the next */
    size_t begun_bytes;  /* of it have left */
    size_t waiting_bytes;
};

bool frame_queue_is_empty(const struct frame_queue *queue);
bool frame_queue_accepts(const struct frame_queue *queue, size_t size);
void frame_queue_push(struct frame_queue *queue, struct batch *frame, bool urgent);
size_t frame_queue_gather(const struct frame_queue *queue, struct iovec *vectors, size_t max);
/* The next in line counts as begun. */
void frame_queue_begin(struct frame_queue *queue);
void frame_queue_advance(struct frame_queue *queue, size_t bytes);
/* The next in line, the caller's now; NULL: empty. */
struct batch *frame_queue_take(struct frame_queue *queue);
/* The last that is neither urgent nor begun; NULL: none. */
struct batch *frame_queue_take_last(struct frame_queue *queue);
void frame_queue_free(struct frame_queue *queue); /* it is empty */

/* ---- addresses (address.c) ------------------------------------------------------------------ */

/* "127.0.0.1:7001", "[::1]:7001". false: not of that form. */
bool address_parse(const char *text, struct sockaddr_storage *address, socklen_t *size);
/* Of a socket's own end, or its peer's; "" where that is not known. */
void address_of_socket(int descriptor, bool peers, char text[ADDRESS_BYTES]);
/* A socket bound to it; -1 with errno set. */
int address_bind(const struct sockaddr_storage *address, socklen_t size);

/* ---- the world ------------------------------------------------------------------------------ */

/* Dead, but perhaps still on the stack of a callback; the first member of what is buried. */
struct grave {
    struct grave *next;
};

/* A frame that has passed the fault model, but for its delay. */
struct routed_frame {
    uint64_t from;
    uint64_t to;
    uint64_t epoch;
    struct batch *frame;
    bool has_epoch; /* of the time when it was judged; false: delivered by hand */
    bool urgent;
};

/* A frame that the fault model delays. */
struct departure {
    struct wakeup alarm;
    struct real *real;
    struct departure *next;
    struct departure *previous;
    struct routed_frame routed;
};

struct reservation {
    struct reservation *next;
    int descriptor; /* bound, never listening */
    char address[ADDRESS_BYTES];
};

struct real {
    struct world world; /* first: the world's operations are given this */
    uv_loop_t loop;
    uv_async_t interrupt;
    bool wakes_pollers; /* of our descriptor, who sleep while something is asked for */
    bool free_running;
    double speed;
    /* The clock: at base_real_ns of CLOCK_MONOTONIC it showed base_ns. */
    int64_t now_ns;      /* as last looked at */
    int64_t now_real_ns; /* CLOCK_MONOTONIC then */
    int64_t base_ns;
    int64_t base_real_ns;
    struct watch *timer;
    int64_t timer_real_ns; /* when it will fire, by CLOCK_MONOTONIC; WORLD_NEVER: it will not */
    struct agenda agenda;
    struct endpoint *endpoints;
    struct reservation *reservations;
    struct outbound *unwritten; /* connections with frames to write at the end of the turn */
    struct departure *departures;
    ring_of(struct routed_frame) local; /* between clients and nodes of this process */
    struct endpoint_handler client;
    struct grave *graves;
    uint8_t *scratch; /* what is read lands here first */
    bool in_turn;
    bool looked;   /* at the clock, since the poll of this turn */
    bool unpolled; /* a watch has changed, which epoll learns at the next poll */
};

static inline struct real *real_of(struct world *world)
{
    return (struct real *)(void *)world;
}

/* Frees memory (whose first member is its grave) at the next turn. */
void real_bury(struct real *real, struct grave *grave);
void real_empty_graves(struct real *real);
struct endpoint *real_find(const struct real *real, uint64_t id); /* NULL: not open */
/* To where it goes now, the fault model having spoken; takes the reference. */
void real_route(struct real *real, const struct routed_frame *routed);
/* What this endpoint sent and the fault model delays: it ends with the endpoint, and must not go on
 * the connections of its id's next life, which may have another disk. */
void real_drop_departures(struct real *real, uint64_t from);
/* Where its link was cut since it was judged: drops it (the reference too) and tells so. */
bool real_was_lost(struct real *real, const struct routed_frame *routed);
bool real_is_cut(const struct real *real, uint64_t from, uint64_t to);
/* A NOTICE event of this node. */
__attribute__((format(printf, 4, 5))) void real_notice(struct real *real, uint64_t node,
                                                       uint64_t peer, const char *format, ...);

/* ---- turns (loop.c) ------------------------------------------------------------------------- */

/* The world's time; within a turn as last looked at. */
int64_t loop_now(struct real *real);
int64_t loop_look(struct real *real);    /* looks at the clock */
void loop_input_came(struct real *real); /* looks at it once in a turn, before input is handled */
void loop_set_free_running(struct real *real, bool free_running);
int64_t loop_to_real(const struct real *real, int64_t world_ns); /* a duration, rounded up */
int64_t loop_to_world(const struct real *real, int64_t real_ns);
/* false with errno set. */
bool loop_open_timer(struct real *real);
int64_t loop_timeout_real_ns(const struct real *real); /* until the next deadline; WORLD_NEVER */
bool loop_step(struct world *world, int64_t until_ns);
int64_t loop_world_now(const struct world *world);
void loop_wake_at(struct world *world, struct wakeup *wakeup, int64_t at_ns);
void loop_flush_soon(struct world *world, struct flusher *flusher);
void loop_flush_cancel(struct world *world, struct flusher *flusher);

/* ---- clients (local.c) ---------------------------------------------------------------------- */

void local_push(struct real *real, const struct routed_frame *frame);
/* Delivers what is queued now, not what that brings; whether there was something. */
bool local_deliver(struct real *real);
void local_free(struct real *real);

/* ---- endpoints (listener.c) ----------------------------------------------------------------- */

struct endpoint {
    struct grave grave;
    struct real *real;
    struct endpoint *next;
    uint64_t id;
    struct endpoint_handler handler;
    struct watch *listener;
    struct wakeup accept_again; /* after the process ran out of descriptors */
    char address[ADDRESS_BYTES];
    struct inbound_connection *inbounds;
    size_t inbound_count;
    struct outbound *outbounds;
    bool closed;
};

bool listener_reserve(struct world *world, uint64_t id, char *address, size_t address_size,
                      struct failure *failure);
struct endpoint *listener_open(struct world *world, uint64_t id, const char *address,
                               const struct endpoint_handler *handler, struct failure *failure);
void listener_close(struct world *world, struct endpoint *endpoint);
void listener_accept(struct endpoint *endpoint); /* all that wait */
void listener_free_reservations(struct real *real);

/* ---- what comes on a connection (reader.c) -------------------------------------------------- */

/* The first member of what is freed with it. Its owner closes the descriptor. */
struct reader {
    struct grave grave;
    struct inbound inbound; /* what the endpoint's owner sees */
    struct endpoint *endpoint;
    struct watch *watch;
    void (*learned)(void *owner); /* `inbound` has changed */
    /* Both: the owner must end the connection. */
    void (*refused)(void *owner, const char *reason);
    void (*ended)(void *owner, int problem); /* an errno; 0: by the peer */
    void *owner;
    struct batch *partial;          /* a frame whose head is known and whose end is not */
    size_t partial_bytes;           /* of it have come */
    uint8_t head[FRAME_HEAD_BYTES]; /* the start of a frame whose head is not whole */
    size_t head_bytes;
    bool closed;
};

/* What there is, up to a bound; all of it where `failed`: the descriptor is in error. */
void reader_read(struct reader *reader, bool failed);
bool reader_is_within(const struct reader *reader); /* a frame */
void reader_close(struct reader *reader);           /* and bury it */

/* ---- connections that were accepted (inbound.c) --------------------------------------------- */

struct inbound_connection {
    struct reader reader; /* first: buried with it */
    struct inbound_connection *next;
    struct inbound_connection *previous;
    struct outbound *carries; /* what it sends to that peer goes back here; NULL: nothing does */
    struct wakeup hello_due;
    char remote[ADDRESS_BYTES];
};

void inbound_open(struct endpoint *endpoint, int descriptor); /* takes the descriptor over */
/* `reason` is noticed; NULL: nothing to say. */
void inbound_close(struct inbound_connection *connection, const char *reason);
void inbound_close_cut(struct endpoint *endpoint);
/* The one whose other end is at `remote`. */
void inbound_close_from(struct endpoint *endpoint, const char *remote);
void inbound_close_peer(struct endpoint *endpoint, uint64_t peer, const char *reason);
/* The youngest whose hello has been accepted; NULL: none. */
struct inbound_connection *inbound_find(const struct endpoint *endpoint, uint64_t peer);
/* The youngest on which we may answer in place of the connection on which we said that hello. */
struct inbound_connection *inbound_find_invited(const struct endpoint *endpoint, uint64_t peer,
                                                uint64_t hello);

/* ---- connections that we dial (outbound.c) -------------------------------------------------- */

enum outbound_state { OUTBOUND_RESTING, OUTBOUND_DIALLING, OUTBOUND_UP };

struct outbound {
    struct grave grave;
    struct endpoint *endpoint;
    struct outbound *next;
    struct outbound *next_unwritten;
    uint64_t peer;
    enum outbound_state state;
    struct watch *watch;
    struct wakeup alarm; /* resting: dial again; dialling: give up */
    int64_t backoff_ns;  /* before the next dial */
    int64_t up_ns;       /* when it came up */
    struct frame_queue queue;
    struct reader *reader; /* of what the peer, which was invited, sends back; NULL: it was not */
    struct inbound_connection *carrier; /* we were invited to send there instead; NULL: were not */
    bool on_carrier;                    /* where the frame that is begun goes, and the next */
    char address[ADDRESS_BYTES];
    char local[ADDRESS_BYTES]; /* our end of the connection */
    uint64_t hello_number;     /* of the frame that was it; 0: not sent */
    bool blocked;              /* that socket takes no more; its watch tells when it does */
    bool is_unwritten;
    bool closed;
};

void outbound_dial(struct endpoint *endpoint, uint64_t peer, const char *address);
void outbound_hang_up(struct endpoint *endpoint, uint64_t peer);
bool outbound_is_connected(const struct endpoint *endpoint, uint64_t peer);
void outbound_send_hello(struct endpoint *endpoint, uint64_t peer, struct batch *frame);
struct outbound *outbound_find(const struct endpoint *endpoint, uint64_t peer);
/* Where our id is the lower one: tells the peer, which said this hello, to send on the connection
 * that we dialled, from now on. It is told so at each of its hellos, because only who was told the
 * latest is at the place that it dials, which a former life of ours need not be. */
void outbound_invite(struct endpoint *endpoint, const struct inbound *from);
/* For every socket that frames leave by. */
void outbound_set_options(const struct real *real, int descriptor);
/* Dials now, whatever the backoff, unless the link is cut or it is dialling or up. */
void outbound_dial_now(struct outbound *outbound);
/* Ends the connection, if there is one, and tells the owner where it was up. */
void outbound_down(struct outbound *outbound, const char *reason, bool reset);
void outbound_free(struct outbound *outbound); /* ends it without a word to the owner */

/* ---- what leaves (writing.c) ---------------------------------------------------------------- */

void outbound_enqueue(struct outbound *outbound, struct batch *frame, bool urgent);
void outbound_push(struct outbound *outbound, struct batch *frame, bool urgent); /* as it is */
void outbound_drop(struct outbound *outbound, struct batch *frame, const char *reason);
void outbound_write_all(struct real *real); /* all that waits and can go */
void outbound_forget_unwritten(struct outbound *outbound);
/* The socket that was full takes more: the connection that we dialled, or the carrier. */
void outbound_writable(struct outbound *outbound, bool carrier);
/* The peer has invited us on this connection: an older one in its place is over. */
void outbound_invited(struct inbound_connection *connection);
/* Sends by the connection on which that peer invited us, if there is one. */
void outbound_find_carrier(struct endpoint *endpoint, uint64_t peer);
void outbound_lose_carrier(struct outbound *outbound); /* it has been closed */
/* The connection that we dialled ends; a carrier that is within a frame ends too. */
void outbound_leave_carrier(struct outbound *outbound);

#endif
