/* Builds events and decides who is owed what of them. Owns the numbers of events and deliveries;
 * does not know how deliveries are made. Entered through webhooks_event_begin and its companions,
 * and event_emit. */
#include "webhook/outbox.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "webhook/event_lines.h"
#include "webhook/owe.h"
#include "webhook/state.h"

/* A webhook that listens to the event, as it was when the event began. */
struct listener {
    const struct webhook *webhook; /* held */
    struct plan plan;
};

struct event_builder {
    struct webhooks *webhooks;
    struct listener *listeners;
    size_t n_listeners;
    struct event_lines lines;
};

/* --- numbers --------------------------------------------------------------------------------- */

static int
last_number(struct store_txn *txn, int table, uint64_t *ret)
{
    struct store_cursor c = {0};
    int rc = store_cursor_open(&c, txn, table);
    if (rc == 0)
        rc = store_cursor_last(&c);
    *ret = rc == 1 ? key_read_u64(c.key, 0) : 0;
    store_cursor_close(&c);
    return rc;
}

int
outbox_newest(struct store_txn *txn, uint64_t *ret_event)
{
    return last_number(txn, TABLE_EVENTS, ret_event);
}

/* Lines of an unfinished event may be above the stored counter, which moves with the finishing
 * commit.
 */
static int
read_counters(struct outbox *o, struct store_txn *txn)
{
    struct counters_record c;
    uint64_t last_part;
    int rc = counters_get(txn, &c);
    if (rc < 0)
        return rc;
    rc = last_number(txn, TABLE_EVENT_LINES, &last_part);
    if (rc < 0)
        return rc;
    o->next_event = last_part >= c.next_event ? last_part + 1 : c.next_event;
    o->next_delivery = c.next_delivery;
    return 0;
}

int
outbox_open(struct webhooks *w, struct err *err)
{
    struct store_txn *txn = turn_read(w->conf.turn);
    int rc = txn == NULL ? STORE_EIO : read_counters(&w->outbox, txn);
    store_abort(txn);
    return rc == 0 ? 0
                   : err_set(err, ERR_INTERNAL, "cannot read the outbox: %s", store_strerror(rc));
}

void
outbox_close(struct webhooks *w)
{
    emit_close(w);
    while (w->outbox.finished != NULL) {
        struct finished_event *f = w->outbox.finished;
        w->outbox.finished = f->next;
        free(f);
    }
}

/* --- lines ----------------------------------------------------------------------------------- */

/* Whoever wants finished batches. */
static void
add_listeners(struct event_builder *b)
{
    const struct registry *r = &b->webhooks->registry;
    b->listeners = mem_new(r->n, sizeof(*b->listeners));
    for (size_t i = 0; i < r->n; i++) {
        const struct webhook *h = r->items[i];
        if (!policy_wants_event(&h->policy, EVENT_BATCH_FINISHED))
            continue;
        struct listener *l = &b->listeners[b->n_listeners++];
        l->webhook = webhook_hold(h);
        plan_init(&l->plan, &h->policy, &b->webhooks->conf.payload);
    }
}

static bool
has_listener(const struct webhooks *w)
{
    for (size_t i = 0; i < w->registry.n; i++) {
        if (policy_wants_event(&w->registry.items[i]->policy, EVENT_BATCH_FINISHED))
            return true;
    }
    return false;
}

void *
webhooks_event_begin(struct webhooks *w, uint32_t batch_uid)
{
    /* While a change is not durable a webhook may come back. */
    if (!has_listener(w) && !w->registry.is_dirty)
        return NULL;
    struct event_builder *b = mem_new(1, sizeof(*b));
    b->webhooks = w;
    b->lines.event = w->outbox.next_event++;
    b->lines.record = (struct event_record){
        .id = uuid_v7(clock_wall_ms()), .type = EVENT_BATCH_FINISHED, .batch_uid = batch_uid};
    add_listeners(b);
    return b;
}

int
webhooks_event_add(void *builder, struct store_txn *txn, const struct event_line_facts *facts,
                   struct str line)
{
    struct event_builder *b = builder;
    struct line_view view = {.index_uids = facts->index_uids,
                             .kind = facts->kind,
                             .status = facts->status,
                             .text = line};
    for (size_t i = 0; i < b->n_listeners; i++) {
        struct listener *l = &b->listeners[i];
        bool is_wanted =
            policy_wants(&l->webhook->policy, facts->index_uids, facts->kind, facts->status);
        plan_add(&l->plan, is_wanted, line.len + 1);
    }
    return event_lines_add(&b->lines, txn, &view);
}

static void
builder_free(struct event_builder *b)
{
    for (size_t i = 0; i < b->n_listeners; i++) {
        webhook_release(b->listeners[i].webhook);
        plan_done(&b->listeners[i].plan);
    }
    free(b->listeners);
    event_lines_done(&b->lines);
    free(b);
}

void
webhooks_event_discard(void *builder)
{
    struct event_builder *b = builder;
    if (b->lines.record.n_parts > 0)
        janitor_trash_lines(b->webhooks, b->lines.event);
    builder_free(b);
}

/* --- finishing ------------------------------------------------------------------------------- */

static struct listener *
listener_of(const struct event_builder *b, const struct uuid *webhook)
{
    for (size_t i = 0; i < b->n_listeners; i++) {
        if (uuid_equal(&b->listeners[i].webhook->uuid, webhook))
            return &b->listeners[i];
    }
    return NULL;
}

