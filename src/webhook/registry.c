/* Registered webhooks (contract 7): the list in memory and its rows. Memory is changed together
 * with the turn's transaction; when the commit is refused it is read again from the store. Knows
 * nothing of deliveries but that those of a deleted webhook end. */
#include "webhook/registry.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "base/mem.h"
#include "net/address.h"
#include "webhook/record.h"
#include "webhook/settings.h"
#include "webhook/state.h"

enum { RECORD_V1 = 1, WARNINGS_A_SECOND = 5 };

static void
webhook_free(struct webhook *h)
{
    if (h == NULL)
        return;
    for (size_t i = 0; i < h->n_headers; i++) {
        mem_wipe(h->headers[i].value, strlen(h->headers[i].value));
        free(h->headers[i].name);
        free(h->headers[i].value);
    }
    free(h->headers);
    url_done(&h->target);
    mem_wipe((void *) (uintptr_t) h->url.data, h->url.len); /* may hold credentials */
    free((void *) (uintptr_t) h->url.data);
    free(h);
}

/* Copies the draft, whose sizes were checked. NULL when its URL does not parse. */
static struct webhook *
webhook_new(const struct webhook_draft *d, bool is_editable)
{
    struct webhook *h = mem_new(1, sizeof(*h));
    h->uuid = d->uuid;
    h->is_editable = is_editable;
    h->url = str_make(mem_strndup(d->url.data, d->url.len), d->url.len);
    h->headers = mem_new(d->n_headers, sizeof(*h->headers));
    h->n_headers = d->n_headers;
    for (size_t i = 0; i < d->n_headers; i++) {
        struct str name = d->headers[i].name, value = d->headers[i].value;
        h->headers[i].name = mem_strndup(name.data, name.len);
        h->headers[i].value = mem_strndup(value.data, value.len);
    }
    if (url_parse(d->url, &h->target, NULL) == 0)
        return h;
    webhook_free(h);
    return NULL;
}

/* --- the list -------------------------------------------------------------------------------- */

static size_t
lower_bound(const struct registry *r, const struct uuid *uuid)
{
    size_t at = 0;
    while (at < r->n && memcmp(r->items[at]->uuid.bytes, uuid->bytes, sizeof(uuid->bytes)) < 0)
        at++;
    return at;
}

/* Takes h; replaces the one with the same uuid. The caller has checked that there is room. */
static void
list_set(struct registry *r, struct webhook *h)
{
    size_t at = lower_bound(r, &h->uuid);
    if (at < r->n && uuid_equal(&r->items[at]->uuid, &h->uuid)) {
        webhook_free(r->items[at]);
        r->items[at] = h;
        return;
    }
    memmove(&r->items[at + 1], &r->items[at], (r->n - at) * sizeof(r->items[0]));
    r->items[at] = h;
    r->n++;
}

static void
list_remove(struct registry *r, const struct uuid *uuid)
{
    size_t at = lower_bound(r, uuid);
    if (at == r->n || !uuid_equal(&r->items[at]->uuid, uuid))
        return;
    webhook_free(r->items[at]);
    r->n--;
    memmove(&r->items[at], &r->items[at + 1], (r->n - at) * sizeof(r->items[0]));
}

const struct webhook *
registry_find(const struct webhooks *w, const struct uuid *uuid)
{
    const struct registry *r = &w->registry;
    size_t at = lower_bound(r, uuid);
    return at < r->n && uuid_equal(&r->items[at]->uuid, uuid) ? r->items[at] : NULL;
}

static size_t
count_editable(const struct registry *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++)
        n += r->items[i]->is_editable;
    return n;
}

/* --- rows ------------------------------------------------------------------------------------ */

static struct str
key_uuid(const struct uuid *uuid)
{
    return str_make(uuid->bytes, sizeof(uuid->bytes));
}

