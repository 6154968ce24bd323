/* Builds the parts of webhook/ in order, and starts and stops them. */
#include "webhook/webhook.h"

#include <stdlib.h>

#include "base/mem.h"
#include "webhook/state.h"

struct webhooks *
webhooks_new(const struct webhooks_conf *conf, struct err *err)
{
    struct webhooks *w = mem_new(1, sizeof(*w));
    w->conf = *conf;
    w->conf.cli_url = w->conf.cli_authorization = NULL; /* copied by the registry, as these */
    w->conf.cli_fields = NULL;
    w->conf.declared = NULL;
    bodies_open(w);
    janitor_open(w);
    parked_open(w);
    fan_outs_open(w);
    if (registry_open(w, conf, err) == 0 && outbox_open(w, err) == 0)
        return w;
    webhooks_free(w);
    return NULL;
}

void
webhooks_free(struct webhooks *w)
{
    if (w == NULL)
        return;
    lanes_close(w);
    bodies_close(w);
    janitor_close(w);
    parked_close(w);
    fan_outs_close(w);
    outbox_close(w);
    registry_close(w);
    free(w);
}

/* Somebody may have forgotten the flag. */
static void
warn_if_parked(struct webhooks *w)
{
    struct uuid nil = UUID_NIL, found;
    struct due due;
    struct store_cursor c = {0};
    struct store_txn *txn = turn_read(w->conf.turn);
    if (registry_find(w, &nil) == NULL && txn != NULL &&
        store_cursor_open(&c, txn, TABLE_DELIVERY_DUE) == 0 && store_cursor_first(&c) == 1 &&
        key_due_read(c.key, &found, &due.due_at_ms, &due.delivery) && uuid_is_nil(&found))
        log_warn("webhook", "deliveries are still owed to the webhook of the command line; they "
                            "wait until --task-webhook-url is given again");
    store_cursor_close(&c);
    store_abort(txn);
}

bool
webhooks_start(struct webhooks *w)
{
    w->is_started = true;
    warn_if_parked(w);
    janitor_start(w);
    parked_start(w);
    fan_outs_start(w);
    return lanes_start(w);
}

void
webhooks_stop(struct webhooks *w, loop_fn *done, void *arg)
{
    w->is_stopping = true;
    w->stopped = done;
    w->stopped_arg = arg;
    janitor_stop(w);
    parked_stop(w);
    fan_outs_stop(w);
    lanes_stop(w);
    webhooks_check_stopped(w);
}

void
webhooks_check_stopped(struct webhooks *w)
{
    loop_fn *done = w->stopped;
    if (!w->is_stopping || done == NULL || !lanes_are_idle(w))
        return;
    w->stopped = NULL;
    done(w->stopped_arg);
}

bool
webhooks_announce(struct webhooks *w, uint32_t batch_uid)
{
    uint64_t event;
    if (!outbox_take_finished(w, batch_uid, &event))
        return false;
    w->stats.events++;
    return w->is_started && !w->is_stopping && lanes_announce(w, event);
}

struct webhooks_stats
webhooks_stats(const struct webhooks *w)
{
    struct webhooks_stats s = w->stats;
    struct store_txn *txn = turn_read(w->conf.turn);
    if (txn == NULL || store_count(txn, TABLE_DELIVERY_DUE, &s.pending) != 0)
        s.pending = 0;
    store_abort(txn);
    return s;
}
