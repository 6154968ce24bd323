/* Encodings of the rows of webhook/, field by field behind a version byte. Decides nothing. */
#include "webhook/record.h"

#include <stdio.h>

#include "webhook/policy.h"

enum { RECORD_V1 = 1, RECORD_V2 = 2, ATTEMPT_V3 = 3 /* with `settled` */ };
#define COUNTERS_KEY STR("webhook-counters")
#define LANE_KEY_PREFIX "webhook-lane:"
enum { LANE_KEY_LEN = sizeof(LANE_KEY_PREFIX) - 1 + sizeof(struct uuid) };

static const char *const state_names[DELIVERY_STATES] = {
    [DELIVERY_OWED] = "owed",           [DELIVERY_DELIVERED] = "delivered",
    [DELIVERY_EXHAUSTED] = "exhausted", [DELIVERY_DISCARDED] = "discarded",
    [DELIVERY_EXPIRED] = "expired",
};
static const char *const cause_names[DELIVERY_CAUSES] = {
    [CAUSE_EVENT] = "event",
    [CAUSE_REPLAY] = "replay",
    [CAUSE_PING] = "ping",
    [CAUSE_REPLAY_OTHER] = "replay",
};

const char *
delivery_state_name(enum delivery_state s)
{
    return state_names[s];
}

const char *
delivery_cause_name(enum delivery_cause c)
{
    return cause_names[c];
}

/* Opens a value of either version. */
static struct rec
open_versions(struct str value, uint8_t *ret_version)
{
    *ret_version = value.len > 0 && value.data[0] == RECORD_V1 ? RECORD_V1 : RECORD_V2;
    return rec_open(value, *ret_version);
}

static struct rec
open_attempt(struct str value, uint8_t *ret_version)
{
    if (value.len == 0 || value.data[0] != ATTEMPT_V3)
        return open_versions(value, ret_version);
    *ret_version = ATTEMPT_V3;
    return rec_open(value, ATTEMPT_V3);
}

/* Ends a put: the record is small, so running out of memory is a failed row like any other. */
static int
put_record(struct store_txn *txn, int table, struct str key, struct buf *value)
{
    int rc = buf_failed(value) ? STORE_EFULL : store_put(txn, table, key, buf_str(value));
    buf_done(value);
    return rc;
}

bool
event_decode(struct str value, struct event_record *ret)
{
    uint8_t version;
    struct rec r = open_versions(value, &version);
    struct event_record e = {.id = rec_uuid(&r)};
    e.batch_uid = rec_u32(&r);
    e.created_at_ns = rec_i64(&r);
    e.n_lines = rec_u32(&r);
    e.n_parts = rec_u32(&r);
    e.n_bytes = rec_u64(&r);
    e.first_delivery = rec_u64(&r);
    e.n_deliveries = rec_u32(&r);
    e.n_kept = rec_u32(&r);
    if (version >= RECORD_V2)
        e.type = rec_u8(&r);
    if (!rec_ok(&r) || e.type >= EVENT_TYPES)
        return false;
    *ret = e;
    return true;
}

int
event_get(struct store_txn *txn, uint64_t event, struct event_record *ret)
{
    uint8_t key[8];
    struct str value;
    int rc = store_get(txn, TABLE_EVENTS, key_u64(key, event), &value);
    if (rc != 1)
        return rc;
    return event_decode(value, ret) ? 1 : STORE_ECORRUPT;
}

int
event_put(struct store_txn *txn, uint64_t event, const struct event_record *e)
{
    uint8_t key[8];
    struct buf b = BUF_INIT;
    rec_put_u8(&b, RECORD_V2);
    rec_put_uuid(&b, &e->id);
    rec_put_u32(&b, e->batch_uid);
    rec_put_i64(&b, e->created_at_ns);
    rec_put_u32(&b, e->n_lines);
    rec_put_u32(&b, e->n_parts);
    rec_put_u64(&b, e->n_bytes);
    rec_put_u64(&b, e->first_delivery);
    rec_put_u32(&b, e->n_deliveries);
    rec_put_u32(&b, e->n_kept);
    rec_put_u8(&b, e->type);
    return put_record(txn, TABLE_EVENTS, key_u64(key, event), &b);
}

