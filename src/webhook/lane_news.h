#pragma once
/* What a lane tells people: lines in the log, and operational events to the webhooks that subscribe
 * to them. Private to the folder.
 *
 * A webhook hears nothing of itself, and nothing is emitted about deliveries of operational events;
 * a lane's own changes are few (a warning, an end, a recovery). So two dead webhooks that subscribe
 * cannot keep each other busy. */
#include "webhook/lane.h"

void lane_news_log(const struct lane *l, enum lane_news news);
/* Into the turn's transaction; 0 or negative. */
int lane_news_emit(struct lane *l, struct store_txn *txn, enum lane_news news);

/* The schedule of a delivery has ended. */
void lane_exhausted_log(const struct lane *l, uint64_t delivery, const struct delivery_record *d);
int lane_exhausted_emit(struct lane *l, struct store_txn *txn, uint64_t delivery,
                        const struct delivery_record *d);
/* Deliveries were owed to a disabled webhook for too long, or were too many. */
struct lane_expired {
    uint64_t n, first_sequence, last_sequence;
};
void lane_expired_log(const struct lane *l, const struct lane_expired *e);
/* Into the turn's transaction; 0 or negative. Not about deliveries of operational events. */
int lane_expired_emit(struct lane *l, struct store_txn *txn, const struct lane_expired *e);
