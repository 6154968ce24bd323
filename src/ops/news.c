/* Turns finished batches into organisation events. Owns which batch makes which event and the
 * metadata of each; does not know who is subscribed, nor how anything is sent.
 *
 *  step    collection.created of an import's index, object.*, collection.documents.written
 *  add     collection.created, .updated, .deleted, index.deployed: once a batch and collection
 *  finish  batch.completed */
#include "ops/news.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "codec/digest.h"
#include "index/strmap.h"
#include "ops/documents.h"
#include "store/tables.h"

enum {
    STEP_US = 2000, /* of one turn; its commit takes about as long */
    CHANGES_BETWEEN_LOOKS = 16,
    IDS_MAX = 1000, /* of documents, of collections: the rest is only counted */
    IDS_MAX_BYTES = 64 * 1024,
    SNAPSHOT_MAX_BYTES = 64 * 1024, /* a larger document is told without its content */
    SIGNATURE_BYTES = 8,
};
#define NEW_INDEX_PREFIX "collection-created:"
enum {
    NEW_INDEX_PREFIX_LEN = sizeof(NEW_INDEX_PREFIX) - 1,
    NEW_INDEX_KEY_LEN = NEW_INDEX_PREFIX_LEN + 16
};

#define OBJECT_EVENTS                                                                              \
    (CATALOG_BIT(CATALOG_OBJECT_CREATED) | CATALOG_BIT(CATALOG_OBJECT_UPDATED) |                   \
     CATALOG_BIT(CATALOG_OBJECT_DELETED))

struct ids_list {
    struct buf json; /* elements with commas */
    uint32_t n;
    bool is_cut;
};

enum news_phase { NEWS_CREATED, NEWS_CHANGES, NEWS_WRITTEN, NEWS_STEPPED };

struct news {
    struct ops *ops;
    struct organization_news *events;
    uint64_t wanted;
    uint32_t batch_uid;
    enum news_phase phase;
    struct uuid created; /* whose row goes with the finish; nil: none */
    /* documents */
    struct buf after; /* the last change that was told */
    uint64_t n_created, n_updated, n_deleted;
    struct ids_list written, deleted;
    /* tasks */
    struct strmap collections; /* that the batch's tasks are about */
    uint64_t *told;            /* events of each, by its number */
    size_t told_cap;
    uint32_t n_tasks, by_status[TASK_STATUS_COUNT];
};

/* --- while batches run ------------------------------------------------------------------------ */

void
ops_tell(struct ops *o, struct webhooks *w)
{
    o->webhooks = w;
}

static uint64_t
wanted(const struct ops *o)
{
    return o->webhooks == NULL ? 0 : organization_wanted(o->webhooks);
}

bool
news_notes_changes(const struct ops *o)
{
    return (wanted(o) & (OBJECT_EVENTS | CATALOG_BIT(CATALOG_DOCUMENTS_WRITTEN))) != 0;
}

static struct str
new_index_key(uint8_t out[NEW_INDEX_KEY_LEN], const struct uuid *index)
{
    memcpy(out, NEW_INDEX_PREFIX, NEW_INDEX_PREFIX_LEN);
    memcpy(out + NEW_INDEX_PREFIX_LEN, index->bytes, sizeof(index->bytes));
    return str_make(out, NEW_INDEX_KEY_LEN);
}

int
news_of_new_index(const struct ops *o, struct store_txn *txn, const struct uuid *index)
{
    uint8_t key[NEW_INDEX_KEY_LEN];

    if ((wanted(o) & CATALOG_BIT(CATALOG_COLLECTION_CREATED)) == 0)
        return 0;
    return store_put(txn, TABLE_META, new_index_key(key, index), STR("1"));
}

/* --- life ------------------------------------------------------------------------------------- */

struct news *
news_begin(struct ops *o, uint32_t batch_uid)
{
    uint64_t events = wanted(o);
    struct news *n;

    if (events == 0)
        return NULL;
    n = mem_new(1, sizeof(*n));
    n->ops = o;
    n->wanted = events;
    n->batch_uid = batch_uid;
    strmap_init(&n->collections);
    n->events = organization_news_begin(o->webhooks);
    return n;
}

static void
news_free(struct news *n)
{
    strmap_done(&n->collections);
    free(n->told);
    buf_done(&n->after);
    buf_done(&n->written.json);
    buf_done(&n->deleted.json);
    free(n);
}

void
news_discard(struct news *n)
{
    organization_news_discard(n->events);
    news_free(n);
}

