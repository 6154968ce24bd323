#pragma once
/* Task payloads: small ones travel inline (the caller stores the bytes in a row), large ones are
 * files updates/<uuid>, written and synced before the task's commit, unlinked after the batch's
 * (design, section 5). */
#include "base/err.h"
#include "base/uuid.h"

enum { PAYLOAD_INLINE_MAX_BYTES = 32 * 1024 };

struct payload_dir; /* the directory updates/ */
struct payload_dir *payload_dir_open(const char *data_dir, struct err *err);
/* The same for another directory of files with such names. */
struct payload_dir *payload_dir_open_named(const char *data_dir, const char *name, struct err *err);
void payload_dir_close(struct payload_dir *d);
/* Large files are removed through it; without, at once. It outlives the directory. */
struct trash;
void payload_dir_use_trash(struct payload_dir *d, struct trash *t);

/* Writing: append any number of times, then finish or discard. */
struct payload_writer;
struct payload_writer *payload_writer_new(struct payload_dir *d);
int payload_writer_add(struct payload_writer *w, struct str bytes,
                       struct err *err); /* negative: disk error */
uint64_t payload_writer_size(const struct payload_writer *w);
/* A finished payload. file is nil for an inline one; inline_bytes is owned by the writer until it
 * is freed. */
struct payload {
    struct uuid file;
    struct str inline_bytes;
    uint64_t size;
};
/* Syncs the file and its directory entry; negative on error. The writer stays until
 * payload_writer_free. */
int payload_writer_finish(struct payload_writer *w, struct payload *ret, struct err *err);
/* The same, but a file however little it is. */
int payload_writer_finish_file(struct payload_writer *w, struct payload *ret, struct err *err);
/* keep: the file stays (a task refers to it); otherwise it is unlinked. NULL accepted. */
void payload_writer_free(struct payload_writer *w, bool keep);

/* Reading a file payload: mapped, valid until payload_unmap. */
int payload_map(struct payload_dir *d, const struct uuid *file, struct str *ret, struct err *err);
void payload_unmap(struct str mapped);
/* Gives back what lies before upto, a place in the mapping; the rest stays. All of 100 MB at once
 * would take 2 ms. */
void payload_unmap_front(struct str *mapped, const char *upto);
void payload_unlink(struct payload_dir *d, const struct uuid *file); /* nil or missing is fine */
/* Unlinks every file for which keep(arg, uuid) is false: at start. */
void payload_dir_sweep(struct payload_dir *d, bool (*keep)(void *arg, const struct uuid *file),
                       void *arg);
