/* The one writer of an index: documents, ids, counts and the applied record in a transaction that
 * stays open across turns and is committed once (invariant 3). Must not know tasks. */
#include <stdlib.h>

#include "base/mem.h"
#include "index/bodies.h"
#include "index/ids.h"
#include "index/index_internal.h"
#include "store/dir.h"
#include "store/rec.h"

enum { COUNTS_VERSION = 1, TOUCHED_PAGE_IDS = 4096 };

struct index_writer {
    struct index *index; /* referenced */
    struct store_txn *txn;
    struct bodies bodies;
    struct ids_writer ids;
    struct changes changes;
    struct fields fields;
    struct counts counts;
    bool has_free_ids;  /* false: surely none */
    uint32_t **touched; /* markers by internal id, in pages made when needed */
    uint32_t n_touched_pages;
    struct json_scratch *scratch; /* for documents already stored */
    struct buf text;              /* a document being put together */
};

static void untouch_all(struct index_writer *w);

static int
fail_memory(struct err *err)
{
    return err_set(err, ERR_INTERNAL, "out of memory");
}

int
counts_load(struct counts *ret, struct store_txn *txn)
{
    struct str value;
    int rc = store_get(txn, INDEX_META, INDEX_META_TOTALS, &value);

    *ret = (struct counts){0};
    if (rc <= 0)
        return rc;
    struct rec r = rec_open(value, COUNTS_VERSION);
    ret->n_documents = rec_u64(&r);
    ret->raw_bytes = rec_u64(&r);
    ret->next_id = rec_u32(&r);
    return rec_ok(&r) ? 0 : STORE_ECORRUPT;
}

int
counts_store(const struct counts *c, struct store_txn *txn)
{
    struct buf value = BUF_INIT;
    int rc;

    rec_put_u8(&value, COUNTS_VERSION);
    rec_put_u64(&value, c->n_documents);
    rec_put_u64(&value, c->raw_bytes);
    rec_put_u32(&value, c->next_id);
    rc = store_put(txn, INDEX_META, INDEX_META_TOTALS, buf_str(&value));
    buf_done(&value);
    return rc;
}

static int
load_totals(struct index_writer *w)
{
    uint64_t n_free = 0;
    int rc = counts_load(&w->counts, w->txn);

    if (rc == 0)
        rc = store_count(w->txn, INDEX_FREE_IDS, &n_free);
    w->has_free_ids = n_free > 0;
    return rc < 0 ? rc : fields_load(&w->fields, w->txn);
}

struct index_writer *
index_writer_begin(struct index *i, struct err *err)
{
    struct index_writer *w = mem_new(1, sizeof(*w));
    int rc;

    w->index = i;
    i->references++;
    fields_init(&w->fields);
    w->scratch = json_scratch_new();
    rc = i->needs_dir_sync && dir_sync(i->segments.dir) != 0 ? STORE_EIO : 0;
    if (rc == 0)
        i->needs_dir_sync = false;
    if (rc == 0)
        rc = store_begin_write(i->env, &w->txn);
    bodies_init(&w->bodies, &i->segments, w->txn);
    ids_writer_init(&w->ids, w->txn);
    changes_init(&w->changes, w->txn);
    if (rc == 0)
        rc = load_totals(w);
    if (rc == 0)
        return w;
    (void) index_store_error(err, rc);
    index_writer_abort(w);
    return NULL;
}

static void
writer_free(struct index_writer *w)
{
    bodies_done(&w->bodies);
    ids_writer_done(&w->ids);
    changes_done(&w->changes);
    fields_done(&w->fields);
    json_scratch_free(w->scratch);
    buf_done(&w->text);
    untouch_all(w);
    index_release(w->index);
    free(w);
}

void
index_writer_abort(struct index_writer *w)
{
    if (w == NULL)
        return;
    store_abort(w->txn);
    segments_rolled_back(&w->index->segments, true);
    writer_free(w);
}

uint64_t
index_writer_count(const struct index_writer *w)
{
    return w->counts.n_documents;
}

struct store_txn *
index_writer_txn(struct index_writer *w)
{
    return w->txn;
}

/* --- internal ids */