static void
read_delivery_v2(struct rec *r, struct delivery_record *d)
{
    d->cause = rec_u8(r);
    d->schedule_from = rec_u32(r);
    d->part = rec_u32(r);
    d->n_parts = rec_u32(r);
    d->first_line = rec_u32(r);
    d->n_lines = rec_u32(r);
    d->selection = rec_u32(r);
    d->n_tasks = rec_u32(r);
}

/* Before there were filters and parts, a delivery was the whole event. */
static void
default_delivery_v1(struct delivery_record *d)
{
    d->part = d->n_parts = 1;
    d->n_lines = d->n_tasks = DELIVERY_ALL_LINES;
}

bool
delivery_decode(struct str value, struct delivery_record *ret)
{
    uint8_t version;
    struct rec r = open_versions(value, &version);
    struct delivery_record d = {.event = rec_u64(&r)};
    d.webhook = rec_uuid(&r);
    d.sequence = rec_u64(&r);
    uint8_t state = rec_u8(&r);
    d.attempts = rec_u32(&r);
    d.due_at_ms = rec_i64(&r);
    d.created_at_ns = rec_i64(&r);
    d.finished_at_ns = rec_i64(&r);
    if (version >= RECORD_V2)
        read_delivery_v2(&r, &d);
    else
        default_delivery_v1(&d);
    if (!rec_ok(&r) || state >= DELIVERY_STATES || d.cause >= DELIVERY_CAUSES)
        return false;
    d.state = (enum delivery_state) state;
    *ret = d;
    return true;
}

int
delivery_get(struct store_txn *txn, uint64_t delivery, struct delivery_record *ret)
{
    uint8_t key[8];
    struct str value;
    int rc = store_get(txn, TABLE_DELIVERIES, key_u64(key, delivery), &value);
    if (rc != 1)
        return rc;
    return delivery_decode(value, ret) ? 1 : STORE_ECORRUPT;
}

int
delivery_put(struct store_txn *txn, uint64_t delivery, const struct delivery_record *d)
{
    uint8_t key[8];
    struct buf b = BUF_INIT;
    rec_put_u8(&b, RECORD_V2);
    rec_put_u64(&b, d->event);
    rec_put_uuid(&b, &d->webhook);
    rec_put_u64(&b, d->sequence);
    rec_put_u8(&b, (uint8_t) d->state);
    rec_put_u32(&b, d->attempts);
    rec_put_i64(&b, d->due_at_ms);
    rec_put_i64(&b, d->created_at_ns);
    rec_put_i64(&b, d->finished_at_ns);
    rec_put_u8(&b, d->cause);
    rec_put_u32(&b, d->schedule_from);
    rec_put_u32(&b, d->part);
    rec_put_u32(&b, d->n_parts);
    rec_put_u32(&b, d->first_line);
    rec_put_u32(&b, d->n_lines);
    rec_put_u32(&b, d->selection);
    rec_put_u32(&b, d->n_tasks);
    return put_record(txn, TABLE_DELIVERIES, key_u64(key, delivery), &b);
}

static void
read_text(struct rec *r, char *out, size_t cap)
{
    struct str s = rec_str(r);
    (void) snprintf(out, cap, "%.*s", STR_ARG(s)); /* cutting is what is wanted */
}

int
attempt_get(struct store_txn *txn, uint64_t delivery, uint32_t attempt, struct attempt_record *ret)
{
    uint8_t key[KEY_PART_LEN];
    struct str value;
    int rc = store_get(txn, TABLE_ATTEMPTS, key_numbered(key, delivery, attempt), &value);
    if (rc != 1)
        return rc;
    uint8_t version;
    struct rec r = open_attempt(value, &version);
    struct attempt_record a = {.started_at_ns = rec_i64(&r)};
    read_text(&r, a.outcome, sizeof(a.outcome));
    a.status = (int) rec_u32(&r);
    read_text(&r, a.address, sizeof(a.address));
    read_text(&r, a.detail, sizeof(a.detail));
    a.dns_us = rec_i64(&r);
    a.connect_us = rec_i64(&r);
    a.tls_us = rec_i64(&r);
    a.first_byte_us = rec_i64(&r);
    a.total_us = rec_i64(&r);
    if (version >= RECORD_V2) {
        read_text(&r, a.error_class, sizeof(a.error_class));
        a.response_headers = rec_str(&r);
        a.response_body = rec_str(&r);
        a.is_body_cut = rec_u8(&r) != 0;
    }
    if (version >= ATTEMPT_V3)
        a.settled = rec_str(&r);
    if (!rec_ok(&r))
        return STORE_ECORRUPT;
    *ret = a;
    return 1;
}