static bool
is_wanted(const struct news *n, enum catalog_event e)
{
    return (n->wanted & CATALOG_BIT(e)) != 0;
}

/* --- events ----------------------------------------------------------------------------------- */

static void
put_text(struct json_out *j, const char *name, struct str text)
{
    json_key(j, name);
    json_put_str(j, text);
}

static void
put_number(struct json_out *j, const char *name, uint64_t n)
{
    json_key(j, name);
    json_put_u64(j, n);
}

static void
put_number_text(struct json_out *j, const char *name, uint64_t n)
{
    struct buf text = BUF_INIT;

    buf_add_u64(&text, n);
    put_text(j, name, buf_str(&text));
    buf_done(&text);
}

/* Consumes metadata, a whole object, and scope (empty: null). */
static int
tell(struct news *n, struct store_txn *txn, struct organization_event *e, struct buf *metadata,
     struct buf *scope)
{
    int rc;

    e->metadata = buf_str(metadata);
    e->cache_scope = scope->len > 0 ? buf_str(scope) : STR_NULL;
    rc = buf_failed(metadata) || buf_failed(scope) ? STORE_EFULL
                                                   : organization_news_add(n->events, txn, e);
    buf_done(metadata);
    buf_done(scope);
    return rc;
}

static void
write_collection_scope(struct buf *out, struct str uid)
{
    struct json_out j = json_out(out);

    json_begin_object(&j);
    put_text(&j, "scope", STR("collection"));
    put_text(&j, "collection_id", uid);
    json_end_object(&j);
}

/* About a collection; consumes more: further members, each with a comma in front. */
static int
tell_collection(struct news *n, struct store_txn *txn, enum catalog_event type, struct str uid,
                struct buf *more)
{
    struct organization_event e = {
        .type = type, .subject_type = STR("collection"), .subject_id = uid};
    struct buf metadata = BUF_INIT, scope = BUF_INIT;
    struct json_out j = json_out(&metadata);

    json_begin_object(&j);
    put_text(&j, "collection_id", uid);
    put_number_text(&j, "batch_id", n->batch_uid);
    buf_add_str(&metadata, buf_str(more));
    json_end_object(&j);
    buf_done(more);
    write_collection_scope(&scope, uid);
    return tell(n, txn, &e, &metadata, &scope);
}

/* --- step: documents -------------------------------------------------------------------------- */

/* An import's index that nobody was told of yet. */
static int
tell_created(struct news *n, struct store_txn *txn, const struct batch_run *run)
{
    uint8_t key[NEW_INDEX_KEY_LEN];
    struct buf more = BUF_INIT;
    struct index_info info;
    int rc = run->index_uid == NULL ? 0 : catalog_get(txn, str_from(run->index_uid), &info);

    if (rc != 1)
        return rc;
    rc = store_get(txn, TABLE_META, new_index_key(key, &info.uuid), NULL);
    if (rc == 1) {
        n->created = info.uuid;
        rc = tell_collection(n, txn, CATALOG_COLLECTION_CREATED, str_from(run->index_uid), &more);
    }
    index_info_done(&info);
    return rc;
}

static void
ids_add(struct ids_list *l, struct str id)
{
    if (l->n >= IDS_MAX || l->json.len + id.len > IDS_MAX_BYTES) {
        l->is_cut = true;
        return;
    }
    if (l->n++ > 0)
        buf_add_char(&l->json, ',');
    json_write_string(&l->json, id);
}

static int
tell_object(struct news *n, struct store_txn *txn, struct str collection, enum catalog_event type,
            struct str id, struct str text)
{
    struct organization_event e = {.type = type, .subject_type = STR("object"), .subject_id = id};
    struct buf metadata = BUF_INIT, scope = BUF_INIT;
    struct json_out j = json_out(&metadata), s = json_out(&scope);
    bool is_shown = text.data != NULL && text.len <= SNAPSHOT_MAX_BYTES;

    json_begin_object(&j);
    put_text(&j, "bucket_id", collection);
    put_text(&j, "collection_id", collection);
    put_text(&j, "object_id", id);
    put_number_text(&j, "batch_id", n->batch_uid);
    if (type != CATALOG_OBJECT_DELETED) {
        json_key(&j, "object");
        if (is_shown)
            json_put_raw(&j, text);
        else
            json_put_null(&j);
        put_number(&j, "object_bytes", text.len);
    }
    json_end_object(&j);
    json_begin_object(&s);
    put_text(&s, "scope", STR("key"));
    put_text(&s, "collection_id", collection);
    json_key(&s, "keys");
    json_begin_array(&s);
    json_put_str(&s, id);
    json_end_array(&s);
    json_end_object(&s);
    return tell(n, txn, &e, &metadata, &scope);
}

