#pragma once
/* What the files of the HTTP client share. http_client.c owns exchanges and decides;
 * http_client_conn.c owns one connection each and reports; http_client_idle.c keeps those that
 * wait; http_client_head.c turns a request into header lines. */
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <openssl/ssl.h>

#include "net/http_client.h"
#include "net/resolver.h"

enum { HTTP_CLIENT_IDLE_LISTS = 64 };
/* Kept-alive connections that carry nothing (http_client_idle.c). */
struct http_client_idle {
    struct http_client_conn *newest, *oldest;               /* by their last use */
    struct http_client_conn *lists[HTTP_CLIENT_IDLE_LISTS]; /* by the hash of their key, newest
                                                               first */
    size_t n;
    struct loop_timer timer; /* for the oldest, or before its time */
};

struct http_client {
    struct loop *loop;
    const struct address_policy *policy;
    bool plain_only_to_listed;
    struct tls_client *tls;
    char *user_agent;
    struct resolver *resolver;
    struct http_exchange *exchanges; /* all that still owe their callback */
    struct http_exchange *work;      /* those with a step to take in the next turn */
    struct http_exchange **work_tail;
    struct http_client_idle idle;
    struct http_client_conn *dead; /* to be freed outside libevent's callbacks */
    struct loop_timer timer;       /* runs work and dead in the next turn */
    bool is_freed;                 /* the timer may still be running its list */
};

/* --- one connection (http_client_conn.c) ----------------------------------------------------- */

struct http_client_conn {
    struct http_client *client;
    struct http_exchange *exchange; /* NULL: idle or dead */
    struct evhttp_connection *evcon;
    struct bufferevent *bev;
    SSL *ssl;  /* NULL: plain; owned by bev */
    char *key; /* what another exchange must match to use it: pool, origin, address */
    uint64_t key_hash;
    bool is_reused, is_tcp_connected, is_connected, is_dead;
    bool has_bytes;                /* of the present answer */
    unsigned char first_byte;      /* of the present answer */
    unsigned long last_words;      /* OpenSSL's error for what was unread when it broke; or 0 */
    bufferevent_event_cb on_event; /* evhttp's own, called on after ours */
    void *on_event_arg;
    enum evhttp_request_error last_error;
    /* while idle (dead ones: next alone) */
    int64_t idle_until_us;
    struct http_client_conn *next, *prev;           /* towards the oldest, the newest */
    struct http_client_conn *list_next, *list_prev; /* of those with the same hash */
};

struct http_client_target {
    const char *key, *address;
    int port;
    SSL_CTX *tls_ctx;     /* borrowed; NULL: plain, or TLS cannot be set up */
    const char *tls_host; /* NULL: plain; the name (or address) the certificate must show */
    bool tls_host_is_ip;
};
/* NULL when TLS cannot be set up. */
struct http_client_conn *http_client_conn_new(struct http_client *c,
                                              const struct http_client_target *target);
/* Never from inside a libevent callback of the connection. */
void http_client_conn_free(struct http_client_conn *conn);
/* Sends the exchange's request; what follows is reported by the functions below, at the earliest
 * from inside this call. */
void http_client_conn_send(struct http_client_conn *conn, struct http_exchange *x);
/* The connection can carry another request. */
bool http_client_conn_is_reusable(const struct http_client_conn *conn);
/* For TLS: goes on after a "100 Continue", where libevent waits for a write that never happens. */
void http_client_conn_nudge(struct http_client_conn *conn);

/* Reports to the exchange (http_client.c). */
void http_exchange_on_connected(struct http_exchange *x);
void http_exchange_on_connect_failed(struct http_exchange *x, int error_number);
void http_exchange_on_tls_failed(struct http_exchange *x, const char *detail);
void http_exchange_on_first_byte(struct http_exchange *x);
/* The head is there; of interim answers (told as 100) only the status counts. Negative: give up on
 * the connection. */
struct http_client_answer {
    int status;
    const char *retry_after; /* NULL when absent */
    struct str headers;      /* as in struct http_client_result */
    bool may_keep;           /* persistent, and where it ends is beyond doubt */
};
int http_exchange_on_head(struct http_exchange *x, const struct http_client_answer *answer);
void http_exchange_on_body(struct http_exchange *x, struct evbuffer *data);
void http_exchange_on_complete(struct http_exchange *x);
/* The connection broke or the answer is not HTTP; detail says what happened. */
void http_exchange_on_broken(struct http_exchange *x, const char *detail);

/* --- the idle ones (http_client_idle.c) ------------------------------------------------ */

void http_client_idle_open(struct http_client *c);
void http_client_idle_close(struct http_client *c); /* drops all */
void http_client_idle_put(struct http_client_conn *conn);
/* NULL when there is none to use. */
struct http_client_conn *http_client_idle_take(struct http_client *c, const char *key);
uint64_t http_client_key_hash(const char *key);
/* An idle one that was closed: freed in the next turn, safe inside its own callbacks. */
void http_client_idle_bury(struct http_client_conn *conn);
void http_client_idle_free_dead(struct http_client *c);
void http_client_idle_drop_all(struct http_client *c);

/* --- the request's head (http_client_head.c) ------------------------------------------------- */

/* Appends the request line, all header lines, framing included, and the empty line. -1 with the
 * reason when a header of the caller cannot be sent. */
int http_client_head_build(struct buf *head, const struct http_client_request *request,
                           const char *user_agent, struct buf *why);
/* -1 when evhttp cannot send it. */
int http_client_method(const char *name, enum evhttp_cmd_type *ret);

/* --- one exchange (http_client.c) ------------------------------------------------------------ */

/* RESOLVING -> CONNECTING -> WAITING -> READING -> ENDED; from any state to ENDED, from WAITING
 * back to CONNECTING once when a kept-alive connection had died. Only exchange_set_state() moves
 * it. */
enum exchange_state {
    EXCHANGE_RESOLVING,
    EXCHANGE_CONNECTING, /* to addresses.list[at] */
    EXCHANGE_WAITING,    /* for the head of the answer */
    EXCHANGE_READING,    /* the body: the status is known */
    EXCHANGE_ENDED,
};

enum exchange_work { WORK_NONE, WORK_NUDGE, WORK_CONNECT, WORK_CALL_BACK };

struct http_exchange {
    struct http_client *client;
    struct http_exchange *next, **link; /* client->exchanges */
    struct http_exchange *next_work;
    enum exchange_state state;
    enum exchange_work work;

    /* the request */
    bool is_https, host_is_ip, plain_only_to_listed, is_once;
    char *host, *origin_key;
    int port;
    SSL_CTX *tls_ctx; /* owned reference; NULL: not https */
    enum evhttp_cmd_type method;
    struct buf head, body; /* as they are sent */
    int64_t timeout_ms;
    size_t max_response_bytes;

    /* its way */
    int64_t start_us, deadline_us;
    struct loop_timer deadline, connect_share;
    struct resolver_lookup *lookup;
    struct sockaddr_storage *addresses; /* own; NULL until they are known */
    size_t n_addresses, n_failed, at;
    struct http_client_conn *conn;
    bool fresh_only;  /* a reused connection had died: not another one */
    bool is_complete; /* the answer came whole and the connection may be kept */
    bool may_keep;    /* by the answer's head */

    /* the result */
    enum http_outcome outcome;
    int status;
    char *detail, *retry_after;
    char address[64];
    struct buf response, response_headers;
    int64_t dns_us, connect_us, tls_us, first_byte_us, total_us;
    http_client_fn *fn;
    void *arg;
};
