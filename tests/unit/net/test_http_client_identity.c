/* Requests that bring their own authorities and client certificate: whom they trust, as whom they
 * appear, and that nobody else uses their connections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "certs.h"
#include "client_fixture.h"
#include "receiver.h"

struct world {
    struct authority server, other; /* of the receiver; of nobody */
    char *ca, *other_ca, *alice, *bob, *stranger;
    SSL_CTX *ctx;
    struct receiver *receiver;
    struct fixture f;
    char url[64];
};

/* Answers with the number of the connection and the common name of the client's certificate. */
static void
say_client_name(struct peer *p)
{
    struct buf request = BUF_INIT, answer = BUF_INIT;
    while (peer_read_request(p, &request)) {
        char name[64] = "nobody", body[80];
        X509 *cert = SSL_get1_peer_certificate(p->ssl);
        if (cert != NULL)
            (void) X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, name,
                                             sizeof(name));
        X509_free(cert);
        int len = snprintf(body, sizeof(body), "%d %s", p->nth, name);
        buf_clear(&answer);
        buf_addf(&answer, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len, body);
        peer_write(p, answer.data, answer.len);
    }
    buf_done(&request);
    buf_done(&answer);
}

static int
group_setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    authority_init(&w->server);
    authority_init(&w->other);
    w->ca = authority_pem(&w->server);
    w->other_ca = authority_pem(&w->other);
    w->alice = authority_identity(&w->server, "alice");
    w->bob = authority_identity(&w->server, "bob");
    w->stranger = authority_identity(&w->other, "stranger");
    *state = w;
    return 0;
}

static int
group_teardown(void **state)
{
    struct world *w = *state;
    free(w->ca);
    free(w->other_ca);
    free(w->alice);
    free(w->bob);
    free(w->stranger);
    authority_done(&w->server);
    authority_done(&w->other);
    free(w);
    return 0;
}

static int
setup(void **state)
{
    struct world *w = *state;
    w->ctx = authority_server_ctx(&w->server, "DNS:localhost,IP:127.0.0.1", -1, 30, false);
    assert_int_equal(SSL_CTX_load_verify_locations(w->ctx, w->server.ca_path, NULL), 1);
    SSL_CTX_set_verify(w->ctx, SSL_VERIFY_PEER, NULL);
    (void) SSL_CTX_set_session_id_context(w->ctx, (const unsigned char *) "test", 4);
    w->receiver = receiver_start(say_client_name, NULL, w->ctx, false);
    fixture_init(&w->f, "127.0.0.0/8", NULL, NULL, NULL);
    (void) snprintf(w->url, sizeof(w->url), "https://127.0.0.1:%d/", receiver_port(w->receiver));
    return 0;
}

static int
teardown(void **state)
{
    struct world *w = *state;
    fixture_done(&w->f);
    receiver_stop(w->receiver);
    SSL_CTX_free(w->ctx);
    return 0;
}

