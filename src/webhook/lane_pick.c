/* Reads what is due. Changes nothing but the lane's memory of where the head of an ordered one is.
 */
#include "webhook/lane_pick.h"

#include "webhook/owed.h"
#include "webhook/state.h"

enum { ORDER_STEPS_MAX = 1000 /* rows of finished deliveries that one look passes */ };

/* The delivery of a due row. One that cannot be read is given out with event 0: its attempt fails
 * and removes the row. */
static struct due
describe(struct store_txn *txn, uint64_t delivery, int64_t due_at_ms)
{
    struct delivery_record d = {0};
    if (delivery_get(txn, delivery, &d) != 1)
        log_error("webhook", "a delivery cannot be read delivery=%llu",
                  (unsigned long long) delivery);
    return (struct due){
        .delivery = delivery,
        .event = d.event,
        .due_at_ms = due_at_ms,
        .is_first = d.attempts == 0,
    };
}

/* Whether it goes out now; else the picks wait for its time. A first attempt never waits: a due
 * time ahead means that the clock was set back since. */
static bool
is_due(const struct due *due, int64_t now_ms, struct picks *ret)
{
    if (due->due_at_ms <= now_ms || due->is_first)
        return true;
    ret->wait_ms = due->due_at_ms - now_ms;
    return false;
}

static int
pick_by_time(struct lane *l, struct store_txn *txn, unsigned wanted, struct picks *ret)
{
    uint8_t key[KEY_DUE_LEN];
    struct uuid uuid;
    uint64_t delivery;
    int64_t due_at_ms, now_ms = lanes_now_ms(l->webhooks);
    struct store_cursor c = {0};
    int rc = store_cursor_open(&c, txn, TABLE_DELIVERY_DUE);
    if (rc == 0)
        rc = store_cursor_seek(&c, key_due(key, &l->uuid, 0, 0));
    while (rc == 1 && ret->n < wanted) {
        if (!key_due_read(c.key, &uuid, &due_at_ms, &delivery) || !uuid_equal(&uuid, &l->uuid))
            break;
        if (lane_attempt(l, delivery) == NULL) {
            struct due due = describe(txn, delivery, due_at_ms);
            if (!is_due(&due, now_ms, ret))
                break;
            ret->items[ret->n++] = due;
        }
        rc = store_cursor_next(&c);
    }
    store_cursor_close(&c);
    return rc < 0 ? rc : 0;
}

/* Moves to the store's bound when that has risen above us, or was lowered by a resend. */
static void
follow_bound(struct lane *l, uint64_t low)
{
    if (low < l->low_seen || low > l->order_at)
        l->order_at = low;
    l->low_seen = low;
}

/* The first owed delivery from order_at on: 1 with its number, 0 when there is none, 2 when there
 * is more to look through, negative. */
static int
find_head(struct lane *l, struct store_txn *txn, uint64_t *ret_delivery,
          struct delivery_record *ret)
{
    uint8_t key[KEY_SEQUENCE_LEN];
    struct uuid uuid;
    struct store_cursor c = {0};
    int steps = 0;
    int rc = store_cursor_open(&c, txn, TABLE_WEBHOOK_DELIVERIES);
    if (rc == 0)
        rc = store_cursor_seek(&c, key_sequence(key, &l->uuid, l->order_at));
    while (rc == 1) {
        if (!key_sequence_read(c.key, &uuid, &l->order_at) || !uuid_equal(&uuid, &l->uuid)) {
            rc = 0;
            break;
        }
        *ret_delivery = c.value.len == 8 ? key_read_u64(c.value, 0) : 0;
        if (delivery_get(txn, *ret_delivery, ret) == 1 && ret->state == DELIVERY_OWED)
            break;
        l->order_at++;
        rc = ++steps < ORDER_STEPS_MAX ? store_cursor_next(&c) : 2;
    }
    store_cursor_close(&c);
    return rc;
}

static int
pick_by_sequence(struct lane *l, struct store_txn *txn, struct picks *ret)
{
    struct owed owed;
    struct delivery_record d;
    uint64_t delivery;
    int rc = owed_get(txn, &l->uuid, &owed);
    if (rc < 0)
        return rc;
    follow_bound(l, owed.low_sequence);
    rc = owed.count == 0 ? 0 : find_head(l, txn, &delivery, &d);
    if (rc == 2)
        ret->wait_ms = 0;
    if (rc == 0) /* from before there were sequences, or a row that cannot be read */
        return pick_by_time(l, txn, 1, ret);
    if (rc != 1)
        return rc < 0 ? rc : 0;
    struct due due = {.delivery = delivery,
                      .event = d.event,
                      .due_at_ms = d.due_at_ms,
                      .is_first = d.attempts == 0};
    if (lane_attempt(l, delivery) == NULL && is_due(&due, lanes_now_ms(l->webhooks), ret))
        ret->items[ret->n++] = due;
    return 0;
}

int
lane_pick(struct lane *l, struct store_txn *txn, bool is_ordered, unsigned wanted,
          struct picks *ret)
{
    ret->n = 0;
    ret->wait_ms = -1;
    if (wanted > LANE_STARTS_MAX)
        wanted = LANE_STARTS_MAX;
    return is_ordered ? pick_by_sequence(l, txn, ret) : pick_by_time(l, txn, wanted, ret);
}
