/* Encodings of the rows of webhook/, field by field behind a version byte. Decides nothing. */
#include "webhook/record.h"

#include <stdio.h>

enum { RECORD_V1 = 1 };
#define COUNTERS_KEY STR("webhook-counters")
#define LANE_KEY_PREFIX "webhook-lane:"
enum { LANE_KEY_LEN = sizeof(LANE_KEY_PREFIX) - 1 + sizeof(struct uuid) };

static const char *const state_names[DELIVERY_STATES] = {
    [DELIVERY_OWED] = "owed",
    [DELIVERY_DELIVERED] = "delivered",
    [DELIVERY_EXHAUSTED] = "exhausted",
    [DELIVERY_DISCARDED] = "discarded",
};

const char *
delivery_state_name(enum delivery_state s)
{
    return state_names[s];
}

/* Ends a put: the record is small, so running out of memory is a failed row like any other. */
static int
put_record(struct store_txn *txn, int table, struct str key, struct buf *value)
{
    int rc = buf_failed(value) ? STORE_EFULL : store_put(txn, table, key, buf_str(value));
    buf_done(value);
    return rc;
}

int
event_get(struct store_txn *txn, uint64_t event, struct event_record *ret)
{
    uint8_t key[8];
    struct str value;
    int rc = store_get(txn, TABLE_EVENTS, key_u64(key, event), &value);
    if (rc != 1)
        return rc;
    struct rec r = rec_open(value, RECORD_V1);
    struct event_record e = {.id = rec_uuid(&r)};
    e.batch_uid = rec_u32(&r);
    e.created_at_ns = rec_i64(&r);
    e.n_lines = rec_u32(&r);
    e.n_parts = rec_u32(&r);
    e.n_bytes = rec_u64(&r);
    e.first_delivery = rec_u64(&r);
    e.n_deliveries = rec_u32(&r);
    e.n_kept = rec_u32(&r);
    if (!rec_ok(&r))
        return STORE_ECORRUPT;
    *ret = e;
    return 1;
}

int
event_put(struct store_txn *txn, uint64_t event, const struct event_record *e)
{
    uint8_t key[8];
    struct buf b = BUF_INIT;
    rec_put_u8(&b, RECORD_V1);
    rec_put_uuid(&b, &e->id);
    rec_put_u32(&b, e->batch_uid);
    rec_put_i64(&b, e->created_at_ns);
    rec_put_u32(&b, e->n_lines);
    rec_put_u32(&b, e->n_parts);
    rec_put_u64(&b, e->n_bytes);
    rec_put_u64(&b, e->first_delivery);
    rec_put_u32(&b, e->n_deliveries);
    rec_put_u32(&b, e->n_kept);
    return put_record(txn, TABLE_EVENTS, key_u64(key, event), &b);
}

bool
delivery_decode(struct str value, struct delivery_record *ret)
{
    struct rec r = rec_open(value, RECORD_V1);
    struct delivery_record d = {.event = rec_u64(&r)};
    d.webhook = rec_uuid(&r);
    d.sequence = rec_u64(&r);
    uint8_t state = rec_u8(&r);
    d.attempts = rec_u32(&r);
    d.due_at_ms = rec_i64(&r);
    d.created_at_ns = rec_i64(&r);
    d.finished_at_ns = rec_i64(&r);
    if (!rec_ok(&r) || state >= DELIVERY_STATES)
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
    rec_put_u8(&b, RECORD_V1);
    rec_put_u64(&b, d->event);
    rec_put_uuid(&b, &d->webhook);
    rec_put_u64(&b, d->sequence);
    rec_put_u8(&b, (uint8_t) d->state);
    rec_put_u32(&b, d->attempts);
    rec_put_i64(&b, d->due_at_ms);
    rec_put_i64(&b, d->created_at_ns);
    rec_put_i64(&b, d->finished_at_ns);
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
    struct rec r = rec_open(value, RECORD_V1);
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
    rec_put_u8(&b, RECORD_V1);
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
    struct rec r = rec_open(value, RECORD_V1);
    struct lane_record l = {.next_sequence = rec_u64(&r)};
    l.is_failing = rec_u8(&r) != 0;
    if (!rec_ok(&r))
        return STORE_ECORRUPT;
    *ret = l;
    return 1;
}

int
lane_record_put(struct store_txn *txn, const struct uuid *webhook, const struct lane_record *l)
{
    uint8_t key[LANE_KEY_LEN];
    struct buf b = BUF_INIT;
    rec_put_u8(&b, RECORD_V1);
    rec_put_u64(&b, l->next_sequence);
    rec_put_u8(&b, l->is_failing);
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
key_numbered(uint8_t out[KEY_PART_LEN], uint64_t number, uint32_t part)
{
    (void) key_u64(out, number);
    (void) key_u32(out + 8, part);
    return str_make(out, KEY_PART_LEN);
}

void
lines_begin(struct buf *part)
{
    buf_clear(part);
    rec_put_u8(part, RECORD_V1);
}

void
lines_add(struct buf *part, const struct line_view *line)
{
    rec_put_u8(part, line->index_uid.data != NULL);
    rec_put_str(part, line->index_uid);
    rec_put_u8(part, line->kind);
    rec_put_u8(part, line->status);
    rec_put_str(part, line->text);
}

int
lines_next(struct str part, size_t *at, struct line_view *ret)
{
    struct rec r = rec_open(part, RECORD_V1);
    if (*at > 0)
        r.rest = str_slice(part, *at, part.len);
    if (r.failed)
        return STORE_ECORRUPT;
    if (r.rest.len == 0)
        return 0;
    bool has_index = rec_u8(&r) != 0;
    struct line_view line = {.index_uid = rec_str(&r)};
    if (!has_index)
        line.index_uid = STR_NULL;
    line.kind = rec_u8(&r);
    line.status = rec_u8(&r);
    line.text = rec_str(&r);
    if (r.failed)
        return STORE_ECORRUPT;
    *ret = line;
    *at = part.len - r.rest.len;
    return 1;
}
