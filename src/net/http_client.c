/* HTTP requests out. Owns the exchanges, their one deadline and every decision: which address,
 * which connection, when to try again, what the outcome is. Must not touch sockets, TLS or evhttp
 * itself (http_client_conn.c). Callers' functions are called from one place only, the client's own
 * timer, so that nothing they do can pull an object from under a running libevent callback. */
#include "net/http_client.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/http_client_internal.h"
#include "net/judge.h"
#include "net/tls_internal.h"

enum { CONNECT_SHARE_MAX_MS = 4000 }; /* for an address that has others behind it */

static const char *const outcome_names[] = {
    [HTTP_OUTCOME_ANSWERED] = "answered", [HTTP_OUTCOME_TIMEOUT] = "timeout",
    [HTTP_OUTCOME_DNS] = "dns",           [HTTP_OUTCOME_ADDRESS_DENIED] = "address_denied",
    [HTTP_OUTCOME_CONNECT] = "connect",   [HTTP_OUTCOME_TLS] = "tls",
    [HTTP_OUTCOME_PROTOCOL] = "protocol", [HTTP_OUTCOME_BAD_URL] = "bad_url",
    [HTTP_OUTCOME_CANCELED] = "canceled",
};

static const struct {
    const char *name, *doing;
} states[] = {
    [EXCHANGE_RESOLVING] = {"resolving", "resolving the host name"},
    [EXCHANGE_CONNECTING] = {"connecting", "connecting"},
    [EXCHANGE_WAITING] = {"waiting", "waiting for the answer"},
    [EXCHANGE_READING] = {"reading", "reading the answer"},
    [EXCHANGE_ENDED] = {"ended", ""},
};

const char *
http_outcome_name(enum http_outcome o)
{
    return outcome_names[o];
}

/* --- states and steps ------------------------------------------------------------------ */

static void
exchange_set_state(struct http_exchange *x, enum exchange_state state)
{
    log_debug("http_client", "exchange host=%s port=%d state=%s->%s", x->host, x->port,
              states[x->state].name, states[state].name);
    x->state = state;
}

static int64_t
elapsed_us(const struct http_exchange *x)
{
    return clock_mono_us() - x->start_us;
}

/* What follows happens in the next turn, outside every callback of libevent. */
static void
exchange_schedule(struct http_exchange *x, enum exchange_work work)
{
    struct http_client *c = x->client;
    if (c->work == NULL)
        loop_timer_set_ms(&c->timer, 0);
    if (x->work == WORK_NONE) {
        x->next_work = NULL;
        *c->work_tail = x;
        c->work_tail = &x->next_work;
    }
    if (work > x->work)
        x->work = work;
}

/* Every end of an exchange. */
static void
exchange_end(struct http_exchange *x, enum http_outcome outcome, const char *detail)
{
    if (x->state == EXCHANGE_ENDED)
        return;
    exchange_set_state(x, EXCHANGE_ENDED);
    x->outcome = outcome;
    x->detail = mem_strdup(detail);
    x->total_us = elapsed_us(x);
    loop_timer_clear(&x->deadline);
    loop_timer_clear(&x->connect_share);
    if (x->lookup != NULL)
        resolver_cancel(x->lookup);
    x->lookup = NULL;
    exchange_schedule(x, WORK_CALL_BACK);
}

static void
exchange_free(struct http_exchange *x)
{
    loop_timer_done(&x->deadline);
    loop_timer_done(&x->connect_share);
    SSL_CTX_free(x->tls_ctx);
    mem_wipe(x->head.data, x->head.len); /* queries and headers hold tokens */
    buf_done(&x->head);
    buf_done(&x->body);
    buf_done(&x->response);
    buf_done(&x->response_headers);
    free(x->addresses);
    free(x->host);
    free(x->origin_key);
    free(x->detail);
    free(x->retry_after);
    free(x);
}

static void
exchange_release_connection(struct http_exchange *x)
{
    struct http_client_conn *conn = x->conn;
    x->conn = NULL;
    if (conn == NULL)
        return;
    conn->exchange = NULL;
    if (x->is_complete && x->may_keep && !x->is_once && http_client_conn_is_reusable(conn))
        http_client_idle_put(conn);
    else
        http_client_conn_free(conn);
}

