/* One connection: its row, its JSON, and what a request makes of it. Owns which of its members are
 * secret; knows no table. */
#include <stdlib.h>

#include "base/mem.h"
#include "inbound/inbound_internal.h"
#include "store/rec.h"
#include "webhook/field_err.h"

enum { RECORD_VERSION = 1, FLAG_ACTIVE = 1, FLAG_CREATES = 2 };

/* --- ids */

bool
connection_id_parse(struct str id, struct uuid *ret)
{
    struct str hex = str_slice(id, strlen(CONNECTION_PREFIX), id.len);
    struct uuid uuid;
    if (!str_starts_with(id, CONNECTION_PREFIX) || hex.len != 2 * sizeof(uuid.bytes))
        return false;
    for (size_t i = 0; i < sizeof(uuid.bytes); i++) {
        int high = str_hex_value(hex.data[2 * i]), low = str_hex_value(hex.data[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        uuid.bytes[i] = (uint8_t) (high << 4 | low);
    }
    *ret = uuid;
    return true;
}

void
connection_id_write(struct buf *out, const struct uuid *uuid)
{
    buf_add_cstr(out, CONNECTION_PREFIX);
    hex_encode(out, str_make(uuid->bytes, sizeof(uuid->bytes)));
}

/* --- life */

static void
wipe_text(char *text)
{
    if (text != NULL)
        mem_wipe(text, strlen(text));
    free(text);
}

void
connection_done(struct connection *c)
{
    for (size_t i = 0; i < c->n_secrets; i++)
        wipe_text(c->secrets[i]);
    free(c->url);
    free(c->name);
    free(c->description);
    free(c->config);
    free(c->metadata);
    json_doc_free(c->config_doc);
    arena_free(c->arena);
    *c = (struct connection){0};
}

void
connection_free(struct connection *c)
{
    if (c != NULL)
        connection_done(c);
    free(c);
}

/* --- rows: what a request is checked with stands in front */

void
connection_encode(struct buf *out, const struct connection *c)
{
    rec_put_u8(out, RECORD_VERSION);
    rec_put_u8(out, (uint8_t) c->provider);
    rec_put_u8(out, (uint8_t) ((c->is_active ? FLAG_ACTIVE : 0) |
                               (c->may_create_indexes ? FLAG_CREATES : 0)));
    rec_put_u32(out, c->tolerance_s);
    rec_put_u8(out, (uint8_t) c->n_secrets);
    for (size_t i = 0; i < c->n_secrets; i++)
        rec_put_cstr(out, c->secrets[i]);
    if (c->provider == PROVIDER_TWILIO)
        rec_put_cstr(out, c->url);
    rec_put_i64(out, c->created_at_ns);
    rec_put_i64(out, c->updated_at_ns);
    rec_put_cstr(out, c->name);
    rec_put_cstr(out, c->description);
    rec_put_cstr(out, c->config);
    rec_put_cstr(out, c->metadata);
}

int
connection_decode(struct connection *ret, const struct uuid *uuid, struct str record)
{
    struct rec r = rec_open(record, RECORD_VERSION);
    uint8_t provider = rec_u8(&r), flags = rec_u8(&r);
    struct connection c = {.uuid = *uuid,
                           .provider = (enum provider) provider,
                           .is_active = (flags & FLAG_ACTIVE) != 0,
                           .may_create_indexes = (flags & FLAG_CREATES) != 0};
    c.tolerance_s = rec_u32(&r);
    size_t n = rec_u8(&r);
    bool is_fine = n <= SIGNATURE_SECRETS_MAX && provider < PROVIDER_COUNT;
    while (is_fine && c.n_secrets < n) {
        c.secrets[c.n_secrets] = rec_cstr(&r);
        is_fine = c.secrets[c.n_secrets] != NULL;
        c.n_secrets += is_fine;
    }
    if (c.provider == PROVIDER_TWILIO) {
        c.url = rec_cstr(&r);
        is_fine = is_fine && c.url != NULL;
    }
    c.created_at_ns = rec_i64(&r);
    c.updated_at_ns = rec_i64(&r);
    c.name = rec_cstr(&r);
    c.description = rec_cstr(&r);
    c.config = rec_cstr(&r);
    c.metadata = rec_cstr(&r);
    if (!is_fine || !rec_ok(&r) || c.name == NULL || c.config == NULL || c.metadata == NULL) {
        connection_done(&c);
        return STORE_ECORRUPT;
    }
    *ret = c;
    return 0;
}

static bool
decode_url(struct connection_lock *ret, struct rec *r)
{
    char *url = rec_cstr(r);
    bool is_fine = url != NULL && strlen(url) < sizeof(ret->url);
    if (is_fine)
        memcpy(ret->url, url, strlen(url) + 1);
    free(url);
    return is_fine;
}

int
connection_decode_lock(struct connection_lock *ret, struct str record)
{
    struct rec r = rec_open(record, RECORD_VERSION);
    uint8_t provider = rec_u8(&r);
    (void) rec_u8(&r); /* flags */
    *ret =
        (struct connection_lock){.provider = (enum provider) provider, .tolerance_s = rec_u32(&r)};
    size_t n = rec_u8(&r);
    bool is_fine = n <= SIGNATURE_SECRETS_MAX && provider < PROVIDER_COUNT;
    while (is_fine && ret->n < n) {
        char *secret = rec_cstr(&r);
        is_fine = secret != NULL &&
                  signature_read_key(ret->provider, str_from(secret), &ret->keys[ret->n]) == NULL;
        ret->n++;
        wipe_text(secret);
    }
    if (is_fine && ret->provider == PROVIDER_TWILIO)
        is_fine = decode_url(ret, &r);
    if (is_fine && !r.failed)
        return 0;
    connection_lock_done(ret);
    return STORE_ECORRUPT;
}

void
connection_lock_done(struct connection_lock *l)
{
    mem_wipe(l, sizeof(*l));
}

/* --- JSON */

static void
put_secrets(struct json_out *j, const struct connection *c)
{
    struct buf shown = BUF_INIT;
    json_key(j, c->n_secrets > 1 ? "webhook_secrets" : "webhook_secret");
    if (c->n_secrets == 0)
        json_put_null(j);
    if (c->n_secrets > 1)
        json_begin_array(j);
    for (size_t i = 0; i < c->n_secrets; i++) {
        buf_clear(&shown);
        signature_write_redacted(&shown, c->provider, str_from(c->secrets[i]), i);
        json_put_str(j, buf_str(&shown));
    }
    if (c->n_secrets > 1)
        json_end_array(j);
    buf_done(&shown);
}

static void
put_config(struct json_out *j, const struct connection *c)
{
    struct json_doc *doc = json_parse(str_from(c->config), NULL);
    json_key(j, "provider_config");
    json_begin_object(j);
    put_secrets(j, c);
    if (c->provider == PROVIDER_TWILIO) {
        json_key(j, "url");
        json_put_cstr(j, c->url);
    }
    if (signature_has_time(c->provider)) {
        json_key(j, "tolerance");
        json_put_u64(j, c->tolerance_s);
    }
    for (struct json_iter it = doc == NULL ? (struct json_iter){0} : json_iter(json_root(doc));
         it.left > 0 && json_next(&it);) {
        json_key_str(j, it.key);
        json_write(j->out, it.value);
        j->comma = true;
    }
    json_end_object(j);
    json_doc_free(doc);
}

static void
put_text(struct json_out *j, const char *key, const char *text)
{
    json_key(j, key);
    json_put_cstr(j, text);
}

void
connection_write(struct buf *out, const struct connection *c)
{
    struct json_out j = json_out(out);
    struct buf id = BUF_INIT;
    connection_id_write(&id, &c->uuid);
    json_begin_object(&j);
    put_text(&j, "connection_id", buf_cstr(&id));
    put_text(&j, "name", c->name);
    put_text(&j, "provider_type", provider_name(c->provider));
    put_config(&j, c);
    put_text(&j, "description", c->description);
    json_key(&j, "metadata");
    json_put_raw(&j, str_from(c->metadata));
    put_text(&j, "status", c->is_active ? "ACTIVE" : "INACTIVE");
    json_key(&j, "is_active");
    json_put_bool(&j, c->is_active);
    put_text(&j, "last_error", NULL); /* nothing here calls the provider */
    json_key(&j, "consecutive_failures");
    json_put_u64(&j, 0);
    json_key(&j, "webhook_path");
    struct buf path = BUF_INIT;
    buf_addf(&path, "/v1/webhooks/%s/%s", provider_name(c->provider), buf_cstr(&id));
    json_put_str(&j, buf_str(&path));
    json_key(&j, "created_at");
    json_put_time(&j, c->created_at_ns);
    json_key(&j, "updated_at");
    json_put_time(&j, c->updated_at_ns);
    json_end_object(&j);
    buf_done(&path);
    buf_done(&id);
}

/* --- what a request changes */

static int
refuse(struct err *err, const char *path, const char *expected)
{
    (void) field_err_value(err, ERR_INVALID_CONNECTION, str_from(path), "%s.", expected);
    err_set_path(err, path);
    return -1;
}

/* of: the path of the object; "" at the top */
static int
refuse_missing(struct err *err, const char *of, const char *name)
{
    struct buf path = BUF_INIT;
    buf_addf(&path, "%s.%s", of, name);
    if (of[0] == '\0')
        (void) err_set(err, ERR_INVALID_CONNECTION, "Missing field `%s`", name);
    else
        (void) err_set(err, ERR_INVALID_CONNECTION, "Missing field `%s` inside `%s`", name, of);
    err_set_path(err, buf_cstr(&path));
    buf_done(&path);
    return -1;
}

static void
take_text(char **to, struct str text)
{
    free(*to);
    *to = mem_strndup(text.data, text.len);
}

static int
apply_texts(struct connection *c, enum connection_change change, const struct connection_fields *f,
            struct err *err)
{
    if (f->name.data != NULL && (f->name.len == 0 || f->name.len > CONNECTION_NAME_MAX_BYTES))
        return refuse(err, ".name", "expected 1 to 200 bytes");
    if (f->description.len > CONNECTION_DESCRIPTION_MAX_BYTES)
        return refuse(err, ".description", "expected at most 1000 bytes");
    if (f->name.data != NULL)
        take_text(&c->name, f->name);
    if (change != CONNECTION_PATCH || f->description.data != NULL) {
        free(c->description);
        c->description =
            f->description.len == 0 ? NULL : mem_strndup(f->description.data, f->description.len);
    }
    if (f->has_active || change != CONNECTION_PATCH)
        c->is_active = !f->has_active || f->is_active;
    return c->name == NULL ? refuse_missing(err, "", "name") : 0;
}

static int
apply_metadata(struct connection *c, enum connection_change change, const struct json *sent,
               struct err *err)
{
    struct buf text = BUF_INIT;
    if (sent == NULL && change == CONNECTION_PATCH)
        return 0;
    if (sent != NULL)
        json_write(&text, sent);
    else
        buf_add_cstr(&text, "{}");
    if (buf_failed(&text) || text.len > CONNECTION_METADATA_MAX_BYTES) {
        buf_done(&text);
        return refuse(err, ".metadata", "expected at most 16 KiB");
    }
    free(c->metadata);
    c->metadata = buf_take(&text);
    return 0;
}

/* --- secrets: one that is sent as it is shown stays what it is */

static char *
kept_secret(const struct connection *c, struct str sent)
{
    char *kept = NULL;
    for (size_t i = 0; i < c->n_secrets && kept == NULL; i++) {
        struct buf shown = BUF_INIT;
        signature_write_redacted(&shown, c->provider, str_from(c->secrets[i]), i);
        if (str_equal(buf_str(&shown), sent))
            kept = mem_strdup(c->secrets[i]);
        buf_done(&shown);
    }
    return kept;
}

static int
read_secret(struct connection *c, const struct json *sent, const char *path, char **ret,
            struct err *err)
{
    struct signature_key key;
    struct str text = json_string(sent);
    if (json_type(sent) != JSON_STRING || str_find(text, '\0', 0) < text.len)
        return refuse(err, path, "expected a text without NUL");
    *ret = kept_secret(c, text);
    if (*ret != NULL)
        return 0;
    const char *wrong = signature_read_key(c->provider, text, &key);
    signature_key_done(&key);
    if (wrong == NULL && memmem(text.data, text.len, "XXX...", 6) != NULL)
        wrong = "expected a secret: this is the mask of one that is not stored here";
    if (wrong != NULL)
        return refuse(err, path, wrong);
    *ret = mem_strndup(text.data, text.len);
    return 0;
}

static int
read_secrets(struct connection *c, const struct json *list, char **ret, size_t *ret_n,
             struct err *err)
{
    if (json_type(list) != JSON_ARRAY || json_length(list) > SIGNATURE_SECRETS_MAX)
        return refuse(err, ".provider_config.webhook_secrets", "expected at most 4 texts");
    for (struct json_iter it = json_iter(list); json_next(&it);) {
        struct buf path = BUF_INIT;
        buf_addf(&path, ".provider_config.webhook_secrets[%zu]", *ret_n);
        int rc = read_secret(c, it.value, buf_cstr(&path), &ret[*ret_n], err);
        buf_done(&path);
        if (rc < 0)
            return -1;
        ++*ret_n;
    }
    return 0;
}

static int
apply_secrets(struct connection *c, enum connection_change change, const struct json *sent,
              struct err *err)
{
    const struct json *one = json_get_c(sent, "webhook_secret");
    const struct json *list = json_get_c(sent, "webhook_secrets");
    char *secrets[SIGNATURE_SECRETS_MAX] = {NULL};
    size_t n = 0;
    int rc = 0;
    if (one == NULL && list == NULL && change == CONNECTION_PATCH)
        return 0;
    bool has_one = one != NULL && json_type(one) != JSON_NULL;
    bool has_list = list != NULL && json_type(list) != JSON_NULL;
    if (has_one && has_list)
        return refuse(err, ".provider_config.webhook_secret",
                      "expected either `webhook_secret` or `webhook_secrets`");
    if (has_one) {
        rc = read_secret(c, one, ".provider_config.webhook_secret", &secrets[0], err);
        n = rc == 0;
    } else if (has_list) {
        rc = read_secrets(c, list, secrets, &n, err);
    }
    if (rc < 0) {
        for (size_t i = 0; i < n; i++)
            wipe_text(secrets[i]);
        return -1;
    }
    for (size_t i = 0; i < c->n_secrets; i++)
        wipe_text(c->secrets[i]);
    memcpy(c->secrets, secrets, sizeof(secrets));
    c->n_secrets = n;
    return 0;
}

static int
apply_tolerance(struct connection *c, enum connection_change change, const struct json *sent,
                struct err *err)
{
    static const char path[] = ".provider_config.tolerance";
    const struct json *value = json_get_c(sent, "tolerance");
    uint64_t seconds;
    if (value == NULL || json_type(value) == JSON_NULL) {
        if (change != CONNECTION_PATCH || value != NULL)
            c->tolerance_s = SIGNATURE_TOLERANCE_S;
        return 0;
    }
    if (!signature_has_time(c->provider))
        return refuse(err, path, "this provider signs no time that could be compared");
    if (!json_to_u64(value, &seconds) || seconds < 1 || seconds > SIGNATURE_TOLERANCE_MAX_S)
        return refuse(err, path, "expected 1 to 86400 seconds");
    c->tolerance_s = (uint32_t) seconds;
    return 0;
}

/* Twilio signs the address that it was given, which only the one who gave it knows. */
static int
apply_url(struct connection *c, enum connection_change change, const struct json *sent,
          struct err *err)
{
    static const char path[] = ".provider_config.url";
    const struct json *value = json_get_c(sent, "url");
    bool is_sent = value != NULL && json_type(value) != JSON_NULL;
    if (c->provider != PROVIDER_TWILIO)
        return is_sent ? refuse(err, path, "only connections of `twilio` have it") : 0;
    if (value == NULL && change == CONNECTION_PATCH)
        return 0;
    if (!is_sent)
        return refuse_missing(err, ".provider_config", "url");
    const char *wrong =
        json_type(value) == JSON_STRING ? twilio_check_url(json_string(value)) : "expected a text";
    if (wrong != NULL)
        return refuse(err, path, wrong);
    take_text(&c->url, json_string(value));
    return 0;
}

/* --- the rest of the configuration */

/* kept: in the text of the configuration; the others have members of their own, or are not kept:
 * access tokens, because nothing here calls a provider. */
static const struct config_member {
    const char *name;
    bool is_kept;
} config_members[] = {
    {"webhook_secret", false},
    {"webhook_secrets", false},
    {"tolerance", false},
    {"url", false},
    {"access_token_id", false},
    {"access_token_secret", false},
    {"event_type_path", true},
    {"mappings", true},
    {"index", true},
    {"id_field", true},
    {"fields", true},
};
enum { CONFIG_MEMBERS = sizeof(config_members) / sizeof(config_members[0]) };

static const struct config_member *
find_member(struct str name)
{
    for (size_t i = 0; i < CONFIG_MEMBERS; i++) {
        if (str_is(name, config_members[i].name))
            return &config_members[i];
    }
    return NULL;
}

static int
refuse_member(struct str name, struct err *err)
{
    struct buf text = BUF_INIT, path = BUF_INIT;
    const char *names[CONFIG_MEMBERS];
    for (size_t i = 0; i < CONFIG_MEMBERS; i++)
        names[i] = config_members[i].name;
    struct str shown = str_slice(name, 0, str_utf8_prefix(str_slice(name, 0, 100)));
    buf_addf(&text, "Unknown field `%.*s` inside `.provider_config`: expected one of ",
             STR_ARG(shown));
    field_write_names(&text, names, CONFIG_MEMBERS);
    buf_addf(&path, ".provider_config.%.*s", STR_ARG(shown));
    (void) field_err_take(err, ERR_INVALID_CONNECTION, &text);
    err_set_path(err, buf_cstr(&path));
    buf_done(&path);
    return -1;
}

static void
put_kept(struct json_out *j, const struct json *object, const struct json *unless_in)
{
    struct json_iter it = {0};
    if (object != NULL)
        it = json_iter(object);
    while (it.left > 0 && json_next(&it)) {
        const struct config_member *m = find_member(it.key);
        if (m == NULL || !m->is_kept || json_type(it.value) == JSON_NULL ||
            json_get(unless_in, it.key) != NULL)
            continue;
        json_key_str(j, it.key);
        json_write(j->out, it.value);
        j->comma = true;
    }
}

static int
apply_config(struct connection *c, enum connection_change change, const struct json *sent,
             struct err *err)
{
    struct buf text = BUF_INIT;
    struct json_out j = json_out(&text);
    for (struct json_iter it = json_iter(sent); json_next(&it);) {
        if (find_member(it.key) == NULL)
            return refuse_member(it.key, err);
    }
    struct json_doc *old = c->config == NULL || change != CONNECTION_PATCH
                               ? NULL
                               : json_parse(str_from(c->config), NULL);
    json_begin_object(&j);
    put_kept(&j, old == NULL ? NULL : json_root(old), sent);
    put_kept(&j, sent, NULL);
    json_end_object(&j);
    json_doc_free(old);
    if (buf_failed(&text) || text.len > CONNECTION_CONFIG_MAX_BYTES) {
        buf_done(&text);
        return refuse(err, ".provider_config", "expected at most 64 KiB");
    }
    free(c->config);
    c->config = buf_take(&text);
    c->has_new_config = true;
    return connection_read_mapping(c, err);
}

int
connection_read_mapping(struct connection *c, struct err *err)
{
    json_doc_free(c->config_doc);
    arena_free(c->arena);
    c->arena = arena_new();
    c->config_doc = json_parse(str_from(c->config), NULL);
    if (c->config_doc == NULL)
        return err_set(err, ERR_INTERNAL, "The configuration of a connection cannot be read.");
    return mapping_read(c->arena, c->provider, json_root(c->config_doc), &c->mapping, err);
}

static int
apply_provider(struct connection *c, enum connection_change change,
               const struct connection_fields *f, struct err *err)
{
    enum provider provider;
    if (f->provider_type.data == NULL)
        return change == CONNECTION_CREATE ? refuse_missing(err, "", "provider_type") : 0;
    if (!provider_from_name(f->provider_type, &provider)) {
        (void) field_err_choice(err, ERR_INVALID_CONNECTION, STR(".provider_type"),
                                f->provider_type, provider_names(), PROVIDER_COUNT);
        err_set_path(err, ".provider_type");
        return -1;
    }
    if (change != CONNECTION_CREATE && provider != c->provider)
        return refuse(err, ".provider_type", "it cannot be changed: create another connection");
    c->provider = provider;
    return 0;
}

int
connection_apply(struct connection *c, enum connection_change change,
                 const struct connection_fields *f, struct err *err)
{
    const struct json *config = f->provider_config;
    if (apply_texts(c, change, f, err) < 0 || apply_provider(c, change, f, err) < 0 ||
        apply_metadata(c, change, f->metadata, err) < 0)
        return -1;
    if (config == NULL && change != CONNECTION_PATCH)
        return refuse_missing(err, "", "provider_config");
    if (config == NULL)
        return 0;
    if (apply_config(c, change, config, err) < 0 || apply_tolerance(c, change, config, err) < 0 ||
        apply_url(c, change, config, err) < 0)
        return -1;
    return apply_secrets(c, change, config, err);
}
