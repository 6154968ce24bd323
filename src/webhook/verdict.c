/* Judges answers. Sends nothing and writes nothing. */
#include "webhook/verdict.h"

#include "base/clock.h"
#include "webhook/lane.h"
#include "webhook/lane_news.h"
#include "webhook/retry_after.h"
#include "webhook/schedule.h"
#include "webhook/state.h"

enum { STATUS_GONE = 410, STATUS_TOO_MANY = 429, STATUS_UNAVAILABLE = 503 };

struct verdict
verdict_of(const struct http_client_result *result, int64_t now_ms)
{
    struct verdict v = {0};
    if (result->outcome != HTTP_OUTCOME_ANSWERED)
        return v;
    struct str control = str_trim(http_headers_find(result->headers, STR("webhook-delivery")));
    v.is_success = result->status >= 200 && result->status < 300;
    v.is_final = !v.is_success && str_equal_nocase(control, STR("abort-message"));
    v.lane.is_success = v.is_success;
    v.lane.is_neutral = v.is_final;
    if (str_equal_nocase(control, STR("disable")))
        v.lane.disables = LANE_DISABLED_ASKED;
    else if (result->status == STATUS_GONE)
        v.lane.disables = LANE_DISABLED_GONE;
    if (result->retry_after != NULL &&
        (result->status == STATUS_TOO_MANY || result->status == STATUS_UNAVAILABLE))
        v.lane.retry_after_ms = retry_after_ms(str_from(result->retry_after), now_ms);
    return v;
}

/* Since the first attempt of the running schedule. */
static int64_t
schedule_age_ms(struct store_txn *txn, uint64_t delivery, const struct delivery_record *d)
{
    struct attempt_record first;
    int64_t began_ns = d->created_at_ns;
    if (d->attempts - d->schedule_from <= 1)
        return 0;
    if (attempt_get(txn, delivery, d->schedule_from + 1, &first) == 1)
        began_ns = first.started_at_ns;
    int64_t age_ms = (clock_wall_ns() - began_ns) / 1000000;
    return age_ms > 0 ? age_ms : 0;
}

int
verdict_apply(const struct verdict *v, struct lane *l, struct store_txn *txn, uint64_t delivery,
              struct delivery_record *d)
{
    const struct webhook *h = registry_find(l->webhooks, &l->uuid);
    if (v->is_success) {
        d->state = DELIVERY_DELIVERED;
        d->finished_at_ns = clock_wall_ns();
        return 0;
    }
    struct schedule_facts facts = {
        .attempts = d->attempts - d->schedule_from,
        .seed = delivery,
        .age_ms = schedule_age_ms(txn, delivery, d),
        .retry_after_ms = v->lane.retry_after_ms,
        .is_final = v->is_final,
    };
    if (h != NULL && policy_is_given(&h->policy, POLICY_RETRY_SCHEDULE)) {
        facts.has_own = true;
        facts.own_ms = h->policy.retry_ms;
        facts.n_own = h->policy.n_retries;
    }
    int64_t next_ms = schedule_next_ms(&facts);
    if (next_ms != SCHEDULE_EXHAUSTED) {
        d->due_at_ms = lanes_now_ms(l->webhooks) + next_ms;
        return 0;
    }
    d->state = DELIVERY_EXHAUSTED;
    d->finished_at_ns = clock_wall_ns();
    return lane_exhausted_emit(l, txn, delivery, d);
}
