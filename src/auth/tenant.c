/* JSON Web Tokens as far as upstream reads them: three parts, HMAC only, three claims. Owns the
 * wording of what is wrong; knows no keys but derives the one a token names. */
#include "auth/tenant.h"

#include "auth/key.h"
#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"

struct parts {
    struct str header, claims, signature; /* as written */
    struct str signed_text;               /* header and claims with their dot */
};

/* --- what is wrong */

static int
refuse(struct err *err, const char *why)
{
    return err_set(err, ERR_INVALID_API_KEY, "Could not decode tenant token, %s.", why);
}

static int
refuse_buf(struct err *err, const char *what, struct buf *why)
{
    struct buf text = BUF_INIT;
    buf_addf(&text, "%s: ", what);
    buf_add_str(&text, buf_str(why));
    int rc = refuse(err, buf_cstr(&text));
    buf_done(&text);
    buf_done(why);
    return rc;
}

/* The position is the end of the text: there serde_json notices what is missing and what matches no
 * variant. (Wrong types it would place at their value.) */
static int
refuse_json(struct err *err, struct str text, struct buf *why)
{
    size_t line = 1, begin = 0;
    text = str_trim(text);
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] != '\n')
            continue;
        line++;
        begin = i + 1;
    }
    buf_addf(why, " at line %zu column %zu", line, text.len - begin);
    return refuse_buf(err, "JSON error", why);
}

static void
write_found(struct buf *out, const struct json *value)
{
    int64_t n;
    switch (json_type(value)) {
    case JSON_NULL:
        buf_add_cstr(out, "null");
        break;
    case JSON_BOOL:
        buf_addf(out, "boolean `%s`", json_bool(value) ? "true" : "false");
        break;
    case JSON_NUMBER:
        buf_add_cstr(out, json_to_i64(value, &n) ? "integer `" : "floating point `");
        json_write_normal(out, value);
        buf_add_char(out, '`');
        break;
    case JSON_STRING:
        buf_add_cstr(out, "string ");
        json_write(out, value);
        break;
    case JSON_ARRAY:
        buf_add_cstr(out, "sequence");
        break;
    case JSON_OBJECT:
        buf_add_cstr(out, "map");
        break;
    }
}

static int
refuse_type(struct err *err, struct str text, const struct json *found, const char *expected)
{
    struct buf why = BUF_INIT;
    buf_add_cstr(&why, "invalid type: ");
    write_found(&why, found);
    buf_addf(&why, ", expected %s", expected);
    return refuse_json(err, text, &why);
}

static int
refuse_missing(struct err *err, struct str text, const char *name)
{
    struct buf why = BUF_INIT;
    buf_addf(&why, "missing field `%s`", name);
    return refuse_json(err, text, &why);
}

/* --- the parts */

static bool
split(struct str text, struct parts *ret)
{
    size_t last = text.len, middle;
    while (last > 0 && text.data[last - 1] != '.')
        last--;
    if (last == 0)
        return false;
    ret->signature = str_slice(text, last, text.len);
    ret->signed_text = str_slice(text, 0, last - 1);
    for (middle = ret->signed_text.len; middle > 0 && text.data[middle - 1] != '.'; middle--)
        ;
    if (middle == 0)
        return false;
    ret->claims = str_slice(ret->signed_text, middle, ret->signed_text.len);
    ret->header = str_slice(text, 0, middle - 1);
    return true;
}

static int
decode(struct buf *out, struct str part, struct err *err)
{
    struct buf why = BUF_INIT;
    if (!base64url_decode(out, part, &why))
        return refuse_buf(err, "Base64 error", &why);
    return 0;
}

/* A part that holds JSON: 0 with a document to free, and its text for messages. */
static int
decode_json(struct str part, struct buf *ret_text, struct json_doc **ret, struct err *err)
{
    struct buf why = BUF_INIT;
    if (decode(ret_text, part, err) < 0)
        return -1;
    *ret = json_parse(buf_str(ret_text), &why);
    if (*ret == NULL)
        return refuse_buf(err, "JSON error", &why);
    buf_done(&why);
    return 0;
}

/* --- the header */

static const struct algorithm {
    const char *name;
    size_t n_bytes;
    void (*sign)(struct str key, struct str data, uint8_t *out); /* NULL: known, not accepted */
} algorithms[] = {
    {"HS256", SHA256_BYTES, digest_hmac_sha256},
    {"HS384", SHA384_BYTES, digest_hmac_sha384},
    {"HS512", SHA512_BYTES, digest_hmac_sha512},
    {.name = "ES256"},
    {.name = "ES384"},
    {.name = "RS256"},
    {.name = "RS384"},
    {.name = "RS512"},
    {.name = "PS256"},
    {.name = "PS384"},
    {.name = "PS512"},
    {.name = "EdDSA"},
};
enum { N_ALGORITHMS = sizeof(algorithms) / sizeof(algorithms[0]) };

