/* The loop: order of a turn, deferral, timers, slices and their guaranteed share, signals. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "base/clock.h"
#include "loop/loop.h"

struct fixture {
    struct loop *loop;
    char trace[64];
    struct loop_timer timer, other;
    struct loop_slice slices[2];
    int counts[2], ticks;
    int64_t started_us;
};

static int
setup(void **state)
{
    struct fixture *f = test_calloc(1, sizeof(*f));
    struct err err = ERR_INIT;
    f->loop = loop_new(&err);
    *state = f;
    return f->loop == NULL;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    loop_timer_done(&f->timer);
    loop_timer_done(&f->other);
    loop_free(f->loop);
    test_free(f);
    return 0;
}

static void
trace(struct fixture *f, char c)
{
    f->trace[strlen(f->trace)] = c;
}

static void
step_a(void *arg)
{
    trace(arg, 'a');
}

static void
step_b(void *arg)
{
    trace(arg, 'b');
}

static void
deferred(void *arg)
{
    struct fixture *f = arg;
    trace(f, 'd');
    if (strlen(f->trace) >= 6)
        loop_stop(f->loop);
    else
        loop_defer(f->loop, deferred, f);
}

static void
on_start(void *arg)
{
    struct fixture *f = arg;
    trace(f, 's');
    loop_defer(f->loop, deferred, f);
    loop_end_turn(f->loop);
    loop_end_turn(f->loop);
}

static void
turn_end_runs_its_steps_in_order_once_and_deferrals_after_them(void **state)
{
    struct fixture *f = *state;
    loop_on_turn_end(f->loop, step_a, f);
    loop_on_turn_end(f->loop, step_b, f);
    loop_timer_init(&f->timer, f->loop, on_start, f);
    loop_timer_set_ms(&f->timer, 0);
    loop_run(f->loop);
    assert_string_equal(f->trace,
                        "sabdabd"); /* a deferral from a deferral belongs to the next turn */
}

static void
on_ready(evutil_socket_t fd, short what, void *arg)
{
    struct fixture *f = arg;
    (void) fd;
    (void) what;
    trace(f, 's');
    loop_end_turn(f->loop);
}

static void
step_stop(void *arg)
{
    struct fixture *f = arg;
    trace(f, 'e');
    loop_stop(f->loop);
}

/* So that many requests share one commit. */
static void
a_turn_ends_behind_the_sockets_that_are_ready(void **state)
{
    struct fixture *f = *state;
    struct event *events[2];
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    loop_on_turn_end(f->loop, step_stop, f);
    for (int i = 0; i < 2; i++) { /* writable at once */
        events[i] = event_new(loop_base(f->loop), pair[i], EV_WRITE, on_ready, f);
        (void) event_priority_set(events[i], LOOP_PRIORITY_SOCKETS);
        assert_int_equal(event_add(events[i], NULL), 0);
    }
    loop_run(f->loop);
    assert_string_equal(f->trace, "sse");
    for (int i = 0; i < 2; i++) {
        event_free(events[i]);
        (void) close(pair[i]);
    }
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct fixture *f = arg;
    (void) fd;
    (void) what;
    loop_stop(f->loop);
}

static void
step_again(void *arg)
{
    struct fixture *f = arg;
    f->ticks++;
    loop_end_turn(f->loop);
}

/* A chain of commits, each of which wakes the next, must not keep the sockets waiting. */
static void
turns_that_ask_for_the_next_one_let_sockets_in(void **state)
{
    struct fixture *f = *state;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    struct event *e = event_new(loop_base(f->loop), pair[0], EV_WRITE | EV_PERSIST, on_writable, f);
    (void) event_priority_set(e, LOOP_PRIORITY_SOCKETS);
    assert_int_equal(event_add(e, NULL), 0);
    loop_on_turn_end(f->loop, step_again, f);
    loop_end_turn(f->loop);
    loop_run(f->loop);
    assert_in_range(f->ticks, 1, 100);
    event_free(e);
    (void) close(pair[0]);
    (void) close(pair[1]);
}

static void
on_first(void *arg)
{
    trace(arg, '1');
}

static void
on_last(void *arg)
{
    struct fixture *f = arg;
    trace(f, '2');
    loop_stop(f->loop);
}

static void
timers_fire_by_time_and_a_cleared_one_never(void **state)
{
    struct fixture *f = *state;
    loop_timer_init(&f->timer, f->loop, on_last, f);
    loop_timer_init(&f->other, f->loop, on_first, f);
    loop_timer_set_ms(&f->timer, 30);
    loop_timer_set_ms(&f->other, 1);
    assert_true(loop_timer_is_set(&f->other));
    loop_run(f->loop);
    assert_string_equal(f->trace, "12");
    loop_timer_set_ms(&f->other, 0);
    loop_timer_clear(&f->other);
    assert_false(loop_timer_is_set(&f->other));
    loop_timer_set_ms(&f->timer, 10);
    loop_run(f->loop);
    assert_string_equal(f->trace, "122");
}

