/* A connection's record, from accept to close: made when evhttp asks for a bufferevent, tied to the
 * evhttp_connection in the same turn, freed by its close callback. Deadlines, output, lingering.
 * Knows nothing of what requests mean. */
#include <errno.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/http_internal.h"
#include "net/tls_internal.h"

enum {
    MAX_SINGLE_WRITE_BYTES = 1 << 20,
    PROGRESS_MIN_BYTES = 1024, /* less than this within the body's timeout is no progress */
    LINGER_QUIET_S = 2,        /* without a byte: the client is done sending */
    LINGER_MAX_US = 30 * 1000 * 1000,
    LINGER_MAX_BYTES = 256 << 20,
    LINGERING_MAX = 256, /* at once */
};

/* --- record -------------------------------------------------------------------------------- */

static uint32_t
take_slot(struct http_server *s, struct server_conn *c)
{
    for (uint32_t i = 0; i < s->n_slots; i++) {
        uint32_t at = (s->next_slot + i) % s->n_slots;
        if (s->slots[at] == NULL) {
            s->next_slot = at + 1;
            s->slots[at] = c;
            return at;
        }
    }
    uint32_t grown = s->n_slots == 0 ? 64 : s->n_slots * 2;
    s->slots = mem_grow(s->slots, grown, sizeof(struct server_conn *));
    memset(s->slots + s->n_slots, 0, (grown - s->n_slots) * sizeof(struct server_conn *));
    uint32_t at = s->n_slots;
    s->n_slots = grown;
    s->next_slot = at + 1;
    s->slots[at] = c;
    return at;
}

