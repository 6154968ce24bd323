/* The server object: defaults of the limits, deadlines, the budget of bodies, drain. The parts are
 * listed in http_internal.h. */
#include <malloc.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/http_internal.h"

enum {
    DEFAULT_HEADER_BYTES = 64 * 1024,
    DEFAULT_URI_BYTES = 32 * 1024,
    DEFAULT_HEADERS = 100,
    DEFAULT_BUFFERED_BODY_BYTES = 512 * 1024 * 1024,
    DEFAULT_CONNECTIONS = 4096,
    DEFAULT_IDLE_TIMEOUT_MS = 75 * 1000,
    DEFAULT_HEAD_TIMEOUT_MS = 15 * 1000,
    DEFAULT_BODY_TIMEOUT_MS = 30 * 1000,
    SWEEP_MIN_MS = 10,
    SWEEP_MAX_MS = 1000,
    TICKET_LIMIT_BYTES = 4096, /* evhttp reads nothing but tickets */
    TRIM_ABOVE_BYTES = 16 * 1024 * 1024,
    TRIM_PIECE_BYTES = 4 * 1024 * 1024, /* of bodies consumed: trimming all of 100 MB takes 15 ms */
};

static void
fill_defaults(struct http_server_conf *c)
{
#define FILL(field, value) c->field = c->field == 0 ? (value) : c->field
    FILL(max_header_bytes, DEFAULT_HEADER_BYTES);
    FILL(max_uri_bytes, DEFAULT_URI_BYTES);
    FILL(max_headers, DEFAULT_HEADERS);
    FILL(max_buffered_body_bytes, DEFAULT_BUFFERED_BODY_BYTES);
    FILL(max_connections, DEFAULT_CONNECTIONS);
    FILL(idle_timeout_ms, DEFAULT_IDLE_TIMEOUT_MS);
    FILL(head_timeout_ms, DEFAULT_HEAD_TIMEOUT_MS);
    FILL(body_timeout_ms, DEFAULT_BODY_TIMEOUT_MS);
#undef FILL
}

/* --- deadlines ----------------------------------------------------------------------------- */

static int
sweep_period_ms(const struct http_server_conf *c)
{
    int shortest = c->idle_timeout_ms;
    shortest = c->head_timeout_ms < shortest ? c->head_timeout_ms : shortest;
    shortest = c->body_timeout_ms < shortest ? c->body_timeout_ms : shortest;
    shortest /= 8;
    if (shortest < SWEEP_MIN_MS)
        return SWEEP_MIN_MS;
    return shortest > SWEEP_MAX_MS ? SWEEP_MAX_MS : shortest;
}

static void
sweep(void *arg)
{
    struct http_server *s = arg;
    int64_t now_us = clock_mono_us();
    struct server_conn *c = TAILQ_FIRST(&s->conns), *next;
    for (; c != NULL; c = next) {
        next = TAILQ_NEXT(c, link);
        server_conn_sweep(c, now_us); /* may free this one, no other */
    }
    if (s->stats.connections > 0)
        loop_timer_set_ms(&s->sweep, sweep_period_ms(&s->conf));
}

/* In the same turn as the accept or close that asked for it, before any socket is served. */
static void
on_chores(evutil_socket_t fd, short what, void *arg)
{
    struct http_server *s = arg;
    (void) fd, (void) what;
    while (!TAILQ_EMPTY(&s->unadopted))
        server_conn_adopt(TAILQ_FIRST(&s->unadopted));
    http_lingering_begin_all(s);
    server_conn_watch_all(s);
    if (s->stats.connections > 0 && !loop_timer_is_set(&s->sweep))
        loop_timer_set_ms(&s->sweep, sweep_period_ms(&s->conf));
}

/* --- bodies -------------------------------------------------------------------------------- */

void
http_server_body_grew(struct http_server *s, uint64_t n)
{
    s->stats.buffered_body_bytes += n;
    if (s->stats.buffered_body_bytes > s->peak_body_bytes)
        s->peak_body_bytes = s->stats.buffered_body_bytes;
}

static void
trim_heap(void *arg)
{
    (void) arg;
    (void) malloc_trim(0); /* says only whether it could */
}

