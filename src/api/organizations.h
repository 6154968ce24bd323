#pragma once
/* What the routes of the Mixpeek-style door share: pages of lists, optional bodies. */
#include "api/body.h"
#include "codec/json.h"

struct organization_paging {
    uint64_t limit, offset;
    struct str cursor; /* data NULL: none */
};
/* limit 1 to 1000, offset 0 to 10000, cursor, include_total of the query: 0, or -1 with call->err.
 */
int organization_read_page(struct http_call *call, struct organization_paging *ret);
extern const struct param_table organization_page_query;

struct organization_pages {
    const char *path; /* of the links */
    struct organization_paging paging;
    uint64_t total;
    const char *next_cursor; /* NULL: this is the last page */
};
/* The members "pagination" and "total". */
void organization_write_pagination(struct json_out *j, const struct organization_pages *p);

/* A body that may be missing or null, whatever the Content-Type says: 1 when it is an object, 0
 * when there is none, -1 with call->err. body_done in each case. */
int organization_read_optional_body(struct http_call *call, struct body *ret);
