/* Attempts: the request of contract 7.5, its outcome, and the rows that record it. Decides neither
 * when an attempt starts (lane.c) nor when the next is due (schedule.c). */
#include "webhook/attempt.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "webhook/lane_news.h"
#include "webhook/lane_stats.h"
#include "webhook/owed.h"
#include "webhook/state.h"

enum {
    LOGS_A_SECOND = 5, /* a lane */
};

static void
set_state(struct attempt *a, enum attempt_state to)
{
    static const char *const names[ATTEMPT_STATES] = {"build", "send", "record", "retry", "leave"};
    log_debug("webhook", "attempt delivery=%llu %s -> %s", (unsigned long long) a->delivery,
              names[a->state], names[to]);
    a->state = to;
}

/* --- leaving --------------------------------------------------------------------------------- */

void
attempt_free(struct attempt *a)
{
    struct lane *l = a->lane;
    struct attempt **at = &l->attempts;
    while (*at != a)
        at = &(*at)->next;
    *at = a->next;
    l->n_attempts--;
    request_done(&a->request);
    turn_forget(l->webhooks->conf.turn, &a->waiter);
    loop_timer_done(&a->timer);
    buf_done(&a->answer);
    buf_done(&a->settled);
    free(a);
}

/* The attempt is over; nothing may be touched after the call. */
static void
leave(struct attempt *a, bool was_hiccup)
{
    struct lane *l = a->lane;
    struct pause *p = a->pause;
    struct webhooks *w = l->webhooks;
    attempt_free(a);
    pause_release(w, p);
    lane_attempt_left(l, was_hiccup); /* last: the end of stopping may free everything */
}

static void
leave_canceled(void *arg)
{
    struct attempt *a = arg;
    leave(a, false);
}

void
attempt_cancel(struct attempt *a)
{
    switch (a->state) {
    case ATTEMPT_SEND:
        set_state(a, ATTEMPT_LEAVE);
        sending_cancel(a->sending); /* on_result follows at the end of this turn */
        return;
    case ATTEMPT_BUILD:
    case ATTEMPT_RETRY:
        set_state(a, ATTEMPT_LEAVE);
        request_done(&a->request);
        loop_timer_clear(&a->timer);
        loop_defer(a->lane->webhooks->conf.loop, leave_canceled, a);
        return;
    case ATTEMPT_RECORD: /* ends with its commit */
    case ATTEMPT_LEAVE:
    case ATTEMPT_STATES:
        return;
    }
}

/* --- recording ------------------------------------------------------------------------------- */

/* What the attempt makes of its delivery: the due row and the two records. */
static int
write_delivery(struct attempt *a, struct store_txn *txn, struct delivery_record *d)
{
    const struct delivery_record before = *d;
    int rc = 0;
    d->attempts++;
    if (before.state == DELIVERY_OWED)
        rc = verdict_apply(&a->verdict, a->lane, txn, a->delivery, d);
    if (rc == 0 && before.state == DELIVERY_OWED)
        rc = d->state == DELIVERY_OWED ? owed_move(txn, a->delivery, &before, d->due_at_ms)
                                       : owed_remove(txn, a->delivery, &before);
    if (rc == 0)
        rc = attempt_put(txn, a->delivery, d->attempts, &a->record);
    return rc == 0 ? delivery_put(txn, a->delivery, d) : rc;
}

/* Attempt row, delivery row, due row, and what the lane has become. */
static int
write_rows(struct attempt *a, struct store_txn *txn)
{
    struct delivery_record d;
    int rc = delivery_get(txn, a->delivery, &d);
    if (rc == 0 || rc == STORE_ECORRUPT) {
        a->after = (struct delivery_record){.state = DELIVERY_DISCARDED};
        return owed_remove_row(txn, &a->lane->uuid, a->due_at_ms, a->delivery);
    }
    if (rc == 1)
        rc = write_delivery(a, txn, &d);
    if (rc < 0)
        return rc;
    a->after = d;
    return lane_write(a->lane, txn);
}

static void
record(struct attempt *a)
{
    struct turn *turn = a->lane->webhooks->conf.turn;
    set_state(a, ATTEMPT_RECORD);
    int rc = write_rows(a, turn_txn(turn));
    if (rc < 0)
        turn_fail(turn, rc);
    turn_wait(turn, &a->waiter);
}

static void
on_retry(void *arg)
{
    record(arg);
}