/* Consumes x. The caller's function may free the client. */
static void
exchange_call_back(struct http_exchange *x)
{
    *x->link = x->next;
    if (x->next != NULL)
        x->next->link = x->link;
    exchange_release_connection(x);
    struct http_client_result result = {
        .outcome = x->outcome,
        .status = x->outcome == HTTP_OUTCOME_ANSWERED ? x->status : 0,
        .detail = x->detail,
        .address = x->address,
        .body = buf_str(&x->response),
        .is_body_cut = x->outcome == HTTP_OUTCOME_ANSWERED && !x->is_complete,
        .headers = buf_str(&x->response_headers),
        .retry_after = x->retry_after,
        .dns_us = x->dns_us,
        .connect_us = x->connect_us,
        .tls_us = x->tls_us,
        .first_byte_us = x->first_byte_us,
        .total_us = x->total_us,
    };
    x->fn(x->arg, &result);
    exchange_free(x);
}

/* --- connecting ------------------------------------------------------------------------ */

static char *
connection_key(const struct http_exchange *x, size_t at, char *address, size_t cap)
{
    struct buf key = BUF_INIT;
    address_format((const struct sockaddr *) &x->addresses[at], address, cap);
    buf_add_cstr(&key, x->origin_key);
    buf_add_char(&key, '\n');
    buf_add_cstr(&key, address);
    return buf_take(&key);
}

/* A kept-alive connection to any of the addresses: all of them were judged. */
static struct http_client_conn *
exchange_find_idle(struct http_exchange *x)
{
    struct http_client_conn *conn = NULL;
    for (size_t i = 0; i < x->n_addresses && conn == NULL; i++) {
        char *key = connection_key(x, i, x->address, sizeof(x->address));
        conn = http_client_idle_take(x->client, key);
        if (conn != NULL)
            x->at = i;
        free(key);
    }
    return conn;
}

static struct http_client_conn *
exchange_new_connection(struct http_exchange *x)
{
    char *key = connection_key(x, x->at, x->address, sizeof(x->address));
    struct http_client_target target = {
        .key = key,
        .address = x->address,
        .port = x->port,
        .tls_ctx = x->tls_ctx,
        .tls_host = x->is_https ? x->host : NULL,
        .tls_host_is_ip = x->host_is_ip,
    };
    struct http_client_conn *conn = http_client_conn_new(x->client, &target);
    free(key);
    return conn;
}

static void
on_connect_share(void *arg)
{
    struct http_exchange *x = arg;
    if (x->state == EXCHANGE_CONNECTING && x->connect_us < 0)
        http_exchange_on_connect_failed(x, ETIMEDOUT);
}

/* So that an address that swallows packets does not use up the deadline of the others. */
static void
exchange_arm_connect_share(struct http_exchange *x)
{
    size_t left = x->n_addresses - x->n_failed;
    if (left < 2)
        return;
    if (x->connect_share.loop == NULL)
        loop_timer_init(&x->connect_share, x->client->loop, on_connect_share, x);
    int64_t share_ms = (x->deadline_us - clock_mono_us()) / 1000 / (int64_t) left;
    loop_timer_set_ms(&x->connect_share,
                      share_ms < CONNECT_SHARE_MAX_MS ? share_ms : CONNECT_SHARE_MAX_MS);
}

/* The connection has failed: whatever it still says counts for nothing. */
static void
exchange_disown_connection(struct http_exchange *x)
{
    if (x->conn == NULL)
        return;
    x->conn->is_dead = true;
    x->conn->exchange = NULL;
}

static void
exchange_connect(struct http_exchange *x)
{
    if (x->conn != NULL)
        http_client_conn_free(x->conn); /* the one that failed */
    x->conn = NULL;
    x->connect_us = x->tls_us = x->first_byte_us = -1;
    struct http_client_conn *conn = x->fresh_only ? NULL : exchange_find_idle(x);
    x->fresh_only = true;
    if (conn != NULL) {
        conn->is_reused = true;
        exchange_set_state(x, EXCHANGE_WAITING);
    } else {
        conn = exchange_new_connection(x);
        if (conn == NULL) {
            exchange_end(x, HTTP_OUTCOME_TLS, "TLS cannot be set up for this host name");
            return;
        }
        exchange_set_state(x, EXCHANGE_CONNECTING);
        exchange_arm_connect_share(x);
    }
    x->conn = conn;
    http_client_conn_send(conn, x);
}

