/*
 * The simulated world: virtual time that goes from event to event, the places of nodes, and the
 * operations that world.h asks for. It never waits, and everything in it happens in an order that
 * the seed and the script decide.
 */
#include "sim/disk.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct sim *sim_of(struct world *world)
{
    return (struct sim *)(void *)world;
}

/* ---- places and links ----------------------------------------------------------------------- */

struct place *sim_place(struct sim *sim, uint64_t id)
{
    struct place *place = pairs_find(&sim->places, id, 0);

    if (place == NULL) {
        place = memory_new_zeroed(1, sizeof *place);
        place->id = id;
        *array_push(&sim->place_list) = place;
        pairs_add(&sim->places, id, 0, place);
    }
    return place;
}

static void redial(void *context)
{
    link_try(context);
}

static struct sim_link *make_link(struct sim *sim, uint64_t from, uint64_t to)
{
    struct sim_link *link = memory_new_zeroed(1, sizeof *link);

    link->sim = sim;
    link->from = sim_place(sim, from);
    link->to = sim_place(sim, to);
    link->redial = (struct wakeup){.fire = redial, .context = link, .at_ns = WORLD_NEVER};
    *array_push(&sim->link_list) = link;
    pairs_add(&sim->links, from, to, link);
    return link;
}

struct sim_link *sim_link(struct sim *sim, uint64_t from, uint64_t to)
{
    struct sim_link *link = pairs_find(&sim->links, from, to);

    if (link == NULL) {
        ensure(from != to);
        link = make_link(sim, from, to);
        link->back = make_link(sim, to, from);
        link->back->back = link;
    }
    return link;
}

/* ---- time ----------------------------------------------------------------------------------- */

static int64_t sim_now_ns(const struct world *world)
{
    return ((const struct sim *)(const void *)world)->now_ns;
}

static int64_t sim_look_ns(struct world *world)
{
    return sim_now_ns(world); /* no time passes while something is dealt with */
}

static void sim_wake_at(struct world *world, struct wakeup *wakeup, int64_t at_ns)
{
    struct sim *sim = sim_of(world);

    agenda_wake_at(&sim->queue.agenda, wakeup, at_ns > sim->now_ns ? at_ns : sim->now_ns);
}

static void sim_flush_soon(struct world *world, struct flusher *flusher)
{
    agenda_flush_soon(&sim_of(world)->queue.agenda, flusher);
}

static void sim_flush_cancel(struct world *world, struct flusher *flusher)
{
    (void)world;
    agenda_flush_cancel(flusher);
}

static void fire_next(struct sim *sim)
{
    struct delivery delivery;
    struct wakeup *wakeup = queue_take(&sim->queue, &delivery);

    if (wakeup != NULL) {
        sim->world.events++;
        wakeup->fire(wakeup->context);
    } else {
        link_arrive(sim, &delivery);
    }
}

static bool sim_step(struct world *world, int64_t until_ns)
{
    struct sim *sim = sim_of(world);
    int64_t release_ns = faults_deadline(world->faults);
    int64_t next_ns = queue_next_ns(&sim->queue);
    /* Reordered frames whose time has come go first: they may be due in this same instant. */
    bool release = release_ns <= next_ns && release_ns != WORLD_NEVER;

    if (release) {
        next_ns = release_ns;
    }
    if (next_ns > sim->now_ns && agenda_has_flushers(&sim->queue.agenda)) {
        while (agenda_flush(&sim->queue.agenda)) {
        }
        return true;
    }
    if (next_ns > until_ns || next_ns == WORLD_NEVER) {
        /* "For ever" is no time that a clock could show. */
        if (until_ns > sim->now_ns && until_ns != WORLD_NEVER) {
            sim->now_ns = until_ns;
        }
        return false;
    }
    if (next_ns > sim->now_ns) {
        sim->now_ns = next_ns;
    }
    if (release) {
        faults_release(world->faults, sim->now_ns);
    } else {
        fire_next(sim);
    }
    return true;
}

/* ---- endpoints ------------------------------------------------------------------------------ */

static bool sim_reserve(struct world *world, uint64_t id, char *address, size_t address_size,
                        struct failure *failure)
{
    (void)world;
    int size = snprintf(address, address_size, "sim:%" PRIu64, id);

    if (size < 0 || (size_t)size >= address_size) {
        failure_set(failure, FAILURE_ADDRESS, "no room for the address of node %" PRIu64, id);
        return false;
    }
    return true;
}

