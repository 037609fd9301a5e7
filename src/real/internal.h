/*
 * real, within the room: what its files share. Nothing outside src/real/ includes this.
 *
 * Memory: a descriptor's watch is freed in libuv's close callback; everything that may be on the
 * stack of a callback (connections, endpoints) is freed at the next turn.
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
#define STRANGERS_MAX 64 /* connections of others than our peers, at one endpoint */
#define SCRATCH_BYTES (256U << 10)

struct real;

/* ---- descriptors under the loop's eye (watch.c) --------------------------------------------- */

#define WATCH_FAILED 0x100 /* besides UV_READABLE and UV_WRITABLE: the descriptor is in error */
typedef void watch_ready(void *owner, int events);

/* Closed, but perhaps still on the stack of a callback; the first member of what is freed later. */
struct pending_free {
    struct pending_free *next;
};

struct watch {
    struct pending_free pending_free;
    uv_poll_t poll;
    struct list_link of_not_begun;
    bool is_begun; /* libuv knows of it */
    struct real *real;
    int descriptor;
    int events;
    bool is_borrowed; /* the descriptor is somebody else's, who closes it */
    watch_ready *ready;
    void *owner; /* NULL: closed, waits for libuv's close callback */
};

/* Takes the descriptor over, also where it fails (NULL, with errno set). */
struct watch *watch_open(struct real *real, int descriptor, int events, watch_ready *ready,
                         void *owner);
/* The same, but nothing fails and the loop learns of it at its next poll: what is closed before
 * that costs a sixth of the system calls. */
struct watch *watch_open_later(struct real *real, int descriptor, int events, watch_ready *ready,
                               void *owner);
void watch_begin_all(struct real *real); /* before a poll */
void watch_events(struct watch *watch, int events);
/* Closes the descriptor at once; no call of `ready` comes after. `reset`: a TCP connection ends
 * with a reset, and what it has not sent is lost. */
void watch_close(struct watch *watch, bool reset);

/* ---- frames that wait for one peer (queue.c) ------------------------------------------------ */

struct frame_ring {
    ring_of(struct batch *);
};

/* Larger ones leave in pieces (pieces.c). */
#define FRAME_UNCUT_BYTES (96U << 10)

/* In the order in which they leave: the urgent ones, then the others. */
struct frame_queue {
    struct frame_ring urgent;
    struct frame_ring normal;
    size_t waiting_bytes; /* of all but the large one */
    bool has_large;       /* one of more than FRAME_BYTES_MAX */
};

static inline bool frame_queue_is_empty(const struct frame_queue *queue)
{
    return queue->urgent.count == 0 && queue->normal.count == 0;
}

/* Whether a frame of this size has room, where so many bytes wait beside those in the queue: 1 MiB
 * does, and beside it one large frame, so that it gets its turn whatever else is sent. */
bool frame_queue_accepts(const struct frame_queue *queue, size_t beside, size_t size);
void frame_queue_push(struct frame_queue *queue, struct batch *frame, bool urgent);
/* Adds vectors of the first frames, up to one that has to be cut, to the `used` ones: how many
 * there are then. */
size_t frame_queue_gather(const struct frame_queue *queue, bool only_urgent, struct iovec *vectors,
                          size_t used, size_t max);
/* The next in line, the caller's now; NULL: empty. */
struct batch *frame_queue_take(struct frame_queue *queue);
/* The last that is not urgent; NULL: none. */
struct batch *frame_queue_take_last(struct frame_queue *queue);
void frame_queue_free(struct frame_queue *queue); /* it is empty */

/* ---- addresses (address.c) ------------------------------------------------------------------ */

/* "127.0.0.1:7001", "[::1]:7001". false: not of that form. */
bool address_parse(const char *text, struct sockaddr_storage *address, socklen_t *size);
/* Of a socket's own end, or its peer's; "" where that is not known. */
void address_of_socket(int descriptor, bool peers, char text[ADDRESS_BYTES]);
void address_write(const struct sockaddr_storage *address, char text[ADDRESS_BYTES]);
/* A socket bound to it; -1 with errno set. */
int address_bind(const struct sockaddr_storage *address, socklen_t size);
/* Closes a socket that was of no use, and leaves errno as it is. Always -1. */
int address_give_up(int descriptor);

