#pragma once
/* The rows of webhook/ in the main environment: their shapes, keys, and how they are read and
 * written. Private to the folder.
 *
 *  TABLE_WEBHOOKS            uuid                        registered webhooks (webhook_row.c)
 *  TABLE_EVENTS              event u64be                 struct event_record
 *  TABLE_EVENT_LINES         event u64be, part u32be     rendered lines (lines_add, lines_next);
 *                                                        from part 2^31 on selections (owe.h)
 *  TABLE_DELIVERIES          delivery u64be              struct delivery_record
 *  TABLE_DELIVERY_DUE        webhook, due ms, delivery   empty; exactly the owed ones (owed.h). The
 *                                                        webhook comes first, so that one with a
 *                                                        long backlog costs others nothing
 *  TABLE_WEBHOOK_DELIVERIES  webhook, sequence u64be     delivery u64be: every kept one
 *  TABLE_ATTEMPTS            delivery, attempt u32be     struct attempt_record
 *  TABLE_META                "webhook-counters"          struct counters_record
 *                            "webhook-lane:" uuid        struct lane_record */
#include "base/uuid.h"
#include "store/rec.h"
#include "store/tables.h"
#include "webhook/lane_state.h"

enum delivery_state {
    DELIVERY_OWED,
    DELIVERY_DELIVERED, /* accepted with a 2xx */
    DELIVERY_EXHAUSTED, /* the schedule has ended; kept, can be replayed */
    DELIVERY_DISCARDED, /* its webhook was deleted, or discarded by hand */
    DELIVERY_EXPIRED,   /* owed to a disabled webhook for too long, or too many of them */
    DELIVERY_STATES
};
const char *delivery_state_name(enum delivery_state s);

struct event_record {
    struct uuid id;     /* what receivers see; the same on every attempt */
    uint8_t type;       /* enum event_type */
    uint32_t batch_uid; /* of a finished batch; else 0 */
    int64_t created_at_ns;
    uint32_t n_lines, n_parts;
    uint64_t n_bytes; /* of the lines with their newlines */
    uint64_t first_delivery;
    uint32_t n_deliveries; /* made with the event, consecutive from first_delivery */
    uint32_t n_kept;       /* delivery rows that still refer to it; at 0 the event goes */
};

/* Why a delivery exists. */
enum delivery_cause {
    CAUSE_EVENT,
    CAUSE_REPLAY, /* of just what was sent before, and so under the same id */
    CAUSE_PING,
    CAUSE_REPLAY_OTHER, /* other tasks of the event, or other parts: under an id that says which */
    DELIVERY_CAUSES
};
const char *delivery_cause_name(enum delivery_cause c);

/* In n_lines: to the end of the event; in n_tasks: as many as it has. Only in rows of version 1. */
#define DELIVERY_ALL_LINES UINT32_MAX

struct delivery_record {
    uint64_t event;
    struct uuid webhook;
    uint64_t sequence; /* gapless a webhook, from 1; repeated on retries and on a resend */
    enum delivery_state state;
    uint8_t cause;          /* enum delivery_cause */
    uint32_t attempts;      /* ended ones; a resend goes on counting */
    uint32_t schedule_from; /* attempts that ended before the schedule began anew (resend): the
                               schedule counts from here */
    uint32_t part, n_parts; /* this is part 1..n_parts of what the event is to the webhook */
    uint32_t first_line, n_lines; /* it holds the lines [first_line, first_line + n_lines) of the
                                     event that the webhook's filter wanted when it was made */
    uint32_t selection; /* which lines of that range: 0 all, else those whose bit is set in that
                           selection of the event (owe.h) */
    uint32_t n_tasks;   /* how many lines that are */
    int64_t due_at_ms;  /* wall clock; as in the key of its due row while owed */
    int64_t created_at_ns, finished_at_ns;
};

