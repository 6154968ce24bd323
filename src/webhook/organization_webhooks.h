#pragma once
/* The webhooks of organisations as they are registered (contracts.md 3.2): each has a name, events
 * of the catalogue and channels. A webhook with n channels is n rows of the registry, so that every
 * channel has a lane, retries and deliveries of its own: their uuids begin with the same 8 bytes,
 * which are the webhook's id in hex behind "wh_" and grow with time, and end in the number of the
 * channel. They do not count against WEBHOOKS_MAX, are not shown under /webhooks, and the queue
 * never waits for them. */
#include "webhook/organization.h"

enum {
    ORGANIZATION_WEBHOOKS_MAX = 100,
    ORGANIZATION_CHANNELS_MAX = 10, /* of a webhook; deliveries.h lists as many together */
    ORGANIZATION_NAME_MAX_CHARS = 200,
    ORGANIZATION_EVENT_TYPES_MAX = 100, /* of a webhook, with repetitions */
    ORGANIZATION_ID_LEN = 3 + 16,
};

/* A whole webhook, as it is to be; the JSON is the request's, its kinds were checked. */
struct organization_draft {
    struct str name;
    const struct json *event_types, *channels; /* arrays */
    bool is_active;
};
/* In this turn's transaction: reply after the commit, webhooks_rollback() when it is refused. The
 * webhook as it is now is appended to out. 0, or -1 with err. */
int organization_webhooks_create(struct webhooks *w, const struct organization_draft *d,
                                 struct buf *out, struct err *err);
/* Channels keep their place: one that is sent back as it was shown stays what it is. */
int organization_webhooks_update(struct webhooks *w, struct str id,
                                 const struct organization_draft *d, struct buf *out,
                                 struct err *err);
/* Nothing to be deleted is no error. */
void organization_webhooks_delete(struct webhooks *w, struct str id);

int organization_webhooks_write_one(struct webhooks *w, struct str id, struct buf *out,
                                    struct err *err);
struct organization_query {
    uint64_t limit, offset;
    struct str after;      /* the id of the one before the first; data NULL: from the beginning */
    struct str event_type; /* only those that get it; data NULL: all */
    bool has_active, is_active;
};
struct organization_page {
    uint64_t total; /* that the query asks for, on all pages */
    uint64_t n;
    bool has_more;
    char last[ORGANIZATION_ID_LEN + 1]; /* id of the last one shown */
};
/* Whether a text has the form of an id ("wh_...") of a webhook that may be or have been. */
bool organization_webhook_is_id(struct str text);
/* Appends their JSON objects, oldest first, separated by commas. */
void organization_webhooks_write_page(struct webhooks *w, const struct organization_query *q,
                                      struct buf *out, struct organization_page *ret);

/* Whether two channels belong to one webhook. */
bool organization_is_same(const struct uuid *a, const struct uuid *b);
/* The uuids of its channels, in order, for what works a channel at a time: their number, or -1 with
 * err (webhook_not_found). */
int organization_webhooks_channels(struct webhooks *w, struct str id,
                                   struct uuid ret[ORGANIZATION_CHANNELS_MAX], struct err *err);
