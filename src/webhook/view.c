/* How a webhook is shown (contract 7.1) and what is hidden of it (7.4). */
#include "base/redact.h"
#include "webhook/channel.h"
#include "webhook/lane_state.h"
#include "webhook/policy_fields.h"
#include "webhook/registry.h"

void
webhook_write_redacted(struct buf *out, struct str value)
{
    size_t scheme = str_starts_with(value, "Bearer ") ? 7 : 0;
    buf_add_str(out, str_slice(value, 0, scheme));
    redact(out, str_slice(value, scheme, value.len));
}

void
webhook_write_target(struct buf *out, const struct webhook *h)
{
    const struct channel *c = h->policy.channel;
    if (c != NULL && channel_kind(c) == CHANNEL_SLACK) /* its path is the secret */
        channel_write_target(out, c);
    else
        url_write_redacted(out, &h->target);
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
