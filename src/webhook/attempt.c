/* Attempts: the request of contract 7.5, its outcome, and the rows that record it. Decides neither
 * when an attempt starts (lane.c) nor when the next is due (schedule.c). */
#include "webhook/attempt.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "webhook/schedule.h"
#include "webhook/state.h"

enum {
    ATTEMPT_DEADLINE_MAX_MS = 30 * 1000, /* the longest that the queue waits (invariant 5) */
    RESPONSE_MAX_BYTES = 16 * 1024,
    OWN_HEADERS = 3,
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
    if (a->body != NULL)
        body_forget(a->body, &a->body_waiter);
    body_release(l->webhooks, a->body);
    turn_forget(l->webhooks->conf.turn, &a->waiter);
    loop_timer_done(&a->timer);
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
        http_exchange_cancel(a->exchange); /* on_result follows at the end of this turn */
        return;
    case ATTEMPT_BUILD:
    case ATTEMPT_RETRY:
        set_state(a, ATTEMPT_LEAVE);
        if (a->body != NULL)
            body_forget(a->body, &a->body_waiter);
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

/* Sets what the delivery becomes: accepted, due again, or exhausted. */
static void
judge(const struct attempt *a, struct delivery_record *d)
{
    if (a->is_success) {
        d->state = DELIVERY_DELIVERED;
        d->finished_at_ns = clock_wall_ns();
        return;
    }
    struct schedule_facts facts = {.attempts = d->attempts, .seed = a->delivery};
    int64_t next_ms = schedule_next_ms(&facts);
    if (next_ms != SCHEDULE_EXHAUSTED) {
        d->due_at_ms = clock_wall_ms() + next_ms;
        return;
    }
    d->state = DELIVERY_EXHAUSTED;
    d->finished_at_ns = clock_wall_ns();
}

static int
write_lane(struct store_txn *txn, const struct lane *l)
{
    struct lane_record record;
    int rc = lane_record_get(txn, &l->uuid, &record);
    if (rc < 0)
        return rc;
    if (record.is_failing == l->is_failing || registry_find(l->webhooks, &l->uuid) == NULL)
        return 0;
    record.is_failing = l->is_failing;
    return lane_record_put(txn, &l->uuid, &record);
}

/* Attempt row, delivery row, due row. */
static int
write_rows(struct attempt *a, struct store_txn *txn)
{
    uint8_t key[KEY_DUE_LEN];
    struct delivery_record d;
    const struct uuid *webhook = &a->lane->uuid;
    int rc =
        store_delete(txn, TABLE_DELIVERY_DUE, key_due(key, webhook, a->due_at_ms, a->delivery));
    if (rc < 0)
        return rc;
    rc = delivery_get(txn, a->delivery, &d);
    if (rc == 0 || rc == STORE_ECORRUPT) {
        a->after = (struct delivery_record){.state = DELIVERY_DISCARDED};
        return 0; /* nothing but the due row can be told, and that is gone now */
    }
    if (rc < 0)
        return rc;
    d.attempts++;
    if (d.state == DELIVERY_OWED)
        judge(a, &d);
    rc = attempt_put(txn, a->delivery, d.attempts, &a->record);
    if (rc == 0 && d.state == DELIVERY_OWED)
        rc = store_put(txn, TABLE_DELIVERY_DUE, key_due(key, webhook, d.due_at_ms, a->delivery),
                       STR_NULL);
    if (rc == 0)
        rc = delivery_put(txn, a->delivery, &d);
    a->after = d;
    return rc == 0 ? write_lane(txn, a->lane) : rc;
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
    if (a->is_success || !log_limit_pass(&l->log, LOGS_A_SECOND))
        return;
    if (h != NULL)
        url_write_redacted(&url, &h->target);
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
count(struct webhooks_stats *s, const struct attempt *a)
{
    s->attempts++;
    s->failed_attempts += !a->is_success;
    s->delivered += a->is_success;
    s->exhausted += a->after.state == DELIVERY_EXHAUSTED;
}

static void
on_recorded(void *arg, int result)
{
    struct attempt *a = arg;
    struct webhooks *w = a->lane->webhooks;
    if (result != 0 && !w->is_stopping) {
        set_state(a, ATTEMPT_RETRY);
        loop_timer_set_ms(&a->timer, LANE_HICCUP_MS);
        return;
    }
    if (result == 0) {
        count(&w->stats, a);
        log_failure(a);
        janitor_count_finished(w);
        if (registry_find(w, &a->lane->uuid) == NULL)
            janitor_discard_orphans(w); /* it may have become due again */
    }
    leave(a, false);
}

/* Every end of an exchange but a cancelation comes here. The queue goes on at once, it need not
 * wait for the record. */
static void
complete(struct attempt *a, bool is_success)
{
    struct pause *p = a->pause;
    struct webhooks *w = a->lane->webhooks;
    a->is_success = is_success;
    a->pause = NULL;
    record(a);
    pause_release(w, p);
}

/* --- sending --------------------------------------------------------------------------------- */

static void
describe(struct attempt_record *r, const struct http_client_result *result)
{
    (void) snprintf(r->outcome, sizeof(r->outcome), "%s", http_outcome_name(result->outcome));
    (void) snprintf(r->address, sizeof(r->address), "%s", result->address);
    r->status = result->status;
    if (result->outcome == HTTP_OUTCOME_ANSWERED)
        (void) snprintf(r->detail, sizeof(r->detail), "http status: %d", result->status);
    else
        (void) snprintf(r->detail, sizeof(r->detail), "%s",
                        result->detail[0] != '\0' ? result->detail : r->outcome);
    r->dns_us = result->dns_us;
    r->connect_us = result->connect_us;
    r->tls_us = result->tls_us;
    r->first_byte_us = result->first_byte_us;
    r->total_us = result->total_us;
}

static void
on_result(void *arg, const struct http_client_result *result)
{
    struct attempt *a = arg;
    a->exchange = NULL;
    if (result->outcome == HTTP_OUTCOME_CANCELED) {
        leave(a, a->state != ATTEMPT_LEAVE);
        return;
    }
    bool is_success =
        result->outcome == HTTP_OUTCOME_ANSWERED && result->status >= 200 && result->status < 300;
    describe(&a->record, result);
    a->lane->is_failing = !is_success;
    complete(a, is_success);
}

/* Ours first, then the user's in byte order (contract 7.5). The event's id is ours alone. The
 * client adds the general ones, and Authorization from a user name in the URL. */
static size_t
list_headers(const struct webhook *h, const char *event_id,
             struct http_header out[WEBHOOK_HEADERS_MAX + OWN_HEADERS])
{
    size_t n = 0;
    out[n++] = (struct http_header){"Content-Encoding", "gzip"};
    out[n++] = (struct http_header){"Content-Type", "application/x-ndjson"};
    out[n++] = (struct http_header){"webhook-id", event_id};
    for (size_t i = 0; i < h->n_headers; i++) {
        if (!str_equal_nocase(str_from(h->headers[i].name), STR("webhook-id")))
            out[n++] = (struct http_header){h->headers[i].name, h->headers[i].value};
    }
    return n;
}

static void
send_to(struct attempt *a, const struct webhook *h)
{
    struct webhooks *w = a->lane->webhooks;
    struct http_header headers[WEBHOOK_HEADERS_MAX + OWN_HEADERS];
    char event_id[UUID_TEXT_LEN + 1], pool[UUID_TEXT_LEN + 1];
    int64_t timeout_ms = w->conf.timeout_ms;
    struct http_client_request request = {
        .url = &h->target,
        .method = "POST",
        .headers = headers,
        .n_headers = list_headers(h, uuid_format(body_event_id(a->body), event_id), headers),
        .body = body_bytes(a->body),
        .timeout_ms = timeout_ms > 0 && timeout_ms < ATTEMPT_DEADLINE_MAX_MS
                          ? timeout_ms
                          : ATTEMPT_DEADLINE_MAX_MS,
        .max_response_bytes = RESPONSE_MAX_BYTES,
        .pool = uuid_format(&h->uuid, pool),
    };
    a->record.started_at_ns = clock_wall_ns();
    set_state(a, ATTEMPT_SEND);
    a->exchange = http_client_start(w->conf.client, &request, on_result, a);
}

/* The body is ready, or cannot be had. */
static void
send_body(void *arg)
{
    struct attempt *a = arg;
    struct webhooks *w = a->lane->webhooks;
    const struct webhook *h = registry_find(w, &a->lane->uuid);
    struct body *b = a->body;
    if (h == NULL) {
        attempt_cancel(a); /* deleted in this turn */
        return;
    }
    if (body_state(b) == BODY_READY) {
        send_to(a, h);
        a->body = NULL;
        body_release(w, b); /* the client has copied it */
        return;
    }
    a->record.started_at_ns = clock_wall_ns();
    (void) snprintf(a->record.outcome, sizeof(a->record.outcome), "unreadable");
    (void) snprintf(a->record.detail, sizeof(a->record.detail), "cannot read the event: %s",
                    body_failure(b));
    a->body = NULL;
    body_release(w, b);
    complete(a, false);
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
        .pause = pause,
        .body_waiter = {.fn = send_body, .arg = a},
        .record =
            {.dns_us = -1, .connect_us = -1, .tls_us = -1, .first_byte_us = -1, .total_us = -1},
        .waiter = {.fn = on_recorded, .arg = a},
    };
    loop_timer_init(&a->timer, w->conf.loop, on_retry, a);
    l->attempts = a;
    l->n_attempts++;
    a->body = body_take(w, due->event);
    if (body_state(a->body) == BODY_BUILDING)
        body_wait(a->body, &a->body_waiter);
    else
        send_body(a);
}
