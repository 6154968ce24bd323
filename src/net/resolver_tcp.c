/* One question to a name server over TCP. Owns the connection; knows neither why it is asked nor
 * what the addresses are for. */
#include "net/resolver_tcp.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/uuid.h"

enum { TIMEOUT_MS = 5000, PREFIX_BYTES = 2 };

struct resolver_tcp {
    struct loop *loop;
    struct bufferevent *bev; /* NULL: ended */
    struct loop_timer timer; /* the deadline; the next turn when it has ended */
    char *name;
    struct dns_query query;
    bool has_answer;
    struct dns_answer answer;
    resolver_tcp_fn *fn;
    void *arg;
};

static void
free_memory(void *arg)
{
    struct resolver_tcp *q = arg;
    loop_timer_done(&q->timer);
    free(q->name);
    free(q);
}

static void
disconnect(struct resolver_tcp *q)
{
    if (q->bev != NULL)
        bufferevent_free(q->bev);
    q->bev = NULL;
}

/* What follows happens in the next turn, outside the connection's callbacks. */
static void
end(struct resolver_tcp *q)
{
    bufferevent_setcb(q->bev, NULL, NULL, NULL, NULL);
    loop_timer_set_ms(&q->timer, 0);
}

static void
on_timer(void *arg)
{
    struct resolver_tcp *q = arg;
    disconnect(q);
    loop_defer(q->loop, free_memory, q); /* the timer is running */
    q->fn(q->arg, q->has_answer ? &q->answer : NULL);
}

static void
on_read(struct bufferevent *bev, void *arg)
{
    struct resolver_tcp *q = arg;
    uint8_t prefix[PREFIX_BYTES];
    struct evbuffer *input = bufferevent_get_input(bev);
    if (evbuffer_copyout(input, prefix, sizeof(prefix)) != PREFIX_BYTES)
        return;
    size_t len = (size_t) prefix[0] << 8 | prefix[1];
    if (evbuffer_get_length(input) < PREFIX_BYTES + len)
        return;
    const unsigned char *whole = evbuffer_pullup(input, (ev_ssize_t) (PREFIX_BYTES + len));
    q->has_answer = whole != NULL && dns_message_read_answer(str_make(whole + PREFIX_BYTES, len),
                                                             &q->query, &q->answer) == 0;
    end(q);
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
    (void) bev;
    if ((what & BEV_EVENT_CONNECTED) == 0)
        end(arg);
}

static void
send_question(struct resolver_tcp *q)
{
    struct buf message = BUF_INIT;
    dns_message_write_question(&message, &q->query);
    uint8_t prefix[PREFIX_BYTES] = {(uint8_t) (message.len >> 8), (uint8_t) message.len};
    if (bufferevent_write(q->bev, prefix, sizeof(prefix)) != 0 ||
        bufferevent_write(q->bev, message.data, message.len) != 0)
        abort(); /* small bounded sizes */
    buf_done(&message);
}

struct resolver_tcp *
resolver_tcp_start(const struct resolver_tcp_conf *conf, resolver_tcp_fn *fn, void *arg)
{
    struct resolver_tcp *q = mem_new(1, sizeof(*q));
    *q = (struct resolver_tcp){
        .loop = conf->loop,
        .bev = bufferevent_socket_new(loop_base(conf->loop), -1, BEV_OPT_CLOSE_ON_FREE),
        .name = mem_strdup(conf->name),
        .fn = fn,
        .arg = arg,
    };
    if (q->bev == NULL)
        abort(); /* small bounded size */
    q->query = (struct dns_query){.name = q->name, .type = conf->type};
    random_bytes(&q->query.id, sizeof(q->query.id));
    loop_timer_init(&q->timer, conf->loop, on_timer, q);
    loop_timer_set_ms(&q->timer, TIMEOUT_MS);
    bufferevent_setcb(q->bev, on_read, NULL, on_event, q);
    send_question(q);
    (void) bufferevent_enable(q->bev, EV_READ | EV_WRITE); /* fails on closed sockets only */
    if (bufferevent_socket_connect(q->bev, conf->server, conf->server_len) != 0)
        end(q);
    return q;
}

void
resolver_tcp_cancel(struct resolver_tcp *q)
{
    disconnect(q);
    loop_timer_clear(&q->timer);
    loop_defer(q->loop, free_memory, q); /* it may be canceled from anywhere */
}
