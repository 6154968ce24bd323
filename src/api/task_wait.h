#pragma once
/* GET /tasks/{taskUid}, at once or when the task has ended. */
#include "api/handler.h"

enum http_result task_get(struct http_call *call);
