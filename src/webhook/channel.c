/* Reads, checks, stores and shows channels. Knows neither events nor how anything is sent. The text
 * of a channel is what was given, with what was redacted in it put back; everything else is made of
 * that text, by the same functions when it is given and when it is read from the store. */
#include "webhook/channel.h"

#include <stdlib.h>

#include "base/mem.h"
#include "net/smtp_client.h"
#include "webhook/channel_internal.h"
#include "webhook/field_err.h"
#include "webhook/settings.h"

enum {
    EMAIL_TIMEOUT_MS = 30 * 1000, /* several replies, and relays take their time */
    TEXT_MAX_BYTES = 1000,        /* of names and the like */
};

static const char *const kind_names[CHANNEL_KINDS] = {
    [CHANNEL_WEBHOOK] = "webhook",
    [CHANNEL_SLACK] = "slack",
    [CHANNEL_EMAIL] = "email",
    [CHANNEL_SMS] = "sms",
};
static const char *const content_names[CONTENTS] = {
    [CONTENT_PLAIN] = "plain_text",
    [CONTENT_HTML] = "html",
    [CONTENT_MARKDOWN] = "markdown",
    [CONTENT_JSON] = "json",
};

const char *
channel_kind_name(enum channel_kind k)
{
    return kind_names[k];
}

/* What a member is read with. */
struct reader {
    struct channel *channel;
    const struct channel_rules *rules; /* NULL: of the store, nothing depends on the server */
    struct err *err;
    struct str path; /* of the value */
};

/* --- errors
 * ----------------------------------------------------------------------------------------- */

static const enum err_code code = ERR_INVALID_WEBHOOK_CHANNELS;

static int
at_path(struct reader *r, int rc)
{
    char *path = mem_strndup(r->path.data, r->path.len);
    if (rc < 0)
        err_set_path(r->err, path);
    free(path);
    return rc;
}

static int
fail_type(struct reader *r, const char *expected, const struct json *v)
{
    return at_path(r, field_err_type(r->err, code, r->path, expected, v));
}

/* found and the rest of the sentence */
static int
fail_value(struct reader *r, struct str found, const char *rest)
{
    return at_path(
        r, field_err_quoting(r->err, code, r->path, str_slice(found, 0, TEXT_MAX_BYTES), rest));
}

/* --- members
 * ---------------------------------------------------------------------------------------- */

static int
read_text(struct reader *r, const struct json *v)
{
    if (json_type(v) != JSON_STRING)
        return fail_type(r, "a string", v);
    if (json_string(v).len == 0 || json_string(v).len > TEXT_MAX_BYTES)
        return fail_value(r, json_string(v), " must have 1 to 1000 bytes");
    return 0;
}

/* Plain http only where the address is explicitly allowed. */
static int
check_address(struct reader *r, struct str url)
{
    struct url parsed = URL_INIT;
    struct err err = ERR_INIT;
    int rc = 0;
    if (url_parse(url, &parsed, NULL) != 0 || !url_is_http(&parsed) || parsed.host[0] == '\0')
        rc = fail_value(r, url, " is no http or https URL");
    else if (r->rules != NULL && draft_check_https(url, r->rules->policy, &err) != 0)
        rc = fail_value(r, url,
                        " must be https: plain http is sent only into the networks of "
                        "--experimental-allowed-ip-networks");
    err_done(&err);
    url_done(&parsed);
    return rc;
}

static int
read_url(struct reader *r, const struct json *v)
{
    if (json_type(v) != JSON_STRING)
        return fail_type(r, "a string", v);
    struct webhook_draft d = {.url = json_string(v)};
    if (draft_check(&d, r->err) != 0) {
        r->err->code = code;
        return at_path(r, -1);
    }
    free(r->channel->url);
    r->channel->url = mem_strndup(d.url.data, d.url.len);
    return check_address(r, d.url);
}

static int
compare_headers(const void *a, const void *b)
{
    return str_compare(((const struct channel_header *) a)->name,
                       ((const struct channel_header *) b)->name);
}

