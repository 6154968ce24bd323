#pragma once
/* Mail messages (RFC 5322, 2045, 2047): headers and a body in lines that every relay takes. */
#include "base/buf.h"

/* "Name: value", folded; what is not printable ASCII becomes encoded words. Control characters, CR
 * and LF among them, become spaces: a value never makes a header of its own. */
void mime_add_header(struct buf *out, const char *name, struct str value);
/* The same for values that are ours or checked, a list: folded behind commas. */
void mime_add_list(struct buf *out, const char *name, const struct str *items, size_t n);
/* "Sun, 06 Nov 1994 08:49:37 +0000" */
void mime_add_date(struct buf *out, int64_t wall_ns);
/* MIME-Version, Content-Type ("text/html"; UTF-8), Content-Transfer-Encoding, the empty line and
 * the body: as it is when it is ASCII in short lines, else quoted-printable or, when much of it is
 * no ASCII, Base64. Lines end in LF. */
void mime_add_body(struct buf *out, const char *media_type, struct str body);
