/* The gate: every input has one verdict, however its bytes are cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "net/gate.h"

enum { MAX_HEADER = 512, MAX_URI = 100, MAX_HEADERS = 5 };

/* What the gate said in the end, with the bodies that it let through. */
struct verdict {
    enum gate_state state; /* DONE, REFUSED, or MORE when it wants more */
    enum err_code code;
    struct buf body;
    size_t used;
};

static void
run_piece(struct gate *g, struct str piece, struct verdict *v)
{
    size_t at = 0;
    for (;;) {
        size_t used;
        v->state = gate_feed(g, piece.data + at, piece.len - at, &used);
        at += used;
        v->used += used;
        if (v->state == GATE_BODY) {
            uint64_t run = gate_body_run(g);
            size_t n = run < piece.len - at ? (size_t) run : piece.len - at;
            if (n == 0) {
                v->state = GATE_MORE;
                return;
            }
            buf_add(&v->body, piece.data + at, n);
            gate_body_taken(g, n);
            at += n;
            v->used += n;
        } else if (v->state != GATE_HEAD && (v->state != GATE_MORE || at == piece.len)) {
            return;
        }
    }
}

static struct verdict
run(const struct str *pieces, size_t n)
{
    struct gate g;
    struct verdict v = {.state = GATE_MORE};
    gate_init(&g, (struct gate_limits){MAX_HEADER, MAX_URI, MAX_HEADERS});
    for (size_t i = 0; i < n && v.state == GATE_MORE; i++)
        run_piece(&g, pieces[i], &v);
    v.code = g.err.code;
    gate_done(&g);
    return v;
}

static struct verdict
run_bytes(struct str input)
{
    struct gate g;
    struct verdict v = {.state = GATE_MORE};
    gate_init(&g, (struct gate_limits){MAX_HEADER, MAX_URI, MAX_HEADERS});
    for (size_t i = 0; i < input.len && v.state == GATE_MORE; i++)
        run_piece(&g, str_slice(input, i, i + 1), &v);
    v.code = g.err.code;
    gate_done(&g);
    return v;
}

#define H "Host: a\r\n"
#define S20 "aaaaaaaaaaaaaaaaaaaa"
#define S100 S20 S20 S20 S20 S20
#define OK(name, text, body)                                                                       \
    {                                                                                              \
        name, STR(text), GATE_DONE, ERR_NONE, body                                                 \
    }
#define BAD(name, text)                                                                            \
    {                                                                                              \
        name, STR(text), GATE_REFUSED, ERR_BAD_REQUEST, NULL                                       \
    }
#define NO(name, text, code)                                                                       \
    {                                                                                              \
        name, STR(text), GATE_REFUSED, code, NULL                                                  \
    }
#define MORE(name, text)                                                                           \
    {                                                                                              \
        name, STR(text), GATE_MORE, ERR_NONE, NULL                                                 \
    }
#define CHUNKED "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"

