/* Texts and events about lanes. Decides nothing. */
#include "webhook/lane_news.h"

#include "base/clock.h"

#include "codec/json.h"
#include "webhook/event_lines.h"
#include "webhook/organization.h"
#include "webhook/outbox.h"
#include "webhook/state.h"

static const enum event_type event_types[] = {
    [LANE_NEWS_FAILING] = EVENT_WEBHOOK_FAILING,
    [LANE_NEWS_DISABLED] = EVENT_WEBHOOK_DISABLED,
    [LANE_NEWS_RECOVERED] = EVENT_WEBHOOK_RECOVERED,
};

/* Scheme, host and path of where the webhook points: no secrets. */
static void
add_target(struct buf *out, const struct lane *l)
{
    const struct webhook *h = registry_find(l->webhooks, &l->uuid);
    if (h != NULL)
        webhook_write_target(out, h);
}

void
lane_news_log(const struct lane *l, enum lane_news news)
{
    const struct lane_health *health = &l->health;
    char uuid[UUID_TEXT_LEN + 1];
    struct buf url = BUF_INIT, since = BUF_INIT, at = BUF_INIT;
    (void) uuid_format(&l->uuid, uuid);
    add_target(&url, l);
    clock_format(&since, health->failing_since_ms * 1000000);
    clock_format(&at, health->disable_at_ms * 1000000);
    if (news == LANE_NEWS_FAILING)
        log_warn("webhook",
                 "this webhook has been failing for long and will be disabled webhook=%s url=%s "
                 "failing_since=%s failed_attempts=%u disable_at=%s",
                 uuid, buf_cstr(&url), buf_cstr(&since), health->failed_attempts, buf_cstr(&at));
    else if (news == LANE_NEWS_DISABLED)
        log_error("webhook",
                  "this webhook is disabled, what is owed to it is kept for a while webhook=%s "
                  "url=%s reason=%s",
                  uuid, buf_cstr(&url), lane_disabled_name(health->disabled));
    else
        log_info("webhook", "this webhook works again webhook=%s url=%s", uuid, buf_cstr(&url));
    buf_done(&url);
    buf_done(&since);
    buf_done(&at);
}

static void
put_webhook(struct json_out *j, const struct lane *l)
{
    char uuid[UUID_TEXT_LEN + 1];
    struct buf url = BUF_INIT;
    add_target(&url, l);
    json_key(j, "webhook");
    json_put_cstr(j, uuid_format(&l->uuid, uuid));
    json_key(j, "url");
    json_put_str(j, buf_str(&url));
    buf_done(&url);
}

static void
put_time(struct json_out *j, const char *name, int64_t at_ms)
{
    json_key(j, name);
    json_put_time(j, at_ms * 1000000);
}

static const enum catalog_event catalog_events[EVENT_TYPES] = {
    [EVENT_WEBHOOK_FAILING] = CATALOG_WEBHOOK_FAILING,
    [EVENT_WEBHOOK_EXHAUSTED] = CATALOG_WEBHOOK_EXHAUSTED,
    [EVENT_WEBHOOK_DISABLED] = CATALOG_WEBHOOK_DISABLED,
    [EVENT_WEBHOOK_RECOVERED] = CATALOG_WEBHOOK_RECOVERED,
    [EVENT_WEBHOOK_EXPIRED] = CATALOG_WEBHOOK_EXPIRED,
};

/* The same to organisations, in their envelope. */
static int
tell_organizations(struct lane *l, struct store_txn *txn, enum event_type type, struct str data)
{
    char uuid[UUID_TEXT_LEN + 1];
    struct organization_event e = {
        .type = catalog_events[type],
        .subject_type = STR("webhook"),
        .subject_id = str_from(uuid_format(&l->uuid, uuid)),
        .metadata = data,
        .about = &l->uuid,
    };
    if ((organization_wanted(l->webhooks) & CATALOG_BIT(e.type)) == 0)
        return 0;
    return organization_emit(l->webhooks, txn, &e, NULL);
}

/* Whether the delivery tells of a delivery: nothing is emitted about it. */
static bool
is_operational(struct store_txn *txn, const struct delivery_record *d, const struct event_record *e)
{
    struct line_view line;
    if (e->type != EVENT_ORGANIZATION)
        return event_type_is_operational((enum event_type) e->type);
    return event_lines_get(txn, d->event, e->n_parts, d->first_line, &line) == 1 &&
           line.kind >= CATALOG_WEBHOOK_FAILING && line.kind <= CATALOG_WEBHOOK_EXPIRED;
}

