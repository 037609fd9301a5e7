/*
 * Turns of the loop: flush and write, poll, then what is due. The world's clock, which runs only
 * within turns unless it is free-running; wake-ups and flushers.
 *
 * It never judges a deadline before the input that was there has been read (libuv's own timers do),
 * and never makes a system call for a deadline that an earlier one covers.
 */
#include "real/internal.h"

#include <math.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* Flushers and clients' messages bring about each other; after so many rounds input is read. */
#define ROUNDS_MAX 8
/* After a stall, what was due at different times fires in turns of its own, so that a heartbeat
 * that was due first arrives before the time-outs that it is to prevent. Real. */
#define DUE_TOGETHER_NS MILLISECOND_NS

/* ---- the clock ------------------------------------------------------------------------------ */

int64_t loop_monotonic_ns(void)
{
    struct timespec now;
    ensure(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (int64_t)now.tv_sec * SECOND_NS + now.tv_nsec;
}

static int64_t scale(int64_t duration_ns, double factor)
{
    double scaled = (double)duration_ns * factor;
    return scaled >= 0x1p62 ? INT64_C(1) << 62 : (int64_t)scaled;
}

int64_t loop_to_real(const struct real *real, int64_t world_ns)
{
    /* One more, so that the deadline has certainly passed then. */
    return real->speed == 1.0 ? world_ns : scale(world_ns, 1 / real->speed) + 1;
}

int64_t loop_to_world(const struct real *real, int64_t real_ns)
{
    return real->speed == 1.0 ? real_ns : scale(real_ns, real->speed);
}

static int64_t clock_at(const struct real *real, int64_t at_real_ns)
{
    int64_t shows_ns = real->base_ns + loop_to_world(real, at_real_ns - real->base_real_ns);
    return shows_ns > real->now_ns ? shows_ns : real->now_ns;
}

int64_t loop_look(struct real *real)
{
    if (real->in_turn || real->free_running) {
        real->now_real_ns = loop_monotonic_ns();
        real->now_ns = clock_at(real, real->now_real_ns);
    }
    return real->now_ns;
}

void loop_input_came(struct real *real)
{
    if (!real->looked) {
        real->looked = true;
        (void)loop_look(real);
    }
}

int64_t loop_now(struct real *real)
{
    return real->in_turn ? real->now_ns : loop_look(real);
}

int64_t loop_world_now(const struct world *world)
{
    const struct real *real = (const struct real *)(const void *)world;
    return real->in_turn || !real->free_running ? real->now_ns
                                                : clock_at(real, loop_monotonic_ns());
}

int64_t loop_world_look(struct world *world)
{
    return loop_look(real_of(world));
}

/* From here on it runs, showing what it showed when it was stopped. */
static void start_clock(struct real *real)
{
    real->now_real_ns = loop_monotonic_ns();
    real->base_real_ns = real->now_real_ns;
    real->base_ns = real->now_ns;
}

void loop_set_free_running(struct real *real, bool free_running)
{
    ensure(!real->in_turn);
    (void)loop_look(real);
    if (free_running && !real->free_running) {
        start_clock(real);
    }
    real->free_running = free_running;
}

void loop_set_origin(struct real *real, int64_t origin_real_ns)
{
    ensure(real->free_running && origin_real_ns <= real->base_real_ns);
    real->base_real_ns = origin_real_ns;
    real->base_ns = 0;
    (void)loop_look(real);
}

int64_t real_origin_ns(const struct world *world)
{
    const struct real *real = (const struct real *)(const void *)world;
    ensure(real->free_running && real->base_ns == 0);
    return real->base_real_ns;
}

/* ---- wake-ups and flushers ------------------------------------------------------------------ */

/* Who polls our descriptor sleeps until what was due when it asked. */
static void wake_pollers(struct real *real)
{
    if (real->wakes_pollers && !real->in_turn) {
        (void)uv_async_send(&real->interrupt);
    }
}

void loop_wake_at(struct world *world, struct wakeup *wakeup, int64_t at_ns)
{
    struct real *real = real_of(world);
    bool sooner = at_ns < agenda_earliest_ns(&real->agenda);
    agenda_wake_at(&real->agenda, wakeup, at_ns);
    if (sooner) {
        wake_pollers(real);
    }
}

void loop_flush_soon(struct world *world, struct flusher *flusher)
{
    agenda_flush_soon(&real_of(world)->agenda, flusher);
    wake_pollers(real_of(world));
}

void loop_flush_cancel(struct world *world, struct flusher *flusher)
{
    (void)world;
    agenda_flush_cancel(flusher);
}

static void fire_due(struct real *real)
{
    int64_t first_ns = agenda_next_ns(&real->agenda, real->now_ns);
    if (first_ns > real->now_ns) {
        return;
    }
    int64_t horizon_ns = first_ns + loop_to_world(real, DUE_TOGETHER_NS);
    horizon_ns = horizon_ns < real->now_ns ? horizon_ns : real->now_ns;
    /* What is set to fire at once, again and again, does not keep the input from being read. */
    for (size_t left = heap_count(&real->agenda.wakeups); left > 0; left--) {
        struct wakeup *wakeup = agenda_take(&real->agenda, horizon_ns);
        if (wakeup == NULL) {
            return;
        }
        real->world.events++;
        wakeup->fire(wakeup->context);
    }
}

/* ---- the timer ------------------------------------------------------------------------------ */

static void on_timer(void *owner, int events)
{
    (void)events;
    struct real *real = owner;
    uint64_t expirations = 0;
    /* Else a host that polls our descriptor would find it readable for ever. */
    ssize_t got = read(real->timer->descriptor, &expirations, sizeof expirations);
    (void)got; /* nothing there: it was set again meanwhile */
    real->timer_real_ns = WORLD_NEVER;
}

bool loop_open_timer(struct real *real)
{
    int descriptor = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (descriptor < 0) {
        return false;
    }
    real->timer_real_ns = WORLD_NEVER;
    real->timer = watch_open(real, descriptor, UV_READABLE, on_timer, real);
    return real->timer != NULL;
}

/* It only ends the poll. One that is set too early is left alone: an idle turn costs less than
 * setting it at each. */
static void set_timer(struct real *real, int64_t at_real_ns)
{
    if (real->timer_real_ns <= at_real_ns && real->timer_real_ns > real->now_real_ns) {
        return;
    }
    struct itimerspec when = {.it_value = {.tv_sec = (time_t)(at_real_ns / SECOND_NS),
                                           .tv_nsec = (long)(at_real_ns % SECOND_NS)}};
    ensure(timerfd_settime(real->timer->descriptor, TFD_TIMER_ABSTIME, &when, NULL) == 0);
    real->timer_real_ns = at_real_ns;
}

/* ---- turns ---------------------------------------------------------------------------------- */

static int64_t next_deadline(const struct real *real)
{
    int64_t alarm_ns = agenda_earliest_ns(&real->agenda);
    int64_t held_ns = faults_deadline(real->world.faults);
    return alarm_ns < held_ns ? alarm_ns : held_ns;
}

static bool has_work(const struct real *real)
{
    return agenda_has_flushers(&real->agenda) || real->local.count > 0 ||
           !list_is_empty(&real->unwritten);
}

int64_t loop_timeout_real_ns(const struct real *real)
{
    if (has_work(real) || real->unpolled) {
        return 0;
    }
    int64_t deadline_ns = next_deadline(real);
    int64_t now_ns = loop_world_now(&real->world);
    if (deadline_ns == WORLD_NEVER) {
        return WORLD_NEVER;
    }
    return deadline_ns <= now_ns ? 0 : loop_to_real(real, deadline_ns - now_ns);
}

/* Clients' messages, then flushers, so that what a flusher would send for want of anything better
 * (a commit notice) goes along with what the client brought; then one write for each connection.
 * Whether anybody was called: the caller of step may be waiting for what that brought about. */
static bool settle(struct real *real)
{
    bool was_busy = false;
    for (int round = 0; round < ROUNDS_MAX; round++) {
        bool delivered = local_deliver(real);
        bool flushed = agenda_flush(&real->agenda);
        if (!delivered && !flushed) {
            break;
        }
        was_busy = true;
    }
    writer_write_all(real);
    return was_busy;
}

static void poll_input(struct real *real, int64_t until_ns, bool may_wait)
{
    int64_t deadline_ns = next_deadline(real);
    deadline_ns = deadline_ns < until_ns ? deadline_ns : until_ns;
    may_wait = may_wait && deadline_ns > real->now_ns;
    if (may_wait && deadline_ns != WORLD_NEVER) {
        set_timer(real, real->base_real_ns + loop_to_real(real, deadline_ns - real->base_ns));
    }
    watch_begin_all(real);
    real->unpolled = false;
    real->looked = false;
    (void)uv_run(&real->loop, may_wait ? UV_RUN_ONCE : UV_RUN_NOWAIT);
}

static void handle_due(struct real *real)
{
    if (loop_look(real) >= faults_deadline(real->world.faults)) {
        faults_release(real->world.faults, real->now_ns);
    }
    fire_due(real);
    for (int round = 0; round < ROUNDS_MAX && local_deliver(real); round++) {
    }
}

bool loop_step(struct world *world, int64_t until_ns)
{
    struct real *real = real_of(world);
    ensure(!real->in_turn);
    real_free_pending(real);
    real->in_turn = true;
    if (real->free_running) {
        (void)loop_look(real);
    } else {
        start_clock(real);
    }
    bool was_busy = settle(real);
    poll_input(real, until_ns, !was_busy && !has_work(real));
    handle_due(real);
    if (real->free_running) {
        /* A host may wait for long before it comes back. A script comes back at once, perhaps with
         * something that goes along; for it the clock stands still meanwhile. */
        (void)settle(real);
    }
    int64_t now_ns = loop_look(real);
    real->in_turn = false;
    return now_ns < until_ns;
}
