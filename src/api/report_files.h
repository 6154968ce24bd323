#pragma once
/* What the files of /api/reports share. */
#include "api/handler.h"
#include "api/params.h"
#include "report/reports.h"

/* The report of the path, if the caller may see it: 0 (report_view_done it), or -1 with call->err.
 */
int report_of_path(struct http_call *call, struct report_view *ret);
/* What a report shows needs the rights that its rows need elsewhere: 0, or -1 with err. */
int report_check_rights(struct http_call *call, enum report_source source, struct str index_uid,
                        struct err *err);
extern const struct param_table report_list_query;
enum http_result report_list(struct http_call *call);
enum http_result report_download(struct http_call *call);
/* "Retry-After" for what is not finished. */
void report_add_retry(struct http_call *call);
