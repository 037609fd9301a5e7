/*
 * Virtual connections and the frames on them. Each pair of nodes shares one, whichever side
 * dialled; each end sends once both hellos have been accepted, which takes no time. Whatever makes
 * one possible (a dial, an endpoint that accepts, a cut that ends) dials at once; only after a
 * refusal is there a backoff.
 *
 * It calls an endpoint's owner only for an event of the queue, and never reads a frame beyond its
 * head.
 */
#include "sim/internal.h"

#include <string.h>

#define BACKOFF_MIN_NS 10000000LL
#define BACKOFF_MAX_NS 1000000000LL

/* ---- connections ---------------------------------------------------------------------------- */

static struct sim_connection *connection_new(struct sim_link *link)
{
    struct sim *sim = link->sim;
    struct sim_connection *connection = sim->connections_unused;

    if (connection != NULL) {
        sim->connections_unused = connection->next_unused;
    } else {
        connection = memory_new(sizeof *connection);
    }
    *connection = (struct sim_connection){
        .link = link,
        .references = 1,
        .ends = {{.seen.dialled = link->to->id, .life = link->from->life},
                 {.life = link->to->life}},
    };
    return connection;
}

static struct sim_connection *connection_hold(struct sim_connection *connection)
{
    ensure(connection->references > 0);
    connection->references++;
    return connection;
}

void connection_release(struct sim *sim, struct sim_connection *connection)
{
    if (connection == NULL) {
        return;
    }
    ensure(connection->references > 0);
    if (--connection->references == 0) {
        connection->next_unused = sim->connections_unused;
        sim->connections_unused = connection;
    }
}

/* The end at which this link's frames begin, and the one at which they arrive. */
static struct sim_end *sending_end(struct sim_connection *connection, const struct sim_link *link)
{
    return &connection->ends[connection->link == link ? 0 : 1];
}

static struct sim_end *receiving_end(struct sim_connection *connection, const struct sim_link *link)
{
    return &connection->ends[connection->link == link ? 1 : 0];
}

/* ---- callbacks to the owner of the sending endpoint ------------------------------------------ */

bool link_is_up(const struct sim_link *link)
{
    return link->is_announced;
}

static void tell(struct sim_link *link, bool connected)
{
    ensure(link->is_announced != connected);
    link->is_announced = connected;
    queue_add(&link->sim->queue, link->sim->now_ns,
              &(struct delivery){.kind = connected ? DELIVERY_CONNECTED : DELIVERY_DISCONNECTED,
                                 .link = link,
                                 .epoch = link->from->life});
}

static void tell_disconnected(struct sim_link *link, const char *reason)
{
    size_t size = strlen(reason);

    if (link->is_announced) {
        size = size < REASON_BYTES_MAX ? size : REASON_BYTES_MAX;
        memcpy(link->reason, reason, size);
        link->reason[size] = 0;
        tell(link, false);
    }
}

static void tell_connected(struct sim_link *link)
{
    struct sim_connection *connection = link->connection;

    if (!link->is_announced && connection != NULL && sending_end(connection, link)->greeted &&
        sending_end(connection, link)->seen.peer != 0 &&
        !faults_is_cut(link->sim->world.faults, link->from->id, link->to->id, NULL)) {
        tell(link, true);
    }
}

/* ---- dialling and ends ---------------------------------------------------------------------- */

static bool is_cut_both_ways(const struct sim_link *link)
{
    const struct faults *faults = link->sim->world.faults;

    return faults_is_cut(faults, link->from->id, link->to->id, NULL) &&
           faults_is_cut(faults, link->to->id, link->from->id, NULL);
}

void link_try(struct sim_link *link)
{
    struct sim *sim = link->sim;
    const struct endpoint *listener = link->to->endpoint;

    if (!link->wanted || link->connection != NULL || listener == NULL || !listener->accepts) {
        return;
    }
    ensure(link->from->endpoint != NULL);
    if (strcmp(link->address, listener->address) != 0 || is_cut_both_ways(link)) {
        return;
    }
    agenda_wake_at(&sim->queue.agenda, &link->redial, WORLD_NEVER);
    link->connection = connection_new(link);
    link->back->connection = link->connection;
    queue_add(&sim->queue, sim->now_ns,
              &(struct delivery){.kind = DELIVERY_DIALLED,
                                 .link = link,
                                 .connection = connection_hold(link->connection)});
}

/* Ends the pair's connection, if there is one, and tells both. What is under way arrives all the
 * same, as from a socket that was closed in order. */