/* ---- the world ------------------------------------------------------------------------------ */

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
struct delayed_frame {
    struct wakeup alarm;
    struct real *real;
    struct list_link link;
    struct routed_frame routed;
};

struct reservation {
    struct reservation *next;
    int descriptor; /* bound, never listening */
    char address[ADDRESS_BYTES];
};

/* What is left for others than our peers, of a share of the loop's time. */
struct strangers {
    int64_t credit_ns; /* real */
    int64_t credited_real_ns;
    struct wakeup resume; /* looks again at what was held back */
    struct list held;     /* connections that are not read meanwhile */
    bool is_resuming;
    bool has_closed_some; /* some, for want of descriptors */
    int64_t closing_noticed_ns;
};

struct real {
    struct world world; /* first: the world's operations are given this */
    uv_loop_t loop;
    uv_async_t interrupt;
    uv_async_t files_ended; /* tasks of files wait to be told of */
    struct list files;
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
    struct list not_begun; /* watches of which the loop is told before it polls */
    struct list unwritten; /* connections with frames to write at the end of the turn */
    struct strangers strangers;
    struct list delayed;
    ring_of(struct routed_frame) local; /* between clients and nodes of this process */
    struct endpoint_handler client;
    void (*elsewhere)(void *context, uint64_t to, struct batch *frame); /* NULL: dropped */
    void *elsewhere_context;
    void (*before_writing)(void *context); /* NULL: nothing */
    void *before_writing_context;
    struct pending_free *pending_frees;
    uint8_t *scratch; /* what is read lands here first */
    bool in_turn;
    bool looked;   /* at the clock, since the poll of this turn */
    bool unpolled; /* a watch has changed, which epoll learns at the next poll */
};

static inline struct real *real_of(struct world *world)
{
    return (struct real *)(void *)world;
}

/* Frees memory (whose first member is its pending_free) at the next turn. */
void real_free_later(struct real *real, struct pending_free *pending_free);
void real_free_pending(struct real *real);
struct endpoint *real_find(const struct real *real, uint64_t id); /* NULL: not open */
/* To where it goes now, the fault model having spoken; takes the reference. */
void real_route(struct real *real, const struct routed_frame *routed);
/* What this endpoint sent and the fault model delays: it ends with the endpoint, and must not go on
 * the connections of its id's next life, which may have another disk. */
void real_drop_delayed(struct real *real, uint64_t from);
/* Where its link was cut since it was judged: drops it (the reference too) and tells so. */
bool real_was_lost(struct real *real, const struct routed_frame *routed);
bool real_is_cut(const struct real *real, uint64_t from, uint64_t to);
/* Takes the reference. */
void real_drop(struct real *real, uint64_t from, uint64_t to, struct batch *frame,
               const char *reason);
/* A NOTICE event of this node. */
__attribute__((format(printf, 4, 5))) void real_notice(struct real *real, uint64_t node,
                                                       uint64_t peer, const char *format, ...);

/* ---- turns (loop.c) ------------------------------------------------------------------------- */

/* The world's time; within a turn as last looked at. */
int64_t loop_now(struct real *real);
int64_t loop_look(struct real *real);    /* looks at the clock */
void loop_input_came(struct real *real); /* looks at it once in a turn, before input is handled */
void loop_set_free_running(struct real *real, bool free_running);
/* Of a free-running clock: it showed 0 then, by CLOCK_MONOTONIC. */
void loop_set_origin(struct real *real, int64_t origin_real_ns);
int64_t loop_to_real(const struct real *real, int64_t world_ns); /* a duration, rounded up */
int64_t loop_to_world(const struct real *real, int64_t real_ns);
/* false with errno set. */
bool loop_open_timer(struct real *real);
int64_t loop_timeout_real_ns(const struct real *real); /* until the next deadline; WORLD_NEVER */
int64_t loop_monotonic_ns(void);                       /* CLOCK_MONOTONIC */
bool loop_step(struct world *world, int64_t until_ns);
int64_t loop_world_now(const struct world *world);
int64_t loop_world_look(struct world *world);
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
    struct pending_free pending_free;
    struct real *real;
    struct endpoint *next;
    uint64_t id;
    struct endpoint_handler handler;
    struct watch *listener;
    struct wakeup accept_again; /* after the process ran out of descriptors */
    struct notice_limit notices;
    char address[ADDRESS_BYTES];
    struct list connections; /* all of them, the oldest first */
    struct list remotes;
    bool accepts;    /* until then who has connected waits in the kernel */
    bool is_full;    /* out of descriptors, and a notice was given */
    bool is_waiting; /* so it accepts nothing for a while */
    bool closed;
};

