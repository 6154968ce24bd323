#pragma once
/* POST /tasks/cancel and DELETE /tasks. */
#include "api/handler.h"

enum http_result task_cancel(struct http_call *call);
enum http_result task_delete(struct http_call *call);
