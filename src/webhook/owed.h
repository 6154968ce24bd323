#pragma once
/* The owed deliveries of each webhook: their due rows, how many there are, and the lowest sequence
 * number they may have. Everybody who makes a delivery owed, or ends that, does it here, so that
 * the count is always what the rows are. Private to the folder.
 *
 *  TABLE_DELIVERY_DUE   webhook uuid, due ms u64be, delivery    empty
 *  TABLE_META           "webhook-owed:" uuid                    struct owed; no row: none owed */
#include "webhook/record.h"

struct owed {
    uint64_t count;
    uint64_t low_sequence; /* no owed delivery has a lower one; that one itself may have ended */
};
/* 1 with ret (nothing owed: zeroed), or negative. */
int owed_get(struct store_txn *txn, const struct uuid *webhook, struct owed *ret);

/* Each takes the delivery as stored or about to be stored (webhook, sequence, due_at_ms are read)
 * and leaves its own row to the caller. 0 or negative. */
int owed_add(struct store_txn *txn, uint64_t delivery, const struct delivery_record *d);
/* A delivery that is not owed any more; harmless when it had no due row. */
int owed_remove(struct store_txn *txn, uint64_t delivery, const struct delivery_record *d);
/* Still owed, at another time. */
int owed_move(struct store_txn *txn, uint64_t delivery, const struct delivery_record *d,
              int64_t to_due_at_ms);
/* A due row whose delivery cannot be read. */
int owed_remove_row(struct store_txn *txn, const struct uuid *webhook, int64_t due_at_ms,
                    uint64_t delivery);
