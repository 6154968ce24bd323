/* Document intake. Owns the way of an upload's bytes: pulled, digested, inflated, cut into
 * documents (or ids), written to a payload; in slices unless it is small. Knows nothing of HTTP nor
 * of tasks.
 *
 *   start -> (small: all at once) | slices -> done(result or error), exactly once -> free */
#include "ops/intake.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "codec/gzip.h"
#include "codec/json.h"
#include "ops/ids.h"

enum {
    PIECE_BYTES = 64 * 1024, /* pulled, inflated and fed at once */
    SMALL_BYTES = 64 * 1024, /* finished inside intake_start */
    DOCUMENTS_AT_ONCE = 16,  /* between two looks at the clock */
};

struct intake {
    struct intake_conf conf;
    struct loop_slice slice;
    size_t (*pull)(void *arg, struct buf *out, size_t max);
    void (*done)(void *arg, const struct intake_result *result, struct err *err);
    void *arg;
    bool is_running; /* its own code is on the stack: memory goes at the end of the turn */
    bool is_over;    /* done was called */

    struct buf raw; /* pulled, not yet consumed from raw_at on */
    size_t raw_at;
    bool has_pulled_all, has_fed_all;
    uint64_t raw_bytes, plain_bytes;
    struct sha256 *digest; /* NULL: not wanted */
    struct gzip_in *gzip;  /* NULL: identity */
    struct buf plain;      /* one inflated piece */
    struct docs *docs;     /* one of these three */
    struct ids *ids;
    struct staged_items *staged;
    struct payload_writer *writer;
    struct buf line;
    struct intake_result result;
};

static enum loop_slice_result intake_slice(void *arg, int64_t deadline_us);

struct intake *
intake_new(const struct intake_conf *conf)
{
    struct intake *in = mem_new(1, sizeof(*in));

    in->conf = *conf;
    loop_slice_init(&in->slice, conf->loop, intake_slice, in);
    if (conf->want_digest)
        in->digest = sha256_new();
    if (conf->encoding != INTAKE_IDENTITY)
        in->gzip =
            gzip_in_new(conf->encoding == INTAKE_GZIP ? GZIP_FORMAT_GZIP : GZIP_FORMAT_DEFLATE);
    if (conf->staged_id_name.data != NULL)
        in->staged = staged_items_new(conf->staged, conf->staged_id_name);
    else if (conf->ids)
        in->ids = ids_new();
    else
        in->docs = docs_new(conf->format, conf->csv_delimiter);
    in->writer = payload_writer_new(conf->payloads);
    return in;
}

static void
free_memory(void *arg)
{
    free(arg);
}

void
intake_free(struct intake *in, bool keep)
{
    if (in == NULL)
        return;
    loop_slice_sleep(&in->slice);
    in->is_over = true;
    payload_writer_free(in->writer, keep);
    docs_free(in->docs);
    ids_free(in->ids);
    staged_items_free(in->staged);
    gzip_in_free(in->gzip);
    sha256_free(in->digest);
    buf_done(&in->raw);
    buf_done(&in->plain);
    buf_done(&in->line);
    if (in->is_running)
        loop_defer(in->conf.loop, free_memory, in);
    else
        free(in);
}

/* --- the limit (contract 1.8) */

/* As upstream shows a size: binary units when divisible by 1024, the shortest exact number. */
static void
write_size(struct buf *out, uint64_t bytes)
{
    static const char *const units[2][7] = {{"B", "KB", "MB", "GB", "TB", "PB", "EB"},
                                            {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}};
    bool is_binary = bytes % 1024 == 0;
    double value = (double) bytes, base = is_binary ? 1024 : 1000;
    char text[32];
    int unit = 0;

    for (; value >= base && unit < 6; unit++)
        value /= base;
    for (int digits = 1; digits <= 17; digits++) {
        (void) snprintf(text, sizeof(text), "%.*g", digits, value); /* always fits */
        if (strchr(text, 'e') == NULL && strtod(text, NULL) == value)
            break;
    }
    buf_addf(out, "%s %s", text, units[is_binary][unit]);
}

