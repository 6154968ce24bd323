/* The /logs routes: one client at a time reads the log along, filtered its own way, and the log on
 * stderr is filtered at run time. Lines are collected and sent at the end of the turn; a client
 * that reads too slowly misses lines and is told how many. */
#include "api/logs.h"

#include <stdlib.h>

#include "api/body.h"
#include "api/experimental.h"
#include "api/fields.h"
#include "api/handler.h"
#include "api/reply.h"
#include "base/log_filter.h"
#include "base/mem.h"

enum { WAITING_MAX_BYTES = 256 << 10 };

struct log_stream {
    struct http_stream *out; /* NULL: nobody reads */
    struct buf lines;        /* of this turn */
    struct loop_timer flush;
    uint64_t n_missed;
};

static void
forget(struct log_stream *s)
{
    log_tap(NULL, LOG_HUMAN, NULL, NULL);
    loop_timer_clear(&s->flush);
    s->out = NULL;
    s->n_missed = 0;
    buf_done(&s->lines);
}

void
log_stream_stop(struct log_stream *s)
{
    struct http_stream *out = s->out;
    forget(s);
    if (out != NULL)
        http_stream_end(out);
}

/* --- lines */

static void
on_gone(void *arg)
{
    forget(arg);
}

static void
flush(void *arg)
{
    struct log_stream *s = arg;
    if (buf_failed(&s->lines) || !http_stream_write(s->out, buf_str(&s->lines))) {
        struct http_stream *out = s->out;
        forget(s);
        http_stream_cut(out);
        return;
    }
    buf_clear(&s->lines);
}

/* Called for each line of the log: what it does may not wait, and may not end the stream. */
static void
on_line(void *arg, struct str line)
{
    struct log_stream *s = arg;
    if (http_stream_waiting(s->out) + s->lines.len > WAITING_MAX_BYTES) {
        s->n_missed++;
        return;
    }
    if (s->n_missed > 0)
        buf_addf(&s->lines, "(%llu lines missed: they were not read in time)\n",
                 (unsigned long long) s->n_missed);
    s->n_missed = 0;
    buf_add_str(&s->lines, line);
    if (!loop_timer_is_set(&s->flush))
        loop_timer_set_ms(&s->flush, 0);
}

/* --- life */

struct log_stream *
log_stream_new(struct loop *l)
{
    struct log_stream *s = mem_new(1, sizeof(*s));
    loop_timer_init(&s->flush, l, flush, s);
    return s;
}

void
log_stream_free(struct log_stream *s)
{
    if (s == NULL)
        return;
    forget(s);
    loop_timer_done(&s->flush);
    free(s);
}

/* --- bodies */

enum mode { MODE_HUMAN, MODE_JSON, MODE_PROFILE };
static const char *const modes[] = {"human", "json", "profile"};

struct logs_body {
    struct log_filter filter;
    int mode; /* enum mode */
    bool profile_memory;
};

static int
read_target(const struct field_in *in, void *dst)
{
    struct str text = json_string(in->value);
    struct buf why = BUF_INIT;
    int rc = 0;
    if (text.len == 0)
        rc =
            field_invalid(in, "Empty string is not a valid target. If you want to get no logs use "
                              "`OFF`. Usage: `info`, `meilisearch=info`, or you can write "
                              "multiple filters in one target: `index_scheduler=info,milli=trace`");
    else if (log_filter_parse(text, dst, &why) < 0)
        rc = field_invalid(in, "%s", buf_cstr(&why));
    buf_done(&why);
    return rc;
}

static int
read_mode(const struct field_in *in, void *dst)
{
    struct str text = json_string(in->value);
    for (int i = 0; i <= MODE_PROFILE; i++) {
        if (str_is(text, modes[i])) {
            *(int *) dst = i;
            return 0;
        }
    }
    return err_set(in->err, in->row->code,
                   "Unknown value `%.*s` at `%s`: expected one of `human`, `json`, `profile`",
                   STR_ARG(text), in->path);
}

#define TARGET_FIELD                                                                               \
    {                                                                                              \
        .name = "target", .code = ERR_BAD_REQUEST, .kinds = FIELD_STRING, .no_null = true,         \
        .read = read_target, .offset = offsetof(struct logs_body, filter)                          \
    }