static struct bufferevent *
new_tls_bev(struct event_base *base, struct tls_server *tls)
{
    SSL *ssl = SSL_new(tls_server_ctx(tls));
    if (ssl == NULL)
        return NULL;
    struct bufferevent *bev = bufferevent_openssl_socket_new(
        base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
    if (bev == NULL)
        SSL_free(ssl);
    else
        bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
    return bev;
}

struct bufferevent *
server_conn_accept(struct event_base *base, void *arg)
{
    struct http_server *s = arg;
    struct server_conn *c = mem_new(1, sizeof(*c));
    c->server = s;
    c->is_tls = s->conf.tls != NULL;
    c->bev = c->is_tls ? new_tls_bev(base, s->conf.tls) : NULL;
    if (c->bev == NULL) {
        /* Without a bufferevent evhttp would make a plain one and serve it: on a TLS port that must
         * not happen, so this one is never read. */
        c->is_doomed = c->is_tls;
        c->is_tls = false;
        c->bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
        if (c->bev == NULL)
            abort(); /* small bounded size */
    }
    c->in = bufferevent_get_input(c->bev);
    c->out = bufferevent_get_output(c->bev);
    (void) bufferevent_set_max_single_write(c->bev, MAX_SINGLE_WRITE_BYTES); /* in range */
    if (evbuffer_add_cb(c->in, http_intake_on_input, c) == NULL)
        abort();
    c->request = http_request_new(c);
    c->slot = take_slot(s, c);
    c->ticket_len = (size_t) snprintf(c->ticket_line, sizeof(c->ticket_line),
                                      "GET /%x HTTP/1.1\r\n\r\n", c->slot);
    c->since_us = clock_mono_us();
    c->is_surplus = ++s->stats.connections > s->conf.max_connections;
    TAILQ_INSERT_TAIL(&s->unadopted, c, link);
    event_active(s->chores, 0, 0);
    http_listener_adjust(s->listener);
    return c->bev;
}

void
server_conn_set_state(struct server_conn *c, enum conn_state state)
{
    static const char *const names[] = {
        [CONN_IDLE] = "idle",       [CONN_HEAD] = "head",         [CONN_BODY] = "body",
        [CONN_TICKET] = "ticket",   [CONN_HANDLING] = "handling", [CONN_STREAMING] = "streaming",
        [CONN_WRITING] = "writing", [CONN_CLOSING] = "closing",
    };
    if (log_is_on(LOG_TRACE))
        log_write(LOG_TRACE, "http", "connection state slot=%u %s -> %s", c->slot, names[c->state],
                  names[state]);
    c->state = state;
    c->mark = 0;
    /* The clock is read where deadlines count only. */
    if (state != CONN_TICKET && state != CONN_HANDLING)
        c->since_us = clock_mono_us();
}

/* --- seeing the client leave ----------------------------------------------------------------- */

void
server_conn_watch(struct server_conn *c)
{
    if (c->is_to_watch || c->is_watched)
        return;
    c->is_to_watch = true;
    TAILQ_INSERT_TAIL(&c->server->to_watch, c, watch_link);
    event_active(c->server->chores, 0, 0); /* over TLS the end may be told from inside enabling */
}

void
server_conn_watch_all(struct http_server *s)
{
    while (!TAILQ_EMPTY(&s->to_watch)) {
        struct server_conn *c = TAILQ_FIRST(&s->to_watch);
        TAILQ_REMOVE(&s->to_watch, c, watch_link);
        c->is_to_watch = false;
        c->is_watched = true;
        (void) bufferevent_enable(c->bev, EV_READ); /* no memory: seen when it is written to */
    }
}

static void
end_watch(struct server_conn *c)
{
    if (c->is_to_watch)
        TAILQ_REMOVE(&c->server->to_watch, c, watch_link);
    if (c->is_watched)
        (void) bufferevent_disable(c->bev, EV_READ); /* nothing can fail on the way */
    c->is_to_watch = c->is_watched = false;
}

/* --- close --------------------------------------------------------------------------------- */

/* A bufferevent that outlives its connection so that the client can read its answer: without it the
 * kernel resets the connection as soon as more bytes of the refused body arrive. */
struct lingering {
    struct http_server *server;
    TAILQ_ENTRY(lingering) link;
    struct bufferevent *bev;
    int64_t until_us;
    uint64_t bytes;
    bool has_begun;
};

static void
send_close_notify(struct server_conn *c)
{
    SSL *ssl = bufferevent_openssl_get_ssl(c->bev);
    if (ssl == NULL || !SSL_is_init_finished(ssl) || evbuffer_get_length(c->out) > 0)
        return;
    ERR_clear_error();
    (void) SSL_shutdown(ssl); /* sends what the socket takes; the rest is the client's loss */
    ERR_clear_error();
}

static void
keep_lingering(struct server_conn *c)
{
    struct lingering *l = mem_new(1, sizeof(*l));
    l->server = c->server;
    l->bev = c->bev;
    l->until_us = clock_mono_us() + LINGER_MAX_US;
    bufferevent_incref(c->bev);
    TAILQ_INSERT_TAIL(&c->server->lingering, l, link);
    c->server->n_lingering++;
    event_active(c->server->chores, 0, 0);
}

static void
end_lingering(struct lingering *l)
{
    TAILQ_REMOVE(&l->server->lingering, l, link);
    l->server->n_lingering--;
    bufferevent_free(l->bev); /* gives up the reference of keep_lingering */
    free(l);
}

static void
on_lingering_read(struct bufferevent *bev, void *arg)
{
    struct lingering *l = arg;
    struct evbuffer *in = bufferevent_get_input(bev);
    size_t n = evbuffer_get_length(in);
    l->bytes += n;
    (void) evbuffer_drain(in, n); /* own buffer, not frozen */
    if (l->bytes > LINGER_MAX_BYTES || clock_mono_us() > l->until_us)
        end_lingering(l);
}

static void
on_lingering_event(struct bufferevent *bev, short what, void *arg)
{
    (void) bev, (void) what; /* end, error, or quiet for long enough */
    end_lingering(arg);
}

void
http_lingering_begin_all(struct http_server *s)
{
    struct lingering *l;
    TAILQ_FOREACH(l, &s->lingering, link)
    {
        static const struct timeval quiet = {LINGER_QUIET_S, 0};
        if (l->has_begun)
            continue;
        l->has_begun = true;
        bufferevent_setcb(l->bev, on_lingering_read, NULL, on_lingering_event, l);
        (void) bufferevent_set_timeouts(l->bev, &quiet, NULL);
        (void) bufferevent_enable(l->bev, EV_READ); /* no memory: closed with the server */
    }
}

void
http_lingering_free_all(struct http_server *s)
{
    while (!TAILQ_EMPTY(&s->lingering))
        end_lingering(TAILQ_FIRST(&s->lingering));
}

/* evhttp is about to free the connection, for whatever reason. */
static void
on_close(struct evhttp_connection *evcon, void *arg)
{
    struct server_conn *c = arg;
    struct http_server *s = c->server;
    (void) evcon;
    enum conn_state state = c->state;
    c->state = CONN_CLOSING;
    (void) evbuffer_remove_cb(c->in, http_intake_on_input, c); /* it was added */
    if (c->is_tls)
        send_close_notify(c);
    if (c->must_linger && !s->is_draining && s->n_lingering < LINGERING_MAX)
        keep_lingering(c);
    /* An evhttp request that was taken off its connection is ours (evhttp does so on errors). */
    if (c->ticket != NULL && evhttp_request_get_connection(c->ticket) == NULL)
        evhttp_request_free(c->ticket);
    TAILQ_REMOVE(&s->conns, c, link);
    end_watch(c);
    s->slots[c->slot] = NULL;
    struct http_request *request = c->request;
    free(c);
    request->conn = NULL;
    http_request_conn_gone(request, state);
    http_server_conn_closed(s);
}

void
server_conn_cut(struct server_conn *c)
{
    evhttp_connection_free(c->evcon);
}

void
server_conn_doom(struct server_conn *c)
{
    c->is_doomed = true;
    loop_timer_set_ms(&c->server->sweep, 0);
}

void
server_conn_adopt(struct server_conn *c)
{
    void *evcon = NULL;
    if (c->evcon != NULL)
        return;
    bufferevent_getcb(c->bev, &c->on_readable, &c->on_writable, &c->on_event, &evcon);
    c->evcon = evcon;
    evhttp_connection_set_closecb(c->evcon, on_close, c);
    TAILQ_REMOVE(&c->server->unadopted, c, link);
    TAILQ_INSERT_TAIL(&c->server->conns, c, link);
    if (c->is_doomed)
        server_conn_doom(c);
}

/* --- output -------------------------------------------------------------------------------- */

/* Which of evhttp's callbacks the bufferevent calls. */
static void
set_callbacks(struct server_conn *c, bool reads, bool writes)
{
    bufferevent_setcb(c->bev, reads ? c->on_readable : NULL, writes ? c->on_writable : NULL,
                      c->on_event, c->evcon);
}

void
server_conn_send_continue(struct server_conn *c)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    /* evhttp's write callback would take the empty output for the end of a reply. */
    set_callbacks(c, true, false);
    (void) evbuffer_add(c->out, text, sizeof(text) - 1); /* no memory: the client sends anyway */
    (void) bufferevent_enable(c->bev, EV_WRITE);
}

