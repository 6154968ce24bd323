/* What may be sent as a setting, in which form it is kept, and upstream's words for the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "api/settings_read.h"

/* Reads body as PATCH /settings, or as the route of name: what is kept, or the message. */
static void
assert_read(const char *name, const char *body, const char *expected, enum err_code code)
{
    struct arena *arena = arena_new();
    struct json_doc *doc = json_parse(str_from(body), NULL);
    struct buf out = BUF_INIT;
    struct err err = ERR_INIT;
    int rc = name == NULL ? settings_read_all(arena, json_root(doc), &out, &err)
                          : settings_read_one(arena, setting_find(str_from(name)), json_root(doc),
                                              &out, &err);
    if (strcmp(rc < 0 ? err.message : buf_cstr(&out), expected) != 0 || err.code != code)
        fail_msg("%s gives %s %s\nexpected %s %s", body, err_is_set(&err) ? err_name(err.code) : "",
                 rc < 0 ? err.message : buf_cstr(&out), code == ERR_NONE ? "" : err_name(code),
                 expected);
    buf_done(&out);
    err_done(&err);
    json_doc_free(doc);
    arena_free(arena);
}

struct row {
    const char *body, *expected;
};

static void
settings_are_kept_in_one_form(void **state)
{
    static const struct row rows[] = {
        {"{}", "{}"},
        {"{\"stopWords\":null,\"displayedAttributes\":[\"b\",\"a\"]}",
         "{\"displayedAttributes\":[\"b\",\"a\"],\"stopWords\":null}"},
        {"{\"sortableAttributes\":[\"b\",\"a\",\"b\"]}", "{\"sortableAttributes\":[\"a\",\"b\"]}"},
        {"{\"synonyms\":{\"b\":[\"2\",\"1\"],\"a\":[]}}",
         "{\"synonyms\":{\"a\":[],\"b\":[\"2\",\"1\"]}}"},
        {"{\"filterableAttributes\":[\"a\",{\"attributePatterns\":[\"b*\"]},{\"features\":{"
         "\"facetSearch\":true,\"filter\":{\"comparison\":true}},\"attributePatterns\":[]}]}",
         "{\"filterableAttributes\":[\"a\",{\"attributePatterns\":[\"b*\"],\"features\":{"
         "\"facetSearch\":false,\"filter\":{\"equality\":true,\"comparison\":false}}},{"
         "\"attributePatterns\":[],\"features\":{\"facetSearch\":true,\"filter\":{\"equality\":"
         "true,"
         "\"comparison\":true}}}]}"},
        {"{\"typoTolerance\":{\"disableOnWords\":[\"b\",\"a\"],\"enabled\":null}}",
         "{\"typoTolerance\":{\"enabled\":null,\"disableOnWords\":[\"a\",\"b\"]}}"},
        {"{\"rankingRules\":[\"words\",\"a:asc\",\"b:c:desc\"]}",
         "{\"rankingRules\":[\"words\",\"a:asc\",\"b:c:desc\"]}"},
        {"{\"localizedAttributes\":[{\"locales\":[\"en\"],\"attributePatterns\":[\"*\"]}]}",
         "{\"localizedAttributes\":[{\"attributePatterns\":[\"*\"],\"locales\":[\"en\"]}]}"},
        {"{\"embedders\":{\"b\":null,\"a\":{\"url\":null,\"source\":\"rest\"}}}",
         "{\"embedders\":{\"a\":{\"source\":\"rest\",\"url\":null},\"b\":null}}"},
        {"{\"faceting\":{\"sortFacetValuesBy\":{\"b\":\"count\",\"*\":\"alpha\"}},\"pagination\":{"
         "\"maxTotalHits\":5},\"searchCutoffMs\":7,\"facetSearch\":false,\"prefixSearch\":"
         "\"disabled\",\"proximityPrecision\":\"byAttribute\",\"distinctAttribute\":\"a\"}",
         "{\"distinctAttribute\":\"a\",\"proximityPrecision\":\"byAttribute\",\"faceting\":{"
         "\"sortFacetValuesBy\":{\"*\":\"alpha\",\"b\":\"count\"}},\"pagination\":{"
         "\"maxTotalHits\":"
         "5},\"searchCutoffMs\":7,\"facetSearch\":false,\"prefixSearch\":\"disabled\"}"},
    };
    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_read(NULL, rows[i].body, rows[i].expected, ERR_NONE);
}

