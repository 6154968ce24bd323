#pragma once
/* Document intake: raw upload bytes (maybe compressed) in, a checked payload out, in slices
 * (invariant 6). */
#include "codec/digest.h"
#include "codec/docs.h"
#include "loop/loop.h"
#include "ops/staged_items.h"
#include "store/payload.h"

enum intake_encoding { INTAKE_IDENTITY, INTAKE_GZIP, INTAKE_DEFLATE };

struct intake;
struct intake_conf {
    struct loop *loop;
    struct payload_dir *payloads;
    enum docs_format format;
    char csv_delimiter; /* ',' */
    enum intake_encoding encoding;
    uint64_t limit_bytes; /* of decompressed bytes; beyond: payload_too_large in the contract's
                             words (1.8) */
    bool want_digest;     /* SHA-256 of the raw bytes, for Idempotency-Key */
    bool ids; /* the upload is a JSON array of document ids (delete-batch), not documents */
    /* The upload is a request to a data source (staged_items.h) with documents known by this name;
     * data NULL: it is not. */
    struct str staged_id_name;
    enum staged_kind staged;
};
struct intake_result {
    struct payload payload; /* valid until intake_free */
    uint64_t count;         /* documents or ids */
    uint64_t removes;       /* of count: ids in a request to a data source */
    uint8_t digest[SHA256_BYTES];
};
struct intake *intake_new(const struct intake_conf *conf);
/* Pulls raw bytes: pull(arg, out, max) appends up to max bytes and returns their number, 0 at the
 * end (all bytes are there when intake starts). Small uploads are finished inside the call;
 * done(arg, result or NULL with err) is called exactly once, possibly before intake_start returns.
 */
void intake_start(struct intake *in, size_t (*pull)(void *arg, struct buf *out, size_t max),
                  void (*done)(void *arg, const struct intake_result *result, struct err *err),
                  void *arg);
/* keep: a task refers to the payload's file. Cancels when still running (done is not called). May
 * be called from inside done. NULL accepted. */
void intake_free(struct intake *in, bool keep);
