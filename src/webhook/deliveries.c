/* Reading deliveries in pieces, and changing one by hand. Every piece opens a transaction of its
 * own: what changes meanwhile shows as it is when it is reached. Does not know how deliveries are
 * made. */
#include "webhook/deliveries.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "webhook/delivery_json.h"
#include "webhook/owed.h"
#include "webhook/state.h"

enum { CLOCK_EVERY = 16 /* rows between two looks at the clock */ };

static bool
is_full(const struct buf *out, const struct delivery_budget *budget)
{
    return out->len >= budget->max_bytes || clock_mono_us() >= budget->deadline_us;
}

/* --- filters --------------------------------------------------------------------------------- */

bool
delivery_state_bit(struct str name, uint32_t *ret_bit)
{
    for (int i = 0; i < DELIVERY_STATES; i++) {
        if (!str_equal_nocase(name, str_from(delivery_state_name((enum delivery_state) i))))
            continue;
        *ret_bit = 1u << i;
        return true;
    }
    return false;
}

void
delivery_states_write(struct buf *out)
{
    for (int i = 0; i < DELIVERY_STATES; i++)
        buf_addf(out, "%s`%s`", i == 0 ? "" : ", ", delivery_state_name((enum delivery_state) i));
}

const char *
delivery_state_text(unsigned state)
{
    return state < DELIVERY_STATES ? delivery_state_name((enum delivery_state) state) : NULL;
}

struct delivery_listing {
    struct webhooks *webhooks;
    struct delivery_query query;
    bool is_all; /* nothing is filtered: rows that are not shown need not be read */
    bool has_begun;
    struct {
        uint64_t at; /* the next sequence number to look at, in the direction of reading */
        bool is_through;
    } lanes[DELIVERY_QUERY_WEBHOOKS_MAX];
    uint64_t total, shown, first, next;
    bool has_first, has_next;
    uint64_t seen_event; /* the last event that was looked at: its answer */
    bool seen_matches;
};

/* Events are compared by their id; neighbours often have the same one. */
static bool
is_of_event(struct delivery_listing *l, struct store_txn *txn, uint64_t event)
{
    struct event_record e;
    if (!l->query.has_event)
        return true;
    if (event != l->seen_event) {
        l->seen_event = event;
        l->seen_matches = event_get(txn, event, &e) == 1 && uuid_equal(&e.id, &l->query.event);
    }
    return l->seen_matches;
}

static bool
matches(struct delivery_listing *l, struct store_txn *txn, const struct delivery_record *d)
{
    const struct delivery_query *q = &l->query;
    return (q->states == 0 || (q->states & (1u << d->state)) != 0) &&
           d->created_at_ns >= q->since_ns && d->created_at_ns < q->until_ns &&
           (q->event_line == 0 || q->event_line == d->first_line + 1) &&
           is_of_event(l, txn, d->event);
}

/* --- the listing ----------------------------------------------------------------------------- */

struct delivery_listing *
delivery_listing_new(struct webhooks *w, const struct delivery_query *q)
{
    struct delivery_listing *l = mem_new(1, sizeof(*l));
    *l = (struct delivery_listing){.webhooks = w, .query = *q};
    l->is_all =
        q->states == 0 && !q->has_event && q->since_ns == INT64_MIN && q->until_ns == INT64_MAX;
    for (size_t i = 0; i < q->n_webhooks; i++)
        l->lanes[i].at = q->is_ascending ? 0 : UINT64_MAX;
    return l;
}

void
delivery_listing_free(struct delivery_listing *l)
{
    free(l);
}

static bool
is_from_on(const struct delivery_query *q, uint64_t delivery)
{
    if (!q->has_from)
        return true;
    return q->is_ascending ? delivery >= q->from : delivery <= q->from;
}

static void
show_one(struct store_txn *txn, uint64_t delivery, const struct delivery_record *d, struct buf *out)
{
    struct json_out j = json_out(out);
    json_begin_object(&j);
    delivery_put_fields(&j, txn, delivery, d);
    json_end_object(&j);
}

int
deliveries_next(struct store_txn *txn, uint64_t from, uint64_t *ret_number, struct buf *out)
{
    uint8_t key[8];
    struct store_cursor c = {0};
    int rc = store_cursor_open(&c, txn, TABLE_DELIVERIES);
    if (rc == 0)
        rc = store_cursor_seek(&c, key_u64(key, from));
    for (; rc == 1; rc = store_cursor_next(&c)) {
        struct delivery_record d;
        if (!delivery_decode(c.value, &d))
            continue; /* said where it is due */
        *ret_number = key_read_u64(c.key, 0);
        show_one(txn, *ret_number, &d, out);
        break;
    }
    store_cursor_close(&c);
    return rc;
}

