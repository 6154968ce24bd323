/* Errors as RFC 9457 problem documents, for the doors that want them. Knows the catalogue's names
 * and nothing of who failed. */
#include "api/doors.h"
#include "codec/json.h"

/* "report_not_found" as "Report not found". */
static void
put_title(struct json_out *j, const char *name)
{
    struct buf title = BUF_INIT;
    for (size_t i = 0; name[i] != '\0'; i++) {
        bool is_first = i == 0 && name[i] >= 'a' && name[i] <= 'z';
        buf_add_char(&title, is_first         ? (char) (name[i] - 'a' + 'A')
                             : name[i] == '_' ? ' '
                                              : name[i]);
    }
    json_key(j, "title");
    json_put_str(j, buf_str(&title));
    buf_done(&title);
}

static void
put_type(struct json_out *j, const char *name)
{
    struct buf type = BUF_INIT;
    buf_add_cstr(&type, "/problems/");
    for (size_t i = 0; name[i] != '\0'; i++)
        buf_add_char(&type, name[i] == '_' ? '-' : name[i]);
    json_key(j, "type");
    json_put_str(j, buf_str(&type));
    buf_done(&type);
}

/* ".documents[0].id" as "/documents/0/id" (RFC 6901). */
static void
add_pointer(struct buf *out, const char *path)
{
    for (size_t i = 0; path[i] != '\0'; i++) {
        if (path[i] == '.' || path[i] == '[')
            buf_add_char(out, '/');
        else if (path[i] == '~' || path[i] == '/')
            buf_add_cstr(out, path[i] == '~' ? "~0" : "~1");
        else if (path[i] != ']')
            buf_add_char(out, path[i]);
    }
}

static void
put_errors(struct json_out *j, const struct err *err)
{
    struct buf pointer = BUF_INIT;
    add_pointer(&pointer, err->path);
    json_key(j, "errors");
    json_begin_array(j);
    json_begin_object(j);
    json_key(j, "pointer");
    json_put_str(j, buf_str(&pointer));
    json_key(j, "detail");
    json_put_cstr(j, err->message);
    json_end_object(j);
    json_end_array(j);
    buf_done(&pointer);
}

const char *
problem_render(const struct http_call *call, struct buf *out)
{
    const char *name = err_name(call->err.code);
    struct json_out j = json_out(out);
    json_begin_object(&j);
    put_type(&j, name);
    put_title(&j, name);
    json_key(&j, "status");
    json_put_i64(&j, err_http_status(call->err.code));
    json_key(&j, "detail");
    json_put_cstr(&j, call->err.message);
    if (str_is_utf8(call->path)) {
        json_key(&j, "instance");
        json_put_str(&j, call->path);
    }
    json_key(&j, "code");
    json_put_cstr(&j, name);
    if (call->err.path != NULL)
        put_errors(&j, &call->err);
    json_end_object(&j);
    return "application/problem+json";
}
