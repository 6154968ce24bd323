/* The vectors of contracts.md 5.1, what is near them and refused, and that a check costs the same
 * whoever it is for. T is 2023-11-14T22:13:20Z. */
#include <stdlib.h>

#include "../support.h"
#include "base/clock.h"
#include "inbound/signature.h"
#include "inbound/twilio.h"

#define T 1700000000

#define MUX_BODY                                                                                   \
    "{\"type\":\"video.asset.deleted\",\"object\":{\"type\":\"asset\",\"id\":\"asset_01\"},"       \
    "\"id\":\"evt_mux_0001\",\"environment\":{\"name\":\"Production\",\"id\":\"env_01\"},"         \
    "\"data\":{\"id\":\"asset_01\",\"status\":\"ready\"},\"created_at\":"                          \
    "\"2023-11-14T22:13:20.000000Z\",\"attempts\":[]}"
#define STRIPE_BODY                                                                                \
    "{\"id\":\"evt_0001\",\"object\":\"event\",\"type\":\"charge.succeeded\",\"data\":{"           \
    "\"object\":{\"id\":\"ch_1\",\"amount\":100}}}"
#define GITHUB_BODY "{\"zen\":\"Keep it logically awesome.\",\"hook_id\":42}"
#define STANDARD_BODY                                                                              \
    "{\"type\":\"report.completed\",\"timestamp\":\"2023-11-14T22:13:20Z\",\"data\":{\"taskId\":"  \
    "\"789\"}}"
#define SLACK_BODY "token=xyz&team_id=T1&command=%2Fdeploy&text=docs"
#define ODD_BODY "{\"name\":\"caf\xc3\xa9\",  \"n\":1.0}\r\n"

#define MUX_SECRET "mux_test_signing_secret_0001"
#define MUX_MAC "d5b4b09bf5b66659c884f0bc3c0d3916b4457785a055c752d1823833060a2637"
#define STRIPE_SECRET "whsec_stripe_test_0001"
#define STRIPE_OLD_SECRET "whsec_stripe_old_0000"
#define STRIPE_MAC "5ce920010ae6228fe1e01a612c54ce25e1c35e17f37d38149e30278d9e508844"
#define STRIPE_OLD_MAC "841da95a263f7bc4959da90f9bfbaadcc4137acefa0aaf8a27c6557f738b1633"
#define GITHUB_SECRET "gh_test_secret_0001"
#define GITHUB_MAC "6ea41896c7554bf1ff55edf08bf258706e8036bfb1031fad9cd82cf5db9389f4"
#define STANDARD_SECRET "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
#define STANDARD_SECOND "whsec_ISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0A="
#define STANDARD_MAC "xyhqW74d0jEggxPt69Fq0FStvC/m7Juf9ryAvO0o0aI="
#define STANDARD_SECOND_MAC "XW0AFK0R7QauNB2f4jIGNEh3ws4EQ2cnwdhWyqx34Uk="
#define STANDARD_PUBLIC "whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
#define STANDARD_V1A                                                                               \
    "37C1uHOKa/XiAu5lQH+iZ2E9ajF5Dzo1+TV+KH3j2IRR1WxMQjSSynTSJmq6+FhowYg6e/WHvTkU6BB8omx7DQ=="
#define SLACK_SECRET "slack_signing_secret_0001"
#define SLACK_MAC "b53d70678ea8945525f7e7bffc4c38089f520d61a5c8e5cd5527e19488dbfe0b"
#define TWILIO_SECRET "twilio_auth_token_0001"
#define TWILIO_URL "https://hooks.example.com/v1/webhooks/twilio/conn_1"
#define TWILIO_BODY "MessageSid=SM0001&MessageStatus=delivered&To=%2B15550001111"
#define TWILIO_MAC "Zy2ToCpAzJz7YrBtb1u/BEjmxnk="

struct request {
    enum provider provider;
    const char *secrets[SIGNATURE_SECRETS_MAX]; /* NULL behind the last */
    const char *signature, *timestamp, *id;     /* headers; NULL: absent */
    const char *body;
};

static struct str
optional(const char *s)
{
    return s == NULL ? STR_NULL : str_from(s);
}

