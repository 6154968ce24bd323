/* From the command line's fields and the [[webhooks]] of the configuration file to the JSON of a
 * POST /webhooks. What the fields mean is webhook/'s. */
#include "app/declare.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/value_source.h"
#include "base/mem.h"
#include "base/suggest.h"
#include "codec/digest.h"
#include "conf/options.h"
#include "conf/toml.h"
#include "queue/task.h"

enum { EXIT_USAGE = 2, NAME_MAX_BYTES = 200 };

const struct webhook_words *
app_webhook_words(void)
{
    static const char *kinds[KIND_COUNT], *statuses[TASK_STATUS_COUNT];
    static const struct webhook_words words = {kinds, statuses, KIND_COUNT, TASK_STATUS_COUNT};
    for (int i = 0; i < KIND_COUNT; i++)
        kinds[i] = task_kind_name((enum task_kind) i);
    for (int i = TASK_SUCCEEDED; i < TASK_STATUS_COUNT; i++) /* before them it is not finished */
        statuses[i] = task_status_name((enum task_status) i);
    return &words;
}

/* --- the command line's ---------------------------------------------------------------------- */

enum shape { SHAPE_TEXT, SHAPE_NUMBER, SHAPE_LIST, SHAPE_DELAYS, SHAPE_FILE, SHAPE_CHOICE };

#define AT(name) offsetof(struct conf_task_webhook, name)
static const struct flag_row {
    const char *flag, *field;
    enum shape shape;
    size_t offset;
} flag_rows[] = {
    {"task-webhook-events", "events", SHAPE_LIST, AT(events)},
    {"task-webhook-index-uids", "indexUids", SHAPE_LIST, AT(index_uids)},
    {"task-webhook-types", "types", SHAPE_LIST, AT(types)},
    {"task-webhook-statuses", "statuses", SHAPE_LIST, AT(statuses)},
    {"task-webhook-wait", "wait", SHAPE_CHOICE, AT(wait)},
    {"task-webhook-timeout-ms", "timeoutMs", SHAPE_NUMBER, AT(timeout_ms)},
    {"task-webhook-ordered", "ordered", SHAPE_CHOICE, AT(ordered)},
    {"task-webhook-max-in-flight", "maxInFlight", SHAPE_NUMBER, AT(max_in_flight)},
    {"task-webhook-rate-limit", "rateLimit", SHAPE_NUMBER, AT(rate_limit)},
    {"task-webhook-retry-schedule", "retrySchedule", SHAPE_DELAYS, AT(retry_schedule)},
    {"task-webhook-format", "format", SHAPE_TEXT, AT(format)},
    {"task-webhook-compression", "compression", SHAPE_TEXT, AT(compression)},
    {"task-webhook-secret", "secret", SHAPE_LIST, AT(secret)},
    {"task-webhook-ca-path", "ca", SHAPE_FILE, AT(ca_path)},
    {"task-webhook-client-certificate-path", "clientCertificate", SHAPE_FILE,
     AT(client_certificate_path)},
    {"task-webhook-description", "description", SHAPE_TEXT, AT(description)},
    {"task-webhook-is-active", "isActive", SHAPE_CHOICE, AT(is_active)},
};
enum { N_FLAGS = sizeof(flag_rows) / sizeof(flag_rows[0]) };

static const char *
text_of(const struct conf *conf, const struct flag_row *row)
{
    const char *text;
    memcpy(&text, (const char *) &conf->task_webhook + row->offset, sizeof(text));
    return text;
}

static enum conf_choice
choice_of(const struct conf *conf, const struct flag_row *row)
{
    enum conf_choice choice;
    memcpy(&choice, (const char *) &conf->task_webhook + row->offset, sizeof(choice));
    return choice;
}

static bool
is_given(const struct conf *conf, const struct flag_row *row)
{
    return row->shape == SHAPE_CHOICE ? choice_of(conf, row) != CONF_UNSET
                                      : text_of(conf, row) != NULL;
}

/* What is no number stays a string: the field's own check says so. */
static void
put_number(struct json_out *j, struct str text)
{
    uint64_t n;
    if (str_to_u64(text, UINT64_MAX, &n))
        json_put_u64(j, n);
    else
        json_put_str(j, text);
}

static int
put_delay(struct json_out *j, struct str text, struct buf *why)
{
    uint64_t ms;
    if (!value_parse_duration(text, &ms)) {
        buf_addf(why,
                 "`%.*s`: expected a duration such as '30' (seconds), '30s', '500ms', '5m' or '1h'",
                 STR_ARG(text));
        return -1;
    }
    if (ms % 1000 == 0)
        json_put_u64(j, ms / 1000);
    else
        json_put_double(j, (double) ms / 1000);
    return 0;
}

