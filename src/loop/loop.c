/* The event loop. Owns the libevent base, the end-of-turn event, the slices' events and the signal
 * events; knows nothing of what runs in them. Entered through loop_run(). */
#include "loop/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

enum {
    SLICE_BUDGET_US = 200,   /* one slice when nothing else wants the core */
    FLOOR_PERIOD_MS = 2,     /* how often starved slices are looked for */
    FLOOR_STARVED_US = 1000, /* without a slice for so long while one is awake: starved */
    FLOOR_SHARE = 4, /* a starved slice gets 1/4 of the time it waited, a fifth of the core ... */
    FLOOR_BUDGET_MAX_US = 1500, /* ... but no more than this at once */
    LOOP_MAX_STEPS = 8,
    LOOP_MAX_SIGNALS = 8,
};

struct deferred {
    struct deferred *next;
    loop_fn *fn;
    void *arg;
};

struct signal_row {
    struct event *event;
    loop_signal_fn *fn;
    void *arg;
};

struct loop {
    struct event_base *base;
    struct event *turn_end;  /* a timer: for what is asked for by the end of a turn itself */
    struct event *batch_end; /* made active behind the sockets that are ready now */
    bool is_ending;
    struct {
        loop_fn *fn;
        void *arg;
    } steps[LOOP_MAX_STEPS];
    int n_steps;
    struct deferred *deferred, **deferred_tail;
    struct event *slice_event, *floor_event;
    struct loop_slice *slices; /* ring of the awake; the head runs next */
    int64_t last_slice_us;
    struct loop_stats stats;
    struct histogram slice_times, lateness;
    struct signal_row signals[LOOP_MAX_SIGNALS];
    int n_signals;
    struct {
        int fd; /* a timer that only a change of the wall clock ends; with event */
        struct event *event;
        loop_fn *fn;
        void *arg;
    } clock_set;
};

static const struct timeval now_tv = {0, 0};

static void
run_deferred(struct loop *l)
{
    struct deferred *list = l->deferred;
    l->deferred = NULL;
    l->deferred_tail = &l->deferred;
    while (list != NULL) {
        struct deferred *d = list;
        list = d->next;
        d->fn(d->arg);
        free(d);
    }
}

static void
on_turn_end(evutil_socket_t fd, short what, void *arg)
{
    struct loop *l = arg;
    (void) fd;
    (void) what;
    l->is_ending = true;
    for (int i = 0; i < l->n_steps; i++)
        l->steps[i].fn(l->steps[i].arg);
    run_deferred(l);
    l->is_ending = false;
}

static void
run_slice(struct loop *l, int64_t now_us, int64_t budget_us)
{
    struct loop_slice *s = l->slices;
    if (s == NULL)
        return;
    l->slices = s->next;
    enum loop_slice_result result = s->step(s->arg, now_us + budget_us);
    if (result == SLICE_IDLE)
        loop_slice_sleep(s);
    l->last_slice_us = clock_mono_us();
    int64_t took_us = l->last_slice_us - now_us;
    l->stats.slices++;
    l->stats.slice_us += took_us;
    histogram_add(&l->slice_times, took_us);
    if (took_us > l->stats.longest_slice_us)
        l->stats.longest_slice_us = took_us;
}

static void
on_slice(evutil_socket_t fd, short what, void *arg)
{
    struct loop *l = arg;
    (void) fd;
    (void) what;
    run_slice(l, clock_mono_us(), SLICE_BUDGET_US);
    if (l->slices != NULL)
        (void) event_add(l->slice_event, &now_tv); /* adding a timer fails only without memory */
}

static void
arm_floor(struct loop *l)
{
    struct timeval period = {0, FLOOR_PERIOD_MS * 1000};
    (void) event_add(l->floor_event, &period);
}

static void
on_floor(evutil_socket_t fd, short what, void *arg)
{
    struct loop *l = arg;
    (void) fd;
    (void) what;
    int64_t now = clock_mono_us(), starved = now - l->last_slice_us;
    if (l->slices != NULL && starved >= FLOOR_STARVED_US) {
        int64_t budget = starved / FLOOR_SHARE;
        l->stats.floor_slices++;
        run_slice(l, now, budget > FLOOR_BUDGET_MAX_US ? FLOOR_BUDGET_MAX_US : budget);
    }
    if (l->slices != NULL)
        arm_floor(l);
}

static struct event *
new_timer(struct loop *l, event_callback_fn fn, enum loop_priority priority)
{
    struct event *e = event_new(l->base, -1, 0, fn, l);
    if (e != NULL)
        (void) event_priority_set(e, (int) priority); /* in range by construction */
    return e;
}