static bool
exchange_judge(struct http_exchange *x)
{
    struct judgement j = {
        .policy = x->client->policy,
        .plain_only_to_listed = !x->is_https && x->plain_only_to_listed,
        .is_local = resolver_is_localhost(x->host),
    };
    struct buf why = BUF_INIT;
    x->n_addresses = judge_addresses(&j, x->addresses, x->n_addresses, x->address, &why);
    if (x->n_addresses == 0)
        exchange_end(x, HTTP_OUTCOME_ADDRESS_DENIED, buf_cstr(&why));
    buf_done(&why);
    return x->n_addresses > 0;
}

static void
on_resolved(void *arg, const struct sockaddr_storage *addresses, size_t n, const char *error)
{
    struct http_exchange *x = arg;
    x->lookup = NULL;
    x->dns_us = elapsed_us(x);
    if (n == 0) {
        struct buf detail = BUF_INIT;
        buf_addf(&detail, "cannot resolve `%s`: %s", x->host, error);
        exchange_end(x, HTTP_OUTCOME_DNS, buf_cstr(&detail));
        buf_done(&detail);
        return;
    }
    x->addresses = mem_new(n, sizeof(*addresses));
    memcpy(x->addresses, addresses, n * sizeof(*addresses));
    x->n_addresses = n;
    if (exchange_judge(x))
        exchange_schedule(x, WORK_CONNECT);
}

/* --- what the connection reports ------------------------------------------------------------- */

void
http_exchange_on_connected(struct http_exchange *x)
{
    if (x->state != EXCHANGE_CONNECTING)
        return;
    loop_timer_clear(&x->connect_share);
    if (x->connect_us < 0)
        x->connect_us = elapsed_us(x);
    if (!x->conn->is_connected)
        return; /* the handshake follows */
    if (x->is_https)
        x->tls_us = elapsed_us(x);
    exchange_set_state(x, EXCHANGE_WAITING);
}

void
http_exchange_on_connect_failed(struct http_exchange *x, int error_number)
{
    if (x->state == EXCHANGE_ENDED)
        return;
    loop_timer_clear(&x->connect_share);
    x->n_failed++;
    if (x->n_failed < x->n_addresses) {
        x->at = (x->at + 1) % x->n_addresses;
        exchange_disown_connection(x);
        exchange_schedule(x, WORK_CONNECT);
        return;
    }
    struct buf detail = BUF_INIT;
    buf_addf(&detail, "cannot connect to %s port %d: %s", x->address, x->port,
             error_number != 0 ? strerror(error_number) : "the connection failed");
    resolver_forget(x->client->resolver, x->host);
    exchange_end(x, HTTP_OUTCOME_CONNECT, buf_cstr(&detail));
    buf_done(&detail);
}

/* A kept-alive connection that the receiver closed while we began to send: not its answer. */
static bool
exchange_tries_again(struct http_exchange *x)
{
    if (x->state != EXCHANGE_WAITING || !x->conn->is_reused || x->conn->has_bytes)
        return false;
    exchange_set_state(x, EXCHANGE_CONNECTING);
    exchange_disown_connection(x);
    exchange_schedule(x, WORK_CONNECT);
    return true;
}

/* A status line that came counts, whatever happens to the body. */
static void
exchange_fail(struct http_exchange *x, enum http_outcome outcome, const char *detail)
{
    if (x->state == EXCHANGE_READING)
        exchange_end(x, HTTP_OUTCOME_ANSWERED, "");
    else if (!exchange_tries_again(x))
        exchange_end(x, outcome, detail);
}

void
http_exchange_on_tls_failed(struct http_exchange *x, const char *detail)
{
    exchange_fail(x, HTTP_OUTCOME_TLS, detail);
}

void
http_exchange_on_broken(struct http_exchange *x, const char *detail)
{
    exchange_fail(x, HTTP_OUTCOME_PROTOCOL, detail);
}

void
http_exchange_on_first_byte(struct http_exchange *x)
{
    if (x->first_byte_us < 0)
        x->first_byte_us = elapsed_us(x);
}

int
http_exchange_on_head(struct http_exchange *x, const struct http_client_answer *answer)
{
    char detail[80];
    if (x->state != EXCHANGE_WAITING)
        return -1;
    if (answer->status == 100) {
        exchange_schedule(x, WORK_NUDGE);
        return 0;
    }
    if (answer->status < 200 || answer->status > 999) {
        (void) snprintf(detail, sizeof(detail), "the receiver sent status %d, which ends nothing",
                        answer->status);
        exchange_end(x, HTTP_OUTCOME_PROTOCOL, detail);
        return -1;
    }
    x->status = answer->status;
    x->retry_after = mem_strdup(answer->retry_after);
    buf_add_str(&x->response_headers, answer->headers);
    x->may_keep = answer->may_keep;
    exchange_set_state(x, EXCHANGE_READING);
    return 0;
}