static int
put_list(struct json_out *j, struct str rest, enum shape shape, struct buf *why)
{
    struct str piece;
    int rc = 0;
    json_begin_array(j);
    while (rc == 0 && str_split(&rest, ',', &piece)) {
        piece = str_trim(piece);
        if (shape == SHAPE_DELAYS)
            rc = put_delay(j, piece, why);
        else
            json_put_str(j, piece);
    }
    json_end_array(j);
    return rc;
}

/* {"name":value} members; -1 with why when a file cannot be read, or a delay is none. */
static int
put_flag(struct json_out *j, const struct conf *conf, const struct flag_row *row, struct buf *why)
{
    struct str text = row->shape == SHAPE_CHOICE ? STR_NULL : str_from(text_of(conf, row));
    json_key(j, row->field);
    switch (row->shape) {
    case SHAPE_TEXT:
        json_put_str(j, text);
        return 0;
    case SHAPE_NUMBER:
        put_number(j, text);
        return 0;
    case SHAPE_LIST:
    case SHAPE_DELAYS:
        return put_list(j, text, row->shape, why);
    case SHAPE_CHOICE:
        json_put_bool(j, choice_of(conf, row) == CONF_TRUE);
        return 0;
    case SHAPE_FILE:
        break;
    }
    return value_source_put_file(j, text_of(conf, row), why);
}

/* The object of those rows from `from` to `to` that are given. */
static struct json_doc *
flags_to_json(const struct conf *conf, size_t from, size_t to, struct buf *why)
{
    struct buf text = BUF_INIT;
    struct json_out j = json_out(&text);
    struct json_doc *doc = NULL;
    int rc = 0;
    json_begin_object(&j);
    for (size_t i = from; i < to && rc == 0; i++) {
        if (is_given(conf, &flag_rows[i]))
            rc = put_flag(&j, conf, &flag_rows[i], why);
    }
    json_end_object(&j);
    if (rc == 0)
        doc = json_parse(buf_str(&text), why);
    mem_wipe(text.data, text.len);
    buf_done(&text);
    return doc;
}

static int
check_flag(const struct conf *conf, size_t i)
{
    const struct flag_row *row = &flag_rows[i];
    struct buf why = BUF_INIT;
    struct err err = ERR_INIT;
    struct json_doc *doc = flags_to_json(conf, i, i + 1, &why);
    int rc = doc == NULL ? -1 : webhooks_check_field(app_webhook_words(), json_root(doc), &err);
    if (rc != 0)
        conf_print_invalid(row->flag, row->shape == SHAPE_CHOICE ? "" : text_of(conf, row),
                           doc == NULL ? buf_cstr(&why) : err.message);
    json_doc_free(doc);
    buf_done(&why);
    err_done(&err);
    return rc == 0 ? 0 : EXIT_USAGE;
}

int
app_check_task_webhook(const struct conf *conf)
{
    int rc = 0;
    for (size_t i = 0; i < N_FLAGS && rc == 0; i++) {
        if (is_given(conf, &flag_rows[i]))
            rc = check_flag(conf, i);
    }
    return rc;
}

static int
read_cli(const struct conf *conf, struct app_webhooks *ret, struct err *err)
{
    struct buf why = BUF_INIT;
    int rc = 0;
    for (size_t i = 0; i < N_FLAGS && ret->cli == NULL && rc == 0; i++) {
        if (!is_given(conf, &flag_rows[i]))
            continue;
        ret->cli = flags_to_json(conf, 0, N_FLAGS, &why);
        if (ret->cli == NULL)
            rc = err_set(err, ERR_INTERNAL, "the webhook of the command line: %s", buf_cstr(&why));
    }
    buf_done(&why);
    return rc;
}

/* --- the configuration file's ---------------------------------------------------------------- */

struct declaring {
    const struct conf *conf;
    const struct toml *table;
    struct buf where;
    struct err *err;
};

static int
fail(struct declaring *d, const char *why)
{
    return err_set(d->err, ERR_INVALID_WEBHOOKS, "%s: %s", buf_cstr(&d->where), why);
}

/* index_uids or indexUids -> indexUids */
static void
put_key(struct json_out *j, struct str key)
{
    struct buf name = BUF_INIT;
    for (size_t i = 0; i < key.len; i++) {
        char c = key.data[i];
        if (c == '_' && i + 1 < key.len && key.data[i + 1] >= 'a' && key.data[i + 1] <= 'z')
            buf_add_char(&name, (char) (key.data[++i] - 'a' + 'A'));
        else
            buf_add_char(&name, c);
    }
    json_key_str(j, buf_str(&name));
    buf_done(&name);
}

