/* The URL parser (WHATWG URL Standard, without a base URL). Owns schemes, userinfo, ports, paths
 * and queries; hosts are url_host.c. Pure functions: nothing is looked up or requested here. */
#include "net/url.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "base/mem.h"
#include "net/url_host.h"

/* The standard's percent-encode sets, beside controls and non-ASCII; each is tested as written. */
static const char fragment_set[] = " \"<>`";
static const char query_set[] = " \"#<>";
static const char special_query_set[] = " \"#<>'";
static const char path_set[] = " \"#<>?^`{}";
static const char userinfo_set[] = " \"#<>?^`{}/:;=@[\\]|";

static const struct {
    const char *scheme;
    int port; /* -1: none */
} special_schemes[] = {
    {"http", 80}, {"https", 443}, {"ws", 80}, {"wss", 443}, {"ftp", 21}, {"file", -1},
};

/* A URL under construction; moved to the caller's only on success. */
struct parse {
    struct str rest; /* what is left of the cleaned text */
    struct url url;
    struct buf *why;
    bool is_file;
};

static int
fail(struct parse *p, const char *reason)
{
    buf_add_cstr(p->why, reason);
    return -1;
}

static bool
is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Special schemes take '\' for '/'. */
static bool
is_slash(const struct parse *p, char c)
{
    return c == '/' || (c == '\\' && p->url.is_special);
}

void
url_percent_encode(struct buf *out, struct str s, const char *also)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char) s.data[i];
        if (c >= 0x20 && c < 0x7F && strchr(also, c) == NULL) {
            buf_add_char(out, (char) c);
            continue;
        }
        char escape[3] = {'%', hex[c >> 4], hex[c & 15]};
        buf_add(out, escape, sizeof(escape));
    }
}

/* Blanks and controls at the ends go, tabs and newlines go everywhere. */
static void
clean(struct buf *out, struct str text)
{
    while (text.len > 0 && (unsigned char) text.data[0] <= 0x20)
        text = str_slice(text, 1, text.len);
    while (text.len > 0 && (unsigned char) text.data[text.len - 1] <= 0x20)
        text.len--;
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] != '\t' && text.data[i] != '\n' && text.data[i] != '\r')
            buf_add_char(out, text.data[i]);
}

static char *
encoded(struct str s, const char *set)
{
    struct buf out = BUF_INIT;
    url_percent_encode(&out, s, set);
    return buf_take(&out);
}

static int
scheme_default_port(const char *scheme)
{
    for (size_t i = 0; i < sizeof(special_schemes) / sizeof(special_schemes[0]); i++)
        if (strcmp(special_schemes[i].scheme, scheme) == 0)
            return special_schemes[i].port;
    return -1;
}

static bool
scheme_is_special(const char *scheme)
{
    for (size_t i = 0; i < sizeof(special_schemes) / sizeof(special_schemes[0]); i++)
        if (strcmp(special_schemes[i].scheme, scheme) == 0)
            return true;
    return false;
}

static int
parse_scheme(struct parse *p)
{
    size_t n = 0;
    struct str s = p->rest;
    if (s.len == 0 || !is_alpha(s.data[0]))
        return fail(p, "relative URL without a base");
    while (n < s.len && (is_alpha(s.data[n]) || is_digit(s.data[n]) || s.data[n] == '+' ||
                         s.data[n] == '-' || s.data[n] == '.'))
        n++;
    if (n == s.len || s.data[n] != ':')
        return fail(p, "relative URL without a base");
    p->url.scheme = mem_strndup(s.data, n);
    for (char *c = p->url.scheme; *c != '\0'; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char) (*c + 0x20);
    p->url.is_special = scheme_is_special(p->url.scheme);
    p->is_file = strcmp(p->url.scheme, "file") == 0;
    p->rest = str_slice(s, n + 1, s.len);
    return 0;
}

/* Cuts the piece up to the first of the stops off the rest. */
static struct str
take_until(struct parse *p, bool slash_stops, const char *stops)
{
    size_t n = 0;
    while (n < p->rest.len && !(slash_stops && is_slash(p, p->rest.data[n])) &&
           (p->rest.data[n] == '\0' || strchr(stops, p->rest.data[n]) == NULL))
        n++;
    struct str piece = str_slice(p->rest, 0, n);
    p->rest = str_slice(p->rest, n, p->rest.len);
    return piece;
}

