/*
 * The harness's core: replicas, the messages under way between them, and what waits for a disk.
 *
 * It never steps a replica from within another one's step.
 */
#include "cores/internal.h"

/* ---- messages ------------------------------------------------------------------------------- */

/* Neighbours mostly share a batch, which is then held once for all of them. */
static void hold_batches(struct cores_message *message)
{
    const struct batch *last = NULL;
    size_t count = message->entries.count;
    size_t held = 0;
    ensure(message->batches.count == 0);
    struct batch **batches = array_extend(&message->batches, count);
    for (size_t i = 0; i < count; i++) {
        struct batch *batch = message->entries.items[i].batch;
        if (batch != last && batch != NULL) {
            batches[held++] = batch_hold(batch);
            last = batch;
        }
    }
    message->batches.count = held;
    if (message->message.piece != NULL) {
        *array_push(&message->batches) = batch_hold(message->message.piece);
    }
}

static void release_batches(struct cores_message *message)
{
    for (size_t i = 0; i < message->batches.count; i++) {
        batch_release(message->batches.items[i]);
    }
    message->batches.count = 0;
}

static struct cores_message *message_of(struct list_link *link)
{
    return item_of(link, struct cores_message, link);
}

/* With room for its entries, which the caller fills and holds. */
static struct cores_message *message_new(struct cores *cores, const struct raft_message *message)
{
    struct cores_message *made = message_of(list_last(&cores->unused));
    if (made == NULL) {
        made = memory_new_zeroed(1, sizeof *made);
    }
    list_remove(&made->link);
    made->message = *message;
    made->number = 0;
    made->sequence = 0;
    made->entries.count = 0;
    if (message->entry_count > 0) {
        made->message.entries = array_extend(&made->entries, message->entry_count);
    }
    return made;
}

void cores_message_free(struct cores *cores, struct cores_message *message)
{
    list_remove(&message->link);
    release_batches(message);
    list_append(&cores->unused, &message->link);
}

static void put_under_way(struct cores *cores, struct cores_message *message)
{
    list_remove(&message->link);
    message->number = ++cores->sent;
    list_append(&cores->under_way, &message->link);
    cores->under_way_count++;
}

/* What a replica says, with the entries of its log that the message names. */
static struct cores_message *message_from(struct cores *cores, const struct core *core,
                                          const struct raft_message *message)
{
    struct cores_message *made = message_new(cores, message);
    raft_copy_entries(core->raft, message->prev_index + 1, message->entry_count,
                      made->entries.items);
    if (message->kind == RAFT_SNAPSHOT && message->piece_size > 0) {
        snapshots_fill_piece(core, &made->message);
    }
    hold_batches(made);
    return made;
}

static struct cores_message *message_copy(struct cores *cores, const struct cores_message *message)
{
    struct cores_message *made = message_new(cores, &message->message);
    for (size_t i = 0; i < message->entries.count; i++) {
        made->entries.items[i] = message->entries.items[i];
    }
    hold_batches(made);
    made->sequence = message->sequence;
    return made;
}

struct cores_message *cores_send(struct cores *cores, const struct raft_message *message)
{
    struct cores_message *made = message_new(cores, message);
    for (uint32_t i = 0; i < message->entry_count; i++) {
        made->entries.items[i] = message->entries[i];
    }
    hold_batches(made);
    put_under_way(cores, made);
    return made;
}

struct cores_message *cores_first(const struct cores *cores)
{
    return message_of(list_first(&cores->under_way));
}

struct cores_message *cores_next(const struct cores *cores, const struct cores_message *message)
{
    return message_of(list_next(&cores->under_way, &message->link));
}

size_t cores_under_way(const struct cores *cores)
{
    return cores->under_way_count;
}

static void take_from_way(struct cores *cores, struct cores_message *message)
{
    ensure(message->number != 0 && cores->under_way_count > 0);
    list_remove(&message->link);
    cores->under_way_count--;
}

void cores_drop(struct cores *cores, struct cores_message *message)
{
    take_from_way(cores, message);
    cores_message_free(cores, message);
}

/* ---- replicas ------------------------------------------------------------------------------- */

struct cores *cores_new(void)
{
    return memory_new_zeroed(1, sizeof(struct cores));
}

static void free_messages(struct list *list)
{
    for (struct list_link *at = list_first(list); at != NULL; at = list_first(list)) {
        struct cores_message *message = message_of(at);
        list_remove(at);
        array_free(&message->entries);
        array_free(&message->batches);
        memory_free(message);
    }
}

void cores_free(struct cores *cores)
{
    if (cores == NULL) {
        return;
    }
    while (cores_first(cores) != NULL) {
        cores_drop(cores, cores_first(cores));
    }
    for (size_t i = 0; i < cores->all.count; i++) {
        struct core *core = cores->all.items[i];
        while (!list_is_empty(&core->held)) {
            cores_message_free(cores, message_of(list_first(&core->held)));
        }
        snapshots_free(cores, core);
        disk_free(core->disk);
        raft_free(core->raft);
        array_free(&core->reads);
        memory_free(core);
    }
    free_messages(&cores->unused);
    array_free(&cores->all);
    array_free(&cores->cuts);
    memory_free(cores);
}