static struct provider_headers
headers_of(const struct request *q)
{
    return (struct provider_headers){.signature = optional(q->signature),
                                     .timestamp = optional(q->timestamp),
                                     .id = optional(q->id)};
}

/* Steps that are as short as they can be. url: of Twilio */
static bool
check_at(const struct request *q, struct str body, const char *url, struct signature_work *ret_work)
{
    struct signature_key keys[SIGNATURE_SECRETS_MAX];
    struct provider_headers headers = headers_of(q);
    size_t n = 0;
    for (; n < SIGNATURE_SECRETS_MAX && q->secrets[n] != NULL; n++)
        assert_null(signature_read_key(q->provider, str_from(q->secrets[n]), &keys[n]));
    struct signature_check *c = signature_check_new(q->provider, &headers, keys, n, str_from(url));
    while (signature_check_step(c, body, 0) == 1)
        ;
    bool matches = signature_check_matches(c);
    if (ret_work != NULL)
        *ret_work = signature_check_work(c);
    signature_check_free(c);
    return matches;
}

static bool
check(const struct request *q, struct str body, struct signature_work *ret_work)
{
    return check_at(q, body, TWILIO_URL, ret_work);
}

static bool
matches(const struct request *q)
{
    return check(q, str_from(q->body), NULL);
}

static const struct request vectors[] = {
    {PROVIDER_MUX, {MUX_SECRET}, "t=1700000000,v1=" MUX_MAC, NULL, NULL, MUX_BODY},
    {PROVIDER_MUX,
     {MUX_SECRET},
     "t=1700000000,v1=14258eea52d83230d1019301343a9ccd7a29d4425ba7915a6d75decda166c5ea",
     NULL,
     NULL,
     "{}"},
    {PROVIDER_STRIPE, {STRIPE_SECRET}, "t=1700000000,v1=" STRIPE_MAC, NULL, NULL, STRIPE_BODY},
    {PROVIDER_STRIPE,
     {STRIPE_SECRET},
     "t=1700000000,v1=0f5d61067ab1ba77502b822bf4035a01a0a523c0943043b7e9b2177cd5ed1c4c",
     NULL,
     NULL,
     "{}"},
    {PROVIDER_STRIPE,
     {STRIPE_OLD_SECRET},
     "t=1700000000,v1=" STRIPE_OLD_MAC,
     NULL,
     NULL,
     STRIPE_BODY},
    {PROVIDER_GITHUB, {GITHUB_SECRET}, "sha256=" GITHUB_MAC, NULL, NULL, GITHUB_BODY},
    {PROVIDER_GITHUB,
     {"It's a Secret to Everybody"},
     "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
     NULL,
     NULL,
     "Hello, World!"},
    {PROVIDER_STANDARD,
     {STANDARD_SECRET},
     "v1," STANDARD_MAC,
     "1700000000",
     "msg_test0001",
     STANDARD_BODY},
    {PROVIDER_STANDARD,
     {STANDARD_SECOND},
     "v1," STANDARD_SECOND_MAC,
     "1700000000",
     "msg_test0001",
     STANDARD_BODY},
    {PROVIDER_STANDARD,
     {STANDARD_PUBLIC},
     "v1a," STANDARD_V1A,
     "1700000000",
     "msg_test0001",
     STANDARD_BODY},
    {PROVIDER_STANDARD,
     {STANDARD_SECRET},
     "v1,non2ptxHwXFDZGWpirPTv8mRASrzw5vz3i7Z8oJIG4U=",
     "1700000000",
     "msg_batch4",
     "{\"uid\":4}\n{\"uid\":5}\n"},
    {PROVIDER_SLACK, {SLACK_SECRET}, "v0=" SLACK_MAC, "1700000000", NULL, SLACK_BODY},
    /* not ASCII, CRLF, odd spacing: catches whoever signs what he parsed */
    {PROVIDER_GITHUB,
     {GITHUB_SECRET},
     "sha256=3e8a64e9808f1ce54795345bfe28980ea8d71c045cb4cc779f1f3cb6b3ba64c2",
     NULL,
     NULL,
     ODD_BODY},
    {PROVIDER_MUX,
     {MUX_SECRET},
     "t=1700000000,v1=08b729781ac706d807dcdc59e71e02da07664d600c55fafbc3df48173227672d",
     NULL,
     NULL,
     ODD_BODY},
    {PROVIDER_TWILIO, {TWILIO_SECRET}, TWILIO_MAC, NULL, NULL, TWILIO_BODY},
};
enum { N_VECTORS = sizeof(vectors) / sizeof(vectors[0]) };