static void
log_failure(const struct attempt *a)
{
    struct lane *l = a->lane;
    const struct webhook *h = registry_find(l->webhooks, &l->uuid);
    char uuid[UUID_TEXT_LEN + 1];
    struct buf url = BUF_INIT, next = BUF_INIT;
    if (a->verdict.is_success || !log_limit_pass(&l->log, LOGS_A_SECOND))
        return;
    if (h != NULL)
        webhook_write_target(&url, h);
    if (a->after.state == DELIVERY_OWED)
        clock_format(&next, a->after.due_at_ms * 1000000);
    else
        buf_add_cstr(&next, delivery_state_name(a->after.state));
    log_error(
        "webhook",
        "While sending data to the webhook %s: %s outcome=%s delivery=%llu attempt=%u next=%s "
        "url=%s",
        uuid_format(&l->uuid, uuid), a->record.detail, a->record.outcome,
        (unsigned long long) a->delivery, a->after.attempts, buf_cstr(&next), buf_cstr(&url));
    buf_done(&url);
    buf_done(&next);
}

static void
on_recorded(void *arg, int result)
{
    struct attempt *a = arg;
    struct webhooks *w = a->lane->webhooks;
    lane_written(a->lane, result);
    if (result != 0 && !w->is_stopping) {
        set_state(a, ATTEMPT_RETRY);
        if (a->timer.loop == NULL)
            loop_timer_init(&a->timer, w->conf.loop, on_retry, a);
        loop_timer_set_ms(&a->timer, LANE_HICCUP_MS);
        return;
    }
    if (result == 0) {
        lane_count(a->lane, a);
        log_failure(a);
        if (a->after.state == DELIVERY_EXHAUSTED)
            lane_exhausted_log(a->lane, a->delivery, &a->after);
        janitor_count_finished(w);
        if (registry_find(w, &a->lane->uuid) == NULL)
            janitor_discard_orphans(w); /* it may have become due again */
    }
    leave(a, false);
}

/* Every end of an exchange but a cancelation comes here. The queue goes on at once, it need not
 * wait for the record. */
static void
complete(struct attempt *a)
{
    struct pause *p = a->pause;
    struct webhooks *w = a->lane->webhooks;
    a->pause = NULL;
    record(a);
    pause_release(w, p);
}

/* --- sending --------------------------------------------------------------------------------- */

/* One that was to be canceled may still end with something to remember. */
static void
on_result(void *arg, const struct send_result *result)
{
    struct attempt *a = arg;
    a->sending = NULL;
    if (result->exchange->outcome == HTTP_OUTCOME_CANCELED) {
        leave(a, a->state != ATTEMPT_LEAVE);
        return;
    }
    answer_describe(&a->record, &a->answer, result->exchange);
    if (result->error_class != NULL)
        answer_set_class(&a->record, result->error_class);
    buf_add_str(&a->settled, result->settled);
    if (!buf_failed(&a->settled))
        a->record.settled = buf_str(&a->settled);
    a->outcome = result->exchange->outcome;
    a->verdict = result->verdict;
    lane_take_outcome(a->lane, &a->verdict.lane);
    complete(a);
}

/* The request cannot be made. */
static void
complete_unsent(struct attempt *a, const char *failure, bool is_final)
{
    a->record.started_at_ns = clock_wall_ns();
    answer_describe_unreadable(&a->record, failure);
    if (is_final) {
        answer_set_class(&a->record, "template");
        a->verdict.is_final = a->verdict.lane.is_neutral = true;
    }
    request_done(&a->request);
    a->was_unreadable = true;
    complete(a);
}

/* The request is ready, or cannot be made. */
static void
on_request(void *arg)
{
    struct attempt *a = arg;
    struct webhooks *w = a->lane->webhooks;
    bool is_final;
    const char *failure = request_failure(&a->request, &is_final);
    if (registry_find(w, &a->lane->uuid) == NULL) {
        attempt_cancel(a); /* deleted in this turn */
        return;
    }
    if (failure != NULL) {
        complete_unsent(a, failure, is_final);
        return;
    }
    a->record.started_at_ns = clock_wall_ns();
    set_state(a, ATTEMPT_SEND);
    a->sending = sending_start(w, &a->request, on_result, a);
    request_done(&a->request); /* what is sent was copied */
}

void
attempt_start(struct lane *l, const struct due *due, struct pause *pause)
{
    struct webhooks *w = l->webhooks;
    struct attempt *a = mem_new(1, sizeof(*a));
    assert(!w->is_stopping);
    *a = (struct attempt){
        .next = l->attempts,
        .lane = l,
        .state = ATTEMPT_BUILD,
        .delivery = due->delivery,
        .due_at_ms = due->due_at_ms,
        .is_first = due->is_first,
        .pause = pause,
        .record =
            {.dns_us = -1, .connect_us = -1, .tls_us = -1, .first_byte_us = -1, .total_us = -1},
        .waiter = {.fn = on_recorded, .arg = a},
    };
    l->attempts = a;
    l->n_attempts++;
    const struct webhook *h = registry_find(w, &l->uuid); /* a lane without one starts nothing */
    request_begin(&a->request, w, due->delivery, h, on_request, a);
}