static struct core *find(const struct cores *cores, uint64_t id)
{
    for (size_t i = 0; i < cores->all.count; i++) {
        if (cores->all.items[i]->id == id) {
            return cores->all.items[i];
        }
    }
    return NULL;
}

struct core *cores_core(const struct cores *cores, uint64_t id)
{
    struct core *core = find(cores, id);
    ensure(core != NULL);
    return core;
}

const struct core *cores_find(const struct cores *cores, uint64_t id)
{
    return find(cores, id);
}

size_t cores_count(const struct cores *cores)
{
    return cores->all.count;
}

const struct core *cores_at(const struct cores *cores, size_t position)
{
    ensure(position < cores->all.count);
    return cores->all.items[position];
}

void cores_set_slow(struct cores *cores, uint64_t id, bool slow)
{
    cores_core(cores, id)->slow = slow;
}

void cores_keep_disks(struct cores *cores)
{
    cores->keeps_disks = true;
}

void cores_add(struct cores *cores, struct raft *raft)
{
    struct raft_status status;
    raft_get_status(raft, &status);
    ensure(find(cores, status.id) == NULL);
    struct core *core = memory_new_zeroed(1, sizeof *core);
    core->raft = raft;
    core->id = status.id;
    core->deadline_ns = RAFT_NEVER;
    core->disk = cores->keeps_disks ? disk_new(raft) : NULL;
    *array_push(&cores->all) = core;
    struct raft_event event = {.kind = RAFT_EVENT_TICK};
    (void)cores_step(cores, status.id, &event); /* it tells when it wants to be woken */
}

void cores_crash(struct cores *cores, uint64_t id, const struct raft_options *options,
                 const struct raft_configuration *first_members)
{
    struct core *core = cores_core(cores, id);
    const struct core_snapshot *last = core_last_snapshot(core);
    ensure(core->disk != NULL && options->id == id);
    while (!list_is_empty(&core->held)) {
        cores_message_free(cores, message_of(list_first(&core->held)));
    }
    snapshots_drop_received(cores, core);
    raft_free(core->raft);
    core->raft = disk_start(core->disk, options, first_members, last, cores->now_ns);
    core->asked = 0;
    core->durable = 0;
    core->applied = last != NULL ? last->about.index : 0;
    core->digest = last != NULL ? last->digest : 0;
    core->digest_index = core->applied;
    snapshots_prune(core);
    struct raft_event event = {.kind = RAFT_EVENT_TICK};
    (void)cores_step(cores, id, &event);
}

static void copy_messages(struct cores *cores, struct list *to, const struct list *from)
{
    *to = (struct list){0};
    list_each(from, at) {
        list_append(to, &message_copy(cores, message_of(at))->link);
    }
}

struct cores *cores_copy(const struct cores *cores)
{
    struct cores *copy = cores_new();
    copy->now_ns = cores->now_ns;
    copy->keeps_disks = cores->keeps_disks;
    array_copy(&copy->cuts, &cores->cuts);
    for (size_t i = 0; i < cores->all.count; i++) {
        const struct core *from = cores->all.items[i];
        struct core *core = memory_new(sizeof *core);
        *core = *from;
        core->raft = raft_copy(from->raft);
        core->disk = disk_copy(from->disk);
        array_copy(&core->reads, &from->reads);
        snapshots_copy(core, from);
        copy_messages(copy, &core->held, &from->held);
        copy_messages(copy, &core->pieces, &from->pieces);
        *array_push(&copy->all) = core;
    }
    for (const struct cores_message *at = cores_first(cores); at != NULL;
         at = cores_next(cores, at)) {
        struct cores_message *message = message_copy(copy, at);
        put_under_way(copy, message);
        message->number = at->number;
    }
    copy->sent = cores->sent;
    return copy;
}

/* ---- steps ---------------------------------------------------------------------------------- */

int64_t cores_now_ns(const struct cores *cores)
{
    return cores->now_ns;
}

void cores_set_now_ns(struct cores *cores, int64_t now_ns)
{
    ensure(now_ns >= cores->now_ns);
    cores->now_ns = now_ns;
}

/* Those that wait for a persist that is durable leave at once. */
static void send_after(struct cores *cores, struct core *core, const struct raft_update *update)
{
    uint64_t sequence =
        update->persist.sequence != 0 ? update->persist.sequence : update->messages_after_sequence;
    for (uint32_t i = 0; i < update->message_after_count; i++) {
        struct cores_message *message = message_from(cores, core, &update->messages_after[i]);
        if (sequence <= core->durable) {
            put_under_way(cores, message);
        } else {
            message->sequence = sequence;
            list_append(&core->held, &message->link);
        }
    }
}