static void
signature_accepts_every_vector(void **state)
{
    (void) state;
    for (size_t i = 0; i < N_VECTORS; i++)
        if (!matches(&vectors[i]))
            fail_msg("vector %zu", i);
}

static void
signature_refuses_every_vector_with_a_changed_body(void **state)
{
    (void) state;
    for (size_t i = 0; i < N_VECTORS; i++) {
        struct buf body = BUF_INIT;
        buf_add_cstr(&body, vectors[i].body);
        buf_add_char(&body, ' ');
        assert_false(check(&vectors[i], buf_str(&body), NULL));
        buf_done(&body);
    }
}

static void
signature_refuses_every_vector_without_its_secret(void **state)
{
    (void) state;
    for (size_t i = 0; i < N_VECTORS; i++) {
        struct request q = vectors[i];
        q.secrets[0] = q.provider == PROVIDER_STANDARD
                           ? "whsec_ZGlmZmVyZW50LWRpZmZlcmVudC1kaWZmZXJlbnQ="
                           : "another secret";
        assert_false(matches(&q));
        q.secrets[0] = NULL;
        assert_false(matches(&q));
    }
}

static void
signature_accepts_any_of_several_secrets_and_signatures(void **state)
{
    static const char both[] = "t=1700000000,v1=" STRIPE_OLD_MAC ",v1=" STRIPE_MAC ",v0=00";
    struct request q = {.provider = PROVIDER_STRIPE, .signature = both, .body = STRIPE_BODY};
    (void) state;
    q.secrets[0] = STRIPE_SECRET;
    assert_true(matches(&q));
    q.secrets[0] = STRIPE_OLD_SECRET;
    assert_true(matches(&q));
    q.signature = "t=1700000000,v1=" STRIPE_MAC;
    q.secrets[1] = "a third secret";
    q.secrets[2] = STRIPE_SECRET;
    assert_true(matches(&q));
    struct request s = {.provider = PROVIDER_STANDARD,
                        .secrets = {STANDARD_PUBLIC, STANDARD_SECOND},
                        .signature = "v2,zzzz v1," STANDARD_MAC " v1," STANDARD_SECOND_MAC,
                        .timestamp = "1700000000",
                        .id = "msg_test0001",
                        .body = STANDARD_BODY};
    assert_true(matches(&s));
    s.signature = "v1," STANDARD_MAC " v1a," STANDARD_V1A;
    assert_true(matches(&s));
    s.secrets[0] = STANDARD_SECOND;
    assert_false(matches(&s));
}

static void
signature_accepts_any_order_and_spaces(void **state)
{
    struct request q = vectors[0];
    (void) state;
    q.signature = "v1=" MUX_MAC ", t=1700000000";
    assert_true(matches(&q));
}

static void
signature_refuses_near_misses(void **state)
{
    static const char *const mux[] = {
        "",
        "t=1700000000",
        "v1=" MUX_MAC,
        "t=1700000001,v1=" MUX_MAC,
        "t=1700000000,t=1700000000,v1=" MUX_MAC,
        "t=1700000000,v0=" MUX_MAC,
        "t=1700000000,v1=" MUX_MAC "0",
        "t=1700000000,v1=D5B4B09BF5B66659C884F0BC3C0D3916B4457785A055C752D1823833060A2637",
        "t=1700000000,v1=d5b4",
        "t=1700000000;v1=" MUX_MAC,
    };
    static const char *const github[] = {
        "sha1=00aa7acb7fca92974493c19b5135a552edbe50f3",
        GITHUB_MAC,
        "sha256=6EA41896C7554BF1FF55EDF08BF258706E8036BFB1031FAD9CD82CF5DB9389F4",
    };
    struct request q = vectors[0], g = vectors[5];
    (void) state;
    for (size_t i = 0; i < sizeof(mux) / sizeof(mux[0]); i++) {
        q.signature = mux[i];
        assert_false(matches(&q));
    }
    for (size_t i = 0; i < sizeof(github) / sizeof(github[0]); i++) {
        g.signature = github[i];
        assert_false(matches(&g));
    }
    g.signature = NULL;
    assert_false(matches(&g));
}

