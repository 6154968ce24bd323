/* indexDeploy: what is staged for an index, from the last snapshot on and below the deploy's own
 * uid, goes into the writer of its batch, operation by operation. Owns the order (removals of a
 * request come before its documents); rows are staging.c's, the batch documents.c's.
 *
 *  COUNT (for progress) -> CLEAR -> { REMOVE -> UPSERT } an operation -> END */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "ops/documents.h"
#include "ops/staged_items.h"
#include "ops/staging.h"

enum deploy_phase {
    DEPLOY_COUNT,
    DEPLOY_CLEAR,
    DEPLOY_NEXT, /* loads an operation */
    DEPLOY_REMOVE,
    DEPLOY_UPSERT,
    DEPLOY_END,
};

struct deploy {
    enum deploy_phase phase;
    struct staging staging;
    bool replaces_all;
    uint32_t from, below; /* uids of the operations that are left */
    uint32_t base;        /* the first of all */
    struct staged op;     /* being applied */
    uint64_t n_ops, n_deleted;
};

/* --- beginning */

static int
read_staging(struct documents *d, struct store_txn *txn)
{
    struct deploy *s = d->deploy;
    int rc = staging_get(txn, str_from(d->run->index_uid), &s->staging);

    if (rc == 1)
        rc = staging_base(txn, &s->staging, s->below, &s->base);
    s->replaces_all = rc == 1;
    s->from = s->base;
    return rc < 0 ? member_store_error(d, rc) : 0;
}

/* The schema that was staged becomes the searchable attributes. */
static int
apply_schema(struct documents *d, struct store_txn *txn)
{
    struct str names = STR_NULL;
    struct buf text = BUF_INIT;
    struct json_doc *doc;
    int rc = staging_schema(txn, &d->deploy->staging, d->deploy->below, &names);

    if (rc != 1)
        return rc < 0 ? member_store_error(d, rc) : 0;
    buf_addf(&text, "{\"searchableAttributes\":%.*s}", STR_ARG(names));
    doc = json_parse(buf_str(&text), NULL);
    buf_done(&text);
    if (doc == NULL)
        return err_set(&d->err, ERR_INTERNAL, "the staged schema is damaged");
    rc = settings_apply(&d->settings, json_root(doc), &d->err);
    json_doc_free(doc);
    d->changes_settings = true;
    return rc;
}

static int
begin(struct documents *d)
{
    struct store_txn *txn;
    int rc;

    if (member_load(d) < 0 || documents_load_settings(d) < 0)
        return -1;
    d->deploy = mem_new(1, sizeof(*d->deploy));
    d->deploy->below = d->member.task.uid;
    txn = turn_read(d->ops->turn);
    if (txn == NULL)
        return member_store_error(d, STORE_EIO);
    rc = read_staging(d, txn);
    if (rc == 0)
        rc = apply_schema(d, txn);
    store_abort(txn);
    return rc;
}

/* The next operation: 1 with s->op (inline bytes copied into the member's text), 0, negative. */
static int
load_next(struct documents *d, bool with_text)
{
    struct deploy *s = d->deploy;
    struct store_txn *txn = turn_read(d->ops->turn);
    int rc;

    if (txn == NULL)
        return member_store_error(d, STORE_EIO);
    rc = staging_next(txn, &s->staging, s->from, s->below, &s->op);
    if (rc < 0)
        (void) member_store_error(d, rc);
    if (rc == 1) {
        s->from = s->op.uid + 1;
        if (with_text && s->op.size > 0 && member_load_text(d, &s->op.file, s->op.inline_bytes) < 0)
            rc = -1;
    }
    s->op.inline_bytes = STR_NULL;
    store_abort(txn);
    return rc;
}

/* --- phases: 1 while there is more to do in it, 0 when it set the next one, negative */

static int
count_one(struct documents *d)
{
    struct deploy *s = d->deploy;
    int rc = load_next(d, false);

    if (rc < 0)
        return rc;
    if (rc == 1) {
        s->n_ops++;
        d->payload_bytes += s->op.size;
        return 1;
    }
    s->from = s->base;
    s->phase = DEPLOY_CLEAR;
    return 0;
}

static int
clear(struct documents *d)
{
    struct deploy *s = d->deploy;
    int rc = s->replaces_all ? index_writer_note_all(d->writer, clock_mono_us(), &d->err) : 0;

    if (rc != 0)
        return rc;
    s->phase = DEPLOY_NEXT;
    if (!s->replaces_all)
        return 0;
    s->n_deleted = index_writer_count(d->writer);
    return index_writer_clear(d->writer, &d->err);
}