/* Takes the lowest freed id: 1, or 0 when there is none. */
static int
take_free_id(struct index_writer *w, uint32_t *ret)
{
    struct store_cursor c = {0};
    int rc = store_cursor_open(&c, w->txn, INDEX_FREE_IDS);

    if (rc >= 0)
        rc = store_cursor_first(&c);
    if (rc == 1) {
        *ret = key_read_u32(c.key, 0);
        rc = store_cursor_delete(&c);
        rc = rc < 0 ? rc : 1;
    }
    store_cursor_close(&c);
    w->has_free_ids = rc == 1;
    return rc;
}

/* The place of an id's marker, NULL when memory runs out. */
static uint32_t *
touched_place(struct index_writer *w, uint32_t id)
{
    uint32_t page = id / TOUCHED_PAGE_IDS;

    if (page >= w->n_touched_pages) {
        uint32_t n = page + page / 2 + 16;
        uint32_t **pages = realloc(w->touched, n * sizeof(*pages));
        if (pages == NULL)
            return NULL;
        memset(pages + w->n_touched_pages, 0, (n - w->n_touched_pages) * sizeof(*pages));
        w->touched = pages;
        w->n_touched_pages = n;
    }
    if (w->touched[page] == NULL)
        w->touched[page] = calloc(TOUCHED_PAGE_IDS, sizeof(**w->touched));
    return w->touched[page] == NULL ? NULL : &w->touched[page][id % TOUCHED_PAGE_IDS];
}

/* Remembers marker for the id: 1 when it was another, 0 when it was this one, negative without
 * memory. */
static int
touch(struct index_writer *w, uint32_t id, uint32_t marker)
{
    uint32_t *place = touched_place(w, id);
    int is_first;

    if (place == NULL)
        return -1;
    is_first = *place != marker;
    *place = marker;
    return is_first;
}

static void
untouch(struct index_writer *w, uint32_t id)
{
    uint32_t page = id / TOUCHED_PAGE_IDS;

    if (page < w->n_touched_pages && w->touched[page] != NULL)
        w->touched[page][id % TOUCHED_PAGE_IDS] = 0;
}

static void
untouch_all(struct index_writer *w)
{
    for (uint32_t i = 0; i < w->n_touched_pages; i++)
        free(w->touched[i]);
    free(w->touched);
    w->touched = NULL;
    w->n_touched_pages = 0;
}

/* --- documents */

static void
add_member(struct buf *out, struct str name, const struct json *value)
{
    buf_add_char(out, out->len == 0 ? '{' : ',');
    json_write_string(out, name);
    buf_add_char(out, ':');
    json_write(out, value);
}

static int
end_text(struct index_writer *w, struct err *err)
{
    if (w->text.len == 0)
        buf_add_char(&w->text, '{');
    buf_add_char(&w->text, '}');
    return buf_failed(&w->text) ? fail_memory(err) : 0;
}

/* The members of old with the marked ones in their place, the other marked ones behind. */
static int
write_merged(struct index_writer *w, const struct json *old, const struct json *document,
             struct err *err)
{
    buf_clear(&w->text);
    for (struct json_iter it = json_iter(old); json_next(&it);) {
        const struct json *value = fields_take(&w->fields, it.key);
        add_member(&w->text, it.key, value != NULL ? value : it.value);
    }
    for (struct json_iter it = json_iter(document); json_next(&it);) {
        const struct json *value = fields_take(&w->fields, it.key);
        if (value != NULL)
            add_member(&w->text, it.key, value);
    }
    return end_text(w, err);
}

/* Counts the fields of the JSON in text. */
static int
count_text(struct index_writer *w, struct str text, bool more, struct err *err)
{
    struct json_doc *doc = json_parse_scratch(w->scratch, text, NULL);
    int rc = doc == NULL ? STORE_ECORRUPT : fields_count(&w->fields, json_root(doc), more);

    json_doc_free(doc);
    if (doc == NULL)
        return index_store_error(err, rc);
    if (rc < 0)
        return fail_memory(err);
    return 0;
}

static int
check_fields(struct index_writer *w, struct err *err)
{
    if (w->fields.n_live <= DOCUMENT_MAX_FIELDS)
        return 0;
    return err_set(err, ERR_MAX_FIELDS_LIMIT_EXCEEDED,
                   "A document cannot contain more than 65,535 fields.");
}

