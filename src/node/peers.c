/*
 * Whom a node keeps connections to: the members of the configuration in force, and whoever is to be
 * added. Others dial us, and are answered on their connection. It never looks into what is sent,
 * and an address never identifies a server.
 */
#include "node/internal.h"

#include <string.h>

#define TRY_ADDRESS_NS 100000000LL /* how long one address of two is tried */
#define LOOK_AGAIN_NS 100000000LL  /* where only one that was removed is there */
#define STILL_THERE_NS 10000000LL  /* after so long a dead connection has ended */
#define TURNED_AWAY_AGAIN_NS 1000000000LL
#define STRANGERS_MAX 32 /* that are remembered: the one used longest ago goes */

static struct peer *find_peer(struct node *node, uint64_t id)
{
    struct peers *peers = &node->peers;
    size_t place = array_place(&peers->all, id, id);
    bool is_there = place < peers->all.count && peers->all.items[place].id == id;
    return is_there ? &peers->all.items[place] : NULL;
}

static void hang_up(struct node *node, struct peer *peer)
{
    if (peer->dialled) {
        peer->dialled = false;
        node->world->operations->hang_up(node->endpoint, peer->id);
    }
}

static void make_room_for_stranger(struct node *node)
{
    size_t strangers = 0;
    size_t oldest = 0;
    for (size_t i = 0; i < node->peers.all.count; i++) {
        const struct peer *peer = &node->peers.all.items[i];
        if (!peer->member) {
            bool is_older = strangers == 0 || peer->used_ns < node->peers.all.items[oldest].used_ns;
            oldest = is_older ? i : oldest;
            strangers++;
        }
    }
    if (strangers >= STRANGERS_MAX) {
        hang_up(node, &node->peers.all.items[oldest]);
        array_remove(&node->peers.all, oldest, 1);
    }
}

static struct peer *get_peer(struct node *node, uint64_t id, bool member)
{
    struct peer *peer = find_peer(node, id);
    if (peer != NULL) {
        return peer;
    }
    if (!member) {
        make_room_for_stranger(node);
    }
    peer = array_insert(&node->peers.all, array_place(&node->peers.all, id, id));
    *peer = (struct peer){.id = id};
    return peer;
}

static void dial(struct node *node, struct peer *peer)
{
    if (!peer->dialled && peer->address[0] != 0) {
        peer->dialled = true;
        bool anew = peer->replaced || (peer->hello_address[0] != 0 &&
                                       strcmp(peer->hello_address, peer->address) != 0);
        node->world->operations->dial(node->endpoint, peer->id, peer->address, anew);
    }
}

/* Where it is dialled from now on. */
static void set_address(struct node *node, struct peer *peer, const char *address)
{
    if (address[0] == 0 || strcmp(peer->address, address) == 0) {
        return;
    }
    memcpy(peer->address, address, strlen(address) + 1);
    if (peer->dialled) { /* it has moved */
        peer->dialled = false;
        dial(node, peer);
    }
}

/* An empty one says nothing. */
static void keep_address(char *kept, struct bytes address)
{
    ensure(address.size <= RAFT_ADDRESS_BYTES_MAX);
    if (address.size > 0) {
        memcpy(kept, address.data, address.size);
        kept[address.size] = 0;
    }
}

static void compare_addresses(struct node *node, struct peer *peer)
{
    peer->differ = peer->member && peer->hello_address[0] != 0 && peer->listed[0] != 0 &&
                   strcmp(peer->hello_address, peer->listed) != 0;
    if (!peer->differ) {
        bool is_listed = (peer->member || peer->wanted) && peer->listed[0] != 0;
        set_address(node, peer, is_listed ? peer->listed : peer->hello_address);
    }
}

/* A member is looked for where it is listed and where it said that it is, in turn: either may be
 * out of date. */
static void try_other_address(struct node *node, struct peer *peer)
{
    int64_t now_ns = world_now_ns(node->world);
    if (now_ns - peer->tried_ns < TRY_ADDRESS_NS ||
        node->world->operations->is_connected(node->endpoint, peer->id)) {
        return;
    }
    peer->tried_ns = now_ns;
    bool is_listed = strcmp(peer->address, peer->listed) == 0;
    set_address(node, peer, is_listed ? peer->hello_address : peer->listed);
}

/* The address of a member counts when it is news. What another server of its id told does not. */
static void follow_member(struct node *node, struct peer *peer, const struct raft_member *member)
{
    const char *known = node->options.find_address != NULL
                            ? node->options.find_address(node->options.context, member->id)
                            : NULL;
    struct bytes address = {(const uint8_t *)member->address, member->address_size};
    address = known != NULL ? bytes_of_text(known) : address;
    peer->listed_directory = member->directory;
    if (member->directory != 0 && peer->hello_address_of != member->directory) {
        peer->hello_address[0] = 0;
    }
    peer->replaced = member->directory != 0 && peer->greeted_directory != 0 &&
                     peer->greeted_directory != member->directory;
    if (address.size > 0 && !bytes_equal(address, bytes_of_text(peer->listed))) {
        keep_address(peer->listed, address);
        peer->tried_ns = world_now_ns(node->world);
        set_address(node, peer, peer->listed);
    }
    compare_addresses(node, peer);
}

