/* Uploads: small and large, compressed, ids, limits and every error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "codec/gzip.h"
#include "ops/intake.h"

struct fixture {
    char dir[64];
    struct loop *loop;
    struct payload_dir *payloads;
    struct intake_conf conf;
    struct str upload; /* what is left of it */
    struct buf answer; /* "count|payload" or "code: message" */
    uint8_t digest[SHA256_BYTES];
    unsigned n_done;
};

static int
setup(void **state)
{
    struct fixture *f = mem_new(1, sizeof(*f));
    struct err err = ERR_INIT;

    (void) snprintf(f->dir, sizeof(f->dir), "/tmp/taskhook-intake-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->loop = loop_new(&err);
    f->payloads = payload_dir_open(f->dir, &err);
    f->conf = (struct intake_conf){.loop = f->loop,
                                   .payloads = f->payloads,
                                   .format = DOCS_JSON,
                                   .csv_delimiter = ',',
                                   .limit_bytes = 100000000};
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    char command[96];

    payload_dir_close(f->payloads);
    loop_free(f->loop);
    buf_done(&f->answer);
    (void) snprintf(command, sizeof(command), "rm -rf %s", f->dir);
    assert_int_equal(system(command), 0);
    free(f);
    return 0;
}

static size_t
pull(void *arg, struct buf *out, size_t max)
{
    struct fixture *f = arg;
    size_t n = f->upload.len < max ? f->upload.len : max;

    buf_add(out, f->upload.data, n);
    f->upload = str_slice(f->upload, n, f->upload.len);
    return n;
}

static void
add_payload(struct fixture *f, const struct payload *p)
{
    struct err err = ERR_INIT;
    struct str mapped;

    if (uuid_is_nil(&p->file)) {
        buf_add_str(&f->answer, p->inline_bytes);
        return;
    }
    assert_int_equal(payload_map(f->payloads, &p->file, &mapped, &err), 0);
    buf_add_str(&f->answer, mapped);
    payload_unmap(mapped);
}

static void
on_done(void *arg, const struct intake_result *result, struct err *err)
{
    struct fixture *f = arg;

    f->n_done++;
    buf_clear(&f->answer);
    if (result == NULL) {
        buf_addf(&f->answer, "%s: %s", err_name(err->code), err->message);
    } else {
        buf_addf(&f->answer, "%llu|", (unsigned long long) result->count);
        add_payload(f, &result->payload);
        memcpy(f->digest, result->digest, sizeof(f->digest));
    }
    loop_stop(f->loop);
}

/* Takes the upload in; true when it was finished inside intake_start. */
static bool
take(struct fixture *f, struct str upload)
{
    struct intake *in = intake_new(&f->conf);
    bool at_once;

    f->upload = upload;
    f->n_done = 0;
    intake_start(in, pull, on_done, f);
    at_once = f->n_done == 1;
    if (!at_once)
        loop_run(f->loop);
    assert_int_equal(f->n_done, 1);
    intake_free(in, false);
    return at_once;
}

static void
assert_taken(struct fixture *f, struct str upload, const char *expected)
{
    (void) take(f, upload);
    assert_string_equal(buf_cstr(&f->answer), expected);
}

static void
compress(struct str plain, enum gzip_format format, struct buf *out)
{
    struct gzip_out *z = gzip_out_new(format, 1);

    gzip_out_add(z, plain, out);
    gzip_out_finish(z, out);
    gzip_out_free(z);
}

/* --- documents */

static void
small_upload_is_done_at_once(void **state)
{
    struct fixture *f = *state;

    assert_true(take(f, STR("[ {\"id\": 1, \"n\": 1.10}, {\"id\": 2} ]")));
    assert_string_equal(buf_cstr(&f->answer), "2|{\"id\":1,\"n\":1.10}\n{\"id\":2}\n");
}

static void
formats_are_honoured(void **state)
{
    struct fixture *f = *state;

    f->conf.format = DOCS_NDJSON;
    assert_taken(f, STR("{\"id\":1}\n\n{\"id\":2}"), "2|{\"id\":1}\n{\"id\":2}\n");
    f->conf.format = DOCS_CSV;
    f->conf.csv_delimiter = ';';
    assert_taken(f, STR("id:number;t\n1;x\n"), "1|{\"id\":1,\"t\":\"x\"}\n");
}

static void
build_large(struct buf *upload, struct buf *expected)
{
    buf_add_cstr(expected, "20000|");
    for (int i = 0; i < 20000; i++) {
        buf_addf(upload, "%c{\"id\": %d, \"t\": \"text of document %d\"}", i == 0 ? '[' : ',', i,
                 i);
        buf_addf(expected, "{\"id\":%d,\"t\":\"text of document %d\"}\n", i, i);
    }
    buf_add_char(upload, ']');
}

static void
large_upload_is_taken_in_slices(void **state)
{
    struct fixture *f = *state;
    struct buf upload = BUF_INIT, expected = BUF_INIT;

    build_large(&upload, &expected);
    assert_false(take(f, buf_str(&upload)));
    assert_string_equal(buf_cstr(&f->answer), buf_cstr(&expected));
    buf_done(&upload);
    buf_done(&expected);
}

static void
sixty_four_kib_are_small_and_one_more_is_not(void **state)
{
    struct fixture *f = *state;
    struct buf upload = BUF_INIT;

    buf_add_cstr(&upload, "[{\"id\":1}]");
    while (upload.len < 64 * 1024)
        buf_add_char(&upload, ' ');
    assert_true(take(f, buf_str(&upload)));
    buf_add_char(&upload, ' ');
    assert_false(take(f, buf_str(&upload)));
    assert_string_equal(buf_cstr(&f->answer), "1|{\"id\":1}\n");
    buf_done(&upload);
}

static void
compressed_uploads_are_inflated(void **state)
{
    struct fixture *f = *state;
    struct buf upload = BUF_INIT, expected = BUF_INIT, packed = BUF_INIT;

    build_large(&upload, &expected);
    f->conf.encoding = INTAKE_GZIP;
    compress(buf_str(&upload), GZIP_FORMAT_GZIP, &packed);
    assert_taken(f, buf_str(&packed), buf_cstr(&expected));
    buf_clear(&packed);
    f->conf.encoding = INTAKE_DEFLATE;
    compress(buf_str(&upload), GZIP_FORMAT_DEFLATE, &packed);
    assert_taken(f, buf_str(&packed), buf_cstr(&expected));
    buf_done(&packed);
    buf_done(&upload);
    buf_done(&expected);
}

static void
truncated_or_corrupt_compression_is_refused(void **state)
{
    struct fixture *f = *state;
    struct buf packed = BUF_INIT;
    const char *expected = "bad_request: The provided payload is incomplete and cannot be parsed";

    f->conf.encoding = INTAKE_GZIP;
    compress(STR("[{\"id\":1},{\"id\":2}]"), GZIP_FORMAT_GZIP, &packed);
    assert_taken(f, str_slice(buf_str(&packed), 0, packed.len - 9), expected);
    assert_taken(f, STR("[{\"id\":1}]"), expected);
    buf_done(&packed);
}

static void
empty_uploads_are_missing(void **state)
{
    struct fixture *f = *state;

    assert_taken(f, STR(""), "missing_payload: A json payload is missing.");
    f->conf.encoding = INTAKE_GZIP;
    f->conf.format = DOCS_CSV;
    assert_taken(f, STR(""), "missing_payload: A csv payload is missing.");
}

static void
malformed_uploads_leave_no_file(void **state)
{
    struct fixture *f = *state;
    struct buf upload = BUF_INIT, expected = BUF_INIT;
    char path[96];

    build_large(&upload, &expected);
    upload.data[upload.len - 1] = '}';
    (void) take(f, buf_str(&upload));
    assert_true(str_starts_with(buf_str(&f->answer),
                                "malformed_payload: The `json` payload provided is malformed."));
    (void) snprintf(path, sizeof(path), "rmdir %s/updates", f->dir);
    assert_int_equal(system(path), 0); /* it is empty */
    buf_done(&upload);
    buf_done(&expected);
}

/* --- the limit */

static void
limit_is_met_exactly(void **state)
{
    struct fixture *f = *state;
    struct str upload = STR("[{\"id\":1}]");

    f->conf.limit_bytes = upload.len;
    assert_taken(f, upload, "1|{\"id\":1}\n");
    f->conf.limit_bytes = upload.len - 1;
    assert_taken(f, upload,
                 "payload_too_large: The provided payload reached the size limit. The maximum "
                 "accepted payload size is 9 B.");
}

static void
limit_counts_inflated_bytes(void **state)
{
    struct fixture *f = *state;
    struct buf plain = BUF_INIT, packed = BUF_INIT;

    buf_add_char(&plain, '[');
    while (plain.len < 4 << 20)
        buf_add_cstr(&plain, "          ");
    compress(buf_str(&plain), GZIP_FORMAT_GZIP, &packed);
    f->conf.encoding = INTAKE_GZIP;
    f->conf.limit_bytes = 1 << 20;
    assert_taken(f, buf_str(&packed),
                 "payload_too_large: The provided payload reached the size limit. The maximum "
                 "accepted payload size is 1 MiB.");
    buf_done(&plain);
    buf_done(&packed);
}

static void
limit_is_shown_in_the_fitting_unit(void **state)
{
    static const struct {
        uint64_t limit;
        const char *shown;
    } rows[] = {{3, "3 B."}, {1500, "1.5 KB."}, {1536 * 1024, "1.5 MiB."}, {1000000, "1 MB."}};
    struct fixture *f = *state;
    struct buf upload = BUF_INIT;

    while (upload.len < 2 << 20)
        buf_add_char(&upload, ' ');
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        f->conf.limit_bytes = rows[i].limit;
        (void) take(f, buf_str(&upload));
        assert_true(str_ends_with(buf_str(&f->answer), rows[i].shown));
    }
    buf_done(&upload);
}

