/*
 * The first frame on each connection: who is there, of which cluster, with which disk, speaking
 * which versions, and where it listens. Whoever is dialled judges it. It never answers one: the
 * dialler learns of a refusal by the connection's end. It comes again where a peer that has become
 * a member has to tell anew which disk it has. And the invitation, to who said hello, to
 * send back on the connection that we dialled ourselves.
 */
#include "node/internal.h"

#include <stdio.h>
#include <string.h>

static const uint8_t magic[8] = {'r', 'a', 'f', 't', 'b', 'n', 'c', 'h'};

/* magic, lowest and highest version (u32 each), sender, receiver, directory id, one more than the
 * index of the sender's configuration if that lists the receiver (else 0), the index of the
 * configuration that last dropped the sender (or 0; u64 each), then cluster name and listening
 * address, each behind a byte with its size. */
#define FIXED_BYTES (sizeof magic + 4 + 4 + 8 + 8 + 8 + 8 + 8)
#define INVITATION_BYTES 16 /* the directory id of whom it is for, the number of its hello */

struct hello {
    uint32_t version_low;
    uint32_t version_high;
    uint64_t sender;
    uint64_t receiver;
    uint64_t directory;
    uint64_t listed_until;
    uint64_t dropped_index;
    struct bytes cluster_name;
    struct bytes address;
};

static void append_short(struct buffer *out, const char *text)
{
    size_t size = strlen(text);
    ensure(size <= UINT8_MAX);
    buffer_append_byte(out, (uint8_t)size);
    buffer_append(out, text, size);
}

static bool is_listed(const struct node *node, uint64_t id)
{
    return raft_configuration_find(raft_members(node->raft), id) != NULL;
}

static bool begins_with(struct bytes text, const char *start)
{
    size_t size = strlen(start);
    return text.size >= size && memcmp(text.data, start, size) == 0;
}

static bool is_every_interface(struct bytes address)
{
    return begins_with(address, "0.0.0.0:") || begins_with(address, "[::]:");
}

/* Where it listens; but one that listens on every interface cannot be dialled there, and tells the
 * address that the members know. That is not the rule, because a node that catches up may go by a
 * configuration that lists its id at the place of a former life. */
static void append_own_address(struct node *node)
{
    const struct raft_member *self = raft_configuration_find(raft_members(node->raft), node->id);
    struct bytes address = bytes_of_text(node->address);
    if (!is_every_interface(address) || self == NULL || self->address_size == 0) {
        append_short(&node->frame, node->address);
        return;
    }
    buffer_append_byte(&node->frame, self->address_size);
    buffer_append(&node->frame, self->address, self->address_size);
}

struct batch *hello_frame(struct node *node, uint64_t to)
{
    uint64_t number = 0;
    buffer_clear(&node->frame);
    frame_begin(&node->frame);
    uint8_t *fixed = buffer_extend(&node->frame, FIXED_BYTES);
    memcpy(fixed, magic, sizeof magic);
    store_u32(fixed + 8, HELLO_VERSION);
    store_u32(fixed + 12, HELLO_VERSION);
    store_u64(fixed + 16, node->id);
    store_u64(fixed + 24, to);
    store_u64(fixed + 32, node->directory);
    /* So that it does not take an older configuration that dropped it, and that it is about to
     * replay, as its own removal. */
    store_u64(fixed + 40, is_listed(node, to) ? raft_members_index(node->raft) + 1 : 0);
    store_u64(fixed + 48, node->dropped_index);
    append_short(&node->frame, node->cluster_name);
    append_own_address(node);
    return node_seal_frame(node, FRAME_HELLO, &number);
}

static bool read_short(struct bytes *rest, struct bytes *out)
{
    if (rest->size < 1 || rest->size - 1 < rest->data[0]) {
        return false;
    }
    *out = (struct bytes){rest->data + 1, rest->data[0]};
    rest->data += 1 + out->size;
    rest->size -= 1 + out->size;
    return true;
}

static bool read_hello(struct bytes body, struct hello *hello)
{
    if (body.size < FIXED_BYTES || memcmp(body.data, magic, sizeof magic) != 0) {
        return false;
    }
    hello->version_low = load_u32(body.data + 8);
    hello->version_high = load_u32(body.data + 12);
    hello->sender = load_u64(body.data + 16);
    hello->receiver = load_u64(body.data + 24);
    hello->directory = load_u64(body.data + 32);
    hello->listed_until = load_u64(body.data + 40);
    hello->dropped_index = load_u64(body.data + 48);
    struct bytes rest = {body.data + FIXED_BYTES, body.size - FIXED_BYTES};
    return read_short(&rest, &hello->cluster_name) && read_short(&rest, &hello->address) &&
           rest.size == 0;
}

/* The server is where the members have it, and the one that was met is elsewhere: a former life,
 * whose last hello came late. */