static const struct field stream_fields[] = {
    TARGET_FIELD,
    {.name = "mode",
     .code = ERR_BAD_REQUEST,
     .kinds = FIELD_STRING,
     .no_null = true,
     .read = read_mode,
     .offset = offsetof(struct logs_body, mode)},
    {.name = "profileMemory",
     .code = ERR_BAD_REQUEST,
     .kinds = FIELD_BOOL,
     .no_null = true,
     .read = field_bool,
     .offset = offsetof(struct logs_body, profile_memory)},
};
static const struct field stderr_fields[] = {TARGET_FIELD};
static const struct fields stream_body = FIELDS_OF(stream_fields);
static const struct fields stderr_body = FIELDS_OF(stderr_fields);

/* The body is judged before the feature, as upstream does. */
static int
read_body(struct http_call *call, const struct fields *fields, struct logs_body *ret)
{
    struct body body;
    *ret = (struct logs_body){.filter = {.level = LOG_INFO}};
    int rc = body_read_json(call, &body);
    if (rc == 0)
        rc = fields_read(call->arena, json_root(body.doc), "", fields, ret, &call->err);
    body_done(&body);
    return rc;
}

static int
check_feature(struct http_call *call)
{
    uint32_t enabled;
    if (features_enabled(call, &enabled) < 0)
        return -1;
    return feature_require(enabled, FEATURE_LOGS_ROUTE,
                           "Modifying logs through the `/logs/*` routes", &call->err);
}

/* --- the routes */

static int
check_stream(struct http_call *call, const struct logs_body *body)
{
    static const char *const shown[] = {"Human", "Json", "Profile"};
    if (body->profile_memory && body->mode != MODE_PROFILE)
        return err_set(&call->err, ERR_INVALID_SETTINGS_TYPO_TOLERANCE,
                       "Invalid value: `profile_memory` can only be used while profiling code and "
                       "is not compatible with the %s mode.",
                       shown[body->mode]);
    if (check_feature(call) < 0)
        return -1;
    if (body->mode == MODE_PROFILE)
        return err_set(&call->err, ERR_BAD_REQUEST,
                       "The `profile` mode is not supported by this server: use `human` or `json`, "
                       "or GET /metrics.");
    struct log_stream *s = handler_api(call)->log_stream;
    if (s->out != NULL)
        return err_set(&call->err, ERR_BAD_REQUEST,
                       "The `/logs/stream` route is currently in use by someone else.");
    return 0;
}

static enum http_result
stream_post(struct http_call *call)
{
    struct logs_body body;
    struct log_stream *s = handler_api(call)->log_stream;
    if (read_body(call, &stream_body, &body) < 0 || check_stream(call, &body) < 0)
        return HTTP_ERROR;
    bool is_json = body.mode == MODE_JSON;
    struct http_stream_hooks hooks = {.arg = s, .gone = on_gone};
    call->is_slow = true;
    http_call_add_header(call, "X-Accel-Buffering", "no");
    s->out = http_reply_stream(call, is_json ? "application/x-ndjson" : "text/plain; charset=utf-8",
                               &hooks);
    if (s->out != NULL)
        log_tap(&body.filter, is_json ? LOG_JSON : LOG_HUMAN, on_line, s);
    return HTTP_DONE;
}

static enum http_result
stream_delete(struct http_call *call)
{
    if (check_feature(call) < 0)
        return HTTP_ERROR;
    log_stream_stop(handler_api(call)->log_stream);
    http_reply_empty(call, 204);
    return HTTP_DONE;
}

static enum http_result
stderr_post(struct http_call *call)
{
    struct logs_body body;
    if (read_body(call, &stderr_body, &body) < 0 || check_feature(call) < 0)
        return HTTP_ERROR;
    log_set_filter(&body.filter);
    http_reply_empty(call, 204);
    return HTTP_DONE;
}

static const struct route rows[] = {
    {.method = HTTP_POST,
     .pattern = "/logs/stream",
     .action = "metrics.get",
     .flags = ROUTE_JSON_BODY,
     .handler = stream_post,
     .body = &stream_body,
     .answer = "text/plain",
     .summary = "Read the log along"},
    {.method = HTTP_DELETE,
     .pattern = "/logs/stream",
     .action = "metrics.get",
     .handler = stream_delete,
     .status = 204,
     .summary = "Stop whoever reads the log along"},
    {.method = HTTP_POST,
     .pattern = "/logs/stderr",
     .action = "metrics.get",
     .flags = ROUTE_JSON_BODY,
     .handler = stderr_post,
     .body = &stderr_body,
     .status = 204,
     .summary = "Choose what is logged on stderr"},
};
const struct route_table logs_routes = ROUTE_TABLE(rows);
