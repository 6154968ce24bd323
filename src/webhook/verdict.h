#pragma once
/* What an answer means: for the delivery, and for the lane. Pure but for reading the store. Private
 * to the folder. */
#include "net/http_client.h"
#include "webhook/lane_state.h"
#include "webhook/record.h"

struct lane;

/* 2xx is success, anything else a failure, 3xx too. 410 and "webhook-delivery: disable" disable the
 * webhook; "webhook-delivery: abort-message" ends a delivery that was not accepted, and says
 * nothing of the receiver's health; Retry-After counts with 429 and 503. */
struct verdict {
    bool is_success;
    bool is_final; /* not accepted, and never to be sent again */
    struct lane_outcome lane;
};
struct verdict verdict_of(const struct http_client_result *result, int64_t now_ms);

/* Sets what the delivery becomes after one more attempt (already counted in d->attempts): accepted,
 * due again, or exhausted. Leaves due_at_ms alone unless it is due again. 0 or negative. */
int verdict_apply(const struct verdict *v, struct lane *l, struct store_txn *txn, uint64_t delivery,
                  struct delivery_record *d);
