#pragma once
/* What goes out for one attempt, and what its end means: an HTTP request, a mail, or several
 * requests, by the webhook's channel (senders[] in sending.c: a row a kind). Private to the folder.
 */
#include "webhook/recipients.h"
#include "webhook/request.h"
#include "webhook/verdict.h"

struct sending;

struct send_result {
    const struct http_client_result *exchange; /* what the record tells; CANCELED: nothing of it */
    const char *error_class;                   /* NULL: by outcome and status */
    struct verdict verdict;
    struct str settled; /* of recipients.h; empty where there are none */
};
typedef void send_fn(void *arg, const struct send_result *result);

/* Sends what the (ready) request holds; copies what it needs of it. fn is called exactly once,
 * never from inside; the result is valid during the call. Never NULL. */
struct sending *sending_start(struct webhooks *w, struct request *r, send_fn *fn, void *arg);
/* Ends it now; fn is called later in this turn or in the next: with CANCELED, or with what must not
 * be forgotten of what was sent by then. */
void sending_cancel(struct sending *s);

/* --- for the senders (send_*.c) ----------------------------------------------------------------
 */

enum { SENDING_DEADLINE_MAX_MS = 30 * 1000 /* the longest that the queue waits (invariant 5) */ };

struct sender {
    /* Begins; s->request is there during this call only. */
    void (*start)(struct sending *s);
    void (*cancel)(struct sending *s); /* what start() began, and did not end later */
    void (*free)(struct sending *s);   /* s->own; NULL: nothing to free */
};
struct sending {
    const struct sender *sender;
    struct webhooks *webhooks;
    struct request *request;       /* during start */
    const struct webhook *webhook; /* held */
    uint64_t delivery;
    uint32_t attempts; /* of the running schedule, before this one */
    int64_t timeout_ms;
    struct recipients recipients;
    bool is_canceled;
    struct loop_timer timer; /* sending_end_later() */
    struct send_later {
        enum http_outcome outcome;
        const char *detail, *error_class;
    } later;
    union {
        struct http_exchange *exchange;
        struct smtp_exchange *mail;
    };
    void *own; /* the sender's */
    send_fn *fn;
    void *arg;
};
/* Tells the result and frees. settled is filled in from the recipients of a channel that has any.
 */
void sending_end(struct sending *s, struct send_result *result);
/* Ends in the next turn without having sent anything: instead of sending, in start(). The texts are
 * static. */
void sending_end_later(struct sending *s, enum http_outcome outcome, const char *detail,
                       const char *error_class);
/* Delivered is what every recipient has; given up, what some have not and nobody is left to try. */
struct verdict sending_judge_recipients(const struct sending *s);
extern const struct sender sender_http, sender_slack, sender_email, sender_sms;
