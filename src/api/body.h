#pragma once
/* Request bodies: content types and encodings (contract 1.5, 1.8), and reading the small JSON ones.
 * Uploads go through ops/intake. */
#include "api/api.h"
#include "codec/json.h"
#include "net/http_server.h"
#include "ops/intake.h"

/* A JSON body is parsed inside one callback (invariant 6), so it is capped; decompressed bytes. */
enum { BODY_JSON_MAX_BYTES = 4 * 1024 * 1024 };
/* A body that its route ignores. */
enum { BODY_IGNORED_MAX_BYTES = 1024 * 1024 };

struct body {
    struct buf raw; /* as sent: what an Idempotency-Key covers */
    struct json_doc *doc;
};
/* Checks Content-Type and Content-Encoding, takes the body and parses it: 0, or -1 with call->err.
 * body_done in both cases. */
int body_read_json(struct http_call *call, struct body *ret);
/* The same whatever the Content-Type says: for clients that send JSON as a form. */
int body_read_json_as_any(struct http_call *call, struct body *ret);
/* What the Content-Encoding says of *body: 0, with *body left or made to point into out; or -1 with
 * call->err when it is not understood, damaged, or has more than limit bytes then. */
int body_inflate(struct http_call *call, struct str *body, struct buf *out, uint64_t limit);
/* Takes a body that the route ignores (raw only). */
void body_read_ignored(struct http_call *call, struct body *ret);
void body_done(struct body *b);

/* The media types a route accepts, in the order of its messages. */
struct body_type {
    const char *essence; /* "text/csv" */
    int value;
};
/* Matches Content-Type: 0 with the row's value, or -1 with err (missing_content_type,
 * invalid_content_type). */
int body_content_type(struct http_call *call, const struct body_type *types, size_t n,
                      int *ret_value);
/* 0, or -1 with call->err for an encoding that is not understood. */
int body_encoding(struct http_call *call, enum intake_encoding *ret);

/* What a JSON body may have, decompressed: BODY_JSON_MAX_BYTES, or less where the payload limit is
 * lower. */
uint64_t body_json_limit(const struct api *api);
/* 413 for JSON bodies; declared is UINT64_MAX when the length was not known. */
int body_json_too_large(struct err *err, uint64_t declared, uint64_t limit);
/* 413 for uploads. */
int body_upload_too_large(struct err *err, uint64_t limit);
