/*
 * Virtual connections and what passes over them. A node sends only on the connection it dialled, so
 * a connection needs nobody's link but its own direction. Whoever makes one possible (a dial, an
 * endpoint that opens, a cut that ends) dials at once; only after a refusal is there a backoff.
 *
 * Nothing here calls an endpoint's owner but for an event of the queue, and nothing reads a frame
 * behind its head.
 */
#include "sim/internal.h"

#include <string.h>

#define BACKOFF_MIN_NS 10000000LL
#define BACKOFF_MAX_NS 100000000LL

/* ---- connections ---------------------------------------------------------------------------- */

static struct connection *connection_new(struct sim_link *link)
{
    struct sim *sim = link->sim;
    struct connection *connection = sim->connections_unused;

    if (connection != NULL) {
        sim->connections_unused = connection->next_unused;
    } else {
        connection = memory_new(sizeof *connection);
    }
    *connection = (struct connection){
        .link = link,
        .references = 1,
        .from_life = link->from->life,
        .to_life = link->to->life,
    };
    return connection;
}

static struct connection *connection_hold(struct connection *connection)
{
    ensure(connection->references > 0);
    connection->references++;
    return connection;
}

void connection_release(struct sim *sim, struct connection *connection)
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

bool link_is_up(const struct sim_link *link)
{
    return link->connection != NULL && link->connection->told;
}

void link_try(struct sim_link *link)
{
    struct sim *sim = link->sim;
    const struct endpoint *listener = link->to->endpoint;

    if (!link->wanted || link->connection != NULL || listener == NULL) {
        return;
    }
    ensure(link->from->endpoint != NULL);
    if (strcmp(link->address, listener->address) != 0 ||
        faults_is_cut(sim->world.faults, link->from->id, link->to->id, NULL)) {
        return;
    }
    agenda_wake_at(&sim->queue.agenda, &link->redial, WORLD_NEVER);
    link->connection = connection_new(link);
    queue_add(&sim->queue, sim->now_ns,
              &(struct delivery){.kind = DELIVERY_CONNECTED,
                                 .link = link,
                                 .connection = connection_hold(link->connection)});
}

void link_end(struct sim_link *link, const char *reason)
{
    struct connection *connection = link->connection;

    if (connection == NULL) {
        return;
    }
    link->connection = NULL;
    if (connection->told) {
        size_t size = strlen(reason);
        size = size < REASON_BYTES_MAX ? size : REASON_BYTES_MAX;
        memcpy(link->reason, reason, size);
        link->reason[size] = 0;
        queue_add(&link->sim->queue, link->sim->now_ns,
                  &(struct delivery){
                      .kind = DELIVERY_DISCONNECTED, .link = link, .epoch = connection->from_life});
    }
    connection_release(link->sim, connection);
}

void link_dial(struct sim_link *link, const char *address)
{
    size_t size = strlen(address);

    ensure(size <= ADDRESS_BYTES_MAX);
    if (link->wanted && strcmp(link->address, address) == 0) {
        return;
    }
    memcpy(link->address, address, size + 1);
    link->wanted = true;
    link->backoff_ns = 0;
    link_end(link, "its address has changed");
    link_try(link);
}

void link_hang_up(struct sim_link *link)
{
    link->wanted = false;
    agenda_wake_at(&link->sim->queue.agenda, &link->redial, WORLD_NEVER);
    /* What is under way arrives all the same, as from a socket that was closed in order. */
    connection_release(link->sim, link->connection);
    link->connection = NULL;
}