static int
owe(struct event_builder *b, struct store_txn *txn, const struct webhook *h,
    const struct plan *plan)
{
    struct lane_record lane;
    struct owing owing = {
        .webhooks = b->webhooks,
        .txn = txn,
        .event = b->lines.event,
        .webhook = &h->uuid,
        .lane = &lane,
        .cause = CAUSE_EVENT,
        .now_ns = b->lines.record.created_at_ns,
    };
    if (plan_n_parts(plan) == 0)
        return 0;
    int rc = lane_record_get(txn, &h->uuid, &lane);
    if (rc < 0)
        return rc;
    rc = owe_plan(&owing, plan);
    return rc == 0 ? lane_record_put(txn, &h->uuid, &lane) : rc;
}

/* One that was registered while the event was being built: its lines have passed already. */
static int
owe_newcomer(struct event_builder *b, struct store_txn *txn, const struct webhook *h)
{
    struct plan plan;
    if (!policy_wants_event(&h->policy, EVENT_BATCH_FINISHED))
        return 0;
    plan_init(&plan, &h->policy, &b->webhooks->conf.payload);
    int rc = plan_stored(&plan, txn, b->lines.event, &b->lines.record, &h->policy);
    if (rc == 0)
        rc = owe(b, txn, h, &plan);
    plan_done(&plan);
    return rc;
}

static int
owe_all(struct event_builder *b, struct store_txn *txn)
{
    const struct registry *r = &b->webhooks->registry;
    uint64_t first = b->webhooks->outbox.next_delivery;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < r->n; i++) {
        const struct listener *l = listener_of(b, &r->items[i]->uuid);
        rc = l != NULL ? owe(b, txn, r->items[i], &l->plan) : owe_newcomer(b, txn, r->items[i]);
    }
    b->lines.record.first_delivery = first;
    b->lines.record.n_deliveries = b->lines.record.n_kept =
        (uint32_t) (b->webhooks->outbox.next_delivery - first);
    return rc;
}

/* Whether anybody may be owed something. */
static bool
is_wanted(const struct event_builder *b)
{
    const struct registry *r = &b->webhooks->registry;
    for (size_t i = 0; b->lines.record.n_lines > 0 && i < r->n; i++) {
        const struct listener *l = listener_of(b, &r->items[i]->uuid);
        if (l != NULL ? plan_n_parts(&l->plan) > 0
                      : policy_wants_event(&r->items[i]->policy, EVENT_BATCH_FINISHED))
            return true;
    }
    return false;
}

int
outbox_put_counters(struct webhooks *w, struct store_txn *txn)
{
    struct counters_record c;
    int rc = counters_get(txn, &c);
    if (rc < 0)
        return rc;
    c.next_delivery = w->outbox.next_delivery;
    return counters_put(txn, &c);
}

int
outbox_count_event(struct webhooks *w, struct store_txn *txn, uint64_t event, uint64_t n_bytes)
{
    struct counters_record c;
    int rc = counters_get(txn, &c);
    if (rc < 0)
        return rc;
    c.next_event = event >= c.next_event ? event + 1 : c.next_event;
    c.next_delivery = w->outbox.next_delivery;
    c.event_bytes += n_bytes;
    return counters_put(txn, &c);
}

/* 1 when stored, 0 when it turned out that nobody wants it, negative. */
static int
write_event(struct event_builder *b, struct store_txn *txn)
{
    int rc = event_lines_finish(&b->lines, txn);
    b->lines.record.created_at_ns = clock_wall_ns();
    if (rc == 0)
        rc = owe_all(b, txn);
    if (rc == 0 && b->lines.record.n_deliveries == 0)
        return 0;
    if (rc == 0)
        rc = event_put(txn, b->lines.event, &b->lines.record);
    if (rc == 0)
        rc = outbox_count_event(b->webhooks, txn, b->lines.event, b->lines.record.n_bytes);
    return rc < 0 ? rc : 1;
}

/* Kept until the announcement. One from an earlier try to finish the same batch was never
 * committed. */
static void
remember_finished(struct event_builder *b)
{
    struct webhooks *w = b->webhooks;
    uint64_t refused;
    if (outbox_take_finished(w, b->lines.record.batch_uid, &refused))
        janitor_trash_lines(w, refused);
    struct finished_event *f = mem_new(1, sizeof(*f));
    *f = (struct finished_event){w->outbox.finished, b->lines.record.batch_uid, b->lines.event};
    w->outbox.finished = f;
}

int
webhooks_event_finish(void *builder, struct store_txn *txn)
{
    struct event_builder *b = builder;
    int rc = is_wanted(b) ? write_event(b, txn) : 0;
    if (rc < 0)
        turn_fail(b->webhooks->conf.turn, rc); /* no half of it may be committed */
    if (rc != 1) {
        webhooks_event_discard(b);
        return rc;
    }
    remember_finished(b);
    builder_free(b);
    return 0;
}

bool
outbox_take_finished(struct webhooks *w, uint32_t batch_uid, uint64_t *ret_event)
{
    for (struct finished_event **at = &w->outbox.finished; *at != NULL; at = &(*at)->next) {
        struct finished_event *f = *at;
        if (f->batch_uid != batch_uid)
            continue;
        *ret_event = f->event;
        *at = f->next;
        free(f);
        return true;
    }
    return false;
}
