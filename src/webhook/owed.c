/* Due rows and their count, changed together. Knows neither lanes nor states of deliveries. */
#include "webhook/owed.h"

#include "store/rec.h"

enum { OWED_V1 = 1 };
#define OWED_KEY_PREFIX "webhook-owed:"
enum { OWED_KEY_LEN = sizeof(OWED_KEY_PREFIX) - 1 + sizeof(struct uuid) };

static struct str
key_owed(uint8_t out[OWED_KEY_LEN], const struct uuid *webhook)
{
    size_t prefix = sizeof(OWED_KEY_PREFIX) - 1;
    memcpy(out, OWED_KEY_PREFIX, prefix);
    memcpy(out + prefix, webhook->bytes, sizeof(webhook->bytes));
    return str_make(out, OWED_KEY_LEN);
}

int
owed_get(struct store_txn *txn, const struct uuid *webhook, struct owed *ret)
{
    uint8_t key[OWED_KEY_LEN];
    struct str value;
    int rc = store_get(txn, TABLE_META, key_owed(key, webhook), &value);
    if (rc < 0)
        return rc;
    struct owed o = {0};
    if (rc == 1) {
        struct rec r = rec_open(value, OWED_V1);
        o.count = rec_u64(&r);
        o.low_sequence = rec_u64(&r);
        if (!rec_ok(&r))
            return STORE_ECORRUPT;
    }
    *ret = o;
    return 1;
}

static int
owed_put(struct store_txn *txn, const struct uuid *webhook, const struct owed *o)
{
    uint8_t key[OWED_KEY_LEN];
    struct buf b = BUF_INIT;
    if (o->count == 0) {
        int rc = store_delete(txn, TABLE_META, key_owed(key, webhook));
        return rc < 0 ? rc : 0;
    }
    rec_put_u8(&b, OWED_V1);
    rec_put_u64(&b, o->count);
    rec_put_u64(&b, o->low_sequence);
    int rc = buf_failed(&b) ? STORE_EFULL
                            : store_put(txn, TABLE_META, key_owed(key, webhook), buf_str(&b));
    buf_done(&b);
    return rc;
}

int
owed_add(struct store_txn *txn, uint64_t delivery, const struct delivery_record *d)
{
    uint8_t key[KEY_DUE_LEN];
    struct owed o;
    int rc = owed_get(txn, &d->webhook, &o);
    if (rc < 0)
        return rc;
    if (o.count == 0 || d->sequence < o.low_sequence)
        o.low_sequence = d->sequence;
    o.count++;
    rc = store_put(txn, TABLE_DELIVERY_DUE, key_due(key, &d->webhook, d->due_at_ms, delivery),
                   STR_NULL);
    return rc < 0 ? rc : owed_put(txn, &d->webhook, &o);
}

/* One due row less; sequence 0: not known. */
static int
remove_row(struct store_txn *txn, const struct uuid *webhook, struct str key, uint64_t sequence)
{
    struct owed o;
    int rc = store_delete(txn, TABLE_DELIVERY_DUE, key);
    if (rc != 1)
        return rc;
    rc = owed_get(txn, webhook, &o);
    if (rc < 0)
        return rc;
    if (o.count > 0)
        o.count--;
    if (sequence != 0 && sequence == o.low_sequence)
        o.low_sequence++;
    return owed_put(txn, webhook, &o);
}

int
owed_remove(struct store_txn *txn, uint64_t delivery, const struct delivery_record *d)
{
    uint8_t key[KEY_DUE_LEN];
    return remove_row(txn, &d->webhook, key_due(key, &d->webhook, d->due_at_ms, delivery),
                      d->sequence);
}

int
owed_remove_row(struct store_txn *txn, const struct uuid *webhook, int64_t due_at_ms,
                uint64_t delivery)
{
    uint8_t key[KEY_DUE_LEN];
    return remove_row(txn, webhook, key_due(key, webhook, due_at_ms, delivery), 0);
}

int
owed_move(struct store_txn *txn, uint64_t delivery, const struct delivery_record *d,
          int64_t to_due_at_ms)
{
    uint8_t key[KEY_DUE_LEN];
    int rc =
        store_delete(txn, TABLE_DELIVERY_DUE, key_due(key, &d->webhook, d->due_at_ms, delivery));
    if (rc < 0)
        return rc;
    return store_put(txn, TABLE_DELIVERY_DUE, key_due(key, &d->webhook, to_due_at_ms, delivery),
                     STR_NULL);
}
