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
        if (strcasecmp(name, names[i]) == 0)
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

static struct http_client_line *
find(struct http_client_head *head, const char *name)
{
    for (size_t i = 0; i < head->n; i++)
        if (strcasecmp(head->rows[i].name, name) == 0)
            return &head->rows[i];
    return NULL;
}

static void
line_done(struct http_client_line *line)
{
    mem_wipe(line->value, strlen(line->value));
    free(line->name);
    free(line->value);
}

static void
put(struct http_client_head *head, const char *name, const char *value)
{
    struct http_client_line *line = NULL;
    if (is_one_of(name, single, sizeof(single) / sizeof(single[0])))
        line = find(head, name);
    if (line != NULL) {
        line_done(line);
    } else {
        head->rows = mem_grow(head->rows, head->n + 1, sizeof(*head->rows));
        line = &head->rows[head->n++];
    }
    *line = (struct http_client_line){.name = mem_strdup(name), .value = mem_strdup(value)};
}

static void
put_host(struct http_client_head *head, const struct url *u)
{
    struct buf value = BUF_INIT;
    url_write_host_header(&value, u);
    put(head, "Host", buf_cstr(&value));
    buf_done(&value);
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
put_basic(struct http_client_head *head, const struct url *u)
{
    struct buf plain = BUF_INIT, value = BUF_INIT;
    if (u->username == NULL)
        return;
    add_decoded(&plain, u->username);
    buf_add_char(&plain, ':');
    add_decoded(&plain, u->password);
    buf_add_cstr(&value, "Basic ");
    base64_encode(&value, buf_str(&plain));
    put(head, "Authorization", buf_cstr(&value));
    mem_wipe(plain.data, plain.len);
    mem_wipe(value.data, value.len);
    buf_done(&plain);
    buf_done(&value);
}

static int
put_callers(struct http_client_head *head, const struct http_client_request *request,
            struct buf *why)
{
    for (size_t i = 0; i < request->n_headers; i++) {
        const struct http_header *h = &request->headers[i];
        if (!is_token(h->name) || !is_value(h->value)) {
            buf_addf(why, "the request header `%s` cannot be sent", h->name);
            return -1;
        }
        if (!is_one_of(h->name, ignored, sizeof(ignored) / sizeof(ignored[0])))
            put(head, h->name, h->value);
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

int
http_client_head_build(struct http_client_head *head, const struct http_client_request *request,
                       const char *user_agent, struct buf *why)
{
    char length[24];
    put_host(head, request->url);
    put(head, "User-Agent", user_agent);
    put(head, "Accept", "*/*");
    put(head, "Accept-Encoding", "gzip");
    put_basic(head, request->url);
    if (put_callers(head, request, why) < 0)
        return -1;
    bool has_content = request->body.len > 0 || strcmp(request->method, "POST") == 0 ||
                       strcmp(request->method, "PUT") == 0 || strcmp(request->method, "PATCH") == 0;
    if (has_content) {
        (void) snprintf(length, sizeof(length), "%zu", request->body.len);
        put(head, "Content-Length", length);
    }
    return 0;
}

void
http_client_head_done(struct http_client_head *head)
{
    for (size_t i = 0; i < head->n; i++)
        line_done(&head->rows[i]);
    free(head->rows);
    *head = (struct http_client_head){0};
}