void
http_server_body_shrank(struct http_server *s, uint64_t n)
{
    s->stats.buffered_body_bytes -= n;
    s->untrimmed_bytes += n;
    if (s->peak_body_bytes < TRIM_ABOVE_BYTES ||
        (s->stats.buffered_body_bytes > 0 && s->untrimmed_bytes < TRIM_PIECE_BYTES))
        return;
    if (s->stats.buffered_body_bytes == 0)
        s->peak_body_bytes = 0;
    s->untrimmed_bytes = 0;
    loop_defer(s->loop, trim_heap, NULL); /* the heap would keep all of it */
}

/* --- life ---------------------------------------------------------------------------------- */

static void
report_drained(void *arg)
{
    struct http_server *s = arg;
    loop_fn *done = s->on_drained;
    s->on_drained = NULL;
    if (done != NULL)
        done(s->on_drained_arg);
}

void
http_server_conn_closed(struct http_server *s)
{
    s->stats.connections--;
    http_listener_adjust(s->listener);
    if (s->is_draining && s->stats.connections == 0 && s->on_drained != NULL)
        loop_timer_set_ms(&s->drained, 0);
}

static int
open_server(struct http_server *s, struct err *err)
{
    struct event_base *base = loop_base(s->loop);
    s->evhttp = evhttp_new(base);
    s->chores = event_new(base, -1, 0, on_chores, s);
    if (s->evhttp == NULL || s->chores == NULL ||
        event_priority_set(s->chores, LOOP_PRIORITY_TURN_END) != 0)
        return err_set(err, ERR_INTERNAL, "out of memory for the HTTP server");
    evhttp_set_allowed_methods(s->evhttp, EVHTTP_REQ_GET);
    evhttp_set_max_headers_size(s->evhttp, TICKET_LIMIT_BYTES);
    evhttp_set_max_body_size(s->evhttp, 0);
    evhttp_set_bevcb(s->evhttp, server_conn_accept, s);
    evhttp_set_gencb(s->evhttp, http_request_on_ticket, s);
    s->listener = http_listener_new(s, err);
    return s->listener == NULL ? -1 : 0;
}

struct http_server *
http_server_new(struct loop *l, const struct http_server_conf *conf, struct err *err)
{
    struct http_server *s = mem_new(1, sizeof(*s));
    s->conf = *conf;
    s->loop = l;
    fill_defaults(&s->conf);
    TAILQ_INIT(&s->conns);
    TAILQ_INIT(&s->unadopted);
    TAILQ_INIT(&s->to_watch);
    TAILQ_INIT(&s->lingering);
    loop_timer_init(&s->sweep, l, sweep, s);
    loop_timer_init(&s->drained, l, report_drained, s);
    if (open_server(s, err) == 0)
        return s;
    http_server_free(s);
    return NULL;
}

void
http_server_drain(struct http_server *s, loop_fn *done, void *arg)
{
    s->is_draining = true;
    s->on_drained = done;
    s->on_drained_arg = arg;
    http_listener_free(s->listener);
    s->listener = NULL;
    while (!TAILQ_EMPTY(&s->unadopted))
        server_conn_adopt(TAILQ_FIRST(&s->unadopted));
    http_lingering_free_all(s);
    struct server_conn *c = TAILQ_FIRST(&s->conns), *next;
    for (; c != NULL; c = next) {
        next = TAILQ_NEXT(c, link);
        if (c->state == CONN_IDLE || c->state == CONN_HEAD)
            server_conn_cut(c);
        else
            server_conn_close_when_done(c);
    }
    if (s->stats.connections == 0)
        loop_timer_set_ms(&s->drained, 0);
}

void
http_server_free(struct http_server *s)
{
    if (s == NULL)
        return;
    s->is_draining = true; /* nothing lingers any more */
    s->on_drained = NULL;
    http_listener_free(s->listener);
    s->listener = NULL;
    while (!TAILQ_EMPTY(&s->unadopted))
        server_conn_adopt(TAILQ_FIRST(&s->unadopted));
    http_lingering_free_all(s);
    if (s->evhttp != NULL)
        evhttp_free(s->evhttp); /* closes every connection */
    if (s->chores != NULL)
        event_free(s->chores);
    loop_timer_done(&s->sweep);
    loop_timer_done(&s->drained);
    buf_done(&s->scratch);
    free(s->slots);
    free(s);
}

const char *
http_server_address(const struct http_server *s)
{
    return s->address;
}

struct http_server_stats
http_server_stats(const struct http_server *s)
{
    return s->stats;
}
