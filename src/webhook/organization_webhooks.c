/* Registered webhooks of organisations: rows of the registry a channel, taken together. Owns no
 * state; what a channel is, is channel.c's. */
#include "webhook/organization_webhooks.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "webhook/channel.h"
#include "webhook/record.h"
#include "webhook/settings.h"
#include "webhook/state.h"
#include "webhook/terms.h"

enum { ID_BYTES = 8 };

/* --- ids ------------------------------------------------------------------------------------- */

static void
write_id(char out[ORGANIZATION_ID_LEN + 1], const struct uuid *u)
{
    (void) snprintf(out, ORGANIZATION_ID_LEN + 1, "wh_");
    for (size_t i = 0; i < ID_BYTES; i++)
        (void) snprintf(out + 3 + 2 * i, 3, "%02x", u->bytes[i]);
}

/* The uuid of the first channel. */
static bool
read_id(struct str text, struct uuid *ret)
{
    if (text.len != ORGANIZATION_ID_LEN || !str_starts_with(text, "wh_"))
        return false;
    *ret = UUID_NIL;
    ret->bytes[ID_BYTES] = 0x80; /* the variant of RFC 9562 */
    for (size_t i = 0; i < ID_BYTES; i++) {
        int high = str_hex_value(text.data[3 + 2 * i]), low = str_hex_value(text.data[4 + 2 * i]);
        if (high < 0 || low < 0)
            return false;
        ret->bytes[i] = (uint8_t) (high << 4 | low);
    }
    return true;
}

bool
organization_webhook_is_id(struct str text)
{
    struct uuid first;
    return read_id(text, &first);
}

static struct uuid
channel_uuid(const struct uuid *first, size_t channel)
{
    struct uuid u = *first;
    u.bytes[sizeof(u.bytes) - 1] = (uint8_t) channel;
    return u;
}

bool
organization_is_same(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes) - 1) == 0;
}

static bool
is_first_channel(const struct webhook *h)
{
    return h->origin == WEBHOOK_ORGANIZATION && h->uuid.bytes[sizeof(h->uuid.bytes) - 1] == 0;
}

/* NULL: there is none. */
static const struct webhook *
find(const struct webhooks *w, struct str id)
{
    struct uuid first;
    const struct webhook *h = read_id(id, &first) ? registry_find(w, &first) : NULL;
    return h != NULL && h->origin == WEBHOOK_ORGANIZATION ? h : NULL;
}

static const struct webhook *
find_or_err(const struct webhooks *w, struct str id, struct err *err)
{
    const struct webhook *h = find(w, id);
    if (h != NULL)
        return h;
    struct buf message = BUF_INIT;
    buf_add_cstr(&message, "Webhook `");
    buf_add_str(&message, id);
    buf_add_cstr(&message, "` not found.");
    (void) err_set_str(err, ERR_WEBHOOK_NOT_FOUND, buf_str(&message));
    buf_done(&message);
    return NULL;
}

/* The channel after that one, NULL behind the last. */
static const struct webhook *
next_channel(const struct webhooks *w, const struct webhook *h)
{
    size_t channel = h->uuid.bytes[sizeof(h->uuid.bytes) - 1];
    struct uuid uuid = channel_uuid(&h->uuid, channel + 1);
    return channel + 1 < ORGANIZATION_CHANNELS_MAX ? registry_find(w, &uuid) : NULL;
}

static size_t
count(const struct webhooks *w)
{
    size_t n = 0;
    for (size_t i = 0; i < w->registry.n; i++)
        n += is_first_channel(w->registry.items[i]);
    return n;
}

static uint64_t
number_of(const struct uuid *u)
{
    uint64_t n = 0;
    for (size_t i = 0; i < ID_BYTES; i++)
        n = n << 8 | u->bytes[i];
    return n;
}

/* A time in milliseconds and twelve bits behind the version of RFC 9562. */
static struct uuid
uuid_of(uint64_t ms, uint64_t behind)
{
    uint64_t n = ms << 16 | 0x7000 | behind;
    struct uuid u = UUID_NIL;
    u.bytes[ID_BYTES] = 0x80; /* the variant */
    for (size_t i = 0; i < ID_BYTES; i++)
        u.bytes[i] = (uint8_t) (n >> (8 * (ID_BYTES - 1 - i)));
    return u;
}