static const struct row {
    const char *name;
    struct str input;
    enum gate_state state;
    enum err_code code;
    const char *body; /* NULL: not looked at */
} rows[] = {
    OK("plain get", "GET / HTTP/1.1\r\n" H "\r\n", ""),
    OK("http 1.0 without host", "GET / HTTP/1.0\r\n\r\n", ""),
    OK("empty lines before", "\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n", ""),
    OK("every method PATCH", "PATCH /a HTTP/1.1\r\n" H "\r\n", ""),
    OK("options asterisk", "OPTIONS * HTTP/1.1\r\n" H "\r\n", ""),
    OK("connect", "CONNECT a:80 HTTP/1.1\r\n" H "\r\n", ""),
    OK("absolute form", "GET http://a/b HTTP/1.1\r\n" H "\r\n", ""),
    OK("raw utf-8 in target", "GET /\xc3\xa9 HTTP/1.1\r\n" H "\r\n", ""),
    OK("empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", ""),
    OK("host with port", "GET / HTTP/1.1\r\nHost: [::1]:7700\r\n\r\n", ""),
    OK("body by length", "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello", "hello"),
    OK("length 0", "POST / HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n", ""),
    OK("get with a body", "GET / HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\n{}", "{}"),
    OK("delete with a body", "DELETE / HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\n{}", "{}"),
    OK("head with length 0", "HEAD / HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n", ""),
    OK("chunks", CHUNKED "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world"),
    OK("chunk size with zeros", CHUNKED "005\r\nhello\r\n000\r\n\r\n", "hello"),
    OK("longest chunk size", CHUNKED "000000000000005\r\nhello\r\n0\r\n\r\n", "hello"),
    OK("as many headers as may be", "GET / HTTP/1.1\r\n" H "A:\r\nB:\r\nC:\r\nD:\r\n\r\n", ""),
    OK("upper-case chunk size", CHUNKED "A\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
    OK("chunk extension", CHUNKED "5;a=b;c=\"d\"\r\nhello\r\n0;x\r\n\r\n", "hello"),
    OK("trailers are dropped", CHUNKED "1\r\nx\r\n0\r\nA: b\r\nC:\r\n\r\n", "x"),
    OK("only the last chunk", CHUNKED "0\r\n\r\n", ""),
    OK("coding in any case", "POST / HTTP/1.1\r\n" H "transfer-encoding: ChunkeD\r\n\r\n0\r\n\r\n",
       ""),
    OK("tab in a value", "GET / HTTP/1.1\r\n" H "A: b\tc\r\n\r\n", ""),
    OK("expect", "POST / HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 1\r\n\r\nx", "x"),
    OK("expect of 1.0 is ignored", "GET / HTTP/1.0\r\nExpect: tea\r\n\r\n", ""),
    OK("target at the limit", "GET /" S20 S20 S20 S20 "aaaaaaaaaaaaaaaaaaa HTTP/1.1\r\n" H "\r\n",
       ""),
    OK("headers at the limit", "GET / HTTP/1.1\r\n" H "A:\r\nB:\r\nC:\r\nD:\r\n\r\n", ""),
    MORE("nothing", ""),
    MORE("half a request line", "GET / HT"),
    MORE("head without its end", "GET / HTTP/1.1\r\n" H),
    MORE("body too short", "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhell"),
    MORE("chunks without an end", CHUNKED "1\r\nx\r\n"),
    MORE("trailers without an end", CHUNKED "0\r\nA: b\r\n"),
    /* pitfalls, table 1 */
    BAD("two lengths",
        "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"),
    BAD("two equal lengths",
        "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"),
    BAD("coding gzip",
        "POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip\r\n\r\nGET /x HTTP/1.1\r\n\r\n"),
    BAD("coding with a vertical tab", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: \x0b"
                                      "chunked\r\n\r\n"),
    BAD("coding list", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n"),
    BAD("coding twice",
        "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
    BAD("coding identity", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n"),
    BAD("empty coding", "POST / HTTP/1.1\r\n" H "Transfer-Encoding:\r\n\r\n"),
    BAD("coding in 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    BAD("space before the colon", "POST / HTTP/1.1\r\n" H "Transfer-Encoding : chunked\r\n\r\n"),
    BAD("coding and length",
        "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"),
    BAD("length and coding",
        "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
    BAD("head with a length", "HEAD / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello"),
    BAD("head with chunks", "HEAD / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    BAD("trace with a body", "TRACE / HTTP/1.1\r\n" H "Content-Length: 1\r\n\r\nx"),
    BAD("connect with a body", "CONNECT a:1 HTTP/1.1\r\n" H "Content-Length: 1\r\n\r\nx"),
    BAD("length with a plus", "POST / HTTP/1.1\r\n" H "Content-Length: +5\r\n\r\nhello"),
    BAD("length with a minus", "POST / HTTP/1.1\r\n" H "Content-Length: -1\r\n\r\n"),
    BAD("length list", "POST / HTTP/1.1\r\n" H "Content-Length: 5, 5\r\n\r\nhello"),
    BAD("length in hexadecimal", "POST / HTTP/1.1\r\n" H "Content-Length: 0x5\r\n\r\nhello"),
    BAD("empty length", "POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\n"),
    BAD("length beyond 2^63",
        "POST / HTTP/1.1\r\n" H "Content-Length: 9223372036854775808\r\n\r\n"),
    BAD("length beyond 2^64",
        "POST / HTTP/1.1\r\n" H "Content-Length: 99999999999999999999\r\n\r\n"),
    BAD("bare line feeds", "GET / HTTP/1.1\nHost: a\n\n"),
    BAD("bare line feed in headers", "GET / HTTP/1.1\r\nHost: a\n\r\n"),
    BAD("bare line feed first", "\nGET / HTTP/1.1\r\n" H "\r\n"),
    BAD("bare carriage return", "GET / HTTP/1.1\r\n" H "A: b\rC: d\r\n\r\n"),
    BAD("folded line", "GET / HTTP/1.1\r\n" H "A: b\r\n c\r\n\r\n"),
    BAD("folded first header", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    BAD("empty header name", "GET / HTTP/1.1\r\n" H ": x\r\n\r\n"),
    BAD("no colon", "GET / HTTP/1.1\r\n" H "Hello\r\n\r\n"),
    BAD("header name with a space", "GET / HTTP/1.1\r\n" H "A b: c\r\n\r\n"),
    BAD("header name with high bytes", "GET / HTTP/1.1\r\n" H "\xc3\xa9: c\r\n\r\n"),
    BAD("nul in a value", "GET / HTTP/1.1\r\n" H "A: b\0c\r\n\r\n"),
    BAD("control in a value", "GET / HTTP/1.1\r\n" H "A: b\x01\r\n\r\n"),
    BAD("delete in a value", "GET / HTTP/1.1\r\n" H "A: b\x7f\r\n\r\n"),
    BAD("nul in the target", "GET /a\0b HTTP/1.1\r\n" H "\r\n"),
    BAD("fragment in the target", "GET /a#b HTTP/1.1\r\n" H "\r\n"),
    BAD("target without a slash", "GET a HTTP/1.1\r\n" H "\r\n"),
    BAD("absolute form of another scheme", "GET ftp://a/b HTTP/1.1\r\n" H "\r\n"),
    BAD("absolute form without a host", "GET http:///b HTTP/1.1\r\n" H "\r\n"),
    BAD("asterisk with get", "GET * HTTP/1.1\r\n" H "\r\n"),
    BAD("no host", "GET / HTTP/1.1\r\n\r\n"),
    BAD("two hosts", "GET / HTTP/1.1\r\n" H "Host: b\r\n\r\n"),
    BAD("two hosts in 1.0", "GET / HTTP/1.0\r\n" H "Host: b\r\n\r\n"),
    BAD("host with a slash", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    BAD("host with user info", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"),
    BAD("no version", "GET /\r\n" H "\r\n"),
    BAD("two spaces", "GET  / HTTP/1.1\r\n" H "\r\n"),
    BAD("space after the version", "GET / HTTP/1.1 \r\n" H "\r\n"),
    BAD("space before the method", " GET / HTTP/1.1\r\n" H "\r\n"),
    BAD("tab for a space", "GET\t/ HTTP/1.1\r\n" H "\r\n"),
    BAD("lower-case version", "GET / http/1.1\r\n" H "\r\n"),
    BAD("tls", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    BAD("three empty lines before", "\r\n\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n"),
    NO("version 1.9", "GET / HTTP/1.9\r\n" H "\r\n", ERR_HTTP_VERSION_NOT_SUPPORTED),
    NO("version 2.0", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ERR_HTTP_VERSION_NOT_SUPPORTED),
    NO("version 0.9", "GET / HTTP/0.9\r\n\r\n", ERR_HTTP_VERSION_NOT_SUPPORTED),
    NO("unknown method", "BREW / HTTP/1.1\r\n" H "\r\n", ERR_NOT_IMPLEMENTED),
    NO("lower-case method", "get / HTTP/1.1\r\n" H "\r\n", ERR_NOT_IMPLEMENTED),
    NO("other expectation", "GET / HTTP/1.1\r\n" H "Expect: tea\r\n\r\n", ERR_EXPECTATION_FAILED),
    NO("target one beyond", "GET /" S100 " HTTP/1.1\r\n" H "\r\n", ERR_URI_TOO_LONG),
    NO("request line without an end", "GET /" S100 S20 S20, ERR_URI_TOO_LONG),
    NO("headers too large", "GET / HTTP/1.1\r\n" H "A: " S100 S100 S100 S100 S100 S20,
       ERR_HEADERS_TOO_LARGE),
    NO("one header too many", "GET / HTTP/1.1\r\n" H "A:\r\nB:\r\nC:\r\nD:\r\nE:\r\n\r\n",
       ERR_HEADERS_TOO_LARGE),
    BAD("chunk size with a prefix", CHUNKED "0x5\r\nhello\r\n0\r\n\r\n"),
    BAD("chunk size with a plus", CHUNKED "+5\r\nhello\r\n0\r\n\r\n"),
    BAD("chunk size with a minus", CHUNKED "-1\r\n\r\n"),
    BAD("chunk size with a space", CHUNKED "5 \r\nhello\r\n0\r\n\r\n"),
    BAD("no chunk size", CHUNKED "\r\nhello\r\n"),
    BAD("chunk size not a number", CHUNKED "g\r\n"),
    BAD("chunk size too long", CHUNKED "0000000000000005\r\nhello\r\n0\r\n\r\n"),
    BAD("chunk size with a bare line feed", CHUNKED "5\nhello\r\n0\r\n\r\n"),
    BAD("junk after a chunk", CHUNKED "5\r\nhelloX\r\n0\r\n\r\n"),
    BAD("bare line feed after a chunk", CHUNKED "5\r\nhello\n0\r\n\r\n"),
    BAD("control in an extension", CHUNKED "5;a\x01\r\nhello\r\n0\r\n\r\n"),
    BAD("extension too long", CHUNKED "5;" S100 S100 S100 "\r\nhello\r\n0\r\n\r\n"),
    BAD("folded trailer", CHUNKED "0\r\nA: b\r\n c\r\n\r\n"),
    BAD("trailer without a colon", CHUNKED "0\r\nA\r\n\r\n"),
    BAD("bare line feed in trailers", CHUNKED "0\r\nA: b\n\r\n"),
    BAD("request instead of a trailer's end", CHUNKED "0\r\nGET / HTTP/1.1\r\n\r\n"),
};

static void
check(const struct row *row, struct verdict v, const char *how)
{
    if (v.state != row->state || v.code != row->code)
        fail_msg("%s (%s): state %d code %d", row->name, how, (int) v.state, (int) v.code);
    if (row->body != NULL && !str_is(buf_str(&v.body), row->body))
        fail_msg("%s (%s): body `%.*s`", row->name, how, STR_ARG(buf_str(&v.body)));
    buf_done(&v.body);
}

static void
every_input_has_its_verdict(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(&rows[i], run(&rows[i].input, 1), "at once");
}

static void
every_cut_gives_the_same_verdict(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct str all = rows[i].input;
        for (size_t at = 1; at < all.len; at++) {
            struct str pieces[2] = {str_slice(all, 0, at), str_slice(all, at, all.len)};
            check(&rows[i], run(pieces, 2), "in two pieces");
        }
    }
}

static void
byte_by_byte_gives_the_same_verdict(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(&rows[i], run_bytes(rows[i].input), "byte by byte");
}

static void
complete_request_ends_where_the_next_begins(void **state)
{
    (void) state;
    static const char *const first[] = {
        "GET / HTTP/1.1\r\n" H "\r\n",
        "POST / HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc",
        CHUNKED "3\r\nabc\r\n0\r\nT: x\r\n\r\n",
    };
    for (size_t i = 0; i < 3; i++) {
        struct buf both = BUF_INIT;
        buf_addf(&both, "%sGET /next HTTP/1.1\r\n\r\n", first[i]);
        struct str input = buf_str(&both);
        struct verdict v = run(&input, 1);
        assert_int_equal(v.state, GATE_DONE);
        assert_int_equal(v.used, strlen(first[i]));
        buf_done(&v.body);
        buf_done(&both);
    }
}

static void
head_is_read_in_its_parts(void **state)
{
    (void) state;
    struct gate g;
    struct verdict v = {0};
    struct str input =
        STR("GET //a/b?q=1?2 HTTP/1.1\r\nhost: h\r\nX-One:  two \t\r\nx-one: three\r\n"
            "Connection: Keep-Alive, close\r\n\r\n");
    gate_init(&g, (struct gate_limits){MAX_HEADER, MAX_URI, MAX_HEADERS});
    run_piece(&g, input, &v);
    assert_int_equal(v.state, GATE_DONE);
    assert_int_equal(g.head.method, HTTP_GET);
    assert_true(str_is(g.head.path, "//a/b"));
    assert_true(str_is(g.head.query, "q=1?2"));
    assert_true(str_is(gate_header(&g, "X-ONE"), "two"));
    assert_null(gate_header(&g, "X-Two").data);
    assert_true(g.head.wants_close);
    gate_done(&g);
}

static void
target_of_a_url_gives_its_path(void **state)
{
    (void) state;
    static const struct {
        const char *line, *path, *query;
    } cases[] = {
        {"GET http://a:1/b?c HTTP/1.1", "/b", "c"},
        {"GET HTTPS://a HTTP/1.1", "/", ""},
        {"GET http://a?c HTTP/1.1", "/", "c"},
        {"GET /?c HTTP/1.1", "/", "c"},
    };
    for (size_t i = 0; i < 4; i++) {
        struct gate g;
        struct verdict v = {0};
        struct buf text = BUF_INIT;
        gate_init(&g, (struct gate_limits){MAX_HEADER, MAX_URI, MAX_HEADERS});
        buf_addf(&text, "%s\r\n" H "\r\n", cases[i].line);
        run_piece(&g, buf_str(&text), &v);
        assert_int_equal(v.state, GATE_DONE);
        assert_true(str_is(g.head.path, cases[i].path));
        assert_true(str_is(g.head.query, cases[i].query));
        gate_done(&g);
        buf_done(&text);
    }
}

static void
reset_gate_reads_the_next_request(void **state)
{
    (void) state;
    struct gate g;
    struct verdict v = {0};
    gate_init(&g, (struct gate_limits){MAX_HEADER, MAX_URI, MAX_HEADERS});
    for (int i = 0; i < 3; i++) {
        run_piece(&g, STR(CHUNKED "2\r\nab\r\n0\r\n\r\n"), &v);
        assert_int_equal(v.state, GATE_DONE);
        gate_reset(&g);
        assert_false(gate_has_begun(&g));
        run_piece(&g, STR("GET /b HTTP/1.0\r\n\r\n"), &v);
        assert_int_equal(v.state, GATE_DONE);
        assert_false(gate_has_body(&g));
        assert_true(g.head.wants_close);
        gate_reset(&g);
    }
    buf_done(&v.body);
    gate_done(&g);
}

/* Feeds `before`, n times 'a', `after`: the code of the refusal, ERR_NONE when the request is
 * complete. */
static enum err_code
code_with_run(const char *before, size_t n, const char *after)
{
    struct buf b = BUF_INIT;
    buf_add_cstr(&b, before);
    for (size_t i = 0; i < n; i++)
        buf_add_char(&b, 'a');
    buf_add_cstr(&b, after);
    struct str input = buf_str(&b);
    struct verdict v = run(&input, 1);
    assert_int_equal(v.state, v.code == ERR_NONE ? GATE_DONE : GATE_REFUSED);
    buf_done(&v.body);
    buf_done(&b);
    return v.code;
}

static void
every_limit_is_exact(void **state)
{
    (void) state;
    static const char get[] = "GET / HTTP/1.1\r\n" H "A:";
    static const char chunk_end[] = "\r\nx\r\n0\r\n\r\n";
    static const struct {
        const char *before, *after;
        size_t max;
        enum err_code beyond;
    } limits[] = {
        {"GET /", " HTTP/1.1\r\n" H "\r\n", MAX_URI - 1, ERR_URI_TOO_LONG},
        {get, "\r\n\r\n", MAX_HEADER - (sizeof(get) - 1) - 4, ERR_HEADERS_TOO_LARGE},
        {CHUNKED "1;", chunk_end, 256, ERR_BAD_REQUEST},
        {CHUNKED "1\r\nx\r\n0\r\nT:", "\r\n\r\n", 8192 - 4, ERR_HEADERS_TOO_LARGE},
    };
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        assert_int_equal(code_with_run(limits[i].before, limits[i].max, limits[i].after), ERR_NONE);
        assert_int_equal(code_with_run(limits[i].before, limits[i].max + 1, limits[i].after),
                         limits[i].beyond);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_input_has_its_verdict),
        cmocka_unit_test(every_cut_gives_the_same_verdict),
        cmocka_unit_test(byte_by_byte_gives_the_same_verdict),
        cmocka_unit_test(every_limit_is_exact),
        cmocka_unit_test(complete_request_ends_where_the_next_begins),
        cmocka_unit_test(head_is_read_in_its_parts),
        cmocka_unit_test(target_of_a_url_gives_its_path),
        cmocka_unit_test(reset_gate_reads_the_next_request),
    };
    return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}
