/* One piece of a replay: walks the events from a cursor and owes those that match. Changes the
 * caller's cursor, keeps nothing of its own between pieces; knows no task. */
#include "webhook/replay.h"

#include "base/clock.h"
#include "webhook/state.h"

int
replay_begin(struct webhooks *w, struct replay_cursor *ret)
{
    struct store_cursor c = {0};
    struct store_txn *txn = turn_read(w->conf.turn);
    if (txn == NULL)
        return STORE_EIO;
    *ret = (struct replay_cursor){0};
    int rc = store_cursor_open(&c, txn, TABLE_EVENTS);
    if (rc == 0)
        rc = store_cursor_first(&c);
    if (rc == 1) {
        ret->first = ret->next = key_read_u64(c.key, 0);
        rc = store_cursor_last(&c);
    }
    if (rc == 1)
        ret->end = key_read_u64(c.key, 0) + 1;
    store_cursor_close(&c);
    store_abort(txn);
    return rc < 0 ? rc : 0;
}

/* --- which events ---------------------------------------------------------------------------- */

static bool
has_task_filter(const struct replay_request *r)
{
    return r->kinds != 0 || r->statuses != 0 || r->n_index_uids > 0;
}

/* Whether one of the event's own deliveries to the webhook is in a wanted state: 1 / 0 / negative.
 */
static int
has_state(struct store_txn *txn, const struct replay_request *r, const struct event_record *e)
{
    for (uint32_t i = 0; i < e->n_deliveries; i++) {
        struct delivery_record d;
        int rc = delivery_get(txn, e->first_delivery + i, &d);
        if (rc < 0 && rc != STORE_ECORRUPT)
            return rc;
        if (rc == 1 && uuid_equal(&d.webhook, &r->webhook) && (r->states & (1u << d.state)) != 0)
            return 1;
    }
    return 0;
}

static int
has_task_in(struct str part, const struct webhook_policy *wanted)
{
    struct line_view line;
    size_t at = 0;
    int rc;
    while ((rc = lines_next(part, &at, &line)) == 1) {
        if (policy_wants(wanted, line.index_uids, line.kind, line.status))
            return 1;
    }
    return rc;
}

/* Whether the event tells of a wanted task: 1 / 0 / negative. */
static int
has_task(struct store_txn *txn, const struct replay_request *r, uint64_t event,
         const struct event_record *e)
{
    uint8_t key[KEY_PART_LEN];
    struct str part;
    const struct webhook_policy wanted = {
        .kinds = r->kinds,
        .statuses = r->statuses,
        .index_uids = r->index_uids,
        .n_index_uids = r->n_index_uids,
    };
    if (e->type != EVENT_BATCH_FINISHED)
        return 0;
    for (uint32_t i = 0; i < e->n_parts; i++) {
        int rc = store_get(txn, TABLE_EVENT_LINES, key_numbered(key, event, i), &part);
        if (rc == 1)
            rc = has_task_in(part, &wanted);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* 1 / 0 / negative. */
static int
is_wanted(struct store_txn *txn, const struct replay_request *r, const struct webhook *h,
          uint64_t event, const struct event_record *e)
{
    if (e->created_at_ns < r->since_ns || e->created_at_ns >= r->until_ns ||
        e->type == EVENT_PING || !policy_wants_event(&h->policy, (enum event_type) e->type))
        return 0;
    int rc = r->states == 0 ? 1 : has_state(txn, r, e);
    return rc == 1 && has_task_filter(r) ? has_task(txn, r, event, e) : rc;
}

/* --- one piece ------------------------------------------------------------------------------- */

/* The first event from *at on, below the end: 1 / 0 / negative. One that cannot be read is passed
 * over. */
static int
next_event(struct store_txn *txn, struct replay_cursor *at, uint64_t *ret, struct event_record *e)
{
    uint8_t key[8];
    struct store_cursor c = {0};
    int rc = store_cursor_open(&c, txn, TABLE_EVENTS);
    if (rc == 0)
        rc = store_cursor_seek(&c, key_u64(key, at->next));
    for (; rc == 1; rc = store_cursor_next(&c)) {
        *ret = key_read_u64(c.key, 0);
        if (*ret >= at->end || event_decode(c.value, e))
            break;
    }
    store_cursor_close(&c);
    return rc == 1 && *ret >= at->end ? 0 : rc;
}

/* The next event: 1, 0 when there is none, negative. */
static int
take_event(struct owe_again *o, const struct replay_request *r, struct replay_cursor *at)
{
    uint64_t event;
    uint32_t made = 0;
    struct event_record e;
    int rc = next_event(o->txn, at, &event, &e);
    if (rc == 0)
        at->next = at->end;
    if (rc != 1)
        return rc;
    at->next = event + 1;
    rc = is_wanted(o->txn, r, o->webhook, event, &e);
    if (rc == 1) {
        rc = event_owe_again(o, event, &e, &made);
        if (rc == 0 && made > 0)
            rc = event_put(o->txn, event, &e);
    }
    at->matched += made > 0;
    at->queued += made;
    return rc == STORE_ECORRUPT || rc >= 0 ? 1 : rc;
}

static int
take_events(struct owe_again *o, const struct replay_request *r, struct replay_cursor *at,
            int64_t deadline_us)
{
    int rc;
    while ((rc = take_event(o, r, at)) == 1) {
        if (clock_mono_us() >= deadline_us)
            return REPLAY_MORE;
    }
    return rc < 0 ? rc : REPLAY_THROUGH;
}

/* See struct owe_again; 0 when the first one is not kept any more. 0 or negative. */
static int
find_told_from(struct store_txn *txn, const struct uuid *webhook, uint64_t *ret)
{
    uint8_t key[KEY_SEQUENCE_LEN];
    struct uuid uuid;
    uint64_t sequence;
    struct store_cursor c = {0};
    int rc = store_cursor_open(&c, txn, TABLE_WEBHOOK_DELIVERIES);
    if (rc == 0)
        rc = store_cursor_seek(&c, key_sequence(key, webhook, 0));
    *ret = 0;
    if (rc == 1 && key_sequence_read(c.key, &uuid, &sequence) && sequence == 1 &&
        uuid_equal(&uuid, webhook))
        *ret = key_read_u64(c.value, 0);
    store_cursor_close(&c);
    return rc < 0 ? rc : 0;
}

int
replay_step(struct webhooks *w, struct store_txn *txn, const struct replay_request *request,
            struct replay_cursor *at, int64_t deadline_us)
{
    struct lane_record lane;
    uint64_t queued = at->queued;
    const struct webhook *h = registry_find(w, &request->webhook);
    if (h == NULL)
        return REPLAY_NO_WEBHOOK;
    int rc = lane_record_get(txn, &h->uuid, &lane);
    if (rc < 0)
        return rc;
    struct owe_again o = {
        .webhooks = w, .txn = txn, .webhook = h, .lane = &lane, .now_ns = clock_wall_ns()};
    if (lane.next_sequence == 1)
        o.told_from = UINT64_MAX;
    else
        rc = find_told_from(txn, &h->uuid, &o.told_from);
    if (rc < 0)
        return rc;
    int result = take_events(&o, request, at, deadline_us);
    if (result < 0 || at->queued == queued)
        return result;
    rc = lane_record_put(txn, &h->uuid, &lane);
    if (rc == 0)
        rc = outbox_put_counters(w, txn);
    lanes_wake(w, &h->uuid);
    return rc < 0 ? rc : result;
}
