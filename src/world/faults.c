/*
 * The fate of each message: intercepted, cut, dropped, late, twice, out of order, or simply passed
 * on. The same for every world: it is given the time, and hands back what is due and when. It never
 * looks into a frame behind its head, waits for nothing by itself and knows no connection.
 */
#include "world/internal.h"

#define REORDER_LATER 2
#define REORDER_WAIT_NS 100000000LL
#define SECOND_NS 1000000000ULL

__extension__ typedef unsigned __int128 wide;

struct faults *faults_new(uint64_t seed, struct trace *trace)
{
    struct faults *faults = memory_new_zeroed(1, sizeof *faults);

    faults->seed = seed;
    faults->trace = trace;
    return faults;
}

struct faults *faults_new_none(struct trace *trace)
{
    struct faults *faults = faults_new(0, trace);

    faults->is_none = true;
    return faults;
}

/* Of all links, the one whose deadline comes first; NULL: none is held. */
static struct held_frame *first_held(const struct faults *faults)
{
    return item_of(list_first(&faults->held), struct held_frame, of_all);
}

void faults_free(struct faults *faults)
{
    if (faults == NULL) {
        return;
    }
    while (!list_is_empty(&faults->held)) {
        struct held_frame *held = first_held(faults);
        list_remove(&held->of_all);
        batch_release(held->frame);
        memory_free(held);
    }
    faults_links_free(faults);
    memory_free(faults);
}

void faults_set_emit(struct faults *faults, faults_emit *emit, void *context)
{
    faults->emit = emit;
    faults->emit_context = context;
}

void faults_set_hook(struct faults *faults, faults_hook *hook, void *context)
{
    faults->hook = hook;
    faults->hook_context = context;
}

/* ---- dropping ------------------------------------------------------------------------------- */

static void report_drop(struct faults *faults, uint64_t from, uint64_t to, int64_t now_ns,
                        const struct batch *frame, const char *reason)
{
    if (faults->trace == NULL || !trace_wants(faults->trace, TRACE_DROP)) {
        return;
    }
    struct frame_head head;
    const char *problem = NULL;
    struct bytes bytes = {.data = frame->data, .size = frame->size};
    bool readable = frame_parse(bytes, false, &head, &problem) == FRAME_WHOLE;
    struct trace_event event = {
        .time_ns = now_ns,
        .kind = TRACE_DROP,
        .node = from,
        .peer = to,
        .message_number = readable ? head.number : 0,
        .text = {.data = (const uint8_t *)reason, .size = __builtin_strlen(reason)},
    };
    trace_emit(faults->trace, &event);
}

static void drop_on_link(struct faults *faults, struct fault_link *link, int64_t now_ns,
                         const struct batch *frame, const char *reason)
{
    faults_count_drop(faults, link->from);
    faults_count_lost(link, reason);
    report_drop(faults, link->from, link->to, now_ns, frame, reason);
}

void faults_drop(struct faults *faults, int64_t now_ns, uint64_t from, uint64_t to,
                 const struct batch *frame, const char *reason)
{
    if (faults->is_none) {
        report_drop(faults, from, to, now_ns, frame, reason);
    } else {
        drop_on_link(faults, faults_link(faults, from, to), now_ns, frame, reason);
    }
}

/* ---- time on the link ----------------------------------------------------------------------- */

/* Exactly one number for one delay, whatever its bounds: random_between may draw more. */
static int64_t delay_from_draw(const struct link_faults *of_link, uint64_t draw)
{
    uint64_t choices = (uint64_t)(of_link->delay_max_ns - of_link->delay_min_ns) + 1;

    return of_link->delay_min_ns + (int64_t)(((wide)draw * choices) >> 64);
}

/* How long the line is still busy with the one large frame that it may hold beside the others. */
static int64_t large_left_ns(const struct fault_link *link, int64_t now_ns)
{
    int64_t left_ns = link->large_until_ns - now_ns;

    return left_ns < 0 ? 0 : left_ns < link->large_ns ? left_ns : link->large_ns;
}

/* Whether one more frame fits behind what the line has to send for so long. */
static bool has_room(const struct fault_link *link, int64_t waiting_ns, uint32_t size)
{
    uint64_t waiting = waiting_ns > 0 ? (uint64_t)waiting_ns : 0;

    return (wide)waiting * link->in_force.bandwidth_bytes / SECOND_NS + size <=
           WORLD_QUEUE_BYTES_MAX;
}

/* A turn on a line of limited bandwidth. What is urgent goes before what waits, which loses that
 * time. Of what waits there is 1 MiB at most, and beside it one larger frame, so that what is large
 * gets its turn whatever else is sent; false: that is too much. */
