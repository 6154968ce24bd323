/* /api/reports: submitting, watching, canceling. What a report is and makes is report/'s; here are
 * rights, bodies, the headers of contracts.md 4.3 and waiting (Prefer: wait).
 *
 *   POST: checks -> enqueue_finish -> commit -> answer: 202 at once, or
 *         waits for the end (200 with the status document) or its time (202)
 *   GET:  as it is at once, or waits likewise */
#include "report/reports.h"

#include "api/body.h"
#include "api/enqueue.h"
#include "api/fields.h"
#include "api/prefer.h"
#include "api/report_files.h"
#include "api/task_end.h"
#include "base/clock.h"
#include "webhook/callbacks.h"

enum { WAIT_MAX_S = 30, REQUEST_ID_MAX_BYTES = 200 };

/* --- rights */

int
report_check_rights(struct http_call *call, enum report_source source, struct str index_uid,
                    struct err *err)
{
    static const char *const actions[REPORT_SOURCES] = {
        [REPORT_OF_DOCUMENTS] = "documents.get",
        [REPORT_OF_TASKS] = "tasks.get",
        [REPORT_OF_DELIVERIES] = "webhooks.get",
    };
    struct auth_grant grant;
    struct auth_request request = {
        .action = actions[source],
        .authorization = http_call_header(call, "Authorization"),
        .arena = call->arena,
    };
    if (auth_decide(handler_api(call)->auth, &request, &grant, err) < 0)
        return -1;
    if (source == REPORT_OF_DOCUMENTS)
        return handler_check_index(&grant, index_uid, err);
    return grant.sees_all_indexes
               ? 0
               : err_set(err, ERR_INVALID_API_KEY, "The provided API key is invalid.");
}

static bool
may_see(struct http_call *call, const struct report_view *v)
{
    struct err err = ERR_INIT;
    bool is_granted = report_check_rights(call, v->source, str_from(v->index_uid), &err) == 0;
    err_done(&err);
    return is_granted;
}

/* --- finding */

static int
not_found(struct http_call *call, struct str id)
{
    return err_set(&call->err, ERR_REPORT_NOT_FOUND, "Report `%.*s` not found.", STR_ARG(id));
}

int
report_of_path(struct http_call *call, struct report_view *ret)
{
    uint64_t uid;
    struct str id = handler_param(call, 0);
    if (!str_to_u64(id, UINT32_MAX, &uid))
        return not_found(call, id);
    int rc = reports_get(handler_api(call)->reports, (uint32_t) uid, ret);
    if (rc < 0)
        return handler_store_error(&call->err, rc);
    if (rc == 1 && may_see(call, ret))
        return 0;
    if (rc == 1)
        report_view_done(ret); /* to whom may not see it, it is not there */
    return not_found(call, id);
}

/* --- headers */

void
report_add_retry(struct http_call *call)
{
    http_call_add_header(call, "Retry-After", "1");
}

static const char *
url_of(struct http_call *call, uint32_t uid, const char *what)
{
    struct buf url = BUF_INIT;
    report_write_url(&url, uid, what);
    const char *copy = arena_strndup(call->arena, url.data, url.len);
    buf_done(&url);
    return copy;
}

/* The monitor that generic clients understand: its words are succeeded, failed, canceled. */
static const char *
monitor_url(struct http_call *call, uint32_t uid)
{
    struct str host = http_call_header(call, "Host");
    bool is_tls = handler_api(call)->conf->ssl_cert_path != NULL;
    if (host.len == 0)
        return arena_printf(call->arena, "/tasks/%u", uid);
    return arena_printf(call->arena, "%s://%.*s/tasks/%u", is_tls ? "https" : "http", STR_ARG(host),
                        uid);
}

/* The client's own, when it can be a header's value; for whoever looks for the request in two logs.
 */
