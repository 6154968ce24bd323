/* Judging PEM texts: authorities, and a certificate with its key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "certs.h"
#include "net/pem.h"
#include <openssl/pem.h>

struct texts {
    struct authority one, other;
    struct buf cert, key, other_key, locked_key;
};

static void
take_text(BIO *bio, struct buf *ret)
{
    char *data;
    long n = BIO_get_mem_data(bio, &data);
    assert_true(n > 0);
    buf_add(ret, data, (size_t) n);
    BIO_free(bio);
}

static void
write_key(EVP_PKEY *key, const char *pass_phrase, struct buf *ret)
{
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(
                         bio, key, pass_phrase != NULL ? EVP_aes_128_cbc() : NULL, pass_phrase,
                         pass_phrase != NULL ? (int) strlen(pass_phrase) : 0, NULL, NULL),
                     1);
    take_text(bio, ret);
}

static int
setup(void **state)
{
    struct texts *t = calloc(1, sizeof(*t));
    authority_init(&t->one);
    authority_init(&t->other);
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_X509(bio, t->one.cert), 1);
    take_text(bio, &t->cert);
    write_key(t->one.key, NULL, &t->key);
    write_key(t->other.key, NULL, &t->other_key);
    write_key(t->one.key, "secret", &t->locked_key);
    *state = t;
    return 0;
}

static int
teardown(void **state)
{
    struct texts *t = *state;
    authority_done(&t->one);
    authority_done(&t->other);
    buf_done(&t->cert);
    buf_done(&t->key);
    buf_done(&t->other_key);
    buf_done(&t->locked_key);
    free(t);
    return 0;
}

typedef int check_fn(struct str pem, struct buf *why);

/* The texts one after another; why: NULL when accepted. */
static void
expect(check_fn *check, const struct buf *a, const struct buf *b, const char *why)
{
    struct buf pem = BUF_INIT, got = BUF_INIT;
    buf_add_str(&pem, buf_str(a));
    if (b != NULL)
        buf_add_str(&pem, buf_str(b));
    assert_int_equal(check(buf_str(&pem), &got), why == NULL ? 0 : -1);
    assert_string_equal(buf_cstr(&got), why == NULL ? "" : why);
    buf_done(&pem);
    buf_done(&got);
}

static void
pem_check_authorities_accepts_one_or_more_certificates(void **state)
{
    struct texts *t = *state;
    expect(pem_check_authorities, &t->cert, NULL, NULL);
    expect(pem_check_authorities, &t->cert, &t->cert, NULL);
}

static void
pem_check_authorities_refuses_everything_else(void **state)
{
    struct texts *t = *state;
    struct buf none = BUF_INIT, broken = BUF_INIT;
    buf_add_cstr(&broken, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    const char *expected = "expected certificates in PEM (`-----BEGIN CERTIFICATE-----`)";
    expect(pem_check_authorities, &none, NULL, expected);
    expect(pem_check_authorities, &t->key, NULL, expected);
    expect(pem_check_authorities, &t->cert, &broken, "a certificate in it cannot be read");
    buf_done(&broken);
}

static void
pem_check_identity_accepts_certificate_and_key_in_any_order(void **state)
{
    struct texts *t = *state;
    expect(pem_check_identity, &t->cert, &t->key, NULL);
    expect(pem_check_identity, &t->key, &t->cert, NULL);
}

static void
pem_check_identity_refuses_with_the_reason(void **state)
{
    struct texts *t = *state;
    expect(pem_check_identity, &t->key, NULL,
           "expected a certificate and its private key, both in PEM");
    expect(pem_check_identity, &t->cert, &t->other_key,
           "the private key does not belong to the first certificate");
    expect(pem_check_identity, &t->cert, NULL,
           "the private key cannot be read (one with a pass phrase is not accepted)");
    expect(pem_check_identity, &t->cert, &t->locked_key,
           "the private key cannot be read (one with a pass phrase is not accepted)");
}

static void
pem_write_certificates_leaves_the_key_out(void **state)
{
    struct texts *t = *state;
    struct buf both = BUF_INIT, shown = BUF_INIT;
    buf_add_str(&both, buf_str(&t->cert));
    buf_add_str(&both, buf_str(&t->key));
    buf_add_str(&both, buf_str(&t->cert));
    pem_write_certificates(&shown, buf_str(&both));
    assert_int_equal(shown.len, 2 * t->cert.len);
    assert_true(str_starts_with(buf_str(&shown), buf_cstr(&t->cert)));
    assert_true(pem_has_private_key(buf_str(&both)));
    assert_false(pem_has_private_key(buf_str(&shown)));
    buf_done(&both);
    buf_done(&shown);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(pem_check_authorities_accepts_one_or_more_certificates),
        CASE(pem_check_authorities_refuses_everything_else),
        CASE(pem_check_identity_accepts_certificate_and_key_in_any_order),
        CASE(pem_check_identity_refuses_with_the_reason),
        CASE(pem_write_certificates_leaves_the_key_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