enum { KEYS_MAX = 32, KEY_CAP = 32 };
/* All keys, as the file's others are spelled, and without "_", so that timeoutMs, timeout_ms and
 * time_out_ms are near each other. */
struct keys {
    char text[KEYS_MAX][KEY_CAP], bare[KEYS_MAX][KEY_CAP];
    size_t n;
};

static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
}

static void
write_bare(char out[KEY_CAP], struct str key)
{
    size_t n = 0;
    for (size_t i = 0; i < key.len && n < KEY_CAP - 1; i++) {
        if (key.data[i] != '_')
            out[n++] = lower(key.data[i]);
    }
    out[n] = '\0';
}

static void
add_key(struct keys *k, const char *name)
{
    size_t n = 0;
    if (k->n == KEYS_MAX)
        return;
    for (const char *at = name; *at != '\0' && n < KEY_CAP - 2; at++) {
        if (lower(*at) != *at)
            k->text[k->n][n++] = '_';
        k->text[k->n][n++] = lower(*at);
    }
    write_bare(k->bare[k->n], str_from(name));
    k->n++;
}

static void
list_keys(struct keys *ret)
{
    *ret = (struct keys){0};
    add_key(ret, "name");
    add_key(ret, "uuid");
    for (size_t i = 0; webhooks_field_name(i) != NULL; i++)
        add_key(ret, webhooks_field_name(i));
}

/* The nearest key, also by its beginning; NULL. */
static const char *
nearest_key(const struct keys *k, struct str key)
{
    enum { PART_MIN_LEN = 4 };
    const char *names[KEYS_MAX];
    char bare[KEY_CAP];
    write_bare(bare, key);
    for (size_t i = 0; i < k->n; i++)
        names[i] = k->bare[i];
    const char *near = suggest_name(str_from(bare), names, k->n);
    for (size_t i = 0; i < k->n && near == NULL; i++) {
        struct str part = str_from(bare), whole = str_from(names[i]);
        if (part.len >= PART_MIN_LEN && str_starts_with(whole, bare))
            near = names[i];
        else if (whole.len >= PART_MIN_LEN && str_starts_with(part, names[i]))
            near = names[i];
    }
    for (size_t i = 0; i < k->n; i++) {
        if (near == names[i])
            return k->text[i];
    }
    return NULL;
}

static int
fail_unknown(struct declaring *d, const struct keys *keys, const struct toml *m)
{
    struct buf why = BUF_INIT;
    const char *near = nearest_key(keys, m->key);
    buf_addf(&why, "unknown key `%.*s`: ", STR_ARG(m->key));
    if (near != NULL)
        buf_addf(&why, "did you mean `%s`? ", near);
    buf_add_cstr(&why, "the keys are");
    for (size_t i = 0; i < keys->n; i++)
        buf_addf(&why, "%s `%s`", i == 0 ? "" : ",", keys->text[i]);
    int rc = fail(d, buf_cstr(&why));
    buf_done(&why);
    return rc;
}

/* The names of the API are accepted too. */
static int
check_keys(struct declaring *d)
{
    struct keys keys;
    list_keys(&keys);
    for (const struct toml *m = d->table->first; m != NULL; m = m->next) {
        bool is_known = false;
        for (size_t i = 0; i < keys.n && !is_known; i++)
            is_known = str_is(m->key, keys.text[i]);
        for (size_t i = 0; webhooks_field_name(i) != NULL && !is_known; i++)
            is_known = str_is(m->key, webhooks_field_name(i));
        if (!is_known)
            return fail_unknown(d, &keys, m);
    }
    return 0;
}

static int
put_members(struct declaring *d, struct json_out *j)
{
    struct buf why = BUF_INIT;
    int rc = 0;
    json_begin_object(j);
    for (const struct toml *m = d->table->first; m != NULL && rc == 0; m = m->next) {
        if (str_is(m->key, "name") || str_is(m->key, "uuid"))
            continue;
        put_key(j, m->key);
        bool is_map = str_is(m->key, "headers") && m->type == TOML_TABLE;
        rc = is_map ? value_source_put_map(j, m, &why) : value_source_put(j, m, &why);
        if (rc != 0)
            (void) fail(d, buf_cstr(&why));
    }
    json_end_object(j);
    buf_done(&why);
    return rc;
}

