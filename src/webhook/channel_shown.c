/* What is hidden of a channel when it is shown, and put back when that is sent again. Reads no
 * member but those that hold secrets: addresses and headers. */
#include "webhook/channel_internal.h"
#include "webhook/registry.h"

#define MASK "XXX..." /* how what was hidden ends */

struct span {
    size_t from, to;
};

/* Scheme and slashes are before it; it ends where path, query or fragment begins. */
static struct span
find_authority(struct str url)
{
    struct span a = {0, 0};
    while (a.from < url.len && !str_starts_with(str_slice(url, a.from, url.len), "://"))
        a.from++;
    a.from = a.from < url.len ? a.from + 3 : 0;
    for (a.to = a.from; a.to < url.len && strchr("/?#", url.data[a.to]) == NULL; a.to++)
        continue;
    return a;
}

/* Empty where there is none. */
static struct span
find_password(struct str url, struct span authority)
{
    size_t at = authority.to;
    while (at > authority.from && url.data[at - 1] != '@')
        at--;
    size_t colon = str_find(str_slice(url, 0, at), ':', authority.from);
    bool has_password = at > authority.from && colon < at;
    return has_password ? (struct span){colon + 1, at - 1} : (struct span){at, at};
}

/* Whoever knows Slack's URL may post: its last segment, and whatever is behind that. */
static struct span
find_token(struct str url, struct span authority)
{
    struct span t = {authority.to, authority.to};
    while (t.to < url.len && url.data[t.to] != '?' && url.data[t.to] != '#')
        t.to++;
    while (t.to > t.from && url.data[t.to - 1] == '/')
        t.to--;
    for (size_t i = t.to; i > t.from; i--) {
        if (url.data[i - 1] == '/')
            return (struct span){i, url.len};
    }
    return (struct span){t.to, url.len};
}

static void
write_shown_url(struct buf *out, enum channel_kind kind, struct str url)
{
    struct span authority = find_authority(url), password = find_password(url, authority),
                token = {url.len, url.len};
    if (kind == CHANNEL_SLACK)
        token = find_token(url, authority);
    buf_add_str(out, str_slice(url, 0, password.from));
    if (password.from < password.to)
        webhook_write_redacted(out, str_slice(url, password.from, password.to));
    buf_add_str(out, str_slice(url, password.to, token.from));
    if (token.from < token.to)
        webhook_write_redacted(out, str_slice(url, token.from, token.to));
}

void
channel_write_target(struct buf *out, const struct channel *c)
{
    write_shown_url(out, c->kind, str_from(c->url));
}

static bool
is_shown_header(struct str name)
{
    return str_equal_nocase(name, STR("content-type")) || str_equal_nocase(name, STR("accept"));
}

/* A member of configs, or of its headers, as it is shown. */
static void
write_shown(struct buf *out, enum channel_kind kind, struct str name, bool is_header, struct str s)
{
    if (is_header && !is_shown_header(name))
        webhook_write_redacted(out, s);
    else if (!is_header && (str_is(name, "url") || str_is(name, "webhook_url")))
        write_shown_url(out, kind, s);
    else
        buf_add_str(out, s);
}

/* What was shown for the old value, sent back, is the old value. */
static struct str
restored(struct channel_rewriting *w, struct str name, struct str s)
{
    const struct json *v = json_get(w->old, name);
    struct buf shown = BUF_INIT;
    if (v != NULL && json_type(v) == JSON_STRING)
        write_shown(&shown, w->kind, name, w->is_headers, json_string(v));
    bool is_same = v != NULL && str_equal(buf_str(&shown), s);
    buf_done(&shown);
    bool is_mask = w->is_headers ? str_ends_with(s, MASK)
                                 : memmem(s.data, s.len, MASK, sizeof(MASK) - 1) != NULL;
    if (!is_same && is_mask)
        w->has_failed = true;
    return is_same ? json_string(v) : s;
}

static void
rewrite_member(struct json_out *j, struct channel_rewriting *w, struct str name,
               const struct json *v)
{
    struct buf text = BUF_INIT, raw = BUF_INIT;
    bool is_secret = w->is_headers || str_is(name, "url") || str_is(name, "webhook_url");
    json_key_str(j, name);
    if (json_type(v) != JSON_STRING || !is_secret) {
        json_write(&raw, v);
        json_put_raw(j, buf_str(&raw));
    } else if (w->is_restoring) {
        json_put_str(j, restored(w, name, json_string(v)));
    } else {
        write_shown(&text, w->kind, name, w->is_headers, json_string(v));
        json_put_str(j, buf_str(&text));
    }
    buf_done(&text);
    buf_done(&raw);
}

static void
rewrite_object(struct json_out *j, struct channel_rewriting *w, const struct json *v)
{
    struct json_iter it = json_iter(v);
    json_begin_object(j);
    while (json_next(&it)) {
        if (w->is_headers || !str_is(it.key, "headers") || json_type(it.value) != JSON_OBJECT) {
            rewrite_member(j, w, it.key, it.value);
            continue;
        }
        struct channel_rewriting inner = *w;
        inner.is_headers = true;
        inner.old = w->old == NULL ? NULL : json_get(w->old, it.key);
        json_key_str(j, it.key);
        rewrite_object(j, &inner, it.value);
        w->has_failed |= inner.has_failed;
    }
    json_end_object(j);
}

void
channel_rewrite(struct json_out *j, struct channel_rewriting *w, const struct json *configs)
{
    json_begin_object(j);
    json_key(j, "channel");
    json_put_cstr(j, channel_kind_name(w->kind));
    json_key(j, "configs");
    rewrite_object(j, w, configs);
    json_end_object(j);
}

void
channel_write_json(struct json_out *j, const struct channel *c)
{
    struct channel_rewriting w = {.kind = c->kind};
    channel_rewrite(j, &w, json_get_c(json_root(c->doc), "configs"));
}