static void
show(struct delivery_listing *l, struct store_txn *txn, uint64_t delivery,
     const struct delivery_record *d, struct buf *out)
{
    if (l->shown > 0)
        buf_add_char(out, ',');
    else
        l->first = delivery;
    l->has_first = true;
    l->shown++;
    show_one(txn, delivery, d, out);
}

/* One row of TABLE_WEBHOOK_DELIVERIES: 0 or negative. */
static int
take_row(struct delivery_listing *l, struct store_txn *txn, uint64_t delivery, struct buf *out)
{
    struct delivery_record d;
    bool is_wanted = is_from_on(&l->query, delivery) && !l->has_next;
    if (!is_wanted && l->is_all) {
        l->total++;
        return 0;
    }
    int rc = delivery_get(txn, delivery, &d);
    if (rc != 1 || !matches(l, txn, &d))
        return rc == STORE_ECORRUPT || rc > 0 ? 0 : rc;
    l->total++;
    if (!is_wanted)
        return 0;
    if (l->shown < l->query.limit) {
        show(l, txn, delivery, &d, out);
        return 0;
    }
    l->has_next = true;
    l->next = delivery;
    return 0;
}

/* The first row of a webhook in the direction of reading, possibly another webhook's: 1 / 0 /
 * negative. */
static int
seek(const struct delivery_listing *l, size_t lane, struct store_cursor *c)
{
    uint8_t key[KEY_SEQUENCE_LEN];
    struct str wanted = key_sequence(key, &l->query.webhooks[lane], l->lanes[lane].at);
    int rc = store_cursor_seek(c, wanted);
    if (rc < 0 || l->query.is_ascending)
        return rc;
    if (rc == 0)
        return store_cursor_last(c);
    return str_equal(c->key, wanted) ? 1 : store_cursor_prev(c);
}

static void
write_number_or_null(struct buf *out, const char *name, bool is_given, uint64_t n)
{
    buf_addf(out, ",\"%s\":", name);
    if (is_given)
        buf_addf(out, "\"%llu\"", (unsigned long long) n);
    else
        buf_add_cstr(out, "null");
}

static void
write_end(const struct delivery_listing *l, struct buf *out)
{
    buf_addf(out, "],\"total\":%llu,\"limit\":%llu", (unsigned long long) l->total,
             (unsigned long long) l->query.limit);
    write_number_or_null(out, "from", l->has_first, l->first);
    write_number_or_null(out, "next", l->has_next, l->next);
    buf_add_char(out, '}');
}

/* One piece: a cursor a webhook, each at its next row. */
struct piece {
    struct delivery_listing *listing;
    struct store_txn *txn;
    struct store_cursor cursors[DELIVERY_QUERY_WEBHOOKS_MAX];
    uint64_t deliveries[DELIVERY_QUERY_WEBHOOKS_MAX]; /* of that row */
};

/* What the cursor of a webhook has come to; found: as of seek. 0 or negative. */
static int
look(struct piece *p, size_t lane, int found)
{
    struct delivery_listing *l = p->listing;
    const struct store_cursor *c = &p->cursors[lane];
    struct uuid webhook = UUID_NIL;
    uint64_t sequence = 0;
    if (found < 0)
        return found;
    if (found == 1 && !key_sequence_read(c->key, &webhook, &sequence))
        return STORE_ECORRUPT;
    if (found == 0 || !uuid_equal(&webhook, &l->query.webhooks[lane])) {
        l->lanes[lane].is_through = true;
        return 0;
    }
    l->lanes[lane].at = sequence;
    p->deliveries[lane] = key_read_u64(c->value, 0);
    return 0;
}

static int
piece_open(struct piece *p)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < p->listing->query.n_webhooks; i++) {
        if (p->listing->lanes[i].is_through)
            continue;
        rc = store_cursor_open(&p->cursors[i], p->txn, TABLE_WEBHOOK_DELIVERIES);
        if (rc == 0)
            rc = look(p, i, seek(p->listing, i, &p->cursors[i]));
    }
    return rc;
}

static void
piece_close(struct piece *p)
{
    for (size_t i = 0; i < p->listing->query.n_webhooks; i++)
        store_cursor_close(&p->cursors[i]);
}

/* The webhook whose delivery comes next; as many as there are webhooks at the end. */
static size_t
next_lane(const struct piece *p)
{
    const struct delivery_listing *l = p->listing;
    size_t best = l->query.n_webhooks;
    for (size_t i = 0; i < l->query.n_webhooks; i++) {
        if (l->lanes[i].is_through)
            continue;
        bool is_before = best < l->query.n_webhooks && p->deliveries[i] < p->deliveries[best];
        if (best == l->query.n_webhooks || is_before == l->query.is_ascending)
            best = i;
    }
    return best;
}

