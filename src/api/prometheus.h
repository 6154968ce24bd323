#pragma once
/* The text format of Prometheus, version 0.0.4. */
#include "base/buf.h"
#include "base/histogram.h"

#define PROMETHEUS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct prometheus_label {
    const char *name;
    struct str value;
};
/* What a sample carries beside its name: at most a handful. */
struct prometheus_labels {
    const struct prometheus_label *items;
    size_t n;
};
#define PROMETHEUS_NO_LABELS ((struct prometheus_labels){NULL, 0})
#define PROMETHEUS_LABELS(array)                                                                   \
    ((struct prometheus_labels){(array), sizeof(array) / sizeof((array)[0])})

/* "# HELP" and "# TYPE"; type: "counter", "gauge" or "histogram". */
void prometheus_head(struct buf *out, const char *name, const char *type, const char *help);
void prometheus_u64(struct buf *out, const char *name, struct prometheus_labels labels, uint64_t n);
/* In seconds, exact to the microsecond. */
void prometheus_seconds(struct buf *out, const char *name, struct prometheus_labels labels,
                        uint64_t us);
void prometheus_double(struct buf *out, const char *name, struct prometheus_labels labels,
                       double value);
/* The buckets, the sum and the count. in_us: values are microseconds, shown as seconds. */
void prometheus_histogram(struct buf *out, const char *name, struct prometheus_labels labels,
                          const struct histogram *h, bool in_us);
