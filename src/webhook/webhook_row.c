/* The stored form of a webhook.
 *
 *  v1  url, headers
 *  v2  origin u8 (stored_origins[]), url, headers, policy
 *
 * A new shape means a new version that webhook_row_read() knows next to the old ones. */
#include "base/mem.h"
#include "store/rec.h"
#include "store/tables.h"
#include "webhook/policy_fields.h"
#include "webhook/settings.h"

enum { RECORD_V1 = 1, RECORD_V2 = 2 };

/* As stored; the others read back as they are stored here. */
static const uint8_t stored_origins[] = {
    [WEBHOOK_API] = 0,          [WEBHOOK_CLI] = 0,      [WEBHOOK_DECLARED] = 1,
    [WEBHOOK_REPORTS] = 2,      [WEBHOOK_CALLBACK] = 3, [WEBHOOK_WITHDRAWN] = 0,
    [WEBHOOK_ORGANIZATION] = 4,
};
static const enum webhook_origin origins[] = {WEBHOOK_API, WEBHOOK_DECLARED, WEBHOOK_REPORTS,
                                              WEBHOOK_CALLBACK, WEBHOOK_ORGANIZATION};
enum { ORIGINS = sizeof(origins) / sizeof(origins[0]) };

struct str
webhook_key(const struct uuid *uuid)
{
    return str_make(uuid->bytes, sizeof(uuid->bytes));
}

static void
encode(struct buf *b, const struct webhook *h)
{
    rec_put_u8(b, RECORD_V2);
    rec_put_u8(b, stored_origins[h->origin]);
    rec_put_str(b, h->url);
    rec_put_u32(b, (uint32_t) h->n_headers);
    for (size_t i = 0; i < h->n_headers; i++) {
        rec_put_str(b, str_from(h->headers[i].name));
        rec_put_str(b, str_from(h->headers[i].value));
    }
    policy_encode(b, &h->policy);
}

int
webhook_row_put(struct store_txn *txn, const struct webhook *h)
{
    struct buf b = BUF_INIT;
    struct str stored;
    encode(&b, h);
    int rc = buf_failed(&b) ? STORE_EFULL
                            : store_get(txn, TABLE_WEBHOOKS, webhook_key(&h->uuid), &stored);
    if (rc == 0 || (rc == 1 && !str_equal(stored, buf_str(&b))))
        rc = store_put(txn, TABLE_WEBHOOKS, webhook_key(&h->uuid), buf_str(&b));
    mem_wipe(b.data, b.len);
    buf_done(&b);
    return rc < 0 ? rc : 0;
}

/* What follows the version byte; the slices point into the row. */
static bool
decode(struct rec *r, uint8_t version, struct webhook_draft *d, struct header_view *headers,
       struct webhook_policy *policy)
{
    uint8_t origin = version == RECORD_V1 ? 0 : rec_u8(r);
    d->origin = origin < ORIGINS ? origins[origin] : WEBHOOK_API;
    d->url = rec_str(r);
    uint32_t n = rec_u32(r);
    if (r->failed || origin >= ORIGINS || n > WEBHOOK_HEADERS_MAX)
        return false;
    for (; d->n_headers < n; d->n_headers++) {
        headers[d->n_headers] = (struct header_view){.name = rec_str(r)};
        headers[d->n_headers].value = rec_str(r);
    }
    return (version == RECORD_V1 || policy_decode(r, policy)) && rec_ok(r);
}

struct webhook *
webhook_row_read(struct str key, struct str value)
{
    struct header_view headers[WEBHOOK_HEADERS_MAX];
    struct webhook_policy policy;
    struct webhook_draft d = {.headers = headers, .policy = &policy};
    uint8_t version = value.len > 0 ? (uint8_t) value.data[0] : 0;
    if (key.len != sizeof(d.uuid.bytes) || (version != RECORD_V1 && version != RECORD_V2))
        return NULL;
    struct rec r = rec_open(value, version);
    memcpy(d.uuid.bytes, key.data, key.len);
    policy_init(&policy);
    struct webhook *h = decode(&r, version, &d, headers, &policy) ? webhook_new(&d) : NULL;
    policy_done(&policy);
    return h;
}