static void
close_op(struct documents *d)
{
    struct member *m = &d->member;

    d->done_bytes += m->text.len;
    payload_unmap(m->mapped);
    m->mapped = m->text = STR_NULL;
    m->at = 0;
}

static int
next_op(struct documents *d)
{
    struct deploy *s = d->deploy;
    int rc;

    close_op(d);
    rc = load_next(d, true);
    if (rc >= 0)
        s->phase = rc == 0 ? DEPLOY_END : s->op.n_removes > 0 ? DEPLOY_REMOVE : DEPLOY_UPSERT;
    return rc < 0 ? rc : 0;
}

static int
fail_damaged(struct documents *d)
{
    return err_set(&d->err, ERR_INTERNAL, "the payload of task %u is damaged", d->deploy->op.uid);
}

static int
remove_id(struct documents *d, struct str line)
{
    struct json_doc *doc = json_parse_scratch(d->scratch, line, NULL);
    int rc = doc == NULL ? fail_damaged(d)
                         : index_writer_delete(d->writer, json_string(json_root(doc)), &d->err);

    json_doc_free(doc);
    if (rc == 1)
        d->deploy->n_deleted++;
    return rc < 0 ? rc : 1;
}

static int
remove_one(struct documents *d)
{
    struct str line;

    if (member_next_line(&d->member, &line))
        return line.len > 0 && line.data[0] == '"' ? remove_id(d, line) : 1;
    d->member.at = 0;
    d->deploy->phase = DEPLOY_UPSERT;
    return 0;
}

/* An index without primary key gets the one of data sources. */
static struct str
id_name(struct documents *d)
{
    if (documents_primary_key(d) == NULL)
        d->new_primary_key = mem_strdup(STAGING_ID_NAME);
    return str_from(documents_primary_key(d));
}

static int
upsert(struct documents *d, const struct json *document, struct str line)
{
    struct str name = id_name(d);
    const struct json *id = json_get(document, name);

    if (id == NULL)
        return err_set(&d->err, ERR_MISSING_DOCUMENT_ID,
                       "A document of task %u doesn't have a `%.*s` attribute.", d->deploy->op.uid,
                       STR_ARG(name));
    buf_clear(&d->id);
    if (staged_id(id, &d->id, &d->err) < 0 ||
        (d->checks_geo && geo_check(document, buf_str(&d->id), &d->err) < 0))
        return -1;
    return member_apply(d, document, line) == LINE_DONE ? 1 : -1;
}

static int
upsert_one(struct documents *d)
{
    struct json_doc *doc;
    struct str line;
    int rc;

    if (!member_next_line(&d->member, &line)) {
        d->deploy->phase = DEPLOY_NEXT;
        return 0;
    }
    if (line.len > 0 && line.data[0] == '"')
        return 1;
    doc = json_parse_scratch(d->scratch, line, NULL);
    rc = doc == NULL ? fail_damaged(d) : upsert(d, json_root(doc), line);
    json_doc_free(doc);
    return rc;
}

/* --- the whole */

static int
succeed(struct documents *d)
{
    const struct deploy *s = d->deploy;
    struct buf details = BUF_INIT;

    ops_write_deploy_details(&details, &(struct deploy_details){.is_done = true,
                                                                .replaces_all = s->replaces_all,
                                                                .n_ops = s->n_ops,
                                                                .n_indexed = d->member.count,
                                                                .n_deleted = s->n_deleted});
    ops_succeed(&d->run->members[d->at], buf_take(&details));
    d->has_success = true;
    return OP_DONE;
}

static int
work(struct documents *d)
{
    static int (*const phases[])(struct documents * d) = {
        [DEPLOY_COUNT] = count_one,   [DEPLOY_CLEAR] = clear,       [DEPLOY_NEXT] = next_op,
        [DEPLOY_REMOVE] = remove_one, [DEPLOY_UPSERT] = upsert_one,
    };

    return phases[d->deploy->phase](d);
}

int
deploy_step(struct documents *d, int64_t deadline_us)
{
    if (d->deploy == NULL && begin(d) < 0)
        return -1;
    for (unsigned n = 1; d->deploy->phase != DEPLOY_END; n++) {
        if (work(d) < 0)
            return -1;
        bool is_long = d->deploy->phase == DEPLOY_CLEAR; /* each call is many rows */
        if ((is_long || n % OPS_CLOCK_EVERY == 0) && clock_mono_us() >= deadline_us)
            return OP_MORE;
    }
    return succeed(d);
}

int
deploy_finish(struct batch_run *run, struct store_txn *txn)
{
    return staging_applied(txn, str_from(run->index_uid), run->members[0].uid);
}
