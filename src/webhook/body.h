#pragma once
/* What is sent for a delivery: the lines of its event that it holds, in its format, gzipped or not.
 * Built once for all attempts that want the same bytes at the same time or soon after each other;
 * large ones in slices (invariant 6). Private to the folder. */
#include "codec/gzip.h"
#include "webhook/format.h"
#include "webhook/record.h"
#include "webhook/webhook.h"

enum {
    BODY_AT_ONCE_BYTES = 16 * 1024, /* smaller events are built without a slice */
    BODIES_IDLE_MAX = 128,          /* small bodies kept for whoever wants them next: as many
                                       events as lanes may be apart at no cost */
};

enum body_state { BODY_BUILDING, BODY_READY, BODY_FAILED };

struct body;
struct body_waiter {
    void (*fn)(void *arg); /* the body is READY or FAILED */
    void *arg;
    struct body_waiter *next;
};

struct body_set {
    struct body *first; /* all that somebody holds, and the idle ones; the last used first */
    unsigned n_idle;
    struct gzip_out *spare; /* between two bodies */
    struct loop_slice slice;
};

void bodies_open(struct webhooks *w);
void bodies_close(struct webhooks *w);

/* The body of a delivery for a webhook with that policy; release it after use. May be READY or
 * FAILED at once. Never NULL. ret: the delivery as stored, zeroed when it cannot be read. */
struct body *body_take(struct webhooks *w, uint64_t delivery, const struct webhook_policy *policy,
                       struct delivery_record *ret);
void body_release(struct webhooks *w, struct body *b); /* NULL accepted */
enum body_state body_state(const struct body *b);
/* Only while BUILDING; the waiter lives until called or forgotten. */
void body_wait(struct body *b, struct body_waiter *waiter);
void body_forget(struct body *b, struct body_waiter *waiter);
/* Of a READY one, until the release. */
struct str body_bytes(const struct body *b); /* as sent */
struct str body_plain(const struct body *b); /* before compression: only of webhooks that sign */
bool body_is_gzipped(const struct body *b);
const char *body_media_type(const struct body *b);
const struct event_record *body_event(const struct body *b);
const char *body_failure(const struct body *b); /* why it FAILED */
