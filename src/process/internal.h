/* The inside of process/: the control connection, and what both sides of it share. */
#ifndef RAFTBENCH_PROCESS_INTERNAL_H
#define RAFTBENCH_PROCESS_INTERNAL_H

#include "process/process.h"

#include "real/real.h"

#include <sys/types.h>

/* ---- what goes over the connection (messages.c) --------------------------------------------- */

/* Each message: its length (u32, of what follows), its kind (a byte), its fields (base.h). */
enum control_kind {
    /* to the child */
    CONTROL_OPEN = 1,  /* struct control_open */
    CONTROL_RUN,       /* an order: bytes: its first members (none: it waits); more: faults */
    CONTROL_ADDRESSES, /* an order: bytes: struct control_address, of each node of the run */
    CONTROL_FAULTS,    /* an order: bytes: what is in force */
    CONTROL_CAMPAIGN,  /* an order: flag: forced */
    CONTROL_SUBMIT,    /* an order: bytes: a payload */
    CONTROL_CHANGE,    /* an order: number: the asker's; bytes: the wanted members */
    CONTROL_COMPACT,   /* an order: number: the asker's */
    CONTROL_TRANSFER,  /* an order: number: the asker's; target: to whom */
    CONTROL_LOG,       /* an order: number: the first index that is wanted */
    CONTROL_DISK,      /* an order to one that was not told to run: number: as of LOG */
    CONTROL_STOP,      /* an order: flag: removed */
    CONTROL_CLIENT,    /* both ways: a frame between "client" and the node */
    /* to the parent */
    CONTROL_OPENED,  /* an answer: number: the directory, 0: not known yet; index: 1: the disk holds
                        a log */
    CONTROL_RESULT,  /* an answer to the order of that number; of LOG: index: first; bytes: entries
                      */
    CONTROL_OUTCOME, /* an answer: of a change, a transfer, a compaction, by the asker's number */
    CONTROL_VIEW,
    CONTROL_EVENT, /* a record (trace.h) */
    CONTROL_LOST,  /* an answer: number: so many events were left out here */
    CONTROL_KIND_END,
};

#define CONTROL_VERSION 1
#define CONTROL_HEAD_BYTES 5
#define CONTROL_BYTES_MAX (FRAME_BYTES_LIMIT + (64U << 10))
#define CONTROL_PATH_BYTES 1024
#define CONTROL_NAME_BYTES 128

/* The first message: whom the child is to be. */
struct control_open {
    uint64_t parent; /* its process id */
    uint64_t seed;
    int64_t origin_real_ns; /* real_options */
    uint64_t speed_ppb;     /* billionths of a world second in a real one */
    bool wipe;              /* begin with an empty disk */
    uint64_t snapshot_every;
    uint64_t snapshot_bytes;
    struct raft_options raft;
    char cluster_name[CONTROL_NAME_BYTES];
    char address[CONTROL_NAME_BYTES];
    char directory[CONTROL_PATH_BYTES];
    char machine[CONTROL_PATH_BYTES];
};

struct control_order {
    uint64_t call; /* answered by a RESULT of that number; 0: not answered */
    uint64_t number;
    uint64_t target;
    bool flag;
    struct bytes bytes;
    struct bytes more;
};

struct control_answer {
    uint64_t number;
    struct failure failure;
    uint64_t index;
    uint64_t term;
    struct bytes bytes;
};

/* What is seen of a node, in memory of its own. */
struct sight {
    struct node_view view;
    struct node_stats statistics;
    struct node_refusal refused;
    struct raft_configuration members;
    struct raft_configuration snapshot_members;
    char refused_what[32];
    char address[CONTROL_NAME_BYTES];
    char error[sizeof(((struct failure *)NULL)->message)];
    char damaged_file[sizeof(((struct failure *)NULL)->file)];
    array_of(struct raft_peer_status) peers;
    uint64_t log_changes; /* rises when entries that were there are no longer */
    uint64_t drops;       /* what the fault model has dropped of what it sent */
};

void control_write_open(const struct control_open *open, struct buffer *out);
bool control_read_open(struct bytes body, struct control_open *open);
void control_write_order(const struct control_order *order, struct buffer *out);
bool control_read_order(struct bytes body, struct control_order *order);
void control_write_answer(const struct control_answer *answer, struct buffer *out);
bool control_read_answer(struct bytes body, struct control_answer *answer);
/* What is seen: the view is a node's that is here, the rest the sight's own. */
void control_write_view(const struct node_view *view, const struct sight *sight,
                        struct buffer *out);
/* false: not a view, and the sight is of no use until it is read again. */
bool control_read_view(struct bytes body, struct sight *sight);
void sight_prepare(struct sight *sight, uint64_t id);
void sight_free(struct sight *sight);
void control_write_entry(const struct raft_entry *entry, struct buffer *out);
/* Where a node listens in this run: a log of an earlier one names the addresses of that. */
struct control_address {
    uint64_t id;
    char address[CONTROL_NAME_BYTES];
};

void control_write_address(uint64_t id, const char *address, struct buffer *out);
void control_read_address(struct field_reader *reader, struct control_address *address);

/* What a disk holds beside its entries, at the start of DISK's bytes. */
struct control_disk {
    uint64_t term;
    uint64_t vote;
    uint64_t first_index;
    uint64_t last_index;
};

/* `members`: those of its snapshot, else the first ones; what is read takes the place of others. */
void control_write_disk(const struct control_disk *disk, const struct raft_configuration *members,
                        struct buffer *out);
