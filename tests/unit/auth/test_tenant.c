/* Tenant tokens: made by Python (vectors) and here, in every way they can be wrong. */
#include "fixture.h"

#define INVALID "The provided API key is invalid."
#define KEY_1 "00000000-0000-0000-0000-000000000001"
#define HS256 "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define RULES "\"searchRules\":[\"*\"]"
#define UID "\"apiKeyUid\":\"" KEY_1 "\""

/* Signed by Python's hmac with the value of key 1 under MASTER_KEY; claims: {"searchRules":{"dog*":
 * {"filter":"age > 3"},"cat":null},"apiKeyUid":"…01","exp":1700000100} */
#define CLAIMS_OF_PYTHON                                                                           \
    "eyJzZWFyY2hSdWxlcyI6eyJkb2cqIjp7ImZpbHRlciI6ImFnZSA-IDMifSwiY2F0IjpudWxsfSwiYXBpS2V5VWlkIjoi" \
    "MDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAxIiwiZXhwIjoxNzAwMDAwMTAwfQ"
static const char *const tokens_of_python[] = {
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9." CLAIMS_OF_PYTHON
    "._Kzz3iFo3MYVLcv8iYqU1Z29vb2wIz75aBnk0Og_SGQ",
    "eyJhbGciOiJIUzM4NCIsInR5cCI6IkpXVCJ9." CLAIMS_OF_PYTHON
    ".EKpyaSwRvPWOZtNjIVb-vOixQiKWj7SU_yG_hk_ZfjPrFCLBPeS51BxKybK-lDJr",
    "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9." CLAIMS_OF_PYTHON
    ".AXrFcKTA_uFOsW5oalqh01a5oRoRLk_SxNHdp-vqMDVgq41-sBxp0mFc2RyzkFxIRx-l3x-4H0hwsivJu3s8rg",
};

static void
encode(struct buf *out, struct str data)
{
    struct buf text = BUF_INIT;
    base64_encode(&text, data);
    for (size_t i = 0; i < text.len && text.data[i] != '='; i++) {
        char c = text.data[i];
        buf_add_char(out, c == '+' ? '-' : c == '/' ? '_' : c);
    }
    buf_done(&text);
}

/* Signed with the value of key n. */
static const char *
sign(struct fixture *f, uint8_t n, const char *header, const char *claims)
{
    uint8_t digest[SHA256_BYTES];
    struct buf token = BUF_INIT;
    encode(&token, str_from(header));
    buf_add_char(&token, '.');
    encode(&token, str_from(claims));
    digest_hmac_sha256(str_from(fixture_value(f, n)), buf_str(&token), digest);
    buf_add_char(&token, '.');
    encode(&token, str_make(digest, sizeof(digest)));
    const char *copy = arena_strndup(f->arena, token.data, token.len);
    buf_done(&token);
    return copy;
}

/* With key 1: may search in every index. */
static struct fixture *
prepare(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    assert_int_equal(fixture_create(f, 1, "search", "*", 0), 0);
    assert_int_equal(fixture_commit(f), 0);
    return f;
}

static void
tokens_made_by_python_are_accepted(void **state)
{
    struct fixture *f = prepare(state);
    for (size_t i = 0; i < COUNT_OF(tokens_of_python); i++) {
        struct auth_grant grant;
        assert_granted(f, fixture_decide(f, tokens_of_python[i], "search", "dogs", &grant));
        assert_granted(f, fixture_decide(f, tokens_of_python[i], "search", NULL, &grant));
        assert_true(grant.is_tenant);
        assert_int_equal(grant.n_rules, 2);
        assert_text(auth_grant_filter(&grant, STR("dogs")), "\"age > 3\"");
        assert_null(auth_grant_filter(&grant, STR("cat")).data);
        assert_true(auth_grant_sees(&grant, STR("cat")));
        assert_false(auth_grant_sees(&grant, STR("bird")));
        assert_false(grant.sees_all_indexes);
        assert_false(grant.may_create_indexes);
    }
}