static void end_connection(struct sim_link *link, const char *reason)
{
    struct sim_connection *connection = link->connection;

    if (connection == NULL) {
        return;
    }
    connection->ended = true;
    link->connection = NULL;
    link->back->connection = NULL;
    connection_release(link->sim, connection);
    tell_disconnected(link, reason);
    tell_disconnected(link->back, reason);
}

void link_dial(struct sim_link *link, const char *address)
{
    size_t size = strlen(address);
    struct sim_connection *connection = link->connection;

    ensure(size <= ADDRESS_BYTES_MAX);
    if (link->wanted && strcmp(link->address, address) == 0) {
        return;
    }
    memcpy(link->address, address, size + 1);
    link->wanted = true;
    link->backoff_ns = 0;
    if (connection != NULL && connection->link == link) {
        end_connection(link, "its address has changed");
    }
    link_try(link);
    link_try(link->back);
}

void link_hang_up(struct sim_link *link)
{
    struct sim_connection *connection = link->connection;

    link->wanted = false;
    agenda_wake_at(&link->sim->queue.agenda, &link->redial, WORLD_NEVER);
    if (connection != NULL && connection->link == link) {
        link->is_announced = false; /* the owner asked for it, and gets no callback */
        end_connection(link, "the peer closed the connection");
        link_try(link->back);
    }
}

void link_close(struct sim_link *link)
{
    link->wanted = false;
    link->is_announced = false;
    agenda_wake_at(&link->sim->queue.agenda, &link->redial, WORLD_NEVER);
    end_connection(link, "the peer closed the connection");
}

void link_follow_cuts(struct sim_link *link)
{
    const char *reason = NULL;

    if (faults_is_cut(link->sim->world.faults, link->from->id, link->to->id, &reason)) {
        tell_disconnected(link, reason);
    }
    if (is_cut_both_ways(link)) {
        end_connection(link, reason);
        return;
    }
    tell_connected(link);
    link->backoff_ns = 0;
    link_try(link);
}

static void back_off(struct sim_link *link)
{
    int64_t wait_ns = link->backoff_ns * 2;

    wait_ns = wait_ns < BACKOFF_MIN_NS ? BACKOFF_MIN_NS : wait_ns;
    link->backoff_ns = wait_ns < BACKOFF_MAX_NS ? wait_ns : BACKOFF_MAX_NS;
    if (link->wanted) {
        agenda_wake_at(&link->sim->queue.agenda, &link->redial,
                       link->sim->now_ns + link->backoff_ns);
    }
}

/* The receiver of this link no longer wants the connection. */
static void refuse(struct sim_link *link, struct sim_connection *connection, const char *reason)
{
    receiving_end(connection, link)->refused = true;
    if (link->connection == connection) { /* else an earlier one, which has ended */
        end_connection(link, reason);
        back_off(link);
        back_off(link->back);
    }
}

/* ---- sending -------------------------------------------------------------------------------- */

static void drop(struct sim_link *link, const struct batch *frame, const char *reason)
{
    faults_drop(link->sim->world.faults, link->sim->now_ns, link->from->id, link->to->id, frame,
                reason);
}

static bool is_clients(const struct sim_link *link)
{
    return link->from->id == WORLD_CLIENT || link->to->id == WORLD_CLIENT;
}

static void send_hello(struct sim_link *link)
{
    struct sim *sim = link->sim;
    struct sim_connection *connection = link->connection;
    struct sim_end *end = sending_end(connection, link);
    const struct endpoint_handler *handler = &link->from->endpoint->handler;

    ensure(!end->greeted && end->life == link->from->life);
    end->greeted = true;
    queue_add(&sim->queue, sim->now_ns,
              &(struct delivery){.kind = DELIVERY_HELLO,
                                 .link = link,
                                 .connection = connection_hold(connection),
                                 .frame = handler->hello(handler->context, link->to->id)});
}

void link_emit(void *context, uint64_t from, uint64_t to, struct batch *frame, bool urgent,
               int64_t due_ns, uint64_t epoch)
{
    struct sim *sim = context;
    struct sim_link *link = sim->sending;
    struct sim_connection *connection = NULL;

    (void)urgent; /* nothing waits in this world but on a line, which faults.c has judged */
    ensure(due_ns >= sim->now_ns);
    if (link == NULL || link->from->id != from || link->to->id != to) {
        link = sim_link(sim, from, to);
    }
    if (!is_clients(link)) {
        /* A reordered frame may outlive its connection; it goes on the next one or is lost. */
        if (!link->is_announced) {
            drop(link, frame, "not connected");
            batch_release(frame);
            return;
        }
        connection = connection_hold(link->connection);
    }
    queue_add(&sim->queue, due_ns,
              &(struct delivery){.kind = DELIVERY_FRAME,
                                 .link = link,
                                 .connection = connection,
                                 .frame = frame,
                                 .epoch = epoch});
}

