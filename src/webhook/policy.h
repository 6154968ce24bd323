#pragma once
/* What a webhook chooses beyond its URL and headers: whom it listens to, how it is sent to, how it
 * is signed. Private to the folder. A zeroed policy with policy_init() is upstream's behaviour.
 *
 * Never changes once its webhook is registered: an update makes a new one. */
#include "base/err.h"
#include "base/str.h"
#include "base/uuid.h"

/* One row each in policy_fields.c: name, reader, writer, record. */
enum policy_field {
    POLICY_EVENTS, /* which events; absent: finished batches only */
    POLICY_INDEX_UIDS,
    POLICY_TYPES,
    POLICY_STATUSES,
    POLICY_WAIT,
    POLICY_TIMEOUT_MS,
    POLICY_ORDERED,
    POLICY_MAX_IN_FLIGHT,
    POLICY_RATE_LIMIT,
    POLICY_RETRY_SCHEDULE,
    POLICY_FORMAT,
    POLICY_COMPRESSION,
    POLICY_SECRET,
    POLICY_CA,
    POLICY_CLIENT_CERTIFICATE,
    POLICY_DESCRIPTION,
    POLICY_IS_ACTIVE,
    POLICY_CHANNEL, /* from here on of organisations' webhooks only, and never in a body */
    POLICY_TERMS,
    POLICY_FIELDS
};
enum { POLICY_CHOSEN_FIELDS = POLICY_CHANNEL };

/* What an event tells; names in event_type_name(). */
enum event_type {
    EVENT_BATCH_FINISHED,    /* "batch.finished": the tasks of a batch */
    EVENT_WEBHOOK_FAILING,   /* "webhook.failing": operational, from here on */
    EVENT_WEBHOOK_EXHAUSTED, /* "webhook.exhausted" */
    EVENT_WEBHOOK_DISABLED,  /* "webhook.disabled" */
    EVENT_WEBHOOK_RECOVERED, /* "webhook.recovered" */
    EVENT_PING,              /* "webhook.ping": asked for by hand, to one webhook only */
    EVENT_REPORT_COMPLETED,  /* "report.completed": a report job has ended, and so on */
    EVENT_REPORT_FAILED,     /* "report.failed" */
    EVENT_REPORT_CANCELED,   /* "report.canceled" */
    EVENT_WEBHOOK_EXPIRED,   /* "webhook.expired": operational as well */
    EVENT_ORGANIZATION,      /* of the catalogue (event_catalog.h); each line is one of its own */
    EVENT_TYPES
};
/* Tells of the delivery itself: nothing is emitted about such an event. */
bool event_type_is_operational(enum event_type t);
/* May stand in the `events` of a webhook. */
bool event_type_is_chosen(enum event_type t);
const char *event_type_name(enum event_type t);
bool event_type_from_name(struct str name, enum event_type *ret);

enum webhook_format {
    FORMAT_NDJSON,
    FORMAT_JSON,
    FORMAT_CLOUDEVENTS,
    FORMAT_FLAT,     /* the event's own object and nothing else; given by a door, not chosen */
    FORMAT_ENVELOPE, /* the same of organisations' webhooks: one line in its envelope */
    WEBHOOK_FORMATS
};
enum webhook_compression { COMPRESSION_DEFAULT, COMPRESSION_GZIP, COMPRESSION_NONE };
/* gzip for ndjson, none for the others, unless chosen. */

enum {
    SECRET_KEY_MIN_BYTES = 24, /* Standard Webhooks */
    SECRET_KEY_MAX_BYTES = 64,
    SECRETS_MAX = 11, /* the current one and ten old ones in their grace period */
    POLICY_INDEX_UIDS_MAX = 100,
    POLICY_SECRETS_GIVEN_MAX = 5,
    POLICY_RETRIES_MAX = 100,
    POLICY_RETRY_MAX_S = 30 * 24 * 3600,
    POLICY_TIMEOUT_MAX_MS = 30 * 1000, /* the queue may wait for it (invariant 5) */
    POLICY_IN_FLIGHT_MAX = 100,
    POLICY_RATE_MAX = 1000 * 1000,
    POLICY_PEM_MAX_BYTES = 64 * 1024,
    POLICY_DESCRIPTION_MAX_BYTES = 1000,
};
enum secret_kind { SECRET_V1_HMAC /* whsec_ */, SECRET_V1A_ED25519 /* whsk_: a 32-byte seed */ };
struct webhook_secret {
    enum secret_kind kind;
    uint8_t key[SECRET_KEY_MAX_BYTES];
    size_t n_key;
    int64_t created_at_ms;
    int64_t expires_at_ms; /* 0: never (the current one) */
};

struct webhook_policy {
    uint32_t given;    /* bit a policy_field: shown by GET when any is set */
    uint32_t events;   /* bit an event_type */
    uint64_t kinds;    /* bit a task kind; 0: every kind */
    uint8_t statuses;  /* bit a task status; 0: every final status */
    char **index_uids; /* patterns: '*' at the end stands for anything; none: every index */
    size_t n_index_uids;
    bool waits, is_ordered, is_active;
    int64_t timeout_ms;     /* 0: the server's */
    uint32_t max_in_flight; /* 0: LANE_IN_FLIGHT_MAX */
    uint32_t rate_limit;    /* requests a second; 0: no limit */
    int64_t *retry_ms;      /* delays after the first failed attempt, the second, ... */
    size_t n_retries;       /* meaningful with POLICY_RETRY_SCHEDULE given; then 0 means never */
    enum webhook_format format;
    enum webhook_compression compression;
    struct webhook_secret *secrets; /* the current one first */
    size_t n_secrets;
    char *ca; /* PEM: authorities to trust for this webhook instead of the system's */
    char *client_certificate; /* PEM: certificate chain and private key (never shown) */
    char *description;
    const struct channel *channel; /* channel.h; held; NULL: not of an organisation's webhook */
    const struct terms *terms;     /* terms.h; held; given with the channel */
};
void policy_init(struct webhook_policy *p); /* upstream's behaviour */
void policy_done(struct webhook_policy *p); /* wipes secrets */
/* A deep copy; to is not initialised before. */
void policy_copy(struct webhook_policy *to, const struct webhook_policy *from);
bool policy_is_given(const struct webhook_policy *p, enum policy_field f);

/* Whether a task with these facts is wanted (of an organisation's webhook: whether an event is,
 * whose number in the catalogue is `kind`): its index uids (see struct event_line_facts; data NULL:
 * none, then only the pattern "*" means it), kind and status. */
bool policy_wants(const struct webhook_policy *p, struct str index_uids, uint8_t kind,
                  uint8_t status);
bool policy_wants_event(const struct webhook_policy *p, enum event_type t); /* a ping: always */