static int
read_headers(struct reader *r, const struct json *v)
{
    struct header_view headers[WEBHOOK_HEADERS_MAX];
    struct webhook_draft d = {.url = STR("https://a"), .headers = headers};
    struct channel *c = r->channel;
    struct json_iter it = json_iter(v);
    if (json_type(v) != JSON_OBJECT)
        return fail_type(r, "an object of strings", v);
    if (json_length(v) > WEBHOOK_HEADERS_MAX)
        return at_path(
            r, field_err_value(r->err, code, r->path, "more than %d headers", WEBHOOK_HEADERS_MAX));
    c->headers = mem_new(json_length(v), sizeof(*c->headers));
    for (c->n_headers = 0; json_next(&it); c->n_headers++) {
        if (json_type(it.value) != JSON_STRING)
            return fail_type(r, "an object of strings", it.value);
        c->headers[c->n_headers] = (struct channel_header){it.key, json_string(it.value)};
        headers[d.n_headers++] =
            (struct header_view){.name = it.key, .value = json_string(it.value)};
    }
    if (draft_check(&d, r->err) != 0) {
        r->err->code = code;
        return at_path(r, -1);
    }
    if (c->n_headers > 0)
        qsort(c->headers, c->n_headers, sizeof(*c->headers), compare_headers);
    return 0;
}

static int
read_timeout(struct reader *r, const struct json *v)
{
    char text[32];
    struct str number = json_number(v);
    if (json_type(v) != JSON_NUMBER)
        return fail_type(r, "a number of seconds", v);
    memcpy(text, number.data, number.len < sizeof(text) ? number.len : sizeof(text) - 1);
    text[number.len < sizeof(text) ? number.len : sizeof(text) - 1] = '\0';
    double seconds = strtod(text, NULL);
    if (!(seconds >= 0.001 && seconds * 1000 <= CHANNEL_TIMEOUT_MAX_MS))
        return fail_value(r, number, " is no time-out: expected 0.001 to 30 seconds");
    r->channel->timeout_ms = (int64_t) (seconds * 1000);
    return 0;
}

static int
read_method(struct reader *r, const struct json *v)
{
    if (json_type(v) != JSON_STRING)
        return fail_type(r, "a string", v);
    return str_is(json_string(v), "POST") ? 0 : fail_value(r, json_string(v), ": expected `POST`");
}

/* --- templates
 * -------------------------------------------------------------------------------------- */

static int
take_template(struct reader *r, enum channel_part part, struct template *t, struct buf *why)
{
    int rc = 0;
    if (t == NULL)
        rc = at_path(
            r, field_err_value(r->err, code, r->path, "the template is wrong: %s", buf_cstr(why)));
    template_free(r->channel->parts[part]);
    r->channel->parts[part] = t;
    buf_done(why);
    return rc;
}

static int
read_template(struct reader *r, enum channel_part part, const struct json *v)
{
    struct buf why = BUF_INIT;
    if (json_type(v) != JSON_STRING)
        return fail_type(r, "a string", v);
    return take_template(r, part, template_compile(json_string(v), &why), &why);
}

static int
read_main(struct reader *r, const struct json *v)
{
    return read_template(r, CHANNEL_MAIN, v);
}

static int
read_extra(struct reader *r, const struct json *v)
{
    return read_template(r, CHANNEL_EXTRA, v);
}

static int
read_payload(struct reader *r, const struct json *v)
{
    struct buf why = BUF_INIT;
    if (json_type(v) != JSON_OBJECT)
        return fail_type(r, "an object", v);
    return take_template(r, CHANNEL_MAIN, template_compile_json(v, &why), &why);
}

/* Blocks, or an object that has them, as JSON or as a text that becomes JSON. */
static int
read_blocks(struct reader *r, const struct json *v)
{
    struct buf why = BUF_INIT;
    if (json_type(v) == JSON_STRING)
        return read_extra(r, v);
    if (json_type(v) != JSON_ARRAY && json_type(v) != JSON_OBJECT)
        return fail_type(r, "an array, an object or a string", v);
    return take_template(r, CHANNEL_EXTRA, template_compile_json(v, &why), &why);
}

static int
read_content(struct reader *r, const struct json *v)
{
    if (json_type(v) != JSON_STRING)
        return fail_type(r, "a string", v);
    for (size_t i = 0; i < CONTENTS; i++) {
        if (str_is(json_string(v), content_names[i])) {
            r->channel->content = (enum channel_content) i;
            return 0;
        }
    }
    return at_path(
        r, field_err_choice(r->err, code, r->path, json_string(v), content_names, CONTENTS));
}

