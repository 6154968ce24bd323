#pragma once
/* The doors: path prefixes whose clients expect errors in another shape than Meilisearch's four-key
 * object. One error catalogue (base/err_rows.h), one renderer a door.
 *
 * To add one: a row in doors.c, its renderer next to its routes. */
#include "auth/auth.h"
#include "net/http_server.h"

/* Appends call->err as that door shows it and returns the media type (static). call->path is set,
 * call->route only behind the gate. */
typedef const char *door_render_error(const struct http_call *call, struct buf *out);
door_render_error problem_render; /* problem.c: RFC 9457 */
door_render_error orama_render;   /* orama.c: plain text */

/* For struct http_server_conf: NULL where Meilisearch's object is meant. */
const char *doors_render_error(void *api, const struct http_call *call, struct buf *out);
/* Where a door says 401 to a wrong key, and 403 only to one without the right: makes of an
 * invalid_api_key an unknown_api_key. err is what auth/ said. */
void doors_judge_key(struct str path, const struct auth *a, struct str authorization,
                     struct err *err);
/* Whether the path is a door's: then also an unknown route is answered with its error. */
bool doors_own_path(struct str path);
