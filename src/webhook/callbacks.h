#pragma once
/* The webhooks of the report door (/api/webhooks) and the callback URLs that single report requests
 * name: rows of the same registry, with the same lanes, outbox, signatures and address policy. They
 * do not count against WEBHOOKS_MAX, are not shown under /webhooks, and the queue never waits for
 * them. */
#include "webhook/webhook.h"

enum { CALLBACK_WEBHOOKS_MAX = 1000, CALLBACK_URLS_MAX = 1000 };

enum callback_event {
    CALLBACK_COMPLETED, /* "report.completed" */
    CALLBACK_FAILED,
    CALLBACK_CANCELED,
    CALLBACK_EVENTS
};
const char *callback_event_name(enum callback_event e);

/* --- registered ones --------------------------------------------------------------------------
 * settings: a body as of POST /webhooks ({"url","headers","secret","isActive"}; PATCH: what
 * changes); events: bit a callback_event, 0: unchanged. In this turn's transaction: reply after the
 * commit, webhooks_rollback() when it is refused. */
int callbacks_create(struct webhooks *w, const struct json *settings, uint32_t events,
                     struct uuid *ret, struct err *err);
int callbacks_update(struct webhooks *w, struct str id, const struct json *settings,
                     uint32_t events, struct err *err);
int callbacks_delete(struct webhooks *w, struct str id, struct err *err);

struct callback_view {
    struct uuid uuid;
    struct str url;
    uint32_t events;
    bool is_active;              /* neither switched off nor disabled */
    const char *disabled_reason; /* NULL: not disabled */
    int64_t created_at_ns;
    const void *webhook; /* private */
};
/* The one with that id: 0, or -1 with err (webhook_not_found). Valid until something changes. */
int callbacks_get(struct webhooks *w, struct str id, struct callback_view *ret, struct err *err);
/* The next one from *at on (begin with 0), by age in milliseconds: false at the end. */
bool callbacks_next(struct webhooks *w, size_t *at, struct callback_view *ret);
/* {"name":"value",...} with Authorization redacted. */
void callback_write_headers(struct json_out *j, const struct callback_view *v);
/* The current secret as text (is_revealed) or redacted; false when there is none. Wipe out. */
bool callback_write_secret(struct buf *out, const struct callback_view *v, bool is_revealed);
/* A delivery listing is for any of them, also the URLs below: 0 or -1 with err. */
int callbacks_uuid(struct webhooks *w, struct str id, struct uuid *ret, struct err *err);

/* --- URLs of single requests ------------------------------------------------------------------ */

struct callback_url {
    struct str url, token, secret; /* token: sent as a Bearer token; data NULL: none */
    /* Whether somebody unfinished still needs that one. */
    bool (*is_needed)(void *arg, const struct uuid *uuid);
    void *arg;
};
/* Equal ones share a row (and a lane). One that nobody needs any more makes room for a new one. 0,
 * or -1 with err (invalid_callback_url, ..., too_many_callbacks). */
int callbacks_take_url(struct webhooks *w, const struct callback_url *u, struct uuid *ret,
                       struct err *err);

/* --- events ----------------------------------------------------------------------------------- */

/* Writes the event for its subscribers and for `also` (nil: nobody; nothing twice to a subscriber
 * of this door with the same URL) into txn, the transaction of this turn: 0 or STORE_E*. */
int callbacks_emit(struct webhooks *w, struct store_txn *txn, enum callback_event event,
                   struct str data, const struct uuid *also);