static void send_at_once(struct cores *cores, const struct core *core,
                         const struct raft_update *update)
{
    for (uint32_t i = 0; i < update->message_count; i++) {
        put_under_way(cores, message_from(cores, core, &update->messages[i]));
    }
}

static void take_results(struct core *core, const struct raft_update *update)
{
    for (uint32_t i = 0; i < update->read_count; i++) {
        *array_push(&core->reads) = update->reads[i];
    }
    if (update->notice_count > 0 && update->notices[0].contradicts_in_term != 0) {
        core->contradicted = true;
    }
}

static void take_snapshots(struct cores *cores, struct core *core, const struct raft_update *update)
{
    const struct raft_message *piece = update->snapshot_piece;
    if (update->snapshot_abandoned || (piece != NULL && piece->offset == 0)) {
        snapshots_drop_received(cores, core);
    }
    if (piece != NULL) {
        struct cores_message *made = message_new(cores, piece);
        hold_batches(made);
        list_append(&core->pieces, &made->link);
    }
    if (update->compacted_first != 0 && core->disk != NULL) {
        disk_compact(core->disk, update->compacted_first);
    }
    if (update->installed_index != 0) {
        snapshots_installed(core, update->installed_index);
    }
}

static void carry_out(struct cores *cores, struct core *core, const struct raft_update *update)
{
    if ((update->message_count | update->message_after_count) != 0) {
        send_at_once(cores, core, update);
        send_after(cores, core, update);
    }
    if (update->persist.sequence != 0) {
        ensure(update->persist.sequence == core->asked + 1);
        core->asked = update->persist.sequence;
        if (core->disk != NULL) {
            disk_ask(core->disk, core->raft, &update->persist);
        }
    }
    if (update->snapshot_piece != NULL || update->snapshot_abandoned ||
        (update->compacted_first | update->installed_index) != 0) {
        take_snapshots(cores, core, update);
    }
    if (update->apply_first != 0) {
        ensure(update->apply_first == core->applied + 1);
        ensure(update->apply_last >= update->apply_first);
        core->applied = update->apply_last;
    }
    if ((update->read_count | update->notice_count) != 0) {
        take_results(core, update);
    }
    if (core->snapshots.count > 1) {
        snapshots_prune(core);
    }
    core->wants_flush = update->wants_flush;
    core->deadline_ns = update->deadline_ns;
}

static const struct raft_update *step(struct cores *cores, struct core *core,
                                      struct raft_event *event)
{
    const struct raft_update *update = NULL;
    event->now_ns = cores->now_ns;
    raft_step(core->raft, event, &update);
    carry_out(cores, core, update);
    return update;
}

const struct raft_update *cores_step(struct cores *cores, uint64_t id, struct raft_event *event)
{
    return step(cores, cores_core(cores, id), event);
}

const struct raft_update *cores_confirm(struct cores *cores, uint64_t id, uint64_t sequence)
{
    struct core *core = cores_core(cores, id);
    ensure(sequence <= core->asked);
    if (sequence <= core->durable) {
        return NULL;
    }
    core->durable = sequence;
    if (core->disk != NULL) {
        disk_write(core->disk, sequence);
    }
    for (struct list_link *at = list_first(&core->held); at != NULL; at = list_first(&core->held)) {
        if (message_of(at)->sequence > sequence) {
            break;
        }
        put_under_way(cores, message_of(at));
    }
    struct raft_event event = {.kind = RAFT_EVENT_PERSISTED, .sequence = sequence};
    return step(cores, core, &event);
}

/* ---- links ---------------------------------------------------------------------------------- */

static bool is_cut(const struct cores *cores, uint64_t from, uint64_t to)
{
    for (size_t i = 0; i < cores->cuts.count; i++) {
        if (cores->cuts.items[i].from == from && cores->cuts.items[i].to == to) {
            return true;
        }
    }
    return false;
}

void cores_cut(struct cores *cores, uint64_t from, uint64_t to)
{
    if (!is_cut(cores, from, to)) {
        *array_push(&cores->cuts) = (struct cut_link){from, to};
    }
}

void cores_heal(struct cores *cores)
{
    cores->cuts.count = 0;
}

const struct raft_update *cores_deliver(struct cores *cores, struct cores_message *message,
                                        bool keep)
{
    const struct raft_update *update = NULL;
    struct core *core = find(cores, message->message.to);
    if (!keep) {
        take_from_way(cores, message);
    }
    if (core != NULL && !is_cut(cores, message->message.from, core->id)) {
        struct raft_event event = {.kind = RAFT_EVENT_MESSAGE, .message = &message->message};
        update = step(cores, core, &event);
    }
    if (!keep) {
        cores_message_free(cores, message);
    }
    return update;
}