/* --- recipients
 * ------------------------------------------------------------------------------------- */

static bool
is_number(struct str s)
{
    bool is_ok = s.len >= 8 && s.len <= 16 && s.data[0] == '+' && s.data[1] != '0';
    for (size_t i = 1; i < s.len && is_ok; i++)
        is_ok = s.data[i] >= '0' && s.data[i] <= '9';
    return is_ok;
}

static bool
has_recipient(const struct channel *c, struct str text)
{
    for (size_t i = 0; i < c->n_recipients; i++) {
        if (str_equal_nocase(str_from(c->recipients[i].text), text))
            return true;
    }
    return false;
}

static int
add_recipient(struct reader *r, enum recipient_kind kind, const struct json *v)
{
    struct channel *c = r->channel;
    struct str text = json_string(v);
    bool is_email = c->kind == CHANNEL_EMAIL;
    if (json_type(v) != JSON_STRING)
        return fail_type(r, "a string", v);
    if (is_email && !smtp_address_is_valid(text))
        return fail_value(r, text, " is no email address like `name@example.com`");
    if (!is_email && !is_number(text))
        return fail_value(r, text, " is no number like `+15550100` (E.164)");
    if (has_recipient(c, text))
        return 0;
    if (c->n_recipients == CHANNEL_RECIPIENTS_MAX)
        return fail_value(r, text, " is one too many: a channel has at most 50 recipients");
    c->recipients[c->n_recipients++] =
        (struct channel_recipient){kind, mem_strndup(text.data, text.len)};
    return 0;
}

static int
read_recipients(struct reader *r, enum recipient_kind kind, const struct json *v)
{
    struct json_iter it = json_iter(v);
    struct str path = r->path;
    int rc = 0;
    if (json_type(v) != JSON_ARRAY)
        return fail_type(r, "an array of strings", v);
    if (json_length(v) == 0 && kind == RECIPIENT_TO)
        return fail_type(r, "at least one recipient", v);
    for (size_t at = 0; rc == 0 && json_next(&it); at++) {
        struct buf element = BUF_INIT;
        buf_add_str(&element, path);
        buf_addf(&element, "[%zu]", at);
        r->path = buf_str(&element);
        rc = add_recipient(r, kind, it.value);
        buf_done(&element);
    }
    r->path = path;
    return rc;
}

static int
read_to(struct reader *r, const struct json *v)
{
    return read_recipients(r, RECIPIENT_TO, v);
}

static int
read_cc(struct reader *r, const struct json *v)
{
    return read_recipients(r, RECIPIENT_CC, v);
}

static int
read_bcc(struct reader *r, const struct json *v)
{
    return read_recipients(r, RECIPIENT_BCC, v);
}

/* --- the table
 * -------------------------------------------------------------------------------------- */

enum { MEMBERS_MAX = 8 };
static const struct channel_row {
    struct member_row {
        const char *name;
        int (*read)(struct reader *r, const struct json *v);
        bool is_required;
    } members[MEMBERS_MAX];
    bool may_have_others;
    int64_t timeout_ms;
    const char *scheme; /* of the URL, where there is none */
    const char *defaults[CHANNEL_PARTS];
} rows[CHANNEL_KINDS] = {
    [CHANNEL_WEBHOOK] = {{{"url", read_url, true},
                          {"headers", read_headers, false},
                          {"payload_template", read_payload, false},
                          {"timeout", read_timeout, false},
                          {"method", read_method, false}},
                         .may_have_others = true,
                         .timeout_ms = CHANNEL_TIMEOUT_DEFAULT_MS},
    [CHANNEL_SLACK] = {{{"webhook_url", read_url, true},
                        {"channel", read_text, false},
                        {"username", read_text, false},
                        {"icon_emoji", read_text, false},
                        {"icon_url", read_text, false},
                        {"blocks_template", read_blocks, false}},
                       .timeout_ms = CHANNEL_TIMEOUT_DEFAULT_MS,
                       .defaults = {"*{{ event_type }}*: {{ subject.type }} `{{ subject.id }}` in "
                                    "`{{ namespace_id }}` ({{ occurred_at }})"}},
    [CHANNEL_EMAIL] = {{{"to_addresses", read_to, true},
                        {"cc_addresses", read_cc, false},
                        {"bcc_addresses", read_bcc, false},
                        {"subject_template", read_main, false},
                        {"body_template", read_extra, false},
                        {"content_type", read_content, false}},
                       .timeout_ms = EMAIL_TIMEOUT_MS,
                       .scheme = "mailto:",
                       .defaults = {"{{ event_type }}: {{ subject.id }}"}},
    [CHANNEL_SMS] = {{{"phone_numbers", read_to, true}, {"message_template", read_main, false}},
                     .timeout_ms = CHANNEL_TIMEOUT_DEFAULT_MS,
                     .scheme = "sms:",
                     .defaults = {"{{ event_type }}: {{ subject.type }} {{ subject.id }} in "
                                  "{{ namespace_id }}"}},
};

