/* Builds events and writes what they owe. Owns the numbers of events and deliveries; does not know
 * how deliveries are made. Entered through webhooks_event_begin and its companions. */
#include "webhook/outbox.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "webhook/state.h"

struct event_builder {
    struct webhooks *webhooks;
    uint64_t event;
    struct buf part; /* not stored yet */
    uint32_t part_lines;
    struct event_record record;
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
    while (w->outbox.finished != NULL) {
        struct finished_event *f = w->outbox.finished;
        w->outbox.finished = f->next;
        free(f);
    }
}

/* --- lines ----------------------------------------------------------------------------------- */

void *
webhooks_event_begin(struct webhooks *w, uint32_t batch_uid)
{
    /* While a deletion is not durable the deleted webhook may come back. */
    if (w->registry.n == 0 && !w->registry.is_dirty)
        return NULL;
    struct event_builder *b = mem_new(1, sizeof(*b));
    b->webhooks = w;
    b->event = w->outbox.next_event++;
    b->record = (struct event_record){.id = uuid_v7(clock_wall_ms()), .batch_uid = batch_uid};
    return b;
}

static int
store_part(struct event_builder *b, struct store_txn *txn)
{
    uint8_t key[KEY_PART_LEN];
    if (buf_failed(&b->part))
        return STORE_EFULL;
    if (b->part_lines == 0)
        return 0;
    int rc = store_append(txn, TABLE_EVENT_LINES, key_numbered(key, b->event, b->record.n_parts),
                          buf_str(&b->part));
    b->record.n_parts++;
    b->part_lines = 0;
    buf_clear(&b->part);
    return rc;
}

int
webhooks_event_add(void *builder, struct store_txn *txn, const struct event_line_facts *facts,
                   struct str line)
{
    struct event_builder *b = builder;
    struct line_view view = {
        .index_uid = facts->index_uid, .kind = facts->kind, .status = facts->status, .text = line};
    if (b->part_lines == 0)
        lines_begin(&b->part);
    lines_add(&b->part, &view);
    b->part_lines++;
    b->record.n_lines++;
    b->record.n_bytes += line.len + 1;
    return b->part.len < EVENT_PART_BYTES && !buf_failed(&b->part) ? 0 : store_part(b, txn);
}

static void
builder_free(struct event_builder *b)
{
    buf_done(&b->part);
    free(b);
}

void
webhooks_event_discard(void *builder)
{
    struct event_builder *b = builder;
    if (b->record.n_parts > 0)
        janitor_trash_lines(b->webhooks, b->event);
    builder_free(b);
}

/* --- finishing ------------------------------------------------------------------------------- */

/* Parts were stored in earlier turns: if one of those was refused, the event would have a hole. */
static int
check_parts(const struct event_builder *b, struct store_txn *txn)
{
    uint8_t key[KEY_PART_LEN];
    for (uint32_t i = 0; i < b->record.n_parts; i++) {
        int rc = store_get(txn, TABLE_EVENT_LINES, key_numbered(key, b->event, i), NULL);
        if (rc != 1)
            return rc < 0 ? rc : STORE_EFULL;
    }
    return 0;
}

/* The sequence number comes from the transaction, not from memory: a refused commit leaves no gap.
 */
static int
owe(struct event_builder *b, struct store_txn *txn, const struct uuid *webhook)
{
    uint8_t key[KEY_DUE_LEN];
    struct lane_record lane;
    int rc = lane_record_get(txn, webhook, &lane);
    if (rc < 0)
        return rc;
    uint64_t number = b->webhooks->outbox.next_delivery++;
    struct delivery_record d = {
        .event = b->event,
        .webhook = *webhook,
        .sequence = lane.next_sequence++,
        .state = DELIVERY_OWED,
        .due_at_ms = b->record.created_at_ns / 1000000,
        .created_at_ns = b->record.created_at_ns,
    };
    rc = delivery_put(txn, number, &d);
    if (rc == 0)
        rc = store_put(txn, TABLE_DELIVERY_DUE, key_due(key, webhook, d.due_at_ms, number),
                       STR_NULL);
    return rc == 0 ? lane_record_put(txn, webhook, &lane) : rc;
}

static int
count_event(struct event_builder *b, struct store_txn *txn)
{
    struct counters_record c;
    int rc = counters_get(txn, &c);
    if (rc < 0)
        return rc;
    c.next_event = b->event >= c.next_event ? b->event + 1 : c.next_event;
    c.next_delivery = b->webhooks->outbox.next_delivery;
    c.event_bytes += b->record.n_bytes;
    return counters_put(txn, &c);
}

static int
write_event(struct event_builder *b, struct store_txn *txn)
{
    const struct registry *r = &b->webhooks->registry;
    int rc = store_part(b, txn);
    if (rc == 0)
        rc = check_parts(b, txn);
    b->record.created_at_ns = clock_wall_ns();
    b->record.first_delivery = b->webhooks->outbox.next_delivery;
    b->record.n_deliveries = b->record.n_kept = (uint32_t) r->n;
    for (size_t i = 0; rc == 0 && i < r->n; i++)
        rc = owe(b, txn, &r->items[i]->uuid);
    if (rc == 0)
        rc = event_put(txn, b->event, &b->record);
    return rc == 0 ? count_event(b, txn) : rc;
}

/* Kept until the announcement. One from an earlier try to finish the same batch was never
 * committed. */
static void
remember_finished(struct event_builder *b)
{
    struct webhooks *w = b->webhooks;
    uint64_t refused;
    if (outbox_take_finished(w, b->record.batch_uid, &refused))
        janitor_trash_lines(w, refused);
    struct finished_event *f = mem_new(1, sizeof(*f));
    *f = (struct finished_event){w->outbox.finished, b->record.batch_uid, b->event};
    w->outbox.finished = f;
}

int
webhooks_event_finish(void *builder, struct store_txn *txn)
{
    struct event_builder *b = builder;
    if (b->record.n_lines == 0 || b->webhooks->registry.n == 0) {
        webhooks_event_discard(b);
        return 0;
    }
    int rc = write_event(b, txn);
    if (rc != 0) {
        turn_fail(b->webhooks->conf.turn, rc); /* no half of it may be committed */
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
