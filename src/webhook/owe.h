#pragma once
/* Deliveries made of an event: their rows, in one transaction. Private to the folder; outbox.h is
 * what others need. */
#include "webhook/outbox.h"

struct owing {
    struct webhooks *webhooks;
    struct store_txn *txn;
    uint64_t event;
    const struct uuid *webhook;
    struct lane_record
        *lane; /* the next sequence number is taken from here; the caller stores it */
    enum delivery_cause cause;
    int64_t now_ns;
};
/* Makes a delivery of each part of the plan. 0 or negative. */
int owe_plan(const struct owing *o, const struct plan *plan);

/* Makes a delivery of one line. 0 or negative. */
int owe_line(const struct owing *o, uint32_t line);

/* Plans a stored event; reads its lines only where that is needed. 0 or negative. */
int plan_stored(struct plan *p, struct store_txn *txn, uint64_t event, const struct event_record *e,
                const struct webhook_policy *policy);

/* Counts a new event, in the transaction. 0 or negative. */
int outbox_count_event(struct webhooks *w, struct store_txn *txn, uint64_t event, uint64_t n_bytes);
void emit_close(struct webhooks *w);

/* Whom to wake when the commit of this turn is durable: at most `max`, then the wait, which owns
 * it. */
struct emitted *emitted_new(struct webhooks *w, size_t max);
void emitted_add(struct emitted *m, const struct uuid *webhook);
void emitted_wait(struct emitted *m);

/* A selection of an event's lines (a bit a line), under a number from 1 that equal ones share. It
 * is stored with the lines and goes with them. 0 or negative; get: 1 / 0 / negative. */
int selection_put(struct store_txn *txn, uint64_t event, struct str bits, uint32_t *ret_number);
int selection_get(struct store_txn *txn, uint64_t event, uint32_t number, struct str *ret_bits);