int
attempt_put(struct store_txn *txn, uint64_t delivery, uint32_t attempt,
            const struct attempt_record *a)
{
    uint8_t key[KEY_PART_LEN];
    struct buf b = BUF_INIT;
    rec_put_u8(&b, ATTEMPT_V3);
    rec_put_i64(&b, a->started_at_ns);
    rec_put_str(&b, str_from(a->outcome));
    rec_put_u32(&b, (uint32_t) a->status);
    rec_put_str(&b, str_from(a->address));
    rec_put_str(&b, str_from(a->detail));
    rec_put_i64(&b, a->dns_us);
    rec_put_i64(&b, a->connect_us);
    rec_put_i64(&b, a->tls_us);
    rec_put_i64(&b, a->first_byte_us);
    rec_put_i64(&b, a->total_us);
    rec_put_str(&b, str_from(a->error_class));
    rec_put_str(&b, a->response_headers);
    rec_put_str(&b, a->response_body);
    rec_put_u8(&b, a->is_body_cut);
    rec_put_str(&b, a->settled);
    return put_record(txn, TABLE_ATTEMPTS, key_numbered(key, delivery, attempt), &b);
}

static struct str
key_lane(uint8_t out[LANE_KEY_LEN], const struct uuid *webhook)
{
    size_t prefix = sizeof(LANE_KEY_PREFIX) - 1;
    memcpy(out, LANE_KEY_PREFIX, prefix);
    memcpy(out + prefix, webhook->bytes, sizeof(webhook->bytes));
    return str_make(out, LANE_KEY_LEN);
}

static void
read_health(struct rec *r, struct lane_health *h)
{
    h->failed_attempts = rec_u32(r);
    h->failing_since_ms = rec_i64(r);
    h->last_failed_ms = rec_i64(r);
    h->held_until_ms = rec_i64(r);
    h->disable_at_ms = rec_i64(r);
    h->disabled_at_ms = rec_i64(r);
    h->disabled = (enum lane_disabled) rec_u8(r);
}

int
lane_record_get(struct store_txn *txn, const struct uuid *webhook, struct lane_record *ret)
{
    uint8_t key[LANE_KEY_LEN];
    struct str value;
    int rc = store_get(txn, TABLE_META, key_lane(key, webhook), &value);
    if (rc < 0)
        return rc;
    if (rc == 0) {
        *ret = (struct lane_record){.next_sequence = 1};
        return 1;
    }
    uint8_t version;
    struct rec r = open_versions(value, &version);
    struct lane_record l = {.next_sequence = rec_u64(&r)};
    if (version == RECORD_V1)
        l.health.failed_attempts = rec_u8(&r) != 0;
    else
        read_health(&r, &l.health);
    if (!rec_ok(&r) || l.health.disabled >= LANE_DISABLED_REASONS)
        return STORE_ECORRUPT;
    *ret = l;
    return 1;
}

int
lane_record_put(struct store_txn *txn, const struct uuid *webhook, const struct lane_record *l)
{
    uint8_t key[LANE_KEY_LEN];
    struct buf b = BUF_INIT;
    rec_put_u8(&b, RECORD_V2);
    rec_put_u64(&b, l->next_sequence);
    rec_put_u32(&b, l->health.failed_attempts);
    rec_put_i64(&b, l->health.failing_since_ms);
    rec_put_i64(&b, l->health.last_failed_ms);
    rec_put_i64(&b, l->health.held_until_ms);
    rec_put_i64(&b, l->health.disable_at_ms);
    rec_put_i64(&b, l->health.disabled_at_ms);
    rec_put_u8(&b, (uint8_t) l->health.disabled);
    return put_record(txn, TABLE_META, key_lane(key, webhook), &b);
}

int
lane_record_delete(struct store_txn *txn, const struct uuid *webhook)
{
    uint8_t key[LANE_KEY_LEN];
    int rc = store_delete(txn, TABLE_META, key_lane(key, webhook));
    return rc < 0 ? rc : 0;
}

