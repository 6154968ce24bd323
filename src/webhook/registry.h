#pragma once
/* The registered webhooks: in memory, sorted by uuid, written through to the store. Private to the
 * folder. */
#include "base/log.h"
#include "net/url.h"
#include "store/env.h"
#include "webhook/lane_state.h"
#include "webhook/policy.h"
#include "webhook/webhook.h"

struct webhook_header {
    char *name, *value;
};

enum webhook_origin {
    WEBHOOK_API,      /* registered, stored, changed and deleted over the API */
    WEBHOOK_CLI,      /* the command line's; never stored, its uuid is nil */
    WEBHOOK_DECLARED, /* the configuration file's; stored to be recognised when it is gone there */
    WEBHOOK_REPORTS,  /* registered over /api/webhooks */
    WEBHOOK_CALLBACK, /* made for the callback URL of report requests; goes when nobody needs it */
    WEBHOOK_ORGANIZATION, /* a channel of an organisation's webhook (organization_webhooks.h) */
    WEBHOOK_WITHDRAWN /* was declared, is not any more, and something is still owed to it: inactive,
                         gets no new events, and may be changed or deleted over the API */
};

/* Never changes: an update makes a new one in its place. */
struct webhook {
    unsigned refs; /* webhook_hold */
    struct uuid uuid;
    enum webhook_origin origin;
    bool is_editable; /* over the API */
    struct str url;   /* as registered (the command line's: normalised); owned */
    struct url target;
    struct webhook_header *headers; /* byte order by name */
    size_t n_headers;
    struct webhook_policy policy;
};

struct registry {
    struct webhook **items;
    size_t n, cap;
    bool is_dirty; /* changed in a turn that is not committed yet */
    struct turn_waiter waiter;
    struct log_limit warnings;
};

/* The webhooks of the command line and of the configuration file, and every stored one; -1 with err
 * when one is not as it must be. */
int registry_open(struct webhooks *w, const struct webhooks_conf *conf, struct err *err);
void registry_close(struct webhooks *w);
size_t registry_count(const struct webhooks *w); /* those that count against WEBHOOKS_MAX */
/* Shown, changed and counted by the routes of /webhooks; the others belong to another door. */
bool webhook_is_of_main_door(const struct webhook *h);
struct webhook_draft;
/* A new webhook like the (checked) draft; NULL when its URL does not parse. */
struct webhook *webhook_new(const struct webhook_draft *d);
/* Takes a new webhook, in memory and in the turn's transaction, in the place of one with its uuid.
 */
void registry_put(struct webhooks *w, struct webhook *h);
/* The same with another policy, which is copied: for what is changed by another way than PATCH. */
const struct webhook *registry_put_policy(struct webhooks *w, const struct webhook *h,
                                          const struct webhook_policy *policy);
void registry_remove(struct webhooks *w, const struct uuid *uuid);
/* The webhook when it may be changed over the API: 0, or -1 with err. */
int registry_find_editable(struct webhooks *w, struct str uuid, const struct webhook **ret,
                           struct err *err);
/* Keeps a webhook beyond the callback it was found in, also when it is replaced or deleted. */
const struct webhook *webhook_hold(const struct webhook *h);
void webhook_release(const struct webhook *h); /* NULL accepted */
const struct webhook *registry_find(const struct webhooks *w, const struct uuid *uuid);
/* The same for a uuid as a client wrote it: 0, or -1 with err (invalid_webhook_uuid,
 * webhook_not_found). */
int registry_find_text(struct webhooks *w, struct str uuid, const struct webhook **ret,
                       struct err *err);

/* Rows (webhook_row.c). 0 or negative; NULL when the row is not understood. */
int webhook_row_put(struct store_txn *txn,
                    const struct webhook *h); /* unless it is there already */
struct webhook *webhook_row_read(struct str key, struct str value);
struct str webhook_key(const struct uuid *uuid);

/* The answer's object (contract 7.1, 7.4) and the redaction of an Authorization value. */
struct webhook_view {
    const struct webhook_words *words;
    enum lane_disabled disabled;
    uint32_t revealed_secrets; /* bit a secret */
};
void webhook_write_json(struct json_out *j, const struct webhook *h,
                        const struct webhook_view *view);
/* The same with all that is to be known of it now. txn: reads the lane's state. */
void webhook_write_now(struct webhooks *w, struct store_txn *txn, const struct webhook *h,
                       uint32_t revealed_secrets, struct json_out *j);
void webhook_write_headers(struct json_out *j, const struct webhook *h); /* the object */
void webhook_write_redacted(struct buf *out, struct str value);
/* Where it points, without secrets: for logs and events. */
void webhook_write_target(struct buf *out, const struct webhook *h);
