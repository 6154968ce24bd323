#pragma once
/* Reading settings out of a body (contract 10.1, messages 1.6): every value is checked and written
 * anew, in the order and form in which it is stored and shown. null resets a setting. */
#include "base/arena.h"
#include "index/settings.h"

/* The body of PATCH /settings. 0, or -1 with err; out gets an object of what was sent. */
int settings_read_all(struct arena *arena, const struct json *body, struct buf *out,
                      struct err *err);
/* The body of one setting's own route: out gets an object with that setting. */
int settings_read_one(struct arena *arena, enum setting which, const struct json *value,
                      struct buf *out, struct err *err);
/* The settings of an index: 0 (settings_done it), or -1 with call->err. In settings.c. */
struct http_call;
struct uuid;
int handler_settings(struct http_call *call, const struct uuid *index_uuid, struct settings *ret);
/* An object that resets the setting, or with SETTING_COUNT all of them. */
void settings_write_reset(struct buf *out, enum setting which);
