/* The applied record: run, new catalogue values and every member's outcome, written into the index
 * environment together with the documents (invariant 3). Pure encoding.
 *
 * v1: run id u64, updated at i64, primary key cstr, documents u64, raw bytes u64, distribution
 * cstr, n u32, then each: uid u32, outcome u8, details cstr, error name cstr, error message cstr */
#include <stdlib.h>

#include "ops/ops_internal.h"
#include "store/rec.h"

enum { APPLIED_VERSION = 1 };

void
applied_done(struct applied *a)
{
    free(a->primary_key);
    free(a->totals.field_distribution);
    *a = (struct applied){0};
}

void
applied_write_outcome(struct buf *out, const struct batch_member *m)
{
    bool has_error = err_is_set(&m->error);

    rec_put_u32(out, m->uid);
    rec_put_u8(out, (uint8_t) m->outcome);
    rec_put_cstr(out, m->details);
    rec_put_cstr(out, has_error ? err_name(m->error.code) : NULL);
    rec_put_cstr(out, has_error ? m->error.message : NULL);
}

void
applied_write(struct buf *out, const struct applied *a, struct str outcomes, size_t n_members)
{
    rec_put_u8(out, APPLIED_VERSION);
    rec_put_u64(out, a->run_id);
    rec_put_i64(out, a->updated_at_ns);
    rec_put_cstr(out, a->primary_key);
    rec_put_u64(out, a->totals.n_documents);
    rec_put_u64(out, a->totals.raw_bytes);
    rec_put_cstr(out, a->totals.field_distribution);
    rec_put_u32(out, (uint32_t) n_members);
    buf_add_str(out, outcomes);
}

static bool
read_outcome(struct rec *r, struct batch_member *m)
{
    bool is_known = rec_u32(r) == m->uid;
    char *name, *message;

    m->outcome = (enum task_status) rec_u8(r);
    free(m->details);
    m->details = rec_cstr(r);
    name = rec_cstr(r);
    message = rec_cstr(r);
    if (name != NULL && message != NULL)
        (void) err_set_str(&m->error, err_from_name(str_from(name)), str_from(message));
    free(name);
    free(message);
    return is_known && !r->failed &&
           (m->outcome == TASK_SUCCEEDED || (m->outcome == TASK_FAILED && err_is_set(&m->error)));
}

static void
forget_outcomes(struct batch_run *run)
{
    for (size_t i = 0; i < run->n_members; i++) {
        struct batch_member *m = &run->members[i];
        free(m->details);
        err_done(&m->error);
        *m = (struct batch_member){.uid = m->uid, .outcome = TASK_PROCESSING};
    }
}

static bool
read_outcomes(struct rec *r, struct batch_run *run)
{
    if (rec_u32(r) != run->n_members)
        return false;
    for (size_t i = 0; i < run->n_members; i++)
        if (!read_outcome(r, &run->members[i]))
            return false;
    return rec_ok(r);
}

int
applied_read(struct applied *ret, struct batch_run *run, struct str record)
{
    struct rec r = rec_open(record, APPLIED_VERSION);

    *ret = (struct applied){.run_id = rec_u64(&r)};
    if (r.failed)
        return STORE_ECORRUPT;
    if (ret->run_id != run->run_id)
        return 0;
    ret->updated_at_ns = rec_i64(&r);
    ret->primary_key = rec_cstr(&r);
    ret->totals.n_documents = rec_u64(&r);
    ret->totals.raw_bytes = rec_u64(&r);
    ret->totals.field_distribution = rec_cstr(&r);
    if (read_outcomes(&r, run))
        return 1;
    forget_outcomes(run);
    applied_done(ret);
    return STORE_ECORRUPT;
}