static void
set_userinfo(struct parse *p, struct str userinfo)
{
    size_t colon = str_find(userinfo, ':', 0);
    struct str user = str_slice(userinfo, 0, colon);
    struct str password = str_slice(userinfo, colon + 1, userinfo.len);
    if (user.len == 0 && password.len == 0)
        return;
    p->url.username = encoded(user, userinfo_set);
    if (password.len > 0)
        p->url.password = encoded(password, userinfo_set);
}

static int
parse_port(struct parse *p, struct str digits)
{
    uint64_t port;
    if (digits.len == 0)
        return 0;
    while (digits.len > 1 && digits.data[0] == '0')
        digits = str_slice(digits, 1, digits.len);
    if (!str_to_u64(digits, 65535, &port))
        return fail(p, "invalid port number");
    if ((int) port != scheme_default_port(p->url.scheme))
        p->url.port = (int) port;
    return 0;
}

static int
set_host(struct parse *p, struct str host)
{
    struct buf out = BUF_INIT;
    int rc = 0;
    if (host.len > 0)
        rc = url_host_parse(host, p->url.is_special, &out, &p->url, p->why);
    p->url.host = buf_take(&out);
    p->url.has_authority = true;
    return rc;
}

/* The ':' in front of the port; those inside brackets do not count. */
static size_t
find_port_colon(struct str s)
{
    bool in_brackets = false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] == '[')
            in_brackets = true;
        else if (s.data[i] == ']')
            in_brackets = false;
        else if (s.data[i] == ':' && !in_brackets)
            return i;
    }
    return s.len;
}

static int
parse_authority(struct parse *p)
{
    struct str authority = take_until(p, true, "?#");
    size_t at = authority.len;
    while (at > 0 && authority.data[at - 1] != '@')
        at--;
    bool has_userinfo = at > 0;
    if (has_userinfo)
        set_userinfo(p, str_slice(authority, 0, at - 1));
    struct str rest = str_slice(authority, at, authority.len);
    size_t colon = find_port_colon(rest);
    struct str host = str_slice(rest, 0, colon);
    if (host.len == 0 && (p->url.is_special || has_userinfo || colon < rest.len))
        return fail(p, "empty host");
    if (set_host(p, host) < 0)
        return -1;
    return parse_port(p, str_slice(rest, colon + 1, rest.len));
}

static int
parse_file_host(struct parse *p)
{
    struct str host = STR_NULL;
    if (p->rest.len >= 2 && is_slash(p, p->rest.data[0]) && is_slash(p, p->rest.data[1])) {
        p->rest = str_slice(p->rest, 2, p->rest.len);
        host = take_until(p, true, "?#");
    }
    if (set_host(p, host) < 0)
        return -1;
    if (strcmp(p->url.host, "localhost") == 0)
        p->url.host[0] = '\0';
    return 0;
}

/* 1 for ".", 2 for "..", with %2e for a dot; 0 otherwise. */
static int
count_dots(struct str segment)
{
    int dots = 0;
    while (segment.len > 0) {
        size_t n = segment.data[0] == '.' ? 1 : 0;
        if (n == 0 && str_equal_nocase(str_slice(segment, 0, 3), STR("%2e")))
            n = 3;
        if (n == 0 || ++dots > 2)
            return 0;
        segment = str_slice(segment, n, segment.len);
    }
    return dots;
}

static void
drop_last_segment(struct buf *path)
{
    while (path->len > 0 && path->data[path->len - 1] != '/')
        path->len--;
    if (path->len > 0)
        path->len--;
}

/* Segments with their leading '/'; "." and ".." are resolved. */
static void
parse_path(struct parse *p)
{
    struct buf path = BUF_INIT;
    if (p->rest.len > 0 && is_slash(p, p->rest.data[0]))
        p->rest = str_slice(p->rest, 1, p->rest.len);
    else if (!p->url.is_special && (p->rest.len == 0 || strchr("?#", p->rest.data[0]) != NULL)) {
        p->url.path = buf_take(&path);
        return;
    }
    for (;;) {
        struct str segment = take_until(p, true, "?#");
        bool is_last = p->rest.len == 0 || !is_slash(p, p->rest.data[0]);
        int dots = count_dots(segment);
        if (dots == 2)
            drop_last_segment(&path);
        if (dots == 0 || is_last) {
            buf_add_char(&path, '/');
            if (dots == 0)
                url_percent_encode(&path, segment, path_set);
        }
        if (is_last)
            break;
        p->rest = str_slice(p->rest, 1, p->rest.len);
    }
    p->url.path = buf_take(&path);
}