void peers_follow_members(struct node *node)
{
    const struct raft_configuration *members = raft_members(node->raft);
    int64_t now_ns = world_now_ns(node->world);
    for (size_t i = 0; i < node->peers.all.count; i++) {
        struct peer *peer = &node->peers.all.items[i];
        if (peer->member && raft_configuration_find(members, peer->id) == NULL) {
            peer->member = false;
            peer->differ = false;
            peer->removed_directory = peer->listed_directory;
            peer->used_ns = now_ns; /* the core may still have something to tell it */
        }
    }
    for (uint32_t i = 0; i < members->count; i++) {
        const struct raft_member *member = &members->members[i];
        if (member->id == node->id) {
            continue;
        }
        struct peer *peer = get_peer(node, member->id, true);
        peer->member = true;
        peer->wanted = false;
        follow_member(node, peer, member);
        dial(node, peer);
    }
}

void peers_tidy(struct node *node)
{
    int64_t now_ns = world_now_ns(node->world);
    for (size_t i = 0; i < node->peers.all.count; i++) {
        struct peer *peer = &node->peers.all.items[i];
        if (!peer->member && now_ns - peer->used_ns > node->options.raft.election_timeout_max_ns) {
            hang_up(node, peer);
            peer->wanted = false;
        }
    }
}

bool peers_find_directory(struct node *node, const struct raft_member *wanted, uint64_t *directory)
{
    struct bytes address = {(const uint8_t *)wanted->address, wanted->address_size};
    struct peer *peer = get_peer(node, wanted->id, false);
    int64_t now_ns = world_now_ns(node->world);
    peer->used_ns = now_ns;
    bool is_gone = peer->met_directory != 0 && peer->met_directory == peer->removed_directory;
    bool is_over = is_gone && now_ns - peer->wanted_ns >= LOOK_AGAIN_NS;
    if (!peer->wanted || is_over || !bytes_equal(address, bytes_of_text(peer->listed))) {
        /* Whom a connection from before led to may have ended, and another come in its place. */
        hang_up(node, peer);
        peer->wanted = true;
        peer->wanted_ns = now_ns;
        peer->met_directory = 0;
        keep_address(peer->listed, address);
        compare_addresses(node, peer);
    }
    dial(node, peer);
    if (peer->met_directory == 0 && now_ns - peer->wanted_ns >= STILL_THERE_NS &&
        bytes_equal(address, bytes_of_text(peer->hello_address)) &&
        node->world->operations->is_connected(node->endpoint, peer->id)) {
        peer->met_directory = peer->greeted_directory; /* on a connection of its own, which lives */
    }
    /* A server that was removed ends when it knows: what is added is another in its place. */
    bool is_met = peer->met_directory != 0 && peer->met_directory != peer->removed_directory;
    *directory = is_met ? peer->met_directory : 0;
    return is_met;
}

void peers_connected(struct node *node, uint64_t id)
{
    const struct raft_member *listed = raft_configuration_find(raft_members(node->raft), id);
    struct peer *peer = find_peer(node, id);
    if (peer == NULL) {
        return;
    }
    if (peer->found) {
        peer->met_directory = peer->greeted_directory;
    }
    if (listed != NULL && listed->directory != 0 && listed->directory != peer->greeted_directory) {
        identity_turn_away(node, id, peer->greeted_directory);
    }
}

bool peers_turn_away(struct node *node, uint64_t id, uint64_t directory, bool *is_news)
{
    struct peer *peer = find_peer(node, id);
    int64_t now_ns = world_now_ns(node->world);
    *is_news = peer != NULL && peer->other_directory != directory;
    if (peer == NULL || (!*is_news && now_ns - peer->turned_away_ns < TURNED_AWAY_AGAIN_NS)) {
        return false;
    }
    peer->other_directory = directory;
    peer->turned_away_ns = now_ns;
    return true;
}

uint64_t peers_life(struct node *node, uint64_t id)
{
    const struct peer *peer = find_peer(node, id);
    return peer != NULL ? peer->greeted_life : 0;
}

bool peers_is_connected(struct node *node, uint64_t id, uint64_t directory)
{
    const struct peer *peer = find_peer(node, id);
    return peer != NULL && peer->greeted_directory == directory &&
           node->world->operations->is_connected(node->endpoint, id);
}

void peers_disconnected(struct node *node, uint64_t id)
{
    struct peer *peer = find_peer(node, id);
    if (peer != NULL) {
        peer->met_directory = 0; /* another may come in its place */
    }
}

/* Who is no member is not dialled back: it is answered on the connection that it made. */
void peers_hello_accepted(struct node *node, const struct connection *from, struct bytes address)
{
    uint64_t id = from->peer;
    uint64_t directory = from->directory;
    const struct raft_member *listed = raft_configuration_find(raft_members(node->raft), id);
    struct peer *peer = get_peer(node, id, false);
    peer->used_ns = world_now_ns(node->world);
    peer->greeted_directory = directory;
    peer->greeted_life = from->life;
    peer->found = !peer->wanted || from->dialled != 0 || address.size == 0 ||
                  bytes_equal(address, bytes_of_text(peer->listed));
    if (listed == NULL || listed->directory == 0 || listed->directory == directory) {
        peer->hello_address_of = directory;
        keep_address(peer->hello_address, address);
        compare_addresses(node, peer);
    }
    if (peer->member) {
        dial(node, peer);
    }
}

void peers_send(struct node *node, uint64_t to, struct batch *frame, bool urgent)
{
    struct peer *peer = find_peer(node, to);
    if (peer != NULL && peer->differ) {
        try_other_address(node, peer);
    }
    if (peer != NULL && !peer->member) {
        peer->used_ns = world_now_ns(node->world);
    }
    node->world->operations->send(node->endpoint, to, frame, urgent);
}

void peers_clear(struct node *node)
{
    array_free(&node->peers.all);
}
