#pragma once
/* Webhooks of organisations (the Mixpeek-style door, contracts.md 3): what they are told. An event
 * is one of a catalogue of names (event_catalog.h), sent in an envelope:
 *
 *  {"event_id","event_type","occurred_at","namespace_id","subject":{"type","id"},"metadata":{...},
 *   "cache_scope":{...}|null}
 *
 * They are events of the one outbox: stored in the commit of what they tell, delivered at least
 * once. What an organisation registers is organization_webhooks.h. */
#include "webhook/event_catalog.h"
#include "webhook/webhook.h"

enum {
    ORGANIZATION_METADATA_MAX_BYTES = 256 * 1024, /* with the cache scope */
    ORGANIZATION_ID_MAX_BYTES = 1024,             /* of a subject or a namespace */
};
#define ORGANIZATION_NAMESPACE_DEFAULT "default"

struct organization_event {
    enum catalog_event type; /* catalog_event_from_name() */
    struct str namespace_id; /* data NULL: the default one */
    struct str subject_type, subject_id;
    struct str metadata;      /* one JSON object, as text */
    struct str cache_scope;   /* one JSON object; data NULL: null */
    const struct uuid *about; /* organization_emit: the webhook of this channel hears nothing of
                                 itself; NULL: everybody may */
};
struct organization_emitted {
    struct uuid id;        /* the event_id, also when nobody wanted it */
    uint32_t n_deliveries; /* one a channel that is subscribed */
};
/* Writes the event and what it owes into txn, the transaction of this turn; after its commit the
 * deliveries begin. One that nobody subscribed to is not stored. 0, or STORE_E*: the turn has
 * failed. ret may be NULL. */
int organization_emit(struct webhooks *w, struct store_txn *txn, const struct organization_event *e,
                      struct organization_emitted *ret);
/* What anybody is subscribed to: bits, CATALOG_BIT. */
uint64_t organization_wanted(const struct webhooks *w);

/* --- several at once, as a batch makes them ----------------------------------------------------
 * They are one event row whose lines are told one by one: the event_id is that of the row, a dot
 * and the number of the line (of a single one without). What is added may be stored in earlier
 * turns, where nobody sees it; finish writes event and deliveries, or, of many, what is needed to
 * make the deliveries in pieces afterwards (fan_out.h). */
struct organization_news;
struct organization_news *organization_news_begin(struct webhooks *w);
/* Drops what nobody is subscribed to. 0 or STORE_E*. */
int organization_news_add(struct organization_news *n, struct store_txn *txn,
                          const struct organization_event *e);
/* Both consume it. finish: 0 or STORE_E*, the turn has failed then; ret may be NULL. */
int organization_news_finish(struct organization_news *n, struct store_txn *txn,
                             struct organization_emitted *ret);
void organization_news_discard(struct organization_news *n);