int
counters_get(struct store_txn *txn, struct counters_record *ret)
{
    struct str value;
    int rc = store_get(txn, TABLE_META, COUNTERS_KEY, &value);
    if (rc < 0)
        return rc;
    if (rc == 0) {
        *ret = (struct counters_record){.next_event = 1, .next_delivery = 1};
        return 1;
    }
    struct rec r = rec_open(value, RECORD_V1);
    struct counters_record c = {.next_event = rec_u64(&r)};
    c.next_delivery = rec_u64(&r);
    c.event_bytes = rec_u64(&r);
    if (!rec_ok(&r))
        return STORE_ECORRUPT;
    *ret = c;
    return 1;
}

int
counters_put(struct store_txn *txn, const struct counters_record *c)
{
    struct buf b = BUF_INIT;
    rec_put_u8(&b, RECORD_V1);
    rec_put_u64(&b, c->next_event);
    rec_put_u64(&b, c->next_delivery);
    rec_put_u64(&b, c->event_bytes);
    return put_record(txn, TABLE_META, COUNTERS_KEY, &b);
}

struct str
key_due(uint8_t out[KEY_DUE_LEN], const struct uuid *webhook, int64_t due_ms, uint64_t delivery)
{
    memcpy(out, webhook->bytes, sizeof(webhook->bytes));
    (void) key_u64(out + 16, due_ms < 0 ? 0 : (uint64_t) due_ms);
    (void) key_u64(out + 24, delivery);
    return str_make(out, KEY_DUE_LEN);
}

bool
key_due_read(struct str key, struct uuid *ret_webhook, int64_t *ret_due_ms, uint64_t *ret_delivery)
{
    if (key.len != KEY_DUE_LEN)
        return false;
    memcpy(ret_webhook->bytes, key.data, sizeof(ret_webhook->bytes));
    *ret_due_ms = (int64_t) key_read_u64(key, 16);
    *ret_delivery = key_read_u64(key, 24);
    return true;
}

struct str
key_sequence(uint8_t out[KEY_SEQUENCE_LEN], const struct uuid *webhook, uint64_t sequence)
{
    memcpy(out, webhook->bytes, sizeof(webhook->bytes));
    (void) key_u64(out + 16, sequence);
    return str_make(out, KEY_SEQUENCE_LEN);
}

bool
key_sequence_read(struct str key, struct uuid *ret_webhook, uint64_t *ret_sequence)
{
    if (key.len != KEY_SEQUENCE_LEN)
        return false;
    memcpy(ret_webhook->bytes, key.data, sizeof(ret_webhook->bytes));
    *ret_sequence = key_read_u64(key, 16);
    return true;
}

struct str
key_numbered(uint8_t out[KEY_PART_LEN], uint64_t number, uint32_t part)
{
    (void) key_u64(out, number);
    (void) key_u32(out + 8, part);
    return str_make(out, KEY_PART_LEN);
}

void
lines_begin(struct buf *part, uint32_t first_line)
{
    buf_clear(part);
    rec_put_u8(part, RECORD_V2);
    rec_put_u32(part, first_line);
}

bool
lines_first(struct str part, uint32_t *ret_line)
{
    struct rec r = rec_open(part, RECORD_V2);
    uint32_t line = rec_u32(&r);
    if (!r.failed)
        *ret_line = line;
    return !r.failed;
}

void
lines_add(struct buf *part, const struct line_view *line)
{
    rec_put_u8(part, line->index_uids.data != NULL);
    rec_put_str(part, line->index_uids);
    rec_put_u8(part, line->kind);
    rec_put_u8(part, line->status);
    rec_put_str(part, line->text);
}

int
lines_next(struct str part, size_t *at, struct line_view *ret)
{
    uint8_t version;
    struct rec r = open_versions(part, &version);
    if (*at > 0)
        r.rest = str_slice(part, *at, part.len);
    else if (version >= RECORD_V2)
        (void) rec_u32(&r); /* the number of the first line */
    if (r.failed)
        return STORE_ECORRUPT;
    if (r.rest.len == 0)
        return 0;
    bool has_index = rec_u8(&r) != 0;
    struct line_view line = {.index_uids = rec_str(&r)};
    if (!has_index)
        line.index_uids = STR_NULL;
    line.kind = rec_u8(&r);
    line.status = rec_u8(&r);
    line.text = rec_str(&r);
    if (r.failed)
        return STORE_ECORRUPT;
    *ret = line;
    *at = part.len - r.rest.len;
    return 1;
}
