#pragma once
/* User-facing errors. One catalogue (err.c) gives each code its name, HTTP status and type; `struct
 * err` carries a code and its message to the border. Codes and messages are the wire contract
 * (contract 1.2): do not reword them.
 *
 * To add one: a value here, a row in err.c. The test of err.c fails when a row is missing. */
#include <stdarg.h>

#include "base/buf.h"

enum err_code {
    ERR_NONE = 0,
#define ERR_ROW(id, name, status, type) ERR_##id,
#include "base/err_rows.h"
#undef ERR_ROW
    ERR_COUNT
};

enum err_type { ERR_TYPE_INVALID_REQUEST, ERR_TYPE_INTERNAL, ERR_TYPE_AUTH, ERR_TYPE_SYSTEM };

struct err {
    enum err_code code; /* ERR_NONE: no error */
    char *message;      /* owned; NULL when code is ERR_NONE */
    char *path;         /* owned; where in the body: ".documents[0].id"; NULL: not told */
};

#define ERR_INIT ((struct err){0})

/* Replaces the error; returns -1 so that `return err_set(...)` reads well. */
int err_set(struct err *e, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int err_set_str(struct err *e, enum err_code code, struct str message);
/* Says where in the request's body the error is, for renderers that show it; copies. */
void err_set_path(struct err *e, const char *path);
void err_done(struct err *e); /* frees and resets */
/* Moves from into to (freeing what to held). */
void err_move(struct err *to, struct err *from);
void err_copy(struct err *to, const struct err *from);
bool err_is_set(const struct err *e);

const char *err_name(enum err_code code);      /* "index_not_found" */
int err_http_status(enum err_code code);       /* 404 */
const char *err_type_name(enum err_code code); /* "invalid_request" */
/* The code with that name; ERR_INTERNAL when unknown. For reading stored errors. */
enum err_code err_from_name(struct str name);
/* Appends the four-key JSON object {"message","code","type","link"}. */
void err_write_json(struct buf *out, enum err_code code, struct str message);
