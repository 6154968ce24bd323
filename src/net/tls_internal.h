#pragma once
/* The OpenSSL contexts behind tls.h: for the other files of net/ only. */
#include <openssl/ssl.h>

#include "net/tls.h"

/* The context in use now: take it anew for each connection, a reload replaces it. Borrowed; an SSL
 * made from it keeps its own reference. */
SSL_CTX *tls_server_ctx(struct tls_server *t);
SSL_CTX *tls_client_ctx(struct tls_client *t);
