#pragma once
/* What an attempt sends: its body, the headers of contract 7.5 and ours, the signature. Private to
 * the folder.
 *
 *  webhook-id         the event's id; "<id>.<part>" when the event is split. Always
 *  webhook-sequence   the number of the delivery among those of its webhook, without gaps. Always
 *  webhook-part       "1/3", only when the event is split
 *  webhook-timestamp, webhook-signature    only where the webhook has a secret: sign.h */
#include "net/http_client.h"
#include "webhook/body.h"
#include "webhook/channel_render.h"
#include "webhook/sign.h"

struct webhook;

struct request {
    struct webhooks *webhooks;
    void (*ready)(void *arg);
    void *arg;
    const struct webhook *webhook; /* held: as it was when the request was begun */
    struct body *body;             /* NULL: not begun, or done */
    struct body_waiter waiter;
    struct delivery_record delivery; /* as stored when the request was begun */
    uint64_t number;                 /* of the delivery */
    struct channel_render *render;   /* NULL: the event goes out as it is */
    struct signing *signing;         /* NULL: none */
    struct loop_slice slice;
};

/* Begins to put the request together; ready(arg) is called when it can be sent or has failed,
 * possibly from inside. The struct is the caller's and stays until request_done(). */
void request_begin(struct request *r, struct webhooks *w, uint64_t delivery,
                   const struct webhook *h, void (*ready)(void *arg), void *arg);
/* Any time, also twice; ready is not called any more. */
void request_done(struct request *r);

/* Once ready. NULL, or why there is nothing to send; final: it will never be different, for a
 * template of the channel cannot be applied to this event. */
const char *request_failure(const struct request *r, bool *ret_is_final);

/* Of a ready one without a failure. */
struct str request_event(const struct request *r); /* as it is, uncompressed or not */
/* What a template of the channel made; data NULL: it has none there. */
struct str request_text(const struct request *r, enum channel_part part);
const char *request_event_id(const struct request *r, char out[FORMAT_ID_CAP]);

enum { REQUEST_OWN_HEADERS = 7 };
struct request_headers {
    struct http_header items[WEBHOOK_HEADERS_MAX + REQUEST_OWN_HEADERS];
    char id[FORMAT_ID_CAP], sequence[24], part[24];
};
/* Sets headers and body of an HTTP request; what it points at is the request's and *space. */
void request_fill(struct request *r, struct request_headers *space,
                  struct http_client_request *ret);