static void
every_setting_complains_of_its_type(void **state)
{
    static const struct {
        const char *name, *kind;
    } rows[] = {
        {"displayedAttributes", "an array"},
        {"searchableAttributes", "an array"},
        {"filterableAttributes", "an array"},
        {"sortableAttributes", "an array"},
        {"foreignKeys", "an array"},
        {"rankingRules", "an array"},
        {"stopWords", "an array"},
        {"nonSeparatorTokens", "an array"},
        {"separatorTokens", "an array"},
        {"dictionary", "an array"},
        {"synonyms", "an object"},
        {"typoTolerance", "an object"},
        {"faceting", "an object"},
        {"pagination", "an object"},
        {"embedders", "an object"},
        {"searchCutoffMs", "a positive integer"},
        {"localizedAttributes", "an array"},
        {"facetSearch", "a boolean"},
        {"chat", "an object"},
    };
    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum err_code code = setting_rows[setting_find(str_from(rows[i].name))].code;
        struct buf body = BUF_INIT, message = BUF_INIT;
        buf_addf(&message, "Invalid value type: expected %s, but found a string: `\"doggo\"`",
                 rows[i].kind);
        assert_read(rows[i].name, "\"doggo\"", buf_cstr(&message), code);
        buf_clear(&message);
        buf_addf(&message,
                 "Invalid value type at `.%s`: expected %s, but found a string: `\"doggo\"`",
                 rows[i].name, rows[i].kind);
        buf_addf(&body, "{\"%s\":\"doggo\"}", rows[i].name);
        assert_read(NULL, buf_cstr(&body), buf_cstr(&message), code);
        buf_done(&body);
        buf_done(&message);
    }
    assert_read("distinctAttribute", "[\"doggo\"]",
                "Invalid value type: expected a string, but found an array: `[\"doggo\"]`",
                ERR_INVALID_SETTINGS_DISTINCT_ATTRIBUTE);
    assert_read(NULL, "[]", "Invalid value type: expected an object, but found an array: `[]`",
                ERR_BAD_REQUEST);
}

static void
null_resets_a_setting(void **state)
{
    (void) state;
    for (int i = 0; i < SETTING_COUNT; i++) {
        struct buf expected = BUF_INIT;
        buf_addf(&expected, "{\"%s\":null}", setting_rows[i].name);
        assert_read(setting_rows[i].name, "null", buf_cstr(&expected), ERR_NONE);
        buf_done(&expected);
    }
}

#define ALL_NAMES                                                                                  \
    "`displayedAttributes`, `searchableAttributes`, `filterableAttributes`, "                      \
    "`sortableAttributes`, `foreignKeys`, `rankingRules`, `stopWords`, `nonSeparatorTokens`, "     \
    "`separatorTokens`, `dictionary`, `synonyms`, `distinctAttribute`, `proximityPrecision`, "     \
    "`typoTolerance`, `faceting`, `pagination`, `embedders`, `searchCutoffMs`, "                   \
    "`localizedAttributes`, `facetSearch`, `prefixSearch`, `chat`"
#define RULE(at, name)                                                                             \
    "Invalid value at `" at "`: `" name                                                            \
    "` ranking rule is invalid. Valid ranking rules are words, typo, sort, proximity, attribute, " \
    "exactness and custom ranking rules."
#define MIXED                                                                                      \
    "Mixed usage of the attribute, attributeRank, and wordPosition ranking rules. You must "       \
    "either use the attribute ranking rule alone or the attributeRank and wordPosition ranking "   \
    "rules."
#define SIZES(one, two)                                                                            \
    "`minWordSizeForTypos` setting is invalid. `oneTypo` and `twoTypos` fields should be between " \
    "`0` and `255`, and `twoTypos` should be greater or equals to `oneTypo` but found "            \
    "`oneTypo: " one "` and twoTypos: " two "`."

