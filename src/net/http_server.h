#pragma once
/* The HTTP server: evhttp behind our own listener and gate. Plain, TLS or unix socket; keep-alive;
 * JSON errors only.
 *
 * For every request the gate judges the head before evhttp has a body (design, section 6), asks
 * `judge` for route, rights and body limit, and refuses with a JSON error and close. Behind the
 * gate `handle` gets a struct http_call. */
#include "base/arena.h"
#include "base/err.h"
#include "loop/loop.h"
#include "net/route.h"

struct http_server;
struct http_request;

/* The head of a request, at the gate. Slices are valid during the call. */
struct http_head {
    enum http_method method;
    struct str path, query; /* raw; query without '?' */
    struct str (*header)(const struct http_head *head,
                         const char *name); /* first value, trimmed; data NULL if absent */
    const void *private_data;
};

struct http_verdict {
    uint64_t body_limit_bytes; /* of the raw body as sent; a longer one is refused by too_large */
    struct err err;            /* set: refuse at once with this error */
};

/* One request being answered. Lives until the reply is sent (or the client is gone and the handler
 * told). */
struct http_call {
    struct http_request *request;
    struct arena *arena; /* freed with the call */
    enum http_method method;
    struct str path, query;    /* raw */
    const struct route *route; /* filled by `handle`'s router, not by net/ */
    struct str params[ROUTE_MAX_PARAMS];
    struct err err;   /* set by a handler that returns HTTP_ERROR */
    void *app;        /* http_server_conf.app */
    void *state;      /* the handler's own while it waits */
    int64_t began_us; /* monotonic: the request was complete */
    bool is_slow;     /* waits on purpose: its time says nothing of the server */
    /* Called once if the client goes away or the server gives up while the handler waits; after it
     * returns the call must not be touched. The handler sets it before returning HTTP_WAIT. When
     * NULL, the call stays valid until replied. */
    void (*on_gone)(struct http_call *call);
};

struct http_server_conf {
    const char *addr;       /* "host:port" (port 0: any), "[::1]:7700", "unix:/path" */
    struct tls_server *tls; /* tls.h; NULL: plain */
    /* limits; 0 takes the default named in http_server.c */
    size_t max_header_bytes, max_uri_bytes, max_headers;
    uint64_t max_buffered_body_bytes; /* over all connections; beyond it 503 server_busy */
    int max_connections; /* some more get 503 too_many_connections, the rest wait unaccepted */
    int idle_timeout_ms, head_timeout_ms; /* keep-alive idle; first to last byte of a head */
    int body_timeout_ms; /* within which 1 KiB of a body must come, and some of a reply must go */
    void *app;
    /* Route, rights and body limit from the head alone. */
    void (*judge)(void *app, const struct http_head *head, struct http_verdict *ret);
    /* The whole request is there. May reply at once or later. Never called after http_server_stop's
     * drain is over. */
    void (*handle)(void *app, struct http_call *call);
    /* Renders the error for a body beyond its limit: declared is the Content-Length or UINT64_MAX
     * when chunked. */
    void (*too_large)(void *app, const struct http_head *head, uint64_t declared, uint64_t limit,
                      struct err *ret);
    /* An answer begins to leave, also a refusal of the gate (without a route then). For counting;
     * NULL: nobody does. */
    void (*replied)(void *app, const struct http_call *call, int status);
    /* How call->err looks to the clients of this path: appends the body and returns its media type
     * (static). NULL, also for the member: the four-key object. */
    const char *(*render_error)(void *app, const struct http_call *call, struct buf *out);
};

struct http_server *http_server_new(struct loop *l, const struct http_server_conf *conf,
                                    struct err *err);
/* "127.0.0.1:43121": the chosen address, "unix:/path" for sockets. */
const char *http_server_address(const struct http_server *s);
/* Stops accepting, closes idle connections, lets running requests end; done(arg) once none is left.
 */
void http_server_drain(struct http_server *s, loop_fn *done, void *arg);
void http_server_free(
    struct http_server *s); /* cuts what is left; waiting handlers get on_gone. NULL accepted */