static bool take_line(struct fault_link *link, int64_t now_ns, uint32_t size, bool *urgent,
                      int64_t *leaves_ns)
{
    uint64_t bandwidth = link->in_force.bandwidth_bytes;

    if (bandwidth == 0) {
        *urgent = false;
        *leaves_ns = now_ns;
        return true;
    }
    int64_t takes_ns = (int64_t)((size * SECOND_NS + bandwidth - 1) / bandwidth);
    int64_t large_ns = large_left_ns(link, now_ns);
    bool is_large = !*urgent && size > FRAME_BYTES_MAX && large_ns == 0;
    int64_t *free_ns = *urgent ? &link->urgent_free_ns : &link->line_free_ns;
    int64_t waiting_ns = *free_ns - now_ns - (*urgent ? 0 : large_ns);
    if (!is_large && !has_room(link, waiting_ns, size)) {
        return false;
    }
    *urgent = *urgent && link->line_free_ns > now_ns;
    *free_ns = (*free_ns > now_ns ? *free_ns : now_ns) + takes_ns;
    *leaves_ns = *free_ns;
    if (free_ns == &link->urgent_free_ns) {
        link->line_free_ns = (link->line_free_ns > now_ns ? link->line_free_ns : now_ns) + takes_ns;
    } else if (is_large) {
        link->large_until_ns = *leaves_ns;
        link->large_ns = takes_ns;
    }
    return true;
}

/* Delays keep the order of a link, among what overtakes a waiting line and among the rest. */
static int64_t due_in_order(struct fault_link *link, int64_t due_ns, bool overtakes)
{
    if (due_ns < link->urgent_due_ns) {
        due_ns = link->urgent_due_ns;
    }
    if (overtakes) {
        link->urgent_due_ns = due_ns;
        return due_ns;
    }
    if (due_ns < link->order_due_ns) {
        due_ns = link->order_due_ns;
    }
    link->order_due_ns = due_ns;
    return due_ns;
}

static void emit(struct faults *faults, struct fault_link *link, struct batch *frame, bool urgent,
                 int64_t due_ns)
{
    ensure(faults->emit != NULL);
    faults->emit(faults->emit_context, link->from, link->to, frame, urgent, due_ns, link->epoch);
}

/* ---- reordering ----------------------------------------------------------------------------- */

static void hold_back(struct faults *faults, const struct held_frame *held)
{
    struct held_frame *place = memory_new(sizeof *place);
    const struct held_frame *last =
        item_of(list_last(&faults->held), const struct held_frame, of_all);

    *place = *held;
    /* All wait equally long, so the order of sending is the order of deadlines. */
    ensure(last == NULL || last->deadline_ns <= place->deadline_ns);
    list_append(&faults->held, &place->of_all);
    list_append(&place->link->held, &place->of_link);
}

/* The frame of this link that waits longest; NULL: none is held. */
static struct held_frame *first_of_link(const struct fault_link *link)
{
    return item_of(list_first(&link->held), struct held_frame, of_link);
}

/* Lets that one go. */
static void let_go_first(struct faults *faults, struct fault_link *link, int64_t now_ns)
{
    struct held_frame *place = first_of_link(link);
    struct held_frame held = *place;

    list_remove(&place->of_all);
    list_remove(&place->of_link);
    memory_free(place);
    if (held.epoch != link->epoch) {
        drop_on_link(faults, link, now_ns, held.frame, link->lost_reason);
        batch_release(held.frame);
        return;
    }
    int64_t leaves_ns = held.leaves_ns > now_ns ? held.leaves_ns : now_ns;
    emit(faults, link, held.frame, held.urgent,
         due_in_order(link, leaves_ns + held.delay_ns, false));
}

/* A message of this link has gone: those that waited for it wait for one less. */
static void count_later(struct faults *faults, struct fault_link *link, int64_t now_ns)
{
    list_each(&link->held, at) {
        struct held_frame *held = item_of(at, struct held_frame, of_link);
        held->later -= held->later > 0; /* 0: it is being let go, and its world sent another */
    }
    /* Who waits longest has seen the most. */
    while (!list_is_empty(&link->held) && first_of_link(link)->later == 0) {
        let_go_first(faults, link, now_ns);
    }
}

int64_t faults_deadline(const struct faults *faults)
{
    const struct held_frame *first = first_held(faults);

    return first == NULL ? WORLD_NEVER : first->deadline_ns;
}