static void
on_libevent_log(int severity, const char *message)
{
    static struct log_limit limit;
    if (severity >= EVENT_LOG_WARN && log_limit_pass(&limit, 5))
        log_warn("libevent", "%s", message);
}

struct loop *
loop_new(struct err *err)
{
    event_set_mem_functions(malloc, realloc, free); /* instead of calloc: see mem_new() */
    event_set_log_callback(on_libevent_log);
    struct loop *l = mem_new(1, sizeof(*l));
    struct event_config *config = event_config_new();
    l->deferred_tail = &l->deferred;
    l->slice_times.bounds = l->lateness.bounds = &histogram_times_us;
    if (config != NULL) {
        /* Half the epoll_ctl calls; safe because no descriptor here is ever dup()ed. */
        (void) event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
        l->base = event_base_new_with_config(config);
        event_config_free(config);
    }
    if (l->base == NULL || event_base_priority_init(l->base, LOOP_PRIORITIES) != 0) {
        (void) err_set(err, ERR_INTERNAL, "cannot create the event loop");
        loop_free(l);
        return NULL;
    }
    l->turn_end = new_timer(l, on_turn_end, LOOP_PRIORITY_TURN_END);
    l->batch_end = new_timer(l, on_turn_end, LOOP_PRIORITY_SOCKETS);
    l->slice_event = new_timer(l, on_slice, LOOP_PRIORITY_SLICES);
    l->floor_event = new_timer(l, on_floor, LOOP_PRIORITY_SOCKETS);
    if (l->turn_end == NULL || l->batch_end == NULL || l->slice_event == NULL ||
        l->floor_event == NULL) {
        (void) err_set(err, ERR_INTERNAL, "cannot create the loop's events");
        loop_free(l);
        return NULL;
    }
    return l;
}

static void
free_event(struct event *e)
{
    if (e != NULL)
        event_free(e);
}

void
loop_free(struct loop *l)
{
    if (l == NULL)
        return;
    while (l->deferred != NULL)
        run_deferred(l);
    for (int i = 0; i < l->n_signals; i++)
        free_event(l->signals[i].event);
    if (l->clock_set.event != NULL) {
        free_event(l->clock_set.event);
        (void) close(l->clock_set.fd); /* nothing was written to it */
    }
    free_event(l->turn_end);
    free_event(l->batch_end);
    free_event(l->slice_event);
    free_event(l->floor_event);
    if (l->base != NULL)
        event_base_free(l->base);
    free(l);
}

struct event_base *
loop_base(struct loop *l)
{
    return l->base;
}

void
loop_run(struct loop *l)
{
    if (event_base_loop(l->base, EVLOOP_NO_EXIT_ON_EMPTY) < 0)
        log_error("loop", "the event loop failed");
}

void
loop_stop(struct loop *l)
{
    (void) event_base_loopbreak(l->base); /* fails only for a NULL base */
}

void
loop_on_turn_end(struct loop *l, loop_fn *step, void *arg)
{
    if (l->n_steps == LOOP_MAX_STEPS)
        abort(); /* programmer error: raise the constant */
    l->steps[l->n_steps].fn = step;
    l->steps[l->n_steps++].arg = arg;
}

void
loop_end_turn(struct loop *l)
{
    if (event_pending(l->turn_end, EV_TIMEOUT, NULL) ||
        event_pending(l->batch_end, EV_TIMEOUT, NULL))
        return;
    /* An active event of the sockets' priority runs behind those that are ready, before the next
     * poll: what they changed about their descriptors and change back costs no call. From within
     * the end of a turn it would keep the loop from polling. */
    if (l->is_ending)
        (void) event_add(l->turn_end, &now_tv);
    else
        event_active(l->batch_end, EV_TIMEOUT, 0);
}

void
loop_defer(struct loop *l, loop_fn *fn, void *arg)
{
    struct deferred *d = mem_new(1, sizeof(*d));
    d->fn = fn;
    d->arg = arg;
    *l->deferred_tail = d;
    l->deferred_tail = &d->next;
    loop_end_turn(l);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct loop_timer *t = arg;
    (void) fd;
    (void) what;
    histogram_add(&t->loop->lateness, clock_mono_us() - t->due_us);
    t->fn(t->arg);
}

void
loop_timer_init(struct loop_timer *t, struct loop *l, loop_fn *fn, void *arg)
{
    t->fn = fn;
    t->arg = arg;
    t->loop = l;
    t->event = event_new(l->base, -1, 0, on_timer, t);
    if (t->event == NULL)
        abort(); /* small bounded size */
    (void) event_priority_set(t->event, LOOP_PRIORITY_SOCKETS);
}