/* Whether this node can listen there now. */
static bool may_open(struct sim *sim, uint64_t id, const char *address, struct failure *failure)
{
    if (sim_place(sim, id)->endpoint != NULL) {
        failure_set(failure, FAILURE_ADDRESS, "node %" PRIu64 " listens already", id);
        return false;
    }
    if (address[0] == 0 || strlen(address) > ADDRESS_BYTES_MAX) {
        failure_set(failure, FAILURE_ADDRESS,
                    "the address of node %" PRIu64 " must have 1 to %d bytes", id,
                    ADDRESS_BYTES_MAX);
        return false;
    }
    for (size_t i = 0; i < sim->place_list.count; i++) {
        const struct endpoint *other = sim->place_list.items[i]->endpoint;
        if (other != NULL && strcmp(other->address, address) == 0) {
            failure_set(failure, FAILURE_ADDRESS,
                        "node %" PRIu64 " cannot listen on %.100s: node %" PRIu64 " does", id,
                        address, other->place->id);
            return false;
        }
    }
    return true;
}

static struct endpoint *sim_open(struct world *world, uint64_t id, const char *address,
                                 const struct endpoint_handler *handler, struct failure *failure)
{
    struct sim *sim = sim_of(world);
    char chosen[32];

    ensure(id != WORLD_CLIENT);
    if (address == NULL) {
        if (!sim_reserve(world, id, chosen, sizeof chosen, failure)) {
            return NULL;
        }
        address = chosen;
    }
    if (!may_open(sim, id, address, failure)) {
        return NULL;
    }
    struct place *place = sim_place(sim, id);
    struct endpoint *endpoint = memory_new_zeroed(1, sizeof *endpoint);
    endpoint->sim = sim;
    endpoint->place = place;
    endpoint->handler = *handler;
    memcpy(endpoint->address, address, strlen(address) + 1);
    place->endpoint = endpoint;
    place->life++;
    return endpoint;
}

/* Those that wait for it dial now. */
static void sim_accept(struct endpoint *endpoint)
{
    struct sim *sim = endpoint->sim;
    struct place *place = endpoint->place;

    ensure(place->endpoint == endpoint && !endpoint->accepts);
    endpoint->accepts = true;
    for (size_t i = 0; i < sim->link_list.count; i++) {
        if (sim->link_list.items[i]->to == place) {
            sim->link_list.items[i]->backoff_ns = 0;
            link_try(sim->link_list.items[i]);
        }
    }
}

static void sim_close(struct world *world, struct endpoint *endpoint)
{
    struct sim *sim = sim_of(world);
    struct place *place = endpoint->place;

    ensure(place->endpoint == endpoint);
    place->endpoint = NULL;
    for (size_t i = 0; i < sim->link_list.count; i++) {
        struct sim_link *link = sim->link_list.items[i];
        if (link->from == place) {
            link_close(link);
        }
    }
    memory_free(endpoint);
}

static const char *sim_address(const struct endpoint *endpoint)
{
    return endpoint->address;
}

static struct sim_link *link_of(const struct endpoint *endpoint, uint64_t peer)
{
    return sim_link(endpoint->sim, endpoint->place->id, peer);
}

/* Whoever has dialled from elsewhere has ended: its connection with it. */
static void sim_dial(struct endpoint *endpoint, uint64_t peer, const char *address, bool anew)
{
    (void)anew;
    ensure(peer != WORLD_CLIENT && peer != endpoint->place->id);
    link_dial(link_of(endpoint, peer), address);
}

static void sim_hang_up(struct endpoint *endpoint, uint64_t peer)
{
    link_hang_up(link_of(endpoint, peer));
}

static bool sim_is_connected(const struct endpoint *endpoint, uint64_t peer)
{
    return link_is_up(link_of(endpoint, peer));
}

/* What waits on a line of limited bandwidth belongs to the fault model. */
static bool sim_has_room(const struct endpoint *endpoint, uint64_t peer, size_t size)
{
    (void)size;
    return sim_is_connected(endpoint, peer);
}

/* ---- frames --------------------------------------------------------------------------------- */

static void send_on(struct sim_link *link, struct batch *frame, bool urgent)
{
    struct sim *sim = link->sim;

    sim->sending = link;
    faults_send(sim->world.faults, sim->now_ns, link->from->id, link->to->id, frame, urgent);
    sim->sending = NULL;
}