void
server_conn_send_continue_later(struct server_conn *c)
{
    c->owes_continue = true;
    loop_timer_set_ms(&c->server->sweep, 0);
}

void
server_conn_begin_handling(struct server_conn *c)
{
    /* A read callback now would end the process (evhttp_read_cb in a writing state); TLS may make
     * one although reading is disabled. */
    (void) bufferevent_disable(c->bev, EV_WRITE);
    set_callbacks(c, false, false);
}

void
server_conn_begin_stream(struct server_conn *c)
{
    set_callbacks(c, false, false);
    (void) bufferevent_enable(c->bev, EV_WRITE);
}

/* Writes at once instead of in the next turn: one system call and one turn less. */
static void
write_now(struct server_conn *c)
{
    (void) evbuffer_unfreeze(c->out, 1);
    (void) evbuffer_write(c->out, bufferevent_getfd(c->bev)); /* the loop repeats and reports */
    (void) evbuffer_freeze(c->out, 1);
}

void
server_conn_finish(struct server_conn *c)
{
    struct evhttp_request *ticket = c->ticket;
    end_watch(c);
    c->has_served = true;
    server_conn_set_state(c, CONN_WRITING);
    set_callbacks(c, false, true);
    if (!c->is_tls)
        write_now(c);
    if (c->must_close)
        (void) evhttp_add_header(evhttp_request_get_output_headers(ticket), "Connection", "close");
    if (evbuffer_get_length(c->out) > 0)
        (void) bufferevent_enable(c->bev, EV_WRITE);
    evhttp_send_reply_end(
        ticket); /* calls server_conn_reply_done now, or when the output is empty */
}