void control_read_disk(struct field_reader *reader, struct control_disk *disk,
                       struct raft_configuration *members);
/* The next of a list; the entry has one reference of a batch of its own. false: there is none. */
bool control_read_entry(struct field_reader *reader, struct raft_entry *entry);

/* ---- the connection (channel.c) ------------------------------------------------------------- */

struct channel {
    int descriptor; /* -1: there is none */
    struct buffer in;
    size_t in_used; /* of it was taken */
    struct buffer out;
    size_t out_sent; /* of it has left */
    bool has_ended;  /* the other side is gone, or has sent what is no message */
};

/* Takes the descriptor over. */
void channel_begin(struct channel *channel, int descriptor);
void channel_end(struct channel *channel); /* closes it */
/* Around one message's fields at the end of a buffer. */
size_t message_begin(struct buffer *out, enum control_kind kind);
void message_end(struct buffer *out, size_t start);
/* As much as the socket takes; false: some is left. */
bool channel_write(struct channel *channel);
static inline size_t channel_waiting(const struct channel *channel)
{
    return channel->out.size - channel->out_sent;
}
/* What is there, up to some bytes at a time; whether anything came. */
bool channel_read(struct channel *channel);
/* The next message that is whole: its fields, the caller's reference; NULL: none is. */
struct batch *channel_take(struct channel *channel, enum control_kind *kind);
/* Waits until something can be read, or written where something is left; in ms, -1: for ever. */
void channel_wait(const struct channel *channel, int other, int timeout_ms);

/* ---- processes (spawn.c, output.c) ---------------------------------------------------------- */

/* What a child prints: each line with its node's number to our standard error. */
struct output {
    int descriptor; /* -1: there is none */
    uint64_t id;
    struct buffer line;
    char last[160]; /* the last line that was not empty */
};

void output_read(struct output *output); /* what is there now */
void output_end(struct output *output);

struct spawned {
    pid_t pid;
    int control;
    int output;
};

/* false and a failure, with nothing left open. */
bool spawn_start(const char *const *command, uint64_t id, struct spawned *spawned,
                 struct failure *failure);
/* How it ended, in words; waits for that. */
void spawn_reap(pid_t pid, bool *killed, char *text, size_t size);
void spawn_stop(pid_t pid); /* SIGSTOP, and until it has stopped */

/* ---- the parent's side ---------------------------------------------------------------------- */

/* A call whose result is wanted. */
struct wanted_result {
    uint64_t call;
    struct batch *result; /* NULL: it has not come */
};

struct process {
    struct world *world;
    struct process_options options; /* its texts are copies */
    array_of(char *) words;         /* of the command; NULL at the end */
    char cluster_name[CONTROL_NAME_BYTES];
    char address[CONTROL_NAME_BYTES];
    char directory[CONTROL_PATH_BYTES];
    char machine[CONTROL_PATH_BYTES];
    struct sight sight;
    pid_t pid; /* 0: there is no process */
    struct channel channel;
    struct output output;
    struct real_watch *control_watch;
    struct real_watch *output_watch;
    bool is_opened; /* its disk is open */
    bool has_data;  /* which was not empty then */
    bool was_told;  /* to run */
    bool was_up;    /* since then */
    bool is_paused;
    bool is_stopping;       /* it was asked to end */
    struct failure problem; /* why it could not go on; code NONE: nothing is known */
    /* Calls (orders.c). */
    uint64_t calls;
    uint64_t faults_call; /* the latest that told of faults; 0: that was awaited */
    array_of(struct wanted_result) wanted;
    array_of(struct node_asker) askers; /* whose outcomes are to come */
    /* Events (arrivals.c). */
    uint64_t sent; /* number of the latest message whose SEND was told */
    bool is_handling;
    struct flusher rest; /* handles what was read with what somebody waited for */
    /* A part of its log. */
    array_of(struct raft_entry) entries;
    uint64_t entries_first;
    uint64_t entries_changes;
    /* Scratch. */
    struct buffer storage; /* entries of events */
    struct buffer scratch;
};

/* process.c */
bool process_is_alive(const struct process *process); /* there is a process that has not ended */
/* Reads and handles what has come; the process may have ended then. */
void process_pump(struct process *process);
void process_ready(void *context);               /* and writes what is left to be written */
void process_kill(struct process *process);      /* without a word to anybody */
void process_await_end(struct process *process); /* it was asked to; else it is killed */
int64_t process_monotonic_ms(void);
void process_send(struct process *process, enum control_kind kind,
                  const struct control_order *order);

/* arrivals.c: all that is whole of what has been read. Whom it tells may ask the child for more, or
 * kill it. */
void arrivals_handle(struct process *process);

/* orders.c */
/* Sends an order whose result is wanted: the call's number. */
uint64_t orders_begin(struct process *process, enum control_kind kind, struct control_order order);
/* Until the result of that call is there: the caller's message, which the answer's views point
 * into. NULL: it will not come, and the failure says why. */
struct batch *orders_await(struct process *process, uint64_t call, struct control_answer *answer,
                           struct failure *failure);
bool orders_result(struct process *process, struct batch *message);
bool orders_outcome(struct process *process, struct batch *message);
void orders_forget(struct process *process, uint64_t call); /* its result is not wanted */
void orders_end(struct process *process);                   /* nobody answers any more */

/* sight.c */
bool sight_view_came(struct process *process, struct batch *message); /* false: it is no view */
/* Its process has ended: what is left to be seen. */
void sight_ended(struct process *process, enum node_state state, const char *error);
void sight_forget_log(struct process *process);

#endif