static int
step_lane(struct piece *p, size_t lane)
{
    struct delivery_listing *l = p->listing;
    bool up = l->query.is_ascending;
    uint64_t at = l->lanes[lane].at;
    if (up ? at == UINT64_MAX : at == 0) {
        l->lanes[lane].is_through = true;
        return 0;
    }
    l->lanes[lane].at = up ? at + 1 : at - 1;
    return look(p, lane,
                up ? store_cursor_next(&p->cursors[lane]) : store_cursor_prev(&p->cursors[lane]));
}

/* 1 when time or room is up, 0 at the end, negative. */
static int
scan(struct piece *p, struct buf *out, const struct delivery_budget *budget)
{
    struct delivery_listing *l = p->listing;
    for (unsigned n = 1;; n++) {
        size_t lane = next_lane(p);
        if (lane == l->query.n_webhooks)
            return 0;
        int rc = take_row(l, p->txn, p->deliveries[lane], out);
        if (rc == 0)
            rc = step_lane(p, lane);
        if (rc < 0)
            return rc;
        if (n % CLOCK_EVERY == 0 && is_full(out, budget))
            return 1;
    }
}

int
delivery_listing_step(struct delivery_listing *l, struct buf *out,
                      const struct delivery_budget *budget)
{
    struct piece p = {.listing = l, .txn = turn_read(l->webhooks->conf.turn)};
    if (p.txn == NULL)
        return STORE_EIO;
    if (!l->has_begun)
        buf_add_cstr(out, "{\"results\":[");
    l->has_begun = true;
    int rc = piece_open(&p);
    if (rc == 0)
        rc = scan(&p, out, budget);
    piece_close(&p);
    store_abort(p.txn);
    if (rc == 0)
        write_end(l, out);
    return rc;
}

/* --- one delivery ---------------------------------------------------------------------------- */

struct delivery_view {
    struct webhooks *webhooks;
    uint64_t delivery;
    struct delivery_record record; /* as it was at the beginning */
    uint32_t next_attempt;         /* 0: nothing was written yet */
    bool has_shown;
};

/* 0, or -1 with err. */
static int
get_or_err(struct store_txn *txn, uint64_t delivery, struct delivery_record *ret, struct err *err)
{
    int rc = txn == NULL ? STORE_EIO : delivery_get(txn, delivery, ret);
    if (rc == 1)
        return 0;
    if (rc == 0)
        return err_set(err, ERR_DELIVERY_NOT_FOUND, "Delivery `%llu` not found.",
                       (unsigned long long) delivery);
    return err_set(err, ERR_INTERNAL, "The delivery could not be read: %s.", store_strerror(rc));
}

struct delivery_view *
delivery_view_new(struct webhooks *w, uint64_t delivery, struct err *err)
{
    struct delivery_record d;
    struct store_txn *txn = turn_read(w->conf.turn);
    int rc = get_or_err(txn, delivery, &d, err);
    store_abort(txn);
    if (rc < 0)
        return NULL;
    struct delivery_view *v = mem_new(1, sizeof(*v));
    *v = (struct delivery_view){.webhooks = w, .delivery = delivery, .record = d};
    return v;
}

void
delivery_view_free(struct delivery_view *v)
{
    free(v);
}

static int
view_attempts(struct delivery_view *v, struct store_txn *txn, struct buf *out,
              const struct delivery_budget *budget)
{
    for (; v->next_attempt <= v->record.attempts; v->next_attempt++) {
        struct attempt_record a;
        struct json_out j = json_out(out);
        if (is_full(out, budget))
            return 1;
        int rc = attempt_get(txn, v->delivery, v->next_attempt, &a);
        if (rc < 0 && rc != STORE_ECORRUPT)
            return rc;
        if (rc != 1)
            continue; /* removed by the retention while we read */
        if (v->has_shown)
            buf_add_char(out, ',');
        v->has_shown = true;
        attempt_put_json(&j, v->next_attempt, &a);
    }
    return 0;
}

int
delivery_view_step(struct delivery_view *v, struct buf *out, const struct delivery_budget *budget)
{
    struct store_txn *txn = turn_read(v->webhooks->conf.turn);
    if (txn == NULL)
        return STORE_EIO;
    if (v->next_attempt == 0) {
        struct json_out j = json_out(out);
        json_begin_object(&j);
        delivery_put_fields(&j, txn, v->delivery, &v->record);
        buf_add_cstr(out, ",\"attempts\":[");
        v->next_attempt = 1;
    }
    int rc = view_attempts(v, txn, out, budget);
    store_abort(txn);
    if (rc == 0)
        buf_add_cstr(out, "]}");
    return rc;
}

