/* Rows of deliveries and selections. Decides nothing: the plan says what is owed. */
#include "webhook/owe.h"

#include "webhook/owed.h"
#include "webhook/state.h"

/* Selections are parts of an event's lines with numbers that no line has. */
#define SELECTION_BASE UINT32_C(0x80000000)

int
selection_put(struct store_txn *txn, uint64_t event, struct str bits, uint32_t *ret_number)
{
    uint8_t key[KEY_PART_LEN];
    struct store_cursor c = {0};
    uint32_t number = 0;
    int rc = store_cursor_open(&c, txn, TABLE_EVENT_LINES);
    if (rc == 0)
        rc = store_cursor_seek(&c, key_numbered(key, event, SELECTION_BASE + 1));
    for (; rc == 1 && key_read_u64(c.key, 0) == event; rc = store_cursor_next(&c)) {
        number = key_read_u32(c.key, 8) - SELECTION_BASE;
        if (str_equal(c.value, bits)) {
            store_cursor_close(&c);
            *ret_number = number;
            return 0;
        }
    }
    store_cursor_close(&c);
    *ret_number = number + 1;
    return rc < 0 ? rc
                  : store_put(txn, TABLE_EVENT_LINES,
                              key_numbered(key, event, SELECTION_BASE + number + 1), bits);
}

int
selection_get(struct store_txn *txn, uint64_t event, uint32_t number, struct str *ret_bits)
{
    uint8_t key[KEY_PART_LEN];
    return store_get(txn, TABLE_EVENT_LINES, key_numbered(key, event, SELECTION_BASE + number),
                     ret_bits);
}

/* The sequence number comes from the transaction, not from memory: a refused commit leaves no gap.
 */
static int
owe_part(const struct owing *o, const struct plan *plan, uint32_t index, uint32_t selection)
{
    uint8_t key[KEY_SEQUENCE_LEN], value[8];
    const struct plan_part *part = plan_part(plan, index);
    uint64_t number = o->webhooks->outbox.next_delivery++;
    struct delivery_record d = {
        .event = o->event,
        .webhook = *o->webhook,
        .sequence = o->lane->next_sequence++,
        .state = DELIVERY_OWED,
        .cause = (uint8_t) o->cause,
        .part = index + 1,
        .n_parts = plan_n_parts(plan),
        .first_line = part->first_line,
        .n_lines = part->n_lines,
        .selection = part->n_tasks < part->n_lines ? selection : 0,
        .n_tasks = part->n_tasks,
        .due_at_ms = o->now_ns / 1000000,
        .created_at_ns = o->now_ns,
    };
    int rc = delivery_put(o->txn, number, &d);
    if (rc == 0)
        rc = owed_add(o->txn, number, &d);
    if (rc == 0)
        rc = store_put(o->txn, TABLE_WEBHOOK_DELIVERIES, key_sequence(key, o->webhook, d.sequence),
                       key_u64(value, number));
    return rc;
}

static int
owe_parts(const struct owing *o, const struct plan *plan, uint32_t selection)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < plan_n_parts(plan); i++)
        rc = owe_part(o, plan, i, selection);
    return rc;
}

/* 0 with the number of the plan's selection (0: none is needed), or negative. */
static int
put_selection(const struct owing *o, const struct plan *plan, uint32_t *ret)
{
    *ret = 0;
    if (buf_failed(&plan->bits))
        return STORE_EFULL;
    return plan->has_gaps ? selection_put(o->txn, o->event, buf_str(&plan->bits), ret) : 0;
}

int
owe_plan(const struct owing *o, const struct plan *plan)
{
    uint32_t selection;
    int rc = put_selection(o, plan, &selection);
    return rc == 0 ? owe_parts(o, plan, selection) : rc;
}

int
owe_line(const struct owing *o, uint32_t line)
{
    struct plan plan = {.n_seen = line + 1,
                        .open = {.first_line = line, .n_lines = 1, .n_tasks = 1}};
    return owe_part(o, &plan, 0, 0);
}

/* --- plans of stored events ------------------------------------------------------------------ */

static int
plan_lines(struct plan *p, struct str part, const struct event_record *e,
           const struct webhook_policy *policy)
{
    struct line_view line;
    size_t at = 0;
    int rc;
    while ((rc = lines_next(part, &at, &line)) == 1) {
        bool is_wanted = (e->type != EVENT_BATCH_FINISHED && e->type != EVENT_ORGANIZATION) ||
                         policy_wants(policy, line.index_uids, line.kind, line.status);
        plan_add(p, is_wanted, line.text.len + 1);
    }
    return rc;
}

/* Whether the plan is plain without a look at the lines. */
static bool
is_whole(const struct plan *p, const struct event_record *e, const struct webhook_policy *policy)
{
    bool has_filter = policy->kinds != 0 || policy->statuses != 0 || policy->n_index_uids > 0;
    uint64_t bytes = e->n_bytes + e->n_lines * p->line_overhead;
    return (!has_filter || e->type != EVENT_BATCH_FINISHED) && e->type != EVENT_ORGANIZATION &&
           (p->max_tasks == 0 || e->n_lines <= p->max_tasks) &&
           (p->max_bytes == 0 || bytes <= p->max_bytes);
}