/* Greater than every other: webhooks are listed by age. */
static struct uuid
new_id(const struct webhooks *w)
{
    struct uuid random = uuid_v7(clock_wall_ms());
    uint64_t newest = 0, n = number_of(&random);
    for (size_t i = 0; i < w->registry.n; i++) {
        const struct webhook *h = w->registry.items[i];
        if (h->origin == WEBHOOK_ORGANIZATION && number_of(&h->uuid) > newest)
            newest = number_of(&h->uuid);
    }
    if (n > newest)
        return uuid_of(n >> 16, n & 0xFFF);
    uint64_t behind = (newest & 0xFFF) + 1;
    return uuid_of((newest >> 16) + (behind >> 12), behind & 0xFFF);
}

/* --- showing --------------------------------------------------------------------------------- */

static void
write_channels(const struct webhooks *w, const struct webhook *first, struct json_out *j)
{
    json_key(j, "channels");
    json_begin_array(j);
    for (const struct webhook *h = first; h != NULL; h = next_channel(w, h))
        channel_write_json(j, h->policy.channel);
    json_end_array(j);
}

static void
write_webhook(const struct webhooks *w, const struct webhook *first, struct json_out *j)
{
    char id[ORGANIZATION_ID_LEN + 1];
    const struct terms *t = first->policy.terms;
    write_id(id, &first->uuid);
    json_begin_object(j);
    json_key(j, "webhook_id");
    json_put_cstr(j, id);
    json_key(j, "webhook_name");
    json_put_cstr(j, t->name);
    json_key(j, "event_types");
    json_put_raw(j, str_from(t->event_types));
    write_channels(w, first, j);
    json_key(j, "is_active");
    json_put_bool(j, first->policy.is_active);
    json_key(j, "created_at");
    json_put_time(j, t->created_at_ns);
    json_key(j, "updated_at");
    json_put_time(j, t->updated_at_ns);
    json_end_object(j);
}

int
organization_webhooks_write_one(struct webhooks *w, struct str id, struct buf *out, struct err *err)
{
    const struct webhook *first = find_or_err(w, id, err);
    struct json_out j = json_out(out);
    if (first == NULL)
        return -1;
    write_webhook(w, first, &j);
    return 0;
}

static bool
gets_event(const struct webhook *h, struct str name)
{
    enum catalog_event event;
    if (str_is(name, "*"))
        return h->policy.terms->events == CATALOG_ALL;
    return catalog_event_from_name(name, &event) && terms_want(h->policy.terms, (uint8_t) event);
}

static bool
matches(const struct webhook *h, const struct organization_query *q)
{
    return is_first_channel(h) && (!q->has_active || h->policy.is_active == q->is_active) &&
           (q->event_type.data == NULL || gets_event(h, q->event_type));
}

void
organization_webhooks_write_page(struct webhooks *w, const struct organization_query *q,
                                 struct buf *out, struct organization_page *ret)
{
    struct json_out j = json_out(out);
    struct uuid after = UUID_NIL;
    bool has_after = q->after.data != NULL && read_id(q->after, &after);
    uint64_t skip = q->offset;
    *ret = (struct organization_page){0};
    for (size_t i = 0; i < w->registry.n; i++) {
        const struct webhook *h = w->registry.items[i];
        if (!matches(h, q))
            continue;
        ret->total++;
        if (has_after && memcmp(h->uuid.bytes, after.bytes, sizeof(after.bytes)) <= 0)
            continue;
        if (skip > 0) {
            skip--;
        } else if (ret->n < q->limit) {
            write_webhook(w, h, &j);
            write_id(ret->last, &h->uuid);
            ret->n++;
        } else {
            ret->has_more = true;
        }
    }
}

int
organization_webhooks_channels(struct webhooks *w, struct str id,
                               struct uuid ret[ORGANIZATION_CHANNELS_MAX], struct err *err)
{
    int n = 0;
    const struct webhook *first = find_or_err(w, id, err);
    if (first == NULL)
        return -1;
    for (const struct webhook *h = first; h != NULL; h = next_channel(w, h))
        ret[n++] = h->uuid;
    return n;
}

/* --- reading --------------------------------------------------------------------------------- */

