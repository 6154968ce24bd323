/* Chooses the sender of an attempt, and tells its end. */
#include "webhook/sending.h"

#include <stdlib.h>

#include "base/mem.h"
#include "webhook/state.h"

static const struct sender *const senders[CHANNEL_KINDS] = {
    [CHANNEL_WEBHOOK] = &sender_http,
    [CHANNEL_SLACK] = &sender_slack,
    [CHANNEL_EMAIL] = &sender_email,
    [CHANNEL_SMS] = &sender_sms,
};

/* --- ends
 * ---------------------------------------------------------------------------------------------- */

static void
free_memory(void *arg)
{
    free(arg);
}

static void
sending_free(struct sending *s)
{
    if (s->sender->free != NULL)
        s->sender->free(s);
    webhook_release(s->webhook);
    loop_timer_done(&s->timer);
    loop_defer(s->webhooks->conf.loop, free_memory, s); /* its timer may be running */
}

void
sending_end(struct sending *s, struct send_result *result)
{
    struct buf settled = BUF_INIT;
    if (s->recipients.channel != NULL)
        recipients_write(&settled, &s->recipients);
    result->settled = buf_str(&settled);
    s->fn(s->arg, result);
    buf_done(&settled);
    sending_free(s);
}

struct verdict
sending_judge_recipients(const struct sending *s)
{
    struct verdict v = {0};
    size_t n_open = recipients_count(&s->recipients, RECIPIENT_OPEN);
    v.is_success = n_open == 0 && recipients_count(&s->recipients, RECIPIENT_GIVEN_UP) == 0;
    v.is_final = n_open == 0 && !v.is_success;
    v.lane.is_success = v.is_success;
    return v;
}

static void
on_later(void *arg)
{
    struct sending *s = arg;
    struct http_client_result exchange = {
        .outcome = s->is_canceled ? HTTP_OUTCOME_CANCELED : s->later.outcome,
        .detail = s->later.detail,
        .address = "",
        .dns_us = -1,
        .connect_us = -1,
        .tls_us = -1,
        .first_byte_us = -1,
    };
    struct send_result result = {.exchange = &exchange, .error_class = s->later.error_class};
    if (s->later.outcome == HTTP_OUTCOME_ANSWERED)
        result.verdict = sending_judge_recipients(s);
    sending_end(s, &result);
}

void
sending_end_later(struct sending *s, enum http_outcome outcome, const char *detail,
                  const char *error_class)
{
    s->later = (struct send_later){outcome, detail, error_class};
    loop_timer_set_ms(&s->timer, 0);
}

/* --- beginnings
 * ---------------------------------------------------------------------------------------- */

static int64_t
timeout_of(const struct webhooks *w, const struct webhook *h)
{
    int64_t chosen = h->policy.timeout_ms > 0 ? h->policy.timeout_ms : w->conf.timeout_ms;
    return chosen > 0 && chosen < SENDING_DEADLINE_MAX_MS ? chosen : SENDING_DEADLINE_MAX_MS;
}

static void
load_recipients(struct sending *s, const struct delivery_record *d)
{
    const struct channel *c = s->webhook->policy.channel;
    s->recipients.channel = c;
    if (c == NULL || c->n_recipients == 0)
        return;
    struct store_txn *txn = turn_read(s->webhooks->conf.turn);
    recipients_load(&s->recipients, c, txn, s->delivery, d);
    store_abort(txn);
}

struct sending *
sending_start(struct webhooks *w, struct request *r, send_fn *fn, void *arg)
{
    struct sending *s = mem_new(1, sizeof(*s));
    const struct channel *c = r->webhook->policy.channel;
    *s = (struct sending){
        .sender = c == NULL ? &sender_http : senders[c->kind],
        .webhooks = w,
        .request = r,
        .webhook = webhook_hold(r->webhook),
        .delivery = r->number,
        .attempts = r->delivery.attempts - r->delivery.schedule_from,
        .timeout_ms = timeout_of(w, r->webhook),
        .fn = fn,
        .arg = arg,
    };
    loop_timer_init(&s->timer, w->conf.loop, on_later, s);
    load_recipients(s, &r->delivery);
    if (c != NULL && c->n_recipients > 0 && recipients_count(&s->recipients, RECIPIENT_OPEN) == 0)
        sending_end_later(s, HTTP_OUTCOME_ANSWERED, "no recipient is left to send to", "");
    else
        s->sender->start(s);
    s->request = NULL;
    return s;
}

void
sending_cancel(struct sending *s)
{
    s->is_canceled = true;
    if (!loop_timer_is_set(&s->timer))
        s->sender->cancel(s);
}

struct channel_rules
channel_rules_of(const struct webhooks *w)
{
    return (struct channel_rules){
        .policy = w->conf.policy,
        .has_smtp = w->conf.email.client != NULL,
        .has_sms = w->conf.sms.account_sid != NULL,
    };
}