/* The body of an email that has no template of its own; JSON is the event itself. */
static const char *const default_bodies[CONTENTS] = {
    [CONTENT_PLAIN] = "{{ event_type }}\n\n"
                      "{{ subject.type }}: {{ subject.id }}\n"
                      "namespace: {{ namespace_id }}\n"
                      "time: {{ occurred_at }}\n"
                      "event: {{ event_id }}\n"
                      "{% for name, value in metadata.items() %}{{ name }}: {{ value }}\n"
                      "{% endfor %}",
    [CONTENT_HTML] =
        "<h2>{{ event_type }}</h2>\n<table>\n"
        "<tr><th align=\"left\">{{ subject.type }}</th><td>{{ subject.id }}</td></tr>\n"
        "<tr><th align=\"left\">namespace</th><td>{{ namespace_id }}</td></tr>\n"
        "<tr><th align=\"left\">time</th><td>{{ occurred_at }}</td></tr>\n"
        "<tr><th align=\"left\">event</th><td>{{ event_id }}</td></tr>\n"
        "{% for name, value in metadata.items() %}"
        "<tr><th align=\"left\">{{ name }}</th><td>{{ value }}</td></tr>\n"
        "{% endfor %}</table>\n",
    [CONTENT_MARKDOWN] = "## {{ event_type }}\n\n"
                         "- {{ subject.type }}: {{ subject.id }}\n"
                         "- namespace: {{ namespace_id }}\n"
                         "- time: {{ occurred_at }}\n"
                         "- event: {{ event_id }}\n"
                         "{% for name, value in metadata.items() %}- {{ name }}: {{ value }}\n"
                         "{% endfor %}",
};

/* --- reading
 * ---------------------------------------------------------------------------------------- */

struct str
channel_config(const struct channel *c, const char *name)
{
    const struct json *v = json_get_c(json_get_c(json_root(c->doc), "configs"), name);
    return v != NULL && json_type(v) == JSON_STRING ? json_string(v) : STR_NULL;
}

static const struct member_row *
find_member(const struct channel_row *row, struct str name)
{
    for (size_t i = 0; i < MEMBERS_MAX && row->members[i].name != NULL; i++) {
        if (str_is(name, row->members[i].name))
            return &row->members[i];
    }
    return NULL;
}

static int
fail_unknown(struct reader *r, const struct channel_row *row, struct str name)
{
    const char *names[MEMBERS_MAX];
    size_t n = 0;
    while (n < MEMBERS_MAX && row->members[n].name != NULL) {
        names[n] = row->members[n].name;
        n++;
    }
    return at_path(
        r, field_err_choice(r->err, code, r->path, str_slice(name, 0, TEXT_MAX_BYTES), names, n));
}

static int
read_members(struct reader *r, const struct channel_row *row, const struct json *configs)
{
    struct json_iter it = json_iter(configs);
    struct str path = r->path;
    int rc = 0;
    while (rc == 0 && json_next(&it)) {
        struct buf member = BUF_INIT;
        const struct member_row *m = find_member(row, it.key);
        buf_add_str(&member, path);
        buf_add_char(&member, '.');
        buf_add_str(&member, str_slice(it.key, 0, TEXT_MAX_BYTES));
        r->path = buf_str(&member);
        bool is_null = json_type(it.value) == JSON_NULL;
        if (m == NULL && !row->may_have_others)
            rc = fail_unknown(r, row, it.key);
        else if (m != NULL && is_null && m->is_required)
            rc = fail_type(r, "a value", it.value);
        else if (m != NULL && !is_null)
            rc = m->read(r, it.value);
        buf_done(&member);
    }
    r->path = path;
    return rc;
}

