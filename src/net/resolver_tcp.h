#pragma once
/* A question over TCP (RFC 7766), for answers that do not fit a datagram, which evdns gives up on:
 * for resolver.c only. */
#include "loop/loop.h"
#include "net/dns_message.h"

struct resolver_tcp;
struct resolver_tcp_conf {
    struct loop *loop;
    const struct sockaddr *server;
    int server_len;
    const char *name; /* copied */
    enum dns_type type;
};
/* answer: NULL when none came within five seconds. Called exactly once, never from inside
 * resolver_tcp_start(), unless canceled; the question is freed afterwards. */
typedef void resolver_tcp_fn(void *arg, const struct dns_answer *answer);
struct resolver_tcp *resolver_tcp_start(const struct resolver_tcp_conf *conf, resolver_tcp_fn *fn,
                                        void *arg);
void resolver_tcp_cancel(struct resolver_tcp *q);
