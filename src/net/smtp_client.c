/* Mail out: owns conversations with the relay: name, address, connection, TLS, the one deadline and
 * how it is told. What is said is smtp_session.c's. The caller's function is called from the
 * exchange's own timer only, never from inside a libevent callback, and an exchange's memory goes
 * at the end of a turn. */
#include "net/smtp_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/form.h"
#include "net/http_client_internal.h"
#include "net/judge.h"
#include "net/smtp_session.h"
#include "net/tls_internal.h"

enum {
    SUBMISSION_PORT = 587,
    SUBMISSIONS_PORT = 465,      /* TLS from the first byte (RFC 8314) */
    CONNECT_SHARE_MAX_MS = 4000, /* for an address that has others behind it */
    GOODBYE_MS = 1000,           /* for a QUIT to leave, once the end is known */
    INPUT_MAX_BYTES = 16 * 1024,
    HOST_NAME_CAP = 256,
};

struct smtp_client {
    struct loop *loop;
    struct http_client *http;
    const struct address_policy *plain;
    bool is_smtps, host_is_ip;
    char *host, *user, *password, *name;
    int port;
    struct smtp_exchange *exchanges; /* all whose memory is still there */
};

enum exchange_work_kind { WORK_NOTHING, WORK_NEXT_ADDRESS, WORK_HANDSHAKE, WORK_TELL };

struct smtp_exchange {
    struct smtp_client *client;
    struct smtp_exchange *next, **link;
    struct smtp_session session;
    char *from, *recipients[SMTP_RECIPIENTS_MAX];
    struct buf data;
    int64_t timeout_ms, start_us, deadline_us;
    struct loop_timer deadline, share, step, goodbye;
    enum exchange_work_kind work;
    struct resolver_lookup *lookup;
    struct sockaddr_storage *addresses;
    size_t n_addresses, at;
    struct bufferevent *bev; /* NULL: not connected */
    SSL *ssl;                /* of the bev; NULL: plain */
    bool is_resolved, is_connected, is_told, is_gone;
    char address[JUDGE_ADDRESS_CAP];
    int64_t dns_us, connect_us, tls_us, first_byte_us, total_us;
    smtp_client_fn *fn;
    void *arg;
};

/* --- the end
 * ------------------------------------------------------------------------------------------ */

static int64_t
elapsed_us(const struct smtp_exchange *x)
{
    return clock_mono_us() - x->start_us;
}

static void
do_next(struct smtp_exchange *x, enum exchange_work_kind work)
{
    if (work > x->work)
        x->work = work;
    loop_timer_set_ms(&x->step, 0);
}

static void
free_memory(void *arg)
{
    struct smtp_exchange *x = arg;
    smtp_session_done(&x->session);
    for (size_t i = 0; i < SMTP_RECIPIENTS_MAX; i++)
        free(x->recipients[i]);
    free(x->from);
    buf_done(&x->data);
    free(x->addresses);
    free(x);
}

static void
drop_connection(struct smtp_exchange *x)
{
    if (x->bev != NULL)
        bufferevent_free(x->bev);
    x->bev = NULL;
    x->ssl = NULL;
    ERR_clear_error();
}

/* Everything but the memory, which goes at the end of the turn. */
static void
leave(struct smtp_exchange *x)
{
    if (x->is_gone)
        return;
    x->is_gone = true;
    *x->link = x->next;
    if (x->next != NULL)
        x->next->link = x->link;
    drop_connection(x);
    loop_timer_done(&x->deadline);
    loop_timer_done(&x->share);
    loop_timer_done(&x->step);
    loop_timer_done(&x->goodbye);
    loop_defer(x->client->loop, free_memory, x);
}

static void
on_goodbye(void *arg)
{
    leave(arg);
}

static void
count_fates(struct smtp_result *result, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        result->n_accepted += result->fates[i] == SMTP_ACCEPTED;
        result->n_refused += result->fates[i] == SMTP_REFUSED;
        result->n_pending += result->fates[i] == SMTP_PENDING;
    }
}