static void
signature_binds_id_and_time_of_standard_webhooks(void **state)
{
    struct request q = vectors[7];
    (void) state;
    q.id = "msg_test0002";
    assert_false(matches(&q));
    q = vectors[7];
    q.timestamp = "1700000001";
    assert_false(matches(&q));
    q = vectors[7];
    q.signature = "v1a," STANDARD_MAC;
    assert_false(matches(&q));
}

/* --- Twilio: an address and a form's fields */

static void
twilio_signs_the_fields_in_the_order_of_their_names(void **state)
{
    static const char *const same[] = {
        "To=%2b15550001111&MessageStatus=delivered&MessageSid=SM0001",
        "&MessageSid=SM0001&&MessageSid=SM0001&MessageStatus=%64elivered&To=%2B15550001111&",
    };
    static const char *const other[] = {
        "",
        "MessageSid=SM0001&MessageStatus=sent&To=%2B15550001111",
        "MessageSid=SM0002&MessageStatus=delivered&To=%2B15550001111",
        "MessageSid=SM0001&MessageStatus=delivered",
        "MessageSid=SM0001&MessageStatus=delivered&To=%2B15550001111&From=x",
        "MessageSid=SM0001&MessageStatus=delivered&To=+15550001111", /* '+' is a space */
        "messageSid=SM0001&MessageStatus=delivered&To=%2B15550001111",
    };
    struct request q = {PROVIDER_TWILIO, {TWILIO_SECRET}, TWILIO_MAC, NULL, NULL, NULL};
    (void) state;
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
        assert_true(check(&q, str_from(same[i]), NULL));
    for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
        assert_false(check(&q, str_from(other[i]), NULL));
}

static void
twilio_signs_the_text_of_its_address(void **state)
{
    static const char *const other[] = {
        "",
        "http://hooks.example.com/v1/webhooks/twilio/conn_1",
        "http://hooks.example.com:443x/v1/webhooks/twilio/conn_1",
        "https://hooks.example.com/:443/v1/webhooks/twilio/conn_1",
        "https://HOOKS.example.com/v1/webhooks/twilio/conn_1",
        "https://hooks.example.com/v1/webhooks/twilio/conn_1/",
        "https://hooks.example.com/v1/webhooks/twilio/conn_2",
    };
    struct request q = {PROVIDER_TWILIO, {TWILIO_SECRET}, TWILIO_MAC, NULL, NULL, NULL};
    (void) state;
    for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
        assert_false(check_at(&q, STR(TWILIO_BODY), other[i], NULL));
}

static void
assert_signed_alike(const char *url, const char *as)
{
    struct buf one = BUF_INIT, other = BUF_INIT;
    assert_int_equal(twilio_write_signed(&one, &other, str_from(url), STR("b=2&a=1")), 0);
    assert_buf_text(&other, as);
    assert_true(str_starts_with(buf_str(&one), url));
    assert_true(str_ends_with(buf_str(&one), "a1b2"));
    buf_done(&one);
}

static void
twilio_may_sign_its_address_with_the_port_or_without(void **state)
{
    struct request q = {PROVIDER_TWILIO, {TWILIO_SECRET}, TWILIO_MAC, NULL, NULL, TWILIO_BODY};
    (void) state;
    assert_signed_alike("https://h/x:1", "https://h:443/x:1a1b2");
    assert_signed_alike("http://h?x=:1", "http://h:80?x=:1a1b2");
    assert_signed_alike("https://h", "https://h:443a1b2");
    assert_signed_alike("https://h:8443/x", "https://h/xa1b2");
    assert_signed_alike("http://[::1]/x", "http://[::1]:80/xa1b2");
    assert_signed_alike("http://[::1]:7700/x", "http://[::1]/xa1b2");
    assert_true(check_at(&q, STR(TWILIO_BODY),
                         "https://hooks.example.com:443/v1/webhooks/twilio/conn_1", NULL));
}

