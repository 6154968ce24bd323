/* The meaning of a complete request head: request line, fields, and the few fields that decide
 * about framing. Entered from gate.c once the empty line has come. */
#include <stdlib.h>

#include "base/mem.h"
#include "net/gate.h"

/* RFC 9110, 5.6.2 */
bool
gate_is_token_char(unsigned char c)
{
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
        return true;
    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static bool
is_token(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!gate_is_token_char((unsigned char) s.data[i]))
            return false;
    }
    return s.len > 0;
}

static int
bad(struct gate *g, const char *why)
{
    return err_set(&g->err, ERR_BAD_REQUEST, "The request is malformed: %s.", why);
}

/* --- request line -------------------------------------------------------------------------- */

static int
parse_version(struct gate *g, struct str version)
{
    if (version.len != 8 || !str_starts_with(version, "HTTP/") || version.data[6] != '.' ||
        version.data[5] < '0' || version.data[5] > '9' || version.data[7] < '0' ||
        version.data[7] > '9')
        return bad(g, "the request line has no HTTP version");
    if (!str_is(version, "HTTP/1.1") && !str_is(version, "HTTP/1.0"))
        return err_set(&g->err, ERR_HTTP_VERSION_NOT_SUPPORTED,
                       "The version `%.*s` is not supported: this server speaks HTTP/1.1.",
                       STR_ARG(version));
    g->head.is_http_1_0 = version.data[7] == '0';
    return 0;
}

static int
parse_method(struct gate *g, struct str method)
{
    if (!is_token(method))
        return bad(g, "the method is not a token");
    if (http_method_parse(method, &g->head.method))
        return 0;
    return err_set(&g->err, ERR_NOT_IMPLEMENTED, "The method `%.*s` is not implemented.",
                   (int) (method.len > 32 ? 32 : method.len), method.data);
}

/* The path of an absolute-form target ("http://host:port/path?query"), NULL data when it is none.
 */
static struct str
after_authority(struct str target)
{
    size_t scheme = 0;
    if (target.len >= 7 && str_equal_nocase(str_slice(target, 0, 7), STR("http://")))
        scheme = 7;
    else if (target.len >= 8 && str_equal_nocase(str_slice(target, 0, 8), STR("https://")))
        scheme = 8;
    if (scheme == 0)
        return STR_NULL;
    size_t end = scheme;
    while (end < target.len && target.data[end] != '/' && target.data[end] != '?')
        end++;
    return end == scheme ? STR_NULL : str_slice(target, end, target.len);
}

static int
parse_target(struct gate *g, struct str target)
{
    if (target.len > g->limits.max_uri_bytes)
        return err_set(&g->err, ERR_URI_TOO_LONG, "The request target is longer than %zu bytes.",
                       g->limits.max_uri_bytes);
    for (size_t i = 0; i < target.len; i++) {
        unsigned char c = (unsigned char) target.data[i];
        if (c <= ' ' || c == 0x7f || c == '#')
            return bad(g, "the request target holds a character that must be percent-encoded");
    }
    if (target.len == 0)
        return bad(g, "the request target is missing");
    bool is_asterisk = g->head.method == HTTP_OPTIONS && str_is(target, "*");
    if (g->head.method == HTTP_CONNECT || is_asterisk) {
        g->head.path = target;
        return 0;
    }
    struct str rest = target.data[0] == '/' ? target : after_authority(target);
    if (rest.data == NULL)
        return bad(g, "the request target is neither a path nor an http URL");
    size_t mark = str_find(rest, '?', 0);
    g->head.path = mark == 0 ? STR("/") : str_slice(rest, 0, mark);
    g->head.query = str_slice(rest, mark + 1, rest.len);
    return 0;
}

static int
parse_request_line(struct gate *g, struct str line)
{
    size_t first = str_find(line, ' ', 0);
    size_t second = first < line.len ? str_find(line, ' ', first + 1) : line.len;
    if (second >= line.len || str_find(line, ' ', second + 1) != line.len)
        return bad(g, "the request line is not `METHOD target HTTP/1.1`");
    if (parse_version(g, str_slice(line, second + 1, line.len)) < 0 ||
        parse_method(g, str_slice(line, 0, first)) < 0)
        return -1;
    return parse_target(g, str_slice(line, first + 1, second));
}

/* --- fields -------------------------------------------------------------------------------- */

