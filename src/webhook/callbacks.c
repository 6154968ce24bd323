/* The report door's part of the registry: who may be called, and addressing its events. Owns no
 * state of its own; renders no answer. */
#include "webhook/callbacks.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/digest.h"
#include "webhook/organization.h"
#include "webhook/owed.h"
#include "webhook/registration.h"
#include "webhook/secret.h"
#include "webhook/settings.h"
#include "webhook/state.h"

static const enum event_type event_types[CALLBACK_EVENTS] = {
    [CALLBACK_COMPLETED] = EVENT_REPORT_COMPLETED,
    [CALLBACK_FAILED] = EVENT_REPORT_FAILED,
    [CALLBACK_CANCELED] = EVENT_REPORT_CANCELED,
};

const char *
callback_event_name(enum callback_event e)
{
    return event_type_name(event_types[e]);
}

static uint32_t
to_policy(uint32_t events)
{
    uint32_t bits = 0;
    for (int i = 0; i < CALLBACK_EVENTS; i++)
        bits |= (events >> i & 1) << event_types[i];
    return bits;
}

static uint32_t
from_policy(uint32_t bits)
{
    uint32_t events = 0;
    for (int i = 0; i < CALLBACK_EVENTS; i++)
        events |= (bits >> event_types[i] & 1) << i;
    return events;
}

static size_t
count(const struct webhooks *w, enum webhook_origin origin)
{
    size_t n = 0;
    for (size_t i = 0; i < w->registry.n; i++)
        n += w->registry.items[i]->origin == origin;
    return n;
}

/* --- finding --------------------------------------------------------------------------------- */

/* A text that is no uuid names nothing: 404, not 400. */
static const struct webhook *
find(struct webhooks *w, struct str id, struct err *err)
{
    struct uuid uuid;
    const struct webhook *h = uuid_parse(id, &uuid, NULL) ? registry_find(w, &uuid) : NULL;
    if (h != NULL && (h->origin == WEBHOOK_REPORTS || h->origin == WEBHOOK_CALLBACK))
        return h;
    struct buf message = BUF_INIT;
    buf_add_cstr(&message, "Webhook `");
    buf_add_str(&message, id);
    buf_add_cstr(&message, "` not found.");
    (void) err_set_str(err, ERR_WEBHOOK_NOT_FOUND, buf_str(&message));
    buf_done(&message);
    return NULL;
}

static const struct webhook *
find_registered(struct webhooks *w, struct str id, struct err *err)
{
    const struct webhook *h = find(w, id, err);
    if (h == NULL || h->origin == WEBHOOK_REPORTS)
        return h;
    (void) err_set(err, ERR_WEBHOOK_NOT_FOUND,
                   "Webhook `%.*s` not found: it is the callback URL of report requests.",
                   STR_ARG(id));
    return NULL;
}

/* The time in a version 7 uuid. */
static int64_t
created_at_ns(const struct uuid *u)
{
    int64_t ms = 0;
    for (int i = 0; i < 6; i++)
        ms = ms << 8 | u->bytes[i];
    return ms * 1000000;
}

static void
view(struct store_txn *txn, const struct webhook *h, struct callback_view *ret)
{
    struct lane_record lane = {0};
    if (txn == NULL || lane_record_get(txn, &h->uuid, &lane) < 0)
        lane = (struct lane_record){0}; /* the store has said so elsewhere */
    bool is_disabled = lane.health.disabled != LANE_ENABLED;
    *ret = (struct callback_view){
        .uuid = h->uuid,
        .url = h->url,
        .events = from_policy(h->policy.events),
        .is_active = h->policy.is_active && !is_disabled,
        .disabled_reason = is_disabled ? lane_disabled_name(lane.health.disabled) : NULL,
        .created_at_ns = created_at_ns(&h->uuid),
        .webhook = h,
    };
}

int
callbacks_get(struct webhooks *w, struct str id, struct callback_view *ret, struct err *err)
{
    const struct webhook *h = find_registered(w, id, err);
    if (h == NULL)
        return -1;
    /* One that was registered in this turn has no row that a reader sees: it is healthy then. */
    struct store_txn *txn = turn_read(w->conf.turn);
    view(txn, h, ret);
    store_abort(txn);
    return 0;
}

bool
callbacks_next(struct webhooks *w, size_t *at, struct callback_view *ret)
{
    for (; *at < w->registry.n; ++*at) {
        const struct webhook *h = w->registry.items[*at];
        if (h->origin != WEBHOOK_REPORTS)
            continue;
        struct store_txn *txn = turn_read(w->conf.turn);
        view(txn, h, ret);
        store_abort(txn);
        ++*at;
        return true;
    }
    return false;
}

int
callbacks_uuid(struct webhooks *w, struct str id, struct uuid *ret, struct err *err)
{
    const struct webhook *h = find(w, id, err);
    if (h == NULL)
        return -1;
    *ret = h->uuid;
    return 0;
}

