/* Turns the end of an exchange into the attempt's record. Decides nothing: what follows from an
 * outcome is the lane's. */
#include "webhook/answer.h"

#include <stdio.h>
#include <string.h>

static const struct {
    int from, to;
    const char *name;
} error_classes[] = {
    /* the first that fits */
    {200, 299, ""},
    {300, 399, "redirect"},
    {410, 410, "gone"},
    {429, 429, "rate_limited"},
    {400, 499, "client_error"},
    {503, 503, "unavailable"},
    {500, 599, "server_error"},
};

const char *
answer_error_class(enum http_outcome outcome, int status)
{
    if (outcome != HTTP_OUTCOME_ANSWERED)
        return http_outcome_name(outcome);
    for (size_t i = 0; i < sizeof(error_classes) / sizeof(error_classes[0]); i++) {
        if (status >= error_classes[i].from && status <= error_classes[i].to)
            return error_classes[i].name;
    }
    return http_outcome_name(HTTP_OUTCOME_PROTOCOL); /* no status that HTTP knows */
}

/* Cut where it is too long. */
static void
set_text(char *out, size_t cap, const char *text)
{
    size_t len = strnlen(text, cap - 1);
    memcpy(out, text, len);
    out[len] = '\0';
}

/* Whole lines only. */
static struct str
cut_lines(struct str lines)
{
    size_t len = lines.len;
    if (len <= ANSWER_HEADERS_MAX_BYTES)
        return lines;
    len = ANSWER_HEADERS_MAX_BYTES;
    while (len > 0 && lines.data[len - 1] != '\n')
        len--;
    return str_slice(lines, 0, len);
}

static void
keep_response(struct attempt_record *r, struct buf *kept, const struct http_client_result *result)
{
    struct str headers = cut_lines(result->headers);
    struct str body = str_slice(result->body, 0, ANSWER_BODY_MAX_BYTES);
    buf_clear(kept);
    buf_add_str(kept, headers);
    buf_add_str(kept, body);
    if (buf_failed(kept))
        return; /* the outcome counts more than what the receiver said */
    r->response_headers = str_slice(buf_str(kept), 0, headers.len);
    r->response_body = str_slice(buf_str(kept), headers.len, kept->len);
    r->is_body_cut = result->is_body_cut || body.len < result->body.len;
}

void
answer_describe(struct attempt_record *r, struct buf *kept, const struct http_client_result *result)
{
    const char *outcome = http_outcome_name(result->outcome);
    set_text(r->outcome, sizeof(r->outcome), outcome);
    set_text(r->error_class, sizeof(r->error_class),
             answer_error_class(result->outcome, result->status));
    set_text(r->address, sizeof(r->address), result->address);
    r->status = result->status;
    if (result->outcome == HTTP_OUTCOME_ANSWERED && result->detail[0] == '\0')
        (void) snprintf(r->detail, sizeof(r->detail), "http status: %d", result->status);
    else
        set_text(r->detail, sizeof(r->detail),
                 result->detail[0] != '\0' ? result->detail : outcome);
    r->dns_us = result->dns_us;
    r->connect_us = result->connect_us;
    r->tls_us = result->tls_us;
    r->first_byte_us = result->first_byte_us;
    r->total_us = result->total_us;
    keep_response(r, kept, result);
}

void
answer_set_class(struct attempt_record *r, const char *error_class)
{
    set_text(r->error_class, sizeof(r->error_class), error_class);
}

void
answer_describe_unreadable(struct attempt_record *r, const char *why)
{
    set_text(r->outcome, sizeof(r->outcome), "unreadable");
    set_text(r->error_class, sizeof(r->error_class), "unreadable");
    (void) snprintf(r->detail, sizeof(r->detail), "nothing to send: %s", why);
}