/* What became of a document, seen from before to after the batch. */
static int
tell_change(struct news *n, struct store_txn *txn, struct index_reader *r, struct str collection,
            const struct index_change *c)
{
    struct str text = STR_NULL;
    int rc = index_reader_get(r, c->external_id, &text);
    enum catalog_event type;

    if (rc < 0)
        return rc;
    if (rc == 0 && !c->existed)
        return 0; /* came and went */
    type = rc == 0      ? CATALOG_OBJECT_DELETED
           : c->existed ? CATALOG_OBJECT_UPDATED
                        : CATALOG_OBJECT_CREATED;
    n->n_created += type == CATALOG_OBJECT_CREATED;
    n->n_updated += type == CATALOG_OBJECT_UPDATED;
    n->n_deleted += type == CATALOG_OBJECT_DELETED;
    ids_add(type == CATALOG_OBJECT_DELETED ? &n->deleted : &n->written, c->external_id);
    if (!is_wanted(n, type))
        return 0;
    return tell_object(n, txn, collection, type, c->external_id, text);
}

/* 1: time is up, 0: through, negative. */
static int
tell_changes_from(struct news *n, struct store_txn *txn, struct index_reader *r,
                  struct str collection)
{
    int64_t deadline_us = clock_mono_us() + STEP_US;
    struct index_change c;
    int rc;

    for (unsigned at = 1; (rc = index_reader_next_change(r, buf_str(&n->after), &c)) == 1; at++) {
        rc = tell_change(n, txn, r, collection, &c);
        buf_clear(&n->after);
        buf_add_str(&n->after, c.external_id);
        if (rc < 0 || buf_failed(&n->after))
            return rc < 0 ? rc : STORE_EFULL;
        if (at % CHANGES_BETWEEN_LOOKS == 0 && clock_mono_us() >= deadline_us)
            return 1;
    }
    return rc;
}

static int
tell_changes(struct news *n, struct store_txn *txn, const struct batch_run *run)
{
    struct index *index = documents_applied(run);
    struct index_reader r;
    int rc = index == NULL ? 0 : index_reader_open(&r, index);

    if (index == NULL || rc < 0)
        return rc;
    rc = index_reader_noted(&r, run->run_id);
    if (rc == 1)
        rc = tell_changes_from(n, txn, &r, str_from(run->index_uid));
    index_reader_close(&r);
    return rc;
}

/* Says which state of the collection it is: another one after every batch that wrote to it. */
static void
put_signature(struct json_out *j, const struct batch_run *run)
{
    struct buf text = BUF_INIT;
    uint8_t digest[SHA256_BYTES];

    buf_addf(&text, "%s:%llu", run->index_uid, (unsigned long long) run->run_id);
    digest_sha256(buf_str(&text), digest);
    buf_clear(&text);
    for (size_t i = 0; i < SIGNATURE_BYTES; i++)
        buf_addf(&text, "%02x", digest[i]);
    put_text(j, "index_signature", buf_str(&text));
    buf_done(&text);
}

static void
put_ids(struct json_out *j, const char *name, const struct ids_list *l)
{
    json_key(j, name);
    json_begin_array(j);
    buf_add_str(j->out, buf_str(&l->json));
    json_end_array(j);
}

static int
tell_written(struct news *n, struct store_txn *txn, const struct batch_run *run)
{
    struct buf more = BUF_INIT;
    struct json_out j = json_out(&more);

    if (n->n_created + n->n_updated + n->n_deleted == 0 || !is_wanted(n, CATALOG_DOCUMENTS_WRITTEN))
        return 0;
    if (buf_failed(&n->written.json) || buf_failed(&n->deleted.json))
        return STORE_EFULL;
    j.comma = true;
    put_ids(&j, "document_ids", &n->written);
    put_number(&j, "document_count", n->n_created + n->n_updated);
    put_number(&j, "created_count", n->n_created);
    put_number(&j, "updated_count", n->n_updated);
    put_ids(&j, "deleted_document_ids", &n->deleted);
    put_number(&j, "deleted_count", n->n_deleted);
    json_key(&j, "document_ids_truncated");
    json_put_bool(&j, n->written.is_cut || n->deleted.is_cut);
    put_signature(&j, run);
    return tell_collection(n, txn, CATALOG_DOCUMENTS_WRITTEN, str_from(run->index_uid), &more);
}

