/*
 * The private side of cores/.
 */
#ifndef RAFTBENCH_CORES_INTERNAL_H
#define RAFTBENCH_CORES_INTERNAL_H

#include "cores/cores.h"

struct cut_link {
    uint64_t from;
    uint64_t to;
};

struct cores {
    array_of(struct core *) all; /* in order of adding */
    bool keeps_disks;
    struct list under_way;
    size_t under_way_count;
    uint64_t sent;      /* the number of the latest message */
    struct list unused; /* messages whose memory is used again */
    array_of(struct cut_link) cuts;
    int64_t now_ns;
};

/* cores.c */
struct core *cores_core(const struct cores *cores, uint64_t id); /* it is there */
void cores_message_free(struct cores *cores, struct cores_message *message);

/* snapshots.c */
const struct core_snapshot *core_snapshot_at(const struct core *core, uint64_t index);
const struct core_snapshot *core_last_snapshot(const struct core *core);
void snapshots_prune(struct core *core); /* what is neither the latest nor being sent */
void snapshots_fill_piece(const struct core *core, struct raft_message *message);
void snapshots_installed(struct core *core, uint64_t index);
void snapshots_drop_received(struct cores *cores, struct core *core);
void snapshots_free(struct cores *cores, struct core *core);
void snapshots_copy(struct core *to, const struct core *from);
uint64_t snapshots_hash(const struct core *core);

/* disks.c */
/* One that holds what the replica was started with; NULL where that was a snapshot. */
struct disk *disk_new(const struct raft *raft);
void disk_free(struct disk *disk);
struct disk *disk_copy(const struct disk *disk);
void disk_ask(struct disk *disk, const struct raft *raft, const struct raft_persist *persist);
void disk_write(struct disk *disk, uint64_t sequence);
void disk_compact(struct disk *disk, uint64_t first_index);
struct raft *disk_start(struct disk *disk, const struct raft_options *options,
                        const struct raft_configuration *first_members,
                        const struct core_snapshot *snapshot, int64_t now_ns);
uint64_t disk_hash(const struct disk *disk);

#endif
