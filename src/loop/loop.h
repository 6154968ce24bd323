#pragma once
/* The event loop: one libevent base, three priorities, timers, slices of background work, the end
 * of a turn, deferred frees and signals. Everything runs on one thread; no function here may be
 * called from another. */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/histogram.h"

struct event_base;
struct loop;

/* Event priorities: the end of a turn comes before sockets, sockets before slices (which keep a
 * guaranteed share). */
enum loop_priority {
    LOOP_PRIORITY_TURN_END,
    LOOP_PRIORITY_SOCKETS,
    LOOP_PRIORITY_SLICES,
    LOOP_PRIORITIES
};

struct loop *loop_new(struct err *err); /* NULL with err on failure */
void loop_free(struct loop *l);
struct event_base *loop_base(struct loop *l); /* for net/ only */
void loop_run(struct loop *l);                /* until loop_stop */
void loop_stop(struct loop *l);

/* --- end of the turn
 * ------------------------------------------------------------------------------------------- A
 * turn is one pass of callbacks. loop_end_turn() asks for the registered steps to run, in the order
 * of registration, before any further socket is served; asking twice in a turn is one run. */
typedef void loop_fn(void *arg);
void loop_on_turn_end(struct loop *l, loop_fn *step, void *arg);
void loop_end_turn(struct loop *l);

/* Calls fn(arg) at the end of this turn, after every turn-end step: for freeing objects whose
 * callback is running. */
void loop_defer(struct loop *l, loop_fn *fn, void *arg);

/* --- timers
 * ----------------------------------------------------------------------------------------------------
 */
struct loop_timer {
    struct event *event; /* private */
    struct loop *loop;   /* private */
    int64_t due_us;      /* private */
    loop_fn *fn;
    void *arg;
};
/* fn may call loop_timer_set again; it may not free the timer's memory except through loop_defer.
 */
void loop_timer_init(struct loop_timer *t, struct loop *l, loop_fn *fn, void *arg);
void loop_timer_set_ms(struct loop_timer *t,
                       int64_t after_ms); /* monotonic; replaces an earlier time; 0 = next turn */
void loop_timer_clear(struct loop_timer *t);
bool loop_timer_is_set(const struct loop_timer *t);
void loop_timer_done(struct loop_timer *t); /* accepts a zeroed timer */

/* --- slices
 * ----------------------------------------------------------------------------------------------------
 * Background work in pieces. When awake, step(arg, deadline_us) is called again and again (a turn
 * of the loop between two calls), each time to work until clock_mono_us() reaches deadline_us and
 * return whether there is more to do at once. All awake slices take turns. Under a saturating
 * socket load they keep at least about a fifth of the core. */
enum loop_slice_result { SLICE_IDLE, SLICE_MORE };
typedef enum loop_slice_result loop_slice_fn(void *arg, int64_t deadline_us);
struct loop_slice {
    struct loop *loop;
    loop_slice_fn *step;
    void *arg;
    struct loop_slice *next, *prev; /* private: list of the awake */
    bool awake;
};
void loop_slice_init(struct loop_slice *s, struct loop *l, loop_slice_fn *step, void *arg);
void loop_slice_wake(struct loop_slice *s);  /* idempotent */
void loop_slice_sleep(struct loop_slice *s); /* idempotent; also from inside its own step */

/* --- signals
 * ---------------------------------------------------------------------------------------------------
 */
typedef void loop_signal_fn(void *arg, int signal_number);
int loop_on_signal(struct loop *l, int signal_number, loop_signal_fn *fn,
                   void *arg); /* negative on failure */

/* --- the wall clock
 * ---------------------------------------------------------------------------------------------------
 */
/* fn(arg) soon after somebody set the wall clock, or the machine woke from sleep. Negative when the
 * system cannot tell (logged): who depends on the wall clock must look at it now and then. One
 * caller a loop. */
int loop_on_clock_set(struct loop *l, loop_fn *fn, void *arg);

/* Figures for logs and metrics. */
struct loop_stats {
    uint64_t slices,
        floor_slices; /* floor: run ahead of waiting sockets to keep the guaranteed share */
    int64_t slice_us, longest_slice_us;
};
struct loop_stats loop_stats(const struct loop *l);
const struct histogram *loop_slice_times(const struct loop *l); /* microseconds each */
/* How late timers fire, in microseconds: how long whatever becomes ready waits for its turn. */
const struct histogram *loop_lateness(const struct loop *l);