/* --- digest, life */

static void
digest_is_of_the_raw_bytes(void **state)
{
    struct fixture *f = *state;
    struct str upload = STR("[{\"id\":1}]");
    uint8_t expected[SHA256_BYTES];

    f->conf.want_digest = true;
    (void) take(f, upload);
    digest_sha256(upload, expected);
    assert_memory_equal(f->digest, expected, sizeof(expected));
}

static void
free_while_running_cancels(void **state)
{
    struct fixture *f = *state;
    struct buf upload = BUF_INIT, expected = BUF_INIT;
    struct intake *in = intake_new(&f->conf);

    build_large(&upload, &expected);
    f->upload = buf_str(&upload);
    intake_start(in, pull, on_done, f);
    intake_free(in, false);
    assert_int_equal(f->n_done, 0);
    buf_done(&upload);
    buf_done(&expected);
}

static void
free_inside_done(void *arg, const struct intake_result *result, struct err *err)
{
    struct intake **in = arg;

    assert_non_null(result);
    assert_null(err);
    intake_free(*in, false);
    *in = NULL;
}

static size_t
pull_one(void *arg, struct buf *out, size_t max)
{
    static const char upload[] = "[{\"id\":1}]";
    static size_t at;
    size_t n = sizeof(upload) - 1 - at < max ? sizeof(upload) - 1 - at : max;

    (void) arg;
    buf_add(out, upload + at, n);
    at += n;
    return n;
}