static void
wrong_values_are_refused_in_upstreams_words(void **state)
{
    static const struct {
        const char *name, *body, *message;
        enum err_code code;
    } rows[] = {
        {NULL, "{\"doggo\":1}", "Unknown field `doggo`: expected one of " ALL_NAMES,
         ERR_BAD_REQUEST},
        {NULL, "{\"stopWord\":1}",
         "Unknown field `stopWord`: did you mean `stopWords`? expected one of " ALL_NAMES,
         ERR_BAD_REQUEST},
        {NULL, "{\"stopWords\":[\"a\",1]}",
         "Invalid value type at `.stopWords[1]`: expected a string, but found a positive integer: "
         "`1`",
         ERR_INVALID_SETTINGS_STOP_WORDS},
        {"stopWords", "[null]", "Invalid value type at `[0]`: expected a string, but found null",
         ERR_INVALID_SETTINGS_STOP_WORDS},
        {NULL, "{\"rankingRules\":[\"custom\"]}", RULE(".rankingRules[0]", "custom"),
         ERR_INVALID_SETTINGS_RANKING_RULES},
        {"rankingRules", "[\"words\",\"a:b\"]", RULE("[1]", "a:b"),
         ERR_INVALID_SETTINGS_RANKING_RULES},
        {"rankingRules", "[\"_geoPoint(1,2):asc\"]",
         "Invalid value at `[0]`: `_geoPoint` is a reserved keyword and thus can't be used as a "
         "ranking rule. `_geoPoint` can only be used for sorting at search time",
         ERR_INVALID_SETTINGS_RANKING_RULES},
        {"rankingRules", "[\"_geo:asc\"]",
         "Invalid value at `[0]`: `_geo` is a reserved keyword and thus can't be used as a ranking "
         "rule",
         ERR_INVALID_SETTINGS_RANKING_RULES},
        {"rankingRules", "[\"_geoRadius:asc\"]",
         "Invalid value at `[0]`: `_geoRadius` is a reserved keyword and thus can't be used as a "
         "ranking rule. `_geoRadius` can only be used for filtering at search time",
         ERR_INVALID_SETTINGS_RANKING_RULES},
        {"rankingRules", "[\"attribute\",\"attributeRank\"]", MIXED,
         ERR_INVALID_SETTINGS_RANKING_RULES},
        {NULL, "{\"rankingRules\":[\"wordPosition\",\"attribute\"]}", MIXED,
         ERR_INVALID_SETTINGS_RANKING_RULES},
        {NULL, "{\"synonyms\":{\"a\":\"b\"}}",
         "Invalid value type at `.synonyms.a`: expected an array, but found a string: `\"b\"`",
         ERR_INVALID_SETTINGS_SYNONYMS},
        {"synonyms", "{\"a\":[1]}",
         "Invalid value type at `.a[0]`: expected a string, but found a positive integer: `1`",
         ERR_INVALID_SETTINGS_SYNONYMS},
        {NULL, "{\"filterableAttributes\":[{}]}",
         "Missing field `attributePatterns` inside `.filterableAttributes[0]`",
         ERR_INVALID_SETTINGS_FILTERABLE_ATTRIBUTES},
        {"filterableAttributes", "[{\"attributePatterns\":[],\"feature\":1}]",
         "Unknown field `feature` inside `[0]`: did you mean `features`? expected one of "
         "`attributePatterns`, `features`",
         ERR_INVALID_SETTINGS_FILTERABLE_ATTRIBUTES},
        {"filterableAttributes",
         "[{\"attributePatterns\":[],\"features\":{\"filter\":{\"equality\":1}}}]",
         "Invalid value type at `[0].features.filter.equality`: expected a boolean, but found a "
         "positive integer: `1`",
         ERR_INVALID_SETTINGS_FILTERABLE_ATTRIBUTES},
        {"filterableAttributes", "[1]",
         "Invalid value type at `[0]`: expected a string, but found a positive integer: `1`",
         ERR_INVALID_SETTINGS_FILTERABLE_ATTRIBUTES},
        {"proximityPrecision", "\"byWords\"",
         "Unknown value `byWords`: did you mean `byWord`? expected one of `byWord`, `byAttribute`",
         ERR_INVALID_SETTINGS_PROXIMITY_PRECISION},
        {NULL, "{\"prefixSearch\":\"never\"}",
         "Unknown value `never` at `.prefixSearch`: expected one of `indexingTime`, `disabled`",
         ERR_INVALID_SETTINGS_PREFIX_SEARCH},
        {NULL, "{\"typoTolerance\":{\"minWordSizeForTypos\":\"doggo\"}}",
         "Invalid value type at `.typoTolerance.minWordSizeForTypos`: expected an object, but "
         "found "
         "a string: `\"doggo\"`",
         ERR_INVALID_SETTINGS_TYPO_TOLERANCE},
        {"typoTolerance", "{\"typoTolerance\":{}}",
         "Unknown field `typoTolerance`: expected one of `enabled`, `minWordSizeForTypos`, "
         "`disableOnWords`, `disableOnAttributes`, `disableOnNumbers`",
         ERR_INVALID_SETTINGS_TYPO_TOLERANCE},
        {NULL, "{\"typoTolerance\":{\"minWordSizeForTypos\":{\"oneTypo\":7,\"twoTypos\":4}}}",
         "Invalid value at `.typoTolerance.minWordSizeForTypos`: " SIZES("7", "4"),
         ERR_INVALID_SETTINGS_TYPO_TOLERANCE},
        {"typoTolerance", "{\"minWordSizeForTypos\":{\"oneTypo\":300}}",
         "Invalid value at `.minWordSizeForTypos.oneTypo`: value: `300` is too large to be "
         "deserialized, maximum value authorized is `255`",
         ERR_INVALID_SETTINGS_TYPO_TOLERANCE},
        {"typoTolerance", "{\"minWordSizeForTypos\":{\"oneTypo\":-1}}",
         "Invalid value type at `.minWordSizeForTypos.oneTypo`: expected a positive integer, but "
         "found a negative integer: `-1`",
         ERR_INVALID_SETTINGS_TYPO_TOLERANCE},
        {"pagination", "{\"maxTotalHits\":0}",
         "Invalid value at `.maxTotalHits`: a non-zero integer value lower than "
         "`18446744073709551615` was expected, but found a zero",
         ERR_INVALID_SETTINGS_PAGINATION},
        {NULL, "{\"pagination\":{\"maxTotalHits\":\"doggo\"}}",
         "Invalid value type at `.pagination.maxTotalHits`: expected a positive integer, but found "
         "a string: `\"doggo\"`",
         ERR_INVALID_SETTINGS_PAGINATION},
        {"faceting", "{\"sortFacetValuesBy\":{\"a\":\"counts\"}}",
         "Unknown value `counts` at `.sortFacetValuesBy.a`: did you mean `count`? expected one of "
         "`alpha`, `count`",
         ERR_INVALID_SETTINGS_FACETING},
        {"localizedAttributes", "[{\"attributePatterns\":[\"*\"]}]",
         "Missing field `locales` inside `[0]`", ERR_INVALID_SETTINGS_LOCALIZED_ATTRIBUTES},
        {"embedders", "{\"a\":{\"source\":\"magic\"}}",
         "Unknown value `magic` at `.a.source`: expected one of `openAi`, `huggingFace`, `ollama`, "
         "`userProvided`, `rest`, `composite`",
         ERR_INVALID_SETTINGS_EMBEDDERS},
        {"foreignKeys", "[{\"fieldName\":\"a\"}]", "Missing field `foreignIndexUid` inside `[0]`",
         ERR_INVALID_SETTINGS_FOREIGN_KEYS},
    };
    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_read(rows[i].name, rows[i].body, rows[i].message, rows[i].code);
}