static void
twilio_signature_is_one_of_any_secret_and_nothing_near_it(void **state)
{
    static const char *const wrong[] = {"",
                                        "Zy2ToCpAzJz7YrBtb1u/BEjmxnk",
                                        "zy2ToCpAzJz7YrBtb1u/BEjmxnk=",
                                        "sha1=Zy2ToCpAzJz7YrBtb1u/BEjmxnk=",
                                        "Zy2ToCpAzJz7YrBtb1u_BEjmxnk=",
                                        "672d93a02a40cc9cfb62b06d6f5bbf0448e6c679"};
    struct request q = {PROVIDER_TWILIO, {"another secret", TWILIO_SECRET}, TWILIO_MAC, NULL, NULL,
                        TWILIO_BODY};
    (void) state;
    assert_true(matches(&q));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        q.signature = wrong[i];
        assert_false(matches(&q));
    }
    q.signature = NULL;
    assert_false(matches(&q));
}

/* Where the fields end in the request's view, they end in ours: all of them or none. */
static void
twilio_form_with_too_many_fields_matches_nothing(void **state)
{
    struct buf body = BUF_INIT, text = BUF_INIT, signature = BUF_INIT;
    struct request q = {PROVIDER_TWILIO, {TWILIO_SECRET}, NULL, NULL, NULL, NULL};
    uint8_t mac[SHA1_BYTES];
    (void) state;
    buf_add_cstr(&text, TWILIO_URL "a");
    digest_hmac_sha1(STR(TWILIO_SECRET), buf_str(&text), mac);
    base64_encode(&signature, str_make(mac, sizeof(mac)));
    q.signature = buf_cstr(&signature);
    for (int i = 0; i < 256; i++)
        buf_add_cstr(&body, "a&");
    assert_true(check(&q, buf_str(&body), NULL));
    buf_add_cstr(&body, "a");
    assert_false(check(&q, buf_str(&body), NULL));
    digest_hmac_sha1(STR(TWILIO_SECRET), STR(TWILIO_URL), mac); /* as if it had none */
    buf_clear(&signature);
    base64_encode(&signature, str_make(mac, sizeof(mac)));
    q.signature = buf_cstr(&signature);
    assert_false(check(&q, buf_str(&body), NULL));
    assert_true(check(&q, STR(""), NULL));
    buf_done(&signature);
    buf_done(&text);
    buf_done(&body);
}

static void
twilio_addresses_are_those_of_http_in_full(void **state)
{
    static const char *const wrong[] = {"",
                                        "hooks.example.com/x",
                                        "ftp://hooks.example.com/",
                                        "https://",
                                        "https://a b/",
                                        "https://user:password@hooks.example.com/",
                                        "https://user@hooks.example.com/",
                                        "https://hooks.example.com/#part",
                                        "https://hooks.example.com/\n",
                                        "https://b\xc3\xbc/",
                                        "mailto:a@b",
                                        "https:h",
                                        "https:///h/",
                                        "HTTPS://h/",
                                        "https:\\\\h/"};
    char longest[TWILIO_URL_MAX_BYTES + 1];
    (void) state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_non_null(twilio_check_url(str_from(wrong[i])));
    assert_null(twilio_check_url(STR(TWILIO_URL)));
    assert_null(twilio_check_url(STR("http://127.0.0.1:8080/?a=b&c=%20")));
    memset(longest, 'x', sizeof(longest));
    memcpy(longest, "http://h/", 9);
    assert_null(twilio_check_url(str_make(longest, TWILIO_URL_MAX_BYTES)));
    assert_non_null(twilio_check_url(str_make(longest, TWILIO_URL_MAX_BYTES + 1)));
}

/* --- time */

static bool
is_timely(enum provider p, int64_t age_s)
{
    struct provider_headers h = {.signature = STR("t=1700000000,v1=00"),
                                 .timestamp = STR("1700000000")};
    struct signature_claim claim;
    signature_read_claim(p, &h, &claim);
    return signature_is_timely(p, &claim, T + age_s, SIGNATURE_TOLERANCE_S);
}