int
news_step(struct news *n, struct store_txn *txn, const struct batch_run *run)
{
    static int (*const phases[NEWS_STEPPED])(struct news * n, struct store_txn * txn,
                                             const struct batch_run *run) = {
        [NEWS_CREATED] = tell_created,
        [NEWS_CHANGES] = tell_changes,
        [NEWS_WRITTEN] = tell_written,
    };

    while (n->phase < NEWS_STEPPED) {
        int rc = phases[n->phase](n, txn, run);
        if (rc != 0)
            return rc;
        n->phase++;
    }
    return 0;
}

/* --- add: tasks ------------------------------------------------------------------------------- */

/* What was told of a collection; NULL: no memory. */
static uint64_t *
told_of(struct news *n, struct str uid)
{
    bool is_new;
    int64_t number = strmap_put(&n->collections, uid, &is_new);

    if (number < 0)
        return NULL;
    if ((size_t) number >= n->told_cap) {
        n->told_cap = n->told_cap == 0 ? 8 : n->told_cap * 2;
        n->told = mem_grow(n->told, n->told_cap, sizeof(*n->told));
    }
    if (is_new)
        n->told[number] = 0;
    return &n->told[number];
}

/* Once a batch. `before`: what it was called until now; data NULL: the same. */
static int
tell_once(struct news *n, struct store_txn *txn, enum catalog_event type, struct str uid,
          const struct task *t, struct str before)
{
    uint64_t *told = told_of(n, uid);
    struct buf more = BUF_INIT;
    struct json_out j = json_out(&more);

    if (told == NULL)
        return STORE_EFULL;
    if ((*told & CATALOG_BIT(type)) != 0 || !is_wanted(n, type))
        return 0;
    *told |= CATALOG_BIT(type);
    j.comma = true;
    put_number_text(&j, "task_id", t->uid);
    put_text(&j, "cause", str_from(task_kind_name(t->kind)));
    if (before.data != NULL)
        put_text(&j, "previous_collection_id", before);
    if (t->kind == KIND_INDEX_DEPLOY && t->details != NULL) {
        json_key(&j, "details");
        json_put_raw(&j, str_from(t->details));
    }
    return tell_collection(n, txn, type, uid, &more);
}

/* A swap exchanges what two names mean; a rename takes one away. */
static int
tell_swap(struct news *n, struct store_txn *txn, const struct task *t, const struct json *swap)
{
    const struct json *uids = json_get_c(swap, "indexes"), *rename = json_get_c(swap, "rename");
    struct json_iter it;
    struct str a, b;
    int rc;

    if (uids == NULL)
        return 0;
    it = json_iter(uids);
    if (!json_next(&it))
        return 0;
    a = json_string(it.value);
    if (!json_next(&it))
        return 0;
    b = json_string(it.value);
    rc = tell_once(n, txn, CATALOG_COLLECTION_UPDATED, b, t, a);
    if (rc == 0 && (rename == NULL || !json_bool(rename)))
        rc = tell_once(n, txn, CATALOG_COLLECTION_UPDATED, a, t, b);
    return rc;
}

static int
tell_swaps(struct news *n, struct store_txn *txn, const struct task *t, const struct json *details)
{
    const struct json *swaps = json_get_c(details, "swaps");
    struct json_iter it;
    int rc = 0;

    if (swaps == NULL)
        return 0;
    it = json_iter(swaps);
    while (rc == 0 && json_next(&it))
        rc = tell_swap(n, txn, t, it.value);
    return rc;
}

static int
tell_index_update(struct news *n, struct store_txn *txn, const struct task *t,
                  const struct json *details)
{
    const struct json *given = details == NULL ? NULL : json_get_c(details, "newIndexUid");
    struct str new_uid = given == NULL ? STR_NULL : json_string(given);
    struct str uid = str_from(t->index_uid);
    bool is_renamed = new_uid.len > 0 && !str_equal(new_uid, uid);

    (void) told_of(n, uid); /* of the batch's collections */
    return tell_once(n, txn, CATALOG_COLLECTION_UPDATED, is_renamed ? new_uid : uid, t,
                     is_renamed ? uid : STR_NULL);
}