static bool was_met_elsewhere(const struct node *node, const struct store_peer *met,
                              const struct hello *hello)
{
    const struct raft_member *member =
        raft_configuration_find(raft_members(node->raft), hello->sender);
    if (member == NULL || member->address_size == 0) {
        return false;
    }
    struct bytes listed = {(const uint8_t *)member->address, member->address_size};
    struct bytes told = {(const uint8_t *)met->address, met->address_size};
    /* Who listens on every interface tells no place before it knows itself a member. */
    return bytes_equal(hello->address, listed) && !bytes_equal(told, listed) && told.size > 0 &&
           !is_every_interface(told);
}

/* A server that was removed and added again after it was met has every right to another disk; that
 * the removal has committed, this node may learn only from the server itself. */
static bool has_another_disk(struct node *node, const struct hello *hello)
{
    const struct store_peer *met = store_met(node->store, hello->sender);
    if (met == NULL || met->directory == hello->directory) {
        return false;
    }
    if (hello->dropped_index > met->index || was_met_elsewhere(node, met, hello)) {
        store_forget(node->store, hello->sender);
        return false;
    }
    return true;
}

#define REFUSE(node, ...) (void)snprintf((node)->reason, sizeof(node)->reason, __VA_ARGS__)

static bool is_acceptable(struct node *node, const struct hello *hello, const struct inbound *from)
{
    unsigned long long sender = hello->sender;
    if (hello->version_low > HELLO_VERSION || hello->version_high < HELLO_VERSION) {
        REFUSE(node, "node %llu speaks protocol versions %u to %u, this one %d", sender,
               hello->version_low, hello->version_high, HELLO_VERSION);
        return false;
    }
    struct bytes own_name = bytes_of_text(node->cluster_name);
    if (!bytes_equal(hello->cluster_name, own_name)) {
        REFUSE(node, "node %llu is of cluster \"%.*s\", this one of \"%s\"", sender,
               (int)hello->cluster_name.size, (const char *)hello->cluster_name.data,
               node->cluster_name);
        return false;
    }
    if (hello->receiver != node->id) {
        REFUSE(node, "node %llu looked for node %llu here, this is node %llu", sender,
               (unsigned long long)hello->receiver, (unsigned long long)node->id);
        return false;
    }
    if (hello->sender == 0 || hello->sender == node->id || hello->directory == 0) {
        REFUSE(node, "a hello from node %llu, which it cannot be", sender);
        return false;
    }
    if (from->peer != 0 && (hello->sender != from->peer || hello->directory != from->directory)) {
        REFUSE(node, "a second hello on the connection of node %llu, and of another",
               (unsigned long long)from->peer);
        return false;
    }
    if (has_another_disk(node, hello)) {
        REFUSE(node,
               "node %llu came back with another disk: remove it from the cluster, then add it "
               "again at another address",
               sender);
        return false;
    }
    if (memchr(hello->address.data, 0, hello->address.size) != NULL) {
        REFUSE(node, "the address that node %llu tells is none", sender);
        return false;
    }
    return true;
}

/* Keeps which disk the peer has, and how far the log was known to be committed then, where it is a
 * member: a server that was removed may still say hello, and must not bar the way for one of its id
 * that is added later. A node that knows no configuration yet believes the peer. false: not kept.
 */
static bool meet(struct node *node, const struct hello *hello)
{
    struct raft_status status;
    if (raft_members(node->raft)->count > 0 && !is_listed(node, hello->sender)) {
        return false;
    }
    raft_get_status(node->raft, &status);
    store_meet(node->store, hello->sender, hello->directory, status.commit_index, hello->address);
    return true;
}

bool hello_judge(struct node *node, struct bytes body, uint64_t number, struct inbound *from)
{
    struct hello hello;
    if (!read_hello(body, &hello)) {
        REFUSE(node, "the first frame is no hello of this protocol");
        return false;
    }
    if (!is_acceptable(node, &hello, from)) {
        report_notice(node, hello.sender == node->id ? 0 : hello.sender, node->reason);
        return false;
    }
    bool known = meet(node, &hello);
    if (hello.listed_until > node->listed_until) {
        node->listed_until = hello.listed_until;
    }
    node_consider_joined(node);
    peers_met(node, hello.sender, hello.address, known);
    if (from->peer == 0) {
        from->hello_number = number;
    }
    from->peer = hello.sender;
    from->directory = hello.directory;
    return true;
}

/* ---- invitations ---------------------------------------------------------------------------- */

struct batch *hello_invitation(struct node *node, const struct inbound *from)
{
    uint64_t number = 0;
    buffer_clear(&node->frame);
    frame_begin(&node->frame);
    uint8_t *body = buffer_extend(&node->frame, INVITATION_BYTES);
    store_u64(body, from->directory);
    store_u64(body + 8, from->hello_number);
    return node_seal_frame(node, FRAME_INVITATION, &number);
}

bool hello_judge_invitation(struct node *node, struct bytes body, struct inbound *from)
{
    /* What goes back is taken for the words of that disk. */
    if (body.size != INVITATION_BYTES || load_u64(body.data) != node->directory ||
        load_u64(body.data + 8) == 0) {
        REFUSE(node, "an invitation to another than this node's disk");
        report_notice(node, from->peer, node->reason);
        return false;
    }
    from->invited_hello = load_u64(body.data + 8);
    return true;
}
