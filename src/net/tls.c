/* What the OpenSSL contexts of both sides have in common, and the server's; the client's are in
 * tls_client.c. Knows nothing of sockets; connections take the context through tls_internal.h. */
#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#include "base/mem.h"
#include "net/tls_internal.h"

struct tls_server {
    SSL_CTX *ctx;
    char *cert_path, *key_path, *auth_path;
    bool require_auth;
};

const char *
tls_error_text(void)
{
    unsigned long code = ERR_get_error();
    const char *reason = code != 0 ? ERR_reason_error_string(code) : NULL;
    ERR_clear_error();
    if (reason != NULL)
        return reason;
    return code != 0 && ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code)) : "unknown error";
}

int
tls_fail_file(struct err *err, const char *what, const char *path)
{
    return err_set(err, ERR_INTERNAL, "cannot %s `%s`: %s", what, path, tls_error_text());
}

SSL_CTX *
tls_ctx_new(const SSL_METHOD *method, struct err *err)
{
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(method);
    if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1) {
        (void) err_set(err, ERR_INTERNAL, "cannot set up TLS: %s", tls_error_text());
        SSL_CTX_free(ctx);
        return NULL;
    }
    /* A peer that closes without close_notify is an end, not an error (OpenSSL 3). */
    (void) SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_RENEGOTIATION |
                                        SSL_OP_NO_COMPRESSION);
    /* Never SSL_MODE_ENABLE_PARTIAL_WRITE: after a partial write of one chain libevent goes on with
     * the next one (do_write in bufferevent_openssl.c), and the rest of the first is lost. */
    (void) SSL_CTX_set_mode(ctx, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return ctx;
}

/* --- the server's side --------------------------------------------------------------------- */

/* An encrypted key must not make OpenSSL ask on the terminal. */
static int
no_password(char *out, int cap, int is_writing, void *arg)
{
    (void) out, (void) cap, (void) is_writing, (void) arg;
    return 0;
}

static int
load_client_auth(SSL_CTX *ctx, const struct tls_server *t, struct err *err)
{
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(t->auth_path);
    if (names == NULL || SSL_CTX_load_verify_locations(ctx, t->auth_path, NULL) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return tls_fail_file(err, "read the client authorities", t->auth_path);
    }
    SSL_CTX_set_client_CA_list(ctx, names);
    int mode = SSL_VERIFY_PEER | (t->require_auth ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
    SSL_CTX_set_verify(ctx, mode, NULL);
    return 0;
}

static int
load_server(SSL_CTX *ctx, const struct tls_server *t, struct err *err)
{
    SSL_CTX_set_default_passwd_cb(ctx, no_password);
    (void) SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
    /* Sessions are resumed by tickets; the identifier is needed once client certificates are. */
    (void) SSL_CTX_set_session_id_context(ctx, (const unsigned char *) "taskhook", 8);
    if (SSL_CTX_use_certificate_chain_file(ctx, t->cert_path) != 1)
        return tls_fail_file(err, "read the certificate", t->cert_path);
    if (SSL_CTX_use_PrivateKey_file(ctx, t->key_path, SSL_FILETYPE_PEM) != 1)
        return tls_fail_file(err, "read the private key", t->key_path);
    if (SSL_CTX_check_private_key(ctx) != 1)
        return tls_fail_file(err, "use the private key", t->key_path);
    return t->auth_path != NULL ? load_client_auth(ctx, t, err) : 0;
}

int
tls_server_reload(struct tls_server *t, struct err *err)
{
    SSL_CTX *ctx = tls_ctx_new(TLS_server_method(), err);
    if (ctx == NULL)
        return -1;
    if (load_server(ctx, t, err) < 0) {
        SSL_CTX_free(ctx);
        return -1;
    }
    SSL_CTX_free(t->ctx); /* running connections keep their own reference */
    t->ctx = ctx;
    return 0;
}

struct tls_server *
tls_server_new(const struct tls_server_conf *conf, struct err *err)
{
    struct tls_server *t = mem_new(1, sizeof(*t));
    t->cert_path = mem_strdup(conf->cert_path);
    t->key_path = mem_strdup(conf->key_path);
    t->auth_path = mem_strdup(conf->auth_path);
    t->require_auth = conf->require_auth;
    if (tls_server_reload(t, err) < 0) {
        tls_server_free(t);
        return NULL;
    }
    return t;
}

void
tls_server_free(struct tls_server *t)
{
    if (t == NULL)
        return;
    SSL_CTX_free(t->ctx);
    free(t->cert_path);
    free(t->key_path);
    free(t->auth_path);
    free(t);
}

SSL_CTX *
tls_server_ctx(struct tls_server *t)
{
    return t->ctx;
}