static int
tell_details(struct news *n, struct store_txn *txn, const struct task *t)
{
    struct json_doc *doc = t->details == NULL ? NULL : json_parse(str_from(t->details), NULL);
    const struct json *details = doc == NULL ? NULL : json_root(doc);
    int rc = 0;

    if (t->kind == KIND_INDEX_SWAP && details != NULL)
        rc = tell_swaps(n, txn, t, details);
    else if (t->kind == KIND_INDEX_UPDATE)
        rc = tell_index_update(n, txn, t, details);
    json_doc_free(doc);
    return rc;
}

static int
tell_task(struct news *n, struct store_txn *txn, const struct task *t)
{
    static const struct {
        enum task_kind kind;
        enum catalog_event event;
    } rows[] = {
        {KIND_INDEX_CREATION, CATALOG_COLLECTION_CREATED},
        {KIND_INDEX_DELETION, CATALOG_COLLECTION_DELETED},
        {KIND_SETTINGS_UPDATE, CATALOG_COLLECTION_UPDATED},
        {KIND_INDEX_DEPLOY, CATALOG_INDEX_DEPLOYED},
    };

    if (t->kind == KIND_INDEX_SWAP || t->kind == KIND_INDEX_UPDATE)
        return tell_details(n, txn, t);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && t->index_uid != NULL; i++) {
        if (rows[i].kind == t->kind)
            return tell_once(n, txn, rows[i].event, str_from(t->index_uid), t, STR_NULL);
    }
    return 0;
}

int
news_add(struct news *n, struct store_txn *txn, const struct task *t)
{
    n->n_tasks++;
    n->by_status[t->status]++;
    if (t->index_uid != NULL)
        (void) told_of(n, str_from(t->index_uid));
    return t->status == TASK_SUCCEEDED ? tell_task(n, txn, t) : 0;
}

/* --- finish: the batch ------------------------------------------------------------------------ */

static void
write_batch_scope(struct buf *out, const struct news *n)
{
    if (n->collections.n == 1)
        write_collection_scope(out, strmap_name(&n->collections, 0));
    else if (n->collections.n > 1)
        buf_add_cstr(out, "{\"scope\":\"namespace\"}");
}

static int
tell_batch(struct news *n, struct store_txn *txn)
{
    struct buf metadata = BUF_INIT, scope = BUF_INIT, id = BUF_INIT;
    struct ids_list collections = {0};
    struct json_out j = json_out(&metadata);
    uint32_t failed = n->by_status[TASK_FAILED];
    int rc;

    buf_add_u64(&id, n->batch_uid);
    json_begin_object(&j);
    put_text(&j, "batch_id", buf_str(&id));
    put_text(&j, "status",
             failed == 0                         ? STR("COMPLETED")
             : n->by_status[TASK_SUCCEEDED] == 0 ? STR("FAILED")
                                                 : STR("COMPLETED_WITH_ERRORS"));
    for (uint32_t i = 0; i < n->collections.n; i++)
        ids_add(&collections, strmap_name(&n->collections, i));
    put_ids(&j, "collection_ids", &collections);
    put_number(&j, "collection_count", n->collections.n);
    put_number(&j, "task_count", n->n_tasks);
    put_number(&j, "succeeded_count", n->by_status[TASK_SUCCEEDED]);
    put_number(&j, "failed_count", failed);
    put_number(&j, "canceled_count", n->by_status[TASK_CANCELED]);
    put_number(&j, "document_count", n->n_created + n->n_updated);
    put_number(&j, "deleted_count", n->n_deleted);
    json_end_object(&j);
    write_batch_scope(&scope, n);
    struct organization_event e = {
        .type = CATALOG_BATCH_COMPLETED, .subject_type = STR("batch"), .subject_id = buf_str(&id)};
    rc = buf_failed(&collections.json) ? STORE_EFULL : 0;
    if (rc == 0)
        rc = tell(n, txn, &e, &metadata, &scope);
    buf_done(&collections.json);
    buf_done(&id);
    return rc;
}

int
news_finish(struct news *n, struct store_txn *txn)
{
    uint8_t key[NEW_INDEX_KEY_LEN];
    int rc = is_wanted(n, CATALOG_BATCH_COMPLETED) ? tell_batch(n, txn) : 0;

    if (rc == 0 && !uuid_is_nil(&n->created))
        rc = store_delete(txn, TABLE_META, new_index_key(key, &n->created));
    if (rc >= 0)
        rc = organization_news_finish(n->events, txn, NULL);
    else
        organization_news_discard(n->events);
    news_free(n);
    return rc;
}