static int
emit(struct lane *l, struct store_txn *txn, enum event_type type, struct buf *data)
{
    struct emission e = {.type = type, .data = buf_str(data), .about = &l->uuid};
    int rc = buf_failed(data) ? STORE_EFULL : event_emit(l->webhooks, txn, &e, NULL);
    if (rc == 0)
        rc = tell_organizations(l, txn, type, buf_str(data));
    buf_done(data);
    return rc;
}

int
lane_news_emit(struct lane *l, struct store_txn *txn, enum lane_news news)
{
    const struct lane_health *h = &l->health;
    struct buf data = BUF_INIT;
    struct json_out j = json_out(&data);
    json_begin_object(&j);
    put_webhook(&j, l);
    if (news != LANE_NEWS_RECOVERED) {
        json_key(&j, "failedAttempts");
        json_put_u64(&j, h->failed_attempts);
        put_time(&j, "failingSince", h->failing_since_ms);
    }
    if (news == LANE_NEWS_FAILING)
        put_time(&j, "disableAt", h->disable_at_ms);
    if (news == LANE_NEWS_DISABLED) {
        put_time(&j, "disabledAt", h->disabled_at_ms);
        json_key(&j, "reason");
        json_put_cstr(&j, lane_disabled_name(h->disabled));
    }
    json_end_object(&j);
    return emit(l, txn, event_types[news], &data);
}

void
lane_exhausted_log(const struct lane *l, uint64_t delivery, const struct delivery_record *d)
{
    char uuid[UUID_TEXT_LEN + 1];
    log_error("webhook",
              "a delivery is given up, the ones behind it go on webhook=%s delivery=%llu "
              "sequence=%llu attempts=%u",
              uuid_format(&l->uuid, uuid), (unsigned long long) delivery,
              (unsigned long long) d->sequence, d->attempts);
}

/* The id of the delivery as the API shows it. */
static void
put_number(struct json_out *j, const char *name, uint64_t n)
{
    struct buf text = BUF_INIT;
    buf_add_u64(&text, n);
    json_key(j, name);
    json_put_str(j, buf_str(&text));
    buf_done(&text);
}

int
lane_exhausted_emit(struct lane *l, struct store_txn *txn, uint64_t delivery,
                    const struct delivery_record *d)
{
    struct event_record e;
    char id[UUID_TEXT_LEN + 1];
    int rc = event_get(txn, d->event, &e);
    if (rc != 1 || is_operational(txn, d, &e))
        return rc < 0 && rc != STORE_ECORRUPT ? rc : 0;
    struct buf data = BUF_INIT;
    struct json_out j = json_out(&data);
    json_begin_object(&j);
    put_webhook(&j, l);
    put_number(&j, "delivery", delivery);
    json_key(&j, "event");
    json_put_cstr(&j, uuid_format(&e.id, id));
    if (e.type == EVENT_BATCH_FINISHED) {
        json_key(&j, "batchUid");
        json_put_u64(&j, e.batch_uid);
    }
    json_key(&j, "sequence");
    json_put_u64(&j, d->sequence);
    json_key(&j, "attempts");
    json_put_u64(&j, d->attempts);
    json_end_object(&j);
    return emit(l, txn, EVENT_WEBHOOK_EXHAUSTED, &data);
}

void
lane_expired_log(const struct lane *l, const struct lane_expired *e)
{
    char uuid[UUID_TEXT_LEN + 1];
    log_warn("webhook",
             "deliveries to a disabled webhook were kept for too long or were too many, they are "
             "expired webhook=%s deliveries=%llu first_sequence=%llu last_sequence=%llu",
             uuid_format(&l->uuid, uuid), (unsigned long long) e->n,
             (unsigned long long) e->first_sequence, (unsigned long long) e->last_sequence);
}

int
lane_expired_emit(struct lane *l, struct store_txn *txn, const struct lane_expired *e)
{
    struct buf data = BUF_INIT;
    struct json_out j = json_out(&data);
    json_begin_object(&j);
    put_webhook(&j, l);
    json_key(&j, "deliveries");
    json_put_u64(&j, e->n);
    json_key(&j, "firstSequence");
    json_put_u64(&j, e->first_sequence);
    json_key(&j, "lastSequence");
    json_put_u64(&j, e->last_sequence);
    json_end_object(&j);
    return emit(l, txn, EVENT_WEBHOOK_EXPIRED, &data);
}