static void
one_changed_character_makes_a_token_invalid(void **state)
{
    struct fixture *f = prepare(state);
    struct auth_grant grant;
    size_t len = strlen(tokens_of_python[0]);
    for (size_t i = 0; i < len; i++) {
        char *token = arena_strndup(f->arena, tokens_of_python[0], len);
        token[i] = token[i] == 'A' ? 'B' : 'A';
        assert_int_equal(fixture_decide(f, token, "search", "dogs", &grant), -1);
        assert_int_equal(f->err.code, ERR_INVALID_API_KEY);
    }
}

static void
a_token_opens_search_and_chat_only(void **state)
{
    struct fixture *f = *state;
    struct auth_grant grant;
    fixture_open(f);
    assert_int_equal(fixture_create(f, 1, "*", "*", 0), 0);
    assert_int_equal(fixture_commit(f), 0);
    const char *token = sign(f, 1, HS256, "{" RULES "," UID "}");
    for (size_t i = 0; i < ACTION_COUNT; i++) {
        bool is_fine = i == ACTION_SEARCH || i == ACTION_CHAT_COMPLETIONS;
        int rc = fixture_decide(f, token, action_name((enum auth_action) i), NULL, &grant);
        if (is_fine)
            assert_granted(f, rc);
        else
            assert_refused(f, rc, INVALID);
    }
}

/* --- rules */

static void
the_narrowest_rule_of_an_index_counts(void **state)
{
    struct fixture *f = prepare(state);
    struct auth_grant grant;
    const char *token =
        sign(f, 1, HS256,
             "{\"searchRules\":{\"*\":{\"filter\":\"all\"},\"dog*\":{\"filter\":[\"a\",[\"b\"]]},"
             "\"dog\":{},\"do*\":{\"filter\":\"do\"},\"dogs\":{\"filter\":null,\"x\":1}}," UID "}");
    assert_granted(f, fixture_decide(f, token, "search", "any", &grant));
    assert_true(grant.sees_all_indexes);
    assert_text(auth_grant_filter(&grant, STR("any")), "\"all\"");
    assert_text(auth_grant_filter(&grant, STR("doggo")), "[\"a\",[\"b\"]]");
    assert_text(auth_grant_filter(&grant, STR("done")), "\"do\"");
    assert_null(auth_grant_filter(&grant, STR("dog")).data);
    assert_null(auth_grant_filter(&grant, STR("dogs")).data);
    struct auth_grant kept = auth_grant_keep(f->arena, &grant);
    assert_text(auth_grant_filter(&kept, STR("doggo")), "[\"a\",[\"b\"]]");
    assert_null(auth_grant_filter(&kept, STR("dog")).data);
}

static void
token_and_key_must_both_cover_the_index(void **state)
{
    struct fixture *f = *state;
    struct auth_grant grant;
    fixture_open(f);
    assert_int_equal(fixture_create(f, 1, "search", "dog* cat", 0), 0);
    assert_int_equal(fixture_commit(f), 0);
    const char *token =
        sign(f, 1, HS256, "{\"searchRules\":[\"doggo\",\"catto\",\"catto\",\"b\\\"\"]," UID "}");
    assert_granted(f, fixture_decide(f, token, "search", "doggo", &grant));
    assert_true(auth_grant_sees(&grant, STR("doggo")));
    assert_false(auth_grant_sees(&grant, STR("catto")));
    assert_false(auth_grant_sees(&grant, STR("dogs")));
    assert_refused(f, fixture_decide(f, token, "search", "dog", &grant),
                   "The provided tenant token cannot acces the index `dog`, allowed indexes are "
                   "[\"b\\\"\", \"catto\", \"doggo\"].");
    assert_refused(
        f, fixture_decide(f, token, "search", "catto", &grant),
        "The API key used to generate this tenant token cannot acces the index `catto`.");
}