static int
put_row(struct store_txn *txn, const struct webhook *h)
{
    struct buf b = BUF_INIT;
    rec_put_u8(&b, RECORD_V1);
    rec_put_str(&b, h->url);
    rec_put_u32(&b, (uint32_t) h->n_headers);
    for (size_t i = 0; i < h->n_headers; i++) {
        rec_put_str(&b, str_from(h->headers[i].name));
        rec_put_str(&b, str_from(h->headers[i].value));
    }
    int rc = buf_failed(&b) ? STORE_EFULL
                            : store_put(txn, TABLE_WEBHOOKS, key_uuid(&h->uuid), buf_str(&b));
    mem_wipe(b.data, b.len);
    buf_done(&b);
    return rc;
}

static struct webhook *
read_row(struct str key, struct str value)
{
    struct header_view headers[WEBHOOK_HEADERS_MAX];
    struct rec r = rec_open(value, RECORD_V1);
    struct webhook_draft d = {.url = rec_str(&r), .headers = headers};
    uint32_t n = rec_u32(&r);
    if (key.len != sizeof(d.uuid.bytes) || r.failed || n > WEBHOOK_HEADERS_MAX)
        return NULL;
    memcpy(d.uuid.bytes, key.data, key.len);
    for (; d.n_headers < n; d.n_headers++) {
        headers[d.n_headers] = (struct header_view){.name = rec_str(&r)};
        headers[d.n_headers].value = rec_str(&r);
    }
    return rec_ok(&r) ? webhook_new(&d, true) : NULL;
}

/* Adds every stored webhook to the list; a STORE_E* code when one cannot be read. */
static int
read_rows(struct registry *r, struct store_txn *txn)
{
    struct store_cursor c = {0};
    int rc = store_cursor_open(&c, txn, TABLE_WEBHOOKS);
    if (rc == 0)
        rc = store_cursor_first(&c);
    while (rc == 1) {
        struct webhook *h = read_row(c.key, c.value);
        if (h == NULL || r->n > WEBHOOKS_MAX) {
            webhook_free(h);
            rc = STORE_ECORRUPT;
            break;
        }
        list_set(r, h);
        rc = store_cursor_next(&c);
    }
    store_cursor_close(&c);
    return rc;
}

/* Memory as the store has it; the one of the command line stays. */
static int
reload(struct webhooks *w)
{
    struct registry *r = &w->registry;
    struct store_txn *txn = turn_read(w->conf.turn);
    if (txn == NULL)
        return STORE_EIO;
    for (size_t i = r->n; i > 0; i--) {
        if (r->items[i - 1]->is_editable)
            list_remove(r, &r->items[i - 1]->uuid);
    }
    int rc = read_rows(r, txn);
    store_abort(txn);
    return rc;
}

void
webhooks_rollback(struct webhooks *w)
{
    int rc = reload(w);
    if (rc != 0)
        log_error("webhook", "cannot read the registered webhooks again error=\"%s\"",
                  store_strerror(rc));
}

static void
on_commit(void *arg, int result)
{
    struct webhooks *w = arg;
    w->registry.is_dirty = false;
    if (result != 0) {
        webhooks_rollback(w);
        return;
    }
    janitor_discard_orphans(w);
    lanes_drop_unregistered(w);
}

/* Memory and transaction were changed together. */
static void
changed(struct webhooks *w, int store_result)
{
    if (store_result < 0)
        turn_fail(w->conf.turn, store_result);
    w->registry.is_dirty = true;
    turn_wait(w->conf.turn, &w->registry.waiter);
}

/* --- opening --------------------------------------------------------------------------------- */

static int
add_cli(struct webhooks *w, const char *url, const char *authorization, struct err *err)
{
    struct header_view header = {.name = STR("Authorization"), .value = str_from(authorization)};
    struct webhook_draft d = {
        .uuid = UUID_NIL,
        .url = str_from(url),
        .headers = &header,
        .n_headers = authorization != NULL,
    };
    if (draft_check(&d, err) != 0)
        return -1;
    struct url parsed = URL_INIT;
    struct buf normal = BUF_INIT;
    (void) url_parse(d.url, &parsed, NULL); /* draft_check has parsed it already */
    url_write(&normal, &parsed);
    d.url = buf_str(&normal);
    struct webhook *h = webhook_new(&d, false);
    url_done(&parsed);
    buf_done(&normal);
    if (h == NULL)
        return err_set(err, ERR_INVALID_WEBHOOK_URL, "Invalid URL `%s`", url);
    list_set(&w->registry, h);
    return 0;
}

