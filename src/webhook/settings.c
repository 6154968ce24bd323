/* Reads the body of POST and PATCH /webhooks: which fields, of which types (contract 1.6, 7.2).
 * Knows nothing of registered webhooks. Entered through webhook_settings_read(). */
#include "webhook/settings.h"

#include <stdlib.h>

#include "base/suggest.h"
#include "webhook/field_err.h"
#include "webhook/webhook.h"

static const char *const accepted[] = {"url", "headers"};
enum { N_ACCEPTED = sizeof(accepted) / sizeof(accepted[0]) };

static const struct immutable_row {
    const char *name;
    enum err_code code;
} immutable_rows[] = {
    {"uuid", ERR_IMMUTABLE_WEBHOOK_UUID},
    {"isEditable", ERR_IMMUTABLE_WEBHOOK_IS_EDITABLE},
    {"disabledReason", ERR_IMMUTABLE_WEBHOOK_DISABLED_REASON},
};

const char *
webhooks_field_name(size_t i)
{
    if (i < N_ACCEPTED)
        return accepted[i];
    return i < N_ACCEPTED + POLICY_CHOSEN_FIELDS ? policy_field_names[i - N_ACCEPTED] : NULL;
}

static bool
is_policy_field(struct str name)
{
    for (size_t i = 0; i < POLICY_CHOSEN_FIELDS; i++) {
        if (str_is(name, policy_field_names[i]))
            return true;
    }
    return false;
}

/* Upstream's clients see upstream's list; who uses our fields, or nearly so, sees all of them. */
static bool
knows_our_fields(const struct json *body, const char *near)
{
    struct json_iter it = json_iter(body);
    bool is_known = near != NULL && is_policy_field(str_from(near));
    while (!is_known && json_next(&it))
        is_known = is_policy_field(it.key);
    return is_known;
}

static int
err_unexpected_field(struct err *err, const struct json *body, struct str name)
{
    enum err_code code = ERR_BAD_REQUEST;
    struct buf b = BUF_INIT;
    const char *names[N_ACCEPTED + POLICY_CHOSEN_FIELDS];
    memcpy(names, accepted, sizeof(accepted));
    memcpy(names + N_ACCEPTED, policy_field_names, sizeof(policy_field_names));
    for (size_t i = 0; i < sizeof(immutable_rows) / sizeof(immutable_rows[0]); i++) {
        if (str_is(name, immutable_rows[i].name))
            code = immutable_rows[i].code;
    }
    const char *near = code == ERR_BAD_REQUEST
                           ? suggest_name(name, names, N_ACCEPTED + POLICY_CHOSEN_FIELDS)
                           : NULL;
    buf_add_cstr(&b, code == ERR_BAD_REQUEST ? "Unknown field `" : "Immutable field `");
    buf_add_str(&b, name);
    buf_add_cstr(&b, "`: ");
    if (near != NULL)
        buf_addf(&b, "did you mean `%s`? ", near);
    buf_add_cstr(&b, "expected one of ");
    field_write_names(
        &b, names, knows_our_fields(body, near) ? N_ACCEPTED + POLICY_CHOSEN_FIELDS : N_ACCEPTED);
    return field_err_take(err, code, &b);
}

static int
read_url(const struct json *v, struct webhook_settings *ret, struct err *err)
{
    if (json_type(v) == JSON_NULL) {
        ret->url_state = SETTING_NULL;
        return 0;
    }
    if (json_type(v) != JSON_STRING)
        return field_err_type(err, ERR_INVALID_WEBHOOK_URL, STR(".url"), "a string", v);
    ret->url_state = SETTING_GIVEN;
    ret->url = json_string(v);
    return 0;
}

static int
compare_headers(const void *a, const void *b)
{
    const struct header_view *x = a, *y = b;
    int c = str_compare(x->name, y->name);
    return c != 0 ? c : (x->order > y->order) - (x->order < y->order);
}

static void
sort_headers(struct webhook_settings *s)
{
    size_t kept = 0;
    if (s->n_headers == 0)
        return;
    qsort(s->headers, s->n_headers, sizeof(*s->headers), compare_headers);
    for (size_t i = 0; i < s->n_headers; i++) {
        if (kept > 0 && str_equal(s->headers[kept - 1].name, s->headers[i].name))
            kept--;
        s->headers[kept++] = s->headers[i];
    }
    s->n_headers = kept;
}

static int
err_header_type(struct err *err, struct str name, const struct json *v)
{
    struct buf path = BUF_INIT;
    buf_add_cstr(&path, ".headers.");
    buf_add_str(&path, name);
    int rc = field_err_type(err, ERR_INVALID_WEBHOOK_HEADERS, buf_str(&path), "a string", v);
    buf_done(&path);
    return rc;
}

static int
read_headers(const struct json *v, struct webhook_settings *ret, struct err *err)
{
    free(ret->headers);
    ret->headers = NULL;
    ret->n_headers = 0;
    ret->headers_state = json_type(v) == JSON_NULL ? SETTING_NULL : SETTING_GIVEN;
    if (json_type(v) == JSON_NULL)
        return 0;
    if (json_type(v) != JSON_OBJECT)
        return field_err_type(err, ERR_INVALID_WEBHOOK_HEADERS, STR(".headers"), "an object", v);
    /* A client decides how many: this allocation may fail. */
    ret->headers = calloc(json_length(v) + 1, sizeof(*ret->headers));
    if (ret->headers == NULL)
        return err_set(err, ERR_INTERNAL, "out of memory");
    struct json_iter it = json_iter(v);
    while (json_next(&it)) {
        enum json_type type = json_type(it.value);
        if (type != JSON_STRING && type != JSON_NULL)
            return err_header_type(err, it.key, it.value);
        ret->headers[ret->n_headers] = (struct header_view){
            .name = it.key,
            .value = json_string(it.value),
            .is_null = type == JSON_NULL,
            .order = ret->n_headers,
        };
        ret->n_headers++;
    }
    sort_headers(ret);
    return 0;
}

static int
read_field(struct webhook_settings *s, const struct webhook_words *words, const struct json *body,
           const struct json_iter *field, struct err *err)
{
    if (str_is(field->key, "url"))
        return read_url(field->value, s, err);
    if (str_is(field->key, "headers"))
        return read_headers(field->value, s, err);
    int rc = policy_change_read(&s->policy, words, field->key, field->value, err);
    if (rc == 0)
        return err_unexpected_field(err, body, field->key);
    return rc < 0 ? -1 : 0;
}

int
webhook_settings_read(const struct json *body, const struct webhook_words *words,
                      struct webhook_settings *ret, struct err *err)
{
    *ret = (struct webhook_settings){0};
    if (json_type(body) != JSON_OBJECT)
        return field_err_type(err, ERR_BAD_REQUEST, STR_NULL, "an object", body);
    policy_change_init(&ret->policy);
    struct json_iter it = json_iter(body);
    int rc = 0;
    while (rc == 0 && json_next(&it))
        rc = read_field(ret, words, body, &it, err);
    if (rc != 0)
        webhook_settings_done(ret);
    return rc;
}

void
webhook_settings_done(struct webhook_settings *s)
{
    free(s->headers);
    policy_change_done(&s->policy);
    *s = (struct webhook_settings){0};
}
