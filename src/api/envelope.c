/* Errors in the envelope of the Mixpeek-style door. Knows the catalogue's names and statuses, and
 * nothing of who failed. */
#include "api/envelope.h"

#include "codec/json.h"

static const struct {
    int status;
    const char *type;
} types[] = {
    {400, "BadRequestError"},         {401, "UnauthorizedError"},
    {403, "ForbiddenError"},          {404, "NotFoundError"},
    {405, "MethodNotAllowedError"},   {408, "RequestTimeoutError"},
    {409, "AlreadyExistsError"},      {413, "PayloadTooLargeError"},
    {414, "UriTooLongError"},         {415, "UnsupportedMediaTypeError"},
    {422, "ValidationError"},         {429, "TooManyRequestsError"},
    {503, "ServiceUnavailableError"},
};

static const char *
type_of(enum err_code code)
{
    int status = err_http_status(code);
    if (code == ERR_FEATURE_NOT_ENABLED)
        return "NotEnabledError";
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (types[i].status == status)
            return types[i].type;
    }
    return status < 500 ? "BadRequestError" : "InternalServerError";
}

/* "Invalid value in parameter `limit`: ..." is about a parameter of the query. */
static struct str
parameter_of(const char *message)
{
    struct str text = str_from(message);
    if (!str_starts_with(text, "Invalid value in parameter `"))
        return STR_NULL;
    size_t from = str_find(text, '`', 0) + 1;
    return str_slice(text, from, str_find(text, '`', from));
}

/* ".channels[0].configs" as "body","channels",0,"configs". */
static void
put_path(struct json_out *j, struct str path)
{
    json_put_cstr(j, "body");
    for (size_t at = 0; at < path.len;) {
        bool is_element = path.data[at] == '[';
        size_t end = at + 1;
        while (end < path.len && path.data[end] != '.' && path.data[end] != '[')
            end++;
        struct str piece = str_slice(path, at + 1, end - (is_element && end > at + 1));
        uint64_t number;
        if (is_element && str_to_u64(piece, UINT32_MAX, &number))
            json_put_u64(j, number);
        else
            json_put_str(j, piece);
        at = end;
    }
}

static const char *
problem_of(const char *message)
{
    if (str_starts_with(str_from(message), "Missing "))
        return "missing";
    return str_starts_with(str_from(message), "Invalid value type") ? "type_error" : "value_error";
}

static void
put_validation_errors(struct json_out *j, const struct err *err)
{
    struct str parameter = parameter_of(err->message);
    json_key(j, "validation_errors");
    json_begin_array(j);
    json_begin_object(j);
    json_key(j, "type");
    json_put_cstr(j, problem_of(err->message));
    json_key(j, "location");
    json_begin_array(j);
    if (parameter.len > 0) {
        json_put_cstr(j, "query");
        json_put_str(j, parameter);
    } else {
        put_path(j, str_from(err->path));
    }
    json_end_array(j);
    json_key(j, "message");
    json_put_cstr(j, err->message);
    json_end_object(j);
    json_end_array(j);
}

const char *
envelope_render(const struct http_call *call, struct buf *out)
{
    enum err_code code = call->err.code;
    struct json_out j = json_out(out);
    json_begin_object(&j);
    json_key(&j, "success");
    json_put_bool(&j, false);
    json_key(&j, "status");
    json_put_i64(&j, err_http_status(code));
    json_key(&j, "error");
    json_begin_object(&j);
    json_key(&j, "type");
    json_put_cstr(&j, type_of(code));
    json_key(&j, "message");
    json_put_cstr(&j, call->err.message);
    json_key(&j, "details");
    json_begin_object(&j);
    json_key(&j, "code");
    json_put_cstr(&j, err_name(code));
    if (err_http_status(code) == 422)
        put_validation_errors(&j, &call->err);
    json_end_object(&j);
    json_end_object(&j);
    json_end_object(&j);
    return "application/json";
}
