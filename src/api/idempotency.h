#pragma once
/* Idempotency-Key on requests that enqueue (contracts.md 4.1): the same key with the same body is
 * answered again without a second task. The key's scope is the caller, the method, the path and the
 * raw query. Remembered by queue/ for a day. */
#include "codec/digest.h"
#include "net/http_server.h"
#include "queue/queue.h"

enum { IDEMPOTENCY_KEY_MAX_BYTES = 255 };

struct idempotent {
    bool is_used;  /* the request has a key; otherwise everything below is a no-op */
    bool is_known; /* an earlier request with this key was answered: see idempotent_check */
    struct queue *queue;
    struct idempotency key;
    uint8_t digest[SHA256_BYTES]; /* of that request's body */
    struct buf answer;            /* and its answer */
};
/* Reads the header and takes the key: 0, or -1 with call->err (invalid_idempotency_key,
 * idempotency_key_in_use). Whoever got 0 calls idempotent_end. */
int idempotent_begin(struct http_call *call, struct idempotent *ret);
/* Once the body's digest is known. 0: do the work; 1: reply with ret->answer instead; -1 with err
 * (idempotency_key_mismatch). */
int idempotent_check(struct idempotent *k, const uint8_t digest[SHA256_BYTES], struct err *err);
/* Keeps the answer in this turn's transaction, next to the task: 0 or negative. */
int idempotent_store(struct idempotent *k, const uint8_t digest[SHA256_BYTES], struct str answer);
/* Gives the key back. */
void idempotent_end(struct idempotent *k);
/* The key in a header's value: bare visible ASCII, or a quoted structured-field string. False when
 * it is neither or its length is not 1 to IDEMPOTENCY_KEY_MAX_BYTES. */
bool idempotent_read_key(struct str header, struct buf *ret);
