#pragma once
/* Requests counted by route and status, for metrics. */
#include "base/buf.h"
#include "net/http_server.h"

struct http_counts;
struct http_counts *http_counts_new(void);
void http_counts_free(struct http_counts *c); /* NULL accepted */
void http_counts_add(struct http_counts *c, const struct route *route, int status, int64_t took_us,
                     bool is_slow);
/* meilisearch_http_requests_total and meilisearch_http_response_time_seconds. */
void http_counts_write(const struct http_counts *c, struct buf *out);