static void
a_token_is_worth_what_its_key_is(void **state)
{
    struct fixture *f = *state;
    struct auth_grant grant;
    fixture_open(f);
    assert_int_equal(fixture_create(f, 1, "documents.get", "*", 0), 0);
    assert_int_equal(fixture_create(f, 2, "search", "*", NOW_NS + 10), 0);
    assert_int_equal(fixture_commit(f), 0);
    const char *of_1 = sign(f, 1, HS256, "{" RULES "," UID "}");
    const char *of_2 =
        sign(f, 2, HS256, "{" RULES ",\"apiKeyUid\":\"00000000-0000-0000-0000-000000000002\"}");
    const char *of_3 =
        sign(f, 3, HS256, "{" RULES ",\"apiKeyUid\":\"00000000-0000-0000-0000-000000000003\"}");
    assert_refused(f, fixture_decide(f, of_1, "search", "dog", &grant), INVALID);
    assert_granted(f, fixture_decide(f, of_2, "search", "dog", &grant));
    assert_refused(f, fixture_decide(f, of_3, "search", "dog", &grant), INVALID);
    fixture_set_clock(NOW_NS + 10);
    assert_refused(f, fixture_decide(f, of_2, "search", "dog", &grant), INVALID);
}

/* --- the end */

static void
a_token_ends_behind_its_last_second(void **state)
{
    struct fixture *f = prepare(state);
    struct auth_grant grant;
    const char *token = tokens_of_python[0]; /* exp 1700000100 */
    fixture_set_clock(NOW_NS + INT64_C(100999999999));
    assert_granted(f, fixture_decide(f, token, "search", "dogs", &grant));
    fixture_set_clock(NOW_NS + INT64_C(101000000000));
    assert_refused(f, fixture_decide(f, token, "search", "dogs", &grant),
                   "Tenant token expired. Was valid up to `1700000100` and we're now "
                   "`1700000101`.");
}

static void
a_token_without_an_end_does_not_end(void **state)
{
    struct fixture *f = prepare(state);
    struct auth_grant grant;
    fixture_set_clock(INT64_MAX);
    assert_granted(
        f, fixture_decide(f, sign(f, 1, HS256, "{" RULES "," UID "}"), "search", "dog", &grant));
    assert_granted(f, fixture_decide(f, sign(f, 1, HS256, "{" RULES ",\"exp\":null," UID "}"),
                                     "search", "dog", &grant));
}

/* --- what is no token, or a wrong one */

#define JSON(why) "Could not decode tenant token, JSON error: " why "."
static const struct {
    const char *header, *claims, *message;
} wrong[] = {
    /* the first two are upstream's own tests */
    {HS256, "{\"tamo\":\"kefir\"}", JSON("missing field `searchRules` at line 1 column 16")},
    {HS256, "{\"searchRules\":\"kefir\"}",
     JSON("data did not match any variant of untagged enum SearchRules at line 1 column 23")},
    {HS256, "{" RULES "}", JSON("missing field `apiKeyUid` at line 1 column 21")},
    {HS256, "{\n" RULES "\n}\n", JSON("missing field `apiKeyUid` at line 3 column 1")},
    {HS256, "{" UID ",\"searchRules\":[1]}",
     JSON("data did not match any variant of untagged enum SearchRules at line 1 column 70")},
    {HS256, "{\"searchRules\":{\"a\":1}}",
     JSON("data did not match any variant of untagged enum SearchRules at line 1 column 23")},
    {HS256, "{" RULES ",\"apiKeyUid\":\"doggo\"}",
     JSON("UUID parsing failed: invalid character: found `o` at 1 at line 1 column 41")},
    {HS256, "{" RULES ",\"apiKeyUid\":5}",
     JSON("invalid type: integer `5`, expected a formatted UUID string at line 1 column 35")},
    {HS256, "{" RULES "," UID ",\"exp\":\"x\"}",
     JSON("invalid type: string \"x\", expected i64 at line 1 column 82")},
    {HS256, "{" RULES "," UID ",\"exp\":1.5}",
     JSON("invalid type: floating point `1.5`, expected i64 at line 1 column 82")},
    {HS256, "{" RULES "," UID ",\"exp\":true}",
     JSON("invalid type: boolean `true`, expected i64 at line 1 column 83")},
    {HS256, "[]", JSON("invalid type: sequence, expected struct Claims at line 1 column 2")},
    {HS256, "{", JSON("EOF while parsing an object at line 1 column 1")},
    {HS256, "", JSON("EOF while parsing a value at line 1 column 0")},
    {"{}", "{}", JSON("missing field `alg` at line 1 column 2")},
    {"7", "{}", JSON("invalid type: integer `7`, expected struct Header at line 1 column 1")},
    {"{\"alg\":{}}", "{}", JSON("invalid type: map, expected string or map at line 1 column 10")},
    {"{\"alg\":\"none\"}", "{" RULES "," UID "}",
     JSON("unknown variant `none`, expected one of `HS256`, `HS384`, `HS512`, `ES256`, `ES384`, "
          "`RS256`, `RS384`, `RS512`, `PS256`, `PS384`, `PS512`, `EdDSA` at line 1 column 14")},
    {"{\"alg\":\"RS256\"}", "{" RULES "," UID "}",
     "Could not decode tenant token, InvalidAlgorithm."},
    {"{\"alg\":\"HS384\"}", "{" RULES "," UID "}", /* signed for HS256 */
     "Could not decode tenant token, InvalidSignature."},
    {HS256, "{" RULES "," UID ",\"aud\":\"me\"}",
     "Could not decode tenant token, InvalidAudience."},
    {HS256, "{" RULES "," UID ",\"aud\":[\"me\"]}",
     "Could not decode tenant token, InvalidAudience."},
    {HS256, "{" RULES ",\"apiKeyUid\":\"00000000-0000-0000-0000-000000000009\"}",
     "Could not decode tenant token, InvalidSignature."},
};

