/* The row of a report. */
#include "report/reports_internal.h"

#include <stdlib.h>

#include "store/rec.h"

enum { RECORD_VERSION = 1 };

void
report_record_done(struct report_record *r)
{
    free(r->report_type);
    free(r->index_uid);
    err_done(&r->error);
    *r = (struct report_record){0};
}

void
report_record_encode(struct buf *out, const struct report_record *r)
{
    rec_put_u8(out, RECORD_VERSION);
    rec_put_u8(out, (uint8_t) r->state);
    rec_put_cstr(out, r->report_type);
    rec_put_cstr(out, r->index_uid);
    rec_put_cstr(out, r->format->name);
    rec_put_u8(out, (uint8_t) r->source);
    rec_put_uuid(out, &r->callback);
    rec_put_uuid(out, &r->file);
    rec_put_i64(out, r->created_at_ns);
    rec_put_i64(out, r->finished_at_ns);
    rec_put_i64(out, r->expires_at_ns);
    rec_put_u64(out, r->n_rows);
    rec_put_u64(out, r->n_bytes);
    rec_put_str(out, str_make(r->digest, sizeof(r->digest)));
    rec_put_cstr(out, err_is_set(&r->error) ? err_name(r->error.code) : NULL);
    rec_put_cstr(out, r->error.message);
}

static void
decode_error(struct rec *in, struct report_record *r)
{
    char *name = rec_cstr(in), *message = rec_cstr(in);
    if (name != NULL && message != NULL)
        (void) err_set_str(&r->error, err_from_name(str_from(name)), str_from(message));
    free(name);
    free(message);
}

static void
decode_format(struct rec *in, struct report_record *r)
{
    char *name = rec_cstr(in);
    r->format = report_format_find(str_from(name));
    in->failed = in->failed || r->format == NULL;
    free(name);
}

int
report_record_decode(struct report_record *ret, struct str value)
{
    struct rec in = rec_open(value, RECORD_VERSION);
    struct report_record r = {.state = (enum report_state) rec_u8(&in)};
    r.report_type = rec_cstr(&in);
    r.index_uid = rec_cstr(&in);
    decode_format(&in, &r);
    r.source = (enum report_source) rec_u8(&in);
    r.callback = rec_uuid(&in);
    r.file = rec_uuid(&in);
    r.created_at_ns = rec_i64(&in);
    r.finished_at_ns = rec_i64(&in);
    r.expires_at_ns = rec_i64(&in);
    r.n_rows = rec_u64(&in);
    r.n_bytes = rec_u64(&in);
    struct str digest = rec_str(&in);
    decode_error(&in, &r);
    bool is_ok = rec_ok(&in) && r.report_type != NULL && digest.len == sizeof(r.digest) &&
                 r.state <= REPORT_REMOVED && r.source < REPORT_SOURCES;
    if (!is_ok) {
        report_record_done(&r);
        return STORE_ECORRUPT;
    }
    memcpy(r.digest, digest.data, sizeof(r.digest));
    *ret = r;
    return 0;
}

int
report_record_get(struct store_txn *txn, uint32_t uid, struct report_record *ret)
{
    uint8_t key[4];
    struct str value;
    int rc = store_get(txn, TABLE_REPORTS, key_u32(key, uid), &value);
    if (rc != 1)
        return rc;
    rc = report_record_decode(ret, value);
    return rc < 0 ? rc : 1;
}

int
report_record_put(struct store_txn *txn, uint32_t uid, const struct report_record *r)
{
    uint8_t key[4];
    struct buf value = BUF_INIT;
    report_record_encode(&value, r);
    int rc = buf_failed(&value) ? STORE_EFULL
                                : store_put(txn, TABLE_REPORTS, key_u32(key, uid), buf_str(&value));
    buf_done(&value);
    return rc < 0 ? rc : 0;
}
