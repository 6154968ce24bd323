#pragma once
/* Certificates made on the spot. */
#include <openssl/ssl.h>
#include <stdbool.h>

struct authority {
    EVP_PKEY *key;
    X509 *cert;
    char dir[40], ca_path[64]; /* a PEM file of the authority's certificate */
};
void authority_init(struct authority *a);
void authority_done(struct authority *a);

/* PEM texts, to be freed: its certificate; and a certificate by it for the common name, with the
 * private key. */
char *authority_pem(const struct authority *a);
char *authority_identity(const struct authority *a, const char *common_name);

/* A server context with a certificate for `names` ("DNS:a.test,IP:127.0.0.1"), valid from
 * from_days to to_days from now, by the authority or, with is_self_signed, by itself. */
SSL_CTX *authority_server_ctx(const struct authority *a, const char *names, int from_days,
                              int to_days, bool is_self_signed);