static void
parse_tail(struct parse *p)
{
    if (p->rest.len > 0 && p->rest.data[0] == '?') {
        p->rest = str_slice(p->rest, 1, p->rest.len);
        struct str query = take_until(p, false, "#");
        p->url.query = encoded(query, p->url.is_special ? special_query_set : query_set);
    }
    if (p->rest.len > 0)
        p->url.fragment = encoded(str_slice(p->rest, 1, p->rest.len), fragment_set);
}

static int
parse_hierarchy(struct parse *p)
{
    int rc = 0;
    if (p->is_file) {
        rc = parse_file_host(p);
    } else if (p->url.is_special) {
        while (p->rest.len > 0 && is_slash(p, p->rest.data[0]))
            p->rest = str_slice(p->rest, 1, p->rest.len);
        rc = parse_authority(p);
    } else if (str_starts_with(p->rest, "//")) {
        p->rest = str_slice(p->rest, 2, p->rest.len);
        rc = parse_authority(p);
    } else {
        p->url.host = mem_strdup("");
        if (!str_starts_with(p->rest, "/")) {
            p->url.path = encoded(take_until(p, false, "?#"), "");
            return 0;
        }
    }
    if (rc == 0)
        parse_path(p);
    return rc;
}

int
url_parse(struct str text, struct url *ret, struct buf *why)
{
    struct buf cleaned = BUF_INIT;
    clean(&cleaned, text);
    struct parse p = {.rest = buf_str(&cleaned), .url = {.port = -1}, .why = why};
    int rc = parse_scheme(&p);
    if (rc == 0)
        rc = parse_hierarchy(&p);
    if (rc == 0) {
        parse_tail(&p);
        *ret = p.url;
    } else {
        url_done(&p.url);
    }
    buf_done(&cleaned);
    return rc;
}

void
url_done(struct url *u)
{
    if (u->password != NULL)
        mem_wipe(u->password, strlen(u->password));
    free(u->scheme);
    free(u->username);
    free(u->password);
    free(u->host);
    free(u->path);
    free(u->query);
    free(u->fragment);
    *u = URL_INIT;
}

bool
url_is_http(const struct url *u)
{
    return strcmp(u->scheme, "http") == 0 || strcmp(u->scheme, "https") == 0;
}

bool
url_literal_address(const struct url *u, struct sockaddr_storage *ret)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *) ret;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *) ret;
    *ret = (struct sockaddr_storage){0};
    if (u->host_is_ipv4) {
        v4->sin_family = AF_INET;
        return inet_pton(AF_INET, u->host, &v4->sin_addr) == 1;
    }
    if (!u->host_is_ipv6)
        return false;
    v6->sin6_family = AF_INET6;
    return inet_pton(AF_INET6, u->host, &v6->sin6_addr) == 1;
}

int
url_effective_port(const struct url *u)
{
    return u->port >= 0 ? u->port : scheme_default_port(u->scheme);
}

static void
write_host(struct buf *out, const struct url *u)
{
    buf_addf(out, u->host_is_ipv6 ? "[%s]" : "%s", u->host);
    if (u->port >= 0)
        buf_addf(out, ":%d", u->port);
}

static void
write_userinfo(struct buf *out, const struct url *u)
{
    if (u->username == NULL)
        return;
    buf_add_cstr(out, u->username);
    if (u->password != NULL)
        buf_addf(out, ":%s", u->password);
    buf_add_char(out, '@');
}

static void
write_up_to_path(struct buf *out, const struct url *u, bool with_userinfo)
{
    buf_addf(out, "%s:", u->scheme);
    if (u->has_authority) {
        buf_add_cstr(out, "//");
        if (with_userinfo)
            write_userinfo(out, u);
        write_host(out, u);
    } else if (u->path[0] == '/' && u->path[1] == '/') {
        buf_add_cstr(out, "/."); /* or the path would read as an authority */
    }
    buf_add_cstr(out, u->path);
}

void
url_write(struct buf *out, const struct url *u)
{
    write_up_to_path(out, u, true);
    if (u->query != NULL)
        buf_addf(out, "?%s", u->query);
    if (u->fragment != NULL)
        buf_addf(out, "#%s", u->fragment);
}

void
url_write_redacted(struct buf *out, const struct url *u)
{
    write_up_to_path(out, u, false);
}

void
url_write_origin_form(struct buf *out, const struct url *u)
{
    buf_add_cstr(out, u->path[0] == '\0' ? "/" : u->path);
    if (u->query != NULL)
        buf_addf(out, "?%s", u->query);
}

void
url_write_host_header(struct buf *out, const struct url *u)
{
    write_host(out, u);
}
