/* Filters: whatever the text, parsing ends; what is accepted can be judged and matched, and a
 * refusal names a place in the text. The first line is the filter, what follows a document. */
#include "fuzz.h"
#include "index/filter.h"
#include "index/filter_rules.h"

static void
match(struct filter *f, struct str text)
{
    struct json_doc *doc = json_parse(text, NULL);
    if (doc != NULL && json_type(json_root(doc)) == JSON_OBJECT)
        FUZZ_REQUIRE(filter_match(f, json_root(doc)) == filter_match(f, json_root(doc)));
    json_doc_free(doc);
}

static void
judge(struct filter *f, struct str document)
{
    struct filter_rules *rules = filter_rules_new(
        STR("[{\"attributePatterns\":[\"*\"],\"features\":{\"filter\":{\"comparison\":true}}},"
            "\"_geo\",\"_geojson\"]"));
    struct err err = ERR_INIT;
    (void) filter_check_features(f, FILTER_CONTAINS, ERR_INVALID_DOCUMENT_FILTER, &err);
    err_done(&err);
    if (filter_check(f, rules, ERR_INVALID_DOCUMENT_FILTER, &err) == 0)
        match(f, document);
    else
        FUZZ_REQUIRE(err_is_set(&err));
    err_done(&err);
    filter_rules_free(rules);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = str_make(data, size);
    size_t end = str_find(input, '\n', 0);
    struct str text = str_slice(input, 0, end);
    struct filter *f = NULL;
    struct err err = ERR_INIT;
    if (!str_is_utf8(text)) /* JSON and queries give nothing else */
        return 0;
    int rc = filter_parse_text(text, ERR_INVALID_DOCUMENT_FILTER, &f, &err);
    FUZZ_REQUIRE((rc == 1) == (f != NULL));
    FUZZ_REQUIRE((rc < 0) == err_is_set(&err));
    if (rc < 0)
        FUZZ_REQUIRE(strchr(err.message, '\n') != NULL);
    if (rc == 1)
        judge(f, str_slice(input, end + 1, input.len));
    filter_free(f);
    err_done(&err);
    return 0;
}
