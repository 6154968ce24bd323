#pragma once
/* Inside the HTTP server: for the http_*.c files of its server half only.
 *
 * Nothing a client sends is ever parsed by evhttp. The gate reads the connection's bytes in a
 * callback on the input buffer and takes them out; when a request is complete and allowed (or to be
 * refused), evhttp is given a *ticket*, a fixed request line written by us ("GET /1f HTTP/1.1"),
 * and calls back with an evhttp_request that stands for the place in the connection's order.
 * Accepting, order of pipelined requests, waiting for the output, errors and closing stay evhttp's.
 *
 *   file             owns
 *   http_server.c    the server object: limits, deadlines, drain
 *   http_listener.c  the listening socket, running out of descriptors
 *   server_conn.c    a connection's record, from accept to close; lingering
 *   http_intake.c    bytes in: the gate, verdicts, refusals, tickets
 *   http_request.c   a call: from the ticket to its handler; reading it
 *   http_reply.c     the answer: head, encodings, body, and handing it to evhttp
 *   http_pieces.c    long answers
 *   http_stream.c    answers without an end
 *   http_accept.c    which encoding the client takes */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <sys/queue.h>

#include "codec/gzip.h"
#include "net/gate.h"
#include "net/http_server.h"

/* State of a connection, changed by server_conn_set_state only.
 *
 *   IDLE      no byte of a request is there
 *   HEAD      a head is coming                                http_intake.c
 *   BODY      a body is coming                                http_intake.c
 *   TICKET    a request (or a refusal) waits for evhttp       http_intake_ticket
 *   HANDLING  evhttp called, the handler has the call         http_request_on_ticket
 *   STREAMING a reply in pieces or a stream is under way      http_pieces.c, http_stream.c
 *   WRITING   the rest of the reply is being written          server_conn_finish
 *   CLOSING   nothing more is read
 *
 * IDLE -> HEAD -> (BODY ->) TICKET -> HANDLING -> (STREAMING ->) WRITING -> IDLE | CLOSING */
enum conn_state {
    CONN_IDLE,
    CONN_HEAD,
    CONN_BODY,
    CONN_TICKET,
    CONN_HANDLING,
    CONN_STREAMING,
    CONN_WRITING,
    CONN_CLOSING,
};

enum { TICKET_BYTES = 32 };

struct http_pieces;

/* One request at a time and connection; reused for the next. Outlives the connection when a handler
 * still waits for something (conn NULL then). */
struct http_request {
    struct http_call call; /* handlers see this */
    struct http_server *server;
    struct server_conn *conn;
    struct gate gate;
    struct evbuffer *body;      /* raw, NULL until the first byte */
    struct evbuffer *ahead;     /* what came after the request, NULL until needed */
    struct buf extra;           /* header lines added by the handler */
    struct err refusal;         /* set: answered with this instead of a call */
    struct http_pieces *pieces; /* at most one of these two while STREAMING */
    struct http_stream *stream;
    uint64_t body_limit, body_bytes;
};

struct server_conn {
    struct http_server *server;
    TAILQ_ENTRY(server_conn) link, watch_link; /* the second while is_to_watch */
    struct bufferevent *bev;
    struct evbuffer *in, *out;       /* of bev */
    struct evhttp_connection *evcon; /* NULL until adopted */
    bufferevent_data_cb on_writable; /* evhttp's own callbacks, put back before its turn */
    bufferevent_data_cb on_readable;
    bufferevent_event_cb on_event;
    struct evhttp_request *ticket; /* the request evhttp waits for; HANDLING and STREAMING */
    struct http_request *request;
    enum conn_state state;
    int64_t since_us; /* entered the state, or last progress within it */
    uint64_t mark;    /* progress at since_us */
    uint32_t slot;    /* in server->slots */
    bool is_tls;
    bool is_doomed;    /* to be cut by the next sweep */
    bool is_surplus;   /* beyond max_connections */
    bool has_served;   /* at least one reply was sent */
    bool must_close;   /* after this reply */
    bool must_linger;  /* the client may still be sending: let it read the answer */
    bool is_in_intake; /* the input callback is running */
    bool owes_continue;
    bool is_to_watch, is_watched; /* reading while it is answered, to see the client leave */
    char ticket_line[TICKET_BYTES];
    size_t ticket_len;
};

TAILQ_HEAD(server_conns, server_conn);

struct http_listener;
struct lingering;
TAILQ_HEAD(lingerings, lingering);

struct http_server {
    struct http_server_conf conf; /* with the defaults filled in */
    struct loop *loop;
    struct evhttp *evhttp;
    struct http_listener *listener; /* NULL once draining */
    struct server_conns conns, unadopted, to_watch;
    struct lingerings lingering;
    int n_lingering;
    struct server_conn **slots;
    uint32_t n_slots, next_slot;
    struct event *chores; /* adopt, begin lingering: in the same turn, before any socket */
    struct loop_timer sweep, drained;
    loop_fn *on_drained;
    void *on_drained_arg;
    bool is_draining;
    struct buf scratch; /* reply heads */
    int64_t date_s;
    char date[64]; /* "Date: ...\r\n" */
    uint64_t peak_body_bytes, untrimmed_bytes;
    struct http_server_stats stats;
    char address[128];
};

