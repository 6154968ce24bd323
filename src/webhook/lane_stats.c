/* Figures of the lanes, for metrics. Reads, never changes what it counts. */
#include "webhook/lane_stats.h"

#include "webhook/owed.h"
#include "webhook/state.h"

enum { OLDEST_STEPS_MAX = 100 };

const int64_t webhook_latency_bounds_us[WEBHOOK_LATENCY_BUCKETS - 1] = {
    500,        1000,       2500,        5000,        10 * 1000,    25 * 1000,   50 * 1000,
    100 * 1000, 250 * 1000, 1000 * 1000, 2500 * 1000, 10000 * 1000, 30000 * 1000};

static const char *const result_names[WEBHOOK_RESULTS] = {
    [WEBHOOK_RESULT_DELIVERED] = "delivered",
    [WEBHOOK_RESULT_STATUS] = "http_status",
    [WEBHOOK_RESULT_TIMEOUT] = "timeout",
    [WEBHOOK_RESULT_DNS] = "dns",
    [WEBHOOK_RESULT_ADDRESS_DENIED] = "address_denied",
    [WEBHOOK_RESULT_CONNECT] = "connect",
    [WEBHOOK_RESULT_TLS] = "tls",
    [WEBHOOK_RESULT_PROTOCOL] = "protocol",
    [WEBHOOK_RESULT_BAD_URL] = "bad_url",
    [WEBHOOK_RESULT_UNREADABLE] = "unreadable",
};

const char *
webhook_result_name(enum webhook_result r)
{
    return result_names[r];
}

static enum webhook_result
result_of(const struct attempt *a)
{
    static const enum webhook_result results[] = {
        [HTTP_OUTCOME_ANSWERED] = WEBHOOK_RESULT_STATUS,
        [HTTP_OUTCOME_TIMEOUT] = WEBHOOK_RESULT_TIMEOUT,
        [HTTP_OUTCOME_DNS] = WEBHOOK_RESULT_DNS,
        [HTTP_OUTCOME_ADDRESS_DENIED] = WEBHOOK_RESULT_ADDRESS_DENIED,
        [HTTP_OUTCOME_CONNECT] = WEBHOOK_RESULT_CONNECT,
        [HTTP_OUTCOME_TLS] = WEBHOOK_RESULT_TLS,
        [HTTP_OUTCOME_PROTOCOL] = WEBHOOK_RESULT_PROTOCOL,
        [HTTP_OUTCOME_BAD_URL] = WEBHOOK_RESULT_BAD_URL,
    };
    if (a->was_unreadable)
        return WEBHOOK_RESULT_UNREADABLE;
    return a->verdict.is_success ? WEBHOOK_RESULT_DELIVERED : results[a->outcome];
}

void
lane_count(struct lane *l, const struct attempt *a)
{
    struct webhooks_stats *all = &l->webhooks->stats;
    bool is_exhausted = a->after.state == DELIVERY_EXHAUSTED;
    size_t bucket = 0;
    all->attempts++;
    all->failed_attempts += !a->verdict.is_success;
    all->delivered += a->verdict.is_success;
    all->exhausted += is_exhausted;
    l->stats.exhausted += is_exhausted;
    l->stats.results[result_of(a)]++;
    if (a->record.total_us < 0)
        return;
    while (bucket < WEBHOOK_LATENCY_BUCKETS - 1 &&
           a->record.total_us > webhook_latency_bounds_us[bucket])
        bucket++;
    l->stats.latency[bucket]++;
    l->stats.latency_sum_us += (uint64_t) a->record.total_us;
}

/* --- reading --------------------------------------------------------------------------------- */

/* When the owed delivery that was made first was made. Among many finished ones it is not searched
 * for long: the one that is due first stands for it. 0: none. */
static int64_t
oldest_created_ns(const struct lane *l, struct store_txn *txn, const struct owed *owed)
{
    uint8_t key[KEY_SEQUENCE_LEN], due_key[KEY_DUE_LEN];
    struct uuid uuid;
    struct delivery_record d = {0};
    uint64_t number;
    int64_t due_at_ms;
    struct store_cursor c = {0};
    int rc = store_cursor_open(&c, txn, TABLE_WEBHOOK_DELIVERIES);
    if (rc == 0)
        rc = store_cursor_seek(&c, key_sequence(key, &l->uuid, owed->low_sequence));
    for (int i = 0; rc == 1 && i < OLDEST_STEPS_MAX; i++, rc = store_cursor_next(&c)) {
        if (!key_sequence_read(c.key, &uuid, &number) || !uuid_equal(&uuid, &l->uuid))
            break;
        if (c.value.len == 8 && delivery_get(txn, key_read_u64(c.value, 0), &d) == 1 &&
            d.state == DELIVERY_OWED) {
            store_cursor_close(&c);
            return d.created_at_ns;
        }
    }
    store_cursor_close(&c);
    c = (struct store_cursor){0};
    rc = store_cursor_open(&c, txn, TABLE_DELIVERY_DUE);
    if (rc == 0)
        rc = store_cursor_seek(&c, key_due(due_key, &l->uuid, 0, 0));
    bool found = rc == 1 && key_due_read(c.key, &uuid, &due_at_ms, &number) &&
                 uuid_equal(&uuid, &l->uuid) && delivery_get(txn, number, &d) == 1;
    store_cursor_close(&c);
    return found ? d.created_at_ns : 0;
}

static void
read_gauges(struct lane *l, struct store_txn *txn, struct webhook_stats *s)
{
    struct owed owed = {0};
    const struct webhook *h = registry_find(l->webhooks, &l->uuid);
    int64_t now_ms = lanes_now_ms(l->webhooks);
    s->uuid = l->uuid;
    s->in_flight = l->n_attempts;
    s->state = lane_state_name(lane_state_of(&l->health, h->policy.is_active, now_ms));
    if (txn == NULL || owed_get(txn, &l->uuid, &owed) != 1 || owed.count == 0)
        return;
    s->pending = owed.count;
    int64_t created_ns = oldest_created_ns(l, txn, &owed);
    if (created_ns != 0 && created_ns / 1000000 < now_ms)
        s->oldest_owed_ms = now_ms - created_ns / 1000000;
}

size_t
webhooks_stats_each(struct webhooks *w, struct webhook_stats out[WEBHOOKS_MAX + 1])
{
    struct store_txn *txn = turn_read(w->conf.turn);
    size_t n = 0;
    for (size_t i = 0; i < w->registry.n && n < WEBHOOKS_MAX + 1; i++) {
        if (!webhook_is_of_main_door(w->registry.items[i]))
            continue;
        struct lane *l = lane_of(w, &w->registry.items[i]->uuid);
        out[n] = l->stats;
        read_gauges(l, txn, &out[n++]);
    }
    store_abort(txn);
    return n;
}