static enum loop_slice_result
count_slice(void *arg, int64_t deadline_us)
{
    struct fixture *f = arg;
    (void) deadline_us;
    f->counts[0]++;
    return f->counts[0] < 50 ? SLICE_MORE : SLICE_IDLE;
}

static enum loop_slice_result
last_slice(void *arg, int64_t deadline_us)
{
    struct fixture *f = arg;
    assert_true(deadline_us > clock_mono_us() - 1000);
    f->counts[1]++;
    if (f->counts[0] == 50 && f->counts[1] >= 50)
        loop_stop(f->loop);
    return SLICE_MORE;
}

static void
awake_slices_take_turns_and_sleep_when_idle(void **state)
{
    struct fixture *f = *state;
    loop_slice_init(&f->slices[0], f->loop, count_slice, f);
    loop_slice_init(&f->slices[1], f->loop, last_slice, f);
    loop_slice_wake(&f->slices[0]);
    loop_slice_wake(&f->slices[0]);
    loop_slice_wake(&f->slices[1]);
    loop_run(f->loop);
    assert_int_equal(f->counts[0], 50);
    assert_in_range(f->counts[1], 49, 51);
    assert_false(f->slices[0].awake);
    loop_slice_sleep(&f->slices[1]);
    loop_slice_sleep(&f->slices[1]);
}

/* A socket pair that is always readable keeps the loop busy, as a saturating load does. */
static void
on_busy(evutil_socket_t fd, short what, void *arg)
{
    struct fixture *f = arg;
    (void) fd;
    (void) what;
    f->ticks++;
    for (int64_t until = clock_mono_us() + 50; clock_mono_us() < until;)
        ;
}

static enum loop_slice_result
share_slice(void *arg, int64_t deadline_us)
{
    struct fixture *f = arg;
    while (clock_mono_us() < deadline_us)
        ;
    if (++f->counts[0] == 20)
        loop_stop(f->loop);
    return SLICE_MORE;
}

static void
starved_slices_keep_a_share_under_a_saturating_load(void **state)
{
    struct fixture *f = *state;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(write(pair[1], "x", 1), 1);
    struct event *busy = event_new(loop_base(f->loop), pair[0], EV_READ | EV_PERSIST, on_busy, f);
    assert_int_equal(event_priority_set(busy, LOOP_PRIORITY_SOCKETS), 0);
    assert_int_equal(event_add(busy, NULL), 0);
    loop_slice_init(&f->slices[0], f->loop, share_slice, f);
    loop_slice_wake(&f->slices[0]);
    loop_run(f->loop);
    struct loop_stats stats = loop_stats(f->loop);
    assert_int_equal(stats.slices, 20);
    assert_true(stats.floor_slices >= 15);
    assert_true(f->ticks > 20);
    event_free(busy);
    close(pair[0]);
    close(pair[1]);
}

static void
on_signal(void *arg, int number)
{
    struct fixture *f = arg;
    f->ticks = number;
    loop_stop(f->loop);
}

static void
on_clock_set(void *arg)
{
    struct fixture *f = arg;
    f->ticks++;
}

static void
stop_loop(void *arg)
{
    struct fixture *f = arg;
    loop_stop(f->loop);
}

static void
clock_watch_is_quiet_while_nobody_sets_the_clock(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(loop_on_clock_set(f->loop, on_clock_set, f), 0);
    loop_timer_init(&f->timer, f->loop, stop_loop, f);
    loop_timer_set_ms(&f->timer, 20);
    loop_run(f->loop);
    assert_int_equal(f->ticks, 0);
}

static void
signals_arrive_as_callbacks(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(loop_on_signal(f->loop, SIGUSR1, on_signal, f), 0);
    assert_int_equal(raise(SIGUSR1), 0);
    loop_run(f->loop);
    assert_int_equal(f->ticks, SIGUSR1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            turn_end_runs_its_steps_in_order_once_and_deferrals_after_them, setup, teardown),
        cmocka_unit_test_setup_teardown(a_turn_ends_behind_the_sockets_that_are_ready, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(turns_that_ask_for_the_next_one_let_sockets_in, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(timers_fire_by_time_and_a_cleared_one_never, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(awake_slices_take_turns_and_sleep_when_idle, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(starved_slices_keep_a_share_under_a_saturating_load, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(signals_arrive_as_callbacks, setup, teardown),
        cmocka_unit_test_setup_teardown(clock_watch_is_quiet_while_nobody_sets_the_clock, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
