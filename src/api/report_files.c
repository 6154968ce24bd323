/* GET /api/reports/{taskId}/download: the result with its conditions and ranges (RFC 9110, 13 and
 * 14). The file is mapped and sent in pieces; one that is removed meanwhile is still sent whole. */
#include "api/report_files.h"

#include <stdlib.h>

#include "api/doors.h"
#include "base/clock.h"
#include "base/mem.h"

enum { PIECE_BYTES = 64 * 1024 };

/* --- what is not there */

/* The problem with the task's own error as a member of its own. */
static enum http_result
reply_failed(struct http_call *call, const struct report_view *v)
{
    struct buf body = BUF_INIT;
    (void) err_set(&call->err, ERR_REPORT_FAILED, "Report `%u` failed: %s", v->uid,
                   v->error.message == NULL ? "for a reason unknown" : v->error.message);
    const char *type = problem_render(call, &body);
    body.len--; /* the closing brace */
    struct json_out j = {.out = &body, .comma = true};
    json_key(&j, "error");
    json_begin_object(&j);
    json_key(&j, "code");
    json_put_cstr(&j, err_name(v->error.code));
    json_key(&j, "message");
    json_put_cstr(&j, v->error.message);
    json_end_object(&j);
    buf_add_char(&body, '}');
    http_reply_take(call, err_http_status(ERR_REPORT_FAILED), type, &body);
    return HTTP_DONE;
}

static enum http_result
refuse(struct http_call *call, const struct report_view *v)
{
    switch (v->state) {
    case REPORT_FAILED:
        return reply_failed(call, v);
    case REPORT_CANCELED:
        (void) err_set(&call->err, ERR_REPORT_CANCELED, "Report `%u` was canceled.", v->uid);
        return HTTP_ERROR;
    case REPORT_REMOVED:
        (void) err_set(&call->err, ERR_REPORT_EXPIRED, "The result of report `%u` is gone.",
                       v->uid);
        return HTTP_ERROR;
    default:
        report_add_retry(call);
        (void) err_set(&call->err, ERR_REPORT_NOT_FINISHED, "Report `%u` is not finished yet.",
                       v->uid);
        return HTTP_ERROR;
    }
}

/* --- conditions and ranges */

static bool
lists_etag(struct str list, const char *etag)
{
    struct str one;
    while (str_split(&list, ',', &one)) {
        one = str_trim(one);
        if (str_is(one, "*"))
            return true;
        if (str_starts_with(one, "W/"))
            one = str_slice(one, 2, one.len);
        if (str_is(one, etag))
            return true;
    }
    return false;
}

struct range {
    uint64_t from, to; /* the first byte, and the one behind the last */
};
enum range_result { RANGE_NONE, RANGE_ONE, RANGE_UNSATISFIABLE };

/* One range; several, or what is no range, count as none (RFC 9110, 14.2). */
static enum range_result
read_range(struct str header, uint64_t size, struct range *ret)
{
    uint64_t first, last = UINT64_MAX;
    if (!str_starts_with(header, "bytes=") || str_find(header, ',', 0) < header.len)
        return RANGE_NONE;
    struct str spec = str_trim(str_slice(header, 6, header.len));
    size_t dash = str_find(spec, '-', 0);
    if (dash == spec.len)
        return RANGE_NONE;
    struct str begin = str_slice(spec, 0, dash), end = str_slice(spec, dash + 1, spec.len);
    if (end.len > 0 && !str_to_u64(end, UINT64_MAX - 1, &last))
        return RANGE_NONE;
    if (begin.len == 0) { /* the last so many */
        if (end.len == 0)
            return RANGE_NONE;
        *ret = (struct range){last > size ? 0 : size - last, size};
        return last == 0 || size == 0 ? RANGE_UNSATISFIABLE : RANGE_ONE;
    }
    if (!str_to_u64(begin, UINT64_MAX - 1, &first) || (end.len > 0 && last < first))
        return RANGE_NONE;
    *ret = (struct range){first, last >= size ? size : last + 1};
    return first >= size ? RANGE_UNSATISFIABLE : RANGE_ONE;
}

