/*
 * One number for the state of the whole, so that states that behave alike can be taken for one. It
 * changes nothing.
 */
#include "cores/internal.h"

/* Of the two that a message concerns, the one that leads in its term; NULL: neither does. */
static const struct raft *leader_of(const struct cores *cores, const struct raft_message *message)
{
    uint64_t ends[2] = {message->from, message->to};
    for (int i = 0; i < 2; i++) {
        const struct core *core = cores_find(cores, ends[i]);
        struct raft_status status;
        if (core == NULL) {
            continue;
        }
        raft_get_status(core->raft, &status);
        if (status.role == RAFT_LEADER && status.term == message->term) {
            return core->raft;
        }
    }
    return NULL;
}

uint64_t cores_message_hash(const struct cores *cores, const struct cores_message *message,
                            const struct raft_renaming *renaming)
{
    return raft_message_hash(&message->message, leader_of(cores, &message->message), renaming);
}

static uint64_t hash_core(const struct cores *cores, const struct core *core,
                          const struct raft_renaming *renaming)
{
    uint64_t hash = hash_mix(raft_hash(core->raft, renaming), snapshots_hash(core));
    hash = core->disk == NULL ? hash : hash_mix(hash, disk_hash(core->disk));
    list_each(&core->pieces, at) {
        const struct cores_message *message = item_of(at, const struct cores_message, link);
        hash = hash_mix(hash, cores_message_hash(cores, message, renaming));
    }
    list_each(&core->held, at) {
        const struct cores_message *message = item_of(at, const struct cores_message, link);
        hash = hash_mix(hash, message->sequence - core->durable);
        hash = hash_mix(hash, cores_message_hash(cores, message, renaming));
    }
    return hash;
}

static uint64_t renamed(const struct raft_renaming *renaming, uint64_t id)
{
    return renaming == NULL ? id : renaming->rename(renaming->context, id);
}

uint64_t cores_hash(const struct cores *cores, const struct raft_renaming *renaming)
{
    uint64_t replicas = 0;
    uint64_t messages = 0;
    uint64_t cuts = 0;
    for (size_t i = 0; i < cores->all.count; i++) {
        replicas += hash_core(cores, cores->all.items[i], renaming);
    }
    for (const struct cores_message *at = cores_first(cores); at != NULL;
         at = cores_next(cores, at)) {
        messages += cores_message_hash(cores, at, renaming);
    }
    for (size_t i = 0; i < cores->cuts.count; i++) {
        cuts += hash_mix(renamed(renaming, cores->cuts.items[i].from),
                         renamed(renaming, cores->cuts.items[i].to));
    }
    return hash_mix(hash_mix(replicas, messages), cuts);
}
