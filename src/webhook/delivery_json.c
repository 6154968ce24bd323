/* The JSON of deliveries and attempts, as the API shows them. Reads rows, decides nothing. */
#include "webhook/delivery_json.h"

#include "codec/digest.h"
#include "webhook/event_catalog.h"
#include "webhook/event_lines.h"
#include "webhook/format.h"
#include "webhook/policy.h"

enum { UTF8_SEQUENCE_MAX = 4 };

static void
put_number(struct json_out *j, const char *name, uint64_t n)
{
    json_key(j, name);
    json_put_u64(j, n);
}

static void
put_text(struct json_out *j, const char *name, const char *text)
{
    json_key(j, name);
    json_put_cstr(j, text);
}

/* Text of a receiver: never invalid in JSON. */
static void
put_bytes(struct json_out *j, struct str bytes)
{
    if (str_is_utf8(bytes)) {
        json_put_str(j, bytes);
        return;
    }
    struct buf clean = BUF_INIT;
    for (size_t i = 0; i < bytes.len;) {
        int n = str_utf8_sequence(bytes, i);
        if (n > 0)
            buf_add(&clean, bytes.data + i, (size_t) n);
        else
            buf_add_cstr(&clean, "\xef\xbf\xbd");
        i += (size_t) (n > 0 ? n : -n);
    }
    json_put_str(j, buf_str(&clean));
    buf_done(&clean);
}

static void
put_number_text(struct json_out *j, const char *name, uint64_t n)
{
    struct buf text = BUF_INIT;
    buf_add_u64(&text, n);
    put_text(j, name, buf_cstr(&text));
    buf_done(&text);
}

static void
put_uuid(struct json_out *j, const char *name, const struct uuid *uuid)
{
    char text[UUID_TEXT_LEN + 1];
    put_text(j, name, uuid_format(uuid, text));
}

static void
put_time(struct json_out *j, const char *name, int64_t wall_ns)
{
    json_key(j, name);
    json_put_time(j, wall_ns);
}

/* Of an organisation's webhook: a single line, which is an event of its own. */
static void
put_organization_event(struct json_out *j, struct store_txn *txn, const struct delivery_record *d,
                       const struct event_record *e)
{
    char id[FORMAT_ID_CAP];
    struct line_view line;
    bool is_known = event_lines_get(txn, d->event, e->n_parts, d->first_line, &line) == 1 &&
                    line.kind < CATALOG_EVENTS;
    put_text(j, "eventId", format_line_id(id, e, d->first_line));
    put_text(j, "eventType", is_known ? catalog_event_name((enum catalog_event) line.kind) : NULL);
    put_number(j, "channel", d->webhook.bytes[sizeof(d->webhook.bytes) - 1]);
    put_text(j, "batchUid", NULL);
    put_number(j, "tasks", 0);
}

static void
put_event(struct json_out *j, struct store_txn *txn, const struct delivery_record *d)
{
    struct event_record e;
    uint32_t n_tasks = d->n_tasks;
    if (event_get(txn, d->event, &e) != 1) { /* removed while we read, or not readable */
        put_text(j, "eventId", NULL);
        put_text(j, "eventType", NULL);
        put_text(j, "batchUid", NULL);
        put_number(j, "tasks", n_tasks == DELIVERY_ALL_LINES ? 0 : n_tasks);
        return;
    }
    if (e.type == EVENT_ORGANIZATION) {
        put_organization_event(j, txn, d, &e);
        return;
    }
    put_uuid(j, "eventId", &e.id);
    put_text(j, "eventType", event_type_name((enum event_type) e.type));
    json_key(j, "batchUid");
    if (e.type == EVENT_BATCH_FINISHED)
        json_put_u64(j, e.batch_uid);
    else
        json_put_null(j);
    put_number(j, "tasks", n_tasks == DELIVERY_ALL_LINES ? e.n_lines : n_tasks);
}

static void
put_last_attempt(struct json_out *j, struct store_txn *txn, uint64_t delivery, uint32_t attempts)
{
    struct attempt_record a;
    bool has_one = attempts > 0 && attempt_get(txn, delivery, attempts, &a) == 1;
    put_text(j, "lastOutcome", has_one ? a.outcome : NULL);
    json_key(j, "lastStatus");
    if (has_one && a.status != 0)
        json_put_i64(j, a.status);
    else
        json_put_null(j);
}

