/* Documents out of an upload: owns the fed bytes and hands them to the reader of the format
 * (docs_json.c, docs_csv.c). Must not know where the bytes come from. */
#include "codec/docs.h"

#include <stdlib.h>

#include "base/mem.h"
#include "codec/docs_reader.h"

static const struct format_row {
    const char *name;
    int (*next)(struct docs *d, struct str *ret, struct err *err);
} formats[] = {
    [DOCS_JSON] = {.name = "json", .next = docs_json_next},
    [DOCS_NDJSON] = {.name = "ndjson", .next = docs_json_next},
    [DOCS_CSV] = {.name = "csv", .next = docs_csv_next},
};

struct docs *
docs_new(enum docs_format format, char csv_delimiter)
{
    struct docs *d = mem_new(1, sizeof(*d));
    d->format = format;
    if (format == DOCS_CSV)
        d->csv = docs_csv_new(csv_delimiter);
    else
        d->json = docs_json_new(format == DOCS_JSON);
    return d;
}

void
docs_free(struct docs *d)
{
    if (d == NULL)
        return;
    docs_json_free(d->json);
    docs_csv_free(d->csv);
    buf_done(&d->in);
    buf_done(&d->out);
    free(d);
}

int
docs_no_memory(struct err *err)
{
    return err_set(err, ERR_INTERNAL, "Not enough memory to read the payload.");
}

int
docs_feed(struct docs *d, struct str bytes, struct err *err)
{
    d->n_fed += bytes.len;
    if (d->json != NULL && docs_json_is_done(d->json))
        return 0;
    if (d->at > 0) {
        buf_drop_front(&d->in, d->at);
        d->at = 0;
    }
    buf_add_str(&d->in, bytes);
    return buf_failed(&d->in) ? docs_no_memory(err) : 0;
}

void
docs_end(struct docs *d)
{
    d->is_ended = true;
}

struct str
docs_rest(const struct docs *d)
{
    return str_slice(buf_str(&d->in), d->at, d->in.len);
}

int
docs_next(struct docs *d, struct str *ret, struct err *err)
{
    if (d->n_fed == 0)
        return d->is_ended ? err_set(err, ERR_MISSING_PAYLOAD, "A %s payload is missing.",
                                     docs_format_name(d->format))
                           : 0;
    int rc = formats[d->format].next(d, ret, err);
    if (rc > 0)
        d->n_given++;
    return rc;
}

uint64_t
docs_count(const struct docs *d)
{
    return d->n_given;
}

const char *
docs_format_name(enum docs_format format)
{
    return formats[format].name;
}