static int
fail_limit(const struct intake *in, struct err *err)
{
    struct buf message = BUF_INIT;
    int rc;

    if (in->ids != NULL) /* to upstream an ordinary JSON body (contract 1.5) */
        return err_set(err, ERR_PAYLOAD_TOO_LARGE, "JSON payload has exceeded limit (%llu bytes).",
                       (unsigned long long) in->conf.limit_bytes);
    buf_add_cstr(&message, "The provided payload reached the size limit. The maximum accepted "
                           "payload size is ");
    write_size(&message, in->conf.limit_bytes);
    buf_add_char(&message, '.');
    rc = err_set_str(err, ERR_PAYLOAD_TOO_LARGE, buf_str(&message));
    buf_done(&message);
    return rc;
}

/* --- bytes in */

static int
feed(struct intake *in, struct str plain, struct err *err)
{
    in->plain_bytes += plain.len;
    if (in->plain_bytes > in->conf.limit_bytes)
        return fail_limit(in, err);
    if (in->docs != NULL)
        return docs_feed(in->docs, plain, err);
    if (in->ids != NULL)
        ids_feed(in->ids, plain);
    else
        staged_items_feed(in->staged, plain);
    return 0;
}

static void
end_feed(struct intake *in)
{
    in->has_fed_all = true;
    if (in->docs != NULL)
        docs_end(in->docs);
    else if (in->ids != NULL)
        ids_end(in->ids);
    else
        staged_items_end(in->staged);
}

static void
pull_piece(struct intake *in, size_t max)
{
    size_t from = in->raw.len;

    if (in->pull(in->arg, &in->raw, max) == 0)
        in->has_pulled_all = true;
    in->raw_bytes += in->raw.len - from;
    if (in->digest != NULL)
        sha256_add(in->digest, str_slice(buf_str(&in->raw), from, in->raw.len));
}

static int
fail_incomplete(struct err *err)
{
    return err_set(err, ERR_BAD_REQUEST, "The provided payload is incomplete and cannot be parsed");
}

static int
inflate_piece(struct intake *in, struct str *raw, struct err *err)
{
    int rc;

    buf_clear(&in->plain);
    rc = gzip_in_step(in->gzip, raw, &in->plain, PIECE_BYTES);
    if (rc < 0)
        return fail_incomplete(err);
    if (rc == 1)
        *raw = STR_NULL; /* what stands behind the stream is not ours */
    if (buf_failed(&in->plain))
        return err_set(err, ERR_INTERNAL, "out of memory while inflating the payload");
    return feed(in, buf_str(&in->plain), err);
}

static int
feed_raw(struct intake *in, struct err *err)
{
    struct str raw = str_slice(buf_str(&in->raw), in->raw_at, in->raw.len);
    int rc = in->gzip == NULL ? feed(in, raw, err) : inflate_piece(in, &raw, err);

    in->raw_at = in->gzip == NULL ? in->raw.len : in->raw.len - raw.len;
    if (in->raw_at < in->raw.len)
        return rc;
    buf_clear(&in->raw);
    in->raw_at = 0;
    return rc;
}

/* Nothing is left of the upload: also what zlib held back is out. */
static int
end_raw(struct intake *in, struct err *err)
{
    struct str none = STR_NULL;

    if (in->gzip == NULL || in->raw_bytes == 0 || gzip_in_ended(in->gzip)) {
        end_feed(in);
        return 0;
    }
    if (inflate_piece(in, &none, err) < 0)
        return -1;
    return in->plain.len == 0 && !gzip_in_ended(in->gzip) ? fail_incomplete(err) : 0;
}

