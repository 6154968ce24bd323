/* One key: derivation against vectors made with Python's hmac, its record, its patterns. */
#include "../support.h"
#include "auth/key.h"

static const struct {
    const char *master, *uid, *value;
} vectors[] = {
    /* the first is the contract's */
    {"MASTER_KEY", "00000000-0000-0000-0000-000000000000",
     "aeb94973e0b6e912d94165430bbe87dee91a7c4f891ce19050c3910ec96977e9"},
    {"MASTER_KEY", "00000000-0000-0000-0000-000000000001",
     "0ede25633c96645af21062087619bcb0db33a5c3434edb055e543dee3c0a2a1b"},
    {"a-master-key-of-enough-bytes", "550E8400-e29b-41d4-a716-446655440000",
     "5837a94fa693bc853168f9dc35485059d747a35580d0444c859d93f3d2fbdf19"},
    {"\xc3\xa9\xf0\x9f\x8d\xb0 with spaces", "ffffffff-ffff-4fff-bfff-ffffffffffff",
     "ba5764936cfd0420b237d997db2f8234beef5c614dde6f8a3a2d5a69f2f7713c"},
};

static struct uuid
uid_of(const char *text)
{
    struct uuid uid;
    assert_true(uuid_parse(str_from(text), &uid, NULL));
    return uid;
}

static void
the_value_is_derived_from_uid_and_master_key(void **state)
{
    (void) state;
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        struct buf value = BUF_INIT;
        struct uuid uid = uid_of(vectors[i].uid);
        key_write_value(&value, str_from(vectors[i].master), &uid);
        assert_buf_text(&value, vectors[i].value);
    }
}

static void
a_value_and_its_key_have_one_digest(void **state)
{
    (void) state;
    uint8_t list[] = {ACTION_SEARCH}, digest[SHA256_BYTES], upper[SHA256_BYTES];
    struct key_facts facts = {.uid = uid_of(vectors[0].uid), .actions = list, .n_actions = 1};
    struct buf record = BUF_INIT;
    key_encode(&record, &facts);
    struct api_key *key = key_decode(STR("MASTER_KEY"), buf_str(&record));
    assert_non_null(key);
    assert_true(key_digest_of_value(str_from(vectors[0].value), digest));
    assert_memory_equal(key->digest, digest, sizeof(digest));
    assert_true(key_digest_of_value(
        STR("AEB94973E0B6E912D94165430BBE87DEE91A7C4F891CE19050C3910EC96977E9"), upper));
    assert_memory_equal(upper, digest, sizeof(digest));
    key_free(key);
    buf_done(&record);
}

static void
what_is_no_hexadecimal_of_that_length_is_no_value(void **state)
{
    (void) state;
    uint8_t digest[SHA256_BYTES];
    char text[KEY_VALUE_LEN + 2];
    memset(text, 'a', sizeof(text));
    assert_true(key_digest_of_value(str_make(text, KEY_VALUE_LEN), digest));
    assert_false(key_digest_of_value(str_make(text, KEY_VALUE_LEN - 1), digest));
    assert_false(key_digest_of_value(str_make(text, KEY_VALUE_LEN + 1), digest));
    assert_false(key_digest_of_value(STR_NULL, digest));
    text[KEY_VALUE_LEN - 1] = 'g';
    assert_false(key_digest_of_value(str_make(text, KEY_VALUE_LEN), digest));
}

static void
make_record(struct buf *record)
{
    static const uint8_t actions[] = {ACTION_DOCUMENTS_ALL, ACTION_VERSION, ACTION_DOCUMENTS_ALL};
    static const struct str indexes[] = {{"dog*", 4}, {"cat", 3}};
    struct key_facts facts = {.uid = uid_of(vectors[2].uid),
                              .name = STR("a\0b"),
                              .description = STR(""),
                              .actions = actions,
                              .n_actions = COUNT_OF(actions),
                              .indexes = indexes,
                              .n_indexes = COUNT_OF(indexes),
                              .expires_at = STR("2099-01-01T00:00:00+02:00"),
                              .expires_at_ns = 3,
                              .created_at_ns = 1,
                              .updated_at_ns = 2};
    key_encode(record, &facts);
}