void faults_release(struct faults *faults, int64_t now_ns)
{
    while (faults_deadline(faults) <= now_ns) {
        let_go_first(faults, first_held(faults)->link, now_ns);
    }
}

/* ---- judging -------------------------------------------------------------------------------- */

/* The streams as they were before one message. All go on by a number, also those of faults that are
 * off and for messages that are cut or intercepted: one fault less leaves the fates of the others
 * as they were. The numbers themselves are made where they are asked for. */
struct draws {
    struct random of[STREAM_COUNT];
};

static struct draws draw_all(struct fault_link *link)
{
    struct draws draws;

    memcpy(draws.of, link->streams, sizeof draws.of);
    for (size_t i = 0; i < STREAM_COUNT; i++) {
        random_skip(&link->streams[i]);
    }
    return draws;
}

static uint64_t number_of(const struct draws *draws, enum stream_kind stream)
{
    struct random at = draws->of[stream];

    return random_next(&at);
}

static bool happens(const struct draws *draws, enum stream_kind stream, uint64_t chance)
{
    return chance != 0 && (number_of(draws, stream) >> 32) < chance;
}

/* The longest delay of a link that has no faults of its own. */
static int64_t usual_delay_ns(const struct faults *faults, const struct fault_link *link)
{
    bool is_clients = link->from == WORLD_CLIENT || link->to == WORLD_CLIENT;

    return is_clients ? 0 : faults->of_links_by_default.delay_max_ns;
}

/* Sends on what was not dropped: late, twice, behind its successors. */
static void pass(struct faults *faults, struct fault_link *link, int64_t now_ns,
                 struct batch *frame, bool urgent, const struct draws *draws)
{
    const struct link_faults *of_link = &link->in_force;
    bool overtakes = urgent;
    int64_t leaves_ns;

    if (!take_line(link, now_ns, frame->size, &overtakes, &leaves_ns)) {
        drop_on_link(faults, link, now_ns, frame, "queue full");
        batch_release(frame);
        return;
    }
    int64_t delay_ns = delay_from_draw(of_link, number_of(draws, STREAM_DELAY));
    bool reordered = happens(draws, STREAM_REORDER, of_link->reorder);
    struct batch *copy =
        happens(draws, STREAM_DUPLICATE, of_link->duplicate) ? batch_hold(frame) : NULL;

    link->effects[EFFECT_DELAY] += leaves_ns > now_ns || delay_ns > usual_delay_ns(faults, link);
    link->effects[EFFECT_DUPLICATE] += copy != NULL;
    link->effects[EFFECT_REORDER] += reordered;
    if (!reordered) {
        emit(faults, link, frame, urgent, due_in_order(link, leaves_ns + delay_ns, overtakes));
    }
    if (copy != NULL) {
        /* The copy of a reordered message does not wait with it. */
        int64_t copy_delay_ns = delay_from_draw(of_link, number_of(draws, STREAM_DUPLICATE_DELAY));
        emit(faults, link, copy, urgent, due_in_order(link, leaves_ns + copy_delay_ns, overtakes));
    }
    if (!reordered) {
        count_later(faults, link, now_ns);
        return;
    }
    hold_back(faults, &(struct held_frame){
                          .link = link,
                          .frame = frame,
                          .epoch = link->epoch,
                          .leaves_ns = leaves_ns,
                          .delay_ns = delay_ns,
                          .deadline_ns = now_ns + REORDER_WAIT_NS,
                          .later = REORDER_LATER,
                          .urgent = urgent,
                      });
}

void faults_send(struct faults *faults, int64_t now_ns, uint64_t from, uint64_t to,
                 struct batch *frame, bool urgent)
{
    if (faults->is_none) {
        faults->emit(faults->emit_context, from, to, frame, urgent, now_ns, 0);
        return;
    }
    struct fault_link *link = faults_link(faults, from, to);
    struct draws draws = draw_all(link);
    const char *reason = NULL;

    if (faults->hook != NULL) {
        enum faults_verdict verdict = faults->hook(faults->hook_context, from, to, frame);
        if (verdict == FAULTS_HOLD) {
            return;
        }
        reason = verdict == FAULTS_DROP ? "intercepted" : NULL;
    }
    if (reason == NULL) {
        reason = link->cut_reason;
    }
    if (reason == NULL && happens(&draws, STREAM_DROP, link->in_force.drop)) {
        reason = "drop";
    }
    if (reason != NULL) {
        drop_on_link(faults, link, now_ns, frame, reason);
        batch_release(frame);
        return;
    }
    pass(faults, link, now_ns, frame, urgent, &draws);
}