/* --- changing -------------------------------------------------------------------------------- */

/* A put that failed: nothing of this turn is stored. Returns -1. */
static int
give_up(struct webhooks *w, int rc, struct err *err)
{
    turn_fail(w->conf.turn, rc);
    return err_set(err, ERR_IO_ERROR, "The delivery could not be changed: %s.", store_strerror(rc));
}

static int
owe_again(struct webhooks *w, struct store_txn *txn, uint64_t delivery, struct delivery_record *d)
{
    int64_t now_ms = lanes_now_ms(w);
    int rc = d->state == DELIVERY_OWED ? owed_move(txn, delivery, d, now_ms) : 0;
    if (rc < 0)
        return rc;
    bool was_owed = d->state == DELIVERY_OWED;
    d->state = DELIVERY_OWED;
    d->schedule_from = d->attempts;
    d->finished_at_ns = 0;
    d->due_at_ms = now_ms;
    rc = was_owed ? 0 : owed_add(txn, delivery, d);
    return rc == 0 ? delivery_put(txn, delivery, d) : rc;
}

int
delivery_resend(struct webhooks *w, uint64_t delivery, struct buf *out, struct err *err)
{
    struct delivery_record d;
    char uuid[UUID_TEXT_LEN + 1];
    struct store_txn *txn = turn_txn(w->conf.turn);
    if (get_or_err(txn, delivery, &d, err) < 0)
        return -1;
    if (registry_find(w, &d.webhook) == NULL)
        return err_set(err, ERR_WEBHOOK_NOT_FOUND,
                       "Webhook `%s` of delivery `%llu` is no longer registered.",
                       uuid_format(&d.webhook, uuid), (unsigned long long) delivery);
    int rc = owe_again(w, txn, delivery, &d);
    if (rc < 0)
        return give_up(w, rc, err);
    lanes_wake(w, &d.webhook);
    show_one(txn, delivery, &d, out);
    return 0;
}

int
delivery_discard(struct webhooks *w, uint64_t delivery, struct err *err)
{
    struct delivery_record d;
    struct store_txn *txn = turn_txn(w->conf.turn);
    if (get_or_err(txn, delivery, &d, err) < 0)
        return -1;
    if (d.state == DELIVERY_DISCARDED)
        return 0;
    if (d.state != DELIVERY_OWED)
        return err_set(
            err, ERR_DELIVERY_NOT_OWED,
            "Delivery `%llu` is %s: only a delivery that is still owed can be discarded.",
            (unsigned long long) delivery, delivery_state_name(d.state));
    int rc = owed_remove(txn, delivery, &d);
    d.state = DELIVERY_DISCARDED;
    d.finished_at_ns = clock_wall_ns();
    if (rc >= 0)
        rc = delivery_put(txn, delivery, &d);
    if (rc < 0)
        return give_up(w, rc, err);
    lanes_wake(w, &d.webhook); /* an ordered one may go on */
    return 0;
}

/* The answer shows the delivery as it was just made. */
static int
show_made(struct webhooks *w, uint64_t delivery, struct buf *out, struct err *err)
{
    struct delivery_record d;
    struct store_txn *txn = turn_txn(w->conf.turn);
    if (get_or_err(txn, delivery, &d, err) < 0)
        return -1;
    show_one(txn, delivery, &d, out);
    return 0;
}

int
webhook_ping(struct webhooks *w, struct str uuid, struct buf *out, struct err *err)
{
    const struct webhook *h;
    char text[UUID_TEXT_LEN + 1];
    uint64_t delivery = 0;
    if (registry_find_text(w, uuid, &h, err) < 0)
        return -1;
    struct buf data = BUF_INIT;
    buf_addf(&data, "{\"webhookUuid\":\"%s\"}", uuid_format(&h->uuid, text));
    struct emission e = {.type = EVENT_PING, .data = buf_str(&data), .to = &h->uuid};
    int rc = event_emit(w, turn_txn(w->conf.turn), &e, &delivery);
    buf_done(&data);
    return rc < 0 ? give_up(w, rc, err) : show_made(w, delivery, out, err);
}

int
webhook_uuid_from_text(struct webhooks *w, struct str text, struct uuid *ret, struct err *err)
{
    const struct webhook *h;
    if (registry_find_text(w, text, &h, err) < 0)
        return -1;
    *ret = h->uuid;
    return 0;
}