void
http_exchange_on_body(struct http_exchange *x, struct evbuffer *data)
{
    if (x->state != EXCHANGE_READING)
        return;
    size_t len = evbuffer_get_length(data), room = x->max_response_bytes - x->response.len;
    size_t take = len < room ? len : room;
    if (buf_reserve(&x->response, take)) {
        (void) evbuffer_remove(data, x->response.data + x->response.len, take); /* it has as much */
        x->response.len += take;
    }
    if (take < len)
        exchange_end(x, HTTP_OUTCOME_ANSWERED, ""); /* the rest is of no interest */
}

void
http_exchange_on_complete(struct http_exchange *x)
{
    if (x->state != EXCHANGE_READING)
        return;
    x->is_complete = true;
    exchange_end(x, HTTP_OUTCOME_ANSWERED, "");
}

static void
on_deadline(void *arg)
{
    struct http_exchange *x = arg;
    struct buf detail = BUF_INIT;
    bool in_handshake = x->state == EXCHANGE_CONNECTING && x->connect_us >= 0;
    buf_addf(&detail, "no answer within %lld ms (%s)", (long long) x->timeout_ms,
             in_handshake ? "in the TLS handshake" : states[x->state].doing);
    if (x->state == EXCHANGE_READING)
        exchange_end(x, HTTP_OUTCOME_ANSWERED, "");
    else
        exchange_end(x, HTTP_OUTCOME_TIMEOUT, buf_cstr(&detail));
    buf_done(&detail);
}

/* --- starting -------------------------------------------------------------------------------- */

static void
exchange_copy_request(struct http_exchange *x, const struct http_client_request *request)
{
    const struct url *u = request->url;
    x->is_https = strcmp(u->scheme, "https") == 0;
    x->host_is_ip = u->host_is_ipv4 || u->host_is_ipv6;
    x->host = mem_strdup(u->host);
    x->port = url_effective_port(u);
    buf_add_str(&x->body, request->body);
    x->timeout_ms = request->timeout_ms;
    x->max_response_bytes = request->max_response_bytes;
    x->is_once = x->fresh_only = request->is_once;
    x->plain_only_to_listed = request->plain_only_to_listed || x->client->plain_only_to_listed;
}

/* 0, or -1 when the request cannot be made at all: the exchange has ended then. */
static int
exchange_check(struct http_exchange *x, const struct http_client_request *request)
{
    struct buf why = BUF_INIT;
    enum http_outcome outcome = HTTP_OUTCOME_BAD_URL;
    if (!url_is_http(request->url)) {
        buf_addf(&why, "the scheme `%s` cannot be requested", request->url->scheme);
    } else if (x->port < 1 || x->host[0] == '\0') {
        buf_add_cstr(&why, "the URL has no host and port to connect to");
    } else if (http_client_method(request->method, &x->method) < 0) {
        outcome = HTTP_OUTCOME_PROTOCOL;
        buf_addf(&why, "the method `%s` cannot be sent", request->method);
    } else if (buf_failed(&x->body)) {
        outcome = HTTP_OUTCOME_PROTOCOL;
        buf_add_cstr(&why, "no memory for the request's body");
    } else if (http_client_head_build(&x->head, request, x->client->user_agent, &why) < 0) {
        outcome = HTTP_OUTCOME_PROTOCOL;
    }
    bool is_bad = why.len > 0;
    if (is_bad)
        exchange_end(x, outcome, buf_cstr(&why));
    buf_done(&why);
    return is_bad ? -1 : 0;
}

/* With whom it may share connections: those of another TLS identity proved nothing to it. */
static int
exchange_choose_identity(struct http_exchange *x, const struct http_client_request *request)
{
    struct err err = ERR_INIT;
    struct buf key = BUF_INIT;
    uint64_t number = 0;
    struct tls_client *tls = x->is_https ? x->client->tls : NULL;
    struct tls_identity identity = {request->ca, request->client_certificate};
    if (tls != NULL) {
        x->tls_ctx = tls_client_take_ctx(tls, &identity, &number, &err);
        if (x->tls_ctx == NULL)
            exchange_end(x, HTTP_OUTCOME_TLS, err.message);
        err_done(&err);
    }
    buf_add_cstr(&key, request->pool != NULL ? request->pool : "");
    buf_add_char(&key, '\n');
    buf_add_u64(&key, number);
    buf_add_char(&key, '\n');
    buf_add_cstr(&key, request->url->scheme);
    buf_add_char(&key, '\n');
    buf_add_cstr(&key, x->host);
    buf_add_char(&key, '\n');
    buf_add_u64(&key, (uint64_t) x->port);
    x->origin_key = buf_take(&key);
    return tls != NULL && x->tls_ctx == NULL ? -1 : 0;
}

