/* Signatures of Standard Webhooks against vectors that others made; which keys sign. */
#include "fixture.h"

#include "codec/digest.h"
#include "webhook/rotate.h"
#include "webhook/secret.h"
#include "webhook/sign.h"

/* Svix's and Standard Webhooks' own test vector. */
#define VECTOR_SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define VECTOR_ID STR("msg_p5jXN8AQM9LWM0D4loKWxJek")
#define VECTOR_BODY STR("{\"test\": 2432232314}")
#define VECTOR_SIGNATURE "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
enum { DAY_MS = 24 * 3600 * 1000 };
static const int64_t vector_ms = INT64_C(1614265330) * 1000;

static struct webhook_secret
secret_of(const char *text, int64_t expires_at_ms)
{
    struct webhook_secret s;
    assert_true(secret_parse(str_from(text), &s));
    s.expires_at_ms = expires_at_ms;
    return s;
}

static struct signing *
sign(const struct webhook_secret *secrets, size_t n, struct str body)
{
    struct webhook_policy p;
    policy_init(&p);
    p.secrets = (struct webhook_secret *) (uintptr_t) secrets;
    p.n_secrets = n;
    return signing_new(&p, VECTOR_ID, vector_ms, body);
}

static void
hmac_signature_matches_the_published_vector(void **state)
{
    (void) state;
    struct webhook_secret secret = secret_of(VECTOR_SECRET, 0);
    struct signing *s = sign(&secret, 1, VECTOR_BODY);
    assert_true(signing_step(s, INT64_MAX));
    assert_string_equal(signing_timestamp(s), "1614265330");
    assert_string_equal(signing_signature(s), VECTOR_SIGNATURE);
    signing_free(s);
}

/* RFC 8032, section 7.1, test 1, is over an empty message; ours never is. So: deterministic, of the
 * right size, and verified by node's crypto in tests/e2e/test_signatures.py. */
static void
ed25519_signature_has_its_own_version_and_size(void **state)
{
    (void) state;
    struct webhook_secret secret;
    struct buf bytes = BUF_INIT;
    secret_generate(&secret, SECRET_V1A_ED25519);
    struct signing *s = sign(&secret, 1, VECTOR_BODY);
    assert_true(signing_step(s, INT64_MAX));
    struct str value = str_from(signing_signature(s));
    assert_true(str_starts_with(value, "v1a,"));
    assert_true(base64_decode(&bytes, str_slice(value, 4, value.len)));
    assert_int_equal(bytes.len, 64);
    buf_done(&bytes);
    signing_free(s);
}

static void
large_body_is_signed_in_pieces(void **state)
{
    (void) state;
    static char body[300 * 1024];
    memset(body, 'b', sizeof(body));
    struct webhook_secret secret = secret_of(VECTOR_SECRET, 0);
    struct signing *at_once = sign(&secret, 1, str_make(body, sizeof(body)));
    struct signing *sliced = sign(&secret, 1, str_make(body, sizeof(body)));
    unsigned steps = 1;
    assert_true(signing_step(at_once, INT64_MAX));
    while (!signing_step(sliced, 0))
        steps++;
    assert_true(steps > 2);
    assert_string_equal(signing_signature(sliced), signing_signature(at_once));
    signing_free(at_once);
    signing_free(sliced);
}

static void
old_key_signs_behind_the_new_one_until_it_expires(void **state)
{
    (void) state;
    struct webhook_secret secrets[3];
    secret_generate(&secrets[0], SECRET_V1_HMAC);
    secrets[1] = secret_of(VECTOR_SECRET, vector_ms + 1);
    secret_generate(&secrets[2], SECRET_V1_HMAC);
    secrets[2].expires_at_ms = vector_ms;
    struct signing *s = sign(secrets, 3, VECTOR_BODY);
    assert_true(signing_step(s, INT64_MAX));
    struct str value = str_from(signing_signature(s));
    size_t space = str_find(value, ' ', 0);
    assert_int_equal(value.len, 2 * space + 1);
    assert_true(str_is(str_slice(value, space + 1, value.len), VECTOR_SIGNATURE));
    signing_free(s);
}

static void
no_key_gives_no_signature(void **state)
{
    (void) state;
    struct webhook_secret expired = secret_of(VECTOR_SECRET, vector_ms - 1);
    assert_null(sign(NULL, 0, VECTOR_BODY));
    assert_null(sign(&expired, 1, VECTOR_BODY));
}

static void
unfinished_signature_is_freed(void **state)
{
    (void) state;
    struct webhook_secret secret = secret_of(VECTOR_SECRET, 0);
    signing_free(sign(&secret, 1, VECTOR_BODY));
}

/* --- rotation -------------------------------------------------------------------------------- */