/* The caller's function may free the client. */
static void
tell(struct smtp_exchange *x)
{
    struct smtp_session *s = &x->session;
    x->is_told = true;
    struct smtp_result result = {
        .outcome = s->outcome,
        .code = s->outcome == HTTP_OUTCOME_ANSWERED ? s->final_code : 0,
        .is_final = s->is_final,
        .detail = buf_failed(&s->detail) ? "" : buf_cstr(&s->detail),
        .address = x->address,
        .replies = buf_str(&s->replies),
        .dns_us = x->dns_us,
        .connect_us = x->connect_us,
        .tls_us = x->tls_us,
        .first_byte_us = x->first_byte_us,
        .total_us = x->total_us,
    };
    memcpy(result.fates, s->fates, sizeof(result.fates));
    count_fates(&result, s->conf.n_recipients);
    x->fn(x->arg, &result);
}

/* The end is known: it is told in the next turn, while a QUIT goes out. */
static void
finish(struct smtp_exchange *x)
{
    if (x->work == WORK_TELL || x->is_told)
        return;
    x->total_us = elapsed_us(x);
    loop_timer_clear(&x->deadline);
    loop_timer_clear(&x->share);
    if (x->lookup != NULL)
        resolver_cancel(x->lookup);
    x->lookup = NULL;
    do_next(x, WORK_TELL);
}

static void
fail(struct smtp_exchange *x, enum http_outcome outcome, const char *detail)
{
    smtp_session_fail(&x->session, outcome, detail);
    finish(x);
}

static const char *
doing(const struct smtp_exchange *x)
{
    if (!x->is_resolved)
        return "resolving the relay's name";
    if (!x->is_connected)
        return x->connect_us < 0 ? "connecting to the relay" : "in the TLS handshake";
    return smtp_state_doing(x->session.state);
}

static void
on_deadline(void *arg)
{
    struct smtp_exchange *x = arg;
    struct buf detail = BUF_INIT;
    buf_addf(&detail, "no end within %lld ms (%s)", (long long) x->timeout_ms, doing(x));
    fail(x, HTTP_OUTCOME_TIMEOUT, buf_cstr(&detail));
    buf_done(&detail);
}

/* --- talking
 * ------------------------------------------------------------------------------------------- */

static void
flush(struct smtp_exchange *x)
{
    struct buf *out = &x->session.out;
    if (x->bev != NULL && !buf_failed(out) && out->len > 0)
        (void) bufferevent_write(x->bev, out->data, out->len); /* an error is met when writing */
    mem_wipe(out->data, out->len);                             /* passwords */
    buf_clear(out);
}

static void
take_step(struct smtp_exchange *x, enum smtp_step step)
{
    if (buf_failed(&x->session.out))
        fail(x, HTTP_OUTCOME_PROTOCOL, "out of memory");
    flush(x);
    if (step == SMTP_STEP_DONE)
        finish(x);
    if (step != SMTP_STEP_TLS)
        return;
    /* What came behind the reply was sent by somebody who could not know our next words: over TLS
     * it would pass for the relay's (CVE-2011-0411). */
    (void) bufferevent_disable(x->bev, EV_READ);
    if (evbuffer_get_length(bufferevent_get_input(x->bev)) > 0)
        fail(x, HTTP_OUTCOME_TLS,
             "the relay sent more than its answer to STARTTLS before the handshake");
    else
        do_next(x, WORK_HANDSHAKE);
}