/* The same name is the same webhook after every start, and nobody else's. */
static struct uuid
uuid_of_name(struct str name)
{
    struct uuid uuid;
    uint8_t digest[SHA256_BYTES];
    struct buf b = BUF_INIT;
    buf_add_cstr(&b, "taskhook declared webhook\n");
    buf_add_str(&b, name);
    digest_sha256(buf_str(&b), digest);
    buf_done(&b);
    memcpy(uuid.bytes, digest, sizeof(uuid.bytes));
    uuid.bytes[6] = (uint8_t) ((uuid.bytes[6] & 0x0F) | 0x80); /* RFC 9562: version 8 */
    uuid.bytes[8] = (uint8_t) ((uuid.bytes[8] & 0x3F) | 0x80);
    return uuid;
}

static int
read_uuid(struct declaring *d, struct uuid *ret)
{
    const struct toml *name = toml_get(d->table, STR("name")),
                      *uuid = toml_get(d->table, STR("uuid"));
    struct buf why = BUF_INIT;
    int rc = 0;
    if ((name != NULL && name->type != TOML_STRING) || (uuid != NULL && uuid->type != TOML_STRING))
        return fail(d, "`name` and `uuid` are strings");
    if (uuid != NULL) {
        if (!uuid_parse(str_make(uuid->string, uuid->string_len), ret, &why))
            rc = fail(d, buf_cstr(&why));
        else if (uuid_is_nil(ret))
            rc = fail(d, "the `uuid` of zeros belongs to the webhook of the command line");
    } else if (name == NULL || name->string_len == 0 || name->string_len > NAME_MAX_BYTES) {
        rc =
            fail(d, "a `name` of 1 to 200 bytes is needed: by it the webhook is known again at the "
                    "next start");
    } else {
        *ret = uuid_of_name(str_make(name->string, name->string_len));
    }
    buf_done(&why);
    return rc;
}

static void
write_where(struct declaring *d)
{
    const struct toml *name = toml_get(d->table, STR("name"));
    buf_addf(&d->where, "[[webhooks]] in the \"%s\" configuration file, line %zu",
             d->conf->config_file_path, d->table->line);
    if (name != NULL && name->type == TOML_STRING)
        buf_addf(&d->where, " (%.*s)", STR_ARG(str_make(name->string, name->string_len)));
}

static int
check_unique(struct declaring *d, const struct app_webhooks *a, const struct uuid *uuid)
{
    for (size_t i = 0; i < a->n_declared; i++) {
        if (uuid_equal(&a->declared[i].uuid, uuid))
            return fail(d, "another one has the same `name` or `uuid`");
    }
    return 0;
}

static int
read_declared(struct declaring *d, struct app_webhooks *ret)
{
    struct webhook_declaration *w = &ret->declared[ret->n_declared];
    struct buf text = BUF_INIT, why = BUF_INIT;
    struct json_out j = json_out(&text);
    struct uuid uuid;
    int rc = check_keys(d);
    if (rc == 0)
        rc = read_uuid(d, &uuid);
    if (rc == 0)
        rc = check_unique(d, ret, &uuid);
    if (rc == 0)
        rc = put_members(d, &j);
    struct json_doc *doc = rc == 0 ? json_parse(buf_str(&text), &why) : NULL;
    if (rc == 0 && doc == NULL)
        rc = fail(d, buf_cstr(&why));
    if (rc == 0) {
        ret->docs[ret->n_declared++] = doc;
        *w = (struct webhook_declaration){uuid, mem_strdup(buf_cstr(&d->where)), json_root(doc)};
    }
    mem_wipe(text.data, text.len);
    buf_done(&text);
    buf_done(&why);
    return rc;
}

int
app_webhooks_read(const struct conf *conf, struct app_webhooks *ret, struct err *err)
{
    *ret = (struct app_webhooks){0};
    int rc = read_cli(conf, ret, err);
    const struct toml *table = conf->webhooks == NULL ? NULL : conf->webhooks->first;
    for (; table != NULL && rc == 0; table = table->next) {
        struct declaring d = {.conf = conf, .table = table, .err = err};
        write_where(&d);
        if (ret->n_declared == WEBHOOKS_MAX)
            rc = fail(&d, "more than 20 webhooks");
        else
            rc = read_declared(&d, ret);
        buf_done(&d.where);
    }
    return rc;
}

void
app_webhooks_done(struct app_webhooks *a)
{
    json_doc_free(a->cli);
    for (size_t i = 0; i < a->n_declared; i++) {
        free((void *) (uintptr_t) a->declared[i].where);
        json_doc_free(a->docs[i]);
    }
    *a = (struct app_webhooks){0};
}
