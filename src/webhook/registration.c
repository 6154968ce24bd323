/* The API's side of registered webhooks (contract 7): bodies to webhooks, in upstream's order of
 * checks. Owns no state: that is registry.c's. */
#include "webhook/registration.h"
#include "base/mem.h"
#include "store/env.h"
#include "webhook/record.h"
#include "webhook/state.h"

enum { WARNINGS_A_SECOND = 5 };

/* --- warnings at registration ---------------------------------------------------------------- */

/* Accepted as upstream does, but it will never be reached: say so now and not only at sending. */
static void
warn_unreachable(struct webhooks *w, const struct webhook *h)
{
    char uuid[UUID_TEXT_LEN + 1];
    struct sockaddr_storage address;
    struct buf url = BUF_INIT;
    bool is_refused = w->conf.policy != NULL && url_literal_address(&h->target, &address) &&
                      !address_policy_allows(w->conf.policy, (struct sockaddr *) &address);
    if (url_is_http(&h->target) && !is_refused)
        return;
    if (!log_limit_pass(&w->registry.warnings, WARNINGS_A_SECOND))
        return;
    webhook_write_target(&url, h);
    (void) uuid_format(&h->uuid, uuid);
    if (!url_is_http(&h->target))
        log_warn("webhook",
                 "only http and https can be called: deliveries to this webhook will fail "
                 "webhook=%s url=%s",
                 uuid, buf_cstr(&url));
    else
        log_warn("webhook",
                 "the address of this webhook is not public, deliveries to it will be refused: "
                 "allow its network with --experimental-allowed-ip-networks webhook=%s url=%s",
                 uuid, buf_cstr(&url));
    buf_done(&url);
}

/* --- reading --------------------------------------------------------------------------------- */

void
webhook_write_now(struct webhooks *w, struct store_txn *txn, const struct webhook *h,
                  uint32_t revealed_secrets, struct json_out *j)
{
    struct lane_record lane = {0};
    if (txn == NULL || lane_record_get(txn, &h->uuid, &lane) < 0)
        lane = (struct lane_record){0}; /* the store has said so elsewhere */
    struct webhook_view view = {&w->conf.words, lane.health.disabled, revealed_secrets};
    webhook_write_json(j, h, &view);
}

void
webhooks_write_list(struct webhooks *w, struct buf *out)
{
    struct json_out j = json_out(out);
    struct store_txn *txn = turn_read(w->conf.turn);
    json_begin_object(&j);
    json_key(&j, "results");
    json_begin_array(&j);
    for (size_t i = 0; i < w->registry.n; i++) {
        if (webhook_is_of_main_door(w->registry.items[i]))
            webhook_write_now(w, txn, w->registry.items[i], 0, &j);
    }
    json_end_array(&j);
    json_end_object(&j);
    store_abort(txn);
}

static int
parse_uuid(struct str text, struct uuid *ret, struct err *err)
{
    struct buf why = BUF_INIT;
    int rc = 0;
    if (!uuid_parse(text, ret, &why))
        rc = err_set(err, ERR_INVALID_WEBHOOK_UUID, "Invalid UUID: %s", buf_cstr(&why));
    buf_done(&why);
    return rc;
}

static int
find_or_err(struct webhooks *w, const struct uuid *uuid, const struct webhook **ret,
            struct err *err)
{
    char text[UUID_TEXT_LEN + 1];
    *ret = registry_find(w, uuid);
    if (*ret != NULL && webhook_is_of_main_door(*ret))
        return 0;
    return err_set(err, ERR_WEBHOOK_NOT_FOUND, "Webhook `%s` not found.", uuid_format(uuid, text));
}

static int
err_immutable(const struct uuid *uuid, const char *origin, struct err *err)
{
    char text[UUID_TEXT_LEN + 1];
    return err_set(err, ERR_IMMUTABLE_WEBHOOK,
                   "Webhook `%s` is immutable. The webhook defined from the %s cannot be modified "
                   "using the API.",
                   uuid_format(uuid, text), origin);
}