struct http_exchange *
http_client_start(struct http_client *c, const struct http_client_request *request,
                  http_client_fn *fn, void *arg)
{
    struct http_exchange *x = mem_new(1, sizeof(*x));
    x->client = c;
    x->fn = fn;
    x->arg = arg;
    x->next = c->exchanges;
    x->link = &c->exchanges;
    if (x->next != NULL)
        x->next->link = &x->next;
    c->exchanges = x;
    x->start_us = clock_mono_us();
    x->deadline_us = x->start_us + request->timeout_ms * 1000;
    x->dns_us = x->connect_us = x->tls_us = x->first_byte_us = -1;
    loop_timer_init(&x->deadline, c->loop, on_deadline, x);
    exchange_copy_request(x, request);
    if (exchange_check(x, request) < 0 || exchange_choose_identity(x, request) < 0)
        return x;
    loop_timer_set_ms(&x->deadline, request->timeout_ms);
    struct sockaddr_storage literal;
    if (url_literal_address(request->url, &literal))
        on_resolved(x, &literal, 1, NULL);
    else
        x->lookup = resolver_start(c->resolver, x->host, on_resolved, x);
    return x;
}

void
http_exchange_cancel(struct http_exchange *x)
{
    exchange_end(x, HTTP_OUTCOME_CANCELED, "canceled");
    x->outcome = HTTP_OUTCOME_CANCELED; /* also when another end was about to be told */
}

/* --- the client ------------------------------------------------------------------------------ */

static void
take_step(struct http_exchange *x)
{
    enum exchange_work work = x->work;
    x->work = WORK_NONE;
    if (work == WORK_CALL_BACK)
        exchange_call_back(x);
    else if (work == WORK_CONNECT)
        exchange_connect(x);
    else if (work == WORK_NUDGE && x->state == EXCHANGE_WAITING)
        http_client_conn_nudge(x->conn);
}

static void
on_timer(void *arg)
{
    struct http_client *c = arg;
    struct http_exchange *list = c->work;
    http_client_idle_free_dead(c);
    c->work = NULL; /* what comes now waits for the next turn */
    c->work_tail = &c->work;
    while (list != NULL && !c->is_freed) { /* by a caller's function: the memory goes later */
        struct http_exchange *x = list;
        list = x->next_work;
        take_step(x);
    }
}

struct http_client *
http_client_new(struct loop *l, const struct http_client_conf *conf, struct err *err)
{
    struct http_client *c = mem_new(1, sizeof(*c));
    struct resolver_conf resolver = {conf->nameserver, conf->hosts_path};
    c->loop = l;
    c->policy = conf->policy;
    c->plain_only_to_listed = conf->plain_only_to_listed;
    c->tls = conf->tls;
    c->user_agent = mem_strdup(conf->user_agent != NULL ? conf->user_agent : "taskhook");
    c->work_tail = &c->work;
    loop_timer_init(&c->timer, l, on_timer, c);
    http_client_idle_open(c);
    c->resolver = resolver_new(l, &resolver, err);
    if (c->resolver == NULL) {
        http_client_free(c);
        return NULL;
    }
    return c;
}

void
http_client_reload(struct http_client *c)
{
    struct err err = ERR_INIT;
    http_client_idle_drop_all(c);
    if (resolver_reload(c->resolver, &err) < 0)
        log_error("http_client", "the old resolver configuration stays: %s", err.message);
    err_done(&err);
}

/* The timer is part of the client and may be running. */
static void
free_memory(void *arg)
{
    struct http_client *c = arg;
    free(c->user_agent);
    free(c);
}

void
http_client_free(struct http_client *c)
{
    if (c == NULL)
        return;
    c->is_freed = true;
    while (c->exchanges != NULL) {
        http_exchange_cancel(c->exchanges);
        c->work = NULL; /* nothing is left to the timer */
        c->work_tail = &c->work;
        exchange_call_back(c->exchanges);
    }
    http_client_idle_close(c);
    http_client_idle_free_dead(c);
    resolver_free(c->resolver);
    loop_timer_done(&c->timer);
    loop_defer(c->loop, free_memory, c);
}
