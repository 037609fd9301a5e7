/*
 * Whom a node keeps connections to: the members of the configuration in force, whatever peer the
 * core sends to, and peers that introduced themselves and have to be answered. It never looks into
 * what is sent.
 */
#include "node/internal.h"

#include <string.h>

#define TRY_ADDRESS_NS 100000000LL /* how long one address of two is tried */

static struct peer *find_peer(const struct node *node, uint64_t id)
{
    for (uint32_t i = 0; i < node->peer_count; i++) {
        if (node->peers[i].id == id) {
            return &node->peers[i];
        }
    }
    return NULL;
}

static struct peer *get_peer(struct node *node, uint64_t id)
{
    struct peer *peer = find_peer(node, id);
    if (peer != NULL) {
        return peer;
    }
    if (node->peer_count == node->peer_capacity) {
        node->peer_capacity = node->peer_capacity == 0 ? 8 : node->peer_capacity * 2;
        node->peers = memory_resize(node->peers, node->peer_capacity * sizeof *node->peers);
    }
    uint32_t place = node->peer_count++;
    while (place > 0 && node->peers[place - 1].id > id) {
        node->peers[place] = node->peers[place - 1];
        place--;
    }
    memset(&node->peers[place], 0, sizeof node->peers[place]);
    node->peers[place].id = id;
    return &node->peers[place];
}

static void dial(struct node *node, struct peer *peer)
{
    if (!peer->dialled && peer->address[0] != 0) {
        peer->dialled = true;
        node->world->operations->dial(node->endpoint, peer->id, peer->address);
    }
}

static void set_address(struct node *node, struct peer *peer, struct bytes address)
{
    ensure(address.size < sizeof peer->address);
    if (strlen(peer->address) == address.size &&
        memcmp(peer->address, address.data, address.size) == 0) {
        return;
    }
    memcpy(peer->address, address.data, address.size);
    peer->address[address.size] = 0;
    if (peer->dialled) { /* it has moved */
        peer->dialled = false;
        dial(node, peer);
    }
}

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
    peer->differ = peer->member && peer->told[0] != 0 && peer->listed[0] != 0 &&
                   strcmp(peer->told, peer->listed) != 0;
    if (peer->member && !peer->differ && peer->listed[0] != 0) {
        set_address(node, peer, bytes_of_text(peer->listed));
    }
}

/* A member is looked for where it is listed and where it said that it is, in turn: either may be
 * out of date. */
static void try_the_other(struct node *node, struct peer *peer)
{
    int64_t now_ns = world_now_ns(node->world);
    if (now_ns - peer->tried_ns < TRY_ADDRESS_NS ||
        node->world->operations->is_connected(node->endpoint, peer->id)) {
        return;
    }
    peer->tried_ns = now_ns;
    bool is_listed = strcmp(peer->address, peer->listed) == 0;
    set_address(node, peer, bytes_of_text(is_listed ? peer->told : peer->listed));
}

/* The address of a member counts when it is news. */
static void follow_address(struct node *node, struct peer *peer, const struct raft_member *member)
{
    struct bytes address = {(const uint8_t *)member->address, member->address_size};
    if (address.size > 0 && !bytes_equal(address, bytes_of_text(peer->listed))) {
        keep_address(peer->listed, address);
        peer->tried_ns = world_now_ns(node->world);
        set_address(node, peer, address);
    }
    compare_addresses(node, peer);
}

static void note_unmet(struct node *node)
{
    node->must_greet = false;
    for (uint32_t i = 0; i < node->peer_count; i++) {
        node->must_greet = node->must_greet || (node->peers[i].member && node->peers[i].unmet);
    }
}

