#pragma once
/* What the files of /api/reports share. */
#include "api/handler.h"
#include "report/reports.h"

/* The report of the path, if the caller may see it: 0 (report_view_done it), or -1 with call->err.
 */
int report_of_path(struct http_call *call, struct report_view *ret);
enum http_result report_download(struct http_call *call);
/* "Retry-After" for what is not finished. */
void report_add_retry(struct http_call *call);
