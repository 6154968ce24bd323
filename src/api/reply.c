/* Replies that wait or are long. Owns the time between a handler's return and its answer; knows no
 * resource.
 *
 *   held:    reply_held -> (on_committed -> settle, reply) ; a client that leaves: on_gone forgets
 * the call, settle still comes
 *   listing: reply_listing -> make once -> reply, or http_reply_pieces -> make_piece ... -> release
 */
#include "api/reply.h"

#include <stdlib.h>

#include "api/doors.h"
#include "api/handler.h"
#include "base/clock.h"
#include "base/mem.h"

enum { FIRST_PIECE_US = 500 /* of a listing, inside the request's own callback */ };

enum http_result
reply_json(struct http_call *call, int status, struct buf *body)
{
    if (buf_failed(body)) {
        buf_done(body);
        err_set(&call->err, ERR_INTERNAL, "Not enough memory for this answer.");
        return HTTP_ERROR;
    }
    http_reply_json(call, status, body);
    return HTTP_DONE;
}

void
reply_unavailable(struct http_call *call, const char *message)
{
    struct buf body = BUF_INIT;
    if (doors_own_path(call->path)) {
        err_set(&call->err, ERR_STORE_UNAVAILABLE, "%s", message);
        http_reply_error(call);
        return;
    }
    err_write_json(&body, ERR_INTERNAL, str_from(message));
    http_call_add_header(call, "Retry-After", "10");
    http_reply_json(call, 503, &body);
}

/* --- held replies */

struct held {
    struct turn_waiter waiter;
    struct http_call *call; /* NULL: the client is gone */
    int status;
    struct buf body;
    void (*settle)(void *arg, bool is_committed);
    void *arg;
    reply_answer *answer;
};

static void
refuse(struct http_call *call, int result)
{
    if (result != STORE_EFULL && result != STORE_EBUSY) {
        reply_unavailable(call, "The server could not write to its store: nothing of this request "
                                "took effect. Please try again.");
        return;
    }
    err_set(&call->err, ERR_NO_SPACE_LEFT_ON_DEVICE,
            "The server has no space left for this request: nothing of it took effect.");
    http_reply_error(call);
}

static void
on_committed(void *arg, int result)
{
    struct held *h = arg;
    struct http_call *call = h->call;
    if (h->settle != NULL)
        h->settle(h->arg, result == 0);
    if (call != NULL) {
        call->on_gone = NULL;
        if (result != 0)
            refuse(call, result);
        else if (h->answer != NULL)
            h->answer(call, h->status, &h->body);
        else if (h->body.len == 0)
            http_reply_empty(call, h->status);
        else
            http_reply_json(call, h->status, &h->body);
    }
    buf_done(&h->body);
    free(h);
}

static void
held_on_gone(struct http_call *call)
{
    struct held *h = call->state;
    h->call = NULL;
}

enum http_result
reply_held(struct http_call *call, int status, struct buf *body,
           void (*settle)(void *arg, bool is_committed), void *arg)
{
    struct reply_promise promise = {status, body, settle, arg, NULL};
    return reply_promised(call, &promise);
}

enum http_result
reply_promised(struct http_call *call, const struct reply_promise *promise)
{
    struct held *h = mem_new(1, sizeof(*h));
    *h = (struct held){.call = call,
                       .status = promise->status,
                       .body = *promise->body,
                       .settle = promise->settle,
                       .arg = promise->arg,
                       .answer = promise->answer};
    h->waiter = (struct turn_waiter){.fn = on_committed, .arg = h};
    *promise->body = BUF_INIT;
    call->state = h;
    call->on_gone = held_on_gone;
    turn_wait(handler_api(call)->turn, &h->waiter);
    return HTTP_WAIT;
}

/* --- listings */

struct pieces {
    struct reply_listing listing;
    struct buf first; /* made before the reply began */
};

static enum http_piece
make_piece(void *arg, struct buf *out, int64_t deadline_us)
{
    struct pieces *p = arg;
    if (p->first.len > 0) {
        buf_add_str(out, buf_str(&p->first));
        buf_done(&p->first);
        return HTTP_PIECE_MORE;
    }
    size_t had = out->len;
    enum http_piece result = p->listing.make(p->listing.arg, out, deadline_us);
    if (result == HTTP_PIECE_MORE && out->len == had)
        buf_add_char(out, ' '); /* an empty chunk would end the answer; JSON allows white space */
    return buf_failed(out) ? HTTP_PIECE_FAILED : result;
}

static void
release_pieces(void *arg)
{
    struct pieces *p = arg;
    p->listing.release(p->listing.arg);
    buf_done(&p->first);
    free(p);
}

enum http_result
reply_listing(struct http_call *call, const struct reply_listing *listing)
{
    struct buf first = BUF_INIT;
    enum http_piece result = listing->make(listing->arg, &first, clock_mono_us() + FIRST_PIECE_US);
    if (result == HTTP_PIECE_LAST) {
        listing->release(listing->arg);
        return reply_json(call, 200, &first);
    }
    if (result == HTTP_PIECE_FAILED || buf_failed(&first)) {
        listing->release(listing->arg);
        buf_done(&first);
        err_set(&call->err, ERR_INTERNAL, "The answer could not be read from the store.");
        return HTTP_ERROR;
    }
    struct pieces *p = mem_new(1, sizeof(*p));
    *p = (struct pieces){.listing = *listing, .first = first};
    if (p->first.len == 0)
        buf_add_char(&p->first, ' ');
    http_reply_pieces(call, 200, "application/json", make_piece, release_pieces, p);
    return HTTP_DONE;
}

bool
reply_piece_is_full(const struct buf *out, int64_t deadline_us)
{
    return out->len >= REPLY_PIECE_BYTES || clock_mono_us() >= deadline_us;
}