static int invalid(struct err *err, const char *path, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int
invalid(struct err *err, const char *path, const char *fmt, ...)
{
    struct buf message = BUF_INIT;
    va_list ap;
    buf_addf(&message, "Invalid value at `%s`: ", path);
    va_start(ap, fmt);
    buf_addv(&message, fmt, ap);
    va_end(ap);
    (void) err_set_str(err, ERR_INVALID_ORGANIZATION_WEBHOOK, buf_str(&message));
    err_set_path(err, path);
    buf_done(&message);
    return -1;
}

static size_t
count_chars(struct str text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        n += ((unsigned char) text.data[i] & 0xC0) != 0x80;
    return n;
}

static int
check_name(struct str name, struct err *err)
{
    size_t n = count_chars(name);
    if (n >= 1 && n <= ORGANIZATION_NAME_MAX_CHARS)
        return 0;
    return invalid(err, ".webhook_name", "expected 1 to %d characters, but there are %zu.",
                   ORGANIZATION_NAME_MAX_CHARS, n);
}

static int
unknown_event(struct err *err, size_t at, struct str name)
{
    struct buf message = BUF_INIT;
    char path[64];
    (void) snprintf(path, sizeof(path), ".event_types[%zu]", at);
    buf_addf(&message, "Invalid value at `%s`: `", path);
    buf_add_str(&message, name);
    buf_add_cstr(&message, "` is no event of this server: expected `*` or one of ");
    catalog_write_names(&message);
    buf_add_char(&message, '.');
    (void) err_set_str(err, ERR_UNKNOWN_EVENT_TYPE, buf_str(&message));
    err_set_path(err, path);
    buf_done(&message);
    return -1;
}

static int
read_events(const struct json *v, uint64_t *ret, struct err *err)
{
    struct json_iter it = json_iter(v);
    if (json_length(v) == 0 || json_length(v) > ORGANIZATION_EVENT_TYPES_MAX)
        return invalid(err, ".event_types", "expected 1 to %d names of events, but there are %zu.",
                       ORGANIZATION_EVENT_TYPES_MAX, json_length(v));
    for (size_t at = 0; json_next(&it); at++) {
        enum catalog_event event;
        struct str name = json_string(it.value);
        if (str_is(name, "*"))
            *ret |= CATALOG_ALL;
        else if (catalog_event_from_name(name, &event))
            *ret |= CATALOG_BIT(event);
        else
            return unknown_event(err, at, name);
    }
    return 0;
}

/* What is about to be registered: its channels are held. */
struct reading {
    struct terms *terms;
    struct channel *channels[ORGANIZATION_CHANNELS_MAX];
    size_t n;
    bool is_active;
};

static void
reading_done(struct reading *r)
{
    for (size_t i = 0; i < r->n; i++)
        channel_release(r->channels[i]);
    terms_release(r->terms);
}

static int
read_channels(struct webhooks *w, const struct json *v, const struct webhook *old,
              struct reading *r, struct err *err)
{
    struct channel_rules rules = channel_rules_of(w);
    struct json_iter it = json_iter(v);
    if (json_length(v) == 0 || json_length(v) > ORGANIZATION_CHANNELS_MAX)
        return invalid(err, ".channels", "expected 1 to %d channels, but there are %zu.",
                       ORGANIZATION_CHANNELS_MAX, json_length(v));
    while (json_next(&it)) {
        char path[32];
        (void) snprintf(path, sizeof(path), ".channels[%zu]", r->n);
        struct channel *c =
            channel_read(it.value, &rules, path, old == NULL ? NULL : old->policy.channel, err);
        if (c == NULL)
            return -1;
        r->channels[r->n++] = c;
        old = old == NULL ? NULL : next_channel(w, old);
    }
    return 0;
}

static int
read_draft(struct webhooks *w, const struct organization_draft *d, const struct webhook *old,
           struct reading *r, struct err *err)
{
    uint64_t events = 0;
    struct buf types = BUF_INIT;
    *r = (struct reading){.is_active = d->is_active};
    if (check_name(d->name, err) < 0 || read_events(d->event_types, &events, err) < 0 ||
        read_channels(w, d->channels, old, r, err) < 0)
        return -1;
    json_write(&types, d->event_types);
    r->terms = terms_new(d->name, buf_str(&types), events);
    r->terms->updated_at_ns = clock_wall_ns();
    r->terms->created_at_ns =
        old != NULL ? old->policy.terms->created_at_ns : r->terms->updated_at_ns;
    buf_done(&types);
    return 0;
}

/* --- registering ----------------------------------------------------------------------------- */

/* Its policy is not the draft's any more: it borrows from the reading. */
static struct webhook *
make_row(const struct reading *r, const struct uuid *first, size_t at, struct err *err)
{
    struct webhook_policy policy;
    const struct channel *c = r->channels[at];
    struct header_view headers[WEBHOOK_HEADERS_MAX];
    struct webhook_draft d = {.uuid = channel_uuid(first, at),
                              .origin = WEBHOOK_ORGANIZATION,
                              .url = channel_url(c),
                              .headers = headers,
                              .policy = &policy};
    const struct channel_header *given = channel_headers(c, &d.n_headers);
    if (d.n_headers > WEBHOOK_HEADERS_MAX) {
        (void) webhook_err_too_many_headers(&d.uuid, err);
        return NULL;
    }
    for (size_t i = 0; i < d.n_headers; i++)
        headers[i] = (struct header_view){.name = given[i].name, .value = given[i].value};
    if (draft_check(&d, err) != 0)
        return NULL;
    policy_init(&policy);
    policy.channel = c;
    policy.terms = r->terms;
    policy.timeout_ms = channel_timeout_ms(c);
    policy.is_active = r->is_active;
    policy.given = 1u << POLICY_CHANNEL | 1u << POLICY_TERMS | 1u << POLICY_TIMEOUT_MS |
                   1u << POLICY_IS_ACTIVE;
    struct webhook *h = webhook_new(&d);
    if (h == NULL)
        (void) err_set(err, ERR_INTERNAL, "cannot read the URL of a webhook");
    return h;
}

/* Switching it on, or changing it, also takes back that its failures disabled it. */
static void
put_row(struct webhooks *w, struct webhook *h)
{
    struct uuid uuid = h->uuid;
    registry_put(w, h);
    if (!h->policy.is_active)
        return;
    int rc = lane_enable(turn_txn(w->conf.turn), &uuid);
    if (rc < 0)
        turn_fail(w->conf.turn, rc);
}

static void
remove_rows(struct webhooks *w, const struct uuid *first, size_t from)
{
    for (size_t i = from; i < ORGANIZATION_CHANNELS_MAX; i++) {
        struct uuid uuid = channel_uuid(first, i);
        if (registry_find(w, &uuid) != NULL)
            registry_remove(w, &uuid);
    }
}

/* All rows are made before the first is taken: nothing is changed by halves. */
static int
put_rows(struct webhooks *w, const struct reading *r, const struct uuid *first, struct err *err)
{
    struct webhook *rows[ORGANIZATION_CHANNELS_MAX];
    for (size_t i = 0; i < r->n; i++) {
        rows[i] = make_row(r, first, i, err);
        if (rows[i] != NULL)
            continue;
        while (i > 0)
            webhook_release(rows[--i]);
        return -1;
    }
    for (size_t i = 0; i < r->n; i++)
        put_row(w, rows[i]);
    remove_rows(w, first, r->n);
    return 0;
}

static int
apply(struct webhooks *w, const struct organization_draft *d, const struct webhook *old,
      struct uuid first, struct buf *out, struct err *err)
{
    struct reading r;
    struct json_out j = json_out(out);
    int rc = read_draft(w, d, old, &r, err);
    if (rc == 0)
        rc = put_rows(w, &r, &first, err);
    reading_done(&r);
    if (rc == 0)
        write_webhook(w, registry_find(w, &first), &j);
    return rc;
}

int
organization_webhooks_create(struct webhooks *w, const struct organization_draft *d,
                             struct buf *out, struct err *err)
{
    if (count(w) >= ORGANIZATION_WEBHOOKS_MAX)
        return err_set(err, ERR_TOO_MANY_ORGANIZATION_WEBHOOKS,
                       "At most %d webhooks may be registered here. Please remove one first.",
                       ORGANIZATION_WEBHOOKS_MAX);
    return apply(w, d, NULL, new_id(w), out, err);
}

int
organization_webhooks_update(struct webhooks *w, struct str id, const struct organization_draft *d,
                             struct buf *out, struct err *err)
{
    const struct webhook *old = find_or_err(w, id, err);
    return old == NULL ? -1 : apply(w, d, old, old->uuid, out, err);
}

void
organization_webhooks_delete(struct webhooks *w, struct str id)
{
    const struct webhook *first = find(w, id);
    if (first == NULL)
        return;
    struct uuid uuid = first->uuid;
    remove_rows(w, &uuid, 0);
}
