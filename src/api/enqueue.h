#pragma once
/* What every request that adds a task has in common: refusing while the server stops, the
 * Idempotency-Key, the task in this turn's transaction, the reply after its commit, and keeping the
 * payload only when that commit succeeded. */
#include "api/handler.h"
#include "api/idempotency.h"
#include "api/reply.h"
#include "ops/intake.h"

/* Adds the task with one of ops_*: 0 with ret, or negative with call->err. */
typedef int enqueue_fn(struct http_call *call, void *arg, struct ops_result *ret);

/* For handlers that have everything at hand. raw_body is what the client sent. */
enum http_result enqueue_now(struct http_call *call, int status, struct str raw_body,
                             enqueue_fn *add, void *arg);

/* For handlers that need several turns: begin, then exactly one of finish and abandon. */
struct enqueue;
struct enqueue *enqueue_begin(struct http_call *call, int status); /* NULL with call->err */
/* digest: of the raw body. add runs unless the answer is known from an earlier request. */
enum http_result enqueue_finish(struct enqueue *e, struct http_call *call,
                                const uint8_t digest[SHA256_BYTES], enqueue_fn *add, void *arg);
/* Ties the intake whose payload the task refers to; freed with e, which keeps the payload's file
 * when the task was committed. */
void enqueue_hold_intake(struct enqueue *e, struct intake *intake);
/* The success answer, a known one too, is given by this function (reply.h). */
void enqueue_answer_with(struct enqueue *e, reply_answer *answer);
bool enqueue_wants_digest(const struct enqueue *e);
void enqueue_abandon(struct enqueue *e); /* the request ended before finish; NULL accepted */
