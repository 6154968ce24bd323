/* The header lines of an outgoing request: defaults, the caller's, framing. The only place that
 * decides which header is sent; whatever could break the framing is dropped or refused here. */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/mem.h"
#include "codec/digest.h"
#include "net/http_client_internal.h"

/* Framing and connection management are ours; a caller's line of these names is not sent. */
static const char *const ignored[] = {
    "Connection",          "Content-Length",   "Expect", "Keep-Alive",
    "Proxy-Authorization", "Proxy-Connection", "TE",     "Trailer",
    "Transfer-Encoding",   "Upgrade",
};

/* Names that make sense once: a later line replaces the earlier one. Others are repeated. */
static const char *const single[] = {
    "Accept", "Accept-Encoding", "Authorization", "Content-Encoding", "Content-Type",
    "Host",   "User-Agent",
};

enum { N_OWN = 6 /* lines at most beside the caller's */ };

static const struct {
    const char *name;
    enum evhttp_cmd_type type;
} methods[] = {
    {"GET", EVHTTP_REQ_GET},         {"HEAD", EVHTTP_REQ_HEAD},   {"POST", EVHTTP_REQ_POST},
    {"PUT", EVHTTP_REQ_PUT},         {"PATCH", EVHTTP_REQ_PATCH}, {"DELETE", EVHTTP_REQ_DELETE},
    {"OPTIONS", EVHTTP_REQ_OPTIONS},
};

int
http_client_method(const char *name, enum evhttp_cmd_type *ret)
{
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (strcmp(methods[i].name, name) != 0)
            continue;
        *ret = methods[i].type;
        return 0;
    }
    return -1;
}

static bool
is_one_of(const char *name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((*name | 0x20) == (*names[i] | 0x20) && strcasecmp(name, names[i]) == 0)
            return true;
    return false;
}

static bool
is_token(const char *s)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    if (*s == '\0')
        return false;
    for (; *s != '\0'; s++) {
        bool is_alnum =
            (*s >= '0' && *s <= '9') || (*s >= 'A' && *s <= 'Z') || (*s >= 'a' && *s <= 'z');
        if (!is_alnum && strchr(others, *s) == NULL)
            return false;
    }
    return true;
}

static bool
is_value(const char *s)
{
    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char) *s;
        if ((c < 0x20 && c != '\t') || c == 0x7F)
            return false;
    }
    return true;
}

/* --- the lines, borrowed --------------------------------------------------------------------- */

struct line {
    const char *name, *value;
};
struct lines {
    struct line *rows; /* room for all */
    size_t n;
};

static void
put(struct lines *l, const char *name, const char *value)
{
    size_t at = l->n;
    if (is_one_of(name, single, sizeof(single) / sizeof(single[0]))) {
        for (at = 0; at < l->n && strcasecmp(l->rows[at].name, name) != 0;)
            at++;
    }
    l->rows[at] = (struct line){name, value};
    l->n += at == l->n;
}

static void
add_decoded(struct buf *out, const char *s)
{
    for (; s != NULL && *s != '\0'; s++) {
        int high = *s == '%' ? str_hex_value(s[1]) : -1;
        int low = high >= 0 ? str_hex_value(s[2]) : -1;
        if (low >= 0)
            s += 2;
        buf_add_char(out, low >= 0 ? (char) (high * 16 + low) : *s);
    }
}

/* User name and password of the URL (RFC 7617). */
static void
write_basic(struct buf *out, const struct url *u)
{
    struct buf plain = BUF_INIT;
    add_decoded(&plain, u->username);
    buf_add_char(&plain, ':');
    add_decoded(&plain, u->password);
    buf_add_cstr(out, "Basic ");
    base64_encode(out, buf_str(&plain));
    mem_wipe(plain.data, plain.len);
    buf_done(&plain);
}

static int
put_callers(struct lines *l, const struct http_client_request *request, struct buf *why)
{
    for (size_t i = 0; i < request->n_headers; i++) {
        const struct http_header *h = &request->headers[i];
        if (!is_token(h->name) || !is_value(h->value)) {
            buf_addf(why, "the request header `%s` cannot be sent", h->name);
            return -1;
        }
        if (!is_one_of(h->name, ignored, sizeof(ignored) / sizeof(ignored[0])))
            put(l, h->name, h->value);
    }
    return 0;
}

struct str
http_headers_find(struct str lines, struct str name)
{
    struct str line, key;
    while (str_split(&lines, '\n', &line)) {
        if (str_split(&line, ':', &key) && str_equal_nocase(key, name))
            return line.data != NULL ? str_trim(line) : STR("");
    }
    return STR_NULL;
}

/* --- the head -------------------------------------------------------------------------------- */

/* Values that are made for the request. */
struct made {
    struct buf target, host, basic;
    char length[24];
};

static void
make(struct made *m, const struct http_client_request *request)
{
    const struct url *u = request->url;
    url_write_origin_form(&m->target, u);
    url_write_host_header(&m->host, u);
    if (u->username != NULL)
        write_basic(&m->basic, u);
    (void) snprintf(m->length, sizeof(m->length), "%zu", request->body.len);
}

static void
made_done(struct made *m)
{
    mem_wipe(m->target.data, m->target.len);
    mem_wipe(m->basic.data, m->basic.len);
    buf_done(&m->target);
    buf_done(&m->host);
    buf_done(&m->basic);
}

static bool
has_content(const struct http_client_request *request)
{
    return request->body.len > 0 || strcmp(request->method, "POST") == 0 ||
           strcmp(request->method, "PUT") == 0 || strcmp(request->method, "PATCH") == 0;
}

static void
write_head(struct buf *head, const char *method, struct str target, const struct lines *l)
{
    size_t len = strlen(method) + target.len + sizeof("  HTTP/1.1\r\n\r\n");
    for (size_t i = 0; i < l->n; i++)
        len += strlen(l->rows[i].name) + strlen(l->rows[i].value) + sizeof(": \r\n");
    if (!buf_reserve(head, len)) /* at once: growing would leave copies of tokens behind */
        return;
    buf_add_cstr(head, method);
    buf_add_char(head, ' ');
    buf_add_str(head, target);
    buf_add_str(head, STR(" HTTP/1.1\r\n"));
    for (size_t i = 0; i < l->n; i++) {
        buf_add_cstr(head, l->rows[i].name);
        buf_add_str(head, STR(": "));
        buf_add_cstr(head, l->rows[i].value);
        buf_add_str(head, STR("\r\n"));
    }
    buf_add_str(head, STR("\r\n"));
}

int
http_client_head_build(struct buf *head, const struct http_client_request *request,
                       const char *user_agent, struct buf *why)
{
    struct made made = {0};
    struct lines l = {.rows = mem_new(request->n_headers + N_OWN, sizeof(*l.rows))};
    make(&made, request);
    put(&l, "Host", buf_cstr(&made.host));
    put(&l, "User-Agent", user_agent);
    put(&l, "Accept", "*/*");
    put(&l, "Accept-Encoding", "gzip");
    if (made.basic.len > 0)
        put(&l, "Authorization", buf_cstr(&made.basic));
    int rc = put_callers(&l, request, why);
    if (has_content(request))
        put(&l, "Content-Length", made.length);
    if (rc == 0)
        write_head(head, request->method, buf_str(&made.target), &l);
    if (rc == 0 && buf_failed(head)) {
        buf_add_cstr(why, "no memory for the request's head");
        rc = -1;
    }
    made_done(&made);
    free(l.rows);
    return rc;
}
