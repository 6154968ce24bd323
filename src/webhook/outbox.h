#pragma once
/* The outbox: events and the deliveries they owe, written in the commit that finishes a batch
 * (invariants 4 and 14). Private to the folder; its public half is the queue's side of webhook.h.
 *
 * The lines of an event are stored in parts under an event number that nobody else gets, over
 * several turns if need be; the event row and its deliveries appear in the finishing commit. Parts
 * without an event row are what a crash or a discarded builder left: the janitor removes them. */
#include "webhook/record.h"
#include "webhook/webhook.h"

enum { EVENT_PART_BYTES = 64 * 1024 };

/* An event whose finishing commit was asked for; waits to be announced. */
struct finished_event {
    struct finished_event *next;
    uint32_t batch_uid;
    uint64_t event;
};

struct outbox {
    uint64_t next_event, next_delivery; /* never given out twice, also not after a restart */
    struct finished_event *finished;
};

int outbox_open(struct webhooks *w, struct err *err);
void outbox_close(struct webhooks *w);
/* The event of that batch, and forgets it: false when there was none. */
bool outbox_take_finished(struct webhooks *w, uint32_t batch_uid, uint64_t *ret_event);
/* The newest event that is stored: 1 / 0 / negative. */
int outbox_newest(struct store_txn *txn, uint64_t *ret_event);