static int
refuse_algorithm(struct err *err, struct str text, struct str name)
{
    struct buf why = BUF_INIT;
    buf_add_cstr(&why, "unknown variant `");
    buf_add_str(&why, name);
    buf_add_cstr(&why, "`, expected one of ");
    for (size_t i = 0; i < N_ALGORITHMS; i++)
        buf_addf(&why, "%s`%s`", i == 0 ? "" : ", ", algorithms[i].name);
    return refuse_json(err, text, &why);
}

static int
read_header_of(const struct json *header, struct str text, const struct algorithm **ret,
               struct err *err)
{
    if (json_type(header) != JSON_OBJECT)
        return refuse_type(err, text, header, "struct Header");
    const struct json *alg = json_get_c(header, "alg");
    if (alg == NULL)
        return refuse_missing(err, text, "alg");
    if (json_type(alg) != JSON_STRING)
        return refuse_type(err, text, alg, "string or map");
    for (size_t i = 0; i < N_ALGORITHMS; i++) {
        *ret = &algorithms[i];
        if (str_is(json_string(alg), algorithms[i].name))
            return 0;
    }
    return refuse_algorithm(err, text, json_string(alg));
}

static int
read_header(struct str part, const struct algorithm **ret, struct err *err)
{
    struct buf text = BUF_INIT;
    struct json_doc *doc = NULL;
    int rc = decode_json(part, &text, &doc, err);
    if (rc == 0)
        rc = read_header_of(json_root(doc), buf_str(&text), ret, err);
    json_doc_free(doc);
    buf_done(&text);
    return rc;
}

/* --- the claims */

struct claims {
    struct tenant_token token;
    bool has_rules, has_key_uid, has_exp, has_audience;
    int64_t exp_s;
};

struct claims_in {
    struct arena *arena;
    struct str text;
    struct err *err;
};

static int
refuse_rules(const struct claims_in *in)
{
    struct buf why = BUF_INIT;
    buf_add_cstr(&why, "data did not match any variant of untagged enum SearchRules");
    return refuse_json(in->err, in->text, &why);
}

/* null, or an object that may have a filter. */
static bool
read_filter(struct arena *arena, const struct json *value, struct str *ret)
{
    *ret = STR_NULL;
    if (json_type(value) != JSON_OBJECT)
        return json_type(value) == JSON_NULL;
    const struct json *filter = json_get_c(value, "filter");
    if (filter == NULL || json_type(filter) == JSON_NULL)
        return true;
    struct buf text = BUF_INIT;
    json_write(&text, filter);
    *ret = arena_copy(arena, buf_str(&text));
    buf_done(&text);
    return true;
}

/* A list of patterns, or an object of patterns with what goes with each. */
static int
read_rules(const struct claims_in *in, const struct json *value, struct claims *ret)
{
    bool is_list = json_type(value) == JSON_ARRAY;
    if (!is_list && json_type(value) != JSON_OBJECT)
        return refuse_rules(in);
    struct tenant_rule *rules =
        arena_alloc(in->arena, (json_length(value) + 1) * sizeof(struct tenant_rule));
    struct json_iter it = json_iter(value);
    size_t n = 0;
    for (; json_next(&it); n++) {
        bool ok = is_list ? json_type(it.value) == JSON_STRING
                          : read_filter(in->arena, it.value, &rules[n].filter);
        if (!ok)
            return refuse_rules(in);
        rules[n].pattern = arena_copy(in->arena, is_list ? json_string(it.value) : it.key);
    }
    ret->token.rules = rules;
    ret->token.n_rules = n;
    ret->has_rules = true;
    return 0;
}

static int
read_key_uid(const struct claims_in *in, const struct json *value, struct claims *ret)
{
    struct buf why = BUF_INIT;
    if (json_type(value) != JSON_STRING)
        return refuse_type(in->err, in->text, value, "a formatted UUID string");
    buf_add_cstr(&why, "UUID parsing failed: ");
    if (!uuid_parse(json_string(value), &ret->token.key_uid, &why))
        return refuse_json(in->err, in->text, &why);
    buf_done(&why);
    ret->has_key_uid = true;
    return 0;
}

