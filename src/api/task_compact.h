#pragma once
/* POST /tasks/compact. */
#include "api/handler.h"

enum http_result task_compact(struct http_call *call);
