/* See client_fixture.h. */
#include "client_fixture.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"

void
fixture_init(struct fixture *f, const char *allowed, const char *ca_path, const char *nameserver,
             const char *hosts_path)
{
    struct err err = ERR_INIT;
    struct buf why = BUF_INIT;
    (void) signal(SIGPIPE, SIG_IGN);
    log_setup(LOG_ERROR, LOG_HUMAN);
    *f = (struct fixture){.loop = loop_new(&err)};
    f->policy = address_policy_parse(str_from(allowed), &why);
    f->tls = tls_client_new(ca_path, &err);
    assert_non_null(f->loop);
    assert_non_null(f->policy);
    assert_non_null(f->tls);
    struct http_client_conf conf = {.policy = f->policy,
                                    .tls = f->tls,
                                    .user_agent = "taskhook/test",
                                    .nameserver = nameserver,
                                    .hosts_path = hosts_path};
    f->client = http_client_new(f->loop, &conf, &err);
    assert_non_null(f->client);
}

void
fixture_done(struct fixture *f)
{
    http_client_free(f->client);
    fixture_turn(f);
    loop_free(f->loop);
    tls_client_free(f->tls);
    address_policy_free(f->policy);
}

static void
stop(void *arg)
{
    struct fixture *f = arg;
    loop_stop(f->loop);
}

void
fixture_turn(struct fixture *f)
{
    struct loop_timer t;
    for (int i = 0; i < 3; i++) {
        loop_timer_init(&t, f->loop, stop, f);
        loop_timer_set_ms(&t, 0);
        loop_run(f->loop);
        loop_timer_done(&t);
    }
}

static void
on_result(void *arg, const struct http_client_result *r)
{
    struct outcome *o = arg;
    o->is_done = true;
    o->calls++;
    o->outcome = r->outcome;
    o->status = r->status;
    o->detail = mem_strdup(r->detail);
    o->address = mem_strdup(r->address);
    o->retry_after = mem_strdup(r->retry_after);
    buf_add_str(&o->body, r->body);
    o->dns_us = r->dns_us;
    o->connect_us = r->connect_us;
    o->tls_us = r->tls_us;
    o->first_byte_us = r->first_byte_us;
    o->total_us = r->total_us;
    if (--o->fixture->n_open == 0)
        loop_stop(o->fixture->loop);
}

struct http_exchange *
fixture_start(struct fixture *f, const struct want *w, struct outcome *ret)
{
    struct url u = URL_INIT;
    struct buf why = BUF_INIT;
    if (url_parse(str_from(w->url), &u, &why) < 0)
        fail_msg("%s: %s", w->url, buf_cstr(&why));
    struct http_client_request request = {
        .url = &u,
        .method = w->method != NULL ? w->method : "POST",
        .headers = w->headers,
        .n_headers = w->n_headers,
        .body = w->body,
        .timeout_ms = w->timeout_ms != 0 ? w->timeout_ms : 10000,
        .max_response_bytes = w->max_bytes != 0 ? w->max_bytes : 16384,
        .pool = w->pool,
        .ca = w->ca,
        .client_certificate = w->client_certificate,
    };
    *ret = (struct outcome){.fixture = f};
    f->n_open++;
    struct http_exchange *x = http_client_start(f->client, &request, on_result, ret);
    assert_non_null(x);
    assert_false(ret->is_done); /* never from inside */
    url_done(&u);
    return x;
}

void
fixture_wait(struct fixture *f)
{
    while (f->n_open > 0)
        loop_run(f->loop);
    fixture_turn(f); /* a second call back would come now */
}

struct outcome
fixture_run(struct fixture *f, const struct want *w)
{
    struct outcome o;
    (void) fixture_start(f, w, &o);
    fixture_wait(f);
    assert_int_equal(o.calls, 1);
    return o;
}

struct outcome
fixture_get(struct fixture *f, const char *fmt, ...)
{
    struct buf url = BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    buf_addv(&url, fmt, ap);
    va_end(ap);
    struct outcome o = fixture_run(f, &(struct want){.url = buf_cstr(&url), .body = STR("hello")});
    buf_done(&url);
    return o;
}

void
outcome_done(struct outcome *o)
{
    free(o->detail);
    free(o->address);
    free(o->retry_after);
    buf_done(&o->body);
    *o = (struct outcome){0};
}
