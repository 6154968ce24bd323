#pragma once
/* Receivers for the client's tests: a thread that serves one connection after the other with a
 * script in plain blocking calls, over TLS or not; and one that answers DNS questions. Loopback
 * only, any free port. */
#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/buf.h"

struct receiver;

struct peer {
    struct receiver *receiver;
    int fd;
    SSL *ssl; /* NULL: plain */
    int nth;  /* connection, from 1 */
    void *arg;
};

typedef void script_fn(struct peer *p);

/* Serves on 127.0.0.1, or on ::1 with is_ipv6. ssl: NULL, or the context to accept TLS with;
 * the script then starts after the handshake, and does not when that fails. NULL when the machine
 * has no such address. */
struct receiver *receiver_start(script_fn *script, void *arg, SSL_CTX *ssl, bool is_ipv6);
int receiver_port(const struct receiver *r);
int receiver_connections(const struct receiver *r);
void receiver_stop(struct receiver *r); /* waits for the script's end */

/* For scripts. */
bool peer_read_request(struct peer *p, struct buf *out); /* head and body; false at the end */
void peer_write(struct peer *p, const void *data, size_t len);
void peer_say(struct peer *p, const char *text);
void peer_wait_for_close(struct peer *p); /* by the client */
void peer_reset(struct peer *p);          /* closes with RST */
void peer_close(struct peer *p);

/* A name server on 127.0.0.1, UDP and TCP: for each question `answer` appends a whole answer packet
 * to out, or nothing for silence (over TCP: to close the connection). type is 1 (A) or 28 (AAAA).
 */
struct dns_question {
    const unsigned char *packet;
    size_t len, question_end;
    char name[256];
    int type;
    bool is_tcp;
};
typedef void dns_fn(const struct dns_question *q, struct buf *out, void *arg);
struct name_server;
struct name_server *name_server_start(dns_fn *answer, void *arg);
const char *name_server_address(const struct name_server *s); /* "127.0.0.1:40000" */
int name_server_questions(const struct name_server *s);
void name_server_stop(struct name_server *s);
/* For dns_fn: the header with this flags word, the question, n address records. */
void dns_begin(struct buf *out, const struct dns_question *q, unsigned flags, int n_answers);
void dns_add(struct buf *out, const char *address, unsigned ttl_s);