bool listener_reserve(struct world *world, uint64_t id, char *address, size_t address_size,
                      struct failure *failure);
struct endpoint *listener_open(struct world *world, uint64_t id, const char *address,
                               const struct endpoint_handler *handler, struct failure *failure);
void listener_accept(struct endpoint *endpoint);
void listener_close(struct world *world, struct endpoint *endpoint);
void listener_free_reservations(struct real *real);
void listener_watch(struct endpoint *endpoint); /* accepts, unless it has to wait */

/* ---- connections (connection.c) ------------------------------------------------------------- */

enum tcp_state {
    TCP_DIALLING, /* connect(2) is under way */
    TCP_GREETING, /* the peer's hello has not come yet; it goes first where we dialled */
    TCP_UP,       /* both hellos were accepted: it is its remote's */
    TCP_DRAINING, /* another has its place: what was begun is written, what comes is read to the end
                   */
};

struct tcp_connection {
    struct pending_free pending_free;
    struct list_link of_endpoint;
    struct list_link of_unwritten;
    struct list_link of_held; /* a stranger's: it is not read until its turn */
    struct connection seen;   /* what the endpoint's owner sees */
    struct endpoint *endpoint;
    struct remote *remote; /* where it is dialled for, or is up; else NULL */
    struct watch *watch;
    struct wakeup due; /* gives up dialling, waiting for a hello, draining */
    enum tcp_state state;
    bool blocked; /* the socket takes no more; its watch tells when it does */
    bool broken;  /* nothing can be written any more: it is only read, to its end */
    bool closed;
    bool ways[2]; /* open out and in by the fault model, when it came up */
    int64_t up_ns;
    /* What comes (reader.c). */
    struct batch *partial;          /* a frame whose head is known and whose end is not */
    size_t partial_bytes;           /* of it have come */
    uint8_t head[FRAME_HEAD_BYTES]; /* the start of a frame whose head is not whole */
    size_t head_bytes;
    /* What leaves (writer.c). */
    struct batch *begun; /* partly written, or bound to be the next: it goes here or nowhere */
    size_t begun_bytes;  /* of it have left */
    /* In pieces (pieces.c). */
    struct batch *large; /* leaves in them; NULL: none does */
    size_t large_bytes;  /* of it were cut */
    struct batch *joined;
    size_t joined_bytes;          /* of it have come */
    struct sockaddr_storage from; /* who dialled us, for notices */
};

/* Somebody dialled us. Takes the descriptor over. */
void connection_accept(struct endpoint *endpoint, int descriptor,
                       const struct sockaddr_storage *from);
/* A connection that is dialled for this remote; NULL, with errno set: it can't be. */
struct tcp_connection *connection_dial(struct remote *remote);
/* Sends no new frames; ends when the peer has read all and has ended it too. */
void connection_drain(struct tcp_connection *connection);
/* At once; its remote is notified. `reset`: what has not left is lost. */
void connection_end(struct tcp_connection *connection, const char *reason, bool reset);
/* The peer has sent something malformed: ends it with a notice. */
void connection_refuse(struct tcp_connection *connection, const char *reason);
/* The socket is at its end; an errno, or 0: the peer closed it. */
void connection_ended(struct tcp_connection *connection, int problem);
/* For what it waits, as things are. */
void connection_watch(struct tcp_connection *connection);
/* Its remote's now: where the peer dialled, our hello answers. */
void connection_answer(struct tcp_connection *connection);

/* ---- others than our peers (strangers.c) ---------------------------------------------------- */

/* Whether the connection is, as far as is known, not from a peer that we dial. */
bool strangers_has(const struct tcp_connection *connection);
/* Before something is done for one: whether there is time for it. false: it is to be held back, and
 * is looked at again. */