static int
put_new(struct index_writer *w, const struct index_add *add, uint32_t *ret_id, struct err *err)
{
    int rc = w->has_free_ids ? take_free_id(w, ret_id) : 0;
    bool is_appended = rc == 0;

    if (rc < 0)
        return index_store_error(err, rc);
    if (is_appended && w->counts.next_id == UINT32_MAX)
        return index_store_error(err, STORE_EFULL);
    if (is_appended)
        *ret_id = w->counts.next_id++;
    if (fields_count(&w->fields, add->document, true) < 0)
        return fail_memory(err);
    rc = ids_writer_put(&w->ids, add->external_id, *ret_id);
    if (rc == 0)
        rc = body_put(&w->bodies, *ret_id, is_appended ? BODY_LAST : BODY_NEW, add->text);
    if (rc < 0)
        return index_store_error(err, rc);
    w->counts.n_documents++;
    w->counts.raw_bytes += add->text.len;
    return check_fields(w, err);
}

/* The text of old with the members of add merged into it; the members of old are no longer counted
 * unless nothing changes. */
static int
merged_text(struct index_writer *w, const struct index_add *add, struct str old, struct str *ret,
            struct err *err)
{
    struct json_doc *doc;
    int rc;

    if (fields_mark(&w->fields, add->document) < 0)
        return fail_memory(err);
    doc = json_parse_scratch(w->scratch, old, NULL);
    if (doc == NULL)
        return index_store_error(err, STORE_ECORRUPT);
    rc = write_merged(w, json_root(doc), add->document, err);
    *ret = buf_str(&w->text);
    if (rc == 0 && !str_equal(*ret, old) && fields_count(&w->fields, json_root(doc), false) < 0)
        rc = fail_memory(err);
    json_doc_free(doc);
    return rc < 0 || str_equal(*ret, old) ? rc : count_text(w, *ret, true, err);
}

/* The text of add in place of old, counted instead of it. */
static int
replaced_text(struct index_writer *w, const struct index_add *add, struct str old, struct str *ret,
              struct err *err)
{
    *ret = add->text;
    if (str_equal(*ret, old))
        return 0;
    if (count_text(w, old, false, err) < 0)
        return -1;
    return fields_count(&w->fields, add->document, true) < 0 ? fail_memory(err) : 0;
}

static int
put_changed(struct index_writer *w, const struct index_add *add, uint32_t id, struct err *err)
{
    struct str old, text;
    uint64_t old_len;
    int rc = body_get(&w->bodies, id, &old);

    if (rc != 1)
        return index_store_error(err, rc < 0 ? rc : STORE_ECORRUPT);
    rc = add->method == DOCUMENT_REPLACE ? replaced_text(w, add, old, &text, err)
                                         : merged_text(w, add, old, &text, err);
    if (rc < 0)
        return -1;
    if (str_equal(text, old))
        return 0;
    old_len = old.len; /* old is gone with the put */
    rc = body_put(&w->bodies, id, BODY_CHANGED, text);
    if (rc < 0)
        return index_store_error(err, rc);
    w->counts.raw_bytes += text.len - old_len;
    return check_fields(w, err);
}

int
index_writer_add(struct index_writer *w, const struct index_add *add, struct err *err)
{
    uint32_t id = 0;
    int rc = ids_writer_find(&w->ids, add->external_id, &id);
    bool existed;

    if (rc < 0)
        return index_store_error(err, rc);
    if (rc == 0 && add->skip_creation)
        return 0;
    existed = rc == 1;
    rc = changes_note(&w->changes, add->external_id, existed);
    if (rc < 0)
        return index_store_error(err, rc);
    rc = !existed ? put_new(w, add, &id, err) : put_changed(w, add, id, err);
    if (rc < 0)
        return -1;
    rc = touch(w, id, add->marker);
    return rc < 0 ? fail_memory(err) : 1 + rc;
}