static void
on_read(struct bufferevent *bev, void *arg)
{
    struct smtp_exchange *x = arg;
    struct evbuffer *input = bufferevent_get_input(bev);
    char line[SMTP_LINE_MAX_BYTES + 2];
    enum smtp_step step = SMTP_STEP_READ;
    if (x->first_byte_us < 0)
        x->first_byte_us = elapsed_us(x);
    while (step == SMTP_STEP_READ && x->session.state != SMTP_STATE_DONE) {
        size_t eol_len = 0;
        struct evbuffer_ptr eol = evbuffer_search_eol(input, NULL, &eol_len, EVBUFFER_EOL_CRLF);
        if (eol.pos < 0 || eol.pos > SMTP_LINE_MAX_BYTES) {
            if (eol.pos > 0 || evbuffer_get_length(input) > SMTP_LINE_MAX_BYTES)
                fail(x, HTTP_OUTCOME_PROTOCOL, "the relay sends a line without an end");
            return;
        }
        (void) evbuffer_remove(input, line, (size_t) eol.pos); /* it has as much */
        (void) evbuffer_drain(input, eol_len);
        step = smtp_session_line(&x->session, str_make(line, (size_t) eol.pos));
        take_step(x, step);
    }
}

/* --- connecting
 * ---------------------------------------------------------------------------------------- */

static const struct sockaddr *
address_at(const struct smtp_exchange *x)
{
    return (const struct sockaddr *) &x->addresses[x->at];
}

static void
connect_failed(struct smtp_exchange *x, const char *reason)
{
    struct buf detail = BUF_INIT;
    loop_timer_clear(&x->share);
    drop_connection(x);
    if (x->at + 1 < x->n_addresses) {
        x->at++;
        do_next(x, WORK_NEXT_ADDRESS);
        return;
    }
    buf_addf(&detail, "cannot connect to the relay %s port %d: %s", x->address, x->client->port,
             reason);
    resolver_forget(x->client->http->resolver, x->client->host);
    fail(x, HTTP_OUTCOME_CONNECT, buf_cstr(&detail));
    buf_done(&detail);
}

static void
on_share(void *arg)
{
    struct smtp_exchange *x = arg;
    if (x->connect_us < 0)
        connect_failed(x, strerror(ETIMEDOUT));
}

