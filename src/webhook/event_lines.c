/* Collects the lines of an event into parts. Does not know who wants them. */
#include "webhook/event_lines.h"

static int
get_part(struct store_txn *txn, uint64_t event, uint32_t index, struct event_part *ret)
{
    uint8_t key[KEY_PART_LEN];
    *ret = (struct event_part){.index = index};
    int rc = store_get(txn, TABLE_EVENT_LINES, key_numbered(key, event, index), &ret->bytes);
    if (rc == 1)
        (void) lines_first(ret->bytes, &ret->first_line); /* stays 0 where it is not told */
    return rc == 0 ? STORE_ECORRUPT : rc;
}

int
event_lines_seek(struct store_txn *txn, uint64_t event, uint32_t n_parts, uint32_t line,
                 struct event_part *ret)
{
    uint32_t low = 0, high = n_parts, first;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        int rc = get_part(txn, event, middle, ret);
        if (rc < 0)
            return rc;
        if (!lines_first(ret->bytes, &first))
            high = low + 1;
        else if (first <= line)
            low = middle;
        else
            high = middle;
    }
    return get_part(txn, event, low, ret);
}

int
event_lines_get(struct store_txn *txn, uint64_t event, uint32_t n_parts, uint32_t line,
                struct line_view *ret)
{
    struct event_part part;
    size_t at = 0;
    int rc = event_lines_seek(txn, event, n_parts, line, &part);
    for (uint32_t i = part.first_line; rc == 1; i++) {
        rc = lines_next(part.bytes, &at, ret);
        if (rc != 1 || i == line)
            break;
    }
    return rc;
}

void
event_lines_done(struct event_lines *l)
{
    buf_done(&l->part);
}

static int
store_part(struct event_lines *l, struct store_txn *txn)
{
    uint8_t key[KEY_PART_LEN];
    if (buf_failed(&l->part))
        return STORE_EFULL;
    if (l->n_in_part == 0)
        return 0;
    int rc = store_append(txn, TABLE_EVENT_LINES, key_numbered(key, l->event, l->record.n_parts),
                          buf_str(&l->part));
    l->record.n_parts++;
    l->n_in_part = 0;
    buf_clear(&l->part);
    return rc;
}

int
event_lines_add(struct event_lines *l, struct store_txn *txn, const struct line_view *line)
{
    if (l->n_in_part == 0)
        lines_begin(&l->part, l->record.n_lines);
    lines_add(&l->part, line);
    l->n_in_part++;
    l->record.n_lines++;
    l->record.n_bytes += line->text.len + 1;
    return l->part.len < EVENT_PART_BYTES && !buf_failed(&l->part) ? 0 : store_part(l, txn);
}

int
event_lines_finish(struct event_lines *l, struct store_txn *txn)
{
    uint8_t key[KEY_PART_LEN];
    int rc = store_part(l, txn);
    for (uint32_t i = 0; rc == 0 && i < l->record.n_parts; i++) {
        int found = store_get(txn, TABLE_EVENT_LINES, key_numbered(key, l->event, i), NULL);
        if (found != 1)
            rc = found < 0 ? found : STORE_EFULL;
    }
    return rc;
}
