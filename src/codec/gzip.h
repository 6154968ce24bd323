#pragma once
/* gzip and deflate streams (zlib), in pieces. */
#include "base/buf.h"

enum gzip_format { GZIP_FORMAT_GZIP, GZIP_FORMAT_DEFLATE /* zlib wrapper, as HTTP's "deflate" */ };

struct gzip_in;                                       /* inflating */
struct gzip_in *gzip_in_new(enum gzip_format format); /* for DEFLATE a raw stream is accepted too */
void gzip_in_free(struct gzip_in *z);
/* Inflates what it can of *in (advancing it), appending at most max_out bytes to out. 1 when the
 * stream has ended (several gzip members are one stream), 0 otherwise (call again with more input
 * or room), negative when corrupt, when anything but a gzip member follows the stream, or when
 * out's memory ran out (buf_failed(out)). */
int gzip_in_step(struct gzip_in *z, struct str *in, struct buf *out, size_t max_out);
bool gzip_in_ended(const struct gzip_in *z); /* a complete stream was read */

struct gzip_out; /* deflating */
struct gzip_out *gzip_out_new(enum gzip_format format, int level);
void gzip_out_free(struct gzip_out *z);
void gzip_out_reset(struct gzip_out *z); /* ready for another stream: cheaper than a new one */
void gzip_out_add(struct gzip_out *z, struct str in, struct buf *out); /* appends what is ready */
void gzip_out_flush(struct gzip_out *z, struct buf *out);  /* everything so far becomes readable */
void gzip_out_finish(struct gzip_out *z, struct buf *out); /* ends the stream */
