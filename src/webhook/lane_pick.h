#pragma once
/* What comes next in a lane, read from the store. Private to the folder. */
#include "webhook/lane.h"

struct picks {
    struct due items[LANE_STARTS_MAX];
    unsigned n;
    int64_t wait_ms; /* to the next look when fewer than wanted were due; -1: nothing is owed */
};
/* Up to `wanted` deliveries that are due and not in flight, the first due first; of an ordered lane
 * at most the head, the lowest owed sequence number. 0 or negative. */
int lane_pick(struct lane *l, struct store_txn *txn, bool is_ordered, unsigned wanted,
              struct picks *ret);
