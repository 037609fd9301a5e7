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
#define HELLO_VERSION 1 /* of the protocol; a hello tells the lowest and the highest one spoken */
#define TURNED_AWAY_BYTES 8 /* the directory of whom it is for */

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

void identity_prepare(struct node *node, const struct node_options *options)
{
    struct identity *identity = &node->identity;
    ensure(strlen(options->cluster_name) <= CLUSTER_NAME_BYTES_MAX);
    (void)snprintf(identity->cluster_name, sizeof identity->cluster_name, "%s",
                   options->cluster_name);
    identity->life_stream = random_stream_of(options->seed, "node", node->id, 0, "life");
}

void identity_begin(struct node *node)
{
    node->identity.life = random_next(&node->identity.life_stream);
    node->identity.turned_away_by = 0;
}

uint64_t identity_turned_away_by(const struct node *node)
{
    return node->identity.turned_away_by;
}

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
static void append_own_address(const struct node *node, struct buffer *frame)
{
    const struct raft_member *self = raft_configuration_find(raft_members(node->raft), node->id);
    struct bytes address = bytes_of_text(node->address);
    if (!is_every_interface(address) || self == NULL || self->address_size == 0) {
        append_short(frame, node->address);
        return;
    }
    buffer_append_byte(frame, self->address_size);
    buffer_append(frame, self->address, self->address_size);
}

struct batch *identity_hello(struct node *node, uint64_t to)
{
    uint64_t number = 0;
    struct buffer *frame = frames_begin(node);
    uint8_t *fixed = buffer_extend(frame, FIXED_BYTES);
    memcpy(fixed, magic, sizeof magic);
    store_u32(fixed + 8, HELLO_VERSION);
    store_u32(fixed + 12, HELLO_VERSION);
    store_u64(fixed + 16, node->id);
    store_u64(fixed + 24, to);
    store_u64(fixed + 32, node->directory);
    store_u64(fixed + 40, node->identity.life);
    append_short(frame, node->identity.cluster_name);
    append_own_address(node, frame);
    return frames_end(node, FRAME_HELLO, &number);
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

static bool is_acceptable(struct node *node, const struct hello *hello,
                          const struct connection *from)
{
    unsigned long long sender = hello->sender;
    uint64_t about = hello->sender == node->id ? 0 : hello->sender;
    if (hello->version_low > HELLO_VERSION || hello->version_high < HELLO_VERSION) {
        return frames_refuse(node, about,
                             "node %llu speaks protocol versions %u to %u, this one %d", sender,
                             hello->version_low, hello->version_high, HELLO_VERSION);
    }
    struct bytes own_name = bytes_of_text(node->identity.cluster_name);
    if (!bytes_equal(hello->cluster_name, own_name)) {
        return frames_refuse(node, about,
                             "node %llu belongs to cluster \"%.*s\", this node to \"%s\"", sender,
                             (int)hello->cluster_name.size, (const char *)hello->cluster_name.data,
                             node->identity.cluster_name);
    }
    if (hello->receiver != node->id) {
        return frames_refuse(node, about,
                             "node %llu expected node %llu here, but this is node %llu", sender,
                             (unsigned long long)hello->receiver, (unsigned long long)node->id);
    }
    if (hello->sender == 0 || hello->sender == node->id || hello->directory == 0) {
        return frames_refuse(node, about, "a hello cannot come from node %llu", sender);
    }
    if (from->dialled != 0 && hello->sender != from->dialled) {
        return frames_refuse(node, about, "node %llu answered where node %llu was expected", sender,
                             (unsigned long long)from->dialled);
    }
    if (from->peer != 0) {
        return frames_refuse(node, about, "node %llu said hello twice", sender);
    }
    if (memchr(hello->address.data, 0, hello->address.size) != NULL) {
        return frames_refuse(node, about, "the hello of node %llu has a malformed address", sender);
    }
    return true;
}

/* Another server of a member's id does not take the place of the member's connection. */
static bool would_displace_member(struct node *node, const struct hello *hello)
{
    const struct raft_member *listed =
        raft_configuration_find(raft_members(node->raft), hello->sender);
    return listed != NULL && listed->directory != 0 && listed->directory != hello->directory &&
           peers_is_connected(node, hello->sender, listed->directory);
}

bool identity_judge_hello(struct node *node, struct bytes body, uint64_t number,
                          struct connection *from)
{
    struct hello hello;
    if (!read_hello(body, &hello)) {
        frames_set_reason(node, "the first frame is not a hello of this protocol");
        return false;
    }
    if (!is_acceptable(node, &hello, from)) {
        return false;
    }
    if (would_displace_member(node, &hello)) {
        return frames_refuse(node, hello.sender,
                             "node %llu is connected already, with another disk",
                             (unsigned long long)hello.sender);
    }
    from->peer = hello.sender;
    from->directory = hello.directory;
    from->life = hello.life;
    from->hello_number = number;
    if (is_every_interface(hello.address)) { /* nobody can be dialled there */
        hello.address = (struct bytes){NULL, 0};
    }
    peers_hello_accepted(node, from, hello.address);
    return true;
}

/* ---- another disk under a member's id ------------------------------------------------------- */

/* Only by the leader, whose configuration is the latest: others may lack the one that lists it. */
void identity_turn_away(struct node *node, uint64_t id, uint64_t directory)
{
    struct raft_status status;
    bool is_news = false;
    raft_get_status(node->raft, &status);
    if (status.role != RAFT_LEADER || !node_is_running(node) ||
        !peers_turn_away(node, id, directory, &is_news)) {
        return;
    }
    if (is_news) {
        char text[160];
        (void)snprintf(text, sizeof text,
                       "node %llu came back with another disk: remove it from the cluster, then "
                       "add it again",
                       (unsigned long long)id);
        report_refusal(node, id, text);
    }
    uint64_t number = 0;
    store_u64(buffer_extend(frames_begin(node), TURNED_AWAY_BYTES), directory);
    peers_send(node, id, frames_end(node, FRAME_TURNED_AWAY, &number), true);
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
    if (node->identity.turned_away_by == 0) {
        char text[200];
        (void)snprintf(text, sizeof text,
                       "node %llu turns this node away: the members know another disk under id "
                       "%llu; remove that id from the cluster, then add it again",
                       (unsigned long long)from, (unsigned long long)node->id);
        report_notice(node, from, text);
    }
    view_refused(node, from, "server", 0, "the members know another disk under its id");
    node->identity.turned_away_by = from;
    node->has_changed = true;
    application_note(node, NEWS_ROLE);
    return true;
}

void identity_follow_members(struct node *node)
{
    if (node->identity.turned_away_by != 0 && is_listed(node)) {
        node->identity.turned_away_by = 0;
        node->has_changed = true;
        application_note(node, NEWS_ROLE);
    }
}
