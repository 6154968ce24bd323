/* The parser and the diagnosing scanner agree on what is JSON; written text reads back the same. */
#include "codec/json.h"
#include "codec/json_check.h"
#include "fuzz.h"

static void
check_round_trip(const struct json *root)
{
    struct buf first = BUF_INIT, second = BUF_INIT, normal = BUF_INIT;
    json_write(&first, root);
    struct json_doc *again = json_parse(buf_str(&first), NULL);
    FUZZ_REQUIRE(again != NULL);
    json_write(&second, json_root(again));
    FUZZ_REQUIRE(str_equal(buf_str(&first), buf_str(&second)));
    json_doc_free(again);
    json_write_normal(&normal, root);
    again = json_parse(buf_str(&normal), NULL);
    FUZZ_REQUIRE(again != NULL);
    buf_clear(&second);
    json_write_normal(&second, json_root(again));
    FUZZ_REQUIRE(str_equal(buf_str(&normal), buf_str(&second)));
    json_doc_free(again);
    buf_done(&first);
    buf_done(&second);
    buf_done(&normal);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct json_scratch *scratch;
    struct str text = str_make(data, size);
    struct buf why = BUF_INIT;
    if (scratch == NULL)
        scratch = json_scratch_new(); /* kept for all inputs: reuse is what is tested */
    struct json_doc *d = json_parse_scratch(scratch, text, &why);
    FUZZ_REQUIRE((d != NULL) == (json_check(text).what == NULL));
    FUZZ_REQUIRE((d == NULL) == (why.len > 0));
    if (d != NULL)
        check_round_trip(json_root(d));
    json_doc_free(d);
    buf_done(&why);
    return 0;
}