int
plan_stored(struct plan *p, struct store_txn *txn, uint64_t event, const struct event_record *e,
            const struct webhook_policy *policy)
{
    uint8_t key[KEY_PART_LEN];
    struct str part;
    if (is_whole(p, e, policy)) {
        p->open = (struct plan_part){.n_lines = e->n_lines, .n_tasks = e->n_lines};
        p->n_seen = e->n_lines;
        return 0;
    }
    for (uint32_t i = 0; i < e->n_parts; i++) {
        int rc = store_get(txn, TABLE_EVENT_LINES, key_numbered(key, event, i), &part);
        if (rc == 1)
            rc = plan_lines(p, part, e, policy);
        else if (rc == 0)
            rc = STORE_ECORRUPT;
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* --- a replay -------------------------------------------------------------------------------- */

static bool
is_part(const struct delivery_record *d, const struct event_record *e, const struct plan *plan,
        uint32_t selection)
{
    if (d->n_parts != plan_n_parts(plan) || d->part < 1 || d->part > d->n_parts)
        return false;
    const struct plan_part *part = plan_part(plan, d->part - 1);
    uint32_t n_lines = d->n_lines == DELIVERY_ALL_LINES ? e->n_lines : d->n_lines;
    return d->first_line == part->first_line && n_lines == part->n_lines &&
           d->selection == (part->n_tasks < part->n_lines ? selection : 0);
}

static bool
is_whole_in_one(const struct event_record *e, const struct plan *plan)
{
    return plan_n_parts(plan) == 1 && plan_part(plan, 0)->n_tasks == e->n_lines;
}

/* Whether the webhook's own deliveries, which stand side by side, are the plan's parts from there
 * on: 1 / 0 / negative. */
static int
stands_at(const struct owing *o, const struct event_record *e, uint32_t at, const struct plan *plan,
          uint32_t selection)
{
    for (uint32_t i = 0; i < plan_n_parts(plan); i++) {
        struct delivery_record d;
        if (at + i >= e->n_deliveries)
            return 0;
        int rc = delivery_get(o->txn, e->first_delivery + at + i, &d);
        if (rc < 0 && rc != STORE_ECORRUPT)
            return rc;
        if (rc != 1 || !uuid_equal(&d.webhook, o->webhook) || d.part != i + 1 ||
            !is_part(&d, e, plan, selection))
            return 0;
    }
    return 1;
}

/* The same by a look at all of them; *ret_at: where the webhook's own ones begin. One that was not
 * told then is repeated when it is whole. A row that the retention has removed may have been
 * anything. */
static int
is_among(const struct owing *o, const struct event_record *e, const struct plan *plan,
         uint32_t selection, uint32_t *ret_at)
{
    uint8_t key[8];
    struct store_cursor c = {0};
    uint32_t n_seen = 0, n_own = 0;
    bool is_same = true;
    int rc = store_cursor_open(&c, o->txn, TABLE_DELIVERIES);
    if (rc == 0)
        rc = store_cursor_seek(&c, key_u64(key, e->first_delivery));
    for (; rc == 1 && n_seen < e->n_deliveries && is_same; rc = store_cursor_next(&c)) {
        struct delivery_record d;
        if (key_read_u64(c.key, 0) != e->first_delivery + n_seen || !delivery_decode(c.value, &d)) {
            is_same = false;
        } else if (uuid_equal(&d.webhook, o->webhook)) {
            *ret_at = n_own == 0 ? n_seen : *ret_at;
            is_same = n_own++ < plan_n_parts(plan) && is_part(&d, e, plan, selection);
        }
        n_seen++;
    }
    store_cursor_close(&c);
    if (rc < 0)
        return rc;
    return is_same && n_seen == e->n_deliveries &&
           (n_own == 0 ? is_whole_in_one(e, plan) : n_own == plan_n_parts(plan));
}

/* Whether the plan is what the event was to the webhook when it happened: 1 / 0 / negative. */
static int
is_repetition(const struct owing *o, struct owe_again *again, const struct event_record *e,
              const struct plan *plan, uint32_t selection)
{
    if (e->first_delivery + e->n_deliveries <= again->told_from)
        return is_whole_in_one(e, plan);
    int rc = stands_at(o, e, again->own_at, plan, selection);
    return rc == 0 ? is_among(o, e, plan, selection, &again->own_at) : rc;
}

/* A repetition bears the same ids; anything else has others. */
static int
owe_replayed(struct owing *o, struct owe_again *again, const struct event_record *e,
             const struct plan *plan)
{
    uint32_t selection;
    int rc = put_selection(o, plan, &selection);
    if (rc == 0)
        rc = is_repetition(o, again, e, plan, selection);
    if (rc < 0)
        return rc;
    o->cause = rc == 1 ? CAUSE_REPLAY : CAUSE_REPLAY_OTHER;
    return owe_parts(o, plan, selection);
}

int
event_owe_again(struct owe_again *o, uint64_t event, struct event_record *e, uint32_t *ret_made)
{
    struct plan plan;
    struct owing owing = {
        .webhooks = o->webhooks,
        .txn = o->txn,
        .event = event,
        .webhook = &o->webhook->uuid,
        .lane = o->lane,
        .now_ns = o->now_ns,
    };
    plan_init(&plan, &o->webhook->policy, &o->webhooks->conf.payload);
    int rc = plan_stored(&plan, o->txn, event, e, &o->webhook->policy);
    if (rc == 0 && plan_n_parts(&plan) > 0)
        rc = owe_replayed(&owing, o, e, &plan);
    *ret_made = plan_n_parts(&plan);
    if (rc == 0)
        e->n_kept += *ret_made;
    plan_done(&plan);
    return rc;
}