static const char *
request_id(struct http_call *call)
{
    char drawn[UUID_TEXT_LEN + 1];
    struct uuid uuid;
    struct str sent = http_call_header(call, "X-Request-Id");
    if (field_is_token(sent) && sent.len <= REQUEST_ID_MAX_BYTES)
        return arena_strndup(call->arena, sent.data, sent.len);
    uuid = uuid_v7(clock_wall_ms());
    return arena_printf(call->arena, "%s", uuid_format(&uuid, drawn));
}

static void
add_accepted_headers(struct http_call *call, uint32_t uid)
{
    http_call_add_header(call, "X-Request-Id", request_id(call));
    http_call_add_header(call, "Location", url_of(call, uid, ""));
    http_call_add_header(call, "Operation-Location", monitor_url(call, uid));
    report_add_retry(call);
    http_call_add_header(
        call, "Link",
        arena_printf(call->arena, "<%s>; rel=\"status\"", url_of(call, uid, "status")));
    http_call_add_header(call, "Vary", "Prefer");
}

/* Whether the answer may wait for the report's end; said in the answer. */
static bool
wants_wait(struct http_call *call, unsigned *ret_seconds)
{
    if (!prefer_wait(http_call_header(call, "Prefer"), WAIT_MAX_S, ret_seconds))
        return false;
    http_call_add_header(call, "Preference-Applied",
                         arena_printf(call->arena, "wait=%u", *ret_seconds));
    return true;
}

/* --- POST: the request */

struct submit {
    struct report_request request;
    struct report_plan plan;
    struct callback_url callback;
};

#define ROW(field_name, error, kind, reader, member)                                               \
    {                                                                                              \
        .name = (field_name), .code = (error), .kinds = (kind), .read = (reader),                  \
        .offset = offsetof(struct submit, member)                                                  \
    }
static const struct field submit_rows[] = {
    {.name = "reportType",
     .code = ERR_INVALID_REPORT_TYPE,
     .kinds = FIELD_STRING,
     .no_null = true,
     .missing = ERR_MISSING_REPORT_TYPE,
     .read = field_string,
     .offset = offsetof(struct submit, request.report_type)},
    ROW("format", ERR_INVALID_REPORT_FORMAT, FIELD_STRING, field_string, request.format),
    ROW("parameters", ERR_INVALID_REPORT_PARAMETERS, FIELD_OBJECT, field_json, request.parameters),
    ROW("webhookUrl", ERR_INVALID_CALLBACK_URL, FIELD_STRING, field_string, callback.url),
    ROW("webhookToken", ERR_INVALID_CALLBACK_TOKEN, FIELD_STRING, field_token, callback.token),
    ROW("webhookSecret", ERR_INVALID_CALLBACK_SECRET, FIELD_STRING, field_string, callback.secret),
};
static const struct fields submit_fields = FIELDS_OF(submit_rows);

static int
read_submit(struct http_call *call, struct body *body, struct submit *s)
{
    struct reports *r = handler_api(call)->reports;
    *s = (struct submit){.request.format = STR("json")};
    if (body_read_json(call, body) < 0 ||
        fields_read(call->arena, json_root(body->doc), "", &submit_fields, s, &call->err) < 0 ||
        reports_plan(r, &s->request, &s->plan, &call->err) < 0)
        return -1;
    return report_check_rights(call, s->plan.definition.source,
                               str_from(s->plan.definition.index_uid), &call->err);
}

static void
translate_url_error(struct err *err)
{
    if (err->code == ERR_INVALID_WEBHOOK_URL)
        err->code = ERR_INVALID_CALLBACK_URL;
    err_set_path(err, err->code == ERR_INVALID_CALLBACK_SECRET ? ".webhookSecret" : ".webhookUrl");
}

static int
take_callback(struct http_call *call, struct submit *s)
{
    struct api *api = handler_api(call);
    if (s->callback.url.data == NULL)
        return 0;
    s->callback.is_needed = reports_need_callback;
    s->callback.arg = api->reports;
    if (callbacks_take_url(api->webhooks, &s->callback, &s->request.callback, &call->err) == 0)
        return 0;
    translate_url_error(&call->err);
    return -1;
}

