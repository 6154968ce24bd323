/* How a webhook is shown (contract 7.1) and what is hidden of it (7.4). */
#include "webhook/lane_state.h"
#include "webhook/policy_fields.h"
#include "webhook/registry.h"

/* From which length on (behind "Bearer ") how much is kept, and what stands for the rest. */
static const struct redaction_row {
    size_t below, keep;
    const char *mask;
} redaction_rows[] = {
    {10, 0, "XXX..."},
    {20, 2, "XXXX..."},
    {30, 3, "XXXXX..."},
    {SIZE_MAX, 5, "XXXXXX..."},
};

void
webhook_write_redacted(struct buf *out, struct str value)
{
    size_t offset = str_starts_with(value, "Bearer ") ? 7 : 0;
    const struct redaction_row *row = redaction_rows;
    while (value.len - offset >= row->below)
        row++;
    size_t cut = offset + row->keep;
    while (cut < value.len && ((unsigned char) value.data[cut] & 0xC0) == 0x80)
        cut++; /* never in the middle of a character */
    buf_add_str(out, str_slice(value, 0, cut));
    buf_add_cstr(out, row->mask);
}

static void
write_header(struct json_out *j, const struct webhook_header *h)
{
    struct str name = str_from(h->name), value = str_from(h->value);
    json_key_str(j, name);
    if (!str_equal_nocase(name, STR("authorization"))) {
        json_put_str(j, value);
        return;
    }
    struct buf shown = BUF_INIT;
    webhook_write_redacted(&shown, value);
    json_put_str(j, buf_str(&shown));
    buf_done(&shown);
}

void
webhook_write_headers(struct json_out *j, const struct webhook *h)
{
    json_begin_object(j);
    for (size_t i = 0; i < h->n_headers; i++)
        write_header(j, &h->headers[i]);
    json_end_object(j);
}

/* What was chosen. That a webhook is disabled is seen on every one, chosen or not. */
static void
write_policy(struct json_out *j, const struct webhook_policy *p, const struct webhook_view *view)
{
    struct webhook_policy shown = *p; /* a loan: not to be freed */
    if (view->disabled != LANE_ENABLED) {
        shown.is_active = false;
        shown.given |= 1u << POLICY_IS_ACTIVE;
    }
    policy_write_members(j, &shown, view->words, view->revealed_secrets);
    if (view->disabled != LANE_ENABLED) {
        json_key(j, "disabledReason");
        json_put_cstr(j, lane_disabled_name(view->disabled));
    }
}

void
webhook_write_json(struct json_out *j, const struct webhook *h, const struct webhook_view *view)
{
    char uuid[UUID_TEXT_LEN + 1];
    json_begin_object(j);
    json_key(j, "uuid");
    json_put_cstr(j, uuid_format(&h->uuid, uuid));
    json_key(j, "isEditable");
    json_put_bool(j, h->is_editable);
    json_key(j, "url");
    json_put_str(j, h->url);
    json_key(j, "headers");
    webhook_write_headers(j, h);
    write_policy(j, &h->policy, view);
    json_end_object(j);
}
