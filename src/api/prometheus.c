/* Writing the text format. Knows no metric. */
#include "api/prometheus.h"

#include <inttypes.h>

#include "codec/json.h"

enum { US_PER_S = 1000000 };

void
prometheus_head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void
add_label(struct buf *out, const char *name, struct str value)
{
    buf_addf(out, "%s=\"", name);
    for (size_t i = 0; i < value.len; i++) {
        char c = value.data[i];
        if (c == '\n')
            buf_add_cstr(out, "\\n");
        else if (c == '"' || c == '\\')
            buf_addf(out, "\\%c", c);
        else
            buf_add_char(out, c);
    }
    buf_add_char(out, '"');
}

/* name_suffix{labels,le="..."} and a space; le data NULL: none. */
static void
begin_sample(struct buf *out, const char *name, const char *suffix, struct prometheus_labels labels,
             struct str le)
{
    buf_addf(out, "%s%s", name, suffix);
    for (size_t i = 0; i < labels.n; i++) {
        buf_add_char(out, i == 0 ? '{' : ',');
        add_label(out, labels.items[i].name, labels.items[i].value);
    }
    if (le.data != NULL) {
        buf_add_char(out, labels.n == 0 ? '{' : ',');
        add_label(out, "le", le);
    }
    if (labels.n > 0 || le.data != NULL)
        buf_add_char(out, '}');
    buf_add_char(out, ' ');
}

/* Microseconds as seconds without an exponent: 0.000050, trailing zeros left out. */
static void
add_seconds(struct buf *out, uint64_t us)
{
    buf_addf(out, "%" PRIu64, us / US_PER_S);
    if (us % US_PER_S == 0)
        return;
    buf_addf(out, ".%06" PRIu64, us % US_PER_S);
    while (out->len > 0 && out->data[out->len - 1] == '0')
        out->len--;
}

void
prometheus_u64(struct buf *out, const char *name, struct prometheus_labels labels, uint64_t n)
{
    begin_sample(out, name, "", labels, STR_NULL);
    buf_addf(out, "%" PRIu64 "\n", n);
}

void
prometheus_seconds(struct buf *out, const char *name, struct prometheus_labels labels, uint64_t us)
{
    begin_sample(out, name, "", labels, STR_NULL);
    add_seconds(out, us);
    buf_add_char(out, '\n');
}

void
prometheus_double(struct buf *out, const char *name, struct prometheus_labels labels, double value)
{
    struct json_out j = json_out(out);
    begin_sample(out, name, "", labels, STR_NULL);
    json_put_double(&j, value);
    buf_add_char(out, '\n');
}

void
prometheus_histogram(struct buf *out, const char *name, struct prometheus_labels labels,
                     const struct histogram *h, bool in_us)
{
    struct buf le = BUF_INIT;
    uint64_t count = 0;
    for (size_t i = 0; i <= h->bounds->n; i++) {
        count += h->counts[i];
        buf_clear(&le);
        if (i == h->bounds->n)
            buf_add_cstr(&le, "+Inf");
        else if (in_us)
            add_seconds(&le, (uint64_t) h->bounds->values[i]);
        else
            buf_add_u64(&le, (uint64_t) h->bounds->values[i]);
        begin_sample(out, name, "_bucket", labels, buf_str(&le));
        buf_addf(out, "%" PRIu64 "\n", count);
    }
    buf_done(&le);
    begin_sample(out, name, "_sum", labels, STR_NULL);
    if (in_us)
        add_seconds(out, h->sum);
    else
        buf_add_u64(out, h->sum);
    buf_add_char(out, '\n');
    begin_sample(out, name, "_count", labels, STR_NULL);
    buf_addf(out, "%" PRIu64 "\n", count);
}
