/* See certs.h. */
#include "certs.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
must(bool is_ok)
{
    if (!is_ok)
        abort();
}

static void
add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    must(e != NULL && X509_add_ext(cert, e, -1) == 1);
    X509_EXTENSION_free(e);
}

static X509 *
new_cert(EVP_PKEY *key, const char *common_name, int from_days, int to_days)
{
    static long serial = 1000;
    X509 *cert = X509_new();
    must(cert != NULL && X509_set_version(cert, 2) == 1);
    must(ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++) == 1);
    must(X509_gmtime_adj(X509_getm_notBefore(cert), from_days * 86400L) != NULL);
    must(X509_gmtime_adj(X509_getm_notAfter(cert), to_days * 86400L) != NULL);
    must(X509_set_pubkey(cert, key) == 1);
    must(X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                                    (const unsigned char *) common_name, -1, -1, 0) == 1);
    return cert;
}

void
authority_init(struct authority *a)
{
    static int nth;
    char name[64];
    a->key = EVP_EC_gen("P-256");
    must(a->key != NULL);
    (void) snprintf(name, sizeof(name), "taskhook test authority %d", ++nth);
    a->cert = new_cert(a->key, name, -2, 365);
    must(X509_set_issuer_name(a->cert, X509_get_subject_name(a->cert)) == 1);
    add_extension(a->cert, a->cert, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(a->cert, a->cert, NID_key_usage, "critical,keyCertSign");
    must(X509_sign(a->cert, a->key, EVP_sha256()) > 0);
    (void) snprintf(a->dir, sizeof(a->dir), "/tmp/taskhook-certs-XXXXXX");
    must(mkdtemp(a->dir) != NULL);
    (void) snprintf(a->ca_path, sizeof(a->ca_path), "%s/ca.pem", a->dir);
    FILE *f = fopen(a->ca_path, "we");
    must(f != NULL && PEM_write_X509(f, a->cert) == 1 && fclose(f) == 0);
}

void
authority_done(struct authority *a)
{
    (void) unlink(a->ca_path);
    (void) rmdir(a->dir);
    X509_free(a->cert);
    EVP_PKEY_free(a->key);
}

/* Consumes the memory BIO. */
static char *
take_text(BIO *bio)
{
    char *data;
    long len = BIO_get_mem_data(bio, &data);
    char *text = calloc(1, (size_t) len + 1);
    must(text != NULL && len > 0);
    memcpy(text, data, (size_t) len);
    BIO_free(bio);
    return text;
}

char *
authority_pem(const struct authority *a)
{
    BIO *bio = BIO_new(BIO_s_mem());
    must(bio != NULL && PEM_write_bio_X509(bio, a->cert) == 1);
    return take_text(bio);
}

char *
authority_identity(const struct authority *a, const char *common_name)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = new_cert(key, common_name, -1, 30);
    BIO *bio = BIO_new(BIO_s_mem());
    must(X509_set_issuer_name(cert, X509_get_subject_name(a->cert)) == 1);
    must(X509_sign(cert, a->key, EVP_sha256()) > 0);
    must(PEM_write_bio_X509(bio, cert) == 1 &&
         PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
    X509_free(cert);
    EVP_PKEY_free(key);
    return take_text(bio);
}

SSL_CTX *
authority_server_ctx(const struct authority *a, const char *names, int from_days, int to_days,
                     bool is_self_signed)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = new_cert(key, "taskhook test receiver", from_days, to_days);
    X509 *issuer = is_self_signed ? cert : a->cert;
    must(X509_set_issuer_name(cert, X509_get_subject_name(issuer)) == 1);
    add_extension(cert, issuer, NID_subject_alt_name, names);
    must(X509_sign(cert, is_self_signed ? key : a->key, EVP_sha256()) > 0);
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    must(ctx != NULL && SSL_CTX_use_certificate(ctx, cert) == 1 &&
         SSL_CTX_use_PrivateKey(ctx, key) == 1);
    X509_free(cert);
    EVP_PKEY_free(key);
    return ctx;
}