static struct webhook_policy
policy_with(const struct webhook_secret *s)
{
    struct webhook_policy p, copy;
    policy_init(&p);
    p.secrets = (struct webhook_secret *) (uintptr_t) s;
    p.n_secrets = s != NULL;
    policy_copy(&copy, &p);
    return copy;
}

static int
rotate(struct webhook_policy *p, const char *secret, int64_t grace_ms, uint32_t *ret_generated)
{
    struct err err = ERR_INIT;
    struct json_doc *doc = secret != NULL ? json_parse(str_from(secret), NULL) : NULL;
    struct webhook_rotation rotation = {.secret = doc != NULL ? json_root(doc) : NULL,
                                        .grace_ms = grace_ms};
    int rc = policy_rotate_secrets(p, &rotation, vector_ms, ret_generated, &err);
    json_doc_free(doc);
    err_done(&err);
    return rc;
}

static void
rotation_replaces_the_key_and_keeps_the_old_one_for_the_grace_period(void **state)
{
    (void) state;
    struct webhook_secret old = secret_of(VECTOR_SECRET, 0);
    struct webhook_policy p = policy_with(&old);
    uint32_t generated;
    assert_int_equal(rotate(&p, NULL, DAY_MS, &generated), 0);
    assert_int_equal(generated, 1);
    assert_int_equal(p.n_secrets, 2);
    assert_int_equal(p.secrets[0].expires_at_ms, 0);
    assert_int_equal(p.secrets[1].expires_at_ms, vector_ms + DAY_MS);
    assert_memory_equal(p.secrets[1].key, old.key, old.n_key);
    policy_done(&p);
}

static void
rotation_without_a_grace_period_forgets_the_old_key(void **state)
{
    (void) state;
    struct webhook_secret old = secret_of(VECTOR_SECRET, 0);
    struct webhook_policy p = policy_with(&old);
    uint32_t generated;
    assert_int_equal(rotate(&p, NULL, 0, &generated), 0);
    assert_int_equal(p.n_secrets, 1);
    assert_memory_not_equal(p.secrets[0].key, old.key, old.n_key);
    policy_done(&p);
}

static void
rotation_takes_a_given_key_that_is_not_shown(void **state)
{
    (void) state;
    struct webhook_policy p = policy_with(NULL);
    uint32_t generated;
    assert_int_equal(rotate(&p, "\"" VECTOR_SECRET "\"", DAY_MS, &generated), 0);
    assert_int_equal(generated, 0);
    assert_int_equal(p.n_secrets, 1);
    assert_true(policy_is_given(&p, POLICY_SECRET));
    assert_int_equal(rotate(&p, "\"whsec_short\"", DAY_MS, &generated), -1);
    assert_int_equal(rotate(&p, "\"whsec_XXX...\"", DAY_MS, &generated), -1);
    assert_int_equal(p.n_secrets, 1);
    policy_done(&p);
}

static void
rotation_to_the_same_key_does_not_double_it(void **state)
{
    (void) state;
    struct webhook_secret old = secret_of(VECTOR_SECRET, 0);
    struct webhook_policy p = policy_with(&old);
    uint32_t generated;
    assert_int_equal(rotate(&p, "\"" VECTOR_SECRET "\"", DAY_MS, &generated), 0);
    assert_int_equal(p.n_secrets, 1);
    assert_int_equal(p.secrets[0].expires_at_ms, 0);
    policy_done(&p);
}

static void
ten_old_keys_are_kept_at_most_and_the_newest_of_them(void **state)
{
    (void) state;
    struct webhook_policy p = policy_with(NULL);
    struct webhook_secret second;
    uint32_t generated;
    for (int i = 0; i < 15; i++) {
        assert_int_equal(rotate(&p, NULL, DAY_MS, &generated), 0);
        if (i == 4)
            second = p.secrets[0];
    }
    assert_int_equal(p.n_secrets, SECRETS_MAX);
    assert_memory_equal(p.secrets[SECRETS_MAX - 1].key, second.key, second.n_key);
    policy_done(&p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hmac_signature_matches_the_published_vector),
        cmocka_unit_test(ed25519_signature_has_its_own_version_and_size),
        cmocka_unit_test(large_body_is_signed_in_pieces),
        cmocka_unit_test(old_key_signs_behind_the_new_one_until_it_expires),
        cmocka_unit_test(no_key_gives_no_signature),
        cmocka_unit_test(unfinished_signature_is_freed),
        cmocka_unit_test(rotation_replaces_the_key_and_keeps_the_old_one_for_the_grace_period),
        cmocka_unit_test(rotation_without_a_grace_period_forgets_the_old_key),
        cmocka_unit_test(rotation_takes_a_given_key_that_is_not_shown),
        cmocka_unit_test(rotation_to_the_same_key_does_not_double_it),
        cmocka_unit_test(ten_old_keys_are_kept_at_most_and_the_newest_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
