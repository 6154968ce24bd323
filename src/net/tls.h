#pragma once
/* TLS contexts for both sides (OpenSSL). TLS 1.2 or later. */
#include "base/err.h"

struct tls_server;
struct tls_server_conf {
    const char *cert_path, *key_path; /* PEM: chain, PKCS#8/RSA/EC key */
    const char *auth_path;            /* CA file for client certificates; NULL: not asked for */
    bool require_auth;                /* refuse clients without a certificate */
};
struct tls_server *tls_server_new(const struct tls_server_conf *conf, struct err *err);
void tls_server_free(struct tls_server *t); /* NULL accepted */
/* Reads the files again; on failure the old ones stay in use and err says why. */
int tls_server_reload(struct tls_server *t, struct err *err);

/* Whom outgoing connections trust and as whom they present themselves: by default the system's
 * authorities and nobody; a request may bring its own (struct http_client_request). */
struct tls_client;
/* ca_path: PEM file of additional authorities (NULL: the system's only). */
struct tls_client *tls_client_new(const char *ca_path, struct err *err);
void tls_client_free(struct tls_client *t);
/* Reads the authorities again; connections from before are not used for requests after it. On
 * failure the old ones stay in use. */
int tls_client_reload(struct tls_client *t, struct err *err);
