/* Judges PEM text before it is stored. Makes no connection and no context. */
#include "net/pem.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "net/pem_internal.h"

static const char begin_certificate[] = "-----BEGIN CERTIFICATE-----";
static const char end_certificate[] = "-----END CERTIFICATE-----";

/* Nobody is there to be asked for a pass phrase. */
static int
no_pass_phrase(char *out, int cap, int is_writing, void *arg)
{
    (void) out;
    (void) cap;
    (void) is_writing;
    (void) arg;
    return -1;
}

static BIO *
open_text(struct str pem)
{
    return BIO_new_mem_buf(pem.data, (int) pem.len);
}

static bool
has_heading(struct str pem, const char *heading)
{
    return pem.len > 0 && memmem(pem.data, pem.len, heading, strlen(heading)) != NULL;
}

int
pem_read_certificates(struct str pem, void (*take)(void *arg, X509 *certificate), void *arg)
{
    BIO *in = open_text(pem);
    int n = 0;
    X509 *x;
    while (in != NULL && (x = PEM_read_bio_X509(in, NULL, no_pass_phrase, NULL)) != NULL) {
        take(arg, x);
        n++;
    }
    bool is_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    BIO_free(in);
    return is_end ? n : -1;
}

static void
drop(void *arg, X509 *certificate)
{
    (void) arg;
    X509_free(certificate);
}

static void
keep_first(void *arg, X509 *certificate)
{
    X509 **first = arg;
    if (*first == NULL)
        *first = certificate;
    else
        X509_free(certificate);
}

static int
fail(struct buf *why, const char *text)
{
    buf_add_cstr(why, text);
    return -1;
}

int
pem_check_authorities(struct str pem, struct buf *why)
{
    int n = has_heading(pem, begin_certificate) ? pem_read_certificates(pem, drop, NULL) : 0;
    if (n == 0)
        return fail(why, "expected certificates in PEM (`-----BEGIN CERTIFICATE-----`)");
    return n > 0 ? 0 : fail(why, "a certificate in it cannot be read");
}

EVP_PKEY *
pem_read_key(struct str pem)
{
    BIO *in = open_text(pem);
    EVP_PKEY *key = in == NULL ? NULL : PEM_read_bio_PrivateKey(in, NULL, no_pass_phrase, NULL);
    ERR_clear_error();
    BIO_free(in);
    return key;
}

int
pem_check_identity(struct str pem, struct buf *why)
{
    X509 *certificate = NULL;
    int n = pem_read_certificates(pem, keep_first, &certificate), rc = 0;
    EVP_PKEY *key = n > 0 ? pem_read_key(pem) : NULL;
    if (n <= 0)
        rc = fail(why, n == 0 ? "expected a certificate and its private key, both in PEM"
                              : "a certificate in it cannot be read");
    else if (key == NULL)
        rc = fail(why, "the private key cannot be read (one with a pass phrase is not accepted)");
    else if (X509_check_private_key(certificate, key) != 1)
        rc = fail(why, "the private key does not belong to the first certificate");
    ERR_clear_error();
    EVP_PKEY_free(key);
    X509_free(certificate);
    return rc;
}

bool
pem_has_private_key(struct str pem)
{
    return has_heading(pem, "PRIVATE KEY-----");
}

void
pem_write_certificates(struct buf *out, struct str pem)
{
    const char *at = pem.data, *end = at == NULL ? NULL : at + pem.len;
    while (at != NULL && at < end) {
        at = memmem(at, (size_t) (end - at), begin_certificate, strlen(begin_certificate));
        if (at == NULL)
            return;
        const char *stop =
            memmem(at, (size_t) (end - at), end_certificate, strlen(end_certificate));
        if (stop == NULL)
            return;
        stop += strlen(end_certificate);
        buf_add(out, at, (size_t) (stop - at));
        buf_add_char(out, '\n');
        at = stop;
    }
}