enum { ATTEMPT_TEXT_CAP = 256 };
struct attempt_record {
    int64_t started_at_ns;
    char outcome[32]; /* "answered" and the other names of enum http_outcome */
    int status;
    char address[64], detail[ATTEMPT_TEXT_CAP];
    int64_t dns_us, connect_us, tls_us, first_byte_us, total_us; /* -1: not reached */
    char error_class[32]; /* "" when accepted; else attempt_error_class() */
    /* Of the answer, borrowed (of one that was read: until the transaction ends): the head's lines
     * "name: value\n", and what was kept of the body. */
    struct str response_headers, response_body;
    bool is_body_cut;   /* the answer was longer than what was kept */
    struct str settled; /* borrowed as well: recipients.h; empty where there are none */
};

/* What outlives a process of the lane of a webhook. */
struct lane_record {
    uint64_t next_sequence; /* of the next delivery */
    struct lane_health health;
};

struct counters_record {
    uint64_t next_event, next_delivery;
    uint64_t event_bytes; /* of all stored lines that an event row refers to */
};

/* Each get: 1 found, 0 not there, negative STORE_E* (ret untouched unless 1). Each put: 0 or
 * negative. */
int event_get(struct store_txn *txn, uint64_t event, struct event_record *ret);
int event_put(struct store_txn *txn, uint64_t event, const struct event_record *e);
bool event_decode(struct str value, struct event_record *ret);
int delivery_get(struct store_txn *txn, uint64_t delivery, struct delivery_record *ret);
int delivery_put(struct store_txn *txn, uint64_t delivery, const struct delivery_record *d);
bool delivery_decode(struct str value, struct delivery_record *ret);
int attempt_get(struct store_txn *txn, uint64_t delivery, uint32_t attempt,
                struct attempt_record *ret);
int attempt_put(struct store_txn *txn, uint64_t delivery, uint32_t attempt,
                const struct attempt_record *a);
/* A row that was never written reads as sequence 1, healthy. */
int lane_record_get(struct store_txn *txn, const struct uuid *webhook, struct lane_record *ret);
int lane_record_put(struct store_txn *txn, const struct uuid *webhook, const struct lane_record *l);
int lane_record_delete(struct store_txn *txn, const struct uuid *webhook);
int counters_get(struct store_txn *txn, struct counters_record *ret);
int counters_put(struct store_txn *txn, const struct counters_record *c);

/* Keys into the caller's bytes. */
enum { KEY_DUE_LEN = 32, KEY_PART_LEN = 12 };
struct str key_due(uint8_t out[KEY_DUE_LEN], const struct uuid *webhook, int64_t due_ms,
                   uint64_t delivery);
bool key_due_read(struct str key, struct uuid *ret_webhook, int64_t *ret_due_ms,
                  uint64_t *ret_delivery);
/* Of TABLE_WEBHOOK_DELIVERIES; the value is the delivery's key. */
enum { KEY_SEQUENCE_LEN = 24 };
struct str key_sequence(uint8_t out[KEY_SEQUENCE_LEN], const struct uuid *webhook,
                        uint64_t sequence);
bool key_sequence_read(struct str key, struct uuid *ret_webhook, uint64_t *ret_sequence);
/* Of an event's part, or of a delivery's attempt. */
struct str key_numbered(uint8_t out[KEY_PART_LEN], uint64_t number, uint32_t part);

/* Lines of an event, many to a part. */
enum { EVENT_PART_BYTES = 64 * 1024 }; /* a part ends here */
struct line_view {
    struct str index_uids; /* as in struct event_line_facts */
    uint8_t kind, status;
    struct str text; /* without the newline */
};
void lines_begin(struct buf *part, uint32_t first_line); /* an empty part */
void lines_add(struct buf *part, const struct line_view *line);
/* The number of a stored part's first line; false for one of version 1, which does not tell. */
bool lines_first(struct str part, uint32_t *ret_line);
/* Reads the line at *at (0: the first one) of a stored part and moves *at behind it: 1, 0 at the
 * end, STORE_ECORRUPT. */
int lines_next(struct str part, size_t *at, struct line_view *ret);
