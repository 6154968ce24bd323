#pragma once
/* Replies: at once, held until this turn's commit (invariants 1 and 2), and long listings. */
#include "net/http_server.h"

/* Replies 200-style JSON at once; takes body. Returns HTTP_DONE, or HTTP_ERROR when memory for the
 * body ran out. */
enum http_result reply_json(struct http_call *call, int status, struct buf *body);

/* Holds the reply until what this turn wrote is durable. body is taken; empty: no body. settle (may
 * be NULL) is called exactly once with the result, also when the client is gone by then, and before
 * the reply. When the commit is refused the client gets an error instead. Returns HTTP_WAIT. */
enum http_result reply_held(struct http_call *call, int status, struct buf *body,
                            void (*settle)(void *arg, bool is_committed), void *arg);

/* The same with an answer of the caller's own: it is called instead of the reply once the commit is
 * durable, takes over body, and answers (or waits on). */
typedef void reply_answer(struct http_call *call, int status, struct buf *body);
struct reply_promise {
    int status;
    struct buf *body; /* taken */
    void (*settle)(void *arg, bool is_committed);
    void *arg;
    reply_answer *answer; /* NULL: the body as JSON */
};
enum http_result reply_promised(struct http_call *call, const struct reply_promise *promise);

/* A listing that may be long (invariant 6): make is tried once at once; what does not fit in that
 * goes out in pieces (http_reply_pieces has the contract of make and release). */
struct reply_listing {
    enum http_piece (*make)(void *arg, struct buf *out, int64_t deadline_us);
    void (*release)(void *arg);
    void *arg;
};
enum http_result reply_listing(struct http_call *call, const struct reply_listing *listing);
enum { REPLY_PIECE_BYTES = 64 * 1024 }; /* a piece ends here or at its deadline */
/* Whether a piece that holds `out` and began at `had` bytes should end now. */
bool reply_piece_is_full(const struct buf *out, int64_t deadline_us);

/* An error with another status than its code's: 503 for what may be retried. */
void reply_unavailable(struct http_call *call, const char *message);
