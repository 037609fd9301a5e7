/*
 * Fuzzes bare cores under the harness of cores/: each input is a run of events, in which any
 * message may be lost, delivered at any time or delivered twice, disks are slow, members change,
 * anybody starts elections, logs are compacted, snapshots sent and installed, and replicas crash.
 * No two lead one term, what one commits the others never contradict, and what a snapshot covers is
 * the same whoever took it. In the end, when nothing is lost any more, all members have all that
 * was ever committed. A copy of the whole hashes as the whole does.
 */
#include "cores/cores.h"
#include "support/fuzz.h"

#define CORES 5
#define VOTERS_FIRST 3
#define NUMBERS_MAX 1024 /* terms and indexes that are looked at; an input is shorter than that */
#define UNDER_WAY_MAX 64

struct run {
    struct cores *cores;
    uint64_t leaders[NUMBERS_MAX];   /* by term; 0: none was seen */
    uint64_t committed[NUMBERS_MAX]; /* by index, the term of the entry; 0: not committed yet */
    uint64_t looked_at[CORES + 1];   /* by id: its commit index then */
    uint64_t digests[NUMBERS_MAX];   /* by index, of what was applied up to there; 0: not known */
    uint64_t reads;
};

/* ---- what must hold ------------------------------------------------------------------------- */

static void check_commits(struct run *run, const struct raft *raft,
                          const struct raft_status *status)
{
    uint64_t *from = &run->looked_at[status->id];
    ensure(status->commit_index >= *from && status->commit_index < NUMBERS_MAX);
    for (uint64_t index = *from + 1; index <= status->commit_index; index++) {
        uint64_t term = raft_term_at(raft, index);
        if (index + 1 < status->first_index) {
            continue; /* a snapshot covers it */
        }
        ensure(term > 0 && (run->committed[index] == 0 || run->committed[index] == term));
        run->committed[index] = term;
    }
    *from = status->commit_index;
}

static void check(struct run *run)
{
    for (size_t i = 0; i < cores_count(run->cores); i++) {
        const struct core *core = cores_at(run->cores, i);
        struct raft_status status;
        raft_get_status(core->raft, &status);
        ensure(!core->contradicted && core->refused == 0 && status.term < NUMBERS_MAX);
        if (status.role == RAFT_LEADER) {
            uint64_t *leader = &run->leaders[status.term];
            ensure(*leader == 0 || *leader == status.id);
            *leader = status.id;
        }
        check_commits(run, core->raft, &status);
    }
}

/* ---- what happens --------------------------------------------------------------------------- */

static struct cores_message *pick(const struct run *run, uint8_t position)
{
    struct cores_message *message = cores_first(run->cores);
    for (size_t i = position % UNDER_WAY_MAX; i > 0 && message != NULL; i--) {
        struct cores_message *next = cores_next(run->cores, message);
        message = next == NULL ? cores_first(run->cores) : next;
    }
    return message;
}

static void submit(struct run *run, uint64_t id, uint8_t count)
{
    struct raft_entry entries[4];
    struct batch *batch = batch_copy(NULL, "command", 7);
    for (uint32_t i = 0; i < 4; i++) {
        entries[i] = (struct raft_entry){.batch = batch,
                                         .size_and_kind = raft_entry_pack(7, RAFT_ENTRY_COMMAND)};
    }
    struct raft_event event = {
        .kind = RAFT_EVENT_SUBMIT, .entries = entries, .entry_count = 1 + count % 4};
    (void)cores_step(run->cores, id, &event);
    batch_release(batch);
}

/* A bit for each member, from the second on. */
static struct raft_configuration configuration(uint8_t voters)
{
    struct raft_configuration members = {0};
    for (uint64_t id = 1; id <= CORES; id++) {
        if ((voters >> id & 1) != 0) {
            struct raft_member member = {.id = id, .directory = id, .voter = true};
            raft_configuration_put(&members, &member);
        }
    }
    return members;
}

static void change(struct run *run, uint64_t id, uint8_t voters)
{
    struct raft_configuration wanted = configuration(voters);
    wanted.preparing = (voters & 1) != 0;
    struct raft_event event = {.kind = RAFT_EVENT_CHANGE, .configuration = &wanted};
    (void)cores_step(run->cores, id, &event);
    raft_configuration_free(&wanted);
}

