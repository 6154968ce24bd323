/* A request to a data source gives the same lines and the same error whole and in pieces; every
 * line is a compact object or a string, with an id by which it is matched. The first byte chooses
 * kind and piece size. */
#include "codec/json.h"
#include "fuzz.h"
#include "index/index.h"
#include "ops/staged_items.h"

enum { ID_AT = 7 /* {"id":" */ };

static void
check_line(struct str line)
{
    struct buf again = BUF_INIT, id = BUF_INIT;
    struct err err = ERR_INIT;
    struct json_doc *d = json_parse(line, NULL);
    FUZZ_REQUIRE(d != NULL);
    const struct json *root = json_root(d);
    FUZZ_REQUIRE(json_type(root) == JSON_OBJECT || json_type(root) == JSON_STRING);
    if (json_type(root) == JSON_OBJECT)
        root = json_get_c(root, "id");
    FUZZ_REQUIRE(root != NULL && staged_id(root, &id, &err) == 0);
    FUZZ_REQUIRE(document_id_is_storable(buf_str(&id)));
    json_write(&again, json_root(d));
    FUZZ_REQUIRE(str_equal(buf_str(&again), line));
    json_doc_free(d);
    buf_done(&again);
    buf_done(&id);
}

/* Ids that were drawn differ from reading to reading: what may be one is left out. */
static void
add_line(struct buf *out, struct str line)
{
    if (str_starts_with(line, "{\"id\":\"") && line.len > ID_AT + UUID_TEXT_LEN)
        line = str_slice(line, ID_AT + UUID_TEXT_LEN, line.len);
    buf_add_str(out, line);
    buf_add_char(out, '\n');
}

/* All lines and the error. */
static struct buf
read_all(enum staged_kind kind, struct str text, size_t piece)
{
    struct staged_items *d = staged_items_new(kind, STR("id"));
    struct err err = ERR_INIT;
    struct buf out = BUF_INIT;
    struct str line;
    int rc = 0;
    for (size_t at = 0; rc >= 0; at += piece) {
        bool is_last = text.len - at <= piece;
        staged_items_feed(d, str_slice(text, at, at + piece));
        if (is_last)
            staged_items_end(d);
        while ((rc = staged_items_next(d, &line, &err)) > 0) {
            check_line(line);
            add_line(&out, line);
        }
        if (is_last)
            break;
    }
    FUZZ_REQUIRE((rc < 0) == err_is_set(&err));
    if (rc < 0)
        buf_addf(&out, "%s %s", err_name(err.code), err.message);
    err_done(&err);
    staged_items_free(d);
    return out;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    enum staged_kind kind = data[0] % 2 == 0 ? STAGED_NOTIFY : STAGED_SNAPSHOT;
    struct str text = str_make(data + 1, size - 1);
    struct buf whole = read_all(kind, text, size);
    struct buf pieces = read_all(kind, text, data[0] / 2u + 1);
    FUZZ_REQUIRE(str_equal(buf_str(&whole), buf_str(&pieces)));
    buf_done(&whole);
    buf_done(&pieces);
    return 0;
}
