#pragma once
/* What is shown of a secret. */
#include "base/buf.h"

/* The longer it is, the more of its beginning is shown, five bytes at most, never half a character;
 * crosses and dots stand for the rest (contract 7.4). */
void redact(struct buf *out, struct str secret);