static void
free_inside_done_is_fine(void **state)
{
    struct fixture *f = *state;
    struct intake *in = intake_new(&f->conf);

    intake_start(in, pull_one, free_inside_done, &in);
    assert_null(in);
}

/* --- ids */

#define MALFORMED(why) "malformed_payload: The json payload provided is malformed. `" why "`."

static void
ids_become_strings(void **state)
{
    struct fixture *f = *state;

    f->conf.ids = true;
    assert_taken(f, STR(" [ \"a\" , 1, -2,1.0 ,\"q\\\"\\u00fc\", null,true,[1, 2],{\"a\": 1} ] "),
                 "9|\"a\"\n\"1\"\n\"-2\"\n\"1.0\"\n\"q\\\"ü\"\n\"null\"\n\"true\"\n\"[1,2]\"\n"
                 "\"{\\\"a\\\":1}\"\n");
    assert_taken(f, STR("[]"), "0|");
}

static void
ids_refuse_other_types(void **state)
{
    static const struct {
        const char *upload, *type;
        unsigned column;
    } rows[] = {{"\"doggo\"", "string \"doggo\"", 7},
                {"{\"a\":1}", "map", 0},
                {"5", "integer `5`", 1},
                {"1.5", "floating point `1.5`", 3},
                {"true", "boolean `true`", 4},
                {"null", "null", 4}};
    struct fixture *f = *state;
    char expected[160];

    f->conf.ids = true;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        (void) snprintf(expected, sizeof(expected),
                        "bad_request: Json deserialize error: invalid type: %s, expected a "
                        "sequence at line 1 column %u",
                        rows[i].type, rows[i].column);
        assert_taken(f, str_from(rows[i].upload), expected);
    }
}