static void
a_record_keeps_every_fact(void **state)
{
    (void) state;
    struct buf record = BUF_INIT;
    make_record(&record);
    struct api_key *key = key_decode(STR("m"), buf_str(&record));
    assert_non_null(key);
    const struct key_facts *f = &key->facts;
    struct uuid uid = uid_of(vectors[2].uid);
    assert_true(uuid_equal(&f->uid, &uid));
    assert_true(str_equal(f->name, STR("a\0b")));
    assert_true(f->description.data != NULL && f->description.len == 0);
    assert_int_equal(f->n_actions, 3);
    assert_int_equal(f->actions[1], ACTION_VERSION);
    assert_int_equal(f->actions[2], ACTION_DOCUMENTS_ALL);
    assert_int_equal(f->n_indexes, 2);
    assert_text(f->indexes[0], "dog*");
    assert_text(f->expires_at, "2099-01-01T00:00:00+02:00");
    assert_true(f->expires_at_ns == 3 && f->created_at_ns == 1 && f->updated_at_ns == 2);
    assert_true(key->granted ==
                (action_grants(ACTION_DOCUMENTS_ALL) | action_grants(ACTION_VERSION)));
    assert_false(key->covers_all_indexes);
    key_free(key);
    buf_done(&record);
}

static void
a_cut_or_foreign_record_is_not_understood(void **state)
{
    (void) state;
    struct buf record = BUF_INIT;
    make_record(&record);
    for (size_t len = 0; len < record.len; len++) {
        char *copy = malloc(len + 1); /* so that reading behind its end is seen */
        assert_non_null(copy);
        memcpy(copy, record.data, len);
        assert_null(key_decode(STR("m"), str_make(copy, len)));
        free(copy);
    }
    record.data[0]++; /* the version */
    assert_null(key_decode(STR("m"), buf_str(&record)));
    buf_done(&record);
}

static void
an_unknown_action_in_a_record_is_not_understood(void **state)
{
    (void) state;
    struct buf record = BUF_INIT;
    make_record(&record);
    char *at = memmem(record.data, record.len, "version", 7);
    assert_non_null(at);
    at[0] = 'V';
    assert_null(key_decode(STR("m"), buf_str(&record)));
    buf_done(&record);
}

static const struct {
    const char *pattern, *matching, *others;
} patterns[] = {
    {"*", "a movies _", ""},
    {"movies", "movies", "movie moviesx Movies m"},
    {"movies*", "movies movies1 movies_x", "movie mov x"},
    {"a*", "a ab a*", "b ba"},
    {"", "", "a"},
};

static void
patterns_match_exactly_or_by_their_beginning(void **state)
{
    (void) state;
    for (size_t i = 0; i < COUNT_OF(patterns); i++) {
        struct str pattern = str_from(patterns[i].pattern), piece;
        struct str matching = str_from(patterns[i].matching), others = str_from(patterns[i].others);
        while (matching.len > 0 && str_split(&matching, ' ', &piece))
            assert_true(pattern_matches(pattern, piece));
        while (others.len > 0 && str_split(&others, ' ', &piece))
            assert_false(pattern_matches(pattern, piece));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_value_is_derived_from_uid_and_master_key),
        cmocka_unit_test(a_value_and_its_key_have_one_digest),
        cmocka_unit_test(what_is_no_hexadecimal_of_that_length_is_no_value),
        cmocka_unit_test(a_record_keeps_every_fact),
        cmocka_unit_test(a_cut_or_foreign_record_is_not_understood),
        cmocka_unit_test(an_unknown_action_in_a_record_is_not_understood),
        cmocka_unit_test(patterns_match_exactly_or_by_their_beginning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
