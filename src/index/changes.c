/* What a writer changed, by external id: kept in the index with the writer's commit, for whoever
 * tells of it afterwards, also after a crash between the two. Nothing is noted unless asked for.
 * Must not know who asks. */
#include "base/clock.h"
#include "index/ids.h"
#include "index/index_internal.h"
#include "store/rec.h"

#include <stdio.h>

enum { CHANGES_VERSION = 1, NOTED_BETWEEN_LOOKS = 64, NUMBER_TEXT_CAP = 24 };

void
changes_init(struct changes *c, struct store_txn *txn)
{
    *c = (struct changes){.txn = txn};
}

void
changes_done(struct changes *c)
{
    buf_done(&c->at);
}

int
changes_begin(struct changes *c, uint64_t run)
{
    struct buf value = BUF_INIT;
    struct str old;
    int rc = store_get(c->txn, INDEX_META, INDEX_META_CHANGES, &old);

    if (rc == 1)
        rc = store_clear(c->txn, INDEX_CHANGES);
    else if (rc == 0 && run == 0)
        return 0; /* as ever: nothing is written */
    if (rc >= 0 && run == 0)
        rc = store_delete(c->txn, INDEX_META, INDEX_META_CHANGES);
    if (rc < 0 || run == 0)
        return rc < 0 ? rc : 0;
    rec_put_u8(&value, CHANGES_VERSION);
    rec_put_u64(&value, run);
    rc = store_put(c->txn, INDEX_META, INDEX_META_CHANGES, buf_str(&value));
    buf_done(&value);
    c->is_on = rc == 0;
    return rc;
}

/* What was noted first is how the document was before. */
int
changes_note(struct changes *c, struct str external_id, bool existed)
{
    int rc = c->is_on ? store_get(c->txn, INDEX_CHANGES, external_id, NULL) : 1;

    if (rc != 0)
        return rc < 0 ? rc : 0;
    return store_put(c->txn, INDEX_CHANGES, external_id, existed ? STR("1") : STR("0"));
}

/* --- everything that is there ----------------------------------------------------------------- */

/* The row behind the cursor's place: 1 / 0 / negative. */
static int
next_row(struct changes *c, struct store_cursor *cursor)
{
    int rc;

    if (!c->has_at)
        return store_cursor_first(cursor);
    rc = store_cursor_seek(cursor, buf_str(&c->at));
    return rc == 1 && str_equal(cursor->key, buf_str(&c->at)) ? store_cursor_next(cursor) : rc;
}

static int
note_group(struct changes *c, const struct store_cursor *cursor)
{
    char text[NUMBER_TEXT_CAP];
    struct id_group g;
    uint64_t number = key_read_u64(cursor->key, 0);
    int rc = id_group_read(&g, number, cursor->value);

    for (unsigned slot = 0; rc == 0 && slot < IDS_IN_GROUP; slot++) {
        if ((g.used >> slot & 1) == 0)
            continue;
        (void) snprintf(text, sizeof(text), "%llu",
                        (unsigned long long) (number * IDS_IN_GROUP + slot));
        rc = changes_note(c, str_from(text), true);
    }
    return rc;
}

/* Rows of one table until the deadline: 1: time is up, 0: through, negative. */
static int
note_table(struct changes *c, int table, int64_t deadline_us)
{
    struct store_cursor cursor = {0};
    int rc = store_cursor_open(&cursor, c->txn, table);

    if (rc == 0)
        rc = next_row(c, &cursor);
    for (unsigned n = 1; rc == 1; n++) {
        rc = table == INDEX_NUMBER_IDS ? note_group(c, &cursor) : changes_note(c, cursor.key, true);
        if (rc < 0)
            break;
        if (n % NOTED_BETWEEN_LOOKS == 0 && clock_mono_us() >= deadline_us) {
            buf_clear(&c->at);
            buf_add_str(&c->at, cursor.key);
            c->has_at = true;
            rc = buf_failed(&c->at) ? STORE_EFULL : 1;
            break;
        }
        rc = store_cursor_next(&cursor);
    }
    store_cursor_close(&cursor);
    return rc;
}

int
changes_note_all(struct changes *c, int64_t deadline_us)
{
    static const int tables[] = {INDEX_EXTERNAL_IDS, INDEX_NUMBER_IDS};
    int rc = 0;

    while (c->is_on && c->n_tables_noted < sizeof(tables) / sizeof(tables[0])) {
        rc = note_table(c, tables[c->n_tables_noted], deadline_us);
        if (rc != 0)
            return rc;
        c->n_tables_noted++;
        c->has_at = false;
    }
    return rc;
}

/* --- reading ---------------------------------------------------------------------------------- */

int
index_reader_noted(struct index_reader *r, uint64_t run)
{
    struct str value;
    int rc = store_get(r->txn, INDEX_META, INDEX_META_CHANGES, &value);
    struct rec in;

    if (rc <= 0)
        return rc;
    in = rec_open(value, CHANGES_VERSION);
    return rec_u64(&in) == run && !in.failed;
}

int
index_reader_next_change(struct index_reader *r, struct str after, struct index_change *ret)
{
    struct store_cursor c = {0};
    int rc = store_cursor_open(&c, r->txn, INDEX_CHANGES);

    if (rc == 0)
        rc = after.len == 0 ? store_cursor_first(&c) : store_cursor_seek(&c, after);
    if (rc == 1 && after.len > 0 && str_equal(c.key, after))
        rc = store_cursor_next(&c);
    if (rc == 1)
        *ret = (struct index_change){.external_id = c.key, .existed = str_is(c.value, "1")};
    store_cursor_close(&c);
    return rc;
}
