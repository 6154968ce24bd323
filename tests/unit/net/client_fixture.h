#pragma once
/* A loop with an HTTP client, and requests that run to their end. */
#include "net/http_client.h"

struct outcome {
    bool is_done;
    int calls;
    enum http_outcome outcome;
    int status;
    char *detail, *address, *retry_after;
    struct buf body;
    int64_t dns_us, connect_us, tls_us, first_byte_us, total_us;
    struct fixture *fixture;
};

struct fixture {
    struct loop *loop;
    struct address_policy *policy;
    struct tls_client *tls;
    struct http_client *client;
    int n_open; /* requests whose end the loop waits for */
};

/* allowed: networks, as the option; the others as in http_client_conf, NULL for the default. */
void fixture_init(struct fixture *f, const char *allowed, const char *ca_path,
                  const char *nameserver, const char *hosts_path);
void fixture_done(struct fixture *f);

struct want {
    const char *url, *method; /* NULL: POST */
    const struct http_header *headers;
    size_t n_headers;
    struct str body;
    int64_t timeout_ms; /* 0: 10 s */
    size_t max_bytes;   /* 0: 16 KiB */
    const char *pool;
    const char *ca, *client_certificate; /* PEM */
};
struct http_exchange *fixture_start(struct fixture *f, const struct want *w, struct outcome *ret);
void fixture_wait(struct fixture *f); /* until every started request has ended */
void fixture_turn(struct fixture *f); /* a turn of the loop or two */
/* Starts and waits; what it gives is valid until outcome_done. */
struct outcome fixture_run(struct fixture *f, const struct want *w);
struct outcome fixture_get(struct fixture *f, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void outcome_done(struct outcome *o);
