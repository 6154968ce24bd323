/* Owns the client's OpenSSL contexts: the default one, and one for each pair of authorities and
 * certificate that requests bring along. Knows nothing of who brings them, nor of connections. */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/pem_internal.h"
#include "net/tls_internal.h"

/* Beside the default one. What is used least goes first and can always be made again. */
enum { CONTEXTS_MAX = 64 };

struct context {
    SSL_CTX *ctx;
    uint64_t number;
    char *ca, *certificate; /* NULL: the default's, none */
    struct context *next;
};

struct tls_client {
    char *ca_path;
    struct context *standard;
    struct context *others; /* most recently used first */
    uint64_t last_number;
};

static void
context_free(struct context *c)
{
    if (c == NULL)
        return;
    if (c->certificate != NULL)
        mem_wipe(c->certificate, strlen(c->certificate)); /* the private key is in it */
    SSL_CTX_free(c->ctx);                                 /* connections keep their own reference */
    free(c->ca);
    free(c->certificate);
    free(c);
}

static void
contexts_free(struct context *list)
{
    while (list != NULL) {
        struct context *next = list->next;
        context_free(list);
        list = next;
    }
}

/* --- making them ----------------------------------------------------------------------------- */

static struct context *
context_new(struct tls_client *t, struct err *err)
{
    SSL_CTX *ctx = tls_ctx_new(TLS_client_method(), err);
    if (ctx == NULL)
        return NULL;
    struct context *c = mem_new(1, sizeof(*c));
    *c = (struct context){.ctx = ctx, .number = ++t->last_number};
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    return c;
}

static struct context *
standard_new(struct tls_client *t, struct err *err)
{
    struct context *c = context_new(t, err);
    int rc = 0;
    if (c == NULL)
        return NULL;
    if (SSL_CTX_set_default_verify_paths(c->ctx) != 1)
        rc = err_set(err, ERR_INTERNAL, "cannot read the system's authorities: %s",
                     tls_error_text());
    else if (t->ca_path != NULL && SSL_CTX_load_verify_locations(c->ctx, t->ca_path, NULL) != 1)
        rc = tls_fail_file(err, "read the authorities", t->ca_path);
    if (rc == 0)
        return c;
    context_free(c);
    return NULL;
}

static int
fail(struct err *err, const char *what)
{
    return err_set(err, ERR_INTERNAL, "cannot use the webhook's %s: %s", what, tls_error_text());
}

static void
trust(void *arg, X509 *certificate)
{
    (void) X509_STORE_add_cert(arg, certificate); /* one that is missing is told at the handshake */
    X509_free(certificate);
}

/* A certificate given on its own is trusted as it is, be it an authority or the receiver's. */
static int
use_authorities(struct context *c, struct str pem, struct err *err)
{
    X509_STORE *store = SSL_CTX_get_cert_store(c->ctx);
    ERR_clear_error();
    if (pem_read_certificates(pem, trust, store) <= 0 ||
        X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) != 1)
        return fail(err, "`ca`");
    return 0;
}

struct identity {
    SSL_CTX *ctx;
    bool has_leaf, has_failed;
};

static void
present(void *arg, X509 *certificate)
{
    struct identity *id = arg;
    if (id->has_failed)
        X509_free(certificate);
    else if (id->has_leaf) {
        id->has_failed = SSL_CTX_add0_chain_cert(id->ctx, certificate) != 1;
        if (id->has_failed)
            X509_free(certificate);
    } else {
        id->has_leaf = true;
        id->has_failed = SSL_CTX_use_certificate(id->ctx, certificate) != 1;
        X509_free(certificate);
    }
}

static int
use_certificate(struct context *c, struct str pem, struct err *err)
{
    struct identity id = {.ctx = c->ctx};
    ERR_clear_error();
    int n = pem_read_certificates(pem, present, &id);
    EVP_PKEY *key = n > 0 && !id.has_failed ? pem_read_key(pem) : NULL;
    bool is_ok = key != NULL && SSL_CTX_use_PrivateKey(c->ctx, key) == 1 &&
                 SSL_CTX_check_private_key(c->ctx) == 1;
    EVP_PKEY_free(key);
    return is_ok ? 0 : fail(err, "`clientCertificate`");
}

static struct context *
other_new(struct tls_client *t, const struct tls_identity *identity, struct err *err)
{
    struct context *c = context_new(t, err);
    int rc = 0;
    if (c == NULL)
        return NULL;
    c->ca = mem_strdup(identity->ca);
    c->certificate = mem_strdup(identity->certificate);
    if (c->ca != NULL)
        rc = use_authorities(c, str_from(c->ca), err);
    else /* shared: the system's are megabytes */
        SSL_CTX_set1_cert_store(c->ctx, SSL_CTX_get_cert_store(t->standard->ctx));
    if (rc == 0 && c->certificate != NULL)
        rc = use_certificate(c, str_from(c->certificate), err);
    if (rc == 0)
        return c;
    context_free(c);
    return NULL;
}

/* --- finding them ---------------------------------------------------------------------------- */

static bool
is_same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Takes it out of the list. */
static struct context *
take_other(struct tls_client *t, const struct tls_identity *identity)
{
    struct context **link = &t->others, *c;
    while ((c = *link) != NULL && !(is_same_text(c->ca, identity->ca) &&
                                    is_same_text(c->certificate, identity->certificate)))
        link = &c->next;
    if (c != NULL)
        *link = c->next;
    return c;
}

static void
trim(struct tls_client *t)
{
    struct context **link = &t->others;
    for (int n = 0; *link != NULL && n < CONTEXTS_MAX; n++)
        link = &(*link)->next;
    contexts_free(*link);
    *link = NULL;
}

static struct context *
find(struct tls_client *t, const struct tls_identity *identity, struct err *err)
{
    if (identity->ca == NULL && identity->certificate == NULL)
        return t->standard;
    struct context *c = take_other(t, identity);
    if (c == NULL)
        c = other_new(t, identity, err);
    if (c == NULL)
        return NULL;
    c->next = t->others;
    t->others = c;
    trim(t);
    return c;
}

SSL_CTX *
tls_client_take_ctx(struct tls_client *t, const struct tls_identity *identity, uint64_t *ret_number,
                    struct err *err)
{
    struct context *c = find(t, identity, err);
    if (c == NULL)
        return NULL;
    (void) SSL_CTX_up_ref(c->ctx); /* fails only at INT_MAX references */
    *ret_number = c->number;
    return c->ctx;
}

/* --- life ------------------------------------------------------------------------------------ */

int
tls_client_reload(struct tls_client *t, struct err *err)
{
    struct context *c = standard_new(t, err);
    if (c == NULL)
        return -1;
    context_free(t->standard);
    contexts_free(t->others); /* they may share what the old one trusted */
    t->standard = c;
    t->others = NULL;
    return 0;
}

struct tls_client *
tls_client_new(const char *ca_path, struct err *err)
{
    struct tls_client *t = mem_new(1, sizeof(*t));
    t->ca_path = mem_strdup(ca_path);
    if (tls_client_reload(t, err) < 0) {
        tls_client_free(t);
        return NULL;
    }
    return t;
}

void
tls_client_free(struct tls_client *t)
{
    if (t == NULL)
        return;
    context_free(t->standard);
    contexts_free(t->others);
    free(t->ca_path);
    free(t);
}
