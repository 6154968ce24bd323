/* Registered webhooks: the list in memory. It is changed together with the turn's transaction; when
 * the commit is refused it is read again from the store. Knows nothing of requests, and of
 * deliveries only that those of a deleted webhook end. */
#include "webhook/registry.h"

#include <stdlib.h>

#include "base/mem.h"
#include "webhook/declaration.h"
#include "webhook/owed.h"
#include "webhook/record.h"
#include "webhook/settings.h"
#include "webhook/state.h"

static void
webhook_free(struct webhook *h)
{
    if (h == NULL || h->refs-- > 1)
        return;
    for (size_t i = 0; i < h->n_headers; i++) {
        mem_wipe(h->headers[i].value, strlen(h->headers[i].value));
        free(h->headers[i].name);
        free(h->headers[i].value);
    }
    free(h->headers);
    policy_done(&h->policy);
    url_done(&h->target);
    mem_wipe((void *) (uintptr_t) h->url.data, h->url.len); /* may hold credentials */
    free((void *) (uintptr_t) h->url.data);
    free(h);
}

const struct webhook *
webhook_hold(const struct webhook *h)
{
    ((struct webhook *) (uintptr_t) h)->refs++; /* the count is no part of what never changes */
    return h;
}

void
webhook_release(const struct webhook *h)
{
    webhook_free((struct webhook *) (uintptr_t) h);
}

struct webhook *
webhook_new(const struct webhook_draft *d)
{
    struct webhook *h = mem_new(1, sizeof(*h));
    h->refs = 1;
    h->uuid = d->uuid;
    h->origin = d->origin;
    h->is_editable = d->origin == WEBHOOK_API || d->origin == WEBHOOK_WITHDRAWN;
    h->url = str_make(mem_strndup(d->url.data, d->url.len), d->url.len);
    h->headers = mem_new(d->n_headers, sizeof(*h->headers));
    h->n_headers = d->n_headers;
    if (d->policy != NULL)
        policy_copy(&h->policy, d->policy);
    else
        policy_init(&h->policy);
    if (!webhook_is_of_main_door(h)) { /* how a door is sent to is not chosen, and so not stored */
        h->policy.format = FORMAT_FLAT;
        h->policy.waits = false;
    }
    if (h->origin == WEBHOOK_ORGANIZATION) {
        h->policy.format = FORMAT_ENVELOPE;
        h->policy.events = 1u << EVENT_ORGANIZATION;
    }
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
    size_t from = 0, to = r->n;
    while (from < to) {
        size_t at = from + (to - from) / 2;
        if (memcmp(r->items[at]->uuid.bytes, uuid->bytes, sizeof(uuid->bytes)) < 0)
            from = at + 1;
        else
            to = at;
    }
    return from;
}

