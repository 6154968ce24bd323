#pragma once
/* HTTP requests out: asynchronous name resolution, the address policy on every answer, connection
 * to the judged address, one deadline from resolution to the last byte, kept-alive connections, no
 * redirects. */
#include "base/err.h"
#include "loop/loop.h"
#include "net/address.h"
#include "net/tls.h"
#include "net/url.h"

struct http_client;

struct http_client_conf {
    const struct address_policy *policy; /* borrowed, as tls */
    struct tls_client *tls;              /* NULL: https requests fail */
    bool plain_only_to_listed; /* http:// only to addresses that an allowed network lists */
    const char *user_agent;    /* "taskhook/1.2.0"; NULL: "taskhook" */
    const char *nameserver;    /* "127.0.0.1:5353" instead of those of resolv.conf; NULL: those */
    const char *hosts_path;    /* NULL: /etc/hosts */
};
struct http_client *http_client_new(struct loop *l, const struct http_client_conf *conf,
                                    struct err *err);
void http_client_free(
    struct http_client *c); /* open exchanges end as canceled, their callbacks are called */
void http_client_reload(
    struct http_client *c); /* new resolver configuration, idle connections dropped: SIGHUP */

struct http_header {
    const char *name, *value;
};

struct http_client_request {
    const struct url *url;             /* http or https; copied */
    const char *method;                /* "POST" */
    const struct http_header *headers; /* copied; these replace the defaults (User-Agent, Accept,
                                          Accept-Encoding, Host) */
    size_t n_headers;
    struct str body;           /* copied */
    int64_t timeout_ms;        /* for everything */
    size_t max_response_bytes; /* what is kept of the body; the rest is cut, not an error */
    const char *pool; /* connections are reused within the same pool name, URL origin, address and
                       * TLS identity */
    /* https only, PEM, NULL for none, must stay valid during the call: the only authorities (or
     * certificates) to trust, and the client's certificate with chain and private key. */
    const char *ca, *client_certificate;
    bool plain_only_to_listed; /* as of the client, for this one */
    bool is_once; /* sent at most once: over a connection of its own, as a kept one that turns out
                     to be closed would mean sending again */
};

/* The terminal reasons of an exchange. */
enum http_outcome {
    HTTP_OUTCOME_ANSWERED, /* a status line came: see status */
    HTTP_OUTCOME_TIMEOUT,
    HTTP_OUTCOME_DNS,
    HTTP_OUTCOME_ADDRESS_DENIED, /* by the policy; detail names the address and the flag */
    HTTP_OUTCOME_CONNECT,
    HTTP_OUTCOME_TLS,
    HTTP_OUTCOME_PROTOCOL, /* reset, closed, or garbage instead of an answer */
    HTTP_OUTCOME_BAD_URL,  /* scheme or host cannot be requested */
    HTTP_OUTCOME_CANCELED,
};
const char *http_outcome_name(enum http_outcome o); /* "timeout" */

struct http_client_result {
    enum http_outcome outcome;
    int status;              /* with ANSWERED, else 0 */
    const char *detail;      /* readable reason, "" when answered */
    const char *address;     /* connected (or refused) address, "" when none */
    struct str body;         /* up to max_response_bytes */
    bool is_body_cut;        /* it was longer, or did not come whole */
    struct str headers;      /* of the answer, a line each: "name: value\n" */
    const char *retry_after; /* header value or NULL */
    /* microseconds since the start of the exchange, -1 when not reached (a kept-alive connection
     * has neither connect_us nor tls_us) */
    int64_t dns_us, connect_us, tls_us, first_byte_us, total_us;
};

/* The value of the first header with that name, any case, in lines as above; data NULL: none. */
struct str http_headers_find(struct str lines, struct str name);

/* Starts an exchange. fn is called exactly once, never from inside this function; the result is
 * valid during the call. Never returns NULL. */
struct http_exchange;
typedef void http_client_fn(void *arg, const struct http_client_result *result);
struct http_exchange *http_client_start(struct http_client *c,
                                        const struct http_client_request *request,
                                        http_client_fn *fn, void *arg);
/* Ends it now; fn is called with CANCELED in the next turn, also when another end was about to be
 * told. Only before fn was called. */
void http_exchange_cancel(struct http_exchange *x);