static enum range_result
wanted_range(struct http_call *call, const struct report_view *v, uint64_t size, struct range *ret)
{
    struct str header = http_call_header(call, "Range");
    struct str condition = http_call_header(call, "If-Range");
    bool is_meant = call->method == HTTP_GET && header.data != NULL &&
                    (condition.data == NULL || str_is(str_trim(condition), v->etag));
    *ret = (struct range){0, size};
    return is_meant ? read_range(str_trim(header), size, ret) : RANGE_NONE;
}

/* --- sending */

struct sending {
    struct str bytes; /* mapped */
    uint64_t at, to;
};

static enum http_piece
make(void *arg, struct buf *out, int64_t deadline_us)
{
    struct sending *s = arg;
    uint64_t end = s->to - s->at > PIECE_BYTES ? s->at + PIECE_BYTES : s->to;
    (void) deadline_us; /* a piece takes well below a slice to copy */
    buf_add_str(out, str_slice(s->bytes, (size_t) s->at, (size_t) end));
    s->at = end;
    return buf_failed(out) ? HTTP_PIECE_FAILED : s->at == s->to ? HTTP_PIECE_LAST : HTTP_PIECE_MORE;
}

static void
release(void *arg)
{
    struct sending *s = arg;
    payload_unmap(s->bytes);
    free(s);
}

static void
add_headers(struct http_call *call, const struct report_view *v)
{
    char date[30];
    http_call_add_header(call, "ETag", v->etag);
    http_call_add_header(call, "Accept-Ranges", "bytes");
    http_call_add_header(call, "Cache-Control", "private, no-cache");
    http_call_add_header(call, "X-Content-Type-Options", "nosniff");
    clock_format_http_date(date, v->expires_at_ns);
    http_call_add_header(call, "Sunset", date); /* RFC 8594 */
    clock_format_http_date(date, v->finished_at_ns);
    http_call_add_header(call, "Last-Modified", date);
}

static enum http_result
send_result(struct http_call *call, const struct report_view *v, struct str bytes)
{
    struct range range;
    enum range_result found = wanted_range(call, v, bytes.len, &range);
    if (found == RANGE_UNSATISFIABLE) {
        payload_unmap(bytes);
        http_call_add_header(
            call, "Content-Range",
            arena_printf(call->arena, "bytes */%llu", (unsigned long long) bytes.len));
        (void) err_set(&call->err, ERR_REPORT_RANGE_NOT_SATISFIABLE,
                       "The result has %zu bytes: there is nothing in this range.", bytes.len);
        return HTTP_ERROR;
    }
    if (found == RANGE_ONE)
        http_call_add_header(
            call, "Content-Range",
            arena_printf(call->arena, "bytes %llu-%llu/%llu", (unsigned long long) range.from,
                         (unsigned long long) range.to - 1, (unsigned long long) bytes.len));
    http_call_add_header(call, "Content-Disposition",
                         arena_printf(call->arena, "attachment; filename=\"%s-%u.%s\"",
                                      v->report_type, v->uid, v->extension));
    struct sending *s = mem_new(1, sizeof(*s));
    *s = (struct sending){bytes, range.from, range.to};
    struct http_sized body = {
        .status = found == RANGE_ONE ? 206 : 200,
        .content_type = v->media_type,
        .size = range.to - range.from,
        .make = make,
        .release = release,
        .arg = s,
    };
    http_reply_sized(call, &body);
    return HTTP_DONE;
}

enum http_result
report_download(struct http_call *call)
{
    struct report_view v;
    struct str bytes = STR_NULL;
    enum http_result result = HTTP_ERROR;
    if (report_of_path(call, &v) < 0)
        return HTTP_ERROR;
    if (v.state != REPORT_COMPLETED) {
        result = refuse(call, &v);
    } else if (lists_etag(http_call_header(call, "If-None-Match"), v.etag)) {
        add_headers(call, &v);
        http_reply_empty(call, 304);
        result = HTTP_DONE;
    } else if (reports_map(handler_api(call)->reports, v.uid, &bytes, &call->err) == 0) {
        add_headers(call, &v);
        result = send_result(call, &v, bytes);
    }
    report_view_done(&v);
    return result;
}