bool strangers_have_time(const struct endpoint *endpoint);
void strangers_hold(struct tcp_connection *connection);
void strangers_charge(struct real *real);            /* the time since then */
void strangers_make_room(struct endpoint *endpoint); /* for one more: the oldest goes */
/* For a frame of this size that has begun to come: the oldest that hold parts of such go. false:
 * so has this one, by what its owner did when told. */
bool strangers_make_room_for(struct tcp_connection *connection, size_t size);
bool strangers_close_one(struct real *real); /* one, for its descriptor; false: there is none */
/* A notice of what one has done: few for many. */
__attribute__((format(printf, 3, 4))) void strangers_notice(struct endpoint *endpoint,
                                                            uint64_t peer, const char *format, ...);

/* ---- what comes on a connection (reader.c) -------------------------------------------------- */

/* What there is, by so many reads of so many bytes beside a frame's rest; all of it where `failed`:
 * the descriptor is in error. */
void reader_read(struct tcp_connection *connection, int reads_max, size_t scratch_bytes,
                 bool failed);
static inline bool reader_is_within(const struct tcp_connection *connection) /* a frame */
{
    return connection->partial != NULL || connection->head_bytes > 0 || connection->joined != NULL;
}

/* ---- what leaves (writer.c) ----------------------------------------------------------------- */

void writer_write_soon(struct tcp_connection *connection); /* at the end of this turn */
void writer_write(struct tcp_connection *connection);      /* as much as the socket takes */
void writer_write_all(struct real *real);                  /* of all that have something to write */

/* ---- large frames (pieces.c) ---------------------------------------------------------------- */

/* The next piece of what is cut, or is the next in line and has to be; NULL: nothing is. */
struct batch *pieces_cut(struct tcp_connection *connection);
/* A piece has come. The frame that is whole with it, the caller's now, its checksum not looked at;
 * else NULL, and `*problem` where it is no piece. */
struct batch *pieces_join(struct tcp_connection *connection, struct bytes piece,
                          const char **problem);

/* ---- peers (remote.c) ----------------------------------------------------------------------- */

/* What an endpoint has to do with one other node, while it has. */
struct remote {
    struct pending_free pending_free;
    struct list_link of_endpoint;
    struct endpoint *endpoint;
    uint64_t peer;
    struct tcp_connection *current; /* that is up; NULL: there is none */
    struct tcp_connection *dialled; /* that we have under way; NULL: none */
    struct wakeup redial;
    int64_t backoff_ns; /* before the next dial */
    uint32_t refusals;  /* connections that the peer ended in place of saying hello, in a row */
    struct frame_queue queue;
    bool is_announced; /* the owner knows that it may send */
    bool closed;       /* it is freed at the next turn */
    bool moved; /* its address is new: it is dialled there beside a connection from elsewhere */
    char address[ADDRESS_BYTES]; /* where it is dialled; "": it is not */
};

static inline bool remote_is_dialled(const struct remote *remote)
{
    return remote->address[0] != '\0';
}

struct remote *remote_find(const struct endpoint *endpoint, uint64_t peer); /* NULL: none */
void remote_dial(struct endpoint *endpoint, uint64_t peer, const char *address, bool anew);
void remote_hang_up(struct endpoint *endpoint, uint64_t peer);
bool remote_is_connected(const struct endpoint *endpoint, uint64_t peer);
bool remote_has_room(const struct endpoint *endpoint, uint64_t peer, size_t size);
/* Dials now, whatever the backoff, where a connection is wanted and possible. */
void remote_dial_now(struct remote *remote);
/* The fault model's cuts have changed: ends a connection that has lost a way. false: it had none to
 * end. */
bool remote_follow_cuts(struct remote *remote);
/* A connection that was dialled for it or was up has ended; `refused`: in place of a hello. */
void remote_lost(struct remote *remote, struct tcp_connection *connection, const char *reason,
                 bool refused);
/* The peer has said hello on this connection: it is the pair's now, or drained. */
void remote_hello_accepted(struct endpoint *endpoint, struct tcp_connection *connection);
void remote_enqueue(struct remote *remote, struct batch *frame, bool urgent);
void remote_free(struct remote *remote); /* with its connections, without callbacks to the owner */

#endif