static void tell(struct run *run, uint64_t id, enum raft_event_kind kind)
{
    struct raft_event event = {.kind = kind, .force = true};
    if (kind == RAFT_EVENT_READ) {
        event.read_id = ++run->reads;
    }
    (void)cores_step(run->cores, id, &event);
}

/* To any of them, also to one that is no member, or to whom the leader thinks best. */
static void transfer(struct run *run, uint64_t id, uint8_t target)
{
    struct raft_event event = {.kind = RAFT_EVENT_TRANSFER, .target = target % (CORES + 1)};
    (void)cores_step(run->cores, id, &event);
}

static void confirm(struct run *run, uint64_t id, uint8_t fewer)
{
    const struct core *core = cores_find(run->cores, id);
    uint64_t sequence = core->asked > fewer % 4U ? core->asked - fewer % 4U : 0;
    (void)cores_confirm(run->cores, id, sequence);
}

static struct raft_options options_of(uint64_t id)
{
    return (struct raft_options){
        .id = id,
        .directory = id,
        .election_timeout_min_ns = RAFT_NEVER,
        .election_timeout_max_ns = RAFT_NEVER,
        .heartbeat_interval_ns = RAFT_NEVER,
        .window = 2,
        .max_entries = 2,
        .max_message_bytes = 64,
        .max_inflight_bytes = 64,
        .max_kept_bytes = id % 2 == 0 ? 0 : 400,
    };
}

static struct raft_configuration first_members(uint64_t id)
{
    return configuration(id <= VOTERS_FIRST ? (1U << (VOTERS_FIRST + 1)) - 2 : 0);
}

static void compact(struct run *run, uint64_t id, uint8_t tail)
{
    uint64_t applied = cores_find(run->cores, id)->applied;
    (void)cores_compact(run->cores, id, applied > tail ? applied + 1 - tail : 0, (size_t)tail * 8);
    uint64_t *known = &run->digests[applied];
    uint64_t digest = cores_digest(run->cores, id);
    ensure(*known == 0 || *known == digest);
    *known = digest;
}

static void crash(struct run *run, uint64_t id)
{
    struct raft_options options = options_of(id);
    struct raft_configuration members = first_members(id);
    cores_crash(run->cores, id, &options, &members);
    raft_configuration_free(&members);
    run->looked_at[id] = 0;
}

static void compare_copy(const struct run *run)
{
    struct cores *copy = cores_copy(run->cores);
    ensure(cores_hash(copy, NULL) == cores_hash(run->cores, NULL));
    cores_free(copy);
}

/* The store of a leader does not have any more what it is about to send. */
static void lose_snapshot(struct run *run, uint8_t position)
{
    const struct cores_message *message = pick(run, position);
    if (message != NULL && message->message.kind == RAFT_SNAPSHOT) {
        struct raft_event event = {.kind = RAFT_EVENT_SNAPSHOT_GONE, .message = &message->message};
        (void)cores_step(run->cores, message->message.from, &event);
    }
}

static void happen_on_disk(struct run *run, uint64_t id, uint8_t kind, uint8_t more)
{
    if (kind < 2) {
        cores_set_slow(run->cores, id, kind == 0);
    } else if (kind == 2 && more % 2 == 0) {
        compare_copy(run);
    } else if (kind == 2) {
        lose_snapshot(run, more);
    } else if (kind < 5) {
        compact(run, id, more);
    } else if (kind == 5) {
        crash(run, id);
    } else {
        (void)cores_write_piece(run->cores, id, kind == 7 && more < 4);
    }
}

static void happen(struct run *run, uint8_t kind, uint8_t more)
{
    uint64_t id = 1 + kind / 16 % CORES;
    struct cores_message *message = pick(run, more);
    if (kind % 16 < 7 && message != NULL) {
        (void)cores_deliver(run->cores, message,
                            kind % 16 == 0 && cores_under_way(run->cores) < UNDER_WAY_MAX);
    } else if (kind % 16 == 7 && message != NULL) {
        cores_drop(run->cores, message);
    } else if (kind % 16 == 8) {
        cores_flush(run->cores);
    } else if (kind % 16 == 9) {
        confirm(run, id, more);
    } else if (kind % 16 == 10) {
        submit(run, id, more);
    } else if (kind % 16 == 11) {
        change(run, id, more);
    } else if (kind % 16 == 12) {
        tell(run, id, RAFT_EVENT_CAMPAIGN);
    } else if (kind % 16 == 13 && more >= 128) {
        transfer(run, id, more);
    } else if (kind % 16 == 13) {
        tell(run, id, RAFT_EVENT_HEARTBEAT);
    } else if (kind % 16 == 14) {
        tell(run, id, RAFT_EVENT_READ);
    } else if (kind % 16 == 15) {
        happen_on_disk(run, id, more % 8, more / 8);
    }
    cores_let_write(run->cores, id);
}