void
callback_write_headers(struct json_out *j, const struct callback_view *v)
{
    const struct webhook *h = v->webhook;
    webhook_write_headers(j, h);
}

bool
callback_write_secret(struct buf *out, const struct callback_view *v, bool is_revealed)
{
    const struct webhook *h = v->webhook;
    if (h->policy.n_secrets == 0)
        return false;
    if (is_revealed)
        secret_write(out, &h->policy.secrets[0]);
    else
        secret_write_redacted(out, &h->policy.secrets[0]);
    return true;
}

/* --- registering ----------------------------------------------------------------------------- */

static int
err_too_many(struct err *err, int max)
{
    return err_set(err, ERR_TOO_MANY_CALLBACKS,
                   "At most %d webhooks may be registered here. Please remove one first.", max);
}

static void
base_policy(struct webhook_policy *p, uint32_t events)
{
    policy_init(p);
    p->events = to_policy(events);
    p->waits = false;
    p->given = 1u << POLICY_EVENTS | 1u << POLICY_WAIT;
}

static int
create_from(struct webhooks *w, struct webhook_settings *s, uint32_t events, struct uuid *ret,
            struct err *err)
{
    struct webhook_policy policy;
    struct webhook_draft d = {
        .uuid = uuid_v7(clock_wall_ms()),
        .origin = WEBHOOK_REPORTS,
        .url = s->url,
        .headers = s->headers,
        .n_headers = s->n_headers,
        .policy = &policy,
    };
    base_policy(&policy, events);
    if (s->policy.policy.n_secrets == 0 && (s->policy.policy.given & 1u << POLICY_SECRET) == 0) {
        policy.secrets = mem_new(1, sizeof(*policy.secrets));
        policy.n_secrets = 1;
        policy.given |= 1u << POLICY_SECRET;
        secret_generate(&policy.secrets[0], SECRET_V1_HMAC);
    }
    *ret = d.uuid;
    int rc = registration_apply(w, &d, &s->policy, err);
    policy_done(&policy);
    return rc;
}

int
callbacks_create(struct webhooks *w, const struct json *settings, uint32_t events, struct uuid *ret,
                 struct err *err)
{
    struct webhook_settings s;
    if (count(w, WEBHOOK_REPORTS) >= CALLBACK_WEBHOOKS_MAX)
        return err_too_many(err, CALLBACK_WEBHOOKS_MAX);
    if (webhook_settings_read(settings, &w->conf.words, &s, err) != 0)
        return -1;
    int rc = create_from(w, &s, events, ret, err);
    webhook_settings_done(&s);
    return rc;
}

static int
update_from(struct webhooks *w, const struct webhook *old, struct webhook_settings *s,
            uint32_t events, struct err *err)
{
    struct webhook_policy policy;
    struct header_view merged[WEBHOOK_HEADERS_MAX + 1];
    struct webhook_draft d = {
        .uuid = old->uuid,
        .origin = WEBHOOK_REPORTS,
        .url = s->url_state == SETTING_GIVEN ? s->url : old->url,
        .headers = merged,
        .n_headers = registration_merge_headers(old, s, merged),
        .policy = &policy,
    };
    policy_copy(&policy, &old->policy);
    if (events != 0)
        policy.events = to_policy(events);
    int rc = registration_apply(w, &d, &s->policy, err);
    policy_done(&policy);
    return rc;
}

int
callbacks_update(struct webhooks *w, struct str id, const struct json *settings, uint32_t events,
                 struct err *err)
{
    struct webhook_settings s;
    const struct webhook *old = find_registered(w, id, err);
    if (old == NULL || webhook_settings_read(settings, &w->conf.words, &s, err) != 0)
        return -1;
    int rc = update_from(w, old, &s, events, err);
    webhook_settings_done(&s);
    return rc;
}

int
callbacks_delete(struct webhooks *w, struct str id, struct err *err)
{
    const struct webhook *h = find_registered(w, id, err);
    if (h == NULL)
        return -1;
    registry_remove(w, &h->uuid);
    return 0;
}

/* --- URLs of single requests ----------------------------------------------------------------- */

/* The same URL, token and secret: the same row. */
static struct uuid
identity(const struct callback_url *u, struct str normal_url)
{
    struct buf b = BUF_INIT;
    uint8_t digest[SHA256_BYTES];
    struct uuid id;
    const struct str parts[] = {normal_url, u->token, u->secret};
    for (size_t i = 0; i < 3; i++) {
        buf_addf(&b, "%zu:", parts[i].data == NULL ? 0 : parts[i].len + 1);
        buf_add_str(&b, parts[i]);
    }
    digest_sha256(buf_str(&b), digest);
    mem_wipe(b.data, b.len);
    buf_done(&b);
    memcpy(id.bytes, digest, sizeof(id.bytes));
    id.bytes[6] = (uint8_t) ((id.bytes[6] & 0x0F) | 0x80); /* version 8: of our own making */
    id.bytes[8] = (uint8_t) ((id.bytes[8] & 0x3F) | 0x80);
    return id;
}

