/* Reading request bodies. Owns the wording about content types, encodings and sizes; knows no
 * route. */
#include "api/body.h"

#include <ctype.h>

#include "api/handler.h"
#include "codec/gzip.h"

enum { INFLATE_STEP_BYTES = 64 * 1024 };

static bool
is_token(struct str s)
{
    static const char extra[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < s.len; i++) {
        if (!isalnum((unsigned char) s.data[i]) && strchr(extra, s.data[i]) == NULL)
            return false;
    }
    return s.len > 0;
}

/* "type/subtype" of a media type in lower case; false when it does not parse. */
static bool
read_essence(struct arena *arena, struct str header, struct str *ret)
{
    struct str essence = str_trim(str_slice(header, 0, str_find(header, ';', 0)));
    size_t slash = str_find(essence, '/', 0);
    if (!is_token(str_slice(essence, 0, slash)) ||
        !is_token(str_slice(essence, slash + 1, essence.len)))
        return false;
    char *lower = arena_strndup(arena, essence.data, essence.len);
    for (size_t i = 0; i < essence.len; i++)
        lower[i] = (char) tolower((unsigned char) lower[i]);
    *ret = str_make(lower, essence.len);
    return true;
}

static void
write_accepted(struct buf *out, const struct body_type *types, size_t n)
{
    buf_add_cstr(out, "Accepted values for the Content-Type header are: ");
    for (size_t i = 0; i < n; i++)
        buf_addf(out, "%s`%s`", i == 0 ? "" : ", ", types[i].essence);
}

int
body_content_type(struct http_call *call, const struct body_type *types, size_t n, int *ret_value)
{
    struct str header = http_call_header(call, "Content-Type"), shown;
    struct buf message = BUF_INIT;
    enum err_code code = ERR_MISSING_CONTENT_TYPE;
    if (header.data == NULL) {
        buf_add_cstr(&message, "A Content-Type header is missing. ");
    } else {
        code = ERR_INVALID_CONTENT_TYPE;
        if (!read_essence(call->arena, header, &shown))
            shown = handler_utf8(call->arena, header);
        for (size_t i = 0; i < n; i++) {
            if (str_is(shown, types[i].essence)) {
                *ret_value = types[i].value;
                return 0;
            }
        }
        buf_addf(&message, "The Content-Type `%.*s` is invalid. ", STR_ARG(shown));
    }
    write_accepted(&message, types, n);
    int rc = err_set_str(&call->err, code, buf_str(&message));
    buf_done(&message);
    return rc;
}

int
body_encoding(struct http_call *call, enum intake_encoding *ret)
{
    struct str header = http_call_header(call, "Content-Encoding");
    *ret = INTAKE_IDENTITY;
    if (header.len == 0 || str_equal_nocase(header, STR("identity")))
        return 0;
    if (str_equal_nocase(header, STR("gzip")) || str_equal_nocase(header, STR("x-gzip")))
        *ret = INTAKE_GZIP;
    else if (str_equal_nocase(header, STR("deflate")))
        *ret = INTAKE_DEFLATE;
    if (*ret != INTAKE_IDENTITY)
        return 0;
    http_call_add_header(call, "Accept-Encoding", "gzip, deflate, identity");
    return err_set(&call->err, ERR_UNSUPPORTED_MEDIA_TYPE,
                   "The Content-Encoding `%.*s` is not supported. Accepted values for the "
                   "Content-Encoding header are: `gzip`, `deflate`, `identity`",
                   STR_ARG(handler_utf8(call->arena, header)));
}

int
body_json_too_large(struct err *err, uint64_t declared, uint64_t limit)
{
    if (declared == UINT64_MAX)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE, "JSON payload has exceeded limit (%llu bytes).",
                       (unsigned long long) limit);
    return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                   "JSON payload (%llu bytes) is larger than allowed (limit: %llu bytes).",
                   (unsigned long long) declared, (unsigned long long) limit);
}

