#pragma once
/* Deliveries and attempts as JSON (README, "Inspect, resend, replay"). Private to the folder. */
#include "codec/json.h"
#include "webhook/record.h"

/* The members of a delivery's object, without its braces. */
void delivery_put_fields(struct json_out *j, struct store_txn *txn, uint64_t delivery,
                         const struct delivery_record *d);
/* The whole object of an attempt. */
void attempt_put_json(struct json_out *j, uint32_t number, const struct attempt_record *a);