void
delivery_put_fields(struct json_out *j, struct store_txn *txn, uint64_t delivery,
                    const struct delivery_record *d)
{
    put_number_text(j, "id", delivery);
    put_uuid(j, "webhookUuid", &d->webhook);
    put_event(j, txn, d);
    put_number(j, "sequence", d->sequence);
    put_text(j, "state", delivery_state_name(d->state));
    put_text(j, "cause", delivery_cause_name((enum delivery_cause) d->cause));
    put_number(j, "part", d->part);
    put_number(j, "parts", d->n_parts);
    put_number(j, "attemptCount", d->attempts);
    put_last_attempt(j, txn, delivery, d->attempts);
    put_time(j, "createdAt", d->created_at_ns);
    put_time(j, "nextAttemptAt", d->state == DELIVERY_OWED ? d->due_at_ms * 1000000 : 0);
    put_time(j, "finishedAt", d->state == DELIVERY_OWED ? 0 : d->finished_at_ns);
}

/* --- attempts -------------------------------------------------------------------------------- */

static void
put_us(struct json_out *j, const char *name, int64_t us)
{
    json_key(j, name);
    if (us >= 0)
        json_put_i64(j, us);
    else
        json_put_null(j);
}

static void
put_timings(struct json_out *j, const struct attempt_record *a)
{
    json_key(j, "timings");
    json_begin_object(j);
    put_us(j, "dnsUs", a->dns_us);
    put_us(j, "connectUs", a->connect_us);
    put_us(j, "tlsUs", a->tls_us);
    put_us(j, "firstByteUs", a->first_byte_us);
    put_us(j, "totalUs", a->total_us);
    json_end_object(j);
}

static void
put_headers(struct json_out *j, struct str lines)
{
    struct str line, name;
    json_key(j, "responseHeaders");
    json_begin_array(j);
    while (str_split(&lines, '\n', &line)) {
        if (line.len == 0 || !str_split(&line, ':', &name))
            continue;
        json_begin_object(j);
        json_key(j, "name");
        put_bytes(j, name);
        json_key(j, "value");
        put_bytes(j, str_trim(line));
        json_end_object(j);
    }
    json_end_array(j);
}

/* Text as text, anything else in base64. A character that the cut went through is left out. */
static void
put_body(struct json_out *j, const struct attempt_record *a)
{
    struct str body = a->response_body;
    size_t valid = str_utf8_prefix(body);
    bool is_text = valid == body.len || (a->is_body_cut && body.len - valid < UTF8_SEQUENCE_MAX);
    json_key(j, "responseBody");
    if (is_text) {
        json_put_str(j, str_slice(body, 0, valid));
    } else {
        struct buf text = BUF_INIT;
        base64_encode(&text, body);
        json_put_str(j, buf_str(&text));
        buf_done(&text);
    }
    json_key(j, "responseBodyIsBase64");
    json_put_bool(j, !is_text);
    json_key(j, "responseBodyIsTruncated");
    json_put_bool(j, a->is_body_cut);
}

/* Whom the channel has reached by then, where it has several. */
static void
put_recipients(struct json_out *j, struct str settled)
{
    struct str line;
    if (settled.len == 0)
        return;
    json_key(j, "recipients");
    json_begin_array(j);
    while (str_split(&settled, '\n', &line)) {
        if (line.len < 2)
            continue;
        json_begin_object(j);
        json_key(j, "recipient");
        json_put_str(j, str_slice(line, 1, line.len));
        put_text(j, "state", line.data[0] == '+' ? "accepted" : "given up");
        json_end_object(j);
    }
    json_end_array(j);
}

void
attempt_put_json(struct json_out *j, uint32_t number, const struct attempt_record *a)
{
    json_begin_object(j);
    put_number(j, "number", number);
    put_time(j, "startedAt", a->started_at_ns);
    put_text(j, "outcome", a->outcome);
    put_text(j, "errorClass", a->error_class[0] != '\0' ? a->error_class : NULL);
    json_key(j, "status");
    if (a->status != 0)
        json_put_i64(j, a->status);
    else
        json_put_null(j);
    json_key(j, "detail");
    put_bytes(j, str_from(a->detail));
    put_text(j, "address", a->address[0] != '\0' ? a->address : NULL);
    put_timings(j, a);
    put_headers(j, a->response_headers);
    put_body(j, a);
    put_recipients(j, a->settled);
    json_end_object(j);
}
