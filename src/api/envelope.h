#pragma once
/* Errors of the Mixpeek-style door (contracts.md 3.1):
 *
 *  {"success":false,"status":404,"error":{"type":"NotFoundError","message":"...","details":{...}}}
 *
 * details.code is the catalogue's name of the error; details.validation_errors, of those with
 * status 422, says where in the request it is. */
#include "net/http_server.h"

/* For the table of doors.c. */
const char *envelope_render(const struct http_call *call, struct buf *out);