static int
add_field(struct gate *g, struct str line)
{
    if (line.data[0] == ' ' || line.data[0] == '\t')
        return bad(g, "a header line is folded");
    size_t colon = str_find(line, ':', 0);
    if (colon == line.len)
        return bad(g, "a header line has no colon");
    struct gate_field field = {.name = str_slice(line, 0, colon),
                               .value = str_slice(line, colon + 1, line.len)};
    if (!is_token(field.name))
        return bad(g, "a header name is not a token");
    for (size_t i = 0; i < field.value.len; i++) {
        unsigned char c = (unsigned char) field.value.data[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return bad(g, "a header value holds a control character");
    }
    field.value = str_trim(field.value);
    struct gate_head *h = &g->head;
    if (h->n_fields == g->fields_cap) {
        g->fields_cap = g->fields_cap == 0 ? 8 : g->fields_cap * 2;
        h->fields = mem_grow(h->fields, g->fields_cap, sizeof(*h->fields));
    }
    h->fields[h->n_fields++] = field;
    return 0;
}

/* The fields that decide about framing and connection, counted over all lines of the head. */
struct framing {
    struct gate *g;
    unsigned n_host, n_length, n_coding;
    bool has_close, has_keep_alive;
};

static int
on_content_length(struct framing *f, struct str value)
{
    if (++f->n_length > 1)
        return bad(f->g, "there is more than one Content-Length");
    if (value.len == 0 || !str_to_u64(value, INT64_MAX, &f->g->head.content_length))
        return bad(f->g, "the Content-Length is not a decimal number");
    return 0;
}

static int
on_transfer_encoding(struct framing *f, struct str value)
{
    if (++f->n_coding > 1 || !str_equal_nocase(value, STR("chunked")))
        return bad(f->g, "the only Transfer-Encoding that is understood is `chunked`, once");
    if (f->g->head.is_http_1_0)
        return bad(f->g, "HTTP/1.0 has no Transfer-Encoding");
    f->g->head.is_chunked = true;
    return 0;
}

static int
on_host(struct framing *f, struct str value)
{
    if (++f->n_host > 1)
        return bad(f->g, "there is more than one Host");
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char) value.data[i];
        bool is_plain = gate_is_token_char(c) && c != '#' && c != '^' && c != '`' && c != '|';
        if (!is_plain && strchr(":[](),;=", c) == NULL)
            return bad(f->g, "the Host is not a host name");
    }
    return 0;
}

static int
on_connection(struct framing *f, struct str value)
{
    struct str token;
    while (str_split(&value, ',', &token)) {
        token = str_trim(token);
        if (str_equal_nocase(token, STR("close")))
            f->has_close = true;
        else if (str_equal_nocase(token, STR("keep-alive")))
            f->has_keep_alive = true;
    }
    return 0;
}

static int
on_expect(struct framing *f, struct str value)
{
    if (f->g->head.is_http_1_0)
        return 0; /* must be ignored: RFC 9110, 10.1.1 */
    if (!str_equal_nocase(value, STR("100-continue")))
        return err_set(&f->g->err, ERR_EXPECTATION_FAILED,
                       "The only expectation that is understood is `100-continue`.");
    f->g->head.expects_continue = true;
    return 0;
}

static const struct {
    struct str name;
    int (*fn)(struct framing *f, struct str value);
} deciding_fields[] = {
    {{"Host", 4}, on_host},
    {{"Connection", 10}, on_connection},
    {{"Content-Length", 14}, on_content_length},
    {{"Transfer-Encoding", 17}, on_transfer_encoding},
    {{"Expect", 6}, on_expect},
};

static int
judge_field(struct framing *f, const struct gate_field *field)
{
    for (size_t i = 0; i < sizeof(deciding_fields) / sizeof(deciding_fields[0]); i++) {
        if (str_equal_nocase(field->name, deciding_fields[i].name))
            return deciding_fields[i].fn(f, field->value);
    }
    return 0;
}

static int
judge_framing(struct framing *f)
{
    struct gate_head *h = &f->g->head;
    if (f->n_coding > 0 && f->n_length > 0)
        return bad(f->g, "there are both Content-Length and Transfer-Encoding");
    if (f->n_host == 0 && !h->is_http_1_0)
        return bad(f->g, "there is no Host");
    bool takes_body =
        h->method != HTTP_HEAD && h->method != HTTP_TRACE && h->method != HTTP_CONNECT;
    if (!takes_body && (h->is_chunked || h->content_length > 0))
        return bad(f->g, "a request of this method has no body");
    h->wants_close = f->has_close || (h->is_http_1_0 && !f->has_keep_alive);
    return 0;
}

/* The line at *at without its CRLF; moves *at past it. */
static struct str
take_line(const struct gate *g, size_t *at)
{
    struct str all = buf_str(&g->bytes);
    size_t end = str_find(all, '\n', *at);
    struct str line = str_slice(all, *at, end - 1);
    *at = end + 1;
    return line;
}

int
gate_parse_head(struct gate *g)
{
    struct framing f = {.g = g};
    size_t at = 0;
    if (parse_request_line(g, take_line(g, &at)) < 0)
        return -1;
    for (;;) {
        struct str line = take_line(g, &at);
        if (line.len == 0)
            return judge_framing(&f);
        if (add_field(g, line) < 0 || judge_field(&f, &g->head.fields[g->head.n_fields - 1]) < 0)
            return -1;
    }
}
