/*
 * Who is who: the first frame that each side sends on a connection, which tells of which cluster it
 * is, which server (id and directory), speaking which versions, and where it listens; and whether
 * this server was told that the members know another disk under its id. Each side judges the
 * other's hello before it believes anything else; a refusal is the connection's end.
 *
 * What a server is told of itself is for its user, never a reason to stop.
 */
#include "node/internal.h"

#include <stdio.h>
#include <string.h>

static const uint8_t magic[8] = {'r', 'a', 'f', 't', 'b', 'n', 'c', 'h'};

/* magic, lowest and highest version (u32 each), sender, receiver, the sender's directory and life
 * (u64 each), then cluster name and listening address, each behind a byte with its size. */
#define FIXED_BYTES (sizeof magic + 4 + 4 + 8 + 8 + 8 + 8)
#define TURNED_AWAY_BYTES 8 /* the directory of whom it is for */
#define TURNED_AWAY_AGAIN_NS 1000000000LL

struct hello {
    uint32_t version_low;
    uint32_t version_high;
    uint64_t sender;
    uint64_t receiver;
    uint64_t directory;
    uint64_t life;
    struct bytes cluster_name;
    struct bytes address;
};

/* ---- a hello -------------------------------------------------------------------------------- */

static void append_short(struct buffer *out, const char *text)
{
    size_t size = strlen(text);
    ensure(size <= UINT8_MAX);
    buffer_append_byte(out, (uint8_t)size);
    buffer_append(out, text, size);
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
 * address that the members know. */
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
    store_u64(fixed + 40, node->life);
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
    hello->life = load_u64(body.data + 40);
    struct bytes rest = {body.data + FIXED_BYTES, body.size - FIXED_BYTES};
    return read_short(&rest, &hello->cluster_name) && read_short(&rest, &hello->address) &&
           rest.size == 0;
}

#define REFUSE(node, ...) (void)snprintf((node)->reason, sizeof(node)->reason, __VA_ARGS__)

static bool is_acceptable(struct node *node, const struct hello *hello,
                          const struct connection *from)
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
    if (from->dialled != 0 && hello->sender != from->dialled) {
        REFUSE(node, "node %llu answers where node %llu was looked for", sender,
               (unsigned long long)from->dialled);
        return false;
    }
    if (from->peer != 0) {
        REFUSE(node, "node %llu said hello twice", sender);
        return false;
    }
    if (memchr(hello->address.data, 0, hello->address.size) != NULL) {
        REFUSE(node, "the address that node %llu tells is none", sender);
        return false;
    }
    return true;
}

bool hello_judge(struct node *node, struct bytes body, uint64_t number, struct connection *from)
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
    from->peer = hello.sender;
    from->directory = hello.directory;
    from->life = hello.life;
    from->hello_number = number;
    if (is_every_interface(hello.address)) { /* nobody can be dialled there */
        hello.address = (struct bytes){NULL, 0};
    }
    peers_greeted(node, hello.sender, hello.directory, hello.address, from->dialled != 0);
    return true;
}

/* ---- another disk under a member's id ------------------------------------------------------- */

/* Only by the leader, whose configuration is the latest: others may lack the one that lists it. */
void identity_turn_away(struct node *node, uint64_t id, uint64_t directory)
{
    struct raft_status status;
    struct peer *peer = peers_find(node, id);
    int64_t now_ns = world_now_ns(node->world);
    raft_get_status(node->raft, &status);
    if (status.role != RAFT_LEADER || peer == NULL || !node_is_running(node)) {
        return;
    }
    if (peer->other_directory != directory) {
        char text[160];
        (void)snprintf(text, sizeof text,
                       "node %llu came back with another disk: remove it from the cluster, then "
                       "add it again",
                       (unsigned long long)id);
        report_notice(node, id, text);
    } else if (now_ns - peer->turned_away_ns < TURNED_AWAY_AGAIN_NS) {
        return;
    }
    uint64_t number = 0;
    peer->other_directory = directory;
    peer->turned_away_ns = now_ns;
    buffer_clear(&node->frame);
    frame_begin(&node->frame);
    store_u64(buffer_extend(&node->frame, TURNED_AWAY_BYTES), directory);
    peers_send(node, id, node_seal_frame(node, FRAME_TURNED_AWAY, &number), true);
}

/* In force, and not only what this server began with. */
static bool is_listed(const struct node *node)
{
    return raft_members_index(node->raft) > 0 &&
           raft_configuration_lists(raft_members(node->raft), node->id, node->directory);
}

bool identity_turned_away(struct node *node, uint64_t from, struct bytes body)
{
    if (body.size != TURNED_AWAY_BYTES) {
        return false;
    }
    if (load_u64(body.data) != node->directory || is_listed(node)) {
        return true; /* for another server of this id, or it came late */
    }
    if (node->turned_away_by == 0) {
        char text[200];
        (void)snprintf(text, sizeof text,
                       "node %llu turns this node away: the members know another disk under id "
                       "%llu; remove that id from the cluster, then add it again",
                       (unsigned long long)from, (unsigned long long)node->id);
        report_notice(node, from, text);
    }
    view_refused(node, from, "server", 0, "the members know another disk under its id");
    node->turned_away_by = from;
    node->tell_role = true;
    return true;
}

void identity_follow_members(struct node *node)
{
    if (node->turned_away_by != 0 && is_listed(node)) {
        node->turned_away_by = 0;
        node->tell_role = true;
    }
}