/* One that nothing is owed to and nobody will need: 1 removed, 0 none, negative. */
static int
make_room(struct webhooks *w, const struct callback_url *u)
{
    for (size_t i = 0; i < w->registry.n; i++) {
        const struct webhook *h = w->registry.items[i];
        struct owed owed = {0};
        if (h->origin != WEBHOOK_CALLBACK || u->is_needed(u->arg, &h->uuid))
            continue;
        int rc = owed_get(turn_txn(w->conf.turn), &h->uuid, &owed);
        if (rc < 0)
            return rc;
        if (owed.count > 0)
            continue;
        registry_remove(w, &h->uuid);
        return 1;
    }
    return 0;
}

static int
add_url(struct webhooks *w, const struct callback_url *u, const struct uuid *uuid, struct err *err)
{
    struct buf authorization = BUF_INIT;
    struct webhook_policy policy;
    struct policy_change none;
    struct header_view header = {.name = STR("Authorization")};
    struct webhook_draft d = {.uuid = *uuid,
                              .origin = WEBHOOK_CALLBACK,
                              .url = u->url,
                              .headers = &header,
                              .n_headers = u->token.data != NULL,
                              .policy = &policy};
    base_policy(&policy, 0);
    if (u->secret.data != NULL) {
        policy.secrets = mem_new(1, sizeof(*policy.secrets));
        policy.n_secrets = 1;
        policy.given |= 1u << POLICY_SECRET;
        if (!secret_parse(u->secret, &policy.secrets[0])) {
            policy_done(&policy);
            return err_set(err, ERR_INVALID_CALLBACK_SECRET,
                           "Invalid value at `.webhookSecret`: expected `whsec_` and 24 to 64 "
                           "bytes in base64.");
        }
    }
    buf_add_cstr(&authorization, "Bearer ");
    buf_add_str(&authorization, u->token);
    header.value = buf_str(&authorization);
    policy_change_init(&none);
    int rc = registration_apply(w, &d, &none, err);
    policy_change_done(&none);
    policy_done(&policy);
    mem_wipe(authorization.data, authorization.len);
    buf_done(&authorization);
    return rc;
}

int
callbacks_take_url(struct webhooks *w, const struct callback_url *u, struct uuid *ret,
                   struct err *err)
{
    struct url parsed = URL_INIT;
    struct buf normal = BUF_INIT, why = BUF_INIT;
    if (url_parse(u->url, &parsed, &why) == 0)
        url_write(&normal, &parsed);
    else
        buf_add_str(&normal, u->url); /* add_url says what is wrong with it */
    url_done(&parsed);
    buf_done(&why);
    *ret = identity(u, buf_str(&normal));
    buf_done(&normal);
    if (registry_find(w, ret) != NULL)
        return 0;
    if (count(w, WEBHOOK_CALLBACK) >= CALLBACK_URLS_MAX) {
        int rc = make_room(w, u);
        if (rc <= 0)
            return err_set(err, ERR_TOO_MANY_CALLBACKS,
                           "Callbacks to %d different URLs are still owed. Please try again later.",
                           CALLBACK_URLS_MAX);
    }
    return add_url(w, u, ret, err);
}

/* --- events ---------------------------------------------------------------------------------- */

/* The same to organisations, in their envelope. */
static int
tell_organizations(struct webhooks *w, struct store_txn *txn, enum callback_event event,
                   struct str data)
{
    static const enum catalog_event types[CALLBACK_EVENTS] = {
        [CALLBACK_COMPLETED] = CATALOG_REPORT_COMPLETED,
        [CALLBACK_FAILED] = CATALOG_REPORT_FAILED,
        [CALLBACK_CANCELED] = CATALOG_REPORT_CANCELED,
    };
    if ((organization_wanted(w) & CATALOG_BIT(types[event])) == 0)
        return 0;
    struct json_doc *doc = json_parse(data, NULL);
    const struct json *id = doc == NULL ? NULL : json_get_c(json_root(doc), "taskId");
    struct organization_event e = {
        .type = types[event],
        .subject_type = STR("report"),
        .subject_id = id == NULL ? STR("") : json_string(id),
        .metadata = data,
    };
    int rc = organization_emit(w, txn, &e, NULL);
    json_doc_free(doc);
    return rc;
}

int
callbacks_emit(struct webhooks *w, struct store_txn *txn, enum callback_event event,
               struct str data, const struct uuid *also)
{
    struct emission e = {.type = event_types[event], .data = data};
    if (!uuid_is_nil(also))
        e.also = also;
    int rc = event_emit(w, txn, &e, NULL);
    return rc < 0 ? rc : tell_organizations(w, txn, event, data);
}