int
index_writer_delete(struct index_writer *w, struct str external_id, struct err *err)
{
    struct str old;
    uint8_t key[4];
    uint32_t id = 0;
    int rc = document_id_is_storable(external_id) ? ids_writer_find(&w->ids, external_id, &id) : 0;

    if (rc == 0)
        return 0;
    if (rc == 1)
        rc = body_get(&w->bodies, id, &old);
    if (rc != 1)
        return index_store_error(err, rc < 0 ? rc : STORE_ECORRUPT);
    if (count_text(w, old, false, err) < 0)
        return -1;
    w->counts.raw_bytes -= old.len;
    w->counts.n_documents--;
    rc = changes_note(&w->changes, external_id, true);
    if (rc >= 0)
        rc = body_delete(&w->bodies, id);
    if (rc >= 0)
        rc = ids_writer_delete(&w->ids, external_id);
    if (rc >= 0)
        rc = store_put(w->txn, INDEX_FREE_IDS, key_u32(key, id), STR(""));
    if (rc < 0)
        return index_store_error(err, rc);
    untouch(w, id);
    w->has_free_ids = true;
    return 1;
}

int
index_writer_next(struct index_writer *w, uint32_t from, uint32_t *ret_id, struct str *ret_text,
                  struct err *err)
{
    int rc = body_next(&w->bodies, from, ret_id, ret_text);

    return rc < 0 ? index_store_error(err, rc) : rc;
}

int
index_writer_note_changes(struct index_writer *w, uint64_t run, struct err *err)
{
    int rc = changes_begin(&w->changes, run);

    return rc < 0 ? index_store_error(err, rc) : 0;
}

int
index_writer_note_all(struct index_writer *w, int64_t deadline_us, struct err *err)
{
    int rc = w->changes.is_on ? ids_writer_flush(&w->ids) : 0;

    if (rc >= 0)
        rc = changes_note_all(&w->changes, deadline_us);
    return rc < 0 ? index_store_error(err, rc) : rc;
}

int
index_writer_clear(struct index_writer *w, struct err *err)
{
    int rc = bodies_clear(&w->bodies);

    if (rc == 0)
        rc = ids_writer_clear(&w->ids);
    if (rc == 0)
        rc = store_clear(w->txn, INDEX_FREE_IDS);
    if (rc < 0)
        return index_store_error(err, rc);
    fields_clear(&w->fields);
    w->counts = (struct counts){0};
    w->has_free_ids = false;
    untouch_all(w);
    return 0;
}

int
index_writer_totals(struct index_writer *w, struct index_totals *ret)
{
    ret->n_documents = w->counts.n_documents;
    ret->raw_bytes = w->counts.raw_bytes;
    ret->field_distribution = fields_write(&w->fields);
    return ret->field_distribution == NULL ? STORE_EFULL : 0;
}

/* --- committing */

static int
put_meta(struct index_writer *w, struct str applied)
{
    int rc = counts_store(&w->counts, w->txn);

    if (rc == 0)
        rc = fields_store(&w->fields, w->txn);
    if (rc == 0)
        rc = ids_writer_flush(&w->ids);
    if (rc == 0)
        rc = bodies_store(&w->bodies);
    if (rc < 0 || applied.data == NULL)
        return rc;
    return store_put(w->txn, INDEX_META, INDEX_META_APPLIED, applied);
}

void
index_writer_empty_all(struct index_writer *w)
{
    bodies_empty_all(&w->bodies);
}

int
index_writer_settle(struct index_writer *w, int64_t deadline_us, struct err *err)
{
    int rc = bodies_settle(&w->bodies, deadline_us);

    return rc < 0 ? index_store_error(err, rc) : rc;
}

int
index_writer_commit(struct index_writer *w, struct str applied, struct err *err)
{
    struct segments *s = &w->index->segments;
    int rc;

    while ((rc = bodies_settle(&w->bodies, INT64_MAX)) == 1)
        continue;
    if (rc == 0)
        rc = put_meta(w, applied);
    if (rc < 0) {
        (void) index_store_error(err, rc);
        index_writer_abort(w);
        return -1;
    }
    rc = store_commit(w->txn);
    if (rc == 0)
        segments_committed(s);
    else
        segments_rolled_back(s, false);
    writer_free(w);
    return rc < 0 ? index_store_error(err, rc) : 0;
}
