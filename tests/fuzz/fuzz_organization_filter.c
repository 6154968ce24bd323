/* Filters of task lists: whatever is sent is refused with a place, or is met or not, alike in every
 * way to say the same. The first line is the object, the rest the filter. */
#include "api/organization_filter.h"
#include "fuzz.h"

static bool
check(const struct json *filter)
{
    struct err err = ERR_INIT;
    int rc = organization_filter_check(filter, ".filters", &err);
    FUZZ_REQUIRE((rc < 0) == err_is_set(&err));
    FUZZ_REQUIRE(rc == 0 ||
                 (str_is(str_from(err.path), ".filters") && str_is_utf8(str_from(err.message))));
    err_done(&err);
    return rc == 0;
}

/* The filter within {"AND":[...]} and the like; is_met when it is refused for its depth. */
static bool
meets_within(const char *group, struct str filter, const struct json *object, bool is_met)
{
    struct buf text = BUF_INIT;
    buf_addf(&text, "{\"%s\":[", group);
    buf_add_str(&text, filter);
    buf_add_cstr(&text, "]}");
    struct json_doc *doc = json_parse(buf_str(&text), NULL);
    if (doc != NULL && check(json_root(doc)))
        is_met = organization_filter_meets(json_root(doc), object);
    json_doc_free(doc);
    buf_done(&text);
    return is_met;
}

static void
apply(struct str text, const struct json *filter, const struct json *object)
{
    if (!check(filter))
        return;
    bool is_met = organization_filter_meets(filter, object);
    FUZZ_REQUIRE(meets_within("AND", text, object, is_met) == is_met);
    FUZZ_REQUIRE(meets_within("OR", text, object, is_met) == is_met);
    FUZZ_REQUIRE(meets_within("NOT", text, object, !is_met) == !is_met);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = str_make(data, size), line;
    if (!str_split(&rest, '\n', &line))
        return 0;
    struct json_doc *object = json_parse(line, NULL), *filter = json_parse(rest, NULL);
    if (object != NULL && filter != NULL)
        apply(rest, json_root(filter), json_root(object));
    json_doc_free(object);
    json_doc_free(filter);
    return 0;
}