int
registry_find_editable(struct webhooks *w, struct str text, const struct webhook **ret,
                       struct err *err)
{
    struct uuid uuid;
    if (parse_uuid(text, &uuid, err) != 0)
        return -1;
    if (uuid_is_nil(&uuid))
        return err_immutable(&uuid, "command line", err);
    if (find_or_err(w, &uuid, ret, err) != 0)
        return -1;
    return (*ret)->is_editable ? 0 : err_immutable(&uuid, "configuration file", err);
}

int
registry_find_text(struct webhooks *w, struct str uuid, const struct webhook **ret, struct err *err)
{
    struct uuid parsed;
    return parse_uuid(uuid, &parsed, err) != 0 ? -1 : find_or_err(w, &parsed, ret, err);
}

int
webhooks_write_one(struct webhooks *w, struct str uuid, struct buf *out, struct err *err)
{
    const struct webhook *h;
    if (registry_find_text(w, uuid, &h, err) != 0)
        return -1;
    struct json_out j = json_out(out);
    struct store_txn *txn = turn_read(w->conf.turn);
    webhook_write_now(w, txn, h, 0, &j);
    store_abort(txn);
    return 0;
}

/* --- changing -------------------------------------------------------------------------------- */

static int
check(const struct webhooks *w, const struct webhook_draft *d, struct err *err)
{
    if (draft_check(d, err) != 0)
        return -1;
    return w->conf.requires_https ? draft_check_https(d->url, w->conf.policy, err) : 0;
}

/* The checked draft with its policy changed, or NULL with err. */
static struct webhook *
make(struct webhooks *w, struct webhook_draft *d, struct policy_change *change, struct err *err)
{
    struct webhook_policy policy;
    struct webhook *h = NULL;
    if (d->policy != NULL)
        policy_copy(&policy, d->policy);
    else
        policy_init(&policy);
    d->policy = &policy;
    if (check(w, d, err) == 0 && policy_change_apply(change, &policy, err) == 0) {
        h = webhook_new(d);
        if (h == NULL)
            (void) err_set(err, ERR_INTERNAL, "cannot read the URL of a webhook");
    }
    policy_done(&policy);
    return h;
}

/* "isActive": true (or back to it) also takes back that the receiver or its failures disabled it.
 */
static void
enable_lane(struct webhooks *w, const struct webhook *h, bool is_asked)
{
    if (!is_asked || !h->policy.is_active)
        return;
    int rc = lane_enable(turn_txn(w->conf.turn), &h->uuid);
    if (rc < 0)
        turn_fail(w->conf.turn, rc);
}

/* A disabled webhook is shown with "isActive": false. That value, put back, changes nothing; it
 * does not end the daily probes. */
static void
drop_shown_inactive(struct webhooks *w, const struct webhook_draft *d, struct policy_change *change)
{
    struct lane_record lane;
    uint32_t bit = 1u << POLICY_IS_ACTIVE;
    if ((change->policy.given & bit) == 0 || change->policy.is_active || d->policy == NULL ||
        !d->policy->is_active)
        return;
    if (lane_record_get(turn_txn(w->conf.turn), &d->uuid, &lane) == 1 &&
        lane.health.disabled != LANE_ENABLED)
        change->policy.given &= ~bit;
}

int
registration_apply(struct webhooks *w, struct webhook_draft *d, struct policy_change *change,
                   struct err *err)
{
    drop_shown_inactive(w, d, change);
    uint32_t asked = change->reset | change->policy.given;
    struct webhook *h = make(w, d, change, err);
    if (h == NULL)
        return -1;
    registry_put(w, h);
    enable_lane(w, h, (asked & 1u << POLICY_IS_ACTIVE) != 0);
    warn_unreachable(w, h);
    return 0;
}

/* Registers what comes of it, and shows it: what we generated this once. */
static int
apply(struct webhooks *w, struct webhook_draft *d, struct policy_change *change, struct buf *out,
      struct err *err)
{
    struct uuid uuid = d->uuid;
    if (registration_apply(w, d, change, err) < 0)
        return -1;
    struct json_out j = json_out(out);
    webhook_write_now(w, turn_txn(w->conf.turn), registry_find(w, &uuid), change->generated, &j);
    return 0;
}

