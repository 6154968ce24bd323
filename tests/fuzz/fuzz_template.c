/* Templates: whatever the text, compiling ends, a refusal names a place, and a run ends within its
 * share. The first line is JSON data, or of no use; what follows the template; when that is JSON
 * itself it is a JSON template too, and makes JSON. */
#include "codec/template.h"
#include "fuzz.h"

enum { OUTPUT_MAX_BYTES = 64 * 1024 };

static void
run(const struct template *t, const struct json *data, bool is_html, bool is_json)
{
    struct template_input input = {t, data, "event", is_html, OUTPUT_MAX_BYTES};
    struct template_run *r = template_run_new(&input);
    enum template_state state;
    while ((state = template_run_step(r, 0)) == TEMPLATE_MORE)
        continue;
    if (state == TEMPLATE_DONE) {
        FUZZ_REQUIRE(template_run_output(r).len <= OUTPUT_MAX_BYTES);
        FUZZ_REQUIRE(str_is_utf8(template_run_output(r)));
        struct json_doc *made = is_json ? json_parse(template_run_output(r), NULL) : NULL;
        FUZZ_REQUIRE(!is_json || made != NULL);
        json_doc_free(made);
    } else {
        FUZZ_REQUIRE(template_run_error(r)[0] != '\0');
    }
    template_run_free(r);
}

static void
try_template(struct template *t, struct buf *why, const struct json *data, bool is_json)
{
    FUZZ_REQUIRE((t == NULL) == (why->len > 0));
    if (t != NULL) {
        run(t, data, false, is_json);
        if (!is_json)
            run(t, data, true, false);
    }
    template_free(t);
    buf_done(why);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = str_make(data, size);
    struct buf why = BUF_INIT;
    size_t end = str_find(input, '\n', 0);
    struct str text = str_slice(input, end + 1, input.len);
    if (!str_is_utf8(input)) /* JSON gives nothing else */
        return 0;
    struct json_doc *doc = json_parse(str_slice(input, 0, end), NULL);
    if (doc == NULL || json_type(json_root(doc)) != JSON_OBJECT) {
        json_doc_free(doc);
        doc = json_parse(STR("{\"a\":[1,2.5,\"x\"],\"b\":{\"c\":null},\"s\":\"<&>\"}"), NULL);
    }
    try_template(template_compile(text, &why), &why, json_root(doc), false);
    struct json_doc *as_json = json_parse(text, NULL);
    if (as_json != NULL)
        try_template(template_compile_json(json_root(as_json), &why), &why, json_root(doc), true);
    json_doc_free(as_json);
    json_doc_free(doc);
    return 0;
}
