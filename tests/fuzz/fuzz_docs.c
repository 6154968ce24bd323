/* An upload gives the same documents and the same error whole and in pieces, and every document is
 * an object that is already compact. The first byte chooses format and piece size. */
#include "codec/docs.h"
#include "codec/json.h"
#include "fuzz.h"

static void
check_document(struct str text)
{
    struct buf again = BUF_INIT;
    struct json_doc *d = json_parse(text, NULL);
    FUZZ_REQUIRE(d != NULL && json_type(json_root(d)) == JSON_OBJECT);
    json_write(&again, json_root(d));
    FUZZ_REQUIRE(str_equal(buf_str(&again), text));
    json_doc_free(d);
    buf_done(&again);
}

/* All documents, one a line, and the error. */
static struct buf
read_all(enum docs_format format, struct str text, size_t piece)
{
    struct docs *d = docs_new(format, ',');
    struct err err = ERR_INIT;
    struct buf out = BUF_INIT;
    struct str document;
    int rc = 0;
    for (size_t at = 0; rc >= 0 && at <= text.len; at += piece) {
        FUZZ_REQUIRE(docs_feed(d, str_slice(text, at, at + piece), &err) == 0);
        if (text.len - at <= piece)
            docs_end(d);
        while ((rc = docs_next(d, &document, &err)) > 0) {
            check_document(document);
            buf_add_str(&out, document);
            buf_add_char(&out, '\n');
        }
        if (text.len - at <= piece)
            break;
    }
    FUZZ_REQUIRE((rc < 0) == err_is_set(&err));
    if (rc < 0)
        buf_addf(&out, "%s %s", err_name(err.code), err.message);
    err_done(&err);
    docs_free(d);
    return out;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    enum docs_format format = (enum docs_format)(data[0] % 3);
    struct str text = str_make(data + 1, size - 1);
    struct buf whole = read_all(format, text, size);
    struct buf pieces = read_all(format, text, data[0] / 3u + 1);
    FUZZ_REQUIRE(str_equal(buf_str(&whole), buf_str(&pieces)));
    buf_done(&whole);
    buf_done(&pieces);
    return 0;
}