static void
unknown_languages_are_answered_with_all_of_them(void **state)
{
    struct arena *arena = arena_new();
    struct json_doc *doc =
        json_parse(STR("[{\"attributePatterns\":[\"*\"],\"locales\":[\"xx\"]}]"), NULL);
    struct buf out = BUF_INIT;
    struct err err = ERR_INIT;
    (void) state;
    assert_int_equal(
        settings_read_one(arena, SETTING_LOCALIZED_ATTRIBUTES, json_root(doc), &out, &err), -1);
    assert_true(str_starts_with(str_from(err.message),
                                "Unknown value `xx` at `[0].locales[0]`: expected one of `af`, "
                                "`ak`, `am`, "));
    assert_true(str_ends_with(str_from(err.message), ", `zho`, `zul`, `cmn`"));
    err_done(&err);
    buf_done(&out);
    json_doc_free(doc);
    arena_free(arena);
}

static void
a_reset_names_one_setting_or_all(void **state)
{
    struct buf out = BUF_INIT;
    (void) state;
    settings_write_reset(&out, SETTING_STOP_WORDS);
    assert_string_equal(buf_cstr(&out), "{\"stopWords\":null}");
    buf_clear(&out);
    settings_write_reset(&out, SETTING_COUNT);
    assert_true(str_starts_with(buf_str(&out), "{\"displayedAttributes\":null,"));
    assert_true(str_ends_with(buf_str(&out), ",\"chat\":null}"));
    buf_done(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_kept_in_one_form),
        cmocka_unit_test(every_setting_complains_of_its_type),
        cmocka_unit_test(null_resets_a_setting),
        cmocka_unit_test(wrong_values_are_refused_in_upstreams_words),
        cmocka_unit_test(unknown_languages_are_answered_with_all_of_them),
        cmocka_unit_test(a_reset_names_one_setting_or_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
