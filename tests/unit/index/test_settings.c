/* Settings: what is sent joins what there is; the record; what is shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "index/settings.h"

static int
apply(struct settings *s, const char *sent, struct err *err)
{
    struct json_doc *doc = json_parse(str_from(sent), NULL);
    int rc = settings_apply(s, json_root(doc), err);

    json_doc_free(doc);
    return rc;
}

static void
change(struct settings *s, const char *sent)
{
    struct err err = ERR_INIT;

    if (apply(s, sent, &err) < 0)
        fail_msg("%s: %s", sent, err.message);
}

static void
assert_value(const struct settings *s, enum setting which, const char *expected)
{
    struct buf shown = BUF_INIT;

    settings_write_one(&shown, s, which);
    assert_string_equal(buf_cstr(&shown), expected);
    buf_done(&shown);
}

static void
settings_are_the_defaults_at_first(void **state)
{
    static const char expected[] =
        "{\"displayedAttributes\":[\"*\"],\"searchableAttributes\":[\"*\"],"
        "\"filterableAttributes\":[],\"sortableAttributes\":[],\"rankingRules\":[\"words\",\"typo\""
        ",\"proximity\",\"attributeRank\",\"sort\",\"wordPosition\",\"exactness\"],\"stopWords\":[]"
        ",\"nonSeparatorTokens\":[],\"separatorTokens\":[],\"dictionary\":[],\"synonyms\":{},"
        "\"distinctAttribute\":null,\"proximityPrecision\":\"byWord\",\"typoTolerance\":{"
        "\"enabled\":true,\"minWordSizeForTypos\":{\"oneTypo\":5,\"twoTypos\":9},"
        "\"disableOnWords\":[],\"disableOnAttributes\":[],\"disableOnNumbers\":false},\"faceting\":"
        "{\"maxValuesPerFacet\":100,\"sortFacetValuesBy\":{\"*\":\"alpha\"}},\"pagination\":{"
        "\"maxTotalHits\":1000},\"embedders\":{},\"searchCutoffMs\":null,\"localizedAttributes\":"
        "null,\"facetSearch\":true,\"prefixSearch\":\"indexingTime\"}";
    struct settings s;
    struct buf shown = BUF_INIT;

    (void) state;
    settings_init(&s);
    settings_write_json(&shown, &s, 1u << SETTING_FOREIGN_KEYS | 1u << SETTING_CHAT);
    assert_string_equal(buf_cstr(&shown), expected);
    buf_done(&shown);
    settings_done(&s);
}

/* Changes one after the other and the value afterwards. */
static void
settings_join_what_there_was(void **state)
{
    static const struct {
        enum setting which;
        const char *first, *then, *expected;
    } rows[] = {
        {SETTING_SORTABLE_ATTRIBUTES, "{\"sortableAttributes\":[\"a\"]}",
         "{\"sortableAttributes\":[\"b\"]}", "[\"b\"]"},
        {SETTING_SORTABLE_ATTRIBUTES, "{\"sortableAttributes\":[\"a\"]}",
         "{\"sortableAttributes\":null}", "[]"},
        {SETTING_SORTABLE_ATTRIBUTES, "{\"sortableAttributes\":[\"a\"]}", "{}", "[\"a\"]"},
        {SETTING_DISPLAYED_ATTRIBUTES, "{\"displayedAttributes\":[\"b\",\"a\",\"b\"]}", "{}",
         "[\"b\",\"a\"]"},
        {SETTING_DISPLAYED_ATTRIBUTES, "{\"displayedAttributes\":[\"b\"]}",
         "{\"displayedAttributes\":[\"a\",\"*\"]}", "[\"*\"]"},
        {SETTING_DISPLAYED_ATTRIBUTES, "{\"displayedAttributes\":[]}", "{}", "[]"},
        {SETTING_DISTINCT_ATTRIBUTE, "{\"distinctAttribute\":\"sku\"}", "{}", "\"sku\""},
        {SETTING_TYPO_TOLERANCE, "{\"typoTolerance\":{\"enabled\":false}}",
         "{\"typoTolerance\":{\"minWordSizeForTypos\":{\"twoTypos\":7},\"disableOnWords\":[\"x\"]}"
         "}",
         "{\"enabled\":false,\"minWordSizeForTypos\":{\"oneTypo\":5,\"twoTypos\":7},"
         "\"disableOnWords\":[\"x\"],\"disableOnAttributes\":[],\"disableOnNumbers\":false}"},
        {SETTING_TYPO_TOLERANCE,
         "{\"typoTolerance\":{\"enabled\":false,\"minWordSizeForTypos\":{\"oneTypo\":1}}}",
         "{\"typoTolerance\":{\"enabled\":null,\"minWordSizeForTypos\":null}}",
         "{\"enabled\":true,\"minWordSizeForTypos\":{\"oneTypo\":5,\"twoTypos\":9},"
         "\"disableOnWords\":[],\"disableOnAttributes\":[],\"disableOnNumbers\":false}"},
        {SETTING_FACETING, "{\"faceting\":{\"sortFacetValuesBy\":{\"genre\":\"count\"}}}",
         "{\"faceting\":{\"maxValuesPerFacet\":7}}",
         "{\"maxValuesPerFacet\":7,\"sortFacetValuesBy\":{\"*\":\"alpha\",\"genre\":\"count\"}}"},
        {SETTING_FACETING, "{\"faceting\":{\"sortFacetValuesBy\":{\"*\":\"count\"}}}",
         "{\"faceting\":{\"sortFacetValuesBy\":null}}",
         "{\"maxValuesPerFacet\":100,\"sortFacetValuesBy\":{\"*\":\"alpha\"}}"},
        {SETTING_PAGINATION, "{\"pagination\":{\"maxTotalHits\":5}}", "{\"pagination\":{}}",
         "{\"maxTotalHits\":5}"},
        {SETTING_LOCALIZED_ATTRIBUTES,
         "{\"localizedAttributes\":[{\"attributePatterns\":[\"*\"],\"locales\":[\"en\",\"jpn\"]}]}",
         "{}", "[{\"attributePatterns\":[\"*\"],\"locales\":[\"eng\",\"jpn\"]}]"},
        {SETTING_EMBEDDERS, "{\"embedders\":{\"b\":{\"source\":\"rest\",\"url\":\"u\"}}}",
         "{\"embedders\":{\"b\":{\"url\":null,\"dimensions\":3},\"a\":{\"source\":\"ollama\"}}}",
         "{\"a\":{\"source\":\"ollama\"},\"b\":{\"source\":\"rest\",\"dimensions\":3}}"},
        {SETTING_EMBEDDERS, "{\"embedders\":{\"b\":{\"source\":\"rest\"}}}",
         "{\"embedders\":{\"b\":null}}", "{}"},
        {SETTING_EMBEDDERS,
         "{\"embedders\":{\"b\":{\"apiKey\":\"123456789012345678901234567890\"}}}", "{}",
         "{\"b\":{\"apiKey\":\"12345XXXXXX...\"}}"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct settings s;
        settings_init(&s);
        change(&s, rows[i].first);
        change(&s, rows[i].then);
        assert_value(&s, rows[i].which, rows[i].expected);
        settings_done(&s);
    }
}

static void
settings_refuse_word_sizes_that_do_not_fit_those_there(void **state)
{
    struct settings s;
    struct err err = ERR_INIT;

    (void) state;
    settings_init(&s);
    assert_int_equal(
        apply(&s, "{\"typoTolerance\":{\"minWordSizeForTypos\":{\"oneTypo\":10}}}", &err), -1);
    assert_int_equal(err.code, ERR_INVALID_SETTINGS_TYPO_TOLERANCE);
    assert_string_equal(err.message,
                        "`minWordSizeForTypos` setting is invalid. `oneTypo` and `twoTypos` fields "
                        "should be between `0` and `255`, and `twoTypos` should be greater or "
                        "equals to `oneTypo` but found `oneTypo: 10` and twoTypos: 9`.");
    err_done(&err);
    settings_done(&s);
}

static void
settings_record_keeps_what_was_set(void **state)
{
    struct settings s, again;
    struct buf record = BUF_INIT;

    (void) state;
    settings_init(&s);
    change(&s, "{\"stopWords\":[\"the\"],\"facetSearch\":false}");
    settings_encode(&record, &s);
    assert_int_equal(settings_decode(&again, buf_str(&record)), 0);
    assert_value(&again, SETTING_STOP_WORDS, "[\"the\"]");
    assert_value(&again, SETTING_FACET_SEARCH, "false");
    assert_value(&again, SETTING_PREFIX_SEARCH, "\"indexingTime\"");
    settings_done(&again);
    for (size_t cut = 0; cut < record.len; cut++)
        assert_true(settings_decode(&again, str_slice(buf_str(&record), 0, cut)) < 0);
    buf_done(&record);
    settings_done(&s);
}

static void
settings_details_show_what_was_sent(void **state)
{
    struct json_doc *doc = json_parse(
        STR("{\"displayedAttributes\":null,\"stopWords\":null,\"embedders\":{\"a\":{\"apiKey\":"
            "\"MyToken\",\"searchEmbedder\":{\"apiKey\":\"0123456789abc\"}},\"b\":null}}"),
        NULL);
    struct buf shown = BUF_INIT;

    (void) state;
    settings_write_details(&shown, json_root(doc));
    assert_string_equal(buf_cstr(&shown),
                        "{\"displayedAttributes\":[\"*\"],\"stopWords\":null,\"embedders\":{\"a\":{"
                        "\"apiKey\":\"XXX...\",\"searchEmbedder\":{\"apiKey\":\"01XXXX...\"}},"
                        "\"b\":null}}");
    buf_done(&shown);
    json_doc_free(doc);
}

static void
settings_are_found_by_name_and_by_route(void **state)
{
    (void) state;
    for (int i = 0; i < SETTING_COUNT; i++) {
        assert_int_equal(setting_find(str_from(setting_rows[i].name)), i);
        assert_int_equal(setting_find_sub_route(str_from(setting_rows[i].sub_route)), i);
    }
    assert_int_equal(setting_find(STR("")), SETTING_COUNT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_the_defaults_at_first),
        cmocka_unit_test(settings_join_what_there_was),
        cmocka_unit_test(settings_refuse_word_sizes_that_do_not_fit_those_there),
        cmocka_unit_test(settings_record_keeps_what_was_set),
        cmocka_unit_test(settings_details_show_what_was_sent),
        cmocka_unit_test(settings_are_found_by_name_and_by_route),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