static void start(struct run *run)
{
    run->cores = cores_new();
    cores_keep_disks(run->cores);
    for (uint64_t id = 1; id <= CORES; id++) {
        struct raft_options options = options_of(id);
        struct raft_configuration members = first_members(id);
        struct raft_start from = {.first_members = &members, .first_index = 1};
        const char *problem = NULL;
        struct raft *raft = raft_new(&options, &from, 0, &problem);
        ensure(raft != NULL);
        cores_add(run->cores, raft);
        raft_configuration_free(&members);
    }
}

/* ---- the end ------------------------------------------------------------------------------- */

static void settle(struct run *run)
{
    ensure(cores_settle(run->cores, (size_t)NUMBERS_MAX * UNDER_WAY_MAX));
    check(run);
}

/* Who leads in the highest term in which somebody does, and has committed in it; NULL: nobody. One
 * who was deposed learns of it at its next heartbeat; one who was removed may campaign for ever. */
static const struct core *leader_of(const struct run *run)
{
    const struct core *leader = NULL;
    uint64_t term = 0;
    for (size_t i = 0; i < cores_count(run->cores); i++) {
        const struct core *core = cores_at(run->cores, i);
        struct raft_status status;
        raft_get_status(core->raft, &status);
        bool is_certain = raft_term_at(core->raft, status.commit_index) == status.term;
        if (status.role == RAFT_LEADER && status.term > term && is_certain) {
            leader = core;
            term = status.term;
        }
    }
    return leader;
}

/* Disks do their work and nothing is lost any more: somebody comes to lead, and all members catch
 * up with it. */
static void finish(struct run *run)
{
    for (uint64_t id = 1; id <= CORES; id++) {
        cores_set_slow(run->cores, id, false);
        cores_let_write(run->cores, id);
    }
    settle(run);
    const struct core *leader = NULL;
    uint64_t rounds = 0; /* of the present leader: one that a change removes steps down */
    for (uint64_t i = 0; rounds < 8; i++) {
        ensure(i < 100);
        rounds = leader != NULL && leader_of(run) == leader ? rounds + 1 : 0;
        leader = leader_of(run);
        for (uint64_t id = 1; id <= CORES; id++) { /* one who leads an older term learns of it */
            tell(run, id, RAFT_EVENT_HEARTBEAT);
            settle(run);
        }
        /* Twice: who does not know it may have had this one's votes of the next term. */
        for (int again = 0; leader_of(run) == NULL && again < 2; again++) {
            tell(run, 1 + i % CORES, RAFT_EVENT_CAMPAIGN);
            cores_let_write(run->cores, 1 + i % CORES);
            settle(run);
        }
    }
    ensure(leader != NULL);
    ensure(leader->applied + 1 >= NUMBERS_MAX || run->committed[leader->applied + 1] == 0);
    for (size_t i = 0; i < cores_count(run->cores); i++) {
        const struct core *core = cores_at(run->cores, i);
        if (raft_configuration_find(raft_members(leader->raft), core->id) != NULL) {
            ensure(core->applied == leader->applied);
            ensure(cores_digest(run->cores, core->id) == cores_digest(run->cores, leader->id));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct run run = {.cores = NULL};
    start(&run);
    if (input_byte(&input) % 2 == 1) { /* what follows goes further where somebody leads already */
        tell(&run, 1, RAFT_EVENT_CAMPAIGN);
        cores_let_write(run.cores, 1);
        ensure(cores_settle(run.cores, NUMBERS_MAX));
    }
    for (size_t left = 500; left > 0 && input.size > 0; left--) {
        uint8_t kind = input_byte(&input);
        happen(&run, kind, input_byte(&input));
        check(&run);
    }
    finish(&run);
    cores_free(run.cores);
    return 0;
}
