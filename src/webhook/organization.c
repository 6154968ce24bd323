/* Organisation events on their way into the outbox: whom they are for, their envelope but for what
 * format.c puts in front. Knows nothing of channels. */
#include "webhook/organization.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "webhook/event_lines.h"
#include "webhook/organization_webhooks.h"
#include "webhook/owe.h"
#include "webhook/state.h"
#include "webhook/terms.h"

struct organization_news {
    struct webhooks *webhooks;
    uint64_t wanted; /* when it began */
    const struct uuid *about;
    uint64_t n_of[CATALOG_EVENTS];
    struct event_lines lines;
};

uint64_t
organization_wanted(const struct webhooks *w)
{
    uint64_t events = 0;
    for (size_t i = 0; i < w->registry.n; i++) {
        const struct webhook *h = w->registry.items[i];
        if (h->origin == WEBHOOK_ORGANIZATION)
            events |= h->policy.terms->events;
    }
    return events;
}

/* --- collecting ------------------------------------------------------------------------------- */

struct organization_news *
organization_news_begin(struct webhooks *w)
{
    struct organization_news *n = mem_new(1, sizeof(*n));
    n->webhooks = w;
    n->wanted = organization_wanted(w);
    n->lines.event = w->outbox.next_event++;
    n->lines.record =
        (struct event_record){.id = uuid_v7(clock_wall_ms()), .type = EVENT_ORGANIZATION};
    return n;
}

static void
put_optional_json(struct json_out *j, const char *name, struct str json)
{
    json_key(j, name);
    if (json.data == NULL)
        json_put_null(j);
    else
        json_put_raw(j, json);
}

/* The envelope from behind occurred_at on, see format.c. */
static void
write_line(struct buf *out, const struct organization_event *e)
{
    struct json_out j = json_out(out);
    json_key(&j, "namespace_id");
    json_put_str(&j, e->namespace_id.data == NULL ? STR(ORGANIZATION_NAMESPACE_DEFAULT)
                                                  : e->namespace_id);
    json_key(&j, "subject");
    json_begin_object(&j);
    json_key(&j, "type");
    json_put_str(&j, e->subject_type);
    json_key(&j, "id");
    json_put_str(&j, e->subject_id);
    json_end_object(&j);
    json_key(&j, "metadata");
    json_put_raw(&j, e->metadata);
    put_optional_json(&j, "cache_scope", e->cache_scope);
    json_end_object(&j);
}

int
organization_news_add(struct organization_news *n, struct store_txn *txn,
                      const struct organization_event *e)
{
    struct buf text = BUF_INIT;
    if ((n->wanted & CATALOG_BIT(e->type)) == 0)
        return 0;
    write_line(&text, e);
    struct line_view line = {.kind = (uint8_t) e->type, .text = buf_str(&text)};
    int rc = buf_failed(&text) ? STORE_EFULL : event_lines_add(&n->lines, txn, &line);
    buf_done(&text);
    n->n_of[e->type]++;
    return rc;
}

static void
news_free(struct organization_news *n)
{
    event_lines_done(&n->lines);
    free(n);
}

void
organization_news_discard(struct organization_news *n)
{
    if (n->lines.record.n_parts > 0)
        janitor_trash_lines(n->webhooks, n->lines.event);
    news_free(n);
}

/* --- finishing -------------------------------------------------------------------------------- */

static bool
is_about(const struct organization_news *n, const struct webhook *h)
{
    return n->about != NULL && organization_is_same(n->about, &h->uuid);
}

/* Whoever wants something of it as of now, and how many deliveries that makes. */
static struct fan_out_target *
find_targets(const struct organization_news *n, size_t *ret_n, uint64_t *ret_total)
{
    const struct registry *r = &n->webhooks->registry;
    struct fan_out_target *targets = mem_new(r->n + 1, sizeof(*targets));
    *ret_n = 0;
    *ret_total = 0;
    for (size_t i = 0; i < r->n; i++) {
        const struct webhook *h = r->items[i];
        uint64_t wanted = 0;
        if (h->origin != WEBHOOK_ORGANIZATION || is_about(n, h))
            continue;
        for (int e = 0; e < CATALOG_EVENTS; e++)
            wanted += terms_want(h->policy.terms, (uint8_t) e) ? n->n_of[e] : 0;
        if (wanted == 0)
            continue;
        targets[(*ret_n)++] = (struct fan_out_target){h->uuid, h->policy.terms->events};
        *ret_total += wanted;
    }
    return targets;
}

static int
write_event(struct organization_news *n, struct store_txn *txn, const struct fan_out *f)
{
    int rc = event_lines_finish(&n->lines, txn);
    n->lines.record.created_at_ns = clock_wall_ns();
    if (rc == 0)
        rc = fan_out_begin(n->webhooks, txn, f);
    if (rc == 0)
        rc = event_put(txn, f->event, f->record);
    if (rc == 0)
        rc = outbox_count_event(n->webhooks, txn, f->event, f->record->n_bytes);
    return rc;
}

/* Their lanes look when it is durable. */
static void
wake_later(struct webhooks *w, const struct fan_out *f)
{
    struct emitted *m = emitted_new(w, f->n_targets);
    for (size_t i = 0; i < f->n_targets; i++)
        emitted_add(m, &f->targets[i].webhook);
    emitted_wait(m);
}

int
organization_news_finish(struct organization_news *n, struct store_txn *txn,
                         struct organization_emitted *ret)
{
    struct webhooks *w = n->webhooks;
    struct fan_out f = {.event = n->lines.event, .record = &n->lines.record};
    struct fan_out_target *targets = find_targets(n, &f.n_targets, &f.total);
    f.targets = targets;
    if (ret != NULL)
        *ret = (struct organization_emitted){n->lines.record.id, (uint32_t) f.total};
    int rc = f.total == 0 ? 0 : write_event(n, txn, &f);
    if (rc < 0)
        turn_fail(w->conf.turn, rc);
    if (rc == 0 && f.total > 0) {
        wake_later(w, &f);
        news_free(n);
    } else {
        organization_news_discard(n);
    }
    free(targets);
    return rc;
}

int
organization_emit(struct webhooks *w, struct store_txn *txn, const struct organization_event *e,
                  struct organization_emitted *ret)
{
    struct organization_news *n = organization_news_begin(w);
    int rc = organization_news_add(n, txn, e);
    n->about = e->about;
    if (rc == 0)
        return organization_news_finish(n, txn, ret);
    turn_fail(w->conf.turn, rc); /* a part may be there */
    organization_news_discard(n);
    return rc;
}