static int
read_piece(struct intake *in, struct err *err)
{
    if (in->raw.len == 0 && !in->has_pulled_all)
        pull_piece(in, PIECE_BYTES);
    if (buf_failed(&in->raw))
        return err_set(err, ERR_INTERNAL, "out of memory while reading the payload");
    return in->raw.len > 0 ? feed_raw(in, err) : in->has_pulled_all ? end_raw(in, err) : 0;
}

/* --- documents out */

static int
write_document(struct intake *in, struct str document, struct err *err)
{
    if (payload_writer_add(in->writer, document, err) < 0)
        return -1;
    in->result.count++;
    return payload_writer_add(in->writer, STR("\n"), err);
}

static int
write_id(struct intake *in, struct str id, struct err *err)
{
    buf_clear(&in->line);
    json_write_string(&in->line, id);
    if (buf_failed(&in->line))
        return err_set(err, ERR_INTERNAL, "out of memory while reading the payload");
    return write_document(in, buf_str(&in->line), err);
}

/* 1: one came out, 0: more bytes are needed, negative with err. */
static int
next_item(struct intake *in, struct err *err)
{
    struct str item;
    int rc;

    if (in->docs != NULL)
        rc = docs_next(in->docs, &item, err);
    else if (in->ids != NULL)
        rc = ids_next(in->ids, &item, err);
    else
        rc = staged_items_next(in->staged, &item, err);
    if (rc != 1)
        return rc;
    rc = in->ids == NULL ? write_document(in, item, err) : write_id(in, item, err);
    return rc < 0 ? rc : 1;
}

/* --- the whole way */

/* A few documents, or a piece of the upload: 1 while there is more, 0 at the end, negative. */
static int
advance(struct intake *in, struct err *err)
{
    int rc = 1;

    for (int n = 0; n < DOCUMENTS_AT_ONCE && rc == 1; n++)
        rc = next_item(in, err);
    if (rc != 0)
        return rc;
    if (in->has_fed_all)
        return 0;
    rc = read_piece(in, err);
    return rc < 0 ? rc : 1;
}

static void
end(struct intake *in, struct err *err)
{
    in->is_over = true;
    if (in->staged != NULL)
        in->result.removes = staged_items_removes(in->staged);
    if (!err_is_set(err) && payload_writer_finish(in->writer, &in->result.payload, err) == 0) {
        if (in->digest != NULL)
            sha256_finish(in->digest, in->result.digest);
        in->digest = NULL; /* consumed */
        in->done(in->arg, &in->result, NULL);
    } else {
        in->done(in->arg, NULL, err);
    }
    err_done(err);
}

static enum loop_slice_result
run(struct intake *in, int64_t deadline_us)
{
    struct err err = ERR_INIT;
    int rc;

    do
        rc = advance(in, &err);
    while (rc == 1 && clock_mono_us() < deadline_us);
    if (rc == 1)
        return SLICE_MORE;
    end(in, &err);
    return SLICE_IDLE;
}

static enum loop_slice_result
intake_slice(void *arg, int64_t deadline_us)
{
    struct intake *in = arg;
    enum loop_slice_result result;

    in->is_running = true;
    result = run(in, deadline_us);
    in->is_running = false;
    return result;
}

/* Whether the whole upload is known to be small; its bytes are in raw then. */
static bool
is_small(struct intake *in)
{
    if (in->gzip != NULL)
        return false;
    while (!in->has_pulled_all && in->raw.len <= SMALL_BYTES)
        pull_piece(in, SMALL_BYTES + 1 - in->raw.len);
    return in->has_pulled_all;
}

void
intake_start(struct intake *in, size_t (*pull)(void *arg, struct buf *out, size_t max),
             void (*done)(void *arg, const struct intake_result *result, struct err *err),
             void *arg)
{
    in->pull = pull;
    in->done = done;
    in->arg = arg;
    in->is_running = true;
    if (is_small(in))
        (void) run(in, INT64_MAX); /* to its end */
    else
        loop_slice_wake(&in->slice);
    in->is_running = false;
}