struct http_server_stats {
    int connections;
    uint64_t requests, refused;
    uint64_t buffered_body_bytes;
};
struct http_server_stats http_server_stats(const struct http_server *s);

/* --- reading a call
 * ---------------------------------------------------------------------------------------------- */
struct str http_call_header(const struct http_call *call,
                            const char *name);              /* data NULL if absent */
uint64_t http_call_body_left(const struct http_call *call); /* raw bytes not yet taken */
/* Takes up to max bytes of the raw body out, appending to out; returns the number taken. */
size_t http_call_take_body(struct http_call *call, struct buf *out, size_t max);
const char *http_call_peer(const struct http_call *call); /* "127.0.0.1" */
/* For handlers that wait long: a client that leaves is noticed at once (on_gone, which must be set,
 * never from inside), not when it is written to. One that only closes its sending side counts as
 * gone. */
void http_call_watch(struct http_call *call);

/* --- answering: exactly one of these per call, exactly once
 * --------------------------------------------------------- Bodies are compressed when the client
 * asks and it is worth it (more than about 1 KB); CORS, Vary and Date headers are added here; HEAD,
 * 204 and 304 carry no body. The call and its arena are gone when a reply function returns. */
void http_call_add_header(struct http_call *call, const char *name,
                          const char *value); /* before the reply; copies */
void http_reply(struct http_call *call, int status, const char *content_type,
                struct str body); /* copies body */
/* Takes the buffer's memory (no copy); *body is reset. */
void http_reply_take(struct http_call *call, int status, const char *content_type,
                     struct buf *body);
void http_reply_json(struct http_call *call, int status,
                     struct buf *body);        /* take, application/json */
void http_reply_error(struct http_call *call); /* renders call->err as the four-key object; 503 adds
                                                  Retry-After: 10 */
void http_reply_empty(struct http_call *call, int status);
/* Long answers: make(arg, out, deadline_us) appends a piece (64 KiB or so) and says whether more
 * follows; called from a slice, with back-pressure. When the first piece is the last one it is sent
 * with Content-Length, otherwise chunked. release(arg) is called exactly once, at the end or when
 * the client is gone. */
enum http_piece { HTTP_PIECE_MORE, HTTP_PIECE_LAST, HTTP_PIECE_FAILED /* connection is cut */ };
void http_reply_pieces(struct http_call *call, int status, const char *content_type,
                       enum http_piece (*make)(void *arg, struct buf *out, int64_t deadline_us),
                       void (*release)(void *arg), void *arg);
/* Pieces that are `size` bytes in all: sent with Content-Length and as they are, never encoded. */
struct http_sized {
    int status;
    const char *content_type;
    uint64_t size;
    enum http_piece (*make)(void *arg, struct buf *out, int64_t deadline_us);
    void (*release)(void *arg);
    void *arg;
};
void http_reply_sized(struct http_call *call, const struct http_sized *body);

/* Answers without an end (server-sent events, logs): 200, never encoded, a chunk a write. The call
 * stays valid until the stream is ended, cut or gone. A client that takes nothing of a waiting
 * output for body_timeout_ms is cut off. */
struct http_stream;
struct http_stream_hooks {
    void *arg;
    void (*gone)(void *arg);    /* the client is gone, and with it stream and call */
    void (*drained)(void *arg); /* see http_stream_await_drained; may be NULL when that is unused */
};
/* NULL: the call is over already (the client is gone, or wanted the head only). */
struct http_stream *http_reply_stream(struct http_call *call, const char *content_type,
                                      const struct http_stream_hooks *hooks);
/* Copies the bytes; false: out of memory, cut it. How much may wait is the caller's to bound. */
bool http_stream_write(struct http_stream *s, struct str bytes);
size_t http_stream_waiting(const struct http_stream *s); /* bytes that did not leave yet */
/* Asks for one call of drained() when most of the output has left; call it only while more than
 * 16 KiB wait. It must not touch the stream. */
void http_stream_await_drained(struct http_stream *s);
void http_stream_end(struct http_stream *s); /* in good order; the call is gone */
void http_stream_cut(struct http_stream *s); /* the client sees that it is cut; the call is gone */
