/* One HTTP request an attempt: webhooks, and Slack's incoming webhooks, which judge differently. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "webhook/answer.h"
#include "webhook/retry_after.h"
#include "webhook/sending.h"
#include "webhook/state.h"

static void
cancel(struct sending *s)
{
    http_exchange_cancel(s->exchange);
}

static void
post(struct sending *s, const struct http_header *headers, size_t n, struct str body,
     http_client_fn *fn)
{
    const struct webhook *h = s->webhook;
    char pool[UUID_TEXT_LEN + 1];
    struct http_client_request request = {
        .url = &h->target,
        .method = "POST",
        .headers = headers,
        .n_headers = n,
        .body = body,
        .timeout_ms = s->timeout_ms,
        .max_response_bytes = ANSWER_BODY_MAX_BYTES,
        .pool = uuid_format(&h->uuid, pool),
        .ca = h->policy.ca,
        .client_certificate = h->policy.client_certificate,
        .plain_only_to_listed = h->policy.channel != NULL,
    };
    s->exchange = http_client_start(s->webhooks->conf.client, &request, fn, s);
}

/* --- webhooks
 * ------------------------------------------------------------------------------------------ */

static void
on_answer(void *arg, const struct http_client_result *answer)
{
    struct send_result result = {
        .exchange = answer,
        .verdict = verdict_of(answer, clock_wall_ms()),
    };
    sending_end(arg, &result);
}

static void
start(struct sending *s)
{
    struct request_headers headers;
    struct http_client_request parts = {0};
    request_fill(s->request, &headers, &parts);
    post(s, parts.headers, parts.n_headers, parts.body, on_answer);
}

const struct sender sender_http = {.start = start, .cancel = cancel};

/* --- Slack
 * --------------------------------------------------------------------------------------------- */

/* Slack answers 200 and "ok". Only what has nothing to do with the message is tried again: no
 * answer, 429 and 5xx. 410: the channel is archived. The rest is said in a word (invalid_payload,
 * no_service ...) and will not change. */
static struct verdict
slack_verdict(const struct http_client_result *answer)
{
    struct verdict v = verdict_of(answer, clock_wall_ms());
    if (answer->outcome != HTTP_OUTCOME_ANSWERED)
        return v;
    v.is_success = v.lane.is_success =
        answer->status == 200 && str_is(str_trim(answer->body), "ok");
    v.is_final = !v.is_success && answer->status != 429 && answer->status < 500;
    v.lane.is_neutral = answer->status == 400; /* this message, not its channel */
    v.lane.disables = answer->status == 410 ? LANE_DISABLED_GONE : LANE_ENABLED;
    return v;
}

static void
on_slack_answer(void *arg, const struct http_client_result *answer)
{
    struct http_client_result told = *answer;
    struct send_result result = {.exchange = &told, .verdict = slack_verdict(answer)};
    struct buf detail = BUF_INIT;
    if (result.verdict.is_final) {
        struct str word = str_slice(str_trim(answer->body), 0, 100);
        buf_addf(&detail, "http status: %d: ", answer->status);
        for (size_t i = 0; i < word.len; i++)
            buf_add_char(&detail, word.data[i] >= ' ' && word.data[i] < 127 ? word.data[i] : '?');
        told.detail = buf_cstr(&detail);
        result.error_class = answer->status == 410 ? NULL : "rejected";
    }
    sending_end(arg, &result);
    buf_done(&detail);
}

static void
put_config(struct json_out *j, const struct channel *c, const char *name)
{
    struct str value = channel_config(c, name);
    if (value.data == NULL)
        return;
    json_key(j, name);
    json_put_str(j, value);
}

/* Members of what the blocks' template made: an array of blocks, or an object with them. */
static void
put_blocks(struct json_out *j, const struct json *made)
{
    static const char *const names[] = {"blocks", "attachments"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct json *v = json_type(made) == JSON_OBJECT ? json_get_c(made, names[i])
                               : i == 0                       ? made
                                                              : NULL;
        struct buf raw = BUF_INIT;
        if (v != NULL) {
            json_write(&raw, v);
            json_key(j, names[i]);
            json_put_raw(j, buf_str(&raw));
        }
        buf_done(&raw);
    }
}

static void
write_slack(struct buf *out, const struct channel *c, struct str text, const struct json *blocks)
{
    struct json_out j = json_out(out);
    json_begin_object(&j);
    json_key(&j, "text");
    json_put_str(&j, text);
    if (blocks != NULL)
        put_blocks(&j, blocks);
    put_config(&j, c, "channel");
    put_config(&j, c, "username");
    put_config(&j, c, "icon_emoji");
    put_config(&j, c, "icon_url");
    json_end_object(&j);
}

static void
start_slack(struct sending *s)
{
    static const struct http_header type = {"Content-Type", "application/json"};
    const struct channel *c = s->webhook->policy.channel;
    struct str blocks = request_text(s->request, CHANNEL_EXTRA);
    struct json_doc *doc = blocks.data == NULL ? NULL : json_parse(blocks, NULL);
    struct buf body = BUF_INIT;
    write_slack(&body, c, request_text(s->request, CHANNEL_MAIN),
                doc == NULL ? NULL : json_root(doc));
    post(s, &type, 1, buf_str(&body), on_slack_answer);
    json_doc_free(doc);
    buf_done(&body);
}

const struct sender sender_slack = {.start = start_slack, .cancel = cancel};
