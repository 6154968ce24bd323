/* Events that no batch made: operational ones, pings, reports. Those who notice something decide
 * when one is due. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "webhook/owe.h"
#include "webhook/state.h"

struct emitted {
    struct emitted *next;
    struct webhooks *webhooks;
    struct turn_waiter waiter;
    size_t n;
    struct uuid to[];
};

static void
forget(struct emitted *m)
{
    struct emitted **at = &m->webhooks->outbox.emitted;
    while (*at != m)
        at = &(*at)->next;
    *at = m->next;
    free(m);
}

static void
on_committed(void *arg, int result)
{
    struct emitted *m = arg;
    struct webhooks *w = m->webhooks;
    if (result == 0) {
        w->stats.events++;
        for (size_t i = 0; i < m->n; i++)
            lanes_wake(w, &m->to[i]);
    }
    forget(m);
}

void
emit_close(struct webhooks *w)
{
    while (w->outbox.emitted != NULL) {
        turn_forget(w->conf.turn, &w->outbox.emitted->waiter);
        forget(w->outbox.emitted);
    }
}

struct emitted *
emitted_new(struct webhooks *w, size_t max)
{
    struct emitted *m = mem_new(1, sizeof(*m) + max * sizeof(m->to[0]));
    m->webhooks = w;
    m->waiter = (struct turn_waiter){.fn = on_committed, .arg = m};
    return m;
}

void
emitted_add(struct emitted *m, const struct uuid *webhook)
{
    m->to[m->n++] = *webhook;
}

void
emitted_wait(struct emitted *m)
{
    m->next = m->webhooks->outbox.emitted;
    m->webhooks->outbox.emitted = m;
    turn_wait(m->webhooks->conf.turn, &m->waiter);
}

static bool
is_recipient(const struct webhook *h, const struct emission *e)
{
    if (e->to != NULL)
        return uuid_equal(&h->uuid, e->to);
    return policy_wants_event(&h->policy, e->type) &&
           (e->about == NULL || !uuid_equal(&h->uuid, e->about));
}

static bool
has_url_of(const struct webhook *a, const struct webhook *b)
{
    struct buf x = BUF_INIT, y = BUF_INIT;
    url_write(&x, &a->target);
    url_write(&y, &b->target);
    bool is_same = str_equal(buf_str(&x), buf_str(&y));
    buf_done(&x);
    buf_done(&y);
    return is_same;
}

static void
find_also(struct webhooks *w, const struct emission *e, struct emitted *m)
{
    const struct webhook *also = e->also == NULL ? NULL : registry_find(w, e->also);
    for (size_t i = 0; also != NULL && i < m->n; i++) {
        const struct webhook *h = registry_find(w, &m->to[i]);
        if (h->policy.format == also->policy.format && has_url_of(h, also))
            also = NULL;
    }
    if (also != NULL)
        emitted_add(m, &also->uuid);
}

static struct emitted *
find_recipients(struct webhooks *w, const struct emission *e)
{
    const struct registry *r = &w->registry;
    struct emitted *m = emitted_new(w, r->n + 1);
    for (size_t i = 0; i < r->n; i++) {
        if (is_recipient(r->items[i], e))
            emitted_add(m, &r->items[i]->uuid);
    }
    find_also(w, e, m);
    return m;
}

static int
put_line(struct store_txn *txn, uint64_t event, struct str data)
{
    uint8_t key[KEY_PART_LEN];
    struct buf part = BUF_INIT;
    struct line_view line = {.text = data};
    lines_begin(&part, 0);
    lines_add(&part, &line);
    int rc = buf_failed(&part)
                 ? STORE_EFULL
                 : store_put(txn, TABLE_EVENT_LINES, key_numbered(key, event, 0), buf_str(&part));
    buf_done(&part);
    return rc;
}

static int
owe_to(struct owing *o, const struct uuid *webhook)
{
    struct lane_record lane;
    struct plan plan = {.n_seen = 1, .open = {.n_lines = 1, .n_tasks = 1}};
    int rc = lane_record_get(o->txn, webhook, &lane);
    if (rc < 0)
        return rc;
    o->webhook = webhook;
    o->lane = &lane;
    rc = owe_plan(o, &plan);
    return rc == 0 ? lane_record_put(o->txn, webhook, &lane) : rc;
}

static int
write_rows(const struct emitted *m, struct store_txn *txn, const struct emission *e, int64_t now_ns)
{
    struct outbox *o = &m->webhooks->outbox;
    struct event_record record = {
        .id = uuid_v7(now_ns / 1000000),
        .type = (uint8_t) e->type,
        .created_at_ns = now_ns,
        .n_lines = 1,
        .n_parts = 1,
        .n_bytes = e->data.len + 1,
        .first_delivery = o->next_delivery,
        .n_deliveries = (uint32_t) m->n,
        .n_kept = (uint32_t) m->n,
    };
    struct owing owing = {
        .webhooks = m->webhooks,
        .txn = txn,
        .event = o->next_event++,
        .cause = e->type == EVENT_PING ? CAUSE_PING : CAUSE_EVENT,
        .now_ns = now_ns,
    };
    int rc = put_line(txn, owing.event, e->data);
    for (size_t i = 0; rc == 0 && i < m->n; i++)
        rc = owe_to(&owing, &m->to[i]);
    if (rc == 0)
        rc = event_put(txn, owing.event, &record);
    return rc == 0 ? outbox_count_event(m->webhooks, txn, owing.event, record.n_bytes) : rc;
}

int
event_emit(struct webhooks *w, struct store_txn *txn, const struct emission *e,
           uint64_t *ret_delivery)
{
    struct emitted *m = find_recipients(w, e);
    uint64_t first = w->outbox.next_delivery;
    int rc = m->n == 0 ? 0 : write_rows(m, txn, e, clock_wall_ns());
    if (ret_delivery != NULL)
        *ret_delivery = m->n == 0 ? 0 : first;
    if (rc < 0 || m->n == 0) {
        free(m);
        return rc;
    }
    emitted_wait(m);
    return 0;
}