/* Takes h; replaces the one with the same uuid. */
static void
list_set(struct registry *r, struct webhook *h)
{
    size_t at = lower_bound(r, &h->uuid);
    if (at < r->n && uuid_equal(&r->items[at]->uuid, &h->uuid)) {
        webhook_free(r->items[at]);
        r->items[at] = h;
        return;
    }
    if (r->n == r->cap) {
        r->cap = r->cap == 0 ? 32 : r->cap * 2;
        r->items = mem_grow(r->items, r->cap, sizeof(r->items[0]));
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

size_t
registry_count(const struct webhooks *w)
{
    size_t n = 0;
    for (size_t i = 0; i < w->registry.n; i++)
        n += w->registry.items[i]->origin != WEBHOOK_CLI &&
             webhook_is_of_main_door(w->registry.items[i]);
    return n;
}

bool
webhook_is_of_main_door(const struct webhook *h)
{
    return h->origin != WEBHOOK_REPORTS && h->origin != WEBHOOK_CALLBACK &&
           h->origin != WEBHOOK_ORGANIZATION;
}

/* --- memory from the store ------------------------------------------------------------------- */

static bool
is_ours(const struct webhook *h)
{
    return h->origin == WEBHOOK_CLI || h->origin == WEBHOOK_DECLARED;
}

/* Not in the configuration file any more: keeps what is owed, asks for nothing new. */
static void
withdraw(struct webhook *h)
{
    h->origin = WEBHOOK_WITHDRAWN;
    h->is_editable = true;
    h->policy.events = 0;
    h->policy.is_active = false;
    h->policy.given |= 1u << POLICY_EVENTS | 1u << POLICY_IS_ACTIVE;
}

/* Takes h as it was read. What was given at the start counts more than its row. */
static void
list_set_stored(struct webhooks *w, struct webhook *h)
{
    const struct webhook *known = registry_find(w, &h->uuid);
    if (known != NULL && is_ours(known)) {
        webhook_free(h);
        return;
    }
    if (h->origin == WEBHOOK_DECLARED)
        withdraw(h);
    list_set(&w->registry, h);
}

/* Adds every stored webhook to the list; a STORE_E* code when one cannot be read. */
static int
read_rows(struct webhooks *w, struct store_txn *txn)
{
    struct store_cursor c = {0};
    int rc = store_cursor_open(&c, txn, TABLE_WEBHOOKS);
    if (rc == 0)
        rc = store_cursor_first(&c);
    while (rc == 1) {
        struct webhook *h = webhook_row_read(c.key, c.value);
        if (h == NULL) {
            rc = STORE_ECORRUPT;
            break;
        }
        list_set_stored(w, h);
        rc = store_cursor_next(&c);
    }
    store_cursor_close(&c);
    return rc;
}

/* Memory as the store has it; what was given at the start stays. */
static int
reload(struct webhooks *w)
{
    struct registry *r = &w->registry;
    struct store_txn *txn = turn_read(w->conf.turn);
    if (txn == NULL)
        return STORE_EIO;
    for (size_t i = r->n; i > 0; i--) {
        if (!is_ours(r->items[i - 1]))
            list_remove(r, &r->items[i - 1]->uuid);
    }
    int rc = read_rows(w, txn);
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
    lanes_follow_registry(w);
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

void
registry_put(struct webhooks *w, struct webhook *h)
{
    list_set(&w->registry, h);
    if (h->origin != WEBHOOK_CLI)
        changed(w, webhook_row_put(turn_txn(w->conf.turn), h));
}

const struct webhook *
registry_put_policy(struct webhooks *w, const struct webhook *h,
                    const struct webhook_policy *policy)
{
    struct header_view headers[WEBHOOK_HEADERS_MAX];
    struct webhook_draft d = {
        .uuid = h->uuid,
        .origin = h->origin == WEBHOOK_WITHDRAWN ? WEBHOOK_API : h->origin,
        .url = h->url,
        .headers = headers,
        .n_headers = h->n_headers,
        .policy = policy,
    };
    for (size_t i = 0; i < h->n_headers; i++)
        headers[i] = (struct header_view){.name = str_from(h->headers[i].name),
                                          .value = str_from(h->headers[i].value)};
    struct webhook *changed_one = webhook_new(&d); /* its URL has been parsed before */
    registry_put(w, changed_one);
    return changed_one;
}

void
registry_remove(struct webhooks *w, const struct uuid *uuid)
{
    struct uuid removed = *uuid; /* may be inside of what goes */
    struct store_txn *txn = turn_txn(w->conf.turn);
    int rc = store_delete(txn, TABLE_WEBHOOKS, webhook_key(&removed));
    if (rc >= 0)
        rc = lane_record_delete(txn, &removed);
    list_remove(&w->registry, &removed);
    changed(w, rc);
}

/* --- opening --------------------------------------------------------------------------------- */

/* Nobody can be asked about a row any more: what is owed to a webhook that left the file is kept.
 */
static void
settle_withdrawn(struct webhooks *w, const struct webhook *h)
{
    char uuid[UUID_TEXT_LEN + 1];
    struct owed owed = {0};
    int rc = owed_get(turn_txn(w->conf.turn), &h->uuid, &owed);
    (void) uuid_format(&h->uuid, uuid);
    if (rc >= 0 && owed.count == 0) {
        log_info("webhook", "removed, as it is not in the configuration file any more webhook=%s",
                 uuid);
        registry_remove(w, &h->uuid);
        return;
    }
    log_warn(
        "webhook",
        "not in the configuration file any more, but deliveries are still owed to it: it stays, "
        "inactive; declare it again to deliver them, or DELETE it over the API webhook=%s "
        "owed=%llu",
        uuid, (unsigned long long) owed.count);
}

/* Invariant of the file: after a start the rows are what it declares, and the API's. */
static int
reconcile(struct webhooks *w, struct err *err)
{
    struct registry *r = &w->registry;
    for (size_t i = r->n; i > 0; i--) {
        struct webhook *h = r->items[i - 1];
        if (h->origin == WEBHOOK_DECLARED)
            changed(w, webhook_row_put(turn_txn(w->conf.turn), h));
        else if (h->origin == WEBHOOK_WITHDRAWN)
            settle_withdrawn(w, h);
    }
    if (registry_count(w) <= WEBHOOKS_MAX)
        return 0;
    return err_set(err, ERR_INVALID_WEBHOOKS,
                   "there would be %zu webhooks, those of the configuration file and those "
                   "registered over the API together: the limit is %d",
                   registry_count(w), WEBHOOKS_MAX);
}

int
registry_open(struct webhooks *w, const struct webhooks_conf *conf, struct err *err)
{
    w->registry.waiter = (struct turn_waiter){.fn = on_commit, .arg = w};
    if (conf->cli_url != NULL) {
        struct webhook *h = declaration_read_cli(conf, err);
        if (h == NULL)
            return -1;
        list_set(&w->registry, h);
    }
    for (size_t i = 0; i < conf->n_declared; i++) {
        struct webhook *h = declaration_read(conf, &conf->declared[i], err);
        if (h == NULL)
            return -1;
        list_set(&w->registry, h);
    }
    int rc = reload(w);
    if (rc != 0)
        return err_set(err, ERR_INTERNAL, "cannot read the registered webhooks: %s",
                       store_strerror(rc));
    return reconcile(w, err);
}

void
registry_close(struct webhooks *w)
{
    struct registry *r = &w->registry;
    turn_forget(w->conf.turn, &r->waiter);
    while (r->n > 0)
        webhook_free(r->items[--r->n]);
    free(r->items);
    r->items = NULL;
    r->cap = 0;
}
