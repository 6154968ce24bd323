#pragma once
/* Webhooks: registered receivers, the outbox (events and deliveries) and delivery (invariants 4, 5,
 * 9, 14; contract 7). */
#include "base/uuid.h"
#include "codec/json.h"
#include "loop/loop.h"
#include "net/http_client.h"
#include "store/turn.h"

enum { WEBHOOKS_MAX = 20, WEBHOOK_HEADERS_MAX = 200 };

/* A payload above one of these is split into several deliveries. 0: no limit. */
struct webhook_payload_limits {
    uint32_t max_tasks;
    uint64_t max_bytes; /* uncompressed */
};

/* How long finished deliveries are kept, and how much room all deliveries may take with their
 * events and attempts; the same for what is owed to a disabled webhook (its part of the events'
 * lines). 0: the default. */
struct webhook_retention {
    int64_t age_ms;
    uint64_t max_bytes;
    int64_t parked_age_ms;
    uint64_t parked_max_bytes;
};

/* Names of task kinds and statuses by their numbers; static. A status that no finished task has is
 * NULL. */
struct webhook_words {
    const char *const *kinds, *const *statuses;
    size_t n_kinds, n_statuses; /* at most 64 and 8 */
};

/* A webhook of the configuration file: the body of a POST, and what errors begin with. */
struct webhook_declaration {
    struct uuid uuid; /* never nil, each once */
    const char *where;
    const struct json *body;
};

/* What channels send with; all borrowed. */
struct smtp_client;
struct webhooks_email {
    struct smtp_client *client; /* NULL: no relay, and no channel `email` */
    const char *from;           /* an address */
    const char *from_name;      /* NULL: none */
};
struct webhooks_sms {                                /* the shape of Twilio's API */
    const char *base_url, *account_sid, *auth_token; /* account_sid NULL: no channel `sms` */
    const char *from; /* a number, or the sid of a messaging service ("MG...") */
};

struct webhooks;
struct webhooks_conf {
    struct loop *loop;
    struct turn *turn;
    struct http_client *client;
    const struct address_policy
        *policy; /* to warn when a registered address literal will be refused */
    const char *cli_url, *cli_authorization; /* NULL: none; copied; checked again: err */
    const struct json *cli_fields;           /* its other fields, as in a POST; NULL: none */
    const struct webhook_declaration
        *declared; /* at most WEBHOOKS_MAX; read here only, as the JSON */
    size_t n_declared;
    struct webhook_words words;
    struct webhooks_email email;
    struct webhooks_sms sms;
    bool requires_https; /* plain http only to addresses that the policy lists */
    int64_t timeout_ms;  /* an attempt; 0 or above 30 s: 30 s */
    struct webhook_payload_limits payload;
    struct webhook_retention retention;
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
/* Somebody set the wall clock: due times are looked at again. */
void webhooks_clock_was_set(struct webhooks *w);

/* --- the API's side ----------------------------------------------------------------------------
 * Bodies are parsed JSON whose type, field names and field types were not checked yet. */
void webhooks_write_list(struct webhooks *w, struct buf *out); /* {"results":[...]} */
int webhooks_write_one(struct webhooks *w, struct str uuid, struct buf *out, struct err *err);
int webhooks_create(struct webhooks *w, const struct json *body, struct buf *out, struct err *err);
int webhooks_update(struct webhooks *w, struct str uuid, const struct json *body, struct buf *out,
                    struct err *err);
int webhooks_delete(struct webhooks *w, struct str uuid, struct err *err);
/* POST /webhooks/{uuid}/secret/rotate: as update. The answer shows what we generated, this once. */
enum { WEBHOOK_GRACE_DEFAULT_S = 24 * 3600, WEBHOOK_GRACE_MAX_S = 7 * 24 * 3600 };
struct webhook_rotation {
    const struct json *secret; /* as the field of a webhook; NULL or null: new ones of ours */
    int64_t grace_ms;          /* how long the replaced ones go on signing; 0: not at all */
};
int webhooks_rotate_secret(struct webhooks *w, struct str uuid,
                           const struct webhook_rotation *rotation, struct buf *out,
                           struct err *err);
/* Judges a body like {"format":"json"} by itself, before there are webhooks: 0, or -1 with err. */
int webhooks_check_field(const struct webhook_words *words, const struct json *body,
                         struct err *err);
/* The names of the fields of that body, one by one: NULL behind the last. */
const char *webhooks_field_name(size_t i);
/* These write into this turn's transaction: reply after turn_wait. When the
 * commit is refused memory follows by itself; this does the same at once (harmless twice). */
void webhooks_rollback(struct webhooks *w);

/* --- the queue's side: struct queue_hooks ---------------------------------------------------- */
struct event_line_facts {
    /* The task's own index uid, then a comma and the next for each further one it is attached to
     * ("movies"; ",movies,movies_new" of a swap, which has none of its own). data NULL: none */
    struct str index_uids;
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

/* Since the start, but pending: deliveries that are owed now. pause_us: how long the queue has
 * waited for first attempts. */
struct webhooks_stats {
    uint64_t events, pending, attempts, failed_attempts, delivered, exhausted, expired, pause_us;
};
struct webhooks_stats webhooks_stats(const struct webhooks *w);

/* How attempts end, for counting; names in webhook_result_name(). */
enum webhook_result {
    WEBHOOK_RESULT_DELIVERED,
    WEBHOOK_RESULT_STATUS, /* answered, but not with a 2xx */
    WEBHOOK_RESULT_TIMEOUT,
    WEBHOOK_RESULT_DNS,
    WEBHOOK_RESULT_ADDRESS_DENIED,
    WEBHOOK_RESULT_CONNECT,
    WEBHOOK_RESULT_TLS,
    WEBHOOK_RESULT_PROTOCOL,
    WEBHOOK_RESULT_BAD_URL,
    WEBHOOK_RESULT_UNREADABLE, /* the event could not be read, nothing was sent */
    WEBHOOK_RESULTS
};
const char *webhook_result_name(enum webhook_result r);

/* One webhook: gauges of now, and counts since the start. */
enum { WEBHOOK_LATENCY_BUCKETS = 14 };
extern const int64_t webhook_latency_bounds_us[WEBHOOK_LATENCY_BUCKETS - 1]; /* upper, inclusive */
struct webhook_stats {
    struct uuid uuid;
    const char *state; /* "healthy", "failing", "held", "disabled", "inactive" */
    uint64_t pending, in_flight;
    int64_t oldest_owed_ms; /* age; 0 when nothing is owed */
    uint64_t results[WEBHOOK_RESULTS];
    uint64_t exhausted, expired;
    /* attempts by their duration, the last bucket without a bound */
    uint64_t latency[WEBHOOK_LATENCY_BUCKETS];
    uint64_t latency_sum_us;
};
/* Of every webhook of /webhooks, the file and the command line, by uuid; their number. */
size_t webhooks_stats_each(struct webhooks *w, struct webhook_stats out[WEBHOOKS_MAX + 1]);