int
registry_open(struct webhooks *w, const char *cli_url, const char *cli_authorization,
              struct err *err)
{
    w->registry.waiter = (struct turn_waiter){.fn = on_commit, .arg = w};
    if (cli_url != NULL && add_cli(w, cli_url, cli_authorization, err) != 0)
        return -1;
    int rc = reload(w);
    return rc == 0 ? 0
                   : err_set(err, ERR_INTERNAL, "cannot read the registered webhooks: %s",
                             store_strerror(rc));
}

void
registry_close(struct webhooks *w)
{
    struct registry *r = &w->registry;
    turn_forget(w->conf.turn, &r->waiter);
    while (r->n > 0)
        webhook_free(r->items[--r->n]);
}

/* --- warnings at registration ---------------------------------------------------------------- */

static bool
address_of(const struct url *u, struct sockaddr_storage *ret)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *) ret;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *) ret;
    *ret = (struct sockaddr_storage){0};
    if (u->host_is_ipv4) {
        v4->sin_family = AF_INET;
        return inet_pton(AF_INET, u->host, &v4->sin_addr) == 1;
    }
    if (!u->host_is_ipv6)
        return false;
    v6->sin6_family = AF_INET6;
    return inet_pton(AF_INET6, u->host, &v6->sin6_addr) == 1;
}