static int
read_exp(const struct claims_in *in, const struct json *value, struct claims *ret)
{
    if (json_type(value) == JSON_NULL)
        return 0;
    if (!json_to_i64(value, &ret->exp_s))
        return refuse_type(in->err, in->text, value, "i64");
    ret->has_exp = true;
    return 0;
}

/* Tokens for a named audience are for somebody else. */
static void
note_audience(const struct json *value, struct claims *ret)
{
    struct json_iter it = json_iter(value);
    ret->has_audience = json_type(value) == JSON_STRING || json_type(value) == JSON_ARRAY;
    while (json_type(value) == JSON_ARRAY && json_next(&it))
        ret->has_audience = ret->has_audience && json_type(it.value) == JSON_STRING;
}

static int
read_claim(const struct claims_in *in, const struct json_iter *it, struct claims *ret)
{
    if (str_is(it->key, "searchRules"))
        return read_rules(in, it->value, ret);
    if (str_is(it->key, "apiKeyUid"))
        return read_key_uid(in, it->value, ret);
    if (str_is(it->key, "exp"))
        return read_exp(in, it->value, ret);
    if (str_is(it->key, "aud"))
        note_audience(it->value, ret);
    return 0;
}

static int
read_claims_of(const struct claims_in *in, const struct json *root, struct claims *ret)
{
    if (json_type(root) != JSON_OBJECT)
        return refuse_type(in->err, in->text, root, "struct Claims");
    struct json_iter it = json_iter(root);
    while (json_next(&it)) {
        if (read_claim(in, &it, ret) < 0)
            return -1;
    }
    if (!ret->has_rules)
        return refuse_missing(in->err, in->text, "searchRules");
    return ret->has_key_uid ? 0 : refuse_missing(in->err, in->text, "apiKeyUid");
}

static int
read_claims(struct arena *arena, struct str part, struct claims *ret, struct err *err)
{
    struct buf text = BUF_INIT;
    struct json_doc *doc = NULL;
    int rc = decode_json(part, &text, &doc, err);
    struct claims_in in = {arena, buf_str(&text), err};
    if (rc == 0)
        rc = read_claims_of(&in, json_root(doc), ret);
    json_doc_free(doc);
    buf_done(&text);
    return rc;
}

/* --- the signature */

static bool
is_signed(const struct algorithm *algorithm, struct str master_key, const struct uuid *key_uid,
          const struct parts *parts, struct str signature)
{
    uint8_t expected[SHA512_BYTES] = {0};
    struct buf value = BUF_INIT;
    key_write_value(&value, master_key, key_uid);
    algorithm->sign(buf_str(&value), parts->signed_text, expected);
    bool ok = bytes_equal_secret(signature, str_make(expected, algorithm->n_bytes));
    mem_wipe(expected, sizeof(expected));
    mem_wipe(value.data, value.len);
    buf_done(&value);
    return ok;
}

static int
check_signature(const struct algorithm *algorithm, struct str master_key,
                const struct uuid *key_uid, const struct parts *parts, struct err *err)
{
    struct buf signature = BUF_INIT;
    if (algorithm->sign == NULL)
        return refuse(err, "InvalidAlgorithm");
    int rc = decode(&signature, parts->signature, err);
    if (rc == 0 && !is_signed(algorithm, master_key, key_uid, parts, buf_str(&signature)))
        rc = refuse(err, "InvalidSignature");
    buf_done(&signature);
    return rc;
}

static int
check_end(const struct claims *claims, struct err *err)
{
    int64_t now_s = clock_wall_ns() / 1000000000;
    if (!claims->has_exp || now_s <= claims->exp_s)
        return 0;
    return err_set(err, ERR_INVALID_API_KEY,
                   "Tenant token expired. Was valid up to `%lld` and we're now `%lld`.",
                   (long long) claims->exp_s, (long long) now_s);
}

int
tenant_token_read(struct arena *arena, struct str master_key, struct str text,
                  struct tenant_token *ret, struct err *err)
{
    struct parts parts;
    struct claims claims = {0};
    const struct algorithm *algorithm = NULL;
    if (!split(text, &parts))
        return 0;
    if (read_header(parts.header, &algorithm, err) < 0 ||
        read_claims(arena, parts.claims, &claims, err) < 0 ||
        check_signature(algorithm, master_key, &claims.token.key_uid, &parts, err) < 0)
        return -1;
    if (claims.has_audience)
        return refuse(err, "InvalidAudience");
    if (check_end(&claims, err) < 0)
        return -1;
    *ret = claims.token;
    return 1;
}
