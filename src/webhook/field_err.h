#pragma once
/* What is said of a field that is not as it must be, in upstream's words (contract 1.6). A path is
 * "" for the whole body, ".headers", ".types[3]". Of this
 * folder and of inbound/. Each returns -1. */
#include "base/err.h"
#include "codec/json.h"

int field_err_type(struct err *err, enum err_code code, struct str path, const char *expected,
                   const struct json *found);
/* Invalid value at `.wait`: and the sentence. */
int field_err_value(struct err *err, enum err_code code, struct str path, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Invalid value at `.x`: `found` and the rest; found is a client's and may hold any characters. */
int field_err_quoting(struct err *err, enum err_code code, struct str path, struct str found,
                      const char *rest);
/* Unknown value `x` at `.format`: did you mean ... expected one of; NULL names are skipped. */
int field_err_choice(struct err *err, enum err_code code, struct str path, struct str found,
                     const char *const *names, size_t n);
/* `a`, `b`, `c` */
void field_write_names(struct buf *out, const char *const *names, size_t n);
/* Takes the message over; out of memory is an error of its own. */
int field_err_take(struct err *err, enum err_code code, struct buf *message);