static void
wrong_tokens_are_refused_with_the_reason(void **state)
{
    struct fixture *f = prepare(state);
    struct auth_grant grant;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        const char *token = sign(f, 1, wrong[i].header, wrong[i].claims);
        assert_refused(f, fixture_decide(f, token, "search", "dog", &grant), wrong[i].message);
    }
}

static const struct {
    const char *token, *message;
} misshaped[] = {
    {"", INVALID},
    {"doggo", INVALID},
    {"a.b", INVALID},
    {"..", JSON("EOF while parsing a value at line 1 column 0")},
    {"!.e30.e30", "Could not decode tenant token, Base64 error: Invalid symbol 33, offset 0.."},
    {"e30!.e30.e30", "Could not decode tenant token, Base64 error: Invalid symbol 33, offset 3.."},
    {"e30e3.e30.e30", "Could not decode tenant token, Base64 error: Invalid input length: 5."},
    {"e30=.e30.e30", "Could not decode tenant token, Base64 error: Invalid padding."},
    {"e31.e30.e30",
     "Could not decode tenant token, Base64 error: Invalid last symbol 49, offset 2.."},
    {"e30.e30.e30.e30", "Could not decode tenant token, Base64 error: Invalid symbol 46, offset "
                        "3.."},
};

static void
misshaped_tokens_are_refused(void **state)
{
    struct fixture *f = prepare(state);
    struct auth_grant grant;
    for (size_t i = 0; i < COUNT_OF(misshaped); i++)
        assert_refused(f, fixture_decide(f, misshaped[i].token, "search", "dog", &grant),
                       misshaped[i].message);
}

static void
a_key_and_the_master_key_search_as_well(void **state)
{
    struct fixture *f = prepare(state);
    struct auth_grant grant;
    assert_granted(f, fixture_decide(f, fixture_value(f, 1), "search", "dog", &grant));
    assert_false(grant.is_tenant);
    assert_granted(f, fixture_decide(f, MASTER, "search", "dog", &grant));
    assert_false(grant.is_tenant);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tokens_made_by_python_are_accepted),
        TEST(one_changed_character_makes_a_token_invalid),
        TEST(a_token_opens_search_and_chat_only),
        TEST(the_narrowest_rule_of_an_index_counts),
        TEST(token_and_key_must_both_cover_the_index),
        TEST(a_token_is_worth_what_its_key_is),
        TEST(a_token_ends_behind_its_last_second),
        TEST(a_token_without_an_end_does_not_end),
        TEST(wrong_tokens_are_refused_with_the_reason),
        TEST(misshaped_tokens_are_refused),
        TEST(a_key_and_the_master_key_search_as_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
