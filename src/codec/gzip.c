/* gzip and deflate streams over zlib. Owns the stream states; limits on totals are the caller's, a
 * step's output is bounded here. */
#include "codec/gzip.h"

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/mem.h"

enum {
    WINDOW_GZIP = 15 + 16,
    WINDOW_ZLIB = 15,
    WINDOW_RAW = -15,
    STEP_BYTES = 16 * 1024,
    MEMORY_LEVEL = 8,
};

/* zlib's counters are unsigned int. */
static unsigned
piece(size_t n)
{
    return n > INT_MAX ? INT_MAX : (unsigned) n;
}

/* --- inflating ----------------------------------------------------------------------------- */

enum in_state {
    IN_UNOPENED, /* deflate only: the first two bytes decide between zlib wrapper and raw */
    IN_RUNNING,
    IN_ENDED, /* a stream is complete; another gzip member may follow */
    IN_CORRUPT,
};

struct gzip_in {
    z_stream z;
    enum gzip_format format;
    enum in_state state;
    unsigned char head[2];
    size_t n_head; /* of these, not yet inflated */
    bool is_open;  /* z needs inflateEnd */
};

struct gzip_in *
gzip_in_new(enum gzip_format format)
{
    struct gzip_in *in = mem_new(1, sizeof(*in));
    in->format = format;
    return in;
}

void
gzip_in_free(struct gzip_in *in)
{
    if (in == NULL)
        return;
    if (in->is_open)
        (void) inflateEnd(&in->z); /* fails for broken states only */
    free(in);
}

static bool
open_stream(struct gzip_in *in, int window)
{
    in->is_open = inflateInit2(&in->z, window) == Z_OK;
    in->state = in->is_open ? IN_RUNNING : IN_CORRUPT;
    return in->is_open;
}

/* RFC 1950: method 8 and a check of the first two bytes. */
static int
deflate_window(const unsigned char head[2])
{
    bool is_zlib = (head[0] & 0x0F) == Z_DEFLATED && (head[0] << 8 | head[1]) % 31 == 0;
    return is_zlib ? WINDOW_ZLIB : WINDOW_RAW;
}

/* False when nothing can be inflated yet, or ever. */
static bool
open_by_head(struct gzip_in *in, struct str *bytes)
{
    if (bytes->len == 0)
        return false;
    if (in->format == GZIP_FORMAT_GZIP)
        return open_stream(in, WINDOW_GZIP);
    while (in->n_head < 2 && bytes->len > 0) {
        in->head[in->n_head++] = (unsigned char) bytes->data[0];
        *bytes = str_slice(*bytes, 1, bytes->len);
    }
    return in->n_head == 2 && open_stream(in, deflate_window(in->head));
}

/* One call of inflate over the pending head or *bytes; false when it can go no further now. */
static bool
inflate_piece(struct gzip_in *in, struct str *bytes, struct buf *out, size_t room)
{
    bool from_head = in->n_head > 0;
    struct str src = from_head ? str_make(in->head + 2 - in->n_head, in->n_head) : *bytes;
    if (!buf_reserve(out, room)) {
        in->state = IN_CORRUPT;
        return false;
    }
    in->z.next_in = (Bytef *) (uintptr_t) src.data;
    in->z.avail_in = piece(src.len);
    in->z.next_out = (Bytef *) out->data + out->len;
    in->z.avail_out = (unsigned) room;
    unsigned offered = in->z.avail_in;
    int rc = inflate(&in->z, Z_NO_FLUSH);
    size_t used = offered - in->z.avail_in, made = room - in->z.avail_out;
    out->len += made;
    if (from_head)
        in->n_head -= used;
    else
        *bytes = str_slice(*bytes, used, bytes->len);
    if (rc == Z_STREAM_END)
        in->state = IN_ENDED;
    else if (rc != Z_OK && rc != Z_BUF_ERROR)
        in->state = IN_CORRUPT;
    return in->state == IN_RUNNING && (used > 0 || made > 0);
}

/* Bytes after a complete stream: another gzip member, anything else is garbage. */
static void
open_member(struct gzip_in *in)
{
    bool ok = in->format == GZIP_FORMAT_GZIP && inflateReset(&in->z) == Z_OK;
    in->state = ok ? IN_RUNNING : IN_CORRUPT;
}

int
gzip_in_step(struct gzip_in *in, struct str *bytes, struct buf *out, size_t max_out)
{
    size_t limit = out->len + max_out;
    for (;;) {
        if (in->state == IN_ENDED && bytes->len > 0)
            open_member(in);
        if (in->state == IN_UNOPENED && !open_by_head(in, bytes))
            break;
        if (in->state != IN_RUNNING || out->len == limit)
            break;
        size_t room = limit - out->len < STEP_BYTES ? limit - out->len : STEP_BYTES;
        if (!inflate_piece(in, bytes, out, room) && !(in->state == IN_ENDED && bytes->len > 0))
            break;
    }
    if (in->state == IN_CORRUPT)
        return -1;
    return in->state == IN_ENDED && bytes->len == 0;
}

bool
gzip_in_ended(const struct gzip_in *in)
{
    return in->state == IN_ENDED;
}

/* --- deflating ----------------------------------------------------------------------------- */

struct gzip_out {
    z_stream z;
};

struct gzip_out *
gzip_out_new(enum gzip_format format, int level)
{
    struct gzip_out *o = mem_new(1, sizeof(*o));
    int window = format == GZIP_FORMAT_GZIP ? WINDOW_GZIP : WINDOW_ZLIB;
    if (deflateInit2(&o->z, level, Z_DEFLATED, window, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
        abort(); /* out of memory, as mem_new does; the parameters are constants */
    return o;
}

void
gzip_out_free(struct gzip_out *o)
{
    if (o == NULL)
        return;
    (void) deflateEnd(&o->z); /* Z_DATA_ERROR for a stream that was not finished is fine */
    free(o);
}

void
gzip_out_reset(struct gzip_out *o)
{
    (void) deflateReset(&o->z); /* fails only on a broken object */
}

/* Deflates until zlib holds nothing back that the flush mode wants out. */
static void
deflate_all(struct gzip_out *o, struct str in, struct buf *out, int flush)
{
    do {
        o->z.next_in = (Bytef *) (uintptr_t) in.data;
        o->z.avail_in = piece(in.len);
        size_t offered = o->z.avail_in;
        int mode = offered == in.len ? flush : Z_NO_FLUSH;
        do {
            if (!buf_reserve(out, STEP_BYTES))
                return;
            o->z.next_out = (Bytef *) out->data + out->len;
            o->z.avail_out = STEP_BYTES;
            (void) deflate(&o->z, mode); /* only Z_BUF_ERROR when there is nothing to do */
            out->len += STEP_BYTES - o->z.avail_out;
        } while (o->z.avail_out == 0);
        in = str_slice(in, offered, in.len);
    } while (in.len > 0);
}

void
gzip_out_add(struct gzip_out *o, struct str in, struct buf *out)
{
    if (in.len > 0)
        deflate_all(o, in, out, Z_NO_FLUSH);
}

void
gzip_out_flush(struct gzip_out *o, struct buf *out)
{
    deflate_all(o, STR_NULL, out, Z_SYNC_FLUSH);
}

void
gzip_out_finish(struct gzip_out *o, struct buf *out)
{
    deflate_all(o, STR_NULL, out, Z_FINISH);
}