void peers_follow_members(struct node *node)
{
    const struct raft_configuration *members = raft_members(node->raft);
    int64_t now_ns = world_now_ns(node->world);
    for (uint32_t i = 0; i < node->peer_count; i++) {
        struct peer *peer = &node->peers[i];
        if (peer->member && raft_configuration_find(members, peer->id) == NULL) {
            peer->member = false;
            peer->differ = false;
            if (peer->told[0] != 0) { /* what the configuration said of it no longer counts */
                set_address(node, peer, bytes_of_text(peer->told));
            }
            peer->used_ns = now_ns; /* the core may still have something to tell it */
        }
    }
    for (uint32_t i = 0; i < members->count; i++) {
        const struct raft_member *member = &members->members[i];
        if (member->id == node->id) {
            continue;
        }
        struct peer *peer = get_peer(node, member->id);
        peer->member = true;
        follow_address(node, peer, member);
        dial(node, peer);
    }
    note_unmet(node);
}

void peers_tidy(struct node *node)
{
    int64_t now_ns = world_now_ns(node->world);
    for (uint32_t i = 0; i < node->peer_count; i++) {
        struct peer *peer = &node->peers[i];
        if (!peer->member && peer->dialled &&
            now_ns - peer->used_ns > node->options.raft.election_timeout_max_ns) {
            peer->dialled = false;
            node->world->operations->hang_up(node->endpoint, peer->id);
        }
    }
}

void peers_met(struct node *node, uint64_t id, struct bytes address, bool known)
{
    struct peer *peer = get_peer(node, id);
    peer->used_ns = world_now_ns(node->world);
    peer->unmet = !known;
    peer->asked_ns = 0;
    note_unmet(node);
    keep_address(peer->told, address);
    compare_addresses(node, peer);
    if (!peer->member && address.size > 0) {
        set_address(node, peer, address);
    }
    dial(node, peer);
}

bool peers_may_vote(struct node *node, uint64_t id)
{
    struct peer *peer = find_peer(node, id);
    if (peer != NULL && peer->differ) {
        try_the_other(node, peer);
    }
    return peer == NULL || !peer->member || strcmp(peer->address, peer->listed) == 0;
}

void peers_forgotten(struct node *node, uint64_t id)
{
    struct peer *peer = find_peer(node, id);
    if (peer != NULL) {
        peer->unmet = true;
        note_unmet(node);
    }
}

bool peers_must_greet(const struct node *node, uint64_t id)
{
    const struct peer *peer = node->must_greet ? find_peer(node, id) : NULL;
    return peer != NULL && peer->member && peer->unmet;
}

bool peers_ask_hello(struct node *node, uint64_t id)
{
    struct peer *peer = find_peer(node, id);
    int64_t now_ns = world_now_ns(node->world);
    ensure(peer != NULL && peer->unmet);
    if (!node->world->operations->is_connected(node->endpoint, id)) {
        return false;
    }
    if (peer->asked_ns == 0 ||
        now_ns - peer->asked_ns >= node->options.raft.heartbeat_interval_ns) {
        uint64_t number = 0;
        peer->asked_ns = now_ns;
        buffer_clear(&node->frame);
        frame_begin(&node->frame);
        peers_send(node, id, node_seal_frame(node, FRAME_HELLO_WANTED, &number), true);
    }
    return true;
}

void peers_lose(struct node *node, uint64_t to, struct batch *frame, const char *reason)
{
    if (node->world->faults != NULL) {
        faults_drop(node->world->faults, world_now_ns(node->world), node->id, to, frame, reason);
    }
    batch_release(frame);
}

void peers_send(struct node *node, uint64_t to, struct batch *frame, bool urgent)
{
    struct peer *peer = find_peer(node, to);
    if (peer == NULL || peer->address[0] == 0) {
        peers_lose(node, to, frame, "no address");
        return;
    }
    if (peer->differ) {
        try_the_other(node, peer);
    }
    if (!peer->member) {
        peer->used_ns = world_now_ns(node->world);
        dial(node, peer);
    }
    node->world->operations->send(node->endpoint, to, frame, urgent);
}

void peers_clear(struct node *node)
{
    memory_free(node->peers);
    node->peers = NULL;
    node->peer_count = 0;
    node->peer_capacity = 0;
    node->must_greet = false;
}