static void
on_connected(struct smtp_exchange *x)
{
    int on = 1;
    loop_timer_clear(&x->share);
    if (x->connect_us < 0)
        x->connect_us = elapsed_us(x);
    /* Without it a message behind its command waits 40 ms; failing costs only that. */
    (void) setsockopt(bufferevent_getfd(x->bev), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static void
on_plain_event(struct bufferevent *bev, short what, void *arg)
{
    struct smtp_exchange *x = arg;
    int error_number = errno;
    (void) bev;
    if (what & BEV_EVENT_CONNECTED) {
        on_connected(x);
        if (x->client->is_smtps) {
            do_next(x, WORK_HANDSHAKE);
            return;
        }
        x->is_connected = true;
        (void) bufferevent_enable(x->bev, EV_READ | EV_WRITE);
        return;
    }
    if (!x->is_connected) {
        connect_failed(x, error_number != 0 ? strerror(error_number) : "the connection failed");
        return;
    }
    struct buf detail = BUF_INIT;
    buf_addf(&detail, "the relay closed the connection (%s)", doing(x));
    if (x->session.state == SMTP_STATE_DONE && x->is_told)
        leave(x);
    else
        fail(x, HTTP_OUTCOME_PROTOCOL, buf_cstr(&detail));
    buf_done(&detail);
}

static void
on_secured(struct smtp_exchange *x)
{
    x->tls_us = elapsed_us(x);
    x->is_connected = true;
    if (!x->client->is_smtps)
        take_step(x, smtp_session_secured(&x->session));
}

static void
on_tls_event(struct bufferevent *bev, short what, void *arg)
{
    struct smtp_exchange *x = arg;
    struct buf detail = BUF_INIT;
    if (what & BEV_EVENT_CONNECTED) {
        on_secured(x);
        return;
    }
    if (x->session.state == SMTP_STATE_DONE && x->is_told) {
        leave(x);
        return;
    }
    bool is_tls = tls_write_failure(&detail, x->ssl, bev, 0);
    if (!is_tls)
        buf_addf(&detail, "the relay closed the connection (%s)", doing(x));
    fail(x, is_tls || x->tls_us < 0 ? HTTP_OUTCOME_TLS : HTTP_OUTCOME_PROTOCOL, buf_cstr(&detail));
    buf_done(&detail);
}

static SSL *
new_ssl(struct smtp_exchange *x)
{
    struct err err = ERR_INIT;
    uint64_t number;
    struct tls_identity nobody = {NULL, NULL};
    struct tls_client *tls = x->client->http->tls;
    SSL_CTX *ctx = tls == NULL ? NULL : tls_client_take_ctx(tls, &nobody, &number, &err);
    SSL *ssl = ctx == NULL ? NULL : tls_client_ssl_new(ctx, x->client->host, x->client->host_is_ip);
    SSL_CTX_free(ctx);
    err_done(&err);
    return ssl;
}

/* On a connection that exists: after STARTTLS, or at once. */
static void
begin_handshake(struct smtp_exchange *x)
{
    evutil_socket_t fd = bufferevent_getfd(x->bev);
    ERR_clear_error();
    SSL *ssl = new_ssl(x);
    if (ssl == NULL) {
        fail(x, HTTP_OUTCOME_TLS, "TLS cannot be set up for the relay");
        return;
    }
    x->is_connected = false;
    (void) bufferevent_setfd(x->bev, -1); /* it must not close the socket */
    bufferevent_free(x->bev);
    x->bev = bufferevent_openssl_socket_new(loop_base(x->client->loop), fd, ssl,
                                            BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE);
    if (x->bev == NULL) {
        SSL_free(ssl);
        (void) close(fd);
        fail(x, HTTP_OUTCOME_TLS, "TLS cannot be set up for the relay");
        return;
    }
    x->ssl = ssl;
    bufferevent_setcb(x->bev, on_read, NULL, on_tls_event, x);
    bufferevent_setwatermark(x->bev, EV_READ, 0, INPUT_MAX_BYTES);
    (void) bufferevent_enable(x->bev, EV_READ | EV_WRITE);
}

static bool
may_be_plain(const struct smtp_exchange *x)
{
    return x->client->plain != NULL && address_policy_lists(x->client->plain, address_at(x));
}

static void
set_port(struct sockaddr_storage *sa, int port)
{
    if (sa->ss_family == AF_INET6)
        ((struct sockaddr_in6 *) sa)->sin6_port = htons((uint16_t) port);
    else
        ((struct sockaddr_in *) sa)->sin_port = htons((uint16_t) port);
}

static void
connect_to(struct smtp_exchange *x)
{
    struct sockaddr_storage *sa = &x->addresses[x->at];
    socklen_t len =
        sa->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    address_format(address_at(x), x->address, sizeof(x->address));
    x->session.conf.may_be_plain = may_be_plain(x);
    x->bev = bufferevent_socket_new(loop_base(x->client->loop), -1, BEV_OPT_CLOSE_ON_FREE);
    if (x->bev == NULL)
        abort(); /* small bounded size */
    bufferevent_setcb(x->bev, on_read, NULL, on_plain_event, x);
    bufferevent_setwatermark(x->bev, EV_READ, 0, INPUT_MAX_BYTES);
    size_t left = x->n_addresses - x->at;
    int64_t share_ms = (x->deadline_us - clock_mono_us()) / 1000 / (int64_t) left;
    if (left > 1)
        loop_timer_set_ms(&x->share,
                          share_ms < CONNECT_SHARE_MAX_MS ? share_ms : CONNECT_SHARE_MAX_MS);
    set_port(sa, x->client->port);
    if (bufferevent_socket_connect(x->bev, (struct sockaddr *) sa, (int) len) != 0 &&
        x->bev != NULL && x->work == WORK_NOTHING)
        connect_failed(x, strerror(errno));
}

static void
on_resolved(void *arg, const struct sockaddr_storage *addresses, size_t n, const char *error)
{
    struct smtp_exchange *x = arg;
    struct buf detail = BUF_INIT;
    struct judgement j = {
        .policy = x->client->http->policy,
        .also = x->client->plain,
        .is_local = resolver_is_localhost(x->client->host),
    };
    x->lookup = NULL;
    x->is_resolved = true;
    x->dns_us = elapsed_us(x);
    if (n == 0) {
        buf_addf(&detail, "cannot resolve the relay `%s`: %s", x->client->host, error);
        fail(x, HTTP_OUTCOME_DNS, buf_cstr(&detail));
        buf_done(&detail);
        return;
    }
    x->addresses = mem_new(n, sizeof(*addresses));
    memcpy(x->addresses, addresses, n * sizeof(*addresses));
    x->n_addresses = judge_addresses(&j, x->addresses, n, x->address, &detail);
    if (x->n_addresses == 0)
        fail(x, HTTP_OUTCOME_ADDRESS_DENIED, buf_cstr(&detail));
    else
        do_next(x, WORK_NEXT_ADDRESS);
    buf_done(&detail);
}

static void
on_step(void *arg)
{
    struct smtp_exchange *x = arg;
    enum exchange_work_kind work = x->work;
    x->work = WORK_NOTHING;
    if (work == WORK_NEXT_ADDRESS) {
        connect_to(x);
    } else if (work == WORK_HANDSHAKE) {
        begin_handshake(x);
    } else if (work == WORK_TELL) {
        if (x->bev == NULL || !x->is_connected)
            leave(x); /* the memory stays for this turn */
        else
            loop_timer_set_ms(&x->goodbye, GOODBYE_MS);
        tell(x);
    }
}

/* --- starting
 * ------------------------------------------------------------------------------------------ */

static bool
copy_message(struct smtp_exchange *x, const struct smtp_message *m)
{
    bool is_ok = smtp_address_is_valid(str_from(m->from)) && m->n_recipients > 0 &&
                 m->n_recipients <= SMTP_RECIPIENTS_MAX;
    x->from = mem_strdup(m->from);
    for (size_t i = 0; is_ok && i < m->n_recipients; i++) {
        x->recipients[i] = mem_strdup(m->recipients[i]);
        is_ok = smtp_address_is_valid(str_from(m->recipients[i]));
    }
    smtp_write_data(&x->data, m->data);
    return is_ok && !buf_failed(&x->data);
}

struct smtp_exchange *
smtp_client_start(struct smtp_client *c, const struct smtp_message *message, smtp_client_fn *fn,
                  void *arg)
{
    struct smtp_exchange *x = mem_new(1, sizeof(*x));
    *x = (struct smtp_exchange){
        .client = c,
        .next = c->exchanges,
        .link = &c->exchanges,
        .timeout_ms = message->timeout_ms,
        .start_us = clock_mono_us(),
        .dns_us = -1,
        .connect_us = -1,
        .tls_us = -1,
        .first_byte_us = -1,
        .fn = fn,
        .arg = arg,
    };
    if (x->next != NULL)
        x->next->link = &x->next;
    c->exchanges = x;
    x->deadline_us = x->start_us + message->timeout_ms * 1000;
    loop_timer_init(&x->deadline, c->loop, on_deadline, x);
    loop_timer_init(&x->share, c->loop, on_share, x);
    loop_timer_init(&x->step, c->loop, on_step, x);
    loop_timer_init(&x->goodbye, c->loop, on_goodbye, x);
    bool is_ok = copy_message(x, message);
    struct smtp_session_conf conf = {
        .name = c->name,
        .user = c->user,
        .password = c->password,
        .from = x->from,
        .recipients = x->recipients,
        .n_recipients = is_ok ? message->n_recipients : 0,
        .data = buf_str(&x->data),
        .has_tls = c->is_smtps,
    };
    smtp_session_init(&x->session, &conf);
    if (!is_ok) {
        fail(x, HTTP_OUTCOME_PROTOCOL, "the message has an address that cannot be sent to");
        return x;
    }
    loop_timer_set_ms(&x->deadline, message->timeout_ms);
    x->lookup = resolver_start(c->http->resolver, c->host, on_resolved, x);
    return x;
}

void
smtp_exchange_cancel(struct smtp_exchange *x)
{
    if (x->session.state == SMTP_STATE_DONE && x->session.outcome == HTTP_OUTCOME_ANSWERED)
        return; /* the relay has decided: that is about to be told, and must not be forgotten */
    x->session.state = SMTP_STATE_DONE;
    x->session.outcome = HTTP_OUTCOME_CANCELED; /* also when another failure was about to be told */
    memset(x->session.fates, 0, sizeof(x->session.fates));
    finish(x);
}

/* --- the client
 * ---------------------------------------------------------------------------------------- */

int
smtp_url_check(const struct url *u, struct buf *why)
{
    if (strcmp(u->scheme, "smtp") != 0 && strcmp(u->scheme, "smtps") != 0)
        buf_addf(why, "expected smtp:// or smtps://, but found `%s:`", u->scheme);
    else if (u->host == NULL || u->host[0] == '\0')
        buf_add_cstr(why, "a relay needs a host");
    else if ((u->path != NULL && strcmp(u->path, "/") != 0 && u->path[0] != '\0') ||
             u->query != NULL || u->fragment != NULL)
        buf_add_cstr(why, "a relay has no path, query or fragment");
    else if (u->port == 0)
        buf_add_cstr(why, "port 0 cannot be connected to");
    else if ((u->username == NULL || u->username[0] == '\0') != (u->password == NULL))
        buf_add_cstr(why, "a user needs a password, and a password a user");
    else
        return 0;
    return -1;
}

static char *
decode(const char *s)
{
    struct arena *a = arena_new();
    struct str decoded = s == NULL ? STR_NULL : form_decode_path(a, str_from(s));
    char *copy = s == NULL ? NULL : mem_strndup(decoded.data, decoded.len);
    arena_free(a);
    return copy;
}

static bool
is_host_name(const char *s)
{
    for (const char *p = s; *p != '\0'; p++) {
        bool is_alnum =
            (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z');
        if (!is_alnum && *p != '-' && *p != '.')
            return false;
    }
    return s[0] != '\0';
}

static bool
is_ip(const char *host)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

static char *
own_name(void)
{
    char name[HOST_NAME_CAP] = "";
    if (gethostname(name, sizeof(name) - 1) != 0 || !is_host_name(name))
        return mem_strdup("localhost");
    return mem_strdup(name);
}

struct smtp_client *
smtp_client_new(struct loop *l, const struct smtp_client_conf *conf)
{
    struct smtp_client *c = mem_new(1, sizeof(*c));
    const struct url *u = conf->relay;
    *c = (struct smtp_client){
        .loop = l,
        .http = conf->http,
        .plain = conf->plain,
        .is_smtps = strcmp(u->scheme, "smtps") == 0,
        .host = mem_strdup(u->host),
        .host_is_ip = is_ip(u->host),
        .user = u->password == NULL ? NULL : decode(u->username),
        .password = decode(u->password),
        .name = conf->name != NULL ? mem_strdup(conf->name) : own_name(),
        .port = u->port,
    };
    if (c->port < 0)
        c->port = c->is_smtps ? SUBMISSIONS_PORT : SUBMISSION_PORT;
    return c;
}

static void
wipe_and_free(char *s)
{
    if (s != NULL)
        mem_wipe(s, strlen(s));
    free(s);
}

void
smtp_client_free(struct smtp_client *c)
{
    if (c == NULL)
        return;
    while (c->exchanges != NULL) {
        struct smtp_exchange *x = c->exchanges;
        bool was_told = x->is_told;
        if (!was_told)
            smtp_exchange_cancel(x);
        leave(x);
        if (!was_told)
            tell(x);
    }
    free(c->host);
    free(c->name);
    wipe_and_free(c->user);
    wipe_and_free(c->password);
    free(c);
}