static void
write_accepted(struct buf *out, uint32_t uid)
{
    struct buf text = BUF_INIT;
    struct json_out j = json_out(out);
    buf_addf(&text, "%u", uid);
    json_begin_object(&j);
    json_key(&j, "taskId");
    json_put_str(&j, buf_str(&text));
    json_key(&j, "status");
    json_put_cstr(&j, "pending");
    buf_clear(&text);
    report_write_url(&text, uid, "status");
    json_key(&j, "statusUrl");
    json_put_str(&j, buf_str(&text));
    json_end_object(&j);
    buf_done(&text);
}

static int
add(struct http_call *call, void *arg, struct ops_result *ret)
{
    struct submit *s = arg;
    if (take_callback(call, s) < 0 || reports_add(handler_api(call)->reports, &s->request, &s->plan,
                                                  &ret->task_uid, &call->err) < 0)
        return -1;
    buf_init(&ret->summary);
    write_accepted(&ret->summary, ret->task_uid);
    return 0;
}

/* --- POST: the answer */

static uint32_t
accepted_uid(struct str body)
{
    uint64_t uid = 0;
    struct json_doc *doc = json_parse(body, NULL);
    if (doc != NULL)
        (void) str_to_u64(json_string(json_get_c(json_root(doc), "taskId")), UINT32_MAX, &uid);
    json_doc_free(doc);
    return (uint32_t) uid;
}

static enum http_result
reply_accepted(struct http_call *call, uint32_t uid, struct buf *body)
{
    add_accepted_headers(call, uid);
    return reply_json(call, 202, body);
}

/* 200 with what became of it, if it has ended; else 202. */
static enum http_result
reply_waited(struct http_call *call, uint32_t uid, struct buf *accepted)
{
    struct report_view v;
    struct buf body = BUF_INIT;
    if (reports_get(handler_api(call)->reports, uid, &v) != 1)
        return reply_accepted(call, uid, accepted);
    bool is_finished = report_is_finished(&v);
    report_write_status(&body, &v);
    report_view_done(&v);
    if (!is_finished) {
        buf_done(&body);
        return reply_accepted(call, uid, accepted);
    }
    http_call_add_header(call, "Content-Location", url_of(call, uid, "status"));
    http_call_add_header(call, "Vary", "Prefer");
    return reply_json(call, 200, &body);
}

struct waited {
    uint32_t uid;
    struct str accepted; /* the answer of 202 */
};

static void
submit_over(struct http_call *call, void *arg)
{
    struct waited *w = arg;
    struct buf accepted = BUF_INIT;
    buf_add_str(&accepted, w->accepted);
    handler_finish(call, reply_waited(call, w->uid, &accepted));
    buf_done(&accepted); /* unless it was the answer */
}

static bool
submit_wait(struct http_call *call, uint32_t uid, unsigned seconds, struct buf *accepted)
{
    struct waited *w = arena_alloc(call->arena, sizeof(*w));
    *w = (struct waited){uid, arena_copy(call->arena, buf_str(accepted))};
    if (!task_end_wait(call, uid, seconds, submit_over, w))
        return false;
    buf_done(accepted);
    return true;
}

/* The commit is durable: struct reply_promise. */
static void
answer(struct http_call *call, int status, struct buf *body)
{
    unsigned seconds = 0;
    uint32_t uid = accepted_uid(buf_str(body));
    (void) status; /* 202, unless it has ended meanwhile */
    if (!wants_wait(call, &seconds)) {
        handler_finish(call, reply_accepted(call, uid, body));
        return;
    }
    struct report_view v;
    bool is_running = reports_get(handler_api(call)->reports, uid, &v) == 1;
    if (is_running) {
        is_running = !report_is_finished(&v);
        report_view_done(&v);
    }
    if (is_running && seconds > 0 && submit_wait(call, uid, seconds, body))
        return;
    handler_finish(call, reply_waited(call, uid, body));
}