static int
check_required(struct reader *r, const struct channel_row *row, const struct json *configs)
{
    for (size_t i = 0; i < MEMBERS_MAX && row->members[i].name != NULL; i++) {
        if (row->members[i].is_required && json_get_c(configs, row->members[i].name) == NULL)
            return at_path(r, field_err_value(r->err, code, r->path, "the field `%s` is missing",
                                              row->members[i].name));
    }
    return 0;
}

static int
check_server(struct reader *r)
{
    const struct channel_rules *rules = r->rules;
    if (rules == NULL)
        return 0;
    if (r->channel->kind == CHANNEL_EMAIL && !rules->has_smtp)
        return fail_value(r, STR("email"),
                          " needs a relay, and this server has none: start it with "
                          "--smtp-url and --smtp-from");
    if (r->channel->kind == CHANNEL_SMS && !rules->has_sms)
        return fail_value(r, STR("sms"),
                          " needs a service, and this server has none: start it with "
                          "--sms-account-sid, --sms-auth-token and --sms-from");
    return 0;
}

static void
compile_default(struct channel *c, enum channel_part part, const char *text)
{
    struct buf why = BUF_INIT;
    if (c->parts[part] == NULL && text != NULL)
        c->parts[part] = template_compile(str_from(text), &why); /* ours: it compiles */
    buf_done(&why);
}

static void
add_defaults(struct channel *c, const struct channel_row *row)
{
    compile_default(c, CHANNEL_MAIN, row->defaults[CHANNEL_MAIN]);
    if (c->kind == CHANNEL_EMAIL)
        compile_default(c, CHANNEL_EXTRA, default_bodies[c->content]);
    c->escapes_html = c->kind == CHANNEL_EMAIL && c->content == CONTENT_HTML;
    if (c->url != NULL)
        return;
    struct buf url = BUF_INIT;
    buf_add_cstr(&url, row->scheme);
    buf_add_cstr(&url, c->recipients[0].text);
    c->url = buf_take(&url);
}

/* The channel of a text whose shape was checked. */
static int
build(struct reader *r)
{
    struct channel *c = r->channel;
    const struct channel_row *row = &rows[c->kind];
    const struct json *configs = json_get_c(json_root(c->doc), "configs");
    c->timeout_ms = row->timeout_ms;
    c->content = CONTENT_HTML;
    struct str path = r->path;
    struct buf inner = BUF_INIT;
    buf_add_str(&inner, path);
    buf_add_cstr(&inner, ".channel");
    r->path = buf_str(&inner);
    int rc = check_server(r);
    inner.len = path.len;
    buf_add_cstr(&inner, ".configs");
    r->path = buf_str(&inner);
    if (rc == 0)
        rc = read_members(r, row, configs);
    if (rc == 0)
        rc = check_required(r, row, configs);
    if (rc == 0)
        add_defaults(c, row);
    r->path = path;
    buf_done(&inner);
    return rc;
}

static bool
kind_from_name(struct str name, enum channel_kind *ret)
{
    for (size_t i = 0; i < CHANNEL_KINDS; i++) {
        if (str_is(name, kind_names[i])) {
            *ret = (enum channel_kind) i;
            return true;
        }
    }
    return false;
}

static int
fail_kind(struct reader *r, struct str found)
{
    struct buf path = BUF_INIT;
    struct str outer = r->path;
    buf_add_str(&path, outer);
    buf_add_cstr(&path, ".channel");
    r->path = buf_str(&path);
    int rc = at_path(r, field_err_choice(r->err, code, r->path, str_slice(found, 0, TEXT_MAX_BYTES),
                                         kind_names, CHANNEL_KINDS));
    r->path = outer;
    buf_done(&path);
    return rc;
}

