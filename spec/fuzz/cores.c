/*
 * Fuzzes bare cores under the harness of cores/: each input is a run of events, in which any
 * message may be lost, delivered at any time or delivered twice, disks are slow, members change and
 * anybody starts elections. No two lead one term, and what one commits the others never contradict.
 * A copy of the whole hashes as the whole does.
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
        ensure(!core->contradicted && status.term < NUMBERS_MAX);
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

/* A bit for each member. */
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

static void compare_copy(const struct run *run)
{
    struct cores *copy = cores_copy(run->cores);
    ensure(cores_hash(copy, NULL) == cores_hash(run->cores, NULL));
    cores_free(copy);
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
        cores_set_slow(run->cores, id, more % 2 == 0);
        compare_copy(run);
    }
    cores_let_write(run->cores, id);
}

static void start(struct run *run)
{
    run->cores = cores_new();
    for (uint64_t id = 1; id <= CORES; id++) {
        struct raft_options options = {
            .id = id,
            .directory = id,
            .election_timeout_min_ns = RAFT_NEVER,
            .election_timeout_max_ns = RAFT_NEVER,
            .heartbeat_interval_ns = RAFT_NEVER,
            .window = 2,
            .max_entries = 2,
            .max_message_bytes = 64,
            .max_inflight_bytes = 64,
        };
        struct raft_configuration members =
            configuration(id <= VOTERS_FIRST ? (1U << (VOTERS_FIRST + 1)) - 2 : 0);
        struct raft_start from = {.first_members = &members, .first_index = 1};
        const char *problem = NULL;
        struct raft *raft = raft_new(&options, &from, 0, &problem);
        ensure(raft != NULL);
        cores_add(run->cores, raft);
        raft_configuration_free(&members);
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
    cores_free(run.cores);
    return 0;
}