static enum http_result
report_create(struct http_call *call)
{
    struct body body;
    struct submit s;
    uint8_t digest[SHA256_BYTES] = {0};
    enum http_result result = HTTP_ERROR;
    if (read_submit(call, &body, &s) == 0) {
        struct enqueue *e = enqueue_begin(call, 202);
        if (e != NULL) {
            enqueue_answer_with(e, answer);
            if (enqueue_wants_digest(e))
                digest_sha256(buf_str(&body.raw), digest);
            result = enqueue_finish(e, call, digest, add, &s);
        }
    }
    report_plan_done(&s.plan);
    body_done(&body);
    return result;
}

/* --- watching */

static enum http_result
reply_status(struct http_call *call, int status, const struct report_view *v)
{
    struct buf body = BUF_INIT;
    report_write_status(&body, v);
    return reply_json(call, status, &body);
}

static enum http_result
reply_document(struct http_call *call, const struct report_view *v)
{
    http_call_add_header(call, "Vary", "Prefer");
    if (!report_is_finished(v))
        report_add_retry(call);
    return reply_status(call, 200, v);
}

/* `?noredirect` or `Prefer: return=representation`. */
static bool
wants_document(struct http_call *call)
{
    struct str rest = call->query, pair, value;
    while (str_split(&rest, '&', &pair)) {
        if (str_is(str_slice(pair, 0, str_find(pair, '=', 0)), "noredirect"))
            return true;
    }
    if (!prefer_find(http_call_header(call, "Prefer"), "return", &value) ||
        !str_equal_nocase(value, STR("representation")))
        return false;
    http_call_add_header(call, "Preference-Applied", "return=representation");
    return true;
}

static enum http_result
reply_report(struct http_call *call, const struct report_view *v)
{
    http_call_add_header(call, "Vary", "Prefer");
    if (!report_is_finished(v)) {
        add_accepted_headers(call, v->uid);
        return reply_status(call, 202, v);
    }
    if (wants_document(call) || v->state == REPORT_FAILED || v->state == REPORT_CANCELED)
        return reply_status(call, 200, v);
    if (v->state == REPORT_REMOVED) {
        (void) err_set(&call->err, ERR_REPORT_EXPIRED, "The result of report `%u` is gone.",
                       v->uid);
        return HTTP_ERROR;
    }
    http_call_add_header(call, "Location", url_of(call, v->uid, "download"));
    return reply_status(call, 303, v);
}

typedef enum http_result report_reply(struct http_call *call, const struct report_view *v);
struct watch {
    report_reply *reply;
};

/* As it is now, to whom may see it now. */
static enum http_result
watch_reply(struct http_call *call, report_reply *reply)
{
    struct report_view v;
    if (report_of_path(call, &v) < 0)
        return HTTP_ERROR;
    enum http_result result = reply(call, &v);
    report_view_done(&v);
    return result;
}

static void
watch_over(struct http_call *call, void *arg)
{
    struct watch *w = arg;
    handler_finish(call, watch_reply(call, w->reply));
}

static enum http_result
watch(struct http_call *call, report_reply *reply)
{
    struct watch *w = arena_alloc(call->arena, sizeof(*w));
    struct report_view v;
    unsigned seconds = 0;
    if (report_of_path(call, &v) < 0)
        return HTTP_ERROR;
    uint32_t uid = v.uid;
    bool is_finished = report_is_finished(&v);
    report_view_done(&v);
    w->reply = reply;
    if (wants_wait(call, &seconds) && !is_finished && seconds > 0 &&
        task_end_wait(call, uid, seconds, watch_over, w))
        return HTTP_WAIT;
    return watch_reply(call, reply);
}

static enum http_result
report_status(struct http_call *call)
{
    return watch(call, reply_document);
}

static enum http_result
report_get(struct http_call *call)
{
    return watch(call, reply_report);
}