/* Accepted as upstream does, but it will never be reached: say so now and not only at sending. */
static void
warn_unreachable(struct webhooks *w, const struct webhook *h)
{
    char uuid[UUID_TEXT_LEN + 1];
    struct sockaddr_storage address;
    struct buf url = BUF_INIT;
    bool is_refused = w->conf.policy != NULL && address_of(&h->target, &address) &&
                      !address_policy_allows(w->conf.policy, (struct sockaddr *) &address);
    if (url_is_http(&h->target) && !is_refused)
        return;
    if (!log_limit_pass(&w->registry.warnings, WARNINGS_A_SECOND))
        return;
    url_write_redacted(&url, &h->target);
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

/* --- the API --------------------------------------------------------------------------------- */

void
webhooks_write_list(struct webhooks *w, struct buf *out)
{
    struct json_out j = json_out(out);
    json_begin_object(&j);
    json_key(&j, "results");
    json_begin_array(&j);
    for (size_t i = 0; i < w->registry.n; i++)
        webhook_write_json(&j, w->registry.items[i]);
    json_end_array(&j);
    json_end_object(&j);
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
    if (*ret != NULL)
        return 0;
    return err_set(err, ERR_WEBHOOK_NOT_FOUND, "Webhook `%s` not found.", uuid_format(uuid, text));
}

/* The uuid of a webhook that may be changed. */
static int
parse_editable(struct webhooks *w, struct str text, const struct webhook **ret, struct err *err)
{
    struct uuid uuid;
    char formatted[UUID_TEXT_LEN + 1];
    if (parse_uuid(text, &uuid, err) != 0)
        return -1;
    if (uuid_is_nil(&uuid))
        return err_set(err, ERR_IMMUTABLE_WEBHOOK,
                       "Webhook `%s` is immutable. The webhook defined from the command line "
                       "cannot be modified using the API.",
                       uuid_format(&uuid, formatted));
    return find_or_err(w, &uuid, ret, err);
}

int
webhooks_write_one(struct webhooks *w, struct str uuid, struct buf *out, struct err *err)
{
    struct uuid parsed;
    const struct webhook *h;
    if (parse_uuid(uuid, &parsed, err) != 0 || find_or_err(w, &parsed, &h, err) != 0)
        return -1;
    struct json_out j = json_out(out);
    webhook_write_json(&j, h);
    return 0;
}

/* Registers a checked draft and shows the result. */
static int
apply(struct webhooks *w, const struct webhook_draft *d, struct buf *out, struct err *err)
{
    if (draft_check(d, err) != 0)
        return -1;
    struct webhook *h = webhook_new(d, true);
    if (h == NULL)
        return err_set(err, ERR_INTERNAL, "cannot read the URL of a webhook");
    list_set(&w->registry, h);
    changed(w, put_row(turn_txn(w->conf.turn), h));
    warn_unreachable(w, h);
    struct json_out j = json_out(out);
    webhook_write_json(&j, h);
    return 0;
}

static int
create_from(struct webhooks *w, const struct webhook_settings *s, struct buf *out, struct err *err)
{
    struct webhook_draft d = {
        .uuid = uuid_v4(), .url = s->url, .headers = s->headers, .n_headers = s->n_headers};
    if (s->n_headers > WEBHOOK_HEADERS_MAX)
        return webhook_err_too_many_headers(&d.uuid, err);
    if (count_editable(&w->registry) >= WEBHOOKS_MAX)
        return err_set(err, ERR_INVALID_WEBHOOKS,
                       "Defining too many webhooks would crush the server. Please limit the "
                       "number of webhooks to %d. You may use a third-party proxy server to "
                       "dispatch events to more than %d endpoints.",
                       WEBHOOKS_MAX, WEBHOOKS_MAX);
    if (s->url_state != SETTING_GIVEN)
        return webhook_err_url_missing(&d.uuid, err);
    return apply(w, &d, out, err);
}

int
webhooks_create(struct webhooks *w, const struct json *body, struct buf *out, struct err *err)
{
    struct webhook_settings s;
    if (settings_read(body, &s, err) != 0)
        return -1;
    int rc = create_from(w, &s, out, err);
    settings_done(&s);
    return rc;
}

/* Both lists are in byte order: the result is too. Stops one above the limit, which is then an
 * error.
 */
static size_t
merge_headers(const struct webhook *old, const struct webhook_settings *s,
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
        if (!s->headers[j].is_null)
            out[n++] = s->headers[j];
        j++;
    }
    return n;
}

static int
update_from(struct webhooks *w, struct str uuid, const struct webhook_settings *s, struct buf *out,
            struct err *err)
{
    const struct webhook *old;
    struct header_view merged[WEBHOOK_HEADERS_MAX + 1];
    if (parse_editable(w, uuid, &old, err) != 0)
        return -1;
    if (s->url_state == SETTING_NULL)
        return webhook_err_url_missing(&old->uuid, err);
    struct webhook_draft d = {
        .uuid = old->uuid,
        .url = s->url_state == SETTING_GIVEN ? s->url : old->url,
        .headers = merged,
        .n_headers = merge_headers(old, s, merged),
    };
    if (d.n_headers > WEBHOOK_HEADERS_MAX)
        return webhook_err_too_many_headers(&d.uuid, err);
    return apply(w, &d, out, err);
}

int
webhooks_update(struct webhooks *w, struct str uuid, const struct json *body, struct buf *out,
                struct err *err)
{
    struct webhook_settings s;
    if (settings_read(body, &s, err) != 0)
        return -1;
    int rc = update_from(w, uuid, &s, out, err);
    settings_done(&s);
    return rc;
}

int
webhooks_delete(struct webhooks *w, struct str uuid, struct err *err)
{
    const struct webhook *h;
    if (parse_editable(w, uuid, &h, err) != 0)
        return -1;
    struct uuid deleted = h->uuid;
    struct store_txn *txn = turn_txn(w->conf.turn);
    int rc = store_delete(txn, TABLE_WEBHOOKS, key_uuid(&deleted));
    if (rc >= 0)
        rc = lane_record_delete(txn, &deleted);
    list_remove(&w->registry, &deleted);
    changed(w, rc);
    return 0;
}
