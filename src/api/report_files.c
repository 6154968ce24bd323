/* GET /api/reports/{taskId}/download: the result with its conditions and ranges (RFC 9110, 13 and
 * 14). The file is mapped and sent in pieces; one that is removed meanwhile is still sent whole. */
#include "api/report_files.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/conditions.h"
#include "api/doors.h"
#include "base/clock.h"
#include "base/mem.h"
#include "codec/byte_ranges.h"

enum { PIECE_BYTES = 64 * 1024 };
#define MULTIPART "multipart/byteranges; boundary="

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

/* --- what is sent: the file, a part of it, or several with their heads between them */

struct sending {
    struct str file;  /* mapped */
    struct buf heads; /* of parts, and the end behind the last */
    struct str pieces[2 * BYTE_RANGES_MAX + 1];
    size_t n, i, at; /* pieces; the one that is sent, and where in it */
    char media_type[sizeof(MULTIPART) + UUID_TEXT_LEN]; /* of several parts */
};

static enum http_piece
make(void *arg, struct buf *out, int64_t deadline_us)
{
    struct sending *s = arg;
    size_t room = PIECE_BYTES;
    (void) deadline_us; /* so much takes well below a slice to copy */
    while (room > 0 && s->i < s->n) {
        struct str piece = str_slice(s->pieces[s->i], s->at, s->at + room);
        buf_add_str(out, piece);
        room -= piece.len;
        s->at += piece.len;
        if (s->at == s->pieces[s->i].len) {
            s->i++;
            s->at = 0;
        }
    }
    return buf_failed(out) ? HTTP_PIECE_FAILED : s->i == s->n ? HTTP_PIECE_LAST : HTTP_PIECE_MORE;
}

static void
release(void *arg)
{
    struct sending *s = arg;
    payload_unmap(s->file);
    buf_done(&s->heads);
    free(s);
}

static struct str
part_of(const struct sending *s, const struct byte_range *range)
{
    return str_slice(s->file, (size_t) range->from, (size_t) range->to);
}

static void
add_part(struct sending *s, struct str piece)
{
    s->pieces[s->n++] = piece;
}

/* "bytes 0-9/100" */
static const char *
content_range(struct http_call *call, const struct byte_range *range, size_t size)
{
    return arena_printf(call->arena, "bytes %llu-%llu/%zu", (unsigned long long) range->from,
                        (unsigned long long) range->to - 1, size);
}

/* As multipart/byteranges (RFC 9110, 14.6): returns the media type. */
static const char *
add_parts(struct http_call *call, struct sending *s, const char *media_type,
          const struct byte_ranges *ranges)
{
    char boundary[UUID_TEXT_LEN + 1];
    struct uuid drawn = uuid_v4();
    size_t head_len[BYTE_RANGES_MAX + 1], at = 0;
    (void) uuid_format(&drawn, boundary);
    for (size_t i = 0; i <= ranges->n; i++) {
        size_t had = s->heads.len;
        buf_addf(&s->heads, i == 0 ? "--%s" : "\r\n--%s", boundary);
        if (i < ranges->n)
            buf_addf(&s->heads, "\r\nContent-Type: %s\r\nContent-Range: %s\r\n\r\n", media_type,
                     content_range(call, &ranges->list[i], s->file.len));
        else
            buf_add_cstr(&s->heads, "--\r\n");
        head_len[i] = s->heads.len - had;
    }
    for (size_t i = 0; i <= ranges->n; i++) {
        add_part(s, str_slice(buf_str(&s->heads), at, at + head_len[i]));
        at += head_len[i];
        if (i < ranges->n)
            add_part(s, part_of(s, &ranges->list[i]));
    }
    (void) snprintf(s->media_type, sizeof(s->media_type), MULTIPART "%s", boundary); /* fits */
    return s->media_type;
}

static uint64_t
size_of(const struct sending *s)
{
    uint64_t size = 0;
    for (size_t i = 0; i < s->n; i++)
        size += s->pieces[i].len;
    return size;
}

/* --- sending */

static enum byte_ranges_result
wanted_ranges(struct http_call *call, const struct validators *v, uint64_t size,
              struct byte_ranges *ret)
{
    if (call->method != HTTP_GET || !conditions_allow_range(call, v))
        return BYTE_RANGES_NONE; /* RFC 9110, 14.2 */
    return byte_ranges_read(http_call_header(call, "Range"), size, ret);
}

static enum http_result
refuse_ranges(struct http_call *call, struct str file)
{
    http_call_add_header(call, "Content-Range", arena_printf(call->arena, "bytes */%zu", file.len));
    (void) err_set(&call->err, ERR_REPORT_RANGE_NOT_SATISFIABLE,
                   "The result has %zu bytes: there is nothing in this range.", file.len);
    payload_unmap(file);
    return HTTP_ERROR;
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

/* Consumes file. */
static enum http_result
send_file(struct http_call *call, const struct report_view *v, const struct validators *validators,
          struct str file)
{
    struct byte_ranges ranges;
    enum byte_ranges_result found = wanted_ranges(call, validators, file.len, &ranges);
    struct http_sized body = {.status = 206, .content_type = v->media_type};
    if (found == BYTE_RANGES_UNSATISFIABLE)
        return refuse_ranges(call, file);
    struct sending *s = mem_new(1, sizeof(*s));
    s->file = file;
    if (found == BYTE_RANGES_NONE) {
        body.status = 200;
        add_part(s, file);
    } else if (ranges.n == 1) {
        http_call_add_header(call, "Content-Range", content_range(call, &ranges.list[0], file.len));
        add_part(s, part_of(s, &ranges.list[0]));
    } else {
        body.content_type = add_parts(call, s, v->media_type, &ranges);
    }
    add_headers(call, v);
    http_call_add_header(call, "Content-Disposition",
                         arena_printf(call->arena, "attachment; filename=\"%s-%u.%s\"",
                                      v->report_type, v->uid, v->extension));
    body.size = size_of(s);
    body.make = make;
    body.release = release;
    body.arg = s;
    http_reply_sized(call, &body);
    return HTTP_DONE;
}

static enum http_result
send_result(struct http_call *call, const struct report_view *v)
{
    struct validators validators = {v->etag, v->finished_at_ns};
    struct str file = STR_NULL;
    switch (conditions_check(call, &validators)) {
    case CONDITION_FAILED:
        (void) err_set(&call->err, ERR_REPORT_PRECONDITION_FAILED,
                       "The result of report `%u` is not the one that the request is for.", v->uid);
        return HTTP_ERROR;
    case CONDITION_NOT_MODIFIED:
        add_headers(call, v);
        http_reply_empty(call, 304);
        return HTTP_DONE;
    default:
        break;
    }
    if (reports_map(handler_api(call)->reports, v->uid, &file, &call->err) < 0)
        return HTTP_ERROR;
    return send_file(call, v, &validators, file);
}

enum http_result
report_download(struct http_call *call)
{
    struct report_view v;
    if (report_of_path(call, &v) < 0)
        return HTTP_ERROR;
    enum http_result result =
        v.state == REPORT_COMPLETED ? send_result(call, &v) : refuse(call, &v);
    report_view_done(&v);
    return result;
}