static void
ids_errors_tell_their_place(void **state)
{
    static const struct {
        const char *upload, *expected;
    } rows[] = {
        {"", "missing_payload: A json payload is missing."},
        {" ", MALFORMED("EOF while parsing a value at line 1 column 1")},
        {"[", MALFORMED("EOF while parsing a list at line 1 column 1")},
        {"[1,2", MALFORMED("EOF while parsing a list at line 1 column 4")},
        {"[1,", MALFORMED("EOF while parsing a value at line 1 column 3")},
        {"[1,]", MALFORMED("trailing comma at line 1 column 4")},
        {"[1 2]", MALFORMED("expected `,` or `]` at line 1 column 4")},
        {"[1]x", MALFORMED("trailing characters at line 1 column 4")},
        {"[1,\n \"a", MALFORMED("EOF while parsing a string at line 2 column 3")},
        {"[1,\n tru]", MALFORMED("expected ident at line 2 column 5")},
        {"[truex]", MALFORMED("expected `,` or `]` at line 1 column 6")},
        {"[1,01]", MALFORMED("invalid number at line 1 column 5")},
        {"xyz", MALFORMED("expected value at line 1 column 1")},
    };
    struct fixture *f = *state;

    f->conf.ids = true;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        assert_taken(f, str_from(rows[i].upload), rows[i].expected);
}

static void
ids_may_be_many(void **state)
{
    struct fixture *f = *state;
    struct buf upload = BUF_INIT, expected = BUF_INIT;

    buf_add_cstr(&expected, "30000|");
    for (int i = 0; i < 30000; i++) {
        buf_addf(&upload, "%c\"document-%d\"", i == 0 ? '[' : ',', i);
        buf_addf(&expected, "\"document-%d\"\n", i);
    }
    buf_add_char(&upload, ']');
    f->conf.ids = true;
    assert_false(take(f, buf_str(&upload)));
    assert_string_equal(buf_cstr(&f->answer), buf_cstr(&expected));
    buf_done(&upload);
    buf_done(&expected);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(small_upload_is_done_at_once),
        TEST(formats_are_honoured),
        TEST(large_upload_is_taken_in_slices),
        TEST(sixty_four_kib_are_small_and_one_more_is_not),
        TEST(compressed_uploads_are_inflated),
        TEST(truncated_or_corrupt_compression_is_refused),
        TEST(empty_uploads_are_missing),
        TEST(malformed_uploads_leave_no_file),
        TEST(limit_is_met_exactly),
        TEST(limit_counts_inflated_bytes),
        TEST(limit_is_shown_in_the_fitting_unit),
        TEST(digest_is_of_the_raw_bytes),
        TEST(free_while_running_cancels),
        TEST(free_inside_done_is_fine),
        TEST(ids_become_strings),
        TEST(ids_refuse_other_types),
        TEST(ids_errors_tell_their_place),
        TEST(ids_may_be_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