static void
signature_time_may_be_300_seconds_away_both_ways(void **state)
{
    static const enum provider timed[] = {PROVIDER_MUX, PROVIDER_STRIPE, PROVIDER_STANDARD,
                                          PROVIDER_SLACK};
    (void) state;
    for (size_t i = 0; i < sizeof(timed) / sizeof(timed[0]); i++) {
        assert_true(is_timely(timed[i], 300));
        assert_false(is_timely(timed[i], 301));
        assert_true(is_timely(timed[i], -300));
        assert_false(is_timely(timed[i], -301));
    }
    assert_true(is_timely(PROVIDER_GITHUB, 1000000));
    assert_true(is_timely(PROVIDER_TWILIO, 1000000));
}

static void
signature_without_a_readable_time_is_never_timely(void **state)
{
    static const char *const times[] = {"",           "x", "-1", "1.5", "99999999999999999999",
                                        " 1700000000"};
    (void) state;
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        struct provider_headers h = {.timestamp = str_from(times[i])};
        struct signature_claim claim;
        signature_read_claim(PROVIDER_SLACK, &h, &claim);
        assert_false(signature_is_timely(PROVIDER_SLACK, &claim, T, 24 * 3600));
    }
}

/* --- secrets */

static void
signature_keys_of_standard_webhooks_have_24_to_64_bytes(void **state)
{
    static const struct {
        size_t n;
        bool is_valid;
    } rows[] = {{23, false}, {24, true}, {64, true}, {65, false}};
    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct signature_key key;
        struct buf text = BUF_INIT;
        char bytes[65] = {0};
        buf_add_cstr(&text, "whsec_");
        base64_encode(&text, str_make(bytes, rows[i].n));
        assert_int_equal(signature_read_key(PROVIDER_STANDARD, buf_str(&text), &key) == NULL,
                         rows[i].is_valid);
        buf_done(&text);
    }
}

