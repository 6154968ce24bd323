/* Requests by route and status. A route costs memory from its first request on. Paths are shown as
 * upstream shows them: patterns with names in snake_case. */
#include "api/http_counts.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "api/prometheus.h"
#include "base/mem.h"

/* Upstream's buckets. */
static const int64_t response_us[] = {5000,   10000,  25000,   50000,   75000,   100000,  250000,
                                      500000, 750000, 1000000, 2500000, 5000000, 7500000, 10000000};
static const struct histogram_bounds response_bounds = {
    .n = sizeof(response_us) / sizeof(response_us[0]), .values = response_us};

struct status_count {
    int status;
    uint64_t n;
};
struct route_counts {
    const struct route *route;
    struct histogram times;
    struct status_count *statuses;
    size_t n_statuses;
    struct route_counts *next;
};

enum { BUCKETS = 128 };
struct http_counts {
    struct route_counts *buckets[BUCKETS];
};

struct http_counts *
http_counts_new(void)
{
    return mem_new(1, sizeof(struct http_counts));
}

void
http_counts_free(struct http_counts *c)
{
    for (size_t i = 0; c != NULL && i < BUCKETS; i++) {
        while (c->buckets[i] != NULL) {
            struct route_counts *r = c->buckets[i];
            c->buckets[i] = r->next;
            free(r->statuses);
            free(r);
        }
    }
    free(c);
}

static struct route_counts *
counts_of(struct http_counts *c, const struct route *route)
{
    struct route_counts **at = &c->buckets[(uintptr_t) route / sizeof(*route) % BUCKETS];
    while (*at != NULL && (*at)->route != route)
        at = &(*at)->next;
    if (*at == NULL) {
        *at = mem_new(1, sizeof(**at));
        (*at)->route = route;
        (*at)->times.bounds = &response_bounds;
    }
    return *at;
}

void
http_counts_add(struct http_counts *c, const struct route *route, int status, int64_t took_us,
                bool is_slow)
{
    struct route_counts *r = counts_of(c, route);
    size_t i = 0;
    while (i < r->n_statuses && r->statuses[i].status != status)
        i++;
    if (i == r->n_statuses) {
        r->statuses = mem_grow(r->statuses, i + 1, sizeof(*r->statuses));
        r->statuses[r->n_statuses++] = (struct status_count){.status = status};
    }
    r->statuses[i].n++;
    if (!is_slow)
        histogram_add(&r->times, took_us);
}

/* --- writing */

static void
write_path(struct buf *out, const char *pattern)
{
    static const char *const names[][2] = {{"{taskUid}", "{task_id}"},
                                           {"{batchUid}", "{batch_id}"}};
    for (const char *p = pattern; *p != '\0'; p++) {
        bool is_special = false;
        for (size_t i = 0; i < 2 && !is_special; i++) {
            is_special = str_starts_with(str_from(p), names[i][0]);
            if (is_special) {
                buf_add_cstr(out, names[i][1]);
                p += strlen(names[i][0]) - 1;
            }
        }
        if (is_special)
            continue;
        if (isupper((unsigned char) *p))
            buf_add_char(out, '_');
        buf_add_char(out, (char) tolower((unsigned char) *p));
    }
}

static void
write_statuses(const struct route_counts *r, const char *name, struct str path, struct buf *out)
{
    for (size_t i = 0; i < r->n_statuses; i++) {
        char status[8];
        (void) snprintf(status, sizeof(status), "%d", r->statuses[i].status);
        struct prometheus_label labels[] = {
            {"method", str_from(http_method_name(r->route->method))},
            {"path", path},
            {"status", str_from(status)},
        };
        prometheus_u64(out, name, PROMETHEUS_LABELS(labels), r->statuses[i].n);
    }
}

static void
write_times(const struct route_counts *r, const char *name, struct str path, struct buf *out)
{
    struct prometheus_label labels[] = {
        {"method", str_from(http_method_name(r->route->method))},
        {"path", path},
    };
    prometheus_histogram(out, name, PROMETHEUS_LABELS(labels), &r->times, true);
}

static void
write_routes(const struct http_counts *c, const char *name, struct buf *out,
             void (*write)(const struct route_counts *r, const char *name, struct str path,
                           struct buf *out))
{
    struct buf path = BUF_INIT;
    for (size_t i = 0; i < BUCKETS; i++) {
        for (const struct route_counts *r = c->buckets[i]; r != NULL; r = r->next) {
            buf_clear(&path);
            write_path(&path, r->route->pattern);
            write(r, name, buf_str(&path), out);
        }
    }
    buf_done(&path);
}

void
http_counts_write(const struct http_counts *c, struct buf *out)
{
    static const char requests[] = "meilisearch_http_requests_total";
    static const char times[] = "meilisearch_http_response_time_seconds";
    prometheus_head(out, requests, "counter", "Meilisearch HTTP requests total");
    write_routes(c, requests, out, write_statuses);
    prometheus_head(out, times, "histogram", "Meilisearch HTTP response times");
    write_routes(c, times, out, write_times);
}
