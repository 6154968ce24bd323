#pragma once
/* What the tests of webhook/ share: a data directory of their own, the modules below, a receiver on
 * loopback in the same loop, and the queue's part of finishing a batch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/address.h"
#include "net/http_client.h"
#include "store/tables.h"
#include "webhook/state.h"

enum { RECEIVED_MAX = 512, BATCHES_MAX = 64 };

/* How the receiver treats requests. */
enum receiver_mode { RECEIVER_ANSWERS, RECEIVER_HOLDS, RECEIVER_RESETS };

struct received {
    char *path, *body; /* body: inflated where it is gzipped */
    size_t body_len;
    char *content_type, *content_encoding, *webhook_id, *authorization, *x_test;
};

struct fixture {
    char dir[64];
    struct loop *loop;
    struct store_env *env;
    struct turn *turn;
    struct address_policy *policy;
    struct tls_client *tls;
    struct http_client *client;
    struct webhooks *webhooks;
    const char *cli_url, *cli_authorization; /* of the next fixture_start */
    int64_t timeout_ms;
    struct webhook_payload_limits payload; /* of the next fixture_start, as these */
    const struct json *cli_fields;
    const struct webhook_declaration *declared;
    size_t n_declared;
    bool requires_https;
    struct webhook_retention retention;
    bool must_wait; /* answer of webhooks_start */
    /* receiver */
    struct evhttp *http;
    int port;
    enum receiver_mode mode;
    int status;
    const char *reply_name, *reply_value; /* one more header of each answer; NULL: none */
    struct received received[RECEIVED_MAX];
    size_t n_received;
    struct evhttp_request *held[RECEIVED_MAX];
    size_t n_held;
    size_t most_held; /* at the same time */
    /* announced batches, in order */
    uint32_t announced[BATCHES_MAX];
    size_t n_announced;
    bool fail_turn_when_announced; /* the commit that records the attempt is refused, once */
    bool stopped;
    int real_stderr; /* while the log is captured */
};

int fixture_setup(void **state); /* without webhooks: call fixture_start */
int fixture_teardown(void **state);
void fixture_start(struct fixture *f);   /* webhooks_new and webhooks_start */
void fixture_stop(struct fixture *f);    /* webhooks_stop, then webhooks_free */
void fixture_restart(struct fixture *f); /* as the process would */
/* Runs the loop until the condition holds; fails the test after 20 seconds. */
void fixture_run_until(struct fixture *f, bool (*holds)(struct fixture *f));
void fixture_run_turns(struct fixture *f, int n); /* passes of the loop, none of which blocks */
int fixture_commit(struct fixture *f);            /* ends this turn; its result */

/* Registers a webhook that points at the receiver's path; its uuid. */
struct uuid fixture_register(struct fixture *f, const char *path);
/* POST, PATCH with a JSON text, committed; the answer or the error's message in ret. */
int fixture_create(struct fixture *f, const char *json, struct buf *ret, enum err_code *ret_code);
int fixture_update(struct fixture *f, const char *uuid, const char *json, struct buf *ret,
                   enum err_code *ret_code);

/* Finishes a batch with lines {"uid":<first>}.. as the queue does; whether the queue must wait. */
bool fixture_finish_batch(struct fixture *f, uint32_t batch_uid, uint32_t first, uint32_t n);
bool fixture_has_announced(const struct fixture *f, uint32_t batch_uid);
void fixture_release_held(struct fixture *f, int status);

/* The stored delivery (numbers count from 1) and how many rows a table has. */
struct delivery_record fixture_delivery(struct fixture *f, uint64_t number);
uint64_t fixture_count(struct fixture *f, int table);

/* What is logged from here on, at every level; the end gives it to the caller. */
void fixture_capture_log(struct fixture *f);
struct buf fixture_captured_log(struct fixture *f);

/* Registers a webhook at the receiver's path with more fields: "\"ordered\":true"; its uuid. */
struct uuid fixture_register_with(struct fixture *f, const char *path, const char *fields);

/* The wall clock, ahead of the real one by so much from now on. */
void fixture_advance_clock(int64_t ms);