/* --- http_server.c */
void http_server_conn_closed(struct http_server *s); /* a record left: listener, drain */
void http_server_body_grew(struct http_server *s, uint64_t n);
void http_server_body_shrank(struct http_server *s, uint64_t n);

/* --- http_listener.c */
struct http_listener *http_listener_new(struct http_server *s, struct err *err);
void http_listener_free(struct http_listener *l); /* NULL accepted; evhttp must still be there */
/* Stops or resumes accepting as the number of connections says. */
void http_listener_adjust(struct http_listener *l);

/* --- server_conn.c */
struct bufferevent *server_conn_accept(struct event_base *base, void *server); /* evhttp's bevcb */
void server_conn_adopt(struct server_conn *c);                                 /* idempotent */
void server_conn_set_state(struct server_conn *c, enum conn_state state);
void server_conn_cut(struct server_conn *c);  /* frees it; never from inside its own callbacks */
void server_conn_doom(struct server_conn *c); /* the same, soon */
/* Reads from now on (from this turn's chores), to see the client leave; ends with the reply. */
void server_conn_watch(struct server_conn *c);
void server_conn_watch_all(struct http_server *s); /* the chore */
/* "100 Continue", outside evhttp's knowledge; _later from where a reply is just being ended. */
void server_conn_send_continue(struct server_conn *c);
void server_conn_send_continue_later(struct server_conn *c);
/* For the drain: the connection ends with the request it is at. */
void server_conn_close_when_done(struct server_conn *c);
/* The handler's turn begins: evhttp hears nothing from the bufferevent until server_conn_finish. */
void server_conn_begin_handling(struct server_conn *c);
/* While pieces are written evhttp must not hear that the output is empty. */
void server_conn_begin_stream(struct server_conn *c);
/* The whole reply is in the output: sends it and ends the request. The connection may be gone when
 * this returns. */
void server_conn_finish(struct server_conn *c);
/* evhttp is done with the ticket: next request, or the end. For http_request.c. */
void server_conn_reply_done(struct server_conn *c);
/* Deadlines of one connection; may free it. */
void server_conn_sweep(struct server_conn *c, int64_t now_us);
void http_lingering_begin_all(struct http_server *s);
void http_lingering_free_all(struct http_server *s);

/* --- http_intake.c */
void http_intake_on_input(struct evbuffer *in, const struct evbuffer_cb_info *info, void *conn);
/* Goes on with what came ahead, after a reply. */
void http_intake_resume(struct server_conn *c);
/* Refuses what is being read with *err (moved) and closes; for deadlines. */
void http_intake_refuse_late(struct server_conn *c, struct err *err);

/* --- http_request.c */
struct http_request *http_request_new(struct server_conn *c);
void http_request_free(struct http_request *r); /* NULL accepted */
void http_request_reset(struct http_request *r);
void http_request_drop_body(struct http_request *r);
/* The connection went away in this state. */
void http_request_conn_gone(struct http_request *r, enum conn_state state);
void http_request_on_ticket(struct evhttp_request *ticket, void *server); /* evhttp's gencb */
struct http_head http_request_head(const struct http_request *r);
bool http_request_is_preflight(const struct http_request *r); /* by the head alone */

/* --- http_reply.c */
struct http_reply {
    int status;
    const char *content_type; /* NULL: none */
    struct str body;
    char *owned;          /* body's memory when it may be taken over, freed in any case */
    const char *encoding; /* Content-Encoding, NULL: none */
    bool has_length;      /* Content-Length is known: body.len */
    bool is_chunked;
    bool is_sized; /* Content-Length is size, though the body comes in pieces */
    uint64_t size;
    bool varies; /* by Accept-Encoding */
};
/* Appends status line and headers to the server's scratch buffer (which is cleared first). */
struct str http_reply_render_head(struct http_request *r, const struct http_reply *reply);
/* Sends a reply whose body is complete and already encoded; frees owned. */
void http_reply_send(struct http_request *r, struct http_reply *reply);
bool http_reply_may_have_body(const struct http_request *r, int status);
bool http_reply_is_worth_encoding(const char *content_type, size_t len);
/* An orphan's reply: frees the request. */
void http_reply_discard(struct http_request *r);

/* --- http_pieces.c */
void http_pieces_gone(struct http_pieces *p); /* the connection went away */

/* --- http_stream.c */
void http_stream_gone(struct http_stream *s); /* the connection went away */

/* --- http_accept.c */
enum http_encoding { HTTP_IDENTITY, HTTP_GZIP, HTTP_DEFLATE, HTTP_NO_ENCODING };
/* Negotiates from an Accept-Encoding value (data NULL: absent): the encoding with the highest
 * weight, gzip before deflate before identity among equals; HTTP_NO_ENCODING when nothing we have
 * is acceptable (contract 1.8). RFC 9110, 12.5.3. */
enum http_encoding http_accept_encoding(struct str value);
const char *http_encoding_name(enum http_encoding e); /* "gzip", NULL for identity */
enum gzip_format http_encoding_format(enum http_encoding e);
