#pragma once
/* The part of GET /metrics that is about finished batches. */
#include "queue/queue.h"

int metrics_write_batches(struct queue *q, struct store_txn *txn, struct buf *out); /* 0 or neg. */
