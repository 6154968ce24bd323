#pragma once
/* What an attempt's record says of how it ended. Private to the folder. */
#include "net/http_client.h"
#include "webhook/record.h"

enum {
    ANSWER_BODY_MAX_BYTES = 16 * 1024, /* read of a response and kept */
    ANSWER_HEADERS_MAX_BYTES = 16 * 1024,
};

/* Fills everything but started_at_ns. The response is copied into `kept`, where the record then
 * points: it must live as long as the record. */
void answer_describe(struct attempt_record *r, struct buf *kept,
                     const struct http_client_result *result);
/* Another class than answer_error_class() gives. */
void answer_set_class(struct attempt_record *r, const char *error_class);
/* The event could not be read, or not be rendered: nothing was sent. */
void answer_describe_unreadable(struct attempt_record *r, const char *why);

/* "" for a 2xx; else what kind of failure it was, for people who look at attempts: the outcome's
 * name, or for an answer "redirect", "rate_limited" (429), "gone" (410), "client_error",
 * "unavailable" (503), "server_error". */
const char *answer_error_class(enum http_outcome outcome, int status);