void
server_conn_close_when_done(struct server_conn *c)
{
    /* A reply that is on its way already: evhttp has to be told, the client finds out. */
    if (c->state == CONN_WRITING && !c->must_close)
        (void) evhttp_add_header(evhttp_request_get_output_headers(c->ticket), "Connection",
                                 "close"); /* no memory: it ends with the server */
    c->must_close = true;
}

void
server_conn_reply_done(struct server_conn *c)
{
    c->ticket = NULL;
    http_request_reset(c->request);
    server_conn_set_state(c, c->must_close ? CONN_CLOSING : CONN_IDLE);
    if (!c->must_close)
        http_intake_resume(c);
}

/* --- deadlines ----------------------------------------------------------------------------- */

static void
refuse_slow(struct server_conn *c, const char *what)
{
    struct err err = ERR_INIT;
    (void) err_set(&err, ERR_REQUEST_TIMEOUT, "The %s of the request did not arrive in time.",
                   what);
    http_intake_refuse_late(c, &err);
}

static void
sweep_body(struct server_conn *c, int64_t now_us, bool is_late)
{
    uint64_t bytes = c->request->body_bytes;
    if (bytes - c->mark >= PROGRESS_MIN_BYTES) {
        c->mark = bytes;
        c->since_us = now_us;
    } else if (is_late) {
        refuse_slow(c, "body");
    }
}

/* TLS takes a long chain of the output as one write, which ends when all of it is gone: there the
 * bytes on the wire count. */
static uint64_t
output_progress(struct server_conn *c)
{
    SSL *ssl = c->is_tls ? bufferevent_openssl_get_ssl(c->bev) : NULL;
    BIO *wire = ssl != NULL ? SSL_get_wbio(ssl) : NULL;
    return wire != NULL ? BIO_number_written(wire) : evbuffer_get_length(c->out);
}

static void
sweep_output(struct server_conn *c, int64_t now_us, bool is_late)
{
    uint64_t progress = output_progress(c);
    if (progress != c->mark || evbuffer_get_length(c->out) == 0) {
        c->mark = progress;
        c->since_us = now_us;
    } else if (is_late) {
        server_conn_cut(c);
    }
}

static void
send_owed_continue(struct server_conn *c)
{
    c->owes_continue = false;
    if (c->state == CONN_BODY && c->request->body_bytes == 0)
        server_conn_send_continue(c);
}

void
server_conn_sweep(struct server_conn *c, int64_t now_us)
{
    const struct http_server_conf *conf = &c->server->conf;
    int64_t age_ms = (now_us - c->since_us) / 1000;
    if (c->is_doomed) {
        server_conn_cut(c);
        return;
    }
    if (c->owes_continue)
        send_owed_continue(c);
    switch (c->state) {
    case CONN_IDLE:
        /* A new connection, TLS handshake included, must say something as soon as a head must end.
         */
        if (age_ms >= (c->has_served ? conf->idle_timeout_ms : conf->head_timeout_ms))
            server_conn_cut(c);
        break;
    case CONN_HEAD:
        if (age_ms >= conf->head_timeout_ms)
            refuse_slow(c, "head");
        break;
    case CONN_BODY:
        sweep_body(c, now_us, age_ms >= conf->body_timeout_ms);
        break;
    case CONN_WRITING:
    case CONN_STREAMING:
        sweep_output(c, now_us, age_ms >= conf->body_timeout_ms);
        break;
    case CONN_TICKET:
    case CONN_HANDLING:
    case CONN_CLOSING:
        break;
    }
}
