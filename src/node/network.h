/*
 * The private side of node/, as internal.h has it: who the others are, and what comes from them and
 * goes to them.
 */
#ifndef RAFTBENCH_NODE_NETWORK_H
#define RAFTBENCH_NODE_NETWORK_H

#include "node/node.h"

/* ---- identity: who is who (identity.c) ------------------------------------------------------ */

#define CLUSTER_NAME_BYTES_MAX 63

struct identity {
    char cluster_name[CLUSTER_NAME_BYTES_MAX + 1];
    struct random life_stream;
    uint64_t life;           /* drawn at each start */
    uint64_t turned_away_by; /* who told last that the members know another disk under our id */
};

void identity_prepare(struct node *node, const struct node_options *options); /* once */
void identity_begin(struct node *node);                                       /* a life */
uint64_t identity_turned_away_by(const struct node *node);                    /* 0: nobody */
struct batch *identity_hello(struct node *node, uint64_t to);
/* true: `from` knows its server now; false: refused, and frames_reason says why. */
bool identity_judge_hello(struct node *node, struct bytes body, uint64_t number,
                          struct connection *from);
/* A hello had a listed id with another directory: its server and the user get a notice. */
void identity_turn_away(struct node *node, uint64_t id, uint64_t directory);
/* That this happened to us; false: malformed. */
bool identity_turned_away(struct node *node, uint64_t from, struct bytes body);
void identity_follow_members(struct node *node); /* another configuration is in force */

/* ---- peers: whom it keeps connections to (peers.c) ------------------------------------------ */

struct peer {
    uint64_t id;
    int64_t used_ns; /* when a frame or a hello last gave a reason to keep the connection */
    bool dialled;
    bool member;   /* of the configuration in force */
    bool differ;   /* the two addresses below: each is tried in turn */
    bool wanted;   /* not listed, but asked for at that address */
    bool replaced; /* the member is another server than the one that said hello last */
    bool found;    /* who said hello last is where it is asked for, if it is */
    char address[RAFT_ADDRESS_BYTES_MAX + 1];       /* where it is dialled */
    char listed[RAFT_ADDRESS_BYTES_MAX + 1];        /* by the latest configuration that lists it */
    char hello_address[RAFT_ADDRESS_BYTES_MAX + 1]; /* by the latest hello that counts */
    uint64_t hello_address_of;                      /* the directory of the server that told it */
    int64_t tried_ns;                               /* since when the present one of two is */
    int64_t wanted_ns;                              /* since when it is looked for */
    uint64_t greeted_directory;                     /* of the server that said hello last */
    uint64_t greeted_life;                          /* the same */
    uint64_t listed_directory;                      /* as a member, by the latest configuration */
    uint64_t removed_directory; /* of the latest member of that id that was removed */
    uint64_t met_directory;     /* of the server that is there; 0: not met yet */
    uint64_t other_directory;   /* of another disk under its id that was turned away last; or 0 */
    int64_t turned_away_ns;     /* when that was last told so */
};

struct peers {
    array_of(struct peer) all; /* sorted by id */
};

/* Dials who is a member of the configuration in force. */
void peers_follow_members(struct node *node);
/* Hangs up on peers that are not members and were of no use for a while. */
void peers_tidy(struct node *node);
/* Whether that peer is told now that its id is another server's: once in a while, and *is_news
 * where it is the first time. */
bool peers_turn_away(struct node *node, uint64_t id, uint64_t directory, bool *is_news);
/* That server told its address in a hello that was accepted. */
void peers_hello_accepted(struct node *node, const struct connection *from, struct bytes address);
/* Connects to a server that is to be added by its address alone. true: it said hello there, and
 * `*directory` is its own. */
bool peers_find_directory(struct node *node, const struct raft_member *wanted, uint64_t *directory);
void peers_connected(struct node *node, uint64_t id); /* it can be sent to now */
/* Of the server that said hello last, which it draws anew at each start; 0: none did. */
uint64_t peers_life(struct node *node, uint64_t id);
/* To that very server. */
bool peers_is_connected(struct node *node, uint64_t id, uint64_t directory);
void peers_disconnected(struct node *node, uint64_t id);
/* A frame to a peer; takes the reference. */
void peers_send(struct node *node, uint64_t to, struct batch *frame, bool urgent);
void peers_clear(struct node *node);

/* ---- frames: what comes and goes (frames.c) ------------------------------------------------- */

struct frames {
    struct buffer buffer; /* of the one that is being written */
    uint64_t number;      /* of the latest; goes on across restarts */
    char reason[200];     /* why a connection is closed; read by the world at once */
};

struct endpoint_handler node_endpoint_handler(struct node *node);
/* A frame is begun: its body is appended to what is given. */
struct buffer *frames_begin(struct node *node);
/* A finished copy of it, and its number. */
struct batch *frames_end(struct node *node, enum frame_kind kind, uint64_t *number);
/* Begins to send what frames_begin began, with a trace event of this name (a static string). */
void frames_send(struct node *node, uint64_t to, enum frame_kind kind, const char *name);
/* One from who is known, to whom it is for; false: it is refused, and frames.reason says why. */
bool frames_deliver(struct node *node, uint64_t from, struct batch *batch, uint32_t offset,
                    const struct frame_head *head);
/* Why a connection is about to be closed; and with a notice of that (always false). */
void frames_set_reason(struct node *node, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool frames_refuse(struct node *node, uint64_t from, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void frames_clear(struct node *node);

/* ---- inbox: what arrived while it was paused (inbox.c) -------------------------------------- */

/* A frame that waits. */
struct incoming {
    uint64_t from;
    uint64_t queue; /* in which it is counted */
    struct batch *batch;
    uint32_t offset;
    struct frame_head head;
};

struct held_bytes {
    uint64_t queue;
    uint64_t bytes;
};

struct inbox {
    ring_of(struct incoming) frames;
    array_of(struct held_bytes) held;
};

void inbox_add(struct node *node, uint64_t from, struct batch *batch, uint32_t offset,
               const struct frame_head *head);
void inbox_deliver(struct node *node); /* as long as it runs */
void inbox_clear(struct node *node);

/* ---- messages: Raft's, on the wire (messages.c) --------------------------------------------- */

struct messages {
    struct raft_entry *entries; /* of the one that is being read */
    uint32_t capacity;
};

/* Its frame, as the log is now, and its number. */
struct batch *messages_encode(struct node *node, const struct raft_message *message,
                              uint64_t *number);
/* Takes the reference. */
void messages_send(struct node *node, const struct raft_message *message, struct batch *frame,
                   uint64_t number);
bool messages_take(struct node *node, uint64_t from, struct batch *batch, uint32_t offset,
                   const struct frame_head *head);
void messages_clear(struct node *node);

#endif
