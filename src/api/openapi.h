#pragma once
/* GET /openapi.json. */
#include "base/buf.h"

/* The document (OpenAPI 3.1) of every route; bounded by the tables. */
void openapi_write(struct buf *out);
