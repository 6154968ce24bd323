/* Query strings: what was decoded is UTF-8 and survives encoding and decoding. */
#include "codec/form.h"
#include "fuzz.h"

static void
check_text(struct arena *a, struct str decoded)
{
    struct buf encoded = BUF_INIT;
    FUZZ_REQUIRE(str_is_utf8(decoded));
    form_encode(&encoded, decoded);
    FUZZ_REQUIRE(str_equal(form_decode_path(a, buf_str(&encoded)), decoded));
    buf_done(&encoded);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new();
    struct str text = str_make(data, size);
    struct form_param *params;
    int n = form_parse(a, text, &params);
    for (int i = 0; i < n; i++) {
        check_text(a, params[i].name);
        check_text(a, params[i].value);
    }
    check_text(a, form_decode_path(a, text));
    arena_free(a);
    return 0;
}