int
body_upload_too_large(struct err *err, uint64_t limit)
{
    static const char *const binary[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    static const char *const decimal[] = {"B", "KB", "MB", "GB", "TB"};
    bool is_binary = limit % 1024 == 0;
    double unit = is_binary ? 1024 : 1000, size = (double) limit;
    size_t i = 0;
    for (; size >= unit && i < 4; i++)
        size /= unit;
    return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                   "The provided payload reached the size limit. The maximum accepted payload "
                   "size is %.12g %s.",
                   size, is_binary ? binary[i] : decimal[i]);
}

static int
incomplete(struct err *err)
{
    return err_set(err, ERR_BAD_REQUEST, "The provided payload is incomplete and cannot be parsed");
}

uint64_t
body_json_limit(const struct api *api)
{
    uint64_t limit = api->conf->http_payload_size_limit;
    return limit < BODY_JSON_MAX_BYTES ? limit : BODY_JSON_MAX_BYTES;
}

static int
inflate_all(struct str raw, enum intake_encoding encoding, uint64_t limit, struct buf *out,
            struct err *err)
{
    struct gzip_in *z =
        gzip_in_new(encoding == INTAKE_GZIP ? GZIP_FORMAT_GZIP : GZIP_FORMAT_DEFLATE);
    int rc = 0;
    while (rc == 0) {
        size_t had = out->len, left = raw.len;
        rc = gzip_in_step(z, &raw, out, INFLATE_STEP_BYTES);
        if (rc == 0 && out->len == had && raw.len == left)
            rc = -1; /* neither input nor progress: it was cut off */
        if (rc >= 0 && out->len > limit)
            break;
    }
    gzip_in_free(z);
    if (out->len > limit)
        return body_json_too_large(err, UINT64_MAX, limit);
    return rc < 0 || buf_failed(out) ? incomplete(err) : 0;
}

int
body_inflate(struct http_call *call, struct str *body, struct buf *out, uint64_t limit)
{
    enum intake_encoding encoding;
    if (body_encoding(call, &encoding) < 0)
        return -1;
    if (encoding == INTAKE_IDENTITY || body->len == 0)
        return 0;
    if (inflate_all(*body, encoding, limit, out, &call->err) < 0)
        return -1;
    *body = buf_str(out);
    return 0;
}

static int
parse(struct http_call *call, struct str text, struct json_doc **ret)
{
    if (text.len == 0)
        return err_set(&call->err, ERR_MISSING_PAYLOAD, "A json payload is missing.");
    struct buf why = BUF_INIT;
    *ret = json_parse(text, &why);
    if (*ret == NULL)
        err_set(&call->err, ERR_MALFORMED_PAYLOAD, "The json payload provided is malformed. `%s`.",
                buf_cstr(&why));
    buf_done(&why);
    return *ret == NULL ? -1 : 0;
}

void
body_read_ignored(struct http_call *call, struct body *ret)
{
    *ret = (struct body){0};
    while (http_call_take_body(call, &ret->raw, BODY_JSON_MAX_BYTES) > 0)
        ;
}

int
body_read_json(struct http_call *call, struct body *ret)
{
    static const struct body_type json[] = {{"application/json", 0}};
    int type;
    *ret = (struct body){0};
    if (body_content_type(call, json, 1, &type) < 0)
        return -1;
    return body_read_json_as_any(call, ret);
}

int
body_read_json_as_any(struct http_call *call, struct body *ret)
{
    struct buf plain = BUF_INIT;
    *ret = (struct body){0};
    body_read_ignored(call, ret);
    if (buf_failed(&ret->raw))
        return err_set(&call->err, ERR_INTERNAL, "Not enough memory for this request.");
    struct str text = buf_str(&ret->raw);
    int rc = body_inflate(call, &text, &plain, body_json_limit(handler_api(call)));
    if (rc == 0)
        rc = parse(call, text, &ret->doc);
    buf_done(&plain);
    return rc;
}

void
body_done(struct body *b)
{
    json_doc_free(b->doc);
    buf_done(&b->raw);
    *b = (struct body){0};
}
