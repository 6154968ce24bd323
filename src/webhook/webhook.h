#pragma once
/* Webhooks: registered receivers, the outbox (events and deliveries) and delivery (invariants 4, 5,
 * 9, 14; contract 7). */
#include "base/uuid.h"
#include "codec/json.h"
#include "loop/loop.h"
#include "net/http_client.h"
#include "store/turn.h"

enum { WEBHOOKS_MAX = 20, WEBHOOK_HEADERS_MAX = 200 };

struct webhooks;
struct webhooks_conf {
    struct loop *loop;
    struct turn *turn;
    struct http_client *client;
    const struct address_policy
        *policy; /* to warn when a registered address literal will be refused */
    const char *cli_url, *cli_authorization; /* NULL: none; copied; checked again: err */
    int64_t timeout_ms;                      /* an attempt; 0 or above 30 s: 30 s */
    void *arg;
    void (*announced)(void *arg,
                      uint32_t batch_uid); /* the first attempts of that batch have ended */
};
struct webhooks *webhooks_new(const struct webhooks_conf *conf,
                              struct err *err); /* loads the registered ones */
/* Only before webhooks_start or after webhooks_stop has called back; NULL accepted. */
void webhooks_free(struct webhooks *w);
/* Takes up deliveries left from before; returns whether a waiting first attempt is still owed (then
 * announced() follows, with the batch uid of that event). */
bool webhooks_start(struct webhooks *w);
/* Ends attempts in flight (they stay owed), starts none; done(arg) when none is left, possibly from
 * inside. */
void webhooks_stop(struct webhooks *w, loop_fn *done, void *arg);

/* --- the API's side ----------------------------------------------------------------------------
 * Bodies are parsed JSON whose type, field names and field types were not checked yet. */
void webhooks_write_list(struct webhooks *w, struct buf *out); /* {"results":[...]} */
int webhooks_write_one(struct webhooks *w, struct str uuid, struct buf *out, struct err *err);
int webhooks_create(struct webhooks *w, const struct json *body, struct buf *out, struct err *err);
int webhooks_update(struct webhooks *w, struct str uuid, const struct json *body, struct buf *out,
                    struct err *err);
int webhooks_delete(struct webhooks *w, struct str uuid, struct err *err);
/* create, update and delete write into this turn's transaction: reply after turn_wait. When the
 * commit is refused memory follows by itself; this does the same at once (harmless twice). */
void webhooks_rollback(struct webhooks *w);

/* --- the queue's side: struct queue_hooks ---------------------------------------------------- */
struct event_line_facts {
    struct str index_uid; /* data NULL: none */
    uint8_t kind, status;
};
void *webhooks_event_begin(struct webhooks *w,
                           uint32_t batch_uid); /* NULL when no webhook is registered */
int webhooks_event_add(void *builder, struct store_txn *txn, const struct event_line_facts *facts,
                       struct str line);
int webhooks_event_finish(void *builder, struct store_txn *txn);
void webhooks_event_discard(void *builder);
/* The finishing commit is durable: first attempts start. True: one that the queue waits for
 * (invariant 5); announced() follows, never from inside. */
bool webhooks_announce(struct webhooks *w, uint32_t batch_uid);

/* Since the start, but pending: deliveries that are owed now. */
struct webhooks_stats {
    uint64_t events, pending, attempts, failed_attempts, delivered, exhausted;
};
struct webhooks_stats webhooks_stats(const struct webhooks *w);
