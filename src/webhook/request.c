/* Requests: body, then signature, then headers. Knows neither lanes nor what becomes of an attempt.
 */
#include "webhook/request.h"

#include <stdio.h>

#include "base/clock.h"
#include "webhook/state.h"

/* Signatures over less, all keys together, are made at once. */
enum { SIGNED_AT_ONCE_BYTES = 64 * 1024 };
/* So long a template is run before it goes on in slices. */
enum { RENDERED_AT_ONCE_US = 200 };

const char *
request_event_id(const struct request *r, char out[FORMAT_ID_CAP])
{
    const struct delivery_record *d = &r->delivery;
    if (r->webhook->policy.format == FORMAT_ENVELOPE)
        return format_line_id(out, body_event(r->body), d->first_line);
    struct format_part part = format_part_of(d);
    return format_id(out, body_event(r->body), &part);
}

/* Bytes that are signed: before compression. */
static struct str
plain(const struct request *r)
{
    struct str made = request_text(r, CHANNEL_MAIN);
    return made.data != NULL ? made : body_plain(r->body);
}

static void
begin_signing(struct request *r)
{
    char id[FORMAT_ID_CAP];
    (void) request_event_id(r, id);
    r->signing = signing_new(&r->webhook->policy, str_from(id), clock_wall_ms(), plain(r));
}

/* Renders, then signs: true when all of it is through. */
static bool
prepare(struct request *r, int64_t deadline_us)
{
    bool is_failed = false;
    if (r->render != NULL) {
        enum template_state state = channel_render_step(r->render, deadline_us);
        if (state == TEMPLATE_MORE)
            return false;
        is_failed = state == TEMPLATE_FAILED;
    }
    if (is_failed || r->webhook->policy.n_secrets == 0)
        return true;
    if (r->signing == NULL)
        begin_signing(r);
    return r->signing == NULL || signing_step(r->signing, deadline_us);
}

static enum loop_slice_result
on_slice(void *arg, int64_t deadline_us)
{
    struct request *r = arg;
    if (!prepare(r, deadline_us))
        return SLICE_MORE;
    loop_slice_sleep(&r->slice);
    r->ready(r->arg); /* may free the request */
    return SLICE_IDLE;
}

/* What is small is made at once. */
static int64_t
first_deadline_us(const struct request *r)
{
    size_t n = r->webhook->policy.n_secrets;
    bool is_small = n == 0 || body_plain(r->body).len * n <= SIGNED_AT_ONCE_BYTES;
    return r->render != NULL ? clock_mono_us() + RENDERED_AT_ONCE_US : is_small ? INT64_MAX : 0;
}

static void
on_body(void *arg)
{
    struct request *r = arg;
    const struct channel *c = r->webhook->policy.channel;
    if (body_state(r->body) != BODY_READY) {
        r->ready(r->arg);
        return;
    }
    if (c != NULL && channel_has_parts(c))
        r->render = channel_render_new(c, body_bytes(r->body));
    if (prepare(r, first_deadline_us(r))) {
        r->ready(r->arg);
        return;
    }
    loop_slice_init(&r->slice, r->webhooks->conf.loop, on_slice, r);
    loop_slice_wake(&r->slice);
}

void
request_begin(struct request *r, struct webhooks *w, uint64_t delivery, const struct webhook *h,
              void (*ready)(void *arg), void *arg)
{
    *r = (struct request){
        .webhooks = w,
        .number = delivery,
        .ready = ready,
        .arg = arg,
        .webhook = webhook_hold(h),
        .waiter = {.fn = on_body, .arg = r},
    };
    r->body = body_take(w, delivery, &h->policy, &r->delivery);
    if (body_state(r->body) == BODY_BUILDING)
        body_wait(r->body, &r->waiter);
    else
        on_body(r);
}

void
request_done(struct request *r)
{
    if (r->body == NULL)
        return;
    if (r->slice.loop != NULL)
        loop_slice_sleep(&r->slice);
    signing_free(r->signing);
    r->signing = NULL;
    channel_render_free(r->render);
    r->render = NULL;
    body_forget(r->body, &r->waiter);
    body_release(r->webhooks, r->body);
    r->body = NULL;
    webhook_release(r->webhook);
    r->webhook = NULL;
}

const char *
request_failure(const struct request *r, bool *ret_is_final)
{
    *ret_is_final = r->render != NULL && channel_render_error(r->render) != NULL;
    if (*ret_is_final)
        return channel_render_error(r->render);
    return body_state(r->body) == BODY_READY ? NULL : body_failure(r->body);
}

struct str
request_event(const struct request *r)
{
    return body_bytes(r->body);
}

struct str
request_text(const struct request *r, enum channel_part part)
{
    return r->render == NULL ? STR_NULL : channel_render_text(r->render, part);
}

/* --- headers --------------------------------------------------------------------------------- */

static void
add(struct http_client_request *to, struct request_headers *space, const char *name,
    const char *value)
{
    space->items[to->n_headers++] = (struct http_header){name, value};
}

static void
add_own(struct request *r, struct request_headers *space, struct http_client_request *to)
{
    const struct delivery_record *d = &r->delivery;
    if (body_is_gzipped(r->body))
        add(to, space, "Content-Encoding", "gzip");
    add(to, space, "Content-Type", body_media_type(r->body));
    add(to, space, "webhook-id", request_event_id(r, space->id));
    (void) snprintf(space->sequence, sizeof(space->sequence), "%llu",
                    (unsigned long long) d->sequence);
    add(to, space, "webhook-sequence", space->sequence);
    if (d->n_parts > 1 && r->webhook->policy.format != FORMAT_ENVELOPE) {
        (void) snprintf(space->part, sizeof(space->part), "%u/%u", d->part, d->n_parts);
        add(to, space, "webhook-part", space->part);
    }
    if (r->signing != NULL) {
        add(to, space, "webhook-timestamp", signing_timestamp(r->signing));
        add(to, space, "webhook-signature", signing_signature(r->signing));
    }
}

/* The names that begin with "webhook-" are ours alone where we send them. */
static bool
is_taken(const struct request_headers *space, size_t n_own, const char *name)
{
    for (size_t i = 0; i < n_own; i++) {
        if (str_starts_with(str_from(space->items[i].name), "webhook-") &&
            str_equal_nocase(str_from(space->items[i].name), str_from(name)))
            return true;
    }
    return false;
}

/* Ours first, then the user's in byte order (contract 7.5). The client adds the general ones, and
 * Authorization from a user name in the URL. */
void
request_fill(struct request *r, struct request_headers *space, struct http_client_request *ret)
{
    const struct webhook *h = r->webhook;
    ret->n_headers = 0;
    add_own(r, space, ret);
    size_t n_own = ret->n_headers;
    for (size_t i = 0; i < h->n_headers; i++) {
        if (!is_taken(space, n_own, h->headers[i].name))
            add(ret, space, h->headers[i].name, h->headers[i].value);
    }
    ret->headers = space->items;
    struct str made = request_text(r, CHANNEL_MAIN);
    ret->body = made.data != NULL ? made : body_bytes(r->body);
}