/* {channel: one of the names, configs: an object}, and nothing else. */
static int
read_shape(struct reader *r, const struct json *v, enum channel_kind *ret)
{
    static const char *const names[] = {"channel", "configs"};
    struct json_iter it = json_iter(v);
    const struct json *kind = json_get_c(v, "channel"), *configs = json_get_c(v, "configs");
    if (json_type(v) != JSON_OBJECT)
        return fail_type(r, "an object with `channel` and `configs`", v);
    while (json_next(&it)) {
        if (!str_is(it.key, names[0]) && !str_is(it.key, names[1]))
            return at_path(r, field_err_choice(r->err, code, r->path,
                                               str_slice(it.key, 0, TEXT_MAX_BYTES), names, 2));
    }
    if (kind == NULL || configs == NULL)
        return at_path(r, field_err_value(r->err, code, r->path, "the field `%s` is missing",
                                          kind == NULL ? "channel" : "configs"));
    if (json_type(kind) != JSON_STRING)
        return fail_type(r, "a string in `channel`", kind);
    if (json_type(configs) != JSON_OBJECT)
        return fail_type(r, "an object in `configs`", configs);
    if (kind_from_name(json_string(kind), ret))
        return 0;
    return fail_kind(r, json_string(kind));
}

/* --- life
 * ------------------------------------------------------------------------------------------- */

/* Consumes the text. NULL when it is no JSON. */
static struct channel *
channel_new(enum channel_kind kind, struct buf *text)
{
    struct json_doc *doc = buf_failed(text) ? NULL : json_parse(buf_str(text), NULL);
    if (doc == NULL) {
        buf_done(text);
        return NULL;
    }
    struct channel *c = mem_new(1, sizeof(*c));
    *c = (struct channel){.refs = 1, .kind = kind, .doc = doc, .text = buf_take(text)};
    return c;
}

struct channel *
channel_read(const struct json *v, const struct channel_rules *rules, const char *path,
             const struct channel *old, struct err *err)
{
    struct buf text = BUF_INIT;
    struct reader r = {.rules = rules, .err = err, .path = str_from(path)};
    struct channel_rewriting w = {.is_restoring = true};
    if (read_shape(&r, v, &w.kind) != 0)
        return NULL;
    if (old != NULL && old->kind == w.kind)
        w.old = json_get_c(json_root(old->doc), "configs");
    struct json_out j = json_out(&text);
    channel_rewrite(&j, &w, json_get_c(v, "configs"));
    if (w.has_failed) {
        buf_done(&text);
        (void) at_path(&r, field_err_value(err, code, r.path,
                                           "a header or a URL has the form that secrets are shown "
                                           "in, and no such one was in this place"));
        return NULL;
    }
    r.channel = channel_new(w.kind, &text);
    if (r.channel == NULL) {
        (void) err_set(err, ERR_INTERNAL, "out of memory");
        return NULL;
    }
    if (build(&r) == 0)
        return r.channel;
    channel_release(r.channel);
    return NULL;
}

struct str
channel_text(const struct channel *c)
{
    return str_from(c->text);
}

struct channel *
channel_from_text(struct str text)
{
    struct buf copy = BUF_INIT;
    struct err err = ERR_INIT;
    enum channel_kind kind;
    struct reader r = {.err = &err, .path = STR("")};
    struct json_doc *doc = json_parse(text, NULL);
    bool is_ok = doc != NULL && read_shape(&r, json_root(doc), &kind) == 0;
    json_doc_free(doc);
    if (is_ok) {
        buf_add_str(&copy, text);
        r.channel = channel_new(kind, &copy);
    }
    if (r.channel != NULL && build(&r) != 0) {
        channel_release(r.channel);
        r.channel = NULL;
    }
    err_done(&err);
    return r.channel;
}

struct channel *
channel_hold(const struct channel *c)
{
    struct channel *held = (struct channel *) c;
    if (held != NULL)
        held->refs++;
    return held;
}

void
channel_release(const struct channel *c)
{
    struct channel *held = (struct channel *) c;
    if (held == NULL || --held->refs > 0)
        return;
    for (size_t i = 0; i < CHANNEL_PARTS; i++)
        template_free(held->parts[i]);
    for (size_t i = 0; i < held->n_recipients; i++)
        free(held->recipients[i].text);
    json_doc_free(held->doc);
    mem_wipe(held->text, strlen(held->text));
    free(held->text);
    free(held->url);
    free(held->headers);
    free(held);
}

/* --- for the registry
 * ------------------------------------------------------------------------------- */

enum channel_kind
channel_kind(const struct channel *c)
{
    return c->kind;
}

struct str
channel_url(const struct channel *c)
{
    return str_from(c->url);
}

const struct channel_header *
channel_headers(const struct channel *c, size_t *ret_n)
{
    *ret_n = c->n_headers;
    return c->headers;
}

int64_t
channel_timeout_ms(const struct channel *c)
{
    return c->timeout_ms;
}