static int
create_from(struct webhooks *w, struct webhook_settings *s, struct buf *out, struct err *err)
{
    struct webhook_draft d = {
        .uuid = uuid_v4(), .url = s->url, .headers = s->headers, .n_headers = s->n_headers};
    if (s->n_headers > WEBHOOK_HEADERS_MAX)
        return webhook_err_too_many_headers(&d.uuid, err);
    if (registry_count(w) >= WEBHOOKS_MAX)
        return err_set(err, ERR_INVALID_WEBHOOKS,
                       "Defining too many webhooks would crush the server. Please limit the "
                       "number of webhooks to %d. You may use a third-party proxy server to "
                       "dispatch events to more than %d endpoints.",
                       WEBHOOKS_MAX, WEBHOOKS_MAX);
    if (s->url_state != SETTING_GIVEN)
        return webhook_err_url_missing(&d.uuid, err);
    return apply(w, &d, &s->policy, out, err);
}

int
webhooks_create(struct webhooks *w, const struct json *body, struct buf *out, struct err *err)
{
    struct webhook_settings s;
    if (webhook_settings_read(body, &w->conf.words, &s, err) != 0)
        return -1;
    int rc = create_from(w, &s, out, err);
    webhook_settings_done(&s);
    return rc;
}

/* A value sent back as it was shown: upstream would store the mask. */
static bool
is_redacted_as(const struct webhook_header *h, struct str shown)
{
    struct buf redacted = BUF_INIT;
    bool is_hidden = str_equal_nocase(str_from(h->name), STR("authorization"));
    webhook_write_redacted(&redacted, str_from(h->value));
    bool is_same = is_hidden && str_equal(buf_str(&redacted), shown);
    buf_done(&redacted);
    return is_same;
}

/* Both lists are in byte order: the result is too. Stops one above the limit, which is then an
 * error.
 */
size_t
registration_merge_headers(const struct webhook *old, const struct webhook_settings *s,
                           struct header_view out[WEBHOOK_HEADERS_MAX + 1])
{
    size_t n = 0, i = s->headers_state == SETTING_NULL ? old->n_headers : 0, j = 0;
    while ((i < old->n_headers || j < s->n_headers) && n <= WEBHOOK_HEADERS_MAX) {
        int order = i == old->n_headers ? 1
                    : j == s->n_headers
                        ? -1
                        : str_compare(str_from(old->headers[i].name), s->headers[j].name);
        if (order < 0) {
            out[n++] = (struct header_view){.name = str_from(old->headers[i].name),
                                            .value = str_from(old->headers[i].value)};
            i++;
            continue;
        }
        i += order == 0;
        if (!s->headers[j].is_null) {
            out[n] = s->headers[j];
            if (order == 0 && is_redacted_as(&old->headers[i - 1], s->headers[j].value))
                out[n].value = str_from(old->headers[i - 1].value);
            n++;
        }
        j++;
    }
    return n;
}

static int
update_from(struct webhooks *w, struct str uuid, struct webhook_settings *s, struct buf *out,
            struct err *err)
{
    const struct webhook *old;
    struct header_view merged[WEBHOOK_HEADERS_MAX + 1];
    if (registry_find_editable(w, uuid, &old, err) != 0)
        return -1;
    if (s->url_state == SETTING_NULL)
        return webhook_err_url_missing(&old->uuid, err);
    struct webhook_draft d = {
        .uuid = old->uuid,
        .url = s->url_state == SETTING_GIVEN ? s->url : old->url,
        .headers = merged,
        .n_headers = registration_merge_headers(old, s, merged),
        .policy = &old->policy,
    };
    if (d.n_headers > WEBHOOK_HEADERS_MAX)
        return webhook_err_too_many_headers(&d.uuid, err);
    return apply(w, &d, &s->policy, out, err);
}

int
webhooks_update(struct webhooks *w, struct str uuid, const struct json *body, struct buf *out,
                struct err *err)
{
    struct webhook_settings s;
    if (webhook_settings_read(body, &w->conf.words, &s, err) != 0)
        return -1;
    int rc = update_from(w, uuid, &s, out, err);
    webhook_settings_done(&s);
    return rc;
}

int
webhooks_delete(struct webhooks *w, struct str uuid, struct err *err)
{
    const struct webhook *h;
    if (registry_find_editable(w, uuid, &h, err) != 0)
        return -1;
    registry_remove(w, &h->uuid);
    return 0;
}
