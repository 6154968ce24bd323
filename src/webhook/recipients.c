/* The states of a delivery's recipients, from one attempt to the next. Sends nothing. */
#include "webhook/recipients.h"

static void
take_line(struct recipients *r, struct str line)
{
    if (line.len < 2)
        return;
    struct str text = str_slice(line, 1, line.len);
    for (size_t i = 0; i < r->channel->n_recipients; i++) {
        if (str_equal_nocase(str_from(r->channel->recipients[i].text), text))
            r->states[i] = line.data[0] == '+' ? RECIPIENT_ACCEPTED : RECIPIENT_GIVEN_UP;
    }
}

/* A schedule that begins anew: sent again by hand. */
static void
reopen(struct recipients *r)
{
    bool had_all = recipients_count(r, RECIPIENT_ACCEPTED) == r->channel->n_recipients;
    for (size_t i = 0; i < r->channel->n_recipients; i++) {
        if (had_all || r->states[i] == RECIPIENT_GIVEN_UP)
            r->states[i] = RECIPIENT_OPEN;
    }
}

void
recipients_load(struct recipients *r, const struct channel *c, struct store_txn *txn,
                uint64_t delivery, const struct delivery_record *d)
{
    struct attempt_record last;
    struct str line;
    *r = (struct recipients){.channel = c};
    if (txn == NULL || d->attempts == 0 || attempt_get(txn, delivery, d->attempts, &last) != 1)
        return;
    while (str_split(&last.settled, '\n', &line))
        take_line(r, line);
    if (d->attempts == d->schedule_from)
        reopen(r);
}

size_t
recipients_count(const struct recipients *r, enum recipient_state state)
{
    size_t n = 0;
    for (size_t i = 0; i < r->channel->n_recipients; i++)
        n += r->states[i] == state;
    return n;
}

void
recipients_write(struct buf *out, const struct recipients *r)
{
    for (size_t i = 0; i < r->channel->n_recipients; i++) {
        if (r->states[i] == RECIPIENT_OPEN)
            continue;
        buf_add_char(out, r->states[i] == RECIPIENT_ACCEPTED ? '+' : '-');
        buf_add_cstr(out, r->channel->recipients[i].text);
        buf_add_char(out, '\n');
    }
}
