#pragma once
/* Names to addresses, asynchronously (evdns): for http_client.c. Numeric addresses, "localhost" and
 * the hosts file are answered without DNS, but never from inside resolver_start. */
#include <sys/socket.h>

#include "base/err.h"
#include "loop/loop.h"

enum { RESOLVER_MAX_ADDRESSES = 32 };

struct resolver;
struct resolver_lookup;

struct resolver_conf {
    const char *nameserver; /* "127.0.0.1:5353" instead of those of resolv.conf; NULL: those */
    const char *hosts_path; /* NULL: /etc/hosts */
};

/* addresses: both families, without ports, valid during the call, n > 0; or n == 0 and the reason
 * in error ("no such host"). */
typedef void resolver_fn(void *arg, const struct sockaddr_storage *addresses, size_t n,
                         const char *error);

struct resolver *resolver_new(struct loop *l, const struct resolver_conf *conf, struct err *err);
/* Lookups under way end without their callback. NULL accepted. */
void resolver_free(struct resolver *r);
/* Reads resolv.conf and the hosts file again and forgets answers; lookups under way finish with the
 * old ones. On failure the old configuration stays. */
int resolver_reload(struct resolver *r, struct err *err);

/* fn is called exactly once, later, unless canceled. There is no time limit beyond those of the
 * name server's answers (two attempts of two seconds each, five seconds for one over TCP after an
 * answer that did not fit a datagram): the caller cancels at its deadline. */
struct resolver_lookup *resolver_start(struct resolver *r, const char *name, resolver_fn *fn,
                                       void *arg);
/* "localhost" and what ends in ".localhost" (RFC 6761), any case, with or without a final dot. */
bool resolver_is_localhost(const char *name);
void resolver_cancel(struct resolver_lookup *lookup); /* before fn was called; fn is not called */
/* Answers are kept for their time to live, at most 30 s; this drops one that turned
 * out to be of no use. */
void resolver_forget(struct resolver *r, const char *name);
