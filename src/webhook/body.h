#pragma once
/* What is sent of an event: its lines, gzipped, built once for all attempts that want it at the
 * same time; large ones in slices (invariant 6). Private to the folder. */
#include "codec/gzip.h"
#include "webhook/record.h"
#include "webhook/webhook.h"

enum { BODY_AT_ONCE_BYTES = 16 * 1024 /* smaller events are compressed without a slice */ };

enum body_state { BODY_BUILDING, BODY_READY, BODY_FAILED };

struct body;
struct body_waiter {
    void (*fn)(void *arg); /* the body is READY or FAILED */
    void *arg;
    struct body_waiter *next;
};

struct body_set {
    struct body *first; /* all that somebody holds */
    struct loop_slice slice;
};

void bodies_open(struct webhooks *w);
void bodies_close(struct webhooks *w);

/* The body of an event; release it after use. May be READY or FAILED at once. Never NULL. */
struct body *body_take(struct webhooks *w, uint64_t event);
void body_release(struct webhooks *w, struct body *b); /* NULL accepted */
enum body_state body_state(const struct body *b);
/* Only while BUILDING; the waiter lives until called or forgotten. */
void body_wait(struct body *b, struct body_waiter *waiter);
void body_forget(struct body *b, struct body_waiter *waiter);
struct str body_bytes(const struct body *b); /* of a READY one, until the release */
const struct uuid *body_event_id(const struct body *b);
const char *body_failure(const struct body *b); /* why it FAILED */