static void sim_send(struct endpoint *endpoint, uint64_t peer, struct batch *frame, bool urgent)
{
    struct sim *sim = endpoint->sim;
    struct sim_link *link = link_of(endpoint, peer);
    uint64_t id = endpoint->place->id;

    /* Where a fault has cut the link, the fault model tells why it is not connected. */
    if (peer != WORLD_CLIENT && !link_is_up(link) &&
        !faults_is_cut(sim->world.faults, id, peer, NULL)) {
        faults_drop(sim->world.faults, sim->now_ns, id, peer, frame, "not connected");
        batch_release(frame);
        return;
    }
    send_on(link, frame, urgent);
}

static void sim_client_open(struct world *world, const struct endpoint_handler *handler)
{
    struct sim *sim = sim_of(world);

    sim->client_is_open = handler != NULL;
    sim->client = handler != NULL ? *handler : (struct endpoint_handler){0};
}

static void sim_client_send(struct world *world, uint64_t node, struct batch *frame)
{
    send_on(sim_link(sim_of(world), WORLD_CLIENT, node), frame, false);
}

static void sim_links_changed(struct world *world)
{
    struct sim *sim = sim_of(world);

    for (size_t i = 0; i < sim->link_list.count; i++) {
        link_follow_cuts(sim->link_list.items[i]);
    }
}

static void sim_deliver(struct world *world, uint64_t from, uint64_t to, struct batch *frame)
{
    link_deliver(sim_link(sim_of(world), from, to), frame);
}

/* ---- life ----------------------------------------------------------------------------------- */

static void release_deliveries(struct sim *sim)
{
    struct delivery delivery;

    while (queue_next_ns(&sim->queue) != WORLD_NEVER) {
        if (queue_take(&sim->queue, &delivery) == NULL) {
            batch_release(delivery.frame);
            connection_release(sim, delivery.connection);
        }
    }
}

static void sim_free(struct world *world)
{
    struct sim *sim = sim_of(world);

    faults_set_emit(world->faults, NULL, NULL);
    for (size_t i = 0; i < sim->place_list.count; i++) {
        if (sim->place_list.items[i]->endpoint != NULL) {
            sim_close(world, sim->place_list.items[i]->endpoint);
        }
    }
    release_deliveries(sim);
    for (size_t i = 0; i < sim->link_list.count; i++) {
        ensure(sim->link_list.items[i]->connection == NULL);
        memory_free(sim->link_list.items[i]);
    }
    for (size_t i = 0; i < sim->place_list.count; i++) {
        memory_free(sim->place_list.items[i]);
    }
    for (size_t i = 0; i < sim->disk_list.count; i++) {
        sim_disk_free(sim->disk_list.items[i]);
    }
    while (sim->connections_unused != NULL) {
        struct sim_connection *connection = sim->connections_unused;
        sim->connections_unused = connection->next_unused;
        memory_free(connection);
    }
    array_free(&sim->link_list);
    array_free(&sim->place_list);
    pairs_free(&sim->links);
    pairs_free(&sim->places);
    array_free(&sim->disk_list);
    pairs_free(&sim->disks);
    queue_free(&sim->queue);
    pool_end(sim->world.pool);
    memory_free(sim);
}

static const struct world_operations operations = {
    .now_ns = sim_now_ns,
    .look_ns = sim_look_ns,
    .wake_at = sim_wake_at,
    .flush_soon = sim_flush_soon,
    .flush_cancel = sim_flush_cancel,
    .reserve = sim_reserve,
    .open = sim_open,
    .accept = sim_accept,
    .close = sim_close,
    .address = sim_address,
    .dial = sim_dial,
    .hang_up = sim_hang_up,
    .is_connected = sim_is_connected,
    .has_room = sim_has_room,
    .send = sim_send,
    .client_open = sim_client_open,
    .client_send = sim_client_send,
    .links_changed = sim_links_changed,
    .deliver = sim_deliver,
    .files = sim_files,
    .step = sim_step,
    .free = sim_free,
};

void sim_rekey(struct world *world, uint64_t seed)
{
    struct sim *sim = sim_of(world);

    sim->seed = seed;
    for (size_t i = 0; i < sim->disk_list.count; i++) {
        disk_rekey(sim->disk_list.items[i]);
    }
}

struct world *sim_new(struct trace *trace, struct faults *faults, uint64_t seed)
{
    struct sim *sim = memory_new_zeroed(1, sizeof *sim);

    sim->world = (struct world){.operations = &operations, .trace = trace, .faults = faults};
    sim->world.pool = pool_new();
    sim->seed = seed;
    faults_set_emit(faults, link_emit, sim);
    return &sim->world;
}