static void
require_certificates(struct world *w)
{
    SSL_CTX_set_verify(w->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
}

/* expected: the whole body, or a part of the detail of a TLS failure. */
static void
check(struct world *w, const char *ca, const char *certificate, const char *expected)
{
    struct outcome o = fixture_run(
        &w->f, &(struct want){
                   .url = w->url, .pool = "one pool", .ca = ca, .client_certificate = certificate});
    if (o.outcome == HTTP_OUTCOME_ANSWERED)
        assert_string_equal(buf_cstr(&o.body), expected);
    else if (o.outcome != HTTP_OUTCOME_TLS || strstr(o.detail, expected) == NULL)
        fail_msg("%s: %s", http_outcome_name(o.outcome), o.detail);
    outcome_done(&o);
}

static void
authorities_of_a_request_are_trusted(void **state)
{
    struct world *w = *state;
    check(w, NULL, NULL, "certificate verify failed: unknown CA (");
    check(w, w->ca, NULL, "2 nobody");
}

static void
authorities_of_a_request_replace_the_others(void **state)
{
    struct world *w = *state;
    fixture_done(&w->f);
    fixture_init(&w->f, "127.0.0.0/8", w->server.ca_path, NULL, NULL);
    check(w, w->other_ca, NULL, "unknown CA");
    check(w, NULL, NULL, "2 nobody");
}

static void
certificate_of_the_receiver_itself_can_be_trusted(void **state)
{
    struct world *w = *state;
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    assert_int_equal(PEM_write_bio_X509(bio, SSL_CTX_get0_certificate(w->ctx)), 1);
    assert_int_equal(BIO_write(bio, "", 1), 1);
    assert_true(BIO_get_mem_data(bio, &text) > 0);
    check(w, text, NULL, "1 nobody");
    BIO_free(bio);
}

static void
host_name_is_checked_with_own_authorities_too(void **state)
{
    struct world *w = *state;
    (void) snprintf(w->url, sizeof(w->url), "https://app.localhost:%d/",
                    receiver_port(w->receiver));
    check(w, w->ca, NULL, "hostname mismatch");
}

static void
name_with_a_final_dot_is_the_same_name(void **state)
{
    struct world *w = *state;
    (void) snprintf(w->url, sizeof(w->url), "https://localhost.:%d/", receiver_port(w->receiver));
    check(w, w->ca, NULL, "1 nobody");
}

static void
client_certificate_is_shown(void **state)
{
    struct world *w = *state;
    require_certificates(w);
    check(w, w->ca, w->alice, "1 alice");
}

static void
client_certificate_works_with_the_default_authorities(void **state)
{
    struct world *w = *state;
    fixture_done(&w->f);
    fixture_init(&w->f, "127.0.0.0/8", w->server.ca_path, NULL, NULL);
    check(w, NULL, w->alice, "1 alice");
}

static void
missing_client_certificate_is_told(void **state)
{
    struct world *w = *state;
    require_certificates(w);
    check(w, w->ca, NULL, "client certificate required by the receiver");
}

static void
client_certificate_of_an_unknown_authority_is_told(void **state)
{
    struct world *w = *state;
    require_certificates(w);
    check(w, w->ca, w->stranger, "the receiver does not know the client certificate's CA");
}

static void
connections_are_shared_within_one_identity_only(void **state)
{
    struct world *w = *state;
    static const char *const expected[] = {"1 nobody", "2 alice", "3 bob"};
    const char *identities[] = {NULL, w->alice, w->bob};
    /* The receiver serves one connection after the other: the next identity waits for the idle one
     * of the last to be closed. */
    for (int round = 0; round < 3; round++) {
        check(w, w->ca, identities[round], expected[round]);
        check(w, w->ca, identities[round], expected[round]);
        http_client_reload(w->f.client);
    }
}

static void
kept_connection_is_not_used_by_another_identity(void **state)
{
    struct world *w = *state;
    struct outcome first, second;
    struct want want = {
        .url = w->url, .pool = "one pool", .ca = w->ca, .client_certificate = w->alice};
    first = fixture_run(&w->f, &want);
    assert_string_equal(buf_cstr(&first.body), "1 alice");
    outcome_done(&first);
    want.client_certificate = NULL;
    want.timeout_ms = 300; /* the receiver is still busy with alice's connection */
    second = fixture_run(&w->f, &want);
    assert_int_equal(second.outcome, HTTP_OUTCOME_TIMEOUT);
    assert_int_equal(second.status, 0);
    outcome_done(&second);
    want.client_certificate = w->alice;
    first = fixture_run(&w->f, &want);
    assert_string_equal(buf_cstr(&first.body), "1 alice");
    outcome_done(&first);
}

static void
reload_of_the_authorities_ends_the_use_of_connections(void **state)
{
    struct world *w = *state;
    struct err err = ERR_INIT;
    check(w, w->ca, w->alice, "1 alice");
    assert_int_equal(tls_client_reload(w->f.tls, &err), 0);
    http_client_reload(w->f.client);
    check(w, w->ca, w->alice, "2 alice");
}

static void
unusable_texts_are_told_at_once(void **state)
{
    struct world *w = *state;
    check(w, "nonsense", NULL, "cannot use the webhook's `ca`");
    check(w, w->ca, "nonsense", "cannot use the webhook's `clientCertificate`");
    check(w, w->ca, w->ca, "cannot use the webhook's `clientCertificate`"); /* no key */
    assert_int_equal(receiver_connections(w->receiver), 0);
}

static void
plain_requests_ignore_their_identity(void **state)
{
    struct world *w = *state;
    (void) snprintf(w->url, sizeof(w->url), "http://127.0.0.1:1/");
    struct outcome o = fixture_run(&w->f, &(struct want){.url = w->url, .ca = "nonsense"});
    assert_int_equal(o.outcome, HTTP_OUTCOME_CONNECT);
    outcome_done(&o);
}

/* More than are kept: the eldest is made again. */
static void
many_identities_all_work(void **state)
{
    struct world *w = *state;
    enum { MANY = 70 };
    for (int i = 0; i < MANY + 1; i++) {
        struct buf ca = BUF_INIT;
        buf_addf(&ca, "number %d\n%s", i % MANY, w->ca);
        struct outcome o = fixture_run(&w->f, &(struct want){.url = w->url, .ca = buf_cstr(&ca)});
        assert_int_equal(o.outcome, HTTP_OUTCOME_ANSWERED);
        outcome_done(&o);
        buf_done(&ca);
        http_client_reload(w->f.client);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(authorities_of_a_request_are_trusted),
        TEST(authorities_of_a_request_replace_the_others),
        TEST(certificate_of_the_receiver_itself_can_be_trusted),
        TEST(host_name_is_checked_with_own_authorities_too),
        TEST(name_with_a_final_dot_is_the_same_name),
        TEST(client_certificate_is_shown),
        TEST(client_certificate_works_with_the_default_authorities),
        TEST(missing_client_certificate_is_told),
        TEST(client_certificate_of_an_unknown_authority_is_told),
        TEST(connections_are_shared_within_one_identity_only),
        TEST(kept_connection_is_not_used_by_another_identity),
        TEST(reload_of_the_authorities_ends_the_use_of_connections),
        TEST(unusable_texts_are_told_at_once),
        TEST(plain_requests_ignore_their_identity),
        TEST(many_identities_all_work),
    };
    (void) alarm(120);
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
