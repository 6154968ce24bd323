/* What all connections that we begin have in common over TLS: whom they verify, and words for why
 * that failed. Owns nothing. */
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "base/mem.h"
#include "net/tls_internal.h"

static const char no_common_version[] =
    "the receiver speaks no version of TLS that is accepted (1.2 or later)";
static const char wants_certificate[] = "client certificate required by the receiver";

static const struct {
    int reason;
    const char *text;
} tls_reasons[] = {
    {SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, no_common_version},
    {SSL_R_UNSUPPORTED_PROTOCOL, no_common_version},
    {SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, wants_certificate},
    {SSL_R_TLSV1_ALERT_UNKNOWN_CA, "the receiver does not know the client certificate's CA"},
    {SSL_R_WRONG_VERSION_NUMBER, "the receiver does not speak TLS on this port"},
    {SSL_R_HTTP_REQUEST, "the receiver does not speak TLS on this port"},
    {SSL_R_UNEXPECTED_EOF_WHILE_READING, "the receiver closed the connection in the handshake"},
};

static const char *
tls_reason_text(unsigned long error)
{
    for (size_t i = 0; i < sizeof(tls_reasons) / sizeof(tls_reasons[0]); i++)
        if (ERR_GET_REASON(error) == tls_reasons[i].reason)
            return tls_reasons[i].text;
    const char *text = ERR_reason_error_string(error);
    return text != NULL ? text : "TLS error";
}

static bool
is_unknown_authority(long verdict)
{
    return verdict == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
           verdict == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT ||
           verdict == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE ||
           verdict == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN;
}

bool
tls_write_failure(struct buf *out, SSL *ssl, struct bufferevent *bev, unsigned long told)
{
    unsigned long error;
    while ((error = bufferevent_get_openssl_error(bev)) != 0)
        if (ERR_GET_LIB(error) == ERR_LIB_SSL)
            told = error; /* the last one comes first: the first is the cause */
    ERR_clear_error();
    long verdict = SSL_get_verify_result(ssl);
    if (verdict != X509_V_OK) {
        buf_addf(out,
                 is_unknown_authority(verdict) ? "certificate verify failed: unknown CA (%s)"
                                               : "certificate verify failed: %s",
                 X509_verify_cert_error_string(verdict));
        return true;
    }
    if (told != 0)
        buf_add_cstr(out, tls_reason_text(told));
    return told != 0;
}

SSL *
tls_client_ssl_new(SSL_CTX *ctx, const char *host, bool host_is_ip)
{
    SSL *ssl = SSL_new(ctx);
    if (ssl == NULL)
        return NULL;
    /* "example.com." is asked of DNS as written; certificates and SNI are without the dot. */
    size_t len = strlen(host);
    char *name = mem_strndup(host, len > 0 && host[len - 1] == '.' ? len - 1 : len);
    bool is_ok;
    SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    if (host_is_ip) {
        is_ok = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    } else {
        SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        is_ok = SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
    }
    free(name);
    if (is_ok)
        return ssl;
    SSL_free(ssl);
    return NULL;
}
