#pragma once
/* An HTTP server with a small application, and clients that talk to it over real sockets within the
 * same loop.
 *
 *   /hello            {"ok":true}
 *   /size/N           N bytes of JSON text
 *   /take/N           the same, given away with http_reply_take
 *   /pieces/N         N bytes in pieces of 10,000
 *   /long-pieces/N    the same in pieces of 65,536
 *   /broken           a first piece, then a failure
 *   /echo             the body; its limit is ECHO_LIMIT
 *   /status/N         an empty reply
 *   /wait             waits until the test calls server_fixture_answer; told when the client goes
 *   /wait-untold      the same without being told
 *   /secret           refused by the judge with 401 */
#include <openssl/ssl.h>

#include "net/http_server.h"
#include "net/tls.h"

enum { ECHO_LIMIT = 1000 };

struct server_fixture {
    struct loop *loop;
    struct tls_server *tls;
    struct http_server *server;
    struct http_call *waiting;
    int n_gone, n_released, n_handled, n_drained;
    bool stop_at_wait;                    /* the loop returns when a call waits */
    const char *client_cert, *client_key; /* what clients show; NULL: nothing */
    char dir[64];
};

void server_fixture_handle(void *fixture, struct http_call *call); /* the application */

/* conf: limits only, may be NULL; with_tls: a certificate made for the test. */
void server_fixture_init(struct server_fixture *f, const struct http_server_conf *conf,
                         bool with_tls);
/* A self-signed certificate for `localhost` and its key. */
void server_fixture_write_certificate(const char *cert_path, const char *key_path);
void server_fixture_done(struct server_fixture *f);
void server_fixture_answer(struct server_fixture *f);       /* {"waited":true} */
void server_fixture_turn(struct server_fixture *f, int ms); /* the loop for so long */

/* A client connection. What it gets is in got; the loop stops when the peer closes (or as said). */
struct talk {
    struct server_fixture *fixture;
    struct bufferevent *bev;
    SSL_CTX *ctx;
    struct buf got;
    struct str left; /* to be sent byte by byte */
    size_t stop_at;  /* the loop stops when so many bytes came; 0: at the end only */
    int drip_ms;     /* between bytes sent slowly; 0: each turn */
    bool is_closed, is_slow;
    struct loop_timer timer;
};
void talk_open(struct talk *t, struct server_fixture *f);
void talk_send(struct talk *t, struct str bytes);
void talk_send_slowly(struct talk *t,
                      struct str bytes);        /* a byte a turn; bytes stay the caller's */
void talk_end(struct talk *t);                  /* sends the end: half-closed from here on */
void talk_wait(struct talk *t);                 /* until the server closes */
void talk_wait_bytes(struct talk *t, size_t n); /* until n bytes came in all */
void talk_pause(struct talk *t, bool is_paused);
size_t talk_unsent(const struct talk *t);
void talk_close(struct talk *t); /* at once, without a goodbye */
void talk_reset(struct talk *t); /* the same by a reset */
/* Opens, sends, waits for the end of the connection. */
struct talk talk_once(struct server_fixture *f, struct str bytes);

/* The answers in got, in order. */
struct answer {
    int status;
    struct str head;
    struct buf body; /* chunks joined */
};
bool answer_next(struct str *rest, bool has_body, struct answer *ret);
bool answer_has(const struct answer *a, const char *header_line); /* "Vary: accept-encoding" */
void answer_done(struct answer *a);