void
loop_timer_set_ms(struct loop_timer *t, int64_t after_ms)
{
    if (after_ms < 0)
        after_ms = 0;
    struct timeval tv = {(time_t) (after_ms / 1000), (suseconds_t) (after_ms % 1000 * 1000)};
    t->due_us = clock_mono_us() + after_ms * 1000;
    (void) event_add(t->event, &tv);
}

void
loop_timer_clear(struct loop_timer *t)
{
    if (t->event != NULL)
        (void) event_del(t->event);
}

bool
loop_timer_is_set(const struct loop_timer *t)
{
    return t->event != NULL && evtimer_pending(t->event, NULL) != 0;
}

void
loop_timer_done(struct loop_timer *t)
{
    free_event(t->event);
    t->event = NULL;
}

void
loop_slice_init(struct loop_slice *s, struct loop *l, loop_slice_fn *step, void *arg)
{
    *s = (struct loop_slice){.loop = l, .step = step, .arg = arg};
}

void
loop_slice_wake(struct loop_slice *s)
{
    struct loop *l = s->loop;
    if (s->awake)
        return;
    s->awake = true;
    if (l->slices == NULL) {
        s->next = s->prev = s;
        l->slices = s;
        l->last_slice_us = clock_mono_us();
        (void) event_add(l->slice_event, &now_tv);
        arm_floor(l);
        return;
    }
    s->next = l->slices;
    s->prev = l->slices->prev;
    s->prev->next = s;
    s->next->prev = s;
}

void
loop_slice_sleep(struct loop_slice *s)
{
    struct loop *l = s->loop;
    if (!s->awake)
        return;
    s->awake = false;
    if (s->next == s) {
        l->slices = NULL;
    } else {
        s->prev->next = s->next;
        s->next->prev = s->prev;
        if (l->slices == s)
            l->slices = s->next;
    }
    s->next = s->prev = NULL;
}

static void
on_signal(evutil_socket_t number, short what, void *arg)
{
    struct signal_row *row = arg;
    (void) what;
    row->fn(row->arg, (int) number);
}

int
loop_on_signal(struct loop *l, int signal_number, loop_signal_fn *fn, void *arg)
{
    if (l->n_signals == LOOP_MAX_SIGNALS)
        return -1;
    struct signal_row *row = &l->signals[l->n_signals];
    *row = (struct signal_row){.fn = fn, .arg = arg};
    row->event = evsignal_new(l->base, signal_number, on_signal, row);
    if (row->event == NULL || event_priority_set(row->event, LOOP_PRIORITY_TURN_END) != 0 ||
        event_add(row->event, NULL) != 0) {
        free_event(row->event);
        return -1;
    }
    l->n_signals++;
    return 0;
}

/* A timer in the far future that is canceled when the clock is set (timerfd_create(2)): armed again
 * each time it was. */
static int
arm_clock_set(int fd)
{
    struct itimerspec never = {.it_value = {.tv_sec = (time_t) 1 << 40}};
    int rc;
    do
        rc = timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL);
    while (rc != 0 && errno == ECANCELED); /* set once more in between */
    return rc;
}

static void
on_clock_set(evutil_socket_t fd, short what, void *arg)
{
    struct loop *l = arg;
    uint64_t n;
    (void) what;
    /* ECANCELED is the news; after it the timer must be armed again */
    bool was_set = read(fd, &n, sizeof(n)) < 0 && errno == ECANCELED;
    if (arm_clock_set(fd) != 0)
        log_warn("loop", "changes of the clock are not seen any more error=\"%s\"",
                 strerror(errno));
    if (was_set)
        l->clock_set.fn(l->clock_set.arg);
}

int
loop_on_clock_set(struct loop *l, loop_fn *fn, void *arg)
{
    int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    l->clock_set.fn = fn;
    l->clock_set.arg = arg;
    if (fd >= 0 && arm_clock_set(fd) == 0)
        l->clock_set.event = event_new(l->base, fd, EV_READ | EV_PERSIST, on_clock_set, l);
    if (l->clock_set.event == NULL ||
        event_priority_set(l->clock_set.event, LOOP_PRIORITY_SOCKETS) != 0 ||
        event_add(l->clock_set.event, NULL) != 0) {
        log_warn("loop", "changes of the clock are not seen error=\"%s\"", strerror(errno));
        free_event(l->clock_set.event);
        l->clock_set.event = NULL;
        if (fd >= 0)
            (void) close(fd);
        return -1;
    }
    l->clock_set.fd = fd;
    return 0;
}

struct loop_stats
loop_stats(const struct loop *l)
{
    return l->stats;
}

const struct histogram *
loop_slice_times(const struct loop *l)
{
    return &l->slice_times;
}

const struct histogram *
loop_lateness(const struct loop *l)
{
    return &l->lateness;
}
