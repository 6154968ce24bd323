#pragma once
/* The OpenSSL contexts behind tls.h: for the other files of net/ only. */
#include <openssl/ssl.h>

#include "base/str.h"
#include "net/tls.h"

/* A context with what both sides have in common. NULL with the reason. */
SSL_CTX *tls_ctx_new(const SSL_METHOD *method, struct err *err);
/* The oldest queued OpenSSL error in words; empties the queue. */
const char *tls_error_text(void);
/* "cannot <what> `<path>`: <OpenSSL's reason>"; negative. */
int tls_fail_file(struct err *err, const char *what, const char *path);

/* The context in use now: take it anew for each connection, a reload replaces it. Borrowed; an SSL
 * made from it keeps its own reference. */
SSL_CTX *tls_server_ctx(struct tls_server *t);

/* As whom and trusting whom a request is sent; both NULL: as tls_client_new() says. */
struct tls_identity {
    const char *ca; /* PEM: these authorities (or certificates) and no others are trusted */
    const char *certificate; /* PEM: the client's certificate, its chain and its private key */
};
/* The context of that identity, made at the first request and kept. ret_number names it: no two
 * contexts ever have the same number, so connections of the same number are interchangeable. The
 * caller owns a reference (SSL_CTX_free). NULL with the reason when the texts cannot be used. */
SSL_CTX *tls_client_take_ctx(struct tls_client *t, const struct tls_identity *identity,
                             uint64_t *ret_number, struct err *err);

/* An SSL for a connection to that host: its certificate must show the name (or the address), which
 * is told to it (SNI). NULL when it cannot be set up. */
SSL *tls_client_ssl_new(SSL_CTX *ctx, const char *host, bool host_is_ip);
/* What OpenSSL has against a connection; false when nothing. The errors are taken off: stale ones
 * would be told of the next connection. told: an error met before, 0: none. */
struct bufferevent;
bool tls_write_failure(struct buf *out, SSL *ssl, struct bufferevent *bev, unsigned long told);