static void
signature_keys_that_cannot_be_are_refused(void **state)
{
    static const char *const wrong[] = {
        "whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "whpk_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHw==", "whsec_not base64 at all", "whsec_"};
    struct signature_key key;
    (void) state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_non_null(signature_read_key(PROVIDER_STANDARD, str_from(wrong[i]), &key));
    assert_non_null(signature_read_key(PROVIDER_GITHUB, STR("1234567"), &key));
    assert_null(signature_read_key(PROVIDER_GITHUB, STR("12345678"), &key));
    char text[513];
    memset(text, 'k', sizeof(text));
    assert_null(signature_read_key(PROVIDER_GITHUB, str_make(text, 512), &key));
    assert_non_null(signature_read_key(PROVIDER_GITHUB, str_make(text, 513), &key));
}

static void
signature_secrets_are_redacted_by_their_number(void **state)
{
    struct buf out = BUF_INIT;
    (void) state;
    signature_write_redacted(&out, PROVIDER_STRIPE, STR(STRIPE_SECRET), 0);
    buf_add_char(&out, ' ');
    signature_write_redacted(&out, PROVIDER_GITHUB, STR(GITHUB_SECRET), 1);
    buf_add_char(&out, ' ');
    signature_write_redacted(&out, PROVIDER_STANDARD, STR(STANDARD_PUBLIC), 2);
    assert_buf_text(&out, "whsec_XXX... XXX...#2 " STANDARD_PUBLIC);
}

/* --- the same work for everybody */

static void
assert_same_work(const struct request *a, const struct request *b, struct str body)
{
    struct signature_work wa, wb;
    (void) check(a, body, &wa);
    (void) check(b, body, &wb);
    assert_memory_equal(&wa, &wb, sizeof(wa));
}

static void
signature_check_does_the_same_work_for_an_unknown_connection(void **state)
{
    (void) state;
    for (size_t i = 0; i < N_VECTORS; i++) {
        struct request wrong = vectors[i], unknown = vectors[i], several = vectors[i];
        wrong.secrets[0] = wrong.provider == PROVIDER_STANDARD ? STANDARD_PUBLIC : "another secret";
        several.secrets[1] = several.secrets[2] = several.secrets[0];
        unknown.secrets[0] = NULL;
        struct str body = str_from(vectors[i].body);
        assert_same_work(&wrong, &unknown, body);
        assert_same_work(&several, &unknown, body);
        assert_same_work(&vectors[i], &unknown, body);
        assert_same_work(&vectors[i], &unknown, STR(""));
    }
}

static void
twilio_check_does_the_same_work_whatever_the_address(void **state)
{
    struct request q = {PROVIDER_TWILIO, {TWILIO_SECRET}, TWILIO_MAC, NULL, NULL, NULL};
    struct signature_work one, other;
    (void) state;
    (void) check_at(&q, STR(TWILIO_BODY), TWILIO_URL, &one);
    (void) check_at(&q, STR(TWILIO_BODY), "http://h", &other);
    assert_memory_equal(&one, &other, sizeof(one));
    (void) check_at(&q, STR(TWILIO_BODY), "https://[::1]:65535/a", &other);
    assert_memory_equal(&one, &other, sizeof(one));
    assert_int_equal(one.hmacs, SIGNATURE_SECRETS_MAX);
    assert_true(one.hmac_bytes >= SIGNATURE_SECRETS_MAX * (TWILIO_URL_MAX_BYTES + 40));
}

static void
signature_check_reads_the_whole_body_in_every_slot(void **state)
{
    struct signature_work work;
    size_t len = 100 * 1000;
    char *body = calloc(1, len);
    (void) state;
    assert_false(check(&vectors[0], str_make(body, len), &work));
    assert_int_equal(work.hmacs, SIGNATURE_SECRETS_MAX);
    assert_int_equal(work.hmac_bytes, SIGNATURE_SECRETS_MAX * len);
    assert_int_equal(work.ed25519s, 0);
    assert_false(check(&vectors[9], str_make(body, len), &work));
    assert_int_equal(work.ed25519s, SIGNATURE_SECRETS_MAX);
    free(body);
}

static void
signature_check_looks_at_few_ed25519_signatures(void **state)
{
    struct signature_work work;
    struct buf header = BUF_INIT;
    struct request q = vectors[9];
    (void) state;
    for (int i = 0; i < SIGNATURE_ED25519_MAX + 3; i++)
        buf_add_cstr(&header, "v1a," STANDARD_V1A " ");
    q.signature = buf_cstr(&header);
    assert_true(check(&q, str_from(q.body), &work));
    assert_int_equal(work.ed25519s, SIGNATURE_ED25519_MAX * SIGNATURE_SECRETS_MAX);
    buf_done(&header);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signature_accepts_every_vector),
        cmocka_unit_test(signature_refuses_every_vector_with_a_changed_body),
        cmocka_unit_test(signature_refuses_every_vector_without_its_secret),
        cmocka_unit_test(signature_accepts_any_of_several_secrets_and_signatures),
        cmocka_unit_test(signature_accepts_any_order_and_spaces),
        cmocka_unit_test(signature_refuses_near_misses),
        cmocka_unit_test(signature_binds_id_and_time_of_standard_webhooks),
        cmocka_unit_test(twilio_signs_the_fields_in_the_order_of_their_names),
        cmocka_unit_test(twilio_signs_the_text_of_its_address),
        cmocka_unit_test(twilio_may_sign_its_address_with_the_port_or_without),
        cmocka_unit_test(twilio_signature_is_one_of_any_secret_and_nothing_near_it),
        cmocka_unit_test(twilio_form_with_too_many_fields_matches_nothing),
        cmocka_unit_test(twilio_addresses_are_those_of_http_in_full),
        cmocka_unit_test(signature_time_may_be_300_seconds_away_both_ways),
        cmocka_unit_test(signature_without_a_readable_time_is_never_timely),
        cmocka_unit_test(signature_keys_of_standard_webhooks_have_24_to_64_bytes),
        cmocka_unit_test(signature_keys_that_cannot_be_are_refused),
        cmocka_unit_test(signature_secrets_are_redacted_by_their_number),
        cmocka_unit_test(signature_check_does_the_same_work_for_an_unknown_connection),
        cmocka_unit_test(twilio_check_does_the_same_work_whatever_the_address),
        cmocka_unit_test(signature_check_reads_the_whole_body_in_every_slot),
        cmocka_unit_test(signature_check_looks_at_few_ed25519_signatures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