void link_deliver(struct sim_link *link, struct batch *frame)
{
    struct sim *sim = link->sim;

    queue_add(&sim->queue, sim->now_ns,
              &(struct delivery){
                  .kind = DELIVERY_FRAME,
                  .link = link,
                  .frame = batch_hold(frame),
                  .epoch = faults_epoch(sim->world.faults, link->from->id, link->to->id),
              });
}

/* ---- arriving ------------------------------------------------------------------------------- */

/* Why a frame that is due can't be handed over; NULL: it can. */
static const char *why_lost(const struct sim *sim, const struct delivery *delivery)
{
    const struct sim_link *link = delivery->link;
    struct sim_connection *connection = delivery->connection;

    if (!faults_may_arrive(sim->world.faults, link->from->id, link->to->id, delivery->epoch)) {
        return faults_lost_reason(sim->world.faults, link->from->id, link->to->id);
    }
    if (link->to->id == WORLD_CLIENT) {
        return sim->client_is_open ? NULL : "no clients";
    }
    if (link->to->endpoint == NULL ||
        (connection != NULL && receiving_end(connection, link)->life != link->to->life)) {
        return "crashed";
    }
    if (connection == NULL) {
        return NULL;
    }
    /* Its hello has come before it, unless the connection ended meanwhile. */
    return receiving_end(connection, link)->refused          ? "refused"
           : receiving_end(connection, link)->seen.peer == 0 ? "not connected"
                                                             : NULL;
}

static void arrive_frame(struct sim *sim, const struct delivery *delivery)
{
    struct sim_link *link = delivery->link;
    struct sim_connection *connection = delivery->connection;
    const char *lost = why_lost(sim, delivery);

    sim->world.events++;
    if (lost != NULL) {
        drop(link, delivery->frame, lost);
        return;
    }
    /* Clients, and frames delivered by hand, have no connection, and need no hello. */
    struct connection without = {.peer = link->from->id};
    const struct endpoint_handler *handler =
        link->to->id == WORLD_CLIENT ? &sim->client : &link->to->endpoint->handler;
    struct frame_head head = frame_head_of(batch_bytes(delivery->frame));
    const char *reason = "refused";

    bool accepted = handler->frame(
        handler->context, connection != NULL ? &receiving_end(connection, link)->seen : &without,
        delivery->frame, 0, &head, &reason);
    /* The call may have closed the endpoint, and the handler with it. */
    if (!accepted && connection != NULL && !receiving_end(connection, link)->refused) {
        refuse(link, connection, reason);
    }
}

static void arrive_hello(struct sim_link *link, struct sim_connection *connection,
                         struct batch *frame)
{
    link->sim->world.events++;
    if (connection->ended) {
        drop(link, frame, "not connected");
        return;
    }
    const struct endpoint_handler *handler = &link->to->endpoint->handler;
    struct sim_end *end = receiving_end(connection, link);
    struct frame_head head = frame_head_of(batch_bytes(frame));
    const char *reason = "refused";

    bool accepted = handler->frame(handler->context, &end->seen, frame, 0, &head, &reason);
    if (connection->ended) {
        return; /* by the call */
    }
    if (!accepted) {
        refuse(link, connection, reason);
        return;
    }
    ensure(end->seen.peer == link->from->id);
    link->backoff_ns = 0;
    if (!end->greeted) {
        send_hello(link->back);
    }
    tell_connected(link->back);
}

static void tell_owner(const struct delivery *delivery)
{
    struct sim_link *link = delivery->link;

    if (link->from->endpoint == NULL || link->from->life != delivery->epoch) {
        return; /* no callback comes after a close */
    }
    const struct endpoint_handler *handler = &link->from->endpoint->handler;
    if (delivery->kind == DELIVERY_CONNECTED) {
        handler->connected(handler->context, link->to->id);
    } else {
        handler->disconnected(handler->context, link->to->id, link->reason);
    }
}

void link_arrive(struct sim *sim, const struct delivery *delivery)
{
    switch (delivery->kind) {
    case DELIVERY_FRAME:
        arrive_frame(sim, delivery);
        break;
    case DELIVERY_HELLO:
        arrive_hello(delivery->link, delivery->connection, delivery->frame);
        break;
    case DELIVERY_DIALLED:
        if (!delivery->connection->ended) { /* before its dialler knew of it */
            send_hello(delivery->link);
        }
        break;
    case DELIVERY_CONNECTED:
    case DELIVERY_DISCONNECTED:
        tell_owner(delivery);
        break;
    }
    batch_release(delivery->frame);
    connection_release(sim, delivery->connection);
}