/* --- DELETE */

struct cancel {
    uint32_t uid;
};

static int
add_cancelation(struct http_call *call, void *arg, struct ops_result *ret)
{
    struct api *api = handler_api(call);
    struct cancel *c = arg;
    struct uidmap matched;
    struct ops_result canceled = {0};
    uidmap_init(&matched);
    uidmap_add(&matched, c->uid);
    struct str filter = str_from(arena_printf(call->arena, "?uids=%u", c->uid));
    int rc = ops_cancel_tasks(api->ops, filter, &matched, &canceled, &call->err);
    uidmap_done(&matched);
    buf_done(&canceled.summary);
    if (rc < 0)
        return -1;
    struct report_view v;
    if (reports_get(api->reports, c->uid, &v) == 1) {
        buf_init(&ret->summary);
        report_write_status(&ret->summary, &v);
        report_view_done(&v);
    }
    return 0;
}

static void
answer_canceled(struct http_call *call, int status, struct buf *body)
{
    uint32_t uid = accepted_uid(buf_str(body));
    (void) status; /* 202 */
    handler_finish(call, reply_accepted(call, uid, body));
}

static enum http_result
cancel(struct http_call *call, uint32_t uid)
{
    struct cancel c = {uid};
    uint8_t digest[SHA256_BYTES] = {0};
    struct enqueue *e = enqueue_begin(call, 202);
    if (e == NULL)
        return HTTP_ERROR;
    enqueue_answer_with(e, answer_canceled);
    return enqueue_finish(e, call, digest, add_cancelation, &c);
}

static enum http_result
report_delete(struct http_call *call)
{
    struct report_view v;
    struct buf none = BUF_INIT;
    if (report_of_path(call, &v) < 0)
        return HTTP_ERROR;
    uint32_t uid = v.uid;
    enum report_state state = v.state;
    bool is_finished = report_is_finished(&v);
    report_view_done(&v);
    if (!is_finished)
        return cancel(call, uid);
    if (state != REPORT_COMPLETED) {
        (void) err_set(&call->err, ERR_REPORT_ALREADY_FINISHED,
                       "Report `%u` has ended and has no result that could be removed.", uid);
        return HTTP_ERROR;
    }
    if (reports_remove(handler_api(call)->reports, uid, &call->err) < 0)
        return HTTP_ERROR;
    return reply_held(call, 204, &none, NULL, NULL);
}

static const struct route rows[] = {
    {.method = HTTP_GET,
     .pattern = "/api/reports",
     .action = "documents.get",
     .handler = report_list,
     .summary = "List reports",
     .query = &report_list_query},
    {.method = HTTP_POST,
     .pattern = "/api/reports",
     .action = "documents.get",
     .flags = ROUTE_JSON_BODY | ROUTE_ENQUEUES,
     .handler = report_create,
     .summary = "Submit a report",
     .body = &submit_fields,
     .header = "Prefer"},
    {.method = HTTP_GET,
     .pattern = "/api/reports/{taskId}",
     .action = "documents.get",
     .handler = report_get,
     .summary = "Poll a report: 202 until it is ready, then 303 to its result",
     .header = "Prefer",
     .status = 303},
    {.method = HTTP_GET,
     .pattern = "/api/reports/{taskId}/status",
     .action = "documents.get",
     .handler = report_status,
     .summary = "The status document of a report",
     .header = "Prefer"},
    {.method = HTTP_GET,
     .pattern = "/api/reports/{taskId}/download",
     .action = "documents.get",
     .handler = report_download,
     .summary = "The result of a report",
     .header = "Range",
     .answer = "application/octet-stream"},
    {.method = HTTP_DELETE,
     .pattern = "/api/reports/{taskId}",
     .action = "documents.get",
     .handler = report_delete,
     .summary = "Cancel a report, or remove its result",
     .status = 202},
};
const struct route_table report_routes = ROUTE_TABLE(rows);