/* The receiver does not want this connection any more. */
static void refuse(struct connection *connection, const char *reason)
{
    struct sim_link *link = connection->link;
    bool was_accepted = connection->inbound.peer != 0;

    connection->refused = true;
    if (link->connection != connection) {
        return; /* an earlier one, which has ended */
    }
    link_end(link, reason);
    link->backoff_ns = was_accepted ? 0 : link->backoff_ns * 2;
    if (link->backoff_ns < BACKOFF_MIN_NS) {
        link->backoff_ns = BACKOFF_MIN_NS;
    } else if (link->backoff_ns > BACKOFF_MAX_NS) {
        link->backoff_ns = BACKOFF_MAX_NS;
    }
    agenda_wake_at(&link->sim->queue.agenda, &link->redial, link->sim->now_ns + link->backoff_ns);
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

void link_send_hello(struct sim_link *link, struct batch *frame)
{
    struct sim *sim = link->sim;
    struct connection *connection = link->connection;

    if (!link_is_up(link)) {
        drop(link, frame, "not connected");
        batch_release(frame);
        return;
    }
    ensure(!connection->greeted);
    connection->greeted = true;
    connection->hello_due_ns =
        faults_hello_due(sim->world.faults, sim->now_ns, link->from->id, link->to->id);
    queue_add(&sim->queue, connection->hello_due_ns,
              &(struct delivery){
                  .kind = DELIVERY_FRAME,
                  .link = link,
                  .connection = connection_hold(connection),
                  .frame = frame,
                  .epoch = faults_epoch(sim->world.faults, link->from->id, link->to->id),
              });
}

void link_emit(void *context, uint64_t from, uint64_t to, struct batch *frame, bool urgent,
               int64_t due_ns, uint64_t epoch)
{
    struct sim *sim = context;
    struct sim_link *link = sim->sending;
    struct connection *connection = NULL;

    (void)urgent; /* nothing waits in this world but on a line, which faults.c has judged */
    ensure(due_ns >= sim->now_ns);
    if (link == NULL || link->from->id != from || link->to->id != to) {
        link = sim_link(sim, from, to);
    }
    if (!is_clients(link)) {
        connection = link->connection;
        /* A reordered frame may outlive its connection; it goes on the next one or is lost. */
        if (connection == NULL || !connection->greeted) {
            drop(link, frame, "not connected");
            batch_release(frame);
            return;
        }
        due_ns = due_ns > connection->hello_due_ns ? due_ns : connection->hello_due_ns;
        connection_hold(connection);
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

static struct frame_head head_of(const struct batch *frame)
{
    struct frame_head head;
    const char *problem = NULL;

    /* Our own nodes made it, and nothing here damages bytes: the checksum need not be added up. */
    ensure(frame_parse((struct bytes){.data = frame->data, .size = frame->size}, false, &head,
                       &problem) == FRAME_WHOLE);
    ensure(head.length == frame->size);
    return head;
}

/* Why a frame that is due can't be handed over; NULL: it can. */
static const char *why_lost(const struct sim *sim, const struct delivery *delivery)
{
    const struct sim_link *link = delivery->link;
    const struct connection *connection = delivery->connection;

    if (!faults_may_arrive(sim->world.faults, link->from->id, link->to->id, delivery->epoch)) {
        return faults_lost_reason(sim->world.faults, link->from->id, link->to->id);
    }
    if (link->to->id == WORLD_CLIENT) {
        return sim->client_is_open ? NULL : "no clients";
    }
    if (link->to->endpoint == NULL ||
        (connection != NULL && connection->to_life != link->to->life)) {
        return "crashed";
    }
    return connection != NULL && connection->refused ? "refused" : NULL;
}

static void arrive_frame(struct sim *sim, const struct delivery *delivery)
{
    struct sim_link *link = delivery->link;
    const char *lost = why_lost(sim, delivery);

    sim->world.events++;
    if (lost != NULL) {
        drop(link, delivery->frame, lost);
        return;
    }
    struct connection *connection = delivery->connection;
    /* Clients, and frames delivered by hand, have no connection, and need no hello. */
    struct inbound without = {.peer = link->from->id};
    const struct endpoint_handler *handler =
        link->to->id == WORLD_CLIENT ? &sim->client : &link->to->endpoint->handler;
    struct frame_head head = head_of(delivery->frame);
    const char *reason = "refused";

    bool accepted =
        handler->frame(handler->context, connection != NULL ? &connection->inbound : &without,
                       delivery->frame, 0, &head, &reason);
    /* The call may have closed the endpoint, and the handler with it. */
    if (!accepted && connection != NULL && !connection->refused) {
        refuse(connection, reason);
    }
}

static void tell_connected(struct sim_link *link, struct connection *connection)
{
    if (link->connection != connection) {
        return; /* it has ended before its dialler heard of it */
    }
    ensure(link->from->life == connection->from_life && link->from->endpoint != NULL);
    ensure(!connection->told);
    connection->told = true;
    const struct endpoint_handler *handler = &link->from->endpoint->handler;
    handler->connected(handler->context, link->to->id);
}

static void tell_disconnected(struct sim_link *link, uint64_t from_life)
{
    if (link->from->endpoint == NULL || link->from->life != from_life) {
        return; /* no callback comes after a close */
    }
    const struct endpoint_handler *handler = &link->from->endpoint->handler;
    handler->disconnected(handler->context, link->to->id, link->reason);
}

void link_arrive(struct sim *sim, const struct delivery *delivery)
{
    switch (delivery->kind) {
    case DELIVERY_FRAME:
        arrive_frame(sim, delivery);
        break;
    case DELIVERY_CONNECTED:
        tell_connected(delivery->link, delivery->connection);
        break;
    case DELIVERY_DISCONNECTED:
        tell_disconnected(delivery->link, delivery->epoch);
        break;
    }
    batch_release(delivery->frame);
    connection_release(sim, delivery->connection);
}
